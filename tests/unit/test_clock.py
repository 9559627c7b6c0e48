"""The clock by which deals close where wins bunch at the ends of months or quarters."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from revplan.crm.records import History
from revplan.funnel.funnel import Cell, forward
from revplan.funnel.pipeline import OpenGroup, new_wins, open_yield
from revplan.funnel.year import Snapshot, plan_year
from revplan.ground.clock import Ahead, Clock, days_left
from revplan.ground.lag import Lag
from revplan.plan.model import Plan
from revplan.plan.parts import Scenario
from revplan.rates.closings import SLOWINGS, _by_age_and_date, _likely, clock_of, closing, closing_notes
from revplan.rates.estimates import estimate_transitions, step_levels
from revplan.rates.forecast import forecast_wins
from revplan.rates.hazards import BANDS
from revplan.rates.parts import StageEntries
from revplan.simulation.scenarios import scenario_year
from revplan.tracking.attainment import rest_of_year

START = np.datetime64("2024-01-01")
EVEN = Clock((1.0,) * 31, (1.0,) * 92, 0)
QUARTERS = Clock((1.0,) * 31, (4.0,) * 12 + (1.0,) * 80, 0)
MONTHS = Clock((31.0,) + (0.0,) * 30, (1.0,) * 92, 0)
PLAN = {
    "year": {"first_month": "2026-01"},
    "plan_date": date(2026, 1, 1),
    "goal": {"new_arr": 100_000},
    "stages": [{"id": stage, "label": stage} for stage in ("lead", "sql", "won")],
    "commit": {"stage": "sql"},
    "transitions": [
        {"from": "lead", "to": "sql", "rate": 0.4, "lag": {"median_days": 12, "p90_days": 40}},
        {"from": "sql", "to": "won", "rate": 0.3, "lag": {"median_days": 45, "p90_days": 130}},
    ],
    "segments": {"all": {"share": 1.0, "acv": {"mean": 1000.0}}},
    "sources": {"web": {"share": 1.0, "enters": "lead"}},
}
CELL = Cell("all", "web", ("lead", "sql", "won"), (0.4, 0.3), (Lag(median_days=12, p90_days=40), Lag(median_days=45, p90_days=130)), 1000.0, 1.0)  # fmt: skip


def day(text: str) -> int:
    return int(np.datetime64(text).astype(np.int64))


def lived(
    clock: Clock,
    seed: int,
    size: int = 2800,
    days: int = 700,
    dated: str = "",
    rates: tuple[float, float] = (0.25, 0.25),
) -> History:
    """Deals whose last step goes by `clock`; wins dated at the ends of their months where `dated` says so.

    `rates` are those of the first and of the last to enter.
    """
    rng = np.random.default_rng(seed)
    entered = day("2024-01-01") + np.sort(rng.random(size)) * days
    wins = rng.random(size) < np.linspace(*rates, size)
    at = np.arange(day("2024-01-01"), day("2024-01-01") + days + 2000)
    done = np.interp(clock.worked(entered) + rng.exponential(40, size), clock.worked(at), at)
    if dated:
        done = done + days_left(np.floor(done).astype(np.int64), 1)
    last = day("2024-01-01") + days
    seen = wins & (done < last + 1)
    ids = np.arange(size).astype(str)
    moments = np.concatenate([entered, done[seen]])
    frame = pd.DataFrame(
        {
            "record": pd.Series(np.concatenate([ids, ids[seen]]), dtype="str"),
            "segment": "all",
            "source": "web",
            "stage": np.where(np.arange(len(moments)) < size, "sqo", "won"),
            "entered_on": np.datetime64("1970-01-01", "us") + (moments * 86_400e6).astype("timedelta64[us]"),
        }
    )
    none = np.full(size, np.datetime64("NaT", "us"))
    records = pd.DataFrame({"record": pd.Series(ids, dtype="str"), "segment": "all", "source": "web", "amount": 1000.0, "lost_on": none})  # fmt: skip
    return History(("sqo", "won"), frame, records, (), np.datetime64(last, "D").item(), "")


def test_a_clock_agrees_with_time_at_the_ends_of_quarters_and_runs_faster_before_them() -> None:
    ends = np.array([day("2026-01-01"), day("2026-04-01"), day("2026-07-01"), day("2026-10-01")])
    assert QUARTERS.worked(ends) == pytest.approx(ends)
    assert QUARTERS.worked(np.array([day("2026-03-20"), day("2026-03-21")])) == pytest.approx(
        [day("2026-01-01") + 78 * 90 / (78 + 48), day("2026-01-01") + (78 + 4) * 90 / (78 + 48)], abs=1e-6
    )
    later = Clock((1.0,) * 31, (4.0,) * 12 + (1.0,) * 80, 1)
    assert later.worked(np.array([day("2026-02-01"), day("2026-05-01")])) == pytest.approx([day("2026-02-01"), day("2026-05-01")])  # fmt: skip


def test_a_day_of_much_work_is_over_in_its_evening_only() -> None:
    """31 March brings 3 days of work in a burst, and a month's where wins are dated at its end."""
    last = np.array([day("2026-03-31")])
    for clock, before in ((QUARTERS, 1), (MONTHS, 14)):
        assert clock.by_evening(last)[0] == last[0]
        assert clock.of(last)[0] <= last[0] - before
        assert clock.by_evening(last + 1)[0] >= last[0]


