"""`live_workbook`: the plan and its exhibits as one workbook of Excel whose results are formulas."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from io import BytesIO
from typing import Any

from revplan.excel.check_sheets import (
    ALL_NAME,
    LAYOUT,
    LAYOUT_LABEL,
    OK,
    STALE_NAME,
    good_and_bad,
    write_check,
    write_exhibit,
    write_solved,
)
from revplan.excel.flow_sheets import write_commit, write_forward, write_required, write_targets
from revplan.excel.goal_sheets import write_bridge, write_inputs
from revplan.excel.grid import MOST_ROWS, READ_ME, SHEETS, SOLVED, Grid
from revplan.excel.people_sheets import too_many, write_people
from revplan.excel.rate_sheets import write_composed, write_from_entry, write_rates, write_to_won
from revplan.excel.result_sheets import write_arr, write_budget, write_quarters
from revplan.excel.writer import BookWriter, Sheet
from revplan.exhibits.provenance import LABELS
from revplan.staffing.staffing import Staffing
from revplan.workbook.workbook import Workbook

CALCULATIONS = SHEETS.index(SOLVED)
PROVENANCE_TOP = 3
SECOND_COLUMN, BOTH_COLUMNS = 120, 150  # characters on a line of the first sheet
HOW = (
    "Coloured cells are inputs: yellow from the plan, green from the records, violet from the optimisation. All else is formulas.",
    "Change an input, and bridge, required entries, what the commit brings, quarters and budget follow; it turns orange (delays: see Changed beside them).",
    "The commit itself was found by optimisation, which no formula can do: once an input differs from what it was solved for, it is STALE.",
    "Sheets are protected without a password, against slips: Review > Unprotect Sheet opens them.",
    "`revplan import WORKBOOK PLAN` reads changed inputs back and shows them as a difference to the plan file.",
)
KEY = (
    ("input", "input of the plan"),
    ("records", "value from the records"),
    ("commit", "committed entries, found by optimisation"),
)
NOT_LIVE = (
    "Not recomputed here: the commit; what open records bring, which was worked out record by record at the plan's rates and delays; "
    "the plan date; pairs of segment and source whose share was 0; confidence and simulation{people}.",
    "The numbered sheets hold the values of the report and do not follow the inputs.",
)
MANY_PEOPLE = "; the people of the plan and what they can close, for there are too many of them"


def live_workbook(book: Workbook, exhibits: Sequence[dict[str, Any]], provenance: Mapping[str, str]) -> bytes:
    """The plan, live, and the exhibits of its report: the content of a file for Excel and LibreOffice.

    Parameters
    ----------
    book
        The computed plan.
    exhibits
        Raw exhibits, as `raw` tells them, one sheet each; with the `heading` it stands under, if there is one.
    provenance
        What it was made from, a text by its key, shown on the first sheet; `plan_fingerprint` is what
        `revplan import` knows the plan by.
    """
    import xlsxwriter

    content, plan_date = BytesIO(), book.plan.plan_date
    safe = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    target = xlsxwriter.Workbook(content, {"in_memory": True, **safe})
    created = datetime(plan_date.year, plan_date.month, plan_date.day)
    about = {"title": provenance.get("plan", ""), "comments": "made with revplan", "created": created}
    target.set_properties(about)
    target.set_calc_mode("auto")
    writer = BookWriter(target, Grid(book.year))
    live = len(writer.grid.rows) <= MOST_ROWS
    first = Sheet(writer, READ_ME, provenance.get("plan") or book.plan.name)
    people = book.people.staffing if live and book.people.considered else None
    if live:
        _live_sheets(writer, people)
    for number, exhibit in enumerate(exhibits, 1):
        write_exhibit(writer, number, exhibit)
    _in_order(writer)
    _read_me(first, provenance, live, MANY_PEOPLE if people is not None and too_many(people) else "")
    target.close()
    return content.getvalue()


def _live_sheets(writer: BookWriter, people: Staffing | None) -> None:
    """Inputs first: the sheets after them point at them."""
    for write in (
        write_inputs,
        write_rates,
        write_bridge,
        write_targets,
        write_composed,
        write_to_won,
        write_from_entry,
    ):
        write(writer)
    for next_year in (False, True):
        write_required(writer, next_year)
    for write in (write_commit, write_forward, write_arr, write_quarters, write_budget):
        write(writer)
    if people is not None and not too_many(people):
        write_people(writer, people)
    write_solved(writer)
    write_check(writer)


def _read_me(sheet: Sheet, provenance: Mapping[str, str], live: bool, left_out: str) -> None:
    """What the workbook is made from, whether its checks hold, and how to use it."""
    writer = sheet.writer
    sheet.heads(PROVENANCE_TOP - 1, ["What this is", ""])
    told = [(label, provenance[key]) for key, label in LABELS.items() if provenance.get(key)]
    for row, (label, text) in enumerate([*told, (LAYOUT_LABEL, str(LAYOUT))], PROVENANCE_TOP):
        sheet.text(row, 0, label)
        sheet.text(row, 1, text)
    row = PROVENANCE_TOP + len(told) + 1
    row = _verdicts(sheet, row + 1) if live else row
    sheet.heads(row + 1, ["How to use it", ""])
    not_live = (line.format(people=left_out) for line in NOT_LIVE)
    lines, key = ((*HOW, *not_live), KEY) if live else (_too_big(writer.grid), ())
    for place, line in enumerate(lines, row + 2):
        sheet.paper.merge_range(place, 0, place, 1, "", writer.format("@", "wrap"))
        sheet.text(place, 0, line, "wrap")
        _room(sheet, place, line, BOTH_COLUMNS)
    row += 2 + len(lines)
    for place, (look, words) in enumerate(key, row + 1):
        sheet.number(place, 0, None, look=look)
        sheet.text(place, 1, words)
    row += len(key) + 2  # every other sheet in its order, with what it is and a link to it
    sheet.heads(row, ["Sheet", "What it holds"], words=2)
    for place, other in enumerate(sheet.writer.book.worksheets()[1:], row + 1):
        sheet.link(place, 0, other.get_name())
        sheet.text(place, 1, sheet.writer.contents[other.get_name()], "wrap")
        _room(sheet, place, sheet.writer.contents[other.get_name()], SECOND_COLUMN)
    sheet.widths(34, 96, 10)
    sheet.freeze(1, 0)


def _room(sheet: Sheet, row: int, line: str, width: int) -> None:
    """Height for all of a line that wraps after `width` characters."""
    sheet.paper.set_row(row, 15 * (1 + len(line) // width))


def _too_big(grid: Grid) -> tuple[str, ...]:
    return (
        f"This plan has {len(grid.cells):,} pairs of segment and source with {len(grid.rows):,} stages together. Formulas are "
        f"written for up to {MOST_ROWS:,} such rows, beyond which a spreadsheet is slow to the point of being unusable.",
        "So the sheets here hold values, not formulas, and nothing in them recomputes. To take the plan apart live, "
        "make a workbook of a plan with fewer segments or sources; `revplan plan --json` gives every cell.",
    )


def _verdicts(sheet: Sheet, row: int) -> int:
    """Whether every check holds, and whether the commit is stale; the row below."""
    for words, name in (("All checks", ALL_NAME), ("The commit is", STALE_NAME)):
        sheet.text(row, 0, words, "strong")
        sheet.formula(row, 1, sheet.writer.cells[name][0], OK, look="strong")
        good_and_bad(sheet, (row, 1), (row, 1))
        row += 1
    return row


def _in_order(writer: BookWriter) -> None:
    """Sheets in the order a reader wants them: the exhibits before the calculations.

    What a sheet prints is kept by its number, so sheets are numbered anew.
    """
    order = {name: place for place, name in enumerate(SHEETS)}
    writer.book.worksheets_objs.sort(key=lambda sheet: order.get(sheet.get_name(), CALCULATIONS - 0.5))
    for number, sheet in enumerate(writer.book.worksheets()):
        sheet.index = number
    writer.book.get_worksheet_by_name(READ_ME).activate()
