"""The computed plan as text for a terminal."""

from __future__ import annotations

import pandas as pd

from revplan.ground.escaping import clean
from revplan.ground.formats import column, show
from revplan.ground.terminal import aligned_columns
from revplan.workbook.workbook import Workbook

STAGE_COLUMNS = (
    ("required", "count"),
    ("commitment", "commitment"),
    ("commit", "commitment"),
    ("to_sign", "commitment"),
    ("value_per_entry", "money"),
)
QUARTER_COLUMNS = ("goal", "commit_arr", "open_pipeline", "won", "shortfall", "surplus")


def plan_text(book: Workbook) -> str:
    """Headline, the plan in every stage, the quarters, and the notes."""
    titles = [stage.title for stage in book.plan.stages]
    told = book.stages.assign(to_sign=pd.Series(list(book.to_sign.entries.values()), dtype=float))
    stages = [titles, *(column(told[name], kind) for name, kind in STAGE_COLUMNS)]
    sure = f"to sign, {show(book.to_sign.confidence, 'share')} sure"
    stage_heads = ("stage", "required", "rounded up", "expected commit", sure, f"{book.plan.currency} per entry")
    quarters = [list(book.quarters["label"]), *(column(book.quarters[name], "money") for name in QUARTER_COLUMNS)]
    quarter_heads = ("quarter", "goal", "expected commit", "open pipeline", "won", "shortfall", "surplus")
    parts = [
        f"{clean(book.plan.name)}, as of {book.plan.plan_date}",
        clean(book.headline),
        aligned_columns(stage_heads, stages),
        aligned_columns(quarter_heads, quarters),
        "\n".join(f"- {clean(note)}" for note in book.notes),
    ]
    return "\n\n".join(parts)
