"""The tables of a simulated year, as declared in the data dictionary."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from revplan.funnel.funnel import YEAR
from revplan.funnel.tables import entries_by_stage, spend_of_entries
from revplan.ground.calendar import months_from
from revplan.ground.tables import conform, from_rows
from revplan.simulation.curve import CurvePoint
from revplan.simulation.scenarios import ComparedScenario, largest_scale
from revplan.simulation.simulate import Simulation

AMOUNTS = ("p10", "p50", "p90", "mean", "sd", "expected_shortfall", "cvar_10")
WITHIN = 1 + 1e-9  # a ceiling counts as kept within a rounding


def finite(value: float) -> float | None:
    """`value`, or None where it stands for nothing: never, or not known."""
    return float(value) if np.isfinite(value) else None


def commit_curve_table(simulation: Simulation) -> pd.DataFrame:
    """What each confidence asks for: the scale of the committed entries, and their spend."""
    spent, most = spend_of_entries(simulation.year), largest_scale(simulation.year)
    rows = (
        (
            point.confidence,
            finite(point.scale.value),
            finite(point.scale.standard_error),
            finite(point.scale.value * spent),
            bool(point.scale.value <= most * WITHIN),
        )
        for point in points(simulation)
    )
    return from_rows("commit_curve", rows)


def points(simulation: Simulation) -> tuple[CurvePoint, ...]:
    """The commit curve with the plan's own confidence among its points."""
    by_confidence = {point.confidence: point for point in (*simulation.curve, simulation.signed)}
    return tuple(by_confidence[confidence] for confidence in sorted(by_confidence))


def commit_curve_stages_table(simulation: Simulation) -> pd.DataFrame:
    """Entries of every stage that each confidence asks for."""
    entries = entries_by_stage(simulation.year)
    rows = (
        (point.confidence, stage, finite(point.scale.value * count))
        for point in points(simulation)
        for stage, count in entries.items()
    )
    return from_rows("commit_curve_stages", rows)


def commit_given_table(simulation: Simulation) -> pd.DataFrame:
    """What a commit at each stage leaves uncertain, if it is hit exactly."""
    entries, scale = entries_by_stage(simulation.year), simulation.signed.scale.value
    total = simulation.outcome.sd.value
    rows = (
        (
            stage,
            entries[stage],
            finite(scale * entries[stage]),
            found.p10.value,
            found.p90.value,
            found.sd.value,
            min((found.sd.value / total) ** 2, 1.0) if total > 0 else 0.0,
        )
        for stage, found in simulation.given_commit.items()
    )
    return from_rows("commit_given", rows)


def tornado_table(simulation: Simulation) -> pd.DataFrame:
    """What each driver moves, the largest swing first."""
    return from_rows("tornado", ((each.driver, each.low, each.high, each.share) for each in simulation.tornado))


def goal_seek_table(simulation: Simulation) -> pd.DataFrame:
    """What one driver alone would have to be for the plan's confidence."""
    return from_rows(
        "goal_seek", ((each.driver, each.planned, each.needed, each.factor) for each in simulation.goal_seek)
    )


def fan_table(simulation: Simulation) -> pd.DataFrame:
    """Bands of the entries by stage and month of the year."""
    stages, fan = simulation.year.plan.stage_ids, simulation.fan
    months = months_from(simulation.year.plan.first_month, YEAR)
    low, mid, high = (band.ravel() for band in fan.entries)
    frame = pd.DataFrame(
        {
            "stage": np.repeat(stages, YEAR).astype(object),
            "month": months[np.tile(np.arange(YEAR), len(stages))],
            "planned": fan.planned.ravel(),
            "entries_low": low,
            "entries_mid": mid,
            "entries_high": high,
        }
    )
    return conform(frame.astype({"stage": "str"}), "fan")


def fan_arr_table(simulation: Simulation) -> pd.DataFrame:
    """Bands of the ARR closed in the year by the end of each month, beside the goal."""
    year, fan = simulation.year, simulation.fan
    low, mid, high = fan.arr
    return conform(
        pd.DataFrame(
            {
                "month": months_from(year.plan.first_month, YEAR),
                "goal": np.cumsum(year.targets[:, :YEAR].sum(axis=0)),
                "planned": fan.planned_arr,
                "arr_low": low,
                "arr_mid": mid,
                "arr_high": high,
            }
        ),
        "fan_arr",
    )


def scenarios_table(compared: Sequence[ComparedScenario]) -> pd.DataFrame:
    """Scenarios side by side, in money."""
    base = compared[0]
    rows = (
        (
            each.name,
            each.view.goal,
            each.outcome.mean.value,
            each.outcome.mean.value - base.outcome.mean.value,
            each.outcome.mean.value - each.view.goal,
            each.outcome.p10.value,
            each.outcome.p50.value,
            each.outcome.p90.value,
            min(max(each.outcome.chance_of_goal.value, 0.0), 1.0),
            finite(each.signed.scale.value),
            each.spend,
            each.spend - base.spend,
        )
        for each in compared
    )
    return from_rows("scenarios", rows)


def scenario_stages_table(compared: Sequence[ComparedScenario]) -> pd.DataFrame:
    """Scenarios side by side, in units of every stage."""
    base = compared[0]
    rows = (
        (
            each.name,
            stage,
            each.entries[stage],
            each.entries[stage] - base.entries[stage],
            each.needed[stage],
            each.needed[stage] - base.needed[stage],
        )
        for each in compared
        for stage in each.entries
    )
    return from_rows("scenario_stages", rows)
