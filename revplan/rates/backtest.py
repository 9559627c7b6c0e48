"""What a spreadsheet would have forecast: the three ways a backtest is held against.

    rate x open            wins so far / records so far, times the records open
    repeat last quarter    what came in the months just over
    cohort x lag           a table of entry month by months since, its column averages on every cohort

They are what people do, faults included: young cohorts count as if they were old, and months in which
nothing was recorded count as if nothing had happened.

How good forecasts were: error, bias, CRPS, pinball loss, coverage and width.

Sources: T. Gneiting and A. Raftery, "Strictly proper scoring rules, prediction, and estimation", JASA 102
(2007), doi.org/10.1198/016214506000001437; C. Clopper and E. Pearson, "The use of confidence or fiducial
limits illustrated in the case of the binomial", Biometrika 26 (1934), doi.org/10.2307/2331986; F. Diebold and R. Mariano,
"Comparing predictive accuracy", Journal of Business & Economic Statistics 13 (1995), doi.org/10.1080/07350015.1995.10524599;
D. Harvey, S. Leybourne and P. Newbold, "Testing the equality of prediction mean squared errors", International Journal of
Forecasting 13 (1997), doi.org/10.1016/S0169-2070(96)00719-4.

Replays of the forecast at past days, with only what was known then, against the actuals.

Each past day reads the records as they were known at its end, forecasts, and is held against the
latest records. Three baselines are replayed beside it; where one does better by more than luck, it is named and offered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import betaincinv, stdtr

from revplan.crm.counted import Counted
from revplan.crm.records import Export, History
from revplan.crm.store import Stored
from revplan.ground.calendar import MONTH_DAYS
from revplan.ground.errors import DataError
from revplan.ground.formats import show
from revplan.ground.values import Progress
from revplan.rates.expected import mean_deal, month_ends, months_before
from revplan.rates.forecast import (
    MAX_MONTHS,
    QUANTILES,
    Forecast,
    beyond_reach,
    count_quantiles,
    forecast_wins,
    money_quantiles,
)
from revplan.rates.hazards import won_by_day
from revplan.rates.spells import NEVER, Spells, as_date, day_number, spells_of

RECENT_MONTHS = 3  # whose mean is the forecast of new records
NAMES = {"rate_open": "rate x open", "repeat": "repeat last quarter", "cohort_lag": "cohort x lag"}


@dataclass(frozen=True)
class NaiveForecast:
    """Wins from known records, and with new ones."""

    from_known: float
    total: float


def baselines(spells: Spells, months: int) -> dict[str, NaiveForecast]:
    """What each baseline says of the `months` months after the last day known. [records]"""
    return {
        "rate_open": _rate_open(spells, months),
        "repeat": _repeat(spells, months),
        "cohort_lag": _cohort_lag(spells, months),
    }


def _rate_open(spells: Spells, months: int) -> NaiveForecast:
    entered = _first_days(spells)
    there = entered < NEVER
    won = spells.entered[:, -1] < NEVER
    open_now = int((there & ~won & (spells.lost == NEVER)).sum())
    rate = float(won.sum()) / max(int(there.sum()), 1)
    return NaiveForecast(rate * open_now, rate * (open_now + months * _new_a_month(spells, entered)))


def _repeat(spells: Spells, months: int) -> NaiveForecast:
    start = months_before(spells.day, months)
    then = _first_days(spells) <= start
    horizon = spells.day - start
    every = np.ones(len(then), dtype=bool)
    return NaiveForecast(
        float(won_by_day(spells, start, horizon, then).sum()), float(won_by_day(spells, start, horizon, every).sum())
    )


def _cohort_lag(spells: Spells, months: int) -> NaiveForecast:
    """Cohorts are months counted back from the last day known."""
    entered = _first_days(spells)
    there = entered < NEVER
    age = _months_ago(spells, entered[there])
    won = spells.entered[there, -1] < NEVER
    lag = age[won] - _months_ago(spells, spells.entered[there, -1][won])
    size = int(age.max(initial=0)) + 1
    cohorts = np.bincount(age, minlength=size).astype(float)
    seen = cohorts[::-1].cumsum()[::-1]
    average = np.zeros(size + months + 1)
    average[:size] = np.divide(np.bincount(lag, minlength=size), seen, out=np.zeros(size), where=seen > 0)
    from_known = sum(float(cohorts @ average[step : step + size]) for step in range(1, months + 1))
    new = _new_a_month(spells, entered) * sum(float(average[:step].sum()) for step in range(1, months + 1))
    return NaiveForecast(from_known, from_known + new)


def _first_days(spells: Spells) -> np.ndarray:
    return spells.entered.min(axis=1)


def _months_ago(spells: Spells, days: np.ndarray) -> np.ndarray:
    return ((spells.day - days) / MONTH_DAYS).astype(int)


def _new_a_month(spells: Spells, entered: np.ndarray) -> float:
    recent = (entered < NEVER) & (entered > spells.day - RECENT_MONTHS * MONTH_DAYS)
    return float(recent.sum()) / RECENT_MONTHS


FEWEST_FORECASTS = 4  # of which the better of two methods can be told
SAMPLE = (np.arange(400) + 0.5) / 400  # shares at which a forecast's distribution is read off


@dataclass(frozen=True)
class ReplayedForecast:
    """A forecast and the actual: a count with `cv`, an amount with `variance`, or a point with neither."""

    mean: float
    cv: float | None
    actual: float
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
    """Sum of absolute errors of the means over the sum of the actuals."""
    bias: float
    """Sum of errors of the means over the sum of the actuals; above 0: too much was forecast."""
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


def crps(sample: np.ndarray, actual: float) -> float:
    """Continuous ranked probability score of a sorted `sample`: E|X - y| - E|X - X'| / 2."""
    size = len(sample)
    ranks = 2 * np.arange(1, size + 1) - size - 1
    return float(np.abs(sample - actual).mean() - ranks @ sample / size**2)


