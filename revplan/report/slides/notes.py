"""What a speaker needs beside a slide: what each figure is, how it is worked out and where it comes from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

NONE: Mapping[str, str] = MappingProxyType({})
MOST_FIGURES = 12
"""Figures of one measure beyond which they are read in the table, not named one by one."""


def spoken(raw: dict[str, Any], said: Iterable[str] = (), periods: Mapping[str, str] = NONE) -> tuple[str, ...]:
    """The speaker notes of an exhibit, a paragraph each; `periods` says what a period is called by its id."""
    told = raw.get("definitions") or {}
    each = (_measure(measure, raw["figures"], definition, periods) for measure, definition in told.items())
    return (*said, *raw["notes"], *each)


def definitions(exhibits: Iterable[dict[str, Any]]) -> list[str]:
    """Every measure of a report once, a paragraph each: what it is called, how it is worked out, its source."""
    told = {name: each for raw in exhibits for name, each in (raw.get("definitions") or {}).items()}
    return sorted(f"{each['label']}: {_definition(each)}" for each in told.values())


def _measure(
    measure: str, figures: list[dict[str, Any]], definition: dict[str, Any], periods: Mapping[str, str]
) -> str:
    mine = [figure for figure in figures if figure["measure"] == measure]
    some = dict.fromkeys(_figure(figure, periods) for figure in mine)
    values = "; ".join(some) if len(some) <= MOST_FIGURES else f"{len(some)} figures on the slide"
    return f"{definition['label']}: {values}. {_definition(definition)}"


def _definition(definition: dict[str, Any]) -> str:
    parts = [definition.get("formula", ""), _with("Rounded", definition), _with("Source", definition)]
    return " ".join(f"{part.rstrip('.')}." for part in parts if part)


def _with(word: str, definition: dict[str, Any]) -> str:
    told = definition.get({"Rounded": "rounding"}.get(word, "source"), "")
    return f"{word}: {told}" if told and told != "none" else ""


def _figure(figure: dict[str, Any], periods: Mapping[str, str]) -> str:
    period = figure.get("period", "")
    which = [*figure.get("of", {}).values(), periods.get(period, period), figure.get("basis", "")]
    told = ", ".join(str(part) for part in which if part)
    return f"{figure['text']} ({told})" if told else figure["text"]
