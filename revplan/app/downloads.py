"""A scenario to take away: links that hold the files themselves, so that no server is asked for them."""

from __future__ import annotations

import base64

from revplan.app.game import Game
from revplan.app.scenario_file import scenario_text
from revplan.escaping import escape
from revplan.plan.model import Scenario


def downloads(game: Game, name: str, scenario: Scenario) -> str:
    """Links to the scenario's file, to the plan file with the scenario among its own, and to the scenario as a plan."""
    links = [_link("The scenario as a file", f"{name}.yaml", scenario_text(game, scenario))]
    return "<br>".join(links)


def _link(label: str, file: str, text: str) -> str:
    held = base64.b64encode(text.encode("utf-8")).decode("ascii")
    return (
        f'<a download="{escape(file)}" href="data:application/yaml;base64,{held}">{escape(label)}: {escape(file)}</a>'
    )
