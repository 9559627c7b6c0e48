"""The deck: native charts and tables with the numbers of the exhibits, in our master and in a company's own.

Slides are opened in LibreOffice too; skipped with a reason where it is missing, except in CI, where it fails.
"""

from __future__ import annotations

import io
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from datetime import datetime
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from revplan.exhibits import charts
from revplan.exhibits.chart import Chart, Series, checked, day_number, from_raw
from revplan.exhibits.exhibit import Exhibit, chart, table, text
from revplan.exhibits.figures import FigureCells, figure, say
from revplan.exhibits.fit import BOLD, cut, height, lines, width
from revplan.exhibits.shapes import STYLE
from revplan.ground.errors import PlanError, ReportError
from revplan.ground.formats import compact
from revplan.printing.blocks import exhibits
from revplan.printing.slides.chart import PLOT, SCHEME, chart_parts, drawn_series, number_format
from revplan.printing.slides.deck import deck
from revplan.printing.slides.template import MASTER, open_template
from tools.master import COLORS, master

pptx = pytest.importorskip("pptx")

ROOT = Path(__file__).resolve().parents[2]
EVIL = "<script>alert(1)</script> =cmd|'/c calc'!A1 {{ 7*7 }} ../../x"
LONG = "endless " * 600 + "x" * 5_000
CJK, RTL = "株式会社の中堅企業向けセグメント", "القطاع المتوسط עברית"
NAMES = [EVIL, "nul\x00 bell\x07 half\ud800", LONG, CJK, RTL, "=1+1", "\u202egnp.exe", "a & b < c"]
C = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"
INKS = dict.fromkeys(SCHEME, "paper")
PLAN = {"plan": "Example FY27", "plan_date": "15 Nov 2026", "plan_fingerprint": "0123456789ab", "revplan": "0.1"}


def notebook(*shown: Exhibit | str) -> Any:
    """An executed notebook of exhibits, and of Markdown where a text is given."""
    cells = [
        new_markdown_cell(each)
        if isinstance(each, str)
        else new_code_cell("x", outputs=[new_output("execute_result", each._repr_mimebundle_(), execution_count=1)])
        for each in shown
    ]
    return new_notebook(cells=cells, metadata={"revplan": PLAN})


def opened(raw: bytes) -> Any:
    return pptx.Presentation(io.BytesIO(raw))


def slides_of(*shown: Exhibit | str, template: Path | None = None) -> list[Any]:
    """The slides of exhibits, without the first and the last."""
    return list(opened(deck(notebook(*shown), "example", template)).slides)[1:-1]


def frames(slide: Any) -> list[Any]:
    return [shape for shape in slide.shapes if shape.has_chart or shape.has_table]


def cells_of(slide: Any) -> list[list[str]]:
    """The cells of a slide's table, row by row, without its head."""
    grid = next(shape.table for shape in slide.shapes if shape.has_table)
    return [[cell.text for cell in row.cells] for row in grid.rows][1:]


def sheet_of(shape: Any) -> dict[str, list[Any]]:
    """The columns of a chart's workbook by their heading; the categories have none."""
    book = openpyxl.load_workbook(io.BytesIO(shape.chart.part.chart_workbook.xlsx_part.blob))
    columns = [[cell.value for cell in column] for column in book["Sheet1"].iter_cols()]
    return {column[0] or "": column[1:] for column in columns}


def drawn_of(slide: Any) -> dict[str, list[Any]]:
    """The series of a slide's chart by name, as PowerPoint reads them."""
    shape = next(shape for shape in slide.shapes if shape.has_chart)
    names = {"c": "http://schemas.openxmlformats.org/drawingml/2006/chart"}
    found = {}
    for series in shape.chart._chartSpace.iterfind(".//c:ser", names):
        points = (
            series.find("c:val", names) if series.find("c:val", names) is not None else series.find("c:yVal", names)
        )
        values = [None] * int(points.find(".//c:ptCount", names).get("val"))
        for point in points.iterfind(".//c:pt", names):
            values[int(point.get("idx"))] = float(point.find("c:v", names).text)
        found[series.find("c:tx//c:v", names).text] = values
    return found


def xml_of(raw: bytes) -> bytes:
    """All XML of a deck."""
    with zipfile.ZipFile(io.BytesIO(raw)) as parts:
        return b"".join(parts.read(name) for name in parts.namelist() if name.endswith(".xml"))


def everything(raw: bytes) -> list[str]:
    """Every text of every slide: shapes, tables, notes."""
    found = []
    for slide in opened(raw).slides:
        for shape in slide.shapes:
            found += [shape.text_frame.text] if shape.has_text_frame else []
            found += [cell.text for row in shape.table.rows for cell in row.cells] if shape.has_table else []
        found += [slide.notes_slide.notes_text_frame.text] if slide.has_notes_slide else []
    return found


@pytest.fixture(scope="module")
def reports() -> dict[str, Any]:
    """The committed notebooks, as they were run."""
    names = ("annual_commit", "rates")
    return {name: nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4) for name in names}


@pytest.fixture(scope="module")
def decks(reports: dict[str, Any]) -> dict[str, bytes]:
    return {name: deck(report, name) for name, report in reports.items()}


