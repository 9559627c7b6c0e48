"""One slide: its title, section, footer and speaker notes, and in the place left for its exhibit a table or a text.

A table is as large as it fits, else on several slides, by rows and if need be by columns. A text has its facts as
tiles, and its notes in lines below them.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from revplan.exhibits.exhibit import set_as_number
from revplan.exhibits.fit import BOLD, cut, fitting_names, height, lines, unbroken, width
from revplan.exhibits.shapes import slide_letters
from revplan.ground.escaping import clean
from revplan.printing.slides.chart import POINT, A
from revplan.printing.slides.record import ShapeMark
from revplan.printing.slides.template import OWN, Area, Template, area, kind

TITLE_SIZES, STATEMENT_SIZES = slide_letters("title"), slide_letters("statement")
TITLE_LINES, MOST_TITLE_LINES = 2, 3
(SECTION_SIZE,) = slide_letters("section")
NOTE_LINES = 3
NOTE_SIZES = slide_letters("note")
FOOTER_SIZES = slide_letters("footer")
SECTION_HEIGHT, LEAST_ABOVE = 0.28, 0.45
INSET = 0.1
"""Room that PowerPoint leaves at either side of a text unless told otherwise. [inches]"""


@dataclass(frozen=True, kw_only=True, eq=False)
class ExhibitSlide:
    """An exhibit and the texts about it.

    Attributes
    ----------
    raw
        The exhibit, as `raw` tells it; its message is the title.
    section
        The heading it stands under.
    footer
        The plan and its date.
    spoken
        The speaker notes, a paragraph each.
    mark
        Which slide this is, by which a later run finds its texts again.
    """

    raw: dict[str, Any]
    section: str
    footer: str
    spoken: tuple[str, ...]
    mark: ShapeMark


def add_slide(template: Template, words: ExhibitSlide, notes: Sequence[str], part: str = "") -> tuple[Any, Area]:
    """A slide with everything but its exhibit, and the place for that.

    Parameters
    ----------
    notes
        What stands in small letters below it, a sentence or two each, those that change the reading first.
    part
        Which one it is of the slides of one exhibit.
    """
    slide, title = template.deck.slides.add_slide(template.exhibit), words.raw["message"]
    shortened = _titled(slide, template, title, part)
    slide.shapes.title.name = words.mark.of("title")
    _set_beside(slide, template, words, notes)
    _footed(slide, template.exhibit, words)
    spoken = ([title] if shortened else []) + list(words.spoken)
    if spoken:
        slide.notes_slide.notes_text_frame.text = "\n".join(clean(each) for each in spoken)
        slide.notes_slide.notes_placeholder.name = words.mark.of("spoken")
    return slide, content_area(template, notes)


def as_statement(slide: Any, template: Template, message: str) -> None:
    """Sets a title that stands alone large in the middle: a slide would look unfinished without an exhibit."""
    content = template.content
    place = replace(content, top=content.top + content.height / 6, height=content.height / 2)
    title = slide.shapes.title
    title.left, title.top, title.width, title.height = place.emu()
    room, last = place.width - 2 * INSET, STATEMENT_SIZES[-1]
    fitting = (size for size in STATEMENT_SIZES if height(len(lines(message, size, room)), size) <= place.height)
    size = next(fitting, last)
    write(title.text_frame, cut(message, size, room, int(place.height / height(1, size))), size)


def _footed(slide: Any, layout: Any, words: ExhibitSlide) -> None:
    """Footer and slide number, where the layout has them; new slides come without."""
    for shape in layout.placeholders:
        if kind(shape) not in ("FOOTER", "SLIDE_NUMBER") or (kind(shape) == "FOOTER" and not words.footer):
            continue
        element = deepcopy(shape._element)
        slide.shapes._spTree.append(element)
        element.nvSpPr.cNvPr.set("id", str(900 + shape.placeholder_format.idx % 100))
        if kind(shape) == "FOOTER":
            foot, room = slide.shapes[-1], area(shape).width - 2 * INSET
            foot.name = words.mark.of("footer")
            size = next((size for size in FOOTER_SIZES if len(lines(words.footer, size, room)) == 1), FOOTER_SIZES[-1])
            write(foot.text_frame, cut(words.footer, size, room, 1), size)
            foot.text_frame.paragraphs[0].runs[0].font.name = "+mn-lt"  # LibreOffice gives footers a font of its own


def write(frame: Any, text: str, size: float, color: str = "", bold: bool | None = None, *, more: bool = False) -> None:
    """Fills a text frame with one paragraph, or adds one `more`."""
    from pptx.enum.dml import MSO_THEME_COLOR_INDEX
    from pptx.util import Pt

    if not more:
        frame.text = ""
    run = (frame.add_paragraph() if more else frame.paragraphs[0]).add_run()
    run.text = clean(text)
    run.font.size = Pt(size)
    if bold is not None:
        run.font.bold = bold
    if color:
        run.font.color.theme_color = MSO_THEME_COLOR_INDEX[color]


def text_box(slide: Any, place: Area, name: str) -> Any:
    """An empty box for text, without margins, that keeps its size."""
    box = slide.shapes.add_textbox(*place.emu())
    box.name = name
    frame = box.text_frame
    frame.word_wrap = True
    frame.margin_left = frame.margin_right = frame.margin_top = frame.margin_bottom = 0
    return frame


def _titled(slide: Any, template: Template, title: str, part: str) -> bool:
    """Sets the title as large as it fits, in the bold letters it is set in; whether it had to be cut."""
    suffix, place = f" ({part})" if part else "", template.title
    room = (place.width - 2 * INSET) / BOLD
    sizes = [min(size, template.title_size) for size in TITLE_SIZES]

    def fits(size: float) -> bool:
        count = len(lines(title + suffix, size, room))
        return count <= TITLE_LINES and height(count, size) <= place.height

    size = next(filter(fits, sizes), sizes[-1])
    most = max(1, min(MOST_TITLE_LINES, int(place.height / height(1, size))))
    told = title
    if len(lines(told + suffix, size, room)) > most:
        told = cut(title, size, room - len(suffix) * size / 72, most)
    write(slide.shapes.title.text_frame, unbroken(told + suffix), size)
    return told != title


def _set_beside(slide: Any, template: Template, words: ExhibitSlide, notes: Sequence[str]) -> None:
    """Sets the section above the title and the notes below the exhibit: where the layout has places, in these."""
    title, content = template.title, template.content
    section = cut(words.section, SECTION_SIZE, title.width, 1)
    if not _filled(slide, OWN[0], section, SECTION_SIZE, words.mark) and section and title.top >= LEAST_ABOVE:
        place = replace(title, top=title.top - SECTION_HEIGHT, height=SECTION_HEIGHT)
        write(text_box(slide, place, words.mark.of("section")), section, SECTION_SIZE, "ACCENT_1", True)
    note, size = _note(template, notes)
    if not _filled(slide, OWN[1], note, size, words.mark) and note:
        top = content.top + content_area(template, notes).height + 0.08
        place = replace(content, top=top, height=content.top + content.height - top)
        write(text_box(slide, place, words.mark.of("note")), note, size, "TEXT_1")


def _filled(slide: Any, role: str, text: str, size: float, mark: ShapeMark) -> bool:
    """Whether the layout has a place of its own for the texts in that role; if so it says `text`, or is taken away."""
    index = {shape.name: shape.placeholder_format.idx for shape in slide.slide_layout.placeholders}.get(role)
    own = next((shape for shape in slide.placeholders if shape.placeholder_format.idx == index), None)
    if own is None:
        return False
    own.name = mark.of(role.lower())
    if text:
        write(own.text_frame, text, size)
    else:
        removed(own)
    return True


def content_area(template: Template, notes: Sequence[str]) -> Area:
    """The place left for an exhibit with its notes below it."""
    text, size = _note(template, notes)
    room = template.content.width - 0.1
    deep = 0.0 if _note_place(template) or not text else height(len(lines(text, size, room)), size) + 0.1
    return replace(template.content, height=template.content.height - deep)


def _note_place(template: Template) -> Area | None:
    """The place that the layout itself has for notes."""
    return next((area(shape) for shape in template.exhibit.placeholders if shape.name == OWN[1]), None)


def _note(template: Template, notes: Sequence[str]) -> tuple[str, float]:
    """The notes below an exhibit and their size: whole ones only, and where not all fit, how many the speaker has."""
    own = _note_place(template)
    room = own.width - 2 * INSET if own else template.content.width - 0.1
    deep = own.height if own else height(NOTE_LINES, NOTE_SIZES[0])
    text, size = "", NOTE_SIZES[-1]
    for left in range(len(notes)):
        text = " · ".join(
            [*notes[: len(notes) - left], *([template.say(f"{left} more in the speaker notes.")] if left else [])]
        )
        for size in NOTE_SIZES:
            if height(len(lines(text, size, room)), size) <= deep:
                return text, size
    return cut(text, size, room, int(deep / height(1, size))), size


def removed(shape: Any) -> None:
    """Takes a shape off its slide: an empty placeholder would say 'Click to add text'."""
    shape._element.getparent().remove(shape._element)


def filling(slide: Any, template: Template) -> Any:
    """The placeholder that the exhibit fills."""
    return next(shape for shape in slide.placeholders if shape.placeholder_format.idx == template.content_index)


# --- a table, tiles and lines in that place -------------------------------------------------------


SIZES, PAGED_SIZES = slide_letters("table"), slide_letters("paged table")
STEPS = 50
SIDE, ABOVE, TIGHT = 0.11, 0.035, 0.018
AIRY = 0.12
"""Room inside a cell; above its text at least, and where a table would not fit otherwise; more where there is room. [inches]"""

LEAST_WORDS = 1.1
"""Width below which a column of words is not squeezed. [inches]"""

LONGEST_CELL = 240
WORSE = "ACCENT_2"
"""The theme's colour of a variance to the bad, which charts give to what is missing."""
NO_STYLE = "{2D5ABB26-0587-4C30-8999-92F81FD0307C}"
"""The table style of PowerPoint without lines and fills."""


