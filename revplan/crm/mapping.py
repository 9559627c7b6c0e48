"""The CRM file: which files hold the records, and in which columns their stages stand."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import AfterValidator, BeforeValidator, Field

from revplan.ground.errors import shown
from revplan.ground.field_faults import FileForm
from revplan.ground.tablefile import EVERY_COLUMN, DateFormats, DecimalMarks, Rates, Text
from revplan.ground.values import FrozenDict, PathText, Value, Zone, frozen, visible

ROW = "row"  # the `id` of a file whose rows are records without one
RECORDS = "records"  # the name the columns of the records file are written with in `format: history`
ORIGINS = ("segment", "source")
EVERY = "all"  # the segment and the source of records where the CRM names none
TOUCHES = "touches"  # the name the columns of the touches file are written with
LABELS = ("owner", "team", "program", "product", "lost_reason")
MONEY = ("amount", "cost")
MOMENTS = ("close_on", "assigned")


KEPT_AWAY = "write env:NAME and keep the address in that environment variable: it may hold a password"


def no_file(path: str, whose: str = "CRM file's") -> str:
    """That there is no such file, and from where its path counts."""
    like = "like " if set(path) & set("*?") else ""
    return f"there is no file {like}{shown(path)!r}; its path counts from the {whose} folder"


def _environment_url(url: str) -> str:
    if not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", url):
        raise ValueError(KEPT_AWAY)
    return url


def _label(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | bool) else value


def _key_where_text(key: str, of: Any) -> BeforeValidator:
    """A value that is written by one of its keys alone, where that is a text, a yes or a no, or for `is` several of them."""
    alone = (str, bool, list) if key == "is" else (str, bool)
    return BeforeValidator(lambda value: {key: value} if isinstance(value, alone) else value, json_schema_input_type=of)


KeyPath = tuple[str, ...]  # the keys on the way to a value of the file
ColumnName = Annotated[str, Field(pattern=r"^[^.]+\..+$", description="file.column"), AfterValidator(visible)]
Label = Annotated[Text, BeforeValidator(_label, json_schema_input_type=str | bool)]
Labels = Annotated[
    tuple[Label, ...],
    BeforeValidator(_as_list, json_schema_input_type=str | bool | list[str | bool]),
    Field(min_length=1),
]
Columns = Annotated[
    tuple[ColumnName, ...],
    BeforeValidator(_as_list, json_schema_input_type=ColumnName | list[ColumnName]),
    Field(min_length=1),
]
Paths = Annotated[
    tuple[PathText, ...],
    BeforeValidator(_as_list, json_schema_input_type=str | list[str]),
    Field(min_length=1),
    AfterValidator(lambda paths: tuple(dict.fromkeys(paths))),
]
EnvironmentUrl = Annotated[str, AfterValidator(_environment_url)]


class Entered(Value):
    """When a record entered a stage, or was lost: a day in a column, a recorded change, or both."""

    at: ColumnName | None = None
    """Column with the day."""
    column: ColumnName | None = None
    """Under `lost`: the column with the status, where nothing says on which day a record was lost; needs `is`."""
    field: ColumnName | None = None
    """Only rows where this column `is` one of the labels count; needs `is`."""
    is_: Labels | None = Field(default=None, alias="is")
    """The labels: of `field`, or in `format: history` the values changed to."""
    where: Annotated[dict[ColumnName, Labels] | None, frozen] = None
    """Only rows where each of these columns is one of its labels count; in the file of `at`."""

    def conditions(self) -> dict[str, tuple[str, ...]]:
        """Column -> the labels of which it must be one."""
        field = {named: self.is_} if (named := self.field or self.column) and self.is_ else {}
        return {**field, **(self.where or {})}


class AmountColumn(Value):
    """Where a record's money stands: in one row, or in several that are added up."""

    column: ColumnName
    """Column with the money."""
    of: Literal["record", "lines"] = "record"
    """lines: several rows of one id are its line items, and are added up."""


