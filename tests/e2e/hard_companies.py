"""Companies that are hard to print: long names, one segment, twenty, no records, no wins, other scripts, hostile names."""

from __future__ import annotations

import ast
import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pytest
from ruamel.yaml import YAML

from revplan.exhibits import fonts
from revplan.run.notebooks import notebook_in

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"

STAGES = ("lead", "sql", "sqo", "won")
RATES = (0.45, 0.5, 0.25)
DELAYS = (12, 25, 60)
HOSTILE = (
    "<script>document.title='owned'</script>",
    "<img src=http://127.0.0.1:9/x onerror=document.title='owned'>",
    "=cmd|'/c calc'!A0",
    "{{ 7*7 }} {% raw %}",
    "../../../escaped",
    "Nul\x00 and \u202eturned",
    "#evil[x] $x^{$ \\n `a` _b_ **c**",
    "w" * 5000,
)
LONG = (
    "Small and medium-sized businesses of the manufacturing industry in Central and Eastern Europe",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
    "Public sector, education, health care and charities (framework agreements, renewals excluded)",
)
SCRIPTS = ("עסקים קטנים", "الشركات الكبيرة", "株式会社 中小企業", "대기업 고객")


@dataclass(frozen=True, kw_only=True)
class Company:
    """One such company: what its plan says beside the common lines, and what its records hold."""

    segments: tuple[str, ...] = ("smb", "mid")
    sources: tuple[str, ...] = ("inbound", "outbound", "partner")
    acv: float = 12_000.0
    goal: Mapping[str, Any] = field(
        default_factory=lambda: {"opening_arr": 2_000_000, "new_arr": 900_000, "churn": {"rate": 0.08}}
    )
    more: Mapping[str, Any] = field(default_factory=dict)
    leads: int = 300
    wins: bool = True
    recorded: bool = True
    begun: bool = True
    booked: tuple[float, float, float] = (0.01, 0.002, 0.006)
    """Expansion, contraction and churn booked a month, as shares of opening ARR."""


COMPANIES: dict[str, Company] = {
    "long names": Company(
        segments=LONG,
        sources=("Organic search, content and the community forum", "Partner referrals_and_marketplaces/of-all-kinds", "Field events"),
        more={"name": "The Consolidated International Subscription Software Holding Company of Northern Europe, fiscal year 2026, second revision"},
    ),
    "one segment": Company(segments=("all",), sources=("web",)),
    "twenty segments": Company(segments=tuple(f"region {n:02d}" for n in range(1, 21)), sources=("web",)),
    "no records": Company(recorded=False),
    "not begun": Company(begun=False),
    "zero wins": Company(wins=False),
    "shrinking": Company(
        goal={"opening_arr": 9_000_000, "new_arr": 300_000, "churn": {"rate": 0.3}, "contraction": {"rate": 0.1}},
        booked=(0.0, 0.01, 0.03),
    ),
    "yen": Company(acv=1_800_000.0, goal={"opening_arr": 300_000_000, "new_arr": 135_000_000, "churn": {"rate": 0.08}}, more={"currency": "JPY"}),
    "other scripts": Company(segments=SCRIPTS[:3], sources=SCRIPTS[1:], more={"name": "שנת 2026 株式会社 الخطة"}),
    "hostile": Company(segments=HOSTILE[:4], sources=HOSTILE[4:], more={"name": HOSTILE[0]}),
}  # fmt: skip


def plan_of(company: Company, folder: Path) -> Path:
    """The plan file of `company` in `folder`, beside its records and actuals."""
    rng, written = np.random.default_rng(5), _plan(company)
    leads = [_lead(company, rng) for _ in range(company.leads)]
    if company.recorded:
        _write_leads(folder, leads)
    if company.recorded and company.begun:
        _write_actuals(company, folder, leads)
        written["actuals"] = "actuals.csv"
    path = folder / "plan.yaml"
    with path.open("w", encoding="utf-8") as file:
        yaml = YAML(typ="safe", pure=True)
        yaml.width = 10_000
        yaml.dump({**written, **company.more}, file)
    return path


def _plan(company: Company) -> dict[str, Any]:
    pairs = zip(STAGES, STAGES[1:], RATES, DELAYS, strict=False)
    first, second = company.segments[0], company.sources[0]
    return {
        "name": "Hard case",
        "year": {"first_month": "2026-01" if company.begun else "2027-01"},
        "plan_date": "2025-12-01" if company.begun else "2026-08-01",
        "goal": dict(company.goal),
        "stages": [{"id": stage} for stage in STAGES],
        "commit": {"stage": "sql"},
        "segments": _shared(company.segments, lambda n: {"acv": {"mean": company.acv * (1 + n % 3), "sd": company.acv / 2}}),
        "sources": _shared(company.sources, lambda n: {"cost_per_entry": 50 + n} if n < 2 else {"owner": "sales"}),
        "transitions": [
            {"from": a, "to": b, "rate": rate, "evidence": 200, "lag": {"median_days": days, "p90_days": 3 * days}}
            for a, b, rate, days in pairs
        ],
        "scenarios": {
            f"fewer of {second}": {"volume": {second: 0.7}},
            f"larger deals in {first}": {"acv": {first: company.acv * 1.3}},
        },
        **({"history": {"leads": "crm.yaml"}} if company.recorded else {}),
    }  # fmt: skip


