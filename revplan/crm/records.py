"""Records and their stage history out of a CRM export, with a report of everything found on the way."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from hashlib import sha256
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from revplan.crm import quality
from revplan.crm.cells import Findings, ImportLine, Unread, counted
from revplan.crm.details import Details, Touched, read_details, read_touches
from revplan.crm.events import LOST, NO_STAGE, NUMBER, STAGE, RawRecords, read_events
from revplan.crm.file import CrmSource, read_crm_file
from revplan.crm.files import Tables, read_tables
from revplan.crm.mapping import LABELS, MONEY, ORIGINS, CrmFile, HistoryCrm
from revplan.crm.moments import (
    Moments,
    Rules,
    first_moments,
    last_entries,
    repaired,
    up_to,
    without_reopened,
    without_undone_wins,
)
from revplan.crm.today import (
    AFTER_TODAY,
    MISSED,
    Times,
    a_year_off,
    future,
    holes,
    last_moment,
    last_usual_day,
    records_missing,
    silent_stages,
)
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.escaping import spreadsheet
from revplan.ground.files import told_of
from revplan.ground.formats import show
from revplan.ground.tables import conform
from revplan.ground.written import written

STALE_DAYS = 31  # without any date at the end: whatever is counted or estimated is too low
NO_LONGER = "no new record since"  # begins what is said where records stop coming in
TELLING = (  # what changes how figures are read, among the lines of the report
    "won and later lost",
    "closed, day unknown",
    "attempts: true counts",
    "cannot be read",
    "ids of which",
    "whose day is that in UTC",
    "numbers read as days",
    "decimal comma",
    "not written as date_format says",
    "no text in",
    "NUL characters",
    "set aside: bad value",
    "of one id differ",
    "hardly recorded before",
    "recorded only from",
    "may pose as the day",
    "not history",
    "these are snapshots",
)
IN_WORDS = {  # what is told in a sentence: what the CRM file asks for, which readers of a report have not seen
    "converted, as rates asks": "{count:,} amounts were converted at the rates given in the CRM file: {example}.",
    "renamed, as names asks": "The CRM file gives {count:,} records another {part} than the CRM does: {example}.",
    "that names leaves out": "{count:,} records are left out, as the CRM file asks by their names: {example}.",
    quality.BELOW_ZERO: "Wins with an amount below 0: {count:,}, {example}; sums of what is won fall by that, only amounts "
    "above 0 tell the size of a deal, and each counts as a win in the rates.",
}
SILENT_DAYS = 7  # without any date at the end: the export may be older than the as-of day


@dataclass(frozen=True, eq=False)
class History:
    """What a CRM knew at the end of a day: stages entered, records, and how they were read."""

    stages: tuple[str, ...]
    stage_history: pd.DataFrame
    records: pd.DataFrame
    report: tuple[ImportLine, ...]
    as_of: date
    fingerprint: str
    """sha256 of the CRM file and the files it names."""
    currency: str = ""
    """Code or sign of the currency of the amounts; empty where nothing says it."""

    @property
    def number(self) -> int:
        """Records known."""
        return len(self.records)

    @property
    def began(self) -> date:
        """The first day on which a record entered a stage."""
        first: pd.Timestamp = self.stage_history["entered_on"].min()
        return first.date()

    @cached_property
    def numbers(self) -> np.ndarray:
        """By row of the stage history the number of its record, counted as they come."""
        record = _codes(self.stage_history["record"])
        step = np.diff(record, prepend=record[:1])
        return np.cumsum(step > 0, dtype=NUMBER) if (step >= 0).all() else pd.factorize(record)[0]

    @cached_property
    def arrivals(self) -> pd.DataFrame:
        """The first row of each record in the stage history."""
        return self.stage_history.iloc[np.flatnonzero(np.diff(np.maximum.accumulate(self.numbers), prepend=-1))]

    @cached_property
    def places(self) -> np.ndarray:
        """By number of a record its row in the table records; -1 where it has none."""
        if len(self.records) == 0:
            return np.full(len(self.arrivals), -1)
        own, named = self.arrivals["record"], self.records["record"]
        if own.dtype != named.dtype or not isinstance(named.array, pd.Categorical):
            return pd.Index(named).get_indexer(pd.Index(own))
        place = np.full(len(named.array.categories), -1)
        place[_codes(named)] = np.arange(len(named))
        return place[_codes(own)]

    found: tuple[str, ...] = ()
    """What is wrong with the days, a sentence each: dates after today, holes, stages that fell silent, wrong years."""

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What changes how everything counted of these records is to be read, a sentence each, the gravest first."""
        ends = stale(self) or silence(self)
        return (*self.first, *((ends,) if ends else ()), *self.found[len(self.first) :])

    @property
    def first(self) -> tuple[str, ...]:
        """What stands before everything else: that dates lie after today."""
        return tuple(line for line in self.found if AFTER_TODAY in line)

    @cached_property
    def reading(self) -> tuple[str, ...]:
        """How the files were read where another reading would give other figures, a sentence each."""
        return telling(self.report)


