"""The workbook while it is written: its formats, its inputs, where named things stand."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from revplan.excel.address import cell, fixed
from revplan.excel.grid import Grid
from revplan.ground.escaping import clean
from revplan.ground.formats import show

InputPlace = tuple[str | int, ...]
"""Keys of the plan file that lead to a value; see `changes`."""

LONGEST_TEXT = 32_000
FIRST_YEAR = 1900  # in which the calendar of Excel begins
SAME = 1e-9  # share by which an input may differ and not be shown as changed
PAGE_WIDTH = 190  # characters across a page, so that a sheet can be read on paper
FEW_ROWS = 40  # of a sheet that nobody reads on paper, rows that are printed all the same: a sheet cannot be left out
PLAN, RECORDS, ENTRIES, PEOPLE = "plan", "records", "commit", "people"
"""Whose an input is: the planner's, the records', or the optimisation's; the planner's of people, which no commit hangs on."""

BY_SIGN = "[Red]"
"""In a number format: red below 0, whether that is good or bad."""
MONEY, COUNT, WHOLE, SHARE, RATE, RATIO = (
    "#,##0;[Red]-#,##0;0",
    '#,##0.0;[Red]-#,##0.0;"·"',
    "#,##0",
    '0.0%;[Red]-0.0%;"·"',
    "0.00%",
    "0.000",
)
MONTH, DAY, NUMBER, TEXT = "mmm yyyy", "d mmm yyyy", "General", "@"
PRECISE = "#,##0.00####"
CENTS = "#,##0.00;[Red]-#,##0.00;0"

LOOKS: dict[str, dict[str, object]] = json.loads(
    (Path(__file__).parents[1] / "exhibits" / "style" / "workbook.json").read_text(encoding="utf-8")
)
"""How cells look, by what they are."""


@dataclass(frozen=True)
class Rule:
    """What an input takes: between `least` and `most`, empty where `optional`."""

    says: str
    least: float = 0.0
    most: float = 1e15
    optional: bool = False


SHARES = Rule("A share: 0 to 1, or 0% to 100%.", 0, 1)
AMOUNTS = Rule("An amount of 0 or more, in the plan's currency.")
PRICES = Rule("An amount above 0, in the plan's currency.", 1e-9, 1e12)


@dataclass(frozen=True)
class Input:
    """A cell a person may change."""

    place: InputPlace
    what: str
    owner: str
    sheet: str
    row: int
    col: int
    value: float | None

    @property
    def address(self) -> str:
        """Where it stands, for formulas of other sheets."""
        return fixed(self.row, self.col, self.sheet)


@dataclass(frozen=True)
class Check:
    """What must hold: two sides, as formulas with their values."""

    what: str
    left: str
    right: str
    values: tuple[float, float]
    slack: float
    """How far they may differ."""


@dataclass
class BookWriter:
    """The workbook being written, and what its sheets must know of each other."""

    book: Any
    grid: Grid
    inputs: dict[InputPlace, Input] = field(default_factory=dict)
    checks: list[Check] = field(default_factory=list)
    cells: dict[str, tuple[str, float | None]] = field(default_factory=dict)
    """Results by name: address and value."""
    contents: dict[str, str] = field(default_factory=dict)
    """What each sheet is, in a line, by its name."""
    formats: dict[tuple[str, str], Any] = field(default_factory=dict)

    @cached_property
    def changed(self) -> Any:
        """The look of an input that has been changed."""
        return self.book.add_format(LOOKS["changed"])

    @cached_property
    def worse(self) -> Any:
        """The look of a number to the bad."""
        return self.book.add_format(LOOKS["worse"])

    def format(self, number: str, look: str) -> Any:
        """The cell format of a number format and a look, made once."""
        if (number, look) not in self.formats:
            self.formats[number, look] = self.book.add_format({**LOOKS["every"], "num_format": number, **LOOKS[look]})
        return self.formats[number, look]

    def at(self, *place: str | int) -> str:
        """Address of the input of a place of the plan."""
        return self.inputs[place].address

    def check(
        self, what: str, sides: tuple[str, str], value: float, slack: float | None = None, left: float | None = None
    ) -> None:
        """Lists an identity for the sheet of checks; a millionth is its slack unless another is given."""
        may_differ = 1e-6 * max(1.0, abs(value)) if slack is None else slack
        self.checks.append(Check(what, *sides, (value if left is None else left, value), may_differ))


@cache
def _paper() -> type:
    """A worksheet of xlsxwriter that takes formulas as they are written."""
    from xlsxwriter.worksheet import Worksheet

    class Paper(Worksheet):  # type: ignore[misc]
        # It looks for thirty newer functions in each of some ten thousand formulas, two thirds of all time; a test holds
        # that none of them is used.
        def _prepare_formula(self, formula: str, expand_future_functions: bool = False) -> str:
            return formula.removeprefix("=")

    return Paper


class Sheet:
    """One sheet: what is written to it, and how it prints."""

    def __init__(self, writer: BookWriter, name: str, title: str, about: Sequence[str] = ()) -> None:
        self.writer, self.name = writer, name
        self.paper = writer.book.add_worksheet(name, _paper())
        self.paper.hide_gridlines(2)
        self.paper.set_landscape()
        self.paper.set_paper(9)
        self.paper.set_margins(0.4, 0.4, 0.6, 0.6)
        self.paper.set_footer(f"&L{printable(writer.grid.plan.name)}&C{printable(name)}&R&P / &N")
        self.paper.protect("", {"format_columns": True, "format_rows": True, "select_unlocked_cells": True})
        self.text(0, 0, title, "title")
        writer.contents[name] = about[0] if about else title
        for row, line in enumerate(about, 1):
            self.text(row, 0, line, "grey")
        self.top = len(about) + 2

    def text(self, row: int, col: int, text: object, look: str = "") -> None:
        """Words, never a formula."""
        self.paper.write_string(row, col, clean(text)[:LONGEST_TEXT], self.writer.format(TEXT, look))

    def link(self, row: int, col: int, sheet: str) -> None:
        """The name of another sheet, which leads there."""
        self.paper.write_url(row, col, f"internal:'{sheet}'!A1", self.writer.format(TEXT, "link"), sheet)

    def number(self, row: int, col: int, value: float | None, kind: str = NUMBER, look: str = "") -> None:
        """A number that is no input; nothing where there is none."""
        shape = self.writer.format(kind, look)
        if value is None:
            self.paper.write_blank(row, col, None, shape)
        else:
            self.paper.write_number(row, col, float(value), shape)

    def variance(self, at: tuple[int, int], value: float, kind: str, way: int, look: str = "") -> None:
        """A number of which more is better (`way` +1) or less is (-1): coloured where it is to the bad, whatever its sign."""
        self.number(*at, value, kind.replace(BY_SIGN, ""), look)
        self.worse(at, at, "<" if way > 0 else ">")

    def worse(self, first: tuple[int, int], last: tuple[int, int], side: str, limit: float = 0.0) -> None:
        """Colours the cells that lie to the bad `side` of a limit, and others after a change."""
        color = {"type": "cell", "criteria": side, "value": limit, "format": self.writer.worse}
        self.paper.conditional_format(*first, *last, color)

    def month(self, row: int, col: int, month: pd.Period, look: str = "number head") -> None:
        """A month, as the first of its days; in words before Excel's calendar begins."""
        if month.year < FIRST_YEAR:
            self.text(row, col, show(month, "month"), look)
        else:
            self.paper.write_datetime(row, col, datetime(month.year, month.month, 1), self.writer.format(MONTH, look))

    def formula(
        self, row: int, col: int, formula: str, value: float | str | None, kind: str = NUMBER, look: str = ""
    ) -> None:
        """A formula with the value the package found."""
        shown = "" if value is None else value if isinstance(value, str) else float(value)
        self.paper.write_formula(row, col, f"={formula}", self.writer.format(kind, look), shown)

    def input(
        self, at: tuple[int, int], value: float | None, kind: str, rule: Rule, named: tuple[InputPlace, str]
    ) -> None:
        """A cell a person may change: coloured by whose it is, guarded by `rule`, and listed."""
        place, what = named
        owner = PEOPLE if place[0] == "capacity" else str(place[0]) if place[0] in (RECORDS, ENTRIES) else PLAN
        self.number(*at, value, kind, {PLAN: "input", PEOPLE: "input"}.get(owner, owner))
        self.writer.inputs[place] = Input(place, what, owner, self.name, *at, value)
        guard = {
            "validate": "decimal",
            "criteria": "between",
            "minimum": rule.least,
            "maximum": rule.most,
            "ignore_blank": rule.optional,
            "input_title": "Input",
            "input_message": rule.says + (" May be empty." if rule.optional else ""),
            "error_title": "Not taken",
            "error_message": rule.says,
        }
        self.paper.data_validation(*at, *at, guard)
        if (
            value is not None and owner in (PLAN, PEOPLE) and "lag" not in place
        ):  # set off once the commit was not solved for it
            least, most = sorted((value * (1 - SAME), value * (1 + SAME)))
            look = {"criteria": "not between", "minimum": least, "maximum": most, "format": self.writer.changed}
            self.paper.conditional_format(*at, *at, {"type": "cell", **look})

    def heads(self, row: int, heads: Sequence[object], first: int = 0, words: int = 1) -> None:
        """A row of headings, words or months: `words` columns of the sheet stand left, the others right."""
        for col, head in enumerate(heads, first):
            if isinstance(head, pd.Period):
                self.month(row, col, head)
            else:
                self.text(row, col, head, "head" if col < words else "number head")

    def widths(self, *widths: float) -> None:
        """Widths of the columns; the last holds for those that follow; pages side by side, as many as it takes. [characters]"""
        last = max(self.paper.dim_colmax or 0, len(widths) - 1)
        for col, width in enumerate(widths[:-1]):
            self.paper.set_column(col, col, width)
        self.paper.set_column(len(widths) - 1, last, widths[-1])
        broad = sum(widths[:-1]) + widths[-1] * (last + 2 - len(widths))
        self.paper.fit_to_pages(max(1, math.ceil(broad / PAGE_WIDTH)), 0)

    def print_only(self, rows: int, columns: int | None = None) -> None:
        """Leaves out of printing what lies below `rows` and right of `columns`; the rest is a page wide."""
        self.paper.print_area(0, 0, rows - 1, self.paper.dim_colmax if columns is None else columns - 1)
        self.paper.fit_to_pages(1, 0)

    def freeze(self, row: int, col: int) -> None:
        """What stays in sight, and is printed again on every page."""
        self.paper.freeze_panes(row, col)
        self.paper.repeat_rows(row - 1)
        if col:
            self.paper.repeat_columns(0, col - 1)

    def result(self, name: str, row: int, col: int, value: float | None) -> None:
        """Makes a result known by its name: to other sheets, and to the user."""
        self.writer.cells[name] = (fixed(row, col, self.name), value)
        self.writer.book.define_name(name, f"={fixed(row, col, self.name)}")

    def ref(self, row: int, col: int) -> str:
        """A cell of this sheet for formulas of another."""
        return cell(row, col, self.name)


def printable(text: str) -> str:
    """`text` for a page's foot, where & begins a command."""
    return clean(text)[:60].replace("&", "&&")
