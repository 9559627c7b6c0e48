"""Reading a CRM file: every fault of it at once, each with its line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from revplan.crm.cells import Findings
from revplan.crm.mapping import (
    RECORDS,
    TOUCHES,
    CrmFile,
    DataFile,
    HistoryCrm,
    KeyPath,
    Location,
    WideCrm,
    crm_labels,
    file_of,
    form_of,
    plain,
)
from revplan.crm.presets import expanded, presets
from revplan.crm.text_table import TextTable
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.field_faults import field_faults
from revplan.ground.files import told_of
from revplan.ground.values import SALVAGE
from revplan.ground.yamlfile import Document, dotted, read_yaml


@dataclass(frozen=True)
class CrmSource:
    """A CRM file as read: what it says, where, and the line of each key for messages."""

    crm: WideCrm | HistoryCrm
    path: Path
    document: Document
    found: Findings = field(default_factory=Findings)
    """What a preset chose, for the report."""
    tables: dict[str, TextTable] = field(default_factory=dict)
    """Files a preset has read already."""

    def place(self, key: KeyPath) -> str:
        """File, line and key, for a message about what `key` says."""
        return self.document.where(key)


WANTED = "the CRM file (YAML)"

FORMATS: dict[str, type[WideCrm] | type[HistoryCrm]] = {"wide": WideCrm, "history": HistoryCrm}


def read_crm_file(path: Path) -> CrmSource:
    """The CRM file at `path`.

    Raises
    ------
    DataError
        If it is not YAML, or says something unknown or impossible; every fault of the file at once.
    """
    with told_of(DataError, shown(path.name), "look for a value of an odd form, and write it plainly"):
        return _source(path)


def is_crm_file(path: Path) -> bool:
    """Whether the YAML file at `path` says how records are read, and is no plan."""
    data = read_yaml(path, DataError, "a plan or a CRM file (YAML)").data
    return "goal" not in data and bool({"format", "preset"} & set(data))


def crm_schema() -> dict[str, Any]:
    """The JSON Schema of the CRM file, for editors."""
    schema = TypeAdapter(WideCrm | HistoryCrm).json_schema(mode="validation")
    forms = [schema["$defs"][model.__name__] for model in FORMATS.values()]
    named = {
        "description": "The CRM whose exports these are; it writes the keys that are left out.",
        "enum": list(presets()),
    }
    keys = {key: value for form in reversed(forms) for key, value in form["properties"].items() if key != "format"}
    preset = {
        "type": "object",
        "additionalProperties": False,
        "required": ["preset", "files"],
        "properties": {"preset": named, **keys},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "The CRM file: how records are read",
        "$defs": schema["$defs"],
        "anyOf": [{"$ref": f"#/$defs/{model.__name__}"} for model in FORMATS.values()] + [preset],
    }


def _source(path: Path) -> CrmSource:
    document = read_yaml(path, DataError, WANTED)
    if "goal" in document.data and not {"format", "preset"} & set(document.data):
        raise DataError.at(document.name, f"is a plan; give {WANTED}{_named_by(document.data)}")
    if "preset" not in document.data:
        return CrmSource(_checked(document.data, document), path, document)
    preset = expanded(document, path.parent)
    return CrmSource(_checked(preset.data, document), path, document, preset.found, preset.tables)


def _named_by(plan: dict[str, Any]) -> str:
    """The CRM file that a plan names, for a message."""
    history = plan.get("history")
    named = history.get("leads") if isinstance(history, dict) else None
    return f" that it names: {shown(named)}" if named else ""


def _checked(data: dict[str, Any], document: Document) -> WideCrm | HistoryCrm:
    model = FORMATS.get(str(data.get("format")))
    if model is None:
        given = shown(data.get("format", "missing"))
        raise DataError.at(document.where(("format",)), f"is {given}; it must be one of: {', '.join(FORMATS)}")
    faults: list[Fault] = []
    try:
        crm = model.model_validate(data)
    except ValidationError as error:
        logged = LOGGED if model is WideCrm else set()
        found = field_faults(error, data, form_of(model))
        faults += [Fault(document.where(at), OF_HISTORY if logged & {*at[:1]} else message) for at, message in found]
        crm = model.model_validate(data, context=SALVAGE)  # what is at fault is None
    faults += [Fault(document.where(key), message) for key, message in _consistency(crm)]
    if faults:
        raise DataError(faults)
    return crm


LOGGED = HistoryCrm.model_fields.keys() - WideCrm.model_fields.keys()
OF_HISTORY = "is for `format: history` only: in `format: wide` a stage has one day; take it out"


def did_you_mean(name: str, names: list[str]) -> str:
    """A hint for a message: the known name most like `name`, or what there is."""
    close = get_close_matches(name.casefold(), [each.casefold() for each in names], n=1, cutoff=0.75)
    if close:
        return f"; did you mean {shown(next(each for each in names if each.casefold() == close[0]))!r}?"
    listed = ", ".join(shown(each) for each in names[:12])
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"; it has {listed}{more}" if names else ""


def _consistency(crm: CrmFile) -> Iterator[tuple[KeyPath, str]]:
    """Key and message of whatever does not fit together; parts that are None were faulty themselves."""
    yield from _files(crm)
    yield from _days(crm)
    for key in ("segment", "source"):
        place = getattr(crm, key)
        if place is not None and (place.column is None) == (place.value is None):
            yield (key,), "give either a column (file.column) or {value: one label for all}"
    if crm.duplicates == "newest" and not crm.modified:
        yield ("duplicates",), "needs `modified`: the column (file.column) with the moment a row was last changed"
    if crm.modified and crm.duplicates != "newest":
        yield ("modified",), "acts only with `duplicates: newest`; add it, or take this key out"
    if isinstance(crm, HistoryCrm):
        yield from _changes(crm)


def _files(crm: CrmFile) -> Iterator[tuple[KeyPath, str]]:
    files = crm.data_files()
    for name in files:
        if "." in name:
            yield ("files", name), "a file's name must not hold a dot: columns are written file.column"
    lists = crm.lists()
    for name, file in files.items():
        key = crm.key_of(name)
        if file is not None:
            yield from _location(key, file)
            yield from _id(key, file, name in lists)
    yield from _joins_that_do_nothing(crm)
    if crm.touches is not None and crm.touches.at is None:
        yield (TOUCHES, "at"), "is missing; name the column with the moment of a touch"
    if crm.touches is not None and TOUCHES in (getattr(crm, "files", None) or {}):
        yield ("files", TOUCHES), "is the name of the file under `touches`; call this one otherwise"
    if isinstance(crm, HistoryCrm):
        yield from _location((), crm)
    yield from _columns(crm)


def _columns(crm: CrmFile) -> Iterator[tuple[KeyPath, str]]:
    """Columns of files that there are not, or that only list names."""
    files, lists, logged = crm.data_files(), crm.lists(), isinstance(crm, HistoryCrm)
    for place, column in crm.columns().items():
        file = file_of(column)
        if file not in files and (files or logged):
            yield place, f"{shown(file)!r} is none of the files{did_you_mean(file, list(files))}"
        elif file == TOUCHES and place[0] not in ("only", "except", "date_format", "decimal", TOUCHES):
            yield place, f"{shown(column)!r}: a row of touches is no record; name a column of a file with records"
        elif logged and file not in (RECORDS, TOUCHES, *lists) and place[0] not in ("expected", "files"):
            todo = "take it from the file under `records`, whose columns are records.column"
            yield place, f"{shown(column)!r}: in `format: history` the files under `files` only list names; {todo}"


def _location(key: KeyPath, where: Location) -> Iterator[tuple[KeyPath, str]]:
    if not {"path", "sql", "url"} & where.model_fields_set:
        yield (*key, "path"), "is missing; or give `url` and `sql`"
    if where.path is not None and (where.sql is not None or where.url is not None):
        yield (*key, "path"), "give either `path`, or `url` and `sql`"
    if ("sql" in where.model_fields_set) != ("url" in where.model_fields_set):
        yield (*key, "sql"), "give `url` and `sql` together: the environment variable with the address, and the query"
    if where.sheet is not None and where.table is not None:
        yield (*key, "sheet"), "a sheet is of an Excel workbook, a table of a DuckDB file; give one of them"


def _id(key: KeyPath, file: DataFile, is_list: bool) -> Iterator[tuple[KeyPath, str]]:
    if "id" not in file.model_fields_set and not is_list:
        yield (*key, "id"), "is missing"
    if file.via and file_of(file.via) == key[-1]:
        yield (*key, "via"), "is a column of this file itself; name one of the file with the records"


def _joins_that_do_nothing(crm: CrmFile) -> Iterator[tuple[KeyPath, str]]:
    """`via` and `split` of files whose rows are not joined to the records of another."""
    stages = () if isinstance(crm, HistoryCrm) else tuple(crm.days().values())
    first = file_of(stages[0].at) if stages and stages[0].at else ""
    joined = () if isinstance(crm, HistoryCrm) else set(crm.data_files()) - {first, TOUCHES, *crm.lists()}
    for name, file in crm.data_files().items():
        for key in ("via", "split"):
            if file is not None and name not in joined and getattr(file, key) is not None:
                todo = "acts only where the rows of a file belong to the records of another, in `format: wide`"
                yield (*crm.key_of(name), key), f"{todo}; take it out"


def _days(crm: CrmFile) -> Iterator[tuple[KeyPath, str]]:
    given = dict(crm.days())
    if crm.rejected is not None:
        given["rejected",] = crm.rejected
    for key, day in given.items():
        undated = day.column is not None and key == ("lost",)
        if day.at is None and not undated:
            yield key, "has no `at`; name the column with its day (file.column)"
        if day.column and (day.field or day.at):
            yield key, "`column` is for records of which no day is known; with `at` write `field` and `is`"
        if ((day.field or day.column) is None) != (day.is_ is None):
            yield key, f"give `{'column' if undated else 'field'}` and `is` together: only rows with that label count"
        if day.at and day.field and file_of(day.at) != file_of(day.field):
            files = f"{file_of(day.at)} and {file_of(day.field)}"
            yield key, f"`at` and `field` must stand in one file; these are {files}"
        if day.at and any(file_of(column) != file_of(day.at) for column in day.where or ()):
            yield (*key, "where"), f"its columns must stand in the file of `at`, {shown(file_of(day.at))}"


def _changes(crm: HistoryCrm) -> Iterator[tuple[KeyPath, str]]:
    if (crm.field is None) != (crm.is_ is None):
        yield ("field",), "give `field` and `is` together: only changes of that field count"
    for stage, entered in (crm.stages or {}).items():
        if entered is not None and entered.at is None and entered.is_ is None:
            yield ("stages", stage), "give the values changed to, or {at: records.column}"
    yield from _values_of_log(crm)
    meanings: list[tuple[str, KeyPath]] = [
        (label, ("stages", stage)) for stage, labels in crm_labels(crm).items() for label in labels
    ]
    meanings += [(label, ("lost",)) for label in crm.lost or ()]
    seen: dict[str, KeyPath] = {}
    for label, key in meanings:
        yield from _taken_twice((label,), key, seen)


def _taken_twice(labels: Iterable[str], key: KeyPath, taken: dict[str, KeyPath]) -> Iterator[tuple[KeyPath, str]]:
    """Those of `labels` that another key has; the others are taken by `key`."""
    for label in labels:
        if (other := taken.setdefault(plain(label), key)) != key:
            yield key, f"{shown(label)!r} stands for {dotted(other)} already; a value has one meaning"


def _values_of_log(crm: HistoryCrm) -> Iterator[tuple[KeyPath, str]]:
    """What `changes` says that cannot be."""
    taken: dict[str, KeyPath] = {plain(label): ("is",) for label in crm.is_ or ()}
    for name, place in (crm.changes or {}).items():
        key: KeyPath = ("changes", name)
        if place is None:
            continue
        if (place.is_ is None) == (place.column is None):
            yield key, "give either the labels of `field` whose rows hold it, or {column: a column of the log}"
        if place.is_ and crm.field is None:
            yield key, "names labels of `field`, which is missing; name the log's column with the field that changed"
        if place.old and not place.is_:
            yield (
                (*key, "old"),
                "goes with `is`: of a column that holds the value as of each row, the row before tells it",
            )
        yield from _taken_twice(place.is_ or (), key, taken)
        if getattr(crm, name) is None:
            yield key, f"needs `{name}` too: the records' column with what those have that never changed"
