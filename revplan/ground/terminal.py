"""Tables as text for a terminal, and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def aligned(heads: Sequence[str], rows: Sequence[Sequence[str]], words: int = 1) -> str:
    """Rows of text side by side: the first `words` columns to the left, the others to the right."""
    table = [tuple(heads), *map(tuple, rows)]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return "\n".join(_line(row, widths, words) for row in table)


def aligned_columns(heads: Sequence[str], columns: Sequence[Sequence[str]]) -> str:
    """Columns of text side by side: the first to the left, the others to the right."""
    return aligned(heads, list(zip(*columns, strict=True)))


def _line(row: Sequence[str], widths: Sequence[int], words: int) -> str:
    cells = zip(row, widths, strict=True)
    return "  ".join(
        cell.ljust(width) if number < words else cell.rjust(width) for number, (cell, width) in enumerate(cells)
    ).rstrip()


def plain_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows as JSON can hold them: months as text, gaps as None."""
    plain = frame.assign(**{name: frame[name].astype(str) for name in frame if name == "month"})
    return [
        {key: None if value is None or value != value else value for key, value in row.items()}
        for row in plain.to_dict("records")
    ]
