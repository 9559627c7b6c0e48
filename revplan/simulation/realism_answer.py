"""What the history says of a plan's assumptions: as text for a terminal, and under `realism` of `--json`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from revplan.ground.formats import column, show
from revplan.ground.terminal import aligned_columns, plain_rows
from revplan.simulation.realism import Realism, assumed, boldest, nothing_to_compare, stacked, unreached
from revplan.simulation.simulate import Simulation
from revplan.simulation.tables import finite

SHOWN = 10


def realism_answer(simulation: Simulation, found: Realism | None) -> dict[str, Any]:
    """What stands under `realism` of `revplan simulate --json`; empty tables where there is no history."""
    plan = simulation.year.plan
    if found is None:
        return {"says": [nothing_to_compare(simulation)], "assumptions": [], "buffers": []}
    return {
        "says": [assumed(found), stacked(found, plan), *unreached(found)],
        "chance_all_met": found.chance_all_met,
        "chance_if_independent": found.chance_if_independent,
        "overshoot": found.overshoot,
        "commit": {"stage": plan.commit_stage, "entries": found.commit, "needed_at_medians": finite(found.needed)},
        "assumptions": plain_rows(found.assumptions),
        "buffers": plain_rows(found.buffers),
        "not_compared": list(found.not_compared),
    }


def realism_text(simulation: Simulation, found: Realism | None) -> str:
    """The boldest assumptions and the stacked buffers, each under its sentence."""
    if found is None:
        return nothing_to_compare(simulation)
    plan = simulation.year.plan
    parts = [assumed(found)]
    if len(rows := boldest(found).head(SHOWN)):
        parts.append(_assumptions(rows))
    parts.append(stacked(found, plan))
    if len(found.buffers):
        parts.append(_buffers(found.buffers, plan.currency))
    parts += [f"- {line}" for line in unreached(found)]
    return "\n\n".join(parts)


def _assumptions(rows: pd.DataFrame) -> str:
    heads = ("boldest assumptions", "planned", "P10", "P50", "P90", "percentile", "met", "past periods")
    figures = [
        [show(value, kind) for value, kind in zip(rows[name], rows["kind"], strict=True)]
        for name in ("planned", "history_low", "history_mid", "history_high")
    ]
    chances = [column(rows[name].round(3), "share") for name in ("percentile", "chance")]
    periods = [f"{met:.0f} of {count:.0f}" for met, count in zip(rows["periods_met"], rows["periods"], strict=True)]
    return aligned_columns(heads, [list(rows["assumption"]), *figures, *chances, periods])


def _buffers(rows: pd.DataFrame, currency: str) -> str:
    heads = ("at the history's median", f"alone, {currency}", "with those above", "entries then needed")
    cells = [column(rows[name], "money") for name in ("arr_alone", "arr_together")]
    return aligned_columns(heads, [list(rows["assumptions"]), *cells, column(rows["entries_together"], "commitment")])
