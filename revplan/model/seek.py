"""Goal seek: what volume, deal size or win rate would make the plan as sure as wanted; or that none does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import brentq

from revplan.model.bank import Bank
from revplan.model.curve import NEVER, commit_curve
from revplan.model.odds import Odds
from revplan.model.outlook import Outlook
from revplan.model.trials import Trials, trials_of
from revplan.model.uncertain import Rates

LEAST, MOST = 1e-3, 1e3  # factors a driver is tried at
CLOSE = 1e-6


@dataclass(frozen=True)
class Sought:
    """What one driver, alone, would have to be."""

    driver: str
    planned: float
    needed: float | None
    """None where no value of the driver gives the confidence."""
    factor: float | None
    """Needed over planned. [ratio]"""


def goal_seek(view: Outlook, trials: Trials, bank: Bank, confidence: float) -> tuple[Sought, ...]:
    """Volume, deal size and win rate, each alone, that reach the goal with `confidence`."""
    rate = win_rate(view)
    return (
        _sought("volume", 1.0, needed_volume(trials, view.goal, confidence)),
        _sought("acv", _mean_value(view), needed_value(trials, view.goal, confidence)),
        _sought("win rate", rate, needed_win_rate(view, bank, confidence), _win_rate_at(view, rate)),
    )


def _sought(driver: str, planned: float, factor: float | None, at: Callable[[float], float] | None = None) -> Sought:
    if factor is None:
        return Sought(driver, planned, None, None)
    needed = at(factor) if at else planned * factor
    return Sought(driver, planned, needed, needed / planned if planned > 0 else factor)


def _new(view: Outlook) -> np.ndarray:
    """Planned wins of committed entries, by row. [deals]"""
    return view.planned_wins[~view.is_open]


def _mean_value(view: Outlook) -> float:
    """Mean value of a win of committed entries. [plan currency]"""
    wins = _new(view)
    return float(wins @ view.value[~view.is_open] / wins.sum()) if wins.sum() > 0 else 0.0


def win_rate(view: Outlook) -> float:
    """Share of the entries into the last stage before won that are won, over all wins of the year. [0-1]"""
    wins = view.planned_wins
    tried = wins / np.append(view.rates.mean, 1.0)[view.paths[:, -1]]
    return float(wins.sum() / tried.sum()) if tried.sum() > 0 else 0.0


def _win_rate_at(view: Outlook, planned: float) -> Callable[[float], float]:
    """The win rate over the same tries with every rate times a factor, at most 1. [0-1]"""
    last = np.append(view.rates.mean, 1.0)[view.paths[:, -1]]
    tried = view.planned_wins / last
    if not tried.sum() > 0:
        return lambda factor: planned
    return lambda factor: float(tried @ np.minimum(last * factor, 1.0) / tried.sum())


def needed_volume(trials: Trials, goal: float, confidence: float) -> float | None:
    """Factor on the committed entries; None where no volume gives the confidence. [ratio]"""
    (point,) = commit_curve(trials, goal, (confidence,))
    return None if point.scale.value == NEVER else point.scale.value


def needed_value(trials: Trials, goal: float, confidence: float) -> float | None:
    """Factor on the value of every new deal; open deals keep theirs. None where none gives it. [ratio]"""

    def chance(factor: float) -> float:
        powers = factor ** np.arange(1, 4)[:, None]
        return 1 - float(Odds.of_cumulants(trials.fixed + powers * trials.scaled).below(goal).mean())

    return _least(chance, confidence, MOST)


def needed_win_rate(view: Outlook, bank: Bank, confidence: float) -> float | None:
    """Factor on every rate of the last step, none of them above 1; None where none gives it. [ratio]"""
    last = np.unique(view.paths[:, -1])
    last = last[last < len(view.rates.mean)]
    if len(last) == 0:
        return None

    def chance(factor: float) -> float:
        mean = view.rates.mean.copy()
        mean[last] = np.minimum(mean[last] * factor, 1.0)
        varied = replace(view, rates=Rates(mean, view.rates.evidence))
        return 1 - float(trials_of(varied, bank).odds.below(view.goal).mean())

    return _least(chance, confidence, float(1 / view.rates.mean[last].min()))


def _least(chance: Callable[[float], float], confidence: float, most: float) -> float | None:
    """The smallest factor whose chance is `confidence`, `chance` rising with the factor."""
    if chance(most) < confidence:
        return None
    low, high = LEAST, most
    if chance(low) >= confidence:
        return 0.0
    found = brentq(lambda log: chance(float(np.exp(log))) - confidence, np.log(low), np.log(high), xtol=CLOSE)
    return float(np.exp(found))