# --- the numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["annual_commit", "rates"])
def test_every_chart_is_native_and_holds_the_exhibits_numbers(
    name: str, reports: dict[str, Any], decks: dict[str, bytes]
) -> None:
    wanted = [raw for raw in exhibits(reports[name]) if raw["kind"] == "chart"]
    slides = [slide for slide in opened(decks[name]).slides if any(shape.has_chart for shape in slide.shapes)]
    assert len(slides) == len(wanted) > 4
    assert not any(
        shape.shape_type == 13 for slide in opened(decks[name]).slides for shape in slide.shapes
    )  # a picture
    for slide, raw in zip(slides, wanted, strict=True):
        found, native = drawn_of(slide), from_raw(raw["native"], raw["message"])
        if native.form != "waterfall":
            assert found == {series.name: list(series.values) for series in native.series}
        behind = sheet_of(frames(slide)[0])
        assert {heading: behind[heading][: len(values)] for heading, values in found.items()} == found


@pytest.mark.parametrize("name", ["annual_commit", "rates"])
def test_every_number_of_tables_and_tiles_is_the_one_displayed_everywhere(
    name: str, reports: dict[str, Any], decks: dict[str, bytes]
) -> None:
    slides = list(opened(decks[name]).slides)
    rows = [tuple(row) for slide in slides if any(s.has_table for s in slide.shapes) for row in cells_of(slide)]
    tiles = [
        tuple(each.text.replace("\u00a0", " ").replace("\u2011", "-") for each in shape.text_frame.paragraphs)
        for slide in slides
        for shape in slide.shapes
        if ":fact" in shape.name or ":line" in shape.name
    ]
    for raw in exhibits(reports[name]):
        if raw["kind"] == "table":
            assert [row for row in map(tuple, raw["shown"]) if row not in rows] == []
        if raw["kind"] == "text":
            set_as = [fact if raw.get("lined") else fact[::-1] for fact in map(tuple, raw["shown"])]
            assert [fact for fact in set_as if fact not in tiles] == []


def test_charts_carry_raw_rows_of_every_drawn_table(reports: dict[str, Any]) -> None:
    """Columns of the exhibit's own rows are found again among the native series, unrounded."""
    drawn = [each for each in exhibits(reports["annual_commit"]) if each["kind"] == "chart"]
    by_column = {each["columns"][0]["name"]: each for each in drawn}
    tornado, bridge = by_column["driver"], by_column["term"]
    at = [column["name"] for column in tornado["columns"]].index("arr_low")
    assert tornado["native"]["series"][0]["values"] == [row[at] for row in tornado["rows"]]
    places = zip(*(series["values"] for series in bridge["native"]["series"]), strict=True)
    amounts = [next(value for value in values if value is not None) for values in places]
    less = [-1 if row[0] in ("churn", "contraction") else 1 for row in bridge["rows"]]
    assert amounts == [sign * row[1] for sign, row in zip(less, bridge["rows"], strict=True) if row[1]]


def test_native_charts_of_quarters_by_hand() -> None:
    table = pd.DataFrame(
        {
            "quarter": ["2027-Q1", "2027-Q2"],
            "label": ["Jan-Mar 2027 (Q1 FY27)", "Apr-Jun 2027 (Q2 FY27)"],
            "goal": [100.0, 120.0],
            "commit_arr": [50.0, 110.0],
            "open_pipeline": [30.0, 10.0],
            "won": [5.0, 0.0],
            "shortfall": [15.0, 0.0],
            "surplus": [0.0, 0.0],
            "recovered_by": ["", ""],
            "before_plan_date": [60.0, 20.0],
        }
    )
    made = charts.quarters(table, "USD")
    assert made.categories == tuple(table["label"])
    assert {each.name: each.values for each in made.series} == {
        "won before": (5.0, 0.0),
        "open pipeline": (30.0, 10.0),
        "expected commit": (50.0, 110.0),
        "shortfall": (15.0, 0.0),
        "goal": (100.0, 120.0),
    }
    assert [each.values for each in charts.dependence(table, table, "USD", "2026-11-15", recorded=True).series] == [
        (60.0, 20.0),
        (35.0, 10.0),
    ]


def test_native_bridge_by_hand() -> None:
    terms = ("opening_arr", "new_arr", "expansion", "contraction", "churn", "closing_arr")
    made = charts.bridge(pd.DataFrame({"term": terms, "amount": [100.0, 30.0, 0.0, 5.0, 10.0, 115.0]}), "USD")
    assert made.categories == ("Opening", "New", "Contraction", "Churn", "Closing")
    assert {each.name: each.values for each in made.series} == {
        "ARR": (100.0, None, None, None, 115.0),
        "adds": (None, 30.0, None, None, None),
        "takes away": (None, None, -5.0, -10.0, None),
    }


def test_native_budget_adds_up_by_hand() -> None:
    months = pd.period_range("2027-01", periods=2, freq="M")
    rows = [(f"s{n}", month, 10.0 * (n + 1)) for n in range(8) for month in months] + [("s7", months[1], 5.0)]
    made = charts.budget(pd.DataFrame(rows, columns=["source", "month", "spend"]), "USD")
    # the five dearest of eight by name (s3 to s7: 40 to 80), the others as one: 10 + 20 + 30
    assert [each.name for each in made.series] == ["s3", "s4", "s5", "s6", "s7", "3 others"]
    assert [each.values for each in made.series][-2:] == [(80.0, 85.0), (60.0, 60.0)]
    assert made.categories == ("Jan 2027", "Feb 2027")


