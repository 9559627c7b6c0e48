"""The commands: exit codes, what stands on which stream, one JSON object, every fault at once."""

from __future__ import annotations

import json
import math
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from revplan.cli import main
from revplan.ground.errors import ReportError
from revplan.ground.version import __version__
from revplan.run import running

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "data" / "example" / "plan.yaml"

PLAN = """\
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal: {new_arr: 1_000_000}
stages: [{id: lead}, {id: sql}, {id: won}]
segments: {smb: {share: 0.5, acv: 10_000}, mid: {share: 0.5, acv: 20_000}}
sources: {web: {cost_per_entry: 85}}
transitions:
  - {from: lead, to: sql, rate: 0.4, lag: {months: 1}}
  - {from: sql, to: won, rate: 0.25, lag: {median_days: 60, p90_days: 150}}
"""

CRM = """\
format: wide
files: {leads: {path: leads.csv, id: id}}
stages: {lead: leads.lead, sql: leads.sql, won: leads.won}
segment: leads.segment
"""

LEADS = """\
id,segment,lead,sql,won
1,smb,2026-01-05,2026-01-20,2026-02-10
2,mid,2026-01-05,2026-02-03,
3,smb,2026-10-31,,
"""

ACTUALS = "month,segment,source,new,expansion,contraction,churn,spend\n2026-09,smb,web,1000,0,0,0,50\n"


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    return tmp_path / "plan.yaml"


@pytest.fixture
def workspace(plan_file: Path) -> Path:
    """A plan with records and actuals beside it."""
    plan_file.write_text(PLAN + "history: {leads: crm.yaml}\nactuals: actuals.csv\n", encoding="utf-8")
    (plan_file.parent / "crm.yaml").write_text(CRM, encoding="utf-8")
    (plan_file.parent / "leads.csv").write_text(LEADS, encoding="utf-8")
    (plan_file.parent / "actuals.csv").write_text(ACTUALS, encoding="utf-8")
    return plan_file


def one_json_object(text: str) -> Any:
    """The one object on stdout: nothing before it, nothing after it, no NaN in it."""

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    found = json.loads(text, parse_constant=refuse)
    assert isinstance(found, dict)
    assert text.count("\n") == 1
    assert text.endswith("}\n")
    return found


# --- plan ----------------------------------------------------------------------------------------------------


def test_plan_prints_one_json_object(plan_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(plan_file), "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    found = one_json_object(said.out)
    assert set(found) == {
        *(
            "goal",
            "stages",
            "required",
            "commitment",
            "by",
            "budget",
            "cac",
            "value_per_entry",
            "shortfall",
            "notes",
            "sign",
        ),
    }
    assert set(found["goal"]) == {
        *("opening_arr", "new_arr", "expansion", "contraction", "churn", "closing_arr", "grr", "grr_churn_only", "nrr"),
    }
    assert found["goal"]["new_arr"] == 1_000_000
    assert found["goal"]["grr"] is None
    assert found["stages"] == ["lead", "sql", "won"]
    # 50 deals of smb and 25 of mid, through .25 and .4
    assert found["required"] == pytest.approx({"lead": 750, "sql": 300, "won": 75})
    assert found["commitment"] == {"lead": 750, "sql": 300, "won": 75}
    assert all(isinstance(count, int) for count in found["commitment"].values())
    assert found["value_per_entry"] == pytest.approx({"lead": 4000 / 3, "sql": 10_000 / 3, "won": 40_000 / 3})
    assert set(found["budget"]) == {"web"}
    assert math.isfinite(found["cac"])
    assert all(isinstance(note, str) for note in found["notes"])


def test_plan_s_rows_have_the_promised_keys(plan_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["plan", str(plan_file), "--json"])
    found = json.loads(capsys.readouterr().out)
    for row in found["by"]:
        assert set(row) >= {"segment", "source", "stage", "month", "required", "commit"}
        assert len(row["month"]) == 7
        assert (row["segment"], row["source"], row["stage"]) in {
            (segment, "web", stage) for segment in ("smb", "mid") for stage in ("lead", "sql", "won")
        }
    months = {row["month"] for row in found["by"]}
    assert min(months) < "2026-11"  # before the plan date
    assert max(months) > "2027-12"  # after the year
    for row in found["shortfall"]:
        assert set(row) >= {"quarter", "goal", "yield", "open_pipeline", "won", "arr", "surplus", "recovered_by"}
        assert set(row) >= {"below_share", "before_plan_date"}
    assert [row["quarter"] for row in found["shortfall"]] == [f"2027-Q{quarter}" for quarter in (1, 2, 3, 4)]
    assert [row["label"] for row in found["shortfall"]][::3] == ["Jan-Mar 2027 (Q1 FY27)", "Oct-Dec 2027 (Q4 FY27)"]


def test_plan_prints_for_a_person(plan_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(plan_file)]) == 0
    said = capsys.readouterr().out
    assert "$1M of new ARR in FY27" in said
    assert "Jan-Mar 2027 (Q1 FY27)" in said
    assert "2027-Q1" not in said
    assert "750" in said
    with pytest.raises(json.JSONDecodeError):
        json.loads(said)


