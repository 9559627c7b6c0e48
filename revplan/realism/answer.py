"""A plan's assumptions held against the company's own history: one by one, all together, and stacked.

One by one: where the plan's value lies in what the history supports, and how many past periods reached it.
All together: the chance that every one comes out at least as planned, rates sharing the market. Stacked:
how much of what is asked for is buffer, because prudent assumptions multiply.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv, ndtri

from revplan.history.pasts import won_deals
from revplan.history.rates import rate_law
from revplan.history.spells import spells_of
from revplan.known import Records
from revplan.model.buffers import Buffer, World, Yield, buffers, step_of, yield_in
from revplan.model.outlook import step_name, used_transitions
from revplan.model.scenarios import entries_by_stage
from revplan.model.uncertain import chance_all_above
from revplan.model.year import PlannedYear
from revplan.plan.model import Plan
from revplan.realism.rows import deal_rows, growth_rows, lag_rows, rate_rows, volume_rows
from revplan.realism.sides import Compared, Deals, compared_steps, deal_laws
from revplan.tables import conform, empty

PLANNED, TOGETHER = "as planned", "all together"
ASSUMED = ("rate", "deal", "lag")  # volumes are what the commit asks for, not what it takes for granted


@dataclass(frozen=True, eq=False)
class Realism:
    """What the history says of a plan's assumptions."""

    assumptions: pd.DataFrame
    """Table realism."""
    buffers: pd.DataFrame
    """Table buffers."""
    planned: Yield
    """The plan's own year. [plan currency]"""
    together: Yield
    """The same entries with every assumption at the median of the history. [plan currency]"""
    commit: float
    """Entries of the commit within the year at the stage it is signed for. [records]"""
    chance_all_met: float
    """Chance that every rate, deal size and lag comes out at least as planned, rates sharing the market. [0-1]"""
    chance_if_independent: float
    """The same if each strayed by itself: the product of the chances. [0-1]"""
    not_compared: tuple[str, ...]
    """Assumptions for which there are too few records."""

    @property
    def overshoot(self) -> float:
        """New ARR that the committed entries bring beyond the plan at the history's medians. [plan currency]"""
        return self.together.total - self.planned.total

    @property
    def needed(self) -> float:
        """Entries at the commit stage that bring the planned ARR at the history's medians. [records]"""
        return self.commit * self.together.scale_for(self.planned.total)


def realism(year: PlannedYear, records: Records | None, to_sign: PlannedYear | None = None) -> Realism | None:
    """What the history says of the assumptions of `year`; None where it has no records to say it with.

    Volumes are those of `to_sign`, the same year with the entries that are to sign, where it is given.
    """
    if records is None or records.estimates.empty:
        return None
    spells = spells_of(records.history)
    steps = compared_steps(year, records.estimates, spells)
    deals = deal_laws(year.plan, won_deals(spells))
    assumed = [*rate_rows(steps), *deal_rows(year.plan, deals), *lag_rows(year.plan, steps)]
    frame = _table([*assumed, *volume_rows(to_sign or year, records), *growth_rows(to_sign or year, records)])
    found = buffers(year, list(_worlds(year.plan, steps, deals)))
    planned = yield_in(year, World())
    return Realism(
        assumptions=frame,
        buffers=_buffer_table(year, planned, found),
        planned=planned,
        together=found[-1].together if found else planned,
        commit=entries_by_stage(year)[year.plan.commit_stage],
        chance_all_met=_chance_all_met(frame, year.plan.uncertainty.rho),
        chance_if_independent=float(frame.loc[frame["about"].isin(ASSUMED), "chance"].prod()),
        not_compared=tuple(_not_compared(year, steps)),
    )


def _not_compared(year: PlannedYear, steps: list[Compared]) -> Iterator[str]:
    """Uncertain rates that the records say nothing of."""
    compared = {each.step for each in steps}
    for each in used_transitions(year):
        if each.evidence is not None and each.rate < 1 and step_of(each) not in compared:
            yield step_name(each)


def _table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    names = ("history_low", "history_mid", "history_high")
    made = [{**row, **dict(zip(names, map(float, row["history"]), strict=True))} for row in rows]
    return conform(pd.DataFrame(made), "realism") if made else empty("realism")


def _chance_all_met(frame: pd.DataFrame, rho: float) -> float:
    """Rates share the market; all lags stretch by one factor; deal sizes stray by themselves. [0-1]"""
    chances = {about: frame.loc[frame["about"] == about, "chance"].dropna().to_numpy() for about in ASSUMED}
    rates = chance_all_above(-ndtri(chances["rate"]), rho)
    return rates * float(chances["deal"].prod()) * float(chances["lag"].min(initial=1.0))


def _worlds(plan: Plan, steps: list[Compared], deals: dict[str, Deals]) -> Iterator[tuple[str, World]]:
    """Assumptions that hold in the history's median, step by step, then deals, then lags.

    A rate copied from the records hides nothing and is left as it is.
    """
    for pair in pairwise(plan.stage_ids):
        mids = {
            each.step: float(betaincinv(*rate_law(each.row), 0.5))
            for each in steps
            if each.step[:2] == pair and each.planned.rate != each.row["rate"]
        }
        if mids:
            yield f"rate {pair[0]} to {pair[1]}", World(rates=mids)
    if deals:
        yield "deal size", World(deals={name: float(law.at(np.zeros(1))[0]) for name, law in deals.items()})
    if lags := {each.step: each.lag for each in steps if each.has_own_lag and each.planned.lag != each.lag}:
        yield "lags", World(lags=lags)


def _buffer_table(year: PlannedYear, planned: Yield, found: tuple[Buffer, ...]) -> pd.DataFrame:
    commit = entries_by_stage(year)[year.plan.commit_stage]

    def row(name: str, alone: Yield, together: Yield) -> dict[str, Any]:
        entries = [commit * each.scale_for(planned.total) for each in (alone, together)]
        return {
            "assumptions": name,
            "arr_alone": alone.total,
            "arr_together": together.total,
            "entries_alone": entries[0] if np.isfinite(entries[0]) else np.nan,
            "entries_together": entries[1] if np.isfinite(entries[1]) else np.nan,
        }

    if not found:
        return empty("buffers")
    last = found[-1].together
    rows = [(each.name, each.alone, each.together) for each in found]
    made = [row(*each) for each in ((PLANNED, planned, planned), *rows, (TOGETHER, last, last))]
    return conform(pd.DataFrame(made), "buffers")
