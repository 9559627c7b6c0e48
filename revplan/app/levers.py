"""What can be moved: a lever for each rate, deal size, delay, volume and budget, goal and uncertainty.

A lever is read and set in the unit it is shown in (percent, plan currency), and knows its range.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil, floor, isclose, log10

from revplan.app.game import Game
from revplan.app.state import (
    ACV,
    CONFIDENCE,
    GOAL,
    LAG,
    RATE,
    UNCERTAIN,
    VOLUME,
    LeverKey,
    State,
    scenario_of,
    step_name,
)
from revplan.funnel.funnel import YEAR
from revplan.ground.errors import PlanError, shown
from revplan.ground.lag import MAX_MONTHS
from revplan.plan.goal import solve_bridge
from revplan.plan.model import Plan
from revplan.plan.parts import Scenario, Transition
from revplan.plan.scenario import cells_through, varied
from revplan.plan.stages import titles_of

RATES, DEALS, DELAYS, VOLUMES, CERTAINTY = "Rates", "Deal size", "Delays", "Volume and budget", "Goal and certainty"
GROUPS = (RATES, DEALS, DELAYS, VOLUMES, CERTAINTY)
TIMES = 4.0  # how far above (and below) the plan a slider reaches
GRID_DIGITS = 9  # decimals of a slider's values: takes the noise of binary fractions off
MORE_DIGITS, SHORT_DIGITS = 4, 7  # further decimals with which a value is shown that has so few digits
SAME, REACHED = 1e-9, 1e-6  # relative difference below which two settings are one, and below which one was reached
UNCERTAIN_LABELS = {
    "rho": "Rates move together (correlation, %)",
    "lag_cv": "Delays stray by (%)",
    "volume_cv": "Volumes stray by (%)",
}


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
    unit: str = "%"

    @property
    def range(self) -> str:
        """The range it accepts, in words."""
        return f"{self.written(self.low)} to {self.written(self.high)} {self.unit}"

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
        """A value as it is shown: to its last decimal where it has few, else rounded."""
        tried = range(self.digits, self.digits + MORE_DIGITS + 1)
        decimals = next((each for each in tried if _ends(value, each)), self.digits)
        return f"{round(value, decimals) + 0.0:,.{decimals}f}"


@dataclass(frozen=True, eq=False)
class Board:
    """The levers of a game, read and set."""

    game: Game

    @cached_property
    def entries(self) -> Mapping[tuple[str, str], Mapping[str, float]]:
        """By cell and stage: entries of the base plan's year. [records]"""
        year = self.game.base.year
        inside = slice(max(-year.first, 0), YEAR - year.first)
        return {
            (cell.segment, cell.source): {
                stage: float(months[inside].sum()) for stage, months in zip(cell.stages, flow, strict=True)
            }
            for cell, flow in zip(year.cells, year.flows, strict=True)
        }

    def levers(self, segment: str = "") -> tuple[Lever, ...]:
        """Every lever; rates of all segments together, or of one."""
        made = (self._rates(segment), self._deals(), self._delays(), self._volumes(), self._certainty())
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
            return 100 * (self._length(plan, name) / self._length(self.game.plan, name))
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
        before = self.reading(untouched, lever)
        if isclose(value, before, rel_tol=SAME) or value == float(lever.written(before).replace(",", "")):
            return untouched
        if lever.scale is None and not before > 0:
            raise ValueError(f"in this scenario {lever.label} is 0, and no share of 0 is anything else")
        moved = untouched.with_moved(lever.key, value / (lever.scale or before))
        read_back = self.reading(moved, lever)
        if not isclose(read_back, value, rel_tol=REACHED, abs_tol=REACHED):
            bound = "a rate would pass 100 %" if lever.key[0] == RATE else f"a delay would pass {MAX_MONTHS} months"
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
        steps = [step] if step else [step_name(pair) for pair in pairwise(plan.stage_ids)]
        return sum(self._step_length(plan, each) for each in steps)

    def _step_length(self, plan: Plan, step: str) -> float:
        weights, pair = self._weights(step), _pair(plan, step)
        days = sum(weight * _taken(plan, cell, pair).lag.length_days for cell, weight in weights.items())
        return days / sum(weights.values()) if weights else 0.0

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
            mean = segment.acv.mean
            yield Lever(
                (ACV, name, ""),
                DEALS,
                f"Deal size {shown(name)} ({plan.currency})",
                *_around(mean),
                _money_digits(mean),
                1.0,
                plan.currency,
            )

    def _delays(self) -> Iterator[Lever]:
        plan = self.game.plan
        names = {"": "All delays", **{step_name(pair): _step_title(plan, pair) for pair in pairwise(plan.stage_ids)}}
        for step, label in names.items():
            if self._length(plan, step) > 0:
                yield Lever((LAG, step, ""), DELAYS, f"{label} (% of plan)", 25.0, 100 * TIMES, 1.0, 0, None)

    def _volumes(self) -> Iterator[Lever]:
        plan, spent = self.game.plan, self._spent()
        for name in self._committed:
            yield Lever((VOLUME, name, ""), VOLUMES, f"Entries {shown(name)} (% of plan)", 0.0, 300.0, 1.0, 0, 100.0)
            if spent.get(name, 0) > 0:
                base = spent[name]
                yield Lever(
                    (VOLUME, name, ""),
                    VOLUMES,
                    f"Budget {shown(name)} ({plan.currency})",
                    *_grid(0.0, 3 * base, _nice(base / 100)),
                    _money_digits(base),
                    base,
                    plan.currency,
                )

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
            yield Lever(
                (GOAL, "", ""),
                CERTAINTY,
                f"New ARR asked for ({plan.currency})",
                *_around(goal),
                _money_digits(goal),
                1.0,
                plan.currency,
            )
        yield Lever((CONFIDENCE, "", ""), CERTAINTY, "Sign with a confidence of (%)", 50.0, 95.0, 1.0, 0, 100.0)
        strays = {
            "rho": any(each.evidence is not None for each in plan.transitions),
            "lag_cv": self._length(plan, "") > 0,
            "volume_cv": bool(self._committed),
        }
        for name in UNCERTAIN:
            if not strays[name]:  # nothing that it could move
                continue
            yield Lever(
                (name, "", ""), CERTAINTY, UNCERTAIN_LABELS[name], 0.0, 95.0 if name == "rho" else 200.0, 1.0, 0, 100.0
            )


