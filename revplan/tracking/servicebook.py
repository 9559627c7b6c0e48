"""Service levels both ways on a day: what marketing owes sales, and what sales owes marketing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from revplan.crm.mapping import TOUCHES
from revplan.crm.records import SILENT_DAYS, Export
from revplan.funnel.tables import cell_values_table
from revplan.ground.calendar import MONTHS_PER_QUARTER
from revplan.ground.formats import compact, counted, plural, show
from revplan.ground.tables import empty
from revplan.ground.terminal import plain_rows
from revplan.ground.worktime import in_utc
from revplan.plan.model import Plan
from revplan.plan.stages import titles_of
from revplan.tracking import quality as tested
from revplan.tracking import service, why
from revplan.tracking.pacebook import CELL, MONTH, PaceBook
from revplan.tracking.periods import DayRun
from revplan.tracking.service import NOTHING, end_of

LOOKED_BACK = 90  # days whose hand-overs count where no quarter of the plan runs


@dataclass(frozen=True, eq=False)
class ServiceBook:
    """The service levels of a pace book's day; each table is made when it is first asked for."""

    pace: PaceBook

    @property
    def export(self) -> Export | None:
        """The records as exported; None where the plan names none."""
        snapshots = self.pace.board.files.snapshots
        return None if snapshots is None or self.pace.history is None else snapshots.export

    @cached_property
    def plan(self) -> Plan:
        """The plan with the levels that the records can tell."""
        live, export = self.pace.live, self.export
        if export is None or export.touches is not None:
            return live
        told = live.service_levels.model_copy(update={"first_touch_hours": None, "attempts": None})
        return live.model_copy(update={"service_levels": told})

    @property
    def stage(self) -> str:
        """The stage at which marketing hands over."""
        return self.plan.service_levels.stage or self.pace.stage

    @property
    def first(self) -> date:
        """The first day whose hand-overs count: that of the quarter, or 90 days back."""
        quarter = self.pace.periods[1:2]
        return quarter[0].first if quarter else self.last - timedelta(days=LOOKED_BACK - 1)

    @cached_property
    def last(self) -> date:
        """The last day known; that on which the records end, if that is days before: of what happened since they tell nothing.

        Touches and hand-overs that go on are records that go on.
        """
        ended, export, as_of = self.pace.ended_on, self.export, self.pace.as_of
        if ended is None or export is None:
            return as_of
        moments = [export.details.columns.get(name, NOTHING) for name in ("assigned", "rejected")]
        moments += [export.touches.at] if export.touches is not None else []
        days = np.concatenate(moments).astype("datetime64[D]")
        days = days[days <= np.datetime64(as_of)]  # which a missing one is not
        ends = max(ended, days.max().item()) if len(days) else ended
        return as_of if (as_of - ends).days <= SILENT_DAYS else ends

    @cached_property
    def now(self) -> np.datetime64:
        """The end of the last day known, in UTC."""
        zone = "UTC" if self.export is None else service.record_zone(self.export, self.plan)
        moment: np.datetime64 = in_utc(np.array([end_of(self.last)]), zone)[0]
        return moment

    @cached_property
    def every(self) -> pd.DataFrame:
        """Every hand-over of the last two years, with its clocks and the state of each level."""
        if self.export is None or self.pace.history is None:
            return service.untimed()
        table = service.handovers(self.pace.history, self.export, self.plan, self.stage)
        touches = service.touches_since(self.export, table, self.plan, self.pace.as_of)
        return service.timed(table, touches, self.plan, self.now)

    @cached_property
    def recent(self) -> pd.DataFrame:
        """Those of the quarter."""
        return self.every[self.every["handed_over"] >= np.datetime64(self.first)].reset_index(drop=True)

    @property
    def touched(self) -> bool:
        """Whether the records know of touches."""
        return self.export is not None and self.export.touches is not None

    @cached_property
    def levels(self) -> pd.DataFrame:
        """Table service_levels of the quarter."""
        return service.level_rows(self.recent, self.plan, self.touched)

    @cached_property
    def breaches(self) -> pd.DataFrame:
        """Table breaches of the quarter."""
        return service.breaches(self.recent, self.plan)

    @cached_property
    def unworked(self) -> pd.DataFrame:
        """Table unworked, of the hand-overs of the last two years."""
        return service.unworked(self.every)

    @cached_property
    def clocks(self) -> pd.DataFrame:
        """Table clocks of the quarter."""
        return service.clocks(self.recent)

    @cached_property
    def reasons(self) -> pd.DataFrame:
        """Table rejection_reasons of the quarter."""
        return service.reasons(self.recent)

    @cached_property
    def quality(self) -> tested.Quality:
        """The quality of leads over the last year."""
        return tested.quality(self.every, self.now)

    @cached_property
    def bands(self) -> pd.DataFrame:
        """Table response_bands of the last year."""
        return tested.response_bands(tested.matured(self.every, self.now), self.plan.service_levels.first_touch_hours)

    @cached_property
    def cost(self) -> tested.Cost | None:
        """What late first touches go with; None where none were agreed, or too few are known."""
        if self.plan.service_levels.first_touch_hours is None:
            return None
        breached = int((self.recent[service.TOUCH] == service.BREACHED).sum())
        return tested.cost_of_breaches(tested.matured(self.every, self.now), self.bands, breached, self.worth)

    @cached_property
    def worth(self) -> float:
        """New ARR that an accepted record is worth, over the cells of the quarter's hand-overs. [plan currency]"""
        stages = self.plan.stage_ids
        accepted = self.plan.service_levels.accepted or stages[stages.index(self.stage) + 1]
        values = cell_values_table(self.pace.board.year)
        values = values[values["stage"] == accepted].set_index(["segment", "source"])["value_per_entry"]
        cells = self.recent.groupby(["segment", "source"]).size()
        recorded = values.reindex(cells.index).fillna(0.0)
        return float((recorded * cells).sum() / cells.sum()) if len(cells) else 0.0

    # --- marketing -------------------------------------------------------------------------------

    @cached_property
    def volume(self) -> pd.DataFrame:
        """Of month, quarter and year: entries at the commit stage and their value, to date, against the plan."""
        lines = self.pace.lines
        lines = lines[(lines["of"] == CELL) & (lines["stage"] == self.pace.stage)]
        if lines.empty:
            return pd.DataFrame(columns=["period", "level", "agreed", "actual", "gap", "share"])
        values = cell_values_table(self.pace.board.year).set_index(["segment", "source", "stage"])["value_per_entry"]
        keys = pd.MultiIndex.from_frame(lines[["segment", "source", "stage"]])
        worth = values.reindex(keys).fillna(0.0).to_numpy()
        rows = []
        for level, weight in (("volume", np.ones(len(lines))), ("value", worth)):
            told = lines.assign(agreed=lines["target_to_date"] * weight, actual=lines["actual"] * weight)
            summed = told.groupby(["period_kind", "period"], sort=False)[["agreed", "actual"]].sum().reset_index()
            rows.append(summed.assign(level=level))
        table = pd.concat(rows, ignore_index=True)
        share = table["actual"] / table["agreed"].where(table["agreed"] > 0)
        return table.assign(gap=table["actual"] - table["agreed"], share=share).drop(columns="period_kind")

    def marketing(self) -> list[dict[str, Any]]:
        """What marketing owes: volume and value, acceptance, reasons of rejection, quality."""
        accepted, rejected = service.answered(self.recent)
        agreed = self.plan.service_levels.acceptance_rate
        shares = service.share_of(accepted, accepted + rejected)
        found = self.quality
        change = found.change
        return [
            *({"stage": self.pace.stage, **row} for row in plain_rows(self.volume)),
            *plain_rows(pd.DataFrame([{"level": "acceptance", "stage": self.stage, "agreed": agreed, "accepted": accepted, "rejected": rejected, **shares}])),
            {"level": "rejection reasons", "stage": self.stage, "reasons": plain_rows(self.reasons)},
            {
                "level": "quality",
                "stage": self.stage,
                "changed": found.alarms,
                "since": None if change is None or not found.alarms else f"{found.weeks['week'].iloc[change.week]:%Y-%m-%d}",
                "chance": None if change is None else change.chance,
                "false_alarm_rate": tested.ALARM,
                "before": found.before or None,
                "after": found.after or None,
                "says": found.said,
            },
        ]  # fmt: skip

    # --- why -------------------------------------------------------------------------------------

    @cached_property
    def stretches(self) -> tuple[DayRun, DayRun]:
        """The quarter before, and this one to the last day known."""
        begin = pd.Period(self.first, freq="M")
        before = (begin - MONTHS_PER_QUARTER).start_time.date()
        return DayRun(before, self.first - timedelta(days=1)), DayRun(
            self.first, self.last if self.last >= self.first else self.pace.as_of
        )

    @cached_property
    def steps(self) -> pd.DataFrame:
        """Table quarter_on_quarter."""
        history = self.pace.history
        if history is None or self.last < self.first:
            return empty("quarter_on_quarter")
        told = history if self.last == history.as_of else replace(history, as_of=self.last)
        return why.steps(told, *self.stretches, titles_of(self.plan.stages))

    @cached_property
    def losses(self) -> pd.DataFrame:
        """Table loss_reasons of the last year."""
        history = self.pace.history
        return empty("loss_reasons") if history is None else why.loss_reasons(history)

    def why(self) -> dict[str, Any]:
        """`why` of `revplan pace --json`."""
        before, after = ({"from": str(each.first), "to": str(each.last)} for each in self.stretches)
        return {
            "before": before,
            "after": after,
            "quarter_on_quarter": plain_rows(self.steps),
            "loss_reasons": plain_rows(self.losses),
            "false_alarm_rate": tested.ALARM,
        }

    # --- both ------------------------------------------------------------------------------------

    def answer(self) -> dict[str, Any]:
        """`service_levels` of `revplan pace --json`."""
        cost = self.cost
        dated = self.breaches.assign(starts=self.breaches["starts"].dt.strftime("%Y-%m-%dT%H:%MZ"))
        return {
            "from": str(self.first),
            "to": str(self.pace.as_of),
            "handed_over": len(self.recent),
            "marketing": self.marketing(),
            "sales": plain_rows(self.levels),
            "clocks": plain_rows(self.clocks),
            "unworked": plain_rows(self.unworked) if self.touched else [],
            "breaches": plain_rows(dated),
            "response_bands": plain_rows(self.bands) if self.touched else [],
            "cost_of_breaches": None if cost is None else {
                "breached": cost.breached, "share_met": cost.met, "share_late": cost.late, "difference": [cost.low, cost.high],
                "arr": list(cost.range), "says": self.cost_said,
            },
            "notes": list(self.notes),
        }  # fmt: skip

    @property
    def cost_said(self) -> str:
        """What late first touches go with, in one or two sentences; empty where that is not known."""
        cost = self.cost
        if cost is None:
            return ""
        met, late = (show(each["share"], "share") for each in (cost.met, cost.late))
        told = f"Of records touched in time {met} were accepted, of those touched late or never {late}"
        if cost.low <= 0 <= cost.high:
            return f"{told}: no more apart than luck explains, so no cost of the breaches can be told."
        (low, high), currency = sorted(cost.range), self.plan.currency
        which = "less" if cost.low > 0 else "more"
        shape = "" if cost.steady else " The share does not fall steadily from band to band."
        return (
            f"{told}; with the {counted(cost.breached, 'breach', 'breaches')} of the quarter go {compact(abs(low), currency)} to {compact(abs(high), currency)} "
            f"{which} new ARR. That is an association, not a cause: better leads are also called sooner.{shape}"
        )

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the service levels."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        export, levels = self.export, self.pace.live.service_levels
        if export is None and self.pace.board.files.snapshots is not None:
            return  # nothing can have come yet, which the pace says
        if export is None:
            yield "The plan names no records, so nothing is known of service levels."
            return
        title = plural(titles_of(self.plan.stages)[self.stage])
        if self.every.empty:
            yield f"The records know of no {title}, at which marketing hands over."
            return
        lacking = [
            name
            for name, agreed in (("first touch", levels.first_touch_hours), ("attempts", levels.attempts))
            if agreed is not None
        ]
        if not self.touched:
            owed = f": {' and '.join(lacking)} cannot be told" if lacking else ""
            yield f"The CRM file names no touches (`touches`){owed}."
        if export.source.crm.rejected is None:
            yield "The CRM file does not say what sales rejected (`rejected`): what was lost before it was accepted counts as rejected."
        if levels == type(levels)():
            yield "The plan names no service levels (`service_levels`): what sales and marketing do is measured, and held against nothing."
        yield from (*self._assignment_notes(), *_strange_touches(export, self.pace.as_of))
        yield from filter(None, [service.timeless(export), self._offset_note(export)])

    def _assignment_notes(self) -> Iterator[str]:
        """What was given to nobody, and what was touched before it was given to somebody."""
        unassigned = int(self.recent["starts"].isna().sum())
        if unassigned:
            whom = "it" if unassigned == 1 else "them"
            yield f"{counted(unassigned, 'record was', 'records were')} handed over and given to nobody: no clock of sales runs for {whom}."
        early = int(self.recent["early"].sum())
        if early:
            yield (
                f"{counted(early, 'record was', 'records were')} touched after the hand-over and before the assignment, by marketing or by "
                f"whoever had {'it' if early == 1 else 'them'} before: these touches do not count."
            )

    def _offset_note(self, export: Export) -> str:
        mine = self.plan.service_levels.timezone
        if export.source.crm.timezone or mine is None:
            return ""
        zone = service.record_zone(export, self.plan)
        return f"The CRM file names no `timezone`: its moments are taken for those of {zone}."

    @property
    def said(self) -> tuple[str, str]:
        """What marketing and sales did, in a sentence each."""
        return self._marketing_said(), self._sales_said()

    def _marketing_said(self) -> str:
        title = titles_of(self.plan.stages)[self.pace.stage]
        line = self.pace.line(MONTH)
        accepted, rejected = service.answered(self.recent)
        parts = []
        if line is not None:
            parts.append(
                f"{counted(line['actual'], title, plural(title))} against {show(line['target_to_date'], 'count')} planned to {show(self.pace.as_of, 'date')}"
            )
        if accepted + rejected:
            parts.append(
                f"sales accepted {show(accepted / (accepted + rejected), 'share')} of what it answered ({accepted:,} of {accepted + rejected:,})"
            )
        return f"Marketing: {'; '.join(parts)}." if parts else "Marketing: nothing was handed over yet."

    def _sales_said(self) -> str:
        rows = self.levels
        rows = rows[(rows["by"] == "all") & rows["share"].notna() & ~rows["level"].isin(["acceptance rate"])]
        told = [
            f"{row['level']} {show(row['share'], 'share')} ({row['met']:,.0f} of {row['met'] + row['breached']:,.0f}, {row['pending']:,.0f} pending)"
            for row in rows.to_dict("records")
        ]
        return (
            f"Sales: {'; '.join(told)}."
            if told
            else "Sales: nothing of what was handed over was due yet, or the records do not tell."
        )


def _strange_touches(export: Export, as_of: date) -> Iterator[str]:
    """That some touches are of no record, or of days to come."""
    for line in export.details.found.lines:
        if (line.part, line.what) == (TOUCHES, "set aside: no record of that id"):
            example = line.example.split(", ", 1)[0].rpartition(" ")[0]
            yield f"{counted(line.count, 'touch is', 'touches are')} of no record, and not counted: {example}, say."
    day = max(export.today, as_of)
    later = NOTHING if export.touches is None else export.touches.at[export.touches.at >= end_of(day)]
    if len(later):
        last = show(later.max().astype("datetime64[D]").item(), "date")
        yield f"{counted(len(later), 'touch lies', 'touches lie')} after {show(day, 'date')}, the last on {last}, and {'is' if len(later) == 1 else 'are'} not counted."
