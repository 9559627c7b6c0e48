"""What is asked of an engine that counts records where they lie: SQL for labels, ids, days, and for the ways of records.

What a label means is asked of the code that reads cells into memory, for each different text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np

from revplan.crm.cells import (
    HIDDEN_NULLS,
    LARGEST_AMOUNT,
    LONGEST_NULL,
    OPEN_ENDED,
    Cells,
    Findings,
    ImportLine,
    counted,
    labels,
)
from revplan.crm.details import CODE, CONVERTED, CURRENCY, called_every
from revplan.crm.engines import DAY, NUMBER, TEXT, WHOLE, ZONED, Engine, Relation, TablePlace, engine_of, place_of
from revplan.crm.events import LOST, NO_STAGE, stage_numbers, values_checked
from revplan.crm.file import CrmSource, did_you_mean
from revplan.crm.files import CHANGES, entries_of, key_of, wanted_columns
from revplan.crm.mapping import (
    EVERY,
    ORIGINS,
    RECORDS,
    Entered,
    HistoryCrm,
    WideCrm,
    column_of,
    file_of,
    meanings_of,
    plain,
)
from revplan.crm.readers import literal, quoted
from revplan.crm.today import Times
from revplan.crm.writings import EARLIEST, LATEST
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.formats import counted as many

MOST_LABELS = 5_000  # different texts of one column: more are ids, not labels
CUT = {15, 18}  # the lengths of Salesforce's ids, which mean the same
NO_DAY = -1_000_000  # the number of a day that is missing
EPOCH = "DATE '1970-01-01'"
NO_AMOUNT = "CAST('NaN' AS FLOAT8)"
CONSTANT = ("0", NO_AMOUNT)  # which an engine would carry along with every group
SPACES = (" ", "\t", "\n", "\r", "\u00a0")
NULLS = ", ".join(literal(each) for each in sorted({*HIDDEN_NULLS, ""}))
READ = {
    "format",
    "count",
    "files",
    "id",
    "at",
    "value",
    "field",
    "is_",
    "stages",
    "lost",
    "records",
    "amount",
    "outcome",
}
READ |= {"path", "segment", "source", "only", "except_", "timezone", "currency", "table", "url", "sql"}
OF_NO_COUNT = {"owner", "program", "product", "cost", "probability", "merged"}  # columns that no rate looks at
READ_OF_FILES = {"path", "table", "url", "sql", "id"}


@dataclass(frozen=True, eq=False)
class Log:
    """A log of changes: SQL for the rows that count, and what they lead to."""

    rows: str
    """A relation of id (the number it is known by), v (number of the stage, -1 for a loss), m (moment) and d (its day)."""
    who: str
    """A join with the records, where there are any."""
    final: tuple[str, ...]
    """Segment, source and amount of a record."""
    stages: int
    outcome: str
    events: Times
    """The days of all rows."""
    closings: Times
    """Those of wins and losses."""

    def clean(self, day: date | None) -> str:
        """SQL for the records whose loss or win, if they have one, is the last thing that happened.

        The column `odd` is 0 for them, and for the others their id.
        """
        steps = (*range(self.stages), LOST)
        firsts = ", ".join(f"min(CASE WHEN v = {step} THEN d END) AS e{number}" for number, step in enumerate(steps))
        closed = f"min(CASE WHEN v IN ({LOST}, {self.stages - 1}) THEN m END) AS closed, max(m) AS last"
        records = f"SELECT id, {firsts}, {closed}, count(*) AS behind FROM {self._until(day)} GROUP BY id"
        days = [f"coalesce(e{number}, {NO_DAY})" for number in range(len(steps))]
        odd = "CASE WHEN closed < last THEN id ELSE 0 END"
        return _counting(
            [*self.final, *days, odd],
            f"({records}) AS records {self.who}",
            "count(*) AS n, CAST(sum(behind) AS BIGINT) AS behind",
        )

    def others(self, day: date | None, near: str) -> str:
        """SQL for the other records, by id: losses that were reopened left out, and wins that were undone.

        They are looked for among the rows for which `near` holds, which are read once.
        """
        won = self.stages - 1
        of_id = (
            f"SELECT id, max(m) AS final, max(CASE WHEN v >= 0 THEN m END) AS last, max(CASE WHEN v >= 0 AND v < {won} THEN m END) AS open, "
            f"min(CASE WHEN v = {LOST} THEN m END) AS lost, max(CASE WHEN v = {LOST} THEN m END) AS gone, "
            f"min(CASE WHEN v = {won} THEN m END) AS won FROM near GROUP BY id"
        )
        undone = "greatest(open, CASE WHEN last IS NULL OR gone >= last THEN gone END)"
        bound = undone if self.outcome == "last" else "CAST(NULL AS TIMESTAMP)"
        odd = f"SELECT id, last, {bound} AS bound FROM ({of_id}) AS r WHERE lost < final OR won < final"
        kept = {
            won - 1: f"v = {won - 1} OR (v = {won} AND m < bound)",
            won: f"v = {won} AND (bound IS NULL OR m >= bound)",
            LOST: f"v = {LOST} AND (last IS NULL OR m >= last)",
        }
        firsts = [f"min(CASE WHEN {kept.get(step, f'v = {step}')} THEN m END)" for step in (*range(self.stages), LOST)]
        names = ", ".join(f"{each} AS e{number}" for number, each in enumerate(firsts))
        records = (
            f"SELECT id AS number, {names}, min(CASE WHEN v >= 0 THEN m END) AS arrived, "
            f"max(CASE WHEN v = {won} AND m < bound THEN 1 ELSE 0 END) AS undone, "
            f"sum(CASE WHEN v = {LOST} AND m < last THEN 1 ELSE 0 END) AS reopened "
            f"FROM near JOIN ({odd}) AS odd USING (id) GROUP BY id"
        )
        moments = [*(f"e{number}" for number in range(self.stages + 1)), "arrived"]
        days = ", ".join(f"{_number(moment)} AS d{number}" for number, moment in enumerate(moments))
        rows = f"SELECT * FROM {self._until(day)} WHERE {near}"
        return f"WITH near AS MATERIALIZED ({rows}) SELECT number, {days}, undone, reopened FROM ({records}) AS records"

    def of_records(self) -> str:
        """SQL for the days of the rows of records: whether they close one, and how many they are."""
        closes = f"CASE WHEN v IN ({LOST}, {self.stages - 1}) THEN 1 ELSE 0 END"
        return _counting([closes, "d"], f"{self.rows} {self.who}")

    def _until(self, day: date | None) -> str:
        if day is None:
            return self.rows
        return f"(SELECT * FROM {self.rows} WHERE m < DATE '{day}' + INTERVAL '1 day') AS until"


def _number(moment: str) -> str:
    """SQL for the number of the day of a moment."""
    return f"coalesce({_day(moment)}, {NO_DAY})"


def _day(moment: str) -> str:
    """The same, missing where the moment is."""
    return f"CAST(CAST({moment} AS DATE) - {EPOCH} AS INTEGER)"  # half the room of what the engine takes by itself


@dataclass(frozen=True, eq=False)
class Look:
    """What was asked of the tables before anything is counted: how many rows there are, and what their labels mean."""

    places: dict[str, TablePlace]
    rows: int
    names: tuple[np.ndarray, np.ndarray]
    """Of segment and of source: the label that each text stands for."""
    found: Findings
    log: Log | None
    as_written: bool
    """Whether ids of the log were taken as they stand, of which none may mean the same as one written differently."""
    wide: str
    """SQL for records that have a column for each stage."""


def look_of(source: CrmSource, today: date | None = None, as_written: bool = False) -> Look:
    """What the tables hold. Ids in a log of records are taken `as_written`, without a look at each.

    That is enough where every row turns out to be of a record (`store.open_counts` sees to it).

    Raises
    ------
    DataError
        With everything that cannot be counted in place.
    """
    crm, entries = source.crm, entries_of(source)
    if faults := [*_unread(source)]:
        raise DataError(faults)
    used = {file for file in entries if file not in crm.lists()}
    places = {file: place_of(entry, source.path.parent) for file, entry in entries.items() if file in used}
    with engine_of(places) as (engine, tables):
        seen = _Scanned(source, engine, tables, today or date.today(), as_written)
        seen.refuse_missing()
        if isinstance(crm, HistoryCrm):
            return seen.of_changes(places, crm)
        assert isinstance(crm, WideCrm)
        return seen.of_columns(places, crm)


def ids_are_odd(source: CrmSource, places: dict[str, TablePlace]) -> bool:
    """Whether ids of the log and of the records it is about may mean the same though they are written differently."""
    with engine_of(places) as (engine, tables):
        ids = _Scanned(source, engine, tables, date.today(), as_written=False).text_ids
    return any(odd for odd, _ in ids.values()) or {longest for _, longest in ids.values()} == CUT


def _unread(source: CrmSource) -> Iterator[Fault]:
    """What the CRM file says that only the reader into memory knows."""
    crm, todo = source.crm, "is read into memory only; take it out, or `count: in_place`"
    for key, field in type(crm).model_fields.items():
        if key not in READ | OF_NO_COUNT and getattr(crm, key) != field.default:
            yield Fault(source.place((key.rstrip("_"),)), todo)
    for file, entry in entries_of(source).items():
        for key in set(type(entry).model_fields) - READ_OF_FILES:
            if getattr(entry, key) is not None:
                yield Fault(source.place((*key_of(source, file), key)), todo)
    if crm.currency and "." in crm.currency:
        yield Fault(source.place(("currency",)), f"is a column, which {todo}")
    if not isinstance(crm, HistoryCrm) and len(entries_of(source)) > 1:
        yield Fault(
            source.place(("files",)),
            f"names several files, whose joining {todo.replace('is', 'is done', 1)}; or join them in a view",
        )
    in_columns = [key for key in crm.days() if isinstance(crm, HistoryCrm)]
    yield from (Fault(source.place(key), f"is a day in a column, which in a history {todo}") for key in in_columns)


@dataclass(frozen=True, eq=False)
class _Scanned:
    """The tables, while the engine is open: SQL for what the CRM file says of their columns."""

    source: CrmSource
    engine: Engine
    tables: dict[str, Relation]
    today: date
    as_written: bool

    def refuse_missing(self) -> None:
        """Stop where a column is missing.

        Raises
        ------
        DataError
            With every column that is.
        """
        faults = [
            Fault(
                self.source.place(key),
                f"{shown(self.tables[file].name)} has no column {shown(column)!r}{did_you_mean(column, list(self.tables[file].kinds))}",
            )
            for key, (file, column) in wanted_columns(self.source).items()
            if file in self.tables and key[0] not in OF_NO_COUNT and column not in self.tables[file].kinds
        ]
        if faults:
            raise DataError(faults)

    # --- columns

    def _kind(self, file: str, column: str) -> str:
        return self.tables[file].kinds[column]

    def _fault(self, file: str, column: str, message: str) -> DataError:
        return DataError([Fault(f"{self.tables[file].name}, {shown(column)}", message)])

    def id(self, file: str) -> tuple[str, str]:
        """SQL for the id of a row, and for whether it has one."""
        column = entries_of(self.source)[file].id or ""
        name, kind = quoted(column), self._kind(file, column)
        if kind == WHOLE:
            return f"CAST({name} AS VARCHAR)" if len(self.tables) > 1 else name, f"{name} IS NOT NULL"
        if kind != TEXT:
            raise self._fault(file, column, "holds no texts and no whole numbers, by which records are known in place")
        if not self.text_ids.get(file, (False, 0))[0]:
            return name, f"{name} IS NOT NULL"
        text = _stripped(name)
        number = f"substr({text}, 1, length({text}) - 2)"
        whole = (
            f"CASE WHEN {text} LIKE '_%.0' AND translate({number}, '0123456789', '') = '' THEN {number} ELSE {text} END"
        )
        filled = f"{name} IS NOT NULL AND NOT (length({text}) <= {LONGEST_NULL} AND lower({text}) IN ({NULLS}))"
        return whole, filled

    @cached_property
    def text_ids(self) -> dict[str, tuple[bool, int]]:
        """By file whose ids are texts: whether any is written oddly, or means none; and the length of the longest."""
        found = {}
        for file, entry in entries_of(self.source).items():
            if (
                file in self.tables
                and self._kind(file, entry.id or "") == TEXT
                and not (self.as_written and file == CHANGES)
            ):
                name = quoted(entry.id or "")
                spaced = " OR ".join(f"{name} LIKE {literal(f'%{space}%')}" for space in SPACES)
                none = f"length({name}) <= {LONGEST_NULL} AND lower({name}) IN ({NULLS})"
                odd = f"CASE WHEN {name} LIKE '%.0' OR {spaced} OR ({none}) THEN 1 ELSE 0 END"
                asked = f"SELECT coalesce(max({odd}), 0) AS odd, coalesce(max(length({name})), 0) AS longest FROM {self.tables[file].sql}"
                at = self.engine.ask(asked)
                found[file] = bool(at[0][0]), int(at[1][0])
        return found

    def refuse_ids_cut(self) -> None:
        """Stop where one table has Salesforce's ids of 15 characters and the other those of 18, which mean the same.

        Raises
        ------
        DataError
            If so.
        """
        if {longest for _, longest in self.text_ids.values()} == CUT:
            raise DataError(
                [Fault(self.source.place(("id",)), "has ids of 15 and of 18 characters; in memory they are joined")]
            )

    def moment(self, file: str, column: str) -> str:
        """SQL for the moment of a row; missing where it means none."""
        name, kind = quoted(column), self._kind(file, column)
        if kind not in (DAY, "moment", ZONED):
            raise self._fault(
                file, column, "holds no days or moments but texts or numbers; cast it in a view, or count in memory"
            )
        zone = literal(self.source.crm.timezone or "UTC")
        at = f"{name} AT TIME ZONE {zone}" if kind == ZONED else f"CAST({name} AS TIMESTAMP)"
        none = ", ".join(f"DATE '{day}'" for day in OPEN_ENDED.astype(str))
        return f"CASE WHEN isfinite({name}) AND CAST({at} AS DATE) NOT IN ({none}) THEN {at} END"

    def different(self, file: str, column: str, where: str = "TRUE") -> list[str]:
        """The different texts of a column of labels."""
        asked = f"SELECT DISTINCT {_text(column)} AS text FROM {self.tables[file].sql} WHERE {where} LIMIT {MOST_LABELS + 1}"
        texts = sorted(str(text) for text in self.engine.ask(asked)[0])
        if len(texts) > MOST_LABELS:
            raise self._fault(file, column, f"holds more than {MOST_LABELS:,} different texts, too many for labels")
        return texts

    def is_one_of(self, file: str, column: str, names: Iterable[str]) -> str:
        """SQL for whether a row has one of the labels in a column."""
        wanted = set().union(*(meanings_of(name) for name in names))
        return _among(_text(column), [text for text in self.different(file, column) if plain(text) in wanted])

    def counting(self, file: str) -> str:
        """SQL for whether a row counts, as `only` and `except` ask."""
        crm = self.source.crm
        found = [
            f"{'NOT ' if key == 'except' else ''}{self.is_one_of(file, column_of(column), names)}"
            for key, conditions in (("only", crm.only), ("except", crm.except_))
            for column, names in (conditions or {}).items()
            if file_of(column) == file
        ]
        return " AND ".join(found) or "TRUE"

    def label(self, key: str) -> tuple[str, str, list[str]]:
        """The file and column of a segment or source, and its different texts; one value where it has no column."""
        origin = getattr(self.source.crm, key)
        if origin is None or origin.column is None:
            return "", "", [origin.value if origin else EVERY]
        file, column = file_of(origin.column), column_of(origin.column)
        return file, column, self.different(file, column)

    def meant(self, key: str, file: str, column: str, texts: list[str]) -> np.ndarray:
        """The label that each text of a segment or source stands for."""
        if not file:
            return np.array(texts, dtype=object)
        values = np.asarray(labels(Cells(self.tables[file].name, column, texts, range(len(texts))))[0], dtype=object)
        if EVERY in values and len(set(values.tolist())) > 1:
            raise DataError([called_every(self.source, key)])
        return values

    def amount(self) -> tuple[str, str]:
        """The file of the amounts, and SQL for that of a row."""
        amount = self.source.crm.amount
        if not amount:
            return "", NO_AMOUNT
        file, name = file_of(amount.column), column_of(amount.column)
        if amount.of == "lines":
            raise self._fault(file, name, "is of lines, which are added up in memory only")
        if self._kind(file, name) not in (WHOLE, NUMBER):
            raise self._fault(file, name, "holds no numbers but texts; cast it in a view, or count in memory")
        value, table = f"CAST({quoted(name)} AS FLOAT8)", self.tables[file]
        wrong = f"SELECT count(*) AS n FROM {table.sql} WHERE NOT abs({value}) <= {LARGEST_AMOUNT:.0f} AND {value} <> {NO_AMOUNT}"
        if int(self.engine.ask(wrong)[0][0]):
            raise self._fault(file, name, "holds amounts over 1e12")
        for each in table.kinds:
            if (
                self.source.crm.currency is None
                and not CONVERTED.search(name)
                and CURRENCY.search(each)
                and not CONVERTED.search(each)
            ):
                codes = {match[0] for text in self.different(file, each) if (match := CODE.search(text))}
                if len(codes) > 1:
                    raise self._fault(
                        file,
                        each,
                        f"holds several currencies ({', '.join(sorted(codes)[:6])}), which are converted in memory only",
                    )
        return file, f"coalesce({value}, {NO_AMOUNT})"

    # --- tables

    def rows(self, file: str) -> int:
        """Rows of a table."""
        return int(self.engine.ask(f"SELECT count(*) AS n FROM {self.tables[file].sql}")[0][0])

    def read(self, file: str, rows: int, kept: int) -> Findings:
        """The lines of the report on a table."""
        table = self.tables[file]
        part = file or table.name
        aside = counted(part, "set aside: no id, an id seen before, or not what only and except ask", rows - kept)
        how = ImportLine(part, "rows read", rows, f"{table.name}: {table.how}, counted where it lies")
        return Findings(lines=(how, *aside.lines, ImportLine(part, "rows kept", kept)))

    def unique(self, file: str, columns: dict[str, str]) -> tuple[str, Findings]:
        """A relation of an id's number and `columns` of the rows of `file` that count, each id once; and the lines on it.

        Raises
        ------
        DataError
            If rows of one id differ: which of them counts is a question of their order, and a store keeps none.
        """
        id_, filled = self.id(file)
        named = ", ".join(f"{sql} AS {name}" for name, sql in {"id": self.engine.hashed(id_), **columns}.items())
        plain_rows = f"(SELECT {named} FROM {self.tables[file].sql} WHERE {filled} AND {self.counting(file)}) AS r"
        for relation in (plain_rows, f"(SELECT DISTINCT * FROM {plain_rows}) AS r"):
            asked = f"SELECT count(*) AS n, count(DISTINCT id) AS ids FROM {relation}"
            number, ids = (int(each[0]) for each in self.engine.ask(asked))
            if number == ids:
                return relation.removesuffix(" AS r"), self.read(file, self.rows(file), number)
        raise DataError.at(
            self.tables[file].name,
            f"{many(number - ids, 'row')} of an id that another, different row has; in place rows have no order, so keep "
            "one of each in a view, or count in memory",
        )

    def sound(self, file: str, column: str, day: np.ndarray, rows: np.ndarray) -> None:
        """Stop at days before 1970, after 2100 and after today, of the numbers of days and the rows of each.

        Raises
        ------
        DataError
            If there are any.
        """
        days = (EARLIEST, LATEST, np.datetime64(self.today))
        early, late, today = (each.astype("datetime64[D]").astype(np.int64) for each in days)
        dated = day != NO_DAY
        if number := int(rows[dated & ((day < early) | (day >= late))].sum()):
            raise self._fault(file, column, f"holds {many(number, 'day')} before 1970 or after 2100")
        if number := int(rows[dated & (day > today)].sum()):
            raise self._fault(
                file,
                column,
                f"holds {many(number, 'day')} after today, told in memory only; leave them out in a view",
            )

    def who(self) -> tuple[dict[str, dict[str, str]], dict[str, str], tuple[np.ndarray, np.ndarray]]:
        """Labels and amount: by file the columns to take, by key what they are in the end, and what the labels mean."""
        by_file: dict[str, dict[str, str]] = {}
        final: dict[str, str] = {}
        meant: list[np.ndarray] = []
        for key in ORIGINS:
            file, column, texts = self.label(key)
            if file and "" not in texts:
                texts.append("")  # of records without a row
            meant.append(self.meant(key, file, column, texts))
            if file:
                cases = " ".join(f"WHEN {literal(text)} THEN {number}" for number, text in enumerate(texts))
                by_file.setdefault(file, {})[key] = f"CAST(CASE {_text(column)} {cases} END AS SMALLINT)"
            final[key] = f"coalesce({key}, CAST({texts.index('')} AS SMALLINT))" if file else "0"
        file, amount = self.amount()
        if file:
            by_file.setdefault(file, {})["amount"] = amount
        final["amount"] = f"coalesce(amount, {NO_AMOUNT})" if file else NO_AMOUNT
        return by_file, final, (meant[0], meant[1])

    # --- the two formats

    def of_columns(self, places: dict[str, TablePlace], crm: WideCrm) -> Look:
        """What records with a column for each stage hold."""
        main = next(iter(self.tables))
        by_file, final, meant = self.who()
        days = [*crm.stages.values(), *([crm.lost] if crm.lost else [])]
        for number, entered in enumerate(days):
            file = file_of(entered.at or "")
            by_file.setdefault(file, {})[f"e{number}"] = self._entered(file, entered)
        relation, found = self.unique(main, by_file.get(main, {}))
        steps = len(crm.stages)
        lost = f"e{steps}" if crm.lost else "CAST(NULL AS TIMESTAMP)"
        moments = [f"e{number}" for number in range(steps)]
        undone = f"CASE WHEN e{steps - 1} < {lost} THEN 1 ELSE 0 END" if crm.outcome == "last" else "0"
        first = _number(f"least({', '.join(moments)})")
        columns = [*map(_number, moments), _number(lost), first, undone, "0"]
        wide = _counting([*final.values(), *columns], f"{relation} AS records")
        return Look(places, self.rows(main), meant, found, None, self.as_written, wide)

    def _entered(self, file: str, entered: Entered) -> str:
        if entered.at is None:
            raise self._fault(
                file, column_of(entered.column or ""), "says who is lost, but not when; that is read in memory only"
            )
        column = column_of(entered.at)
        moment = self.moment(file, column)
        asked = f"SELECT {_number(moment)} AS day, count(*) AS n FROM {self.tables[file].sql} GROUP BY 1"
        self.sound(file, column, *(each.astype(np.int64) for each in self.engine.ask(asked)))
        chosen = [self.is_one_of(file, column_of(each), names) for each, names in entered.conditions().items()]
        if not chosen:
            return moment
        undated = f"SELECT count(*) AS n FROM {self.tables[file].sql} WHERE {' AND '.join(chosen)} AND {moment} IS NULL"
        if number := int(self.engine.ask(undated)[0][0]):
            raise self._fault(file, column, f"is empty in {many(number, 'row')} of the stage, counted in memory only")
        return f"CASE WHEN {' AND '.join(chosen)} THEN {moment} END"

    def values(self, crm: HistoryCrm, field: str) -> tuple[list[tuple[str, int]], Findings]:
        """The texts of a log's values that lead to a stage, each with its number; and what is told of the others.

        Raises
        ------
        DataError
            If a label is in no row, or a value that looks closed stands for nothing.
        """
        value = _text(crm.value)
        asked = f"SELECT {value} AS text, count(*) AS n FROM {self.tables[CHANGES].sql} WHERE {field} GROUP BY 1 LIMIT {MOST_LABELS + 1}"
        texts, times = (each.tolist() for each in self.engine.ask(asked))
        if len(texts) > MOST_LABELS:
            raise self._fault(
                CHANGES, crm.value, f"holds more than {MOST_LABELS:,} different texts, too many for stages"
            )
        numbers = stage_numbers(crm, texts)
        said = Counter({text.strip(): 0 for text in texts if text.strip()})
        for text, number in zip(texts, times, strict=True):
            if text.strip():
                said[text.strip()] += number
        checked = values_checked(self.source, crm, said, np.array(numbers))
        if checked.faults:
            raise DataError(checked.faults)
        pairs = [(text, number) for text, number in zip(texts, numbers, strict=True) if number != NO_STAGE]
        return pairs, Findings(lines=checked.lines)

    def of_changes(self, places: dict[str, TablePlace], crm: HistoryCrm) -> Look:
        """What a log of changes holds, and the records it is about."""
        by_file, final, meant = self.who()
        found, who = Findings(), ""
        if crm.records:
            relation, found = self.unique(RECORDS, by_file.get(RECORDS, {}))
            who = f"JOIN {relation} AS who USING (id)"
        id_, filled = self.id(CHANGES)
        if crm.records:
            self.refuse_ids_cut()
        moment = self.moment(CHANGES, crm.at)
        field = self.is_one_of(CHANGES, crm.field, crm.is_ or ()) if crm.field else "TRUE"
        pairs, checked = self.values(crm, field)
        cases = " ".join(f"WHEN {literal(text)} THEN {number}" for text, number in pairs)
        stage = f"CASE {_text(crm.value)} {cases} END" if cases else "CAST(NULL AS INTEGER)"
        table = self.tables[CHANGES]
        reasons = f"CASE WHEN NOT ({filled}) THEN 0 WHEN NOT ({field}) THEN 1 WHEN {stage} IS NULL THEN 2 "
        reasons += f"WHEN {stage} IN ({LOST}, {len(crm.stages) - 1}) THEN 4 ELSE 3 END"
        asked = f"SELECT {reasons} AS why, {_number(moment)} AS day, count(*) AS n FROM {table.sql} GROUP BY 1, 2"
        why, day, number = (each.astype(np.int64) for each in self.engine.ask(asked))
        self.sound(CHANGES, crm.at, day, number)
        counts, read = (why >= 3) & (day != NO_DAY), int(number.sum())
        part = table.name
        if undated := number[(why == 4) & (day == NO_DAY)].sum():
            raise self._fault(
                CHANGES, crm.at, f"is empty in {many(int(undated), 'row')} of wins and losses, counted in memory only"
            )
        lines = counted(part, "rows read", read, f"{table.name}: {table.how}, counted where it lies")
        for code, reason in enumerate(("no id", "another field", "a value that is no stage", "no date")):
            lines += counted(part, f"set aside: {reason}", number[(why == code) & ~counts].sum())
        lines += Findings(lines=(ImportLine(part, "rows kept", int(number[counts].sum())),))
        events, closings = event_days(why[counts] == 4, day[counts], number[counts])
        rows = f"(SELECT id, v, m, {_day('m')} AS d FROM (SELECT {self.engine.hashed(id_)} AS id, {stage} AS v, {moment} AS m FROM {table.sql} WHERE {filled} AND {field}) AS r WHERE v IS NOT NULL AND m IS NOT NULL) AS log"
        log = Log(rows, who, tuple(final.values()), len(crm.stages), crm.outcome, events, closings)
        return Look(places, read, meant, lines + checked + found, log, self.as_written, "")


def _text(column: str) -> str:
    """SQL for a column as text; empty where it is missing."""
    return f"coalesce(CAST({quoted(column)} AS VARCHAR), '')"


def _stripped(name: str) -> str:
    return f"trim({name}, {literal(''.join(SPACES))})"


def _among(text: str, values: Sequence[str]) -> str:
    return f"{text} IN ({', '.join(map(literal, values))})" if values else "FALSE"


def _counting(keys: Sequence[str], source: str, number: str = "count(*) AS n") -> str:
    """SQL that counts the rows of `source` by `keys`."""
    named = ", ".join(f"{each} AS c{number}" for number, each in enumerate(keys))
    groups = ", ".join(str(number) for number, each in enumerate(keys, start=1) if each not in CONSTANT)
    return f"SELECT {named}, {number} FROM {source} GROUP BY {groups}"


def moments_of(days: np.ndarray) -> np.ndarray:
    """Days of their numbers; NaT for NO_DAY."""
    return np.where(days == NO_DAY, np.int64(np.iinfo(np.int64).min), days).view("datetime64[D]")


def event_days(closes: np.ndarray, days: np.ndarray, numbers: np.ndarray) -> tuple[Times, Times]:
    """The days on which something happened, and those on which records closed."""
    every = Times(moments_of(days), numbers.astype(np.int64))
    return every, every.where(closes > 0)
