"""The board pack: its four printings say the same, figure by figure, as the registry.

The committed notebook is printed, so that what is read back is what a reader of the repository sees.
"""

from __future__ import annotations

import io
import math
import re
import shutil
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hard_companies import before_the_appendix
from lxml import html as lxml_html

from revplan.exhibits.figures import measures
from revplan.ground.formats import MISSING
from revplan.ground.tables import NUMERIC
from revplan.printing.blocks import exhibits
from revplan.printing.registry import displayed, registry
from revplan.printing.slides.record import WORD_JOINER
from revplan.run.notebooks import notebook_in
from revplan.run.render import FORMATS, Request, keep_own_definitions, printing

pptx = pytest.importorskip("pptx")

ROOT = Path(__file__).resolve().parents[2]
PLAN = ROOT / "data" / "example" / "plan_fy26.yaml"
MOST_SLIDES = (
    17  # twelve, and the line of the quarter, eight quarters, ARR, what was asked last time, the history of the landing
)
PACK = "0fb1c2d3e4a5"


@pytest.fixture(scope="module")
def notebook() -> Any:
    """The committed board report."""
    found = notebook_in(ROOT / "notebooks" / "board_report.ipynb")
    found.metadata["revplan"] = {
        "report": "board_report",
        "plan": "Orrinvale Software FY26",
        "revplan": "test",
        "pack": PACK,
    }
    return found


@pytest.fixture(scope="module")
def raw(notebook: Any) -> list[dict[str, Any]]:
    """Its exhibits."""
    return exhibits(notebook)


@pytest.fixture(scope="module")
def printed(notebook: Any) -> dict[str, bytes]:
    """Its printings by format."""
    request = Request(name="board_report", plan_path=PLAN)
    return {kind: printing(kind, notebook, request) for kind in FORMATS}


def tables(raw: list[dict[str, Any]]) -> list[list[list[str]]]:
    """The rows of every table as they are to be displayed."""
    return [each["shown"] for each in raw if each["kind"] == "table"]


