"""A deck that people worked on is brought up to date: numbers are today's, and all that they did stays.

Decks are made of the example company on two days, edited with python-pptx as people edit them, and refreshed.
LibreOffice is skipped with a reason where it is missing, except in CI, where it fails.
"""

from __future__ import annotations

import io
import json
import random
import subprocess
import zipfile
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from nbformat.v4 import new_code_cell, new_notebook, new_output

from revplan.cli.commands import main
from revplan.exhibits import attainment, outlook, performance
from revplan.exhibits.chart import Chart, Series
from revplan.exhibits.exhibit import Exhibit, chart, table, text
from revplan.exhibits.figures import FigureCells, Sentence, figure, say
from revplan.ground.errors import PlanError
from revplan.printing.slides.deck import deck
from revplan.printing.slides.record import Package, figure_texts, read, said
from revplan.printing.slides.redraw import follow, paired
from revplan.printing.slides.refresh import DeckFinding, refreshed, spans
from revplan.run.notebooks import notebook_in
from revplan.tracking.book import BoardBook

pptx = pytest.importorskip("pptx")
from pptx.dml.color import RGBColor  # noqa: E402
from test_report_deck import SEQUENCES  # noqa: E402

ROOT = Path(__file__).parents[2]
FY26 = ROOT / "data" / "example" / "plan_fy26.yaml"
REPORT = "board_report"
NAMES = {
    "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
}
RELATIONS = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"


def notebook(plan: str = "Example", **shown: Exhibit) -> Any:
    """An executed notebook of exhibits, each in a cell of that id."""
    cells = [
        new_code_cell("x", id=key, outputs=[new_output("execute_result", each._repr_mimebundle_(), execution_count=1)])
        for key, each in shown.items()
    ]
    return new_notebook(cells=cells, metadata={"revplan": {"report": REPORT, "plan": plan, "plan_date": "30 Sep 2026"}})


def board(book: BoardBook) -> Any:
    """Exhibits of every kind of the board report: tiles, tables, charts of two series, a waterfall."""
    return notebook(
        attainment=attainment.attainment(book),
        so_far=attainment.so_far(book),
        variance=attainment.variance(book),
        numbers=performance.three_numbers(book),
        coverage=outlook.coverage(book),
        facts=small(book.as_of.day)["facts"],
    )


@pytest.fixture(scope="session")
def august(opened: Callable[..., BoardBook]) -> Any:
    """The report at the end of August."""
    return board(opened("2026-Q3", "2026-08-31"))


@pytest.fixture(scope="session")
def september(q3: BoardBook) -> Any:
    """The same report a month later."""
    return board(q3)


def small(
    days: float, rows: Mapping[str, float] = {"smb": 12.0, "mid": 30.0}, drawn: float = 5.0
) -> dict[str, Exhibit]:
    """A report of a few figures that depend on what is given: facts, a table and a chart."""
    won = figure("new_arr", 1_000_000 + 10_000 * days, "2026-Q3", "actual", "USD")
    leads = figure("entries", days, "2026-Q3", "actual", stage="lead")
    frame = pd.DataFrame({"segment": list(rows), "entries": list(rows.values())})
    cells = FigureCells(
        rows=[{"period": "2026-Q3", "basis": "actual", "segment": each} for each in rows],
        columns={"entries": {"measure": "entries"}},
    )
    bars = Chart(
        said=say("It comes to {won} now", won=won),
        form="columns",
        categories=("Jan", "Feb", "Mar"),
        kind="money",
        currency="USD",
        series=(
            Series(name="plan", values=(3e6, 4e6, 5e6), color="C1"),
            Series(name="actual", values=(2e6, drawn * 1e6, drawn * 1.1e6)),
        ),
    )
    behind = pd.DataFrame({"month": ["Jan"], "arr": [1.0]})
    return {
        "facts": text(
            say("{won} came from {leads} leads", won=won, leads=leads),
            {"New ARR": won, "Leads": leads},
            notes=("Counted by the day they came.",),
        ),
        "rows": table(frame, {"segment": "text", "entries": "count"}, say("Leads: {leads}", leads=leads)).with_cells(
            cells
        ),
        "bars": chart(bars, behind, {"month": "text", "arr": "money"}),
    }


def made(source: Any, folder: Path) -> Path:
    """The deck of an executed notebook, in a file."""
    path = folder / "deck.pptx"
    path.write_bytes(deck(source, REPORT))
    return path


def edited(path: Path, *edits: Callable[[Any], object]) -> Path:
    """The deck in `path` as it is after `edits`."""
    opened = pptx.Presentation(str(path))
    for edit in edits:
        edit(opened)
    opened.save(str(path))
    return path


def shape_of(opened: Any, name: str) -> Any:
    """The first shape of that role: `promise:title`."""
    return next(each for slide in opened.slides for each in slide.shapes if each.name == f"{REPORT}:{name}")


def slide_of(opened: Any, key: str) -> Any:
    return next(slide for slide in opened.slides if any(f":{key}:" in each.name for each in slide.shapes))


def own_box(slide: Any, words: str, alt: str = "") -> Any:
    """A text box of a person on a slide."""
    box = slide.shapes.add_textbox(914_400, 914_400, 3_000_000, 500_000)
    box.text_frame.text = words
    if alt:
        box._element.nvSpPr.cNvPr.set("descr", alt)
    return box


def own_slide(opened: Any, words: str = "Ours") -> Any:
    slide = opened.slides.add_slide(opened.slide_layouts[0])
    own_box(slide, words)
    return slide


def parts_of(raw: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(raw)) as parts:
        return {name: parts.read(name) for name in parts.namelist()}


def again(path: Path, source: Any) -> tuple[Any, list[DeckFinding]]:
    """The refreshed deck, open, and what was found."""
    raw, found = refreshed(source, REPORT, path)
    return pptx.Presentation(io.BytesIO(raw)), found


def drawn(shape: Any) -> dict[str, list[float | None]]:
    """The series of a chart by name, as PowerPoint reads them."""
    return {each.name: list(each.values) for plot in shape.chart.plots for each in plot.series}


def sheet(shape: Any) -> dict[str, list[Any]]:
    book = openpyxl.load_workbook(io.BytesIO(shape.chart.part.chart_workbook.xlsx_part.blob))
    columns = [[cell.value for cell in column] for column in book["Sheet1"].iter_cols()]
    return {column[0] or "": column[1:] for column in columns}


# --- nothing was edited -----------------------------------------------------------------------------------------


