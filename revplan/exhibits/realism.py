"""The exhibits of how real a plan's assumptions are: against the company's own history, and stacked."""

from __future__ import annotations

import pandas as pd

from revplan.exhibits import charts
from revplan.exhibits.exhibit import Exhibit, chart, table_of, text
from revplan.exhibits.figures import of_year
from revplan.ground.formats import counted, kinds_of, show
from revplan.workbook.realism import assumed, boldest, nothing_to_compare, stacked, unreached
from revplan.workbook.workbook import Workbook

MOST_ROWS = 20


def against_history(book: Workbook) -> Exhibit:
    """Each assumption beside what the records support, the boldest first."""
    found = book.realism
    if found is None:
        return text(nothing_to_compare(book.simulation))
    rows = boldest(found).head(MOST_ROWS)
    notes = [
        *unreached(found),
        "A rate or deal size is met where it comes out at least as high, a lag where it comes out no longer.",
        "Percentile: how much of what the records support lies below the planned value; past quarters count by the records that "
        "entered in them, volumes by months.",
    ]
    if (left := len(found.assumptions) - len(rows)) > 0:
        further = counted(left, "further value is", "further values are")
        notes.append(f"{further} less bold, or not comparable; `revplan simulate --json` lists every one.")
    if rows.empty:
        return text(assumed(found), notes=notes)
    made = table_of("realism_shown", _written(rows), assumed(found), notes=notes)
    return made.sharing(of_year(book.plan, "values_compared", float(len(found.assumptions))))


def _written(rows: pd.DataFrame) -> pd.DataFrame:
    """Values of several kinds in one column, each as its own kind is written."""
    figures = {
        name: [show(value, kind) for value, kind in zip(rows[name], rows["kind"], strict=True)]
        for name in ("planned", "history_low", "history_mid", "history_high")
    }
    reached = [f"{met:.0f} of {count:.0f}" for met, count in zip(rows["periods_met"], rows["periods"], strict=True)]
    chances = {name: rows[name].round(3) for name in ("percentile", "chance")}
    return rows.assign(**figures, **chances, reached=reached)[list(kinds_of("realism_shown"))]


def stacked_buffers(book: Workbook) -> Exhibit:
    """What the committed entries bring as one assumption after the other is set to the history's median."""
    found = book.realism
    if found is None:
        return text("Without a history no buffer can be told from a need.")
    if found.buffers.empty:
        return text(stacked(found, book.plan))
    currency, message = book.plan.currency, stacked(found, book.plan)
    made = chart(charts.stacked_buffers(found.buffers, message, currency), found.buffers, kinds_of("buffers"))
    return made.sharing(of_year(book.plan, "commit", found.commit))
