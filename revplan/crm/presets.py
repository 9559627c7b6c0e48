"""Presets of the CRM file: exports of a CRM known by their header rows, each CRM described in one data file.

A preset writes the keys of the CRM file that the user left out. What it takes a file for, and which
column for what, stands in the import report; any key may be written instead, and then counts.

`revplan/crm/presets/NAME.yaml` holds the `kinds` of tables a CRM exports (the headers of each role in every
language and spelling, and the roles by which a table is known), and `readings`: the CRM file for the kinds that
are there, with `$kind.role` for file.column, `@kind.role` for the column alone, `$kind` for the file's name;
`{needs: $kind.role, then: ...}` is there only where that column is.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cache
from importlib import resources
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError
from ruamel.yaml import YAML

from revplan.crm.cells import Findings, ImportLine
from revplan.crm.mapping import RECORDS, DataFile, form_of, meanings_of, plain
from revplan.crm.readers import read_table, refuse_missing
from revplan.crm.text_table import TextTable
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.field_faults import field_faults
from revplan.ground.yamlfile import Document

Data = dict[str, Any]
LIST = "a list"
CHANGES = ""  # what `files` calls the file with the changes
REFERENCE = re.compile(r"(?P<as>[$@])(?P<kind>[^.?]+)(?:\.(?P<role>[^?]+))?(?P<optional>\?)?")
GAP, LEFT_OUT = object(), object()  # an alternative that cannot be; a part that need not be
NOT_THERE: tuple[Any, ...] = (GAP, LEFT_OUT, {})
PARTED = ("files", "stages", "only", "except", "changes")  # keys whose parts stand each for itself
LISTED = 20  # headers shown in a message


@cache
def presets() -> Mapping[str, Data]:
    """Every preset by its name, as its data file holds it."""
    folder = resources.files("revplan.crm").joinpath("presets")
    files = sorted(each.name for each in folder.iterdir() if each.name.endswith(".yaml"))
    read = {name: YAML(typ="safe", pure=True).load(folder.joinpath(name).read_text(encoding="utf-8")) for name in files}
    return {name.removesuffix(".yaml"): data for name, data in sorted(read.items(), key=lambda each: each[1]["order"])}


def squeezed_header(column: str, prefixes: Iterable[str] = ()) -> str:
    """A header by its letters and digits only: CreatedDate, created_date, CREATED_DATE__C and Created Date are one."""
    text = unicodedata.normalize("NFKC", column).strip().casefold()
    before = next((each for each in prefixes if text.startswith(each)), "")
    return re.sub(r"[\W_]", "", text.removeprefix(before).removesuffix("__c"))


@dataclass(frozen=True, eq=False)
class RecognisedFile:
    """A file, the kind of table it was taken for, and which of its columns were taken for what."""

    name: str
    kind: str
    table: TextTable
    columns: dict[str, str]
    """Role -> column, for every role of the kind that the file has."""
    roles: dict[str, str] = field(default_factory=dict)
    """The same, as far as asked for."""


def export_of(name: str, table: TextTable, preset: Data) -> RecognisedFile:
    """The file `name` as one of the kinds of `preset`: the first that its header is known by; else a list."""
    prefixes = preset.get("prefixes", ())
    headers: dict[str, str] = {}
    for header in table.header:
        headers.setdefault(squeezed_header(header, prefixes), header)
    for kind, described in preset["kinds"].items():
        columns = {
            role: found for role, names in described["columns"].items() if (found := header_called(names, headers))
        }
        recognised_by = ([each] if isinstance(each, str) else each for each in described["recognised_by"])
        if any(set(roles) <= set(columns) for roles in recognised_by):
            return RecognisedFile(name, kind, table, columns)
    return RecognisedFile(name, LIST, table, {})


def header_called(names: Iterable[str], headers: Mapping[str, str], taken: Collection[str] = ()) -> str | None:
    """The header with the first of `names` that is not `taken`; a star stands for anything."""
    for name in names:
        start = squeezed_header(name)
        for squeezed, header in headers.items():
            if header not in taken and (squeezed == start or (name[-1:] == "*" and squeezed.startswith(start))):
                return header
    return None


RENEWALS = re.compile(
    r"renew|existing|expansion|up-?sell|cross-?sell|add-?on|verlänger|bestand|erweiterung|renouvel|renov", re.IGNORECASE
)
"""What deals are called that are no new business."""


def lines_of_business(export: RecognisedFile) -> tuple[str, Counter[str]] | None:
    """The column that tells pipelines apart, or renewals from new business, and how often each occurs; None where one does."""
    for role in ("pipeline", "record type", "type"):
        column = export.columns.get(role)
        if column is None or column not in export.table.columns:
            continue
        counts = Counter(filter(None, map(str.strip, export.table.cells(column))))
        renewals = sum(RENEWALS.search(label) is not None for label in counts)
        if len(counts) > 1 and (role == "pipeline" or 0 < renewals < len(counts)):
            return column, counts
    return None


def _mixed_business(document: Document, exports: Iterable[RecognisedFile], reading: Reading) -> Iterator[Fault]:
    """Faults of files with several pipelines where the CRM file does not say which count."""
    asked = {column for key in ("only", "except") for column in document.data.get(key) or ()}
    used = {*reading.described["of"], *reading.described.get("with", ())}
    for each in exports:
        found = lines_of_business(each) if each.kind in used and reading.used().get(each.name) != CHANGES else None
        if found is None or f"{each.name}.{found[0]}" in asked:
            continue
        column, counts = found
        listed = ", ".join(f"{shown(label)} {count:,}" for label, count in counts.most_common(LISTED))
        new = [label for label in counts if not RENEWALS.search(label)] or list(counts)
        line = f"only: {{{shown(each.name)}.{shown(column)}: [{shown(new[0])}]}}"
        yield Fault(
            document.where(("files", each.name)),
            f"{shown(column)} tells {len(counts)} kinds of deals apart ({listed}), which win at rates of their own; "
            f"say which count, such as {line}, or name them all",
        )


def headers_of(preset: Data) -> frozenset[str]:
    """The headers that can matter, squeezed; of databases only these are read."""
    return frozenset(
        squeezed_header(name)
        for kind in preset["kinds"].values()
        for names in kind["columns"].values()
        for name in names
    )


# --- a preset and its files as a CRM file -------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Reading:
    """One way to read the kinds of tables that are there, being written down as a CRM file."""

    preset: Data
    described: Data
    exports: Mapping[str, RecognisedFile]
    """Kind -> the file."""
    written: frozenset[str] = frozenset()
    """Keys the user has written: what only they need is not missed."""
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def crm(self) -> Data:
        """The CRM file."""
        keys = {key: value for key, value in self.described["crm"].items() if key not in self.written}
        filled = {
            key: self._those_there(each) if key in PARTED else self._filled(each, True) for key, each in keys.items()
        }
        crm = {key: value for key, value in filled.items() if value not in NOT_THERE}
        if "stages" in keys and "fewer_than_two" in self.described and len(crm.get("stages", ())) < 2:
            self._filled(self.described["fewer_than_two"], True)
        return crm

    def _those_there(self, template: Data) -> Data:
        """The keys of `template` that can be, each for itself."""
        filled = {self._filled(key, True): self._filled(each, True) for key, each in template.items()}
        return {key: each for key, each in filled.items() if key not in NOT_THERE and each not in NOT_THERE}

    def used(self) -> dict[str, str]:
        """File -> what it is called in the CRM file, where that is another name."""
        called = {"changes": CHANGES, RECORDS: RECORDS}
        kinds = {self.described[role]: name for role, name in called.items() if role in self.described}
        return {self.exports[kind].name: name for kind, name in kinds.items() if kind in self.exports}

    def _filled(self, template: Any, needed: bool) -> Any:
        """`template` with columns for its references; what is missing is a fault if `needed`."""
        if isinstance(template, str):
            match = REFERENCE.fullmatch(template)
            return self._column(match, needed) if match else template
        if not isinstance(template, dict):
            return LEFT_OUT if template is None else template
        if "first_of" in template:
            return self._first_of(template["first_of"], needed)
        if "labels" in template:
            return self._labels(template["labels"], self._cells(template["in"]))
        if "values" in template:
            return self._values(template)
        if "needs" in template:
            lacks = self._filled(template["needs"], False) in NOT_THERE
            return GAP if lacks else self._filled(template["then"], needed)
        if "note" in template:
            self.notes.append(template["note"])
            return LEFT_OUT
        return self._mapping(template, needed)

    def _mapping(self, template: Data, needed: bool) -> Any:
        filled = {self._filled(key, needed): self._filled(each, needed) for key, each in template.items()}
        if any(part is GAP for pair in filled.items() for part in pair):
            return GAP
        kept = {key: each for key, each in filled.items() if key is not LEFT_OUT and each is not LEFT_OUT}
        return kept or LEFT_OUT

    def _first_of(self, alternatives: list, needed: bool) -> Any:
        for each in alternatives[:-1]:
            found = self._filled(each, False)
            if found is not GAP and found is not LEFT_OUT:
                return found
        return self._filled(alternatives[-1], needed)

    def _column(self, match: re.Match[str], needed: bool) -> Any:
        kind, role = match["kind"], match["role"]
        export = self.exports.get(kind)
        if export is None:
            return LEFT_OUT if match["optional"] else GAP
        name = self.used().get(export.name, export.name)
        if role is None:
            return name
        column = export.columns.get(role)
        if column is None:
            if match["optional"]:
                return LEFT_OUT
            if not needed:
                return GAP
            if f"{export.name}.{role}" not in self.written:
                self.faults.append(self._lacking(export, role))
            column = role
        else:
            export.roles[role] = column
        return column if match["as"] == "@" else f"{name}.{column}"

    def _lacking(self, export: RecognisedFile, role: str) -> Fault:
        wanted = " or ".join(self.preset["kinds"][export.kind]["columns"][role][:2])
        header = export.table.header
        more = f" and {len(header) - LISTED} more" if len(header) > LISTED else ""
        has = ", ".join(shown(column) for column in header[:LISTED])
        message = f"is read as {export.kind} and has no column for {role} ({wanted}); it has {has}{more}"
        return Fault(export.table.name, message)

    def _cells(self, reference: str) -> list[str]:
        """The cells of a column, none where there is none."""
        match = REFERENCE.fullmatch(reference)
        export = self.exports.get(match["kind"]) if match else None
        column = export.columns.get(match["role"]) if match and export else None
        return [text.strip() for text in export.table.columns.get(column, ())] if export and column else []

    def _labels(self, labels: list[str], cells: list[str]) -> Any:
        """Those of `labels` that a cell is; a star stands for anything."""
        present = {plain(text): text for text in dict.fromkeys(cells)}
        found = []
        for label in labels:
            like = [text for key, text in present.items() if "*" in label and fnmatchcase(key, plain(label))]
            found += like or ([label] if plain(label) in present else [])
        return list(dict.fromkeys(found)) or GAP

    def _values(self, template: Data) -> Any:
        """The cells of a column where other columns are what is asked for."""
        cells = self._cells(template["values"])
        chosen = np.array([bool(each) for each in cells], dtype=bool)
        for column, label in template["where"].items():
            others, wanted = self._cells(column), meanings_of(label)
            if len(others) != len(cells):
                return GAP
            chosen &= np.fromiter((plain(text) in wanted for text in others), dtype=bool, count=len(others))
        return list(dict.fromkeys(compress(cells, chosen.tolist()))) or GAP


def reading_of(preset: Data, exports: Iterable[RecognisedFile], written: Iterable[str] = ()) -> Reading:
    """The first way of `preset` to read these exports; a second file of a kind is a fault, a file without use a note."""
    found: dict[str, RecognisedFile] = {}
    faults = []
    for each in exports:
        if each.kind != LIST and each.kind in found:
            other = found[each.kind]
            paths = ", ".join(shown(name) for name in (other.table.name, each.table.name))
            todo = f"if they are parts of one table, one name for both: {shown(other.name)}: {{path: [{paths}]}}; else keep one of them"
            message = f"is {each.kind} like another file ({shown(other.name)} and {shown(each.name)}); {todo}"
            faults.append(Fault(each.table.name, message))
        elif each.kind != LIST:
            found[each.kind] = each
    described = next((each for each in preset["readings"] if set(each["of"]) <= set(found)), None)
    empty: Data = {"of": [], "crm": {"format": "wide"}}
    reading = Reading(preset, described or empty, found, frozenset(written), faults)
    used = {*reading.described["of"], *reading.described.get("with", ())}
    for kind, each in found.items():
        if kind not in used:
            why = reading.described.get("instead", "the others say more")
            reading.notes.append(f"{shown(each.name)} ({kind}) is not used: {why}")
    reading.notes.extend(reading.described.get("notes", ()))
    for each in found.values():
        reading.notes.extend(_unplaced(preset, each))
    return reading


def _unplaced(preset: Data, export: RecognisedFile) -> Iterator[str]:
    """Columns with the day of a stage that the preset has no place for, and stages with several columns."""
    described = preset["kinds"][export.kind]
    prefixes = preset.get("prefixes", ())
    starts = [squeezed_header(name) for name in described.get("stages", ())]
    texts = {header: squeezed_header(header, prefixes) for header in export.table.header}
    several = {
        role: [
            header
            for header, text in texts.items()
            if any(text.startswith(squeezed_header(name)) for name in names if name[-1:] == "*")
        ]
        for role, names in described["columns"].items()
    }
    for role, headers in several.items():
        if len(headers) > 1:
            yield f"{role} is entered in {len(headers)} pipelines; {headers[0]!r} is read"
    placed = {*export.columns.values(), *(header for headers in several.values() for header in headers)}
    for header, text in texts.items():
        if header not in placed and any(text.startswith(start) for start in starts):
            yield f"the stage of {header!r} has no place in the usual order; name it in `stages`"


# --- the keys a user left out -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Expanded:
    """The CRM file a preset stands for, what was read on the way, and the lines of the report."""

    data: Data
    tables: dict[str, TextTable]
    found: Findings


def expanded(document: Document, folder: Path) -> Expanded:
    """The CRM file that `preset` and the files of `document` stand for; keys that are written count before it.

    Raises
    ------
    DataError
        If the preset is unknown, a file cannot be read or recognised, or lacks a column that is needed.
    """
    name = document.data["preset"]
    preset = presets().get(name) if isinstance(name, str) else None
    if preset is None:
        raise DataError.at(document.where(("preset",)), f"is {shown(name)}; it must be one of: {', '.join(presets())}")
    if "format" in document.data:
        raise DataError.at(document.where(("format",)), "is what the preset says; take one of the two out")
    entries = _entries(document)
    ids = {f"{file}.id" for file, entry in entries.items() if entry.id is not None}
    exports = _recognised(document, folder, entries, preset)
    reading = reading_of(preset, exports, (*document.data.keys() - {"files"}, *ids))
    written = reading.crm()
    if faults := [*reading.faults, *_mixed_business(document, exports, reading)]:
        raise DataError(faults)
    own = {key: value for key, value in document.data.items() if key not in ("preset", "files")}
    data = _overlaid(written, own, document.data["files"], reading.used())
    tables = {reading.used().get(each.name, each.name): each.table for each in exports}
    return Expanded(data, tables, _told(name, reading, exports, data, own))


def _entries(document: Document) -> dict[str, DataFile]:
    files = document.data.get("files")
    if not isinstance(files, dict) or not files:
        raise DataError.at(document.where(("files",)), "must name the exports: files: {leads: {path: leads.csv}}")
    entries: dict[str, DataFile] = {}
    faults: list[Fault] = []
    for name, entry in files.items():
        try:
            entries[str(name)] = DataFile.model_validate(entry)
        except ValidationError as error:
            found = field_faults(error, entry, form_of(DataFile))
            faults += [Fault(document.where(("files", name, *place)), message) for place, message in found]
        if not isinstance(name, str) or "." in name or name == RECORDS:
            faults.append(
                Fault(document.where(("files", str(name))), "choose a word as name, without a dot, and not `records`")
            )
    if faults:
        raise DataError(faults)
    return entries


def _recognised(
    document: Document, folder: Path, entries: Mapping[str, DataFile], preset: Data
) -> tuple[RecognisedFile, ...]:
    mentioned = set(texts({key: value for key, value in document.data.items() if key != "files"}))
    headers = headers_of(preset)
    exports: list[RecognisedFile] = []
    faults: list[Fault] = []
    for name, entry in entries.items():
        place = document.where(("files", name))
        try:
            table = _read(name, entry, folder, place, preset, mentioned)
        except DataError as error:
            faults += error.faults
            continue
        export = export_of(name, table, preset)
        exports.append(export)
        if export.kind == LIST and not _is_mentioned(name, mentioned):
            ours = any(squeezed_header(column, preset.get("prefixes", ())) in headers for column in table.header)
            listed = ", ".join(shown(column) for column in table.header[:LISTED])
            has = f"it has {listed}" if ours else "none of its columns is one of theirs, so check its path"
            *kinds, last = preset["kinds"]
            faults.append(Fault(place, f"{shown(table.name)} is none of {', '.join(kinds)} or {last}; {has}"))
    if faults:
        raise DataError(faults)
    return tuple(exports)


def _read(name: str, entry: DataFile, folder: Path, place: str, preset: Data, mentioned: set[str]) -> TextTable:
    refuse_missing(entry, folder, place)
    headers, prefixes = headers_of(preset), preset.get("prefixes", ())
    stages = tuple(squeezed_header(each) for kind in preset["kinds"].values() for each in kind.get("stages", ()))

    def wanted(column: str) -> bool:
        squeezed = squeezed_header(column, prefixes)
        ours = squeezed in headers or squeezed.startswith(stages)
        return ours or f"{name}.{column}" in mentioned or column == entry.id

    return read_table(entry, folder, wanted)


def texts(value: Any) -> Iterator[str]:
    """All texts in `value`, keys and values."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from (str(key), *texts(each))
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)
    elif isinstance(value, str):
        yield value


