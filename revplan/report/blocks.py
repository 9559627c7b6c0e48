"""An executed notebook as what it shows, in order: headings, prose and exhibits. Every printing but the page reads it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from revplan.report.figures import MIMETYPE

HEADING = re.compile(r"(#{1,6}) +(.+)")
PAGE_DRAWING = re.compile(r'<svg class="on-page".*?</svg>', re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Heading:
    """A heading of a Markdown cell."""

    level: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Prose:
    """Markdown between headings."""

    source: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """An exhibit: its raw values, as `markup.raw` writes them, and its drawing where it is a chart."""

    raw: dict[str, Any]
    svg: str | None


Block = Heading | Prose | Shown


def blocks(notebook: Any) -> list[Block]:
    """What `notebook` shows, in order. Code, streams and widgets have no block."""
    return [block for cell in notebook.cells for block in _of_cell(cell)]


def exhibits(notebook: Any) -> list[dict[str, Any]]:
    """The raw values of every exhibit of `notebook`, in order."""
    return [block.raw for block in blocks(notebook) if isinstance(block, Shown)]


def under_headings(notebook: Any) -> list[dict[str, Any]]:
    """The same, each with the `heading` it stands under."""
    heading, found = "", []
    for block in blocks(notebook):
        if isinstance(block, Heading):
            heading = block.text
        elif isinstance(block, Shown):
            found.append({**block.raw, "heading": heading})
    return found


def _of_cell(cell: Any) -> list[Block]:
    if cell.cell_type == "markdown":
        return _of_markdown(cell.source)
    if cell.cell_type != "code":
        return []
    bundles = [output.get("data", {}) for output in cell.get("outputs", [])]
    return [_shown(data) for data in bundles if MIMETYPE in data]


def _of_markdown(source: str) -> list[Block]:
    found: list[Block] = []
    for part in re.split(r"\n\s*\n", source.strip()):
        first, _, rest = part.partition("\n")
        heading = HEADING.fullmatch(first.strip())
        if heading:
            found.append(Heading(level=len(heading[1]), text=heading[2].strip()))
        body = rest if heading else part
        if body.strip():
            found.append(Prose(source=body.strip()))
    return found


def _shown(data: Any) -> Shown:
    drawing = PAGE_DRAWING.search(data.get("text/html", ""))
    return Shown(raw=data[MIMETYPE], svg=drawing[0] if drawing else None)
