"""An executed notebook in another language: every text of it, and every drawing made anew from its description.

It comes between running and printing, so that nothing before it and nothing after it knows of languages: what it says are
the values that every printing is made from. What people wrote (the plan's names, commentary) stays as they wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import BaseModel

from revplan.exhibits.chart import as_raw, from_raw, renamed
from revplan.exhibits.exhibit import page_html
from revplan.exhibits.figures import MIMETYPE
from revplan.ground.formats import counted
from revplan.ground.language import ENGLISH, Language, language
from revplan.printing.blocks import HEADING

PART = re.compile(r"\n\s*\n")
A_SENTENCE = re.compile(r"\b[a-z]+ [a-z]+ [a-z]+\b")
"""What tells a sentence from a name."""


@dataclass(frozen=True, kw_only=True)
class Translation:
    """A notebook in another language, and what of it no entry covers."""

    notebook: Any
    left: tuple[str, ...] = ()
    """Sentences of ours that are still in English."""


@dataclass(frozen=True, eq=False)
class _Speaker:
    """Says texts in a language; one that has no entry stays as it is, and is noted."""

    spoken: Language
    left: dict[str, None] = field(default_factory=dict)

    def __call__(self, text: str) -> str:
        if not text.strip():
            return text
        told = self.spoken.said(text)
        if told is None:
            self.left[" ".join(text.split())] = None
        return text if told is None else told


def language_of(notebook: Any) -> str:
    """The language an executed `notebook` was translated to."""
    return str(notebook.metadata.get("revplan", {}).get("language", ENGLISH))


def speaker(notebook: Any) -> Callable[[str], str]:
    """What a printing says its own few words with, in the language of `notebook`."""
    code = language_of(notebook)
    return str if code == ENGLISH else _Speaker(language(code))


def translated(notebook: Any, code: str, own: Collection[str] = ()) -> Translation:
    """The executed `notebook` in the language `code`, one of `languages`.

    Parameters
    ----------
    own
        What people wrote in the plan, which is not ours to translate.
    """
    if code == ENGLISH:
        return Translation(notebook=notebook)
    say, told = _Speaker(language(code)), deepcopy(notebook)
    for cell in told.cells:
        if cell.cell_type == "markdown":
            cell.source = "\n\n".join(_part(part, say) for part in PART.split(cell.source.strip()))
        for output in cell.get("outputs", []):
            _in_output(output.get("data", {}), say)
    left = tuple(text for text in say.left if A_SENTENCE.search(text) and not any(each in text for each in own))
    noted = {"untranslated": counted(len(left), "sentence")} if left else {}
    told.metadata["revplan"] = {**told.metadata.get("revplan", {}), "language": code, **noted}
    return Translation(notebook=told, left=left)


def written_in(plan: BaseModel) -> set[str]:
    """What people wrote in a plan: its sentences."""
    found: set[str] = set()
    waiting: list[Any] = [plan.model_dump()]
    while waiting:
        each = waiting.pop()
        waiting += (
            [*each, *each.values()] if isinstance(each, Mapping) else each if isinstance(each, list | tuple) else []
        )
        if isinstance(each, str) and " " in each:
            found.add(each)
    return found


def _part(source: str, say: _Speaker) -> str:
    """A heading, and the paragraph below it."""
    first, _, rest = source.partition("\n")
    heading = HEADING.fullmatch(first.strip())
    if heading is None:
        return say(source)
    return "\n".join(filter(None, [f"{heading[1]} {say(heading[2])}", rest.strip() and say(rest.strip())]))


def _in_output(data: dict[str, Any], say: _Speaker) -> None:
    """The output of a cell in another language; one that is no exhibit stays as it is."""
    if MIMETYPE in data:
        data[MIMETYPE] = _raw(data[MIMETYPE], say)
        data["text/html"] = page_html(data[MIMETYPE], say)


def _raw(raw: Mapping[str, Any], say: _Speaker) -> dict[str, Any]:
    """The values of an exhibit as its printings set them."""
    told: dict[str, Any] = {
        **raw,
        **{name: say(raw[name]) for name in ("message", "alt", "header")},
        "notes": [say(note) for note in raw["notes"]],
        "columns": [{**column, "label": say(column["label"])} for column in raw["columns"]],
        "shown": [[say(cell) for cell in row] for row in raw["shown"]],
        "figures": [{**each, "label": say(each["label"]), "text": say(each["text"])} for each in raw["figures"]],
        "definitions": {
            name: {**each, **{key: say(each[key]) for key in ("label", "formula", "rounding", "source")}}
            for name, each in raw["definitions"].items()
        },
    }
    if raw["native"]:
        chart = renamed(from_raw(raw["native"], told["message"]), say)
        panels = tuple(replace(each, language=say.spoken.code) for each in chart.panels)
        told["native"] = as_raw(replace(chart, language=say.spoken.code, panels=panels))
    if "periods" in raw:
        told["periods"] = {name: say(label) for name, label in raw["periods"].items()}
    if "comments" in raw:
        told["comments"] = [{**each, "expired": say(each["expired"])} for each in raw["comments"]]
    return told