def test_an_even_clock_is_the_calendar() -> None:
    days = np.arange(day("2023-12-20"), day("2025-03-04"))
    assert (EVEN.of(days) == days).all()
    assert (EVEN.by_evening(days) == days).all()
    assert EVEN.day_of(int(days[7])) == days[7]


@pytest.mark.parametrize("clock", [QUARTERS, MONTHS])
def test_no_day_of_work_is_lost_on_the_way_there_and_back(clock: Clock) -> None:
    ahead = Ahead(clock, day("2026-01-14"))
    flow = np.random.default_rng(3).random((2, 400))
    there = ahead.moved(flow)
    assert there.sum(axis=1) == pytest.approx(flow.sum(axis=1))
    back = ahead.back(there, 400)
    until = day("2026-03-31") - day("2026-01-14")  # the days up to the end of a quarter
    assert back[:, :until].sum(axis=1) == pytest.approx(flow[:, :until].sum(axis=1), rel=0.05)


def test_day_of_finds_the_first_day_of_a_day_of_work() -> None:
    days = np.arange(day("2026-01-01"), day("2026-06-30"))
    for work in np.unique(QUARTERS.of(days))[5:-5:7].tolist():
        found = QUARTERS.day_of(work)
        assert QUARTERS.of(np.array([found - 1]))[0] < work <= QUARTERS.of(np.array([found]))[0]


def test_an_even_clock_changes_no_yield_and_no_new_win() -> None:
    first = pd.Period("2026-01", "M")
    for stage in (0, 1):
        group = OpenGroup(
            stage, np.array([3.0, 40.0]), np.array([20.0, 9.0]), np.array([1e4, 9e3]), np.array([0.0, 0.1])
        )
        plain, told = (open_yield(CELL, group, date(2026, 2, 10), first, each) for each in (None, EVEN))
        assert told.wins == pytest.approx(plain.wins, abs=1e-6)
        assert told.arr == pytest.approx(plain.arr, abs=1e-3)
    entries = np.full(24, 50.0)
    assert new_wins(CELL, entries, date(2026, 1, 1), EVEN) == pytest.approx(forward(CELL, entries, 0.0)[-1], rel=0.12)
    assert new_wins(CELL, entries, date(2026, 1, 1), EVEN).sum() == pytest.approx(forward(CELL, entries, 0.0)[-1].sum(), rel=0.01)  # fmt: skip


