"""One slide: its title, section, footer and speaker notes, and the place left for its exhibit."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from revplan.exhibits.fit import BOLD, cut, height, lines, unbroken
from revplan.exhibits.shapes import slide_letters
from revplan.ground.escaping import clean
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


@dataclass(frozen=True, kw_only=True)
class SlideTexts:
    """The texts about an exhibit.

    Attributes
    ----------
    title
        Its message.
    section
        The heading it stands under.
    footer
        The plan and its date.
    notes
        What stands in small letters below it, a sentence or two each, those that change the reading first.
    spoken
        The speaker notes, a paragraph each.
    mark
        Which slide this is, by which a later run finds its texts again.
    """

    title: str
    section: str = ""
    footer: str = ""
    notes: tuple[str, ...] = ()
    spoken: tuple[str, ...] = ()
    mark: ShapeMark = field(default_factory=ShapeMark)


def add_slide(template: Template, words: SlideTexts, part: str = "") -> tuple[Any, Area]:
    """A slide with everything but its exhibit, and the place for that; `part` counts the slides of one exhibit."""
    slide = template.deck.slides.add_slide(template.exhibit)
    shortened = _titled(slide, template, words.title, part)
    slide.shapes.title.name = words.mark.of("title")
    _set_beside(slide, template, words)
    _footed(slide, template.exhibit, words)
    spoken = ([words.title] if shortened else []) + list(words.spoken)
    if spoken:
        slide.notes_slide.notes_text_frame.text = "\n".join(clean(each) for each in spoken)
        slide.notes_slide.notes_placeholder.name = words.mark.of("spoken")
    return slide, content_area(template, words.notes)


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


def _footed(slide: Any, layout: Any, words: SlideTexts) -> None:
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


def _set_beside(slide: Any, template: Template, words: SlideTexts) -> None:
    """Sets the section above the title and the notes below the exhibit: where the layout has places, in these."""
    title, content = template.title, template.content
    section = cut(words.section, SECTION_SIZE, title.width, 1)
    if not _filled(slide, OWN[0], section, SECTION_SIZE, words.mark) and section and title.top >= LEAST_ABOVE:
        place = replace(title, top=title.top - SECTION_HEIGHT, height=SECTION_HEIGHT)
        write(text_box(slide, place, words.mark.of("section")), section, SECTION_SIZE, "ACCENT_1", True)
    note, size = _note(template, words.notes)
    if not _filled(slide, OWN[1], note, size, words.mark) and note:
        top = content.top + content_area(template, words.notes).height + 0.08
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
