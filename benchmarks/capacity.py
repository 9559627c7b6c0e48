"""How long people take: capacity of 500 reps over 36 months in 12 cells, the hiring answer, a slider move with people.

Run: python benchmarks/capacity.py [--reps 500]

The plan itself (its commit) is computed once and not counted. Targets: capacity and hiring under 2 s on two cores; a slider
move with people under 20 ms of model time, shown with its ratio to the same move without people.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np

from revplan.capacity.team import Pools, expected_pools, lines_of
from revplan.funnel.year import Snapshot
from revplan.plan.model import Plan
from revplan.simulation.curve import CONFIDENCES
from revplan.simulation.draws import DrawStore
from revplan.simulation.outlook import outlook
from revplan.simulation.simulate import STRETCH, run, simulate
from revplan.simulation.trials import drivers
from revplan.staffing.hiring import hiring
from revplan.staffing.staffing import staffing
from revplan.workbook.workbook import plan_year

MONTHS, TRIALS, SEGMENTS, SOURCES = 36, 8192, 4, 3


def company(reps: int, asked: float = 0.9) -> Plan:
    """Twelve cells with so many reps, of whose productivity the goal asks for a share: at 0.9 they are a little too few."""
    draw = np.random.default_rng(5)
    each = 400_000.0
    segments = {
        f"s{number}": {"share": 1 / SEGMENTS, "acv": {"mean": 20_000, "sd": 8_000}} for number in range(SEGMENTS)
    }
    lines = [
        {
            "rep": f"r{number}",
            "role": "ae",
            "segment": f"s{number % SEGMENTS}",
            "start": date(2027, 6, 1) - timedelta(days=int(draw.integers(0, 1500))),
        }
        for number in range(reps)
    ]
    return Plan.model_validate(
        {
            "year": {"first_month": "2027-01"},
            "plan_date": date(2026, 11, 15),
            "goal": {"new_arr": asked * each * reps},
            "stages": [{"id": "lead"}, {"id": "sql"}, {"id": "won"}],
            "segments": segments,
            "sources": {f"c{number}": {"share": 1 / SOURCES, "cost_per_entry": 50} for number in range(SOURCES)},
            "transitions": [
                {
                    "from": "lead",
                    "to": "sql",
                    "rate": 0.4,
                    "evidence": 2000,
                    "lag": {"median_days": 10, "p90_days": 30},
                },
                {
                    "from": "sql",
                    "to": "won",
                    "rate": 0.25,
                    "evidence": 800,
                    "lag": {"median_days": 45, "p90_days": 120},
                },
            ],
            "capacity": {
                "roster": lines,
                "roles": {
                    "ae": {
                        "productivity": each,
                        "ramp": {"linear_months": 5},
                        "attrition": 0.15,
                        "backfill_delay_days": 90,
                    }
                },
            },
        }
    )


def timed(what: str, work: Callable[[], Any], times: int = 1) -> float:
    """Seconds of a processor that one run of `work` takes, the median of some: other work on the machine does not count."""
    taken = []
    for _ in range(times):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    print(f"{what:56}{1000 * statistics.median(taken):>10,.1f} ms", flush=True)
    return statistics.median(taken)


def main() -> None:
    """Each of the tasks, with its time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reps", type=int, default=500)
    reps = parser.parse_args().reps
    plan = company(reps)
    year = plan_year(plan, Snapshot())
    pools = Pools(tuple(plan.segments))
    total = timed(
        f"capacity of {len(plan.capacity.people)} reps, {MONTHS} months", lambda: expected_pools(plan, pools, MONTHS)
    )  # type: ignore[union-attr]
    timed("by role and segment", lambda: list(lines_of(plan, MONTHS)))
    simulation = simulate(year, TRIALS)
    total += timed("capacity, load and what binds", lambda: staffing(simulation).table)
    found: list[Any] = []
    total += timed("who must be hired", lambda: found.append(hiring(simulation)))
    print(
        f"  {sum(hire.count for hire in found[0].hires or ())} hires, {found[0].chance_before:.0%} to {found[0].chance_after:.0%}"
    )
    print(f"{'together':56}{1000 * total:>10,.1f} ms (target 2,000)")

    asked = (0.8, STRETCH, *CONFIDENCES)
    free = plan.model_copy(update={"capacity": None})
    moves = {}
    for name, each in (
        ("without people", free),
        ("with people", plan),
        ("with people who are enough", company(reps, 0.72)),
    ):
        base = plan_year(each, Snapshot())

        def move(base: Any = base) -> None:
            view = outlook(base)
            run(view, DrawStore(TRIALS, drivers(view), 1), asked)

        move()
        moves[name] = timed(f"a slider move {name}", move, 15)
    ratio = moves["with people"] / moves["without people"]
    print(f"{'with people over without':56}{ratio:>10.1f} times (target: under 20 ms)")


if __name__ == "__main__":
    main()
