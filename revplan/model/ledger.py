"""Which year an entry serves, and until when a new entry still serves this one."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

from revplan.lag import path_quantile, path_shift
from revplan.model.cells import Cell
from revplan.model.funnel import YEAR, forward

USEFUL_SHARE = 0.2


def arr_by_entry_month(cell: Cell, arr: np.ndarray) -> np.ndarray:
    """ARR of the year's months, told by the month in which its records enter. [plan currency]

    Returns
    -------
    numpy.ndarray
        Months before the year first; the last element is the last month of the year.
    """
    return np.convolve(arr[:YEAR], cell.shares_to_won(0)[::-1])


def serves(cell: Cell, entries: np.ndarray, first: int, start: float) -> tuple[float, float]:
    """ARR that entries bring within the year, and after it. [plan currency]

    Parameters
    ----------
    cell
        The cell with its rates and lags.
    entries
        Entries by month, at least to the end of the year.
    first
        Month of the first element, counted from the first month of the year.
    start
        Share of that month that is over before the first record enters, as `forward` takes it. [0-1)
    """
    won = forward(cell, entries, start)[-1] * cell.acv
    months = np.arange(first, first + len(entries))
    inside = float(won[(months >= 0) & (months < YEAR)].sum())
    worth = float(entries.sum()) * float(cell.rates_to_won[0]) * cell.acv
    return inside, worth - float(won[months < YEAR].sum())


def last_useful_day(cell: Cell, year_end: date, share: float = USEFUL_SHARE) -> date:
    """The last day on which a new entry still has `share` of its won ARR within the year.

    Parameters
    ----------
    cell
        The cell with its lags.
    year_end
        Last day of the fiscal year.
    share
        Chance-weighted share of the ARR of an entry that must fall within the year. [0-1]
    """
    if not any(lag.log_normal for lag in cell.lags):
        months = int(np.searchsorted(np.cumsum(path_shift(cell.lags)), share - 1e-12))
        return (pd.Period(year_end, freq="M") - months).end_time.date()
    return year_end - timedelta(days=path_quantile(cell.lags, share))
