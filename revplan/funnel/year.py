"""The planned year in arrays: targets, what is required, what can be committed, what is coming."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from revplan.funnel.commit import ALL_QUARTERS, LAST_MONTH, QUARTERS, Task, commit_entries
from revplan.funnel.funnel import HORIZON, YEAR, Cell, Required, forward, plan_cells, required_entries, target_arr
from revplan.funnel.pipeline import OpenGroup, OpenYield, new_wins, open_yield
from revplan.ground.calendar import month_of, share_gone
from revplan.ground.clock import Clock
from revplan.ground.levels import Levels
from revplan.ground.values import Progress
from revplan.plan.goal import Bridge, solve_bridge
from revplan.plan.model import Plan

CellName = tuple[str, str]

AT_CEILING = 1 - 1e-6  # of a ceiling, from which it is reached
SETTLED = 4e-7  # share of the year's goal below which a quarter, or the year, neither misses nor exceeds


@dataclass(frozen=True)
class Snapshot:
    """What the records say on the plan date; nothing of it where there are no records."""

    open_groups: Mapping[CellName, tuple[OpenGroup, ...]] = field(default_factory=dict)
    """Open records by cell."""
    won: Mapping[CellName, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    """Wins and their ARR in each of the 24 months, by cell: what is closed before the plan date."""
    recent: Mapping[CellName, float] | None = None
    """Entries a month by cell, the mean of the last three whole months; None where no records say."""
    clock: Clock | None = None
    """By which the last step takes its time, the ages of its open records among them; None where that is days."""
    by_dates: tuple[float, ...] = ()
    """What open records bring in the plan month, the next one, ..., over what stage and age say; then as much. [ratio]"""


@dataclass(frozen=True, repr=False)
class PlannedYear:
    """A plan computed: every array has one row per cell; money in the plan's currency."""

    plan: Plan
    snapshot: Snapshot
    """What the records said on its plan date: by it another plan can be computed as of the same day."""
    bridge: Bridge
    cells: tuple[Cell, ...]
    first: int
    """The plan month, counted from the first month of the year."""
    start: float
    """Share of the plan month that is over. [0-1)"""
    targets: np.ndarray
    """Shape (cells, 24): new ARR asked for."""
    required: tuple[Required, ...]
    flows: tuple[np.ndarray, ...]
    """Per cell, shape (stages, months from the plan month to the end of next year): the commit."""
    open_yields: tuple[tuple[tuple[OpenGroup, OpenYield], ...], ...]
    """Per cell: each group of open records with what it brings."""
    open_arr: np.ndarray
    """Shape (cells, 24): ARR expected from open records."""
    open_wins: np.ndarray
    won_arr: np.ndarray
    """Shape (cells, 24): ARR closed before the plan date."""
    won_wins: np.ndarray
    clock: Clock | None = None
    """By which new entries close in what is expected of a running year; a plan spreads them over its quarters evenly."""
    levels: Levels = field(default_factory=dict)
    """By step, how the rates of a running year run lately and how far they stray; a plan's do not."""

    def __repr__(self) -> str:
        return f"<PlannedYear {self.plan.name}: {len(self.cells)} cells from {self.plan.first_month + self.first} on>"

    def brought(self, cell: Cell, entries: np.ndarray) -> np.ndarray:
        """Entries into each stage of `cell` that entries by month from the plan month on bring. [records]"""
        stages = forward(cell, entries, self.start)
        if self.clock is not None:
            stages[-1] = new_wins(cell, entries, self.plan.plan_date, self.clock)
        return stages

    @property
    def coming(self) -> np.ndarray:
        """Shape (cells, 24): ARR that needs no new entries."""
        return self.open_arr + self.won_arr

    @property
    def commit_wins(self) -> np.ndarray:
        """Shape (cells, 24): wins from committed entries. [deals]"""
        return np.stack([self._in_horizon(flow[-1]) for flow in self.flows])

    @property
    def commit_arr(self) -> np.ndarray:
        """Shape (cells, 24): ARR from committed entries."""
        return self.commit_wins * self.acv[:, None]

    @property
    def acv(self) -> np.ndarray:
        """Mean value of a win of each cell."""
        return np.array([cell.acv for cell in self.cells])

    @property
    def wins(self) -> np.ndarray:
        """Shape (cells,): wins the goal of the year asks for, rounded where the plan rounds. [deals]"""
        return np.array([required.this_year[-1].sum() for required in self.required])

    def past_share(self, months: np.ndarray) -> np.ndarray:
        """Share of each month (counted from the first of the year) that is over on the plan date. [0-1]"""
        return np.clip(self.first + self.start - months, 0, 1)

    def in_year(self, flow: np.ndarray) -> np.ndarray:
        """The year's months (last axis) of a flow from the plan month on; those gone by are empty. [records]"""
        inside = flow[..., max(-self.first, 0) : YEAR - self.first]
        return np.pad(inside, [(0, 0)] * (inside.ndim - 1) + [(YEAR - inside.shape[-1], 0)])

    @property
    def whole_months(self) -> dict[str, np.ndarray]:
        """By source, its entries by month from the plan month on, that one as if all of it were ahead. [records]"""
        found: dict[str, np.ndarray] = {}
        for cell, flow in zip(self.cells, self.flows, strict=True):
            whole = np.append(flow[0][:1] / (1 - self.start), flow[0][1:])
            found[cell.source] = found.get(cell.source, 0.0) + whole
        return found

    def rows_of(self, source: str) -> list[int]:
        """The rows of a source's cells."""
        return [row for row, cell in enumerate(self.cells) if cell.source == source]

    def recent(self, source: str) -> np.ndarray | None:
        """Entries a month of each of a source's cells before the plan date; None where no records say. [records]"""
        entries = self.snapshot.recent
        if entries is None:
            return None
        cells = (self.cells[row] for row in self.rows_of(source))
        return np.array([entries.get((cell.segment, cell.source), 0.0) for cell in cells])

    def _in_horizon(self, flow: np.ndarray) -> np.ndarray:
        """A flow from the plan month on, over the 24 months of the two years."""
        inside = np.zeros(HORIZON)
        begin = max(self.first, 0)
        inside[begin:] = flow[begin - self.first :]
        return inside


