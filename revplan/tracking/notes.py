"""What a reader must know beside the tables of a running year: sentences computed from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from itertools import pairwise

import pandas as pd

from revplan.crm.records import SILENT_DAYS, History, ending, last_recorded, stale
from revplan.funnel.year import PlannedYear
from revplan.ground.errors import shown
from revplan.ground.formats import compact, counted, show
from revplan.ground.levels import FEWEST, MONTH_CV, USUAL_CV
from revplan.plan.model import Plan
from revplan.plan.stages import titles_of
from revplan.tracking.attainment import tell_the_market, total
from revplan.tracking.comparison import Sides, booked_part
from revplan.tracking.periods import Span

NOTEWORTHY = 0.005  # share of a period's ARR below which nothing is said
MOVED = 0.05  # by which a step must run otherwise than its rate to be named


def no_records(history: History | None) -> Iterator[str]:
    """That nothing can be told without records."""
    if history is None:
        yield "The plan names no records: entries, wins, variance, coverage and landing are not known."


def silent_records(history: History | None, as_of: date) -> Iterator[str]:
    """Records that end long before the day they are asked about."""
    if history is None:
        return
    last = last_recorded(history)
    silent = (as_of - last).days
    if said := stale(history):
        yield said
    elif silent > SILENT_DAYS:
        yield f"{ending(last, as_of)}."


def other_stage(sides: Sides) -> Iterator[str]:
    """That the commit stage is not recorded, and where sources that come in later are counted."""
    plan = sides.plan
    if sides.stage != plan.commit_stage:
        lacking, counted = titles_of(sides.plan.stages)[plan.commit_stage], titles_of(sides.plan.stages)[sides.stage]
        yield f"The records lack the commit stage {lacking}: entries are counted at {counted}."
    order = plan.stage_ids
    later = [name for name in plan.sources if order.index(plan.entry_stage(name)) > order.index(sides.stage)]
    if later:
        names = ", ".join(map(shown, later))
        yield f"Sources that enter after {titles_of(sides.plan.stages)[sides.stage]} are not in its counts: {names}. The variance counts them where they enter."


def unplanned(sides: Sides) -> Iterator[str]:
    """Records of segments and sources that the plan does not have."""
    if sides.actual_flow is None:
        return
    cells = set(sides.plan.cells)
    won = sides.actual_flow[sides.actual_flow["stage"] == sides.won]
    rows = won[[cell not in cells for cell in zip(won["segment"], won["source"], strict=True)]]
    if len(rows):
        pairs = sorted({f"{shown(row.segment)} x {shown(row.source)}" for row in rows.itertuples()})
        wins = counted(float(rows["entries"].sum()), "win is", "wins are")
        yield f"{wins} of {', '.join(pairs[:3])}, for which the plan has no share: in the variance this is volume and mix."


def short_plan(money: pd.DataFrame, plan: Plan) -> Iterator[str]:
    """What the plan itself expected to miss of its goal."""
    for period, rows in money.groupby("period", sort=False):
        asked = rows.set_index("term")["planned"]
        missing = asked["goal"] - asked["new_arr"]
        if missing > NOTEWORTHY * asked["goal"]:
            label = plan.period_label(str(period))
            yield f"{label}: the plan expected {compact(missing, plan.currency)} less than its goal from the start."


def never_won(history: History | None) -> Iterator[str]:
    """That the records hold no win, so that they tell no rate and no delay of one."""
    if history is not None and not (history.stage_history["stage"] == history.stages[-1]).any():
        yield (
            "No record was ever won: how many will be is not known from the records; where they show no conversion, "
            "coverage and landing go by the plan's rates."
        )


def young_cohorts(three: pd.DataFrame, sides: Sides) -> Iterator[str]:
    """Which conversions are estimates."""
    title = titles_of(sides.plan.stages)[sides.stage]
    for row in three.itertuples():
        if row.provisional and pd.notna(row.rate):
            more = show(float(row.rate * row.flow - row.won_so_far), "count")
            band = f"{show(row.rate_low, 'share')} to {show(row.rate_high, 'share')}"
            flow, won, rate = counted(row.flow, title), show(row.won_so_far, "count"), show(row.rate, "share")
            yield (
                f"Conversion to won of {sides.plan.period_label(row.period)} is provisional: of {flow}, {won} won by now, "
                f"{more} more expected: {rate} in all ({band})."
            )


def levels_of(now: PlannedYear) -> Iterator[str]:
    """How the landing takes its steps: those that run otherwise than their rates, and what the band rests on."""
    steps = list(pairwise(now.plan.stage_ids))
    recorded = [step for step in steps if step in now.levels]
    if not recorded:
        return
    titles = titles_of(now.plan.stages)
    for step in recorded:
        if abs(now.levels[step].coming - 1) >= MOVED:
            often = f"{now.levels[step].coming:.2f} times as often as its rate says"
            yield f"{_step(titles, step)} is expected to convert {often}, as it did lately."
    clock = now.snapshot.clock
    if clock is not None and clock.slowing:
        longer = f"{clock.yearly:.2f} times as long as a year before"
        yield f"{_step(titles, steps[-1])} takes {longer}: the landing starts from the pace of today, and counts on a change that goes on and fades."
    short = [step for step in recorded if not now.levels[step].is_learnt]
    if short:
        step = min(short, key=lambda each: now.levels[each].months)
        months = counted(now.levels[step].months, "whole month", "whole months")
        how = "as they did in those and as they usually do" if now.levels[step].months > 1 else "as they usually do"
        yield (
            f"Outcomes can be compared over {months} only, {FEWEST} are needed ({_step(titles, step)}): the band takes conversions to vary "
            f"{how}, by {MONTH_CV:.0%} in a month and {USUAL_CV:.0%} in a quarter, is widened because so few "
            "are known, and may still be too narrow."
        )
    else:
        months = counted(min(now.levels[step].months for step in recorded), "month")
        instead = (
            ", in place of the market that the plan supposes"
            if tell_the_market(now.levels, now.plan, now.snapshot)
            else ""
        )
        yield f"The band holds how far conversions strayed from their rates in the last {months}{instead}; a larger jump than they show is not in it."
        for step in steps:
            if step not in recorded:
                yield f"How far {_step(titles, step)} strays is not in it."


def _step(titles: Mapping[str, str], step: tuple[str, str]) -> str:
    return f"{titles[step[0]]} to {titles[step[1]]}"


def late_pipeline(coverage: pd.DataFrame, plan: Plan) -> Iterator[str]:
    """Coverage that is enough, and too late."""
    for row in coverage.drop_duplicates("period").itertuples():  # the first row of each period is the whole
        if row.enough and row.in_time < row.remaining:
            late = [compact(float(each), plan.currency) for each in (row.in_time, row.remaining)]
            period = plan.period_label(row.period)
            yield f"The {period}: the pipeline is large enough but late: {late[0]} of the missing {late[1]} is expected in time."


def two_books(sides: Sides, spans: list[Span]) -> Iterator[str]:
    """Periods in which the actuals book other new ARR than the records show."""
    if sides.actual_flow is None or sides.actual is None:
        return
    for span in spans:
        booked, _ = booked_part(sides, span)
        if booked is None:
            continue
        pair = total(sides.actual, booked, "new"), total(sides.actual_flow, booked, "arr")
        if abs(pair[0] - pair[1]) > NOTEWORTHY * max(pair):
            amounts = [compact(each, sides.plan.currency) for each in pair]
            period = sides.plan.period_label(span.label)
            yield f"{period}: the actuals book {amounts[0]} new ARR, the records show {amounts[1]}; find out which is right."
