"""The charts of the annual commit: each draws one table and returns what it says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revplan.exhibits.axes import (
    ACTUAL,
    ATTENTION,
    BACKGROUND,
    BAR,
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
    month_axis,
    value_axis,
)
from revplan.funnel.tables import missed_in_year
from revplan.ground.formats import compact, counted, first_largest, plural, show, steady_order
from revplan.workbook.notes import worst_quarter

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_ROWS = 16
EVEN = 1e-6  # months that differ by a smaller share are the same
SOURCE_COLORS = (PLAN, REQUIRED, ACTUAL, ATTENTION, OTHER, PAST)
MOST_COLORS = len(SOURCE_COLORS)
LEVELS = ("opening_arr", "new_arr", "closing_arr")
TITLES = {
    "opening_arr": "Opening",
    "new_arr": "New",
    "expansion": "Expansion",
    "contraction": "Contraction",
    "churn": "Churn",
    "closing_arr": "Closing",
}


def bridge(currency: str) -> Callable[[Axes, pd.DataFrame], str]:
    """A waterfall of table bridge."""

    def paint(ax: Axes, table: pd.DataFrame) -> str:
        terms = shown_terms(table)
        amounts = dict(zip(terms["term"], terms["amount"], strict=True))
        level, size = 0.0, 7.5 if is_narrow(ax) else 9.5
        for place, (term, amount) in enumerate(amounts.items()):
            total = term in LEVELS and term != "new_arr"
            down = term in ("contraction", "churn")
            base = 0.0 if total else level - (amount if down else 0.0)
            ax.bar(place, amount, BAR, base, color=PLAN if total else GAP if down else REQUIRED)
            label = ("−" if down else "" if total else "+") + compact(amount, currency)
            ax.annotate(label, (place, base + amount), (0, 3), textcoords="offset points", ha="center", fontsize=size)
            level = amount if total else base if down else base + amount
        ax.set_xticks(range(len(amounts)), [_short(TITLES[term], ax, 7) for term in amounts])
        ax.margins(y=0.12)
        value_axis(ax, "money", currency)
        return _bridge_message(amounts, currency)

    return paint


def shown_terms(table: pd.DataFrame) -> pd.DataFrame:
    """The terms of table bridge that are drawn: the levels, and what changes them."""
    return table[table["term"].isin(LEVELS) | (table["amount"] != 0)].dropna(subset=["amount"])


def _short(title: str, ax: Axes, width: int) -> str:
    return fitting(title, width) if is_narrow(ax) else title


def _bridge_message(amounts: dict[str, float], currency: str) -> str:
    new = compact(amounts["new_arr"], currency)
    if "closing_arr" not in amounts:
        return f"The year needs {new} of new ARR; opening and closing ARR are not given."
    kept = sum(amounts.get(name, 0.0) * sign for name, sign in (("expansion", 1), ("contraction", -1), ("churn", -1)))
    amount = compact(abs(kept), currency)
    moved = f"{'add' if kept > 0 else 'take away'} {amount}" if kept else "neither add nor take away"
    if amounts["closing_arr"] < amounts["opening_arr"]:
        return (
            f"ARR falls from {compact(amounts['opening_arr'], currency)} to {compact(amounts['closing_arr'], currency)}: "
            f"existing customers {moved}, and {new} of new ARR does not make up for it."
        )
    return (
        f"{new} of new ARR must be won to go from {compact(amounts['opening_arr'], currency)} to "
        f"{compact(amounts['closing_arr'], currency)}: existing customers {moved}."
    )


def quarters(currency: str) -> Callable[[Axes, pd.DataFrame], str]:
    """What each quarter of table quarters is made of, against its goal."""

    def paint(ax: Axes, table: pd.DataFrame) -> str:
        places = np.arange(len(table))
        base = np.zeros(len(table))
        parts = (
            ("won", "won before", PAST),
            ("open_pipeline", "open pipeline", REQUIRED),
            ("commit_arr", "expected commit", PLAN),
        )
        for column, label, color in (*parts, ("shortfall", "shortfall", GAP)):
            values = table[column].to_numpy(dtype=float)
            if values.any():
                ax.bar(places, values, BAR, base, color=color, label=label, alpha=0.85 if column == "shortfall" else 1)
            base = base + values
        ax.plot(places, table["goal"], linestyle="none", marker="_", markersize=34, markeredgewidth=2.4, color="black")
        ax.plot([], [], marker="_", linestyle="none", markersize=12, markeredgewidth=2.4, color="black", label="goal")
        ax.set_xticks(places, quarter_ticks(table))
        value_axis(ax, "money", currency)
        key(ax)
        return quarters_message(table, currency)

    return paint


def quarter_ticks(table: pd.DataFrame) -> list[str]:
    """The quarters of table quarters for an axis: the months, and below them what the quarter is called."""
    return [label.replace(" (", "\n(") for label in table["label"]]


def quarters_message(table: pd.DataFrame, currency: str) -> str:
    """Which quarter misses most, and whether another makes it good."""
    said, missed = worst_quarter(table, currency), missed_in_year(table)
    if not (table["shortfall"] > 0).any():
        return f"{said[:1].upper()}{said[1:]}."
    year = f"; the year misses by {compact(missed, currency)}" if missed > 0 else ": the year is reached in expectation"
    return f"{said}{year}."


def commit_by_month(stage: str, plan_month: pd.Period, past: float) -> Callable[[Axes, pd.DataFrame], str]:
    """Committed entries by month against what is traced back, for one stage of table funnel."""

    def paint(ax: Axes, table: pd.DataFrame) -> str:
        places = np.arange(len(table))
        required = table["required"].to_numpy(dtype=float)
        both = required + table["required_next_year"].to_numpy(dtype=float)
        ax.bar(places, table["commit"], BAR, color=PLAN, label="expected commit")
        ax.step(places, both, where="mid", color=ATTENTION, label="with next year")
        ax.step(places, required, where="mid", color=GAP, linestyle="--", label="required")
        before = int((table["month"] < plan_month).sum())
        if before:
            ax.axvspan(-0.5, before - 0.5, color=BACKGROUND, alpha=0.45, zorder=0, label="past")
        month_axis(ax, table["month"])
        value_axis(ax, "count")
        ax.set_ylim(bottom=0)
        key(ax)
        return _commit_message(stage, table, past)

    return paint


def _commit_message(stage: str, table: pd.DataFrame, past: float) -> str:
    asked = table[table["commit"] > 0]
    if asked.empty:
        return f"The expected commit asks for no new {plural(stage)}."
    peak = f"highest in {show(asked['month'].iloc[first_largest(asked['commit'])], 'month')}"
    if len(asked) > 1 and asked["commit"].max() - asked["commit"].min() <= EVEN * asked["commit"].max():
        peak = "the same every month"
    if past < 0.005:
        return f"Next to nothing of what the year requires should have entered before the plan date; the expected commit is {peak}."
    return (
        f"{show(past, 'share')} of the {plural(stage)} that the year requires should have entered before the plan date; "
        f"the expected commit starts from there and is {peak}."
    )


def dependence(
    exact: pd.DataFrame, currency: str, plan_date: str, *, known: bool
) -> Callable[[Axes, pd.DataFrame], str]:
    """ARR of each quarter that traces back to existing records, against what they are expected to bring.

    Its sentence is of `exact`, the quarters unrounded: a share of amounts in millions is not one of their few digits.
    """

    def paint(ax: Axes, table: pd.DataFrame) -> str:
        places = np.arange(len(table))
        ax.bar(places - 0.2, table["before_plan_date"], 0.36, color=ATTENTION, label="traces back to them")
        coming = table["open_pipeline"] + table["won"]
        ax.bar(places + 0.2, coming, 0.36, color=REQUIRED, label="expected of them")
        ax.set_xticks(places, quarter_ticks(table))
        value_axis(ax, "money", currency)
        key(ax)
        return _dependence_message(exact, currency, plan_date, known)

    return paint


def _dependence_message(table: pd.DataFrame, currency: str, plan_date: str, known: bool) -> str:
    if not (table["before_plan_date"] > 0.005 * table["goal"]).any():
        return "No quarter of the year depends, by more than a trifle, on records that exist already."
    first = table.iloc[first_largest(table["before_plan_date"])]
    past, coming = float(first["before_plan_date"]), float(first["open_pipeline"] + first["won"])
    text = (
        f"{compact(past, currency)} of the {compact(first['goal'], currency)} of {first['label']} "
        f"({show(past / first['goal'], 'share')}) traces back, at the plan's lags, to records from before {plan_date}"
    )
    if not known:
        return f"{text}; no records are named, so new entries are asked to make up for it."
    gap = compact(abs(coming - past), currency)
    return (
        f"{text}; they are expected to bring {compact(coming, currency)}, {gap} {'more' if coming >= past else 'less'}."
    )


def last_useful(ax: Axes, table: pd.DataFrame) -> str:
    """Until when a new entry still serves the year, the cells that end first on top."""
    ordered = table.sort_values("last_useful_on", kind="stable").reset_index(drop=True)
    drawn = ordered.head(MOST_ROWS)
    places = np.arange(len(drawn))[::-1]
    days = drawn["last_useful_on"]
    ax.hlines(places, days.min() - (days.max() - days.min()) * 0.05, days, color=BACKGROUND, linewidth=2)
    ax.plot(days, places, linestyle="none", marker="o", markersize=7, color=PLAN)
    width = 20 if is_narrow(ax) else 34
    pairs = zip(drawn["segment"], drawn["source"], strict=True)
    names = fitting_names([f"{segment} x {source}" for segment, source in pairs], width)
    ax.set_yticks(places, names)
    for place, day in zip(places, days, strict=True):
        ax.annotate(show(day, "date")[:-5], (day, place), (7, -3), textcoords="offset points", fontsize=7.5)
    ax.margins(x=0.12)
    grid_along_x(ax)
    _day_axis(ax, days)
    return _last_useful_message(ordered)


def _day_axis(ax: Axes, days: pd.Series) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=2, maxticks=4 if is_narrow(ax) else 8)  # type: ignore[no-untyped-call]
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    if days.min() == days.max():
        margin = np.timedelta64(30, "D")
        ax.set_xlim(days.min() - margin, days.max() + margin)


def _last_useful_message(ordered: pd.DataFrame) -> str:
    first, last = ordered.iloc[0], ordered.iloc[-1]
    text = (
        f"After {show(first['last_useful_on'], 'date')} a new entry of {fitting(first['segment'])} x "
        f"{fitting(first['source'])} adds less than a fifth of its ARR to this year"
    )
    if first["last_useful_on"] == last["last_useful_on"]:
        return text + "."
    return f"{text}; {fitting(last['segment'])} x {fitting(last['source'])} still helps until {show(last['last_useful_on'], 'date')}."


def budget(currency: str) -> Callable[[Axes, pd.DataFrame], str]:
    """Programme spend by month of spending, one colour per source."""

    def paint(ax: Axes, table: pd.DataFrame) -> str:
        months = sorted(table["month"].unique())
        places = {month: place for place, month in enumerate(months)}
        base = np.zeros(len(months))
        for number, (source, rows) in enumerate(few_sources(table).groupby("source", sort=False)):
            values = np.zeros(len(months))
            np.add.at(values, [places[month] for month in rows["month"]], rows["spend"])
            ax.bar(range(len(months)), values, BAR, base, color=SOURCE_COLORS[number], label=str(source))
            base = base + values
        month_axis(ax, months)
        value_axis(ax, "money", currency)
        key(ax)
        return _budget_message(table, months, base, currency)

    return paint


def few_sources(table: pd.DataFrame) -> pd.DataFrame:
    """As many sources as there are colours: the dearest, and the others as one."""
    spent = table.groupby("source", sort=False)["spend"].sum()
    if len(spent) <= MOST_COLORS:
        return table
    named = set(spent.index[steady_order(-spent)[: MOST_COLORS - 1]])
    others = counted(len(spent) - len(named), "other")
    kept = table["source"].isin(named)
    return pd.concat([table[kept], table[~kept].assign(source=others)])


def _budget_message(table: pd.DataFrame, months: list[pd.Period], total: np.ndarray, currency: str) -> str:
    by_source = table.groupby("source", sort=False)["spend"].sum()
    largest = by_source.index[first_largest(by_source)]
    share = show(by_source[largest] / by_source.sum(), "share")
    dearest = f"{show(months[first_largest(total)], 'month')} is the dearest month"
    if total.max() - total.min() <= EVEN * total.max():
        dearest = "every month costs the same"
    part = f"{fitting(largest)} takes {share} of it, and " if len(by_source) > 1 else ""
    return (
        f"The expected commit costs {compact(float(by_source.sum()), currency)} from {show(months[0], 'month')} to "
        f"{show(months[-1], 'month')}; {part}{dearest}."
    )
