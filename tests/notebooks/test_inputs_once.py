"""Inputs read once: whatever is changed while a command runs, its numbers are of one plan, and that one is stamped."""

from __future__ import annotations

import io
import json
import os
import sys
from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from one_source import CRM, PLAN
from nbformat import write
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_code_cell, new_notebook
from openpyxl import load_workbook

from revplan.app.game import open_game
from revplan.app.scenario_files import as_plan
from revplan.cli import main
from revplan.ground.errors import PlanError, ReportError
from revplan.plan.parts import Scenario
from revplan.record.signing import sign
from revplan.exhibits.provenance import fingerprint
from revplan.run.render import Request, render

LEADS = "id,lead,sql,won\n1,2026-01-05,2026-01-20,2026-02-10\n2,2026-01-05,2026-02-03,\n" + "".join(
    f"{number},2026-10-01,2026-10-20,\n" for number in range(3, 40)
)
FEW = "\n".join(LEADS.splitlines()[:5]) + "\n"
pytestmark = pytest.mark.usefixtures("own_signatures")

CELLS = [
    'plan_path = "nowhere.yaml"',
    "from revplan.workbook.workbook import open_workbook\nfrom revplan.exhibits.exhibit import text\nbook = open_workbook(plan_path)",
    'text(f"goal {book.year.bridge.new_arr:.0f}, open {len(book.records.history.records)}")',
]


def company(folder: Path, *more: str, plan: str = PLAN, leads: str = LEADS) -> Path:
    """A plan with records and a report `demo` that says the goal and how many records there are, then runs `more`."""
    (folder / "notebooks").mkdir(parents=True)
    (folder / "plan.yaml").write_text(plan, encoding="utf-8")
    (folder / "crm.yaml").write_text(CRM, encoding="utf-8")
    (folder / "leads.csv").write_text(leads, encoding="utf-8")
    tags = {"tags": ["parameters"]}
    notebook = new_notebook(cells=[new_code_cell(CELLS[0], metadata=tags), *map(new_code_cell, (*CELLS[1:], *more))])
    write(notebook, folder / "notebooks" / "demo.ipynb")
    NotebookNotary().sign(notebook)
    return folder / "plan.yaml"


