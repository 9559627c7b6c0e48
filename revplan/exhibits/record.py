"""The exhibits of the plan of record: what was signed, and what changed between two plans."""

from __future__ import annotations

import pandas as pd

from revplan.exhibits.exhibit import Exhibit, table_of, text
from revplan.ground.escaping import clean
from revplan.ground.formats import compact, counted, listed, plural, raised, show
from revplan.ground.tables import empty
from revplan.record.difference import FIGURES, Difference, Figures
from revplan.record.packs import FOLDER, KeptPack, Pack, packs_of
from revplan.record.signed import CONTENTS, Record
from revplan.record.summary import signed_lines
from revplan.tracking.why import CELL, SAME, in_points, mix_and_rate, planned_conversions, split_of, split_words
from revplan.workbook.workbook import Workbook

NAMED = 0.05  # records from which the error of the simulation is worth a line


def signed(record: Record, book: Workbook) -> Exhibit:
    """Who signed what, and where it lies."""
    done = "is signed already, and nothing was changed" if record.signed_before else "is signed"
    by, day = listed(record.signature.by), show(record.signature.on, "date")
    proof = f"Content hash {record.content_hash} (of {CONTENTS})"
    lines = [*signed_lines(record.signature, book), proof, f"Folder {record.folder}"]
    return text(f"{record.name} {done}: {by}, {day}.", notes=lines)


def packs(found: list[KeptPack], plan_file: str) -> Exhibit:
    """The packs that were shown of a plan, a line each: when, where the year was seen to land, how sure, what was asked."""
    mine = [each.pack for each in packs_of(found, plan_file)]
    others = sorted({each.pack.plan_file for each in found} - {plan_file})
    notes = [f"Packs of other plans lie in {FOLDER} too: {', '.join(map(clean, others))}."] if others else []
    if not mine:
        told = "No pack of this plan is kept; add --keep to `revplan report board_report` for the one that is shown."
        return text(told, notes=notes)
    last = mine[-1]
    rows = [
        {
            "shown_on": pd.Timestamp(each.shown_on),
            "report": each.report,
            "period": ", ".join(filter(None, [each.label, each.segment])),
            "as_of": pd.Timestamp(each.as_of),
            "landing": landing_words(each),
            "chance": each.told("chance"),
            "commit": each.told("commit"),
            "asked": _asked(each),
        }
        for each in mine
    ]
    said = f"{counted(len(mine), 'pack')} {'was' if len(mine) == 1 else 'were'} shown; the last one, of {last.label}, on {show(last.shown_on, 'date')}."
    frame = pd.DataFrame(rows).astype({"chance": float, "commit": float})
    return table_of("packs", frame, said, notes=notes)


def landing_words(pack: Pack) -> str:
    """Where the year was seen to land, and the band; empty where the pack does not tell it."""
    landing, low, high = (pack.told(name) for name in ("landing", "landing_low", "landing_high"))
    if landing is None:
        return ""
    band = "" if low is None or high is None else f" ({compact(low, pack.currency)} to {compact(high, pack.currency)})"
    return f"{compact(landing, pack.currency)}{band}"


def _asked(pack: Pack) -> str:
    """The first ask, and how many others there were."""
    if not pack.asks:
        return "nothing"
    more = f"; and {counted(len(pack.asks) - 1, 'other')}" if len(pack.asks) > 1 else ""
    return f"{raised(clean(pack.asks[0].owner))}: {clean(pack.asks[0].ask)}{more}"


def changes(found: Difference) -> Exhibit:
    """Every change between two plans with what it does alone, then what all do together."""
    if not found.changes:
        return text("Nothing changed.", notes=found.notes)
    moving = [each for each in found.changes if not each.does_nothing]
    said = f"{found.a.plan.name} to {found.b.plan.name}: {counted(len(found.changes), 'change')}"
    if not moving:
        return text(f"{said}, none of which moves a number.", notes=_changes_notes(found))
    rows: list[tuple[str, Figures]] = [(each.what, each.effect or {}) for each in moving]
    sums = [("All together", found.together)]
    if len(moving) > 1 and any(found.interaction.values()):
        sums.append(("Of that by acting on each other", found.interaction))
    frame = pd.DataFrame([{"what": what, **effect} for what, effect in (*rows, *sums)], columns=["what", *FIGURES])
    frame = frame.astype(dict.fromkeys(FIGURES, float))
    plan, titles = found.a.plan, found.a.plan.titles
    same = ["commit"] if plan.commit_stage == plan.stage_ids[0] else []
    still = [name for name in FIGURES if frame[name].eq(0).all()]
    return table_of(
        "changes",
        frame.drop(columns=dict.fromkeys([*same, *still])),
        f"{said}.",
        totals=len(sums),
        notes=_changes_notes(found),
        first=plural(titles[plan.stage_ids[0]]),
        commit=plural(titles[plan.commit_stage]),
        currency=plan.currency,
    )


def planned_mix_and_rate(found: Difference) -> pd.DataFrame:
    """Table mix_and_rate of the two plans, from the commit stage of the first to won; empty where the other lacks it."""
    stage, later = found.a.plan.commit_stage, found.b.plan
    if stage not in later.stage_ids[:-1]:
        return empty("mix_and_rate")
    return mix_and_rate(*(planned_conversions(side.book.year, stage) for side in (found.a, found.b)))


def planned_conversion(found: Difference) -> Exhibit | None:
    """What other rates and another mix of segments and sources change of the planned conversion; None where it stays."""
    table = planned_mix_and_rate(found)
    split = split_of(table)
    if table.empty or (abs(split.change) <= SAME and not (table["rate"].abs() > SAME).any()):
        return None
    frame = table[[*CELL, "entries_before", "entries_after", "rate_before", "rate_after"]].assign(
        by_rate=in_points(float(table["rate"].sum()), *table["rate"])[1:],
        by_mix=in_points(float(table["mix"].sum()), *table["mix"])[1:],
    )
    points = {"by_rate": ("By rates (points)", "figure"), "by_mix": ("By the mix (points)", "figure")}
    return table_of("mix_and_rate", frame, split_words(split, planned_step(found)), more=points)


def planned_step(found: Difference) -> str:
    """What a reader calls the step of `planned_conversion`."""
    titles = found.a.plan.titles
    return f"{titles[found.a.plan.commit_stage]} to {titles[found.a.plan.stage_ids[-1]]} as planned"


def _changes_notes(found: Difference) -> list[str]:
    notes = []
    if any(each.effect is None or None in each.effect.values() for each in found.changes):
        notes.append("–: the change cannot stand alone, or one of the plans has no such number.")
    if still := [each.what for each in found.changes if each.does_nothing]:
        notes += ["Without effect on the numbers:", *still]
    if found.error >= NAMED and any(each.effect and each.effect["signed"] for each in found.changes):
        notes.append(f"Numbers to sign come from a simulation: ±{show(found.error, 'count')} each.")
    return [*notes, *found.notes]
