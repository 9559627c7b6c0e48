"""A chart described once: what it says, what stands in it and what a colour means, nothing of how large it is.

Every printing draws it itself: `draw.svg` a page, a phone and the simulator, a presentation an editable
chart of its own, a terminal the values in columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

from revplan.exhibits.figures import PRECISION, Sentence
from revplan.ground.errors import ReportError, shown
from revplan.ground.escaping import clean
from revplan.ground.formats import MISSING, compact, show, with_sign
from revplan.ground.language import ENGLISH, numbers_in

if TYPE_CHECKING:
    import pandas as pd

PLAN, GAP, PAST, REQUIRED, ATTENTION, ACTUAL, OTHER, BACKGROUND = (f"C{number}" for number in range(8))
"""Colours by what they mean; which they are stands in `style/chart.json`."""

INK = "ink"
LINE_COLORS = (PLAN, REQUIRED, ACTUAL, ATTENTION, OTHER, PAST, GAP)
"""Colours of series that mean nothing but themselves, the most different first."""

Form = Literal["columns", "stacked", "bars", "waterfall", "points", "multiples"]
"""How the bars of a chart stand: side by side, on each other, lying, each on the last one's end; or
no bars but points along a numeric axis; or several small charts that are read the same way."""

Mark = Literal["bar", "level", "line", "dashed", "dotted", "dots", "squares", "diamonds", "dashes", "crosses"]
"""How a series is drawn; a level is the bar of a waterfall that stands on the ground."""

BAR_MARKS = ("bar", "level")
LINE_MARKS = ("line", "dashed", "dotted")

FEW = 9
"""Points that have room for a number each."""

Plotted = float | None
SeriesPart = tuple[str, str] | tuple[str, str, str] | tuple[str, str, str, str]
"""The column of a table that is drawn, what the key calls it, its colour, its mark."""
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
        What it means: `PLAN`, `GAP` and so on.
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
    values: tuple[Plotted, ...]
    color: str = PLAN
    mark: Mark = "bar"
    low: tuple[Plotted, ...] = ()
    high: tuple[Plotted, ...] = ()
    x: tuple[Plotted, ...] = ()
    shade: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Chart:
    """A chart: its conclusion, and what is drawn.

    Attributes
    ----------
    said
        The conclusion in one sentence: headline, slide title, what a reader who cannot see it is told.
    form
        How its bars stand.
    categories
        What each value stands for, as it is displayed; empty for a chart of points.
    series
        What is drawn, in order.
    kind, currency
        How values are written; a date is the day's number in a workbook.
    start
        Where bars begin, and a waterfall of changes, if not at zero.
    x_kind, x_title
        What the places along the other axis are (`month`, `months`, `share`), and what they are called.
    behind, reach
        A stretch of the categories set off from the others: its name, and the places it begins and ends at.
    language
        How its numbers are written; its texts are in that language already.
    """

    said: str | Sentence
    form: Form
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    kind: str
    currency: str = ""
    start: float | None = None
    x_kind: str = ""
    x_title: str = ""
    behind: str = ""
    reach: tuple[float, float] = (0.0, 0.0)
    language: str = ENGLISH
    panels: tuple[Chart, ...] = ()
    """The small charts of multiples, each said to be what it shows; their series have the same names and looks."""

    @property
    def message(self) -> str:
        """The conclusion as text."""
        return self.said.text if isinstance(self.said, Sentence) else self.said


def numbers(values: Iterable[Any]) -> tuple[Plotted, ...]:
    """`values` as a chart holds them: a gap where there is none."""
    floats = (math.nan if value is None else float(value) for value in values)
    return tuple(value if math.isfinite(value) else None for value in floats)


def series_of(table: pd.DataFrame, *parts: SeriesPart) -> tuple[Series, ...]:
    """A series for each part of which the table holds any value: its column, name, colour and mark; bars in the plan's if left out.

    Where the table holds the ends of an interval about it, in `COLUMN_low` and `COLUMN_high`, the series has them.
    """
    found = []
    for column, name, *looks in parts:
        low, high = (numbers(table[end]) if end in table else () for end in (f"{column}_low", f"{column}_high"))
        color, mark = [*looks, *(PLAN, "bar")[len(looks) :]]
        if table[column].notna().any():
            values = numbers(table[column])
            found.append(Series(name=name, values=values, color=color, mark=mark, low=low, high=high))  # type: ignore[arg-type]
    return tuple(found)


def drawn(
    said: str | Sentence,
    table: pd.DataFrame,
    by: str,
    *parts: SeriesPart,
    form: Form = "columns",
    kind: str,
    **more: Any,
) -> Chart:
    """A chart of a table: a category for each row, a month or a name as column `by` has it, and `series_of` its parts.

    Parameters
    ----------
    more
        What else a `Chart` says of itself, such as `currency`.
    """
    by_month = str(table[by].dtype).startswith("period")
    categories = months(table[by]) if by_month else names(table[by])
    along = {"x_kind": "month" if by_month else "", **more}
    return Chart(said=said, form=form, categories=categories, series=series_of(table, *parts), kind=kind, **along)


def months(values: Iterable[object]) -> tuple[str, ...]:
    """Months as categories."""
    return tuple(show(month, "month") for month in values)


def day_number(day: date) -> float:
    """A day as a workbook counts it: 1 January 2027 is 46388."""
    return float(day.toordinal() - DAY_ZERO)


def names(values: Iterable[object]) -> tuple[str, ...]:
    """Names as they may be printed."""
    return tuple(clean(value) for value in values)


def written(value: Plotted, chart: Chart) -> str:
    """A value as messages and tables write it: $33.4k, 26.2%, 992."""
    if value is None:
        return ""
    if chart.kind == "date":
        text = show(date.fromordinal(int(value) + DAY_ZERO), "date")
    else:
        text = compact(value, chart.currency) if chart.kind == "money" else show(value, chart.kind)
    return numbers_in(text, chart.language)


StackedPart = tuple[str, Iterable[bool], str, Mark]


def waterfall(
    said: str | Sentence,
    categories: Iterable[object],
    amounts: Iterable[Any],
    parts: Iterable[StackedPart],
    currency: str,
) -> Chart:
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
    return Chart(
        said=said, form="waterfall", categories=names(categories), series=series, kind="money", currency=currency
    )


def step_written(series: Series, value: Plotted, chart: Chart) -> str:
    """A value as it stands at its bar: the changes of a waterfall with their sign."""
    change = chart.form == "waterfall" and value is not None and (series.mark == "bar" or chart.start is not None)
    if not change or value is None:
        return written(value, chart)
    return numbers_in(with_sign(value, chart.currency), chart.language)


def spans(chart: Chart) -> Iterator[tuple[float, float]]:
    """Where each bar of a waterfall begins and where it ends, from the ground that changes begin at."""
    ground = chart.start or 0.0
    level = ground
    for values in zip(*(series.values for series in chart.series), strict=True):
        place = next((at for at, value in enumerate(values) if value is not None), 0)
        start = ground if chart.series[place].mark == "level" else level
        level = start + (values[place] or 0.0)
        yield start, level


def side_by_side(chart: Chart) -> bool:
    """Whether bars of one category stand beside each other: not on each other, nor apart on the two sides of a common start."""
    if chart.form not in ("columns", "bars"):
        return False
    start = chart.start
    for values in zip(*(series.values for series in chart.series if series.mark in BAR_MARKS), strict=True):
        drawn = [value for value in values if value is not None]
        sides = {value > start for value in drawn} if start is not None else {True}
        if len(drawn) > max(1, len(sides)):
            return True
    return False


def checked(chart: Chart, place: str) -> Chart:
    """`chart`, if each series has one value a category, or a point.

    Raises
    ------
    ReportError
        If one has not.
    """
    for panel in chart.panels:
        checked(panel, f"{place}, {panel.message}")
    for series in chart.series:
        wanted = len(series.x if chart.form == "points" else chart.categories)
        if {len(ends) for ends in (series.values, series.low, series.high) if ends} - {wanted}:
            problem = f"series {shown(series.name)!r} has {len(series.values)} values for {wanted} places"
            raise ReportError.at(place, f"{problem}; its description needs one each")
    return chart


def renamed(chart: Chart, change: Callable[[str], str]) -> Chart:
    """The chart with every text in it changed."""
    return replace(
        chart,
        categories=tuple(map(change, chart.categories)),
        series=tuple(replace(each, name=change(each.name)) for each in chart.series),
        x_title=change(chart.x_title),
        behind=change(chart.behind),
        panels=tuple(replace(renamed(each, change), said=change(each.message)) for each in chart.panels),
    )


def in_columns(chart: Chart) -> list[tuple[str, list[str], bool]]:
    """The values of the chart as a terminal shows them: each column's label, its cells, and whether they are numbers."""
    if chart.form == "points":
        rows = [(each, place) for each in chart.series for place in range(len(each.values))]
        x = [show(each.x[place], chart.x_kind) for each, place in rows]
        y = [written(each.values[place], chart) or MISSING for each, place in rows]
        return [("", [each.name for each, _ in rows], False), (chart.x_title, x, True), ("value", y, True)]
    if chart.panels:
        inside = [(panel, in_columns(panel)[1:]) for panel in chart.panels]
        told = [(f"{panel.message}: {name}", cells, number) for panel, each in inside for name, cells, number in each]
        return [("", list(chart.panels[0].categories), False), *told]
    return [
        ("", list(chart.categories), False),
        *(
            (each.name, [_with_interval(each, at, chart) for at in range(len(each.values))], True)
            for each in chart.series
        ),
    ]