def facts(raw: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """The facts of every text."""
    return [tuple(row) for each in raw if each["kind"] == "text" for row in each["shown"]]


def test_the_definitions_are_those_of_the_figures_the_report_shows(notebook: Any) -> None:
    printed_from = deepcopy(notebook)
    keep_own_definitions(printed_from)
    found = exhibits(printed_from)
    shown = {figure["measure"] for each in found for figure in each["figures"]}
    told = [row[0] for row in found[-1]["shown"]]
    assert told == [each.label for name, each in measures().items() if name in shown]
    assert 0 < len(told) < len(measures())
    assert [row[0] for row in exhibits(notebook)[-1]["shown"]] == [each.label for each in measures().values()]


# --- the registry --------------------------------------------------------------------------------


def test_every_displayed_number_is_its_figure_to_the_last_digit(raw: list[dict[str, Any]]) -> None:
    assert len(registry(raw)) > 100
    checked = 0
    for exhibit in raw:
        names = [column["name"] for column in exhibit["columns"]]
        for figure in exhibit["figures"]:
            if figure["row"] is None or exhibit["kind"] == "chart":
                continue
            text = exhibit["shown"][figure["row"]][names.index(figure["column"])]
            assert agrees(text, figure["value"], exhibit["columns"][names.index(figure["column"])]["kind"]), figure[
                "id"
            ]
            checked += 1
    assert checked > 60


def agrees(text: str, value: float | None, kind: str) -> bool:
    """Whether `text` is `value` rounded to the digits that are displayed."""
    if value is None:
        return text == MISSING
    scale = 100.0 if kind == "share" else 1.0
    digits = len(text.rstrip("%").partition(".")[2])
    return math.isclose(displayed(text), value * scale, abs_tol=0.5 * 10**-digits + 1e-9)


def test_sentences_quote_figures_that_stand_in_tables_too(raw: list[dict[str, Any]]) -> None:
    quoted = {figure["id"] for each in raw for figure in each["figures"] if figure["column"] in ("message", "fact")}
    placed = {figure["id"] for each in raw for figure in each["figures"] if figure["row"] is not None}
    assert len(quoted & placed) >= 12


# --- the printings -------------------------------------------------------------------------------


def test_the_page_says_what_the_registry_says(raw: list[dict[str, Any]], printed: dict[str, bytes]) -> None:
    page = lxml_html.fromstring(printed["html"])
    found = [
        [[cell.text_content() for cell in row] for row in each.xpath(".//tbody/tr | .//tfoot/tr")]
        for each in page.xpath("//figure//table")
    ]
    assert found == tables(raw)
    pairs = [(each.findtext("dt"), each.findtext("dd")) for each in page.xpath("//figure//dl/div")]
    assert pairs == facts(raw)
    assert [each.text_content() for each in page.xpath("//figcaption | //caption")] == [each["message"] for each in raw]


def test_the_workbook_says_what_the_registry_says(raw: list[dict[str, Any]], printed: dict[str, bytes]) -> None:
    book = openpyxl.load_workbook(io.BytesIO(printed["xlsx"]), data_only=True)
    sheets = {sheet["A1"].value: sheet for sheet in book.worksheets}
    for exhibit in raw:
        rows = list(sheets[exhibit["message"]].iter_rows(values_only=True))
        labels = [column["label"] for column in exhibit["columns"]]
        if not labels:
            continue
        head = (
            next(at for at, row in enumerate(rows) if list(row[: len(labels)]) == labels)
            if exhibit["kind"] != "text"
            else 2
        )
        for at, column in enumerate(exhibit["columns"]):
            for number, values in enumerate(exhibit["rows"]):
                cell = rows[head + 1 + number][at]
                if column["kind"] in NUMERIC:
                    same = cell is None if values[at] is None else math.isclose(cell, values[at], rel_tol=1e-12)
                    assert same, (exhibit["message"], column["name"], number)


def test_the_slides_say_what_the_registry_says(raw: list[dict[str, Any]], printed: dict[str, bytes]) -> None:
    deck = pptx.Presentation(io.BytesIO(printed["pptx"]))
    assert len(before_the_appendix(deck)) <= MOST_SLIDES
    shapes = [shape for slide in deck.slides for shape in slide.shapes]
    cells = [[[cell.text for cell in row.cells] for row in shape.table.rows][1:] for shape in shapes if shape.has_table]
    for wanted in (each["shown"] for each in raw if each["kind"] == "table" and not each["appendix"]):
        assert wanted in cells
    words = "\n".join(shape.text_frame.text for shape in shapes if shape.has_text_frame).replace(WORD_JOINER, "")
    for label, value in facts(raw):
        assert label in words
        assert value in words
    drawn = [chart_numbers(shape.chart) for shape in shapes if shape.has_chart]
    pictures = [each for each in raw if each["native"]]
    charts = [chart for each in pictures for chart in (each["native"].get("panels") or [each["native"]])]
    assert len(drawn) == len(charts) > len(pictures) > 3
    for chart in charts:
        described = {round(abs(v), 6) for s in chart["series"] for v in s["values"] if v is not None}
        assert any(described <= found for found in drawn), chart
    for chart in (each for each in pictures if each["kind"] == "chart"):
        numbers = {round(abs(v), 6) for row in chart["rows"] for v in row if isinstance(v, float)}
        assert any(len(numbers & found) >= 0.5 * len(numbers) for found in drawn), chart["message"]


def chart_numbers(chart: Any) -> set[float]:
    """Every value that a native chart holds."""
    return {
        round(abs(value), 6)
        for plot in chart.plots
        for series in plot.series
        for value in series.values
        if value is not None
    }


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is missing")
def test_the_pdf_says_what_the_registry_says(
    raw: list[dict[str, Any]], printed: dict[str, bytes], tmp_path: Path
) -> None:
    (tmp_path / "pack.pdf").write_bytes(printed["pdf"])
    done = subprocess.run(["pdftotext", "-raw", tmp_path / "pack.pdf", "-"], capture_output=True, check=True)
    text = squeezed(done.stdout.decode())
    for exhibit in raw:
        assert squeezed(exhibit["message"]) in text
        for row in exhibit["shown"]:
            for cell in row:
                assert squeezed(cell) in text, (exhibit["message"], cell)


def squeezed(text: str) -> str:
    """A text without blanks and breaks, which differ between lines and cells."""
    return re.sub(r"[\s\u200b]+", "", text)


def test_every_printing_says_what_it_was_made_from(printed: dict[str, bytes], tmp_path: Path) -> None:
    assert b"Orrinvale Software FY26" in printed["html"]
    book = openpyxl.load_workbook(io.BytesIO(printed["xlsx"]), data_only=True)
    cells = [cell.value for row in book.worksheets[0].iter_rows() for cell in row]
    assert "Orrinvale Software FY26" in cells
    deck = pptx.Presentation(io.BytesIO(printed["pptx"]))
    last = [
        cell.text
        for shape in deck.slides[-1].shapes
        if shape.has_table
        for row in shape.table.rows
        for cell in row.cells
    ]
    assert "Orrinvale Software FY26" in last
    assert (PACK in cells, PACK in last, PACK.encode() in printed["html"]) == (True, True, True)


def test_the_pdf_carries_the_id_of_its_pack(printed: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(printed["pdf"])
    text = subprocess.run(["pdftotext", tmp_path / "a.pdf", "-"], capture_output=True, text=True, check=True).stdout
    assert PACK in text


def test_page_and_pdf_have_the_same_bytes_each_time(notebook: Any, printed: dict[str, bytes]) -> None:
    request = Request(name="board_report", plan_path=PLAN)
    for kind in ("html", "pdf"):
        assert printing(kind, notebook, request) == printed[kind]


def test_tables_stand_behind_their_pictures(raw: list[dict[str, Any]], printed: dict[str, bytes]) -> None:
    deck = pptx.Presentation(io.BytesIO(printed["pptx"]))
    pictured = [each for each in raw if each["kind"] == "table" and each["native"]]
    assert [each["message"].split()[0] for each in pictured]
    for each in pictured:
        of_it = [slide for slide in deck.slides if slide.shapes.title.text_frame.text.startswith(each["message"][:40])]
        assert [any(shape.has_chart for shape in slide.shapes) for slide in of_it] == [True, False]
        assert [any(shape.has_table for shape in slide.shapes) for slide in of_it] == [False, True]
    page = printed["html"].decode()
    assert page.count("<details><summary>Table</summary>") == len(pictured)


def test_no_note_of_a_slide_breaks_off(printed: dict[str, bytes]) -> None:
    deck = pptx.Presentation(io.BytesIO(printed["pptx"]))
    texts = [shape.text_frame.text for slide in deck.slides for shape in slide.shapes if shape.has_text_frame]
    assert texts
    assert [text for text in texts if text.endswith("…")] == []
