"""The exhibits of the annual commit, in the order of its notebook. Each takes the computed workbook."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import numpy as np
import pandas as pd

from revplan.exhibits import charts
from revplan.exhibits.exhibit import Exhibit, by_quarter, chart, table_of, text
from revplan.exhibits.figures import (
    OF_EXPECTED,
    TO_SIGN,
    Sentence,
    in_whole_units,
    of_year,
    quarter_cells,
    year_cells,
    year_id,
)
from revplan.funnel.tables import missed_in_year, spend_of_entries, wins_of_year
from revplan.ground.errors import shown
from revplan.ground.formats import (
    compact,
    counted,
    kinds_of,
    largest_remainder,
    money_digits,
    plural,
    raised,
    show,
    whole_amounts,
)
from revplan.staffing.hiring import Hiring, hires_words
from revplan.staffing.staffing import headline as people_headline
from revplan.workbook.notes import DECIDE, TO_DO
from revplan.workbook.signing import ceilings_of
from revplan.workbook.workbook import Workbook

UNLIMITED = (
    "What the commit and open records bring is told as if people had the time for all of it; what people can close stands "
    "under Who closes it."
)
OF_STAGE = {"commit": "stage_commit", "value_per_entry": "value_per_entry"}
OF_PIPELINE = {"items": "open_records", "amount": "open_worth", "arr_in_year": "open_arr", "dead_items": "past_delays"}


def summary(book: Workbook) -> Exhibit:
    """What to sign, and below it goal, where we are and land, how sure, what it costs, what to decide and to do: a line each."""
    return _page_one(book, book.people.hiring if book.people.considered else None)


def in_brief(book: Workbook) -> Exhibit:
    """The same where an answer is awaited: without the search for hires, and so without what hinges on it."""
    return _page_one(book, None)


def _page_one(book: Workbook, hiring: Hiring | None) -> Exhibit:
    bridge, asked = book.year.bridge, book.to_sign
    said = {**book.answers, "What it costs": _cost_words(book)}
    if asked.simulation.view.goal > 0 and (hiring is not None or not book.people.considered):
        said[DECIDE] = _decision(book, hiring)
    if hiring is not None and hiring.hires:
        said[TO_DO] = _to_hire(book, hiring)
    order = [*(label for label in said if label not in (DECIDE, TO_DO)), DECIDE, TO_DO]
    lines = {label: Sentence(text=said[label]) for label in order if label in said}
    of = partial(of_year, book.plan)
    stated = [
        of("goal", bridge.new_arr),
        of("commit", asked.expected[asked.stage]),
        *([] if asked.number is None else [of("signed", float(asked.number), TO_SIGN)]),
        of("landing_gap", -missed_in_year(book.quarters), OF_EXPECTED),
        of("spend", spend_of_entries(book.year)),
    ]
    made = text(book.headline, lines, header=header(book), notes=[*book.beside, *_people(book)]).sharing(*stated)
    year, eve = year_id(book.plan), book.plan.plan_date - timedelta(days=1)
    return made.of_report(year=year, period=year, label=book.plan.period_label(year), as_of=str(eve))


def _decision(book: Workbook, hiring: Hiring | None) -> str:
    """What who signs has to decide beside the signature, with its money, and the goal that needs no such decision."""
    asked, currency = book.to_sign, book.plan.currency
    titles, sure = plural(book.plan.titles[asked.stage]), show(asked.confidence, "share")
    lower = f"lower the goal to {compact(asked.goal_within_reach, currency)}, which the expected commit reaches in {sure} of the years"
    if hiring is not None and hiring.hires:
        return f"{_with_hires(book, hiring)}; or {lower}."
    if asked.number is None:
        return f"{raised(lower)}: no number of {titles} reaches the goal as it is in so many."
    spent = asked.more_spend
    cost = f", for {compact(spent, currency)} more of programme spend than the expected commit" if spent else ""
    if asked.over:
        return f"Lift {ceilings_of(asked.over)}{cost}; or {lower}."
    if not asked.more:
        return "Nothing beside the signature: the expected commit is as sure as was asked for."
    return f"Sign more than the expected commit{cost}; or {lower}."


def _with_hires(book: Workbook, found: Hiring) -> str:
    """The hires to approve, and what is then to be signed instead."""
    asked, hires = book.to_sign, found.hires or ()
    title = book.plan.titles[asked.stage]
    count = counted(sum(hire.count for hire in hires), "hire")
    instead = counted(found.scale * asked.expected[asked.stage], title, kind="commitment")
    own = "" if asked.number is None else f" instead of {show(asked.number, 'commitment')}"
    return (
        f"Approve {count} besides the plan's and sign {instead}{own}, which then reach the goal in "
        f"{show(round(found.chance_after, 3), 'share')} of the years"
    )


def _to_hire(book: Workbook, found: Hiring) -> str:
    """Who opens the positions, by when, and who is to start in them."""
    hires, owner = found.hires or (), book.plan.stages[-1].owner
    count = sum(hire.count for hire in hires)
    first = "the position" if count == 1 else f"the first of {count} positions"
    by = show(found.table["open_by"].min(), "date")
    return f"{raised(shown(owner))} opens {first} by {by}: {hires_words(hires)}."


def _people(book: Workbook) -> list[str]:
    """What people can close against demand, and who the plan hires already; none where the plan says nothing of them."""
    if book.plan.capacity is None:
        return []
    own = book.plan.capacity.hires
    planned = f"The plan hires already: {hires_words(own)}." if own else "The plan itself hires nobody."
    return [people_headline(book.people.staffing), planned]


def header(book: Workbook) -> str:
    """The line a page names itself by."""
    return f"{book.plan.name}, made on {show(book.plan.plan_date, 'date')}"


def _cost_words(book: Workbook) -> str:
    """The year's programme spend on what is to sign and on the expected commit, and what a win costs."""
    if all(source.cost_per_entry is None for source in book.plan.sources.values()):
        return "Not known: the plan gives no source a cost per entry."
    spent, currency, scale = spend_of_entries(book.year), book.plan.currency, book.to_sign.scale
    signed = "" if scale is None else f"{compact(scale * spent, currency)} of programme spend for what is to sign; "
    a_win = "" if book.cac is None else f", {compact(book.cac, currency)} a win"
    return f"{signed}{compact(spent, currency)} for the expected commit{a_win}."


