"""Records and their stage history out of a CRM export, with a report of everything found on the way."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from hashlib import sha256
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionArray

from revplan.crm import quality
from revplan.crm.cells import UNKNOWN, Findings, ImportLine, Parsed, Unread, counted, several_currencies
from revplan.crm.events import LOST, NO_STAGE, NUMBER, RawRecords, read_events
from revplan.crm.file import CrmSource, did_you_mean, read_crm_file
from revplan.crm.files import Rows, Tables, per_record, read_tables
from revplan.crm.mapping import LABELS, MONEY, ORIGINS, CrmFile, HistoryCrm, Origin, column_of, file_of, tidy
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
    a_year_off,
    future,
    holes,
    last_day,
    last_usual_day,
    records_missing,
    silent_stages,
)
from revplan.crm.touches import Touched, given_and_given_back, read_touches
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.escaping import spreadsheet
from revplan.ground.files import told_of
from revplan.ground.formats import show
from revplan.ground.tables import conform
from revplan.ground.written import written

EVERY = "all"  # the segment and the source of records where the CRM names none
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
ASKED_FOR = {  # what the CRM file asks for, which readers of a report have not seen
    "converted, as rates asks": "{count:,} amounts were converted at the rates given in the CRM file: {example}.",
    "renamed, as names asks": "The CRM file gives {count:,} records another {part} than the CRM does: {example}.",
    "that names leaves out": "{count:,} records are left out, as the CRM file asks by their names: {example}.",
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


ODD_FORM = "look for days, amounts or labels of an odd form in the files it names"


def telling(report: tuple[ImportLine, ...]) -> tuple[str, ...]:
    """The lines of a report that change how figures are read, a sentence each."""
    told = []
    for line in report:
        asked = [sentence for word, sentence in ASKED_FOR.items() if word in line.what]
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
    name = shown(Path(crm_path).name)
    with told_of(DataError, name, ODD_FORM):
        return _read_export(Path(crm_path), today=today).on(as_of)


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

    @property
    def last_day(self) -> date:
        """The last day they know of, or the last on which records still came in."""
        return last_usual_day(self.raw.events, len(self.source.crm.stage_ids()), self.today)

    def on(self, as_of: date | None = None) -> History:
        """The history as known at the end of `as_of`, or of the last day it knows of.

        Raises
        ------
        DataError
            If no record can be used.
        """
        return _recorded_by(self, as_of)

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
    details = _details(tables, raw)
    touched, told = read_touches(tables, raw.records)
    details = replace(details, found=details.found + told)
    unread = raw.found.unread + details.found.unread
    if cells_to is not None:
        write_unread(unread, cells_to)
    if faults := tuple(dict.fromkeys(raw.found.faults + details.found.faults)):
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
    for each in unread:
        if each.file not in raw.rows:
            continue
        rows = raw.rows[each.file]
        numbers = raw.records.get_indexer(rows.ids)
        bad = np.isin(rows.positions, each.rows)
        out[numbers[bad & (numbers >= 0)]] = True
        if rows.lines is not None:
            out[numbers[rows.lines[1][np.isin(rows.lines[0], each.rows)]]] = True
        example = example or f"{each.cells.place(int(each.rows[0]))}: {shown(each.cells.texts[int(each.rows[0])])}"
    found = counted("records", "set aside: a cell of theirs cannot be read", (out & ~details.left_out).sum(), example)
    return replace(details, found=details.found + found, left_out=details.left_out | out)


def _recorded_by(export: Export, as_of: date | None) -> History:
    source, raw, details = export.source, export.raw, export.details
    day = as_of or export.last_day
    stages = source.crm.stage_ids()
    as_written, moments = _moments(raw, day, source.crm, details.columns["source"])
    if not moments.used.any():
        raise nothing_usable(source, raw.found, f"no record has entered a stage by {day}")
    return History(
        stages=stages,
        stage_history=_stage_history(raw.records, details.columns, moments, stages),
        records=_records(raw, details.columns, moments),
        report=_report(
            source.found,
            raw.found,
            details.found,
            moments.found,
            _quality(raw, as_written, moments, day, stages),
            _money_quality(raw, moments, details),
            _kept(raw, moments, day, details.left_out, export.today),
            Findings() if as_of else _no_longer_coming(raw, day, export.today),
        ),
        as_of=day,
        fingerprint=export.fingerprint,
        currency=details.currency,
        found=tuple(_told_of_days(export, as_written, moments, day)),
    )


def _told_of_days(export: Export, written: Moments, moments: Moments, day: date) -> Iterator[str]:
    """What is wrong with the days, a sentence each; dates after today first."""
    raw, stages = export.raw, export.source.crm.stage_ids()
    yield from future(raw.events, (*stages, "lost"), raw.records, export.today)
    first = np.fmin.reduce(moments.entered, axis=1)
    yield from holes(first[~np.isnat(first)])
    once = np.ones(len(written.entered), dtype=int)
    yield from silent_stages(written.entered, stages, day, once)
    yield from a_year_off(written.entered, stages, raw.records, once)


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


def _moments(raw: RawRecords, as_of: date, crm: CrmFile, sources: np.ndarray) -> tuple[Moments, Moments]:
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
    return quality.wins_without_amount(won, amount, raw.records) + quality.amounts_far_off(amount, raw.records)


NO_DAY_AT_ALL = "no row has a day on which a stage was entered"


def set_aside(number: int, example: str = "") -> Findings:
    """Records that are not looked at, because nothing of them is known by the as-of day."""
    return counted("records", "set aside: no stage entered by the as-of day", number, example)


def _kept(raw: RawRecords, moments: Moments, as_of: date, left_out: np.ndarray, today: date) -> Findings:
    used, asked = int(moments.used.sum()), len(raw.records) - int(left_out.sum())
    dateless = asked - int((np.bincount(raw.events.record) > 0).sum())
    example = f"{dateless:,} without any day" if dateless else ""
    found = set_aside(asked - used, example)
    silent = (as_of - last_day(raw.events, today)).days
    if silent > SILENT_DAYS:
        found += counted("records", "days without any date before the as-of day", silent, f"as of {as_of}")
    undated = _closed_undated(raw, moments)
    lost, closed = int((undated == LOST).sum()), int((undated != NO_STAGE).sum())
    what = "closed, day unknown: neither open nor won or lost on any day"
    found += counted("records", what, closed, f"{closed - lost:,} won, {lost:,} lost")
    return found + Findings(lines=(ImportLine("records", "kept", used),))


def _no_longer_coming(raw: RawRecords, day: date, today: date) -> Findings:
    """That records stopped coming in on `day`, though others went on; empty where they did not."""
    last = last_day(raw.events, today)
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
    first = history.stage_history.loc[~history.stage_history["record"].duplicated(), "entered_on"]
    return silence_after(first.to_numpy(), history.as_of, history.report)


def silence_after(arrived: np.ndarray, as_of: date, report: tuple[ImportLine, ...]) -> str:
    """The same of records that came in at the moments `arrived`."""
    told = [line for line in report if line.what.startswith(NO_LONGER)]
    if told:
        return f"{told[0].what[0].upper()}{told[0].what[1:]}: {told[0].count:,} ({told[0].example})."
    missing = records_missing(arrived, np.datetime64(as_of))
    if missing < MISSED:
        return ""
    last: date = arrived.max().astype("datetime64[D]").item()
    silent = (as_of - last).days
    return (
        f"{NO_LONGER[0].upper()}{NO_LONGER[1:]} {show(last, 'date')}, {silent:,} days before {show(as_of, 'date')}, "
        f"where about {missing:,.0f} were to be expected: the export may end there, and what counts on new records is too low."
    )


def closed_undated(records: pd.DataFrame) -> pd.Series:
    """Which of the `records` are won or lost on a day that no file says: they are not open, and nothing dates them."""
    return records["undated"] != "" if "undated" in records else pd.Series(False, index=records.index)


def _report(*found: Findings) -> tuple[ImportLine, ...]:
    """The lines of all steps in order, each once."""
    return tuple(dict.fromkeys(line for each in found for line in each.lines))


# --- labels and amounts -------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Details:
    """What the CRM says about each record besides its stages: column -> values in record order."""

    columns: dict[str, np.ndarray]
    found: Findings
    currency: str = ""
    left_out: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    """Which records `names` leaves out."""
    codes: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=object))
    """The currency each record's amount is written in; empty where nothing says it, or there are no amounts."""
    factors: np.ndarray = field(default_factory=lambda: np.ones(0))
    """What one unit of it is worth in the plan's currency."""


