"""What can be moved: a lever for each rate, deal size, delay, volume and budget, goal and uncertainty.

A lever is read and set in the unit it is shown in (percent, plan currency), and knows its range.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil, floor, isclose, log10

import pandas as pd

from revplan.app.game import Game
from revplan.app.state import (
    ACV,
    ATTRITION,
    CONFIDENCE,
    GOAL,
    HIRES,
    LAG,
    MOST_TIMES,
    OF_PEOPLE,
    PRODUCTIVITY,
    RAMP,
    RATE,
    START,
    UNCERTAIN,
    VOLUME,
    LeverKey,
    State,
    first_start,
    hires_of,
    scenario_of,
    step_name,
)
from revplan.capacity.team import asked_capacity
from revplan.funnel.funnel import YEAR
from revplan.ground.calendar import month_of
from revplan.ground.errors import PlanError, shown
from revplan.ground.formats import show
from revplan.ground.lag import MAX_MONTHS
from revplan.plan.goal import solve_bridge
from revplan.plan.model import Plan
from revplan.plan.parts import Scenario, Transition
from revplan.plan.people import Hire, Rep
from revplan.plan.scenario import cells_through, varied

RATES, DEALS, DELAYS, VOLUMES = "Rates", "Deal size", "Delays", "Volume and budget"
PEOPLE, CERTAINTY = "People", "Goal and certainty"
GROUPS = (RATES, DEALS, DELAYS, VOLUMES, PEOPLE, CERTAINTY)
DAYS, PERCENT = "days", "%"  # the units that a delay can be moved in
FEW_DAYS = 20.0  # below which a delay is moved by tenths of a day
LONGEST_RAMP = 60.0  # months
MOST_HIRES = 20  # a slider offers at least
TIMES = 4.0  # how far above (and below) the plan a slider reaches
GRID_DIGITS = 9  # decimals of a slider's values: takes the noise of binary fractions off
MORE_DIGITS, SHORT_DIGITS = 4, 7  # further decimals with which a value is shown that has so few digits
SAME, REACHED = 1e-9, 1e-6  # relative difference below which two settings are one, and below which one was reached
UNCERTAIN_LABELS = {
    "rho": "Rates move together (correlation, %)",
    "lag_cv": "Delays stray by (%)",
    "volume_cv": "Volumes stray by (%)",
}


BOUNDS = {
    RATE: "a rate would pass 100 %",
    **dict.fromkeys((RAMP, PRODUCTIVITY), f"a scenario changes it by {MOST_TIMES:.0f} times at most"),
}
"""Why a lever cannot be set to a value."""


@dataclass(frozen=True)
class Lever:
    """One thing that can be moved."""

    key: LeverKey
    group: str
    label: str
    low: float
    high: float
    step: float
    """What one key press on the slider moves it by; `low` and `high` are multiples of it."""
    digits: int
    """Least decimals it is shown with."""
    scale: float | None
    """What is shown over what the plan file holds; None where a factor is set."""
    unit: str = PERCENT
    first: pd.Period | None = None
    """The month that 0 stands for, where a month is set; None where a number is."""

    @property
    def range(self) -> str:
        """The range it accepts, in words."""
        return f"{self.written(self.low)} to {self.written(self.high)} {self.unit}".rstrip()

    @property
    def is_whole(self) -> bool:
        """Whether it takes whole numbers only: people, and months of a ramp that is a list of them."""
        return self.key[0] == HIRES or (self.key[0] == RAMP and self.step == 1)

    @property
    def positions(self) -> tuple[int, int]:
        """The slider's ends, counted in steps from 0."""
        return round(self.low / self.step), round(self.high / self.step)

    def position(self, value: float) -> int:
        """Where the slider stands for a value: the nearest step, at an end where the value lies beyond it."""
        lowest, highest = self.positions
        return min(max(round(value / self.step), lowest), highest)

    def at(self, position: int) -> float:
        """The value of a position of the slider."""
        return round(position * self.step, GRID_DIGITS)

    def written(self, value: float) -> str:
        """A value as it is shown: a month by its name, a number to its last decimal where it has few, else rounded."""
        if self.first is not None:
            return show(self.first + round(value), "month")
        tried = range(self.digits, self.digits + MORE_DIGITS + 1)
        decimals = next((each for each in tried if _ends(value, each)), self.digits)
        return f"{round(value, decimals) + 0.0:,.{decimals}f}"

    def read(self, text: str) -> float:
        """The value that somebody typed.

        Raises
        ------
        ValueError
            In words, if it is no number, or no month that can be set.
        """
        if self.first is None:
            return typed_number(text)
        for value in range(round(self.low), round(self.high) + 1):
            month = self.first + value
            if text.strip().casefold() in (str(month), self.written(value).casefold()):
                return float(value)
        raise ValueError(f"{shown(text)!r} is no month from {self.written(self.low)} to {self.written(self.high)}")


