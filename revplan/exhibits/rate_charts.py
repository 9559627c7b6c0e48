"""The charts of what the records support: each draws one table and returns what it says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from revplan.exhibits.axes import (
    ACTUAL,
    ATTENTION,
    BACKGROUND,
    GAP,
    OTHER,
    PAST,
    PLAN,
    REQUIRED,
    fitting,
    fitting_names,
    grid_along_x,
    is_narrow,
    key,
    value_axis,
)
from revplan.ground.formats import compact, first_largest, show

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

MOST_CURVES = 8
LINE_COLORS = (PLAN, REQUIRED, ACTUAL, ATTENTION, OTHER, PAST, GAP)
STEADY = 0.05  # chance above which a difference of the last months is taken for luck


def rates(ax: Axes, table: pd.DataFrame) -> str:
    """Each step's rate with its interval; immature ones hollow."""
    places = np.arange(len(table))[::-1]
    ax.hlines(places, 100 * table["rate_low"], 100 * table["rate_high"], color=REQUIRED, linewidth=5, alpha=0.6)
    mature = table["mature"].to_numpy(dtype=bool)
    for some, face, label in ((mature, PLAN, "settled"), (~mature, "white", "not settled")):
        if some.any():
            ax.plot(
                100 * table["rate"][some],
                places[some],
                "o",
                markersize=7,
                color=PLAN,
                markerfacecolor=face,
                label=label,
            )
    ax.set_yticks(places, fitting_names(table["step"], 16 if is_narrow(ax) else 30))
    ax.set_xlim(0, min(100, 115 * float(table["rate_high"].max())))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    grid_along_x(ax)
    key(ax)
    return _rates_message(table)


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


def curves(start: str, end: str, settled: float) -> Callable[[Axes, pd.DataFrame], str]:
    """Conversion by months since entry, a line per quarter of entry; young cohorts end early."""

    def paint(ax: Axes, table: pd.DataFrame) -> str:
        cohorts = drawn_cohorts(table)
        shades = np.linspace(0.25, 1.0, len(cohorts))
        for cohort, shade in zip(cohorts, shades, strict=True):
            rows = table[table["cohort"] == cohort]
            ax.plot(
                rows["lag_months"], 100 * rows["share"], color=PLAN, alpha=shade, label=cohort, marker="o", markersize=3
            )
        ax.axvspan(settled, max(float(table["lag_months"].max()), settled + 1), color=BACKGROUND, alpha=0.45, zorder=0)
        ax.annotate("settled", (settled, 0), (4, 4), textcoords="offset points", color=PAST)
        ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}%")
        ax.set_xlabel("months since entry")
        ax.set_ylim(bottom=0)
        key(ax)
        return _curves_message(table, start, end, settled)

    return paint


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


def lags(medians: Mapping[str, float]) -> Callable[[Axes, pd.DataFrame], str]:
    """Share of each step's conversions by months after entry; `medians` are the days by which half of them came."""

    def paint(ax: Axes, table: pd.DataFrame) -> str:
        _draw_lags(ax, table)
        return _lags_message(medians)

    return paint


def _draw_lags(ax: Axes, table: pd.DataFrame) -> None:
    names = list(dict.fromkeys(table["step"]))
    for number, name in enumerate(names):
        rows = table[table["step"] == name]
        color = LINE_COLORS[number % len(LINE_COLORS)]
        ax.plot(
            rows["lag_months"],
            100 * rows["share"].cumsum(),
            color=color,
            marker="o",
            markersize=3,
            label=fitting(name, 24),
        )
    ax.set_ylim(0, 103)
    ax.set_xlabel("months after the month of entry")
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    key(ax)


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


def drift(ax: Axes, table: pd.DataFrame) -> str:
    """Conversions of the last 90 days over those expected, step by step."""
    places = np.arange(len(table))[::-1]
    moved = table["drift_chance"].to_numpy() < STEADY
    ax.barh(places, 100 * (table["drift"] - 1), 0.5, color=np.where(moved, GAP, PAST))
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(places, fitting_names(table["step"], 16 if is_narrow(ax) else 30))
    ax.xaxis.set_major_formatter(lambda value, _: f"{show(round(value), 'number')}%")
    grid_along_x(ax)
    named = table[moved]
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


def replay(errors: tuple[float, float]) -> Callable[[Axes, pd.DataFrame], str]:
    """Past forecasts with their intervals against what came.

    Parameters
    ----------
    errors
        Of the forecast and of the baseline drawn: the sum of what it was off by over the sum of what came. [share]
    """

    def paint(ax: Axes, table: pd.DataFrame) -> str:
        _draw_replay(ax, table)
        return _replay_message(table, errors)

    return paint


def _draw_replay(ax: Axes, table: pd.DataFrame) -> None:
    places = np.arange(len(table))
    ax.vlines(places, table["p10"], table["p90"], color=REQUIRED, linewidth=9, alpha=0.55, label="P10 to P90")
    ax.plot(places, table["mean"], "_", markersize=16, markeredgewidth=2.4, color=PLAN, label="forecast")
    ax.plot(places, table["came"], "o", markersize=6, color=ACTUAL, label="came")
    ax.plot(
        places, table["baseline"], "x", markersize=6, color=ATTENTION, label=fitting(table["baseline_name"].iloc[0])
    )
    step = max(1, len(table) // (4 if is_narrow(ax) else 10))
    ax.set_xticks(places[::step], [show(day, "month") for day in table["as_of"].iloc[::step]])
    value_axis(ax, "count")
    ax.set_ylim(bottom=0)
    key(ax)


def _replay_message(table: pd.DataFrame, errors: tuple[float, float]) -> str:
    held = ((table["came"] >= table["p10"]) & (table["came"] <= table["p90"])).sum()
    replays = "1 replay" if len(table) == 1 else f"{len(table)} replays"
    within = f"{held or 'none'} of {len(table)} outcomes lay within P10 to P90"
    if not table["came"].sum() > 0:
        return f"In {replays} no win came, so that no error can be told as a share; {within}."
    error, other = (show(each, "share") for each in errors)
    name = table["baseline_name"].iloc[0]
    return f"In {replays} the forecast was off by {error} (of the baselines {name} by least, {other}), and {within}."


def forecast(ax: Axes, table: pd.DataFrame) -> str:
    """Wins of the months ahead: from known records, and with those still to come."""
    places = np.arange(len(table))
    for shift, part, color, label in (
        (-0.17, "known", REQUIRED, "from known records"),
        (0.17, "all", PLAN, "with new ones"),
    ):
        low, high = table[f"{part}_p10"], table[f"{part}_p90"]
        ax.bar(places + shift, table[part], 0.32, color=color, label=label)
        ax.vlines(places + shift, low, high, color="black", linewidth=1.2)
    ax.set_xticks(
        places, [f"to {show(day, 'date')}" for day in table["month_end"]], fontsize=7.5 if is_narrow(ax) else 9.5
    )
    value_axis(ax, "count")
    key(ax)
    known, total = float(table["known"].sum()), float(table["all"].sum())
    return (
        f"{compact(total)} {'win is' if compact(total) == '1' else 'wins are'} expected by {show(table['month_end'].iloc[-1], 'date')}, "
        f"{compact(known)} of them from records that exist already."
    )
