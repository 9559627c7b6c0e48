"""A new workspace to start from: of a company's own exports, blank, or the example company's."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from revplan.crm.draft import Draft, draft_yaml, drafted, moved
from revplan.crm.file import crm_schema
from revplan.crm.planfile import plan_schema
from revplan.crm.presets import presets
from revplan.crm.records import History, read_export
from revplan.ground.errors import PlanError, ReportError, RevplanError, shown
from revplan.ground.files import scratch_folder
from revplan.ground.formats import SYMBOLS, listed
from revplan.ground.yamlfile import flow
from revplan.run.notebooks import PLANS, in_workspace, notebook_in, shipped, with_one_plan

PLAN, CRM = "plan.yaml", "crm.yaml"
SCHEMAS: dict[str, Callable[[], dict[str, Any]]] = {"plan.schema.json": plan_schema, "crm.schema.json": crm_schema}
EDITOR_HINT = "# yaml-language-server: $schema=plan.schema.json\n"
YEAR = timedelta(days=365)

Fill = Callable[[Path, Path], list[str]]
"""Writes the files of a workspace into the first folder, which becomes the second; answers with what is to be asked."""


def new_workspace(folder: Path, fill: Fill) -> tuple[list[Path], list[str]]:
    """The files of a new workspace in `folder`, which must be new or empty, and the questions that are open.

    It is made aside and moved into place, so a stopped run leaves nothing half made.

    Raises
    ------
    PlanError
        If the folder holds something already, or lies in a file.
    DataError
        If an export cannot be read.
    ReportError
        If it cannot be made.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PlanError.at(shown(folder), "holds something already; name a new or an empty folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(".revplan-", folder.parent) as made:
            (made / "workspace").mkdir()
            questions = fill(made / "workspace", folder)
            for name, schema in SCHEMAS.items():
                (made / "workspace" / name).write_text(json.dumps(schema(), indent=1) + "\n", encoding="utf-8")
            if folder.exists():
                folder.rmdir()
            os.replace(made / "workspace", folder)
    except (FileExistsError, NotADirectoryError):
        raise PlanError.at(
            shown(folder), "cannot be made: it lies in what is a file, not a folder; name another one"
        ) from None
    except OSError as error:
        raise ReportError.at(
            shown(folder), f"cannot be made ({error.strerror or shown(error)}); make room there, or name another one"
        ) from None
    return sorted(path for path in folder.rglob("*") if path.is_file()), questions


def example_company(made: Path, folder: Path) -> list[str]:
    """The example company's plans and records, and the notebooks as they were run on them."""
    shutil.copytree(shipped("data/example", "example"), made, dirs_exist_ok=True)
    _notebooks(made)
    for plan in (made / name for name in PLANS):
        plan.write_text(EDITOR_HINT + plan.read_text(encoding="utf-8"), encoding="utf-8")
    return []


def blank(made: Path, folder: Path) -> list[str]:
    """The smallest plan and CRM file, commented, and the notebooks without what they showed elsewhere."""
    (made / PLAN).write_text(EDITOR_HINT + BLANK_PLAN, encoding="utf-8")
    (made / CRM).write_text(BLANK_CRM.replace("PRESETS", listed([*presets()])), encoding="utf-8")
    _notebooks(made, with_outputs=False)
    return []


def from_exports(exports: Sequence[Path]) -> Fill:
    """A CRM file for `exports`, read where they lie, and a first plan of what they hold."""

    def fill(made: Path, folder: Path) -> list[str]:
        names = [Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix() for path in exports]
        draft = drafted(exports, names)
        questions = [question.asked for question in draft.questions]
        try:
            seen = [os.path.relpath(path.resolve(), made.resolve()) for path in exports]
            history, found = _counted(moved(draft, dict(zip(names, seen, strict=True))), made)
        except RevplanError as error:
            (made / CRM).write_text(draft_yaml(draft), encoding="utf-8")
            (made / PLAN).write_text(EDITOR_HINT + BLANK_PLAN, encoding="utf-8")
            questions += [str(fault) for fault in error.faults if not questions]
        else:
            (made / CRM).write_text(draft_yaml(draft, found), encoding="utf-8")
            (made / PLAN).write_text(EDITOR_HINT + first_plan(history), encoding="utf-8")
        _notebooks(made, with_outputs=False)
        return questions

    return fill


def _counted(draft: Draft, made: Path) -> tuple[History, list[str]]:
    """What the exports hold by a draft whose paths are those seen from `made`."""
    tried = made / CRM
    tried.write_text(draft_yaml(draft), encoding="utf-8")
    history = read_export(tried).on()
    entered = history.stage_history.groupby("stage").size()
    counts = ", ".join(f"{stage} {int(entered.get(stage, 0)):,}" for stage in history.stages)
    lost = int(history.records["lost_on"].notna().sum())
    return history, [f"As of {history.as_of}: {len(history.records):,} records; entered {counts}; lost {lost:,}."]


def _notebooks(made: Path, with_outputs: bool = True) -> None:
    shutil.copytree(shipped("notebooks", "notebooks"), made / "notebooks", ignore=shutil.ignore_patterns(".*"))
    for path in (made / "notebooks").glob("*.ipynb"):
        text = in_workspace(path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
        if not with_outputs:
            import nbformat

            notebook = notebook_in(path)
            for cell in notebook.cells:
                cell.source = with_one_plan(cell.source)
                if cell.cell_type == "code":
                    cell.outputs, cell.execution_count = [], None
            nbformat.write(notebook, path)  # type: ignore[no-untyped-call]


# --- the first plan -----------------------------------------------------------------------------------------


def first_plan(history: History) -> str:
    """A plan of the company whose records these are: its stages, sources, segments and deal sizes; the goal is a question."""
    won_ids = history.stage_history.loc[history.stage_history["stage"] == history.stages[-1], ["record", "entered_on"]]
    won = history.records.merge(won_ids, on="record")
    priced = won[won["amount"] > 0]
    recent = priced[priced["entered_on"] > str(history.as_of - YEAR)]
    last_year = float(recent["amount"].sum()) or 1_000_000.0
    plan_date = history.as_of + timedelta(days=1)
    first = date(plan_date.year + (plan_date.month == 12), plan_date.month % 12 + 1, 1)
    stages = ", ".join(f"{{id: {flow(stage)}}}" for stage in history.stages)
    segments = _shares(history, won, "segment")
    sources = _shares(history, won, "source")
    acv = {name: float(rows["amount"].mean()) for name, rows in priced.groupby("segment")}
    usual = float(priced["amount"].mean()) if len(priced) else 10_000.0
    currency = {sign: code for code, sign in SYMBOLS.items()}.get(history.currency, history.currency)
    lines = [
        f"# A first plan, drafted from the records in crm.yaml as of {history.as_of}. Lines with a question mark are for you to settle.",
        "name: First plan",
        *([f"currency: {currency}"] if re.fullmatch("[A-Z]{3}", currency) else []),
        f"year: {{first_month: {first:%Y-%m}}}  # ? the first month of the year that is planned",
        f"plan_date: {plan_date}",
        f"goal: {{new_arr: {last_year:.0f}}}  # ? won in the 12 months to {history.as_of}; write the goal, or opening_arr and closing_arr",
        f"stages: [{stages}]",
        f"commit: {{stage: {flow(history.stages[-2])}}}  # ? the stage that marketing signs for",
        "segments:  # ? share of the new ARR, and the size of a deal; shares and means of the deals won",
        *(
            f"  {flow(name)}: {{share: {share:.4f}, acv: {acv.get(name, usual):.0f}}}"
            for name, share in segments.items()
        ),
        "sources:  # ? who owns each, what an entry costs, and the most it can give",
        *(f"  {flow(name)}: {{share: {share:.4f}}}" for name, share in sources.items()),
        "history: {leads: crm.yaml}  # rates, delays and the pipeline open on the plan date come from the records",
    ]
    return "\n".join(lines) + "\n"


def _shares(history: History, won: pd.DataFrame, key: str) -> dict[str, float]:
    """Label -> its share of the wins, at least one in a thousand, summing to 1 to four digits."""
    counts = won[key].value_counts()
    labels = list(dict.fromkeys(history.records[key]))
    raw = {label: max(int(counts.get(label, 0)), 0.001 * max(len(won), 1)) for label in labels}
    shares = {label: round(each / sum(raw.values()), 4) for label, each in raw.items()}
    largest = max(shares, key=lambda label: shares[label])
    shares[largest] = round(1 - sum(each for label, each in shares.items() if label != largest), 4)
    return shares


BLANK_PLAN = """\
# The smallest plan: replace every number. plan.schema.json explains every key, and those left out.
# `revplan check plan.yaml` names whatever does not fit.
name: My plan
year: {first_month: 2027-01}
plan_date: 2026-12-01
goal: {new_arr: 1_000_000}             # or opening_arr, closing_arr and churn
stages: [{id: lead}, {id: mql}, {id: sql}, {id: won}]
commit: {stage: sql, confidence: 0.8}  # what marketing signs for
segments:
  all: {acv: 10_000}                   # the size of a deal
sources:
  web: {cost_per_entry: 100}
transitions:                           # evidence: the number of records behind a rate
  - {from: lead, to: mql, rate: 0.30, evidence: 100, lag: {median_days: 5, p90_days: 20}}
  - {from: mql, to: sql, rate: 0.40, evidence: 100, lag: {median_days: 5, p90_days: 20}}
  - {from: sql, to: won, rate: 0.20, evidence: 100, lag: {median_days: 60, p90_days: 120}}
# history: {leads: crm.yaml}           # rates, delays and the open pipeline from CRM records
# actuals: actuals.csv                 # month, segment, source, new, expansion, contraction, churn, spend
"""
BLANK_CRM = """\
# yaml-language-server: $schema=crm.schema.json
# How CRM exports are read; crm.schema.json explains every key. `revplan init DIR --from EXPORT` writes it from an export,
# and `preset: NAME` (PRESETS) needs only the files.
format: wide
files:
  leads: {path: leads.csv, id: id}     # the file, and its column that identifies a record
stages:                                # stage: column with the day it was entered, in order
  lead: leads.created
  mql: leads.mql_on
  sql: leads.sql_on
  won: leads.won_on
lost: leads.lost_on
# source: leads.source
# segment: leads.segment
# amount: leads.amount
"""