@dataclass(frozen=True, eq=False)
class Board:
    """The levers of a game, read and set."""

    game: Game

    @cached_property
    def entries(self) -> Mapping[tuple[str, str], Mapping[str, float]]:
        """By cell and stage: entries of the base plan's year. [records]"""
        year = self.game.base.year
        return {
            (cell.segment, cell.source): {
                stage: float(year.in_year(months).sum()) for stage, months in zip(cell.stages, flow, strict=True)
            }
            for cell, flow in zip(year.cells, year.flows, strict=True)
        }

    def levers(self, segment: str = "", delays_in: str = PERCENT) -> tuple[Lever, ...]:
        """Every lever; rates of all segments together, or of one; delays in days, or in per cent of the plan's."""
        delays = self._delays(delays_in)
        made = (self._rates(segment), self._deals(), delays, self._volumes(), self._people(), self._certainty())
        return tuple(lever for part in made for lever in part)

    def readings(self, state: State, levers: Sequence[Lever]) -> list[float]:
        """Where levers stand, each in the unit it is shown in."""
        scenario = scenario_of(self.game.plan, state)
        plan = varied(self.game.plan, "", scenario)
        return [self._reading(plan, scenario, lever) for lever in levers]

    def reading(self, state: State, lever: Lever) -> float:
        """Where a lever stands, in the unit it is shown in."""
        return self.readings(state, [lever])[0]

    def _reading(self, plan: Plan, scenario: Scenario, lever: Lever) -> float:
        kind, name, segment = lever.key
        if kind == RATE:
            return 100 * self._mean_rate(plan, name, segment)
        if kind == LAG:
            days = self._length(plan, name)
            return days if lever.unit == DAYS else 100 * (days / self._length(self.game.plan, name))
        if kind in OF_PEOPLE:
            return _of_people(plan, scenario, lever)
        return (lever.scale or 1.0) * _value(plan, scenario.volume_of(name), kind, name)

    def set_to(self, state: State, lever: Lever, value: float) -> State:
        """The state with a lever set to exactly `value`, in the unit it is shown in.

        What was shown before the lever was touched takes the move back.

        Raises
        ------
        ValueError
            In words, if the scenario cannot take that value.
        """
        untouched = state.without(lever.key)
        if lever.key[0] == START:
            people = varied(self.game.plan, "", scenario_of(self.game.plan, untouched)).capacity
            if people is None or not hires_of(people.hires, *lever.key[1:]):
                raise ValueError("Nobody is to be hired there; add a hire first")
        before = self.reading(untouched, lever)
        if isclose(value, before, rel_tol=SAME) or value == lever.read(lever.written(before)):
            return untouched
        if lever.is_whole and value != round(value):
            raise ValueError(f"{lever.written(value)} is no whole number of {lever.unit}")
        if lever.scale is None and not before > 0:
            raise ValueError(f"in this scenario {lever.label} is 0, and no share of 0 is anything else")
        moved = untouched.with_moved(lever.key, value / (lever.scale or before))
        read_back = self.reading(moved, lever)
        if not isclose(read_back, value, rel_tol=REACHED, abs_tol=REACHED):
            bound = BOUNDS.get(lever.key[0], f"a delay would pass {MAX_MONTHS} months")
            raise ValueError(
                f"{lever.written(value)} is too much for this scenario, {lever.written(read_back)} is not: {bound}"
            )
        return moved

    def slid_to(self, state: State, lever: Lever, position: int) -> State:
        """The state with a slider at a position; where it stood before it was touched takes the move back.

        Raises
        ------
        ValueError
            In words, if the scenario cannot take the position's value.
        """
        untouched = state.without(lever.key)
        if position == lever.position(self.reading(untouched, lever)):
            return untouched
        return self.set_to(state, lever, lever.at(position))

    def _weights(self, step: str, segment: str = "") -> dict[tuple[str, str], float]:
        """Records that take a step in the base plan's year, by cell; evenly where none do."""
        pair = _pair(self.game.plan, step)
        cells = [cell for cell in cells_through(self.game.plan, pair) if segment in ("", cell[0])]
        weights = {cell: self.entries[cell][pair[0]] for cell in cells}
        return weights if sum(weights.values()) > 0 else dict.fromkeys(cells, 1.0)

    def _mean_rate(self, plan: Plan, step: str, segment: str) -> float:
        weights, pair = self._weights(step, segment), _pair(plan, step)
        passed = sum(weight * _taken(plan, cell, pair).rate for cell, weight in weights.items())
        return passed / sum(weights.values())

    def _length(self, plan: Plan, step: str) -> float:
        """Median delay of a step, or of all steps together. [days]"""
        days = 0.0
        for each in [step] if step else map(step_name, pairwise(plan.stage_ids)):
            weights, pair = self._weights(each), _pair(plan, each)
            waited = sum(weight * _taken(plan, cell, pair).lag.length_days for cell, weight in weights.items())
            days += waited / sum(weights.values()) if weights else 0.0
        return days

    def _rates(self, segment: str) -> Iterator[Lever]:
        plan = self.game.plan
        for pair in pairwise(plan.stage_ids):
            step = step_name(pair)
            weights = self._weights(step, segment)
            if not weights:
                continue
            base = 100 * self._mean_rate(plan, step, segment)
            largest = max(_taken(plan, cell, pair).rate for cell in weights)
            digits = 1 if base >= 2 else 2
            fine = 10.0**-digits
            span = _grid(fine, base / largest, fine)
            yield Lever((RATE, step, segment), RATES, f"{_step_title(plan, pair)} (%)", *span, digits, None)

    def _deals(self) -> Iterator[Lever]:
        plan = self.game.plan
        brings = {segment for segment, _ in plan.cells}
        for name, segment in plan.segments.items():
            if name not in brings:  # no share of the goal: its deal size decides nothing
                continue
            yield _of_money((ACV, name, ""), DEALS, f"Deal size {shown(name)}", segment.acv.mean, plan.currency)

    def _delays(self, unit: str) -> Iterator[Lever]:
        plan = self.game.plan
        names = {"": "All delays", **{step_name(pair): _step_title(plan, pair) for pair in pairwise(plan.stage_ids)}}
        for step, label in names.items():
            days = self._length(plan, step)
            if days > 0 and unit == DAYS:
                digits = int(days < FEW_DAYS)
                span = _grid(days / TIMES, days * TIMES, 10.0**-digits)
                yield Lever((LAG, step, ""), DELAYS, f"{label} (median days)", *span, digits, None, DAYS)
            elif days > 0:
                yield Lever((LAG, step, ""), DELAYS, f"{label} (% of plan)", 25.0, 100 * TIMES, 1.0, 0, None)

    def _people(self) -> Iterator[Lever]:
        """Hires of each closing role and segment, when they start; ramp, attrition and what a rep closes, of all."""
        plan = self.game.plan
        if plan.capacity is None:
            return
        for role, segment in _hired_places(plan):
            where = f"{shown(role)}{f', {shown(segment)}' if segment else ''}"
            planned = hires_of(plan.capacity.hires, role, segment)
            most = max(MOST_HIRES, 2 * sum(each.count for each in planned))
            yield Lever((HIRES, role, segment), PEOPLE, f"Hires {where} (people)", 0.0, most, 1.0, 0, 1.0, "people")
            starts = [*(month_of(each.first_day) for each in planned), first_start(plan, role, segment)]
            places = [(month - plan.first_month).n for month in starts]
            span = (float(min(places)), float(max(YEAR - 1, *places)), 1.0)
            label = f"Start of the hires {where} (month)"
            yield Lever((START, role, segment), PEOPLE, label, *span, 0, 1.0, "", plan.first_month)
        if lengths := _ramp_months(plan):
            role, months = max(lengths.items(), key=lambda each: each[1])
            ramp = plan.capacity.roles[role].stated_ramp
            fine = 1.0 if ramp is None or ramp.linear_months is None else 0.5
            span = _grid(fine, min(max(3 * months, 12.0), LONGEST_RAMP, 10 * months), fine)
            label = f"Ramp of {shown(role)}{', others in proportion' if len(lengths) > 1 else ''} (months)"
            yield Lever((RAMP, "", ""), PEOPLE, label, *span, int(fine < 1), None, "months")
        for name, each in plan.capacity.roles.items():
            if each.closes:
                label = f"Attrition {shown(name)} (% a year)"
                yield Lever((ATTRITION, name, ""), PEOPLE, label, 0.0, 60.0, 1.0, 0, 100.0)
        yield Lever((PRODUCTIVITY, "", ""), PEOPLE, "What each rep closes (% of plan)", 25.0, 300.0, 1.0, 0, None)

    def _volumes(self) -> Iterator[Lever]:
        plan, spent = self.game.plan, self._spent()
        for name in self._committed:
            yield Lever((VOLUME, name, ""), VOLUMES, f"Entries {shown(name)} (% of plan)", 0.0, 300.0, 1.0, 0, 100.0)
            if spent.get(name, 0) > 0:
                base = spent[name]
                label, span = f"Budget {shown(name)} ({plan.currency})", _grid(0.0, 3 * base, _nice(base / 100))
                yield Lever((VOLUME, name, ""), VOLUMES, label, *span, _money_digits(base), base, plan.currency)

    @cached_property
    def _committed(self) -> tuple[str, ...]:
        """The sources that the base plan commits entries of; of the others nothing could be more or less."""
        year = self.game.base.year
        some = {cell.source for cell, flow in zip(year.cells, year.flows, strict=True) if flow[0].any()}
        return tuple(name for name in self.game.plan.sources if name in some)

    def _spent(self) -> dict[str, float]:
        """Programme spend of the base plan's year by source. [plan currency]"""
        year = self.game.base.year
        spent = dict.fromkeys(self.game.plan.sources, 0.0)
        for (_, source), stages in self.entries.items():
            cost = year.plan.sources[source].cost_per_entry or 0.0
            spent[source] += cost * stages[year.plan.entry_stage(source)]
        return spent

    def _certainty(self) -> Iterator[Lever]:
        plan = self.game.plan
        goal = solve_bridge(plan.goal).new_arr
        if goal > 0:
            yield _of_money((GOAL, "", ""), CERTAINTY, "New ARR asked for", goal, plan.currency)
        yield Lever((CONFIDENCE, "", ""), CERTAINTY, "Sign with a confidence of (%)", 50.0, 95.0, 1.0, 0, 100.0)
        strays = {
            "rho": any(each.evidence is not None for each in plan.transitions),
            "lag_cv": self._length(plan, "") > 0,
            "volume_cv": bool(self._committed),
        }
        for name in UNCERTAIN:
            if not strays[name]:  # nothing that it could move
                continue
            most = 95.0 if name == "rho" else 200.0
            yield Lever((name, "", ""), CERTAINTY, UNCERTAIN_LABELS[name], 0.0, most, 1.0, 0, 100.0)


