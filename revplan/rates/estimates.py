"""How far back a rate should look, and whether it moved.

A shorter window follows a rate that moves, a longer one has more to go by. Which is better is asked of
the company's own past: each window forecasts, month by month, the conversions of the three months that
followed, from records known then; all of the history is kept unless a shorter window is clearly better.
Sources are told apart: where one that hardly converts was loaded and another one came later, the mix
moved and no rate did.

Sources: P. Armitage, "Tests for linear trends in proportions and frequencies", Biometrics 11 (1955),
doi.org/10.2307/3001775, for the test of a steady drift.

Conversion rates and lags that the records support, and nothing beyond.

Wins / leads is wrong twice: young records have not had their time, and old ones may have
converted before anyone recorded it. So a record only counts at the ages at which it was really
watched: from the day outcomes began to be recorded to the as-of day.

The whole's rate is the sum of the shares that convert at each age (`cohorts`), with what the records
were too young to show (`tails`). A segment's, a source's and a cell's conversions are held against the
records that had their time, sum_i F(age) - F(age before the first day watched), F being the lag of the
segment, and drawn together (`shrinkage`). How far back to look is asked of the past (`recency`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import bdtr, bdtrc, betaincinv, gammaln, ndtr, xlog1py, xlogy

from revplan.crm.answer import load_notes
from revplan.crm.counted import Counted
from revplan.crm.mapping import EVERY
from revplan.crm.records import History
from revplan.ground.calendar import MONTH_DAYS
from revplan.ground.clock import Clock
from revplan.ground.cohorts import (
    LATELY,
    Cohort,
    DayLag,
    Estimate,
    conversions_by_day,
    own_estimate,
    recorded_window,
    well_recorded,
)
from revplan.ground.levels import FEWEST as FEWEST_MONTHS
from revplan.ground.levels import StepLevel, level_of
from revplan.ground.tables import from_rows
from revplan.rates.closings import clock_of, closing_notes, on_clock
from revplan.rates.parts import StageEntries, by_source, entered_stage, matured, parts_of
from revplan.rates.spells import NEVER, Spells, as_date, counted_spells, day_number, spells_of
from revplan.rates.tails import FEWEST as FEWEST_OF_TAIL
from revplan.rates.tails import with_tail

WINDOWS = (365, 180)  # days tried beside all that was recorded
PREFERENCE = 3.0  # log likelihood by which a shorter window must be better
REPLAYS, STEP, AHEAD = 12, 30, 90  # days replayed, how far apart, and days forecast
FEWEST_REPLAYS = 3  # of them that a shorter window must have been better in: one quarter is no record
FEWEST = 30  # conversions a window needs, now and in every replay
FEWEST_LATELY = 10  # conversions expected in the last 90 days, and before, from which they are compared
LEVEL = 10.0  # conversions that the level of all sources counts for in that of one


@dataclass(frozen=True)
class Drift:
    """Conversions of the last 90 days over those expected, and the chance of such a difference if nothing moved."""

    ratio: float
    chance: float


def best_window(cohort: Cohort, sources: Sequence[Cohort]) -> int:
    """The days a rate should look back on, at most those recorded. [days]

    `sources` are the same records, source by source.
    """
    windows = [cohort.window, *(window for window in WINDOWS if window < cohort.window)]
    scores, days = dict.fromkeys(windows, 0.0), 0
    for ago in range(AHEAD, AHEAD + REPLAYS * STEP, STEP):
        then = _as_recorded(cohort, ago)
        counts = [int((then.ago <= window).sum()) for window in windows]
        if then.window < min(WINDOWS) or min(counts) < FEWEST:
            break
        days += 1
        converted = _converted(cohort, ago)
        parts = [_as_recorded(each, ago) for each in sources]
        for window in windows:
            told = max(_told(then, parts, min(window, then.window)), 1e-9)
            scores[window] += (xlogy(converted, told) - told) * STEP / AHEAD
    best = max(scores, key=lambda window: scores[window])
    return best if days >= FEWEST_REPLAYS and scores[best] > scores[cohort.window] + PREFERENCE else cohort.window


def _as_recorded(cohort: Cohort, ago: int) -> Cohort:
    """What was known `ago` days earlier."""
    inside = cohort.converted(ago, len(cohort.entries))
    entries = cohort.entries[ago:] if ago < len(cohort.entries) else np.zeros(1)
    window = max(cohort.window - ago, 0)
    return Cohort(entries, cohort.age[inside] - ago, cohort.delay[inside], window, cohort.latest_first)


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


def _converted(cohort: Cohort, ago: int) -> int:
    """Conversions in the days that followed, of the records known `ago` days earlier."""
    when = cohort.age - cohort.delay
    return int(((when < ago) & (when >= ago - AHEAD) & (cohort.age >= ago)).sum())


def drift(cohort: Cohort, sources: Sequence[Cohort], on_file: int = 0) -> Drift | None:
    """The last 90 days against the days before, given the ages of the records; None where either is too thin.

    Were the chances by age the same throughout, each conversion would fall on a day with the share of them
    that this day expects. Two tests, given the number of conversions: how many fell into the last 90 days
    (binomial, exact), which sees a jump, and how late they fell on the average (Armitage), which sees a steady drift.
    The chance is that of the clearer of the two, doubled because there are two. `on_file` are the days for which there
    are records of any stage, where outcomes began to be recorded later.
    """
    if cohort.window < 2 * LATELY or len(cohort.delay) == 0:
        return None
    by_day, expected = against_expected(cohort, sources, on_file)
    ago = np.repeat(np.arange(len(by_day)), by_day.astype(int))
    lately, every, number = float(expected[:LATELY].sum()), float(expected.sum()), len(ago)
    converted = int((ago < LATELY).sum())
    if min(lately, every - lately) < FEWEST_LATELY or number < FEWEST or number == converted:
        return None
    jump = as_unlikely(converted, number, min(lately / every, 1.0))
    days, share = np.arange(len(expected)), expected / every
    middle = float(share @ days)
    spread = np.sqrt(float(share @ (days - middle) ** 2) / number)
    trend = 2 * float(ndtr(-abs(float(ago.mean()) - middle) / spread))
    ratio = converted / (number - converted) * (every - lately) / lately
    return Drift(ratio, min(2 * min(jump, trend), 1.0))


def against_expected(cohort: Cohort, sources: Sequence[Cohort], on_file: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Conversions 0, 1, 2, ... days ago, and those that chances by age which never moved lead to expect.

    Each source counts at its own level; `on_file` is as in `drift`.
    """
    cohort, sources = cohort.as_flow(), [each.as_flow() for each in sources]
    chances = cohort.chances()
    watched = well_recorded(cohort, on_file)
    ago = (cohort.age - cohort.delay)[chances[cohort.delay] > 0]
    expected = np.zeros(cohort.window + 1)
    for each in sources:
        expected += _level(each, chances) * conversions_by_day(each.entries, chances, cohort.window)
    return np.bincount(ago[ago <= watched], minlength=watched + 1).astype(float), expected[: watched + 1]


