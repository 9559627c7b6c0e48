"""One row of the table realism per assumption: where the plan's value lies in what the history supports.

A plan's assumptions held against the company's own history: one by one, all together, and stacked.

One by one: where the plan's value lies in what the history supports, and how many past periods reached it.
All together: the chance that every one comes out at least as planned, rates sharing the market. Stacked:
how much of what is asked for is buffer, because prudent assumptions multiply.

What the history says of a plan's assumptions, in sentences that texts and exhibits share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betainc, betaincc, betaincinv, ndtr, ndtri

from revplan.funnel.funnel import YEAR
from revplan.funnel.tables import entries_by_stage
from revplan.funnel.year import PlannedYear
from revplan.ground.calendar import MONTH_DAYS, MONTHS_PER_YEAR, month_of
from revplan.ground.errors import shown
from revplan.ground.formats import compact, counted, first_largest, plural, show, steady_order
from revplan.ground.lag import Lag
from revplan.ground.tables import empty, from_rows
from revplan.plan.model import Plan
from revplan.rates.estimates import rate_law
from revplan.rates.spells import spells_of
from revplan.simulation.draws import chance_all_above
from revplan.simulation.outlook import LagScale, step_name, used_transitions
from revplan.simulation.simulate import Simulation
from revplan.snapshot.state import Records
from revplan.workbook.history import (
    Buffer,
    ComparedTransition,
    WonDeals,
    World,
    Yield,
    buffers,
    compared_steps,
    deal_laws,
    monthly_entries,
    won_deals,
    yield_in,
)

RECENT_MONTHS, FEWEST_MONTHS = 24, 6  # past months that a volume is held against
SPANS = (MONTHS_PER_YEAR, 6)  # months compared with as many before them, for growth: the longest there is room for
LEVELS = np.array([0.1, 0.5, 0.9])


def rate_rows(steps: list[ComparedTransition]) -> Iterator[dict[str, Any]]:
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


def lag_rows(plan: Plan, steps: list[ComparedTransition]) -> Iterator[dict[str, Any]]:
    """Lags stray around what was measured as the plan says they do (`lag_cv`), all by one factor."""
    sigma = LagScale(plan.uncertainty.lag_cv).sigma
    for each in (step for step in steps if step.has_own_lag):
        measured, medians = float(each.row["median_days"]), each.cohorts["median_days"].dropna()
        planned = median_days(each.planned.lag, measured)
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


def median_days(lag: Lag, measured: float) -> float:
    """Median delay; written in whole months it stands for half a month around, nearest to the measured one. [days]"""
    if lag.median_days is not None:
        return lag.median_days
    months = int(np.searchsorted(np.cumsum(lag.shift), 0.5 - 1e-9))
    return float(np.clip(measured, max(months - 0.5, 0.0) * MONTH_DAYS, (months + 0.5) * MONTH_DAYS))


def deal_rows(plan: Plan, deals: dict[str, WonDeals]) -> Iterator[dict[str, Any]]:
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
        months, asked = past.iloc[-RECENT_MONTHS:].to_numpy(), planned[: YEAR - year.first - cut]
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


PLANNED, TOGETHER = "as planned", "all together"
ASSUMED = ("rate", "deal", "lag")  # volumes are what the commit asks for, not what it takes for granted


@dataclass(frozen=True, eq=False)
class Realism:
    """What the history says of a plan's assumptions."""

    assumptions: pd.DataFrame
    """Table realism."""
    buffers: pd.DataFrame
    """Table buffers."""
    planned: Yield
    """The plan's own year. [plan currency]"""
    together: Yield
    """The same entries with every assumption at the median of the history. [plan currency]"""
    commit: float
    """Entries of the commit within the year at the stage it is signed for. [records]"""
    chance_all_met: float
    """Chance that every rate, deal size and lag comes out at least as planned, rates sharing the market. [0-1]"""
    chance_if_independent: float
    """The same if each strayed by itself: the product of the chances. [0-1]"""
    not_compared: tuple[str, ...]
    """Assumptions for which there are too few records."""

    @property
    def overshoot(self) -> float:
        """New ARR that the committed entries bring beyond the plan at the history's medians. [plan currency]"""
        return self.together.total - self.planned.total

    @property
    def needed(self) -> float:
        """Entries at the commit stage that bring the planned ARR at the history's medians. [records]"""
        return self.commit * self.together.scale_for(self.planned.total)


