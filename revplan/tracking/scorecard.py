"""Pipeline coverage: what is open over what is still to be won, beside what the win rate asks for.

Coverage of 3 is enough only where one amount in three is won: a win rate of 22 % needs 1 / 0.22 = 4.5.

Which source is behind, and what that is worth.

The ARR bridge of a part of the year: opening, new, expansion, contraction, churn, closing, planned and booked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from revplan.ground.calendar import MONTHS_PER_YEAR
from revplan.ground.tables import conform, empty, from_rows
from revplan.tracking.attainment import counted, total
from revplan.tracking.periods import Span

CUSTOMARY = 3.0
EVERY = "all"


def coverage(pipeline: pd.DataFrame, remaining: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Table coverage: by period and segment, the open pipeline over the remaining target.

    All segments together come first, where there is more than one.

    Parameters
    ----------
    pipeline
        Table open_pipeline.
    remaining
        By period and segment: `remaining`, what is still to be won, below 0 where more came than was asked, and
        `in_time`, what the open pipeline is expected to bring within the period. [plan currency]
    """
    if pipeline.empty or not remaining:
        return empty("coverage")
    by_segment: list[dict] = pipeline.to_dict("records")
    together = [_together(pipeline)] if len(by_segment) > 1 else []
    rows = [
        _coverage_row(period, found, left.sum() if found["segment"] == EVERY else left.loc[found["segment"]])
        for period, left in remaining.items()
        for found in (*together, *by_segment)
    ]
    return from_rows("coverage", rows)


def _together(pipeline: pd.DataFrame) -> dict[str, object]:
    """All segments as one: the win rate is that of the amounts together."""
    sums = pipeline[["items", "open_amount", "dead_amount"]].sum()
    weights = pipeline["open_amount"] if sums["open_amount"] > 0 else pipeline["open_amount"] + 1.0
    return {"segment": EVERY, **sums, "win_rate": float(np.average(pipeline["win_rate"], weights=weights))}


def _coverage_row(period: str, found: dict, left: pd.Series) -> dict[str, object]:
    remaining, amount, rate = float(left["remaining"]), float(found["open_amount"]), float(found["win_rate"])
    target, expected = max(remaining, 0.0), amount * rate
    return {
        "period": period,
        **{name: found[name] for name in ("segment", "items", "open_amount", "dead_amount")},
        "remaining": remaining,
        "coverage": amount / target if target > 0 else np.nan,
        "win_rate": rate,
        "needed": 1 / rate if rate > 0 else np.nan,
        "customary": CUSTOMARY,
        "expected_arr": expected,
        "expected_share": expected / target if target > 0 else np.nan,
        "in_time": float(left["in_time"]),
        "enough": bool(expected >= target),
    }


def attainment_by_source(
    planned: pd.DataFrame, actual: pd.DataFrame, span: Span, entered: dict[str, str], worth: pd.DataFrame
) -> pd.DataFrame:
    """Table attainment_by_source: entries of each source where it enters, and the ARR its gap is worth.

    Parameters
    ----------
    planned, actual
        Table flow of the plan and of the records.
    span
        The period.
    entered
        Source -> the stage where its records enter.
    worth
        Table cell_values of the plan: ARR per entry by segment, source and stage. Entries of other cells are
        counted, and worth nothing.
    """
    rows = [
        _source_row(_at(planned, name, stage), _at(actual, name, stage), _at(worth, name, stage), span)
        for name, stage in entered.items()
    ]
    frame = pd.DataFrame(rows, columns=["planned", "actual", "gap", "worth"])
    frame.insert(0, "source", list(entered))
    frame.insert(1, "stage", list(entered.values()))
    return conform(frame, "attainment_by_source")


def _at(table: pd.DataFrame, source: str, stage: str) -> pd.DataFrame:
    return table[(table["source"] == source) & (table["stage"] == stage)]


def _source_row(planned: pd.DataFrame, actual: pd.DataFrame, worth: pd.DataFrame, span: Span) -> tuple[float, ...]:
    asked, happened = counted(planned, span, "entries"), total(actual, span, "entries")
    worths = (
        row.value_per_entry
        * (total(_of(actual, row.segment), span, "entries") - counted(_of(planned, row.segment), span, "entries"))
        for row in worth.itertuples()
    )
    return asked, happened, happened - asked, sum(worths)


def _of(flow: pd.DataFrame, segment: str) -> pd.DataFrame:
    return flow[flow["segment"] == segment]


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
    rows = (row for span, basis in spans for row in _rows(opening, (planned, actual), span, basis))
    return from_rows("arr_bridge", rows)


def _rows(opening: float, sides: tuple[pd.DataFrame, pd.DataFrame], span: Span, basis: str) -> list[dict[str, object]]:
    months = sides[0]["month"]
    earlier = [side[side["month"].between(months.iloc[0], span.first - 1)] for side in sides]
    before = [opening + sum(sign * each[name].sum(skipna=False) for name, sign in SIGNS.items()) for each in earlier]
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
            "actual": actual,
            "gap": actual - asked,
            "basis": f"{basis}; the year opens as planned",
        }
        for term, (asked, actual) in terms.items()
    ]
