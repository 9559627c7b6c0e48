"""Rates of many small cells at once: each pulled towards what its segment and its source lead to expect.

Conversions D_c out of E_c matured records of cell c (segment s, source q) follow a binomial law with

    logit rate_c = level + segment_s + source_q + own_c

the three effects being normal around 0. How widely sources and cells scatter is integrated over a grid, each
point weighted with its marginal likelihood (Laplace's approximation); so cells that really differ stay apart
and cells that only seem to are drawn together. The grid reaches far: a dead source is a hundred times less
likely to convert than a live one. A few segments scatter by 1 on the logit: they are made because they differ.
The rate of a segment or a source is the mean of its cells by matured records.

Sources: R. Morris, "Parametric empirical Bayes inference", JASA 78 (1983), doi.org/10.1080/01621459.1983.10477920;
N. Breslow and D. Clayton, "Approximate inference in generalized linear mixed models", JASA 88 (1993),
doi.org/10.1080/01621459.1993.10594284; A. Gelman, "Prior distributions for variance parameters in
hierarchical models", Bayesian Analysis 1 (2006), doi.org/10.1214/06-BA117A, for the half-normal scale; L. Tierney and
J. Kadane, "Accurate approximations for posterior moments and marginal densities", JASA 81 (1986),
doi.org/10.1080/01621459.1986.10478240, for means that the mode alone does not give.

Segments, sources and cells of both: their records, their lags, and their rates drawn together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise, product

import numpy as np
from scipy.special import betaincinv, expit

from revplan.crm.mapping import EVERY
from revplan.ground.cohorts import Cohort, DayLag, Estimate, in_order, own_estimate
from revplan.rates.spells import NEVER, Spells
from revplan.rates.tails import FEWEST, curve_of_part, mixed, with_tail

SCATTERS = (0.03, 0.08, 0.2, 0.5, 1.2, 2.8)  # standard deviations of an effect that are tried
MANY_CELLS, FEW_SCATTERS = 100, (0.05, 0.2, 0.7, 2.2)  # with more cells than that, fewer are tried
USUAL_SCATTER = 1.0  # of the half-normal prior of those
SEGMENT_SCATTER = 1.0  # of segments, which are too few to teach theirs, and are made because they differ
FEW_SEGMENTS = 8  # so many, and fewer, do not
LEVEL_PRIOR = 0.04  # precision of the level
STEPS, CLOSE = 30, 1e-6  # of Newton's method
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(9)


@dataclass(frozen=True, eq=False)
class RateMoments:
    """Mean and variance of rates."""

    mean: np.ndarray
    variance: np.ndarray

    def evidence(self) -> np.ndarray:
        """The records a Beta distribution of that mean and variance stands for."""
        return np.maximum(self.mean * (1 - self.mean) / np.maximum(self.variance, 1e-12) - 1, 1e-3)

    def bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """P10 and P90 of that Beta distribution."""
        records = self.evidence()
        won = self.mean * records
        low, high = (betaincinv(won, records - won, share) for share in (0.1, 0.9))
        return np.minimum(low, self.mean), np.maximum(high, self.mean)


@dataclass(frozen=True, eq=False)
class CellRates:
    """Conversions and matured records by cell, and the numbers of its segment and its source."""

    conversions: np.ndarray
    exposure: np.ndarray
    segment: np.ndarray
    source: np.ndarray


def shrunk(cells: CellRates, groups: np.ndarray) -> RateMoments:
    """Rates of `groups` of cells: each row of `groups` holds the weights of the cells, summing to 1."""
    design, kinds = _design(cells)
    tried = np.array(list(product(*_scatters(cells))))
    shared_prior = np.hstack([np.full((len(tried), 1), LEVEL_PRIOR), 1 / tried[:, kinds[1:] - 1] ** 2])
    fit = _fit(cells, design, shared_prior, 1 / tried[:, -1:] ** 2)
    likely = fit.marginal + (np.log(tried) - 0.5 * (tried / USUAL_SCATTER) ** 2).sum(axis=1)
    weight = np.exp(likely - likely.max())
    weight /= weight.sum()
    means, variances = _group_moments(fit, groups)
    mean = weight @ means
    return RateMoments(mean, np.maximum(weight @ (variances + means**2) - mean**2, 1e-12))


def _scatters(cells: CellRates) -> list[tuple[float, ...]]:
    """Standard deviations tried of each kind of effect: segments and sources where they cross, and cells last.

    Three segments cannot say how widely segments scatter, and what they say draws the largest deals, which
    convert least, up to the others; so theirs is taken as known.
    """
    learnt = SCATTERS if len(cells.conversions) <= MANY_CELLS else FEW_SCATTERS
    of_segments = (SEGMENT_SCATTER,) if cells.segment.max() < FEW_SEGMENTS else learnt
    if cells.source.max() == 0:
        return [of_segments]
    return [of_segments, learnt, learnt] if cells.segment.max() > 0 else [learnt]


def _design(cells: CellRates) -> tuple[np.ndarray, np.ndarray]:
    """Shared effects by cell (level, segments, sources), and the kind of each: 0, 1, 2.

    With one segment or one source, the cells are the other one: an effect of their own says it all.
    """
    columns, kinds = [np.ones((len(cells.conversions), 1))], [0]
    crossed = cells.segment.max() > 0 and cells.source.max() > 0
    for kind, codes in enumerate((cells.segment, cells.source) if crossed else (), start=1):
        columns.append(np.eye(int(codes.max()) + 1)[codes])
        kinds += [kind] * columns[-1].shape[1]
    return np.hstack(columns), np.array(kinds)


@dataclass(frozen=True, eq=False)
class Fit:
    """Posterior of the logits for every choice of scatters, the first axis; `logits` are their means.

    The covariance of the logits is diag(own) + carried @ shared @ carried'.
    """

    marginal: np.ndarray
    logits: np.ndarray
    own: np.ndarray
    carried: np.ndarray
    shared: np.ndarray


def _fit(cells: CellRates, design: np.ndarray, shared_prior: np.ndarray, own_prior: np.ndarray) -> Fit:
    """Mode and curvature for every choice of scatters at once, given as precisions of the effects.

    Newton's method; own effects are eliminated first, so its equations are as many as shared effects.
    """
    won, records = cells.conversions, np.maximum(cells.exposure, cells.conversions)
    start = np.clip(won.sum() / max(records.sum(), 1e-9), 1e-4, 1 - 1e-4)
    centre = np.log(start / (1 - start))
    shared, own = np.zeros(shared_prior.shape), np.zeros((len(own_prior), len(records)))
    for _ in range(STEPS):
        rate = expit(centre + shared @ design.T + own)
        weight = records * rate * (1 - rate)
        own_curve = weight + own_prior
        curve = (design.T * (weight * own_prior / own_curve)[:, None, :]) @ design
        curve = curve + shared_prior[:, :, None] * np.eye(len(design.T))
        own_slope = won - records * rate - own_prior * own
        slope = (won - records * rate - weight / own_curve * own_slope) @ design - shared_prior * shared
        step = np.linalg.solve(curve, slope[:, :, None])[:, :, 0]
        own_step = (own_slope - weight * (step @ design.T)) / own_curve
        largest = np.maximum(np.abs(step).max(axis=1), np.abs(own_step).max(axis=1))
        share = np.minimum(1.0, 2.0 / np.maximum(largest, 1e-12))[:, None]
        shared, own = shared + step * share, own + own_step * share
        if largest.max() < CLOSE:
            break
    logits = centre + shared @ design.T + own
    carried, inverse = design * (own_prior / own_curve)[:, :, None], np.linalg.inv(curve)
    marginal = (
        (won * logits - records * np.logaddexp(0, logits)).sum(axis=1)
        - 0.5 * (shared_prior * shared**2).sum(axis=1)
        - 0.5 * (own_prior * own**2).sum(axis=1)
        + 0.5 * (np.log(shared_prior).sum(axis=1) + len(records) * np.log(own_prior[:, 0]))
        - 0.5 * (np.linalg.slogdet(curve)[1] + np.log(own_curve).sum(axis=1))
    )
    rate = expit(logits)
    third = -records * rate * (1 - rate) * (1 - 2 * rate)
    return Fit(marginal, logits + _skew(third, 1 / own_curve, carried, inverse), 1 / own_curve, carried, inverse)


def _skew(third: np.ndarray, own: np.ndarray, carried: np.ndarray, shared: np.ndarray) -> np.ndarray:
    """Mean of the logits less their mode, from the third derivative of each cell's log likelihood.

    Few conversions make a posterior that reaches further down than up; taken for a normal one around its mode it
    tells the rate of ten conversions 4 % too high, of three 15 %.
    """
    weight = third * (own + ((carried @ shared) * carried).sum(axis=2))
    return 0.5 * (own * weight + ((carried @ shared) @ (weight[:, None, :] @ carried).transpose(0, 2, 1))[:, :, 0])


def _group_moments(fit: Fit, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of the groups' rates: means by quadrature, variances by slopes."""
    deviation = np.sqrt(fit.own + ((fit.carried @ fit.shared) * fit.carried).sum(axis=2))
    at = expit(fit.logits[:, :, None] + deviation[:, :, None] * NODES)
    weights = WEIGHTS / WEIGHTS.sum()
    slopes = groups * ((at * (1 - at)) @ weights)[:, None, :]
    through = slopes @ fit.carried
    variance = (slopes**2 @ fit.own[:, :, None])[:, :, 0] + ((through @ fit.shared) * through).sum(axis=2)
    return (at @ weights) @ groups.T, variance


