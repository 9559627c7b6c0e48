"""Tables that a plan names, read by what their columns are called: rosters and calls here, the actuals in `actuals.py`.

One reader for all of them. A caller says which columns it asks for, of which kind and under which headers they are
known; it gets values by row, with the line of each, and every fault of the file at once. How the file is written
(decimal mark, date format, currency, header row, headers of its own) stands where the plan names it (`TableFile`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from revplan.crm.cells import (
    Cells,
    Findings,
    Parsed,
    amounts,
    counted,
    days,
    first_faults,
    several_currencies,
    stripped,
)
from revplan.crm.file import did_you_mean
from revplan.crm.mapping import no_file, tidy
from revplan.crm.presets import header_called, squeezed_header
from revplan.crm.readers import read_table
from revplan.crm.text_table import TextTable
from revplan.crm.writings import CODES, codes_of, may_be
from revplan.ground.calendar import MONTHS_PER_QUARTER, quarter_id, quarter_label, quarter_short
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.files import told_of
from revplan.ground.tablefile import EVERY_COLUMN, TableFile
from revplan.ground.tables import conform
from revplan.plan.model import Plan

Kind = Literal["text", "day", "money"]
CURRENCY = ("currency", "currency code", "currency iso code", "währung", "devise", "moneda", "valuta")
LISTED = 20  # headers shown in a message
EXPORT_AGAIN = "export it again as CSV, with a header row"


@dataclass(frozen=True)
class Asked:
    """A column that is asked for: what it is called here, what it holds, the headers it is known by."""

    name: str
    kind: Kind
    called: tuple[str, ...] = ()
    """Other headers, whatever their case, spaces and signs; a star at the end stands for anything."""
    needed: bool = True


@dataclass(frozen=True, eq=False)
class FoundTable:
    """A table as read: a column for each one found, by the names asked for."""

    name: str
    """The file's name."""
    table: pd.DataFrame
    """text: str, "" where the cell says nothing; day: datetime64; money: float, NaN where the cell says nothing.
    Column `line`: where the row begins. Rows without any of what was asked for are left out, and counted."""
    headers: Mapping[str, str]
    """Name asked for -> the header it was found under."""
    signs: Mapping[str, str]
    """Currency found in cells or in a column of codes, those converted left out -> where it stands first."""
    found: Findings
    """Faults of the cells, and the lines of the report."""
    text: TextTable
    """The cells as they stand, other columns too."""

    def row(self, row: int) -> str:
        """File and line of a row, for a message."""
        return f"{self.name} {self.text.unit} {self.table['line'][row]}"

    def place(self, row: int, name: str) -> str:
        """File, line and header of a cell, for a message."""
        return f"{self.row(row)}, {shown(self.headers.get(name, name))}"

    def faults_at(self, name: str, wrong: Sequence[bool] | np.ndarray | pd.Series, message: str, kind: str) -> Findings:
        """Faults of the rows that are `wrong` in a column: the first three with their line, and how many more.

        A cell that cannot be read is at fault for that already, and is not empty.
        """
        unread = {
            each.cells.file_and_line(row)[1]
            for each in self.found.unread
            if each.cells.column == self.headers.get(name)
            for row in each.rows.tolist()
        }
        rows = np.flatnonzero(np.asarray(wrong) & ~self.table["line"].isin(unread)).tolist()
        return Findings(first_faults(rows, lambda row: Fault(self.place(row, name), message), kind))

    def other_currencies(self, currency: str) -> dict[str, str]:
        """Signs and codes found that cannot stand for the plan's `currency` -> where each stands first."""
        return {sign: place for sign, place in self.signs.items() if not may_be(sign, currency)}

    def sound(self, *others: Findings) -> pd.DataFrame:
        """The table, where neither its cells nor what else was found is at fault.

        Raises
        ------
        DataError
            With every fault.
        """
        faults = [fault for each in (self.found, *others) for fault in each.faults]
        if faults:
            raise DataError(faults)
        return self.table