def test_plan_of_the_example_company(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", str(EXAMPLE), "--json"]) == 0
    found = one_json_object(capsys.readouterr().out)
    assert found["stages"] == ["lead", "mql", "sql", "sal", "sqo", "won"]
    goal = found["goal"]
    total = goal["opening_arr"] + goal["new_arr"] + goal["expansion"] - goal["contraction"] - goal["churn"]
    assert total == pytest.approx(goal["closing_arr"])
    assert sum(row["open_pipeline"] for row in found["shortfall"]) > 0


def test_the_answer_is_the_same_every_time(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = []
    for _ in range(2):
        assert main(["plan", str(workspace), "--json"]) == 0
        said.append(capsys.readouterr().out)
    assert said[0] == said[1]


# --- input at fault ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["plan", "check"])
@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_plan_at_fault_is_exit_2_with_the_message_on_stderr(
    plan_file: Path, capsys: pytest.CaptureFixture[str], command: str, as_json: list[str]
) -> None:
    plan_file.write_text(PLAN.replace("rate: 0.4", "rate: 40").replace("cost_per_entry", "quotta"), encoding="utf-8")
    assert main([command, str(plan_file), *as_json]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Traceback" not in said.err
    assert "the input needs a change (2 faults)" in said.err
    assert "plan.yaml line 6, sources.web.quotta: unknown key 'quotta'" in said.err
    assert "plan.yaml line 8, transitions[0].rate: got 40; it must be at most 1: write 0.4 for 40 %" in said.err


@pytest.mark.parametrize("command", ["plan", "check"])
def test_a_missing_plan_is_exit_2(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, str(tmp_path / "plann.yaml")]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "plann.yaml: there is no such file" in said.err


@pytest.mark.parametrize(
    "arguments", [[], ["plann", "plan.yaml"], ["plan"], ["plan", "a", "b"], ["plan", "a", "--jason"]]
)
def test_a_command_that_does_not_exist_is_exit_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "usage: revplan" in said.err


def test_a_fault_of_revplan_itself_is_exit_1_and_no_traceback(
    plan_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a cog is loose")

    monkeypatch.setattr("revplan.cli.answers.open_workbook", broken)
    assert main(["plan", str(plan_file)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "RuntimeError: a cog is loose" in said.err
    assert "not of your files" in said.err
    assert "Traceback" not in said.err


def test_a_run_stopped_by_hand_is_exit_1(
    plan_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("revplan.cli.answers.open_workbook", stopped)
    assert main(["plan", str(plan_file)]) == 1
    assert "stopped" in capsys.readouterr().err


# --- check ---------------------------------------------------------------------------------------------------


def test_check_says_how_the_files_were_read(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(workspace)]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert said.out.endswith("plan.yaml: no faults\n")
    assert "leads" in said.out
    assert main(["check", str(workspace), "--json"]) == 0
    found = one_json_object(capsys.readouterr().out)
    assert found["ok"] is True
    assert found["faults"] == []
    assert any("3" in line for line in found["import_report"])


def test_check_lists_the_faults_of_plan_records_and_actuals_at_once(
    workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = workspace.read_text(encoding="utf-8")
    workspace.write_text(text.replace("rate: 0.4", "rate: 40").replace("cost_per_entry", "quotta"), encoding="utf-8")
    (workspace.parent / "crm.yaml").write_text(CRM.replace("format: wide", "format: wyde"), encoding="utf-8")
    (workspace.parent / "actuals.csv").write_text(ACTUALS.replace("2026-09", "Sept"), encoding="utf-8")
    assert main(["check", str(workspace)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    for words in (
        "transitions[0].rate: got 40",
        "unknown key 'quotta'",
        "crm.yaml",
        "wyde",
        "actuals.csv line 2",
        "'Sept'",
    ):
        assert words in said.err, words


def test_check_finds_files_that_are_not_there(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace.parent / "crm.yaml").unlink()
    (workspace.parent / "actuals.csv").unlink()
    assert main(["check", str(workspace)]) == 2
    said = capsys.readouterr().err
    assert "crm.yaml" in said
    assert "actuals.csv" in said


def test_check_names_stages_the_plan_does_not_have(workspace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (workspace.parent / "crm.yaml").write_text(CRM.replace("sql: leads.sql", "mql: leads.sql"), encoding="utf-8")
    assert main(["check", str(workspace)]) == 2
    said = capsys.readouterr().err
    assert "the CRM file has lead - mql - won, the plan lead - sql - won" in said


# --- init ----------------------------------------------------------------------------------------------------


def test_init_makes_a_workspace_whose_plan_passes_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "our" / "plans"
    assert main(["init", str(folder), "--example", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    found = one_json_object(said.out)
    assert found["dir"] == str(folder)
    assert sorted(found["files"]) == sorted(str(path) for path in folder.rglob("*") if path.is_file())
    names = {Path(path).relative_to(folder).as_posix() for path in found["files"]}
    assert names >= {"plan.yaml", "crm.yaml", "leads.csv", "plan.schema.json", "notebooks/annual_commit.ipynb"}
    assert main(["check", str(folder / "plan.yaml")]) == 0
    assert main(["plan", str(folder / "plan.yaml"), "--json"]) == 0
    assert (
        (folder / "plan.yaml")
        .read_text(encoding="utf-8")
        .startswith("# yaml-language-server: $schema=plan.schema.json")
    )
    assert json.loads((folder / "plan.schema.json").read_text(encoding="utf-8"))["required"] == [
        "goal",
        "segments",
        "sources",
    ]
    assert [path.name for path in folder.parent.iterdir()] == ["plans"]  # nothing half-made beside it


def test_init_takes_an_empty_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["init", str(tmp_path / "empty")]) == 0
    said = capsys.readouterr().out
    assert "plan.yaml" in said
    assert "Next: revplan check" in said


def test_init_refuses_a_folder_that_holds_something_and_leaves_it_untouched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    (folder / "plan.yaml").write_text("mine", encoding="utf-8")
    assert main(["init", str(folder)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "holds something already" in said.err
    assert [path.name for path in folder.iterdir()] == ["plan.yaml"]
    assert (folder / "plan.yaml").read_text(encoding="utf-8") == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_init_refuses_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    assert main(["init", str(tmp_path / "file")]) == 2
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"
    assert main(["init", str(tmp_path / "file" / "below")]) == 2
    assert "cannot be made" in capsys.readouterr().err


def test_init_that_fails_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("revplan.run.workspace.shutil.copytree", full)
    assert main(["init", str(tmp_path / "new")]) == 1
    assert list(tmp_path.iterdir()) == []


# --- as it is started ----------------------------------------------------------------------------------------


def started(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(
        [sys.executable, *arguments], capture_output=True, encoding="utf-8", cwd=folder or ROOT, env=environment
    )


def test_the_module_is_the_command(plan_file: Path) -> None:
    done = started("-m", "revplan", "plan", plan_file.name, "--json", folder=plan_file.parent)
    assert (done.returncode, done.stderr) == (0, "")
    assert one_json_object(done.stdout)["required"]["won"] == pytest.approx(75)
    broken = started("-m", "revplan", "plan", "other.yaml", folder=plan_file.parent)
    assert (broken.returncode, broken.stdout) == (2, "")
    assert "Traceback" not in broken.stderr
    assert "other.yaml: there is no such file" in broken.stderr


def test_version() -> None:
    done = started("-m", "revplan", "--version")
    assert (done.returncode, done.stdout) == (0, f"revplan {__version__}\n")


def test_help_names_the_commands() -> None:
    done = started("-m", "revplan", "--help")
    assert done.returncode == 0
    assert [name for name in ("init", "check", "plan", "report") if f"\n    {name} " not in done.stdout] == []
    assert started("-m", "revplan", "plan", "--help").returncode == 0


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from revplan.cli import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'pandas', 'numpy', 'scipy', 'matplotlib', 'pydantic', 'papermill', 'nbconvert', 'ruamel.yaml'}\n"
        "print('loaded', sorted(heavy & set(sys.modules)))\n"
    )
    done = started("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "loaded []"


def test_a_reader_that_stops_reading_is_no_fault(plan_file: Path) -> None:
    """`revplan plan ... | head -1` ends without a traceback."""
    code = (
        "import os, sys\n"
        "reading, writing = os.pipe()\n"
        "os.close(reading)\n"
        "os.dup2(writing, 1)\n"
        "from revplan.cli import main\n"
        f"sys.exit(main(['plan', {str(plan_file)!r}]))\n"
    )
    done = started("-c", code)
    assert "Traceback" not in done.stderr


# --- what nobody meant to write, and what a machine refuses ------------------------------------------------------

STRANGE = {
    "a share where a rate belongs, in a scenario too": (
        "{new_arr: 1_000_000}",
        "{opening_arr: 8e6, new_arr: 1e6, churn: 8%}",
    ),
    "no file named": ("{new_arr: 1_000_000}", "{new_arr: 1_000_000}\nhistory: {leads: }"),
    "a file named by nothing": ("{new_arr: 1_000_000}", "{new_arr: 1_000_000}\nactuals: ''"),
    "a character no path has": ("{new_arr: 1_000_000}", '{new_arr: 1_000_000}\nhistory: {leads: "a\\0b"}'),
    "a path of 300 letters": ("{new_arr: 1_000_000}", f"{{new_arr: 1_000_000}}\nactuals: {'x' * 300}"),
    "a tag that does not fit": ("{new_arr: 1_000_000}", "{new_arr: 1_000_000}\nrounding: !!bool abc"),
    "a number of 4,300 digits": ("10_000", "9" * 4301),
    "the year 1": ("2027-01", "0001-01"),
    "the year 9999": ("2027-01", "9999-01"),
    "a deal of nearly nothing": ("10_000", "5e-324"),
    "evidence of nearly nothing": ("rate: 0.4,", "rate: 0.4, evidence: 5e-324,"),
    "an id left empty": ("{id: lead}", "{id: }"),
}


@pytest.mark.parametrize("name", STRANGE)
def test_whatever_a_plan_says_is_no_fault_of_revplan(
    name: str, plan_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scenario = "scenarios: {low: {changes: [{from: sql, to: won, rate: 0.2}]}}\n"
    plan_file.write_text(PLAN.replace(*STRANGE[name]) + scenario, encoding="utf-8")
    for command in ("check", "plan", "simulate"):
        assert main([command, str(plan_file)]) == 2
        said = capsys.readouterr().err
        assert "plan.yaml" in said
        assert "revplan itself" not in said
        assert len(said) < 2000


def ran(plan: Path, *arguments: str, **options: Any) -> tuple[int, str]:
    """Exit code of `revplan plan` as a process of its own, and what it says on stderr where that is caught."""
    options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, **options}
    done = subprocess.run(
        [sys.executable, "-m", "revplan", "plan", str(plan), *arguments], text=True, check=False, **options
    )
    return done.returncode, done.stderr or ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_full_disk_is_told_where_it_can_be(plan_file: Path) -> None:
    with open("/dev/full", "w") as full:
        code, said = ran(plan_file, stdout=full)
        assert (code, "the disk is full" in said, "Traceback" in said) == (1, True, False)
        assert ran(plan_file, stderr=full)[0] == 0
        assert ran(plan_file.with_name("none.yaml"), stderr=full)[0] == 2
        assert ran(plan_file, stdout=full, stderr=full)[0] == 1


@pytest.mark.parametrize("content", ["def (", "raise RuntimeError('junk')", "x = 1"])
def test_packages_from_elsewhere_are_told(content: str, plan_file: Path) -> None:
    junk = plan_file.parent / "junk"
    junk.mkdir()
    (junk / "numpy.py").write_text(content, encoding="utf-8")
    code, said = ran(plan_file, env={**os.environ, "PYTHONPATH": str(junk)})
    assert code == 1
    assert "PYTHONPATH is set to" in said
    assert "Traceback" not in said


def test_a_path_of_packages_that_leads_nowhere_is_no_fault(plan_file: Path) -> None:
    nowhere = f"/dev/null{os.pathsep}{plan_file.parent / 'none'}"
    assert ran(plan_file, env={**os.environ, "PYTHONPATH": nowhere})[0] == 0


def test_a_path_that_no_system_takes_is_the_inputs_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "x" * 5000]) == 2
    assert "longer than the system takes" in capsys.readouterr().err


def test_too_few_files_at_a_time_are_told(plan_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda which: (20, 20))
    with pytest.raises(ReportError, match="only 20 files may be open at a time here, and a report needs"):
        running._enough_handles("scenarios")


ARRAYS = """
import resource
import numpy as np
from revplan.cli import main

def pages() -> int:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(12_000_000)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

pages()
print(pages())
main(["plan", "none.yaml"])
pages()
print(pages())
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or tuple(map(int, platform.libc_ver()[1].split("."))) < (2, 35),
    reason="other C libraries, and glibc before 2.35, keep no array so large",
)
def test_a_command_keeps_the_memory_of_its_arrays(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", ARRAYS], cwd=tmp_path, capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after < before / 10