def test_a_deck_of_today_stays_the_same_file(september: Any, tmp_path: Path) -> None:
    path = made(september, tmp_path)
    assert refreshed(september, REPORT, path) == (path.read_bytes(), [])


def test_a_deck_nobody_edited_says_what_one_made_today_says(august: Any, september: Any, tmp_path: Path) -> None:
    path = made(august, tmp_path)
    fresh = said(Package(deck(september, REPORT)))
    assert said(Package(path.read_bytes())) != fresh
    raw, _ = refreshed(september, REPORT, path)
    assert said(Package(raw)) == fresh
    assert read(Package(raw)).figures == figure_texts(_exhibits(september))
    again_raw, found = refreshed(august, REPORT, _stored(tmp_path / "there.pptx", raw))
    assert said(Package(again_raw)) == said(Package(path.read_bytes()))
    assert [each for each in found if each.kind not in ("room", "stale")] == []


def _exhibits(source: Any) -> list[dict[str, Any]]:
    from revplan.printing.blocks import exhibits

    return exhibits(source)


def _stored(path: Path, raw: bytes) -> Path:
    path.write_bytes(raw)
    return path


# --- edited at random -------------------------------------------------------------------------------------------

KEYS = ("attainment", "so_far", "variance", "numbers", "coverage", "facts")


def move(opened: Any, key: str) -> None:
    for shape in slide_of(opened, key).shapes:
        shape.left, shape.top = (shape.left or 0) + 12_345, (shape.top or 0) + 54_321


def restyle(opened: Any, key: str) -> None:
    from pptx.dml.color import RGBColor
    from pptx.util import Pt

    for shape in slide_of(opened, key).shapes:
        if shape.has_text_frame:
            for run in shape.text_frame.paragraphs[0].runs:
                run.font.size, run.font.italic = Pt(17), True
        if shape.has_table:
            shape.table.cell(1, 1).text_frame.paragraphs[0].runs[0].font.bold = True
        if shape.has_chart:
            for plot in shape.chart.plots:
                for series in plot.series:
                    series.format.fill.solid()
                    series.format.fill.fore_color.rgb = RGBColor(0x12, 0x34, 0x56)


def retitle(opened: Any, key: str) -> None:
    slide_of(opened, key).shapes.title.text_frame.text = f"What we make of {key}"


def add_own(opened: Any, key: str) -> None:
    own_slide(opened, f"Our view of {key}")


def take_picture(opened: Any, key: str) -> None:
    """Deletes the chart or the table of a slide."""
    for shape in list(slide_of(opened, key).shapes):
        if shape.has_chart or shape.has_table:
            shape._element.getparent().remove(shape._element)


def duplicate(opened: Any, key: str) -> None:
    """The slide once more at the end, as PowerPoint copies it: a chart with parts of its own."""
    from pptx.opc.constants import CONTENT_TYPE, RELATIONSHIP_TYPE
    from pptx.parts.chart import ChartPart

    source = slide_of(opened, key)
    copy = opened.slides.add_slide(source.slide_layout)
    for shape in list(copy.shapes):
        shape._element.getparent().remove(shape._element)
    for shape in source.shapes:
        element = deepcopy(shape._element)
        copy.shapes._spTree.append(element)
        if shape.has_chart:
            package, part = copy.part.package, shape.chart.part
            root = etree.fromstring(part.blob)
            root.remove(root.find("c:externalData", NAMES))
            name = package.next_partname(ChartPart.partname_template)
            other = ChartPart.load(name, CONTENT_TYPE.DML_CHART, package, etree.tostring(root))
            other.chart_workbook.update_from_xlsx_blob(part.chart_workbook.xlsx_part.blob)
            link = copy.part.relate_to(other, RELATIONSHIP_TYPE.CHART)
            element.find(".//c:chart", NAMES).set(f"{RELATIONS}id", link)


def reorder(opened: Any, key: str) -> None:
    """The slide becomes the first."""
    order = opened.slides._sldIdLst
    place = next(at for at, slide in enumerate(opened.slides) if slide == slide_of(opened, key))
    order.insert(0, order[place])


EDITS = (move, restyle, retitle, add_own, take_picture, duplicate, reorder)


def looks(opened: Any) -> list[Any]:
    """Everything of a deck but its texts and numbers: order, places, formats, names."""
    found = []
    for slide in opened.slides:
        for shape in slide.shapes:
            element = deepcopy(shape._element)
            for text_ in element.iter(f"{{{NAMES['a']}}}t"):
                text_.text = ""
            element.xpath(".//p:cNvPr")[0].set("descr", "")
            found.append(etree.tostring(element))
            if shape.has_chart:
                found += [etree.tostring(each) for each in shape.chart._chartSpace.iterfind(".//c:ser/c:spPr", NAMES)]
    return found


def titles(opened: Any) -> list[str]:
    return [slide.shapes.title.text_frame.text if slide.shapes.title is not None else "" for slide in opened.slides]


@pytest.mark.parametrize("seed", range(10))
def test_whatever_was_edited_stays_and_the_numbers_are_todays(
    seed: int, august: Any, september: Any, tmp_path: Path
) -> None:
    dice = random.Random(seed)
    edits = [(dice.choice(EDITS), dice.choice(KEYS)) for _ in range(dice.randint(1, 9))]
    path = made(august, tmp_path)
    edited(path, *(lambda opened, do=do, key=key: do(opened, key) for do, key in edits))
    before, was = pptx.Presentation(str(path)), parts_of(path.read_bytes())
    raw, _ = refreshed(september, REPORT, path)
    now, parts = pptx.Presentation(io.BytesIO(raw)), parts_of(raw)
    fresh = pptx.Presentation(io.BytesIO(deck(september, REPORT)))
    assert looks(now) == looks(before)
    retitled = {f"{REPORT}:{key}:title": f"What we make of {key}" for do, key in edits if do is retitle}
    wanted = dict(saying(fresh))
    assert len(wanted) > 30
    for name, told in saying(now):
        assert told == (retitled[name] if name in retitled else wanted[name]), name
    for slide in before.slides:
        part = str(slide.part.partname).lstrip("/")
        if not any(shape.name.startswith(REPORT) for shape in slide.shapes):
            assert parts[part] == was[part]
    for name, content in was.items():
        if any(word in name for word in ("slideMasters", "slideLayouts", "theme", "presentation.xml", "_rels")):
            assert parts[name] == content


