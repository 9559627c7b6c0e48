"""The charts of what the records support in numbers, as a presentation draws them itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from revplan.exhibits.axes import ACTUAL, ATTENTION, GAP, PAST, PLAN, REQUIRED
from revplan.exhibits.native import Describe, Native, Series, names, numbers
from revplan.exhibits.rate_charts import LINE_COLORS, STEADY, drawn_cohorts
from revplan.ground.formats import show

if TYPE_CHECKING:
    import pandas as pd


def rates(table: pd.DataFrame) -> Native:
    """Each step's rate with its interval; immature ones pale."""
    mature = table["mature"].astype(bool)
    parts = (("settled", mature, PLAN), ("not settled", ~mature, PAST))
    columns = ("rate", "rate_low", "rate_high")
    series = []
    for name, some, color in parts:
        values, low, high = (numbers(table[column].where(some)) for column in columns)
        if some.any():
            series.append(
                Series(name=f"{name}, P10 to P90", values=values, low=low, high=high, color=color, mark="dots")
            )
    return Native(form="columns", categories=names(table["step"]), series=tuple(series), kind="share")


def curves(settled: float) -> Describe:
    """Conversion by months since entry, a line per quarter of entry."""

    def describe(table: pd.DataFrame) -> Native:
        cohorts = drawn_cohorts(table)
        shares = table.pivot(index="lag_months", columns="cohort", values="share").sort_index()
        shades = np.linspace(0.25, 1.0, len(cohorts))
        return Native(
            form="columns",
            categories=tuple(show(month, "months") for month in shares.index),
            series=tuple(
                Series(name=name, values=numbers(shares[cohort]), mark="line", shade=float(shade))
                for name, cohort, shade in zip(names(cohorts), cohorts, shades, strict=True)
            ),
            kind="share",
            x_title=f"months since entry (settled from {show(round(settled, 1), 'months')} on)",
        )

    return describe


def lags(table: pd.DataFrame) -> Native:
    """Share of each step's conversions by months after entry, added up."""
    shares = table.pivot(index="lag_months", columns="step", values="share").sort_index().cumsum()
    steps = list(dict.fromkeys(table["step"]))
    return Native(
        form="columns",
        categories=tuple(show(month, "months") for month in shares.index),
        series=tuple(
            Series(name=name, values=numbers(shares[step]), mark="line", color=LINE_COLORS[place % len(LINE_COLORS)])
            for place, (name, step) in enumerate(zip(names(steps), steps, strict=True))
        ),
        kind="share",
        x_title="months after the month of entry",
    )


def drift(table: pd.DataFrame) -> Native:
    """Conversions of the last 90 days over those expected, step by step."""
    moved = table["drift_chance"] < STEADY
    change = table["drift"] - 1
    parts = (("more than luck", moved, GAP), ("within luck", ~moved, PAST))
    return Native(
        form="bars",
        categories=names(table["step"]),
        series=tuple(
            Series(name=name, values=numbers(change.where(some)), color=color)
            for name, some, color in parts
            if some.any()
        ),
        kind="share",
    )


def replay(table: pd.DataFrame) -> Native:
    """Past forecasts with their intervals against what came."""
    low, high = numbers(table["p10"]), numbers(table["p90"])
    baseline = names(table["baseline_name"].head(1))[0]
    return Native(
        form="columns",
        categories=tuple(show(day, "month") for day in table["as_of"]),
        series=(
            Series(name="forecast, P10 to P90", values=numbers(table["mean"]), low=low, high=high, mark="dashes"),
            Series(name="came", values=numbers(table["came"]), color=ACTUAL, mark="dots"),
            Series(name=baseline, values=numbers(table["baseline"]), color=ATTENTION, mark="crosses"),
        ),
        kind="count",
    )


def forecast(table: pd.DataFrame) -> Native:
    """Wins of the months ahead: from known records, and with those still to come."""
    parts = (("known", "from known records", REQUIRED), ("all", "with new ones", PLAN))
    return Native(
        form="columns",
        categories=tuple(f"to {show(day, 'date')}" for day in table["month_end"]),
        series=tuple(
            Series(
                name=name,
                values=numbers(table[part]),
                low=numbers(table[f"{part}_p10"]),
                high=numbers(table[f"{part}_p90"]),
                color=color,
            )
            for part, name, color in parts
        ),
        kind="count",
    )
