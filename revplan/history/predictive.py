"""Counts that scatter more than chance alone: gamma-Poisson quantiles, and how much more, learnt from errors.

A forecast of mean m has variance m + (cv m)^2: Poisson, plus a level that is itself uncertain by `cv`.
The prior of cv is log-normal around what real histories show for a quarter; the company's own past
errors move it by their negative binomial likelihood. Forecasts whose months overlap tell less than
their number says, so their likelihood is raised to the share that is new.

Sources: M. Greenwood and G. Yule, "An inquiry into the nature of frequency distributions representative of
multiple happenings", Journal of the Royal Statistical Society 83 (1920), doi.org/10.2307/2341080.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln
from scipy.stats import gamma, nbinom

USUAL_CV, PRIOR_SPREAD = 0.14, 0.3  # of a quarter's wins, and the spread of its logarithm
CVS = np.exp(np.linspace(np.log(0.02), np.log(0.8), 75))
QUANTILES = (0.1, 0.5, 0.9)
NO_CV = 1e-4


@dataclass(frozen=True)
class Count:
    """A forecast: mean, P10, P50, P90."""

    mean: float
    p10: float
    p50: float
    p90: float


def count_forecast(mean: float, cv: float) -> Count:
    """Gamma-Poisson forecast of a count."""
    return Count(mean, *(float(each) for each in count_quantiles(mean, cv, np.array(QUANTILES))))


def count_quantiles(mean: float, cv: float, shares: np.ndarray) -> np.ndarray:
    """Quantiles of a gamma-Poisson count, interpolated between whole numbers k spread over k - 1/2 to k + 1/2.

    Whole-number quantiles alone would hold more than they claim where counts are small.
    """
    if mean <= 0:
        return np.zeros(len(shares))
    size = 1 / max(cv, NO_CV) ** 2
    chance = size / (size + mean)
    above = nbinom.ppf(shares, size, chance)
    below = nbinom.cdf(above - 1, size, chance)
    step = nbinom.pmf(above, size, chance)
    return np.maximum(above - 0.5 + np.clip((shares - below) / np.maximum(step, 1e-300), 0, 1), 0.0)


def money_forecast(mean: float, variance: float) -> Count:
    """Gamma forecast of an amount of given mean and variance."""
    return Count(mean, *(float(each) for each in money_quantiles(mean, variance, np.array(QUANTILES))))


def money_quantiles(mean: float, variance: float, shares: np.ndarray) -> np.ndarray:
    """Quantiles of an amount that follows a gamma distribution of given mean and variance."""
    if mean <= 0 or variance <= 0:
        return np.full(len(shares), max(mean, 0.0))
    shape = mean**2 / variance
    return gamma.ppf(shares, shape, scale=mean / shape)


def count_log_likelihood(actual: np.ndarray, mean: np.ndarray, cv: np.ndarray | float) -> np.ndarray:
    """Logarithm of the gamma-Poisson chance of each `actual` count."""
    mean = np.maximum(mean, 1e-9)
    size = 1 / np.maximum(cv, NO_CV) ** 2
    return (
        gammaln(actual + size)
        - gammaln(size)
        - gammaln(actual + 1)
        - size * np.log1p(mean / size)
        + actual * (np.log(mean) - np.log(size + mean))
    )


def learnt_cv(actual: np.ndarray, mean: np.ndarray, new_share: float, usual: float = USUAL_CV) -> float:
    """Variation beyond chance that the errors of past forecasts show, `usual` where there are none.

    Parameters
    ----------
    actual, mean
        What came and what had been forecast.
    new_share
        Share of a forecast's time that the one before it does not cover. [0-1]
    usual
        Centre of the prior.
    """
    prior = -0.5 * (np.log(CVS / usual) / PRIOR_SPREAD) ** 2
    told = new_share * count_log_likelihood(actual[:, None], mean[:, None], CVS).sum(axis=0)
    weights = np.exp(prior + told - np.max(prior + told))
    return float(np.sqrt(weights @ CVS**2 / weights.sum()))
