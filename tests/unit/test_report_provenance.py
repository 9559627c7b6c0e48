"""What a report was made from stands in it, and tells nothing of the machine."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from revplan.crm.planfile import read_plan
from revplan.exhibits.provenance import colophon, fingerprint, provenance
from revplan.ground.version import __version__

FY26 = Path(__file__).parents[2] / "data" / "example" / "plan_fy26.yaml"


def files(folder: Path, **contents: str) -> list[Path]:
    """Files of `folder`, by name without `.csv`."""
    folder.mkdir(exist_ok=True)
    paths = [folder / f"{name}.csv" for name in contents]
    for path, content in zip(paths, contents.values(), strict=True):
        path.write_text(content, encoding="utf-8")
    return paths


def test_a_fingerprint_is_of_names_and_contents_wherever_they_lie(tmp_path: Path) -> None:
    found = fingerprint(files(tmp_path / "one", a="1", b="2"))
    assert len(found) == 12
    assert found == fingerprint(files(tmp_path / "two", a="1", b="2"))
    others = [{"a": "1", "b": "3"}, {"a": "1", "c": "2"}, {"a": "12", "b": ""}, {"a": "2", "b": "1"}]
    assert found not in {fingerprint(files(tmp_path / f"other{at}", **each)) for at, each in enumerate(others)}
    assert fingerprint([]) == ""


def test_the_settings_are_told_but_no_place_of_this_machine(tmp_path: Path) -> None:
    settings = {
        "plan_path": str(FY26),
        "against": str(tmp_path / "FY26 2025-11-28"),
        "as_of": "2026-09-30",
        "quarter": "2026-Q3",
        "segment": "",
        "audience": "board",
    }
    told = provenance("board_report", read_plan(FY26), FY26, [], settings)
    assert told == {
        "report": "board_report",
        "plan": "Orrinvale Software FY26",
        "plan_date": "15 Nov 2025",
        "as_of": "2026-09-30",
        "against": "FY26 2025-11-28",
        "plan_fingerprint": fingerprint([FY26]),
        "data_fingerprint": "",
        "revplan": __version__,
        "parameters": "audience=board, quarter=Jul-Sep 2026 (Q3 FY26)",
    }


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_in_which_a_plan_names_its_files_does_not_matter(tmp_path: Path, order: int) -> None:
    inputs = files(tmp_path, a="1", b="2")[::order]
    told = provenance("x", read_plan(FY26), FY26, inputs, {})
    assert told["data_fingerprint"] == fingerprint(sorted(inputs))


def test_a_colophon_leaves_out_what_is_not_known() -> None:
    notebook = SimpleNamespace(metadata={"revplan": {"report": "x\x00", "as_of": "", "plan": "FY26"}})
    assert colophon(notebook) == {"Report": "x", "Plan": "FY26"}
    assert colophon(SimpleNamespace(metadata={})) == {}
