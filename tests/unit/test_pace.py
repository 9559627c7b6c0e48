"""The yellow line by hand: working days, targets, what is still to come, and what a day is called."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from revplan.cli.commands import main
from revplan.crm.planfile import read_plan
from revplan.exhibits import pace as exhibits
from revplan.ground.errors import PlanError
from revplan.ground.formats import show
from revplan.ground.workdays import Workdays, unknown_place
from revplan.plan.parts import WorkPlace
from revplan.run.daily import plain
from revplan.simulation.simulate import simulate
from revplan.tracking.claims import converted, covered, growth, sourced
from revplan.tracking.landing import landing
from revplan.tracking.pace import (
    SHAPE_LEVEL,
    Followed,
    Group,
    Period,
    Shape,
    at_most,
    attainment,
    by_month_of_quarter,
    by_stretch,
    entries_by_day,
    learnt_paces,
    learnt_shape,
    pace_lines,
    quantile,
    spread_over,
    to_come,
)
from revplan.tracking.pacebook import PaceBook, open_pace
from revplan.tracking.periods import DayRun, Span

# --- working days --------------------------------------------------------------------------------

US = Workdays(country="US")


def test_working_days_of_a_quarter_with_its_end_and_without() -> None:
    # 22 + 23 + 20 weekdays, less Memorial Day (27 May) and Juneteenth (19 June); 1 July is a Monday.
    assert US.count(date(2024, 4, 1), date(2024, 6, 30)) == 63
    assert US.count(date(2024, 4, 1), date(2024, 7, 1)) == 64
    assert US.count(date(2024, 4, 2), date(2024, 4, 1)) == 0


def test_leap_days_are_worked_where_they_are_weekdays() -> None:
    assert Workdays().count(date(2024, 2, 29), date(2024, 2, 29)) == 1  # a Thursday
    assert Workdays().count(date(2028, 2, 1), date(2028, 2, 29)) == 21
    assert Workdays().count(date(2027, 2, 1), date(2027, 2, 28)) == 20


@pytest.mark.parametrize("month", range(1, 13))
def test_a_year_has_its_working_days_in_whichever_month_it_begins(month: int) -> None:
    first = date(2027, month, 1)
    last = date(2028, month, 1) - timedelta(days=1)
    by_month = [
        US.count(each.start_time.date(), each.end_time.date()) for each in pd.period_range(first, periods=12, freq="M")
    ]
    assert sum(by_month) == US.count(first, last)


def test_regions_closures_and_weekends() -> None:
    assert Workdays(country="DE", region="BY").count(date(2027, 1, 6), date(2027, 1, 6)) == 0  # Epiphany
    assert Workdays(country="DE", region="HH").count(date(2027, 1, 6), date(2027, 1, 6)) == 1
    friday = Workdays(weekend=(4, 5))
    assert friday.are_worked(date(2027, 1, 1), date(2027, 1, 3)).tolist() == [False, False, True]
    closed = WorkPlace.model_validate({"closures": ["2027-12-24", {"from": "2027-12-27", "to": "2027-12-31"}]}).workdays
    assert closed.count(date(2027, 12, 20), date(2027, 12, 31)) == 4


def test_places_that_are_not_known_are_refused_with_what_is_meant() -> None:
    assert "did you mean US?" in unknown_place("us", "")
    assert "did you mean CA?" in unknown_place("US", "ca")
    assert "name the country too" in unknown_place("", "CA")
    assert unknown_place("US", "CA") == unknown_place("", "") == ""
    with pytest.raises(ValidationError, match="leaves no day of the week"):
        WorkPlace.model_validate({"weekend": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]})
    with pytest.raises(ValidationError, match="before it begins"):
        WorkPlace.model_validate({"closures": [{"from": "2027-12-27", "to": "2027-12-24"}]})


# --- the line, by hand ---------------------------------------------------------------------------

FEBRUARY = DayRun(date(2027, 2, 1), date(2027, 2, 28))  # 20 weekdays: four weeks from Monday to Sunday


def followed(counts: list[float], target: float = 1000.0, shape: Shape | None = None, late: float = 0.0) -> Followed:
    """A month of 20 working days, one segment and source: so many entries on each of the days known."""
    known = np.array(counts)
    shape = shape or Shape()
    asked = target * spread_over(FEBRUARY.first, FEBRUARY.last, Workdays(), shape)
    missing = np.zeros((2, 1, len(known)))
    missing[0, 0, -1] = late
    return Followed(
        as_of=FEBRUARY.at(len(known) - 1),
        days=FEBRUARY,
        cells=(("all", "web"),),
        stages=("lead",),
        targets=asked[None, None],
        worth=np.array([[16.0]]),
        counts=np.stack([known[None], np.zeros((1, len(known)))]),
        late=missing,
        shapes={("all", "lead"): shape},
        begin=FEBRUARY.first,
    )


def line(given: Followed, workdays: Workdays | None = None) -> pd.Series:
    """The month's line of all of it."""
    group = Group("whole", "all", "all", "all", (0, 1), workdays or Workdays())
    return pace_lines(given, [group], [Period("month", "2027-02", FEBRUARY.first, FEBRUARY.last)], {}).iloc[0]


def test_a_thousand_leads_due_and_fifty_after_the_first_week() -> None:
    row = line(followed([10, 10, 10, 10, 10, 0, 0]))  # as known on Sunday: 5 of 20 working days are over
    assert row["target_to_date"] == pytest.approx(250)
    assert row["actual"] == 50
    assert row["gap"] == pytest.approx(-200)
    assert row["gap_value"] == pytest.approx(-3200)  # at 16 a lead
    assert row["days_behind"] == pytest.approx(4)  # 50 were due by the first evening
    assert (row["working_days_done"], row["working_days_left"]) == (5, 15)
    assert row["needed_per_working_day"] == pytest.approx(950 / 15)
    assert row["recent_per_working_day"] == pytest.approx(10, rel=0.05)
    assert row["projected"] == pytest.approx(200, rel=0.05)
    assert row["projected_low"] < row["projected"] < row["projected_high"] < 1000
    assert row["chance_of_missing"] > 0.999
    assert row["straight_line"] == pytest.approx(50 * 28 / 7)
    assert pd.isna(row["unreachable_on"])  # a first week tells no best pace


def test_ahead_on_the_line_and_met() -> None:
    assert line(followed([60.0]))["days_behind"] == pytest.approx(-0.2)
    assert line(followed([50.0]))["days_behind"] == 0
    met = line(followed([1100.0]))
    assert met["days_behind"] == pytest.approx(1 - 20 - 2)
    assert (met["needed_per_working_day"], met["chance_of_missing"]) == (0, 0)


def test_without_a_working_day_left_nothing_more_comes() -> None:
    row = line(followed([40.0] * 28))
    assert row["working_days_left"] == 0
    assert pd.isna(row["needed_per_working_day"])
    assert (row["projected"], row["projected_low"], row["projected_high"]) == (1120, 1120, 1120)
    assert row["chance_of_missing"] == 0
    assert line(followed([35.0] * 28))["chance_of_missing"] == 1


