"""The controls on the screen: a slider, a field and a few words for each lever, by groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ipywidgets as widgets

from revplan.app.levers import DAYS, DELAYS, GROUPS, PERCENT, RATES, Board, Lever
from revplan.app.state import State
from revplan.ground.errors import shown
from revplan.ground.escaping import escape

OnMove = Callable[[Lever, float], None]
"""What is called when a value was typed; it raises a ValueError, in words, if the lever cannot be moved there."""
Slid = Callable[[Lever, int], None]
"""What is called when somebody moved a slider to a position; it raises as `OnMove` does."""


class LeverRow:
    """One lever on the screen: its slider, a field to type into, and its range or what is wrong.

    The slider is only a picture of the value: it holds whole steps, which a browser gives back as it got them. A
    slider of the values themselves would snap them to its steps and send that back as if somebody had moved it.
    """

    def __init__(self, lever: Lever, planned: float, typed: OnMove, slid: Slid) -> None:
        self.typed, self.slid, self.quiet, self.value = typed, slid, False, lever.low
        self.slider = widgets.IntSlider(readout_format="d", layout={"width": "auto"})
        self.field = widgets.Text(continuous_update=False, layout={"width": "auto"})
        self.note = widgets.HTML()
        self.box = widgets.Box([self.slider, self.field, self.note])
        self.box.add_class("rp-row")
        self.bind(lever, planned)
        self.slider.observe(lambda change: self._slid(change["new"]), "value")
        self.field.observe(lambda change: self._typed(change["new"]), "value")

    def bind(self, lever: Lever, planned: float) -> None:
        """Makes this the row of another lever, which stands at `planned` in the plan."""
        self.lever, self.planned = lever, planned
        low, high = lever.positions
        with self._quietly(), self.slider.hold_sync():  # the browser gets ends and value at once, or it would clamp
            self.slider.min, self.slider.max = min(low, self.slider.min), max(high, self.slider.max)
            self.slider.value = lever.position(planned)
            self.slider.min, self.slider.max = low, high
            self.slider.description = self.field.description = lever.label

    def show(self, value: float) -> None:
        """Shows where the lever stands."""
        self.value = value
        with self._quietly():
            self.slider.value, self.field.value = self.lever.position(value), self.lever.written(value)
        steps = f'data-step="{self.lever.step:.12g}" data-digits="{self.lever.digits}"'
        range_ = f"{self.lever.range}; plan {self.lever.written(self.planned)}"
        self.note.value = f"<span {steps}>{escape(range_)}</span>"

    def _typed(self, text: str) -> None:
        if self.quiet:
            return
        try:
            value = self.lever.read(text)
            if not self.lever.low <= value <= self.lever.high:
                raise ValueError(f"{shown(text)} is outside {self.lever.range}")
            self.typed(self.lever, value)
        except ValueError as error:
            self._explain(str(error))

    def _slid(self, position: int) -> None:
        if self.quiet:
            return
        try:
            self.slid(self.lever, position)
        except ValueError as error:
            self._explain(str(error))

    def _explain(self, fault: str) -> None:
        """Says what is wrong; the lever stays where it was."""
        kept = self.lever.written(self.value)
        with self._quietly():
            self.slider.value, self.field.value = self.lever.position(self.value), kept
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

    def __init__(self, board: Board, typed: OnMove, slid: Slid) -> None:
        self.board, self.state = board, State()
        self.segment = _choice(
            "Segment",
            [("all segments together", ""), *((shown(name), name) for name in board.game.plan.segments)],
            lambda: self._rebind(RATES),
        )
        self.delays_in = _choice("In", [("% of plan", PERCENT), ("days", DAYS)], lambda: self._rebind(DELAYS))
        levers = self._levers()
        planned = board.readings(self.state, levers)
        self.rows = [LeverRow(lever, value, typed, slid) for lever, value in zip(levers, planned, strict=True)]
        there = {lever.group for lever in levers}
        groups = [name for name in GROUPS if name in there]
        self.group = widgets.ToggleButtons(options=groups, description="", tooltips=[f"show {name}" for name in groups])
        self.group.add_class("rp-groups")
        self.pages = [self._of(group) for group in groups]
        self.group.observe(lambda _: self._turn(), "index")
        self.widget = widgets.VBox([self.group, *self.pages])
        self._turn()
        self.show(self.state)

    def _levers(self) -> tuple[Lever, ...]:
        return self.board.levers(self.segment.value, self.delays_in.value)

    def show(self, state: State) -> None:
        """Shows where everything stands."""
        self.state = state
        levers = [row.lever for row in self.rows]
        for row, reading in zip(self.rows, self.board.readings(state, levers), strict=True):
            row.show(reading)

    def _of(self, group: str) -> widgets.Widget:
        rows = [row.box for row in self.rows if row.lever.group == group]
        chosen = {DELAYS: [self.delays_in], RATES: [self.segment] if len(self.segment.options) > 2 else []}
        return widgets.VBox([*chosen.get(group, []), *rows])

    def _turn(self) -> None:
        for number, page in enumerate(self.pages):
            page.layout.display = None if number == self.group.index else "none"

    def _rebind(self, group: str) -> None:
        """Binds the rows of a group to the levers that are chosen now; a step that the segment does not take is not shown."""
        levers = {lever.key[1]: lever for lever in self._levers() if lever.group == group}
        for row in self.rows:
            if row.lever.group == group:
                lever = levers.get(row.lever.key[1])
                row.box.layout.display = "none" if lever is None else None
                row.bind(lever or row.lever, self.board.reading(State(), lever or row.lever))
        self.show(self.state)


def _choice(label: str, options: list[tuple[str, str]], chosen: Callable[[], None]) -> widgets.Dropdown:
    """A list to choose from, each option with what it stands for."""
    made = widgets.Dropdown(description=label, options=options, layout={"width": "auto"})
    made.observe(lambda _: chosen(), "value")
    return made
