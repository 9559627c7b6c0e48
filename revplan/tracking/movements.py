"""The ARR bridge of a part of the year: opening, new, expansion, contraction, churn, closing, planned and booked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from revplan.calendar import MONTHS_PER_YEAR
from revplan.tables import conform, empty
from revplan.tracking.periods import Span
from revplan.tracking.promise import counted, total

SIGNS = {"new": 1.0, "expansion": 1.0, "contraction": -1.0, "churn": -1.0}


@dataclass(frozen=True, kw_only=True)
class YearTerms:
    """What the plan states for the year; NaN where it does not. [plan currency]"""

    opening: float
    expansion: float
    contraction: float
    churn: float

    def of(self, name: str) -> float:
        """The amount of the year."""
        return float(getattr(self, name))


def planned_movements(terms: YearTerms, targets: pd.DataFrame, months: pd.PeriodIndex) -> pd.DataFrame:
    """ARR movements by month of the year: new by the goal's phasing, the others evenly. [plan currency]"""
    new = targets.groupby("month")["new_arr"].sum().reindex(months, fill_value=0.0).to_numpy(dtype=float)
    even = {name: terms.of(name) / MONTHS_PER_YEAR for name in SIGNS if name != "new"}
    return pd.DataFrame({"month": months, "new": new, **even})


def arr_bridge(
    opening: float, planned: pd.DataFrame, actual: pd.DataFrame, spans: list[tuple[Span, str]]
) -> pd.DataFrame:
    """Table arr_bridge: the terms of each period as planned and as booked. [plan currency]

    What was booked says how ARR moved, not where it stood: a period opens with the plan's own opening ARR and
    what was booked since; not known where the months in between are not all booked.

    Parameters
    ----------
    opening
        ARR at the start of the year; NaN where it is not stated.
    planned
        What `planned_movements` gives.
    actual
        Table actuals.
    spans
        Each period up to the last month booked, and on what it rests.
    """
    rows = [row for span, basis in spans for row in _rows(opening, (planned, actual), span, basis)]
    return conform(pd.DataFrame(rows), "arr_bridge") if rows else empty("arr_bridge")


def _rows(opening: float, sides: tuple[pd.DataFrame, pd.DataFrame], span: Span, basis: str) -> list[dict[str, object]]:
    months = sides[0]["month"]
    before = [opening + _net(side[side["month"].between(months.iloc[0], span.first - 1)]) for side in sides]
    if set(months[months < span.first]) - set(sides[1]["month"]):
        before[1] = np.nan
    moves = {name: (counted(sides[0], span, name), total(sides[1], span, name)) for name in SIGNS}
    closing = [before[side] + sum(SIGNS[name] * each[side] for name, each in moves.items()) for side in (0, 1)]
    terms = {"opening": tuple(before), **moves, "closing": tuple(closing)}
    return [
        {
            "period": span.label,
            "term": term,
            "planned": asked,
            "came": came,
            "gap": came - asked,
            "basis": f"{basis}; the year opens as planned",
        }
        for term, (asked, came) in terms.items()
    ]


def _net(movements: pd.DataFrame) -> float:
    """Net change of ARR. [plan currency]"""
    return float(sum(sign * movements[name].sum(skipna=False) for name, sign in SIGNS.items()))