def test_the_plan_is_met_by_exactly_as_many() -> None:
    assert line(followed([1000.0] + [0.0] * 27))["chance_of_missing"] == 0
    assert line(followed([999.0] + [0.0] * 27))["chance_of_missing"] == pytest.approx(1, abs=1e-5)
    short_of_a_record = line(followed([999.0] + [0.0] * 27, target=999.6))  # which is shown as 1,000
    assert short_of_a_record["chance_of_missing"] == pytest.approx(1, abs=1e-5)
    assert line(followed([1000.0] + [0.0] * 27, target=1000.14))["chance_of_missing"] == 0  # 1,000 of 1,000, as shown
    assert line(followed([99.0] + [0.0] * 27, target=99.1))["chance_of_missing"] == pytest.approx(1, abs=1e-5)


def test_what_is_still_to_be_recorded_counts_in_the_forecast() -> None:
    more = line(followed([10, 10, 10, 10, 10], late=30.0))
    less = line(followed([10, 10, 10, 10, 10]))
    assert more["actual"] == less["actual"] == 50
    assert more["late"] == 30
    assert more["projected"] > less["projected"] + 30  # and it lifts the pace


def test_a_shape_moves_the_line() -> None:
    back_loaded = Shape((0.1, 0.1, 0.1, 0.2, 0.5))
    row = line(followed([20, 20, 20, 20, 20], shape=back_loaded))
    assert row["target_to_date"] == pytest.approx(1000 * (0.1 + 0.1 * 0.25))
    assert row["days_behind"] == pytest.approx(5 - (4 + 0.0))
    # What takes 12.5 % of a month brought 100: the rest brings 700.
    assert row["straight_line"] == pytest.approx(100 * 28 / 5)
    assert row["projected"] == pytest.approx(800, rel=0.05)


SPRING = DayRun(date(2027, 3, 1), date(2027, 4, 30))  # 23 and 22 weekdays
APRIL = Period("month", "2027-04", date(2027, 4, 1), SPRING.last)


def in_april(counts: np.ndarray, target: float) -> pd.Series:
    """April's line as of the last day of `counts`, which begin on 1 March."""
    asked = np.zeros(len(SPRING))
    asked[SPRING.place(APRIL.first) :] = target * spread_over(APRIL.first, APRIL.last, Workdays(), Shape())
    given = Followed(
        as_of=SPRING.at(len(counts) - 1), days=SPRING, cells=(("all", "web"),), stages=("lead",), targets=asked[None, None], worth=np.ones((1, 1)),
        counts=np.stack([counts[None], 0 * counts[None]]), late=np.zeros((2, 1, len(counts))), shapes={("all", "lead"): Shape()}, begin=SPRING.first,
    )  # fmt: skip
    return pace_lines(given, [Group("whole", "all", "all", "all", (0, 1), Workdays())], [APRIL], {}).iloc[0]


def test_the_best_pace_ever_held_says_when_a_month_is_lost() -> None:
    worked = Workdays().are_worked(SPRING.first, SPRING.last)
    counts = np.where(worked[: SPRING.place(date(2027, 4, 9)) + 1], 10.0, 0.0)
    counts[SPRING.place(date(2027, 3, 29)) :] = 0.0  # silent since 29 March; 20 days of 10 before
    row = in_april(counts, 150.0)
    # 15 working days at 10 each are needed: of 22 seven are gone on the evening of 9 April, 8 on Monday the 12th;
    # what the recent pace brings until then is less than the ten that the eighth day costs.
    assert row["working_days_left"] == 15
    assert row["unreachable_on"].date() == date(2027, 4, 12)
    told = exhibits._reach(row, date(2027, 4, 9))
    assert told == " At the recent pace, from 12 Apr 2027 on even the best ever held would not do."
    after = in_april(np.append(counts, [0.0] * 5), 150.0)  # Wednesday the 14th: two more silent days
    assert exhibits._reach(after, date(2027, 4, 14)) == " Since 12 Apr 2027 even the best pace ever held would not do."


def test_a_month_is_out_of_reach_where_no_stretch_of_the_past_would_do() -> None:
    """Every evening of drawn months: what is told of days that are over, by trying every stretch of the past."""
    generator = np.random.default_rng(8)
    worked = Workdays().are_worked(SPRING.first, SPRING.last)
    lost, reachable = 0, 0
    for _ in range(60):
        pace = np.where(np.arange(len(SPRING)) < 31, 10.0, generator.choice([2.0, 8.0, 14.0], len(SPRING)))
        whole = generator.poisson(pace * worked).astype(float)
        known = int(generator.integers(35, len(SPRING)))
        counts = whole[:known]
        row = in_april(counts, 190.0)
        by_working_day = counts[worked[:known]]
        left = int(worked[known:].sum())
        best = max(by_working_day[at : at + left].sum() for at in range(len(by_working_day) - left + 1))
        would_not_do = counts[31:].sum() + best < 190
        over = pd.notna(row["unreachable_on"]) and row["unreachable_on"].date() <= SPRING.at(known - 1)
        assert over == would_not_do
        lost, reachable = lost + over, reachable + (not over)
    assert lost > 5
    assert reachable > 5


def test_a_month_that_ends_short_by_a_hair_is_within_reach_until_then() -> None:
    worked = Workdays().are_worked(SPRING.first, SPRING.last)
    counts = np.where(worked, 10.0, 0.0)
    counts[: SPRING.place(date(2027, 3, 20))] *= 1.5  # the best pace held
    row = in_april(counts[: SPRING.place(date(2027, 4, 16))], 242.0)
    assert 235 < row["projected"] < 242  # the last day could bring 15, where 11 or 12 are expected
    assert pd.isna(row["unreachable_on"])
    over = in_april(counts, 224.0)  # 22 days of 10: on the last evening but one 210 and 15 would have done
    assert over["unreachable_on"].date() == date(2027, 4, 30)


def test_a_new_record_brings_a_lost_month_back() -> None:
    worked = Workdays().are_worked(SPRING.first, SPRING.last)
    counts = np.where(worked[: SPRING.place(date(2027, 4, 16)) + 1], 10.0, 0.0)
    counts[SPRING.place(date(2027, 4, 1)) :] = 0.0
    lost = in_april(counts, 200.0)
    assert lost["unreachable_on"].date() < date(2027, 4, 16)  # 10 working days are left, which never brought over 100
    back = in_april(np.append(counts, [0.0, 0.0, 190.0]), 200.0)  # on Monday the 19th as many as never before
    assert back["projected"] > 200
    assert pd.isna(back["unreachable_on"])


def test_the_straight_line_misleads_where_days_or_pace_are_uneven_and_only_there() -> None:
    days = SPRING.place(date(2027, 4, 15)) + 1
    worked = Workdays().are_worked(SPRING.first, SPRING.last)
    even = in_april(np.where(worked[:days], 100.0, 0.0), 2200.0)
    assert even["straight_line"] == pytest.approx(
        1100 * 30 / 15
    )  # 11 of 22 working days are gone, and half of the month
    assert even["projected"] == pytest.approx(2200, rel=0.02)
    assert not even["line_misleads"]
    begin = in_april(np.where(worked[: days - 11], 100.0, 0.0), 2200.0)  # Sunday the 4th: two of 22 days, four of 30
    assert begin["straight_line"] == pytest.approx(200 * 30 / 4)
    assert begin["line_misleads"]
    assert begin["projected"] == pytest.approx(2200, rel=0.05)
    faster = np.where(worked[:days], 100.0, 0.0)
    faster[SPRING.place(date(2027, 4, 1)) : SPRING.place(date(2027, 4, 9))] = 0.0  # nothing came in the first week
    stopped = in_april(faster, 2200.0)
    assert stopped["line_misleads"]
    assert stopped["projected_low"] > stopped["straight_line"]


