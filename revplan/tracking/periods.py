"""The part of a fiscal year that a table counts: a quarter, or the year so far."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd

from revplan.ground.calendar import (
    MONTHS_PER_QUARTER,
    MONTHS_PER_YEAR,
    Names,
    month_of,
    months_from,
    quarter_id,
    quarter_label,
    share_gone,
)
from revplan.ground.errors import PlanError, shown


@dataclass(frozen=True)
class DayRun:
    """Calendar days in a row, both ends included."""

    first: date
    last: date

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    def place(self, day: date) -> int:
        """Number of a day, 0 for the first."""
        return (day - self.first).days

    def at(self, place: int) -> date:
        """The day of a number."""
        return self.first + timedelta(days=place)

    def holds(self, moments: pd.Series | np.ndarray) -> np.ndarray:
        """Which moments lie inside."""
        at = np.asarray(moments)
        return (at >= np.datetime64(self.first)) & (at < np.datetime64(self.last) + np.timedelta64(1, "D"))


@dataclass(frozen=True)
class Span:
    """Whole months, of which what lies after the last day known does not count yet."""

    name: str
    """Its id, as tables and figures hold it; `Plan.period_label` says what a reader calls it."""
    first: pd.Period
    count: int
    """Number of its months."""
    as_of: date
    """The last day known."""

    @property
    def months(self) -> pd.PeriodIndex:
        """Its months."""
        return months_from(self.first, self.count)

    @property
    def last(self) -> pd.Period:
        """Its last month."""
        return self.first + (self.count - 1)

    @property
    def last_day(self) -> date:
        """The last day counted: its own last one, or the last one known."""
        return min(self.last.end_time.date(), self.as_of)

    @property
    def label(self) -> str:
        """Its id, with 'to date' where some of it is still to come."""
        return self.name if self.is_over else f"{self.name} to date"

    @property
    def is_over(self) -> bool:
        """Whether all of its days are known."""
        return self.last.end_time.date() <= self.as_of

    @property
    def has_begun(self) -> bool:
        """Whether any of its days is known."""
        return self.first.start_time.date() <= self.as_of

    def shares(self, months: pd.PeriodIndex) -> np.ndarray:
        """Share of each month that is over at the end of the last day counted; months after the span count 0. [0-1]"""
        after = self.last_day + timedelta(days=1)
        gone = (month_of(after) - self.first).n + share_gone(after)
        return np.clip(gone - (months.asi8 - self.first.ordinal), 0, 1)

    def within(self, months: pd.Series) -> np.ndarray:
        """Which of `months` it holds, up to that of the last day counted."""
        return months.between(self.first, month_of(self.last_day)).to_numpy()

    def until(self, as_of: date) -> Span:
        """The same months as if `as_of` were the last day known."""
        return replace(self, as_of=min(self.as_of, as_of))

    def whole(self) -> Span:
        """The same months with all of their days counted."""
        return replace(self, as_of=max(self.as_of, self.last.end_time.date()))

    def earlier(self, quarters: int) -> Span:
        """The fiscal quarter that many before this one."""
        year, number = int(self.name[:4]), int(self.name[-1]) - 1 - quarters
        return Span(
            f"{year + number // 4}-Q{number % 4 + 1}",
            self.first - MONTHS_PER_QUARTER * quarters,
            self.count,
            self.as_of,
        )


def quarter_span(quarter: str, first_month: pd.Period, as_of: date, names: Names = "start") -> Span:
    """The fiscal quarter that is called `quarter`; the one that `as_of` lies in if nothing is named.

    A quarter is called by its id 2026-Q3, by its label Jul-Sep 2026 (Q3 FY26), or by either half of the label.

    Raises
    ------
    PlanError
        If it is no quarter of the year that `first_month` opens.
    """
    indices = range(MONTHS_PER_YEAR // MONTHS_PER_QUARTER)
    labels = [quarter_label(index, first_month, names) for index in indices]
    gone = (month_of(as_of) - first_month).n // MONTHS_PER_QUARTER
    called = {form: index for index in indices for form in _forms(quarter_id(index, first_month), labels[index])}
    index = called.get(_plain(quarter)) if quarter else min(max(gone, 0), len(labels) - 1)
    if index is None:
        ids = [quarter_id(each, first_month) for each in indices]
        told = ", ".join(f"{label} or {name}" for label, name in zip(labels, ids, strict=True))
        raise PlanError.at("quarter", f"got {shown(quarter)!r}; the plan's quarters are {told}")
    return Span(quarter_id(index, first_month), first_month + MONTHS_PER_QUARTER * index, MONTHS_PER_QUARTER, as_of)


def _forms(name: str, label: str) -> list[str]:
    months, short = label.removesuffix(")").split(" (")
    return [_plain(form) for form in (name, label, months, short)]


def _plain(text: str) -> str:
    """A quarter's name as it is compared: without regard to case, spaces or the kind of dash."""
    return "".join(text.casefold().replace("–", "-").split())


def year_so_far(quarter: Span, first_month: pd.Period) -> Span:
    """From the first month of the year to the end of `quarter`."""
    return Span(
        f"{first_month.year} to {quarter.name[5:]}", first_month, (quarter.last - first_month).n + 1, quarter.as_of
    )


def whole_year(first_month: pd.Period, as_of: date) -> Span:
    """The whole fiscal year."""
    return Span(str(first_month.year), first_month, MONTHS_PER_YEAR, as_of)