def pinball(quantiles: np.ndarray, actual: float) -> np.ndarray:
    """Pinball loss at P10, P50 and P90."""
    shares = np.array(QUANTILES)
    return np.where(actual >= quantiles, shares * (actual - quantiles), (1 - shares) * (quantiles - actual))


def scores(told: Sequence[ReplayedForecast]) -> Scores:
    """The scores of `told` together; at least one."""
    actual = np.array([each.actual for each in told])
    errors = np.array([each.mean for each in told]) - actual
    total = max(float(actual.sum()), 1e-9)
    quantiles = np.array([each.quantiles() for each in told])
    losses = np.mean([pinball(row, value) for row, value in zip(quantiles, actual, strict=True)], axis=0)
    covered = _coverage(told, quantiles, actual)
    return Scores(
        wape=float(np.abs(errors).sum()) / total,
        bias=float(errors.sum()) / total,
        crps=float(np.mean([crps(each.sample(), each.actual) for each in told])),
        pinball=(float(losses[0]), float(losses[1]), float(losses[2])),
        **covered,
    )


def _coverage(told: Sequence[ReplayedForecast], quantiles: np.ndarray, actual: np.ndarray) -> dict[str, float | None]:
    if any(each.is_point for each in told):
        return dict.fromkeys(("coverage", "coverage_low", "coverage_high", "width"))
    inside = int(((actual >= quantiles[:, 0]) & (actual <= quantiles[:, 2])).sum())
    low, high = proportion_interval(inside, len(told))
    mean = max(float(np.mean([each.mean for each in told])), 1e-9)
    width = float((quantiles[:, 2] - quantiles[:, 0]).mean()) / mean
    return {"coverage": inside / len(told), "coverage_low": low, "coverage_high": high, "width": width}


def proportion_interval(inside: int, number: int) -> tuple[float, float]:
    """90 % interval of a proportion of which `inside` of `number` were seen (Clopper and Pearson)."""
    low = float(betaincinv(inside, number - inside + 1, 0.05)) if inside else 0.0
    high = float(betaincinv(inside + 1, number - inside, 0.95)) if inside < number else 1.0
    return low, high