# --- shapes --------------------------------------------------------------------------------------


def test_an_even_history_shows_no_shape_and_a_loaded_one_does() -> None:
    generator = np.random.default_rng(1)
    even = generator.poisson(40, (24, 5)).astype(float)
    assert learnt_shape(even)[0].shares == (1.0,)
    loaded = generator.poisson([20, 30, 40, 50, 60], (24, 5)).astype(float)
    shape, chance = learnt_shape(loaded)
    assert chance < 0.001
    assert shape.shares == pytest.approx([0.1, 0.15, 0.2, 0.25, 0.3], abs=0.03)
    assert "24 whole months" in shape.basis
    assert learnt_shape(loaded[:11])[0].shares == (1.0,)


def test_shapes_are_found_in_even_histories_as_rarely_as_stated() -> None:
    generator = np.random.default_rng(2)
    busy = generator.gamma(10, 4, (2000, 24, 5))  # months of uneven stretches that have no shape in common
    found = sum(learnt_shape(each)[1] < 0.01 for each in generator.poisson(busy).astype(float))
    assert 5 <= found <= 38  # 1 % of 2,000, give or take three standard errors and a little


def test_a_segment_has_a_shape_of_its_own_where_its_months_show_one() -> None:
    generator = np.random.default_rng(4)
    whole = Shape((0.2,) * 5, "of all")
    same = generator.poisson(40, (24, 5)).astype(float)
    assert learnt_shape(same, whole)[0] is whole
    late = generator.poisson([4, 6, 8, 10, 12], (24, 5)).astype(float)
    own, chance = learnt_shape(late, whole)
    assert chance < 0.01
    assert own.shares == pytest.approx([0.1, 0.15, 0.2, 0.25, 0.3], abs=0.04)
    raw = late.sum(axis=0) / late.sum()
    moved = np.array(own.shares) - 0.2
    assert 0 < moved[-1] < raw[-1] - 0.2  # luck is taken off: drawn towards the shape of all
    assert learnt_shape(late[:11], whole)[0] is whole  # too short to tell
    quarters = replace(whole, paces=(0.8, 1.0, 1.2), phase=1)
    assert learnt_shape(late, quarters)[0].paces == (0.8, 1.0, 1.2)


def test_drawing_shapes_towards_that_of_all_brings_them_nearer_the_truth() -> None:
    generator = np.random.default_rng(6)
    raw, drawn = [], []
    for _ in range(300):
        truth = generator.dirichlet([40.0] * 5)
        counts = generator.poisson(generator.gamma(8, 1 / 8, (24, 1)) * 30 * truth).astype(float)
        shape, _ = learnt_shape(counts, Shape((0.2,) * 5), level=1.0)
        raw.append(((counts.sum(axis=0) / counts.sum() - truth) ** 2).sum())
        drawn.append(((np.array(shape.shares) - truth) ** 2).sum())
    assert np.mean(drawn) < 0.95 * np.mean(raw)


def test_the_pace_of_the_months_of_a_quarter_is_learnt_where_there_is_one() -> None:
    generator = np.random.default_rng(9)
    worked = np.tile([21.0, 20.0, 22.0], (10, 1))
    paces, chance = learnt_paces(generator.poisson(worked * [3, 4, 5]).astype(float), worked)
    assert chance < 0.01
    assert paces == pytest.approx((0.75, 1.0, 1.25), abs=0.1)
    assert sum(paces) == pytest.approx(3)
    assert learnt_paces(generator.poisson(worked[:5] * [3, 4, 5]).astype(float), worked[:5])[0] == (1, 1, 1)
    even = generator.gamma(20, 0.2, (1500, 10, 3)) * worked  # quarters of uneven months that have nothing in common
    found = sum(learnt_paces(each, worked)[0] != (1, 1, 1) for each in generator.poisson(even).astype(float))
    assert 3 <= found <= 30  # 1 % of 1,500, give or take four standard errors


def test_months_are_told_by_their_place_in_the_quarter() -> None:
    days = DayRun(date(2026, 1, 1), date(2027, 1, 31))
    counts = np.array([float(days.at(number).month) for number in range(len(days))])
    entries, worked = by_month_of_quarter(counts, days, Workdays(), date(2026, 12, 31), phase=1)
    # Quarters of a year that begins in February: February to April, May to July, August to October.
    assert entries.tolist() == [[2 * 28, 3 * 31, 4 * 30], [5 * 31, 6 * 30, 7 * 31], [8 * 31, 9 * 30, 10 * 31]]
    assert worked[0].tolist() == [20, 22, 22]
    shape = Shape(paces=(0.5, 1.0, 1.5), phase=1)
    assert [shape.pace(pd.Period(month, "M")) for month in ("2027-01", "2027-02", "2027-03", "2027-04")] == [
        1.5,
        0.5,
        1,
        1.5,
    ]


def test_a_quarter_that_ends_fast_is_expected_to_again() -> None:
    days = DayRun(date(2027, 1, 1), date(2027, 3, 31))
    counts = np.where(Workdays().are_worked(days.first, date(2027, 2, 28)), 10.0, 0.0)
    quarter = Period("quarter", "2027-Q1", days.first, days.last)

    def projected(shape: Shape) -> float:
        given = Followed(
            as_of=date(2027, 2, 28), days=days, cells=(("all", "web"),), stages=("lead",), targets=np.full((1, 1, len(days)), 5.0), worth=np.ones((1, 1)),
            counts=np.stack([counts[None], 0 * counts[None]]), late=np.zeros((2, 1, len(counts))), shapes={("all", "lead"): shape}, begin=days.first,
        )  # fmt: skip
        return float(
            pace_lines(given, [Group("whole", "all", "all", "all", (0, 1), Workdays())], [quarter], {}).iloc[0][
                "projected"
            ]
        )

    assert projected(Shape()) == pytest.approx(410 + 230, rel=0.01)  # 41 working days of 10, and 23 more
    assert projected(Shape(paces=(0.75, 0.75, 1.5))) == pytest.approx(410 + 460, rel=0.01)


def test_the_shape_of_a_segment_moves_its_line_alone(tmp_path: Path) -> None:
    def by_segment(more: str) -> pd.Series:
        lines = open_pace(company(tmp_path, more)).lines
        rows = lines[(lines["of"] == "segment") & (lines["period_kind"] == "month") & (lines["stage"] == "sql")]
        return rows.set_index("segment")["target_to_date"]

    even = by_segment("pace: {within_month: [0.5, 0.5]}\n")
    moved = by_segment("pace: {within_month: [0.5, 0.5], by_segment: {b: [0.1, 0.1, 0.8]}}\n")
    assert moved["a"] == pytest.approx(even["a"])
    assert moved["b"] < 0.6 * even["b"]
    learnt = by_segment("pace: {by_segment: {b: [0.1, 0.1, 0.8]}}\n")
    assert learnt["b"] == pytest.approx(moved["b"])


