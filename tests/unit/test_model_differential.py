"""Single leads simulated in continuous time against the kernels: they agree within sampling error.

The simulation knows nothing of months' kernels: every lead enters at its own moment, each step
takes its own log-normal time, and only the moments of arrival are sorted into months.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from math import log

import numpy as np
import pandas as pd
import pytest

from revplan.funnel.funnel import HORIZON, Cell, forward
from revplan.funnel.pipeline import OpenGroup, open_yield
from revplan.ground.lag import Lag

LEADS = 100_000
MONTH = 30.4375  # days: 365.25 / 12
Z90 = 1.2815515655446004  # 90 % quantile of the standard normal
SIGMAS = 4.0

ONE = ((0.6, Lag(median_days=60, p90_days=150)),)
# lead, mql, sql, sal, sqo, won; rates high enough that a few ten thousand leads are won
FIVE = (
    (0.9, Lag(median_days=5, p90_days=22)),
    (0.85, Lag(median_days=7, p90_days=18)),
    (0.9, Lag(median_days=3, p90_days=9)),
    (0.8, Lag(median_days=18, p90_days=52)),
    (0.7, Lag(median_days=36, p90_days=108)),
)
Path = tuple[tuple[float, Lag], ...]


def cell_of(path: Path) -> Cell:
    return Cell(
        segment="all",
        source="all",
        stages=tuple(f"s{index}" for index in range(len(path) + 1)),
        rates=tuple(rate for rate, _ in path),
        lags=tuple(lag for _, lag in path),
        acv=1.0,
        share=1.0,
    )


def delays(lag: Lag, count: int, rng: np.random.Generator) -> np.ndarray:
    """Days that `count` records take."""
    assert lag.median_days is not None
    assert lag.p90_days is not None
    return lag.median_days * np.exp(log(lag.p90_days / lag.median_days) / Z90 * rng.standard_normal(count))


def arrivals_of_single_leads(path: Path, start: float, seed: int) -> np.ndarray:
    """Leads that enter each stage 0, 1, 2, ... months after the month in which LEADS of them entered."""
    rng = np.random.default_rng(seed)
    at = rng.uniform(start, 1.0, LEADS) * MONTH
    months = [np.bincount((at / MONTH).astype(int), minlength=HORIZON)[:HORIZON]]
    for rate, lag in path:
        at = at[rng.random(len(at)) < rate]
        at = at + delays(lag, len(at), rng)
        months.append(np.bincount((at / MONTH).astype(int), minlength=HORIZON)[:HORIZON])
    return np.stack(months)


def worst_deviation(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest deviation of a month's count from its expectation. [standard errors]

    Months in which fewer than 25 leads are expected are taken together with the ones after them.
    """
    worst = 0.0
    for counted, mean in zip(found, expected, strict=True):
        whole = int((np.cumsum(mean[::-1])[::-1] >= 25).sum())  # months whose rest holds 25 or more
        groups = np.minimum(np.arange(len(mean)), max(whole - 1, 0))
        seen, wanted = np.bincount(groups, counted), np.bincount(groups, mean)
        error = np.sqrt(np.maximum(wanted * (1 - wanted / LEADS), 1.0))
        worst = max(worst, float((np.abs(seen - wanted) / error).max()))
    return worst


def by_kernel(path: Path, start: float) -> np.ndarray:
    entries = np.zeros(HORIZON)
    entries[0] = LEADS
    return forward(cell_of(path), entries, start)


def by_convolved_months(path: Path) -> np.ndarray:
    """The wrong way: each step turned into months by itself, and the months convolved."""
    arrivals = [np.append(LEADS, np.zeros(HORIZON - 1))]
    for rate, lag in path:
        arrivals.append(rate * np.convolve(arrivals[-1], lag.shares())[:HORIZON])
    return np.stack(arrivals)


@pytest.mark.parametrize("start", [0.0, 14 / 30, 0.9])
@pytest.mark.parametrize("path", [ONE, FIVE], ids=["one", "five"])
def test_single_leads_agree_with_the_kernel(path: Path, start: float) -> None:
    found = arrivals_of_single_leads(path, start, seed=20261115)
    assert worst_deviation(found, by_kernel(path, start)) < SIGMAS


