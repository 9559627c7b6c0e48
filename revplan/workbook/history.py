"""What each past quarter or month did by itself: conversion and delay of its cohort, its deals, its volume.

An estimate says what all records together support; a planner also asks how often a figure was reached.
A cohort counts here only with records that were watched for as long as nine in ten conversions take, and
only with what they converted within that time, so that an old cohort has no advantage over a young one.

Stacked buffers: what the committed entries would bring if assumptions were what the history says.

Each prudent assumption looks small; along a funnel they multiply, and the plan asks for more entries than
its goal needs. So the year is worked out again with the entries held and the assumptions changed.

The two sides of an assumption: what the plan says, and what of the history speaks for the same records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from revplan.crm.mapping import EVERY
from revplan.funnel.funnel import YEAR, plan_cells
from revplan.funnel.year import PlannedYear
from revplan.ground.formats import first_largest
from revplan.ground.lag import Lag
from revplan.ground.tables import conform, from_rows
from revplan.plan.model import Plan
from revplan.plan.parts import StepKey, Transition
from revplan.rates.estimates import transitions_block
from revplan.rates.parts import OWN_LAG
from revplan.rates.spells import NEVER, Spells
from revplan.simulation.outlook import step_name, used_transitions

FEWEST_ENTRIES, FEWEST_CONVERSIONS, FEWEST_DEALS = 20, 5, 5  # of a quarter, below which it says nothing by itself
DEAL_DAYS = 730  # days looked back on for deals

HistoryPart = tuple[str, str]
"""A segment and a source."""


def past_cohorts(spells: Spells, row: Mapping[Any, Any], parts: Collection[HistoryPart]) -> pd.DataFrame:
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
    return from_rows("past_cohorts", made)


def _cohort(quarter: int, delay: np.ndarray, within: int, share: float) -> dict[str, Any]:
    converted = delay[delay <= within]
    return {
        "cohort": str(pd.Period(ordinal=quarter, freq="Q")),
        "entries": float(len(delay)),
        "rate": min(len(converted) / len(delay) / share, 1.0),
        "median_days": _median(converted, share),
    }


def _of_parts(spells: Spells, parts: Collection[HistoryPart]) -> np.ndarray:
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


@dataclass(frozen=True)
class World:
    """Assumptions other than the plan's."""

    rates: Mapping[StepKey, float] = field(default_factory=dict)
    lags: Mapping[StepKey, Lag] = field(default_factory=dict)
    deals: Mapping[str, float] = field(default_factory=dict)
    """Mean deal by segment. [plan currency]"""

    def __or__(self, other: World) -> World:
        return World({**self.rates, **other.rates}, {**self.lags, **other.lags}, {**self.deals, **other.deals})


@dataclass(frozen=True)
class Yield:
    """What the year brings with the entries of the commit held. [plan currency]"""

    coming: float
    """What is won and what open records bring."""
    entries: float
    """What the committed entries bring."""

    @property
    def total(self) -> float:
        """New ARR of the year."""
        return self.coming + self.entries

    def scale_for(self, arr: float) -> float:
        """Times the committed entries that bring `arr`; infinite where no number does. [ratio]"""
        missing = max(arr - self.coming, 0.0)
        return missing / self.entries if self.entries > 0 else float("inf") if missing > 0 else 0.0


@dataclass(frozen=True)
class Buffer:
    """What some assumptions hide, by themselves and together with those before them."""

    name: str
    alone: Yield
    together: Yield


def buffers(year: PlannedYear, worlds: Sequence[tuple[str, World]]) -> tuple[Buffer, ...]:
    """The yield of the committed entries in each world by itself, and in it and all worlds before it."""
    found, so_far = [], World()
    for name, world in worlds:
        so_far = so_far | world
        found.append(Buffer(name, yield_in(year, world), yield_in(year, so_far)))
    return tuple(found)


def yield_in(year: PlannedYear, world: World) -> Yield:
    """The year's new ARR if the committed entries are made and `world` holds.

    Open records bring what the plan expects of them times the change of the rates they still pass.
    """
    coming, entries = float(year.won_arr[:, :YEAR].sum()), 0.0
    cells = zip(plan_cells(_changed(year.plan, world)), year.cells, year.flows, year.open_yields, strict=True)
    for cell, planned, flow, opened in cells:
        arrived = flow if cell == planned else year.brought(cell, flow[0])
        entries += float(year.in_year(arrived[-1]).sum()) * cell.acv
        for group, found in opened:
            change = cell.rates_to_won[group.stage] / planned.rates_to_won[group.stage]
            coming += float(found.arr[:YEAR].sum() * change)
    return Yield(coming, entries)


def _changed(plan: Plan, world: World) -> Plan:
    transitions = []
    for each in plan.transitions:
        step = each.key
        written = {"rate": world.rates.get(step, each.rate), "lag": world.lags.get(step, each.lag)}
        transitions.append(each.model_copy(update=written))
    segments = {
        name: segment.model_copy(
            update={"acv": segment.acv.model_copy(update={"mean": world.deals.get(name, segment.acv.mean)})}
        )
        for name, segment in plan.segments.items()
    }
    return plan.model_copy(update={"transitions": tuple(transitions), "segments": type(plan.segments)(segments)})


