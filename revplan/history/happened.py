"""What the records show of a running year: entries by stage, and how many of a cohort are won in the end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from revplan.history.expected import known_of
from revplan.history.flow import open_records, wins_by_day
from revplan.history.hazards import Hazards
from revplan.history.predictive import USUAL_CV, count_quantiles
from revplan.history.records import History
from revplan.history.spells import NEVER, Spells, day_number, spells_of
from revplan.tables import conform

AHEAD = 1095  # days for which open records are followed; nothing much is won later
SETTLED = 0.05  # share of a cohort's wins still to come below which its rate is final
LOW_HIGH = np.array([0.1, 0.9])


def came_flow(history: History, since: date) -> pd.DataFrame:
    """Table flow: entries of every stage by month that the records show from `since` on. [records]

    Records whose first day lies before `since` are its opening part, their wins before it included.
    A win without an amount counts no ARR.
    """
    start = pd.Timestamp(since)
    rows = history.stage_history.merge(history.records[["record", "amount"]], on="record")
    won = rows["stage"] == history.stages[-1]
    first = rows.groupby("record")["entered_on"].transform("min")
    rows = rows.assign(
        part=np.where(first < start, "opening", "new"),
        month=rows["entered_on"].dt.to_period("M"),
        entries=1.0,
        arr=rows["amount"].fillna(0.0) * won,
    )
    rows = rows[(rows["entered_on"] >= start) | won]
    keys = ["segment", "source", "stage", "month", "part"]
    return conform(rows.groupby(keys, observed=True)[["entries", "arr"]].sum().reset_index(), "flow")


@dataclass(frozen=True, eq=False)
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

    def known_since(self) -> np.ndarray:
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
    return Fates(spells, known_of(spells, 1).chain)


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
