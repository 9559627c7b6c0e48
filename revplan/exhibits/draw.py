"""The one painter: a chart as SVG text, for a page, for a phone and for the simulator.

Every place is worked out from the chart and the width alone, so the same chart gives the same
drawing everywhere. On a page letters are outlines, not selectable text: a phone or a Windows reader
has no DejaVu Sans, and with another font labels grow, collide and are cut off. The words stay
selectable where they matter, in the headline above and in the tables. The simulator, whose drawing
follows a slider, writes them as text. A page's chart squeezed to 390 pixels cannot be read, so a
phone has one of its own. The ground is white, whatever the page around it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from math import ceil, floor, isclose

from revplan.exhibits import fonts
from revplan.exhibits.chart import (
    BACKGROUND,
    BAR_MARKS,
    DAY_ZERO,
    FEW,
    INK,
    LINE_MARKS,
    REQUIRED,
    Chart,
    Plotted,
    Series,
    day_number,
    renamed,
    side_by_side,
    spans,
    step_written,
    values_of,
    written,
)
from revplan.exhibits.fit import LEADING, POINTS, cut, fitting_names, lines, width
from revplan.exhibits.shapes import SIZE, SMALL, SMALLEST, STROKE, Canvas, Scale, color, scale_of, ticks
from revplan.ground.calendar import MONTHS
from revplan.ground.escaping import clean
from revplan.ground.formats import compact, show
from revplan.ground.language import numbers_in

PAGE, PHONE = 633.6, 270.0
"""Widths of a drawing. [points]"""

NARROW = 400.0
NAMES, LONGEST_NAME = 0.4, 48
"""Share of a drawing that names of lying bars may take, and the most characters of one."""

GAP_ABOVE = 6.0
BETWEEN = 18.0
"""Room between small charts that stand beside each other. [points]"""

PANEL = 88.0
"""Height of the columns of a small chart. [points]"""
STEPS = (1, 2, 3, 6, 12, 24, 60)


def svg(chart: Chart, room: float = PAGE, *, outlined: bool = True) -> str:
    """The drawing, `room` points wide, that says its message to who cannot see it.

    Parameters
    ----------
    outlined
        Whether letters are outlines; a browser sets them faster as text.
    """
    others = None
    if outlined:
        odd = lacking(chart)
        unknown, others = fonts.without_font(odd), fonts.covering(odd)
        chart = renamed(chart, lambda text: fonts.legible(text, unknown))
    if chart.panels:
        canvas = Canvas()
        return canvas.svg(room, _multiples(canvas, chart, room), chart.message, others)
    canvas, named = Canvas(), _named(chart, room)
    form = _points if named.form == "points" else _lying if _lies(named, room) else _upright
    bottom = form(canvas, named, room, _key(canvas, named, room))
    return canvas.svg(room, bottom, chart.message, others)


def lacking(chart: Chart) -> frozenset[str]:
    """The characters in the drawing of a chart that DejaVu Sans has not."""
    if chart.panels:
        return frozenset().union(*(lacking(each) | fonts.lacking([each.message]) for each in chart.panels))
    return fonts.lacking([*chart.categories, *(each.name for each in chart.series), chart.x_title, chart.behind])


def _marked(chart: Chart, scale: Scale, most: int) -> list[tuple[float, str]]:
    """The ticks of the value axis with their texts; two never read alike."""
    values = values_of(chart)
    if chart.kind == "date":
        return _months(scale, most, chart.language) or [(value, written(value, chart)) for value in values[-1:]]
    whole = chart.kind in ("count", "commitment") and scale.high >= 2
    for count in range(most, 0, -1):
        found = ticks(scale, count, 1.0 if whole else 0.0)
        if all(isclose(tick, float(f"{tick:.3g}"), abs_tol=1e-9) for tick in found):
            break
    if chart.kind == "share" and max(values, default=0.0) <= 1:
        found = [tick for tick in found if tick <= 1 + 1e-9]
    if min(values, default=0.0) >= 0:
        found = [tick for tick in found if tick >= 0]
    told = {_ticked(tick, chart): tick for tick in reversed(found)}
    return [(tick, text) for text, tick in reversed(told.items())]


def _with_room(chart: Chart, scale: Scale, size: float, most: int) -> list[tuple[float, str]]:
    """The ticks of an axis along which texts stand: as many as have room."""
    marked: list[tuple[float, str]] = []
    for count in range(most, 1, -1):
        marked = _marked(chart, scale, count)
        apart = min((scale.at(b) - scale.at(a) for (a, _), (b, _) in pairwise(marked)), default=0.0)
        if widest([text for _, text in marked], size) + 8 <= apart:
            break
    return marked


def _ticked(value: float, chart: Chart) -> str:
    currency = chart.currency if chart.kind == "money" else ""
    amount = show(round(value, 6), "share") if chart.kind == "share" else compact(round(value, 9), currency)
    return numbers_in(amount, chart.language)


def _months(scale: Scale, most: int, language: str) -> list[tuple[float, str]]:
    """The beginnings of months within a scale of days, as many as `most`."""
    first, last = (date.fromordinal(DAY_ZERO + round(end)) for end in (scale.low, scale.high))
    count = (last.year - first.year) * 12 + last.month - first.month
    step = next((step for step in STEPS if count / step <= most), STEPS[-1])
    begun = (divmod(first.year * 12 + first.month + at, 12) for at in range(0, max(1, count), step))
    marked = [
        (day_number(date(year, month + 1, 1)), numbers_in(f"{MONTHS[month]} {year}", language)) for year, month in begun
    ]
    return [each for each in marked if scale.low <= each[0] <= scale.high]


def _reach(chart: Chart) -> list[float]:
    """The values that the value axis has to hold."""
    drawn = values_of(chart)
    if chart.form == "waterfall":
        bands = [end for each in chart.series for ends in (each.low, each.high) for end in ends if end is not None]
        return [*bands, *(end for span in spans(chart) for end in span)]
    bars = [series for series in chart.series if series.mark in BAR_MARKS]
    if chart.form == "stacked":
        columns = list(zip(*(series.values for series in bars), strict=True))
        sums = [sum(value for value in each if value and (value > 0) == up) for each in columns for up in (True, False)]
        drawn = [
            *sums,
            *(value for one in chart.series if one not in bars for value in one.values if value is not None),
        ]
    if chart.start is not None:
        return [*drawn, chart.start]
    apart = not bars and chart.form == "bars" and chart.kind == "money" and min(drawn, default=0.0) > 0
    return drawn if apart else [*drawn, 0.0]


# --- names and the key ---------------------------------------------------------------------------


def _named(chart: Chart, room: float) -> Chart:
    """The chart with the series that have a value, their names cut to what a key has room for."""
    kept = [each for each in chart.series if any(value is not None for value in each.values)]
    told = fitting_names([each.name for each in kept], 26 if room < NARROW else 40)
    renaming = dict(zip((each.name for each in kept), told, strict=True))
    series = tuple(replace(each, name=renaming[each.name]) for each in kept)
    return replace(chart, series=series, categories=tuple(map(clean, chart.categories)))


def _key(canvas: Canvas, chart: Chart, room: float) -> float:
    """The key in as many lines as it takes, above the drawing, where it hides nothing; where the drawing begins."""
    told = len(chart.series) > 1 or chart.behind or any(each.low for each in chart.series)
    x, y, size = 2.0, 11.0, SIZE if room >= NARROW else SMALL
    if not told:
        return GAP_ABOVE
    for each in [*chart.series, *([None] if chart.behind else [])]:
        name = each.name if each else chart.behind
        long = 20 + wide(name, size)
        if x > 2 and x + long > room:
            x, y = 2.0, y + 14
        if each:
            sample(canvas, each, x, y - 3.5, upright=not _lies(chart, room))
        else:
            canvas.box((x, y - 8), (x + 14, y + 1), color(BACKGROUND), ' fill-opacity="0.45"')
        canvas.words(x + 19, y, [name], size, "start")
        x += long + 13
    return y + GAP_ABOVE + 4


def _lies(chart: Chart, room: float) -> bool:
    """Whether bars lie: those made to, and those whose names or numbers have no room where they would stand."""
    if chart.form == "bars" or chart.x_kind or any(each.mark in LINE_MARKS for each in chart.series):
        return chart.form == "bars"
    slot = 0.88 * room / max(1, len(chart.categories))
    told = texts(chart) if chart.form == "waterfall" else []
    return _name_size(chart, slot) is None or widest(told, SMALLEST + 0.5) > slot


def _name_size(chart: Chart, slot: float) -> float | None:
    """The largest letters in which every name has room below its column in three lines, no word broken."""
    words = [word for name in chart.categories for word in name.split()]
    for size in (SIZE, SMALL, SMALLEST + 0.5):
        most = max((len(_wrapped(name, size, slot)) for name in chart.categories), default=0)
        if widest(words, size) <= slot and most <= 3:
            return size
    return None


def _wrapped(name: str, size: float, slot: float) -> list[str]:
    """A name in lines; what stands in brackets at its end stays together where it can."""
    room, (first, bracket, rest) = 0.97 * slot / POINTS, name.partition(" (")
    whole = lines(name, size, room)
    if len(whole) == 1 or not bracket or width(f"({rest}", size) > room:
        return whole
    return [*lines(first, size, room), f"({rest}"]


def _upright(canvas: Canvas, chart: Chart, room: float, top: float, deep: float = 0.0) -> float:
    """Columns, or lines, `deep` points high, above the names of their categories; where the drawing ends."""
    narrow, reach = room < NARROW, _reach(chart)
    bottom, size = top + (deep or (138 if narrow else 168)), SMALL if narrow else SIZE
    above = 14.0 if all(each.mark in BAR_MARKS for each in chart.series) else 6.0
    values = scale_of(reach, bottom, top, 6.0 if chart.start is not None or min(reach, default=0.0) < 0 else 0.0, above)
    marked = _marked(chart, values, 5)
    left, right = 8 + widest([text for _, text in marked], size), room - 3
    slot = (right - left) / max(1, len(chart.categories))
    placed = Field(False, values, left + slot / 2, slot)
    if chart.behind:
        begin, end = (placed.at(place, 0.0)[0] for place in chart.reach)
        canvas.box((begin, top), (end, bottom), color(BACKGROUND), ' fill-opacity="0.45"')
    for tick, text in marked:
        canvas.line([(left, values.at(tick)), (right, values.at(tick))], color("grid"), 0.8)
        canvas.words(left - 5, values.at(tick) + 3.4, [text], size, "end")
    ground = values.at(chart.start or 0.0)
    canvas.line([(left, ground), (right, ground)], color("edge"), 0.8)
    draw_series(canvas, chart, placed, labelled=labelled_upright(chart, slot))
    return _names_below(canvas, chart, placed, bottom, room)


def _multiples(canvas: Canvas, chart: Chart, room: float) -> float:
    """Small charts beside and below each other under one key, each under its name; where the drawing ends."""
    across = 1 if room < NARROW else 2
    wide, top = (room - BETWEEN * (across - 1)) / across, _key(canvas, _named(chart.panels[0], room), room)
    for begin in range(0, len(chart.panels), across):
        ends = []
        for place, panel in enumerate(chart.panels[begin : begin + across]):
            small, left = Canvas(), place * (wide + BETWEEN)
            small.words(2.0, 11.0, [cut(clean(panel.message), SIZE, wide / POINTS, 1)], SIZE, "start")
            ends.append(_upright(small, _named(panel, wide), wide, 20.0, PANEL))
            canvas.put(small, left, top)
        top += max(ends) + GAP_ABOVE
    return top


def _names_below(canvas: Canvas, chart: Chart, placed: Field, bottom: float, room: float) -> float:
    """The names of the categories below them: of an ordered kind as many as have room, of others all."""
    y = bottom + 13
    if chart.x_kind:
        size = SIZE if room >= NARROW else SMALL
        told = [name.split() if chart.x_kind == "month" else [name] for name in chart.categories]
        wide = widest([parts[0] for parts in told if parts], size) + 6
        step = next((step for step in STEPS if step * placed.slot >= wide), STEPS[-1])
        last: list[str] = []
        free = 0.0  # from where on nothing is written
        for place in range(0, len(told), step):
            shown = [told[place][0], *(told[place][1:] if told[place][1:] != last else [])]
            half = widest(shown, size) / 2
            x = min(placed.at(place, 0.0)[0], room - half)  # the last name may be longer than its place
            if x - half >= free:
                canvas.words(x, y, shown, size)
                last, free = told[place][1:], x + half
        deepest = max(map(len, told), default=1)
    else:
        fitted = _name_size(chart, placed.slot)
        size = fitted or SMALLEST
        told = [
            _wrapped(name if fitted else cut(name, size, placed.slot / POINTS, 3), size, placed.slot)
            for name in chart.categories
        ]
        for place, parts in enumerate(told):
            canvas.words(placed.at(place, 0.0)[0], y, parts, size)
        deepest = max(map(len, told), default=1)
    end = y + (deepest - 1) * size * LEADING
    if chart.x_title:
        end += 14
        canvas.words(room / 2, end, [cut(chart.x_title, SIZE, (room - 8) / POINTS, 1)], SIZE)
    return end + 6


def _lying(canvas: Canvas, chart: Chart, room: float, top: float) -> float:
    """Bars beside their names, one below the other; where the drawing ends."""
    size, count, reach = SIZE if room >= NARROW else SMALL, max(1, len(chart.categories)), _reach(chart)
    slot = 34.0 if side_by_side(chart) else 24.0 if count <= 8 else 20.0
    told = _names_beside(chart.categories, NAMES * room, size, 2 if slot >= 24 else 1)
    left, right, bottom = 8 + widest((part for name in told for part in name), size), room - 6, top + slot * count
    labelled, ground = labelled_lying(chart, right - left), chart.start or 0.0
    after = 8 + widest(texts(chart), SMALL) if labelled or few(chart) else 8.0
    back = min(reach, default=0.0) < ground
    before = 0.0 if ground in reach and not back else after if labelled and back and chart.form != "waterfall" else 8.0
    values = scale_of(reach, left, right, before, after)
    for tick, text in _with_room(chart, values, size, 5):
        canvas.line([(values.at(tick), top), (values.at(tick), bottom)], color("grid"), 0.8)
        canvas.words(min(values.at(tick), room - wide(text, size) / 2), bottom + 13, [text], size)
    for place, name in enumerate(told):
        y = top + slot * (place + 0.5) + 3.4 - (len(name) - 1) * size * LEADING / 2
        canvas.words(left - 5, y, name, size, "end")
    canvas.line([(left, bottom), (right, bottom)], color("edge"), 0.8)
    if values.low <= ground <= values.high and any(each.mark in BAR_MARKS for each in chart.series):
        canvas.line([(values.at(ground), top), (values.at(ground), bottom)], color("edge"), 0.8)
    draw_series(canvas, chart, Field(True, values, top + slot / 2, slot), labelled=labelled)
    if chart.x_title and chart.form == "waterfall":
        bottom += 14
        canvas.words(room / 2, bottom + 13, [cut(chart.x_title, size, (room - 8) / POINTS, 1)], size)
    return bottom + 19


def _names_beside(categories: Sequence[str], room: float, size: float, most: int) -> list[list[str]]:
    """Names beside lying bars in at most `most` lines, cut so that different ones still read differently."""
    for letters in range(min(LONGEST_NAME, max(map(len, categories), default=1)), 8, -1):
        told = fitting_names(categories, letters)
        wrapped = [_wrapped(name, size, room) for name in told]
        words = (word for name in told for word in name.split())
        if max(map(len, wrapped), default=1) <= most and widest(words, size) <= room:
            return wrapped
    return [[name] for name in fitting_names(categories, 8)]


def _points(canvas: Canvas, chart: Chart, room: float, top: float) -> float:
    """Points along two axes of numbers; where the drawing ends."""
    narrow = room < NARROW
    bottom, size = top + (138 if narrow else 168), SIZE if not narrow else SMALL
    y = scale_of(_reach(chart), bottom, top, 0.0, 8.0)
    marked = _marked(chart, y, 5)
    left, right = 8 + widest([text for _, text in marked], size), room - 6
    places = [place for each in chart.series for place in each.x if place is not None]
    if chart.x_kind == "share":  # to the next tenth: while a slider moves, the axis stays
        places = [floor(10 * min(places, default=0.0)) / 10, ceil(10 * max(places, default=1.0)) / 10]
    x = scale_of(places, left, right, 16.0, 16.0)
    told = tuple(replace(each, values=each.x) for each in chart.series)
    for tick, text in marked:
        canvas.line([(left, y.at(tick)), (right, y.at(tick))], color("grid"), 0.8)
        canvas.words(left - 5, y.at(tick) + 3.4, [text], size, "end")
    canvas.line([(left, bottom), (right, bottom)], color("edge"), 0.8)
    for tick, text in _with_room(replace(chart, kind=chart.x_kind, series=told), x, size, 8):
        canvas.words(x.at(tick), bottom + 13, [text], size)
    canvas.words((left + right) / 2, bottom + 27, [chart.x_title], size)
    draw_series(canvas, chart, Field(False, y, x.at(x.low) - x.low * x.unit, x.unit), labelled=False)
    return bottom + 34


# --- what stands in a chart: bars, lines, points, the intervals about them and the numbers at them


BAR, BESIDE = 0.62, 0.8
"""Share of its place that a bar takes, and that bars beside each other take together."""

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
