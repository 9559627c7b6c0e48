"""The report on people, on the example company and on a plan that says nothing of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hard_companies import report_of

from revplan.cli import main
from revplan.exhibits.figures import MIMETYPE
from revplan.run.notebooks import notebook_in

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "data" / "example"


def test_every_cell_shows_an_exhibit_of_the_example() -> None:
    notebook = report_of(EXAMPLE / "plan_people.yaml", "capacity").notebook
    calls = [cell for cell in notebook.cells if cell.source.startswith("capacity.")]
    assert len(calls) == 9
    assert all(cell.outputs for cell in calls)
    raws = [output.data[MIMETYPE] for cell in calls for output in cell.outputs]
    assert sum(raw["native"] is not None for raw in raws) == 3
    assert {figure["measure"] for figure in raws[0]["figures"]} == {"goal", "chance"}


def test_the_committed_notebook_shows_the_plan_with_people() -> None:
    committed = notebook_in(ROOT / "notebooks" / "capacity.ipynb")
    told = [output.data["text/plain"] for cell in committed.cells for output in cell.get("outputs", [])]
    assert len(told) == 9
    assert "with its people" in told[0]


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext (poppler-utils) is missing")
def test_a_plan_without_people_prints_one_page(tmp_path: Path) -> None:
    formats = "html,pdf,pptx,xlsx"
    assert main(["report", "capacity", str(EXAMPLE / "plan.yaml"), "--out", str(tmp_path), "--formats", formats]) == 0
    done = subprocess.run(["pdftotext", "-raw", tmp_path / "capacity.pdf", "-"], capture_output=True, check=True)
    page, rest = done.stdout.decode("utf-8").split("\f")
    assert not rest
    words = " ".join(page.split())
    assert "People are not considered" in words
    assert "capacity: {roster: roster.csv, roles: {ae: {productivity: 600_000" in words


@pytest.mark.parametrize("wrong", ["confidence=80", "as_of=tomorrow"])
def test_what_cannot_be_asked_is_refused(wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["report", "capacity", str(EXAMPLE / "plan_people.yaml"), "--out", str(tmp_path), "--set", wrong]
    assert main(asked) == 2
    assert wrong.split("=")[0] in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
