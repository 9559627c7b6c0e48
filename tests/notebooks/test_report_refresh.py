"""Committed notebooks: run again where they stand, and the same to all that a reader sees."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from revplan.ground.errors import PlanError, ReportError
from tools import refresh

ROOT = Path(__file__).resolve().parents[2]
CELLS = [
    'plan_path = "../plan.yaml"',
    "import pandas as pd\nfrom revplan.exhibits.chart import Chart, Series\nfrom revplan.exhibits.exhibit import chart, text",
    'text(open(plan_path).read(), {"set": str({"b", "a", "c", "d"})})',
    'chart(Chart(said="It grows", form="columns", categories=("a", "b"), kind="count", '
    'series=(Series(name="x", values=(1.0, 2.0), mark="line"),)), pd.DataFrame({"x": [1, 2]}), {"x": "count"})',
    "import ipywidgets\nipywidgets.IntSlider(3)",
    "print('a'); print('b')",
]


def committed(folder: Path, *sources: str) -> Path:
    """A notebook beside a plan, as an author saves it: not run, with metadata of all sorts."""
    cells = [new_markdown_cell("# T"), *map(new_code_cell, sources)]
    cells[1].metadata["tags"] = ["parameters"]
    cells[2].metadata["execution"] = {"iopub.status.busy": "2026-11-15T10:00:00"}
    notebook = new_notebook(cells=cells, metadata={"language_info": {"name": "python", "version": "3.11.7"}})
    (folder / "notebooks").mkdir()
    (folder / "plan.yaml").write_text("name: FY27 base\n", encoding="utf-8")
    path = folder / "notebooks" / "demo.ipynb"
    nbformat.write(notebook, path)
    return path


def git(folder: Path, *words: str) -> str:
    """What git says in `folder`."""
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(["git", *identity, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout


def test_running_twice_leaves_git_clean(tmp_path: Path) -> None:
    path = committed(tmp_path, *CELLS)
    git(tmp_path, "init", "-q")
    assert refresh.refresh(path)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "made")
    first = path.read_bytes()
    assert not refresh.refresh(path)
    assert path.read_bytes() == first
    assert git(tmp_path, "status", "--porcelain") == ""


def test_a_refreshed_notebook_has_outputs_and_no_times(tmp_path: Path) -> None:
    path = committed(tmp_path, *CELLS)
    refresh.refresh(path)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    nbformat.validate(nbformat.read(path, as_version=4))
    assert notebook["metadata"] == refresh.METADATA
    assert [cell["metadata"] for cell in notebook["cells"]] == [{}, {"tags": ["parameters"]}, {}, {}, {}, {}, {}]
    assert [cell["execution_count"] for cell in notebook["cells"][1:]] == [1, 2, 3, 4, 5, 6]
    assert "name: FY27 base" in "".join(notebook["cells"][3]["outputs"][0]["data"]["text/plain"])
    assert refresh.WIDGET not in notebook["cells"][5]["outputs"][0]["data"]
    assert list((tmp_path / "notebooks").iterdir()) == [path]


def test_cells_without_ids_get_them_by_place(tmp_path: Path) -> None:
    path = committed(tmp_path, *CELLS[:3])
    old = json.loads(path.read_text(encoding="utf-8"))
    old["nbformat_minor"] = 4
    for cell in old["cells"]:
        del cell["id"]
    path.write_text(json.dumps(old), encoding="utf-8")
    assert refresh.refresh(path)
    assert not refresh.refresh(path)
    ids = [cell["id"] for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]
    assert ids == ["cell-0", "cell-1", "cell-2", "cell-3"]


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        ("1 / 0", ReportError, 'demo.ipynb, code cell 3 under "T": failed with ZeroDivisionError: division by zero'),
        ("import warnings\nwarnings.warn('old')", ReportError, r"demo.ipynb, code cell 3: warned: "),
        (
            "from revplan.ground.errors import PlanError\nraise PlanError.at('goal', 'is missing')",
            PlanError,
            "goal: is missing",
        ),
    ],
    ids=["failing", "warning", "plan"],
)
def test_a_notebook_that_fails_is_left_as_it_was(
    tmp_path: Path, source: str, kind: type[Exception], message: str
) -> None:
    path = committed(tmp_path, *CELLS[:2], source)
    before = path.read_bytes()
    with pytest.raises(kind) as error:
        refresh.refresh(path)
    assert str(error.value).startswith(message)
    assert path.read_bytes() == before


def test_the_command_names_what_it_did(tmp_path: Path) -> None:
    path = committed(tmp_path, *CELLS[:3])
    command = [sys.executable, str(ROOT / "tools" / "refresh.py"), str(path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    runs = [subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True) for _ in range(2)]
    assert [run.returncode for run in runs] == [0, 0]
    assert [run.stderr.split(": ")[-1] for run in runs] == ["refreshed\n", "unchanged\n"]


def test_the_command_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert refresh.main([str(tmp_path / "none.ipynb")]) == 1
    assert "none.ipynb: cannot be read (No such file or directory); check" in capsys.readouterr().err
    monkeypatch.setattr(refresh, "ROOT", tmp_path)
    assert refresh.main([]) == 1
    assert "notebooks: holds no notebook" in capsys.readouterr().err
    path = committed(tmp_path, *CELLS[:2], "from revplan.ground.errors import PlanError\nraise PlanError.at('goal', 'is bad')")
    assert refresh.main([]) == 2
    assert "goal: is bad\n" in capsys.readouterr().err
    assert path.exists()


# --- what counts as changed: what a reader sees, not the last digits, which differ between processors ----------

SVG = '<b>46.7 %</b><svg viewBox="0 0 9 9"><path id="{id}-0" d="M1.5 {y}L2 -0" stroke="#1f4e79"/></svg>'


def drawn(y: str, own_id: str = "r12345678") -> str:
    return SVG.format(y=y, id=own_id)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({"rows": [[1780.12380142, "mid"]]}, {"rows": [[1780.12380141, "mid"]]}),
        ([7.3e-12, 1e6, 3], [-3.0e-11, 1e6 + 1e-5, 3.0]),
        (drawn("46.73"), drawn("46.74")),
        (drawn("0.01"), drawn("0", "r87654321")),
    ],
    ids=["raw", "nothing", "drawn", "id"],
)
def test_what_no_reader_sees_is_no_change(before: object, after: object) -> None:
    assert list(refresh.differences(before, after)) == []


@pytest.mark.parametrize(
    ("before", "after", "place"),
    [
        ({"rows": [[1780.1, "mid"]]}, {"rows": [[1780.2, "mid"]]}, "/rows/0/0: was '1780.1', is '1780.2'"),
        ({"rows": [[1, 2]]}, {"rows": [[1, 2], [3, 4]]}, "/rows: was"),
        ({"a": 1}, {"b": 1}, ": was"),
        ([True], [1], "/0: was"),
        ([None], [0.0], "/0: was"),
        (["0.0"], ["0"], "/0: was '0.0', is '0'"),
        (drawn("46.7"), drawn("46.9"), ": was"),
        (drawn("46.7"), drawn("46.7").replace("46.7 %", "46.8 %"), ": was"),
        (drawn("46.7"), drawn("46.7").replace("1f4e79", "1f4e78"), ": was"),
        (drawn("46.7"), drawn("46.7").replace("L2", "L2 3L2"), ": was"),
    ],
    ids=["raw", "row", "key", "truth", "missing", "digits", "moved", "words", "colour", "points"],
)
def test_what_a_reader_sees_is_told_with_its_place(before: object, after: object, place: str) -> None:
    assert [told[: len(place)] for told in refresh.differences(before, after)] == [place]


NUMBER = "from revplan.exhibits.exhibit import table\nimport pandas as pd\n" + (
    'table(pd.DataFrame({"a": ["x"], "n": [NUMBER]}), {"a": "text", "n": "number"}, "One row")'
)


def kept_with(path: Path, numbers: list[str]) -> None:
    """The outputs stay, the code now computes other `numbers`."""
    notebook = nbformat.read(path, as_version=4)
    for cell, number in zip(notebook.cells[2:], numbers, strict=True):
        cell.source = NUMBER.replace("NUMBER", number)
    nbformat.write(notebook, path)


@pytest.mark.parametrize(("numbers", "same"), [(["1.2500000000007"], True), (["1.2501", "1.36"], False)])
def test_last_digits_fail_no_committed_notebook_and_real_changes_do(
    tmp_path: Path, numbers: list[str], same: bool
) -> None:
    path = committed(tmp_path, "x = 1", *[NUMBER.replace("NUMBER", "1.25")] * len(numbers))
    refresh.refresh(path)
    kept_with(path, numbers)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-p", "conftest", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, str(path)], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == (0 if same else 1), done.stdout
    assert len(set(re.findall(r"/rows/0/1: was '1.25', is '(\S+)'", done.stdout))) == (0 if same else len(numbers))
    before = path.read_bytes()
    assert refresh.refresh(path) is not same
    assert (path.read_bytes() == before) is same
