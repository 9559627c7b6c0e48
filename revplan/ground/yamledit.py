"""Values of a plan file changed where they stand: every other character of the file stays as it is.

A round trip through a YAML library keeps most comments, but sets the lines anew (DECISIONS.md). Here a
value's own characters are replaced, and the outcome is read again and compared with what was asked for.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, SequenceNode

from revplan.ground.errors import PlanError, shown
from revplan.ground.files import PLAN_MB, content_of, megabytes
from revplan.ground.yamlfile import Place, dotted

Edit = tuple[Place, Any]
"""Where, and the value it gets; a place in a list one past its end appends to it."""


def edited(text: str, edits: Iterable[Edit], name: str) -> str:
    """`text`, a plan file called `name`, with the values of `edits`.

    Raises
    ------
    PlanError
        If a value cannot be changed by itself, as one that an anchor shares with others.
    """
    wanted = _data(text)
    for place, value in edits:
        changed = _with(text, place, value)
        if changed is not None:
            _set(wanted, place, _data(flow(value)))
        if changed is None or not _holds(changed, wanted):
            reason = "cannot be changed by itself (an anchor, a tag, an unusual form); edit it by hand"
            raise PlanError.at(f"{name}, {dotted(place)}", reason)
        text = changed
    return text


def plan_text(path: Path) -> str:
    """The characters of a plan file, its line ends as they are.

    Raises
    ------
    PlanError
        If it cannot be read.
    """
    try:
        return content_of(path, PlanError, megabytes(PLAN_MB)).decode("utf-8")
    except FileNotFoundError:
        raise PlanError.at(shown(path.name), "there is no such file any more; put it back") from None
    except (OSError, UnicodeDecodeError) as fault:
        reason = fault.strerror if isinstance(fault, OSError) and fault.strerror else shown(fault)
        raise PlanError.at(shown(path.name), f"cannot be read ({reason})") from None


def _yaml() -> YAML:
    return YAML(typ="safe", pure=True)


def _data(text: str) -> Any:
    return _yaml().load(text)


def _holds(text: str, wanted: Any) -> bool:
    try:
        return bool(_data(text) == wanted)
    except (YAMLError, ValueError):
        return False


def _set(data: Any, place: Place, value: Any) -> None:
    """The same change of plain data; what an alias shares is taken apart first."""
    for key in place[:-1]:
        data[key] = copy.copy(data[key])
        data = data[key]
    if isinstance(data, list) and place[-1] == len(data):
        data.append(value)
    else:
        data[place[-1]] = value


def _with(text: str, place: Place, value: Any) -> str | None:
    """`text` with a value set or added; None where there is nothing it could be added to."""
    node: Any = _yaml().compose(text)
    for key in place[:-1]:
        node = _child(node, key)
    if not isinstance(node, MappingNode | SequenceNode):
        return None
    old = _child(node, place[-1])
    if old is not None:
        inside = " " if old.start_mark.column == node.start_mark.column else ""  # a list as far left as its key
        return text[: old.start_mark.index] + inside + flow(value) + text[_end(old) :]
    item = flow(value) if isinstance(node, SequenceNode) else f"{_key(place[-1])}: {flow(value)}"
    return _appended(text, node, item)


def _child(node: Node | None, key: str | int) -> Node | None:
    if isinstance(node, MappingNode):
        return next((value for name, value in node.value if str(name.value) == str(key)), None)
    if isinstance(node, SequenceNode) and isinstance(key, int) and key < len(node.value):
        return node.value[key]
    return None


def _end(node: Any) -> int:
    """Where a node's own characters end: a block has its last value's end, not the next block's start."""
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return _end(last[1] if isinstance(last, tuple) else last)
    return int(node.end_mark.index)


def _appended(text: str, node: Any, item: str) -> str:
    """`text` with one more item in a mapping or list, in the style in which that is written."""
    if not node.value:
        inside = node.end_mark.index - 1
        return text[:inside] + item + text[inside:]
    last = node.value[-1]
    end = _end(last[1] if isinstance(last, tuple) else last)
    if node.flow_style:
        return f"{text[:end]}, {item}{text[end:]}"
    line_end = text.find("\n", end)
    line_end = len(text) if line_end < 0 else line_end
    return_too = "\r" if text[:line_end].endswith("\r") else ""
    line_end -= len(return_too)
    mark = "- " if isinstance(node, SequenceNode) else ""
    return f"{text[:line_end]}{return_too}\n{' ' * node.start_mark.column}{mark}{item}{text[line_end:]}"


def flow(value: Any) -> str:
    """A value on one line, as a plan file writes it."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_key(key)}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if value is None:
        return "null"
    if isinstance(value, int | float):
        return number(value)
    return _key(value)


def number(value: float) -> str:
    """A number with twelve significant digits; whole ones with underscores between thousands."""
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):_}"
    return f"{value:.12g}"


def _key(text: object) -> str:
    """A text as it can stand in a line: quoted unless it is a plain word that no reader takes for anything else."""
    plain = str(text)
    simple = plain.isascii() and plain.replace("_", "a").isalnum() and plain[0].isalpha()
    if simple and plain.lower() not in {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}:
        return plain
    return '"' + "".join(_escaped(c) for c in plain) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"
