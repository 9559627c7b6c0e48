"""The commit curve: how much more (or less) must enter for each confidence of the goal, in one pass.

With common random numbers each trial's ARR rises with the scale s of the entries,
ARR_i(s) = c_i + s m_i + sqrt(cv_i + s v_i) t_i, so each trial has the one scale at which it meets the
goal, and quantiles of these scales answer for every confidence at once. The chance at these scales is
then taken with the deals integrated out, and read back at the confidences asked for.

Goal seek: what volume, deal size or win rate would make the plan as sure as wanted; or that none does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.optimize import brentq

from revplan.capacity.limits import Demand
from revplan.simulation.draws import DrawStore
from revplan.simulation.outlook import Outlook
from revplan.simulation.trials import Chances, Inverse, SimulatedFigure, Trials, averaged, trials_of

CONFIDENCES = (0.50, 0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.85, 0.90, 0.95)
NEVER = float("inf")
MOST = 1e6  # scale from which on a volume is none


@dataclass(frozen=True)
class CurvePoint:
    """What a confidence asks for."""

    confidence: float
    scale: SimulatedFigure
    """Times the committed entries; infinite where no volume gives the confidence. [ratio]"""


def scales_needed(trials: Trials, goal: float) -> np.ndarray:
    """The scale of the entries at which each trial just meets `goal`; infinite where none does. [ratio]

    With d = goal - c it solves (d - s m)^2 = (cv + s v) t^2, taking the root on the side of t. Where people limit
    what closes it is found by halving.
    """
    if trials.demand is not None:
        return _halved(trials.demand.some(FEW_TRIALS), goal)
    assert isinstance(trials.chances, Chances)
    t = trials.chances.deviation(trials.luck)
    (c, cv, _), (m, v, _) = trials.fixed, trials.scaled
    missing = goal - c
    half = m * missing + v * t**2 / 2
    root = np.sqrt(np.maximum(half**2 - m**2 * (missing**2 - cv * t**2), 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(m > 0, (half - np.sign(t) * root) / m**2, NEVER)
    return np.where(c + np.sqrt(cv) * t >= goal, 0.0, np.maximum(scale, 0.0))


SMALLEST_SCALE, LARGEST_SCALE, STEPS = 2.0**-6, 2.0**6, 8  # between which the scales of limited trials lie
FEW_TRIALS = 512  # that show where a curve is to be looked at
BELOW = 0.9  # of the smallest node, where the next smaller one is
ABOVE = 2.0  # of the largest scale of limited trials, above which no node lies


def _halved(demand: Demand, goal: float) -> np.ndarray:
    """The same by halving, to half a percent of its logarithm's range: where a curve is looked at, not its values."""
    low, high = np.full(demand.luck.shape[2], np.log(SMALLEST_SCALE)), np.log(LARGEST_SCALE)
    reached = demand.arr(LARGEST_SCALE) >= goal
    step = (high - low) / 2
    place = low + step
    for _ in range(STEPS):
        step = step / 2
        place = place + np.where(demand.arr(np.exp(place)) >= goal, -step, step)
    none = demand.arr(0.0) >= goal
    return np.where(none, 0.0, np.where(reached, np.exp(place), NEVER))


@dataclass(frozen=True, eq=False)
class _Reached:
    """Which trials reach the goal at one scale after the other: one that does at some scale does at every larger one.

    So a trial is looked at only at scales between the largest at which it is known to miss and the smallest at which
    it is known to reach.
    """

    trials: Trials
    goal: float
    misses: np.ndarray
    reaches: np.ndarray

    @classmethod
    def of(cls, trials: Trials, goal: float) -> _Reached:
        """What is known from the scale of the plan, 1."""
        there = trials.arr >= goal
        return cls(trials, goal, np.where(there, -1.0, 1.0), np.where(there, 1.0, NEVER))

    def at(self, scale: float) -> np.ndarray:
        """1 for each trial that reaches the goal at `scale`, 0 for the others."""
        asked = np.flatnonzero((self.misses < scale) & (scale < self.reaches))
        demand = self.trials.demand
        if len(asked) and demand is not None:
            there = demand.arr(scale, trials=asked) >= self.goal
            self.reaches[asked[there]] = self.misses[asked[~there]] = scale
        return (self.reaches <= scale).astype(float)


def chance_of_goal(trials: Trials, goal: float, scale: float) -> np.ndarray:
    """Chance in each trial that `scale` times the entries reach `goal`. [0-1]"""
    return 1 - trials.chances_at(scale).below(goal)


def commit_curve(trials: Trials, goal: float, confidences: Sequence[float]) -> tuple[CurvePoint, ...]:
    """The scale of the entries that each confidence needs."""
    ordered = np.array(sorted({*CONFIDENCES, *confidences}))
    edges = (ordered[0] - 0.04 * ordered[0], ordered[-1] + 0.4 * (1 - ordered[-1]))
    needed = np.sort(scales_needed(trials, goal))
    looked = ordered if trials.demand is None else ordered[::2]  # a limited year takes longer to look at
    nodes = _spread(needed, np.concatenate([edges[:1], looked, edges[1:]]))
    limited = trials.demand is not None
    chance = _Reached.of(trials, goal).at if limited else partial(chance_of_goal, trials, goal)
    middle_first = sorted(range(len(nodes)), key=lambda index: -((index + 1) & -(index + 1)))
    seen = {index: chance(float(nodes[index])) for index in middle_first}
    per_trial = [seen[index] for index in range(len(nodes))]
    most = LARGEST_SCALE if limited else MOST
    if limited and len(nodes) and per_trial[-1].mean() < ordered[-1]:
        chance(ABOVE * most)  # who misses there is not looked at again
    while len(nodes) and nodes[-1] < most and per_trial[-1].mean() < ordered[-1]:
        nodes = np.append(nodes, 1.5 * nodes[-1] + 0.1)
        per_trial.append(chance(float(nodes[-1])))
    while limited and len(nodes) and nodes[0] > SMALLEST_SCALE and per_trial[0].mean() > ordered[0]:
        nodes = np.append(nodes[0] * BELOW, nodes)  # nodes were looked for with few trials
        per_trial.insert(0, chance(float(nodes[0])))
    per_trial.insert(0, chance(0.0))
    chances = np.array([float(each.mean()) for each in per_trial])
    errors = np.array([trials.standard_error(each) for each in per_trial[1:]])
    return tuple(CurvePoint(each, _scale(nodes, chances, errors, each)) for each in confidences)


