"""The cells of a plan: one per segment and source, with its path from entry to won."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from revplan.lag import Lag, path_day_chances, path_shares
from revplan.plan.bridge import next_year_new_arr, solve_bridge
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
