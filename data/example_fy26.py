"""The plan of the year that is running: what the company's planners wrote a year before its plan of `example_text.py`.

They knew the files up to their own plan date, and took the rates that revplan estimates from them.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from string import Template

import pandas as pd
from example_text import COMPANY, OWN_SOURCES, TEMPLATES, Tables, arr_on, bridge_rates, costs, segment_line
from example_world import SEGMENTS, World, day_of

from revplan.crm.mapping import EVERY
from revplan.crm.records import read_records
from revplan.rates.estimates import estimate_transitions
from revplan.rates.parts import OWN_LAG

NAME = "plan_fy26.yaml"
PLAN_DATE = pd.Timestamp("2025-11-15")
KNOWN_TO = date(2025, 11, 14)
CLOSING_ARR = 8_600_000
SEGMENT_SHARES = {"smb": 0.32, "mid": 0.40, "enterprise": 0.28}
COST_MONTHS = pd.period_range("2024-12", "2025-10", freq="M")
PACE = (pd.Timestamp("2025-04-01"), pd.Timestamp("2025-10-01"))  # the last two complete quarters
BOARD_DAY = "2025-10-29"


def text(world: World, tables: Tables, folder: Path) -> str:
    """The plan file; the records are read from the files in `folder`, as known on the evening before its plan date."""
    known, opening = opening_arr(world)
    history = read_records(folder / "crm.yaml", KNOWN_TO)
    values = {
        "company": COMPANY,
        "arr_known": f"{known:,}",
        "opening_arr": f"{opening:_}",
        "closing_arr": f"{CLOSING_ARR:_}",
        **bridge_rates(world, day_of(PLAN_DATE)),
        **costs(world, tables["spend"], COST_MONTHS),
        "segments": "\n".join(segment_line(world, name, SEGMENT_SHARES, PLAN_DATE, BOARD_DAY) for name in SEGMENTS),
        "transitions": "\n".join(transition_lines(estimate_transitions(history, KNOWN_TO))),
    }
    return Template((TEMPLATES / NAME).read_text(encoding="utf-8")).substitute(values)


def opening_arr(world: World) -> tuple[int, int]:
    """ARR known on the plan date, and projected to the year's start at the pace of the last two quarters. [money]"""
    known = arr_on(world.subscriptions, day_of(PLAN_DATE) - 1)
    begin, end = (arr_on(world.subscriptions, day_of(day) - 1) for day in PACE)
    ahead = (pd.Timestamp("2026-01-01") - PLAN_DATE).days
    return known, int(round(known + (end - begin) / (PACE[1] - PACE[0]).days * ahead, -4))


def transition_lines(estimates: pd.DataFrame) -> list[str]:
    """The estimates as lines of the plan: all records, each segment, and the source that a step has apart."""
    return [
        transition_line(row)
        for row in estimates.to_dict("records")
        if row["source"] == EVERY
        or (row["segment"] != EVERY and row["source"] == OWN_SOURCES.get((row["from_stage"], row["to_stage"])))
    ]


def transition_line(row: dict) -> str:
    """One estimate with its evidence and what it rests on."""
    scope = "".join(f", {key}: {row[key]}" for key in ("segment", "source") if row[key] != EVERY)
    borrowed = ", the delay near that of a wider group" if scope and row["conversions"] < OWN_LAG else ""
    return (
        f"  - {{from: {row['from_stage']}, to: {row['to_stage']}{scope}, rate: {row['rate']:.3f}, "
        f"evidence: {row['evidence']:.0f}, lag: {{median_days: {row['median_days']:.0f}, p90_days: {row['p90_days']:.0f}}},\n"
        f'     basis: "CRM records to {KNOWN_TO}, {row["conversions"]:.0f} conversions{borrowed}"}}'
    )
