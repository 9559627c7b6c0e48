"""An Excel workbook as text cells. Formulas are never evaluated: their saved values count."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from hashlib import sha256
from io import BytesIO
from itertools import chain, repeat
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from revplan.crm.cells import as_text, first_faults
from revplan.crm.text_table import TextRows, TextTable, framed, header_faults, table_of
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.files import UNPACKED_MB, content_of, megabytes, within_limits
from revplan.ground.values import visible

LAST_ROW = 1_048_576  # of a sheet in Excel; a file that names a later row is damaged or made to be endless


def read_excel(path: Path, sheet: str | None, header_row: int | None = None, keep_totals: bool = False) -> TextTable:
    """The table in `sheet` of the workbook at `path`, or in its first sheet; its first row with a value is the header.

    Raises
    ------
    DataError
        If it is no workbook, has no such sheet, no table in it, or formulas without a saved value.
    """
    raw = content_of(path, DataError)
    refuse_what_unpacks_too_far(raw, path.name)
    name, rows = _rows(raw, path.name, sheet, True)
    filled = [(number, row) for number, row in enumerate(rows, start=1) if any(text.strip() for text in row)]
    if not filled:
        raise DataError.at(path.name, f"its sheet {shown(name)!r} is empty; name another with `sheet`")
    grid, numbers = TextRows([row for _, row in filled]), [number for number, _ in filled]
    framing = framed(grid, numbers, header_row, keep_totals)
    head_line = numbers[framing.head]
    header = tuple(visible(text) for text in _without_empty_end(grid[framing.head]))
    lines = [numbers[row] for row in framing.body.tolist()]
    wide: list[int] = framing.body[grid.lengths[framing.body] > len(header)].tolist()

    def too_wide(row: int) -> Fault:
        what = f"has a value right of the header's last column ({shown(grid[row][-1])}); give the column a name"
        return Fault(f"{path.name} row {numbers[row]}", what)

    faults = [
        *header_faults(path.name, header, len(lines), f"row {head_line}"),
        *first_faults(wide, too_wide, "rows longer than the header"),
        *_unsaved(raw, path.name, name, rows, header),
    ]
    if faults:
        raise DataError(faults)
    blank = (filled[-1][0] - head_line) - (len(filled) - 1 - framing.head)
    how = f"Excel, sheet {shown(name)}"
    read = TextTable(path.name, header, {}, lines, how, blank, sha256(raw).hexdigest(), unit="row")
    return table_of(read, grid, framing)


def refuse_what_unpacks_too_far(raw: bytes, name: str) -> None:
    """Nothing, where `raw` is a workbook that unpacks to no more than UNPACKED_MB.

    Raises
    ------
    DataError
        If it is none, or unpacks to more.
    """
    try:
        with ZipFile(BytesIO(raw)) as archive:
            content = sum(part.file_size for part in archive.infolist())
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        raise DataError.at(name, "is a damaged Excel workbook; open it in Excel and save it again") from None
    limit = megabytes(UNPACKED_MB)
    if content > limit.value * 1_000_000:
        what = f"unpacks to {content / 1e6:,.0f} MB, more than"
        raise DataError.at(name, f"{limit.refusal(what)}, or save the sheet as CSV (UTF-8)")


def _rows(raw: bytes, name: str, sheet: str | None, saved_values: bool) -> tuple[str, list[list[str]]]:
    """Name and rows of the sheet as text: the saved values, or the formulas."""
    from openpyxl import load_workbook

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what a workbook holds besides its cells is of no interest here
        try:
            workbook = load_workbook(BytesIO(raw), read_only=True, data_only=saved_values, keep_links=False)
            sheets = {each.title: each for each in workbook.worksheets}
            chosen = _chosen(name, sheet, list(sheets))
            rows = [_without_empty_end([*map(as_text, row)]) for row in rows_of(sheets[chosen], name)]
        except DataError:
            raise
        except Exception as fault:  # openpyxl names no errors of its own for damaged files
            message = f"cannot be read as an Excel workbook ({shown(fault)}); open it in Excel and save it again"
            raise DataError.at(name, message) from None
    return chosen, rows


def rows_of(sheet: Any, name: str) -> Iterator[tuple[Any, ...]]:
    """The rows of a sheet of the workbook called `name`, empty ones included, within the limits of a file.

    Raises
    ------
    DataError
        Where the sheet goes beyond one of them.
    """
    sheet.reset_dimensions()
    return within_limits(sheet.iter_rows(values_only=True), name, LAST_ROW)


def _without_empty_end(texts: Sequence[str]) -> list[str]:
    filled = [number for number, text in enumerate(texts) if text.strip()]
    return list(texts[: filled[-1] + 1]) if filled else []


def _chosen(name: str, sheet: str | None, sheets: list[str]) -> str:
    if sheet is None and sheets:
        return sheets[0]
    matching = [each for each in sheets if sheet and each.strip().casefold() == sheet.strip().casefold()]
    if not matching:
        listed = ", ".join(shown(each) for each in sheets) or "no sheet with cells"
        raise DataError.at(name, f"has no sheet {shown(sheet or '')!r}; it has {listed}")
    return matching[0]


def _unsaved(
    raw: bytes, name: str, sheet: str, saved: Sequence[Sequence[str]], header: Sequence[str]
) -> Iterator[Fault]:
    """Faults for formulas whose value was never saved, as programs write them that do not calculate."""
    with ZipFile(BytesIO(raw)) as archive:
        sheets = [part for part in archive.namelist() if part.startswith("xl/worksheets/")]
        if not any(b"<f>" in (content := archive.read(part)) or b"<f " in content for part in sheets):
            return
    written = _rows(raw, name, sheet, False)[1]
    cells = [
        (number, text)
        for number, (values, formulas) in enumerate(zip(saved, written, strict=False), start=1)
        for formula, value, text in zip(formulas, chain(values, repeat("")), header, strict=False)
        if formula.startswith("=") and not value
    ]
    message = (
        "holds a formula without its value; the workbook was written by a program; open it in Excel and save it once"
    )
    yield from first_faults(
        cells, lambda each: Fault(f"{name} row {each[0]}, {shown(each[1])}", message), "formulas without their value"
    )
