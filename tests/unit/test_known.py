"""Records held against the plan: what does not fit is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from revplan.workbook import check_plan

EXAMPLE = Path(__file__).parents[2] / "data" / "example"


@pytest.fixture
def changed(tmp_path: Path):
    def make(old: str, new: str) -> str:
        for path in EXAMPLE.iterdir():
            (tmp_path / path.name).write_bytes(path.read_bytes())
        plan = tmp_path / "plan.yaml"
        plan.write_text(plan.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
        return "\n".join(check_plan(plan))

    return make


def test_a_segment_the_records_do_not_know_is_named(changed) -> None:
    said = changed("smb", "small")
    assert "records are of segment smb, which the plan does not name: they count as 0; no record is of small" in said


def test_a_deal_of_another_size_is_named(changed) -> None:
    assert "Segment mid: a deal is 29 in the plan, and 28,910" in changed("mean: 29_000", "mean: 29")


def test_a_plan_date_a_year_early_is_named(changed) -> None:
    assert "is the plan date right?" in changed("plan_date: 2026-11-15", "plan_date: 2025-11-15")


def test_the_example_fits_its_records(changed) -> None:
    assert "look at this" not in changed("nothing", "nothing")
