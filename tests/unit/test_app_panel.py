"""The whole simulator, driven from Python: what is shown, what is refused in words, hostile names."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from random import Random
from typing import Any

import ipywidgets as widgets
import pytest
from app_plan import PLAN, plan_file, small_game
from ruamel.yaml import YAML

from revplan.app.answers import commit_entries
from revplan.app.controls import LeverRow
from revplan.app.game import Game, open_game
from revplan.app.panel import Panel, panel
from revplan.app.scenario_files import load, save, saved_names, scenario_text
from revplan.funnel.tables import required_by_stage
from revplan.ground.errors import PlanError
from revplan.plan.parts import Scenario

HOSTILE = "<script>alert(1)</script>\"' onload=x {{ 7*7 }} =cmd|'/c' ../ \u202e"


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Game:
    return small_game(tmp_path_factory.mktemp("panel"))


@pytest.fixture
def shown(game: Game, tmp_path: Path) -> Panel:
    """A screen of its own over the same plan, with a folder of its own to save in."""
    return Panel(replace(game, path=plan_file(tmp_path)))


def row(shown: Panel, label: str) -> LeverRow:
    return next(each for each in shown.controls.rows if each.lever.label == label)


def slide(each: LeverRow, value: float) -> None:
    """Moves a slider as somebody with a mouse would, to the step nearest to a value."""
    each.slider.value = each.lever.position(value)


def plain(html: str) -> str:
    return re.sub(r"<[^>]+>", " ", html)


def drawings(shown: Panel) -> list[str]:
    return [each.value for each in shown.charts.values()]


def all_html(widget: widgets.Widget) -> str:
    inside = "".join(all_html(child) for child in getattr(widget, "children", ()))
    return inside + (str(widget.value) if isinstance(widget, widgets.HTML) else "")


# --- what is shown -------------------------------------------------------------------------------------------


def test_a_plan_opens_as_one_widget(tmp_path: Path) -> None:
    assert isinstance(panel(str(plan_file(tmp_path))), widgets.VBox)
    assert "running this cell opens it" in repr(panel(plan_file(tmp_path)))


def test_a_faulty_plan_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no such file"):
        panel(tmp_path / "none.yaml")


def test_the_headline_is_the_conclusion(shown: Panel) -> None:
    assert re.search(
        r"Goal: \$2M new ARR\. To sign: [\d,]+ SQLs, which reach the goal in 80% of", plain(shown.words.value)
    )
    assert re.search(r"Expected commit: [\d,]+ SQLs, [^.]*\.?[^.]*, as in the base plan\. ", plain(shown.words.value))
    row(shown, "SQO to Won (%)").field.value = "15"
    assert re.search(r"[0-9.]+ points less than in the base plan", plain(shown.words.value))
    assert 'role="status"' in shown.words.value


def test_a_slider_moved_and_moved_back_gives_the_same_picture(shown: Panel) -> None:
    before, moved = drawings(shown), row(shown, "SQO to Won (%)")
    stood = moved.slider.value
    slide(moved, 15.0)
    during = drawings(shown)
    moved.slider.value = stood
    assert drawings(shown) == before
    assert all(now != then for now, then in zip(during, before, strict=True))


def test_charts_say_their_message_to_who_cannot_see_them(shown: Panel) -> None:
    for html in drawings(shown):
        (label,) = re.findall(r'<svg [^>]*role="img" aria-label="([^"]+)"', html)
        assert f"<figcaption>{label}</figcaption>" in html


def test_the_table_holds_the_plan_the_present_and_the_scenarios_of_the_plan(shown: Panel) -> None:
    heads = re.findall(r'<th scope="col">([^<]*)</th>', shown.table.value)
    assert heads == ["Figure", "Base plan", "Now", "downside"]
    chance = re.search(r"Chance of the goal</th>(.*?)</tr>", shown.table.value)
    assert chance is not None
    assert re.findall(r"[−+][0-9.]+ points", chance[1])


def test_a_table_says_how_many_scenarios_it_leaves_out(tmp_path: Path) -> None:
    named = {f"s{number}": {"volume": 1 + number / 10} for number in range(9)}
    shown = Panel(open_game(plan_file(tmp_path, scenarios=named)))
    assert "3 further scenarios of the plan can be opened." in shown.table.value
    assert len(shown.shelf.choice.options) == 9


def test_the_funnel_is_the_plan_traced_back(shown: Panel) -> None:
    # smb: .4 * 2m / 10,000 = 80 wins, mid .6 * 2m / 40,000 = 30. SQOs: 80 / .3 + 30 / .2 = 416.7. SQLs: twice that.
    # Leads: 70 % of the SQLs come from inbound, a tenth of whose leads become one: 833.3 * .7 / .1.
    found = required_by_stage(shown.game.base.year)
    assert found == {
        "lead": pytest.approx(5833.33, abs=0.01),
        "sql": pytest.approx(833.33, abs=0.01),
        "sqo": pytest.approx(416.67, abs=0.01),
        "won": pytest.approx(110),
    }


def test_twice_the_volume_is_twice_the_commit(shown: Panel) -> None:
    for label in ("Entries inbound (% of plan)", "Entries partner (% of plan)"):
        slide(row(shown, label), 200)
    played = shown.game.play(shown._scenario())
    assert commit_entries(played) == pytest.approx(2 * commit_entries(shown.game.base))
    assert row(shown, "Budget inbound (USD)").field.value.replace(",", "") == str(
        round(2 * float(row(shown, "Budget inbound (USD)").planned))
    )


def test_a_volume_of_nothing_is_shown_too(shown: Panel) -> None:
    for label in ("Entries inbound (% of plan)", "Entries partner (% of plan)"):
        slide(row(shown, label), 0)
    assert "To sign: no number of SQLs reaches the goal in 80% of the years" in plain(shown.words.value)


def test_rates_of_one_segment(shown: Panel) -> None:
    shown.controls.segment.value = "mid"
    each = row(shown, "SQO to Won (%)")
    assert each.field.value == "20.0"
    each.field.value = "25"
    assert [change.segment for change in shown._scenario().changes] == ["mid"]
    shown.controls.segment.value = ""
    assert row(shown, "SQO to Won (%)").lever.key[2] == ""


def test_groups_are_shown_one_at_a_time(shown: Panel) -> None:
    shown.controls.group.index = 3
    assert [page.layout.display for page in shown.controls.pages] == ["none"] * 3 + [None, "none"]


# --- what is refused -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("31x", "'31x' is no number; write it like 28.4. 10.0 is kept."),
        ("", "nothing was written. 10.0 is kept."),
        ("101", "101 is outside 0.1 to 100.0 %. 10.0 is kept."),
        ("-1", "-1 is outside 0.1 to 100.0 %. 10.0 is kept."),
        ("<b>", "'<b>' is no number; write it like 28.4. 10.0 is kept."),
    ],
)
def test_an_error_in_a_field_is_explained_and_the_earlier_value_kept(shown: Panel, typed: str, said: str) -> None:
    each, before = row(shown, "Lead to SQL (%)"), drawings(shown)
    each.field.value = typed
    if typed == "":
        each.field.value = " "
    assert plain(each.note.value).replace("&#x27;", "'").replace("&lt;", "<").replace("&gt;", ">").strip() == said
    assert 'role="alert"' in each.note.value
    assert (each.field.value, each.slider.value, drawings(shown)) == ("10.0", 100, before)
    each.field.value = "12,5 %"
    assert (each.slider.value, "alert" in each.note.value) == (125, False)


@pytest.mark.parametrize(
    ("label", "typed"),
    [
        ("Entries inbound (% of plan)", "0"),
        ("Entries inbound (% of plan)", "110"),
        ("Entries inbound (% of plan)", "84.942"),
        ("Budget inbound (USD)", "200,000"),
        ("New ARR asked for (USD)", "3,000,000"),
        ("New ARR asked for (USD)", "3,001,800"),
        ("Deal size mid (USD)", "41,234.5"),
        ("SQO to Won (%)", "21.75"),
        ("All delays (% of plan)", "123"),
    ],
)
def test_what_was_typed_stays_though_the_browser_sends_back_what_its_sliders_show(
    shown: Panel, label: str, typed: str
) -> None:
    row(shown, label).field.value = typed
    said = scenario_text(shown.game, shown._scenario())
    for each in shown.controls.rows:
        each.slider.set_state({"value": each.slider.value})
    assert row(shown, label).field.value == typed
    assert scenario_text(shown.game, shown._scenario()) == said
    shown.undo.click()
    assert (shown._scenario(), shown.undo.disabled) == (Scenario(), True)


def test_a_channel_can_be_stopped(shown: Panel) -> None:
    """The question `what if we stop it` is asked with 0, in the file too."""
    row(shown, "Entries partner (% of plan)").field.value = "0"
    played = shown.game.play(shown._scenario())
    by_source = {cell.source: flow[0].sum() for cell, flow in zip(played.year.cells, played.year.flows, strict=True)}
    assert (by_source["partner"], by_source["inbound"] > 0) == (0, True)
    shown.shelf.name.value = "Without partners"
    press(shown, "Save to a file")
    assert load(shown.game, "Without partners")[0].volume == {"partner": 0.0}
    shown.reset.click()
    press(shown, "Open")
    assert row(shown, "Entries partner (% of plan)").field.value == "0"


SCENARIOS = [
    {"volume": {"inbound": 0.85}},
    {"volume": 0},
    {"volume": {"partner": 0, "inbound": 1.1}},
    {"goal": {"new_arr": 3_000_000}, "acv": {"smb": 9_999.99}},
    {"changes": [{"from": "sqo", "to": "won", "segment": "mid", "rate": 0.1234567891}], "confidence": 0.97},
    {"changes": [{"from": "sql", "to": "sqo", "lag": {"median_days": 33.3, "p90_days": 71}, "evidence": 12}]},
    {"uncertainty": {"rho": 0.123, "lag_cv": 0.015, "volume_cv": 0.05}, "acv": {"mid": {"mean": 41_000, "sd": 1}}},
]


@pytest.mark.parametrize("said", SCENARIOS)
def test_opened_and_saved_again_a_scenario_is_the_same_file(shown: Panel, said: dict[str, Any]) -> None:
    first = save(shown.game, "First", Scenario.model_validate(said))
    shown.shelf.choice.options = shown.shelf._choices()
    shown.shelf.choice.value = ("file", "First")
    press(shown, "Open")
    for each in shown.controls.rows:
        each.slider.set_state({"value": each.slider.value})
    shown.shelf.name.value = "Second"
    press(shown, "Save to a file")
    assert first.with_stem("Second").read_bytes() == first.read_bytes()


@pytest.mark.parametrize("seed", range(4))
def test_any_moves_undone_and_redone_lead_through_every_state_once(shown: Panel, seed: int) -> None:
    """Held against a list of the states and a place in it."""
    draw, states, place = Random(seed), [scenario_text(shown.game, shown._scenario())], 0
    for _ in range(25):
        each, work = (
            draw.choice(shown.controls.rows),
            draw.choice(["type", "slide", "undo", "undo", "redo", "open", "echo"]),
        )
        if work == "type":
            each.field.value = f"{draw.uniform(each.lever.low, each.lever.high):.3f}"
        elif work == "slide":
            shown.gesture = replace(shown.gesture, ended=0.0)
            each.slider.set_state({"value": draw.randint(*each.lever.positions)})
        elif work == "open":
            shown._opened(Scenario.model_validate(draw.choice(SCENARIOS)))
        elif work == "echo":
            each.slider.set_state({"value": each.slider.value})
        else:
            (shown.undo if work == "undo" else shown.redo).click()
            place = max(place - 1, 0) if work == "undo" else min(place + 1, len(states) - 1)
        now = scenario_text(shown.game, shown._scenario())
        if work not in ("undo", "redo") and now != states[place]:
            states, place = [*states[: place + 1], now], place + 1
        assert (now, shown.undo.disabled, shown.redo.disabled) == (states[place], place == 0, place == len(states) - 1)


# --- undo, redo, reset ---------------------------------------------------------------------------------------


def test_undo_redo_and_reset(shown: Panel) -> None:
    before, first, second = drawings(shown), row(shown, "Lead to SQL (%)"), row(shown, "Deal size smb (USD)")
    assert (shown.undo.disabled, shown.redo.disabled) == (True, True)
    for value in (11.0, 12.0, 13.0):
        slide(first, value)
    second.field.value = "12,000"
    moved = drawings(shown)
    shown.undo.click()
    assert (first.field.value, second.field.value) == ("13.0", "10,000")
    shown.undo.click()
    assert (first.field.value, drawings(shown) == before, shown.undo.disabled) == ("10.0", True, True)
    shown.redo.click()
    shown.redo.click()
    assert (drawings(shown) == moved, shown.redo.disabled) == (True, True)
    shown.reset.click()
    assert drawings(shown) == before
    shown.undo.click()
    assert drawings(shown) == moved


# --- scenarios put away and taken up -------------------------------------------------------------------------


def press(shown: Panel, label: str, widget: Any = None) -> None:
    for child in (widget or shown.shelf.widget).children:
        if isinstance(child, widgets.Button) and child.description == label:
            child.click()
        elif hasattr(child, "children"):
            press(shown, label, child)


def test_saved_reset_and_opened_again(shown: Panel) -> None:
    slide(row(shown, "Lead to SQL (%)"), 13.0)
    moved = drawings(shown)
    shown.shelf.name.value = "More leads"
    press(shown, "Save to a file")
    assert "Saved as scenarios/More leads.yaml, beside the plan." in shown.shelf.said_of_name.value
    shown.reset.click()
    assert shown.shelf.said_of_name.value == ""
    assert shown.shelf.choice.value == ("file", "More leads")
    press(shown, "Open")
    assert drawings(shown) == moved
    assert "More leads is open." in shown.shelf.said_of_choice.value
    shown.undo.click()
    assert row(shown, "Lead to SQL (%)").field.value == "10.0"


def test_a_file_is_replaced_only_when_asked_twice(shown: Panel) -> None:
    save(shown.game, "Mine", Scenario(volume=1.5))
    shown.shelf.name.value = "Mine"
    press(shown, "Save to a file")
    assert "Mine: is there already; press again to replace it" in shown.shelf.said_of_name.value
    press(shown, "Save to a file")
    assert "Saved as" in shown.shelf.said_of_name.value


def test_what_somebody_else_saved_meanwhile_or_before_a_move_is_asked_about_again(shown: Panel) -> None:
    save(shown.game, "Mine", Scenario(volume=1.5))
    shown.shelf.name.value = "Mine"
    press(shown, "Save to a file")
    save(shown.game, "Mine", Scenario(volume=1.2))
    press(shown, "Save to a file")
    assert "is there already" in shown.shelf.said_of_name.value
    slide(row(shown, "Lead to SQL (%)"), 13.0)
    press(shown, "Save to a file")
    assert "is there already" in shown.shelf.said_of_name.value
    assert load(shown.game, "Mine")[0].volume == pytest.approx(1.2)
    press(shown, "Save to a file")
    assert len(load(shown.game, "Mine")[0].changes) == 1


def test_a_download_is_what_its_name_says(shown: Panel) -> None:
    slide(row(shown, "Lead to SQL (%)"), 13.0)
    shown.shelf.name.value = "downside"
    press(shown, "Make downloads")
    names = [unescape(each) for each in re.findall(r'<a download="([^"]+)"', shown.shelf.links.value)]
    assert names == ["downside.yaml", "plan.yaml", "plan downside.yaml"]
    assert "The plan with this scenario in place of its own" in shown.shelf.links.value
    files = [b64decode(each).decode() for each in re.findall(r"base64,([^\"]+)", shown.shelf.links.value)]
    scenario, plan, made = (YAML(typ="safe").load(each) for each in files)
    assert scenario["changes"][0]["rate"] == pytest.approx(0.13)
    assert plan["scenarios"]["downside"]["changes"] == scenario["changes"]
    assert made["transitions"][0]["rate"] == pytest.approx(0.13)
    assert made["name"] == "Small plan: downside"
    assert not (shown.game.path.parent / "scenarios").exists(), "a download writes nothing beside the plan"


def test_a_name_that_will_not_do_is_explained_beside_it(shown: Panel) -> None:
    shown.shelf.name.value = "../../evil"
    for button in ("Save to a file", "Keep beside the plan"):
        press(shown, button)
        assert "use up to 40 letters" in shown.shelf.said_of_name.value
    press(shown, "Make downloads")
    assert "use up to 40 letters" in shown.shelf.links.value


def test_kept_beside_the_plan_and_forgotten(shown: Panel) -> None:
    for number, value in enumerate((11.0, 12.0, 13.0, 14.0, 15.0), 1):
        slide(row(shown, "Lead to SQL (%)"), value)
        shown.shelf.name.value = f"Try {number}"
        press(shown, "Keep beside the plan")
        if number == 2:
            assert "and is kept as scenarios/Try 2.yaml, beside the plan" in shown.shelf.said_of_name.value
    assert "4 stand in the table already" in shown.shelf.said_of_name.value
    heads = re.findall(r'<th scope="col">([^<]*)</th>', shown.table.value)
    assert heads == ["Figure", "Base plan", "Now", "Try 1", "Try 2", "Try 3", "Try 4", "downside"]
    shown.shelf.choice.value = ("file", "Try 2")
    press(shown, "Open")
    assert row(shown, "Lead to SQL (%)").field.value == "12.0"
    press(shown, "Forget those kept")
    assert "Try 1" not in shown.table.value
    assert "the files in scenarios/ stay" in shown.shelf.said_of_name.value
    assert saved_names(shown.game) == ["Try 1", "Try 2", "Try 3", "Try 4"]


def test_kept_without_a_name_or_under_that_of_a_column(shown: Panel) -> None:
    press(shown, "Keep beside the plan")
    press(shown, "Keep beside the plan")
    for name in ("Now", "downside"):
        shown.shelf.name.value = name
        press(shown, "Keep beside the plan")
    heads = re.findall(r'<th scope="col">([^<]*)</th>', shown.table.value)
    assert heads[1:] == ["Base plan", "Now", "Kept 1", "Kept 2", "Now (kept)", "downside (kept)", "downside"]


def test_a_folder_that_takes_no_file_is_told_and_nothing_is_said_to_be_kept(shown: Panel) -> None:
    (shown.game.path.parent / "scenarios").write_text("a file in its place", encoding="utf-8")
    shown.shelf.name.value = "Mine"
    for button in ("Keep beside the plan", "Save to a file"):
        press(shown, button)
        assert "scenarios: is a file, not a folder" in shown.shelf.said_of_name.value
    assert ("Mine" in shown.table.value, shown.shelf.kept) == (False, {})


def test_the_scenarios_of_the_plan_can_be_opened(shown: Panel) -> None:
    shown.shelf.choice.value = ("plan file", "downside")
    press(shown, "Open")
    shown.controls.segment.value = "mid"
    assert row(shown, "SQO to Won (%)").field.value == "15.0"


def uploaded(shown: Panel, content: bytes) -> str:
    shown.shelf.upload.value = (
        {
            "name": "<img src=x>.yaml",
            "type": "",
            "size": len(content),
            "content": memoryview(content),
            "last_modified": datetime(2026, 11, 15, tzinfo=UTC),
        },
    )
    assert shown.shelf.upload.value == ()
    return str(shown.shelf.said_of_choice.value)


def test_a_file_from_elsewhere_is_opened_or_explained(shown: Panel) -> None:
    slide(row(shown, "Lead to SQL (%)"), 13.0)
    before = drawings(shown)
    for content, words_said in [
        (b"\x00garbage", "holds an invisible character"),
        (b"schema: 7", "is of version 7 of scenario files"),
        (b"schema: 1\nplan: Other", "belongs to the plan"),
        (b"schema: 1\nplan: Small plan\nfoo: 1", "unknown key"),
    ]:
        said = uploaded(shown, content)
        assert words_said in said
        assert "<img" not in said
    assert drawings(shown) == before
    said = uploaded(shown, b"schema: 1\nplan: Small plan\nvolume: 1.5\n")
    assert "is open. The plan file has changed since" in said
    assert row(shown, "Entries inbound (% of plan)").field.value == "150"


def test_a_value_beyond_a_slider_is_shown_where_it_is(shown: Panel) -> None:
    uploaded(shown, b"schema: 1\nplan: Small plan\nvolume: 9\n")
    each = row(shown, "Entries inbound (% of plan)")
    assert (each.slider.value, each.slider.max, each.field.value) == (300, 300, "900")


# --- hostile names -------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.seen |= {name for name, _ in attrs if name.startswith("on")}


def test_hostile_names_are_text(tmp_path: Path) -> None:
    segments = {HOSTILE: {"share": 0.4, "acv": 10_000}, "mid": {"share": 0.6, "acv": 40_000}}
    sources = {HOSTILE: {"share": 1.0, "cost_per_entry": 10}}
    stages = [{"id": "lead", "label": HOSTILE}, {"id": "sql", "label": HOSTILE}, {"id": "sqo"}, {"id": "won"}]
    transitions = [*PLAN["transitions"], {"from": "sqo", "to": "won", "segment": HOSTILE, "rate": 0.2, "evidence": 20}]
    scenarios = {HOSTILE: {"volume": 1.2}}
    path = plan_file(
        tmp_path,
        name=HOSTILE,
        segments=segments,
        sources=sources,
        stages=stages,
        transitions=transitions,
        scenarios=scenarios,
    )
    shown = Panel(open_game(path))
    shown.controls.segment.value = HOSTILE
    shown.shelf.choice.value = ("plan file", HOSTILE)
    press(shown, "Open")
    press(shown, "Make downloads")
    html = all_html(shown.widget)
    assert "&lt;script&gt;" in html
    assert "\u202e" not in html
    allowed = "style p dl div dt dd small figure figcaption svg rect text path table caption thead tbody tr th td span h2 a br"
    assert Tags(html).seen <= set(allowed.split())
