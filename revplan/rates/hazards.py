"""How likely an open record is to go on, or to be lost, by days in its stage: hazards by age.

A record counts as watched on every day of the window on which it was open, at the age it had on
that day (a period life table). So records older than the recording of outcomes are watched from the
window's first day on, and those still open up to the last: nothing is taken for a failure that had no
time, or no witness. Of Y days watched at an age and D exits, the daily hazard is D / Y; ages are
taken together in bands that widen with age.

Cells share the shape of the whole. A segment has a level and a pace of its own: its hazard is the whole's times
exp(level + slope x log age + bend x log age squared), all three drawn towards 0, because that is the ratio of two
log-normal delays. A source's level, and a cell's, are pulled towards what the level above leads to expect, E
exits, with the weight of PRIOR exits, counted with a half-life of 120 days, because channels change:

    factor = (D + PRIOR) / (E + PRIOR)

the posterior mean under a gamma prior with mean 1 (empirical Bayes for Poisson counts). The level of all is the mean
of those of the last 180 days, the last 365 and all that was recorded, each pulled towards the long run by RECENT_PRIOR
exits: no one window is best, and their mean errs less than a choice among them.

Sources: E. Kaplan and P. Meier, "Nonparametric estimation from incomplete observations", JASA 53 (1958),
doi.org/10.1080/01621459.1958.10501452; R. Prentice et al., "The analysis of failure times in the presence of
competing risks", Biometrics 34 (1978), doi.org/10.2307/2530374; D. Clayton and J. Kaldor, "Empirical Bayes
estimates of age-standardized relative risks", Biometrics 43 (1987), doi.org/10.2307/2532003; G. Tutz and M. Schmid,
"Modeling discrete time-to-event data" (2016), doi.org/10.1007/978-3-319-28158-2, for penalised hazards in bands;
J. Bates and C. Granger, "The combination of forecasts", Operational Research Quarterly 20 (1969),
doi.org/10.1057/jors.1969.103, and R. Clemen, "Combining forecasts", International Journal of Forecasting 5 (1989),
doi.org/10.1016/0169-2070(89)90012-5, for equal weights.

Open and new records carried through the remaining stages, day by day, in expectation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from revplan.ground.clock import Ahead
from revplan.rates.spells import NEVER, Spells

PRIOR = 10.0  # exits that the level above counts for
RECENT_PRIOR = 15.0  # exits that all recorded history counts for against recent ones
WINDOWS = (180, 365)  # days whose levels are averaged with that of all that was recorded
HALF_LIFE = 120.0  # days after which an exit counts half for the level of a source or a cell
SPREADS = (0.7, 0.5, 0.2)  # of a segment's level, slope and bend, before a look
STEPS = 25  # of Newton's method
MOST = 0.999  # a day's hazards together never reach 1: a record still open is not proof of a fault
BANDS = np.array([0, 1, 2, 3, 4, 6, 8, 11, 15, 21, 28, 36, 46, 61, 91, 121, 181, 271, 366, 731])
LONGEST_PAST = 3653  # days looked back on: who came in before that is no longer watched


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


@dataclass(frozen=True, eq=False)
class Stays:
    """Stays in one stage: cells, first day and last day as numbers from `start` on, and how they ended."""

    start: int
    size: int
    """Days from `start` to the last one known."""
    cells: int
    cell: np.ndarray
    entered: np.ndarray
    left: np.ndarray
    """`size` where the record is still there."""
    went_on: np.ndarray


def bands_of(ages: np.ndarray) -> np.ndarray:
    """Number of the band each age lies in."""
    return np.searchsorted(BANDS, ages, side="right") - 1


def stays_of(spells: Spells, stage: int) -> Stays:
    """The stays in `stage` as known on the last day."""
    left, went_on = spells.exits(stage)
    entered = spells.entered[:, stage]
    inside = (entered <= spells.day) & (entered > spells.day - LONGEST_PAST) & ~spells.censored(stage)
    entered, left = entered[inside], left[inside]
    start = int(entered.min(initial=spells.day))
    size = spells.day - start + 1
    left = np.where(left > spells.day, size, left - start)
    return Stays(start, size, len(spells.cells), spells.cell[inside], entered - start, left, went_on[inside])


def watched(stays: Stays, weights: np.ndarray) -> list[Watched]:
    """What was watched, each calendar day counting with its weight: one result for each column of `weights`.

    Counted once by cell, band and day, so that many past days are looked back from at the price of one. On
    day d the records of band b are those that have reached its first age, less those that have reached the
    next band's or have left.
    """
    cells, size, bands = stays.cells, stays.size, len(BANDS)
    gone = stays.left < size
    last = np.minimum(stays.left, size - 1)
    place = (bands_of(last - stays.entered) * cells + stays.cell) * size
    shape = (bands, cells, size)

    def count(day: np.ndarray, which: np.ndarray | slice) -> np.ndarray:
        return np.bincount(place[which] + day[which], minlength=bands * cells * size).reshape(shape)

    went_on, lost = count(last, gone & stays.went_on), count(last, gone & ~stays.went_on)
    reached = count(stays.entered, slice(None))[::-1].cumsum(axis=0)[::-1]
    days = np.zeros((bands, cells, weights.shape[1]))
    for band in range(bands):
        steps = _later(reached[band], BANDS[band]) - _later(went_on[band] + lost[band], 1)
        if band + 1 < bands:
            steps = steps - _later(reached[band + 1], BANDS[band + 1])
        days[band] = np.cumsum(steps, axis=1) @ weights
    columns = [days, went_on @ weights, lost @ weights]
    return [Watched(*(each[:, :, number].T for each in columns)) for number in range(weights.shape[1])]


def _later(counts: np.ndarray, days: int) -> np.ndarray:
    """Counts by day, `days` days later; what would come after the last day is left out."""
    moved = np.zeros_like(counts)
    if days < counts.shape[1]:
        moved[:, days:] = counts[:, : counts.shape[1] - days]
    return moved


def hazards_on(stays: Stays, days: Sequence[int], began: int, segment: np.ndarray, source: np.ndarray) -> list[Hazards]:
    """The hazards as they were known at the end of each of `days`, outcomes recorded from day `began` on.

    `segment` and `source` number the segment and the source of every cell.
    """
    day = stays.start + np.arange(stays.size)
    columns = []
    for last in days:
        open_then = (day >= began) & (day <= last)
        columns += [open_then, open_then * 0.5 ** ((last - day) / HALF_LIFE)]
        columns += [open_then & (day > last - window) for window in WINDOWS]
    seen = watched(stays, np.stack(columns, axis=1).astype(float))
    width = 2 + len(WINDOWS)
    found = []
    for number, last in enumerate(days):
        every, lately, *recent = seen[number * width : (number + 1) * width]
        used = [each for each, window in zip(recent, WINDOWS, strict=True) if last - window >= began]
        found.append(levelled(hazards(every, lately, segment, source), used))
    return found


def hazards(every: Watched, lately: Watched, segment: np.ndarray, source: np.ndarray) -> Hazards:
    """Hazards of every cell: the whole's, at the pace of its segment, and at the levels of its source and its own.

    `every` is what was watched at any time, `lately` the same with what is recent counting most.
    """
    go = _paced(every.went_on, every.days, segment)
    go = go * _factors(lately.went_on, go * lately.days, source)
    if segment.max() > 0 and source.max() > 0:
        go = go * _factors(lately.went_on, go * lately.days, np.arange(len(go)))
    lose = _paced(every.lost, every.days, segment)
    return _possible(go, lose)


def levelled(found: Hazards, recent: Sequence[Watched]) -> Hazards:
    """`found` at the mean of its own level and those of the recent windows, as far as these have enough exits."""
    go, lose = np.ones((2, len(recent) + 1))
    for number, seen in enumerate(recent):
        go[number] = (seen.went_on.sum() + RECENT_PRIOR) / ((found.go * seen.days).sum() + RECENT_PRIOR)
        lose[number] = (seen.lost.sum() + RECENT_PRIOR) / ((found.lose * seen.days).sum() + RECENT_PRIOR)
    return _possible(found.go * go.mean(), found.lose * lose.mean())


def _possible(go: np.ndarray, lose: np.ndarray) -> Hazards:
    scale = np.minimum(MOST / np.maximum(go + lose, 1e-300), 1.0)
    return Hazards(go * scale, lose * scale)


def _paced(exits: np.ndarray, days: np.ndarray, segment: np.ndarray) -> np.ndarray:
    """Hazard by cell and band: the whole's, times the level and the pace of its segment.

    Poisson regression of a segment's exits on those expected, with a normal prior for its three figures.
    """
    total, at_risk = exits.sum(axis=0), days.sum(axis=0)
    whole = np.divide(total, at_risk, out=np.zeros(len(BANDS)), where=at_risk > 0)
    if segment.max() == 0:
        return np.tile(whole, (len(segment), 1))
    own, expected = _grouped(exits, segment), _grouped(days, segment) * whole
    ages = np.log(np.append((BANDS[:-1] + BANDS[1:]) / 2, 1.5 * BANDS[-1]))
    ages = ages - (total @ ages / total.sum() if total.sum() > 0 else 0.0)
    design = np.stack([np.ones(len(BANDS)), ages, ages**2])
    prior = np.array(SPREADS) ** -2.0
    at = np.zeros((len(own), len(prior)))
    for _ in range(STEPS):
        told = expected * np.exp(np.clip(at @ design, -10, 10))
        slope = (own - told) @ design.T - prior * at
        curve = np.einsum("sb,ib,jb->sij", told, design, design) + np.diag(prior)
        step = np.linalg.solve(curve, slope[:, :, None])[:, :, 0]
        at = at + np.clip(step, -1, 1)
        if np.abs(step).max() < 1e-8:
            break
    return (whole * np.exp(np.clip(at @ design, -10, 10)))[segment]


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


ALIVE = 1e-6  # share of the entries still open below which a stage counts as left


@dataclass(frozen=True, eq=False)
class Open:
    """Records open in a stage: their cells, ages in days, and what each counts for."""

    cell: np.ndarray
    age: np.ndarray
    worth: np.ndarray

    def without_records(self) -> Open:
        """Nothing open."""
        return Open(self.cell[:0], self.age[:0], self.worth[:0])


def open_records(spells: Spells, stage: int, worth: np.ndarray | None = None) -> Open:
    """The records in `stage` at the end of the last day known; each counts 1, or its `worth`."""
    entered = spells.entered[:, stage]
    left, _ = spells.exits(stage)
    inside = (entered <= spells.day) & (left > spells.day)
    counted = np.ones(len(entered)) if worth is None else worth
    return Open(spells.cell[inside], spells.day - entered[inside], counted[inside])


def open_on(stays: Stays, days: Sequence[int]) -> list[Open]:
    """The records in the stage at the end of each of `days`, counted by cell and age."""
    order = np.argsort(np.asarray(days), kind="stable")
    edges = np.asarray(days)[order] - stays.start
    size = stays.cells * stays.size
    place = stays.cell * stays.size + stays.entered
    leave = np.searchsorted(edges, stays.left, side="left")  # the first of the days by whose end it is gone
    number = len(edges)
    gone = np.bincount(leave * size + place, minlength=(number + 1) * size)[: number * size]
    gone = gone.reshape(number, stays.cells, stays.size).cumsum(axis=0)
    reached = np.bincount(place, minlength=size).reshape(stays.cells, stays.size)
    found: list[Open] = [Open(*np.zeros((3, 0)))] * number
    for at, edge in enumerate(edges.tolist()):
        here = (reached - gone[at])[:, : max(edge + 1, 0)]
        cell, entered = np.nonzero(here)
        found[int(order[at])] = Open(cell, edge - entered, here[cell, entered].astype(float))
    return found


def carried(items: Open, entries: np.ndarray, hazards: Hazards) -> np.ndarray:
    """Entries into the next stage, cell x day, of what is open in a stage and of daily `entries` into it.

    A record open at age a goes on t days later with chance S(a + t) h(a + t) / S(a + 1), S(u) being the
    share of entries still open when the day of age u begins and h the hazard of going on; an entry t days
    ago goes on with chance S(t) h(t). Both sums over ages and days are products of spectra.
    """
    cells, horizon = entries.shape
    oldest = int(items.age.max(initial=0))
    days = oldest + horizon + 2
    still_open, going_on = _survival(hazards, days)
    by_age = np.bincount(items.cell * days + items.age, items.worth, cells * days).reshape(cells, days)
    open_now = np.maximum(np.roll(still_open, -1, axis=1), ALIVE)
    size = 2 ** int(np.ceil(np.log2(days + horizon)))
    spectrum = np.fft.rfft(going_on, size)
    later = np.fft.irfft(spectrum * np.fft.rfft(by_age / open_now, size).conj(), size)[:, 1 : horizon + 1]
    fresh = np.fft.irfft(np.fft.rfft(going_on[:, :horizon], size) * np.fft.rfft(entries, size), size)[:, :horizon]
    return np.maximum(later, 0.0) + np.maximum(fresh, 0.0)


def _survival(hazards: Hazards, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Cell x age: share of entries still open when the day begins, and share that goes on that day."""
    bands = bands_of(np.arange(days))
    stays = 1 - (hazards.go + hazards.lose)[:, bands]
    still_open = np.cumprod(np.hstack([np.ones((len(stays), 1)), stays[:, :-1]]), axis=1)
    return still_open, still_open * hazards.go[:, bands]


def wins_by_day(
    stock: Sequence[Open], fresh: np.ndarray, chain: Sequence[Hazards], ahead: Ahead | None = None
) -> np.ndarray:
    """Wins, cell x day, of the records open in each stage and of `fresh` entries (stage x cell x day).

    The last step goes by days of work where there is a clock.
    """
    entries = np.zeros(fresh.shape[1:])
    for items, new, hazards in zip(stock[:-1], fresh[:-1], chain[:-1], strict=True):
        entries = carried(items, entries + new, hazards)
    entries = entries + fresh[-1]
    if ahead is None:
        return carried(stock[-1], entries, hazards=chain[-1])
    return ahead.back(carried(stock[-1], ahead.moved(entries), chain[-1]), entries.shape[1])


def won_by_day(spells: Spells, after: int, horizon: int, seen: np.ndarray) -> np.ndarray:
    """Wins that really came, cell x day, in the `horizon` days after day `after`, of the `seen` records."""
    won = spells.entered[:, -1]
    inside = seen & (won > after) & (won <= after + horizon) & (won < NEVER)
    place = spells.cell[inside] * horizon + (won[inside] - after - 1)
    return np.bincount(place, minlength=len(spells.cells) * horizon).reshape(-1, horizon).astype(float)
