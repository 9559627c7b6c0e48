"""Rate and lag of one transition from counts: who entered when, who converted, who was watched how long.

The average by age of published cohort tables, kept by day. Of the records watched at age a, the
share that convert at that age is D(a) / N(a); the rate is the sum over all ages, and the running
sum over the rate is the distribution of the delay:

    rate = sum_a D(a) / N(a)        F(a) = sum_{k <= a} D(k) / N(k) / rate

With every censoring date known (each record is watched until the as-of day) this is unbiased, a
loss being just a record that never converts; it is the Aalen-Johansen estimate with the observed
censoring in place of an estimated one. Ages at which too few records were watched are left out.

Sources: D. Kellogg, "Time-Based Inverted Marketing Funnel" (2020), www.scribd.com/document/444362680;
O. Aalen and S. Johansen, "An empirical transition matrix for non-homogeneous Markov chains based on
censored observations", Scandinavian Journal of Statistics 5 (1978), www.jstor.org/stable/4615704;
L. Kish, "Survey Sampling" (1965), section 11.7, for the effective number of unequally weighted records;
M. Kulldorff, "A spatial scan statistic", Communications in Statistics 26 (1997),
doi.org/10.1080/03610929708831995, for the day recording began.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy.special import xlogy

from revplan.ground.calendar import MONTH_DAYS

WATCHED_SHARE = 0.05  # ages watched for less than this share of the best-watched age are left out
SILENCE = 5.0  # conversions missing where none are recorded: by chance once in exp(5) = 150 times
SILENT_SHARE = 0.02  # a time with at most this share of the conversions expected was not recorded
CANDIDATES = 60  # first days with a conversion that are tried as the day recording began
LONGEST_LAG = 60  # months
LATELY = 90  # days that are compared with those before
LOADED, LOADED_RECORDS = 10.0, 100.0  # times a usual day's entries, and entries, from which a day is no flow


@dataclass(frozen=True, eq=False)
class Cohort:
    """Records that entered a stage, by age on the as-of day, and those of them that converted."""

    entries: np.ndarray
    """Records that entered 0, 1, 2, ... days ago."""
    age: np.ndarray
    """Days since the entry of each that converted."""
    delay: np.ndarray
    """Days it took to convert."""
    window: int
    """Days for which outcomes have been recorded."""
    latest_first: bool = False
    """Whether the conversions stand in the order in which they came, the last one first."""

    def ordered(self) -> Cohort:
        """The same with its conversions in order, for those who look back from many days."""
        order = in_order(self.age - self.delay)
        return Cohort(self.entries, self.age[order], self.delay[order], self.window, latest_first=True)

    def as_flow(self) -> Cohort:
        """The same with the entries of days on which a list was loaded cut to a usual day's.

        Records bought and never touched convert at no time: that they do not says nothing of when outcomes were recorded.
        """
        busy = self.entries[self.entries > 0]
        usual = float(np.median(busy)) if len(busy) else 0.0
        loaded = self.entries > max(LOADED * usual, LOADED_RECORDS)
        return replace(self, entries=np.where(loaded, usual, self.entries)) if loaded.any() else self

    def converted(self, first: int, last: int) -> slice | np.ndarray:
        """The conversions of `first` to `last` days ago, both included."""
        if not self.latest_first:
            return (self.ago >= first) & (self.ago <= last)
        return slice(*np.searchsorted(self.ago, [first, last + 1]).tolist())

    @cached_property
    def ago(self) -> np.ndarray:
        """Days since each conversion."""
        return self.age - self.delay

    def since(self, window: int) -> Cohort:
        """The same records, watched only for the last `window` days."""
        recent = self.converted(0, window)
        return Cohort(self.entries, self.age[recent], self.delay[recent], window, self.latest_first)

    def watched(self) -> np.ndarray:
        """Records watched at age 0, 1, 2, ... days: neither younger, nor older when the window began."""
        entered = np.append(0, np.cumsum(self.entries))
        ages = np.arange(len(self.entries))
        return entered[np.minimum(ages + self.window, len(ages) - 1) + 1] - entered[ages]

    def chances(self) -> np.ndarray:
        """Share of all records that convert at age 0, 1, 2, ... days; 0 where too few were watched."""
        watched = self.watched()
        conversions = np.bincount(self.delay, minlength=len(watched))
        return np.divide(conversions, watched, out=np.zeros(len(watched)), where=_enough(watched))


def in_order(numbers: np.ndarray) -> np.ndarray:
    """The places of `numbers`, the smallest first and equal ones as they stand."""
    small = np.iinfo(np.int16)  # which are sorted by their digits, ten times as fast
    fits = len(numbers) > 0 and small.min <= numbers.min() and numbers.max() <= small.max
    return np.argsort(numbers.astype(np.int16) if fits else numbers, kind="stable")


def _enough(watched: np.ndarray) -> np.ndarray:
    return watched >= max(1.0, WATCHED_SHARE * watched.max(initial=0))


def recorded_window(cohort: Cohort) -> int:
    """Days for which conversions have really been recorded. [days]

    The longest window, unless recording began late. Then the time before it is next to silent: it has
    at most a fiftieth of the conversions, and five or more fewer, than rate and lag from then on lead to
    expect. Of the days with a conversion it is the one at which a change of level is most likely:
    the largest likelihood ratio of the Poisson scan statistic.
    """
    cohort = (cohort if cohort.latest_first else cohort.ordered()).as_flow()
    days_ago = np.unique(cohort.age - cohort.delay)[::-1][:CANDIDATES].tolist()
    silences = [(_silence_before(cohort, window), window) for window in days_ago]
    return max(silences, default=(0.0, cohort.window))[1] if any(each for each, _ in silences) else cohort.window


def _silence_before(cohort: Cohort, window: int) -> float:
    """Logarithm of the likelihood ratio of fewer conversions before the last `window` days; 0 where not silent."""
    recent = cohort.since(window)
    recorded = len(cohort.delay) - len(recent.delay)
    before = float(cohort.entries[window + 1 :].sum())
    if not _silent(recorded, before):  # not even if all of them were to convert: most windows end here, unestimated
        return 0.0
    estimate = own_estimate(recent)
    if estimate is None:
        return 0.0
    ages_then = np.arange(len(cohort.entries)) - window - 1
    expected = estimate.rate * float(cohort.entries @ estimate.lag.by(ages_then))
    if not _silent(recorded, expected):
        return 0.0
    total = len(cohort.delay)
    level = (expected + len(recent.delay)) / total
    return float(total * np.log(level) + xlogy(recorded, recorded / expected))


def _silent(recorded: int, expected: float) -> bool:
    return expected >= recorded + SILENCE and recorded <= SILENT_SHARE * expected


def well_recorded(cohort: Cohort, on_file: int) -> int:
    """The days whose conversions are held against each other. [days]

    Where outcomes began to be recorded late, the first of them carry what was missed before: who had gone on unseen shows
    up at a later stage only, as if two steps came at once. So days for nine in ten conversions, LATELY at least, are left out.
    """
    if cohort.window >= on_file - LATELY:
        return cohort.window
    return max(cohort.window - max(LATELY, int(np.quantile(cohort.delay, 0.9))), 0)


@dataclass(frozen=True, eq=False)
class DayLag:
    """Distribution of the delay over whole days, and the last age at which enough records were watched."""

    shares: np.ndarray
    horizon: int

    def by(self, age: np.ndarray) -> np.ndarray:
        """Share of the conversions that come at `age` days or earlier; 0 for negative ages."""
        cumulated = np.append(0.0, np.cumsum(self.shares))
        return cumulated[np.clip(age + 1, 0, len(cumulated) - 1)]

    def quantile(self, share: float) -> float:
        """Days within which `share` of the conversions come, a whole day d reaching from d - 1/2 to d + 1/2."""
        cumulated = np.append(0.0, np.cumsum(self.shares))
        day = int(np.searchsorted(cumulated[1:], share - 1e-12))
        start, end = max(day - 0.5, 0.0), day + 0.5
        return start + (end - start) * float((share - cumulated[day]) / self.shares[day])

    def months(self) -> np.ndarray:
        """Share that converts 0, 1, 2, ... months after the month of entry, entries spread evenly in it."""
        months = np.arange(len(self.shares)) / MONTH_DAYS
        whole = np.minimum(np.floor(months).astype(int), LONGEST_LAG - 1)
        later = np.minimum(months - whole, 1.0)
        size = LONGEST_LAG + 1
        split = np.bincount(whole, self.shares * (1 - later), size)
        return np.trim_zeros(split + np.bincount(whole + 1, self.shares * later, size), "b")


@dataclass(frozen=True, eq=False)
class Estimate:
    """Rate, evidence in records, conversions it rests on, and lag."""

    rate: float
    evidence: float
    conversions: int
    lag: DayLag
    unseen: float = 0.0
    """Share of the conversions that may come at ages nobody was watched at, by the longest curve that is about as likely. [0-1]"""


def own_estimate(cohort: Cohort) -> Estimate | None:
    """Rate and lag from the records of `cohort` alone; None without a conversion."""
    watched, chances = cohort.watched(), cohort.chances()
    total = float(chances.sum())
    if total == 0:
        return None
    counted = chances > 0
    effective = total**2 / float((chances[counted] / watched[counted]).sum())
    rate = min(total, 1.0)
    lag = DayLag(chances / total, int(np.flatnonzero(_enough(watched))[-1]))
    conversions = int(counted[cohort.delay].sum())
    return Estimate(rate, effective / rate, conversions, lag)


def conversions_by_day(entries: np.ndarray, chances: np.ndarray, window: int) -> np.ndarray:
    """Conversions expected 0, 1, 2, ... days ago, up to `window`, of records that entered so many days ago."""
    size = 2 ** int(np.ceil(np.log2(2 * max(len(entries), len(chances)))))
    product = np.fft.irfft(np.fft.rfft(entries, size) * np.fft.rfft(chances, size).conj(), size)
    days = np.zeros(window + 1)
    kept = min(window + 1, len(entries))
    days[:kept] = np.maximum(product[:kept], 0.0)
    return days
