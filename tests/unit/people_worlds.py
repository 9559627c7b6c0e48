"""Simulated companies whose reps ramp, differ, leave and are followed, with the truth known: for tests of what is measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from revplan.plan.people import Rep

FIRST, MONTHS = pd.Period("2024-01", "M"), 36
LAST = (FIRST + MONTHS - 1).end_time.date()
PRODUCTIVITY, DEAL, ATTRITION, REP_CV = 600_000.0, 25_000.0, 0.2, 0.25


@dataclass(frozen=True, eq=False)
class World:
    """A company's people and wins, and what its months were worth."""

    people: list[Rep]
    wins: pd.DataFrame
    calendar: np.ndarray

    @property
    def span(self) -> tuple[date, date]:
        """First and last day of its records."""
        return FIRST.start_time.date(), LAST


def world(seed: int, ramp: Sequence[float] = (), growth: float = 0.0, tenured: int = 15, newcomers: int = 18) -> World:
    """A company of some tenured reps and some who start within the records, demand growing by `growth` a month."""
    draw = np.random.default_rng(seed)
    begin = FIRST.start_time.date()
    calendar = (1 + growth) ** np.arange(MONTHS) * np.exp(0.15 * draw.standard_normal(MONTHS))
    starts = [begin - timedelta(days=int(days)) for days in draw.integers(400, 2000, tenured)]
    starts += [begin + timedelta(days=int(days)) for days in draw.integers(0, MONTHS * 27, newcomers)]
    people, wins = [], []
    for number, start in enumerate(starts):
        life = int(draw.exponential(365.25 / -np.log(1 - ATTRITION)))
        since = max(start, begin)
        leave = since + timedelta(days=life)
        people.append(Rep(rep=f"r{number}", role="ae", start=start, leave=leave if leave <= LAST else None))
        own = np.exp(REP_CV * draw.standard_normal() - REP_CV**2 / 2)
        days = np.arange(np.datetime64(since), np.datetime64(min(leave, LAST)) + 1)
        months = days.astype("datetime64[M]").astype(int) - (FIRST.year - 1970) * 12 - FIRST.month + 1
        first_month = (start.year - FIRST.year) * 12 + start.month - FIRST.month
        late = (days - days.astype("datetime64[M]")).astype(int) + 1 < start.day
        tenure = months - first_month - late
        share = np.append(np.array(ramp, dtype=float), 1.0)[np.minimum(tenure, len(ramp))]
        count = draw.poisson(PRODUCTIVITY / DEAL / 365.25 * share * calendar[months] * own)
        won = np.repeat(days, count)
        wins.append(
            pd.DataFrame(
                {
                    "owner": f"r{number}",
                    "won_on": won,
                    "amount": DEAL * np.exp(0.5 * draw.standard_normal(len(won)) - 0.125),
                }
            )
        )
    return World(people, pd.concat(wins, ignore_index=True), calendar)
