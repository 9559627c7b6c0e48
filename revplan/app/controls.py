"""The controls on the screen: a slider, a field and a few words for each lever, by groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ipywidgets as widgets

from revplan.app.levers import GROUPS, RATES, Board, Lever
from revplan.app.state import State
from revplan.app.typed import typed_number
from revplan.errors import shown
from revplan.escaping import escape

Moved = Callable[[Lever, float], None]
"""What is called when a lever was moved.

Raises
------
ValueError
    In words, if it cannot be moved there.
"""


class Row:
    """One lever on the screen: its slider, a field to type into, and its range or what is wrong."""

    def __init__(self, lever: Lever, planned: float, moved: Moved) -> None:
        self.moved, self.quiet, self.value = moved, False, lever.low
        self.slider = widgets.FloatSlider(layout={"width": "auto"})
        self.field = widgets.Text(continuous_update=False, layout={"width": "auto"})
        self.note = widgets.HTML()
        self.box = widgets.Box([self.slider, self.field, self.note])
        self.box.add_class("rp-row")
        self.bind(lever, planned)
        self.slider.observe(lambda change: self._ask(change["new"]), "value")
        self.field.observe(lambda change: self._typed(change["new"]), "value")

    def bind(self, lever: Lever, planned: float) -> None:
        """Makes this the row of another lever, which stands at `planned` in the plan."""
        self.lever, self.planned = lever, planned
        with self._quietly():
            self.slider.min, self.slider.max = min(lever.low, self.slider.min), max(lever.high, self.slider.max)
            self.slider.value = lever.low
            self.slider.min, self.slider.max, self.slider.step = lever.low, lever.high, lever.step
            self.slider.readout_format = f",.{lever.digits}f"
            self.slider.description = self.field.description = lever.label

    def show(self, value: float) -> None:
        """Shows where the lever stands."""
        self.value = round(value, self.lever.digits)
        with self._quietly():
            self.slider.min, self.slider.max = min(self.lever.low, self.value), max(self.lever.high, self.value)
            if abs(self.slider.value - self.value) > self.lever.step / 100:  # else a slider on the move is set back
                self.slider.value = self.value
            self.field.value = self.lever.written(value)
        self.note.value = f"{escape(self.lever.range)}; plan {escape(self.lever.written(self.planned))}"

    def _typed(self, text: str) -> None:
        if self.quiet:
            return
        try:
            value = typed_number(text)
        except ValueError as error:
            self._explain(str(error))
        else:
            if self.lever.low <= value <= self.lever.high:
                self._ask(value)
            else:
                self._explain(f"{shown(text)} is outside {self.lever.range}")

    def _ask(self, value: float) -> None:
        if self.quiet:
            return
        try:
            self.moved(self.lever, value)
        except ValueError as error:
            self._explain(str(error))

    def _explain(self, fault: str) -> None:
        """Says what is wrong; the lever stays where it was."""
        kept = self.lever.written(self.value)
        with self._quietly():
            self.slider.value, self.field.value = self.value, kept
        self.note.value = f'<span class="rp-fault" role="alert">{escape(fault)}. {escape(kept)} is kept.</span>'

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        before, self.quiet = self.quiet, True
        try:
            yield
        finally:
            self.quiet = before


class Controls:
    """All levers of a plan, a group at a time."""

    def __init__(self, board: Board, moved: Moved) -> None:
        self.board, self.state = board, State()
        levers = board.levers()
        planned = board.readings(self.state, levers)
        self.rows = [Row(lever, value, moved) for lever, value in zip(levers, planned, strict=True)]
        self.segment = widgets.Dropdown(
            description="Segment",
            options=[("all segments together", ""), *((shown(name), name) for name in board.game.plan.segments)],
            layout={"width": "auto"},
        )
        self.segment.observe(self._choose, "value")
        self.group = widgets.ToggleButtons(options=GROUPS, description="", tooltips=[f"show {name}" for name in GROUPS])
        self.group.add_class("rp-groups")
        self.pages = [self._of(group) for group in GROUPS]
        self.group.observe(lambda _: self._turn(), "index")
        self.widget = widgets.VBox([self.group, *self.pages])
        self._turn()
        self.show(self.state)

    def show(self, state: State) -> None:
        """Shows where everything stands."""
        self.state = state
        levers = [row.lever for row in self.rows]
        for row, reading in zip(self.rows, self.board.readings(state, levers), strict=True):
            row.show(reading)

    def _of(self, group: str) -> widgets.Widget:
        rows = [row.box for row in self.rows if row.lever.group == group]
        return widgets.VBox([self.segment, *rows] if group == RATES and len(self.segment.options) > 2 else rows)

    def _turn(self) -> None:
        for number, page in enumerate(self.pages):
            page.layout.display = None if number == self.group.index else "none"

    def _choose(self, change: dict[str, str]) -> None:
        """Binds the rows of rates to those of the segment chosen; a step it does not take is not shown."""
        levers = {lever.key[1]: lever for lever in self.board.levers(change["new"]) if lever.group == RATES}
        for row in self.rows:
            if row.lever.group == RATES:
                lever = levers.get(row.lever.key[1])
                row.box.layout.display = "none" if lever is None else None
                row.bind(lever or row.lever, self.board.reading(State(), lever or row.lever))
        self.show(self.state)
