"""How long a transition takes: the `Lag` value, and the delay of a whole path of them.

A path is composed at day level and turned into months once, at the end: convolving delays
that are already in months spreads the leads anew at every stage, and is several-fold wrong
in the first months.
"""

from __future__ import annotations

from functools import cached_property, lru_cache
from math import exp, log
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator
from scipy.special import ndtr

from revplan.ground.calendar import MONTH_DAYS
from revplan.ground.errors import digits
from revplan.ground.values import Number, Value

KEPT, KEPT_LARGE = 32_768, 8_192  # results kept, small and large ones, of the delays of the largest plans
MAX_MONTHS = 60  # the longest delay followed; what lies beyond is counted in its last month
TAIL = 1e-4  # a delay ends in the first month that leaves less than this
Z90 = 1.2815515655446004  # 90 % quantile of the standard normal
Z_MILLIONTH = 4.753424308822899  # what a millionth of it exceeds
GRID_DAYS = int(MAX_MONTHS * MONTH_DAYS) + 1
Months = Annotated[int, Field(strict=True)]
FFT_SIZE = 4096  # holds two delays of GRID_DAYS side by side
STEPS = 32  # grid points a month where delays are composed by month


class Lag(Value):
    """The delay of the records that do convert, as it was written."""

    months: Months | None = Field(default=None, ge=0, le=MAX_MONTHS)
    """Whole months, the same for every record."""
    median_days: Number | None = Field(default=None, ge=0.01, le=MAX_MONTHS * MONTH_DAYS)
    """Half of the converting records take no longer than this; goes with p90_days."""
    p90_days: Number | None = Field(default=None, ge=0.01, le=10 * MAX_MONTHS * MONTH_DAYS)
    """Nine in ten of the converting records take no longer than this."""
    weights: tuple[Number, ...] | None = Field(default=None, min_length=1, max_length=MAX_MONTHS + 1)
    """Share that converts in the same month, one month later, two months later, ...; sums to 1."""

    @model_validator(mode="after")
    def _one_form(self) -> Lag:
        written = [self.months is not None, self.weights is not None, self._is_spread]
        half_written = (self.median_days is None) != (self.p90_days is None)
        if sum(written) != 1 or half_written:
            raise ValueError("give one of: months; median_days with p90_days; weights")
        if self.median_days is not None and self.p90_days is not None and self.p90_days <= self.median_days:
            raise ValueError(
                f"p90_days is {digits(self.p90_days)}, not longer than median_days {digits(self.median_days)}; "
                "nine in ten conversions cannot be done before half of them are"
            )
        if self.weights is not None and (min(self.weights) < 0 or abs(sum(self.weights) - 1) > 1e-6):
            raise ValueError(f"weights sum to {digits(sum(self.weights))}; they must be 0 or more and sum to 1")
        return self

    @cached_property
    def _hash(self) -> int:
        return hash((self.months, self.median_days, self.p90_days, self.weights))

    def __hash__(self) -> int:  # asked for at every look-up of a kernel
        return self._hash

    @property
    def _is_spread(self) -> bool:
        return self.median_days is not None and self.p90_days is not None

    @property
    def is_fixed(self) -> bool:
        """Whether every record takes the same number of whole months."""
        return self.months is not None

    @property
    def shift(self) -> tuple[float, ...]:
        """Share moved by 0, 1, 2, ... whole months; (1,) for a log-normal delay."""
        if self.months is not None:
            return (0.0,) * self.months + (1.0,)
        return self.weights or (1.0,)

    @property
    def log_normal(self) -> tuple[float, float] | None:
        """Mean and standard deviation of the logarithm of the days; None where months were given."""
        if self.median_days is None or self.p90_days is None:
            return None
        return log(self.median_days), log(self.p90_days / self.median_days) / Z90

    def shares(self) -> np.ndarray:
        """Share that converts 0, 1, 2, ... months after the month of entry; sums to 1."""
        return path_shares((self,))

    def cdf(self, days: Any) -> np.ndarray:
        """Share of the converting records that have converted after `days`. [0-1]

        Weights say in which month records convert that enter evenly over one, so the share of the first k + 1
        of them is the mean of this one over month k: it is reached in its middle, and straight in between.
        """
        days = np.asarray(days, dtype=float)
        if self.weights is not None:
            middles = np.append(0.0, (np.arange(len(self.weights)) + 0.5) * MONTH_DAYS)
            return np.interp(days, middles, np.append(0.0, np.cumsum(self.weights)))
        if self.log_normal is None:
            steps = np.arange(len(self.shift)) * MONTH_DAYS
            return np.concatenate([[0.0], np.cumsum(self.shift)])[np.searchsorted(steps, days, side="right")]
        mean, spread = self.log_normal
        return np.where(days > 0, ndtr((np.log(np.maximum(days, 1e-300)) - mean) / spread), 0.0)

    @property
    def length_days(self) -> float:
        """The median of a log-normal delay, the mean of any other. [days]

        >>> round(Lag(median_days=60, p90_days=150).length_days, 1)
        60.0
        """
        if self.median_days is not None:
            return self.median_days
        return MONTH_DAYS * sum(month * share for month, share in enumerate(self.shift))

    def moved(self, before: Lag, after: Lag) -> Lag:
        """This delay, changed as another was from `before` to `after`: as much longer, as much wider.

        What is in proportion to nothing (no delay, or another shape of the same length) is taken as it is written.
        """
        if before.length_days == 0 or after.length_days == 0:
            return after
        factor = after.length_days / before.length_days
        lags = (self, before, after)
        widths = [log(lag.p90_days / lag.median_days) for lag in lags if lag.median_days and lag.p90_days]
        if len(widths) < len(lags):
            return after if factor == 1 and self.length_days > 0 else self.stretched(factor)
        longer = self.stretched(factor)
        width = widths[0] * widths[2] / widths[1]
        p90 = min((longer.median_days or 0.0) * exp(width), 10 * MAX_MONTHS * MONTH_DAYS)
        return longer.model_copy(update={"p90_days": p90})

    def stretched(self, factor: float) -> Lag:
        """The same delay, `factor` times as long, up to 60 months; months become weights where they no longer fit."""
        if self.median_days is not None and self.p90_days is not None:
            kept = min(factor, MAX_MONTHS * MONTH_DAYS / self.median_days)
            return Lag(median_days=self.median_days * kept, p90_days=self.p90_days * kept)
        moved = np.minimum(np.arange(len(self.shift)) * factor, MAX_MONTHS)
        return Lag(weights=tuple(_split_between_months(moved, np.asarray(self.shift))))


