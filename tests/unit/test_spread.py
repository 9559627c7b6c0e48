"""Work in threads: every result once, in order, few begun ahead, and the same to the bit as one after the other."""

from __future__ import annotations

import os
import pickle
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from revplan.crm.planfile import read_plan
from revplan.funnel.year import Snapshot, plan_year
from revplan.ground.errors import DataError, Fault, PlanError, ReportError
from revplan.simulation.draws import UncertainRates
from revplan.simulation.simulate import in_order, simulate, sweep

PLAN = """\
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal: {new_arr: 1_000_000, next_year_growth: 0}
stages: [{id: lead}, {id: sql}, {id: won}]
segments: {all: {acv: {mean: 20_000, sd: 8_000}}}
sources: {web: {cost_per_entry: 85}}
transitions:
  - {from: lead, to: sql, rate: 0.3, evidence: 400, lag: {months: 0}}
  - {from: sql, to: won, rate: 0.2, evidence: 100, lag: {median_days: 40, p90_days: 100}}
"""


@pytest.fixture
def four(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of four cores."""
    monkeypatch.setattr(os, "cpu_count", lambda: 4)


def test_results_come_in_order_from_several_threads(four: None) -> None:
    met = threading.Barrier(4, timeout=10)  # passed only where four work at once

    def work(item: int) -> tuple[int, int]:
        met.wait()
        time.sleep(0.001 * (8 - item % 8))  # later items are done first
        return item, threading.get_ident()

    found = list(in_order(work, range(32)))
    assert [item for item, _ in found] == list(range(32))
    assert len({thread for _, thread in found}) == 4


def test_few_are_begun_ahead_of_the_one_awaited(four: None) -> None:
    begun: list[int] = []
    results = in_order(lambda item: begun.append(item), range(1000))
    next(results)
    time.sleep(0.05)
    assert len(begun) <= 9
    results.close()


def test_one_core_needs_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert set(in_order(lambda _: threading.get_ident(), range(5))) == {threading.get_ident()}
    assert list(in_order(abs, [])) == []


def test_a_fault_stops_the_work(four: None) -> None:
    def refusing(item: int) -> int:
        if item == 3:
            raise PlanError.at("transitions", "no rate for 3")
        return item

    results, found = in_order(refusing, range(100)), []
    with pytest.raises(PlanError, match="transitions: no rate for 3"):
        found.extend(results)
    assert found == [0, 1, 2]


@pytest.mark.parametrize("error", [PlanError, DataError, ReportError])
def test_an_error_travels_between_processes_with_its_faults(error: type) -> None:
    sent = pickle.loads(pickle.dumps(error([Fault("here", "is wrong"), Fault("there", "too")])))
    assert type(sent) is error
    assert sent.faults == (Fault("here", "is wrong"), Fault("there", "too"))


def test_a_sweep_in_threads_is_one_after_the_other_to_the_bit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN, encoding="utf-8")
    rng = np.random.default_rng(1)
    view: Any = simulate(plan_year(read_plan(path), Snapshot()), 2000).view
    views = [
        replace(
            view, rates=UncertainRates(np.clip(view.rates.mean * rng.uniform(0.8, 1.2, 2), 0, 1), view.rates.evidence)
        )
        for _ in range(30)
    ]
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    threads = sweep(views, 2000, 3, lambda done, total, what: told.append((done, total)))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert threads == sweep(views, 2000, 3)
    assert told == [(done, 30) for done in range(1, 31)]