CELL_ENTRIES = 20  # a segment, source or cell with less has no row of its own
OWN_LAG = 10  # conversions from which a part's delay is said to be its own
CURVE_WEIGHT = 10.0  # conversions its curve counts for beside its own


@dataclass(frozen=True, eq=False)
class StageEntries:
    """The records that entered a stage, by cell: age on the as-of day, delay or -1, days to loss or -1, and money."""

    cell: np.ndarray
    age: np.ndarray
    delay: np.ndarray
    lost: np.ndarray
    amount: np.ndarray
    count: np.ndarray | None
    """How many records each row stands for; left out where each stands for one."""

    def number(self, rows: np.ndarray | None = None) -> int:
        """The records that `rows` marks, or all."""
        if self.count is None:
            return len(self.age) if rows is None else int(np.count_nonzero(rows))
        return int(self.count[slice(None) if rows is None else rows].sum())

    def entries(self) -> np.ndarray:
        """Records that entered 0, 1, 2, ... days ago."""
        return np.bincount(self.age, self.count).astype(np.int64)

    def at(self, rows: np.ndarray | slice) -> StageEntries:
        """Those of some rows."""
        count = None if self.count is None else self.count[rows]
        return replace(self, **{name: getattr(self, name)[rows] for name in COLUMNS}, count=count)

    def by(self, group: np.ndarray, groups: int) -> list[StageEntries]:
        """The records of each group, given its number by record."""
        ordered = self.at(in_order(group)) if (group[1:] < group[:-1]).any() else self
        edges = np.append(0, np.cumsum(np.bincount(group, minlength=groups)))
        return [ordered.at(slice(a, b)) for a, b in pairwise(edges)]

    @cached_property
    def cohort(self) -> Cohort:
        """Their counts, watched for all days."""
        return self._exits(self.delay)

    def losses(self, window: int) -> Cohort:
        """The same with losses in the place of conversions."""
        return self._exits(self.lost).since(window)

    def _exits(self, days: np.ndarray) -> Cohort:
        gone = np.flatnonzero(days >= 0)
        gone = gone if self.count is None else gone.repeat(self.count[gone])
        age, after = self.age[gone], days[gone]
        entries = self.entries()
        return Cohort(entries, age, after, len(entries) - 1)


