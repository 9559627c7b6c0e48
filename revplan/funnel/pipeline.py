"""The open pipeline: what records that exist already will still bring, by their age."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

import numpy as np
import pandas as pd

from revplan.funnel.funnel import HORIZON, Cell
from revplan.ground.calendar import month_of
from revplan.ground.clock import Ahead, Clock
from revplan.ground.lag import GRID_DAYS, Lag, path_day_chances

KEPT_EDGES, KEPT_LAGS = 16, 512  # results kept: a scenario asks for the same again and again
HALF_DAY = 0.5  # by which a record known at the end of a day is older, on average, than its whole days
OLDER_THAN_ANY = 1e-3  # a record is dead once less than this share of the conversions take longer


@dataclass(frozen=True)
class OpenGroup:
    """Open records of one cell and stage, by age."""

    stage: int
    """Index of the last stage reached, in the cell's stages."""
    ages: np.ndarray
    """Days since that stage was entered; days of work where the last step goes by a clock. [days]"""
    items: np.ndarray
    """Records of each age."""
    values: np.ndarray
    """What those with an amount are worth together if all are won. [plan currency]"""
    lost: np.ndarray
    """Share of the stage's entries recorded lost by 0, 1, 2, ... days; the last holds on. [0-1]"""
    unpriced: np.ndarray | float = 0.0
    """Records of each age without an amount."""
    lost_beside: float | None = None
    """Share that goes on of the records `lost` was counted of; None where the cell's own rate is taken. [0-1]"""

    def lost_by(self, ages: np.ndarray, rate: float) -> np.ndarray:
        """Share of the entries recorded lost by `ages` where `rate` go on: of those who do not, as many as elsewhere. [0-1]"""
        share = self.lost[np.minimum(ages, len(self.lost) - 1).astype(int)]
        beside = self.lost_beside
        return share if beside is None or beside >= 1 else share * (1 - rate) / (1 - beside)

    def worth(self, acv: float) -> np.ndarray:
        """What the records of each age are worth if all are won; `acv` each where they carry no amount. [plan currency]"""
        return self.values + acv * self.unpriced


@dataclass(frozen=True)
class OpenYield:
    """What a group of open records is expected to bring."""

    wins: np.ndarray
    """Expected wins in each of the 24 months. [deals]"""
    arr: np.ndarray
    """Expected ARR in each of the 24 months. [plan currency]"""
    coming: np.ndarray
    """Expected wins in each of the 24 months from the plan month on, if that lies before the year. [deals]"""
    chance: float
    """Expected wins at any time. [deals]"""
    worth: float
    """Expected ARR at any time. [plan currency]"""
    dead_items: float
    """Records older than any conversion: they count as nothing. [records]"""
    dead_value: float
    """What those would be worth. [plan currency]"""
    overdue_items: float
    """Records past a fixed lag: taken to convert at the full rate next month. [records]"""

    def times(self, factors: tuple[float, ...], first: int) -> OpenYield:
        """The same with factors of the plan month, number `first` of the year, and of those that follow it."""
        coming = np.append(factors, np.ones(HORIZON))[:HORIZON]
        months = np.append(np.ones(max(first, 0)), coming[max(-first, 0) :])[:HORIZON]
        months = np.append(months, np.ones(HORIZON - len(months)))
        return replace(self, wins=self.wins * months, arr=self.arr * months, coming=self.coming * coming)


def open_yield(
    cell: Cell, group: OpenGroup, plan_date: date, first_month: pd.Period, clock: Clock | None = None
) -> OpenYield:
    """Wins and ARR that open records still bring, month by month. [deals, plan currency]

    A record of age a converts between d1 and d2 days from now with chance
    r (F(a+d2) - F(a+d1)) / max(1 - r F(a) - L(a), r (1 - F(a))): F is the delay of those who convert,
    L(a) the share of all entries recorded lost by that age. L is (1-r) G(a) where every loss is
    recorded; where some are not, (1-r) G would take every old record for a coming win. Rates and losses
    are estimates, so what they leave open may be less than what is still to convert: then the record is
    taken to convert, once. A record known at the end of a day is half a day older than its whole days.
    What follows after the next stage is the composed path to won; its last step goes by `clock`, where there is one.
    """
    lag, rate, worth = cell.lags[group.stage], cell.rates[group.stage], group.worth(cell.acv)
    done = lag.cdf(group.ages + HALF_DAY)
    dead = (1 - done < OLDER_THAN_ANY) & (not lag.is_fixed)
    overdue = (done >= 1) & lag.is_fixed
    alive = ~dead & ~overdue
    to_come = rate * (1 - done)
    still_open = np.maximum(1 - rate * done - group.lost_by(group.ages, rate), to_come)
    scale = np.where(alive & (still_open > 0), rate / np.where(still_open > 0, still_open, 1.0), 0.0)
    rest = cell.rates_to_won[group.stage + 1]
    edges, totals, arrived = _month_edges(plan_date, first_month), [], []
    ahead = None if clock is None else Ahead(clock, _evening_before(plan_date))
    at_work = ahead is not None and group.stage == cell.won - 1
    for weights in (group.items, worth):
        leaving = _leaving_days(lag, group.ages, weights * scale)
        if overdue.any():
            next_month = _next_month(plan_date)
            leaving += (
                rate
                * float(weights @ overdue)
                * (_resized(ahead.moved(next_month)) if ahead and at_work else next_month)
            )
        totals.append(float(leaving.sum() * rest))
        if ahead is None:
            by_day = _arrived(leaving, cell.days_to_won(group.stage + 1), edges[-1])
        elif at_work:
            by_day = np.append(0.0, np.cumsum(ahead.back(leaving, edges[-1])))
        else:
            by_day = _closed(
                cell,
                np.convolve(leaving[: edges[-1]], path_day_chances(cell.lags[group.stage + 1 : -1])),
                ahead,
                edges[-1],
            )
        arrived.append(rest * by_day)
    return OpenYield(
        wins=_between(arrived[0], edges),
        arr=_between(arrived[1], edges),
        coming=_between(arrived[0], _month_edges(plan_date, month_of(plan_date))),
        chance=totals[0],
        worth=totals[1],
        dead_items=float(group.items @ dead),
        dead_value=float(worth @ dead),
        overdue_items=float(group.items @ overdue),
    )


