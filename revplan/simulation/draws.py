"""The bank of standard normals a simulation draws on: the same seed gives the same bits.

Trials come in blocks. Eight blocks make up one scrambled Sobol net (Matousek, 1998,
https://doi.org/10.1006/jcom.1998.0487); each further eight are the same net moved by a digital shift of
their own, an unbiased replicate (Owen, 1997, https://doi.org/10.1214/aos/1031594731). The scatter
between blocks gives the Monte-Carlo error of whatever is averaged over them, on the safe side: blocks
of one net make good each other's errors. A block depends on nothing but the seed, its number and its
size: not on how many are made at once, nor on who makes them.

Rates that are not certain: Beta distributions as smooth curves of one standard normal each.

A rate with mean r and `evidence` n is Beta(r n, (1 - r) n). It is written as a function of a standard
normal (the quantile function of the Beta at the normal's own quantile) and expanded in Hermite
polynomials, whose first term is the mean: so the mean of the draws is the rate, whatever the degree.
A Gaussian copula couples the rates: the normal of each is sqrt(rho) market + sqrt(1 - rho) own. By
Mehler's formula the expectation of a rate in a given market is the same expansion with its terms
damped by rho^(i/2), so expected products need no simulation (Iman and Conover, 1982, for the copula:
https://doi.org/10.1080/03610918208812265).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from math import factorial

import numpy as np
from numpy.polynomial.hermite_e import herme2poly, hermegauss, hermevander
from scipy.special import betainc, betaincc, betainccinv, betaincinv, ndtr, ndtri

from revplan.ground.errors import Fault, PlanError, shown

BLOCK, NUMBERS = 1024, 2**20  # most trials of a block, and most normals
REPLICATES = 8  # blocks that even a small number of trials is split into, and blocks of a net
MOST_TRIALS = 100_000_000
MOST_SEED = 2**63 - 1
WIDTH = 64  # nets are made for a multiple of this many drivers, so that one more keeps the others
NET_BITS, BITS = 30, 53
MOST_DRIVERS = 21_201  # for which directions of the net are known
KEPT_BLOCKS, KEPT_NUMBERS = 32, 2**17  # blocks kept for the next run, and the largest block kept


@dataclass(frozen=True)
class DrawStore:
    """`trials` trials of `drivers` independent standard normals each."""

    trials: int
    drivers: int
    seed: int

    def __post_init__(self) -> None:
        faults = []
        for name, least, most, such_as in (
            ("trials", 2, MOST_TRIALS, f"{MOST_TRIALS:,}, such as 8192"),
            ("seed", 0, MOST_SEED, f"{MOST_SEED}, such as 1"),
        ):
            given = getattr(self, name)
            if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
                faults.append(Fault(name, f"got {shown(given)}; it must be a whole number from {least} to {such_as}"))
        if self.drivers > MOST_DRIVERS:
            message = f"{self.drivers:,} figures are uncertain; no more than {MOST_DRIVERS:,} can be simulated"
            faults.append(Fault("transitions", message))
        if faults:
            raise PlanError(faults)

    @property
    def size(self) -> int:
        """Trials of a whole block."""
        most = min(BLOCK, self.trials // REPLICATES, NUMBERS // max(self.drivers, 1))
        return 1 << max(most.bit_length() - 1, 0)

    @property
    def blocks(self) -> int:
        """Number of blocks; the last one may be cut short."""
        return -(-self.trials // self.size)

    def block(self, number: int) -> np.ndarray:
        """Standard normals of block `number`: shape (drivers, trials of the block)."""
        keep = number < KEPT_BLOCKS // 2 and self.drivers * self.size <= KEPT_NUMBERS
        normals = (_kept_block if keep else _made_block)(self.seed, self.drivers, self.size, number)
        return normals[:, : self.trials - number * self.size]

    def rounds(self, most: int) -> Iterator[range]:
        """Numbers of the blocks, in rounds of at most `most` trials."""
        step = max(most // self.size, 1)
        return (range(start, min(start + step, self.blocks)) for start in range(0, self.blocks, step))


@lru_cache(maxsize=2)
def _net(seed: int, width: int, points: int) -> np.ndarray:
    """A scrambled Sobol net as whole numbers of 53 bits: shape (width, points)."""
    from scipy.stats import qmc  # takes a quarter of a second, which most commands need not wait for

    made = qmc.Sobol(width, scramble=True, bits=NET_BITS, rng=np.random.default_rng([seed, 0])).random(points)
    return (made.T * 2.0**NET_BITS).astype(np.uint64) << np.uint64(BITS - NET_BITS)


def _made_block(seed: int, drivers: int, size: int, number: int) -> np.ndarray:
    width = min(-(-drivers // WIDTH) * WIDTH, MOST_DRIVERS)
    replicate, part = divmod(number, REPLICATES)
    net = _net(seed, width, size * REPLICATES)
    shift = np.random.default_rng([seed, 1 + replicate]).integers(2**BITS, size=drivers, dtype=np.uint64)
    points = net[:drivers, part * size : (part + 1) * size] ^ shift[:, None]
    normals = ndtri(np.ascontiguousarray((points.astype(float) + 0.5) * 2.0**-BITS))
    normals.flags.writeable = False
    return normals


_kept_block = lru_cache(maxsize=KEPT_BLOCKS)(_made_block)


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
    return values @ _weighted_hermite(nodes, degree)


@cache
def _weighted_hermite(nodes: int, degree: int) -> np.ndarray:
    """Shape (nodes, degree + 1): each polynomial at the quadrature's nodes, times their weight, over its norm."""
    points, weights = normal_quadrature(nodes)
    return hermevander(points, degree) * weights[:, None] / [factorial(i) for i in range(degree + 1)]


_TO_POWERS = np.zeros((DEGREE + 1, DEGREE + 1))
for _i in range(DEGREE + 1):
    _TO_POWERS[_i, : _i + 1] = herme2poly(np.eye(_i + 1)[_i])


@dataclass(frozen=True, eq=False)
class UncertainRates:
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
