"""Stacked buffers: what the committed entries would bring if assumptions were what the history says.

Each prudent assumption looks small; along a funnel they multiply, and the plan asks for more entries than
its goal needs. So the year is worked out again with the entries held and the assumptions changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from revplan.lag import Lag
from revplan.model.cells import plan_cells
from revplan.model.funnel import YEAR, forward
from revplan.model.year import PlannedYear
from revplan.plan.model import Plan, Transition

Step = tuple[str, str, str | None, str | None]
"""A transition by its stages, segment and source."""


def step_of(transition: Transition) -> Step:
    """Which step a transition speaks for."""
    return transition.from_stage, transition.to_stage, transition.segment, transition.source


@dataclass(frozen=True)
class World:
    """Assumptions other than the plan's."""

    rates: Mapping[Step, float] = field(default_factory=dict)
    lags: Mapping[Step, Lag] = field(default_factory=dict)
    deals: Mapping[str, float] = field(default_factory=dict)
    """Mean deal by segment. [plan currency]"""

    def __or__(self, other: World) -> World:
        return World({**self.rates, **other.rates}, {**self.lags, **other.lags}, {**self.deals, **other.deals})


@dataclass(frozen=True)
class Yield:
    """What the year brings with the entries of the commit held. [plan currency]"""

    coming: float
    """What is won and what open records bring."""
    entries: float
    """What the committed entries bring."""

    @property
    def total(self) -> float:
        """New ARR of the year."""
        return self.coming + self.entries

    def scale_for(self, arr: float) -> float:
        """Times the committed entries that bring `arr`; infinite where no number does. [ratio]"""
        missing = max(arr - self.coming, 0.0)
        return missing / self.entries if self.entries > 0 else float("inf") if missing > 0 else 0.0


@dataclass(frozen=True)
class Buffer:
    """What some assumptions hide, by themselves and together with those before them."""

    name: str
    alone: Yield
    together: Yield


def buffers(year: PlannedYear, worlds: Sequence[tuple[str, World]]) -> tuple[Buffer, ...]:
    """The yield of the committed entries in each world by itself, and in it and all worlds before it."""
    found, so_far = [], World()
    for name, world in worlds:
        so_far = so_far | world
        found.append(Buffer(name, yield_in(year, world), yield_in(year, so_far)))
    return tuple(found)


def yield_in(year: PlannedYear, world: World) -> Yield:
    """The year's new ARR if the committed entries are made and `world` holds.

    Open records bring what the plan expects of them times the change of the rates they still pass.
    """
    inside = slice(max(-year.first, 0), YEAR - year.first)
    coming, entries = float(year.won_arr[:, :YEAR].sum()), 0.0
    cells = zip(plan_cells(_changed(year.plan, world)), year.cells, year.flows, year.open_yields, strict=True)
    for cell, planned, flow, opened in cells:
        arrived = flow if cell == planned else forward(cell, flow[0], year.start)
        entries += float(arrived[-1, inside].sum()) * cell.acv
        for group, found in opened:
            change = cell.rates_to_won[group.stage] / planned.rates_to_won[group.stage]
            coming += float(found.arr[:YEAR].sum() * change)
    return Yield(coming, entries)


def _changed(plan: Plan, world: World) -> Plan:
    transitions = []
    for each in plan.transitions:
        step = step_of(each)
        written = {"rate": world.rates.get(step, each.rate), "lag": world.lags.get(step, each.lag)}
        transitions.append(each.model_copy(update=written))
    segments = {
        name: segment.model_copy(
            update={"acv": segment.acv.model_copy(update={"mean": world.deals.get(name, segment.acv.mean)})}
        )
        for name, segment in plan.segments.items()
    }
    return plan.model_copy(update={"transitions": tuple(transitions), "segments": type(plan.segments)(segments)})
