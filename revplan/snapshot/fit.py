"""Whether plan, records and actuals fit each other: every check that looks at two of them, in one list.

A check yields a Fault where money would be wrong without a word, and a sentence where something is
doubtful: the sentences stand before everything else wherever the plan is shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches
from itertools import pairwise
from math import prod
from pathlib import Path

import pandas as pd

from revplan.crm.actuals import LOSSES, Actuals
from revplan.crm.cells import UNKNOWN
from revplan.crm.mapping import EVERY, plain
from revplan.crm.planfile import located
from revplan.crm.records import STALE_DAYS, History, last_recorded
from revplan.crm.writings import codes_of, may_be
from revplan.ground.calendar import MONTHS_PER_YEAR
from revplan.ground.errors import Fault, PlanError, shown
from revplan.ground.formats import listed, plural, show
from revplan.plan.goal import BridgeError, solve_bridge
from revplan.plan.model import Plan
from revplan.rates.spells import NEVER, spells_of
from revplan.snapshot.state import Records, in_plan, with_history_rates

FEW_FOR_A_RATE = 10  # records that entered a stage: fewer say nothing about how many go on
THIN = 20  # effective records behind a rate below which it is named
A_FEW_PER_CENT = 0.05  # of the records, or of an amount, that may have no place in the plan
FAR_OFF, OTHER_UNIT = 3.0, 10.0  # times what the other side says: worth a line; no chance, but another unit
FEWEST_DEALS = 5
THOUSANDS = 250.0  # times what the plan asks for in as many months from which actuals are in another unit
ODD = 100.0  # times a usual month, or times the other amount, from which a line asks
SILENT_DAYS, LONG_SILENT_DAYS = STALE_DAYS, 183
USUAL_DAYS = 365  # over which the usual flow of a stage is taken
MISSED = 10.0  # entries that a silent stage should have had at its usual flow
SHOWN = 6

Found = Iterator[Fault | str]


@dataclass(frozen=True, eq=False)
class PlanAndRecords:
    """What is held against each other."""

    plan: Plan
    """The plan as written: what it states."""
    whole: Plan | None
    """The plan with the rates of its history; None where some lack."""
    records: Records | None
    actuals: Actuals | None


def misfits(plan: Plan, records: Records | None, actuals: Actuals | None) -> tuple[tuple[Fault, ...], tuple[str, ...]]:
    """Faults and doubts of how a plan, its records and its actuals go together, the gravest first."""
    lacking: tuple[Fault, ...] = ()
    whole: Plan | None = None
    try:
        whole = with_history_rates(plan, records)
    except PlanError as error:
        lacking = error.faults
    sides = PlanAndRecords(plan, whole, records, actuals)
    found = [each for check in CHECKS for each in check(sides)]
    faults = tuple(each for each in found if isinstance(each, Fault))
    if any(fault.place.startswith("segments.") for fault in faults):  # of which a cost beside them says nothing new
        faults = tuple(fault for fault in faults if not fault.place.startswith("sources."))
    return (*lacking, *faults), tuple(each for each in found if isinstance(each, str))


def doubts(plan: Plan, records: Records | None, actuals: Actuals | None, path: Path) -> tuple[str, ...]:
    """What is doubtful about how the plan at `path`, its records and its actuals go together, one sentence each.

    Raises
    ------
    PlanError
        With every fault, where they do not fit.
    """
    faults, said = misfits(plan, records, actuals)
    if faults:
        raise PlanError(located(path, faults))
    return said


def look_first(said: tuple[str, ...]) -> tuple[str, ...]:
    """One sentence that names the gravest of the doubts `said`; none where there is none."""
    if not said:
        return ()
    more = f" ({len(said) - 1} more {'doubt' if len(said) == 2 else 'doubts'} in the notes.)" if len(said) > 1 else ""
    return (f"Look at this first: {said[0]}{more}",)


# --- the records' days and rates ------------------------------------------------------------------------------


def _after_today(sides: PlanAndRecords) -> Found:
    """Dates of the records that lie after the day they are read on."""
    if sides.records is not None:
        yield from sides.records.history.first


def _silence(sides: PlanAndRecords) -> Found:
    """An export that ends before the day planned from, and stages that fall silent before the others."""
    if sides.records is None or sides.records.history.as_of != sides.plan.plan_date - timedelta(days=1):
        return  # a running year is looked at on a day of its own, and says so itself
    history, titles = sides.records.history, sides.plan.titles
    days = history.stage_history.groupby("stage")["entered_on"].max()
    last = {stage: days[stage].date() for stage in history.stages if stage in days.index}
    end = last_recorded(history)
    silent = (history.as_of - end).days
    if silent > SILENT_DAYS:
        text = f"the records end on {show(end, 'date')}, {silent:,} days before the plan date {show(sides.plan.plan_date, 'date')}"
        each = ", ".join(f"{titles[stage]} {show(day, 'date')}" for stage, day in last.items())
        cure = f"export them again, or plan from where they end: plan_date: {end + timedelta(days=1)}"
        if silent > LONG_SILENT_DAYS and len(history.records) >= THIN:
            yield Fault(
                "plan_date",
                f"{text}, so the open pipeline would count as too old and the wins since as none (the last of each stage: "
                f"{each}); {cure}",
            )
        else:
            yield f"{text[0].upper()}{text[1:]}: what came later is not in them, and all that follows is too low. To mend it, {cure}."
        return
    for stage in sorted(last):
        quiet = (end - last[stage]).days
        if told := [line for line in history.found if line.startswith(f"No new {stage} since")]:
            yield told[0]
        elif quiet > SILENT_DAYS and (flow := _usual_flow(history, stage)) * quiet >= MISSED:
            yield (
                f"No record has become {titles[stage]} since {show(last[stage], 'date')}, though about {flow * 30:,.0f} did every 30 days "
                f"before and the records go on to {show(end, 'date')}: is the export whole?"
            )


def _usual_flow(history: History, stage: str) -> float:
    """Entries a day into a stage in the year up to its last one. [records]"""
    entered = history.stage_history.loc[history.stage_history["stage"] == stage, "entered_on"]
    recent = entered[entered > entered.max() - pd.Timedelta(days=USUAL_DAYS)]
    return len(recent) / max((entered.max() - recent.min()).days, 30)


def _late_records(sides: PlanAndRecords) -> Found:
    """Entries that lie after a plan date over a year before the year planned, where they are more than a tenth."""
    early = sides.plan.plan_date < (sides.plan.first_month - MONTHS_PER_YEAR).start_time.date()
    if sides.records is None or sides.records.history.as_of >= sides.plan.plan_date or not early:
        return  # once a year runs, its records lie after the day it was planned
    history = sides.records.history
    later = sum(line.count for line in history.report if "after the as-of day" in line.what)
    if later > len(history.records) / 10:
        yield f"{later:,} entries of the records lie after the plan date and are not known on it; is the plan date right?"


def _thin_rates(sides: PlanAndRecords) -> Found:
    """Rates taken from the records though too few, or none that tell, entered the stage."""
    if sides.records is None:
        return
    stated = {(each.from_stage, each.to_stage) for each in sides.plan.transitions}
    estimates = sides.records.estimates
    titles = sides.plan.titles
    for row in estimates[(estimates["segment"] == EVERY) & (estimates["source"] == EVERY)].to_dict("records"):
        start, end = row["from_stage"], row["to_stage"]
        if (start, end) in stated or (start, end) not in set(pairwise(sides.plan.stage_ids)):
            continue
        entered, went = int(row["entries"]), row["conversions"]
        rate = show(row["rate"], "share")
        rests = f"{titles[start]} to {titles[end]}: the rate of {rate} rests on {entered:,} records, {went:,.0f} of which went on"
        if entered < FEW_FOR_A_RATE or (went >= entered and entered < THIN):
            line = f"- {{from: {start}, to: {end}, rate: ..., evidence: {entered}}}"
            yield Fault(
                "transitions",
                f"{rests}; that is too few for a rate. State the one you plan with under transitions: {line}, "
                "or export a longer history",
            )
        elif row["evidence"] < THIN or went < FEWEST_DEALS:
            yield f"{rests}: few, so that it may be far from the truth; state it under transitions if you know better."


# --- names ----------------------------------------------------------------------------------------------------


def _names_of_records(sides: PlanAndRecords) -> Found:
    """Segments and sources of the records that the plan does not have."""
    if sides.records is None:
        return
    records, plan = sides.records.history.records, sides.plan
    crm = plan.history.leads if plan.history else ""
    for key, names in (("segment", plan.segments), ("source", plan.sources)):
        if len(names) == 1:
            continue  # which takes the records of all
        counts = records[key].value_counts()
        unknown = counts[[name not in names for name in counts.index]]
        idle = [name for name in names if name not in counts.index]
        if unknown.empty:
            continue
        share = unknown.sum() / len(records)
        none_of = f"; no record is of {listed([shown(name) for name in idle[:SHOWN]])}" if idle else ""
        text = (
            f"{int(unknown.sum()):,} of {len(records):,} records ({show(share, 'share')}) are of a {key} the plan does not name: "
            f"{_counted(unknown)}{none_of}"
        )
        if share > A_FEW_PER_CENT:
            yield Fault(f"{crm}, {key}", f"{text}. {_cure(key, list(unknown.index), names, idle)}")
        else:
            yield f"{text}. They count as 0."


def _counted(counts: pd.Series) -> str:
    """Names with their counts, the most frequent first."""
    said = [f"{'none given' if name == UNKNOWN else shown(name)} {count:,.0f}" for name, count in counts.items()]
    return ", ".join(said[:SHOWN]) + (f" and {len(said) - SHOWN} more" if len(said) > SHOWN else "")


def _cure(key: str, unknown: list[str], names: Mapping[str, object], idle: list[str]) -> str:
    """The line to paste into the CRM file: near names proposed, or the only two that are left; others are the reader's."""
    only = idle[0] if len(idle) == len(unknown) == 1 and unknown != [UNKNOWN] else None
    proposed = {name: near(name, names) or only or "..." for name in unknown[:SHOWN]}
    asked = _perhaps([(name, meant) for name, meant in proposed.items() if meant != "..."])
    pairs = ", ".join(
        f"{_quoted(name)}: {meant if meant == '...' else _quoted(meant)}" for name, meant in proposed.items()
    )
    return (
        f"{asked}Say in the CRM file which of the plan's each is ({listed([shown(name) for name in list(names)[:SHOWN]])}), or null to "
        f"leave its records out: names: {{{key}: {{{pairs}}}}}; or name it in the plan"
    )


