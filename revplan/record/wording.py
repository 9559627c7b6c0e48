"""What changed between two plans, in a reader's words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from revplan.errors import shown
from revplan.plan.model import Plan, Transition
from revplan.plan.stages import titles_of
from revplan.plan.words import key_words, step_words, value_words
from revplan.record.changes import Leaf

PARTS = {"segments": "segment", "sources": "source", "scenarios": "scenario"}
LONGEST, MOST = 80, 8  # characters of a value, and differences on a line


@dataclass(frozen=True)
class Names:
    """How a reader calls the stages of both plans, and their money."""

    titles: Mapping[str, str]
    currency: str

    @classmethod
    def of(cls, a: Plan, b: Plan) -> Names:
        """The names of two plans; the earlier one's count."""
        return cls(titles_of((*b.stages, *a.stages)), a.currency)

    def value(self, key: str, value: Any) -> str:
        """A value as a reader writes it, cut where it is long."""
        worded = self.titles.get(value, value) if key in {"enters", "stage"} else value
        text = value_words(key, worded, self.currency)
        return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def leaves_words(leaves: Sequence[Leaf], names: Names) -> str:
    """Several differences that go together, on one line."""
    if leaves and all(leaf.field == "share" for leaf in leaves):
        named = [f"{shown(leaf.place[1])} {_both(leaf, names)}" for leaf in leaves]
        return f"shares of new ARR by {PARTS[leaves[0].place[0]]}: {_cut(named, ', ')}"
    return _cut([leaf_words(leaf, names) for leaf in leaves], "; ")


def leaf_words(leaf: Leaf, names: Names) -> str:
    """One difference: its subject, before and after; stages and money by their `names`."""
    head, *rest = leaf.place
    if head == "transitions":
        return _transition(leaf, names)
    if head in PARTS and len(rest) == 1:
        return f"{PARTS[head]} {shown(rest[0])} {_whole(leaf, names)}"
    if head == "assumptions":
        return f"assumption log: {_logged(leaf)}"
    if head == "stages":
        orders = (" - ".join(stage.title for stage in stages) for stages in (leaf.before, leaf.after))
        return "stages " + " to ".join(dict.fromkeys(orders))
    keys = [f"{shown(rest[0])},", *rest[1:]] if head in PARTS else rest or [head]
    subject = " ".join(key_words(key) for key in keys)
    return f"{'commit ' if leaf.place == ('commit', 'stage') else ''}{subject} {_both(leaf, names)}"


def _whole(leaf: Leaf, names: Names) -> str:
    if leaf.is_added:
        return f"added ({names.value('', leaf.after)})"
    return "removed" if leaf.is_removed else "changed"


def _both(leaf: Leaf, names: Names) -> str:
    """Before and after, told apart: two values that read alike are written out."""
    key = leaf.field or str(leaf.place[-1])
    before, after = (names.value(key, each) for each in (leaf.before, leaf.after))
    if before == after and isinstance(leaf.before, float) and isinstance(leaf.after, float):
        return " to ".join(f"{Decimal(f'{each:.12g}'):,f}" for each in (leaf.before, leaf.after))
    return "changed" if before == after or key == "basis" else f"{before} to {after}"


def _transition(leaf: Leaf, names: Names) -> str:
    step = step_words(names.titles, *leaf.place[1])
    if leaf.is_added or leaf.is_removed:
        return f"{step}: {_whole(leaf, names)}"
    return f"{step}: {', '.join(_fields(leaf.before, leaf.after, names))}"


def _fields(before: Transition, after: Transition, names: Names) -> Iterator[str]:
    for name in ("rate", "lag", "evidence", "basis"):
        pair = getattr(before, name), getattr(after, name)
        if pair[0] != pair[1]:
            yield f"{key_words(name)} {_both(Leaf((name,), *pair), names)}"


def _logged(leaf: Leaf) -> str:
    """The places whose line of the log differs."""
    lines = [{each.about: each for each in log} for log in (leaf.before, leaf.after)]
    changed = [about for about in {**lines[0], **lines[1]} if lines[0].get(about) != lines[1].get(about)]
    return _cut([shown(about) for about in changed]) or "another order"


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
