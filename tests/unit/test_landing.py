"""What a landing rests on: steps as they run lately, how far they stray, tails, and expected close dates."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from revplan.crm.records import Export, read_export
from revplan.funnel.pipeline import OpenGroup
from revplan.funnel.year import PlannedYear, Snapshot, plan_year
from revplan.ground.clock import Clock
from revplan.ground.cohorts import Cohort, own_estimate
from revplan.ground.levels import MONTH_CV, USUAL_CV, StepLevel, level_of
from revplan.plan.model import Plan
from revplan.plan.parts import Scenario
from revplan.plan.scenario import varied
from revplan.rates.estimates import best_window
from revplan.rates.tails import with_tail
from revplan.simulation.scenarios import scenario_year
from revplan.simulation.simulate import simulate
from revplan.tracking.attainment import rest_of_year
from revplan.tracking.close_dates import CloseDates, close_date_notes, close_dates, with_dates
from revplan.tracking.landing import landing
from revplan.tracking.notes import levels_of
from revplan.tracking.periods import whole_year
from revplan.tracking.what_if import in_todays_world

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
from companies import CRM

PLAN = {
    "year": {"first_month": "2026-01"},
    "plan_date": date(2026, 1, 1),
    "goal": {"new_arr": 1_000_000},
    "stages": [{"id": stage, "label": stage.title()} for stage in ("lead", "sql", "won")],
    "commit": {"stage": "sql"},
    "transitions": [
        {"from": "lead", "to": "sql", "rate": 0.4, "evidence": 400, "lag": {"median_days": 12, "p90_days": 40}},
        {"from": "sql", "to": "won", "rate": 0.3, "evidence": 400, "lag": {"median_days": 45, "p90_days": 130}},
    ],
    "segments": {"all": {"share": 1.0, "acv": {"mean": 1000.0}}},
    "sources": {"web": {"share": 1.0, "enters": "lead"}},
}
FIRST, LAST = ("lead", "sql"), ("sql", "won")


def from_march(
    levels: dict[tuple[str, str], StepLevel], snapshot: Snapshot | None = None, **market: float
) -> PlannedYear:
    """What is left of a year from March on, its steps at some levels, in a market that the plan supposes."""
    plan = Plan.model_validate({**PLAN, "uncertainty": market})
    later = plan.model_copy(update={"plan_date": date(2026, 3, 1)})
    return rest_of_year(plan_year(plan, Snapshot()), later, snapshot or Snapshot(), levels)


def straying(level: float, sd: float, months: int = 24) -> StepLevel:
    return StepLevel(np.full(12, level), np.full(12, sd**2), 0.0, months)


def landed(year: PlannedYear) -> pd.Series:
    return landing(year, simulate(year, 2048), [whole_year(year.plan.first_month, date(2026, 2, 28))], np.nan).iloc[0]


# --- levels --------------------------------------------------------------------------------------


def months(rng: np.random.Generator, level: np.ndarray, expected: float) -> tuple[np.ndarray, np.ndarray]:
    """Conversions of some months, the last first, at levels given in the order of time, and those their ages lead to expect."""
    converted = rng.poisson(level * expected).astype(float)[::-1]
    return converted, np.full(len(level), converted.mean())


def test_a_step_that_stands_still_keeps_its_rate_and_hardly_strays() -> None:
    rng = np.random.default_rng(1)
    found = [level_of(*months(rng, np.ones(24), 40.0), 24) for _ in range(200)]
    assert np.mean([each.coming for each in found]) == pytest.approx(1.0, abs=0.01)
    assert np.quantile([abs(each.coming - 1) for each in found], 0.9) < 0.12
    assert np.median([np.sqrt(each.variance[2]) for each in found]) < 0.06


@pytest.mark.parametrize("yearly", [-0.5, 0.5])
def test_a_step_that_drifts_is_followed_and_said_to_stray(yearly: float) -> None:
    rng = np.random.default_rng(2)
    level = np.exp(yearly * np.arange(-24, 0) / 12)
    coming = np.exp(yearly * 3 / 12) / level.mean()
    found = [level_of(*months(rng, level, 60.0), 24) for _ in range(100)]
    told = np.array([each.coming for each in found])
    assert abs(told.mean() - coming) < 0.6 * abs(1 - coming)  # most of the way from the rate of all months
    sd = np.sqrt([each.variance[2] for each in found])
    assert np.mean(np.abs(told - coming) < 3 * sd) > 0.9


def test_months_that_are_off_on_their_own_widen_the_band_of_a_month_and_move_no_level() -> None:
    rng = np.random.default_rng(3)
    found = [level_of(*months(rng, np.exp(0.3 * rng.standard_normal(24) - 0.045), 100.0), 24) for _ in range(100)]
    assert np.mean([np.sqrt(each.month_variance) for each in found]) == pytest.approx(0.3, abs=0.1)
    assert np.mean([each.coming for each in found]) == pytest.approx(1.0, abs=0.03)


def test_fewer_than_six_months_stray_as_wins_usually_do_and_more_the_fewer_they_are() -> None:
    """Months that are off by just the usual, one up and one down, say nothing else; only their number counts."""

    def told(months: int) -> StepLevel:
        off = np.resize([1.0, -1.0], months) * np.sqrt(MONTH_CV**2 * (months - 1) / months + 1 / 1e6)
        return level_of(1e6 * (1 + off - off.mean()), np.full(months, 1e6), months)

    assert not told(2).is_learnt
    assert told(2).level == pytest.approx(1.0)
    of_a_month = [float(np.sqrt(each.variance[0] + each.month_variance)) for each in map(told, (1, 2, 4))]
    assert of_a_month == sorted(of_a_month, reverse=True)
    assert of_a_month[-1] > MONTH_CV
    alone = told(1)  # no month to compare it with: as far as is usual, and wider by the Student law of two months
    wider = 1.8856 / 1.2816
    alone_variance = (MONTH_CV**2 - USUAL_CV**2) * 1.5
    assert np.sqrt(alone.month_variance) == pytest.approx(wider * np.sqrt(alone_variance), rel=1e-3)
    assert np.sqrt(alone.variance[0]) == pytest.approx(wider * MONTH_CV, rel=1e-3)


@pytest.mark.parametrize(("own", "at_least", "at_most"), [(0.1, 0.8, 0.95), (0.18, 0.75, 0.88), (0.4, 0.6, 0.8)])
def test_few_months_tell_how_far_they_scatter(own: float, at_least: float, at_most: float) -> None:
    """A band held 60 % of what came where months scatter by 30 %, and 97 % where by 10 %, when few months told nothing of it."""
    rng, held = np.random.default_rng(11), []
    for _ in range(1000):
        came = rng.poisson(150 * np.exp(own * rng.standard_normal(6) - own**2 / 2)).astype(float)
        past, mean = came[:-1], came[:-1].mean()
        told = level_of(past, np.full(5, mean), 5)
        half = 1.2816 * np.sqrt(told.variance[0] + told.month_variance + 1 / mean + 1 / (5 * mean))
        held.append(abs(came[-1] / mean - 1) < half)
    assert at_least < np.mean(held) < at_most


@pytest.mark.parametrize("months", [1, 2, 4])
def test_a_band_of_few_months_holds_what_comes_though_the_rate_rests_on_months_that_were_off(months: int) -> None:
    """Companies stray as real ones do, each its own way; the rate is told from the few months that there are."""
    rng = np.random.default_rng(7)
    spread, few = level_of(np.zeros(0), np.ones(months), months), 4000
    own = np.exp(0.3 * rng.standard_normal(few))  # how far each company strays, over the usual
    alone = (MONTH_CV**2 - USUAL_CV**2) * 1.5
    level = 1 + own * np.sqrt(MONTH_CV**2 - alone) * rng.standard_normal(few)
    past = 1 + (own * np.sqrt(alone / months)) * rng.standard_normal(few)
    coming = level + own * np.sqrt(alone) * rng.standard_normal(few)
    half = 1.2816 * np.sqrt(spread.variance[0] + spread.month_variance)
    assert np.mean(np.abs(coming - past) < half) > 0.8


def test_the_level_is_that_of_the_months_the_rate_rests_on() -> None:
    converted = np.concatenate([np.full(6, 90.0), np.full(18, 60.0)])
    of_all, of_the_last = (level_of(converted, np.full(24, 67.5), over).coming for over in (24, 6))
    assert of_all > 1.2
    assert of_the_last == pytest.approx(1.0, abs=0.1)


def test_steps_as_they_run_lately_move_the_landing_and_how_far_they_stray_widens_its_band() -> None:
    plain, lately, unsure = (
        landed(from_march(levels)) for levels in ({}, {LAST: straying(1.2, 0.0)}, {LAST: straying(1.0, 0.3)})
    )
    assert lately["landing"] == pytest.approx(1.2 * plain["landing"], rel=1e-6)
    assert unsure["landing"] == pytest.approx(plain["landing"], rel=1e-9)
    wide = {name: row["landing_high"] - row["landing_low"] for name, row in (("plain", plain), ("unsure", unsure))}
    by_hand = np.hypot(wide["plain"], 2 * 1.2816 * 0.3 * plain["landing"])  # the sum of independent spreads
    assert wide["unsure"] == pytest.approx(by_hand, rel=0.1)


def width(year: PlannedYear) -> float:
    row = landed(year)
    return float(row["landing_high"] - row["landing_low"])


def test_the_market_that_a_plan_supposes_gives_way_where_every_step_says_how_it_strays() -> None:
    """What the market did is in the months that the steps' levels are learnt from: it is not counted twice."""
    every = {FIRST: straying(1.0, 0.05), LAST: straying(1.0, 0.1)}
    still, wild = {"rho": 0.0, "lag_cv": 0.0}, {"rho": 0.6, "lag_cv": 0.6}
    assert width(from_march(every, **wild)) == pytest.approx(width(from_march(every, **still)))
    by_clock = Snapshot(clock=Clock((1.0,) * 31, (1.0,) * 92, 0))
    for levels, snapshot, gives_way in (
        ({}, None, False),
        ({LAST: every[LAST]}, None, False),
        ({FIRST: every[FIRST]}, None, False),
        ({FIRST: every[FIRST]}, by_clock, True),
    ):
        wide, narrow = (width(from_march(levels, snapshot, **market)) for market in (wild, still))
        assert (wide == pytest.approx(narrow)) is gives_way
    entries = [width(from_march(every, volume_cv=each)) for each in (0.0, 0.5)]  # of which no level says anything
    assert entries[1] > 1.3 * entries[0]