def _of_money(key: LeverKey, group: str, label: str, amount: float, currency: str) -> Lever:
    """What moves an amount, about the `amount` of the plan."""
    span = _grid(amount / TIMES, amount * TIMES, _nice(amount / 100))
    return Lever(key, group, f"{label} ({currency})", *span, _money_digits(amount), 1.0, currency)


def _value(plan: Plan, volume: float, kind: str, name: str) -> float:
    """The value of a lever that is no factor, in the unit of the plan file."""
    if kind == VOLUME:
        return volume
    if kind == ACV:
        return plan.segments[name].acv.mean
    if kind == GOAL:
        return solve_bridge(plan.goal).new_arr
    return plan.commit.confidence if kind == CONFIDENCE else float(getattr(plan.uncertainty, kind))


def _hired_places(plan: Plan) -> list[tuple[str, str]]:
    """Role and segment of those who close, of the roster and of planned hires; the segment is empty where they work all."""
    if plan.capacity is None:
        return []
    people: tuple[Rep | Hire, ...] = (*plan.capacity.people, *plan.capacity.hires)
    places = dict.fromkeys((each.role, each.segment or "") for each in people if plan.capacity.roles[each.role].closes)
    return list(places) or [(name, "") for name, role in plan.capacity.roles.items() if role.closes]