@dataclass(frozen=True, kw_only=True)
class SlideColumn:
    """A column: its label, its cells as displayed, whether they are set as numbers, in which rows they are variances to the bad."""

    label: str
    cells: tuple[str, ...]
    number: bool
    worse: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class TableSlide:
    """The part of a table that stands on one slide, with how it is set."""

    columns: tuple[SlideColumn, ...]
    rows: tuple[int, ...]
    totals: int
    size: float
    widths: tuple[float, ...]
    heights: tuple[float, ...]


def columns_of(raw: dict[str, Any]) -> list[SlideColumn]:
    """The columns of an exhibit, as `raw` wrote them."""
    cells = list(zip(*raw["shown"], strict=True)) or [()] * len(raw["columns"])
    labels = fitting_names([column["label"] for column in raw["columns"]], LONGEST_CELL // 4)
    return [
        SlideColumn(
            label=label,
            cells=tuple(fitting_names(texts, LONGEST_CELL)),
            number=set_as_number(column["kind"]),
            worse=frozenset(row for row, place in raw.get("worse", []) if place == at),
        )
        for at, (label, column, texts) in enumerate(zip(labels, raw["columns"], cells, strict=True))
    ]


def sheets(columns: Sequence[SlideColumn], totals: int, place: Area) -> list[TableSlide]:
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


def shortened(columns: Sequence[SlideColumn], totals: int, place: Area) -> TableSlide:
    """As many rows as stand on one slide, and the totals; where words would be squeezed, as many columns as have room."""
    whole = _widths(columns, SIZES[-1], place.width)
    kept = columns if whole else _parts(columns, SIZES[-1], place.width)[0]
    widths, heights = _dense(kept, place)
    count = len(kept[0].cells)
    last = range(count - totals, count)
    room = place.height - heights[0] - sum(heights[1 + row] for row in last)
    first = _by_slide(heights[1 : count - totals + 1], room)[0]
    return _sheet(kept, [*first, *last], totals, SIZES[-1], (widths, heights))


def _dense(columns: Sequence[SlideColumn], place: Area) -> tuple[list[float], list[float]]:
    """Widths and heights in the smallest letters with the least room about them."""
    widths = _widths(columns, SIZES[-1], place.width) or _in_proportion(columns, SIZES[-1], place.width)
    spare = 2 * (ABOVE - TIGHT)
    return widths, [each - spare for each in _heights(columns, widths, SIZES[-1])]


def _sheet(
    columns: Sequence[SlideColumn], rows: Sequence[int], totals: int, size: float, room: tuple[list[float], list[float]]
) -> TableSlide:
    widths, heights = room
    deep = (heights[0], *(heights[row + 1] for row in rows))
    return TableSlide(
        columns=tuple(columns), rows=tuple(rows), totals=totals, size=size, widths=tuple(widths), heights=deep
    )


def _paged(columns: Sequence[SlideColumn], totals: int, size: float, place: Area) -> list[TableSlide]:
    widths = _widths(columns, size, place.width) or _in_proportion(columns, size, place.width)
    heights = _heights(columns, widths, size)
    groups = _even(heights[1:], place.height - heights[0])
    last = groups[-1]
    return [
        _sheet(columns, rows, min(totals, len(rows)) if rows is last else 0, size, (widths, heights)) for rows in groups
    ]


def _even(heights: Sequence[float], room: float) -> list[list[int]]:
    """Rows by slide: on as few slides as possible, and on those alike."""
    fewest = len(_by_slide(heights, room))
    tries = (_by_slide(heights, room * step / STEPS) for step in range(1, STEPS + 1))
    return next(groups for groups in tries if len(groups) == fewest)


def _by_slide(heights: Sequence[float], room: float) -> list[list[int]]:
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


def _natural(column: SlideColumn, size: float) -> float:
    words = max((width(word, size * BOLD) for word in column.label.split()), default=0.0)
    set_as = size * BOLD if column.number else size  # totals are bold
    cells = max((width(cell, set_as) for cell in column.cells), default=0.0)
    return max(words, cells) + 2 * SIDE + 0.02


def _widths(columns: Sequence[SlideColumn], size: float, room: float) -> list[float]:
    """Widths that fill `room`; empty where numbers do not fit, or words would be squeezed."""
    natural = [_natural(column, size) for column in columns]
    if sum(natural) <= room:
        return _in_proportion(columns, size, room)
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


def _in_proportion(columns: Sequence[SlideColumn], size: float, room: float) -> list[float]:
    """Widths that fill `room`, each by what the column takes by itself."""
    natural = [_natural(column, size) for column in columns]
    return [each * room / sum(natural) for each in natural]


def _parts(columns: Sequence[SlideColumn], size: float, room: float) -> list[list[SlideColumn]]:
    """Columns by slide: the first one names the rows on each of them."""
    first, *others = columns
    parts: list[list[SlideColumn]] = [[first]]
    for column in others:
        if len(parts[-1]) > 1 and not _widths([*parts[-1], column], size, room):
            parts.append([first])
        parts[-1].append(column)
    return parts


def _heights(columns: Sequence[SlideColumn], widths: Sequence[float], size: float) -> list[float]:
    """Heights of the head and of every row."""
    rooms = [each - 2 * SIDE for each in widths]
    head = max(len(lines(column.label, size * BOLD, room)) for column, room in zip(columns, rooms, strict=True))
    rows = [
        max(len(lines(cell, size, room)) for cell, room in zip(cells, rooms, strict=True))
        for cells in zip(*(column.cells for column in columns), strict=True)
    ]
    return [height(count, size) + 2 * ABOVE for count in (head, *rows)]


def add_table(slide: Any, place: Area, sheet: TableSlide) -> Any:
    """The table as a native one; its frame."""
    from pptx.enum.dml import MSO_THEME_COLOR_INDEX

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
            if number in column.worse:
                run = table.cell(row, at).text_frame.paragraphs[0].runs[0]
                run.font.color.theme_color = MSO_THEME_COLOR_INDEX[WORSE]
    return frame


def _cell(cell: Any, text: str, column: SlideColumn, setting: tuple[float, float], role: str) -> None:
    from pptx.enum.text import MSO_ANCHOR, PP_ALIGN

    size, above = setting
    cell.margin_left = cell.margin_right = round(SIDE * 914_400)
    cell.margin_top = cell.margin_bottom = round(above * 914_400)
    cell.vertical_anchor = MSO_ANCHOR.BOTTOM if role == "head" else MSO_ANCHOR.MIDDLE
    write(cell.text_frame, text, size, "ACCENT_1" if role == "head" else "TEXT_1", role in ("head", "total"))
    cell.text_frame.paragraphs[0].alignment = PP_ALIGN.RIGHT if column.number else PP_ALIGN.LEFT
    color, points = {"head": ("accent1", 1.5), "last": ("tx1", 1.25)}.get(role, ("bg2", 0.5))
    below = A.lnB(A.solidFill(A.schemeClr(val=color)), w=str(round(points * POINT)), cap="flat", cmpd="sng")
    cell._tc.get_or_add_tcPr().insert(0, below)  # before the fill, as the schema has it


GAP, INSIDE, ABOVE_TILE = 0.22, 0.16, 0.12
TALLEST, MOST_ACROSS = 1.5, 4
LABEL_SIZES, VALUE_SIZES = slide_letters("fact label"), slide_letters("fact")
LABEL_LINES, VALUE_LINES = 2, 2
LINE_SIZES = slide_letters("lines")
BETWEEN = 0.1
LONGEST_NOTE = 4
"""Lines of a sentence; the whole of it is in the speaker notes."""


def add_tiles(slide: Any, place: Area, facts: Sequence[tuple[str, str]], mark: ShapeMark) -> Area:
    """Facts side by side, each a value over its label; the place left below them."""
    rows = -(-len(facts) // MOST_ACROSS)
    across = -(-len(facts) // rows)  # as even as they get
    wide = (place.width - GAP * (across - 1)) / across
    deep = min(TALLEST, (place.height - GAP * (rows - 1)) / rows)
    sizes = _sizes(facts, wide - 2 * INSIDE, deep)
    deep = min(deep, max(_needed(fact, sizes, wide - 2 * INSIDE) for fact in facts))
    for number, fact in enumerate(facts):
        down, right = divmod(number, across)
        left, top = place.left + right * (wide + GAP), place.top + down * (deep + GAP)
        tile = _tile(slide, Area(left=left, top=top, width=wide, height=deep), fact, sizes)
        tile.name = replace(mark, part=number + 1).of("fact")
    used = rows * (deep + GAP)
    return replace(place, top=place.top + used, height=max(0.0, place.height - used))


def _sizes(facts: Sequence[tuple[str, str]], room: float, deep: float) -> tuple[float, float]:
    """Sizes of labels and of values, the same in every tile."""
    label = _size([label for label, _ in facts], LABEL_SIZES, room, LABEL_LINES)
    above = max(height(len(lines(cut(name, label, room, LABEL_LINES), label, room)), label) for name, _ in facts)
    left = deep - 2 * ABOVE_TILE - above
    fitting = [size for size in VALUE_SIZES if height(1, size) <= left]
    value = _size([value for _, value in facts], fitting or VALUE_SIZES[-1:], room, VALUE_LINES, left)
    return label, value


def _needed(fact: tuple[str, str], sizes: tuple[float, float], room: float) -> float:
    """Height of the tile that a fact needs. [inches]"""
    label = height(len(lines(cut(fact[0], sizes[0], room, LABEL_LINES), sizes[0], room)), sizes[0])
    return label + height(len(lines(fact[1], sizes[1] * BOLD, room)), sizes[1]) + 2 * ABOVE_TILE + 0.05


def _size(texts: Sequence[str], sizes: Sequence[float], room: float, most: int, deep: float = 99.0) -> float:
    """The largest size at which every text takes few enough lines; short texts stay in one."""

    def fits(text: str, size: float) -> bool:
        count = len(lines(text, size * BOLD, room))
        allowed = 1 if len(text) <= 14 else most
        return count <= allowed and height(count, size) <= deep

    return next((size for size in sizes if all(fits(text, size) for text in texts)), sizes[-1])


def _panel(slide: Any, place: Area, above: float) -> Any:
    """A tinted box for a few words, with so much room above and below them. [inches]"""
    from pptx.enum.dml import MSO_THEME_COLOR_INDEX
    from pptx.enum.shapes import MSO_SHAPE
    from pptx.enum.text import MSO_ANCHOR

    tile = slide.shapes.add_shape(MSO_SHAPE.RECTANGLE, *place.emu())
    tile._element.remove(tile._element.find(f"{{{tile._element.nsmap['p']}}}style"))  # shadows
    tile.line.fill.background()
    tile.fill.solid()
    tile.fill.fore_color.theme_color = MSO_THEME_COLOR_INDEX.BACKGROUND_1
    tile.fill.fore_color.brightness = -0.04
    frame = tile.text_frame
    frame.word_wrap = True
    frame.vertical_anchor = MSO_ANCHOR.TOP
    frame.margin_left = frame.margin_right = round(INSIDE * 914_400)
    frame.margin_top = frame.margin_bottom = round(above * 914_400)
    return tile


def _left(panel: Any) -> None:
    for paragraph in panel.text_frame.paragraphs:
        paragraph.alignment = 1


def _tile(slide: Any, place: Area, fact: tuple[str, str], sizes: tuple[float, float]) -> Any:
    room = place.width - 2 * INSIDE
    tile = _panel(slide, place, ABOVE_TILE)
    frame = tile.text_frame
    label = cut(fact[0], sizes[0], room, LABEL_LINES)
    deep = place.height - 2 * ABOVE_TILE - height(len(lines(label, sizes[0], room)), sizes[0])
    most = max(1, int(deep / height(1, sizes[1])))
    write(frame, cut(fact[1], sizes[1], room / BOLD, most), sizes[1], "ACCENT_1", True)
    write(frame, label, sizes[0], "TEXT_1", False, more=True)
    _left(tile)
    return tile


MOST_LINES, ABOVE_ANSWER = 4, 0.075
ANSWER_SIZES, (ANSWER_LABEL,) = slide_letters("answer"), slide_letters("answer label")


def add_answers(slide: Any, place: Area, answers: Sequence[tuple[str, str]], mark: ShapeMark) -> Area:
    """Sentences below each other, each under its label, as large as all fit; the place left below them."""
    room = place.width - 2 * INSIDE

    def deep(size: float, words: str) -> float:
        told = min(MOST_LINES, len(lines(words, size, room)))
        return height(1, ANSWER_LABEL) + height(told, size) + 2 * ABOVE_ANSWER

    def fits(size: float) -> bool:
        return sum(deep(size, words) + ABOVE_ANSWER for _, words in answers) <= place.height

    size = next((size for size in ANSWER_SIZES if fits(size)), ANSWER_SIZES[-1])
    top = place.top
    for number, (label, words) in enumerate(answers, start=1):
        panel = _panel(slide, replace(place, top=top, height=deep(size, words)), ABOVE_ANSWER)
        panel.name = replace(mark, part=number).of("line")
        write(panel.text_frame, cut(label, ANSWER_LABEL, room, 1), ANSWER_LABEL, "ACCENT_1", True)
        write(panel.text_frame, unbroken(cut(words, size, room, MOST_LINES)), size, "TEXT_1", False, more=True)
        _left(panel)
        top += deep(size, words) + ABOVE_ANSWER
    return replace(place, top=top, height=max(0.0, place.top + place.height - top))


def add_lines(slide: Any, place: Area, texts: Sequence[str], mark: ShapeMark) -> int:
    """Sentences below each other in a box of their own; how many were set."""
    return fill_lines(text_box(slide, place, mark.of("lines")), place, texts) if texts else 0


def fill_lines(frame: Any, place: Area, texts: Sequence[str]) -> int:
    """Sentences below each other, as large as they all fit, or as many as fit; how many were set."""
    told, count = _told(texts, place), fitting_lines(texts, place)
    size = next((size for size in LINE_SIZES if _deep(told, size, place.width) <= place.height), LINE_SIZES[-1])
    for number, each in enumerate(told[:count]):
        write(frame, unbroken(each), size, more=bool(number))
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
