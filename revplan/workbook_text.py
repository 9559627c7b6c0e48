"""The computed plan as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from revplan.escaping import clean
from revplan.formats import column
from revplan.workbook import Workbook

STAGE_COLUMNS = (
    ("required", "count"),
    ("commitment", "commitment"),
    ("commit", "commitment"),
    ("value_per_entry", "money"),
)
QUARTER_COLUMNS = ("goal", "commit_arr", "open_pipeline", "won", "shortfall", "surplus")


def plan_text(book: Workbook) -> str:
    """Headline, the plan in every stage, the quarters, and the notes."""
    titles = [stage.title for stage in book.plan.stages]
    stages = [titles, *(column(book.stages[name], kind) for name, kind in STAGE_COLUMNS)]
    stage_heads = ("stage", "required", "commitment", "commit in year", f"{book.plan.currency} per entry")
    quarters = [list(book.quarters["quarter"]), *(column(book.quarters[name], "money") for name in QUARTER_COLUMNS)]
    quarter_heads = ("quarter", "goal", "from commit", "open pipeline", "won", "shortfall", "surplus")
    parts = [
        f"{clean(book.plan.name)}, as of {book.plan.plan_date}",
        clean(book.headline),
        _aligned(stage_heads, stages),
        _aligned(quarter_heads, quarters),
        "\n".join(f"- {clean(note)}" for note in book.notes),
    ]
    return "\n\n".join(parts)


def _aligned(heads: Sequence[str], columns: Sequence[Sequence[str]]) -> str:
    """Columns of text side by side: the first to the left, numbers to the right."""
    widths = [max(len(head), *(len(cell) for cell in cells)) for head, cells in zip(heads, columns, strict=True)]
    rows = [list(heads), *map(list, zip(*columns, strict=True))]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first = row[0].ljust(widths[0])
    return "  ".join([first, *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))])
