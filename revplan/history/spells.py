"""The history as arrays: a row per record, a column per stage, days as whole numbers.

Everything that counts ages and exits starts from here, so that a million records are read once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from revplan.history.records import History

NEVER = np.iinfo(np.int32).max  # later than any day
Labels = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Spells:
    """Days (since 1970-01-01) on which records entered stages or were lost, NEVER where they did not."""

    stages: Labels
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

    def known_on(self, day: int) -> Spells:
        """What of it was known at the end of `day`; records not yet entered stay, without any stage."""
        entered = np.where(self.entered > day, NEVER, self.entered)
        return replace(self, day=day, entered=entered, lost=np.where(self.lost > day, NEVER, self.lost))

    def codes(self, part: int) -> tuple[np.ndarray, Labels]:
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


def spells_of(history: History) -> Spells:
    """The records of `history` as arrays, in the order of its stage history."""
    rows = history.stage_history
    record, names = pd.factorize(rows["record"])
    stage = pd.Categorical(rows["stage"], history.stages).codes
    entered = np.full((len(names), len(history.stages)), NEVER, dtype=np.int64)
    entered[record, stage] = _days(rows["entered_on"])
    first = np.unique(record, return_index=True)[1]
    cell, cells = _cells(rows.iloc[first])
    lost, amount = _details(history, pd.Index(names))
    return Spells(history.stages, day_number(history.as_of), entered, lost, cell, cells, amount)


def _days(moments: pd.Series) -> np.ndarray:
    days = moments.to_numpy().astype("datetime64[D]")
    return np.where(np.isnat(days), NEVER, days.astype(np.int64))


def _cells(records: pd.DataFrame) -> tuple[np.ndarray, tuple[tuple[str, str], ...]]:
    segment, segments = pd.factorize(records["segment"], sort=True)
    source, sources = pd.factorize(records["source"], sort=True)
    code, pairs = pd.factorize(segment.astype(np.int64) * len(sources) + source, sort=True)
    return code, tuple((str(segments[pair // len(sources)]), str(sources[pair % len(sources)])) for pair in pairs)


def _details(history: History, names: pd.Index) -> tuple[np.ndarray, np.ndarray]:
    """Day of loss and amount, by record; a history without a table of records has neither."""
    if len(history.records) == 0:
        return np.full(len(names), NEVER, dtype=np.int64), np.full(len(names), np.nan)
    place = pd.Index(history.records["record"]).get_indexer(names)
    lost, amount = _days(history.records["lost_on"]), history.records["amount"].to_numpy(dtype=float)
    return np.where(place >= 0, lost[place], NEVER), np.where(place >= 0, amount[place], np.nan)
