"""Whether leads convert as they used to: since when not, if not, and what slow answers go with.

Weeks of hand-over are compared. Each week has what converted less what its segments and sources convert over all weeks,
so that another mix is no other quality. Of all places at which the weeks can be parted, the one with the largest
difference beyond luck counts; how large it gets where nothing changed is told by the same weeks in random order, which
holds whatever the weeks vary by, as long as none is like its neighbours for a reason. The chance of crying wolf is ALARM.

Sources: A. N. Pettitt, "A non-parametric approach to the change-point problem", Applied Statistics 28 (1979), 126-135;
R. G. Newcombe, "Interval estimation for the difference between independent proportions", Statistics in Medicine 17
(1998), 873-890, for the difference of two shares.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd

from revplan.ground.formats import counted, show
from revplan.ground.tables import conform, empty
from revplan.tracking.service import BREACHED, MET, TOUCH, share_of

ALARM = 0.05
SHUFFLES = 999
LEAST = 0.1  # of what is to be known on either side of a change
FEWEST_WEEKS = 8
LONGEST = 365  # days back that are compared
WEEK = np.timedelta64(7, "D")
BANDS = (1.0, 8.0, 40.0)  # in times the first touch agreed, or working hours where none is


@dataclass(frozen=True)
class ChangePoint:
    """The place at which a series of weeks differs most before and after, and how often luck does as much."""

    week: int
    """The first week after it."""
    size: float
    """Of the difference, in standard errors; above 0 where it got better."""
    chance: float
    """Of as large a difference where nothing changed. [0-1]"""


def change_point(surplus: np.ndarray, variance: np.ndarray, seed: int = 1) -> ChangePoint | None:
    """Where a series changes most, and how often luck changes one as much; None where too little is known.

    Parameters
    ----------
    surplus
        By week, what converted less what was to be expected, summing to 0.
    variance
        Of each by luck alone.
    """
    if len(surplus) < FEWEST_WEEKS or not variance.sum() > 0:
        return None
    found = _steps(surplus[None], variance[None])[0]
    if not np.isfinite(found).any():
        return None
    week = int(np.nanargmax(np.abs(found)))
    random = np.random.default_rng(seed)
    orders = random.permuted(np.tile(np.arange(len(surplus)), (SHUFFLES, 1)), axis=1)
    largest = np.nanmax(np.abs(_steps(surplus[orders], variance[orders])), axis=1)
    as_large = int((largest >= abs(found[week]) * (1 - 1e-9)).sum())
    return ChangePoint(week + 1, -float(found[week]), (1 + as_large) / (1 + SHUFFLES))


def _steps(surplus: np.ndarray, variance: np.ndarray) -> np.ndarray:
    """By series and week, the surplus up to its end in standard errors; not a number near the ends."""
    gathered, recorded = np.cumsum(surplus, axis=1)[:, :-1], np.cumsum(variance, axis=1)[:, :-1]
    whole = variance.sum(axis=1, keepdims=True)
    share = recorded / whole
    inside = (share >= LEAST) & (share <= 1 - LEAST)
    spread = np.sqrt(np.where(inside, recorded * (1 - share), 1.0))
    return np.where(inside, gathered / spread, np.nan)


# --- the quality of leads ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Quality:
    """How many of the records handed over were accepted in time, week by week, and since when that differs."""

    weeks: pd.DataFrame
    """Table quality."""
    days: int
    """In which a record counts as accepted; younger records do not count."""
    change: ChangePoint | None
    before: dict[str, float]
    """Share accepted before the change, of how many."""
    after: dict[str, float]
    """The same after it, and what the segments and sources would have had at their shares before."""

    @property
    def alarms(self) -> bool:
        """Whether it changed by more than luck explains."""
        return self.change is not None and self.change.chance <= ALARM

    @property
    def said(self) -> str:
        """Since when leads are better or worse, or that they are not, in one sentence."""
        wolf = f"{round(1 / ALARM)}"
        if self.change is None:
            return "Too few records had their time to say whether the leads are better or worse than before."
        chance = show(self.change.chance, "share")
        if not self.alarms:
            return (
                f"The leads are neither better nor worse than luck explains: the largest difference of any two stretches of weeks is one that luck "
                f"brings in {chance} of years (an alarm is raised below {show(ALARM, 'share')})."
            )
        word = "better" if self.change.size > 0 else "worse"
        since = show(self.weeks["week"].iloc[self.change.week], "date")
        rates = [show(each["share"], "share") for each in (self.before, self.after)]
        return (
            f"The leads are {word} since the week of {since}: {rates[0]} were accepted within {counted(self.days, 'day')} before, {rates[1]} since, where the same "
            f"segments and sources would have had {show(self.after['expected'], 'share')}; luck brings as much in {chance} of years (the test raises a "
            f"false alarm in 1 of {wolf})."
        )


def quality(made: pd.DataFrame, now: np.datetime64) -> Quality:
    """The quality of what was handed over in the last year: whether it was accepted in the days that nine of ten take.

    Parameters
    ----------
    made
        What `service.timed` returns.
    now
        The end of the last day known, in UTC.
    """
    rows = matured(made, now)
    if rows.empty:
        return Quality(empty("quality"), days_taken(made), None, {}, {})
    week = rows["handed_over"].to_numpy().astype("datetime64[D]")
    place = (week.max() - week) // WEEK  # whole weeks back from the last one
    place = place.max() - place
    cell = pd.factorize(rows["segment"] + "\0" + rows["source"])[0]
    won = rows["advanced"].to_numpy(dtype=float)
    rate = (np.bincount(cell, won) / np.bincount(cell))[cell]
    size = int(place.max()) + 1
    surplus, variance, entries, accepted = (
        np.bincount(place, values, minlength=size) for values in (won - rate, rate * (1 - rate), np.ones(len(won)), won)
    )
    begins = week.max() - WEEK * (size - np.arange(size)) + np.timedelta64(1, "D")
    table = pd.DataFrame(
        {
            "week": begins.astype("datetime64[us]"),
            "entries": entries,
            "accepted": accepted,
            "expected": accepted - surplus,
        }
    )
    change = change_point(surplus, variance)
    if change is None:
        return Quality(conform(table, "quality"), days_taken(made), None, {}, {})
    later = place >= change.week
    before, after = ({"of": float(part.sum()), **share_of(won[part].sum(), part.sum())} for part in (~later, later))
    size_before = np.bincount(cell[~later], minlength=cell.max() + 1)
    own = np.bincount(cell[~later], won[~later], minlength=cell.max() + 1) / np.maximum(size_before, 1)
    recorded = size_before[cell[later]] > 0
    after["expected"] = float(np.where(recorded, own[cell[later]], rate[later]).mean())
    return Quality(conform(table, "quality"), days_taken(made), change, before, after)


def days_taken(made: pd.DataFrame) -> int:
    """The days in which nine of ten accepted records are accepted. [days]"""
    taken = (made["accepted"] - made["handed_over"]).dropna() / pd.Timedelta(days=1)
    return int(np.ceil(taken.quantile(0.9))) + 1 if len(taken) else 1


def matured(made: pd.DataFrame, now: np.datetime64) -> pd.DataFrame:
    """The records of the last year that had their time, and whether each was accepted in it."""
    wait = np.timedelta64(days_taken(made), "D")
    old = made["handed_over"] <= now - wait
    recent = made["handed_over"] > now - wait - np.timedelta64(LONGEST, "D")
    rows = made[old & recent]
    return rows.assign(advanced=(rows["accepted"] - rows["handed_over"] <= wait).to_numpy())


# --- what slow answers go with -------------------------------------------------------------------


def response_bands(rows: pd.DataFrame, agreed: float | None) -> pd.DataFrame:
    """Table response_bands: of the records that had their time, the share accepted, by how soon somebody reached out.

    Parameters
    ----------
    rows
        What `matured` returns.
    agreed
        Working hours to the first touch that were agreed; None where none were.
    """
    rows = rows[rows["starts"].notna()]
    limits = [(agreed or 1.0) * times for times in BANDS]
    words = [f"within {show(each, 'days')} working hours" for each in limits]
    names = [*words, "later", "never"]
    band = np.where(
        rows["hours_to_touch"].isna(), len(limits) + 1, np.searchsorted(limits, rows["hours_to_touch"] - 1e-9)
    )
    table = [
        {"band": name, "records": int((band == at).sum()), "accepted": int(rows["advanced"][band == at].sum()),
         **share_of(int(rows["advanced"][band == at].sum()), int((band == at).sum()))}
        for at, name in enumerate(names)
    ]  # fmt: skip
    return conform(pd.DataFrame(table), "response_bands")


@dataclass(frozen=True)
class Cost:
    """What breaches of the first touch go with: a range, of an association."""

    breached: int
    met: dict[str, float]
    late: dict[str, float]
    low: float
    """Share accepted less where the touch came late, at least; below 0 where more were."""
    high: float
    """The same at most."""
    value: float
    """New ARR an accepted record is worth. [plan currency]"""
    steady: bool
    """Whether the share falls from band to band."""

    @property
    def range(self) -> tuple[float, float]:
        """New ARR that goes with the breaches. [plan currency]"""
        return self.breached * self.low * self.value, self.breached * self.high * self.value


def cost_of_breaches(rows: pd.DataFrame, bands: pd.DataFrame, breached: int, value: float) -> Cost | None:
    """What the breaches of the first touch go with; None where one side has too few records.

    Parameters
    ----------
    rows
        What `matured` returns.
    bands
        Table response_bands of them.
    breached
        Records of the period whose first touch came late, or not.
    value
        New ARR that an accepted record is worth.
    """
    sides = [rows[rows[TOUCH] == state] for state in (MET, BREACHED)]
    if min(map(len, sides)) == 0:
        return None
    met, late = ({"of": float(len(side)), **share_of(int(side["advanced"].sum()), len(side))} for side in sides)
    low, high = difference(met, late)
    recorded = bands[bands["records"] > 0]["share"].to_numpy()
    return Cost(breached, met, late, low, high, value, bool((np.diff(recorded) <= 0).all()))


def difference(one: dict[str, float], other: dict[str, float]) -> tuple[float, float]:
    """The bounds of the difference of two shares, each given with its own (Newcombe)."""
    apart = one["share"] - other["share"]
    down = sqrt((one["share"] - one["share_low"]) ** 2 + (other["share_high"] - other["share"]) ** 2)
    up = sqrt((one["share_high"] - one["share"]) ** 2 + (other["share"] - other["share_low"]) ** 2)
    return apart - down, apart + up
