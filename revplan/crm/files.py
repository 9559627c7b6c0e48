"""The files a CRM file names: read, checked for their columns, rows found by their id."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from revplan.crm.cells import (
    Cells,
    Findings,
    ImportLine,
    Parsed,
    Texts,
    all_visible,
    amounts,
    counted,
    days,
    labels,
    stripped,
)
from revplan.crm.file import CrmSource, did_you_mean
from revplan.crm.mapping import (
    RECORDS,
    ROW,
    TOUCHES,
    DataFile,
    HistoryCrm,
    KeyPath,
    Location,
    column_of,
    file_of,
    meanings_of,
    plain,
    tidy,
)
from revplan.crm.readers import KnownIds, files_of, read_table, refuse_missing
from revplan.crm.text_table import TextTable
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.tablefile import EVERY_COLUMN

CHANGES = ""  # the name of the file with the changes in `format: history`, which no column can be written with


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables a CRM file names, by name, with the CRM file itself."""

    source: CrmSource
    tables: dict[str, TextTable]
    _amounts: dict[str, Parsed] = field(default_factory=dict)
    """The columns of amounts that were read, which are asked for more than once."""

    def entry(self, file: str) -> DataFile:
        """What the CRM file says about `file`."""
        return entries_of(self.source)[file]

    def cells(self, file: str, column: str) -> Cells:
        """A column as text, with its place for messages."""
        table = self.tables[file]
        named = f"{file}.{column}" if file else ""  # the file with the changes has no name
        return Cells(table.name, column, table.cells(column), table.lines, table.unit, named)

    def id_cells(self, file: str) -> Cells:
        """The ids of a file; of one without, the numbers of its lines."""
        name, table = self.entry(file).id or "", self.tables[file]
        if not self.has_ids(file):
            return Cells(table.name, ROW, Texts([str(line) for line in table.lines]), table.lines, table.unit)
        return self.cells(file, name)

    def has_ids(self, file: str) -> bool:
        """Whether a column of `file` says which record a row is of; without one each row is its own."""
        return self.entry(file).id != ROW or ROW in self.tables[file].header

    def stripped_cells(self, file: str, column: str) -> np.ndarray:
        """The cells of a column without outer spaces, by row."""
        texts = self.tables[file].cells(column)
        different = all_visible(texts.different)
        return texts.of_rows(np.fromiter(different, dtype=object, count=len(different)))

    def columns_read(self, file: str) -> list[str]:
        """The columns of a file that the CRM file names."""
        return list(dict.fromkeys(column for at, column in wanted_columns(self.source).values() if at == file))

    def day_columns(self, file: str) -> list[str]:
        """The columns of a file with the days of stages."""
        days = [day.at for key, day in self.source.crm.days().items() if day.at and key[0] == "stages"]
        return list(dict.fromkeys(column_of(at) for at in days if file_of(at) == file))

    def of_a_line(self, file: str) -> list[str]:
        """The columns of a file in which the line items of one record may differ."""
        crm = self.source.crm
        named = (crm.amount.column if crm.amount else None, crm.cost, crm.product, crm.owner)
        return [column_of(each) for each in named if each and file_of(each) == file]

    def merged(self, file: str) -> Mapping[str, str]:
        """Id of a record of `file` that was merged into another -> the id of that one."""
        column = self.source.crm.merged
        return merged_into(self, file, column_of(column)) if column and file_of(column) == file else {}

    def labels(self, column: str) -> Parsed:
        """The labels of file.column, one per row of the file."""
        return labels(self.cells(file_of(column), column_of(column)))

    def days(self, file: str, column: str) -> Parsed:
        """The moments of a column, read in the date format declared for its file."""
        return self.days_of(file, self.cells(file, column))

    def days_of(self, file: str, cells: Cells) -> Parsed:
        """The moments of some cells of a column of a file."""
        declared = self._declared("date_format", file, cells.column)
        return self._with_unread(file, days(cells, declared, self.source.crm.timezone))

    def _with_unread(self, file: str, parsed: Parsed) -> Parsed:
        """`parsed`, its cells that cannot be read no faults where the CRM file sets them aside."""
        found = parsed.found
        if not found.unread:
            return parsed
        told = {fault for each in found.unread for fault in each.faults}
        aside = self.source.crm.bad_values == "set_aside"
        faults = tuple(fault for fault in found.faults if not (aside and fault in told))
        cells = tuple(replace(each, file=file) for each in found.unread)
        return replace(parsed, found=Findings(faults, found.lines, cells))

    def _declared(self, key: str, file: str, column: str) -> str | None:
        """What the CRM file says of how a column is written: for the column, its file, or all."""
        own, general = (dict(getattr(each, key) or {}) for each in (self.entry(file), self.source.crm))
        places = ((own, column), (general, f"{file}.{column}"), (own, EVERY_COLUMN), (general, EVERY_COLUMN))
        return next((said[name] for said, name in places if name in said), None)

    def is_one_of(self, file: str, column: str, labels: Iterable[str]) -> np.ndarray:
        """Which rows of a file have one of `labels` in a column."""
        wanted = set().union(*(meanings_of(label) for label in labels))
        return self.cells(file, column).coded.which(lambda text: plain(text) in wanted)

    def labels_met(self, column: str, labels: Iterable[str]) -> tuple[str, ...]:
        """Those of `labels` that a row of file.column has; all where none has."""
        labels = tuple(labels)
        there = {plain(text) for text in self.cells(file_of(column), column_of(column)).coded.different}
        return tuple(label for label in labels if meanings_of(label) & there) or labels

    def left_out(self, file: str) -> Iterator[tuple[str, np.ndarray]]:
        """Why rows of a file do not count, as `only` and `except` ask, and which; each column in turn."""
        for key, column, names in self.source.crm.conditions(file):
            why, rows = f"{key}: {shown(column)} is {shown(' or '.join(names))}", self.is_one_of(file, column, names)
            yield (f"not what {why}", ~rows) if key == "only" else (f"as {why}", rows)

    def amounts(self, column: str) -> Parsed:
        """The amounts of file.column, read with the decimal mark declared for its file."""
        if column not in self._amounts:
            file = file_of(column)
            self._amounts[column] = self.amounts_of(file, self.cells(file, column_of(column)))
        return self._amounts[column]

    def amounts_of(self, file: str, cells: Cells) -> Parsed:
        """The amounts of some cells of a column of a file."""
        mark = self._declared("decimal", file, cells.column)
        return self._with_unread(file, amounts(cells, mark, self.tables[file].separator))


