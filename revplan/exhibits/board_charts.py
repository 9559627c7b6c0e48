"""The charts of the board pack: as they are painted, and in numbers for a presentation."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revplan.exhibits.axes import (
    BACKGROUND,
    BAR,
    GAP,
    PAST,
    PLAN,
    REQUIRED,
    fitting,
    grid_along_x,
    is_narrow,
    key,
    month_axis,
    value_axis,
)
from revplan.exhibits.drawing import Paint
from revplan.exhibits.figures import Sentence
from revplan.exhibits.native import Describe, Mark, Native, Series, numbers, waterfall
from revplan.ground.formats import compact, show, with_sign

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SO_FAR = (
    ("goal", PAST, "dashed"),
    ("promised", REQUIRED, "line"),
    ("came", PLAN, "line"),
)
STYLES = {"dashed": "--", "line": "-"}


def so_far(currency: str, said: Sentence) -> Paint:
    """Three curves of cumulated ARR."""

    def paint(ax: Axes, frame: pd.DataFrame) -> Sentence:
        places = np.arange(len(frame))
        for name, color, mark in _known(frame):
            width = 2.6 if name == "came" else 1.6
            ax.plot(places, frame[name].astype(float), STYLES[mark], color=color, linewidth=width, label=name)
        month_axis(ax, frame["month"])
        ax.set_ylim(bottom=0)
        value_axis(ax, "money", currency)
        key(ax)
        return said

    return paint


def _known(frame: pd.DataFrame) -> list[tuple[str, str, str]]:
    """The curves of which any month is known."""
    return [each for each in SO_FAR if frame[each[0]].notna().any()]


def so_far_native(currency: str) -> Describe:
    """The same in numbers."""

    def describe(frame: pd.DataFrame) -> Native:
        series = [
            Series(name=name, values=numbers(frame[name]), color=color, mark=mark)  # type: ignore[arg-type]
            for name, color, mark in _known(frame)
        ]
        months = tuple(show(month, "month") for month in frame["month"])
        return Native(form="columns", categories=months, series=tuple(series), kind="money", currency=currency)

    return describe


def variance(currency: str, said: Sentence) -> Paint:
    """A waterfall from the first row to the last; the axis begins at zero, or below it where a level is."""

    def paint(ax: Axes, frame: pd.DataFrame) -> Sentence:
        amounts, bases = frame["amount"].to_numpy(dtype=float), waterfall_bases(frame["amount"].to_numpy(dtype=float))
        size = 6.5 if is_narrow(ax) else 9.0
        for place, (amount, base) in enumerate(zip(amounts, bases, strict=True)):
            ends = place in (0, len(amounts) - 1)
            ax.bar(place, amount, BAR, base, color=PLAN if ends else GAP if amount < 0 else REQUIRED)
            label = compact(amount, currency) if ends else with_sign(amount, currency)
            top = base + max(amount, 0.0)
            ax.annotate(label, (place, top), (0, 3), textcoords="offset points", ha="center", fontsize=size)
        width = 8 if is_narrow(ax) else 14
        ax.set_xticks(range(len(frame)), [_two_lines(line, width) for line in frame["line"]], fontsize=size)
        ax.margins(y=0.14)
        ax.set_ylim(bottom=min(0.0, *np.minimum(bases, bases + amounts)))
        value_axis(ax, "money", currency)
        return said

    return paint


def waterfall_bases(amounts: np.ndarray) -> np.ndarray:
    """Where each bar of a waterfall stands: the first and the last on the ground, others on the level before."""
    levels = np.cumsum(amounts[:-1])
    return np.concatenate([[0.0], levels[:-1], [0.0]])


def _two_lines(label: str, width: int) -> str:
    """A label over two lines at most."""
    words, lines = label.split(), [""]
    for word in words:
        lines = [*lines[:-1], f"{lines[-1]} {word}".strip()] if len(lines[-1]) + len(word) < width else [*lines, word]
    lines = [line for line in lines if line]
    return "\n".join(fitting(line, width) for line in [*lines[:1], *([" ".join(lines[1:])] if lines[1:] else [])])


def variance_native(currency: str) -> Describe:
    """The same in numbers."""

    def describe(frame: pd.DataFrame) -> Native:
        ends = np.isin(np.arange(len(frame)), (0, len(frame) - 1))
        down = (frame["amount"] < 0).to_numpy()
        parts: tuple[tuple[str, np.ndarray, str, Mark], ...] = (
            ("New ARR", ends, PLAN, "level"),
            ("adds", ~ends & ~down, REQUIRED, "bar"),
            ("takes away", ~ends & down, GAP, "bar"),
        )
        return waterfall(frame["line"], frame["amount"], parts, currency)

    return describe


LANDING = (
    ("won", "won", PLAN),
    ("open_records", "expected of open records", REQUIRED),
    ("still_to_create", "still to create", BACKGROUND),
)


def landing(currency: str, said: Sentence, year: str) -> Paint:
    """One bar of three parts, the band about its end, and the goal; `year` is what the fiscal year is called."""

    def paint(ax: Axes, frame: pd.DataFrame) -> Sentence:
        row, base = frame.iloc[0], 0.0
        for column, label, color in LANDING:
            ax.barh(0, row[column], 0.5, base, color=color, label=label)
            base += row[column]
        low, high = row["landing_low"], row["landing_high"]
        ax.plot([low, high], [0, 0], color="black", linewidth=2, marker="|", markersize=16, label="8 of 10 cases")
        ax.axvline(row["goal"], color=GAP, linewidth=2.4, label="goal")
        ax.set_yticks([0], [year])
        ax.set_ylim(-0.6, 0.6)
        ax.set_xlim(left=0, right=1.06 * max(high, row["goal"], base))
        value_axis(ax, "money", currency, "x")
        grid_along_x(ax)
        key(ax)
        return said

    return paint


def landing_native(currency: str) -> Describe:
    """The same in numbers: the parts on each other up to the landing, and the goal beside it."""

    def describe(frame: pd.DataFrame) -> Native:
        row = frame.iloc[0]
        labels = [*(label for _, label, _ in LANDING), "landing", "goal"]
        amounts = [*(row[column] for column, _, _ in LANDING), row["landing"], row["goal"]]
        level = np.isin(labels, ("won", "landing", "goal"))
        parts: tuple[tuple[str, np.ndarray, str, Mark], ...] = (
            ("New ARR", level, PLAN, "level"),
            ("expected", ~level, REQUIRED, "bar"),
        )
        return waterfall(labels, amounts, parts, currency)

    return describe
