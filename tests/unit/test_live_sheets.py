"""The live workbook as a file: exhibits as numbers, hostile text as text, limits said, same content every time."""

from __future__ import annotations

import re
import zipfile
from datetime import date, datetime
from io import BytesIO
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest
from openpyxl import load_workbook

from revplan.excel import book as live_book
from revplan.excel.book import live_workbook
from revplan.excel.check_sheets import DATES, NUMBERS
from revplan.excel.grid import ARR, INPUTS, QUARTERS, READ_ME, SHEETS
from revplan.excel.writer import MONEY
from revplan.exhibits.exhibit import raw, table, text
from revplan.exhibits.figures import FigureCells
from revplan.funnel.year import Snapshot, plan_year
from revplan.ground.formats import KINDS
from revplan.ground.tables import NUMERIC
from revplan.plan.model import Plan
from revplan.workbook.workbook import Workbook

EVIL = "=cmd|' /C calc'!A0"
PLAN: dict[str, Any] = {
    "name": "</x>&<b>\u0000\u0007 " + "x" * 4000,
    "year": {"first_month": "2027-01"},
    "plan_date": date(2026, 12, 15),
    "goal": {"opening_arr": 1e6, "closing_arr": 2e6},
    "stages": [{"id": "lead", "label": EVIL}, {"id": "won"}],
    "segments": {"+1+1": {"acv": 1e4}},
    "sources": {"@SUM(A1)": {"cost_per_entry": 5.0}, "https://example.org": {"share": 0.0}},
    "transitions": [{"from": "lead", "to": "won", "rate": 0.25}],
}


@pytest.fixture(scope="module")
def plan_book() -> Workbook:
    """A small plan with hostile names."""
    return Workbook(year=plan_year(Plan.model_validate(PLAN), Snapshot()))


def exhibits() -> list[dict[str, Any]]:
    """A table with a column of every kind, and a text."""
    frame = pd.DataFrame(
        {
            "name": [EVIL, "-2+3"],
            "when": pd.PeriodIndex(["2027-01", "2027-02"], freq="M"),
            "day": pd.to_datetime(["2027-01-31", None]),
            "holds": [True, False],
            "amount": [1234567.891, float("nan")],
            "rate": [0.25, -0.5],
        }
    )
    kinds = {"name": "text", "when": "month", "day": "date", "holds": "yes", "amount": "money", "rate": "share"}
    shown = [table(frame, kinds, "Everything: [all] of/it* is ? here\\now", totals=1, notes=["A note & more"])] * 2
    return [raw(each) for each in [*shown, text(EVIL, {"fact": "1,234"})]]


@pytest.fixture(scope="module")
def content(plan_book: Workbook) -> bytes:
    """The workbook with exhibits."""
    return live_workbook(plan_book, exhibits(), {"plan": EVIL, "as_of": "x" * 40_000})


def test_every_kind_has_a_number_format() -> None:
    assert set(NUMBERS) == set(NUMERIC)
    assert {*NUMBERS, *DATES, "text", "figure", "yes"} == KINDS


def test_exhibits_stand_as_what_they_are(content: bytes) -> None:
    book = load_workbook(BytesIO(content))
    names = [name for name in book.sheetnames if name not in SHEETS]
    assert names == ["1 Everything all of it is here", "2 Everything all of it is here", "3 =cmd| C calc !A0"]
    sheet = book[names[0]]
    rows = [[cell.value for cell in row[:6]] for row in sheet.iter_rows(min_row=3, max_row=7)]
    assert rows[0] == ["Name", "When", "Day", "Holds", "Amount", "Rate"]
    assert rows[1] == [EVIL, datetime(2027, 1, 1), datetime(2027, 1, 31), "yes", 1234567.891, 0.25]
    assert rows[2] == ["-2+3", datetime(2027, 2, 1), None, "no", None, -0.5]
    assert rows[4][0] == "A note & more"
    assert [sheet["E4"].number_format[:5], sheet["F4"].number_format[:4], sheet["B4"].number_format] == [
        "#,##0",
        "0.0%",
        "mmm yyyy",
    ]
    assert sheet["A5"].font.bold


def test_a_number_to_the_bad_is_coloured_by_a_rule_whatever_its_sign(plan_book: Workbook) -> None:
    frame = pd.DataFrame({"term": ["new_arr", "churn"], "plan": [5e3, 1e3], "variance": [-2e3, -300.0]})
    columns = {"plan": {"measure": "arr_term", "basis": "planned"}, "variance": {"measure": "arr_term_gap"}}
    rows = [{"period": "2027-Q1", "term": each} for each in frame["term"]]
    made = table(frame, {"term": "text", "plan": "money", "variance": "money"}, "What came")
    made = made.with_cells(FigureCells(rows=rows, columns=columns, currency="USD"))
    book = load_workbook(BytesIO(live_workbook(plan_book, [raw(made)], {})))
    sheet = book[next(name for name in book.sheetnames if name not in SHEETS)]

    def rules(page: Any) -> dict[str, tuple[str, float]]:
        found = [(str(each.sqref), rule) for each in page.conditional_formatting for rule in each.rules]
        return {
            place: (rule.operator, float(rule.formula[0]))
            for place, rule in found
            if rule.dxf.font.color is not None and rule.dxf.font.color.rgb == "FFA83C10"
        }

    assert rules(sheet) == {"C4": ("lessThan", 0.0), "C5": ("greaterThan", 0.0)}
    assert [sheet[place].number_format for place in ("B4", "C4", "C5")] == [MONEY, "#,##0;-#,##0;0", "#,##0;-#,##0;0"]
    quarters = rules(book[QUARTERS])
    heads = {each.value: each.column_letter for row in book[QUARTERS].iter_rows(max_row=8) for each in row}
    for head in ("Shortfall", "Missed so far", "Cells below their share", "Gap"):
        assert [rule for place, rule in quarters.items() if place.startswith(heads[head])] == [("greaterThan", 0.5)]
    assert len(quarters) == 4
    gaps = [each for row in book[ARR].iter_rows() for each in row if "[Red]" not in each.number_format]
    assert {place.partition(":")[0] for place in rules(book[ARR])} <= {each.coordinate for each in gaps}
    assert len(rules(book[ARR])) == 1


