"""What a plan expects of its open records at every stage, and the rest of its year: against single records."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from revplan.funnel.funnel import HORIZON, Cell
from revplan.funnel.pipeline import OpenGroup, open_yield
from revplan.funnel.year import Snapshot, plan_year
from revplan.ground.lag import Lag
from revplan.plan.model import Plan
from revplan.tracking.attainment import narrowed, open_entries, planned_flow, planned_rates, rest_of_year

JANUARY = pd.Period("2026-01", freq="M")
LAGS = ((30.0, 80.0), (20.0, 45.0), (40.0, 90.0))
RATES = (0.5, 0.6, 0.3)
CELL = Cell(
    segment="all",
    source="all",
    stages=("lead", "sql", "sqo", "won"),
    rates=RATES,
    lags=tuple(Lag(median_days=median, p90_days=p90) for median, p90 in LAGS),
    acv=1000.0,
    share=1.0,
)
AGES = np.array([5.0, 40.0])
GROUP = OpenGroup(stage=0, ages=AGES, items=np.array([100.0, 60.0]), values=np.array([1e5, 6e4]), lost=np.zeros(1))


def simulated(rng: np.random.Generator, age: float, wanted: int) -> np.ndarray:
    """Mean entries into each stage by month of one lead that is still open at `age` days."""
    count = wanted * 3
    logs = [(np.log(median), np.log(p90 / median) / 1.2815515655446004) for median, p90 in LAGS]
    at, alive = np.full(count, -age), np.ones(count, dtype=bool)
    is_open, counts = np.ones(count, dtype=bool), np.zeros((4, HORIZON))
    starts = np.array(
        [
            (each.start_time - JANUARY.start_time).days
            for each in pd.period_range(JANUARY, periods=HORIZON + 1, freq="M")
        ]
    )
    for stage, (rate, (mean, sd)) in enumerate(zip(RATES, logs, strict=True), start=1):
        alive &= rng.random(count) < rate
        at = at + np.exp(mean + sd * rng.standard_normal(count))
        if stage == 1:
            is_open = ~(alive & (at < 0))  # who had gone on by now is not among the open records
        counts[stage] = np.histogram(at[alive & is_open], starts)[0]
    return counts / is_open.sum()


def test_open_records_enter_every_stage_as_single_records_do() -> None:
    rng = np.random.default_rng(3)
    expected = sum(items * simulated(rng, age, 200_000) for age, items in zip(AGES, GROUP.items, strict=True))
    found = open_entries(CELL, GROUP, date(2026, 1, 1), JANUARY)
    assert found[0].sum() == 0
    assert found.sum(axis=1)[1:] == pytest.approx(expected.sum(axis=1)[1:], rel=0.02)
    assert found[1:, :6] == pytest.approx(expected[1:, :6], abs=0.35)


def test_the_last_stage_are_the_wins() -> None:
    wins = open_yield(CELL, GROUP, date(2026, 1, 1), JANUARY).wins
    assert open_entries(CELL, GROUP, date(2026, 1, 1), JANUARY)[-1] == pytest.approx(wins)


PLAN = Plan.model_validate(
    {
        "year": {"first_month": "2026-01"},
        "plan_date": "2025-11-15",
        "goal": {"new_arr": 1_200_000},
        "segments": {"a": {"share": 0.4, "acv": 10_000}, "b": {"share": 0.6, "acv": 30_000}},
        "sources": {"web": {"share": 0.7}, "calls": {"share": 0.3, "enters": "sqo"}},
        "stages": [{"id": "lead"}, {"id": "sql"}, {"id": "sqo"}, {"id": "won"}],
        "commit": {"stage": "sql"},
        "transitions": [
            {"from": "lead", "to": "sql", "rate": 0.5, "lag": {"median_days": 10, "p90_days": 30}},
            {"from": "sql", "to": "sqo", "rate": 0.4, "lag": {"months": 1}},
            {"from": "sqo", "to": "won", "rate": 0.25, "lag": {"median_days": 30, "p90_days": 70}},
        ],
    }
)


def test_a_source_that_comes_in_later_commits_where_it_comes_in() -> None:
    rates = planned_rates(plan_year(PLAN, Snapshot()), "sql").set_index(["segment", "source"])
    assert rates["stage"].to_dict() == {
        ("a", "web"): "sql",
        ("b", "web"): "sql",
        ("a", "calls"): "sqo",
        ("b", "calls"): "sqo",
    }
    assert rates["win_rate"]["a", "web"] == pytest.approx(0.1)
    assert rates["win_rate"]["a", "calls"] == 0.25


def test_the_rest_of_a_year_on_its_plan_date_is_the_year() -> None:
    year = plan_year(PLAN, Snapshot())
    again = rest_of_year(year, PLAN, Snapshot())
    for then, now in zip(year.flows, again.flows, strict=True):
        assert now == pytest.approx(then)


def test_the_rest_of_a_year_keeps_the_entries_still_committed() -> None:
    year = plan_year(PLAN, Snapshot())
    now = rest_of_year(year, PLAN.model_copy(update={"plan_date": date(2026, 4, 16)}), Snapshot())
    for then, left in zip(year.flows, now.flows, strict=True):
        assert left[0, 0] == pytest.approx(then[0, 5] / 2)  # 15 of April's 30 days are left
        assert left[0, 1:] == pytest.approx(then[0, 6:])
    june = now.commit_arr[:, 5].sum()
    assert 0 < june < year.commit_arr[:, 5].sum()


def test_a_part_of_the_plan_is_its_own_cells() -> None:
    year = plan_year(PLAN, Snapshot())
    whole, parts = planned_flow(year), [planned_flow(narrowed(year, name)) for name in ("a", "b")]
    assert sum(part["entries"].sum() for part in parts) == pytest.approx(whole["entries"].sum())
    assert set(parts[0]["segment"]) == {"a"}
    assert whole.loc[whole["month"] >= JANUARY, "arr"].sum() == pytest.approx(year.commit_arr[:, :12].sum())