def saying(opened: Any) -> Iterator[tuple[str, Any]]:
    """What every shape that was made says, with its name: charts their series, and their workbooks the same."""
    for slide in opened.slides:
        for shape in slide.shapes:
            if not shape.name.startswith(REPORT):
                continue
            if shape.has_chart:
                held, series = sheet(shape), drawn(shape)
                assert {name: held[name][: len(values)] for name, values in series.items()} == series
                yield shape.name, series
            else:
                yield shape.name, tidy(cells(shape)) if shape.has_table else plainly(shape)


def tidy(rows: list[list[str]]) -> list[list[str]]:
    return [[" ".join(cell.replace("\u2060", "").split()) for cell in row] for row in rows]


def cells(shape: Any) -> list[list[str]]:
    return [[cell.text for cell in row.cells] for row in shape.table.rows]


def plainly(shape: Any) -> str:
    return " ".join(shape.text_frame.text.replace("\u2060", "").split())


def test_what_has_no_number_of_its_own_is_the_same_bytes(tmp_path: Path) -> None:
    path = made(notebook(**small(15)), tmp_path)
    edited(path, lambda opened: own_slide(opened, "Ours"), lambda opened: retitle(opened, "rows"))
    was, (raw, _) = parts_of(path.read_bytes()), refreshed(notebook(**small(15, drawn=6.0)), REPORT, path)
    changed = {name for name, content in parts_of(raw).items() if was.get(name) != content}
    charts = {name for name in was if "/charts/chart" in name or "embeddings" in name}
    assert charts
    assert changed == {*charts, "docProps/custom.xml"}


# --- texts ------------------------------------------------------------------------------------------------------


def test_a_title_keeps_the_looks_of_its_words(tmp_path: Path) -> None:
    path = made(notebook(**small(15)), tmp_path)

    def paint(opened: Any) -> None:
        paragraph = shape_of(opened, "facts:title").text_frame.paragraphs[0]
        run = paragraph.runs[0]
        other = deepcopy(run._r)
        run.text, words = "$1.15M came ", run.text.removeprefix("$1.15M came ")
        run._r.addnext(other)
        paragraph.runs[1].text, paragraph.runs[1].font.bold = words, True

    now, _ = again(edited(path, paint), notebook(**small(20)))
    runs = shape_of(now, "facts:title").text_frame.paragraphs[0].runs
    assert [(run.text, run.font.bold) for run in runs] == [("$1.2M came ", None), ("from 20 leads", True)]


def test_a_title_that_would_be_set_smaller_today_is_told(tmp_path: Path) -> None:
    path = made(notebook(rows=long_table(3)), tmp_path)
    longer = replace(long_table(3), said=Sentence(text="Many rows " * 14))
    now, found = again(path, notebook(rows=longer))
    assert shape_of(now, "rows:title").text_frame.text.startswith("Many rows Many rows")
    assert [(each.kind, each.message.partition(" points")[0]) for each in found] == [("room", "is set in 24")]


def test_a_number_typed_over_is_the_registrys_again_and_is_told(tmp_path: Path) -> None:
    path = made(notebook(**small(15)), tmp_path)

    def type_over(opened: Any) -> None:
        shape_of(opened, "rows:table").table.cell(1, 1).text_frame.paragraphs[0].runs[0].text = "99"
        shape_of(opened, "facts:title").text_frame.paragraphs[0].runs[0].text = "$9M came from 15 leads"

    now, found = again(edited(path, type_over), notebook(**small(20)))
    assert shape_of(now, "rows:table").table.cell(1, 1).text == "12"
    assert shape_of(now, "facts:title").text_frame.text == "$1.2M came from 20 leads"
    assert sorted(each.text for each in found if each.kind == "overwritten") == ["$9M came from 15 leads", "99"]


def test_own_words_stay_and_are_told_where_their_number_moved(tmp_path: Path) -> None:
    path = made(notebook(**small(15)), tmp_path)

    def write(opened: Any) -> None:
        shape_of(opened, "facts:title").text_frame.text = "We are proud of the $1.15M we won"
        own_box(own_slide(opened, "No number here"), "Of the $1.15M, half was late; 15 Sep was the day")
        slide_of(opened, "rows").notes_slide.notes_text_frame.text = "Mind the 12 of smb"

    source = notebook(**small(20, {"smb": 13.0, "mid": 30.0}))
    now, found = again(edited(path, write), source)
    assert shape_of(now, "facts:title").text_frame.text == "We are proud of the $1.15M we won"
    stale = [(each.slide, each.was, each.now) for each in found if each.kind == "stale"]
    assert sorted(stale) == [(2, "$1.15M", "$1.2M"), (3, "12", "13"), (6, "$1.15M", "$1.2M")]
    raw, later = refreshed(notebook(**small(22)), REPORT, _stored(path, refreshed(source, REPORT, path)[0]))
    assert ("$1.15M", "$1.22M") in [(each.was, each.now) for each in later if each.kind == "stale"]
    assert Package(raw)


def test_what_was_true_stays_unsaid(tmp_path: Path) -> None:
    path = made(notebook(**small(15)), tmp_path)
    edited(path, lambda opened: own_box(slide_of(opened, "rows"), "mid has 30, smb 12; $1.15M in Q3"))
    assert refreshed(notebook(**small(15, drawn=9.0)), REPORT, path)[1] == []


def test_notes_of_the_speaker_follow_and_own_paragraphs_stay(tmp_path: Path) -> None:
    path = made(notebook(**small(15)), tmp_path)

    def speak(opened: Any) -> None:
        frame = slide_of(opened, "facts").notes_slide.notes_text_frame
        frame.text = "Say hello first\n" + frame.text

    now, _ = again(edited(path, speak), notebook(**small(20)))
    spoken = slide_of(now, "facts").notes_slide.notes_text_frame.text
    fresh = pptx.Presentation(io.BytesIO(deck(notebook(**small(20)), REPORT)))
    assert spoken == "Say hello first\n" + slide_of(fresh, "facts").notes_slide.notes_text_frame.text
    assert "$1.2M" in spoken


# --- linked sentences -------------------------------------------------------------------------------------------

SQLS = "entries [stage=sql] 2026-Q3"
WON, LEADS = "new_arr 2026-Q3 actual", "entries [stage=lead] 2026-Q3 actual"