def _with_interval(series: Series, at: int, chart: Chart) -> str:
    value = step_written(series, series.values[at], chart)
    if not value or not series.low or series.low[at] is None:
        return value or MISSING
    return f"{value} ({written(series.low[at], chart)} to {written(series.high[at], chart)})"


def as_raw(chart: Chart) -> dict[str, Any]:
    """The chart as JSON holds it, beside the message it says."""
    told = {
        each.name: getattr(chart, each.name) for each in fields(chart) if each.name not in ("said", "series", "panels")
    }
    panels = [{**as_raw(each), "said": each.message} for each in chart.panels]
    series = [{each.name: _listed(getattr(one, each.name)) for each in fields(one)} for one in chart.series]
    return {
        **{key: _listed(value) for key, value in told.items()},
        "series": series,
        **({"panels": panels} if panels else {}),
    }


def from_raw(raw: Mapping[str, Any], said: str) -> Chart:
    """The chart that `as_raw` wrote."""
    series = tuple(Series(**{key: _tupled(value) for key, value in each.items()}) for each in raw["series"])
    panels = tuple(from_raw({**each, "said": ""}, each["said"]) for each in raw.get("panels", ()))
    flat = {key: _tupled(value) for key, value in raw.items()}
    return Chart(**{**flat, "series": series, "said": said, "panels": panels})


def _listed(value: Any) -> Any:
    """Values as JSON holds them: numbers with the digits that do not differ between machines."""
    if isinstance(value, tuple):
        return [_listed(each) for each in value]
    return float(f"{value:.{PRECISION}g}") if isinstance(value, float) else value


def _tupled(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def values_of(chart: Chart) -> list[float]:
    """Every value, and every end of an interval."""
    ends: list[Sequence[Plotted]] = [row for each in chart.series for row in (each.values, each.low, each.high)]
    return [value for row in ends for value in row if value is not None]
