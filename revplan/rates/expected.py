"""What wins are worth: the mean deal of each cell, and how much deals scatter.

Wins expected from the records known on a day, and from those still to come: the means of a forecast.

The hazards and the open records of a day, and of as many past days as are replayed, come out of one count of the
records: what a past day knew is the same count up to that day. Only from when outcomes were recorded is taken
from today, as it says something of the records and not of the actuals.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from revplan.ground.clock import Ahead, Clock
from revplan.ground.cohorts import Cohort, recorded_window
from revplan.ground.values import Progress
from revplan.rates.arrivals import Arrivals, entries_by_day, expected_arrivals
from revplan.rates.closings import on_clock
from revplan.rates.hazards import Hazards, Open, hazards_on, open_on, stays_of, wins_by_day
from revplan.rates.spells import NEVER, Spells, day_number

PRIOR_DEALS = 10.0  # deals of the whole that a cell's mean is mixed with
RECENT_DEALS = 730  # days looked back on
FEWEST_DEALS = 5  # won records with an amount, below which nothing is said about money


@dataclass(frozen=True, eq=False)
class DealSizes:
    """By cell: mean deal; for all: the square of its coefficient of variation; by record: what it is worth if won."""

    mean: np.ndarray
    scatter: float
    worth: np.ndarray


def deals_of(spells: Spells) -> DealSizes | None:
    """Deal sizes of the records won in the last two years; None where fewer than five carry an amount.

    A record open now counts with its own amount where it has one, otherwise with the mean deal of its cell.
    """
    won = spells.entered[:, -1]
    priced = ~np.isnan(spells.amount) & (spells.amount > 0)
    inside = priced & (won < NEVER) & (won > spells.day - RECENT_DEALS)
    if inside.sum() < FEWEST_DEALS:
        return None
    amount, cell = spells.amount[inside], spells.cell[inside]
    cells = len(spells.cells)
    number = np.bincount(cell, minlength=cells)
    mean = (np.bincount(cell, amount, cells) + PRIOR_DEALS * amount.mean()) / (number + PRIOR_DEALS)
    scatter = float(np.mean((amount / mean[cell] - 1) ** 2))
    return DealSizes(mean, scatter, np.where(priced, spells.amount, mean[spells.cell]))


def mean_deal(spells: Spells) -> float | None:
    """Mean amount of the records won; None where too few carry one."""
    deals = deals_of(spells)
    won = spells.entered[:, -1] < NEVER
    return None if deals is None else float(deals.worth[won].mean())


REPLAYS = 12  # months looked back on
YOUNG = 60  # days of recording before a day is replayed
LEARNT_MONTHS = 3  # the longest forecast that is replayed


@dataclass(frozen=True, eq=False)
class Means:
    """Expected wins, cell x day ahead, and what they rest on."""

    from_known: np.ndarray
    new: np.ndarray
    arrivals: Arrivals
    chain: tuple[Hazards, ...]

    @property
    def wins(self) -> np.ndarray:
        """Wins of known and of new records."""
        return self.from_known + self.new


@dataclass(frozen=True, eq=False)
class Replay:
    """A past day: what would have been forecast and the actual. Arrays are cell x month."""

    day: int
    from_known: np.ndarray
    total: np.ndarray
    actual_from_known: np.ndarray
    actual_total: np.ndarray


def recording_began(spells: Spells, stage: int) -> int:
    """The day from which entries into the stage after `stage` have been recorded. [days since 1970]"""
    entered, onward = spells.entered[:, stage], spells.entered[:, stage + 1]
    inside = entered <= spells.day
    ages = spells.day - entered[inside]
    if len(ages) == 0:
        return spells.day
    gone = onward[inside] < NEVER
    entries = np.bincount(ages)
    delay = (onward[inside] - entered[inside])[gone]
    cohort = Cohort(entries, ages[gone], delay, len(entries) - 1)
    return spells.day - recorded_window(cohort)


@dataclass(frozen=True, eq=False)
class ForecastBasis:
    """What a day's records say: their hazards, what is open, what will come in."""

    day: int
    began: tuple[int, ...]
    """By step, the day from which outcomes are recorded."""
    chain: tuple[Hazards, ...]
    stock: tuple[Open, ...]
    arrivals: Arrivals
    clock: Clock | None
    """By which the last step takes its time; its stock and its hazards go by days of work then."""

    @property
    def ahead(self) -> Ahead | None:
        """The clock from this day on."""
        return None if self.clock is None else Ahead(self.clock, self.day)


