"""Capacity beside demand: what people can close each month, what binds, how much of the plan is closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from revplan.capacity.limits import booked
from revplan.capacity.load import Workload, load_limits
from revplan.capacity.team import (
    FULL,
    HEADS,
    RAMPED,
    Pools,
    arr_of,
    asked_capacity,
    each_line,
    expected_pools,
    judged,
    lead_days,
    lines_of,
    month_weights,
    months_left,
    seats,
)
from revplan.funnel.funnel import YEAR
from revplan.funnel.year import PlannedYear, capped_segments
from revplan.ground.calendar import MONTHS_PER_YEAR
from revplan.ground.errors import shown
from revplan.ground.formats import compact, counted, listed, show
from revplan.ground.tables import from_rows
from revplan.ground.terminal import plain_rows
from revplan.plan.model import Plan
from revplan.plan.people import Capacity, Hire
from revplan.simulation.simulate import BUDGET, DEMAND, PEOPLE, Simulation, limited_by

ALL = "all"
LOAD = "load"
FULL_LOAD = 1 - 1e-6  # of what can be worked, from which it binds


@dataclass(frozen=True, eq=False, repr=False)
class Staffing:
    """A planned year and its people, month by month, in expectation."""

    year: PlannedYear
    simulation: Simulation
    """The year simulated with its people."""

    @property
    def plan(self) -> Plan:
        """The plan."""
        return self.year.plan

    @property
    def capacity(self) -> Capacity:
        """Its people."""
        return asked_capacity(self.plan)

    @cached_property
    def pools(self) -> Pools:
        """The segments that bring new ARR."""
        return Pools(tuple(dict.fromkeys(cell.segment for cell in self.year.cells)))

    @cached_property
    def demand(self) -> np.ndarray:
        """Shape (segments, 12): new ARR that would close if nobody lacked the time, in expectation. [plan currency]"""
        found = np.zeros((len(self.pools.segments), YEAR))
        coming = (self.year.commit_arr + self.year.open_arr)[:, :YEAR]
        for cell, arr in zip(self.year.cells, coming, strict=True):
            found[self.pools.segments.index(cell.segment)] += arr
        return found

    @cached_property
    def rooms(self) -> np.ndarray:
        """Shape (segments + 1, 12): what the people can close from the plan date on, judgment included; the last row is of those in all segments."""
        return expected_pools(self.plan, self.pools) * months_left(self.year.first + self.year.start)

    @cached_property
    def workloads(self) -> list[Workload]:
        """The records that roles with a stated limit have to work."""
        return load_limits(self.year, self.pools.segments)

    @cached_property
    def closed(self) -> np.ndarray:
        """Shape (segments, 12): what closes where every month comes as expected. [plan currency]"""
        return booked(self.demand, self.rooms, self.capacity.excess.by_age)

    @cached_property
    def waiting(self) -> np.ndarray:
        """Shape (segments, 12): demand at hand in each month, what waits from before included. [plan currency]"""
        kept = self.capacity.excess.by_age
        found = np.zeros_like(self.demand)
        for month in range(YEAR):
            shown_so_far = self.demand[:, : month + 1]
            open_room = self.rooms[:, : month + 1].copy()
            open_room[:, month] = 1e18
            found[:, month] = booked(shown_so_far, open_room, kept)[:, month]
        return found

    @cached_property
    def people_bind(self) -> np.ndarray:
        """Shape (segments, 12): whether more people would close more."""
        return self.waiting > self.closed + 1e-9 * max(float(self.demand.sum()), 1.0)

    @cached_property
    def binds(self) -> list[list[str]]:
        """What binds, by segment and month: people, load, budget (a source at its ceiling) or demand."""
        capped = capped_segments(self.year)
        found = []
        for number, segment in enumerate(self.pools.segments):
            row = [DEMAND] * YEAR
            for month in range(YEAR):
                overloaded = any(
                    each.pool == number and each.entries[month] > each.workable[month] * FULL_LOAD
                    for each in self.workloads
                )
                if self.people_bind[number, month]:
                    row[month] = PEOPLE
                elif overloaded:
                    row[month] = LOAD
                elif segment in capped:
                    row[month] = BUDGET
            found.append(row)
        return found

    @cached_property
    def table(self) -> pd.DataFrame:
        """Table capacity: a row for each month, role and segment."""
        added = judged(self.plan)
        lines = list(lines_of(self.plan, YEAR))
        total = sum((arr for _, _, _, arr in lines), np.zeros(YEAR))
        rows = []
        for role, segment, brought, arr in lines:
            load = self._load(role, segment, brought)
            for month, label in enumerate(self.plan.months):
                rows.append(
                    {
                        "month": label,
                        "role": role,
                        "segment": segment or ALL,
                        "heads": brought[HEADS, month],
                        "ramped": brought[RAMPED, month],
                        "fully_ramped": brought[FULL, month],
                        "capacity_arr": arr[month],
                        "judgment_arr": added[month] * arr[month] / total[month] if total[month] > 0 else 0.0,
                        "load": load[month],
                        "binding": self._binding(segment, month),
                    }
                )
        return from_rows("capacity", rows)

    def _load(self, role: str, segment: str | None, brought: np.ndarray) -> np.ndarray:
        """Work over what can be worked, by month: of records where the role states a limit, else of ARR. [ratio]"""
        mine = [
            each for each in self.workloads if each.role == role and segment in (None, self.pools.segments[each.pool])
        ]
        if mine:
            asked, done = (np.sum([getattr(each, name) for each in mine], axis=0) for name in ("entries", "workable"))
            return np.where(done > 0, asked / np.maximum(done, 1e-12), np.nan)
        given = self.capacity.roles[role]
        if given.closes:
            return self._arr_load(segment)
        served = [(ratio, other) for other, ratio in (self.capacity.ratios.get(role) or {}).items()]
        if not served:
            return np.full(YEAR, np.nan)
        heads = self._heads
        asked = np.sum([heads.get(other, np.zeros(YEAR)) / ratio for ratio, other in served], axis=0)
        mine_there = heads.get(role, np.zeros(YEAR))
        return np.where(mine_there > 0, asked / np.maximum(mine_there, 1e-12), np.nan)

    def _arr_load(self, segment: str | None) -> np.ndarray:
        if segment is None:
            asked, room = self.waiting.sum(axis=0), self.rooms.sum(axis=0)
        else:
            number = self.pools.of(segment)
            if number is None:
                return np.full(YEAR, np.nan)
            asked, room = self.waiting[number], self.rooms[number]
            if not room.any():
                room = self.rooms[-1]
        return np.where(room > 0, asked / np.maximum(room, 1e-12), np.nan)

    @cached_property
    def _heads(self) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        for role, _, brought, _ in lines_of(self.plan, YEAR):
            found[role] = found.get(role, np.zeros(YEAR)) + brought[HEADS]
        return found

    def _binding(self, segment: str | None, month: int) -> str:
        if segment is None:
            told = {row[month] for row in self.binds}
            return next(each for each in (PEOPLE, LOAD, BUDGET, DEMAND) if each in told)
        number = self.pools.of(segment)
        return DEMAND if number is None else self.binds[number][month]

    @property
    def capacity_arr(self) -> float:
        """What the people can close in the year, before judgment. [plan currency]"""
        return float(sum(arr.sum() for _, _, _, arr in lines_of(self.plan, YEAR)))

    @property
    def judgment_arr(self) -> float:
        """What judgment adds to it. [plan currency]"""
        return float(judged(self.plan).sum())

    @property
    def demand_arr(self) -> float:
        """What would close in the year if nobody lacked the time. [plan currency]"""
        return float(self.demand.sum() + self.year.won_arr[:, :YEAR].sum())

    @property
    def expected_arr(self) -> float:
        """What is closed in expectation over the simulated years. [plan currency]"""
        return self.simulation.outcome.mean.value

    @property
    def quota_arr(self) -> float | None:
        """Quota handed out for the year, ramped as capacity is; None where none is stated. [plan currency]"""
        if self.capacity.over_assignment is not None:
            return self.capacity_arr * (1 + self.capacity.over_assignment)
        weights = month_weights(self.capacity, YEAR)
        quotas = [float(seat.quota * seat.expected[RAMPED] @ weights) for seat in seats(self.plan) if seat.quota]
        closers = [seat for seat in seats(self.plan) if seat.carries]
        return sum(quotas) if quotas and all(seat.quota for seat in closers) else None

    @property
    def by_basis(self) -> dict[str, float | None]:
        """What the people can close in the year on either basis; None where somebody's figure is not stated. [plan currency]"""
        closers, found = [seat for seat in seats(self.plan) if seat.carries], {}
        for basis in ("productivity", "quota"):
            stated = all(getattr(seat, basis) for seat in closers)
            arr = sum(float(arr_of(self.capacity, seat, seat.expected, basis).sum()) for seat in closers)
            found[basis] = arr if stated else None
        return found

    @cached_property
    def people(self) -> pd.DataFrame:
        """Table people: a row for each line of the roster and each hire."""
        rows = [
            {
                "rep": "hire" if isinstance(who, Hire) else who.rep,
                "role": who.role,
                "segment": who.segment or ALL,
                "team": "" if isinstance(who, Hire) else who.team,
                "count": float(who.count),
                "start": pd.Timestamp(who.first_day if isinstance(who, Hire) else who.start),
                "ramped": float(seat.expected[RAMPED].mean()),
                "capacity_arr": float(arr_of(self.capacity, seat, seat.expected).sum()),
            }
            for who, seat in each_line(self.plan, YEAR)
        ]
        return from_rows("people", rows)

    @property
    def cushions(self) -> dict[str, float | None]:
        """Quota over what the people can close, and that over the plan's new ARR, each less 1. [ratio]"""
        judged_arr, goal, quota = self.capacity_arr + self.judgment_arr, self.year.bridge.new_arr, self.quota_arr
        first = None if quota is None or not self.capacity_arr else quota / self.capacity_arr - 1
        second = None if not goal else judged_arr / goal - 1
        return {"quota_over_capacity": first, "capacity_over_plan": second}