def test_bursts_bring_open_records_in_at_the_end_of_the_quarter_and_no_more_of_them() -> None:
    first = pd.Period("2026-01", "M")
    group = OpenGroup(1, np.array([5.0]), np.array([100.0]), np.array([1e5]), np.zeros(1))
    plain, told = (open_yield(CELL, group, date(2026, 1, 1), first, each) for each in (None, QUARTERS))
    assert told.wins[0] < 0.8 * plain.wins[0]
    assert told.wins[2] > 1.3 * plain.wins[2]
    assert told.wins[:3].sum() == pytest.approx(plain.wins[:3].sum(), rel=0.01)
    assert told.chance == pytest.approx(plain.chance)


@pytest.mark.parametrize(("clock", "of", "last"), [(QUARTERS, "quarter", 12), (MONTHS, "month", 1)])
def test_the_clock_of_a_company_is_found(clock: Clock, of: str, last: int) -> None:
    found = closing(lived(clock, 5)).bunching
    assert found is not None
    assert (found.of, found.last) == (of, last)
    days = np.arange(day("2026-01-01"), day("2026-12-31"))
    assert np.abs(found.clock.worked(days) - clock.worked(days)).max() < 6
    assert np.abs(days - clock.worked(days)).max() > 20


def test_quarters_of_a_fiscal_year_of_its_own_are_found() -> None:
    found = closing(lived(Clock((1.0,) * 31, (4.0,) * 12 + (1.0,) * 80, 1), 7)).bunching
    assert found is not None
    assert found.clock.phase == 1


def test_quarters_whose_last_month_brings_most_have_a_clock() -> None:
    """Half as fast in the first month, a good deal faster in the last: no burst of days, and yet no even pace."""
    back_loaded = Clock((1.0,) * 31, (1.7,) * 31 + (0.8,) * 30 + (0.5,) * 31, 0)
    found = closing(lived(back_loaded, 5)).bunching
    assert found is not None
    assert (found.of, found.last) == ("quarter", 31)
    days = np.arange(day("2026-01-01"), day("2026-12-31"))
    assert np.abs(found.clock.worked(days) - back_loaded.worked(days)).max() < 6


def test_steady_companies_have_no_clock() -> None:
    """Of 60 companies whose deals know no calendar at most one in ten is taken for one whose deals bunch."""
    assert sum(clock_of(lived(EVEN, seed, 700)) is not None for seed in range(100, 160)) <= 6


def test_what_is_said_holds_and_is_said_only_where_it_does() -> None:
    (line,) = closing_notes(lived(MONTHS, 9))
    assert line.startswith("Wins bunch: 100% of them fall on the last day of a month, which is 3% of all days.")
    assert closing_notes(lived(EVEN, 9)) == ()


def in_work(history: History) -> Any:
    return estimate_transitions(history, history.as_of).iloc[0]


def test_wins_dated_at_month_ends_leave_delays_smooth_and_the_rate_as_it_is_in_mid_month() -> None:
    """700 days end on 1 December 2025, 714 in its middle, when a fortnight's wins are not on file yet."""
    for days in (700, 714):
        row = in_work(lived(EVEN, 11, 8000, days, dated="month"))
        assert row["rate"] == pytest.approx(0.25, rel=0.07)
        assert row["median_days"] == pytest.approx(
            40 * np.log(2) + 15, abs=5
        )  # counted from the beginning of the month of entry
        assert row["p90_days"] == pytest.approx(40 * np.log(10) + 15, abs=9)
        assert row["recorded_from"] <= pd.Timestamp("2024-02-01")


def test_a_last_step_that_goes_by_a_clock_is_not_said_to_run_otherwise_lately() -> None:
    """Seen at the end of a month that all its wins are dated at, it would seem to run faster than ever."""
    days = 699  # to 30 November 2025
    assert set(step_levels(lived(EVEN, 11, 8000, days))) == {("sqo", "won")}
    assert step_levels(lived(EVEN, 11, 8000, days, dated="month")) == {}


