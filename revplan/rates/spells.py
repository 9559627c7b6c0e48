"""The history as arrays: a row per record, a column per stage, days as whole numbers.

Everything that counts ages and exits starts from here, so that a million records are read once.

What the stage history says: entries by month, what is open and how old it is.

How many records a stage loses, and when: recorded losses beside those who go on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd

from revplan.crm.counted import Counted
from revplan.crm.mapping import EVERY
from revplan.crm.records import History, closed_undated
from revplan.ground.calendar import days_of
from revplan.ground.clock import Clock
from revplan.ground.cohorts import in_order
from revplan.ground.tables import conform

NEVER = np.iinfo(np.int32).max  # later than any day
Categories = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Spells:
    """Days (since 1970-01-01) on which records entered stages or were lost, NEVER where they did not."""

    stages: Categories
    day: int
    """The last day known."""
    entered: np.ndarray
    """Record x stage."""
    lost: np.ndarray
    """Day of the loss, by record."""
    cell: np.ndarray
    """Number of the record's cell."""
    cells: tuple[tuple[str, str], ...]
    """Segment and source of every cell."""
    amount: np.ndarray
    """Money by record; NaN where the CRM says nothing."""
    count: np.ndarray | None = None
    """How many records each row stands for; left out where each stands for one."""
    undated: np.ndarray | None = None
    """Records that closed, won or lost, on a day no file says, `lost` being the last day known of them; None where none did."""

    def number(self, rows: np.ndarray) -> int:
        """Records of the rows that `rows` marks."""
        return int(rows.sum() if self.count is None else self.count[rows].sum())

    def each(self) -> Spells:
        """The same with a row for every record."""
        if self.count is None:
            return self
        entered, lost, cell, amount = (
            np.repeat(rows, self.count, axis=0) for rows in (self.entered, self.lost, self.cell, self.amount)
        )
        return replace(self, entered=entered, lost=lost, cell=cell, amount=amount, count=None)

    def up_to(self, day: int) -> Spells:
        """What of it was known at the end of `day`; records not yet entered stay, without any stage."""
        if day == self.day:
            return self
        entered = np.where(self.entered > day, NEVER, self.entered)
        return replace(self, day=day, entered=entered, lost=np.where(self.lost > day, NEVER, self.lost))

    def codes(self, part: int) -> tuple[np.ndarray, Categories]:
        """By cell: the number of its segment (`part` 0) or source (`part` 1); and their names."""
        codes, names = pd.factorize(np.array([cell[part] for cell in self.cells], dtype=object), sort=True)
        return codes, tuple(str(name) for name in names)

    def exits(self, stage: int) -> tuple[np.ndarray, np.ndarray]:
        """Day on which each record left `stage`, NEVER while it is there; and whether it went on.

        Stages have no gaps: a record that has not entered the next one is in this one until it is lost.
        """
        onward = self.entered[:, stage + 1]
        went_on = onward < NEVER
        return np.where(went_on, onward, self.lost), went_on

    def censored(self, stage: int) -> np.ndarray:
        """Which records closed in `stage` on a day no file says: nothing is known of them after they entered it."""
        if self.undated is None:
            return np.zeros(len(self.entered), dtype=bool)
        return self.undated & (self.entered[:, stage + 1] == NEVER)

    def first_stage(self) -> np.ndarray:
        """Number of the stage at which each record came in; the number of stages where it has none."""
        inside = self.entered < NEVER
        return np.where(inside.any(axis=1), inside.argmax(axis=1), len(self.stages))


def day_number(day: date) -> int:
    """Days from 1970-01-01 to `day`. [days]"""
    return int(np.datetime64(day, "D").astype(np.int64))


def as_date(day: int) -> date:
    """The calendar day of a day number."""
    return np.datetime64(day, "D").item()


def spells_of(history: History | Counted) -> Spells:
    """The records of `history` as arrays, a row for each, in the order of its stage history."""
    return counted_spells(history).each()


KNOWN: WeakKeyDictionary[History | Counted, Spells] = WeakKeyDictionary()
"""The arrays of every history in use: many tables start from the same ones, and making them takes longer than most."""


def counted_spells(history: History | Counted) -> Spells:
    """The records of `history` as arrays; where they are counted in place a row stands for all that are alike."""
    if history not in KNOWN:
        KNOWN[history] = _counted_spells(history)
    return KNOWN[history]


def keep_with_amounts(history: History, before: History, deals: Mapping[str, float]) -> None:
    """Keeps the arrays of `before` in mind as those of `history`, in which records without an amount are worth their segment's deal."""
    spells = spells_of(before)
    worth = np.array([deals.get(segment, np.nan) for segment, _ in spells.cells])[spells.cell]
    KNOWN[history] = replace(spells, amount=np.where(np.isnan(spells.amount), worth, spells.amount))


