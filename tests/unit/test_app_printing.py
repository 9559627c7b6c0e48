"""The report made from the simulator: what goes wrong is said in words, and nothing is left beside the plan."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from revplan.app.answers import figures, headline, values
from revplan.app.game import open_game
from revplan.app.printing import Printer, report_pdf
from revplan.ground.errors import RevplanError
from revplan.ground.formats import compact
from revplan.plan.parts import Scenario
from revplan.run.render import Request, render
from revplan.run.workspace import example_company, new_workspace
from revplan.workbook.signing import ToSign, expected_words
from revplan.workbook.workbook import open_workbook


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """The example company's plan, in a workspace."""
    new_workspace(tmp_path / "workspace", example_company)
    return tmp_path / "workspace" / "plan.yaml"


SAID = Scenario.model_validate(
    {
        "volume": {"inbound": 0.85, "events": 0},
        "changes": [{"from": "lead", "to": "mql", "rate": 0.3}],
        "uncertainty": {"volume_cv": 0.2},
        "confidence": 0.7,
    }
)


def said_on_paper(made: bytes, folder: Path) -> str:
    """The words of a PDF, each blank a single one."""
    (folder / "made.pdf").write_bytes(made)
    poppler = shutil.which("pdftotext")
    if poppler is None:
        pytest.skip("pdftotext is not installed")
    command = [poppler, "-raw", str(folder / "made.pdf"), "-"]
    return " ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_the_report_says_what_the_screen_says(plan: Path, tmp_path: Path) -> None:
    before, told = sorted(plan.parent.rglob("*")), list[str]()
    game = open_game(plan)
    paper = said_on_paper(report_pdf(game, "Größer", SAID, told.append), tmp_path)
    played = game.play(SAID)
    shown = dict(zip((each.label for each in figures(game.base)), values(played), strict=True))
    written = {each.label: each.cell(shown[each.label], shown[each.label])[0] for each in figures(game.base)}
    assert [each for each in written.items() if each[1] not in paper] == []
    said = headline(played, game.base).partition(". Expected")[0].split(". ")
    assert said[0] == f"Goal: {compact(played.view.goal, 'USD')} new ARR"
    assert said[1] in paper
    assert expected_words(ToSign(played)) in paper
    assert f"{game.plan.name}: Größer" in paper
    assert "Scenario Größer, as the simulator shows it" in paper
    assert told
    assert sorted(plan.parent.rglob("*")) == before


def test_a_plan_that_has_changed_since_is_not_printed_as_if_it_were_the_one_shown(plan: Path) -> None:
    game = open_game(plan)
    plan.write_text(plan.read_text(encoding="utf-8").replace("confidence: 0.8}", "confidence: 0.7}"), encoding="utf-8")
    with pytest.raises(RevplanError, match=r"plan\.yaml: has changed since this page was opened"):
        report_pdf(game, "x", Scenario(), [].append)


def test_a_scenario_the_plan_does_not_name_and_a_workbook_of_one_are_refused(plan: Path, tmp_path: Path) -> None:
    with pytest.raises(RevplanError, match="'None such' is no scenario of this plan; it has "):
        open_workbook(plan, scenario="None such")
    request = Request(name="annual_commit", plan_path=plan, formats=("xlsx",), settings={"scenario": "x"})
    with pytest.raises(RevplanError, match="live workbook is of the plan itself; leave the format xlsx out"):
        render(request, tmp_path)


def test_a_name_no_file_may_have_is_refused_before_anything_runs() -> None:
    def present() -> tuple[str, Scenario]:
        raise RevplanError.at("name", "got '../evil'; use letters")

    printer = Printer(None, present)
    printer.button.click()
    assert 'role="alert">name: got &#x27;../evil&#x27;; use letters' in printer.said.value
    assert not printer.button.disabled
