"""Charts as SVG text, made fast enough to follow a slider: a scale, an axis, lines, bands, bars and labels.

Coordinates have one decimal, so the same figures give the same bytes. Every text is escaped.

The live charts: the year as a fan, the commit curve, the funnel, what decides. Each says its one sentence.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, floor, log10

import numpy as np

from revplan.exhibits.axes import ACTUAL, ATTENTION, BACKGROUND, GAP, PAST, PLAN, REQUIRED, fitting, fitting_names
from revplan.exhibits.drawing import STYLE
from revplan.funnel.funnel import YEAR
from revplan.ground.calendar import MONTHS
from revplan.ground.escaping import escape
from revplan.ground.formats import compact, counted, plural, show
from revplan.plan.stages import titles_of
from revplan.simulation.scenarios import entries_by_stage
from revplan.simulation.signing import ToSign
from revplan.simulation.simulate import Simulation
from revplan.simulation.tables import points

INK, SOFT, LINE = "#22303c", "#4a5763", "#d5dce1"
WIDTH, FONT = 440, 13
LETTER = 7.5  # width of a letter of a key, on the wide side
TICKS = 4


@cache
def colour(name: str) -> str:
    """The colour of the report's style sheet called `name`, C0 to C7."""
    found = re.search(r"cycler\('color', \[(.*?)\]", STYLE.read_text(encoding="utf-8"))
    colours = re.findall(r"[0-9a-f]{6}", found[1]) if found else []
    return f"#{colours[int(name[1:])]}"


@dataclass(frozen=True)
class Scale:
    """Values along a stretch of the drawing."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Where a value lies; what lies outside is drawn at the edge."""
        inside = min(max(value, self.low), self.high)
        return self.begin + (self.end - self.begin) * (inside - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        """A few round values from end to end."""
        step = _round_step((self.high - self.low) / TICKS)
        return [step * number for number in range(ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9) + 1)]


def _round_step(rough: float) -> float:
    power = 10.0 ** floor(log10(rough))
    return power * next(size for size in (1, 2, 2.5, 5, 10) if rough <= size * power * (1 + 1e-9))


def scale_of(values: Iterable[float], begin: float, end: float, *, from_zero: bool = True) -> Scale:
    """A scale that holds all `values`, from zero on where wanted."""
    found = list(values)
    low, high = min([0.0, *found] if from_zero else found), max([0.0, *found] if from_zero else found)
    margin = (high - low or abs(high) or 1.0) * 0.04
    return Scale(low if from_zero and low == 0 else low - margin, high + margin, begin, end)


def picture(height: float, message: str, parts: Iterable[str]) -> str:
    """The drawing, which says `message` to who cannot see it."""
    inside = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" '
        f'aria-label="{escape(message)}" font-size="{FONT}" fill="{SOFT}">{inside}</svg>'
    )


def words(x: float, y: float, text: object, anchor: str = "start", colour: str = SOFT, weight: str = "400") -> str:
    """A label; `anchor` says which of its ends stands at `x`."""
    looks = f'text-anchor="{anchor}" fill="{colour}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {looks}>{escape(text)}</text>'


def line(points: Sequence[tuple[float, float]], colour: str, width: float = 2.2, dash: str = "") -> str:
    """A line through points."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{_places(points)}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashed}/>'


def area(lower: Sequence[tuple[float, float]], upper: Sequence[tuple[float, float]], colour: str) -> str:
    """What lies between two lines."""
    return f'<polygon points="{_places([*lower, *reversed(upper)])}" fill="{colour}"/>'


def bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    """A filled box; a negative width or height reaches back."""
    left, top = min(x, x + width), min(y, y + height)
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{abs(width):.1f}" height="{abs(height):.1f}" fill="{colour}"/>'


def dot(x: float, y: float, colour: str) -> str:
    """A point to look at."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}" stroke="#fff" stroke-width="1.5"/>'


def levels(scale: Scale, left: float, right: float, written: Callable[[float], str]) -> str:
    """The lines and labels of a vertical scale."""
    return "".join(
        line([(left, scale.at(tick)), (right, scale.at(tick))], LINE, 1)
        + words(left - 6, scale.at(tick) + 4, written(tick), "end")
        for tick in scale.ticks
    )