def _details(tables: Tables, raw: RawRecords) -> Details:
    """Labels and amounts of the records, with the faults of all columns."""
    crm = tables.source.crm
    details = Details({}, Findings())
    for key in ORIGINS:
        details = _with_label(details, tables, raw, key)
    for key in LABELS:
        if column := getattr(crm, key):
            details = _with_names(details, tables, raw, key, column)
    for key, column in (("amount", crm.amount.column if crm.amount else None), ("cost", crm.cost)):
        if column:
            details = _with_values(details, raw, key, column, tables.amounts(column), np.nan)
    for key, column, parsed, missing in given_and_given_back(tables):
        details = _with_values(details, raw, key, column, parsed, missing)
    details = _in_one_currency(_renamed(details, tables, len(raw.records)), tables, raw)
    return replace(details, found=details.found + _told_only(tables, raw))


def _renamed(details: Details, tables: Tables, records: int) -> Details:
    """`details` with segments and sources called as `names` says, and the records it leaves out."""
    columns, found, left_out = dict(details.columns), details.found, np.zeros(records, dtype=bool)
    for key, names in (tables.source.crm.names or {}).items():
        if names is None:
            continue
        wanted, values = {tidy(label): label for label in names}, columns[key].tolist()
        labels = [wanted.get(tidy(value)) for value in values]
        lacking = [label for label in names if label not in set(labels)]
        hints = [did_you_mean(label, sorted(set(values))) for label in lacking]
        place = [tables.source.place(("names", key, label)) for label in lacking]
        found += Findings(
            tuple(
                Fault(at, f"no record is of {key} {shown(label)!r}{hint}")
                for at, label, hint in zip(place, lacking, hints, strict=True)
            )
        )
        told = Counter(label for label in labels if label is not None)
        renamed = [
            f"{shown(label)!r} {told[label]:,} to {shown(name)!r}" for label, name in names.items() if name is not None
        ]
        out = [label is not None and names[label] is None for label in labels]
        example = ", ".join(f"{shown(label)!r} {told[label]:,}" for label, name in names.items() if name is None)
        found += counted(key, "renamed, as names asks", sum(told.values()) - sum(out), "; ".join(renamed[:3]))
        found += counted(
            "records", f"set aside: of a {key} that names leaves out", sum(np.array(out) & ~left_out), example
        )
        columns[key] = np.array(
            [value if label is None else names[label] or value for value, label in zip(values, labels, strict=True)],
            dtype=object,
        )
        left_out = left_out | np.array(out, dtype=bool)
    return replace(details, columns=columns, found=found, left_out=left_out)


