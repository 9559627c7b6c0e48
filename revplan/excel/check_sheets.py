"""What was solved for which inputs, whether it still holds, and every identity checked.

One sheet per exhibit: its message as title, its values as numbers, its notes below.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from revplan.excel.address import cell, down, fixed, sheet_name
from revplan.excel.grid import CHECK, SOLVED
from revplan.excel.writer import (
    COUNT,
    DAY,
    ENTRIES,
    FEW_ROWS,
    FIRST_YEAR,
    LOOKS,
    MONEY,
    MONTH,
    NUMBER,
    PLAN,
    PRECISE,
    RATIO,
    RECORDS,
    SHARE,
    WHOLE,
    BookWriter,
    Sheet,
)
from revplan.exhibits.exhibit import below
from revplan.exhibits.figures import better, measures

LAYOUT, LAYOUT_LABEL = 1, "Layout"
"""Version of the list of inputs that `revplan import` reads."""

TOP = 9
WHAT, PLACE, OWNER, SHEET, ADDRESS, WAS, NOW, CHANGED = range(8)
NOTHING = "empty"
OK, STALE = "OK", "STALE"
STALE_NAME, ALL_NAME = "commit_is", "all_checks"


def write_solved(writer: BookWriter) -> None:
    """The list of all inputs: as they were when the commit was solved, as they are, and which have changed."""
    about = (
        "Every input: its value when the commit was solved, and its value now. The commit is good for the former only.",
        "`revplan import WORKBOOK PLAN` shows the changed ones as a difference to the plan file.",
    )
    sheet = Sheet(writer, SOLVED, "What the commit was solved for", about)
    sheet.heads(TOP - 1, ["Input", "Place", "Whose", "Sheet", "Cell", "As solved", "Now", "Changed"], words=5)
    for row, each in enumerate(writer.inputs.values(), TOP):
        input_cell = fixed(each.row, each.col, each.sheet)
        words = (each.what, json.dumps(each.place), each.owner, each.sheet, cell(each.row, each.col))
        for col, text in enumerate(words):
            sheet.paper.write_string(row, col, text, writer.format("@", ""))
        now = NOTHING if each.value is None else each.value
        if each.value is None:
            sheet.text(row, WAS, NOTHING)
        else:
            sheet.number(row, WAS, each.value, NUMBER)
        sheet.formula(row, NOW, f'IF(ISBLANK({input_cell}),"{NOTHING}",{input_cell})', now)
        sheet.formula(row, CHANGED, f"IF({cell(row, NOW)}={cell(row, WAS)},0,1)", 0)
    _verdicts(sheet, TOP + len(writer.inputs) - 1)
    sheet.widths(46, 40, 10, 18, 9, 16, 16, 9)
    sheet.print_only(FEW_ROWS)
    sheet.freeze(TOP, 1)


def _verdicts(sheet: Sheet, last: int) -> None:
    """Above the list: how many inputs of each owner have changed, and what that means."""
    owners, changed = down(OWNER, TOP, last), down(CHANGED, TOP, last)
    counts = (
        (PLAN, "Inputs of the plan changed"),
        (RECORDS, "Values of the records changed"),
        (ENTRIES, "Committed entries changed by hand"),
    )
    for row, (owner, words) in enumerate(counts, 4):
        sheet.text(row, 0, words)
        sheet.formula(row, 1, f'SUMIF({owners},"{owner}",{changed})', 0, NUMBER, "strong")
    stale = f'IF({cell(4, 1)}+{cell(5, 1)}>0,"{STALE}","{OK}")'
    sheet.formula(3, 1, stale, OK, NUMBER, "strong")
    sheet.text(3, 0, "The commit is", "strong")
    sheet.result(STALE_NAME, 3, 1, None)
    values = down(NOW, TOP, last, sheet.name)
    text = f'SUMPRODUCT(ISTEXT({values})*({values}<>"{NOTHING}"))'
    sheet.writer.check("Every input is a number or empty", (text, "0"), 0, 0)
    growing = sheet.writer.inputs[("goal", "next_year_growth")]
    negative = f'COUNTIF({values},"<0")-COUNTIF({growing.address},"<0")'
    sheet.writer.check("No input is negative (growth may be)", (negative, "0"), 0, 0)


def write_check(writer: BookWriter) -> None:
    """Every identity with both its sides: OK, or what is wrong."""
    about = "Every cell of the last column says OK, or by how much the two sides differ."
    sheet = Sheet(writer, CHECK, "Checks", [about])
    top = sheet.top + 3
    sheet.heads(top - 1, ["What must hold", "Left", "Right", "May differ by"])
    sheet.heads(top - 1, ["Verdict"], 4, words=5)
    for row, check in enumerate(writer.checks, top):
        sheet.text(row, 0, check.what, "wrap")
        sheet.formula(row, 1, check.left, check.values[0], PRECISE)
        sheet.formula(row, 2, check.right, check.values[1], PRECISE)
        sheet.number(row, 3, check.slack, PRECISE)
        apart = f"{cell(row, 1)}-{cell(row, 2)}"
        verdict = f'IF(ABS({apart})<={cell(row, 3)},"{OK}","differs by "&TEXT({apart},"0.######"))'
        sheet.formula(row, 4, f'IF(ISNUMBER({apart}),{verdict},"cannot be worked out")', OK)
    row = top + len(writer.checks)
    sheet.text(row, 0, "The commit was solved for the inputs as they are now", "wrap")
    sheet.formula(row, 4, f'IF({writer.cells[STALE_NAME][0]}="{OK}","{OK}","STALE: solve it again with revplan")', OK)
    held, every = f'COUNTIF({down(4, top, row)},"{OK}")', row - top + 1
    overall = f'IF({held}={every},"{OK}",({every}-{held})&" of {every} checks fail")'
    sheet.text(sheet.top, 0, "All checks", "strong")
    sheet.formula(sheet.top, 4, overall, OK, NUMBER, "strong")
    sheet.result(ALL_NAME, sheet.top, 4, None)
    for first, last in ((sheet.top, sheet.top), (top, row)):
        good_and_bad(sheet, (first, 4), (last, 4))
    sheet.widths(76, 16, 16, 13, 44)
    sheet.freeze(top, 1)


def good_and_bad(sheet: Sheet, first: tuple[int, int], last: tuple[int, int]) -> None:
    """Green where a cell says OK, red where it says anything else."""
    for criteria, name in (("==", "good"), ("!=", "bad")):
        look = sheet.writer.book.add_format(LOOKS[name])
        sheet.paper.conditional_format(
            *first, *last, {"type": "cell", "criteria": criteria, "value": f'"{OK}"', "format": look}
        )


NUMBERS = {
    "count": COUNT,
    "commitment": WHOLE,
    "number": "+#,##0.0;[Red]-#,##0.0;0",
    "reps": COUNT,
    "money": MONEY,
    "share": SHARE,
    "ratio": RATIO,
    "months": COUNT,
    "days": COUNT,
}
"""Number format by the kind of a column."""

DATES = {"month": (MONTH, "%Y-%m"), "date": (DAY, "%Y-%m-%d")}
WIDEST = 60


def write_exhibit(writer: BookWriter, number: int, exhibit: dict[str, Any]) -> None:
    """The sheet of one exhibit, as `exhibit.raw` tells it."""
    taken = [sheet.get_name() for sheet in writer.book.worksheets()]
    name = sheet_name(f"{number} {exhibit.get('heading') or exhibit['message']}", taken)
    sheet = Sheet(writer, name, exhibit["message"])
    columns, rows = exhibit["columns"], exhibit["rows"]
    for col, column in enumerate(columns):
        sheet.text(sheet.top, col, column["label"], "number head" if column["kind"] in NUMBERS else "head")
    last = sheet.top + len(rows)
    ways = {
        (each["row"], each["column"]): better(measures()[each["measure"]], each["of"]) for each in exhibit["figures"]
    }
    for place, row in enumerate(rows, sheet.top + 1):
        look = "total" if place > last - exhibit["totals"] else ""
        for col, (column, value) in enumerate(zip(columns, row, strict=True)):
            way = ways.get((place - sheet.top - 1, column["name"]), 0)
            if way and isinstance(value, int | float):
                sheet.variance((place, col), float(value), NUMBERS[column["kind"]], way, look)
            else:
                write_value(sheet, (place, col), value, column["kind"], look)
    for place, note in enumerate(below(exhibit), last + 2):
        sheet.text(place, 0, note, "grey")
    sheet.widths(*(_width(exhibit, col) for col in range(len(columns))), 12)
    sheet.freeze(sheet.top + 1, 1 if len(columns) > 1 else 0)


def write_value(sheet: Sheet, at: tuple[int, int], value: Any, kind: str, look: str = "") -> None:
    """A value as what it is: a number, a day, a word; nothing where it is missing."""
    if value is None:
        sheet.number(*at, None, look=look)
    elif kind in DATES and _day(value, kind) is not None:
        sheet.paper.write_datetime(*at, _day(value, kind), sheet.writer.format(DATES[kind][0], look))
    elif kind == "yes":
        sheet.text(*at, "yes" if value else "no", look)
    elif isinstance(value, int | float):
        sheet.number(*at, value, NUMBERS.get(kind, "General"), look)
    else:
        sheet.text(*at, value, look)


def _day(value: Any, kind: str) -> datetime | None:
    """The day a text names; None for one that Excel's calendar, which begins in 1900, lacks."""
    try:
        day = datetime.strptime(str(value), DATES[kind][1])
    except ValueError:
        return None
    return day if day.year >= FIRST_YEAR else None


def _width(exhibit: dict[str, Any], col: int) -> float:
    texts = [str(row[col]) for row in exhibit["rows"] if isinstance(row[col], str)]
    word = max(map(len, exhibit["columns"][col]["label"].split()), default=0)
    return min(max([12, word + 2, *(len(text) + 2 for text in texts)]), WIDEST)
