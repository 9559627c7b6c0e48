"""One row of the table realism per assumption: where the plan's value lies in what the history supports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betainc, betaincc, betaincinv, ndtr, ndtri

from revplan.calendar import MONTH_DAYS, MONTHS_PER_YEAR, month_of
from revplan.errors import shown
from revplan.formats import counted, show
from revplan.history.pasts import monthly_entries
from revplan.history.rates import rate_law
from revplan.known import Records
from revplan.lag import Lag
from revplan.model.funnel import YEAR
from revplan.model.slip import LagScale
from revplan.model.year import PlannedYear
from revplan.plan.model import Plan
from revplan.realism.sides import Compared, Deals

RECENT_MONTHS, FEWEST_MONTHS = 24, 6  # past months that a volume is held against
SPANS = (MONTHS_PER_YEAR, 6)  # months compared with as many before them, for growth: the longest there is room for
LEVELS = np.array([0.1, 0.5, 0.9])


def rate_rows(steps: list[Compared]) -> Iterator[dict[str, Any]]:
    """Rates against the estimator's law for the same records, and against past quarters."""
    for each in steps:
        law, planned = rate_law(each.row), each.planned.rate
        yield {
            "assumption": f"rate {each.name}",
            "about": "rate",
            "kind": "share",
            "planned": planned,
            "history": betaincinv(*law, LEVELS),
            "percentile": float(betainc(*law, planned)),
            "chance": float(betaincc(*law, planned)),
            "periods": len(each.cohorts),
            "periods_met": int((each.cohorts["rate"] >= planned).sum()),
            "basis": counted(round(each.row["conversions"]), "conversion")
            + ("" if each.row["mature"] else ", not settled"),
        }


def lag_rows(plan: Plan, steps: list[Compared]) -> Iterator[dict[str, Any]]:
    """Lags stray around what was measured as the plan says they do (`lag_cv`), all by one factor."""
    sigma = LagScale(plan.uncertainty.lag_cv).sigma
    for each in (step for step in steps if step.has_own_lag):
        measured, medians = float(each.row["median_days"]), each.cohorts["median_days"].dropna()
        planned = _median_days(each.planned.lag, measured)
        longer = np.log(max(planned, 0.01) / max(measured, 0.01))
        chance = float(ndtr(longer / sigma)) if sigma > 0 else np.nan
        yield {
            "assumption": f"lag {each.name}",
            "about": "lag",
            "kind": "days",
            "planned": planned,
            "history": measured * np.exp(sigma * ndtri(LEVELS)),
            "percentile": chance,
            "chance": chance,
            "periods": len(medians),
            "periods_met": int((medians <= planned).sum()),
            "basis": f"{counted(round(each.row['conversions']), 'conversion')}; delays are taken to vary by "
            + show(plan.uncertainty.lag_cv, "share"),
        }


def _median_days(lag: Lag, measured: float) -> float:
    """Median delay; written in whole months it stands for half a month around, nearest to the measured one. [days]"""
    if lag.median_days is not None:
        return lag.median_days
    months = int(np.searchsorted(np.cumsum(lag.shift), 0.5 - 1e-9))
    return float(np.clip(measured, max(months - 0.5, 0.0) * MONTH_DAYS, (months + 0.5) * MONTH_DAYS))


def deal_rows(plan: Plan, deals: dict[str, Deals]) -> Iterator[dict[str, Any]]:
    """Mean deals against the law of the mean of the won ones, and against past quarters."""
    for name, law in deals.items():
        planned = plan.segments[name].acv.mean
        yield {
            "assumption": f"deal size {shown(name)}",
            "about": "deal",
            "kind": "money",
            "planned": planned,
            "history": law.at(ndtri(LEVELS)),
            "percentile": float(ndtr(law.normal(planned))),
            "chance": float(ndtr(-law.normal(planned))),
            "periods": len(law.quarters),
            "periods_met": int((law.quarters >= planned).sum()),
            "basis": f"{law.count:,} won deals of two years",
        }


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """What a source is asked for a month, beside what its past months brought. [records]"""

    source: str
    asked: float
    """Mean of the whole months from `since` to the end of the year."""
    months: np.ndarray
    """Entries of each past whole month, the last one at the end."""
    since: pd.Period
    """The first whole month."""

    @property
    def met(self) -> int:
        """Past months that brought as many."""
        return int((self.months >= self.asked).sum())

    @property
    def is_one(self) -> bool:
        """Whether less than every second past month brought as many."""
        return 2 * self.met < len(self.months)

    @property
    def size(self) -> tuple[float, float]:
        """How far it reaches: the share of months that brought less, then what is asked over the mean month."""
        return 1 - self.met / len(self.months), self.asked / max(float(self.months.mean()), 1e-9)


def stretches(year: PlannedYear, records: Records) -> Iterator[Stretch]:
    """What each source is asked for a month, against past months; those with too few are left out."""
    cut = int(year.start > 0)
    for name, (past, planned) in _volumes(year, records).items():
        months, asked = past.iloc[-RECENT_MONTHS:].to_numpy(), planned[: _whole_months(year)]
        if len(months) >= FEWEST_MONTHS and len(asked) and asked.any():
            since = year.plan.first_month + (year.first + cut)
            yield Stretch(source=name, asked=float(asked.mean()), months=months, since=since)


def volume_rows(year: PlannedYear, records: Records) -> Iterator[dict[str, Any]]:
    """Entries a month by source, as `year` asks for them, against past months."""
    for each in stretches(year, records):
        about = ("volume", "count", "past months")
        yield _against_periods(f"entries a month, {shown(each.source)}", about, each.asked, each.months)


def growth_rows(year: PlannedYear, records: Records) -> Iterator[dict[str, Any]]:
    """Entries of all sources in the months to come over as many before, and the same at every past month."""
    volumes = _volumes(year, records).values()
    past = np.sum([each.to_numpy() for each, _ in volumes], axis=0)
    planned = np.sum([each for _, each in volumes], axis=0)
    span = next((each for each in SPANS if len(past) >= 2 * each), None)
    if span is not None and (sums := np.convolve(past, np.ones(span), "valid"))[:-span].all() and sums[-1] > 0:
        about = ("growth", "ratio", f"past spans of {span} months over the {span} before")
        yield _against_periods("growth of entries", about, planned[:span].sum() / sums[-1], sums[span:] / sums[:-span])


def _whole_months(year: PlannedYear) -> int:
    """Whole months from the plan date to the end of the year."""
    return YEAR - year.first - int(year.start > 0)


def _volumes(year: PlannedYear, records: Records) -> dict[str, tuple[pd.Series, np.ndarray]]:
    """By source: entries of each past whole month, and entries that `year` asks for in each to come. [records]"""
    plan, cut = year.plan, int(year.start > 0)
    return {
        name: (
            monthly_entries(records.entries, plan.entry_stage(name), month_of(plan.plan_date), name),
            sum(flow[0][cut:] for cell, flow in zip(year.cells, year.flows, strict=True) if cell.source == name),
        )
        for name in dict.fromkeys(cell.source for cell in year.cells)
    }


def _against_periods(
    assumption: str, about: tuple[str, str, str], planned: float, periods: np.ndarray
) -> dict[str, Any]:
    return {
        "assumption": assumption,
        "about": about[0],
        "kind": about[1],
        "planned": float(planned),
        "history": np.quantile(periods, LEVELS),
        "percentile": float(((periods < planned) + 0.5 * (periods == planned)).mean()),
        "chance": float((periods >= planned).mean()),
        "periods": len(periods),
        "periods_met": int((periods >= planned).sum()),
        "basis": f"{len(periods)} {about[2]}",
    }