def test_a_scenario_with_a_market_of_its_own_has_it_in_a_running_year() -> None:
    promised = Plan.model_validate(PLAN)
    year = from_march({FIRST: straying(1.0, 0.0), LAST: straying(1.0, 0.0)})
    for strays, wider in (({}, False), ({"lag_cv": 0.15}, False), ({"lag_cv": 0.6}, True)):
        scenario = Scenario.model_validate({"uncertainty": strays})
        plan = in_todays_world(year.plan, promised, varied(promised, "x", scenario))
        assert (width(scenario_year(year, plan, scenario)) > 1.05 * width(year)) is wider
        assert plan.uncertainty.lag_cv == (strays["lag_cv"] if wider else 0.0)


def test_no_rate_goes_above_what_halves_those_who_do_not_go_on() -> None:
    (_, last) = from_march({LAST: straying(9.0, 0.0)}).plan.transitions
    assert last.rate == pytest.approx(0.65)


def test_what_is_said_of_levels_holds_and_is_said_only_where_it_does() -> None:
    assert list(levels_of(from_march({}))) == []
    told, jump = (
        "The band holds how far conversions strayed from their rates in the last 24 months",
        "; a larger jump than they show is not in it.",
    )
    held, instead = f"{told}{jump}", f"{told}, in place of the market that the plan supposes{jump}"
    first = {FIRST: straying(0.99, 0.0)}
    assert list(levels_of(from_march({LAST: straying(1.01, 0.1), **first}))) == [instead]
    assert list(levels_of(from_march(first))) == [held, "How far Sql to Won strays is not in it."]
    moved, _ = levels_of(from_march({LAST: straying(1.26, 0.1), **first}))
    assert moved == "Sql to Won is expected to convert 1.26 times as often as its rate says, as it did lately."
    (short,) = levels_of(from_march({LAST: level_of(np.array([3.0]), np.array([3.0]), 1)}))
    assert short == (
        "Outcomes can be compared over 1 whole month only, 6 are needed (Sql to Won): the band takes conversions to vary as they "
        "usually do, by 18% in a month and 14% in a quarter, is widened because so few are known, and may still be too narrow."
    )
    slower = Snapshot(clock=Clock((1.0,) * 31, (1.0,) * 92, 0, 0.5, int(np.datetime64("2026-02-28").astype(np.int64))))
    even = Snapshot(clock=Clock((1.0,) * 31, (1.0,) * 92, 0))
    said, _ = levels_of(from_march({LAST: straying(1.01, 0.1), **first}, slower))
    assert said == (
        "Sql to Won takes 1.65 times as long as a year before: the landing starts from the pace of today, and counts on a change "
        "that goes on and fades."
    )
    assert list(levels_of(from_march({LAST: straying(1.01, 0.1), **first}, even))) == [instead]
    (of_two,) = levels_of(from_march({LAST: level_of(np.array([3.0, 4.0]), np.array([3.0, 4.0]), 2)}))
    assert "over 2 whole months only" in of_two
    assert "to vary as they did in those and as they usually do, by 18%" in of_two


