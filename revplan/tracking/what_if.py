"""The scenarios of a plan applied to the rest of its year: what each does to the landing."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product, repeat

import pandas as pd

from revplan.funnel.year import PlannedYear, year_without_commit
from revplan.ground.tables import empty, from_rows
from revplan.plan.model import Plan
from revplan.plan.parts import Transition
from revplan.plan.scenario import scenario_plans
from revplan.simulation.outlook import outlook
from revplan.simulation.scenarios import BASE, with_entries
from revplan.simulation.simulate import Simulation, sweep
from revplan.simulation.trials import Outcome


def what_if(simulation: Simulation, baseline: Plan) -> pd.DataFrame:
    """Table what_if: the landing as it stands, then in the world of every scenario of the baseline plan.

    A scenario changes today's rates by as much as it changes those of the baseline. The entries still committed are
    kept; open records are worked out anew by the scenario's rates and deals, and keep the amounts they carry. All
    see the same random numbers, so that the differences are not luck. Before the year begins this is what
    `revplan.simulation.scenarios.compare` says, to the bit; once it runs, open records keep the delays measured today,
    since a longer one would make old records look alive again.

    Parameters
    ----------
    simulation
        The year as known now, simulated.
    baseline
        The plan whose scenarios are looked at.

    Raises
    ------
    PlanError
        If a scenario contradicts the plan.
    """
    plans, now = scenario_plans(baseline), simulation.year
    if not plans:
        return empty("what_if")
    worlds = [_world(now, baseline, varied) for varied in plans.values()]
    scenarios = [baseline.scenarios[name] for name in plans]
    views = [outlook(with_entries(*each)) for each in zip(worlds, repeat(now), scenarios)]
    outcomes = (simulation.outcome, *sweep(views, simulation.trials, simulation.seed))
    rows = [_row(name, found, outcomes[0]) for name, found in zip((BASE, *plans), outcomes, strict=True)]
    return from_rows("what_if", rows)


def _world(now: PlannedYear, baseline: Plan, varied: Plan) -> PlannedYear:
    """The year in the world of a scenario, without the commit."""
    world = year_without_commit(in_todays_world(now.plan, baseline, varied), now.snapshot)
    if now.plan == baseline:
        return world
    opened = year_without_commit(_with_lags_of(now.plan, world.plan), now.snapshot)
    return replace(world, open_yields=opened.open_yields, open_arr=opened.open_arr, open_wins=opened.open_wins)


def _with_lags_of(today: Plan, changed: Plan) -> Plan:
    """`changed` with the delays that hold in the same places of `today`."""
    places = [((each.from_stage, each.to_stage), each.segment or "", each.source or "") for each in changed.transitions]
    todays = [today.transition(*place) for place in places]
    pairs = zip(changed.transitions, todays, strict=True)
    kept = [each.model_copy(update={"lag": was.lag}) if was else each for each, was in pairs]
    return changed.model_copy(update={"transitions": tuple(kept)})


def in_todays_world(now: Plan, baseline: Plan, varied: Plan) -> Plan:
    """`now` changed by as much as `varied` differs from `baseline`: rates in proportion, lags, deals and market as they are written.

    A changed transition is written for as wide a place as both today's and the scenario's hold in: cells that
    share a rate go on sharing it, and stray together.
    """
    if now == baseline:
        return varied
    written = {each.key: each for each in now.transitions}
    for pair, cell in product(pairwise(now.stage_ids), now.cells):
        today, planned, other = (plan.transition(pair, *cell) for plan in (now, baseline, varied))
        if today and planned and other and _said(planned) != _said(other):
            moved = _moved(today, planned, other)
            written[moved.key] = moved
    kept = ("segments", "goal", "capacity")
    update = {name: getattr(varied, name) for name in kept}
    supposed, in_scenario = dict(baseline.uncertainty), dict(varied.uncertainty)
    strays = {key: value for key, value in in_scenario.items() if value != supposed[key]}
    update["uncertainty"] = now.uncertainty.model_copy(update=strays)
    return now.model_copy(update={**update, "transitions": tuple(written.values())})


def _said(transition: Transition) -> tuple[object, ...]:
    return transition.rate, transition.lag, transition.evidence


def _moved(today: Transition, planned: Transition, varied: Transition) -> Transition:
    """Today's transition as a scenario moves it, for the place that all three hold in."""
    stated = (today, planned, varied)
    return today.model_copy(
        update={
            "segment": next((each.segment for each in stated if each.segment), None),
            "source": next((each.source for each in stated if each.source), None),
            "rate": min(today.rate * varied.rate / planned.rate, 1.0),
            "lag": today.lag if varied.lag == planned.lag else varied.lag,
            "evidence": today.evidence if varied.evidence == planned.evidence else varied.evidence,
        }
    )


def _row(name: str, found: Outcome, base: Outcome) -> dict[str, object]:
    return {
        "scenario": name,
        "landing": found.mean.value,
        "difference": found.mean.value - base.mean.value,
        "landing_low": found.p10.value,
        "landing_high": found.p90.value,
        "chance_of_goal": min(max(found.chance_of_goal.value, 0.0), 1.0),
    }
