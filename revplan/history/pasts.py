"""What each past quarter or month did by itself: conversion and delay of its cohort, its deals, its volume.

An estimate says what all records together support; a planner also asks how often a figure was reached.
A cohort counts here only with records that were watched for as long as nine in ten conversions take, and
only with what they converted within that time, so that an old cohort has no advantage over a young one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from revplan.history.records import EVERY
from revplan.history.spells import NEVER, Spells
from revplan.tables import conform, empty

FEWEST_ENTRIES, FEWEST_CONVERSIONS, FEWEST_DEALS = 20, 5, 5  # of a quarter, below which it says nothing by itself
DEAL_DAYS = 730  # days looked back on for deals

Part = tuple[str, str]
"""A segment and a source."""


def past_cohorts(spells: Spells, row: Mapping[Any, Any], parts: Collection[Part]) -> pd.DataFrame:
    """Rate and median delay of each quarter's entries. The table past_cohorts.

    The rate is what converted within the P90 of the delay, over the share of the conversions that come
    within it.

    Parameters
    ----------
    spells
        The records.
    row
        A row of the table estimates: its stages, its delay, and from when outcomes were recorded.
    parts
        The segments and sources whose records count; 'all' stands for every one.
    """
    stage, within = spells.stages.index(row["from_stage"]), int(np.ceil(row["p90_days"]))
    start, end = spells.entered[:, stage], spells.entered[:, stage + 1]
    recorded = np.datetime64(row["recorded_from"], "D").astype(np.int64)
    watched = _of_parts(spells, parts) & (start < NEVER) & (start >= recorded) & (start + within <= spells.day)
    start, end = start[watched], end[watched]
    delay = np.where(end < NEVER, end - start, NEVER)
    share = _share_within(row["median_days"], row["p90_days"], within)
    quarters = _months(start) // 3
    cohorts = ((quarter, delay[quarters == quarter]) for quarter in np.unique(quarters))
    made = [_cohort(int(quarter), mine, within, share) for quarter, mine in cohorts if len(mine) >= FEWEST_ENTRIES]
    return conform(pd.DataFrame(made), "past_cohorts") if made else empty("past_cohorts")


def _cohort(quarter: int, delay: np.ndarray, within: int, share: float) -> dict[str, Any]:
    converted = delay[delay <= within]
    return {
        "cohort": str(pd.Period(ordinal=quarter, freq="Q")),
        "entries": float(len(delay)),
        "rate": min(len(converted) / len(delay) / share, 1.0),
        "median_days": _median(converted, share),
    }


def _of_parts(spells: Spells, parts: Collection[Part]) -> np.ndarray:
    """Whether each record belongs to one of the parts."""
    wanted = [
        any(segment in (EVERY, cell[0]) and source in (EVERY, cell[1]) for segment, source in parts)
        for cell in spells.cells
    ]
    return np.array(wanted)[spells.cell]


def _months(days: np.ndarray) -> np.ndarray:
    """Months from 1970-01 to the month each day lies in."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _share_within(median: float, p90: float, days: int) -> float:
    """Share of the conversions within `days` whole days, the delay log-normal; all where most come at once. [0-1]"""
    if median < 0.5 or p90 <= median:
        return 1.0
    return float(ndtr(np.log((days + 0.5) / median) / (np.log(p90 / median) / ndtri(0.9))))


def _median(delays: np.ndarray, share: float) -> float:
    """Median of all delays, of which the first `share` is known; missing where too few are. [days]"""
    return float(np.quantile(delays, 0.5 / share)) if len(delays) >= FEWEST_CONVERSIONS else np.nan


def won_deals(spells: Spells) -> pd.DataFrame:
    """Deals won in the last two years that carry an amount. The table won_deals."""
    won = spells.entered[:, -1]
    kept = (won < NEVER) & (won > spells.day - DEAL_DAYS) & (spells.amount > 0)
    labels = np.array(spells.cells, dtype=object).reshape(-1, 2)[spells.cell[kept]]
    frame = pd.DataFrame(
        {
            "segment": pd.Series(labels[:, 0], dtype="str"),
            "quarter": pd.Series(
                [str(pd.Period(ordinal=int(each), freq="Q")) for each in _months(won[kept]) // 3], dtype="str"
            ),
            "amount": spells.amount[kept],
        }
    )
    return conform(frame, "won_deals")


def monthly_entries(entries: pd.DataFrame, stage: str, until: pd.Period, source: str | None = None) -> pd.Series:
    """Entries into a stage in each whole month before `until`, of one source or of all. [records]

    The first month of the records is taken as cut short, and left out. `entries` is the table stage_entries.
    """
    if entries.empty:
        return pd.Series(dtype=float)
    months = pd.period_range(entries["month"].min() + 1, until - 1, freq="M")
    mine = entries[(entries["stage"] == stage) & (True if source is None else entries["source"] == source)]
    return mine.groupby("month")["entries"].sum().reindex(months, fill_value=0.0).astype(float)
