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
from revplan.crm.readers import NumberedIds, files_of, read_table, refuse_missing
from revplan.crm.text_table import TextTable
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.tablefile import EVERY_COLUMN

CHANGES = ""  # the name of the file with the changes in `format: history`, which no column can be written with


def in_log(column: str) -> str:
    """file.column of a column of the file with the changes."""
    return f"{CHANGES}.{column}"


@dataclass(frozen=True, eq=False)
class Tables:
    """The tables a CRM file names, by name, with the CRM file itself."""

    source: CrmSource
    tables: dict[str, TextTable]

    def entry(self, file: str) -> DataFile:
        """What the CRM file says about `file`."""
        return entries_of(self.source)[file]

    def cells(self, column: str) -> Cells:
        """The text cells of file.column, with their places for messages."""
        file, name = file_of(column), column_of(column)
        table = self.tables[file]
        # no column of the file with the changes can be named in the CRM file as this one is
        return Cells(table.name, name, table.cells(name), table.lines, table.unit, column if file else "")

    def id_cells(self, file: str) -> Cells:
        """The ids of a file; of one without, the numbers of its lines."""
        if self.has_ids(file):
            return self.cells(f"{file}.{self.entry(file).id}")
        table = self.tables[file]
        return Cells(table.name, ROW, Texts([str(line) for line in table.lines]), table.lines, table.unit)

    def has_ids(self, file: str) -> bool:
        """Whether a column of `file` says which record a row is of; without one each row is its own."""
        return self.entry(file).id != ROW or ROW in self.tables[file].header

    def frame(self, file: str, names: Iterable[str], rows: np.ndarray) -> pd.DataFrame:
        """The cells of some columns of a file without outer spaces, those of `rows`."""
        texts = {name: self.tables[file].cells(name) for name in names}
        seen = {name: Texts(all_visible(each.different), each.codes).objects()[rows] for name, each in texts.items()}
        return pd.DataFrame(seen, dtype=object)

    def day_columns(self, file: str) -> list[str]:
        """The columns of a file with the days of stages, as file.column."""
        days = [day.at for key, day in self.source.crm.days().items() if day.at and key[0] == "stages"]
        return list(dict.fromkeys(at for at in days if file_of(at) == file))

    def of_a_line(self, file: str) -> list[str]:
        """The columns of a file in which the line items of one record may differ."""
        crm = self.source.crm
        named = (crm.amount.column if crm.amount else None, crm.cost, crm.product, crm.owner)
        return [column_of(each) for each in named if each and file_of(each) == file]

    def labels(self, column: str) -> tuple[pd.Categorical, Findings]:
        """The labels of file.column, one per row of the file, and what was found on the way."""
        return labels(self.cells(column))

    def days(self, column: str, cells: Cells | None = None) -> Parsed:
        """The moments of file.column, or of some `cells` of it, written as the CRM file says."""
        declared = self._declared("date_format", column)
        return days(cells or self.cells(column), declared, self.source.crm.timezone)

    def amounts(self, column: str, cells: Cells | None = None) -> Parsed:
        """The amounts of file.column, or of some `cells` of it, written as the CRM file says."""
        separator = self.tables[file_of(column)].separator
        return amounts(cells or self.cells(column), self._declared("decimal", column), separator)

    def _declared(self, key: str, column: str) -> str | None:
        """What the CRM file says of how file.column is written: for the column, its file, or all."""
        own, general = (dict(getattr(each, key) or {}) for each in (self.entry(file_of(column)), self.source.crm))
        places = ((own, column_of(column)), (general, column), (own, EVERY_COLUMN), (general, EVERY_COLUMN))
        return next((said[name] for said, name in places if name in said), None)

    def is_one_of(self, column: str, labels: Iterable[str]) -> np.ndarray:
        """Which rows of its file have one of `labels` in file.column."""
        wanted = set().union(*(meanings_of(label) for label in labels))
        return self.cells(column).coded.which(lambda text: plain(text) in wanted)

    def labels_met(self, column: str, labels: Iterable[str]) -> tuple[str, ...]:
        """Those of `labels` that a row of file.column has; all where none has."""
        labels = tuple(labels)
        there = {plain(text) for text in self.cells(column).coded.different}
        return tuple(label for label in labels if meanings_of(label) & there) or labels

    def left_out(self, file: str) -> Iterator[tuple[str, np.ndarray]]:
        """Why rows of a file do not count, as `only` and `except` ask, and which; each column in turn."""
        for key, column, names in self.source.crm.conditions(file):
            why, rows = (
                f"{key}: {shown(column)} is {shown(' or '.join(names))}",
                self.is_one_of(f"{file}.{column}", names),
            )
            yield (f"not what {why}", ~rows) if key == "only" else (f"as {why}", rows)

    def merged(self, file: str) -> dict[str, str]:
        """Id of a record of `file` that was merged into another -> the id of the record that has it now.

        HubSpot writes them 2001:1700000000000;3001:1700000000000, each with its moment.
        """
        column, into = self.source.crm.merged, dict[str, str]()
        if not column or file_of(column) != file:
            return into
        texts, filled, _ = stripped(self.cells(column))
        ids, has_id, _ = _ids_of(self, file)
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


