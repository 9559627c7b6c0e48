"""What of a flow still lands in the year when every delay takes longer, or less long, than planned.

All lags stretch by one log-normal factor with mean 1: a market in which deals take longer is one for
all. A path whose every step is stretched by a factor is stretched by it as a whole, so its delay is
composed once, and what lands by a given time is read off its integrated distribution.

The year as a simulation sees it: everything that does not change from trial to trial, worked out once.

Given the rates, wins of the year are Poisson: Poisson entries thinned by rates and displaced by lags
stay Poisson. So a cell needs one number, the wins its entries would bring if every rate were 1, times
the product of its rates; months and stages need not be simulated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain, pairwise

import numpy as np
from scipy.interpolate import PchipInterpolator

from revplan.capacity.limits import LoadLimit, People
from revplan.capacity.load import Workload, load_limits
from revplan.capacity.team import Pools, asked_capacity, drawn_pools
from revplan.funnel.funnel import YEAR, Cell
from revplan.funnel.pipeline import OpenGroup, OpenYield
from revplan.funnel.year import PlannedYear
from revplan.ground.calendar import MONTH_DAYS
from revplan.ground.errors import shown
from revplan.ground.lag import Lag, path_day_chances
from revplan.plan.parts import Transition
from revplan.simulation.draws import UncertainRates, hermite_projection, normal_quadrature

GRID = np.linspace(-5.5, 5.5, 265)  # normals at which what lands is tabulated; 0 is one of them
NODES = 64
TERMS, MONTH_NODES = 5, 9  # of the polynomial in the lag's normal that months are read from
TOGETHER = 64  # groups of open records worked out at once


@dataclass(frozen=True)
class LagScale:
    """The common factor of all lags: log-normal with mean 1 and coefficient of variation `cv`."""

    cv: float

    @property
    def sigma(self) -> float:
        """Standard deviation of the factor's logarithm."""
        return float(np.sqrt(np.log1p(self.cv**2)))

    @property
    def factors(self) -> np.ndarray:
        """Factors on the grid, the last one 1: the planned lags."""
        spread = self.at(GRID) if self.cv > 0 else np.zeros(0)
        return np.append(spread, 1.0)

    def at(self, normal: np.ndarray) -> np.ndarray:
        """The factor at given normals. [ratio]"""
        return np.exp(self.sigma * normal - self.sigma**2 / 2)

    def tied(self, landing: np.ndarray, planned: float) -> np.ndarray:
        """`landing` scaled so that the planned lags give exactly what the plan says."""
        if landing[-1] > 0:
            return landing * (planned / landing[-1])
        return np.append(landing[:-1], planned)

    def expected(self, landing: np.ndarray) -> np.ndarray:
        """What lands in expectation over the lag factor, by row."""
        if self.cv == 0:
            return landing[:, -1]
        points, weights = normal_quadrature(NODES)
        return np.stack([np.interp(points, GRID, row[:-1]) for row in landing]) @ weights

    def read(self, landing: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """What lands at given normals, by row: shape (rows, normals)."""
        if self.cv == 0:
            return np.broadcast_to(landing[:, -1:], (len(landing), len(normal)))
        place = np.clip((normal - GRID[0]) / (GRID[1] - GRID[0]), 0.0, len(GRID) - 1.000001)
        below = place.astype(np.intp)
        part = place - below
        return landing[:, below] * (1 - part) + landing[:, below + 1] * part


def entries_landing(
    lags: tuple[Lag, ...], entries: np.ndarray, start: float, window: tuple[int, int], scale: LagScale
) -> np.ndarray:
    """Records of a flow that arrive within a window of months, by lag factor. [records]

    Parameters
    ----------
    lags
        The lags of the path.
    entries
        Entries by month; they are spread evenly over each.
    start
        Share of the flow's first month that is over before the first record enters. [0-1)
    window
        First month of the window and the month after its last, counted from the flow's first.
    scale
        The lag factor.
    """
    months = np.array([max(window[0], 0), window[1]])
    before, by_end = _arrived(lags, entries, start, months, scale.factors).T
    return by_end - before


def entries_by_month(
    lags: tuple[Lag, ...], entries: np.ndarray, start: float, begin: int, factors: np.ndarray
) -> np.ndarray:
    """Records of a flow that arrive in each month of the year: shape (factors, 12). [records]

    `begin` is the first month of the year counted from the flow's first; negative where the year has begun.
    """
    edges = np.maximum(np.arange(begin, begin + YEAR + 1), 0)
    return np.diff(_arrived(lags, entries, start, edges, factors), axis=1)


def landing_chances(lags: tuple[Lag, ...], months: int, start: float, window: tuple[int, int]) -> np.ndarray:
    """Chance that a record entering in each of `months` arrives within the window, at the planned lags. [0-1]"""
    edges = np.array([max(window[0], 0), window[1]])
    before, by_end = _shares(lags, months, start, edges, np.ones(1))[0]
    return by_end - before


def _arrived(
    lags: tuple[Lag, ...], entries: np.ndarray, start: float, edges: np.ndarray, factors: np.ndarray
) -> np.ndarray:
    """Records that have arrived by each of the month edges: shape (factors, edges). [records]"""
    months = min(len(entries), max(int(edges[-1]), 0))
    return _shares(lags, months, start, edges, factors) @ entries[:months]


def _shares(lags: tuple[Lag, ...], months: int, start: float, edges: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Share of each month's entries that has arrived by each edge: shape (factors, edges, months). [0-1]"""
    begins, ends = np.arange(months) * 1.0, np.arange(1, months + 1)
    begins[:1] += start
    area, scale = _area(lags), factors[:, None, None]
    left = edges[None, :, None] / scale
    gone = _integrated(area, left - begins / scale) - _integrated(area, left - ends / scale)
    return scale * gone / (ends - begins)


def _area(lags: tuple[Lag, ...]) -> np.ndarray:
    """Integral of the path's distribution function from 0 to each whole day. [days]

    Delays of a path sit on whole days, so it is straight in between.
    """
    return np.concatenate([[0.0], np.cumsum(np.cumsum(path_day_chances(lags)))])


def _integrated(area: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Integral of the path's distribution function from 0 to `months`. [months]"""
    days = np.maximum(months * MONTH_DAYS, 0.0)
    below = np.minimum(days, len(area) - 2).astype(np.intp)  # beyond the last day every record has arrived
    return (area[below] + (days - below) * (area[below + 1] - area[below])) / MONTH_DAYS


def opened_rows(year: PlannedYear) -> list[tuple[Cell, OpenGroup, OpenYield]]:
    """The groups of open records that bring wins in the year, each with its cell."""
    return [
        (cell, group, found)
        for cell, groups in zip(year.cells, year.open_yields, strict=True)
        for group, found in groups
        if found.wins[:YEAR].sum() > 0
    ]


def open_by_month(year: PlannedYear, factors: np.ndarray) -> Iterator[np.ndarray]:
    """Wins in each month of the year from each of `opened_rows`, what is left of their delay stretched: shape (factors, 12). [deals]"""
    wins = [found.coming if year.first < 0 else found.wins[year.first :] for _, _, found in opened_rows(year)]
    edges = np.maximum(np.arange(YEAR + 1) - year.first - year.start, 0.0) / factors[:, None]
    for begun in range(0, len(wins), TOGETHER):
        months = np.stack(wins[begun : begun + TOGETHER])
        times = np.maximum(np.arange(months.shape[1] + 1) - year.start, 0.0)
        curves = PchipInterpolator(times, np.pad(np.cumsum(months, axis=1), ((0, 0), (1, 0))), axis=1)
        yield from np.diff(curves(np.minimum(edges, times[-1])), axis=2)


@dataclass(frozen=True, eq=False)
class LimitedMonths:
    """The months of a year whose bookings people limit."""

    people: People
    loads: np.ndarray
    """Shape (rows, 12, terms): wins by month if every rate were 1, by Hermite term of the lag's normal. [deals]"""
    segment: np.ndarray
    """Segment of each row."""
    worked: np.ndarray
    """Shape (load limits, rows): whether a row's records are those that a load limit is about."""
    segments: int

    @property
    def drivers(self) -> int:
        """Independent normals that a trial takes for number and size of the deals of each month."""
        return self.segments * YEAR


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a simulation needs to know of a year; a row is what one cell's entries or open records bring."""

    goal: float
    """New ARR the year must bring. [plan currency]"""
    won: float
    """New ARR closed before the plan date. [plan currency]"""
    rates: UncertainRates
    paths: np.ndarray
    """Shape (rows, steps): the rates a row's wins pass; the number of rates stands for none."""
    landing: np.ndarray
    """Shape (rows, lags): wins in the year if every rate were 1, on the grid of the lag scale. [deals]"""
    is_open: np.ndarray
    """Whether the row is open records, which do not grow with the entries."""
    volumes: np.ndarray
    """Which volume a row's entries stray with; the number of sources stands for none."""
    value: np.ndarray
    """Mean value of a win. [plan currency]"""
    spread: np.ndarray
    """Standard deviation of the value from win to win. [plan currency]"""
    chance: np.ndarray
    """Chance of a win of each single record where their number is known; 0 where it is not. [0-1]"""
    rho: float
    lags: LagScale
    volume_cv: float
    rate_names: tuple[str, ...] = ()
    source_names: tuple[str, ...] = ()
    strays: np.ndarray | None = None
    """How far each row strays with the level of its steps: standard deviation of a common factor's logarithm; None where none does."""
    months: LimitedMonths | None = None
    """When in the year the rows' wins come, where people limit what is closed; None where they are not considered."""

    @cached_property
    def excess(self) -> np.ndarray:
        """What the market adds to the expected product of each row's rates; taken out again. [ratio]"""
        return self.rates.excess(self.paths, self.rho)

    @cached_property
    def path_rates(self) -> np.ndarray:
        """Product of the mean rates of each row. [0-1]"""
        return np.append(self.rates.mean, 1.0)[self.paths].prod(axis=1)

    def with_last_rates(self, change: Callable[[np.ndarray], np.ndarray]) -> Outlook:
        """The same with other rates of the last step: what `change` makes of them, none above 1."""
        mean, last = self.rates.mean.copy(), self.last_rates
        mean[last] = np.clip(change(mean[last]), 1e-9, 1.0)
        return replace(self, rates=UncertainRates(mean, self.rates.evidence))

    @property
    def last_rates(self) -> np.ndarray:
        """The rates of the last step, by number."""
        last = np.unique(self.paths[:, -1])
        return last[last < len(self.rates.mean)]

    @property
    def planned_wins(self) -> np.ndarray:
        """Wins of each row at the mean rates and lags. [deals]"""
        return self.landing[:, -1] * self.path_rates

    @property
    def planned_arr(self) -> float:
        """New ARR of the deterministic plan. [plan currency]"""
        return float(self.won + self.planned_wins @ self.value)

    @property
    def expected_arr(self) -> float:
        """Expected new ARR under uncertainty, without simulation. [plan currency]"""
        return float(self.won + (self.lags.expected(self.landing) * self.path_rates) @ self.value)

    @cached_property
    def value_cumulants(self) -> np.ndarray:
        """Shape (3, rows): what an expected win adds to the mean, variance and third cumulant of ARR.

        A Poisson number of wins adds the raw moments of their value; of a known number of records,
        each won with a chance p, the terms of the binomial law are taken off. Values are log-normal.
        """
        first, second = self.value, self.value**2 + self.spread**2
        third = second**3 / first**3
        p = self.chance
        return np.stack([first, second - p * first**2, third - 3 * p * second * first + 2 * p**2 * first**3])


WHOLE_YEAR = slice(0, YEAR)


def outlook(year: PlannedYear, given_stage: str | None = None, counted: slice = WHOLE_YEAR) -> Outlook:
    """What is uncertain about `year`, its committed entries included.

    Parameters
    ----------
    year
        The computed plan; its committed entries count as planned (scale 1).
    given_stage
        The stage whose commit is taken as hit: as many records as committed enter it, in every
        month, and only what follows is uncertain. Sources that enter below it stay as they are.
    counted
        The months of which goal and new ARR are counted: the whole year, or one that has begun and those after it.
    """
    plan = year.plan
    transitions = used_transitions(year)
    lags = LagScale(plan.uncertainty.lag_cv)
    number = {each.key: index for index, each in enumerate(transitions)}
    rows = [*_new_rows(year, given_stage, lags, counted), *_open_rows(year, lags, counted)]
    paths = np.full((len(rows), len(plan.stages) - 1), len(transitions))
    for path, row in zip(paths, rows, strict=True):
        steps = [number[each.key] for each in plan.path(row.cell.segment, row.cell.source)[row.start :]]
        path[len(path) - len(steps) :] = steps
    deals = [plan.segments[row.cell.segment].acv for row in rows]
    return Outlook(
        goal=float(year.targets[:, counted].sum()),
        won=float(year.won_arr[:, counted].sum()),
        rates=UncertainRates(
            np.array([each.rate for each in transitions]),
            np.array([np.inf if each.evidence is None else each.evidence for each in transitions]),
        ),
        paths=paths,
        landing=np.stack([row.landing for row in rows]),
        is_open=np.array([row.is_open for row in rows]),
        volumes=np.array([row.volume for row in rows]),
        value=np.array([row.value for row in rows]),
        spread=np.array([row.value * (acv.sd or 0.0) / acv.mean for row, acv in zip(rows, deals, strict=True)]),
        chance=np.array([row.chance for row in rows]),
        rho=plan.uncertainty.rho,
        lags=lags,
        volume_cv=plan.uncertainty.volume_cv,
        rate_names=tuple(step_name(each) for each in transitions),
        source_names=tuple(plan.sources),
        strays=_strays(year, rows, counted) if year.levels else None,
        months=_months(year, rows, lags, counted) if plan.capacity else None,
    )


def _strays(year: PlannedYear, rows: Sequence[_OutlookRow], counted: slice) -> np.ndarray | None:
    """How far each row strays: the levels of all its steps, and the single months of the last, weighted by what they bring."""
    brought = (year.open_arr + year.commit_arr)[:, counted].sum(axis=0)
    weight = brought / brought.sum() if brought.sum() > 0 else np.zeros(len(brought))
    ahead = np.maximum(np.arange(counted.start, counted.stop) - year.first, 0)
    variances = {
        pair: float(weight @ each.variance[np.minimum(ahead, len(each.variance) - 1)])
        for pair, each in year.levels.items()
    }
    last = {pair: each.month_variance * float(weight @ weight) for pair, each in year.levels.items()}
    found = []
    for row in rows:
        steps = list(pairwise(row.cell.stages[row.start :]))
        found.append(sum(variances.get(step, 0.0) for step in steps) + last.get(steps[-1], 0.0))
    return np.sqrt(np.log1p(found)) if any(found) else None


PATHS, PEOPLE_SEED = 8192, 1  # drawn years of the people: trials take turns with them


def _months(year: PlannedYear, rows: Sequence[_OutlookRow], lags: LagScale, counted: slice) -> LimitedMonths:
    """When the wins of each row come, in a plan with people."""
    factors = month_factors(lags)
    new = (
        entries_by_month(row.cell.lags[row.start :], flow[row.start], year.start, -year.first, factors)
        for row, flow in zip(rows[: len(year.cells)], year.flows, strict=True)
    )
    stretched = (
        months / row.cell.rates_to_won[row.start]
        for row, months in zip(rows[len(year.cells) :], open_by_month(year, factors), strict=True)
    )
    loads = np.stack(
        [tied_months(months, row.planned, lags) for row, months in zip(rows, chain(new, stretched), strict=True)]
    )
    loads[:, counted.stop :] = 0.0  # what is closed before does not hang on what comes later
    pools = Pools(tuple(dict.fromkeys(cell.segment for cell in year.cells)))
    limits = load_limits(year, pools.segments)
    return LimitedMonths(
        people=People(
            drawn_pools(year.plan, pools, PATHS, PEOPLE_SEED),
            asked_capacity(year.plan).excess.by_age,
            tuple(LoadLimit(each.pool, each.arr) for each in limits),
        ),
        loads=loads,
        segment=np.array([pools.segments.index(row.cell.segment) for row in rows]),
        worked=np.array([[row.is_about(limit, pools) for row in rows] for limit in limits], dtype=bool).reshape(
            len(limits), len(rows)
        ),
        segments=len(pools.segments),
    )


def month_factors(lags: LagScale) -> np.ndarray:
    """Lag factors at the nodes of the quadrature that months are read from, and 1 as the last."""
    if lags.cv == 0:
        return np.ones(1)
    return np.append(lags.at(normal_quadrature(MONTH_NODES)[0]), 1.0)


def tied_months(months: np.ndarray, planned: np.ndarray, lags: LagScale) -> np.ndarray:
    """Hermite terms of each month, scaled so that the planned lags give exactly the plan."""
    at_plan = months[-1]
    scale = np.where(at_plan > 1e-12, planned / np.where(at_plan > 1e-12, at_plan, 1.0), 1.0)
    if lags.cv == 0:
        return np.pad(planned[:, None], ((0, 0), (0, TERMS)))
    return hermite_projection((months[:-1] * scale).T, MONTH_NODES, TERMS)


def used_transitions(year: PlannedYear) -> list[Transition]:
    """The transitions the cells use, the last step first: rates close to the win rest on the fewest records."""
    used = {each.key: each for cell in year.cells for each in year.plan.path(cell.segment, cell.source)}
    stated = [each.key for each in year.plan.transitions]
    steps = list(pairwise(year.plan.stage_ids))
    order = {key: (-steps.index((key[0] or "", key[1] or "")), stated.index(key)) for key in used}
    return [used[key] for key in sorted(used, key=order.__getitem__)]


def step_name(transition: Transition) -> str:
    """What a reader calls a transition: its stages, then the segment and source it is stated for."""
    where = [shown(part) for part in (transition.segment, transition.source) if part is not None]
    return ", ".join([f"{transition.from_stage} to {transition.to_stage}", *where])


@dataclass(frozen=True, eq=False)
class _OutlookRow:
    """What one cell's entries, or open records of it, bring."""

    cell: Cell
    start: int
    """Stage its records are in."""
    landing: np.ndarray
    """Wins in time if every rate after `start` were 1, by lag."""
    planned: np.ndarray
    """The same by month of the year, at the planned lags: shape (12,)."""
    is_open: bool
    volume: int
    value: float
    """Mean value of a win. [plan currency]"""
    chance: float
    """Chance of a win of each record where their number is known; 0 where it is not. [0-1]"""

    def is_about(self, limit: Workload, pools: Pools) -> bool:
        """Whether its records come through the stage of a load limit; open records in the stage itself are worked already."""
        ahead = self.cell.stages[self.start + self.is_open :]
        return self.cell.segment == pools.segments[limit.pool] and limit.stage in ahead


def _new_rows(year: PlannedYear, given_stage: str | None, lags: LagScale, counted: slice) -> Iterator[_OutlookRow]:
    """What the entries of each cell bring."""
    sources = list(year.plan.sources)
    window = counted.start - year.first, counted.stop - year.first  # as the flows count their months
    for cell, flow in zip(year.cells, year.flows, strict=True):
        at = cell.stages.index(given_stage) if given_stage in cell.stages else None
        start = at or 0
        yield _OutlookRow(
            cell=cell,
            start=start,
            landing=_landing(cell, flow, start, year.start, window, lags),
            planned=year.in_year(flow[-1]) / cell.rates_to_won[start],
            is_open=False,
            volume=sources.index(cell.source) if at is None else len(sources),
            value=cell.acv,
            chance=0.0 if at is None else _chance(cell, flow[start], start, year.start, window),
        )


def _chance(cell: Cell, entries: np.ndarray, stage: int, start: float, window: tuple[int, int]) -> float:
    """Chance of a win in time of one record that enters at `stage`, weighted by what it brings. [0-1]

    Of a known number of entries e_t with chances p_t the wins have the variance sum e_t p_t (1 - p_t).
    """
    chances = landing_chances(cell.lags[stage:], window[1], start, window) * cell.rates_to_won[stage]
    brought = entries[: window[1]] * chances
    return min(float(brought @ chances / brought.sum()), 1.0) if brought.sum() > 0 else 0.0


def _landing(
    cell: Cell, flow: np.ndarray, stage: int, start: float, window: tuple[int, int], lags: LagScale
) -> np.ndarray:
    """Wins in time if every rate after `stage` were 1, by lag; at the planned lags exactly the plan's."""
    wins = float(flow[-1][max(window[0], 0) : window[1]].sum()) / cell.rates_to_won[stage]
    return lags.tied(entries_landing(cell.lags[stage:], flow[stage], start, window, lags), wins)


def _open_rows(year: PlannedYear, lags: LagScale, counted: slice) -> Iterator[_OutlookRow]:
    """Groups of open records: each record a chance of its own, of a value known in the mean."""
    for (cell, group, found), months in zip(opened_rows(year), open_by_month(year, lags.factors), strict=True):
        wins, rate = float(found.wins[counted].sum()), float(cell.rates_to_won[group.stage])
        by_lag = months[:, counted].sum(axis=1) / rate
        value = float(found.arr[counted].sum()) / wins if wins > 0 else 0.0
        items = float(group.items.sum()) - found.dead_items
        chance = min(wins / items, 1.0) if items > 0 else 0.0
        yield _OutlookRow(
            cell=cell,
            start=group.stage,
            landing=lags.tied(by_lag, wins / rate),
            planned=found.wins[:YEAR] / rate,
            is_open=True,
            volume=len(year.plan.sources),
            value=value if value > 0 else cell.acv,
            chance=chance,
        )
