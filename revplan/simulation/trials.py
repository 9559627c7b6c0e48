"""Chances of a year's ARR given its rates: a compound Poisson sum by its first three cumulants.

The sum is taken as a cubic of a standard normal with the same mean, variance and skewness: the
cube-root transformation of Wilson and Hilferty (1931, https://doi.org/10.1073/pnas.17.12.684). Mixed
over the trials it gives a smooth distribution function, so a quantile is not the step function of a
sample: conditional Monte Carlo (Asmussen and Glynn, 2007, ISBN 978-0-387-69033-9, chapter V).

The trials: for each, the first three cumulants of the year's ARR given its rates, lags and volumes.

How many deals then come, and how large they are, is left to the law of compound Poisson sums: its
first three cumulants are matched and its chances integrated without drawing (class `Chances`).

How the year may come out: bands, chances, shortfalls, each with its Monte-Carlo standard error.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache

import numpy as np
from numpy.polynomial.hermite_e import hermevander
from scipy.interpolate import PchipInterpolator
from scipy.special import ndtr, ndtri

from revplan.capacity.limits import Demand
from revplan.funnel.funnel import YEAR
from revplan.simulation.draws import DrawStore
from revplan.simulation.outlook import LimitedMonths, Outlook

LEAST_BEND, MOST_BEND = 1e-4, 0.5  # below, the cubic is the normal itself; above, less than one deal is expected
LEAST_RISE = 1e-9  # chances closer than this to each other, or to 0 or 1, say nothing


@dataclass(frozen=True, eq=False)
class Chances:
    """The law of ARR, one per trial; their mixture is the law of the year."""

    mean: np.ndarray
    sd: np.ndarray
    bend: np.ndarray
    """A sixth of the skewness."""

    @classmethod
    def of_cumulants(cls, cumulants: np.ndarray) -> Chances:
        """The law with the given mean, variance and third cumulant: shape (3, trials)."""
        mean, variance, third = cumulants
        sd = np.sqrt(np.maximum(variance, 1e-24 * np.maximum(mean, 1.0) ** 2))
        bend = np.clip(third / (6 * sd**3), -MOST_BEND, MOST_BEND)
        return cls(mean, sd, np.where(np.abs(bend) < LEAST_BEND, LEAST_BEND, bend))

    def quantile(self, normal: np.ndarray) -> np.ndarray:
        """ARR of each trial at a standard normal of its own. [plan currency]"""
        return np.maximum(self.mean + self.sd * self.deviation(normal), 0.0)

    def deviation(self, normal: np.ndarray) -> np.ndarray:
        """How many standard deviations from its mean each trial's ARR lies at a standard normal."""
        g = self.bend
        return ((1 - g**2 + g * normal) ** 3 - 1) / (3 * g) + g**5 / 3

    @cached_property
    def _lines(self) -> tuple[np.ndarray, ...]:
        """What the way back from an ARR to its normal needs: the cube of a root is a + b ARR, the normal c + d root."""
        g = self.bend
        slope = 3 * g / self.sd
        return 1 - g**6 - slope * self.mean, slope, g - 1 / g, 1 / g

    def _normal(self, x: float) -> np.ndarray:
        """The standard normal at which each trial's ARR is x."""
        a, b, c, d = self._lines
        found = b * x
        found += a
        np.cbrt(found, out=found)
        found *= d
        found += c
        return found

    def below(self, x: float) -> np.ndarray:
        """Chance of less than `x` in each trial; ARR is never below 0. [0-1]"""
        return ndtr(self._normal(x)) if x > 0 else np.zeros(len(self.mean))

    def shortfall(self, x: float) -> np.ndarray:
        """Expected amount by which ARR misses `x` in each trial: E[max(x - ARR, 0)]. [plan currency]"""
        if x <= 0:
            return np.zeros(len(self.mean))
        g, normal = self.bend, self._normal(x)
        a, density, part = 1 - g**2, np.exp(-(normal**2) / 2) / np.sqrt(2 * np.pi), ndtr(normal)
        cube = a**3 * part - 3 * a**2 * g * density + 3 * a * g**2 * (part - normal * density)
        cube -= g**3 * (normal**2 + 2) * density
        deviation = (cube - part) / (3 * g) + g**5 / 3 * part
        return np.maximum((x - self.mean) * part - self.sd * deviation, 0.0)


