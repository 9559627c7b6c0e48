"""Who must be hired, and by when: the fewest, latest starts that reach the plan at its confidence.

People are whole, so there is no price of a part of one: every answer is a year simulated again with the same random
numbers. The entries are those that would be to sign for the confidence if nobody lacked the time, and a tenth more:
with exactly as many, no number of people reaches it, since people who may leave are never enough for certain. More hires, or earlier ones, never close less, and on that the search rests: the fewest are looked for with
every start as early as can be; then starts are moved back, all of them together as late as the confidence allows.

What binds, and what one more of it is worth, and one less: found by re-solving, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property, partial
from itertools import combinations_with_replacement, product
from math import ceil, comb
from typing import Any

import numpy as np
import pandas as pd

from revplan.capacity.limits import Demand, booked
from revplan.capacity.load import load_limits
from revplan.capacity.team import (
    Pools,
    Seat,
    arr_of,
    asked_capacity,
    drawn_seat,
    drawn_seats,
    drawn_together,
    in_months,
    seat_of,
    together_factor,
)
from revplan.funnel.funnel import YEAR
from revplan.funnel.year import PlannedYear
from revplan.ground.calendar import MONTH_DAYS, MONTHS_PER_YEAR, month_of
from revplan.ground.errors import shown
from revplan.ground.formats import compact, counted, listed, show
from revplan.ground.tables import from_rows
from revplan.ground.terminal import plain_rows
from revplan.plan.people import CapacityChange, Hire, Rep, changed_capacity
from revplan.simulation.draws import DrawStore
from revplan.simulation.outlook import PEOPLE_SEED, Outlook
from revplan.simulation.simulate import Simulation, run, simulate
from revplan.simulation.trials import drivers, trials_of
from revplan.staffing.staffing import ALL

RolePlace = tuple[str, str | None]
"""Role and segment of a hire."""
Starts = tuple[int, ...]
"""Months of the starts of some hires, counted from the first of the year, the earliest first."""
TeamStarts = dict[RolePlace, Starts]

TRIALS = 2048  # that a search looks at; what it finds is checked with all
MOST_HIRES = 200
MANY_MIXES, MANY_STARTS = 400, 5_000  # ways tried one by one; beyond them the search goes step by step
STRIDE = 0.3  # of what is short that is hired at once, as far as it fills it
MARGIN, TRIES = 0.004, 4  # added to the confidence of the search where all trials say it fell short
RESERVE = 0.10  # of entries over what would be to sign if nobody lacked the time
HELPS = 0.02  # of the chance, from which something else is said to help
BUDGET = 50_000.0


@dataclass(frozen=True, eq=False)
class Search:
    """A simulated year in which hires may be added."""

    year: PlannedYear
    demand: Demand
    scale: float = 1.0
    """Times the expected commit that enter. [ratio]"""

    @cached_property
    def pools(self) -> Pools:
        """The segments that bring new ARR."""
        return Pools(tuple(dict.fromkeys(cell.segment for cell in self.year.cells)))

    @cached_property
    def places(self) -> dict[RolePlace, range]:
        """Where somebody can be hired, and the months in which a hire can start, lead times kept."""
        capacity = asked_capacity(self.year.plan)
        found: dict[RolePlace, range] = {}
        everybody: list[Rep | Hire] = [*capacity.people, *capacity.hires]
        everywhere = {each.role for each in everybody if each.segment is None}
        for name, role in capacity.roles.items():
            if not role.closes and role.load is None:
                continue
            first = earliest(self.year, name)
            segments: list[str | None] = [] if name in everywhere else list(self.pools.segments)
            for segment in segments or [None]:
                values = not role.closes or role.yearly(capacity.basis, segment)
                if values and first < MONTHS_PER_YEAR:
                    found[(name, segment)] = range(first, MONTHS_PER_YEAR)
        return found

    @cached_property
    def is_joint(self) -> bool:
        """Whether what closes in one segment depends on another: people of all segments, judgment, load limits."""
        capacity = asked_capacity(self.year.plan)
        shared = any(segment is None for _, segment in self.places) or bool(self.demand.capacity[-1].any())
        return shared or capacity.judgment is not None or bool(self.demand.people.loads)

    @property
    def _count(self) -> int:
        """Drawn years of the people that the trials look at."""
        return min(self.demand.luck.shape[2], self.demand.people.paths)

    @cached_property
    def _there(self) -> tuple[np.ndarray, dict[RolePlace, int]]:
        found, seen = drawn_seats(self.year.plan, self.pools, self.demand.people.paths, PEOPLE_SEED)
        return np.ascontiguousarray(found[:, :, : self._count]), seen

    @cached_property
    def _asked(self) -> np.ndarray:
        return self.demand.drawn(self.scale)

    @cached_property
    def _kept(self) -> dict[object, np.ndarray]:
        return {}

    def arr(self, team: TeamStarts) -> np.ndarray:
        """The year's new ARR in each trial with the hires of `team` besides the plan's. [plan currency]"""
        if self.is_joint:
            return self._remembered(tuple(sorted(team.items(), key=str)), lambda: self._jointly(team))
        by_segment = [
            {place: starts for place, starts in team.items() if place[1] == segment} for segment in self.pools.segments
        ]
        parts = [
            self._remembered((number, tuple(sorted(part.items(), key=str))), lambda n=number, t=part: self._alone(n, t))
            for number, part in enumerate(by_segment)
        ]
        found: np.ndarray = self.demand.won + np.sum(parts, axis=0)
        return found

    def _remembered(self, key: object, make: Any) -> np.ndarray:
        if key not in self._kept:
            self._kept[key] = make()
        return self._kept[key]

    def _alone(self, number: int, team: TeamStarts) -> np.ndarray:
        rooms = self._rooms(team, number)
        found: np.ndarray = booked(self._asked[[number]], rooms, self.demand.people.kept).sum(axis=(0, 1))
        return found

    def _jointly(self, team: TeamStarts) -> np.ndarray:
        asked = self._asked
        if self.demand.people.loads and any(not asked_capacity(self.year.plan).roles[role].closes for role, _ in team):
            asked = self._with_load(team)
        found: np.ndarray = self.demand.won + booked(asked, self._rooms(team), self.demand.people.kept).sum(axis=(0, 1))
        return found

    def _with_load(self, team: TeamStarts) -> np.ndarray:
        """Demand where those who work its records are more."""
        year = replace(self.year, plan=self.year.plan.model_copy(update={"capacity": self.staffed(team)}))
        arrs = [each.arr for each in load_limits(year, self.pools.segments)]
        loads = tuple(replace(each, arr=arr) for each, arr in zip(self.demand.people.loads, arrs, strict=True))
        return replace(self.demand, people=replace(self.demand.people, loads=loads)).drawn(self.scale)

    def staffed(self, team: TeamStarts) -> Any:
        """The plan's people with the hires of `team`."""
        capacity = asked_capacity(self.year.plan)
        return capacity.model_copy(update={"hires": (*capacity.hires, *self.hires(team))})

    def hires(self, team: TeamStarts) -> tuple[Hire, ...]:
        """The hires of `team` as lines of a plan."""
        first = self.year.plan.first_month
        return tuple(
            Hire(role=role, segment=segment, start=str(first + month), count=starts.count(month))
            for (role, segment), starts in sorted(team.items(), key=str)
            for month in sorted(set(starts))
        )

    def _rooms(self, team: TeamStarts, only: int | None = None) -> np.ndarray:
        """Shape (segments + 1, 12, trials): what people can close with the hires of `team`; of one segment, where asked."""
        found, seen = self._there
        rows = list(range(len(found))) if only is None else [only, len(found) - 1]
        found, drawn = found[rows], dict(seen)
        for hire in self.hires(team):
            seat, place = seat_of(self.year.plan, hire, MONTHS_PER_YEAR), (hire.role, hire.segment)
            pool = self.pools.of(hire.segment)
            if seat.carries and pool in rows:
                number = drawn.get(place, 0)
                key = ("seat", place, number, hire.start, hire.count)
                found[rows.index(pool)] += self._remembered(key, lambda s=seat, n=number: self._drawn(s, n))
                drawn[place] = number + 1
        together = drawn_together(self.year.plan, found, PEOPLE_SEED)
        count = self.demand.luck.shape[2]
        return together if count == self._count else together[:, :, np.arange(count) % self._count]

    def _drawn(self, seat: Seat, number: int) -> np.ndarray:
        capacity = asked_capacity(self.year.plan)
        return drawn_seat(capacity, seat, self.demand.people.paths, [PEOPLE_SEED, number])[:, : self._count]

    def chance(self, team: TeamStarts) -> float:
        """Chance of the goal with the hires of `team`. [0-1]"""
        goal = float(self.year.targets[:, :YEAR].sum())
        return float((self.arr(team) >= goal).mean())

    @property
    def chance_without_limits(self) -> float:
        """Chance of the goal if nobody ever lacked the time. [0-1]"""
        goal = float(self.year.targets[:, :YEAR].sum())
        return float((self.demand.asked(self.scale) >= goal).mean())

    # --- the fewest ---

    def earliest(self, counts: dict[RolePlace, int]) -> TeamStarts:
        """So many hires by place, all as early as can be."""
        return {place: (self.places[place][0],) * count for place, count in counts.items() if count}

    def fewest(self, confidence: float) -> list[dict[RolePlace, int]]:
        """How many to hire where: every way with the fewest in all that reaches `confidence`; none where none does."""
        found = self._greedily(confidence)
        if found is None:
            return []
        best, size = [found], sum(found.values())
        while size > 1:
            fewer = self._mixes(size - 1, confidence)
            if not fewer:
                break
            best, size = fewer, size - 1
        return self._mixes(size, confidence) or best

    def _mixes(self, size: int, confidence: float) -> list[dict[RolePlace, int]]:
        """Every way to hire `size` that reaches `confidence`; none is looked for where there are too many."""
        places = list(self.places)
        if comb(size + len(places) - 1, size) > MANY_MIXES:
            return []
        mixes = [{place: mix.count(place) for place in places} for mix in combinations_with_replacement(places, size)]
        return [mix for mix in mixes if self.chance(self.earliest(mix)) >= confidence]

    def _greedily(self, confidence: float) -> dict[RolePlace, int] | None:
        """Hires one after the other where the next brings most."""
        counts = dict.fromkeys(self.places, 0)
        if not counts or self.chance(self.earliest(dict.fromkeys(counts, MOST_HIRES))) < confidence:
            return None
        goal = float(self.year.targets[:, :YEAR].sum())
        for _ in range(MOST_HIRES * len(counts)):
            arr = self.arr(self.earliest(counts))
            if (arr >= goal).mean() >= confidence:
                return counts
            tried = {
                place: float(self.arr(self.earliest({**counts, place: counts[place] + 1})).mean()) for place in counts
            }
            best = max(tried, key=tried.__getitem__)
            short = goal - float(np.quantile(arr, 1 - confidence))
            brings = max(tried[best] - float(arr.mean()), 1e-9)
            counts[best] += max(int(STRIDE * short / brings), 1)  # far from the goal some at once
        return None

    # --- the latest ---

    def latest(self, mixes: list[dict[RolePlace, int]], confidence: float) -> TeamStarts:
        """The starts of the fewest hires, together as late as `confidence` allows; of ties the likeliest."""
        ways = sum(self._ways(mix) for mix in mixes)
        if ways > MANY_STARTS:
            return self._moved_back(self.earliest(mixes[0]), confidence)
        teams = sorted((team for mix in mixes for team in self._teams(mix)), key=_lateness, reverse=True)
        best: TeamStarts | None = None
        for team in teams:
            if best is not None and _lateness(team) < _lateness(best):
                break
            if (chance := self.chance(team)) >= confidence and (best is None or chance > self.chance(best)):
                best = team
        assert best is not None  # the earliest starts reach it
        return best

    def _ways(self, mix: dict[RolePlace, int]) -> int:
        sizes = [comb(count + len(self.places[place]) - 1, count) for place, count in mix.items() if count]
        return int(np.prod(sizes, dtype=float))

    def _teams(self, mix: dict[RolePlace, int]) -> Iterator[TeamStarts]:
        places = [place for place, count in mix.items() if count]
        for starts in product(*(combinations_with_replacement(self.places[place], mix[place]) for place in places)):
            yield dict(zip(places, starts, strict=True))

    def _moved_back(self, team: TeamStarts, confidence: float) -> TeamStarts:
        """Starts moved back where it costs least, as long as `confidence` is kept: many hires together at first, then one."""
        together = max(sum(map(len, team.values())) // 4, 1)
        while True:
            tried = [each for each in self._some_later(team, together) if self.chance(each) >= confidence]
            if tried:
                team = max(tried, key=lambda each: float(self.arr(each).mean()))
            elif together > 1:
                together //= 2
            else:
                return team

    def _some_later(self, team: TeamStarts, together: int) -> Iterator[TeamStarts]:
        """Teams in which up to `together` hires of one place and month start a month later."""
        for place, starts in team.items():
            for month in sorted(set(starts)):
                if month < self.places[place][-1]:
                    moved = min(starts.count(month), together)
                    others = [each for each in starts if each != month] + [month] * (starts.count(month) - moved)
                    yield {**team, place: tuple(sorted([*others, *[month + 1] * moved]))}


def _lateness(team: TeamStarts) -> int:
    return sum(month for starts in team.values() for month in starts)


def earliest(year: PlannedYear, role: str) -> int:
    """First month of which somebody hired from the plan date on can be there from its first day."""
    capacity = asked_capacity(year.plan)
    now = in_months(year.plan.plan_date, year.plan.first_month.ordinal)
    given = capacity.roles[role]
    return ceil(now + (given.open_requisition_days + given.offer_lead_days) / MONTH_DAYS - 1e-9)


# --- the answer ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, repr=False)
class Hiring:
    """Who must be hired besides the plan's hires, and what it does."""

    simulation: Simulation
    """The year with the plan's own people."""
    confidence: float
    hires: tuple[Hire, ...] | None
    """None where no hires reach the confidence."""
    after: Simulation
    """The year with the hires; where none reach it, with as many as can be of use, as early as can be."""
    search: Search

    @property
    def scale(self) -> float:
        """Times the expected commit that enter. [ratio]"""
        return self.search.scale

    @cached_property
    def chance_before(self) -> float:
        """Chance of the goal with the plan's own people. [0-1]"""
        return self.simulation.chance_at(self.scale)

    @cached_property
    def chance_after(self) -> float:
        """Chance of the goal with the hires. [0-1]"""
        return self.after.chance_at(self.scale)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Table hires: a row for each role, segment and start."""
        capacity, rows = asked_capacity(self.simulation.year.plan), []
        for hire in self.hires or ():
            role = capacity.roles[hire.role]
            lead = timedelta(days=ceil(role.open_requisition_days + role.offer_lead_days))
            rows.append(
                (
                    hire.role,
                    hire.segment or ALL,
                    str(hire.start),
                    float(hire.count),
                    pd.Timestamp(hire.first_day - lead),
                )
            )
        return from_rows("hires", rows)

    @cached_property
    def too_late(self) -> list[dict[str, Any]]:
        """Where a hire can no longer be ramped within the year, and what it would still bring; all where hires do not do."""
        found = []
        plan = self.simulation.year.plan
        base = float(self.search.arr({}).mean())
        for (role, segment), months in _all_places(self.search).items():
            ramp = asked_capacity(plan).roles[role].stated_ramp
            ramped = months[0] + (len(ramp.shares) if ramp else 0)
            if ramped < MONTHS_PER_YEAR and self.hires is not None:
                continue
            brings = 0.0
            if (role, segment) in self.search.places:
                brings = float(self.search.arr({(role, segment): (months[0],)}).mean()) - base
            found.append(
                {
                    "role": role,
                    "segment": segment or ALL,
                    "earliest_start": str(plan.first_month + months[0]),
                    "fully_ramped": str(plan.first_month + ramped),
                    "arr_of_one": brings,
                }
            )
        return found


def _all_places(search: Search) -> dict[RolePlace, range]:
    """Where people could be hired, even if they could not start within the year."""
    capacity = asked_capacity(search.year.plan)
    found = dict(search.places)
    for name, role in capacity.roles.items():
        first = earliest(search.year, name)
        if role.closes and first >= MONTHS_PER_YEAR:
            for segment in search.pools.segments:
                if role.yearly(capacity.basis, segment):
                    found[(name, segment)] = range(first, first + 1)
    return found


def hiring(simulation: Simulation, confidence: float | None = None) -> Hiring:
    """Who must be hired for the goal to be reached with `confidence` (the plan's if left out).

    Raises
    ------
    PlanError
        If the plan says nothing of its people.
    """
    asked_capacity(simulation.year.plan)
    sure = simulation.confidence if confidence is None else confidence
    assert simulation.detail.demand is not None
    search = Search(simulation.year, simulation.detail.demand.some(TRIALS), entering(simulation, sure))
    none = Hiring(simulation, sure, (), simulation, search)
    if none.chance_before >= sure:
        return none
    wanted = sure
    for _ in range(TRIES):
        mixes = search.fewest(wanted)
        if not mixes:
            break
        hires = search.hires(search.latest(mixes, wanted))
        found = Hiring(simulation, sure, hires, with_hires(simulation, hires), search)
        if found.chance_after >= sure:
            return found
        wanted += sure - found.chance_after + MARGIN
    everybody = search.hires(search.earliest(dict.fromkeys(search.places, MOST_HIRES)))
    return Hiring(simulation, sure, None, with_hires(simulation, everybody), search)


def entering(simulation: Simulation, confidence: float) -> float:
    """Times the expected commit that enter: what would be to sign if nobody lacked the time, and a tenth more. [ratio]

    The expected commit itself where no volume would give the confidence.
    """
    view = replace(simulation.view, months=None)
    store = DrawStore(simulation.trials, drivers(view), simulation.seed)
    _, (point,) = run(view, store, (confidence,))
    scale = point.scale.value
    return max(scale, 0.0) * (1 + RESERVE) if np.isfinite(scale) else 1.0


def with_hires(simulation: Simulation, hires: tuple[Hire, ...]) -> Simulation:
    """The same year, trials and seed, with hires besides the plan's."""
    plan = simulation.year.plan
    capacity = asked_capacity(plan)
    capacity = capacity.model_copy(update={"hires": (*capacity.hires, *hires)})
    year = replace(simulation.year, plan=plan.model_copy(update={"capacity": capacity}))
    return simulate(year, simulation.trials, simulation.seed)


def hiring_words(found: Hiring) -> str:
    """Who must be hired, in one sentence."""
    sure = show(found.confidence, "share")
    before = show(round(found.chance_before, 3), "share")
    after = show(round(found.chance_after, 3), "share")
    if found.hires is None:
        return (
            f"No hires reach the goal in {sure} of the years: it is {before} with the people of the plan, and {after} however "
            "many start as early as can be."
        )
    if not found.hires:
        return f"Nobody need be hired besides the plan's hires: its people reach the goal in {before} of the years, and {sure} are asked for."
    count = sum(hire.count for hire in found.hires)
    return (
        f"{counted(count, 'hire')} besides the plan's {'is the fewest' if count == 1 else 'are the fewest'} that "
        f"{'reaches' if count == 1 else 'reach'} the goal in {sure} of the years, {'it starts' if count == 1 else 'they start'} as late as "
        f"that allows: {after}, against {before} without."
    )


def hires_words(hires: Sequence[Hire]) -> str:
    """Hires by role, segment and month, as a list in a sentence."""
    by_month: dict[str, list[str]] = {}
    for hire in sorted(hires, key=lambda each: each.first_day):
        where = f" in {shown(hire.segment)}" if hire.segment else ""
        month = show(month_of(hire.first_day), "month")
        by_month.setdefault(month, []).append(f"{hire.count} {shown(hire.role)}{where}")
    return "; ".join(f"{listed(who)} (to start in {month})" for month, who in by_month.items())


def hiring_notes(found: Hiring) -> Iterator[str]:
    """What a reader must know of the hires, one sentence each."""
    plan = found.simulation.year.plan
    yield (
        f"Entries are taken at {show(found.scale, 'ratio')} times the expected commit: what would be to sign for "
        f"{show(found.confidence, 'share')} if nobody lacked the time, and {show(RESERVE, 'share')} more."
        if found.scale != 1.0
        else "Entries are taken as the expected commit has them: no volume would give the confidence, even if nobody lacked the time."
    )
    for each in found.too_late:
        where = f"{shown(each['role'])} in {shown(each['segment'])}"
        yield (
            f"One {where} hired from today on starts in {each['earliest_start']} at the earliest and is fully ramped from "
            f"{each['fully_ramped']} on; one more brings {compact(each['arr_of_one'], plan.currency)} of the year's new ARR."
        )
    if found.hires is None:
        free = found.search.chance_without_limits
        yield (
            f"If nobody ever lacked the time, the goal would be reached in {show(round(free, 3), 'share')} of the years: "
            + (
                "what is missing is people, and they come too late."
                if free >= found.confidence
                else "people alone do not do, demand is missing too."
            )
        )
        helps = sorted(other_levers(found), key=lambda each: -each[1])
        told = [f"{what} ({show(more, 'share')} more)" for what, more in helps if more > HELPS]
        yield (
            f"What else would help: {listed(told[:4])}."
            if told
            else (
                "Nothing else that was tried (more entries, a better win rate, a shorter ramp, nobody leaving, a tenth more from "
                f"each rep) adds {show(HELPS, 'share')} to the chance: the goal or its dates would have to change."
            )
        )


def other_levers(found: Hiring) -> Iterator[tuple[str, float]]:
    """What else could be done, and how much more likely each alone makes the goal, without hires. [0-1]"""
    simulation, base = found.simulation, float((found.search.arr({}) >= found.simulation.view.goal).mean())
    for each in worths(simulation):
        if each.sign > 0 and each.kind != "rep":
            yield each.what, each.chance
    capacity = asked_capacity(simulation.year.plan)
    ramps = [len(ramp.shares) for role in capacity.roles.values() if (ramp := role.stated_ramp)]
    changes = {
        "nobody leaving": CapacityChange(attrition=0.0),
        "a tenth more from each rep": CapacityChange(productivity=1.1),
    }
    if max(ramps, default=0) > 1:
        changes["a ramp one month shorter"] = CapacityChange(ramp=1 - 1 / max(ramps))
    for what, change in changes.items():
        plan = simulation.year.plan.model_copy(update={"capacity": changed_capacity(capacity, change)})
        search = Search(replace(simulation.year, plan=plan), found.search.demand, found.scale)
        yield what, search.chance({}) - base


def hiring_answer(found: Hiring) -> dict[str, Any]:
    """What `revplan hire --json` prints."""
    return {
        "confidence": found.confidence,
        "scale": found.scale,
        "hires": [{**row, "count": int(row["count"])} for row in plain_rows(found.table)],
        "reached": found.hires is not None,
        "chance_before": found.chance_before,
        "chance_after": found.chance_after,
        "standard_error": found.after.outcome.chance_of_goal.standard_error,
        "too_late": found.too_late,
        "notes": [hiring_words(found), *hiring_notes(found)],
    }


# --- what one more is worth ----------------------------------------------------------------------


@dataclass(frozen=True)
class WorthOfOne:
    """What one more, or one less, of something does to the year, all else as it is."""

    kind: str
    """rep, entry, budget or win rate."""
    what: str
    sign: int
    """1: one more; -1: one less."""
    arr: float
    """Expected new ARR of the year, more than without. [plan currency]"""
    error: float
    """Its Monte-Carlo standard error. [plan currency]"""
    chance: float
    """Chance of the goal, more than without."""


def worths(simulation: Simulation) -> list[WorthOfOne]:
    """What one more and one less rep, entry at the commit stage, 50,000 of budget and point of win rate do."""
    assert simulation.detail.demand is not None
    base = simulation.detail.demand.arr()
    found = []
    for kind, what, sign, arr in _variations(simulation):
        change = arr - base
        error = simulation.detail.standard_error(change)
        goal = simulation.view.goal
        more = float((arr >= goal).mean() - (base >= goal).mean())
        found.append(WorthOfOne(kind, what, sign, float(change.mean()), error, more))
    return sorted(found, key=lambda each: (-each.sign, -abs(round(each.arr, 2))))


def _variations(simulation: Simulation) -> Iterator[tuple[str, str, int, np.ndarray]]:
    year, demand = simulation.year, simulation.detail.demand
    assert demand is not None
    search = Search(year, demand)
    for place, months in search.places.items():
        where = f"{shown(place[0])} in {shown(place[1])}" if place[1] else shown(place[0])
        yield (
            "rep",
            f"one more {where}, from {year.plan.first_month + months[0]} on",
            1,
            search.arr({place: (months[0],)}),
        )
        fewer = _without_one(year, place, demand)
        if fewer is not None:
            yield "rep", f"one {where} less", -1, replace(demand, capacity=fewer).arr()
    view = simulation.view
    titles = year.plan.titles
    stage = year.plan.commit_stage
    for number, segment in enumerate(search.pools.segments):
        entries = _entries(year, segment, stage)
        for sign in (1, -1) if entries > 1 else ():
            words = f"one {'more ' if sign > 0 else ''}{titles[stage]} in {shown(segment)}{'' if sign > 0 else ' less'}"
            rows = (view.months.segment == number) & ~view.is_open if view.months else np.zeros(0, dtype=bool)
            yield "entry", words, sign, _arr_of(simulation, _with_entries(view, rows, 1 + sign / entries))
    yield from _budget(simulation, view)
    for sign in (1, -1) if len(view.last_rates) else ():
        words = f"a point of win rate {'more' if sign > 0 else 'less'}"
        varied = view.with_last_rates(partial(np.add, 0.01 * sign))
        yield "win rate", words, sign, _arr_of(simulation, varied)


def _budget(simulation: Simulation, view: Outlook) -> Iterator[tuple[str, str, int, np.ndarray]]:
    """50,000 more and less, shared out over the priced sources as the plan spends."""
    year, spent = simulation.year, 0.0
    priced = []
    for cell, flow in zip(year.cells, year.flows, strict=True):
        cost = year.plan.sources[cell.source].cost_per_entry
        spent += float(year.in_year(flow[0]).sum()) * (cost or 0.0)
        priced.append(bool(cost))
    rows = np.zeros(len(view.is_open), dtype=bool)
    rows[np.flatnonzero(~view.is_open)] = priced
    amount = compact(BUDGET, year.plan.currency)
    for sign in (1, -1) if spent > BUDGET else ():
        words = f"{amount} {'more' if sign > 0 else 'less'} of budget, as the plan spends it"
        yield "budget", words, sign, _arr_of(simulation, _with_entries(view, rows, 1 + sign * BUDGET / spent))


def _entries(year: PlannedYear, segment: str, stage: str) -> float:
    """Committed entries of the year into a stage in a segment. [records]"""
    return sum(
        float(year.in_year(flow[cell.stages.index(stage)]).sum())
        for cell, flow in zip(year.cells, year.flows, strict=True)
        if cell.segment == segment and stage in cell.stages
    )


def _with_entries(view: Outlook, rows: np.ndarray, factor: float) -> Outlook:
    """The same with `factor` times the entries of some rows."""
    assert view.months is not None
    factors = np.where(rows, factor, 1.0)
    months = replace(view.months, loads=view.months.loads * factors[:, None, None])
    return replace(view, months=months, landing=view.landing * factors[:, None])


def _arr_of(simulation: Simulation, view: Outlook) -> np.ndarray:
    """The year's new ARR in each trial of a view, with the same random numbers."""
    demand = trials_of(view, simulation.detail_store).demand
    assert demand is not None
    return demand.arr()


def _without_one(year: PlannedYear, place: RolePlace, demand: Demand) -> np.ndarray | None:
    """What people can close in each trial without the one of a place who came last; None where nobody is there."""
    capacity = asked_capacity(year.plan)
    pools = Pools(tuple(dict.fromkeys(cell.segment for cell in year.cells)))
    mine = [
        index
        for index, rep in enumerate(capacity.people)
        if (rep.role, rep.segment) == place
        and rep.seat == "quota"
        and (rep.leave is None or rep.leave > year.plan.plan_date)
    ]
    if not mine or not capacity.roles[place[0]].closes:
        return None
    last = max(mine, key=lambda index: capacity.people[index].start)
    seat = seat_of(year.plan, capacity.people[last], MONTHS_PER_YEAR)
    one = arr_of(capacity, seat, seat.expected / seat.count)
    pool = pools.of(place[1])
    found = demand.capacity.copy()
    if pool is not None:
        found[pool] = np.maximum(
            found[pool] - one[:, None] * together_factor(capacity, PEOPLE_SEED, found.shape[2]), 0.0
        )
    return found


def worth_words(found: list[WorthOfOne], currency: str) -> str:
    """What one more is worth most, and whether something else is worth as much, in one sentence."""
    more = [each for each in found if each.sign > 0]
    if not more:
        return "Nothing can be added of which one more would be worth anything."
    best = more[0]
    if best.arr <= 2 * best.error:
        return "One more of nothing is worth anything within the year."
    ties = [each.what for each in more[1:] if abs(each.arr - best.arr) <= 2 * np.hypot(each.error, best.error)]
    tied = f"; {listed(ties)} {'is' if len(ties) == 1 else 'are'} worth the same within the error" if ties else ""
    return (
        f"What is worth most is {best.what}: {compact(best.arr, currency)} of the year's new ARR in expectation{tied}."
    )


def worth_table(found: list[WorthOfOne]) -> pd.DataFrame:
    """Table worths."""
    return from_rows("worths", ((each.what, each.arr, each.error, each.chance) for each in found))