def _counted_spells(history: History | Counted) -> Spells:
    if isinstance(history, Counted):
        cell, cells = _cells(history.labels)
        order = in_order(cell)  # cell by cell, as most are looked at
        parts = (_days(history.entered), _days(history.lost), cell, history.amount, history.count)
        entered, lost, cell, amount, count = (
            np.take(each.T, order, axis=-1).T for each in parts
        )  # column by column, as they lie
        return Spells(history.stages, day_number(history.as_of), entered, lost, cell, cells, amount, count)
    rows = history.stage_history
    stage = pd.Categorical(rows["stage"], history.stages).codes
    entered = np.full((len(history.arrivals), len(history.stages)), NEVER, dtype=np.int64, order="F")
    entered[history.numbers, stage] = _days(rows["entered_on"])
    cell, cells = _cells(history.arrivals)
    lost, amount, undated = _details(history)
    if undated.any():
        last = np.where(entered < NEVER, entered, np.iinfo(np.int64).min).max(axis=1, initial=np.iinfo(np.int64).min)
        lost = np.where(undated, last, lost)
    seen = undated if undated.any() else None
    return Spells(history.stages, day_number(history.as_of), entered, lost, cell, cells, amount, None, seen)


def _days(moments: pd.Series | np.ndarray) -> np.ndarray:
    days = days_of(np.asarray(moments))
    numbers = days.astype(np.int64)
    numbers[np.isnat(days)] = NEVER
    return numbers