def goal_bridge(book: Workbook) -> Exhibit:
    """From opening to closing ARR."""
    bridge = book.year.bridge
    notes = []
    if bridge.nrr is not None:
        kept, grr, churn_only = (show(value, "share") for value in (bridge.nrr, bridge.grr, bridge.grr_churn_only))
        notes = [f"Net revenue retention {kept}; gross {grr}, or {churn_only} if contraction is left out."]
    if book.plan.goal.basis:
        notes.append(f"Source: {book.plan.goal.basis}")
    made = chart(charts.bridge(book.bridge, book.plan.currency), book.bridge, kinds_of("bridge"), notes=notes)
    terms = [{"term": term.removesuffix("_arr")} for term in book.bridge["term"]]
    cells = year_cells(book.plan, terms, {"amount": "arr_term"}, "planned")
    return made.sharing(of_year(book.plan, "goal", bridge.new_arr), cells=cells)


def required_funnel(book: Workbook) -> Exhibit:
    """What the year's wins trace back to, stage by stage."""
    titles = book.plan.titles
    first, last = book.plan.stage_ids[0], book.plan.stage_ids[-1]
    frame = book.stages.copy()
    rows = frame.set_index("stage")
    frame.insert(4, "to_sign", pd.Series(list(book.to_sign.entries.values()), dtype=float))
    asked = book.plan.commit_stage
    at_commit = counted(rows["commitment"][asked], titles[asked], kind="commitment")
    of_commit = "" if first == asked else f" and {at_commit}"
    message = (
        f"{counted(rows['commitment'][last], 'win traces', 'wins trace', 'commitment')} back to "
        f"{counted(rows['commitment'][first], titles[first], kind='commitment')}{of_commit}; "
        f"the expected commit brings {counted(rows['commit'][last], 'win', kind='commitment')} within the year."
    )
    entering = entering_later(book)
    notes = ["Required counts all months, those before the plan date too. " + entering] if entering else []
    return table_of(
        "stages",
        frame.assign(stage=[titles[stage] for stage in frame["stage"]]),
        message,
        more={"to_sign": (f"To sign, {show(book.to_sign.confidence, 'share')} sure", "commitment")},
        notes=notes,
        currency=book.plan.currency,
    ).sharing(
        of_year(book.plan, "commit", rows["commit"][book.plan.commit_stage]),
        cells=year_cells(book.plan, [{"stage": stage} for stage in frame["stage"]], OF_STAGE),
    )


