"""What stands in a chart: bars, lines, points, the intervals about them and the numbers at them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isclose

from revplan.exhibits.chart import (
    BACKGROUND,
    BAR_MARKS,
    INK,
    LINE_MARKS,
    REQUIRED,
    Chart,
    Plotted,
    Series,
    side_by_side,
    spans,
    step_written,
)
from revplan.exhibits.fit import POINTS, width
from revplan.exhibits.shapes import SIZE, SMALL, SMALLEST, STROKE, Canvas, Scale, color

BAR, BESIDE = 0.62, 0.8
"""Share of its place that a bar takes, and that bars beside each other take together."""

FEW = 9
"""Points that have room for a number each."""

NUMBERS = 0.33
"""Share of a drawing that numbers at the ends of lying bars may take."""

DASHES = {"line": "", "dashed": "6 3", "dotted": "1.6 2.6"}


def wide(text: str, size: float) -> float:
    """Room that a text takes. [points]"""
    return POINTS * width(text, size)


def widest(texts: Iterable[str], size: float) -> float:
    return max((wide(text, size) for text in texts), default=0.0)


def texts(chart: Chart) -> list[str]:
    """What is written at the bars of a chart."""
    return [at_bar(each, value, chart) for each in chart.series for value in each.values if value is not None]


def at_bar(series: Series, value: Plotted, chart: Chart) -> str:
    """The number at a bar; of a date the axis says the year."""
    text = step_written(series, value, chart)
    return re.sub(r" \d{4}$", "", text) if chart.kind == "date" else text


def labelled_upright(chart: Chart, slot: float) -> bool:
    """Whether columns have room for their numbers above them."""
    beside = len(chart.series) if side_by_side(chart) else 1
    return chart.form == "waterfall" or (_plain_bars(chart) and widest(texts(chart), SMALL) <= 0.95 * slot / beside)


def labelled_lying(chart: Chart, room: float) -> bool:
    """Whether lying bars have room for their numbers at their ends."""
    ends = 2 if chart.start is not None and chart.kind != "date" else 1
    return chart.form == "waterfall" or (_plain_bars(chart) and ends * widest(texts(chart), SMALL) <= NUMBERS * room)


def _plain_bars(chart: Chart) -> bool:
    """Whether a chart holds bars that a number can stand at: not on each other, without intervals."""
    return chart.form != "stacked" and all(each.mark in BAR_MARKS and not each.low for each in chart.series)


def few(chart: Chart) -> bool:
    """Whether points with an interval have room for a number each."""
    return (
        len(chart.categories) <= FEW
        and len(chart.series) <= 2
        and all(each.mark == "dots" and each.low for each in chart.series)
    )


def sample(canvas: Canvas, series: Series, x: float, y: float, *, upright: bool) -> None:
    """What a series looks like, for the key."""
    shade = color(series.color, series.shade)
    if series.mark in BAR_MARKS:
        canvas.box((x, y - 4), (x + 14, y + 4), shade)
        if series.low:
            canvas.line([(x + 7, y - 5), (x + 7, y + 5)], color(INK), 1.2)
        return
    if series.low:
        canvas.box((x, y - 4), (x + 14, y + 4), *_band(series))
    if series.mark in LINE_MARKS:
        canvas.line([(x, y), (x + 14, y)], shade, STROKE, dashes_of(series))
    else:
        draw_mark(canvas, series, (x + 7, y), 14, upright=upright)


def _band(series: Series) -> tuple[str, str]:
    """Colour and looks of the interval about the values of a series."""
    return (
        (color(BACKGROUND), ' fill-opacity="0.8"')
        if series.mark in LINE_MARKS
        else (color(REQUIRED), ' fill-opacity="0.5"')
    )


def dashes_of(series: Series) -> str:
    dashes = DASHES[series.mark]
    return f' stroke-dasharray="{dashes}"' if dashes else ' stroke-linecap="round"'


def draw_mark(canvas: Canvas, series: Series, place: tuple[float, float], slot: float, *, upright: bool) -> None:
    """A value that is no bar and lies on no line."""
    (x, y), fill = place, color(series.color, series.shade)
    edge = f' stroke="{color("paper")}"'
    if series.mark == "dashes":
        half = min(17.0, 0.36 * slot)
        ends = [(x - half, y), (x + half, y)] if upright else [(x, y - min(half, 8.0)), (x, y + min(half, 8.0))]
        canvas.line(ends, fill, 2.6)
    elif series.mark == "crosses":
        canvas.line([(x - 3, y - 3), (x + 3, y + 3)], fill, 1.6)
        canvas.line([(x - 3, y + 3), (x + 3, y - 3)], fill, 1.6)
    elif series.mark == "squares":
        canvas.box((x - 4, y - 4), (x + 4, y + 4), fill, edge)
    elif series.mark == "diamonds":
        canvas.area([(x - 5.5, y), (x, y - 5.5), (x + 5.5, y), (x, y + 5.5)], fill, edge)
    else:
        canvas.dot(place, 3.8, fill, edge)


# --- standing, lying, points ---------------------------------------------------------------------


@dataclass(frozen=True)
class Field:
    """Where categories and values lie."""

    lying: bool
    values: Scale
    first: float
    slot: float
    """Where the first category lies, and how far the next is from it."""

    def at(self, place: float, value: float) -> tuple[float, float]:
        """The point of a value at a place, which may lie between two categories."""
        across, along = self.first + self.slot * place, self.values.at(value)
        return (along, across) if self.lying else (across, along)


def draw_series(canvas: Canvas, chart: Chart, placed: Field, *, labelled: bool) -> None:
    """Bars, then lines and points on them."""
    bars = [each for each in chart.series if each.mark in BAR_MARKS]
    others = [each for each in chart.series if each.mark not in BAR_MARKS]
    _joined(canvas, chart, placed)
    for bar in _bars(chart, bars):
        _bar(canvas, chart, placed, bar, labelled=labelled)
    for each in others:
        if each.mark in LINE_MARKS and each.low:
            _between(canvas, each, placed)
    for each in others:
        if each.mark in LINE_MARKS:
            _curve(canvas, each, placed, stepped=bool(bars))
        else:
            _marks(canvas, chart, each, placed)


def _joined(canvas: Canvas, chart: Chart, placed: Field) -> None:
    """The level from one bar of a waterfall to the next."""
    ends = list(spans(chart)) if chart.form == "waterfall" else []
    for at, ((_, end), following) in enumerate(pairwise(ends)):
        if any(isclose(end, each, rel_tol=1e-6) for each in following):
            canvas.line([placed.at(at, end), placed.at(at + 1, end)], color("edge"), 0.6)


@dataclass(frozen=True)
class Bar:
    """A bar as it is drawn."""

    series: Series
    place: float
    thick: float
    begin: float
    end: float
    at: int


def _bars(chart: Chart, bars: Sequence[Series]) -> Iterator[Bar]:
    """Every bar of a chart, from where it begins to where it ends."""
    ground = chart.start if chart.start is not None else 0.0
    beside = len(bars) if side_by_side(chart) else 1
    thick = BAR if beside == 1 else BESIDE / beside
    bases = {True: [0.0] * len(chart.categories), False: [0.0] * len(chart.categories)}
    ends = list(spans(chart)) if chart.form == "waterfall" else []
    for number, series in enumerate(bars):
        shift = thick * (number - (beside - 1) / 2) if beside > 1 else 0.0
        for at, value in enumerate(series.values):
            if value is None:
                continue
            begin, end = ground, value
            if ends:
                begin, end = ends[at]
            elif chart.form == "stacked":
                begin = bases[value >= 0][at]
                bases[value >= 0][at] = end = begin + value
            yield Bar(series, at + shift, thick * (0.94 if beside > 1 else 1.0), begin, end, at)


def _bar(canvas: Canvas, chart: Chart, placed: Field, bar: Bar, *, labelled: bool) -> None:
    half, series = bar.thick / 2, bar.series
    edge = f' stroke="{color("paper")}" stroke-width="0.5"' if chart.form == "stacked" else ""
    canvas.box(
        placed.at(bar.place - half, bar.begin),
        placed.at(bar.place + half, bar.end),
        color(series.color, series.shade),
        edge,
    )
    low, high = (ends[bar.at] if ends else None for ends in (series.low, series.high))
    if low is not None and high is not None:
        for stroke, thick in ((color("paper"), 3.2), (color(INK), 1.4)):
            canvas.line([placed.at(bar.place, low), placed.at(bar.place, high)], stroke, thick)
    if labelled:
        _number(canvas, chart, placed, bar, at_bar(series, series.values[bar.at], chart), high)


def _number(canvas: Canvas, chart: Chart, placed: Field, bar: Bar, text: str, high: Plotted) -> None:
    """What a bar comes to, at the end of it that grows."""
    top = max(bar.begin, bar.end, bar.end if high is None else high)
    if not placed.lying:
        size = next(
            (size for size in (SIZE, SMALL) if widest(texts(chart), size) <= 0.97 * placed.slot), SMALLEST + 0.5
        )
        x, y = placed.at(bar.place, top)
        canvas.words(x, y - 3.5, [text], size)
        return
    back = chart.form != "waterfall" and bar.end < bar.begin
    x, y = placed.at(bar.place, bar.end if back else top)
    canvas.words(x + (-4 if back else 4), y + 3, [text], SMALL, "end" if back else "start")


def _curve(canvas: Canvas, series: Series, placed: Field, *, stepped: bool) -> None:
    """A line through the values that are known, broken where none is; over bars a level for each."""
    half = 0.5 if stepped else 0.0
    thick = STROKE if series.mark == "line" else 1.8
    for run in _runs(series):
        places = [placed.at(at + side, value) for at, value in run for side in ((-half, half) if stepped else (0.0,))]
        canvas.line(places, color(series.color, series.shade), thick, dashes_of(series))
        if not stepped and (len(run) == 1 or (series.mark == "line" and not series.low)):
            for place in places:
                canvas.dot(place, 1.8, color(series.color, series.shade))


def _between(canvas: Canvas, series: Series, placed: Field) -> None:
    """What lies between the lower and the upper ends of a line's intervals."""
    ends = [
        (at, low, high)
        for at, (low, high) in enumerate(zip(series.low, series.high, strict=True))
        if low is not None and high is not None
    ]
    lower, upper = ([placed.at(each[0], each[side]) for each in ends] for side in (1, 2))
    canvas.area([*lower, *reversed(upper)], *_band(series))