INSTANT = Lag(months=0)


@lru_cache(maxsize=KEPT)
def path_shift(lags: tuple[Lag, ...]) -> np.ndarray:
    """Share of a path's records moved by 0, 1, 2, ... whole months by its fixed and weighted lags."""
    shift = np.ones(1)
    for lag in lags:
        if len(lag.shift) > 1:
            shift = np.convolve(shift, lag.shift)
    shift.flags.writeable = False
    return shift


@lru_cache(maxsize=KEPT_LARGE)
def path_days(lags: tuple[Lag, ...]) -> np.ndarray:
    """Chance that the log-normal lags of a path take 0, 1, 2, ... days together; sums to 1.

    What would take longer than 60 months is counted in the last day.
    """
    spread = tuple(lag for lag in lags if lag.log_normal)
    if not spread:
        days = np.zeros(GRID_DAYS)
        days[0] = 1.0
    elif len(spread) == 1:
        days = _grid_chances(spread[0], 1.0, GRID_DAYS)
    else:
        days = _convolved(path_days(spread[:1]), path_days(spread[1:]))
    days.flags.writeable = False
    return days


@lru_cache(maxsize=KEPT)
def path_shares(lags: tuple[Lag, ...], start: float = 0.0) -> np.ndarray:
    """Share of a path's completions 0, 1, 2, ... months after the month of entry; sums to 1.

    Records enter evenly between the moment when the share `start` of the month is over and the
    month's end. Log-normal lags are composed in days first; fixed and weighted ones then move
    whole months, exactly.

    Parameters
    ----------
    lags
        The lags of the path's transitions.
    start
        Share of the month of entry that is over before the first entry. [0-1)

    >>> path_shares((Lag(months=1), Lag(months=2))).tolist()
    [0.0, 0.0, 0.0, 1.0]
    """
    spread = tuple(lag for lag in lags if lag.log_normal)
    monthly = _log_normal_shares(spread[0], start) if len(spread) == 1 else _grid_shares(spread, start)
    shares = np.convolve(path_shift(lags), _without_tail(monthly))
    shares.flags.writeable = False
    return shares


