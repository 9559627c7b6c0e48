"""How the year may come out: bands, chances, shortfalls, each with its Monte-Carlo standard error."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from revplan.model.odds import Inverse
from revplan.model.trials import Trials

LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
NEAR, HALVINGS = 0.01, 30  # how far the chance at a node may lie from its share; how often that is mended
WORST = 0.10  # share of the years that the conditional value at risk averages over


@dataclass(frozen=True)
class Estimate:
    """A figure of the simulation and how far it may be off for want of trials."""

    value: float
    standard_error: float


@dataclass(frozen=True)
class Outcome:
    """The distribution of the year's new ARR. [plan currency]"""

    mean: Estimate
    sd: Estimate
    bands: tuple[Estimate, ...]
    """ARR that the year stays below with the chances LEVELS."""
    chance_of_goal: Estimate
    """Chance that new ARR reaches the goal. [0-1]"""
    expected_shortfall: Estimate
    """What is missed of the goal in expectation, E[max(goal - ARR, 0)]. [plan currency]"""
    cvar_10: Estimate
    """Mean of the worst tenth of the years. [plan currency]"""

    @property
    def p10(self) -> Estimate:
        """ARR that nine years in ten exceed. [plan currency]"""
        return self.bands[LEVELS.index(0.10)]

    @property
    def p50(self) -> Estimate:
        """ARR that every second year exceeds. [plan currency]"""
        return self.bands[LEVELS.index(0.50)]

    @property
    def p90(self) -> Estimate:
        """ARR that one year in ten exceeds. [plan currency]"""
        return self.bands[LEVELS.index(0.90)]


def outcome(trials: Trials, goal: float) -> Outcome:
    """The distribution of the year's ARR over `trials`, deals integrated out."""
    odds = trials.odds
    mean = float(odds.mean.mean())
    squares = odds.sd**2 + (odds.mean - mean) ** 2
    sd = float(np.sqrt(squares.mean()))
    bands = _bands(trials)
    p10 = bands[LEVELS.index(WORST)].value
    missed = odds.shortfall(p10) / WORST
    return Outcome(
        mean=Estimate(mean, trials.standard_error(odds.mean)),
        sd=Estimate(sd, trials.standard_error(squares) / (2 * sd) if sd > 0 else 0.0),
        bands=bands,
        chance_of_goal=estimate(trials, 1 - odds.below(goal)),
        expected_shortfall=estimate(trials, odds.shortfall(goal)),
        cvar_10=Estimate(max(p10 - float(missed.mean()), 0.0), trials.standard_error(missed)),
    )


def estimate(trials: Trials, per_trial: np.ndarray) -> Estimate:
    """The mean of a quantity over the trials."""
    return Estimate(float(per_trial.mean()), trials.standard_error(per_trial))


def _bands(trials: Trials) -> tuple[Estimate, ...]:
    """ARR at each of LEVELS: the chances at the quantiles of the draws, deals integrated out, read backwards."""
    shares = (LEVELS[0] / 2, *LEVELS, 1 - LEVELS[0] / 2)
    draws = np.sort(trials.arr)
    places, per_trial = zip(*(_place(trials, share, draws) for share in shares), strict=True)
    inverse = Inverse.through(np.array(places), np.array([float(each.mean()) for each in per_trial]))
    errors = [trials.standard_error(each) for each in per_trial[1:-1]]
    return tuple(
        Estimate(max(inverse.at(share), 0.0), error * inverse.slope(share))
        for share, error in zip(LEVELS, errors, strict=True)
    )


def _place(trials: Trials, share: float, draws: np.ndarray) -> tuple[float, np.ndarray]:
    """ARR with about `share` of the years below it, and the chances of less in each trial.

    The quantile of the draws; where they are so few, or so many of them nothing, that it lies far off,
    it is looked for by halving.
    """
    low, high = 0.0, 2 * (float(draws[-1]) or 1.0)
    place = min(max(float(draws[int(share * len(draws))]), low), high)
    for _ in range(HALVINGS):
        below = trials.odds.below(place)
        miss = float(below.mean()) - share
        if abs(miss) < NEAR:
            break
        low, high = (low, place) if miss > 0 else (place, high)
        place = (low + high) / 2
    return place, below


def averaged(estimates: Sequence[Estimate], trials: Sequence[int]) -> Estimate:
    """One estimate from those of independent rounds, weighted by their trials."""
    weights = np.asarray(trials, dtype=float) / sum(trials)
    values, errors = np.array([[each.value, each.standard_error] for each in estimates]).T
    known = np.isfinite(errors)
    error = float(np.sqrt(((weights * errors)[known] ** 2).sum())) if known.any() else float("nan")
    return Estimate(float(weights @ values), error)


def merged(outcomes: Iterable[tuple[int, Outcome]]) -> Outcome:
    """One outcome from those of independent rounds, in their order."""
    counts, found = zip(*outcomes, strict=True)
    if len(found) == 1:
        return found[0]
    bands = tuple(averaged(same, counts) for same in zip(*(each.bands for each in found), strict=True))
    names = [field.name for field in fields(Outcome) if field.name != "bands"]
    return Outcome(bands=bands, **{name: averaged([getattr(each, name) for each in found], counts) for name in names})
