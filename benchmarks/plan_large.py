"""A large plan: 20 segments x 30 sources x 8 stages x 36 months, computed step by step.

Run: python benchmarks/plan_large.py [--distinct]

Prints the seconds of each step, and the required entries against the plain way to get them: one
convolution of already discretised months after the other, per stage and cell. `--distinct` gives every
cell its own lags, so that no kernel is shared.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from revplan.funnel.funnel import Cell, forward, plan_cells, target_arr
from revplan.funnel.tables import funnel_table
from revplan.funnel.year import Snapshot, plan_year, required
from revplan.plan.model import Plan
from revplan.workbook.workbook import Workbook, plan_answer

SEGMENTS, SOURCES, STAGES = 20, 30, 8
MONTHS = 36


def large_plan(distinct: bool) -> Plan:
    """A plan whose every segment (or cell) has rates and lags of its own."""
    rng = np.random.default_rng(7)
    stages = [f"s{index}" for index in range(STAGES)]
    cells = [
        {"segment": f"seg{g}", **({"source": f"src{c}"} if distinct else {})}
        for g in range(SEGMENTS)
        for c in range(SOURCES if distinct else 1)
    ]
    transitions = [
        {"from": start, "to": end, **cell, "rate": float(rng.uniform(0.3, 0.8)), "lag": _lag(rng)}
        for start, end in pairwise(stages)
        for cell in cells
    ]
    return Plan.model_validate(
        {
            "year": {"first_month": "2027-01"},
            "plan_date": "2026-01-01",
            "goal": {"opening_arr": 50e6, "new_arr": 30e6, "next_year_growth": 0.2},
            "stages": [{"id": stage} for stage in stages],
            "segments": {f"seg{g}": {"share": 1 / SEGMENTS, "acv": 10_000 * (1 + g)} for g in range(SEGMENTS)},
            "sources": {
                f"src{c}": {"share": 1 / SOURCES, "cost_per_entry": 50, "max_growth": 0.2} for c in range(SOURCES)
            },
            "transitions": transitions,
        }
    )


def _lag(rng: np.random.Generator) -> dict[str, float]:
    median = float(rng.uniform(3, 40))
    return {"median_days": median, "p90_days": median * float(rng.uniform(2, 4))}


def stage_by_stage(cell: Cell, wins: np.ndarray) -> list[np.ndarray]:
    """The plain way: each stage from the one below, months discretised at every step."""
    flows = [wins]
    for rate, lag in zip(cell.rates[::-1], cell.lags[::-1], strict=True):
        flows.append(np.convolve(flows[-1], lag.shares()[::-1]) / rate)
    return flows


def timed(name: str, work: Callable[[], Any]) -> Any:
    """The result of `work`; its seconds are printed."""
    begun = time.perf_counter()
    result = work()
    print(f"{name:<58} {time.perf_counter() - begun:8.3f} s", flush=True)
    return result


def main() -> None:
    """Prints the split by step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--distinct", action="store_true", help="every cell has its own rates and lags")
    plan = timed("plan checked", lambda: large_plan(parser.parse_args().distinct))
    begun = time.perf_counter()
    cells = timed("cells", lambda: plan_cells(plan))
    targets = timed("targets", lambda: target_arr(plan, cells))
    timed("kernels and required entries, cold", lambda: required(plan, cells, targets))
    flows = [np.ones(MONTHS) for _ in cells]
    timed(
        "forward flow of all stages",
        lambda: [forward(cell, flow, 0.0) for cell, flow in zip(cells, flows, strict=True)],
    )
    print(f"{'all without the linear programme':<58} {time.perf_counter() - begun:8.3f} s")
    timed("required entries again, kernels known", lambda: required(plan, cells, targets))
    wins = [arr / cell.acv for cell, arr in zip(cells, targets, strict=True)]
    timed(
        "alternative: months convolved stage by stage",
        lambda: [stage_by_stage(*each) for each in zip(cells, wins, strict=True)],
    )
    year = timed("all, with the linear programme", lambda: plan_year(plan, Snapshot()))
    timed("funnel table", lambda: funnel_table(year))
    timed("the whole answer of revplan plan --json", lambda: plan_answer(Workbook(year=year)))


if __name__ == "__main__":
    main()