def _spread(needed: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Distinct finite scales around the quantiles of `needed`."""
    places = np.minimum((shares * len(needed)).astype(int), len(needed) - 1)
    found = np.unique(needed[places][np.isfinite(needed[places])])
    return found[np.append(True, np.diff(found) > 1e-6 * np.maximum(found[:-1], 1e-6))] if len(found) else found


def _scale(nodes: np.ndarray, chances: np.ndarray, errors: np.ndarray, confidence: float) -> SimulatedFigure:
    """The scale at which the chance is `confidence`: the nodes joined by a monotone curve.

    `chances` begins with the chance without any entries, before those at the nodes.
    """
    if chances[0] >= confidence:
        return SimulatedFigure(0.0, 0.0)
    if len(nodes) == 0 or chances.max() < confidence:
        return SimulatedFigure(NEVER, float("nan"))
    curve = Inverse.through(nodes, chances[1:])
    scale = max(curve.at(confidence), 0.0)
    if scale > MOST:
        return SimulatedFigure(NEVER, float("nan"))
    error = float(np.interp(confidence, np.maximum.accumulate(chances[1:]), errors)) * curve.slope(confidence)
    return SimulatedFigure(scale, error)


def merged_curve(curves: Iterable[tuple[int, tuple[CurvePoint, ...]]]) -> tuple[CurvePoint, ...]:
    """One curve from those of independent rounds, weighted by their trials."""
    counts, found = zip(*curves, strict=True)
    return tuple(
        CurvePoint(same[0].confidence, averaged([each.scale for each in same], counts))
        for same in zip(*found, strict=True)
    )


SMALLEST_FACTOR, LARGEST_FACTOR = 1e-3, 1e3  # factors a driver is tried at
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


def goal_seek(view: Outlook, trials: Trials, store: DrawStore, confidence: float) -> tuple[Sought, ...]:
    """Volume, deal size and win rate, each alone, that reach the goal with `confidence`."""
    value = _mean_value(view)
    return (
        _sought("volume", lambda factor: factor, needed_volume(trials, view.goal, confidence)),
        _sought("acv", lambda factor: value * factor, needed_value(trials, view.goal, confidence)),
        _sought("win rate", partial(win_rate, view), needed_win_rate(view, store, confidence)),
    )


def _sought(driver: str, at: Callable[[float], float], factor: float | None) -> Sought:
    """What a driver would have to be, which is `at` a factor on what was planned of it."""
    planned = at(1.0)
    if factor is None:
        return Sought(driver, planned, None, None)
    needed = at(factor)
    return Sought(driver, planned, needed, needed / planned if planned > 0 else factor)


def _mean_value(view: Outlook) -> float:
    """Mean value of a win of committed entries. [plan currency]"""
    wins = view.planned_wins[~view.is_open]
    return float(wins @ view.value[~view.is_open] / wins.sum()) if wins.sum() > 0 else 0.0


def win_rate(view: Outlook, factor: float = 1.0) -> float:
    """Share of the entries into the last stage before won that are won in the year, each rate `factor` times, at most 1. [0-1]"""
    last = np.append(view.rates.mean, 1.0)[view.paths[:, -1]]
    tried = view.planned_wins / last
    return float(tried @ np.minimum(last * factor, 1.0) / tried.sum()) if tried.sum() > 0 else 0.0


def needed_volume(trials: Trials, goal: float, confidence: float) -> float | None:
    """Factor on the committed entries; None where no volume gives the confidence. [ratio]"""
    (point,) = commit_curve(trials, goal, (confidence,))
    return None if point.scale.value == NEVER else point.scale.value


def needed_value(trials: Trials, goal: float, confidence: float) -> float | None:
    """Factor on the value of every new deal; open deals keep theirs. None where none gives it. [ratio]"""

    def chance(factor: float) -> float:
        return 1 - float(trials.chances_at(1.0, factor).below(goal).mean())

    return _least(chance, confidence, LARGEST_FACTOR)


def needed_win_rate(view: Outlook, store: DrawStore, confidence: float) -> float | None:
    """Factor on every rate of the last step, none of them above 1; None where none gives it. [ratio]"""
    last = view.last_rates
    if len(last) == 0:
        return None

    def chance(factor: float) -> float:
        varied = view.with_last_rates(lambda rates: rates * factor)
        return 1 - float(trials_of(varied, store).chances.below(view.goal).mean())

    return _least(chance, confidence, float(1 / view.rates.mean[last].min()))


def _least(chance: Callable[[float], float], confidence: float, most: float) -> float | None:
    """The smallest factor whose chance is `confidence`, `chance` rising with the factor."""
    if chance(most) < confidence:
        return None
    low, high = SMALLEST_FACTOR, most
    if chance(low) >= confidence:
        return 0.0
    found = brentq(lambda log: chance(float(np.exp(log))) - confidence, np.log(low), np.log(high), xtol=CLOSE)
    return float(np.exp(found))
