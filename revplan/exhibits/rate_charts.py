"""The charts of what the records support: each describes one table, and says what it comes to."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from revplan.exhibits.chart import (
    ACTUAL,
    ATTENTION,
    GAP,
    LINE_COLORS,
    PAST,
    PLAN,
    REQUIRED,
    Chart,
    Series,
    drawn,
    names,
    numbers,
    series_of,
)
from revplan.exhibits.fit import fitting
from revplan.ground.formats import first_largest, show

MOST_CURVES = 8
PARTS = {"from_known": ("from known records", REQUIRED), "all": ("with new ones", PLAN)}  # of the wins ahead
STEADY = 0.05  # chance above which a difference of the last months is taken for luck


def rates(table: pd.DataFrame) -> Chart:
    """Each step's rate with its interval; immature ones grey."""
    mature, rates = table["mature"].astype(bool), table[["rate", "rate_low", "rate_high"]]
    series = [
        series_of(rates.where(some), ("rate", f"{name}, P10 to P90", color, "dots"))
        for name, some, color in (("settled", mature, PLAN), ("not settled", ~mature, PAST))
    ]
    categories = names(table["step"])
    return Chart(said=_rates_message(table), form="bars", categories=categories, series=sum(series, ()), kind="share")


def _rates_message(table: pd.DataFrame) -> str:
    widest = table.iloc[first_largest((table["rate_high"] - table["rate_low"]) / table["rate"])]
    young = table.loc[~table["mature"].astype(bool), "step"]
    who = "The least certain step is " if len(table) > 1 else ""
    text = (
        f"{who}{fitting(widest['step'], 40)}: {show(widest['rate'], 'share')}, "
        f"between {show(widest['rate_low'], 'share')} and {show(widest['rate_high'], 'share')} in four of five cases"
    )
    if young.empty:
        return text + ("; every step shown had time to settle." if len(table) > 1 else "; it had time to settle.")
    return f"{text}; {fitting(', '.join(young), 60)} had not had time to settle."


def curves(table: pd.DataFrame, start: str, end: str, settled: float) -> Chart:
    """Conversion by months since entry, a line per quarter of entry; young cohorts end early."""
    cohorts = drawn_cohorts(table)
    shares = table.pivot(index="lag_months", columns="cohort", values="share").sort_index()
    shades = np.linspace(0.25, 1.0, len(cohorts))
    return Chart(
        said=_curves_message(table, start, end, settled),
        form="columns",
        categories=tuple(show(month, "months") for month in shares.index),
        series=tuple(
            Series(name=name, values=numbers(shares[cohort]), mark="line", shade=float(shade))
            for name, cohort, shade in zip(names(cohorts), cohorts, shades, strict=True)
        ),
        kind="share",
        x_kind="months",
        x_title=f"months since entry (settled from {show(round(settled, 1), 'months')} on)",
        behind="settled",
        reach=(settled, len(shares) - 0.5),
    )


def drawn_cohorts(table: pd.DataFrame) -> list[str]:
    """The latest cohorts, as many as are drawn."""
    return list(dict.fromkeys(table["cohort"]))[-MOST_CURVES:]


def _curves_message(table: pd.DataFrame, start: str, end: str, settled: float) -> str:
    """What the curves that are drawn reached, those that had time for it."""
    last = table[table["cohort"].isin(drawn_cohorts(table))].groupby("cohort", sort=False).last()
    done = last[last["lag_months"] >= settled]
    young = len(last) - len(done)
    name = f"{start} to {end}"
    if done.empty:
        months = show(settled, "months")
        return f"{name}: no cohort drawn is old enough to show its whole rate; 9 in 10 conversions come within {months} months."
    low, high = show(done["share"].min(), "share"), show(done["share"].max(), "share")
    who = "the one cohort" if len(done) == 1 else f"the {len(done)} cohorts drawn"
    reached = f"{name}: {who} that had time to settle reached {low if low == high else f'{low} to {high}'}"
    if not young:
        return f"{reached}."
    more = "1 younger one still grows" if young == 1 else f"{young} younger ones still grow"
    return f"{reached}; {more} and cannot be compared with {'it' if len(done) == 1 else 'them'} yet."


