"""Scenarios of the promise carried over to the rest of its year."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from small_company import small_book

from revplan.boardbook import BoardBook, open_boardbook
from revplan.plan.model import Plan
from revplan.plan.scenario import scenario_plans
from revplan.what_if import in_todays_world

FY26 = Path(__file__).parents[2] / "data" / "example" / "plan_fy26.yaml"
SCENARIOS = """scenarios:
  sure: {changes: [{from: sql, to: won, rate: 1.0}]}
  more asked: {goal: {new_arr: 40_000}}
  wilder: {uncertainty: {volume_cv: 0.8}}
  larger deals: {acv: {a: 1_500}}
"""


@pytest.fixture(scope="module")
def book() -> BoardBook:
    return open_boardbook(FY26, "2026-Q3")


def worlds(book: BoardBook, name: str) -> tuple[Plan, Plan, Plan, Plan]:
    """Today's plan, the same in a scenario, the promised one, and that in the scenario."""
    assert book.now is not None
    varied = scenario_plans(book.plan)[name]
    return book.now.plan, in_todays_world(book.now.plan, book.plan, varied), book.plan, varied


def test_rates_move_in_proportion_and_others_stay(book: BoardBook) -> None:
    today, moved, planned, varied = worlds(book, "win rate down a fifth")
    for cell in today.cells:
        for pair in pairwise(today.stage_ids):
            before, after = (plan.transition(pair, *cell) for plan in (today, moved))
            if before is None or after is None:
                continue
            share = varied.transition(pair, *cell).rate / planned.transition(pair, *cell).rate  # type: ignore[union-attr]
            assert after.rate == pytest.approx(before.rate * share)
            assert after.lag == before.lag
    step = ("sqo", "won"), "smb", "inbound"
    assert moved.transition(*step).rate < today.transition(*step).rate  # type: ignore[union-attr]


def test_a_delay_is_that_of_the_scenario(book: BoardBook) -> None:
    today, moved, _, varied = worlds(book, "enterprise waits")
    step = ("sqo", "won")
    waits = moved.transition(step, "enterprise", "inbound"), varied.transition(step, "enterprise", "inbound")
    assert waits[0].lag == waits[1].lag  # type: ignore[union-attr]
    assert waits[0].rate == today.transition(step, "enterprise", "inbound").rate  # type: ignore[union-attr]
    assert moved.transition(step, "smb", "inbound").lag == today.transition(step, "smb", "inbound").lag  # type: ignore[union-attr]


def test_no_rate_exceeds_one_and_goal_deals_and_uncertainty_are_the_scenarios(tmp_path: Path) -> None:
    # Won by the records is one of two: five times that share, as 1.0 is of the promised 0.2, would be 2.5.
    book = small_book(tmp_path, more=SCENARIOS)
    _, sure, _, _ = worlds(book, "sure")
    assert sure.transition(("sql", "won"), "a", "web").rate == 1.0  # type: ignore[union-attr]
    found = book.what_if.set_index("scenario")
    assert found.loc["more asked", "landing"] == found.loc["base", "landing"]
    assert found.loc["more asked", "chance_of_goal"] < found.loc["base", "chance_of_goal"]
    band = found["landing_high"] - found["landing_low"]
    assert band["wilder"] > 1.2 * band["base"]
    assert found.loc["wilder", "landing_low"] < found.loc["base", "landing_low"]
    assert found["difference"]["larger deals"] > 0.2 * found["landing"]["base"]  # nearly all is still to come
    assert found["difference"].to_dict() == pytest.approx((found["landing"] - found["landing"]["base"]).to_dict())
    assert (found["landing_low"] < found["landing"]).all()


def test_the_same_world_has_the_same_luck(tmp_path: Path) -> None:
    same = "scenarios: {same: {changes: [{from: sql, to: won, rate: 0.2}]}}\n"
    found = small_book(tmp_path, more=same).what_if.drop(columns="scenario")
    assert found.iloc[0].to_dict() == found.iloc[1].to_dict() | {"difference": 0.0}


def test_without_scenarios_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert small_book(tmp_path).what_if.empty