def entering_later(book: Workbook) -> str:
    titles, first = book.plan.titles, book.plan.stage_ids[0]
    entries = {name: book.plan.entry_stage(name) for name in book.plan.sources}
    later = [f"{name} at {titles[stage]}" for name, stage in entries.items() if stage != first]
    return f"Sources that enter later count from there: {', '.join(later)}." if later else ""


def quarters(book: Workbook) -> Exhibit:
    """What each quarter is made of."""
    frame = in_whole_units(book.quarters)
    notes = [] if book.plan.capacity is None else [UNLIMITED]
    made = chart(charts.quarters(frame, book.plan.currency), frame, kinds_of("quarters"), notes=notes)
    whole_year = {"commit_arr": "commit_arr", "open_pipeline": "open_arr", "won": "won_arr", "goal": "goal"}
    sums = (of_year(book.plan, measure, float(frame[name].sum())) for name, measure in whole_year.items())
    return made.sharing(*sums, cells=quarter_cells(book.plan, frame))


def dependence(book: Workbook) -> Exhibit:
    """What falls before the plan date, and what is expected of the records that exist."""
    recorded, frame = book.records is not None, in_whole_units(book.quarters)
    drawn = charts.dependence(frame, book.quarters, book.plan.currency, str(book.plan.plan_date), recorded=recorded)
    return chart(drawn, frame, kinds_of("quarters")).sharing(cells=quarter_cells(book.plan, frame))


def open_pipeline(book: Workbook) -> Exhibit:
    """What is in the pipe already, stage by stage."""
    if book.pipeline.empty:
        return text("No open records are known: the plan names no history, or the history holds none that are open.")
    currency, titles = book.plan.currency, book.plan.titles
    values = ["items", "amount", "wins", "arr", "arr_in_year", "dead_items", "dead_amount"]
    sums = book.pipeline.groupby("stage", sort=False, observed=True)[values].sum()
    sums = sums.reindex([stage for stage in book.plan.stage_ids if stage in sums.index])
    money = ["amount", "arr", "arr_in_year", "dead_amount"]
    sums[money] = sums[money].apply(lambda worth: pd.Series(whole_amounts(worth.to_numpy()), worth.index))
    total = sums.sum()
    frame = pd.concat([sums, total.to_frame("total").T]).reset_index(names="stage")
    worth = f"worth {compact(total['amount'], currency)}"
    dead = (
        counted(float(total["dead_items"]), "of them has", "of them have")
        if total["dead_items"]
        else "none of them has"
    )
    message = (
        f"{counted(total['items'], f'open record {worth} is', f'open records {worth} are')} expected to bring "
        f"{compact(total['arr'], currency)}, {compact(total['arr_in_year'], currency)} of it within the year; "
        f"{dead} waited longer than the plan's delays allow."
    )
    return table_of(
        "pipeline",
        frame.assign(stage=[titles.get(stage, "Total") for stage in frame["stage"]]),
        message,
        totals=1,
        notes=_of_other_plans(book, float(total["items"])),
        currency=currency,
    ).sharing(
        of_year(book.plan, "open_arr", float(total["arr_in_year"])),
        cells=year_cells(
            book.plan, [{"stage": stage} if stage in titles else {} for stage in frame["stage"]], OF_PIPELINE
        ),
    )


def _of_other_plans(book: Workbook, counted: float) -> list[str]:
    """How many more records are open that the plan has no place for, and how these differ from the import's."""
    every = 0.0 if book.records is None else float(book.records.open_items["items"].sum())
    left = f"{show(every - counted, 'count')} of {show(every, 'count')} open records" if every > counted else ""
    told = [f"{left} belong to no segment, source or stage of this plan and are left out."] if left else []
    return [
        *told,
        "Past the plan's delays: longer in the stage than any conversion takes at the plan's lags, so that they count as 0. "
        "The import report counts others: records open longer than any that was ever won or lost.",
    ]


def carry_over(book: Workbook) -> Exhibit:
    """The ledger: which year's ARR the entries serve."""
    currency, ledger = book.plan.currency, book.ledger
    required = ledger[ledger["basis"] == "required"]["arr"].to_numpy()
    commit = ledger[ledger["basis"] == "commit"]["arr"].to_numpy()
    made = table_of("ledger", ledger, _carried(required, commit, currency), currency=currency)
    rows = [
        {"entered": row["entered"], "serves": row["serves"], "basis": row["basis"]} for row in ledger.to_dict("records")
    ]
    return made.sharing(
        of_year(book.plan, "commit_arr", float(commit[:2].sum())),
        cells=year_cells(book.plan, rows, {"arr": "served"}),
    )