@pytest.mark.parametrize(("median", "p90"), [(0.5, 2.0), (4.0, 20.0), (146.0, 227.0), (20.0, 300.0)])
def test_short_long_and_wide_delays_agree_too(median: float, p90: float) -> None:
    path = ((0.5, Lag(median_days=median, p90_days=p90)),)
    found = arrivals_of_single_leads(path, 0.0, seed=7)
    assert worst_deviation(found, by_kernel(path, 0.0)) < SIGMAS


def test_convolving_months_would_be_caught() -> None:
    found = arrivals_of_single_leads(FIVE, 0.0, seed=20261115)
    wrong = by_convolved_months(FIVE)
    assert worst_deviation(found, wrong) > 15 * SIGMAS
    # each step begins anew, evenly over its month: the wins of the month of entry come out fifteen times too many
    right = by_kernel(FIVE, 0.0)
    assert wrong[-1, 0] > 10 * right[-1, 0]
    assert wrong[-1, 1] > 1.2 * right[-1, 1]
    assert wrong[-1, 2] < 0.85 * right[-1, 2]
    # nothing is lost either way: only the months are wrong
    assert wrong[-1].sum() == pytest.approx(right[-1].sum(), rel=2e-3)


def test_a_kernel_for_the_whole_month_is_wrong_for_its_last_third() -> None:
    path = ((0.6, Lag(median_days=12, p90_days=34)),)
    found = arrivals_of_single_leads(path, 2 / 3, seed=3)
    assert worst_deviation(found, by_kernel(path, 2 / 3)) < SIGMAS
    assert worst_deviation(found, by_kernel(path, 0.0)) > 10 * SIGMAS


# --- open records --------------------------------------------------------------------------------------------

PLAN_DATE = date(2026, 11, 15)
FIRST_MONTH = pd.Period("2026-11", freq="M")  # so that the months counted begin with the plan month
RATE, CONVERTS, LOSES = 0.4, Lag(median_days=45, p90_days=120), Lag(median_days=30, p90_days=90)


def month_edges() -> np.ndarray:
    """Days from the plan date to the begin of each month after it, the end of the last one included."""
    starts = [(FIRST_MONTH + month).start_time.date() for month in range(HORIZON + 1)]
    return np.array([max((start - PLAN_DATE).days, 0) for start in starts])


def open_items_followed(age: float, rest: Path, seed: int) -> tuple[int, np.ndarray]:
    """How many of 400,000 records are still open at `age`, and how many of those are won in each month.

    A record either converts, with its delay, or is lost, with another one; who is open at `age` is
    whom neither has happened to yet. Records come in at any hour of a day, and what is open is known at
    the end of one: a record of `age` whole days is up to a day older.
    """
    rng = np.random.default_rng(seed)
    converts = rng.random(4 * LEADS) < RATE
    leaves = np.where(converts, delays(CONVERTS, 4 * LEADS, rng), delays(LOSES, 4 * LEADS, rng))
    really = age + rng.random(4 * LEADS)
    still_open = leaves > really
    at = (leaves - really)[still_open & converts]
    for rate, lag in rest:
        at = at[rng.random(len(at)) < rate]
        at = at + delays(lag, len(at), rng)
    return int(still_open.sum()), np.histogram(at, month_edges())[0]


def lost_by_day(share_recorded: float) -> np.ndarray:
    """Share of all entries recorded lost by each whole day: half a day later where days of entry and loss are counted."""
    return share_recorded * (1 - RATE) * LOSES.cdf(np.arange(2000.0) + 0.5)


@pytest.mark.parametrize("rest", [(), ((0.7, Lag(median_days=20, p90_days=60)),)], ids=["next is won", "two steps"])
@pytest.mark.parametrize("age", [0, 20, 75, 180])
def test_open_records_convert_as_single_ones_with_competing_losses_do(age: int, rest: Path) -> None:
    count, found = open_items_followed(age, rest, seed=age + 1)
    cell = cell_of(((RATE, CONVERTS), *rest))
    group = OpenGroup(
        stage=0, ages=np.array([age * 1.0]), items=np.ones(1), values=np.array([500.0]), lost=lost_by_day(1.0)
    )
    expected = open_yield(cell, group, PLAN_DATE, FIRST_MONTH)
    chance, months = expected.wins, 6
    error = np.sqrt(np.maximum(chance * (1 - chance) / count, 1 / count**2))
    # days are counted whole once a second step follows: allow for a shift of a tenth of a day beside the sampling
    grid = 0.1 * np.abs(np.diff(chance, prepend=0, append=0)).max() / MONTH if rest else 0.0
    assert (np.abs(found / count - chance)[:months] < SIGMAS * error[:months] + grid).all()
    assert expected.arr == pytest.approx(500 * chance)
    assert expected.chance == pytest.approx(chance.sum(), abs=1e-3)