def _shared(names: tuple[str, ...], rest: Any) -> dict[str, Any]:
    """Every name with an equal share of the year; the shares sum to 1 exactly."""
    part = round(1 / len(names), 3)
    shares = [part] * (len(names) - 1)
    return {
        name: {"share": share, **rest(n)}
        for n, (name, share) in enumerate(zip(names, [*shares, 1 - sum(shares)], strict=True))
    }


CRM = {
    "format": "wide",
    "files": {"leads": {"path": "leads.csv", "id": "id"}},
    "stages": {stage: f"leads.{stage}" for stage in STAGES},
    "lost": "leads.lost",
    "segment": "leads.segment",
    "source": "leads.source",
    "amount": "leads.amount",
    "program": "leads.program",
}


def _write_leads(folder: Path, leads: list[list[str]]) -> None:
    (folder / "crm.yaml").write_text(json.dumps(CRM), encoding="utf-8")
    with (folder / "leads.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "segment", "source", "program", *STAGES, "lost", "amount"])
        writer.writerows([number, *lead] for number, lead in enumerate(leads))


LAST = date(2026, 6, 30)


def _lead(company: Company, rng: np.random.Generator) -> list[str]:
    """One record: segment, source, program, the days it entered each stage, the day it was lost, its amount."""
    segment, source = (names[rng.integers(len(names))] for names in (company.segments, company.sources))
    day, days = date(2025, 1, 1) + timedelta(int(rng.integers(545))), []
    rates = (*RATES[:2], RATES[2] * company.wins)
    for rate, delay in zip((1.0, *rates), (0, *DELAYS), strict=True):
        if rng.random() >= rate:
            break
        day += timedelta(int(rng.exponential(delay)))
        days.append(day)
    lost = day + timedelta(int(rng.exponential(50))) if len(days) < len(STAGES) else None
    amount = (
        round(company.acv * (1 + company.segments.index(segment) % 3) * rng.uniform(0.6, 1.4)) if len(days) > 2 else ""
    )
    entered = [_shown(each) for each in [*days, *[None] * (len(STAGES) - len(days))]]
    return [_flat(segment), _flat(source), _flat(source), *entered, _shown(lost), str(amount)]


def _shown(day: date | None) -> str:
    return day.isoformat() if day is not None and day <= LAST else ""


def _flat(name: str) -> str:
    """A name as a CSV file can hold it: readers refuse NUL."""
    return name.replace("\x00", "")


def _write_actuals(company: Company, folder: Path, leads: list[list[str]]) -> None:
    """Six months of what was booked: new ARR as the records have it, the rest in even parts."""
    opening = float(company.goal["opening_arr"]) / len(company.segments) / len(company.sources)
    rest = [round(opening * share) for share in company.booked]
    rows = product(
        (f"2026-{month:02d}" for month in range(1, 7)), map(_flat, company.segments), map(_flat, company.sources)
    )
    with (folder / "actuals.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["month", "segment", "source", "new", "expansion", "contraction", "churn", "spend"])
        for month, *cell in rows:
            won = [int(lead[-1]) for lead in leads if lead[:2] == cell and lead[6].startswith(month)]
            writer.writerow([month, *cell, sum(won), *rest, 900])


# --- their reports -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Executed:
    """A report of one plan, run in this very process."""

    plan: Path
    notebook: Any
    """As a kernel would leave it."""
    drawn: tuple[tuple[str, ...], ...]
    """For each cell, every text that is drawn into its charts, in their order: a page holds it as outlines."""


def report_of(plan: Path, report: str) -> Executed:
    """A report of `plan`; the panel of widgets, which is for playing, is left out."""
    notebook, space = notebook_in(NOTEBOOKS / f"{report}.ipynb"), {}
    drawn: list[tuple[str, ...]] = []
    for cell in notebook.cells:
        with texts_drawn() as texts:
            if cell.cell_type == "code":
                cell.outputs = [] if "panel(" in cell.source else _outputs(cell.source, space)
        if "parameters" in cell.metadata.get("tags", []):
            space["plan_path"] = str(plan)
        drawn.append(tuple(texts))
    notebook.metadata["revplan"] = {"report": report, "plan": plan.parent.name, "revplan": "test"}
    return Executed(plan=plan, notebook=notebook, drawn=tuple(drawn))


def _outputs(source: str, space: dict[str, Any]) -> list[Any]:
    """What a cell shows: the value of its last line."""
    lines = ast.parse(source).body
    last = ast.Expression(lines.pop().value) if isinstance(lines[-1], ast.Expr) else None
    exec(compile(ast.Module(lines, []), "cell", "exec"), space)
    if last is None:
        return []
    value = eval(compile(last, "cell", "eval"), space)
    if value is None:
        return []
    return [nbformat.v4.new_output("display_data", value._repr_mimebundle_())]


@contextmanager
def texts_drawn() -> Iterator[list[str]]:
    """Every text that is drawn into a chart within the block."""
    texts: list[str] = []
    really = fonts.outlined

    def noted(text: str, *rest: Any) -> Any:
        texts.append(text)
        return really(text, *rest)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(fonts, "outlined", noted)
        yield texts


def before_the_appendix(deck: Any) -> list[Any]:
    """The slides that are shown; the tables behind their pictures follow them."""
    sections = [[each.text_frame.text for each in slide.shapes if each.has_text_frame] for slide in deck.slides]
    return [texts for texts in sections if not any(text.startswith("Appendix: ") for text in texts)]