# --- waterfalls ------------------------------------------------------------------------------------------------


def falling(*steps: tuple[str, float]) -> Chart:
    """A waterfall of levels (`=`) and changes (`+`)."""
    values = {mark: tuple(value if each == mark else None for each, value in steps) for mark in "=+"}
    return Chart(
        said="Falls",
        form="waterfall",
        categories=tuple(f"{place}" for place in range(len(steps))),
        series=(Series(name="level", values=values["="], mark="level"), Series(name="change", values=values["+"])),
        kind="money",
        currency="USD",
    )


def waterfall(*steps: tuple[str, float]) -> Exhibit:
    """The same as an exhibit, drawn as nothing in particular."""
    frame = pd.DataFrame({"value": [value for _, value in steps]})
    return chart(falling(*steps), frame, {"value": "money"})


def spans(found: dict[str, list[Any]]) -> list[tuple[float, float]]:
    """Lower and upper end of what is drawn at each place: positive parts stack up, negative ones down."""
    columns = list(zip(*([value or 0.0 for value in values] for values in found.values()), strict=True))
    ends = []
    for base, *parts in columns:
        up, down = max(base, 0.0), min(base, 0.0)
        above, below = sum(p for p in parts if p > 0), sum(p for p in parts if p < 0)
        ends.append((down + below if below else up, up + above if above else down))
    return ends


def test_a_waterfall_floats_above_and_below_zero() -> None:
    # 100; +50: 100..150; -180: -30..150; -20: -50..-30; +80: -50..30; level 30
    (slide,) = slides_of(waterfall(("=", 100), ("+", 50), ("+", -180), ("+", -20), ("+", 80), ("=", 30)))
    found = drawn_of(slide)
    assert list(found) == ["(below)", "level", "change", "change, below zero"]
    assert found["(below)"] == [0, 100, 0, -30, 0, 0]
    assert spans(found) == [(0, 100), (100, 150), (-30, 150), (-50, -30), (-50, 30), (0, 30)]


@given(st.lists(st.integers(-1_000, 1_000).filter(bool), min_size=1, max_size=8))
@settings(max_examples=40, deadline=None)
def test_every_waterfall_leads_from_level_to_level(changes: list[int]) -> None:
    """Each bar reaches from where the one before it ended to where the next begins."""
    levels = list(accumulate(changes, initial=100))
    shown = falling(("=", levels[0]), *(("+", change) for change in changes), ("=", levels[-1]))
    drawn, book = chart_parts(shown, dict.fromkeys(SCHEME, "ink"), 12.0)
    sheet = openpyxl.load_workbook(io.BytesIO(book))["Sheet1"]
    columns = [[cell.value for cell in column[1:]] for column in sheet.iter_cols(min_col=2)]
    found = spans(dict(enumerate(columns)))
    steps = [(0, levels[0]), *pairwise(levels), (0, levels[-1])]
    assert found == [(min(step), max(step)) for step in steps]
    assert drawn.startswith(b"<?xml")


@given(st.text(max_size=120), st.floats(8, 40), st.floats(0.8, 12))
@settings(max_examples=80, deadline=None)
def test_no_line_is_wider_than_its_room_and_no_letter_is_lost(words: str, size: float, room: float) -> None:
    found = lines(words, size, room)
    assert "".join("".join(found).split()) == "".join(words.split())
    assert all(width(line, size) <= room for line in found)


def test_a_waterfall_above_zero_has_no_second_part() -> None:
    (slide,) = slides_of(waterfall(("=", 8.0e6), ("+", 2.0e6), ("+", -1.0e6), ("=", 9.0e6)))
    assert list(drawn_of(slide)) == ["(below)", "level", "change"]
    plot = frames(slide)[0].chart.plots[0]
    assert (plot.overlap, plot._element.grouping.val) == (100, "stacked")
    base = plot.series[0].format
    assert (base.fill.type, base.line.fill.type) == (5, 5)  # MSO_FILL.BACKGROUND: not drawn


def test_the_number_of_a_thin_bar_stands_beside_it_and_never_on_it() -> None:
    """Above it, or below it where it is the tallest; that of a bar with room stands in it."""
    shown = falling(("=", 100.0), ("+", -2.0), ("+", -58.0), ("+", 1.0), ("=", 41.0))
    (change,) = [each for each in drawn_series(shown, INKS, 12.0) if each.series.name == "change"]
    assert set(change.beside) == {1, 3}
    assert change.beside[1] > 0.02 + PLOT * 0.02 / 2  # lower: it hangs from the tallest bar
    assert change.beside[3] < -0.02 - PLOT * 0.01 / 2
    xml, _ = chart_parts(shown, INKS, 12.0)
    places = {
        int(label.find(f"{C}idx").get("val")): label.find(f"{C}layout/{C}manualLayout/{C}y")
        for label in etree.fromstring(xml).iter(f"{C}dLbl")
        if label.find(f"{C}numFmt") is not None
    }
    moved = {at: float(y.get("val")) for at, y in places.items() if y is not None}
    assert moved == pytest.approx({1: change.beside[1], 3: change.beside[3]}, rel=1e-3)


