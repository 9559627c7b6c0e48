"""Where things stand in the live workbook: its sheets, one row per cell and stage, its months."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from revplan.funnel.funnel import HORIZON, Cell
from revplan.funnel.year import PlannedYear
from revplan.ground.lag import Lag

READ_ME, INPUTS, RATES, BRIDGE, TARGETS = "Read me", "Inputs", "Rates and delays", "Bridge", "Targets"
REQUIRED, REQUIRED_NEXT, COMMIT, FORWARD = "Required", "Required next year", "Commit", "Forward"
ARR, QUARTERS, BUDGET, CHECK = "ARR by month", "Quarters", "Budget", "Check"
PEOPLE, CAPACITY = "People", "Demand and people"
TO_WON, FROM_ENTRY, COMPOSED, SOLVED = "Delays to won", "Delays from entry", "Composed delays", "Solved for"
SHEETS = (
    READ_ME, INPUTS, RATES, BRIDGE, TARGETS, REQUIRED, REQUIRED_NEXT, COMMIT, FORWARD, ARR, QUARTERS, BUDGET, CAPACITY, PEOPLE,
    CHECK, SOLVED, TO_WON, FROM_ENTRY, COMPOSED,
)  # fmt: skip

MOST_ROWS = 600
"""Rows of cells and stages up to which a plan is written live: twenty segments by thirty sources are beyond it."""

MOST_COMPOSED = 1024
"""Rows of composed delays up to which delays are inputs."""

SPARE_MONTHS = 6
SPARE_LAG_MONTHS = 2


@dataclass(frozen=True)
class StageRow:
    """One stage of one cell."""

    cell: int
    stage: int
    """Index in the cell's own stages."""


class Grid:
    """The rows and months of one planned year."""

    def __init__(self, year: PlannedYear) -> None:
        self.year, self.plan, self.cells = year, year.plan, year.cells
        self.rows = [StageRow(at, stage) for at, cell in enumerate(self.cells) for stage in range(cell.won + 1)]
        self._place = {(row.cell, row.stage): place for place, row in enumerate(self.rows)}

    def place(self, cell: int, stage: int) -> int:
        """How many rows stand above the one of `stage` of a cell."""
        return self._place[cell, stage]

    def is_won(self, row: StageRow) -> bool:
        """Whether `row` is the last stage of its cell."""
        return row.stage == self.cells[row.cell].won

    def stage_number(self, row: StageRow) -> int:
        """Number of the stage in the plan's list, from 1."""
        return self.plan.stage_ids.index(self.cells[row.cell].stages[row.stage]) + 1

    def required(self, cell: int, next_year: bool) -> tuple[int, np.ndarray]:
        """Entries by stage and month that serve the wins of this year or of the next, and the first of these months."""
        found = self.year.required[cell]
        return found.first, found.next_year if next_year else found.this_year

    def source_number(self, cell: Cell) -> int:
        """Number of the source in the plan's list, from 1."""
        return list(self.plan.sources).index(cell.source) + 1

    @cached_property
    def reach(self) -> int:
        """Months that the workbook follows a delay back."""
        longest = max(len(cell.shares_to_won(stage)) for cell in self.cells for stage in range(cell.won + 1))
        return longest - 1 + SPARE_MONTHS

    @cached_property
    def lag_months(self) -> int:
        """Columns of a delay's monthly shares."""
        return min(max(len(lag.shares()) for cell in self.cells for lag in cell.lags) + SPARE_LAG_MONTHS, 61)

    @property
    def flow_months(self) -> int:
        """Months from the plan month to the end of next year."""
        return HORIZON - self.year.first

    def month(self, number: int) -> pd.Period:
        """The month `number` after the first of the year."""
        return self.plan.first_month + number

    @cached_property
    def families(self) -> dict[tuple[Lag, ...], int]:
        """Log-normal delays that are composed together, and the first row of their combinations."""
        starts: dict[tuple[Lag, ...], int] = {}
        rows = 0
        for cell in self.cells:
            family = spread(cell.lags)
            if family not in starts:
                starts[family] = rows
                rows += 2 ** len(family)
        return starts

    @property
    def lags_are_inputs(self) -> bool:
        """Whether every combination of kept and changed delays fits into the workbook."""
        return sum(2 ** len(family) for family in self.families) <= MOST_COMPOSED

    def bit(self, row: StageRow) -> int:
        """Weight of a step's delay in the number of its combination; 0 where it is no log-normal one."""
        lags = self.cells[row.cell].lags
        if lags[row.stage].log_normal is None:
            return 0
        return 2 ** len(spread(lags[: row.stage]))


def spread(lags: tuple[Lag, ...]) -> tuple[Lag, ...]:
    """The log-normal ones of `lags`: they are composed in days."""
    return tuple(lag for lag in lags if lag.log_normal is not None)


def padded(values: np.ndarray, size: int) -> np.ndarray:
    """`values` cut or filled with zeros to `size` elements."""
    filled = np.zeros(size)
    filled[: min(size, len(values))] = values[:size]
    return filled
