"""Presets of the CRM file: exports of Salesforce and HubSpot, known by their header rows.

A preset writes the keys of the CRM file that the user left out. What it takes a file for, and which
column for what, stands in the import report; any key may be written instead, and then counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from revplan.crm.cells import Findings, ImportLine
from revplan.crm.mapping import RECORDS, DataFile
from revplan.crm.presets_files import CHANGES, USED, Export, Exports, squeezed_header
from revplan.crm.presets_hubspot import HUBSPOT_COLUMNS, hubspot, hubspot_kind
from revplan.crm.presets_salesforce import SALESFORCE_COLUMNS, salesforce, salesforce_kind
from revplan.crm.readers import read_table
from revplan.crm.separated import TextTable
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.yamlfile import Document

Data = dict[str, Any]
LIST = "a list"


@dataclass(frozen=True)
class Preset:
    """How the exports of one CRM are known and read."""

    kind: Callable[[set[str]], str | None]
    """What a file with these headers is, or None."""
    written: Callable[[Exports], Data]
    """The CRM file for the exports."""
    columns: frozenset[str]
    """Headers that can matter; of databases only these are read."""
    kinds: str
    """What there is, for messages."""


PRESETS = {
    "salesforce": Preset(
        salesforce_kind,
        salesforce,
        SALESFORCE_COLUMNS,
        "Lead, Opportunity, LeadHistory, OpportunityFieldHistory or OpportunityHistory",
    ),
    "hubspot": Preset(
        hubspot_kind,
        hubspot,
        HUBSPOT_COLUMNS,
        "contacts, deals, stage changes of deals or pipeline stages",
    ),
}


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
    preset = PRESETS.get(name) if isinstance(name, str) else None
    if preset is None:
        raise DataError.at(document.where(("preset",)), f"is {shown(name)}; it must be one of: {', '.join(PRESETS)}")
    if "format" in document.data:
        raise DataError.at(document.where(("format",)), "is what the preset says; take one of the two out")
    entries = _entries(document)
    ids = {f"{file}.id" for file, entry in entries.items() if entry.id is not None}
    exports = Exports(_recognised(document, folder, entries, preset), frozenset({*document.data, *ids}))
    written = preset.written(exports)
    if exports.faults:
        raise DataError(exports.faults)
    used: dict[str, str] = written.get(USED, {})
    own = {key: value for key, value in document.data.items() if key not in ("preset", "files")}
    data = _overlaid(written, own, document.data["files"])
    found = _told(name, exports, data, own)
    return Expanded(data, {used.get(each.name, each.name): each.table for each in exports.files}, found)


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
            faults += [Fault(document.where(("files", name, *each["loc"])), each["msg"]) for each in error.errors()]
        if not isinstance(name, str) or "." in name or name == RECORDS:
            faults.append(
                Fault(document.where(("files", str(name))), "choose a word as name, without a dot, and not `records`")
            )
    if faults:
        raise DataError(faults)
    return entries


def _recognised(
    document: Document, folder: Path, entries: Mapping[str, DataFile], preset: Preset
) -> tuple[Export, ...]:
    mentioned = set(_texts({key: value for key, value in document.data.items() if key != "files"}))
    exports: list[Export] = []
    faults: list[Fault] = []
    for name, entry in entries.items():
        place = document.where(("files", name))
        try:
            table = _read(name, entry, folder, place, preset, mentioned)
        except DataError as error:
            faults += error.faults
            continue
        kind = preset.kind({squeezed_header(column) for column in table.header})
        exports.append(Export(name, kind or LIST, table))
        if kind is None and not _is_mentioned(name, mentioned):
            known = any(squeezed_header(column) in preset.columns for column in table.header)
            listed = ", ".join(shown(column) for column in table.header[:20])
            has = f"it has {listed}" if known else "none of its columns is one of theirs, so check its path"
            faults.append(Fault(place, f"{shown(table.name)} is none of {preset.kinds}; {has}"))
    if faults:
        raise DataError(faults)
    return tuple(exports)


def _read(name: str, entry: DataFile, folder: Path, place: str, preset: Preset, mentioned: set[str]) -> TextTable:
    if entry.path is not None and not (folder / entry.path).is_file():
        raise DataError.at(place, f"there is no file {shown(entry.path)!r}; its path counts from the CRM file's folder")

    def wanted(column: str) -> bool:
        squeezed = squeezed_header(column)
        known = squeezed in preset.columns or squeezed.startswith("dateentered")
        return known or f"{name}.{column}" in mentioned or column == entry.id

    return read_table(entry, folder, wanted)


def _texts(value: Any) -> Iterator[str]:
    """All texts in `value`, keys and values."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from (str(key), *_texts(each))
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value


def _is_mentioned(file: str, mentioned: set[str]) -> bool:
    return any(text.startswith(f"{file}.") for text in mentioned)


def _overlaid(written: Data, own: Data, files: Mapping[str, Data]) -> Data:
    """What the user wrote over what the preset wrote, which calls the file with the records by another name."""
    used: dict[str, str] = written.pop(USED, {})
    derived: dict[str, Data] = written.pop("files", {})
    mentioned = set(_texts(own))
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


def _told(name: str, exports: Exports, data: Data, own: Data) -> Findings:
    """Lines about what each file was taken for, and which column for what."""
    part = f"preset {name}"
    lines = [
        ImportLine(part, f"{shown(each.name)} read as {each.kind}, columns known", len(each.known), _columns(each))
        for each in exports.files
    ]
    chosen = [f"{key} = {_short(value)}" for key, value in (data.get("stages") or {}).items()]
    chosen += [f"lost = {_short(data['lost'])}"] if "lost" in data else []
    who = "written in the CRM file" if "stages" in own else "chosen"
    lines.append(ImportLine(part, f"stages {who}", len(data.get("stages") or {}), "; ".join(chosen)))
    lines += [ImportLine(part, note, 1) for note in exports.notes]
    return Findings(lines=tuple(lines))


def _columns(export: Export) -> str:
    return ", ".join(f"{role}: {shown(column)}" for role, column in export.known.items())


def _short(value: Any) -> str:
    if not isinstance(value, dict):
        return ", ".join(map(shown, value)) if isinstance(value, list) else shown(value)
    where = {**({value["field"]: value.get("is")} if "field" in value else {}), **(value.get("where") or {})}
    conditions = " and ".join(f"{shown(column)} is {_short(each)}" for column, each in where.items())
    at = shown(value.get("at", _short(value.get("is", ""))))
    return f"{at} where {conditions}" if conditions and "at" in value else at
