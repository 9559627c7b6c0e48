"""A scenario to take away: links that hold the files themselves, so that no server is asked for them."""

from __future__ import annotations

import base64

from revplan.app.game import Game
from revplan.app.plan_file import as_plan, with_scenario
from revplan.app.scenario_file import scenario_text
from revplan.escaping import escape
from revplan.plan.model import Scenario

VOLUMES = "A plan solves for its entries, so the changed volumes stand in the first two files only."


def downloads(game: Game, name: str, scenario: Scenario) -> str:
    """Links to the scenario's file, to the plan file with the scenario among its own, and to the scenario as a plan."""
    plan = game.path.stem
    links = [
        _link("The scenario", f"{name}.yaml", scenario_text(game, scenario)),
        _link("The plan with this scenario added", f"{plan}.yaml", with_scenario(game, name, scenario)),
        _link("The plan with the changes made", f"{plan} {name}.yaml", as_plan(game, name, scenario)),
    ]
    left_out = any(scenario.volume_of(source) != 1 for source in game.plan.sources)
    return "<br>".join([*links, VOLUMES] if left_out else links)


def _link(label: str, file: str, text: str) -> str:
    held = base64.b64encode(text.encode("utf-8")).decode("ascii")
    return (
        f'<a download="{escape(file)}" href="data:application/yaml;base64,{held}">{escape(label)}: {escape(file)}</a>'
    )