def test_a_forecast_right_after_a_burst_expects_less_than_one_before_it() -> None:
    """A month ahead, of a company that closes in bursts; and of one that does not, which expects the same."""
    said = {}
    for name, clock in (("bursts", QUARTERS), ("even", EVEN)):
        before, after = (forecast_wins(lived(clock, 13, 6000, days), 1).from_known.wins.mean for days in (789, 820))
        said[name] = after / before
    assert said["bursts"] < 0.7 * said["even"]


def test_a_running_year_has_one_landing_by_its_clock_whoever_asks() -> None:
    """What is committed lands as the clock has it; a scenario that changes nothing lands there too."""
    plan = Plan.model_validate(PLAN)
    promised = plan_year(plan, Snapshot())
    later = plan.model_copy(update={"plan_date": date(2026, 2, 10)})
    plain, told = (rest_of_year(promised, later, Snapshot(clock=each)) for each in (None, QUARTERS))
    quarter = slice(1, 3)  # the rest of the first quarter, of which the burst is still to come
    assert told.commit_wins[0, quarter].sum() > 1.05 * plain.commit_wins[0, quarter].sum()
    again = scenario_year(told, told.plan, Scenario())
    assert again.commit_wins == pytest.approx(told.commit_wins)


# --- deals that slow down ------------------------------------------------------------------------


def slowing(yearly: float, quarter: tuple[float, ...] = (1.0,) * 92, days: int = 700) -> Clock:
    """Deals that take exp(yearly) times as long from year to year, up to the last day of `lived`, and fading after it."""
    return Clock((1.0,) * 31, quarter, 0, yearly, day("2024-01-01") + days)


def test_a_past_day_had_the_work_of_several_where_deals_slow_down_and_a_day_ahead_has_less_and_less() -> None:
    clock, now = slowing(0.5), day("2024-01-01") + 700
    ahead = clock.worked(now + 1 + np.array([0.0, 1.0, 365.0, 366.0, 3000.0, 3001.0])) - (now + 1)
    assert ahead[0] == pytest.approx(0.0)
    assert ahead[1] == pytest.approx(1.0, abs=1e-3)
    for at, days in ((2, 365.5), (4, 3000.5)):  # a year ahead, and once the slowing has faded
        years = 285 * (1 - np.exp(-days / 285)) / 365.25
        assert ahead[at + 1] - ahead[at] == pytest.approx(np.exp(-0.5 * years), rel=2e-3)
    a_year_ago = float(clock.worked(np.array(now + 1 - 365.25)))
    assert now + 1 - a_year_ago == pytest.approx(365.25 * (np.exp(0.5) - 1) / 0.5)
    assert now + 1 - float(slowing(-0.5).worked(np.array(now + 1 - 365.25))) == pytest.approx(
        365.25 * (1 - np.exp(-0.5)) / 0.5
    )
    long_ago = clock.worked(np.array([0, 1]))  # no more than eight times as much, however long ago
    assert long_ago[1] - long_ago[0] == pytest.approx(8.0)
    for days in (3, 90, 365, 900):
        work = int(clock.of(np.array([now - days]))[0])
        assert clock.day_of(work) == now - days


@pytest.mark.parametrize("yearly", [-0.6, 0.6])
def test_deals_that_take_longer_or_less_long_are_told_at_the_pace_of_today(yearly: float) -> None:
    history = lived(slowing(yearly), 21, 9000)
    assert closing(history).slowing == pytest.approx(yearly, abs=0.2)
    row = in_work(history)
    assert row["median_days"] == pytest.approx(40 * np.log(2), rel=0.18)
    assert row["p90_days"] == pytest.approx(40 * np.log(10), rel=0.18)
    assert row["rate"] == pytest.approx(0.25, rel=0.12)
    (line,) = closing_notes(history)
    times = f"{np.exp(closing(history).slowing):.2f}"
    assert line.startswith(f"sqo to won: conversions take {times} times as long as a year before, by more than luck")