@lru_cache(maxsize=KEPT)
def path_quantile(lags: tuple[Lag, ...], share: float) -> float:
    """Days within which `share` of a path's completions happen. [days]"""
    chances = path_day_chances(lags)
    return float(np.searchsorted(np.cumsum(chances), share - 1e-12))


def forget(most: int) -> None:
    """Lets go of what is kept of delays where it is more than `most` large results, of up to 15 kB each.

    A plan asks for those of its own delays again and again; a slider asks for new ones with every step.
    """
    if path_days.cache_info().currsize + _step_spectrum.cache_info().currsize > most:
        for kept in (path_shift, path_days, path_shares, path_quantile, _step_spectrum, _landing_spectrum):
            kept.cache_clear()


def path_day_chances(lags: tuple[Lag, ...]) -> np.ndarray:
    """Chance that a path takes 0, 1, 2, ... days, its whole-month lags included; sums to 1."""
    shift, days = path_shift(lags), path_days(lags)
    if len(shift) == 1:
        return days
    moves = _split_between_months(np.arange(len(shift)) * MONTH_DAYS, shift)
    return np.convolve(moves, days)


def tail_beyond(lag: Lag) -> float:
    """Share of the converting records that take longer than 60 months, counted in the last month. [0-1]"""
    return 0.0 if lag.log_normal is None else float(1 - lag.cdf(MAX_MONTHS * MONTH_DAYS))


