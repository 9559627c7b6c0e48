"""The live workbook, recalculated by LibreOffice: every formula against the package, as written and after changes.

All files are converted in one batch, by a profile of its own that recalculates on load; the values saved with the
formulas are replaced by wrong ones before, so that nothing can pass without having been computed.
Skipped with a reason where there is no LibreOffice, except in CI, where it fails.
"""

from __future__ import annotations

import copy
import html
import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import date
from functools import cache, lru_cache
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lxml import etree

from revplan.crm.planfile import read_plan
from revplan.excel import grid
from revplan.excel.book import live_workbook
from revplan.excel.changes import import_workbook
from revplan.excel.grid import (
    ARR,
    BRIDGE,
    BUDGET,
    CAPACITY,
    CHECK,
    FORWARD,
    PEOPLE,
    QUARTERS,
    RATES,
    REQUIRED,
    REQUIRED_NEXT,
    SOLVED,
    TARGETS,
    Grid,
)
from revplan.exhibits.exhibit import terminal
from revplan.exhibits.provenance import fingerprint
from revplan.funnel.funnel import HORIZON, forward
from revplan.funnel.pipeline import OpenGroup
from revplan.funnel.year import PlannedYear, Snapshot, plan_year, year_without_commit
from revplan.ground.yamledit import flow
from revplan.plan.model import Plan
from revplan.workbook.workbook import Workbook, plan_answer

RECALCULATE = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry"><item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item></oor:items>"""
WRONG = 777
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
Cells = dict[tuple[str, str], Any]
RANDOM_PLANS = 6
EVIL = ["=cmd|' /C calc'!A0", "</x>&<b>\u202e", "x" * 5000, "N\u0001UL\u0000", '"; DROP', "\U0001f600 [a]:b*c?/d\\'"]


