"""A scenario as a plan file: among the plan's own scenarios, or with its changes made; the rest stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import StringIO
from textwrap import indent
from typing import Any

from ruamel.yaml import YAML

from revplan.app.game import Game
from revplan.app.scenario_file import scenario_block
from revplan.errors import PlanError
from revplan.plan.bridge import LEVELS
from revplan.plan.edit import Edit, edited, plan_text
from revplan.plan.model import Plan, Scenario
from revplan.plan.scenario import varied
from revplan.report.provenance import fingerprint
from revplan.values import Value
from revplan.yamlfile import yaml_document

PLACE = ("from", "to", "segment", "source")


def with_scenario(game: Game, name: str, scenario: Scenario) -> str:
    """The plan file with the scenario among its `scenarios`, in place of one of that name.

    Raises
    ------
    PlanError
        If the file cannot be read any more, or not be changed in that place.
    """
    text, block = _text_as_opened(game), scenario_block(scenario)
    document = yaml_document(text.encode("utf-8"), game.path.name, PlanError)
    if "scenarios" in document.data or getattr(document.root, "flow_style", False):
        place = ("scenarios", name) if document.data.get("scenarios") else ("scenarios",)
        return edited(text, [(place, block if len(place) > 1 else {name: block})], game.path.name)
    yaml, stream = YAML(), StringIO()
    yaml.width = 10_000
    yaml.dump({name: block}, stream)
    return f"{text.rstrip()}\n\nscenarios:\n{indent(stream.getvalue(), '  ')}"


def as_plan(game: Game, name: str, scenario: Scenario) -> str:
    """The plan file with the scenario's changes made and named as their basis, under the scenario's name.

    Volumes are left out: a plan's entries are what is solved for.

    Raises
    ------
    PlanError
        If the file cannot be read any more, or not be changed in some place.
    """
    text, plan = _text_as_opened(game), varied(game.plan, name, scenario)
    data = yaml_document(text.encode("utf-8"), game.path.name, PlanError).data
    basis = f"scenario {name}"
    edits = [
        (("name",), plan.name),
        *_goal_edits(plan, scenario),
        *_transition_edits(data, game.plan, plan, basis),
        *((("segments", key), data["segments"][key] | _deal(plan, key, basis)) for key in scenario.acv),
    ]
    strays = scenario.uncertainty.model_dump(exclude_unset=True)
    if strays:
        edits.append((("uncertainty",), (data.get("uncertainty") or {}) | strays))
    if scenario.confidence is not None:
        edits.append((("commit",), (data.get("commit") or {}) | {"confidence": scenario.confidence}))
    return edited(text, edits, game.path.name)


def _text_as_opened(game: Game) -> str:
    """The plan file, if it is the one whose figures are shown."""
    text = plan_text(game.path)
    if fingerprint([game.path]) != game.fingerprint:
        raise PlanError.at(game.path.name, "was changed since it was opened here; load the page again")
    return text


def _goal_edits(plan: Plan, scenario: Scenario) -> Iterator[Edit]:
    """The terms that changed; a level they contradict is emptied."""
    terms = scenario.goal.model_dump(exclude_none=True)
    for key in terms:
        value = getattr(plan.goal, key)
        yield ("goal", key), _plain(value) if isinstance(value, Value) else value
    for level in LEVELS if terms else ():
        if getattr(plan.goal, level) is None:
            yield ("goal", level), None


def _transition_edits(data: Mapping[str, Any], base: Plan, plan: Plan, basis: str) -> Iterator[Edit]:
    """Changed lines, those that follow a wider change among them, and new ones for what has none.

    A step that the file leaves to the records is written out whole: what a plan states of a step
    stands for all of it.
    """
    listed = data.get("transitions") or []
    lines = {tuple(line.get(key) for key in PLACE): index for index, line in enumerate(listed)}
    stated = {place[:2] for place in lines}
    before = set(base.transitions)
    changed = {
        (each.from_stage, each.to_stage, each.segment, each.source) for each in plan.transitions if each not in before
    }
    steps, added = {place[:2] for place in changed}, []
    for each in plan.transitions:
        place = (each.from_stage, each.to_stage, each.segment, each.source)
        new = _plain(each) | ({"basis": basis} if place in changed else {})
        if place in lines and place in changed:
            yield ("transitions", lines[place]), new
        elif place in changed or (place[:2] in steps and place[:2] not in stated):
            added.append(new)
    if added and not listed:
        yield ("transitions",), added
    else:
        yield from ((("transitions", len(listed) + number), new) for number, new in enumerate(added))


def _deal(plan: Plan, segment: str, basis: str) -> dict[str, Any]:
    return {"acv": _plain(plan.segments[segment].acv), "basis": basis}


def _plain(value: Value) -> dict[str, Any]:
    return value.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
