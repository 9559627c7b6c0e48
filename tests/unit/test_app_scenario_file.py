"""Scenarios in files: where they lie, what is refused and in which words, and as plan files."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest
from app_plan import PLAN, plan_file, small_game

from revplan.app.game import Game, open_game
from revplan.app.scenario_files import (
    VOLUMES,
    as_plan,
    downloads,
    load,
    read_scenario,
    save,
    saved_names,
    scenario_text,
    with_scenario,
)
from revplan.crm.planfile import read_plan
from revplan.ground.errors import PlanError
from revplan.plan.parts import Scenario
from revplan.plan.scenario import varied

SAID = Scenario.model_validate(
    {
        "changes": [
            {"from": "sqo", "to": "won", "segment": "mid", "rate": 0.15},
            {"from": "lead", "to": "sql", "segment": "smb", "rate": 0.12},
            {"from": "sql", "to": "sqo", "lag": {"median_days": 30, "p90_days": 70}},
        ],
        "acv": {"smb": 9000},
        "goal": {"new_arr": 2_500_000},
        "uncertainty": {"rho": 0.4},
        "confidence": 0.9,
    }
)
EXAMPLE = Path(__file__).resolve().parents[2] / "data" / "example"
HEADER = "schema: 1\nplan: Small plan\n"


@pytest.fixture
def game(tmp_path: Path) -> Game:
    return small_game(tmp_path)


def refused(game: Game, content: str | bytes) -> str:
    with pytest.raises(PlanError) as error:
        read_scenario(game, "x.yaml", content if isinstance(content, bytes) else content.encode("utf-8"))
    return str(error.value)


# --- where they lie ------------------------------------------------------------------------------------------


def test_saved_beside_the_plan_and_loaded(game: Game) -> None:
    assert saved_names(game) == []
    path = save(game, " Lower win rate ", SAID)
    assert path == game.path.parent / "scenarios" / "Lower win rate.yaml"
    assert saved_names(game) == ["Lower win rate"]
    assert load(game, "Lower win rate") == (SAID, "")
    assert path.read_text(encoding="utf-8").startswith(f"schema: 1\nplan: Small plan\nfingerprint: {game.fingerprint}")


@pytest.mark.parametrize(
    "name",
    ["", "../evil", "a/b", "a\\b", ".hidden", "x" * 41, "a.b", "<script>", "nul\0", "-x", "nul", "COM1", "a\u202eb"],
)
def test_names_that_could_lead_elsewhere_are_refused(game: Game, name: str) -> None:
    for use in (lambda: save(game, name, SAID), lambda: load(game, name)):
        with pytest.raises(PlanError, match="use up to 40 letters, digits, blanks, - and _"):
            use()
    assert sorted(path.name for path in game.path.parent.iterdir()) == ["plan.yaml"]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "name: is empty; use"),
        ("a/b", "which holds '/'; use"),
        ("-x", "which begins with '-'; use"),
        ("ä" * 41, "which has 41 characters; use"),
        ("a\u202eb", "which holds an invisible character; use"),
        ("Aux", "which Windows keeps for a device; use"),
    ],
)
def test_a_name_is_refused_with_the_true_reason(game: Game, name: str, reason: str) -> None:
    with pytest.raises(PlanError, match=re.escape(reason)):
        save(game, name, SAID)


@pytest.mark.parametrize("name", ["Größere Abschlüsse", "Mehr Umsätze 2", "Łódź", "目標", "Ça va", "हिन्दी"])
def test_letters_of_every_language_make_a_name(game: Game, name: str) -> None:
    path = save(game, normalize("NFD", name), SAID)
    assert (path.stem, saved_names(game)) == (normalize("NFC", name), [normalize("NFC", name)])
    assert load(game, name) == (SAID, "")
    path.rename(path.with_stem(normalize("NFD", name)))
    assert load(game, name) == (SAID, ""), "as a file from a Mac has it"
    assert reread(game, with_scenario(game, name, SAID)).scenarios[name] == SAID
    assert reread(game, as_plan(game, name, SAID)).name == f"Small plan: {name}"


def test_a_file_that_is_gone(game: Game) -> None:
    with pytest.raises(PlanError, match=r"gone.yaml: cannot be read \(No such file or directory\)"):
        load(game, "gone")


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: 1", "x.yaml: is no scenario file: it says no `schema`; a file saved here begins with `schema: 1`"),
        (
            "schema: 2\nplan: Small plan",
            "line 1, schema: is of version 2 of scenario files, and this revplan reads version 1",
        ),
        ("schema: true", "is of version True"),
        (
            "schema: 1\nplan: Other plan",
            "line 2, plan: belongs to the plan 'Other plan', and this plan is 'Small plan'; open it there",
        ),
        ("schema: 1", "belongs to the plan 'None'"),
        (HEADER + "volumes: 2", "line 3, volumes: unknown key 'volumes'; did you mean 'volume'? allowed here: changes"),
        (HEADER + "acv: {foo: 3}", "line 3, acv: 'foo' is no segment of this plan; it has smb, mid"),
        (HEADER + "volume: {web: 2}", "line 3, volume: 'web' is no source of this plan"),
        (
            HEADER + "changes: [{from: sqo, to: won, rate: 31}]",
            "changes[0].rate: got 31; it must be at most 1: write 0.31",
        ),
        (HEADER + "changes: [{from: sqo, to: x, rate: 0.3}]", "changes[0].to: 'x' is no stage of this plan"),
        (HEADER + "uncertainty: {rho: 2}", "line 3, uncertainty.rho: got 2; it must be less than 1"),
        (HEADER + "confidence: 80", "line 3, confidence: got 80; it must be less than 1: write 0.8 for 80 %"),
        (HEADER + "goal: {new_arr: 1, closing_arr: 9, opening_arr: 2}", "goal.closing_arr: opening 2.00"),
        ("", "x.yaml: holds nothing"),
        ("- 1", "x.yaml: holds a list"),
        ("{", "is not YAML"),
        ("a: !!python/object/apply:os.system [ls]", "asks for an object; take the tag out"),
        (b"\xff\xfe\x00", "is not UTF-8 text"),
        (b"a" * 2_000_001, "has more than 2 MB; if it is right, set REVPLAN_MAX_MB to a larger number"),
    ],
)
def test_what_is_no_scenario_of_this_plan(game: Game, content: str | bytes, words: str) -> None:
    assert words in refused(game, content)


def test_every_fault_at_once(game: Game) -> None:
    words = refused(game, HEADER + "volumes: 2\nconfidence: 3\n")
    assert len(words.splitlines()) == 2


def test_a_plan_changed_since_is_said(game: Game) -> None:
    text = scenario_text(game, SAID).replace(game.fingerprint, "0" * 12)
    scenario, note = read_scenario(game, "x.yaml", text.encode("utf-8"))
    assert scenario == SAID
    assert note.startswith("The plan file has changed since this scenario was saved")


# --- as plan files -------------------------------------------------------------------------------------------

COMMENTED = """\
# Written by hand.
name: Small plan
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal:
  new_arr: 2_000_000   # asked for by the board
  next_year_growth: 0.1
