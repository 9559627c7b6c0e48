"""What of a plan moves no number, and what a scenario moves besides what it writes: a sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from revplan.ground.errors import shown
from revplan.ground.formats import compact, counted, listed, show
from revplan.plan.parts import Scenario, StepKey, Transition, TransitionChange, UncheckedPlan
from revplan.plan.people import Capacity, changed_capacity
from revplan.plan.people_checks import closes
from revplan.plan.scenario import cells_of, cells_through, followers, named, varied
from revplan.simulation.scenarios import ComparedScenario

NAMED = 3


def idle(plan: UncheckedPlan) -> Iterator[str]:
    """What is written in `plan` and counts for nothing."""
    parts = [("Segment", name, 0) for name in plan.segments] + [("Source", name, 1) for name in plan.sources]
    for kind, name, place in parts:
        if name not in {cell[place] for cell in plan.cells}:
            yield f"{kind} {shown(name)} brings no new ARR (its share is 0), so that nothing else said of it counts."
    used = {each for pair in pairwise(plan.stage_ids) for each in _used(plan, pair)}
    unused = [each for each in plan.transitions if each not in used]
    if unused:
        verb = "1 rate counts" if len(unused) == 1 else f"{len(unused)} rates count"
        names = _some([_step_named(each) for each in unused])
        yield f"{verb} for nothing, since more specific ones go before, or no record takes the step: {names}."
    if "names" in plan.fiscal_year.model_fields_set and plan.first_month.month == 1:
        yield "fiscal_year.names counts for nothing, since the year begins in January."
    certain = [each for each in plan.transitions if each.rate == 1 and each.evidence is not None]
    if certain:
        yield f"{_some([_step_named(each) for each in certain])}: a rate of 100% is certain, whatever its evidence."


def idle_uncertainty(plan: UncheckedPlan) -> Iterator[str]:
    """What is written under `uncertainty` and counts for nothing, in a plan with all its rates."""
    used = {each for pair in pairwise(plan.stage_ids) for each in _used(plan, pair)}
    written = plan.uncertainty.model_fields_set
    if "rho" in written and not any(each.evidence is not None and each.rate < 1 for each in used):
        yield "uncertainty.rho counts for nothing, since no rate has `evidence`: all are taken as certain."
    if "lag_cv" in written and not any(each.lag.length_days > 0 for each in used):
        yield "uncertainty.lag_cv counts for nothing, since no step takes time."


def scenario_effects(plan: UncheckedPlan, name: str) -> Iterator[str]:
    """What a scenario of `plan` writes in vain, and what it moves besides what it writes."""
    scenario = plan.scenarios[name]
    vain = list(_in_vain(plan, scenario))
    if len(vain) == _written(scenario):
        yield f"Scenario {shown(name)} changes nothing: {'; '.join(vain) or 'it writes nothing'}."
        return
    yield from (f"In scenario {shown(name)}, {reason}." for reason in vain)
    found: dict[StepKey, Transition] = {each.key: each for each in plan.transitions}
    for change in scenario.changes:
        moved = list(followers(plan, found, change))
        if moved:
            where = _some([_place(each) for each in moved])
            yield f"In scenario {shown(name)}, {_what(change)} moves what is more specific in proportion: {where}."


def _written(scenario: Scenario) -> int:
    """How many things a scenario writes."""
    volumes = len(scenario.volume) if isinstance(scenario.volume, dict) else int("volume" in scenario.model_fields_set)
    goal = sum(value is not None for _, value in scenario.goal)
    parts = (len(scenario.changes), goal, len(scenario.acv), volumes, len(scenario.uncertainty.model_fields_set))
    return sum(parts) + (scenario.confidence is not None) + (scenario.capacity is not None)


def _in_vain(plan: UncheckedPlan, scenario: Scenario) -> Iterator[str]:
    for change in scenario.changes:
        yield from _change_in_vain(plan, scenario, change)
    yield from _deals_in_vain(plan, scenario)
    yield from _volume_in_vain(plan, scenario)
    same = [f"goal.{key}" for key, value in scenario.goal if value is not None and value == getattr(plan.goal, key)]
    strays = sorted(scenario.uncertainty.model_fields_set)
    same += [
        f"uncertainty.{key}" for key in strays if getattr(scenario.uncertainty, key) == getattr(plan.uncertainty, key)
    ]
    if scenario.capacity is not None and plan.capacity is not None:
        changed = changed_capacity(plan.capacity, scenario.capacity)
        same += ["what it says of people"] if changed == plan.capacity else []
    same += ["the confidence"] if scenario.confidence == plan.commit.confidence else []
    yield from (f"{name} is the plan's own" for name in same)


def _deals_in_vain(plan: UncheckedPlan, scenario: Scenario) -> Iterator[str]:
    for name, acv in scenario.acv.items():
        planned = plan.segments[name].acv
        if name not in {segment for segment, _ in plan.cells}:
            yield f"the deal size of {shown(name)} counts for nothing, since {shown(name)} brings no new ARR"
        elif acv.mean == planned.mean and acv.sd in (None, planned.sd):
            yield f"the deal size of {shown(name)} is the plan's own"


def _volume_in_vain(plan: UncheckedPlan, scenario: Scenario) -> Iterator[str]:
    if not isinstance(scenario.volume, dict):
        if scenario.volume == 1 and "volume" in scenario.model_fields_set:
            yield "the volume is 1, which leaves it as planned"
        return
    for name, factor in scenario.volume.items():
        if name not in {source for _, source in plan.cells}:
            yield f"the volume of {shown(name)} counts for nothing, since {shown(name)} brings no new ARR"
        elif factor == 1:
            yield f"the volume of {shown(name)} is 1, which leaves it as planned"


def _change_in_vain(plan: UncheckedPlan, scenario: Scenario, change: TransitionChange) -> Iterator[str]:
    pair = (change.from_stage, change.to_stage)
    alone = varied(plan, "", scenario.model_copy(update={"changes": (change,)}))
    if not cells_of(plan, change):
        yield f"{_what(change)} counts for nothing, since no new ARR of that kind is planned to take this step"
    elif [_said(each) for each in _used(plan, pair)] == [_said(each) for each in _used(alone, pair)]:
        yield f"{_what(change)} is what holds anyway"


def _used(plan: UncheckedPlan, pair: tuple[str, str]) -> list[Transition]:
    """What the cells use of a step."""
    found = (plan.transition(pair, *cell) for cell in cells_through(plan, pair))
    return [each for each in found if each is not None]


def _said(each: Transition) -> tuple[object, ...]:
    """What of a transition counts; evidence for a rate of 100 % does not."""
    return each.rate, each.lag, None if each.rate == 1 else each.evidence


def _what(change: TransitionChange) -> str:
    values = [f"at {show(change.rate, 'share')}"] if change.rate is not None else []
    values += [f"with an evidence of {change.evidence:g}"] if change.evidence is not None else []
    values += ["with another delay"] if change.lag is not None else []
    return f"{_step_named(change)} {listed(values)}"


def _some(names: list[str]) -> str:
    """The first names of a list, and how many more there are."""
    more = len(names) - NAMED
    return listed([*names[:NAMED], f"{more} more"] if more > 0 else names)


def _step_named(each: Transition | TransitionChange) -> str:
    return f"{each.from_stage} to {each.to_stage} ({_place(each)})"


def _place(each: Transition | TransitionChange) -> str:
    return named(each) or "all"


def idle_roles(capacity: Capacity) -> Iterator[str]:
    """The roles that nobody has, one sentence each."""
    kept = {each.role for each in capacity.people} | {each.role for each in capacity.hires}
    for name, role in capacity.roles.items():
        if name not in kept:
            does = "sells in" if role.closes else "has"
            yield f"Nobody on the roster and no planned hire {does} the role {shown(name)}, so what is said of it counts for nothing yet."


def small_quotas(capacity: Capacity, smallest_deal: float, currency: str) -> Iterator[str]:
    """The quotas of a year that are less than one deal: amounts in thousands, or by month, in a sentence."""
    small = [rep for rep in capacity.people if closes(capacity, rep) and rep.quota and rep.quota < smallest_deal]
    if small:
        first, count = small[0], sum(rep.count for rep in small)
        deal = compact(smallest_deal, currency)
        yield (
            f"{counted(count, 'person has', 'people have')} a quota of a year below one deal of {deal} ({shown(first.rep)}: "
            f"{compact(first.quota or 0.0, currency)}): if the amounts are in thousands, or by month, write them for the year in {currency}."
        )


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