def _ramp_months(plan: Plan) -> dict[str, float]:
    """Length of the ramp of each role that has one. [months]"""
    roles = plan.capacity.roles if plan.capacity else {}
    return {
        name: length for name, role in roles.items() if role.stated_ramp and (length := role.stated_ramp.length) > 0
    }


def _of_people(plan: Plan, scenario: Scenario, lever: Lever) -> float:
    """Where a lever of the people stands, in the unit it is shown in."""
    kind, role, segment = lever.key
    capacity = asked_capacity(plan)
    hires = hires_of(capacity.hires, role, segment)
    if kind == HIRES:
        return float(sum(each.count for each in hires))
    if kind == START:
        month = month_of(hires[0].first_day) if hires else first_start(plan, role, segment)
        return float((month - plan.first_month).n)
    if kind == RAMP:
        return max(_ramp_months(plan).values())
    if kind == PRODUCTIVITY:
        return 100 * ((scenario.capacity.productivity if scenario.capacity else None) or 1.0)
    return 100 * capacity.roles[role].attrition


def _pair(plan: Plan, step: str) -> tuple[str, str]:
    return next(pair for pair in pairwise(plan.stage_ids) if step_name(pair) == step)


def _taken(plan: Plan, cell: tuple[str, str], pair: tuple[str, str]) -> Transition:
    """The transition that the records of a cell take from one stage of `pair` to the next."""
    taken = plan.transition(pair, *cell)
    if taken is None:
        raise PlanError.at("transitions", f"no rate for {pair} of segment {cell[0]}, source {cell[1]}")
    return taken