def _perhaps(pairs: list[tuple[str, str]]) -> str:
    """Which name each may be, as a sentence; empty where none is near."""
    return f"Perhaps {listed([f'{shown(name)!r} is {shown(meant)!r}' for name, meant in pairs])}. " if pairs else ""


def _quoted(name: str) -> str:
    """`name` as YAML on one line takes it."""
    return (
        name
        if re.fullmatch(r"[A-Za-z][\w -]*\w|[A-Za-z]", name) and name.casefold() not in WORDS
        else '"' + shown(name).replace("\\", "\\\\").replace('"', '\\"') + '"'
    )


WORDS = {"null", "true", "false", "yes", "no", "on", "off"}


def near(name: str, names: Iterable[str]) -> str | None:
    """The one of `names` that `name` may mean: nearly the same, its letters in another order, or it lengthened."""
    wanted, meant = plain(name)[:200], {plain(each): each for each in names}
    close = get_close_matches(wanted, list(meant), n=1, cutoff=0.75)
    swapped = [each for each in meant if sorted(each) == sorted(wanted)]
    longer = [
        each
        for each in meant
        if min(len(each), len(wanted)) >= 3 and (each.startswith(wanted) or wanted.startswith(each))
    ]
    return next((meant[each] for each in (*close, *swapped, *longer)), None)


