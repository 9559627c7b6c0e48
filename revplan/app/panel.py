"""The whole simulator as one widget."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic

import ipywidgets as widgets

from revplan.app.answers import curve_chart, fan_chart, funnel_chart, people_chart, side_by_side, tornado_chart
from revplan.app.controls import Controls
from revplan.app.first import style, words
from revplan.app.front import Front
from revplan.app.game import Game, open_game
from revplan.app.levers import Board, Lever
from revplan.app.printing import pressed
from revplan.app.remarks import Remarks
from revplan.app.scenario_files import read_scenario, scenario_text
from revplan.app.shelf import BASE_COLUMN, NOW_COLUMN, Shelf
from revplan.app.state import Gesture, LeverStep, State, StateHistory, scenario_of
from revplan.exhibits import annual_commit, confidence, draw
from revplan.exhibits.chart import Chart
from revplan.exhibits.exhibit import Exhibit
from revplan.ground.errors import RevplanError
from revplan.ground.escaping import escape
from revplan.plan.parts import Scenario


def panel(plan_path: str | Path) -> widgets.Widget:
    """The simulator of the plan at `plan_path`: sliders, charts, tables, scenarios.

    Raises
    ------
    RevplanError
        If the plan or a file it names is at fault.
    """
    made = Panel(open_game(plan_path))
    made.front.follow()
    return made.widget


class Screen(widgets.VBox):  # type: ignore[misc]
    """The simulator where widgets live; elsewhere, as on a printed page, a sentence."""

    def __repr__(self) -> str:
        return "The simulator: it lives in Jupyter, where running this cell opens it, and in `revplan app`."


class Panel:
    """What is on the screen, and the history of the state behind it."""

    def __init__(self, game: Game) -> None:
        self.game, self.board, self.history = game, Board(game), StateHistory()
        self.controls = Controls(self.board, self._typed, self._slid)
        self.gesture = Gesture()
        self.shelf = Shelf(game, self._scenario, self._opened, self._show_table)
        self.undo = pressed("Undo", lambda: self._go(self.history.undone()))
        self.redo = pressed("Redo", lambda: self._go(self.history.redone()))
        self.reset = pressed("Reset to the plan", lambda: self._go(self.history.then(State())))
        self.words, self.table, self.fault = widgets.HTML(), widgets.HTML(), widgets.HTML()
        self.place, self.kept_place = (widgets.Textarea(continuous_update=False) for _ in range(2))
        self.placing = False
        self.place.observe(lambda change: self._taken_up(change["new"]), "value")
        self.kept_place.observe(lambda change: self._kept_again(change["new"]), "value")
        people = [] if game.plan.capacity is None else ["people"]
        self.charts = {name: widgets.HTML() for name in ("fan", "curve", *people, "funnel", "tornado")}
        self.front = Front(game)
        self.widget = self._laid_out()
        self._show()

    def _laid_out(self) -> widgets.Widget:
        steps = widgets.HBox([self.undo, self.redo, self.reset])
        left = widgets.VBox([steps, self.controls.widget, self.shelf.widget])
        right = widgets.VBox([_classed(widgets.Box(list(self._pictures())), "rp-charts"), self.table])
        parts = [
            widgets.HTML(f"<style>{style()}</style>"),
            self.fault,
            _classed(widgets.Box([self.words]), "rp-top"),
            self.front.widget,
            _classed(widgets.Box([left, right]), "rp-body"),
            _classed(widgets.Box([self.place, self.kept_place]), "rp-place"),
        ]
        return _classed(Screen(parts), "rp-app")

    def _pictures(self) -> Iterator[widgets.Widget]:
        """The charts, with what people say beside those that a report shows of the plan."""
        book = self.game.book
        shown: dict[str, tuple[str, str, Callable[[], Exhibit]]] = {
            "curve": ("commit_curve", "annual_commit", lambda: confidence.commit_curve(book)),
            "funnel": ("required_funnel", "annual_commit", lambda: annual_commit.required_funnel(book)),
            "tornado": ("tornado", "annual_commit", lambda: confidence.tornado(book)),
        }
        for name, chart in self.charts.items():
            remarks = [Remarks(self.game.path.parent, *shown[name]).widget] if name in shown else []
            yield widgets.VBox([chart, *remarks])

    def _scenario(self) -> Scenario:
        return scenario_of(self.game.plan, self.history.now)

    def _typed(self, lever: Lever, value: float) -> None:
        """Sets a lever to what was typed, or says in words why it cannot stand there."""
        self._move(self.board.set_to(self.history.now, lever, value))

    def _slid(self, lever: Lever, position: int) -> None:
        """Moves a lever with its slider, or says in words why it cannot be moved there."""
        state = self.board.slid_to(self.history.now, lever, position)
        self.gesture = self.gesture.of(lever.key, monotonic())
        self._move(state, self.gesture.step)
        self.gesture = replace(self.gesture, ended=monotonic())

    def _move(self, state: State, step: LeverStep | None = None) -> None:
        try:
            self.game.play(scenario_of(self.game.plan, state))
        except RevplanError as error:
            raise ValueError(str(error)) from None
        self._go(self.history.then(state, step))

    def _opened(self, scenario: Scenario) -> None:
        self.game.play(scenario)
        self._go(self.history.then(State(scenario)))

    def _taken_up(self, text: str) -> None:
        """Goes on where another visit stood, whose page kept what this one's keeps in `place`."""
        if self.placing or not text:
            return
        try:
            scenario, note = read_scenario(self.game, "your last visit", text.encode("utf-8"))
            self._opened(scenario)
        except RevplanError as error:
            note = " ".join(map(str, error.faults))
        self.fault.value = f'<p class="rp-warning" role="status">{escape(note)}</p>' if note else ""

    def _kept_again(self, text: str) -> None:
        """Takes up again what another visit had in its table."""
        if not self.placing and text:
            self.shelf.take_back(text.split("\n"))

    def _leave_a_trace(self) -> None:
        """Leaves on the page what the scenario is and what stands in the table, so that both outlive this process."""
        changed = self.history.now != State()
        self.placing = True
        self.place.value = scenario_text(self.game, self._scenario()) if changed else ""
        self.kept_place.value = "\n".join(self.shelf.kept)
        self.placing = False

    def _go(self, history: StateHistory) -> None:
        self.history = history
        self._show()

    def _show(self) -> None:
        """Shows the state: the words and the charts first, for they are what is looked at."""
        simulation, base = self.game.play(self._scenario()), self.game.base
        self.words.value = words(simulation, base, self.game.book.doubts)
        self.charts["fan"].value = _figure(fan_chart(simulation, base))
        self.charts["curve"].value = _figure(curve_chart(simulation, base))
        if "people" in self.charts:
            self.charts["people"].value = _figure(people_chart(simulation))
        self.charts["funnel"].value = _figure(funnel_chart(simulation, base))
        self.charts["tornado"].value = _figure(tornado_chart(simulation))
        self.undo.disabled, self.redo.disabled = not self.history.past, not self.history.future
        self.controls.show(self.history.now)
        self.shelf.stale()
        self.fault.value = ""
        self._show_table()

    def _show_table(self) -> None:
        """Shows base, present state and the scenarios at hand side by side."""
        columns = {BASE_COLUMN: Scenario(), NOW_COLUMN: self._scenario(), **self.shelf.columns()}
        figures = {name: self.game.figures(scenario) for name, scenario in columns.items()}
        self.table.value = side_by_side(figures, self.game.base, self.shelf.left_out)
        self._leave_a_trace()


WIDTH = 330.0
"""Of a drawing beside another. [points]"""


def _figure(chart: Chart | str) -> str:
    """A chart under what it says, or words alone where there is nothing to draw."""
    if isinstance(chart, str):
        return f'<figure class="exhibit text"><figcaption>{escape(chart)}</figcaption></figure>'
    drawn = draw.svg(chart, WIDTH, outlined=False)
    return f'<figure class="exhibit chart"><figcaption>{escape(chart.message)}</figcaption>{drawn}</figure>'


def _classed(widget: widgets.Box, name: str) -> widgets.Box:
    widget.add_class(name)
    return widget
