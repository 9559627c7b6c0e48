"""Segments, sources and cells of both: their records, their lags, and their rates drawn together."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from revplan.history.cohorts import Cohort, DayLag, Estimate, own_estimate
from revplan.history.records import EVERY
from revplan.history.shrinkage import Cells, shrunk
from revplan.history.spells import NEVER, Spells
from revplan.history.tails import FEWEST, curve_of_part, mixed, with_tail

CELL_ENTRIES = 20  # a segment, source or cell with less has no row of its own
OWN_LAG = 10  # conversions from which a part's delay is said to be its own
CURVE_WEIGHT = 10.0  # conversions its curve counts for beside its own


@dataclass(frozen=True, eq=False)
class Entered:
    """The records that entered a stage, by cell: age on the as-of day, delay or -1, days to loss or -1, and money."""

    cell: np.ndarray
    age: np.ndarray
    delay: np.ndarray
    lost: np.ndarray
    amount: np.ndarray

    def by(self, group: np.ndarray, groups: int) -> list[Entered]:
        """The records of each group, given its number by record."""
        order = np.argsort(group, kind="stable")
        columns = tuple(getattr(self, name)[order] for name in COLUMNS)
        edges = np.searchsorted(group[order], np.arange(groups + 1))
        return [Entered(*(column[a:b] for column in columns)) for a, b in pairwise(edges)]

    def cohort(self, window: int | None = None) -> Cohort:
        """Their counts, watched for the last `window` days, or for all days."""
        converted = self.delay >= 0
        entries = np.bincount(self.age)
        cohort = Cohort(entries, self.age[converted], self.delay[converted], len(entries) - 1)
        return cohort if window is None else cohort.since(window)

    def losses(self, window: int) -> Cohort:
        """The same with losses in the place of conversions."""
        lost = self.lost >= 0
        entries = np.bincount(self.age)
        return Cohort(entries, self.age[lost], self.lost[lost], len(entries) - 1).since(window)


COLUMNS = ("cell", "age", "delay", "lost", "amount")


def _joined(cells: list[Entered], mask: np.ndarray) -> Entered:
    """The records of the cells in `mask`; it holds one at least."""
    chosen = [cells[number] for number in np.flatnonzero(mask)]
    return Entered(*(np.concatenate([getattr(each, name) for each in chosen]) for name in COLUMNS))


def by_source(spells: Spells, entered: Entered, window: int) -> list[Cohort]:
    """The records of each source that has any, watched for the last `window` days."""
    codes, names = spells.codes(1)
    numbers = codes[entered.cell]
    if len(names) == 1:
        return [entered.cohort(window).ordered()]
    parts = entered.by(numbers, len(names))
    return [each.cohort(window).ordered() for each in parts if len(each.age)]


@dataclass(frozen=True, eq=False)
class Part:
    """A segment, a source, or a cell of both: its name, its records, and what its lag is."""

    labels: dict[str, str]
    cells: np.ndarray
    """Whether each cell belongs to it."""
    entered: Entered
    cohort: Cohort
    lag: DayLag


def entered_stage(spells: Spells, stage: int) -> Entered:
    """The records that have entered `stage`."""
    inside = spells.entered[:, stage] < NEVER
    start, end = spells.entered[inside, stage], spells.entered[inside, stage + 1]
    delay = np.where(end < NEVER, end - start, -1)
    gone = spells.lost[inside]
    lost = np.where((end == NEVER) & (gone < NEVER), np.maximum(gone - start, 0), -1)
    return Entered(spells.cell[inside], spells.day - start, delay, lost, spells.amount[inside])


def parts_of(
    spells: Spells, entered: Entered, windows: tuple[int, int], whole: Estimate
) -> Iterator[tuple[Part, Estimate, tuple[float, float]]]:
    """Every part with enough records, its estimate and its bounds.

    `windows` are the days looked back on and all that were recorded: where hardly anything entered lately, as of a
    list that was bought once, a cell is looked at in all of them.
    """
    window, recorded = windows
    segment, segments = spells.codes(0)
    source = spells.codes(1)[0]
    if len(spells.cells) < 2:
        return
    by_cell = entered.by(entered.cell, len(spells.cells))
    looked = [window if (each.age <= window).sum() >= CELL_ENTRIES else recorded for each in by_cell]
    by_segment = [_joined(by_cell, segment == code).cohort(window) for code in range(len(segments))]
    owns = [_own(cohort) for cohort in by_segment]
    lags = [_lag(own, cohort, whole.lag) for own, cohort in zip(owns, by_segment, strict=True)]
    reliance = [_reliance(own) for own in owns]
    cells = _cells(by_cell, looked, [lags[code] for code in segment], np.array([reliance[code] for code in segment]))
    cells = Cells(cells.conversions, cells.exposure, segment, source)
    parts = list(_named(spells, by_cell, looked, lags, whole.lag))
    if not parts:
        return
    recent = np.bincount(entered.cell[entered.age <= window], minlength=len(spells.cells))
    weights = np.array([part.cells * np.maximum(recent, 1e-9) for part in parts])
    rates = shrunk(cells, weights / weights.sum(axis=1, keepdims=True))
    low, high = rates.bounds()
    for number, part in enumerate(parts):
        conversions = int((part.cohort.delay <= part.lag.horizon).sum())
        estimate = Estimate(float(rates.mean[number]), float(rates.evidence()[number]), conversions, part.lag)
        yield part, estimate, (float(low[number]), float(high[number]))


def _named(
    spells: Spells, by_cell: list[Entered], windows: list[int], lags: list[DayLag], whole: DayLag
) -> Iterator[Part]:
    """Segments, then sources, then cells of both, where 20 records or more entered."""
    segment, segments = spells.codes(0)
    source, sources = spells.codes(1)
    wanted: list[tuple[dict[str, str], np.ndarray, DayLag]] = []
    if len(segments) > 1:
        wanted += [({"segment": name, "source": EVERY}, segment == code, whole) for code, name in enumerate(segments)]
    if len(sources) > 1:
        wanted += [({"segment": EVERY, "source": name}, source == code, whole) for code, name in enumerate(sources)]
    if len(segments) > 1 and len(sources) > 1:
        pairs = sorted(range(len(spells.cells)), key=lambda number: spells.cells[number])
        for number in pairs:
            labels = dict(zip(("segment", "source"), spells.cells[number], strict=True))
            wanted.append((labels, np.arange(len(spells.cells)) == number, lags[segment[number]]))
    for labels, mask, parent in wanted:
        entered = _joined(by_cell, mask)
        if len(entered.age) >= CELL_ENTRIES:
            cohort = entered.cohort(max(windows[number] for number in np.flatnonzero(mask)))
            yield Part(labels, mask, entered, cohort, _lag(own_estimate(cohort), cohort, parent))


def _own(cohort: Cohort) -> Estimate | None:
    """The estimate of a segment by its records alone."""
    own = own_estimate(cohort)
    return own and with_tail(own, cohort)


def _lag(own: Estimate | None, cohort: Cohort, parent: DayLag) -> DayLag:
    """The lag of a part: its own conversions, steadied by a curve between theirs and its parent's."""
    curve = curve_of_part(cohort, parent)
    if own is None:
        return curve
    later = parent if own.conversions >= FEWEST else curve  # of many, a tail of their own was looked for
    return mixed(own.lag, curve, later, own.conversions, CURVE_WEIGHT)


def _reliance(own: Estimate | None) -> float:
    """Share of a segment's conversions that count, unequally weighted and with an unsure lag as they are."""
    if own is None or own.conversions == 0:
        return 1.0
    return float(np.clip(own.evidence * own.rate / own.conversions, 0.05, 1.0))


def _cells(by_cell: list[Entered], windows: list[int], lags: list[DayLag], reliance: np.ndarray) -> Cells:
    """Conversions and matured records of every cell."""
    conversions, exposure = np.zeros(len(lags)), np.zeros(len(lags))
    for number, (mine, window, lag) in enumerate(zip(by_cell, windows, lags, strict=True)):
        if len(mine.age):
            cohort = mine.cohort(window)
            conversions[number] = len(cohort.delay)
            exposure[number] = matured(cohort.entries.astype(float), lag, window)
    return Cells(conversions * reliance, exposure * reliance, np.array([]), np.array([]))


def matured(entries: np.ndarray, lag: DayLag, window: int) -> float:
    """Entries by age that stand for as many records watched for ever. [records, or money]"""
    ages = np.arange(len(entries))
    return float(entries @ (lag.by(ages) - lag.by(ages - window - 1)))
