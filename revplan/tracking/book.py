"""A running year held against its plan: plan, actual, and why, for a board pack."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import pandas as pd

from revplan.capacity.roster import with_roster
from revplan.capacity.team import Pools, expected_pools
from revplan.crm.actuals import Actuals, read_actuals
from revplan.crm.answer import read_first
from revplan.crm.planfile import read_plan, real_path
from revplan.crm.records import STALE_DAYS, History, last_recorded, stale
from revplan.funnel.tables import cell_values_table, quarters_table, targets_table
from revplan.funnel.year import PlannedYear
from revplan.ground.calendar import MONTHS_PER_YEAR, day_written
from revplan.ground.formats import money_digits, show
from revplan.ground.tables import empty
from revplan.plan.model import Plan
from revplan.plan.parts import RecordsFile as RecordsOf
from revplan.record.packs import Pack, packs_of, read_packs
from revplan.simulation.simulate import Simulation, simulate
from revplan.snapshot.fit import doubts
from revplan.snapshot.state import Fates, Snapshots, actual_flow, fates_of, read_snapshots
from revplan.tracking import attainment, comparison, landing, scorecard
from revplan.tracking import notes as said
from revplan.tracking import variance as bridging
from revplan.tracking.attainment import narrowed, planned_flow
from revplan.tracking.baseline import (
    Baseline,
    in_plan_names,
    last_day_counted,
    read_baseline,
    records_on,
    refuse_others,
    year_from_here,
)
from revplan.tracking.close_dates import CloseDates, close_dates
from revplan.tracking.comparison import Sides
from revplan.tracking.periods import Span, quarter_span, whole_year, year_so_far
from revplan.tracking.what_if import what_if

QUARTERS_BACK = 8
"""Quarters that a scorecard looks back over, this one included."""


@dataclass(frozen=True, eq=False, repr=False)
class YearFiles:
    """The files of a running year, read once; a book of any day, quarter or segment is a view of them."""

    path: Path
    """Of the plan, as it was named."""
    live: Plan
    """The plan as its file says now."""
    snapshots: Snapshots | None
    """Its records by day; None where it names none."""
    actuals: Actuals | None
    baseline: Baseline


@dataclass(frozen=True, eq=False, repr=False)
class BoardBook:
    """A plan's year as known on a day; each table is made when it is first asked for."""

    year: PlannedYear
    """What was signed, or is to be: the plan as computed on its plan date, its entries those of the baseline; of one
    segment where one is named."""
    expected: PlannedYear
    """The same with the entries of the expected commit."""
    quarter: Span
    files: YearFiles
    history: History | None
    """The records as known on the day; None where the plan names none, or nothing can have come yet."""
    actual: pd.DataFrame | None
    segment: str
    now: PlannedYear | None
    """The rest of the year by today's records and rates; None where there are no records, or it has not begun."""
    signed: str
    """Who signed the baseline and when; empty where nobody did."""
    scale: float | None
    """Times the expected commit that is planned; None where no volume gives the confidence. [ratio]"""
    dates: CloseDates | None = None
    """What expected close dates are worth; None where no log tells how they were."""
    doubts: tuple[str, ...] = ()
    """What is doubtful about how plan, records and actuals go together: it comes first."""
    read: tuple[str, ...] = ()
    """What was understood of the actuals, and how."""

    def __repr__(self) -> str:
        return f"<BoardBook {self.plan.name}: {self.plan.period_label(self.quarter.name)}, as of {self.as_of}>"

    @property
    def plan(self) -> Plan:
        """The baseline plan."""
        return self.year.plan

    @property
    def decimals(self) -> int:
        """Decimals of its amounts of money: none from a goal of 1,000 on, more where a plan counts in millions."""
        return money_digits(self.year.bridge.new_arr / 10)

    @property
    def as_of(self) -> date:
        """The last day known."""
        return self.quarter.as_of

    @property
    def state(self) -> str:
        """What a reader must know of the day first, in one sentence."""
        start = self.plan.first_month.start_time.date()
        if self.as_of < start:
            return f"The year begins on {show(start, 'date')}; nothing can have come yet."
        if not self.quarter.has_begun:
            begins = show(self.quarter.first.start_time.date(), "date")
            return f"{self.plan.period_label(self.quarter.name)} begins on {begins}; nothing of it can have come yet."
        baseline = self.signed or self._unsigned
        return f"{self.plan.period_label(self.quarter.label)}, as known on {show(self.as_of, 'date')}; {baseline}."

    @property
    def _unsigned(self) -> str:
        """What a year is held against that nobody signed."""
        sure = show(self.plan.commit.confidence, "share")
        if self.scale is None:
            return f"not signed: no volume gives {sure}, so it is held against the expected commit"
        return f"held against what is to sign for {sure}, not signed"

    @property
    def period_labels(self) -> dict[str, str]:
        """Id to what a reader calls it, of every period that a table may name."""
        spans = [self.quarter, *(self.quarter.earlier(back) for back in (1, 4)), *self.spans]
        ids = {*self.quarters["quarter"], *(name for span in spans for name in (span.name, span.label))}
        ids |= {str(self.plan.first_month.year), *self.coverage["period"], *self.landing["period"]}
        months = {str(month): show(month, "month") for month in self.plan.months}
        return {**{name: self.plan.period_label(name) for name in sorted(ids)}, **months}

    @property
    def stale(self) -> str:
        """That the records end long before the last day known, so that all is too low; empty where they do not."""
        return "" if self.history is None else stale(self.history)

    @property
    def lacking_of_year(self) -> str:
        """What the records lack of a year that is over, in words; empty where they reach from its first days to its last."""
        if self.history is None:
            return "no records are named"
        whole = whole_year(self.plan.first_month, self.as_of)
        entered = self.history.stage_history["entered_on"]
        begin, end = entered.min().date(), last_recorded(self.history)
        if begin > whole.first.start_time.date() + timedelta(days=STALE_DAYS):
            return f"the records begin on {show(begin, 'date')}"
        if end < whole.last.end_time.date() - timedelta(days=STALE_DAYS):
            return f"the records end on {show(end, 'date')}"
        inside = whole.within(entered.dt.to_period("M"))
        return "" if inside.any() else "the records hold nothing of it"

    @cached_property
    def packs(self) -> list[Pack]:
        """The packs of the year that were shown and knew less than this one, the earliest first; of a day the last edition."""
        path, year = real_path(self.files.path), str(self.plan.first_month.year)
        found = [each.pack for each in packs_of(read_packs(path), path.name, year, self.segment)]
        by_day = {each.as_of: each for each in found if each.period != year and each.as_of < self.as_of}
        return [by_day[day] for day in sorted(by_day)]

    @cached_property
    def spans(self) -> list[Span]:
        """The periods counted: the quarter, and the year up to its end; none where nothing can have come."""
        both = (self.quarter, year_so_far(self.quarter, self.plan.first_month))
        return [span for span in both if self.quarter.has_begun and span.has_begun]

    @cached_property
    def sides(self) -> Sides:
        """Plan and actual, in the tables they share."""
        happened = None if self.history is None else actual_flow(self.history, self.plan.plan_date)
        return Sides(
            year=self.year,
            targets=targets_table(self.year),
            planned_flow=planned_flow(self.year),
            actual_flow=_of_segment(happened, self.segment),
            actual=_of_segment(self.actual, self.segment),
            stage=self.stage,
        )

    @property
    def stage(self) -> str:
        """The commit stage; the next one that the records know where they lack it."""
        stages = self.plan.stage_ids[self.plan.stage_ids.index(self.plan.commit_stage) :]
        recorded = self.history.stages if self.history else stages
        return next(stage for stage in stages if stage in recorded)

    @cached_property
    def fates(self) -> Fates | None:
        """The records as arrays, with the hazards by which open ones go on."""
        return None if self.history is None else fates_of(self.history)

    @cached_property
    def attainment(self) -> pd.DataFrame:
        """Table attainment."""
        stages = self.plan.stage_ids
        recorded = self.history.stages if self.history else stages
        flows = attainment.Flows(self.sides.planned_flow, self.sides.actual_flow, stages, recorded)
        return attainment.attainment(flows, self.spans)

    @cached_property
    def attainment_money(self) -> pd.DataFrame:
        """Table attainment_money."""
        rows = [row for span in self.spans for row in comparison.money_rows(self.sides, span)]
        return attainment.attainment_money(rows)

    @cached_property
    def reached_by_month(self) -> pd.DataFrame:
        """Table reached_by_month."""
        year = whole_year(self.plan.first_month, self.as_of)
        sides = self.sides
        return attainment.reached_by_month(sides.targets, sides.planned_flow, sides.actual_flow, year, self.stage)

    @cached_property
    def past_quarters(self) -> list[Span]:
        """The last quarters that the records reach, up to this one, eight at most."""
        if self.history is None or not self.quarter.has_begun:
            return []
        begin = self.history.began
        spans = [self.quarter.earlier(back) for back in range(QUARTERS_BACK - 1, 0, -1)] + [self.quarter]
        return [span for span in spans if span.first.start_time.date() + timedelta(days=STALE_DAYS) >= begin]

    @cached_property
    def attainment_of_past(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Tables attainment and attainment_money of the past quarters; nothing is planned of those before the year."""
        spans = self.past_quarters
        if self.history is None or not spans:
            return empty("attainment"), empty("attainment_money")
        happened = _of_segment(actual_flow(self.history, spans[0].first.start_time.date()), self.segment)
        stages = self.plan.stage_ids
        flows = attainment.Flows(self.sides.planned_flow, happened, stages, self.history.stages)
        sides = replace(self.sides, actual_flow=happened)
        entries = attainment.attainment(flows, spans)
        money = attainment.attainment_money([row for span in spans for row in comparison.money_rows(sides, span)])
        before = [span.label for span in spans if span.first < self.plan.first_month]
        for table in (entries, money):
            table.loc[table["period"].isin(before), ["planned", "gap", "reached"]] = float("nan")
        return entries, money

    @cached_property
    def quarters(self) -> pd.DataFrame:
        """Table quarters, of the expected commit."""
        return quarters_table(self.expected)

    @cached_property
    def variance(self) -> pd.DataFrame:
        """Table variance, of the quarter and of the year so far."""
        made = [bridging.variance(self.variance_cells(span), span, self.decimals) for span in self.spans if self.fates]
        return pd.concat(made, ignore_index=True) if made else empty("variance")

    def variance_factors(self, span: Span) -> pd.DataFrame:
        """Table variance_factors of a period."""
        if self.fates is None:
            return empty("variance_factors")
        actual = comparison.actual_terms(self.sides, self.fates, span, self.segment)
        return bridging.factors(comparison.planned_terms(self.sides, span), actual)

    def variance_cells(self, span: Span) -> pd.DataFrame:
        """Table variance_cells of a period."""
        return bridging.variance_cells(self.variance_factors(span))

    @cached_property
    def diagnosis(self) -> bridging.Diagnosis | None:
        """Whether people, opportunities, win rate or price is behind in the year so far; None without people or records, or of one segment."""
        plan = self.files.live
        if plan.capacity is None or self.segment or not self.spans or self.fates is None:
            return None
        span = self.spans[-1]
        now = plan.model_copy(update={"plan_date": self.as_of + timedelta(days=1)})
        shares = span.shares(pd.PeriodIndex(plan.months, freq="M"))
        able = expected_pools(now, Pools(tuple(plan.segments))).sum(axis=0)
        return bridging.diagnosis(self.variance_factors(span), float((able * shares).sum()))

    @cached_property
    def three_numbers(self) -> pd.DataFrame:
        """Table three_numbers: flow, conversion and CAC."""
        if self.fates is None or not self.spans:
            return empty("three_numbers")
        return landing.three_numbers(self.sides, self.fates, self.quarter, self.segment)

    @cached_property
    def coverage(self) -> pd.DataFrame:
        """Table coverage: of the quarter that comes next or still runs, and of the rest of the year."""
        if self.now is None or self.now.first >= MONTHS_PER_YEAR:
            return empty("coverage")
        coming = quarter_span("", self.plan.first_month, self.as_of + timedelta(days=1))
        spans = [coming, whole_year(self.plan.first_month, self.as_of)]
        return scorecard.coverage(landing.open_pipeline(self.now), landing.remaining(self.now, spans))

    @cached_property
    def simulation(self) -> Simulation | None:
        """What is left of the year simulated, or the plan before the year begins; None where nothing is left."""
        year = self.now or self.year
        return simulate(year) if year.first < MONTHS_PER_YEAR else None

    @cached_property
    def landing(self) -> pd.DataFrame:
        """Table landing: of the quarter, once it has begun, and of the whole year; of the year as planned before it begins."""
        return self.landing_of(self.spans[:1])

    def landing_of(self, spans: list[Span]) -> pd.DataFrame:
        """Table landing of some periods that have begun, and of the whole year; of that alone before it begins."""
        whole = whole_year(self.plan.first_month, self.as_of)
        if not whole.has_begun:
            return landing.landing(self.year, self.simulation, [whole], float("nan"))
        if self.now is None or self.history is None:
            return empty("landing")
        pace = landing.recent_pace(self.history, self.now, self.segment)
        return landing.landing(self.now, self.simulation, [*spans, whole], pace)

    @cached_property
    def attainment_by_source(self) -> pd.DataFrame:
        """Table attainment_by_source: of the quarter, every source where it enters."""
        if self.sides.actual_flow is None or not self.spans:
            return empty("attainment_by_source")
        entered = {name: self.plan.entry_stage(name) for name in self.plan.sources}
        worth = cell_values_table(self.year)
        return scorecard.attainment_by_source(
            self.sides.planned_flow, self.sides.actual_flow, self.quarter, entered, worth
        )

    @cached_property
    def what_if(self) -> pd.DataFrame:
        """Table what_if: the plan's scenarios applied to what is left of the year, or to the plan before it begins.

        Empty where one segment is looked at: scenarios are of the whole company.
        """
        if not self.plan.scenarios or self.segment or self.simulation is None:
            return empty("what_if")
        return what_if(self.simulation, self.plan)

    @cached_property
    def arr_bridge(self) -> pd.DataFrame:
        """Table arr_bridge: of the quarter and of the year so far, as far as booked."""
        booked = [comparison.booked_part(self.sides, span) for span in self.spans]
        spans = [(span, basis) for span, basis in booked if span is not None]
        if self.actual is None or not spans:
            return empty("arr_bridge")
        terms = landing.year_terms(self.year, self.segment)
        planned = scorecard.planned_movements(terms, self.sides.targets, self.plan.months)
        return scorecard.arr_bridge(terms.opening, planned, self.sides.actual, spans)

    @cached_property
    def beside(self) -> tuple[str, ...]:
        """What changes how every figure is read, one sentence each: how the records were read."""
        records = () if self.history is None else read_first(self.history)
        told = (self.stale, *self.doubts[:1])  # which the headline says
        return tuple(line for line in records if line not in told)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know beside the tables, one sentence each; the state of things first."""
        if not self.spans:
            return (self.state, *self.doubts)
        parts = (
            said.no_records(self.history),
            said.silent_records(self.history, self.as_of),
            said.never_won(self.history),
            said.two_books(self.sides, self.spans),
            said.short_plan(self.attainment_money, self.plan),
            said.young_cohorts(self.three_numbers, self.sides),
            said.late_pipeline(self.coverage, self.plan),
            said.unplanned(self.sides),
            said.other_stage(self.sides),
        )
        return (self.state, *self.doubts, *(note for part in parts for note in part), *self.read)


def _of_segment(table: pd.DataFrame | None, segment: str) -> pd.DataFrame | None:
    return table if table is None or not segment else table[table["segment"] == segment]


def open_board(
    plan_path: str | Path,
    quarter: str = "",
    as_of: date | str | None = None,
    against: str | Path = "",
    segment: str = "",
) -> BoardBook:
    """The plan at `plan_path` held against its records and actuals.

    Parameters
    ----------
    plan_path
        The plan file; the files it names are looked for in its folder.
    quarter
        A quarter of the plan's year, such as Q3 FY26 or 2026-Q3; the one the last day known lies in if empty.
    as_of
        The last day known, such as 2026-09-30: the quarter's last day, or the records' if that is earlier, if left out.
    against
        The baseline to hold it against, if not the plan itself: a folder that `revplan sign` wrote, or a plan file.
    segment
        The one segment to look at; all if empty.

    Raises
    ------
    PlanError
        If the plan, the baseline, the quarter or the segment is at fault.
    DataError
        If the records or actuals it names are.
    """
    return book_on(read_year(plan_path, against), quarter, day_written(as_of), segment)


def read_year(plan_path: str | Path, against: str | Path = "", crm: str | Path = "") -> YearFiles:
    """The files of the year that the plan at `plan_path` is of; records by the CRM file `crm`, if one is given.

    Raises
    ------
    PlanError
        If the plan or the baseline is at fault.
    DataError
        If the records or actuals it names are.
    """
    path = real_path(plan_path)
    live, _ = with_roster(read_plan(path), path.parent)
    if crm:
        live = live.model_copy(update={"history": RecordsOf(leads=str(real_path(crm)))})
    snapshots = read_snapshots(live, path.parent)
    baseline = read_baseline(real_path(against or path), path, live, snapshots)
    return YearFiles(Path(plan_path), live, snapshots, read_actuals(live, path.parent), baseline)


def open_before(book: BoardBook) -> BoardBook | None:
    """The same year as known on the evening before the quarter of `book`; None where the year had not begun then.

    Raises
    ------
    DataError
        If the records know nothing of that evening.
    """
    evening = book.quarter.first.start_time.date() - timedelta(days=1)
    if not book.spans or evening < book.plan.first_month.start_time.date():
        return None
    return book_on(book.files, "", evening, book.segment)


def open_past(book: BoardBook) -> list[BoardBook]:
    """The same year as known on the evening of each of its quarters that ended before that of `book`, the earliest first.

    Of a quarter of which a pack was shown it is the last day that the pack knew; the days of other packs count too.
    """
    if book.history is None:
        return []
    told_from = max(book.plan.plan_date, book.history.began)
    first = max(book.plan.first_month.start_time.date(), told_from)
    ended = [book.quarter.earlier(back) for back in (3, 2, 1)]
    evenings = {quarter.name: quarter.last.end_time.date() for quarter in ended}
    shown = {each.as_of for each in book.packs}
    days = shown | {
        evening
        for name, evening in evenings.items()
        if not any(each.period == name and each.as_of >= evening for each in book.packs)
    }
    return [book_on(book.files, "", day, book.segment) for day in sorted(days) if first < day < book.as_of]


def book_on(files: YearFiles, quarter: str, as_of: date | None, segment: str) -> BoardBook:
    """The year of `files` as known at the end of `as_of`; `quarter` and `segment` as for `open_board`.

    Raises
    ------
    PlanError
        If the baseline does not fit the plan, or the quarter or the segment is none of it.
    DataError
        If the records know nothing of the day.
    """
    live, baseline, actuals = files.live, files.baseline, files.actuals
    refuse_others(live, baseline.year.plan, segment)
    actual = None if actuals is None else actuals.table
    day = as_of or last_day_counted(live, files.snapshots, actual, quarter)
    records = records_on(live, files.snapshots, day) if day >= live.first_month.start_time.date() else None
    dates = None
    if records is not None and files.snapshots is not None:
        dates = close_dates(files.snapshots.export, records.history, landing.opportunity_stage(baseline.year.plan))
    doubtful = (*(() if records else baseline.doubts), *doubts(live, records, actuals, files.path))
    return BoardBook(
        year=narrowed(baseline.year, segment) if segment else baseline.year,
        expected=narrowed(baseline.expected, segment) if segment else baseline.expected,
        quarter=quarter_span(quarter, live.first_month, day, live.fiscal_year.names),
        files=files,
        history=None if records is None else in_plan_names(records.history, baseline.year.plan),
        actual=actual,
        segment=segment,
        now=year_from_here(baseline.year, records, day, segment, dates),
        dates=dates,
        signed=baseline.signed,
        scale=baseline.scale,
        doubts=tuple(dict.fromkeys(doubtful)),
        read=() if actuals is None else actuals.read,
    )