@pytest.mark.parametrize(
    ("mark", "position"), [(None, "ctr"), (9.0, "ctr"), (5.0, "inEnd"), (4.4, "inEnd"), (12.0, "ctr")]
)
def test_no_mark_crosses_the_number_in_a_bar(mark: float | None, position: str) -> None:
    bars = Series(name="has", values=(10.0,))
    needed = Series(name="needed", values=(mark,), mark="dashes")
    drawn, other = drawn_series(
        Chart(said="So.", form="stacked", categories=("a",), series=(bars, needed), kind="count"), INKS, 6.0
    )
    assert (drawn.labels, other.labels) == (("10",), ())
    assert drawn.moved.get(0, drawn.position) == position


def test_a_bar_crossed_everywhere_has_no_number() -> None:
    bars = Series(name="has", values=(1.0, 10.0))
    needed = [Series(name=str(mark), values=(mark, None), mark="dashes") for mark in (0.3, 0.7)]
    drawn, *_ = drawn_series(
        Chart(said="So.", form="stacked", categories=("a", "b"), series=(bars, *needed), kind="count"), INKS, 6.0
    )
    assert drawn.labels == ("", "10")


# --- what is written ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "wanted"),
    [
        (33_400, "USD", '"$"#,##0.0,"k"'),
        (11_000_000, "USD", '"$"#,##0,,"M"'),
        (1_250_000_000, "JPY", '"JPY "#,##0.00,,,"B"'),
        (-81_800, "EUR", '"−€"#,##0.0,"k"'),
        (420, "", "#,##0"),
    ],
)
def test_labels_follow_their_cell_and_show_what_the_message_says(amount: float, currency: str, wanted: str) -> None:
    assert number_format(compact(amount, currency)) == f"{wanted};{wanted}"


def test_days_count_as_a_workbook_counts_them() -> None:
    assert day_number(datetime(2027, 1, 1)) == 46_388.0
    assert openpyxl.utils.datetime.from_excel(46_388) == datetime(2027, 1, 1)


def test_a_series_without_one_value_a_category_is_refused() -> None:
    short = (Series(name="x", values=(1.0,)),)
    native = Chart(said="So.", form="columns", categories=("a", "b"), series=short, kind="count")
    with pytest.raises(ReportError, match="chart x: series 'x' has 1 values for 2 places"):
        checked(native, "chart x")


@pytest.mark.parametrize("name", ["annual_commit", "rates"])
def test_titles_alt_texts_and_notes(name: str, reports: dict[str, Any], decks: dict[str, bytes]) -> None:
    slides = list(opened(decks[name]).slides)
    told = [each["message"] for each in exhibits(reports[name]) if not each["appendix"]]
    assert [shape for slide in slides for shape in frames(slide) if not alt(shape)] == []
    for slide in slides[1:-1]:
        title = slide.shapes.title
        size = title.text_frame.paragraphs[0].runs[0].font.size.pt
        bold = len(lines(title.text, size * BOLD, title.width / 914_400 - 0.2))
        assert bold <= 3
        assert height(bold, size) <= title.height / 914_400  # what it says ends above the exhibit
        assert any(title.text.startswith(message[:40]) for message in told) or "figures are" in title.text
    whole = everything(decks[name])
    assert [message for message in told if not any(message in each for each in whole)] == []


def alt(shape: Any) -> str:
    return shape._element.nvGraphicFramePr.cNvPr.get("descr", "")


def test_a_message_too_long_for_its_title_is_spoken_whole() -> None:
    message = "The commit holds; " + "and so on, without an end in sight, " * 12 + "which is the point."
    (slide,) = slides_of(text(message, {"Goal": "$1M"}))
    assert slide.shapes.title.text.endswith("…")
    assert message in slide.notes_slide.notes_text_frame.text


def test_a_message_alone_stands_large_on_its_slide() -> None:
    (slide,) = slides_of(text("No record is known."))
    assert slide.shapes.title.text == "No record is known."
    assert slide.shapes.title.text_frame.paragraphs[0].runs[0].font.size.pt == 32
    assert slide.shapes.title.top > 2 * 914_400


def test_notes_and_the_prose_before_an_exhibit_are_spoken() -> None:
    frame = pd.DataFrame({"name": ["smb"], "arr": [1e6]})
    shown = table(frame, {"name": "text", "arr": "money"}, "One segment", notes=["Source: billing", "Unaudited"])
    (slide,) = slides_of("# Deck", "## Segments\n\nRead it from the *left*.", shown)
    assert slide.notes_slide.notes_text_frame.text.splitlines() == [
        "Read it from the left.",
        "Source: billing",
        "Unaudited",
    ]
    texts = [shape.text_frame.text for shape in slide.shapes if shape.has_text_frame]
    assert {"Segments", "Source: billing · Unaudited", "Example FY27 · as of 15 Nov 2026"} <= set(texts)