def realism(year: PlannedYear, records: Records | None, to_sign: PlannedYear | None = None) -> Realism | None:
    """What the history says of the assumptions of `year`; None where it has no records to say it with.

    Volumes are those of `to_sign`, the same year with the entries that are to sign, where it is given.
    """
    if records is None or records.estimates.empty:
        return None
    spells = spells_of(records.history)
    steps = compared_steps(year, records.estimates, spells)
    deals = deal_laws(year.plan, won_deals(spells))
    assumed = [*rate_rows(steps), *deal_rows(year.plan, deals), *lag_rows(year.plan, steps)]
    rows = [*assumed, *volume_rows(to_sign or year, records), *growth_rows(to_sign or year, records)]
    names = ("history_low", "history_mid", "history_high")
    frame = from_rows("realism", [row | dict(zip(names, map(float, row["history"]), strict=True)) for row in rows])
    found = buffers(year, list(_worlds(year.plan, steps, deals)))
    planned = yield_in(year, World())
    return Realism(
        assumptions=frame,
        buffers=_buffer_table(year, planned, found),
        planned=planned,
        together=found[-1].together if found else planned,
        commit=entries_by_stage(year)[year.plan.commit_stage],
        chance_all_met=_chance_all_met(frame, year.plan.uncertainty.rho),
        chance_if_independent=float(frame.loc[frame["about"].isin(ASSUMED), "chance"].prod()),
        not_compared=tuple(_not_compared(year, steps)),
    )


def _not_compared(year: PlannedYear, steps: list[ComparedTransition]) -> Iterator[str]:
    """Uncertain rates that the records say nothing of."""
    compared = {each.step for each in steps}
    for each in used_transitions(year):
        if each.evidence is not None and each.rate < 1 and each.key not in compared:
            yield step_name(each)


def _chance_all_met(frame: pd.DataFrame, rho: float) -> float:
    """Rates share the market; all lags stretch by one factor; deal sizes stray by themselves. [0-1]"""
    chances = {about: frame.loc[frame["about"] == about, "chance"].dropna().to_numpy() for about in ASSUMED}
    rates = chance_all_above(-ndtri(chances["rate"]), rho)
    return rates * float(chances["deal"].prod()) * float(chances["lag"].min(initial=1.0))


def _worlds(plan: Plan, steps: list[ComparedTransition], deals: dict[str, WonDeals]) -> Iterator[tuple[str, World]]:
    """Assumptions that hold in the history's median, step by step, then deals, then lags.

    A rate copied from the records hides nothing and is left as it is.
    """
    for pair in pairwise(plan.stage_ids):
        mids = {
            each.step: float(betaincinv(*rate_law(each.row), 0.5))
            for each in steps
            if each.step[:2] == pair and each.planned.rate != each.row["rate"]
        }
        if mids:
            yield f"rate {pair[0]} to {pair[1]}", World(rates=mids)
    if deals:
        yield "deal size", World(deals={name: float(law.at(np.zeros(1))[0]) for name, law in deals.items()})
    if lags := {each.step: each.lag for each in steps if each.has_own_lag and each.planned.lag != each.lag}:
        yield "lags", World(lags=lags)


def _buffer_table(year: PlannedYear, planned: Yield, found: tuple[Buffer, ...]) -> pd.DataFrame:
    commit = entries_by_stage(year)[year.plan.commit_stage]

    def row(name: str, alone: Yield, together: Yield) -> dict[str, Any]:
        entries = [commit * each.scale_for(planned.total) for each in (alone, together)]
        return {
            "assumptions": name,
            "arr_alone": alone.total,
            "arr_together": together.total,
            "entries_alone": entries[0] if np.isfinite(entries[0]) else np.nan,
            "entries_together": entries[1] if np.isfinite(entries[1]) else np.nan,
        }

    if not found:
        return empty("buffers")
    last = found[-1].together
    rows = [(each.name, each.alone, each.together) for each in found]
    made = [row(*each) for each in ((PLANNED, planned, planned), *rows, (TOGETHER, last, last))]
    return from_rows("buffers", made)


BOLD = 0.1  # chance of being met below which an assumption is called bold
MOST = 100  # times the commit beyond which a number of entries is no answer
SMALL = 1e-3  # chances below this are told as one in so many


def nothing_to_compare(simulation: Simulation) -> str:
    """Why there is nothing to compare where no records are named, and what can be said without them."""
    count, chance = simulation.all_hold
    lacking = "names no records" if simulation.year.plan.history is None else "has no conversion in its records"
    text = f"The plan {lacking}, so there is no past of the company to hold its assumptions against"
    if not count:
        return f"{text}; it states no evidence either, so they count as certain."
    return f"{text}; by their own evidence, the chance that all {count} rates, volumes and delays that vary are met is {chance_words(chance)}."