def test_a_linked_sentence_follows_its_figures_and_nothing_else(tmp_path: Path) -> None:
    path = made(notebook(**small(15)), tmp_path)
    words = "By 15 Sep we won $1.15M from 15 leads, not 15.5, of 150."
    edited(path, lambda opened: own_box(own_slide(opened), words, f"figure: {WON}\nfigure: {LEADS}").text_frame)
    now, found = again(path, notebook(**small(20)))
    assert now.slides[-1].shapes[-1].text_frame.text == "By 15 Sep we won $1.2M from 20 leads, not 15.5, of 150."
    assert [each for each in found if each.slide == len(now.slides)] == []


def test_a_linked_sentence_that_disagrees_is_refused_with_all_others(tmp_path: Path) -> None:
    path = made(notebook(**small(15)), tmp_path)
    edited(
        path,
        lambda opened: own_box(own_slide(opened), "We won $7M", f"figure: {WON}"),
        lambda opened: own_box(own_slide(opened), "From 3 leads", f"Figures: {LEADS}; {WON}"),
    )
    with pytest.raises(PlanError) as refusal:
        refreshed(notebook(**small(20)), REPORT, path)
    places = [fault.place.rpartition("/")[2] for fault in refusal.value.faults]
    assert places == ["deck.pptx, slide 6", "deck.pptx, slide 7", "deck.pptx, slide 7"]
    assert "$1.2M" in str(refusal.value)


def test_a_link_to_a_figure_that_went_or_never_was_is_told(tmp_path: Path) -> None:
    path = made(notebook(**small(15)), tmp_path)
    edited(
        path,
        lambda opened: own_box(own_slide(opened), "smb: 12", "figure: entries [segment=smb] 2026-Q3 actual"),
        lambda opened: own_box(own_slide(opened), "15", "figure: entries [stage=leads] 2026-Q3 actual"),
    )
    _, found = again(path, notebook(**small(15, {"mid": 30.0})))
    told = [each.message for each in found if each.kind == "gone"]
    assert len(told) == 2
    assert f"did you mean {LEADS!r}" in told[1]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("We land at $2.64M.", 1),
        ("($2.64M)", 1),
        ("US$2.64M", 0),
        ("$2.64MM", 0),
        ("−$2.64M", 0),
        ("-$2.64M", 0),
        ("$2.64M-$2.64M", 2),
        ("$2.64M, $2.64M", 2),
    ],
)
def test_a_number_is_quoted_whole(text: str, count: int) -> None:
    assert len(spans(text, "$2.64M")) == count


def test_a_minus_typed_as_a_hyphen_is_one() -> None:
    assert [len(spans(each, "−$160k")) for each in ("of -$160k", "of −\u2060$160k", "of $160k")] == [1, 1, 0]
    assert [len(spans(each, "30")) for each in ("30 Sep", "30 leads", "30.5", "3 0", "130")] == [0, 1, 0, 0, 0]


# --- tables -----------------------------------------------------------------------------------------------------


def test_rows_come_and_go_in_the_looks_of_their_neighbours(tmp_path: Path) -> None:
    path = made(notebook(**small(15, {"smb": 12.0, "mid": 30.0, "big": 7.0})), tmp_path)

    def shade(opened: Any) -> None:
        shape = shape_of(opened, "rows:table")
        shape.table.rows[2].height = 500_000
        shape.table.cell(2, 0).text_frame.paragraphs[0].runs[0].font.italic = True

    now, found = again(
        edited(path, shade), notebook(**small(15, {"smb": 12.0, "mid": 31.0, "new": 1.0, "far": 2.0, "end": 3.0}))
    )
    shape = shape_of(now, "rows:table")
    assert cells(shape)[1:] == [["smb", "12"], ["mid", "31"], ["new", "1"], ["far", "2"], ["end", "3"]]
    heights = [row.height for row in shape.table.rows]
    assert heights[2] == heights[3] == 500_000 != heights[1]
    assert shape.table.cell(3, 0).text_frame.paragraphs[0].runs[0].font.italic
    assert [each.kind for each in found] == ["room"]
    assert shape.height == sum(heights)


def variances(**of: float) -> dict[str, Exhibit]:
    """Variances of new ARR and of churn, of which more is worse."""
    terms = list(of)
    frame = pd.DataFrame({"term": terms, "variance": list(of.values())})
    rows = [{"period": "2026-Q3", "basis": "actual less plan", "term": each} for each in terms]
    cells = FigureCells(rows=rows, columns={"variance": {"measure": "arr_term_gap"}}, currency="USD")
    made = table(frame, {"term": "text", "variance": "money"}, "Variances")
    return {"variances": made.with_cells(cells)}


def letters(path: Path) -> dict[str, str]:
    """By term the colour of its variance."""
    grid = shape_of(pptx.Presentation(str(path)), "variances:table").table
    font = [row.cells[1].text_frame.paragraphs[0].runs[0].font.color for row in list(grid.rows)[1:]]
    colors = [str(each.rgb) if each.type == 1 else each.theme_color.name for each in font]
    return dict(zip([row.cells[0].text for row in list(grid.rows)[1:]], colors, strict=True))


def test_a_variance_to_the_bad_has_the_colour_of_one_and_another_after_it_turned(tmp_path: Path) -> None:
    before = notebook(**variances(new_arr=-12e3, expansion=5e3, churn=4e3, contraction=-2e3))
    after = notebook(**variances(new_arr=7e3, expansion=-5e3, churn=-1e3, contraction=-3e3, other=-1e3))
    path = made(before, tmp_path)
    assert letters(path) == {"new_arr": "ACCENT_2", "expansion": "TEXT_1", "churn": "ACCENT_2", "contraction": "TEXT_1"}

    def own(opened: Any) -> None:
        grid = shape_of(opened, "variances:table").table
        grid.cell(3, 1).text_frame.paragraphs[0].runs[0].font.color.rgb = RGBColor(0, 0, 255)

    raw, _ = refreshed(after, REPORT, edited(path, own))
    path.write_bytes(raw)
    assert letters(path) == {
        "new_arr": "TEXT_1",
        "expansion": "ACCENT_2",
        "churn": "0000FF",
        "contraction": "TEXT_1",
        "other": "ACCENT_2",
    }