stages: [{id: lead, label: Lead}, {id: sql, label: SQL}, {id: sqo}, {id: won}]
commit: {stage: sql, confidence: 0.8}
segments:
  smb: {share: 0.4, acv: {mean: 10_000, sd: 4_000}}
  mid: {share: 0.6, acv: 40_000}
sources:
  inbound:            # paid search
    {share: 0.7, cost_per_entry: 100}
  partner: {share: 0.3, enters: sql}
transitions:
  - {from: lead, to: sql, rate: 0.1, evidence: 2000, lag: {months: 1}}      # from the records
  - {from: sql, to: sqo, rate: 0.5, evidence: 400, lag: {median_days: 20, p90_days: 50}}
  - {from: sqo, to: won, rate: 0.3, evidence: 100, lag: {weights: [0.5, 0.5]}}
  - {from: sqo, to: won, segment: mid, rate: 0.2, evidence: 60, lag: {months: 2}}
"""


@pytest.fixture
def commented(tmp_path: Path) -> Game:
    path = tmp_path / "plan.yaml"
    path.write_text(COMMENTED, encoding="utf-8")
    return open_game(path)


def reread(game: Game, text: str) -> Any:
    path = game.path.with_name("again.yaml")
    path.write_text(text, encoding="utf-8")
    return read_plan(path)


def test_the_plan_with_the_scenario_keeps_every_character(commented: Game) -> None:
    text = with_scenario(commented, "Try", SAID)
    assert text.startswith(COMMENTED)
    assert reread(commented, text).scenarios == {"Try": SAID}


def test_a_plan_with_scenarios_gets_one_more_or_another(tmp_path: Path) -> None:
    game = small_game(tmp_path)
    more = reread(game, with_scenario(game, "Try", SAID))
    assert list(more.scenarios) == ["downside", "Try"]
    other = reread(game, with_scenario(game, "downside", SAID))
    assert other.scenarios == {"downside": SAID}
    assert more.scenarios["downside"] == game.plan.scenarios["downside"]


def test_a_plan_written_as_json_too(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(json.dumps({key: value for key, value in PLAN.items() if key != "scenarios"}), encoding="utf-8")
    game = open_game(path)
    assert reread(game, with_scenario(game, "Try", SAID)).scenarios == {"Try": SAID}


def test_the_plan_with_the_changes_made(commented: Game) -> None:
    text = as_plan(commented, "Try", SAID)
    made, wanted = reread(commented, text), varied(commented.plan, "Try", SAID)
    assert made.name == "Small plan: Try"
    bare = [each.model_copy(update={"basis": ""}) for each in made.transitions]
    assert sorted(map(str, bare)) == sorted(map(str, wanted.transitions))
    assert [each.basis for each in made.transitions] == ["", "scenario Try", "", "scenario Try", "scenario Try"]
    assert (made.goal, made.commit, made.uncertainty) == (wanted.goal, wanted.commit, wanted.uncertainty)
    assert made.segments["smb"].acv == wanted.segments["smb"].acv
    comments = ("# Written by hand.", "# paid search", "# from the records", "# asked for by the board")
    assert [comment for comment in comments if comment not in text] == []


def test_a_step_left_to_the_records_is_written_out_whole(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "plan.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(
        text[: text.index("transitions:")] + text[text.index("rounding:") : text.index("assumptions:")], "utf-8"
    )
    game = open_game(path)
    said = Scenario.model_validate({"changes": [{"from": "sqo", "to": "won", "segment": "mid", "rate": 0.2}]})
    made = reread(game, as_plan(game, "Try", said))
    whole = [each for each in game.plan.transitions if each.from_stage == "sqo"]
    assert len(made.transitions) == len(whole) > 1
    assert {each.from_stage for each in made.transitions} == {"sqo"}
    assert next(each.rate for each in made.transitions if (each.segment, each.source) == ("mid", None)) == 0.2


def test_a_level_that_is_contradicted_is_emptied(tmp_path: Path) -> None:
    game = small_game(tmp_path, goal={"opening_arr": 1_000_000, "closing_arr": 3_000_000})
    made = reread(game, as_plan(game, "Try", Scenario.model_validate({"goal": {"new_arr": 2_500_000}})))
    assert (made.goal.new_arr, made.goal.closing_arr, made.goal.opening_arr) == (2_500_000, None, 1_000_000)


def test_downloads_hold_the_files_and_no_address(commented: Game) -> None:
    html = downloads(commented, "Try", SAID)
    assert html.count("<a download=") == html.count('href="data:application/yaml;base64,') == 3
    assert "http" not in html
    assert VOLUMES not in html
    assert VOLUMES in downloads(commented, "Try", Scenario(volume=1.2))


def test_a_plan_file_that_is_gone_is_said(tmp_path: Path) -> None:
    game = open_game(plan_file(tmp_path))
    game.path.unlink()
    with pytest.raises(PlanError, match=r"plan\.yaml: there is no such file any more; put it back"):
        downloads(game, "Try", SAID)
