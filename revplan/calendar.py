"""Months and quarters of the fiscal year, and where in its month a day lies."""

from __future__ import annotations

from datetime import date

import pandas as pd

MONTHS_PER_YEAR = 12
MONTHS_PER_QUARTER = 3
MONTH_DAYS = 30.4375  # 365.25 / 12: the length of the average month


def month_of(day: date) -> pd.Period:
    """The calendar month that `day` lies in."""
    return pd.Period(year=day.year, month=day.month, freq="M")


def share_gone(day: date) -> float:
    """Share of its month that is over when `day` begins. [0-1)"""
    return (day.day - 1) / month_of(day).days_in_month


def months_from(first: pd.Period, count: int) -> pd.PeriodIndex:
    """`count` months, the first of them `first`."""
    return pd.period_range(first, periods=count, freq="M")


def quarter_label(index: int, first: pd.Period) -> str:
    """Name of fiscal quarter `index` (0 is the quarter that `first` opens), such as '2027-Q1'.

    A fiscal year is named after the calendar year in which it begins.
    """
    return f"{first.year + index // 4}-Q{index % 4 + 1}"
