"""The exhibits of how sure a plan is: the commit at every confidence, what decides, what a commit leaves open."""

from __future__ import annotations

from functools import partial

import pandas as pd

from revplan.exhibits import charts
from revplan.exhibits.exhibit import Exhibit, chart, table_of, text
from revplan.exhibits.figures import OF_EXPECTED, Figure, of_year, year_cells
from revplan.ground.formats import compact, kinds_of, plural, raised, show
from revplan.simulation.simulate import Simulation
from revplan.workbook import simulated as tables
from revplan.workbook.signing import decides_words, in_parts, parts_words, reaching_words, simulation_notes
from revplan.workbook.workbook import Workbook

MOST_DRIVERS = 8


def sure(book: Workbook) -> Exhibit:
    """How often the year reaches its goal, over the figures of its distribution."""
    found, currency, goal = book.simulation.outcome, book.plan.currency, book.simulation.view.goal
    if not goal > 0:
        return text("The year asks for no new ARR, so it is reached.")
    parts = in_parts(book.to_sign)
    said = parts or f"The goal is {compact(goal, currency)}; how much the simulated years of the expected commit bring:"
    facts = {
        "Chance of the goal": show(found.chance_of_goal.value, "share"),
        "One year in ten brings less than": compact(found.p10.value, currency),
        "Every second year brings more than": compact(found.p50.value, currency),
        "One year in ten brings more than": compact(found.p90.value, currency),
        "Missed of the goal, in expectation": compact(found.expected_shortfall.value, currency),
    }
    notes = [
        f"{book.simulation.trials:,} years are simulated, and the same plan gives the same numbers; rates vary as far as the "
        "records behind them leave open, and together.",
        *([parts_words(book.to_sign)] if parts else []),
    ]
    of = partial(of_year, book.plan)
    stated = [of("chance", found.chance_of_goal.value, OF_EXPECTED), of("landing_low", found.p10.value, OF_EXPECTED)]
    return text(said, facts, notes=notes).sharing(
        *stated, of("landing_high", found.p90.value, OF_EXPECTED), of("commit", _commit(book)), *_for_confidence(book)
    )


def _commit(book: Workbook) -> float:
    """Entries of the expected commit at its stage within the year. [records]"""
    return book.to_sign.expected[book.to_sign.stage]


def _for_confidence(book: Workbook) -> list[Figure]:
    """The commit for the plan's confidence; none where no volume gives it."""
    asked = book.to_sign
    told = {"stage": asked.stage, "confidence": show(asked.confidence, "share")}
    return [] if asked.scale is None else [of_year(book.plan, "commit_for", asked.scale * _commit(book), **told)]


def limits(book: Workbook) -> Exhibit:
    """What a reader must know beside the simulated numbers."""
    first, *others = [*simulation_notes(book.simulation)] or ["Nothing limits what the numbers say."]
    return text(first, notes=others)


def commit_curve(book: Workbook) -> Exhibit:
    """Entries at the commit stage against the chance of the goal."""
    simulation, stage = book.simulation, book.plan.commit_stage
    if not simulation.view.goal > 0:
        return text("There is nothing to sign to be sure of.")
    points = tables.commit_curve_table(simulation)
    entries = _commit(book)
    drawn = points.dropna(subset=["scale"])
    title = book.plan.titles[stage]
    if not entries:
        return text(f"The commit asks for no new {plural(title)}, so there is no curve of them.")
    if drawn.empty:
        return text(f"{raised(reaching_words(None, title, points['confidence'].min()))}.")
    frame = drawn.assign(entries=drawn["scale"] * entries)
    kinds = {**kinds_of("commit_curve"), "entries": "commitment"}
    now = simulation.outcome.chance_of_goal.value
    wanted, scale = book.to_sign.confidence, book.to_sign.scale
    marked = {"the expected commit": (now, entries)}
    if scale is not None:
        marked[f"to sign at {show(wanted, 'share')}"] = (wanted, scale * entries)
    rows = [{"stage": stage, "confidence": show(each, "share")} for each in frame["confidence"]]
    made = chart(charts.commit_curve(frame, title, marked), frame, kinds)
    return made.sharing(*_for_confidence(book), cells=year_cells(book.plan, rows, {"entries": "commit_for"}))


