"""Bookings where people are limited: month by month no more than demand brings and people can close.

The minimum is taken in each drawn year, not of the means: E[min] < min(E). With a demand of cv 0.25 and a capacity of
cv 0.15 of equal means, 88.4 % of plan is to be expected.

What nobody has time for waits and is worked first in the next month, the oldest before the newer; of what waits,
`excess.kept` is still there a month later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import ndtr

NOTHING = 1e-9  # of a plan's currency: less is none
TOGETHER = 2048  # trials worked out at once: what they take fits into a processor's cache


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


def compound_sums(mean: np.ndarray, per_deal: np.ndarray, normal: np.ndarray, usual: np.ndarray) -> np.ndarray:
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
    usual
        Expected sum over all trials, of which the given ones may be some: the last axis is 1 long.
    """
    root = mean / per_deal  # in place from here on: to ask the system for memory takes as long as the arithmetic
    np.maximum(root, NOTHING, out=root)
    np.sqrt(root, out=root)
    np.divide(1 / 3, root, out=root)
    cubes = normal - root
    cubes *= root
    cubes += 1.0
    np.maximum(cubes, 0.0, out=cubes)
    np.multiply(cubes, cubes, out=root)
    cubes *= root
    np.multiply(mean, 1 / _average(np.maximum(usual / per_deal, NOTHING)), out=root)
    cubes *= root
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
        first = begin % self.paths
        if first + count <= self.paths:
            return self.capacity[:, :, first : first + count]
        return self.capacity.take(np.arange(begin, begin + count), axis=2, mode="wrap")

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
    whole: Demand | None = None
    """All trials, where these are some of them and demand is to be what it is over all."""

    @cached_property
    def _means(self) -> tuple[np.ndarray, np.ndarray]:
        """Shape (segments, months, 1) each: means of the two over all trials."""
        if self.whole is not None:
            return self.whole._means
        return self.fixed.mean(axis=2, keepdims=True), self.scaled.mean(axis=2, keepdims=True)

    def drawn(self, scale: float | np.ndarray = 1.0, value: float = 1.0) -> np.ndarray:
        """Shape (segments, months, trials): demand with `scale` times the entries and `value` times their deals."""
        mean, demand = self._coming(scale, value)
        return self._worked(demand, mean, scale * value) if self.people.loads else demand

    def asked(self, scale: float = 1.0) -> np.ndarray:
        """The year's new ARR in each trial, were nobody lacking. [plan currency]"""
        found: np.ndarray = self.won + self.unlimited(scale).sum(axis=(0, 1))
        return found

    def unlimited(self, scale: float = 1.0) -> np.ndarray:
        """Shape (segments, months, trials): what would close, were nobody lacking."""
        return self._coming(scale, 1.0)[1]

    def _coming(self, scale: float | np.ndarray, value: float) -> tuple[np.ndarray, np.ndarray]:
        """Expected demand, and demand drawn, as far as nobody need work its records."""
        mean = (scale * value) * self.scaled
        mean += self.fixed
        fixed, new = self._means
        usual = mean.mean(axis=2, keepdims=True) if np.ndim(scale) else fixed + (scale * value) * new
        new = float(np.mean(scale)) * value * new
        # second moment of a deal over its mean, as open and new ones are mixed
        second = fixed * self.per_deal[0][..., None] + new * value * self.per_deal[1][..., None]
        of_deal = np.maximum(second / np.maximum(fixed + new, NOTHING), NOTHING)
        return mean, compound_sums(mean, of_deal, self.luck, usual)

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

    def arr(self, scale: float | np.ndarray = 1.0, value: float = 1.0, trials: np.ndarray | None = None) -> np.ndarray:
        """The year's new ARR in each trial, or in those whose numbers are given. [plan currency]"""
        count = self.luck.shape[2] if trials is None else len(trials)
        step = count if np.ndim(scale) else TOGETHER
        found = np.empty(count)
        for begin in range(0, count, step):
            some = slice(begin, begin + step)
            drawn = [each[..., some] if trials is None else each.take(trials[some], axis=2) for each in self._drawn]
            found[some] = replace(self._with(drawn), whole=self).booked(scale, value).sum(axis=(0, 1))
        return self.won + found
