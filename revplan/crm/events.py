"""Stage events as the CRM wrote them: which record entered which stage, or was lost, and when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from revplan.crm.cells import Cells, Findings, ImportLine, Parsed, counted, stripped
from revplan.crm.file import CrmSource, did_you_mean
from revplan.crm.files import (
    CHANGES,
    SHORT,
    JoinedRows,
    Rows,
    Tables,
    alike,
    as_keys,
    in_log,
    joined_rows,
    other_than,
    per_record,
    usable_rows,
    why_few,
)
from revplan.crm.mapping import (
    RECORDS,
    Changed,
    Entered,
    HistoryCrm,
    KeyPath,
    WideCrm,
    crm_labels,
    file_of,
    looks_closed,
    meanings_of,
    plain,
)
from revplan.crm.mapping import column_of as column_in
from revplan.ground.calendar import days_of
from revplan.ground.errors import Fault, shown
from revplan.ground.yamlfile import dotted, flow

LOST = -1  # the stage number of a loss
NO_STAGE = -2  # the stage number of a change that leads to no stage
NEVER = np.datetime64("NaT", "us")
FEW_ROWS = 20  # of a log: fewer do not show whether it is one of snapshots
MOST_ALIKE = 0.5
ALIKE = 0.95  # of the records that have a day and of those that name a deal: then the day is the deal's
LISTED = 6  # labels shown in a message


@dataclass(frozen=True, eq=False)
class Events:
    """Parallel arrays, an event each: record number, stage number (or LOST) and moment."""

    record: np.ndarray
    stage: np.ndarray
    at: np.ndarray

    def where(self, mask: np.ndarray) -> Events:
        """The events `mask` keeps."""
        if mask.all():
            return self
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
        filled = np.flatnonzero(self.at < day + np.timedelta64(1, "D"))
        values[self.record[filled]] = self.after[filled]  # in the order of time: the last one stays
        assumed[self.record[filled]] = False
        return values, assumed


NUMBER, STAGE = np.int32, np.int8  # of a record, and of a stage
NO_EVENTS = Events(np.array([], dtype=NUMBER), np.array([], dtype=STAGE), np.array([], dtype="datetime64[us]"))


@dataclass(frozen=True, eq=False)
class RawRecords:
    """Records and their events, before anything is repaired."""

    records: pd.Index
    events: Events
    rows: dict[str, Rows]
    """File -> its usable rows, for the files a record's labels and amounts can stand in."""
    found: Findings
    logged: bool
    """Whether the events are a log: there a stage entered after a loss means the record was reopened."""
    label_of: np.ndarray
    """By record: the number of the record whose labels it has, its own or that of the one it came of; -1 for none."""
    enters: np.ndarray
    """By record: the number of the stage above which it has no stage; 0 but for deals that no lead became."""
    undated: np.ndarray
    """By record: the number of the stage, or LOST, it closed in on a day nobody wrote down; NO_STAGE for all others."""
    money_of: np.ndarray | None = None
    """By record: the number of the record whose money it has, -1 for none; left out where each has its own."""
    changes: dict[str, Changes] = field(default_factory=dict)
    """`amount` and `close_on` -> how a log says they changed."""

    @property
    def main(self) -> str:
        """The file whose rows say which records there are; the first of `rows`."""
        return next(iter(self.rows), "")


def read_events(tables: Tables) -> RawRecords:
    """The records and events of the CRM's files, with the faults of all columns."""
    crm = tables.source.crm
    return _of_changes(tables, crm) if isinstance(crm, HistoryCrm) else _of_columns(tables, crm)


# --- format: wide -------------------------------------------------------------------------------------------


