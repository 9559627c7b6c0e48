"""The charts of a plan, of its year and of what the records support that take some describing, or that several exhibits draw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import cycle

import numpy as np
import pandas as pd

from revplan.exhibits.chart import (
    ACTUAL,
    ATTENTION,
    GAP,
    INK,
    LINE_COLORS,
    OTHER,
    PAST,
    PLAN,
    REQUIRED,
    Chart,
    Mark,
    Series,
    StackedPart,
    day_number,
    drawn,
    months,
    names,
    numbers,
    series_of,
    waterfall,
)
from revplan.exhibits.figures import Sentence
from revplan.exhibits.fit import fitting
from revplan.funnel.tables import missed_in_year
from revplan.ground.formats import commitment, compact, counted, first_largest, plural, raised, show, steady_order
from revplan.plan.goal import LEVELS
from revplan.workbook.notes import worst_quarter
from revplan.workbook.signing import against_expected

MOST_ROWS = 16
EVEN = 1e-6  # months that differ by a smaller share are the same
SOURCE_COLORS = (PLAN, REQUIRED, ACTUAL, ATTENTION, OTHER, PAST)
MOST_COLORS = len(SOURCE_COLORS)
TITLES = {
    "opening_arr": "Opening",
    "new_arr": "New",
    "expansion": "Expansion",
    "contraction": "Contraction",
    "churn": "Churn",
    "closing_arr": "Closing",
}


PARTS = (
    ("won", "won before", PAST),
    ("open_pipeline", "open pipeline", REQUIRED),
    ("commit_arr", "expected commit", PLAN),
    ("shortfall", "shortfall", GAP),
)


def panel(name: str, table: pd.DataFrame, what: str, kind: str, currency: str) -> Chart:
    """One small chart of a scorecard: the actual of each quarter as a column, its plan as a dash."""
    return Chart(
        said=name,
        form="columns",
        categories=names(quarter.removesuffix(" to date") for quarter in table["quarter"]),
        series=(
            Series(name="actual", values=numbers(table[f"{what} actual"]), color=PLAN),
            Series(name="plan", values=numbers(table[f"{what} planned"]), color=INK, mark="dashes"),
        ),
        kind=kind,
        currency=currency,
    )


def multiples(said: Sentence, panels: Sequence[Chart]) -> Chart:
    """Small charts that are read the same way, under one conclusion."""
    return Chart(said=said, form="multiples", categories=(), series=(), kind=panels[0].kind, panels=tuple(panels))


def bridge(table: pd.DataFrame, currency: str) -> Chart:
    """From opening to closing ARR: the levels of table bridge, and what changes them."""
    terms = table[table["term"].isin(LEVELS) | (table["amount"] != 0)].dropna(subset=["amount"])
    level = terms["term"].isin(LEVELS) & (terms["term"] != "new_arr")
    amounts = terms["amount"].astype(float) * np.where(terms["term"].isin(["contraction", "churn"]), -1.0, 1.0)
    down = ~level & (amounts < 0)
    parts: tuple[StackedPart, ...] = (
        ("ARR", level, PLAN, "level"),
        ("adds", ~level & ~down, REQUIRED, "bar"),
        ("takes away", down, GAP, "bar"),
    )
    said = _bridge_message(dict(zip(terms["term"], terms["amount"], strict=True)), currency)
    return waterfall(said, [TITLES[term] for term in terms["term"]], amounts, parts, currency)


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


def quarters(table: pd.DataFrame, currency: str) -> Chart:
    """What each quarter of table quarters is made of, against its goal."""
    parts = [part for part in PARTS if table[part[0]].any()]
    goal = ("goal", "goal", INK, "dashes")
    said = quarters_message(table, currency)
    return drawn(said, table, "label", *parts, goal, form="stacked", kind="money", currency=currency)


def quarters_message(table: pd.DataFrame, currency: str) -> str:
    """Which quarter misses most, and whether another makes it good."""
    said, missed = worst_quarter(table, currency), missed_in_year(table)
    if not (table["shortfall"] > 0).any():
        return f"{raised(said)}."
    year = f"; the year misses by {compact(missed, currency)}" if missed > 0 else ": the year is reached in expectation"
    return f"{said}{year}."


def commit_by_month(table: pd.DataFrame, stage: str, plan_month: pd.Period, past: float) -> Chart:
    """Committed entries by month against what is traced back, for one stage of table funnel."""
    before = int((table["month"] < plan_month).sum())
    return drawn(
        _commit_message(stage, table, past),
        table.assign(both=table["required"] + table["required_next_year"]),
        "month",
        ("commit", "expected commit"),
        ("both", "required, with next year", ATTENTION, "line"),
        ("required", "required", GAP, "dashed"),
        kind="count",
        behind="past" if before else "",
        reach=(-0.5, before - 0.5),
    )


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


def dependence(table: pd.DataFrame, exact: pd.DataFrame, currency: str, plan_date: str, *, recorded: bool) -> Chart:
    """ARR of each quarter that traces back to existing records, against what they are expected to bring.

    Its sentence is of `exact`, the quarters unrounded: a share of amounts in millions is not one of their few digits.
    """
    said, both = _dependence_message(exact, currency, plan_date, recorded), table["open_pipeline"] + table["won"]
    parts = (("before_plan_date", "traces back to them", ATTENTION), ("coming", "expected of them", REQUIRED))
    return drawn(said, table.assign(coming=both), "label", *parts, kind="money", currency=currency)


def _dependence_message(table: pd.DataFrame, currency: str, plan_date: str, recorded: bool) -> str:
    if not (table["before_plan_date"] > 0.005 * table["goal"]).any():
        return "No quarter of the year depends, by more than a trifle, on records that exist already."
    first = table.iloc[first_largest(table["before_plan_date"])]
    past, coming = float(first["before_plan_date"]), float(first["open_pipeline"] + first["won"])
    text = (
        f"{compact(past, currency)} of the {compact(first['goal'], currency)} of {first['label']} "
        f"({show(past / first['goal'], 'share')}) traces back, at the plan's lags, to records from before {plan_date}"
    )
    if not recorded:
        return f"{text}; no records are named, so new entries are asked to make up for it."
    gap = compact(abs(coming - past), currency)
    return (
        f"{text}; they are expected to bring {compact(coming, currency)}, {gap} {'more' if coming >= past else 'less'}."
    )


def last_useful(table: pd.DataFrame) -> Chart:
    """Until when a new entry still serves the year, the cells that end first on top."""
    ordered = table.sort_values("last_useful_on", kind="stable").reset_index(drop=True)
    rows = ordered.head(MOST_ROWS)
    first, last = day_number(rows["last_useful_on"].min()), day_number(rows["last_useful_on"].max())
    return Chart(
        said=_last_useful_message(ordered),
        form="bars",
        categories=names(rows["segment"].astype(str) + " x " + rows["source"].astype(str)),
        series=(Series(name="helps until", values=numbers(map(day_number, rows["last_useful_on"]))),),
        kind="date",
        start=first - max(7.0, round((last - first) / 5)),
    )


def _last_useful_message(ordered: pd.DataFrame) -> str:
    first, last = ordered.iloc[0], ordered.iloc[-1]
    text = (
        f"After {show(first['last_useful_on'], 'date')} a new entry of {fitting(first['segment'])} x "
        f"{fitting(first['source'])} adds less than a fifth of its ARR to this year"
    )
    if first["last_useful_on"] == last["last_useful_on"]:
        return text + "."
    return f"{text}; {fitting(last['segment'])} x {fitting(last['source'])} still helps until {show(last['last_useful_on'], 'date')}."


def budget(table: pd.DataFrame, currency: str) -> Chart:
    """Programme spend by month of spending, one colour per source."""
    few = few_sources(table)
    spent = few.pivot_table(index="month", columns="source", values="spend", aggfunc="sum", observed=True).fillna(0.0)
    sources = list(dict.fromkeys(few["source"]))
    return Chart(
        said=_budget_message(table, list(spent.index), spent.sum(axis=1).to_numpy(), currency),
        form="stacked",
        categories=months(spent.index),
        series=series_of(spent, *zip(sources, names(sources), SOURCE_COLORS, strict=False)),
        kind="money",
        currency=currency,
        x_kind="month",
    )


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


def commit_curve(table: pd.DataFrame, title: str, marked: Mapping[str, tuple[float, float]]) -> Chart:
    """Entries at the commit stage against the chance of the goal, with the points `marked` on it, the commit first."""
    chances = numbers(table["confidence"])
    curve = Series(name=f"{plural(title)} needed", x=chances, values=numbers(table["entries"]), mark="line")
    looks: tuple[tuple[str, Mark], ...] = ((PAST, "squares"), (ATTENTION, "diamonds"))
    points = [
        Series(name=name, x=(chance,), values=(float(commitment(entries)),), color=color, mark=mark)
        for (name, (chance, entries)), (color, mark) in zip(marked.items(), looks, strict=False)
    ]
    return Chart(
        said=_curve_message(table, next(iter(marked.values()))[1], title),
        form="points",
        categories=(),
        series=(curve, *points),
        kind="count",
        x_kind="share",
        x_title="chance of the goal",
    )


def _curve_message(frame: pd.DataFrame, entries: float, title: str) -> str:
    last = frame.iloc[-1]
    if not last["entries"] > 0:
        return f"The goal is {show(last['confidence'], 'share')} sure without new {plural(title)}: what exists already brings it."
    times = last["entries"] / entries
    entered = counted(last["entries"], title, kind="commitment")
    text = f"{show(last['confidence'], 'share')} sure takes {entered}, {against_expected(times)}"
    over = frame.loc[~frame["within_limits"].astype(bool), "confidence"]
    return (
        f"{text}; from {show(over.min(), 'share')} on it is more than the sources' ceilings allow."
        if len(over)
        else f"{text}."
    )


def tornado(table: pd.DataFrame, said: str, middle: float, currency: str) -> Chart:
    """What each driver at its own P10 and P90 makes of the year, about the `middle` of its distribution."""
    parts = (("arr_low", "at its P10", GAP), ("arr_high", "at its P90", REQUIRED))
    return drawn(said, table, "driver", *parts, form="bars", kind="money", currency=currency, start=middle)


def stacked_buffers(table: pd.DataFrame, said: str, currency: str) -> Chart:
    """What each assumption set to the history's median adds or takes away, from the plan on, and what they come to."""
    arr = table["arr_together"].to_numpy(dtype=float)
    step = np.append(np.diff(arr[:-1]), arr[-1] - arr[0])
    last = np.arange(len(step)) == len(step) - 1
    parts: tuple[StackedPart, ...] = (
        ("buffer", ~last & (step >= 0), REQUIRED, "bar"),
        ("bolder than the history", ~last & (step < 0), GAP, "bar"),
        ("all together", last, ATTENTION, "level"),
    )
    made = waterfall(said, table["assumptions"].iloc[1:], step, parts, currency)
    return replace(made, start=float(arr[0]), x_title=f"change of the {compact(arr[0], currency)} as planned")


