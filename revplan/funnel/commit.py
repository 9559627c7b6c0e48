"""The commit: entries from the plan date on that reach the goal as far as it can be reached.

One linear programme per source: its segments share the source's limits, and shares bind, so sources
do not trade. It first minimises the ARR the year misses. Among the flows that miss at most half a
percent of the source's year more it minimises, in money, the sum of

- the ARR missed so far at the end of each quarter,
- the ARR the first two quarters of next year miss, so that the last months do not sink,
- the ARR that comes in another quarter than it was asked for (beyond the goal it is entries paid
  for without need: a source has one cost per entry, so this is its cost),
- a quarter of the roughness, the sum of |second differences| of the monthly entries, each worth what
  it brings in the end; the months before the plan date count as its neighbours.

Entries that come too late to bring what they cost within the year are not asked for on the year's account, however
much it misses: together they bring next year's first two quarters no more than these ask for. Of a source without
a cost the same holds of entries that bring less than a tenth of their ARR within the year. A source whose entries
never bring what they cost has none. The plan may say otherwise (`commit: {at_any_cost: true}`).

Each aim is an exact penalty: it is met to the cent wherever that does not take a zigzag of months
worth several times the gain. A strict order of the aims would buy the last dollar of a quarter
with flows of 300, 0, 0 and 200 entries (DECISIONS.md).

Several flows are often equally good: segments alike under one ceiling, months within a quarter. Which of
them a solver returns would hang on the last bit of its input, so on the processor. So two costs far below
the others choose one: at each quarter end the largest share of its goal that a segment misses is as small
as can be (segments alike get the same), and each entry has a small cost of its own.

It is solved by HiGHS (Huangfu and Hall, 2018, https://doi.org/10.1007/s12532-017-0130-5) through scipy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from revplan.funnel.funnel import Cell, arrival_matrix
from revplan.ground.errors import PlanError
from revplan.ground.values import Progress

QUARTERS = 4  # of the year
NEXT_QUARTERS = 2  # of the next year that the commit still serves
ALL_QUARTERS = QUARTERS + NEXT_QUARTERS
LAST_MONTH = 3 * ALL_QUARTERS  # one past the last month of entry
# What a unit costs in the second aim: missed so far at each quarter end; missed in a quarter, in one of
# next year (it has no cumulated miss beside it); exceeded in a quarter; a bend of the monthly entries.
REST = ((1.0, 1.0, 1.0, 10.0), 1.0, 2.0, 1.0, 0.25)

# What breaks ties: the largest missed share of a segment's goal so far, and an entry. Both far below a real
# gain, and far above what the solver takes for equal (1e-7).
EVEN, FIRST_OF_EQUALS = 1e-2, 1e-4
DECIMALS = 8  # of an entry: beyond them stands the solver's rounding, which would lift 12 to 13 where it is rounded up
GOLDEN = (1 + 5**0.5) / 2

EXACT = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}  # the least HiGHS allows

# Of a mean month's goal: how far the second aim may spoil the first; the next where one cannot be solved.
SLACKS = (1e-7, 1e-6, 1e-5, 1e-4)

# Share of the source's year the second aim may give up: far below what any plan can know, and enough
# to keep segments that share a ceiling from taking turns.
LEEWAY = 0.005

# Share of its ARR that an entry without a cost brings within the year at least, to be asked for on its account.
LEAST_IN_YEAR = 0.1
NEXT_TO_NOTHING = 1e-3  # share of a mean month's goal that entries too late for both years count for, so that they end


@dataclass(frozen=True)
class Task:
    """One source: its cells, what they are asked for, and what will come without new entries."""

    cells: tuple[Cell, ...]
    goals: np.ndarray
    """Shape (cells, 6): ARR asked for by quarter. [plan currency]"""
    coming: np.ndarray
    """Shape (cells, 6): ARR that is won already or expected from open records. [plan currency]"""
    recent: np.ndarray | None
    """Shape (cells,): entries a month before the plan date; None where no records say. [records]"""
    max_per_month: float | None
    """Most entries a month over all segments; None where nothing limits them. [records]"""
    max_growth: float | None
    """Largest growth from month to month; None where nothing limits it. [share]"""
    cost: float | None = None
    """Of an entry; None where it is not known. [plan currency]"""
    at_any_cost: bool = False
    """Whether entries are asked for that cost more than they bring."""


@dataclass(frozen=True)
class Worth:
    """What an entry of a source brings, by cell and month of entry. Segments share the source's cost by what they bring."""

    in_year: np.ndarray
    """Shape (cells, months): share of its ARR that comes within the year. [0-1]"""
    ever: float
    """ARR in the end of an entry of the source, its segments mixed as their goals ask. [plan currency]"""
    least: float
    """Share of its ARR that comes within the year from which an entry brings what it costs. [0-1]"""

    @property
    def is_late(self) -> np.ndarray:
        """Whether an entry of each cell and month brings less within the year than it costs."""
        return self.in_year < self.least

    @property
    def never_pays(self) -> bool:
        """Whether an entry of the source costs more than it ever brings."""
        return self.least > 1


