"""How good forecasts were: error, bias, CRPS, pinball loss, coverage and width.

Sources: T. Gneiting and A. Raftery, "Strictly proper scoring rules, prediction, and estimation", JASA 102
(2007), doi.org/10.1198/016214506000001437; C. Clopper and E. Pearson, "The use of confidence or fiducial
limits illustrated in the case of the binomial", Biometrika 26 (1934), doi.org/10.2307/2331986.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from revplan.history.predictive import QUANTILES, count_quantiles, money_quantiles

SAMPLE = (np.arange(400) + 0.5) / 400  # shares at which a forecast's distribution is read off


@dataclass(frozen=True)
class Told:
    """A forecast and what came: a count with `cv`, an amount with `variance`, or a point with neither."""

    mean: float
    cv: float | None
    came: float
    variance: float | None = None

    @property
    def is_point(self) -> bool:
        """Whether it has no distribution."""
        return self.cv is None and self.variance is None

    def sample(self) -> np.ndarray:
        """The forecast's distribution as equally likely values, sorted."""
        return self.at(SAMPLE[:1] if self.is_point else SAMPLE)

    def quantiles(self) -> np.ndarray:
        """P10, P50 and P90."""
        return self.at(np.array(QUANTILES))

    def at(self, shares: np.ndarray) -> np.ndarray:
        """Its quantiles."""
        if self.variance is not None:
            return money_quantiles(self.mean, self.variance, shares)
        return np.full(len(shares), self.mean) if self.cv is None else count_quantiles(self.mean, self.cv, shares)


@dataclass(frozen=True)
class Scores:
    """Scores of forecasts, pooled; coverage and width are of the 80 % interval, missing for point forecasts."""

    wape: float
    """Sum of absolute errors of the means over the sum of what came."""
    bias: float
    """Sum of errors of the means over the sum of what came; above 0: too much was forecast."""
    crps: float
    """Mean continuous ranked probability score, in records or money; the absolute error of a point forecast."""
    pinball: tuple[float, float, float]
    """Mean pinball loss at P10, P50, P90."""
    coverage: float | None
    coverage_low: float | None
    coverage_high: float | None
    """Between these lies the true coverage with 90 % confidence, were the forecasts independent."""
    width: float | None
    """Mean of P90 - P10 over the mean forecast."""


def crps(sample: np.ndarray, came: float) -> float:
    """Continuous ranked probability score of a sorted `sample`: E|X - y| - E|X - X'| / 2."""
    size = len(sample)
    ranks = 2 * np.arange(1, size + 1) - size - 1
    return float(np.abs(sample - came).mean() - ranks @ sample / size**2)


def pinball(quantiles: np.ndarray, came: float) -> np.ndarray:
    """Pinball loss at P10, P50 and P90."""
    shares = np.array(QUANTILES)
    return np.where(came >= quantiles, shares * (came - quantiles), (1 - shares) * (quantiles - came))


def scores(told: Sequence[Told]) -> Scores:
    """The scores of `told` together; at least one."""
    came = np.array([each.came for each in told])
    errors = np.array([each.mean for each in told]) - came
    total = max(float(came.sum()), 1e-9)
    quantiles = np.array([each.quantiles() for each in told])
    losses = np.mean([pinball(row, value) for row, value in zip(quantiles, came, strict=True)], axis=0)
    covered = _coverage(told, quantiles, came)
    return Scores(
        wape=float(np.abs(errors).sum()) / total,
        bias=float(errors.sum()) / total,
        crps=float(np.mean([crps(each.sample(), each.came) for each in told])),
        pinball=(float(losses[0]), float(losses[1]), float(losses[2])),
        **covered,
    )


def _coverage(told: Sequence[Told], quantiles: np.ndarray, came: np.ndarray) -> dict[str, float | None]:
    if any(each.is_point for each in told):
        return dict.fromkeys(("coverage", "coverage_low", "coverage_high", "width"))
    held = int(((came >= quantiles[:, 0]) & (came <= quantiles[:, 2])).sum())
    low, high = proportion_interval(held, len(told))
    mean = max(float(np.mean([each.mean for each in told])), 1e-9)
    width = float((quantiles[:, 2] - quantiles[:, 0]).mean()) / mean
    return {"coverage": held / len(told), "coverage_low": low, "coverage_high": high, "width": width}


def proportion_interval(held: int, number: int) -> tuple[float, float]:
    """90 % interval of a proportion of which `held` of `number` were seen (Clopper and Pearson)."""
    low = float(beta.ppf(0.05, held, number - held + 1)) if held else 0.0
    high = float(beta.ppf(0.95, held + 1, number - held)) if held < number else 1.0
    return low, high
