"""The series of a chart of a slide: what is drawn, its sheet in the workbook behind, and its DrawingML.

The order of elements is that of the schema (ECMA-376 part 1, 21.2): PowerPoint repairs a file, or
refuses it, where another reader would not mind.
"""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lxml.builder import ElementMaker

from revplan.exhibits.chart import LINE_MARKS, Chart, Plotted, Series, written
from revplan.exhibits.figures import PRECISION
from revplan.exhibits.shapes import slide_letters
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