def new_wins(cell: Cell, entries: np.ndarray, plan_date: date, clock: Clock) -> np.ndarray:
    """Wins by month of entries by month, the first of them those of the rest of the plan month. [deals]"""
    months = month_of(plan_date) + np.arange(len(entries) + 1)
    edges = np.maximum([(month.start_time.date() - plan_date).days for month in months], 0)
    by_day = np.repeat(entries / np.diff(edges), np.diff(edges))
    reaching = np.convolve(by_day, path_day_chances(cell.lags[:-1]))
    return cell.rates_to_won[0] * _between(
        _closed(cell, reaching, Ahead(clock, _evening_before(plan_date)), edges[-1]), edges
    )


def _closed(cell: Cell, reaching: np.ndarray, ahead: Ahead, days: int) -> np.ndarray:
    """Records through the last step by the end of 0, 1, 2, ... days from now, of those that reach it day by day."""
    at_work = ahead.moved(reaching[:days])
    return np.append(0.0, np.cumsum(ahead.back(np.convolve(at_work, path_day_chances(cell.lags[-1:])), days)))


def _evening_before(plan_date: date) -> int:
    """The last day known, counted from 1970. [days]"""
    return int(np.datetime64(plan_date, "D").astype(np.int64)) - 1


def _resized(days: np.ndarray) -> np.ndarray:
    return np.pad(days, (0, max(GRID_DAYS - len(days), 0)))[:GRID_DAYS]


def _leaving_days(lag: Lag, ages: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Expected records that go on to the next stage 0, 1, 2, ... days from now."""
    passed = _passed_by_day(lag, -(-int(ages.max(initial=0)) // GRID_DAYS) + 1)
    leaving = np.zeros(GRID_DAYS)
    for age, weight in zip(ages.astype(int), weights, strict=True):
        if weight:
            leaving += weight * passed[age : age + GRID_DAYS]
    return leaving


@lru_cache(maxsize=KEPT_LAGS)
def _passed_by_day(lag: Lag, grids: int) -> np.ndarray:
    """Share of the converting records that take 1/2 to 3/2, 3/2 to 5/2, ... days, over some lengths of the grid."""
    passed = np.diff(lag.cdf(np.arange(grids * GRID_DAYS + 1.0) + HALF_DAY))
    passed.flags.writeable = False
    return passed


def _next_month(plan_date: date) -> np.ndarray:
    """Chance by day, evenly over the calendar month after the plan date; sums to 1."""
    month = month_of(plan_date) + 1
    start = (month.start_time.date() - plan_date).days
    days = np.zeros(GRID_DAYS)
    days[start : start + month.days_in_month] = 1 / month.days_in_month
    return days


def _arrived(leaving: np.ndarray, rest: np.ndarray, days: int) -> np.ndarray:
    """Arrivals at won by the end of 0, 1, 2, ... days from now, for records that leave day by day."""
    return np.concatenate([[0.0], np.cumsum(np.convolve(leaving[:days], rest[:days])[:days])])


def _between(arrived: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """What arrives between each two of the days in `edges`."""
    return np.diff(arrived[np.minimum(edges, len(arrived) - 1)])


@lru_cache(maxsize=KEPT_EDGES)
def _month_edges(plan_date: date, first_month: pd.Period) -> np.ndarray:
    """Days from the plan date to the first day of each month of the two years, and to the end of the last."""
    starts = [(first_month + month).start_time.date() for month in range(HORIZON + 1)]
    edges = np.maximum([(start - plan_date).days for start in starts], 0)
    edges.flags.writeable = False
    return edges
