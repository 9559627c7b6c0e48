"""Wins expected from the records known on a day, and from those still to come: the means of a forecast.

The shape of the hazards by age comes from all recorded history, their level from a recent window. Which
one is chosen by replay: the window whose forecasts the company's own last year would have borne out
best. Half a year is preferred unless another is clearly better, because rates of real companies move.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from revplan.history.arrivals import Arrivals, expected_arrivals
from revplan.history.cohorts import Cohort, recorded_window
from revplan.history.flow import open_records, wins_by_day, won_by_day
from revplan.history.hazards import Hazards, hazards, levelled, watched
from revplan.history.predictive import USUAL_CV, count_log_likelihood
from revplan.history.spells import NEVER, Spells, day_number

Told = Callable[[int, int, str], None]  # done, total, what is under way
WINDOWS = (180, 365, 0)  # days the level rests on; 0 for all that was recorded; the first is preferred
PREFERENCE = 2.0  # log likelihood another window must be better by
REPLAYS = 12  # months looked back on
YOUNG = 60  # days of recording before a day is replayed
LEARNT_MONTHS = 3  # the longest forecast that is replayed


@dataclass(frozen=True, eq=False)
class Means:
    """Expected wins, cell x day ahead, and what they rest on."""

    known: np.ndarray
    new: np.ndarray
    arrivals: Arrivals
    chain: tuple[Hazards, ...]

    @property
    def wins(self) -> np.ndarray:
        """Wins of known and of new records."""
        return self.known + self.new


@dataclass(frozen=True, eq=False)
class Replay:
    """A past day: what would have been forecast by each window, and what came. Arrays are cell x month."""

    day: int
    known: dict[int, np.ndarray]
    total: dict[int, np.ndarray]
    came_known: np.ndarray
    came_total: np.ndarray


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


def recordings_began(spells: Spells) -> tuple[int, ...]:
    """By stage before the last: the day from which going on has been recorded."""
    return tuple(recording_began(spells, stage) for stage in range(len(spells.stages) - 1))


def means(spells: Spells, horizon: int, window: int, began: tuple[int, ...]) -> Means:
    """Wins expected in the next `horizon` days, their level by the last `window` days."""
    chain = tuple(_stage_hazards(spells, stage, window, first) for stage, first in enumerate(began))
    stock = [open_records(spells, stage) for stage in range(len(chain))]
    arrivals = expected_arrivals(spells, horizon)
    none = np.zeros_like(arrivals.by_day)
    empty = [each.without_records() for each in stock]
    known, new = wins_by_day(stock, none, chain), wins_by_day(empty, arrivals.by_day, chain)
    return Means(known, new, arrivals, chain)


def _stage_hazards(spells: Spells, stage: int, window: int, first: int) -> Hazards:
    segment, source = spells.codes(0)[0], spells.codes(1)[0]
    found = hazards(watched(spells, stage, first), segment, source)
    recent = spells.day - window + 1
    return found if window == 0 or recent <= first else levelled(found, watched(spells, stage, recent))


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


def replays(spells: Spells, months: int, tell: Told | None = None) -> list[Replay]:
    """Forecasts of up to `months` months (3 at most) as they would have been made a month apart in the last year."""
    ahead = min(months, LEARNT_MONTHS)
    done = []
    for step in range(REPLAYS):
        if tell:
            tell(step, REPLAYS, "past forecasts replayed")
        replay = _replay(spells, months_before(spells.day, ahead + step), ahead)
        if replay is None:
            break
        done.append(replay)
    return done


def _replay(spells: Spells, day: int, months: int) -> Replay | None:
    """The replay of `day`; None where too little was recorded by then."""
    then = spells.known_on(day)
    if not (then.entered[:, -1] < NEVER).any():
        return None
    began = recordings_began(then)
    if day - max(began) < YOUNG:
        return None
    ends = month_ends(day, months)
    ends[-1] = min(ends[-1], spells.day - day)
    told = {window: means(then, int(ends[-1]), window, began) for window in WINDOWS}
    known_then = then.first_stage() < len(spells.stages)
    every = np.ones(len(known_then), dtype=bool)
    return Replay(
        day,
        {window: by_month(each.known, ends) for window, each in told.items()},
        {window: by_month(each.wins, ends) for window, each in told.items()},
        by_month(won_by_day(spells, day, int(ends[-1]), known_then), ends),
        by_month(won_by_day(spells, day, int(ends[-1]), every), ends),
    )


def chosen_window(past: list[Replay]) -> int:
    """The window whose forecasts were borne out best; half a year unless another is clearly better. [days]"""
    if not past:
        return WINDOWS[0]
    share = 1 / past[0].came_known.shape[1]
    came = np.array([each.came_known.sum() for each in past])
    scores = {}
    for window in WINDOWS:
        told = np.array([each.known[window].sum() for each in past])
        scores[window] = share * float(count_log_likelihood(came, told, USUAL_CV).sum())
    best = max(scores, key=lambda window: scores[window])
    return best if scores[best] > scores[WINDOWS[0]] + PREFERENCE else WINDOWS[0]
