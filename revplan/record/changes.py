"""What differs between two plans: their values compared, not their text, and each change applied alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from revplan.lag import Lag
from revplan.plan.assumption import Assumption
from revplan.plan.bridge import LEVELS
from revplan.plan.checks import consistency
from revplan.plan.goal import Change as Term
from revplan.plan.goal import Goal
from revplan.plan.model import Acv, Plan, Scenario, Transition
from revplan.values import FrozenDict, Value

Key = tuple[str | None, ...]
Place = tuple[Any, ...]

LEAVES = (Acv, Assumption, Lag, Scenario, Term, Transition)
"""Values that change as a whole."""

WORDS_ONLY = {"name", "actuals", "assumptions", "scenarios", "history"}
"""Parts of the plan that no number of it follows from; what lies in the files they name is looked at apart."""

STAGES, TIME, SHARES = "stages", "time", "shares"
PHASING = ("goal", "phasing")
POINTERS = {"enters", "stage"}  # keys that name a stage
TERMS = {*LEVELS, "expansion", "contraction", "churn"}


class Absent:
    """Stands for what one of the plans does not have."""


ABSENT = Absent()


@dataclass(frozen=True, eq=False)
class Leaf:
    """One value that differs."""

    place: Place
    before: Any
    after: Any

    @property
    def is_words(self) -> bool:
        """Whether no number follows from it."""
        if self.place == ("stages",):
            return [each.id for each in self.before] == [each.id for each in self.after]
        if self.place[0] == "transitions" and not self.is_added and not self.is_removed:
            return bool(self.before.model_copy(update={"basis": self.after.basis}) == self.after)
        return self.place[0] in WORDS_ONLY or self.field in {"basis", "owner"}

    @property
    def field(self) -> str:
        """The key of a goal's, a commit's, a segment's or a source's value; empty where a whole part differs."""
        depth = 3 if self.place[0] in {"segments", "sources"} else 2
        return str(self.place[-1]) if len(self.place) >= depth and self.place[0] != "transitions" else ""

    @property
    def is_added(self) -> bool:
        """Whether only the later plan has it."""
        return self.before is ABSENT

    @property
    def is_removed(self) -> bool:
        """Whether only the earlier plan has it."""
        return self.after is ABSENT


def leaves(a: Plan, b: Plan) -> list[Leaf]:
    """Every value that differs between two plans, in the order of the plan file."""
    return list(_differing(_keyed(a), _keyed(b), ()))


def applied(plan: Plan, changes: list[Leaf]) -> Plan:
    """`plan` with the later value at the place of each change; nothing is checked, since parts may contradict."""
    parts: FrozenDict[Any] = _keyed(plan)
    for leaf in changes:
        parts = _placed(parts, leaf.place, leaf.after)
    return plan.model_copy(update={**parts, "transitions": tuple(parts["transitions"].values())})


def can_stand(plan: Plan) -> bool:
    """Whether a plan made by `applied` holds together, every step of every cell with a rate.

    Its scenarios and its assumption log may speak of what is gone: no number follows from them.
    """
    bare = plan.model_copy(update={"history": None, "scenarios": FrozenDict(), "assumptions": ()})
    return not consistency(bare)


def _keyed(plan: Plan) -> FrozenDict[Any]:
    """The parts of a plan by their keys, transitions by what they are about."""
    parts: dict[str, Any] = {name: getattr(plan, name) for name in type(plan).model_fields}
    steps: dict[Any, Any] = {
        (each.from_stage, each.to_stage, each.segment, each.source): each for each in plan.transitions
    }
    return FrozenDict({**parts, "transitions": FrozenDict(steps)})


def _differing(a: Any, b: Any, place: Place) -> Iterator[Leaf]:
    if a == b:
        return
    pairs = None if len(place) == 3 and place[-1] == "share" else _pairs(a, b)
    if pairs is None:
        yield Leaf(place, a, b)
        return
    for key, (before, after) in pairs.items():
        yield from _differing(before, after, (*place, key))


def _pairs(a: Any, b: Any) -> Mapping[Any, tuple[Any, Any]] | None:
    """What lies in two values side by side; None where they change as a whole."""
    if isinstance(a, Value) and type(a) is type(b) and not isinstance(a, LEAVES):
        return {name: (getattr(a, name), getattr(b, name)) for name in type(a).model_fields}
    if isinstance(a, FrozenDict) and isinstance(b, FrozenDict):
        return {key: (a.get(key, ABSENT), b.get(key, ABSENT)) for key in (*a, *(key for key in b if key not in a))}
    return None


def _placed(node: Any, place: Place, value: Any) -> Any:
    """`node` with `value` where `place` leads."""
    key, *rest = place
    if isinstance(node, Value):
        return node.model_copy(update={key: _placed(getattr(node, key), tuple(rest), value) if rest else value})
    if not rest and value is ABSENT:
        return FrozenDict({name: each for name, each in node.items() if name != key})
    return FrozenDict({**node, key: _placed(node[key], tuple(rest), value) if rest else value})


@dataclass(frozen=True)
class Together:
    """Which differences between two plans only make sense together."""

    a: Plan
    b: Plan

    def group(self, leaf: Leaf) -> str:
        """The group that `leaf` belongs to; its own place if it stands alone.

        Shares must sum to 1, a goal must agree with itself, the plan date goes with its year, and
        where the stages are others, so are their steps.
        """
        place = leaf.place
        if leaf.is_words:
            return repr(place)
        if self.other_stages and (place[0] in {"stages", "transitions", "year", "plan_date"} or leaf.field in POINTERS):
            return STAGES
        if place[0] in {"year", "plan_date"}:
            return TIME
        if self._is_mix(leaf):
            return SHARES if self._other_parts else f"{SHARES} of {place[0]}"
        if place[0] == "goal" and leaf.field in TERMS and self._other_unknown:
            return "goal"
        return repr(place[:2] if place[:2] == PHASING else place)

    @property
    def other_stages(self) -> bool:
        """Whether the plans have different stages."""
        return self.a.stage_ids != self.b.stage_ids

    @property
    def _other_parts(self) -> bool:
        return any(set(getattr(self.a, name)) != set(getattr(self.b, name)) for name in ("segments", "sources"))

    @property
    def _other_unknown(self) -> bool:
        """Whether the goals leave different terms to be solved, or none."""
        unknown = [_unknown(plan.goal) for plan in (self.a, self.b)]
        return unknown[0] != unknown[1] or not unknown[0]

    def _is_mix(self, leaf: Leaf) -> bool:
        if leaf.place[0] == "transitions":
            return self._names_other_part(leaf.place[1])
        is_part = leaf.place[0] in {"segments", "sources"}
        return is_part and (leaf.field == "share" or leaf.is_added or leaf.is_removed)

    def _names_other_part(self, key: Key) -> bool:
        """Whether a transition speaks of a segment or source that only one of the plans has."""
        named = ((key[2], self.a.segments, self.b.segments), (key[3], self.a.sources, self.b.sources))
        return any(name is not None and (name in mine) != (name in theirs) for name, mine, theirs in named)


def _unknown(goal: Goal) -> set[str]:
    return {name for name in TERMS if getattr(goal, name) in (None, "solve")}