SEPARATED = re.compile(r"[;,|\s]+")


def merged_into(tables: Tables, file: str, column: str) -> dict[str, str]:
    """Id of a record that was merged into another -> the id of the record that has it now.

    HubSpot writes them 2001:1700000000000;3001:1700000000000, each with its moment.
    """
    texts, filled, _ = stripped(tables.cells(file, column))
    if not filled.any():
        return {}
    ids, has_id, _ = _ids_of(tables, file)
    into: dict[str, str] = {}
    for at in np.flatnonzero(filled & has_id).tolist():
        for gone in _keys(part.partition(":")[0] for part in SEPARATED.split(texts[at])):
            if gone and gone != ids[at] and into.get(ids[at]) != gone:
                into[gone] = ids[at]
    for gone in into:
        seen = {gone}
        while (now := into[gone]) in into and now not in seen:
            seen.add(now)
            into[gone] = into[now]
    return into


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a file that can be used: their records, each once, and where they stand."""

    ids: pd.Index
    positions: np.ndarray
    found: Findings
    lines: tuple[np.ndarray, np.ndarray] | None = None
    """Where the further lines of the same records stand, and the number of each one's record in `ids`."""


@dataclass(frozen=True, eq=False)
class JoinedRows:
    """The rows of a file beside the records, and the records of their own that some of them are."""

    rows: Rows
    own: pd.Index
    """Ids of the records of their own: rows no record leads to, and the further ones of a record that has several."""
    of: np.ndarray
    """The number of the record that leads to each of them; -1 where none does."""
    sharing: np.ndarray
    """Numbers of the records whose row is that of an earlier record."""
    naming: np.ndarray
    """Numbers of the records that name a row of this file."""


