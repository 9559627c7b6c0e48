"""Sentences of the annual commit, each held against its table in worlds in which an earlier wording was false."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some

from revplan.exhibits import annual_commit, charts, deliveries
from revplan.funnel.year import PlannedYear, Snapshot, plan_year
from revplan.plan.model import Plan
from revplan.workbook.workbook import Workbook


def planned(source: dict[str, Any] | None = None, months: int = 0, plan_date: str = "2027-01-01") -> Workbook:
    """120 deals of 10,000 a year, one in four leads is won after so many months."""
    data = {
        "year": {"first_month": "2027-01"},
        "plan_date": plan_date,
        "goal": {"new_arr": 1_200_000.0, "next_year_growth": 0.0},
        "stages": "single",
        "segments": {"all": {"acv": 10_000}},
        "sources": {"web": source or {}},
        "transitions": [{"from": "lead", "to": "won", "rate": 0.25, "lag": {"months": months}}],
    }
    return Workbook(year=_year(data), records=None, actual=None)


def _year(data: dict[str, Any]) -> PlannedYear:
    return plan_year(Plan.model_validate(data), Snapshot())


def test_a_quarter_that_entries_can_still_serve_is_not_out_of_marketings_reach() -> None:
    closed = planned({"max_per_month": 0.0})
    said = [note for note in closed.notes if "misses by" in note]
    assert len(said) == 4
    assert not [note for note in said if "whatever marketing does" in note]
    assert all("the commit brings next to nothing in it" in note for note in said)
    late = [note for note in planned(months=4).notes if "misses by" in note]
    assert "whatever marketing does from the plan date on" in late[0]


def test_a_commit_of_nothing_is_not_said_to_be_covered_by_what_exists() -> None:
    book = planned({"max_per_month": 0.0})
    assert book.quarters["open_pipeline"].sum() == 0
    for show in (deliveries.commit_by_month, deliveries.commit_by_source):
        assert "covers the goal" not in show(book).message
    carried = annual_commit.carry_over(book).message
    assert "asks for no new ARR" not in carried  # it asks for 1.2 million
    assert "the commit asks for no entries within it" in carried


def test_months_that_are_alike_have_no_highest() -> None:
    book = planned()
    assert deliveries.commit_by_month(book).message.endswith("the expected commit is the same every month.")
    table = pd.DataFrame({"source": "web", "spend": [5.0, 5.0]})
    months = list(pd.period_range("2027-01", periods=2, freq="M"))
    assert charts._budget_message(table, months, np.array([5.0, 5.0]), "USD").endswith("every month costs the same.")
    assert charts._budget_message(table, months, np.array([4.0, 5.0]), "USD").endswith("Feb 2027 is the dearest month.")


def test_customers_that_neither_grow_nor_shrink_add_nothing() -> None:
    amounts = {"opening_arr": 1e6, "new_arr": 2e5, "closing_arr": 1.2e6}
    assert charts._bridge_message(amounts, "USD").endswith("existing customers neither add nor take away.")
    assert charts._bridge_message({**amounts, "churn": 5e4}, "USD").endswith("existing customers take away $50k.")


@given(some.lists(some.tuples(some.floats(1, 100), some.floats(0, 1)), min_size=4, max_size=4))
def test_no_quarter_depends_on_records_only_where_none_does(quarters: list[tuple[float, float]]) -> None:
    goals = [goal for goal, _ in quarters]
    past = [goal * share for goal, share in quarters]
    names = [f"2027-Q{number}" for number in range(1, 5)]
    table = pd.DataFrame(
        {"goal": goals, "before_plan_date": past, "open_pipeline": 0.0, "won": 0.0, "quarter": names, "label": names}
    )
    said = charts._dependence_message(table, "USD", "2027-01-01", recorded=True)
    assert said.startswith("No quarter") == all(each <= 0.005 * goal for each, goal in zip(past, goals, strict=True))


@pytest.mark.parametrize("plan_date", ["2026-10-10", "2027-01-01", "2027-05-20"])
@pytest.mark.parametrize("months", [0, 3])
def test_what_is_carried_over_adds_up_to_the_quarters(months: int, plan_date: str) -> None:
    book = planned(months=months, plan_date=plan_date)
    commit = book.ledger[(book.ledger["basis"] == "commit") & (book.ledger["serves"] == "this year")]["arr"].sum()
    assert commit == pytest.approx(book.quarters["commit_arr"].sum())
