"""The simulated year: how likely the plan is, and what would make it as sure as wanted."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TypeVar

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtr

from revplan.funnel.year import PlannedYear, capped_segments
from revplan.ground.formats import compact, show
from revplan.ground.values import Progress
from revplan.simulation.curve import (
    CONFIDENCES,
    CurvePoint,
    Sought,
    chance_of_goal,
    commit_curve,
    goal_seek,
    merged_curve,
)
from revplan.simulation.draws import DrawStore, UncertainRates
from revplan.simulation.fan import Fan, fan
from revplan.simulation.outlook import LagScale, Outlook, outlook
from revplan.simulation.tornado import Swing, tornado
from revplan.simulation.trials import ROUND, Outcome, Trials, averaged, drivers, estimate, merged, outcome, trials_of

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def in_order(work: Callable[[Piece], Result], items: Sequence[Piece]) -> Iterator[Result]:
    """Results of `work` in the order of `items`, worked out in as many threads as there are cores.

    Only a few are begun ahead of the one that is awaited, so memory does not grow with their number.
    """
    workers = min(os.cpu_count() or 1, len(items))
    if workers < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(workers) as pool:
        begun: deque[Future[Result]] = deque()
        for item in items:
            begun.append(pool.submit(work, item))
            if len(begun) > 2 * workers:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()


TRIALS, SEED = 8192, 1
# Trials behind tornado, goal seek and the commit sheet, however many the bands have; fewer where a plan
# has thousands of rates.
DETAILED, LEAST_DETAILED, NORMALS = 8192, 1024, 2**23
STRETCH = 0.5  # confidence of the stretch goal
PEOPLE, DEMAND, BUDGET = "people", "demand", "budget"
KEPT_BACK = 0.005  # share of the goal from which what people hold back counts


@dataclass(frozen=True)
class SignedParts:
    """What of the number to sign answers for what: scales that each confidence of the plan would ask for. [ratio]

    Infinite where no volume gives the confidence.
    """

    luck: float
    """Were rates and market known: only how many deals come, and how large they are."""
    still_market: float
    """Were the market known to stand still: luck, and rates that are estimates."""
    all: float
    """With a market that may move: the number to sign."""
    market_cv: float
    """What the market's movement adds to the scatter of the year's new ARR, over its mean. [ratio]"""

    @property
    def steps(self) -> dict[str, float]:
        """Added to the commit (1) by luck, by ignorance of the rates, and as insurance against a moving market. [ratio]"""
        return {
            "luck": self.luck - 1,
            "ignorance": self.still_market - self.luck,
            "insurance": self.all - self.still_market,
        }


@dataclass(frozen=True, eq=False, repr=False)
class Simulation:
    """A planned year simulated; what is not asked for is not computed."""

    year: PlannedYear
    view: Outlook
    trials: int
    seed: int
    outcome: Outcome
    curve: tuple[CurvePoint, ...]
    """What each confidence of CONFIDENCES asks for."""
    signed: CurvePoint
    """What the plan's own confidence asks for."""
    stretch: CurvePoint
    """What an even chance asks for."""

    def __repr__(self) -> str:
        bands = (self.outcome.p10, self.outcome.p50, self.outcome.p90)
        low, middle, high = (compact(each.value, self.year.plan.currency) for each in bands)
        chance = show(self.outcome.chance_of_goal.value, "share")
        return f"<Simulation {self.year.plan.name}: {middle} of new ARR ({low} to {high} in eight of ten cases), chance of the goal {chance}>"

    @property
    def confidence(self) -> float:
        """The confidence the plan asks for. [0-1]"""
        return self.year.plan.commit.confidence

    def chance_at(self, scale: float) -> float:
        """Chance of the goal with `scale` times the committed entries. [0-1]"""
        rounds = [
            (len(each.luck), estimate(each, chance_of_goal(each, self.view.goal, scale)))
            for each in _rounds(self.view, DrawStore(self.trials, drivers(self.view), self.seed))
        ]
        return averaged([chance for _, chance in rounds], [count for count, _ in rounds]).value

    def goal_at(self, confidence: float) -> float:
        """The highest goal that the year's entries, as they stand, reach with `confidence`. [plan currency]"""
        chances = self.detail.chances

        def missed(goal: float) -> float:
            return float(chances.below(goal).mean()) - (1 - confidence)

        high = 2 * max(float(self.detail.arr.max()), 1.0)
        while missed(high) < 0:
            high *= 2
        return 0.0 if missed(0.0) >= 0 else float(brentq(missed, 0.0, high, xtol=1e-9 * high))

    def within(self, months: slice) -> Outcome:
        """How the new ARR of some months of the year comes out, with the same trials: one that has begun, and those after it."""
        return _swept(self.trials, self.seed, outlook(self.year, counted=months))

    def at_confidence(self, confidence: float) -> Simulation:
        """The same year with the same trials and seed, to be signed at another confidence."""
        plan = self.year.plan
        commit = plan.commit.model_copy(update={"confidence": confidence})
        year = replace(self.year, plan=plan.model_copy(update={"commit": commit}))
        return simulate(year, self.trials, self.seed)

    @property
    def cost_of_uncertainty(self) -> float:
        """What the plan loses in expectation because its lags are not certain. [plan currency]

        Worked out by quadrature, not drawn; 0 where `lag_cv` is 0.
        """
        return self.view.planned_arr - self.view.expected_arr

    @cached_property
    def all_hold(self) -> tuple[int, float]:
        """How many assumptions are uncertain, and the chance that none comes out worse than planned. [0-1]"""
        return chance_all_hold(self.view)

    @cached_property
    def signed_parts(self) -> SignedParts:
        """The number to sign, in parts: with the same seed, the market held still, then the rates known too."""
        still = replace(self.view, rho=0.0, lags=LagScale(0.0), landing=self.view.landing[:, -1:], volume_cv=0.0)
        certain = replace(still, rates=UncertainRates(still.rates.mean, np.full(len(still.rates.mean), np.inf)))
        scales, scatter = [], []
        for view in (certain, still, self.view):
            trials = self.detail if view is self.view else trials_of(view, self.detail_store)
            (point,) = commit_curve(trials, view.goal, (self.confidence,))
            scales.append(point.scale.value)
            scatter.append(float(trials.arr.var()))
        moved = float(np.sqrt(max(scatter[2] - scatter[1], 0.0))) / max(self.outcome.mean.value, 1e-9)
        luck, still_market, everything = scales
        return SignedParts(luck, still_market, everything, moved)

    @cached_property
    def tornado(self) -> tuple[Swing, ...]:
        """What each driver moves, the largest first."""
        return tornado(self.view, self.detail, self.detail_store)

    @cached_property
    def goal_seek(self) -> tuple[Sought, ...]:
        """Volume, deal size and win rate that would each give the plan's confidence."""
        return goal_seek(self.view, self.detail, self.detail_store, self.confidence)

    @cached_property
    def fan(self) -> Fan:
        """P10, P50 and P90 of every stage and month."""
        return fan(self.year, self.view, self.detail_store, self.year.plan.stage_ids)

    @cached_property
    def arr_bands(self) -> np.ndarray:
        """P10, P50 and P90 of the ARR closed by the end of each month, as in `fan`: shape (3, 12). [plan currency]"""
        return fan(self.year, self.view, self.detail_store, self.year.plan.stage_ids[-1:]).arr

    @cached_property
    def given_commit(self) -> dict[str, Outcome]:
        """By stage: the year if exactly the commit enters it, so that only what follows is uncertain."""
        views = {stage: outlook(self.year, stage) for stage in self.year.plan.stage_ids}
        store = DrawStore(self.detail_store.trials, drivers(self.view), self.seed)
        return {stage: outcome(trials_of(view, store), view.goal) for stage, view in views.items()}

    @cached_property
    def detail_store(self) -> DrawStore:
        """The random numbers behind `detail`."""
        wide = drivers(self.view)
        most = max(min(DETAILED, NORMALS // wide), LEAST_DETAILED)
        return DrawStore(min(self.trials, most), wide, self.seed)

    @cached_property
    def detail(self) -> Trials:
        """The trials behind what is not signed."""
        return trials_of(self.view, self.detail_store)


def limited_by(simulation: Simulation) -> dict[str, float | None]:
    """Share of the simulated years that people, demand or a source's ceiling limits; None where people are not considered.

    A year is limited by people where they hold back more than half a percent of the goal; by budget where they do
    not and the plan misses its goal at the ceiling of a source.
    """
    trials = simulation.detail
    if trials.demand is None:
        return {PEOPLE: None, DEMAND: None, BUDGET: None}
    kept = trials.demand.asked() - trials.demand.arr()
    share = float((kept > KEPT_BACK * simulation.view.goal).mean())
    budget = 1 - share if capped_segments(simulation.year) else 0.0
    return {PEOPLE: share, DEMAND: 1 - share - budget, BUDGET: budget}


def simulate(year: PlannedYear, trials: int = TRIALS, seed: int = SEED, progress: Progress | None = None) -> Simulation:
    """The distribution of the year's new ARR, its committed entries taken as planned.

    Parameters
    ----------
    year
        The computed plan.
    trials
        How many; memory does not grow with them.
    seed
        The same seed gives the same bits, whatever the machine's number of cores.
    progress
        Called with done, total and what is being worked on.

    Raises
    ------
    PlanError
        If trials or seed are no whole numbers within their limits.
    """
    view = outlook(year)
    asked = (year.plan.commit.confidence, STRETCH, *CONFIDENCES)
    found, (signed, stretch, *curve) = run(view, DrawStore(trials, drivers(view), seed), asked, progress)
    return Simulation(year, view, trials, seed, found, tuple(curve), signed, stretch)


def run(
    view: Outlook, store: DrawStore, confidences: Sequence[float], progress: Progress | None = None
) -> tuple[Outcome, tuple[CurvePoint, ...]]:
    """The outcome over all trials of `store`, and the commit curve at `confidences`.

    Rounds are independent: several are worked on at once, and averaged in their order.
    """
    rounds = list(store.rounds(ROUND))

    def one(numbers: range) -> tuple[int, Outcome, tuple[CurvePoint, ...]]:
        trials = trials_of(view, store, numbers)
        return len(trials.luck), outcome(trials, view.goal), commit_curve(trials, view.goal, confidences)

    results = list(_told(in_order(one, rounds), len(rounds), progress))
    counts, outcomes, curves = zip(*results, strict=True)
    return merged(zip(counts, outcomes, strict=True)), merged_curve(zip(counts, curves, strict=True))


def sweep(
    views: Sequence[Outlook],
    trials: int = TRIALS,
    seed: int = SEED,
    progress: Progress | None = None,
) -> tuple[Outcome, ...]:
    """The outcome of each of many variations of a year, all with the same random numbers.

    For thousands of scenarios, which are worked on in threads.
    """
    return tuple(_told(in_order(partial(_swept, trials, seed), views), len(views), progress))


def _swept(trials: int, seed: int, view: Outlook) -> Outcome:
    store = DrawStore(trials, drivers(view), seed)
    return merged((len(each.luck), outcome(each, view.goal)) for each in _rounds(view, store))


def _rounds(view: Outlook, store: DrawStore) -> Iterator[Trials]:
    return (trials_of(view, store, numbers) for numbers in store.rounds(ROUND))


def _told(results: Iterable[Result], total: int, progress: Progress | None) -> Iterator[Result]:
    for done, result in enumerate(results, 1):
        if progress:
            progress(done, total, "simulation")
        yield result


def chance_all_hold(view: Outlook) -> tuple[int, float]:
    """How many assumptions are uncertain, and the chance that every one is met or exceeded. [0-1]

    Each alone is met about every second time; rates share the market, volumes and lags do not.
    """
    count, chance = view.rates.chance_all_hold(view.rho)
    if view.volume_cv > 0:
        volumes = len(view.source_names)
        count, chance = count + volumes, chance * float(ndtr(-np.sqrt(np.log1p(view.volume_cv**2)) / 2)) ** volumes
    if view.lags.cv > 0:
        count, chance = count + 1, chance * float(ndtr(view.lags.sigma / 2))
    return count, chance
