"""How far back a rate should look, and whether its last months differ from before.

A shorter window follows a rate that moves, a longer one has more to go by. Which is better is asked of
the company's own past: each window forecasts, month by month, the conversions of the three months that
followed, from records known then; all of the history is kept unless a shorter window is clearly better.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import xlogy
from scipy.stats import binomtest

from revplan.history.cohorts import Cohort

WINDOWS = (365, 180)  # days tried beside all that was recorded
PREFERENCE = 3.0  # log likelihood by which a shorter window must be better
REPLAYS, STEP, AHEAD = 12, 30, 90  # days replayed, how far apart, and days forecast
FEWEST = 30  # conversions a window needs, now and in every replay
LATELY = 90  # days that are compared with those before


@dataclass(frozen=True)
class Drift:
    """Conversions of the last 90 days over those expected, and the chance of such a difference if nothing moved."""

    ratio: float
    chance: float


def best_window(cohort: Cohort) -> int:
    """The days a rate should look back on, at most those recorded. [days]"""
    windows = [cohort.window, *(window for window in WINDOWS if window < cohort.window)]
    scores = dict.fromkeys(windows, 0.0)
    for ago in range(AHEAD, AHEAD + REPLAYS * STEP, STEP):
        then = _as_known(cohort, ago)
        counts = [int((then.age - then.delay <= window).sum()) for window in windows]
        if then.window < min(WINDOWS) or min(counts) < FEWEST:
            break
        came = _came(cohort, ago)
        for window in windows:
            told = max(_told(then, window), 1e-9)
            scores[window] += (xlogy(came, told) - told) * STEP / AHEAD
    best = max(scores, key=lambda window: scores[window])
    return best if scores[best] > scores[cohort.window] + PREFERENCE else cohort.window


def _as_known(cohort: Cohort, ago: int) -> Cohort:
    """What was known `ago` days earlier."""
    known = cohort.age - cohort.delay >= ago
    entries = cohort.entries[ago:] if ago < len(cohort.entries) else np.zeros(1)
    return Cohort(entries, cohort.age[known] - ago, cohort.delay[known], max(cohort.window - ago, 0))


def _told(then: Cohort, window: int) -> float:
    """Conversions forecast for the days that followed, of the records known then."""
    chances = then.since(min(window, then.window)).chances()
    by = np.append(0.0, np.cumsum(chances))
    ages = np.arange(len(then.entries))
    last = len(by) - 1
    return float(then.entries @ (by[np.minimum(ages + AHEAD + 1, last)] - by[np.minimum(ages + 1, last)]))


def _came(cohort: Cohort, ago: int) -> int:
    """Conversions in the days that followed, of the records known `ago` days earlier."""
    when = cohort.age - cohort.delay
    return int(((when < ago) & (when >= ago - AHEAD) & (cohort.age >= ago)).sum())


def drift(cohort: Cohort) -> Drift | None:
    """The last 90 days against the days before, given the ages of the records; None where either is too thin.

    Were the chances by age the same throughout, each conversion would fall into the last 90 days with
    the share of them that these expect: a binomial test, exact given the number of conversions.
    """
    if cohort.window < 2 * LATELY:
        return None
    chances = cohort.chances()
    expected = float(chances @ cohort.since(LATELY - 1).watched())
    every = float(chances @ cohort.watched())
    counted = chances[cohort.delay] > 0
    lately = int((counted & (cohort.age - cohort.delay < LATELY)).sum())
    number = int(counted.sum())
    before, expected_before = number - lately, every - expected
    if min(expected, expected_before) < FEWEST or before == 0:
        return None
    test = binomtest(lately, number, min(expected / every, 1.0))
    return Drift(lately / before * expected_before / expected, float(test.pvalue))
