"""How far back a rate should look, and whether it moved.

A shorter window follows a rate that moves, a longer one has more to go by. Which is better is asked of
the company's own past: each window forecasts, month by month, the conversions of the three months that
followed, from records known then; all of the history is kept unless a shorter window is clearly better.
Sources are told apart: where one that hardly converts was loaded and another one came later, the mix
moved and no rate did.

Sources: P. Armitage, "Tests for linear trends in proportions and frequencies", Biometrics 11 (1955),
doi.org/10.2307/3001775, for the test of a steady drift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import ndtr, xlogy
from scipy.stats import binomtest

from revplan.history.cohorts import Cohort
from revplan.history.records import History

WINDOWS = (365, 180)  # days tried beside all that was recorded
PREFERENCE = 3.0  # log likelihood by which a shorter window must be better
REPLAYS, STEP, AHEAD = 12, 30, 90  # days replayed, how far apart, and days forecast
FEWEST = 30  # conversions a window needs, now and in every replay
LATELY = 90  # days that are compared with those before
# Days at its end in which wins may bunch, times their share of the days from which they do; and the chance of it by luck.
CLOSINGS = {"month": (2, 3.0), "quarter": (12, 1.5)}
UNLIKELY = 0.001
LEVEL = 10.0  # conversions that the level of all sources counts for in that of one


@dataclass(frozen=True)
class Drift:
    """Conversions of the last 90 days over those expected, and the chance of such a difference if nothing moved."""

    ratio: float
    chance: float


def closing_notes(history: History) -> tuple[str, ...]:
    """That wins bunch at the ends of quarters or of months, in a sentence; nothing where they do not.

    Delays by age know nothing of the calendar. Where deals are closed, or dated, towards an end, what is open right
    after it has just been passed over: whole quarters come out right, parts of them and months do not.
    """
    rows = history.stage_history
    won = pd.DatetimeIndex(rows.loc[rows["stage"] == history.stages[-1], "entered_on"]).normalize()
    if len(won) < FEWEST or (won.max() - won.min()).days < 2 * LATELY:
        return ()
    days = pd.date_range(won.min(), won.max())
    ends = pd.offsets.MonthEnd(0), pd.offsets.QuarterEnd(0)
    for (name, (last, times)), end in zip(CLOSINGS.items(), ends, strict=True):
        counted, usual = (float(((each + end - each).days < last).mean()) for each in (won, days))
        chance = float(binomtest(round(counted * len(won)), len(won), usual, alternative="greater").pvalue)
        if counted >= times * usual and chance < UNLIKELY:
            return (
                f"Wins bunch: {counted:.0%} of them fall on the last {last} days of a {name}, which are {usual:.0%} of all days. "
                "Whole quarters are told as they come; what is told of a part of one, or of the open pipeline right after its end, "
                "is off by more than its band says.",
            )
    return ()


def best_window(cohort: Cohort, sources: Sequence[Cohort]) -> int:
    """The days a rate should look back on, at most those recorded. [days]

    `sources` are the same records, source by source.
    """
    windows = [cohort.window, *(window for window in WINDOWS if window < cohort.window)]
    scores = dict.fromkeys(windows, 0.0)
    for ago in range(AHEAD, AHEAD + REPLAYS * STEP, STEP):
        then = _as_known(cohort, ago)
        counts = [int((then.ago <= window).sum()) for window in windows]
        if then.window < min(WINDOWS) or min(counts) < FEWEST:
            break
        came = _came(cohort, ago)
        parts = [_as_known(each, ago) for each in sources]
        for window in windows:
            told = max(_told(then, parts, min(window, then.window)), 1e-9)
            scores[window] += (xlogy(came, told) - told) * STEP / AHEAD
    best = max(scores, key=lambda window: scores[window])
    return best if scores[best] > scores[cohort.window] + PREFERENCE else cohort.window


def _as_known(cohort: Cohort, ago: int) -> Cohort:
    """What was known `ago` days earlier."""
    known = cohort.came(ago, len(cohort.entries))
    entries = cohort.entries[ago:] if ago < len(cohort.entries) else np.zeros(1)
    window = max(cohort.window - ago, 0)
    return Cohort(entries, cohort.age[known] - ago, cohort.delay[known], window, cohort.latest_first)


def _told(then: Cohort, sources: Sequence[Cohort], window: int) -> float:
    """Conversions forecast for the days that followed, of the records known then, each source at its own level."""
    chances = then.since(window).chances()
    by = np.append(0.0, np.cumsum(chances))
    last = len(by) - 1
    told = 0.0
    for each in sources:
        ages = np.arange(len(each.entries))
        ahead = float(each.entries @ (by[np.minimum(ages + AHEAD + 1, last)] - by[np.minimum(ages + 1, last)]))
        told += ahead * _level(each.since(window), chances)
    return told


def _level(source: Cohort, chances: np.ndarray) -> float:
    """A source's conversions over those that `chances` by age lead to expect, drawn towards 1."""
    watched = source.watched()
    expected = float(chances[: len(watched)] @ watched[: len(chances)])
    counted = int((source.delay < len(chances)).sum())
    return (counted + LEVEL) / (expected + LEVEL)


def _came(cohort: Cohort, ago: int) -> int:
    """Conversions in the days that followed, of the records known `ago` days earlier."""
    when = cohort.age - cohort.delay
    return int(((when < ago) & (when >= ago - AHEAD) & (cohort.age >= ago)).sum())


def drift(cohort: Cohort, sources: Sequence[Cohort]) -> Drift | None:
    """The last 90 days against the days before, given the ages of the records; None where either is too thin.

    Were the chances by age the same throughout, each conversion would fall on a day with the share of them
    that this day expects. Two tests, given the number of conversions: how many fell into the last 90 days
    (binomial, exact), which sees a jump, and how late they fell on the average (Armitage), which sees a steady drift.
    The chance is that of the clearer of the two, doubled because there are two.
    """
    if cohort.window < 2 * LATELY:
        return None
    cohort, sources = cohort.as_flow(), [each.as_flow() for each in sources]
    chances = cohort.chances()
    counted = chances[cohort.delay] > 0
    ago = (cohort.age - cohort.delay)[counted]
    expected = np.zeros(cohort.window + 1)
    for each in sources:
        expected += _level(each, chances) * _by_day(each.entries, chances, cohort.window)
    lately, every, number = float(expected[:LATELY].sum()), float(expected.sum()), len(ago)
    came = int((ago < LATELY).sum())
    if min(lately, every - lately) < FEWEST or number == came:
        return None
    jump = float(binomtest(came, number, min(lately / every, 1.0)).pvalue)
    days, share = np.arange(len(expected)), expected / every
    middle = float(share @ days)
    spread = np.sqrt(float(share @ (days - middle) ** 2) / number)
    trend = 2 * float(ndtr(-abs(float(ago.mean()) - middle) / spread))
    ratio = came / (number - came) * (every - lately) / lately
    return Drift(ratio, min(2 * min(jump, trend), 1.0))


def _by_day(entries: np.ndarray, chances: np.ndarray, window: int) -> np.ndarray:
    """Conversions expected 0, 1, 2, ... days ago, up to `window`, of records that entered so many days ago."""
    size = 2 ** int(np.ceil(np.log2(2 * max(len(entries), len(chances)))))
    product = np.fft.irfft(np.fft.rfft(entries, size) * np.fft.rfft(chances, size).conj(), size)
    days = np.zeros(window + 1)
    kept = min(window + 1, len(entries))
    days[:kept] = np.maximum(product[:kept], 0.0)
    return days
