"""Records counted where they lie: in Parquet files and folders, DuckDB files, and PostgreSQL.

The engine answers with ways: the days on which records entered their stages, their labels and amount, and how many
records they are; no id and no row leaves it, but of records looked at again the number their id is known by. What happens to the days after that (order, gaps, losses last) is the
code all records go through (`moments.repaired`), and what a label means is asked of the same code, for each different
text. Only two rules look at the events of a record before they are days: a loss that was reopened, and a win that was
undone. They are said in SQL here and in numpy in `moments`; a test holds both equal on random dirty histories.

Records of a log that neither rule can touch are counted in one pass, the few others in a second one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from revplan.crm.answer import loads_told
from revplan.crm.asked import NO_DAY, Look, event_days, ids_are_odd, look_of, moments_of
from revplan.crm.cells import (
    ImportLine,
)
from revplan.crm.counted import Counted
from revplan.crm.engines import engine_of
from revplan.crm.file import CrmSource, read_crm_file
from revplan.crm.mapping import HistoryCrm
from revplan.crm.moments import Moments, Rules, losses_ignored, repaired, wins_undone
from revplan.crm.quality import wins_below_zero
from revplan.crm.records import (
    NO_DAY_AT_ALL,
    Export,
    no_longer_coming,
    nothing_usable,
    read_export,
    set_aside,
    silence_after,
    stale_since,
    telling,
)
from revplan.crm.today import Times, a_year_off, holes, last_of, silent_stages, usual_end
from revplan.ground.errors import DataError, shown
from revplan.ground.files import told_of
from revplan.ground.values import Progress

FEW = 100_000  # records looked at again by name
LARGE = 200_000  # rows of a typed table, from which it is counted where it lies without being asked


def open_counts(
    crm_path: str | Path, tell: Progress | None = None, unasked: bool = True, today: date | None = None
) -> Export | Stored:
    """The records that the CRM file at `crm_path` names, ready to be counted for any day.

    They are counted where they lie if the CRM file says `count: in_place`; `unasked` also where they are many, lie in
    Parquet or in a database, and everything the CRM file asks can be asked there. Otherwise they are read into memory.

    Raises
    ------
    DataError
        If a file is at fault, or what the CRM file says cannot be counted in place though it asks for that.
    """
    path = Path(crm_path)
    source = read_crm_file(path)
    as_written = isinstance(source.crm, HistoryCrm) and source.crm.records is not None
    if source.crm.count == "in_place":
        with told_of(DataError, shown(path.name), "take `count: in_place` out, and it is read into memory"):
            return _sure(Stored(source, look_of(source, today, as_written), tell), today)
    if unasked and source.crm.count is None and "preset" not in source.document.data:
        look = None
        with suppress(DataError):  # the reader into memory says what is wrong, with the row, or has a way of its own
            look = look_of(source, today, as_written)
        if look is not None and look.rows >= LARGE:
            found = Stored(source, look, tell)
            _ = found.has_strangers  # what stops the count is told
            with suppress(DataError):
                return _sure(found, today)
    return read_export(path, today=today)


def _sure(found: Stored, today: date | None) -> Stored:
    """`found`, or the same with a look at every id: where rows are of no record, and one may be, if ids are read as people write them."""
    if found.look.as_written and found.has_strangers and ids_are_odd(found.source, found.look.places):
        return replace(found, look=look_of(found.source, today))
    return found


# --- ways -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Ways:
    """Records by the days they entered stages on, as written: numbers of days, NO_DAY where there is none."""

    codes: np.ndarray
    """Way x (segment, source): the number of its label."""
    amount: np.ndarray
    entered: np.ndarray
    lost: np.ndarray
    arrived: np.ndarray
    """The first day of a stage, whatever is left out later."""
    undone: np.ndarray
    """1 where a win was undone."""
    reopened: np.ndarray
    """Losses left out because a stage was entered after them."""
    count: np.ndarray

    def put(self, places: np.ndarray, ids: np.ndarray, answer: Sequence[np.ndarray]) -> None:
        """Puts what an answer says of single records, by id, into the ways at `places`, which stand for `ids`."""
        found, *columns = answer
        order = np.argsort(found)
        at = order[np.searchsorted(found, ids, sorter=order).clip(max=len(order) - 1)]
        there = found[at] == ids
        kept = (*self.entered.T, self.lost, self.arrived, self.undone, self.reopened)
        for one, other in zip(kept, columns, strict=True):
            one[places[there]] = other[at[there]]


def _ways(answer: Sequence[np.ndarray], stages: int) -> Ways:
    """An answer's columns as ways: labels, amount, stages and loss; first day, undone and reopened if asked for; count."""
    codes, entered = np.stack(answer[:2]).T, np.stack(answer[3 : 3 + stages]).astype(np.int32, copy=False).T
    lost, *others, count = answer[3 + stages :]
    arrived = np.where(entered == NO_DAY, np.iinfo(np.int32).max, entered).min(axis=1)
    first = np.where(arrived == np.iinfo(np.int32).max, NO_DAY, arrived)
    arrived, undone, reopened = others or (first, *np.zeros((2, len(count)), dtype=np.int32))
    return Ways(codes, answer[2].astype(float), entered, lost.astype(np.int32), arrived, undone, reopened, count)


