"""Chances of a year's ARR given its rates: a compound Poisson sum by its first three cumulants.

The sum is taken as a cubic of a standard normal with the same mean, variance and skewness: the
cube-root transformation of Wilson and Hilferty (1931, https://doi.org/10.1073/pnas.17.12.684). Mixed
over the trials it gives a smooth distribution function, so a quantile is not the step function of a
sample: conditional Monte Carlo (Asmussen and Glynn, 2007, ISBN 978-0-387-69033-9, chapter V).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

LEAST_SKEW = 1e-4  # below this the cubic is the normal itself, within rounding
CLOSE = 1e-6  # a step of this size leaves an error of its square
STEPS = 80


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
        bend = third / (6 * sd**3)
        return cls(mean, sd, np.where(np.abs(bend) < LEAST_SKEW, LEAST_SKEW, bend))

    def quantile(self, normal: np.ndarray) -> np.ndarray:
        """ARR of each trial at a standard normal of its own. [plan currency]"""
        return self.mean + self.sd * self.deviation(normal)

    def deviation(self, normal: np.ndarray) -> np.ndarray:
        """How many standard deviations from its mean each trial's ARR lies at a standard normal."""
        g = self.bend
        return ((1 - g**2 + g * normal) ** 3 - 1) / (3 * g) + g**5 / 3

    def _root(self, x: float) -> np.ndarray:
        g = self.bend
        return np.cbrt(1 + 3 * g * ((x - self.mean) / self.sd - g**5 / 3))

    def _normal(self, x: float) -> np.ndarray:
        """The standard normal at which each trial's ARR is x."""
        return (self._root(x) - 1 + self.bend**2) / self.bend

    def below(self, x: float) -> np.ndarray:
        """Chance of less than `x` in each trial. [0-1]"""
        return ndtr(self._normal(x))

    def density(self, x: float) -> np.ndarray:
        """Density of ARR at `x` in each trial. [per plan currency]"""
        return self._below_and_density(x)[1]

    def _below_and_density(self, x: float) -> tuple[np.ndarray, np.ndarray]:
        root = self._root(x)
        normal = (root - 1 + self.bend**2) / self.bend
        slope = np.sqrt(2 * np.pi) * self.sd * np.maximum(root**2, 1e-9)
        return ndtr(normal), np.exp(-(normal**2) / 2) / slope

    def shortfall(self, x: float) -> np.ndarray:
        """Expected amount by which ARR misses `x` in each trial: E[max(x - ARR, 0)]. [plan currency]"""
        g, normal = self.bend, self._normal(x)
        a, density, part = 1 - g**2, np.exp(-(normal**2) / 2) / np.sqrt(2 * np.pi), ndtr(normal)
        cube = a**3 * part - 3 * a**2 * g * density + 3 * a * g**2 * (part - normal * density)
        cube -= g**3 * (normal**2 + 2) * density
        deviation = (cube - part) / (3 * g) + g**5 / 3 * part
        return np.maximum((x - self.mean) * part - self.sd * deviation, 0.0)

    def quantile_of_all(self, share: float, start: float) -> float:
        """ARR that the mixture of all trials stays below with chance `share`. [plan currency]

        Newton's method from `start`, kept inside the interval that is known to hold the root.
        """
        low, high = -np.inf, np.inf
        x = start
        for _ in range(STEPS):
            below, density = (float(each.mean()) for each in self._below_and_density(x))
            low, high = (low, x) if below > share else (x, high)
            new = x - (below - share) / max(density, 1e-300)
            if not low < new < high:
                new = (low + high) / 2 if np.isfinite(low + high) else x + np.sign(share - below) * float(self.sd.max())
            if abs(new - x) <= CLOSE * max(abs(x), 1.0):
                return float(new)
            x = new
        return float(x)