def as_unlikely(converted: int, number: int, share: float) -> float:
    """The chance of a count out of `number` that is no likelier than `converted`, where each counts with chance `share`.

    The exact two-sided binomial test, as `scipy.stats.binomtest` has it, whose module takes a quarter of a second to load.
    Chances rise up to the likeliest count and fall after it, so that the counts on its other side are looked for by halving.
    """

    def chance(count: int) -> float:
        return float(gammaln(number + 1) - gammaln(count + 1) - gammaln(number - count + 1)) + float(
            xlogy(count, share) + xlog1py(number - count, -share)
        )

    most, own = min(int((number + 1) * share), number), chance(converted) + 1e-7
    if chance(most) <= own:
        return 1.0
    below = converted <= most
    near, far = (
        (most, number + 1) if below else (most, -1)
    )  # the far end is as unlikely; the near end, if it is not came
    while abs(far - near) > 1:
        middle = (near + far) // 2
        near, far = (near, middle) if chance(middle) <= own else (middle, far)
    low, high = (converted, far) if below else (far, converted)
    return min(
        float(bdtr(low, number, share) if low >= 0 else 0.0)
        + float(bdtrc(high - 1, number, share) if high <= number else 0.0),
        1.0,
    )


LEVEL_DAYS, LEVEL_MONTHS = 30, 36  # days told together where a step's level is looked for, and how many of them