def _of_columns(tables: Tables, crm: WideCrm) -> RawRecords:
    stages = list(crm.stages.values())
    first = file_of(stages[0].at or "")
    main = usable_rows(tables, first)
    opening = moments_in(tables, first, stages[0])
    arrived = opening.values[main.positions]
    others = [file for file in crm.files if file not in (first, *crm.lists())]
    joined: dict[str, JoinedRows] = {}
    for file in others:
        taken = len(main.ids) + sum(len(each.own) for each in joined.values())
        joined[file] = joined_rows(tables, file, first, main, arrived, taken)
    own = [each for each in joined.values() if len(each.own)]
    records = main.ids if not own else pd.Index(np.concatenate([main.ids, *(each.own for each in own)]), dtype=object)
    enters = [
        np.full(len(each.own), next(n for n, stage in enumerate(stages) if file_of(stage.at or "") == file))
        for file, each in joined.items()
        if len(each.own)
    ]
    raw = RawRecords(
        records=records,
        events=NO_EVENTS,
        rows={first: main, **{file: each.rows for file, each in joined.items()}},
        found=sum((each.found for each in (main, *(each.rows for each in joined.values()))), Findings()),
        logged=False,
        label_of=np.concatenate([np.arange(len(main.ids)), *(each.of for each in own)]),
        enters=np.concatenate([np.zeros(len(main.ids), dtype=int), *enters]),
        undated=np.full(len(records), NO_STAGE, dtype=STAGE),
    )
    for number, entered in enumerate(stages):
        at_file = file_of(entered.at or "")
        days = opening if number == 0 else moments_in(tables, at_file, entered)
        if at_file == first and number:
            days = _without_sharers(days, main, joined.values(), stage=crm.stage_ids()[number])
        raw = _with_column(raw, at_file, number, days, closes=number == len(stages) - 1)
    raw = replace(raw, found=raw.found + _columns_checked(tables, crm, raw.rows))
    if crm.lost is not None:
        at_file = file_of(crm.lost.at or crm.lost.column or "")
        raw = _with_column(raw, at_file, LOST, moments_in(tables, at_file, crm.lost), closes=True)
    return _as_written(raw, tables)


def _as_written(raw: RawRecords, tables: Tables) -> RawRecords:
    """`raw` with the records called by their whole ids, where those of Salesforce are compared by 15 characters."""
    if not tables.has_ids(raw.main) or SHORT not in set(map(len, raw.rows[raw.main].ids)):
        return raw
    main, column = raw.rows[raw.main], tables.entry(raw.main).id or ""
    written = tables.frame(raw.main, [column], main.positions)[column]
    whole = {key: text for key, text in zip(main.ids, written, strict=True) if len(key) == SHORT < len(text)}
    return replace(raw, records=pd.Index([whole.get(each, each) for each in raw.records], dtype=object))


def _columns_checked(tables: Tables, crm: WideCrm, rows: dict[str, Rows]) -> Findings:
    """Faults of labels in the columns that say whether a record is won or lost."""
    meant: dict[str, dict[KeyPath, tuple[str, ...]]] = {}
    for key, day in crm.days().items():
        for column, labels in day.conditions().items():
            if not {plain(label) for label in labels} <= {"true", "false"}:
                meant.setdefault(column, {})[key] = labels
    found = Findings()
    last = ("stages", crm.stage_ids()[-1])
    for column, keys in meant.items():
        if not {last, ("lost",)} & keys.keys():
            continue
        counts = _labels_of(tables.cells(column), rows[file_of(column)].positions)
        day = crm.lost or crm.stages[last[1]]
        filled = day.conditions().get(column, ()) if crm.lost else ()
        at = {"at": day.at, "field": column} if day.at else {"column": column}
        lost = f"lost: {flow({**at, 'is': [*filled, *NAMED]})}, or leave them out: except: {flow({column: [*NAMED]})}"
        found += _label_faults(tables.source, keys, counts, set(), lost)
    return found


@dataclass(frozen=True, eq=False)
class _StageDays:
    """The moments of a stage by row of its file, and the rows that are in it on a day nobody wrote down."""

    values: np.ndarray
    undated: np.ndarray
    found: Findings


def _without_sharers(days: _StageDays, main: Rows, joined: Iterable[JoinedRows], stage: str) -> _StageDays:
    """`days` without those of records whose deal is an earlier one's, where the stage is the day the deal was made.

    It is where the records that have a day are those that name a deal.
    """
    dated = ~np.isnat(days.values[main.positions])
    values, found = days.values, days.found
    for each in joined:
        named = np.zeros(len(dated), dtype=bool)
        named[each.naming] = True
        both = (dated & named).sum()
        if len(each.sharing) and both >= ALIKE * dated.sum() and both >= ALIKE * named.sum():
            places = main.positions[each.sharing]
            what = "entered with the deal of an earlier record, which counts once"
            found += counted(stage, what, (~np.isnat(values[places])).sum())
            values = values.copy()
            values[places] = NEVER
    return replace(days, values=values, found=found)