# --- tails and windows ---------------------------------------------------------------------------


def young(seed: int, rate: float, watched: int = 150) -> Cohort:
    """Records of a young history, of which nearly all go on after a long and even delay."""
    rng = np.random.default_rng(seed)
    entries = np.full(watched, 20)
    age = np.repeat(np.arange(watched), entries)
    delay = np.where(rng.random(len(age)) < rate, rng.integers(5, 200, len(age)), 10**6)
    gone = delay <= age
    return Cohort(entries, age[gone], delay[gone], watched - 1)


@pytest.mark.parametrize("most", [1.0, 0.8])
def test_a_tail_leaves_what_was_seen_as_it_was_and_room_for_those_who_are_lost(most: float) -> None:
    cohort = young(1, 0.95)
    seen = own_estimate(cohort)
    assert seen is not None
    found = with_tail(seen, cohort, most)
    ages = np.array([20, 60, 120, seen.lag.horizon])
    assert found.rate <= most + 1e-12
    assert found.rate > seen.rate
    assert found.rate * found.lag.by(ages) == pytest.approx(seen.rate * seen.lag.by(ages), rel=1e-9)


def test_one_quarter_is_no_record_by_which_a_shorter_window_would_be_better() -> None:
    rng = np.random.default_rng(4)
    entries = np.full(290, 40)
    age = np.repeat(np.arange(290), entries)
    rate = np.where(age > 150, 0.2, 0.8)  # a jump that a window of 180 days follows better
    delay = np.where(rng.random(len(age)) < rate, rng.integers(0, 20, len(age)), 10**6)
    gone = delay <= age
    cohort = Cohort(entries, age[gone], delay[gone], 289)
    assert best_window(cohort, [cohort]) == 289


