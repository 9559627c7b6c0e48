"""What an optional package is needed for is told before anything is done, with the line that installs it."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest
from one_source import SINGLE as PLAN
from packaging.requirements import Requirement

from revplan.cli import main
from revplan.ground import extras
from revplan.ground.errors import ReportError
from revplan.run import running

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """revplan as a plain `pip install revplan` leaves it: of optional packages none can be imported."""
    for _, packages in extras.EXTRAS.values():
        for module in packages:
            monkeypatch.setitem(sys.modules, module, None)


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("formats", "told"),
    [
        (
            "html,pptx",
            "pptx needs lxml, pillow, python-pptx and xlsxwriter, which are not installed; pip install 'revplan[deck]'",
        ),
        ("xlsx,pdf", "xlsx needs xlsxwriter, which is not installed; pip install 'revplan[excel]'"),
        (
            "pptx,xlsx",
            "pptx and xlsx need lxml, pillow, python-pptx and xlsxwriter, which are not installed; pip install 'revplan[deck,excel]'",
        ),
    ],
)
def test_a_format_is_refused_before_the_notebook_runs(
    bare: None,
    plan: Path,
    tmp_path: Path,
    formats: str,
    told: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran: list[object] = []
    monkeypatch.setattr(running, "_papermill", lambda *given: ran.append(given))
    out = tmp_path / "out"
    assert main(["report", "annual_commit,rates", str(plan), "--formats", formats, "--out", str(out)]) == 1
    assert capsys.readouterr().err.splitlines()[1:] == [f"  formats: {told}"]
    assert not ran
    assert not out.exists()


def test_a_deck_is_brought_up_to_date_only_where_slides_can_be_made(
    bare: None, plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deck = tmp_path / "deck.pptx"
    deck.write_bytes(b"PK")
    assert main(["report", "board_report", str(plan), "--refresh", str(deck)]) == 1
    told = "pptx needs lxml, pillow, python-pptx and xlsxwriter, which are not installed; pip install 'revplan[deck]'"
    assert capsys.readouterr().err.splitlines()[1:] == [f"  --refresh: {told}"]


def test_a_company_deck_is_opened_only_where_slides_can_be_made(
    bare: None, plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deck = tmp_path / "deck.pptx"
    deck.write_bytes(b"no deck")
    asked = ["report", "annual_commit", str(plan), "--formats", "pptx", "--template", str(deck)]
    assert main([*asked, "--out", str(tmp_path / "out")]) == 1
    assert "pip install 'revplan[deck]'" in capsys.readouterr().err


def test_the_simulator_is_refused_before_the_plan_is_read(
    bare: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["app", str(tmp_path / "none.yaml"), "--no-browser"]) == 1
    told = capsys.readouterr().err
    assert "app: the simulator needs voila, which is not installed; pip install 'revplan[app]'" in told


def test_what_comes_with_revplan_needs_no_extra(bare: None) -> None:
    extras.check_installed("formats", "html", "pdf")


def test_only_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    extras.check_installed("formats", "html", "pptx", "xlsx")
    monkeypatch.setitem(sys.modules, "lxml", None)
    with pytest.raises(ReportError, match="formats: pptx needs lxml, which is not installed"):
        extras.check_installed("formats", "html", "pptx", "xlsx")


@pytest.mark.parametrize("use", extras.EXTRAS)
def test_the_line_that_is_told_installs_what_is_needed(use: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra, packages = extras.EXTRAS[use]
    brought = {Requirement(line).name.lower() for line in project["optional-dependencies"][extra]}
    assert set(packages.values()) <= brought
