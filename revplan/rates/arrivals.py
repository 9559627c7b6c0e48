"""New records of the next months: how many will come in, through which cell and stage, and how surely.

A list of records loaded at once is left out. Counts of the last 30-day blocks are smoothed with a damped trend, on the scale of their square roots,
on which chance is the same everywhere; how quickly the level
follows is whatever would have told each block best from those before it, but a jump is a new level.

Sources: E. Gardner and E. McKenzie, "Forecasting trends in time series", Management Science 31 (1985),
doi.org/10.1287/mnsc.31.10.1237.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from revplan.crm.answer import usual_day
from revplan.ground.cohorts import LOADED, LOADED_RECORDS
from revplan.rates.hazards import LONGEST_PAST
from revplan.rates.spells import Spells

BLOCK = 30  # days
BLOCKS = 24  # looked back on
FEWEST = 4  # blocks from which a trend is looked for
LEVELS, TRENDS = (0.5, 0.7, 0.9), (0.0, 0.2)  # weight of the last block in the level and in the trend
JUMP = 3.0  # usual deviations from which a block counts as a new level
DAMPING = 0.8  # of the trend, from block to block
RECENT = 90  # days over which arrivals are shared out to cells
CHANCE = 0.25  # variance of the square root of a Poisson count
USUAL_CV = 0.15  # of a block around its forecast, beyond chance, where too few blocks show it


@dataclass(frozen=True, eq=False)
class Arrivals:
    """Expected entries a day, stage x cell x day ahead; and the coefficient of variation of their level."""

    by_day: np.ndarray
    cv: float


def entries_by_day(spells: Spells) -> tuple[np.ndarray, int]:
    """Records by the stage they came in at, their cell and the day; and the first of those days."""
    first = spells.first_stage()
    inside = np.flatnonzero(first < len(spells.stages) - 1)
    day = spells.entered[inside, first[inside]]
    start = int(max(day.min(initial=spells.day), spells.day - LONGEST_PAST))
    kept = day >= start
    shape = (len(spells.stages) - 1, len(spells.cells), spells.day - start + 1)
    place = (first[inside][kept] * shape[1] + spells.cell[inside][kept]) * shape[2] + day[kept] - start
    return np.bincount(place, minlength=int(np.prod(shape))).reshape(shape), start


def without_loads(entries: np.ndarray) -> np.ndarray:
    """`entries` by day with those of bulk loads cut down to a usual day's."""
    totals = entries.sum(axis=(0, 1))
    usual = usual_day(totals)
    loaded = totals > max(LOADED * usual, LOADED_RECORDS)
    if not loaded.any():
        return entries
    return entries * np.where(loaded, usual / np.maximum(totals, 1.0), 1.0)


def expected_arrivals(entries: np.ndarray, horizon: int) -> Arrivals:
    """New records by the stage they come in at, for the `horizon` days after the last one of `entries`. [records]

    A list loaded at once is no flow: it is left out.
    """
    entries = without_loads(entries)
    totals = entries.sum(axis=(0, 1))
    level, cv = _smoothed(_blocks(totals), horizon)
    recent = entries[:, :, -RECENT:].sum(axis=2)
    shares = recent / max(float(recent.sum()), 1.0)
    return Arrivals(shares[:, :, None] * level / BLOCK, cv)


def _blocks(totals: np.ndarray) -> np.ndarray:
    """Records that came in during the last whole blocks of 30 days, oldest first."""
    first = int(np.argmax(totals > 0)) if totals.any() else len(totals) - 1
    whole = min(max((len(totals) - first) // BLOCK, 1), BLOCKS)
    recent = np.pad(totals, (max(whole * BLOCK - len(totals), 0), 0))[-whole * BLOCK :]
    return recent.reshape(whole, BLOCK).sum(axis=1).astype(float)


def _smoothed(counts: np.ndarray, horizon: int) -> tuple[np.ndarray, float]:
    """Expected records per block, for each day ahead; and the variation of a block beyond chance."""
    roots = np.sqrt(counts)
    tries = [_followed(roots, level, trend) for level, trend in product(LEVELS, TRENDS)]
    level, trend, errors = min(tries, key=lambda each: float(np.sum(each[2] ** 2)))
    steps = np.arange(horizon) / BLOCK + 0.5
    damped = DAMPING * (1 - DAMPING**steps) / (1 - DAMPING)
    beyond = float(np.mean((errors**2 - CHANCE) / np.maximum(counts[1:], 1.0))) if len(errors) else 0.0
    weight = len(errors) / (len(errors) + FEWEST)
    cv = 2 * np.sqrt(weight * max(beyond, 0.0) + (1 - weight) * (USUAL_CV / 2) ** 2)
    return np.maximum(level + trend * damped, 0.0) ** 2, float(cv)


def _followed(roots: np.ndarray, follow: float, bend: float) -> tuple[float, float, np.ndarray]:
    """Level and trend at the end, and the errors on the way."""
    level, trend, errors = float(roots[0]), 0.0, []
    for value in roots[1:]:
        told = level + DAMPING * trend
        errors.append(value - told)
        usual = np.sqrt(CHANCE + (USUAL_CV / 2 * told) ** 2)
        step = max(follow, LEVELS[-1]) if abs(value - told) > JUMP * usual else follow
        moved = told + step * (value - told)
        trend = (1 - bend) * DAMPING * trend + bend * (moved - level) if len(roots) >= FEWEST else 0.0
        level = moved
    return level, trend, np.array(errors)
