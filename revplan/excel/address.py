"""Addresses of cells as formulas write them, and names that Excel takes for sheets."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import count

from revplan.ground.escaping import clean

LONGEST_SHEET_NAME = 31
FORBIDDEN = re.compile(r"[\[\]:*?/\\']")


@cache  # asked for some ten times a formula
def column(number: int) -> str:
    """Letters of a column counted from 0: A, ..., Z, AA, ..."""
    letters = ""
    while number >= 0:
        number, rest = divmod(number, 26)
        letters, number = chr(65 + rest) + letters, number - 1
    return letters


def cell(row: int, col: int, sheet: str = "") -> str:
    """A cell, row and column counted from 0: B3, or 'Rates and delays'!B3."""
    return f"{_on(sheet)}{column(col)}{row + 1}"


def fixed(row: int, col: int, sheet: str = "") -> str:
    """The same as an address that does not move: $B$3."""
    return f"{_on(sheet)}${column(col)}${row + 1}"


def span(first: tuple[int, int], last: tuple[int, int], sheet: str = "") -> str:
    """From cell to cell, both in: B3:D9."""
    return f"{_on(sheet)}{column(first[1])}{first[0] + 1}:{column(last[1])}{last[0] + 1}"


def across(row: int, first: int, last: int, sheet: str = "") -> str:
    """Cells of one row, from column to column."""
    return span((row, first), (row, last), sheet)


def down(col: int, first: int, last: int, sheet: str = "") -> str:
    """Cells of one column, from row to row, as an address that does not move."""
    return f"{_on(sheet)}${column(col)}${first + 1}:${column(col)}${last + 1}"


def _on(sheet: str) -> str:
    return f"'{sheet}'!" if sheet else ""


def sheet_name(wanted: str, taken: Iterable[str]) -> str:
    """`wanted` as a name Excel takes: 31 characters at most, none of []:*?/\\', and not in `taken`."""
    base = " ".join(FORBIDDEN.sub(" ", clean(wanted)).split()) or "Sheet"
    used = {name.casefold() for name in taken} | {"history"}
    for number in count(1):
        tail = f" {number}" if number > 1 else ""
        name = _cut(base, LONGEST_SHEET_NAME - len(tail)) + tail
        if name.casefold() not in used:
            return name
    raise AssertionError("there is always a next number")


def _cut(text: str, units: int) -> str:
    """As many words of `text` as fit, or as much of its only one: Excel counts UTF-16 units."""
    fitting = text
    while len(fitting.encode("utf-16-le")) > 2 * units:
        fitting = fitting[:-1]
    whole = text[len(fitting) : len(fitting) + 1].strip() == ""
    words = fitting if whole else fitting.rpartition(" ")[0]
    return (words if len(words) > units // 2 else fitting).strip(" ,;:-")
