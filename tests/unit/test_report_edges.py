"""Every exhibit of the annual commit on plans at the edge: none fails, none shows what was not computed."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest
from every_exhibit import ANNUAL_COMMIT

from revplan.exhibits import annual_commit, deliveries, side_by_side
from revplan.exhibits.evidence import assumption_log
from revplan.funnel.tables import missed_in_year
from revplan.funnel.year import Snapshot, plan_year
from revplan.plan.model import Plan
from revplan.workbook.notes import LANDS
from revplan.workbook.signing import simulation_notes
from revplan.workbook.workbook import Workbook

SMALL: dict[str, Any] = {
    "year": {"first_month": "2027-01"},
    "plan_date": "2026-11-15",
    "stages": "single",
    "segments": {"all": {"acv": 9000}},
    "sources": {"all": {}},
    "goal": {"new_arr": 1e6},
    "transitions": [{"from": "lead", "to": "won", "rate": 0.1, "lag": {"months": 3}}],
}
EDGES: dict[str, dict[str, Any]] = {
    "smallest": {},
    "nothing to win": {"goal": {"opening_arr": 1e6, "closing_arr": 1e6, "new_arr": 0}},
    "long names": {
        "name": "N" * 300,
        "segments": {"S" * 200: {"acv": 9000}},
        "sources": {"x" * 200: {"cost_per_entry": 5}},
    },
    "hostile names": {
        "name": "<script>alert(1)</script>",
        "segments": {"<img src=x onerror=alert(1)>": {"acv": 9000, "share": 0.5}, "$x^{$": {"acv": 1, "share": 0.5}},
        "sources": {"=cmd|' /C calc'!A0": {"share": 0.4}, "東京 عربى": {"share": 0.6, "cost_per_entry": 3}},
    },
    "many": {
        "currency": "JPY",
        "segments": {f"seg{i}": {"acv": 1000 * (i + 1), "share": 0.125} for i in range(8)},
        "sources": {f"src{i}": {"share": 0.125, "cost_per_entry": 5} for i in range(8)},
    },
    "in mid-year": {"plan_date": "2027-07-10"},
    "last day": {"plan_date": "2027-12-31"},
    "opening solved": {"goal": {"closing_arr": 5e6, "new_arr": 2e6, "churn": {"monthly_rate": 0.01}}},
    "a closed source": {"sources": {"all": {"max_per_month": 0}}},
    "thin evidence": {"transitions": [{**SMALL["transitions"][0], "evidence": 0.5}]},
    "ten stages": {
        "stages": [{"id": f"s{i}"} for i in range(10)],
        "transitions": [
            {"from": f"s{i}", "to": f"s{i + 1}", "rate": 0.5, "evidence": 30, "lag": {"weights": [0.5, 0.5]}}
            for i in range(9)
        ],
    },
}
EXHIBITS = [each for each in ANNUAL_COMMIT if each is not assumption_log]  # the plans here have no log


def _book(plan: dict[str, Any]) -> Workbook:
    return Workbook(year=plan_year(Plan.model_validate(SMALL | plan), Snapshot()))


@pytest.mark.parametrize("edge", EDGES)
def test_every_exhibit_stands_at_the_edges(edge: str) -> None:
    book = _book(EDGES[edge])
    for make in EXHIBITS:
        html = make(book)._repr_mimebundle_()["text/html"]
        words = re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", " ", html, flags=re.S))
        assert not re.search(r"\bnan\b|\bNone\b|\binf\b|∞|[0-9]\.[0-9]{7,}", words), (make.__name__, words)
        assert "<script" not in html
        assert "<img" not in html


# --- any unit of money ---------------------------------------------------------------------------------------

AMOUNT = re.compile(r"[−+]?\$[\d.,]*\d[kMB]?")
"""An amount as a sentence says it: what may differ where the same plan is written in another unit."""


def in_unit(unit: float, plan_date: str, closing: float) -> Workbook:
    """One plan, its money divided by `unit`: in dollars, in thousands, in millions."""
    return _book(
        {
            "plan_date": plan_date,
            "stages": "saastr",
            "goal": {
                "opening_arr": 8.2e6 / unit,
                "closing_arr": closing / unit,
                "churn": {"amount": 0.6e6 / unit},
                "expansion": {"rate": 0.1},
            },
            "segments": {
                "smb": {"share": 0.4, "acv": {"mean": 9e3 / unit, "sd": 4e3 / unit}},
                "mid": {"share": 0.6, "acv": 3e4 / unit},
            },
            "sources": {
                "web": {"share": 0.7, "max_per_month": 900, "cost_per_entry": 85 / unit},
                "outbound": {"share": 0.3, "enters": "sal", "max_growth": 0.1},
            },
            "transitions": [
                {"from": a, "to": b, "rate": rate, "evidence": 200, "lag": {"median_days": days, "p90_days": 3 * days}}
                for a, b, rate, days in (
                    ("lead", "mql", 0.3, 5), ("mql", "sql", 0.5, 5), ("sql", "sal", 0.8, 3),
                    ("sal", "sqo", 0.6, 10), ("sqo", "won", 0.25, 50),
                )
            ],
            "scenarios": {"larger deals": {"acv": {"mid": 3.2e4 / unit}}, "fewer": {"volume": {"web": 0.8}}},
        }
    )  # fmt: skip


@cache
def sentences(unit: float, plan_date: str, closing: float) -> tuple[str, ...]:
    """Every sentence of the annual commit, of the scenarios, of the terminal and of what is signed."""
    book = in_unit(unit, plan_date, closing)
    of_unit = {deliveries.commit_choice}  # the rule of deal sizes is written in whole dollars
    shown = [make(book) for make in EXHIBITS if make not in of_unit]
    shown += [make(book) for make in (side_by_side.ranges, side_by_side.in_money, side_by_side.in_units)]
    said = [line for each in shown for line in (each.message, *each.notes)]
    said += [
        str(value) for each in shown if each.kind == "text" and each.table is not None for value in each.table["value"]
    ]
    return (*said, book.headline, *book.notes, *simulation_notes(book.simulation))


@pytest.mark.parametrize("unit", [1e6, 1e3, 1e-3])
@pytest.mark.parametrize(
    ("plan_date", "closing"),
    [("2026-11-15", 11e6), ("2027-05-10", 11e6), ("2026-11-15", 40e6), ("2027-03-31", 8.5e6)],
)
def test_a_plan_says_the_same_in_every_unit_of_money(unit: float, plan_date: str, closing: float) -> None:
    pair = [sentences(each, plan_date, closing) for each in (1.0, unit)]
    masked = [[AMOUNT.sub("$", line) for line in lines] for lines in pair]
    assert masked[1] == masked[0]
    assert sum(line.count("$") for line in masked[0]) > 20
    nothing = [[line for line in lines if re.search(r"\$0(?![\d.])", line)] for lines in pair]
    assert len(nothing[1]) <= len(nothing[0])  # no amount is rounded away


def test_a_year_missed_by_less_than_half_a_unit_is_told() -> None:
    few = {"all": {"max_per_month": 150}}
    goal = {"goal": {"new_arr": 1.2}, "segments": {"all": {"acv": 0.009}}}
    book = _book({**goal, "sources": few, "plan_date": "2027-04-01"})
    assert 0 < missed_in_year(book.quarters) < 0.5
    said = annual_commit.quarters(book).message
    assert (
        said
        == "Jan-Mar 2027 (Q1 FY27) is $0.3 short of its goal, not made good within the year; the year misses by $0.39."
    )
    assert "ends the year $0.39 short of its goal; Jan-Mar 2027 (Q1 FY27) is $0.3 short" in book.answers[LANDS]


def test_deals_of_no_known_unit_leave_the_rule_of_deal_sizes_out() -> None:
    in_millions, in_dollars = (deliveries.commit_choice(in_unit(unit, "2026-11-15", 11e6)) for unit in (1e6, 1.0))
    reasons = [list(each.table["reason"]) for each in (in_millions, in_dollars)]
    assert "a mean deal of $0.0155 reads as if in thousands or millions" in reasons[0][-2]
    assert "a mean deal of $15,517 is too small for it" in reasons[1][-2]
    assert in_millions.table["suggested"].tolist() == in_dollars.table["suggested"].tolist()
