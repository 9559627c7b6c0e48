"""Two plans held against each other: every change with what it does alone, what all do together, and the rest."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from revplan.crm.inputs import frozen_inputs, input_files, named_outside
from revplan.funnel.funnel import YEAR
from revplan.funnel.tables import entries_by_stage, required_by_stage, spend_of_entries
from revplan.funnel.year import PlannedYear, plan_year
from revplan.ground.errors import PlanError, shown
from revplan.ground.escaping import clean
from revplan.ground.files import scratch_folder
from revplan.ground.formats import steady_order
from revplan.ground.lag import Lag
from revplan.ground.values import FrozenDict, Progress, Value
from revplan.plan.checks import consistency
from revplan.plan.goal import LEVELS
from revplan.plan.goal import ArrChange as Term
from revplan.plan.model import Plan
from revplan.plan.parts import Acv, Assumption, Scenario, Transition
from revplan.plan.stages import titles_of
from revplan.record.signed import Record, digest, drift, read_record
from revplan.simulation.simulate import simulate
from revplan.snapshot.state import snapshot_of
from revplan.workbook.signing import ToSign
from revplan.workbook.words import key_words, step_words, value_words
from revplan.workbook.workbook import Workbook, open_workbook

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


FIGURES = ("first", "commit", "budget", "arr", "signed")
NOTHING = 1e-9  # share of a figure below which it did not move

Figures = Mapping[str, float | None]
"""What a plan comes to: entries required at the first and at the commit stage, spend and ARR of the
year, entries to sign before they are rounded up; None where there is none."""


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two plans."""

    book: Workbook
    files: dict[str, str]
    """Input files by name, with the SHA-256 of each."""
    record: Record | None

    @property
    def plan(self) -> Plan:
        """The plan, with the rates of its records."""
        return self.book.plan


@dataclass(frozen=True, eq=False)
class Change:
    """What differs, in words, and what it does alone."""

    what: str
    leaves: tuple[Leaf, ...]
    takes_records: bool
    """Whether the later plan's records come with it."""
    effect: Figures | None = None
    """Later less earlier, by figure; None where it cannot stand alone."""

    @property
    def is_words(self) -> bool:
        """Whether no number follows from it."""
        return not self.takes_records and all(leaf.is_words for leaf in self.leaves)

    @property
    def does_nothing(self) -> bool:
        """Whether no figure moves."""
        return self.effect is not None and not any(self.effect.values())


