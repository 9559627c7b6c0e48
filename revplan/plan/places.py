"""The places of a plan that something can be said about: keys with points between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise, product
from typing import TYPE_CHECKING

from revplan.values import Value

if TYPE_CHECKING:
    from revplan.plan.model import Plan

NO_PLACES = {"name", "stages", "transitions", "assumptions"}


def places(plan: Plan) -> dict[str, object]:
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
        found.update(_walked(transition_place(each.from_stage, each.to_stage, each.segment, each.source), each))
    return found


def transition_place(*names: str | None) -> str:
    """Place of the transition between two stages, of a segment and a source where they are given."""
    return ".".join(("transitions", *(name for name in names if name is not None)))


def _steps_of_records(plan: Plan) -> Iterator[str]:
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