def test_every_figure_is_spoken_with_its_definition_and_source() -> None:
    won = figure("new_arr", 684_000.0, "2026-Q3", "actual", "USD")
    frame = pd.DataFrame({"segment": [f"s{n}" for n in range(13)], "arr": np.arange(13) * 1e4})
    rows = [{"segment": name} for name in frame["segment"]]
    columns = {"arr": {"measure": "new_arr", "period": "2026-Q3", "basis": "planned"}}
    by = table(frame, {"segment": "text", "arr": "money"}, "By segment").with_cells(
        FigureCells(rows=rows, columns=columns)
    )
    said, listed = slides_of(text(say("{won} came", won=won), {"New ARR": won}), by)
    spoken = said.notes_slide.notes_text_frame.text
    assert spoken.startswith("New ARR: $684k (2026-Q3, actual). annual value of the deals won in the period. Rounded: ")
    assert "Source: plan: what the plan expects" in spoken
    assert "New ARR: 13 figures on the slide. annual value" in listed.notes_slide.notes_text_frame.text
    last = opened(deck(notebook(by), "example")).slides[-1].notes_slide.notes_text_frame.text
    assert "New ARR: annual value of the deals won in the period. Rounded: " in last


def test_an_appendix_is_no_slide() -> None:
    by = table(pd.DataFrame({"segment": ["a"]}), {"segment": "text"}, "By segment")
    assert len(slides_of(by, by.as_appendix())) == 1


def test_the_first_slide_opens_and_the_last_says_what_it_was_made_from() -> None:
    shown = text("Commit 766 SQLs.", {"Goal": "$2.9M"}, header="Example FY27, made on 15 Nov 2026")
    made = opened(deck(notebook("# Annual commit\n\nHow many?", shown), "example"))
    first, last = made.slides[0], made.slides[-1]
    assert first.shapes.title.text == "Annual commit"
    said = next(shape for shape in first.placeholders if shape.placeholder_format.idx == 1).text_frame.text
    assert said.splitlines() == ["Example FY27, made on 15 Nov 2026", "How many?", "Commit 766 SQLs."]
    assert ["Plan date", "15 Nov 2026"] in cells_of(last)
    assert made.core_properties.title == "Annual commit"
    assert "0123456789ab" in made.core_properties.comments


def test_the_same_notebook_gives_the_same_bytes(reports: dict[str, Any], decks: dict[str, bytes]) -> None:
    assert deck(reports["rates"], "rates") == decks["rates"]


# --- what does not fit -----------------------------------------------------------------------------------------


def test_a_table_of_a_hundred_rows_goes_on_and_its_total_stands_last() -> None:
    frame = pd.DataFrame({"name": [f"segment {n}" for n in range(100)] + ["Total"], "arr": np.arange(101) * 1e4})
    slides = slides_of(table(frame, {"name": "text", "arr": "money"}, "Many segments", totals=1))
    assert [slide.shapes.title.text for slide in slides] == [f"Many segments ({n} of 6)" for n in range(1, 7)]
    rows = [row for slide in slides for row in cells_of(slide)]
    assert [row[0] for row in rows] == [*frame["name"]]
    assert rows[-1] == ["Total", "1,000,000"]
    bold = [
        [row.cells[0].text_frame.paragraphs[0].runs[0].font.bold for row in frames(slide)[0].table.rows]
        for slide in slides
    ]
    assert {tuple(each[1:]) for each in bold[:-1]} == {(False,) * (len(each) - 1) for each in bold[:-1]}
    assert bold[-1][-2:] == [False, True]
    assert [frames(slide)[0].table.last_row for slide in slides] == [False] * 5 + [True]


def test_a_table_of_forty_columns_goes_on_with_its_first_one_repeated() -> None:
    months = [f"m{n}" for n in range(40)]
    frame = pd.DataFrame([["Lead", *range(1_000_000, 1_000_040)]], columns=["stage", *months])
    slides = slides_of(table(frame, dict.fromkeys(months, "count") | {"stage": "text"}, "Every month"))
    rows = [cells_of(slide)[0] for slide in slides]
    assert len(rows) > 1
    assert {row[0] for row in rows} == {"Lead"}
    assert [cell for row in rows for cell in row[1:]] == [f"{n:,}" for n in range(1_000_000, 1_000_040)]


@pytest.mark.parametrize("text", ["plain words that are long enough for two lines", CJK * 3, "W" * 60, ""])
def test_lines_hold_the_text_and_fit(text: str) -> None:
    found = lines(text, 18, 3)
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    assert all(width(line, 18) <= 3 for line in found)


def test_ideographs_are_as_wide_as_they_are_high() -> None:
    assert width("株式会社", 72) == pytest.approx(4 * 1.02)
    assert width("iiii", 72) < 2 < width("WWWW", 72) < 4.1


def test_what_is_cut_ends_where_a_thought_ends() -> None:
    said = "The first thought is here. The second one is much longer than any line could ever hold"
    assert cut(said, 12, 3.2, 1) == "The first thought is here…"
    assert cut("short", 12, 3.2, 1) == "short"


@given(st.text("aW .,é日", min_size=1, max_size=90), st.floats(0.8, 4), st.integers(1, 3))
@settings(max_examples=80, deadline=None)
def test_what_is_cut_fits(words: str, room: float, most: int) -> None:
    assert len(lines(cut(words, 18, room, most), 18, room)) <= most


