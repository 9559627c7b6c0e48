"""The figures of a planned year that several exhibits and reports state: each named the same wherever it stands."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from revplan.formats import whole_amounts
from revplan.plan.model import Plan
from revplan.report.figures import Cells, Figure, figure

OF_EXPECTED = "of the expected commit"
"""Basis of what the expected commit brings: a landing, which goes by what is signed and by today, says something else."""
TO_SIGN = "to sign"
"""Basis of what is to be signed for the plan's confidence, as the board pack calls it."""
OF_QUARTER = {
    "goal": {"measure": "new_arr", "basis": "goal"},
    "commit_arr": {"measure": "commit_arr"},
    "open_pipeline": {"measure": "open_arr"},
    "won": {"measure": "won_arr"},
    "shortfall": {"measure": "shortfall"},
    "surplus": {"measure": "surplus"},
    "before_plan_date": {"measure": "before_plan_date"},
}
"""What the columns of table quarters measure."""
ADDING_UP = ("goal", "commit_arr", "open_pipeline", "won", "before_plan_date")


def of_year(plan: Plan, measure: str, value: float | None, basis: str = "", **of: str) -> Figure:
    """A figure of the plan's year, in its currency."""
    return figure(measure, value, year_id(plan), basis, plan.currency, **of)


def year_id(plan: Plan) -> str:
    """The id of the plan's year as a period."""
    return str(plan.first_month.year)


def in_whole_units(quarters: pd.DataFrame) -> pd.DataFrame:
    """Table quarters with amounts in whole units that add up to the year."""
    return quarters.assign(**{name: whole_amounts(quarters[name].to_numpy(dtype=float)) for name in ADDING_UP})


def quarter_cells(plan: Plan, quarters: pd.DataFrame) -> Cells:
    """What table quarters holds."""
    return Cells(rows=[{"period": name} for name in quarters["quarter"]], columns=OF_QUARTER, currency=plan.currency)


def year_cells(
    plan: Plan, rows: Iterable[Mapping[str, str]], columns: Mapping[str, Mapping[str, str] | str], basis: str = ""
) -> Cells:
    """What a table of the plan's year holds: per column its measure, or all that it says."""
    said = {name: {"measure": each} if isinstance(each, str) else each for name, each in columns.items()}
    period = {"period": year_id(plan)} | ({"basis": basis} if basis else {})
    return Cells(rows=[{**period, **row} for row in rows], columns=said, currency=plan.currency)
