"""The yellow line: what the plan asks for by the evening of each working day, what came, and where the period comes out.

The target of a month is spread over its working days, evenly or by the shape the records show; what came is counted
day by day. What is still to come goes by the recent pace: its level is an exponentially weighted mean of the past,
and how far such forecasts stray is learnt from the same forecast made on every past day (a negative binomial whose
spread is theirs), so that the interval needs no assumption of how days hang together.

Source of the weighting: R. G. Brown, "Statistical forecasting for inventory control" (1959); of negative binomial
counts: J. Lawless, "Negative binomial and mixed Poisson regression", Canadian Journal of Statistics 15 (1987),
doi.org/10.2307/3314912.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

import numpy as np
import pandas as pd

from revplan.ground.calendar import MONTHS_PER_QUARTER, days_of
from revplan.ground.tables import conform, empty
from revplan.ground.workdays import Workdays
from revplan.tracking.periods import DayRun

BINS = 5  # equal stretches of a month's working days in which a shape is learnt
LEAST_MONTHS, LEAST_QUARTERS, LEAST_ENTRIES = 12, 6, 120  # of history below which no shape is learnt
SHAPE_LEVEL = 0.01  # share of even histories in which a shape is found all the same
HALF_LIVES = (15.0, 45.0, 135.0)  # days after which a day counts half; the one that erred least is taken
MIDDLE = 1  # which of them where nothing tells
USUAL_CV = 0.15  # variation beyond luck of what a month brings, where the past is too short to tell
PRIOR_WINDOWS = 1.0  # past periods that it counts for
LOOKED_BACK = 1100  # days
RECENT_DAYS, LEAST_DAYS = 91, 5  # calendar days whose luck is looked at, and working days it takes
WARM_UP = 42  # days a level needs before its forecasts are judged
LEAST_SPREAD = 1e-6


# --- the shape of a month and of a quarter -------------------------------------------------------


@dataclass(frozen=True)
class Shape:
    """How entries lie in the working days of a month, and in the months of a quarter."""

    shares: tuple[float, ...] = (1.0,)
    """Share of a month in each of equally long stretches of its working days."""
    basis: str = "evenly by working day"
    paces: tuple[float, ...] = (1.0, 1.0, 1.0)
    """Pace of the first, second and third month of a quarter, over that of the quarter. [ratio]"""
    phase: int = 0
    """Months from the begin of a quarter of the calendar year to that of a quarter."""

    def weights(self, count: int) -> np.ndarray:
        """Share of the month on each of its `count` working days; sums to 1."""
        edges = np.linspace(0, 1, len(self.shares) + 1)
        done = np.append(0.0, np.cumsum(self.shares) / sum(self.shares))
        return np.diff(np.interp(np.arange(count + 1) / max(count, 1), edges, done))

    def pace(self, month: pd.Period) -> float:
        """Pace of a month over that of its quarter. [ratio]"""
        return self.paces[(month.month - 1 - self.phase) % MONTHS_PER_QUARTER]


def _in_common(counts: np.ndarray, usual: np.ndarray) -> tuple[np.ndarray, float]:
    """By how much the shares of all rows differ from the usual ones, luck taken off; how often chance alone does. [0-1]

    Hotelling's test of whether the rows differ from them in the mean: what rows have in common is a shape, what differs
    from row to row is not. The difference is drawn towards none by the part of its square that the scatter of the rows
    makes alone (the positive-part rule of James and Stein).
    """
    rows, stretches = counts.shape
    total = counts.sum()
    excess = counts - counts.sum(axis=1, keepdims=True) * usual
    free, mean = stretches - 1, excess[:, :-1].mean(axis=0)
    spread = np.cov(excess[:, :-1], rowvar=False) + LEAST_SPREAD * np.eye(free)
    t_squared = rows * float(mean @ np.linalg.solve(spread, mean))
    from scipy.special import fdtrc

    chance = float(fdtrc(free, rows - free, t_squared * (rows - free) / (free * (rows - 1))))
    moved = excess.sum(axis=0) / total
    luck = rows * float(excess.var(axis=0, ddof=1).sum()) / total**2
    return moved * max(1 - luck / max(float(moved @ moved), 1e-300), 0.0), chance


def learnt_shape(by_stretch: np.ndarray, like: Shape | None = None, level: float = SHAPE_LEVEL) -> tuple[Shape, float]:
    """The shape that past months show, that of all where they show none of their own; how often chance shows as much. [0-1]

    Parameters
    ----------
    by_stretch
        Month x stretch: entries of whole past months.
    like
        The shape of all, from which a part of them may differ; even if left out.
    level
        Share of histories like it in which a shape of its own is found all the same.
    """
    months, stretches = by_stretch.shape
    total = by_stretch.sum()
    if months < LEAST_MONTHS or total < LEAST_ENTRIES:
        few = Shape(basis=f"evenly by working day: {months} whole months with {total:,.0f} entries tell no shape")
        return like or few, 1.0
    usual = np.diff(np.interp(np.arange(stretches + 1) / stretches, np.linspace(0, 1, len((like or Shape()).shares) + 1),
                              np.append(0.0, np.cumsum((like or Shape()).shares))))  # fmt: skip
    moved, chance = _in_common(by_stretch, usual)
    told = f"{months} whole months with {total:,.0f} entries"
    if chance >= level:
        return like or Shape(basis=f"evenly by working day: {told} show no other shape"), chance
    shares = np.maximum(usual + moved, 0.0)
    shares /= shares.sum()
    basis = f"as {told} show it, {shares[-1]:.0%} in the last fifth of a month"
    return replace(like or Shape(), shares=tuple(shares.tolist()), basis=basis), chance


def learnt_paces(by_month: np.ndarray, worked: np.ndarray) -> tuple[tuple[float, ...], float]:
    """Pace of the months of a quarter over that of the quarter, 1 where past quarters show no other; and as above.

    Parameters
    ----------
    by_month, worked
        Quarter x month: entries of whole past quarters, and their working days.
    """
    even = (1.0,) * MONTHS_PER_QUARTER
    if len(by_month) < LEAST_QUARTERS or by_month.sum() < LEAST_ENTRIES or not worked.all():
        return even, 1.0
    usual = worked / worked.sum(axis=1, keepdims=True)
    moved, chance = _in_common(by_month, usual)
    if chance >= SHAPE_LEVEL:
        return even, chance
    paces = np.maximum(1 + moved / usual.mean(axis=0), 0.0)
    return tuple((paces / paces.mean()).tolist()), chance


# --- what came, day by day -----------------------------------------------------------------------


def entries_by_day(
    stage_history: pd.DataFrame, cells: tuple[tuple[str, str], ...], stages: tuple[str, ...], days: DayRun
) -> np.ndarray:
    """Entries, cell x stage x day; what belongs to none of the `cells` is counted in one more. [records]"""
    (segment, segments), (source, sources), (stage, names) = (
        _numbered(stage_history[key]) for key in ("segment", "source", "stage")
    )
    place = {cell: number for number, cell in enumerate(cells)}
    rows = [[place.get((str(a), str(b)), len(cells)) for b in sources] for a in segments]
    cell_of = np.array(rows, dtype=np.int32).reshape(len(segments), len(sources))
    stage_of = np.array([stages.index(name) if name in stages else -1 for name in names], dtype=np.int32)
    day = days_of(stage_history["entered_on"].to_numpy()).view(np.int64)
    day = (day - np.datetime64(days.first, "D").astype(np.int64)).astype(np.int32)
    shape = (len(cells) + 1, len(stages), len(days))
    inside = (stage_of[stage] >= 0) & (day >= 0) & (day < len(days))
    index = (cell_of[segment[inside], source[inside]] * shape[1] + stage_of[stage[inside]]) * shape[2] + day[inside]
    return np.bincount(index, minlength=shape[0] * shape[1] * shape[2]).reshape(shape).astype(float)


def _numbered(labels: pd.Series) -> tuple[np.ndarray, pd.Index]:
    """The number of each label, and the labels by number."""
    is_numbered = isinstance(labels.array, pd.Categorical)
    return (labels.array.codes, labels.array.categories) if is_numbered else pd.factorize(labels)


def by_stretch(counts: np.ndarray, days: DayRun, workdays: Workdays, until: date) -> np.ndarray:
    """Month x stretch: entries of each whole month up to `until`, by stretch of its working days.

    A working day that lies in two stretches is parted between them, so that an even month brings as much to each. What
    came on a free day counts with the next working day, or the last one.
    """
    worked = workdays.are_worked(days.first, days.last)
    edges = np.linspace(0, 1, BINS + 1)
    rows = []
    for month in pd.period_range(days.first, until, freq="M"):
        first, last = month.start_time.date(), month.end_time.date()
        if first < days.first or last > until:
            continue
        inside = slice(days.place(first), days.place(last) + 1)
        size = max(int(worked[inside].sum()), 1)
        number = np.minimum(np.cumsum(worked[inside]) - worked[inside], size - 1)
        reached = np.append(0.0, np.cumsum(np.bincount(number, counts[inside], size)))
        rows.append(np.diff(np.interp(edges * size, np.arange(size + 1), reached)))
    return np.array(rows).reshape(-1, BINS)


def by_month_of_quarter(
    counts: np.ndarray, days: DayRun, workdays: Workdays, until: date, phase: int
) -> tuple[np.ndarray, np.ndarray]:
    """Quarter x month: entries of each whole quarter up to `until`, and the working days of its months."""
    worked = workdays.are_worked(days.first, days.last)
    months = pd.period_range(days.first, until, freq="M")
    whole = [each for each in months if each.start_time.date() >= days.first and each.end_time.date() <= until]
    begin = next(
        (at for at, each in enumerate(whole) if (each.month - 1 - phase) % MONTHS_PER_QUARTER == 0), len(whole)
    )
    quarters = (len(whole) - begin) // MONTHS_PER_QUARTER
    rows = []
    for month in whole[begin : begin + quarters * MONTHS_PER_QUARTER]:
        inside = slice(days.place(month.start_time.date()), days.place(month.end_time.date()) + 1)
        rows.append((counts[inside].sum(), worked[inside].sum()))
    both = np.array(rows, dtype=float).reshape(-1, MONTHS_PER_QUARTER, 2)
    return both[:, :, 0], both[:, :, 1]


def spread_over(first: date, last: date, workdays: Workdays, shape: Shape, begin: date | None = None) -> np.ndarray:
    """Share of a month on each of its days, none of it before `begin`; sums to 1.

    Where no working day is left after `begin` it all falls on the last day.
    """
    worked = workdays.are_worked(first, last)
    shares = np.zeros(len(worked))
    shares[worked] = shape.weights(int(worked.sum()))
    if begin is not None and begin > first:
        shares[: (begin - first).days] = 0.0
    total = shares.sum()
    if total <= 0:
        shares[-1] = total = 1.0
    return shares / total


# --- what is still to come -----------------------------------------------------------------------


def level(counts: np.ndarray, weights: np.ndarray, half_life: float) -> tuple[np.ndarray, np.ndarray]:
    """Entries per unit of weight as known at the end of each day, and how many entries it rests on."""
    growth = 2.0 ** (np.arange(counts.shape[-1]) / half_life)
    actual = np.cumsum(counts * growth, axis=-1) / growth
    could = np.cumsum(weights * growth) / growth
    return (actual + 0.5) / np.maximum(could, 0.5), actual + 0.5


@dataclass(frozen=True, eq=False)
class ToCome:
    """What is still to come of a period, row by row: a mean, and the spread beyond luck of such forecasts."""

    mean: np.ndarray
    """[records]"""
    spread: np.ndarray
    """Variance beyond that of luck over the squared mean."""


def past_errors(
    counts: np.ndarray, weights: np.ndarray, horizon: int, half_life: float
) -> tuple[np.ndarray, np.ndarray]:
    """What came in the `horizon` days after each past day, and what would have been forecast of it then. [records]"""
    recorded = counts.shape[-1]
    origins = np.arange(WARM_UP, recorded - horizon) + 1
    done = np.pad(np.cumsum(counts, axis=-1), ((0, 0), (1, 0)))
    could = np.append(0.0, np.cumsum(weights[:recorded]))
    at = level(counts, weights[:recorded], half_life)[0]
    actual = done[:, origins + horizon] - done[:, origins]
    return actual, at[:, origins - 1] * (could[origins + horizon] - could[origins])


def to_come(counts: np.ndarray, weights: np.ndarray) -> ToCome:
    """What is still to come after the last day counted, until the last day that has a weight.

    Of three half-lives each row takes the one by which its past forecasts erred least. Where the past is short the
    spread is what the luck of single days, the few entries the level rests on, and the usual variation make it.

    Parameters
    ----------
    counts
        Row x day: entries up to the last day known.
    weights
        What each day can bring relative to a mean working day, up to the end of the period.
    """
    rows, recorded = counts.shape
    horizon = len(weights) - recorded
    if horizon <= 0:
        return ToCome(np.zeros(rows), np.zeros(rows))
    windows = max(recorded - WARM_UP - horizon, 0) / horizon
    half_lives = HALF_LIVES if windows >= 1 else (HALF_LIVES[MIDDLE],)
    squared, beyond, mean, rests_on, luck = np.zeros((5, len(half_lives), rows))
    for number, half_life in enumerate(half_lives):
        at, support = level(counts, weights[:recorded], half_life)
        mean[number], rests_on[number] = at[:, -1] * weights[recorded:].sum(), support[:, -1]
        luck[number] = _dispersion(counts, weights[:recorded] * at[:, -1:])
        if windows > 0:
            actual, told = past_errors(counts, weights, horizon, half_life)
            errors = (actual - told) ** 2
            squared[number] = errors.mean(axis=1)
            beyond[number] = (errors - told).sum(axis=1) / np.maximum((told**2).sum(axis=1), LEAST_SPREAD)
    best = squared.argmin(axis=0), np.arange(rows)
    usual = USUAL_CV**2 + luck[best] / rests_on[best] + (luck[best] - 1) / np.maximum(mean[best], 1.0)
    spread = (windows * np.maximum(beyond[best], 0.0) + PRIOR_WINDOWS * usual) / (windows + PRIOR_WINDOWS)
    return ToCome(mean[best], spread)


def _dispersion(counts: np.ndarray, told: np.ndarray) -> np.ndarray:
    """How many times the variance of pure luck the last days have around their level; at least 1. [ratio]"""
    recent = slice(-min(RECENT_DAYS, counts.shape[1]), None)
    actual, told = counts[:, recent], told[:, recent]
    at_work = told[0] > 0
    if at_work.sum() < LEAST_DAYS:
        return np.ones(len(counts))
    return np.maximum(((actual - told)[:, at_work] ** 2 / told[:, at_work]).mean(axis=1), 1.0)


def at_most(count: np.ndarray, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Chance that a negative binomial count of a mean and a spread is at most `count`. [0-1]"""
    from scipy.special import betainc

    mean, spread = np.maximum(mean, LEAST_SPREAD), np.maximum(spread, LEAST_SPREAD)
    return np.where(count < 0, 0.0, betainc(1 / spread, np.floor(np.maximum(count, 0)) + 1, 1 / (1 + spread * mean)))


