"""Scenarios put away and taken up again: in files beside the plan, in the table, as downloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import count
from typing import Any

import ipywidgets as widgets

from revplan.app.game import Game
from revplan.app.printing import Printer, fault_html, pressed, say
from revplan.app.scenario_files import (
    FOLDER,
    checked_name,
    downloads,
    load,
    read_scenario,
    save,
    saved_names,
    scenario_path,
)
from revplan.ground.errors import PlanError, RevplanError, shown
from revplan.ground.files import PLAN_MB, content_of, megabytes
from revplan.plan.parts import Scenario

MOST_KEPT, MOST_NAMED = 4, 6  # columns of the table: scenarios kept, and scenarios of the plan file
PLAN, FILE = "plan file", "file"
NAMELESS = "scenario"
BASE_COLUMN, NOW_COLUMN = "Base plan", "Now"

FileChoice = tuple[str, str]
"""Where a scenario lies, and its name."""


class Shelf:
    """The scenarios at hand, and the controls that put the present one there or take one up."""

    def __init__(
        self,
        game: Game,
        present: Callable[[], Scenario],
        opened: Callable[[Scenario], None],
        changed: Callable[[], None],
    ) -> None:
        self.game, self.present, self.opened, self.changed = game, present, opened, changed
        self.kept: dict[str, Scenario] = {}
        self.refused: tuple[str, bytes] | None = None
        self.name = widgets.Text(description="Name", placeholder="such as Lower win rate")
        self.choice = widgets.Dropdown(description="Scenario", options=self._choices())
        self.upload = widgets.FileUpload(
            description=f"Open a file (at most {PLAN_MB} MB)", accept=".yaml,.yml", layout={"width": "auto"}
        )
        self.upload.observe(self._uploaded, "value")
        self.said_of_name, self.said_of_choice, self.links = (widgets.HTML() for _ in range(3))
        self.widget = self._laid_out()

    def columns(self) -> Mapping[str, Scenario]:
        """The scenarios to be shown side by side, by name: those kept, then the first ones of the plan file."""
        named = {shown(name): each for name, each in list(self.game.plan.scenarios.items())[:MOST_NAMED]}
        taken = {BASE_COLUMN, NOW_COLUMN, *named}
        return {**{f"{name} (kept)" if name in taken else name: each for name, each in self.kept.items()}, **named}

    @property
    def left_out(self) -> int:
        """How many scenarios of the plan file are not shown side by side."""
        return max(len(self.game.plan.scenarios) - MOST_NAMED, 0)

    def stale(self) -> None:
        """Takes back what was said of another state than the present one."""
        self.said_of_name.value = self.said_of_choice.value = self.links.value = ""
        self.refused = None

    def _laid_out(self) -> widgets.Widget:
        of_name = {"Save to a file": self._save, "Keep beside the plan": self._keep}
        named = [pressed(label, partial(say, self.said_of_name, work)) for label, work in of_name.items()]
        opened = pressed("Open", partial(say, self.said_of_choice, self._open))
        forgotten = pressed("Forget those kept", partial(say, self.said_of_name, self._forget))
        parts = [
            widgets.HTML("<h2>Scenarios</h2>"),
            self.name,
            widgets.Box(named),
            self.said_of_name,
            self.choice,
            widgets.Box([opened, forgotten]),
            self.upload,
            self.said_of_choice,
            pressed("Make downloads", self._download),
            self.links,
            Printer(self.game, lambda: (self._name(), self.present())).widget,
        ]
        box = widgets.VBox(parts)
        box.add_class("rp-files")
        return box

    def _choices(self) -> list[tuple[str, FileChoice]]:
        names = {PLAN: self.game.plan.scenarios, FILE: saved_names(self.game)}
        found = [(f"{shown(name)} ({where})", (where, name)) for where, listed in names.items() for name in listed]
        return found or [("none yet", ("", ""))]

    def _save(self) -> str:
        return f"Saved as {self._put_away(self.name.value)}, beside the plan."

    def _keep(self) -> str:
        free = (name for number in count(1) if not scenario_path(self.game, name := f"Kept {number}").exists())
        name = checked_name(self.name.value or next(free))
        if len(self.kept) == MOST_KEPT and name not in self.kept:
            reason = f"{MOST_KEPT} stand in the table already; use one of their names, or forget those kept"
            raise PlanError.at(name, reason)
        file, self.kept[name] = self._put_away(name), self.present()
        self.changed()
        return f"{name} stands in the table, and is kept as {file}, beside the plan."

    def _put_away(self, given: str) -> str:
        """The file beside the plan that now holds the present scenario; one that is there is replaced when asked twice."""
        name = checked_name(given)
        there = scenario_path(self.game, name)
        found = (name, content_of(there, PlanError, megabytes(PLAN_MB))) if there.exists() else None
        if found is not None and self.refused != found:  # what was asked about, and nothing saved there meanwhile
            self.refused = found
            raise PlanError.at(name, "is there already; press again to replace it, or choose another name")
        self.refused = None
        path = save(self.game, name, self.present())
        self.choice.options = self._choices()
        self.choice.value = (FILE, name)
        return f"{path.parent.name}/{path.name}"

    def take_back(self, names: Sequence[str]) -> None:
        """Puts kept scenarios into the table again, as their files have them; says which are gone."""

        def work() -> str:
            gone = []
            for name in names[:MOST_KEPT]:
                try:
                    self.kept[name] = load(self.game, name)[0]
                    self.game.figures(self.kept[name])
                except RevplanError:
                    self.kept.pop(name, None)
                    gone.append(shown(name))
            self.changed()
            return f"{', '.join(gone)}: kept before, and no longer to be read." if gone else ""

        say(self.said_of_name, work)

    def _forget(self) -> str:
        names = ", ".join(self.kept)
        self.kept.clear()
        self.changed()
        return f"{names}: taken out of the table; the files in {FOLDER}/ stay." if names else "None was kept."

    def _open(self) -> str:
        where, name = self.choice.value
        if where not in (FILE, PLAN):
            raise PlanError.at("scenarios", "none was saved yet; move a slider, and save it under a name")
        return self._take_up(name, *(load(self.game, name) if where == FILE else (self.game.plan.scenarios[name], "")))

    def _uploaded(self, change: Mapping[str, Any]) -> None:
        for sent in change["new"][:1]:
            say(self.said_of_choice, partial(self._sent, str(sent["name"]), bytes(sent["content"]), int(sent["size"])))
            self.upload.value = ()

    def _sent(self, name: str, content: bytes, size: int) -> str:
        """Takes up the scenario in a file that was sent; of one too large the page sends the size alone."""
        if size > len(content):
            reason = f"has {size / 1e6:,.1f} MB, and a scenario file has at most {PLAN_MB} MB; choose another file"
            raise PlanError.at(shown(name), reason)
        return self._take_up(name, *read_scenario(self.game, name, content))

    def _take_up(self, name: str, scenario: Scenario, note: str) -> str:
        self.opened(scenario)
        return f"{shown(name)} is open. {note}"

    def _download(self) -> None:
        try:
            self.links.value = downloads(self.game, self._name(), self.present())
        except RevplanError as error:
            self.links.value = fault_html(error)

    def _name(self) -> str:
        return checked_name(self.name.value or NAMELESS)