def so_far(table: pd.DataFrame, said: Sentence, currency: str) -> Chart:
    """New ARR added up month by month: the curves of which any month is known."""
    parts = (
        ("goal", "goal", PAST, "dashed"),
        ("planned", "plan", REQUIRED, "line"),
        ("actual", "actual", PLAN, "line"),
    )
    return drawn(said, table, "month", *parts, kind="money", currency=currency)


def steps(table: pd.DataFrame, said: str | Sentence, currency: str, level: str = "New ARR") -> Chart:
    """A waterfall from the first row to the last, which are levels of what `level` names; between them signed changes."""
    ends = np.isin(np.arange(len(table)), (0, len(table) - 1))
    down = (table["amount"] < 0).to_numpy()
    parts: tuple[StackedPart, ...] = (
        (level, ends, PLAN, "level"),
        ("adds", ~ends & ~down, REQUIRED, "bar"),
        ("takes away", ~ends & down, GAP, "bar"),
    )
    return waterfall(said, table["line"], table["amount"], parts, currency)


def landing(table: pd.DataFrame, said: Sentence, currency: str) -> Chart:
    """The parts of the year on each other up to the landing, with the band that holds it, and the goal beside it."""
    row = table.iloc[0]
    amounts = {
        "won": row["won"],
        "expected of open records": row["open_records"],
        "still to create": row["still_to_create"],
        "landing": row["landing"],
        "goal": row["goal"],
    }
    level = np.isin(list(amounts), ("won", "landing", "goal"))
    parts: tuple[StackedPart, ...] = (
        ("New ARR, 8 of 10 cases", level, PLAN, "level"),
        ("expected", ~level, REQUIRED, "bar"),
    )
    made = waterfall(said, amounts, amounts.values(), parts, currency)
    low, high = (
        tuple(row[end] if name == "landing" else None for name in amounts) for end in ("landing_low", "landing_high")
    )
    return replace(made, series=(replace(made.series[0], low=low, high=high), *made.series[1:]))