def lags(table: pd.DataFrame, medians: Mapping[str, float]) -> Chart:
    """Share of each step's conversions by months after entry; `medians` are the days by which half of them came."""
    shares = table.pivot(index="lag_months", columns="step", values="share").sort_index().cumsum()
    steps = list(dict.fromkeys(table["step"]))
    return Chart(
        said=_lags_message(medians),
        form="columns",
        categories=tuple(show(month, "months") for month in shares.index),
        series=tuple(
            Series(name=name, values=numbers(shares[step]), mark="line", color=LINE_COLORS[place % len(LINE_COLORS)])
            for place, (name, step) in enumerate(zip(names(steps), steps, strict=True))
        ),
        kind="share",
        x_kind="months",
        x_title="months after the month of entry",
    )


def _lags_message(medians: Mapping[str, float]) -> str:
    """Which step takes longest and which is quickest, by the days within which half of the conversions come."""
    steps, days_of = list(medians), np.array(list(medians.values()))
    slowest, quickest = steps[first_largest(days_of)], steps[first_largest(-days_of)]
    long, short = (f"{fitting(step, 30)}" for step in (slowest, quickest))
    days, fewest = (show(medians[step], "days") for step in (slowest, quickest))
    if len(medians) == 1:
        return f"Half of the conversions from {long} come within {days} days."
    if days == fewest:
        return f"No step is slower than another: half of each step's conversions come within {days} days."
    return f"{long} takes longest: half of its conversions come within {days} days, those of {short} within {fewest}."


def drift(table: pd.DataFrame) -> Chart:
    """Conversions of the last 90 days over those expected, step by step."""
    moved, change = table["drift_chance"] < STEADY, table["drift"] - 1
    parted = table.assign(more=change.where(moved), within=change.where(~moved))
    parts = (("more", "more than luck", GAP), ("within", "within luck", PAST))
    return drawn(_drift_message(table, table[moved]), parted, "step", *parts, form="bars", kind="share")


def _drift_message(table: pd.DataFrame, named: pd.DataFrame) -> str:
    if named.empty:
        one = len(table) == 1
        who = f"{fitting(str(table['step'].iloc[0]), 40)} did not convert" if one else "No step shown converted"
        return f"{who} differently in the last 90 days than before, beyond what luck explains."
    worst = named.iloc[first_largest((named["drift"] - 1).abs())]
    change = f"{show(round(abs(worst['drift'] - 1), 2), 'share')} {'more' if worst['drift'] > 1 else 'less'}"
    return (
        f"{fitting(worst['step'], 40)} converted {change} in the last 90 days than the days before lead to expect "
        f"(chance {show(worst['drift_chance'], 'share')} if nothing had changed): plan with the recent rate."
    )


def replay(table: pd.DataFrame, errors: tuple[float, float], within: str) -> Chart:
    """Past forecasts with their intervals against the actuals.

    Parameters
    ----------
    errors
        Of the forecast and of the baseline drawn: the sum of what it was off by over the sum of the actuals. [share]
    within
        How many outcomes the intervals held, as a part of a sentence.
    """
    parts = (
        ("mean", "forecast, P10 to P90", PLAN, "dashes"),
        ("actual", "actual", ACTUAL, "dots"),
        ("baseline", names(table["baseline_name"].head(1))[0], ATTENTION, "crosses"),
    )
    by_month = table.rename(columns={"p10": "mean_low", "p90": "mean_high"}).assign(
        as_of=table["as_of"].dt.to_period("M")
    )
    return drawn(_replay_message(table, errors, within), by_month, "as_of", *parts, kind="count")


def _replay_message(table: pd.DataFrame, errors: tuple[float, float], within: str) -> str:
    replays = "1 replay" if len(table) == 1 else f"{len(table)} replays"
    if not table["actual"].sum() > 0:
        return f"In {replays} no win came, so that no error can be told as a share; {within}."
    error, other = (show(each, "share") for each in errors)
    name = table["baseline_name"].iloc[0]
    return f"In {replays} the forecast was off by {error} (of the baselines {name} by least, {other}), and {within}."


def forecast(table: pd.DataFrame, said: str) -> Chart:
    """Wins of the months ahead: from known records, and with those still to come."""
    ends = {f"{part}_{tenth}": f"{part}_{end}" for part in PARTS for tenth, end in (("p10", "low"), ("p90", "high"))}
    ended = [f"to {show(day, 'date')}" for day in table["month_end"]]
    parts = ((part, *looks) for part, looks in PARTS.items())
    return drawn(said, table.rename(columns=ends).assign(month_end=ended), "month_end", *parts, kind="count")
