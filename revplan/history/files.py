"""The files a CRM file names: read, checked for their columns, rows found by their id."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd

from revplan.errors import DataError, Fault, shown
from revplan.history.cells import Cells, Parsed, amounts, days, labels, stripped
from revplan.history.crm import DataFile, HistoryCrm, Key, column_of, file_of
from revplan.history.crm_file import CrmSource, did_you_mean
from revplan.history.csv_text import TextTable, read_csv
from revplan.history.findings import Findings, ImportLine, counted

CHANGES = ""  # the name of the file with the changes in `format: history`, which no column can be written with


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables a CRM file names, by name, with the CRM file itself."""

    source: CrmSource
    tables: dict[str, TextTable]

    def entry(self, file: str) -> DataFile:
        """What the CRM file says about `file`."""
        return _entries(self.source)[file]

    def cells(self, file: str, column: str) -> Cells:
        """A column as text, with its place for messages."""
        table = self.tables[file]
        return Cells(table.name, column, table.cells(column), table.lines)

    def labels(self, column: str) -> Parsed:
        """The labels of file.column, one per row of the file."""
        return labels(self.cells(file_of(column), column_of(column)))

    def days(self, file: str, column: str) -> Parsed:
        """The moments of a column, read in the date format declared for its file."""
        date_format = self.entry(file).date_format or self.source.crm.date_format
        return days(self.cells(file, column), date_format)

    def amounts(self, column: str) -> Parsed:
        """The amounts of file.column, read with the decimal mark declared for its file."""
        file = file_of(column)
        decimal = self.entry(file).decimal or self.source.crm.decimal
        return amounts(self.cells(file, column_of(column)), decimal, self.tables[file].separator)


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a file that can be used: their ids, each once, and where they stand."""

    ids: pd.Index
    positions: np.ndarray
    found: Findings


def read_tables(source: CrmSource) -> Tables:
    """All tables the CRM file names.

    Raises
    ------
    DataError
        With the faults of all files at once: missing files, unreadable ones, missing columns.
    """
    tables: dict[str, TextTable] = {}
    faults: list[Fault] = []
    for file, entry in _entries(source).items():
        try:
            tables[file] = _table(source, file, entry)
        except DataError as error:
            faults += error.faults
    for key, (file, column) in _wanted_columns(source).items():
        if file in tables and column not in tables[file].header:
            faults.append(_no_column(source.place(key), tables[file], column))
    if faults:
        raise DataError(faults)
    return Tables(source, tables)


def _entries(source: CrmSource) -> dict[str, DataFile]:
    crm = source.crm
    changes = {CHANGES: DataFile(path=crm.path, id=crm.id)} if isinstance(crm, HistoryCrm) else {}
    return {**crm.data_files(), **changes}


def _key_of(source: CrmSource, file: str) -> Key:
    """The keys under which the CRM file describes `file`."""
    if not isinstance(source.crm, HistoryCrm):
        return ("files", file)
    return (file,) if file else ()


def _table(source: CrmSource, file: str, entry: DataFile) -> TextTable:
    path = source.path.parent / entry.path
    if not path.is_file():
        place = source.place((*_key_of(source, file), "path"))
        raise DataError.at(place, f"there is no file {shown(entry.path)!r}; its path counts from the CRM file's folder")
    return read_csv(path)


def _wanted_columns(source: CrmSource) -> dict[Key, tuple[str, str]]:
    """Key of the CRM file -> the file and the column it needs."""
    crm = source.crm
    ids = {(*_key_of(source, file), "id"): (file, entry.id) for file, entry in _entries(source).items()}
    named = {key: (file_of(column), column_of(column)) for key, column in crm.columns().items()}
    if not isinstance(crm, HistoryCrm):
        return {**ids, **named}
    own = {"at": crm.at, "value": crm.value, "field": crm.field}
    return {**ids, **named, **{(key,): (CHANGES, column) for key, column in own.items() if column}}


def _no_column(place: str, table: TextTable, column: str) -> Fault:
    hint = did_you_mean(column, [name for name in table.header if name])
    return Fault(place, f"{shown(table.name)} has no column {shown(column)!r}{hint}")


def usable_rows(tables: Tables, file: str, among: pd.Index | None = None) -> Rows:
    """The first row of every id in `file`, of the records `among` where those are given.

    Every other row is set aside and counted.
    """
    cells = tables.cells(file, tables.entry(file).id)
    texts, known, _ = stripped(cells)
    ids = pd.Index(texts, dtype=object)
    again = np.zeros(len(ids), dtype=bool)
    again[known] = ids[known].duplicated()
    strange = known & ~again & ~ids.isin(among) if among is not None else np.zeros(len(ids), dtype=bool)
    usable = np.flatnonzero(known & ~again & ~strange)
    found = Findings(lines=tables.tables[file].report(file or cells.file))
    aside = partial(_aside, file or cells.file, cells)
    found += aside("no id", ~known) + aside("id seen before", again) + aside("no record of that id", strange)
    found += Findings(lines=(ImportLine(file or cells.file, "rows kept", len(usable)),))
    return Rows(ids[usable], usable, found)


def _aside(part: str, cells: Cells, why: str, rows: np.ndarray) -> Findings:
    first = int(np.argmax(rows)) if rows.any() else 0
    example = f"line {cells.lines[first]}: {shown(cells.texts[first])}" if rows.any() else ""
    return counted(part, f"set aside: {why}", rows.sum(), example)


def per_record(parsed: Parsed, rows: Rows, records: pd.Index, missing: object) -> np.ndarray:
    """The values of a file's rows in the order of `records`; `missing` where a record has no row."""
    where = rows.ids.get_indexer(records)
    values = np.append(parsed.values[rows.positions], np.array([missing], dtype=parsed.values.dtype))
    return values[where]  # -1, no row, is the value appended last
