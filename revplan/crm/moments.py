"""When every record entered every stage: what was known on a day, put in order, gaps filled.

Every repair is counted. Nothing is dropped: a day out of order is moved, a skipped stage is
entered at the moment of the next one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np
import pandas as pd

from revplan.crm.cells import Findings, counted
from revplan.crm.events import LOST, NEVER, Events
from revplan.ground.calendar import days_of
from revplan.ground.errors import shown

DAY = np.timedelta64(1, "D")
ENTRY_RECORDS, ENTRY_SHARE = 20, 0.05  # see _first_stages


@dataclass(frozen=True, eq=False)
class Moments:
    """A row per record, a column per stage, with the moment of entry; and the moment of loss."""

    entered: np.ndarray
    lost: np.ndarray
    found: Findings
    count: np.ndarray | None = None
    """How many records each row stands for; left out where each stands for one."""

    def number(self, rows: np.ndarray) -> int:
        """Records of the rows that `rows` marks."""
        return int(rows.sum() if self.count is None else self.count[rows].sum())

    @cached_property
    def used(self) -> np.ndarray:
        """Which records have entered a stage."""
        return ~np.isnat(self.entered).all(axis=1)

    @cached_property
    def days(self) -> np.ndarray:
        """The days of the moments of entry."""
        return days_of(self.entered)


def up_to(events: Events, as_of: date, stages: Sequence[str]) -> tuple[Events, Findings]:
    """The events entered by the end of `as_of`; the later ones are counted by stage."""
    later = events.at >= np.datetime64(as_of) + DAY
    if not later.any():
        return events, Findings()
    numbers, counts = np.unique(events.stage[later], return_counts=True)
    names = [*stages, "lost"]  # LOST, -1, is the last
    found = Findings()
    for number, count in zip(numbers, counts, strict=True):
        found += counted(names[number], "dates after the as-of day, ignored", count, f"as of {as_of}")
    return events.where(~later), found


def without_reopened(events: Events, records: int) -> tuple[Events, Findings]:
    """The events of a log without the losses after which a record entered a stage again."""
    last_stage = np.full(records, np.iinfo(np.int64).min)
    stage_rows = events.stage != LOST
    moments = events.at.astype("int64")
    np.maximum.at(last_stage, events.record[stage_rows], moments[stage_rows])
    reopened = ~stage_rows & (last_stage[events.record] > moments)
    return events.where(~reopened), losses_ignored(reopened.sum())


def losses_ignored(number: int) -> Findings:
    """Losses that do not count, for the record went on."""
    return counted("lost", "losses of records reopened later, ignored", number)


def wins_undone(number: int, lost: int) -> Findings:
    """Wins that do not count, for the record was lost or open again; `lost` of them were lost."""
    example = f"{lost:,} of them lost" if number else ""
    return counted("won", "won and later lost or reopened, no wins; outcome: first counts them", number, example)


def without_undone_wins(events: Events, records: int, last: int, logged: bool) -> tuple[Events, Findings]:
    """The events without the wins after which the record was lost, or in a log entered another stage again.

    Who was taken for won had come as far as the stage before: that is what such a win becomes.
    """
    moments = events.at.astype("int64")
    undoing = (events.stage == LOST) | (logged & (events.stage != last))
    undone_at = np.full(records, np.iinfo(np.int64).min)
    np.maximum.at(undone_at, events.record[undoing], moments[undoing])
    wins = events.stage == last
    undone = wins & (undone_at[events.record] > moments)
    back = np.setdiff1d(events.record[undone], events.record[wins & ~undone])
    lost = np.isin(back, events.record[events.stage == LOST]).sum()
    stage = np.where(undone, last - 1, events.stage).astype(events.stage.dtype)
    return replace(events, stage=stage), wins_undone(len(back), lost)


def last_entries(events: Events, records: int, stages: int) -> tuple[Events, Findings]:
    """The events of a log that are left of a record's last way through the stages.

    A stage entered again counts from its last entry, and undoes every entry before it into a later stage.
    """
    moments, kept = events.at.astype("int64"), events.stage == LOST
    begun = np.full(records, np.iinfo(np.int64).min)
    for number in range(stages):
        rows = events.stage == number
        valid = rows & (moments >= begun[events.record])
        last = np.full(records, np.iinfo(np.int64).min)
        np.maximum.at(last, events.record[valid], moments[valid])
        kept |= valid & (moments == last[events.record])
        begun = np.maximum(begun, last)
    what = "entries before a record's last way through the stages, as regressions: last asks"
    return events.where(kept), counted("records", what, (~kept).sum())


def first_moments(events: Events, records: int, stages: int, found: Findings) -> Moments:
    """The first entry into every stage, and the first loss."""
    never = np.iinfo(np.int64).max
    first = np.full((stages + 1, records), never)  # a stage's moments side by side, as they are looked at
    offset = np.arange(stages + 1) * records  # LOST, -1, is the last
    np.minimum.at(first.reshape(-1), offset[events.stage] + events.record, events.at.view("int64"))
    first[first == never] = NEVER.astype("int64")
    moments = first.view(NEVER.dtype)
    return Moments(moments[:-1].T, moments[-1], found)


@dataclass(frozen=True, eq=False)
class Rules:
    """How days that disagree are put in order, besides the order of the stages."""

    stages: Sequence[str]
    anchored: bool
    """Whether the first stage's day stands in a column: then no other stage lies before it."""
    last_entries: bool = False
    """Whether a stage entered again counts from its last entry."""


