"""The people of a plan played with: each lever moves the chance, the commit and the picture, as `revplan simulate` would."""

from __future__ import annotations

from pathlib import Path

import pytest
from app_plan import PEOPLE, plan_file, small_game

from revplan.app.answers import people_chart
from revplan.app.game import Game, open_game
from revplan.app.levers import DAYS, DELAYS, Board, Lever
from revplan.app.levers import PEOPLE as GROUP
from revplan.app.panel import Panel
from revplan.app.scenario_files import as_plan, read_scenario, scenario_text, with_scenario
from revplan.app.state import State, scenario_of
from revplan.ground.errors import PlanError
from revplan.plan.parts import Scenario
from revplan.plan.people import CapacityChange
from revplan.workbook.signing import NO_PEOPLE
from revplan.workbook.workbook import open_workbook

MOVES = {
    "Hires ae, smb (people)": 1.0,
    "Hires ae, mid (people)": 3.0,
    "Start of the hires ae, mid (month)": 8.0,
    "Ramp of ae (months)": 9.0,
    "Attrition ae (% a year)": 30.0,
    "What each rep closes (% of plan)": 140.0,
}


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Game:
    return small_game(tmp_path_factory.mktemp("people"), capacity=PEOPLE)


@pytest.fixture(scope="module")
def board(game: Game) -> Board:
    return Board(game)


def lever(board: Board, label: str) -> Lever:
    return next(each for each in board.levers() if each.label == label)


def moved(board: Board, *labels: str) -> Scenario:
    state = State()
    for label in labels:
        state = board.set_to(state, lever(board, label), MOVES[label])
    return scenario_of(board.game.plan, state)


@pytest.mark.parametrize("label", MOVES)
def test_every_lever_of_people_acts_on_chance_commit_and_picture(board: Board, game: Game, label: str) -> None:
    played = game.play(moved(board, label))
    assert played.outcome.chance_of_goal.value != pytest.approx(game.base.outcome.chance_of_goal.value, abs=1e-4)
    assert played.signed.scale.value != pytest.approx(game.base.signed.scale.value, rel=1e-4)
    assert people_chart(played).series[0].values != people_chart(game.base).series[0].values


def test_more_hires_help_and_later_ones_less(board: Board, game: Game) -> None:
    def mean(*labels: str) -> float:
        return game.play(moved(board, *labels)).outcome.mean.value

    three, late = "Hires ae, mid (people)", "Start of the hires ae, mid (month)"
    assert mean() < mean(three)
    assert mean(three, late) < mean(three)
    assert mean(late) < mean()
    assert mean("Attrition ae (% a year)") < mean()
    assert mean("Ramp of ae (months)") < mean() < mean("What each rep closes (% of plan)")


def test_the_simulator_says_what_revplan_simulate_says(board: Board, game: Game, tmp_path: Path) -> None:
    """Same trials, same seed: the scenario in the plan file, compared by the command's own function."""
    scenario = moved(board, *MOVES)
    path = tmp_path / "plan.yaml"
    path.write_text(with_scenario(game, "people", scenario), encoding="utf-8")
    compared = {each.name: each for each in open_workbook(path).scenarios}["people"]
    played = game.play(scenario)
    assert played.outcome.chance_of_goal.value == pytest.approx(compared.outcome.chance_of_goal.value, rel=1e-9)
    assert played.outcome.mean.value == pytest.approx(compared.outcome.mean.value, rel=1e-9)


def test_a_lever_says_where_it_stands_and_moved_back_is_the_plan(board: Board) -> None:
    for label, value in MOVES.items():
        each = lever(board, label)
        before = board.reading(State(), each)
        there = board.set_to(State(), each, value)
        assert board.reading(there, each) == pytest.approx(value)
        assert board.set_to(there, each, before) == State()


def test_hires_are_as_many_as_set_and_start_when_set(board: Board) -> None:
    hires = "Hires ae, mid (people)", "Start of the hires ae, mid (month)", "Hires ae, smb (people)"
    capacity = moved(board, *hires).capacity
    assert capacity is not None
    assert capacity.hires is not None
    found = {each.segment: (each.count, each.first_day.isoformat()) for each in capacity.hires}
    # Plan date 15 November, 30 + 20 days to find and get somebody: 4 January, so 1 February is the first whole month.
    assert found == {"mid": (3, "2027-09-01"), "smb": (1, "2027-02-01")}


def test_a_start_is_a_month_that_can_be_typed(board: Board) -> None:
    start = lever(board, "Start of the hires ae, mid (month)")
    assert (start.written(2), start.read("2027-09"), start.read(" sep 2027 ")) == ("Mar 2027", 8.0, 8.0)
    with pytest.raises(ValueError, match="no month from Feb 2027 to Dec 2027"):
        start.read("2026-12")


