"""A new workspace stands on its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from revplan.ground.errors import PlanError
from revplan.run.parameters import declared
from revplan.run.workspace import blank, example_company, new_workspace


def test_the_notebooks_open_the_workspaces_own_plan(tmp_path: Path) -> None:
    import nbformat

    folder = tmp_path / "mine"
    files, _ = new_workspace(folder, example_company)
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
        new_workspace(tmp_path, example_company)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_blank_workspace_holds_nothing_of_the_example(tmp_path: Path) -> None:
    import nbformat

    from revplan.crm.presets import presets
    from revplan.ground.formats import listed
    from revplan.run.notebooks import check_trust
    from revplan.workbook.workbook import check_plan

    files, questions = new_workspace(tmp_path / "mine", blank)
    assert questions == []
    names = {path.relative_to(tmp_path / "mine").as_posix() for path in files if path.suffix != ".ipynb"}
    assert names == {"plan.yaml", "crm.yaml", "plan.schema.json", "crm.schema.json"}
    assert [path.name for path in files if b"Orrinvale" in path.read_bytes()] == []
    assert check_plan(tmp_path / "mine" / "plan.yaml") == ()
    assert f"`preset: NAME` ({listed([*presets()])})" in (tmp_path / "mine" / "crm.yaml").read_text(encoding="utf-8")
    for path in files:
        if path.suffix == ".ipynb":
            notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
            check_trust(notebook, path)  # it is the shipped one, without what it showed elsewhere
            plan = (path.parent / str(declared(notebook, path.name)["plan_path"].default)).resolve()
            assert plan == tmp_path / "mine" / "plan.yaml"
