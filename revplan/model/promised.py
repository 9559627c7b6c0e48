"""What a plan promises, in the tables that what came is held against."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from revplan.calendar import months_from
from revplan.model.cells import Cell
from revplan.model.funnel import HORIZON, YEAR, forward
from revplan.model.pipeline import open_entries
from revplan.model.year import Known, PlannedYear, year_without_commit
from revplan.plan.model import Plan
from revplan.tables import conform

CELL_ROWS = ("targets", "open_arr", "open_wins", "won_arr", "won_wins")
CELL_TUPLES = ("cells", "required", "open_yields", "flows")


def narrowed(year: PlannedYear, segment: str) -> PlannedYear:
    """The year of one segment only."""
    rows = [row for row, cell in enumerate(year.cells) if cell.segment == segment]
    kept: dict[str, Any] = {name: getattr(year, name)[rows] for name in CELL_ROWS}
    for name in CELL_TUPLES:
        kept[name] = tuple(getattr(year, name)[row] for row in rows)
    return replace(year, **kept)


def promised_flow(year: PlannedYear) -> pd.DataFrame:
    """Table flow: entries of every stage and month that the plan expects, up to the end of its year. [records]

    New ones are those of the commit; opening ones come of the records open on the plan date, and of
    what was won before it.
    """
    parts = [_cell_flow(year, row, cell) for row, cell in enumerate(year.cells)]
    return conform(pd.concat(parts, ignore_index=True), "flow")


def _cell_flow(year: PlannedYear, row: int, cell: Cell) -> pd.DataFrame:
    first, width = min(year.first, 0), YEAR - min(year.first, 0)
    months = months_from(year.plan.first_month + first, width)
    new, opening = np.zeros((2, len(cell.stages), width))
    new[:, year.first - first :] = year.flows[row][:, : YEAR - year.first]
    for group, _ in year.open_yields[row]:
        opening[:, -first:] += open_entries(cell, group, year.plan.plan_date, year.plan.first_month)[:, :YEAR]
    opening[-1, -first:] += year.won_wins[row, :YEAR]
    arr = np.zeros((2, len(cell.stages), width))
    arr[0, -1] = new[-1] * cell.acv
    arr[1, -1, -first:] = (year.open_arr + year.won_arr)[row, :YEAR]
    return pd.DataFrame(
        {
            "segment": cell.segment,
            "source": cell.source,
            "stage": np.tile(np.repeat(cell.stages, width), 2),
            "month": months[np.tile(np.arange(width), 2 * len(cell.stages))],
            "part": np.repeat(["new", "opening"], len(cell.stages) * width),
            "entries": np.concatenate([new.ravel(), opening.ravel()]),
            "arr": arr.ravel(),
        }
    )


def rest_of_year(year: PlannedYear, plan: Plan, known: Known) -> PlannedYear:
    """The same promise as a later day sees it: entries as committed from then on, all else as is known now.

    Parameters
    ----------
    year
        The promise.
    plan
        The promised plan with the rates of today; its plan date is the first day not known yet.
    known
        What the records say on that day.
    """
    now = year_without_commit(plan, known)
    flows = {}
    for cell, flow in zip(year.cells, year.flows, strict=True):
        entries = flow[0, now.first - year.first :].copy()
        over = year.start if now.first == year.first else 0.0  # of the plan month only a part was committed
        entries[0] *= (1 - now.start) / (1 - over)
        flows[cell.segment, cell.source] = entries
    none = np.zeros(HORIZON - now.first)
    brought = (forward(cell, flows.get((cell.segment, cell.source), none), now.start) for cell in now.cells)
    return replace(now, flows=tuple(brought))


def commit_index(cell: Cell, stage: str) -> int:
    """Index of the commit stage in a cell's stages; of its first one where the source comes in later."""
    return cell.stages.index(stage) if stage in cell.stages else 0


def promised_rates(year: PlannedYear, stage: str) -> pd.DataFrame:
    """Segment, source, `stage` (or where the cell comes in later), and the planned share won of its entries there."""
    rows = [(cell, commit_index(cell, stage)) for cell in year.cells]
    return pd.DataFrame(
        {
            "segment": [cell.segment for cell, _ in rows],
            "source": [cell.source for cell, _ in rows],
            "stage": [cell.stages[index] for cell, index in rows],
            "win_rate": [float(cell.rates_to_won[index]) for cell, index in rows],
        }
    )
