"""The cells of a plan: one per segment and source, with its path from entry to won.

The funnel backwards and forwards: what must enter for the goal, and what entries bring.

Months are counted from the first month of the fiscal year: 0 to 11 is the year, 12 to 23 the
next one, negative months lie before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from revplan.ground.lag import Lag, path_day_chances, path_shares
from revplan.plan.goal import next_year_new_arr, solve_bridge
from revplan.plan.model import Plan


@dataclass(frozen=True)
class Cell:
    """One segment x source: the stages its records pass, and the year it is asked for."""

    segment: str
    source: str
    stages: tuple[str, ...]
    """Stages from the one where records enter to won."""
    rates: tuple[float, ...]
    lags: tuple[Lag, ...]
    acv: float
    """Mean value of a win. [plan currency]"""
    share: float
    """Share of the plan's new ARR. [0-1]"""

    @property
    def won(self) -> int:
        """Index of the last stage."""
        return len(self.rates)

    @cached_property
    def rates_to_won(self) -> np.ndarray:
        """Share of the entries into each stage that are won in the end. [0-1]"""
        return np.append(np.cumprod(self.rates[::-1])[::-1], 1.0)

    @cached_property
    def rates_from_entry(self) -> np.ndarray:
        """Share of the records that reach each stage. [0-1]"""
        return np.append(1.0, np.cumprod(self.rates))

    def shares_to_won(self, stage: int) -> np.ndarray:
        """Share of the wins 0, 1, 2, ... months after entry into `stage`."""
        return path_shares(self.lags[stage:])

    def shares_from_entry(self, stage: int, start: float) -> np.ndarray:
        """Share of entries into `stage` 0, 1, ... months after a month of entry, `start` of it gone."""
        return path_shares(self.lags[:stage], start)

    def days_to_won(self, stage: int) -> np.ndarray:
        """Chance that a win comes 0, 1, 2, ... days after entry into `stage`."""
        return path_day_chances(self.lags[stage:])


def plan_cells(plan: Plan) -> tuple[Cell, ...]:
    """The cells that bring new ARR, segment by segment, in the order of the plan."""
    return tuple(_cell(plan, segment, source) for segment, source in plan.cells)


def _cell(plan: Plan, segment: str, source: str) -> Cell:
    path = plan.path(segment, source)
    stages = plan.stage_ids[len(plan.stage_ids) - len(path) - 1 :]
    return Cell(
        segment=segment,
        source=source,
        stages=stages,
        rates=tuple(transition.rate for transition in path),
        lags=tuple(transition.lag for transition in path),
        acv=plan.segments[segment].acv.mean,
        share=plan.share(segment, source),
    )


def target_arr(plan: Plan, cells: tuple[Cell, ...]) -> np.ndarray:
    """New ARR asked of each cell in the 24 months of this fiscal year and the next. [plan currency]

    The following year has the same phasing and shares; its size is the plan's stated assumption.

    Returns
    -------
    numpy.ndarray
        Shape (cells, 24).
    """
    bridge = solve_bridge(plan.goal)
    phasing = np.asarray(plan.goal.phasing.by_month())
    years = np.concatenate([bridge.new_arr * phasing, next_year_new_arr(plan.goal, bridge) * phasing])
    return np.outer([cell.share for cell in cells], years)


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
    years = []
    for year in (slice(0, YEAR), slice(YEAR, HORIZON)):
        asked = np.zeros(HORIZON)
        asked[year] = wins[year]
        total = float(asked.sum())
        totals = _rounded_totals(cell, total) if round_up_chain else total / cell.rates_to_won
        years.append(_traced_back(cell, asked, longest) * totals[:, None])
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


def _rounded_totals(cell: Cell, wins: float) -> np.ndarray:
    """Totals by stage, each rounded half up before it is carried to the stage above."""
    totals = [half_up(wins)]
    for rate in cell.rates[::-1]:
        totals.append(half_up(totals[-1] / rate))
    return np.asarray(totals[::-1])


def half_up(value: float) -> float:
    """The nearest whole number, halves up; a value a rounding error short of the half counts as the half.

    >>> half_up(2.5)
    3.0
    """
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