def chance_of_less(one: Sequence[ReplayedForecast], other: Sequence[ReplayedForecast], under_way: int) -> float:
    """Chance that `one` misses by so much less than `other` though it is no better; 1 where it does not. [0-1]

    The test of Diebold and Mariano on the differences of their CRPS, in the small-sample form of Harvey, Leybourne and
    Newbold. Forecasts of which several are `under_way` at once miss together, so their covariances count (with
    weights that fall to 0, so that the variance is none below it). Fewer than FEWEST_FORECASTS tell nothing.
    """
    lead = np.array([crps(b.sample(), b.actual) - crps(a.sample(), a.actual) for a, b in zip(one, other, strict=True)])
    return chance_of_lead(lead, under_way)


def chance_of_lead(lead: np.ndarray, under_way: int) -> float:
    """Chance of such leads, one per forecast, if there is none on the average, as `chance_of_less` has it. [0-1]"""
    number, mean = len(lead), float(lead.mean()) if len(lead) else 0.0
    if mean <= 0 or number < FEWEST_FORECASTS:
        return 1.0
    around = lead - mean
    lags = min(under_way, number - 1)
    covariances = [float(around[lag:] @ around[: number - lag]) / number for lag in range(lags)]
    variance = covariances[0] + 2 * sum((1 - lag / lags) * covariances[lag] for lag in range(1, lags))
    corrected = (number + 1 - 2 * lags + lags * (lags - 1) / number) / number
    if variance <= 0:  # always by the same
        return 0.0
    return float(stdtr(number - 1, -mean / np.sqrt(variance / number) * np.sqrt(max(corrected, 0.0))))


Every = Literal["month", "quarter"]
STEPS = {"month": 1, "quarter": 3}
MODEL = "revplan"
TARGETS = {
    "from_known": "wins from known records",
    "with_arrivals": "wins with arrivals",
    "arr_from_known": "ARR from known records",
    "arr_with_arrivals": "ARR with arrivals",
}
ENOUGH = 35  # independent forecasts that show an interval of 60 % for one of 80 % in four of five cases
BY_LUCK = 0.05  # chance of a baseline's lead from which it is no luck
MAX_ORIGINS = 240


@dataclass(frozen=True, eq=False)
class ReplayedDay:
    """A past day, what was forecast on it, and the actual."""

    as_of: date
    forecast: Forecast
    told: dict[str, dict[str, ReplayedForecast]]
    """Target -> method -> forecast and outcome."""
    by_source: tuple[ReplayedForecast, ...]
    """Wins from known records, a source each."""


@dataclass(frozen=True, eq=False, repr=False)
class Backtest:
    """Replays and their scores."""

    months: int
    origins: tuple[ReplayedDay, ...]
    scores: dict[str, dict[str, Scores]]
    """Target -> method -> scores."""
    by_source: Scores
    better: dict[str, tuple[str, float]]
    """Target -> the baseline that did better, and what it says of the months after the last day known."""
    last_day: date
    skipped: tuple[str, ...] = ()
    """Why days were left out."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What must be said of them."""
        better = [f"{TARGETS[target]}: {better_words(self, target)}" for target in self.better]
        return (*self.skipped, *better, *_rough(len(self.origins)))


def backtest(
    export: Export | Stored, span: tuple[date, date], every: Every, months: int, tell: Progress | None = None
) -> Backtest:
    """Forecasts of `months` months made on days from `span[0]` to `span[1]`, held against the actuals.

    Raises
    ------
    DataError
        If the span is turned round, no day in it can be replayed, or the records are at fault.
    """
    latest = export.on()
    days = _days(span, every, months, latest)
    origins, skipped = [], []
    for number, day in enumerate(days):
        if tell:
            tell(number, len(days), f"days replayed, now {day}")
        try:
            origins.append(replayed(export.on(day), months, latest))
        except DataError as error:
            skipped.append(f"{day} is left out: {error.faults[0]}")
    if not origins:
        raise DataError.at("--from", f"no day can be replayed ({skipped[0]}); take later days")
    return judged(tuple(origins), months, latest, skipped)


