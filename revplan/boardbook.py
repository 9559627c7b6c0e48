"""A running year held against its plan: what was promised, what came, and why, for a board pack."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import pandas as pd

from revplan import comparison
from revplan.actuals import read_actuals
from revplan.comparison import Sides
from revplan.errors import PlanError, shown
from revplan.formats import show
from revplan.history.happened import Fates, came_flow, fates_of
from revplan.history.records import History, read_records
from revplan.known import known, read_history, with_history_rates
from revplan.model.promised import narrowed, promised_flow
from revplan.model.year import PlannedYear, plan_year
from revplan.plan.file import read_plan
from revplan.plan.model import Plan
from revplan.sheets import targets_table
from revplan.tables import empty
from revplan.tracking import promise as promising
from revplan.tracking import variance as bridging
from revplan.tracking.periods import Span, quarter_span, rest_of_year, year_so_far


@dataclass(frozen=True, eq=False)
class BoardBook:
    """A plan's year as known on a day; each table is made when it is first asked for."""

    year: PlannedYear
    """The promise: the plan as it was computed on its plan date; of one segment where one is named."""
    quarter: Span
    history: History | None
    """The records as known on the day; None where the plan names none, or nothing can have come yet."""
    actual: pd.DataFrame | None
    segment: str
    signed: str
    """Who signed the promise and when; empty where nobody did."""

    @property
    def plan(self) -> Plan:
        """The promised plan."""
        return self.year.plan

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
            return f"{self.quarter.name} begins on {begins}; nothing of it can have come yet."
        promise = self.signed or "not signed, so the plan itself is the promise"
        return f"{self.quarter.label}, as known on {show(self.as_of, 'date')}; {promise}."

    @cached_property
    def spans(self) -> list[Span]:
        """The periods counted: the quarter, and the year up to its end; none where nothing can have come."""
        both = (self.quarter, year_so_far(self.quarter, self.plan.first_month))
        return [span for span in both if self.quarter.has_begun and span.has_begun]

    @cached_property
    def sides(self) -> Sides:
        """What was promised and what came, in the tables they share."""
        came = None if self.history is None else came_flow(self.history, self.plan.plan_date)
        return Sides(
            year=self.year,
            targets=targets_table(self.year),
            promised=promised_flow(self.year),
            came=_of_segment(came, self.segment),
            actual=_of_segment(self.actual, self.segment),
        )

    @cached_property
    def fates(self) -> Fates | None:
        """The records as arrays, with the hazards by which open ones go on."""
        return None if self.history is None else fates_of(self.history)

    @cached_property
    def promise(self) -> pd.DataFrame:
        """Table promise."""
        return promising.promise(self.sides.promised, self.sides.came, self.spans, self.plan.stage_ids)

    @cached_property
    def promise_money(self) -> pd.DataFrame:
        """Table promise_money."""
        rows = [row for span in self.spans for row in comparison.money_rows(self.sides, span)]
        return promising.promise_money(rows)

    @cached_property
    def reached_by_month(self) -> pd.DataFrame:
        """Table reached_by_month."""
        year = rest_of_year(self.plan.first_month, self.as_of)
        sides = self.sides
        return promising.reached_by_month(sides.targets, sides.promised, sides.came, year, self.plan.commit_stage)

    @cached_property
    def variance(self) -> pd.DataFrame:
        """Table variance, of the quarter and of the year so far."""
        made = [bridging.variance(self.variance_cells(span), span) for span in self.spans if self.fates]
        return pd.concat(made, ignore_index=True) if made else empty("variance")

    def variance_factors(self, span: Span) -> pd.DataFrame:
        """Table variance_factors of a period."""
        if self.fates is None:
            return empty("variance_factors")
        came = comparison.came_terms(self.sides, self.fates, span, self.segment)
        return bridging.factors(comparison.planned_terms(self.sides, span), came)

    def variance_cells(self, span: Span) -> pd.DataFrame:
        """Table variance_cells of a period."""
        return bridging.variance_cells(self.variance_factors(span))


def _of_segment(table: pd.DataFrame | None, segment: str) -> pd.DataFrame | None:
    return table if table is None or not segment else table[table["segment"] == segment]


def open_boardbook(
    plan_path: str | Path,
    quarter: str = "",
    as_of: date | None = None,
    against: Path | None = None,
    segment: str = "",
) -> BoardBook:
    """The plan at `plan_path` held against its records and actuals.

    Parameters
    ----------
    plan_path
        The plan file; the files it names are looked for in its folder.
    quarter
        A quarter of the plan's year, such as 2026-Q3; the one the last day known lies in if empty.
    as_of
        The last day known: the quarter's last day, or the records' if that is earlier, if left out.
    against
        The promise to hold it against, if not the plan itself: a plan file.
    segment
        The one segment to look at; all if empty.

    Raises
    ------
    PlanError
        If the plan, the quarter or the segment is at fault.
    DataError
        If the records or actuals it names are.
    """
    path = Path(plan_path)
    promised = _promised(Path(against or path), segment)
    plan, folder = promised.plan, path.parent
    actual = read_actuals(plan, folder)
    day = as_of or _last_day(plan, folder, actual, quarter)
    begun = day >= plan.first_month.start_time.date()
    return BoardBook(
        year=promised,
        quarter=quarter_span(quarter, plan.first_month, day),
        history=_history(plan, folder, day) if begun else None,
        actual=actual,
        segment=segment,
        signed="",
    )


def _promised(path: Path, segment: str) -> PlannedYear:
    """The plan at `path` as computed on its plan date."""
    plan = read_plan(path)
    if segment and segment not in plan.segments:
        names = ", ".join(shown(name) for name in plan.segments)
        raise PlanError.at("segment", f"got {shown(segment)!r}; the plan's segments are {names}")
    records = read_history(plan, path.parent)
    year = plan_year(with_history_rates(plan, records), known(plan, records))
    return narrowed(year, segment) if segment else year


def _last_day(plan: Plan, folder: Path, actual: pd.DataFrame | None, quarter: str) -> date:
    """The last day that records or actuals know, or the last one of the quarter if that is earlier."""
    if plan.history is not None:
        last = read_records(folder / plan.history.leads).as_of
    elif actual is not None and len(actual):
        last = actual["month"].max().end_time.date()
    else:
        last = plan.plan_date - timedelta(days=1)
    if not quarter:
        return last
    return min(last, quarter_span(quarter, plan.first_month, last).last.end_time.date())


def _history(plan: Plan, folder: Path, day: date) -> History | None:
    """The records as known on `day` in the plan's names; those without an amount are worth the segment's mean deal."""
    records = read_history(plan.model_copy(update={"plan_date": day + timedelta(days=1)}), folder)
    if records is None:
        return None
    history = records.history
    only = {
        key: next(iter(names))
        for key, names in (("segment", plan.segments), ("source", plan.sources))
        if len(names) == 1
    }
    deals = {name: segment.acv.mean for name, segment in plan.segments.items()}
    found = history.records.assign(**only)
    found["amount"] = found["amount"].fillna(found["segment"].map(deals))
    return replace(history, stage_history=history.stage_history.assign(**only), records=found)