def repaired(moments: Moments, rules: Rules, sources: np.ndarray | pd.Categorical, enters: np.ndarray) -> Moments:
    """`moments` with stages in order and without gaps, losses last and only of records not won.

    `sources` are the records' sources: a source may enter below the first stage; `enters` is the number of the stage
    above which a record has none.
    """
    stages, moments = (
        rules.stages,
        replace(moments, entered=moments.entered.copy(order="K")),
    )  # which the next two change
    return _losses_last(_without_gaps(_in_order(moments, rules), stages, sources, enters), stages)


def _in_order(moments: Moments, rules: Rules) -> Moments:
    """No stage after one listed below it: moving back never dates a stage later, it was entered with that one.

    Where the day of the first stage stands in a column, as that of the record's creation, an earlier one is moved up to it.
    """
    entered, found, stages = moments.entered, moments.found, rules.stages
    if rules.anchored:
        for number, stage in enumerate(stages[1:], start=1):
            early = entered[:, number] < entered[:, 0]
            found += _moved(moments, (stage, *_moved_up(stages[0])), entered[:, number], entered[:, 0], early)
            entered[early, number] = entered[early, 0]
    earliest = entered[:, -1].copy()
    for number in range(len(stages) - 2, -1, -1):
        late = entered[:, number] > earliest
        found += _moved(moments, (stages[number], *BACK), entered[:, number], earliest, late)
        entered[late, number] = earliest[late]
        earliest = np.fmin(earliest, entered[:, number])
    return replace(moments, found=found)


BACK = (
    "dates after a later stage's, taken as entered with it",
    "times of day after a later stage's on the same day, taken as entered with it",
)


def _moved_up(to: str) -> tuple[str, str]:
    """What is said of dates, and of mere times of day, before those of the stage `to`."""
    return f"dates before {to}, moved up to it", f"times of day before that of {to} on the same day, moved up to it"


def _moved(
    moments: Moments, said: tuple[str, str, str], moment: np.ndarray, other: np.ndarray, rows: np.ndarray
) -> Findings:
    """Lines for moments of a stage moved to the `other` ones: on the same day only the time of day disagrees."""
    if not rows.any():
        return Findings()
    stage, of_days, of_times = said
    days, others = days_of(moment), days_of(other)
    apart = rows & (days != others)
    row = int(np.argmax(apart))
    example = f"{days[row]} after {others[row]}" if apart.any() else ""
    return counted(stage, of_days, moments.number(apart), example) + counted(
        stage, of_times, moments.number(rows & ~apart)
    )


def _without_gaps(
    moments: Moments, stages: Sequence[str], sources: np.ndarray | pd.Categorical, enters: np.ndarray
) -> Moments:
    """A skipped stage counts as entered at the moment of the next stage entered.

    Stages above the one at which a source enters are not skipped: its records never pass them; nor are those above
    the one at which a record enters that no other led to.
    """
    codes, names = pd.factorize(sources)
    usual = enters == 0
    firsts = _first_stages(moments, np.where(usual, codes, -1), len(names))
    entered, found = moments.entered, moments.found
    for code in np.flatnonzero(firsts > 0):
        what = f"records of source {shown(names[code])} enter here: hardly any has a date before"
        found += counted(stages[firsts[code]], what, moments.number(usual & (codes == code)))
    begins = np.maximum(firsts[codes], enters)
    for number in range(len(stages) - 2, -1, -1):
        skipped = np.isnat(entered[:, number]) & ~np.isnat(entered[:, number + 1]) & (begins <= number)
        entered[skipped, number] = entered[skipped, number + 1]
        found += counted(stages[number], "skipped, taken as entered with the next stage", moments.number(skipped))
    return replace(moments, found=found)


def _first_stages(moments: Moments, source: np.ndarray, sources: int) -> np.ndarray:
    """By source the number of the stage at which its records enter: 0, unless hardly any has a date before.

    It is the first stage dated in at least 5 % of the records dated there or later; a source of fewer
    than 20 records says too little, and enters at the first stage. `source` is by record, below 0 for those left out.
    """
    stages = moments.entered.shape[1]
    bits = sum((~np.isnat(moments.entered[:, stage])).astype(np.int64) << stage for stage in range(stages))
    pattern, patterns = pd.factorize(bits)  # few patterns of filled columns stand for all records
    filled = patterns[:, None] >> np.arange(stages) & 1 > 0
    place = (source + 1) * len(filled) + pattern
    count = np.bincount(place, moments.count, (sources + 1) * len(filled)).reshape(sources + 1, -1)[1:]
    by_then = np.logical_or.accumulate(filled[:, ::-1], axis=1)[:, ::-1]
    reached, dated = count @ by_then, count @ filled
    passed = dated >= np.maximum(1, ENTRY_SHARE * reached)
    return np.where(reached[:, 0] >= ENTRY_RECORDS, np.argmax(passed, axis=1), 0)


def _losses_last(moments: Moments, stages: Sequence[str]) -> Moments:
    last = np.fmax.reduce(moments.entered, axis=1)
    won = ~np.isnat(moments.entered[:, -1])
    after_win = won & ~np.isnat(moments.lost)
    early = ~won & (moments.lost < last)
    lost = np.where(after_win, NEVER, np.where(early, last, moments.lost))
    found = moments.found + counted("lost", f"losses of records in {stages[-1]}, ignored", moments.number(after_win))
    found += _moved(moments, ("lost", *_moved_up("the last stage")), moments.lost, last, early)
    return replace(moments, lost=lost, found=found)
