"""What a CRM says about its records besides their stages: labels, amounts in one currency, days; and what sales did with them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from revplan.crm import quality
from revplan.crm.cells import UNKNOWN, Findings, ImportLine, Parsed, counted, several_currencies, stripped
from revplan.crm.events import NEVER, NUMBER, RawRecords, moments_in, rows_set_aside
from revplan.crm.file import CrmSource, did_you_mean
from revplan.crm.files import Rows, Tables, as_keys, per_record
from revplan.crm.mapping import (
    EVERY,
    LABELS,
    MOMENTS,
    MONEY,
    ORIGINS,
    TOUCHES,
    Origin,
    column_of,
    file_of,
    tidy,
)
from revplan.ground.errors import Fault, shown


@dataclass(frozen=True, eq=False)
class Details:
    """What the CRM says about each record besides its stages."""

    columns: dict[str, Any]
    """Column -> its values by record: an array, of labels a pandas.Categorical."""
    found: Findings
    left_out: np.ndarray
    """Which records `names` leaves out, or have a cell that cannot be read."""
    currency: str = ""
    codes: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=object))
    """The currency each record's amount is written in; empty where nothing says it, or there are no amounts."""
    factors: np.ndarray = field(default_factory=lambda: np.ones(0))
    """What one unit of it is worth in the plan's currency."""


def read_details(tables: Tables, raw: RawRecords) -> Details:
    """Labels, amounts and days of the records, with the faults of all columns."""
    crm, read = tables.source.crm, _ColumnsRead(tables, raw)
    for key in ORIGINS:
        read.add_origin(key)
    for key in LABELS:
        if column := getattr(crm, key):
            read.add_names(key, column)
    sign = ""
    if crm.amount:
        amounts = tables.amounts(crm.amount.column)
        sign = amounts.sign
        read.add("amount", crm.amount.column, amounts, np.nan)
    if crm.cost:
        read.add("cost", crm.cost, tables.amounts(crm.cost), np.nan)
    read.add_days()
    left_out = read.rename()
    details = _in_one_currency(Details(read.columns, read.found, left_out), tables, raw, sign)
    return replace(details, found=details.found + _told_only(tables))


