"""Scenarios in files: written beside the plan, read back with every doubt in words.

A file holds what stands under a name in a plan file's `scenarios`, and three lines before it: the
version of this form, the plan it belongs to, and the fingerprint of the plan file it was made with.

A scenario as a plan file: among the plan's own scenarios, or with its changes made; the rest stays as it is.

A scenario to take away: links that hold the files themselves, so that no server is asked for them.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import indent
from typing import Any
from unicodedata import category, normalize

from revplan.app.game import Game
from revplan.crm.planfile import scenario_in
from revplan.exhibits.provenance import fingerprint
from revplan.ground.errors import Fault, PlanError, shown
from revplan.ground.escaping import escape
from revplan.ground.files import told_of
from revplan.ground.values import Value
from revplan.ground.written import check_folder, written
from revplan.ground.yamledit import Edit, edited, plan_text
from revplan.ground.yamlfile import Document, as_yaml, on_one_line, yaml_document
from revplan.plan.goal import LEVELS
from revplan.plan.model import Plan
from revplan.plan.parts import Scenario
from revplan.plan.scenario import varied

SCHEMA = 1
HEADER = ("schema", "plan", "fingerprint")
FOLDER = "scenarios"
LONGEST = 40  # characters of a name
ALLOWED = "use up to 40 letters, digits, blanks, - and _, beginning with a letter or a digit"
DEVICES = re.compile(r"con|prn|aux|nul|(com|lpt)[0-9]", re.IGNORECASE)  # what no file of Windows may be called


def checked_name(name: str) -> str:
    """`name` in its composed form (NFC), if a scenario and its file may be called so.

    Raises
    ------
    PlanError
        If not: other characters could lead out of the folder.
    """
    tidy = normalize("NFC", name.strip())
    fault = _fault_of(tidy)
    if fault:
        given = f"got {shown(tidy)!r}, which {fault}" if tidy else fault
        raise PlanError.at("name", f"{given}; {ALLOWED}")
    return tidy


def _fault_of(name: str) -> str:
    """Why nothing may be called `name`; empty where something may."""
    strange = (each for each in name if each not in " _-" and category(each)[0] not in "LM" and not _digit(each))
    wrong = next(strange, "")
    if not name:
        return "is empty"
    if len(name) > LONGEST:
        return f"has {len(name)} characters"
    if wrong:
        return f"holds {wrong!r}" if wrong.isprintable() else "holds an invisible character"
    if category(name[0])[0] != "L" and not _digit(name[0]):
        return f"begins with {name[0]!r}"
    return "Windows keeps for a device" if DEVICES.fullmatch(name) else ""


def _digit(character: str) -> bool:
    return category(character) == "Nd"


def scenario_block(scenario: Scenario) -> Any:
    """What stands under the scenario's name in a plan file, a transition to a line."""
    block = _tidy(scenario.model_dump(mode="json", by_alias=True, exclude_unset=True, exclude_none=True))
    block = {key: value for key, value in block.items() if value not in ({}, [])}
    if "changes" in block:
        block["changes"] = [on_one_line(change) for change in block["changes"]]
    return block


