"""The first screen: the plan's health, the live line of a running year, comments, the plans of a folder."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from app_plan import PEOPLE, PLAN, plan_file, small_game

from revplan.app.first import first_html, first_screen, health_html, opened, style
from revplan.app.front import Front
from revplan.app.game import Game, open_game
from revplan.app.panel import Panel
from revplan.app.plans import asked, plans_in
from revplan.app.remarks import Remarks
from revplan.app.serve import _chosen
from revplan.app.warm import Warm
from revplan.exhibits import annual_commit, confidence, pace
from revplan.exhibits.exhibit import raw, text
from revplan.ground.errors import PlanError
from revplan.run.commentary import NAME, read_commentary
from revplan.tracking.pacebook import open_pace
from revplan.workbook.signing import NO_PEOPLE

EXAMPLE = Path(__file__).parents[2] / "data" / "example"
HOSTILE = "<script>alert(1)</script>\"' onload=x {{ 7*7 }} \u202e"


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Game:
    return small_game(tmp_path_factory.mktemp("front"))


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def html_of(widget: Any) -> str:
    inside = "".join(map(html_of, getattr(widget, "children", ())))
    return f"{getattr(widget, 'value', '')}{inside}"


# --- health ------------------------------------------------------------------------------------------------------


def test_health_names_what_expired_and_quarters_that_miss(tmp_path: Path) -> None:
    about = {"about": "transitions.lead.sql", "owner": "Ana", "expires": "2026-12-31"}
    late = small_game(tmp_path, plan_date="2026-12-20", assumptions=[about]).book
    before = plain(health_html(late, date(2026, 12, 31)))
    after = plain(health_html(late, date(2027, 1, 1)))
    assert "Jan-Mar 2027 (Q1 FY27) misses by" in before
    assert "ask Ana for a new one" not in before
    assert "transitions.lead.sql held until 31 Dec 2026; ask Ana for a new one" in after
    assert re.search(r"\d things? to look at", after)


def test_health_names_the_one_thing_to_do_as_page_one_does(game: Game) -> None:
    said = html_of_text(health_html(game.book, date(2026, 11, 15)))
    facts = annual_commit.summary(game.book).table
    assert facts is not None
    told = dict(zip(facts["fact"], facts["value"], strict=True))
    assert f"The one thing to do: {told['The one thing to do']}" in said


def test_health_says_so_where_nothing_is_wrong(tmp_path: Path) -> None:
    steps = [{**each, "lag": {"months": 0}} for each in PLAN["transitions"]]
    book = small_game(tmp_path, transitions=steps, plan_date="2026-12-31").book
    assert "Nothing is wrong with the plan as far as it can be told." in plain(health_html(book, date(2026, 12, 31)))


def test_only_a_plan_without_people_says_that_they_are_not_considered(game: Game, tmp_path: Path) -> None:
    with_people = small_game(tmp_path, capacity=PEOPLE).book
    assert NO_PEOPLE in html_of_text(health_html(game.book, date(2026, 11, 15)))
    assert NO_PEOPLE not in html_of_text(health_html(with_people, date(2026, 11, 15)))


def html_of_text(html: str) -> str:
    return plain(html).replace("&#x27;", "'")


def test_the_first_screen_says_what_the_simulator_says(game: Game) -> None:
    shown = Panel(game)
    first = first_html(game)
    assert shown.words.value in first
    assert shown.front.health.value in first


# --- the live line -----------------------------------------------------------------------------------------------


def test_a_running_year_shows_its_line_with_leads_money_days_and_landing() -> None:
    game = open_game(EXAMPLE / "plan_fy26.yaml")
    front = Front(game)
    front.look()
    said, book = plain(html_of(front.live)), open_pace(EXAMPLE / "plan_fy26.yaml")
    for exhibit in (pace.summary(book), pace.line(book), pace.landing(book)):
        assert exhibit.message in said
    row = book.line()
    assert row is not None
    assert {"Worth in new ARR", "Working days behind", "Variance"} <= set(
        re.findall(r"Worth in new ARR|Working days behind|Variance", said)
    )
    assert html_of(front.live).count('<svg class="on-page"') == 1
    # What expired since the plan date is told as of the last day known, not as of the plan date.
    assert "sources.inbound.max_per_month held until 31 Aug 2026" in plain(front.health.value)


def test_without_records_or_before_the_year_it_is_said_what_is_missing(game: Game) -> None:
    front = Front(game)
    front.look()
    assert "The plan names no records, so what came is not known" in plain(html_of(front.live))
    early = Front(open_game(EXAMPLE / "plan.yaml"))
    early.look()
    assert "The plan counts from 15 Nov 2026 on" in plain(html_of(early.live))


def test_files_that_changed_meanwhile_draw_no_line(tmp_path: Path) -> None:
    path = plan_file(tmp_path)
    front = Front(open_game(path))
    path.write_text(path.read_text(encoding="utf-8").replace("2000000", "3000000"), encoding="utf-8")
    front.look()
    assert "The live line cannot be drawn: plan.yaml: has changed since this page was opened" in plain(
        html_of(front.live)
    )


# --- comments ----------------------------------------------------------------------------------------------------


@pytest.fixture
def remarks(game: Game, tmp_path: Path) -> Remarks:
    return Remarks(tmp_path, "commit_curve", "annual_commit", lambda: confidence.commit_curve(game.book))


def press(remarks: Remarks, label: str) -> None:
    def found(widget: Any) -> Any:
        if getattr(widget, "description", "") == label and hasattr(widget, "click"):
            return widget
        return next(filter(None, map(found, getattr(widget, "children", ()))), None)

    found(remarks.widget).click()


def write(remarks: Remarks, owner: str, words: str) -> None:
    press(remarks, "Comment")
    remarks.owner.value, remarks.text.value = owner, words
    press(remarks, "Save comment")


def test_a_comment_is_added_changed_and_removed(remarks: Remarks, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text(
        "# ours\ncomments:\n- {exhibit: coverage, text: stays, owner: Ben, date: 2026-11-01}  # why\n"
    )
    write(remarks, "Ana", "The board asked for this.")
    assert "The board asked for this. (Ana, " in plain(remarks.listed.value)
    write(remarks, "Ana", "")
    assert 'role="alert"' in remarks.said.value
    press(remarks, "Comment")
    remarks.which.value = 0
    assert (remarks.owner.value, remarks.text.value) == ("Ana", "The board asked for this.")
    remarks.text.value = "The board asked twice."
    press(remarks, "Save comment")
    kept = read_commentary(tmp_path).comments
    assert [(each.exhibit, each.text, each.owner) for each in kept] == [
        ("coverage", "stays", "Ben"),
        ("commit_curve", "The board asked twice.", "Ana"),
    ]
    assert kept[1].date == date.today()
    press(remarks, "Comment")
    remarks.which.value = 0
    press(remarks, "Remove")
    assert [each.text for each in read_commentary(tmp_path).comments] == ["stays"]
    assert "twice" not in remarks.listed.value
    text = (tmp_path / NAME).read_text(encoding="utf-8")
    assert text.startswith("# ours\n")
    assert "# why" in text


def test_a_hostile_comment_is_text(remarks: Remarks) -> None:
    write(remarks, HOSTILE, HOSTILE)
    assert "<script" not in remarks.listed.value
    assert "&lt;script&gt;" in remarks.listed.value
    assert "\u202e" not in remarks.listed.value
    assert "\u202e" not in "".join(label for label, _ in remarks.which.options)


def test_a_comment_that_somebody_else_changed_is_not_overwritten(remarks: Remarks, tmp_path: Path) -> None:
    write(remarks, "Ana", "First.")
    press(remarks, "Comment")
    remarks.which.value = 0
    path = tmp_path / NAME
    path.write_text(path.read_text(encoding="utf-8").replace("First.", "Second."), encoding="utf-8")
    before = path.read_bytes()
    press(remarks, "Remove")
    assert "somebody changed it" in remarks.said.value
    assert path.read_bytes() == before


def test_a_faulty_file_is_told_and_left_alone(game: Game, tmp_path: Path) -> None:
    (tmp_path / NAME).write_text("comments: [{exhibit: nothing_like_it, text: x, owner: y, date: 2026-11-01}]\n")
    before = (tmp_path / NAME).read_bytes()
    shown = Remarks(tmp_path, "commit_curve", "annual_commit", lambda: confidence.commit_curve(game.book))
    assert "is no exhibit" in plain(shown.listed.value)
    assert shown.open.disabled
    assert (tmp_path / NAME).read_bytes() == before


def test_an_expired_comment_says_what_it_was_written_of(tmp_path: Path) -> None:
    """Written beside a figure of the headline that has moved since by more than a twentieth."""
    book = open_game(EXAMPLE / "plan.yaml").book
    exhibit = annual_commit.required_funnel(book)
    figure = next(each for _, _, each in exhibit.figures if each.value)
    quoting = text(exhibit.message).sharing(figure)
    beside = raw(quoting)
    assert beside["figures"]
    said = {"figure": figure.id, "value": figure.value * 1.2, "shown": "as it was"}
    comment = {
        "exhibit": "required_funnel",
        "text": "Old news.",
        "owner": "Ana",
        "date": "2026-10-01",
        "beside": [said],
    }
    (tmp_path / NAME).write_text(json.dumps({"comments": [comment]}), encoding="utf-8")
    shown = Remarks(tmp_path, "required_funnel", "annual_commit", lambda: quoting)
    assert "comment expired" in shown.listed.value
    assert "Written when" in plain(shown.listed.value)
    assert "was as it was (now" in plain(shown.listed.value)
    same = {**comment, "beside": [{**said, "value": figure.value}]}
    (tmp_path / NAME).write_text(json.dumps({"comments": [same]}), encoding="utf-8")
    shown.show()
    assert "expired" not in shown.listed.value


# --- the plans of a folder ---------------------------------------------------------------------------------------


def test_plans_of_a_folder_are_found_by_a_glance(tmp_path: Path) -> None:
    plan_file(tmp_path)
    other = plan_file(tmp_path, name='Another "plan"').rename(tmp_path / "other.yml")
    plan_file(tmp_path)
    (tmp_path / "crm.yaml").write_text("format: wide\nfiles: {}\n", encoding="utf-8")
    (tmp_path / "broken.yaml").write_text("goal: [\nsegments:\n", encoding="utf-8")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\x00\x01")
    found = plans_in(tmp_path)
    assert list(found) == [tmp_path / "broken.yaml", other, tmp_path / "plan.yaml"]
    assert found[tmp_path / "plan.yaml"] == "Small plan"
    assert found[tmp_path / "broken.yaml"] == "broken"


def test_a_folder_opens_its_plan_and_one_without_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(PlanError, match="without a plan"):
        _chosen(tmp_path / "empty")
    first = plan_file(tmp_path).rename(tmp_path / "a.yaml")
    assert _chosen(tmp_path) == first
    plan_file(tmp_path)
    assert _chosen(tmp_path) == tmp_path / "plan.yaml"
    assert _chosen(first) == first


def test_only_plans_of_the_folder_can_be_asked_for(tmp_path: Path) -> None:
    plan, other = plan_file(tmp_path), tmp_path / "other plan.yaml"
    other.write_bytes(plan.read_bytes())
    assert asked(str(plan), {}) == str(plan)
    assert asked(str(plan), {"QUERY_STRING": "visit=x&plan=other%20plan.yaml"}) == str(other)
    for name in ("../plan.yaml", "/etc/passwd", "none.yaml", "%2e%2e/plan.yaml"):
        with pytest.raises(PlanError, match="is no plan in this folder"):
            asked(str(plan), {"QUERY_STRING": f"plan={name}"})


# --- what is shown before the sliders come -----------------------------------------------------------------------


class Idle(Warm):
    """What has said something in a folder, and runs no process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = replace_process()


