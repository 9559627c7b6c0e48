"""A scenario as a plan: the plan with the scenario's changes, under a name of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from revplan.ground.errors import Fault, PlanError, shown
from revplan.ground.formats import listed
from revplan.ground.values import FrozenDict
from revplan.plan.goal import LEVELS, BridgeError, Goal, solve_bridge
from revplan.plan.parts import (
    Acv,
    GoalChange,
    Scenario,
    StepKey,
    Transition,
    TransitionChange,
    UncheckedPlan,
    most_specific,
)
from revplan.plan.people import changed_capacity

AnyPlan = TypeVar("AnyPlan", bound=UncheckedPlan)


def scenario_plans(plan: AnyPlan) -> dict[str, AnyPlan]:
    """The plan of each scenario of `plan`, by the scenario's name.

    A scenario's `volume` is no value of a plan, whose entries are what is solved for: it scales the
    committed entries where a scenario is simulated.

    Raises
    ------
    PlanError
        If a scenario contradicts the plan; the faults of all scenarios at once.
    """
    faults = [fault for name, scenario in plan.scenarios.items() for fault in scenario_faults(plan, name, scenario)]
    if faults:
        raise PlanError(faults)
    return {name: varied(plan, name, scenario) for name, scenario in plan.scenarios.items()}


def scenario_faults(plan: UncheckedPlan, name: str, scenario: Scenario) -> list[Fault]:
    """What keeps a scenario, sound by itself, from being a variation of `plan`."""
    place, faults = f"scenarios.{shown(name)}", []
    found = {each.key: each for each in plan.transitions}
    seen: dict[StepKey, int] = {}
    for index, change in enumerate(scenario.changes):
        line = f"{place}.changes[{index}]"
        wider = most_specific(found, change.key[:2], change.segment, change.source) is None
        if wider and change.rate is None:
            step = f"{change.from_stage} to {change.to_stage}"
            faults.append(Fault(line, f"the plan states no rate from {step}; give one here"))
        elif wider and (stated := list(followers(plan, found, change))):
            faults.append(Fault(line, _in_proportion_to_none(change, stated)))
        elif seen.setdefault(change.key, index) != index:
            faults.append(Fault(line, f"is of the same place as changes[{seen[change.key]}]; make one of the two"))
    try:
        varied_goal(plan.goal, scenario.goal)
    except BridgeError as error:
        faults.append(Fault(f"{place}.{error.fault.place}", error.fault.message))
    return faults


def _in_proportion_to_none(change: TransitionChange, stated: list[Transition]) -> str:
    """What to say of a change that is wider than all the plan states of its step."""
    names = listed(list(dict.fromkeys(map(named, stated))))
    keys = [f"{key}: {shown(name)}" for key in ("segment", "source") if (name := getattr(stated[0], key))]
    return (
        f"the plan states {change.from_stage} to {change.to_stage} for {names} alone, so that a rate for "
        f"{named(change) or 'all'} is in proportion to none; say whose changes, such as {', '.join(keys)}"
    )


def named(each: Transition | TransitionChange) -> str:
    """The part of the plan that a transition is stated for, such as mid x inbound; empty where that is all of it."""
    return " x ".join(shown(part) for part in (each.segment, each.source) if part is not None)


def varied_goal(goal: Goal, change: GoalChange) -> Goal:
    """`goal` with the terms a scenario writes; of the plan's own levels the one they contradict is left out.

    Raises
    ------
    BridgeError
        If the terms contradict each other whichever level is left out.
    """
    written = {key: value for key, value in change if value is not None}
    changed = goal.model_copy(update=written)
    spare = [name for name in reversed(LEVELS) if name not in written]
    candidates = [changed, *(changed.model_copy(update={name: None}) for name in spare)]
    errors = []
    for candidate in candidates:
        try:
            solve_bridge(candidate)
        except BridgeError as error:
            errors.append(error)
        else:
            return candidate
    raise errors[0]


def varied(plan: AnyPlan, name: str, scenario: Scenario) -> AnyPlan:
    """`plan` with the changes of a scenario that does not contradict it, as a plan called `name`."""
    strays = scenario.uncertainty
    deals = {key: _acv(plan.segments[key].acv, acv) for key, acv in scenario.acv.items()}
    segments = {key: plan.segments[key].model_copy(update={"acv": acv}) for key, acv in deals.items()}
    update: dict[str, object] = {
        "name": f"{plan.name}: {name}",
        "goal": varied_goal(plan.goal, scenario.goal),
        "segments": FrozenDict({**plan.segments, **segments}),
        "transitions": _transitions(plan, scenario.changes),
        "uncertainty": plan.uncertainty.model_copy(
            update={key: getattr(strays, key) for key in strays.model_fields_set}
        ),
        "scenarios": FrozenDict(),
    }
    if scenario.confidence is not None:
        update["commit"] = plan.commit.model_copy(update={"confidence": scenario.confidence})
    if scenario.capacity is not None and plan.capacity is not None:
        update["capacity"] = changed_capacity(plan.capacity, scenario.capacity)
    return plan.model_copy(update=update)


def _acv(planned: Acv, changed: Acv) -> Acv:
    """The changed deal size; its spread stays in proportion where only a mean is given."""
    if changed.sd is not None or planned.sd is None:
        return changed
    return changed.model_copy(update={"sd": planned.sd * changed.mean / planned.mean})


def _transitions(plan: UncheckedPlan, changes: tuple[TransitionChange, ...]) -> tuple[Transition, ...]:
    """The plan's transitions with the changes; one the plan has only in general is added for its own place.

    What is more specific follows a change: rates and evidence in proportion, lags stretched as much. So a rate
    for all segments moves them all, whether the plan states theirs or its records gave them. Wide changes come
    first, and a narrower one has the last word.
    """
    found = {each.key: each for each in plan.transitions}
    for change in sorted(changes, key=lambda each: (each.segment is not None, each.source is not None)):
        basis = most_specific(found, change.key[:2], change.segment, change.source)
        moved = [_following(each, change, basis) for each in followers(plan, found, change)] if basis else []
        found |= {each.key: each for each in (_changed(change, basis), *moved)}
    return tuple(found.values())


def followers(
    plan: UncheckedPlan, found: Mapping[StepKey, Transition], change: TransitionChange
) -> Iterator[Transition]:
    """What goes before a change in a part of its place, for just that part."""
    for place, each in found.items():
        if _is_within(each, change) and place != change.key:
            yield each
    for cell in cells_of(plan, change):
        used = most_specific(found, change.key[:2], *cell)
        if used is not None and change.segment is None is not used.segment and not _is_within(used, change):
            yield used.model_copy(update={"source": cell[1]})  # the whole segment's, changed for one source of it


def cells_through(plan: UncheckedPlan, pair: tuple[str, str]) -> Iterator[tuple[str, str]]:
    """The cells whose records take the step from one stage of `pair` to the next."""
    stages = plan.stage_ids
    return (cell for cell in plan.cells if stages.index(plan.entry_stage(cell[1])) <= stages.index(pair[0]))


def cells_of(plan: UncheckedPlan, change: TransitionChange) -> list[tuple[str, str]]:
    """The cells whose records take the step of a change, in its place."""
    cells = cells_through(plan, (change.from_stage, change.to_stage))
    return [cell for cell in cells if change.segment in (None, cell[0]) and change.source in (None, cell[1])]


def _changed(change: TransitionChange, basis: Transition | None) -> Transition:
    """What holds in the place of a change: what it writes, and for the rest what held there before."""
    place = {key: getattr(change, key) for key in ("from_stage", "to_stage", "segment", "source")}
    written = {key: value for key, value in change if key not in place and value is not None}
    if basis is None:
        return Transition.model_validate({**place, **written})
    return basis.model_copy(update={**place, **written})


def _is_within(each: Transition, change: TransitionChange) -> bool:
    """Whether a transition is of a change's step, for a segment and source that the change covers."""
    covered = change.segment in (None, each.segment) and change.source in (None, each.source)
    return covered and each.key[:2] == change.key[:2]


def _following(each: Transition, change: TransitionChange, basis: Transition) -> Transition:
    """A transition moved by as much as `change` moves `basis`, which held in the change's place."""
    update: dict[str, object] = {}
    if change.rate is not None:
        update["rate"] = min(each.rate * change.rate / basis.rate, 1.0)
    if change.evidence is not None:
        times = change.evidence / basis.evidence if basis.evidence else None
        update["evidence"] = each.evidence * times if each.evidence and times else change.evidence
    if change.lag is not None:
        update["lag"] = each.lag.moved(basis.lag, change.lag)
    return each.model_copy(update=update)
