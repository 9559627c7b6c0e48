"""What the records say about a plan: its open pipeline, what is won, the rates it does not state.

What the records show of a running year: entries by stage, and how many of a cohort are won in the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from revplan.crm.mapping import EVERY, in_spelling_of
from revplan.crm.records import Export, History, read_export
from revplan.funnel.funnel import HORIZON
from revplan.funnel.pipeline import OpenGroup
from revplan.funnel.year import CellName, Snapshot
from revplan.ground.clock import Clock
from revplan.ground.errors import DataError, PlanError
from revplan.ground.formats import counted
from revplan.ground.levels import USUAL_CV
from revplan.ground.tables import conform
from revplan.plan.model import Plan
from revplan.plan.parts import Transition
from revplan.rates.closings import clock_of
from revplan.rates.estimates import estimate_transitions, transitions_block
from revplan.rates.expected import basis_of
from revplan.rates.forecast import count_quantiles
from revplan.rates.hazards import Hazards, open_records, wins_by_day
from revplan.rates.parts import OWN_LAG
from revplan.rates.spells import (
    NEVER,
    Spells,
    day_number,
    entries_by_month,
    loss_incidence,
    month_numbers,
    open_items,
    spells_of,
    stage_entries,
)

RECENT_MONTHS = 3


@dataclass(frozen=True, eq=False)
class Records:
    """The history behind a plan, in the plan's own names."""

    history: History
    entries: pd.DataFrame
    """Table stage_entries."""
    open_items: pd.DataFrame
    """Table open_items: open on the evening before the plan date."""
    losses: pd.DataFrame
    """Table loss_incidence."""
    estimates: pd.DataFrame
    """Table estimates: rates and lags the history supports."""


def read_history(plan: Plan, folder: Path) -> Records | None:
    """The records that `plan` names, as known on the evening before the plan date; None where it names none.

    Raises
    ------
    DataError
        If the CRM file or its data are at fault, or its stages are not the plan's.
    """
    snapshots = read_snapshots(plan, folder)
    return None if snapshots is None else snapshots.before(plan)


def read_snapshots(plan: Plan, folder: Path) -> Snapshots | None:
    """The export that `plan` names, read; None where it names none.

    Raises
    ------
    DataError
        If the CRM file or its data are at fault.
    """
    if plan.history is None:
        return None
    return Snapshots(read_export(folder / plan.history.leads), plan.history.leads)


@dataclass(frozen=True, eq=False)
class Snapshots:
    """An export, read once, and what it said of each day a plan asked for: rates of a day are estimated once."""

    export: Export
    name: str
    """Of the CRM file, for messages."""
    taken: dict[tuple[object, ...], Records] = field(default_factory=dict)

    def before(self, plan: Plan) -> Records:
        """The records as known on the evening before the plan date, in the names of `plan`.

        Raises
        ------
        DataError
            If no record can be used, or their stages are not the plan's.
        """
        key = (plan.plan_date, plan.stage_ids, tuple(plan.segments), tuple(plan.sources))  # all that they depend on
        if key not in self.taken:
            self.taken[key] = self._taken(plan)
        return self.taken[key]

    def _taken(self, plan: Plan) -> Records:
        history = _spelled(self.export.on(plan.plan_date - timedelta(days=1)), plan)
        unknown = [stage for stage in history.stages if stage not in plan.stage_ids]
        if unknown or history.stages[-1] != plan.stage_ids[-1]:
            raise DataError.at(
                f"{self.name}, stages",
                f"the CRM file has {' - '.join(history.stages)}, the plan {' - '.join(plan.stage_ids)}; "
                "use the plan's stage ids in the CRM file, the last one included",
            )
        estimates = self._estimates(history, (tuple(plan.segments), tuple(plan.sources)))
        return Records(
            history=history,
            entries=in_plan(stage_entries(history), plan),
            open_items=in_plan(open_items(history, history.as_of), plan),
            losses=loss_incidence(history, history.as_of, estimates, clock_of(history)),
            estimates=estimates,
        )

    def _estimates(self, history: History, spelled: tuple[object, ...]) -> pd.DataFrame:
        """Table estimates: of the same files on the same day, spelled by the same names, estimated once, whoever opens them."""
        key = (self.export.fingerprint, self.export.today, history.as_of, spelled)
        if key not in _ESTIMATED:
            if len(_ESTIMATED) >= MOST_ESTIMATED:
                _ESTIMATED.clear()
            _ESTIMATED[key] = estimate_transitions(history, history.as_of)
        return _ESTIMATED[key]