def recalculated(program: str, files: list[Path], folder: Path) -> dict[str, Path]:
    """The files, recalculated and saved again by LibreOffice, by their names."""
    profile = folder / "profile"
    (profile / "user").mkdir(parents=True)
    (profile / "user" / "registrymodifications.xcu").write_text(RECALCULATE, encoding="utf-8")
    command = [program, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--convert-to", "xlsx"]
    subprocess.run([*command, "--outdir", folder / "done", *files], check=True, capture_output=True, timeout=540)
    return {file.name: folder / "done" / file.name for file in files}


def with_wrong_values(raw: bytes) -> bytes:
    """A workbook whose formulas carry a wrong value."""
    with zipfile.ZipFile(BytesIO(raw)) as archive:
        sheets = {name: archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/sheet")}
    return with_parts(
        raw, {name: re.sub(rb"(</f><v>)[^<]*(</v>)", rb"\g<1>%d\2" % WRONG, text) for name, text in sheets.items()}
    )


def quick(raw: bytes) -> bytes:
    """A workbook without the rows that are printed again on each page: they take LibreOffice two thirds of its time."""
    again = rb'<definedName name="_xlnm.Print_Titles"[^>]*>[^<]*</definedName>'
    with zipfile.ZipFile(BytesIO(raw)) as archive:
        return with_parts(raw, {"xl/workbook.xml": re.sub(again, b"", archive.read("xl/workbook.xml"))})


def with_parts(raw: bytes, parts: dict[str, bytes]) -> bytes:
    """A workbook with other content in some of its parts."""
    changed = BytesIO()
    with zipfile.ZipFile(BytesIO(raw)) as before, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            after.writestr(name, parts.get(name) or before.read(name))
    return changed.getvalue()


def part(raw: bytes, name: str) -> str:
    """A part of a workbook as text."""
    with zipfile.ZipFile(BytesIO(raw)) as archive:
        return archive.read(name).decode("utf-8")


def cells_of(raw: bytes) -> Cells:
    """Every value of a workbook, by sheet and address."""
    return read(raw)[0]


@lru_cache(maxsize=8)
def read(raw: bytes) -> tuple[Cells, Cells]:
    """Every value of a workbook, and every formula's, by sheet and address; as they lie in the file, in a third of a library's time."""
    values: Cells = {}
    formulas: Cells = {}
    with zipfile.ZipFile(BytesIO(raw)) as archive:
        listed = etree.fromstring(archive.read("xl/workbook.xml")).iterfind(f"{MAIN}sheets/{MAIN}sheet")
        names = [sheet.get("name") for sheet in listed]
        shared = etree.fromstring(archive.read("xl/sharedStrings.xml")).iterfind(f"{MAIN}si")
        strings = ["".join(part.text or "" for part in each.iter(f"{MAIN}t")) for each in shared]
        for number, name in enumerate(names, start=1):
            for cell in etree.fromstring(archive.read(f"xl/worksheets/sheet{number}.xml")).iter(f"{MAIN}c"):
                at, written = (name, cell.get("r")), cell.findtext(f"{MAIN}v")
                value = _value(cell.get("t"), written, strings) if written else None
                if written:
                    values[at] = value
                if cell.find(f"{MAIN}f") is not None:
                    formulas[at] = value
    return values, formulas


def _value(kind: str | None, written: str, strings: list[str]) -> Any:
    if kind == "s":
        return strings[int(written)]
    if kind == "b":
        return written == "1"
    return written if kind in ("str", "e") else float(written)


# --- plans ---------------------------------------------------------------------------------------------------

LAGS = [
    {"months": 0}, {"months": 3}, {"weights": [0.25, 0.5, 0.25]}, {"weights": [0.0, 1.0]},
    {"median_days": 4.0, "p90_days": 20.0}, {"median_days": 40.0, "p90_days": 80.0}, {"median_days": 20.0, "p90_days": 60.0},
]  # fmt: skip
GOALS: list[dict[str, Any]] = [
    {"opening_arr": 8e6, "closing_arr": 13e6, "churn": {"rate": 0.08}, "expansion": {"monthly_rate": 0.01}},
    {"opening_arr": 8e6, "new_arr": 3e6, "churn": {"monthly_rate": 0.007}, "contraction": 1e5, "next_year_growth": 0.25},
    {"closing_arr": 1.3e7, "new_arr": 3e6, "churn": {"quarterly_rate": 0.02}, "expansion": {"rate": 0.1}},
    {"new_arr": 2e6},
    {"opening_arr": 8e6, "closing_arr": 9e6, "new_arr": 3e6, "churn": "solve", "expansion": {"amount": 2e5}},
    {"opening_arr": 8e6, "closing_arr": 13e6, "new_arr": 3e6, "expansion": "solve", "contraction": {"rate": 0.02}},
]  # fmt: skip


def random_plan(seed: int) -> dict[str, Any]:
    """A plan of any form: goal, stages, shares, lags, day, rounding."""
    rng = np.random.default_rng(seed)

    def parts(count: int) -> list[float]:
        drawn = rng.integers(1, 9, count)
        return [float(part / drawn.sum()) for part in drawn]

    stages = [f"s{index}" for index in range(rng.integers(2, 6))]
    segments, sources = (["a", "b", "c"][: rng.integers(1, 4)] for _ in range(2))
    split = {segment: parts(len(sources)) for segment in segments}
    flat = rng.random() < 0.5
    transitions = []
    for start, end in pairwise(stages):
        for where in ({}, {"segment": segments[-1]}, {"source": sources[0]})[: rng.integers(1, 4)]:
            lag = LAGS[rng.integers(len(LAGS))]
            transitions.append({"from": start, "to": end, **where, "rate": float(rng.uniform(0.1, 0.9)), "lag": lag})
    quarters, within = parts(4), parts(3)
    return {
        "name": f"Random {seed}",
        "year": {"first_month": "2027-04"},
        "plan_date": date(2026, 12, 1) + (date(2026, 12, 20) - date(2026, 12, 1)) * int(rng.integers(0, 14)),
        "goal": {**GOALS[seed % len(GOALS)], "phasing": {"quarters": quarters, "within_quarter": within}},
        "stages": [{"id": stage} for stage in stages],
        "segments": {name: {"share": share, "acv": float(rng.integers(5, 90) * 1000)} for name, share in zip(segments, parts(len(segments)), strict=True)},
        "sources": {
            name: {
                "share": split[segments[0]][at] if flat else {segment: split[segment][at] for segment in segments},
                "enters": stages[rng.integers(0, len(stages) - 1)],
                "cost_per_entry": [None, 85.0][rng.integers(2)],
                "max_per_month": [None, 400.0][rng.integers(2)],
            }
            for at, name in enumerate(sources)
        },
        "transitions": transitions,
        "rounding": ["none", "spreadsheet"][seed % 2],
    }  # fmt: skip


def records(plan: Plan) -> Snapshot:
    """Records of every cell: some open ones, and a win in the year's second month."""
    won = np.zeros((2, HORIZON))
    won[:, 1] = 1.5, 30_000
    group = OpenGroup(0, np.array([5.0, 80.0]), np.array([30.0, 4.0]), np.array([9e5, 2e5]), np.array([0.0, 0.02]))
    return Snapshot(open_groups=dict.fromkeys(plan.cells, (group,)), won=dict.fromkeys(plan.cells, (won[0], won[1])))


STEADY: dict[str, Any] = {
    "year": {"first_month": "2027-01"},
    "plan_date": date(2026, 11, 15),
    "goal": {"opening_arr": 8e6, "closing_arr": 13e6, "churn": {"monthly_rate": 0.007}, "expansion": 4e5, "next_year_growth": 0.2},
    "stages": [{"id": id} for id in ("lead", "mql", "sqo", "won")],
    "segments": {"smb": {"share": 0.4, "acv": {"mean": 9e3, "sd": 4e3}}, "mid": {"share": 0.6, "acv": 32e3}},
    "sources": {
        "inbound": {"share": 0.7, "cost_per_entry": 85.0, "max_per_month": 2000.0},
        "outbound": {"share": 0.3, "enters": "mql"},
    },
    "transitions": [
        {"from": "lead", "to": "mql", "rate": 0.3, "lag": {"median_days": 5, "p90_days": 14}},  # short: LibreOffice takes its time for each month of a tail
        {"from": "mql", "to": "sqo", "rate": 0.4, "evidence": 50, "lag": {"median_days": 12, "p90_days": 30}},
        {"from": "mql", "to": "sqo", "segment": "mid", "rate": 0.35, "lag": {"months": 1}},
        {"from": "sqo", "to": "won", "rate": 0.24, "lag": {"median_days": 25, "p90_days": 50}},
    ],
}  # fmt: skip
BY_SEGMENT: dict[str, Any] = {
    **STEADY,
    "plan_date": date(2027, 2, 1),
    "goal": {"new_arr": 2e6, "churn": 1e5},
    "sources": {
        "inbound": {"share": {"smb": 0.5, "mid": 1.0}, "cost_per_entry": 85.0},
        "outbound": {"share": {"smb": 0.5}, "enters": "mql", "max_growth": 0.1},
    },
    "rounding": "spreadsheet",
}

Inputs = list[tuple[list[Any], float | None]]
Act = Callable[[dict[str, Any]], None]
Change = tuple[str, dict[str, Any], Inputs, Act]


def put(*place: Any) -> Act:
    """Sets a value of a plan's data: keys, and the value as the last."""
    *keys, last, value = place

    def act(data: dict[str, Any]) -> None:
        for key in keys:
            data = data[key]
        data[last] = value

    return act


def all_of(*acts: Act) -> Act:
    """One change after the other."""
    return lambda data: [act(data) for act in acts] and None


def together(name: str, data: dict[str, Any], *changes: tuple[Inputs, Act]) -> Change:
    """Changes of different inputs in one workbook, since LibreOffice takes more than a second for each."""
    return name, data, [value for inputs, _ in changes for value in inputs], all_of(*(act for _, act in changes))


def lag_of(cells: list[tuple[str, str]], stage: str, weights: list[float]) -> Inputs:
    """Inputs of the monthly shares of a step, for several cells."""
    months = [*weights, *[0.0] * 60]
    return [(["rates", *cell, stage, "lag", month], share) for cell in cells for month, share in enumerate(months)]


CELLS = [(segment, source) for segment in ("smb", "mid") for source in ("inbound", "outbound")]
MONTHS = [0.02, 0.08, 0.1, 0.05, 0.1, 0.1, 0.05, 0.1, 0.1, 0.1, 0.1, 0.1]
SPECIFIC = {"from": "sqo", "to": "won", "segment": "smb", "source": "outbound", "rate": 0.2, "lag": {"median_days": 25, "p90_days": 50}}  # fmt: skip
CHANGES: list[Change] = [
    together("goal, shares and prices", STEADY,
        ([(["goal", "closing_arr"], 1.4e7)], put("goal", "closing_arr", 1.4e7)),  # level
        ([(["goal", "churn", "monthly_rate"], 0.01)], put("goal", "churn", {"monthly_rate": 0.01})),  # monthly rate
        ([(["goal", "expansion", "amount"], 5e5)], put("goal", "expansion", 5e5)),  # amount
        ([(["goal", "contraction", "amount"], 5e4)], put("goal", "contraction", 5e4)),  # unstated amount
        ([(["goal", "next_year_growth"], -0.1)], put("goal", "next_year_growth", -0.1)),  # growth
        ([(["goal", "phasing", at], share) for at, share in enumerate(MONTHS)], put("goal", "phasing", {"months": MONTHS})),  # phasing
        ([(["segments", "smb", "share"], 0.25), (["segments", "mid", "share"], 0.75)], all_of(put("segments", "smb", "share", 0.25), put("segments", "mid", "share", 0.75))),  # segment share
        ([(["segments", "smb", "acv"], 1.1e4)], put("segments", "smb", "acv", "mean", 1.1e4)),  # acv with a spread
        ([(["sources", "inbound", "share"], 0.5), (["sources", "outbound", "share"], 0.5)], all_of(put("sources", "inbound", "share", 0.5), put("sources", "outbound", "share", 0.5))),  # source share
        ([(["sources", "outbound", "cost_per_entry"], 40.0)], put("sources", "outbound", "cost_per_entry", 40.0)),  # cost
    ),
    together("nothing stated, a rate and a delay everywhere", STEADY,
        ([(["goal", "next_year_growth"], None)], put("goal", "next_year_growth", None)),  # no growth stated
        ([(["segments", "mid", "acv"], 3e4)], put("segments", "mid", "acv", 3e4)),  # acv
        ([(["sources", "inbound", "cost_per_entry"], None)], put("sources", "inbound", "cost_per_entry", None)),  # unpriced
        ([(["sources", "outbound", "max_per_month"], 1e5)], put("sources", "outbound", "max_per_month", 1e5)),  # ceiling
        ([(["rates", *cell, "sqo", "rate"], 0.3) for cell in CELLS], put("transitions", 3, "rate", 0.3)),  # rate everywhere
        (lag_of(CELLS, "sqo", [0.3, 0.4, 0.3]), put("transitions", 3, "lag", {"weights": [0.3, 0.4, 0.3]})),  # one of several delays in days
    ),
    together("rate of a cell, whole months", STEADY,
        ([(["rates", "smb", "outbound", "sqo", "rate"], 0.2)], lambda data: data["transitions"].append(SPECIFIC)),  # rate of a cell
        (lag_of(CELLS[2:], "mql", [0.0, 0.0, 1.0]), put("transitions", 2, "lag", {"months": 2})),  # whole months
    ),
    together("two delays in days", STEADY,
        (lag_of(CELLS, "sqo", [0.3, 0.7]) + lag_of(CELLS[::2], "lead", [0.5, 0.5]), all_of(put("transitions", 3, "lag", {"weights": [0.3, 0.7]}), put("transitions", 0, "lag", {"weights": [0.5, 0.5]}))),  # two delays in days
    ),
    together("shares by segment, rounded goal", BY_SEGMENT,
        ([(["sources", "inbound", "share", "smb"], 0.8), (["sources", "outbound", "share", "smb"], 0.2)], all_of(put("sources", "inbound", "share", "smb", 0.8), put("sources", "outbound", "share", "smb", 0.2))),  # shares by segment
        ([(["goal", "new_arr"], 2.7e6)], put("goal", "new_arr", 2.7e6)),  # rounded, goal
    ),
    together("rounded rate and delay", BY_SEGMENT,
        ([(["rates", *cell, "sqo", "rate"], 0.31) for cell in CELLS[:3]], put("transitions", 3, "rate", 0.31)),  # rounded, rate
        (lag_of(CELLS[:2], "mql", [0.6, 0.4]), put("transitions", 1, "lag", {"weights": [0.6, 0.4]})),  # rounded, delay
    ),
]  # fmt: skip
LIMITED: dict[str, Any] = {
    **STEADY,
    "capacity": {
        "roles": {
            "ae": {"productivity": {"smb": 3e5, "mid": 6e5}, "ramp": {"linear_months": 4.5, "tenure": "middle"}, "attrition": 0.2, "backfill_delay_days": 75, "start_probability": 0.8, "open_requisition_days": 30},
            "hunter": {"productivity": 2e5, "ramp": {"quarters": [0.2, 0.6]}},
            "sdr": {},
        },
        "roster": [
            {"rep": EVIL[0], "role": "ae", "segment": "smb", "start": date(2024, 3, 11), "count": 2},
            {"rep": "b", "role": "ae", "segment": "mid", "start": date(2026, 10, 5), "away": [{"from": date(2027, 2, 10), "to": date(2027, 4, 20)}]},
            {"rep": "c", "role": "ae", "segment": "mid", "start": date(2025, 1, 1), "leave": date(2027, 5, 17)},
            {"rep": "d", "role": "hunter", "start": date(2026, 12, 7)},
            {"rep": "e", "role": "ae", "segment": "smb", "start": date(2024, 3, 11), "seat": "overlay"},
            {"rep": "f", "role": "sdr", "start": date(2024, 3, 11)},
        ],
        "hires": [{"role": "ae", "segment": "mid", "start": "2027-03", "count": 2}, {"role": "hunter", "start": date(2027, 6, 15)}],
        "judgment": {"owner": "VP Sales", "quarters": [-2e4, 0, 1e4, 3e4]},
        "excess": {"kept": [0.9, 0.5]},
        "selling_days": [20, 20, 22, 21, 20, 22, 21, 22, 21, 21, 20, 19],
    },
}  # fmt: skip
BY_QUOTA: dict[str, Any] = {
    **BY_SEGMENT,
    "capacity": {
        "roles": {"ae": {"quota": 9e5, "ramp": [0, 0.25, 0.5, 1], "attrition": 0.3}},
        "basis": "quota",
        "attainment": {"rate": 0.8, "ramping": 0.5},
        "roster": [
            {"rep": "a", "role": "ae", "start": date(2026, 12, 7), "quota": 7e5},
            {"rep": "b", "role": "ae", "segment": "mid", "start": date(2026, 2, 7)},
        ],
        "hires": [{"role": "ae", "start": "2027-05"}],
        "excess": {"kept": 0.7},
    },
}
PEOPLE_CHANGES: list[Change] = [
    together("productivity of a segment, attrition, hires", LIMITED,
        ([(["capacity", "roles", "ae", "productivity", "mid"], 4e5)], put("capacity", "roles", "ae", "productivity", "mid", 4e5)),  # productivity
        ([(["capacity", "roles", "ae", "attrition"], 0.5)], put("capacity", "roles", "ae", "attrition", 0.5)),  # attrition
        ([(["capacity", "hires", 0, "count"], 5.0)], put("capacity", "hires", 0, "count", 5)),  # hires
    ),
    together("productivity of all, a hire more", LIMITED,
        ([(["capacity", "roles", "hunter", "productivity"], 1e5)], put("capacity", "roles", "hunter", "productivity", 1e5)),  # productivity of all
        ([(["capacity", "hires", 1, "count"], 2.0)], put("capacity", "hires", 1, "count", 2)),  # a hire more
    ),
]  # fmt: skip
ONLY_SHEET: dict[str, list[tuple[list[Any], float | str]]] = {
    "entries": [(["commit", "smb", "inbound", 2], 500.0)],
    "open pipeline": [(["records", "open_arr", "smb", "inbound", 4], 1e5)],
    "fault": [(["segments", "smb", "share"], 0.5)],
    "text": [(["goal", "closing_arr"], "13,000,000")],
    "ceiling too low": [(["sources", "inbound", "max_per_month"], 1.0)],
}


def book_of(data: dict[str, Any], known: Callable[[Plan], Snapshot] = records) -> Workbook:
    """The plan computed."""
    plan = Plan.model_validate(copy.deepcopy(data))
    return Workbook(year=plan_year(plan, known(plan)))


def changed_book(base: Workbook, plan: Plan) -> Workbook:
    """Another plan with the commit and the records of `base`."""
    year = year_without_commit(plan, Snapshot())
    entries = {
        (cell.segment, cell.source): flows[0] for cell, flows in zip(base.year.cells, base.year.flows, strict=True)
    }
    flows = tuple(forward(cell, entries[cell.segment, cell.source], year.start) for cell in year.cells)
    coming = {name: getattr(base.year, name) for name in ("open_arr", "open_wins", "won_arr", "won_wins")}
    return Workbook(year=replace(year, flows=flows, **coming))


def yaml_of(data: dict[str, Any]) -> str:
    """A plan file of the data, one key a line."""
    return "".join(f"{key}: {value if isinstance(value, date) else flow(value)}\n" for key, value in data.items())


def typed(raw: bytes, values: list[tuple[list[Any], Any]]) -> bytes:
    """A copy of the workbook with other values in its inputs, typed as Excel saves them."""
    cells = cells_of(raw)
    place = {text: at[1][1:] for at, text in cells.items() if at[0] == SOLVED and at[1].startswith("B")}
    sheets = re.findall(r'<sheet name="([^"]*)"', part(raw, "xl/workbook.xml"))
    texts: dict[str, str] = {}
    for key, value in values:
        row = place.get(json.dumps(key))
        assert row or not value, f"no input {key}"
        if row:
            name = f"xl/worksheets/sheet{sheets.index(cells[SOLVED, f'D{row}']) + 1}.xml"
            texts.setdefault(name, part(raw, name))
            at = cells[SOLVED, f"E{row}"]
            typed_in = rf'<c r="{at}"\1>{_typed(value)}</c>'
            texts[name], count = re.subn(rf'<c r="{at}"( s="\d+")(?:/>|>.*?</c>)', typed_in, texts[name])
            assert count == 1
    return with_parts(raw, {name: text.encode("utf-8") for name, text in texts.items()})


def _typed(value: Any) -> str:
    return "" if value is None else f"<v>{value!r}</v>" if not isinstance(value, str) else f'<f>"{value}"</f><v></v>'


class Batch:
    """Everything that is recalculated, written once and converted once."""

    def __init__(self, folder: Path, program: str) -> None:
        self.written: dict[str, bytes] = {}
        self.books: dict[str, Workbook] = {}
        self.plans: dict[str, Path] = {}
        files = []
        for seed in range(RANDOM_PLANS):
            self._add(f"random{seed}", book_of(random_plan(seed)), {})
            files.append(folder / f"random{seed}.xlsx")
            files[-1].write_bytes(quick(with_wrong_values(self.written[f"random{seed}"])))
        for name, data in (
            ("steady", STEADY),
            ("by_segment", BY_SEGMENT),
            ("limited", LIMITED),
            ("by_quota", BY_QUOTA),
        ):
            self.plans[name] = folder / f"{name}.yaml"
            self.plans[name].write_text(yaml_of(data), encoding="utf-8")
            self._add(name, book_of(data), {"plan_fingerprint": fingerprint([self.plans[name]])})
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(grid, "MOST_COMPOSED", 1)
            self._add("delays shown", self.books["steady"], {})
        self._add("hostile", book_of(hostile()), {"plan": EVIL[0], "report": EVIL[1]})
        for name, book in [
            ("hostile", "hostile"),
            ("untouched", "steady"),
            *((each, each) for each in ("delays shown", "limited", "by_quota")),
        ]:
            files.append(folder / f"{name}.xlsx")
            wrong = with_wrong_values(self.written[book])
            files[-1].write_bytes(wrong if name == "untouched" else quick(wrong))  # one is as it is given away
        for name, data, values, _ in (*CHANGES, *PEOPLE_CHANGES):
            files.append(folder / f"{name}.xlsx")
            raw = self.written["limited" if data is LIMITED else "steady" if data is STEADY else "by_segment"]
            files[-1].write_bytes(typed(quick(with_wrong_values(raw)), values))
        for name, values in ONLY_SHEET.items():
            files.append(folder / f"{name}.xlsx")
            files[-1].write_bytes(typed(quick(with_wrong_values(self.written["steady"])), values))
        self.done = recalculated(program, files, folder)

    def _add(self, name: str, book: Workbook, provenance: dict[str, str]) -> None:
        self.books[name] = book
        self.written[name] = live_workbook(book, [], provenance)

    @cache  # noqa: B019 - the batch lives as long as the module
    def values(self, name: str) -> Cells:
        """Every value of the recalculated workbook, by sheet and address."""
        return cells_of(self.done[f"{name}.xlsx"].read_bytes())

    def named(self, name: str, wanted: str) -> Any:
        """The value of a named cell of a recalculated workbook."""
        names = re.search(
            rf'name="{wanted}"[^>]*>([^<]*)<', part(self.done[f"{name}.xlsx"].read_bytes(), "xl/workbook.xml")
        )
        assert names
        sheet, at = html.unescape(names[1]).replace("'", "").replace("$", "").split("!")
        return self.values(name)[sheet, at]


def hostile() -> dict[str, Any]:
    """A plan whose every name is hostile."""
    one, two, three, four, five, six = EVIL
    return {
        **STEADY,
        "name": one,
        "stages": [{"id": "lead", "label": two}, {"id": "s2", "label": six}, {"id": "won", "label": five}],
        "segments": {one: {"share": 0.5, "acv": 1e4}, three: {"share": 0.5, "acv": 2e4}},
        "sources": {two: {"share": 0.5, "owner": four}, four: {"share": 0.5}},
        "transitions": [{"from": "lead", "to": "s2", "rate": 0.5}, {"from": "s2", "to": "won", "rate": 0.5}],
    }


@pytest.fixture(scope="module")
def batch(office: str, tmp_path_factory: pytest.TempPathFactory) -> Batch:
    """Everything recalculated."""
    return Batch(tmp_path_factory.mktemp("live"), office)


# --- as written ----------------------------------------------------------------------------------------------


def formula_cells(raw: bytes) -> Cells:
    """Saved value of every formula, by sheet and address."""
    return read(raw)[1]


def differing(wanted: Cells, found: Cells, sheets: Collection[str] = ()) -> list[tuple[Any, ...]]:
    """The formulas of `sheets` (of all, if none is named) whose values differ: the first ten."""
    pairs = ((at, value, found.get(at)) for at, value in wanted.items() if not sheets or at[0] in sheets)
    return [(*at, value, other) for at, value, other in pairs if not close(value, other)][:10]


def close(left: Any, right: Any) -> bool:
    """The same to nine digits; words to the letter, and nothing as an empty text."""
    if isinstance(left, int | float) and isinstance(right, int | float):
        return abs(left - right) <= 1e-9 * max(abs(left), abs(right), 1.0)
    return (left or "") == (right or "")


FRESH = [
    *(f"random{seed}" for seed in range(RANDOM_PLANS)),
    "untouched",
    "hostile",
    "delays shown",
    "limited",
    "by_quota",
]


@pytest.mark.parametrize("name", FRESH)
def test_every_formula_computes_what_the_package_found(batch: Batch, name: str) -> None:
    cells = formula_cells(batch.written["steady" if name == "untouched" else name])
    assert len(cells) > 1000
    assert differing(cells, batch.values(name)) == []


@pytest.mark.parametrize("name", FRESH)
def test_a_fresh_workbook_passes_its_own_checks(batch: Batch, name: str) -> None:
    values = batch.values(name)
    assert {value for (sheet, at), value in values.items() if sheet == CHECK and verdict(at)} == {"OK"}
    assert batch.named(name, "commit_is") == "OK"


def verdict(at: str) -> bool:
    """Whether a cell of the sheet of checks is a verdict."""
    return at[0] == "E" and int(at[1:]) > 6


def test_no_cell_shows_an_error(batch: Batch) -> None:
    error = re.compile(r"#(NAME|REF|DIV|VALUE|NUM|N/A|NULL)|Err:")
    names = [path.stem for path in batch.done.values() if path.stem != "text"]
    shown = [
        (name, at, value)
        for name in names
        for at, value in batch.values(name).items()
        if isinstance(value, str) and error.match(value)
    ]
    assert shown == []


def test_results_are_those_of_the_command(batch: Batch) -> None:
    """By name, not by address: bridge, required entries, quarters, spend, CAC."""
    answer = plan_answer(batch.books["steady"])
    for term, value in answer["goal"].items():
        assert batch.named("untouched", term) == pytest.approx(value, rel=1e-9)
    for stage, value in answer["required"].items():
        assert batch.named("untouched", f"required_{stage}") == pytest.approx(value, rel=1e-9)
    assert batch.named("untouched", "programme_spend") == pytest.approx(sum(answer["budget"].values()), rel=1e-9)
    assert batch.named("untouched", "program_cac") == pytest.approx(answer["cac"], rel=1e-9)
    values = batch.values("untouched")
    for row, quarter in enumerate(batch.books["steady"].quarters.to_dict("records"), 5):
        keys = ("goal", "commit_arr", "open_pipeline", "won", "shortfall", "surplus")
        assert values[QUARTERS, f"A{row}"] == quarter["label"]
        found = [values[QUARTERS, f"{letter}{row}"] for letter in "BCDEFG"]
        assert found == pytest.approx([quarter[key] for key in keys], rel=1e-9, abs=1e-6)


# --- after changes -------------------------------------------------------------------------------------------


RESULTS = (BRIDGE, TARGETS, REQUIRED, REQUIRED_NEXT, FORWARD, ARR, QUARTERS, BUDGET)


@pytest.mark.parametrize("change", CHANGES, ids=[change[0] for change in CHANGES])
def test_a_changed_input_does_what_the_same_change_of_the_plan_does(
    batch: Batch, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, data, _, act = change
    base = batch.books["steady" if data is STEADY else "by_segment"]
    written = Grid(base.year)
    for width in ("reach", "lag_months"):  # as wide as the workbook that was changed
        monkeypatch.setattr(Grid, width, getattr(written, width))
    expected = formula_cells(live_workbook(changed_book(base, changed_plan(data, act)), [], {}))
    assert differing(expected, batch.values(name), RESULTS) == []


@pytest.mark.parametrize("change", PEOPLE_CHANGES, ids=[change[0] for change in PEOPLE_CHANGES])
def test_a_change_of_people_moves_what_they_close_and_leaves_the_commit_alone(
    batch: Batch, change: Change, tmp_path: Path
) -> None:
    name, data, _, act = change
    base, plan = batch.books["limited"], changed_plan(data, act)
    expected = formula_cells(live_workbook(Workbook(year=replace(base.year, plan=plan)), [], {}))
    assert differing(expected, batch.values(name), (PEOPLE, CAPACITY)) == []
    assert differing(formula_cells(batch.written["limited"]), batch.values(name), (PEOPLE, CAPACITY)) != []
    assert batch.named(name, "commit_is") == "OK"
    plan_path = tmp_path / "limited.yaml"
    shutil.copy(batch.plans["limited"], plan_path)
    answer, _ = import_workbook(batch.done[f"{name}.xlsx"], plan_path, True)
    assert answer["written"]
    assert read_plan(plan_path).capacity == plan.capacity


def test_what_people_close_is_what_the_command_says(batch: Batch) -> None:
    for name in ("limited", "by_quota"):
        found = batch.books[name].people.staffing
        assert batch.named(name, "people_demand") == pytest.approx(found.demand.sum(), rel=1e-9)
        assert batch.named(name, "people_can_close") == pytest.approx(found.rooms.sum(), rel=1e-9)
        assert batch.named(name, "people_close") == pytest.approx(found.closed.sum(), rel=1e-9)
        share = found.closed.sum() / found.demand.sum()
        assert 0.1 < share < 0.999  # people bind, or the sheet would show demand alone


def test_a_plan_without_people_has_no_sheet_of_them(batch: Batch) -> None:
    assert not {PEOPLE, CAPACITY} & {sheet for sheet, _ in batch.values("untouched")}


def changed_plan(data: dict[str, Any], act: Callable[[dict[str, Any]], None]) -> Plan:
    """The plan of changed data."""
    changed = copy.deepcopy(data)
    act(changed)
    return Plan.model_validate(changed)


@pytest.mark.parametrize("change", CHANGES, ids=[change[0] for change in CHANGES])
def test_each_changed_input_is_marked_and_makes_the_commit_stale(batch: Batch, change: Change) -> None:
    """Each is marked, none besides, and one mark is enough: the sum of the marks is what the commit is judged by."""
    name, data, inputs, _ = change
    solved = {at: value for (sheet, at), value in batch.values(name).items() if sheet == SOLVED}
    before = batch.values("untouched") if data is STEADY else cells_of(batch.written["by_segment"])
    rows = {solved[f"B{row}"]: row for row in range(10, 3000) if f"B{row}" in solved}
    was = {place: before[SOLVED, f"G{row}"] for place, row in rows.items()}
    typed_in = {json.dumps(place): "empty" if value is None else value for place, value in inputs}
    wanted = {place for place, now in typed_in.items() if place in rows and not close(was[place], now)}
    assert len(wanted) > 1
    assert {place for place, row in rows.items() if solved[f"H{row}"] != 0} == wanted
    assert batch.named(name, "commit_is") == "STALE"
    assert batch.named(name, "all_checks").endswith("checks fail")


def test_one_changed_input_alone_makes_the_commit_stale(batch: Batch) -> None:
    for name in ("fault", "open pipeline"):
        marks = [
            value for (sheet, at), value in batch.values(name).items() if (sheet, at[0]) == (SOLVED, "H") and value == 1
        ]
        assert (marks, batch.named(name, "commit_is")) == ([1], "STALE")


@pytest.mark.parametrize("change", CHANGES, ids=[change[0] for change in CHANGES])
def test_the_same_change_is_read_back_into_the_plan(batch: Batch, change: Change, tmp_path: Path) -> None:
    name, data, _, act = change
    source = batch.plans["steady" if data is STEADY else "by_segment"]
    plan_path = tmp_path / source.name
    shutil.copy(source, plan_path)
    answer, _ = import_workbook(batch.done[f"{name}.xlsx"], plan_path, True)
    assert answer["written"]
    read, wanted = read_plan(plan_path), changed_plan(data, act)
    assert _computed(read) == pytest.approx(_computed(wanted), rel=1e-9)
    assert [read.sources[key].cost_per_entry for key in read.sources] == [
        wanted.sources[key].cost_per_entry for key in wanted.sources
    ]
    assert [read.sources[key].max_per_month for key in read.sources] == [
        wanted.sources[key].max_per_month for key in wanted.sources
    ]


def _computed(plan: Plan) -> np.ndarray:
    year: PlannedYear = year_without_commit(plan, Snapshot())
    flows = [part.ravel() for each in year.required for part in (each.this_year, each.next_year)]
    return np.concatenate([year.targets.ravel(), year.acv, *flows])


def test_entries_and_records_are_left_alone(batch: Batch, tmp_path: Path) -> None:
    for name, owner in (("entries", "commit"), ("open pipeline", "records")):
        answer, shown = import_workbook(batch.done[f"{name}.xlsx"], batch.plans["steady"], True)
        assert (answer["changes"], answer["left_alone"][owner], answer["written"]) == ([], 1, False)
        assert "Left alone" in "".join(terminal(each) for each in shown)


def test_changed_entries_flow_on_and_are_not_stale(batch: Batch) -> None:
    base = batch.books["steady"]
    first = base.year.flows[0][0].copy()
    first[2 - base.year.first] = 500.0
    flows = (forward(base.year.cells[0], first, base.year.start), *base.year.flows[1:])
    expected = formula_cells(live_workbook(Workbook(year=replace(base.year, flows=flows)), [], {}))
    assert differing(expected, batch.values("entries"), RESULTS) == []
    assert batch.named("entries", "commit_is") == "OK"


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fault", "Segments' shares sum to 1"),
        ("text", "Every input is a number"),
        ("ceiling too low", "No source is committed above"),
    ],
)
def test_a_fault_shows_on_the_sheet_of_checks(batch: Batch, name: str, says: str) -> None:
    values = batch.values(name)
    bad = [
        str(values[CHECK, f"A{at[1:]}"])
        for (sheet, at), value in values.items()
        if sheet == CHECK and verdict(at) and value != "OK"
    ]
    assert any(what.startswith(says) for what in bad)


def test_delays_that_are_no_inputs_are_said_to_be_none(batch: Batch) -> None:
    values = batch.values("delays shown")
    assert any("The delays are no inputs here" in str(value) for at, value in values.items() if at[0] == RATES)
    assert not any('"lag"' in str(value) for at, value in values.items() if at[0] == SOLVED)