@dataclass(frozen=True, eq=False)
class ComparedTransition:
    """A transition of the plan beside its row of estimates."""

    name: str
    step: StepKey
    planned: Transition
    row: dict[Any, Any]
    lag: Lag
    """The measured lag as a plan takes it."""
    cohorts: pd.DataFrame
    """Table past_cohorts."""

    @property
    def has_own_lag(self) -> bool:
        """Whether the measured lag is its own, not that of a wider group."""
        return bool(self.row["conversions"] >= OWN_LAG)


def compared_steps(year: PlannedYear, estimates: pd.DataFrame, spells: Spells) -> list[ComparedTransition]:
    """Every transition the plan uses for which the table estimates has a row."""
    row_of = {(row["from_stage"], row["to_stage"], row["segment"], row["source"]): row
             for row in estimates.to_dict("records")}  # fmt: skip
    parts = _parts(year.plan)
    found = []
    for each in used_transitions(year):
        pair = (each.from_stage, each.to_stage)
        rows = [row_of[pair + part] for part in parts[each.key] if pair + part in row_of]
        if rows and each.rate < 1:
            row = _pooled(rows)
            (block,) = transitions_block(pd.DataFrame([row]))
            cohorts = past_cohorts(spells, row, [(part["segment"], part["source"]) for part in rows])
            lag = Transition.model_validate(block).lag
            found.append(ComparedTransition(step_name(each), each.key, each, row, lag, cohorts))
    return found


def _parts(plan: Plan) -> dict[StepKey, list[HistoryPart]]:
    """What of the history each transition speaks for: its own segment and source, or its cells where others override it.

    A plan with one segment (or source) is held against the records of all.
    """
    users: dict[StepKey, list[HistoryPart]] = {}
    in_scope: Counter[StepKey] = Counter()
    for segment, source in plan.cells:
        for each in plan.path(segment, source):
            users.setdefault(each.key, []).append((segment, source))
            places = product((segment, None), (source, None))
            in_scope.update((each.from_stage, each.to_stage, *place) for place in places)
    many = len(plan.segments) > 1, len(plan.sources) > 1

    def written(segment: str | None, source: str | None) -> HistoryPart:
        return (segment if many[0] and segment else EVERY), (source if many[1] and source else EVERY)

    return {
        step: [written(*cell) for cell in cells] if len(cells) < in_scope[step] else [written(*step[2:])]
        for step, cells in users.items()
    }


def _pooled(rows: list[dict[Any, Any]]) -> dict[Any, Any]:
    """One row of estimates for several cells, by their entries; its evidence is that of a mean of independent rates."""
    if len(rows) == 1:
        return rows[0]
    frame = pd.DataFrame(rows)
    weights = frame["entries"] / frame["entries"].sum()
    rate = float(weights @ frame["rate"])
    variance = float(weights**2 @ (frame["rate"] * (1 - frame["rate"]) / (frame["evidence"] + 1)))
    counts = frame["conversions"] + 1
    delays = {name: float(np.average(frame[name], weights=counts)) for name in ("median_days", "p90_days")}
    largest = rows[first_largest(frame["entries"])]
    return {
        **largest,
        **delays,
        "rate": rate,
        "evidence": rate * (1 - rate) / variance - 1,
        "conversions": float(frame["conversions"].sum()),
        "recorded_from": frame["recorded_from"].max(),
    }


@dataclass(frozen=True, eq=False)
class WonDeals:
    """Won deals of a segment: log-normal law of their mean, and the mean of each quarter."""

    mean: float
    cv: float
    count: int
    quarters: pd.Series

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm of the mean."""
        return max(float(np.sqrt(np.log1p(self.cv**2 / self.count))), 1e-9)

    def at(self, normal: np.ndarray) -> np.ndarray:
        """Means at given normals. [plan currency]"""
        return self.mean * np.exp(self.sigma * normal - self.sigma**2 / 2)

    def normal(self, mean: float) -> float:
        """The standard normal at which the mean deal is `mean`."""
        return float(np.log(mean / self.mean) / self.sigma + self.sigma / 2)


def deal_laws(plan: Plan, deals: pd.DataFrame) -> dict[str, WonDeals]:
    """By segment of the plan: what its won deals say, where there are five or more. `deals` is the table won_deals."""
    if len(plan.segments) == 1:
        deals = deals.assign(segment=next(iter(plan.segments)))
    found = {}
    for name, rows in deals.groupby("segment"):
        if name in plan.segments and len(rows) >= FEWEST_DEALS:
            mean = float(rows["amount"].mean())
            quarters = rows.groupby("quarter")["amount"].agg(["mean", "size"])
            full = quarters.loc[quarters["size"] >= FEWEST_DEALS, "mean"]
            found[str(name)] = WonDeals(mean, float(rows["amount"].std(ddof=1)) / mean, len(rows), full)
    return found
