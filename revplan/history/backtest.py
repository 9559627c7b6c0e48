"""Replays of the forecast at past days, with only what was known then, against what came.

Each past day reads the records as they were known at its end, forecasts, and is held against the
latest records. Three baselines are replayed beside it; where one does better, it is named and offered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from revplan.errors import DataError
from revplan.history.baselines import NAMES, baselines
from revplan.history.deals import mean_deal
from revplan.history.expected import month_ends
from revplan.history.forecast import Forecast, forecast_wins
from revplan.history.records import Export, History, known_by, read_export
from revplan.history.scores import Scores, Told, scores
from revplan.history.spells import Spells, as_date, day_number, spells_of

Tell = Callable[[int, int, str], None]
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
MAX_ORIGINS = 240


@dataclass(frozen=True, eq=False)
class Origin:
    """A past day, what was forecast on it, and what came."""

    as_of: date
    forecast: Forecast
    told: dict[str, dict[str, Told]]
    """Target -> method -> forecast and outcome."""
    by_source: tuple[Told, ...]
    """Wins from known records, a source each."""


@dataclass(frozen=True, eq=False)
class Backtest:
    """Replays and their scores."""

    months: int
    origins: tuple[Origin, ...]
    scores: dict[str, dict[str, Scores]]
    """Target -> method -> scores."""
    by_source: Scores
    better: dict[str, tuple[str, float]]
    """Target -> the baseline that did better, and what it says of the months after the last day known."""
    last_day: date
    warnings: tuple[str, ...]


def backtest(crm: Path, span: tuple[date, date], every: Every, months: int, tell: Tell | None = None) -> Backtest:
    """Forecasts of `months` months made on days from `span[0]` to `span[1]`, held against what came.

    Raises
    ------
    DataError
        If the span is turned round, no day in it can be replayed, or the records are at fault.
    """
    export = read_export(crm)
    latest = known_by(export)
    days = _days(span, every, months, latest)
    origins, skipped = [], []
    for number, day in enumerate(days):
        if tell:
            tell(number, len(days), f"days replayed, now {day}")
        try:
            origins.append(_origin(export, day, months, latest))
        except DataError as error:
            skipped.append(f"{day} is left out: {error.faults[0]}")
    if not origins:
        raise DataError.at("--from", f"no day can be replayed ({skipped[0]}); take later days")
    return _scored(tuple(origins), months, latest, skipped)


def _days(span: tuple[date, date], every: Every, months: int, latest: History) -> list[date]:
    """The days to replay: from the first on, each whose months ahead are over by the last day known."""
    first, last = span
    if first > last:
        raise DataError.at("--from", f"{first} is after --to {last}; turn them round")
    if not 1 <= months <= max(STEPS.values()) * 8:
        raise DataError.at("--months", f"got {months}; a forecast reaches 1 to 24 months")
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


def _origin(export: Export, day: date, months: int, latest: History) -> Origin:
    history = known_by(export, day)
    forecast = forecast_wins(history, months)
    spells = spells_of(history)
    wins = _wins(history, latest, forecast.ends[-1])
    rules = baselines(spells, months)
    deal = mean_deal(spells)
    told: dict[str, dict[str, Told]] = {}
    for target, outlook, came in (
        ("from_known", forecast.from_known, wins[wins["source"].notna()]),
        ("with_arrivals", forecast.with_arrivals, wins),
    ):
        said = {name: rule.known if target == "from_known" else rule.total for name, rule in rules.items()}
        number, money = float(len(came)), float(came["amount"].sum())
        told[target] = {MODEL: Told(outlook.wins.mean, outlook.cv, number)}
        told[target] |= {name: Told(count, None, number) for name, count in said.items()}
        if outlook.arr and deal:
            told[f"arr_{target}"] = {MODEL: Told(outlook.arr.mean, None, money, outlook.arr_variance)}
            told[f"arr_{target}"] |= {name: Told(count * deal, None, money) for name, count in said.items()}
    known = wins["source"].value_counts()
    sources = tuple(
        Told(count.mean, forecast.source_cv, float(known.get(name, 0)))
        for name, (count, _) in forecast.by_source.items()
    )
    return Origin(day, forecast, told, sources)


def _wins(history: History, latest: History, end: date) -> pd.DataFrame:
    """Wins after the history's day until `end`: the source where the record was known then, and the amount.

    A win without an amount counts with the mean of those that carry one.
    """
    rows = latest.stage_history
    wins = rows[rows["stage"] == latest.stages[-1]]
    amounts = latest.records.set_index("record")["amount"].reindex(wins["record"])
    day = wins["entered_on"].dt.floor("D")
    inside = ((day > pd.Timestamp(history.as_of)) & (day <= pd.Timestamp(end))).to_numpy()
    then = history.stage_history.drop_duplicates("record").set_index("record")["source"]
    source = then.reindex(wins["record"])
    return pd.DataFrame({"source": source, "amount": amounts.fillna(amounts.mean()).fillna(0.0)})[inside]


def _scored(origins: tuple[Origin, ...], months: int, latest: History, skipped: list[str]) -> Backtest:
    methods = (MODEL, *NAMES)
    found = {
        target: {method: scores([origin.told[target][method] for origin in origins]) for method in methods}
        for target in TARGETS
        if all(target in origin.told for origin in origins)
    }
    better = _better(found, spells_of(latest), months)
    return Backtest(
        months=months,
        origins=origins,
        scores=found,
        by_source=scores([each for origin in origins for each in origin.by_source]),
        better=better,
        last_day=latest.as_of,
        warnings=(*skipped, *_warnings(len(origins), found, better, latest.as_of)),
    )


def _better(found: dict[str, dict[str, Scores]], spells: Spells, months: int) -> dict[str, tuple[str, float]]:
    """By target, the baseline whose CRPS beats the model's, with its forecast from the last day known."""
    now, deal = baselines(spells, months), mean_deal(spells) or 0.0
    better = {}
    for target, by_method in found.items():
        best = beaten_by(by_method, "crps")
        if best is not None:
            says = now[best].known if target.endswith("from_known") else now[best].total
            better[target] = (best, says * deal if target.startswith("arr") else says)
    return better


