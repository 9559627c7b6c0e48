"""What the records of a plan support, all of it behind one value: import, rates, curves, forecast, backtest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from revplan.crm.counted import Counted
from revplan.crm.mapping import EVERY
from revplan.crm.planfile import read_plan, real_path
from revplan.crm.records import Export, History
from revplan.crm.store import Stored, open_counts
from revplan.ground.calendar import MONTHS_PER_QUARTER, day_written, months_label
from revplan.ground.errors import DataError, PlanError
from revplan.ground.tables import conform, empty
from revplan.rates.backtest import Backtest, backtest
from revplan.rates.counts import cohort_counts, differences
from revplan.rates.estimates import estimate_transitions, estimate_warnings
from revplan.rates.forecast import Forecast, forecast_wins
from revplan.rates.spells import spells_of

REPLAYED_DAYS = 480
QUARTER_MONTHS = 3


@dataclass(frozen=True, eq=False, repr=False)
class HistoryBook:
    """The records behind a plan as known on a day; each table is made when it is first asked for."""

    export: Export | Stored
    history: History | Counted
    months: int = QUARTER_MONTHS
    """Months the forecast looks ahead."""
    name: str = ""
    """Name of the plan that names the records, where one does."""
    currency: str = ""

    def __repr__(self) -> str:
        return f"<HistoryBook {self.name}: {self.history.number:,} records, as of {self.history.as_of}>"

    @cached_property
    def estimates(self) -> pd.DataFrame:
        """Table estimates."""
        return estimate_transitions(self.history, self.history.as_of)

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of the estimates must know."""
        return estimate_warnings(self.history, self.estimates)

    @cached_property
    def steps(self) -> pd.DataFrame:
        """Table estimates, for all segments and sources together."""
        every = (self.estimates["segment"] == EVERY) & (self.estimates["source"] == EVERY)
        return self.estimates[every].reset_index(drop=True)

    @cached_property
    def counts(self) -> pd.DataFrame:
        """Table cohort_counts."""
        return cohort_counts(spells_of(self.history))

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Table differences: whether segments and sources convert differently, beyond luck."""
        since = self.steps["recorded_from"].max()
        return differences(spells_of(self.history), None if pd.isna(since) else since.date())

    def curves(self, from_stage: str) -> pd.DataFrame:
        """Table cohort_curves: share of each quarter's entries into `from_stage` that went on, by months since.

        A cohort's curve ends with the last month all its records have reached. Months before outcomes
        were recorded are left out: their records only look as if they had not converted.
        """
        since = self.steps.loc[self.steps["from_stage"] == from_stage, "recorded_from"].dt.to_period("M").min()
        in_window = (self.counts["from_stage"] == from_stage) & (self.counts["cohort_month"] >= since)
        of_stage = self.counts[in_window]
        quarter = of_stage["cohort_month"].dt.asfreq("Q").rename("cohort")
        made = [
            _curve(months_label(name.asfreq("M", "start"), MONTHS_PER_QUARTER), rows, self.history.as_of)
            for name, rows in of_stage.groupby(quarter)
        ]
        filled = [curve for curve in made if len(curve)]
        return conform(pd.concat(filled), "cohort_curves") if filled else empty("cohort_curves")

    @cached_property
    def forecast(self) -> Forecast | None:
        """Wins of the next months; None where the history holds too little to tell."""
        try:
            return forecast_wins(self.history, self.months)
        except DataError:
            return None

    @cached_property
    def backtest(self) -> Backtest | None:
        """The forecast replayed at the quarter ends of the last 16 months; None where none can be replayed."""
        last = self.history.as_of
        try:
            return backtest(self.export, (last - timedelta(days=REPLAYED_DAYS), last), "month", self.months)
        except DataError:
            return None


def open_history(plan_path: str | Path, as_of: str = "", months: int = QUARTER_MONTHS) -> HistoryBook:
    """The records that the plan at `plan_path` names.

    Parameters
    ----------
    plan_path
        The plan file.
    as_of
        Last day counted, as 2026-11-14; the day before the plan date if empty.
    months
        Months the forecast looks ahead.

    Raises
    ------
    PlanError
        If the plan is at fault, or names no records.
    DataError
        If the records are.
    """
    path = real_path(plan_path)
    plan = read_plan(path)
    if plan.history is None:
        raise PlanError.at(f"{path.name}, history", "is missing; name the CRM file: `history: {leads: crm.yaml}`")
    day = day_written(as_of) or plan.plan_date - timedelta(days=1)
    export = open_counts(path.parent / plan.history.leads, unasked=False)
    return HistoryBook(export=export, history=export.on(day), months=months, name=plan.name, currency=plan.currency)


def _curve(cohort: str, rows: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """One cohort: share gone on by each month all its records have reached."""
    entries = float(rows[["went_on", "lost", "still_open"]].to_numpy().sum())
    reached = (pd.Period(as_of, freq="M") - rows["cohort_month"].max()).n
    went_on = np.bincount(rows["lag_months"].astype(int), rows["went_on"], minlength=max(reached, 0) + 1)
    months = np.arange(reached)
    share = np.cumsum(went_on)[:reached] / entries
    return pd.DataFrame({"cohort": cohort, "lag_months": months.astype(float), "entries": entries, "share": share})
