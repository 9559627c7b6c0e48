"""A chart in numbers as a native chart of PowerPoint, with its workbook: editable, never a picture.

What of it is drawn: its bars with what they stand on, and the numbers that have room at them. The order of elements is
that of the schema (ECMA-376 part 1, 21.2): PowerPoint repairs a file, or refuses it, where another reader would not mind.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import count
from typing import Any

from lxml import etree
from lxml.builder import ElementMaker

from revplan.exhibits.chart import (
    BAR_MARKS,
    FEW,
    LINE_MARKS,
    Chart,
    Plotted,
    Series,
    side_by_side,
    spans,
    values_of,
    written,
)
from revplan.exhibits.figures import PRECISION
from revplan.exhibits.fit import cut, fitting, fitting_names, width
from revplan.exhibits.shapes import slide_letters
from revplan.ground.escaping import clean
from revplan.ground.formats import MINUS
from revplan.ground.language import ENGLISH, marks_of

CHART = "http://schemas.openxmlformats.org/drawingml/2006/chart"
CHART_2012 = "http://schemas.microsoft.com/office/drawing/2012/chart"
DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/main"
C = ElementMaker(namespace=CHART, nsmap={"c": CHART, "a": DRAWING})
A = ElementMaker(namespace=DRAWING, nsmap={"a": DRAWING})

SCHEME = {
    **{f"C{number}": f"accent{number + 1}" for number in range(6)},
    "C6": "tx2",
    "C7": "bg2",
    "ink": "tx1",
    "paper": "bg1",
    "grey": "bg1",
}
"""What a colour means, as a colour of the theme: a company's template lends its own."""

POINT = 12_700
"""English metric units in a point."""

UNITS = {"k": ",", "M": ",,", "B": ",,,"}
MARKERS = {
    "dots": ("circle", 9),
    "squares": ("square", 9),
    "diamonds": ("diamond", 10),
    "dashes": ("dash", 22),
    "crosses": ("x", 8),
}
DASHES = {"dashed": "dash", "dotted": "sysDot"}
LEAST_SEGMENT = 0.055
"""Share of the tallest bar below which a part has no room for its number."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A series as it is drawn, with the text each of its values is labelled with; empty for none."""

    series: Series
    labels: tuple[str, ...] = ()
    position: str = "outEnd"
    beside: Mapping[int, float] = field(default_factory=dict)
    """Places of labels that a bar has no room for: they stand this much lower than its middle, of the chart's height."""
    ink: str = "ink"
    """The colour of labels inside bars."""
    fixed: frozenset[int] = frozenset()
    """Places of labels that no cell holds the number of: a bar in two parts."""
    hidden: bool = False
    language: str = ENGLISH
    """How the labels write numbers."""
    moved: Mapping[int, str] = field(default_factory=dict)
    """Where labels stand that have another position than the others, by their places."""


def fill(color: str, shade: float = 1.0, alpha: float = 1.0) -> Any:
    """A solid fill in a colour of the theme."""
    scheme = A.schemeClr(val=SCHEME[color])
    if color == "grey":
        scheme.append(A.lumMod(val="85000"))
    if shade < 1:
        scheme.extend([A.lumMod(val=f"{shade:.0%}"[:-1] + "000"), A.lumOff(val=f"{1 - shade:.0%}"[:-1] + "000")])
    if alpha < 1:
        scheme.append(A.alpha(val=str(round(alpha * 100_000))))
    return A.solidFill(scheme)


def line(color: str, points: float, *styles: Any, shade: float = 1.0, alpha: float = 1.0) -> Any:
    """A line `points` thick."""
    return A.ln(fill(color, shade, alpha), *styles, w=str(round(points * POINT)))


def nothing() -> Any:
    """A line that is not drawn."""
    return A.ln(A.noFill())


def text_look(size: float, color: str = "ink") -> Any:
    """How texts of a chart are set: in the font of the theme."""
    looks = A.defRPr(fill(color), sz=str(round(size * 100)), b="0")
    return C.txPr(A.bodyPr(rot="0", vert="horz"), A.lstStyle(), A.p(A.pPr(looks), A.endParaRPr(lang="en-US")))