def up_to(spells: Spells, days: Sequence[int], horizon: int, clock: Clock | None = None) -> list[ForecastBasis]:
    """What was known at the end of each of `days`, with arrivals of the next `horizon` days."""
    segment, source = spells.codes(0)[0], spells.codes(1)[0]
    steps = range(len(spells.stages) - 1)
    began = tuple(recording_began(spells, step) for step in steps)
    chains, stocks = [], []
    for step in steps:
        at, then, first = spells, list(days), began[step]
        if clock is not None and step == len(began) - 1:
            at, then = on_clock(spells, clock), clock.by_evening(np.asarray(days)).tolist()
            first = int(clock.of(np.array(first)))
        stays = stays_of(at, step)
        chains.append(hazards_on(stays, then, first, segment, source))
        stocks.append(open_on(stays, then))
    entries, start = entries_by_day(spells)
    arrivals = [expected_arrivals(entries[:, :, : max(day - start + 1, 1)], horizon) for day in days]
    pairs = zip(days, zip(*chains, strict=True), zip(*stocks, strict=True), arrivals, strict=True)
    return [ForecastBasis(day, began, chain, stock, coming, clock) for day, chain, stock, coming in pairs]


def basis_of(spells: Spells, horizon: int, clock: Clock | None = None) -> ForecastBasis:
    """What is known at the end of the last day."""
    return up_to(spells, [spells.day], horizon, clock)[0]


def means(basis: ForecastBasis) -> Means:
    """Wins expected on each day ahead."""
    arriving = basis.arrivals.by_day
    from_known = wins_by_day(basis.stock, np.zeros_like(arriving), basis.chain, basis.ahead)
    from_new = wins_by_day([each.without_records() for each in basis.stock], arriving, basis.chain, basis.ahead)
    return Means(from_known, from_new, basis.arrivals, basis.chain)


# --- replays -------------------------------------------------------------------------------------


def month_ends(day: int, months: int) -> np.ndarray:
    """Days after `day` on which 1, 2, ... `months` months are over; a month's last day leads to the next one's."""
    start = pd.Timestamp(day, unit="D")
    at_end = start.is_month_end
    steps = [pd.offsets.MonthEnd(n) if at_end else pd.DateOffset(months=n) for n in range(1, months + 1)]
    return np.array([day_number((start + step).date()) - day for step in steps])


def months_before(day: int, months: int) -> int:
    """The day `months` months before `day`; from a month's last day to a month's last day."""
    start = pd.Timestamp(day, unit="D")
    step = pd.offsets.MonthEnd(months) if start.is_month_end else pd.DateOffset(months=months)
    return day_number((start - step).date())


def by_month(days: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Sums over the months that end after `ends` days, along the last axis."""
    return np.add.reduceat(days[..., : ends[-1]], np.append(0, ends[:-1]), axis=-1)


def replays(
    spells: Spells, months: int, clock: Clock | None, tell: Progress | None = None
) -> tuple[ForecastBasis, list[Replay]]:
    """What is known today, and forecasts of up to `months` months (3 at most) as of a month apart in the last year."""
    ahead = min(months, LEARNT_MONTHS)
    days = [months_before(spells.day, ahead + step) for step in range(REPLAYS)]
    horizon = int(month_ends(spells.day, months)[-1])
    now, *past = up_to(spells, [spells.day, *days], horizon, clock)
    won = _Won(spells)
    done = []
    for step, then in enumerate(past):
        if tell:
            tell(step, REPLAYS, "past forecasts replayed")
        if not won.any_by(then.day) or then.day - max(then.began) < YOUNG:
            break
        done.append(_replay(then, won, ahead, spells.day))
    return now, done


def _replay(then: ForecastBasis, won: _Won, months: int, today: int) -> Replay:
    ends = month_ends(then.day, months)
    ends[-1] = min(ends[-1], today - then.day)
    told, horizon = means(_shortened(then, int(ends[-1]))), int(ends[-1])
    return Replay(
        then.day,
        by_month(told.from_known, ends),
        by_month(told.wins, ends),
        by_month(won.by_day(then.day, horizon, then.day), ends),
        by_month(won.by_day(then.day, horizon, today), ends),
    )


def _shortened(basis: ForecastBasis, horizon: int) -> ForecastBasis:
    """The same with the arrivals of fewer days."""
    shorter = Arrivals(basis.arrivals.by_day[:, :, :horizon], basis.arrivals.cv)
    return replace(basis, arrivals=shorter)


class _Won:
    """The records that were won: when they came in, when they were won, and their cells."""

    def __init__(self, spells: Spells) -> None:
        rows = np.flatnonzero(spells.entered[:, -1] <= spells.day)
        self.first = spells.entered[rows].min(axis=1)
        self.won = spells.entered[rows, -1]
        self.cell = spells.cell[rows]
        self.cells = len(spells.cells)

    def any_by(self, day: int) -> bool:
        """Whether one was won by the end of `day`."""
        return bool((self.won <= day).any())

    def by_day(self, after: int, horizon: int, until: int) -> np.ndarray:
        """Wins, cell x day, in the `horizon` days after `after`, of the records that had come in by `until`."""
        inside = (self.won > after) & (self.won <= after + horizon) & (self.first <= until)
        place = self.cell[inside] * horizon + (self.won[inside] - after - 1)
        return np.bincount(place, minlength=self.cells * horizon).reshape(-1, horizon).astype(float)