_ESTIMATED: dict[tuple[object, ...], pd.DataFrame] = {}
MOST_ESTIMATED = 64  # of some hundred rows each


def _spelled(history: History, plan: Plan) -> History:
    """`history` with segments and sources written as the plan writes them, where only what cannot be seen differs."""
    tables = (history.stage_history, history.records)
    names: dict[str, Iterable[str]] = {"segment": plan.segments, "source": plan.sources}
    spelled = [{key: in_spelling_of(each, table[key]) for key, each in names.items()} for table in tables]
    if all(labels is table[key] for table, each in zip(tables, spelled, strict=True) for key, labels in each.items()):
        return history
    named = [table.assign(**each) for table, each in zip(tables, spelled, strict=True)]
    return replace(history, stage_history=named[0], records=named[1])


def in_plan(frame: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """`frame` with the plan's names: a plan with one segment (or source) takes the records of all."""
    only = {"segment": list(plan.segments), "source": list(plan.sources)}
    return frame.assign(**{key: names[0] for key, names in only.items() if len(names) == 1})


def with_history_rates(plan: Plan, records: Records | None) -> Plan:
    """`plan` with the rates of its history for the steps it states no rate for.

    Raises
    ------
    PlanError
        If a step then still has no rate.
    """
    if records is None:
        return plan
    stated = {(each.from_stage, each.to_stage) for each in plan.transitions}
    basis = f"CRM records to {records.history.as_of}"
    found = [
        Transition.model_validate({**block, "basis": f"{basis}, {_rests_on(block, conversions)}"})
        for block, conversions in zip(
            transitions_block(records.estimates), records.estimates["conversions"], strict=True
        )
        if (block["from"], block["to"]) not in stated
        and block.get("segment", next(iter(plan.segments))) in plan.segments
        and block.get("source", next(iter(plan.sources))) in plan.sources
    ]
    rated = stated | {(each.from_stage, each.to_stage) for each in found}
    lacking = [pair for pair in pairwise(plan.stage_ids) if pair not in rated]
    if lacking:
        steps = ", ".join(f"{start} to {end}" for start, end in lacking)
        raise PlanError.at("transitions", f"neither the plan nor its records give a rate for {steps}; state one")
    return plan.model_copy(update={"transitions": (*plan.transitions, *found)})


def _rests_on(block: Mapping[str, object], conversions: float) -> str:
    """How many conversions a rate rests on, and whether its delay is that of a wider group."""
    borrowed = {"segment", "source"} & set(block) and conversions < OWN_LAG
    return counted(round(conversions), "conversion") + (", the delay near that of a wider group" if borrowed else "")


def snapshot_of(plan: Plan, records: Records | None) -> Snapshot:
    """What the records say on the plan date, cell by cell."""
    if records is None:
        return Snapshot()
    return Snapshot(
        open_groups=_open_groups(plan, records),
        won=_won(plan, records),
        recent=_recent(plan, records.entries),
        clock=_clock(plan, records.history),
    )


def _open_groups(plan: Plan, records: Records) -> Mapping[CellName, tuple[OpenGroup, ...]]:
    losses = {key: _by_day(rows) for key, rows in records.losses.groupby(["segment", "stage"], observed=True)}
    whole = records.estimates[records.estimates["source"] == EVERY]
    rates = dict(zip(zip(whole["segment"], whole["from_stage"], strict=True), whole["rate"], strict=True))
    none_recorded, clock, day = np.zeros(1), _clock(plan, records.history), day_number(records.history.as_of)
    groups: dict[CellName, list[OpenGroup]] = {}
    cells = set(plan.cells)
    keys = ["segment", "source", "stage"]
    for (segment, source, stage), rows in records.open_items.groupby(keys, observed=True, sort=False):
        path = plan.stage_ids[plan.stage_ids.index(plan.entry_stage(source)) :] if (segment, source) in cells else ()
        if stage in path[:-1]:
            of = segment if (segment, stage) in losses else EVERY
            lost, went_on = losses.get((of, stage), none_recorded), rates.get((of, stage), rates.get((EVERY, stage)))
            if clock is not None and stage == path[-2]:
                rows = rows.assign(age_days=_worked(rows["age_days"].to_numpy(dtype=int), clock, day))
            groups.setdefault((segment, source), []).append(_group(rows, path.index(stage), lost, went_on))
    return {cell: tuple(found) for cell, found in groups.items()}


def _clock(plan: Plan, history: History) -> Clock | None:
    """The clock of the plan's last step, where the records hold that step."""
    return clock_of(history) if history.stages[-2:] == plan.stage_ids[-2:] else None


def _worked(ages: np.ndarray, clock: Clock, day: int) -> np.ndarray:
    """Days of work in the place of days of age."""
    return clock.by_evening(np.array(day)) - clock.of(day - ages)


def _group(rows: pd.DataFrame, stage: int, lost: np.ndarray, went_on: float | None) -> OpenGroup:
    by_age = rows.groupby("age_days")[["items", "amount", "items_with_amount"]].sum()
    return OpenGroup(
        stage=stage,
        ages=by_age.index.to_numpy(dtype=float),
        items=by_age["items"].to_numpy(dtype=float),
        values=by_age["amount"].to_numpy(dtype=float),
        lost=lost,
        lost_beside=went_on,
        unpriced=(by_age["items"] - by_age["items_with_amount"]).to_numpy(dtype=float),
    )


def _by_day(rows: pd.DataFrame) -> np.ndarray:
    """The share recorded lost by each whole day of age, from the steps of the table."""
    ages = rows["age_days"].to_numpy(dtype=int)
    shares = np.concatenate([[0.0], rows["share"].to_numpy(dtype=float)])
    return shares[np.searchsorted(ages, np.arange(ages[-1] + 1), side="right")]


def _won(plan: Plan, records: Records) -> Mapping[CellName, tuple[np.ndarray, np.ndarray]]:
    """Wins and their ARR closed before the plan date, in the months of the two fiscal years."""
    spells = spells_of(records.history)
    won = np.flatnonzero(spells.entered[:, -1] < NEVER)
    month = month_numbers(spells.entered[won, -1]) - plan.first_month.ordinal
    inside = (month >= 0) & (month < HORIZON)
    won, month = won[inside], month[inside]
    names = in_plan(pd.DataFrame(spells.cells, columns=["segment", "source"]), plan)
    cells, of_cell = set(plan.cells), list(zip(names["segment"], names["source"], strict=True))
    found = {}
    for name in dict.fromkeys(each for each in of_cell if each in cells):
        mine = np.array([each == name for each in of_cell], dtype=bool)[spells.cell[won]]
        if mine.any():
            amount, months = spells.amount[won[mine]], month[mine]
            worth = np.where(np.isnan(amount), plan.segments[name[0]].acv.mean, amount)
            found[name] = (
                np.bincount(months, minlength=HORIZON).astype(float),
                np.bincount(months, worth, minlength=HORIZON),
            )
    return found


def _recent(plan: Plan, entries: pd.DataFrame) -> Mapping[CellName, float]:
    """Entries a month of each cell where its source enters: the mean of the last three whole months. [records]"""
    this = pd.Period(plan.plan_date, freq="M")
    recent = entries[(entries["month"] < this) & (entries["month"] >= this - RECENT_MONTHS)]
    sums = recent.groupby(["segment", "source", "stage"], observed=True)["entries"].sum()
    wanted = ((segment, source, plan.entry_stage(source)) for segment, source in plan.cells)
    return {(cell[0], cell[1]): float(sums.get(cell, 0.0)) / RECENT_MONTHS for cell in wanted}


AHEAD = 1095  # days for which open records are followed; nothing much is won later
SETTLED = 0.05  # share of a cohort's wins still to come below which its rate is final
LOW_HIGH = np.array([0.1, 0.9])


def actual_flow(history: History, since: date) -> pd.DataFrame:
    """Table flow: entries of every stage by month that the records show from `since` on. [records]

    Records whose first day lies before `since` are its opening part, their wins before it included.
    A win without an amount counts no ARR.
    """
    spells, start = spells_of(history), day_number(since)
    opening = spells.entered.min(axis=1) < start
    found = []
    for part, mine in (("new", ~opening), ("opening", opening)):
        for number, stage in enumerate(spells.stages):
            is_last = number == len(spells.stages) - 1
            table = entries_by_month(spells, number, mine if is_last else mine & (spells.entered[:, number] >= start))
            found.append(table.assign(stage=stage, part=part, arr=table["amount"] * is_last))
    keys = ["segment", "source", "stage", "month", "part"]
    return conform(pd.concat(found).sort_values(keys, kind="stable"), "flow")


@dataclass(frozen=True, eq=False, repr=False)
class Fates:
    """The records as arrays, with the hazards by which open ones go on."""

    spells: Spells
    chain: tuple[Hazards, ...]

    @property
    def ever_won(self) -> bool:
        """Whether any record was ever won: where none was, nothing tells how many will be."""
        return bool((self.spells.entered[:, -1] < NEVER).any())

    @property
    def keys(self) -> pd.DataFrame:
        """Segment and source of every cell."""
        return pd.DataFrame(self.spells.cells, columns=["segment", "source"])

    def entered(self, stage: str) -> np.ndarray:
        """Day on which each record entered `stage`, or came in at a later one; NEVER where it did not."""
        place = np.maximum(self.spells.stages.index(stage), self.spells.first_stage())
        inside = place < len(self.spells.stages)
        place = np.minimum(place, len(self.spells.stages) - 1)
        return np.where(inside, self.spells.entered[np.arange(len(place)), place], NEVER)

    def recorded_since(self) -> np.ndarray:
        """Day of each record's first entry."""
        return self.spells.entered.min(axis=1)

    def cohort(self, chosen: np.ndarray) -> pd.DataFrame:
        """By cell: entries, won, still expected to be won, and open, of the `chosen` records. [records]"""
        spells, cells = self.spells, len(self.spells.cells)
        mine = replace(spells, entered=np.where(chosen[:, None], spells.entered, NEVER))
        stock = [open_records(mine, stage) for stage in range(len(self.chain))]
        nothing = np.zeros((len(self.chain), cells, AHEAD))
        still = sum((np.bincount(each.cell, minlength=cells) for each in stock), np.zeros(cells))
        return self.keys.assign(
            entries=np.bincount(spells.cell[chosen], minlength=cells).astype(float),
            won=np.bincount(spells.cell[chosen & (spells.entered[:, -1] < NEVER)], minlength=cells).astype(float),
            expected=np.minimum(wins_by_day(stock, nothing, self.chain).sum(axis=1), still),
            open=still,
        )


def fates_of(history: History) -> Fates:
    """The records of `history`, and their hazards."""
    spells = spells_of(history)
    return Fates(spells, basis_of(spells, 1).chain)


def within(days: np.ndarray, first: date, last: date) -> np.ndarray:
    """Which of `days` lie between two days, both included."""
    return (days >= day_number(first)) & (days <= day_number(last))


def provisional(cohort: pd.DataFrame) -> pd.Series:
    """Whether a cohort's win rate may still move: a part of its wins is still to come, or none has come yet."""
    coming = cohort["expected"] > SETTLED * (cohort["won"] + cohort["expected"])
    return coming | ((cohort["won"] == 0) & (cohort["open"] > 0))


def eventual_rate(cohort: pd.DataFrame) -> tuple[float, float, float]:
    """Share of a cohort that is won in the end, with P10 and P90; NaN where nothing entered. [0-1]

    What is won already is certain; of what is open the expected wins scatter like a forecast's.
    """
    entries, won, expected, still = (float(cohort[name].sum()) for name in ("entries", "won", "expected", "open"))
    if entries == 0:
        return np.nan, np.nan, np.nan
    low, high = np.minimum(count_quantiles(expected, USUAL_CV, LOW_HIGH), still)
    return (won + expected) / entries, (won + min(low, expected)) / entries, (won + max(high, expected)) / entries
