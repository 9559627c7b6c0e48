"""People in the trials against SimPy: single leads that convert and wait for single reps who ramp, leave and are followed."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pytest

from revplan.funnel.year import Snapshot
from revplan.plan.model import Plan
from revplan.simulation.simulate import simulate
from revplan.workbook.workbook import plan_year

simpy = pytest.importorskip("simpy", reason="the audit engine needs SimPy (extra dev)")

LEADS, RATE, DEAL, GOAL = 240, 0.5, 2_500.0, 12 * 240 * 0.5 * 2_500.0
PRODUCTIVITY, RAMP, ATTRITION, BACKFILL, KEPT, REPS = 400_000.0, (0.0, 0.25, 0.5, 0.75), 0.3, 2, 0.7, 8
HIRE = 3  # months into the year
YEARS, WITHIN = 300, 3.5


def planned() -> Plan:
    """The company as a plan: certain rates, deals of one size that close in the month they enter."""
    return Plan.model_validate(
        {
            "year": {"first_month": "2027-01"},
            "plan_date": date(2027, 1, 1),
            "goal": {"new_arr": GOAL},
            "stages": [{"id": "sql"}, {"id": "won"}],
            "segments": {"all": {"acv": DEAL}},
            "sources": {"web": {}},
            "transitions": [{"from": "sql", "to": "won", "rate": RATE}],
            "uncertainty": {"rho": 0, "lag_cv": 0, "volume_cv": 0},
            "capacity": {
                "roster": [{"rep": f"R{number}", "role": "ae", "start": date(2020, 1, 1)} for number in range(REPS)],
                "roles": {
                    "ae": {
                        "productivity": PRODUCTIVITY,
                        "ramp": list(RAMP),
                        "attrition": ATTRITION,
                        "backfill_delay_days": BACKFILL * 30.4375,
                    }
                },
                "hires": [{"role": "ae", "start": f"2027-{HIRE + 1:02d}"}],
                "excess": {"kept": KEPT},
                "productivity_cv": 0,
                "rep_cv": 0,
            },
        }
    )


class Company:
    """A year in which every lead, deal and rep is followed by itself."""

    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        self.clock = simpy.Environment()
        self.waiting: deque[float] = deque()  # what is left to be closed of each deal, the oldest first
        self.able = 0.0
        self.closed = 0.0

    def leads(self) -> Iterator[Any]:
        """Leads one by one, some of which become deals."""
        while True:
            yield self.clock.timeout(self.draw.expovariate(LEADS))
            if self.draw.random() < RATE:
                self.waiting.append(DEAL)

    def rep(self, start: int, tenure: int) -> Iterator[Any]:
        """Somebody who works month by month, until leaving at the end of one; then a successor comes."""
        yield self.clock.timeout(start)
        while True:
            yield self.clock.timeout(0.5)  # in the middle of the month what can be closed in it is known
            self.able += PRODUCTIVITY / 12 * (*RAMP, 1.0)[min(tenure, len(RAMP))]
            yield self.clock.timeout(0.5)
            tenure += 1
            if self.draw.random() > (1 - ATTRITION) ** (1 / 12):
                self.clock.process(self.rep(BACKFILL, 0))
                return

    def months(self) -> Iterator[Any]:
        """At the end of each month the oldest deals are closed first; of what waits some is gone a month later."""
        for _ in range(12):
            yield self.clock.timeout(1 - 1e-6)
            while self.waiting and self.able > 0:
                part = min(self.waiting[0], self.able)
                self.able, self.closed = self.able - part, self.closed + part
                self.waiting[0] -= part
                if self.waiting[0] <= 0:
                    self.waiting.popleft()
            self.waiting = deque(deal for deal in self.waiting if self.draw.random() < KEPT)
            self.able = 0.0
            yield self.clock.timeout(1e-6)


def one_year(seed: int) -> float:
    """New ARR of a year of the company."""
    company = Company(seed)
    for process in (
        company.leads(),
        *(company.rep(0, len(RAMP)) for _ in range(REPS)),
        company.rep(HIRE, 0),
        company.months(),
    ):
        company.clock.process(process)
    company.clock.run(until=12)
    return company.closed


def test_mean_and_bands_agree_with_single_leads_and_reps() -> None:
    drawn = np.array([one_year(seed) for seed in range(YEARS)])
    found = simulate(plan_year(planned(), Snapshot()), 16_384).outcome
    assert drawn.mean() < 0.95 * GOAL  # people bind
    apart = {"mean": (drawn.mean() - found.mean.value) / (drawn.std(ddof=1) / np.sqrt(YEARS))}
    for share, band in ((0.1, found.p10), (0.5, found.p50), (0.9, found.p90)):
        apart[f"P{100 * share:.0f}"] = (share - (drawn < band.value).mean()) / np.sqrt(share * (1 - share) / YEARS)
    assert {what: off for what, off in apart.items() if abs(off) > WITHIN} == {}