def test_hostile_text_is_text(content: bytes) -> None:
    book = load_workbook(BytesIO(content))
    for sheet in book.worksheets:
        for row in sheet.iter_rows():
            for each in row:
                assert each.hyperlink is None or sheet.title == READ_ME
                assert each.data_type != "f" or not str(each.value).startswith(("=cmd", "=-2", "=+1", "=@"))
    with zipfile.ZipFile(BytesIO(content)) as archive:
        for name in archive.namelist():
            ElementTree.fromstring(archive.read(name))
        assert not [name for name in archive.namelist() if "vba" in name.lower() or "external" in name.lower()]


def test_the_first_sheet_lists_the_others_and_leads_there(content: bytes) -> None:
    book = load_workbook(BytesIO(content))
    links = [(row[0].hyperlink, row[0].value, row[1].value) for row in book[READ_ME].iter_rows() if row[0].hyperlink]
    assert [name for _, name, _ in links] == book.sheetnames[1:]
    assert all(link.location == f"'{name}'!A1" and link.id is None for link, name, _ in links)
    held = {name: words for _, name, words in links}
    assert held["Bridge"].startswith("closing = opening + new")
    assert held["1 Everything all of it is here"] == "Everything: [all] of/it* is ? here\\now"
    assert held["3 =cmd| C calc !A0"] == EVIL


def test_a_sheet_is_called_by_the_heading_it_stands_under(plan_book: Workbook) -> None:
    headed = [{**exhibits()[0], "heading": "What falls before the plan date, by quarter"}]
    assert "1 What falls before the plan" in load_workbook(BytesIO(live_workbook(plan_book, headed, {}))).sheetnames


def test_what_nobody_reads_on_paper_is_a_page(content: bytes) -> None:
    book = load_workbook(BytesIO(content))
    for name in (*SHEETS[SHEETS.index("Solved for") :], "Required next year"):
        assert re.fullmatch(r"'.*'!\$A\$1:\$[A-Z]+\$[0-9]{1,2}", book[name].print_area), name
        assert book[name].page_setup.fitToWidth in (None, 1)
    shares = [cell.column_letter for cell in book["Rates and delays"][5] if str(cell.value).endswith("later")]
    assert book["Rates and delays"].print_area.split("$")[-2] < shares[-1]
    assert not book["Bridge"].print_area
    assert (book["Check"].print_title_rows, book["Check"]["A6"].value) == ("$6:$6", "What must hold")


def test_only_inputs_are_unlocked_and_guarded(content: bytes) -> None:
    book = load_workbook(BytesIO(content))
    assert all(sheet.protection.sheet and not sheet.protection.password for sheet in book.worksheets)
    open_cells = {each.coordinate for row in book[INPUTS].iter_rows() for each in row if not each.protection.locked}
    guarded = {str(each.sqref) for each in book[INPUTS].data_validations.dataValidation}
    assert open_cells == guarded
    assert len(open_cells) > 20
    formulas = [each for sheet in book.worksheets for row in sheet.iter_rows() for each in row if each.data_type == "f"]
    assert all(each.protection.locked for each in formulas)


def test_sheets_print_and_stay_readable(content: bytes) -> None:
    for sheet in load_workbook(BytesIO(content)).worksheets:
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert sheet.freeze_panes is not None
        assert len(sheet.title) <= 31


def test_formulas_are_such_as_every_program_knows(content: bytes) -> None:
    book = load_workbook(BytesIO(content))
    texts = [
        str(each.value)
        for sheet in book.worksheets
        for row in sheet.iter_rows()
        for each in row
        if each.data_type == "f"
    ]
    used = {name for text in texts for name in re.findall(r"([A-Z][A-Z.]+)\(", re.sub(r"'[^']*'|\"[^\"]*\"", "", text))}
    assert used <= {"SUM", "SUMIF", "SUMPRODUCT", "INDEX", "IF", "MAX", "MIN", "ABS", "INT", "COUNTIF", "ISNUMBER", "ISTEXT", "ISBLANK", "TEXT"}  # fmt: skip
    assert max(map(len, texts)) < 8192


def test_the_same_plan_makes_the_same_file(plan_book: Workbook, content: bytes) -> None:
    assert live_workbook(plan_book, exhibits(), {"plan": EVIL, "as_of": "x" * 40_000}) == content


def test_a_plan_too_big_says_so(plan_book: Workbook, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_book, "MOST_ROWS", 1)
    book = load_workbook(BytesIO(live_workbook(plan_book, exhibits(), {})))
    assert book.sheetnames[0] == READ_ME
    assert len(book.sheetnames) == 4
    words = " ".join(str(each.value) for row in book[READ_ME].iter_rows() for each in row if each.value)
    assert (
        "This plan has 1 pairs of segment and source with 2 stages together. Formulas are written for up to 1 such rows"
        in words
    )
    assert "hold values, not formulas" in words
    assert not [each for row in book[READ_ME].iter_rows() for each in row if each.data_type == "f"]