def read_sheet(
    where: TableFile, folder: Path, asked: Sequence[Asked], key: str, keep_totals: bool = False, home: str = ""
) -> FoundTable:
    """The table at `where`, whose path counts from `folder`, with the columns `asked` for.

    `key` is the plan's key that names it, for messages. Faults of cells are those of `FoundTable.found`: `FoundTable.sound()`
    raises them, with the caller's own. Rows of totals are set aside and counted, or kept for callers that check them.
    `home` is the plan's currency, for callers that refuse others themselves (`FoundTable.signs`); without it amounts of
    two currencies are a fault here.

    Raises
    ------
    DataError
        If the file cannot be read, or lacks a column that is needed; all such columns at once.
    """
    name = Path(where.path).name
    with told_of(DataError, shown(name), EXPORT_AGAIN):
        if not (folder / where.path).is_file():
            raise DataError.at(key, no_file(where.path, "plan's"))
        text = read_table(where, folder, lambda _: True, keep_totals)
        return _sheet(text, where, _headers(text, where, asked, key), asked, key, home)


def _headers(text: TextTable, where: TableFile, asked: Sequence[Asked], key: str) -> dict[str, str]:
    """Name asked for -> the header of the file that has it.

    Raises
    ------
    DataError
        With every column that lacks.
    """
    own, names = dict(where.columns or {}), [each.name for each in asked]
    filled = {squeezed_header(header): header for header in reversed(text.header) if header}
    found: dict[str, str] = {}
    lacking = []
    faults = [
        Fault(f"{key}.columns.{name}", f"is no column of {key}{did_you_mean(name, names)}")
        for name in own
        if name not in names
    ]
    for each in asked:
        called = own.get(each.name)
        if called is None:
            header = header_called((each.name, *each.called), filled, found.values())
        else:
            header = called if called in text.header else filled.get(squeezed_header(called))
        if header is not None:
            found[each.name] = header
        elif called is not None:
            hint = did_you_mean(called, [name for name in text.header if name])
            message = f"{shown(text.name)} has no column {shown(called)!r}{hint}"
            faults.append(Fault(f"{key}.columns.{each.name}", message))
        elif each.needed:
            lacking.append(each.name)
    if lacking:
        listed = ", ".join(shown(header) for header in text.header[:LISTED] if header)
        cure = f"if one is called otherwise: {key}: {{path: {where.path}, columns: {{{lacking[0]}: ITS HEADER}}}}"
        several = "s" * (len(lacking) > 1)
        faults.append(Fault(text.name, f"lacks the column{several} {', '.join(lacking)}; it has {listed}; {cure}"))
    if faults:
        raise DataError(faults)
    return found


def _sheet(
    text: TextTable, where: TableFile, headers: Mapping[str, str], asked: Sequence[Asked], key: str, home: str
) -> FoundTable:
    columns = {
        each.name: _parsed(text, where, headers[each.name], each.kind, key) for each in asked if each.name in headers
    }
    table = pd.DataFrame({name: parsed.values for name, parsed in columns.items()})
    there = [each for each in asked if each.name in columns]
    table = table.astype({each.name: "str" for each in there if each.kind == "text"})
    money = [each.name for each in there if each.kind == "money"]
    found = Findings(lines=text.report(text.name))
    for parsed in columns.values():
        found += parsed.found
    signs = {parsed.sign: f"{text.name}, {headers[name]}" for name, parsed in reversed(columns.items()) if parsed.sign}
    table, signs, priced = _in_one_currency(text, where, table, money, signs, home)
    empty = (table.isna() | table.eq("")).all(axis=1)
    found += priced + counted(text.name, "set aside: rows without any of the columns asked for", empty.sum())
    table = table.assign(line=list(text.lines))[~empty].reset_index(drop=True)
    return FoundTable(text.name, table, headers, signs, found, text)


def declared(said: Mapping[str, str] | None, header: str) -> str | None:
    """What is said of how a column is written: of it, or of every one."""
    return (said or {}).get(header) or (said or {}).get(EVERY_COLUMN)


def _parsed(text: TextTable, where: TableFile, header: str, kind: Kind, key: str) -> Parsed:
    cells = Cells(text.name, header, text.cells(header), text.lines, text.unit, header, f"the plan, under {key}")
    date_format, decimal = declared(where.date_format, header), declared(where.decimal, header)
    if kind == "day":
        return days(cells, date_format)
    if kind == "text":
        texts, filled, found = stripped(cells)
        tidied = np.array([tidy(each) for each in texts.different], dtype=object)
        return Parsed(np.where(filled, texts.of_rows(tidied), ""), found)
    return amounts(cells, decimal, text.separator)