@dataclass(frozen=True, eq=False)
class DrawnArr:
    """ARR drawn in each trial, where people limit it and no law of it is known; read like `Chances`."""

    mean: np.ndarray

    @property
    def sd(self) -> np.ndarray:
        """None: the trial's ARR is drawn."""
        return np.zeros(len(self.mean))

    def quantile(self, normal: np.ndarray) -> np.ndarray:
        """The ARR drawn. [plan currency]"""
        return self.mean

    def below(self, x: float) -> np.ndarray:
        """Whether it is less than `x`: 0 or 1 in each trial."""
        return (self.mean < x).astype(float)

    def shortfall(self, x: float) -> np.ndarray:
        """By how much it misses `x` in each trial. [plan currency]"""
        return np.maximum(x - self.mean, 0.0)


@dataclass(frozen=True, eq=False)
class Inverse:
    """A rising chance, known at some nodes, read backwards: a monotone curve through them.

    Chances are joined in normal scores, in which the law of a year is nearly straight.
    """

    nodes: np.ndarray
    chances: np.ndarray

    @classmethod
    def through(cls, nodes: np.ndarray, chances: np.ndarray) -> Inverse:
        """The curve through the nodes at which the chance rises."""
        rising = np.append(True, np.diff(np.maximum.accumulate(chances)) > LEAST_RISE)[: len(nodes)]
        inside = rising & (chances > LEAST_RISE) & (chances < 1 - LEAST_RISE)
        kept = inside if inside.any() else rising
        return cls(nodes[kept], np.clip(chances[kept], LEAST_RISE, 1 - LEAST_RISE))

    @cached_property
    def _curve(self) -> PchipInterpolator:
        return PchipInterpolator(ndtri(self.chances), self.nodes)

    def at(self, chance: float) -> float:
        """Where the chance is `chance`; beyond the nodes the last of them."""
        if len(self.nodes) == 1:
            return float(self.nodes[0])
        return float(self._curve(ndtri(np.clip(chance, self.chances[0], self.chances[-1]))))

    def slope(self, chance: float) -> float:
        """By how much more the place changes than the chance, there; 0 beyond the nodes."""
        if len(self.nodes) == 1 or not self.chances[0] <= chance <= self.chances[-1]:
            return 0.0
        normal = ndtri(chance)
        density = np.exp(-(normal**2) / 2) / np.sqrt(2 * np.pi)
        return float(self._curve.derivative()(normal) / density)


MARKET, LAG, LUCK, SHARED = 0, 1, 2, 3  # drivers by row of the bank; then volumes by source, then rates
# Products of a matrix product that BLAS does not split: threads wait for each other on a busy machine.
ONE_THREAD = 2**18
ROUND = 2**15  # trials worked out together; more of them are averaged round by round


@dataclass(frozen=True, eq=False)
class Trials:
    """Trials of one year, `size` to a block."""

    fixed: np.ndarray
    """Shape (3, trials): cumulants of the ARR that comes without new entries; none where people limit what closes."""
    scaled: np.ndarray
    """Shape (3, trials): cumulants of the ARR that committed entries bring; they grow with the entries."""
    luck: np.ndarray
    """Standard normal of the number and size of deals."""
    size: int
    """Trials of a whole block."""
    demand: Demand | None = None
    """What would close by month, where people limit what does."""

    @cached_property
    def chances(self) -> Chances | DrawnArr:
        """The law of the year's ARR with the entries as planned."""
        return self.chances_at(1.0)

    def chances_at(self, scale: float, value: float = 1.0) -> Chances | DrawnArr:
        """The law of the year's ARR with `scale` times the entries, and `value` times the value of their deals."""
        if self.demand is not None:
            return DrawnArr(self.demand.arr(scale, value))
        powers = 1.0 if value == 1 else value ** np.arange(1, 4)[:, None]
        return Chances.of_cumulants(self.fixed + scale * powers * self.scaled)

    @cached_property
    def arr(self) -> np.ndarray:
        """The year's ARR in each trial, deals drawn. [plan currency]"""
        return self.chances.quantile(self.luck)

    def standard_error(self, per_trial: np.ndarray) -> float:
        """Monte-Carlo standard error of the mean of a quantity, from the scatter between blocks."""
        whole = len(per_trial) // self.size
        if whole < 2:
            return float("nan")
        means = per_trial[: whole * self.size].reshape(whole, self.size).mean(axis=1)
        return float(means.std(ddof=1) / np.sqrt(whole))