def read_tables(source: CrmSource) -> Tables:
    """All tables the CRM file names.

    Raises
    ------
    DataError
        With the faults of all files at once: missing files, unreadable ones, missing columns.
    """
    tables: dict[str, TextTable] = {}
    faults: list[Fault] = []
    needed = wanted_columns(source)
    for file, entry in entries_of(source).items():
        columns = {column for at, column in needed.values() if at == file}
        try:
            tables[file] = _table(source, file, entry, columns, _known_ids(source, tables) if file == CHANGES else None)
        except DataError as error:
            faults += error.faults
    for key, (file, column) in needed.items():
        is_no_column = key[-1:] == ("id",) and column == ROW
        if file in tables and column not in tables[file].header and not is_no_column:
            faults.append(_no_column(source.place(key), tables[file], column))
    if faults:
        raise DataError(faults)
    return Tables(source, tables)


def data_paths(source: CrmSource) -> list[Path]:
    """The files that the CRM file reads, each once, in its order; a table asked for by SQL has none."""
    return list(
        dict.fromkeys(path for entry in entries_of(source).values() for path in files_of(entry, source.path.parent))
    )


def query_names(source: CrmSource) -> list[str]:
    """The tables that the CRM file asks a database for, by the name it gives them."""
    return [name or "the changes" for name, entry in entries_of(source).items() if entry.sql is not None]


def entries_of(source: CrmSource) -> dict[str, DataFile]:
    """The files by name, the one with the changes of `format: history` under CHANGES."""
    crm = source.crm
    if not isinstance(crm, HistoryCrm):
        return crm.data_files()
    place = {key: getattr(crm, key) for key in Location.model_fields}
    return {**crm.data_files(), CHANGES: DataFile(**place, id=crm.id)}


def key_of(source: CrmSource, file: str) -> KeyPath:
    """The keys under which the CRM file describes `file`."""
    return source.crm.key_of(file) if file else ()


def _known_ids(source: CrmSource, tables: Mapping[str, TextTable]) -> KnownIds | None:
    """The ids of the records that the rows of a log are about, where each row of theirs has one of its own."""
    column = entries_of(source)[RECORDS].id if RECORDS in tables else None
    ids = tables[RECORDS].columns.get(column or "") if RECORDS in tables else None
    if ids is None or ids.codes is not None or ids.values is not None:
        return None
    return KnownIds(entries_of(source)[CHANGES].id or "", ids.different)


def _table(source: CrmSource, file: str, entry: DataFile, needed: set[str], known: KnownIds | None) -> TextTable:
    read = source.tables.get(file)
    if read is not None and needed.intersection(read.header) <= set(read.columns):
        return read
    folder = source.path.parent
    refuse_missing(entry, folder, source.place((*key_of(source, file), "path")))
    try:
        return read_table(entry, folder, needed.__contains__, known=known)
    except DataError as error:
        if entry.sql is None:
            raise
        place = source.place((*key_of(source, file), "sql"))
        raise DataError(Fault(place, f"{fault.place}: {fault.message}") for fault in error.faults) from None


def wanted_columns(source: CrmSource) -> dict[KeyPath, tuple[str, str]]:
    """Key of the CRM file -> the file and the column it needs."""
    crm = source.crm
    needed: dict[KeyPath, tuple[str, str | None]] = {
        (*key_of(source, file), "id"): (file, entry.id) for file, entry in entries_of(source).items()
    }
    needed |= {key: (file_of(column), column_of(column)) for key, column in crm.columns().items()}
    if isinstance(crm, HistoryCrm):
        needed |= {(key,): (CHANGES, getattr(crm, key)) for key in ("at", "value", "field")}
        needed |= {
            ("changes", name, part): (CHANGES, getattr(each, part))
            for name, each in (crm.changes or {}).items()
            for part in ("column", "old")
        }
    needed |= {(TOUCHES, key): (TOUCHES, getattr(crm.touches, key, None)) for key in ("at", "who", "kind")}
    return {key: (file, column) for key, (file, column) in needed.items() if column}


def _no_column(place: str, table: TextTable, column: str) -> Fault:
    here = [shown(each.name) for each in table.parts if column in each.header]
    gone = [shown(each.name) for each in table.parts if column not in each.header]
    if here:
        message = f"has no column {shown(column)!r}, which is in {here[0]} and not in {', '.join(gone)}"
        return Fault(place, f"{shown(table.name)} {message}; export them with the same columns")
    hint = did_you_mean(column, [name for name in table.header if name])
    return Fault(place, f"{shown(table.name)} has no column {shown(column)!r}{hint}")


