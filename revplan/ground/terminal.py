"""Tables as text for a terminal, and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

TextBlock = tuple[str, list[str], bool]
"""A column as it is read: its label, its cells, and whether they are set as numbers."""

WRAPPED, NARROW = 48, 11
"""Characters after which words are set in another line, and those that a heading has room for in any case."""


def grid(columns: Sequence[TextBlock], *, heads: bool = True) -> str:
    """Columns side by side: words to the left, numbers to the right, what is long in lines below each other."""
    set_out = [_set_out(*each) for each in columns]
    rows = list(zip(*(blocks for blocks, _ in set_out), strict=True))[0 if heads else 1 :]
    lines = [line for row in rows for line in zip_longest(*row, fillvalue="")]
    pads = [
        (str.rjust if number else str.ljust, width) for (_, width), (*_, number) in zip(set_out, columns, strict=True)
    ]
    told = ("  ".join(pad(cell, width) for cell, (pad, width) in zip(line, pads, strict=True)) for line in lines)
    return "\n".join(line.rstrip() for line in told)


def _set_out(label: str, cells: list[str], number: bool) -> tuple[list[list[str]], int]:
    """The label and the cells of a column, each in lines, and how wide the column is."""
    widest = max(map(len, cells), default=0)
    broad = max(widest if number else min(widest, WRAPPED), *map(len, label.split()), min(len(label), NARROW))
    blocks = [wrap(label, broad), *([cell] if number else wrap(cell, broad) or [""] for cell in cells)]
    return blocks, max(len(line) for block in blocks for line in block)


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON can hold them: months and days as text, gaps as None."""
    plain = frame.assign(**{name: frame[name].astype(str) for name in frame if name == "month"})
    return [{key: _plain(value) for key, value in row.items()} for row in plain.to_dict("records")]


def _plain(value: Any) -> Any:
    if value is None or value != value:
        return None
    return value.isoformat()[:10] if hasattr(value, "isoformat") else value