def worth(cells: Sequence[Cell], yields: np.ndarray, goals: np.ndarray, cost: float | None) -> Worth:
    """What an entry of a source brings, and what it must bring to be asked for on the year's account.

    `yields` are the `quarter_yields` of its cells, `goals` the cells' ARR of the year.
    """
    each = np.array([cell.rates_to_won[0] * cell.acv for cell in cells])
    in_year = yields[:, :QUARTERS].sum(axis=1)
    ever = float(goals.sum() / (goals / each).sum()) if goals.sum() > 0 else float(each.mean())
    return Worth(in_year / each[:, None], ever, LEAST_IN_YEAR if cost is None else cost / ever)


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
    """The linear programme of one source, in units in which a month's goal and its entries are about 1.

    Columns, one block of each per cell: entries by month; ARR missed so far at the four quarter
    ends; ARR missed and exceeded in each of the six quarters; absolute second differences. Last come
    the largest shares missed of any cell's goal at the four quarter ends.
    """

    def __init__(self, task: Task, start: float, months: int, first: int) -> None:
        self.task, self.start, self.months, self.first = task, start, months, first
        self.money = task.goals.sum() / LAST_MONTH if task.goals.sum() > 0 else 1.0  # a mean month's goal
        self.unit = np.array([self.money / (cell.rates_to_won[0] * cell.acv) for cell in task.cells])
        self.before = 0 if task.recent is None else 2  # months before the plan date that a bend looks back on
        self.bends = max(months + self.before - 2, 0)
        self.sizes = (months, QUARTERS, ALL_QUARTERS, ALL_QUARTERS, self.bends)
        self.width = sum(self.sizes)
        self.yields = np.stack([quarter_yields(cell, months, first, start) for cell in task.cells])
        self.worth = worth(task.cells, self.yields, task.goals[:, :QUARTERS].sum(axis=1), task.cost)

    def solve(self) -> np.ndarray:
        """Entries by cell and month. [records]"""
        if not self.task.goals.sum() > 0:
            return np.zeros((len(self.task.cells), self.months))
        equal, equal_to = self._equalities()
        most, at_most = self._inequalities()
        year = self._aim([0, 0, 0, 1])
        found = linprog(year, most, at_most, equal, equal_to, method="highs", options=EXACT)
        most = sparse.vstack([most, sparse.csr_array(year[None, :])], format="csr")
        leeway = LEEWAY * self.task.goals[:, :QUARTERS].sum() / self.money
        for slack in SLACKS:
            within = np.append(at_most, (found.fun or 0.0) + leeway + slack)
            refined = linprog(
                self._aim(*REST) + self._ties(), most, within, equal, equal_to, method="highs", options=EXACT
            )
            if found.status == refined.status == 0:
                return self._entries(refined.x)
        source = self.task.cells[0].source
        raise PlanError.at(f"sources.{source}", f"its commit could not be solved: {refined.message}")

    def _entries(self, x: np.ndarray) -> np.ndarray:
        flows = x[:-QUARTERS].reshape(len(self.task.cells), self.width)[:, : self.months] * self.unit[:, None]
        return np.round(np.where(flows > 1e-9 * self.unit[:, None], flows, 0.0), DECIMALS)

    def _aim(
        self,
        so_far: Sequence[float],
        missed: float = 0.0,
        next_year: float = 0.0,
        exceeded: float = 0.0,
        bend: float = 0.0,
    ) -> np.ndarray:
        """What a unit of each column costs; of the entries, what they bring before the year counts as exceeding it."""
        in_quarters = np.repeat([missed, next_year], [QUARTERS, NEXT_QUARTERS])
        costs = (np.zeros(self.months), so_far, in_quarters, np.full(ALL_QUARTERS, exceeded), np.full(self.bends, bend))
        aim = np.tile(np.concatenate(costs), (len(self.task.cells), 1))
        if exceeded:
            aim[:, : self.months] = exceeded * np.stack([self._too_early(cell) for cell in self.task.cells])
        return np.append(aim.ravel(), np.zeros(QUARTERS))

    def _ties(self) -> np.ndarray:
        """What chooses between flows that are equally good; golden parts of squares are in no simple ratio."""
        count = len(self.task.cells) * self.months
        each = (GOLDEN * np.arange(1, count + 1) ** 2 % 1).reshape(-1, self.months)
        costs = np.zeros((len(self.task.cells), self.width))
        costs[:, : self.months] = FIRST_OF_EQUALS * each
        return np.append(costs.ravel(), np.full(QUARTERS, EVEN))

    def _too_early(self, cell: Cell) -> np.ndarray:
        """Share of what the entries of each month bring that comes before the year. [0-1]"""
        arrivals = arrival_matrix(cell, cell.won, self.months, self.start)
        return arrivals[: max(-self.first, 0)].sum(axis=0)

    def _equalities(self) -> tuple[sparse.csr_array, np.ndarray]:
        """Per cell and quarter: yield + coming + missed - exceeded = goal."""
        blocks = []
        for yields, unit in zip(self.yields, self.unit, strict=True):
            row = np.zeros((ALL_QUARTERS, self.width))
            row[:, : self.months] = yields * unit / self.money
            missed = self.months + QUARTERS
            row[:, missed : missed + ALL_QUARTERS] = np.eye(ALL_QUARTERS)
            row[:, missed + ALL_QUARTERS : missed + 2 * ALL_QUARTERS] = -np.eye(ALL_QUARTERS)
            blocks.append(np.where(np.abs(row) > 1e-9, row, 0.0))
        asked = (self.task.goals - self.task.coming) / self.money
        return self._widened(sparse.block_diag(blocks)), asked.ravel()

    @staticmethod
    def _widened(rows: sparse.sparray) -> sparse.csr_array:
        """Rows of the cells' columns, with the columns of the shares missed."""
        return sparse.hstack([rows, sparse.csr_array((rows.shape[0], QUARTERS))], format="csr")

    def _inequalities(self) -> tuple[sparse.csr_array, np.ndarray]:
        rows, sides = [], []
        for index in range(len(self.task.cells)):
            bend, at_most = self._bends(index)
            rows.append(np.vstack([self._missed_so_far(), bend]))
            sides.append(np.append(np.zeros(QUARTERS), at_most))
            if not self.task.at_any_cost:
                late, most = self._late(index)
                rows[-1], sides[-1] = np.vstack([rows[-1], late]), np.append(sides[-1], most)
        shared, at_most = self._source_rows()
        of_cells = self._widened(sparse.vstack([sparse.block_diag(rows), shared]))
        shares = self._shares_missed()
        at_most = np.concatenate([*sides, at_most, np.zeros(len(shares))])
        return sparse.vstack([of_cells, sparse.csr_array(shares)], format="csr"), at_most

    def _shares_missed(self) -> np.ndarray:
        """At each quarter end no cell misses a larger share of its goal so far than the largest."""
        rows = []
        for index, goals in enumerate(np.cumsum(self.task.goals[:, :QUARTERS], axis=1) / self.money):
            for quarter in np.flatnonzero(goals > 1e-9):
                row = np.zeros(self.width * len(self.task.cells) + QUARTERS)
                row[index * self.width + self.months + quarter] = 1 / goals[quarter]
                row[quarter - QUARTERS] = -1
                rows.append(row)
        return np.array(rows)

    def _late(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """What entries that come too late for the year bring next year's first quarters: at most what these ask for.

        A source that never pays has no entries at all.
        """
        row = np.zeros((1, self.width))
        if self.worth.never_pays:
            row[0, : self.months] = 1.0
            return row, np.zeros(1)
        asked = np.maximum(self.task.goals[index] - self.task.coming[index], 0.0)[QUARTERS:].sum()
        brings = self.yields[index, QUARTERS:].sum(axis=0)
        share = np.maximum(brings * self.unit[index] / self.money, NEXT_TO_NOTHING)
        of_year = np.arange(self.first, self.first + self.months) < 3 * QUARTERS
        row[0, : self.months] = np.where(self.worth.is_late[index] & of_year, share, 0.0)
        return row, np.array([asked / self.money])

    def _missed_so_far(self) -> np.ndarray:
        """At each quarter end at least what the quarters missed less what they exceeded."""
        so_far = np.zeros((QUARTERS, self.width))
        missed = self.months + QUARTERS
        until = np.tri(QUARTERS)
        so_far[:, self.months : missed] = -np.eye(QUARTERS)
        so_far[:, missed : missed + QUARTERS] = until
        so_far[:, missed + ALL_QUARTERS : missed + ALL_QUARTERS + QUARTERS] = -until
        return so_far

    def _bends(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Each absolute second difference is at least the difference and its negative."""
        differences = np.diff(np.eye(self.months + self.before), 2, axis=0)
        recent = 0.0 if self.task.recent is None else self.task.recent[index] / self.unit[index]
        past = differences[:, : self.before].sum(axis=1) * recent
        step = self._beginning(index)
        past[:step] = 0.0
        bend = np.zeros((self.bends, self.width))
        bend[:, : self.months] = differences[:, self.before :] * self._per_whole_month()
        bend[:step] = 0.0
        absolute = np.zeros_like(bend)
        absolute[:, self.width - self.bends :] = np.eye(self.bends)
        return np.vstack([bend - absolute, -bend - absolute]), np.concatenate([-past, past])

    def _beginning(self, index: int) -> int:
        """How many bends lie before the first entry of a cell that brings anything: a flow begins there at its level.

        Were that step a bend to be spread, an even year would be asked for in waves.
        """
        brings = self.yields[index].sum(axis=0)
        waited = int((brings > 1e-9 * brings.max()).argmax())
        return waited + self.before if waited else 0

    def _per_whole_month(self) -> np.ndarray:
        """Factor that turns the entries of each month into a whole month's; the first may be a part."""
        factor = np.ones(self.months)
        factor[0] = 1 / (1 - self.start)
        return factor

    def _source_rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Limits of the source, over the sum of its cells in whole-month terms."""
        whole = np.diag(self._per_whole_month())
        most, growth, recent = self.task.max_per_month, self.task.max_growth, self.task.recent
        rows, at_most = np.zeros((0, self.months)), np.zeros(0)
        scale = float(self.unit.max())
        if most is not None:
            rows, at_most = whole, np.full(self.months, most / scale)
        if growth is not None:
            rise = (np.eye(self.months) - np.eye(self.months, k=-1) * (1 + growth)) @ whole
            base = np.zeros(self.months)
            before = 0.0 if recent is None else float(recent.sum())
            base[0] = before * (1 + growth) / scale
            past = slice(0 if before > 0 else 1, None)
            rows, at_most = np.vstack([rows, rise[past]]), np.append(at_most, base[past])
        wide = np.zeros((len(rows), len(self.task.cells), self.width))
        wide[:, :, : self.months] = rows[:, None, :] * (self.unit / scale)[None, :, None]
        return wide.reshape(len(rows), self.width * len(self.task.cells)), at_most
