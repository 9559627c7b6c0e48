"""What the sliders say, as frozen values: a scenario to start from, what was moved, and the way there.

A rate, a delay, a ramp or what a rep closes is moved by a factor, everything else to a value. A slider moved back to where it
stood before it was touched counts as not moved, so that the same figures come out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise

import pandas as pd

from revplan.capacity.team import lead_days
from revplan.ground.calendar import month_of
from revplan.ground.lag import INSTANT, Lag
from revplan.ground.values import FrozenDict
from revplan.plan.model import Plan
from revplan.plan.parts import Acv, Scenario, Transition, TransitionChange
from revplan.plan.people import Capacity, CapacityChange, Hire, changed_capacity
from revplan.plan.scenario import cells_through, varied

RATE, LAG, ACV, VOLUME, GOAL, CONFIDENCE = "rate", "lag", "acv", "volume", "goal", "confidence"
UNCERTAIN = ("rho", "lag_cv", "volume_cv")
HIRES, START, RAMP, ATTRITION, PRODUCTIVITY = "hires", "start", "ramp", "attrition", "productivity"
MOST_TIMES = 10.0  # by which a scenario may change a ramp, or what a rep closes
OF_PEOPLE = {HIRES, START, RAMP, ATTRITION, PRODUCTIVITY}
MOST_PAST = 200
DIGITS, WEIGHT_DIGITS = 12, 12  # significant digits of a rate or a delay as it is written, and decimals of a share
PAUSE = 1.0  # seconds after which another move of the same slider is a step of its own

LeverKey = tuple[str, str, str]
"""What is moved: the kind, the step, segment, source or role it is of, and for rates and hires the one segment."""


@dataclass(frozen=True)
class State:
    """A scenario to start from, and what was moved since."""

    start: Scenario = field(default_factory=Scenario)
    moves: tuple[tuple[LeverKey, float], ...] = ()
    """What was moved, sorted: a factor on rates or delays, else the value in the plan file's unit."""

    @cached_property
    def moved(self) -> Mapping[LeverKey, float]:
        """What was moved, by key."""
        return dict(self.moves)

    def without(self, key: LeverKey) -> State:
        """The state as if `key` had never been moved."""
        return replace(self, moves=tuple(move for move in self.moves if move[0] != key))

    def with_moved(self, key: LeverKey, setting: float) -> State:
        """The state with `key` moved to `setting`."""
        return replace(self, moves=tuple(sorted([*self.without(key).moves, (key, setting)])))


LeverStep = tuple[LeverKey, int]
"""One movement of a slider, however many values it passes on its way: the slider, and a count."""


@dataclass(frozen=True)
class Gesture:
    """The last movement of a slider: a drag, or a key held down."""

    key: LeverKey | None = None
    number: int = 0
    ended: float = 0.0
    """When it was last answered. [seconds]"""

    @property
    def step(self) -> LeverStep | None:
        """What its moves have in common."""
        return None if self.key is None else (self.key, self.number)

    def of(self, key: LeverKey, now: float) -> Gesture:
        """The gesture that a move of the slider of `key` belongs to: this one, unless there was a pause."""
        return self if key == self.key and now - self.ended < PAUSE else Gesture(key, self.number + 1, now)


@dataclass(frozen=True)
class StateHistory:
    """The state and the states before and after it; one movement of a slider is one step."""

    now: State = field(default_factory=State)
    past: tuple[State, ...] = ()
    future: tuple[State, ...] = ()
    last: LeverStep | None = None

    def then(self, state: State, step: LeverStep | None = None) -> StateHistory:
        """The history after a move to `state`, as a part of the movement `step` or by itself."""
        if _alike(state, self.now):
            return self
        if step is None or step != self.last or not self.past:
            return StateHistory(state, (*self.past, self.now)[-MOST_PAST:], (), step)
        if _alike(state, self.past[-1]):  # the slider is back where it began: there is nothing to undo
            return StateHistory(self.past[-1], self.past[:-1])
        return replace(self, now=state, future=())

    def undone(self) -> StateHistory:
        """One step back, if there is one."""
        if not self.past:
            return self
        return StateHistory(self.past[-1], self.past[:-1], (self.now, *self.future))

    def redone(self) -> StateHistory:
        """One step forward again, if there is one."""
        if not self.future:
            return self
        return StateHistory(self.future[0], (*self.past, self.now), self.future[1:])


