"""The roster: the people of a plan from a file, each line checked like a record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from revplan.crm.cells import Cells, amounts, days, first_faults
from revplan.crm.excel import read_excel
from revplan.crm.mapping import plain, tidy
from revplan.crm.records import CURRENCY
from revplan.crm.separated import TextTable, read_csv
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.files import told_of
from revplan.ground.formats import counted
from revplan.plan.checks import roster_misfits
from revplan.plan.model import Plan
from revplan.plan.people import Rep
from revplan.plan.people_checks import roster_faults

COLUMNS = {  # what a roster's columns are called, ours first
    "rep": ("rep", "owner", "name", "employee", "rep name", "employee name", "full name", "user"),
    "role": ("role", "title", "job title", "position"),
    "segment": ("segment", "market", "territory"),
    "team": ("team", "group", "region"),
    "start": ("start", "started on", "start date", "hire date", "hired on", "start day"),
    "leave": ("leave", "left on", "end date", "leave date", "termination date", "end", "left"),
    "away_from": ("away from", "leave of absence from"),
    "away_to": ("away to", "leave of absence to"),
    "quota": ("quota", "annual quota", "yearly quota"),
    "seat": ("seat", "seat type"),
    "count": ("count", "heads", "headcount"),
}
NEEDED = ("rep", "role", "start")
EVERYWHERE = {"", "all", "any"}
SEATS = {"": "quota", "quota": "quota", "overlay": "overlay"}


@dataclass(frozen=True, eq=False)
class Roster:
    """The people of a roster file, and what was understood of it."""

    people: tuple[Rep, ...]
    read: tuple[str, ...]


def with_roster(plan: Plan, folder: Path) -> tuple[Plan, tuple[str, ...]]:
    """`plan` with the lines of the roster file that it names, and how the file was read; as it is where it names none.

    Raises
    ------
    DataError
        With every fault of the file: a column is missing, a cell is no day or no amount, a role is unknown, lines of
        one rep overlap, nobody works in the year.
    """
    if plan.capacity is None or not isinstance(plan.capacity.roster, str):
        return plan, ()
    path = folder / plan.capacity.roster
    with told_of(DataError, shown(path.name), "export it again as CSV, with a header row"):
        table = read_excel(path, None) if _is_workbook(path) else read_csv(path)
        people, places, read = _people(table, plan)
        faults = roster_faults(list(zip(places, people, strict=True)), plan.capacity, plan.segments)
        capacity = plan.capacity.model_copy(update={"roster": people})
        whole = plan.model_copy(update={"capacity": capacity})
        faults = faults or [
            Fault(table.name if fault.place == "capacity.roster" else fault.place, fault.message)
            for fault in roster_misfits(whole)
        ]
        if faults:
            raise DataError(faults)
    return whole, read


def _is_workbook(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"PK\x03\x04"
    except OSError:
        return False  # whose reader says what is wrong


def _people(table: TextTable, plan: Plan) -> tuple[tuple[Rep, ...], list[str], tuple[str, ...]]:
    """The lines, where each stands, and what was understood."""
    names = {plain(re.sub(r"[_-]", " ", column)): column for column in table.header}
    found = {
        key: next((names[plain(alias)] for alias in aliases if plain(alias) in names), None)
        for key, aliases in COLUMNS.items()
    }
    lacking = [key for key in NEEDED if found[key] is None]
    if lacking:
        known = ", ".join(shown(column) for column in table.header[:20])
        raise DataError.at(table.name, f"lacks the columns {', '.join(lacking)}; it has {known}")
    count = len(table.lines)
    if not count:
        raise DataError.at(table.name, "has no lines; give one line a rep, or leave `roster` out")
    columns, faults = _columns(table, found, plan)
    faults += [*_other_currency(table, plan), *_gaps(table, columns, found)]
    if faults:
        raise DataError(faults)
    places = [f"{table.name} {table.unit} {line}" for line in table.lines]
    people = tuple(_rep(columns, row) for row in range(count))
    read = f"{table.name}: {counted(count, 'line')} of the roster, {counted(len(set(columns['rep'])), 'person', 'people')}."
    return people, places, (read,)


def _columns(table: TextTable, found: dict[str, str | None], plan: Plan) -> tuple[dict[str, list[object]], list[Fault]]:
    """The cells of each key as values, None where they say nothing."""
    values: dict[str, list[object]] = {}
    faults: list[Fault] = []
    for key, column in found.items():
        if column is None:
            values[key] = [None] * len(table.lines)
            continue
        cells = Cells(table.name, column, table.cells(column), table.lines, table.unit)
        values[key], wrong = _READERS.get(key, _words)(cells, table, plan)
        faults += wrong
    known: dict[str, Iterable[str]] = {"role": plan.capacity.roles if plan.capacity else (), "segment": plan.segments}
    for key, names in known.items():
        if found[key] is not None:
            spelled = {plain(name): name for name in names}
            values[key] = [spelled.get(plain(str(text or "")), text) for text in values[key]]
    segments = values["segment"]
    values["segment"] = [None if str(text or "").casefold() in EVERYWHERE else text for text in segments]
    return values, faults


def _words(cells: Cells, table: TextTable, plan: Plan) -> tuple[list[object], list[Fault]]:
    return [tidy(text) for text in cells.texts], []


def _days(cells: Cells, table: TextTable, plan: Plan) -> tuple[list[object], list[Fault]]:
    parsed = days(cells)
    values = [None if np.isnat(day) else day.astype("datetime64[D]").item() for day in parsed.values]
    return values, list(parsed.found.faults)


def _amounts(cells: Cells, table: TextTable, plan: Plan) -> tuple[list[object], list[Fault]]:
    parsed = amounts(cells, None, table.separator)
    values: list[object] = [None if np.isnan(value) else float(value) for value in parsed.values]
    return values, [*parsed.found.faults, *_sign_fault(cells, parsed.sign, plan)]


def _counts(cells: Cells, table: TextTable, plan: Plan) -> tuple[list[object], list[Fault]]:
    values, faults = _amounts(cells, table, plan)
    wrong = [row for row, value in enumerate(values) if value is not None and not _is_count(value)]
    return values, [*faults, *first_faults(wrong, partial(_count_fault, cells), "values that are no count")]


def _seats(cells: Cells, table: TextTable, plan: Plan) -> tuple[list[object], list[Fault]]:
    values, _ = _words(cells, table, plan)
    wrong = [row for row, text in enumerate(values) if str(text).casefold() not in SEATS]
    return values, list(first_faults(wrong, partial(_seat_fault, cells), "values that are no seat"))


_READERS = dict.fromkeys(("start", "leave", "away_from", "away_to"), _days) | {
    "quota": _amounts,
    "count": _counts,
    "seat": _seats,
}


def _is_count(value: object) -> bool:
    return isinstance(value, float) and value >= 1 and value == int(value)


def _count_fault(cells: Cells, row: int) -> Fault:
    return Fault(cells.place(row), f"got {shown(cells.texts[row])!r}; it must be a whole number from 1 on")


def _seat_fault(cells: Cells, row: int) -> Fault:
    return Fault(cells.place(row), f"got {shown(cells.texts[row])!r}; a seat is quota or overlay")


def _sign_fault(cells: Cells, sign: str, plan: Plan) -> Iterator[Fault]:
    if sign and not _means(sign, plan.currency):
        message = f"is in {sign}, the plan in {plan.currency}; convert it, or plan in the other currency"
        yield Fault(f"{cells.file}, {shown(cells.column)}", message)


SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥", "CNY": "¥", "INR": "₹", "RUB": "₽", "PLN": "zł"}
DOLLARS = {"CAD", "AUD", "NZD", "SGD", "HKD", "MXN"}


def _means(sign: str, currency: str) -> bool:
    """Whether a sign or code on an amount may mean `currency`."""
    return sign in {currency, SIGNS.get(currency, "")} or (sign == "$" and currency in DOLLARS)


def _other_currency(table: TextTable, plan: Plan) -> Iterator[Fault]:
    """A column of currency codes that says another one than the plan's."""
    for column in filter(CURRENCY.search, table.header):
        for row, text in enumerate(table.cells(column)):
            code = text.strip().upper()
            if code and not _means(code, plan.currency):
                message = f"is in {shown(code)}, the plan in {plan.currency}; convert it, or plan in the other currency"
                yield Fault(f"{table.name} {table.unit} {table.lines[row]}, {shown(column)}", message)
                break


