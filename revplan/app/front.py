"""The first screen: what is wrong with the plan, and the live line of the running year."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Thread

import ipywidgets as widgets

from revplan.app.first import health_html
from revplan.app.game import Game
from revplan.app.remarks import Remarks
from revplan.exhibits import annual_commit, pace
from revplan.exhibits.exhibit import Exhibit, page_html, raw
from revplan.ground.errors import RevplanError
from revplan.ground.escaping import escape
from revplan.tracking.pacebook import PaceBook

BEGUN = "The live line is being worked out …"
NO_LINE = "The live line cannot be drawn"


class Front:
    """The plan's health, and the live line, which comes after it: its records are read when the rest is shown."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.health = widgets.HTML(health_html(game.book, game.plan.plan_date))
        self.remarks = Remarks(game.path.parent, "summary", "annual_commit", lambda: annual_commit.in_brief(game.book))
        self.live = widgets.Box([widgets.HTML(f'<p role="status">{escape(BEGUN)}</p>')])
        self.live.add_class("rp-live")
        self.widget = widgets.VBox([self.health, self.remarks.widget, self.live])
        self.widget.add_class("rp-front")

    def follow(self) -> Thread:
        """Begins to look where the year stands, beside what is shown already."""
        thread = Thread(target=self.look, daemon=True)
        thread.start()
        return thread

    def look(self) -> None:
        """Shows where the year stands, or says plainly why that is not known."""
        try:
            book = self.game.pace
        except RevplanError as error:
            self._say(f"{NO_LINE}: {'; '.join(map(str, error.faults))}")
            return
        except Exception as error:  # the plan is played with all the same
            self._say(f"{NO_LINE}, by a fault of revplan itself: {type(error).__name__}: {error}")
            return
        self.health.value = health_html(self.game.book, max(book.as_of, self.game.plan.plan_date))
        if book.state:
            self._say(book.state)
            return
        made: list[tuple[str, Callable[[PaceBook], Exhibit]]] = [
            ("summary", pace.summary),
            ("line", pace.line),
            ("landing", pace.landing),
        ]
        named = widgets.HTML(f'<p class="note">{escape(pace.header(book))}</p>')
        named.add_class("rp-live-named")
        self.live.children = [named, *(self._exhibit(name, make(book)) for name, make in made)]

    def _exhibit(self, name: str, made: Exhibit) -> widgets.Widget:
        said = Remarks(self.game.path.parent, name, "pace", lambda: made)
        notes = "".join(f'<p class="note">{escape(line)}</p>' for line in made.notes)
        folded = f"<details><summary>How this is known</summary>{notes}</details>" if notes else ""
        box = widgets.VBox([widgets.HTML(page_html(raw(replace(made, notes=()))) + folded), said.widget])
        box.add_class(f"rp-live-{name}")
        return box

    def _say(self, words: str) -> None:
        self.live.children = [widgets.HTML(f'<p class="rp-state" role="status">{escape(words)}</p>')]
