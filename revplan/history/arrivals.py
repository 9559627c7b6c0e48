"""New records of the next months: how many will come in, through which cell and stage, and how surely.

Counts of the last 30-day blocks are smoothed with a damped trend, on the scale of their square roots,
on which chance is the same everywhere; how quickly the level
follows is whatever would have told each block best from those before it, but a jump is a new level.

Sources: E. Gardner and E. McKenzie, "Forecasting trends in time series", Management Science 31 (1985),
doi.org/10.1287/mnsc.31.10.1237.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from revplan.history.spells import Spells

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


def expected_arrivals(spells: Spells, horizon: int) -> Arrivals:
    """New records by the stage they come in at, for the `horizon` days after the last day known. [records]"""
    first, day = _first_entries(spells)
    shape = (len(spells.stages) - 1, len(spells.cells), horizon)
    counts = _blocks(day, spells.day)
    level, cv = _smoothed(counts, horizon)
    recent = day > spells.day - RECENT
    inside = first < shape[0]
    place = (first * shape[1] + spells.cell)[recent & inside]
    shares = np.bincount(place, minlength=shape[0] * shape[1]) / max(len(place), 1)
    return Arrivals(shares.reshape(shape[0], shape[1], 1) * level / BLOCK, cv)


def _first_entries(spells: Spells) -> tuple[np.ndarray, np.ndarray]:
    """By record: number of its first stage, and the day it was entered (long ago where none is known)."""
    first = spells.first_stage()
    known = first < len(spells.stages)
    day = np.full(len(first), -(10**9))
    day[known] = spells.entered[known, first[known]]
    return first, day


def _blocks(days: np.ndarray, today: int) -> np.ndarray:
    """Records that came in during the last whole blocks of 30 days, oldest first."""
    known = days[days > -(10**8)]
    whole = min(max((today - int(known.min(initial=today)) + 1) // BLOCK, 1), BLOCKS)
    ago = (today - known) // BLOCK
    return np.bincount(ago[ago < whole], minlength=whole)[::-1].astype(float)


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
