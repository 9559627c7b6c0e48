"""The report made from the simulator: what goes wrong is said in words, and nothing is left beside the plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from revplan.app.printing import Printer, report_pdf
from revplan.errors import RevplanError
from revplan.plan.model import Scenario
from revplan.workspace import new_workspace


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """The example company's plan, in a workspace."""
    new_workspace(tmp_path / "workspace")
    return tmp_path / "workspace" / "plan.yaml"


def test_a_plan_that_is_at_fault_is_told_line_by_line(plan: Path) -> None:
    before = sorted(plan.parent.rglob("*"))
    told: list[str] = []
    with pytest.raises(RevplanError, match=r"confidence: .*80") as caught:
        report_pdf(plan, plan.read_text(encoding="utf-8").replace("confidence: 0.8}", "confidence: 80}"), told.append)
    assert "revplan: the input needs a change" in str(caught.value)
    assert told
    assert sorted(plan.parent.rglob("*")) == before


def test_a_name_no_file_may_have_is_refused_before_anything_runs() -> None:
    def present() -> tuple[str, Scenario]:
        raise RevplanError.at("name", "got '../evil'; use letters")

    printer = Printer(None, present)
    printer.button.click()
    assert 'role="alert">name: got &#x27;../evil&#x27;; use letters' in printer.said.value
    assert not printer.button.disabled
