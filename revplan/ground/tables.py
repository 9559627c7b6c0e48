"""The data dictionary: which columns a table has, of which kind, and what they mean.

`tables.csv` holds one row per column; everything that needs to know a column (checks,
formats, axis labels, docs) reads it from there.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from revplan.ground.errors import DataError, Fault, shown

# Texts are held alike whether pyarrow is installed or not: with it, half a character in a stranger's name is an error.
pd.set_option("mode.string_storage", "python")

NUMERIC = {"count", "commitment", "number", "reps", "money", "share", "ratio", "months", "days"}


@dataclass(frozen=True)
class Column:
    """A declared column: its label is what a reader sees above it, its kind says how it is checked and shown."""

    name: str
    label: str
    """May hold words to be filled in: `Goal ({currency})`."""
    kind: str
    unit: str
    """What a number of it counts or is measured in; empty where it holds none."""
    required: bool
    description: str


@cache
def names() -> tuple[str, ...]:
    """Every declared table, in the order of `tables.csv`."""
    return tuple(dict.fromkeys(row["table"] for row in _declared()))


def _declared() -> list[dict[str, str]]:
    text = resources.files("revplan.ground").joinpath("tables.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@cache
def columns(table: str) -> tuple[Column, ...]:
    """The declared columns of `table`, in their order.

    Raises
    ------
    KeyError
        If no such table is declared.
    """
    rows = [row for row in _declared() if row["table"] == table]
    if not rows:
        raise KeyError(f"tables.csv declares no table {table!r}")
    return tuple(
        Column(row["column"], row["label"], row["kind"], row["unit"], row["required"] == "yes", row["description"])
        for row in rows
    )


def conform(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """`frame` with the declared columns of `table`, in declared order, its index reset.

    Raises
    ------
    DataError
        If a required column is missing, holds the wrong kind or has gaps; all faults at once.
    """
    declared = columns(table)
    faults = [fault for column in declared for fault in _faults(frame, table, column)]
    if faults:
        raise DataError(faults)
    return frame[[column.name for column in declared if column.name in frame]].reset_index(drop=True)


def from_rows(table: str, rows: Iterable[Sequence[Any] | Mapping[str, Any]]) -> pd.DataFrame:
    """The declared table of some rows: values in declared order, or by column; empty where there are none.

    A column of which the values alone do not tell what it holds, such as one of gaps, gets the type of its kind.
    """
    made = list(rows)
    if not made:
        return empty(table)
    names = None if isinstance(made[0], Mapping) else [column.name for column in columns(table)]
    frame = pd.DataFrame(made, columns=names)
    untold = {
        each.name: _dtype(each.kind)
        for each in columns(table)
        if each.kind != "yes" and each.name in frame and frame[each.name].dtype == object  # a gap is no "no"
    }
    return conform(frame.astype(untold), table)


def empty(table: str) -> pd.DataFrame:
    """A table with the declared columns of `table` and no rows."""
    return pd.DataFrame({column.name: pd.Series(dtype=_dtype(column.kind)) for column in columns(table)})


def _faults(frame: pd.DataFrame, table: str, column: Column) -> list[Fault]:
    place = f"table {table}, column {column.name}"
    if column.name not in frame:
        return [Fault(place, "is missing")] if column.required else []
    values = frame[column.name]
    if not _is_kind(values, column.kind):
        return [Fault(place, f"holds {values.dtype}; it must hold {column.kind}")]
    if column.required and values.isna().any():
        row = int(np.flatnonzero(values.isna())[0])
        return [Fault(place, f"has gaps, the first in row {row}; it must be filled")]
    if column.kind == "share" and not values.dropna().between(-1e-9, 1 + 1e-9).all():
        worst = values[~values.between(-1e-9, 1 + 1e-9)].iloc[0]
        return [Fault(place, f"holds {shown(worst)}; a share lies between 0 and 1")]
    return []


def _is_kind(values: pd.Series, kind: str) -> bool:
    if kind in NUMERIC:
        return pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if kind == "date":
        return pd.api.types.is_datetime64_dtype(values)
    if kind == "month":
        return isinstance(values.dtype, pd.PeriodDtype)
    if kind == "yes":
        return pd.api.types.is_bool_dtype(values)
    return pd.api.types.is_string_dtype(values) or isinstance(values.dtype, pd.CategoricalDtype) or values.empty


def _dtype(kind: str) -> str:
    if kind in NUMERIC:
        return "float64"
    return {"date": "datetime64[us]", "month": "period[M]", "yes": "bool"}.get(kind, "str")
