"""Every command, option, key, column and setting is documented, and what is documented exists."""

from __future__ import annotations

import argparse
import csv
import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from revplan.cli.commands import _parser
from revplan.crm.mapping import CrmFile
from revplan.crm.planfile import plan_schema

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / name for name in ("README.md", "SECURITY.md", "GLOSSARY.md", "CONTRIBUTING.md", "DECISIONS.md")]
PAGES += sorted(
    [*(ROOT / "docs").glob("*.md"), *(ROOT / "data").rglob("README.md"), *(ROOT / "reports").glob("README.md")]
)
SETTING = re.compile(r"\bREVPLAN_[A-Z_]*[A-Z]\b")


def pages() -> dict[str, str]:
    """What a reader is given, by the page it stands on."""
    return {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in PAGES}


# --- commands and options ------------------------------------------------------------------------------------


def commands() -> dict[str, argparse.ArgumentParser]:
    """The commands of revplan, by their name."""
    (found,) = (each for each in _parser()._actions if isinstance(each, argparse._SubParsersAction))
    return dict(found.choices)


def options(command: str) -> set[str]:
    """The options of a command, as they are written."""
    return {word for action in commands()[command]._actions for word in action.option_strings}


def shown_calls(text: str) -> Iterator[list[str]]:
    """The calls of revplan in code on a page, each as its words from the command on; a line's continuation belongs to it."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.S)
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    spans = [each.replace("\n", " ") for each in re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.S))]
    for line in [*lines, *spans]:
        found = re.search(r"(?:^|run\.py |-m |bin/)revplan ([a-z][^#]*)", line)
        if found:
            yield shlex.split(found[1].replace("...", "").replace("'", "").replace('"', ""))


def faults(call: list[str]) -> list[str]:
    """What a call of revplan names that there is not."""
    if call[0] not in commands():
        return [f"revplan {call[0]}"]
    named = {word.split("=")[0] for word in call if word.startswith("--")}
    return [f"revplan {call[0]} {word}" for word in sorted(named - options(call[0]))]


# --- files ---------------------------------------------------------------------------------------------------


def files_named(text: str) -> set[str]:
    """The places a page names, as `rates/hazards` or `docs/crm.md`; CAPITALS stand for a name of the reader's."""
    found = re.findall(r"`((?:[a-z_]+/)+[\w.-]*)`", text)
    return {name for name in found if not re.search(r"\b[A-Z]{3,}\b", name)}


def is_there(page: str, name: str) -> bool:
    """Whether a place is one of the project, the package or the page's folder; a module may be named without its ending."""
    written = (name, f"{name}.py", name.split(".")[0] + ".py")
    places = (ROOT, ROOT / "revplan", (ROOT / page).parent)
    return any((place / each).exists() for place in places for each in written)


def test_places_that_are_named_exist() -> None:
    named = {(page, name) for page, text in pages().items() for name in files_named(text)}
    assert len(named) > 30
    made = {"history/", "reports/olist/", "shared/data/olist_asof"}  # by a command, or lent and no part of the project
    assert sorted(each for each in named if not is_there(*each) and each[1] not in made) == []


@pytest.mark.parametrize("name", commands())
def test_a_command_stands_in_the_readme(name: str) -> None:
    calls = {call[0] for call in shown_calls(pages()["README.md"])}
    short = set(
        re.findall(r"`([a-z]+)(?: [A-Z]+)?`", pages()["README.md"])
    )  # `forecast CRM`, after `revplan rates CRM`
    assert name in calls | short


@pytest.mark.parametrize("name", commands())
def test_every_option_says_what_it_does(name: str) -> None:
    command = commands()[name]
    assert command.description
    assert [action.dest for action in command._actions if not action.help] == []


def test_calls_that_are_shown_can_be_made() -> None:
    found = {page: [fault for call in shown_calls(text) for fault in faults(call)] for page, text in pages().items()}
    assert sum(len(list(shown_calls(text))) for text in pages().values()) > 15
    assert {page: each for page, each in found.items() if each} == {}


def test_a_call_that_cannot_be_made_is_seen() -> None:
    text = "`revplan reprot x` and\n```\nrun.py revplan sign plan.yaml \\\n    --bye Anna --on 2026-11-15\n```\n"
    assert [fault for call in shown_calls(text) for fault in faults(call)] == ["revplan sign --bye", "revplan reprot"]


# --- what `make` and run.py do -------------------------------------------------------------------------------


def run_commands() -> set[str]:
    """The commands of run.py."""
    spec = importlib.util.spec_from_file_location("run_documented", ROOT / "run.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return set(module.ABOUT)


def test_make_does_what_run_does() -> None:
    targets = set(re.findall(r"^(\w+): ;", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    assert targets == run_commands() - {"revplan"}


def test_commands_of_make_and_run_that_are_shown_exist() -> None:
    text = "\n".join(pages().values())
    named = {*re.findall(r"`make ([a-z]+)", text), *re.findall(r"^make ([a-z]+)", text, re.M)}
    named |= set(re.findall(r"run\.py ([a-z]+)", text))
    assert {"report", "test"} <= named
    assert named - run_commands() == {"help"}


# --- keys, columns, settings ---------------------------------------------------------------------------------


def undescribed(schema: dict[str, Any]) -> list[str]:
    """The keys of a schema, and of what it defines, that say nothing of what they mean."""
    nodes = {"": schema, **schema.get("$defs", {})}
    return [
        f"{owner}.{key}"
        for owner, node in nodes.items()
        for key, each in node.get("properties", {}).items()
        if not each.get("description")
    ]


def test_every_key_of_a_plan_file_is_described() -> None:
    schema = plan_schema()
    assert undescribed(schema) == []
    del schema["properties"]["goal"]["description"]
    assert undescribed(schema) == [".goal"]


def readers(kind: type) -> Iterator[type]:
    """The descriptions of a CRM file, the more special ones after what they are made from."""
    yield kind
    for each in kind.__subclasses__():
        yield from readers(each)


def test_every_key_of_a_crm_file_is_described() -> None:
    kinds = list(readers(CrmFile))
    assert len(kinds) > 2
    assert {kind.__name__: undescribed(kind.model_json_schema()) for kind in kinds} == {
        kind.__name__: [] for kind in kinds
    }


def test_every_column_is_described_once() -> None:
    with (ROOT / "revplan" / "ground" / "tables.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row for row in rows if not row["description"].strip()] == []
    keys = [(row["table"], row["column"]) for row in rows]
    assert sorted(set(keys)) == sorted(keys)


def test_settings_are_those_that_are_documented() -> None:
    """An environment variable that revplan reads; those of tests and benchmarks are told where they are read."""
    read = {name for path in (ROOT / "revplan").rglob("*.py") for name in SETTING.findall(path.read_text("utf-8"))}
    told = {name for text in pages().values() for name in SETTING.findall(text)}
    elsewhere = {
        name
        for folder in ("tests", "benchmarks", "tools")
        for path in (ROOT / folder).rglob("*.py")
        for name in SETTING.findall(path.read_text("utf-8"))
    }
    assert "REVPLAN_MAX_MB" in read
    assert read - told == set()
    assert told - read - elsewhere == set()
