"""Until which day records know what happened, and where their flow breaks off: each told in one sentence.

A date after today never says how far records reach, nor does a lone one far from all others. Where new records
stop coming in while outcomes go on, what is counted later has no beginning: records then reach to the last day
on which new ones still came in, if that is a break in a steady flow and not just a list of one month's records.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

import numpy as np

from revplan.crm.events import LOST, Events
from revplan.ground.calendar import days_of
from revplan.ground.formats import show

DAY = np.timedelta64(1, "D")
A_YEAR = 365
RECENT, FEWEST_WATCHED, FEWEST_DAYS = 90 * DAY, 30.0, 10  # time whose pace is usual; days with entries that show it
BULK = 10  # times the usual entries of a day: a load, which is no flow
SHORT_SILENCE, MISSED = 7, 10.0  # days of silence, and records missing in them, from which records no longer come in
STEADY, SPAN, GAPS, KEPT = 100, 2.0, 2.0, 0.5  # records, spans and longest gaps of silence, outcomes: see _breaks_off
LONG_HOLE, HOLE_GAPS = 28, 4.0  # days without a record, and times the next longest such time, that are a hole
FEW, TYPOS, FAR = 20, 0.005, 300 * DAY  # events, the share and the days that make lone dates far ahead typing errors
AFTER_TODAY = "after today"
FALSE_CLOCK = 0.5  # share of the events after today from which it is the clock that is wrong
USUAL = 0.99  # of the times between two stages


@dataclass(frozen=True, eq=False)
class Times:
    """When something happened, and how often it did at each of these moments."""

    at: np.ndarray
    count: np.ndarray

    @classmethod
    def once(cls, at: np.ndarray) -> Times:
        """Moments at each of which it happened once."""
        return cls(at, np.broadcast_to(np.int64(1), len(at)))

    def where(self, rows: np.ndarray) -> Times:
        """Those of `rows`."""
        return Times(self.at[rows], self.count[rows])

    @property
    def number(self) -> int:
        """How often it happened."""
        return int(self.count.sum())

    def by_day(self) -> Times:
        """The same by day, the first one first."""
        days = days_of(self.at).astype(np.int64)
        first = days.min(initial=np.iinfo(np.int64).max)
        counts = np.bincount(days - first, self.count)
        there = np.flatnonzero(counts)
        return Times((there + first).astype("datetime64[D]"), counts[there].astype(np.int64))


def last_day(events: Events, today: date | None = None) -> date:
    """The last day that the events know of, until `today`; lone dates far after all others are typing errors."""
    return last_moment(events, today).astype("datetime64[D]").item()


def last_usual_day(events: Events, stages: int, last: np.datetime64) -> date:
    """The day of `last`, the last moment that the events know of; or the last on which records still came in, where they break off before it."""
    closings = events.at[(events.stage == LOST) | (events.stage == stages - 1)]
    return usual_end(Times.once(_arrived(events)), Times.once(closings), last)


def usual_end(arrived: Times, closings: Times, last: np.datetime64) -> date:
    """The same, of when records came in, `arrived`; `closings` are wins and losses."""
    arrived, closings = (each.where(each.at <= last) for each in (arrived, closings))
    ends = len(arrived.at) > 0 and _breaks_off(arrived, closings, last)
    return (arrived.at.max() if ends else last).astype("datetime64[D]").item()


def _breaks_off(arrived: Times, closings: Times, last: np.datetime64) -> bool:
    """Whether a steady flow of records ends before `last`.

    Ten or more that would have come are missing; the silence is at most half as long as the flow was and twice as
    long as any before; and most outcomes lie before it. A list of a month's records with what became of them is
    no flow that broke off.
    """
    ended = arrived.at.max()
    silent = (last - ended) / DAY
    if (
        records_missing(arrived, last) < MISSED
        or arrived.number < STEADY
        or (ended - arrived.at.min()) / DAY < SPAN * silent
    ):
        return False
    filled = closings.where(closings.at <= ended + DAY).number >= KEPT * closings.number
    return bool(filled and silent > GAPS * _longest_gap(arrived.at, ended))


def _longest_gap(arrived: np.ndarray, ended: np.datetime64) -> int:
    """The longest time without a new record in the year before a moment. [days]"""
    days = np.unique(arrived[arrived > ended - A_YEAR * DAY].astype("datetime64[D]"))
    return int(np.diff(days).astype(int).max(initial=1))


def records_missing(arrived: Times, until: np.datetime64) -> float:
    """Records that would have come in since the last moment in `arrived`, at the pace of the 90 days before; 0 within a week."""
    last = arrived.at.max()
    recent = arrived.where(arrived.at > last - RECENT)
    silent, watched = (until - last) / DAY, max((last - recent.at.min()) / DAY, FEWEST_WATCHED)
    counts = recent.by_day().count
    flow = counts[counts <= BULK * np.median(counts)]
    return float(flow.sum()) / watched * silent if len(flow) >= FEWEST_DAYS and silent >= SHORT_SILENCE else 0.0


def last_moment(events: Events, today: date | None) -> np.datetime64:
    """The last moment, typing errors and dates after today left out."""
    return last_of(Times.once(events.at[~after_today(events, today)]))


def last_of(times: Times) -> np.datetime64:
    """The last of the moments, typing errors left out."""
    days, number = times.by_day(), times.number
    if number >= FEW:
        later = number - np.cumsum(days.count)[:-1]
        ahead = np.flatnonzero((later <= int(TYPOS * number) + 1) & (np.diff(days.at) > FAR))
        if len(ahead):
            return times.at[times.at < days.at[ahead[0]] + DAY].max()
    return times.at.max()


def after_today(events: Events, today: date | None) -> np.ndarray:
    """Which events lie after `today`; none where most do, for then the clock is wrong."""
    later = events.at >= np.datetime64(today) + DAY if today is not None else np.zeros(len(events.at), dtype=bool)
    return later if not later.any() or later.mean() <= FALSE_CLOCK else np.zeros(len(later), dtype=bool)


def _arrived(events: Events) -> np.ndarray:
    """The first moment of each record that has entered a stage."""
    rows = events.stage != LOST
    if not rows.any():
        return events.at[:1]
    first = np.full(int(events.record.max()) + 1, np.iinfo(np.int64).max)
    np.minimum.at(first, events.record[rows], events.at[rows].astype("int64"))
    return first[first < np.iinfo(np.int64).max].astype(events.at.dtype)


# --- what is told -------------------------------------------------------------------------------------------


def future(events: Events, names: Sequence[str], records: Sequence[object], today: date | None) -> Iterator[str]:
    """That dates lie after today. `names` are those of the stages, and of the loss last."""
    rows = np.flatnonzero(after_today(events, today))
    if today is None or not len(rows):
        return
    far = rows[int(np.argmax(events.at[rows]))]
    dates = "1 date lies" if len(rows) == 1 else f"{len(rows):,} dates lie"
    yield (
        f"{dates} {AFTER_TODAY}, {show(today, 'date')}, the last on {_shown(events.at[far])} ({names[events.stage[far]]} of record "
        f"{records[events.record[far]]}): left out; correct {'it' if len(rows) == 1 else 'them'} in the CRM."
    )


def holes(arrived: np.ndarray, count: np.ndarray) -> Iterator[str]:
    """A time in the middle of the flow of new records in which none came, though many should have.

    At each moment of `arrived` came as many records as `count` says.
    """
    days = np.unique(days_of(arrived))
    gaps = np.diff(days).astype(int)
    if len(days) < FEWEST_DAYS or gaps.max() < LONG_HOLE:
        return
    place = int(np.argmax(gaps))
    others = np.delete(gaps, place)
    before, after = days[place], days[place + 1]
    around = count[(arrived > before - RECENT) & (arrived < after + RECENT)].sum()
    watched = max(
        min((before - days[0]) / DAY, RECENT / DAY) + min((days[-1] - after) / DAY, RECENT / DAY), FEWEST_WATCHED
    )
    missing = around / watched * gaps[place]
    if missing >= MISSED and gaps[place] >= HOLE_GAPS * others.max(initial=1):
        yield (
            f"No new record between {_shown(before)} and {_shown(after)}, {gaps[place]:,} days in which about {missing:,.0f} were to "
            "be expected: is a part of the export missing? Rates and the flow of new records rest on the rest."
        )


def silent_stages(entered: np.ndarray, names: Sequence[str], as_of: date, count: np.ndarray) -> Iterator[str]:
    """Stages that fell silent while records went on entering the one before.

    `entered` has a row for every `count` records that are alike, a column per stage.
    """
    until = np.datetime64(as_of, "us")
    for number, (_, name) in enumerate(pairwise(names), start=1):
        dated = np.flatnonzero(~np.isnat(entered[:, number]))
        if not len(dated):
            continue
        moments = entered[dated, number]
        last = moments.max()
        missing, silent = records_missing(Times(moments, count[dated]), until), (until - last) / DAY
        unusual = silent > GAPS * _longest_gap(moments, last) and (last - moments.min()) / DAY >= SPAN * silent
        if missing >= MISSED and unusual and count[entered[:, number - 1] > last + SHORT_SILENCE * DAY].sum() >= MISSED:
            yield (
                f"No new {name} since {_shown(last)}, {silent:,.0f} days before {show(as_of, 'date')}, where about {missing:,.0f} were to "
                f"be expected, though {names[number - 1]} goes on: was the stage renamed, or is it no longer filled in?"
            )


def a_year_off(
    entered: np.ndarray, names: Sequence[str], records: Sequence[object], count: np.ndarray
) -> Iterator[str]:
    """Days that would be usual a year earlier or later: a slip in the year. `entered` as for `silent_stages`."""
    days = days_of(entered)
    dated = ~np.isnat(days)
    for number, (before, after) in enumerate(itertools.pairwise(names)):
        both = np.flatnonzero(dated[:, number] & dated[:, number + 1])
        lag, times = (days[both, number + 1] - days[both, number]).astype(np.int64), count[both]
        forward = lag >= 0
        filled = np.cumsum(np.bincount(lag[forward], times[forward]))  # records with such a lag or a shorter one
        if not len(filled) or filled[-1] < FEW:
            continue
        usual = _quantile(filled, USUAL)
        usual = usual if usual < A_YEAR - 30 else _quantile(filled, 0.9)
        if usual >= A_YEAR / 2:
            continue  # where a year is no unusual time nothing is a slip
        early = (lag < -A_YEAR / 2) & (lag + A_YEAR >= -1) & (lag + A_YEAR <= usual + 1)
        late = (lag > A_YEAR - 1) & (lag > 2 * usual) & (lag - A_YEAR <= usual + 1)
        off = np.flatnonzero(early | late)
        number_off = int(times[off].sum())
        if 0 < number_off <= max(1, (1 - USUAL) * 2 * filled[-1]):
            row = both[off[0]]
            yield (
                f"{number_off:,} {'record looks' if number_off == 1 else 'records look'} a year off between {before} and {after}, such as "
                f"{records[row]} with {days[row, number]} and {days[row, number + 1]}, where the others take up to {usual:,.0f} days: "
                "counted as written; correct the year in the CRM."
            )


def _quantile(up_to: np.ndarray, share: float) -> float:
    """The quantile of whole numbers 0, 1, 2, ... of which `up_to` says how many are so large at most, as numpy's default has it."""
    place = share * (up_to[-1] - 1)
    below, above = np.searchsorted(up_to, [np.floor(place), np.ceil(place)], side="right")
    return float(below + (above - below) * (place % 1))


def _shown(moment: np.datetime64) -> str:
    return show(moment.astype("datetime64[D]").item(), "date")
