"""What `revplan simulate` answers a program: the JSON that `sign` freezes too, and the scenarios as a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from revplan.funnel.tables import entries_by_stage
from revplan.ground.escaping import spreadsheet
from revplan.ground.terminal import plain_rows
from revplan.simulation.curve import CurvePoint
from revplan.simulation.scenarios import ComparedScenario
from revplan.simulation.simulate import Simulation, limited_by
from revplan.workbook import simulated as tables
from revplan.workbook.idle import scenario_notes
from revplan.workbook.signing import ToSign, simulation_notes


def simulation_answer(simulation: Simulation, compared: Sequence[ComparedScenario]) -> dict[str, Any]:
    """What `revplan simulate --json` prints; a figure that does not exist is None."""
    found = simulation.outcome
    estimates = {name: getattr(found, name) for name in tables.AMOUNTS}
    count, chance = simulation.all_hold
    return {
        "trials": simulation.trials,
        "seed": simulation.seed,
        "goal": simulation.view.goal,
        "planned": simulation.view.planned_arr,
        "new_arr": {
            **{name: estimates[name].value for name in ("p10", "p50", "p90", "mean", "sd")},
            "standard_error": tables.finite(found.mean.standard_error),
        },
        "standard_errors": {
            **{name: tables.finite(each.standard_error) for name, each in estimates.items()},
            "chance_of_goal": tables.finite(found.chance_of_goal.standard_error),
        },
        "chance_of_goal": found.chance_of_goal.value,
        "expected_shortfall": found.expected_shortfall.value,
        "cvar_10": found.cvar_10.value,
        "cost_of_uncertainty": simulation.cost_of_uncertainty,
        "assumptions": {"uncertain": count, "chance_all_met": chance},
        "signed": {  # in whole entries
            "confidence": simulation.confidence,
            "scale": tables.finite(simulation.signed.scale.value),
            **ToSign(simulation).entries,
            "standard_error": tables.finite(simulation.signed.scale.standard_error),
        },
        "signed_parts": {
            **{name: tables.finite(step) for name, step in simulation.signed_parts.steps.items()},
            "market_cv": simulation.signed_parts.market_cv,
        },
        "stretch": _point(simulation, simulation.stretch),
        "commit_curve": [_point(simulation, each) for each in simulation.curve],
        "tornado": [
            {"driver": each.driver, "low": each.low, "high": each.high, "share_of_variance": each.share}
            for each in simulation.tornado
        ],
        "goal_seek": plain_rows(tables.goal_seek_table(simulation)),
        "commit_given": plain_rows(tables.commit_given_table(simulation)),
        "limited_by": limited_by(simulation),
        "fan": plain_rows(tables.fan_table(simulation)),
        "fan_arr": plain_rows(tables.fan_arr_table(simulation)),
        "scenarios": plain_rows(tables.scenarios_table(compared)),
        "scenario_stages": plain_rows(tables.scenario_stages_table(compared)),
        "notes": [*simulation_notes(simulation), *scenario_notes(compared)],
    }


def _point(simulation: Simulation, point: CurvePoint) -> dict[str, float | None]:
    scale = point.scale.value
    entries = {stage: tables.finite(scale * count) for stage, count in entries_by_stage(simulation.year).items()}
    return {
        "confidence": point.confidence,
        "scale": tables.finite(scale),
        **entries,
        "standard_error": tables.finite(point.scale.standard_error),
    }


def scenarios_csv(compared: Sequence[ComparedScenario]) -> str:
    """Scenarios side by side as a CSV file that spreadsheets open as it is: a row each, money, then units by stage."""
    wide, stages = tables.scenarios_table(compared), tables.scenario_stages_table(compared)
    for stage, rows in stages.groupby("stage", sort=False):
        for name in ("entries", "entries_difference", "needed", "needed_difference"):
            wide[f"{stage}_{name}"] = rows[name].to_numpy()
    wide["scenario"] = [spreadsheet(name) for name in wide["scenario"]]
    return "\ufeff" + wide.to_csv(index=False, lineterminator="\r\n")