def _alike(one: State, other: State) -> bool:
    """Whether two states are one, in what their scenarios say as well as in what they come to."""
    said = (each.start.uncertainty.model_fields_set for each in (one, other))
    return one == other and next(said) == next(said)


def scenario_of(plan: Plan, state: State) -> Scenario:
    """The changes of `plan` that a state stands for."""
    start, moved = state.start, state.moved
    kinds = {kind for kind, _, _ in moved}
    update: dict[str, object] = {}
    if kinds & {RATE, LAG}:
        update["changes"] = tuple(_changes(plan, moved_transitions(plan, state)))
    if ACV in kinds:
        acv = {segment: Acv(mean=value) for (kind, segment, _), value in moved.items() if kind == ACV}
        update["acv"] = FrozenDict({**start.acv, **acv})
    if VOLUME in kinds:
        update["volume"] = _volume(plan, state)
    if GOAL in kinds:
        update["goal"] = start.goal.model_copy(update={"new_arr": moved[GOAL, "", ""], "closing_arr": None})
    if CONFIDENCE in kinds:
        update["confidence"] = moved[CONFIDENCE, "", ""]
    if kinds & set(UNCERTAIN):
        strays = {name: moved[name, "", ""] for name in UNCERTAIN if name in kinds}
        update["uncertainty"] = start.uncertainty.model_copy(update=strays)
    if kinds & OF_PEOPLE and plan.capacity is not None:
        update["capacity"] = _people(plan, plan.capacity, state)
    return start.model_copy(update=update)


def _people(plan: Plan, capacity: Capacity, state: State) -> CapacityChange:
    """What a state changes about the people: hires are written out whole once one of them is moved."""
    begun = state.start.capacity
    written = {} if begun is None else {name: getattr(begun, name) for name in begun.model_fields_set}
    moved = {key: value for key, value in state.moves if key[0] in (HIRES, START)}
    if moved:
        hires = (capacity if begun is None else changed_capacity(capacity, begun)).hires
        written = {key: value for key, value in written.items() if key not in ("more_hires", "start_months")}
        written["hires"] = moved_hires(plan, hires, moved)
    leaving = {key[1]: value for key, value in state.moves if key[0] == ATTRITION}
    if leaving:
        before = written.get(ATTRITION)
        stated = (
            dict(before)
            if isinstance(before, Mapping)
            else dict.fromkeys(capacity.roles if before is not None else (), before)
        )
        written[ATTRITION] = stated | leaving
    for name in (RAMP, PRODUCTIVITY):
        if (name, "", "") in state.moved:
            written[name] = _short(min((written.get(name) or 1.0) * state.moved[name, "", ""], MOST_TIMES))
    return CapacityChange.model_validate(written)


def hires_of(hires: Iterable[Hire], role: str, segment: str) -> list[Hire]:
    """The hires of a role in one segment, or in none in particular; who starts first comes first."""
    mine = [each for each in hires if each.role == role and (each.segment or "") == segment]
    return sorted(mine, key=lambda each: each.first_day)


def first_start(plan: Plan, role: str, segment: str) -> pd.Period:
    """The first whole month that somebody whose position is opened on the plan date can start in."""
    hire = Hire(role=role, segment=segment or None, start=plan.plan_date)
    days = lead_days(plan.capacity.roles[role], hire) if plan.capacity else 0.0
    return month_of(plan.plan_date + timedelta(days=round(days))) + 1


def moved_hires(plan: Plan, hires: tuple[Hire, ...], moved: Mapping[LeverKey, float]) -> tuple[Hire, ...]:
    """`hires` as many as was set for their role and segment, the first of them starting in the month that was set."""
    kept = list(hires)
    for role, segment in dict.fromkeys(key[1:] for key in moved):
        mine = hires_of(kept, role, segment)
        kept = [each for each in kept if each not in mine]
        wanted, month = moved.get((HIRES, role, segment)), moved.get((START, role, segment))
        if wanted is not None:
            mine = _as_many(mine, round(wanted), plan, (role, segment))
        if month is not None and mine:
            later = round(month) - (month_of(mine[0].first_day) - plan.first_month).n
            mine = (
                [each.model_copy(update={"start": _later(each.first_day, later)}) for each in mine] if later else mine
            )
        kept += mine
    return tuple(kept)


