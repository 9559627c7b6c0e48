"""What painters share: months and values along an axis, a key, labels that fit.

Colours are named by what they mean and defined in `style/revplan.mplstyle`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from revplan.ground.calendar import MONTHS
from revplan.ground.escaping import clean
from revplan.ground.formats import compact, show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

PLAN, GAP, PAST, REQUIRED, ATTENTION, ACTUAL, OTHER, BACKGROUND = (f"C{number}" for number in range(8))

BAR = 0.62
"""Width of a bar, where bars are 1 apart."""

_LABEL_WIDTH = 0.42
_STEPS = (1, 2, 3, 6, 12, 24, 60)


def month_axis(ax: Axes, months: Sequence[pd.Period] | pd.Series) -> None:
    """Labels positions 0, 1, 2... of the x axis with `months`, as many as there is room for.

    The year stands under the first label and under the first of each year.
    """
    periods = list(months)
    room = max(1, int(_width(ax) * 0.86 / _LABEL_WIDTH))
    step = next((step for step in _STEPS if len(periods) / step <= room), _STEPS[-1])
    places = range(0, len(periods), step)
    years = [periods[place].year for place in places]
    named = [place == 0 or years[place] != years[place - 1] for place in range(len(years))]
    labels = [
        MONTHS[periods[at].month - 1] + (f"\n{year}" if new else "")
        for at, year, new in zip(places, years, named, strict=True)
    ]
    ax.set_xticks(list(places), labels)


def value_axis(ax: Axes, kind: str, currency: str = "", axis: str = "y") -> None:
    """Writes the ticks of an axis the way values of `kind` are written, large ones compactly."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    def written(value: float, _: Any) -> str:
        if kind == "share":
            return show(round(value, 6), "share")
        return compact(round(value, 9), currency if kind == "money" else "")

    scale = ax.yaxis if axis == "y" else ax.xaxis
    scale.set_major_locator(MaxNLocator(nbins=5, steps=[1, 2, 2.5, 5, 10]))
    scale.set_major_formatter(FuncFormatter(written))


def grid_along_x(ax: Axes) -> None:
    """Lines to read values off the x axis, for charts whose bars lie."""
    ax.grid(visible=True, axis="x")
    ax.grid(visible=False, axis="y")


def key(ax: Axes) -> None:
    """The key of the chart in one or two lines above it, where it hides nothing."""
    narrow = is_narrow(ax)
    handles, labels = ax.get_legend_handles_labels()
    cut = fitting_names(labels, 26 if narrow else 40)
    ax.legend(handles, cut, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=_key_columns(cut, narrow))


def _key_columns(labels: list[str], narrow: bool) -> int:
    """How many of `labels` stand side by side without reaching beyond the drawing."""
    room = 44 if narrow else 120

    def taken(columns: int) -> int:
        size, longer = divmod(len(labels), columns)
        ends = [column * size + min(column, longer) for column in range(columns + 1)]
        return sum(max(map(len, labels[start:end])) + 6 for start, end in pairwise(ends))

    return next((columns for columns in range(min(5, len(labels)), 1, -1) if taken(columns) <= room), 1)


def is_narrow(ax: Axes) -> bool:
    """Whether the chart is drawn for a phone."""
    return _width(ax) < 5


def fitting(name: object, width: int = 22) -> str:
    """`name` cleaned and cut to `width` characters; where it stands among others, `fitting_names` keeps them apart."""
    text = clean(name)
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def fitting_names(names: Iterable[object], width: int = 22) -> list[str]:
    """The names of one chart or table cleaned and cut to `width` characters, so that different ones still read differently.

    Names whose beginnings are alike are cut in the middle, and those that even so are alike get a number.
    """
    texts = [clean(name) for name in names]
    labels = _apart(dict.fromkeys(texts), width)
    return [labels[text] for text in texts]


def _apart(texts: Iterable[str], width: int) -> dict[str, str]:
    alike: dict[str, list[str]] = {}
    for text in texts:
        alike.setdefault(fitting(text, width), []).append(text)
    labels: dict[str, str] = {}
    for label, group in alike.items():
        labels |= {group[0]: label} if len(group) == 1 else _in_the_middle(group, width)
    used: dict[str, int] = {}
    for text, label in labels.items():
        used[label] = number = used.get(label, 0) + 1
        if number > 1:
            mark = f" ({number})"
            labels[text] = f"{fitting(label, width - len(mark))}{mark}"
    return labels


def _in_the_middle(group: list[str], width: int) -> dict[str, str]:
    """Beginning and differing part of names that begin alike."""
    shortest = min(map(len, group))
    same = next((at for at in range(shortest) if len({text[at] for text in group}) > 1), shortest)
    begin = max(group[0].rfind(" ", 0, same) + 1, same - width // 3)  # from a word's beginning, if one is near
    room = width - width // 3 - 1
    rests = {text: text[begin:] or text[-room:] for text in group}
    cut = _apart(dict.fromkeys(rests.values()), room)
    head = group[0][: width - 1 - max(map(len, cut.values()))].rstrip()
    return {text: f"{head}…{cut[rest]}" for text, rest in rests.items()}


def _width(ax: Axes) -> float:
    """Width of the drawing. [inches]"""
    return ax.get_figure(root=True).get_figwidth()  # type: ignore[union-attr]
