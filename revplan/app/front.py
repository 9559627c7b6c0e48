"""The first screen: what is wrong with the plan, and the live line of the running year."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from threading import Thread

import ipywidgets as widgets

from revplan.app.game import Game
from revplan.app.remarks import Remarks
from revplan.exhibits import annual_commit, pace
from revplan.exhibits.exhibit import Exhibit, page_html
from revplan.ground.errors import RevplanError
from revplan.ground.escaping import escape
from revplan.ground.formats import counted, raised
from revplan.tracking.pacebook import PaceBook
from revplan.workbook.notes import TO_DO, misses
from revplan.workbook.signing import NO_PEOPLE
from revplan.workbook.workbook import Workbook, expired

BEGUN = "The live line is being worked out …"
NO_LINE = "The live line cannot be drawn"


def wrong_with(book: Workbook, on: date) -> Iterator[str]:
    """What is wrong with a plan on a day, one sentence each: quarters that miss, assumptions that have expired."""
    yield from misses(book.year, book.quarters)
    yield from expired(book.plan, on)


def health_html(book: Workbook, on: date) -> str:
    """What is wrong with a plan on a day, and what is left out of account, as the page says it."""
    found = list(wrong_with(book, on))
    said = (
        f"{raised(counted(len(found), 'thing'))} to look at in the plan:"
        if found
        else "Nothing is wrong with the plan as far as it can be told."
    )
    listed = f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in found)}</ul>" if found else ""
    to_do = book.answers.get(TO_DO, "")
    listed += f'<p class="rp-said">{escape(TO_DO)}: {escape(to_do)}</p>' if to_do else ""
    left_out = "" if book.plan.capacity else f'<p class="note">{escape(NO_PEOPLE)}</p>'
    return f'<div class="rp-health"><p class="rp-said">{escape(said)}</p>{listed}{left_out}</div>'


class Front:
    """The plan's health, and the live line, which comes after it: its records are read when the rest is shown."""

    def __init__(self, game: Game) -> None:
        self.game = game
        self.health = widgets.HTML(health_html(game.book, game.plan.plan_date))
        beside = partial(Remarks, game.path.parent)
        self.remarks = beside("summary", "annual_commit", lambda: annual_commit.in_brief(game.book))
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
        box = widgets.VBox([widgets.HTML(page_html(replace(made, notes=())) + folded), said.widget])
        box.add_class(f"rp-live-{name}")
        return box

    def _say(self, words: str) -> None:
        self.live.children = [widgets.HTML(f'<p class="rp-state" role="status">{escape(words)}</p>')]