def told(plan: Path, out: Path) -> tuple[str, list[list[object]]]:
    """The page and the cells of the workbook of one pack."""
    page, book = render(Request(name="demo", plan_path=plan, formats=("html", "xlsx")), out)
    sheets = load_workbook(book).worksheets
    return page.read_text("utf-8"), [
        [cell for row in sheet.iter_rows(values_only=True) for cell in row] for sheet in sheets
    ]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, list[list[object]]]:
    """What is told of the company where nothing changes and no link leads to it."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("JUPYTER_DATA_DIR", str(folder / "jupyter"))
        return told(company(folder / "real"), folder / "out")


@pytest.mark.parametrize("linked", ["plan.yaml", "folder"])
def test_a_link_is_the_plan_it_leads_to_in_every_printing(
    tmp_path: Path, linked: str, undisturbed: tuple[str, list[list[object]]]
) -> None:
    """Beside the link lies another company's data, which page or workbook took for the plan's."""
    real = company(tmp_path / "real")
    if linked == "folder":
        (tmp_path / "link").symlink_to(tmp_path / "real", target_is_directory=True)
    else:
        company(tmp_path / "link", leads=FEW)
        (tmp_path / "link" / "plan.yaml").unlink()
        (tmp_path / "link" / "plan.yaml").symlink_to(real)
    assert told(tmp_path / "link" / "plan.yaml", tmp_path / "a") == undisturbed


@pytest.mark.parametrize("command", ["plan", "check", "simulate"])
def test_commands_follow_the_link_too(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    real = company(tmp_path / "real")
    company(tmp_path / "link", leads=FEW)
    (tmp_path / "link" / "plan.yaml").unlink()
    (tmp_path / "link" / "plan.yaml").symlink_to(real)
    said = []
    for path in (real, tmp_path / "link" / "plan.yaml"):
        more = ["--trials", "256"] if command == "simulate" else []
        assert main([command, str(path), "--json", *more]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


def test_a_plan_saved_while_its_report_runs_is_of_the_next_report(tmp_path: Path) -> None:
    plan = tmp_path / "w" / "plan.yaml"
    later = PLAN.replace("100_000", "900_000")
    company(tmp_path / "w", f"import pathlib\n_ = pathlib.Path({str(plan)!r}).write_text({later!r})")
    before = fingerprint([plan])
    page, sheets = told(plan, tmp_path / "out")
    assert "900_000" in plan.read_text("utf-8"), "the cell did not change it"
    assert "goal 100000" in page
    assert before in page
    assert any(before in map(str, sheet) for sheet in sheets)
    assert any(100_000 in sheet for sheet in sheets)
    assert not any(900_000 in sheet for sheet in sheets)
    again, _ = told(plan, tmp_path / "again")
    assert "goal 900000" in again


def test_records_replaced_while_a_report_runs_are_of_the_next_report(
    tmp_path: Path, undisturbed: tuple[str, list[list[object]]]
) -> None:
    leads = tmp_path / "w" / "leads.csv"
    plan = company(tmp_path / "w", f"import pathlib\n_ = pathlib.Path({str(leads)!r}).write_text({FEW!r})")
    assert told(plan, tmp_path / "a")[1] == undisturbed[1]
    assert leads.read_text("utf-8") == FEW


def test_a_file_named_by_its_place_on_this_machine_may_not_change_meanwhile(tmp_path: Path) -> None:
    leads = tmp_path / "leads.csv"
    leads.write_text(LEADS, encoding="utf-8")
    plan = company(tmp_path / "w", f"import pathlib\n_ = pathlib.Path({str(leads)!r}).write_text({FEW!r})")
    (tmp_path / "w" / "crm.yaml").write_text(CRM.replace("leads.csv", str(leads)), encoding="utf-8")
    with pytest.raises(ReportError, match=r"leads\.csv: was changed while the report was made from it; run it again"):
        told(plan, tmp_path / "out")
    assert not list((tmp_path / "out").glob("demo*"))
    leads.write_text(FEW, encoding="utf-8")
    assert "open 4" in told(plan, tmp_path / "out")[0]


def test_a_file_too_large_to_copy_is_watched_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    leads, few = tmp_path / "w" / "leads.parquet", tmp_path / "few.parquet"
    plan = company(tmp_path / "w", f"import shutil\n_ = shutil.copyfile({str(few)!r}, {str(leads)!r})")
    (plan.parent / "crm.yaml").write_text(CRM.replace("leads.csv", "leads.parquet"), encoding="utf-8")
    frame = pd.read_csv(io.StringIO(LEADS), dtype=str)
    padded = frame.assign(padding=[os.urandom(20_000).hex() for _ in frame.index])
    for path, rows in ((few, frame.head(4)), (leads, padded)):
        duckdb.from_df(rows).write_parquet(str(path))
    assert leads.stat().st_size > 1_000_000
    monkeypatch.setenv("REVPLAN_MAX_MB", "1")
    with pytest.raises(PlanError, match=r"leads\.parquet: cannot be signed: it has more than 1 MB"):
        sign(plan, ["Ann"], date(2026, 11, 20))
    with pytest.raises(ReportError, match=r"leads\.parquet: was changed while the report was made from it"):
        told(plan, tmp_path / "out")
    assert "open 4" in told(plan, tmp_path / "again")[0]


@pytest.mark.skipif(sys.platform == "win32", reason="no pipes in the file system")
def test_a_pipe_in_the_place_of_a_file_is_refused_at_once(tmp_path: Path) -> None:
    plan = company(tmp_path / "w", "0", plan=PLAN + "actuals: actuals.csv\n")
    os.mkfifo(plan.parent / "actuals.csv")
    with pytest.raises(PlanError, match=r"actuals\.csv: is a pipe, not a file with content"):
        told(plan, tmp_path / "out")


def test_two_reports_of_one_command_are_of_one_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = tmp_path / "w" / "plan.yaml"
    company(
        tmp_path / "w", f"import pathlib\n_ = pathlib.Path({str(plan)!r}).write_text({PLAN.replace('100_', '900_')!r})"
    )
    notebooks = tmp_path / "w" / "notebooks"
    (notebooks / "other.ipynb").write_bytes((notebooks / "demo.ipynb").read_bytes())
    before = fingerprint([plan])
    assert main(["report", "demo,other", str(plan), "--out", str(tmp_path / "out"), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)["files"]
    assert [Path(path).name for path in made] == ["demo.html", "other.html"]
    for path in made:
        assert before in Path(path).read_text("utf-8")
        assert "goal 100000" in Path(path).read_text("utf-8")


def test_what_is_signed_is_what_was_computed(tmp_path: Path) -> None:
    real = company(tmp_path / "real")
    (tmp_path / "plan.yaml").symlink_to(real)

    def save(*_: object) -> None:
        real.write_text(PLAN.replace("100_000", "900_000"), encoding="utf-8")

    record = sign(tmp_path / "plan.yaml", ["Ann"], date(2026, 11, 20), None, save)
    assert record.folder.parent == tmp_path / "real" / "signed"
    assert "100_000" in record.plan_path.read_text("utf-8")
    assert record.results["plan"]["goal"]["new_arr"] == pytest.approx(100_000)
    assert "900_000" in real.read_text("utf-8")


def test_a_difference_is_told_of_the_plans_as_they_were_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    real, other = company(tmp_path / "real"), company(tmp_path / "other", plan=PLAN.replace("0.25", "0.2"))
    company(tmp_path / "link", leads=FEW)
    (tmp_path / "link" / "plan.yaml").unlink()
    (tmp_path / "link" / "plan.yaml").symlink_to(real)
    said = []
    for path in (real, tmp_path / "link" / "plan.yaml"):
        assert main(["diff", str(path), str(other), "--json"]) == 0
        said.append(json.loads(capsys.readouterr().out)["changes"])
    assert said[0] == said[1]


def test_the_simulator_gives_no_file_of_another_plan_than_it_shows(tmp_path: Path) -> None:
    plan = company(tmp_path / "w")
    game = open_game(plan)
    assert game.fingerprint == fingerprint([plan])
    as_plan(game, "x", Scenario())
    plan.write_text(PLAN.replace("100_000", "900_000"), encoding="utf-8")
    with pytest.raises(PlanError, match="was changed since it was opened here; load the page again"):
        as_plan(game, "x", Scenario())