# --- one row for each id ------------------------------------------------------------------------------------


def usable_rows(tables: Tables, file: str) -> Rows:
    """One row for every id in `file`; every other row is set aside and counted, or a fault."""
    ids, filled, cells = _ids_of(tables, file)
    found = Findings(lines=tables.tables[file].report(file))
    found += _aside(file, cells, "no id", np.flatnonzero(~filled))
    filled, more = _that_count(tables, file, cells, ids, filled)
    rows, repeated = _one_row_each(tables, file, cells, ids, filled)
    kept = Findings(lines=(ImportLine(file, "rows kept", len(rows.positions)),))
    return replace(rows, found=found + more + repeated + kept)


def _ids_of(tables: Tables, file: str) -> tuple[np.ndarray, np.ndarray, Cells]:
    """The ids of a file by row as they are compared, which rows have one, and their cells."""
    cells = tables.id_cells(file)
    texts, filled, _ = stripped(cells)
    return as_keys(texts).objects(), filled, cells


def _that_count(
    tables: Tables, file: str, cells: Cells, ids: np.ndarray, filled: np.ndarray
) -> tuple[np.ndarray, Findings]:
    """Which of the `filled` rows count: not those left out, nor those of records merged into another."""
    found = Findings(_labels_not_there(tables, file))
    for why, rows in tables.left_out(file):
        found += _aside(file, cells, why, np.flatnonzero(filled & rows))
        filled = filled & ~rows
    if merged := tables.merged(file):
        gone = filled & np.isin(ids, list(merged))
        found += _aside(file, cells, "merged into another record", np.flatnonzero(gone))
        filled = filled & ~gone
    return filled, found


def _labels_not_there(tables: Tables, file: str) -> tuple[Fault, ...]:
    """Faults of labels that `only` or `except` names and no row of the file has; a yes or a no may be missing."""
    faults = []
    for key, column, names in tables.source.crm.conditions(file):
        if f"{file}.{column}" not in (tables.source.document.data.get(key) or ()):
            continue  # what a preset writes stands for every spelling there may be
        there = {plain(text): text for text in tables.cells(file, column).coded.different}
        for label in names:
            if plain(label) not in ("true", "false") and plain(label) not in there:
                hint = did_you_mean(label, [text.strip() for text in there.values() if text.strip()])
                place = tables.source.place((key, f"{file}.{column}"))
                faults.append(Fault(place, f"no row is {shown(label)!r}{hint}"))
    return tuple(faults)


def _one_row_each(
    tables: Tables, file: str, cells: Cells, ids: np.ndarray, filled: np.ndarray
) -> tuple[Rows, Findings]:
    """A row for each id among the `filled` rows: equal ones once, versions as asked, line items together; or faults."""
    positions = np.flatnonzero(filled)
    own = pd.Index(ids if len(positions) == len(ids) else ids[positions], dtype=object)
    if own.is_unique:  # which it keeps in mind, as others will ask again
        return Rows(own, positions, Findings()), Findings()
    several = own.duplicated(keep=False)
    at = positions[several]
    others = [each.via for each in entries_of(tables.source).values() if each.via]
    leads_to = [column_of(via) for via in others if file_of(via) == file]
    read = [column for column in tables.columns_read(file) if column not in (cells.column, *leads_to)]
    frame = pd.DataFrame({column: tables.stripped_cells(file, column)[at] for column in read}, dtype=object)
    frame = frame.assign(**{ID: ids[at], AT: at})
    crm, found = tables.source.crm, Findings()
    modified = next((each for each in crm.modified or () if file_of(each) == file), None)
    lines = crm.has_lines(file)
    if modified and not lines:
        parsed = tables.days(file, column_of(modified))
        changed = pd.Series(parsed.values[at], index=frame.index)
        newest = changed.eq(changed.groupby(frame[ID]).transform("max"))
        why = "an older version of a record, as duplicates: newest asks"
        found += parsed.found + _aside(file, cells, why, frame.loc[~newest, AT].to_numpy())
        frame = frame[newest]
    compared = [each for each in read if not (lines and each in tables.of_a_line(file))]
    differing = frame.groupby(ID)[compared].nunique(dropna=False) > 1
    unequal = frame[ID].isin(differing.index[differing.any(axis=1)])
    if unequal.any():
        columns = [str(each) for each in differing.columns[differing.any()]]
        found += Findings((_repeated_fault(tables, file, cells, frame[unequal], columns, len(positions)),))
    frame = frame.sort_values([*read, AT], kind="stable")
    first = ~frame[ID].duplicated()
    further = np.sort(frame.loc[~first, AT].to_numpy())
    if not lines:
        same = frame.loc[~first & ~unequal, AT].to_numpy()
        found += _aside(file, cells, "the same as another row of its id", same)
    kept = np.sort(np.concatenate([positions[~several], frame.loc[first, AT].to_numpy()]))
    index = pd.Index(ids[kept], dtype=object)
    if not lines or not len(further):
        return Rows(index, kept, Findings()), found
    found += counted(
        file, "line items added to their record, as of: lines asks", len(further), _example(cells, further)
    )
    return Rows(index, kept, Findings(), (further, index.get_indexer(pd.Index(ids[further], dtype=object)))), found