# --- currencies ---------------------------------------------------------------------------------------------

CURRENCY = re.compile(r"curr|währung|waehrung|devise|moneda|moeda|valuta", re.IGNORECASE)
"""What a column with currencies is called."""
CONVERTED = re.compile(r"convert|company|home|base|reporting", re.IGNORECASE)
"""What a column with amounts is called that are in one currency already."""
CODE = re.compile(r"\b[A-Z]{3}\b|[$€£¥]")


def _in_one_currency(details: Details, tables: Tables, raw: RawRecords) -> Details:
    """`details` with amounts in one currency, and which it is; a fault where several would be added up."""
    crm = tables.source.crm
    if not crm.amount or "amount" not in details.columns:
        return details
    codes, column = _codes(tables, raw, crm)
    rates = dict(crm.rates or {})
    priced = ~np.isnan(details.columns["amount"]) & (details.columns["amount"] != 0) & (codes != "")
    counts = Counter(codes[priced].tolist())
    others = [code for code in counts if code not in rates]
    if len(others) > 1:
        main = counts.most_common(1)[0][0]
        where = f"currency: {column}, " if column and not crm.currency else ""
        told = several_currencies(dict(counts.most_common(6)), [code for code in counts if code != main], where)
        message = f"{told}; or name a column of converted amounts"
        return replace(details, found=details.found + Findings((Fault(tables.source.place(("amount",)), message),)))
    factors = np.array([rates.get(code, 1.0) for code in codes.tolist()])
    columns = {**details.columns, **{key: details.columns[key] * factors for key in MONEY if key in details.columns}}
    changed = int((priced & np.isin(codes, list(rates))).sum())
    found = details.found + counted(
        "amount", "converted, as rates asks", changed, ", ".join(f"{code} at {rate:g}" for code, rate in rates.items())
    )
    return replace(details, columns=columns, found=found, currency=next(iter(others), ""), codes=codes, factors=factors)


