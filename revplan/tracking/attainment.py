"""What a plan expects, in the tables that actuals are compared with.

Plan and actual: entries of every stage, wins, money; by month for a curve.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from revplan.funnel.funnel import HORIZON, YEAR, Cell
from revplan.funnel.pipeline import OpenGroup, open_yield
from revplan.funnel.year import PlannedYear, Snapshot, year_without_commit
from revplan.ground.calendar import months_from
from revplan.ground.clock import Clock
from revplan.ground.levels import Levels
from revplan.ground.tables import conform, from_rows
from revplan.plan.model import Plan
from revplan.plan.parts import Transition
from revplan.tracking.periods import Span

CELL_ROWS = ("targets", "open_arr", "open_wins", "won_arr", "won_wins")
CELL_TUPLES = ("cells", "required", "open_yields", "flows")


def narrowed(year: PlannedYear, segment: str) -> PlannedYear:
    """The year of one segment only."""
    rows = [row for row, cell in enumerate(year.cells) if cell.segment == segment]
    kept: dict[str, Any] = {name: getattr(year, name)[rows] for name in CELL_ROWS}
    for name in CELL_TUPLES:
        kept[name] = tuple(getattr(year, name)[row] for row in rows)
    return replace(year, **kept)


def planned_flow(year: PlannedYear) -> pd.DataFrame:
    """Table flow: entries of every stage and month that the plan expects, up to the end of its year. [records]

    New ones are those of the commit; opening ones come of the records open on the plan date, and of
    what was won before it.
    """
    parts = [_cell_flow(year, row, cell) for row, cell in enumerate(year.cells)]
    return conform(pd.concat(parts, ignore_index=True), "flow")


def _cell_flow(year: PlannedYear, row: int, cell: Cell) -> pd.DataFrame:
    first, width = min(year.first, 0), YEAR - min(year.first, 0)
    months = months_from(year.plan.first_month + first, width)
    new, opening = np.zeros((2, len(cell.stages), width))
    new[:, year.first - first :] = year.flows[row][:, : YEAR - year.first]
    for group, _ in year.open_yields[row]:
        opening[:, -first:] += open_entries(
            cell, group, year.plan.plan_date, year.plan.first_month, year.snapshot.clock
        )[:, :YEAR]
    opening[-1, -first:] += year.won_wins[row, :YEAR]
    arr = np.zeros((2, len(cell.stages), width))
    arr[0, -1] = new[-1] * cell.acv
    arr[1, -1, -first:] = (year.open_arr + year.won_arr)[row, :YEAR]
    return pd.DataFrame(
        {
            "segment": cell.segment,
            "source": cell.source,
            "stage": np.tile(np.repeat(cell.stages, width), 2),
            "month": months[np.tile(np.arange(width), 2 * len(cell.stages))],
            "part": np.repeat(["new", "opening"], len(cell.stages) * width),
            "entries": np.concatenate([new.ravel(), opening.ravel()]),
            "arr": arr.ravel(),
        }
    )


def open_entries(
    cell: Cell, group: OpenGroup, plan_date: date, first_month: pd.Period, clock: Clock | None = None
) -> np.ndarray:
    """Entries into each stage that open records still bring, in each of the 24 months. [records]

    Shape (stages, 24); the last row are the wins. A stage before the end is reached like a win of a
    shorter path.
    """
    rows = np.zeros((len(cell.stages), HORIZON))
    for stage in range(group.stage + 1, len(cell.stages)):
        shorter = replace(cell, stages=cell.stages[: stage + 1], rates=cell.rates[:stage], lags=cell.lags[:stage])
        rows[stage] = open_yield(shorter, group, plan_date, first_month, clock if stage == cell.won else None).wins
    return rows


def rest_of_year(year: PlannedYear, plan: Plan, snapshot: Snapshot, levels: Levels | None = None) -> PlannedYear:
    """The same baseline as a later day sees it: entries as committed from then on, all else as is known now.

    Parameters
    ----------
    year
        The baseline.
    plan
        The baseline plan with the rates of today; its plan date is the first day not known yet.
    snapshot
        What the records say on that day.
    levels
        How the steps run lately, in ratio to their rates; a step without goes by its rate. How far they strayed is
        what the market did, so that the one which the plan supposes gives way to it.
    """
    levels = levels or {}
    update: dict[str, object] = {"transitions": tuple(_as_lately(each, levels) for each in plan.transitions)}
    if tell_the_market(levels, plan, snapshot):
        update["uncertainty"] = plan.uncertainty.model_copy(update={"rho": 0.0, "lag_cv": 0.0})
    plan = plan.model_copy(update=update)
    now = replace(year_without_commit(plan, snapshot), clock=snapshot.clock, levels=levels)
    flows = {}
    for cell, flow in zip(year.cells, year.flows, strict=True):
        entries = flow[0, now.first - year.first :].copy()
        over = year.start if now.first == year.first else 0.0  # of the plan month only a part was committed
        entries[0] *= (1 - now.start) / (1 - over)
        flows[cell.segment, cell.source] = entries
    none = np.zeros(HORIZON - now.first)
    brought = (now.brought(cell, flows.get((cell.segment, cell.source), none)) for cell in now.cells)
    return replace(now, flows=tuple(brought))


def tell_the_market(levels: Levels, plan: Plan, snapshot: Snapshot) -> bool:
    """Whether what the market did is told by the levels: of every step, but for a last one that goes by a clock."""
    without = [step for step in pairwise(plan.stage_ids) if step not in levels]
    return not without or (snapshot.clock is not None and without == [plan.stage_ids[-2:]])


def _as_lately(transition: Transition, levels: Levels) -> Transition:
    """A transition at the level its step is expected to have in the next months; half of those who do not go on still do not."""
    level = levels.get((str(transition.from_stage), str(transition.to_stage)))
    if level is None:
        return transition
    rate = transition.rate
    return transition.model_copy(update={"rate": min(rate * level.coming, (1 + rate) / 2)})


def commit_index(cell: Cell, stage: str) -> int:
    """Index of the commit stage in a cell's stages; of its first one where the source comes in later."""
    return cell.stages.index(stage) if stage in cell.stages else 0


