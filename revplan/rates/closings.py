"""Whether wins bunch at the ends of months or quarters, whether deals slow down, and the clock by which wins come.

Delays by age know nothing of the calendar. Where deals are closed, or dated, towards an end, the wins of each day are held
against those that smooth delays lead to expect. Their ratio by days left in the month and in the quarter is the speed of
a clock; both are fitted in turn, each ratio drawn towards 1 by as much as luck explains what they scatter.

Where deals take longer from year to year, the ages at which they are won grow with the date: those of each 30 days, given how
many they were, against those to be expected of the ages of the records then open. That asks nothing of the rate, which may
move as it likes. How fast they grow is weighed on a grid, most of the weight lying, before a look, on deals that keep their pace;
where little of it stays there, past days count as the days of today's work that they were.

Sources: R. DerSimonian and N. Laird, "Meta-analysis in clinical trials", Controlled Clinical Trials 7 (1986),
doi.org/10.1016/0197-2456(86)90046-2, for how widely the ratios scatter; D. Clayton and J. Kaldor, "Empirical Bayes
estimates of age-standardized relative risks", Biometrics 43 (1987), doi.org/10.2307/2532003, for the drawing; P. Oyer,
"Fiscal year ends and nonlinear incentive contracts", Quarterly Journal of Economics 113 (1998),
doi.org/10.1162/003355398555559, for the bursts themselves; T. Holford, "The analysis of rates and of survivorship using log-linear
models", Biometrics 36 (1980), doi.org/10.2307/2529982, for counts of age by date; L. J. Wei, "The accelerated failure time model",
Statistics in Medicine 11 (1992), doi.org/10.1002/sim.4780111409, for delays that stretch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
from scipy.special import bdtrc, xlogy

from revplan.crm.counted import Counted
from revplan.crm.records import History
from revplan.ground.clock import MONTH_LONGEST, QUARTER_LONGEST, YEAR_DAYS, Clock, days_left
from revplan.ground.cohorts import conversions_by_day, recorded_window, well_recorded
from revplan.rates.hazards import BANDS
from revplan.rates.parts import StageEntries, entered_stage
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

LONG_ENOUGH = 540  # days of outcomes from which a slowing is looked for: in less, seasons look like one
SLOWINGS = np.linspace(-1.2, 1.2, 25)  # growth a year of the logarithm of the delay that is tried
USUAL_SLOWING, KEEPS_PACE = 0.5, 0.8  # its usual size, and how likely it is none, before a look
SURE = 0.2  # chance that there is none below which there is one
BLOCK = 30  # days told together
MOST_ROWS = 200_000  # looked at: of more, every second, third, ...
CURVES = 2  # times the curve is drawn: as it is, and as it is once delays are stretched
BEND = 3  # degree of the curve of chances by the logarithm of age
MOST_FACTOR = 5.0  # logarithm of the most that a stretch changes a chance by


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


@dataclass(frozen=True)
class Closing:
    """How the last step runs through the calendar."""

    bunching: Bunching | None
    slowing: float
    """Growth a year of the logarithm of its delay; 0 where none is sure."""
    today: int
    """The last day known. [days since 1970]"""
    step: tuple[str, str]

    @cached_property
    def clock(self) -> Clock | None:
        """The clock by which it goes; None where days are as good."""
        if not self.slowing:
            return None if self.bunching is None else self.bunching.clock
        even = Clock((1.0,) * MONTH_LONGEST, (1.0,) * QUARTER_LONGEST, 0)
        return replace(self.bunching.clock if self.bunching else even, slowing=self.slowing, today=self.today)


_found: WeakKeyDictionary[History | Counted, Closing] = WeakKeyDictionary()  # asked by all who read its ages


def closing(history: History | Counted, spells: Spells | None = None) -> Closing:
    """How the last step of `history` runs through the calendar.

    `spells` are its records, where they are at hand.
    """
    if history not in _found:
        made = spells or counted_spells(history)
        has_steps = len(history.stages) > 1
        _found[history] = Closing(
            bunching_of(made) if has_steps else None,
            slowing_of(made) if has_steps else 0.0,
            made.day,
            (history.stages[-2], history.stages[-1]) if has_steps else ("", ""),
        )
    return _found[history]


def clock_of(history: History | Counted, spells: Spells | None = None) -> Clock | None:
    """The clock of the last step; None where days are as good."""
    return closing(history, spells).clock


def closing_notes(history: History | Counted, spells: Spells | None = None) -> tuple[str, ...]:
    """That wins bunch at the ends of quarters or of months, and that deals slow down, a sentence each; nothing where they do not."""
    seen = closing(history, spells)
    return (*_bunching_note(seen.bunching), *_slowing_note(seen))


def _bunching_note(found: Bunching | None) -> tuple[str, ...]:
    if found is None:
        return ()
    days = "the last day" if found.last == 1 else f"the last {found.last} days"
    return (
        f"Wins bunch: {found.share:.0%} of them fall on {days} of a {found.of}, which {'is' if found.last == 1 else 'are'} "
        f"{found.usual:.0%} of all days. Delays of the last step are counted at that pace: the forecast, the open pipeline and the "
        "landing expect wins when they usually come. The wins of a plan's commit are spread without it.",
    )


def _slowing_note(seen: Closing) -> tuple[str, ...]:
    if seen.clock is None or not seen.slowing:
        return ()
    longer = f"{seen.clock.yearly:.2f} times as long as a year before"
    return (
        f"{seen.step[0]} to {seen.step[1]}: conversions take {longer}, by more than luck explains. Delays are told at the pace of "
        "today; the forecast, the open pipeline and the landing expect the change to go on and to fade; ask what changed.",
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


# --- deals that slow down ------------------------------------------------------------------------

AT_AGE = np.log(
    np.append((BANDS[:-1] + BANDS[1:]) / 2, 1.5 * BANDS[-1]) + 0.5
)  # logarithm of the middle age of each band


def slowing_of(spells: Spells) -> float:
    """Growth a year of the logarithm of the last step's delay; 0 where luck may be all there is to it."""
    entered = entered_stage(spells, len(spells.stages) - 2)
    if entered.number(entered.delay >= 0) < FEWEST:
        return 0.0
    whole = entered.cohort.ordered()
    window = well_recorded(whole.since(recorded_window(whole)), spells.day - int(spells.entered.min()))
    if window < LONG_ENOUGH:
        return 0.0
    of_cell, segments = spells.codes(0)
    entered = entered.at(slice(None, None, len(entered.age) // MOST_ROWS + 1))
    by_segment = entered.by(of_cell[entered.cell], len(segments))
    likely = sum(
        (_likely(*_by_age_and_date(each, window)) for each in by_segment if len(each.age)), np.zeros(len(SLOWINGS))
    )
    none = len(SLOWINGS) // 2
    before = np.exp(-0.5 * (SLOWINGS / USUAL_SLOWING) ** 2)
    before[none] = 0.0
    before *= (1 - KEEPS_PACE) / before.sum()
    before[none] = KEEPS_PACE
    after = np.exp(likely - likely.max()) * before
    after /= after.sum()
    return float(after @ SLOWINGS) if after[none] < SURE else 0.0


def _by_age_and_date(entered: StageEntries, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Conversions, and days on which a record was open, of each 30 days back (the last ones first) and band of age."""
    left = np.where(entered.delay >= 0, entered.delay, np.where(entered.lost >= 0, entered.lost - 1, entered.age))
    blocks, count = -(-(window + 1) // BLOCK), entered.count
    went_on = np.flatnonzero((entered.delay >= 0) & (entered.age - entered.delay <= window))
    band = np.searchsorted(BANDS, entered.delay[went_on], side="right") - 1
    place = (entered.age - entered.delay)[went_on] // BLOCK * len(BANDS) + band
    converted = np.bincount(place, None if count is None else count[went_on], blocks * len(BANDS))
    edges = np.arange(0, window + 1, BLOCK)
    days = np.zeros((blocks, len(BANDS)))
    for number, (first, last) in enumerate(zip(BANDS, np.append(BANDS[1:] - 1, NEVER), strict=True)):
        inside = np.flatnonzero((left >= first) & (entered.age - np.minimum(left, last) <= window))
        age = entered.age[inside]  # open at these ages from `since` to `until` days ago
        since, until = np.minimum(age - first, window), np.maximum(age - np.minimum(left[inside], last), 0)
        weight = None if count is None else count[inside]
        begun, over = (np.bincount(each, weight, window + 2) for each in (until, since + 1))
        days[:, number] = np.add.reduceat(np.cumsum(begun - over)[: window + 1], edges)
    return converted.reshape(blocks, len(BANDS)).astype(float), days


def _likely(converted: np.ndarray, days: np.ndarray) -> np.ndarray:
    """Log likelihood of each of `SLOWINGS`, whatever the level of each 30 days."""
    by_band = converted.sum(axis=0)
    if by_band.sum() < FEWEST or np.count_nonzero(by_band) < 2:  # where all take alike long, nothing is stretched
        return np.zeros(len(SLOWINGS))
    days = np.maximum(days, converted)
    ago = (np.arange(len(days)) + 0.5)[:, None] * BLOCK / YEAR_DAYS
    ago = ago - float(converted.sum(axis=1) @ ago[:, 0] / by_band.sum())  # the chances are those of the middle
    seen, likeliest = by_band > 0, 0.0
    least, most = AT_AGE[seen].min(), AT_AGE[seen].max()
    times, found = np.ones_like(days), np.zeros(len(SLOWINGS))
    for _ in range(CURVES):
        chances = _fitted_levels(converted, days * times)[1]
        bend = min(BEND, int(seen.sum()) - 1)
        curve = np.polynomial.Polynomial.fit(AT_AGE[seen], np.log(chances[seen]), bend, w=np.sqrt(by_band[seen]))

        def stretched(slowing: float, curve: np.polynomial.Polynomial = curve) -> np.ndarray:
            moved = curve(np.clip(AT_AGE + slowing * ago, least, most)) - curve(np.clip(AT_AGE, least, most))
            return np.exp(np.clip(moved, -MOST_FACTOR, MOST_FACTOR))

        found = np.array([_fitted_levels(converted, days * stretched(each))[0] for each in SLOWINGS])
        likeliest = float(SLOWINGS[(found - 0.5 * (SLOWINGS / USUAL_SLOWING) ** 2).argmax()])
        times = stretched(likeliest)
    return found


def _fitted_levels(converted: np.ndarray, days: np.ndarray) -> tuple[float, np.ndarray]:
    """Log likelihood of a level for each 30 days times a chance for each band of age, but for what is alike for all; the chances."""
    chances = np.ones(days.shape[1])
    for _ in range(ROUNDS):
        levels = converted.sum(axis=1) / np.maximum(days @ chances, 1e-9)
        chances = converted.sum(axis=0) / np.maximum(levels @ days, 1e-9)
    told = np.maximum(levels[:, None] * chances * days, 1e-12)
    return float((xlogy(converted, told) - told).sum()), chances
