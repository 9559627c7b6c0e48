"""The charts that follow a slider: the year as a fan, the commit curve, the funnel, what decides; each beside the base plan."""

from __future__ import annotations

import math

import numpy as np

from revplan.exhibits import charts
from revplan.exhibits.capacity import capacity_and_demand, monthly
from revplan.exhibits.chart import (
    ACTUAL,
    ATTENTION,
    GAP,
    PAST,
    REQUIRED,
    Chart,
    Series,
    names,
    numbers,
)
from revplan.exhibits.confidence import deciding
from revplan.exhibits.fit import fitting
from revplan.funnel.funnel import YEAR
from revplan.funnel.tables import entries_by_stage, required_by_stage
from revplan.ground.formats import commitment, compact, counted, plural, raised, show
from revplan.plan.stages import titles_of
from revplan.simulation.simulate import PEOPLE, Simulation, limited_by
from revplan.staffing.staffing import able_words, staffing
from revplan.workbook.signing import ToSign, decides_words, expected_words, reaching_words, to_sign_words
from revplan.workbook.simulated import points


def fan_chart(simulation: Simulation, base: Simulation) -> Chart:
    """New ARR closed by the end of each month: P10, P50, P90, the goal, and the base plan's P50."""
    year, currency, found = simulation.year, simulation.year.plan.currency, simulation.outcome
    low, mid, high = map(numbers, simulation.arr_bands)
    goal = np.cumsum(year.targets[:, :YEAR].sum(axis=0))
    months = [show(month, "month") for month in year.plan.months]
    return Chart(
        said=f"By the end of {months[-1]} new ARR is {compact(found.p50.value, currency)} in the "
        f"middle case, between {compact(found.p10.value, currency)} and {compact(found.p90.value, currency)} in eight "
        f"years of ten; the goal is {compact(goal[-1], currency)}.",
        form="columns",
        categories=tuple(months),
        series=(
            Series(name="base P50", values=numbers(base.arr_bands[1]), color=PAST, mark="dotted"),
            Series(name="goal", values=numbers(goal), color=GAP, mark="dashed"),
            Series(name="P50, P10 to P90", values=mid, low=low, high=high, mark="line"),
        ),
        kind="money",
        currency=currency,
        x_kind="month",
    )


def curve_chart(simulation: Simulation, base: Simulation) -> Chart | str:
    """Entries at the commit stage that each chance of the goal asks for, beside those of the base plan."""
    entries, sure, title = commit_entries(simulation), simulation.confidence, commit_title(simulation)
    now, before = _asked(simulation), _asked(base)
    if not now:
        return f"{raised(reaching_words(None, title, 0.5))}."
    to_sign = ToSign(simulation)
    chance, asked = simulation.outcome.chance_of_goal.value, to_sign.number
    marked = [Series(name="expected commit", x=(chance,), values=(entries,), color=ACTUAL, mark="dots")]
    if asked is not None:
        name = f"{show(sure, 'share')} sure"
        marked.append(Series(name=name, x=(sure,), values=(float(asked),), color=ATTENTION, mark="diamonds"))
    return Chart(
        said=f"To sign: {to_sign_words(to_sign)}. {expected_words(to_sign)}.",
        form="points",
        categories=(),
        series=(
            Series(name="base plan", x=_column(before, 0), values=_column(before, 1), color=PAST, mark="dotted"),
            Series(name=f"{plural(title)} needed", x=_column(now, 0), values=_column(now, 1), mark="line"),
            *marked,
        ),
        kind="commitment",
        x_kind="share",
        x_title="chance of the goal",
    )


def _column(points: list[tuple[float, float]], at: int) -> tuple[float, ...]:
    return tuple(each[at] for each in points)


def funnel_chart(simulation: Simulation, base: Simulation) -> Chart:
    """Entries of each stage that the goal requires, beside those the base plan's goal requires."""
    stages = simulation.year.plan.stages
    now, before = required_by_stage(simulation.year), required_by_stage(base.year)
    first, last = stages[0], stages[-1]
    return Chart(
        said=f"The goal requires {counted(now[first.id], fitting(first.title), kind='commitment')}"
        + _more(now[first.id], before[first.id])
        + f", and {counted(now[last.id], 'win', kind='commitment')}"
        + _more(now[last.id], before[last.id])
        + ".",
        form="bars",
        categories=names(stage.title for stage in stages),
        series=(
            Series(name="required now", values=_of_stages(now), color=REQUIRED),
            Series(name="base plan", values=_of_stages(before), color=PAST),
        ),
        kind="commitment",
    )


def _of_stages(entries: dict[str, float]) -> tuple[float, ...]:
    return tuple(float(commitment(each)) for each in entries.values())


def tornado_chart(simulation: Simulation) -> Chart | str:
    """What decides: the year with each driver at its P10 and at its P90."""
    frame, currency = deciding(simulation), simulation.year.plan.currency
    said = decides_words(simulation.tornado, currency)
    return said if frame.empty else charts.tornado(frame, said, simulation.outcome.p50.value, currency)


def people_chart(simulation: Simulation) -> Chart:
    """What people can close by month, what demand brings and what closes."""
    found = staffing(simulation)
    frame, told = monthly(found)
    share = limited_by(simulation)[PEOPLE] or 0.0
    limit = f"People hold back {show(share, 'share')} of the simulated years."
    return capacity_and_demand(frame, f"{able_words(found)}. {told} {limit}", found.plan.currency)


def _more(now: float, before: float) -> str:
    difference = round(now) - round(before)
    return f" ({show(difference, 'number')})" if difference else ""


def commit_title(simulation: Simulation) -> str:
    """What the commit stage is called."""
    plan = simulation.year.plan
    return fitting(titles_of(plan.stages)[plan.commit_stage])


def commit_entries(simulation: Simulation) -> float:
    """Entries of the commit stage within the year. [records]"""
    return entries_by_stage(simulation.year)[simulation.year.plan.commit_stage]


def _asked(simulation: Simulation) -> list[tuple[float, float]]:
    """Chance of the goal and entries of the commit stage, where some volume gives that chance."""
    entries = commit_entries(simulation)
    found = [(point.confidence, point.scale.value * entries) for point in points(simulation)]
    return [(confidence, asked) for confidence, asked in found if math.isfinite(asked)]
