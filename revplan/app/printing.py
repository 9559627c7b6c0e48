"""The report of exactly what is on the screen as a PDF, made beside the simulator while it is played on."""

from __future__ import annotations

import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread

import ipywidgets as widgets

from revplan.app.game import CHANGED, Game, stamp
from revplan.app.scenario_files import with_scenario
from revplan.crm.inputs import frozen_inputs
from revplan.ground.errors import Fault, PlanError, ReportError, RevplanError
from revplan.ground.escaping import escape
from revplan.ground.files import scratch_folder
from revplan.plan.parts import Scenario

REPORT = "annual_commit"
BEGUN = "The report is being made, which takes about a quarter of a minute. Play on meanwhile."


class Printer:
    """A button that makes the report of the present scenario, and words on how far it is."""

    def __init__(self, game: Game, present: Callable[[], tuple[str, Scenario]]) -> None:
        self.game, self.present = game, present
        self.button, self.said = pressed("Report (PDF)", self._begin), widgets.HTML()
        self.widget = widgets.VBox([self.button, self.said])

    def _begin(self) -> None:
        try:
            name, scenario = self.present()
        except RevplanError as error:
            self.said.value = fault_html(error)
            return
        self.button.disabled = True
        self._say(BEGUN)
        Thread(target=self._finish, args=(name, scenario), daemon=True).start()

    def _finish(self, name: str, scenario: Scenario) -> None:
        try:
            encoded = b64encode(report_pdf(self.game, name, scenario, self._say)).decode("ascii")
            file = escape(f"{name}.pdf")
            self.said.value = (
                f'<a download="{file}" href="data:application/pdf;base64,{encoded}">The report: {file}</a>'
            )
        except RevplanError as error:
            self.said.value = fault_html(error)
        finally:
            self.button.disabled = False

    def _say(self, words: str) -> None:
        self.said.value = f'<span role="status">{escape(words)}</span>'


def pressed(label: str, work: Callable[[], object]) -> widgets.Button:
    """A button that does `work`."""
    button = widgets.Button(description=label)
    button.on_click(lambda _: work())
    return button


def fault_html(error: RevplanError) -> str:
    """What is wrong, a line a fault, as the page says it."""
    lines = "<br>".join(escape(fault) for fault in error.faults)
    return f'<span class="rp-fault" role="alert">{lines}</span>'


def say(place: widgets.HTML, work: Callable[[], str]) -> None:
    """Does `work` and says in `place`, beside its control, how it went."""
    try:
        place.value = f'<span role="status">{escape(work())}</span>'
    except RevplanError as error:
        place.value = fault_html(error)


def report_pdf(game: Game, name: str, scenario: Scenario, tell: Callable[[str], None]) -> bytes:
    """The annual commit in the world of `scenario`, with the entries, trials and seed of the screen, as a PDF.

    It is made by `revplan report` in a process of its own, from copies of all the plan names.

    Raises
    ------
    RevplanError
        If a file has changed since the screen was opened, or is at fault, or the report cannot be made.
    """
    with scratch_folder("revplan-") as scratch:
        plan = frozen_inputs(game.path, Path(scratch, "plan"))
        if stamp(plan) != game.stamp:
            raise PlanError.at(game.path.name, CHANGED)
        asked = ["report", REPORT, str(plan), "--out", str(scratch), "--formats", "pdf"]
        command = [sys.executable, "-P", "-m", "revplan", *asked]
        if scenario != Scenario():
            text = with_scenario(replace(game, path=plan), name, scenario)
            plan.write_text(text, encoding="utf-8", newline="")
            command += ["--set", f"scenario={name}"]
        said = _followed(command, tell)
        made = Path(scratch, f"{REPORT}.pdf")
        if not made.is_file():
            raise ReportError(Fault("", line.strip()) for line in said[-10:] or ["the report could not be made"])
        return made.read_bytes()


def _followed(command: list[str], tell: Callable[[str], None]) -> list[str]:
    """What a command says while it runs; each line is told as it comes."""
    said = []
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr or ():
            said.append(line)
            tell(line.strip())
    return said
