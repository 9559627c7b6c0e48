"""One sheet per exhibit: its message as title, its values as numbers, its notes below."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from revplan.report.live.address import sheet_name
from revplan.report.live.desk import COUNT, DAY, FIRST_YEAR, MONEY, MONTH, RATIO, SHARE, WHOLE, Desk, Sheet

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


def write_exhibit(desk: Desk, number: int, exhibit: dict[str, Any]) -> None:
    """The sheet of one exhibit, as `markup.raw` tells it."""
    taken = [sheet.get_name() for sheet in desk.book.worksheets()]
    sheet = Sheet(
        desk, sheet_name(f"{number} {exhibit.get('heading') or exhibit['message']}", taken), exhibit["message"]
    )
    columns, rows = exhibit["columns"], exhibit["rows"]
    for col, column in enumerate(columns):
        sheet.text(sheet.top, col, column["label"], "number head" if column["kind"] in NUMBERS else "head")
    last = sheet.top + len(rows)
    for place, row in enumerate(rows, sheet.top + 1):
        look = "total" if place > last - exhibit["totals"] else ""
        for col, (column, value) in enumerate(zip(columns, row, strict=True)):
            write_value(sheet, (place, col), value, column["kind"], look)
    for place, note in enumerate(exhibit["notes"], last + 2):
        sheet.text(place, 0, note, "grey")
    sheet.widths(*(_width(exhibit, col) for col in range(len(columns))), 12)
    sheet.freeze(sheet.top + 1, 1 if len(columns) > 1 else 0)


def write_value(sheet: Sheet, at: tuple[int, int], value: Any, kind: str, look: str = "") -> None:
    """A value as what it is: a number, a day, a word; nothing where it is missing."""
    if value is None:
        sheet.number(*at, None, look=look)
    elif kind in DATES and _day(value, kind) is not None:
        sheet.paper.write_datetime(*at, _day(value, kind), sheet.desk.format(DATES[kind][0], look))
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