GOAL = "goal"
"""What the row of the goal is called among scenarios."""


def scenarios(table: pd.DataFrame, said: Sentence, gap: float, currency: str) -> Chart:
    """How much higher or lower the year lands in each scenario than as planned, beside the `gap` to its goal, the best first."""
    others = table.iloc[1:]
    rows = [(name, change, False) for name, change in zip(others["scenario"], others["difference"], strict=True)]
    rows.append((GOAL, gap, True))
    best = steady_order([-change for _, change, _ in rows])
    ordered = pd.DataFrame([rows[at] for at in best], columns=["name", "change", "aim"])
    change, aim = ordered["change"], ordered["aim"]
    parted = ordered.assign(
        goal=change.where(aim), higher=change.where(~aim & (change >= 0)), lower=change.where(~aim & (change < 0))
    )
    parts = (
        ("higher", "lands above today's forecast", REQUIRED),
        ("lower", "lands below it", GAP),
        ("goal", "missing to the goal" if gap >= 0 else "how far the goal lies below the forecast", INK),
    )
    return drawn(said, parted, "name", *parts, form="bars", kind="money", currency=currency)


# --- what the records support ---------------------------------------------------------------------


MOST_CURVES = 8
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
    parts = (
        (step, name, color, "line") for step, name, color in zip(steps, names(steps), cycle(LINE_COLORS), strict=False)
    )
    by_month = shares.assign(lag_months=[show(month, "months") for month in shares.index])
    said, title = _lags_message(medians), "months after the month of entry"
    return drawn(said, by_month, "lag_months", *parts, kind="share", x_kind="months", x_title=title)


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
