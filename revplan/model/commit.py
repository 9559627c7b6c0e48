"""The commit: entries from the plan date on that reach the goal as far as it can be reached.

One linear programme per source (its segments share the source's limits; shares bind, so sources
do not trade). In lexicographic order it minimises

1. the ARR the year misses,
2. the ARR missed so far, summed over the ends of the quarters,
3. the ARR the first two quarters of next year miss, so the last months do not sink,
4. the ARR that comes in another quarter than it was asked for: entries paid for without need,
5. roughness: the sum of |second differences| of the monthly entries.

Since a source has one cost per entry, the fourth aim is its cost. It is solved by HiGHS
(Huangfu and Hall, 2018, https://doi.org/10.1007/s12532-017-0130-5) through scipy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from revplan.errors import PlanError
from revplan.model.cells import Cell
from revplan.model.funnel import arrival_matrix

QUARTERS = 4  # of the year
NEXT_QUARTERS = 2  # of the next year that the commit still serves
ALL_QUARTERS = QUARTERS + NEXT_QUARTERS
LAST_MONTH = 3 * ALL_QUARTERS  # one past the last month of entry
TOLERANCE = 1e-9

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Limits:
    """What a source can do in a month."""

    max_per_month: float | None = None
    """Most entries a month over all segments. [records]"""
    max_growth: float | None = None
    """Largest growth from month to month. [share]"""
    last_month: float = 0.0
    """Entries a month before the plan date, where the records say so. [records]"""


@dataclass(frozen=True)
class Task:
    """One source: its cells, what they are asked for, and what will come without new entries."""

    cells: tuple[Cell, ...]
    goals: np.ndarray
    """Shape (cells, 6): ARR asked for by quarter. [plan currency]"""
    coming: np.ndarray
    """Shape (cells, 6): ARR that is won already or expected from open records. [plan currency]"""
    limits: Limits


def commit_entries(
    tasks: Sequence[Task], start: float, first: int, progress: Progress | None = None
) -> list[np.ndarray]:
    """Entries by cell and month for each task. [records]

    Parameters
    ----------
    tasks
        One per source.
    start
        Share of the plan month that is over on the plan date. [0-1)
    first
        The plan month, counted from the first month of the fiscal year.
    progress
        Called with done, total and the source's name.

    Returns
    -------
    list of numpy.ndarray
        One per task, shape (cells, months): months run from `first` to the middle of next year.
    """
    entries = []
    for done, task in enumerate(tasks):
        if progress:
            progress(done, len(tasks), task.cells[0].source)
        entries.append(_Programme(task, start, LAST_MONTH - first, first).solve())
    return entries


def quarter_yields(cell: Cell, months: int, first: int, start: float) -> np.ndarray:
    """ARR in each of the six quarters per entry in each month. [plan currency per record]

    Returns
    -------
    numpy.ndarray
        Shape (6, months); months run from `first`.
    """
    arrivals = arrival_matrix(cell, cell.won, months, start)
    month = np.arange(first, first + months)
    in_quarter = (month // 3)[None, :] == np.arange(ALL_QUARTERS)[:, None]
    return cell.rates_to_won[0] * cell.acv * in_quarter @ arrivals


class _Programme:
    """The linear programme of one source, in units in which goals and entries are about 1.

    Columns, one block of each per cell: entries by month; ARR missed so far at the four quarter
    ends; ARR missed and exceeded in each of the six quarters; absolute second differences.
    """

    def __init__(self, task: Task, start: float, months: int, first: int) -> None:
        self.task, self.start, self.months, self.first = task, start, months, first
        goal = task.goals.sum()
        self.money = goal / task.goals.size if goal > 0 else 1.0
        full = [cell.rates_to_won[0] * cell.acv for cell in task.cells]
        self.unit = np.array([3 * self.money / worth for worth in full])  # entries that bring one quarter's goal
        self.bends = max(months - 2, 0)
        self.sizes = (months, QUARTERS, ALL_QUARTERS, ALL_QUARTERS, self.bends)
        self.width = sum(self.sizes)

    def solve(self) -> np.ndarray:
        count = len(self.task.cells)
        if not (self.task.goals.sum() > 0):
            return np.zeros((count, self.months))
        equal, equal_to = self._equalities()
        most, at_most = self._inequalities()
        for aim in self._aims(equal, equal_to, most, at_most):
            found = self._minimum(aim, equal, equal_to, most, at_most)
            most = sparse.vstack([most, sparse.csr_array(aim[None, :])], format="csr")
            at_most = np.append(at_most, found.fun + TOLERANCE * max(1.0, abs(found.fun)))
        flows = found.x.reshape(count, self.width)[:, : self.months] * self.unit[:, None]
        return np.where(flows > 1e-9 * self.unit[:, None], flows, 0.0)

    def _aims(self, *system: np.ndarray) -> list[np.ndarray]:
        """The objectives in their order; where nothing need be missed at all, the first three are one."""
        year, so_far, next_year = self._aim(1, [0, 0, 0, 1]), self._aim(1), self._aim(2, [0, 0, 0, 0, 1, 1])
        missed = year + so_far + next_year
        together = self._minimum(missed, *system).fun < TOLERANCE
        elsewhere = self._aim(2) + self._aim(3)
        return [*([missed] if together else [year, so_far, next_year]), elsewhere, self._aim(4)]

    def _minimum(self, aim: np.ndarray, equal: np.ndarray, equal_to: np.ndarray, most: np.ndarray, at_most: np.ndarray):  # type: ignore[no-untyped-def]
        for tolerance in (1e-9, 1e-7):
            options = {"primal_feasibility_tolerance": tolerance, "dual_feasibility_tolerance": tolerance}
            found = linprog(aim, most, at_most, equal, equal_to, method="highs", options=options)
            if found.status == 0:
                return found
        raise PlanError.at(f"sources.{self.task.cells[0].source}", f"the commit could not be solved: {found.message}")

    def _aim(self, block: int, weights: Sequence[float] | None = None) -> np.ndarray:
        aim = np.zeros((len(self.task.cells), self.width))
        begin = sum(self.sizes[:block])
        aim[:, begin : begin + self.sizes[block]] = 1.0 if weights is None else weights
        return aim.ravel()

    def _equalities(self) -> tuple[sparse.csr_array, np.ndarray]:
        """Per cell and quarter: yield + coming + missed - exceeded = goal."""
        blocks, sides = [], []
        for cell, unit, goals, coming in zip(
            self.task.cells, self.unit, self.task.goals, self.task.coming, strict=True
        ):
            row = np.zeros((ALL_QUARTERS, self.width))
            row[:, : self.months] = quarter_yields(cell, self.months, self.first, self.start) * unit / self.money
            missed = self.months + QUARTERS
            row[:, missed : missed + ALL_QUARTERS] = np.eye(ALL_QUARTERS)
            row[:, missed + ALL_QUARTERS : missed + 2 * ALL_QUARTERS] = -np.eye(ALL_QUARTERS)
            blocks.append(row)
            sides.append((goals - coming) / self.money)
        return sparse.block_diag(blocks, format="csr"), np.concatenate(sides)

    def _inequalities(self) -> tuple[sparse.csr_array, np.ndarray]:
        per_cell = sparse.block_diag([self._cell_rows()] * len(self.task.cells), format="csr")
        shared, at_most = self._source_rows()
        return sparse.vstack([per_cell, shared], format="csr"), np.append(np.zeros(per_cell.shape[0]), at_most)

    def _cell_rows(self) -> np.ndarray:
        """Missed so far is at least what the quarters missed less what they exceeded; bends have two sides."""
        so_far = np.zeros((QUARTERS, self.width))
        missed = self.months + QUARTERS
        until = np.tri(QUARTERS)
        so_far[:, self.months : missed] = -np.eye(QUARTERS)
        so_far[:, missed : missed + QUARTERS] = until
        so_far[:, missed + ALL_QUARTERS : missed + ALL_QUARTERS + QUARTERS] = -until
        bend = np.zeros((self.bends, self.width))
        bend[:, : self.months] = np.diff(np.eye(self.months), 2, axis=0) * self._per_whole_month()
        absolute = np.zeros_like(bend)
        absolute[:, self.width - self.bends :] = np.eye(self.bends)
        return np.vstack([so_far, bend - absolute, -bend - absolute])

    def _per_whole_month(self) -> np.ndarray:
        """Factor that turns the entries of each month into a whole month's; the first may be a part."""
        factor = np.ones(self.months)
        factor[0] = 1 / (1 - self.start)
        return factor

    def _source_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Limits of the source, over the sum of its cells in whole-month terms."""
        whole = np.diag(self._per_whole_month())
        limits = self.task.limits
        rows, at_most = np.zeros((0, self.months)), np.zeros(0)
        scale = float(self.unit.max())
        if limits.max_per_month is not None:
            rows, at_most = whole, np.full(self.months, limits.max_per_month / scale)
        if limits.max_growth is not None:
            before = np.eye(self.months, k=-1) * (1 + limits.max_growth)
            base = np.zeros(self.months)
            base[0] = limits.last_month * (1 + limits.max_growth) / scale
            growth = (np.eye(self.months) - before) @ whole
            skip = 0 if limits.last_month > 0 else 1
            rows, at_most = np.vstack([rows, growth[skip:]]), np.append(at_most, base[skip:])
        wide = np.zeros((len(rows), len(self.task.cells), self.width))
        wide[:, :, : self.months] = rows[:, None, :] * (self.unit / scale)[None, :, None]
        return wide.reshape(len(rows), self.width * len(self.task.cells)), at_most