def _in_one_currency(
    text: TextTable, where: TableFile, table: pd.DataFrame, money: Sequence[str], signs: Mapping[str, str], home: str
) -> tuple[pd.DataFrame, dict[str, str], Findings]:
    """The amounts with those of currencies that have a rate converted; the currencies that are left, and what is said.

    Amounts of several currencies without rates are a fault, unless the caller looks for others than `home`.
    """
    rates = dict(where.rates or {})
    codes = _codes(text, where, signs)
    stated = table[list(money)].notna().any(axis=1).to_numpy() if money else np.zeros(len(table), dtype=bool)
    counts = pd.Series(codes[stated & (codes != "")]).value_counts(sort=False)
    left = {code: count for code, count in counts.items() if code not in rates}
    found = Findings()
    if len(left) > 1 and not home:
        found += Findings((Fault(text.name, several_currencies(left, list(left)[1:])),))
    factors = np.array([rates.get(code, 1.0) for code in codes.tolist()])
    converted = int((stated & np.isin(codes, list(rates))).sum())
    said = ", ".join(f"{code} at {rate:g}" for code, rate in rates.items())
    found += counted(text.name, "rows converted, as rates asks", converted, said)
    first = {code: f"{text.name} {text.unit} {text.lines[int(np.argmax(codes == code))]}" for code in left}
    places = {**first, **{sign: place for sign, place in signs.items() if CODES.get(sign, sign) not in rates}}
    return table.assign(**{name: table[name].to_numpy() * factors for name in money}), places, found


def _codes(text: TextTable, where: TableFile, signs: Mapping[str, str]) -> np.ndarray:
    """The currency of each row: declared, or that of a column of codes, or the sign that amounts are written with."""
    rows = len(text.lines)
    if where.currency:
        return np.full(rows, where.currency, dtype=object)
    column = next((header for header in text.header if squeezed_header(header) in map(squeezed_header, CURRENCY)), None)
    if column is not None:
        texts, filled, _ = stripped(Cells(text.name, column, text.cells(column), text.lines, text.unit))
        return np.where(filled, texts.of_rows(np.array([*map(str.upper, texts.different)], dtype=object)), "")
    rated = {CODES.get(sign, sign) for sign in signs} & set(where.rates or {})
    written = rated if len(signs) == 1 and rated else set(signs)
    return np.full(rows, next(iter(written)) if len(written) == 1 else "", dtype=object)


# --- rosters ------------------------------------------------------------------------------------------------

ROSTER = (
    Asked("rep", "text", ("rep id", "name", "rep name", "employee id", "employee", "employee name", "full name", "seller",
                          "mitarbeiter", "personalnummer")),
    Asked("role", "text", ("title", "job title", "position", "rolle"), needed=False),
    Asked("segment", "text", ("market segment",), needed=False),
    Asked("team", "text", ("pod", "group", "sales team", "manager"), needed=False),
    Asked("start", "day", ("start date", "started on", "hire date", "hired on", "date of joining", "eintritt",
                           "eintrittsdatum")),
    Asked("leave", "day", ("leave date", "left on", "end date", "ended on", "termination date", "last day", "austritt",
                           "austrittsdatum"), needed=False),
    Asked("absent_from", "day", ("absence from", "leave of absence from", "leave of absence start", "absence start", "loa start"),
          needed=False),
    Asked("absent_to", "day", ("absence to", "leave of absence to", "leave of absence end", "absence end", "loa end"),
          needed=False),
    Asked("quota", "money", ("annual quota", "yearly quota", "quota*", "target", "ziel"), needed=False),
    Asked("seat", "text", ("seat type", "type", "seat status", "status"), needed=False),
)  # fmt: skip
"""The columns of a roster: who sells what, from when, until when, with which quota; an open seat has no name yet."""


def read_roster(where: TableFile, folder: Path, key: str = "roster") -> FoundTable:
    """Who sells: `rep`, `start` and what else the file has of ROSTER, a row each; days as days, quota as money.

    Nobody's start and ends before a start are among its faults.

    Raises
    ------
    DataError
        If the file cannot be read, or lacks a column that is needed.
    """
    sheet = read_sheet(where, folder, ROSTER, key)
    table, found = sheet.table, sheet.found
    found += sheet.faults_at(
        "start", table["start"].isna(), "is empty; write the first day of work", "rows without a start"
    )
    if "leave" in table:
        early, message = table["leave"] < table["start"], "lies before the start; correct one of the days"
        found += sheet.faults_at("leave", early, message, "days of leaving before the start")
    if {"absent_from", "absent_to"} <= set(table):
        early, message = table["absent_to"] < table["absent_from"], "lies before the absence begins"
        found += sheet.faults_at("absent_to", early, message, "absences that end before they begin")
    return replace(sheet, found=found)