def planned_rates(year: PlannedYear, stage: str) -> pd.DataFrame:
    """Segment, source, `stage` (or where the cell comes in later), and the planned share won of its entries there."""
    rows = [(cell, commit_index(cell, stage)) for cell in year.cells]
    return pd.DataFrame(
        {
            "segment": [cell.segment for cell, _ in rows],
            "source": [cell.source for cell, _ in rows],
            "stage": [cell.stages[index] for cell, index in rows],
            "win_rate": [float(cell.rates_to_won[index]) for cell, index in rows],
        }
    )


PARTS = ("all", "opening", "new")


@dataclass(frozen=True, eq=False)
class Flows:
    """Plan and actual, stage by stage."""

    planned_flow: pd.DataFrame
    """Table flow of the plan."""
    actual_flow: pd.DataFrame | None
    """Table flow of the records; None where no records are named: then the actuals are not known."""
    stages: tuple[str, ...]
    """Stages in their order."""
    recorded: tuple[str, ...]
    """Those that the records know."""


def attainment(flows: Flows, spans: list[Span]) -> pd.DataFrame:
    """Table attainment: entries planned and actual, by stage, told apart by what was open already. [records]

    What was planned counts up to the last day known.
    """
    parts = [_of(flows, stage, part) for stage in flows.stages for part in PARTS]
    rows = [_row(each, span) for span in spans for each in parts if each.part == "all" or each.is_any]
    return from_rows("attainment", rows)


@dataclass(frozen=True, kw_only=True, eq=False)
class _PartFlows:
    """Plan and actual of a part of the entries at a stage; `actual` is None where the records do not know the stage."""

    stage: str
    part: str
    planned: pd.DataFrame
    actual: pd.DataFrame | None
    is_any: bool
    """Whether it has entries at all, planned or actual."""