def test_a_month_is_spread_over_what_is_left_of_it() -> None:
    shares = spread_over(date(2027, 5, 1), date(2027, 5, 31), Workdays(), Shape(), begin=date(2027, 5, 31))
    assert shares[-1] == shares.sum() == 1
    idle = spread_over(date(2027, 5, 1), date(2027, 5, 2), Workdays(), Shape())  # a weekend
    assert idle.tolist() == [0, 1]


def test_entries_are_counted_by_stretch_of_the_working_days() -> None:
    counts = np.ones(31)
    found = by_stretch(counts, DayRun(date(2027, 5, 1), date(2027, 5, 31)), Workdays(), date(2027, 5, 31))
    assert found.sum() == 31
    assert found.shape == (1, 5)
    assert by_stretch(counts, DayRun(date(2027, 5, 2), date(2027, 6, 1)), Workdays(), date(2027, 6, 1)).shape == (0, 5)


@pytest.mark.parametrize(("month", "worked"), [("2027-02", 20), ("2027-05", 21), ("2027-04", 22), ("2027-03", 23)])
def test_an_even_month_brings_as_much_to_each_stretch_whatever_its_working_days(month: str, worked: int) -> None:
    days = DayRun(pd.Period(month).start_time.date(), pd.Period(month).end_time.date())
    even = Workdays().are_worked(days.first, days.last).astype(float)
    assert even.sum() == worked
    assert by_stretch(even, days, Workdays(), days.last)[0] == pytest.approx([worked / 5] * 5)
    late = np.zeros(len(days))
    late[-1] = 7.0  # whatever day of the week it is
    assert by_stretch(late, days, Workdays(), days.last)[0] == pytest.approx([0, 0, 0, 0, 7])


def test_days_of_even_histories_show_a_shape_as_rarely_as_stated() -> None:
    """From days on, and however many entries: months of 18 to 23 working days have no fifths of whole days."""
    generator = np.random.default_rng(5)
    days, workdays = DayRun(date(2024, 1, 1), date(2025, 12, 31)), Workdays(country="US")
    worked = workdays.are_worked(days.first, days.last)
    of_day = np.zeros(len(days))
    for month in pd.period_range(days.first, days.last, freq="M"):
        inside = slice(days.place(month.start_time.date()), days.place(month.end_time.date()) + 1)
        of_day[inside] = 3000 * worked[inside] / worked[inside].sum()
    found = sum(
        learnt_shape(by_stretch(generator.poisson(of_day).astype(float), days, workdays, days.last))[1] < SHAPE_LEVEL
        for _ in range(300)
    )
    assert found <= 3 + 3 * np.sqrt(3)  # one in a hundred


def test_records_of_no_cell_of_the_plan_are_counted_apart() -> None:
    history = pd.DataFrame(
        {
            "segment": ["a", "b", "a", "a"],
            "source": ["web", "web", "web", "web"],
            "stage": ["lead", "lead", "won", "lead"],
            "entered_on": pd.to_datetime(
                ["2027-05-03 00:00", "2027-05-04 23:59", "2027-05-04 00:00", "2027-05-09 12:00"]
            ),
        }
    )
    found = entries_by_day(history, (("a", "web"),), ("lead", "won"), DayRun(date(2027, 5, 3), date(2027, 5, 5)))
    assert found.tolist() == [[[1, 0, 0], [0, 1, 0]], [[0, 1, 0], [0, 0, 0]]]


# --- what is still to come -----------------------------------------------------------------------


def test_the_negative_binomial_by_its_mean_and_spread() -> None:
    from scipy.stats import nbinom

    mean, spread = np.array([20.0]), np.array([0.25])
    assert at_most(np.array([15.0]), mean, spread)[0] == pytest.approx(nbinom.cdf(15, 4, 4 / 24))
    assert quantile(0.9, mean, spread)[0] == nbinom.ppf(0.9, 4, 4 / 24)
    assert at_most(np.array([-1.0]), mean, spread)[0] == 0
    assert quantile(0.9, np.zeros(1), spread)[0] == 0


@pytest.mark.parametrize(("kind", "weeks"), [("poisson", 84), ("bursts", 84), ("drift", 84), ("bursts", 8)])
def test_eight_of_ten_months_lie_within_the_interval(kind: str, weeks: int) -> None:
    generator = np.random.default_rng({"poisson": 3, "bursts": 4, "drift": 5}[kind])
    worked = np.tile([1.0] * 5 + [0.0] * 2, weeks)
    inside = 0
    trials = 600
    for _ in range(trials):
        pace = np.full(len(worked), 12.0)
        if kind == "bursts":
            pace *= generator.gamma(1.5, 1 / 1.5, len(worked))
        if kind == "drift":
            pace *= np.exp(np.cumsum(generator.normal(0, 0.02, len(worked))))
        days = generator.poisson(pace * worked).astype(float)
        known = len(days) - 21
        found = to_come(days[None, :known], worked)
        low, high = (quantile(share, found.mean, found.spread)[0] for share in (0.1, 0.9))
        inside += low <= days[known:].sum() <= high
    assert 0.72 <= inside / trials <= 0.88


# --- a plan and its records ----------------------------------------------------------------------

PLAN = """
year: {first_month: 2026-01}
plan_date: 2026-01-01
goal: {new_arr: 120_000, phasing: {quarters: [0.2, 0.3, 0.2, 0.3]}}
stages: [{id: lead}, {id: sql}, {id: won}]
commit: {stage: sql}
segments: {a: {acv: 1000, share: 0.6}, b: {acv: 3000, share: 0.4}}
sources: {web: {share: 0.5}, fairs: {owner: sales, share: 0.5}}
transitions: [{from: lead, to: sql, rate: 0.5, evidence: 400}, {from: sql, to: won, rate: 0.2, evidence: 200, lag: {months: 1}}]
history: {leads: crm.yaml}
"""
CRM = """
format: wide
files: {leads: {path: leads.csv, id: id}}
stages: {lead: leads.lead, sql: leads.sql, won: leads.won}
lost: leads.lost
segment: leads.segment
source: leads.source
amount: leads.amount
"""


PEOPLE = "capacity: {roster: [{rep: ann, role: ae, start: 2020-01-01}, {rep: bo, role: ae, start: 2020-01-01}], roles: {ae: {productivity: 50_000}}}\n"
JUNE = Span("2026-06", pd.Period("2026-06", "M"), 1, date(2026, 6, 17))


