"""What differs between two plans: their values compared, not their text, and each change applied alone.

What changed between two plans, in a reader's words.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from revplan.ground.errors import shown
from revplan.ground.lag import Lag
from revplan.ground.values import FrozenDict, Value
from revplan.plan.checks import consistency
from revplan.plan.goal import LEVELS
from revplan.plan.goal import ArrChange as Term
from revplan.plan.model import Plan
from revplan.plan.parts import Acv, Assumption, Scenario, Transition
from revplan.plan.stages import titles_of
from revplan.workbook.words import key_words, step_words, value_words

NodePlace = tuple[Any, ...]

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

    place: NodePlace
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
    steps: dict[Any, Any] = {each.key: each for each in plan.transitions}
    return FrozenDict({**parts, "transitions": FrozenDict(steps)})


def _differing(a: Any, b: Any, place: NodePlace) -> Iterator[Leaf]:
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


def _placed(node: Any, place: NodePlace, value: Any) -> Any:
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
            parts = ([set(getattr(plan, name)) for name in ("segments", "sources")] for plan in (self.a, self.b))
            return f"{SHARES} of {place[0]}" if next(parts) == next(parts) else SHARES
        if place[0] == "goal" and leaf.field in TERMS and self._other_unknown:
            return "goal"
        return repr(place[:2] if place[:2] == PHASING else place)

    @property
    def other_stages(self) -> bool:
        """Whether the plans have different stages."""
        return self.a.stage_ids != self.b.stage_ids

    @property
    def _other_unknown(self) -> bool:
        """Whether the goals leave different terms to be solved, or none."""
        mine, theirs = (
            {name for name in TERMS if getattr(plan.goal, name) in (None, "solve")} for plan in (self.a, self.b)
        )
        return mine != theirs or not mine

    def _is_mix(self, leaf: Leaf) -> bool:
        """Whether a share or a part itself differs, or a transition speaks of a part that only one of the plans has."""
        if leaf.place[0] == "transitions":
            *_, segment, source = leaf.place[1]
            named = ((segment, self.a.segments, self.b.segments), (source, self.a.sources, self.b.sources))
            return any(name is not None and (name in mine) != (name in theirs) for name, mine, theirs in named)
        is_part = leaf.place[0] in {"segments", "sources"}
        return is_part and (leaf.field == "share" or leaf.is_added or leaf.is_removed)


PARTS = {"segments": "segment", "sources": "source", "scenarios": "scenario"}
LONGEST, MOST = 80, 8  # characters of a value, and differences on a line


@dataclass(frozen=True)
class PlanNames:
    """How a reader calls the stages of both plans, and their money."""

    titles: Mapping[str, str]
    currency: str

    @classmethod
    def of(cls, a: Plan, b: Plan) -> PlanNames:
        """The names of two plans; the earlier one's count."""
        return cls(titles_of((*b.stages, *a.stages)), a.currency)

    def value(self, key: str, value: Any) -> str:
        """A value as a reader writes it, cut where it is long."""
        worded = self.titles.get(value, value) if key in {"enters", "stage"} else value
        text = value_words(key, worded, self.currency)
        return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def leaves_words(leaves: Sequence[Leaf], names: PlanNames) -> str:
    """Several differences that go together, on one line."""
    if leaves and all(leaf.field == "share" for leaf in leaves):
        named = [f"{shown(leaf.place[1])} {_both(leaf, names)}" for leaf in leaves]
        return f"shares of new ARR by {PARTS[leaves[0].place[0]]}: {_cut(named, ', ')}"
    return _cut([leaf_words(leaf, names) for leaf in leaves], "; ")


def leaf_words(leaf: Leaf, names: PlanNames) -> str:
    """One difference: its subject, before and after; stages and money by their `names`."""
    head, *rest = leaf.place
    if head == "transitions":
        return _transition(leaf, names)
    if head in PARTS and len(rest) == 1:
        return f"{PARTS[head]} {shown(rest[0])} {_whole(leaf, names)}"
    if head == "assumptions":
        then, now = ({each.about: each for each in log} for log in (leaf.before, leaf.after))
        changed = [shown(about) for about in {**then, **now} if then.get(about) != now.get(about)]
        return f"assumption log: {_cut(changed) or 'another order'}"
    if head == "stages":
        orders = (" - ".join(stage.title for stage in stages) for stages in (leaf.before, leaf.after))
        return "stages " + " to ".join(dict.fromkeys(orders))
    keys = [f"{shown(rest[0])},", *rest[1:]] if head in PARTS else rest or [head]
    subject = " ".join(key_words(key) for key in keys)
    return f"{'commit ' if leaf.place == ('commit', 'stage') else ''}{subject} {_both(leaf, names)}"


def _whole(leaf: Leaf, names: PlanNames) -> str:
    if leaf.is_added:
        return f"added ({names.value('', leaf.after)})"
    return "removed" if leaf.is_removed else "changed"


def _both(leaf: Leaf, names: PlanNames) -> str:
    """Before and after, told apart: two values that read alike are written out."""
    key = leaf.field or str(leaf.place[-1])
    before, after = (names.value(key, each) for each in (leaf.before, leaf.after))
    if before == after and isinstance(leaf.before, float) and isinstance(leaf.after, float):
        return " to ".join(f"{Decimal(f'{each:.12g}'):,f}" for each in (leaf.before, leaf.after))
    return "changed" if before == after or key == "basis" else f"{before} to {after}"


def _transition(leaf: Leaf, names: PlanNames) -> str:
    step = step_words(names.titles, *leaf.place[1])
    if leaf.is_added or leaf.is_removed:
        return f"{step}: {_whole(leaf, names)}"
    fields = ("rate", "lag", "evidence", "basis")
    pairs = [Leaf((name,), getattr(leaf.before, name), getattr(leaf.after, name)) for name in fields]
    told = [f"{key_words(each.place[0])} {_both(each, names)}" for each in pairs if each.before != each.after]
    return f"{step}: {', '.join(told)}"


def _cut(parts: Sequence[str], between: str = ", ") -> str:
    """The first of `parts`, and how many more there are."""
    more = [f"and {len(parts) - MOST} more"] if len(parts) > MOST else []
    return between.join([*parts[:MOST], *more])


def files_words(before: dict[str, str], after: dict[str, str]) -> str:
    """The input files that differ, by their names; empty where none does."""
    names = sorted(name for name in {**before, **after} if before.get(name) != after.get(name))
    states = {
        name: "changed" if name in before and name in after else "new" if name in after else "gone" for name in names
    }
    return _cut([f"{shown(name)} {state}" for name, state in states.items()])
