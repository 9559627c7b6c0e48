"""What a scenario comes to, in words, tiles and charts, and side by side with the plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Literal

import numpy as np

from revplan.exhibits import charts
from revplan.exhibits.chart import ACTUAL, ATTENTION, GAP, PAST, REQUIRED, Chart, Series, names, numbers
from revplan.exhibits.confidence import deciding
from revplan.exhibits.fit import fitting
from revplan.funnel.funnel import YEAR
from revplan.funnel.tables import entries_by_stage, required_by_stage, spend_of_entries
from revplan.ground.errors import shown
from revplan.ground.escaping import escape
from revplan.ground.formats import commitment, compact, counted, money, plural, raised, show
from revplan.simulation.simulate import PEOPLE, Simulation, limited_by
from revplan.staffing.staffing import able_words, staffing
from revplan.workbook.signing import (
    ToSign,
    ceiling_words,
    decides_words,
    expected_words,
    limit_words,
    reaching_words,
    sentence,
    to_sign_words,
)
from revplan.workbook.simulated import WITHIN, points

POINTS = 0.0005  # difference of two chances that shows
TILES = 6  # figures shown as tiles


@dataclass(frozen=True, kw_only=True)
class ShownFigure:
    """One figure of a scenario: what it is called, how it is worked out, and what kind of number it is."""

    label: str
    value: Callable[[Simulation], float]
    kind: Literal["share", "money", "commitment"]
    currency: str

    def cell(self, value: float, before: float) -> tuple[str, str]:
        """The value, and its difference to `before` where there is one."""
        if not math.isfinite(value):
            return "no volume gives it", ""
        apart = self._difference(value - before) if math.isfinite(before) and value != before else ""
        return self._written(value), apart

    def _written(self, value: float) -> str:
        if self.kind == "share":
            return show(round(value, 3), "share")
        return compact(value, self.currency) if self.kind == "money" else show(value, "commitment")

    def _difference(self, value: float) -> str:
        if self.kind == "share":
            return counted(round(100 * value, 1), "point", kind="number")
        if self.kind == "money":
            return ("+" if value > 0 else "") + money(round(value), self.currency)
        return show(round(value), "number")


def headline(simulation: Simulation, base: Simulation) -> str:
    """The conclusion, in the words of page one: what to sign, how likely the goal is, also beside the base plan."""
    asked = ToSign(simulation)
    if not simulation.view.goal > 0:
        return sentence(asked)
    goal = compact(simulation.view.goal, simulation.year.plan.currency)
    beside = _than_base(asked.chance, ToSign(base).chance)
    expected = f"{expected_words(asked)}{beside}"
    return f"Goal: {goal} new ARR. To sign: {to_sign_words(asked)}. {expected}. {ceiling_words(asked)}."


def _than_base(chance: float, before: float) -> str:
    difference = chance - before
    if abs(difference) < POINTS:
        return ", as in the base plan"
    return f", {counted(round(100 * abs(difference), 1), 'point')} {'more' if difference > 0 else 'less'} than in the base plan"


def warnings(simulation: Simulation) -> tuple[str, ...]:
    """What a reader must know beside the figures: sources asked for more than they can take."""
    asked = ToSign(simulation)
    if asked.most * WITHIN < 1:
        return ("These volumes are more than a source's ceiling in the plan allows.",)
    return tuple(limit_words(asked))


def values(simulation: Simulation) -> tuple[float, ...]:
    """The figures of a scenario, in the order of `figures`."""
    return tuple(each.value(simulation) for each in figures(simulation))


def figures(simulation: Simulation) -> Iterator[ShownFigure]:
    """The figures of a scenario, the same for all of a plan; those of the tiles come first."""
    plan, title = simulation.year.plan, commit_title(simulation)
    share = partial(ShownFigure, kind="share", currency=plan.currency)
    amount = partial(ShownFigure, kind="money", currency=plan.currency)
    count = partial(ShownFigure, kind="commitment", currency=plan.currency)
    yield share(label="Chance of the goal", value=lambda of: of.outcome.chance_of_goal.value)
    yield amount(label="New ARR in the middle case (P50)", value=lambda of: of.outcome.p50.value)
    yield amount(label="New ARR nine years in ten exceed (P10)", value=lambda of: of.outcome.p10.value)
    yield count(label=f"{plural(title)} of the expected commit", value=commit_entries)
    yield count(label=f"{plural(title)} to sign", value=_to_sign)
    yield amount(label="Programme spend for the expected commit", value=lambda of: spend_of_entries(of.year))
    yield amount(label="New ARR one year in ten exceeds (P90)", value=lambda of: of.outcome.p90.value)
    yield amount(label="New ARR asked for", value=lambda of: of.view.goal)
    yield amount(label="Missed of the goal, in expectation", value=lambda of: of.outcome.expected_shortfall.value)
    yield share(label="Confidence to sign with", value=lambda of: of.confidence)
    for stage in plan.stages:
        yield count(label=f"{shown(stage.title)} required", value=partial(_required, stage.id))


def _to_sign(simulation: Simulation) -> float:
    number = ToSign(simulation).number
    return math.inf if number is None else number


def _required(stage: str, simulation: Simulation) -> float:
    return required_by_stage(simulation.year)[stage]


def tiles(simulation: Simulation, base: Simulation) -> str:
    """The main figures, each beside its value in the base plan."""
    parts = zip(islice(figures(base), TILES), values(simulation), values(base), strict=False)
    return f'<dl class="rp-tiles">{"".join(_tile(*part) for part in parts)}</dl>'


def _tile(figure: ShownFigure, value: float, before: float) -> str:
    written, difference = figure.cell(value, before)
    beside = f"base {figure.cell(before, before)[0]}" + (f", {difference}" if difference else "")
    return f"<div><dt>{escape(figure.label)}</dt><dd>{escape(written)}<small>{escape(beside)}</small></dd></div>"


def side_by_side(columns: Mapping[str, tuple[float, ...]], base: Simulation, left_out: int = 0) -> str:
    """A table of the figures of scenarios, one to a column, each with its difference to the base plan.

    `left_out` scenarios have no column; the caption says so.
    """
    more = f" {counted(left_out, 'further scenario')} of the plan can be opened." if left_out else ""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    by_figure = zip(figures(base), values(base), *columns.values(), strict=True)
    rows = "".join(_row(figure, before, found) for figure, before, *found in by_figure)
    return (
        '<div class="scroll rp-scroll" tabindex="0" role="region" aria-label="Scenarios side by side"><table>'
        f"<caption>Scenarios side by side; below each figure its difference to the base plan.{more}</caption>"
        f'<thead><tr><th scope="col">Figure</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _row(figure: ShownFigure, before: float, found: Sequence[float]) -> str:
    told = [figure.cell(value, before) for value in found]
    cells = [f"<td>{escape(value)}{f'<small>{escape(apart)}</small>' if apart else ''}</td>" for value, apart in told]
    return f'<tr><th scope="row">{escape(figure.label)}</th>{"".join(cells)}</tr>'


# --- the charts that follow a slider, each beside the base plan -----------------------------------


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
    from revplan.exhibits.capacity import (  # with the board's exhibits, which are slow to load
        capacity_and_demand,
        monthly,
    )

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
    return fitting(plan.titles[plan.commit_stage])


def commit_entries(simulation: Simulation) -> float:
    """Entries of the commit stage within the year. [records]"""
    return entries_by_stage(simulation.year)[simulation.year.plan.commit_stage]


def _asked(simulation: Simulation) -> list[tuple[float, float]]:
    """Chance of the goal and entries of the commit stage, where some volume gives that chance."""
    entries = commit_entries(simulation)
    found = [(point.confidence, point.scale.value * entries) for point in points(simulation)]
    return [(confidence, asked) for confidence, asked in found if math.isfinite(asked)]
