"""Stage events as the CRM wrote them: which record entered which stage, or was lost, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from revplan.crm.cells import Cells, Findings, ImportLine, Parsed, counted, stripped
from revplan.crm.file import did_you_mean
from revplan.crm.files import CHANGES, Rows, Tables, labelled, per_record, usable_rows, whole
from revplan.crm.mapping import RECORDS, Changed, Entered, HistoryCrm, WideCrm, crm_labels, file_of, plain
from revplan.crm.mapping import column_of as column_in
from revplan.ground.errors import DataError, Fault, shown

LOST = -1  # the stage number of a loss
NO_STAGE = -2  # the stage number of a change that leads to no stage
NEVER = np.datetime64("NaT", "us")
FEW_ROWS = 20  # of a log: fewer do not show whether it is one of snapshots
MOST_ALIKE = 0.5


@dataclass(frozen=True, eq=False)
class Events:
    """Parallel arrays, an event each: record number, stage number (or LOST) and moment."""

    record: np.ndarray
    stage: np.ndarray
    at: np.ndarray

    def where(self, mask: np.ndarray) -> Events:
        """The events `mask` keeps."""
        return Events(self.record[mask], self.stage[mask], self.at[mask])

    def __add__(self, other: Events) -> Events:
        pairs = ((self.record, other.record), (self.stage, other.stage), (self.at, other.at))
        return Events(*(np.concatenate(pair) for pair in pairs))


@dataclass(frozen=True, eq=False)
class Changes:
    """Parallel arrays, by record and moment, a change of a record's value each: to what, and from what where that is told."""

    record: np.ndarray
    at: np.ndarray
    after: np.ndarray
    before: np.ndarray | None

    def times(self, factors: np.ndarray) -> Changes:
        """The same, the values of each record multiplied by its factor."""
        own = factors[self.record]
        return replace(self, after=self.after * own, before=None if self.before is None else self.before * own)

    def first(self, now: np.ndarray) -> np.ndarray:
        """The values of all records before anything changed."""
        values, rows = now.copy(), np.flatnonzero(np.diff(self.record, prepend=-1))
        values[self.record[rows]] = (self.after if self.before is None else self.before)[rows]
        return values

    def on(self, day: np.datetime64, now: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The values of all records at the end of `day`, and which of them are an assumption.

        A record without changes has its value of `now`. Before its first change it has what that one changed from; where
        that is not told, what it changed to, which is an assumption.
        """
        values, assumed = self.first(now), np.zeros(len(now), dtype=bool)
        assumed[self.record] = self.before is None
        known = np.flatnonzero(self.at < day + np.timedelta64(1, "D"))
        values[self.record[known]] = self.after[known]  # in the order of time: the last one stays
        assumed[self.record[known]] = False
        return values, assumed


NUMBER, STAGE = np.int32, np.int8  # of a record, and of a stage
NO_EVENTS = Events(np.array([], dtype=NUMBER), np.array([], dtype=STAGE), np.array([], dtype="datetime64[us]"))


@dataclass(frozen=True, eq=False)
class Raw:
    """Records and their events, before anything is repaired."""

    records: pd.Index
    events: Events
    rows: dict[str, Rows]
    """File -> its usable rows, for the files a record's labels and amounts can stand in."""
    found: Findings
    logged: bool
    """Whether the events are a log: there a stage entered after a loss means the record was reopened."""
    changes: dict[str, Changes] = field(default_factory=dict)
    """`amount` and `close_on` -> how a log says they changed."""


def read_events(tables: Tables) -> Raw:
    """The records and events of the CRM's files.

    Raises
    ------
    DataError
        If days cannot be read; the faults of all columns at once.
    """
    crm = tables.source.crm
    raw = _of_changes(tables, crm) if isinstance(crm, HistoryCrm) else _of_columns(tables, crm)
    if raw.found.faults:
        raise DataError(raw.found.faults)
    return raw


# --- format: wide -------------------------------------------------------------------------------------------


def _of_columns(tables: Tables, crm: WideCrm) -> Raw:
    first = file_of(next(iter(crm.stages.values())).at or "")
    main = usable_rows(tables, first)
    files = [file for file in crm.files if file not in crm.lists()]
    rows = {file: main if file == first else usable_rows(tables, file, main.ids) for file in files}
    raw = Raw(main.ids, NO_EVENTS, rows, sum((each.found for each in rows.values()), Findings()), False)
    for number, entered in enumerate(crm.stages.values()):
        raw = _with_column(raw, tables, number, entered)
    return _with_column(raw, tables, LOST, crm.lost) if crm.lost else raw


def _with_column(raw: Raw, tables: Tables, stage: int, entered: Entered) -> Raw:
    """`raw` with the events whose moments stand in a column."""
    file = file_of(entered.at or "")
    moments, found = _moments(tables, file, entered)
    at = per_record(Parsed(moments, found), raw.rows[file], raw.records, NEVER)
    record = np.flatnonzero(~np.isnat(at))
    events = Events(record.astype(NUMBER), np.full(len(record), stage, dtype=STAGE), at[record])
    return replace(raw, events=raw.events + events, found=raw.found + found)


def _moments(tables: Tables, file: str, entered: Entered) -> tuple[np.ndarray, Findings]:
    """The moments of a column, for the rows whose field is one of the labels."""
    parsed = tables.days(file, column_in(entered.at or ""))
    if not entered.conditions():
        return parsed.values, parsed.found
    chosen = np.ones(len(parsed.values), dtype=bool)
    for column, names in entered.conditions().items():
        chosen &= tables.is_one_of(file, column_in(column), names)
    dateless = chosen & np.isnat(parsed.values)
    columns = " and ".join(shown(column_in(column)) for column in entered.conditions())
    labels = " and ".join(shown(" or ".join(names)) for names in entered.conditions().values())
    part = f"{tables.tables[file].name}, {columns}"
    found = parsed.found + counted(part, f"rows that are {labels} without a day", dateless.sum())
    return np.where(chosen, parsed.values, NEVER), found


# --- format: history ----------------------------------------------------------------------------------------


def _of_changes(tables: Tables, crm: HistoryCrm) -> Raw:
    rows = {RECORDS: usable_rows(tables, RECORDS)} if crm.records else {}
    log = _log(tables, crm, rows)
    if rows:
        records = rows[RECORDS].ids
        numbers = records.get_indexer(pd.Index(log.ids, dtype=object))
    else:
        numbers, different = pd.factorize(log.ids)
        records = pd.Index(different, dtype=object)
    events = Events(numbers.astype(NUMBER), log.stages, log.at)
    found = sum((each.found for each in rows.values()), Findings()) + log.found
    changes = {name: _value_changes(tables, crm, (name, place), records) for name, place in (crm.changes or {}).items()}
    found += sum((each for _, each in changes.values()), Findings())
    raw = Raw(records, events, rows, found, True, {name: each for name, (each, _) in changes.items()})
    for number, entered in enumerate(crm.stages.values()):
        raw = _with_column(raw, tables, number, entered) if entered.at else raw
    return raw


@dataclass(frozen=True, eq=False)
class _Log:
    ids: np.ndarray
    stages: np.ndarray
    at: np.ndarray
    found: Findings


def _log(tables: Tables, crm: HistoryCrm, rows: dict[str, Rows]) -> _Log:
    """The changes that are events; all others are set aside, and counted by the first reason that holds."""
    id_cells, value_cells = tables.cells(CHANGES, crm.id), tables.cells(CHANGES, crm.value)
    texts, known, _ = stripped(id_cells)
    ids = whole(texts).objects()
    moments = tables.days(CHANGES, crm.at)
    stages, stage_found = _stages(crm, value_cells)
    stage_found += _never_met(tables, crm, value_cells, stages)
    strange = ~pd.Index(ids, dtype=object).isin(rows[RECORDS].ids) if rows else np.zeros(len(ids), dtype=bool)
    aside = [
        ("no id", ~known, value_cells),
        ("another field", ~_of_field(tables, crm) & ~_of_values(tables, crm), value_cells),
        ("a value that is no stage", (stages == NO_STAGE) & _of_field(tables, crm), value_cells),
        ("no date", np.isnat(moments.values), id_cells),
        ("no record of that id", strange, id_cells),
    ]
    kept = ~np.logical_or.reduce([rows for _, rows, _ in aside]) & _of_field(tables, crm)
    read = Findings(lines=tables.tables[CHANGES].report(id_cells.file))
    found = read + _set_aside(aside)
    found += Findings(lines=(ImportLine(id_cells.file, "rows kept", int(kept.sum())),))
    found += moments.found + stage_found
    of_stage = ~np.logical_or.reduce([rows for _, rows, _ in aside[:2]])
    values = value_cells.coded.objects()[of_stage]
    found += _snapshots(id_cells.file, ids[of_stage], moments.values[of_stage], values)
    return _Log(ids[kept], stages[kept], moments.values[kept], found)


def _stages(crm: HistoryCrm, cells: Cells) -> tuple[np.ndarray, Findings]:
    """The stage number each change leads to: LOST for a loss, NO_STAGE where its value means neither."""
    stage_numbers = {stage: number for number, stage in enumerate(crm.stages)}
    exact = {label: stage_numbers[stage] for stage, each in crm_labels(crm).items() for label in each}
    exact |= dict.fromkeys(crm.lost or (), LOST)
    loose = {plain(label): number for label, number in exact.items()}
    texts = cells.coded
    meant = [loose.get(plain(text), NO_STAGE) for text in texts.different]
    loosely = [
        number != NO_STAGE and text.strip() not in exact for number, text in zip(meant, texts.different, strict=True)
    ]
    inexact = np.flatnonzero(texts.of_rows(np.array(loosely, dtype=bool)))
    example = shown(texts[int(inexact[0])]) if len(inexact) else ""
    part = f"{cells.file}, {shown(cells.column)}"
    found = counted(part, "values matched despite case or spacing", len(inexact), example)
    return texts.of_rows(np.array(meant, dtype=STAGE)), found


def _never_met(tables: Tables, crm: HistoryCrm, cells: Cells, numbers: np.ndarray) -> Findings:
    """Faults of stages that records passed unseen, because no row has their label; or none, but one nearly like it.

    A log may begin after the first stage, and nothing may have come as far as the last ones yet.
    """
    furthest, labelled = int(numbers.max(initial=LOST)), crm_labels(crm)
    faults: list[Fault] = []
    unmet = [number for number, stage in enumerate(crm.stages) if stage in labelled and not (numbers == number).any()]
    if not unmet:
        return Findings()
    texts = map(str.strip, cells.coded.objects()[_of_field(tables, crm)].tolist())
    strange = [text for text, _ in Counter(texts).most_common() if text]
    for number, stage in enumerate(crm.stages):
        if number not in unmet:
            continue
        hint = did_you_mean(labelled[stage][0], strange)
        if 0 < number < furthest or "did you mean" in hint:
            faults.append(
                Fault(
                    tables.source.place(("stages", stage)), f"no row is {shown(' or '.join(labelled[stage]))!r}{hint}"
                )
            )
    return Findings(tuple(faults))


def _of_values(tables: Tables, crm: HistoryCrm) -> np.ndarray:
    """The rows that are read as changes of another value than the stage, though not of the stage's field."""
    labels = {plain(label) for place in (crm.changes or {}).values() for label in place.is_ or ()}
    every = any(place.column for place in (crm.changes or {}).values())
    size = len(tables.tables[CHANGES].lines)
    if every or crm.field is None or not labels:
        return np.full(size, every)
    return labelled(tables.cells(CHANGES, crm.field), labels)


def _value_changes(
    tables: Tables, crm: HistoryCrm, said: tuple[str, Changed], records: pd.Index
) -> tuple[Changes, Findings]:
    """How the log says that a value of the records changed, by record and moment."""
    name, place = said
    texts, known, _ = stripped(tables.cells(CHANGES, crm.id))
    record = records.get_indexer(pd.Index(whole(texts).objects(), dtype=object))
    at = tables.days(CHANGES, crm.at).values
    rows = known & (record >= 0) & ~np.isnat(at)
    if place.column is None:
        rows &= labelled(tables.cells(CHANGES, crm.field or ""), {plain(label) for label in place.is_ or ()})
    order = np.flatnonzero(rows)
    order = order[np.lexsort((at[order], record[order]))]
    after = _values_in(tables, place.column or crm.value, name, order)
    found = after.found + counted(tables.tables[CHANGES].name, f"rows read as changes of {name}", len(order))
    if place.column is None and crm.field and not len(order):
        labels, hint = shown(" or ".join(place.is_ or ())), did_you_mean((place.is_ or ("",))[0], _fields(tables, crm))
        found += Findings((Fault(tables.source.place(("changes", name)), f"no row is of {labels}{hint}"),))
    before = None
    if place.old is not None:
        former = _values_in(tables, place.old, name, order)
        before, found = former.values, found + former.found
    return Changes(record[order].astype(NUMBER), at[order], after.values, before), found


def _fields(tables: Tables, crm: HistoryCrm) -> list[str]:
    """What the log's column with the field that changed holds, the most frequent first."""
    texts = map(str.strip, tables.cells(CHANGES, crm.field or "").coded.objects().tolist())
    return [text for text, _ in Counter(texts).most_common() if text]


def _values_in(tables: Tables, column: str, name: str, rows: np.ndarray) -> Parsed:
    """The amounts or days that some rows of the log's column hold."""
    cells = tables.cells(CHANGES, column)
    texts = cells.coded.objects()[rows].tolist()
    some = Cells(cells.file, column, texts, [cells.lines[row] for row in rows.tolist()], cells.unit)
    return tables.days_of(CHANGES, some) if name == "close_on" else tables.amounts_of(CHANGES, some)


def _of_field(tables: Tables, crm: HistoryCrm) -> np.ndarray:
    if crm.field is None:
        return np.ones(len(tables.tables[CHANGES].lines), dtype=bool)
    wanted = {plain(label) for label in crm.is_ or ()}
    return labelled(tables.cells(CHANGES, crm.field), wanted)


def _set_aside(aside: list[tuple[str, np.ndarray, Cells]]) -> Findings:
    """How many rows are set aside for each reason that no earlier one holds for, with common examples."""
    done = np.zeros_like(aside[0][1])
    found = Findings()
    for why, rows, cells in aside:
        values = Counter(cells.texts[row] for row in np.flatnonzero(rows & ~done).tolist()).most_common(3)
        example = ", ".join(f"{shown(value)!r} {count:,}" for value, count in values)
        found += counted(cells.file, f"set aside: {why}", (rows & ~done).sum(), example)
        done |= rows
    return found


def _snapshots(part: str, ids: np.ndarray, at: np.ndarray, values: Sequence[str] | np.ndarray) -> Findings:
    """A log with a row for every record and period, most of which change nothing: snapshots, not changes."""
    numbers = {"id": pd.factorize(ids)[0], "value": pd.factorize(np.array(values, dtype=object))[0]}
    rows = pd.DataFrame({**numbers, "day": at.astype("datetime64[D]")})
    rows = rows[rows["day"].notna()].sort_values(["id", "day"], kind="stable")
    again = rows["id"].eq(rows["id"].shift())
    same = again & rows["value"].eq(rows["value"].shift())
    periods, records = rows["day"].nunique(), rows["id"].nunique()
    if (
        len(rows) < FEW_ROWS
        or periods < 3
        or same.sum() <= MOST_ALIKE * again.sum()
        or len(rows) <= MOST_ALIKE * periods * records
    ):
        return Findings()
    what = "rows that change nothing: these are snapshots, one per record and period; a stage counts from its first"
    return counted(part, what, same.sum(), f"{records:,} records on {periods:,} days")