def _with_column(raw: RawRecords, file: str, stage: int, days: _StageDays, closes: bool) -> RawRecords:
    """`raw` with the events whose moments stand in a column."""
    at = per_record(days.values, raw.rows[file], len(raw.records), NEVER)
    record = np.flatnonzero(~np.isnat(at))
    events = Events(record.astype(NUMBER), np.full(len(record), stage, dtype=STAGE), at[record])
    undated = raw.undated
    if closes and days.undated.any():
        those = per_record(days.undated, raw.rows[file], len(raw.records), False)
        undated = np.where(those, np.int8(stage), undated)
    return replace(raw, events=raw.events + events, found=raw.found + days.found, undated=undated)


def moments_in(tables: Tables, file: str, entered: Entered) -> _StageDays:
    """The moments of a column, for the rows whose field is one of the labels."""
    size = len(tables.tables[file].lines)
    parsed = tables.days(entered.at) if entered.at else Parsed(np.full(size, NEVER), Findings())
    if not entered.conditions():
        return _StageDays(parsed.values, np.zeros(size, dtype=bool), parsed.found)
    chosen = np.ones(size, dtype=bool)
    for column, names in entered.conditions().items():
        chosen &= tables.is_one_of(column, names)
    dateless = chosen & np.isnat(parsed.values)
    columns = " and ".join(shown(column_in(column)) for column in entered.conditions())
    met = {column: tables.labels_met(column, names) for column, names in entered.conditions().items()}
    labels = " and ".join(shown(" or ".join(names)) for names in met.values())
    part = f"{tables.tables[file].name}, {columns}"
    what = f"rows that are {labels} without a day"
    found = parsed.found + counted(part, what, (dateless & ~_unread(parsed)).sum())
    return _StageDays(np.where(chosen, parsed.values, NEVER), dateless, found)


# --- format: history ----------------------------------------------------------------------------------------


def _of_changes(tables: Tables, crm: HistoryCrm) -> RawRecords:
    rows = {RECORDS: usable_rows(tables, RECORDS)} if crm.records else {}
    records, log, found = _log(tables, crm, rows)
    if not rows:
        staged = pd.unique(log.record[~np.isnat(log.at) & (log.stage != NO_STAGE)])
        place = np.full(len(records), -1)
        place[staged] = np.arange(len(staged))
        records, log = records[staged], replace(log, record=place[log.record])
        log = log.where(log.record >= 0)
    happened = replace(log, record=log.record.astype(NUMBER))
    closing = np.isnat(log.at) & ((log.stage == LOST) | (log.stage == len(crm.stages) - 1))
    undated = np.full(len(records), NO_STAGE, dtype=STAGE)
    undated[log.record[closing]] = log.stage[closing]
    changes = {name: _value_changes(tables, crm, (name, place), records) for name, place in (crm.changes or {}).items()}
    found = sum((each.found for each in rows.values()), Findings()) + found
    raw = RawRecords(
        records=records,
        events=happened.where(~np.isnat(log.at) & (log.stage != NO_STAGE)),
        rows=rows,
        found=found + sum((each for _, each in changes.values()), Findings()),
        logged=True,
        label_of=np.arange(len(records)),
        enters=np.zeros(len(records), dtype=int),
        undated=undated,
        changes={name: each for name, (each, _) in changes.items()},
    )
    for number, entered in enumerate(crm.stages.values()):
        if entered.at:
            days = moments_in(tables, file_of(entered.at), entered)
            raw = _with_column(raw, file_of(entered.at), number, days, closes=number == len(crm.stages) - 1)
    left = happened.where(~np.isnat(log.at) & (log.stage == NO_STAGE))
    raw = _as_written(raw, tables) if rows else raw
    return _with_attempts(raw, left, len(crm.stages) - 1, crm.attempts)


