"""YAML from strangers: read as plain data, with the line of every value, and nothing executed."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError, ReusedAnchorWarning
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode
from ruamel.yaml.reader import ReaderError

from revplan.ground.errors import RevplanError, shown
from revplan.ground.files import PLAN_MB, content_of, megabytes

DAY = re.compile(r"\b([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})\b")
TABLES = {".csv", ".tsv", ".xlsx", ".parquet", ".duckdb"}
MOST_NAMED = 3
MAX_NODES = 200_000  # after aliases are expanded: a few lines of aliases can stand for billions

A_FILE = "a YAML file"
PLAIN = re.compile(r"[^\W\d_][\w ./()-]*[\w)]|[^\W\d_]")
WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """The data of a YAML file, and where its values stand."""

    data: dict[str, Any]
    name: str
    root: Node

    def where(self, place: Place) -> str:
        """`place` for a person: the file, the line where it is written, and its keys."""
        keys = dotted(place)
        return f"{self.name} line {self.line(place)}{f', {keys}' if keys else ''}"

    def line(self, place: Place) -> int:
        """Line of the deepest key on the way to `place` that is written, counted from 1."""
        return _line(self.root, place)


def read_yaml(path: Path, error: type[RevplanError], wanted: str = A_FILE) -> Document:
    """The mapping that the YAML 1.2 file at `path` holds; `wanted` is how a reader is asked for such a file.

    Raises
    ------
    RevplanError
        Of the class `error`, if the file is missing, not text, not YAML, not a mapping, holds a key
        twice, an anchor twice, or a tag that asks for an object.
    """
    return yaml_document(yaml_content(path, error, wanted), path.name, error, wanted)


def yaml_content(path: Path, error: type[RevplanError], wanted: str = A_FILE) -> bytes:
    """What the file at `path` holds, as long as its name is not that of a table.

    Raises
    ------
    RevplanError
        Of the class `error`, if the file is missing, cannot be read, or is a table.
    """
    content = _content(path, error)
    if path.suffix.casefold() in TABLES:
        raise error.at(shown(path.name), f"is a table of data; give {wanted}")
    return content


def yaml_document(content: bytes, name: str, error: type[RevplanError], wanted: str = A_FILE) -> Document:
    """The mapping that the YAML 1.2 file called `name` holds, which has this content.

    Raises
    ------
    RevplanError
        As `read_yaml` does.
    """
    text = _text(content, name, error)
    yaml = YAML(typ="safe", pure=True)
    try:
        root = _composed(yaml, text)
        if root is not None and _node_count(root, {}) > MAX_NODES:
            raise error.at(name, "its aliases stand for more than a plan can hold; write the values out")
        data = None if root is None else yaml.constructor.construct_document(root)  # what was composed: not read twice
    except MarkedYAMLError as fault:
        raise error.at(_marked(name, fault), _problem(fault)) from None
    except ReusedAnchorWarning as fault:
        raise error.at(*_anchor_twice(name, str(fault))) from None
    except Exception as fault:  # YAML's own errors, and whatever a tag such as !!bool brings about
        place, what = _unreadable(name, text, fault)
        raise error.at(place, what) from None
    if isinstance(data, str):
        raise error.at(name, f"holds plain text; give {wanted}")
    if not isinstance(data, dict) or root is None:
        raise error.at(name, f"holds {_kind(data)}; it must hold keys with values, such as `name: value`")
    return Document(data, name, root)


def _composed(yaml: YAML, text: str) -> Node | None:
    """The nodes of `text`; an anchor that is set twice is refused: which of the two an alias means is easy to misread."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", ReusedAnchorWarning)
        return yaml.compose(text)


def _anchor_twice(name: str, warning: str) -> tuple[str, str]:
    """Place and message of the second of two anchors of one name, from the two places `warning` names."""
    lines = re.findall(r"line ([0-9]+)", warning)
    place = f"{name} line {lines[-1]}" if lines else name
    return place, f"sets an anchor (&) that line {lines[0] if lines else 'above'} sets already; give it another name"


def as_yaml(data: Any) -> str:
    """`data` as YAML, no line of it broken."""
    yaml, text = YAML(), StringIO()
    yaml.width = 10_000
    yaml.dump(data, text)
    return text.getvalue()


def on_one_line(block: Mapping[str, Any]) -> Any:
    """`block` as ruamel writes it on one line."""
    line = CommentedMap(block)
    line.fa.set_flow_style()
    return line