SEPARATED = re.compile(r"[;,|\s]+")
NO_ROWS = np.zeros(0, dtype=int)


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a file that can be used, and whose they are."""

    ids: pd.Index
    positions: np.ndarray
    """Where they stand in the file."""
    numbers: np.ndarray
    """The number of each one's record."""
    found: Findings = field(default_factory=Findings)
    further: np.ndarray = field(default_factory=NO_ROWS.copy)
    """Where further lines of the same records stand."""
    first: np.ndarray = field(default_factory=NO_ROWS.copy)
    """The place in `positions` of the row that each of them goes on."""


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
            tables[file] = _table(
                source, file, entry, columns, _ids_of_records(source, tables) if file == CHANGES else None
            )
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


def _ids_of_records(source: CrmSource, tables: Mapping[str, TextTable]) -> NumberedIds | None:
    """The ids of the records that the rows of a log are about, where each row of theirs has one of its own."""
    column = entries_of(source)[RECORDS].id if RECORDS in tables else None
    ids = tables[RECORDS].columns.get(column or "") if RECORDS in tables else None
    if ids is None or ids.codes is not None or ids.values is not None:
        return None
    return NumberedIds(entries_of(source)[CHANGES].id or "", ids.different)


def _table(source: CrmSource, file: str, entry: DataFile, needed: set[str], ids: NumberedIds | None) -> TextTable:
    read = source.tables.get(file)
    if read is not None and needed.intersection(read.header) <= set(read.columns):
        return read
    folder = source.path.parent
    refuse_missing(entry, folder, source.place((*key_of(source, file), "path")))
    try:
        return read_table(entry, folder, needed.__contains__, ids=ids)
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
    sifted = _Sifted(tables, file)
    sifted.set_aside("no id", sifted.nameless)
    sifted.leave_out()
    return sifted.with_report(sifted.one_row_each())


def _ids_of(tables: Tables, file: str) -> tuple[np.ndarray, np.ndarray, Cells]:
    """The ids of a file by row as they are compared, which rows have one, and their cells."""
    cells = tables.id_cells(file)
    texts, filled, _ = stripped(cells)
    return as_keys(texts).objects(), filled, cells


ID, AT = "\0id", "\0at"  # columns of a frame beside those of a file, which are never called so


