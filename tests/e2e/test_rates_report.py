"""The page of what the records support, on the example company and on public records."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from revplan.cli import main
from revplan.ground.formats import show
from revplan.rates.book import open_history

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "data" / "example" / "plan.yaml"
OLIST = ROOT / "data" / "olist" / "plan.yaml"
OLIST_DATA = ROOT.parent / "shared" / "data" / "olist_asof"


def rendered(plan: Path, out: Path, *more: str) -> str:
    assert main(["report", "rates", str(plan), "--out", str(out), *more]) == 0
    page = (out / "rates.html").read_text(encoding="utf-8")
    visible = re.sub(r"<(svg|style|title)\b.*?</\1>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", visible)))


def test_the_page_shows_the_rates_of_the_records(tmp_path: Path) -> None:
    words = rendered(EXAMPLE, tmp_path)
    book = open_history(EXAMPLE)
    for row in book.steps.to_dict("records"):
        assert show(row["rate"], "share") in words
    assert "8,271 records support 5 of 5 steps" in words
    assert "8,271 rows were read and 0 set aside" in words
    assert "wins are expected by" in words
    assert "replays the forecast was off by" in words
    assert not re.search(r"\bnan\b|\bNone\b|[0-9]\.[0-9]{4,}", words)


def test_another_step_and_day_may_be_asked_for(tmp_path: Path) -> None:
    words = rendered(EXAMPLE, tmp_path, "--set", "from_stage=sal", "--set", "as_of=2026-06-30")
    assert re.search(r"sal to sqo: the \d cohorts drawn that had time to settle reached", words)
    assert "30 Jun 2026" in words


@pytest.mark.skipif(not OLIST_DATA.is_dir(), reason="the public records are not beside this project")
def test_late_recording_is_said_and_not_drawn_as_failure(tmp_path: Path) -> None:
    words = rendered(OLIST, tmp_path)
    assert "3,143 records support 0 of 1 step with rates that had time to settle" in words
    assert "only 3 outcomes are recorded before 2018-01-08, far fewer than later ones lead to expect" in words
    assert "the records are too young or too few to draw its curves" in words