@dataclass(eq=False)
class _ColumnsRead:
    """The columns read so far, and what was found on the way."""

    tables: Tables
    raw: RawRecords
    columns: dict[str, Any] = field(default_factory=dict)
    found: Findings = field(default_factory=Findings)

    def add(self, key: str, column: str, parsed: Parsed, missing: object) -> None:
        """The values of a column."""
        self.found += parsed.found
        self.columns[key] = self._by_record(key, column, parsed.values, missing)

    def add_labels(self, key: str, column: str) -> None:
        """The labels of a column."""
        labels, found = self.tables.labels(column)
        self.found += found
        codes = self._by_record(key, column, labels.codes, 0)
        self.columns[key] = pd.Categorical.from_codes(codes, labels.categories)

    def _by_record(self, key: str, column: str, values: np.ndarray, missing: object) -> np.ndarray:
        """The values of a column by record; records without a row in its file are counted."""
        raw, file = self.raw, file_of(column)
        rows, is_money = raw.rows[file], key in MONEY
        own = _summed(values, rows) if is_money else values
        values = per_record(own, rows, len(raw.records), missing)
        of = raw.money_of if is_money else raw.label_of if file == raw.main else None
        if of is not None:
            values = np.append(values, np.array([missing], dtype=values.dtype))[of]
        rowless = len(raw.records) - len(rows.positions) if of is None else int((of < 0).sum())
        self.found += counted(key, f"missing: no row in {shown(file)}", rowless)
        return values

    def add_names(self, key: str, column: str) -> Counter[str]:
        """The labels of a column, and how many records have each; what is strange about them is told, and merged where the CRM file says so."""
        crm = self.tables.source.crm
        self.add_labels(key, column)
        counts = _counts(self.columns[key])
        same, found = quality.label_variants(key, counts)
        found += quality.dates_as_labels(key, counts)
        if listed := {str(label): each for label, each in (crm.expected or {}).items()}.get(key):
            expected = [name for name in self.tables.labels(listed)[0].categories if name != UNKNOWN]
            meant, strange = quality.unexpected_labels(key, counts, expected)
            same = {**{rare: meant.get(common, common) for rare, common in same.items()}, **meant}
            found += strange + quality.idle_names(key, counts, expected, same)
        if crm.merge_labels and same:
            found += counted(
                key,
                "labels merged, as merge_labels asks",
                sum(counts[rare] for rare, name in same.items() if name != rare),
            )
            self.columns[key] = _called(self.columns[key], same)
            counts = _counts(self.columns[key])
        self.found += found
        return counts

    def add_origin(self, key: str) -> None:
        """Segments or sources: of a column, or one for all."""
        origin: Origin | None = getattr(self.tables.source.crm, key)
        if origin is None or origin.column is None:
            value = origin.value if origin else EVERY
            self.columns[key] = pd.Categorical.from_codes(np.zeros(len(self.raw.records), dtype=np.int8), [value])
            return
        if {EVERY} < self.add_names(key, origin.column).keys():
            self.found += Findings((called_every(self.tables.source, key),))

    def add_days(self) -> None:
        """When records close, were given to somebody and given back, and why, as far as the CRM file names it."""
        crm, gone = self.tables.source.crm, self.tables.source.crm.rejected
        for key in MOMENTS:
            if column := getattr(crm, key):
                self.add(key, column, self.tables.days(column), NEVER)
        if gone is not None and gone.at:
            days = moments_in(self.tables, file_of(gone.at), gone)
            self.add("rejected", gone.at, Parsed(days.values, days.found), NEVER)
        if gone is not None and gone.reason:
            self.add_labels("rejected_reason", gone.reason)

    def rename(self) -> np.ndarray:
        """Calls segments and sources as `names` says; which records it leaves out."""
        source, left_out = self.tables.source, np.zeros(len(self.raw.records), dtype=bool)
        for key, names in (source.crm.names or {}).items():
            if names is None:
                continue
            wanted, labels = {tidy(label): label for label in names}, self.columns[key]
            counts = _counts(labels)
            meant = {name: wanted[tidy(name)] for name in labels.categories if tidy(name) in wanted}
            told: Counter[str] = Counter()
            for name, label in meant.items():
                told[label] += counts[name]
            self.found += Findings(
                tuple(
                    Fault(
                        source.place(("names", key, label)),
                        f"no record is of {key} {shown(label)!r}{did_you_mean(label, sorted(counts))}",
                    )
                    for label in names
                    if not told[label]
                )
            )
            unwanted = [name in meant and names[meant[name]] is None for name in labels.categories]
            out = np.array(unwanted, dtype=bool)[labels.codes]
            pairs = {label: f"{shown(label)!r} {told[label]:,}" for label in names}
            renamed = [f"{pairs[label]} to {shown(name)!r}" for label, name in names.items() if name is not None]
            gone = ", ".join(pairs[label] for label, name in names.items() if name is None)
            self.found += counted(key, "renamed, as names asks", told.total() - out.sum(), "; ".join(renamed[:3]))
            what = f"set aside: of a {key} that names leaves out"
            self.found += counted("records", what, (out & ~left_out).sum(), gone)
            self.columns[key] = _called(labels, {name: names[label] or name for name, label in meant.items()})
            left_out |= out
        return left_out


def _counts(labels: pd.Categorical) -> Counter[str]:
    """How many records have each label that one has."""
    counts = np.bincount(labels.codes, minlength=len(labels.categories)).tolist()
    return Counter({name: count for name, count in zip(labels.categories, counts, strict=True) if count})


def _called(labels: pd.Categorical, names: Mapping[str, str]) -> pd.Categorical:
    """The labels, those in `names` by another one; what is called the same is one."""
    codes, different = pd.factorize(np.array([names.get(name, name) for name in labels.categories], dtype=object))
    return pd.Categorical.from_codes(codes[labels.codes], different)


def called_every(source: CrmSource, key: str) -> Fault:
    """That a segment or source has the name that stands for all of them."""
    return Fault(source.place((key,)), f"a {key} is called {EVERY!r}, which here means every {key}; rename it")


def _summed(amounts: np.ndarray, rows: Rows) -> np.ndarray:
    """Amounts by row of the file, those of further lines added to the one that stands for their record."""
    stated = ~np.isnan(amounts[rows.further])
    further, first = rows.further[stated], rows.positions[rows.first[stated]]
    sums = amounts.copy()
    sums[first] = np.nan_to_num(sums[first])
    np.add.at(sums, first, amounts[further])
    return sums


# --- currencies ---------------------------------------------------------------------------------------------

CURRENCY = re.compile(r"curr|währung|waehrung|devise|moneda|moeda|valuta", re.IGNORECASE)
"""What a column with currencies is called."""
CONVERTED = re.compile(r"convert|company|home|base|reporting", re.IGNORECASE)
"""What a column with amounts is called that are in one currency already."""
CODE = re.compile(r"\b[A-Z]{3}\b|[$€£¥]")


