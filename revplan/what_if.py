"""The scenarios of a plan applied to the rest of its year: what each does to the landing."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd

from revplan.model.outcome import Outcome
from revplan.model.scenarios import BASE, scenario_outlook
from revplan.model.simulate import Simulation, sweep
from revplan.plan.model import Plan, Transition
from revplan.plan.scenario import scenario_plans
from revplan.tables import conform, empty


def what_if(simulation: Simulation, promised: Plan) -> pd.DataFrame:
    """Table what_if: the landing as it stands, then in the world of every scenario of the promised plan.

    A scenario changes today's rates by as much as it changes the promised ones. The entries still committed are
    kept, and open records keep their amounts and delays: only the rates they still pass change. All see the same
    random numbers, so that the differences are not luck.

    Parameters
    ----------
    simulation
        The year as known now, simulated.
    promised
        The plan whose scenarios are looked at.

    Raises
    ------
    PlanError
        If a scenario contradicts the plan.
    """
    plans, now = scenario_plans(promised), simulation.year.plan
    if not plans:
        return empty("what_if")
    views = [
        scenario_outlook(simulation, in_todays_world(now, promised, varied), promised.scenarios[name])
        for name, varied in plans.items()
    ]
    outcomes = (simulation.outcome, *sweep(views, simulation.trials, simulation.seed))
    rows = [_row(name, found, outcomes[0]) for name, found in zip((BASE, *plans), outcomes, strict=True)]
    return conform(pd.DataFrame(rows), "what_if")


def in_todays_world(now: Plan, promised: Plan, varied: Plan) -> Plan:
    """`now` changed by as much as `varied` differs from `promised`: rates in proportion, lags and deals as they are written."""
    steps = [(pair, cell) for cell in now.cells for pair in pairwise(now.stage_ids)]
    moved = [_moved([plan.transition(pair, *cell) for plan in (now, promised, varied)], cell) for pair, cell in steps]
    specific = {_key(each): each for each in [*now.transitions, *moved] if each is not None}
    update = {"segments": varied.segments, "goal": varied.goal, "uncertainty": varied.uncertainty}
    return now.model_copy(update={**update, "transitions": tuple(specific.values())})


def _key(transition: Transition) -> tuple[str | None, ...]:
    return transition.from_stage, transition.to_stage, transition.segment, transition.source


def _moved(stated: list[Transition | None], cell: tuple[str, str]) -> Transition | None:
    """Today's transition of a cell as a scenario moves it; None where the scenario leaves it alone."""
    today, planned, varied = stated
    if today is None or planned is None or varied is None or (planned.rate, planned.lag) == (varied.rate, varied.lag):
        return None
    rate = min(today.rate * varied.rate / planned.rate, 1.0)
    lag = today.lag if varied.lag == planned.lag else varied.lag
    return today.model_copy(update={"segment": cell[0], "source": cell[1], "rate": rate, "lag": lag})


def _row(name: str, found: Outcome, base: Outcome) -> dict[str, object]:
    return {
        "scenario": name,
        "landing": found.mean.value,
        "difference": found.mean.value - base.mean.value,
        "landing_low": found.p10.value,
        "landing_high": found.p90.value,
        "chance_of_goal": min(max(found.chance_of_goal.value, 0.0), 1.0),
    }