def _tidy(value: Any) -> Any:
    """Whole numbers without a decimal point, as a person writes them."""
    if isinstance(value, dict):
        return {key: _tidy(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_tidy(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def scenario_text(game: Game, scenario: Scenario) -> str:
    """The content of a scenario's file."""
    header = {"schema": SCHEMA, "plan": game.plan.name, "fingerprint": game.fingerprint}
    return as_yaml({**header, **scenario_block(scenario)})


def scenario_path(game: Game, name: str) -> Path:
    """Where a scenario of this name is kept: in a folder beside the plan.

    Raises
    ------
    PlanError
        If nothing may be called so.
    """
    checked = checked_name(name)
    folder = game.path.parent / FOLDER
    existing = (path for path in folder.glob("*.yaml") if normalize("NFC", path.stem) == checked)
    # a file from another system may write an umlaut as two characters
    return next(existing, folder / f"{checked}.yaml")


def saved_names(game: Game) -> list[str]:
    """The names of the scenarios kept beside the plan."""
    names = (normalize("NFC", path.stem) for path in (game.path.parent / FOLDER).glob("*.yaml"))
    return sorted(name for name in names if not _fault_of(name))


def save(game: Game, name: str, scenario: Scenario) -> Path:
    """The file that now holds the scenario, whole or as it was.

    Raises
    ------
    RevplanError
        If the name will not do, or the folder cannot be written to.
    """
    path = scenario_path(game, name)
    check_folder(path.parent)
    return written(path, scenario_text(game, scenario))


def load(game: Game, name: str) -> tuple[Scenario, str]:
    """The scenario kept under `name`, and what to know about it.

    Raises
    ------
    PlanError
        If there is no such file, or it is no scenario of this plan.
    """
    path = scenario_path(game, name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PlanError.at(path.name, f"cannot be read ({error.strerror}); save it again") from None
    return read_scenario(game, path.name, content)


def read_scenario(game: Game, name: str, content: bytes) -> tuple[Scenario, str]:
    """The scenario in a file of this name and content, and what to know about it (empty where nothing is).

    Raises
    ------
    PlanError
        If it is too large, not YAML, of another version of this form or of another plan, or does not fit the plan.
    """
    with told_of(PlanError, shown(name), "save it again from the simulator"):
        document = yaml_document(content, shown(name), PlanError)
        _check_header(game, document)
        scenario = scenario_in(document, game.plan, HEADER)
    if document.data.get("fingerprint") == game.fingerprint:
        return scenario, ""
    return scenario, "The plan file has changed since this scenario was saved, so its figures may differ from then."


def _check_header(game: Game, document: Document) -> None:
    version, plan = document.data.get("schema"), document.data.get("plan")
    if version is None:
        message = f"is no scenario file: it says no `schema`; a file saved here begins with `schema: {SCHEMA}`"
        raise PlanError.at(document.name, message)
    if shown(version) != str(SCHEMA):
        message = f"is of version {shown(version)} of scenario files, and this revplan reads version {SCHEMA}"
        raise PlanError([Fault(document.where(("schema",)), f"{message}; save it again with this revplan")])
    if plan != game.plan.name:
        message = f"belongs to the plan {shown(plan)!r}, and this plan is {shown(game.plan.name)!r}; open it there"
        raise PlanError([Fault(document.where(("plan",)), message)])


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
    return f"{text.rstrip()}\n\nscenarios:\n{indent(as_yaml({name: block}), '  ')}"


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
        *(
            (("segments", key), data["segments"][key] | {"acv": _plain(plan.segments[key].acv), "basis": basis})
            for key in scenario.acv
        ),
    ]
    strays = scenario.uncertainty.model_dump(exclude_unset=True)
    if strays:
        edits.append((("uncertainty",), (data.get("uncertainty") or {}) | strays))
    if scenario.confidence is not None:
        edits.append((("commit",), (data.get("commit") or {}) | {"confidence": scenario.confidence}))
    edits += _people_edits(game.plan, plan)
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
    changed = {each.key for each in plan.transitions if each not in before}
    steps, added = {place[:2] for place in changed}, []
    for each in plan.transitions:
        place = each.key
        new = _plain(each) | ({"basis": basis} if place in changed else {})
        if place in lines and place in changed:
            yield ("transitions", lines[place]), new
        elif place in changed or (place[:2] in steps and place[:2] not in stated):
            added.append(new)
    if added and not listed:
        yield ("transitions",), added
    else:
        yield from ((("transitions", len(listed) + number), new) for number, new in enumerate(added))


def _people_edits(base: Plan, plan: Plan) -> Iterator[Edit]:
    """What differs about the people: the hires as a whole, of each role what changed of it, and the attainment."""
    before, after = base.capacity, plan.capacity
    if before is None or after is None:
        return
    if after.hires != before.hires:
        yield ("capacity", "hires"), [_plain(hire) for hire in after.hires]
    for name, role in after.roles.items():
        for key in ("productivity", "ramp", "attrition"):
            value = getattr(role, key)
            if value != getattr(before.roles[name], key):
                yield ("capacity", "roles", name, key), _plain(value) if isinstance(value, Value) else value
    if after.attainment is not None and after.attainment != before.attainment:
        yield ("capacity", "attainment"), _plain(after.attainment)


def _plain(value: Value) -> dict[str, Any]:
    return value.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)


VOLUMES = "A plan solves for its entries, so the changed volumes stand in the first two files only."


def downloads(game: Game, name: str, scenario: Scenario) -> str:
    """Links to the scenario's file, to the plan file with the scenario among its own, and to the scenario as a plan."""
    plan = game.path.stem
    links = [
        _link("The scenario", f"{name}.yaml", scenario_text(game, scenario)),
        _link(
            f"The plan with this scenario {'in place of its own' if name in game.plan.scenarios else 'added'}",
            f"{plan}.yaml",
            with_scenario(game, name, scenario),
        ),
        _link("The plan with the changes made", f"{plan} {name}.yaml", as_plan(game, name, scenario)),
    ]
    left_out = any(scenario.volume_of(source) != 1 for source in game.plan.sources)
    return "<br>".join([*links, VOLUMES] if left_out else links)


def _link(label: str, file: str, text: str) -> str:
    encoded = base64.b64encode(text.encode("utf-8")).decode("ascii")
    return f'<a download="{escape(file)}" href="data:application/yaml;base64,{encoded}">{escape(label)}: {escape(file)}</a>'
