"""What a speaker needs beside a slide: what each figure is, how it is worked out and where it comes from.

The executed notebook as slides: one exhibit each, its message the title, charts and tables native.

Every number is the exhibit's own: tables and facts are set as they are displayed everywhere, charts
hold the rows that were drawn. What stands behind a figure is in the speaker notes.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from revplan.exhibits import exhibit
from revplan.exhibits.chart import Chart, from_raw
from revplan.exhibits.exhibit import below
from revplan.exhibits.fit import cut, fitting
from revplan.exhibits.provenance import LABELS, colophon
from revplan.ground.errors import PlanError
from revplan.ground.escaping import clean
from revplan.ground.files import told_of
from revplan.ground.written import shown_path
from revplan.printing.blocks import Block, Heading, Prose, Shown, blocks, title_of, words
from revplan.printing.slides.chart import chart_parts
from revplan.printing.slides.page import (
    ExhibitSlide,
    add_answers,
    add_lines,
    add_slide,
    add_table,
    add_tiles,
    as_statement,
    columns_of,
    content_area,
    fill_lines,
    filling,
    fitting_lines,
    removed,
    sheets,
    shortened,
    text_box,
    write,
)
from revplan.printing.slides.record import ShapeMark, figure_texts, with_record
from revplan.printing.slides.template import CONTENTS, MEND, Area, Template, area, kind, open_template, settled_zip
from revplan.printing.translated import language_of, speaker

Say = Callable[[str], str]
"""Says the few words of a printing's own in the language of the deck."""
MOST_FIGURES = 12
"""Figures of one measure beyond which they are read in the table, not named one by one."""


def spoken(raw: dict[str, Any], said: Iterable[str], periods: Mapping[str, str], say: Say) -> tuple[str, ...]:
    """The speaker notes of an exhibit, a paragraph each; `periods` says what a period is called by its id."""
    told = raw.get("definitions") or {}
    each = (_measure(measure, raw["figures"], definition, periods, say) for measure, definition in told.items())
    return (*said, *below(raw), *each)


def definitions(exhibits: Iterable[dict[str, Any]], say: Say) -> list[str]:
    """Every measure of a report once, a paragraph each: what it is called, how it is worked out, its source."""
    told = {name: each for raw in exhibits for name, each in (raw.get("definitions") or {}).items()}
    return sorted(f"{each['label']}: {_definition(each, say)}" for each in told.values())


def _measure(
    measure: str, figures: list[dict[str, Any]], definition: dict[str, Any], periods: Mapping[str, str], say: Say
) -> str:
    some = dict.fromkeys(_figure(figure, periods) for figure in figures if figure["measure"] == measure)
    values = "; ".join(some) if len(some) <= MOST_FIGURES else say(f"{len(some)} figures on the slide")
    return f"{definition['label']}: {values}. {_definition(definition, say)}"


def _definition(definition: dict[str, Any], say: Say) -> str:
    told = {"": definition.get("formula"), "Rounded": definition.get("rounding"), "Source": definition.get("source")}
    heads = {head: f"{say(head)}: " if head else "" for head in told}
    return " ".join(f"{heads[head]}{each.rstrip('.')}." for head, each in told.items() if each and each != "none")


def _figure(figure: dict[str, Any], periods: Mapping[str, str]) -> str:
    period = figure.get("period", "")
    which = [*figure.get("of", {}).values(), periods.get(period, period), figure.get("basis", "")]
    told = ", ".join(str(part) for part in which if part)
    return f"{figure['text']} ({told})" if told else figure["text"]


MOST_TILES = 12
LONGEST_ALT = 1_000
ACROSS, BETWEEN, PANEL_NAME = 2, 0.2, 0.24
"""Small charts beside each other, the room between them, and that of their names. [inches]"""
REST = "Rows that do not fit here stand in the page, the PDF and the workbook."
UNDATED = datetime(2000, 1, 1)


def deck(notebook: Any, name: str, template: Path | None = None) -> bytes:
    """The slides of an executed `notebook` as a PowerPoint file.

    Parameters
    ----------
    notebook
        The notebook, run; its metadata `revplan` says what it was made from.
    name
        What the deck is called if the notebook has no heading.
    template
        A company's own template, .pptx or .potx, whose layouts and colours are taken; ours if None.

    Raises
    ------
    PlanError
        If the template is none, is damaged, carries macros, or lacks a layout with a title and room.
    ReportError
        If python-pptx is missing.
    """
    if template is None:
        return _written(notebook, name, None)
    with told_of(
        PlanError, shown_path(template), f"slides cannot be made with a part of it that is missing or damaged: {MEND}"
    ):
        return _written(notebook, name, template)