def hard_exhibits(segments: int) -> list[Exhibit]:
    """One of each kind with the worst names, of a company with few or many segments."""
    names = (NAMES * 3)[:segments]
    months = pd.period_range("2027-01", periods=12, freq="M")
    spend = pd.DataFrame(
        [(n, m, 5e3 + 9e3 * p) for p, n in enumerate(names) for m in months], columns=["source", "month", "spend"]
    )
    until = pd.DataFrame(
        {"segment": names, "source": names, "last_useful_on": pd.date_range("2027-03-01", periods=segments, freq="17D")}
    )
    steps = pd.DataFrame(
        {"step": names, "rate": 0.3, "rate_low": 0.2, "rate_high": 0.4, "mature": [n % 2 == 0 for n in range(segments)]}
    )
    bridge = pd.DataFrame(
        {"term": ["opening_arr", "new_arr", "churn", "closing_arr"], "amount": [1e6, 2e5, 1.5e6, -3e5]}
    )
    wide = pd.DataFrame({"name": names, **{f"Q{n}": np.arange(segments) * 1e6 for n in range(1, 5)}})
    return [
        text(EVIL, {name[:80]: name for name in names[:8]}, notes=NAMES, header=EVIL),
        chart(charts.budget(spend, "JPY"), spend, {"source": "text", "month": "month", "spend": "money"}, notes=NAMES),
        chart(charts.last_useful(until), until, {"segment": "text", "source": "text", "last_useful_on": "date"}),
        chart(
            charts.rates(steps),
            steps,
            {"step": "text", "mature": "yes", **dict.fromkeys(("rate", "rate_low", "rate_high"), "share")},
        ),
        chart(charts.bridge(bridge, "JPY"), bridge, {"term": "text", "amount": "money"}),
        table(wide, {"name": "text", **dict.fromkeys(wide.columns[1:], "money")}, LONG, totals=1, notes=NAMES),
        text("Nothing but notes", notes=[LONG, *NAMES]),
        text("Nothing at all"),
    ]


@pytest.fixture(scope="module")
def hard() -> dict[int, bytes]:
    return {count: deck(notebook(f"# {EVIL}\n\n{LONG}", *hard_exhibits(count)), "hard") for count in (1, 8, 20)}


@pytest.mark.parametrize("segments", [1, 8, 20])
def test_hostile_names_stay_text(segments: int, hard: dict[int, bytes]) -> None:
    raw = hard[segments]
    with zipfile.ZipFile(io.BytesIO(raw)) as parts:
        assert not [name for name in parts.namelist() if ".." in name or "vba" in name.lower()]
    assert b"<script>" not in xml_of(raw)
    assert b"\xe2\x80\xae" not in xml_of(raw)  # the override that turns text around
    for slide in opened(raw).slides:
        for shape in frames(slide):
            if shape.has_chart:
                blob = shape.chart.part.chart_workbook.xlsx_part.blob
                sheet = openpyxl.load_workbook(io.BytesIO(blob))["Sheet1"]
                assert [
                    cell for row in sheet.iter_rows() for cell in row if cell.data_type == "f" or cell.hyperlink
                ] == []


@pytest.mark.parametrize("segments", [1, 8, 20])
def test_nothing_stands_outside_its_slide(segments: int, hard: dict[int, bytes]) -> None:
    assert outside(hard[segments]) == []


@pytest.mark.parametrize("name", ["annual_commit", "rates"])
def test_nothing_of_a_report_stands_outside_its_slide(name: str, decks: dict[str, bytes]) -> None:
    assert outside(decks[name]) == []


def outside(raw: bytes) -> list[str]:
    """Shapes that reach beyond their slide, and texts that reach beyond their shape."""
    made = opened(raw)
    found = []
    for number, slide in enumerate(made.slides, start=1):
        for shape in slide.shapes:
            right, bottom = shape.left + shape.width, shape.top + shape.height
            if shape.has_table:
                right = shape.left + sum(column.width for column in shape.table.columns)
                bottom = shape.top + sum(row.height for row in shape.table.rows)
            if min(shape.left, shape.top) < 0 or right > made.slide_width + 9_144 or bottom > made.slide_height + 9_144:
                found.append(f"slide {number}: {shape.name}")
            if shape.has_text_frame and too_much(shape):
                found.append(f"slide {number}: {shape.name} holds too much: {shape.text_frame.text[:40]}")
    return found


def too_much(shape: Any) -> bool:
    """Whether texts of a shape, set as large as they are, take more room than it has."""
    frame = shape.text_frame
    room = (shape.width - frame.margin_left - frame.margin_right) / 914_400 if frame.margin_left is not None else 99
    sized = [(each.text, each.runs[0].font.size) for each in frame.paragraphs if each.runs]
    needed = sum(len(lines(text, size.pt, room)) * size.pt * 1.2 / 72 for text, size in sized if size)
    return needed > shape.height / 914_400 + 0.02


def test_gaps_are_gaps_and_hollow_is_not_settled() -> None:
    frame = pd.DataFrame(
        {
            "step": ["a", "b"],
            "rate": [0.3, 0.2],
            "rate_low": [0.2, 0.1],
            "rate_high": [0.5, 0.3],
            "mature": [True, False],
        }
    )
    kinds = {"step": "text", "mature": "yes", **dict.fromkeys(("rate", "rate_low", "rate_high"), "share")}
    (slide,) = slides_of(chart(charts.rates(frame), frame, kinds))
    assert drawn_of(slide) == {"settled, P10 to P90": [0.3, None], "not settled, P10 to P90": [None, 0.2]}
    behind = sheet_of(frames(slide)[0])
    assert behind["settled, P10 to P90: up to P90"] == [pytest.approx(0.2), None]
    assert behind["not settled, P10 to P90: down to P10"] == [None, pytest.approx(0.1)]