def beaten_by(by_method: Mapping[str, Scores], measure: Literal["wape", "crps"]) -> str | None:
    """The baseline that is best by a measure, if it is better than the model; None where none is."""
    best = min(by_method, key=lambda method: getattr(by_method[method], measure))
    return best if getattr(by_method[best], measure) < getattr(by_method[MODEL], measure) else None


def _warnings(
    number: int, found: dict[str, dict[str, Scores]], better: dict[str, tuple[str, float]], last: date
) -> list[str]:
    lines = []
    for target, (name, says) in better.items():
        rule, model = found[target][name], found[target][MODEL]
        lines.append(
            f"{TARGETS[target]}: {NAMES[name]} did better: with its band it missed by {rule.crps:,.1f} on average, the "
            f"forecast by {model.crps:,.1f} (without, by {rule.wape:.0%} and {model.wape:.0%} of what came); for the months after {last} it says {says:,.0f}"
        )
    if number < ENOUGH:
        lines.append(
            f"{number} {'forecast says' if number == 1 else 'forecasts say'} little of how often the band holds: it takes "
            f"{ENOUGH} independent ones to tell a band that holds 60 % from one that holds 80 %"
        )
    return lines


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


def _origin_answer(origin: Origin) -> dict[str, Any]:
    return {"as_of": str(origin.as_of), **{target: _told_answer(told) for target, told in origin.told.items()}}


def _told_answer(told: dict[str, Told]) -> dict[str, Any]:
    model = told[MODEL]
    quantiles = dict(zip(("p10", "p50", "p90"), model.quantiles().tolist(), strict=True))
    rules = {name: told[name].mean for name in NAMES}
    return {"actual": model.came, "mean": model.mean, **quantiles, "baselines": rules}