class Origin(Value):
    """Where a record's segment or source stands: in a column, or the same for all."""

    column: ColumnName | None = None
    """Column with the label."""
    value: Text | None = None
    """One label for all records."""


class Location(Value):
    """Where a table stands: in a file, or in the answer of a query."""

    path: Paths | None = None
    """Path, relative to the CRM file's folder: text (CSV), an Excel workbook, Parquet or a DuckDB file. A list, or a
    pattern such as deals-*.csv, where the table stands in several files with the same header."""
    sheet: Text | None = None
    """Sheet of the Excel workbook; the first one if left out."""
    table: Text | None = None
    """Table of the DuckDB file."""
    header_row: Annotated[int, Field(ge=1)] | None = None
    """Line of the file, or row of the sheet, with the names of the columns; found where left out."""
    url: EnvironmentUrl | None = None
    """env:NAME, the environment variable with the address of a warehouse; needs `sql`."""
    sql: Text | None = None
    """One SELECT, whose answer is the table."""


class DataFile(Location):
    """A file of records."""

    id: Text | None = None
    """Column that identifies the record; `row` where there is none: then each row is one."""
    via: ColumnName | None = None
    """Column of the file with the records that holds this file's ids, such as leads.converted_opportunity_id."""
    split: Annotated[str, Field(min_length=1)] | None = None
    """What separates several ids in a cell of `id`, whose row belongs to the first of them that is a record; or of `via`."""
    date_format: DateFormats | None = None
    """How its days are written where not as 2018-01-31, or column -> how; beats the CRM file's."""
    decimal: DecimalMarks | None = None
    """Its decimal mark, or column -> decimal mark; beats the CRM file's."""


class Rejected(Entered):
    """When sales gave a record back, and why."""

    reason: ColumnName | None = None
    """Column with the reason."""


class Touches(DataFile):
    """A file with a row for every time somebody reached out to a record."""

    at: Text | None = None
    """Column with the moment."""
    who: Text | None = None
    """Column with who did."""
    kind: Text | None = None
    """Column with how: a call, a mail."""


class Changed(Value):
    """Where a log of changes holds another value than the stage."""

    is_: Labels | None = Field(default=None, alias="is")
    """Rows where the log's `field` is one of these hold the value, changed to and from."""
    old: Text | None = None
    """The log's column with the value changed from."""
    column: Text | None = None
    """The log's column that holds the value as of each row."""


Day = Annotated[Entered, _key_where_text("at", Entered | str)]
Rejection = Annotated[Rejected, _key_where_text("at", Rejected | str)]
StageChange = Annotated[Entered, _key_where_text("is", Entered | str | bool | list[str])]
LogValue = Annotated[Changed, _key_where_text("is", Changed | str | bool | list[str | bool])]
OriginColumn = Annotated[Origin, _key_where_text("column", Origin | str)]


