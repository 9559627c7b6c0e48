"""Scenarios of the baseline carried over to the rest of its year."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_company import small_book

from revplan.funnel.pipeline import open_yield
from revplan.funnel.year import PlannedYear
from revplan.ground.values import FrozenDict
from revplan.plan.model import Plan
from revplan.plan.parts import Scenario
from revplan.plan.scenario import scenario_plans
from revplan.simulation.scenarios import compare
from revplan.simulation.simulate import simulate
from revplan.tracking.book import BoardBook
from revplan.tracking.what_if import in_todays_world, what_if

EXAMPLE = Path(__file__).parents[2] / "data" / "example"
FY26 = EXAMPLE / "plan_fy26.yaml"
SCENARIOS = """scenarios:
  sure: {changes: [{from: sql, to: won, rate: 1.0}]}
  more asked: {goal: {new_arr: 40_000}}
  wilder: {uncertainty: {volume_cv: 0.8}}
  larger deals: {acv: {a: 1_500}}
"""

LONGER = {"median_days": 200, "p90_days": 330}
WAITS = {"changes": [{"from": "sqo", "to": "won", "segment": "enterprise", "lag": LONGER}]}


@pytest.fixture(scope="module")
def book(q3: BoardBook) -> BoardBook:
    return q3


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
    assert book.now is not None
    today = book.now.plan
    varied = scenario_plans(with_scenarios(book.year, x=Scenario.model_validate(WAITS)).plan)["x"]
    moved = in_todays_world(today, book.plan, varied)
    step = ("sqo", "won")
    waits = moved.transition(step, "enterprise", "inbound"), varied.transition(step, "enterprise", "inbound")
    assert waits[0].lag == waits[1].lag  # type: ignore[union-attr]
    assert waits[0].rate == pytest.approx(today.transition(step, "enterprise", "inbound").rate)  # type: ignore[union-attr]
    assert moved.transition(step, "smb", "inbound").lag == today.transition(step, "smb", "inbound").lag  # type: ignore[union-attr]


def test_no_rate_exceeds_one_and_goal_deals_and_uncertainty_are_the_scenarios(tmp_path: Path) -> None:
    # Won by the records is one of two: five times that share, as 1.0 is of the promised 0.2, would be 2.5.
    book = small_book(tmp_path, more=SCENARIOS)
    _, sure, _, _ = worlds(book, "sure")
    assert sure.transition(("sql", "won"), "a", "web").rate == 1.0  # type: ignore[union-attr]
    found = book.what_if.set_index("scenario")
    assert found.loc["more asked", "landing"] == pytest.approx(found.loc["base", "landing"])
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
    assert found.iloc[1].to_dict() == pytest.approx(found.iloc[0].to_dict())
    assert found["difference"].tolist() == pytest.approx([0, 0], abs=1e-6)


def says_what_compare_says(year: PlannedYear) -> None:
    """Mean difference, band and chance of every scenario, to nine digits."""
    simulation = simulate(year, 1024)
    compared = compare(simulation)
    base = compared[0].outcome.mean.value
    found = what_if(simulation, year.plan)
    assert found["scenario"].tolist() == [each.name for each in compared]
    outcomes = [each.outcome for each in compared]
    told = {
        "landing": [each.mean.value for each in outcomes],
        "difference": [each.mean.value - base for each in outcomes],
        "landing_low": [each.p10.value for each in outcomes],
        "landing_high": [each.p90.value for each in outcomes],
        "chance_of_goal": [each.chance_of_goal.value for each in outcomes],
    }
    for column, values in told.items():
        assert found[column].tolist() == pytest.approx(values, rel=1e-9, abs=1e-9 * abs(base)), column


def test_before_the_year_it_says_what_the_simulator_says(year_to_come: BoardBook) -> None:
    assert len(year_to_come.plan.scenarios) == 4
    says_what_compare_says(year_to_come.year)


@settings(max_examples=6, deadline=None)
@given(
    rate=st.floats(0.05, 0.6),
    days=st.integers(10, 300),
    deal=st.floats(10_000, 90_000),
    volume=st.floats(0.2, 2.0),
    segment=st.sampled_from([None, "smb", "enterprise"]),
)
def test_whatever_the_scenario_it_says_what_the_simulator_says(
    year_to_come: BoardBook, rate: float, days: int, deal: float, volume: float, segment: str | None
) -> None:
    lag = {"median_days": days, "p90_days": 2 * days}
    change = {"from": "sqo", "to": "won", "rate": rate, "lag": lag} | ({"segment": segment} if segment else {})
    scenario = Scenario.model_validate({"changes": [change], "acv": {"mid": deal}, "volume": {"inbound": volume}})
    says_what_compare_says(with_scenarios(year_to_come.year, x=scenario))


def with_scenarios(year: PlannedYear, **scenarios: Scenario) -> PlannedYear:
    """The year with other scenarios in its plan."""
    return replace(year, plan=year.plan.model_copy(update={"scenarios": FrozenDict(scenarios)}))


def told(book: BoardBook, scenario: dict[str, Any]) -> pd.Series:
    """The row of one scenario of a running year, whose lags do not stray."""
    assert book.now is not None
    promised = with_scenarios(book.year, x=Scenario.model_validate(scenario)).plan
    sure = {"uncertainty": book.now.plan.uncertainty.model_copy(update={"lag_cv": 0.0})}
    now = replace(book.now, plan=book.now.plan.model_copy(update=sure))
    found = what_if(simulate(now, 1024), promised.model_copy(update=sure))
    return found.set_index("scenario").loc["x"]


def test_a_scenario_that_changes_nothing_changes_nothing(book: BoardBook) -> None:
    stated = {(each.from_stage, each.to_stage, each.segment, each.source): each.rate for each in book.plan.transitions}
    steps = [
        {"from": "sqo", "to": "won", "segment": "smb", "rate": stated["sqo", "won", "smb", None]},
        {"from": "sal", "to": "sqo", "rate": stated["sal", "sqo", None, None]},
    ]
    row = told(book, {"changes": steps, "acv": {"mid": {"mean": 29_500, "sd": 13_500}}, "volume": {"inbound": 1.0}})
    assert row["difference"] == pytest.approx(0.0, abs=1e-9 * row["landing"])


def test_larger_deals_are_those_of_new_entries_and_of_open_records_without_an_amount(book: BoardBook) -> None:
    # By hand: each coming win without an amount on record is worth 3,500 more; those with one keep it.
    now = book.now
    assert now is not None
    wins = 0.0
    for row, cell in enumerate(now.cells):
        if cell.segment == "mid":
            wins += float(now.commit_wins[row, :12].sum())
            for group, _ in now.open_yields[row]:
                alone = replace(group, items=np.asarray(group.unpriced), values=np.zeros(len(group.ages)))
                wins += float(open_yield(cell, alone, now.plan.plan_date, now.plan.first_month).wins[:12].sum())
    row = told(book, {"acv": {"mid": {"mean": 33_000, "sd": 13_500}}})
    assert row["difference"] == pytest.approx(3_500 * wins, rel=0.01)
    assert 1.3 * 3_500 * float(now.commit_wins[4:8, :12].sum()) < row["difference"]  # new entries alone bring less


def test_amounts_on_record_are_kept(book: BoardBook) -> None:
    assert book.now is not None
    groups = [(cell, group) for cell, row in zip(book.now.cells, book.now.open_yields, strict=True) for group, _ in row]
    priced = [(cell, group) for cell, group in groups if group.stage == cell.won - 1]
    assert all((group.worth(1.0) == group.worth(9.0)).all() for _, group in priced)  # every SQO has one
    leads = [group for cell, group in groups if cell.stages[group.stage] == "lead"]
    none = np.concatenate([group.worth(2.0) - 2 * np.asarray(group.items) for group in leads if not group.values.any()])
    assert not none.any()


@pytest.mark.parametrize("share", [0.9, 0.6])
@pytest.mark.parametrize(("start", "end"), [("lead", "mql"), ("sal", "sqo"), ("sqo", "won")])
def test_lower_rates_lower_the_landing(book: BoardBook, start: str, end: str, share: float) -> None:
    stated = [each for each in book.plan.transitions if (each.from_stage, each.to_stage) == (start, end)]
    changes = [
        {"from": start, "to": end, "rate": each.rate * share}
        | {key: value for key, value in (("segment", each.segment), ("source", each.source)) if value}
        for each in stated
    ]
    row = told(book, {"changes": changes})
    assert row["difference"] < 0
    assert row["landing_high"] < told(book, {"volume": 1.0})["landing_high"]


def test_longer_delays_lower_the_landing(tmp_path: Path) -> None:
    later = {"changes": [{"from": "sql", "to": "won", "lag": {"months": 7}}]}
    longest = {"changes": [{"from": "sql", "to": "won", "lag": {"months": 11}}]}
    book = small_book(tmp_path)
    falls = [told(book, each)["difference"] for each in (later, longest)]
    assert falls[1] < falls[0] < 0


def test_a_longer_delay_is_that_of_new_entries(book: BoardBook) -> None:
    # Open records keep theirs: a longer one would make old ones look alive again, and raise the landing.
    assert book.now is not None
    difference = told(book, WAITS)["difference"]
    new = float(book.now.commit_arr[8:12, :12].sum())
    assert -new < difference < -0.5 * new  # of what enters from October on next to nothing is won by December


def test_cells_that_share_a_rate_go_on_sharing_it(book: BoardBook) -> None:
    today, moved, _, _ = worlds(book, "win rate down a fifth")
    assert [places(plan) for plan in (today, moved)] == [places(today)] * 2
    general = [each for each in today.transitions if each.segment is None and each.source is None]
    coarse = today.model_copy(update={"transitions": tuple(general)})
    scenario = Scenario.model_validate({"changes": [{"from": "sqo", "to": "won", "segment": "mid", "rate": 0.2}]})
    varied = scenario_plans(with_scenarios(book.year, x=scenario).plan)["x"]
    added = places(in_todays_world(coarse, book.plan, varied))[len(general) :]
    assert added == [("sqo", "won", "mid", None)]


def places(plan: Plan) -> list[tuple[str | None, ...]]:
    """Where the transitions of a plan hold."""
    return [(each.from_stage, each.to_stage, each.segment, each.source) for each in plan.transitions]


def test_without_scenarios_there_is_nothing_to_compare(tmp_path: Path) -> None:
    assert small_book(tmp_path).what_if.empty