def company(folder: Path, more: str = "", until: date = date(2026, 6, 17)) -> Path:
    """A plan and its records: from 2024 on three leads a working day, every second one an SQL a day later."""
    generator = np.random.default_rng(11)
    rows = ["id,segment,source,lead,sql,won,lost,amount"]
    day = date(2024, 1, 1)
    while day <= until:
        for number in range(generator.poisson(3) if day.weekday() < 5 else 0):
            later = day + timedelta(days=1)
            sql = later.isoformat() if number % 2 == 0 and later <= until else ""
            won = later + timedelta(days=20)
            is_won = sql and generator.random() < 0.2 and won <= until
            segment, source = "ab"[int(generator.random() < 0.3)], ("web", "fairs")[int(generator.random() < 0.4)]
            amount = "" if segment == "a" else str(generator.integers(2000, 4000))
            gone = later + timedelta(days=40)
            lost = gone if gone <= until and not is_won else ""
            rows.append(f"{len(rows)},{segment},{source},{day},{sql},{won if is_won else ''},{lost},{amount}")
        day += timedelta(days=1)
    (folder / "leads.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "crm.yaml").write_text(CRM, encoding="utf-8")
    path = folder / "plan.yaml"
    path.write_text(PLAN + more, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return company(tmp_path_factory.mktemp("pace"), "calendar: {country: US}\n")


@pytest.fixture(scope="module")
def book(plan: Path) -> PaceBook:
    return open_pace(plan)


def test_the_month_asks_for_what_the_plan_says(book: PaceBook) -> None:
    promised = book.board.sides.planned_flow
    june = promised[(promised["month"] == pd.Period("2026-06", "M")) & (promised["stage"] == "sql")]["entries"].sum()
    row = book.line()
    assert row is not None
    assert june > 10
    assert row["target"] == pytest.approx(june)
    # June 2026 has 22 weekdays; Juneteenth is a Friday. By the 17th, a Wednesday, 13 are over.
    assert (row["working_days_done"], row["working_days_left"]) == (13, 8)
    assert row["target_to_date"] == pytest.approx(june * 13 / 21)


def test_parts_add_up_to_the_whole(book: PaceBook) -> None:
    lines = book.lines
    keys = ["period", "stage"]
    whole = lines[lines["of"] == "whole"].set_index(keys)
    for of in ("segment", "source", "team", "cell"):
        sums = lines[lines["of"] == of].groupby(keys)[["target", "target_to_date", "actual", "gap", "gap_value"]].sum()
        for column in sums:
            assert sums[column].to_numpy() == pytest.approx(whole.loc[sums.index, column].to_numpy())
    quarter = whole.xs("2026-Q2", level="period")["actual"]
    came = book.history.stage_history if book.history else pd.DataFrame()
    april = came[came["entered_on"] >= "2026-04-01"].groupby("stage").size()
    assert quarter.to_dict() == april.astype(float).to_dict()


def month_of_june(folder: Path, a: int, b: int) -> PaceBook:
    """Records of before June, and so many SQLs of each segment on its first working day, of entries worth 1 to 3."""
    path = company(folder, until=date(2026, 5, 29))
    with (folder / "leads.csv").open("a", encoding="utf-8") as file:
        for number, segment in enumerate("a" * a + "b" * b):
            file.write(f"june{number},{segment},web,2026-05-29,2026-06-01,,,\n")
    return open_pace(path, "2026-06-01")


def test_attainment_is_the_actual_over_the_plan_to_date(tmp_path: Path) -> None:
    book = month_of_june(tmp_path, 3, 1)
    row = book.line()
    assert row is not None
    assert row["attainment"] == pytest.approx(4 / row["target_to_date"])
    percent = show(row["attainment"], "share")
    facts = exhibits.summary(book).table
    assert facts is not None
    assert dict(facts.to_numpy().tolist())["% of plan to date"] == percent
    for made in (exhibits.stages(book), exhibits.periods(book), exhibits.parts(book), exhibits.cells(book)):
        assert "% of plan to date" in made._repr_mimebundle_()["text/html"]
    assert "% of plan to date: " + percent in plain(book, "")


def test_behind_in_entries_and_ahead_in_money_is_explained(tmp_path: Path) -> None:
    """Planned by the evening: 40.5 SQLs over 22 working days, of 0.6 a and 0.4 b, of 1,000 and 3,000 each."""
    more = "what came is of segments and sources whose entries are worth more than those planned."
    for a, b, said in ((0, 1, f"behind in entries and ahead in money, since {more}"), (2, 0, f"ahead in entries and behind in money, since {more.replace('more than', 'less than')}"),
                       (0, 0, ""), (3, 3, "")):  # fmt: skip
        folder = tmp_path / f"{a}{b}"
        folder.mkdir()
        book = month_of_june(folder, a, b)
        row = book.line()
        assert row is not None
        differ = row["gap"] * row["gap_value"] < 0
        assert differ == bool(said), (a, b)
        for made in (exhibits.summary(book), exhibits.stages(book)):
            told = [note for note in made.notes if "in entries and" in note]
            assert [note.split(": ", 1)[1] for note in told] == ([said] if said else [])
        assert ("in entries and" in plain(book, "")) == bool(said)


def test_lines_of_the_month_end_where_the_table_says(book: PaceBook) -> None:
    days, row = book.days, book.line()
    assert row is not None
    today = days[days["day"] == "2026-06-17"].iloc[0]
    assert (today["actual"], today["target"]) == pytest.approx((row["actual"], row["target_to_date"]))
    last = days.iloc[-1]
    ends = last[["target", "forecast", "forecast_low", "forecast_high"]].tolist()
    assert ends == pytest.approx(row[["target", "projected", "projected_low", "projected_high"]].tolist())
    assert days["actual"].isna().sum() == 13


def test_the_landing_of_month_quarter_and_year(book: PaceBook) -> None:
    found = book.landing.set_index("period")
    assert list(found.index) == ["2026-06", "2026-Q2", "2026"]
    for _, row in found.iterrows():
        assert row["landing"] == pytest.approx(row["closed"] + row["from_open"] + row["to_create"])
        assert row["landing_low"] <= row["landing_middle"] <= row["landing_high"]
    assert found.loc["2026-06", "closed"] < found.loc["2026-Q2", "closed"] < found.loc["2026", "closed"]
    assert found.loc["2026", "landing"] == pytest.approx(book.board.landing["landing"].iloc[-1])
    assert found["chance_of_goal"].between(0, 1).all()


@pytest.mark.parametrize(
    ("days_behind", "said"),
    [
        ([-1.0, 0.0, 0.0], "No stage is behind its line in Jun 2026."),
        ([-1.0, 2.0, 0.0], "1 of 3 stages is behind its line in Jun 2026: SQL."),
        ([1.0, 2.0, 0.0], "2 of 3 stages are behind their line in Jun 2026, SQL furthest."),
    ],
)
def test_stages_behind_are_counted_in_words_that_fit(book: PaceBook, days_behind: list[float], said: str) -> None:
    other = PaceBook(book.board, book.history)
    lines = book.lines.copy()
    chosen = (lines["of"] == "whole") & (lines["period_kind"] == "month")
    lines.loc[chosen, "days_behind"] = days_behind
    object.__setattr__(other, "lines", lines)
    assert exhibits.stages(other).message == said


def test_what_lacks_nothing_in_money_is_not_said_to_lack_it(book: PaceBook) -> None:
    for worth, said in ((250.0, "in money none is behind."), (-250.0, "is worth most: $250 of new ARR.")):
        other = PaceBook(book.board, book.history)
        object.__setattr__(other, "lines", book.lines.assign(days_behind=1.0, gap=-1.0, gap_value=worth))
        parts = exhibits.parts(other)
        assert parts.message.endswith(said)
        assert len([note for note in parts.notes if "behind in entries and ahead in money" in note]) == (worth > 0)


def test_a_landing_adds_up_as_it_is_shown_and_no_chance_is_certain(tmp_path: Path) -> None:
    book = open_pace(company(tmp_path))
    shown = exhibits.landing(book).table
    assert shown is not None
    assert shown["landing"].tolist() == shown[["closed", "from_open", "to_create"]].sum(axis=1).tolist()
    (tmp_path / "plan.yaml").write_text(PLAN.replace("120_000", "12_000_000"), encoding="utf-8")
    far = open_pace(tmp_path / "plan.yaml")
    chances = exhibits.periods(far).table
    assert chances is not None
    assert set(chances["chance_of_missing"]) == {"over 99.9%"}
    assert "100.0%" not in exhibits.periods(far)._repr_mimebundle_()["text/html"]


@pytest.mark.parametrize("people", ["", PEOPLE], ids=["without people", "with people"])
def test_the_chance_of_each_goal_is_that_of_its_band(tmp_path: Path, people: str) -> None:
    book = open_pace(company(tmp_path, people))
    told, now = book.landing, book.board.now
    assert now is not None
    for number, (span, name) in enumerate(((5, "month"), (3, "quarter"), (0, "year"))):
        months = slice(span, {"month": 6, "quarter": 6, "year": 12}[name])
        for column, chance in (("landing_low", 0.9), ("landing_middle", 0.5), ("landing_high", 0.1)):
            goal = told[column].iloc[number]
            targets = now.targets * goal / now.targets[:, months].sum()
            found = simulate(replace(now, targets=targets)).within(months)
            assert found.chance_of_goal.value == pytest.approx(chance, abs=0.02), (name, column)


def test_a_month_lands_as_its_open_records_are_won_or_lost(tmp_path: Path) -> None:
    """Each record drawn for itself: won in the month with its own chance, worth what it is worth."""
    book = open_pace(company(tmp_path, "uncertainty: {rho: 0, lag_cv: 0, volume_cv: 0}\n"))
    now = book.board.now
    assert now is not None
    assert now.first == 5
    still = now.plan.model_copy(
        update={"transitions": tuple(each.model_copy(update={"evidence": None}) for each in now.plan.transitions)}
    )
    row = landing(replace(now, plan=still), simulate(replace(now, plan=still)), [JUNE], np.nan)
    generator = np.random.default_rng(5)
    drawn = np.full(20_000, row["closed"].iloc[0])
    for number, (cell, groups) in enumerate(zip(now.cells, now.open_yields, strict=True)):
        acv = still.segments[cell.segment].acv
        spread = np.sqrt(np.log1p(((acv.sd or 0.0) / acv.mean) ** 2))
        new = generator.poisson(now.flows[number][-1][0], len(drawn))
        wins = [(new, cell.acv)]
        for group, found in groups:
            items = round(float(group.items.sum() - found.dead_items))
            if found.wins[5] > 0:
                wins.append(
                    (generator.binomial(items, found.wins[5] / items, len(drawn)), found.arr[5] / found.wins[5])
                )
        for count, value in wins:
            worth = value * np.exp(spread * generator.standard_normal(count.sum()) - spread**2 / 2)
            drawn += np.bincount(np.repeat(np.arange(len(drawn)), count), worth, len(drawn))
    low, middle, high = np.quantile(drawn, [0.1, 0.5, 0.9])
    told = row.iloc[0]
    assert told["landing"] == pytest.approx(drawn.mean(), rel=0.01)
    assert told[["landing_low", "landing_middle", "landing_high"]].tolist() == pytest.approx(
        [low, middle, high], rel=0.03
    )
    assert told["chance_of_goal"] == pytest.approx((drawn >= told["goal"]).mean(), abs=0.03)


def test_the_deals_that_decide_are_open_and_swing_most(book: PaceBook) -> None:
    found = book.deciding
    assert len(found) == 10
    assert found["swing"].is_monotonic_decreasing
    assert found["swing"].tolist() == pytest.approx(
        (found["amount"] * (found["chance"] * (1 - found["chance"])) ** 0.5).tolist()
    )
    won = book.history.stage_history if book.history else pd.DataFrame()
    assert not set(found["record"]) & set(won.loc[won["stage"] == "won", "record"].astype(str))
    assert found["chance"].between(0.0005, 0.9995).all()


def test_records_older_than_any_conversion_decide_nothing(tmp_path: Path) -> None:
    path = company(tmp_path)
    head, *rows = (tmp_path / "leads.csv").read_text(encoding="utf-8").splitlines()
    decided = [row for row in rows if row.split(",")[4] == "" or "".join(row.split(",")[5:7])]
    old = "ancient,a,web,2025-01-06,2025-01-06,,,900000"
    (tmp_path / "leads.csv").write_text("\n".join([head, *decided, old]) + "\n", encoding="utf-8")
    book = open_pace(path)
    assert book.deciding.empty
    assert book.zombies[1] >= 900_000


def test_json_says_what_the_interface_promises(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pace", str(plan), "--as-of", "2026-06-17", "--json"]) in (0, 3)
    answer = json.loads(capsys.readouterr().out)
    assert answer["as_of"] == "2026-06-17"
    wanted = {"stage", "segment", "source", "target_to_date", "actual", "gap", "days_behind", "needed_per_working_day"}
    assert all(wanted <= set(each) for each in answer["lines"])
    cells = {(each["stage"], each["segment"], each["source"]) for each in answer["lines"]}
    assert len(cells) == len(answer["lines"]) == 3 * 4
    total = next(each for each in answer["totals"] if each["of"] == "whole" and each["stage"] == "sql")
    assert sum(each["actual"] for each in answer["lines"] if each["stage"] == "sql") == total["actual"]
    year = answer["landing"]["year"]
    assert {"mean", "p10", "p50", "p90", "won", "open", "to_create", "chance_of_goal"} <= set(year)
    assert year["mean"] == pytest.approx(year["won"] + year["open"] + year["to_create"])


def test_the_records_may_be_named_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = company(tmp_path)
    path.write_text(PLAN.replace("history: {leads: crm.yaml}\n", ""), encoding="utf-8")
    assert main(["pace", str(path), "--json"]) == 0
    alone = json.loads(capsys.readouterr().out)
    assert (alone["lines"], alone["says"][:26]) == ([], "The plan names no records,")
    assert main(["pace", str(path), str(tmp_path / "crm.yaml"), "--json"]) in (0, 3)
    assert len(json.loads(capsys.readouterr().out)["lines"]) == 12


@pytest.mark.parametrize(
    ("day", "said"),
    [
        ("2025-11-30", "The plan counts from 1 Jan 2026 on; by 30 Nov 2025 nothing of it can have come yet."),
        ("2027-02-01", "The year ended on 31 Dec 2026; what it came to stands in the board report."),
    ],
)
def test_days_outside_the_year(plan: Path, day: str, said: str) -> None:
    book = open_pace(plan, day)
    assert exhibits.told(book) == said
    assert book.lines.empty
    assert [each.kind for each in exhibits.tables(book)]


def test_before_and_after_the_year_nothing_false_is_said(plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pace", str(plan), "--as-of", "2025-12-10"]) == 0
    before = capsys.readouterr().out
    assert before.count("nothing of it can have come yet") == 1
    assert "names no records" not in before
    assert "FY26 is expected to land at" in before
    assert main(["pace", str(plan), "--as-of", "2027-02-01"]) == 0
    after = capsys.readouterr().out
    assert "FY26 has ended:" in after
    assert "expected to land" not in after


def test_the_landing_says_what_still_to_create_takes_for_granted(plan: Path, book: PaceBook) -> None:
    assert "Still to create: what the entries still planned are to bring." in exhibits.landing(book).notes
    evening = exhibits.landing(open_pace(plan, "2026-05-31"))
    assert any("if they come in as they did lately, FY26 lands at $" in each for each in evening.notes)


def test_the_last_day_of_a_month_says_what_became_of_it(plan: Path) -> None:
    said = exhibits.told(open_pace(plan, "2026-05-31"))
    assert "No working day is left in May 2026" in said
    assert "its plan of" in said


def test_a_record_short_on_the_last_day_is_not_on_the_line() -> None:
    whole, short = (line(followed([float(each)] + [0.0] * 27, target=1000.14)) for each in (1000, 999))
    assert exhibits._position(whole) == "on the line"
    assert exhibits._position(short) == "1.1 behind"
    assert exhibits._position(line(followed([49.0]))) == "on the line"  # a record short, with days left


def test_what_is_said_is_so(book: PaceBook) -> None:
    row = book.line()
    assert row is not None
    said = exhibits.told(book)
    assert f"{row['actual']:.0f} SQLs by 17 Jun 2026" in said
    assert ("behind" in said) == (row["days_behind"] > 0)


def test_teams_work_by_their_own_calendar(tmp_path: Path) -> None:
    teams = "calendar: {country: US, teams: {dach: {country: DE, region: BY, sources: [fairs]}, apac: {country: JP, segments: [a]}}}\n"
    found = open_pace(company(tmp_path, teams)).lines
    june = found[(found["of"] == "cell") & (found["period_kind"] == "month") & (found["stage"] == "sql")]
    left = june.set_index(["segment", "source"])["working_days_left"].to_dict()
    # After 17 June: in the US Juneteenth is free, in Bavaria and Japan nothing is (Corpus Christi was on the 4th).
    assert left == {("a", "web"): 9, ("a", "fairs"): 9, ("b", "web"): 8, ("b", "fairs"): 9}
    done = june.set_index(["segment", "source"])["working_days_done"].to_dict()
    assert done == {("a", "web"): 13, ("a", "fairs"): 12, ("b", "web"): 13, ("b", "fairs"): 12}
    assert set(june["team"]) == {"dach", "apac", "marketing"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("calendar: {closures: [{from: 2026-07-30, to: 2026-09-01}]}", "calendar: leaves no working day in 2026-08"),
        ("calendar: {country: XX}", "no public holidays are known of country 'XX'"),
        ("calendar: {teams: {x: {sources: [shop]}}}", "calendar.teams.x.sources"),
        ("calendar: {teams: {x: {sources: [web]}, y: {sources: [web], segments: [a]}}}", "calendar.teams.y: works nothing"),
        ("pace: {alert: 0.6, all_clear: 0.8}", "lies above alert"),
        ("pace: {within_month: [0.5, 0.6]}", "sums to 1.1"),
        ("pace: {by_segment: {b: [0.5, 0.6]}}", "by_segment.b sums to 1.1"),
        ("pace: {by_segment: {c: [0.5, 0.5]}}", "'c' is no segment of this plan; it has a, b"),
        ("pace: {watched: month}", "watched"),
    ],
)  # fmt: skip
def test_calendars_and_settings_that_cannot_be_are_refused(tmp_path: Path, more: str, said: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN + more + "\n", encoding="utf-8")
    with pytest.raises(PlanError) as refused:
        read_plan(path)
    assert said in str(refused.value)


def test_amounts_in_two_currencies_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = company(tmp_path)
    text = (tmp_path / "leads.csv").read_text(encoding="utf-8").splitlines()
    rows = [f"{row},{'currency' if not at else 'USD' if at % 2 else 'EUR'}" for at, row in enumerate(text)]
    (tmp_path / "leads.csv").write_text("\n".join(rows), encoding="utf-8")
    assert main(["pace", str(path)]) == 2
    told = capsys.readouterr()
    assert "several currencies" in told.err
    assert told.out == ""


# --- who did best --------------------------------------------------------------------------------


def test_luck_is_taken_off_the_best() -> None:
    target = np.array([4.0, 40.0, 400.0])
    found = attainment(np.array([8.0, 60.0, 400.0]), target)
    assert found["attainment"].tolist() == pytest.approx([2, 1.5, 1])
    assert found["shrunk"].iloc[0] < found["shrunk"].iloc[1]  # 8 of 4 is less sure than 60 of 40
    assert found["shrunk"].iloc[2] == pytest.approx(1.0, abs=0.05)
    assert (found["attainment_low"] < found["shrunk"]).all()
    assert (found["shrunk"] < found["attainment_high"]).all()


def test_where_all_is_luck_nobody_is_praised() -> None:
    generator = np.random.default_rng(8)
    praised = 0
    for _ in range(200):
        target = generator.uniform(3, 30, 12)
        found = attainment(generator.poisson(0.9 * target).astype(float), target).sort_values("shrunk")
        praised += found["attainment_low"].iloc[-1] > found["mean_attainment"].iloc[-1]
    assert praised / 200 < 0.25  # the best of twelve, each above its P10 in one case of ten by luck


@pytest.mark.parametrize("audience", ["managers", "all_hands"])
def test_each_audience_is_shown_its_own(book: PaceBook, audience: str) -> None:
    assert exhibits.detail(book, audience).table is not None
    with pytest.raises(PlanError, match="audience: got 'press'; it is one of managers, all_hands"):
        exhibits.detail(book, "press")


# --- claims --------------------------------------------------------------------------------------

NAN = float("nan")


@pytest.mark.parametrize(
    ("claimed", "arr", "measured", "verdict", "numbers"),
    [
        (4.0, 0.8, NAN, "contradicted", ("400%", "80%")),
        (4.0, 0.8, 0.7, "contradicted", ("70%", "80%")),
        (4.0, 0.8, 3.9, "agrees", ("390%", "80%")),
        (0.9, 0.8, NAN, "agrees", ("80%",)),
        (4.0, NAN, NAN, "cannot be told", ()),
    ],
)
def test_growth_of_sales_is_held_against_arr(
    claimed: float, arr: float, measured: float, verdict: str, numbers: tuple[str, ...]
) -> None:
    found = growth(claimed, arr, measured)
    assert found.verdict == verdict
    assert all(number in found.told for number in numbers)


def test_shares_of_who_sourced_add_up_to_all_at_most() -> None:
    assert sourced({"marketing": 0.72, "sales": 0.45}, {"marketing": 0.5}).verdict == "contradicted"
    assert sourced({"marketing": 0.5}, {"marketing": 0.52}).verdict == "agrees"
    assert sourced({"marketing": 0.7}, {"marketing": 0.5}).verdict == "contradicted"
    assert sourced({"marketing": 0.7}, {}).verdict == "cannot be told"
    unheard = sourced({"marketing": 0.5, "agency": 0.5}, {"marketing": 0.5, "sales": 0.5})
    assert (unheard.verdict, "agency" in unheard.told) == ("cannot be told", True)
    assert sourced({"sales": 0.3}, {"marketing": 1.0, "sales": 0.0}).verdict == "contradicted"


def test_coverage_is_of_what_is_left() -> None:
    assert covered(3.0, 3.0, 4.5).verdict == "contradicted"
    assert covered(4.5, 3.0, 4.5).verdict == "agrees"
    assert covered(3.0, 3.0, NAN).verdict == "cannot be told"
    assert "older than any conversion" in covered(3.0, 0.0, 0.0, "$500k").told
    assert "older than any conversion" not in covered(3.0, 3.0, 4.5).told


def test_the_ratio_of_a_period_is_no_win_rate() -> None:
    three = pd.DataFrame(
        [{"quarter": "this quarter", "rate": 0.21, "rate_low": 0.18, "rate_high": 0.24, "period_ratio": 0.32}]
    )
    found = converted(0.32, three)
    assert found.verdict == "contradicted"
    assert "32% is what was won in the quarter over what came in" in found.told
    assert converted(0.2, three).verdict == "agrees"
    assert "won in the quarter over" not in converted(0.5, three).told
    assert converted(0.2, three.assign(rate=NAN)).verdict == "cannot be told"
    decided = three.assign(rate=0.099, rate_low=0.099, rate_high=0.099, period_ratio=0.099)  # nothing is open any more
    assert converted(0.1, decided).verdict == "agrees"
    assert converted(0.2, decided).verdict == "contradicted"


def test_claims_of_a_plan_are_held_against_its_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    claimed = "claims: [{by: sales, sourced: {web: 0.9, sales: 0.4}, win_rate: 0.9}, {by: cmo, sales_growth: 9}]\n"
    path = company(tmp_path, claimed)
    rows = (tmp_path / "leads.csv").read_text(encoding="utf-8")
    (tmp_path / "leads.csv").write_text(
        rows + "bluebird,a,web,2026-06-02,2026-06-02,2026-06-02,,5000\n", encoding="utf-8"
    )
    assert main(["pace", str(path), "--json"]) in (0, 3)
    found = json.loads(capsys.readouterr().out)["claims"]
    assert [(each["by"], each["verdict"]) for each in found] == [
        ("sales", "contradicted"),
        ("sales", "contradicted"),
        ("cmo", "contradicted"),
        ("records", "look at this"),
    ]
    assert found[0]["told"].startswith("The shares claimed add up to 130%")
    assert found[3]["told"].startswith("1 of ")
    assert "$5k" in found[3]["told"]
    path.write_text(PLAN + "claims: [{by: sales}]\n", encoding="utf-8")
    with pytest.raises(PlanError, match="claims nothing"):
        read_plan(path)


@pytest.mark.parametrize(("amount", "worth"), [("2500", "$5k"), ("", "$6k")])
def test_wins_that_no_earlier_snapshot_held_are_told(tmp_path: Path, amount: str, worth: str) -> None:
    """Two of the quarter's wins came and were won on one day, an hour apart; without an amount each is worth the plan's deal."""
    path = company(tmp_path)
    before = open_pace(path).claims
    assert len(before) == 0
    with (tmp_path / "leads.csv").open("a", encoding="utf-8") as file:
        for number in range(2):
            file.write(
                f"new{number},b,web,2026-06-1{number} 09:00,2026-06-1{number} 10:00,2026-06-1{number} 11:00,,{amount}\n"
            )
    book = open_pace(path)
    wins = book.board.history
    assert wins is not None
    won = wins.stage_history[wins.stage_history["stage"] == "won"]["entered_on"]
    quarter = int((won >= pd.Timestamp(2026, 4, 1)).sum())
    assert book.claims["told"].tolist() == [
        f"2 of {quarter} wins entered the records on the day of the win, worth {worth}: no forecast could count on that."
    ]


def test_days_to_come_are_told_first_and_counted_nowhere(tmp_path: Path) -> None:
    path = company(tmp_path)
    before = open_pace(path)
    rows = (tmp_path / "leads.csv").read_text(encoding="utf-8")
    (tmp_path / "leads.csv").write_text(rows + "x,a,web,2091-03-01,,,,\ny,a,web,2091-04-01,,,,\n", encoding="utf-8")
    after = open_pace(path)
    assert "after today" in after.notes[0]
    assert after.as_of == before.as_of
    assert after.lines["actual"].tolist() == before.lines["actual"].tolist()


def test_one_segment_is_what_it_is_in_the_whole(plan: Path, book: PaceBook) -> None:
    alone = open_pace(plan, segment="a").lines
    whole = book.lines[(book.lines["of"] == "segment") & (book.lines["segment"] == "a")]
    mine = alone[alone["of"] == "whole"]
    for name in ("target", "target_to_date", "actual", "gap_value", "projected"):
        assert mine[name].tolist() == pytest.approx(whole[name].tolist())
    # Its first record may be days younger than that of all, and so the past its errors are learnt from.
    assert mine["chance_of_missing"].tolist() == pytest.approx(whole["chance_of_missing"].tolist(), abs=0.01)


def test_a_fiscal_year_may_begin_in_any_month(tmp_path: Path) -> None:
    path = company(tmp_path, "calendar: {country: US}\n", until=date(2028, 2, 29))
    for first in ("2027-05", "2027-09", "2028-01"):
        plan = PLAN.replace("2026-01-01", f"{first}-01").replace("2026-01", first)
        path.write_text(f"{plan}calendar: {{country: US}}\n", encoding="utf-8")
        book = open_pace(path, "2028-02-29")
        month = book.line()
        assert month is not None
        assert (month["period"], month["working_days_left"], month["working_days_done"]) == ("2028-02", 0, 20)
        assert month["target"] == pytest.approx(month["target_to_date"])
        rows = book.lines[(book.lines["of"] == "whole") & (book.lines["stage"] == "sql")].set_index("period_kind")
        flow = book.board.sides.planned_flow
        flow = flow[flow["stage"] == "sql"]
        begin = {"2027-05": "2028-02", "2027-09": "2027-12", "2028-01": "2028-01"}[first]
        quarter = pd.period_range(begin, periods=3, freq="M")
        assert rows.loc["quarter", "target"] == pytest.approx(flow[flow["month"].isin(quarter)]["entries"].sum())
        year = flow["month"].between(pd.Period(first, "M"), pd.Period(first, "M") + 11)
        assert rows.loc["year", "target"] == pytest.approx(flow[year]["entries"].sum())


def test_holidays_are_loaded_only_where_a_country_is_named() -> None:
    code = "import sys, revplan.crm.planfile; sys.exit('holidays' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
