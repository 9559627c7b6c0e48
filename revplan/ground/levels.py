"""How a step runs lately against what the ages of its records lead to expect: a level, and how far it strays.

A rate of all that was recorded says nothing of when. Conversions of each 30 days over those expected of the records'
ages scatter by chance around 1 where nothing moves. Where something does, they follow a level that wanders and a
slope that fades, and months are off on their own: a local trend, damped, read by the Kalman filter. How much each of
the three moves is not known; each setting of a small grid is weighed by how likely it makes the record's own past,
half of the weight lying, before a look, on a step that stands still. So a level far from 1 takes evidence, and what
is left open widens the band of a landing. What the rate's own evidence already leaves open is taken off. Fewer than six
months say too little of it: what is usual stands in for them, wider the fewer they are.

Sources: A. C. Harvey, "Forecasting, structural time series models and the Kalman filter" (1989), for the local level
and trend; E. Gardner and E. McKenzie, "Forecasting trends in time series", Management Science 31 (1985),
doi.org/10.1287/mnsc.31.10.1237, for the damping; J. Hoeting, D. Madigan, A. Raftery and C. Volinsky, "Bayesian model
averaging", Statistical Science 14 (1999), doi.org/10.1214/ss/1009212519, for the weighing of settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.special import ndtr, stdtrit

from revplan.ground.lag import Z90

USUAL_CV, MONTH_CV = 0.14, 0.18  # usual variation of a quarter's and of a month's wins, beyond chance
QUARTER = 3  # months
SPREAD_PER_YEAR = 1.0  # growth of the variance of the level with every further year ahead
PRIOR_MONTHS = 2  # of a record's own that the usual variation counts for
FEWEST = 6  # months from which they tell how far a step strays
MONTHS_AHEAD = 12
MIDDLE = 3  # the month ahead whose level rates are taken at
DAMPING = 0.9  # of the slope, from month to month
# Standard deviations tried: of the level's steps, of the slope's, and of single months; and how likely 0 is before a look.
LEVEL_STEPS, SLOPE_STEPS, MONTH_ERRORS = (0.0, 0.03, 0.06, 0.12), (0.0, 0.01, 0.02), (0.0, 0.1, 0.2, 0.4)
STANDS_STILL = (0.7, 0.85, 0.8)
WIDE = 10.0  # standard deviation of the level before a look
LEAST = 0.1  # a level is never taken for less
GRID = 801  # places at which a mixture is looked at


@dataclass(frozen=True, eq=False)
class StepLevel:
    """How a step runs in each of the next months, in ratio to its rate."""

    level: np.ndarray
    """Expected conversions over those that the rate leads to expect. [ratio]"""
    variance: np.ndarray
    """Of that level, beyond what the rate's own evidence leaves open."""
    month_variance: float
    """Of a single month's conversions around the level, beyond chance."""
    months: int
    """Whole months it was learnt from."""

    @property
    def is_learnt(self) -> bool:
        """Whether there were months enough to tell how far it strays."""
        return self.months >= FEWEST

    @property
    def coming(self) -> float:
        """The level that a rate is taken at: that of the middle of the next half-year. [ratio]"""
        return float(self.level[MIDDLE - 1])


Levels = Mapping[tuple[str, str], StepLevel]