def _with_attempts(raw: RawRecords, left: Events, last: int, asked: bool) -> RawRecords:
    """`raw` with each attempt as a record of its own where that is `asked`, otherwise with a line on how many there are.

    A new one begins where a record that was lost, or won, enters a stage; or where one that `left` for a value that
    is no stage enters again where it was, or before.
    """
    events = raw.events + left
    events = events if asked else _of_those_that_go_on(events, last, len(raw.records))
    gone = (events.stage == LOST) | (events.stage == NO_STAGE)
    order = np.lexsort((np.where(gone, last + 1, events.stage), events.at, events.record))
    events, gone = events.where(order), gone[order]
    inside = np.flatnonzero(~gone)
    before, here = inside[:-1], inside[1:]
    lost, away = (np.concatenate([[0], np.cumsum(events.stage == kind)]) for kind in (LOST, NO_STAGE))
    was_lost, was_away = lost[here] > lost[before], away[here] > away[before]
    again = (events.record[here] == events.record[before]) & (
        was_lost
        | ((events.stage[before] == last) & (events.stage[here] < last))
        | (was_away & (events.stage[here] <= events.stage[before]))
    )
    if not again.any():
        return raw
    records = len(np.unique(events.record[here[again]]))
    if not asked:
        what = "records that left and entered again, counted as one; attempts: true counts each attempt"
        example = shown(raw.records[int(events.record[here[again][0]])])
        return replace(raw, found=raw.found + counted("records", what, records, example))
    size, number = len(raw.records), events.record.astype(int)
    begins = np.zeros(len(number), dtype=int)
    begins[here[again]] = 1
    attempt = pd.Series(begins).groupby(number).cumsum().to_numpy()
    later = attempt > 0
    pairs, codes = np.unique(np.stack([number[later], attempt[later]], axis=1), axis=0, return_inverse=True)
    number[later] = size + codes.reshape(-1)
    ended = again & ~was_lost & was_away
    losses = Events(
        number[before[ended]].astype(NUMBER),
        np.full(int(ended.sum()), LOST, dtype=STAGE),
        events.at[before[ended] + 1],
    )
    numbered = Events(number.astype(NUMBER), events.stage, events.at).where(events.stage != NO_STAGE) + losses
    names = other_than(raw.records, [f"{raw.records[of]} (attempt {count + 1})" for of, count in pairs.tolist()], "")
    label_of = np.concatenate([np.arange(size), pairs[:, 0]])
    won = np.zeros(len(label_of), dtype=bool)
    won[numbered.record[numbered.stage == last]] = True
    of_money = np.full(len(label_of), -1)
    paying = np.lexsort((np.arange(len(label_of)), won, label_of))  # the last won, else the last, of each record
    final = paying[np.append(label_of[paying][1:] != label_of[paying][:-1], True)]
    of_money[final] = label_of[final]
    undated = np.full(len(label_of), NO_STAGE, dtype=STAGE)
    newest = np.arange(size)
    np.maximum.at(newest, pairs[:, 0], np.arange(size, len(label_of)))
    undated[newest] = raw.undated
    found = raw.found + counted(
        "records", "further attempts, each a record of its own, as attempts asks", len(pairs), names[0]
    )
    return replace(
        raw,
        records=pd.Index([*raw.records, *names], dtype=object),
        events=numbered,
        label_of=label_of,
        enters=np.zeros(len(label_of), dtype=int),
        undated=undated,
        money_of=of_money,
        found=found,
    )


def _of_those_that_go_on(events: Events, last: int, records: int) -> Events:
    """The events of records that enter a stage after they were lost, won, or left: the few in which there is an order to look at."""
    moments = events.at.astype(np.int64)
    gone = events.stage < 0
    ends = gone | (events.stage == last)
    ended_at = np.full(records, np.iinfo(np.int64).max)
    np.minimum.at(ended_at, events.record[ends], moments[ends])
    goes_on = np.zeros(records, dtype=bool)
    goes_on[events.record[~gone & (moments > ended_at[events.record])]] = True
    return events.where(goes_on[events.record])