def step_levels(history: History | Counted) -> dict[tuple[str, str], StepLevel]:
    """The level of every step that `history` holds a conversion of, by its stages.

    A last step whose wins bunch has none once there are months enough to look for one: what ended on a day of much
    work is spread evenly over it, so that its last days of work do not tell how it runs lately.
    """
    spells, clock = spells_of(history), clock_of(history)
    pairs = list(pairwise(history.stages))
    found = {}
    for stage, pair in enumerate(pairs):
        timed = clock if stage == len(pairs) - 1 else None
        counted = _months(on_clock(spells, timed) if timed is not None else spells, stage)
        if counted is not None and (timed is None or timed.is_even or len(counted[0]) < FEWEST_MONTHS):
            found[pair] = level_of(*counted)
    return found


def _months(spells: Spells, stage: int) -> tuple[np.ndarray, np.ndarray, int] | None:
    """Conversions of each month back, those expected, and how many months of them the rate rests on."""
    entered = entered_stage(spells, stage)
    if len(entered.age) == 0:
        return None
    whole = entered.cohort.ordered()
    recorded = whole.since(recorded_window(whole))
    if not len(recorded.delay):
        return None
    sources = by_source(spells, entered.by(entered.cell, len(spells.cells)), recorded.window)
    on_file = spells.day - int(spells.entered.min())
    converted, expected = against_expected(recorded, sources, on_file if recorded.window < on_file - LATELY else 0)
    months = min(len(expected) // LEVEL_DAYS, LEVEL_MONTHS)
    sums = [days[: months * LEVEL_DAYS].reshape(months, LEVEL_DAYS).sum(axis=1) for days in (converted, expected)]
    return sums[0], sums[1], max(best_window(recorded, sources) // LEVEL_DAYS, 1)


MATURE_AGE = 0.6  # a rate is mature when p90 of the lag lies within this share of the longest watch
MATURE_AGE_OF_FEW = 0.3  # and within this one where conversions are too few for a look at what comes later
MATURE_UNSEEN = 0.02  # and when no more than this share of the conversions is expected at ages nobody was watched at
MATURE_EVIDENCE = 0.5  # and when the records that had their time are at least this share of those watched from entry
PRICED = 0.8  # share of the entries that must carry an amount for a rate in money
PRIOR_OF_ALL = 0.5  # conversions, and records that did not convert, added to those of all records (Jeffreys)
ROOM = 1.1  # shares that go on and that are lost together, from which they contradict each other
DRIFT_CHANCE = 0.05  # a difference this unlikely by chance is reported


def estimate_transitions(history: History | Counted, as_of: date) -> pd.DataFrame:
    """Rate and lag of every transition, for all records and for segments, sources and both.

    The table `estimates`, from what was entered by `as_of`, or by the history's own day if that is
    earlier. A transition without any recorded conversion has no row. A segment, a source, or a cell
    of both has one where at least 20 records entered; its rate is drawn towards what the others lead
    to expect, by as much as its own records leave open.

    Evidence is the effective number of records behind the rate. For all records it is Kish's
    (sum w)^2 / sum w^2 conversions, w = 1 / N(a), over the rate, less what an unseen tail leaves open;
    for a cell the records that a Beta distribution as wide as its posterior stands for, borrowed ones
    included. The bounds are P10 and P90.
    """
    spells = counted_spells(history)
    steps, clock = len(history.stages) - 1, clock_of(history, spells)
    if clock is not None:  # it spreads the records of a day over that day's work, each on its own
        spells = spells.each()
    spells = spells.up_to(min(spells.day, day_number(as_of)))
    rows = [row for stage in range(steps) for row in _rows(spells, stage, clock if stage == steps - 1 else None)]
    return from_rows("estimates", rows)


def estimate_warnings(history: History | Counted, estimates: pd.DataFrame) -> tuple[str, ...]:
    """What a reader of `estimates` must know before using them, one sentence each."""
    every = estimates[(estimates["segment"] == EVERY) & (estimates["source"] == EVERY)]
    rows = {(row["from_stage"], row["to_stage"]): row for row in every.to_dict("records")}
    spells, day = counted_spells(history), pd.Timestamp(history.as_of)
    steps = [
        line
        for step, pair in enumerate(pairwise(history.stages))
        for line in _warnings(pair, rows.get(pair), _started(spells, step), day, _earlier(spells, step, rows.get(pair)))
    ]
    return (*history.notes, *load_notes(history), *closing_notes(history, spells), *steps)


def _started(spells: Spells, stage: int) -> pd.Timestamp:
    """The first day on which a record entered a stage."""
    first = int(spells.entered[:, stage].min(initial=NEVER))
    return pd.Timestamp(as_date(first)) if first < NEVER else pd.NaT


def transitions_block(estimates: pd.DataFrame) -> list[dict[str, Any]]:
    """`estimates` as the plan file's `transitions`: what holds for all records first, cells after it."""
    return [_transition(row) for row in estimates.to_dict("records")]


# --- rows ----------------------------------------------------------------------------------------


def _rows(spells: Spells, stage: int, clock: Clock | None) -> Iterator[dict[str, Any]]:
    """The rows of one transition, its delays told by `clock`: all records, then segments, sources, and cells of both."""
    today = spells.day
    if clock is not None:
        spells = on_clock(spells, clock)

    def first_day(window: int) -> int:
        return spells.day - window if clock is None else clock.day_of(spells.day - window)

    entered = entered_stage(spells, stage)
    if len(entered.age) == 0:
        return
    whole = entered.cohort.ordered()
    recorded = whole.since(recorded_window(whole))
    by_cell = entered.by(entered.cell, len(spells.cells))
    sources = by_source(spells, by_cell, recorded.window)
    cohort = recorded.since(best_window(recorded, sources))
    estimate = own_estimate(cohort)
    if estimate is None:
        return
    possible = _possible(estimate.rate, entered, cohort.window)
    if possible == estimate.rate:
        estimate = with_tail(estimate, cohort, max(1 - _lost(entered, cohort.window), estimate.rate))
    else:
        estimate = replace(estimate, rate=possible)
    shared = {
        "from_stage": spells.stages[stage],
        "to_stage": spells.stages[stage + 1],
        "recorded_from": pd.Timestamp(as_date(first_day(recorded.window))),
        "window_days": today - first_day(cohort.window),
    }
    on_file = spells.day - int(spells.entered.min())
    on_file = on_file if recorded.window < on_file - LATELY else 0
    moved = _drift_columns(drift(recorded, sources, on_file))
    bounds = _bounds(estimate.rate, *_beta(estimate.rate, estimate.evidence, PRIOR_OF_ALL))
    bounds = bounds[0], max(min(bounds[1], _most(entered)), estimate.rate)
    figures = _figures(cohort, estimate, bounds)
    yield {
        **shared,
        "segment": EVERY,
        "source": EVERY,
        **figures,
        **_money(entered, cohort.window, estimate.lag),
        **moved,
    }
    for part, cell, limits in parts_of(spells, by_cell, (cohort.window, recorded.window), estimate):
        possible = _possible(cell.rate, part.entered, part.cohort.window)
        if possible < cell.rate:
            cell = replace(cell, rate=possible)
            limits = _bounds(possible, *_beta(possible, cell.evidence, 0.0))
        yield {
            **shared,
            **part.labels,
            **_figures(part.cohort, cell, (limits[0], max(min(limits[1], _most(part.entered)), cell.rate))),
            **_money(part.entered, part.cohort.window, part.lag),
            **_drift_columns(drift(part.cohort, [part.cohort], on_file)),
        }


def _possible(rate: float, entered: StageEntries, window: int) -> float:
    """`rate` where the recorded losses leave room for it, otherwise what they leave. [0-1]

    Who is lost did not go on. Where the shares that go on and that are lost, each summed over the ages it was watched
    at, come to clearly more than 1, delays were not the same at all times (as where an older system's outcomes were
    entered late), and each is taken as its part of the fates on file.
    """
    lost = _lost(entered, window)
    if rate + lost > ROOM:
        rate = rate / (rate + lost)
    count, kept = entered.number(), entered.number(entered.lost < 0)
    return min(rate, max(kept / count, 0.5 / (count + 1)))  # where all were lost the next may still go on


def _lost(entered: StageEntries, window: int) -> float:
    """Share of the entries that is recorded lost, summed over the ages they were watched at."""
    return float(entered.losses(window).chances().sum())


def _most(entered: StageEntries) -> float:
    """The most a rate may be told as: P90 of the share of the entries that is not recorded lost. [0-1]"""
    lost = entered.number(entered.lost >= 0)
    return float(betaincinv(entered.number() - lost + 0.5, lost + 0.5, 0.9))


# --- figures -------------------------------------------------------------------------------------


def _figures(cohort: Cohort, estimate: Estimate, bounds: tuple[float, float]) -> dict[str, Any]:
    """The columns of a row that are figures."""
    return {
        "rate": estimate.rate,
        "rate_low": bounds[0],
        "rate_high": bounds[1],
        "evidence": estimate.evidence,
        "entries": int(cohort.entries.sum()),
        "conversions": estimate.conversions,
        "median_days": estimate.lag.quantile(0.5),
        "p90_days": estimate.lag.quantile(0.9),
        "lag_months": " ".join(f"{share:.6f}" for share in estimate.lag.months()),
        "watched_days": min(estimate.lag.horizon, cohort.window),
        "mature": _is_mature(estimate, cohort),
    }


def rate_law(row: Mapping[Any, Any]) -> tuple[float, float]:
    """Parameters of the Beta distribution that a row of `estimates` stands for; its bounds are P10 and P90 of it."""
    of_all = row["segment"] == EVERY and row["source"] == EVERY
    return _beta(row["rate"], row["evidence"], PRIOR_OF_ALL if of_all else 0.0)


def _beta(rate: float, evidence: float, prior: float) -> tuple[float, float]:
    return rate * evidence + prior, (1 - rate) * evidence + prior


def _bounds(rate: float, won: float, not_won: float) -> tuple[float, float]:
    """P10 and P90 of the rate; they enclose it. [0-1]"""
    low, high = betaincinv(won, not_won, [0.1, 0.9])
    return min(float(low), rate), max(float(high), rate)


def _is_mature(estimate: Estimate, cohort: Cohort) -> bool:
    """Whether the delay lies well within the ages watched, hardly a conversion is expected beyond them, and records had their time."""
    watched = min(estimate.lag.horizon, cohort.window)
    settled = estimate.lag.quantile(0.9) <= _mature_age(estimate.conversions) * watched
    unseen = max(estimate.unseen, 1 - float(estimate.lag.by(np.array([watched]))[0]))
    recent = cohort.entries[: cohort.window + 1]
    had_time = matured(recent.astype(float), estimate.lag, cohort.window) >= MATURE_EVIDENCE * recent.sum()
    return settled and unseen <= MATURE_UNSEEN and had_time


def _mature_age(conversions: float) -> float:
    return MATURE_AGE if conversions >= FEWEST_OF_TAIL else MATURE_AGE_OF_FEW


def _money(entered: StageEntries, window: int, lag: DayLag) -> dict[str, Any]:
    """The rate in money: amounts that convert over amounts that had their time; missing where few carry one."""
    priced = entered.amount > 0
    if entered.number(priced) < PRICED * entered.number():
        return {"dollar_rate": np.nan}
    amount, age, delay = (
        (entered.amount if entered.count is None else entered.amount * entered.count)[priced],
        entered.age[priced],
        entered.delay[priced],
    )
    won = float(amount[(delay >= 0) & (age - delay <= window)].sum())
    entered_money = matured(np.bincount(age, amount), lag, window)
    return {"dollar_rate": min(won / entered_money, 1.0) if entered_money > 0 else np.nan}


def _drift_columns(found: Drift | None) -> dict[str, float]:
    return {"drift": found.ratio if found else np.nan, "drift_chance": found.chance if found else np.nan}


# --- for readers and plans -----------------------------------------------------------------------


def _earlier(spells: Spells, stage: int, row: dict | None) -> int:
    """Conversions on file from before the day outcomes count from: too few to say that they were recorded then."""
    if row is None or row["recorded_from"] <= _started(spells, stage):
        return 0
    start, end = spells.entered[:, stage], spells.entered[:, stage + 1]
    return spells.number((start < NEVER) & (end < day_number(row["recorded_from"].date())))


def recorded_only(pair: tuple[str, str], day: date, earlier: int, started: date) -> str:
    """That outcomes of a step count from `day` on only; where some are on file from before it, how few."""
    few = "1 outcome is" if earlier == 1 else f"{earlier:,} outcomes are"
    said = f"only {few} recorded before {day}, far fewer than later ones lead to expect"
    found = said if earlier else f"outcomes are recorded only from {day}"
    return f"{pair[0]} to {pair[1]}: {found}, though records start on {started}; what came before is left out"


def _warnings(
    pair: tuple[str, str], row: dict | None, started: pd.Timestamp, history_day: pd.Timestamp, earlier: int
) -> Iterator[str]:
    name = f"{pair[0]} to {pair[1]}"
    if row is None:
        yield f"{name}: no conversion is recorded, so there is no rate"
        return
    if row["recorded_from"] > started:
        yield recorded_only(pair, row["recorded_from"].date(), earlier, started.date())
    if row["drift_chance"] < DRIFT_CHANCE:
        yield (
            f"{name}: changed over time by more than luck explains: in the last 90 days {row['drift']:.2f} times as many went on as "
            "the days before lead to expect; plan with what is recent, and ask what changed"
        )
    if row["window_days"] < (history_day - row["recorded_from"]).days:
        yield (
            f"{name}: rates rest on the last {row['window_days']:.0f} days, which forecast the company's own past "
            "better than all of it"
        )
    if row["p90_days"] > MATURE_AGE * row["watched_days"]:
        yield (
            f"{name}: not settled: one in ten conversions takes over {row['p90_days']:.0f} days, and records were "
            f"watched for {row['watched_days']:.0f}; the rate of {row['rate']:.1%} is not final"
        )
    elif row["p90_days"] > _mature_age(row["conversions"]) * row["watched_days"]:
        yield (
            f"{name}: not settled: {row['conversions']:.0f} conversions, watched for {row['watched_days']:.0f} days, are too few to say "
            f"that hardly any takes longer; the rate of {row['rate']:.1%} is not final"
        )
    elif not row["mature"]:
        yield (
            f"{name}: not settled: conversions later than the ages watched are likely, or fewer than half of the records "
            f"watched from their entry had the time a conversion takes; the rate of {row['rate']:.1%} is not final"
        )


def _transition(row: dict) -> dict[str, Any]:
    cell = {key: row[key] for key in ("segment", "source") if row[key] != EVERY}
    ends = {"from": row["from_stage"], "to": row["to_stage"]}
    return {**ends, **cell, "rate": row["rate"], "evidence": row["evidence"], "lag": _plan_lag(row)}


def _plan_lag(row: dict) -> dict[str, Any]:
    """The lag as a plan takes it: log-normal, or by month where half the conversions come at once."""
    median, p90 = row["median_days"], row["p90_days"]
    if median >= 0.5 and p90 > median:
        return {"median_days": median, "p90_days": p90}
    if p90 < MONTH_DAYS / 2:
        return {"months": 0}
    shares = np.array([float(share) for share in row["lag_months"].split()])
    return {"weights": (shares / shares.sum()).tolist()}