def staffing(simulation: Simulation, as_of: date | None = None) -> Staffing:
    """A simulated year with its people, who may leave unnamed from `as_of` on (the plan date if left out).

    Raises
    ------
    PlanError
        If the plan says nothing of its people.
    """
    asked_capacity(simulation.year.plan)
    if as_of is None or as_of == simulation.year.plan.plan_date:
        return Staffing(simulation.year, simulation)
    plan = simulation.year.plan.model_copy(update={"plan_date": as_of})
    return Staffing(replace(simulation.year, plan=plan), simulation)


# --- what is said --------------------------------------------------------------------------------


def able_words(found: Staffing) -> str:
    """What the people can close against what demand brings, without a full stop."""
    currency = found.plan.currency
    able, asked = found.capacity_arr + found.judgment_arr, found.demand_arr
    relation = "less than" if able < asked else "more than"
    return f"People can close {compact(able, currency)} in the year, {relation} the {compact(asked, currency)} that demand brings"


def headline(found: Staffing) -> str:
    """What the people can close against what the plan asks, and what is closed, in one sentence."""
    expected = f"in expectation {compact(found.expected_arr, found.plan.currency)} is closed"
    uneven = found.capacity_arr + found.judgment_arr < found.demand_arr or found.people_bind.any()
    why = ", for busy months lose what idle months cannot win back"
    return f"{able_words(found)}; {expected}{why if uneven else ''}."


