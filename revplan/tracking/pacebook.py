"""The running year followed day by day: a view of its board book, and what it adds to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from revplan.crm.answer import read_first
from revplan.crm.planfile import real_path
from revplan.crm.records import SILENT_DAYS, History
from revplan.funnel.funnel import Cell
from revplan.funnel.pipeline import open_yield
from revplan.funnel.tables import cell_values_table
from revplan.ground.calendar import MONTHS_PER_QUARTER, MONTHS_PER_YEAR, day_written, month_of, quarter_id
from revplan.ground.formats import counted, listed, plural, show
from revplan.ground.tables import conform, empty
from revplan.ground.workdays import Workdays
from revplan.plan.model import Plan
from revplan.plan.parts import WorkPlace
from revplan.plan.stages import titles_of
from revplan.snapshot.state import Snapshots
from revplan.tracking import landing as year_landing
from revplan.tracking import notes as said
from revplan.tracking.baseline import in_plan_names, last_day_counted, records_on
from revplan.tracking.book import BoardBook, YearFiles, book_on, read_year
from revplan.tracking.claims import claims
from revplan.tracking.nowcast import (
    KEPT_DAYS,
    LEAST_NIGHTS,
    USUAL_DAYS,
    Late,
    Triangle,
    after_run,
    late_of,
    read_triangle,
    recorded_by_night,
    triangle_path,
)
from revplan.tracking.pace import (
    LOOKED_BACK,
    SHAPE_LEVEL,
    Followed,
    Group,
    Period,
    Shape,
    alert_after,
    attainment,
    by_month_of_quarter,
    by_stretch,
    entries_by_day,
    learnt_paces,
    learnt_shape,
    pace_lines,
    quantile,
    spread_over,
)
from revplan.tracking.periods import DayRun, Span

ALL = "all"
WHOLE, SEGMENT, SOURCE, TEAM, CELL = "whole", "segment", "source", "team", "cell"
MONTH, QUARTER, YEAR = "month", "quarter", "year"
LARGEST = 60  # open records of which the chance is worked out one by one
DECIDING = 10  # of them that are listed
SURE = 0.0005  # chance below which a record counts as lost, and the one above 1 less which as won


@dataclass(frozen=True, eq=False, repr=False)
class PaceBook:
    """A plan's running month, quarter and year as known on a day; each table is made when it is first asked for."""

    board: BoardBook
    """The year as a board looks at it: plan, variance, landing."""
    history: History | None
    """The records as known on the day; None where the plan names none."""
    triangle: Triangle = field(default_factory=lambda: Triangle(empty("triangle")))
    """What nightly runs saw arrive, this day's included; without rows where none kept count."""

    def __repr__(self) -> str:
        return f"<PaceBook {self.plan.name}: as of {self.as_of}>"

    @property
    def plan(self) -> Plan:
        """The plan that is followed: what was signed, or is to be."""
        return self.board.plan

    @property
    def live(self) -> Plan:
        """The plan as its file says now: its calendar, and what it says of the pace."""
        return self.board.files.live

    @property
    def as_of(self) -> date:
        """The last day known."""
        return self.board.as_of

    @property
    def stage(self) -> str:
        """The stage of the commit; the next one that the records know where they lack it."""
        return self.board.stage

    @cached_property
    def month(self) -> Period:
        """The month the last day known lies in."""
        month = month_of(self.as_of)
        return Period(MONTH, str(month), month.start_time.date(), month.end_time.date())

    @cached_property
    def periods(self) -> list[Period]:
        """Month, quarter and year of the last day known, as far as the plan has targets for them."""
        first = self.plan.first_month
        gone = (month_of(self.as_of) - first).n
        if self.as_of < self.plan.plan_date or gone >= MONTHS_PER_YEAR:
            return []
        index = gone // MONTHS_PER_QUARTER
        begin = first + MONTHS_PER_QUARTER * index
        end = begin + MONTHS_PER_QUARTER - 1
        found = [self.month, Period(QUARTER, quarter_id(index, first), begin.start_time.date(), end.end_time.date())]
        if gone >= 0:
            last = first + MONTHS_PER_YEAR - 1
            found.append(Period(YEAR, str(first.year), first.start_time.date(), last.end_time.date()))
        return found

    @cached_property
    def groups(self) -> list[Group]:
        """What is looked at: all together first, then by segment, source, team and cell, each where there are several."""
        cells = self.cells
        keys = [(segment, source, self.live.team_of(segment, source)) for segment, source in cells]
        every = tuple(range(len(cells) + 1))  # what belongs to no cell of the plan counts in the whole
        found = [Group(WHOLE, ALL, ALL, ALL, every, self._workdays(every[:-1]))]
        for place, kind in enumerate((SEGMENT, SOURCE, TEAM)):
            names = list(dict.fromkeys(key[place] for key in keys))
            for name in names if len(names) > 1 else ():
                rows = tuple(row for row, key in enumerate(keys) if key[place] == name)
                segment, source, team = (name if at == place else ALL for at in range(3))
                found.append(Group(kind, segment, source, team, rows, self._workdays(rows)))
        for row, (segment, source, team) in enumerate(keys):
            found.append(Group(CELL, segment, source, team, (row,), self._workdays((row,))))
        return found

    def _workdays(self, rows: tuple[int, ...]) -> Workdays:
        """The working days of some cells: their own where they share them, or else the company's."""
        of = {self.live.workdays_of(*self.cells[row]) for row in rows}
        return of.pop() if len(of) == 1 else self.live.calendar.workdays

    @cached_property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """Segment and source of what the plan has targets for."""
        return tuple((cell.segment, cell.source) for cell in self.board.year.cells)

    @cached_property
    def recorded(self) -> tuple[str, ...]:
        """The plan's stages that the records know."""
        recorded = self.history.stages if self.history else ()
        return tuple(stage for stage in self.plan.stage_ids if stage in recorded)

    @cached_property
    def followed(self) -> Followed | None:
        """Targets and entries day by day; None without records, or where the plan asks for nothing on the day."""
        if self.history is None or not self.periods:
            return None
        end = max(period.last for period in self.periods)
        first = min(self.as_of - timedelta(days=LOOKED_BACK), *(period.first for period in self.periods))
        began = self.history.began
        days = DayRun(min(max(first, began), *(period.first for period in self.periods)), end)
        recorded = DayRun(days.first, self.as_of)
        counts = entries_by_day(self.history.stage_history, self.cells, self.recorded, recorded)
        shapes = {
            (segment, stage): shape
            for number, stage in enumerate(self.recorded)
            for segment, shape in self._shapes(counts[:, number], recorded)
        }
        return Followed(
            as_of=self.as_of,
            days=days,
            cells=self.cells,
            stages=self.recorded,
            targets=self._targets(days, shapes),
            worth=self._worth,
            counts=counts,
            late=self._late_by_day(counts, recorded),
            shapes=shapes,
            begin=self.plan.plan_date,
        )

    def _shapes(self, counts: np.ndarray, recorded: DayRun) -> Iterator[tuple[str, Shape]]:
        """The shape of all together at a stage, then those of the segments: as given, or learnt from cell x day."""
        given, before = self.live.pace, self.month.first - timedelta(days=1)
        workdays = self.live.calendar.workdays
        phase = (self.plan.first_month.month - 1) % MONTHS_PER_QUARTER
        if given.within_month is None:
            whole = learnt_shape(by_stretch(counts.sum(axis=0), recorded, workdays, before))[0]
        else:
            whole = Shape(given.within_month, "as the plan gives it")
        paces, _ = learnt_paces(*by_month_of_quarter(counts.sum(axis=0), recorded, workdays, before, phase))
        whole = replace(whole, paces=paces, phase=phase)
        yield ALL, whole
        names = dict.fromkeys(segment for segment, _ in self.cells)
        for name in names:
            rows = [row for row, cell in enumerate(self.cells) if cell[0] == name]
            shape = whole
            if name in given.by_segment:
                shape = replace(whole, shares=given.by_segment[name], basis="as the plan gives it")
            elif given.within_month is None and len(names) > 1:
                own = by_stretch(counts[rows].sum(axis=0), recorded, workdays, before)
                shape = learnt_shape(own, whole, SHAPE_LEVEL / len(names))[0]
            yield name, shape

    @cached_property
    def _worth(self) -> np.ndarray:
        values = cell_values_table(self.board.year).set_index(["segment", "source", "stage"])["value_per_entry"]
        return np.array([[float(values.get((*cell, stage), 0.0)) for stage in self.recorded] for cell in self.cells])

    def _targets(self, days: DayRun, shapes: dict[tuple[str, str], Shape]) -> np.ndarray:
        """Entries planned by cell, stage and day: those of each month spread over its working days."""
        keys = ["segment", "source", "stage", "month"]
        flow = self.board.sides.planned_flow.groupby(keys, sort=False)["entries"].sum()
        targets = np.zeros((len(self.cells), len(self.recorded), len(days)))
        place = {cell: row for row, cell in enumerate(self.cells)}
        for (segment, source, stage, month), entries in flow[flow > 0].items():
            first, last = month.start_time.date(), month.end_time.date()
            if stage not in self.recorded or last < days.first or first > days.last:
                continue
            begin = None if stage == self.plan.stage_ids[-1] else self.plan.plan_date
            share = spread_over(first, last, self.live.workdays_of(segment, source), shapes[segment, stage], begin)
            row, number, at = place[segment, source], self.recorded.index(stage), days.place(first)
            part = share[max(-at, 0) : len(days) - at]
            targets[row, number, max(at, 0) : max(at, 0) + len(part)] += entries * part
        return targets

    @cached_property
    def lines(self) -> pd.DataFrame:
        """Table pace."""
        return (
            empty("pace")
            if self.followed is None
            else pace_lines(
                self.followed, self.groups, self.periods, {stage: late.spread for stage, late in self.late.items()}
            )
        )

    # --- what is still to be recorded ------------------------------------------------------------

    @cached_property
    def late(self) -> dict[str, Late]:
        """By stage: what is still to be recorded of the last days; without stages where nightly runs do not tell."""
        triangle = self.triangle.until(self.as_of)
        if self.history is None or len(triangle.nights) < 2 or triangle.nights[-1] != self.as_of:
            return {}
        found = {}
        for stage in self.recorded:
            recorded, nights, first = recorded_by_night(triangle, stage, self.as_of)
            usual = self.live.calendar.workdays.are_worked(first, self.as_of).astype(float)
            late = late_of(recorded, nights, usual)
            if late is not None:
                found[stage] = late
        return found

    def _late_by_day(self, counts: np.ndarray, recorded: DayRun) -> np.ndarray:
        """What is still to be recorded, by cell, stage and day: of each cell as much as it brought of the last weeks."""
        missing = np.zeros_like(counts)
        days = min(KEPT_DAYS, counts.shape[2])
        for number, stage in enumerate(self.recorded):
            recent = counts[:, number, -USUAL_DAYS:].sum(axis=1)
            if stage in self.late and recent.sum() > 0:
                missing[:, number, -days:] = np.outer(recent / recent.sum(), self.late[stage].missing[-days:])
        return missing

    @cached_property
    def nowcast(self) -> pd.DataFrame:
        """Table nowcast: the true counts of the last day and of the month so far, once all is recorded."""
        if self.followed is None or not self.late:
            return empty("nowcast")
        rows = []
        month = slice(self.followed.days.place(max(self.month.first, min(self.plan.plan_date, self.as_of))), None)
        for stage, late in self.late.items():
            counts = self.followed.counts[:, self.recorded.index(stage)].sum(axis=0)
            days = len(counts[month])
            for name, counted_days, missing, spread in (
                ("day", counts[-1:], late.missing[-1:], late.day_spread),
                ("month", counts[month], late.missing[-days:], late.spread),
            ):
                actual, more = float(counted_days.sum()), float(missing.sum())
                low, middle, high = (
                    actual + float(quantile(share, np.array([more]), np.array([spread]))[0])
                    for share in (0.1, 0.5, 0.9)
                )
                rows.append((stage, name, actual, more, middle, low, high, float(late.nights)))
        names = ["stage", "period", "counted", "late", "expected", "low", "high", "nights"]
        return conform(pd.DataFrame(rows, columns=names), "nowcast")

    @cached_property
    def best(self) -> pd.DataFrame:
        """Table pace_best: attainment of the quarter by cell, the best first, drawn towards the mean of all."""
        rows = self.lines
        rows = rows[(rows["of"] == CELL) & (rows["period_kind"] == QUARTER) & (rows["target_to_date"] > 0)]
        order = rows["stage"].map(list(self.plan.stage_ids).index)
        rows = rows[order >= self.plan.stage_ids.index(self.stage)]
        rows = rows.loc[order[rows.index].sort_values(kind="stable").index].drop_duplicates(["segment", "source"])
        if len(rows) < 2:
            return empty("pace_best")
        made = attainment(rows["actual"].to_numpy(dtype=float), rows["target_to_date"].to_numpy(dtype=float))
        frame = (
            rows[["segment", "source", "team", "stage", "actual", "target_to_date"]].reset_index(drop=True).join(made)
        )
        return conform(frame.sort_values("shrunk", ascending=False, kind="stable"), "pace_best")

    # --- the alert -------------------------------------------------------------------------------

    @cached_property
    def watched(self) -> tuple[str, float]:
        """The period that the alert is about, and the chance of missing it; NaN where it is not known. [0-1]"""
        kind = self.live.pace.watch
        if kind == YEAR:
            chance = self.landing["chance_of_goal"].iloc[-1] if len(self.landing) and self.periods else np.nan
            return str(self.plan.first_month.year), 1 - float(chance)
        line = self.line(kind)
        return ("", np.nan) if line is None else (str(line["period"]), float(line["chance_of_missing"]))

    def alert(self, before: bool = False) -> bool:
        """Whether missing what is watched is likely enough for an alert, given whether there was one `before`.

        Records that ended days ago neither give one nor end one: an export that failed is no month that is missed.
        """
        settings = self.live.pace
        if self.ended_on is not None:
            return before
        return alert_after(self.watched[1], before, settings.alert, settings.all_clear)

    def line(self, kind: str = MONTH, stage: str = "") -> pd.Series | None:
        """The row of all records at a stage, the commit's if none is named; None where there is none."""
        rows = self.lines
        rows = rows[(rows["of"] == WHOLE) & (rows["period_kind"] == kind) & (rows["stage"] == (stage or self.stage))]
        return None if rows.empty else rows.iloc[0]

    @cached_property
    def days(self) -> pd.DataFrame:
        """Table pace_days of the month."""
        return self.days_of(self.month)

    def days_of(self, period: Period) -> pd.DataFrame:
        """Table pace_days: a period day by day, all records at the stage of the commit."""
        followed, line = self.followed, self.line(period.kind)
        if followed is None or line is None:
            return empty("pace_days")
        group, stage = self.groups[0], self.recorded.index(self.stage)
        inside = slice(followed.days.place(period.first), followed.days.place(period.last) + 1)
        recorded = followed.days.place(self.as_of) - inside.start + 1
        days = pd.date_range(period.first, period.last)
        actual = followed.counts[:, stage, inside].sum(axis=0)
        actual[: max((followed.begin - period.first).days, 0)] = 0.0
        reached = np.append(np.cumsum(actual), np.full(len(days) - recorded, np.nan))
        weights = followed.weights(group, self.stage)[inside][recorded - 1 :].copy()
        weights[0] = 0.0
        share = np.cumsum(weights) / max(weights.sum(), 1e-12)
        ahead = np.full((3, len(days)), np.nan)
        ahead[:, recorded - 1 :] = line["actual"] + (line["projected"] - line["actual"]) * share
        for row, name in ((1, "projected_low"), (2, "projected_high")):
            ahead[row, recorded - 1 :] += (line[name] - line["projected"]) * np.sqrt(share)  # spread grows as luck does
        frame = pd.DataFrame(
            {
                "day": days.as_unit("us"),
                "worked": group.workdays.are_worked(period.first, period.last),
                "target": np.cumsum(followed.targets[:, stage, inside].sum(axis=0)),
                "actual": reached,
                "forecast": ahead[0],
                "forecast_low": ahead[1],
                "forecast_high": ahead[2],
            }
        )
        return conform(frame, "pace_days")

    @cached_property
    def claims(self) -> pd.DataFrame:
        """Table claims."""
        return claims(self.board)

    # --- what is said beside ---------------------------------------------------------------------

    @cached_property
    def state(self) -> str:
        """Why there is nothing to follow, in one sentence; empty where there is."""
        begin, day = self.plan.plan_date, show(self.as_of, "date")
        end = (self.plan.first_month + MONTHS_PER_YEAR - 1).end_time.date()
        if self.board.files.snapshots is None:
            return "The plan names no records, so what came is not known; name them with history: {leads: crm.yaml}."
        if self.as_of < begin:
            return f"The plan counts from {show(begin, 'date')} on; by {day} nothing of it can have come yet."
        if self.as_of > end:
            return f"The year ended on {show(end, 'date')}; what it came to stands in the board report."
        line = self.line()
        if line is None or not line["target"] > 0:
            return f"The plan asks for no {titles_of(self.plan.stages)[self.stage]} in {show(month_of(self.as_of), 'month')}, so there is no line to follow."
        return ""

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know beside the tables, one sentence each; what is doubtful first."""
        board = self.board
        first, found = (self.history.first, read_first(self.history)) if self.history else ((), ())
        if self.followed is None:
            return tuple(dict.fromkeys((*first, *board.doubts, *((self.state,) if self.state else ()), *found)))
        parts = (
            first,
            board.doubts,
            found,
            said.silent_records(self.history, self.as_of),
            self.late_notes(),
            self._line_notes(),
            said.unplanned(board.sides),
            said.other_stage(board.sides),
            self._basis_notes(),
            board.read,
        )
        return tuple(dict.fromkeys(note for part in parts for note in part))

    def late_notes(self) -> Iterator[str]:
        """How many records of the last days are still to come in, or that this is not known."""
        unknown = "How many records of the last days are still to come in is not known"
        late = self.late.get(self.stage)
        if late is not None:
            row = self.nowcast[(self.nowcast["stage"] == self.stage) & (self.nowcast["period"] == "month")].iloc[0]
            ends = " to ".join(show(row[name] - row["counted"], "count") for name in ("low", "high"))
            yield (
                f"Of the days of this month that are over, {ends} more {plural(titles_of(self.plan.stages)[self.stage])} are expected to be recorded yet, "
                f"by what {counted(late.nights, 'nightly run')} in a row saw arrive late; the forecast counts them."
            )
        elif self.is_hindsight:
            yield "The records know later days too: what was recorded late is in what came, as it was not that evening."
        elif not self.is_nightly:
            yield f"{unknown}, since the records end {counted(-self._records_past, 'day')} before."
        elif self.triangle.nights and self.as_of not in self.triangle.nights:
            last = show(self.triangle.nights[-1], "date")
            yield f"{unknown}: no nightly run was made for this day, and one was for a later one ({last})."
        elif len(self.triangle.nights) > 1:
            yield f"{unknown} yet: it takes {counted(LEAST_NIGHTS, 'nightly run')} in a row that can be compared."
        else:
            yield f"{unknown}, since no nightly runs kept count (revplan pace PLAN --out DIR does): what came may be too low."

    @property
    def is_hindsight(self) -> bool:
        """Whether the records know days after the one that is looked at, but for the morning of a nightly run."""
        return self._records_past > 1

    @property
    def is_nightly(self) -> bool:
        """Whether this is a night whose records count for the triangle: they reach the day, and do not go past it."""
        return -SILENT_DAYS <= self._records_past <= 1

    @property
    def ended_on(self) -> date | None:
        """The day on which the records end, if that is so long before the day looked at that they do not tell of it."""
        snapshots = self.board.files.snapshots
        return None if snapshots is None or self._records_past >= -SILENT_DAYS else snapshots.export.last_day

    @property
    def _records_past(self) -> int:
        """How many days the records go on after the day that is looked at; negative where they end before. [days]"""
        snapshots = self.board.files.snapshots
        return 0 if snapshots is None else (snapshots.export.last_day - self.as_of).days

    def _line_notes(self) -> Iterator[str]:
        """Where the straight line over calendar days would tell another end than the forecast."""
        title = plural(titles_of(self.plan.stages)[self.stage])
        for kind in (MONTH, QUARTER):
            line = self.line(kind)
            if line is not None and line["line_misleads"]:
                ends = [
                    show(line[name], "count")
                    for name in ("straight_line", "projected", "projected_low", "projected_high")
                ]
                yield (
                    f"{self.label(line['period'])}: a straight line over calendar days ends at {ends[0]} {title}, the forecast at {ends[1]} "
                    f"({ends[2]} to {ends[3]}): it does not know which days are worked, nor the pace before."
                )

    def _basis_notes(self) -> Iterator[str]:
        """What working days, shape and forecast rest on."""
        shapes = self.followed.shapes if self.followed else {(ALL, self.stage): Shape()}
        shape = shapes[ALL, self.stage]
        own = [
            f"segment {name} {each.basis}"
            for (name, stage), each in shapes.items()
            if stage == self.stage and name != ALL and each.shares != shape.shares
        ]
        teams = f"; {listed(list(self.live.calendar.teams))} by their own" if self.live.calendar.teams else ""
        yield f"Working days {place_words(self.live.calendar)}{teams}; first and last day included. The plan of a month is spread {shape.basis}{''.join(f'; {each}' for each in own)}."
        if shape.paces != Shape().paces:
            quickest = int(np.argmax(shape.paces))
            yield (
                f"Past quarters were quickest in their {('first', 'second', 'third')[quickest]} month, at {show(shape.paces[quickest], 'ratio')} times their "
                "mean pace; the forecast expects it again, the plan's months stay as planned."
            )
        yield (
            "Forecast: what came, and the recent pace for the working days left; P10 to P90 by how far such forecasts strayed in the past. "
            "Best pace: the most that as many working days in a row ever brought, of the last three years."
        )

    def label(self, period: str) -> str:
        """What a reader calls a period of the lines."""
        return (
            show(pd.Period(period, "M"), "month")
            if len(period) == 7 and "Q" not in period
            else self.plan.period_label(period)
        )

    # --- landing, zombies, the deals that decide -------------------------------------------------

    @cached_property
    def landing(self) -> pd.DataFrame:
        """Table landing: of the month, the quarter and the year; of the year as planned before it begins."""
        month = [Span(self.month.name, month_of(self.as_of), 1, self.as_of)] if self.periods else []
        return self.board.landing_of([*month, *self.board.spans[:1]])

    @cached_property
    def zombies(self) -> tuple[float, float]:
        """Open records older than any conversion, which count for nothing, and what they are worth. [records, plan currency]"""
        found = [each for groups in (self.board.now.open_yields if self.board.now else ()) for _, each in groups]
        return sum(each.dead_items for each in found), sum(each.dead_value for each in found)

    @cached_property
    def deciding(self) -> pd.DataFrame:
        """Table deciding: the open records whose fate moves the year most, of the largest at the opportunity stages."""
        now, history = self.board.now, self.board.history
        if now is None or history is None or now.first >= MONTHS_PER_YEAR:
            return empty("deciding")
        stages = self.plan.stage_ids[self.plan.stage_ids.index(year_landing.opportunity_stage(self.plan)) : -1]
        record = history.numbers
        ends = np.zeros(len(history.places), dtype=int)
        ends[record] = np.arange(len(record))  # the last row of each
        ends = np.sort(ends)
        ends = ends[history.stage_history["stage"].iloc[ends].isin(stages).to_numpy()]
        of_record = history.records.iloc[history.places[record[ends]]]
        last = history.stage_history.iloc[ends].assign(amount=of_record["amount"].to_numpy())[
            (of_record["lost_on"].isna() & (of_record["amount"] > 0)).to_numpy()
        ]
        cells = {(cell.segment, cell.source): (row, cell) for row, cell in enumerate(now.cells)}
        rows = []
        for item in last.nlargest(LARGEST, "amount").itertuples():
            found = cells.get((str(item.segment), str(item.source)))
            if found is None or item.stage not in found[1].stages:
                continue
            chance = self._chance(found[1], now.open_yields[found[0]], item)
            if not SURE <= chance <= 1 - SURE:  # older than any conversion, or as good as won: it decides nothing
                continue
            expected, swing = year_landing.weighted(np.array([item.amount]), np.array([chance]))
            where = (item.segment, item.source, item.stage)
            rows.append((str(item.record), *where, item.amount, chance, expected, swing))
        names = ["record", "segment", "source", "stage", "amount", "chance", "expected", "swing"]
        frame = pd.DataFrame(rows, columns=names).sort_values("swing", ascending=False, kind="stable")
        return conform(frame.head(DECIDING), "deciding") if rows else empty("deciding")

    def _chance(self, cell: Cell, groups: year_landing.OpenYields, item: object) -> float:
        """Chance that one open record is won within the year. [0-1]"""
        stage = cell.stages.index(item.stage)  # type: ignore[attr-defined]
        group = next((each for each, _ in groups if each.stage == stage), None)
        now = self.board.now
        if group is None or now is None:
            return 0.0
        age = float((self.as_of - item.entered_on.date()).days)  # type: ignore[attr-defined]
        clock = now.snapshot.clock
        if clock is not None and stage == cell.won - 1:
            today = int(np.datetime64(self.as_of, "D").astype(np.int64))
            age = float(clock.by_evening(np.array(today)) - clock.of(np.array([today - int(age)]))[0])
        alone = replace(group, ages=np.array([age]), items=np.ones(1), values=np.zeros(1), unpriced=np.zeros(1))
        wins = open_yield(cell, alone, now.plan.plan_date, now.plan.first_month, clock).wins
        return float(min(max(wins[:MONTHS_PER_YEAR].sum(), 0.0), 1.0))


def place_words(place: WorkPlace) -> str:
    """Which days a place does not work, in words."""
    where = (
        f"of {place.country}{f', {place.region}' if place.region else ''}"
        if place.country
        else "without public holidays (calendar names no country)"
    )
    closed = f", less {counted(len(place.workdays.closures), 'day')} of closure" if place.closures else ""
    return f"{where}{closed}"


def open_pace(
    plan_path: str | Path,
    as_of: date | str | None = None,
    against: str | Path = "",
    segment: str = "",
    crm: str | Path = "",
) -> PaceBook:
    """The year of the plan at `plan_path` followed day by day.

    Parameters
    ----------
    plan_path
        The plan file; the files it names are looked for in its folder.
    as_of
        The last day known, such as 2027-03-12; that of the records if left out.
    against
        What is followed, if not the plan itself: a folder that `revplan sign` wrote, or a plan file.
    segment
        The one segment to look at; all if empty.
    crm
        The CRM file of the records, if not the one that the plan names.

    Raises
    ------
    PlanError
        If the plan, what it is held against, or the segment is at fault.
    DataError
        If the records or actuals it names are.
    """
    return pace_of(read_year(plan_path, against, crm), day_written(as_of), segment)


def pace_of(files: YearFiles, as_of: date | None, segment: str) -> PaceBook:
    """The year of some files as known at the end of `as_of`."""
    actual = None if files.actuals is None else files.actuals.table
    day = as_of or last_day_counted(files.live, files.snapshots, actual, "")
    return pace_from(book_on(files, "", day, segment))


def pace_from(board: BoardBook) -> PaceBook:
    """The year of a board book followed day by day."""
    files, day, segment = board.files, board.as_of, board.segment
    history = board.history or _history(files.live, board.plan, files.snapshots, day)
    triangle = Triangle(empty("triangle"))
    if history is not None and PaceBook(board, history).is_nightly:
        triangle = with_night(read_triangle(triangle_path(real_path(files.path))), history, day)
    if history is not None and segment:
        history = replace(
            history, **{name: _of(getattr(history, name), segment) for name in ("stage_history", "records")}
        )
        rows = triangle.rows
        triangle = Triangle(rows[(rows["segment"] == segment) | (rows["stage"] == "")])
    return PaceBook(board, history, triangle)


def with_night(before: Triangle, history: History, day: date) -> Triangle:
    """The triangle after the night of `day`, whose records are `history`."""
    return after_run(before, _recent(history.stage_history, day), day)


def _of(table: pd.DataFrame, segment: str) -> pd.DataFrame:
    return table[table["segment"] == segment]


def _recent(rows: pd.DataFrame, day: date) -> pd.DataFrame:
    """Entries of the last days by stage, segment, source and day, as a nightly run counts them."""
    rows = rows[rows["entered_on"] > pd.Timestamp(day - timedelta(days=KEPT_DAYS))]
    named = {key: rows[key].astype("str") for key in ("stage", "segment", "source")}
    event_day = rows["entered_on"].dt.normalize().astype("datetime64[us]")
    return pd.DataFrame({**named, "event_day": event_day, "entries": 1.0})


def _history(live: Plan, planned: Plan, snapshots: Snapshots | None, day: date) -> History | None:
    """The records of a day before the year, on which the plan already counts."""
    if snapshots is None or day < planned.plan_date:
        return None
    records = records_on(live, snapshots, day)
    return None if records is None else in_plan_names(records.history, planned)
