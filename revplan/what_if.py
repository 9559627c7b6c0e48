"""The scenarios of a plan applied to the rest of its year: what each does to the landing."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from revplan.model.bank import Bank
from revplan.model.outcome import Outcome
from revplan.model.scenarios import BASE, scenario_outlook
from revplan.model.simulate import Simulation, run
from revplan.model.trials import drivers
from revplan.plan.scenario import scenario_plans
from revplan.tables import conform, empty


def what_if(simulation: Simulation) -> pd.DataFrame:
    """Table what_if: the landing as it stands, then in the world of every scenario of the plan.

    The entries still committed are kept, and all see the same random numbers, so that the differences are not luck.

    Raises
    ------
    PlanError
        If a scenario contradicts the plan.
    """
    rows = [_row(name, outcome, simulation.outcome) for name, outcome in _outcomes(simulation)]
    return conform(pd.DataFrame(rows), "what_if") if len(rows) > 1 else empty("what_if")


def _outcomes(simulation: Simulation) -> Iterator[tuple[str, Outcome]]:
    yield BASE, simulation.outcome
    plan = simulation.year.plan
    for name, varied in scenario_plans(plan).items():
        view = scenario_outlook(simulation, varied, plan.scenarios[name])
        outcome, _ = run(view, Bank(simulation.trials, drivers(view), simulation.seed), (varied.commit.confidence,))
        yield name, outcome


def _row(name: str, found: Outcome, base: Outcome) -> dict[str, object]:
    return {
        "scenario": name,
        "landing": found.mean.value,
        "difference": found.mean.value - base.mean.value,
        "landing_low": found.p10.value,
        "landing_high": found.p90.value,
        "chance_of_goal": min(max(found.chance_of_goal.value, 0.0), 1.0),
    }
