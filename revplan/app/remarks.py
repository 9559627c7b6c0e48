"""What people say beside an exhibit, read and written on the screen: `commentary.yaml` beside the plan."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import partial
from pathlib import Path

import ipywidgets as widgets

from revplan.app.printing import pressed, say
from revplan.exhibits.exhibit import Exhibit, comments_in_page, raw
from revplan.ground.errors import RevplanError, shown
from revplan.ground.escaping import clean, cut_words, escape
from revplan.run.commentary import (
    Comment,
    comment_of,
    printed,
    read_commentary,
    removed,
    replaced,
    with_figures,
)

SHORT = 40  # characters of a comment by which it is chosen


class Remarks:
    """The comments of one exhibit, and a form to add, change and remove them.

    Parameters
    ----------
    folder
        Where `commentary.yaml` lies.
    name
        What the exhibit is called.
    report
        The report that a new comment is of.
    exhibit
        Makes the exhibit as the report shows it: what a comment is written of, and has expired by.
    """

    def __init__(self, folder: Path, name: str, report: str, exhibit: Callable[[], Exhibit]) -> None:
        self.folder, self.name, self.report, self.exhibit = folder, name, report, exhibit
        self.listed, self.said, self.form = widgets.HTML(), widgets.HTML(), widgets.VBox()
        self.open = widgets.Button(description="Comment", tooltip=f"Say something beside this, for the {report} report")
        self.open.on_click(lambda _: self._open())
        self.widget = widgets.VBox([self.listed, self.open, self.form, self.said])
        self.widget.add_class("rp-remarks")
        self.show()

    def _open(self) -> None:
        """Shows the form, which is made when somebody wants it: a page holds many exhibits, and few are written beside."""
        self.which = widgets.Dropdown(description="Which")
        self.owner = widgets.Text(description="Who", placeholder="your name")
        self.text = widgets.Textarea(description="What", placeholder="what the figures do not say by themselves")
        works = {"Save comment": self._save, "Remove": self._remove, "Close": self._close}
        buttons = [pressed(label, partial(say, self.said, work)) for label, work in works.items()]
        self.remove = buttons[1]
        self.show()
        self.which.options = [("a new one", None), *((_brief(each), at) for at, each in enumerate(self.mine))]
        self.which.observe(lambda _: self._fill(), "value")
        self.form.children = [self.which, self.owner, self.text, widgets.Box(buttons)]
        self.open.layout.display = "none"
        self._fill()

    def show(self) -> None:
        """Shows the comments as the file has them now, those that have expired with why."""
        try:
            commentary = read_commentary(self.folder)
        except RevplanError as error:
            self.mine: list[Comment] = []
            self.listed.value = f'<p class="rp-warning">{escape("; ".join(map(str, error.faults)))}</p>'
            self.open.disabled = True
            return
        self.open.disabled = False
        reports = ("", self.report)
        self.mine = [each for each in commentary.comments if each.exhibit == self.name and each.report in reports]
        beside = raw(self.exhibit()) if self.mine else {}
        told = [printed(each, beside, commentary.expires_when_moved) for each in self.mine]
        self.listed.value = comments_in_page(told)

    def _chosen(self) -> Comment | None:
        return None if self.which.value is None else self.mine[self.which.value]

    def _fill(self) -> None:
        chosen = self._chosen()
        if chosen is not None:
            self.owner.value, self.text.value = chosen.owner, chosen.text
        self.remove.disabled = chosen is None
        self.said.value = ""

    def _save(self) -> str:
        before = self._chosen()
        report = self.report if before is None else before.report
        given = comment_of(self.name, self.text.value, self.owner.value, date.today(), report)
        replaced(self.folder, before, with_figures(given, raw(self.exhibit())))
        self._close()
        where = f"beside {self.name} of {given.report or 'every report'}"
        return f"Saved in commentary.yaml: {shown(given.owner)}, {where}."

    def _remove(self) -> str:
        chosen = self._chosen()
        if chosen is not None:
            removed(self.folder, chosen)
        self._close()
        return "Taken out of commentary.yaml."

    def _close(self) -> str:
        self.form.children = []
        self.open.layout.display = None
        self.show()
        return ""


def _brief(comment: Comment) -> str:
    words = cut_words(clean(comment.text))
    return f"{clean(comment.owner)}: {words[:SHORT]}{'…' if len(words) > SHORT else ''}"