@dataclass(eq=False)
class _Sifted:
    """The rows of a file on the way to those that can be used, and what was found of the others."""

    tables: Tables
    file: str

    def __post_init__(self) -> None:
        self.ids, filled, self.cells = _ids_of(self.tables, self.file)
        self.nameless, self.left = ~filled, np.ones(len(filled), dtype=bool)
        self.found = Findings(lines=self.tables.tables[self.file].report(self.file))

    def count(self, what: str, positions: np.ndarray) -> None:
        """A line on some rows, with line and id of the first."""
        if len(positions):
            first = int(positions.min())
            example = f"{self.cells.line(first)}: {shown(self.cells.texts[first])}"
            self.found += counted(self.file, what, len(positions), example)

    def set_aside(self, why: str, rows: np.ndarray) -> None:
        """Those of `rows` that are left are no longer."""
        self.count(f"set aside: {why}", np.flatnonzero(self.left & rows))
        self.left = self.left & ~rows

    def leave_out(self) -> None:
        """Sets aside what `only` and `except` leave out, and rows of records merged into another."""
        self.found += Findings(_labels_not_there(self.tables, self.file))
        for why, rows in self.tables.left_out(self.file):
            self.set_aside(why, rows)
        if merged := self.tables.merged(self.file):
            self.set_aside("merged into another record", np.isin(self.ids, list(merged)))

    def with_report(self, rows: Rows) -> Rows:
        """`rows` with all that was found, and how many they are."""
        kept = ImportLine(self.file, "rows kept", len(rows.positions))
        return replace(rows, found=self.found + Findings(lines=(kept,)))

    def _rows(self, positions: np.ndarray) -> Rows:
        return Rows(pd.Index(self.ids[positions], dtype=object), positions, np.arange(len(positions)))

    def each_row(self) -> Rows:
        """Every row that is left, those that are the same in all columns once."""
        positions = np.flatnonzero(self.left)
        several = pd.Series(self.ids[positions]).duplicated(keep=False).to_numpy()
        same = np.zeros(len(positions), dtype=bool)
        if several.any():
            frame = self.tables.frame(self.file, self.tables.tables[self.file].columns, positions[several])
            same[several] = frame.duplicated().to_numpy()
        self.count("set aside: the same as another row", positions[same])
        return self._rows(positions[~same])

    def one_row_each(self) -> Rows:
        """A row for each id that is left: equal ones once, versions as asked, line items together; or faults."""
        tables, file, crm = self.tables, self.file, self.tables.source.crm
        positions = np.flatnonzero(self.left)
        own = pd.Index(self.ids if self.left.all() else self.ids[positions], dtype=object)
        if own.is_unique:  # which it keeps in mind, as others will ask again
            return Rows(own, positions, np.arange(len(own)))
        several = own.duplicated(keep=False)
        at = positions[several]
        others = [each.via for each in entries_of(tables.source).values() if each.via]
        leads_to = [column_of(via) for via in others if file_of(via) == file]
        named = dict.fromkeys(column for where, column in wanted_columns(tables.source).values() if where == file)
        read = [column for column in named if column not in (self.cells.column, *leads_to)]
        frame = tables.frame(file, read, at).assign(**{ID: self.ids[at], AT: at})
        modified = next((each for each in crm.modified or () if file_of(each) == file), None)
        lines = crm.has_lines(file)
        if modified and not lines:
            parsed = tables.days(modified)
            changed = pd.Series(parsed.values[at], index=frame.index)
            newest = changed.eq(changed.groupby(frame[ID]).transform("max"))
            self.found += parsed.found
            what = "set aside: an older version of a record, as duplicates: newest asks"
            self.count(what, frame.loc[~newest, AT].to_numpy())
            frame = frame[newest]
        compared = [each for each in read if not (lines and each in tables.of_a_line(file))]
        differing = frame.groupby(ID)[compared].nunique(dropna=False) > 1
        unequal = frame[ID].isin(differing.index[differing.any(axis=1)])
        if unequal.any():
            columns = [str(each) for each in differing.columns[differing.any()]]
            self.found += Findings((self._repeated(frame[unequal], columns, len(positions)),))
        frame = frame.sort_values([*read, AT], kind="stable")
        first = ~frame[ID].duplicated()
        rows = self._rows(np.sort(np.concatenate([positions[~several], frame.loc[first, AT].to_numpy()])))
        if not lines:
            self.count("set aside: the same as another row of its id", frame.loc[~first & ~unequal, AT].to_numpy())
            return rows
        further = np.sort(frame.loc[~first, AT].to_numpy())
        self.count("line items added to their record, as of: lines asks", further)
        return replace(rows, further=further, first=rows.ids.get_indexer(pd.Index(self.ids[further], dtype=object)))

    def _repeated(self, rows: pd.DataFrame, columns: list[str], filled: int) -> Fault:
        """That rows repeat an id and say something else, with what to write where they are lines, versions, or have no id."""
        tables, file, cells = self.tables, self.file, self.cells
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
            cures.insert(0, f"if they are line items: amount: {{column: {shown(amount.column)}, of: lines}}")
        if again > filled / 2:
            cures.append("if the column identifies no record: id: row")
        repeat = "row repeats an id and differs" if again == 1 else "rows repeat an id and differ"
        message = f"{again:,} {repeat} in {named} ({shown(rows[ID].iloc[0])}, {example}); {'; '.join(cures)}"
        return Fault(cells.part, message)