class CrmFile(Value):
    """What every CRM file says, whatever its format."""

    segment: OriginColumn | None = None
    """Segment of the record; all records are of segment `all` if left out."""
    source: OriginColumn | None = None
    """Source of the record; all records are of source `all` if left out."""
    owner: ColumnName | None = None
    """Who works the record."""
    team: ColumnName | None = None
    """Team of who works it."""
    program: ColumnName | None = None
    """Programme the record came from."""
    amount: Annotated[AmountColumn, _key_where_text("column", AmountColumn | str)] | None = None
    """Money the record is worth; {column: file.column, of: lines} adds up its line items."""
    cost: ColumnName | None = None
    """Money spent on the record."""
    close_on: ColumnName | None = None
    """Day on which the record is expected to be won, as the CRM has it now."""
    product: ColumnName | None = None
    """What the record is about to buy."""
    lost_reason: ColumnName | None = None
    """Why the record was lost."""
    assigned: ColumnName | None = None
    """Moment the record was given to somebody in sales."""
    rejected: Rejection | None = None
    """When sales gave the record back, as a column or {at, reason}."""
    touches: Touches | None = None
    """File with a row for every time somebody reached out to a record; its columns are `touches.column`."""
    probability: ColumnName | None = None
    """The CRM's own chance of winning, looked at for warnings only."""
    merged: ColumnName | None = None
    """Ids of records that were merged into this one, separated by semicolons."""
    expected: Annotated[
        dict[Literal["segment", "source", "owner", "program", "product"], ColumnName] | None, frozen
    ] = None
    """Label -> column with all names it can have, such as owner: reps.name; names without a record are told too."""
    names: Annotated[dict[Literal["segment", "source"], dict[Label, Text | None]] | None, frozen] = None
    """Label of the export -> the plan's name, such as source: {Webseite: web}; null leaves its records out, and says so."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$|^[^.]+\..+$", description="a code or file.column")] | None = (
        None
    )
    """Currency of the amounts: one code for all, or the column (file.column) with each record's."""
    rates: Rates | None = None
    """Code of a currency -> what one unit of it is worth in the plan's, for amounts that are in it."""
    only: Annotated[dict[ColumnName, Labels] | None, frozen] = None
    """Column -> the labels of the rows that count, such as deals.Pipeline: Sales Pipeline; other rows are set aside."""
    except_: Annotated[dict[ColumnName, Labels] | None, frozen] = Field(default=None, alias="except")
    """Column -> the labels of rows that do not count, such as deals.IsDeleted: true; they are set aside."""
    duplicates: Literal["refuse", "newest"] = "refuse"
    """What becomes of rows that repeat an id and say something else: a fault, or the newest by `modified` counts."""
    modified: Columns | None = None
    """Column with the moment a row was last changed, or one for each file; needs `duplicates: newest`."""
    bad_values: Literal["refuse", "set_aside"] = "refuse"
    """What becomes of cells that cannot be read: faults, or their records are set aside and counted."""
    outcome: Literal["last", "first"] = "last"
    """Whether a record won and later lost or reopened is a win: by its last closing state (not), or by its first."""
    timezone: Zone | None = None
    """Zone, such as America/New_York, in which a moment written with its offset becomes a day; UTC if left out."""
    count: Literal["in_place", "in_memory"] | None = None
    """Where rates, forecasts and backtests count records: in_place, where they lie (Parquet, DuckDB, PostgreSQL, Spark), or in_memory."""
    merge_labels: bool = False
    """Whether labels that differ only in case or spacing become one; otherwise this is only proposed."""
    date_format: DateFormats | None = None
    """How days are written where not as 2018-01-31, for example %d/%m/%Y; or file.column -> how."""
    decimal: DecimalMarks | None = None
    """Decimal mark of amounts, "." or ","; or file.column -> its mark."""

    def data_files(self) -> dict[str, DataFile]:
        """The files by the name their columns are written with."""
        return {} if self.touches is None else {TOUCHES: self.touches}

    def key_of(self, file: str) -> KeyPath:
        """The keys under which `file` is described."""
        own = {RECORDS: getattr(self, RECORDS, None), TOUCHES: self.touches}
        return (file,) if own.get(file) is not None else ("files", file)

    def days(self) -> dict[KeyPath, Entered]:
        """Stages, and `lost`, whose day stands in a column."""
        raise NotImplementedError

    def stage_ids(self) -> tuple[str, ...]:
        """The stages, in the order of the CRM file."""
        raise NotImplementedError

    def lists(self) -> tuple[str, ...]:
        """The files that only list expected names."""
        others = {file_of(column) for key, column in self.columns().items() if key[0] != "expected"} | {RECORDS}
        listed = [file_of(column) for column in (self.expected or {}).values() if column]
        return tuple(dict.fromkeys(file for file in listed if file not in others))

    def conditions(self, file: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
        """What `only` and `except` ask of a file: which of the two it is, the column, and its labels."""
        for key, said in (("only", self.only), ("except", self.except_)):
            for column, labels in (said or {}).items():
                if file_of(column) == file:
                    yield key, column_of(column), labels

    def has_lines(self, file: str) -> bool:
        """Whether several rows of `file` are the line items of one record."""
        return self.amount is not None and self.amount.of == "lines" and file_of(self.amount.column) == file

    def columns(self) -> dict[KeyPath, str]:
        """Every column the file names, by the key that names it."""
        days = self.days().items()
        named: dict[KeyPath, str | None] = {
            (*key, part): getattr(day, part) for key, day in days for part in ("at", "field", "column")
        }
        named |= {(*key, "where", column): column for key, day in days for column in day.where or ()}
        named |= {("only", column): column for column in self.only or ()}
        named |= {("except", column): column for column in self.except_ or ()}
        for key in ("date_format", "decimal"):
            named |= {(key, column): column for column in getattr(self, key) or () if column != EVERY_COLUMN}
            for name, file in self.data_files().items():
                said = getattr(file, key, None) or ()
                place = self.key_of(name)
                named |= {(*place, key, each): f"{name}.{each}" for each in said if each != EVERY_COLUMN}
        named |= {("expected", label): column for label, column in (self.expected or {}).items()}
        named |= {(*self.key_of(name), "via"): file.via for name, file in self.data_files().items() if file}
        named |= {(key,): place.column for key in ORIGINS if (place := getattr(self, key))}
        named |= {("modified", column): column for column in self.modified or ()}
        named |= {("currency",): self.currency if self.currency and "." in self.currency else None}
        named |= {("amount",): self.amount.column if self.amount else None}
        named |= {(key,): getattr(self, key) for key in (*LABELS, *MOMENTS, "cost", "probability", "merged")}
        if gone := self.rejected:
            named |= {("rejected", part): getattr(gone, part) for part in ("at", "field", "reason")}
            named |= {("rejected", "where", column): column for column in gone.where or ()}
        return {key: column for key, column in named.items() if column}


class WideCrm(CrmFile):
    """One row per record, a column per stage; files are joined on their ids."""

    format: Literal["wide"]
    """wide."""
    files: Annotated[dict[Text, DataFile], frozen, Field(min_length=1)]
    """The files by name; columns are written `name.column`."""
    stages: Annotated[dict[Text, Day], frozen, Field(min_length=2, max_length=10)]
    """Stage -> column with the day it was entered; the file of the first one says which records there are."""
    lost: Day | None = None
    """Column with the day the record was lost or disqualified."""

    def stage_ids(self) -> tuple[str, ...]:
        return tuple(self.stages)

    def data_files(self) -> dict[str, DataFile]:
        return {**(self.files or {}), **super().data_files()}

    def days(self) -> dict[KeyPath, Entered]:
        days: dict[KeyPath, Entered | None] = {("stages", stage): day for stage, day in (self.stages or {}).items()}
        return {key: day for key, day in {**days, ("lost",): self.lost}.items() if day is not None}


class HistoryCrm(CrmFile, Location):
    """One row per change of stage; `path` (or `url` and `sql`) says where the changes stand."""

    format: Literal["history"]
    """history."""
    id: Text
    """Column with the record's id."""
    at: Text
    """Column with the moment of the change."""
    value: Text
    """Column with the value changed to."""
    field: Text | None = None
    """Column with the name of the field that changed; every row counts if left out."""
    is_: Labels | None = Field(default=None, alias="is")
    """Only changes of this field count."""
    changes: Annotated[dict[Literal["amount", "close_on"], LogValue] | None, frozen] = None
    """What else the log says of a record: amount and expected close date, as labels of `field` or as a column."""
    stages: Annotated[dict[Text, StageChange], frozen, Field(min_length=2, max_length=10)]
    """Stage -> the value or values changed to, or {at: records.column} where the records file has its day."""
    lost: Labels | None = None
    """Values that mean the record was lost or disqualified."""
    regressions: Literal["first", "last"] = "first"
    """Which entry counts of a stage entered again: the first, or the last, which undoes what came after earlier ones."""
    attempts: bool = False
    """Whether a record that leaves (lost, won, or in a value that is no stage) and enters again is a new attempt."""
    records: DataFile | None = None
    """File with one row per record, for segment, source, amount; columns are written `records.column`."""
    files: Annotated[dict[Text, DataFile] | None, frozen] = None
    """Files with lists of expected names."""

    def stage_ids(self) -> tuple[str, ...]:
        return tuple(self.stages)

    def data_files(self) -> dict[str, DataFile]:
        return {**({RECORDS: self.records} if self.records else {}), **(self.files or {}), **super().data_files()}

    def days(self) -> dict[KeyPath, Entered]:
        return {("stages", stage): day for stage, day in (self.stages or {}).items() if day is not None and day.at}


def form_of(model: type[Value]) -> FileForm:
    """What messages about a CRM file, or a part of it, say of its keys."""
    return FileForm(
        model.model_json_schema(),
        examples={"currency": "EUR for all amounts, or file.column with the code of each record"},
        example="leads.created, a file and its column",
        fixed={"url": KEPT_AWAY},
    )


def crm_labels(crm: HistoryCrm) -> dict[str, tuple[str, ...]]:
    """Stage -> the values changed to that mean it."""
    return {
        stage: entered.is_
        for stage, entered in (crm.stages or FrozenDict()).items()
        if entered is not None and entered.is_ and not entered.at
    }


def plain(label: str) -> str:
    """`label` without differences of case and spacing."""
    return " ".join(visible(label).split()).casefold()


BOOLEANS = {
    "true": "true 1 1.0 yes y t wahr ja vrai oui verdadero sí si sim да истина",
    "false": "false 0 0.0 no n f falsch nein faux non falso não нет ложь",
}


def meanings_of(label: str) -> set[str]:
    """The plain texts that mean `label`: true and false are written in many ways."""
    key = plain(label)
    return set(BOOLEANS[key].split()) if key in BOOLEANS else {key}


# What labels say in words: that something was won, lost, or is over.
WON = re.compile(r"\b(won|gewonnen|gagnée?|gagné|ganad[oa]|ganh[oa]|vint[oa])\b|выигран|успеш", re.IGNORECASE)
LOST = re.compile(
    r"\b(lost|lose|dead|disqualified|unqualified|cancell?ed|abandoned|rejected|no decision|verloren|abgesagt|storniert|"
    r"perdue?|abandonnée?|perdid[oa]|pers[oa])\b|провал|проигран|отказ",
    re.IGNORECASE,
)
CLOSED = re.compile(r"\b(closed|geschlossen|abgeschlossen|fermée?|cerrad[oa]|закрыт)", re.IGNORECASE)


def looks_closed(label: str) -> bool:
    """Whether `label` says in words that a record is over."""
    return any(words.search(label) for words in (WON, LOST, CLOSED))


def tidy(label: str) -> str:
    """`label` as names are compared: composed letters, single spaces, nothing that cannot be seen."""
    spaced = "".join(" " if c.isspace() else c for c in unicodedata.normalize("NFC", label))
    seen = "".join(c for c in spaced if unicodedata.category(c) not in {"Cc", "Cf"})
    return " ".join(seen.split())


def in_spelling_of(names: Iterable[str], labels: pd.Series) -> pd.Series:
    """`labels`, those that are one of `names` written as it is."""
    spelled = {tidy(name): name for name in names}
    written = {label: spelled.get(tidy(label), label) for label in labels.unique()}
    is_text = labels.dtype == "str" or isinstance(labels.dtype, pd.CategoricalDtype)
    is_same = is_text and all(label == name for label, name in written.items())
    return labels if is_same else labels.map(written).astype("str")


def file_of(column: str) -> str:
    """The file part of file.column."""
    return column.partition(".")[0]


def column_of(column: str) -> str:
    """The column part of file.column."""
    return column.partition(".")[2]