def _days(span: tuple[date, date], every: Every, months: int, latest: History | Counted) -> list[date]:
    """The days to replay: from the first on, each whose months ahead are over by the last day known."""
    first, last = span
    if first > last:
        raise DataError.at("--from", f"{first} is after --to {last}; turn them round")
    if not 1 <= months <= MAX_MONTHS:
        raise DataError.at("--months", beyond_reach(months))
    start, step = day_number(first), STEPS[every]
    steps = np.append(0, month_ends(start, MAX_ORIGINS * step)[step - 1 :: step])
    found = [start + int(each) for each in steps if start + int(each) <= day_number(last)]
    over = [day for day in found if day + int(month_ends(day, months)[-1]) <= day_number(latest.as_of)]
    if not over:
        raise DataError.at(
            "--from",
            f"{months} months after {first} are not over on {latest.as_of}, the last day the records know; "
            "take an earlier day or fewer months",
        )
    return [as_date(day) for day in over]


def replayed(history: History | Counted, months: int, latest: History | Counted) -> ReplayedDay:
    """The forecast of `months` months from what `history` knew, held against what `latest` knows."""
    forecast = forecast_wins(history, months)
    spells = spells_of(history)
    wins = _wins(spells_of(latest), spells.day, day_number(forecast.ends[-1]))
    rules = baselines(spells, months)
    deal = mean_deal(spells)
    told: dict[str, dict[str, ReplayedForecast]] = {}
    for target, outlook, actual in (
        ("from_known", forecast.from_known, wins[wins["source"].notna()]),
        ("with_arrivals", forecast.with_arrivals, wins),
    ):
        said = {name: rule.from_known if target == "from_known" else rule.total for name, rule in rules.items()}
        number, money = float(len(actual)), float(actual["amount"].sum())
        told[target] = {MODEL: ReplayedForecast(outlook.wins.mean, outlook.cv, number)}
        told[target] |= {name: ReplayedForecast(count, None, number) for name, count in said.items()}
        if outlook.arr and deal:
            told[f"arr_{target}"] = {MODEL: ReplayedForecast(outlook.arr.mean, None, money, outlook.arr_variance)}
            told[f"arr_{target}"] |= {name: ReplayedForecast(count * deal, None, money) for name, count in said.items()}
    wins_of = wins["source"].value_counts()
    sources = tuple(
        ReplayedForecast(count.mean, forecast.source_cv, float(wins_of.get(name, 0)))
        for name, (count, _) in forecast.by_source.items()
    )
    return ReplayedDay(history.as_of, forecast, told, sources)


def _wins(latest: Spells, day: int, end: int) -> pd.DataFrame:
    """Wins after `day` until `end`: their source where the record had come in by `day`, and the amount.

    A win without an amount counts with the mean of those that carry one.
    """
    won = latest.entered[:, -1]
    amounts = latest.amount[won < NEVER]
    usual = float(np.nanmean(amounts)) if (~np.isnan(amounts)).any() else 0.0
    rows = np.flatnonzero((won > day) & (won <= end))
    codes, names = latest.codes(1)
    source = pd.Series(np.array(names, dtype=object)[codes[latest.cell[rows]]], dtype="str")
    amount = np.nan_to_num(latest.amount[rows], nan=usual)
    return pd.DataFrame({"source": source.where(latest.entered[rows].min(axis=1) <= day), "amount": amount})


def judged(
    origins: tuple[ReplayedDay, ...], months: int, latest: History | Counted, skipped: Sequence[str] = ()
) -> Backtest:
    """The scores of replays of `months` months, the baselines that did better, and what must be said of them."""
    methods = (MODEL, *NAMES)
    found = {
        target: {method: scores([origin.told[target][method] for origin in origins]) for method in methods}
        for target in TARGETS
        if all(target in origin.told for origin in origins)
    }
    return Backtest(
        months=months,
        origins=origins,
        scores=found,
        by_source=scores([each for origin in origins for each in origin.by_source]),
        better=_better(origins, found, spells_of(latest), months),
        last_day=latest.as_of,
        skipped=tuple(skipped),
    )


def _better(
    origins: tuple[ReplayedDay, ...], found: dict[str, dict[str, Scores]], spells: Spells, months: int
) -> dict[str, tuple[str, float]]:
    """By target, the baseline whose CRPS beats the model's by more than luck, with its forecast from the last day known."""
    under_way = _under_way(origins)
    now, deal = baselines(spells, months), mean_deal(spells) or 0.0
    better = {}
    for target, by_method in found.items():
        best = beaten_by(by_method, "crps")
        if best is None:
            continue
        rule, model = ([each.told[target][method] for each in origins] for method in (best, MODEL))
        if chance_of_less(rule, model, under_way) < BY_LUCK:
            says = now[best].from_known if target.endswith("from_known") else now[best].total
            better[target] = (best, says * deal if target.startswith("arr") else says)
    return better


