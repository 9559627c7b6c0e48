"""The roster: the people of a plan from a file, each line checked like a record."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from revplan.crm.mapping import plain
from revplan.crm.plan_tables import FoundTable, read_roster
from revplan.crm.writings import codes_of
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.formats import counted, listed
from revplan.ground.tablefile import TableFile
from revplan.plan.checks import roster_misfits
from revplan.plan.model import Plan
from revplan.plan.people import Hire, Rep
from revplan.plan.people_checks import roster_faults

KEY = "capacity.roster"
EVERYWHERE = {"", "all", "any"}
SEATS = {
    **dict.fromkeys(("", "quota", "filled", "hired", "active", "full", "full time", "ramped", "ramping"), "quota"),
    "overlay": "overlay",
    **dict.fromkeys(("open", "vacant", "planned", "to be hired", "tbh"), "open"),
}


def with_roster(plan: Plan, folder: Path) -> tuple[Plan, tuple[str, ...]]:
    """`plan` with the lines of the roster file that it names, and how the file was read; as it is where it names none.

    A line of an open seat, without a name yet, is a planned hire.

    Raises
    ------
    DataError
        With every fault of the file: a column is missing, a cell is no day or no amount, a role is unknown, lines of
        one rep overlap, nobody works in the year.
    """
    if plan.capacity is None or not isinstance(plan.capacity.roster, TableFile):
        return plan, ()
    sheet = read_roster(plan.capacity.roster, folder, KEY)
    faults = [*sheet.found.faults, *_other_currency(sheet, plan), *_unknown_seats(sheet)]
    lines = list(_lines(sheet, plan))
    people = [(place, who) for place, who in lines if isinstance(who, Rep)]
    hires = tuple(who for _, who in lines if isinstance(who, Hire))
    faults += roster_faults(people, plan.capacity, plan.segments)
    update = {"roster": tuple(who for _, who in people), "hires": (*plan.capacity.hires, *hires)}
    whole = plan.model_copy(update={"capacity": plan.capacity.model_copy(update=update)})
    if not faults:
        found = roster_misfits(whole)
        faults = [Fault(sheet.name if each.place == KEY else each.place, each.message) for each in found]
    if faults:
        raise DataError(faults)
    return whole, (_told(sheet, people, hires),)


def _told(sheet: FoundTable, people: list[tuple[str, Rep]], hires: tuple[Hire, ...]) -> str:
    names = {who.rep for _, who in people}
    seats = f", {counted(len(hires), 'open seat')}" if hires else ""
    return f"{sheet.name}: {counted(len(names), 'person', 'people')} in {counted(len(sheet.table), 'line')}{seats}."


def _lines(sheet: FoundTable, plan: Plan) -> Iterable[tuple[str, Rep | Hire]]:
    """Every line with its place."""
    assert plan.capacity is not None
    table = sheet.table
    roles, segments = ({plain(name): name for name in names} for names in (plan.capacity.roles, plan.segments))
    only = next(iter(plan.capacity.roles)) if len(plan.capacity.roles) == 1 else ""
    for row, line in enumerate(table.to_dict("records")):
        if pd.isna(line["start"]):
            continue  # told as a fault of its cell
        role, segment = str(line.get("role") or only), str(line.get("segment") or "")
        segment = segments.get(plain(segment), segment)
        quota = line.get("quota")
        said: dict[str, Any] = {
            "role": roles.get(plain(role), role) or "?",
            "segment": None if plain(segment) in EVERYWHERE else segment,
            "start": _day(line["start"]),
            "quota": None if quota is None or np.isnan(quota) else quota,
        }
        seat = SEATS.get(plain(str(line.get("seat") or "")), "quota")
        if seat == "open" or not line["rep"]:
            yield sheet.row(row), Hire.model_validate({**said, "quota": said["quota"] or None})
            continue
        begin, end = (_day(line.get(name)) for name in ("absent_from", "absent_to"))
        leave = _day(line.get("leave"))
        more = {
            "leave": None if leave is None or leave < said["start"] else leave,
            "team": line.get("team") or "",
            "away": [{"from": begin, "to": end}] if begin is not None and end is not None and begin <= end else [],
        }
        yield sheet.row(row), Rep.model_validate({"rep": line["rep"], **said, **more, "seat": seat})


def _day(value: Any) -> date | None:
    return None if value is None or pd.isna(value) else pd.Timestamp(value).date()


def _other_currency(sheet: FoundTable, plan: Plan) -> Iterable[Fault]:
    """Quotas in another currency than the plan's, which are never taken as they are."""
    for sign, place in sheet.other_currencies(plan.currency).items():
        message = f"is in {sign}, the plan in {plan.currency}; convert it, or say what one unit is worth in the plan's"
        yield Fault(place, f"{message}: roster: {{path: {sheet.name}, rates: {{{codes_of(sign)[0]}: ...}}}}")


def _unknown_seats(sheet: FoundTable) -> tuple[Fault, ...]:
    if "seat" not in sheet.table:
        return ()
    wrong = ~sheet.table["seat"].map(plain).isin(list(SEATS))
    given = listed([shown(name) for name in SEATS if name])
    return sheet.faults_at(
        "seat", wrong, f"is no kind of seat; write one of {given}, or leave it empty", "seats"
    ).faults