def _log(tables: Tables, crm: HistoryCrm, rows: dict[str, Rows]) -> tuple[pd.Index, Events, Findings]:
    """The ids of records, and their changes, those to no stage and those without a day among them; and what was found.

    The ids are those of the file with the records; without one, those of the log.
    """
    id_cells, value_cells = tables.cells(in_log(crm.id)), tables.cells(in_log(crm.value))
    coded = id_cells.coded.once()  # a record has several rows
    moments = tables.days(in_log(crm.at))
    is_stage = crm.field and tables.is_one_of(in_log(crm.field), crm.is_ or ())
    of_field = is_stage if isinstance(is_stage, np.ndarray) else np.ones(len(coded), dtype=bool)
    stages, stage_found = _stages(crm, value_cells)
    stage_found += values_checked(tables.source, crm, _labels_of(value_cells, np.flatnonzero(of_field)), stages)
    ids = rows[RECORDS].ids if rows else pd.Index([], dtype=object)
    number = np.full(
        len(coded.different), -1, dtype=NUMBER
    )  # of each text that of its record; higher ones of those that have none
    if rows and coded.shared:
        number[rows[RECORDS].positions] = np.arange(len(ids))
    others = np.flatnonzero(number < 0)
    texts, has_id, _ = stripped(replace(id_cells, texts=coded.named(others)))
    merged = tables.merged(RECORDS) if rows else {}
    keys = [merged.get(each, each) for each in as_keys(texts).different]
    own, different = pd.factorize(pd.Index(keys, dtype=object))
    sought, present = alike(different, ids) if len(others) == len(number) else (different, ids)
    place = present.get_indexer(sought)[own] if rows else own
    number[others] = np.where(place < 0, len(ids) + own, place)
    filled = np.ones(len(number), dtype=bool)
    filled[others] = has_id
    filled, numbers = coded.of_rows(filled), coded.of_rows(number)
    places = np.where(numbers < len(ids), numbers, -1) if rows else numbers
    if (places[filled & of_field] < 0).any():
        asked = pd.Index([*present, *sought], dtype=object)[pd.unique(numbers[filled & of_field])]
        stage_found += why_few(id_cells.file, asked, RECORDS, present)
    aside = [
        ("no id", ~filled, value_cells),
        ("another field", ~of_field & ~_of_values(tables, crm), value_cells),
        ("a value that is no stage", (stages == NO_STAGE) & of_field, value_cells),
        ("a day that cannot be read", _unread(moments), tables.cells(in_log(crm.at))),
        ("no date", np.isnat(moments.values), id_cells),
        ("no record of that id", places < 0, id_cells),
    ]
    kept, found = rows_set_aside(id_cells.file, aside)
    found = Findings(lines=tables.tables[CHANGES].report(id_cells.file)) + found
    found += Findings(lines=(ImportLine(id_cells.file, "rows kept", int((kept & of_field).sum())),))
    found += moments.found + stage_found
    of_stage = filled & of_field
    labels = value_cells.coded.different
    values = value_cells.coded.of_rows(pd.factorize(np.fromiter(labels, dtype=object, count=len(labels)))[0])
    found += _snapshots(id_cells.file, numbers[of_stage], moments.values[of_stage], values[of_stage])
    told = filled & of_field & (places >= 0)
    changes = Events(places, stages, moments.values).where(told)
    return (rows[RECORDS].ids if rows else different), changes, found


def _unread(parsed: Parsed) -> np.ndarray:
    """Which rows of a column cannot be read."""
    mask = np.zeros(len(parsed.values), dtype=bool)
    for each in parsed.found.unread:
        mask[each.rows] = True
    return mask


def _stages(crm: HistoryCrm, cells: Cells) -> tuple[np.ndarray, Findings]:
    """The stage number each change leads to: LOST for a loss, NO_STAGE where its value means neither."""
    exact, texts = _numbered(crm), cells.coded
    meant = stage_numbers(crm, texts.different)
    loosely = [
        number != NO_STAGE and text.strip() not in exact for number, text in zip(meant, texts.different, strict=True)
    ]
    inexact = np.flatnonzero(texts.of_rows(np.array(loosely, dtype=bool)))
    example = shown(texts[int(inexact[0])]) if len(inexact) else ""
    part = f"{cells.file}, {shown(cells.column)}"
    found = counted(part, "values matched despite case or spacing", len(inexact), example)
    return texts.of_rows(np.array(meant, dtype=STAGE)), found


