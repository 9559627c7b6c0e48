"""The places of a plan that something can be said about: keys with points between.

What must hold between the values of a plan; every fault is found, none hides another.

The checks also run on what could be salvaged from a faulty file: a value that was wrong by
itself is None there, and a check that needs it is silent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import pairwise, product

import pandas as pd

from revplan.ground.calendar import MONTHS_PER_YEAR, months_from
from revplan.ground.errors import Fault, digits, shown
from revplan.ground.values import Value
from revplan.plan.goal import SHARE_TOLERANCE, BridgeError, solve_bridge
from revplan.plan.parts import Scenario, Source, Transition, TransitionChange, UncheckedPlan, WorkPlace
from revplan.plan.people import changed_capacity
from revplan.plan.people_checks import not_of_plan, not_of_this_year, people_faults, unsold
from revplan.plan.scenario import scenario_faults

NO_PLACES = {"name", "stages", "transitions", "assumptions"}


def places(plan: UncheckedPlan) -> dict[str, object]:
    """What the plan says at each of its places, such as goal.churn or transitions.sqo.won.mid.rate.

    A transition is named by its stages, then its segment and its source where it has them. Where
    records are to give rates, a step has its places without being written.
    """
    found = dict.fromkeys(_steps_of_records(plan))
    for key in type(plan).model_fields:
        if key not in NO_PLACES:
            found.update(_walked(key, getattr(plan, key)))
    for stage in plan.stages or ():
        found.update(_walked(f"stages.{stage.id}", stage))
    for each in plan.transitions or ():
        found.update(_walked(transition_place(*each.key), each))
    return found


def transition_place(*names: str | None) -> str:
    """Place of the transition between two stages, of a segment and a source where they are given."""
    return ".".join(("transitions", *(name for name in names if name is not None)))


def _steps_of_records(plan: UncheckedPlan) -> Iterator[str]:
    if plan.history is None:
        return
    steps = pairwise(stage.id for stage in plan.stages or ())
    for pair, segment, source in product(steps, (None, *(plan.segments or ())), (None, *(plan.sources or ()))):
        yield transition_place(*pair, segment, source)


def _walked(place: str, node: object) -> Iterator[tuple[str, object]]:
    yield place, node
    for key, child in _children(node):
        yield from _walked(f"{place}.{key}", child)


def _children(node: object) -> Iterator[tuple[str, object]]:
    if isinstance(node, Value):
        yield from ((field.alias or name, getattr(node, name)) for name, field in type(node).model_fields.items())
    elif isinstance(node, Mapping):
        yield from node.items()


EARLIEST_YEARS = 3


def consistency(plan: UncheckedPlan) -> list[Fault]:
    """All faults between the values of `plan`."""
    rules = (
        _goal,
        _plan_date,
        _stages,
        _commit,
        _segments,
        _sources,
        _transitions,
        _paths,
        _people,
        _scenarios,
        _assumptions,
        _calendar,
        _pace,
        _service_levels,
    )
    return [fault for rule in rules for fault in rule(plan)]


def _goal(plan: UncheckedPlan) -> Iterator[Fault]:
    if plan.goal is None or any(
        value is None for value in (plan.goal.expansion, plan.goal.contraction, plan.goal.churn)
    ):
        return
    try:
        solve_bridge(plan.goal)
    except BridgeError as error:
        yield error.fault


def _plan_date(plan: UncheckedPlan) -> Iterator[Fault]:
    if plan.plan_date is None or plan.year is None or plan.year.first_month is None:
        return
    first = pd.Period(plan.year.first_month, freq="M")
    if plan.plan_date.year < first.year - EARLIEST_YEARS:
        yield Fault(
            "plan_date", f"{plan.plan_date} lies years before the year, which begins {first}; check both for a slip"
        )
    last = (first + MONTHS_PER_YEAR - 1).end_time.date()
    if plan.plan_date > last:
        yield Fault(
            "plan_date",
            f"{plan.plan_date} lies after the year, which ends on {last}; "
            "nothing can be planned for it any more: move plan_date or year.first_month",
        )


def _stages(plan: UncheckedPlan) -> Iterator[Fault]:
    ids = [stage.id for stage in plan.stages or ()]
    for id in sorted({id for id in ids if id is not None and ids.count(id) > 1}):
        yield Fault("stages", f"{id!r} stands in the list twice; each stage has its own id")


def _declared_stages(plan: UncheckedPlan) -> list[str]:
    return [stage.id for stage in plan.stages or () if stage.id is not None]


def _commit(plan: UncheckedPlan) -> Iterator[Fault]:
    stages = _declared_stages(plan)
    if plan.commit is None or plan.commit.stage is None or not stages:
        return
    if plan.commit.stage not in stages:
        yield Fault("commit.stage", not_of_plan("stage", plan.commit.stage, stages))


def _segments(plan: UncheckedPlan) -> Iterator[Fault]:
    shares = {name: segment.share if segment else None for name, segment in (plan.segments or {}).items()}
    yield from _sum_to_one("segments", shares)


def _sources(plan: UncheckedPlan) -> Iterator[Fault]:
    sources = {name: source for name, source in (plan.sources or {}).items() if source is not None}
    for name, source in sources.items():
        yield from _source(plan, name, source)
    if len(sources) < len(plan.sources or {}) or any(source.share is None for source in sources.values()):
        return
    if any(isinstance(source.share, dict) for source in sources.values()):
        for segment in plan.segments or {}:
            yield from _sum_to_one("sources", {n: s.share_of(segment) for n, s in sources.items()}, f" in {segment}")
    else:
        shares: dict[str, float | None] = {name: source.share_of("") for name, source in sources.items()}
        yield from _sum_to_one("sources", shares)


def _source(plan: UncheckedPlan, name: str, source: Source) -> Iterator[Fault]:
    stages = _declared_stages(plan)
    if source.enters is not None and stages and source.enters not in stages[:-1]:
        yield Fault(f"sources.{shown(name)}.enters", not_of_plan("stage before won", source.enters, stages[:-1]))
    yield from _names(f"sources.{shown(name)}.share", "segment", source.share, plan.segments)


def _sum_to_one(place: str, shares: dict[str, float | None], where: str = "") -> Iterator[Fault]:
    declared = {name: share for name, share in shares.items() if share is not None}
    if not declared or len(declared) < len(shares):
        return
    total = sum(declared.values())
    if abs(total - 1) > SHARE_TOLERANCE:
        listed = ", ".join(f"{shown(name)} {digits(share)}" for name, share in list(declared.items())[:12])
        more = f", and {len(declared) - 12} more" if len(declared) > 12 else ""
        yield Fault(
            place,
            f"shares{where} sum to {digits(total)}; they must sum to 1, which is {digits(abs(total - 1))} too {'much' if total > 1 else 'little'} "
            f"({listed}{more})",
        )


def _transitions(plan: UncheckedPlan) -> Iterator[Fault]:
    seen: dict[tuple[str | None, ...], int] = {}
    for index, transition in enumerate(plan.transitions or ()):
        place = f"transitions[{index}]"
        yield from _reference(plan, place, transition)
        key = transition.key
        if None not in key[:2] and key in seen:
            yield Fault(place, f"says again what transitions[{seen[key]}] says; take one of them out")
        seen.setdefault(key, index)


def _reference(plan: UncheckedPlan, place: str, transition: Transition | TransitionChange) -> Iterator[Fault]:
    """Faults of what a transition points at: stages, segment, source."""
    for kind, name, declared in (
        ("segment", transition.segment, plan.segments),
        ("source", transition.source, plan.sources),
    ):
        if name is not None and declared and name not in declared:
            yield Fault(f"{place}.{kind}", not_of_plan(kind, name, declared))
    stages = _declared_stages(plan)
    pair = (transition.from_stage, transition.to_stage)
    if not stages or len(stages) < len(plan.stages or ()) or None in pair:
        return
    unknown = [(key, stage) for key, stage in zip(("from", "to"), pair, strict=True) if stage not in stages]
    for key, stage in unknown:
        yield Fault(f"{place}.{key}", not_of_plan("stage", stage, stages))
    if not unknown and pair not in set(pairwise(stages)):
        yield Fault(place, _not_adjacent(pair, stages))


def _not_adjacent(pair: tuple[str, str], stages: list[str]) -> str:
    start, end = stages.index(pair[0]), stages.index(pair[1])
    order = f"the stages are {' - '.join(stages)}"
    if end < start:
        return f"{pair[0]} comes after {pair[1]}: {order}; turn the pair round, or the order of the stages"
    if end == start:
        return f"goes from {pair[0]} to itself; {order}"
    return (
        f"{pair[0]} and {pair[1]} are not next to each other: {order}; "
        f"give a rate for each step, starting with {pair[0]} to {stages[start + 1]}"
    )


def _paths(plan: UncheckedPlan) -> Iterator[Fault]:
    """A rate for every step that some cell takes, unless the history is to give it."""
    stages = _declared_stages(plan)
    if plan.history is not None or not stages or not plan.segments or not plan.sources or plan.transitions is None:
        return
    if len(stages) < len(plan.stages) or any(None in (each.from_stage, each.to_stage) for each in plan.transitions):
        return
    if not plan.transitions:
        yield Fault("transitions", f"is missing; give a rate for each step of {' - '.join(stages)}, or a history")
        return
    for pair in pairwise(stages):
        lacking = [cell for cell in product(plan.segments, plan.sources) if _lacks(plan, stages, pair, cell)]
        if lacking:
            where = "any cell" if len(lacking) == len(plan.segments) * len(plan.sources) else _named(lacking)
            yield Fault(
                "transitions",
                f"no rate from {pair[0]} to {pair[1]} for {where}; add {{from: {pair[0]}, to: {pair[1]}, rate: ...}}",
            )


def _lacks(plan: UncheckedPlan, stages: list[str], pair: tuple[str, str], cell: tuple[str, str]) -> bool:
    source = plan.sources[cell[1]]
    if source is None or plan.transition(pair, *cell) is not None:
        return False
    enters = stages.index(source.enters) if source.enters in stages else 0
    return stages.index(pair[0]) >= enters


def _named(cells: list[tuple[str, str]]) -> str:
    first = ", ".join(f"{shown(segment)} x {shown(source)}" for segment, source in cells[:3])
    return first if len(cells) <= 3 else f"{first} and {len(cells) - 3} more cells"


def _people(plan: UncheckedPlan) -> Iterator[Fault]:
    """Faults of the people; what only a roster that was read can tell is told once it is."""
    stages = _declared_stages(plan)
    found = list(people_faults(plan.capacity, plan.segments, stages if len(stages) == len(plan.stages or ()) else ()))
    yield from found
    if found or plan.capacity is None or None in (plan.year, plan.segments, plan.sources):
        return
    parts = (*plan.segments.values(), *plan.sources.values())
    if isinstance(plan.capacity.roster, tuple) and None not in parts:
        yield from roster_misfits(plan)


def roster_misfits(plan: UncheckedPlan) -> list[Fault]:
    """What keeps a roster that is sound by itself from being that of the plan's year and segments."""
    if plan.capacity is None:
        return []
    first, last = plan.months[0].start_time.date(), plan.months[-1].end_time.date()
    selling = list(dict.fromkeys(segment for segment, _ in plan.cells))
    return [*not_of_this_year(plan.capacity, first, last), *unsold(plan.capacity, selling)]


