"""The exhibits of people: who can close what, month by month, and what binds. Each takes the book of people.

Where a plan says nothing of its people the summary says so, and all others show nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pandas as pd

from revplan.capacity.attainment import attainment_words
from revplan.capacity.measured import measured_words, typed_words
from revplan.capacity.team import PEOPLE_LINE
from revplan.exhibits.annual_commit import header
from revplan.exhibits.attainment import ACTUAL as ACTUAL_SIDE
from revplan.exhibits.attainment import PLANNED, money, new_arr
from revplan.exhibits.chart import (
    ACTUAL,
    ATTENTION,
    INK,
    LINE_COLORS,
    PLAN,
    Chart,
    drawn,
    names,
)
from revplan.exhibits.exhibit import Exhibit, table_of, text
from revplan.exhibits.figures import OF_EXPECTED, FigureCells, Sentence, figure, of_year, say
from revplan.exhibits.outlook import coverage_period, coverage_rows
from revplan.exhibits.summary import year_of
from revplan.funnel.funnel import YEAR
from revplan.ground.errors import shown
from revplan.ground.formats import compact, counted, largest_remainder, listed, plural, show
from revplan.ground.tables import conform
from revplan.simulation.simulate import KEPT_BACK, PEOPLE, limited_by
from revplan.staffing.hiring import hiring_notes, hiring_words, worth_table, worth_words
from revplan.staffing.staffing import Staffing, headline, staffing, staffing_notes
from revplan.tracking import variance
from revplan.tracking.book import BoardBook
from revplan.workbook.signing import NO_PEOPLE
from revplan.workbook.workbook import PeopleBook, Workbook

UNUSED = 1e-6  # of what closes, from which people have time left
UNLOADED = "Nothing says how loaded anybody is."
MOST_ROLES = len(LINE_COLORS) - 1  # drawn apart; the others are drawn together


def summary(book: PeopleBook) -> Exhibit:
    """What people can close against demand, and what is closed; where a plan has none, what to add."""
    opens = header(book.book)
    if not book.considered:
        return text(NO_PEOPLE, notes=[f"To consider them, add to the plan a line such as {PEOPLE_LINE}"], header=opens)
    found, plan = book.staffing, book.plan
    chance, limits = found.simulation.outcome.chance_of_goal.value, limited_by(found.simulation)[PEOPLE]
    facts = {
        "People can close": compact(found.capacity_arr, plan.currency),
        "Demand brings": compact(found.demand_arr, plan.currency),
        "Closed in expectation": compact(found.expected_arr, plan.currency),
        "New ARR of the plan": compact(found.year.bridge.new_arr, plan.currency),
        "Chance of the goal": show(chance, "share"),
        "Years that people limit": show(limits, "share"),
    }
    of = partial(of_year, plan)
    stated = [of("goal", found.year.bridge.new_arr), of("chance", chance, OF_EXPECTED)]
    limited = f"People limit a simulated year where they hold back more than {show(KEPT_BACK, 'share')} of the goal."
    return text(headline(found), facts, notes=[limited], header=opens).sharing(*stated)


def by_month(book: PeopleBook) -> Exhibit | None:
    """Demand, capacity and what closes by month, and what binds."""
    if not book.considered:
        return None
    found, currency = book.staffing, book.plan.currency
    frame, told = monthly(found)
    idle = found.rooms.sum(axis=0) > found.closed.sum(axis=0) * (1 + UNUSED)
    spare = int((found.people_bind.any(axis=0) & idle).sum())
    closed, expected = (compact(each, currency) for each in (float(found.closed.sum()), found.expected_arr))
    notes = [
        f"The months as expected add up to {closed} closed; over the simulated years, in which they vary, it is {expected}."
    ]
    if spare:
        notes.append(
            f"In {spare} of the months short of people, people of another segment have time: it closes nothing in the one that lacks it."
        )
    made = table_of("bookings", frame, told, notes=notes, currency=currency)
    return made.pictured(capacity_and_demand(frame, told, currency))


def monthly(found: Staffing) -> tuple[pd.DataFrame, str]:
    """Demand, capacity, what closes and what binds in each month that is not over; in how many more people would close more.

    The months are table bookings.
    """
    frame = pd.DataFrame(
        {
            "month": found.plan.months,
            "demand_arr": found.demand.sum(axis=0),
            "capacity_arr": found.rooms.sum(axis=0),
            "closed_arr": found.closed.sum(axis=0),
            "binding": [", ".join(dict.fromkeys(row[month] for row in found.binds)) for month in range(YEAR)],
        }
    )
    left = frame[max(found.year.first, 0) :].reset_index(drop=True)
    bound, months = int(found.people_bind.any(axis=0).sum()), counted(len(left), "month")
    short = f"In {bound} of {months} more people would close more."
    none = "In no month would more people close more, as far as months come as expected."
    return conform(left.astype({"binding": "str"}), "bookings"), short if bound else none


def who_closes(book: Workbook) -> Exhibit:
    """What people can close against demand, for the report on the plan; that they are not considered, where they are not."""
    return by_month(book.people) or text(NO_PEOPLE).as_appendix()


def left_to_close(book: BoardBook) -> Exhibit:
    """What people can close of what is left of the year, against what demand brings; every number a figure."""
    if book.plan.capacity is None:
        return text(say("{told}", told=NO_PEOPLE)).as_appendix()
    if book.segment:
        return text(say("What people can close is told of the whole company, and this is one segment.")).as_appendix()
    if book.simulation is None:
        return text(say("Nothing of the year is left that people could close.")).as_appendix()
    found, currency = staffing(book.simulation), book.plan.currency
    frame, short = monthly(found)
    amounts = ("demand_arr", "capacity_arr", "closed_arr")
    for name in amounts:
        frame[name] = largest_remainder(frame[name].to_numpy(), digits=book.decimals)
    rest = f"{'rest of ' if len(frame) < YEAR else ''}{year_of(book)}"
    sums = {name: float(frame[name].sum()) for name in amounts}
    said = say(
        "From {month} on people can close {capacity_arr} in the year, "
        + ("less" if sums["capacity_arr"] < sums["demand_arr"] else "no less")
        + " than the {demand_arr} that demand brings; where months come as expected, {closed_arr} is closed.",
        month=show(frame["month"].iloc[0], "month"),
        **{name: money(book, name, amount, rest) for name, amount in sums.items()},
    )
    cells = FigureCells(
        rows=[{"period": str(month)} for month in frame["month"]],
        columns={name: {"measure": name} for name in amounts},
        currency=currency,
    )
    made = table_of("bookings", frame, said, notes=[short], currency=currency).with_cells(cells).as_brief()
    return made.pictured(capacity_and_demand(frame, said, currency))


def what_is_behind(book: BoardBook) -> Exhibit | None:
    """Whether people, product, price or too few opportunities is behind, side by side; nothing where no people are stated."""
    found = book.diagnosis
    if found is None:
        return None
    span, title = book.spans[-1].label, book.plan.titles[book.stage]
    rest = coverage_rows(book)
    sides = (PLANNED, ACTUAL_SIDE)
    entries, rate = (
        [figure(f"cohort_{name}", value, span, side) for value, side in zip(values, sides, strict=True)]
        for name, values in (("entries", found.entries), ("conversion", found.rate))
    )
    deal = [money(book, "cohort_deal", value, span, side) for value, side in zip(found.deal, sides, strict=True)]
    figures = {
        "used": figure("capacity_used", found.used, span),
        "planned": new_arr(book, span, PLANNED),
        "actual": new_arr(book, span, ACTUAL_SIDE),
        "worth": money(book, "factor_worth", -found.worth, span, factor=found.line or "none"),
        "entries": entries[1], "entries_planned": entries[0],
        "rate": rate[1], "rate_planned": rate[0],
        "deal": deal[1], "deal_planned": deal[0],
    }  # fmt: skip
    facts = {
        "People: of what they could close": figures["used"],
        f"Opportunities: {plural(title)} planned": entries[0],
        f"{plural(title)} that came": entries[1],
        "Product: won of them, planned": rate[0],
        "Won of them": rate[1],
        "Price: new ARR per win, planned": deal[0],
        "New ARR per win": deal[1],
    }
    if len(rest):
        total, period = rest.iloc[-1], coverage_period(book)
        facts["Coverage the win rate asks for"] = figure("coverage_needed", total["coverage_needed"], period)
        facts["Coverage of what is left"] = figure("coverage", total["coverage"], period)
    said = say(_BEHIND[found.cause], title=plural(title), line=_LINE_WORDS.get(found.line, ""), **figures)
    return text(said, facts, notes=[_HOW_TOLD])


_TIME_LEFT = "; people had time left: they closed {used} of what they could."
_BEHIND = {
    variance.PEOPLE: "It is people: they closed {used} of what they could, and yet {actual} came of the {planned} planned.",
    variance.OPPORTUNITIES: "It is too few opportunities: {entries} {title} came of {entries_planned} planned, which costs {worth}"
    + _TIME_LEFT,
    variance.PRODUCT: "It is the product or how it is sold: {rate} of the {title} are won where {rate_planned} was planned, which costs {worth}"
    + _TIME_LEFT,
    variance.PRICE: "It is price: a win brings {deal} where {deal_planned} was planned, which costs {worth}"
    + _TIME_LEFT,
    variance.OTHER: "It is none of people, product, price and opportunities: what takes most away is {line}, {worth}"
    + _TIME_LEFT,
    variance.NOTHING: "Nothing stands out of people, product, price and opportunities: {actual} came of the {planned} planned, "
    "no further off than luck may take it.",
}
_LINE_WORDS = {
    "opening": "what came of the records open on the plan date",
    "mix": "that entries came in other segments and sources",
    "timing": "that wins come later",
}
_HOW_TOLD = (
    "People come first: where they close nearly all that they can, fewer and later wins are what their lack does. Otherwise it is "
    "the line of the bridge from plan to actual that takes most away. One year in ten misses its plan by luck as far as counts here as behind."
)


def capacity_and_demand(frame: pd.DataFrame, said: str | Sentence, currency: str) -> Chart:
    """What people can close by month as columns, with what demand brings and what closes as lines."""
    parts = (
        ("capacity_arr", "people can close", PLAN),
        ("demand_arr", "demand brings", ATTENTION, "line"),
        ("closed_arr", "closes", ACTUAL, "dashed"),
    )
    return drawn(said, frame, "month", *parts, kind="money", currency=currency)


def ramped(book: PeopleBook) -> Exhibit | None:
    """Ramped-rep equivalents by month and role, beside the people who are there."""
    if not book.considered:
        return None
    months = book.staffing.table
    sums = months.groupby(["role", "month"], sort=False)[["heads", "ramped"]].sum()
    roles = list(dict.fromkeys(months["role"]))
    frame = pd.DataFrame({"month": book.plan.months})
    for number, role in enumerate(roles):
        frame[f"role {number}"] = sums.loc[role, "ramped"].to_numpy()
    frame["heads"] = sums.groupby("month", sort=False)["heads"].sum().to_numpy()
    first, last = (show(book.plan.months[at], "month") for at in (0, -1))
    changes = [f"{_from_to(frame[f'role {number}'])} ramped {role}" for number, role in enumerate(names(roles))]
    said = f"From {first} to {last}: {listed(changes)}; {_from_to(frame['heads'])} people there in all."
    more = {f"role {number}": (role, "reps") for number, role in enumerate(roles)}
    return table_of("ramped", frame, said, more=more).pictured(ramped_by_role(frame, roles, said))


def _from_to(values: pd.Series) -> str:
    begin, end = show(values.iloc[0], "reps"), show(values.iloc[-1], "reps")
    return begin if begin == end else f"{begin} to {end}"


def ramped_by_role(frame: pd.DataFrame, roles: list[str], said: str) -> Chart:
    """Ramped people of each role on each other, by month, with the people there as a line."""
    columns = {f"role {number}": name for number, name in enumerate(names(roles))}
    if len(columns) > len(LINE_COLORS):
        frame = frame.assign(others=frame[list(columns)[MOST_ROLES:]].sum(axis=1))
        columns = {**dict(list(columns.items())[:MOST_ROLES]), "others": "others"}
    bars = ((column, name, color) for (column, name), color in zip(columns.items(), LINE_COLORS, strict=False))
    there = ("heads", "people there", INK, "line")
    return drawn(said, frame, "month", *bars, there, form="stacked", kind="reps")


def by_quarter(book: PeopleBook) -> Exhibit | None:
    """Heads, ramped reps, capacity, load and what binds, by quarter, role and segment."""
    if not book.considered:
        return None
    found = book.staffing
    months = found.table
    quarter = (months["month"] - found.plan.first_month).map(lambda away: away.n // 3)
    grouped = months.assign(quarter=quarter).groupby(["quarter", "role", "segment"], sort=False)
    rows = [
        {
            "period": found.plan.quarter_short(int(key[0])),
            "role": key[1],
            "segment": key[2],
            "heads": part["heads"].iloc[-1],
            "ramped": part["ramped"].mean(),
            "capacity_arr": part["capacity_arr"].sum(),
            "load": part["load"].max(),
            "binding": ", ".join(dict.fromkeys(part["binding"])),
        }
        for key, part in grouped
    ]
    busiest = months.dropna(subset=["load"])
    if busiest.empty:
        return table_of("staffing", pd.DataFrame(rows), UNLOADED, currency=found.plan.currency)
    row = busiest.loc[busiest["load"].idxmax()]
    told = (
        f"The highest load is that of {shown(row['role'])} in {shown(row['segment'])} in {show(row['month'], 'month')}: "
        f"{show(row['load'], 'ratio')} times what they can work."
    )
    made = table_of("staffing", pd.DataFrame(rows), told, currency=found.plan.currency)
    return made.pictured(load_by_month(busiest, book.plan.months, told))


def load_by_month(loads: pd.DataFrame, over: Sequence[pd.Period], said: str) -> Chart:
    """The load of each role in a segment by month, the most loaded if there are many, with what they can work as a line."""
    lines = loads.pivot(index="month", columns=["role", "segment"], values="load").reindex(over)
    most = sorted(lines, key=lambda place: -lines[place].max())[: len(LINE_COLORS)]
    columns = [f"load {number}" for number in range(len(most))]
    table = lines[most].set_axis(columns, axis=1).assign(month=list(over), full=1.0)
    looks = zip(columns, names(map(" ".join, most)), LINE_COLORS, strict=False)
    parts = [(column, name, color, "line") for column, name, color in looks]
    return drawn(said, table, "month", *parts, ("full", "all they can work", INK, "dashed"), kind="ratio")


def one_more(book: PeopleBook) -> Exhibit | None:
    """What one more, and one less, of everything is worth."""
    if not book.considered:
        return None
    found, currency = book.worths, book.plan.currency
    said = worth_words(found, currency)
    return table_of("worths", worth_table(found), said, currency=currency) if found else text(said)


def measured(book: PeopleBook) -> Exhibit | None:
    """What the records say of each role: productivity, ramp, attrition."""
    if not book.considered:
        return None
    if book.book.records is None:
        return text("Your ramp is an assumption, and so is productivity: the plan names no records (`history`).")
    said = [
        line for role, found in book.book.measured.items() for line in measured_words(role, found, book.plan.currency)
    ]
    said += typed_words(book.plan, book.book.measured)
    first, *others = said or ["No role closes deals: there is neither productivity nor ramp to measure."]
    return text(first, notes=others)


def attainment(book: PeopleBook) -> Exhibit | None:
    """Who closed how much of their quota; nothing without people, records and quotas."""
    found = book.book.attainment
    if found is None:
        return None
    return table_of("quota_attainment", found.table, attainment_words(found), currency=book.plan.currency)


def hires(book: PeopleBook) -> Exhibit | None:
    """Who must be hired, and by when."""
    if not book.considered:
        return None
    found = book.hiring
    said, notes = hiring_words(found), list(hiring_notes(found))
    return table_of("hires", found.table, said, notes=notes) if found.hires else text(said, notes=notes)


def notes(book: PeopleBook) -> Exhibit | None:
    """What a reader must know of the people."""
    if not book.considered:
        return None
    first, *others = staffing_notes(book.staffing)
    return text(first, notes=others)