SEQUENCES = {
    "chartSpace": "date1904 roundedCorners chart spPr txPr externalData",
    "chart": "autoTitleDeleted plotArea legend plotVisOnly dispBlanksAs",
    "plotArea": "layout barChart lineChart scatterChart catAx valAx spPr",
    "barChart": "barDir grouping varyColors ser gapWidth overlap axId",
    "lineChart": "grouping varyColors ser marker axId",
    "scatterChart": "scatterStyle varyColors ser axId",
    "ser": "idx order tx spPr invertIfNegative marker dLbls errBars cat val xVal yVal smooth",
    "dLbls": "dLbl showLegendKey showVal showCatName showSerName showPercent showBubbleSize extLst",
    "dLbl": "idx delete layout tx numFmt spPr txPr dLblPos showLegendKey showVal showCatName showSerName showPercent showBubbleSize",
    "errBars": "errDir errBarType errValType noEndCap plus minus spPr",
    "catAx": "axId scaling delete axPos majorGridlines title numFmt majorTickMark minorTickMark tickLblPos spPr txPr crossAx "
    "crosses crossesAt auto lblAlgn lblOffset noMultiLvlLbl",
    "valAx": "axId scaling delete axPos majorGridlines title numFmt majorTickMark minorTickMark tickLblPos spPr txPr crossAx "
    "crosses crossBetween",
    "scaling": "orientation max min",
    "legend": "legendPos overlay txPr",
    "marker": "symbol size spPr",
    "title": "tx overlay",
    "numRef": "f numCache",
    "numCache": "formatCode ptCount pt",
    "strRef": "f strCache",
    "strCache": "ptCount pt",
}
"""Order of the children of each element (ECMA-376 part 1, annex A): PowerPoint repairs any other."""


@pytest.mark.parametrize("name", ["annual_commit", "rates"])
def test_elements_of_charts_stand_in_the_order_of_the_schema(name: str, decks: dict[str, bytes]) -> None:
    charts_seen = 0
    for slide in opened(decks[name]).slides:
        for shape in (shape for shape in slide.shapes if shape.has_chart):
            charts_seen += 1
            for element in shape.chart._chartSpace.iter():
                tag = element.tag.rpartition("}")[2]
                order = SEQUENCES.get(tag, "").split() if "chart}" in element.tag and len(element) else []
                places = [order.index(child.tag.rpartition("}")[2]) for child in element if order]
                assert places == sorted(places), tag
    assert charts_seen


# --- a company's own template ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A 4:3 template of another make, with sample slides and sections."""
    made = pptx.Presentation()
    for layout in (0, 1, 6):
        made.slides.add_slide(made.slide_layouts[layout]).name = "sample"
    made.slides[0].shapes.title.text = "Lorem ipsum"
    shows = (
        '<p:custShowLst xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><p:custShow name="Short" id="0">'
        f'<p:sldLst><p:sld r:id="{made.slides._sldIdLst[0].rId}"/></p:sldLst></p:custShow></p:custShowLst>'
    )
    made.part._element.find(f"{{{made.part._element.nsmap['p']}}}notesSz").addnext(etree.fromstring(shows))
    path = tmp_path_factory.mktemp("template") / "company.pptx"
    made.save(str(path))
    return path


def test_a_companys_template_is_filled_through_its_placeholders(company: Path) -> None:
    frame = pd.DataFrame({"name": ["smb", "mid"], "arr": [1e6, 2e6]})
    shown = [
        table(frame, {"name": "text", "arr": "money"}, "Two segments", notes=["Source: billing"]),
        waterfall(("=", 8.0e6), ("+", 2.0e6)),
        text("Facts", {"Goal": "$1M"}),
    ]
    raw = deck(notebook("# Board", *shown), "example", company)
    made = opened(raw)
    assert (made.slide_width, made.slide_height) == (9_144_000, 6_858_000)
    assert len(made.slides) == 5
    assert b"Lorem" not in xml_of(raw)
    assert b"custShow" not in xml_of(raw)
    first, one, two, *_ = made.slides
    assert first.slide_layout.name == "Title Slide"
    assert one.slide_layout.name == two.slide_layout.name == "Title and Content"
    assert [each.placeholder_format.idx for each in one.placeholders if each.is_placeholder][:2] == [0, 1]
    assert frames(two)[0].is_placeholder
    assert outside(raw) == []


def test_hard_names_fit_a_template_of_another_shape(company: Path) -> None:
    assert outside(deck(notebook("# Board", *hard_exhibits(8)), "hard", company)) == []


def test_letters_on_a_companys_colours_are_legible(company: Path) -> None:
    inks = open_template(company).inks
    assert (inks["C0"], inks["C5"]) == ("ink", "ink")  # 4F81BD, F79646: black 5.1 and 9.4 to one, white 4.1 and 2.2
    assert {open_template(None).inks[role] for role in ("C0", "C1", "C2")} == {"paper"}


def test_a_potx_is_a_template_too(company: Path, tmp_path: Path) -> None:
    path = tmp_path / "company.potx"
    retyped(company, path, "presentation.main+xml", "template.main+xml")
    assert len(opened(deck(notebook("# Board", text("Fine")), "example", path)).slides) == 3


