"""run.py: what it checks, what it removes, what it skips. Nothing here touches a network."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
FAKE_UV = """#!/bin/sh
echo "$@" >> "{calls}"
echo "{says}"
exit {code}
"""
HIDE = """
import runpy, sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.modules.pop({name!r}, None)
sys.meta_path.insert(0, Hidden())
sys.argv = ["run.py", "test"]
runpy.run_path("run.py", run_name="__main__")
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with run.py and just enough beside it."""
    (tmp_path / "run.py").write_bytes((ROOT / "run.py").read_bytes())
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "requirements.lock").write_text("")
    return tmp_path


@pytest.fixture
def run(checkout: Path) -> ModuleType:
    """run.py of `checkout`, imported."""
    return _imported(checkout / "run.py")


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("run_under_test", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _fake_uv(folder: Path, monkeypatch: pytest.MonkeyPatch, code: int = 0, says: str = "") -> Path:
    """The file in which a fake `uv`, first on PATH, notes how it was called."""
    if os.name == "nt":
        pytest.skip("the fake uv is a shell script")
    calls, script = folder / "calls.txt", folder / "bin" / "uv"
    script.parent.mkdir(exist_ok=True)
    script.write_text(FAKE_UV.format(calls=calls, says=says, code=code))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    return calls


@pytest.mark.parametrize("name", ["venv", "ensurepip"])
def test_missing_module_is_one_line_and_nothing_is_written(checkout: Path, name: str) -> None:
    before = sorted(checkout.iterdir())
    done = subprocess.run(
        [sys.executable, "-B", "-c", HIDE.format(name=name)], cwd=checkout, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"run.py: this Python lacks `{name}`; install it, then run the same command again "
        "(Debian, Ubuntu: sudo apt install python3-venv)\n"
    )
    assert sorted(checkout.iterdir()) == before


@pytest.mark.parametrize("version", [(3, 10), (3, 14)])
def test_other_pythons_are_refused_by_name(run: ModuleType, version: tuple[int, int]) -> None:
    with pytest.raises(run.SetupError, match=rf"Python 3\.{version[1]} is outside 3\.11 to below 3\.14") as caught:
        run.check_python(version)
    assert caught.value.code == 2


def test_range_is_that_of_the_project(run: ModuleType) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == f">={run.dotted(run.OLDEST)},<{run.dotted(run.TOO_NEW)}"


def test_half_made_venv_is_removed(run: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    run.PYTHON.parent.mkdir(parents=True)
    run.PYTHON.touch()
    run.make_venv()
    assert list(run.VENV.iterdir()) == []
    assert capsys.readouterr().out == "Removing a half-made .venv.\nFirst time: 1 to 3 minutes.\n"


def test_whole_venv_of_another_lock_is_kept_but_loses_its_stamp(run: ModuleType) -> None:
    run.PYTHON.parent.mkdir(parents=True)
    run.PYTHON.touch()
    run.STAMP.write_text("of another lock")
    run.make_venv()
    assert run.PYTHON.exists()
    assert not run.STAMP.exists()


@pytest.mark.parametrize("changed", ["requirements.lock", "pyproject.toml"])
def test_stamp_follows_the_files(run: ModuleType, checkout: Path, changed: str) -> None:
    run.PYTHON.parent.mkdir(parents=True)
    run.PYTHON.touch()
    assert not run.is_ready(run.fingerprint())
    run.STAMP.write_text(run.fingerprint() + "\n")
    assert run.is_ready(run.fingerprint())
    (checkout / changed).write_text("# changed\n")
    assert not run.is_ready(run.fingerprint())


def test_stamp_without_python_is_not_ready(run: ModuleType) -> None:
    run.VENV.mkdir()
    run.STAMP.write_text(run.fingerprint())
    assert not run.is_ready(run.fingerprint())


def test_set_up_with_uv_then_nothing_more_to_do(
    run: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = _fake_uv(checkout, monkeypatch)
    assert run.main(["setup"]) == 0
    sync, own = calls.read_text().splitlines()
    assert sync.startswith("pip sync -q --compile-bytecode")
    assert "--require-hashes" in sync
    assert own.startswith("pip install")
    assert own.endswith(f"--no-build-isolation --no-deps -e {checkout}")
    assert run.PYTHON.exists()
    assert "First time: 1 to 3 minutes.\n[1/3] Making .venv\n" in capsys.readouterr().out
    assert run.main(["setup"]) == 0
    assert capsys.readouterr().out == ""
    assert len(calls.read_text().splitlines()) == 2


def test_no_network_is_one_line(
    run: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _fake_uv(checkout, monkeypatch, code=1, says="error: dns error: failed to look up address")
    assert run.main(["setup"]) == 1
    assert capsys.readouterr().err == (
        "run.py: Installing the packages of requirements.lock: no connection to the package index. "
        f"Check network and proxy, then run it again. All it said is in {Path('.venv/setup.log')}\n"
    )
    assert not run.STAMP.exists()


@pytest.mark.parametrize(
    ("output", "line"),
    [
        ("working\nNo space left on device.\n\n", "No space left on device"),
        (
            "  OSError: Readme file does not exist\nerror: build-failed\nhint: see above",
            "OSError: Readme file does not exist",
        ),
        ("", "no output"),
    ],
)
def test_other_failures_show_the_telling_line(run: ModuleType, output: str, line: str) -> None:
    assert run.explanation("Adding pip", output).startswith(f"Adding pip failed: {line}. ")


def test_pip_checks_hashes_and_adds_nothing_of_its_own(run: ModuleType) -> None:
    steps = dict(run.install_steps(None))
    locked = steps["Installing the packages of requirements.lock"]
    assert {"--require-hashes", "--no-deps"} < set(locked)
    assert {"--no-build-isolation", "--no-deps", "-e"} < set(steps["Installing revplan itself"])


def test_compiled_files_are_written_whatever_the_environment_says(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in run.child_environment()


def test_test_command_covers_notebooks_unless_a_place_is_named(run: ModuleType, checkout: Path) -> None:
    (checkout / "tests").mkdir()
    assert run.commands("test", ["-x"])[-1][-3:] == ["tests", "notebooks", "-x"]
    assert "--dist" in run.commands("test", ["-x"])[-1]
    assert "--dist" not in run.commands("test", ["tests::test_one"])[-1]  # starting two processes takes longer
    assert run.commands("test", ["tests::test_one"])[-1][-1] == "tests::test_one"
    assert "notebooks" not in run.commands("test", ["tests::test_one"])[-1]


def test_help_names_every_command(run: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert run.main(["help"]) == 0
    shown = capsys.readouterr().out
    assert [name for name in run.ABOUT if f"\n  {name} " not in shown] == []


def test_unknown_command_is_the_callers_fault(run: ModuleType) -> None:
    assert run.main(["rpeort"]) == 2


def test_all_commands_run_and_the_first_failure_counts(run: ModuleType, tmp_path: Path) -> None:
    exits = [[sys.executable, "-c", f"raise SystemExit({code})"] for code in (0, 3, 4)]
    assert run.run_all(exits, tmp_path) == 3


# --- other processors ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def processors() -> ModuleType:
    spec = importlib.util.spec_from_file_location("processors", ROOT / "tests" / "processors.py")
    assert spec
    assert spec.loader
    module = sys.modules["processors"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


AVX512 = ["X86_V2", "X86_V3", "X86_V4", "AVX512_ICL"]


@pytest.mark.parametrize(
    ("features", "possible", "two"),
    [
        (AVX512, 12, [("Nehalem", "X86_V3 X86_V4 AVX512_ICL"), ("SkylakeX", "")]),
        (AVX512[:3], 4, [("Nehalem", ""), ("SkylakeX", "")]),
        (AVX512[:2], 3, [("Nehalem", ""), ("Haswell", "")]),
        (["ASIMD"], 0, []),
    ],
    ids=["icelake", "skylake", "haswell", "arm"],
)
def test_a_machine_stands_for_the_processors_whose_instructions_it_has(
    processors: ModuleType, features: list[str], possible: int, two: list[tuple[str, str]]
) -> None:
    reasons = [each.lacking(features) for each in processors.ALL]
    assert len(reasons) == 12
    assert reasons.count("") == possible
    assert all(reason.startswith("this machine has no ") for reason in reasons if reason)
    assert [(each.kernels, each.without) for each in processors.most_different(features)] == two


def test_the_environment_says_which_processor_is_stood_for(
    processors: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NPY_DISABLE_CPU_FEATURES", "X86_V4")
    found = {str(each): each.environment for each in processors.ALL}
    old = found["OpenBLAS as on Nehalem, numpy without X86_V4 AVX512_ICL"]
    assert (old["OPENBLAS_CORETYPE"], old["NPY_DISABLE_CPU_FEATURES"]) == ("Nehalem", "X86_V4 AVX512_ICL")
    assert "NPY_DISABLE_CPU_FEATURES" not in found["OpenBLAS as on Zen, numpy with all it has"]


def test_what_cannot_be_stood_for_is_named_and_no_failure(
    processors: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processors, "features_here", lambda: ["ASIMD"])
    assert processors.main([]) == 0
    assert capsys.readouterr().out.count(": skipped, this machine has no ") == 12


def test_a_failure_on_one_processor_fails_the_command(
    processors: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    there = tmp_path / "test_kernels.py"
    there.write_text("import os\ndef test_it(): assert os.environ['OPENBLAS_CORETYPE'] != 'Haswell'\n")
    monkeypatch.setattr(processors, "PYTEST", [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"])
    monkeypatch.setattr(processors, "ALL", [each for each in processors.ALL if not each.without])
    monkeypatch.setattr(processors, "features_here", lambda: AVX512[:2])
    assert processors.main([str(there)]) == 1
    closing = capsys.readouterr().out.strip().splitlines()[-4:]
    assert [line.split(": ")[1].split(" ")[0].rstrip(",") for line in closing] == [
        "passed",
        "FAILED",
        "skipped",
        "passed",
    ]


def test_the_tests_of_floats_are_there(processors: ModuleType) -> None:
    found = processors.float_heavy()
    assert all((ROOT / path).exists() for path in found)
    assert {"notebooks", "tests/unit/test_what_if.py", "tests/unit/test_model_commit.py"} < set(found)
    assert all(any((ROOT / "tests/unit").glob(f"test_{each}*.py")) for each in processors.SUBJECTS)


# --- both ends of the ranges -----------------------------------------------------------------------------------


def test_ranges_installs_each_end_anew_and_runs_the_tests_there(
    run: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls, tests = _fake_uv(checkout, monkeypatch), checkout / "tests.txt"
    for end in ("oldest", "newest"):
        python = checkout / f".venv-{end}" / run.PYTHON.relative_to(run.VENV)
        python.parent.mkdir(parents=True)
        python.write_text(f'#!/bin/sh\necho {end} "$@" >> "{tests}"\n', encoding="utf-8")
        python.chmod(0o755)
    assert run.main(["ranges", "-k", "lag"]) == 0
    asked = calls.read_text(encoding="utf-8").splitlines()
    assert [line.split()[0] for line in asked] == ["venv", "pip", "pip"] * 2
    assert "--resolution lowest-direct" in asked[1]
    assert asked[1].endswith(f"-e {checkout}[app,deck,excel,dev]")
    assert "--resolution highest" in asked[4]
    oldest, newest = tests.read_text(encoding="utf-8").splitlines()
    assert oldest.startswith("oldest -m pytest --nbval-lax")
    assert newest.endswith("-k lag")
    assert not run.VENV.exists()


def test_ranges_of_one_end_stops_where_it_cannot_be_installed(
    run: ModuleType, checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = _fake_uv(checkout, monkeypatch, code=3)
    assert run.main(["ranges", "newest"]) == 3
    assert len(calls.read_text(encoding="utf-8").splitlines()) == 1


def test_ranges_needs_uv(run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "")
    assert run.main(["ranges"]) == 2
    assert capsys.readouterr().err == "run.py: `ranges` needs uv on the PATH: pip install uv\n"
