"""The pace at which deals close through the calendar: a clock that counts days of work instead of days.

Where deals close in bursts at the ends of quarters, or are dated at the ends of months, how long they take says little
of when they close. Counted in days of work, of which a quarter has as many as days, delays are smooth again. Where deals
take longer from year to year, a past day had the work of several of today's.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

START, END = np.datetime64("1980-01", "M"), np.datetime64("2101-01", "M")  # a clock runs evenly before and after
MONTH_LONGEST, QUARTER_LONGEST = 31, 92
YEAR_DAYS = 365.25
AHEAD = 1826  # days of a slowing ahead that are told one by one
FADING = 285.0  # days in which a slowing fades to a third, as the slope of a level does
MOST_WORK = 8.0  # times today's that a past day had, or had not, at most
ROUNDING = 1e-6  # of sums of speeds: what is a whole day of work but for that is one


def days_left(days: np.ndarray, months: int, phase: int = 0) -> np.ndarray:
    """Days left after each of `days` (since 1970) in its month, or quarter of `months` 3.

    `phase` 0 to 2: quarters end `phase` months after those of the calendar year.
    """
    month = np.asarray(days).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) - phase
    begin_next = (month // months + 1) * months + phase
    return begin_next.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) - days - 1


@dataclass(frozen=True)
class Clock:
    """Speeds of closing by days left in the month and, times that, in the quarter; scaled to 1 on average over a quarter."""

    month: tuple[float, ...]
    """On a month's last day, the day before it, ...: 31 of them."""
    quarter: tuple[float, ...]
    """On a quarter's last day, the day before it, ...: 92 of them."""
    phase: int
    """Months from the end of a quarter of the calendar year to that of a quarter."""
    slowing: float = 0.0
    """Growth a year of the logarithm of how long things take, up to the last day known; after it it fades."""
    today: int = 0
    """The last day known, where there is a slowing. [days since 1970]"""

    @property
    def yearly(self) -> float:
        """How long things take, over how long they took a year before. [ratio]"""
        return float(np.exp(self.slowing))

    @property
    def is_even(self) -> bool:
        """Whether all days of a quarter have as much work, but for a slowing from year to year."""
        return len({*self.month}) == 1 and len({*self.quarter}) == 1

    @cached_property
    def _done(self) -> tuple[int, np.ndarray]:
        """The first day, and the work done by the beginning of each day from it on. [days since 1970]"""
        first, last = ((each + self.phase).astype("datetime64[D]").astype(np.int64) for each in (START, END))
        days = np.arange(first, last)
        left = days_left(days, 3, self.phase)
        speed = np.array(self.month)[days_left(days, 1)] * np.array(self.quarter)[left]
        quarter = np.cumsum(np.append(0, left[1:] > left[:-1]))
        speed /= (np.bincount(quarter, speed) / np.bincount(quarter))[quarter]
        return int(first), np.append(float(first), first + np.cumsum(speed))

    def worked(self, moments: np.ndarray) -> np.ndarray:
        """Work done by some moments; at the ends of quarters it is the time itself. [days since 1970]"""
        first, done = self._done
        inside = np.clip(moments, first, first + len(done) - 1)
        found: np.ndarray = np.interp(inside, first + np.arange(len(done)), done) + (moments - inside)
        if not self.slowing:
            return found
        past, ahead = np.maximum(self._now - found, 0.0), np.maximum(found - self._now, 0.0)
        growth = self.slowing / YEAR_DAYS
        near = np.minimum(past, np.log(MOST_WORK) / abs(growth))
        before = (past - near) * (MOST_WORK if growth > 0 else 1 / MOST_WORK)
        days = np.arange(AHEAD + 1)
        pace = np.exp(-growth * FADING * (1 - np.exp(-(days + 0.5) / FADING)))
        after = np.interp(ahead, days, np.append(0.0, np.cumsum(pace[:-1]))) + np.maximum(ahead - AHEAD, 0) * pace[-1]
        slowed: np.ndarray = np.minimum(found, self._now) + past - np.expm1(growth * near) / growth - before + after
        return slowed

    @cached_property
    def _now(self) -> float:
        """Work done by the evening of the last day known. [days since 1970]"""
        return float(replace(self, slowing=0.0).worked(np.array(self.today + 1.0)))

    def of(self, days: np.ndarray, within: np.ndarray | float = 0.5) -> np.ndarray:
        """The day of work when a part `within` of each of `days` is over. [days since 1970]"""
        return np.floor(self.worked(np.asarray(days) + within) + ROUNDING).astype(np.int64)

    def by_evening(self, days: np.ndarray) -> np.ndarray:
        """The last day of work that is over in the evening of each of `days`. [days since 1970]"""
        return np.maximum(np.rint(self.worked(np.asarray(days) + 1.0) - 1.0).astype(np.int64), self.of(days))

    def day_of(self, work: int) -> int:
        """The first day whose middle lies in a day of work, or after it. [days since 1970]"""
        first, done = self._done
        days = range(first, first + len(done))
        return days[bisect_left(days, work, key=lambda day: int(self.of(np.array(day))))]


@dataclass(frozen=True)
class Ahead:
    """A clock seen from the evening of day `now`: real days ahead told in days of work ahead."""

    clock: Clock
    now: int

    def reached(self, days: np.ndarray) -> np.ndarray:
        """Days of work that are over when `days` days are."""
        return self.clock.by_evening(self.now + np.asarray(days)) - int(self.clock.by_evening(np.array(self.now)))

    def moved(self, by_day: np.ndarray) -> np.ndarray:
        """What happens on the first, second, ... day ahead (last axis), by day of work ahead."""
        days = np.arange(1, by_day.shape[-1] + 1)
        now = int(self.clock.by_evening(np.array(self.now)))
        place = np.maximum(self.clock.of(self.now + days) - now - 1, 0)
        size = max(int(self.reached(days[-1:])[0]), int(place.max()) + 1)
        moved = np.zeros((size, *by_day.shape[:-1]))
        np.add.at(moved, place, np.moveaxis(by_day, -1, 0))
        return np.moveaxis(moved, 0, -1)

    def back(self, by_work: np.ndarray, days: int) -> np.ndarray:
        """What happens by day of work ahead, on the first, second, ... of `days` days ahead."""
        done = np.concatenate([np.zeros((*by_work.shape[:-1], 1)), np.cumsum(by_work, axis=-1)], axis=-1)
        edges = np.minimum(self.reached(np.arange(days + 1)), done.shape[-1] - 1)
        return np.diff(done[..., edges], axis=-1)
