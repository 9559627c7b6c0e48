"""The annual commit end to end: plan file in, page out, and the same numbers everywhere."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest

from revplan.cli import main
from revplan.ground.formats import show
from revplan.workbook.notes import LANDS, SURE, TO_DO, WHERE
from revplan.workbook.workbook import open_workbook, plan_answer

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "data" / "example" / "plan.yaml"
OLIST = ROOT / "data" / "olist" / "plan.yaml"
OLIST_DATA = ROOT.parent / "shared" / "data" / "olist_asof"


def _words(page: str) -> str:
    """What a reader reads: no drawings, styles or tags."""
    visible = re.sub(r"<(svg|style|title)\b.*?</\1>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", visible)))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("reports")
    assert main(["report", "annual_commit", str(EXAMPLE), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == [".revplan-annual_commit.pack", "annual_commit.html"]
    return (out / "annual_commit.html").read_text(encoding="utf-8")


def test_page_one_says_what_to_sign_and_answers_a_line_each(page: str) -> None:
    words = _words(page)
    book = open_workbook(EXAMPLE)
    assert book.headline in words
    assert list(book.answers) == ["The goal", WHERE, LANDS, SURE, TO_DO]
    assert max(len(each) for each in (book.headline, *book.answers.values())) < 220  # each is read at one glance
    places = [words.index(book.headline), *(words.index(f"{label} {said}") for label, said in book.answers.items())]
    assert places == sorted(places)
    assert places[-1] < words.index("How sure it is")


def test_the_page_shows_the_numbers_of_plan_json(page: str) -> None:
    words = _words(page)
    answer = plan_answer(open_workbook(EXAMPLE))
    for stage in answer["stages"]:
        assert f"{answer['commitment'][stage]:,}" in words
        assert show(answer["value_per_entry"][stage], "money") in words
    for note in answer["notes"]:
        assert note in words


def test_every_section_of_the_issue_is_there(page: str) -> None:
    headings = re.findall(r"<h2[^>]*>(.*?)</h2>", page, flags=re.S)
    assert len(headings) == 17
    words = _words(page)
    for sentence in (
        "holds" if "checks hold" not in words else "checks hold",
        "The plan states 32 assumptions",
        "is worth",
    ):
        assert sentence in words


def test_nothing_unfinished_is_shown(page: str) -> None:
    words = _words(page)
    for wrong in ("nan", "NaN", "None", "inf ", "e+0", "Traceback"):
        assert not re.search(rf"(?<![a-z]){re.escape(wrong)}(?![a-z])", words)
    assert not re.search(r"[0-9]\.[0-9]{4,}", words)


def test_displayed_months_add_up_to_displayed_years_and_quarters(page: str) -> None:
    rows = [re.sub(r"<[^>]+>", "|", row) for row in re.findall(r"<tr>.*?</tr>", page, flags=re.S)]
    numbers = [[int(cell.replace(",", "")) for cell in re.findall(r"\|([0-9][0-9,]*)\|", row)] for row in rows]
    assert len([row for row in numbers if len(row) == 14]) == 6 + 4  # stages and sources
    months = [row[1:] for row in numbers if len(row) == 14]  # what comes before the year stands first
    assert all(sum(row[:12]) == row[12] for row in months)
    quarters = [row[:5] for row in numbers if len(row) == 6 and sum(row[:4]) == row[4]]
    for row in months[:6]:
        assert [sum(row[at : at + 3]) for at in (0, 3, 6, 9)] in [quarter[:4] for quarter in quarters]


def test_two_runs_write_the_same_bytes(page: str, tmp_path: Path) -> None:
    assert main(["report", "annual_commit", str(EXAMPLE), "--out", str(tmp_path)]) == 0
    assert (tmp_path / "annual_commit.html").read_text(encoding="utf-8") == page


def test_the_report_checks_what_billing_shows(tmp_path: Path) -> None:
    total = float(open_workbook(EXAMPLE).actual["new"].sum())  # type: ignore[index]
    assert (
        main(
            ["report", "annual_commit", str(EXAMPLE), "--out", str(tmp_path), "--set", f"billing_total={total - 1000}"]
        )
        == 0
    )
    words = _words((tmp_path / "annual_commit.html").read_text(encoding="utf-8"))
    assert "6 of 7 checks hold" in words
    assert "differs by +1,000" in words


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "a b", "ANNUAL"])
def test_a_report_name_cannot_leave_its_folder(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", name, str(EXAMPLE), "--out", str(tmp_path / "out")]) == 2
    assert "is not a name" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not OLIST_DATA.is_dir(), reason="the public records are not beside this project")
def test_the_report_runs_on_real_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "annual_commit", str(OLIST), "--out", str(tmp_path)]) == 0
    words = _words((tmp_path / "annual_commit.html").read_text(encoding="utf-8"))
    assert "Qualified leads" in words
    assert "3,143" in words  # records read
    capsys.readouterr()
    assert main(["plan", str(OLIST), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["required"]["won"] == pytest.approx(1500)
    first = answer["shortfall"][0]
    assert first["won"] == 73_000  # 73 wins in January 2018, counted by hand in the file
    assert first["open_pipeline"] > 0
