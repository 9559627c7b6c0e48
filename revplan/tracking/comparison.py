"""Plan and records brought to the same terms, period by period, so that `tracking` can hold one against the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from revplan.funnel.tables import program_cac
from revplan.funnel.year import PlannedYear
from revplan.ground.formats import show
from revplan.ground.tables import conform
from revplan.plan.model import Plan
from revplan.snapshot.state import Fates, provisional, within
from revplan.tracking.attainment import counted, money_row, planned_rates, total
from revplan.tracking.periods import Span

CELL = ["segment", "source"]


@dataclass(frozen=True, eq=False)
class Sides:
    """Plan and actual, in the tables they share."""

    year: PlannedYear
    """The baseline."""
    targets: pd.DataFrame
    """Table targets of it."""
    planned_flow: pd.DataFrame
    """Table flow of it."""
    actual_flow: pd.DataFrame | None
    """Table flow of the records; None where the plan names none."""
    actual: pd.DataFrame | None
    """Table actuals; None where the plan names none."""
    stage: str
    """The commit stage; the next one that the records know where they lack it."""

    @property
    def plan(self) -> Plan:
        """The baseline plan."""
        return self.year.plan

    @property
    def won(self) -> str:
        """The last stage."""
        return self.plan.stage_ids[-1]


# --- money ---------------------------------------------------------------------------------------


def money_rows(sides: Sides, span: Span) -> Iterator[dict[str, object]]:
    """Rows of table attainment_money for a period: ARR against plan and goal, spend, CAC. [plan currency]"""
    actual, basis = _new_arr(sides, span)
    planned = counted(sides.planned_flow, span, "arr")
    yield money_row(span, "new_arr", planned, actual, f"expected of commit and open records; {basis}")
    yield money_row(span, "goal", counted(sides.targets, span, "new_arr"), actual, f"the goal by its phasing; {basis}")
    booked, basis = booked_part(sides, span)
    if booked is None:
        yield money_row(span, "spend", np.nan, np.nan, basis)
        yield money_row(span, "cac", np.nan, np.nan, basis)
        return
    spend = planned_spend(sides, booked), actual_spend(sides, booked)
    wins = wins_of_priced(sides, sides.planned_flow, booked), wins_of_priced(sides, sides.actual_flow, booked)
    yield money_row(span, "spend", *spend, f"programme spend; {basis}")
    over = f"programme spend over the wins of {named_sources(sides.plan)} in the same months"
    yield money_row(span, "cac", cac(spend[0], wins[0]), cac(spend[1], wins[1]), f"{over}; {basis}")


def _new_arr(sides: Sides, span: Span) -> tuple[float, str]:
    if sides.actual_flow is not None:
        return total(sides.actual_flow, span, "arr"), "won in the records"
    booked, basis = booked_part(sides, span)
    if sides.actual is None or booked is None:
        return np.nan, basis
    return total(sides.actual, booked, "new"), basis


def booked_part(sides: Sides, span: Span) -> tuple[Span | None, str]:
    """The months of a period that are over and stand in the actuals, from its first one on; and that in words."""
    if sides.actual is None:
        return None, "not known: the plan names no actuals"
    there = set(sides.actual["month"])
    over = [month for month in span.months if month in there and month.end_time.date() <= span.as_of]
    whole = [month for number, month in enumerate(over) if month == span.first + number]
    if not whole:
        return None, f"not known: the actuals hold no whole month of it from {show(span.first, 'month')} on"
    booked = span.until(whole[-1].end_time.date())
    return booked, f"booked in the actuals to {show(booked.last_day, 'date')}"


def priced(plan: Plan) -> list[str]:
    """Sources with a cost per entry."""
    return [name for name, source in plan.sources.items() if source.cost_per_entry is not None]


def named_sources(plan: Plan) -> str:
    """The priced sources in words."""
    return ", ".join(priced(plan)) or "no source (none has a cost per entry)"


def planned_spend(sides: Sides, span: Span) -> float:
    """Programme spend on the committed entries of a period; NaN where no source has a cost. [plan currency]"""
    plan = sides.plan
    costs = {name: plan.sources[name].cost_per_entry or 0.0 for name in priced(plan)}
    flow = sides.planned_flow[sides.planned_flow["part"] == "new"]
    entering = flow[flow["stage"].to_numpy() == flow["source"].map(plan.entry_stage).to_numpy()]
    spent = [cost * counted(entering[entering["source"] == name], span, "entries") for name, cost in costs.items()]
    return float(sum(spent)) if spent else np.nan


def actual_spend(sides: Sides, span: Span) -> float:
    """Programme spend booked for the priced sources in a period; NaN where none has a cost. [plan currency]"""
    if sides.actual is None or not priced(sides.plan):
        return np.nan
    return total(sides.actual[sides.actual["source"].isin(priced(sides.plan))], span, "spend")


def wins_of_priced(sides: Sides, flow: pd.DataFrame | None, span: Span) -> float:
    """Wins of the priced sources in a period; NaN where no records say. [deals]"""
    if flow is None:
        return np.nan
    rows = flow[(flow["stage"] == sides.won) & flow["source"].isin(priced(sides.plan))]
    return counted(rows, span, "entries") if flow is sides.planned_flow else total(rows, span, "entries")


def cac(spent: float, wins: float) -> float:
    """Programme CAC; NaN where one of them is not known, or nothing was won. [plan currency per deal]"""
    found = program_cac(spent, wins)
    return np.nan if found is None else found


# --- cohorts -------------------------------------------------------------------------------------


def planned_terms(sides: Sides, span: Span) -> pd.DataFrame:
    """Table cohort_terms of the plan: entries since the plan date, and what of them lands in a period."""
    rates = planned_rates(sides.year, sides.stage)
    flow = sides.planned_flow.assign(counts=span.shares(pd.PeriodIndex(sides.planned_flow["month"], freq="M")))
    flow = flow.assign(entries=flow["entries"] * flow["counts"], arr=flow["arr"] * flow["counts"])
    at = rates.merge(flow[flow["part"] == "new"], on=[*CELL, "stage"])
    landed = flow[(flow["stage"] == sides.won) & span.within(flow["month"])]
    return _terms(rates[[*CELL, "win_rate"]], at, landed).assign(provisional=False).pipe(conform, "cohort_terms")


def actual_terms(sides: Sides, fates: Fates, span: Span, segment: str) -> pd.DataFrame:
    """Table cohort_terms of the records: the same for the actuals, win rates as far as they are known."""
    chosen = since_plan_date(fates, sides, span.last_day)
    cohort = fates.cohort(chosen)
    cohort = cohort[cohort["segment"].eq(segment) | (segment == "")]
    cohort = cohort.assign(
        win_rate=(cohort["won"] + cohort["expected"]) / cohort["entries"].replace(0, np.nan),
        provisional=provisional(cohort),
    )
    actual = sides.actual_flow if sides.actual_flow is not None else sides.planned_flow.iloc[:0]
    landed = actual[(actual["stage"] == sides.won) & span.within(actual["month"])]
    made = _terms(cohort[[*CELL, "win_rate", "provisional"]], cohort, landed)
    return conform(made.astype({"provisional": bool}), "cohort_terms")


def since_plan_date(fates: Fates, sides: Sides, last_day: date) -> np.ndarray:
    """Records first seen since the plan date that had entered the commit stage by `last_day`."""
    first = sides.plan.plan_date
    return within(fates.recorded_since(), first, last_day) & within(fates.entered(sides.stage), first, last_day)


def _terms(cells: pd.DataFrame, entered: pd.DataFrame, landed: pd.DataFrame) -> pd.DataFrame:
    """`cells` with their entries, and the wins and ARR that landed, told apart by part."""
    new = landed[landed["part"] == "new"].groupby(CELL, observed=True)[["entries", "arr"]].sum()
    opening = landed[landed["part"] == "opening"].groupby(CELL, observed=True)["arr"].sum().rename("opening_arr")
    entries = entered.groupby(CELL, observed=True)["entries"].sum()
    table = cells.merge(entries.reset_index(), on=CELL, how="left")
    for part in (new.rename(columns={"entries": "wins"}), opening):
        table = table.merge(part.reset_index(), on=CELL, how="left")
    return table.fillna({"entries": 0.0, "wins": 0.0, "arr": 0.0, "opening_arr": 0.0, "win_rate": 0.0})