def plan_year(plan: Plan, snapshot: Snapshot, progress: Progress | None = None) -> PlannedYear:
    """The plan computed: required entries, the commit, and what comes without new entries."""
    year = year_without_commit(plan, snapshot)
    entries = _commit(year, progress)
    flows = tuple(year.brought(cell, flow) for cell, flow in zip(year.cells, entries, strict=True))
    return replace(year, flows=flows)


def year_without_commit(plan: Plan, snapshot: Snapshot) -> PlannedYear:
    """The plan computed but for its commit: without flows, which take an optimisation."""
    cells = plan_cells(plan)
    targets = target_arr(plan, cells)
    opened = tuple(_opened(cell, plan, snapshot) for cell in cells)
    open_wins, open_arr = (_open_sum(opened, name) for name in ("wins", "arr"))
    won_wins, won_arr = (_won(cells, snapshot, index) for index in (0, 1))
    return PlannedYear(
        plan=plan,
        snapshot=snapshot,
        bridge=solve_bridge(plan.goal),
        cells=cells,
        first=(month_of(plan.plan_date) - plan.first_month).n,
        start=share_gone(plan.plan_date),
        targets=targets,
        required=required(plan, cells, targets),
        flows=(),
        open_yields=opened,
        open_arr=open_arr,
        open_wins=open_wins,
        won_arr=won_arr,
        won_wins=won_wins,
    )


def required(plan: Plan, cells: tuple[Cell, ...], targets: np.ndarray) -> tuple[Required, ...]:
    """What each cell must have enter for its targets. [records]"""
    rounded = plan.rounding == "spreadsheet"
    return tuple(
        required_entries(cell, arr / cell.acv, round_up_chain=rounded) for cell, arr in zip(cells, targets, strict=True)
    )


def _opened(cell: Cell, plan: Plan, snapshot: Snapshot) -> tuple[tuple[OpenGroup, OpenYield], ...]:
    groups = snapshot.open_groups.get((cell.segment, cell.source), ())
    found = (open_yield(cell, group, plan.plan_date, plan.first_month, snapshot.clock) for group in groups)
    if snapshot.by_dates:
        found = (each.times(snapshot.by_dates, (month_of(plan.plan_date) - plan.first_month).n) for each in found)
    return tuple(zip(groups, found, strict=True))


def _open_sum(opened: tuple[tuple[tuple[OpenGroup, OpenYield], ...], ...], name: str) -> np.ndarray:
    nothing = np.zeros(HORIZON)
    return np.stack([sum((getattr(found, name) for _, found in cell), nothing) for cell in opened])


