"""Records counted where they lie: in Parquet files and folders, DuckDB files, and PostgreSQL.

The engine answers with ways: the days on which records entered their stages, their labels and amount, and how many
records they are; no id and no row leaves it. What happens to the days after that (order, gaps, losses last) is the
code all records go through (`moments.repaired`), and what a label means is asked of the same code, for each different
text. Only two rules look at the events of a record before they are days: a loss that was reopened, and a win that was
undone. They are said in SQL here and in numpy in `moments`; a test holds both equal on random dirty histories.

Records of a log that neither rule can touch are counted in one pass, the few others in a second one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from revplan.crm.answer import loads_told
from revplan.crm.asked import NO_DAY, Look, event_days, look_of, moments_of
from revplan.crm.cells import (
    ImportLine,
)
from revplan.crm.counted import Counted
from revplan.crm.engines import engine_of
from revplan.crm.file import CrmSource, read_crm_file
from revplan.crm.moments import Moments, Rules, losses_ignored, repaired, wins_undone
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
from revplan.crm.today import a_year_off, holes, last_of, silent_stages, usual_end
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
    if source.crm.count == "in_place":
        with told_of(DataError, shown(path.name), "take `count: in_place` out, and it is read into memory"):
            return Stored(source, look_of(source, today), tell)
    if unasked and source.crm.count is None and "preset" not in source.document.data:
        try:
            look = look_of(source, today)
            if look.rows >= LARGE:
                return Stored(source, look, tell)
        except DataError:  # the reader into memory says what is wrong, with the row, or has a way of its own
            pass
    return read_export(path, today=today)


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

    def where(self, rows: np.ndarray) -> Ways:
        """The ways that `rows` names."""
        return Ways(*(getattr(self, each.name)[rows] for each in fields(self)))

    def __add__(self, other: Ways) -> Ways:
        pairs = ((getattr(self, each.name), getattr(other, each.name)) for each in fields(self))
        return Ways(*(np.concatenate(pair) for pair in pairs))


def _ways(answer: Sequence[np.ndarray], stages: int) -> Ways:
    """An answer's columns as ways: labels, amount, stages and loss; first day, undone and reopened if asked for; count."""
    codes, entered = np.stack(answer[:2], axis=1), np.stack(answer[3 : 3 + stages], axis=1).astype(np.int32, copy=False)
    lost, *others, count = answer[3 + stages :]
    arrived = np.where(entered == NO_DAY, np.iinfo(np.int32).max, entered).min(axis=1)
    first = np.where(arrived == np.iinfo(np.int32).max, NO_DAY, arrived)
    nothing = np.zeros(len(count), dtype=np.int8)
    arrived, undone, reopened = others or (first, nothing, nothing)
    return Ways(
        codes, answer[2].astype(float), entered, lost.astype(np.int32, copy=False), arrived, undone, reopened, count
    )


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
        kept = int(ways.count[used].sum())
        report = self.source.found + moments.found
        report += set_aside(every - kept)
        if as_of is None:
            events, last = self._events[0], self._last
            later = int(((events > np.datetime64(day)) & (events <= np.datetime64(last))).sum())
            report += no_longer_coming(day, last, later)
        lines = tuple(dict.fromkeys((*report.lines, ImportLine("records", "kept", kept))))
        first = np.fmin.reduce(moments.entered, axis=1)[used].astype("datetime64[D]")
        arrived = first.repeat(ways.count[used])
        latest = np.fmax(np.fmax.reduce(moments.entered, axis=None), np.fmax.reduce(moments.lost))
        ends = stale_since(as_day(latest), day) or silence_after(arrived, day, lines)
        silent = silent_stages(entered, stages, day, ways.count)
        strange = (*holes(first, ways.count[used]), *silent, *a_year_off(entered, stages, _Nameless(), ways.count))
        return Counted(
            stages=stages,
            as_of=day,
            entered=moments.entered[used].astype("datetime64[D]"),
            lost=moments.lost[used].astype("datetime64[D]"),
            labels={"segment": segments[used], "source": sources[used]},
            amount=ways.amount[used],
            count=ways.count[used],
            report=lines,
            notes=(*((ends,) if ends else ()), *strange),
            reading=telling(lines),
            loads=loads_told(first, sources[used], ways.count[used]),
        )

    def _recorded_on(self, day: date) -> Ways:
        if self.look.log is None:
            return _recorded_of_columns(self._ever, day)
        return self._ever if (self._events[0] <= np.datetime64(day)).all() else self._asked(day)[0]

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
            others = odd != 0
            ways, rows = _ways([*columns, count], stages), int(behind.sum())
            if not others.any():
                return ways, rows
            near = _one_of(np.unique(odd[others])) if others.sum() <= FEW else "TRUE"
            return ways.where(~others) + _ways(engine.ask(self.look.log.others(day, near)), stages), rows

    @cached_property
    def _events(self) -> tuple[np.ndarray, np.ndarray]:
        """The days on which something happened, as often as it did; and those of wins and losses."""
        ways, rows = self._all
        if (log := self.look.log) is not None:
            if rows == len(log.events):
                return log.events, log.closings
            with engine_of(self.look.places) as (engine, _):  # there are rows of records that are none
                return event_days(*engine.ask(log.of_records()))
        days = np.append(ways.entered, ways.lost[:, None], axis=1)
        every, closings = (
            moments_of(each[each != NO_DAY].repeat(np.broadcast_to(ways.count[:, None], each.shape)[each != NO_DAY]))
            for each in (days, days[:, -2:])
        )
        return every, closings

    @cached_property
    def _last(self) -> date:
        if not len(self._events[0]):
            raise nothing_usable(self.source, self.look.found, NO_DAY_AT_ALL)
        return as_day(last_of(self._events[0]))

    @property
    def _usual_end(self) -> date:
        ways = self._ever
        arrived = ways.arrived != NO_DAY
        days = moments_of(ways.arrived[arrived]).repeat(ways.count[arrived])
        return usual_end(days if len(days) else self._events[0][:1], self._events[1], np.datetime64(self._last))


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
