"""A scenario as a plan: the plan with the scenario's changes, under a name of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from revplan.errors import Fault, PlanError, shown
from revplan.plan.bridge import LEVELS, BridgeError, solve_bridge
from revplan.plan.goal import Goal

if TYPE_CHECKING:
    from revplan.plan.model import Acv, Commit, GoalChange, Plan, Scenario, Transition, TransitionChange, Uncertainty


def scenario_plans(plan: Plan) -> dict[str, Plan]:
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


def scenario_faults(plan: Plan, name: str, scenario: Scenario) -> list[Fault]:
    """What keeps a scenario, sound by itself, from being a variation of `plan`."""
    place, faults = f"scenarios.{shown(name)}", []
    for index, change in enumerate(scenario.changes):
        if change.rate is None and _basis(plan, change) is None:
            step = f"{change.from_stage} to {change.to_stage}"
            faults.append(Fault(f"{place}.changes[{index}]", f"the plan states no rate from {step}; give one here"))
    try:
        varied_goal(plan.goal, scenario.goal)
    except BridgeError as error:
        faults.append(Fault(f"{place}.{error.fault.place}", error.fault.message))
    return faults


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


def varied(plan: Plan, name: str, scenario: Scenario) -> Plan:
    """`plan` with the changes of a scenario that does not contradict it, as a plan called `name`."""
    update = {
        "name": f"{plan.name}: {name}",
        "goal": varied_goal(plan.goal, scenario.goal),
        "segments": type(plan.segments)(
            {
                key: segment.model_copy(update={"acv": _acv(segment.acv, scenario.acv[key])})
                if key in scenario.acv
                else segment
                for key, segment in plan.segments.items()
            }
        ),
        "transitions": _transitions(plan, scenario.changes),
        "uncertainty": _uncertainty(plan.uncertainty, scenario.uncertainty),
        "commit": _commit(plan.commit, scenario.confidence),
        "scenarios": type(plan.scenarios)(),
    }
    return plan.model_copy(update=update)


def _acv(planned: Acv, changed: Acv) -> Acv:
    """The changed deal size; its spread stays in proportion where only a mean is given."""
    if changed.sd is not None or planned.sd is None:
        return changed
    return changed.model_copy(update={"sd": planned.sd * changed.mean / planned.mean})


def _uncertainty(planned: Uncertainty, changed: Uncertainty) -> Uncertainty:
    return planned.model_copy(update={key: getattr(changed, key) for key in changed.model_fields_set})


def _commit(planned: Commit, confidence: float | None) -> Commit:
    return planned if confidence is None else planned.model_copy(update={"confidence": confidence})


def _transitions(plan: Plan, changes: tuple[TransitionChange, ...]) -> tuple[Transition, ...]:
    """The plan's transitions with the changes; one the plan has only in general is added for its own place."""
    found = {_key(each): each for each in plan.transitions}
    for change in changes:
        place = {key: getattr(change, key) for key in ("from_stage", "to_stage", "segment", "source")}
        written = {key: value for key, value in change if key not in place and value is not None}
        basis = found.get(_key(change)) or _basis(plan, change)
        if basis is None:
            from revplan.plan.model import Transition

            basis = Transition.model_validate({**place, "rate": change.rate})
        found[_key(change)] = basis.model_copy(update={**place, **written})
    return tuple(found.values())


def _key(transition: Transition | TransitionChange) -> tuple[str | None, ...]:
    return transition.from_stage, transition.to_stage, transition.segment, transition.source


def _basis(plan: Plan, change: TransitionChange) -> Transition | None:
    """The plan's transition that a change starts from: the one that holds in its place today."""
    wanted = ((change.segment, change.source), (change.segment, None), (None, change.source), (None, None))
    stated = {_key(each): each for each in plan.transitions}
    pair = (change.from_stage, change.to_stage)
    return next((stated[pair + place] for place in wanted if pair + place in stated), None)