def assumed(found: Realism) -> str:
    """How many assumptions are bold, and the chance that all of them are met."""
    rows = boldest(found)
    if rows["chance"].isna().all():
        return "The records are too few to hold any assumption against."
    bold = rows[rows["chance"] < BOLD]
    first = (
        f"{len(bold)} of {counted(len(rows), 'value')} held against the records {'is' if len(bold) == 1 else 'are'} bold (met less than one time in ten), first of all "
        f"{bold['assumption'].iloc[0]}"
        if len(bold)
        else f"No value of {len(rows)} held against the records is bold (met less than one time in ten)"
    )
    return f"{first}{_all_met(rows, found)}."


def _all_met(rows: pd.DataFrame, found: Realism) -> str:
    """The chance that all hold but the volumes: those are what the commit asks for, not what it takes for granted."""
    count = int((rows["about"].isin(ASSUMED) & rows["chance"].notna()).sum())
    if not count:
        return ""
    together, apart = chance_words(found.chance_all_met), chance_words(found.chance_if_independent)
    who = "all are met"
    if count < len(rows):
        who = (
            "the one rate, deal size or lag among them is met"
            if count == 1
            else f"the {count} rates, deal sizes and lags among them are all met"
        )
    return f"; {who} together with a chance of {together} ({apart} if each strayed by itself)"


def boldest(found: Realism) -> pd.DataFrame:
    """The assumptions that are held against the history, the boldest first."""
    return found.assumptions.iloc[steady_order(found.assumptions["chance"])]


def stacked(found: Realism, plan: Plan) -> str:
    """How much of what is asked for is buffer, and what most of it is in."""
    if found.buffers.empty:
        return "Rates, deal sizes and lags are those of the records: no buffer is stacked in this plan."
    stage = plan.titles[plan.commit_stage]
    asked = counted(found.commit, f"committed {stage}", f"committed {plural(stage)}", "commitment")
    brings = compact(found.together.total, plan.currency)
    share = f"{compact(abs(found.overshoot), plan.currency)} ({show(round(abs(found.overshoot) / (found.planned.total or 1.0), 3), 'share')})"
    most = _most(found)
    if found.overshoot >= 0:
        less = show(found.commit - found.needed, "count")
        return (
            f"At the history's medians the {asked} bring {brings}, {share} more than planned: "
            f"{less} of them are buffer, most of it in {most}."
        )
    needed = show(found.needed, "commitment") if found.needed < MOST * found.commit else "more than can be entered"
    return (
        f"No buffer: at the history's medians the {asked} bring {brings}, {share} less than planned; "
        f"it would take {needed}, most of all for {most}."
    )


def _most(found: Realism) -> str:
    """The assumptions that change most, by themselves, in the direction of the whole."""
    rows = found.buffers.iloc[1:-1]
    gains = (rows["arr_alone"] - found.planned.total) * (1 if found.overshoot >= 0 else -1)
    return str(rows["assumptions"].iloc[first_largest(gains)])


def unreached(found: Realism) -> Iterator[str]:
    """Volumes that no past month reached, and rates the records say nothing of."""
    rows = found.assumptions
    never = rows[rows["about"].eq("volume") & rows["periods_met"].eq(0)]
    if len(never):
        names = ", ".join(name.removeprefix("entries a month, ") for name in never["assumption"])
        yield f"No past month brought as many entries as are to sign a month of {names}."
    if found.not_compared:
        few = counted(len(found.not_compared), "uncertain rate has", "uncertain rates have")
        yield f"{few} too few records to be held against."


def stretch(year: PlannedYear, records: Records | None) -> str:
    """What the source asked for most against its own past must bring, and how often it did; empty where none is stretched."""
    found = [] if records is None else [each for each in stretches(year, records) if each.is_one]
    if not found:
        return ""
    most = max(found, key=lambda each: each.size)
    stated = year.plan.sources[most.source]
    entry = year.plan.titles[year.plan.entry_stage(most.source)]
    return (
        f"{shown(stated.owner)} brings {counted(most.asked, entry, kind='commitment')} a month from {shown(most.source)}, from "
        f"{show(most.since, 'month')} on; reached in {most.met or 'none'} of the last {len(most.months)} months."
    )


def chance_words(chance: float) -> str:
    """A chance in words that stay readable when it is tiny."""
    if chance >= SMALL:
        return show(round(chance, 4), "share")
    return f"1 in {compact(1 / chance)}" if chance > 1e-6 else "less than one in a million"
