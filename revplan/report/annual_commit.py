"""The exhibits of the annual commit, in the order of its notebook. Each takes the computed workbook."""

from __future__ import annotations

import pandas as pd

from revplan.formats import compact, counted, kinds_of, plural, show, whole_amounts
from revplan.model.scenarios import spend_of_entries
from revplan.model.signing import ToSign
from revplan.plan.stages import titles_of
from revplan.report import charts, native_plan
from revplan.report.exhibit import Exhibit, chart, table, text
from revplan.sheets import missed_in_year, wins_of_year
from revplan.workbook import Workbook


def summary(book: Workbook) -> Exhibit:
    """Goal, what to sign, largest gap and one action, over the facts they rest on."""
    year, quarters = book.year, book.quarters
    currency, bridge = book.plan.currency, year.bridge
    title = titles_of(book.plan.stages)[book.plan.commit_stage]
    asked = book.to_sign
    missing = missed_in_year(quarters)
    coming = float((quarters["open_pipeline"] + quarters["won"]).sum())
    facts = {
        "New ARR the goal asks for": compact(bridge.new_arr, currency),
        "Closing ARR": "not given" if bridge.closing_arr is None else compact(bridge.closing_arr, currency),
        f"{plural(title)} to sign, {show(asked.confidence, 'share')} sure": show(asked.number, "commitment"),
        f"{plural(title)} of the expected commit": f"{show(asked.expected[asked.stage], 'commitment')}, "
        f"{show(round(asked.chance, 3), 'share')} sure",
        "The ceilings allow": _ceilings(asked),
        "The year in expectation": _over_or_under(missing, currency),
        "Traces back to before the plan date": compact(float(quarters["before_plan_date"].sum()), currency),
        "Won, and expected of open records": "not known" if book.records is None else compact(coming, currency),
        "Programme spend to sign": _spend_words(book),
        "Programme CAC of the expected commit": "not priced" if book.cac is None else compact(book.cac, currency),
    }
    header = f"{book.plan.name}, made on {show(book.plan.plan_date, 'date')}"
    return text(book.headline, facts, header=header, notes=[book.held] if book.held else [])


def _over_or_under(missing: float, currency: str) -> str:
    if not missing:
        return "on goal"
    return f"{compact(abs(missing), currency)} {'short of' if missing > 0 else 'above'} goal"


def _ceilings(asked: ToSign) -> str:
    """Up to which confidence the ceilings allow, in few words."""
    return (
        f"up to {show(round(asked.highest_within_ceilings, 3), 'share')} sure" if asked.ceilings else "none is stated"
    )


def _spend_words(book: Workbook) -> str:
    """The year's programme spend on what is to sign, beside that of the expected commit."""
    if all(source.cost_per_entry is None for source in book.plan.sources.values()):
        return "not priced"
    spent, currency, scale = spend_of_entries(book.year), book.plan.currency, book.to_sign.scale
    expected = f"{compact(spent, currency)} for the expected commit"
    return expected if scale is None else f"{compact(scale * spent, currency)}; {expected}"


def goal_bridge(book: Workbook) -> Exhibit:
    """From opening to closing ARR."""
    bridge = book.year.bridge
    notes = []
    if bridge.nrr is not None:
        kept, grr, churn_only = (show(value, "share") for value in (bridge.nrr, bridge.grr, bridge.grr_churn_only))
        notes = [f"Net revenue retention {kept}; gross {grr}, or {churn_only} if contraction is left out."]
    if book.plan.goal.basis:
        notes.append(f"Source: {book.plan.goal.basis}")
    return chart(
        charts.bridge(book.plan.currency), book.bridge, kinds_of("bridge"), notes=notes, name="bridge"
    ).with_native(native_plan.bridge(book.plan.currency))


