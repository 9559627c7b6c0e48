"""What wins are worth: the mean deal of each cell, and how much deals scatter."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from revplan.history.spells import NEVER, Spells

PRIOR_DEALS = 10.0  # deals of the whole that a cell's mean is mixed with
RECENT_DEALS = 730  # days looked back on
FEWEST_DEALS = 5  # won records with an amount, below which nothing is said about money


@dataclass(frozen=True, eq=False)
class Deals:
    """By cell: mean deal; for all: the square of its coefficient of variation; by record: what it is worth if won."""

    mean: np.ndarray
    scatter: float
    worth: np.ndarray


def deals_of(spells: Spells) -> Deals | None:
    """Deal sizes of the records won in the last two years; None where fewer than five carry an amount.

    A record open now counts with its own amount where it has one, otherwise with the mean deal of its cell.
    """
    won = spells.entered[:, -1]
    priced = ~np.isnan(spells.amount) & (spells.amount > 0)
    inside = priced & (won < NEVER) & (won > spells.day - RECENT_DEALS)
    if inside.sum() < FEWEST_DEALS:
        return None
    amount, cell = spells.amount[inside], spells.cell[inside]
    cells = len(spells.cells)
    number = np.bincount(cell, minlength=cells)
    mean = (np.bincount(cell, amount, cells) + PRIOR_DEALS * amount.mean()) / (number + PRIOR_DEALS)
    scatter = float(np.mean((amount / mean[cell] - 1) ** 2))
    return Deals(mean, scatter, np.where(priced, spells.amount, mean[spells.cell]))


def mean_deal(spells: Spells) -> float | None:
    """Mean amount of the records won; None where too few carry one."""
    deals = deals_of(spells)
    won = spells.entered[:, -1] < NEVER
    return None if deals is None else float(deals.worth[won].mean())
