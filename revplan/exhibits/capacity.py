"""The exhibits of people: who can close what, month by month, and what binds."""

from __future__ import annotations

import pandas as pd

from revplan.capacity.attainment import attainment_words
from revplan.capacity.measured import measured_words
from revplan.exhibits.exhibit import Exhibit, table_of, text
from revplan.ground.formats import compact, show
from revplan.simulation.hiring import Hiring, Worth, hiring_notes, hiring_words, worth_table, worth_words
from revplan.simulation.people import Staffing, headline, staffing_notes
from revplan.workbook.workbook import Workbook


def summary(found: Staffing) -> Exhibit:
    """What people can close against demand, and what is closed."""
    currency = found.plan.currency
    facts = {
        "People can close": compact(found.capacity_arr, currency),
        "Demand brings": compact(found.demand_arr, currency),
        "Closed in expectation": compact(found.expected_arr, currency),
        "New ARR of the plan": compact(found.year.bridge.new_arr, currency),
        "Chance of the goal": show(found.simulation.outcome.chance_of_goal.value, "share"),
    }
    return text(headline(found), facts)


def by_quarter(found: Staffing) -> Exhibit:
    """Heads, ramped reps, capacity, load and what binds, by quarter, role and segment."""
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
    told = "Nothing says how loaded anybody is."
    if len(busiest):
        row = busiest.loc[busiest["load"].idxmax()]
        told = (
            f"The highest load is that of {row['role']} in {row['segment']} in {show(row['month'], 'month')}: "
            f"{show(row['load'], 'ratio')} times what they can work."
        )
    return table_of("staffing", pd.DataFrame(rows), told, currency=found.plan.currency)


def by_month(found: Staffing) -> Exhibit:
    """Demand, capacity and what closes by month, and what binds."""
    frame = pd.DataFrame(
        {
            "month": found.plan.months,
            "demand_arr": found.demand.sum(axis=0),
            "capacity_arr": found.rooms.sum(axis=0),
            "closed_arr": found.closed.sum(axis=0),
            "binding": [", ".join(dict.fromkeys(row[month] for row in found.binds)) for month in range(12)],
        }
    )
    bound = int(found.people_bind.any(axis=0).sum())
    told = (
        f"In {bound} of 12 months more people would close more."
        if bound
        else "In no month would more people close more, as far as months come as expected."
    )
    return table_of("bookings", frame, told, currency=found.plan.currency)


def one_more(found: list[Worth], currency: str) -> Exhibit:
    """What one more, and one less, of everything is worth."""
    said = worth_words(found, currency)
    return table_of("worths", worth_table(found), said, currency=currency) if found else text(said)


def measured(book: Workbook) -> list[Exhibit]:
    """What the records say of each role: productivity, ramp, attrition; nothing without records."""
    exhibits = []
    for role, found in book.measured.items():
        first, *others = measured_words(role, found, book.plan.currency)
        exhibits.append(text(first, notes=others))
    return exhibits


def attainment(book: Workbook) -> list[Exhibit]:
    """Who closed how much of their quota; nothing without people, records and quotas."""
    found = book.attainment
    return (
        []
        if found is None
        else [table_of("attainment", found.table, attainment_words(found), currency=book.plan.currency)]
    )


def hires(found: Hiring) -> Exhibit:
    """Who must be hired, and by when."""
    said, notes = hiring_words(found), list(hiring_notes(found))
    if not found.hires:
        return text(said, notes=notes)
    return table_of("hires", found.table, said, notes=notes)


def notes(found: Staffing) -> Exhibit:
    """What a reader must know of the people."""
    first, *others = staffing_notes(found)
    return text(first, notes=others)