def _codes(tables: Tables, raw: RawRecords, crm: CrmFile) -> tuple[np.ndarray, str]:
    """The currency of each record's amount, empty where nothing says it; and the column that says it."""
    amount = crm.amount.column if crm.amount else ""
    file, name = file_of(amount), column_of(amount)
    if crm.currency and "." not in crm.currency:
        return np.full(len(raw.records), crm.currency, dtype=object), ""
    column = crm.currency or _currency_column(tables, file, name)
    if not column:
        return np.full(len(raw.records), tables.amounts(amount).sign, dtype=object), ""
    texts = tables.labels(column)
    values = per_record(texts, raw.rows[file_of(column)], raw.records, UNKNOWN)
    found = [CODE.search(str(value)) for value in values]
    return np.array([match[0] if match else "" for match in found], dtype=object), column


def _currency_column(tables: Tables, file: str, amount: str) -> str:
    """The column beside the amounts that says their currency; empty where there is none, or amounts are converted."""
    table = tables.tables[file]
    if CONVERTED.search(amount):
        return ""
    named = [
        each for each in table.header if CURRENCY.search(each) and not CONVERTED.search(each) and each in table.columns
    ]
    named.sort(key=lambda each: each.casefold() != f"{amount} currency".casefold())
    for each in named:
        cells = [cell.strip() for cell in table.cells(each) if cell.strip()]
        if cells and sum(CODE.search(cell) is not None and len(cell) < 40 for cell in cells) > len(cells) / 2:
            return f"{file}.{each}"
    return ""


def _told_only(tables: Tables, raw: RawRecords) -> Findings:
    """What the report says of columns that are looked at for data quality only."""
    crm = tables.source.crm
    found = Findings()
    if crm.probability:
        cells = tables.cells(file_of(crm.probability), column_of(crm.probability))
        found += quality.impossible_probabilities(f"{cells.file}, {shown(cells.column)}", cells.texts)
    for file in crm.lists():
        table = tables.tables[file]
        listed = ImportLine(file, "rows kept, as a list of expected names", len(table.lines))
        found += Findings(lines=(*table.report(file), listed))
    return found


def _with_label(details: Details, tables: Tables, raw: RawRecords, key: str) -> Details:
    origin: Origin | None = getattr(tables.source.crm, key)
    if origin is None or origin.column is None:
        value = origin.value if origin else EVERY
        return Details({**details.columns, key: np.full(len(raw.records), value, dtype=object)}, details.found)
    details = _with_names(details, tables, raw, key, origin.column)
    values = set(details.columns[key])
    if EVERY not in values or len(values) == 1:
        return details
    return Details(details.columns, details.found + Findings((called_every(tables.source, key),)))


def called_every(source: CrmSource, key: str) -> Fault:
    """That a segment or source has the name that stands for all of them."""
    return Fault(source.place((key,)), f"a {key} is called {EVERY!r}, which here means every {key}; rename it")


def _with_names(details: Details, tables: Tables, raw: RawRecords, key: str, column: str) -> Details:
    """`details` with the labels of a column; what is strange about them is told, and merged where the CRM file says so."""
    crm = tables.source.crm
    details = _with_values(details, raw, key, column, tables.labels(column), UNKNOWN)
    values = details.columns[key]
    same, found = quality.label_variants(key, values)
    found += quality.dates_as_labels(key, values)
    if listed := {str(label): each for label, each in (crm.expected or {}).items()}.get(key):
        expected = [name for name in tables.labels(listed).values.tolist() if name != UNKNOWN]
        meant, strange = quality.unexpected_labels(key, values, expected)
        same = {**{rare: meant.get(common, common) for rare, common in same.items()}, **meant}
        found += strange + quality.idle_names(key, values, expected, same)
    if crm.merge_labels and same:
        merged = np.array([same.get(value, value) for value in values.tolist()], dtype=object)
        found += counted(key, "labels merged, as merge_labels asks", (merged != values).sum())
        values = merged
    return Details({**details.columns, key: values}, details.found + found)


