"""The packs that were shown: kept on purpose, never replaced, read back as they were, and told beside today's records."""

from __future__ import annotations

import json
import os
import shutil
import threading
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_company import LEADS, small_book

from revplan.cli.commands import main
from revplan.exhibits import summary
from revplan.ground.errors import PlanError
from revplan.ground.values import FrozenDict
from revplan.record import packs
from revplan.record.packs import Ask, Pack, checked_packs, keep, read_packs
from revplan.record.signed import versions
from revplan.tracking.book import open_before, open_board

JULY = date(2026, 7, 14)
FIGURES = {
    "goal 2026 plan": 12_000.0,
    "landing 2026 expected": 9_000.0,
    "landing_low 2026 expected": 7_000.0,
    "landing_high 2026 expected": 11_000.0,
    "chance 2026 simulated": 0.25,
    "signed 2026 to sign": 80.0,
    "landing 2026 as known on 31 Mar 2026": 10_000.0,
}
ASKS = (Ask(what="web is behind", owner="marketing", ask="bring web back", size=1_500.0),)


def pack(**other: Any) -> Pack:
    of_quarter = {
        "report": "board_report",
        "plan": "../../etc/<script>",
        "plan_file": "plan.yaml",
        "currency": "USD",
        "year": "2026",
        "period": "2026-Q2",
        "label": "Apr-Jun 2026 (Q2 FY26)",
        "as_of": date(2026, 6, 30),
        "shown_on": JULY,
        "pack": "0123456789ab",
        "revplan": "0.5.0",
        "code": versions().code,
        "figures": FrozenDict(FIGURES),
        "asks": ASKS,
        "files": FrozenDict(),
    }
    return Pack.model_validate({**of_quarter, **other})


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """Where a plan lies; what is kept beside it asks for no more."""
    path = tmp_path / "plan.yaml"
    path.touch()
    return path


FILES = {"board_report.html": b"<p>shown</p>"}


def test_what_is_kept_is_read_back_and_tells_its_figures(plan: Path) -> None:
    made = keep(plan, pack(), FILES)
    (found,) = checked_packs(plan)
    assert found == made
    assert (made.folder / "board_report.html").read_bytes() == FILES["board_report.html"]
    assert made.folder.parent == plan.parent / "packs"
    assert made.folder.name.startswith("2026-07-14-board_report-2026-Q2-")
    told = [found.pack.told(name) for name in ("landing", "landing_low", "landing_high", "chance", "commit", "goal")]
    assert told == [9_000.0, 7_000.0, 11_000.0, 0.25, 80.0, 12_000.0]
    assert [each.name for each in (plan.parent / "packs").iterdir()] == [made.folder.name]  # nothing half made is left


def test_the_annual_commit_tells_its_landing_by_goal_and_gap() -> None:
    figures = {"goal 2027 plan": 100.0, "landing_gap 2027 of the expected commit": -7.0}
    of_year = pack(year="2027", period="2027", figures=FrozenDict(figures))
    assert of_year.told("landing") == pytest.approx(93.0)
    assert of_year.told("chance") is None


def test_the_same_again_changes_nothing_and_another_of_that_day_is_refused(plan: Path) -> None:
    first = keep(plan, pack(), FILES)
    assert keep(plan, pack(), FILES) == first
    assert keep(plan, pack(shown_on=date(2026, 7, 20)), FILES) == first  # shown once more is no other edition
    with pytest.raises(PlanError, match=r"is not replaced; .* --on 2026-07-15"):
        keep(plan, pack(), {**FILES, "board_report.pdf": b"more"})
    with pytest.raises(PlanError, match="is not replaced"):
        keep(plan, pack(pack="ba9876543210"), {"board_report.html": b"other"})
    assert [each.folder for each in checked_packs(plan)] == [first.folder]


def test_a_second_edition_of_another_day_stands_beside_the_first(plan: Path) -> None:
    first = keep(plan, pack(), FILES)
    second = keep(plan, pack(pack="ba9876543210", shown_on=date(2026, 7, 16)), {"board_report.html": b"corrected"})
    assert [each.folder for each in checked_packs(plan)] == [first.folder, second.folder]
    assert (first.folder / "board_report.html").read_bytes() == FILES["board_report.html"]


