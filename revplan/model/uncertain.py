"""Rates that are not certain: Beta distributions as smooth curves of one standard normal each.

A rate with mean r and `evidence` n is Beta(r n, (1 - r) n). It is written as a function of a standard
normal (the quantile function of the Beta at the normal's own quantile) and expanded in Hermite
polynomials, whose first term is the mean: so the mean of the draws is the rate, whatever the degree.
A Gaussian copula couples the rates: the normal of each is sqrt(rho) market + sqrt(1 - rho) own. By
Mehler's formula the expectation of a rate in a given market is the same expansion with its terms
damped by rho^(i/2), so expected products need no simulation (Iman and Conover, 1982, for the copula:
https://doi.org/10.1080/03610918208812265).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from math import factorial

import numpy as np
from numpy.polynomial.hermite_e import herme2poly, hermegauss, hermevander
from scipy.special import betainc, betaincc, betainccinv, betaincinv, ndtr, ndtri

DEGREE = 7
NEGLIGIBLE = 5e-4  # a term of less than this share of every rate's standard deviation is left out
NODES = 17  # of the quadrature that fits a smooth curve
ROUGH_NODES = 64
MARKET_NODES = 48
ROUGH = 2.0  # a Beta with a parameter below this is no smooth curve: it is read from a table
GRID = np.linspace(-6.0, 6.0, 1025)
CERTAIN = 1e10  # evidence from which on a rate is taken as certain


@cache
def normal_quadrature(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights (sum 1) of the Gauss-Hermite quadrature of a standard normal."""
    points, weights = hermegauss(nodes)
    weights = weights / weights.sum()
    points.flags.writeable = weights.flags.writeable = False
    return points, weights


def hermite_projection(values: np.ndarray, nodes: int, degree: int) -> np.ndarray:
    """Coefficients of Hermite polynomials 0..degree, from values at the quadrature's nodes (last axis)."""
    points, weights = normal_quadrature(nodes)
    basis = hermevander(points, degree) * weights[:, None]
    return values @ basis / [factorial(i) for i in range(degree + 1)]


_TO_POWERS = np.zeros((DEGREE + 1, DEGREE + 1))
for _i in range(DEGREE + 1):
    _TO_POWERS[_i, : _i + 1] = herme2poly(np.eye(_i + 1)[_i])


@dataclass(frozen=True, eq=False)
class Rates:
    """Uncertain rates, one per row."""

    mean: np.ndarray
    evidence: np.ndarray
    """Effective number of records behind each; infinite where the rate is certain."""

    @cached_property
    def certain(self) -> np.ndarray:
        """Whether each rate is certain."""
        return (self.evidence >= CERTAIN) | (self.mean >= 1.0)

    @cached_property
    def rough(self) -> np.ndarray:
        """Whether each rate rests on so little that its curve is read from a table."""
        return ~self.certain & (np.minimum(self.mean, 1 - self.mean) < ROUGH / self.evidence)

    @cached_property
    def hermite(self) -> np.ndarray:
        """Hermite coefficients: shape (rates, DEGREE + 1); the first column is the mean."""
        found = np.zeros((len(self.mean), DEGREE + 1))
        for which, nodes in ((~self.certain & ~self.rough, NODES), (self.rough, ROUGH_NODES)):
            if which.any():
                curves = self.quantiles(normal_quadrature(nodes)[0], which)
                found[which] = hermite_projection(curves, nodes, DEGREE)
        found[:, 0] = self.mean
        return found

    @cached_property
    def _powers(self) -> np.ndarray:
        """Coefficients of 1, z, z^2, ... as far as they matter: shape (degree + 1, rates, 1)."""
        sizes = np.abs(self.hermite[~self.rough]) * np.sqrt([factorial(i) for i in range(DEGREE + 1)])
        spread = np.sqrt((sizes[:, 1:] ** 2).sum(axis=1, keepdims=True))
        matter = (sizes[:, 1:] > NEGLIGIBLE * spread).any(axis=0)
        degree = max(int(np.flatnonzero(matter)[-1]) + 1 if matter.any() else 1, 1)
        kept = self.hermite[:, : degree + 1] @ _TO_POWERS[: degree + 1, : degree + 1]
        return kept.T[:, :, None]

    @cached_property
    def _tables(self) -> dict[int, np.ndarray]:
        curves = self.quantiles(GRID, self.rough) if self.rough.any() else ()
        return dict(zip(np.flatnonzero(self.rough).tolist(), curves, strict=True))

    def quantiles(self, normal: np.ndarray, which: np.ndarray) -> np.ndarray:
        """Exact rates at given normals: shape (chosen rates, normals). [0-1]"""
        mean, evidence = self.mean[which, None], self.evidence[which, None]
        a, b = mean * evidence, (1 - mean) * evidence
        lower = normal < 0
        found = np.empty((len(a), len(normal)))
        found[:, lower] = betaincinv(a, b, ndtr(normal[lower]))
        found[:, ~lower] = betainccinv(a, b, ndtr(-normal[~lower]))
        return found

    def at(self, normals: np.ndarray) -> np.ndarray:
        """Rates at their own normals: shape (rates, trials); a rate may leave 0-1 by a rounding of its curve."""
        powers = self._powers
        found = powers[-1] * normals
        for power in powers[-2:0:-1]:
            found += power
            found *= normals
        found += powers[0]
        for row, table in self._tables.items():
            found[row] = np.interp(normals[row], GRID, table)
        return found

    def in_market(self, rho: float, market: np.ndarray) -> np.ndarray:
        """Expected rates given the market factor: shape (rates, markets). [0-1]"""
        damped = self.hermite * np.sqrt(rho) ** np.arange(DEGREE + 1)
        return damped @ hermevander(market, DEGREE).T

    def excess(self, paths: np.ndarray, rho: float) -> np.ndarray:
        """Expected product of the rates of each path over the product of their means. [ratio]

        More than 1 where the market moves rates together; a simulation divides by it, so that each
        path keeps its expected rate. `paths` holds indices of rates, their number standing for none.
        """
        if rho == 0:
            return np.ones(len(paths))
        market, weights = normal_quadrature(MARKET_NODES)
        relative = self.in_market(rho, market) / self.mean[:, None]
        relative = np.vstack([relative, np.ones(len(market))])
        together = np.ones((len(paths), len(market)))
        for step in paths.T:
            together *= relative[step]
        return together @ weights

    def chance_all_hold(self, rho: float) -> tuple[int, float]:
        """How many rates are uncertain, and the chance that every one is at least its mean. [0-1]"""
        unsure = ~self.certain
        mean, evidence = self.mean[unsure], self.evidence[unsure]
        a, b = mean * evidence, (1 - mean) * evidence
        below, above = betainc(a, b, mean), betaincc(a, b, mean)
        threshold = np.where(below < 0.5, ndtri(below), -ndtri(above))
        return int(unsure.sum()), chance_all_above(threshold, rho)


def chance_all_above(thresholds: np.ndarray, rho: float) -> float:
    """Chance that standard normals, coupled by one market factor, are all above their thresholds. [0-1]

    Given the market they are independent, so one integral answers for any number of them.
    """
    weights = np.exp(-(GRID**2) / 2)
    beyond = ndtr((np.sqrt(rho) * GRID[:, None] - thresholds) / np.sqrt(1 - rho))
    return float(weights @ beyond.prod(axis=1) / weights.sum())
