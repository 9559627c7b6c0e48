"""A CRM file drafted from exports nobody has described yet: what stands where, how it is written, and what to ask.

What the headers say comes from the presets; how days and amounts are written, which labels mean won and lost,
which rows count comes from the cells. What neither settles is a question, with the lines to choose from.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from revplan.crm.cells import Cells, amounts, stripped
from revplan.crm.files import MODIFIED
from revplan.crm.mapping import (
    CLOSED,
    LOST,
    RECORDS,
    WON,
    DataFile,
    column_of,
    file_of,
    meanings_of,
    plain,
)
from revplan.crm.presets import (
    CHANGES,
    LIST,
    Data,
    Reading,
    RecognisedFile,
    export_of,
    headers_of,
    lines_of_business,
    presets,
    reading_of,
    squeezed_header,
)
from revplan.crm.readers import read_table
from revplan.crm.text_table import TextTable, below_one_another
from revplan.crm.writings import DATE_FORMATS, formats_of, moments_in
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.tablefile import NUMBERED
from revplan.ground.yamlfile import flow

SEGMENT = re.compile(r"segment|company ?size|unternehmensgr|tier|customer ?type|kundentyp|taille|größe", re.IGNORECASE)
EVERY_WAY = ("", *DATE_FORMATS)
MOST_STAGES = 10
FEW, MANY = 2, 12  # labels of a segment
LISTED = 8
YEARLY = 0.02  # of the cells of a column may be faulty where it is told how days are written


@dataclass(frozen=True)
class Question:
    """What the exports do not settle: what is asked, and the lines of the CRM file to choose from."""

    asked: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Draft:
    """A CRM file in the making."""

    data: Data
    called: str
    """The CRM it was taken for."""
    tables: dict[str, TextTable]
    """By the name the CRM file gives them."""
    told: dict[str, str] = field(default_factory=dict)
    """Key -> what stands behind it, for a comment."""
    questions: list[Question] = field(default_factory=list)

    def counts(self, column: str) -> Counter[str]:
        """How often each label of file.column occurs, those that say nothing left out."""
        return _said(self.tables[file_of(column)], column_of(column))

    def entry(self, name: str) -> Data:
        """Where the CRM file describes a file."""
        return self.data if name == CHANGES else self.data[RECORDS] if name == RECORDS else self.data["files"][name]


def _said(table: TextTable, column: str) -> Counter[str]:
    """How often each text of a column occurs, those that say nothing left out."""
    texts, filled, _ = stripped(_cells(table, column))
    return Counter(text for text, here in zip(texts, filled.tolist(), strict=True) if here)


def _cells(table: TextTable, column: str) -> Cells:
    return Cells(table.name, column, table.cells(column), table.lines, table.unit)


def moved(draft: Draft, names: Mapping[str, str]) -> Draft:
    """The draft with other paths, by those it has."""

    def of(entry: Data) -> Data:
        path = entry["path"]
        return {**entry, "path": names[path] if isinstance(path, str) else [names[each] for each in path]}

    data = of(draft.data) if "path" in draft.data else dict(draft.data)
    if RECORDS in data:
        data[RECORDS] = of(data[RECORDS])
    if "files" in data:
        data["files"] = {name: of(entry) for name, entry in data["files"].items()}
    return replace(draft, data=data)


def drafted(paths: Sequence[Path], names: Sequence[str]) -> Draft:
    """The CRM file for the exports at `paths`, which it calls by `names` (paths seen from its own folder).

    Raises
    ------
    DataError
        If a file cannot be read, or none is a table of records.
    """
    read = _read(paths)
    places = dict(zip(read, names, strict=True))
    reading, exports = _taken_for(read)
    tables = {each.name: each.table for each in exports}
    written = reading.crm()
    by_days = reading.faults or len(written.get("stages", ())) < 2
    if by_days:
        written = _by_days(tables)
        reading = Reading(reading.preset, {"of": [], "crm": {}}, {})
    used = reading.used()
    of_table = {id(table): places[name] for name, table in read.items()}
    paths_of = {
        each.name: [of_table[id(part)] for part in each.table.parts] or of_table[id(each.table)] for each in exports
    }
    data = _with_paths(written, exports, used, paths_of)
    called = "no CRM known here" if by_days else reading.preset["called"]
    draft = Draft(data, called, {used.get(each.name, each.name): each.table for each in exports})
    draft.questions.extend(Question(note) for note in reading.notes)
    if by_days:
        asked = f"are these the stages, in this order? {', '.join(written['stages'])}: the columns with days, as they follow on another"
        draft.questions.append(Question(f"stages: {asked}"))
    _settle_labels(draft)
    _settle_versions(draft)
    _settle_days(draft)
    _settle_amounts(draft)
    _settle_rows(draft, exports, used)
    _settle_segments(draft)
    return draft


def _read(paths: Sequence[Path]) -> dict[str, TextTable]:
    """The tables, by a word for each file."""
    tables: dict[str, TextTable] = {}
    faults: list[Fault] = []
    for path in paths:
        word = re.sub(r"[\W_]+", "_", path.stem.casefold()).strip("_") or "export"
        word = f"{word}_export" if word == RECORDS or word[0].isdigit() else word
        name = next(each for each in (word, *(f"{word}_{n}" for n in range(2, 100))) if each not in tables)
        try:
            if not path.is_file():
                raise DataError.at(shown(path), "is no file; check its path")
            tables[name] = read_table(DataFile(path=(path.name,)), path.parent, lambda _: True)
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(faults)
    return tables


def _taken_for(tables: dict[str, TextTable]) -> tuple[Reading, list[RecognisedFile]]:
    """The reading of the preset that knows most of the headers, each weighed by how few presets know it."""
    recognised_by = Counter(header for preset in presets().values() for header in headers_of(preset))
    best: tuple[tuple[bool, float], Reading, list[RecognisedFile]] | None = None
    for preset in presets().values():
        exports = _put_together([export_of(name, table, preset) for name, table in tables.items()], preset)
        reading = reading_of(preset, exports)
        trial = reading_of(preset, exports)
        complete = bool(trial.crm().get("stages")) and not trial.faults
        headers = headers_of(preset)
        found = {
            squeezed
            for each in exports
            if each.kind != LIST
            for header in each.table.header
            if (squeezed := squeezed_header(header, preset.get("prefixes", ()))) in headers
        }
        rank = (complete, sum(1 / recognised_by[each] for each in found))
        if best is None or rank > best[0]:
            best = rank, reading, exports
    if best is None:
        raise DataError.at("init", "there is no preset; install revplan again")
    return best[1], best[2]


def _put_together(exports: Sequence[RecognisedFile], preset: Data) -> list[RecognisedFile]:
    """The exports, those that are parts of one table put below one another: of one kind, the columns of one all in the other."""
    groups: list[list[RecognisedFile]] = []
    for each in exports:
        group = next((group for group in groups if all(_are_parts(each, other) for other in group)), None)
        if group is None:
            groups.append([each])
        else:
            group.append(each)
    return [
        export_of(first.name, below_one_another([each.table for each in (first, *others)]), preset) if others else first
        for first, *others in groups
    ]


def _are_parts(one: RecognisedFile, other: RecognisedFile) -> bool:
    here, there = set(one.table.header) - {""}, set(other.table.header) - {""}
    return one.kind == other.kind and (here == there if one.kind == LIST else here <= there or there <= here)


def _by_days(tables: dict[str, TextTable]) -> Data:
    """A CRM file of a table with ids and two columns of days, or of several with an id in common and a day each.

    The columns of days are the stages, in the order they follow.

    Raises
    ------
    DataError
        If there is neither.
    """
    ids = {name: [each for each in table.header if each and _is_id(table, each)] for name, table in tables.items()}
    found = {name: _days_of(name, table, ids[name][:1]) for name, table in tables.items() if ids[name]}
    common = [each for names in ids.values() for each in names if all(each in others for others in ids.values())]
    whole = next((name for name, days in found.items() if len(days) >= 2), None)
    if whole is not None:
        used = {whole: ids[whole][0]}
    elif len(tables) > 1 and common and all(found.get(name) for name in tables):
        used = dict.fromkeys(tables, common[0])
    else:
        todo = "write the CRM file by hand (docs/crm.md), or rename them"
        strange = "no columns for a record's id and the days it entered stages were found among"
        listed = {table.name: ", ".join(map(shown, table.header[:20])) for table in tables.values()}
        raise DataError(Fault(name, f"{strange} {headers}; {todo}") for name, headers in listed.items())
    days = {column: rank for name in used for column, rank in found[name].items()}
    order = sorted(days, key=days.__getitem__)
    stages = {squeezed_header(column_of(column)): column for column in order[:MOST_STAGES]}
    files = {
        name: {"id": used[name]}
        for name in sorted(used, key=lambda name: order[0].startswith(f"{name}."), reverse=True)
    }
    return {"format": "wide", "files": files, "stages": stages}


def _is_id(table: TextTable, column: str) -> bool:
    """Whether a column tells records apart; in several exports of a table each may stand more than once."""
    different = set(table.cells(column))
    return len(different) >= max(len(table.lines) / (len(table.parts) or 1), 1) and "" not in different


def _days_of(name: str, table: TextTable, but: list[str]) -> dict[str, tuple[int, int]]:
    """Columns of days as file.column, and by what they are ordered: how many have one, and the day in the middle."""
    days: dict[str, tuple[int, int]] = {}
    for column in table.header:
        formats = _formats(set(_said(table, column))) if column and column not in but else []
        if formats:
            moments, sound = moments_in(list(table.cells(column)), formats[0] or None)
            days[f"{name}.{column}"] = (-int(sound.sum()), int(np.median(moments[sound].astype("int64"))))
    return days


def _with_paths(
    written: Data, exports: Iterable[RecognisedFile], used: dict[str, str], places: Mapping[str, str | list[str]]
) -> Data:
    data = dict(written)
    files = {name: {"path": places[name], **entry} for name, entry in data.pop("files", {}).items()}
    for each in exports:
        role = used.get(each.name)
        if role == CHANGES:
            data = {"format": data["format"], "path": places[each.name], **data}
        elif role == RECORDS:
            data[RECORDS] = {"path": places[each.name], **data[RECORDS]}
    return {"format": data.pop("format"), **({"files": files} if files else {}), **data}


def _listed(counts: Counter[str], most: int = LISTED) -> str:
    listed = ", ".join(f"{shown(label)} {count:,}" for label, count in counts.most_common(most))
    return listed + (f" and {len(counts) - most} more" if len(counts) > most else "")


# --- labels that mean won and lost --------------------------------------------------------------------------


def _settle_labels(draft: Draft) -> None:
    """Only labels that rows have stand for won and lost; what looks closed and is neither is asked."""
    stages = draft.data["stages"]
    last = list(stages)[-1]
    won, lost = stages[last], draft.data.get("lost")
    if not isinstance(won, dict) or "field" not in won:
        return
    counts = draft.counts(won["field"])
    draft.told["stages"] = f"{column_of(won['field'])}: {_listed(counts)}"
    won["is"] = _meant(counts, won["is"], WON, LOST)
    if isinstance(lost, dict) and lost.get("field") == won["field"]:
        lost["is"] = _meant(counts, lost["is"], LOST, WON)
    elif "lost" not in draft.data:
        lost = {**won, "is": _meant(counts, [], LOST, WON)}
        draft.data["lost"] = lost
    if isinstance(lost, dict) and not lost["is"]:
        del draft.data["lost"]
    if not won["is"]:
        draft.questions.append(_which(f"stages.{last}: which of these means a win?", won["field"], counts))
        won["is"] = [counts.most_common(1)[0][0]] if counts else ["?"]
        draft.told["open"] = "won"
    mapped = {*won["is"], *(draft.data.get("lost") or {}).get("is", ())}
    closed = [label for label in counts if label not in mapped and CLOSED.search(label) and not WON.search(label)]
    if closed:
        those = Counter({each: counts[each] for each in closed})
        draft.questions.append(_which("lost: is one of these a loss too?", won["field"], those))


def _meant(counts: Counter[str], usual: Iterable[str], like: re.Pattern[str], other: re.Pattern[str]) -> list[str]:
    """The labels that rows have and that are usual for a meaning, or say it in words."""
    wanted = {plain(label) for label in usual}
    return [label for label in counts if plain(label) in wanted or (like.search(label) and not other.search(label))]


def _which(asked: str, column: str, counts: Counter[str]) -> Question:
    choices = (f"is: [{flow(label)}]" for label, _ in counts.most_common(LISTED))
    return Question(f"{asked} {column_of(column)} has {_listed(counts)}", tuple(choices))


def _settle_versions(draft: Draft) -> None:
    """Of a record that stands in several files and differs, the row changed last, where a column says when."""
    data = draft.data
    entries = {**data.get("files", {}), **({RECORDS: data[RECORDS]} if RECORDS in data else {})}
    columns = {}
    for name, entry in entries.items():
        table = draft.tables[name]
        changed = next(
            (each for each in table.header if MODIFIED.search(each) and _formats(set(_said(table, each)))), None
        )
        if table.parts and changed and entry.get("id") in table.header:
            ids = list(table.cells(entry["id"]))
            if len(set(ids)) < len(ids):
                columns[name] = f"{name}.{changed}"
    if columns:
        data["duplicates"], data["modified"] = "newest", [*columns.values()]
        draft.told["duplicates"] = "of a record in several files the row changed last counts"


# --- how days and amounts are written -----------------------------------------------------------------------


def _settle_days(draft: Draft) -> None:
    """How the days of each file are written, where not as 2018-01-31: for the file, and for columns that differ."""
    marks = _faults_of_amounts(draft)
    commas = bool(marks) and bool(marks["."]) and not marks[","]
    for name, columns in _day_columns(draft).items():
        table = draft.tables[name]
        texts = {column: set(_said(table, column)) for column in columns}
        fits = {column: _formats(found) for column, found in texts.items() if found}
        odd = {column: formats for column, formats in fits.items() if "" not in formats}
        if not odd:
            continue
        settled = {column: formats[0] for column, formats in odd.items() if len(formats) == 1}
        for column, formats in odd.items():
            if column in settled:
                continue
            others = [each for each in formats if each in settled.values()]
            european = table.separator == ";" or (commas and file_of(draft.data["amount"]) == name)
            likely = [each for each in formats if each.startswith("%d")] if european else []
            place = f"{name}, {shown(column)}"
            lines = (f"date_format: {{{flow(column)}: {flow(each)}}}" for each in formats)
            if others or likely:
                settled[column] = (others or likely)[0]
            elif formats:
                asked = f"is {shown(max(texts[column]))} {' or '.join(formats)}? Every day of the column can be either"
                draft.questions.append(Question(f"{place}: {asked}", tuple(lines)))
            else:
                every = sorted(texts[column])
                best = max((moments_in(every, each or None)[1] for each in EVERY_WAY), key=np.mean)
                asked = f"how is {shown(every[int(np.argmin(best))])} written? No format known here fits it"
                draft.questions.append(Question(f"{place}: {asked}"))
        one = name == CHANGES or (len(set(settled.values())) == 1 and settled.keys() == fits.keys())
        if settled:
            draft.entry(name)["date_format"] = next(iter(settled.values())) if one else settled


def _day_columns(draft: Draft) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    data = draft.data
    ends = [*data["stages"].values(), *([data["lost"]] if "lost" in data else [])]
    columns = [each if isinstance(each, str) else each.get("at") for each in ends if isinstance(each, str | dict)]
    columns += data.get("modified", [])
    for column in columns:
        if column:
            found.setdefault(file_of(column), []).append(column_of(column))
    if data["format"] == "history":
        found.setdefault(CHANGES, []).append(data["at"])
    return {name: list(dict.fromkeys(each)) for name, each in found.items()}


def _formats(texts: set[str]) -> list[str]:
    """The ways in which every text of a column is a day; the empty one is 2018-01-31. A few faulty cells are let pass."""
    found = formats_of(sorted(texts), EVERY_WAY, 1 - YEARLY)
    return found[:1] if found and found[0] in ("", *NUMBERED) else found


def _settle_amounts(draft: Draft) -> None:
    """The decimal mark of the amounts, where it is not plainly the point."""
    faults = _faults_of_amounts(draft)
    fits = [mark for mark in (",", ".") if not faults.get(mark)]
    if not faults.get(""):
        return
    if len(fits) == 1:
        draft.entry(file_of(draft.data["amount"]))["decimal"] = fits[0]
    else:
        wrong = faults[""][0]
        choices = tuple(f"decimal: {json.dumps(each)}" for each in fits)
        draft.questions.append(Question(f"amount: {wrong.place}: {wrong.message}", choices))


def _faults_of_amounts(draft: Draft) -> dict[str, tuple[Fault, ...]]:
    """Decimal mark, the empty one for what is understood unasked -> the faults of the amounts read with it."""
    column = draft.data.get("amount")
    if not isinstance(column, str):
        return {}
    table = draft.tables[file_of(column)]
    cells = _cells(table, column_of(column))
    return {mark: amounts(cells, mark or None, table.separator).found.faults for mark in ("", ",", ".")}


# --- which rows count ---------------------------------------------------------------------------------------


def _settle_rows(draft: Draft, exports: Iterable[RecognisedFile], used: dict[str, str]) -> None:
    """Conditions that some row meets and some do not; several pipelines are asked about, and all count until answered."""
    for key in ("only", "except"):
        conditions = draft.data.pop(key, {})
        kept = {}
        for column, labels in conditions.items():
            counts = draft.counts(column)
            meanings = set().union(*(meanings_of(str(label)) for label in labels))
            meeting = sum(count for label, count in counts.items() if plain(label) in meanings)
            if meeting and meeting < len(draft.tables[file_of(column)].lines):
                kept[column] = labels
        if kept:
            draft.data[key] = kept
    for each in exports:
        name, business = used.get(each.name, each.name), lines_of_business(each)
        if business is None or name not in draft.tables or name == CHANGES:
            continue
        header, counts = business
        if len(counts) <= MANY:
            column = f"{name}.{header}"
            draft.data["only"] = {**draft.data.get("only", {}), column: list(counts)}
            asked = f"only: which of the pipelines are new business? All count until one is taken out of the list; {header} has {_listed(counts)}"
            choices = (f"only: {{{flow(column)}: [{flow(label)}]}}" for label, _ in counts.most_common(LISTED))
            draft.questions.append(Question(asked, tuple(choices)))


def _settle_segments(draft: Draft) -> None:
    """A column that is called a segment, where it has a few labels."""
    for name, table in draft.tables.items():
        for header in table.header:
            if name == CHANGES or not SEGMENT.search(header) or "segment" in draft.data:
                continue
            counts = draft.counts(f"{name}.{header}")
            if FEW <= len(counts) <= MANY:
                draft.data["segment"] = f"{name}.{header}"
                draft.told["segment"] = _listed(counts)
    source = draft.data.get("source")
    if isinstance(source, str):
        draft.told["source"] = _listed(draft.counts(source))


# --- as YAML ------------------------------------------------------------------------------------------------


def draft_yaml(draft: Draft, found: Iterable[str] = ()) -> str:
    """The draft as a commented CRM file; `found` are lines on what was counted with it."""
    lines = [
        "# yaml-language-server: $schema=crm.schema.json",
        f"# How the exports are read, taken for those of {draft.called}. crm.schema.json explains every key.",
        *(f"# {line}" for line in found),
    ]
    for question in draft.questions:
        lines += [f"# ? {' '.join(question.asked.split())}", *(f"#     {choice}" for choice in question.choices)]
    for key, value in draft.data.items():
        note = f"  # {draft.told[key]}" if key in draft.told else ""
        if isinstance(value, dict) and key in ("files", "stages"):
            lines += [f"{key}:{note}", *(f"  {flow(name)}: {flow(each)}" for name, each in value.items())]
        else:
            lines.append(f"{key}: {flow(value)}{note}")
    return "\n".join(lines) + "\n"
