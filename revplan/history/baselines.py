"""What a spreadsheet would have forecast: the three ways a backtest is held against.

    rate x open            wins so far / records so far, times the records open
    repeat last quarter    what came in the months just over
    cohort x lag           a table of entry month by months since, its column averages on every cohort

They are what people do, faults included: young cohorts count as if they were old, and months in which
nothing was recorded count as if nothing had happened.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from revplan.calendar import MONTH_DAYS
from revplan.history.expected import months_before
from revplan.history.flow import won_by_day
from revplan.history.spells import NEVER, Spells

RECENT_MONTHS = 3  # whose mean is the forecast of new records
NAMES = {"rate_open": "rate x open", "repeat": "repeat last quarter", "cohort_lag": "cohort x lag"}


@dataclass(frozen=True)
class Baseline:
    """Wins from known records, and with new ones."""

    known: float
    total: float


def baselines(spells: Spells, months: int) -> dict[str, Baseline]:
    """What each baseline says of the `months` months after the last day known. [records]"""
    return {
        "rate_open": _rate_open(spells, months),
        "repeat": _repeat(spells, months),
        "cohort_lag": _cohort_lag(spells, months),
    }


def _rate_open(spells: Spells, months: int) -> Baseline:
    entered = _first_days(spells)
    known = entered < NEVER
    won = spells.entered[:, -1] < NEVER
    open_now = int((known & ~won & (spells.lost == NEVER)).sum())
    rate = float(won.sum()) / max(int(known.sum()), 1)
    return Baseline(rate * open_now, rate * (open_now + months * _new_a_month(spells, entered)))


def _repeat(spells: Spells, months: int) -> Baseline:
    start = months_before(spells.day, months)
    then = _first_days(spells) <= start
    horizon = spells.day - start
    every = np.ones(len(then), dtype=bool)
    return Baseline(
        float(won_by_day(spells, start, horizon, then).sum()), float(won_by_day(spells, start, horizon, every).sum())
    )


def _cohort_lag(spells: Spells, months: int) -> Baseline:
    """Cohorts are months counted back from the last day known."""
    entered = _first_days(spells)
    known = entered < NEVER
    age = _months_ago(spells, entered[known])
    won = spells.entered[known, -1] < NEVER
    lag = age[won] - _months_ago(spells, spells.entered[known, -1][won])
    size = int(age.max(initial=0)) + 1
    cohorts = np.bincount(age, minlength=size).astype(float)
    seen = cohorts[::-1].cumsum()[::-1]
    average = np.zeros(size + months + 1)
    average[:size] = np.divide(np.bincount(lag, minlength=size), seen, out=np.zeros(size), where=seen > 0)
    from_known = sum(float(cohorts @ average[step : step + size]) for step in range(1, months + 1))
    new = _new_a_month(spells, entered) * sum(float(average[:step].sum()) for step in range(1, months + 1))
    return Baseline(from_known, from_known + new)


def _first_days(spells: Spells) -> np.ndarray:
    return spells.entered.min(axis=1)


def _months_ago(spells: Spells, days: np.ndarray) -> np.ndarray:
    return ((spells.day - days) / MONTH_DAYS).astype(int)


def _new_a_month(spells: Spells, entered: np.ndarray) -> float:
    recent = (entered < NEVER) & (entered > spells.day - RECENT_MONTHS * MONTH_DAYS)
    return float(recent.sum()) / RECENT_MONTHS
