"""What the records give a plan."""

from __future__ import annotations

from pathlib import Path

from revplan.workbook.workbook import open_workbook

EXAMPLE = Path(__file__).parents[2] / "data" / "example"


def test_a_rate_from_the_records_says_what_it_rests_on(tmp_path: Path) -> None:
    for path in EXAMPLE.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    plan = tmp_path / "plan.yaml"
    text = plan.read_text(encoding="utf-8")
    plan.write_text(text[: text.index("transitions:")] + text[text.index("rounding: none") :], encoding="utf-8")
    book = open_workbook(plan)
    basis = {(each.from_stage, each.segment, each.source): each.basis for each in book.plan.transitions}
    assert basis["sqo", "enterprise", None].endswith("9 conversions, the delay near that of a wider group")
    assert basis["lead", None, None].endswith("conversions")
