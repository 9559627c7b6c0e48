"""Counts that scatter more than chance alone: gamma-Poisson quantiles, and how much more, learnt from errors.

A forecast of mean m has variance m + (cv m)^2: Poisson, plus a level that is itself uncertain by `cv`.
The prior of cv is log-normal around what real histories show for a quarter; the company's own past
errors move it by their negative binomial likelihood. Forecasts whose months overlap tell less than
their number says, so their likelihood is raised to the share that is new.

Sources: M. Greenwood and G. Yule, "An inquiry into the nature of frequency distributions representative of
multiple happenings", Journal of the Royal Statistical Society 83 (1920), doi.org/10.2307/2341080.

Wins and ARR of the next months: from the records known on a day, and with those still to come.

Every open record goes on, or is lost, by the hazards of its stage, age and cell, through all stages
that remain; new records join at the pace of recent ones. The interval carries chance and a level that
is uncertain by as much as the company's own past forecasts were off.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
from scipy.special import gammaincinv, gammaln

from revplan.crm.answer import load_notes
from revplan.crm.counted import Counted
from revplan.crm.records import History
from revplan.ground.errors import DataError
from revplan.ground.formats import compact, show
from revplan.ground.levels import MONTH_CV, QUARTER, SPREAD_PER_YEAR, USUAL_CV
from revplan.ground.values import Progress
from revplan.rates.closings import clock_of, closing_notes, on_clock
from revplan.rates.estimates import recorded_only
from revplan.rates.expected import ForecastBasis, Means, Replay, by_month, deals_of, means, month_ends, replays
from revplan.rates.hazards import Hazards, open_records, wins_by_day
from revplan.rates.spells import NEVER, Spells, as_date, spells_of

PRIOR_SPREAD = 0.3  # of the logarithm of what is usual
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
    from scipy.stats import nbinom  # takes a quarter of a second, which most commands need not wait for

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
    return gammaincinv(shape, shares) * (mean / shape)


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
        The actuals and what had been forecast.
    new_share
        Share of a forecast's time that the one before it does not cover. [0-1]
    usual
        Centre of the prior.
    """
    prior = -0.5 * (np.log(CVS / usual) / PRIOR_SPREAD) ** 2
    told = new_share * count_log_likelihood(actual[:, None], mean[:, None], CVS).sum(axis=0)
    weights = np.exp(prior + told - np.max(prior + told))
    return float(np.sqrt(weights @ CVS**2 / weights.sum()))


MAX_MONTHS = 24
SOURCE_CV = 0.18  # usual variation of a source's wins, beyond chance
FEW_REPLAYS = 3


@dataclass(frozen=True, eq=False)
class WinsOutlook:
    """Wins of all months together, month by month, and the ARR of all months where amounts exist."""

    wins: Count
    cv: float
    """Variation of the wins of all months beyond chance."""
    by_month: tuple[Count, ...]
    arr: Count | None
    arr_variance: float | None


@dataclass(frozen=True, eq=False)
class Forecast:
    """Wins of the `months` after `as_of`, and how they were told."""

    as_of: date
    months: int
    ends: tuple[date, ...]
    """Last day of each month ahead."""
    from_known: WinsOutlook
    with_arrivals: WinsOutlook
    by_source: dict[str, tuple[Count, Count]]
    """Source -> wins from known records, and with arrivals."""
    source_cv: float
    """Variation of a source's wins from known records beyond chance."""
    replays: int
    """Past forecasts the variation beyond chance was learnt from."""
    warnings: tuple[str, ...]


def beyond_reach(months: int) -> str:
    """That a forecast does not go so far."""
    return f"got {months}; a forecast reaches 1 to {MAX_MONTHS} months"