def rich_text(text: str, color: str = "ink") -> Any:
    """A text of its own in a chart."""
    run = A.r(A.rPr(fill(color), lang="en-US", sz="1200", b="0"), A.t(text))
    return C.rich(A.bodyPr(), A.lstStyle(), A.p(run))


def valued(tag: str, value: object) -> Any:
    return C(tag, val=str(value))


@dataclass(frozen=True, kw_only=True)
class NumberLook:
    """How a number is written: what stands before and after it, its decimals, and the commas that scale it."""

    before: str
    decimals: int
    scale: str
    after: str


def look_of(text: str, code: str = ENGLISH) -> NumberLook | None:
    """How `text` writes a number in the language `code`; None if it is a day."""
    found = re.fullmatch(r"(\D*?)(\d(?:[\d.,’\u202f]*\d)?)(\D*)", text)
    if found is None:
        return None
    before, number, after = (part.replace('"', "") for part in found.groups())
    mark, words = marks_of(code)
    decimals = len(number.rpartition(mark)[2]) if mark in number else 0
    scale = next((UNITS[unit] for unit in UNITS if words.get(unit, unit) in after), "")
    return NumberLook(before=before, decimals=decimals, scale=scale, after=after)


def number_format(text: str, code: str = ENGLISH) -> str:
    """The number format that writes a number as `text` was: "$"0.0,"k" for $33.4k.

    A label keeps following its cell, and shows what the message says.
    """
    look = look_of(text, code)
    if look is None:
        return "d mmm yyyy"
    decimals = f".{'0' * look.decimals}" if look.decimals else ""
    body = f"{_quoted(look.before)}#,##0{decimals}{look.scale}{_quoted(look.after)}"
    return f"{body};{body}"


def _quoted(text: str) -> str:
    """Words of a number format; a per cent sign that scales stands outside the quotes."""
    words, share, rest = text.partition("%")
    return "".join(f'"{part}"' if part != share else part for part in (words, share, rest) if part)


def axis_format(chart: Chart, largest: float) -> str:
    """How an axis up to `largest` writes its ticks."""
    look = look_of(written(largest, chart), chart.language)
    if look is None:
        return "mmm yyyy"
    if chart.kind == "share":
        return f"{'0' if largest >= 0.05 else '0.0'}{_quoted(look.after)}"
    units = largest / 1e3 ** len(look.scale)
    before, after = _quoted(look.before), _quoted(look.after)
    body = f"{before}{'#,##0' if units >= 5 else '0.0'}{look.scale}{after}"
    return f'{body};"{MINUS}"{body};{before}0'


class ChartSheet:
    """The sheet behind a chart: a column a series, texts never taken for formulas."""

    def __init__(self, categories: Sequence[str]) -> None:
        self.categories = categories
        self.columns: list[tuple[str, tuple[Plotted, ...]]] = []

    def add(self, name: str, values: tuple[Plotted, ...]) -> int:
        """The number of the new column."""
        self.columns.append((name, values))
        return len(self.columns)

    def cells(self, column: int, rows: int) -> str:
        """The reference to the values of a column."""
        from xlsxwriter.utility import xl_rowcol_to_cell

        return "Sheet1!" + ":".join(xl_rowcol_to_cell(row, column, True, True) for row in (1, rows))

    def heading(self, column: int) -> str:
        """The reference to the name of a column."""
        from xlsxwriter.utility import xl_rowcol_to_cell

        return f"Sheet1!{xl_rowcol_to_cell(0, column, True, True)}"

    def workbook(self) -> bytes:
        """The workbook, the same bytes every time."""
        from xlsxwriter import Workbook

        buffer = io.BytesIO()
        safe = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
        book = Workbook(buffer, {"in_memory": True, **safe})
        book.set_properties({"created": datetime(2000, 1, 1)})
        sheet = book.add_worksheet("Sheet1")
        sheet.set_column(0, 0, 28)
        sheet.set_column(1, max(1, len(self.columns)), 16)
        sheet.write_column(1, 0, self.categories)
        for place, (name, values) in enumerate(self.columns, start=1):
            sheet.write_string(0, place, name)
            sheet.write_column(1, place, values)
        book.close()
        return buffer.getvalue()