def _names_of_actuals(sides: PlanAndRecords) -> Found:
    """Segments and sources of the actuals that the plan does not have, by the money they carry."""
    if sides.actuals is None:
        return
    table, plan = sides.actuals.table, sides.plan
    for key, names in (("segment", plan.segments), ("source", plan.sources)):
        if len(names) == 1:
            continue
        money = ["new", "spend"] if key == "source" else ["new", "expansion", *LOSSES, "spend"]
        strange = table[~table[key].isin(list(names))]
        strange = strange[strange[money].ne(0.0).any(axis=1)]
        if strange.empty:
            continue
        whole, part = table[money].abs().sum(), strange[money].abs().sum()
        shares = (part / whole.where(whole > 0)).fillna(0.0)
        worst = str(shares.idxmax())
        text = (
            f"{len(strange):,} {'row is' if len(strange) == 1 else 'rows are'} of a {key} the plan does not name "
            f"({_counted(strange[key].value_counts())}), with {show(shares[worst], 'share')} of {worst}"
        )
        asked = _perhaps([(name, meant) for name in strange[key].unique()[:SHOWN] if (meant := near(name, names))])
        if shares[worst] > A_FEW_PER_CENT:
            meant = listed([shown(name) for name in list(names)[:SHOWN]])
            yield Fault(
                f"{sides.actuals.name}, {key}",
                f"{text}. {asked}Write the plan's names there ({meant}), or name it in the plan",
            )
        else:
            yield f"{sides.actuals.name}: {text}: counted in sums, and under none of the plan's."


