"""Chances of a year's ARR given its rates: a compound Poisson sum by its first three cumulants.

The sum is taken as a cubic of a standard normal with the same mean, variance and skewness: the
cube-root transformation of Wilson and Hilferty (1931, https://doi.org/10.1073/pnas.17.12.684). Mixed
over the trials it gives a smooth distribution function, so a quantile is not the step function of a
sample: conditional Monte Carlo (Asmussen and Glynn, 2007, ISBN 978-0-387-69033-9, chapter V).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtr, ndtri

LEAST_BEND, MOST_BEND = 1e-4, 0.5  # below, the cubic is the normal itself; above, less than one deal is expected
LEAST_RISE = 1e-9  # chances closer than this to each other, or to 0 or 1, say nothing


@dataclass(frozen=True, eq=False)
class Odds:
    """The law of ARR, one per trial; their mixture is the law of the year."""

    mean: np.ndarray
    sd: np.ndarray
    bend: np.ndarray
    """A sixth of the skewness."""

    @classmethod
    def of_cumulants(cls, cumulants: np.ndarray) -> Odds:
        """The law with the given mean, variance and third cumulant: shape (3, trials)."""
        mean, variance, third = cumulants
        sd = np.sqrt(np.maximum(variance, 1e-24 * np.maximum(mean, 1.0) ** 2))
        bend = np.clip(third / (6 * sd**3), -MOST_BEND, MOST_BEND)
        return cls(mean, sd, np.where(np.abs(bend) < LEAST_BEND, LEAST_BEND, bend))

    def quantile(self, normal: np.ndarray) -> np.ndarray:
        """ARR of each trial at a standard normal of its own. [plan currency]"""
        return np.maximum(self.mean + self.sd * self.deviation(normal), 0.0)

    def deviation(self, normal: np.ndarray) -> np.ndarray:
        """How many standard deviations from its mean each trial's ARR lies at a standard normal."""
        g = self.bend
        return ((1 - g**2 + g * normal) ** 3 - 1) / (3 * g) + g**5 / 3

    @cached_property
    def _lines(self) -> tuple[np.ndarray, ...]:
        """What the way back from an ARR to its normal needs: the cube of a root is a + b ARR, the normal c + d root."""
        g = self.bend
        slope = 3 * g / self.sd
        return 1 - g**6 - slope * self.mean, slope, g - 1 / g, 1 / g

    def _normal(self, x: float) -> np.ndarray:
        """The standard normal at which each trial's ARR is x."""
        a, b, c, d = self._lines
        found = b * x
        found += a
        np.cbrt(found, out=found)
        found *= d
        found += c
        return found

    def below(self, x: float) -> np.ndarray:
        """Chance of less than `x` in each trial; ARR is never below 0. [0-1]"""
        return ndtr(self._normal(x)) if x > 0 else np.zeros(len(self.mean))

    def shortfall(self, x: float) -> np.ndarray:
        """Expected amount by which ARR misses `x` in each trial: E[max(x - ARR, 0)]. [plan currency]"""
        if x <= 0:
            return np.zeros(len(self.mean))
        g, normal = self.bend, self._normal(x)
        a, density, part = 1 - g**2, np.exp(-(normal**2) / 2) / np.sqrt(2 * np.pi), ndtr(normal)
        cube = a**3 * part - 3 * a**2 * g * density + 3 * a * g**2 * (part - normal * density)
        cube -= g**3 * (normal**2 + 2) * density
        deviation = (cube - part) / (3 * g) + g**5 / 3 * part
        return np.maximum((x - self.mean) * part - self.sd * deviation, 0.0)


@dataclass(frozen=True, eq=False)
class Inverse:
    """A rising chance, known at some nodes, read backwards: a monotone curve through them.

    Chances are joined in normal scores, in which the law of a year is nearly straight.
    """

    nodes: np.ndarray
    chances: np.ndarray

    @classmethod
    def through(cls, nodes: np.ndarray, chances: np.ndarray) -> Inverse:
        """The curve through the nodes at which the chance rises."""
        rising = np.append(True, np.diff(np.maximum.accumulate(chances)) > LEAST_RISE)[: len(nodes)]
        inside = rising & (chances > LEAST_RISE) & (chances < 1 - LEAST_RISE)
        kept = inside if inside.any() else rising
        return cls(nodes[kept], np.clip(chances[kept], LEAST_RISE, 1 - LEAST_RISE))

    @cached_property
    def _curve(self) -> PchipInterpolator:
        return PchipInterpolator(ndtri(self.chances), self.nodes)

    def at(self, chance: float) -> float:
        """Where the chance is `chance`; beyond the nodes the last of them."""
        if len(self.nodes) == 1:
            return float(self.nodes[0])
        return float(self._curve(ndtri(np.clip(chance, self.chances[0], self.chances[-1]))))

    def slope(self, chance: float) -> float:
        """By how much more the place changes than the chance, there; 0 beyond the nodes."""
        if len(self.nodes) == 1 or not self.chances[0] <= chance <= self.chances[-1]:
            return 0.0
        normal = ndtri(chance)
        density = np.exp(-(normal**2) / 2) / np.sqrt(2 * np.pi)
        return float(self._curve.derivative()(normal) / density)