@dataclass(frozen=True, eq=False)
class Difference:
    """Two plans compared. Figures are those of FIGURES."""

    a: Side
    b: Side
    before: Figures
    after: Figures
    changes: tuple[Change, ...]
    """The largest first; those that move nothing last."""
    error: float
    """Monte-Carlo error of an entry to sign for. [records]"""

    @property
    def together(self) -> Figures:
        """What all changes do together."""
        return difference(self.before, self.after)

    @property
    def interaction(self) -> Figures:
        """What is left of it when each change's own part is taken off."""
        alone = [change.effect for change in self.changes if change.effect is not None]
        parts = {name: [each[name] for each in alone] for name in FIGURES}
        return {
            name: None if total is None or None in parts[name] else total - sum(part or 0.0 for part in parts[name])
            for name, total in self.together.items()
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What is doubtful about either plan, and where a signed one computes otherwise today."""
        sides = (self.a, self.b)
        doubtful = [f"{side.plan.name}: {line}" for side in sides for line in side.book.doubts]
        moved = [line for side in sides if side.record is not None for line in drift(side.record, side.book)]
        return tuple(dict.fromkeys([*doubtful, *moved]))


def compare(a: str | Path, b: str | Path, progress: Progress | None = None) -> Difference:
    """What changed from plan `a` to plan `b`, each a plan file or a signed folder.

    Every change is applied to `a` alone and the year planned anew; so the parts do not depend on
    an order, and what they leave of the whole is named.

    Raises
    ------
    RevplanError
        If a plan, its files or a signed folder is at fault.
    PlanError
        If the two are in different currencies.
    """
    sides = []
    for done, path in enumerate((a, b)):
        if progress:
            progress(done, 2, f"reading {Path(path).name}")
        sides.append(_side(Path(path)))
    return between(sides[0], sides[1], progress)


def between(a: Side, b: Side, progress: Progress | None = None) -> Difference:
    """What changed from one computed plan to another.

    Raises
    ------
    PlanError
        If the two are in different currencies.
    """
    currencies = [side.plan.currency for side in (a, b)]
    if currencies[0] != currencies[1]:
        message = f"the plans are in {currencies[0]} and {currencies[1]}: money of two currencies is not compared"
        raise PlanError.at("currency", message)
    first, stage = a.plan.stage_ids[0], a.plan.commit_stage
    before, after = (figures(side.book.year, first, stage) for side in (a, b))
    changes = _effects(changes_of(a, b), (a, b), before, progress)
    error = a.book.simulation.signed.scale.standard_error * entries_by_stage(a.book.year)[stage]
    order = steady_order([-_size(each, before) for each in changes])
    return Difference(a, b, before, after, tuple(changes[number] for number in order), error)


def _side(path: Path) -> Side:
    """One of the two plans, computed from copies, so that the files it is told by are the ones it was read from."""
    record = read_record(path) if path.is_dir() else None
    with scratch_folder("revplan-") as scratch:
        folder = Path(scratch, "plan")
        copy = frozen_inputs(path if record is None else record.plan_path, folder)
        book = open_workbook(copy)
        elsewhere = named_outside(copy, folder)
        files = {
            str(each) if each in elsewhere else os.path.relpath(each, copy.parent).replace(os.sep, "/"): digest(each)
            for each in input_files(book.plan, copy.parent)
        }
    return Side(book, files, record)


def changes_of(a: Side, b: Side) -> list[Change]:
    """Every difference in the parts that can stand alone, in the order of the plan file."""
    together = Together(a.plan, b.plan)
    grouped: dict[str, list[Leaf]] = {}
    for leaf in leaves(a.plan, b.plan):
        grouped.setdefault(together.group(leaf), []).append(leaf)
    read = [
        side.book.records and (side.book.records.history.fingerprint, side.book.records.history.as_of)
        for side in (a, b)
    ]
    with_records = read[0] != read[1]
    if with_records:
        grouped.setdefault(STAGES if together.other_stages else TIME, [])
    files = files_words(a.files, b.files)
    made = []
    for name, found in grouped.items():
        takes = with_records and name == (STAGES if together.other_stages else TIME)
        words = [
            leaves_words(found, PlanNames.of(a.plan, b.plan)),
            f"records: {files or 'read to another day'}" if takes else "",
        ]
        made.append(Change("; ".join(filter(None, words)), tuple(found), takes))
    return made if with_records or not files else [*made, Change(f"files: {files}", (), False)]


def figures(year: PlannedYear, first: str, stage: str) -> Figures:
    """What a planned year comes to, its entries at the stages `first` and `stage`."""
    required = required_by_stage(year)
    asked = ToSign(simulate(year))
    signed = None if asked.scale is None or stage not in asked.expected else asked.scale * asked.expected[stage]
    return {
        "first": required.get(first),
        "commit": required.get(stage),
        "budget": spend_of_entries(year),
        "arr": float((year.commit_arr + year.coming)[:, :YEAR].sum()),
        "signed": signed,
    }


def _effects(
    changes: list[Change], sides: tuple[Side, Side], before: Figures, progress: Progress | None
) -> list[Change]:
    found = []
    for done, change in enumerate(changes):
        if progress:
            progress(done, len(changes), clean(change.what))
        effect = dict.fromkeys(FIGURES, 0.0) if change.is_words else _alone(change, sides, before)
        found.append(replace(change, effect=effect))
    return found


def _alone(change: Change, sides: tuple[Side, Side], before: Figures) -> Figures | None:
    a, b = sides
    plan = applied(a.plan, list(change.leaves))
    if not can_stand(plan):
        return None
    records = b.book.records if change.takes_records else a.book.records
    year = plan_year(plan, snapshot_of(plan, records))
    return difference(before, figures(year, a.plan.stage_ids[0], a.plan.commit_stage))


def difference(before: Figures, after: Figures) -> Figures:
    """Later less earlier, by figure; what is less than a billionth of either is nothing."""
    found: dict[str, float | None] = {}
    for name in FIGURES:
        then, now = before[name], after[name]
        if then is None or now is None:
            found[name] = 0.0 if now is then else None
        else:
            found[name] = now - then if abs(now - then) > NOTHING * max(abs(now), abs(then)) else 0.0
    return found


def _size(change: Change, before: Figures) -> float:
    """The largest move of any figure, as a share of it; what cannot stand alone comes first."""
    if change.effect is None:
        return math.inf
    moves = [(move, before[name]) for name, move in change.effect.items()]
    return max(math.inf if move is None else abs(move) / (abs(was or 0.0) or abs(move) or 1.0) for move, was in moves)
