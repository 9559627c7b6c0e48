"""A table on slides: as large as it fits, else on several, by rows and if need be by columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from revplan.report.axes import fitting_names
from revplan.report.slides.fit import BOLD, height, lines, width
from revplan.report.slides.page import write
from revplan.report.slides.template import Area

SIZES = (14.0, 13.0, 12.0, 11.0, 10.0, 9.0)
PAGED_SIZES = (10.0, 9.0)
STEPS = 50
SIDE, ABOVE, TIGHT = 0.11, 0.035, 0.018
AIRY = 0.12
"""Room inside a cell; above its text at least, and where a table would not fit otherwise; more where there is room. [inches]"""

LEAST_WORDS = 1.1
"""Width below which a column of words is not squeezed. [inches]"""

LONGEST_CELL = 240
NO_STYLE = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"
"""The table style of PowerPoint without lines and fills."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column: its label, its cells as displayed, whether they are set as numbers."""

    label: str
    cells: tuple[str, ...]
    number: bool


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """The part of a table that stands on one slide, with how it is set."""

    columns: tuple[Column, ...]
    rows: tuple[int, ...]
    totals: int
    size: float
    widths: tuple[float, ...]
    heights: tuple[float, ...]


def columns_of(raw: dict[str, Any], numeric: frozenset[str]) -> list[Column]:
    """The columns of an exhibit, as `markup.raw` wrote them."""
    cells = list(zip(*raw["shown"], strict=True)) or [()] * len(raw["columns"])
    labels = fitting_names([column["label"] for column in raw["columns"]], LONGEST_CELL // 4)
    return [
        Column(
            label=label,
            cells=tuple(fitting_names(texts, LONGEST_CELL)),
            number=column["kind"] in numeric,
        )
        for label, column, texts in zip(labels, raw["columns"], cells, strict=True)
    ]


def sheets(columns: Sequence[Column], totals: int, place: Area) -> list[Sheet]:
    """How the table is divided among slides, and how large it is set."""
    count = len(columns[0].cells)
    for size in SIZES:
        widths = _widths(columns, size, place.width)
        heights = _heights(columns, widths, size) if widths else []
        if widths and sum(heights) <= place.height:
            more = min(AIRY, (place.height - sum(heights)) / len(heights))
            return [_sheet(columns, range(count), totals, size, (widths, [each + more for each in heights]))]
    dense = _dense(columns, place)
    if _widths(columns, SIZES[-1], place.width) and sum(dense[1]) <= place.height:
        return [_sheet(columns, range(count), totals, SIZES[-1], dense)]
    whole = [_paged(columns, totals, size, place) for size in PAGED_SIZES if _widths(columns, size, place.width)]
    if whole:
        return min(whole, key=len)
    parts = _parts(columns, PAGED_SIZES[-1], place.width)
    return [sheet for part in parts for sheet in _paged(part, totals, PAGED_SIZES[-1], place)]


def shortened(columns: Sequence[Column], totals: int, place: Area) -> Sheet:
    """As many rows as stand on one slide, and the totals; where words would be squeezed, as many columns as have room."""
    whole = _widths(columns, SIZES[-1], place.width)
    held = columns if whole else _parts(columns, SIZES[-1], place.width)[0]
    widths, heights = _dense(held, place)
    count = len(held[0].cells)
    last = range(count - totals, count)
    room = place.height - heights[0] - sum(heights[1 + row] for row in last)
    first = _filled(heights[1 : count - totals + 1], room)[0]
    return _sheet(held, [*first, *last], totals, SIZES[-1], (widths, heights))


def _dense(columns: Sequence[Column], place: Area) -> tuple[list[float], list[float]]:
    """Widths and heights in the smallest letters with the least room about them."""
    widths = _widths(columns, SIZES[-1], place.width) or _squeezed(columns, SIZES[-1], place.width)
    spare = 2 * (ABOVE - TIGHT)
    return widths, [each - spare for each in _heights(columns, widths, SIZES[-1])]


def _sheet(
    columns: Sequence[Column], rows: Sequence[int], totals: int, size: float, room: tuple[list[float], list[float]]
) -> Sheet:
    widths, heights = room
    deep = (heights[0], *(heights[row + 1] for row in rows))
    return Sheet(columns=tuple(columns), rows=tuple(rows), totals=totals, size=size, widths=tuple(widths), heights=deep)


def _paged(columns: Sequence[Column], totals: int, size: float, place: Area) -> list[Sheet]:
    widths = _widths(columns, size, place.width) or _squeezed(columns, size, place.width)
    heights = _heights(columns, widths, size)
    groups = _even(heights[1:], place.height - heights[0])
    last = groups[-1]
    return [
        _sheet(columns, rows, min(totals, len(rows)) if rows is last else 0, size, (widths, heights)) for rows in groups
    ]


def _even(heights: Sequence[float], room: float) -> list[list[int]]:
    """Rows by slide: on as few slides as possible, and on those alike."""
    fewest = len(_filled(heights, room))
    tries = (_filled(heights, room * step / STEPS) for step in range(1, STEPS + 1))
    return next(groups for groups in tries if len(groups) == fewest)


def _filled(heights: Sequence[float], room: float) -> list[list[int]]:
    """Rows by slide, each as full as it gets."""
    groups: list[list[int]] = [[]]
    used = 0.0
    for row, deep in enumerate(heights):
        if groups[-1] and used + deep > room:
            groups.append([])
            used = 0.0
        groups[-1].append(row)
        used += deep
    return groups


def _natural(column: Column, size: float) -> float:
    words = max((width(word, size * BOLD) for word in column.label.split()), default=0.0)
    set_as = size * BOLD if column.number else size  # totals are bold
    cells = max((width(cell, set_as) for cell in column.cells), default=0.0)
    return max(words, cells) + 2 * SIDE + 0.02


def _widths(columns: Sequence[Column], size: float, room: float) -> list[float]:
    """Widths that fill `room`; empty where numbers do not fit, or words would be squeezed."""
    natural = [_natural(column, size) for column in columns]
    if sum(natural) <= room:
        return [each * room / sum(natural) for each in natural]
    words = [place for place, column in enumerate(columns) if not column.number]
    left = room - sum(each for place, each in enumerate(natural) if place not in words)
    if not words or left < LEAST_WORDS * len(words):
        return []
    shares = _shared([natural[place] for place in words], left)
    given = dict(zip(words, shares, strict=True))
    return [given.get(place, each) for place, each in enumerate(natural)]


def _shared(wanted: Sequence[float], room: float) -> list[float]:
    """`room` among columns of words: none more than it wants, the rest alike."""
    order = sorted(range(len(wanted)), key=lambda place: wanted[place])
    given = [0.0] * len(wanted)
    for done, place in enumerate(order):
        given[place] = min(wanted[place], room / (len(order) - done))
        room -= given[place]
    return given


def _squeezed(columns: Sequence[Column], size: float, room: float) -> list[float]:
    """Widths in proportion, where nothing else is left."""
    natural = [_natural(column, size) for column in columns]
    return [each * room / sum(natural) for each in natural]


def _parts(columns: Sequence[Column], size: float, room: float) -> list[list[Column]]:
    """Columns by slide: the first one names the rows on each of them."""
    first, *others = columns
    parts: list[list[Column]] = [[first]]
    for column in others:
        if len(parts[-1]) > 1 and not _widths([*parts[-1], column], size, room):
            parts.append([first])
        parts[-1].append(column)
    return parts


def _heights(columns: Sequence[Column], widths: Sequence[float], size: float) -> list[float]:
    """Heights of the head and of every row."""
    rooms = [each - 2 * SIDE for each in widths]
    head = max(len(lines(column.label, size * BOLD, room)) for column, room in zip(columns, rooms, strict=True))
    rows = [
        max(len(lines(cell, size, room)) for cell, room in zip(cells, rooms, strict=True))
        for cells in zip(*(column.cells for column in columns), strict=True)
    ]
    return [height(count, size) + 2 * ABOVE for count in (head, *rows)]


def add_table(slide: Any, place: Area, sheet: Sheet) -> Any:
    """The table as a native one; its frame."""
    left, top, wide, _ = place.emu()
    deep = round(sum(sheet.heights) * 914_400)
    above = min(ABOVE, (min(sheet.heights) - height(1, sheet.size)) / 2)
    frame = slide.shapes.add_table(len(sheet.rows) + 1, len(sheet.columns), left, top, wide, deep)
    table = frame.table
    table._tbl.tblPr.find(f"{{{table._tbl.nsmap['a']}}}tableStyleId").text = NO_STYLE
    table.horz_banding = False
    for column, each in zip(table.columns, sheet.widths, strict=True):
        column.width = round(each * 914_400)
    for row, each in zip(table.rows, sheet.heights, strict=True):
        row.height = round(each * 914_400)
    table.last_row = bool(sheet.totals)
    split = len(sheet.rows) - sheet.totals
    for at, column in enumerate(sheet.columns):
        _cell(table.cell(0, at), column.label, column, (sheet.size, above), "head")
        for row, number in enumerate(sheet.rows, start=1):
            role = "total" if row > split else "last" if row == split and sheet.totals else "row"
            _cell(table.cell(row, at), column.cells[number], column, (sheet.size, above), role)
    return frame


def _cell(cell: Any, text: str, column: Column, setting: tuple[float, float], role: str) -> None:
    from pptx.enum.text import MSO_ANCHOR, PP_ALIGN

    size, above = setting
    cell.margin_left = cell.margin_right = round(SIDE * 914_400)
    cell.margin_top = cell.margin_bottom = round(above * 914_400)
    cell.vertical_anchor = MSO_ANCHOR.BOTTOM if role == "head" else MSO_ANCHOR.MIDDLE
    write(cell.text_frame, text, size, "ACCENT_1" if role == "head" else "TEXT_1", role in ("head", "total"))
    cell.text_frame.paragraphs[0].alignment = PP_ALIGN.RIGHT if column.number else PP_ALIGN.LEFT
    _ruled(cell, *{"head": ("accent1", 1.5), "last": ("tx1", 1.25)}.get(role, ("bg2", 0.5)))


def _ruled(cell: Any, color: str, points: float) -> None:
    """A line below the cell, which stands before its fill in the schema."""
    from revplan.report.slides.series import A

    line = A.lnB(A.solidFill(A.schemeClr(val=color)), w=str(round(points * 12_700)), cap="flat", cmpd="sng")
    cell._tc.get_or_add_tcPr().insert(0, line)
