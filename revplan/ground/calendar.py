"""Days of moments, months and quarters of the fiscal year, and where in its month a day lies."""

from __future__ import annotations

import re
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd

from revplan.ground.errors import PlanError, shown

MONTHS_PER_YEAR = 12
MONTHS_PER_QUARTER = 3
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
A_DAY = 86_400_000_000  # microseconds
MONTH_DAYS = 30.4375  # 365.25 / 12: the length of the average month

Names = Literal["start", "end"]
# The ids of periods, as tables and figures hold them: 2027-Q1, 2027 to Q3, 2027; some stand in "rest of ..." or "... to date".
_PERIOD = re.compile(
    r"(?P<rest>rest of )?(?P<year>[0-9]{4})(?:-Q(?P<quarter>[1-4])| to Q(?P<until>[1-4]))?(?P<running> to date)?"
)


def days_of(moments: np.ndarray) -> np.ndarray:
    """The days on which moments lie, as numpy's own cast tells them in ten times the time.

    >>> days_of(np.array(["1969-12-31T23:59", "NaT"], "M8[us]"))
    array(['1969-12-31',        'NaT'], dtype='datetime64[D]')
    """
    if moments.dtype != np.dtype("M8[us]"):
        return moments.astype("M8[D]", copy=False)
    days = (moments.view(np.int64) // A_DAY).view("M8[D]")
    days[np.isnat(moments)] = np.datetime64("NaT")
    return days


def day_written(as_of: date | str | None) -> date | None:
    """A day that may be written as text; None where nothing is said.

    Raises
    ------
    PlanError
        If the text is no day.
    """
    if not isinstance(as_of, str):
        return as_of
    try:
        return date.fromisoformat(as_of) if as_of else None
    except ValueError:
        raise PlanError.at("as_of", f"got {shown(as_of)!r}; write the last day known as 2026-09-30") from None


def month_of(day: date) -> pd.Period:
    """The calendar month that `day` lies in."""
    return pd.Period(year=day.year, month=day.month, freq="M")


def share_gone(day: date) -> float:
    """Share of its month that is over when `day` begins. [0-1)"""
    return (day.day - 1) / month_of(day).days_in_month


def months_from(first: pd.Period, count: int) -> pd.PeriodIndex:
    """`count` months, the first of them `first`.

    >>> [str(month) for month in months_from(pd.Period("2027-11", "M"), 3)]
    ['2027-11', '2027-12', '2028-01']
    """
    return pd.period_range(first, periods=count, freq="M")


def quarter_id(index: int, first: pd.Period) -> str:
    """Id of fiscal quarter `index` (0 is the quarter that `first` opens), such as '2027-Q1': for tables, figures and JSON.

    It counts from the calendar year in which the fiscal year begins, whatever the year is called.
    """
    return f"{first.year + index // 4}-Q{index % 4 + 1}"


def quarter_label(index: int, first: pd.Period, names: Names = "start") -> str:
    """Fiscal quarter `index` as a reader calls it: 'Jan-Mar 2027 (Q1 FY27)'. `names` is the plan's `fiscal_year.names`.

    >>> quarter_label(3, pd.Period("2027-01", "M"))
    'Oct-Dec 2027 (Q4 FY27)'
    """
    begin = first + MONTHS_PER_QUARTER * index
    return f"{months_label(begin, MONTHS_PER_QUARTER)} ({quarter_short(index, first, names)})"


def quarter_short(index: int, first: pd.Period, names: Names = "start") -> str:
    """Fiscal quarter `index` where space is tight and its months stand elsewhere: 'Q1 FY27'."""
    return f"Q{index % 4 + 1} {year_label(index // 4, first, names)}"


def year_label(index: int, first: pd.Period, names: Names = "start") -> str:
    """Fiscal year `index` (0 is the one that `first` opens), called after the calendar year it starts or ends in: 'FY27'."""
    begin = first + MONTHS_PER_YEAR * index
    named = begin if names == "start" else begin + MONTHS_PER_YEAR - 1
    return f"FY{named.year % 100:02d}"


def months_label(first: pd.Period, count: int) -> str:
    """`count` months in a row as a reader calls them: 'Jan-Mar 2027', 'Nov 2026-Jan 2027'."""
    last = first + count - 1
    begin = f"{MONTHS[first.month - 1]}{f' {first.year}' if first.year != last.year else ''}"
    return f"{begin}-{MONTHS[last.month - 1]} {last.year}"


def period_label(period: str, first: pd.Period, names: Names = "start") -> str:
    """What a reader calls the period that tables name `period`; a name of another kind stays as it is.

    2027-Q3 to date: Jul-Sep 2027 (Q3 FY27) to date; 2027 to Q3: Jan-Sep 2027 (FY27 to Q3); rest of 2027: rest of FY27.
    """
    found = _PERIOD.fullmatch(period)
    if found is None:
        return period
    years = int(found["year"]) - first.year
    if found["quarter"]:
        said = quarter_label(4 * years + int(found["quarter"]) - 1, first, names)
    elif found["until"]:
        months = months_label(first + MONTHS_PER_YEAR * years, MONTHS_PER_QUARTER * int(found["until"]))
        said = f"{months} ({year_label(years, first, names)} to Q{found['until']})"
    else:
        said = year_label(years, first, names)
    return f"{found['rest'] or ''}{said}{found['running'] or ''}"


def period_short(period: str, first: pd.Period, names: Names = "start") -> str:
    """The same where space is tight and its months stand elsewhere: Q3 FY27 to date; FY27 to Q3."""
    return re.sub(r"^(rest of )?[^(]*\(([^)]*)\)", r"\1\2", period_label(period, first, names))
