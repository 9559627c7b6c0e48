"""What the records could not show yet: conversions later than any age that was watched.

Up to the oldest age watched the delay is what the records show. Beyond it, it follows the curve
(Weibull or log-normal, whichever fits better) that the records make most likely, each conversion
having come by a given day at the exposure it really had. The likelihood alone would stretch a curve
without end where records are young, so a tail is held small unless the records speak for it.

Sources: J. Boag, "Maximum likelihood estimates of the proportion of patients cured by cancer therapy",
Journal of the Royal Statistical Society B 11 (1949), www.jstor.org/stable/2983694; V. Farewell, "The use of
mixture models for the analysis of survival data with long-term survivors", Biometrics 38 (1982),
doi.org/10.2307/2529885.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import ndtr

from revplan.ground.cohorts import Cohort, DayLag, Estimate
from revplan.ground.lag import Z90

FEWEST = 50  # conversions from which a tail is looked for
TAIL_SPREAD = 0.15  # standard deviation of the prior of log(1 / share within the ages watched)
SHAPE_SPREAD = 0.7  # and of the logarithm of the curve's shape
LARGEST_SHAPE = 6.0  # logarithm; delays that are all but the same need no sharper curve
LONGEST = 1827  # days followed
LEAST_TAIL = 0.002  # a smaller one is none
UNSURE = 1.0  # of the tail's size, how much is not known
PLAUSIBLE = 4.0  # log likelihood by which a curve may be less likely and still be thought of for what is unseen
PART_SPREADS = np.array([0.6, 0.25])  # of a part's location and of the logarithm of its spread, around its parent's
NARROWER = 0.1  # by how much that logarithm is less: the parent mixes parts

NO_TIME = float(np.log(1e-9))  # logarithm that stands for that of no days

Curve = Callable[[np.ndarray, np.ndarray], np.ndarray]


# Curves ask for the logarithms of days, which stay the same while a fit looks for their place and shape.


def _weibull(logs: np.ndarray, at: np.ndarray) -> np.ndarray:
    power = (logs - at[0]) * np.exp(min(at[1], LARGEST_SHAPE))
    return np.where(logs > NO_TIME, -np.expm1(-np.exp(np.minimum(power, 50.0))), 0.0)


def _log_normal(logs: np.ndarray, at: np.ndarray) -> np.ndarray:
    found: np.ndarray = ndtr((logs - at[0]) * np.exp(min(at[1], LARGEST_SHAPE)))
    return found


def _logs(days: np.ndarray) -> np.ndarray:
    return np.maximum(np.log(np.maximum(days, 1e-9)), NO_TIME)


CURVES: tuple[Curve, ...] = (_weibull, _log_normal)


def with_tail(estimate: Estimate, cohort: Cohort, most: float = 1.0) -> Estimate:
    """`estimate` with the conversions still to come after the ages watched; evidence shrinks by what is unsure.

    The rate with its tail is no more than `most`: who is lost does not go on, so that a curve that wants more is cut,
    and what was seen within the ages watched stays as it was seen.
    """
    if estimate.conversions < FEWEST or estimate.rate >= 1:
        return estimate
    horizon = estimate.lag.horizon
    steps, unseen = _fitted(cohort, horizon)
    fitted = float(steps[: horizon + 1].sum())
    share = max(fitted, min(estimate.rate / most, 1.0))
    if 1 - share < LEAST_TAIL:
        return replace(estimate, unseen=unseen)
    shares = np.zeros(LONGEST + 1)
    seen = estimate.lag.shares[: horizon + 1]
    shares[: len(seen)] = seen * share
    shares[horizon + 1 :] = steps[horizon + 1 :] * ((1 - share) / (1 - fitted))
    rate = min(estimate.rate / share, 1.0)
    lag = _lag(shares, horizon)
    return Estimate(rate, _evidence(estimate, rate, share), estimate.conversions, lag, unseen)


def _lag(shares: np.ndarray, horizon: int) -> DayLag:
    return DayLag(shares / shares.sum(), horizon)


def _evidence(estimate: Estimate, rate: float, share: float) -> float:
    """Records behind a rate whose relative variance is that of its conversions and of its tail."""
    won = estimate.rate * estimate.evidence
    relative = (1 - rate) / won + (UNSURE * np.log(share)) ** 2
    return min(max((1 - rate) / (rate * relative), 1e-3), won / rate) if rate < 1 else won


def _fitted(cohort: Cohort, horizon: int) -> tuple[np.ndarray, float]:
    """Share of the conversions on each day after entry by the likeliest curve, summing to 1 over five years.

    And the share that comes after `horizon` by the curve that leaves most there, among those about as likely.
    """
    edges, watched, starts = _binned(cohort.watched(), horizon)
    seen = np.add.reduceat(np.bincount(np.minimum(cohort.delay, LONGEST), minlength=LONGEST + 1).astype(float), starts)
    inside, conversions = int((starts <= horizon).sum()), seen.sum()
    start = np.log(np.maximum(np.median(cohort.delay), 0.5))
    logs = _logs(edges)

    def loss(at: np.ndarray, curve: Curve) -> float:
        come = curve(logs, at)
        steps = np.maximum(come[1:] - come[:-1], 1e-12)
        tail = np.log(max(float(steps[:inside].sum()), 1e-6)) / TAIL_SPREAD
        likelihood = seen @ np.log(steps) - conversions * np.log(watched @ steps)
        return float(-likelihood + 0.5 * tail**2 + 0.5 * (at[1] / SHAPE_SPREAD) ** 2)

    fits = [(minimize(loss, np.array([start, 0.0]), (curve,), method="Nelder-Mead"), curve) for curve in CURVES]
    by_day = _logs(np.append(0.0, np.arange(LONGEST + 1) + 0.5))
    told = [(float(found.fun), _steps(curve, by_day, found.x)) for found, curve in fits]
    best, steps = min(told, key=lambda each: each[0])
    unseen = max(float(each[horizon + 1 :].sum()) for cost, each in told if cost <= best + PLAUSIBLE)
    return steps, unseen


def _steps(curve: Curve, logs: np.ndarray, at: np.ndarray) -> np.ndarray:
    """Share of the conversions on each day; what would come later is counted on the last one."""
    steps = np.diff(curve(logs, at))
    steps[-1] += 1 - steps.sum()
    return np.maximum(steps, 0.0)


def curve_of_part(cohort: Cohort, parent: DayLag) -> DayLag:
    """The likeliest log-normal delay of a part of the records, its parent's being what is expected before a look.

    The median of the part lies around its parent's (location of the logarithm: normal, deviation 0.6), its
    spread a little below (a part scatters less than the mixture it is in). Each conversion came by a
    given day at the exposure it really had, so young records do not make it short:

        sum_i log f(delay_i) - n log sum_a N(a) f(a),    N(a) records watched at age a

    One conversion moves it a little, thirty make it the part's own. Without conversions, or where most
    of its parent's come on the day of entry, it is its parent's.

    Sources: maximum a posteriori of a truncated sample, as in J. Kalbfleisch and J. Lawless, "Inference based on
    retrospective ascertainment", JASA 84 (1989), doi.org/10.1080/01621459.1989.10478780.
    """
    median, p90 = parent.quantile(0.5), parent.quantile(0.9)
    if len(cohort.delay) == 0 or median < 1 or p90 <= 1.05 * median:
        return parent
    expected = np.array([np.log(median), np.log(np.log(p90 / median) / Z90) - NARROWER])
    days, times = np.unique(np.minimum(cohort.delay, LONGEST), return_counts=True)
    edges, watched, _ = _binned(cohort.watched())
    around, bins, conversions = _around(days), _logs(edges), times.sum()

    def loss(at: np.ndarray) -> float:
        location, spread = at[0], np.exp(-at[1])
        seen = _between(around, location, spread)
        come = ndtr((bins - location) * spread)
        steps = come[1:] - come[:-1]
        likelihood = times @ np.log(np.maximum(seen, 1e-12)) - conversions * np.log(max(watched @ steps, 1e-12))
        return float(-likelihood + 0.5 * (((at - expected) / PART_SPREADS) ** 2).sum())

    found = minimize(loss, expected, method="Nelder-Mead", options={"xatol": 1e-3, "fatol": 1e-3})
    shares = _between(_around(np.arange(LONGEST + 1)), found.x[0], float(np.exp(-found.x[1])))
    return DayLag(shares / shares.sum(), LONGEST)


def _around(days: np.ndarray) -> np.ndarray:
    """Logarithms of half a day before and half a day after each of `days`: shape (2, days)."""
    return _logs(np.stack([days - 0.5, days + 0.5]))


def _between(around: np.ndarray, location: float, spread: float) -> np.ndarray:
    """Share of a log-normal delay that comes around each day."""
    before, after = ndtr((around - location) * spread)
    found: np.ndarray = after - before
    return found


def _binned(watched: np.ndarray, horizon: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Edges of bins of age that widen, the mean number of records watched in each, and their first ages.

    The bins reach over all the days followed; one begins right after `horizon`.
    """
    every = np.zeros(LONGEST + 1)
    every[: min(len(watched), LONGEST + 1)] = watched[: LONGEST + 1]
    ages = np.append(np.arange(8), np.geomspace(8, LONGEST, 80).astype(int))
    starts = np.unique(np.append(ages, min(horizon + 1, LONGEST)))
    ends = np.append(starts[1:], LONGEST + 1)
    return np.append(0.0, ends - 0.5), np.add.reduceat(every, starts) / (ends - starts), starts


def mixed(own: DayLag, curve: DayLag, later: DayLag, conversions: float, weight: float) -> DayLag:
    """The lag of a part's own conversions with its curve counting for `weight` conversions more.

    What comes after the ages watched in the part is as in `later`.
    """
    size = max(len(own.shares), len(curve.shares), len(later.shares))
    shares, drawn, longer = (np.pad(each.shares, (0, size - len(each.shares))) for each in (own, curve, later))
    beyond = np.arange(size) > own.horizon
    if not shares[beyond].any():
        shares = np.where(beyond, longer, shares * (1 - longer[beyond].sum()))
    shares = conversions * shares + weight * drawn
    return replace(own, shares=shares / shares.sum())
