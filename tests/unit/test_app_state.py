"""What the sliders say: moved and moved back is the same, undo and redo, and the scenario it stands for."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import astuple, is_dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from app_plan import PLAN, small_game
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revplan.app.answers import curve_chart, fan_chart, funnel_chart, tornado_chart
from revplan.app.game import Game
from revplan.app.levers import CERTAINTY, RATES, VOLUMES, Board, Lever
from revplan.app.scenario_files import read_scenario, scenario_text
from revplan.app.state import LAG, RATE, VOLUME, Gesture, State, StateHistory, scenario_of
from revplan.ground.lag import INSTANT
from revplan.ground.values import FrozenDict
from revplan.plan.parts import Scenario
from revplan.simulation.scenarios import compare

LAWS = settings(
    deadline=None,
    derandomize=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
    database=None,
)
STEP = "sqo won"


@pytest.fixture(scope="module")
def game(tmp_path_factory: pytest.TempPathFactory) -> Game:
    return small_game(tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="module")
def board(game: Game) -> Board:
    return Board(game)


def lever(board: Board, kind: str, name: str = "", segment: str = "", unit: str = "%") -> Lever:
    return next(
        each for each in board.levers(segment) if each.key == (kind, name, segment) and unit in (each.unit, "any")
    )


def every(board: Board) -> list[Lever]:
    return [*board.levers(), *(each for name in ("smb", "mid") for each in board.levers(name) if each.group == RATES)]


@st.composite
def moves(draw: st.DrawFn) -> list[tuple[int, float]]:
    """Levers by their place, and where between their ends they are moved to."""
    return draw(st.lists(st.tuples(st.integers(0, 99), st.floats(0.02, 0.98)), max_size=5))


def after(board: Board, moved: list[tuple[int, float]]) -> State:
    state, levers = State(), every(board)
    for place, part in moved:
        each = levers[place % len(levers)]
        value = round(each.low + part * (each.high - each.low), each.digits)
        with suppress(ValueError):  # a rate that would pass 100 % is refused
            state = board.set_to(state, each, min(max(value, each.low), each.high))
    return state


# --- what a state stands for ---------------------------------------------------------------------------------


def numbers(found: Any) -> list[float]:
    """Every number in dataclasses and tuples of them, in order."""
    if is_dataclass(found):
        return numbers(astuple(found))
    if isinstance(found, list | tuple):
        return [number for each in found for number in numbers(each)]
    return [found] if isinstance(found, int | float) else []


def same_figures(one: Any, other: Any) -> None:
    """Outcome and signed commit of two simulations agree to nine digits."""
    expected = numbers((other.outcome, other.signed))
    assert len(expected) > 10
    assert numbers((one.outcome, one.signed)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_nothing_moved_is_the_plan(game: Game) -> None:
    played = game.play(scenario_of(game.plan, State()))
    same_figures(played, game.base)
    assert numbers(played.curve) == pytest.approx(numbers(game.base.curve), rel=1e-9, abs=1e-9)


def test_a_step_moves_all_its_rates_in_proportion(board: Board, game: Game) -> None:
    # Half the mean rate halves both: .3 for all and .2 for mid.
    mean = board.reading(State(), lever(board, RATE, STEP))
    state = board.set_to(State(), lever(board, RATE, STEP), mean / 2)
    factor = state.moved[RATE, STEP, ""]
    changes = {each.segment: each.rate for each in scenario_of(game.plan, state).changes}
    assert changes == {None: pytest.approx(0.3 * factor), "mid": pytest.approx(0.2 * factor)}
    assert factor == pytest.approx(0.5, abs=0.005)


def test_one_segment_gets_a_rate_of_its_own_where_the_plan_has_one_for_all(board: Board, game: Game) -> None:
    state = board.set_to(State(), lever(board, RATE, "lead sql", "smb"), 12.0)
    (change,) = scenario_of(game.plan, state).changes
    assert (change.segment, change.rate, change.evidence) == ("smb", pytest.approx(0.12), 2000)
    assert board.reading(state, lever(board, RATE, "lead sql", "smb")) == pytest.approx(12.0)
    assert board.reading(state, lever(board, RATE, "lead sql", "mid")) == pytest.approx(10.0)
    assert len(scenario_of(game.plan, state).changes) == 1
    between = board.reading(state, lever(board, RATE, "lead sql"))
    assert 10.0 < between < 12.0


def test_one_segment_alone_is_moved_where_another_has_a_rate_of_its_own(board: Board, game: Game) -> None:
    state = board.set_to(State(), lever(board, RATE, STEP, "smb"), 24.0)
    (change,) = scenario_of(game.plan, state).changes
    assert (change.segment, change.rate) == ("smb", pytest.approx(0.24))


def test_no_rate_is_moved_beyond_one(board: Board, game: Game) -> None:
    state = board.set_to(State(), lever(board, RATE, STEP, "smb"), lever(board, RATE, STEP, "smb").high)
    with pytest.raises(ValueError, match=r"87\.3 is too much for this scenario, 71\.6 is not: a rate would pass 100 %"):
        board.set_to(state, lever(board, RATE, STEP), lever(board, RATE, STEP).high)


def test_delays_of_a_step_and_of_all_multiply(board: Board, game: Game) -> None:
    state = board.set_to(State(), lever(board, LAG), 200)
    state = board.set_to(state, lever(board, LAG, "sql sqo"), 300)
    assert state.moved[LAG, "", ""] * state.moved[LAG, "sql sqo", ""] == pytest.approx(3)
    lags = {each.from_stage: each.lag or INSTANT for each in scenario_of(game.plan, state).changes}
    assert lags["sql"].median_days == pytest.approx(60)
    assert lags["lead"].shift[:3] == (0, 0, 1)


def test_budget_is_volume_seen_in_money(board: Board, game: Game) -> None:
    volume, budget = lever(board, VOLUME, "inbound"), lever(board, VOLUME, "inbound", unit="USD")
    state = board.set_to(State(), volume, 150)
    assert board.reading(state, budget) == pytest.approx(1.5 * board.reading(State(), budget))
    state = board.set_to(state, budget, board.reading(State(), budget) * 2)
    assert board.reading(state, volume) == pytest.approx(200, abs=0.01)
    assert [each.label for each in board.levers() if each.group == VOLUMES] == [
        "Entries inbound (% of plan)",
        "Budget inbound (USD)",
        "Entries partner (% of plan)",
    ]


def test_uncertainty_that_equals_the_default_but_not_the_plan_is_a_change(tmp_path: Path) -> None:
    other = small_game(tmp_path, uncertainty={"volume_cv": 0.2})
    board = Board(other)
    state = board.set_to(State(), lever(board, "volume_cv"), 5)
    assert scenario_of(other.plan, state).uncertainty.model_fields_set == {"volume_cv"}
    assert other.play(scenario_of(other.plan, state)).view.volume_cv == 0.05


def test_only_the_sources_that_move_are_written(board: Board, game: Game) -> None:
    state = board.set_to(State(), lever(board, VOLUME, "inbound"), 150)
    assert scenario_of(game.plan, state).volume == {"inbound": 1.5}
    both = board.set_to(state, lever(board, VOLUME, "partner"), 150)
    assert scenario_of(game.plan, both).volume == 1.5


def test_another_goal_takes_the_place_of_a_closing_arr(board: Board, game: Game) -> None:
    start = Scenario.model_validate({"goal": {"opening_arr": 1_000_000, "closing_arr": 3_500_000}})
    state = board.set_to(State(start), lever(board, "goal", unit="USD"), 3_000_000)
    goal = scenario_of(game.plan, state).goal
    assert (goal.new_arr, goal.closing_arr, goal.opening_arr) == (3_000_000, None, 1_000_000)
    assert game.play(scenario_of(game.plan, state)).view.goal == pytest.approx(3_000_000)


def test_a_budget_reaches_three_times_the_plan(board: Board) -> None:
    budget = lever(board, VOLUME, "inbound", unit="USD")
    assert budget.high == pytest.approx(3 * board.reading(State(), budget), rel=0.01)
    assert (budget.low, budget.high / budget.step) == (0.0, pytest.approx(budget.positions[1]))


def test_confidence_changes_what_is_asked_and_nothing_else(board: Board, game: Game) -> None:
    state = board.set_to(State(), lever(board, "confidence"), 90)
    played = game.play(scenario_of(game.plan, state))
    asked = next(point for point in game.base.curve if point.confidence == 0.9)
    same_figures(played, replace(game.base, signed=asked))
    assert played.view is game.play(Scenario()).view


@pytest.mark.parametrize("value", [85, 84.942, 110, 0, 12.5, 1e-3 * 3, 299.9999])
def test_a_volume_that_was_typed_is_kept_exactly(board: Board, game: Game, value: float) -> None:
    volume, budget = lever(board, VOLUME, "inbound"), lever(board, VOLUME, "inbound", unit="USD")
    state = board.set_to(State(), volume, value)
    assert scenario_of(game.plan, state).volume_of("inbound") == value / 100
    assert float(volume.written(board.reading(state, volume))) == pytest.approx(value, abs=1e-4)
    assert board.slid_to(state, budget, budget.position(board.reading(State(), budget))) == State()
    typed = board.set_to(State(), budget, 200_000)
    assert budget.written(board.reading(typed, budget)) == "200,000"


def test_a_rate_that_was_typed_is_kept_exactly_over_several_rates(board: Board, game: Game) -> None:
    for value in (25.25, 31.4159, 10.001):
        state = board.set_to(State(), lever(board, RATE, STEP), value)
        assert lever(board, RATE, STEP).written(board.reading(state, lever(board, RATE, STEP))) == f"{value:g}"
    (change,) = scenario_of(game.plan, board.set_to(State(), lever(board, RATE, "lead sql"), 10.04)).changes
    assert change.rate == pytest.approx(0.1004, rel=1e-12)


def test_what_a_slider_shows_does_not_decide_what_is_played(board: Board, game: Game) -> None:
    start = State(Scenario.model_validate({"volume": {"inbound": 0.84942}, "goal": {"new_arr": 3_001_234}}))
    for each in board.levers():
        assert board.slid_to(start, each, each.position(board.reading(start, each))) == start
    goal = lever(board, "goal", unit="USD")
    assert board.set_to(start, goal, 3_000_000).moved == {goal.key: 3_000_000}
    assert scenario_of(game.plan, board.slid_to(start, goal, goal.position(3_001_234) + 1)).goal.new_arr == 3_010_000


def test_a_setting_that_could_move_nothing_is_not_there(tmp_path: Path) -> None:
    sure = [{key: value for key, value in each.items() if key != "evidence"} for each in PLAN["transitions"]]
    still = [{**each, "lag": {"months": 0}} for each in sure]
    segments = {**PLAN["segments"], "none": {"share": 0, "acv": 5_000}}
    sources = {"inbound": {"share": 1.0, "cost_per_entry": 100}, "partner": {"share": 0.0, "enters": "sql"}}
    labels = [
        each.label
        for each in Board(small_game(tmp_path, transitions=still, segments=segments, sources=sources)).levers()
    ]
    idle = ("none", "partner", "correlation", "Delays stray")
    assert [label for label in labels if any(word in label for word in idle)] == []
    assert "Volumes stray by (%)" in labels


def test_goal_and_confidence(board: Board, game: Game) -> None:
    state = board.set_to(State(), lever(board, "goal", unit="USD"), 3_000_000)
    state = board.set_to(state, lever(board, "confidence"), 90)
    played = game.play(scenario_of(game.plan, state))
    assert (played.view.goal, played.confidence) == (pytest.approx(3_000_000), 0.9)
    assert [each.group for each in board.levers()][-1] == CERTAINTY


# --- laws ----------------------------------------------------------------------------------------------------


@LAWS
@given(moved=moves(), place=st.integers(0, 99), part=st.floats(0.02, 0.98))
def test_moved_and_moved_back_is_the_same_state(
    board: Board, moved: list[tuple[int, float]], place: int, part: float
) -> None:
    levers = every(board)
    each = levers[place % len(levers)]
    start = after(board, moved).without(each.key)
    shown = float(each.written(board.reading(start, each)).replace(",", ""))
    away = board.set_to(start, each, round(each.low + part * (each.high - each.low), each.digits))
    assert board.set_to(away, each, shown) == start


def test_the_same_state_gives_the_same_pictures(tmp_path: Path) -> None:
    first, second = (Board(small_game(tmp_path)) for _ in range(2))
    state = first.set_to(State(), lever(first, RATE, STEP), 15.0)
    drawings = []
    for board in (first, second):
        played, base = board.game.play(scenario_of(board.game.plan, state)), board.game.base
        charts = (fan_chart(played, base), curve_chart(played, base), funnel_chart(played, base), tornado_chart(played))
        drawings.append(charts)
    assert drawings[0] == drawings[1]


@LAWS
@given(moved=moves())
def test_save_then_load_is_the_identity(board: Board, game: Game, moved: list[tuple[int, float]]) -> None:
    scenario = scenario_of(game.plan, after(board, moved))
    loaded, note = read_scenario(game, "x.yaml", scenario_text(game, scenario).encode("utf-8"))
    assert (loaded, note) == (scenario, "")
    assert loaded.uncertainty.model_fields_set == scenario.uncertainty.model_fields_set
    assert scenario_of(game.plan, State(loaded)) == scenario


@settings(LAWS, max_examples=6)
@given(moved=moves())
def test_what_is_played_is_what_compare_says(board: Board, game: Game, moved: list[tuple[int, float]]) -> None:
    scenario = scenario_of(game.plan, after(board, moved))
    named = game.plan.model_copy(update={"scenarios": FrozenDict({"x": scenario})})
    base = replace(game.base, year=replace(game.base.year, plan=named))
    compared, played = compare(base)[1], game.play(scenario)
    same_figures(played, compared)


# --- history -------------------------------------------------------------------------------------------------


def test_one_movement_of_a_slider_is_one_step() -> None:
    key, other = (RATE, STEP, ""), (LAG, "", "")
    states = [State().with_moved(key, 1 + number / 10) for number in range(1, 4)]
    history = StateHistory()
    for state in states:
        history = history.then(state, (key, 1))
    history = history.then(states[-1].with_moved(other, 2.0), (other, 2))
    assert len(history.past) == 2
    assert history.undone().now == states[-1]
    assert history.undone().undone().now == State()
    assert history.undone().undone().redone().now == states[-1]
    assert history.undone().undone().redone().redone() == replace(history, last=None)


def test_a_move_after_undo_is_a_step_of_its_own_and_forgets_what_was_undone() -> None:
    key = (RATE, STEP, "")
    history = StateHistory().then(State().with_moved(key, 1.1), (key, 1)).undone()
    history = history.then(State().with_moved(key, 1.2), (key, 1))
    assert (history.future, history.past) == ((), (State(),))


def test_a_pause_ends_a_movement_and_what_is_typed_is_a_step_of_its_own() -> None:
    key, other = (RATE, STEP, ""), (LAG, "", "")
    first = Gesture().of(key, 10.0)
    assert first.of(key, 10.9) == first
    assert len({first.step, first.of(key, 11.1).step, first.of(other, 10.1).step}) == 3
    states = [State().with_moved(key, 1 + number / 10) for number in range(1, 4)]
    history = StateHistory()
    for state in states:
        history = history.then(state)
    assert history.past == (State(), *states[:2])


def test_no_step_leads_to_the_state_it_came_from() -> None:
    key = (RATE, STEP, "")
    moved = State().with_moved(key, 1.1)
    assert StateHistory().then(State()) == StateHistory()
    assert StateHistory().then(moved).then(moved).past == (State(),)
    assert StateHistory().then(moved, (key, 1)).then(State(), (key, 1)) == StateHistory()


def test_nothing_to_undo_or_redo_changes_nothing() -> None:
    assert StateHistory().undone() == StateHistory() == StateHistory().redone()


def test_opening_a_scenario_equal_but_for_what_it_says_is_a_step() -> None:
    said = Scenario.model_validate({"uncertainty": {"volume_cv": 0.05}})
    history = StateHistory().then(State(said))
    assert history.now.start.uncertainty.model_fields_set == {"volume_cv"}