COLUMNS = ("cell", "age", "delay", "lost", "amount")


def _joined(cells: list[StageEntries], mask: np.ndarray) -> StageEntries:
    """The records of the cells in `mask`; it holds one at least."""
    chosen = [cells[number] for number in np.flatnonzero(mask)]
    if len(chosen) == 1:
        return chosen[0]
    counts = [each.count for each in chosen if each.count is not None]
    columns = {name: np.concatenate([getattr(each, name) for each in chosen]) for name in COLUMNS}
    return replace(chosen[0], **columns, count=np.concatenate(counts) if counts else None)


def _cohort(cells: list[StageEntries], mask: np.ndarray, window: int) -> Cohort:
    """The counts of the cells in `mask`, watched for the last `window` days; it holds one at least."""
    chosen = [cells[number].cohort for number in np.flatnonzero(mask)]
    entries = np.zeros(max(len(each.entries) for each in chosen), dtype=np.int64)
    for each in chosen:
        entries[: len(each.entries)] += each.entries
    age, delay = (np.concatenate([getattr(each, name) for each in chosen]) for name in ("age", "delay"))
    return Cohort(entries, age, delay, len(entries) - 1).since(window)


def by_source(spells: Spells, by_cell: list[StageEntries], window: int) -> list[Cohort]:
    """The records of each source that has any, watched for the last `window` days."""
    codes, names = spells.codes(1)
    parts = [_cohort(by_cell, codes == code, window) for code in range(len(names))]
    return [each.ordered() for each in parts if each.entries.any()]