def _labels_not_there(tables: Tables, file: str) -> tuple[Fault, ...]:
    """Faults of labels that `only` or `except` names and no row of the file has; a yes or a no may be missing."""
    faults = []
    for key, name, names in tables.source.crm.conditions(file):
        column = f"{file}.{name}"
        if column not in (tables.source.document.data.get(key) or ()):
            continue  # what a preset writes stands for every spelling there may be
        there = {plain(text): text for text in tables.cells(column).coded.different}
        for label in names:
            if plain(label) not in ("true", "false") and plain(label) not in there:
                hint = did_you_mean(label, [text.strip() for text in there.values() if text.strip()])
                faults.append(Fault(tables.source.place((key, column)), f"no row is {shown(label)!r}{hint}"))
    return tuple(faults)


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
    rows = np.flatnonzero(lengths == LONG)
    long = keys if len(rows) == len(keys) else [keys[row] for row in rows.tolist()]
    if not is_ascii:
        rows, long = rows[[text.isascii() for text in long]], [*filter(str.isascii, long)]
    for row in rows[_end_as_salesforce_ids(long)].tolist():
        keys[row] = keys[row][:SHORT]
    return keys


def _tidied(text: str) -> str:
    if not text.isascii():
        text = tidy(text)
    return text[:-2] if text.endswith(".0") and text[:-2].isdigit() else text  # as programs write whole numbers


def _end_as_salesforce_ids(texts: list[str]) -> np.ndarray:
    """The places of those of some texts of 18 characters that end in the three that tell Salesforce's ids apart where case is lost."""
    letters = np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint8).reshape(-1, LONG)
    found = np.flatnonzero(np.isin(np.arange(256), LETTERS)[letters[:, SHORT:]].all(axis=1))  # most other ids are none
    letters = letters[found]
    of = KINDS[letters]
    capital = (of[:, :SHORT] == CAPITAL).view(np.uint8)
    marks = sum(capital[:, place::5] << place for place in range(5))
    return found[(of > 0).all(axis=1) & (LETTERS[marks] == letters[:, SHORT:]).all(axis=1)]


def alike(sought: pd.Index, present: pd.Index) -> tuple[pd.Index, pd.Index]:
    """Ids of two files as they are compared: where one has those of 15 characters, the other is cut to them."""
    lengths = [set(map(len, each)) for each in (sought, present)]
    if lengths == [{SHORT}, {LONG}]:
        return sought, present.map(_cut)
    return (sought.map(_cut), present) if lengths == [{LONG}, {SHORT}] else (sought, present)


def _cut(text: str) -> str:
    return text[:SHORT]


# --- files beside the records -------------------------------------------------------------------------------