def _is_mentioned(file: str, mentioned: set[str]) -> bool:
    return any(text.startswith(f"{file}.") for text in mentioned)


def _overlaid(written: Data, own: Data, files: Mapping[str, Data], used: Mapping[str, str]) -> Data:
    """What the user wrote over what the preset wrote, which calls the file with the records by another name."""
    derived: dict[str, Data] = written.pop("files", {})
    mentioned = set(texts(own))
    kept = {
        name: {**derived.get(name, {}), **files[name]}
        for name in files
        if name in derived or (name not in used and _is_mentioned(name, mentioned))
    }
    data = {**written, **({"files": kept} if kept else {})}
    for name, role in used.items():
        data = {**data, **files[name]} if role == CHANGES else {**data, RECORDS: {**data[RECORDS], **files[name]}}
        own = own if role == CHANGES else _with_name(own, name)
    return {**data, **own}


def _with_name(value: Any, name: str) -> Any:
    """`value` with columns of the file `name` as columns of the records, which is what `format: history` calls them."""
    if isinstance(value, dict):
        return {_with_name(key, name): _with_name(each, name) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_name(each, name) for each in value]
    is_column = isinstance(value, str) and value.startswith(f"{name}.")
    return RECORDS + value[len(name) :] if is_column else value


def _told(name: str, reading: Reading, exports: Iterable[RecognisedFile], data: Data, own: Data) -> Findings:
    """Lines about what each file was taken for, and which column for what."""
    part = f"preset {name}"
    lines = []
    for each in exports:
        roles = ", ".join(f"{role}: {shown(column)}" for role, column in each.roles.items())
        lines.append(ImportLine(part, f"{shown(each.name)} read as {each.kind}, columns known", len(each.roles), roles))
    chosen = [f"{key} = {_short(value)}" for key, value in (data.get("stages") or {}).items()]
    chosen += [f"lost = {_short(data['lost'])}"] if "lost" in data else []
    who = "written in the CRM file" if "stages" in own else "chosen"
    lines.append(ImportLine(part, f"stages {who}", len(data.get("stages") or {}), "; ".join(chosen)))
    lines += [ImportLine(part, note, 1) for note in reading.notes]
    return Findings(lines=tuple(lines))


def _short(value: Any) -> str:
    if not isinstance(value, dict):
        return ", ".join(map(shown, value)) if isinstance(value, list) else shown(value)
    where = {**({value["field"]: value.get("is")} if "field" in value else {}), **(value.get("where") or {})}
    conditions = " and ".join(f"{shown(column)} is {_short(each)}" for column, each in where.items())
    at = shown(value.get("at", _short(value.get("is", ""))))
    return f"{at} where {conditions}" if conditions and "at" in value else at
