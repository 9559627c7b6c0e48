"""What must hold between the people of a plan; every fault is found, none hides another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import pairwise

from revplan.ground.errors import Fault, shown
from revplan.ground.formats import listed
from revplan.plan.people import MOST_SEATS, Capacity, Hire, Rep, Role


def people_faults(
    capacity: Capacity | None, segments: Mapping[str, object] | None, stages: Sequence[str], where: str = "capacity"
) -> Iterator[Fault]:
    """What is wrong between the values of `capacity`, in a plan of these segments and stages."""
    if capacity is None or capacity.roles is None:
        return
    roles = {name: role for name, role in capacity.roles.items() if role is not None}
    for name, role in roles.items():
        yield from _role_faults(f"{where}.roles.{shown(name)}", capacity, role, segments, stages)
    if roles and not any(role.closes for role in roles.values()):
        yield Fault(
            f"{where}.roles", "no role closes; add what a ramped rep of one closes in a year: productivity: 600_000"
        )
    for index, hire in enumerate(capacity.hires or ()):
        if hire is not None:
            yield from _hire_faults(f"{where}.hires[{index}]", capacity, hire, segments)
    if isinstance(capacity.roster, tuple):
        lines = [(f"{where}.roster[{index}]", rep) for index, rep in enumerate(capacity.roster) if rep is not None]
        yield from roster_faults(lines, capacity, segments)
    yield from _other_faults(capacity, where)


def _other_faults(capacity: Capacity, where: str) -> Iterator[Fault]:
    """What is wrong with ratios and selling days."""
    named = [name for role, served in (capacity.ratios or {}).items() for name in (role, *(served or {}))]
    for name in named:
        if name not in capacity.roles:
            yield Fault(f"{where}.ratios", _no_role(name, capacity))
    if capacity.selling_days is not None and None not in capacity.selling_days and not sum(capacity.selling_days):
        yield Fault(f"{where}.selling_days", "are 0 in every month; give the days on which somebody sells")


def _role_faults(
    place: str, capacity: Capacity, role: Role, segments: Mapping[str, object] | None, stages: Sequence[str]
) -> Iterator[Fault]:
    for key in ("productivity", "quota"):
        given = getattr(role, key)
        for segment in given if isinstance(given, Mapping) else ():
            if segments and segment not in segments:
                yield Fault(f"{place}.{key}", not_of_plan("segment", segment, segments))
    if role.closes and capacity.basis == "productivity" and role.productivity is None:
        yield Fault(f"{place}.productivity", "is missing; add what a ramped rep closes in a year, or basis: quota")
    if role.load is not None and stages and role.load.stage not in stages[:-1]:
        yield Fault(f"{place}.load.stage", not_of_plan("stage before won", role.load.stage, stages[:-1]))


def _hire_faults(place: str, capacity: Capacity, hire: Hire, segments: Mapping[str, object] | None) -> Iterator[Fault]:
    if hire.role is not None and hire.role not in capacity.roles:
        yield Fault(f"{place}.role", _no_role(hire.role, capacity))
    if hire.segment is not None and segments and hire.segment not in segments:
        yield Fault(f"{place}.segment", not_of_plan("segment", hire.segment, segments))
    role = capacity.roles.get(hire.role)
    if role is not None and role.closes and hire.quota is None:
        yield from _unvalued(place, capacity, role, hire.segment, "hire")


def _unvalued(place: str, capacity: Capacity, role: Role, segment: str | None, who: str) -> Iterator[Fault]:
    """That no figure says what somebody who closes in `segment` brings."""
    given = role.productivity if capacity.basis == "productivity" else role.quota
    if given is None and capacity.basis == "productivity":
        return  # told of the role already
    if role.yearly(capacity.basis, segment) is None:
        what = f"in {shown(segment)}" if segment else "in all segments (one number, for those without a segment)"
        yield Fault(place, f"this {who} closes, and no {capacity.basis} is stated {what}; add it to its role")


def roster_faults(
    lines: Sequence[tuple[str, Rep]], capacity: Capacity, segments: Mapping[str, object] | None
) -> list[Fault]:
    """What is wrong with the lines of a roster, each with its place; the first three of a kind."""
    found: dict[str, list[Fault]] = {}
    by_rep: dict[str, list[tuple[str, Rep]]] = {}
    for place, rep in lines:
        for kind, fault in _rep_faults(place, rep, capacity, segments):
            found.setdefault(kind, []).append(fault)
        if rep.rep is not None and rep.start is not None:
            by_rep.setdefault(rep.rep, []).append((place, rep))
    for name, own in by_rep.items():
        for (_, before), (place, after) in pairwise(sorted(own, key=lambda each: each[1].start)):
            if before.leave is None or before.leave >= after.start:
                until = "has no last day" if before.leave is None else f"ends on {before.leave}"
                message = (
                    f"{shown(name)} is in two lines at once: the one that starts on {before.start} {until}, "
                    f"this one starts on {after.start}; end the first the day before, or take one out"
                )
                found.setdefault("overlap", []).append(Fault(place, message))
    seats = sum(rep.count or 1 for _, rep in lines)
    if seats > MOST_SEATS:
        message = f"has {seats:,} people; at most {MOST_SEATS:,} are planned: is it another table?"
        found["many"] = [Fault("capacity.roster", message)]
    return [fault for faults in found.values() for fault in _first(faults)]


def _first(faults: list[Fault]) -> list[Fault]:
    if len(faults) <= 3:
        return faults
    last = faults[2]
    return [*faults[:2], Fault(last.place, f"{last.message} (and {len(faults) - 3:,} more lines like this)")]


def _rep_faults(
    place: str, rep: Rep, capacity: Capacity, segments: Mapping[str, object] | None
) -> Iterator[tuple[str, Fault]]:
    who = shown(rep.rep) if rep.rep else "somebody"
    if rep.leave is not None and rep.start is not None and rep.leave < rep.start:
        message = f"{who} leaves on {rep.leave}, before starting on {rep.start}; correct one of the days"
        yield "order", Fault(place, message)
    role = capacity.roles.get(rep.role)
    if rep.role is not None and rep.role not in capacity.roles:
        yield "role", Fault(place, f"{who}: {_no_role(rep.role, capacity)}")
    if rep.segment is not None and segments and rep.segment not in segments:
        yield "segment", Fault(place, f"{who}: {not_of_plan('segment', rep.segment, segments)}")
    if role is not None and role.closes and rep.seat == "quota":
        if rep.quota == 0:
            message = f"{who} closes with a quota of 0; give the quota, leave it empty, or write seat: overlay"
            yield "quota", Fault(place, message)
        elif not (capacity.basis == "quota" and rep.quota):
            yield from (("value", fault) for fault in _unvalued(place, capacity, role, rep.segment, "rep"))


def not_of_this_year(capacity: Capacity, first_month: date, last_day: date) -> Iterator[Fault]:
    """That nobody of the roster works in the year planned."""
    people = capacity.people
    if people and not capacity.hires:
        working = [rep for rep in people if rep.start <= last_day and (rep.leave is None or rep.leave >= first_month)]
        if not working:
            days = sorted([*(rep.leave for rep in people if rep.leave), *(rep.start for rep in people)])
            message = (
                f"nobody in it works between {first_month} and {last_day}: its days lie between {days[0]} and "
                f"{days[-1]}; is it the roster of another year?"
            )
            yield Fault("capacity.roster", message)


def unsold(capacity: Capacity, segments: Sequence[str]) -> Iterator[Fault]:
    """The segments with new ARR in which nobody closes, on the roster or among the hires."""
    everybody: list[Rep | Hire] = [*capacity.people, *capacity.hires]
    closers = [each for each in everybody if closes(capacity, each)]
    if any(each.segment is None for each in closers):
        return
    lacking = [name for name in segments if name not in {each.segment for each in closers}]
    if lacking:
        yield Fault(
            "capacity",
            f"nobody sells in {listed([shown(name) for name in lacking])}, which brings new ARR; put somebody there, "
            "or leave the segment of those empty who sell in all",
        )


def closes(capacity: Capacity, each: Rep | Hire) -> bool:
    role = capacity.roles.get(each.role)
    return role is not None and role.closes and (isinstance(each, Hire) or each.seat == "quota")


def _no_role(name: str, capacity: Capacity) -> str:
    return f"{shown(name)!r} is no role of capacity.roles; it has {', '.join(map(shown, capacity.roles))}"


def not_of_plan(kind: str, name: str, declared: Iterable[str]) -> str:
    """That a plan has no stage, segment or source of a name, and which it has."""
    return f"{shown(name)!r} is no {kind} of this plan; it has {', '.join(map(shown, list(declared)[:12]))}"
