"""Scenarios side by side: what each does to the signed commit, and what it would ask for instead.

Two questions, two sets of numbers. The committed entries of the base plan are kept and the world is the
scenario's: that is what a commit risks, in money. The scenario is planned anew: that is what it would
take, in units. All scenarios see the same random numbers, so their differences are not luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from revplan.funnel.funnel import YEAR
from revplan.funnel.tables import entries_by_stage, spend_of_entries
from revplan.funnel.year import PlannedYear, plan_year, year_without_commit
from revplan.ground.values import Progress
from revplan.plan.model import Plan
from revplan.plan.parts import Scenario
from revplan.plan.scenario import scenario_plans
from revplan.simulation.curve import CurvePoint
from revplan.simulation.draws import DrawStore
from revplan.simulation.outlook import Outlook, outlook
from revplan.simulation.simulate import Simulation, in_order, run
from revplan.simulation.trials import Outcome, drivers

BASE = "base"


@dataclass(frozen=True, eq=False)
class ComparedScenario:
    """One scenario beside the base plan."""

    name: str
    year: PlannedYear
    """The scenario planned anew."""
    kept: PlannedYear
    """The base plan's entries in the scenario's world."""
    view: Outlook
    """What is uncertain about them."""
    outcome: Outcome
    """What becomes of the base plan's entries. [plan currency]"""
    signed: CurvePoint
    """Times the base plan's entries that the plan's confidence asks for."""

    @cached_property
    def entries(self) -> Mapping[str, float]:
        """By stage: entries of the year that the base plan's commit brings. [records]"""
        return entries_by_stage(self.kept)

    @cached_property
    def needed(self) -> Mapping[str, float]:
        """By stage: entries of the year that the scenario's own commit brings. [records]"""
        return entries_by_stage(self.year)

    @cached_property
    def spend(self) -> float:
        """Programme spend of the scenario's own commit in the year. [plan currency]"""
        return spend_of_entries(self.year)


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
    found = [ComparedScenario(BASE, base, base, simulation.view, simulation.outcome, simulation.signed)]
    for each in in_order(work, list(plans.items())):
        found.append(each)
        if progress:
            progress(len(found) - 1, len(plans), "scenarios")
    return tuple(found)


def _beside(base: PlannedYear, drawn: tuple[int, int], scenario: tuple[str, Plan]) -> ComparedScenario:
    """One scenario beside `base`, with the trials and the seed of `drawn`."""
    name, plan = scenario
    year = plan_year(plan, base.snapshot)
    kept = with_entries(year, base, base.plan.scenarios[name])
    view = outlook(kept)
    found, (signed,) = run(view, DrawStore(drawn[0], drivers(view), drawn[1]), (plan.commit.confidence,))
    return ComparedScenario(name, year, kept, view, found, signed)


def scenario_year(base: PlannedYear, plan: Plan, scenario: Scenario) -> PlannedYear:
    """The entries that `base` commits, times the scenario's volumes, in the world of `plan`, its plan."""
    return with_entries(year_without_commit(plan, base.snapshot), base, scenario)


def with_entries(year: PlannedYear, base: PlannedYear, scenario: Scenario) -> PlannedYear:
    """`year` with the committed entries of `base` instead of its own, times the scenario's volumes."""
    year = replace(year, clock=base.clock, levels=base.levels)
    flows = tuple(
        year.brought(cell, flow[0] * scenario.volume_of(cell.source))
        for cell, flow in zip(year.cells, base.flows, strict=True)
    )
    return replace(year, flows=flows)


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
    recent = year.recent(name)
    before = 0.0 if recent is None else float(recent.sum())
    if source.max_growth is not None and before and flow[0] > 0:
        scales.append(before * (1 + source.max_growth) / float(flow[0]))
    return min(scales, default=None)
