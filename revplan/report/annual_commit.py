"""The exhibits of the annual commit, in the order of its notebook. Each takes the computed workbook."""

from __future__ import annotations

import pandas as pd

from revplan.formats import commitment, compact, kinds_of, largest_remainder, show
from revplan.model.sheet import sums_by_quarter
from revplan.report import charts
from revplan.report.exhibit import Exhibit, chart, table, text
from revplan.workbook import Workbook

MONTHS_SHOWN_BEFORE = 6


def summary(book: Workbook) -> Exhibit:
    """Goal, commit, largest gap and one action, over the facts they rest on."""
    year, quarters = book.year, book.quarters
    currency, bridge = book.plan.currency, year.bridge
    title = _titles(book)[book.plan.commit_stage]
    signed = book.stages.set_index("stage")["commit"][book.plan.commit_stage]
    missing = float(quarters["shortfall"].sum() - quarters["surplus"].sum())
    facts = {
        "New ARR the goal asks for": compact(bridge.new_arr, currency),
        "Closing ARR": "not given" if bridge.closing_arr is None else compact(bridge.closing_arr, currency),
        f"{title}s to commit within the year": show(float(signed), "commitment"),
        "The year in expectation": _over_or_under(missing, currency),
        "Only existing records can bring": compact(float(quarters["before_plan_date"].sum()), currency),
        "Expected of the open pipeline within the year": compact(float(quarters["open_pipeline"].sum()), currency),
        "Programme spend within the year": compact(_spend(book), currency),
        "Program CAC": "not priced" if book.cac is None else compact(book.cac, currency),
    }
    header = f"{book.plan.name}, made on {show(book.plan.plan_date, 'date')}"
    return text(book.headline, facts, header=header)


def _over_or_under(missing: float, currency: str) -> str:
    if abs(missing) < 1:
        return "on goal"
    return f"{compact(abs(missing), currency)} {'short of' if missing > 0 else 'above'} goal"


def _spend(book: Workbook) -> float:
    inside = book.budget[book.budget["month"].isin(book.plan.months)]
    return float(inside["spend"].sum())


def _titles(book: Workbook) -> dict[str, str]:
    return {stage.id: stage.title for stage in book.plan.stages}


def goal_bridge(book: Workbook) -> Exhibit:
    """From opening to closing ARR."""
    bridge = book.year.bridge
    ratios = (("NRR", bridge.nrr), ("GRR", bridge.grr), ("GRR, churn only", bridge.grr_churn_only))
    known = ", ".join(f"{name} {show(value, 'share')}" for name, value in ratios if value is not None)
    notes = [known] if known else []
    if book.plan.goal.basis:
        notes.append(f"Source: {book.plan.goal.basis}")
    return chart(charts.bridge(book.plan.currency), book.bridge, kinds_of("bridge"), notes=notes, name="bridge")


def required_funnel(book: Workbook) -> Exhibit:
    """What the year's wins trace back to, stage by stage."""
    titles = _titles(book)
    first, last = book.plan.stage_ids[0], book.plan.stage_ids[-1]
    frame = book.stages[["stage", "required", "commitment", "commit", "rate_to_won", "value_per_entry", "days_to_won"]]
    rows = frame.set_index("stage")
    of_commit = "" if first == book.plan.commit_stage else _and_commit_stage(book, rows)
    message = (
        f"{show(rows['commitment'][last], 'commitment')} wins trace back to "
        f"{show(rows['commitment'][first], 'commitment')} {titles[first]} entries{of_commit}; "
        f"the year's commit brings {show(rows['commit'][last], 'commitment')} of the wins."
    )
    entering = _entering(book)
    notes = ["Required counts all months, those before the plan date too. " + entering] if entering else []
    return table(
        frame.assign(stage=[titles[stage] for stage in frame["stage"]]),
        kinds_of("stages"),
        message,
        labels={
            "stage": "Stage",
            "required": "Required for the year",
            "commitment": "Rounded up",
            "commit": "Commit within the year",
            "rate_to_won": "Won of entries",
            "value_per_entry": f"Worth per entry ({book.plan.currency})",
            "days_to_won": "Median days to won",
        },
        notes=notes,
    )


