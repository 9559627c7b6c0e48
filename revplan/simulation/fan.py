"""The fan: P10, P50 and P90 of every stage in every month, and of the ARR closed by then.

Given the rates, entries of a stage in a month are Poisson with a mean that is linear in the products
of rates along the path; how the lags move them between months is a polynomial in one normal. Bands
are marginal: each holds for its own stage and month, none for several at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.hermite_e import hermevander

from revplan.funnel.funnel import YEAR
from revplan.funnel.year import PlannedYear
from revplan.simulation.draws import DrawStore
from revplan.simulation.outlook import (
    TERMS,
    Outlook,
    entries_by_month,
    month_factors,
    open_by_month,
    opened_rows,
    tied_months,
)
from revplan.simulation.trials import LAG, LUCK, split, trials_of, volume_factors

BANDS = (0.10, 0.50, 0.90)
MOST_TRIALS = 4096  # bands are drawn, not signed: more trials move them by less than a line's width


@dataclass(frozen=True, eq=False)
class Fan:
    """Bands by stage and month of the year: shape (3, stages, 12) for P10, P50 and P90."""

    entries: np.ndarray
    """Entries into each stage. [records]"""
    planned: np.ndarray
    """Shape (stages, 12): the deterministic plan. [records]"""
    arr: np.ndarray
    """Shape (3, 12): new ARR closed in the year by the end of each month. [plan currency]"""
    planned_arr: np.ndarray
    """Shape (12,): the deterministic plan. [plan currency]"""


@dataclass(frozen=True, eq=False)
class _StageFlow:
    """Entries of one stage that one cell, or a group of open records, brings."""

    stage: int
    path: tuple[int, ...]
    """Rates passed to get there."""
    loads: np.ndarray
    """Entries by month if every rate were 1, by Hermite term of the lag's normal: shape (12, TERMS + 1);
    of won flows also their ARR and its second moment: (36, TERMS + 1)."""
    planned: np.ndarray
    """Shape (12,): entries of the plan. [records]"""
    volume: int
    value: float = 0.0
    """Mean value of a win; 0 before won. [plan currency]"""

    @property
    def is_won(self) -> bool:
        """Whether the flow ends at won."""
        return len(self.loads) > YEAR


def fan(year: PlannedYear, view: Outlook, store: DrawStore, stages: Sequence[str]) -> Fan:
    """The bands of a planned year, of some of its stages: of all of them, or of won alone, which takes less time."""
    flows = list(_flows(year, view, stages))
    parts = [_block(flows, view, store.block(number), len(stages)) for number in _blocks(store)]
    entries, arr = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
    planned = np.zeros((len(stages), YEAR))
    money = np.zeros(YEAR)
    for flow in flows:
        planned[flow.stage] += flow.planned
        money += flow.value * flow.planned
    won = np.cumsum(year.won_arr[:, :YEAR].sum(axis=0))
    planned[-1] += year.won_wins[:, :YEAR].sum(axis=0)
    closed = _closed(view, store)
    if closed is not None:
        entries[-1] *= closed[1]
        arr = closed[0]
    entries[-1] += year.won_wins[:, :YEAR].sum(axis=0)[:, None]
    return Fan(_bands(entries), planned, _bands(arr + won[:, None]), np.cumsum(money) + won)


def _closed(view: Outlook, store: DrawStore) -> tuple[np.ndarray, np.ndarray] | None:
    """ARR closed by the end of each month where people limit it, and over what demand brings in the month; else None."""
    demand = trials_of(view, store, _blocks(store)).demand if view.months is not None else None
    if demand is None:
        return None
    asked, found = demand.drawn().sum(axis=0), demand.booked().sum(axis=0)
    return np.cumsum(found, axis=0), np.where(asked > 0, found / np.where(asked > 0, asked, 1.0), 0.0)


def _blocks(store: DrawStore) -> range:
    return range(min(store.blocks, max(MOST_TRIALS // store.size, 1)))


def _flows(year: PlannedYear, view: Outlook, stages: Sequence[str]) -> Iterator[_StageFlow]:
    """The flows into some stages, the last of which is won."""
    new = np.flatnonzero(~view.is_open).tolist()
    for row, cell, flow in zip(new, year.cells, year.flows, strict=True):
        path = _steps(view, row)
        for index, stage in enumerate(cell.stages):
            if stage not in stages:
                continue
            planned = year.in_year(flow[index])
            months = entries_by_month(cell.lags[:index], flow[0], year.start, -year.first, month_factors(view.lags))
            loads = tied_months(months, planned / cell.rates_from_entry[index], view.lags)
            volume, value = int(view.volumes[row]), 0.0
            if index == cell.won:
                loads, value = _with_money(loads, view, row), float(view.value[row])
            yield _StageFlow(stages.index(stage), path[:index], loads, planned, volume, value)
    yield from _open_flows(year, view, len(stages) - 1)


def _open_flows(year: PlannedYear, view: Outlook, won: int) -> Iterator[_StageFlow]:
    rows = np.flatnonzero(view.is_open).tolist()
    stretched = open_by_month(year, month_factors(view.lags))
    for row, (_, _, found), months in zip(rows, opened_rows(year), stretched, strict=True):
        rate, planned = float(view.path_rates[row]), found.wins[:YEAR]
        loads = _with_money(tied_months(months / rate, planned / rate, view.lags), view, row)
        none = len(view.source_names)
        yield _StageFlow(won, _steps(view, row), loads, planned, none, float(view.value[row]))


def _with_money(loads: np.ndarray, view: Outlook, row: int) -> np.ndarray:
    value, spread = view.value[row], view.spread[row]
    return np.concatenate([loads, loads * value, loads * (value**2 + spread**2)])


def _steps(view: Outlook, row: int) -> tuple[int, ...]:
    return tuple(int(step) for step in view.paths[row] if step < len(view.rates.mean))


def _block(flows: list[_StageFlow], view: Outlook, normals: np.ndarray, stages: int) -> tuple[np.ndarray, np.ndarray]:
    """Entries by stage and month, and cumulated ARR, in each trial of a block."""
    drawn, strays = split(view, normals)
    own, volumes = view.rates.at(drawn), volume_factors(view, strays[: len(view.source_names)])
    terms = TERMS + 1 if view.lags.cv > 0 else 1
    basis = hermevander(normals[LAG], terms - 1).T
    excess = view.rates.excess(_padded(flows, len(view.rates.mean)), view.rho)
    means, won = np.zeros((stages, YEAR, normals.shape[1])), np.zeros((3, YEAR, normals.shape[1]))
    for flow, taken in zip(flows, excess, strict=True):
        weight = volumes[flow.volume] / taken
        for step in flow.path:
            weight = weight * own[step]
        target = won if flow.is_won else means[flow.stage][None]
        target += (flow.loads[:, :terms] @ (basis * weight)).reshape(target.shape)  # too small for BLAS to split
    means[-1] = won[0]
    return _with_luck(means, won[1:], normals[LUCK])


def _with_luck(means: np.ndarray, money: np.ndarray, luck: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Poisson entries and compound Poisson ARR at a standard normal, good for each month by itself.

    The term in luck squared is the first of the Cornish-Fisher expansion of a Poisson quantile.
    """
    means = np.maximum(means, 0.0)
    entries = np.sqrt(means)
    entries *= luck
    entries += means
    entries += (luck**2 - 1) / 6 * (means > 0)
    mean, variance = np.cumsum(np.maximum(money, 0.0), axis=1)
    return np.maximum(entries, 0.0, out=entries), np.maximum(mean + np.sqrt(variance) * luck, 0.0)


def _padded(flows: list[_StageFlow], none: int) -> np.ndarray:
    width = max(len(flow.path) for flow in flows)
    return np.array([[*flow.path, *[none] * (width - len(flow.path))] for flow in flows]).reshape(len(flows), width)


def _bands(values: np.ndarray) -> np.ndarray:
    """P10, P50 and P90 along the last axis, which becomes the first."""
    return np.quantile(values, BANDS, axis=-1, method="hazen")