# --- expected close dates ------------------------------------------------------------------------


def dated(folder: Path, informative: bool, size: int = 1500) -> Export:
    """Deals of two years with expected close dates: those of coming wins a little off where they inform, else any delay's."""
    rng = np.random.default_rng(5)
    began = np.sort(rng.integers(0, 730, size))
    wins = rng.random(size) < 0.4
    delay = rng.exponential(80, size).astype(int) + 1
    close = began + np.where(
        informative & wins, delay + rng.integers(-8, 9, size), rng.exponential(80, size).astype(int)
    )
    close = np.maximum(close, began + 1)
    won = np.where(wins, began + delay, 10**6)
    rows = []
    for deal in range(size):
        rows.append((deal, began[deal], "Close", None, close[deal]))
        while close[deal] < min(won[deal], 730):
            rows.append((deal, close[deal] + 1, "Close", close[deal], close[deal] + 30))
            close[deal] += 30
        if won[deal] < 730:
            rows.append((deal, won[deal], "Stage", None, "Won"))

    def day(number: object) -> object:
        return number if number is None or isinstance(number, str) else np.datetime64("2024-01-01") + int(number)  # type: ignore[call-overload]

    log = [(deal, day(at), field, day(old), day(new)) for deal, at, field, old, new in rows]
    pd.DataFrame(log, columns=["id", "at", "field", "old", "new"]).to_csv(folder / "log.csv", index=False)
    deals = {"id": range(size), "began": [day(each) for each in began], "close": [day(each) for each in close]}
    pd.DataFrame(deals).to_csv(folder / "deals.csv", index=False)
    (folder / "crm.yaml").write_text(CRM, encoding="utf-8")
    return read_export(folder / "crm.yaml")