@dataclass(frozen=True, eq=False)
class Part:
    """A segment, a source, or a cell of both: its name, its records, and what its lag is."""

    labels: dict[str, str]
    cells: np.ndarray
    """Whether each cell belongs to it."""
    entered: StageEntries
    cohort: Cohort
    lag: DayLag


def entered_stage(spells: Spells, stage: int) -> StageEntries:
    """The records that have entered `stage`, but for those that left it on a day no file says."""
    inside = np.flatnonzero((spells.entered[:, stage] < NEVER) & ~spells.censored(stage))
    start, end = spells.entered[:, stage][inside], spells.entered[:, stage + 1][inside]
    delay = np.where(end < NEVER, end - start, -1)
    gone = spells.lost[inside]
    lost = np.where((end == NEVER) & (gone < NEVER), np.maximum(gone - start, 0), -1)
    days = (
        (np.int32(spells.day) - start).astype(np.int32),
        delay.astype(np.int32),
        lost.astype(np.int32),
    )  # half the room
    count = None if spells.count is None else spells.count[inside]
    return StageEntries(spells.cell[inside].astype(np.int32), *days, spells.amount[inside], count)


def parts_of(
    spells: Spells, by_cell: list[StageEntries], windows: tuple[int, int], whole: Estimate
) -> Iterator[tuple[Part, Estimate, tuple[float, float]]]:
    """Every part with enough records, its estimate and its bounds.

    `windows` are the days looked back on and all that were recorded: where hardly anything entered lately, as of a
    list that was bought once, a cell is looked at in all of them.
    """
    window, recorded = windows
    segment, segments = spells.codes(0)
    source = spells.codes(1)[0]
    if len(spells.cells) < 2:
        return
    recent = np.array([each.number(each.age <= window) for each in by_cell])
    looked = [window if number >= CELL_ENTRIES else recorded for number in recent.tolist()]
    by_segment = [_cohort(by_cell, segment == code, window) for code in range(len(segments))]
    owns = [_own(cohort) for cohort in by_segment]
    lags = [_lag(own, cohort, whole.lag) for own, cohort in zip(owns, by_segment, strict=True)]
    reliance = [_reliance(own) for own in owns]
    cells = _cells(by_cell, looked, [lags[code] for code in segment], np.array([reliance[code] for code in segment]))
    cells = CellRates(cells.conversions, cells.exposure, segment, source)
    parts = list(_named(spells, by_cell, looked, lags, whole.lag))
    if not parts:
        return
    weights = np.array([part.cells * np.maximum(recent, 1e-9) for part in parts])
    rates = shrunk(cells, weights / weights.sum(axis=1, keepdims=True))
    low, high = rates.bounds()
    for number, part in enumerate(parts):
        conversions = int((part.cohort.delay <= part.lag.horizon).sum())
        estimate = Estimate(float(rates.mean[number]), float(rates.evidence()[number]), conversions, part.lag)
        yield part, estimate, (float(low[number]), float(high[number]))