def _scenarios(plan: UncheckedPlan) -> Iterator[Fault]:
    for name, scenario in (plan.scenarios or {}).items():
        if scenario is not None:
            yield from _scenario(plan, name, scenario)


def _scenario(plan: UncheckedPlan, name: str, scenario: Scenario) -> Iterator[Fault]:
    place = f"scenarios.{shown(name)}"
    faults = [
        fault
        for index, change in enumerate(scenario.changes or ())
        for fault in _reference(plan, f"{place}.changes[{index}]", change)
    ]
    faults += _names(f"{place}.acv", "segment", scenario.acv, plan.segments)
    faults += _names(f"{place}.volume", "source", scenario.volume, plan.sources)
    if scenario.capacity is not None and plan.capacity is None:
        faults.append(Fault(f"{place}.capacity", "changes people, and the plan has none; give it a `capacity` first"))
    elif scenario.capacity is not None and plan.capacity is not None and not list(_people(plan)):
        leaving = f"{place}.capacity.attrition"
        faults += _names(leaving, "role", scenario.capacity.attrition, plan.capacity.roles)
        changed = changed_capacity(plan.capacity, scenario.capacity)
        faults += people_faults(changed, plan.segments, _declared_stages(plan), f"{place}.capacity")
    yield from faults
    if not faults and plan.history is None and not _incomplete(plan, scenario):
        yield from scenario_faults(plan, name, scenario)


