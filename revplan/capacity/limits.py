"""Bookings where people are limited: month by month no more than demand brings and people can close.

The minimum is taken in each drawn year, not of the means: E[min] < min(E). With a demand of cv 0.25 and a capacity of
cv 0.15 of equal means, 88.4 % of plan is to be expected.

What nobody has time for waits and is worked first in the next month, the oldest before the newer; of what waits,
`excess.kept` is still there a month later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr

NOTHING = 1e-9  # of a plan's currency: less is none


def booked(demand: np.ndarray, capacity: np.ndarray, kept: Sequence[float]) -> np.ndarray:
    """New ARR closed in each month. [plan currency]

    Parameters
    ----------
    demand
        Shape (segments, months, ...): what would close if nobody lacked the time.
    capacity
        Shape (segments + 1, months, ...): what the people of each segment can close, then those who sell in all; the
        latter take of every segment's rest the same share.
    kept
        Share of what waits that is still there after its first, second ... month; the last goes on.

    >>> booked(np.array([[10.0, 0.0]]), np.array([[6.0, 6.0], [1.0, 0.0]]), (0.5,)).tolist()
    [[7.0, 1.5]]
    """
    found = np.empty_like(demand)
    waiting = [np.zeros_like(demand[:, 0]) for _ in kept]
    for month in range(demand.shape[1]):
        total = demand[:, month] + waiting[0]
        for older in waiting[1:]:
            total = total + older
        closed = np.minimum(total, capacity[:-1, month])
        over = total - closed
        everywhere = capacity[-1, month]
        if np.any(everywhere > 0):
            rest = over.sum(axis=0)
            share = np.minimum(everywhere / np.maximum(rest, NOTHING), 1.0)
            closed = closed + over * share
            over = over * (1 - share)
        found[:, month] = closed
        if len(kept) == 1:
            waiting[0] = over * kept[0]
        else:
            waiting = _older(demand[:, month], waiting, closed, kept)
    return found


def _older(new: np.ndarray, waiting: list[np.ndarray], closed: np.ndarray, kept: Sequence[float]) -> list[np.ndarray]:
    """What waits a month later, by age: the oldest was worked first."""
    left, rest = [], closed
    for part in (*reversed(waiting), new):
        taken = np.minimum(part, rest)
        left.append(part - taken)
        rest = rest - taken
    oldest, *others = left
    younger = others[::-1]  # new, one month old, ...
    moved = [part * share for part, share in zip(younger, kept, strict=True)]
    moved[-1] = moved[-1] + oldest * kept[-1]
    return moved


def compound_sums(mean: np.ndarray, per_deal: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Sums of a Poisson number of deals at standard normals: positive, of the mean and the variance asked for. [plan currency]

    The law is the gamma of the same mean and variance by the cube-root transformation of Wilson and Hilferty (1931,
    https://doi.org/10.1073/pnas.17.12.684), cut at 0, and divided by the mean that this leaves it.

    Parameters
    ----------
    mean
        Expected sum.
    per_deal
        Variance over mean: second moment of a deal over its mean.
    normal
        Standard normals, a trial along the last axis.
    """
    deals = mean / per_deal
    typical = np.maximum(deals.mean(axis=-1, keepdims=True), NOTHING)
    root = 1 / (3 * np.sqrt(np.maximum(deals, NOTHING)))
    cubes = normal - root
    cubes *= root
    cubes += 1.0
    np.maximum(cubes, 0.0, out=cubes)
    square = cubes * cubes
    cubes *= square
    cubes *= mean / _average(typical)
    return cubes


def _average(deals: np.ndarray) -> np.ndarray:
    """Mean of the cube, cut at 0, for so many expected deals."""
    place, width = 1 - 1 / (9 * deals), 1 / (3 * np.sqrt(deals))
    ratio = place / width
    density = np.exp(-(ratio**2) / 2) / np.sqrt(2 * np.pi)
    found: np.ndarray = (place**3 + 3 * place * width**2) * ndtr(ratio) + (place**2 * width + 2 * width**3) * density
    return np.maximum(found, NOTHING)


@dataclass(frozen=True, eq=False)
class LoadLimit:
    """What at most can come of the records that some people of a role can work."""

    segment: int
    """The pool whose records they work."""
    arr: np.ndarray
    """Shape (months,): new ARR of the year's months that as many records as can be worked bring. [plan currency]"""