# --- calls --------------------------------------------------------------------------------------------------

CALLS = (
    Asked("made_on", "day", ("date", "day", "on", "datum")),
    Asked("who", "text", ("by", "name", "team", "wer")),
    Asked("quarter", "text", ("period", "quartal", "trimestre")),
    Asked("number", "money", ("call", "amount", "forecast", "new arr", "arr", "betrag", "montant")),
)
YEARS_BACK, YEARS_AHEAD = 12, 2  # from the plan's year, of which a call may be


def read_calls(where: TableFile, folder: Path, plan: Plan) -> pd.DataFrame:
    """Table calls: who said on which day what new ARR a quarter would bring. [plan currency]

    Raises
    ------
    DataError
        With every fault of the file: unreadable cells, quarters there are not, calls made after the quarter was over.
    """
    sheet = read_sheet(where, folder, CALLS, "calls", home=plan.currency)
    table = sheet.table
    filled = quarters_by_name(plan)
    starts = [filled.get(squeezed_header(text)) for text in table["quarter"]]
    ends = np.array([_end(each) if each is not None else "NaT" for each in starts], dtype="datetime64[D]")
    made = table["made_on"].to_numpy().astype("datetime64[D]")
    example = quarter_id(0, plan.first_month)
    again = table.assign(quarter=[str(each) for each in starts]).duplicated(["made_on", "who", "quarter"])
    sheet.sound(
        sheet.faults_at("made_on", np.isnat(made), "is empty; write the day of the call", "calls without a day"),
        sheet.faults_at("who", table["who"] == "", "is empty; write who called it", "calls of nobody"),
        sheet.faults_at("number", table["number"].isna(), "is empty; write the new ARR that was called", "calls without a number"),
        sheet.faults_at("number", table["number"] < 0, "is below 0; new ARR of a quarter is not", "calls below 0"),
        sheet.faults_at("quarter", [each is None for each in starts], f"is no quarter of the plan's fiscal years; write it as {example}", "calls of no quarter"),
        sheet.faults_at("made_on", made > ends, "lies after the quarter's last day: a call is made before", "calls made too late"),
        sheet.faults_at("made_on", again & ~np.isnat(made), "repeats the call of the same day, person and quarter; keep one", "calls made twice"),
        _two_currencies(sheet, plan),
    )  # fmt: skip
    first = plan.first_month
    ids = [quarter_id((each - first).n // MONTHS_PER_QUARTER, first) for each in starts if each is not None]
    return conform(table.assign(quarter=pd.Series(ids, dtype="str"), who=table["who"].str.strip()), "calls")


def call_faults(plan: Plan, folder: Path) -> tuple[Fault, ...]:
    """What is wrong with the calls that a plan names, where it names some."""
    try:
        if plan.calls is not None:
            read_calls(plan.calls, folder, plan)
    except DataError as error:
        return error.faults
    return ()


def _two_currencies(sheet: FoundTable, plan: Plan) -> Findings:
    others = list(sheet.other_currencies(plan.currency))
    wrong = np.full(len(sheet.table), bool(others))
    code = codes_of(others[0])[0] if others else ""
    message = f"is in {', '.join(map(shown, others))}, the plan in {plan.currency}; give calls: {{path: ..., rates: {{{code}: ...}}}}"
    return sheet.faults_at("number", wrong, message, "calls in another currency")


def quarters_by_name(plan: Plan) -> dict[str, pd.Period]:
    """Every way to write a quarter of the plan's fiscal years, squeezed like a header -> its first month."""
    first, names = plan.first_month, plan.fiscal_year.names
    found: dict[str, pd.Period] = {}
    for index in range(-4 * YEARS_BACK, 4 * YEARS_AHEAD):
        begin = first + MONTHS_PER_QUARTER * index
        year, number = quarter_id(index, first).split("-")
        written = [
            f"{year}-{number}",
            f"{year} {number}",
            quarter_short(index, first, names),
            quarter_label(index, first, names),
        ]
        written += [f"{number} {year}"] if first.month == 1 else []
        found.update(dict.fromkeys(map(squeezed_header, written), begin))
    return found


def _end(begin: pd.Period) -> np.datetime64:
    last: date = (begin + MONTHS_PER_QUARTER - 1).end_time.date()
    return np.datetime64(last)