def _of(flows: Flows, stage: str, part: str) -> _PartFlows:
    def side(flow: pd.DataFrame) -> pd.DataFrame:
        return flow[(flow["stage"] == stage) & ((flow["part"] == part) | (part == "all"))]

    planned, actual = side(flows.planned_flow), None if flows.actual_flow is None else side(flows.actual_flow)
    is_any = any(each is not None and bool(each["entries"].any()) for each in (planned, actual))
    recorded = actual if stage in flows.recorded else None
    return _PartFlows(stage=stage, part=part, planned=planned, actual=recorded, is_any=is_any)


def _row(of: _PartFlows, span: Span) -> dict[str, object]:
    asked = counted(of.planned, span, "entries")
    happened = np.nan if of.actual is None else total(of.actual, span, "entries")
    return {
        "period": span.label,
        "stage": of.stage,
        "part": of.part,
        "planned": asked,
        "actual": happened,
        "gap": happened - asked,
        "reached": reached(asked, happened),
        "planned_in_full": in_full(of.planned, span, "entries"),
    }


def reached(asked: float, happened: float) -> float:
    """Actual over plan; missing where nothing was. [ratio]"""
    return happened / asked if asked > 0 else np.nan


def total(flow: pd.DataFrame, span: Span, column: str) -> float:
    """Sum of the months of `span` that are known."""
    return float(flow.loc[span.within(flow["month"]), column].sum())


def in_full(flow: pd.DataFrame, span: Span, column: str) -> float:
    """Sum of all months of `span`, those still to come included."""
    return float(flow.loc[flow["month"].between(span.first, span.last), column].sum())


def counted(flow: pd.DataFrame, span: Span, column: str) -> float:
    """Sum of the months of `span`, the running one by the share that is over."""
    inside = flow[span.within(flow["month"])]
    return float(inside[column] @ span.shares(pd.PeriodIndex(inside["month"], freq="M")))


# --- money ---------------------------------------------------------------------------------------


def money_row(span: Span, term: str, asked: float, happened: float, basis: str) -> dict[str, object]:
    """A row of table attainment_money; what is not known is NaN. [plan currency]"""
    return {
        "period": span.label,
        "term": term,
        "planned": asked,
        "actual": happened,
        "gap": happened - asked,
        "reached": reached(asked, happened),
        "basis": basis,
    }


def attainment_money(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Table attainment_money."""
    return from_rows("attainment_money", rows)


# --- by month ------------------------------------------------------------------------------------


def reached_by_month(
    goal: pd.DataFrame, planned: pd.DataFrame, actual: pd.DataFrame | None, year: Span, stage: str
) -> pd.DataFrame:
    """Table reached_by_month: cumulated ARR and entries at `stage`, planned and actual, of the year's months.

    Parameters
    ----------
    goal
        Table targets.
    planned, actual
        Table flow of the plan and of the records.
    year
        The fiscal year; months after the last day known have nothing come.
    stage
        The stage of the commit.
    """
    months = year.months
    over = months.start_time.date <= year.as_of

    def cumulated(frame: pd.DataFrame | None, column: str) -> np.ndarray:
        if frame is None:
            return np.full(len(months), np.nan)
        return np.cumsum(frame.groupby("month")[column].sum().reindex(months, fill_value=0.0).to_numpy(dtype=float))

    def at_stage(frame: pd.DataFrame | None) -> pd.DataFrame | None:
        return None if frame is None else frame[frame["stage"] == stage]

    table = {
        "month": months,
        "goal_arr": cumulated(goal, "new_arr"),
        "planned_arr": cumulated(planned, "arr"),
        "actual_arr": np.where(over, cumulated(actual, "arr"), np.nan),
        "planned_entries": cumulated(at_stage(planned), "entries"),
        "actual_entries": np.where(over, cumulated(at_stage(actual), "entries"), np.nan),
    }
    return conform(pd.DataFrame(table), "reached_by_month")