@dataclass(frozen=True, eq=False)
class People:
    """What limits bookings in every drawn year of a plan."""

    capacity: np.ndarray
    """Shape (segments + 1, months, paths): what people can close. [plan currency]"""
    kept: tuple[float, ...]
    loads: tuple[LoadLimit, ...] = ()

    @property
    def paths(self) -> int:
        """Number of drawn years."""
        return int(self.capacity.shape[2])

    def of_trials(self, begin: int, count: int) -> np.ndarray:
        """Shape (segments + 1, months, count): the drawn years of trials from `begin` on, which take turns."""
        return self.capacity[:, :, np.arange(begin, begin + count) % self.paths]

    @property
    def typical(self) -> np.ndarray:
        """Shape (segments + 1, months, 1): the mean over the drawn years."""
        return self.capacity.mean(axis=2, keepdims=True)


@dataclass(frozen=True, eq=False)
class Demand:
    """What would close in each month of each trial, were people not lacking. [plan currency]"""

    fixed: np.ndarray
    """Shape (segments, months, trials): expected ARR without new entries."""
    scaled: np.ndarray
    """Shape (segments, months, trials): expected ARR of committed entries."""
    per_deal: np.ndarray
    """Shape (2, segments, months): second moment of a deal over its mean, without and of new entries."""
    worked: np.ndarray
    """Shape (loads, 2, months): share of each part's expected ARR that a load limit holds for, by limit."""
    luck: np.ndarray
    """Shape (segments, months, trials): standard normals of number and size of deals."""
    capacity: np.ndarray
    """Shape (segments + 1, months, trials)."""
    people: People
    won: float
    """New ARR closed before the plan date."""

    def drawn(self, scale: float | np.ndarray = 1.0, value: float = 1.0) -> np.ndarray:
        """Shape (segments, months, trials): demand with `scale` times the entries and `value` times their deals."""
        mean = (scale * value) * self.scaled
        mean += self.fixed
        of_deal = self._of_deal(float(np.mean(scale)), value)
        demand = compound_sums(mean, of_deal, self.luck)
        return self._worked(demand, mean, scale * value) if self.people.loads else demand

    def asked(self, scale: float | np.ndarray = 1.0) -> np.ndarray:
        """The year's new ARR in each trial, were nobody lacking. [plan currency]"""
        mean = self.fixed + scale * self.scaled
        drawn = compound_sums(mean, self._of_deal(float(np.mean(scale)), 1.0), self.luck)
        found: np.ndarray = self.won + drawn.sum(axis=(0, 1))
        return found

    def _worked(self, demand: np.ndarray, mean: np.ndarray, factor: float | np.ndarray) -> np.ndarray:
        """What of `demand` those who work its records let through."""
        for limit, worked in zip(self.people.loads, self.worked, strict=True):
            here = limit.segment
            part = worked[0][:, None] * self.fixed[here] + factor * worked[1][:, None] * self.scaled[here]
            share = part / np.maximum(mean[here], NOTHING)
            asked = (demand[here] * share)[None]
            room = np.stack([np.broadcast_to(limit.arr[:, None], share.shape), np.zeros(share.shape)])
            demand[here] += (booked(asked, room, self.people.kept) - asked)[0]
        return demand

    def _of_deal(self, scale: float, value: float) -> np.ndarray:
        """Shape (segments, months, 1): second moment of a deal over its mean, as open and new ones are mixed. [plan currency]"""
        fixed, new = self.fixed.mean(axis=2), scale * value * self.scaled.mean(axis=2)
        second = fixed * self.per_deal[0] + new * value * self.per_deal[1]
        found: np.ndarray = np.maximum(second / np.maximum(fixed + new, NOTHING), NOTHING)[..., None]
        return found

    @property
    def _drawn(self) -> tuple[np.ndarray, ...]:
        return self.fixed, self.scaled, self.luck, self.capacity

    def _with(self, drawn: Sequence[np.ndarray]) -> Demand:
        fixed, scaled, luck, capacity = drawn
        return replace(self, fixed=fixed, scaled=scaled, luck=luck, capacity=capacity)

    def at_median(self) -> Demand:
        """One trial in which everything comes at its median over the trials."""
        return self._with([np.median(each, axis=2, keepdims=True) for each in self._drawn])

    def some(self, most: int) -> Demand:
        """The same of the first `most` trials."""
        return self._with([np.ascontiguousarray(each[:, :, :most]) for each in self._drawn])

    def booked(self, scale: float | np.ndarray = 1.0, value: float = 1.0) -> np.ndarray:
        """Shape (segments, months, trials): what closes of it."""
        return booked(self.drawn(scale, value), self.capacity, self.people.kept)

    def arr(self, scale: float | np.ndarray = 1.0, value: float = 1.0) -> np.ndarray:
        """The year's new ARR in each trial. [plan currency]"""
        found: np.ndarray = self.won + self.booked(scale, value).sum(axis=(0, 1))
        return found
