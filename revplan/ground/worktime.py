"""Working hours between moments: of working days in a time zone, through the changes of its clocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from revplan.ground.workdays import Workdays

HOUR = np.timedelta64(1, "h")


@dataclass(frozen=True)
class WorkingHours:
    """From when to when is worked, on which days, by the clock of which time zone."""

    workdays: Workdays
    opens: float = 9.0
    closes: float = 17.0
    zone: str = "UTC"

    @property
    def day(self) -> float:
        """Working hours of a working day."""
        return self.closes - self.opens

    def between(self, start: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Working hours from each start to each end, moments in UTC; not a number where one of the two is missing. [hours]

        >>> berlin = WorkingHours(Workdays(), zone="Europe/Berlin")  # a Friday, 16:00 there, to the Monday after the clocks went forward
        >>> friday, monday = np.array(["2027-03-26T15:00"], "M8[us]"), np.array(["2027-03-29T08:30"], "M8[us]")
        >>> berlin.between(friday, monday).tolist()
        [2.5]
        """
        given = ~(np.isnat(start) | np.isnat(end))
        hours = np.full(len(start), np.nan)
        if given.any():
            worked = self._worked(np.concatenate([start[given], end[given]]))
            hours[given] = worked[given.sum() :] - worked[: given.sum()]
        return hours

    def _worked(self, moments: np.ndarray) -> np.ndarray:
        """Working hours from the first day that matters to each moment."""
        local = pd.DatetimeIndex(moments).tz_localize("UTC").tz_convert(self.zone).tz_localize(None)
        day = local.to_numpy().astype("datetime64[D]")
        days = np.arange(day.min(), day.max() + 1)
        worked = self.workdays.are_worked(days[0].item(), days[-1].item())
        opens, closes = (in_utc(_at(days, hour), self.zone) for hour in (self.opens, self.closes))
        hours = np.where(worked, (closes - opens) / HOUR, 0.0)
        before = np.concatenate([[0.0], np.cumsum(hours)])
        place = (day - days[0]).astype(np.int64)
        return before[place] + np.clip((moments - opens[place]) / HOUR, 0.0, hours[place])


def in_utc(moments: np.ndarray, zone: str, *, first: bool = True) -> np.ndarray:
    """Moments by the clock of a zone as moments in UTC; one that a clock skips is the next, one it shows twice the `first`."""
    if zone == "UTC" or not len(moments):
        return moments.astype("datetime64[us]")
    is_first = np.full(len(moments), first)
    index = pd.DatetimeIndex(moments).tz_localize(zone, ambiguous=is_first, nonexistent="shift_forward")
    return index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")


def _at(days: np.ndarray, hour: float) -> np.ndarray:
    return days.astype("datetime64[us]") + np.timedelta64(round(hour * 3600), "s")