def _names(place: str, kind: str, written: object, declared: Mapping[str, object] | None) -> Iterator[Fault]:
    """Faults of names that something is written for."""
    for name in written if isinstance(written, dict) else ():
        if declared and name not in declared:
            yield Fault(place, not_of_plan(kind, name, declared))


def _incomplete(plan: UncheckedPlan, scenario: Scenario) -> bool:
    """Whether a value by itself is at fault, so that nothing can be said of how they go together."""
    parts = (plan.goal, scenario.goal, plan.transitions, scenario.changes)
    listed = (*(plan.transitions or ()), *(scenario.changes or ()))
    terms = [getattr(plan.goal, name, None) for name in ("expansion", "contraction", "churn")]
    return None in (*parts, *terms) or None in listed or next(_goal(plan), None) is not None


def _assumptions(plan: UncheckedPlan) -> Iterator[Fault]:
    """Faults of the assumption log: places the plan does not have, and what is logged twice."""
    logged = [(index, each.about) for index, each in enumerate(plan.assumptions or ()) if each and each.about]
    declared = places(plan) if logged else {}
    seen: dict[str, int] = {}
    for index, about in logged:
        if about not in declared:
            yield Fault(f"assumptions[{index}].about", _no_place(about, declared))
        if seen.setdefault(about, index) != index:
            place = f"assumptions[{index}].about"
            yield Fault(place, f"{shown(about)} is logged in assumptions[{seen[about]}] already; make one of the two")


