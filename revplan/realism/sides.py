"""The two sides of an assumption: what the plan says, and what of the history speaks for the same records."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from revplan.formats import first_largest
from revplan.history.parts import OWN_LAG
from revplan.history.pasts import FEWEST_DEALS, Part, past_cohorts
from revplan.history.rates import transitions_block
from revplan.history.records import EVERY
from revplan.history.spells import Spells
from revplan.lag import Lag
from revplan.model.buffers import Step, step_of
from revplan.model.outlook import step_name, used_transitions
from revplan.model.year import PlannedYear
from revplan.plan.model import Plan, Transition


@dataclass(frozen=True, eq=False)
class Compared:
    """A transition of the plan beside its row of estimates."""

    name: str
    step: Step
    planned: Transition
    row: dict[Any, Any]
    lag: Lag
    """The measured lag as a plan takes it."""
    cohorts: pd.DataFrame
    """Table past_cohorts."""

    @property
    def has_own_lag(self) -> bool:
        """Whether the measured lag is its own, not that of a wider group."""
        return bool(self.row["conversions"] >= OWN_LAG)


def compared_steps(year: PlannedYear, estimates: pd.DataFrame, spells: Spells) -> list[Compared]:
    """Every transition the plan uses for which the table estimates has a row."""
    known = {(row["from_stage"], row["to_stage"], row["segment"], row["source"]): row
             for row in estimates.to_dict("records")}  # fmt: skip
    parts = _parts(year.plan)
    found = []
    for each in used_transitions(year):
        pair = (each.from_stage, each.to_stage)
        rows = [known[pair + part] for part in parts[step_of(each)] if pair + part in known]
        if rows and each.rate < 1:
            row = _pooled(rows)
            (block,) = transitions_block(pd.DataFrame([row]))
            cohorts = past_cohorts(spells, row, [(part["segment"], part["source"]) for part in rows])
            lag = Transition.model_validate(block).lag
            found.append(Compared(step_name(each), step_of(each), each, row, lag, cohorts))
    return found


def _parts(plan: Plan) -> dict[Step, list[Part]]:
    """What of the history each transition speaks for: its own segment and source, or its cells where others override it.

    A plan with one segment (or source) is held against the records of all.
    """
    users: dict[Step, list[Part]] = {}
    in_scope: Counter[Step] = Counter()
    for segment, source in plan.cells:
        for each in plan.path(segment, source):
            users.setdefault(step_of(each), []).append((segment, source))
            places = product((segment, None), (source, None))
            in_scope.update((each.from_stage, each.to_stage, *place) for place in places)
    many = len(plan.segments) > 1, len(plan.sources) > 1

    def written(segment: str | None, source: str | None) -> Part:
        return (segment if many[0] and segment else EVERY), (source if many[1] and source else EVERY)

    return {
        step: [written(*cell) for cell in cells] if len(cells) < in_scope[step] else [written(*step[2:])]
        for step, cells in users.items()
    }


def _pooled(rows: list[dict[Any, Any]]) -> dict[Any, Any]:
    """One row of estimates for several cells, by their entries; its evidence is that of a mean of independent rates."""
    if len(rows) == 1:
        return rows[0]
    frame = pd.DataFrame(rows)
    weights = frame["entries"] / frame["entries"].sum()
    rate = float(weights @ frame["rate"])
    variance = float(weights**2 @ (frame["rate"] * (1 - frame["rate"]) / (frame["evidence"] + 1)))
    counts = frame["conversions"] + 1
    delays = {name: float(np.average(frame[name], weights=counts)) for name in ("median_days", "p90_days")}
    largest = rows[first_largest(frame["entries"])]
    return {
        **largest,
        **delays,
        "rate": rate,
        "evidence": rate * (1 - rate) / variance - 1,
        "conversions": float(frame["conversions"].sum()),
        "recorded_from": frame["recorded_from"].max(),
    }


@dataclass(frozen=True, eq=False)
class Deals:
    """Won deals of a segment: log-normal law of their mean, and the mean of each quarter."""

    mean: float
    cv: float
    count: int
    quarters: pd.Series

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm of the mean."""
        return max(float(np.sqrt(np.log1p(self.cv**2 / self.count))), 1e-9)

    def at(self, normal: np.ndarray) -> np.ndarray:
        """Means at given normals. [plan currency]"""
        return self.mean * np.exp(self.sigma * normal - self.sigma**2 / 2)

    def normal(self, mean: float) -> float:
        """The standard normal at which the mean deal is `mean`."""
        return float(np.log(mean / self.mean) / self.sigma + self.sigma / 2)


def deal_laws(plan: Plan, deals: pd.DataFrame) -> dict[str, Deals]:
    """By segment of the plan: what its won deals say, where there are five or more. `deals` is the table won_deals."""
    if len(plan.segments) == 1:
        deals = deals.assign(segment=next(iter(plan.segments)))
    found = {}
    for name, rows in deals.groupby("segment"):
        if name in plan.segments and len(rows) >= FEWEST_DEALS:
            mean = float(rows["amount"].mean())
            quarters = rows.groupby("quarter")["amount"].agg(["mean", "size"])
            full = quarters.loc[quarters["size"] >= FEWEST_DEALS, "mean"]
            found[str(name)] = Deals(mean, float(rows["amount"].std(ddof=1)) / mean, len(rows), full)
    return found