def _stages_passed_by(sides: PlanAndRecords) -> Found:
    """Open records at a stage that their source does not pass in the plan."""
    if sides.records is None:
        return
    plan, items = sides.plan, sides.records.open_items
    cells = set(plan.cells)
    left: dict[str, float] = {}
    for (segment, source, stage), rows in items.groupby(["segment", "source", "stage"], observed=True):
        if segment not in plan.segments or source not in plan.sources:
            continue  # told by name
        if (segment, source) not in cells:
            name = f"{shown(segment)} x {shown(source)}, which has no share"
        elif plan.stage_ids.index(stage) < plan.stage_ids.index(plan.entry_stage(source)):
            titles = plan.titles
            name = f"{shown(source)} at {titles[stage]}, which enters at {titles[plan.entry_stage(source)]}"
        else:
            continue
        left[name] = left.get(name, 0.0) + float(rows["items"].sum())
    if left:
        count = sum(left.values())
        some = "; ".join(f"{name}: {number:,.0f}" for name, number in list(left.items())[:3])
        yield f"{count:,.0f} open {'record stands' if count == 1 else 'records stand'} where the plan has no place for them and count as 0 ({some})."


# --- money ----------------------------------------------------------------------------------------------------


def _currencies(sides: PlanAndRecords) -> Found:
    """Amounts of records or actuals in another currency than the plan's."""
    currency, plan = sides.plan.currency, sides.plan
    if sides.records is not None and plan.history and not may_be(sides.records.history.currency, currency):
        other = sides.records.history.currency
        code = codes_of(other)[0]
        rate = f"give the rate in the CRM file (currency: {code}, rates: {{{code}: ...}}, {currency} for one {code})"
        yield Fault(
            f"{plan.history.leads}, amount",
            f"the records' amounts are in {other} and the plan in {currency}, which would be added as they stand; {rate}, "
            f"or plan in {code}: currency: {code}",
        )
    if sides.actuals is None:
        return
    found = {sign: place for sign, place in sides.actuals.currencies.items() if not may_be(sign, currency)}
    for sign, place in list(found.items())[:3]:
        yield Fault(
            place,
            f"has amounts in {shown(sign)}, and the plan is in {currency}; convert them, all into {currency}, or give what one is worth: "
            f"actuals: {{path: {plan.actuals.path if plan.actuals else ''}, rates: {{{codes_of(sign)[0]}: ...}}}}",
        )