ID, AT = "\0id", "\0at"  # columns of a frame beside those of a file, which are never called so


def _repeated_fault(
    tables: Tables, file: str, cells: Cells, rows: pd.DataFrame, columns: list[str], filled: int
) -> Fault:
    """That rows repeat an id and say something else, with what to write where they are lines, versions, or have no id."""
    rows = rows.sort_values(AT)
    again = int(rows[ID].duplicated().sum())
    first = rows[rows[ID] == rows[ID].iloc[0]]
    named = " and ".join(shown(each) for each in columns[:3])
    example = ", ".join(
        f"{cells.line(int(row[AT]))}: {shown(row[columns[0]]) or 'empty'}" for _, row in first.head(2).iterrows()
    )
    changed = next((each for each in tables.tables[file].header if MODIFIED.search(each)), "COLUMN")
    cures = [f"if they are versions of a record: duplicates: newest and modified: {shown(file)}.{shown(changed)}"]
    amount = tables.source.crm.amount
    if amount is not None and set(columns) <= {*tables.of_a_line(file)}:
        lines = f"if they are line items: amount: {{column: {shown(amount.column)}, of: lines}}"
        cures.insert(0, lines)
    if again > filled / 2:
        cures.append("if the column identifies no record: id: row")
    repeat = "row repeats an id and differs" if again == 1 else "rows repeat an id and differ"
    message = f"{again:,} {repeat} in {named} ({shown(rows[ID].iloc[0])}, {example}); {'; '.join(cures)}"
    return Fault(cells.part, message)


def _aside(file: str, cells: Cells, why: str, positions: np.ndarray) -> Findings:
    return counted(file, f"set aside: {why}", len(positions), _example(cells, positions))


def _example(cells: Cells, positions: np.ndarray) -> str:
    """Line and id of the first of some rows."""
    return f"{cells.line(int(positions.min()))}: {shown(cells.texts[int(positions.min())])}" if len(positions) else ""


# --- ids as they are compared -------------------------------------------------------------------------------

