"""Pipeline coverage: what is open over what is still to be won, beside what the win rate asks for.

Coverage of 3 is enough only where one amount in three is won: a win rate of 22 % needs 1 / 0.22 = 4.5.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from revplan.tables import conform, empty

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
    return conform(pd.DataFrame(rows), "coverage")


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
