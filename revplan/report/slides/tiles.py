"""What a text says on a slide: its facts as tiles, and its notes in lines below them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from revplan.report.slides.fit import BOLD, cut, height, lines, unbroken
from revplan.report.slides.page import text_box, write, write_more
from revplan.report.slides.template import Area

GAP, INSIDE, ABOVE = 0.22, 0.16, 0.12
TALLEST, MOST_ACROSS = 1.5, 4
LABEL_SIZES, VALUE_SIZES = (13.0, 12.0, 11.0, 10.0), (30.0, 26.0, 22.0, 18.0, 16.0, 14.0, 12.0, 11.0)
LABEL_LINES, VALUE_LINES = 2, 2
LINE_SIZES = (18.0, 16.0, 14.0, 12.0)
BETWEEN = 0.1
LONGEST_NOTE = 4
"""Lines of a sentence; the whole of it is in the speaker notes."""


def add_tiles(slide: Any, place: Area, facts: Sequence[tuple[str, str]]) -> Area:
    """Facts side by side, each a value over its label; the place left below them."""
    across, rows = _grid(len(facts))
    wide = (place.width - GAP * (across - 1)) / across
    deep = min(TALLEST, (place.height - GAP * (rows - 1)) / rows)
    sizes = _sizes(facts, wide - 2 * INSIDE, deep)
    deep = min(deep, max(_needed(fact, sizes, wide - 2 * INSIDE) for fact in facts))
    for number, fact in enumerate(facts):
        down, right = divmod(number, across)
        left, top = place.left + right * (wide + GAP), place.top + down * (deep + GAP)
        _tile(slide, Area(left=left, top=top, width=wide, height=deep), fact, sizes)
    used = rows * (deep + GAP)
    return replace(place, top=place.top + used, height=max(0.0, place.height - used))


def _grid(count: int) -> tuple[int, int]:
    """Tiles across and rows of them, as even as they get."""
    rows = -(-count // MOST_ACROSS)
    return -(-count // rows), rows


def _sizes(facts: Sequence[tuple[str, str]], room: float, deep: float) -> tuple[float, float]:
    """Sizes of labels and of values, the same in every tile."""
    label = _size([label for label, _ in facts], LABEL_SIZES, room, LABEL_LINES)
    above = max(height(len(lines(cut(name, label, room, LABEL_LINES), label, room)), label) for name, _ in facts)
    left = deep - 2 * ABOVE - above
    fitting = [size for size in VALUE_SIZES if height(1, size) <= left]
    value = _size([value for _, value in facts], fitting or VALUE_SIZES[-1:], room, VALUE_LINES, left)
    return label, value


def _needed(fact: tuple[str, str], sizes: tuple[float, float], room: float) -> float:
    """Height of the tile that a fact needs. [inches]"""
    label = height(len(lines(cut(fact[0], sizes[0], room, LABEL_LINES), sizes[0], room)), sizes[0])
    return label + height(len(lines(fact[1], sizes[1] * BOLD, room)), sizes[1]) + 2 * ABOVE + 0.05


def _size(texts: Sequence[str], sizes: Sequence[float], room: float, most: int, deep: float = 99.0) -> float:
    """The largest size at which every text takes few enough lines; short texts stay in one."""

    def fits(text: str, size: float) -> bool:
        count = len(lines(text, size * BOLD, room))
        allowed = 1 if len(text) <= 14 else most
        return count <= allowed and height(count, size) <= deep

    return next((size for size in sizes if all(fits(text, size) for text in texts)), sizes[-1])


def _tile(slide: Any, place: Area, fact: tuple[str, str], sizes: tuple[float, float]) -> None:
    from pptx.enum.dml import MSO_THEME_COLOR_INDEX
    from pptx.enum.shapes import MSO_SHAPE
    from pptx.enum.text import MSO_ANCHOR

    room = place.width - 2 * INSIDE
    tile = slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, *place.emu())
    tile.name = "Fact"
    tile._element.remove(tile._element.find(f"{{{tile._element.nsmap['p']}}}style"))  # shadows
    tile.line.fill.background()
    tile.fill.solid()
    tile.fill.fore_color.theme_color = MSO_THEME_COLOR_INDEX.BACKGROUND_1
    tile.fill.fore_color.brightness = -0.04
    frame = tile.text_frame
    frame.word_wrap = True
    frame.vertical_anchor = MSO_ANCHOR.TOP
    frame.margin_left = frame.margin_right = round(INSIDE * 914_400)
    frame.margin_top = frame.margin_bottom = round(ABOVE * 914_400)
    label = cut(fact[0], sizes[0], room, LABEL_LINES)
    deep = place.height - 2 * ABOVE - height(len(lines(label, sizes[0], room)), sizes[0])
    most = max(1, int(deep / height(1, sizes[1])))
    write(frame, cut(fact[1], sizes[1], room / BOLD, most), sizes[1], "ACCENT_1", True)
    write_more(frame, label, sizes[0], "TEXT_1", False)
    for paragraph in frame.paragraphs:
        paragraph.alignment = 1


def add_lines(slide: Any, place: Area, texts: Sequence[str]) -> int:
    """Sentences below each other in a box of their own; how many were set."""
    return fill_lines(text_box(slide, place, "Notes"), place, texts) if texts else 0


def fill_lines(frame: Any, place: Area, texts: Sequence[str]) -> int:
    """Sentences below each other, as large as they all fit, or as many as fit; how many were set."""
    told, count = _told(texts, place), fitting_lines(texts, place)
    size = next((size for size in LINE_SIZES if _deep(told, size, place.width) <= place.height), LINE_SIZES[-1])
    for number, each in enumerate(told[:count]):
        (write_more if number else write)(frame, unbroken(each), size)
        frame.paragraphs[-1].space_after = round(BETWEEN * 914_400)
    return count


def fitting_lines(texts: Sequence[str], place: Area) -> int:
    """How many sentences have room below each other."""
    told, size = _told(texts, place), LINE_SIZES[-1]
    return next(count for count in range(len(told), -1, -1) if _deep(told[:count], size, place.width) <= place.height)


def _told(texts: Sequence[str], place: Area) -> list[str]:
    return [cut(text, LINE_SIZES[-1], place.width - 0.1, LONGEST_NOTE) for text in texts]


def _deep(texts: Sequence[str], size: float, room: float) -> float:
    return sum(height(len(lines(text, size, room - 0.05)), size) + BETWEEN for text in texts)
