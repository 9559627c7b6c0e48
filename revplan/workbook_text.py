"""The computed plan as text for a terminal."""

from __future__ import annotations

from revplan.escaping import clean
from revplan.formats import column
from revplan.terminal import aligned_columns
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
    quarters = [list(book.quarters["label"]), *(column(book.quarters[name], "money") for name in QUARTER_COLUMNS)]
    quarter_heads = ("quarter", "goal", "from commit", "open pipeline", "won", "shortfall", "surplus")
    parts = [
        f"{clean(book.plan.name)}, as of {book.plan.plan_date}",
        clean(book.headline),
        aligned_columns(stage_heads, stages),
        aligned_columns(quarter_heads, quarters),
        "\n".join(f"- {clean(note)}" for note in book.notes),
    ]
    return "\n\n".join(parts)
