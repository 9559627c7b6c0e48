"""The exhibits of the service levels: what marketing and sales owe each other. Each takes the service book."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from revplan.exhibits.chart import ATTENTION, PLAN, REQUIRED, drawn
from revplan.exhibits.exhibit import Exhibit, chart, table_of, text
from revplan.ground.formats import compact, counted, kinds_of, listed, show
from revplan.tracking import quality as tested
from revplan.tracking.service import NO_REASON
from revplan.tracking.servicebook import ServiceBook
from revplan.tracking.why import in_points

MOST_BREACHES = 20
BEFORE_AND_NOW = ["from_stage", "to_stage", "entries_before", "entries_after", "rate_before", "rate_after"]
CHANGE = ["change", "by_rate", "by_mix"]
POINTS = {
    "change": ("Change (points)", "figure"),
    "by_rate": ("By rates", "figure"),
    "by_mix": ("By the mix", "figure"),
}
RATES = ("acceptance rate", "work rate")


def tables(book: ServiceBook) -> list[Exhibit]:
    """What a terminal shows of the service levels, in order."""
    if book.every.empty:
        return [both_ways(book), *reasons_why(book)]
    touched = [clocks(book), unworked(book), response(book)] if book.touched else []
    reasons = [rejections(book)] if (book.reasons["reason"] != NO_REASON).any() else []
    return [
        both_ways(book),
        sales(book),
        overdue(book),
        *touched,
        *reasons,
        quality(book),
        *reasons_why(book),
    ]


def reasons_why(book: ServiceBook) -> list[Exhibit]:
    """Why the quarter differs from the one before, and why records were lost, as far as the records tell."""
    losses = [lost(book)] if len(book.losses) else []
    return [conversion(book), flow(book), *losses] if len(book.steps) else losses


def both_ways(book: ServiceBook) -> Exhibit:
    """What marketing and sales did this quarter, in a sentence each, over what was agreed and what came."""
    currency = book.plan.currency
    facts = {
        f"{row['level'].capitalize()}, {book.pace.label(row['period'])}": f"{_size(row, 'actual', currency)} of {_size(row, 'agreed', currency)}"
        for row in book.volume.to_dict("records")
    }
    return text(" ".join(book.said), facts, notes=book.notes)


def _size(row: Mapping[Any, Any], name: str, currency: str) -> str:
    return compact(row[name], currency) if row["level"] == "value" else show(row[name], "count")


def sales(book: ServiceBook) -> Exhibit:
    """The share of records that met each level: all, by team, by rep."""
    rows = book.levels
    owed = rows[(rows["by"] == "rep") & ~rows["level"].isin(RATES) & rows["share"].notna()]
    if owed.empty:
        message = (
            f"{counted(len(book.recent), 'record was', 'records were')} handed over since {show(book.first, 'date')}."
        )
    else:
        most = owed[owed["breached"] == owed["breached"].max()]
        worst = most.iloc[0]
        of = f"{worst['breached']:,.0f} of {worst['met'] + worst['breached']:,.0f} ({worst['level']})"
        reps = most["name"].nunique()
        if not worst["breached"]:
            message = "No rep has breached a level."
        elif reps > 1:
            message = f"No rep has more breaches of a level than {worst['name']}, {of}; {counted(reps - 1, 'rep has', 'reps have')} as many."
        else:
            message = f"{worst['name']} has the most breaches of a level: {of}."
    return table_of("service_levels", rows, message)


def overdue(book: ServiceBook) -> Exhibit:
    """The breaches of the quarter, those still open first."""
    rows = book.breaches
    if rows.empty:
        return text(
            "No level was breached this quarter."
            if book.plan.service_levels.agreed
            else "No level was agreed, so none is breached."
        )
    still = int((~rows["done"]).sum())
    more = len(rows) - MOST_BREACHES
    notes = [f"{counted(more, 'further one is', 'further ones are')} in the JSON answer (--json)."] if more > 0 else []
    message = f"{counted(len(rows), 'breach', 'breaches')} this quarter, {still:,} of which {'waits' if still == 1 else 'wait'} still."
    return table_of("breaches", rows.head(MOST_BREACHES), message, notes=notes)


def clocks(book: ServiceBook) -> Exhibit:
    """How long each of the three clocks runs."""
    rows = book.clocks
    last = rows.iloc[1]
    message = (
        f"From {last['clock'].replace(' to ', ' to the ', 1)} pass {show(last['median_hours'], 'days')} working hours in the middle, more than {show(last['slow_hours'], 'days')} for one in ten."
        if last["records"]
        else "Nothing that was handed over this quarter has been touched yet."
    )
    return table_of("clocks", rows, message)


def unworked(book: ServiceBook) -> Exhibit:
    """Open records that nobody has touched, and how old they are."""
    rows = book.unworked[book.unworked["records"] > 0]
    if rows.empty:
        return text("Every open record that was handed over has been touched.")
    whole = rows.iloc[0]
    which = "it is" if whole["records"] == 1 else "the oldest is"
    oldest = f"; {which} {show(whole['oldest_hours'], 'days')} working hours old" if whole["oldest_hours"] > 0 else ""
    message = f"{counted(whole['records'], 'open record')} {'has' if whole['records'] == 1 else 'have'} never been touched{oldest}."
    return table_of("unworked", rows, message)


def rejections(book: ServiceBook) -> Exhibit:
    """Why sales gave records back."""
    rows = book.reasons
    if rows.empty:
        return text("Of what was handed over this quarter nothing is on record as rejected.")
    first = rows.iloc[0]
    message = f"Sales rejected {counted(rows['records'].sum(), 'record')}, most for the reason {first['reason']}: {show(first['share'], 'share')}."
    return table_of("rejection_reasons", rows, message)


def quality(book: ServiceBook) -> Exhibit:
    """Whether leads are worse than they were, week by week."""
    found = book.quality
    weeks = found.weeks
    if weeks.empty:
        return text(found.said)
    shares = weeks[["accepted", "expected"]].div(weeks["entries"].where(weeks["entries"] > 0), axis=0)
    parts = (
        ("accepted", f"accepted within {counted(found.days, 'day')}", PLAN, "line"),
        ("expected", "usual for its segments and sources", REQUIRED, "dashed"),
    )
    by_week = shares.assign(week=[show(day, "date").rsplit(" ", 1)[0] for day in weeks["week"]])
    described = drawn(found.said, by_week, "week", *parts, kind="share", x_kind="date")
    return chart(described, weeks, kinds_of("quality"))


def response(book: ServiceBook) -> Exhibit:
    """The share of records accepted, by how soon somebody reached out."""
    rows = book.bands
    counted = rows[rows["records"] > 0]
    if len(counted) < 2:
        return text("Too few records had their time to tell what a slow answer goes with.")
    said = book.cost_said or "The share accepted by how soon somebody reached out; an association, not a cause."
    part = ("share", "accepted, P10 to P90", ATTENTION, "dots")
    return chart(drawn(said, counted, "band", part, form="bars", kind="share"), counted, kinds_of("response_bands"))


def conversion(book: ServiceBook) -> Exhibit:
    """How every step converts against the quarter before: what rates changed of it, and what the mix."""
    rows = book.steps
    if rows.empty:
        return text("Of no step enough is known in this quarter and the one before to compare its conversion.")
    moved = rows[rows["moved"]]
    told = (moved if len(moved) else rows).iloc[-1]
    luck = (
        "the one step did not move by more than luck explains"
        if moved.empty and len(rows) == 1
        else f"none of {len(rows)} steps moved by more than luck explains"
        if moved.empty
        else f"{counted(len(moved), 'step')} of {len(rows)} moved by more than luck explains"
    )
    paradoxes = rows[rows["paradox"]]
    named = paradoxes.iloc[0] if len(paradoxes) else told
    frame = _titled(rows, book)[[*BEFORE_AND_NOW, *CHANGE, "chance", "moved"]]
    written = [in_points(*(value / 100 for value in row)) for row in rows[CHANGE].to_numpy()]
    frame = frame.assign(**{name: [row[at] for row in written] for at, name in enumerate(CHANGE)})
    notes = [
        "Both quarters count records that had the days in which nine of ten convert, and conversions within them; the change is by rates and by the mix to the last digit.",
        f"Of twenty steps that did not move, one is said to have ({show(tested.ALARM, 'share')}).",
    ]
    return table_of(
        "quarter_on_quarter", frame, f"Against the quarter before {luck}. {named['says']}", more=POINTS, notes=notes
    )


def _titled(rows: pd.DataFrame, book: ServiceBook) -> pd.DataFrame:
    """`rows` with the stages as readers call them."""
    renamed = {name: rows[name].map(book.plan.titles) for name in ("from_stage", "to_stage", "stage") if name in rows}
    return rows.assign(**renamed).reset_index(drop=True)


def flow(book: ServiceBook) -> Exhibit:
    """How many records enter every stage a week, against the quarter before."""
    rows = _titled(book.steps, book)
    moved = rows[rows["flow_moved"]]
    told = (
        f"Entries a week moved by more than luck explains at {listed(list(moved['from_stage']))}."
        if len(moved)
        else "No stage's entries a week differ from the quarter before by more than luck explains."
        if rows["flow_chance"].notna().any()
        else "Too few whole weeks of the quarter are over to tell entries a week from luck."
    )
    return table_of(
        "quarter_on_quarter",
        rows[["from_stage", "weekly_before", "weekly_after", "flow_chance", "flow_moved"]],
        told,
        more={"from_stage": ("Entered", "text")},
    )


def lost(book: ServiceBook) -> Exhibit:
    """Why records of the last year were lost, by stage and segment."""
    rows = _titled(book.losses, book)
    if rows.empty:
        return text("No reason of a loss in the last year is on record.")
    whole = rows[rows["segment"] == "all"]
    last = whole[whole["stage"] == whole["stage"].iloc[int(whole["of"].to_numpy().argmax())]].iloc[0]
    message = (
        f"Most records are lost from {last['stage']} ({last['of']:,.0f} in a year), of them {show(last['share'], 'share')} for the reason {last['reason']} "
        f"({show(last['share_low'], 'share')} to {show(last['share_high'], 'share')} in 8 of 10 cases)."
    )
    return table_of("loss_reasons", rows, message)