@dataclass(frozen=True, eq=False)
class Stored:
    """Records that stay where they are, and are counted there for any day."""

    source: CrmSource
    look: Look
    tell: Progress | None = None

    def on(self, as_of: date | None = None) -> Counted:
        """What was known at the end of `as_of`, or of the last day the records know of.

        Raises
        ------
        DataError
            If the engine gives no answer, or no record can be used.
        """
        day = as_of or self._usual_end
        stages, ways, found = self.source.crm.stage_ids(), self._recorded_on(day), self.look.found
        entered, lost = moments_of(ways.entered), moments_of(ways.lost)
        back = (ways.undone > 0) & np.isnat(entered[:, -1])
        found += losses_ignored((ways.reopened * ways.count).sum())
        found += wins_undone(ways.count[back].sum(), ways.count[back & ~np.isnat(lost)].sum())
        if np.isnat(entered).all():
            raise nothing_usable(self.source, found, f"no record has entered a stage by {day}")
        segments, sources = (_named(names, ways.codes[:, key]) for key, names in enumerate(self.look.names))
        rules = Rules(stages, anchored=("stages", stages[0]) in self.source.crm.days())
        written = Moments(entered, lost, found, ways.count)
        moments = repaired(written, rules, sources, np.zeros(len(lost), dtype=int))
        used, every = moments.used, int(ways.count.sum())
        rows = slice(None) if used.all() else used
        kept = int(ways.count[rows].sum())
        report = self.source.found + moments.found
        report += set_aside(every - kept)
        report += wins_below_zero(~np.isnat(moments.entered[rows, -1]), ways.amount[rows], ways.count[rows])
        if as_of is None:
            events, last = self._events[0], self._last
            later = events.where((events.at > np.datetime64(day)) & (events.at <= np.datetime64(last)))
            report += no_longer_coming(day, last, later.number)
        lines = tuple(dict.fromkeys((*report.lines, ImportLine("records", "kept", kept))))
        first, count = np.fmin.reduce(moments.entered, axis=1)[rows], ways.count[rows]
        latest = np.fmax(np.fmax.reduce(moments.entered, axis=None), np.fmax.reduce(moments.lost))
        ends = stale_since(as_day(latest), day) or silence_after(Times(first, count), day, lines)
        silent = silent_stages(entered, stages, day, ways.count)
        strange = (*holes(first, count), *silent, *a_year_off(entered, stages, _Nameless(), ways.count))
        return Counted(
            stages=stages,
            as_of=day,
            entered=moments.entered[rows],
            lost=moments.lost[rows],
            labels={"segment": segments[rows], "source": sources[rows]},
            amount=ways.amount[rows],
            count=count,
            report=lines,
            notes=(*((ends,) if ends else ()), *strange),
            reading=telling(lines),
            loads=loads_told(first, sources[rows], count),
        )

    def _recorded_on(self, day: date) -> Ways:
        if self.look.log is None:
            return _recorded_of_columns(self._ever, day)
        return self._ever if (self._events[0].at <= np.datetime64(day)).all() else self._asked(day)[0]

    @property
    def _ever(self) -> Ways:
        return self._all[0]

    @cached_property
    def _all(self) -> tuple[Ways, int]:
        return self._asked(None)

    def _asked(self, day: date | None) -> tuple[Ways, int]:
        """What was known at the end of `day`, and the rows behind it."""
        if self.tell:
            self.tell(0, self.look.rows, "rows counted where they lie")
        stages = len(self.source.crm.stage_ids())
        with engine_of(self.look.places) as (engine, _):
            if self.look.log is None:
                ways = _ways(engine.ask(self.look.wide), stages)
                return ways, int(ways.count.sum())
            *columns, odd, count, behind = engine.ask(self.look.log.clean(day))
            ways, places = _ways([*columns, count], stages), np.flatnonzero(odd)
            if len(places):
                near = _one_of(odd[places]) if len(places) <= FEW else "TRUE"
                ways.put(places, odd[places], engine.ask(self.look.log.others(day, near)))
            return ways, int(behind.sum())

    @property
    def has_strangers(self) -> bool:
        """Whether rows of the log are of no record."""
        return self.look.log is not None and self._all[1] < self.look.log.events.number

    @cached_property
    def _events(self) -> tuple[Times, Times]:
        """The days on which something happened; and those of wins and losses."""
        ways = self._ever
        if (log := self.look.log) is not None:
            if not self.has_strangers:
                return log.events, log.closings
            with engine_of(self.look.places) as (engine, _):  # there are rows of records that are none
                return event_days(*engine.ask(log.of_records()))
        days = np.append(ways.entered, ways.lost[:, None], axis=1)
        counts = np.broadcast_to(ways.count[:, None], days.shape)
        dated = days != NO_DAY
        every, closings = (
            Times(moments_of(days[:, some][dated[:, some]]), counts[:, some][dated[:, some]])
            for some in (slice(None), slice(-2, None))
        )
        return every, closings

    @cached_property
    def _last(self) -> date:
        if not len(self._events[0].at):
            raise nothing_usable(self.source, self.look.found, NO_DAY_AT_ALL)
        return as_day(last_of(self._events[0]))

    @property
    def _usual_end(self) -> date:
        ways = self._ever
        arrived = Times(moments_of(ways.arrived), ways.count).where(ways.arrived != NO_DAY)
        return usual_end(
            arrived if len(arrived.at) else self._events[0].where(np.array([0])),
            self._events[1],
            np.datetime64(self._last),
        )