def retyped(source: Path, target: Path, before: str, after: str, **others: bytes) -> None:
    """A copy of a file with another content type, and parts more."""
    with zipfile.ZipFile(source) as parts, zipfile.ZipFile(target, "w") as copy:
        for name in parts.namelist():
            raw = parts.read(name)
            copy.writestr(name, raw.replace(before.encode(), after.encode()) if name.startswith("[Content") else raw)
        for name, raw in others.items():
            copy.writestr(name, raw)


def linked(source: Path, target: Path, address: str) -> Path:
    """A copy of a template, one of whose layouts takes a picture from elsewhere, or leads there."""
    with zipfile.ZipFile(source) as parts, zipfile.ZipFile(target, "w") as copy:
        rels = next(name for name in parts.namelist() if name.startswith("ppt/slideLayouts/_rels/"))
        kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/image"
        link = f'<Relationship Id="rId99" Type="{kind}" Target="{address}" TargetMode="External"/></Relationships>'
        for name in parts.namelist():
            raw = parts.read(name)
            copy.writestr(name, raw.replace(b"</Relationships>", link.encode()) if name == rels else raw)
    return target


def broken_templates(folder: Path, company: Path) -> Iterator[tuple[Path, str]]:
    """Files that are no template, and what is said of them."""
    yield folder / "missing.pptx", "is not a file; give the path of a template"
    (folder / "text.pptx").write_text("not a zip")
    yield folder / "text.pptx", "is not a presentation, is protected or damaged"
    (folder / "half.pptx").write_bytes(company.read_bytes()[:20_000])
    yield folder / "half.pptx", "is not a presentation, is protected or damaged"
    raw = bytearray(company.read_bytes())
    raw[3_000:3_040] = bytes(40)
    (folder / "torn.pptx").write_bytes(raw)
    yield folder / "torn.pptx", "damaged"
    retyped(
        company,
        folder / "macro.pptm",
        "presentationml.presentation.main",
        "ms-powerpoint.presentation.macroEnabled.main",
    )
    yield folder / "macro.pptm", "holds macros or controls, which are not carried"
    retyped(company, folder / "hidden.pptx", "", "", **{"ppt/vbaProject.bin": b"x"})
    yield folder / "hidden.pptx", "holds macros or controls, which are not carried"
    for number, address in enumerate(
        ("http://192.0.2.1/logo.png", "file://server/share/logo.png", "https://example.com")
    ):
        yield (
            linked(company, folder / f"linked{number}.pptx", address),
            f"links to {re.escape(address)} in /ppt/slideLayouts",
        )
    with zipfile.ZipFile(folder / "bomb.pptx", "w", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("[Content_Types].xml", bytes(310_000_000))
    yield folder / "bomb.pptx", "unpacks to more than 60 MB"
    with zipfile.ZipFile(folder / "sheet.pptx", "w") as other:
        other.writestr("[Content_Types].xml", "<Types/>")
    yield folder / "sheet.pptx", "is not a presentation; open it in PowerPoint"
    with zipfile.ZipFile(folder / "empty.pptx", "w") as other:
        other.writestr("[Content_Types].xml", "<Types>presentationml</Types>")
    yield folder / "empty.pptx", "is not a presentation, is protected or damaged"
    bare = pptx.Presentation()
    for layout in list(bare.slide_layouts):
        if layout.name not in ("Title Only", "Blank"):
            bare.slide_layouts.remove(layout)
    bare.save(str(folder / "bare.pptx"))
    wanted = "has no layout with a title and a content placeholder of at least 3 x 1.5 inches; it has Title Only \\(title, date"
    yield folder / "bare.pptx", wanted


def test_a_template_that_is_none_says_what_it_lacks(tmp_path: Path, company: Path) -> None:
    for path, wanted in broken_templates(tmp_path, company):
        with pytest.raises(PlanError, match=wanted) as caught:
            open_template(path)
        assert str(path) in str(caught.value)


def test_the_shipped_master_is_the_one_that_is_made() -> None:
    assert MASTER.read_bytes() == master()


def test_the_masters_colours_are_those_of_the_charts() -> None:
    style = {name: each[1:].upper() for name, each in json.loads(STYLE.read_text(encoding="utf-8"))["colors"].items()}
    colors = [style[f"C{number}"] for number in range(8)]
    assert [COLORS[name] for name in (*(f"accent{n}" for n in range(1, 7)), "dk2", "lt2")] == colors
    assert COLORS["dk1"] == style["ink"]


# --- in LibreOffice --------------------------------------------------------------------------------------------


def test_libreoffice_opens_every_slide(
    office: str, decks: dict[str, bytes], hard: dict[int, bytes], company: Path, tmp_path: Path
) -> None:
    own = deck(notebook("# Board", *hard_exhibits(8)), "hard", company)
    raws = {**decks, "hard": hard[20], "company": own}
    for name, raw in raws.items():
        (tmp_path / f"{name}.pptx").write_bytes(raw)
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    files = [str(tmp_path / f"{name}.pptx") for name in raws]
    command = [office, profile, "--headless", "--convert-to", "pdf", "--outdir", str(tmp_path), *files]
    subprocess.run(command, check=True, capture_output=True, timeout=180)
    for name, raw in raws.items():
        pages = (tmp_path / f"{name}.pdf").read_bytes().count(b"/Type/Page\n") or (
            (tmp_path / f"{name}.pdf").read_bytes().count(b"/Type/Page/")
        )
        assert pages == len(opened(raw).slides)