def level_of(converted: np.ndarray, expected: np.ndarray, rests_on: int) -> StepLevel:
    """The level of a step in the months ahead.

    Parameters
    ----------
    converted, expected
        Conversions of each month, the last one first, and those expected of the records' ages.
    rests_on
        The months, from the last one back, that the rate was told from: their mean level is 1.
    """
    told = float(expected[:rests_on].sum())
    if len(converted) < FEWEST or not told > 0 or not float(converted[:rests_on].sum()) > 0:
        return _of_few(converted, expected, rests_on)
    expected = expected * (float(converted[:rests_on].sum()) / told)
    steps = np.array(list(product(LEVEL_STEPS, SLOPE_STEPS, MONTH_ERRORS)))
    weight = np.log(_prior(steps))
    level, slope = np.ones(len(steps)), np.zeros(len(steps))
    a, b, c = np.full(len(steps), WIDE**2), np.zeros(len(steps)), np.zeros(len(steps))  # covariances of level and slope
    moved, turned, alone = (steps**2).T
    for count, told in zip(converted[::-1], expected[::-1], strict=True):
        level, slope = level + DAMPING * slope, DAMPING * slope
        a, b, c = a + 2 * DAMPING * b + DAMPING**2 * c + moved, DAMPING * b + DAMPING**2 * c, DAMPING**2 * c + turned
        if told <= 0:
            continue
        scatter = a + np.maximum(level, LEAST) / told + alone
        miss = count / told - level
        weight -= 0.5 * (np.log(scatter) + miss**2 / scatter)
        level, slope = level + a / scatter * miss, slope + b / scatter * miss
        a, b, c = a - a**2 / scatter, b - a * b / scatter, c - b**2 / scatter
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    still = a[0]  # of the setting in which nothing moves: the rate's own uncertainty
    means, variances = [], []
    for _ in range(MONTHS_AHEAD):
        level, slope = level + DAMPING * slope, DAMPING * slope
        a, b, c = a + 2 * DAMPING * b + DAMPING**2 * c + moved, DAMPING * b + DAMPING**2 * c, DAMPING**2 * c + turned
        means.append(float(weight @ np.maximum(level, LEAST)))
        variances.append(max(_spread(weight, level, np.sqrt(a)) ** 2 - still, 0.0))
    return StepLevel(np.array(means), np.array(variances), float(weight @ alone), len(converted))


def _of_few(converted: np.ndarray, expected: np.ndarray, rests_on: int) -> StepLevel:
    """A step of which few months can be compared: it strays as is usual, or as those few do, the more of them the more so.

    The usual variation counts for PRIOR_MONTHS of them. The months that the rate rests on were off on their own too; how
    far is not known, so that what comes follows a Student law, whose P10 and P90 the variances are those of.
    """
    alone = (MONTH_CV**2 - USUAL_CV**2) / (1 - 1 / QUARTER)
    further = 1 + SPREAD_PER_YEAR * np.maximum(np.arange(1, MONTHS_AHEAD + 1) - QUARTER, 0) / 12
    scatter, freedom = _scatter(converted, expected)
    months = PRIOR_MONTHS + freedom
    wider = (PRIOR_MONTHS + scatter / MONTH_CV**2) / months * float(stdtrit(months, 0.9) / Z90) ** 2
    variance = wider * ((MONTH_CV**2 - alone) * further + alone / rests_on)
    return StepLevel(np.ones(MONTHS_AHEAD), variance, wider * alone, len(converted))


def _scatter(converted: np.ndarray, expected: np.ndarray) -> tuple[float, int]:
    """The sum of the squares by which months are off their mean, beyond chance, and how many of them are free."""
    freedom = len(converted) - 1
    if freedom < 1 or not float(converted.sum()) > 0 or not float(expected.min()) > 0:
        return 0.0, 0
    expected = expected * (float(converted.sum()) / float(expected.sum()))
    by_chance = freedom / len(expected) * float((1 / expected).sum())
    return max(float(((converted / expected - 1) ** 2).sum()) - by_chance, 0.0), freedom


def _spread(weight: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> float:
    """The standard deviation of the normal law whose P10 and P90 lie as far apart as those of a mixture of normals."""
    at = np.linspace(float((mean - 4 * sd).min()), float((mean + 4 * sd).max()), GRID)
    below = ndtr((at[:, None] - mean) / sd) @ weight
    low, high = np.interp((0.1, 0.9), below, at)
    return float(high - low) / (2 * Z90)


def _prior(steps: np.ndarray) -> np.ndarray:
    """How likely each setting is before a look."""
    chances = np.ones(len(steps))
    for tried, still, column in zip((LEVEL_STEPS, SLOPE_STEPS, MONTH_ERRORS), STANDS_STILL, steps.T, strict=True):
        chances *= np.where(column == 0, still, (1 - still) / (len(tried) - 1))
    return chances