def _convolved(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    product = np.fft.irfft(_spectrum(first) * _spectrum(second), FFT_SIZE)
    days = np.maximum(product[:GRID_DAYS], 0.0)
    days[-1] = max(days[-1] + 1 - days.sum(), 0.0)  # the sum may exceed 1 in its last digit
    return days


def _spectrum(days: np.ndarray) -> np.ndarray:
    return np.fft.rfft(days, FFT_SIZE)


def _log_normal_shares(lag: Lag, start: float) -> np.ndarray:
    """The monthly shares in closed form: the integral of the distribution over the days of entry."""
    k = np.arange(MAX_MONTHS + 1)

    def integral(months: np.ndarray) -> np.ndarray:
        return _integral_of_cdf(lag, months * MONTH_DAYS)

    inside = integral(k + 1 - start) - integral(k) - integral(k - start) + integral(k - 1)
    return inside / (MONTH_DAYS * (1 - start))


def _integral_of_cdf(lag: Lag, days: np.ndarray) -> np.ndarray:
    """Integral of the log-normal distribution function from 0 to `days`. [days]"""
    assert lag.log_normal is not None
    mean, spread = lag.log_normal
    positive = np.maximum(days, 1e-300)
    z = (np.log(positive) - mean) / spread
    area = positive * ndtr(z) - np.exp(mean + spread**2 / 2) * ndtr(z - spread)
    return np.where(days > 0, area, 0.0)


def _grid_shares(spread: tuple[Lag, ...], start: float) -> np.ndarray:
    """The monthly shares of composed delays: a delay of d months lands in month floor(u + d), u uniform.

    The delays are composed as spectra on a grid of 1/32 month (less than a day), weighted with the
    chance to land in a month, and only every 32nd point is transformed back.
    """
    size = _spectrum_size(spread)
    spectrum = np.prod([_step_spectrum(lag, size) for lag in spread], axis=0) * _landing_spectrum(start, size)
    both_halves = np.concatenate([spectrum, spectrum[-2:0:-1].conj()])
    every_month = both_halves.reshape(STEPS, -1).mean(axis=0)
    return np.fft.irfft(every_month[: len(every_month) // 2 + 1])[: MAX_MONTHS + 1]


def _spectrum_size(spread: tuple[Lag, ...]) -> int:
    """Grid points that hold all but a thousandth of the composed delay, by Chebyshev's inequality."""
    moments = np.array([_step_moments(lag) for lag in spread]).reshape(-1, 2)
    mean, variance = moments.sum(axis=0)
    needed = min(mean + np.sqrt(variance / 1e-3), len(spread) * MAX_MONTHS * STEPS)
    return max(FFT_SIZE, 2 ** int(np.ceil(np.log2(needed + 1))))


def _step_chances(lag: Lag) -> np.ndarray:
    """Chance of each step of 1/32 month; what is beyond 60 months is counted in the last."""
    return _grid_chances(lag, MONTH_DAYS / STEPS, MAX_MONTHS * STEPS)


def _grid_chances(lag: Lag, step: float, size: int) -> np.ndarray:
    """Chance of each multiple of `step` days: between two of them it is shared so that the mean is kept.

    The grid is followed until a millionth is left, which is counted in the last multiple followed.
    """
    mean, spread = lag.log_normal or (0.0, 0.0)
    followed = int(min(size, np.exp(min(mean + Z_MILLIONTH * spread, 700)) / step + 2))
    chances = np.zeros(size)
    chances[:followed] = np.diff(_integral_of_cdf(lag, np.arange(-1, followed + 1) * step), 2) / step
    chances[followed - 1] += 1 - chances.sum()
    return chances


def _step_moments(lag: Lag) -> tuple[float, float]:
    """Mean and variance of a log-normal delay. [steps, steps squared]"""
    mean, spread = lag.log_normal or (0.0, 0.0)
    steps = np.exp(mean + spread**2 / 2) * STEPS / MONTH_DAYS
    return steps, steps**2 * np.expm1(spread**2)


@lru_cache(maxsize=KEPT_LARGE)
def _step_spectrum(lag: Lag, size: int) -> np.ndarray:
    return np.fft.rfft(_step_chances(lag), size)


@lru_cache(maxsize=KEPT)
def _landing_spectrum(start: float, size: int) -> np.ndarray:
    """Of the share that lands in month 0 of entries spread over [start, 1), by the delay before it."""
    delay = np.arange(-STEPS, STEPS + 1) / STEPS
    landing = np.clip(np.minimum(1 + delay, 1) - np.maximum(start + delay, 0), 0, None) / (1 - start)
    around = np.zeros(size)
    around[-np.arange(-STEPS, STEPS + 1)] = landing
    return np.fft.rfft(around)


def _without_tail(shares: np.ndarray) -> np.ndarray:
    left = 1 - np.cumsum(shares)
    last = int(np.argmax(left < TAIL)) if (left < TAIL).any() else len(shares) - 1
    kept = np.maximum(shares[: last + 1], 0.0)
    kept[-1] += 1 - kept.sum()
    return kept


def _split_between_months(positions: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """`chances` at fractional `positions` shared between the whole numbers beside them; the mean is kept."""
    below = np.floor(positions).astype(int)
    above = positions - below
    size = int(below[-1]) + 2
    split = np.bincount(below, chances * (1 - above), size) + np.bincount(below + 1, chances * above, size)
    return np.trim_zeros(split, "b") if split.any() else split