def _deal_sizes(sides: PlanAndRecords) -> Found:
    """Segments whose deal in the plan is many times that of the records, or a fraction of it."""
    if sides.records is None:
        return
    history, plan = sides.records.history, sides.plan
    spells = spells_of(history)
    deals = (spells.entered[:, -1] < NEVER) & (spells.amount > 0)
    names = in_plan(pd.DataFrame(spells.cells, columns=["segment", "source"]), plan)["segment"].to_numpy(dtype=object)
    for name, amounts in pd.Series(spells.amount[deals]).groupby(names[spells.cell[deals]]):
        if name not in plan.segments or len(amounts) < FEWEST_DEALS:
            continue
        stated, mean, median = plan.segments[name].acv.mean, float(amounts.mean()), float(amounts.median())
        off = max(stated / mean, mean / stated)
        text = f"a deal of {shown(name)} is {stated:,.0f} in the plan, and {mean:,.0f} on average in {len(amounts):,} won records"
        if off >= OTHER_UNIT and max(stated / median, median / stated) >= OTHER_UNIT:
            yield Fault(
                f"segments.{shown(name)}.acv",
                f"{text}: {off:,.0f} times apart; write both in {plan.currency} a year, in whole units. If the amount in the "
                "CRM is something else (a month's, thousands, a fee), take `amount` out of the CRM file",
            )
        elif off >= FAR_OFF:
            yield f"{text[0].upper()}{text[1:]}: which is right?"


def _scale_of_actuals(sides: PlanAndRecords) -> Found:
    """Actuals in another unit than the records' wins in the same months, or than the plan asks for."""
    if sides.actuals is None or sides.actuals.table.empty:
        return
    table, name = sides.actuals.table, sides.actuals.name
    by_month = table.groupby("month")[["new", "expansion", *LOSSES, "spend"]].sum()
    moved = by_month[["new", "expansion", *LOSSES]].sum(axis=1)
    if fault := _beside_records(sides, by_month["new"]) or _beside_plan(sides, moved):
        yield fault
        return
    usual = float(moved[moved > 0].median()) if (moved > 0).sum() >= FEWEST_DEALS else 0.0
    odd = moved[(moved > 0) & ((moved > ODD * usual) | (moved < usual / ODD))] if usual else moved[:0]
    for month, amount in list(odd.items())[:3]:
        yield f"{name}: {month} moves {amount:,.0f} ARR, and a usual month {usual:,.0f}: is it in another unit?"
    new, spend = float(by_month["new"].sum()), float(by_month["spend"].sum())
    if new > 0 and spend > 0 and not 1 / (2 * ODD) < spend / new < 2 * OTHER_UNIT:
        yield f"{name}: {spend:,.0f} spent for {new:,.0f} new ARR: are both in whole {sides.plan.currency}?"


def _beside_records(sides: PlanAndRecords, new: pd.Series) -> Fault | None:
    if sides.records is None or sides.actuals is None:
        return None
    history = sides.records.history
    wins = history.stage_history[history.stage_history["stage"] == history.stages[-1]]
    wins = wins.merge(history.records[["record", "amount"]], on="record").dropna(subset=["amount"])
    month = wins["entered_on"].dt.to_period("M")
    both = [each for each in new.index if each < pd.Period(history.as_of, freq="M") and new[each] > 0]
    there = wins[month.isin(both)]
    booked, won = float(new[both].sum()), float(there["amount"].sum())
    if len(there) < FEWEST_DEALS or won <= 0 or booked <= 0 or max(booked / won, won / booked) < OTHER_UNIT:
        return None
    return Fault(
        f"{sides.actuals.name}, new",
        f"books {booked:,.0f} new ARR in {len(both)} {'month' if len(both) == 1 else 'months'}, and the records won {won:,.0f} in the same; "
        f"write every amount in whole {sides.plan.currency}{_thousands(won / booked)}",
    )


