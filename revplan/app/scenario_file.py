"""Scenarios in files: written beside the plan, read back with every doubt in words.

A file holds what stands under a name in a plan file's `scenarios`, and three lines before it: the
version of this form, the plan it belongs to, and the fingerprint of the plan file it was made with.
"""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path
from typing import Any
from unicodedata import category, normalize

from ruamel.yaml import YAML

from revplan.app.game import Game
from revplan.errors import Fault, PlanError, shown
from revplan.files import told_of
from revplan.plan.file import scenario_in
from revplan.plan.model import Scenario
from revplan.report.files import check_folder, written
from revplan.yamlfile import Document, on_one_line, yaml_document

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
        came = f"got {shown(tidy)!r}, which {fault}" if tidy else fault
        raise PlanError.at("name", f"{came}; {ALLOWED}")
    return tidy


def _fault_of(name: str) -> str:
    """Why nothing may be called `name`; empty where something may."""
    wrong = next(
        (each for each in name if each not in " _-" and category(each)[0] not in "LM" and not _digit(each)), ""
    )
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
    yaml = YAML()
    yaml.width = 10_000
    stream = StringIO()
    yaml.dump({**header, **scenario_block(scenario)}, stream)
    return stream.getvalue()


def scenario_path(game: Game, name: str) -> Path:
    """Where a scenario of this name is kept: in a folder beside the plan.

    Raises
    ------
    PlanError
        If nothing may be called so.
    """
    checked = checked_name(name)
    folder = game.path.parent / FOLDER
    known = (path for path in folder.glob("*.yaml") if normalize("NFC", path.stem) == checked)
    return next(known, folder / f"{checked}.yaml")  # a file from another system may write an umlaut as two characters


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
        return _scenario(game, content, name)


def _scenario(game: Game, content: bytes, name: str) -> tuple[Scenario, str]:
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