def test_of_two_who_keep_at_once_one_is_kept_for_the_day(plan: Path) -> None:
    start, refused = threading.Barrier(2), []

    def keep_it(number: int) -> None:
        start.wait()
        try:
            keep(plan, pack(pack=f"{number:012d}"), {"board_report.html": str(number).encode()})
        except PlanError as error:
            refused.append(error)

    people = [threading.Thread(target=keep_it, args=[number]) for number in range(2)]
    for each in people:
        each.start()
    for each in people:
        each.join()
    assert len(checked_packs(plan)) == len(refused) == 1


def test_a_pack_is_not_shown_before_the_last_day_it_knows(plan: Path) -> None:
    with pytest.raises(PlanError, match=r"--on: got 29 Jun 2026, but the pack knows what came up to 30 Jun 2026"):
        keep(plan, pack(shown_on=date(2026, 6, 29)), FILES)
    assert not (plan.parent / "packs").exists()


@pytest.mark.parametrize("name", ["../escaped", "a/b", "a\\b", "", ".hidden", "nul\0", "x" * 100])
def test_nothing_that_leads_elsewhere_becomes_part_of_a_path(name: str) -> None:
    for key in ("report", "period", "year"):
        with pytest.raises(ValueError, match=key):
            pack(**{key: name})
    with pytest.raises(ValueError, match="files"):
        pack(files={name: "0" * 64})


def test_every_strange_thing_in_the_archive_is_named_at_once(plan: Path, tmp_path: Path) -> None:
    kept = keep(plan, pack(), FILES)
    second = keep(plan, pack(pack="ba9876543210", shown_on=date(2026, 7, 16)), FILES)
    folder = kept.folder.parent
    (folder / ".DS_Store").write_text("left by a system")
    assert len(checked_packs(plan)) == 2
    (kept.folder / "board_report.html").write_text("another")
    (kept.folder / "notes.txt").write_text("mine")
    (second.folder / "board_report.html").unlink()
    with pytest.raises(PlanError) as error:
        checked_packs(plan)
    told = "\n".join(map(str, error.value.faults))
    assert len(error.value.faults) == 3
    assert "board_report.html: was changed after it was kept" in told
    assert "notes.txt: is not of the pack; take it out" in told
    assert "board_report.html: is missing" in told
    assert len(read_packs(plan)) == 2  # figures are read without the printed files

    (folder / "budget.xlsx").write_text("mine")
    (folder / "empty").mkdir()
    (folder / "link").symlink_to(tmp_path)
    broken = folder / "2026-01-01-board_report-2026-Q1-00000000"
    broken.mkdir()
    (broken / "pack.json").write_text('{"format": 1, "report": "../x"}')
    shutil.copytree(second.folder, folder / "renamed")
    text = json.loads((second.folder / "pack.json").read_text())
    text["figures"]["landing 2026 expected"] = 1e6
    (second.folder / "pack.json").write_text(json.dumps(text))
    with pytest.raises(PlanError) as error:
        read_packs(plan)
    told = "\n".join(map(str, error.value.faults))
    assert len(error.value.faults) == 6
    for wrong in (
        "packs/budget.xlsx: is no pack",
        "packs/empty: is no pack: it has no pack.json",
        "packs/link: is no pack",
        "2026-Q1-00000000/pack.json: is not what this version of revplan keeps (report)",
        "packs/renamed/pack.json: was changed, or its folder renamed",
        f"packs/{second.folder.name}/pack.json: was changed",
    ):
        assert wrong in told
    with pytest.raises(PlanError, match="is no pack"):  # nothing is kept beside what cannot be told
        keep(plan, pack(pack="cccccccccccc", shown_on=date(2026, 8, 1)), FILES)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system knows no pipes")
def test_nothing_waits_for_a_pipe_and_no_link_is_followed(plan: Path, tmp_path: Path) -> None:
    kept = keep(plan, pack(), FILES)
    (kept.folder / "board_report.html").unlink()
    os.mkfifo(kept.folder / "board_report.html")
    with pytest.raises(PlanError, match="was changed"):
        checked_packs(plan)
    shutil.rmtree(kept.folder.parent)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "packs").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PlanError, match="is no folder of its own"):
        keep(plan, pack(), FILES)
    assert not list((tmp_path / "elsewhere").iterdir())


