"""A new workspace stands on its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from revplan.ground.errors import PlanError
from revplan.run.notebooks import new_workspace
from revplan.run.parameters import declared


def test_the_notebooks_open_the_workspaces_own_plan(tmp_path: Path) -> None:
    import nbformat

    folder = tmp_path / "mine"
    files = new_workspace(folder)
    notebooks = [path for path in files if path.suffix == ".ipynb"]
    assert notebooks
    for path in notebooks:
        parameters = declared(nbformat.read(path, as_version=4), path.name)  # type: ignore[no-untyped-call]
        plan = (path.parent / str(parameters["plan_path"].default)).resolve()
        assert plan.parent == folder
        assert plan.read_text(encoding="utf-8").startswith("# yaml-language-server")


def test_a_folder_in_use_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(PlanError, match="holds something already"):
        new_workspace(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