def _codes(records: pd.Series) -> np.ndarray:
    """The numbers of some records: equal ones where they are the same."""
    return np.asarray(records.array.codes if isinstance(records.array, pd.Categorical) else pd.factorize(records)[0])


ODD_FORM = "look for days, amounts or labels of an odd form in the files it names"


def telling(report: tuple[ImportLine, ...]) -> tuple[str, ...]:
    """The lines of a report that change how figures are read, a sentence each."""
    told = []
    for line in report:
        asked = [sentence for word, sentence in IN_WORDS.items() if word in line.what]
        told += [sentence.format(count=line.count, part=line.part, example=line.example) for sentence in asked]
        told += [f"{line}."] if any(word in line.what for word in TELLING) else []
    return tuple(told)


def read_records(crm_path: str | Path, as_of: date | None = None, today: date | None = None) -> History:
    """The history in the files the CRM file at `crm_path` names, as known at the end of `as_of`.

    Without `as_of` it is the last day the records know of, or the last on which records still came in. Amounts and labels carry no day of
    their own: they are those of the export.

    Raises
    ------
    DataError
        If a file is at fault (each fault with its line), or no record can be used.
    """
    return read_export(crm_path, today=today).on(as_of)


@dataclass(frozen=True, eq=False)
class Export:
    """The files of a CRM, read once: what they knew on any day is a view of them."""

    source: CrmSource
    raw: RawRecords
    details: Details
    fingerprint: str
    """sha256 of the CRM file and the files it names."""
    today: date
    """The day on which they were read: no date after it counts."""
    unread: tuple[Unread, ...] = ()
    """The cells that cannot be read and were set aside with their records."""
    touches: Touched | None = None
    """How often and when somebody reached out to the records; None where the CRM file names no file of it."""

    @cached_property
    def last_day(self) -> date:
        """The last day they know of, or the last on which records still came in."""
        return last_usual_day(self.raw.events, len(self.source.crm.stage_ids()), self.last_moment)

    @cached_property
    def last_moment(self) -> np.datetime64:
        """The last moment they know of."""
        return last_moment(self.raw.events, self.today)

    def on(self, as_of: date | None = None) -> History:
        """The history as known at the end of `as_of`, or of the last day it knows of.

        Raises
        ------
        DataError
            If no record can be used.
        """
        with told_of(DataError, shown(self.source.path.name), ODD_FORM):
            return self._on(as_of)

    def _on(self, as_of: date | None) -> History:
        source, raw, details = self.source, self.raw, self.details
        day = as_of or self.last_day
        stages = source.crm.stage_ids()
        as_written, moments = _moments(raw, day, source.crm, self.labels["source"])
        if not moments.used.any():
            first = raw.events.at.min().astype("datetime64[D]").item()
            later = f", the first did on {first}: ask of a later day, or plan from one" if first > day else ""
            raise nothing_usable(source, raw.found, f"no record has entered a stage by {day}{later}")
        found = (
            source.found
            + raw.found
            + details.found
            + moments.found
            + _quality(raw, as_written, moments, day, stages)
            + _money_quality(raw, moments, details)
            + _kept(raw, moments, day, details.left_out, self.last_moment)
        )
        if as_of is None:
            found += _no_longer_coming(raw, day, self.last_moment)
        records = self._records(moments)
        return History(
            stages=stages,
            stage_history=_stage_history(records, moments, stages),
            records=records,
            report=tuple(dict.fromkeys(found.lines)),
            as_of=day,
            fingerprint=self.fingerprint,
            currency=details.currency,
            found=tuple(self._told_of_days(as_written, moments, day)),
        )

    @cached_property
    def labels(self) -> dict[str, pd.Categorical]:
        """Segment, source and what else is a text, by record: numbers of the few different ones there are."""
        columns = self.details.columns
        found = {key: columns[key].remove_unused_categories() for key in (*ORIGINS, *LABELS) if key in columns}
        return {key: each.reorder_categories(sorted(each.categories)) for key, each in found.items()}

    def _records(self, moments: Moments) -> pd.DataFrame:
        """Table records: those that have entered a stage."""
        raw, columns, used = self.raw, self.details.columns, np.flatnonzero(moments.used)
        ids = pd.Categorical.from_codes(used.astype(NUMBER), dtype=pd.CategoricalDtype(raw.records), validate=False)
        numbers = {"amount": np.full(len(raw.records), np.nan)} | {key: columns[key] for key in MONEY if key in columns}
        frame = pd.DataFrame(
            {
                "record": ids,
                **{key: _those(each, used) for key, each in self.labels.items()},
                **{key: values[used] for key, values in numbers.items()},
                "lost_on": moments.lost[used],
            }
        )
        undated = _closed_undated(raw, moments)[used]
        if (undated != NO_STAGE).any():
            frame["undated"] = np.where(undated == NO_STAGE, "", np.where(undated == LOST, "lost", "won"))
        return conform(frame, "records")

    def _told_of_days(self, written: Moments, moments: Moments, day: date) -> Iterator[str]:
        """What is wrong with the days, a sentence each; dates after today first."""
        raw, stages = self.raw, self.source.crm.stage_ids()
        yield from future(raw.events, (*stages, "lost"), raw.records, self.today)
        first = np.fmin.reduce(moments.entered, axis=1)
        once = np.ones(len(written.entered), dtype=int)
        yield from holes(first[moments.used], once[moments.used])
        yield from silent_stages(written.entered, stages, day, once)
        yield from a_year_off(written.days, stages, raw.records, once)

    def values_on(self, name: str, day: date) -> tuple[np.ndarray, np.ndarray]:
        """`amount` or `close_on` of every record at the end of `day`, and for which of them that is an assumption.

        Where no log says how it changed, it is that of the export.
        """
        now = self.details.columns[name]
        changes = self.raw.changes.get(name)
        if changes is None:
            return now, np.zeros(len(now), dtype=bool)
        return changes.on(np.datetime64(day), now)


