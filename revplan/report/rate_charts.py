"""The charts of what the records support: each draws one table and returns what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from revplan.formats import compact, show
from revplan.report.axes import (
    ACTUAL,
    ATTENTION,
    BACKGROUND,
    GAP,
    OTHER,
    PAST,
    PLAN,
    REQUIRED,
    fitting,
    grid_along_x,
    is_narrow,
    key,
    value_axis,
)

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
    for some, face, label in ((mature, PLAN, "settled"), (~mature, "white", "immature")):
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
    ax.set_yticks(places, [fitting(name, 16 if is_narrow(ax) else 30) for name in table["step"]])
    ax.set_xlim(0, min(100, 115 * float(table["rate_high"].max())))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}%")
    grid_along_x(ax)
    key(ax)
    return _rates_message(table)


def _rates_message(table: pd.DataFrame) -> str:
    widest = table.loc[((table["rate_high"] - table["rate_low"]) / table["rate"]).idxmax()]
    young = table.loc[~table["mature"].astype(bool), "step"]
    text = (
        f"The least certain step is {fitting(widest['step'], 40)}: {show(widest['rate'], 'share')}, "
        f"between {show(widest['rate_low'], 'share')} and {show(widest['rate_high'], 'share')} in four of five cases"
    )
    if young.empty:
        return text + "; every step had time to settle."
    return f"{text}; {fitting(', '.join(young), 60)} had not had time to settle."


def curves(start: str, end: str, settled: float) -> Callable[[Axes, pd.DataFrame], str]:
    """Conversion by months since entry, a line per quarter of entry; young cohorts end early."""

    def paint(ax: Axes, table: pd.DataFrame) -> str:
        cohorts = list(dict.fromkeys(table["cohort"]))[-MOST_CURVES:]
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


def _curves_message(table: pd.DataFrame, start: str, end: str, settled: float) -> str:
    last = table.groupby("cohort", sort=False).last()
    done = last[last["lag_months"] >= settled]
    young = len(last) - len(done)
    name = f"{start} to {end}"
    if done.empty:
        return f"{name}: no cohort is old enough to show its whole rate; 9 in 10 conversions take {settled:.0f} months."
    low, high = show(done["share"].min(), "share"), show(done["share"].max(), "share")
    return (
        f"{name}: cohorts that had time to settle reached {low} to {high}; "
        f"{young} younger ones look worse only because they are younger."
    )


def lags(ax: Axes, table: pd.DataFrame) -> str:
    """Share of each step's conversions by months after entry."""
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
    first = table[table["lag_months"] == 0].set_index("step")["share"]
    slowest, fastest = first.idxmin(), first.idxmax()
    text = f"{fitting(slowest, 30)} is the slowest step: {show(first[slowest], 'share')} of it happens in the month of entry"
    return (
        f"{text}, against {show(first[fastest], 'share')} of {fitting(fastest, 30)}." if len(first) > 1 else f"{text}."
    )


def drift(ax: Axes, table: pd.DataFrame) -> str:
    """Conversions of the last 90 days over those expected, step by step."""
    places = np.arange(len(table))[::-1]
    moved = table["drift_chance"].to_numpy() < STEADY
    ax.barh(places, 100 * (table["drift"] - 1), 0.5, color=np.where(moved, GAP, PAST))
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(places, [fitting(name, 16 if is_narrow(ax) else 30) for name in table["step"]])
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:+g}%")
    grid_along_x(ax)
    named = table[moved]
    if named.empty:
        return "No step converted differently in the last 90 days than before, beyond what luck explains."
    worst = named.loc[(named["drift"] - 1).abs().idxmax()]
    change = f"{100 * abs(worst['drift'] - 1):.0f} % {'more' if worst['drift'] > 1 else 'less'}"
    return (
        f"{fitting(worst['step'], 40)} converted {change} in the last 90 days than the days before lead to expect "
        f"(chance {show(worst['drift_chance'], 'share')} if nothing had changed): plan with the recent rate."
    )


def replay(ax: Axes, table: pd.DataFrame) -> str:
    """Past forecasts with their intervals against what came."""
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
    held = ((table["came"] >= table["p10"]) & (table["came"] <= table["p90"])).sum()
    error = float((table["mean"] - table["came"]).abs().sum() / max(table["came"].sum(), 1))
    other = float((table["baseline"] - table["came"]).abs().sum() / max(table["came"].sum(), 1))
    name = table["baseline_name"].iloc[0]
    return (
        f"In {len(table)} replays the forecast was off by {show(error, 'share')} (the best baseline, {name}, by "
        f"{show(other, 'share')}), and {held} outcomes lay within P10 to P90."
    )


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
        f"{compact(total)} wins are expected by {show(table['month_end'].iloc[-1], 'date')}, "
        f"{compact(known)} of them from records that exist already."
    )
