"""Tables that a plan names, read by what their columns are called: actuals, rosters, calls.

One reader for all of them. A caller says which columns it asks for, of which kind and under which headers they are
known; it gets values by row, with the line of each, and every fault of the file at once. How the file is written
(decimal mark, date format, currency, header row, headers of its own) stands where the plan names it (`TableFile`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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
from revplan.crm.writings import CODES
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.files import told_of
from revplan.ground.tablefile import EVERY_COLUMN, TableFile

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
    where: TableFile, folder: Path, asked: Sequence[Asked], key: str = "", keep_totals: bool = False, home: str = ""
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
            place = key or shown(name)
            raise DataError.at(place, no_file(where.path, "plan's"))
        text = read_table(where, folder, lambda _: True, keep_totals)
        return _sheet(text, where, _headers(text, where, asked, key), asked, key, home)


def _headers(text: TextTable, where: TableFile, asked: Sequence[Asked], key: str) -> dict[str, str]:
    """Name asked for -> the header of the file that has it.

    Raises
    ------
    DataError
        With every column that lacks.
    """
    own = dict(where.columns or {})
    filled = {squeezed_header(header): header for header in reversed(text.header) if header}
    found: dict[str, str] = {}
    faults = [
        Fault(
            f"{key}.columns.{name}" if key else name,
            f"is no column of {key or text.name}{did_you_mean(name, [each.name for each in asked])}",
        )
        for name in own
        if name not in {each.name for each in asked}
    ]
    lacking = []
    for each in asked:
        if each.name in own:
            header = own[each.name] if own[each.name] in text.header else filled.get(squeezed_header(own[each.name]))
            if header is None:
                hint = did_you_mean(own[each.name], [name for name in text.header if name])
                place, which = (f"{key}.columns.{each.name}", f"{shown(text.name)} ") if key else (text.name, "")
                faults.append(Fault(place, f"{which}has no column {shown(own[each.name])!r}{hint}"))
            else:
                found[each.name] = header
        elif header := header_called((each.name, *each.called), filled, found.values()):
            found[each.name] = header
        elif each.needed:
            lacking.append(each.name)
    if lacking:
        listed = ", ".join(shown(header) for header in text.header[:LISTED] if header)
        paste = f"{key}: {{path: {where.path}, columns: {{{lacking[0]}: ITS HEADER}}}}"
        cure = f"; if one is called otherwise: {paste}" if key else ""
        several = "s" * (len(lacking) > 1)
        faults.append(Fault(text.name, f"lacks the column{several} {', '.join(lacking)}; it has {listed}{cure}"))
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
    says = table.ne("") & table.notna() if len(table.columns) else table
    empty = ~says.any(axis=1).to_numpy(dtype=bool) if len(columns) else np.zeros(len(table), dtype=bool)
    found += priced + counted(text.name, "set aside: rows without any of the columns asked for", int(empty.sum()))
    table = table.assign(line=list(text.lines))[~empty].reset_index(drop=True)
    return FoundTable(text.name, table, headers, signs, found, text)


def declared(said: Mapping[str, str] | None, header: str) -> str | None:
    """What is said of how a column is written: of it, or of every one."""
    return (said or {}).get(header) or (said or {}).get(EVERY_COLUMN)


def _parsed(text: TextTable, where: TableFile, header: str, kind: Kind, key: str) -> Parsed:
    said_in = f"the plan, under {key}" if key else "the plan"
    cells = Cells(text.name, header, text.cells(header), text.lines, text.unit, header, said_in)
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
