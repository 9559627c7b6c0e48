"""The whole simulator as one widget."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import ipywidgets as widgets

from revplan.app.game import Game, open_game
from revplan.app.levers import Board, Lever
from revplan.app.pictures import fan_chart
from revplan.app.state import History, scenario_of
from revplan.escaping import escape
from revplan.formats import compact, show


def panel(plan_path: str | Path) -> widgets.Widget:
    """The simulator of the plan at `plan_path`: sliders, charts, tables, scenarios.

    Raises
    ------
    RevplanError
        If the plan or a file it names is at fault.
    """
    return Panel(open_game(plan_path)).widget


class Row:
    """A lever on the screen."""

    def __init__(self, lever: Lever, moved: Callable[[Lever, float], None]) -> None:
        self.lever = lever
        self.slider = widgets.FloatSlider(
            description=lever.label, min=lever.low, max=lever.high, step=lever.step, readout_format=f",.{lever.digits}f"
        )
        self.slider.observe(lambda change: moved(self.lever, change["new"]), "value")


class Panel:
    """What is on the screen, and the history of the state behind it."""

    def __init__(self, game: Game) -> None:
        self.game, self.board, self.history, self.showing = game, Board(game), History(), False
        self.rows = [Row(lever, self._moved) for lever in self.board.levers()]
        self.headline, self.fan = widgets.HTML(), widgets.HTML()
        controls = widgets.VBox([row.slider for row in self.rows], layout={"flex": "0 0 420px"})
        charts = widgets.VBox([self.headline, self.fan], layout={"flex": "1 1 400px"})
        self.widget = widgets.HBox([controls, charts])
        self._show()

    def _moved(self, lever: Lever, value: float) -> None:
        if not self.showing:
            self.history = self.history.then(self.board.set_to(self.history.now, lever, value), lever.key)
            self._show()

    def _show(self) -> None:
        self.showing = True
        state = self.history.now
        for row in self.rows:
            row.slider.value = self.board.reading(state, row.lever)
        simulation = self.game.play(scenario_of(self.game.plan, state))
        chance = show(simulation.outcome.chance_of_goal.value, "share")
        goal = compact(simulation.view.goal, self.game.plan.currency)
        self.headline.value = f'<p role="status" aria-live="polite"><b>{escape(goal)} new ARR is reached in {chance} of the years.</b></p>'
        self.fan.value = fan_chart(simulation, self.game.base)[1]
        self.showing = False