def staffing_notes(found: Staffing) -> Iterator[str]:
    """What a reader must know of the people, one sentence each."""
    yield from _binding_notes(found)
    yield from _cushion_notes(found)
    yield from _hire_notes(found)
    yield from _ratio_notes(found)
    yield excess_words(found.capacity)
    if found.capacity.judgment is not None:
        amount = compact(abs(found.judgment_arr), found.plan.currency)
        way = "adds" if found.judgment_arr >= 0 else "takes off"
        why = f" ({shown(found.capacity.judgment.note)})" if found.capacity.judgment.note else ""
        yield f"Judgment of {shown(found.capacity.judgment.owner)}{why} {way} {amount} in the year: it is not computed."
    idle = sum(rep.count for rep in found.capacity.people if rep.quota and not found.capacity.roles[rep.role].closes)
    if idle:
        who = counted(idle, "person has a quota", "people have a quota")
        yield f"{who} in a role that closes nothing (neither productivity nor quota is stated of it): it counts for nothing."


def _binding_notes(found: Staffing) -> Iterator[str]:
    for segment, row in zip(found.pools.segments, found.binds, strict=True):
        for kind, words in ((PEOPLE, "people"), (LOAD, "the load of those who work the records")):
            months = [show(month, "month") for month, what in zip(found.plan.months, row, strict=True) if what == kind]
            if months:
                verb = "binds" if kind == LOAD else "bind"
                yield f"In {shown(segment)} {words} {verb} in {counted(len(months), 'month')}: {listed(months)}."