def _in_one_currency(details: Details, tables: Tables, raw: RawRecords, sign: str) -> Details:
    """`details` with amounts in one currency, and which it is; a fault where several would be added up."""
    crm = tables.source.crm
    if not crm.amount:
        return details
    codes, column = _codes(tables, raw, crm.amount.column, sign)
    rates = dict(crm.rates or {})
    priced = ~np.isnan(details.columns["amount"]) & (details.columns["amount"] != 0) & (codes != "")
    counts = Counter(codes[priced].tolist())
    others = [code for code in counts if code not in rates]
    if len(others) > 1:
        main = counts.most_common(1)[0][0]
        where = f"currency: {column}, " if column and not crm.currency else ""
        told = several_currencies(dict(counts.most_common(6)), [code for code in counts if code != main], where)
        fault = Fault(tables.source.place(("amount",)), f"{told}; or name a column of converted amounts")
        return replace(details, found=details.found + Findings((fault,)))
    factors = np.array([rates.get(code, 1.0) for code in codes.tolist()])
    columns = {key: values * factors if key in MONEY else values for key, values in details.columns.items()}
    said = ", ".join(f"{code} at {rate:g}" for code, rate in rates.items())
    found = counted("amount", "converted, as rates asks", (priced & np.isin(codes, list(rates))).sum(), said)
    return Details(
        columns, details.found + found, details.left_out, next(iter(others), ""), codes=codes, factors=factors
    )


def _codes(tables: Tables, raw: RawRecords, amount: str, sign: str) -> tuple[np.ndarray, str]:
    """The currency of each record's amount, empty where nothing says it; and the column that says it."""
    said = tables.source.crm.currency
    if said and "." not in said:
        return np.full(len(raw.records), said, dtype=object), ""
    column = said or _currency_column(tables, file_of(amount), column_of(amount))
    if not column:
        return np.full(len(raw.records), sign, dtype=object), ""
    labels, _ = tables.labels(column)
    found = [CODE.search(name) for name in labels.categories]
    codes = np.array([match[0] if match else "" for match in found], dtype=object)
    return codes[per_record(labels.codes, raw.rows[file_of(column)], len(raw.records), 0)], column


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


# --- columns that are looked at only ------------------------------------------------------------------------


def _told_only(tables: Tables) -> Findings:
    """What the report says of columns that are looked at for data quality only."""
    crm, found = tables.source.crm, Findings()
    if crm.probability:
        cells = tables.cells(crm.probability)
        found += quality.impossible_probabilities(cells.part, cells.texts)
    for file in crm.lists():
        table = tables.tables[file]
        listed = ImportLine(file, "rows kept, as a list of expected names", len(table.lines))
        found += Findings(lines=(*table.report(file), listed))
    return found


# --- every time somebody reached out to a record ------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Touched:
    """Parallel arrays, by record and moment, a touch each: record number, moment, who and how where that is told."""

    record: np.ndarray
    at: np.ndarray
    who: np.ndarray
    kind: np.ndarray


def read_touches(tables: Tables, records: pd.Index) -> tuple[Touched | None, Findings]:
    """The touches of `records`; those of others are set aside and counted, and a fault where all are of others."""
    touches = tables.source.crm.touches
    if touches is None:
        return None, Findings()
    cells = tables.cells(f"{TOUCHES}.{touches.id}")
    texts, filled, _ = stripped(cells)
    record = records.get_indexer(pd.Index(as_keys(texts).objects(), dtype=object))
    moments = tables.days(f"{TOUCHES}.{touches.at}")
    found = Findings(lines=tables.tables[TOUCHES].report(TOUCHES)) + moments.found
    aside = [("no id", ~filled), *tables.left_out(TOUCHES), ("no date", np.isnat(moments.values))]
    aside.append(("no record of that id", record < 0))
    kept, more = rows_set_aside(TOUCHES, [(why, rows, cells) for why, rows in aside])
    found += more
    if filled.any() and (record[filled] < 0).all():
        example, mine = (shown(each) for each in (cells.texts[int(np.argmax(filled))], records[0]))
        message = f"not one touch is of a record: {example!r}, say, where records are called {mine!r}; name the column with the record's id"
        found += Findings((Fault(tables.source.place((TOUCHES, "id")), message),))
    found += Findings(lines=(ImportLine(TOUCHES, "rows kept", int(kept.sum())),))
    order = np.flatnonzero(kept)
    order = order[np.lexsort((moments.values[order], record[order]))]
    who, kind = (_labels_of(tables, column, order) for column in (touches.who, touches.kind))
    return Touched(record[order].astype(NUMBER), moments.values[order], who, kind), found


def _labels_of(tables: Tables, column: str | None, rows: np.ndarray) -> np.ndarray:
    if column is None:
        return np.full(len(rows), UNKNOWN, dtype=object)
    labels, _ = tables.labels(f"{TOUCHES}.{column}")
    return np.asarray(labels[rows], dtype=object)
