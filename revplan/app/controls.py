"""Numbers as people type them: 31, 31 %, 31,5, 29,000, $1.2M.

The controls on the screen: a slider, a field and a few words for each lever, by groups.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ipywidgets as widgets

from revplan.app.levers import GROUPS, RATES, Board, Lever
from revplan.app.state import State
from revplan.ground.errors import shown
from revplan.ground.escaping import escape

UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}
_NUMBER = re.compile(r"([+-]?)([0-9][0-9.,]*|[.,][0-9]+)([kmb]?)")
_THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?|[0-9]{1,3}(\.[0-9]{3})+,[0-9]*|[0-9]{1,3}(\.[0-9]{3}){2,}")
_LONGEST = 40


def typed_number(text: str) -> float:
    """The number that was typed; percent signs, currencies and separators of thousands are taken off.

    A comma is a decimal mark unless exactly three digits follow it.

    Raises
    ------
    ValueError
        In words, if it is no number.
    """
    bare = re.sub(r"[\s%$€£_'\u202f\u00a0]|^[A-Za-z]{3}(?=[\s0-9])|(?<=[0-9\s])[A-Z]{3}$", "", text)
    found = _NUMBER.fullmatch(bare.lower().replace("\u2212", "-")) if len(text) <= _LONGEST else None
    if found is None:
        raise ValueError(f"{shown(text)!r} is no number; write it like 28.4" if text.strip() else "nothing was written")
    sign, digits, unit = found.groups()
    try:
        return float(sign + _plain(digits)) * UNITS[unit]
    except ValueError:
        raise ValueError(f"{shown(text)!r} is no number; write it like 28.4") from None


def _plain(digits: str) -> str:
    """Digits with a point as their only mark."""
    if _THOUSANDS.fullmatch(digits):
        decimal = max(digits.rfind("."), digits.rfind(","))
        european = (digits[decimal] == "," and "." in digits) or digits.count(".") > 1
        return digits.replace(".", "").replace(",", ".") if european else digits.replace(",", "")
    return digits.replace(",", ".")


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
            value = typed_number(text)
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
        levers = board.levers()
        planned = board.readings(self.state, levers)
        self.rows = [LeverRow(lever, value, typed, slid) for lever, value in zip(levers, planned, strict=True)]
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
