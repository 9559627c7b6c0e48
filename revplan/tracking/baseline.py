"""What a board book is made of, read from files: the baseline, the records of a day, the rest of the year."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from revplan.capacity.roster import with_roster
from revplan.crm.planfile import read_plan
from revplan.crm.records import History
from revplan.funnel.funnel import HORIZON
from revplan.funnel.year import PlannedYear, plan_year
from revplan.ground.errors import Fault, PlanError, shown
from revplan.ground.formats import listed, show
from revplan.plan.model import Plan
from revplan.rates.estimates import step_levels
from revplan.rates.spells import keep_with_amounts
from revplan.record.signed import read_record
from revplan.simulation.simulate import simulate
from revplan.snapshot.fit import doubts
from revplan.snapshot.state import Records, Snapshots, read_snapshots, snapshot_of, with_history_rates
from revplan.tracking.attainment import narrowed, rest_of_year
from revplan.tracking.close_dates import CloseDates, with_dates
from revplan.tracking.periods import DayRun, quarter_span
from revplan.workbook.signing import ToSign, scaled


@dataclass(frozen=True, eq=False)
class Baseline:
    """What a running year is held against: what was signed, or what is to be signed."""

    year: PlannedYear
    """The plan as it was computed on its plan date, with the entries that were signed."""
    expected: PlannedYear
    """The same with those of its expected commit."""
    signed: str
    """Who signed, and when; empty where nobody did."""
    scale: float | None
    """Times the expected commit; None where no volume gives the confidence: the expected commit stands. [ratio]"""
    doubts: tuple[str, ...]
    record: str = ""
    """Content hash of the plan of record; empty where it is none."""


def read_baseline(path: Path, live_path: Path, live: Plan, snapshots: Snapshots | None) -> Baseline:
    """The baseline at `path`: what was signed, of a signed folder; what is to be signed, of a plan file.

    `live` is the plan at `live_path`, read, and `snapshots` its records: where it is its own baseline nothing is read again.

    Raises
    ------
    PlanError
        If the plan is at fault, its records do not fit it, or the folder at `path` is no signed plan.
    DataError
        If the records it names are.
    """
    signed, scale = "", None
    record = None
    if path.is_dir():
        record = read_record(path)
        by, day = listed(record.signature.by), show(record.signature.on, "date")
        path, signed, scale = record.plan_path, f"signed by {by} on {day}", record.signature.scale
    if record is not None or path != live_path:
        live, _ = with_roster(read_plan(path), path.parent)
        snapshots = read_snapshots(live, path.parent)
    records = None if snapshots is None else snapshots.before(live)
    doubtful = () if signed else doubts(live, records, None, path)  # what was signed stands as it was
    expected = plan_year(with_history_rates(live, records), snapshot_of(live, records))
    if record is None:
        scale = ToSign(simulate(expected)).scale
    year = scaled(expected, 1.0 if scale is None else scale)
    return Baseline(year, expected, signed, scale, doubtful, "" if record is None else record.content_hash)


def refuse_others(live: Plan, planned: Plan, segment: str) -> None:
    """Refuses a baseline of another year or of other stages, and a segment that it lacks.

    Raises
    ------
    PlanError
        With all of them at once.
    """
    faults = []
    if live.year != planned.year:
        faults.append(
            Fault("against", f"is of the year from {planned.first_month}, the plan of that from {live.first_month}")
        )
    if live.stage_ids != planned.stage_ids:
        stages = f"{' - '.join(planned.stage_ids)}, the plan {' - '.join(live.stage_ids)}"
        faults.append(Fault("against", f"has the stages {stages}, so that actuals cannot be compared with it"))
    if segment and segment not in planned.segments:
        names = ", ".join(shown(name) for name in planned.segments)
        faults.append(Fault("segment", f"got {shown(segment)!r}; the plan's segments are {names}"))
    if faults:
        raise PlanError(faults)


def last_day_counted(plan: Plan, snapshots: Snapshots | None, actual: pd.DataFrame | None, quarter: str) -> date:
    """The last day that records or actuals know, or the last one of the quarter if that is earlier."""
    if snapshots is not None:
        last = snapshots.export.last_day
    elif actual is not None and len(actual):
        last = actual["month"].max().end_time.date()
    else:
        last = plan.plan_date - timedelta(days=1)
    if not quarter:
        return last
    return min(last, quarter_span(quarter, plan.first_month, last, plan.fiscal_year.names).last.end_time.date())


def records_on(plan: Plan, snapshots: Snapshots | None, day: date) -> Records | None:
    """The records of the plan as known at the end of `day`."""
    if snapshots is None:
        return None
    return snapshots.before(plan.model_copy(update={"plan_date": day + timedelta(days=1)}))


def in_plan_names(history: History, plan: Plan) -> History:
    """The history in the plan's names; records without an amount are worth the segment's mean deal."""
    only = {
        key: next(iter(names))
        for key, names in (("segment", plan.segments), ("source", plan.sources))
        if len(names) == 1
    }
    deals = {name: segment.acv.mean for name, segment in plan.segments.items()}
    found = history.records.assign(**only)
    segment = pd.Categorical(found["segment"])
    usual = np.array([deals.get(name, np.nan) for name in segment.categories])
    found["amount"] = found["amount"].where(found["amount"].notna(), usual[segment.codes])
    if only:
        return replace(history, stage_history=history.stage_history.assign(**only), records=found)
    named = replace(history, records=found)
    keep_with_amounts(named, history, deals)
    return named


def new_arr_won(history: History, first: date, last: date) -> float | None:
    """New ARR won on days from `first` to `last`, both included; None where a win has no amount. [plan currency]"""
    entries = history.stage_history
    won = entries[(entries["stage"] == history.stages[-1]) & DayRun(first, last).holds(entries["entered_on"])]
    amounts = history.records.set_index("record")["amount"].reindex(won["record"])
    return None if amounts.isna().any() else float(amounts.sum())


def year_from_here(
    planned: PlannedYear, records: Records | None, day: date, segment: str, dates: CloseDates | None = None
) -> PlannedYear | None:
    """The rest of the year: entries as planned, rates as the records give them now, the plan's where they give none.

    `dates` are what expected close dates are worth.
    """
    if records is None:
        return None
    pairs = set(zip(records.estimates["from_stage"], records.estimates["to_stage"], strict=True))
    stated = tuple(each for each in planned.plan.transitions if (each.from_stage, each.to_stage) not in pairs)
    latest = planned.plan.first_month + (
        HORIZON - 2
    )  # a year long over is looked at within what plans are followed for
    seen_on = min(day + timedelta(days=1), latest.start_time.date())
    plan = planned.plan.model_copy(update={"plan_date": seen_on, "transitions": stated})
    plan = with_history_rates(plan, records)
    snapshot = with_dates(snapshot_of(plan, records), dates)
    now = rest_of_year(planned, plan, snapshot, step_levels(records.history))
    return narrowed(now, segment) if segment else now