def curve_in_stages(book: Workbook) -> Exhibit:
    """Entries of every stage that each confidence asks for, and what they cost."""
    drawn = commit_curve(book)
    if drawn.kind != "chart":
        return drawn
    curve = tables.commit_curve_table(book.simulation).drop(columns="scale_error")
    stages = tables.commit_curve_stages_table(book.simulation).pivot(
        index="confidence", columns="stage", values="entries"
    )
    for place, stage in enumerate(book.plan.stages, start=2):
        curve.insert(place, stage.id, stages[stage.id].to_numpy())
    more = {stage.id: (stage.title, "commitment") for stage in book.plan.stages}
    return table_of("commit_curve", curve, drawn.said, more=more, currency=book.plan.currency)


def goal_seek(book: Workbook) -> Exhibit:
    """What entries, deal size or win rate would have to be, each alone, for the plan's confidence."""
    found, sure = book.simulation.goal_seek, show(book.simulation.confidence, "share")
    if not found:
        return text("The year asks for no new ARR, so nothing has to be more than it is.")
    rows, said = [], []
    for each in found:
        name, kind, phrase = SOUGHT[each.driver]
        planned = show(round(each.planned, 4), kind)
        needed = "no value does" if each.needed is None else show(round(each.needed, 4), kind)
        rows.append((name, planned, needed))
        if each.needed is not None:
            said.append(phrase.format(compact(each.needed, book.plan.currency) if kind == "money" else needed))
    message = f"For {sure}, each alone: {'; or '.join(said)}." if said else f"No one of them alone gives {sure}."
    frame = pd.DataFrame(rows, columns=list(kinds_of("goal_seek_shown")))
    return table_of("goal_seek_shown", frame, message, confidence=sure)


SOUGHT = {
    "volume": ("entries, times the expected commit", "ratio", "{} times the entries of the expected commit"),
    "acv": ("mean value of a new deal", "money", "new deals worth {} on average"),
    "win rate": ("win rate", "share", "a win rate of {}"),
}
"""What each driver of a goal seek is called, the kind of its values, and what a sentence says of one."""


def tornado(book: Workbook) -> Exhibit:
    """What decides: each driver at its own P10 and P90."""
    frame, said = deciding(book.simulation), decides_words(book.simulation.tornado, book.plan.currency)
    if frame.empty:
        return text(said)
    middle, currency = book.simulation.outcome.p50.value, book.plan.currency
    return chart(charts.tornado(frame, said, middle, currency), frame, kinds_of("tornado"))


def deciding(simulation: Simulation) -> pd.DataFrame:
    """Table tornado: the drivers that move the year, those that move it most."""
    frame = tables.tornado_table(simulation)
    return frame[(frame["arr_high"] - frame["arr_low"]).abs() > 0].head(MOST_DRIVERS)


def left_uncertain(book: Workbook) -> Exhibit:
    """What a commit at each stage, hit exactly, leaves uncertain."""
    if not book.simulation.view.goal > 0:
        return text("There is nothing to sign to compare.")
    titles, currency = book.plan.titles, book.plan.currency
    frame = tables.commit_given_table(book.simulation)
    row = frame.set_index("stage").loc[book.plan.commit_stage]
    message = (
        f"A commit at {titles[book.plan.commit_stage]}, hit exactly, leaves {show(row['variance_left'], 'share')} of the "
        f"year's uncertainty: between {compact(row['arr_low'], currency)} and {compact(row['arr_high'], currency)}."
    )
    sure = show(book.simulation.confidence, "share")
    named = frame.assign(stage=[titles[stage] for stage in frame["stage"]])
    made = table_of("commit_given", named, message, confidence=sure, currency=currency)
    rows = [{"stage": stage} for stage in frame["stage"]]
    wanted = {"measure": "commit_for", "confidence": sure}
    return made.sharing(cells=year_cells(book.plan, rows, {"commit": "stage_commit", "signed": wanted}))