def _gaps(table: TextTable, columns: dict[str, list[object]], found: dict[str, str | None]) -> Iterator[Fault]:
    for key in NEEDED:
        cells = Cells(table.name, found[key] or key, (), table.lines, table.unit)
        empty = [row for row, value in enumerate(columns[key]) if value in (None, "")]
        yield from first_faults(empty, partial(_gap_fault, cells, key), "empty cells")
    froms, tos = columns["away_from"], columns["away_to"]
    for row, (begin, end) in enumerate(zip(froms, tos, strict=True)):
        if (begin is None) != (end is None) or (begin is not None and end < begin):  # type: ignore[operator]
            message = "a leave of absence needs its first day and its last, in this order"
            yield Fault(f"{table.name} {table.unit} {table.lines[row]}", message)


def _gap_fault(cells: Cells, key: str, row: int) -> Fault:
    return Fault(cells.place(row), f"is empty; every line needs its {key}")


def _rep(columns: dict[str, list[object]], row: int) -> Rep:
    begin, end = columns["away_from"][row], columns["away_to"][row]
    seat = SEATS[str(columns["seat"][row] or "").casefold()]
    count = columns["count"][row]
    line = {key: columns[key][row] for key in ("rep", "role", "segment", "start", "leave", "quota")}
    away = [{"from": begin, "to": end}] if begin is not None else []
    more = {"team": columns["team"][row] or "", "away": away, "seat": seat}
    return Rep.model_validate({**line, **more, "count": 1 if count is None else int(str(count).partition(".")[0])})