def test_a_row_that_comes_has_an_id_of_its_own(tmp_path: Path) -> None:
    """PowerPoint gives every row an id, and repairs a table in which one stands twice."""
    path = made(notebook(**small(15)), tmp_path)
    space = "http://schemas.microsoft.com/office/drawing/2014/main"

    def number(opened: Any) -> None:
        for at, row in enumerate(shape_of(opened, "rows:table").table._tbl.tr_lst):
            inner = f'<a:ext uri="{{0D108BD9-81ED-4DB2-BD59-A6C34878D82A}}"><b:rowId xmlns:b="{space}" val="{100 + at}"/></a:ext>'
            row.append(etree.fromstring(f'<a:extLst xmlns:a="{NAMES["a"]}">{inner}</a:extLst>'))

    now, _ = again(edited(path, number), notebook(**small(15, {"smb": 12.0, "mid": 30.0, "new": 1.0, "far": 2.0})))
    ids = [each.get("val") for each in shape_of(now, "rows:table").table._tbl.iter(f"{{{space}}}rowId")]
    assert ids == ["100", "101", "102", "103", "104"]


def test_rows_in_an_order_of_ones_own_and_cells_in_ones_own_words(tmp_path: Path) -> None:
    path = made(notebook(**small(15, {"smb": 12.0, "mid": 30.0, "big": 7.0})), tmp_path)

    def arrange(opened: Any) -> None:
        table_ = shape_of(opened, "rows:table").table
        rows = list(table_._tbl.tr_lst)
        rows[0].addnext(rows[3])
        table_.cell(2, 1).text_frame.text = "a dozen, see notes"

    now, found = again(edited(path, arrange), notebook(**small(15, {"smb": 14.0, "mid": 31.0, "big": 8.0})))
    assert cells(shape_of(now, "rows:table"))[1:] == [["big", "8"], ["smb", "a dozen, see notes"], ["mid", "31"]]
    assert [(each.kind, each.text) for each in found] == [("kept", "a dozen, see notes")]


def test_own_words_in_a_row_that_went_are_told(tmp_path: Path) -> None:
    path = made(notebook(**small(15, {"smb": 12.0, "mid": 30.0})), tmp_path)
    edited(path, lambda opened: setattr(shape_of(opened, "rows:table").table.cell(1, 1).text_frame, "text", "ours"))
    now, found = again(path, notebook(**small(15, {"mid": 30.0})))
    assert cells(shape_of(now, "rows:table"))[1:] == [["mid", "30"]]
    assert [(each.kind, each.text) for each in found if each.kind == "gone"] == [("gone", "ours")]


