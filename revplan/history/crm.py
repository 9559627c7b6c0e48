"""The CRM file: which files hold the records, and in which columns their stages stand."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from revplan.values import FrozenDict, Value, frozen

RECORDS = "records"  # the name the columns of the records file are written with in `format: history`
PROBE = datetime(2003, 2, 1)


def _known_format(text: str) -> str:
    try:
        same = datetime.strptime(PROBE.strftime(text), text) == PROBE
    except ValueError:
        same = False
    if not same:
        raise ValueError("is no date format with year, month and day, such as %d/%m/%Y or %m/%d/%Y %H:%M")
    return text


def _label(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str | bool) else value


def _key_where_text(key: str) -> BeforeValidator:
    return BeforeValidator(lambda value: {key: value} if isinstance(value, str | bool) else value)


Key = tuple[str, ...]  # the keys on the way to a value of the file
Text = Annotated[str, Field(min_length=1)]
Column = Annotated[str, Field(pattern=r"^[^.]+\..+$", description="file.column")]
Label = Annotated[Text, BeforeValidator(_label)]
Labels = Annotated[tuple[Label, ...], BeforeValidator(_as_list), Field(min_length=1)]
DateFormat = Annotated[str, AfterValidator(_known_format)]
DecimalMark = Literal[".", ","]


class Entered(Value):
    """When a record entered a stage, or was lost: a day in a column, a recorded change, or both."""

    at: Column | None = None
    """Column with the day."""
    field: Column | None = None
    """Only rows where this column `is` one of the labels count; needs `is`."""
    is_: Labels | None = Field(default=None, alias="is")
    """The labels: of `field`, or in `format: history` the values changed to."""


class Origin(Value):
    """Where a record's segment or source stands: in a column, or the same for all."""

    column: Column | None = None
    """Column with the label."""
    value: Text | None = None
    """One label for all records."""


class DataFile(Value):
    """A file of records."""

    path: Text
    """Path, relative to the CRM file's folder."""
    id: Text
    """Column that identifies the record."""
    date_format: DateFormat | None = None
    """How its days are written where not as 2018-01-31; beats the CRM file's."""
    decimal: DecimalMark | None = None
    """Its decimal mark; beats the CRM file's."""


Day = Annotated[Entered, _key_where_text("at")]
Change = Annotated[Entered, _key_where_text("is"), BeforeValidator(lambda v: {"is": v} if isinstance(v, list) else v)]
Place = Annotated[Origin, _key_where_text("column")]


class CrmFile(Value):
    """What every CRM file says, whatever its format."""

    segment: Place | None = None
    """Segment of the record; all records are of segment `all` if left out."""
    source: Place | None = None
    """Source of the record; all records are of source `all` if left out."""
    owner: Column | None = None
    """Who works the record."""
    program: Column | None = None
    """Programme the record came from."""
    amount: Column | None = None
    """Money the record is worth."""
    cost: Column | None = None
    """Money spent on the record."""
    date_format: DateFormat | None = None
    """How days are written where not as 2018-01-31, for example %d/%m/%Y."""
    decimal: DecimalMark | None = None
    """Decimal mark of amounts, "." or ","."""

    def data_files(self) -> dict[str, DataFile]:
        """The files by the name their columns are written with."""
        raise NotImplementedError

    def days(self) -> dict[Key, Entered]:
        """Stages, and `lost`, whose day stands in a column."""
        raise NotImplementedError

    def stage_ids(self) -> tuple[str, ...]:
        """The stages, in the order of the CRM file."""
        raise NotImplementedError

    def columns(self) -> dict[Key, str]:
        """Every column the file names, by the key that names it."""
        days = self.days().items()
        named: dict[Key, str | None] = {
            (*key, part): getattr(day, part) for key, day in days for part in ("at", "field")
        }
        named |= {(key,): place.column for key in ("segment", "source") if (place := getattr(self, key))}
        named |= {(key,): getattr(self, key) for key in ("owner", "program", "amount", "cost")}
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
        return dict(self.files or {})

    def days(self) -> dict[Key, Entered]:
        days: dict[Key, Entered | None] = {("stages", stage): day for stage, day in (self.stages or {}).items()}
        return {key: day for key, day in {**days, ("lost",): self.lost}.items() if day is not None}


class HistoryCrm(CrmFile):
    """One row per change of stage."""

    format: Literal["history"]
    """history."""
    path: Text
    """File with the changes, relative to the CRM file's folder."""
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
    stages: Annotated[dict[Text, Change], frozen, Field(min_length=2, max_length=10)]
    """Stage -> the value or values changed to, or {at: records.column} where the records file has its day."""
    lost: Labels | None = None
    """Values that mean the record was lost or disqualified."""
    records: DataFile | None = None
    """File with one row per record, for segment, source, amount; columns are written `records.column`."""

    def stage_ids(self) -> tuple[str, ...]:
        return tuple(self.stages)

    def data_files(self) -> dict[str, DataFile]:
        return {RECORDS: self.records} if self.records else {}

    def days(self) -> dict[Key, Entered]:
        return {("stages", stage): day for stage, day in (self.stages or {}).items() if day is not None and day.at}


def crm_labels(crm: HistoryCrm) -> dict[str, tuple[str, ...]]:
    """Stage -> the values changed to that mean it."""
    return {
        stage: entered.is_
        for stage, entered in (crm.stages or FrozenDict()).items()
        if entered is not None and entered.is_ and not entered.at
    }


def plain(label: str) -> str:
    """`label` without differences of case and spacing."""
    return " ".join(label.split()).casefold()


def file_of(column: str) -> str:
    """The file part of file.column."""
    return column.partition(".")[0]


def column_of(column: str) -> str:
    """The column part of file.column."""
    return column.partition(".")[2]