def test_leaving_the_losses_out_would_be_caught() -> None:
    count, found = open_items_followed(75, (), seed=1)
    group = OpenGroup(stage=0, ages=np.array([75.0]), items=np.ones(1), values=np.ones(1), lost=np.zeros(1))
    without = open_yield(cell_of(((RATE, CONVERTS),)), group, PLAN_DATE, FIRST_MONTH)
    assert without.wins[:6].sum() < 0.75 * found[:6].sum() / count


def test_where_no_loss_is_recorded_an_open_record_may_be_a_lost_one() -> None:
    """Records that never leave: an open one of age a converts with r (1 - F(a)) / (1 - r F(a))."""
    age, rng = 75.0, np.random.default_rng(5)
    converts = rng.random(4 * LEADS) < RATE
    still_open = ~converts | (delays(CONVERTS, 4 * LEADS, rng) > age + rng.random(4 * LEADS))
    group = OpenGroup(stage=0, ages=np.array([age]), items=np.ones(1), values=np.ones(1), lost=np.zeros(1))
    found = open_yield(cell_of(((RATE, CONVERTS),)), group, PLAN_DATE, FIRST_MONTH)
    share = (still_open & converts).sum() / still_open.sum()
    assert found.chance == pytest.approx(share, abs=SIGMAS * np.sqrt(share * (1 - share) / still_open.sum()))


def test_no_open_record_counts_for_more_than_one() -> None:
    """Rates and losses are estimates: where they leave less open than is still to convert, the record converts once."""
    lost = np.full(400, 0.7)  # with a rate of 0.4 that leaves fewer open than there were entries
    ages = np.array([30.0, 74.0, 110.0])
    group = OpenGroup(stage=0, ages=ages, items=np.ones(3), values=np.ones(3), lost=lost)
    for number, age in enumerate(ages):
        alone = replace(group, ages=ages[number : number + 1], items=np.ones(1), values=np.ones(1))
        assert 0.9 < open_yield(cell_of(((RATE, CONVERTS),)), alone, PLAN_DATE, FIRST_MONTH).chance <= 1 + 1e-9, age
    assert open_yield(cell_of(((RATE, CONVERTS),)), group, PLAN_DATE, FIRST_MONTH).chance <= 3 + 1e-9


def test_open_records_of_a_lag_by_month_convert_over_their_first_month() -> None:
    """Evenly spread over a month, half of the conversions come in the month of entry: one month to a record at most.

    Single records: entries of the last 15 days of a month, delays even over 0 to 1 month, none lost.
    """
    rng = np.random.default_rng(8)
    entered, delay = 15 * rng.random(4 * LEADS), MONTH * rng.random(4 * LEADS)  # days before now, and from entry
    converts = rng.random(4 * LEADS) < RATE
    still_open = ~converts | (delay > entered)
    ages = np.floor(entered[still_open])
    number = np.bincount(ages.astype(int), minlength=15).astype(float)
    group = OpenGroup(stage=0, ages=np.arange(15.0), items=number, values=number, lost=np.zeros(1))
    found = open_yield(cell_of(((RATE, Lag(weights=(0.5, 0.5))),)), group, PLAN_DATE, FIRST_MONTH)
    assert found.chance == pytest.approx((still_open & converts).sum(), rel=0.03)


def test_losses_of_a_cell_follow_its_own_rate() -> None:
    """Of those who do not go on as many are recorded lost as elsewhere: 0.3 of 0.6 there, 0.4 of 0.8 here."""
    group = OpenGroup(
        stage=0, ages=np.zeros(1), items=np.ones(1), values=np.ones(1), lost=np.array([0.3]), lost_beside=0.4
    )
    assert group.lost_by(np.array([5.0]), 0.2) == pytest.approx([0.4])