def _with_values(details: Details, raw: RawRecords, key: str, column: str, parsed: Parsed, missing: object) -> Details:
    """`details` with the values of a column; records without a row in its file are counted."""
    rows = raw.rows[file_of(column)]
    is_money = key in MONEY
    values = per_record(_summed(parsed, rows) if is_money else parsed, rows, raw.records, missing)
    of = raw.money_of if is_money else raw.label_of if file_of(column) == raw.main else None
    if of is not None:
        values = np.append(values, np.array([missing], dtype=values.dtype))[of]
    rowless = len(raw.records) - len(rows.ids) if of is None else int((of < 0).sum())
    found = counted(key, f"missing: no row in {shown(file_of(column))}", rowless)
    return Details({**details.columns, key: values}, details.found + parsed.found + found)


def _summed(parsed: Parsed, rows: Rows) -> Parsed:
    """Amounts by row, those of further lines added to the one that stands for their record."""
    if rows.lines is None:
        return parsed
    values, (further, of) = parsed.values.copy(), rows.lines
    added = np.zeros(len(rows.ids))
    np.add.at(added, of, np.nan_to_num(values[further]))
    some = np.zeros(len(rows.ids), dtype=bool)
    some[of[~np.isnan(values[further])]] = True
    own = values[rows.positions]
    values[rows.positions] = np.where(some, np.nan_to_num(own) + added, own)
    return replace(parsed, values=values)


# --- tables -------------------------------------------------------------------------------------------------


def _stage_history(
    ids: pd.Index, columns: dict[str, np.ndarray], moments: Moments, stages: tuple[str, ...]
) -> pd.DataFrame:
    """One row per stage entered, records in their order, stages in theirs."""
    inside = ~np.isnat(moments.entered)
    record = np.repeat(np.arange(len(ids), dtype=NUMBER), inside.sum(axis=1))
    stage = np.nonzero(inside)[1]
    frame = pd.DataFrame(
        {
            "record": _named(record, ids),
            **{name: _labels(columns[name]).take(record) for name in ORIGINS},
            "stage": _labels(np.array(stages, dtype=object)).take(stage),
            "entered_on": moments.entered[inside],
        }
    )
    return conform(frame, "stage_history")


def _records(raw: RawRecords, columns: dict[str, np.ndarray], moments: Moments) -> pd.DataFrame:
    ids, used = raw.records, moments.used
    numbers = {"amount": np.full(len(ids), np.nan)} | {key: columns[key] for key in MONEY if key in columns}
    labels = {key: _labels(columns[key][used]) for key in (*ORIGINS, *LABELS) if key in columns}
    frame = pd.DataFrame({"record": _named(np.flatnonzero(used), ids), **labels})
    for key, values in numbers.items():
        frame[key] = values[used]
    frame = frame.assign(lost_on=moments.lost[used])
    undated = _closed_undated(raw, moments)[used]
    if (undated != NO_STAGE).any():
        frame["undated"] = np.where(undated == NO_STAGE, "", np.where(undated == LOST, "lost", "won"))
    return conform(frame, "records")


def _closed_undated(raw: RawRecords, moments: Moments) -> np.ndarray:
    """By record: the last stage, or LOST, where it closed in it on a day no file says; NO_STAGE for all others."""
    no_day = np.isnat(moments.lost) & np.isnat(moments.entered[:, -1]) & moments.used
    return np.where(no_day, raw.undated, NO_STAGE)


def _named(record: np.ndarray, ids: pd.Index) -> pd.Categorical:
    """Records by their number, with their ids for names: a million texts take the room of numbers."""
    return pd.Categorical.from_codes(record, dtype=pd.CategoricalDtype(ids), validate=False)


def _labels(values: np.ndarray) -> ExtensionArray:
    """Labels as text, each looked at once: a million rows hold the few there are."""
    codes, different = pd.factorize(values)
    return pd.array(different, dtype="str").take(codes)
