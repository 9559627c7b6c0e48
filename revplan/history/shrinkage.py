"""Rates of many small cells at once: each pulled towards what its segment and its source lead to expect.

Conversions D_c out of E_c matured records of cell c (segment s, source q) follow a binomial law with

    logit rate_c = level + segment_s + source_q + own_c

the three effects being normal around 0. How widely they scatter is integrated over a grid, each point
weighted with its marginal likelihood (Laplace's approximation); so cells that really differ stay apart
and cells that only seem to are drawn together. The rate of a segment or a source is the mean of its
cells by matured records.

Sources: R. Morris, "Parametric empirical Bayes inference", JASA 78 (1983), doi.org/10.1080/01621459.1983.10477920;
N. Breslow and D. Clayton, "Approximate inference in generalized linear mixed models", JASA 88 (1993),
doi.org/10.1080/01621459.1993.10594284; A. Gelman, "Prior distributions for variance parameters in
hierarchical models", Bayesian Analysis 1 (2006), doi.org/10.1214/06-BA117A, for the half-normal scale.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import betaincinv, expit

SCATTERS = (0.03, 0.1, 0.2, 0.4, 0.8)  # standard deviations of an effect that are tried
MANY_CELLS, FEW_SCATTERS = 100, (0.05, 0.2, 0.6)  # with more cells than that, fewer are tried
USUAL_SCATTER = 0.5  # of the half-normal prior of those
LEVEL_PRIOR = 0.04  # precision of the level
STEPS, CLOSE = 30, 1e-6  # of Newton's method
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(9)


@dataclass(frozen=True, eq=False)
class Rates:
    """Mean and variance of rates."""

    mean: np.ndarray
    variance: np.ndarray

    def evidence(self) -> np.ndarray:
        """The records a Beta distribution of that mean and variance stands for."""
        return np.maximum(self.mean * (1 - self.mean) / np.maximum(self.variance, 1e-12) - 1, 1e-3)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """P10 and P90 of that Beta distribution."""
        records = self.evidence()
        won = self.mean * records
        low, high = (betaincinv(won, records - won, share) for share in (0.1, 0.9))
        return np.minimum(low, self.mean), np.maximum(high, self.mean)


@dataclass(frozen=True, eq=False)
class Cells:
    """Conversions and matured records by cell, and the numbers of its segment and its source."""

    conversions: np.ndarray
    exposure: np.ndarray
    segment: np.ndarray
    source: np.ndarray


def shrunk(cells: Cells, groups: np.ndarray) -> Rates:
    """Rates of `groups` of cells: each row of `groups` holds the weights of the cells, summing to 1."""
    design, kinds = _design(cells)
    values = SCATTERS if len(cells.conversions) <= MANY_CELLS else FEW_SCATTERS
    tried = list(product(values, repeat=int(kinds.max()) + 1))
    fits = [_fit(cells, design, _precision(kinds, scatters), groups) for scatters in tried]
    prior = [sum(np.log(each) - 0.5 * (each / USUAL_SCATTER) ** 2 for each in scatters) for scatters in tried]
    likely = np.array([fit[0] for fit in fits]) + np.array(prior)
    weight = np.exp(likely - likely.max())
    weight /= weight.sum()
    means, variances = np.array([fit[1] for fit in fits]), np.array([fit[2] for fit in fits])
    mean = weight @ means
    return Rates(mean, np.maximum(weight @ (variances + means**2) - mean**2, 1e-12))


def _design(cells: Cells) -> tuple[np.ndarray, np.ndarray]:
    """Shared effects by cell (level, segments, sources), and the kind of each: 0, 1, 2.

    With one segment or one source, the cells are the other one: an effect of their own says it all.
    """
    columns, kinds = [np.ones((len(cells.conversions), 1))], [0]
    crossed = cells.segment.max() > 0 and cells.source.max() > 0
    for kind, codes in enumerate((cells.segment, cells.source) if crossed else (), start=1):
        columns.append(np.eye(int(codes.max()) + 1)[codes])
        kinds += [kind] * columns[-1].shape[1]
    return np.hstack(columns), np.array(kinds)


def _precision(kinds: np.ndarray, scatters: tuple[float, ...]) -> tuple[np.ndarray, float]:
    """Of the shared effects, and of a cell's own."""
    precision = 1 / np.array(scatters) ** 2
    return np.append(LEVEL_PRIOR, precision[kinds[1:] - 1]), float(precision[-1])


def _fit(
    cells: Cells, design: np.ndarray, precision: tuple[np.ndarray, float], groups: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """Log marginal likelihood, and mean and variance of the groups' rates, for given scatters.

    Newton's method; own effects are eliminated first, so its equations are as many as shared effects.
    """
    records = np.maximum(cells.exposure, cells.conversions)
    start = np.clip(cells.conversions.sum() / max(records.sum(), 1e-9), 1e-4, 1 - 1e-4)
    centre, (shared_prior, own_prior) = np.log(start / (1 - start)), precision
    shared, own = np.zeros(design.shape[1]), np.zeros(len(records))
    for _ in range(STEPS):
        rate = expit(centre + design @ shared + own)
        weight, left = records * rate * (1 - rate), cells.conversions - records * rate
        own_curve = weight + own_prior
        curve = (design.T * (weight * own_prior / own_curve)) @ design + np.diag(shared_prior)
        own_slope = left - own_prior * own
        slope = design.T @ (left - weight / own_curve * own_slope) - shared_prior * shared
        step = np.linalg.solve(curve, slope)
        own_step = (own_slope - weight * (design @ step)) / own_curve
        largest = max(float(np.abs(step).max()), float(np.abs(own_step).max()))
        shared, own = (
            shared + step * min(1.0, 2.0 / max(largest, 1e-12)),
            own + own_step * min(1.0, 2.0 / max(largest, 1e-12)),
        )
        if largest < CLOSE:
            break
    logits = centre + design @ shared + own
    marginal = (
        float(cells.conversions @ logits - records @ np.logaddexp(0, logits))
        - 0.5 * float(shared_prior @ shared**2 + own_prior * own @ own)
        + 0.5 * float(np.log(shared_prior).sum() + len(own) * np.log(own_prior))
        - 0.5 * float(np.linalg.slogdet(curve)[1] + np.log(own_curve).sum())
    )
    carried = design * (own_prior / own_curve)[:, None]
    return marginal, *_group_moments(logits, (1 / own_curve, carried, np.linalg.inv(curve)), groups)


def _group_moments(
    logits: np.ndarray, spread: tuple[np.ndarray, np.ndarray, np.ndarray], groups: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the groups' rates, the logits being normal: means by quadrature, variance by slopes.

    The covariance of the logits is diag(own) + carried @ shared @ carried'.
    """
    own, carried, shared = spread
    deviation = np.sqrt(own + np.einsum("ip,pq,iq->i", carried, shared, carried, optimize=True))
    at = expit(logits[:, None] + deviation[:, None] * NODES)
    weights = WEIGHTS / WEIGHTS.sum()
    slopes = groups * ((at * (1 - at)) @ weights)
    through = slopes @ carried
    return groups @ (at @ weights), slopes**2 @ own + np.einsum("gp,pq,gq->g", through, shared, through, optimize=True)