def drivers(view: Outlook) -> int:
    """Independent normals that a trial of `view` takes."""
    months = 0 if view.months is None else view.months.drivers
    return SHARED + len(view.source_names) + len(view.rates.mean) + (view.strays is not None) + months


def trials_of(view: Outlook, store: DrawStore, numbers: range | None = None) -> Trials:
    """The trials of some blocks of `store`; of all where none are named."""
    chosen = range(store.blocks) if numbers is None else numbers
    blocks = [store.block(number) for number in chosen]
    luck = np.concatenate([normals[LUCK] for normals in blocks])
    if view.months is not None:
        none = np.zeros((3, 0))
        return Trials(none, none, luck, store.size, _demand(view, view.months, store, chosen))
    found = []
    for normals in blocks:
        own, volumes = split(view, normals)
        found.append(cumulants(view, wins(view, own, normals[LAG], volumes)))
    fixed, scaled = (np.concatenate(part, axis=-1) for part in zip(*found, strict=True))
    return Trials(fixed, scaled, luck, store.size)


def split(view: Outlook, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The normals of the rates, the market in them, and those of the volumes and of the level of the steps."""
    rates = SHARED + len(view.source_names)
    after = rates + len(view.rates.mean)
    own = normals[rates:after]
    if view.rho > 0:
        own = np.sqrt(1 - view.rho) * own
        own += np.sqrt(view.rho) * normals[MARKET]
    volumes = normals[SHARED:rates]
    return own, volumes if view.strays is None else np.vstack([volumes, normals[after]])


def _demand(view: Outlook, months: LimitedMonths, store: DrawStore, numbers: range) -> Demand:
    """What would close by month in the trials of some blocks, and what the people can close in them."""
    luck = _month_luck(store, numbers, months.drivers)
    parts = np.empty((2, months.segments, YEAR, luck.shape[1]))
    begin = 0
    for number in numbers:
        normals = store.block(number)
        own, volumes = split(view, normals)
        end = begin + normals.shape[1]
        monthly(view, months, own, normals[LAG], volumes, out=parts[..., begin:end])
        begin = end
    capacity = months.people.of_trials(numbers.start * store.size, begin)
    return demand_of(view, months, parts, luck, capacity)


@lru_cache(maxsize=2)  # the same for every move of a slider
def _month_luck(store: DrawStore, numbers: range, drivers: int) -> np.ndarray:
    """Standard normals of the deals of each month, the last drivers of the store: shape (drivers, trials)."""
    return np.concatenate([store.block(number)[-drivers:] for number in numbers], axis=1)


def demand_of(
    view: Outlook, months: LimitedMonths, parts: np.ndarray, luck: np.ndarray, capacity: np.ndarray
) -> Demand:
    """Expected ARR by month in its two parts, with the luck of the deals and what the people can close."""
    fixed, scaled = parts
    return Demand(
        fixed=fixed,
        scaled=scaled,
        per_deal=_per_deal(view, months),
        worked=_worked(view, months),
        luck=luck.reshape(months.segments, YEAR, -1),
        capacity=capacity,
        people=months.people,
        won=view.won,
    )


def monthly(
    view: Outlook, months: LimitedMonths, rates: np.ndarray, lag: np.ndarray, volumes: np.ndarray, out: np.ndarray
) -> None:
    """Fills `out` with expected ARR without and of new entries by segment and month: shape (2, segments, 12, trials)."""
    weight = path_products(view, view.rates.at(rates))
    stray(view, volumes, weight)
    terms = months.loads.shape[2] if view.lags.cv > 0 else 1
    basis = hermevander(lag, terms - 1).T
    for part, wanted in zip(out, (view.is_open, ~view.is_open), strict=True):
        for segment in range(months.segments):
            rows = np.flatnonzero(wanted & (months.segment == segment))
            if len(rows):
                loads = (months.loads[rows, :, :terms] * view.value[rows, None, None]).transpose(1, 0, 2)
                mixed = (weight[rows, None] * basis).reshape(-1, len(lag))
                step = max(ONE_THREAD // (YEAR * len(mixed)), 1)
                for begin in range(0, len(lag), step):
                    some = slice(begin, begin + step)
                    np.matmul(loads.reshape(YEAR, -1), mixed[:, some], out=part[segment, :, some])
                np.maximum(part[segment], 0.0, out=part[segment])
            else:
                part[segment] = 0.0


def _planned(view: Outlook, months: LimitedMonths) -> np.ndarray:
    """Planned ARR of each row by month: shape (rows, 12). [plan currency]"""
    return months.loads[:, :, 0] * (view.path_rates * view.value)[:, None]


def _per_deal(view: Outlook, months: LimitedMonths) -> np.ndarray:
    """Second moment of a deal over its mean, as planned, by part, segment and month; of known records less their own."""
    first = _planned(view, months)
    second = first * (view.value_cumulants[1] / view.value)[:, None]
    found = np.ones((2, months.segments, YEAR))
    for part, wanted in enumerate((view.is_open, ~view.is_open)):
        for segment in range(months.segments):
            rows = wanted & (months.segment == segment)
            total = first[rows].sum(axis=0)
            found[part, segment] = np.where(total > 0, second[rows].sum(axis=0) / np.where(total > 0, total, 1.0), 1.0)
    return found


def _worked(view: Outlook, months: LimitedMonths) -> np.ndarray:
    """Share of each part's planned ARR by month that each load limit is about: shape (limits, 2, 12). [0-1]"""
    planned = _planned(view, months)
    found = np.zeros((len(months.people.loads), 2, YEAR))
    for number, limit in enumerate(months.people.loads):
        for part, wanted in enumerate((view.is_open, ~view.is_open)):
            here = wanted & (months.segment == limit.segment)
            total = planned[here].sum(axis=0)
            about = planned[here & months.worked[number]].sum(axis=0)
            found[number, part] = about / np.where(total > 0, total, 1.0)
    return found


def wins(view: Outlook, rates: np.ndarray, lag: np.ndarray, volumes: np.ndarray) -> np.ndarray:
    """Expected wins of each row in each trial, from the normals of its drivers: shape (rows, trials). [deals]"""
    found = path_products(view, view.rates.at(rates))
    found *= view.lags.read(view.landing, lag)
    stray(view, volumes, found)
    return np.maximum(found, 0.0, out=found)


def path_products(view: Outlook, rates: np.ndarray) -> np.ndarray:
    """Product of the rates along each row's path, the market's excess taken out: shape (rows, trials)."""
    rates = np.vstack([rates, np.ones((1, rates.shape[1]))])
    steps = view.paths.T[(view.paths != len(view.rates.mean)).any(axis=0)]
    found = np.repeat(1 / view.excess[:, None], rates.shape[1], axis=1)
    for step in steps:
        found *= rates[step]
    return found


def volume_factors(view: Outlook, normals: np.ndarray) -> np.ndarray:
    """Factor of each source's volume, log-normal with mean 1; a last row of ones. [ratio]"""
    sigma = np.sqrt(np.log1p(view.volume_cv**2))
    return np.vstack([np.exp(sigma * normals - sigma**2 / 2), np.ones((1, normals.shape[1]))])


def stray(view: Outlook, normals: np.ndarray, found: np.ndarray) -> None:
    """Multiplies each row of `found` by the factor of its volume, and by that of the level of its steps, log-normal with mean 1.

    The levels share one normal, the row of `normals` after those of the volumes; without it they are as expected.
    """
    sources = len(view.source_names)
    if view.volume_cv > 0:
        found *= volume_factors(view, normals[:sources])[view.volumes]
    if view.strays is not None and len(normals) > sources:
        sigma = view.strays[:, None]
        found *= np.exp(sigma * normals[sources] - sigma**2 / 2)


def cumulants(view: Outlook, wins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cumulants of ARR without new entries and of what committed entries bring: shape (3, trials) each."""
    fixed, scaled = (
        np.einsum("kr,rn->kn", view.value_cumulants[:, rows], wins[rows]) for rows in (view.is_open, ~view.is_open)
    )
    fixed[0] += view.won
    return fixed, scaled


LEVELS = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
NEAR, HALVINGS = 0.01, 30  # how far the chance at a node may lie from its share; how often that is mended
WORST = 0.10  # share of the years that the conditional value at risk averages over


@dataclass(frozen=True)
class SimulatedFigure:
    """A figure of the simulation and how far it may be off for want of trials."""

    value: float
    standard_error: float


@dataclass(frozen=True)
class Outcome:
    """The distribution of the year's new ARR. [plan currency]"""

    mean: SimulatedFigure
    sd: SimulatedFigure
    bands: tuple[SimulatedFigure, ...]
    """ARR that the year stays below with the chances LEVELS."""
    chance_of_goal: SimulatedFigure
    """Chance that new ARR reaches the goal. [0-1]"""
    expected_shortfall: SimulatedFigure
    """What is missed of the goal in expectation, E[max(goal - ARR, 0)]. [plan currency]"""
    cvar_10: SimulatedFigure
    """Mean of the worst tenth of the years. [plan currency]"""

    @property
    def p10(self) -> SimulatedFigure:
        """ARR that nine years in ten exceed. [plan currency]"""
        return self.bands[LEVELS.index(0.10)]

    @property
    def p50(self) -> SimulatedFigure:
        """ARR that every second year exceeds. [plan currency]"""
        return self.bands[LEVELS.index(0.50)]

    @property
    def p90(self) -> SimulatedFigure:
        """ARR that one year in ten exceeds. [plan currency]"""
        return self.bands[LEVELS.index(0.90)]


def outcome(trials: Trials, goal: float) -> Outcome:
    """The distribution of the year's ARR over `trials`, deals integrated out."""
    chances = trials.chances
    mean = float(chances.mean.mean())
    squares = chances.sd**2 + (chances.mean - mean) ** 2
    sd = float(np.sqrt(squares.mean()))
    bands = _bands(trials)
    p10 = bands[LEVELS.index(WORST)].value
    missed = chances.shortfall(p10) / WORST
    return Outcome(
        mean=SimulatedFigure(mean, trials.standard_error(chances.mean)),
        sd=SimulatedFigure(sd, trials.standard_error(squares) / (2 * sd) if sd > 0 else 0.0),
        bands=bands,
        chance_of_goal=estimate(trials, 1 - chances.below(goal)),
        expected_shortfall=estimate(trials, chances.shortfall(goal)),
        cvar_10=SimulatedFigure(max(p10 - float(missed.mean()), 0.0), trials.standard_error(missed)),
    )


def estimate(trials: Trials, per_trial: np.ndarray) -> SimulatedFigure:
    """The mean of a quantity over the trials."""
    return SimulatedFigure(float(per_trial.mean()), trials.standard_error(per_trial))


def _bands(trials: Trials) -> tuple[SimulatedFigure, ...]:
    """ARR at each of LEVELS: the chances at the quantiles of the draws, deals integrated out, read backwards."""
    shares = (LEVELS[0] / 2, *LEVELS, 1 - LEVELS[0] / 2)
    draws = np.sort(trials.arr)
    places, per_trial = zip(*(_place(trials, share, draws) for share in shares), strict=True)
    inverse = Inverse.through(np.array(places), np.array([float(each.mean()) for each in per_trial]))
    errors = [trials.standard_error(each) for each in per_trial[1:-1]]
    return tuple(
        SimulatedFigure(max(inverse.at(share), 0.0), error * inverse.slope(share))
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
        below = trials.chances.below(place)
        miss = float(below.mean()) - share
        if abs(miss) < NEAR:
            break
        low, high = (low, place) if miss > 0 else (place, high)
        place = (low + high) / 2
    return place, below


def averaged(estimates: Sequence[SimulatedFigure], trials: Sequence[int]) -> SimulatedFigure:
    """One estimate from those of independent rounds, weighted by their trials."""
    weights = np.asarray(trials, dtype=float) / sum(trials)
    values, errors = np.array([[each.value, each.standard_error] for each in estimates]).T
    finite = np.isfinite(errors)
    error = float(np.sqrt(((weights * errors)[finite] ** 2).sum())) if finite.any() else float("nan")
    return SimulatedFigure(float(weights @ values), error)


def merged(outcomes: Iterable[tuple[int, Outcome]]) -> Outcome:
    """One outcome from those of independent rounds, in their order."""
    counts, found = zip(*outcomes, strict=True)
    if len(found) == 1:
        return found[0]
    bands = tuple(averaged(same, counts) for same in zip(*(each.bands for each in found), strict=True))
    names = [field.name for field in fields(Outcome) if field.name != "bands"]
    return Outcome(bands=bands, **{name: averaged([getattr(each, name) for each in found], counts) for name in names})