MODIFIED = re.compile(r"modif|updated|changed|geändert|änderung|mise à jour", re.IGNORECASE)
"""What a column with the moment of the last change is called."""
LETTERS = np.frombuffer(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ012345", dtype=np.uint8)
"""Of the three that end a Salesforce id of 18 characters, each says which of five are capitals, the first one first."""
SHORT, LONG = 15, 18
CAPITAL = 2
KINDS = np.array(
    [CAPITAL * (65 <= code <= 90) + (48 <= code <= 57 or 97 <= code <= 122) for code in range(256)], np.uint8
)
"""By character: 2 for a capital, 1 for another letter or a digit, 0 for anything else."""


def as_keys(texts: Texts) -> Texts:
    """Ids as they are compared: 1001 for 1001.0, a Salesforce id by its 15 characters, letters composed, nothing hidden."""
    return Texts(_keys(texts.different), texts.codes)


def _keys(texts: Iterable[str]) -> Sequence[str]:
    keys = [*texts]
    joined = "\n".join((*keys, ""))
    is_ascii = joined.isascii()
    if not is_ascii or ".0\n" in joined:
        keys = [text if text.isascii() and not text.endswith(".0") else _tidied(text) for text in keys]
    lengths = np.fromiter(map(len, keys), dtype=np.int32, count=len(keys))
    rows = np.flatnonzero(lengths == LONG).tolist()
    long = keys if len(rows) == len(keys) else [keys[row] for row in rows]
    if not is_ascii:
        rows, long = [row for row in rows if keys[row].isascii()], [*filter(str.isascii, long)]
    for row in np.array(rows, dtype=int)[_end_as_salesforce_ids(long)].tolist():
        keys[row] = keys[row][:SHORT]
    return keys


def _tidied(text: str) -> str:
    if not text.isascii():
        text = tidy(text)
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text  # as programs write whole numbers


def _end_as_salesforce_ids(texts: list[str]) -> np.ndarray:
    """Which of some texts of 18 letters and digits end in the three that tell Salesforce's ids apart where case is lost."""
    of = KINDS[np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint8).reshape(-1, LONG)]
    ends = np.frombuffer("".join([text[SHORT:] for text in texts]).encode("ascii"), dtype=np.uint8).reshape(-1, 3)
    capital = (of[:, :SHORT] == CAPITAL).view(np.uint8)
    marks = sum(capital[:, place::5] << place for place in range(5))
    return (of > 0).all(axis=1) & (LETTERS[marks] == ends).all(axis=1)


def alike(sought: pd.Index, present: pd.Index) -> tuple[pd.Index, pd.Index]:
    """Ids of two files as they are compared: where one has those of 15 characters, the other is cut to them."""
    lengths = [set(map(len, each)) for each in (sought, present)]
    if lengths == [{SHORT}, {LONG}]:
        return sought, present.map(_cut)
    return (sought.map(_cut), present) if lengths == [{LONG}, {SHORT}] else (sought, present)


def _cut(text: str) -> str:
    return text[:SHORT]


# --- files beside the records -------------------------------------------------------------------------------


def joined_rows(tables: Tables, file: str, main: str, records: Rows, arrived: np.ndarray) -> JoinedRows:
    """The rows of `file` for the `records` of the file `main`, which came in at the moments `arrived`.

    A row counts once however many records lead to it: it is the earliest one's. A row to which none leads, and the
    later ones of a record to which several belong, are records of their own where the file has days of stages.
    """
    entry, staged = tables.entry(file), bool(tables.day_columns(file))
    ids, filled, cells = _ids_of(tables, file)
    found = Findings(lines=tables.tables[file].report(file))
    nameless = ~filled
    if entry.via is not None or not staged:
        found += _aside(file, cells, "no id", np.flatnonzero(nameless))
    else:
        filled = np.ones(len(ids), dtype=bool)
    filled, more = _that_count(tables, file, cells, ids, filled)
    found += more
    once = entry.via is not None or not staged or tables.source.crm.has_lines(file)
    rows, more = (_one_row_each if once else _each_row)(tables, file, cells, ids, filled)
    found += more
    sharing, naming = np.zeros(0, dtype=int), np.zeros(0, dtype=int)
    if entry.via is not None:
        numbers, sharing, naming, more = _led_to(tables, file, main, records, arrived, rows.ids)
    else:
        numbers, more = _belonging(tables, file, main, records, rows, ids)
    found += more
    if not staged:
        found += _aside(file, cells, "no record of that id", rows.positions[numbers < 0])
        rows, numbers = _chosen(rows, numbers >= 0), numbers[numbers >= 0]
    further = _further(tables, file, rows, numbers)
    own = further | (numbers < 0)
    kinds = {
        f"rows to which no record of {shown(main)} leads": numbers < 0,
        f"further rows of a record of {shown(main)}": further,
    }
    for what, those in kinds.items():
        example = _example(cells, rows.positions[those])
        found += counted(file, f"{what}, records of their own", those.sum(), example)
    names = np.append(np.array(records.ids, dtype=object), "")[numbers]  # -1, no record, is the name appended last
    if own.any():
        written = [f"{file} {at + 1}" if nameless[at] else str(ids[at]) for at in rows.positions[own].tolist()]
        names[own] = other_than(records.ids, written, file)
    found += Findings(lines=(ImportLine(file, "rows kept", len(rows.positions)),))
    joined = replace(rows, ids=pd.Index(names, dtype=object), found=found)
    return JoinedRows(joined, pd.Index(names[own], dtype=object), np.where(further, numbers, -1)[own], sharing, naming)