def key(entries: Mapping[str, str], left: float) -> str:
    """What each colour of the style sheet stands for, above the drawing."""
    parts, x = [], left
    for name, text in entries.items():
        parts += [bar(x, 5, 12, 9, colour(name)), words(x + 17, 14, text)]
        x += 28 + LETTER * len(text)
    return "".join(parts)


def _places(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


LEFT, RIGHT = 54, WIDTH - 10
NAMES, DRIVERS = 104, 190  # room for the names of stages, and of drivers
MOST_DRIVERS = 8
ROW = 27

Chart = tuple[str, str]
"""The sentence a chart says, and its drawing."""


def fan_chart(simulation: Simulation, base: Simulation) -> Chart:
    """New ARR closed by the end of each month: P10, P50, P90, the goal, and the base plan's P50."""
    year, currency, height = simulation.year, simulation.year.plan.currency, 270
    low, mid, high = simulation.arr_bands.tolist()
    before, goal = base.arr_bands[1].tolist(), np.cumsum(year.targets[:, :YEAR].sum(axis=0)).tolist()
    months = list(year.plan.months)
    y = scale_of([*high, *goal, *before], height - 28, 28)
    x = Scale(0, len(mid) - 1, LEFT + 10, RIGHT - 10)

    def along(values: Sequence[float]) -> list[tuple[float, float]]:
        return [(x.at(month), y.at(value)) for month, value in enumerate(values)]

    found = simulation.outcome
    message = (
        f"By the end of {show(months[-1], 'month')} new ARR is {compact(found.p50.value, currency)} in the "
        f"middle case, between {compact(found.p10.value, currency)} and {compact(found.p90.value, currency)} in eight "
        f"years of ten; the goal is {compact(goal[-1], currency)}."
    )
    colours = {BACKGROUND: "P10 to P90", PLAN: "P50", PAST: "base P50", GAP: "goal"}
    parts = [
        key(colours, 4),
        levels(y, LEFT, RIGHT, lambda value: compact(value, currency)),
        area(along(low), along(high), colour(BACKGROUND)),
        line(along(before), colour(PAST), 1.6, "2 4"),
        line(along(goal), colour(GAP), 1.8, "6 4"),
        line(along(mid), colour(PLAN)),
        *(words(x.at(at), height - 8, MONTHS[month.month - 1], "middle") for at, month in enumerate(months)),
    ]
    return message, picture(height, message, parts)


def curve_chart(simulation: Simulation, base: Simulation) -> Chart:
    """Entries at the commit stage that each chance of the goal asks for, beside those of the base plan."""
    height, title = 250, commit_title(simulation)
    entries, sure = commit_entries(simulation), simulation.confidence
    now, before = _asked(simulation), _asked(base)
    if not now:
        message = f"No volume of {plural(title)} gives an even chance of the goal."
        return message, picture(60, message, [words(LEFT, 32, message, colour=INK)])
    chance = simulation.outcome.chance_of_goal.value
    y = scale_of([entries, *(asked for _, asked in (*now, *before))], height - 42, 28)
    x = Scale(0.0, 1.0, LEFT + 10, RIGHT - 10)
    asked = ToSign(simulation).number
    message = (
        f"To be {show(sure, 'share')} sure takes {counted(asked, title, kind='commitment')}; "
        if asked is not None
        else f"No volume of {plural(title)} makes it {show(sure, 'share')} sure; "
    ) + f"the expected commit of {show(entries, 'commitment')} gives {show(chance, 'share')}."
    colours = {
        PLAN: f"{plural(title)} needed",
        PAST: "base plan",
        ACTUAL: "expected commit",
        ATTENTION: f"{show(sure, 'share')} sure",
    }
    parts = [
        key(colours, 4),
        levels(y, LEFT, RIGHT, compact),
        *(words(x.at(tick), height - 24, show(tick, "share"), "middle") for tick in (0, 0.25, 0.5, 0.75, 1)),
        words((LEFT + RIGHT) / 2, height - 6, "chance of the goal", "middle"),
        line([(x.at(each), y.at(count)) for each, count in before], colour(PAST), 1.6, "2 4"),
        line([(x.at(each), y.at(count)) for each, count in now], colour(PLAN)),
        dot(x.at(chance), y.at(entries), colour(ACTUAL)),
        dot(x.at(sure), y.at(asked), colour(ATTENTION)) if asked is not None else "",
    ]
    return message, picture(height, message, parts)


def funnel_chart(simulation: Simulation, base: Simulation) -> Chart:
    """Entries of each stage that the goal requires, beside those the base plan's goal requires."""
    stages = simulation.year.plan.stages
    now, before = required_by_stage(simulation), required_by_stage(base)
    x = scale_of([*now.values(), *before.values()], NAMES + 8, RIGHT - 104)
    first = stages[0]
    message = (
        f"The goal requires {counted(now[first.id], fitting(first.title), kind='commitment')}"
        + _more(now[first.id], before[first.id])
        + f", and {counted(now[stages[-1].id], 'win', kind='commitment')}"
        + _more(now[stages[-1].id], before[stages[-1].id])
        + "."
    )
    parts = [key({REQUIRED: "required now", PAST: "base plan"}, NAMES + 8)]
    titles = fitting_names([stage.title for stage in stages], 14)
    for place, stage in enumerate(stages):
        top = 28 + 1.5 * ROW * place
        parts += [
            words(NAMES, top + 17, titles[place], "end", INK),
            bar(NAMES + 8, top, x.at(now[stage.id]) - NAMES - 8, 14, colour(REQUIRED)),
            bar(NAMES + 8, top + 16, x.at(before[stage.id]) - NAMES - 8, 7, colour(PAST)),
            words(
                x.at(max(now[stage.id], before[stage.id])) + 8,
                top + 13,
                _counted(now[stage.id], before[stage.id]),
                colour=INK,
            ),
        ]
    return message, picture(34 + 1.5 * ROW * len(stages), message, parts)


def tornado_chart(simulation: Simulation) -> Chart:
    """What decides: the year with each driver at its P10 and at its P90."""
    swings = [swing for swing in simulation.tornado if abs(swing.high - swing.low) > 0][:MOST_DRIVERS]
    currency = simulation.year.plan.currency
    if not swings:
        message = "Nothing is uncertain here: every rate is taken as certain."
        return message, picture(60, message, [words(LEFT, 32, message, colour=INK)])
    x = scale_of([end for swing in swings for end in (swing.low, swing.high)], DRIVERS + 8, RIGHT - 14, from_zero=False)
    middle, bottom = simulation.outcome.p50.value, 28 + ROW * len(swings)
    first = swings[0]
    message = (
        f"What decides most is {fitting(first.driver, 60)}: between {compact(first.low, currency)} and "
        f"{compact(first.high, currency)}."
    )
    parts = [key({GAP: "at its P10", REQUIRED: "at its P90"}, DRIVERS + 8)]
    drivers = fitting_names([swing.driver for swing in swings], 27)
    for place, swing in enumerate(swings):
        top = 28 + ROW * place
        parts += [
            words(DRIVERS, top + 14, drivers[place], "end", INK),
            bar(x.at(middle), top, x.at(swing.low) - x.at(middle), 18, colour(GAP)),
            bar(x.at(middle), top, x.at(swing.high) - x.at(middle), 18, colour(REQUIRED)),
        ]
    parts += [words(x.at(tick), bottom + 16, compact(tick, currency), "middle") for tick in x.ticks]
    return message, picture(bottom + 24, message, parts)


def commit_title(simulation: Simulation) -> str:
    """What the commit stage is called."""
    plan = simulation.year.plan
    return fitting(titles_of(plan.stages)[plan.commit_stage])


def commit_entries(simulation: Simulation) -> float:
    """Entries of the commit stage within the year. [records]"""
    return entries_by_stage(simulation.year)[simulation.year.plan.commit_stage]


def required_by_stage(simulation: Simulation) -> dict[str, float]:
    """Entries of each stage that the wins of the year require, all cells together. [records]"""
    totals = dict.fromkeys(simulation.year.plan.stage_ids, 0.0)
    for cell, required in zip(simulation.year.cells, simulation.year.required, strict=True):
        for stage, months in zip(cell.stages, required.this_year, strict=True):
            totals[stage] += float(months.sum())
    return totals


def _asked(simulation: Simulation) -> list[tuple[float, float]]:
    """Chance of the goal and entries of the commit stage, where some volume gives that chance."""
    entries = commit_entries(simulation)
    found = [(point.confidence, point.scale.value * entries) for point in points(simulation)]
    return [(confidence, asked) for confidence, asked in found if math.isfinite(asked)]


def _more(now: float, before: float) -> str:
    difference = round(now) - round(before)
    return f" ({show(difference, 'number')})" if difference else ""


def _counted(now: float, before: float) -> str:
    return show(now, "commitment") + _more(now, before)
