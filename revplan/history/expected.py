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
from revplan.history.flow import Open, open_records, wins_by_day, won_by_day
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


@dataclass(frozen=True, eq=False)
class Known:
    """What a day's records say before a window is chosen: hazards of all time, what is open, what will come in."""

    spells: Spells
    began: tuple[int, ...]
    chain: tuple[Hazards, ...]
    stock: tuple[Open, ...]
    arrivals: Arrivals


def known_of(spells: Spells, horizon: int) -> Known:
    """The records known on the last day, with arrivals of the next `horizon` days."""
    segment, source = spells.codes(0)[0], spells.codes(1)[0]
    stages = range(len(spells.stages) - 1)
    began = tuple(recording_began(spells, stage) for stage in stages)
    chain = tuple(hazards(watched(spells, stage, began[stage]), segment, source) for stage in stages)
    stock = tuple(open_records(spells, stage) for stage in stages)
    return Known(spells, began, chain, stock, expected_arrivals(spells, horizon))


def chain_of(known: Known, window: int) -> tuple[Hazards, ...]:
    """The hazards of every stage, their level taken from the last `window` days; from all time if 0."""
    recent = known.spells.day - window + 1
    return tuple(
        found if window == 0 or recent <= first else levelled(found, watched(known.spells, stage, recent))
        for stage, (found, first) in enumerate(zip(known.chain, known.began, strict=True))
    )


def means(known: Known, window: int) -> Means:
    """Wins expected on each day ahead, the level of the hazards taken from the last `window` days."""
    chain = chain_of(known, window)
    arriving = known.arrivals.by_day
    from_known = wins_by_day(known.stock, np.zeros_like(arriving), chain)
    from_new = wins_by_day([each.without_records() for each in known.stock], arriving, chain)
    return Means(from_known, from_new, known.arrivals, chain)


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
    ends = month_ends(day, months)
    ends[-1] = min(ends[-1], spells.day - day)
    known = known_of(then, int(ends[-1]))
    if day - max(known.began) < YOUNG:
        return None
    told = {window: means(known, window) for window in WINDOWS}
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