def _beside_plan(sides: PlanAndRecords, moved: pd.Series) -> Fault | None:
    """A fault where what moved is a hundred times what the plan asks for in as many months, or a hundredth."""
    if sides.actuals is None:
        return None
    try:
        bridge = solve_bridge(sides.plan.goal)
    except BridgeError:
        return None
    terms = (bridge.new_arr, bridge.expansion, bridge.contraction, bridge.churn)
    asked = sum(term or 0.0 for term in terms)
    planned, booked = asked / MONTHS_PER_YEAR * len(moved), float(moved.sum())
    if planned <= 0 or booked <= 0 or max(planned / booked, booked / planned) < THOUSANDS:
        return None
    return Fault(
        sides.actuals.name,
        f"moves {booked:,.0f} ARR in {len(moved)} {'month' if len(moved) == 1 else 'months'} (new, expansion, contraction, churn), where the plan "
        f"asks for {planned:,.0f} in as many; write every amount in whole {sides.plan.currency}{_thousands(planned / booked)}",
    )


def _thousands(times: float) -> str:
    """That amounts stand in thousands, where that explains their size."""
    return " (is it in thousands?)" if 200 < times < 5000 else ""


def _cost_of_entries(sides: PlanAndRecords) -> Found:
    """Sources of which an entry costs more than the ARR it brings."""
    if sides.whole is None:
        return
    plan, titles = sides.whole, sides.whole.titles
    for name, source in plan.sources.items():
        cost, cells = source.cost_per_entry, [cell for cell in plan.cells if cell[1] == name]
        if not cost or not cells:
            continue
        try:
            yields = {cell: prod(step.rate for step in plan.path(*cell)) for cell in cells}
        except PlanError:
            continue  # told by the checks of the plan
        wanted = sum(plan.share(*cell) for cell in cells)
        entries = sum(plan.share(*cell) / (plan.segments[cell[0]].acv.mean * yields[cell]) for cell in cells)
        worth = wanted / entries  # ARR of an entry, in the mix that the plan asks for
        entry = titles[plan.entry_stage(name)]
        text = f"one {entry} of {shown(name)} costs {cost:,.10g} {plan.currency} and brings {worth:,.0f} new ARR on average"
        if cost > OTHER_UNIT * worth:
            yield Fault(
                f"sources.{shown(name)}.cost_per_entry",
                f"{text}; write what one {entry} costs, not what all {plural(entry)} cost, in whole {plan.currency}",
            )
        elif cost > worth:
            yield f"{text[0].upper()}{text[1:]}, less than it costs: is the cost per entry right?"
        elif cost < worth / (ODD * OTHER_UNIT):
            yield f"{text[0].upper()}{text[1:]}: is the cost per entry in whole {plan.currency}?"


def _shares_of_more_than_a_year(sides: PlanAndRecords) -> Found:
    """Shares that would be believed of a percentage written without its sign."""
    goal, plan = sides.plan.goal, sides.plan
    for name, term in (("churn", goal.churn), ("contraction", goal.contraction), ("expansion", goal.expansion)):
        if term == "solve" or term.periods is None:
            continue
        rate, per_year = term.periods
        lost = 1 - (1 - rate) ** per_year if name != "expansion" else (1 + rate) ** per_year - 1
        if lost > 0.5:
            yield f"goal.{name}: {rate:g} is {show(lost, 'share')} of ARR within a year; write {rate / 100:g} if {rate:g} % is meant."
    if goal.next_year_growth is not None and goal.next_year_growth >= 1:
        growth = goal.next_year_growth
        yield f"goal.next_year_growth: {growth:g} is {show(growth, 'share')} growth; write {growth / 100:g} if {growth:g} % is meant."
    for name in ("lag_cv", "volume_cv"):
        stray = getattr(plan.uncertainty, name)
        if stray >= 1:
            yield f"uncertainty.{name}: {stray:g} is {show(stray, 'share')}; write {stray / 100:g} if {stray:g} % is meant."


def _of_actuals_alone(sides: PlanAndRecords) -> Found:
    if sides.actuals is not None:
        yield from sides.actuals.doubts


CHECKS: tuple[Callable[[PlanAndRecords], Found], ...] = (
    _after_today,
    _silence,
    _names_of_records,
    _names_of_actuals,
    _thin_rates,
    _currencies,
    _deal_sizes,
    _scale_of_actuals,
    _cost_of_entries,
    _of_actuals_alone,
    _late_records,
    _stages_passed_by,
    _shares_of_more_than_a_year,
)