def long_table(rows: int, more: float = 0.0) -> Exhibit:
    frame = pd.DataFrame({"segment": [f"name {chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(rows)]})
    for column in "abc":
        frame[column] = [ord(column) * 100.0 + n + more for n in range(rows)]
    return table(frame, {"segment": "text", "a": "count", "b": "count", "c": "count"}, "Many rows")


def test_a_table_on_several_slides_keeps_its_slides(tmp_path: Path) -> None:
    path = made(notebook(rows=long_table(60)), tmp_path)
    before = pptx.Presentation(str(path))
    now, found = again(path, notebook(rows=long_table(63, 1.0)))
    assert len(now.slides) == len(before.slides) > 4
    shown = [row for slide in now.slides for shape in slide.shapes if shape.has_table for row in cells(shape)[1:]]
    wanted = _exhibits(notebook(rows=long_table(63, 1.0)))[0]["shown"]
    assert shown[: len(wanted)] == wanted
    assert titles(now)[1].endswith(titles(before)[1][-8:])
    assert [each.kind for each in found] == ["room"]


def test_columns_come_and_go(tmp_path: Path) -> None:
    def wide(**columns: float) -> Exhibit:
        frame = pd.DataFrame(
            {"segment": ["smb", "mid"], **{name: [value, value + 1] for name, value in columns.items()}}
        )
        return table(frame, {"segment": "text", **dict.fromkeys(columns, "count")}, "Columns")

    path = made(notebook(rows=wide(a=1.0, b=5.0)), tmp_path)
    now, _ = again(path, notebook(rows=wide(a=2.0, x=3.0, y=4.0)))
    shape = shape_of(now, "rows:table")
    assert cells(shape) == [["Segment", "A", "X", "Y"], ["smb", "2", "3", "4"], ["mid", "3", "4", "5"]]
    assert sum(column.width for column in shape.table.columns) == pytest.approx(shape.width, abs=10)


@given(st.lists(st.integers(0, 9), unique=True), st.lists(st.integers(0, 9), unique=True), st.data())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_every_list_ends_with_what_there_is_today(before: list[int], now: list[int], data: st.DataObject) -> None:
    """Of a list nobody edited nothing is missing; of an edited one all own elements stay, and none comes twice."""
    one, other = [chr(97 + each) for each in before], [chr(97 + each) for each in now]
    pairs = paired(one, other)
    whole = follow(list(range(len(before))), range(len(before)), pairs, len(now))
    assert sorted(slot.new for slot in whole if slot.new is not None) == list(range(len(now)))
    mine = data.draw(st.permutations([*range(len(before)), None, None]))[: data.draw(st.integers(0, len(before) + 2))]
    slots = follow(mine, range(len(before)), pairs, len(now))
    new = [slot.new for slot in slots if slot.new is not None]
    assert len(new) == len(set(new))
    assert sum(slot.base is None and slot.mine is not None for slot in slots) == mine.count(None)


# --- charts -----------------------------------------------------------------------------------------------------


def test_a_restyled_chart_has_the_values_of_today_in_its_own_looks(tmp_path: Path) -> None:
    from pptx.dml.color import RGBColor
    from pptx.enum.chart import XL_LEGEND_POSITION

    path = made(notebook(**small(15)), tmp_path)

    def paint(opened: Any) -> None:
        chart_ = shape_of(opened, "bars:chart").chart
        chart_.plots[0].series[1].format.fill.solid()
        chart_.plots[0].series[1].format.fill.fore_color.rgb = RGBColor(1, 2, 3)
        chart_.has_legend, chart_.legend.position = True, XL_LEGEND_POSITION.LEFT
        chart_.has_title, chart_.chart_title.text_frame.text = True, "Ours: $5M in Feb"

    now, _ = again(edited(path, paint), notebook(**small(15, drawn=7.0)))
    shape = shape_of(now, "bars:chart")
    assert drawn(shape) == {"plan": [3e6, 4e6, 5e6], "actual": [2e6, 7e6, pytest.approx(7.7e6)]}
    assert shape.chart.plots[0].series[1].format.fill.fore_color.rgb == RGBColor(1, 2, 3)
    assert shape.chart.legend.position == XL_LEGEND_POSITION.LEFT
    assert shape.chart.chart_title.text_frame.text == "Ours: $5M in Feb"
    assert {name: values[:3] for name, values in sheet(shape).items() if name} == drawn(shape)
    fresh = shape_of(pptx.Presentation(io.BytesIO(deck(notebook(**small(15, drawn=7.0)), REPORT))), "bars:chart")
    assert formats(shape) == formats(fresh)


def test_a_series_of_ones_own_stays_in_chart_and_workbook(tmp_path: Path) -> None:
    path = made(notebook(**small(15)), tmp_path)

    def target(opened: Any) -> None:
        plot = shape_of(opened, "bars:chart").chart._chartSpace.find(".//c:barChart", NAMES)
        series = deepcopy(plot.findall("c:ser", NAMES)[-1])
        for name in ("idx", "order"):
            series.find(f"c:{name}", NAMES).set("val", "7")
        series.find("c:tx//c:v", NAMES).text = "target"
        for number, value in enumerate(series.iterfind("c:val//c:v", NAMES)):
            value.text = str(6e6 + number)
        plot.findall("c:ser", NAMES)[-1].addnext(series)

    now, _ = again(edited(path, target), notebook(**small(15, drawn=7.0)))
    shape = shape_of(now, "bars:chart")
    assert drawn(shape)["target"] == [6e6, 6e6 + 1, 6e6 + 2]
    assert drawn(shape)["actual"][1] == pytest.approx(7e6)
    assert {name: values[:3] for name, values in sheet(shape).items() if name} == drawn(shape)


def series_chart(categories: tuple[str, ...], **series: tuple[float, ...]) -> Exhibit:
    described = Chart(
        said=say("A chart"),
        form="columns",
        categories=categories,
        kind="count",
        series=tuple(Series(name=name, values=values) for name, values in series.items()),
    )
    return chart(described, pd.DataFrame({"x": [1.0]}), {"x": "count"})


def test_categories_and_series_of_a_restyled_chart_come_and_go(tmp_path: Path) -> None:
    from pptx.dml.color import RGBColor

    path = made(notebook(bars=series_chart(("smb", "mid", "big"), won=(1.0, 2.0, 3.0), lost=(4.0, 5.0, 6.0))), tmp_path)

    def paint(opened: Any) -> None:
        point = shape_of(opened, "bars:chart").chart.plots[0].series[0].points[2]
        point.format.fill.solid()
        point.format.fill.fore_color.rgb = RGBColor(9, 9, 9)

    today = series_chart(("mid", "new", "big"), won=(2.0, 8.0, 4.0), open=(1.0, 1.0, 1.0))
    now, _ = again(edited(path, paint), notebook(bars=today))
    shape = shape_of(now, "bars:chart")
    assert drawn(shape) == {"won": [2.0, 8.0, 4.0], "open": [1.0, 1.0, 1.0]}
    assert list(shape.chart.plots[0].categories) == ["mid", "new", "big"]
    assert shape.chart.plots[0].series[0].points[2].format.fill.fore_color.rgb == RGBColor(9, 9, 9)
    indices = [int(each.get("val")) for each in shape.chart._chartSpace.iterfind(".//c:ser/c:idx", NAMES)]
    assert len(indices) == len(set(indices))


def test_a_restyled_chart_stays_in_the_order_of_the_schema(august: Any, september: Any, tmp_path: Path) -> None:
    path = edited(made(august, tmp_path), *(lambda opened, key=key: restyle(opened, key) for key in KEYS))
    now, _ = again(path, september)
    charts = [shape.chart._chartSpace for slide in now.slides for shape in slide.shapes if shape.has_chart]
    assert len(charts) > 2
    for element in (each for chart_ in charts for each in chart_.iter()):
        order = SEQUENCES.get(etree.QName(element).localname, "").split() if "chart}" in element.tag else []
        places = [order.index(etree.QName(each).localname) for each in element if order]
        assert places == sorted(places), element.tag


def bridge(mix: float) -> Exhibit:
    """A waterfall of one step, up or down."""
    steps = (1e6, mix, 1e6 + mix)
    described = Chart(
        said=say("A bridge"),
        form="waterfall",
        categories=("plan", "mix", "actual"),
        kind="money",
        currency="USD",
        series=(
            Series(name="level", values=(steps[0], None, steps[2]), color="C0"),
            Series(name="up", values=(None, mix if mix > 0 else None, None), color="C2"),
            Series(name="down", values=(None, mix if mix < 0 else None, None), color="C3"),
        ),
    )
    return chart(described, pd.DataFrame({"x": [1.0]}), {"x": "count"})


def test_a_label_takes_the_text_of_today_and_one_that_was_taken_away_stays_away(tmp_path: Path) -> None:
    path = made(notebook(bars=bridge(-2e5)), tmp_path)

    def strip(opened: Any) -> None:
        first = shape_of(opened, "bars:chart").chart._chartSpace.find(".//c:ser[2]/c:dLbls/c:dLbl", NAMES)
        first.getparent().remove(first)

    now, _ = again(edited(path, strip), notebook(bars=bridge(3e6)))
    shape = shape_of(now, "bars:chart")
    told = {
        series.findtext("c:tx//c:v", namespaces=NAMES): {
            int(label.find("c:idx", NAMES).get("val")): label.find("c:numFmt", NAMES)
            .get("formatCode")
            .partition(";")[0]
            for label in series.iterfind("c:dLbls/c:dLbl", NAMES)
            if label.find("c:numFmt", NAMES) is not None
        }
        for series in shape.chart._chartSpace.iterfind(".//c:ser", NAMES)
    }
    assert told == {
        "(below)": {},
        "level": {2: '"$"#,##0,,"M"'},
        "up": {1: '"$"#,##0,,"M"'},
        "down": {},
    }


def test_the_number_of_a_bar_moves_beside_it_when_it_gets_thin_and_back_into_it(tmp_path: Path) -> None:
    def beside(opened: Any) -> list[float]:
        space = shape_of(opened, "bars:chart").chart._chartSpace
        return [float(each.get("val")) for each in space.iterfind(".//c:dLbl/c:layout/c:manualLayout/c:y", NAMES)]

    thick, thin, thinner = bridge(8e5), bridge(2e4), bridge(1e4)
    for before, after, count in ((thick, thin, 1), (thin, thick, 0), (thin, thinner, 1)):
        now, _ = again(made(notebook(bars=before), tmp_path), notebook(bars=after))
        fresh = pptx.Presentation(str(made(notebook(bars=after), tmp_path)))
        assert len(beside(now)) == count
        assert beside(now) == pytest.approx(beside(fresh))


def shares(high: float) -> Exhibit:
    described = Chart(
        said=say("Shares"),
        form="columns",
        categories=("a", "b"),
        kind="share",
        series=(Series(name="x", values=(0.5, high)),),
    )
    return chart(described, pd.DataFrame({"x": [1.0]}), {"x": "share"})


@pytest.mark.parametrize(("own", "wanted"), [(None, None), (2.0, 2.0)])
def test_ends_of_an_axis_follow_unless_they_are_ones_own(
    own: float | None, wanted: float | None, tmp_path: Path
) -> None:
    path = made(notebook(bars=shares(0.9)), tmp_path)

    def set_end(opened: Any) -> None:
        chart_ = shape_of(opened, "bars:chart").chart
        assert chart_.value_axis.maximum_scale == 1.0
        chart_.value_axis.maximum_scale = own or 1.0
        chart_.plots[0].gap_width = 33

    now, _ = again(edited(path, set_end), notebook(bars=shares(0.6)))
    axis = shape_of(now, "bars:chart").chart.value_axis
    assert (axis.maximum_scale, axis.minimum_scale) == (wanted, 0.0)
    assert shape_of(now, "bars:chart").chart.plots[0].gap_width == 33


def test_a_number_format_of_ones_own_stays_unless_it_would_turn_the_sign(tmp_path: Path) -> None:
    def bridge(mix: float, more: float) -> Exhibit:
        described = Chart(
            said=say("A bridge"),
            form="waterfall",
            categories=("plan", "mix", "more"),
            kind="money",
            currency="USD",
            series=(Series(name="level", values=(5e6, mix, more), color="C0"),),
        )
        return chart(described, pd.DataFrame({"x": [1.0]}), {"x": "count"})

    path = made(notebook(bars=bridge(-2e6, -1e6)), tmp_path)

    def reformat(opened: Any) -> None:
        for each in shape_of(opened, "bars:chart").chart._chartSpace.iterfind(".//c:dLbl/c:numFmt", NAMES):
            lead = '"−"' if "−" in each.get("formatCode") else ""
            each.set("formatCode", f"{lead}0;{lead}0")

    now, _ = again(edited(path, reformat), notebook(bars=bridge(2e6, -3e6)))
    assert formats(shape_of(now, "bars:chart")) == ["0;0", '"$"#,##0,,"M";"$"#,##0,,"M"', '"−"0;"−"0']


# --- what is no longer, and what is new -------------------------------------------------------------------------


def test_an_exhibit_that_went_is_left_and_told_and_a_new_one_is_told(tmp_path: Path) -> None:
    whole = small(15)
    path = made(notebook(facts=whole["facts"], bars=whole["bars"]), tmp_path)
    was = parts_of(path.read_bytes())
    raw, found = refreshed(notebook(facts=small(15)["facts"], rows=small(15)["rows"]), REPORT, path)
    assert {each.message.split(" of ")[0] for each in found if each.kind == "gone"} >= {"chart", "title"}
    assert [each.message for each in found if each.kind == "new"] == ["rows is new in the report and not in this deck"]
    charts = {name for name in was if "/charts/" in name}
    assert {name: parts_of(raw)[name] for name in charts} == {name: was[name] for name in charts}


def test_a_caveat_that_the_deck_has_no_place_for_is_told(tmp_path: Path) -> None:
    path = made(notebook(rows=long_table(3)), tmp_path)
    _, found = again(path, notebook(rows=replace(long_table(3), notes=("Provisional: the youngest are open.",))))
    assert [(each.kind, each.text) for each in found if "note of rows" in each.message] == [
        ("new", "Provisional: the youngest are open.")
    ]


def test_a_fact_that_is_new_or_went_is_told(tmp_path: Path) -> None:
    whole = small(15)["facts"]
    fewer = text(whole.said, {"Leads": whole.facts[1]}, notes=whole.notes)
    path = made(notebook(facts=fewer), tmp_path)
    _, found = again(path, notebook(facts=whole))
    assert [(each.kind, each.text) for each in found] == [("new", "New ARR: $1.15M")]
    now, found = again(made(notebook(facts=whole), tmp_path), notebook(facts=fewer))
    assert [(each.kind, each.text) for each in found] == [("gone", "$1.15M New ARR")]
    assert shape_of(now, "facts:fact").text_frame.text == "$1.15M\nNew ARR"


def test_deleted_slides_stay_deleted(tmp_path: Path) -> None:
    path = made(notebook(**small(15)), tmp_path)

    def delete(opened: Any) -> None:
        order = opened.slides._sldIdLst
        place = next(at for at, slide in enumerate(opened.slides) if slide == slide_of(opened, "rows"))
        opened.part.drop_rel(order[place].rId)
        del order[place]

    now, found = again(edited(path, delete), notebook(**small(20)))
    assert len(now.slides) == 4
    assert found == []


def test_a_deck_in_a_companys_template_keeps_it(august: Any, september: Any, tmp_path: Path) -> None:
    company = tmp_path / "company.pptx"
    pptx.Presentation().save(str(company))  # 4:3, another make
    path = _stored(tmp_path / "deck.pptx", deck(august, REPORT, company))
    raw, _ = refreshed(september, REPORT, path)
    assert said(Package(raw)) == said(Package(deck(september, REPORT, company)))
    assert pptx.Presentation(io.BytesIO(raw)).slide_width == 9_144_000


# --- refusals ---------------------------------------------------------------------------------------------------


def test_what_cannot_be_refreshed_says_why(tmp_path: Path) -> None:
    path = made(notebook("One", **small(15)), tmp_path)
    raw = path.read_bytes()
    cases = {
        "other plan": (raw, notebook("Two", **small(15)), REPORT, "of the plan 'One', not of 'Two'"),
        "other report": (raw, notebook("One", **small(15)), "rates", "of the report board_report, not of rates"),
        "no deck": (b"PK nothing", notebook(), REPORT, "is not a presentation"),
        "cut off": (raw[: len(raw) // 2], notebook(), REPORT, "is not a presentation"),
        "flipped": (_flipped(raw), notebook(), REPORT, "missing or damaged"),
        "macros": (_with(raw, "ppt/vbaProject.bin", b"x"), notebook(), REPORT, "holds macros"),
        "no record": (_without_record(raw), notebook(), REPORT, "carries no record"),
        "odd record": (
            _with(raw, "docProps/custom.xml", _odd_record()),
            notebook(),
            REPORT,
            "its own making cannot be read",
        ),
        "bomb": (_with(raw, "ppt/media/a.xml", b" " * 70_000_000), notebook(), REPORT, "unpacks to more than"),
    }
    for name, (content, source, report, reason) in cases.items():
        with pytest.raises(PlanError) as refusal:
            refreshed(source, report, _stored(tmp_path / "other.pptx", content))
        assert reason in str(refusal.value), name


def _flipped(raw: bytes) -> bytes:
    """A deck of which one part is not what its check sum says."""
    with zipfile.ZipFile(io.BytesIO(raw)) as parts:
        entry = parts.getinfo("ppt/slides/slide2.xml")
    place = entry.header_offset + 30 + len(entry.filename) + entry.compress_size // 2
    return raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :]


def _with(raw: bytes, name: str, content: bytes) -> bytes:
    parts = {**parts_of(raw), name: content}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for each, held in parts.items():
            target.writestr(each, held)
    return buffer.getvalue()


def _without_record(raw: bytes) -> bytes:
    opened = pptx.Presentation(io.BytesIO(raw))
    buffer = io.BytesIO()
    opened.save(buffer)
    return _with(buffer.getvalue(), "docProps/custom.xml", b'<Properties xmlns="a"/>')


def _odd_record() -> bytes:
    space = "http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"
    return f'<Properties xmlns="{space}"><property name="revplan 001">%%%</property></Properties>'.encode()


# --- the command ------------------------------------------------------------------------------------------------


def test_the_command_refreshes_in_place_and_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole report: the deck of the committed one, brought to what was known a month before."""
    out, day = tmp_path / "out", "as_of=2026-08-31"
    out.mkdir()
    committed = notebook_in(ROOT / "notebooks" / f"{REPORT}.ipynb")
    committed.metadata["revplan"] = {
        "report": REPORT,
        "plan": "Orrinvale Software FY26",
        "revplan": "test",
        "pack": "0fb1c2d3e4a5",
    }
    path = _stored(out / f"{REPORT}.pptx", deck(committed, REPORT))
    asked = ["report", REPORT, str(FY26), "--set", day, "--refresh"]
    edited(path, lambda opened: own_box(own_slide(opened), "Landing: $2.64M, sure", "figure: nothing of that name"))
    own = _stored(tmp_path / "My deck.pptx", path.read_bytes())
    assert main([*asked, str(own), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["files"] == [str(own)]
    assert own.read_bytes() != path.read_bytes()
    assert "gone" in [each["kind"] for each in answer["findings"]]
    assert main([*asked, str(path), "--out", str(out), "--formats", "html,pptx"]) == 0
    assert path.read_bytes() == own.read_bytes()
    assert "nothing of that name" in capsys.readouterr().out
    assert main(["check", str(out)]) == 0


def test_the_command_refuses_before_it_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = made(notebook(**small(15)), tmp_path)
    raw = path.read_bytes()
    plan = str(FY26)
    for more, reason in (
        (["annual_commit", plan, "--refresh", str(path)], "is a deck of the report board_report"),
        ([REPORT, plan, "--refresh", str(path)], "is a deck of the plan 'Example'"),
        ([REPORT, plan, "--refresh", str(tmp_path / "none.pptx")], "is not a file"),
        ([REPORT, plan, "--refresh", str(path), "--formats", "html"], "ask for the format pptx"),
        ([REPORT, plan, "--refresh", str(path), "--template", str(path)], "keeps its own layouts"),
        ([f"{REPORT},rates", plan, "--refresh", str(path)], "takes the deck of one report"),
        ([REPORT, plan, "--refresh", str(path), "--formats", "html,pptx"], "the deck alone is refreshed"),
        ([REPORT, plan], "--out: is missing"),
    ):
        assert main(["report", *more]) == 2, more
        assert reason in capsys.readouterr().err
    assert path.read_bytes() == raw
    assert sorted(each.name for each in tmp_path.iterdir()) == ["deck.pptx"]


# --- LibreOffice ------------------------------------------------------------------------------------------------


def test_a_deck_saved_by_libreoffice_refreshes(office: str, august: Any, september: Any, tmp_path: Path) -> None:
    """It forgets the names of titles, alternative texts and the workbooks of charts, and writes every part anew."""
    path = made(august, tmp_path)
    edited(path, lambda opened: retitle(opened, "coverage"), lambda opened: own_slide(opened, "Ours"))
    profile = f"-env:UserInstallation=file://{tmp_path}/profile"
    edited(
        path, lambda opened: setattr(own_box(own_slide(opened), "120 SQLs"), "name", f"figure: {SQLS} to date actual")
    )
    command = [office, profile, "--headless", "--convert-to", "pptx", "--outdir", str(tmp_path / "lo"), str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    now, _ = again(tmp_path / "lo" / "deck.pptx", september)
    fresh = pptx.Presentation(io.BytesIO(deck(september, REPORT)))
    assert len(now.slides) == len(fresh.slides) + 2
    for slide, wanted in zip(now.slides, fresh.slides, strict=False):
        texts = [plainly(each) for each in slide.shapes if each.has_text_frame]
        for shape in wanted.shapes:
            if shape.has_chart:
                there = next(each for each in slide.shapes if each.has_chart)
                assert drawn(there) == {name: pytest.approx(values) for name, values in drawn(shape).items()}
                held = sheet(there)
                assert {name: held[name][: len(values)] for name, values in drawn(there).items()} == drawn(there)
            elif shape.has_table:
                there = next(each for each in slide.shapes if each.has_table)
                assert tidy(cells(there)) == tidy(cells(shape))
            elif shape.name.startswith(REPORT) and shape.name != f"{REPORT}:coverage:title":
                assert plainly(shape) in texts, shape.name
        if wanted.has_notes_slide:
            spoken = (each.notes_slide.notes_text_frame.text.replace("\u2060", "") for each in (slide, wanted))
            assert next(spoken) == next(spoken)
    assert "What we make of coverage" in titles(now)
    assert [slide.shapes[-1].text_frame.text for slide in list(now.slides)[-2:]] == ["Ours", "171 SQLs"]
    looks_of = (
        [formats(shape) for slide in each.slides for shape in slide.shapes if shape.has_chart] for each in (now, fresh)
    )
    assert next(looks_of) == next(looks_of)


def formats(shape: Any) -> list[str]:
    """How the labels of a chart write their numbers."""
    return [each.get("formatCode") for each in shape.chart._chartSpace.iterfind(".//c:dLbl/c:numFmt", NAMES)]