def _no_place(about: str, declared: Mapping[str, object]) -> str:
    close = get_close_matches(about[:200], declared, 1)
    hint = f"did you mean {shown(close[0])}?" if close else "write it like goal.churn or transitions.sqo.won.mid"
    return f"{shown(about)!r} is no place of this plan; {hint}"


def _calendar(plan: UncheckedPlan) -> Iterator[Fault]:
    """Teams nobody's records belong to, names that the plan lacks, and months of the year without a working day."""
    if plan.calendar is None or plan.year is None or plan.year.first_month is None:
        return
    teams = {name: team for name, team in (plan.calendar.teams or {}).items() if team is not None}
    cells = list(product(plan.segments or (), plan.sources or ()))
    for name, team in teams.items():
        place = f"calendar.teams.{shown(name)}"
        unknown = [
            Fault(f"{place}.{key}", not_of_plan(key[:-1], each, declared))
            for key, declared in (("segments", plan.segments), ("sources", plan.sources))
            for each in getattr(team, key) or ()
            if declared and each not in declared
        ]
        yield from unknown
        first = [next((mine for mine, each in teams.items() if each.works(*cell)), None) for cell in cells]
        if not unknown and cells and name not in first:
            yield Fault(
                place, "works nothing that the teams before it do not work already; say which segments or sources"
            )
    for place, where in {
        "calendar": plan.calendar,
        **{f"calendar.teams.{shown(name)}": team for name, team in teams.items()},
    }.items():
        if where.weekend and None not in (where.country, where.region, where.closures, *(where.closures or ())):
            yield from _idle_months(place, where, pd.Period(plan.year.first_month, freq="M"))


def _pace(plan: UncheckedPlan) -> Iterator[Fault]:
    """Shapes of segments that the plan lacks."""
    for name in (plan.pace.by_segment or ()) if plan.pace is not None and plan.segments else ():
        if name not in plan.segments:
            yield Fault(f"pace.by_segment.{shown(name)}", not_of_plan("segment", name, plan.segments))


def _idle_months(place: str, where: WorkPlace, first: pd.Period) -> Iterator[Fault]:
    idle = [
        month
        for month in months_from(first, MONTHS_PER_YEAR)
        if not where.workdays.count(month.start_time.date(), month.end_time.date())
    ]
    if idle:
        named = ", ".join(str(month) for month in idle)
        yield Fault(
            place,
            f"leaves no working day in {named}; what such a month must bring could come on none: shorten the closures",
        )


def _service_levels(plan: UncheckedPlan) -> Iterator[Fault]:
    """Stages that there are not, or that leave nothing to be accepted."""
    levels, stages = plan.service_levels, [each.id for each in plan.stages or () if each is not None]
    if levels is None or not stages:
        return
    unknown = [key for key in ("stage", "accepted") if getattr(levels, key) not in (None, *stages)]
    for key in unknown:
        yield Fault(f"service_levels.{key}", not_of_plan("stage", getattr(levels, key), stages))
    handed = levels.stage or (plan.commit.stage if plan.commit is not None else None)
    if unknown or handed not in stages:
        return
    if handed == stages[-1]:
        place = "service_levels.stage" if levels.stage else "commit.stage"
        if levels != type(levels)():
            yield Fault(
                place,
                f"is {handed}, the last stage: nothing is handed over there; name an earlier service_levels.stage",
            )
    elif levels.accepted is not None and stages.index(levels.accepted) <= stages.index(handed):
        yield Fault(
            "service_levels.accepted", f"is {levels.accepted}, which is not after {handed}, where marketing hands over"
        )
