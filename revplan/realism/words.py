"""What the history says of a plan's assumptions, in sentences that texts and exhibits share."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from revplan.errors import shown
from revplan.formats import compact, counted, first_largest, plural, show, steady_order
from revplan.known import Records
from revplan.model.simulate import Simulation
from revplan.model.year import PlannedYear
from revplan.plan.model import Plan
from revplan.plan.stages import titles_of
from revplan.realism.answer import ASSUMED, Realism
from revplan.realism.rows import stretches

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
    stage = titles_of(plan.stages)[plan.commit_stage]
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
    entry = titles_of(year.plan.stages)[year.plan.entry_stage(most.source)]
    return (
        f"{shown(stated.owner)} brings {counted(most.asked, entry, kind='commitment')} a month from {shown(most.source)}, from "
        f"{show(most.since, 'month')} on; reached in {most.met} of the last {len(most.months)} months."
    )


def chance_words(chance: float) -> str:
    """A chance in words that stay readable when it is tiny."""
    if chance >= SMALL:
        return show(round(chance, 4), "share")
    return f"1 in {compact(1 / chance)}" if chance > 1e-6 else "less than one in a million"