def _chosen(rows: Rows, mask: np.ndarray) -> Rows:
    """The rows in `mask`, with their further lines."""
    lines = rows.lines
    if lines is not None:
        kept = mask[lines[1]]
        lines = lines[0][kept], (np.cumsum(mask) - 1)[lines[1][kept]]
    return replace(rows, ids=rows.ids[mask], positions=rows.positions[mask], lines=lines)


def _each_row(tables: Tables, file: str, cells: Cells, ids: np.ndarray, filled: np.ndarray) -> tuple[Rows, Findings]:
    """Every one of the `filled` rows, those that are the same in all columns once."""
    positions = np.flatnonzero(filled)
    several = pd.Series(ids[positions]).duplicated(keep=False).to_numpy()
    same = np.zeros(len(positions), dtype=bool)
    if several.any():
        columns = tables.tables[file].columns
        frame = pd.DataFrame({name: tables.stripped_cells(file, name)[positions[several]] for name in columns})
        same[several] = frame.duplicated().to_numpy()
    found = _aside(file, cells, "the same as another row", positions[same])
    kept = positions[~same]
    return Rows(pd.Index(ids[kept], dtype=object), kept, Findings()), found


def _belonging(
    tables: Tables, file: str, main: str, records: Rows, rows: Rows, ids: np.ndarray
) -> tuple[np.ndarray, Findings]:
    """The number of the record that each row of a file names; -1 where it names none there is."""
    split, merged = tables.entry(file).split, tables.merged(main)
    sought, present = alike(rows.ids, records.ids)
    present = present if present.is_unique else pd.Index(records.ids)
    several: list[str] = []
    if split is None:
        named = sought.map(lambda text: merged.get(text, text)) if merged else sought
        numbers = present.get_indexer(named)
    else:
        cells = [[part.strip() for part in text.split(split) if part.strip()] for text in sought]
        parts = list({part for cell in cells for part in cell})
        key_of = dict(zip(parts, _keys(parts), strict=True))
        cells = [[key_of[part] for part in cell] or [text] for cell, text in zip(cells, sought, strict=True)]
        cells = [[merged.get(part, part) for part in cell] for cell in cells]
        numbers = np.array([next((n for n in present.get_indexer(cell) if n >= 0), -1) for cell in cells], dtype=int)
        several = [text for text, cell in zip(rows.ids, cells, strict=True) if len(cell) > 1]
        named = pd.Index([part for cell in cells for part in cell], dtype=object)
    what = "rows that name several records, given to the first of them"
    found = counted(file, what, len(several), shown(several[0]) if several else "")
    return numbers, found + why_few(file, named, main, present)


