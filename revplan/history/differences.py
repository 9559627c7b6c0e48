"""Whether segments or sources really convert differently, or only look it."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from scipy.stats import chi2

from revplan.formats import first_largest, steady_order
from revplan.history.counts import exposure_counts
from revplan.history.engine import Moves
from revplan.tables import conform, empty

FEWEST = 5.0  # conversions expected of a part below which it is left out
SURE = 0.05  # chance of one false difference among all that are tested


def differences(moves: Moves, stages: tuple[str, ...], as_of: date, since: date | None = None) -> pd.DataFrame:
    """Each step compared between segments, and between sources. [table differences]

    Were all parts alike, each would convert as often as the chances by age of all records lead to
    expect of the ages it was watched at; the squared differences over the expected follow a
    chi-squared law (the log-rank test: Mantel, 1966). Chances are corrected for the number of
    comparisons (Holm, 1979, www.jstor.org/stable/4615733), so that looking often finds nothing.
    """
    counts = exposure_counts(moves, stages, as_of, since)
    rows = [
        row
        for stage, step in counts.groupby("stage", sort=False, observed=True)
        for by in ("segment", "source")
        if (row := _compared(str(stage), stages[stages.index(str(stage)) + 1], by, step)) is not None
    ]
    if not rows:
        return empty("differences")
    names = ["from_stage", "to_stage", "by", "parts", "best", "worst", "ratio", "chance"]
    found = pd.DataFrame(rows, columns=names)
    found = found.iloc[steady_order(found["chance"])].reset_index(drop=True)
    corrected = (found["chance"] * np.arange(len(found), 0, -1)).cummax().clip(upper=1.0)
    return conform(found.assign(chance=corrected, differs=corrected < SURE), "differences")


def _compared(start: str, end: str, by: str, step: pd.DataFrame) -> tuple[object, ...] | None:
    """One step, its parts against what all records lead to expect; None where fewer than two are large enough."""
    ages = step.groupby("age_days")[["at_risk", "went_on"]].sum()
    chance = (ages["went_on"] / ages["at_risk"]).where(ages["at_risk"] > 0, 0.0)
    expected = step["at_risk"] * step["age_days"].map(chance)
    parts = step.assign(expected=expected).groupby(by, observed=True)[["went_on", "expected"]].sum()
    parts = parts[parts["expected"] >= FEWEST]
    if len(parts) < 2:
        return None
    statistic = float(((parts["went_on"] - parts["expected"]) ** 2 / parts["expected"]).sum())
    level = parts["went_on"] / parts["expected"]
    ratio = float(level.max() / level.min()) if level.min() > 0 else float("inf")
    best, worst = (str(level.index[first_largest(each)]) for each in (level, -level))
    return start, end, by, float(len(parts)), best, worst, min(ratio, 1e6), float(chi2.sf(statistic, len(parts) - 1))