@pytest.mark.parametrize("informative", [True, False])
def test_expected_close_dates_count_only_where_the_past_shows_that_they_tell(tmp_path: Path, informative: bool) -> None:
    export = dated(tmp_path, informative)
    found = close_dates(export, export.on(date(2025, 10, 31)), "began")
    assert found is not None
    assert found.months >= 10
    assert found.helps is informative
    due, other = found.due
    assert (due > 2 * other) is informative
    (said,) = close_date_notes(found)
    assert said.startswith(
        f"Expected close dates are {'' if informative else 'not '}in the landing: in {found.months} past months"
    )
    assert f"Of the open deals due in a month {due:.0%} were won in it, of the others {other:.0%}." in said
    if informative:  # what open deals bring is told better, month by month
        errors = []
        for day in pd.date_range("2025-06-30", "2025-10-31", freq="ME"):
            then = close_dates(export, export.on(day.date()), "began")
            assert then is not None
            errors.append(then.factors[0])
        assert np.std(errors) > 0.02  # they move the months, some up and some down
    else:
        assert found.factors == (1.0, 1.0, 1.0)


def test_dates_move_what_open_records_bring_in_the_next_months_and_nothing_else() -> None:
    group = OpenGroup(
        stage=1, ages=np.array([10.0]), items=np.array([40.0]), values=np.array([40_000.0]), lost=np.zeros(1)
    )
    snapshot = Snapshot(open_groups={("all", "web"): (group,)})
    plan = Plan.model_validate(PLAN)
    later = plan.model_copy(update={"plan_date": date(2026, 3, 1)})
    year = rest_of_year(plan_year(plan, Snapshot()), later, snapshot)
    found = CloseDates(12, True, (1.5, 0.5, 1.0), (0.4, 0.1))
    moved = rest_of_year(plan_year(plan, Snapshot()), later, with_dates(snapshot, found))
    assert moved.open_arr[0, :8] / np.maximum(year.open_arr[0, :8], 1) == pytest.approx([0, 0, 1.5, 0.5, 1, 1, 1, 1])
    assert moved.commit_arr == pytest.approx(year.commit_arr)
    assert scenario_year(moved, moved.plan, Scenario()).open_arr == pytest.approx(moved.open_arr)
    assert with_dates(snapshot, replace(found, helps=False)) is snapshot
    assert with_dates(snapshot, None) is snapshot


def test_a_scenario_that_changes_nothing_lands_where_the_year_does() -> None:
    year = from_march({LAST: straying(1.2, 0.3)})
    assert landed(scenario_year(year, year.plan, Scenario())).equals(landed(year))


def test_few_months_of_dates_are_said_to_be_few() -> None:
    assert list(close_date_notes(None)) == []
    (said,) = close_date_notes(CloseDates(2, False, (1.0, 1.0, 1.0), (np.nan, np.nan)))
    assert said == (
        "Expected close dates are not in the landing: they can be judged over 2 past months only, 4 are needed."
    )


def test_without_a_log_of_dates_nothing_is_said_of_them(tmp_path: Path) -> None:
    export = dated(tmp_path, informative=True)
    (tmp_path / "crm.yaml").write_text(
        CRM.replace("changes: {close_on: {is: Close, old: old}}\n", ""), encoding="utf-8"
    )
    bare = read_export(tmp_path / "crm.yaml")
    assert close_dates(export, export.on(date(2025, 10, 31)), "began") is not None
    assert close_dates(bare, bare.on(date(2025, 10, 31)), "began") is None


def test_a_jump_that_no_month_shows_is_in_no_band_and_one_that_they_show_is() -> None:
    """What is said of the band: months that all ran alike hold no jump by a third, months that jumped hold the next one."""
    rng, held = np.random.default_rng(12), {}
    past = {"alike": np.ones(24), "jumped": np.repeat([1.0, 1.5, 0.75, 1.1], 6)}
    for name, level in past.items():
        found = [level_of(*months(rng, level, 100.0), 24) for _ in range(100)]
        held[name] = np.mean([abs(each.level[8] * (1 / 3)) < 1.2816 * np.sqrt(each.variance[8]) for each in found])
    assert held["alike"] < 0.1
    assert held["jumped"] > 0.8
