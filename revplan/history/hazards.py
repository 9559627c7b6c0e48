"""How likely an open record is to go on, or to be lost, by days in its stage: hazards by age.

A record counts as watched on every day of the window on which it was open, at the age it had on
that day (a period life table). So records older than the recording of outcomes are watched from the
window's first day on, and those still open up to the last: nothing is taken for a failure that had no
time, or no witness. Of Y days watched at an age and D exits, the daily hazard is D / Y; ages are
taken together in bands that widen with age.

Cells share the shape of the whole. A segment's hazard in a band, a source's level and a cell's level
are each pulled towards what the level above leads to expect, E exits, with the weight of PRIOR exits:

    factor = (D + PRIOR) / (E + PRIOR)

the posterior mean under a gamma prior with mean 1 (empirical Bayes for Poisson counts). In the same way
the level of the last half year is pulled towards that of all recorded history: the shape by age is known
best from everything, the level from what is recent.

Sources: E. Kaplan and P. Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958),
doi.org/10.1080/01621459.1958.10501452; R. Prentice et al., "The analysis of failure times in the presence of
competing risks", Biometrics 34 (1978), doi.org/10.2307/2530374; D. Clayton and J. Kaldor, "Empirical Bayes
estimates of age-standardized relative risks", Biometrics 43 (1987), doi.org/10.2307/2532003.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from revplan.history.spells import NEVER, Spells

PRIOR = 10.0  # exits that the level above counts for
RECENT_PRIOR = 15.0  # exits that all recorded history counts for against recent ones
MOST = 0.999  # a day's hazards together never reach 1: a record still open is not proof of a fault
BANDS = np.array([0, 1, 2, 3, 4, 6, 8, 11, 15, 21, 28, 36, 46, 61, 91, 121, 181, 271, 366, 731])


@dataclass(frozen=True, eq=False)
class Watched:
    """Days watched and exits of one stage, cell x band of age."""

    days: np.ndarray
    went_on: np.ndarray
    lost: np.ndarray


@dataclass(frozen=True, eq=False)
class Hazards:
    """Daily chances of a record still open, cell x band of age."""

    go: np.ndarray
    lose: np.ndarray


def bands_of(ages: np.ndarray) -> np.ndarray:
    """Number of the band each age lies in."""
    return np.searchsorted(BANDS, ages, side="right") - 1


def watched(spells: Spells, stage: int, first_day: int) -> Watched:
    """What was watched of `stage` from `first_day` to the last day known."""
    entered = spells.entered[:, stage]
    left, went_on = spells.exits(stage)
    inside = (entered <= spells.day) & (left >= first_day)
    entered, left, went_on, cell = entered[inside], left[inside], went_on[inside], spells.cell[inside]
    last = np.minimum(left, spells.day) - entered
    gone = left < NEVER
    size = (len(spells.cells), len(BANDS))
    place = cell * len(BANDS) + bands_of(last)

    def count(which: np.ndarray) -> np.ndarray:
        return np.bincount(place[which], minlength=size[0] * size[1]).reshape(size).astype(float)

    days = _days_by_band(np.maximum(first_day - entered, 0), last, cell, len(spells.cells))
    return Watched(days, count(gone & went_on), count(gone & ~went_on))


def _days_by_band(start: np.ndarray, last: np.ndarray, cell: np.ndarray, cells: int) -> np.ndarray:
    """Days watched in each band by records watched from age `start` to age `last`, both included."""
    longest = int(last.max(initial=0)) + 2
    begun = np.bincount(cell * longest + start, minlength=cells * longest).reshape(cells, longest)
    ended = np.bincount(cell * longest + last + 1, minlength=cells * longest).reshape(cells, longest)
    by_age = np.cumsum(begun - ended, axis=1).astype(float)
    bands = bands_of(np.arange(longest))
    return np.stack([np.bincount(bands, row, len(BANDS)) for row in by_age])


def hazards(seen: Watched, segment: np.ndarray, source: np.ndarray) -> Hazards:
    """Hazards of every cell, pulled towards those of its segment, its source and the whole.

    `segment` and `source` number the segment and the source of every cell.
    """
    go = _by_segment(seen.went_on, seen.days, segment)
    go = go * _factors(seen.went_on, go * seen.days, source)
    if segment.max() > 0 and source.max() > 0:
        go = go * _factors(seen.went_on, go * seen.days, np.arange(len(go)))
    lose = _by_segment(seen.lost, seen.days, segment)
    return _possible(go, lose)


def levelled(found: Hazards, recent: Watched) -> Hazards:
    """`found` with the level of `recent` exits, as far as there are enough of them."""
    go = (recent.went_on.sum() + RECENT_PRIOR) / ((found.go * recent.days).sum() + RECENT_PRIOR)
    lose = (recent.lost.sum() + RECENT_PRIOR) / ((found.lose * recent.days).sum() + RECENT_PRIOR)
    return _possible(found.go * go, found.lose * lose)


def _possible(go: np.ndarray, lose: np.ndarray) -> Hazards:
    scale = np.minimum(MOST / np.maximum(go + lose, 1e-300), 1.0)
    return Hazards(go * scale, lose * scale)


def _by_segment(exits: np.ndarray, days: np.ndarray, segment: np.ndarray) -> np.ndarray:
    """Hazard by cell and band: the whole's, times the factor of the segment in the band."""
    whole = np.divide(exits.sum(axis=0), days.sum(axis=0), out=np.zeros(len(BANDS)), where=days.sum(axis=0) > 0)
    if segment.max() == 0:
        return np.tile(whole, (len(segment), 1))
    own, expected = _grouped(exits, segment), _grouped(days, segment) * whole
    return (whole * (own + PRIOR) / (expected + PRIOR))[segment]


def _factors(exits: np.ndarray, expected: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Factor by cell on its hazards: its group's exits against those expected."""
    if group.max() == 0:
        return np.ones((len(group), 1))
    own, wanted = _grouped(exits, group).sum(axis=1), _grouped(expected, group).sum(axis=1)
    return ((own + PRIOR) / (wanted + PRIOR))[group][:, None]


def _grouped(values: np.ndarray, group: np.ndarray) -> np.ndarray:
    sums = np.zeros((int(group.max()) + 1, values.shape[1]))
    np.add.at(sums, group, values)
    return sums
