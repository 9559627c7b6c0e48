"""The parameters a notebook declares, and the settings checked against them.

papermill runs parameter names as code and takes values as they come, so nothing reaches it
that is not declared in the notebook's cell tagged `parameters`, with the declared type.
The cell is read, never run.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

from revplan.ground.errors import Fault, PlanError, ReportError, did_you_mean, shown

RESERVED = ("plan_path", "against")
"""Parameters the renderer sets itself, in notebooks that declare them."""

Setting = str | int | float | bool

_WANTED = {
    "str": "any text",
    "int": "a whole number such as 12000",
    "float": "a number such as 0.25 or 12000",
    "bool": "true or false",
    "date": "a day such as 2026-11-15",
}
_WHOLE = re.compile(r"[+-]?[0-9]+(_[0-9]+)*")
_NUMBER = re.compile(r"[+-]?([0-9]+(_[0-9]+)*\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """A declared parameter: its type is str, int, float, bool or date (a text YYYY-MM-DD)."""

    name: str
    type: str
    default: Setting | None


def declared(notebook: Any, place: str) -> dict[str, Parameter]:
    """The parameters of `notebook` by name, in their order; none if no cell is tagged so.

    Raises
    ------
    ReportError
        If the cell is not Python, or two cells are tagged `parameters`.
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(cells) > 1:
        raise ReportError.at(place, "two cells are tagged 'parameters'; keep the tag on one")
    try:
        statements = [statement for cell in cells for statement in ast.parse(cell.source).body]
    except (SyntaxError, ValueError) as error:
        raise ReportError.at(place, f"the cell tagged 'parameters' cannot be read: {shown(error)}") from None
    found = [parameter for statement in statements if (parameter := _parameter(statement))]
    return {parameter.name: parameter for parameter in found}


def checked(settings: Mapping[str, object], declared: Mapping[str, Parameter], place: str) -> dict[str, Setting]:
    """`settings` as the values papermill may have; texts are read as the declared type.

    Raises
    ------
    PlanError
        For every name that is not declared and every value of another type, all at once.
    """
    results = {name: _checked(name, value, declared, place) for name, value in settings.items()}
    faults = [result for result in results.values() if isinstance(result, Fault)]
    if faults:
        raise PlanError(faults)
    return {name: value for name, value in results.items() if not isinstance(value, Fault)}


def _parameter(statement: ast.stmt) -> Parameter | None:
    """What a line such as `rate: float = 0.2` declares; None for other lines."""
    match statement:
        case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr() as value):
            return _typed(name, ast.unparse(annotation), value)
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            return _typed(name, "", value)
    return None


def _typed(name: str, annotation: str, expression: ast.expr) -> Parameter | None:
    try:
        default = ast.literal_eval(expression)
    except ValueError:
        return None
    kind = annotation.replace(" ", "").removesuffix("|None") or type(default).__name__
    if kind == "str" and isinstance(default, str) and _DAY.fullmatch(default):
        kind = "date"
    return Parameter(name=name, type=kind, default=default) if kind in _WANTED else None


def _checked(name: str, value: object, declared: Mapping[str, Parameter], place: str) -> Setting | Fault:
    where = f"{place}, setting {shown(name)}"
    if name in RESERVED:
        return Fault(where, "is set by the report itself; leave it out")
    if name not in declared:
        return Fault(where, f"is not declared; {_alternatives(name, declared)}")
    wanted = declared[name].type
    result = _read(value, wanted) if isinstance(value, str) else _same(value, wanted)
    if result is None:
        return Fault(where, f"is {shown(value)!r}; it must be {_WANTED[wanted]}")
    return result


def _alternatives(name: str, declared: Mapping[str, Parameter]) -> str:
    allowed = [other for other in declared if other not in RESERVED]
    if not allowed:
        return "this report takes no settings"
    return f"{did_you_mean(name, allowed)}The settings are {', '.join(allowed)}"


def _read(text: str, wanted: str) -> Setting | None:
    """`text` as a value of the wanted type; None if it is not one."""
    if wanted == "str":
        return text
    stripped = text.strip()
    if wanted == "bool":
        return {"true": True, "false": False}.get(stripped.lower())
    if wanted == "int":
        return int(stripped) if _WHOLE.fullmatch(stripped) and len(stripped) < 20 else None
    if wanted == "float":
        return _finite(float(stripped)) if _NUMBER.fullmatch(stripped) else None
    with suppress(ValueError):
        return date.fromisoformat(stripped).isoformat() if _DAY.fullmatch(stripped) else None
    return None


def _same(value: object, wanted: str) -> Setting | None:
    """`value` if a caller in Python gave it the wanted type already; None otherwise."""
    if isinstance(value, bool):
        return value if wanted == "bool" else None
    if isinstance(value, int | float) and wanted == "float":
        return _finite(float(value))
    if isinstance(value, date) and wanted == "date":
        return value.isoformat()[:10]
    return value if isinstance(value, int) and wanted == "int" else None


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