def _cushion_notes(found: Staffing) -> Iterator[str]:
    currency, (quota_over, plan_over) = found.plan.currency, found.cushions.values()
    able = compact(found.capacity_arr + found.judgment_arr, currency)
    if found.quota_arr is not None and quota_over is not None:
        told = "that cushion is over-assignment" if quota_over > 0 else "nothing is over-assigned"
        yield (
            f"Quota handed out is {compact(found.quota_arr, currency)}, {show(abs(quota_over), 'share')} "
            f"{'more' if quota_over >= 0 else 'less'} than people can close: {told}."
        )
    if plan_over is not None:
        way = "more" if plan_over >= 0 else "less"
        told = "that is the other cushion" if plan_over > 0 else "the plan has no cushion in its people"
        yield f"What people can close, {able}, is {show(abs(plan_over), 'share')} {way} than the plan's new ARR: {told}."


def _hire_notes(found: Staffing) -> Iterator[str]:
    """Hires whose position would have had to be opened before the plan date."""
    plan = found.plan
    for hire in found.capacity.hires:
        lead = lead_days(found.capacity.roles[hire.role], hire)
        left = (hire.first_day - plan.plan_date).days
        if hire.first_day > plan.plan_date and lead > left:
            where = f" in {shown(hire.segment)}" if hire.segment else ""
            yield (
                f"{counted(hire.count, 'hire')} of {shown(hire.role)}{where} planned for {show(hire.first_day, 'date')} cannot start "
                f"then unless the position was opened before: opening and offer take {show(lead, 'days')} days, {left} are left."
            )


def _ratio_notes(found: Staffing) -> Iterator[str]:
    for role, served in found.capacity.ratios.items():
        there = found._heads.get(role, np.zeros(MONTHS_PER_YEAR))
        for other, most in served.items():
            heads = found._heads.get(other, np.zeros(MONTHS_PER_YEAR))
            over = np.flatnonzero(heads > there * most + 1e-6)
            if len(over):
                worst = int(over[np.argmax(heads[over] - there[over] * most)])
                yield (
                    f"From {show(found.plan.months[over[0]], 'month')} on there are more {shown(other)} than the {shown(role)} at hand "
                    f"serve ({show(most, 'number')} each): {show(heads[worst], 'number')} against {show(there[worst], 'number')} in "
                    f"{show(found.plan.months[worst], 'month')}."
                )


def excess_words(capacity: Capacity) -> str:
    """What becomes of demand that nobody has time for."""
    kept = capacity.excess.by_age
    if not any(kept):
        return "Demand that nobody has time for in its month is lost (excess.kept: 0)."
    shares = listed([show(each, "share") for each in kept])
    ages = "a month" if len(kept) == 1 else "the first, second ... month"
    return (
        f"Demand that nobody has time for waits, oldest first; {shares} of it is still there after {ages} of waiting."
    )


def capacity_answer(found: Staffing) -> dict[str, Any]:
    """What `revplan capacity --json` prints."""
    return {
        "months": plain_rows(found.table),
        "year": {
            "capacity_arr": found.capacity_arr,
            "judgment_arr": found.judgment_arr,
            "plan_arr": found.capacity_arr + found.judgment_arr,
            "quota_arr": found.quota_arr,
            "demand_arr": found.demand_arr,
            "expected_arr": found.expected_arr,
            "goal_arr": found.year.bridge.new_arr,
            "chance_of_goal": found.simulation.outcome.chance_of_goal.value,
            **found.cushions,
            "capacity_by_basis": found.by_basis,
        },
        "by_segment": [
            {
                "month": str(month),
                "segment": segment,
                "demand_arr": float(found.demand[number, index]),
                "at_hand_arr": float(found.waiting[number, index]),
                "closed_arr": float(found.closed[number, index]),
                "binding": found.binds[number][index],
            }
            for number, segment in enumerate(found.pools.segments)
            for index, month in enumerate(found.plan.months)
        ],
        "people": plain_rows(found.people),
        "limited_by": limited_by(found.simulation),
        "notes": [headline(found), *staffing_notes(found)],
    }