def _cells(records: Mapping[str, pd.Categorical] | pd.DataFrame) -> tuple[np.ndarray, tuple[tuple[str, str], ...]]:
    segment, segments = pd.factorize(records["segment"], sort=True)
    source, sources = pd.factorize(records["source"], sort=True)
    code, pairs = pd.factorize(segment.astype(np.int64) * len(sources) + source, sort=True)
    return code, tuple((str(segments[pair // len(sources)]), str(sources[pair % len(sources)])) for pair in pairs)


def _details(history: History) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Day of loss, amount, and whether it closed on an unknown day, by record; a history without records has none."""
    place = history.places
    seen = place >= 0
    if not seen.any():
        return np.full(len(place), NEVER, dtype=np.int64), np.full(len(place), np.nan), seen
    lost, amount = _days(history.records["lost_on"]), history.records["amount"].to_numpy(dtype=float)
    undated = closed_undated(history.records).to_numpy(dtype=bool)
    return np.where(seen, lost[place], NEVER), np.where(seen, amount[place], np.nan), seen & undated[place]


def stage_entries(history: History) -> pd.DataFrame:
    """Records that entered each stage, by calendar month. [records]

    Only months with entries have rows; stages are in their order.
    """
    spells = spells_of(history)
    every = np.ones(len(spells.entered), dtype=bool)
    found = [
        entries_by_month(spells, number, every).assign(stage=stage, number=number)
        for number, stage in enumerate(spells.stages)
    ]
    table = pd.concat(found).sort_values(["segment", "source", "number", "month"], kind="stable")
    return conform(table.astype({"entries": np.int64}), "stage_entries")


def month_numbers(days: np.ndarray) -> np.ndarray:
    """The months of some days, each as pandas numbers them: months from January 1970 on."""
    if not len(days):
        return days
    first = int(days.min())
    months = np.arange(first, int(days.max()) + 1).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    return np.asarray(months[days - first])  # of each day once: records are many, and days few


def entries_by_month(spells: Spells, stage: int, chosen: np.ndarray) -> pd.DataFrame:
    """Entries of the `chosen` records into a stage by segment, source and month, and the amounts known of them."""
    rows = np.flatnonzero(chosen & (spells.entered[:, stage] < NEVER))
    month = month_numbers(spells.entered[rows, stage])
    first = int(month.min(initial=0))
    size = int(month.max(initial=first)) - first + 1
    place = spells.cell[rows] * size + (month - first)
    entries = np.bincount(place, minlength=len(spells.cells) * size)
    amount = np.bincount(place, np.nan_to_num(spells.amount[rows]), minlength=len(spells.cells) * size)
    there = np.flatnonzero(entries)
    names = np.array(spells.cells, dtype=object).reshape(-1, 2)[there // size]
    return pd.DataFrame(
        {
            "segment": pd.Series(names[:, 0], dtype="str"),
            "source": pd.Series(names[:, 1], dtype="str"),
            "month": pd.PeriodIndex.from_ordinals(there % size + first, freq="M"),
            "entries": entries[there].astype(float),
            "amount": amount[there],
        }
    )


def open_items(history: History, as_of: date) -> pd.DataFrame:
    """Records neither won nor lost at the end of `as_of`, by last stage reached and age in whole days."""
    spells = spells_of(history)
    then = spells.up_to(day_number(as_of))
    inside = then.entered < NEVER
    last = len(spells.stages) - 1 - np.argmax(inside[:, ::-1], axis=1)
    is_open = inside.any(axis=1) & (last < len(spells.stages) - 1) & (then.lost == NEVER)
    if spells.undated is not None:
        is_open &= ~spells.undated
    rows = np.flatnonzero(is_open)
    ages = (day_number(as_of) - then.entered[rows, last[rows]]).astype(float)
    frame = pd.DataFrame(
        {"cell": spells.cell[rows], "stage": last[rows], "age_days": ages, "amount": spells.amount[rows]}
    )
    groups = frame.groupby(["cell", "stage", "age_days"])["amount"]
    table = groups.agg(items="size", amount="sum", items_with_amount="count").reset_index()
    names = np.array(spells.cells, dtype=object).reshape(-1, 2)[table["cell"]]
    stage = np.array(spells.stages, dtype=object)[table["stage"]]
    named = {"segment": names[:, 0], "source": names[:, 1], "stage": stage}
    texts = {name: pd.Series(each, index=table.index, dtype="str") for name, each in named.items()}
    return conform(table.assign(**texts), "open_items")


FEWEST_EXITS = 5  # a segment with fewer takes the figures of all, at its own pace


def loss_incidence(history: History, as_of: date, estimates: pd.DataFrame, clock: Clock | None = None) -> pd.DataFrame:
    """Share of the entries into a stage that are recorded lost there by each age. [share]

    The cumulative incidence of loss with going on as the competing exit and records still open as
    censored (Aalen and Johansen, 1978); ages of the last step are days of work where there is a `clock`. Losses nobody records never show, so it ends at the share
    of entries whose loss is recorded, not at the share that is lost.

    Returns
    -------
    pandas.DataFrame
        Table loss_incidence: a row per age at which a loss is recorded. Segment `all` holds every
        record. A segment with at least 5 records that have left the stage has rows of its own; one with
        fewer has those of all, stretched as its delay is against that of all (table `estimates`).
    """
    spells = spells_of(history).up_to(day_number(as_of))
    segments = spells.codes(0)[1]
    found: list[pd.DataFrame] = []
    of_segments: list[pd.DataFrame] = []
    for stage in sorted(range(len(spells.stages) - 1), key=lambda number: spells.stages[number]):
        name, stays = spells.stages[stage], _stays(spells, stage, clock)
        if not stays.any():
            continue
        every = _incidence(stays.sum(axis=0), EVERY, name)
        found.append(every)
        for label, own in zip(segments, stays, strict=True):
            if label == EVERY or not own.any():
                continue
            if own[WENT_ON:].sum() >= FEWEST_EXITS:
                of_segments.append(_incidence(own, label, name))
            else:
                of_segments.append(_stretched(every, label, _pace(estimates, name, label)))
    return conform(pd.concat([*found, *of_segments]), "loss_incidence")


def _pace(estimates: pd.DataFrame, stage: str, segment: str) -> float:
    """How many times as long as all records' a segment's delay in a stage is; 1 where it is not known."""
    rows = estimates[(estimates["from_stage"] == stage) & (estimates["source"] == EVERY)].set_index("segment")
    if segment not in rows.index or not rows.loc[EVERY, "median_days"] > 0:
        return 1.0
    return float(rows.loc[segment, "median_days"] / rows.loc[EVERY, "median_days"])


def _stretched(rows: pd.DataFrame, segment: str, pace: float) -> pd.DataFrame:
    later = np.ceil(rows["age_days"] * pace)
    moved = pd.DataFrame({"segment": segment, "stage": rows["stage"], "age_days": later, "share": rows["share"]})
    return moved.drop_duplicates("age_days", keep="last")


STILL_THERE, WENT_ON, LOST = range(3)  # how a stay in a stage ended


def _stays(spells: Spells, stage: int, clock: Clock | None) -> np.ndarray:
    """Records that entered `stage`, which is before won: segment x how that ended x days they were in it."""
    rows = np.flatnonzero(spells.entered[:, stage] < NEVER)
    began, onward, gone = spells.entered[rows, stage], spells.entered[rows, stage + 1], spells.lost[rows]
    unseen = spells.censored(stage)[rows]  # watched until they entered, and no longer
    went_on = onward < NEVER
    lost = ~went_on & ~unseen & (gone < NEVER)
    ended = np.where(went_on, onward, np.where(lost, gone, np.where(unseen, began, spells.day)))
    days = ended - began
    if clock is not None and stage == len(spells.stages) - 2:
        days = np.where(went_on | lost, clock.of(ended), clock.by_evening(ended)) - clock.of(began)
    of_cell, segments = spells.codes(0)
    shape = len(segments), 3, int(days.max(initial=0)) + 1
    place = of_cell[spells.cell[rows]] * 3 + np.where(went_on, WENT_ON, np.where(lost, LOST, STILL_THERE))
    counts = np.bincount(place * shape[2] + np.maximum(days, 0), minlength=shape[0] * shape[1] * shape[2])
    return counts.reshape(shape)


def _incidence(stays: np.ndarray, segment: str, stage: str) -> pd.DataFrame:
    at_risk = np.maximum(stays.sum(axis=0)[::-1].cumsum()[::-1], 1)
    lost, left = stays[LOST] / at_risk, stays[WENT_ON:].sum(axis=0) / at_risk
    still_there = np.concatenate([[1.0], np.cumprod(1 - left)[:-1]])
    ages = np.flatnonzero(lost)
    shares = np.minimum(np.cumsum(still_there * lost)[ages], 1.0)
    return pd.DataFrame({"segment": segment, "stage": stage, "age_days": ages.astype(float), "share": shares})