def dotted(place: Place) -> str:
    """Keys of a place as one text: transitions[1].lag."""
    text = ""
    for key in place:
        text += f"[{key}]" if isinstance(key, int) else f".{shown(key)}"
    return text.lstrip(".")


def _content(path: Path, error: type[RevplanError]) -> bytes:
    if path.is_dir():
        raise error.at(shown(path.name), _instead_of_folder(path))
    try:
        return content_of(path, error, megabytes(PLAN_MB))
    except FileNotFoundError:
        raise error.at(shown(path.name), f"there is no such file in {_folder(path)}; check the name") from None
    except OSError as fault:
        raise error.at(shown(path.name), f"cannot be read: {fault.strerror}") from None


def _text(content: bytes, name: str, error: type[RevplanError]) -> str:
    limit = megabytes(PLAN_MB)
    if len(content) > limit.value * 1_000_000:
        raise error.at(name, limit.refusal("has more than"))
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise error.at(name, f"is not UTF-8 text (byte {fault.start}); save it as UTF-8") from None


def _instead_of_folder(path: Path) -> str:
    """Which file to give where a folder was given."""
    inside = sorted(path.glob("*.yaml"))[:MOST_NAMED]
    names = " or ".join(shown(f"{path.name}/{each.name}") for each in inside)
    return f"is a folder; give the file in it{f': {names}' if names else ''}"


def _folder(path: Path) -> str:
    return f"the folder {shown(path.parent.name)!r}" if path.parent.name else "this folder"


def _marked(name: str, fault: MarkedYAMLError) -> str:
    mark = fault.problem_mark or fault.context_mark
    return f"{name} line {mark.line + 1}" if mark else name


def _problem(fault: MarkedYAMLError) -> str:
    problem = str(fault.problem or fault.context or "is not readable")
    if "constructor" in problem and "tag" in problem:
        tag = problem.rsplit("tag ", 1)[-1].strip(" '\"").removeprefix("tag:yaml.org,2002:")
        return f"has the tag {shown(tag)!r}, which asks for an object; take the tag out: values are plain here"
    if "\\t" in problem:
        return "has a tab where an indent should be; use spaces"
    if "duplicate key" in problem:
        key = problem.partition('duplicate key "')[2].partition('" with value')[0]
        return f"{shown(key)!r} is given twice; keep one"
    return f"is not YAML: {shown(problem)}; check the indents, the colons and the quotes near it"


def _unreadable(name: str, text: str, fault: Exception) -> tuple[str, str]:
    """Where and what: an invisible character, or a day that no calendar has; YAML tells the line of neither."""
    if isinstance(fault, ReaderError):
        return _invisible(name, text, chr(fault.character))
    for number, line in enumerate(text.splitlines(), 1):
        for year, month, day in DAY.findall(line):
            try:
                date(int(year), int(month), int(day))
            except ValueError:
                return f"{name} line {number}", f"{year}-{month}-{day} is a day no calendar has; correct it"
    return name, f"is not readable as YAML: {shown(fault)}"


def _invisible(name: str, text: str, odd: str) -> tuple[str, str]:
    line = text.count("\n", 0, text.index(odd)) + 1
    what = f"holds an invisible character (U+{ord(odd):04X}) that YAML does not allow; delete it"
    return f"{name} line {line}", what


def _kind(data: object) -> str:
    return "nothing" if data is None else f"a {type(data).__name__}"


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, SequenceNode) else []


def _node_count(node: Node, counts: dict[int, int]) -> int:
    """Nodes below `node` with every alias written out."""
    if id(node) not in counts:
        counts[id(node)] = 0  # a node inside itself adds nothing more here; loading refuses it
        counts[id(node)] = 1 + sum(_node_count(child, counts) for child in _children(node))
    return counts[id(node)]


def _line(node: Node, place: Sequence[str | int]) -> int:
    """Line of the deepest node on the way to `place`, counted from 1."""
    line = node.start_mark.line + 1
    for key in place:
        step = _step(node, key)
        if step is None:
            break
        node, line = step
    return line


def _step(node: Node, key: str | int) -> tuple[Node, int] | None:
    if isinstance(node, MappingNode):
        pairs = ((value, name.start_mark.line + 1) for name, value in node.value if str(name.value) == str(key))
        return next(pairs, None)
    if isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key], node.value[key].start_mark.line + 1
    return None


def flow(value: Any) -> str:
    """`value` in YAML, on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{flow(key)}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    text = str(value)
    return text if PLAIN.fullmatch(text) and text.casefold() not in WORDS else json.dumps(text, ensure_ascii=False)