def read_export(crm_path: str | Path, cells_to: Path | None = None, today: date | None = None) -> Export:
    """The files the CRM file at `crm_path` names, read on the day `today`, which is the clock's if left out; the cells
    that cannot be read are written to `cells_to`, if given.

    Raises
    ------
    DataError
        If a file is at fault (each fault with its line), or no row has a day.
    """
    name = shown(Path(crm_path).name)
    with told_of(DataError, name, ODD_FORM):
        return _read_export(Path(crm_path), cells_to, today)


def _read_export(crm_path: Path, cells_to: Path | None = None, today: date | None = None) -> Export:
    tables = read_tables(read_crm_file(crm_path))
    raw = read_events(tables)
    details = read_details(tables, raw)
    touched, told = read_touches(tables, raw.records)
    details = replace(details, found=details.found + told)
    unread = raw.found.unread + details.found.unread
    if cells_to is not None:
        write_unread(unread, cells_to)
    aside = {fault for each in unread for fault in each.faults if tables.source.crm.bad_values == "set_aside"}
    if faults := [fault for fault in dict.fromkeys(raw.found.faults + details.found.faults) if fault not in aside]:
        raise DataError(faults)
    details = _without_unread(details, raw, unread)
    if details.left_out.any():
        raw = replace(raw, events=raw.events.where(~details.left_out[raw.events.record]))
    if "amount" in raw.changes:
        raw = replace(raw, changes={**raw.changes, "amount": raw.changes["amount"].times(details.factors)})
    if len(raw.events.at) == 0:
        raise nothing_usable(tables.source, raw.found, NO_DAY_AT_ALL)
    return Export(tables.source, raw, details, _fingerprint(tables), today or date.today(), unread, touched)


UNREAD = ("file", "line", "column", "value", "fault")


def write_unread(unread: tuple[Unread, ...], path: Path) -> None:
    """Writes the cells that cannot be read to a CSV file, a row each; none of them a formula for a spreadsheet."""
    rows = dict.fromkeys(row for each in unread for row in each.table())
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(UNREAD)
    writer.writerows([spreadsheet(str(cell)) for cell in row] for row in rows)
    written(path, text.getvalue())