def required_funnel(book: Workbook) -> Exhibit:
    """What the year's wins trace back to, stage by stage."""
    titles = titles_of(book.plan.stages)
    first, last = book.plan.stage_ids[0], book.plan.stage_ids[-1]
    frame = book.stages[["stage", "required", "commitment", "commit", "rate_to_won", "value_per_entry", "days_to_won"]]
    rows = frame.set_index("stage")
    frame.insert(4, "to_sign", pd.Series(list(book.to_sign.entries.values()), dtype=float))
    of_commit = "" if first == book.plan.commit_stage else _and_commit_stage(book, rows)
    message = (
        f"{counted(rows['commitment'][last], 'win traces', 'wins trace', 'commitment')} back to "
        f"{counted(rows['commitment'][first], titles[first], kind='commitment')}{of_commit}; "
        f"the expected commit brings {show(rows['commit'][last], 'commitment')} of the wins."
    )
    entering = entering_later(book)
    notes = ["Required counts all months, those before the plan date too. " + entering] if entering else []
    return table(
        frame.assign(stage=[titles[stage] for stage in frame["stage"]]),
        {**kinds_of("stages"), "to_sign": "commitment"},
        message,
        labels={
            "stage": "Stage",
            "required": "Required for the year",
            "commitment": "Rounded up",
            "commit": "Expected commit",
            "to_sign": f"To sign, {show(book.to_sign.confidence, 'share')} sure",
            "rate_to_won": "Won of entries",
            "value_per_entry": f"Worth per entry ({book.plan.currency})",
            "days_to_won": "Median days to won",
        },
        notes=notes,
    )


def _and_commit_stage(book: Workbook, rows: pd.DataFrame) -> str:
    stage = book.plan.commit_stage
    return f" and {counted(rows['commitment'][stage], titles_of(book.plan.stages)[stage], kind='commitment')}"


def entering_later(book: Workbook) -> str:
    titles, first = titles_of(book.plan.stages), book.plan.stage_ids[0]
    entries = {name: book.plan.entry_stage(name) for name in book.plan.sources}
    later = [f"{name} at {titles[stage]}" for name, stage in entries.items() if stage != first]
    return f"Sources that enter later count from there: {', '.join(later)}." if later else ""


def quarters(book: Workbook) -> Exhibit:
    """What each quarter is made of."""
    return chart(charts.quarters(book.plan.currency), book.quarters, kinds_of("quarters"), name="quarters").with_native(
        native_plan.quarters(book.plan.currency)
    )


def _too_old(items: float) -> str:
    return "none of them is" if not items else "1 of them is" if items == 1 else f"{show(items, 'count')} of them are"


def dependence(book: Workbook) -> Exhibit:
    """What falls before the plan date, and what is expected of the records that exist."""
    paint = charts.dependence(book.plan.currency, str(book.plan.plan_date), known=book.records is not None)
    return chart(paint, book.quarters, kinds_of("quarters"), name="dependence").with_native(
        native_plan.dependence(book.plan.currency)
    )


