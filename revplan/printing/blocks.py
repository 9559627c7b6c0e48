"""Markdown as plain data: what kind each piece is, and its texts. A printing sets it, and never reads marks itself.

An executed notebook as what it shows, in order: headings, prose and exhibits. Every printing but the page reads it.
"""

from __future__ import annotations

import ast
import html
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from revplan.exhibits.figures import MIMETYPE
from revplan.ground.escaping import clean

Node = dict[str, Any]

PLAIN = {"bold": False, "italic": False, "mono": False}
LOOKS = {"strong": "bold", "emphasis": "italic", "codespan": "mono"}


def paragraphs(source: str) -> list[Node]:
    """The Markdown `source` in pieces: paragraph, list, quote, code, table, rule. HTML in it is text."""
    return _nodes(_parser()(source))


def runs(line: str) -> list[Node]:
    """One line of Markdown, such as a heading: its texts, each with its looks."""
    return _runs(_parser()(f"# {line}")[0].get("children", []))


def words(line: str) -> str:
    """One line of Markdown without its marks."""
    return "".join(run["text"] for run in runs(line))


@cache
def _parser() -> Any:
    import mistune

    return mistune.create_markdown(renderer=None, plugins=["table", "strikethrough"])


def _nodes(tokens: Iterable[Node]) -> list[Node]:
    return [_node(token) for token in tokens if token["type"] != "blank_line"]


def _node(token: Node) -> Node:
    match token:
        case {"type": "list", "attrs": of, "children": children}:
            items = [_nodes(item["children"]) for item in children]
            return {"kind": "list", "ordered": of["ordered"], "start": of.get("start", 1), "items": items}
        case {"type": "block_quote", "children": children}:
            return {"kind": "quote", "nodes": _nodes(children)}
        case {"type": "block_code"}:
            lines = [line.expandtabs(4) for line in _raw(token).rstrip("\n").split("\n")]
            told = [{"indent": len(line) - len(line.lstrip()), "text": line} for line in lines]
            return {"kind": "code", "lines": told}
        case {"type": "table", "children": [head, *body]}:
            rows = [head["children"], *(row["children"] for part in body for row in part["children"])]
            return {"kind": "table", "rows": [[_runs(cell["children"]) for cell in row] for row in rows]}
        case {"type": "thematic_break"}:
            return {"kind": "rule"}
    return {"kind": "paragraph", "runs": _runs(token.get("children") or [{"type": "text", "raw": _raw(token)}])}


def _runs(tokens: Iterable[Node], looks: dict[str, bool] = PLAIN) -> list[Node]:
    return [run for token in tokens for run in _of_token(token, looks)]


def _of_token(token: Node, looks: dict[str, bool]) -> list[Node]:
    kind = token["type"]
    look = {**looks, LOOKS[kind]: True} if kind in LOOKS else looks
    if "children" not in token:
        return [{"text": _raw(token), **look}]
    inner = _runs(token["children"], look)
    address = token.get("attrs", {}).get("url", "") if kind == "link" else ""
    named = address in {"", "".join(run["text"] for run in inner)}
    return inner if named else [*inner, {"text": f" ({address})", **looks}]


def _raw(token: Node) -> str:
    if token["type"] in {"softbreak", "linebreak"}:
        return " "
    raw = token.get("raw", "")
    return html.unescape(raw) if token["type"] == "text" else raw


HEADING = re.compile(r"(#{1,6}) +(.+)")
PLACED_ID = re.compile(r"cell-\d+")
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
    """An exhibit: its raw values, as `raw` writes them, and its drawing where it is a chart."""

    raw: dict[str, Any]
    svg: str | None
    key: str = ""
    """What the exhibit is called in its notebook, the same in every run of it: `promised.so_far`, the call that made it."""


Block = Heading | Prose | Shown


def blocks(notebook: Any) -> list[Block]:
    """What `notebook` shows, in order, exhibits of one key told apart by a number. Code, streams and widgets have no block."""
    found, seen = [block for cell in notebook.cells for block in _of_cell(cell)], Counter[str]()
    for at, block in enumerate(found):
        if isinstance(block, Shown):
            seen[block.key] += 1
            found[at] = replace(block, key=f"{block.key} {seen[block.key]}") if seen[block.key] > 1 else block
    return found


def title_of(found: Iterable[Block], name: str, level: int = 6) -> str:
    """What a report is called: its first heading, no deeper than `level`, or else its `name` in words."""
    headings = (words(block.text) for block in found if isinstance(block, Heading) and block.level <= level)
    return clean(next(headings, "")) or clean(name.replace("_", " ").capitalize())


def opening_of(found: Iterable[Block]) -> dict[str, Any]:
    """The raw exhibit that opens a report: the first one with a header; empty where none has."""
    return next((block.raw for block in found if isinstance(block, Shown) and block.raw.get("header")), {})


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
    drawings = [PAGE_DRAWING.search(data.get("text/html", "")) for data in bundles]
    return [
        Shown(raw=data[MIMETYPE], svg=drawing and drawing[0], key=_key(cell))
        for data, drawing in zip(bundles, drawings, strict=True)
        if MIMETYPE in data
    ]


def _key(cell: Any) -> str:
    """The id of a cell that has one of its own; of one that was numbered by its place, what its last line calls.

    A cell added above moves the places of all below it.
    """
    own = str(cell.get("id") or "")
    if own and not PLACED_ID.fullmatch(own):
        return own
    try:
        last = ast.parse(cell.source).body[-1]
    except (SyntaxError, ValueError, IndexError):
        return own or "exhibit"
    calls = [node for node in ast.walk(last) if isinstance(node, ast.Call)]
    names = [
        ast.unparse(call.func) for call in calls if not any(isinstance(each, ast.Call) for each in ast.walk(call.func))
    ]
    return names[0] if names else own or "exhibit"


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