def test_a_run_that_is_stopped_leaves_nothing_that_counts(plan: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(packs.Path, "rename", full)
    with pytest.raises(OSError, match="No space"):
        keep(plan, pack(), FILES)
    assert read_packs(plan) == []


# --- what a later report says of it --------------------------------------------------------------------


def test_the_next_report_shows_what_was_shown_beside_todays_records(tmp_path: Path) -> None:
    small_book(tmp_path)
    path = tmp_path / "plan.yaml"
    before = open_board(path, "Q1 FY26", "2026-03-31")
    honest = {
        "landing 2026 expected": summary.landing_rows(before).iloc[0]["landing"],
        "landing_low 2026 expected": summary.landing_rows(before).iloc[0]["landing_low"],
        "landing_high 2026 expected": summary.landing_rows(before).iloc[0]["landing_high"],
        "chance 2026 simulated": summary.landing_figures(before)["chance"].value,
        "signed 2026 to sign": summary.signed(before).value,
        "goal 2026 plan": 12_000.0,
    }
    of_q1 = {"period": "2026-Q1", "label": "Q1", "as_of": date(2026, 3, 31), "shown_on": date(2026, 4, 14)}
    keep(path, pack(**of_q1, figures=FrozenDict(honest)), FILES)
    book = open_board(path, "Q2 FY26", "2026-06-30")
    row = summary.history(book).table.set_index("as_of").loc["31 Mar 2026"]
    assert (row["shown_on"], row["differs"]) == ("14 Apr 2026", "nothing")
    assert row["landing"] == pytest.approx(row["again"])

    (tmp_path / "leads.csv").write_text(f"{LEADS}6,a,2026-01-02,2026-01-10,2026-03-03,,4000\n")  # entered afterwards
    book = open_board(path, "Q2 FY26", "2026-06-30")
    made = summary.history(book)
    row = made.table.set_index("as_of").loc["31 Mar 2026"]
    assert row["landing"] == pytest.approx(honest["landing 2026 expected"])
    assert row["again"] > row["landing"]
    assert row["differs"] == "the records"
    assert "shown on 14 Apr 2026 would be" in made.message
    ids = {each.id: each.value for _, _, each in made.figures}
    assert ids["landing 2026 as shown on 14 Apr 2026"] == pytest.approx(row["landing"])
    assert ids["landing 2026 as known on 31 Mar 2026"] == pytest.approx(row["again"])
    lines = summary.summary(book, open_before(book)).table["value"]
    assert any("The forecast shown on 14 Apr 2026 has moved by" in str(line) for line in lines)
    asked = summary.asked_before(book, open_before(book))
    assert asked.table["ask"].tolist() == ["bring web back"]
    assert asked.table["size_then"].tolist() == pytest.approx([1_500.0])
    assert "As asked in the pack of Q1 that was shown on 14 Apr 2026." in asked.notes


def test_where_no_pack_is_kept_the_report_says_that_it_is_worked_out_again(tmp_path: Path) -> None:
    small_book(tmp_path)
    book = open_board(tmp_path / "plan.yaml", "Q2 FY26", "2026-06-30")
    made = summary.history(book)
    assert "shown_on" not in made.table.columns
    assert made.notes == (
        "Days without a pack are worked out again from today's records and rates, not taken from what was shown.",
    )
    asked = summary.asked_before(book, open_before(book))
    assert any("worked out from today's records" in note for note in asked.notes)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"baseline": "f" * 64}, "another plan of record"),
        ({"revplan": "0.1.0", "code": "0" * 64}, "revplan (0.1.0 then)"),
        ({}, "the plan"),
    ],
)
def test_what_changed_since_is_named(other: dict[str, str], said: str, tmp_path: Path) -> None:
    small_book(tmp_path)
    of_q1 = {"period": "2026-Q1", "label": "Q1", "as_of": date(2026, 3, 31), "shown_on": date(2026, 4, 14)}
    keep(tmp_path / "plan.yaml", pack(**of_q1, **other), FILES)
    made = summary.history(open_board(tmp_path / "plan.yaml", "Q2 FY26", "2026-06-30"))
    assert said in made.table["differs"].tolist()[0].split(", ")


def test_packs_of_other_years_segments_and_plans_are_not_this_history(tmp_path: Path) -> None:
    small_book(tmp_path)
    path = tmp_path / "plan.yaml"
    for number, other in enumerate(({"year": "2025"}, {"segment": "a"}, {"plan_file": "other.yaml"})):
        keep(path, pack(**{"as_of": date(2026, 3, 31), "pack": f"{number:012d}", **other}), FILES)
    assert open_board(path, "Q3 FY26", "2026-09-30").packs == []


# --- the command ---------------------------------------------------------------------------------------