def quantile(share: float, mean: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """The smallest count that is not exceeded with a chance of at least `share`. [records]"""
    low = np.full(np.shape(mean), -1.0)
    high = np.ceil(mean + 10 * np.sqrt(mean + spread * mean**2) + 10)
    for _ in range(int(np.ceil(np.log2(high.max(initial=1) + 2)))):  # halves what lies between until nothing does
        middle = np.floor((low + high) / 2)
        enough = at_most(middle, mean, spread) >= share
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    return np.where(mean > 0, high, 0.0)


# --- the lines -----------------------------------------------------------------------------------

SHOWN_WHOLE = 100  # from which on a count is shown without decimals


def enough(target: np.ndarray | float) -> np.ndarray:
    """The records that meet a target: whole ones, and as many as it is shown to be where it is shown without decimals.

    >>> enough(1000.14).item(), enough(99.2).item(), enough(2.4).item()
    (1000.0, 100.0, 3.0)
    """
    target = np.asarray(target, dtype=float)
    return np.where(target >= SHOWN_WHOLE, np.floor(target + 0.5), np.ceil(target - 1e-9 * np.maximum(target, 1)))


@dataclass(frozen=True, eq=False, repr=False)
class Followed:
    """A running year day by day, as the lines count it: cell x stage x day, the last cell being what no cell has."""

    as_of: date
    days: DayRun
    """From the first day looked back on to the end of the year."""
    cells: tuple[tuple[str, str], ...]
    stages: tuple[str, ...]
    targets: np.ndarray
    """[records]"""
    worth: np.ndarray
    """Cell x stage: what an entry is worth. [plan currency]"""
    counts: np.ndarray
    """What came, up to the last day known. [records]"""
    late: np.ndarray
    """What is still expected to be recorded of each of those days. [records]"""
    shapes: dict[tuple[str, str], Shape]
    """By segment and stage; under `all` of what is of several segments."""
    begin: date
    """The day from which the plan counts: what entered before it is history."""

    def weights(self, group: Group, stage: str) -> np.ndarray:
        """What each day can bring to a group, a mean working day being 1."""
        return _weights(self.days.first, self.days.last, group.workdays, self.shapes[group.segment, stage])


@lru_cache(maxsize=256)
def _weights(first: date, last: date, workdays: Workdays, shape: Shape) -> np.ndarray:
    parts = []
    for month in pd.period_range(first, last, freq="M"):
        start, end = month.start_time.date(), month.end_time.date()
        share = spread_over(start, end, workdays, shape) * workdays.count(start, end) * shape.pace(month)
        parts.append(share[max((first - start).days, 0) : len(share) - max((end - last).days, 0)])
    weights = np.concatenate(parts)
    weights.flags.writeable = False
    return weights


@dataclass(frozen=True)
class Group:
    """Cells that are looked at together."""

    of: str
    """`whole`, `segment`, `source`, `team` or `cell`."""
    segment: str
    source: str
    team: str
    rows: tuple[int, ...]
    workdays: Workdays


@dataclass(frozen=True)
class Period:
    """A month, quarter or year that is followed."""

    kind: str
    """`month`, `quarter` or `year`."""
    name: str
    first: date
    last: date


def pace_lines(
    followed: Followed, groups: list[Group], periods: list[Period], late_spread: dict[str, float]
) -> pd.DataFrame:
    """Table pace: of each group, stage and period, where it stands on the last day known, and where it comes out.

    `late_spread` is, by stage, the variance beyond luck of what is still to be recorded, over its squared mean.
    """
    rows, ahead = [], []
    for period in periods:
        for number, stage in enumerate(followed.stages):
            lines = [_PaceRow(followed, group, period, number) for group in groups]
            for line, mean, spread in zip(lines, *_still_to_come(lines), strict=True):
                rows.append(line.row(mean))
                late = line.late()
                variance = mean + spread * mean**2 + late + late_spread.get(stage, 0.0) * late**2
                ahead.append((line.target, line.actual, mean + late, variance))
    if not rows:
        return empty("pace")
    target, actual, mean, variance = np.array(ahead).T
    spread = np.maximum(variance - mean, 0) / np.maximum(mean, LEAST_SPREAD) ** 2
    short = enough(target) - actual
    low, high = (actual + quantile(share, mean, spread) for share in (0.1, 0.9))
    frame = pd.DataFrame(rows).assign(
        projected=actual + mean,
        projected_low=low,
        projected_high=high,
        chance_of_missing=np.where(target > 0, at_most(short - 1, mean, spread), np.nan),
    )
    frame["line_misleads"] = (frame["straight_line"] < low) | (frame["straight_line"] > high)
    return conform(frame, "pace")


def _still_to_come(lines: list[_PaceRow]) -> tuple[np.ndarray, np.ndarray]:
    """Mean and spread of what is still to come of each line; those of the same days and shape are worked out together."""
    mean, spread = np.zeros((2, len(lines)))
    kinds = [(line.group.workdays, line.followed.shapes[line.group.segment, line.stage]) for line in lines]
    for kind in dict.fromkeys(kinds):
        rows = [number for number, each in enumerate(kinds) if each == kind]
        found = to_come(np.stack([lines[row].recorded() for row in rows]), lines[rows[0]].weights())
        mean[rows], spread[rows] = found.mean, found.spread
    return mean, spread


class _PaceRow:
    """One group at one stage in one period."""

    def __init__(self, followed: Followed, group: Group, period: Period, stage: int) -> None:
        self.followed, self.group, self.period = followed, group, period
        self.stage, self.is_won = followed.stages[stage], stage == len(followed.stages) - 1
        rows, days = list(group.rows), followed.days
        begin = period.first if self.is_won else max(period.first, followed.begin)
        self.begin = min(begin, period.last)
        self.now = days.place(min(followed.as_of, period.last))
        self.inside = slice(days.place(self.begin), days.place(period.last) + 1)
        self.so_far = slice(self.inside.start, self.now + 1)
        self.counts = followed.counts[rows, stage].sum(axis=0)
        self.missing = followed.late[rows, stage].sum(axis=0)
        planned = [row for row in rows if row < len(followed.cells)]
        self.targets = followed.targets[planned, stage].sum(axis=0)
        self.target = float(self.targets[self.inside].sum())
        self.actual = float(self.counts[self.so_far].sum())
        self.by_cell = [
            (followed.worth[row, stage], followed.targets[row, stage], followed.counts[row, stage]) for row in planned
        ]
        self.worked = group.workdays.are_worked(days.first, period.last)

    def late(self) -> float:
        """What is still to be recorded of the days that are over. [records]"""
        return float(self.missing[self.so_far].sum())

    def recorded(self) -> np.ndarray:
        """Entries by day up to the last day known, with those still to be recorded. [records]"""
        return (self.counts + self.missing)[: self.now + 1]

    def weights(self) -> np.ndarray:
        """What each day up to the end of the period can bring."""
        return self.followed.weights(self.group, self.stage)[: self.inside.stop]

    def row(self, to_come: float) -> dict[str, object]:
        """The columns that need no distribution."""
        group, target_to_date = self.group, float(self.targets[self.so_far].sum())
        left = int(self.worked[self.now + 1 : self.inside.stop].sum())
        gap = self.actual - target_to_date
        value = sum(
            worth * float(actual[self.so_far].sum() - asked[self.so_far].sum()) for worth, asked, actual in self.by_cell
        )
        days_of_period = (self.period.last - self.begin).days + 1
        gone = self.so_far.stop - self.so_far.start
        done = int(self.worked[self.so_far].sum())
        return {
            "of": group.of,
            "segment": group.segment,
            "source": group.source,
            "team": group.team,
            "stage": self.stage,
            "period": self.period.name,
            "period_kind": self.period.kind,
            "target": self.target,
            "target_to_date": target_to_date,
            "actual": self.actual,
            "gap": gap,
            "attainment": self.actual / target_to_date if target_to_date > 0 else np.nan,
            "gap_value": value,
            "days_behind": self._days_behind(done),
            "working_days_done": done,
            "working_days_left": left,
            "needed_per_working_day": max(self.target - self.actual, 0.0) / left if left else np.nan,
            "recent_per_working_day": to_come / left if left else np.nan,
            "unreachable_on": self._unreachable(to_come) if self.period.kind == "month" else pd.NaT,
            "straight_line": self.actual * days_of_period / gone if gone > 0 else np.nan,
            "late": self.late(),
        }

    def _days_behind(self, done: int) -> float:
        """Working days since the target stood where the actual stands; negative where it is ahead. [days]"""
        if self.target <= 0:
            return np.nan
        worked = np.flatnonzero(self.worked[self.inside])
        reached = np.append(0.0, np.cumsum(self.targets[self.inside])[worked])
        count = len(worked)
        if not count:
            return np.nan
        reached[-1] = self.target
        if self.actual > self.target:
            return done - count - (self.actual - self.target) * count / self.target
        if self.actual == reached[done]:
            return 0.0
        return float(done - np.interp(self.actual, reached, np.arange(count + 1)))

    def _unreachable(self, to_come: float) -> object:
        """The evening from which on even the best pace ever held misses the target, days ahead at the recent pace.

        A month that a new record makes reachable again has none: it is an evening after which no later one is within reach.
        """
        worked = np.flatnonzero(self.worked[self.inside]) + self.inside.start
        count, done = len(worked), int(self.worked[self.so_far].sum())
        past = self._by_working_day()
        if not count or len(past) < count or self.target <= 0:
            return pd.NaT
        sums = np.append(0.0, np.cumsum(past))
        best = np.array([(sums[days:] - sums[: len(sums) - days]).max() for days in range(count)])[::-1]
        actual = np.cumsum(self.counts[self.inside.start : self.now + 1])
        reached = self.actual + to_come * (np.arange(count) + 1 - done) / max(count - done, 1)
        reached[:done] = actual[np.minimum(worked[:done] - self.inside.start, len(actual) - 1)]
        lost = reached + best < np.minimum(enough(self.target), self.target) - 1e-9
        if not lost[-1]:
            return pd.NaT
        within_reach = np.flatnonzero(~lost)
        first = int(within_reach[-1]) + 1 if len(within_reach) else 0
        if first == count - 1 and done < count:
            return pd.NaT  # short at its end, and within reach until then
        return pd.Timestamp(self.followed.days.at(int(worked[first])))

    def _by_working_day(self) -> np.ndarray:
        """Entries of each working day up to the last day known, with those of the free days before it."""
        worked = self.worked[: self.now + 1]
        number = np.cumsum(worked) - worked
        began = int(np.argmax(self.counts[: self.now + 1] > 0))
        sums = np.bincount(number[began:], self.counts[began : self.now + 1])
        return sums[int(number[began]) :]


# --- the alert -----------------------------------------------------------------------------------


def alert_after(chance: float, before: bool, alert: float, all_clear: float) -> bool:
    """Whether there is an alert at a chance of missing, given whether there was one on the day `before`.

    It begins at `alert` and ends below `all_clear`; between the two it stays as it is, so that a chance that wavers
    about one threshold raises no alert a day. Where chances are true ones, the share of alerts that are false is at
    most 1 - alert: the chance of reaching the plan is a martingale, and stopped at the alert it is 1 - alert at most.

    >>> alert_after(0.8, False, 0.9, 0.7), alert_after(0.8, True, 0.9, 0.7), alert_after(0.6, True, 0.9, 0.7)
    (False, True, False)
    """
    return chance >= alert or (before and chance >= all_clear)


# --- who did best --------------------------------------------------------------------------------


def attainment(actual: np.ndarray, target: np.ndarray) -> pd.DataFrame:
    """Attainment of several plans, as counted and drawn towards the mean of all. [ratio]

    Counts are Poisson around target times an attainment of their own, and these a gamma about the mean of all: what
    luck explains of a distance is taken off (empirical Bayes; the variance between them by moments). Where luck alone
    explains all distances every one is the mean.

    >>> found = attainment(np.array([30.0, 6.0, 24.0]), np.array([30.0, 3.0, 27.0]))
    >>> found["attainment"].round(2).tolist(), bool((found["shrunk"].max() < found["attainment"].max()))
    ([1.0, 2.0, 0.89], True)
    """
    from scipy.special import gammaincinv

    mean = actual.sum() / target.sum()
    beyond = ((actual - mean * target) ** 2 - mean * target).sum() / (target**2).sum()
    between = max(float(beyond), mean**2 * LEAST_SPREAD)
    shape, rate = mean**2 / between + actual, mean / between + target
    return pd.DataFrame(
        {
            "attainment": actual / target,
            "shrunk": shape / rate,
            "attainment_low": gammaincinv(shape, 0.1) / rate,
            "attainment_high": gammaincinv(shape, 0.9) / rate,
            "mean_attainment": mean,
        }
    )
