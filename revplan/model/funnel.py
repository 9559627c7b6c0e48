"""The funnel backwards and forwards: what must enter for the goal, and what entries bring.

Months are counted from the first month of the fiscal year: 0 to 11 is the year, 12 to 23 the
next one, negative months lie before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from revplan.model.cells import Cell

YEAR = 12
HORIZON = 24  # months followed: this fiscal year and the next

Flow = np.ndarray
"""Records per month; the first element belongs to the month the flow starts in."""


@dataclass(frozen=True)
class Required:
    """Entries traced back from the wins of a year, by stage of one cell. [records]"""

    first: int
    """Month of the first column."""
    this_year: np.ndarray
    """Shape (stages, months): entries that serve this year's wins."""
    next_year: np.ndarray
    """Shape (stages, months): entries that serve next year's wins."""


def required_entries(cell: Cell, wins: np.ndarray, *, round_up_chain: bool = False) -> Required:
    """Entries that must be made at each stage, and when, for `wins` to happen. [records]

    Each month's wins are traced back to the months their delays point at, so totals agree exactly:
    the entries of a stage, over all months, are the wins divided by the rate from there to won.

    Parameters
    ----------
    cell
        The cell with its rates and lags.
    wins
        Wins of the 24 months of this year and the next. [deals]
    round_up_chain
        Round each year's total half up at every stage and carry that, as a spreadsheet does; the
        months keep their unrounded shares of it.
    """
    longest = max(len(cell.shares_to_won(stage)) for stage in range(cell.won + 1)) - 1
    totals = _rounded_totals if round_up_chain else _totals
    years = []
    for year in (slice(0, YEAR), slice(YEAR, HORIZON)):
        asked = np.zeros(HORIZON)
        asked[year] = wins[year]
        shape = _traced_back(cell, asked, longest)
        years.append(shape * totals(cell, float(asked.sum()))[:, None])
    return Required(-longest, *years)


def _traced_back(cell: Cell, wins: np.ndarray, longest: int) -> np.ndarray:
    """Share of each stage's entries by month; each row sums to 1 (or to 0 where nothing is asked)."""
    total = wins.sum()
    rows = np.zeros((cell.won + 1, longest + HORIZON))
    if total <= 0:
        return rows
    for stage in range(cell.won + 1):
        shares = cell.shares_to_won(stage)
        start = longest - (len(shares) - 1)
        rows[stage, start:] = np.convolve(wins / total, shares[::-1])
    return rows


def _totals(cell: Cell, wins: float) -> np.ndarray:
    return wins / cell.rates_to_won


def _rounded_totals(cell: Cell, wins: float) -> np.ndarray:
    """Totals by stage, each rounded half up before it is carried to the stage above."""
    totals = [half_up(wins)]
    for rate in cell.rates[::-1]:
        totals.append(half_up(totals[-1] / rate))
    return np.asarray(totals[::-1])


def half_up(value: float) -> float:
    """The nearest whole number, halves up; a value a rounding error short of the half counts as the half."""
    return float(np.floor(value + 0.5 + 1e-9 * max(1.0, abs(value))))


def forward(cell: Cell, entries: Flow, start: float) -> np.ndarray:
    """Entries into each stage that a flow of entries at the cell's first stage brings. [records]

    Parameters
    ----------
    cell
        The cell with its rates and lags.
    entries
        Entries by month.
    start
        Share of the flow's first month that is over before the first record enters. [0-1)

    Returns
    -------
    numpy.ndarray
        Shape (stages, months of the flow): what arrives later is cut off.
    """
    return np.stack([_arrivals(cell, stage, entries, start) for stage in range(cell.won + 1)])


def _arrivals(cell: Cell, stage: int, entries: Flow, start: float) -> np.ndarray:
    months = len(entries)
    later = np.convolve(entries[1:], cell.shares_from_entry(stage, 0.0)[:months])[: months - 1]
    first = entries[0] * _cut(cell.shares_from_entry(stage, start), months)
    first[1:] += later
    return cell.rates_from_entry[stage] * first


def arrival_matrix(cell: Cell, stage: int, months: int, start: float) -> np.ndarray:
    """Share of the records entering in month j (column) that reach `stage` in month i (row), of those that do."""
    whole = _cut(cell.shares_from_entry(stage, 0.0), months)
    age = np.subtract.outer(np.arange(months), np.arange(months))
    matrix = np.where(age >= 0, whole[np.maximum(age, 0)], 0.0)
    matrix[:, 0] = _cut(cell.shares_from_entry(stage, start), months)
    return matrix


def _cut(shares: np.ndarray, months: int) -> np.ndarray:
    cut = np.zeros(months)
    cut[: min(months, len(shares))] = shares[:months]
    return cut