def _led_to(
    tables: Tables, file: str, main: str, records: Rows, arrived: np.ndarray, ids: pd.Index
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Findings]:
    """The number of the record that leads to each row, -1 where none does; those that share one; those that name any.

    Of several that name a row it is the one that came in first.
    """
    texts, filled, _ = stripped(tables.cells(main, column_of(tables.entry(file).via or "")))
    own = records.ids.get_indexer(pd.Index(_ids_of(tables, main)[0], dtype=object))  # of further rows of a record too
    here = filled & (own >= 0)
    pairs = pd.DataFrame({"name": texts.objects()[here], "number": own[here]}).drop_duplicates()
    if (split := tables.entry(file).split) is not None:
        pairs = pairs.assign(name=pairs["name"].str.split(split, regex=False)).explode("name")
        pairs["name"] = pairs["name"].str.strip()
    different, gone = pairs["name"].unique().tolist(), tables.merged(file)
    keys = {text: gone.get(key, key) for text, key in zip(different, _keys(different), strict=True)}
    pairs["name"] = pairs["name"].map(keys)
    sought, present = alike(pd.Index(pairs["name"], dtype=object), ids)
    numbers = pairs["number"].to_numpy()
    places = (present if present.is_unique else ids).get_indexer(sought)
    pairs = pd.DataFrame({"place": places, "number": numbers})
    found = why_few(main, sought, file, present)
    pairs = pairs[pairs["place"] >= 0]
    pairs = pairs.assign(arrived=arrived[pairs["number"]], id=np.array(records.ids, dtype=object)[pairs["number"]])
    pairs = pairs.sort_values(["arrived", "id"], kind="stable", na_position="last")
    first = pairs[~pairs["place"].duplicated()]
    owner = np.full(len(ids), -1)
    owner[first["place"]] = first["number"]
    sharing = np.setdiff1d(pairs["number"], first["number"])
    example = shown(records.ids[sharing[0]]) if len(sharing) else ""
    what = f"records that share a row of {shown(file)} with an earlier record, which has it alone"
    return owner, sharing, np.unique(numbers), found + counted(main, what, len(sharing), example)


def _further(tables: Tables, file: str, rows: Rows, numbers: np.ndarray) -> np.ndarray:
    """Which rows are not the first of their record: the one with the earliest day is."""
    further = np.zeros(len(numbers), dtype=bool)
    several = (numbers >= 0) & pd.Series(numbers).duplicated(keep=False).to_numpy()
    if not several.any():
        return further
    at = rows.positions[several]
    moments = [tables.days(file, column).values[at] for column in tables.day_columns(file)]
    frame = pd.DataFrame({name: tables.stripped_cells(file, name)[at] for name in tables.tables[file].columns})
    frame = frame.assign(**{AT: np.fmin.reduce(moments), ID: numbers[several]})
    order = frame.sort_values([AT, *tables.tables[file].columns], kind="stable", na_position="last")
    later = order[ID].duplicated()
    further[np.flatnonzero(several)] = later.sort_index().to_numpy()
    return further


def other_than(taken: pd.Index, names: list[str], file: str) -> list[str]:
    """`names` for records of their own, none of them a name that is taken, and each once."""
    clash = pd.Index(names, dtype=object).isin(taken)
    names = [f"{file} {name}" if there else name for name, there in zip(names, clash.tolist(), strict=True)]
    seen: Counter[str] = Counter()
    found = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return found


DIFFERENCES: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("capitals", str.casefold),
    ("zeros in front", lambda text: text.lstrip("0")),
    ("spaces or marks", lambda text: re.sub(r"[\W_]", "", text)),
    ("what follows the first 15 characters", _cut),
    ("letters around the digits", lambda text: re.sub(r"\D", "", text)),
)
"""What ids of one thing differ in when they do not meet: its name, and what takes it away."""


def why_few(here: str, sought: pd.Index, there: str, present: pd.Index) -> Findings:
    """A line where less than half of the ids in one file are in the other: how many, and why it may be."""
    sought, present = sought[sought != ""].unique(), present.unique()
    met = int(sought.isin(present).sum())
    if not len(sought) or 2 * met >= len(sought):
        return Findings()
    found = {name: int(sought.map(cut).isin(present.map(cut)).sum()) for name, cut in DIFFERENCES}
    best = max(found, key=lambda name: found[name])
    strange = sought[~sought.isin(present)]
    pair = f"{shown(strange[0])} here, {shown(present[0]) if len(present) else 'nothing'} there"
    why = (
        f"without {best} it would be {found[best]:,}: {pair}"
        if found[best] > max(2 * met, len(sought) / 2)
        else f"{pair}; is it the column meant, and of the same time?"
    )
    return counted(here, f"ids of which {shown(there)} has only {met:,}", len(sought), why)


def per_record(parsed: Parsed, rows: Rows, records: pd.Index, missing: object) -> np.ndarray:
    """The values of a file's rows in the order of `records`; `missing` where a record has no row."""
    if rows.ids is records:
        return parsed.values[rows.positions]
    where = rows.ids.get_indexer(records)
    values = np.append(parsed.values[rows.positions], np.array([missing], dtype=parsed.values.dtype))
    return values[where]  # -1, no row, is the value appended last