def joined_rows(tables: Tables, file: str, main: str, records: Rows, arrived: np.ndarray, taken: int) -> JoinedRows:
    """The rows of `file` for the `records` of the file `main`, which came in at the moments `arrived`.

    Records of their own are numbered from `taken` on.

    A row counts once however many records lead to it: it is the earliest one's. A row to which none leads, and the
    later ones of a record to which several belong, are records of their own where the file has days of stages.
    """
    via, staged = tables.entry(file).via, bool(tables.day_columns(file))
    sifted = _Sifted(tables, file)
    if via is not None or not staged:
        sifted.set_aside("no id", sifted.nameless)
    sifted.leave_out()
    once = via is not None or not staged or tables.source.crm.has_lines(file)
    rows = sifted.one_row_each() if once else sifted.each_row()
    sharing, naming = NO_ROWS, NO_ROWS
    if via is not None:
        numbers, sharing, naming, found = _led_to(tables, file, main, records, arrived, rows.ids)
    else:
        numbers, found = _belonging(tables, file, main, records, rows.ids)
    sifted.found += found
    if staged:
        further = _further(tables, file, rows, numbers)
    else:
        rows = _of_records(sifted, rows, numbers, records.ids)
        numbers, further = rows.numbers, np.zeros(len(rows.numbers), dtype=bool)
    own = further | (numbers < 0)
    what = f"rows to which no record of {shown(main)} leads, records of their own"
    sifted.count(what, rows.positions[numbers < 0])
    sifted.count(f"further rows of a record of {shown(main)}, records of their own", rows.positions[further])
    places = rows.positions[own].tolist()
    written = [f"{file} {at + 1}" if sifted.nameless[at] else str(sifted.ids[at]) for at in places]
    names = pd.Index(other_than(records.ids, written, file), dtype=object)
    of = np.where(further, numbers, -1)[own]
    numbers = np.where(own, taken + np.cumsum(own) - 1, numbers)
    return JoinedRows(sifted.with_report(replace(rows, numbers=numbers)), names, of, sharing, naming)


def _of_records(sifted: _Sifted, rows: Rows, numbers: np.ndarray, records: pd.Index) -> Rows:
    """One row for each record: its own before that of a record merged into it. The others are its lines, or set aside."""
    theirs = numbers >= 0
    sifted.count("set aside: no record of that id", rows.positions[~theirs])
    again, other = np.zeros((2, len(numbers)), dtype=bool)
    other[theirs] = rows.ids[theirs] != records[numbers[theirs]]
    order = np.lexsort((rows.positions, other))
    again[order] = pd.Series(numbers[order]).duplicated()
    again &= theirs
    further, of, kept = rows.further, numbers[rows.first], theirs & ~again
    if sifted.tables.source.crm.has_lines(sifted.file):
        sifted.count("line items added to their record, as of: lines asks", rows.positions[again])
        further, of = np.append(further, rows.positions[again]), np.append(of, numbers[again])
    else:
        sifted.count("set aside: of a record that has another row", rows.positions[again])
    place = np.zeros(len(records), dtype=int)
    place[numbers[kept]] = np.arange(kept.sum())
    return replace(
        rows,
        ids=rows.ids[kept],
        positions=rows.positions[kept],
        numbers=numbers[kept],
        further=further[of >= 0],
        first=place[of[of >= 0]],
    )


def _belonging(tables: Tables, file: str, main: str, records: Rows, ids: pd.Index) -> tuple[np.ndarray, Findings]:
    """The number of the record that each row of a file names; -1 where it names none there is."""
    split, merged = tables.entry(file).split, tables.merged(main)
    sought, present = alike(ids, records.ids)
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
        several = [text for text, cell in zip(ids, cells, strict=True) if len(cell) > 1]
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
    texts, filled, _ = stripped(tables.cells(tables.entry(file).via or ""))
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
    moments = [tables.days(column).values[at] for column in tables.day_columns(file)]
    frame = tables.frame(file, tables.tables[file].columns, at)
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


def per_record(values: np.ndarray, rows: Rows, records: int, missing: object) -> np.ndarray:
    """The values of a file's rows by the number of their record, of so many `records`; `missing` where one has no row."""
    found = np.full(records, missing, dtype=values.dtype)
    found[rows.numbers] = values[rows.positions]
    return found
