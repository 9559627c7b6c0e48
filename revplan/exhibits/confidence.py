"""The exhibits of how sure a plan is: the commit at every confidence, what decides, what a commit leaves open."""

from __future__ import annotations

from functools import partial

from revplan.exhibits import charts
from revplan.exhibits.exhibit import Exhibit, chart, table, text
from revplan.exhibits.figures import OF_EXPECTED, Figure, of_year, year_cells
from revplan.ground.formats import compact, kinds_of, plural, show
from revplan.plan.stages import titles_of
from revplan.simulation import tables
from revplan.simulation.signing import sentence
from revplan.workbook.workbook import Workbook

MOST_DRIVERS = 8


def sure(book: Workbook) -> Exhibit:
    """How often the year reaches its goal, over the figures of its distribution."""
    found, currency = book.simulation.outcome, book.plan.currency
    if not book.simulation.view.goal > 0:
        return text("The year asks for no new ARR, so it is reached.")
    facts = {
        "Chance of the goal": show(found.chance_of_goal.value, "share"),
        "One year in ten brings less than": compact(found.p10.value, currency),
        "Every second year brings more than": compact(found.p50.value, currency),
        "One year in ten brings more than": compact(found.p90.value, currency),
        "Missed of the goal, in expectation": compact(found.expected_shortfall.value, currency),
    }
    notes = [
        f"{book.simulation.trials:,} years are simulated, and the same plan gives the same numbers; rates vary as far as the "
        "records behind them leave open, and together."
    ]
    of = partial(of_year, book.plan)
    stated = [of("chance", found.chance_of_goal.value, OF_EXPECTED), of("landing_low", found.p10.value, OF_EXPECTED)]
    return text(sentence(book.to_sign), facts, notes=notes).sharing(
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


def commit_curve(book: Workbook) -> Exhibit:
    """Entries at the commit stage against the chance of the goal."""
    simulation, stage = book.simulation, book.plan.commit_stage
    if not simulation.view.goal > 0:
        return text("There is nothing to sign to be sure of.")
    points = tables.commit_curve_table(simulation)
    entries = _commit(book)
    drawn = points.dropna(subset=["scale"])
    if not entries:
        return text(
            f"The commit asks for no new {plural(titles_of(book.plan.stages)[stage])}, so there is no curve of them."
        )
    if drawn.empty:
        return text(f"No volume of entries gives a chance of {show(points['confidence'].min(), 'share')} of the goal.")
    frame = drawn.assign(entries=drawn["scale"] * entries)
    kinds = {**kinds_of("commit_curve"), "entries": "commitment"}
    now = simulation.outcome.chance_of_goal.value
    wanted, scale = book.to_sign.confidence, book.to_sign.scale
    marked = {"the expected commit": (now, entries)}
    if scale is not None:
        marked[f"to sign at {show(wanted, 'share')}"] = (wanted, scale * entries)
    title = titles_of(book.plan.stages)[book.plan.commit_stage]
    rows = [{"stage": stage, "confidence": show(each, "share")} for each in frame["confidence"]]
    made = chart(charts.commit_curve(frame, title, marked), frame, kinds)
    return made.sharing(*_for_confidence(book), cells=year_cells(book.plan, rows, {"entries": "commit_for"}))


def tornado(book: Workbook) -> Exhibit:
    """What decides: each driver at its own P10 and P90."""
    frame = tables.tornado_table(book.simulation)
    frame = frame[(frame["arr_high"] - frame["arr_low"]).abs() > 0].head(MOST_DRIVERS)
    if frame.empty:
        return text("Nothing in this plan is uncertain: it states no evidence, so its rates are taken as certain.")
    middle, currency = book.simulation.outcome.p50.value, book.plan.currency
    return chart(charts.tornado(frame, middle, currency), frame, kinds_of("tornado"))


def left_uncertain(book: Workbook) -> Exhibit:
    """What a commit at each stage, hit exactly, leaves uncertain."""
    if not book.simulation.view.goal > 0:
        return text("There is nothing to sign to compare.")
    titles, currency = titles_of(book.plan.stages), book.plan.currency
    frame = tables.commit_given_table(book.simulation)
    row = frame.set_index("stage").loc[book.plan.commit_stage]
    message = (
        f"A commit at {titles[book.plan.commit_stage]}, hit exactly, leaves {show(row['variance_left'], 'share')} of the "
        f"year's uncertainty: between {compact(row['arr_low'], currency)} and {compact(row['arr_high'], currency)}."
    )
    labels = {
        "stage": "Commit at",
        "commit": "Expected commit",
        "signed": f"To sign at {show(book.simulation.confidence, 'share')}",
        "arr_low": f"P10 if hit ({currency})",
        "arr_high": f"P90 if hit ({currency})",
        "arr_sd": "Spread (standard deviation)",
        "variance_left": "Uncertainty left",
    }
    made = table(
        frame.assign(stage=[titles[stage] for stage in frame["stage"]]),
        kinds_of("commit_given"),
        message,
        labels=labels,
    )
    rows = [{"stage": stage} for stage in frame["stage"]]
    wanted = {"measure": "commit_for", "confidence": show(book.simulation.confidence, "share")}
    return made.sharing(cells=year_cells(book.plan, rows, {"commit": "stage_commit", "signed": wanted}))
