"""Markdown as plain data: what kind each piece is, and its texts. A printing sets it, and never reads marks itself."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

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
    return [_KINDS.get(token["type"], _paragraph)(token) for token in tokens if token["type"] != "blank_line"]


def _paragraph(token: Node) -> Node:
    return {"kind": "paragraph", "runs": _runs(token.get("children") or [{"type": "text", "raw": _raw(token)}])}


def _list(token: Node) -> Node:
    attributes = token["attrs"]
    items = [_nodes(item["children"]) for item in token["children"]]
    return {"kind": "list", "ordered": attributes["ordered"], "start": attributes.get("start", 1), "items": items}


def _quote(token: Node) -> Node:
    return {"kind": "quote", "nodes": _nodes(token["children"])}


def _code(token: Node) -> Node:
    lines = [line.expandtabs(4) for line in _raw(token).rstrip("\n").split("\n")]
    return {"kind": "code", "lines": [{"indent": len(line) - len(line.lstrip()), "text": line} for line in lines]}


def _table(token: Node) -> Node:
    head, *body = token["children"]
    rows = [row["children"] for part in body for row in part["children"]]
    return {"kind": "table", "rows": [[_runs(cell["children"]) for cell in row] for row in [head["children"], *rows]]}


def _rule(token: Node) -> Node:
    return {"kind": "rule"}


_KINDS: dict[str, Callable[[Node], Node]] = {
    "list": _list,
    "block_quote": _quote,
    "block_code": _code,
    "table": _table,
    "thematic_break": _rule,
}


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
