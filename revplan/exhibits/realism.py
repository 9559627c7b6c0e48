"""The exhibits of how real a plan's assumptions are: against the company's own history, and stacked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from revplan.exhibits.axes import (
    ATTENTION,
    BACKGROUND,
    GAP,
    PLAN,
    REQUIRED,
    fitting_names,
    grid_along_x,
    is_narrow,
    key,
    value_axis,
)
from revplan.exhibits.drawing import Paint
from revplan.exhibits.exhibit import Exhibit, chart, table_of, text
from revplan.exhibits.figures import of_year
from revplan.exhibits.native import Describe, Mark, Native, waterfall
from revplan.ground.formats import counted, kinds_of, show, with_sign
from revplan.simulation.realism import assumed, boldest, nothing_to_compare, stacked, unreached
from revplan.workbook.workbook import Workbook

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

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
    height = 1.1 + 0.36 * len(found.buffers)
    drawn = _waterfall(currency, message)
    made = chart(drawn, found.buffers, kinds_of("buffers"), height=height, name="stacked_buffers")
    return made.with_native(_changes(currency)).sharing(of_year(book.plan, "commit", found.commit))


def _waterfall(currency: str, message: str) -> Paint:
    def paint(ax: Axes, frame: pd.DataFrame) -> str:
        places = np.arange(len(frame))[::-1]
        arr = frame["arr_together"].to_numpy(dtype=float)
        change = np.diff(arr[:-1])
        for sign, color, label in ((1, REQUIRED, "buffer"), (-1, GAP, "bolder than the history")):
            if (mine := change * sign > 0).any():
                ax.barh(places[1:-1][mine], change[mine], 0.6, arr[:-2][mine], color=color, label=label)
        for place, start, step in zip(places[1:-1], arr, change, strict=False):
            said = with_sign(step, currency)
            end = (max(start, start + step), place)
            ax.annotate(said, end, (4, 0), textcoords="offset points", va="center", fontsize=8)
        ax.vlines(arr[:-1], places[1:] - 0.3, places[:-1] + 0.3, color=BACKGROUND, linewidth=1.2, zorder=0)
        ax.plot(arr[:1], places[:1], "s", color=PLAN, markersize=9, label="as planned")
        ax.plot(arr[-1:], places[-1:], "D", color=ATTENTION, markersize=9, label="at the history's medians")
        ax.set_yticks(places, fitting_names(frame["assumptions"], 18 if is_narrow(ax) else 38))
        ax.use_sticky_edges = False
        ax.margins(x=0.3 if is_narrow(ax) else 0.14)
        value_axis(ax, "money", currency, "x")
        grid_along_x(ax)
        key(ax)
        return message

    return paint


def _changes(currency: str) -> Describe:
    """The same in numbers: what each step adds or takes away, and what they come to."""

    def describe(frame: pd.DataFrame) -> Native:
        arr = frame["arr_together"].to_numpy(dtype=float)
        step = np.append(np.diff(arr[:-1]), arr[-1] - arr[0])
        last = np.arange(len(step)) == len(step) - 1
        parts: tuple[tuple[str, np.ndarray, str, Mark], ...] = (
            ("buffer", ~last & (step >= 0), REQUIRED, "bar"),
            ("bolder than the history", ~last & (step < 0), GAP, "bar"),
            ("all together", last, ATTENTION, "level"),
        )
        return waterfall(frame["assumptions"].iloc[1:], step, parts, currency)

    return describe