def test_packs_tells_the_history_in_a_line_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_book(tmp_path)
    path = str(tmp_path / "plan.yaml")
    assert main(["packs", path]) == 0
    assert "No pack of this plan is kept" in capsys.readouterr().out
    keep(Path(path), pack(), FILES)
    keep(Path(path), pack(plan_file="other.yaml"), FILES)
    assert main(["packs", path]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "14 Jul 2026 board_report Apr-Jun 2026 (Q2 FY26) 30 Jun 2026 $9k ($7k to $11k) 25% 80" in told
    assert "Marketing: bring web back" in told
    assert "Packs of other plans lie in packs too: other.yaml." in told
    assert main(["packs", path, "--json"]) == 0
    (line,) = json.loads(capsys.readouterr().out)["packs"]
    assert (line["landing"], line["chance"], line["commit"], line["shown_on"]) == (9_000.0, 0.25, 80.0, "2026-07-14")
    assert line["asks"][0]["ask"] == "bring web back"
    (Path(path).parent / "packs" / "strange").write_text("x")
    assert main(["packs", path]) == 2
    assert "packs/strange: is no pack" in capsys.readouterr().err


def test_a_report_is_kept_when_asked_and_a_draft_is_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_book(tmp_path)
    path, out = str(tmp_path / "plan.yaml"), tmp_path / "out"
    (tmp_path / "commentary.yaml").write_text(
        "comments:\n- {exhibit: risks_and_asks, text: Agreed on the phone., owner: Ana, date: 2026-04-02}\n"
    )
    asked = ["report", "board_report", path, "--set", "quarter=Q1 FY26", "--set", "as_of=2026-03-31", "--out", str(out)]
    assert main([*asked, "--on", "2026-04-14"]) == 2
    assert "add --keep" in capsys.readouterr().err
    assert main(asked) == 0
    assert not (tmp_path / "packs").exists()
    assert main([*asked, "--keep", "--on", "2026-04-14", "--json"]) == 0
    printed = [Path(each) for each in json.loads(capsys.readouterr().out.splitlines()[-1])["files"]]
    assert [each.name for each in printed] == ["board_report.html", "pack.json"]
    (kept,) = checked_packs(Path(path))
    assert (kept.folder / "board_report.html").read_bytes() == (out / "board_report.html").read_bytes()
    assert (kept.pack.period, kept.pack.as_of, kept.pack.shown_on) == ("2026-Q1", date(2026, 3, 31), date(2026, 4, 14))
    assert kept.pack.comments["risks_and_asks"] == ("Agreed on the phone. (Ana, 2 Apr 2026)",)
    assert pd.notna(kept.pack.told("landing"))

    (tmp_path / "packs" / "strange").write_text("x")
    assert main(asked) == 2  # refused before it runs
    assert "packs/strange: is no pack" in capsys.readouterr().err
    (tmp_path / "packs" / "strange").unlink()
    assert (
        main(
            ["report", "board_report", path, "--set", "quarter=Q2 FY26", "--set", "as_of=2026-06-30", "--out", str(out)]
        )
        == 0
    )
    page = (out / "board_report.html").read_text()
    assert "14 Apr 2026" in page
    assert "Said beside it then: Agreed on the phone." in page


def test_a_report_that_is_of_no_quarter_is_not_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_book(tmp_path)
    asked = ["report", "rates", str(tmp_path / "plan.yaml"), "--out", str(tmp_path / "out"), "--keep"]
    assert main(asked) == 2
    assert "--keep: is for a report that is of a quarter or a year" in capsys.readouterr().err
    assert not (tmp_path / "out" / "rates.html").exists()
    assert not (tmp_path / "packs").exists()


def test_an_edited_deck_that_is_refreshed_is_kept_as_it_was_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pptx = pytest.importorskip("pptx")
    small_book(tmp_path)
    path, own = str(tmp_path / "plan.yaml"), tmp_path / "ours.pptx"
    of_day = ["--set", "quarter=Q1 FY26", "--set", "as_of=2026-03-31"]
    assert main(["report", "board_report", path, *of_day, "--formats", "pptx", "--out", str(tmp_path / "out")]) == 0
    deck = pptx.Presentation(tmp_path / "out" / "board_report.pptx")
    deck.slides[0].shapes[0].text_frame.text = "Our own words"
    deck.save(own)
    assert main(["report", "board_report", path, *of_day, "--refresh", str(own), "--keep", "--on", "2026-04-14"]) == 0
    (kept,) = checked_packs(Path(path))
    shown = kept.folder / "board_report.pptx"
    assert shown.read_bytes() == own.read_bytes()
    texts = [each.text_frame.text for each in pptx.Presentation(shown).slides[0].shapes if each.has_text_frame]
    assert "Our own words" in texts