def _without_unread(details: Details, raw: RawRecords, unread: tuple[Unread, ...]) -> Details:
    """`details` without the records that have a cell that cannot be read; they are counted."""
    out = np.zeros(len(raw.records), dtype=bool)
    example = ""
    for each in (each for each in unread if each.file in raw.rows):
        rows = raw.rows[each.file]
        out[rows.numbers[np.isin(rows.positions, each.rows)]] = True
        out[rows.numbers[rows.first[np.isin(rows.further, each.rows)]]] = True
        example = example or f"{each.cells.place(int(each.rows[0]))}: {shown(each.cells.texts[int(each.rows[0])])}"
    found = counted("records", "set aside: a cell of theirs cannot be read", (out & ~details.left_out).sum(), example)
    return replace(details, found=details.found + found, left_out=details.left_out | out)


def last_recorded(history: History) -> date:
    """The last day on which a record entered a stage or was lost."""
    days = history.stage_history["entered_on"].max(), *history.records.filter(["lost_on"]).max()
    last: pd.Timestamp = max(day for day in days if pd.notna(day))
    return last.date()


def stale(history: History) -> str:
    """That the records end long before their as-of day, in one sentence; empty where they do not."""
    return stale_since(last_recorded(history), history.as_of)


def stale_since(last: date, as_of: date) -> str:
    """The same of records whose last day is `last`."""
    silent = (as_of - last).days
    if silent <= STALE_DAYS:
        return ""
    return f"{ending(last, as_of)}, and all that follows is too low."


def ending(last: date, as_of: date) -> str:
    """How long before a day the records end, as the begin of a sentence."""
    silent = (as_of - last).days
    return f"The records end on {show(last, 'date')}, {silent:,} days before {show(as_of, 'date')}: what came later is not in them"


def nothing_usable(source: CrmSource, found: Findings, why: str) -> DataError:
    """The fault of files in which no record can be used."""
    lines = "; ".join(str(line) for line in found.lines)
    return DataError([Fault(source.path.name, f"{why}; check its stages ({lines})")])


def _fingerprint(tables: Tables) -> str:
    digests = [sha256(tables.source.path.read_bytes()).hexdigest(), *(table.digest for table in tables.tables.values())]
    return sha256("\n".join(digests).encode()).hexdigest()


def _moments(raw: RawRecords, as_of: date, crm: CrmFile, sources: pd.Categorical) -> tuple[Moments, Moments]:
    """When each record entered each stage, as far as known on `as_of`: as written, and repaired."""
    stages = crm.stage_ids()
    events, found = up_to(raw.events, as_of, stages)
    if raw.logged:
        events, reopened = without_reopened(events, len(raw.records))
        found += reopened
    if crm.outcome == "last":
        events, undone = without_undone_wins(events, len(raw.records), len(stages) - 1, raw.logged)
        found += undone
    again = isinstance(crm, HistoryCrm) and crm.regressions == "last"
    if again:
        events, passed = last_entries(events, len(raw.records), len(stages))
        found += passed
    written = first_moments(events, len(raw.records), len(stages), found)
    rules = Rules(stages, anchored=("stages", stages[0]) in crm.days())
    return written, repaired(written, rules, sources, raw.enters)


def _quality(raw: RawRecords, written: Moments, moments: Moments, as_of: date, stages: tuple[str, ...]) -> Findings:
    return (
        quality.closed_before_created(written, stages, raw.records)
        + quality.one_instant(written, stages)
        + quality.late_outcomes(moments, stages, as_of)
        + quality.losses_on_the_last_day(moments.lost)
        + quality.zombies(moments, as_of)
    )


def _money_quality(raw: RawRecords, moments: Moments, details: Details) -> Findings:
    if "amount" not in details.columns:
        return Findings()
    amount, won = details.columns["amount"], ~np.isnat(moments.entered[:, -1])
    return (
        quality.wins_without_amount(won, amount, raw.records)
        + quality.wins_below_zero(won, amount)
        + quality.amounts_far_off(amount, raw.records)
    )


NO_DAY_AT_ALL = "no row has a day on which a stage was entered"


def set_aside(number: int, example: str = "") -> Findings:
    """Records that are not looked at, because nothing of them is known by the as-of day."""
    return counted("records", "set aside: no stage entered by the as-of day", number, example)