def _as_many(hires: list[Hire], wanted: int, plan: Plan, place: tuple[str, str]) -> list[Hire]:
    """The first `wanted` of some hires; more of them start with the last, or as soon as can be where there is none."""
    found, missing = [], wanted
    for each in hires:
        if missing > 0:
            found.append(each.model_copy(update={"count": min(each.count, missing)}))
            missing -= found[-1].count
    if missing > 0 and found:
        found[-1] = found[-1].model_copy(update={"count": found[-1].count + missing})
    elif missing > 0:
        role, segment = place
        found = [Hire(role=role, segment=segment or None, start=str(first_start(plan, role, segment)), count=missing)]
    return found


def _later(day: date, months: int) -> date | str:
    """The same day of a later month, or its last one where it is shorter; the month alone for its first day."""
    month = month_of(day) + months
    return str(month) if day.day == 1 else date(month.year, month.month, min(day.day, month.days_in_month))


def _volume(plan: Plan, state: State) -> float | FrozenDict[float]:
    volumes = {source: state.moved.get((VOLUME, source, ""), state.start.volume_of(source)) for source in plan.sources}
    alike = set(volumes.values())
    return alike.pop() if len(alike) == 1 else FrozenDict({name: each for name, each in volumes.items() if each != 1})


def moved_transitions(plan: Plan, state: State) -> tuple[Transition, ...]:
    """The transitions of `plan` in the state's scenario."""
    begun = varied(plan, "", state.start)
    found = {each.key: each for each in begun.transitions}
    for (kind, step, segment), factor in state.moves:
        if kind == RATE and segment:
            found |= {each.key: each for each in _of_segment(begun, step, segment, factor)}
    return tuple(_scaled(each, state) for each in found.values())


def step_name(pair: tuple[str, str]) -> str:
    """The name of a step in a key; no stage id holds a blank."""
    return " ".join(pair)


def _of_segment(plan: Plan, step: str, segment: str, factor: float) -> Iterator[Transition]:
    """The transitions of a step for one segment, its own even where the plan has one for all."""
    pair = next(pair for pair in pairwise(plan.stage_ids) if step_name(pair) == step)
    for name, source in cells_through(plan, pair):
        used = plan.transition(pair, name, source)
        if name == segment and used is not None:
            yield used.model_copy(update={"segment": segment, "rate": _short(min(used.rate * factor, 1.0))})


def _scaled(transition: Transition, state: State) -> Transition:
    step = step_name((transition.from_stage, transition.to_stage))
    rate = state.moved.get((RATE, step, ""), 1.0)
    longer = state.moved.get((LAG, step, ""), 1.0) * state.moved.get((LAG, "", ""), 1.0)
    update: dict[str, object] = {}
    if rate != 1:
        update["rate"] = _short(min(transition.rate * rate, 1.0))
    if longer != 1 and transition.lag != INSTANT:
        update["lag"] = _written(transition.lag.stretched(longer))
    return transition.model_copy(update=update) if update else transition


def _written(lag: Lag) -> Lag:
    """The delay with as many digits as a person would write."""
    if lag.median_days is None or lag.p90_days is None:
        return Lag(weights=tuple(round(share, WEIGHT_DIGITS) for share in lag.shift))
    return Lag(median_days=_short(lag.median_days), p90_days=_short(lag.p90_days))


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def _changes(plan: Plan, transitions: tuple[Transition, ...]) -> Iterator[TransitionChange]:
    """What makes the plan's transitions into `transitions`."""
    stated = {each.key: each for each in plan.transitions}
    for each in transitions:
        before = stated.get(each.key)
        names = ("rate", "evidence", "lag")
        written = {name: getattr(each, name) for name in names if getattr(each, name) != getattr(before, name, None)}
        if written:
            place = dict(zip(("from", "to", "segment", "source"), each.key, strict=True))
            kept = {key: value for key, value in (place | written).items() if value is not None}
            yield TransitionChange.model_validate(kept)