def _written(notebook: Any, name: str, template: Path | None) -> bytes:
    say = speaker(notebook)
    opened = replace(open_template(template), say=say)
    made_from = colophon(notebook)
    shown = blocks(notebook)
    raws, title = [each.raw for each in shown if isinstance(each, Shown)], title_of(shown, name)
    opening = next((raw for raw in raws if raw.get("header") and not raw.get("appendix")), {})
    dated = made_from.get(LABELS["plan_date"], "")
    named = " · ".join(filter(None, [made_from.get(LABELS["plan"], ""), dated and say(f"as of {dated}")]))
    footer = opening.get("header", "") or named
    asked = next((block for block in shown if isinstance(block, Prose | Shown)), None)
    question = clean(words(clean(asked.source))) if isinstance(asked, Prose) else ""
    _open(opened, title, opening, question, ShapeMark(report=name, key="opening"))
    slides = list(_slides(shown, name, footer, say))
    for slide in slides:
        PRINTED["chart" if slide.raw["native"] else slide.raw["kind"]](opened, slide)
    for slide in slides:
        if slide.raw["native"] and slide.raw["kind"] == "table":
            behind = replace(slide.mark, key=f"{slide.mark.key} (rows)")
            _add_table(opened, replace(slide, section=say(f"Appendix: {slide.section}"), mark=behind))
    _close(opened, slides, made_from or {LABELS["report"]: name}, footer, ShapeMark(report=name, key="made_from"))
    _stamp(opened.deck, title, made_from)
    buffer = io.BytesIO()
    opened.deck.save(buffer)
    plan, raw = made_from.get(LABELS["plan"], ""), settled_zip(buffer.getvalue())
    return with_record(raw, name, plan, figure_texts(raws), opened.exhibit.name, language_of(notebook))


def _slides(shown: Sequence[Block], report: str, footer: str, say: Say) -> Iterator[ExhibitSlide]:
    """Exhibits, each with the last heading before it and the prose since the exhibit before; those to be looked up are left out."""
    raws = (block.raw for block in shown if isinstance(block, Shown))
    periods = {name: label for raw in raws for name, label in raw.get("periods", {}).items()}
    section, said = "", list[str]()
    for block in shown:
        if isinstance(block, Heading):
            section, said = words(block.text), []
        elif isinstance(block, Prose):
            said.append(clean(words(clean(block.source))))
        else:
            mark, told = ShapeMark(report=report, key=block.key), spoken(block.raw, said, periods, say)
            if not block.raw.get("appendix"):
                yield ExhibitSlide(raw=block.raw, section=section, footer=footer, spoken=told, mark=mark)
            said = []


def _open(template: Template, title: str, opening: dict[str, Any], question: str, mark: ShapeMark) -> None:
    """The first slide: what the deck is called, the plan and its date, the question and the answer."""
    slide = template.deck.slides.add_slide(template.opening)
    size = min(40.0, template.title_size * 1.6)
    write(slide.shapes.title.text_frame, cut(title, size, area(slide.shapes.title).width, 2), size)
    slide.shapes.title.name = mark.of("title")
    texts = [text for text in (opening.get("header", ""), question, opening.get("message", "")) if text]
    for shape in list(slide.placeholders):
        if texts and kind(shape) in (*CONTENTS, "SUBTITLE"):
            fill_lines(shape.text_frame, area(shape), texts)
            shape.name = mark.of("lines")
            texts = []
        elif shape.placeholder_format.idx:
            removed(shape)


def _add_chart(template: Template, slide: ExhibitSlide) -> None:
    """A native chart."""
    page, place = add_slide(template, slide, below(slide.raw))
    chart = from_raw(slide.raw["native"], slide.raw["message"])
    if chart.panels:
        _add_multiples(template, page, place, slide, chart)
        return
    drawn, book = chart_parts(chart, template.inks, place.width)
    _described(_framed(page, place, drawn, book), filling(page, template), slide.raw, slide.mark.of("chart"))