def _named(
    spells: Spells, by_cell: list[StageEntries], windows: list[int], lags: list[DayLag], whole: DayLag
) -> Iterator[Part]:
    """Segments, then sources, then cells of both, where 20 records or more entered."""
    segment, segments = spells.codes(0)
    source, sources = spells.codes(1)
    wanted: list[tuple[dict[str, str], np.ndarray, DayLag]] = []
    if len(segments) > 1:
        wanted += [({"segment": name, "source": EVERY}, segment == code, whole) for code, name in enumerate(segments)]
    if len(sources) > 1:
        wanted += [({"segment": EVERY, "source": name}, source == code, whole) for code, name in enumerate(sources)]
    if len(segments) > 1 and len(sources) > 1:
        pairs = sorted(range(len(spells.cells)), key=lambda number: spells.cells[number])
        for number in pairs:
            labels = dict(zip(("segment", "source"), spells.cells[number], strict=True))
            wanted.append((labels, np.arange(len(spells.cells)) == number, lags[segment[number]]))
    for labels, mask, parent in wanted:
        entered = _joined(by_cell, mask)
        if entered.number() >= CELL_ENTRIES:
            cohort = _cohort(by_cell, mask, max(windows[number] for number in np.flatnonzero(mask)))
            yield Part(labels, mask, entered, cohort, _lag(own_estimate(cohort), cohort, parent))


def _own(cohort: Cohort) -> Estimate | None:
    """The estimate of a segment by its records alone."""
    own = own_estimate(cohort)
    return own and with_tail(own, cohort)


def _lag(own: Estimate | None, cohort: Cohort, parent: DayLag) -> DayLag:
    """The lag of a part: its own conversions, steadied by a curve between theirs and its parent's."""
    curve = curve_of_part(cohort, parent)
    if own is None:
        return curve
    later = parent if own.conversions >= FEWEST else curve  # of many, a tail of their own was looked for
    return mixed(own.lag, curve, later, own.conversions, CURVE_WEIGHT)


def _reliance(own: Estimate | None) -> float:
    """Share of a segment's conversions that count, unequally weighted and with an unsure lag as they are."""
    if own is None or own.conversions == 0:
        return 1.0
    return float(np.clip(own.evidence * own.rate / own.conversions, 0.05, 1.0))


def _cells(by_cell: list[StageEntries], windows: list[int], lags: list[DayLag], reliance: np.ndarray) -> CellRates:
    """Conversions and matured records of every cell."""
    conversions, exposure = np.zeros(len(lags)), np.zeros(len(lags))
    for number, (mine, window, lag) in enumerate(zip(by_cell, windows, lags, strict=True)):
        if len(mine.age):
            cohort = mine.cohort.since(window)
            conversions[number] = len(cohort.delay)
            exposure[number] = matured(cohort.entries.astype(float), lag, window)
    return CellRates(conversions * reliance, exposure * reliance, np.array([]), np.array([]))


def matured(entries: np.ndarray, lag: DayLag, window: int) -> float:
    """Entries by age that stand for as many records watched for ever. [records, or money]"""
    ages = np.arange(len(entries))
    return float(entries @ (lag.by(ages) - lag.by(ages - window - 1)))
