"""What changed between two plans, in a reader's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from revplan.errors import shown
from revplan.plan.model import Plan, Transition
from revplan.plan.words import key_words, value_words
from revplan.record.changes import Key, Leaf

PARTS = {"segments": "segment", "sources": "source", "scenarios": "scenario"}
LONGEST = 80


def leaves_words(leaves: Sequence[Leaf], plan: Plan) -> str:
    """Several differences that go together, on one line."""
    if leaves and all(leaf.field == "share" for leaf in leaves):
        named = (f"{shown(leaf.place[1])} {_both(leaf, plan)}" for leaf in leaves)
        return f"shares of new ARR by {PARTS[leaves[0].place[0]]}: {', '.join(named)}"
    return "; ".join(leaf_words(leaf, plan) for leaf in leaves)


def leaf_words(leaf: Leaf, plan: Plan) -> str:
    """One difference: its subject, before and after; stages are called as `plan` calls them."""
    head, *rest = leaf.place
    if head == "transitions":
        return _transition(leaf, plan)
    if head in PARTS and len(rest) == 1:
        return f"{PARTS[head]} {shown(rest[0])} {_whole(leaf, plan)}"
    if head == "assumptions":
        return f"assumption log: {_logged(leaf)}"
    if head == "stages":
        orders = (" - ".join(stage.title for stage in stages) for stages in (leaf.before, leaf.after))
        return "stages " + " to ".join(dict.fromkeys(orders))
    names = [shown(rest[0]) + ",", *rest[1:]] if head in PARTS else rest or [head]
    subject = " ".join(key_words(name) for name in names)
    return f"{'commit ' if leaf.place == ('commit', 'stage') else ''}{subject} {_both(leaf, plan)}"


def _whole(leaf: Leaf, plan: Plan) -> str:
    if leaf.is_added:
        return f"added ({_short(value_words('', leaf.after, plan.currency))})"
    return "removed" if leaf.is_removed else "changed"


def _both(leaf: Leaf, plan: Plan) -> str:
    """Before and after, told apart: two values that read alike are written out."""
    key = leaf.field or str(leaf.place[-1])
    before, after = (
        _short(value_words(key, _titled(key, each, plan), plan.currency)) for each in (leaf.before, leaf.after)
    )
    if before == after and isinstance(leaf.before, float) and isinstance(leaf.after, float):
        return f"{leaf.before:.12g} to {leaf.after:.12g}"
    return "changed" if before == after or key == "basis" else f"{before} to {after}"


def _titled(key: str, value: Any, plan: Plan) -> Any:
    titles = {stage.id: stage.title for stage in plan.stages}
    return titles.get(value, value) if key in {"enters", "stage"} else value


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def step_words(key: Key, plan: Plan) -> str:
    """A step and where it holds: SQO to Won, mid."""
    titles = {stage.id: stage.title for stage in plan.stages}
    step = " to ".join(titles.get(str(name), str(name)) for name in key[:2])
    cell = " x ".join(shown(name) for name in key[2:] if name is not None)
    return f"{step}, {cell}" if cell else step


def _transition(leaf: Leaf, plan: Plan) -> str:
    step = step_words(leaf.place[1], plan)
    if leaf.is_added or leaf.is_removed:
        return f"{step}: {_whole(leaf, plan)}"
    return f"{step}: {', '.join(_fields(leaf.before, leaf.after, plan))}"


def _fields(before: Transition, after: Transition, plan: Plan) -> Iterator[str]:
    for name in ("rate", "lag", "evidence", "basis"):
        pair = getattr(before, name), getattr(after, name)
        if pair[0] != pair[1]:
            yield f"{key_words(name)} {_both(Leaf((name,), *pair), plan)}"


def _logged(leaf: Leaf) -> str:
    """The places whose line of the log differs."""
    lines = [{each.about: each for each in log} for log in (leaf.before, leaf.after)]
    changed = [about for about in {**lines[0], **lines[1]} if lines[0].get(about) != lines[1].get(about)]
    return _listed(changed) or "another order"


def _listed(names: Iterable[str], most: int = 5) -> str:
    listed = [shown(name) for name in names]
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def files_words(before: dict[str, str], after: dict[str, str]) -> str:
    """The input files that differ, by their names; empty where none does."""
    names = sorted(name for name in {**before, **after} if before.get(name) != after.get(name))
    states = {
        name: "changed" if name in before and name in after else "new" if name in after else "gone" for name in names
    }
    return _listed(f"{name} {state}" for name, state in states.items())