def _and_commit_stage(book: Workbook, rows: pd.DataFrame) -> str:
    stage = book.plan.commit_stage
    return f" and {show(rows['commitment'][stage], 'commitment')} {_titles(book)[stage]}s"


def _entering(book: Workbook) -> str:
    titles, first = _titles(book), book.plan.stage_ids[0]
    entries = {name: book.plan.entry_stage(name) for name in book.plan.sources}
    later = [f"{name} at {titles[stage]}" for name, stage in entries.items() if stage != first]
    return f"Sources that enter later count from there: {', '.join(later)}." if later else ""


def commit_by_month(book: Workbook) -> Exhibit:
    """The commit at its stage, month by month, against what is traced back."""
    stage = book.plan.commit_stage
    plan_month = book.plan.first_month + book.year.first
    begin = min(plan_month, book.plan.first_month) - MONTHS_SHOWN_BEFORE
    rows = book.funnel_by_month[book.funnel_by_month["stage"] == stage]
    months = pd.period_range(begin, book.plan.months[-1], freq="M")
    values = rows.set_index("month").drop(columns="stage").reindex(months, fill_value=0.0).reset_index(names="month")
    return chart(
        charts.commit_by_month(_titles(book)[stage], plan_month),
        values,
        {"month": "month", **kinds_of("funnel")},
        height=3.4,
        name="commit_by_month",
    )


def _displayed_months(book: Workbook) -> pd.DataFrame:
    """The commit by stage (rows) and month of the year as it is displayed everywhere. [records]

    A stage's year is rounded up, and its months are apportioned so that they add up to it.
    """
    rows = book.funnel_by_month[book.funnel_by_month["month"].isin(book.plan.months)]
    wide = rows.pivot(index="stage", columns="month", values="commit")
    wide = wide.reindex(index=book.plan.stage_ids, columns=book.plan.months).fillna(0.0)
    shown = [largest_remainder(row.to_numpy(), commitment(row.sum())) for _, row in wide.iterrows()]
    return pd.DataFrame(shown, index=wide.index, columns=wide.columns)


def monthly_commit(book: Workbook) -> Exhibit:
    """Entries to deliver each month at every stage."""
    titles, shown = _titles(book), _displayed_months(book)
    names = [show(month, "month")[:3] for month in shown.columns]
    frame = shown.set_axis(names, axis=1).assign(year=shown.sum(axis=1)).reset_index(names="stage")
    stage = book.plan.commit_stage
    of_stage = shown.loc[stage]
    return table(
        frame.assign(stage=[titles[each] for each in frame["stage"]]),
        {"stage": "text", **dict.fromkeys([*names, "year"], "commitment")},
        f"{titles[stage]}s to deliver run from {show(of_stage.min(), 'commitment')} to "
        f"{show(of_stage.max(), 'commitment')} a month, {show(of_stage.sum(), 'commitment')} in the year.",
        labels={"stage": "Entries", "year": "Year"},
        notes=["The year is rounded up; months are apportioned so that they add up to it."],
    )


def quarters(book: Workbook) -> Exhibit:
    """What each quarter is made of."""
    return chart(charts.quarters(book.plan.currency), book.quarters, kinds_of("quarters"), name="quarters")


def dependence(book: Workbook) -> Exhibit:
    """What falls before the plan date, and what is expected of the records that exist."""
    paint = charts.dependence(book.plan.currency, str(book.plan.plan_date), known=book.records is not None)
    return chart(paint, book.quarters, kinds_of("quarters"), name="dependence")


