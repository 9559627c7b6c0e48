"""What of a chart in numbers is drawn: its bars with what they stand on, and the numbers that have room at them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from revplan.escaping import clean
from revplan.report.axes import fitting_names
from revplan.report.native import Native, Series
from revplan.report.slides.fit import cut, width
from revplan.report.slides.series import LEAST_SEGMENT, Drawn, difference, written

LONGEST_NAME = 48
FEW = 9
"""Points that have room for a number each."""

LABEL_SIZE = 12
"""Size of numbers at bars and of names. [points]"""

BESIDE, BELOW = 0.33, 0.85
"""Shares of a chart's width that names beside lying bars, and those below columns, take."""

BAR_SHARE = 0.58
"""Share of a chart's width that its columns take."""

BAR_MARKS = ("bar", "level")
BASE = "(below)"
"""What the column is called on which the bars of a waterfall stand; it is not drawn."""


def drawn_series(native: Native, inks: Mapping[str, str], room: float) -> list[Drawn]:
    """The series as they are drawn in a chart `room` inches wide; `inks` says what is legible on each colour."""
    return [_inked(each, inks) for each in _drawn(native, room)]


def _inked(drawn: Drawn, inks: Mapping[str, str]) -> Drawn:
    inside = drawn.position in ("ctr", "inBase")
    return replace(drawn, ink=inks[drawn.series.color]) if inside else drawn


def named(native: Native, room: float) -> Native:
    """The chart with names that fit; they come from anyone. Those below columns may take three lines."""
    lying = native.form == "bars"
    across = room * BESIDE if lying else room * BELOW / max(1, len(native.categories))
    told = fitting_names([each.name for each in native.series], LONGEST_NAME)
    series = tuple(replace(each, name=name) for each, name in zip(native.series, told, strict=True))
    labels = [cut(clean(each), LABEL_SIZE, across, 1 if lying else 3) for each in native.categories]
    if len(set(labels)) < len(set(native.categories)):
        labels = fitting_names(native.categories, max(8, min(map(len, labels))))
    return replace(
        native,
        categories=tuple(labels),
        series=series,
    )


def _drawn(native: Native, room: float) -> list[Drawn]:
    if native.form == "waterfall":
        return list(_standing(native))
    bars = [series for series in native.series if series.mark in BAR_MARKS]
    if native.form == "stacked":
        tallest = max(
            (sum(filter(None, values)) for values in zip(*(s.values for s in bars), strict=True)), default=0.0
        )
        return [
            _segment(series, native, tallest if _labels_fit(native, bars, 1, room) else math.inf)
            for series in native.series
        ]
    fits = len(bars) == len(native.series) and _labels_fit(native, bars, len(bars), room)
    return [_labelled(series, native, fits) for series in native.series]


def _labels_fit(native: Native, bars: Sequence[Series], beside: int, room: float) -> bool:
    """Whether the numbers of columns, `beside` of them to a category, have room over or in each."""
    if native.form == "bars":
        return True
    column = BAR_SHARE * room / max(1, beside * len(native.categories))
    return all(width(written(value, native), LABEL_SIZE) <= column for series in bars for value in series.values)


def _segment(series: Series, native: Native, tallest: float) -> Drawn:
    if series.mark not in BAR_MARKS:
        return Drawn(series=series)
    labels = [written(value, native) if value and value > LEAST_SEGMENT * tallest else "" for value in series.values]
    return Drawn(series=series, labels=tuple(labels), position="ctr")


def _labelled(series: Series, native: Native, fits: bool) -> Drawn:
    bar = series.mark in BAR_MARKS
    alone = native.form == "points" and len(series.values) == 1
    few = series.mark == "dots" and bool(series.low) and len(native.categories) <= FEW
    if not ((bar and fits) or alone or few):
        return Drawn(series=series)
    position = "t" if alone else "r" if few else "inBase" if series.low else "outEnd"
    return Drawn(series=series, labels=tuple(written(value, native) for value in series.values), position=position)


def _standing(native: Native) -> Iterator[Drawn]:
    """The bars of a waterfall, each on an invisible one; those that pass below zero have a second part there.

    Columns stack upwards from zero where they are positive and downwards where they are negative,
    so a bar from `low` to `high` needs what lies between it and zero below it, and its own length.
    """
    ends = list(_ends(native))
    base = [difference(max(low, 0.0), -min(high, 0.0)) for low, high in ends]
    tallest = max((abs(end) for both in ends for end in both), default=0.0)
    yield Drawn(series=Series(name=BASE, values=tuple(base)), hidden=True)
    for series in native.series:
        spans = list(zip(series.values, ends, strict=True))
        above = [None if value is None else difference(max(high, 0.0), max(low, 0.0)) for value, (low, high) in spans]
        below = [None if value is None else difference(min(low, 0.0), min(high, 0.0)) for value, (low, high) in spans]
        crossing = [bool(up) and bool(down) for up, down in zip(above, below, strict=True)]
        main = tuple(up if up or not down else down for up, down in zip(above, below, strict=True))
        labels = tuple(written(value, native) for value in series.values)
        fixed = frozenset(place for place, both in enumerate(crossing) if both)
        lengths = [abs(value or 0.0) for value in main]
        thin = frozenset(place for place, length in enumerate(lengths) if length < LEAST_SEGMENT * tallest)
        yield Drawn(series=replace(series, values=main), labels=labels, position="ctr", boxed=thin, fixed=fixed)
        if any(crossing):
            rest = tuple(down if both else None for down, both in zip(below, crossing, strict=True))
            yield Drawn(series=replace(series, name=f"{series.name}, below zero", values=rest))


def _ends(native: Native) -> Iterator[tuple[float, float]]:
    """Lower and upper end of each bar of a waterfall."""
    level = 0.0
    for values in zip(*(series.values for series in native.series), strict=True):
        place = next((at for at, value in enumerate(values) if value is not None), 0)
        amount = values[place] or 0.0
        start = 0.0 if native.series[place].mark == "level" else level
        level = start + amount
        yield min(start, level), max(start, level)
