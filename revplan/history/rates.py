"""Conversion rates and lags that the records support, and nothing beyond.

Wins / leads is wrong twice: young records have not had their time, and old ones may have
converted before anyone recorded it. So a record only counts at the ages at which it was really
watched: from the day outcomes began to be recorded to the as-of day.

The method, with its sources, stands in `cohorts`.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from revplan.calendar import MONTH_DAYS
from revplan.history.cohorts import Cohort, DayLag, Estimate, estimate_by, own_estimate, recorded_window
from revplan.history.records import EVERY, History
from revplan.tables import conform, empty

CELL_ENTRIES, CELL_CONVERSIONS = 20, 5  # a segment or source with less has no rate of its own
OWN_LAG = 30  # conversions from which a cell has a lag of its own; below, its parent's
MATURE_AGE = 0.6  # a rate is mature when p90 of the lag lies within this share of the longest watch
MATURE_EVIDENCE = 0.5  # and when its evidence is at least this share of the records
CELLS = (["segment"], ["source"], ["segment", "source"])


def estimate_transitions(history: History, as_of: date) -> pd.DataFrame:
    """Rate and lag of every transition, for all records and for the segments and sources that bear it.

    The table `estimates`, from what was entered by `as_of`, or by the history's own day if that is
    earlier. A transition without any recorded conversion has no row. A cell (a segment, a source, or
    both) has one where at least 20 records entered and 5 converted. From 30 conversions it has its own
    lag; with fewer, its rate is its conversions over the exposure
    sum_i F(last age watched) - F(age before the first watched), F being the lag of its segment, or of all.

    Evidence is the effective number of records: Kish's (sum w)^2 / sum w^2 conversions, w = 1 / N(a),
    over the rate. The bounds are P10 and P90 of the Beta distribution it makes with a prior of half
    a conversion and half a failure.
    """
    day = min(as_of, history.as_of)
    rows = [row for pair in pairwise(history.stages) for row in _rows(history, pair, day)]
    return conform(pd.DataFrame(rows), "estimates") if rows else empty("estimates")


def estimate_warnings(history: History, estimates: pd.DataFrame) -> tuple[str, ...]:
    """What a reader of `estimates` must know before using them, one sentence each."""
    every = estimates[(estimates["segment"] == EVERY) & (estimates["source"] == EVERY)]
    rows = {(row["from_stage"], row["to_stage"]): row for row in every.to_dict("records")}
    started = history.stage_history.groupby("stage")["entered_on"].min()
    return tuple(line for pair in pairwise(history.stages) for line in _warnings(pair, rows.get(pair), started))


def transitions_block(estimates: pd.DataFrame) -> list[dict[str, Any]]:
    """`estimates` as the plan file's `transitions`: what holds for all records first, cells after it."""
    return [_transition(row) for row in estimates.to_dict("records")]


# --- rows ----------------------------------------------------------------------------------------


def _rows(history: History, pair: tuple[str, str], as_of: date) -> Iterator[dict[str, Any]]:
    """The rows of one transition: all records, then every cell that bears a rate."""
    entered = _entered(history, pair, as_of)
    whole = _cohort(entered)
    cohort = whole.since(recorded_window(whole))
    estimate = own_estimate(cohort)
    if estimate is None:
        return
    shared = {"from_stage": pair[0], "to_stage": pair[1], "recorded_from": _days_before(as_of, cohort.window)}
    cells = _cells(entered, cohort.window, estimate.lag)
    for labels, cell, found in [({}, cohort, estimate), *cells]:
        yield {**shared, "segment": EVERY, "source": EVERY, **labels, **_figures(cell, found)}


def _entered(history: History, pair: tuple[str, str], as_of: date) -> pd.DataFrame:
    """The records that entered the first stage of `pair` by `as_of`: labels, age, and delay or -1."""
    today = np.datetime64(as_of)
    stages = history.stage_history.assign(day=history.stage_history["entered_on"].dt.floor("D"))
    known = stages[stages["day"] <= pd.Timestamp(as_of)]
    entered = known[known["stage"] == pair[0]]
    converted = known[known["stage"] == pair[1]].set_index("record")["day"].reindex(entered["record"])
    start, end = entered["day"].to_numpy(), converted.to_numpy()
    delay = np.where(np.isnat(end), -1, _whole_days(start, end))
    return entered[["segment", "source"]].assign(age=_whole_days(start, today), delay=delay)


