"""Settings are held against the notebook's declared parameters, which are read and never run."""

from __future__ import annotations

import math
from datetime import date

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from revplan.ground.errors import PlanError, ReportError
from revplan.run.parameters import Parameter, checked, declared

CELL = """
# what a reader may change
plan_path = "../data/example/plan.yaml"
as_of = "2026-11-15"
title: str | None = None
label: str = "2026"
trials = 10_000
loss = -3
confidence: float = 0.8
growth: float = 1
strict = True
limits = [1, 2]
made = open("planted", "w")
import os
a = b = 3
x: int
"""


def known(source: str = CELL, tags: tuple[str, ...] = ("parameters",)) -> dict[str, Parameter]:
    """What a notebook whose only cell is `source` declares."""
    return declared(new_notebook(cells=[new_code_cell(source, metadata={"tags": list(tags)})]), "plan.ipynb")


def test_parameters_are_read_with_their_types(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert {name: parameter.type for name, parameter in known().items()} == {
        "plan_path": "str",
        "as_of": "date",
        "title": "str",
        "label": "str",
        "trials": "int",
        "loss": "int",
        "confidence": "float",
        "growth": "float",
        "strict": "bool",
    }
    assert not list(tmp_path.iterdir()), "the cell was run"


def test_a_notebook_without_the_tag_has_no_parameters() -> None:
    assert known(tags=()) == {}
    with pytest.raises(PlanError, match="report, setting trials: is not declared; this report takes no settings"):
        checked({"trials": "3"}, known(tags=()), "report")


def test_a_cell_that_cannot_be_read_is_the_notebooks_fault() -> None:
    with pytest.raises(ReportError, match=r"plan\.ipynb: the cell tagged 'parameters' cannot be read: invalid syntax"):
        known("trials = = 3")
    cells = [new_code_cell("a = 1", metadata={"tags": ["parameters"]}) for _ in range(2)]
    with pytest.raises(ReportError, match="two cells are tagged 'parameters'; keep the tag on one"):
        declared(new_notebook(cells=cells), "plan.ipynb")


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("as_of", " 2026-02-28", "2026-02-28"),
        ("title", '"; import os; os.system("touch planted")', '"; import os; os.system("touch planted")'),
        ("label", " 7 ", " 7 "),
        ("trials", "20_000", 20_000),
        ("trials", "-5", -5),
        ("confidence", "0.9", 0.9),
        ("confidence", "1", 1.0),
        ("confidence", "1e-3", 0.001),
        ("strict", "False", False),
        ("as_of", date(2026, 2, 28), "2026-02-28"),
        ("trials", 3, 3),
        ("confidence", 1, 1.0),
        ("strict", True, True),
    ],
)
def test_settings_are_read_as_the_declared_type(name: str, text: object, value: object) -> None:
    result = checked({name: text}, known(), "report")
    assert result == {name: value}
    assert type(result[name]) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("as_of", "2026-02-30", "is '2026-02-30'; it must be a day such as 2026-11-15"),
        ("as_of", "15.11.2026", "is '15.11.2026'; it must be a day such as 2026-11-15"),
        ("trials", "12,000", "is '12,000'; it must be a whole number such as 12000"),
        ("trials", "1e4", "is '1e4'; it must be a whole number such as 12000"),
        ("trials", "１２", "is '１２'; it must be a whole number such as 12000"),
        ("trials", "9" * 30, f"is '{'9' * 30}'; it must be a whole number such as 12000"),
        ("trials", True, "is 'True'; it must be a whole number such as 12000"),
        ("trials", 3.5, "is '3.5'; it must be a whole number such as 12000"),
        ("confidence", "80%", "is '80%'; it must be a number such as 0.25 or 12000"),
        ("confidence", "nan", "is 'nan'; it must be a number such as 0.25 or 12000"),
        ("confidence", "1e999", "is '1e999'; it must be a number such as 0.25 or 12000"),
        ("confidence", math.inf, "is 'inf'; it must be a number such as 0.25 or 12000"),
        ("confidence", "", "is ''; it must be a number such as 0.25 or 12000"),
        ("strict", "no", "is 'no'; it must be true or false"),
        ("title", 3, "is '3'; it must be any text"),
        ("plan_path", "other.yaml", "is set by the report itself; leave it out"),
        ("trails", "3", "is not declared; did you mean trials? The settings are as_of, title, label, trials, loss,"),
        ("limits", "3", "is not declared; The settings are as_of"),
        ("x", "1", "is not declared"),
    ],
)
def test_what_is_wrong_is_named_with_its_cure(name: str, text: object, problem: str) -> None:
    with pytest.raises(PlanError) as error:
        checked({name: text}, known(), "annual_commit")
    assert str(error.value).startswith(f"annual_commit, setting {name}: {problem}")


def test_a_name_that_is_code_is_refused() -> None:
    with pytest.raises(PlanError, match=r"setting x = 1\?import os: is not declared"):
        checked({"x = 1\nimport os": "1"}, known(), "report")


def test_every_fault_comes_in_one_error() -> None:
    with pytest.raises(PlanError) as error:
        checked({"trials": "x", "confidence": "y", "label": "fine"}, known(), "report")
    assert len(error.value.faults) == 2
