"""Scenarios side by side: what each does to the signed commit, and what it would ask for instead.

Two questions, two sets of numbers. The committed entries of the base plan are kept and the world is the
scenario's: that is what a commit risks, in money. The scenario is planned anew: that is what it would
take, in units. All scenarios see the same random numbers, so their differences are not luck.

The scenarios of a plan applied to the rest of its year: what each does to the landing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise, product, repeat

import numpy as np
import pandas as pd

from revplan.funnel.funnel import YEAR
from revplan.funnel.tables import spend
from revplan.funnel.year import PlannedYear, plan_year, recent_of, year_without_commit
from revplan.ground.errors import shown
from revplan.ground.tables import conform, empty
from revplan.ground.values import Progress
from revplan.plan.model import Plan
from revplan.plan.parts import Scenario, Transition
from revplan.plan.scenario import scenario_effects, scenario_plans
from revplan.simulation.curve import CurvePoint
from revplan.simulation.draws import DrawStore
from revplan.simulation.outlook import Outlook, outlook
from revplan.simulation.simulate import Simulation, in_order, run, sweep
from revplan.simulation.trials import Outcome, drivers

BASE = "base"


@dataclass(frozen=True, eq=False)
class ComparedScenario:
    """One scenario beside the base plan."""

    name: str
    year: PlannedYear
    """The scenario planned anew."""
    view: Outlook
    """The base plan's entries in the scenario's world."""
    outcome: Outcome
    """What becomes of the base plan's entries. [plan currency]"""
    signed: CurvePoint
    """Times the base plan's entries that the plan's confidence asks for."""
    entries: Mapping[str, float]
    """By stage: entries of the year that the base plan's commit brings. [records]"""
    needed: Mapping[str, float]
    """By stage: entries of the year that the scenario's own commit brings. [records]"""
    spend: float
    """Programme spend of the scenario's own commit in the year. [plan currency]"""


def compare(simulation: Simulation, progress: Progress | None = None) -> tuple[ComparedScenario, ...]:
    """The base plan, then every scenario of its plan file, with the same random numbers.

    Parameters
    ----------
    simulation
        The base plan, simulated.
    progress
        Called with done, total and what is being worked on.

    Raises
    ------
    PlanError
        If a scenario contradicts the plan.
    """
    base, plans = simulation.year, scenario_plans(simulation.year.plan)
    work = partial(_beside, base, (simulation.trials, simulation.seed))
    found = [_compared(BASE, base, base, simulation.view, (simulation.outcome, simulation.signed))]
    for each in in_order(work, list(plans.items())):
        found.append(each)
        if progress:
            progress(len(found) - 1, len(plans), "scenarios")
    return tuple(found)


def scenario_notes(compared: Sequence[ComparedScenario]) -> tuple[str, ...]:
    """What a reader must know of scenarios laid beside their plan: what changes nothing, what moves with what."""
    base, plan = compared[0], compared[0].year.plan
    found = []
    for each in compared[1:]:
        told = list(scenario_effects(plan, each.name))
        if _figures(each) == _figures(base) and not any("changes nothing" in line for line in told):
            told.insert(
                0, f"Scenario {shown(each.name)} comes to what the plan comes to: what it changes touches nothing."
            )
        found += told
    return tuple(found)


def _figures(each: ComparedScenario) -> tuple[object, ...]:
    """What is shown of a scenario; equal to the bit where nothing moved, since all see the same random numbers."""
    found, kept = each.outcome, (*each.entries.values(), *each.needed.values())
    values = (found.mean.value, found.p10.value, found.p50.value, found.p90.value, each.view.goal, each.spend, *kept)
    return *values, each.signed.confidence, each.signed.scale.value


def _beside(base: PlannedYear, drawn: tuple[int, int], scenario: tuple[str, Plan]) -> ComparedScenario:
    """One scenario beside `base`, with the trials and the seed of `drawn`."""
    name, plan = scenario
    year = plan_year(plan, base.snapshot)
    kept = with_entries(year, base, base.plan.scenarios[name])
    view = outlook(kept)
    result, (signed,) = run(view, DrawStore(drawn[0], drivers(view), drawn[1]), (plan.commit.confidence,))
    return _compared(name, year, kept, view, (result, signed))


def scenario_year(base: PlannedYear, plan: Plan, scenario: Scenario) -> PlannedYear:
    """The entries that `base` commits, times the scenario's volumes, in the world of `plan`, its plan."""
    return with_entries(year_without_commit(plan, base.snapshot), base, scenario)


def with_entries(year: PlannedYear, base: PlannedYear, scenario: Scenario) -> PlannedYear:
    """`year` with the committed entries of `base` instead of its own, times the scenario's volumes."""
    year = replace(year, clock=base.clock)
    flows = tuple(
        year.brought(cell, flow[0] * scenario.volume_of(cell.source))
        for cell, flow in zip(year.cells, base.flows, strict=True)
    )
    return replace(year, flows=flows)


def _compared(
    name: str, year: PlannedYear, kept: PlannedYear, view: Outlook, result: tuple[Outcome, CurvePoint]
) -> ComparedScenario:
    return ComparedScenario(
        name=name,
        year=year,
        view=view,
        outcome=result[0],
        signed=result[1],
        entries=entries_by_stage(kept),
        needed=entries_by_stage(year),
        spend=spend_of_entries(year),
    )


def entries_by_stage(year: PlannedYear) -> dict[str, float]:
    """Entries into each stage within the year that the committed entries bring. [records]"""
    totals = dict.fromkeys(year.plan.stage_ids, 0.0)
    for cell, flow in zip(year.cells, year.flows, strict=True):
        for stage, months in zip(cell.stages, flow, strict=True):
            totals[stage] += float(year.in_year(months).sum())
    return totals


def spend_of_entries(year: PlannedYear) -> float:
    """Programme spend on the committed entries of the year, over the priced sources. [plan currency]"""
    return sum(
        spend(float(year.in_year(flow[0]).sum()), year.plan.sources[cell.source].cost_per_entry)
        for cell, flow in zip(year.cells, year.flows, strict=True)
    )


def largest_scale(year: PlannedYear) -> float:
    """The factor up to which every source stays within its ceilings; infinite without one. [ratio]"""
    return min(largest_scales(year).values(), default=float("inf"))


def largest_scales(year: PlannedYear) -> dict[str, float]:
    """By source with a ceiling: the factor up to which it keeps its `max_per_month`, and `max_growth` in the plan month.

    From month to month a factor changes no growth, so that `max_growth` binds against what came before only.
    """
    flows = {name: entries[: YEAR - year.first] for name, entries in year.whole_months.items()}
    found = {name: _kept_up_to(year, name, flow) for name, flow in flows.items()}
    return {name: scale for name, scale in found.items() if scale is not None}


def _kept_up_to(year: PlannedYear, name: str, flow: np.ndarray) -> float | None:
    """The factor of a source's whole-month entries up to which it keeps its ceilings; None where none is met. [ratio]"""
    source, scales = year.plan.sources[name], []
    if source.max_per_month is not None and flow.max() > 0:
        scales.append(source.max_per_month / float(flow.max()))
    before = recent_of(year.snapshot, year.cells, name)
    if source.max_growth is not None and before and flow[0] > 0:
        scales.append(before * (1 + source.max_growth) / float(flow[0]))
    return min(scales, default=None)


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
    return conform(pd.DataFrame(rows), "what_if")


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
    """`now` changed by as much as `varied` differs from `baseline`: rates in proportion, lags and deals as they are written.

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
    kept = ("segments", "goal", "uncertainty", "capacity")
    update = {name: getattr(varied, name) for name in kept}
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