def number_data(reference: str, values: Sequence[Plotted]) -> Any:
    """Numbers with where they stand in the workbook."""
    points = [C.pt(C.v(repr(value)), idx=str(place)) for place, value in enumerate(values) if value is not None]
    cache = C.numCache(C.formatCode("General"), valued("ptCount", len(values)), *points)
    return C.numRef(C.f(reference), cache)


def text_data(reference: str, texts: Sequence[str]) -> Any:
    """Texts with where they stand in the workbook."""
    points = [C.pt(C.v(text), idx=str(place)) for place, text in enumerate(texts)]
    return C.strRef(C.f(reference), C.strCache(valued("ptCount", len(texts)), *points))


def series_element(drawn: Drawn, index: int, sheet: ChartSheet, bars: bool) -> Any:
    """`c:ser` of a series, whose columns are added to the sheet."""
    series = drawn.series
    x = [C.xVal(number_data(*_column(sheet, f"{series.name}: x", series.x)))] if series.x else []
    place = sheet.add(series.name, series.values)
    values = number_data(sheet.cells(place, len(series.values)), series.values)
    return C.ser(
        valued("idx", index),
        valued("order", index),
        C.tx(text_data(sheet.heading(place), [series.name])),
        _looks(drawn, bars),
        *([valued("invertIfNegative", 0)] if bars else [_marker(series, len(sheet.categories))]),
        *_labels(drawn),
        *_interval(series, sheet, bars),
        *(x or [C.cat(text_data(sheet.cells(0, len(sheet.categories)), sheet.categories))]),
        C.yVal(values) if x else C.val(values),
        *([] if bars else [valued("smooth", 0)]),
    )


def _column(sheet: ChartSheet, name: str, values: tuple[Plotted, ...]) -> tuple[str, tuple[Plotted, ...]]:
    return sheet.cells(sheet.add(name, values), len(values)), values


def _looks(drawn: Drawn, bars: bool) -> Any:
    series = drawn.series
    if drawn.hidden:
        return C.spPr(A.noFill(), nothing())
    if bars:
        return C.spPr(fill(series.color, series.shade), nothing())
    if series.mark not in LINE_MARKS:
        return C.spPr(nothing())
    dashes = [A.prstDash(val=DASHES[series.mark])] if series.mark in DASHES else []
    return C.spPr(line(series.color, 2.25, *dashes, A.round(), shade=series.shade))