def test_what_open_deals_and_new_ones_bring_in_a_month_is_told_at_the_pace_of_today() -> None:
    """Where the mean delay has grown from 13 to 40 days, the next month brought a fifth less than was told."""
    clock, months = slowing(0.6), []
    for seed in range(4):
        whole = lived(clock, 40 + seed, 3360, 840)  # lives on for 140 days
        rows = whole.stage_history[whole.stage_history["entered_on"] < np.datetime64("2025-12-02")]
        known = History(whole.stages, rows, whole.records[whole.records["record"].isin(rows["record"])], (), date(2025, 12, 1), "")  # fmt: skip
        won = whole.stage_history["entered_on"].where(whole.stage_history["stage"] == "won")
        came = won.between(np.datetime64("2025-12-02"), np.datetime64("2026-01-01")) & whole.stage_history["record"].isin(rows["record"])  # fmt: skip
        months.append((forecast_wins(known, 1).from_known.wins.mean, int(came.sum())))
    told, came = np.array(months).sum(axis=0)
    assert told == pytest.approx(came, rel=0.12)


def test_a_slowing_is_not_seen_where_there_is_none_even_if_the_rate_moves() -> None:
    """Of 40 companies at one pace at most one is said to slow down; a rate that halves or doubles is none."""
    for rates in ((0.25, 0.25), (0.35, 0.15), (0.15, 0.35)):
        assert sum(closing(lived(EVEN, seed, 700, rates=rates)).slowing != 0 for seed in range(200, 240)) <= 1
    assert closing(lived(slowing(0.6, days=500), 21, days=500)).slowing == 0  # a season may look like it


def test_deals_may_bunch_and_slow_down() -> None:
    history = lived(slowing(0.6, (4.0,) * 12 + (1.0,) * 80), 5, 4000)
    found = closing(history)
    assert found.bunching is not None
    assert found.slowing == pytest.approx(0.6, abs=0.25)
    assert len(closing_notes(history)) == 2
    assert clock_of(history) == Clock(found.bunching.clock.month, found.bunching.clock.quarter, 0, found.slowing, day("2024-01-01") + 700)  # fmt: skip


def test_a_step_that_slows_down_has_a_level_and_runs_as_often_as_its_rate_says() -> None:
    levels = step_levels(lived(slowing(0.6), 21))
    assert levels["sqo", "won"].coming == pytest.approx(1.0, abs=0.1)


def test_days_open_are_counted_by_age_and_date_as_by_hand() -> None:
    rng = np.random.default_rng(4)
    age = rng.integers(0, 400, 200)
    delay = np.where(rng.random(200) < 0.4, (rng.random(200) * (age + 1)).astype(int), -1)
    lost = np.where((delay < 0) & (rng.random(200) < 0.5), (rng.random(200) * (age + 1)).astype(int), -1)
    count = rng.integers(1, 4, 200)
    entered = StageEntries(np.zeros(200, dtype=int), age, delay, lost, np.full(200, np.nan), count)
    converted, days = _by_age_and_date(entered, 300)
    by_hand = np.zeros((2, *days.shape))
    for number in range(200):
        left = delay[number] if delay[number] >= 0 else lost[number] - 1 if lost[number] >= 0 else age[number]
        for old in range(left + 1):
            ago = age[number] - old
            if ago <= 300:
                where = ago // 30, np.searchsorted(BANDS, old, side="right") - 1
                by_hand[0][where] += count[number]
                by_hand[1][where] += count[number] * (old == delay[number])
    assert days == pytest.approx(by_hand[0])
    assert converted == pytest.approx(by_hand[1])


def test_deals_that_all_take_alike_long_tell_nothing_of_a_slowing() -> None:
    converted, days = np.zeros((20, len(BANDS))), np.full((20, len(BANDS)), 500.0)
    converted[:, 3] = 10.0
    with np.errstate(all="raise"):
        assert _likely(converted, days) == pytest.approx(np.zeros(len(SLOWINGS)))
