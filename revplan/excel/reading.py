"""The inputs of a live workbook as somebody left them: read only, nothing in it is evaluated."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from io import BytesIO
from math import isclose
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from revplan.crm.excel import refuse_what_unpacks_too_far, rows_of
from revplan.excel.check_sheets import ADDRESS, LAYOUT, LAYOUT_LABEL, NOTHING, NOW, OWNER, PLACE, SHEET, TOP, WAS, WHAT
from revplan.excel.grid import READ_ME, SOLVED
from revplan.excel.writer import ENTRIES, PEOPLE, PLAN, RECORDS, InputPlace
from revplan.exhibits.provenance import LABELS
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.files import WORKBOOK_MB, content_of, megabytes, told_of

ENCRYPTED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
SAME = 1e-12
"""Share by which a number may differ and still be the same: LibreOffice saves fifteen digits."""

MAY_BE_EMPTY = ("next_year_growth", "cost_per_entry", "max_per_month", "max_growth")
DAMAGED = "the list of inputs is damaged; make the workbook again"

SheetCells = dict[tuple[int, int], Any]


@dataclass(frozen=True)
class ChangedInput:
    """An input whose value is no longer the one the workbook was made with."""

    place: InputPlace
    what: str
    owner: str
    was: float | None
    now: float | None


def read_filled(path: Path) -> tuple[str, tuple[ChangedInput, ...]]:
    """The fingerprint of the plan that the live workbook at `path` was made from, and its changed inputs.

    Raises
    ------
    DataError
        If it is no workbook of revplan, of an unknown layout, without calculated values, or if an input
        holds no number.
    """
    cure = "open it in Excel and save it again, or make it again with `revplan report`"
    with told_of(DataError, shown(path.name), cure, "cannot be read as an Excel workbook"):
        raw = _content(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a workbook holds besides its cells is of no interest here
            sheets = _sheets(raw, path.name)
        told = {row: str(value) for row, value in _column(sheets.get(READ_ME, {}), 0)}
        values = dict(_column(sheets.get(READ_ME, {}), 1))
        about = {label: values.get(row) for row, label in reversed(told.items())}
        _refuse_others(path.name, sheets, about)
        return str(about.get(LABELS["plan_fingerprint"], "")), _changed(path.name, sheets)


def _content(path: Path) -> bytes:
    name, limit = shown(path.name), megabytes(WORKBOOK_MB)
    try:
        raw = content_of(path, DataError, limit)
    except OSError as fault:
        raise DataError.at(name, f"cannot be read: {fault.strerror}") from None
    if raw.startswith(ENCRYPTED):
        raise DataError.at(name, "is encrypted, or an old .xls; save it as .xlsx without a password")
    refuse_what_unpacks_too_far(raw, name)
    with ZipFile(BytesIO(raw)) as archive:
        parts = [part for part in archive.namelist() if part.endswith((".xml", ".rels"))]
        if any(b"<!DOCTYPE" in archive.open(part).read(4096) for part in parts):
            raise DataError.at(name, "declares a document type, which no workbook does; save it again from Excel")
    return raw


def _sheets(raw: bytes, name: str) -> dict[str, SheetCells]:
    """The cells of the sheets that matter: the first one, the list of inputs, and those it names."""
    from openpyxl import load_workbook

    book = load_workbook(BytesIO(raw), read_only=True, data_only=True, keep_links=False)
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    found = {each: _cells(sheets[each], name) for each in (READ_ME, SOLVED) if each in sheets}
    named = {str(value) for _, value in _column(found.get(SOLVED, {}), SHEET)}
    return {**{each: _cells(sheets[each], name) for each in named if each in sheets}, **found}


def _cells(sheet: Any, name: str) -> SheetCells:
    rows = enumerate(rows_of(sheet, name))
    return {(row, col): value for row, cells in rows for col, value in enumerate(cells) if value is not None}


def _column(cells: SheetCells, col: int) -> list[tuple[int, Any]]:
    return sorted((row, value) for (row, at), value in cells.items() if at == col)


def _refuse_others(name: str, sheets: dict[str, SheetCells], about: dict[str, Any]) -> None:
    """What is no live workbook, or none this version reads."""
    layout = about.get(LAYOUT_LABEL)
    if SOLVED not in sheets or layout is None:
        raise DataError.at(
            name,
            f"is no live workbook of revplan: it lacks the sheet {SOLVED!r}; give one made by `revplan report --formats xlsx`",
        )
    if str(layout) != str(LAYOUT):
        message = f"has layout {shown(layout)}, this revplan reads layout {LAYOUT}; make the workbook again"
        raise DataError.at(name, message)
    if not _column(sheets[SOLVED], NOW)[1:]:
        raise DataError.at(
            name, "was saved without calculated values; open it in Excel or LibreOffice and save it once"
        )


def _changed(name: str, sheets: dict[str, SheetCells]) -> tuple[ChangedInput, ...]:
    found, faults = [], []
    for row, text in _column(sheets[SOLVED], PLACE):
        if row < TOP:
            continue
        try:
            found.append(_input(sheets, row, str(text)))
        except ValueError as fault:
            what, sheet, address = (shown(sheets[SOLVED].get((row, col), "")) for col in (WHAT, SHEET, ADDRESS))
            faults.append(Fault(f"{shown(name)}, {sheet} {address} ({what})", str(fault)))
    if faults:
        raise DataError(faults)
    return tuple(each for each in found if each is not None)


def _input(sheets: dict[str, SheetCells], row: int, text: str) -> ChangedInput | None:
    """The input in a row of the list, if it has changed; a ValueError says what is wrong with it."""
    from openpyxl.utils.cell import coordinate_to_tuple
    from openpyxl.utils.exceptions import CellCoordinatesException

    listed = sheets[SOLVED]
    place, owner = _place(text), listed.get((row, OWNER))
    sheet, address = str(listed.get((row, SHEET))), str(listed.get((row, ADDRESS)))
    if owner not in (PLAN, PEOPLE, RECORDS, ENTRIES) or sheet not in sheets:
        raise ValueError(DAMAGED)
    try:
        at, col = coordinate_to_tuple(address)
    except (CellCoordinatesException, ValueError):
        raise ValueError(DAMAGED) from None
    was, now = listed.get((row, WAS), NOTHING), sheets[sheet].get((at - 1, col - 1))
    if not isinstance(now, int | float | None) or isinstance(now, bool):
        raise ValueError(f"holds {shown(now)!r}, which is no number; type one, such as 1200 or 25%")
    if not isinstance(was, int | float) and was != NOTHING:
        raise ValueError(DAMAGED)
    before = None if was == NOTHING else float(was)
    if now is None and before is not None and place[-1] not in MAY_BE_EMPTY:
        raise ValueError("is empty; type a number")
    after = None if now is None else float(now)
    if before is after is None:
        return None
    if before is not None and after is not None and isclose(before, after, rel_tol=SAME):
        return None
    return ChangedInput(place, str(listed.get((row, WHAT), "")), str(owner), before, after)


def _place(text: str) -> InputPlace:
    """Keys of the plan file, as the list of inputs writes them."""
    try:
        keys = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(DAMAGED) from None
    if not isinstance(keys, list) or not keys or not all(isinstance(key, str | int) for key in keys):
        raise ValueError(DAMAGED)
    return tuple(keys)