def _runs(series: Series) -> list[list[tuple[float, float]]]:
    """The values that are known in a row, each with its place."""
    runs: list[list[tuple[float, float]]] = [[]]
    for at, value in enumerate(series.values):
        place = series.x[at] if series.x else at
        if value is None or place is None:
            runs.append([])
        else:
            runs[-1].append((place, value))
    return [run for run in runs if run]


def _marks(canvas: Canvas, chart: Chart, series: Series, placed: Field) -> None:
    """Points, on the interval about each where it has one."""
    numbered = few(chart)
    for at, value in enumerate(series.values):
        if value is None:
            continue
        along = (series.x[at] if series.x else at) or 0.0
        low, high = (ends[at] if ends else None for ends in (series.low, series.high))
        if low is not None and high is not None:
            half = min(0.22, (3.5 if placed.lying else 5.0) / placed.slot)
            canvas.box(placed.at(along - half, low), placed.at(along + half, high), *_band(series))
        place = placed.at(along, value)
        draw_mark(canvas, series, place, placed.slot, upright=not placed.lying)
        if numbered:
            x = placed.at(along, value if high is None else high)[0] + 6 if placed.lying else place[0] + 9
            canvas.words(x, place[1] + 3, [step_written(series, value, chart)], SMALL, "start")