def test_what_cannot_be_is_refused_in_words(board: Board) -> None:
    with pytest.raises(ValueError, match="add a hire first"):
        board.set_to(State(), lever(board, "Start of the hires ae, smb (month)"), 5.0)
    with pytest.raises(ValueError, match="no whole number of people"):
        board.set_to(State(), lever(board, "Hires ae, mid (people)"), 1.5)
    begun = State(Scenario(capacity=CapacityChange(productivity=9.0)))
    with pytest.raises(ValueError, match="10 times at most"):
        board.set_to(begun, lever(board, "What each rep closes (% of plan)"), 1500.0)


def test_a_scenario_that_moves_people_is_kept_whole(board: Board, game: Game, tmp_path: Path) -> None:
    scenario = moved(board, *MOVES)
    text = scenario_text(game, scenario)
    found, note = read_scenario(game, "kept", text.encode())
    assert (found, note) == (scenario, "")
    # The plan with the changes made is the scenario's own world.
    path = tmp_path / "plan.yaml"
    path.write_text(as_plan(game, "people", scenario), encoding="utf-8")
    capacity = open_workbook(path).plan.capacity
    assert capacity == game.varied(scenario).capacity


def test_levers_go_on_from_what_a_scenario_says_of_people(board: Board, game: Game) -> None:
    begun = Scenario(
        capacity=CapacityChange(more_hires=({"role": "ae", "segment": "mid", "start": "2027-06"},), attrition=0.2)  # type: ignore[arg-type]
    )
    state = board.set_to(State(begun), lever(board, "Ramp of ae (months)"), 3.0)
    state = board.set_to(state, lever(board, "Hires ae, mid (people)"), 1.0)
    capacity = game.varied(scenario_of(game.plan, state)).capacity
    assert capacity is not None
    assert [(each.count, str(each.start)) for each in capacity.hires] == [(1, "2027-03")]
    assert capacity.roles["ae"].attrition == pytest.approx(0.2)
    assert capacity.roles["ae"].stated_ramp is not None
    assert capacity.roles["ae"].stated_ramp.length == pytest.approx(3.0)


def test_attrition_of_a_role_there_is_not_is_refused(game: Game) -> None:
    text = scenario_text(game, Scenario()) + "capacity: {attrition: {sdr: 0.2}}\n"
    with pytest.raises(PlanError, match="sdr"):
        read_scenario(game, "wrong", text.encode())


def test_without_people_there_is_neither_group_nor_picture(tmp_path: Path) -> None:
    shown = Panel(small_game(tmp_path))
    assert GROUP not in shown.controls.group.options
    assert "people" not in shown.charts
    assert [each for each in shown.board.levers() if each.group == GROUP] == []
    assert NO_PEOPLE in everything(shown)


def test_with_people_both_are_there(game: Game) -> None:
    shown = Panel(game)
    assert GROUP in shown.controls.group.options
    assert "People can close" in shown.charts["people"].value
    assert NO_PEOPLE not in everything(shown)


def everything(shown: Panel) -> str:
    def html(widget: object) -> str:
        return str(getattr(widget, "value", "")) + "".join(html(child) for child in getattr(widget, "children", ()))

    return html(shown.widget)


def test_a_delay_is_moved_in_days_as_in_per_cent(board: Board, game: Game) -> None:
    in_days = {each.key: each for each in board.levers(delays_in=DAYS) if each.group == DELAYS}
    in_percent = {each.key: each for each in board.levers() if each.group == DELAYS}
    assert list(in_days) == list(in_percent)
    for key, days in in_days.items():
        stands = board.reading(State(), days)
        doubled = board.set_to(State(), days, 2 * stands)
        assert board.reading(doubled, in_percent[key]) == pytest.approx(200.0)
        assert doubled == board.set_to(State(), in_percent[key], 200.0)
    # SQL to SQO has a median of 20 days in the plan file: 30 days is half as long again.
    step = next(each for each in in_days.values() if each.label == "SQL to SQO (median days)")
    scenario = scenario_of(game.plan, board.set_to(State(), step, 30.0))
    (change,) = scenario.changes
    assert change.lag is not None
    assert (change.lag.median_days, change.lag.p90_days) == (pytest.approx(30.0), pytest.approx(75.0))


def test_the_screen_changes_between_days_and_per_cent(tmp_path: Path) -> None:
    shown = Panel(open_game(plan_file(tmp_path)))
    row = next(each for each in shown.controls.rows if each.lever.label == "SQL to SQO (% of plan)")
    row.field.value = "150"
    shown.controls.delays_in.value = DAYS
    assert (row.lever.label, row.field.value) == ("SQL to SQO (median days)", "30")
    row.field.value = "40"
    shown.controls.delays_in.value = "%"
    assert row.field.value == "200"
