"""Whether wins bunch at the ends of months or quarters, and the clock by which they come.

Delays by age know nothing of the calendar. Where deals are closed, or dated, towards an end, the wins of each day are held
against those that smooth delays lead to expect. Their ratio by days left in the month and in the quarter is the speed of
a clock; both are fitted in turn, each ratio drawn towards 1 by as much as luck explains what they scatter.

Sources: R. DerSimonian and N. Laird, "Meta-analysis in clinical trials", Controlled Clinical Trials 7 (1986),
doi.org/10.1016/0197-2456(86)90046-2, for how widely the ratios scatter; D. Clayton and J. Kaldor, "Empirical Bayes
estimates of age-standardized relative risks", Biometrics 43 (1987), doi.org/10.2307/2532003, for the drawing; P. Oyer,
"Fiscal year ends and nonlinear incentive contracts", Quarterly Journal of Economics 113 (1998),
doi.org/10.1162/003355398555559, for the bursts themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np
from scipy.special import bdtrc

from revplan.crm.counted import Counted
from revplan.crm.records import History
from revplan.ground.clock import MONTH_LONGEST, QUARTER_LONGEST, Clock, days_left
from revplan.ground.cohorts import conversions_by_day
from revplan.rates.parts import entered_stage
from revplan.rates.spells import NEVER, Spells, counted_spells

FEWEST, SHORTEST = 30, 180  # wins, and days between the first and the last day, from which bunching is looked for
# Days at an end in which wins may bunch, and how many times as many as expected show that they do.
MONTH_ENDS = {1: 2.0, 2: 2.0, 4: 2.0}
QUARTER_ENDS = {3: 1.5, 7: 1.5, 12: 1.5, 20: 1.5, 31: 1.25}  # the last: quarters whose last month brings most
UNLIKELY = 0.001  # chance of it by luck
MONTH_BINS = np.array([0, 1, 2, 4, 8, 15])  # days left, from which on speeds are told together
QUARTER_BINS = np.array([0, 1, 3, 6, 9, 12, 16, 21, 31, 61])
ROUNDS = 30  # of fitting in turn
GOLDEN = 0.6180339887498949  # whose multiples, less their whole parts, are spread evenly

_found: WeakKeyDictionary[History | Counted, Bunching | None] = (
    WeakKeyDictionary()
)  # a history is asked by all who read its ages


@dataclass(frozen=True)
class Bunching:
    """How wins bunch at the ends of a month or a quarter."""

    clock: Clock
    of: str
    """month or quarter"""
    last: int
    """Days at its end."""
    share: float
    """Of the wins that fall on them. [0-1]"""
    usual: float
    """Of all days. [0-1]"""


def bunching(history: History | Counted, spells: Spells | None = None) -> Bunching | None:
    """How the wins of `history` bunch at the ends of months or quarters; None where they do not.

    `spells` are its records, where they are at hand.
    """
    if history not in _found:
        _found[history] = bunching_of(spells or counted_spells(history)) if len(history.stages) > 1 else None
    return _found[history]


def clock_of(history: History | Counted, spells: Spells | None = None) -> Clock | None:
    """The clock of the last step; None where days are as good."""
    found = bunching(history, spells)
    return None if found is None else found.clock


def closing_notes(history: History | Counted, spells: Spells | None = None) -> tuple[str, ...]:
    """That wins bunch at the ends of quarters or of months, in a sentence; nothing where they do not."""
    found = bunching(history, spells)
    if found is None:
        return ()
    days = "the last day" if found.last == 1 else f"the last {found.last} days"
    return (
        f"Wins bunch: {found.share:.0%} of them fall on {days} of a {found.of}, which {'is' if found.last == 1 else 'are'} "
        f"{found.usual:.0%} of all days. Delays of the last step are counted at that pace: the forecast, the open pipeline and the "
        "landing expect wins when they usually come. The wins of a plan's commit are spread without it.",
    )


def on_clock(spells: Spells, clock: Clock) -> Spells:
    """`spells` with the days of the last step told in days of work.

    A day may hold the work of a month: what ended on it is spread evenly over that work, so that delays are smooth.
    """
    day = int(clock.by_evening(np.array(spells.day)))
    within = (np.arange(len(spells.entered)) * GOLDEN) % 1.0
    entered = spells.entered.copy()
    entered[:, -2] = _told(spells.entered[:, -2], clock, 0.5)
    ended = [_told(each, clock, within) for each in (spells.entered[:, -1], spells.lost)]
    began = np.where(entered[:, -2] < NEVER, entered[:, -2], 0)
    won, lost = (np.where(each < NEVER, np.clip(each, np.minimum(began, day), day), NEVER) for each in ended)
    entered[:, -1] = won
    return replace(spells, day=day, entered=entered, lost=lost)


def _told(days: np.ndarray, clock: Clock, within: np.ndarray | float) -> np.ndarray:
    """Days of work of what happened on `days`, each when a part `within` of it was over."""
    reached = days < NEVER
    return np.where(reached, clock.of(np.where(reached, days, 0), within), NEVER)


def bunching_of(spells: Spells) -> Bunching | None:
    """How the wins of `spells` bunch, from what entered the last stage but one."""
    entered = entered_stage(spells, len(spells.stages) - 2)
    if entered.number(entered.delay >= 0) < FEWEST:
        return None
    cohort = entered.cohort
    span = int(cohort.ago.max()) + 1
    if span < SHORTEST:
        return None
    ago = np.arange(span)
    closed = np.bincount(cohort.ago, minlength=span).astype(float)
    told = conversions_by_day(cohort.as_flow().entries, cohort.chances(), span)[:span]
    told *= closed.sum() / max(float(told.sum()), 1e-9)
    days = spells.day - ago
    in_quarter = {phase: _bunched(closed, told, days_left(days, 3, phase), QUARTER_ENDS) for phase in range(3)}
    phase = min(in_quarter, key=lambda each: in_quarter[each])
    left, left_in_quarter = days_left(days, 1), days_left(days, 3, phase)
    inner = left_in_quarter >= MONTH_LONGEST  # months that end no quarter
    for name, at, chosen, ends in (
        ("month", left, inner, MONTH_ENDS),
        ("quarter", left_in_quarter, np.ones(span, dtype=bool), QUARTER_ENDS),
    ):
        chance, last = _bunched(closed[chosen], told[chosen], at[chosen], ends)
        if chance < UNLIKELY:
            within = at < last
            clock = _fitted(closed, told, left, left_in_quarter, phase)
            return Bunching(clock, name, last, float(closed[within].sum() / closed.sum()), float(within.mean()))
    return None


def _bunched(closed: np.ndarray, told: np.ndarray, left: np.ndarray, ends: Mapping[int, float]) -> tuple[float, int]:
    """The chance, were it luck, of the least likely surplus of wins at an end, and its days; 1 where none is large enough."""
    tests = [(1.0, 0)]
    for last, times in ends.items():
        inside = left < last
        number, share = round(float(closed.sum())), float(told[inside].sum()) / max(float(told.sum()), 1e-9)
        counted = round(float(closed[inside].sum()))
        if number and 0 < share < 1 and counted >= times * number * share:
            tests.append((float(bdtrc(counted - 1, number, share)), last))
    return min(tests)


def _fitted(closed: np.ndarray, told: np.ndarray, month: np.ndarray, quarter: np.ndarray, phase: int) -> Clock:
    """The speeds by days left in the month and in the quarter that explain the wins of each day."""
    bins = [
        np.searchsorted(edges, left, side="right") - 1 for edges, left in ((MONTH_BINS, month), (QUARTER_BINS, quarter))
    ]
    speeds = [np.ones(len(MONTH_BINS)), np.ones(len(QUARTER_BINS))]
    for _ in range(ROUNDS):
        for one, other in ((1, 0), (0, 1)):
            expected = told * speeds[other][bins[other]]
            speeds[one] = _speeds(*(np.bincount(bins[one], each, len(speeds[one])) for each in (closed, expected)))
    longest = (MONTH_LONGEST, QUARTER_LONGEST)
    by_day = [
        speed[np.searchsorted(edges, np.arange(length), side="right") - 1]
        for speed, edges, length in zip(speeds, (MONTH_BINS, QUARTER_BINS), longest, strict=True)
    ]
    return Clock(tuple(by_day[0].tolist()), tuple(by_day[1].tolist()), phase)


def _speeds(closed: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Wins over those expected by bin, drawn towards their mean by as much as luck explains what they scatter."""
    expected = np.maximum(expected * closed.sum() / max(float(expected.sum()), 1e-9), 1e-9)
    scatter = float(((closed - expected) ** 2 / expected).sum()) - (len(closed) - 1)
    variance = max(scatter / float(expected.sum() - (expected**2).sum() / expected.sum()), 0.0)
    return (closed * variance + 1) / (expected * variance + 1)