def _add_multiples(template: Template, page: Any, place: Area, slide: ExhibitSlide, chart: Chart) -> None:
    """The small charts of one exhibit, two beside each other, each a native chart under its name."""
    removed(filling(page, template))
    rows = -(-len(chart.panels) // ACROSS)
    wide, deep = (place.width - BETWEEN * (ACROSS - 1)) / ACROSS, (place.height - BETWEEN * (rows - 1)) / rows
    for number, panel in enumerate(chart.panels):
        down, right = divmod(number, ACROSS)
        mark = replace(slide.mark, part=number + 1)
        left, top = place.left + right * (wide + BETWEEN), place.top + down * (deep + BETWEEN)
        head = Area(left=left, top=top, width=wide, height=PANEL_NAME)
        write(text_box(page, head, mark.of("panel")), cut(panel.message, 12, wide, 1), 12, "TEXT_1", True)
        below_head = Area(left=left, top=top + PANEL_NAME, width=wide, height=deep - PANEL_NAME)
        frame = _framed(page, below_head, *chart_parts(panel, template.inks, wide))
        frame.nvGraphicFramePr.cNvPr.set("name", mark.of("chart"))
        frame.nvGraphicFramePr.cNvPr.set("descr", fitting(f"{panel.message}. {slide.raw['alt']}", LONGEST_ALT))


def _add_table(template: Template, slide: ExhibitSlide) -> None:
    raw = slide.raw
    found, notes = columns_of(raw), raw["notes"] if raw["native"] else below(raw)
    parts = sheets(found, raw["totals"], content_area(template, notes))
    if len(parts) > 1 and raw.get("brief"):
        notes = [template.say(REST), *notes]
        parts = [shortened(found, raw["totals"], content_area(template, notes))]
    for number, part in enumerate(parts, start=1):
        counted = template.say(f"{number} of {len(parts)}") if len(parts) > 1 else ""
        mark = replace(slide.mark, part=number)
        page, place = add_slide(template, replace(slide, mark=mark), notes, counted)
        _described(add_table(page, place, part)._element, filling(page, template), raw, mark.of("table"))


def _add_text(template: Template, slide: ExhibitSlide) -> None:
    raw = slide.raw
    facts = [(label, value) for label, value in raw["shown"]]
    if len(facts) > MOST_TILES:
        _add_table(template, slide)
        return
    page, place = add_slide(template, slide, ())
    removed(filling(page, template))
    notes = below(raw)
    if not facts and not notes:
        as_statement(page, template, raw["message"])
        return
    setting = add_answers if raw.get("lined") else add_tiles
    left = setting(page, place, facts, slide.mark) if facts else place
    done = add_lines(page, left, _within(notes, left, template.say) if facts else notes, slide.mark)
    mark = slide.mark
    while not facts and done < len(notes):
        mark = replace(mark, part=mark.part + 1)
        page, place = add_slide(template, replace(slide, mark=mark), (), template.say("continued"))
        removed(filling(page, template))
        done += add_lines(page, place, notes[done:], mark)


PRINTED = {"chart": _add_chart, "table": _add_table, "text": _add_text}


def _within(notes: Sequence[str], place: Area, say: Say) -> list[str]:
    """Notes that fit, and how many are left to the speaker notes."""
    count = fitting_lines(notes, place)
    if count == len(notes):
        return list(notes)
    return [*notes[: count - 1], say(f"{len(notes) - count + 1} more in the speaker notes.")] if count else []


def _framed(page: Any, place: Area, drawn: bytes, book: bytes) -> Any:
    """The frame of a chart with its workbook."""
    from pptx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
    from pptx.parts.chart import ChartPart

    package = page.part.package
    part = ChartPart.load(package.next_partname(ChartPart.partname_template), CONTENT_TYPE.DML_CHART, package, drawn)
    part.chart_workbook.update_from_xlsx_blob(book)
    return page.shapes._add_chart_graphicFrame(page.part.relate_to(part, RELATIONSHIP_TYPE.CHART), *place.emu())


def _described(frame: Any, placeholder: Any, raw: dict[str, Any], name: str) -> None:
    """Gives a chart or a table its name, the words for who cannot see it, and the place of the layout's placeholder."""
    properties = frame.nvGraphicFramePr.cNvPr
    properties.set("name", name)
    properties.set("descr", fitting(raw["alt"], LONGEST_ALT))
    if kind(placeholder) != "BODY":
        frame.nvGraphicFramePr.nvPr.append(deepcopy(placeholder._element.nvSpPr.nvPr.ph))
    removed(placeholder)


def _close(
    template: Template, slides: Sequence[ExhibitSlide], made_from: dict[str, str], footer: str, mark: ShapeMark
) -> None:
    """The last slide: from what all this was made; its notes say what each figure of the deck is."""
    say = template.say
    measured = definitions((slide.raw for slide in slides), say)
    notes = [say("What each figure is stands in the notes of its slide, and of all figures in the notes of this one.")]
    made = exhibit.table(
        pd.DataFrame([map(say, row) for row in made_from.items()], columns=["what", "which"]),
        {"what": "text", "which": "text"},
        say("From what this was made, so that it can be made again."),
        labels={"what": say("What"), "which": say("Which")},
        notes=notes if measured else [],
    )
    raw, section = exhibit.raw(made), say("Definitions and sources")
    told = spoken(raw, measured, {}, say)
    _add_table(template, ExhibitSlide(raw=raw, section=section, footer=footer, spoken=told, mark=mark))


def _stamp(presentation: Any, title: str, made_from: dict[str, str]) -> None:
    """The file's own properties; no time, so that the same report is the same file."""
    properties = presentation.core_properties
    properties.title, properties.author = title[:200], "revplan"
    properties.last_modified_by, properties.revision = "revplan", 1
    properties.subject = made_from.get(LABELS["plan"], "")[:200]
    properties.comments = "; ".join(f"{label}: {value}" for label, value in made_from.items())[:255]
    properties.created = properties.modified = UNDATED