def _marker(series: Series, categories: int) -> Any:
    if series.mark in LINE_MARKS:
        return C.marker(valued("symbol", "none"))
    symbol, size = MARKERS[series.mark]
    if series.mark == "dashes":
        size = max(8, min(26, 180 // max(1, categories)))
    edge = line(series.color, 2.0) if series.mark == "crosses" else line("paper", 1.0)
    return C.marker(valued("symbol", symbol), valued("size", size), C.spPr(fill(series.color), edge))


def _labels(drawn: Drawn) -> list[Any]:
    if not any(drawn.labels):
        return []
    each = [_label(place, text, drawn) for place, text in enumerate(drawn.labels)]
    return [C.dLbls(*each, *_shows(value=False), *([_without_leaders()] if drawn.beside else []))]


def _without_leaders() -> Any:
    """What keeps programs from drawing a line between a bar and the number beside it."""
    shown = ElementMaker(namespace=CHART_2012, nsmap={"c15": CHART_2012}).showLeaderLines(val="0")
    return C.extLst(C.ext(shown, uri="{CE6537A1-D6FC-4f65-9D91-7224C49458BB}"))


def _label(place: int, text: str, drawn: Drawn) -> Any:
    if not text:
        return C.dLbl(valued("idx", place), valued("delete", 1))
    beside = drawn.beside.get(place)
    return C.dLbl(
        valued("idx", place),
        *([] if beside is None else [C.layout(C.manualLayout(valued("x", 0), valued("y", f"{beside:.4g}")))]),
        *([C.tx(rich_text(text, drawn.ink if beside is None else "ink"))] if place in drawn.fixed else []),
        C.numFmt(formatCode=number_format(text, drawn.language), sourceLinked="0"),
        C.spPr(A.noFill(), nothing()),
        text_look(slide_letters("chart")[0], drawn.ink if beside is None else "ink"),
        valued("dLblPos", drawn.moved.get(place, drawn.position)),
        *_shows(value=True),
    )


def _shows(value: bool) -> list[Any]:
    names = ("showLegendKey", "showVal", "showCatName", "showSerName", "showPercent", "showBubbleSize")
    return [valued(name, int(value and name == "showVal")) for name in names]


def difference(one: Plotted, other: Plotted) -> Plotted:
    """`one` less `other`, with the digits that both have."""
    return None if one is None or other is None else float(f"{one - other:.{PRECISION}g}")


def _interval(series: Series, sheet: ChartSheet, bars: bool) -> list[Any]:
    """The interval about each value as error bars that follow two columns of the workbook."""
    if not series.low or not series.high:
        return []
    ends = list(zip(series.values, series.low, series.high, strict=True))
    up = tuple(difference(high, value) for value, _, high in ends)
    down = tuple(difference(value, low) for value, low, _ in ends)
    look = line("ink", 1.25) if bars else line("C3", 11, alpha=0.5)
    return [
        C.errBars(
            *([] if bars else [valued("errDir", "y")]),
            valued("errBarType", "both"),
            valued("errValType", "cust"),
            valued("noEndCap", 1),
            C.plus(number_data(*_column(sheet, f"{series.name}: up to P90", up))),
            C.minus(number_data(*_column(sheet, f"{series.name}: down to P10", down))),
            C.spPr(look),
        )
    ]


LONGEST_NAME = 48
LABEL_SIZE, CROWDED_SIZE = slide_letters("chart")
"""Size of numbers at bars and of names, and of names where there are many. [points]"""

MANY = 12
MANY_DAYS = 16
"""Days named along an axis; others lie between them."""
"""Categories up to which names are of full size."""

BESIDE, BELOW = 0.33, 0.85
"""Shares of a chart's width that names beside lying bars, and those below columns, take."""

BAR_SHARE = 0.58
"""Share of a chart's width that its columns take."""

CLEAR = 1.2
"""How far the middle of a number is at least from a mark, over the height of a number."""

PLOT, HALF_NUMBER = 0.8, 0.035
"""Share of a chart's height that its bars take, and half that of a number with the gap before it."""

TOPMOST = 0.93
"""Share of the tallest bar above which a number has no room over a bar."""

BASE = "(below)"
"""What the column is called on which the bars of a waterfall stand; it is not drawn."""


def drawn_series(chart: Chart, inks: Mapping[str, str], room: float) -> list[Drawn]:
    """The series as they are drawn in a chart `room` inches wide; `inks` says what is legible on each colour."""
    inside = ("ctr", "inBase")
    drawn = [replace(each, language=chart.language) for each in _drawn(chart, room)]
    return [replace(each, ink=inks[each.series.color]) if each.position in inside else each for each in drawn]


def named(chart: Chart, room: float) -> Chart:
    """The chart with names that fit; they come from anyone. Those below columns may take three lines."""
    lying = chart.form == "bars"
    across = room * BESIDE if lying else room * BELOW / max(1, len(chart.categories))
    told = fitting_names([each.name for each in chart.series], LONGEST_NAME)
    series = tuple(replace(each, name=name) for each, name in zip(chart.series, told, strict=True))
    labels = [cut(clean(each), LABEL_SIZE, across, 1 if lying else 3) for each in chart.categories]
    if len(set(labels)) < len(set(chart.categories)):
        labels = fitting_names(chart.categories, max(8, min(map(len, labels))))
    return replace(chart, categories=tuple(labels), series=series)


def _drawn(chart: Chart, room: float) -> list[Drawn]:
    if chart.form == "waterfall":
        return list(_upright(chart))
    bars = [series for series in chart.series if series.mark in BAR_MARKS]
    if chart.form == "stacked":
        return list(_segments(chart, bars, labelled=_labels_fit(chart, bars, 1, room)))
    fits = len(bars) == len(chart.series) and _labels_fit(chart, bars, len(bars), room)
    return [_labelled(series, chart, fits) for series in chart.series]


def _labels_fit(chart: Chart, bars: Sequence[Series], beside: int, room: float) -> bool:
    """Whether the numbers of columns, `beside` of them to a category, have room over or in each."""
    if chart.form == "bars":
        return True
    column = BAR_SHARE * room / max(1, beside * len(chart.categories))
    return all(width(written(value, chart), LABEL_SIZE) <= column for series in bars for value in series.values)


def _segments(chart: Chart, bars: Sequence[Series], *, labelled: bool) -> Iterator[Drawn]:
    """Bars on each other, each with its number in the middle of it, or at the end or the base that no line or mark crosses."""
    tops = [sum(filter(None, values)) for values in zip(*(each.values for each in bars), strict=True)]
    deep = LEAST_SEGMENT * max(tops, default=0.0)
    crossing = [each.values for each in chart.series if each not in bars]
    base = [0.0] * len(chart.categories)
    for series in chart.series:
        labels, positions = [""] * len(chart.categories), {}
        for at, value in enumerate(series.values if series in bars else ()):
            begin, end = base[at], base[at] + (value or 0.0)
            base[at] = end
            places = {"ctr": (begin + end) / 2, "inEnd": end - deep / 2, "inBase": begin + deep / 2}
            marks = [mark for marks in crossing if (mark := marks[at]) is not None]
            free = [name for name, place in places.items() if all(abs(mark - place) > deep * CLEAR for mark in marks)]
            if labelled and value and value > deep and free:
                labels[at], positions[at] = written(value, chart), free[0]
        moved = {at: name for at, name in positions.items() if name != "ctr"}
        yield (
            Drawn(series=series, labels=tuple(labels), position="ctr", moved=moved)
            if series in bars
            else Drawn(series=series)
        )


def _labelled(series: Series, chart: Chart, fits: bool) -> Drawn:
    bar = series.mark in BAR_MARKS
    alone = chart.form == "points" and len(series.values) == 1
    few = series.mark == "dots" and bool(series.low) and len(chart.categories) <= FEW
    if not ((bar and fits) or alone or few):
        return Drawn(series=series)
    position = "t" if alone else "r" if few else "inBase" if series.low else "outEnd"
    return Drawn(series=series, labels=tuple(written(value, chart) for value in series.values), position=position)


def _upright(chart: Chart) -> Iterator[Drawn]:
    """The bars of a waterfall, each on an invisible one; those that pass below zero have a second part there.

    Columns stack upwards from zero where they are positive and downwards where they are negative,
    so a bar from `low` to `high` needs what lies between it and zero below it, and its own length.
    """
    ends = [(min(span), max(span)) for span in spans(chart)]
    base = [difference(max(low, 0.0), -min(high, 0.0)) for low, high in ends]
    tallest = max((abs(end) for both in ends for end in both), default=0.0)
    yield Drawn(series=Series(name=BASE, values=tuple(base)), hidden=True)
    for series in chart.series:
        placed = list(zip(series.values, ends, strict=True))
        above = [None if value is None else difference(max(high, 0.0), max(low, 0.0)) for value, (low, high) in placed]
        below = [None if value is None else difference(min(low, 0.0), min(high, 0.0)) for value, (low, high) in placed]
        crossing = [bool(up) and bool(down) for up, down in zip(above, below, strict=True)]
        main = tuple(up if up or not down else down for up, down in zip(above, below, strict=True))
        labels = tuple(written(value, chart) for value in series.values)
        fixed = frozenset(place for place, both in enumerate(crossing) if both)
        lengths = [abs(value or 0.0) for value in main]
        beside = {
            place: _beside(length, ends[place][1], tallest)
            for place, length in enumerate(lengths)
            if main[place] is not None and length < LEAST_SEGMENT * tallest
        }
        yield Drawn(series=replace(series, values=main), labels=labels, position="ctr", beside=beside, fixed=fixed)
        if any(crossing):
            rest = tuple(down if both else None for down, both in zip(below, crossing, strict=True))
            yield Drawn(series=replace(series, name=f"{series.name}, below zero", values=rest))


def _beside(length: float, top: float, tallest: float) -> float:
    """How much lower than the middle of a thin bar its number stands: above the bar, below it where that is the tallest."""
    away = HALF_NUMBER + PLOT * length / tallest / 2
    return away if top > TOPMOST * tallest else -away


CATEGORY_AXIS, VALUE_AXIS = "111111111", "222222222"
BARS, LINES, POINTS = "barChart", "lineChart", "scatterChart"


def chart_parts(chart: Chart, inks: Mapping[str, str], room: float) -> tuple[bytes, bytes]:
    """The chart's XML, and the workbook its data is edited in.

    Parameters
    ----------
    chart
        The chart in numbers.
    inks
        For each colour, whether dark or light letters are legible on it.
    room
        Width of the chart. [inches]
    """
    if chart.form == "waterfall":
        chart = replace(chart, start=None)  # bars that stand on each other show changes from zero only
    if chart.form == "bars" and not any(each.mark in BAR_MARKS for each in chart.series):
        chart = replace(chart, form="columns")  # points and intervals cannot lie on a slide
    chart = named(chart, room)
    drawn = drawn_series(chart, inks, room)
    sheet = ChartSheet(chart.categories)
    numbered = count()
    bars = [each for each in drawn if each.series.mark in BAR_MARKS]
    others = [each for each in drawn if each.series.mark not in BAR_MARKS]
    plots = [
        _plot(kind, chart, some, sheet, numbered)
        for kind, some in ((BARS, bars), (POINTS if chart.form == "points" else LINES, others))
        if some
    ]
    labelled = chart.form == "waterfall" or (bool(bars) and all(any(each.labels) or each.hidden for each in drawn))
    space = C.chartSpace(
        valued("date1904", 0),
        valued("roundedCorners", 0),
        C.chart(
            valued("autoTitleDeleted", 1),
            C.plotArea(C.layout(), *plots, *_axes(chart, labelled), C.spPr(A.noFill(), nothing())),
            *_legend([*bars, *others]),
            valued("plotVisOnly", 1),
            valued("dispBlanksAs", "gap"),
        ),
        C.spPr(A.noFill(), nothing()),
        text_look(LABEL_SIZE),
    )
    return etree.tostring(space, xml_declaration=True, encoding="UTF-8", standalone=True), sheet.workbook()


def _plot(kind: str, chart: Chart, drawn: Sequence[Drawn], sheet: ChartSheet, numbered: Iterator[int]) -> Any:
    """Bars, lines, or points along numbers: what says how they stand, the series, and how far apart they are."""
    before, after = {"grouping": "standard"}, {"marker": 1}
    if kind == POINTS:
        before, after = {"scatterStyle": "lineMarker"}, {}
    elif kind == BARS:
        stacked, lying = chart.form in ("stacked", "waterfall"), chart.form == "bars"
        before = {"barDir": "bar" if lying else "col", "grouping": "stacked" if stacked else "clustered"}
        over = 100 if stacked or (lying and not side_by_side(chart)) else -5
        after = {"gapWidth": max(50, 300 // max(1, len(chart.categories))), "overlap": over}
    return C(
        kind,
        *(valued(tag, value) for tag, value in before.items()),
        valued("varyColors", 0),
        *(series_element(each, next(numbered), sheet, kind == BARS) for each in drawn),
        *(valued(tag, value) for tag, value in after.items()),
        valued("axId", CATEGORY_AXIS),
        valued("axId", VALUE_AXIS),
    )


def _axes(chart: Chart, labelled: bool) -> list[Any]:
    lying = chart.form == "bars"
    largest = max((abs(value) for value in values_of(chart)), default=1.0)
    values = C.valAx(
        valued("axId", VALUE_AXIS),
        C.scaling(valued("orientation", "minMax"), *_limits(chart)),
        valued("delete", int(labelled)),
        valued("axPos", "b" if lying else "l"),
        *([] if labelled else [C.majorGridlines(C.spPr(line("grey", 0.75)))]),
        C.numFmt(formatCode=axis_format(chart, largest), sourceLinked="0"),
        valued("majorTickMark", "none"),
        valued("minorTickMark", "none"),
        valued("tickLblPos", "nextTo"),
        C.spPr(nothing()),
        text_look(LABEL_SIZE),
        valued("crossAx", CATEGORY_AXIS),
        valued("crosses", "max" if lying else "autoZero"),
        valued("crossBetween", "midCat" if chart.form == "points" else "between"),
    )
    return [_first_axis(chart), values]


def _first_axis(chart: Chart) -> Any:
    """The axis along which categories stand, or points lie."""
    numeric, lying = chart.form == "points", chart.form == "bars"
    own = [valued("crossBetween", "midCat")] if numeric else _names_along(chart)
    return C(
        "valAx" if numeric else "catAx",
        valued("axId", CATEGORY_AXIS),
        C.scaling(valued("orientation", "maxMin" if lying else "minMax"), *(_ends_along(chart) if numeric else [])),
        valued("delete", 0),
        valued("axPos", "l" if lying else "b"),
        *_axis_title(chart.x_title),
        C.numFmt(formatCode="0%" if numeric and chart.x_kind == "share" else "General", sourceLinked="0"),
        valued("majorTickMark", "out" if numeric else "none"),
        valued("minorTickMark", "none"),
        valued("tickLblPos", "low"),
        C.spPr(line("grey", 1)),
        text_look(LABEL_SIZE if len(chart.categories) <= MANY else CROWDED_SIZE),
        valued("crossAx", VALUE_AXIS),
        valued("crosses", "autoZero") if chart.start is None else valued("crossesAt", chart.start),
        *own,
    )


def _ends_along(chart: Chart) -> list[Any]:
    """Ends of the axis of points: whole numbers, or twentieths of a share."""
    places = [place for series in chart.series for place in series.x if place is not None]
    low, high = min(places, default=0.0), max(places, default=1.0)
    step = 0.05 if chart.x_kind == "share" else 1.0
    return [valued("max", round(-(-high // step) * step, 9)), valued("min", round(low // step * step, 9))]


def _names_along(chart: Chart) -> list[Any]:
    """How the names of categories stand; of many days some."""
    skipped = [valued("tickLblSkip", -(-len(chart.categories) // MANY_DAYS))] if chart.x_kind == "date" else []
    return [valued("auto", 0), valued("lblAlgn", "ctr"), valued("lblOffset", 100), *skipped, valued("noMultiLvlLbl", 1)]


def _axis_title(title: str) -> list[Any]:
    return [C.title(C.tx(rich_text(fitting(title, 80))), valued("overlay", 0))] if title else []


def _limits(chart: Chart) -> list[Any]:
    """Ends of the value axis where those a program would choose leave no room for labels or intervals."""
    values = values_of(chart)
    low, high = min(values, default=0.0), max(values, default=0.0)
    if chart.start is not None:
        reach = 1.3 * max(high - chart.start, chart.start - low)
        return _ends_of_axis(chart.start if chart.kind == "date" else chart.start - reach, chart.start + reach)
    if chart.form == "waterfall":
        return []
    if chart.form == "bars" and low < 0:
        return _ends_of_axis(1.3 * low, 1.3 * max(high, -low / 4))
    if chart.kind == "share" and low >= 0 and 0.8 < high <= 1:
        return _ends_of_axis(0.0, 1.0)
    if any(series.low for series in chart.series) and low >= 0:
        return _ends_of_axis(0.0, _rounded_up(1.05 * high))
    return [valued("min", 0)] if low >= 0 else []


def _ends_of_axis(low: float, high: float) -> list[Any]:
    return [valued("max", f"{high:.9g}"), valued("min", f"{low:.9g}")]


def _rounded_up(value: float) -> float:
    """The next number that is one of 1, 1.5, 2, 3, 4, 5, 6, 8 times a power of ten."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value)


def _legend(drawn: Sequence[Drawn]) -> list[Any]:
    """The key above the chart; one series needs none unless it has an interval, and a waterfall speaks for itself."""
    shown = [each for each in drawn if not each.hidden]
    if any(each.hidden for each in drawn) or (len(shown) < 2 and not any(each.series.low for each in shown)):
        return []
    return [C.legend(valued("legendPos", "t"), valued("overlay", 0), text_look(LABEL_SIZE))]