def _step_title(plan: Plan, pair: tuple[str, str]) -> str:
    titles = plan.titles
    return f"{shown(titles[pair[0]])} to {shown(titles[pair[1]])}"


def _nice(size: float) -> float:
    """The power of ten at or below `size`."""
    return 10.0 ** floor(log10(size) + 1e-9)


def _money_digits(base: float) -> int:
    return 0 if base >= 100 else 2


def _grid(low: float, high: float, step: float) -> tuple[float, float, float]:
    """The multiples of `step` between two values: the lowest, the highest, and the step."""
    lowest, highest = ceil(low / step - 1e-9), floor(high / step + 1e-9)
    return round(lowest * step, GRID_DIGITS), round(highest * step, GRID_DIGITS), step


def _ends(value: float, decimals: int) -> bool:
    """Whether a value of few digits has no more than these decimals."""
    short = float(f"{value:.{SHORT_DIGITS}g}")
    return isclose(short, value, rel_tol=SAME) and isclose(round(short, decimals), short, rel_tol=SAME)


# --- numbers as people type them: 31, 31 %, 31,5, 29,000, $1.2M ---------------------------------------------------

UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}
_NUMBER = re.compile(r"([+-]?)([0-9][0-9.,]*|[.,][0-9]+)([kmb]?)")
_THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?|[0-9]{1,3}(\.[0-9]{3})+,[0-9]*|[0-9]{1,3}(\.[0-9]{3}){2,}")
_LONGEST = 40


def typed_number(text: str) -> float:
    """The number that was typed; percent signs, currencies and separators of thousands are taken off.

    A comma is a decimal mark unless exactly three digits follow it.

    Raises
    ------
    ValueError
        In words, if it is no number.
    """
    bare = re.sub(r"[\s%$€£_'\u202f\u00a0]|^[A-Za-z]{3}(?=[\s0-9])|(?<=[0-9\s])[A-Z]{3}$", "", text)
    found = _NUMBER.fullmatch(bare.lower().replace("\u2212", "-")) if len(text) <= _LONGEST else None
    if found is None:
        raise ValueError(f"{shown(text)!r} is no number; write it like 28.4" if text.strip() else "nothing was written")
    sign, digits, unit = found.groups()
    try:
        return float(sign + _plain(digits)) * UNITS[unit]
    except ValueError:
        raise ValueError(f"{shown(text)!r} is no number; write it like 28.4") from None


def _plain(digits: str) -> str:
    """Digits with a point as their only mark."""
    if _THOUSANDS.fullmatch(digits):
        decimal = max(digits.rfind("."), digits.rfind(","))
        european = (digits[decimal] == "," and "." in digits) or digits.count(".") > 1
        return digits.replace(".", "").replace(",", ".") if european else digits.replace(",", "")
    return digits.replace(",", ".")