def open_pipeline(book: Workbook) -> Exhibit:
    """What is in the pipe already, stage by stage."""
    if book.pipeline.empty:
        return text("No open records are known: the plan names no history, or the history holds none that are open.")
    currency, titles = book.plan.currency, _titles(book)
    values = ["items", "amount", "wins", "arr", "arr_in_year", "dead_items", "dead_amount"]
    sums = book.pipeline.groupby("stage", sort=False, observed=True)[values].sum()
    sums = sums.reindex([stage for stage in book.plan.stage_ids if stage in sums.index])
    money = ["amount", "arr", "arr_in_year", "dead_amount"]
    sums[money] = sums[money].apply(lambda worth: pd.Series(largest_remainder(worth.to_numpy()), worth.index))
    total = sums.sum()
    frame = pd.concat([sums, total.to_frame("total").T]).reset_index(names="stage")
    message = (
        f"{show(total['items'], 'count')} open records worth {compact(total['amount'], currency)} are expected to bring "
        f"{compact(total['arr'], currency)}, {compact(total['arr_in_year'], currency)} of it within the year; "
        f"{show(total['dead_items'], 'count')} of them are older than any conversion."
    )
    return table(
        frame.assign(stage=[titles.get(stage, "Total") for stage in frame["stage"]]),
        kinds_of("pipeline"),
        message,
        labels={
            "stage": "Last stage reached",
            "items": "Open",
            "amount": f"Worth if all won ({currency})",
            "wins": "Wins expected",
            "arr": f"ARR expected ({currency})",
            "arr_in_year": "Within the year",
            "dead_items": "Too old",
            "dead_amount": "Worth",
        },
        totals=1,
    )


def carry_over(book: Workbook) -> Exhibit:
    """The ledger: which year's ARR the entries serve."""
    currency, ledger = book.plan.currency, book.ledger
    required = ledger[ledger["basis"] == "required"]["arr"].to_numpy()
    commit = ledger[ledger["basis"] == "commit"]["arr"].to_numpy()
    if not required.sum() or not commit.sum():
        return table(ledger, kinds_of("ledger"), "The year asks for no new ARR, so nothing is carried over.")
    message = (
        f"{show(required[:2].sum() / required.sum(), 'share')} of the year's new ARR traces back to entries before the year; "
        f"{show(commit[1] / commit.sum(), 'share')} of what the year's own entries bring ({compact(commit[1], currency)}) "
        "is won after it."
    )
    labels = {"entered": "Entries made", "serves": "Serve", "basis": "Basis", "arr": f"ARR ({currency})"}
    return table(ledger, kinds_of("ledger"), message, labels=labels)


def last_useful(book: Workbook) -> Exhibit:
    """Until when a new entry still serves this year."""
    left = len(book.last_useful) - charts.MOST_ROWS
    notes = [f"The {charts.MOST_ROWS} that end first; {left} more are not drawn."] if left > 0 else []
    height = 0.9 + 0.26 * min(len(book.last_useful), charts.MOST_ROWS)
    return chart(charts.last_useful, book.last_useful, kinds_of("last_useful"), notes=notes, height=height)


def commit_sheet(book: Workbook) -> Exhibit:
    """One plan in every stage by quarter, with what an entry is worth."""
    titles, currency, names = _titles(book), book.plan.currency, list(book.quarters["quarter"])
    shown = _displayed_months(book)
    frame = pd.DataFrame(sums_by_quarter(shown.to_numpy()), columns=names)
    frame.insert(0, "stage", [titles[stage] for stage in shown.index])
    frame["year"] = shown.sum(axis=1).to_numpy()
    frame["value_per_entry"] = book.stages["value_per_entry"]
    frame = pd.concat([frame, _arr_row(book, names)], ignore_index=True)
    worth = book.stages.set_index("stage")["value_per_entry"]
    stage, first = book.plan.commit_stage, book.plan.stage_ids[0]
    equal = show(worth[stage] / worth[first] if worth[first] else None, "count")
    as_much = "" if stage == first else f", as much as {equal} {titles[first]} entries"
    return table(
        frame,
        {"stage": "text", **dict.fromkeys([*names, "year"], "commitment"), "value_per_entry": "money"},
        f"One plan, stated in every stage: one {titles[stage]} is worth {compact(worth[stage], currency)} of new "
        f"ARR{as_much}.",
        labels={"stage": "Commit stated in", "year": "Year", "value_per_entry": f"Worth per entry ({currency})"},
        notes=["These are the commit's flows in expectation; the signed number follows from the confidence wanted."],
        totals=1,
    )