def stage_numbers(crm: HistoryCrm, texts: Iterable[str]) -> list[int]:
    """The stage number each text leads to: LOST for a loss, NO_STAGE where it means neither."""
    loose = {plain(label): number for label, number in _numbered(crm).items()}
    return [loose.get(plain(text), NO_STAGE) for text in texts]


def _numbered(crm: HistoryCrm) -> dict[str, int]:
    numbers = {stage: number for number, stage in enumerate(crm.stages)}
    exact = {label: numbers[stage] for stage, each in crm_labels(crm).items() for label in each}
    return exact | dict.fromkeys(crm.lost or (), LOST)


def values_checked(source: CrmSource, crm: HistoryCrm, counts: Counter[str], numbers: np.ndarray) -> Findings:
    """Faults of labels no change has, of stages records passed unseen, and of values that look closed and stand for nothing.

    The values of the log's field are `counts`; its rows lead to the stages `numbers`.
    """
    labelled = crm_labels(crm)
    meant: dict[KeyPath, tuple[str, ...]] = {("stages", stage): labels for stage, labels in labelled.items()}
    meant |= {("lost",): crm.lost} if crm.lost else {}
    furthest = int(numbers.max(initial=LOST))
    passed: set[KeyPath] = {
        ("stages", stage)
        for number, stage in enumerate(crm.stages)
        if stage in labelled and 0 < number < furthest and not (numbers == number).any()
    }
    lost = f"lost: {flow([*(crm.lost or ()), *NAMED])}"
    return _label_faults(source, meant, counts, passed, lost)


def _labels_of(cells: Cells, rows: np.ndarray) -> Counter[str]:
    """How often each label stands in `rows`, the most frequent first."""
    texts = cells.coded
    counts: Counter[str] = Counter()
    some = texts if len(rows) == len(texts) else texts.taken(rows)
    for text, count in zip(some.different, some.rows().tolist(), strict=True):
        counts[text.strip()] += count
    return Counter({label: count for label, count in counts.most_common() if label})


NAMED = ("\0",)  # where the labels that look closed are to stand in a line to paste


def _label_faults(
    source: CrmSource, meant: dict[KeyPath, tuple[str, ...]], counts: Counter[str], passed: set[KeyPath], lost: str
) -> Findings:
    """Faults of labels that no row has, and of labels that look closed and stand for nothing.

    Of a stage the preset wrote all spellings are missing, or none. A label no row has is told only where every label
    there is stands for something: then it cannot be one of the others.
    """
    there = {plain(label): label for label in counts}
    mapped = set().union(*(meanings_of(label) for labels in meant.values() for label in labels))
    strange = [label for key, label in there.items() if key not in mapped]
    faults: list[Fault] = []
    found = Findings()
    for key, labels in meant.items():
        absent = [label for label in labels if not meanings_of(label) & there.keys()]
        in_words = any(looks_closed(label) for label in labels)  # and no ids out of a table of stages
        if key[0] not in source.document.data and (len(absent) < len(labels) or key == ("lost",) or not in_words):
            continue
        told = f"no row is {shown(' or '.join(absent))!r}"
        if absent and (strange or key in passed):
            hint = did_you_mean(absent[0], [*strange, *(each for each in counts if each not in strange)])
            listed = ", ".join(f"{shown(each)} {counts[each]:,}" for each in strange[:LISTED])
            more = f" (for nothing else stand {listed})" if "did you mean" in hint and listed else ""
            faults.append(Fault(source.place(key), f"{told}{hint}{more}"))
        elif absent and counts:
            found += counted(dotted(key), told, 1)
    closed = [label for label in strange if looks_closed(label)]
    if closed:
        listed = " and ".join(f"{shown(each)!r} {counts[each]:,}" for each in closed[:LISTED])
        line = lost.replace(flow(NAMED[0]), ", ".join(flow(each) for each in closed))
        place = source.place(("lost",) if ("lost",) in meant else next(reversed(meant)))
        faults.append(
            Fault(place, f"{listed} look closed and stand for nothing, so they would count as open; write {line}")
        )
    return found + Findings(tuple(faults))


