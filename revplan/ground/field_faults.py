"""What pydantic finds wrong with a file, in the words of whoever wrote the file: what came, and what to do.

The only place where its errors become messages. What is particular to a kind of file (`FileForm`) stands where
that file is read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from revplan.ground.errors import digits, shown
from revplan.ground.formats import counted
from revplan.ground.yamlfile import Place


@dataclass(frozen=True)
class FileForm:
    """What messages about a kind of file say of its keys and values."""

    schema: Mapping[str, Any]
    """Its JSON Schema: which keys there are, and what they mean."""
    forms: Mapping[str, str] = field(default_factory=dict)
    """Name of a value's class -> how it is written."""
    examples: Mapping[str, str] = field(default_factory=dict)
    """Key -> a text that fits it, for keys whose texts have a form of their own."""
    example: str = "2026-11-15"
    """A text that fits every other such key."""
    shares: Collection[str] = ()
    """Keys of shares and ratios, of which somebody may write the percentage."""
    fixed: Mapping[str, str] = field(default_factory=dict)
    """Key -> what is said of it whatever is wrong, so that what it holds is never shown."""


def field_faults(error: ValidationError, data: Any, form: FileForm, within: Place = ()) -> list[tuple[Place, str]]:
    """The faults of `data`, each with its keys: one per place, as a value that fits none of several forms is one mistake.

    `within` is where in such a file the data would stand.
    """
    by_place: dict[Place, ErrorDetails] = {}
    for detail in error.errors():
        by_place.setdefault(_place(detail, data), detail)
    deepest = [place for place in by_place if not any(_inside(other, place) for other in by_place)]
    return [(place, _cure(by_place[place], within + place, form)) for place in deepest]


def schema_at(schema: Mapping[str, Any], place: Place) -> dict[str, Any]:
    """What a JSON Schema says of the key at `place`; its own description wins over its type's."""
    node: dict[str, Any] = dict(schema)
    for key in place:
        found = [step for option in _options(schema, node) if (step := _step(option, key))]
        if not found:
            return {}
        node = found[0]
    options = _options(schema, node)
    with_keys = next((each for each in options if "properties" in each), options[-1] if options else {})
    return {**with_keys, **node}


def _options(schema: Mapping[str, Any], node: dict[str, Any]) -> list[dict[str, Any]]:
    """The node itself, or the forms it may take, references followed."""
    if "$ref" in node:
        node = {**schema["$defs"][node["$ref"].rsplit("/", 1)[-1]], "description": node.get("description", "")}
    choices = [option for key in ("anyOf", "allOf") for each in node.get(key, []) for option in _options(schema, each)]
    return choices or [node]


def _step(node: dict[str, Any], key: str | int) -> dict[str, Any] | None:
    if isinstance(key, int):
        return node.get("items")
    if key in node.get("properties", {}):
        return node["properties"][key]
    more = node.get("additionalProperties")
    return more if isinstance(more, dict) else None


def _inside(place: Place, outer: Place) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


def _place(detail: ErrorDetails, data: Any) -> Place:
    """Keys of the file that lead to the fault: pydantic's own names of alternatives are left out."""
    place: list[str | int] = []
    key: Any
    for index, key in enumerate(detail["loc"]):
        last = index == len(detail["loc"]) - 1
        if (isinstance(data, Mapping) and key in data) or (
            isinstance(data, (list, tuple)) and isinstance(key, int) and key < len(data)
        ):
            data = data[key]
        elif not (last and detail["type"] == "missing"):
            continue
        place.append(key)
    return tuple(place)


def _cure(detail: ErrorDetails, place: Place, form: FileForm) -> str:
    """What came and what to do, in the words of the file."""
    kind, value, limits = detail["type"], detail["input"], detail.get("ctx", {})
    given, key = shown(repr(value) if isinstance(value, float) else value), str(place[-1]) if place else ""
    meaning = f" ({said.rstrip('.')})" if (said := schema_at(form.schema, place).get("description", "")) else ""
    if key in form.fixed:
        return form.fixed[key]
    if kind == "missing":
        return f"is missing; add it{meaning}"
    if kind == "extra_forbidden":
        return _unknown_key(key, schema_at(form.schema, place[:-1]))
    if kind == "value_error":
        said = str(limits["error"])
        return f"{given!r} {said}" if said.startswith("is no ") else said
    if kind in RELATIONS:
        cure = _as_fraction(given) if kind.startswith("less") and set(form.shares).intersection(place) else ""
        return f"got {given}; it must be {RELATIONS[kind]} {digits(next(iter(limits.values())))}{cure or meaning}"
    if kind == "finite_number":
        return f"got {given}; it must be a finite number"
    if kind in TEXTS_OF_A_FORM:
        return f"got {given!r}; write it like {form.examples.get(key, form.example)}"
    return f"got {given!r}; {_expected(kind, limits, form)}{meaning}"


RELATIONS = {
    "less_than_equal": "at most",
    "less_than": "less than",
    "greater_than": "more than",
    "greater_than_equal": "at least",
}
TEXTS_OF_A_FORM = {"string_pattern_mismatch", "date_from_datetime_parsing", "date_type", "date_parsing"}


def _as_fraction(given: str) -> str:
    """What to write for a percentage; empty where it is none."""
    try:
        return f": write {digits(float(given) / 100)} for {given} %" if 1 < float(given) <= 100 else ""
    except ValueError:
        return ""


def _expected(kind: str, limits: Mapping[str, Any], form: FileForm) -> str:
    if kind == "literal_error":
        return f"it must be {limits['expected']}"
    if kind in {"model_type", "dict_type"}:
        return form.forms.get(limits.get("class_name", ""), "it must be keys with values")
    meanings = {
        "float_type": "it must be a plain number, such as 8_000_000 or 0.25",
        "int_type": "it must be a whole number; a delay in between is written as weights: [0.5, 0.5]",
        "string_type": "it must be text; put it in quotes",
        "tuple_type": "it must be a list",
        "too_short": f"it has {counted(limits.get('actual_length', 0), 'entry', 'entries')} and needs {limits.get('min_length')}",
        "too_long": f"it has more entries than the {limits.get('max_length')} allowed",
        "invalid_key": "that is no key; the decimal mark is a point: 0.08",
        "string_too_short": "it is empty",
        "string_too_long": f"it is longer than {limits.get('max_length')} characters",
    }
    return meanings.get(kind, "that is not a value this key takes")


def _unknown_key(key: str, parent: Mapping[str, Any]) -> str:
    allowed = list(parent.get("properties", {}))
    close = get_close_matches(key, allowed, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"unknown key {shown(key)!r}; {hint}allowed here: {', '.join(allowed)}"