def _won(cells: tuple[Cell, ...], snapshot: Snapshot, index: int) -> np.ndarray:
    nothing = (np.zeros(HORIZON), np.zeros(HORIZON))
    return np.stack([snapshot.won.get((cell.segment, cell.source), nothing)[index] for cell in cells])


def by_quarter(months: np.ndarray) -> np.ndarray:
    """The 24 months of each row as the six quarters the commit looks at."""
    return months.reshape(len(months), HORIZON // 3, 3).sum(axis=2)[:, :ALL_QUARTERS]


def _commit(year: PlannedYear, progress: Progress | None) -> np.ndarray:
    """Committed entries of each cell, from the plan month to the end of next year. [records]"""
    goals, without_entries = by_quarter(year.targets), by_quarter(year.coming)
    names = list(dict.fromkeys(cell.source for cell in year.cells))
    tasks = []
    for name in names:
        source, rows = year.plan.sources[name], year.rows_of(name)
        tasks.append(
            Task(
                cells=tuple(year.cells[row] for row in rows),
                goals=goals[rows],
                coming=without_entries[rows],
                recent=year.recent(name),
                max_per_month=source.max_per_month,
                max_growth=source.max_growth,
                cost=source.cost_per_entry,
                at_any_cost=year.plan.commit.at_any_cost,
            )
        )
    entries = np.zeros((len(year.cells), HORIZON - year.first))
    for name, flows in zip(names, commit_entries(tasks, year.start, year.first, progress), strict=True):
        entries[year.rows_of(name), : LAST_MONTH - year.first] = flows
    return entries


def capped_segments(year: PlannedYear) -> set[str]:
    """The segments whose goal is missed while one of their sources enters as much as its ceiling allows."""
    missed = (year.targets - year.commit_arr - year.coming)[:, :YEAR].sum(axis=1)
    ceilings = {name: source.max_per_month for name, source in year.plan.sources.items()}
    at_ceiling = {
        name
        for name, entries in year.whole_months.items()
        if (most := ceilings[name]) is not None and (entries >= most * AT_CEILING).any()
    }
    goal = float(year.targets[:, :YEAR].sum())
    return {
        cell.segment
        for cell, short in zip(year.cells, missed, strict=True)
        if cell.source in at_ceiling and short > 1e-6 * goal
    }


@dataclass(frozen=True)
class QuarterResult:
    """How a quarter of the year comes out. [plan currency]"""

    goal: float
    committed: float
    open_pipeline: float
    won: float
    shortfall: float
    surplus: float
    missed_so_far: float
    below_share: float
    """What cells miss of their shares of the quarter; others may bring more than theirs."""


def quarter_results(year: PlannedYear) -> list[QuarterResult]:
    """The four quarters: committed + open pipeline + won + shortfall - surplus = goal."""
    parts = [by_quarter(part)[:, :QUARTERS] for part in (year.targets, year.commit_arr, year.open_arr, year.won_arr)]
    gaps = parts[0] - parts[1] - parts[2] - parts[3]
    sums = [part.sum(axis=0) for part in parts]
    dust = SETTLED * float(sums[0].sum())  # a share of the goal: amounts may be written in any unit
    gap, gaps = (np.where(np.abs(each) > dust, each, 0.0) for each in (gaps.sum(axis=0), gaps))
    so_far = np.cumsum(gap)
    so_far = np.where(so_far > dust, so_far, 0.0)
    columns = (*sums, np.maximum(gap, 0), np.maximum(-gap, 0), so_far, np.maximum(gaps, 0).sum(axis=0))
    return [QuarterResult(*(float(column[quarter]) for column in columns)) for quarter in range(QUARTERS)]


def recovered_by(results: Sequence[QuarterResult], quarter: int) -> int | None:
    """Index of the quarter that makes good what `quarter` misses; None where none does, or nothing is missed.

    The first later quarter at whose end nothing is missed so far; or an earlier one's surplus, where what is
    missed was brought before.
    """
    if results[quarter].shortfall <= 0:
        return None
    if results[quarter].missed_so_far <= 0:
        return max(index for index in range(quarter) if results[index].surplus > 0)
    later = range(quarter + 1, len(results))
    return next((index for index in later if results[index].missed_so_far <= 0), None)