def _under_way(origins: Sequence[ReplayedDay]) -> int:
    """Forecasts under way at once: those made before the first one's months were over, itself among them."""
    return sum(each.as_of < origins[0].forecast.ends[-1] for each in origins)


def beaten_by(by_method: Mapping[str, Scores], measure: Literal["wape", "crps"]) -> str | None:
    """The baseline that is best by a measure, if it is better than the model; None where none is."""
    best = min(by_method, key=lambda method: getattr(by_method[method], measure))
    return best if getattr(by_method[best], measure) < getattr(by_method[MODEL], measure) else None


def better_words(done: Backtest, target: str) -> str:
    """Which baselines did better than the forecast, by the error of its means or with its band, and what the better one says."""
    found = done.scores[target]
    by_error, by_score = (beaten_by(found, measure) for measure in ("wape", "crps"))
    if by_error is None and by_score is None:
        return "no baseline did better than the forecast, with its band or without"
    said = []
    if by_error is not None:
        errors = show(found[by_error].wape, "share"), show(found[MODEL].wape, "share")
        said.append(f"{NAMES[by_error]} was off by less than the forecast ({errors[0]} against {errors[1]})")
    if by_score is not None:
        digits = 0 if unit_of(target) == "ARR" else 2
        missed = f"{found[by_score].crps:,.{digits}f} against {found[MODEL].crps:,.{digits}f}"
        said.append(f"{NAMES[by_score]} missed by less with its band counted in ({missed} {unit_of(target)})")
    better = done.better.get(target)
    ahead = (
        f"; {NAMES[better[0]]} says {better[1]:,.0f} for the months after {show(done.last_day, 'date')}"
        if better
        else ""
    )
    rest = "" if len(said) == 2 else ", without the band none" if by_error is None else ", with the band none"
    luck = "" if better else "; so few replays may show that by luck"
    return f"{' and '.join(said)}{rest}{ahead}{luck}"


def unit_of(target: str) -> str:
    """What the numbers of a target count."""
    return "ARR" if target.startswith("arr") else "wins"


def _rough(number: int) -> list[str]:
    """That so few replays say little of a band."""
    if number >= ENOUGH:
        return []
    return [
        f"{number} {'forecast says' if number == 1 else 'forecasts say'} little of how often the band holds: it takes "
        f"{ENOUGH} independent ones to tell a band that holds 60 % from one that holds 80 %"
    ]


def banded_words(done: Backtest, target: str) -> str:
    """How many outcomes lay within the band of the forecast, as a part of a sentence."""
    told = [origin.told[target][MODEL] for origin in done.origins]
    within = sum(bool(low <= each.actual <= high) for each in told for low, _, high in [each.quantiles()])
    return f"{within or 'none'} of {len(told)} outcomes lay within P10 to P90"


def backtest_answer(done: Backtest) -> dict[str, Any]:
    """The backtest as `revplan backtest --json` prints it."""
    return {
        "from": str(done.origins[0].as_of),
        "to": str(done.origins[-1].as_of),
        "months": done.months,
        "origins": [_origin_answer(origin) for origin in done.origins],
        "scores": {
            target: {method: asdict(each) for method, each in by_method.items()}
            for target, by_method in done.scores.items()
        },
        "by_source": asdict(done.by_source),
        "better": {target: {"method": name, "forecast": says} for target, (name, says) in done.better.items()},
        "last_day": str(done.last_day),
        "warnings": list(done.warnings),
    }


def _origin_answer(origin: ReplayedDay) -> dict[str, Any]:
    return {"as_of": str(origin.as_of), **{target: _told_answer(told) for target, told in origin.told.items()}}


def _told_answer(told: dict[str, ReplayedForecast]) -> dict[str, Any]:
    model = told[MODEL]
    quantiles = dict(zip(("p10", "p50", "p90"), model.quantiles().tolist(), strict=True))
    rules = {name: told[name].mean for name in NAMES}
    return {"actual": model.actual, "mean": model.mean, **quantiles, "baselines": rules}
