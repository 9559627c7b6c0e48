"""The files a CRM file names: read, checked for their columns, rows found by their id."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from revplan.crm.cells import (
    Cells,
    Findings,
    ImportLine,
    Parsed,
    Texts,
    amounts,
    counted,
    days,
    labels,
    stripped,
)
from revplan.crm.file import CrmSource, did_you_mean
from revplan.crm.mapping import (
    RECORDS,
    DataFile,
    HistoryCrm,
    Key,
    Location,
    column_of,
    file_of,
    meanings_of,
    plain,
)
from revplan.crm.readers import read_table
from revplan.crm.separated import TextTable
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.tablefile import EVERY_COLUMN

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
        named = f"{file}.{column}" if file else ""  # the file with the changes has no name
        return Cells(table.name, column, table.cells(column), table.lines, table.unit, named)

    def labels(self, column: str) -> Parsed:
        """The labels of file.column, one per row of the file."""
        return labels(self.cells(file_of(column), column_of(column)))

    def days(self, file: str, column: str) -> Parsed:
        """The moments of a column, read in the date format declared for its file."""
        return self.days_of(file, self.cells(file, column))

    def days_of(self, file: str, cells: Cells) -> Parsed:
        """The moments of some cells of a column of a file."""
        return days(cells, self._declared("date_format", file, cells.column), self.source.crm.timezone)

    def _declared(self, key: str, file: str, column: str) -> str | None:
        """What the CRM file says of how a column is written: for the column, its file, or all."""
        own, general = (dict(getattr(each, key) or {}) for each in (self.entry(file), self.source.crm))
        places = ((own, column), (general, f"{file}.{column}"), (own, EVERY_COLUMN), (general, EVERY_COLUMN))
        return next((said[name] for said, name in places if name in said), None)

    def is_one_of(self, file: str, column: str, labels: Iterable[str]) -> np.ndarray:
        """Which rows of a file have one of `labels` in a column."""
        wanted = set().union(*(meanings_of(label) for label in labels))
        return labelled(self.cells(file, column), wanted)

    def left_out(self, file: str) -> list[tuple[str, np.ndarray]]:
        """Why rows of a file do not count, as `only` and `except` ask, and which; each column in turn."""
        crm = self.source.crm
        rows = [
            (
                f"{key}: {shown(column_of(column))} is {shown(' or '.join(labels))}",
                self.is_one_of(file, column_of(column), labels),
                key,
            )
            for key, conditions in (("only", crm.only), ("except", crm.except_))
            for column, labels in (conditions or {}).items()
            if file_of(column) == file
        ]
        return [
            (f"not what {why}" if key == "only" else f"as {why}", ~found if key == "only" else found)
            for why, found, key in rows
        ]

    def amounts(self, column: str) -> Parsed:
        """The amounts of file.column, read with the decimal mark declared for its file."""
        file = file_of(column)
        return self.amounts_of(file, self.cells(file, column_of(column)))

    def amounts_of(self, file: str, cells: Cells) -> Parsed:
        """The amounts of some cells of a column of a file."""
        return amounts(cells, self._declared("decimal", file, cells.column), self.tables[file].separator)


def labelled(cells: Cells, wanted: Collection[str]) -> np.ndarray:
    """Which rows hold one of the labels `wanted`, which are written plainly."""
    texts = cells.coded
    found = (plain(text) in wanted for text in texts.different)
    return texts.of_rows(np.fromiter(found, dtype=bool, count=len(texts.different)))


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
    needed = _wanted_columns(source)
    for file, entry in _entries(source).items():
        try:
            tables[file] = _table(source, file, entry, {column for at, column in needed.values() if at == file})
        except DataError as error:
            faults += error.faults
    for key, (file, column) in needed.items():
        if file in tables and column not in tables[file].header:
            faults.append(_no_column(source.place(key), tables[file], column))
    if faults:
        raise DataError(faults)
    return Tables(source, tables)


def data_paths(source: CrmSource) -> list[Path]:
    """The files that the CRM file reads, each once, in its order; a table asked for by SQL has none."""
    paths = [source.path.parent / entry.path for entry in _entries(source).values() if entry.path is not None]
    return list(dict.fromkeys(paths))


def query_names(source: CrmSource) -> list[str]:
    """The tables that the CRM file asks a database for, by the name it gives them."""
    return [name or "the changes" for name, entry in _entries(source).items() if entry.sql is not None]


def _entries(source: CrmSource) -> dict[str, DataFile]:
    crm = source.crm
    if not isinstance(crm, HistoryCrm):
        return crm.data_files()
    place = {key: getattr(crm, key) for key in Location.model_fields}
    return {**crm.data_files(), CHANGES: DataFile(**place, id=crm.id)}


def _key_of(source: CrmSource, file: str) -> Key:
    """The keys under which the CRM file describes `file`."""
    if not isinstance(source.crm, HistoryCrm) or file not in (RECORDS, CHANGES):
        return ("files", file)
    return (file,) if file else ()


def _table(source: CrmSource, file: str, entry: DataFile, needed: set[str]) -> TextTable:
    read = source.tables.get(file)
    if read is not None and needed.intersection(read.header) <= set(read.columns):
        return read
    folder = source.path.parent
    if entry.path is not None and not (folder / entry.path).is_file():
        place = source.place((*_key_of(source, file), "path"))
        raise DataError.at(place, f"there is no file {shown(entry.path)!r}; its path counts from the CRM file's folder")
    try:
        return read_table(entry, folder, needed.__contains__)
    except DataError as error:
        if entry.sql is None:
            raise
        place = source.place((*_key_of(source, file), "sql"))
        raise DataError(Fault(place, f"{fault.place}: {fault.message}") for fault in error.faults) from None


def _wanted_columns(source: CrmSource) -> dict[Key, tuple[str, str]]:
    """Key of the CRM file -> the file and the column it needs."""
    crm = source.crm
    needed: dict[Key, tuple[str, str | None]] = {
        (*_key_of(source, file), "id"): (file, entry.id) for file, entry in _entries(source).items()
    }
    needed |= {key: (file_of(column), column_of(column)) for key, column in crm.columns().items()}
    if isinstance(crm, HistoryCrm):
        needed |= {(key,): (CHANGES, getattr(crm, key)) for key in ("at", "value", "field")}
        needed |= {
            ("changes", name, part): (CHANGES, getattr(each, part))
            for name, each in (crm.changes or {}).items()
            for part in ("column", "old")
        }
    return {key: (file, column) for key, (file, column) in needed.items() if column}


def _no_column(place: str, table: TextTable, column: str) -> Fault:
    hint = did_you_mean(column, [name for name in table.header if name])
    return Fault(place, f"{shown(table.name)} has no column {shown(column)!r}{hint}")


def usable_rows(tables: Tables, file: str, among: pd.Index | None = None) -> Rows:
    """The first row of every id in `file`, of the records `among` where those are given.

    Every other row is set aside and counted.
    """
    cells = tables.cells(file, tables.entry(file).id or "")
    texts, known, _ = stripped(cells)
    texts = whole(texts)
    ids, shared = _record_ids(tables, file, texts, among)
    found = Findings(lines=tables.tables[file].report(file or cells.file))
    aside = partial(_aside, file or cells.file, cells)
    found += aside("no id", ~known)
    for why, rows in tables.left_out(file):
        found += aside(why, known & rows)
        known = known & ~rows
    again = np.zeros(len(ids), dtype=bool)
    own = ids if tables.entry(file).split or tables.entry(file).via is None else pd.Index(texts.objects(), dtype=object)
    again[known] = (own if known.all() else own[known]).duplicated()
    strange = known & ~again & ~ids.isin(among) if among is not None else np.zeros(len(ids), dtype=bool)
    usable = np.flatnonzero(known & ~again & ~strange)
    found += aside("id seen before", again) + aside("no record of that id", strange)
    found += Findings(lines=(ImportLine(file or cells.file, "rows kept", len(usable)),)) + shared
    return Rows(ids if len(usable) == len(ids) else ids[usable], usable, found)


def without_fraction(text: str) -> str:
    """1001 for an id written 1001.0, as programs write whole numbers in columns with gaps."""
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text


def whole(texts: Texts) -> Texts:
    """Ids without the fraction that programs write behind whole numbers."""
    return Texts([without_fraction(text) for text in texts.different], texts.codes)


def _record_ids(tables: Tables, file: str, texts: Texts, among: pd.Index | None) -> tuple[pd.Index, Findings]:
    """The ids of the records that rows belong to: the rows' own, or those of the records that name them in a column.

    A row that several records name, or that names several, is the first one's: a deal counts once.
    """
    via, split = tables.entry(file).via, tables.entry(file).split
    if via is None:
        return _first_ids(file, texts, split, among)
    main = file_of(via)
    named, known, _ = stripped(tables.cells(main, column_of(via)))
    records, _, _ = stripped(tables.cells(main, tables.entry(main).id or ""))
    named, records = whole(named), whole(records)
    first = ~pd.Index(records.objects(), dtype=object).duplicated()  # other rows of a record are set aside
    record_of: dict[str, str] = {}
    again: list[str] = []
    for name, record, here in zip(named, records, known & first, strict=True):
        if here and record_of.setdefault(name, record) != record:
            again.append(name)
    what = f"records that share a row of {shown(file)} with an earlier record, which has it alone"
    shared = counted(main, what, len(again), shown(again[0]) if again else "")
    return pd.Index([record_of.get(text, "") for text in texts], dtype=object), shared


def _first_ids(file: str, texts: Texts, split: str | None, among: pd.Index | None) -> tuple[pd.Index, Findings]:
    """The first id of each cell that is a record's, where cells hold several."""
    if split is None:
        return pd.Index(texts.objects(), dtype=object), Findings()
    cells = [[part.strip() for part in text.split(split) if part.strip()] or [text] for text in texts]
    ids = [next((each for each in cell if among is not None and each in among), cell[0]) for cell in cells]
    several = [text for text, cell in zip(texts, cells, strict=True) if len(cell) > 1]
    what = "rows that name several records, given to the first of them"
    found = counted(file, what, len(several), shown(several[0]) if several else "")
    return pd.Index(ids, dtype=object), found


def _aside(part: str, cells: Cells, why: str, rows: np.ndarray) -> Findings:
    first = int(np.argmax(rows)) if rows.any() else 0
    example = f"{cells.line(first)}: {shown(cells.texts[first])}" if rows.any() else ""
    return counted(part, f"set aside: {why}", rows.sum(), example)


def per_record(parsed: Parsed, rows: Rows, records: pd.Index, missing: object) -> np.ndarray:
    """The values of a file's rows in the order of `records`; `missing` where a record has no row."""
    if rows.ids is records:
        return parsed.values[rows.positions]
    where = rows.ids.get_indexer(records)
    values = np.append(parsed.values[rows.positions], np.array([missing], dtype=parsed.values.dtype))
    return values[where]  # -1, no row, is the value appended last