def _kept(raw: RawRecords, moments: Moments, as_of: date, left_out: np.ndarray, last: np.datetime64) -> Findings:
    used, asked = int(moments.used.sum()), len(raw.records) - int(left_out.sum())
    dateless = asked - int((np.bincount(raw.events.record) > 0).sum())
    example = f"{dateless:,} without any day" if dateless else ""
    found = set_aside(asked - used, example)
    silent = int((np.datetime64(as_of) - last.astype("datetime64[D]")).astype(int))
    if silent > SILENT_DAYS:
        found += counted("records", "days without any date before the as-of day", silent, f"as of {as_of}")
    undated = _closed_undated(raw, moments)
    lost, closed = int((undated == LOST).sum()), int((undated != NO_STAGE).sum())
    what = "closed, day unknown: neither open nor won or lost on any day"
    found += counted("records", what, closed, f"{closed - lost:,} won, {lost:,} lost")
    return found + Findings(lines=(ImportLine("records", "kept", used),))


def _no_longer_coming(raw: RawRecords, day: date, until: np.datetime64) -> Findings:
    """That records stopped coming in on `day`, though others went on; empty where they did not."""
    last: date = until.astype("datetime64[D]").item()
    after = np.datetime64(day) + np.timedelta64(1, "D"), np.datetime64(last) + np.timedelta64(1, "D")
    return no_longer_coming(day, last, int(((raw.events.at >= after[0]) & (raw.events.at < after[1])).sum()))


def no_longer_coming(day: date, last: date, later: int) -> Findings:
    """The same, where `later` events go on to `last`."""
    what = f"{NO_LONGER} {show(day, 'date')}, though others go on to {show(last, 'date')}: later dates are left out"
    return counted(
        "records", what, later if last > day else 0, f"{(last - day).days} days; another as-of day counts them"
    )


def silence(history: History) -> str:
    """That no new record came in towards the end, though others went on; empty where they did. One sentence.

    Without new records every forecast that counts on some is too low, and what was recorded late looks lost.
    """
    return silence_after(Times.once(history.arrivals["entered_on"].to_numpy()), history.as_of, history.report)


def silence_after(arrived: Times, as_of: date, report: tuple[ImportLine, ...]) -> str:
    """The same of when records came in, `arrived`."""
    told = [line for line in report if line.what.startswith(NO_LONGER)]
    if told:
        return f"{told[0].what[0].upper()}{told[0].what[1:]}: {told[0].count:,} ({told[0].example})."
    missing = records_missing(arrived, np.datetime64(as_of))
    if missing < MISSED:
        return ""
    last: date = arrived.at.max().astype("datetime64[D]").item()
    silent = (as_of - last).days
    return (
        f"{NO_LONGER[0].upper()}{NO_LONGER[1:]} {show(last, 'date')}, {silent:,} days before {show(as_of, 'date')}, "
        f"where about {missing:,.0f} were to be expected: the export may end there, and what counts on new records is too low."
    )


def closed_undated(records: pd.DataFrame) -> pd.Series:
    """Which of the `records` are won or lost on a day that no file says: they are not open, and nothing dates them."""
    return records["undated"] != "" if "undated" in records else pd.Series(False, index=records.index)


# --- tables -------------------------------------------------------------------------------------------------


def _stage_history(records: pd.DataFrame, moments: Moments, stages: tuple[str, ...]) -> pd.DataFrame:
    """One row per stage entered, records in their order, stages in theirs."""
    entered = moments.entered if moments.used.all() else moments.entered[moments.used]
    inside = ~np.isnat(entered)
    several = inside.sum(axis=1)
    stage = np.broadcast_to(np.arange(len(stages), dtype=STAGE), inside.shape)[inside]
    frame = pd.DataFrame(
        {
            **{key: records[key].array.repeat(several) for key in ("record", *ORIGINS)},
            "stage": pd.Categorical.from_codes(stage, stages),
            "entered_on": entered[inside],
        }
    )
    return conform(frame, "stage_history")


def _closed_undated(raw: RawRecords, moments: Moments) -> np.ndarray:
    """By record: the last stage, or LOST, where it closed in it on a day no file says; NO_STAGE for all others."""
    no_day = np.isnat(moments.lost) & np.isnat(moments.entered[:, -1]) & moments.used
    return np.where(no_day, raw.undated, NO_STAGE)


def _those(labels: pd.Categorical, rows: np.ndarray) -> pd.Categorical:
    """The labels of some rows, and no name that none of them has."""
    codes = labels.codes[rows]
    used = np.bincount(codes, minlength=len(labels.categories)) > 0
    return pd.Categorical.from_codes((np.cumsum(used) - 1)[codes], labels.categories[used])