def _arr_row(book: Workbook, names: list[str]) -> pd.DataFrame:
    """The same plan in ARR: what the committed entries bring in each quarter."""
    arr = largest_remainder(book.quarters["commit_arr"].to_numpy())
    row = {"stage": f"ARR won ({book.plan.currency})", **dict(zip(names, arr, strict=True)), "year": float(arr.sum())}
    return pd.DataFrame([row])


def commit_choice(book: Workbook) -> Exhibit:
    """Which stage to sign for, with the reasons."""
    titles = _titles(book)
    frame = book.commit_choices
    suggested = titles[frame.loc[frame["suggested"], "stage"].iloc[0]]
    signed = titles[book.plan.commit_stage]
    agreed = "as the rule suggests" if suggested == signed else f"where the rule suggests {suggested}"
    return table(
        frame.assign(stage=[titles[stage] for stage in frame["stage"]]),
        kinds_of("commit_choices"),
        f"The plan signs for {signed}s, {agreed}; the reasons are beside each stage, and you decide.",
        labels={"stage": "Stage", "suggested": "Suggested", "signed": "In the plan", "reason": "For and against"},
    )


def budget(book: Workbook) -> Exhibit:
    """Programme spend by month of spending."""
    priced = book.budget[book.budget["priced"]]
    if priced.empty or not priced["spend"].sum():
        return text("No source states a cost per entry, so the commit has no budget yet.")
    spent = priced[priced.groupby("source")["spend"].transform("sum") > 0]
    return chart(charts.budget(book.plan.currency), spent, kinds_of("budget"), name="budget")


def budget_by_quarter(book: Workbook) -> Exhibit:
    """Programme spend by source and quarter of spending."""
    currency, months = book.plan.currency, list(book.plan.months)
    names = ["before", *book.quarters["quarter"]]
    place = {month: names[1 + at // 3] for at, month in enumerate(months)}
    rows = book.budget.assign(quarter=[place.get(month, "before") for month in book.budget["month"]])
    wide = rows.pivot_table(index="source", columns="quarter", values="spend", aggfunc="sum", sort=False, observed=True)
    wide = wide.reindex(columns=names).fillna(0.0)
    wide["sunk"] = rows.groupby("source", sort=False)["sunk"].sum()
    wide = wide.apply(lambda spent: pd.Series(largest_remainder(spent.to_numpy()), spent.index))
    wide.insert(len(names), "year", wide[names[1:]].sum(axis=1))
    frame = pd.concat([wide, wide.sum().to_frame("Total").T]).reset_index(names="source")
    cac = "no priced source wins" if book.cac is None else f"program CAC is {compact(book.cac, currency)}"
    unpriced = [name for name, source in book.plan.sources.items() if source.cost_per_entry is None]
    return table(
        frame,
        {"source": "text", **dict.fromkeys([*names, "year", "sunk"], "money")},
        f"The year's programme spend is {compact(wide['year'].sum(), currency)}; {cac}.",
        labels={"source": f"Spend ({currency})", "before": "Before the year", "year": "Year", "sunk": "Sunk"},
        notes=[
            "Spend falls in the month of entry. Sunk: what the entries required before the plan date cost.",
            *([f"Unpriced, not free: {', '.join(unpriced)}."] if unpriced else []),
        ],
        totals=1,
    )


def notes(book: Workbook) -> Exhibit:
    """Everything a reader must know beside the numbers."""
    first, *others = book.notes
    return text(first, notes=others)