def _of_values(tables: Tables, crm: HistoryCrm) -> np.ndarray:
    """The rows that are read as changes of another value than the stage, though not of the stage's field."""
    labels = [label for place in (crm.changes or {}).values() for label in place.is_ or ()]
    every = any(place.column for place in (crm.changes or {}).values())
    if every or crm.field is None or not labels:
        return np.full(len(tables.tables[CHANGES].lines), every)
    return tables.is_one_of(in_log(crm.field), labels)


def _value_changes(
    tables: Tables, crm: HistoryCrm, said: tuple[str, Changed], records: pd.Index
) -> tuple[Changes, Findings]:
    """How the log says that a value of the records changed, by record and moment."""
    name, place = said
    texts, filled, _ = stripped(tables.cells(in_log(crm.id)))
    record = records.get_indexer(pd.Index(as_keys(texts).objects(), dtype=object))
    at = tables.days(in_log(crm.at)).values
    rows = filled & (record >= 0) & ~np.isnat(at)
    if place.column is None:
        rows &= tables.is_one_of(in_log(crm.field or ""), place.is_ or ())
    order = np.flatnonzero(rows)
    order = order[np.lexsort((at[order], record[order]))]
    after = _values_in(tables, place.column or crm.value, name, order)
    found = after.found + counted(tables.tables[CHANGES].name, f"rows read as changes of {name}", len(order))
    if place.column is None and crm.field and not len(order):
        labels, fields = place.is_ or ("",), tables.cells(in_log(crm.field))
        hint = did_you_mean(labels[0], list(_labels_of(fields, np.arange(len(fields.texts)))))
        message = f"no row is of {shown(' or '.join(labels))}{hint}"
        found += Findings((Fault(tables.source.place(("changes", name)), message),))
    before = None
    if place.old is not None:
        former = _values_in(tables, place.old, name, order)
        before, found = former.values, found + former.found
    return Changes(record[order].astype(NUMBER), at[order], after.values, before), found


def _values_in(tables: Tables, column: str, name: str, rows: np.ndarray) -> Parsed:
    """The amounts or days that some rows of the log's column hold."""
    some = tables.cells(in_log(column)).taken(rows)
    return (tables.days if name == "close_on" else tables.amounts)(in_log(column), some)


def rows_set_aside(part: str, aside: Iterable[tuple[str, np.ndarray, Cells]]) -> tuple[np.ndarray, Findings]:
    """The rows that are kept; how many are not, for each reason that no earlier one holds for, with common examples."""
    done, found = np.zeros(0, dtype=bool), Findings()
    for why, rows, cells in aside:
        done = done if len(done) else np.zeros_like(rows)
        values = Counter(cells.texts[row] for row in np.flatnonzero(rows & ~done).tolist()).most_common(3)
        example = ", ".join(f"{shown(value)!r} {count:,}" for value, count in values)
        found += counted(part, f"set aside: {why}", (rows & ~done).sum(), example)
        done |= rows
    return ~done, found


def _snapshots(part: str, numbers: np.ndarray, at: np.ndarray, values: np.ndarray) -> Findings:
    """A log with a row for every record and period, most of which change nothing: snapshots, not changes.

    `numbers` are those of the records, and `values` those of the values.
    """
    if (undated := np.isnat(at)).any():
        numbers, at, values = (each[~undated] for each in (numbers, at, values))
    if len(at) < FEW_ROWS:
        return Findings()
    days = days_of(at).astype(np.int64)
    periods = int((np.bincount(days - days.min()) > 0).sum())
    seen = np.zeros(int(numbers.max()) + 1, dtype=bool)
    seen[numbers] = True
    records = int(seen.sum())
    if periods < 3 or len(at) <= MOST_ALIKE * periods * records:
        return Findings()
    order = np.lexsort((days, numbers))
    again = np.diff(numbers[order]) == 0
    same = again & (np.diff(values[order]) == 0)
    if same.sum() <= MOST_ALIKE * again.sum():
        return Findings()
    what = "rows that change nothing: these are snapshots, one per record and period; a stage counts from its first"
    return counted(part, what, same.sum(), f"{records:,} records on {periods:,} days")