def _value(plan: Plan, volume: float, kind: str, name: str) -> float:
    """The value of a lever that is no factor, in the unit of the plan file."""
    if kind == VOLUME:
        return volume
    if kind == ACV:
        return plan.segments[name].acv.mean
    if kind == GOAL:
        return solve_bridge(plan.goal).new_arr
    return plan.commit.confidence if kind == CONFIDENCE else float(getattr(plan.uncertainty, kind))


def _pair(plan: Plan, step: str) -> tuple[str, str]:
    return next(pair for pair in pairwise(plan.stage_ids) if step_name(pair) == step)


def _taken(plan: Plan, cell: tuple[str, str], pair: tuple[str, str]) -> Transition:
    """The transition that the records of a cell take from one stage of `pair` to the next."""
    taken = plan.transition(pair, *cell)
    if taken is None:
        raise PlanError.at("transitions", f"no rate for {pair} of segment {cell[0]}, source {cell[1]}")
    return taken


def _step_title(plan: Plan, pair: tuple[str, str]) -> str:
    titles = titles_of(plan.stages)
    return f"{shown(titles[pair[0]])} to {shown(titles[pair[1]])}"


def _around(base: float) -> tuple[float, float, float]:
    """Range and step of a slider for an amount."""
    return _grid(base / TIMES, base * TIMES, _nice(base / 100))


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