def forecast_wins(history: History | Counted, months: int, tell: Progress | None = None) -> Forecast:
    """Wins of the next `months` months, from what `history` knew on its last day. [records]

    Raises
    ------
    DataError
        If `months` is not 1 to 24, or no record has ever been won.
    """
    if not 1 <= months <= MAX_MONTHS:
        raise DataError.at("months", beyond_reach(months))
    spells = spells_of(history)
    if not (spells.entered[:, -1] < NEVER).any():
        raise DataError.at(
            f"stage {history.stages[-1]}",
            f"no record has entered it by {history.as_of}, so there is nothing to forecast from; "
            "check the stages of the CRM file, or take a later day",
        )
    basis, past = replays(spells, months, clock_of(history, spells), tell)
    told = _forecast(spells, months, basis, past)
    doubts = (*history.notes, *load_notes(history), *closing_notes(history, spells), *told.warnings)
    return replace(told, warnings=doubts)


def _forecast(spells: Spells, months: int, basis: ForecastBasis, past: list[Replay]) -> Forecast:
    ends, told = month_ends(spells.day, months), means(basis)
    spread = _Spread(past, told, months)
    from_known, total = by_month(told.from_known, ends), by_month(told.wins, ends)
    arr = _arr(spells, basis, told, spread)
    return Forecast(
        as_of=as_date(spells.day),
        months=months,
        ends=tuple(as_date(spells.day + int(end)) for end in ends),
        from_known=_outlook(from_known, spread.from_known, spread.from_known_month, arr[0]),
        with_arrivals=_outlook(total, spread.total, spread.total_month, arr[1]),
        by_source=_by_source(spells, from_known.sum(axis=1), total.sum(axis=1), spread),
        source_cv=spread.from_known_source,
        replays=len(past),
        warnings=tuple(_warnings(spells, basis.began, past, told)),
    )


def _outlook(wins: np.ndarray, cv: float, month_cv: float, arr: tuple[float, float] | None) -> WinsOutlook:
    months = tuple(count_forecast(float(each), month_cv) for each in wins.sum(axis=0))
    money = (money_forecast(*arr), arr[1]) if arr else (None, None)
    return WinsOutlook(count_forecast(float(wins.sum()), cv), cv, months, *money)


# --- variation beyond chance ---------------------------------------------------------------------


class _Spread:
    """Coefficients of variation of a forecast's totals, months and sources, learnt from replays."""

    def __init__(self, past: list[Replay], told: Means, months: int) -> None:
        new = float(told.new.sum() / max(told.wins.sum(), 1e-9)) * told.arrivals.cv
        further = 1 + SPREAD_PER_YEAR * max(months - QUARTER, 0) / 12
        actual, from_known = [each.actual_from_known for each in past], [each.from_known for each in past]
        actual_total, total = [each.actual_total for each in past], [each.total for each in past]
        grown = float(np.sqrt(further))
        usual = MONTH_CV + (USUAL_CV - MONTH_CV) * (min(months, QUARTER) - 1) / (QUARTER - 1)
        self.from_known = grown * _learnt(actual, from_known, (0, 1), usual)
        self.from_known_month = grown * _learnt(actual, from_known, (0,), MONTH_CV)
        self.from_known_source = grown * _learnt(actual, from_known, (1,), SOURCE_CV)
        self.total = grown * _learnt(actual_total, total, (0, 1), float(np.hypot(usual, new)))
        self.total_month = grown * _learnt(actual_total, total, (0,), float(np.hypot(MONTH_CV, new)))
        self.total_source = grown * _learnt(actual_total, total, (1,), float(np.hypot(SOURCE_CV, new)))


def _learnt(counted: list[np.ndarray], told: list[np.ndarray], summed: tuple[int, ...], usual: float) -> float:
    if not counted:
        return usual
    actual = np.concatenate([np.atleast_1d(each.sum(axis=summed)) for each in counted])
    mean = np.concatenate([np.atleast_1d(each.sum(axis=summed)) for each in told])
    return learnt_cv(actual, mean, 1 / counted[0].shape[1], usual)


# --- money and sources ---------------------------------------------------------------------------


Amount = tuple[float, float]  # mean and variance