def replace_process() -> Any:
    class Process:
        def poll(self) -> None:
            return None

    return Process()


def test_figures_of_other_files_are_not_shown_first(tmp_path: Path) -> None:
    plan = plan_file(tmp_path)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    warm = Idle(scratch)
    assert warm.first_screen() is None
    (scratch / "first.json").write_text(json.dumps(first_screen(str(plan))), encoding="utf-8")
    assert warm.first_screen() == first_html(opened(str(plan)))
    plan.write_text(plan.read_text(encoding="utf-8").replace("2000000", "3000000"), encoding="utf-8")
    assert warm.first_screen() == ""


def test_the_style_is_that_of_the_reports(game: Game) -> None:
    report = (Path(annual_commit.__file__).parent / "style" / "page.css").read_text(encoding="utf-8")
    for rule in ("--plan: #1f4e79", ".text dd {", "figcaption, caption span {", "font-variant-numeric: tabular-nums"):
        assert rule in report
        assert rule in style()
    assert not re.search(r"^(body|:root) \{", style(), re.MULTILINE)


def test_what_is_kept_in_the_table_comes_back(tmp_path: Path) -> None:
    game = small_game(tmp_path)
    first = Panel(game)
    first.shelf.name.value = "Kept so"
    first.shelf._keep()
    assert first.kept_place.value == "Kept so"
    again = Panel(replace(game))
    again.kept_place.value = "Kept so\nGone since"
    assert list(again.shelf.kept) == ["Kept so"]
    assert "Gone since: kept before, and no longer to be read." in again.shelf.said_of_name.value