def _whole_days(start: np.ndarray, end: np.ndarray | np.datetime64) -> np.ndarray:
    return (end - start).astype("timedelta64[D]").astype(np.int64)


def _cohort(entered: pd.DataFrame, window: int | None = None) -> Cohort:
    """The counts of `entered`, watched for the last `window` days, or for all days."""
    converted = entered[entered["delay"] >= 0]
    entries = np.bincount(entered["age"])
    cohort = Cohort(entries, converted["age"].to_numpy(), converted["delay"].to_numpy(), len(entries) - 1)
    return cohort if window is None else cohort.since(window)


def _days_before(as_of: date, days: int) -> pd.Timestamp:
    return pd.Timestamp(as_of) - pd.Timedelta(days=days)


def _cells(entered: pd.DataFrame, window: int, lag: DayLag) -> Iterator[tuple[dict[str, str], Cohort, Estimate]]:
    """Labels, cohort and estimate of the cells that bear a rate: segments, sources, and both."""
    lags: dict[str, DayLag] = {}
    for keys in CELLS:
        if min(entered[key].nunique() for key in keys) < 2:
            continue
        for values, records in entered.groupby(keys):
            labels = {key: str(value) for key, value in zip(keys, values, strict=True)}
            cohort = _cohort(records, window)
            estimate = _cell_estimate(cohort, lags.get(labels.get("segment", EVERY), lag))
            if estimate is not None:
                yield labels, cohort, estimate
            if estimate is not None and keys == ["segment"]:
                lags[labels["segment"]] = estimate.lag


def _cell_estimate(cell: Cohort, parent: DayLag) -> Estimate | None:
    conversions = len(cell.delay)
    if cell.entries.sum() < CELL_ENTRIES or conversions < CELL_CONVERSIONS:
        return None
    return own_estimate(cell) if conversions >= OWN_LAG else estimate_by(parent, cell)


def _figures(cohort: Cohort, estimate: Estimate) -> dict[str, Any]:
    """The columns of a row that are figures."""
    low, high = _bounds(estimate)
    return {
        "rate": estimate.rate,
        "rate_low": low,
        "rate_high": high,
        "evidence": estimate.evidence,
        "entries": int(cohort.entries.sum()),
        "conversions": estimate.conversions,
        "median_days": estimate.lag.quantile(0.5),
        "p90_days": estimate.lag.quantile(0.9),
        "lag_months": " ".join(f"{share:.6f}" for share in estimate.lag.months()),
        "watched_days": min(estimate.lag.horizon, cohort.window),
        "mature": _is_mature(estimate, cohort),
    }


def _bounds(estimate: Estimate) -> tuple[float, float]:
    """P10 and P90 of the rate; they enclose it. [0-1]"""
    won = estimate.rate * estimate.evidence
    low, high = betaincinv(won + 0.5, estimate.evidence - won + 0.5, [0.1, 0.9])
    return min(float(low), estimate.rate), max(float(high), estimate.rate)


def _is_mature(estimate: Estimate, cohort: Cohort) -> bool:
    settled = estimate.lag.quantile(0.9) <= MATURE_AGE * min(estimate.lag.horizon, cohort.window)
    watched_from_entry = int(cohort.entries[: cohort.window + 1].sum())
    return settled and estimate.evidence >= MATURE_EVIDENCE * watched_from_entry


# --- for readers and plans -----------------------------------------------------------------------


def _warnings(pair: tuple[str, str], row: dict | None, started: pd.Series) -> Iterator[str]:
    name = f"{pair[0]} to {pair[1]}"
    if row is None:
        yield f"{name}: no conversion is recorded, so there is no rate"
        return
    if row["recorded_from"] > started[pair[0]]:
        yield (
            f"{name}: outcomes are recorded only from {row['recorded_from']:%Y-%m-%d}, though records start "
            f"on {started[pair[0]]:%Y-%m-%d}; what came before is left out"
        )
    if row["p90_days"] > MATURE_AGE * row["watched_days"]:
        yield (
            f"{name}: immature: one in ten conversions takes over {row['p90_days']:.0f} days, and records were "
            f"watched for {row['watched_days']:.0f}; the rate of {row['rate']:.3f} may rise"
        )
    elif not row["mature"]:
        yield (
            f"{name}: immature: the rate of {row['rate']:.3f} rests on {row['evidence']:.0f} effective records, "
            "fewer than half of those watched from their entry"
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