def _one_of(numbers: np.ndarray) -> str:
    """SQL for whether an id is among `numbers`: in one text, for a list of as many constants takes as long as the count."""
    texts = ",".join(map(str, numbers.tolist()))
    return f"id IN (SELECT CAST(each AS BIGINT) FROM unnest(string_to_array('{texts}', ',')) AS few(each))"


class _Nameless(Sequence[str]):
    """Names of records of which nobody asked for any."""

    def __len__(self) -> int:
        return 0

    def __getitem__(self, at: Any) -> Any:
        return "one of them"


def as_day(moment: np.datetime64) -> date:
    """The calendar day of a moment."""
    day: Any = moment.astype("datetime64[D]").item()
    return date(day.year, day.month, day.day)


def _recorded_of_columns(ways: Ways, day: date) -> Ways:
    """The ways of records that have a column for each stage, as known at the end of `day`."""
    last = int(np.datetime64(day, "D").astype(np.int64))
    entered, lost = (np.where(each > last, NO_DAY, each) for each in (ways.entered, ways.lost))
    undone = np.where(lost == NO_DAY, 0, ways.undone)
    back = undone > 0
    before, won = entered[back, -2], entered[back, -1]
    entered[back, -2] = np.where(before == NO_DAY, won, np.minimum(before, won))
    entered[back, -1] = NO_DAY
    return replace(ways, entered=entered, lost=lost, undone=undone)


def _named(names: np.ndarray, codes: np.ndarray) -> pd.Categorical:
    """The label of each way, of the `names` that the codes number."""
    numbers, different = pd.factorize(names)
    return pd.Categorical.from_codes(numbers[codes], different)