def open_pipeline(book: Workbook) -> Exhibit:
    """What is in the pipe already, stage by stage."""
    if book.pipeline.empty:
        return text("No open records are known: the plan names no history, or the history holds none that are open.")
    currency, titles = book.plan.currency, titles_of(book.plan.stages)
    values = ["items", "amount", "wins", "arr", "arr_in_year", "dead_items", "dead_amount"]
    sums = book.pipeline.groupby("stage", sort=False, observed=True)[values].sum()
    sums = sums.reindex([stage for stage in book.plan.stage_ids if stage in sums.index])
    money = ["amount", "arr", "arr_in_year", "dead_amount"]
    sums[money] = sums[money].apply(lambda worth: pd.Series(whole_amounts(worth.to_numpy()), worth.index))
    total = sums.sum()
    frame = pd.concat([sums, total.to_frame("total").T]).reset_index(names="stage")
    worth = f"worth {compact(total['amount'], currency)}"
    message = (
        f"{counted(total['items'], f'open record {worth} is', f'open records {worth} are')} expected to bring "
        f"{compact(total['arr'], currency)}, {compact(total['arr_in_year'], currency)} of it within the year; "
        f"{_too_old(float(total['dead_items']))} older than any conversion."
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
    if not required.sum() or not commit[1:].sum():
        return table(ledger, kinds_of("ledger"), "The year asks for no new ARR, so nothing is carried over.")
    message = (
        f"{show(required[:2].sum() / required.sum(), 'share')} of the year's new ARR traces back to entries before the year; "
        f"{show(commit[2] / commit[1:].sum(), 'share')} of what the year's own entries bring ({compact(commit[2], currency)}) "
        "is won after it."
    )
    labels = {"entered": "Entries made", "serves": "Serve", "basis": "Basis", "arr": f"ARR ({currency})"}
    return table(ledger, kinds_of("ledger"), message, labels=labels)


def last_useful(book: Workbook) -> Exhibit:
    """Until when a new entry still serves this year."""
    left = len(book.last_useful) - charts.MOST_ROWS
    notes = [f"The {charts.MOST_ROWS} that end first; {left} more are not drawn."] if left > 0 else []
    height = 0.9 + 0.26 * min(len(book.last_useful), charts.MOST_ROWS)
    return chart(charts.last_useful, book.last_useful, kinds_of("last_useful"), notes=notes, height=height).with_native(
        native_plan.last_useful
    )


def budget(book: Workbook) -> Exhibit:
    """Programme spend by month of spending."""
    priced = book.budget[book.budget["priced"]]
    if priced.empty or not priced["spend"].sum():
        return text("No source states a cost per entry, so what is to sign has no budget yet.")
    spent = priced[priced.groupby("source")["spend"].transform("sum") > 0]
    return chart(charts.budget(book.plan.currency), spent, kinds_of("budget"), name="budget").with_native(
        native_plan.budget(book.plan.currency)
    )


def budget_by_quarter(book: Workbook) -> Exhibit:
    """Programme spend by source and quarter of spending."""
    currency, months = book.plan.currency, list(book.plan.months)
    names = ["before", *book.quarters["quarter"]]
    place = {month: names[1 + at // 3] for at, month in enumerate(months)}
    rows = book.budget.assign(quarter=[place.get(month, "before") for month in book.budget["month"]])
    wide = rows.pivot_table(index="source", columns="quarter", values="spend", aggfunc="sum", sort=False, observed=True)
    wide = wide.reindex(columns=names).fillna(0.0)
    wide["sunk"] = rows.groupby("source", sort=False)["sunk"].sum()
    wide = wide.apply(lambda spent: pd.Series(whole_amounts(spent.to_numpy()), spent.index))
    wide.insert(len(names), "year", wide[names[1:]].sum(axis=1))
    frame = pd.concat([wide, wide.sum().to_frame("Total").T]).reset_index(names="source")
    cac = "no priced source wins" if book.cac is None else _cac_text(book)
    unpriced = [name for name, source in book.plan.sources.items() if source.cost_per_entry is None]
    return table(
        frame,
        {"source": "text", **dict.fromkeys([*names, "year", "sunk"], "money")},
        f"The expected commit takes {compact(wide['year'].sum(), currency)} of programme spend in the year"
        f"{_to_sign_spend(book, float(wide['year'].sum()))}; {cac}.",
        labels={
            "source": f"Spend ({currency})",
            "before": "Before the year",
            **dict(zip(book.quarters["quarter"], book.quarters["label"], strict=True)),
            "year": "Year",
            "sunk": "Required earlier",
        },
        notes=[
            "Spend falls in the month of entry. Required earlier: what the entries traced back to before the plan date "
            "cost, made or not; it is sunk.",
            *([f"Unpriced, not free: {', '.join(unpriced)}."] if unpriced else []),
        ],
        totals=1,
    )


def _to_sign_spend(book: Workbook, spent: float) -> str:
    scale = book.to_sign.scale
    return "" if scale is None else f", what is to sign {compact(scale * spent, book.plan.currency)}"


def _cac_text(book: Workbook) -> str:
    priced = [name for name, source in book.plan.sources.items() if source.cost_per_entry is not None]
    wins = counted(wins_of_year(book.year, priced), "win")
    return f"over {wins} of the priced sources the programme CAC is {compact(book.cac or 0.0, book.plan.currency)}"


def notes(book: Workbook) -> Exhibit:
    """Everything a reader must know beside the numbers."""
    first, *others = book.notes
    return text(first, notes=others)