def _arr(spells: Spells, basis: ForecastBasis, told: Means, spread: _Spread) -> tuple[Amount | None, Amount | None]:
    """ARR from known records, and with arrivals; none where too few wins carry an amount."""
    deals = deals_of(spells)
    if deals is None:
        return None, None
    chain: tuple[Hazards, ...] = told.chain
    stock = [open_records(spells, stage, deals.worth) for stage in range(len(chain))]
    if basis.clock is not None:
        stock[-1] = open_records(on_clock(spells, basis.clock), len(chain) - 1, deals.worth)
    from_known = wins_by_day(stock, np.zeros_like(told.arrivals.by_day), chain, basis.ahead).sum(axis=1)
    total = from_known + told.new.sum(axis=1) * deals.mean
    size = 1 + deals.scatter

    def amount(by_cell: np.ndarray, cv: float) -> Amount:
        chance = float(size * (by_cell @ deals.mean))
        return float(by_cell.sum()), chance + (cv * float(by_cell.sum())) ** 2

    return amount(from_known, spread.from_known), amount(total, spread.total)


def _by_source(
    spells: Spells, from_known: np.ndarray, total: np.ndarray, spread: _Spread
) -> dict[str, tuple[Count, Count]]:
    codes, names = spells.codes(1)
    wins, every = np.bincount(codes, from_known), np.bincount(codes, total)
    return {
        name: (
            count_forecast(float(wins[code]), spread.from_known_source),
            count_forecast(float(every[code]), spread.total_source),
        )
        for code, name in enumerate(names)
    }


# --- for readers ---------------------------------------------------------------------------------


def _warnings(spells: Spells, began: tuple[int, ...], past: list[Replay], told: Means) -> list[str]:
    lines = []
    for number, (pair, first) in enumerate(zip(pairwise(spells.stages), began, strict=True)):
        started = int(spells.entered[:, number].min())
        if first > started:
            earlier = int(((spells.entered[:, number] < NEVER) & (spells.entered[:, number + 1] < first)).sum())
            lines.append(recorded_only(pair, as_date(first), earlier, as_date(started)))
    if len(past) < FEW_REPLAYS:
        lines.append(
            f"only {len(past)} past {'forecast' if len(past) == 1 else 'forecasts'} could be replayed; the intervals rest on the {USUAL_CV:.0%} by which "
            "a quarter's wins usually vary beyond luck"
        )
    if told.wins.sum() > 0 and told.arrivals.cv > 0.5:
        lines.append(
            f"new records a month vary by {told.arrivals.cv:.0%} around what recent months lead to expect; "
            "the forecast with arrivals is a guess"
        )
    return lines


def ahead_words(forecast: Forecast) -> str:
    """How many wins are expected, and how many of them from records that exist, in one sentence."""
    from_known, total = (
        compact(sum(each.mean for each in outlook.by_month))
        for outlook in (forecast.from_known, forecast.with_arrivals)
    )
    are = "win is" if total == "1" else "wins are"
    return f"{total} {are} expected by {show(forecast.ends[-1], 'date')}, {from_known} of them from records that exist already."


def forecast_answer(forecast: Forecast, by_source: bool) -> dict[str, Any]:
    """The forecast as `revplan forecast --json` prints it."""
    starts = [each + timedelta(days=1) for each in (forecast.as_of, *forecast.ends)]
    spans = [
        {"month": f"{end:%Y-%m}", "from": str(start), "to": str(end)}
        for start, end in zip(starts, forecast.ends, strict=False)
    ]

    def outlook(each: WinsOutlook) -> dict[str, Any]:
        months = [{**span, **asdict(count)} for span, count in zip(spans, each.by_month, strict=True)]
        arr = {} if each.arr is None else {"arr": asdict(each.arr)}
        return {"wins": asdict(each.wins), **arr, "by_month": months, "cv": each.cv}

    sources = [
        {"source": name, **asdict(from_known), "with_arrivals": asdict(total)}
        for name, (from_known, total) in forecast.by_source.items()
    ]
    return {
        "as_of": str(forecast.as_of),
        "months": forecast.months,
        "from_known": outlook(forecast.from_known),
        "with_arrivals": outlook(forecast.with_arrivals),
        **({"by": sources} if by_source else {}),
        "window_days": None,  # the level is the mean of three windows'
        "replays": forecast.replays,
        "warnings": list(forecast.warnings),
    }
