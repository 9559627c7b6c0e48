"""The charts of the annual commit in numbers, as a presentation draws them itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from revplan.exhibits.axes import ATTENTION, GAP, PAST, PLAN, REQUIRED, fitting_names
from revplan.exhibits.charts import LEVELS, MOST_ROWS, SOURCE_COLORS, TITLES, few_sources, shown_terms
from revplan.exhibits.native import Describe, Mark, Native, Series, day_number, names, numbers, waterfall
from revplan.ground.formats import commitment, plural, show

if TYPE_CHECKING:
    import pandas as pd

PARTS = (
    ("won", "won before", PAST),
    ("open_pipeline", "open pipeline", REQUIRED),
    ("commit_arr", "expected commit", PLAN),
    ("shortfall", "shortfall", GAP),
)


def bridge(currency: str) -> Describe:
    """A waterfall of table bridge."""

    def describe(table: pd.DataFrame) -> Native:
        terms = shown_terms(table)
        signs = [-1.0 if term in ("contraction", "churn") else 1.0 for term in terms["term"]]
        level = terms["term"].isin(LEVELS) & (terms["term"] != "new_arr")
        amounts = terms["amount"].astype(float) * signs
        down = ~level & (amounts < 0)
        parts: tuple[tuple[str, pd.Series, str, Mark], ...] = (
            ("ARR", level, PLAN, "level"),
            ("adds", ~level & ~down, REQUIRED, "bar"),
            ("takes away", down, GAP, "bar"),
        )
        return waterfall([TITLES[term] for term in terms["term"]], amounts, parts, currency)

    return describe


def quarters(currency: str) -> Describe:
    """What each quarter of table quarters is made of, against its goal."""

    def describe(table: pd.DataFrame) -> Native:
        parts = [
            Series(name=label, values=numbers(table[column]), color=color)
            for column, label, color in PARTS
            if table[column].any()
        ]
        goal = Series(name="goal", values=numbers(table["goal"]), color="ink", mark="dashes")
        return Native(
            form="stacked",
            categories=names(table["label"]),
            series=(*parts, goal),
            kind="money",
            currency=currency,
        )

    return describe


def commit_by_month(table: pd.DataFrame) -> Native:
    """Committed entries by month against what is traced back."""
    both = table["required"] + table["required_next_year"]
    return Native(
        form="columns",
        categories=tuple(show(month, "month") for month in table["month"]),
        series=(
            Series(name="expected commit", values=numbers(table["commit"])),
            Series(name="required, with next year", values=numbers(both), color=ATTENTION, mark="line"),
            Series(name="required", values=numbers(table["required"]), color=GAP, mark="dashed"),
        ),
        kind="count",
    )


def dependence(currency: str) -> Describe:
    """ARR of each quarter that traces back to existing records, against what they are expected to bring."""

    def describe(table: pd.DataFrame) -> Native:
        traced, coming = numbers(table["before_plan_date"]), numbers(table["open_pipeline"] + table["won"])
        return Native(
            form="columns",
            categories=names(table["label"]),
            series=(
                Series(name="traces back to them", values=traced, color=ATTENTION),
                Series(name="expected of them", values=coming, color=REQUIRED),
            ),
            kind="money",
            currency=currency,
        )

    return describe


def last_useful(table: pd.DataFrame) -> Native:
    """Until when a new entry still serves the year, the cells that end first on top."""
    rows = table.sort_values("last_useful_on", kind="stable").head(MOST_ROWS)
    until = rows["last_useful_on"]
    pairs = zip(rows["segment"], rows["source"], strict=True)
    cells = fitting_names([f"{segment} x {source}" for segment, source in pairs], 48)
    first, last = day_number(until.min()), day_number(until.max())
    return Native(
        form="bars",
        categories=names(cells),
        series=(Series(name="helps until", values=numbers(map(day_number, until))),),
        kind="date",
        start=first - max(7.0, round((last - first) / 5)),
    )


def budget(currency: str) -> Describe:
    """Programme spend by month of spending, one colour per source."""

    def describe(table: pd.DataFrame) -> Native:
        few = few_sources(table)
        spent = few.pivot_table(index="month", columns="source", values="spend", aggfunc="sum", observed=True)
        sources = dict.fromkeys(few["source"])
        return Native(
            form="stacked",
            categories=tuple(show(month, "month") for month in spent.index),
            series=tuple(
                Series(name=name, values=numbers(spent[source].fillna(0.0)), color=color)
                for name, source, color in zip(names(sources), sources, SOURCE_COLORS, strict=False)
            ),
            kind="money",
            currency=currency,
        )

    return describe


def commit_curve(title: str, marked: dict[str, tuple[float, float]]) -> Describe:
    """Entries at the commit stage against the chance of the goal, with the points `marked` on it."""

    def describe(table: pd.DataFrame) -> Native:
        curve = Series(
            name=f"{plural(title)} needed",
            x=numbers(table["confidence"]),
            values=numbers(table["entries"]),
            mark="line",
        )
        points = [
            Series(name=name, x=(chance,), values=(float(commitment(entries)),), color=color, mark="dots")
            for (name, (chance, entries)), color in zip(marked.items(), (PAST, ATTENTION), strict=False)
        ]
        return Native(
            form="points",
            categories=(),
            series=(curve, *points),
            kind="count",
            x_kind="share",
            x_title="chance of the goal",
        )

    return describe


def tornado(middle: float, currency: str) -> Describe:
    """What each driver at its own P10 and P90 makes of the year."""

    def describe(table: pd.DataFrame) -> Native:
        return Native(
            form="bars",
            categories=names(table["driver"]),
            series=(
                Series(name="at its P10", values=numbers(table["arr_low"]), color=GAP),
                Series(name="at its P90", values=numbers(table["arr_high"]), color=REQUIRED),
            ),
            kind="money",
            currency=currency,
            start=middle,
        )

    return describe
