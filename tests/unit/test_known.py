"""Records held against the plan: what does not fit is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from revplan.workbook import check_plan, open_workbook

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


def test_a_rate_from_the_records_says_what_it_rests_on(tmp_path: Path) -> None:
    for path in EXAMPLE.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    plan = tmp_path / "plan.yaml"
    text = plan.read_text(encoding="utf-8")
    plan.write_text(text[: text.index("transitions:")] + text[text.index("rounding: none") :], encoding="utf-8")
    book = open_workbook(plan)
    basis = {(each.from_stage, each.segment, each.source): each.basis for each in book.plan.transitions}
    assert basis["sqo", "enterprise", None].endswith("9 conversions, the delay of a wider group")
    assert basis["lead", None, None].endswith("conversions")
