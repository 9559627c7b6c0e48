"""A chart in numbers: what a presentation or a workbook needs to draw it itself, editable, never as a picture.

An exhibit carries it beside its drawing (`chart(...).with_native(...)`). It holds what is drawn and
nothing of how large: categories as they are displayed, series of raw values, what a colour means.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from revplan.exhibits.figures import PRECISION
from revplan.ground.errors import ReportError, shown
from revplan.ground.escaping import clean

if TYPE_CHECKING:
    import pandas as pd

Form = Literal["columns", "stacked", "bars", "waterfall", "points"]
"""How the bars of a chart stand: side by side, on each other, lying over each other, each on the
last one's end; or no bars but points along a numeric axis."""

Mark = Literal["bar", "level", "line", "dashed", "dots", "dashes", "crosses"]
"""How a series is drawn; a level is the bar of a waterfall that stands on the ground."""

Value = float | None
DAY_ZERO = date(1899, 12, 30).toordinal()


@dataclass(frozen=True, kw_only=True)
class Series:
    """One series of a chart.

    Attributes
    ----------
    name
        What the key calls it.
    values
        One value a category, or a point of its own along x; None where it has none.
    color
        What it means: C0 to C7 as in `style/revplan.mplstyle`.
    mark
        How it is drawn.
    low, high
        Ends of the interval about each value, where it has one.
    x
        Where each value lies along the numeric axis of a chart of points.
    shade
        Strength of the colour, 1 in full.
    """

    name: str
    values: tuple[Value, ...]
    color: str = "C0"
    mark: Mark = "bar"
    low: tuple[Value, ...] = ()
    high: tuple[Value, ...] = ()
    x: tuple[Value, ...] = ()
    shade: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Native:
    """A chart in numbers.

    Attributes
    ----------
    form
        How its bars stand.
    categories
        What each value stands for, as it is displayed; empty for a chart of points.
    series
        What is drawn, in order.
    kind, currency
        How values are written; a date is the day's number in a workbook.
    start
        Where bars begin, if not at zero.
    x_kind, x_title
        How places along the other axis are written, and what they are.
    """

    form: Form
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    kind: str
    currency: str = ""
    start: float | None = None
    x_kind: str = ""
    x_title: str = ""


Describe = Callable[["pd.DataFrame"], Native]
"""What makes a chart's numbers from the rows it draws."""


def numbers(values: Iterable[Any]) -> tuple[Value, ...]:
    """`values` as a chart holds them: a gap where there is none."""
    floats = (math.nan if value is None else float(value) for value in values)
    return tuple(value if math.isfinite(value) else None for value in floats)


def day_number(day: date) -> float:
    """A day as a workbook counts it: 1 January 2027 is 46388."""
    return float(day.toordinal() - DAY_ZERO)


def names(values: Iterable[object]) -> tuple[str, ...]:
    """Names as they may be printed."""
    return tuple(clean(value) for value in values)


def waterfall(
    categories: Iterable[object],
    amounts: Iterable[Any],
    parts: Iterable[tuple[str, Iterable[bool], str, Mark]],
    currency: str,
) -> Native:
    """A waterfall of money: each part is named, says which of the `amounts` are its own, and has a colour and a mark."""
    values = numbers(amounts)
    series = tuple(
        Series(
            name=name,
            values=tuple(value if own else None for value, own in zip(values, mine, strict=True)),
            color=color,
            mark=mark,
        )
        for name, mine, color, mark in parts
    )
    return Native(form="waterfall", categories=names(categories), series=series, kind="money", currency=currency)


def checked(native: Native, place: str) -> Native:
    """`native`, if each series has one value a category, or a point.

    Raises
    ------
    ReportError
        If one has not.
    """
    for series in native.series:
        wanted = len(series.x if native.form == "points" else native.categories)
        if {len(ends) for ends in (series.values, series.low, series.high) if ends} - {wanted}:
            came = f"series {shown(series.name)!r} has {len(series.values)} values for {wanted} places"
            raise ReportError.at(place, f"{came}; its native description needs one each")
    return native


def as_raw(native: Native) -> dict[str, Any]:
    """The chart as JSON holds it."""
    return asdict(native, dict_factory=lambda pairs: {key: _listed(value) for key, value in pairs})


def from_raw(raw: Mapping[str, Any]) -> Native:
    """The chart that `as_raw` wrote."""
    series = tuple(Series(**{key: _tupled(value) for key, value in each.items()}) for each in raw["series"])
    return Native(**{**{key: _tupled(value) for key, value in raw.items()}, "series": series})


def _listed(value: Any) -> Any:
    """Values as JSON holds them: numbers with the digits that do not differ between machines."""
    if isinstance(value, tuple):
        return [_listed(each) for each in value]
    return float(f"{value:.{PRECISION}g}") if isinstance(value, float) else value


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
