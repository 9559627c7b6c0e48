"""Which driver decides: the year at each driver's own P10 and P90, and its share of the year's variance."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtri

from revplan.capacity.limits import People
from revplan.funnel.funnel import YEAR
from revplan.ground.errors import shown
from revplan.ground.formats import steady_order
from revplan.ground.lag import Z90
from revplan.simulation.draws import DrawStore
from revplan.simulation.outlook import LimitedMonths, Outlook
from revplan.simulation.trials import (
    LAG,
    LUCK,
    MARKET,
    SHARED,
    Chances,
    Trials,
    cumulants,
    demand_of,
    drivers,
    monthly,
    wins,
)

OF_PEOPLE = "people: who comes, leaves and ramps"
COLUMNS = 256  # settings of the drivers worked out together


@dataclass(frozen=True)
class Swing:
    """What one driver moves. [plan currency]"""

    driver: str
    low: float
    """New ARR with the driver at its P10, the others at their medians."""
    high: float
    """New ARR with the driver at its P90, the others at their medians."""
    share: float
    """Share of the year's variance that goes with this driver alone. [0-1]"""


def tornado(view: Outlook, trials: Trials, store: DrawStore) -> tuple[Swing, ...]:
    """Every driver that is uncertain, the largest swing first."""
    named = list(_named(view))
    shares = _shares(trials, store)
    arr = _arr_at(view, [number for number, _ in named])
    swings = [
        Swing(name, float(low), float(high), float(shares[number]))
        for (number, name), (low, high) in zip(named, arr, strict=True)
    ]
    if view.months is not None and trials.demand is not None:
        swings.append(_of_people(view, view.months.people, trials))
    order = steady_order([-abs(swing.high - swing.low) for swing in swings])
    return tuple(swings[number] for number in order)


def _named(view: Outlook) -> Iterator[tuple[int, str]]:
    """The drivers that are uncertain: their row in the bank, and what a reader calls them."""
    unsure = np.flatnonzero(~view.rates.certain)
    if view.rho > 0 and len(unsure):
        yield MARKET, "the market (all rates together)"
    if view.lags.cv > 0:
        yield LAG, "lags"
    yield LUCK, "number and size of deals"
    if view.volume_cv > 0:
        yield from ((SHARED + index, f"volume of {shown(name)}") for index, name in enumerate(view.source_names))
    rates = SHARED + len(view.source_names)
    yield from ((rates + int(index), f"rate {view.rate_names[index]}") for index in unsure)


def _arr_at(view: Outlook, numbers: list[int]) -> np.ndarray:
    """New ARR with each driver at its P10 and at its P90: shape (drivers, 2). [plan currency]"""
    settings = np.zeros((drivers(view), 2 * len(numbers)))
    for index, number in enumerate(numbers):
        settings[number, 2 * index : 2 * index + 2] = -Z90, Z90
    found = [_arr(view, settings[:, start : start + COLUMNS]) for start in range(0, settings.shape[1], COLUMNS)]
    return np.concatenate(found).reshape(-1, 2)


def _arr(view: Outlook, settings: np.ndarray) -> np.ndarray:
    rates = SHARED + len(view.source_names)
    own = settings[rates : rates + len(view.rates.mean)] + np.sqrt(view.rho) * settings[MARKET]
    volumes = settings[SHARED:rates]
    if view.months is not None:
        return _limited(view, view.months, (own, settings[LAG], volumes), settings[LUCK])
    fixed, scaled = cumulants(view, wins(view, own, settings[LAG], volumes))
    return Chances.of_cumulants(fixed + scaled).quantile(settings[LUCK])


def _limited(
    view: Outlook, months: LimitedMonths, normals: tuple[np.ndarray, np.ndarray, np.ndarray], luck: np.ndarray
) -> np.ndarray:
    """ARR where people limit it, the people as they are in the mean; the year's luck falls on its months alike."""
    count = months.drivers
    spread = np.broadcast_to(luck / np.sqrt(count), (count, len(luck)))
    capacity = np.broadcast_to(months.people.typical, (*months.people.typical.shape[:2], len(luck)))
    parts = np.empty((2, months.segments, YEAR, len(luck)))
    monthly(view, months, *normals, out=parts)
    return demand_of(view, months, parts, spread, capacity).arr()


def _of_people(view: Outlook, people: People, trials: Trials) -> Swing:
    """What the people move: the year with demand at its median, in drawn years of little and of much capacity."""
    assert trials.demand is not None
    drawn = trials.demand.capacity.sum(axis=(0, 1))
    low, high = np.quantile(drawn, (0.1, 0.9)) / max(float(drawn.mean()), 1e-12)
    median = trials.demand.at_median()
    ends = [replace(median, capacity=people.typical * factor).arr()[0] for factor in (low, high)]
    together = np.corrcoef(_scores(drawn), _scores(trials.arr))[0, 1] if drawn.std() > 0 else 0.0
    return Swing(OF_PEOPLE, float(ends[0]), float(ends[1]), float(together**2))


def _scores(values: np.ndarray) -> np.ndarray:
    """Normal scores of some values."""
    found = np.empty(len(values))
    found[np.argsort(values, kind="stable")] = ndtri((np.arange(len(values)) + 0.5) / len(values))
    return found


def _shares(trials: Trials, store: DrawStore) -> np.ndarray:
    """Squared rank correlation of each driver with the year's ARR; drivers are independent. [0-1]

    The rank regression of Saltelli and Sobol (1995, https://doi.org/10.1016/0951-8320(95)00099-2), in
    normal scores; what is missing to 1 is what drivers do together.
    """
    scores = _scores(trials.arr)
    together, squares, begin = np.zeros(store.drivers), np.zeros(store.drivers), 0
    for number in range(store.blocks):
        normals = store.block(number)
        part = scores[begin : begin + normals.shape[1]]
        together += np.einsum("dn,n->d", normals, part)
        squares += np.einsum("dn,dn->d", normals, normals)
        begin += normals.shape[1]
    shares = together**2 / np.maximum(squares * float(scores @ scores), 1e-300)
    if trials.demand is not None:  # the luck of the deals is drawn by month and segment
        shares[LUCK] = shares[len(shares) - trials.demand.luck.shape[0] * trials.demand.luck.shape[1] :].sum()
    return shares