def _carried(required: np.ndarray, commit: np.ndarray, currency: str) -> str:
    """What the year owes to entries before it, and what its own entries leave to later years."""
    if not required.sum() > 0:
        return "The year asks for no new ARR, so nothing of it traces back to entries before the year."
    before = f"{show(required[:2].sum() / required.sum(), 'share')} of the year's new ARR traces back to entries before the year"
    if not commit[1:].sum() > 0:
        return f"{before}; the commit asks for no entries within it, so that none serve later years."
    return (
        f"{before}; {show(commit[2] / commit[1:].sum(), 'share')} of what the year's own entries bring "
        f"({compact(commit[2], currency)}) is won after it."
    )


def last_useful(book: Workbook) -> Exhibit:
    """Until when a new entry still serves this year."""
    left = len(book.last_useful) - charts.MOST_ROWS
    notes = [f"The {charts.MOST_ROWS} that end first; {left} more are not drawn."] if left > 0 else []
    return chart(charts.last_useful(book.last_useful), book.last_useful, kinds_of("last_useful"), notes=notes)


def budget(book: Workbook) -> Exhibit:
    """Programme spend by month of spending."""
    priced = book.budget[book.budget["priced"]]
    if priced.empty or not priced["spend"].sum():
        return text("No source states a cost per entry, so what is to sign has no budget yet.")
    spent = priced[priced.groupby("source")["spend"].transform("sum") > 0]
    return chart(charts.budget(spent, book.plan.currency), spent, kinds_of("budget"))


def budget_by_quarter(book: Workbook) -> Exhibit:
    """Programme spend by source and quarter of spending."""
    currency, months = book.plan.currency, list(book.plan.months)
    names = ["before", *book.quarters["quarter"]]
    place = {month: names[1 + at // 3] for at, month in enumerate(months)}
    rows = book.budget.assign(quarter=[place.get(month, "before") for month in book.budget["month"]])
    wide = rows.pivot_table(index="source", columns="quarter", values="spend", aggfunc="sum", sort=False, observed=True)
    wide = wide.reindex(columns=names).fillna(0.0)
    wide["sunk"] = rows.groupby("source", sort=False)["sunk"].sum()
    inside = names[1:]
    digits = money_digits(float(wide[inside].to_numpy().max()))  # of all amounts alike, so that parts and totals add up
    totals = dict(zip(inside, largest_remainder(wide[inside].sum().to_numpy(), digits=digits), strict=True))
    wide = wide.apply(
        lambda spent: pd.Series(largest_remainder(spent.to_numpy(), totals.get(spent.name), digits), spent.index)
    )
    wide.insert(len(names), "year", wide[names[1:]].sum(axis=1))
    frame = pd.concat([wide, wide.sum().to_frame("Total").T]).reset_index(names="source")
    cac = "no priced source wins" if book.cac is None else _cac_text(book)
    scale, spent = book.to_sign.scale, float(wide["year"].sum())
    to_sign = "" if scale is None else f", what is to sign {compact(scale * spent, currency)}"
    unpriced = [name for name, source in book.plan.sources.items() if source.cost_per_entry is None]
    return table_of(
        "budget_by_quarter",
        frame,
        f"The expected commit takes {compact(wide['year'].sum(), currency)} of programme spend in the year"
        f"{to_sign}; {cac}.",
        more=by_quarter(book.quarters, "money"),
        notes=[
            "Spend falls in the month of entry. Required earlier: what the entries traced back to before the plan date "
            "cost, made or not; it is sunk.",
            *([f"Unpriced, not free: {', '.join(unpriced)}."] if unpriced else []),
        ],
        totals=1,
        currency=currency,
    ).sharing(
        cells=year_cells(book.plan, [*({"source": name} for name in wide.index), {}], {"year": "spend"}),
    )


def _cac_text(book: Workbook) -> str:
    priced = [name for name, source in book.plan.sources.items() if source.cost_per_entry is not None]
    wins = counted(wins_of_year(book.year, priced), "win")
    return f"over {wins} of the priced sources the programme CAC is {compact(book.cac or 0.0, book.plan.currency)}"


def notes(book: Workbook) -> Exhibit:
    """Everything a reader must know beside the numbers."""
    first, *others = book.notes
    return text(first, notes=others)
