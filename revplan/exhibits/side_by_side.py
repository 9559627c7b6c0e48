"""The exhibits of scenarios side by side: what each does to the commit in money, and what it would take in units."""

from __future__ import annotations

import pandas as pd

from revplan.exhibits.chart import ATTENTION, PLAN, drawn
from revplan.exhibits.exhibit import Exhibit, chart, table_of, text
from revplan.exhibits.figures import OF_EXPECTED, FigureCells, of_year, year_cells
from revplan.exhibits.fit import fitting
from revplan.funnel.year import SETTLED
from revplan.ground.errors import shown
from revplan.ground.formats import commitment, compact, counted, first_largest, kinds_of, plural, show
from revplan.workbook import simulated as tables
from revplan.workbook.idle import scenario_notes
from revplan.workbook.workbook import Workbook

MOST_DRAWN = 30
NONE_NAMED = "The plan names no scenarios, so there is nothing to lay beside it; name some under `scenarios`."


def ranges(book: Workbook) -> Exhibit:
    """P10, P50 and P90 of each scenario's year against its goal, the base plan first."""
    if len(book.scenarios) < 2:
        return text(NONE_NAMED)
    every = tables.scenarios_table(book.scenarios)
    frame, notes = every.head(MOST_DRAWN + 1), []
    if len(every) > len(frame):
        left = counted(len(every) - len(frame), "further scenario is", "further scenarios are")
        notes.append(f"{left} in the table only.")
    currency, said = book.plan.currency, conclusion(every, book.plan.currency)
    parts = (("arr", "P50, P10 to P90", PLAN, "dots"), ("goal", "goal", ATTENTION, "dashes"))
    named = frame.rename(columns={"arr_mid": "arr"})
    described = drawn(said, named, "scenario", *parts, form="bars", kind="money", currency=currency)
    made = chart(described, frame, kinds_of("scenarios"), notes=notes)
    return made.sharing(cells=_cells(book, frame))


OF_SCENARIO = {
    "goal": {"measure": "goal"},
    "mean": {"measure": "simulated_mean"},
    "arr_low": {"measure": "landing_low", "basis": OF_EXPECTED},
    "arr_high": {"measure": "landing_high", "basis": OF_EXPECTED},
    "chance_of_goal": {"measure": "chance", "basis": OF_EXPECTED},
}


def _cells(book: Workbook, frame: pd.DataFrame) -> FigureCells:
    """What a table of scenarios holds; the base plan's figures are those of the plan."""
    rows = [{} if at == 0 else {"scenario": str(name)} for at, name in enumerate(frame["scenario"])]
    return year_cells(book.plan, rows, OF_SCENARIO)


def conclusion(frame: pd.DataFrame, currency: str) -> str:
    """What the scenarios come to in one sentence: the chance of the base plan, the worst one and the best one."""
    base, others = frame.iloc[0], frame.iloc[1:]
    chances = others["chance_of_goal"].round(3)
    worst, best = others.iloc[first_largest(-chances)], others.iloc[first_largest(chances)]
    start = f"The expected commit reaches its goal with a chance of {show(round(base['chance_of_goal'], 3), 'share')}"
    if len(others) == 1:
        return f"{start}; {_case(worst, currency)}."
    if chances.min() == chances.max():
        return f"{start}; {show(chances.min(), 'share')} in each of the {len(others)} scenarios."
    return f"{start}; at worst {_case(worst, currency)}, at best {_case(best, currency)}."


def _case(row: pd.Series, currency: str) -> str:
    change, more = row["mean_difference"], "more" if row["mean_difference"] >= 0 else "less"
    moves = abs(change) > SETTLED * row["goal"]
    expected = f"{compact(abs(change), currency)} {more} on average" if moves else "as much on average"
    return (
        f"{show(round(row['chance_of_goal'], 3), 'share')} in the scenario {fitting(row['scenario'], 40)} ({expected})"
    )


def in_money(book: Workbook) -> Exhibit:
    """Each scenario's year in money, with its difference to the base plan."""
    if len(book.scenarios) < 2:
        return text(NONE_NAMED)
    frame, currency = tables.scenarios_table(book.scenarios), book.plan.currency
    rounded = frame.assign(chance_of_goal=frame["chance_of_goal"].round(3))
    notes = [
        "Mean, P10 to P90 and chance keep the base plan's entries; spend is what a plan made for the scenario costs. The mean of "
        "the simulated years is not the plan's expectation: rates, lags and volumes vary in it.",
        *scenario_notes(book.scenarios),
    ]
    shown_columns = rounded.drop(columns=["gap", "scale"])
    made = table_of("scenarios", shown_columns, conclusion(frame, currency), notes=notes, currency=currency)
    return made.sharing(cells=_cells(book, frame))


def in_units(book: Workbook) -> Exhibit:
    """Entries of every stage that each scenario's own commit asks for, and the difference to the base plan."""
    if len(book.scenarios) < 2:
        return text(NONE_NAMED)
    rows, stages = tables.scenario_stages_table(book.scenarios), book.plan.stages
    order = [each.name for each in book.scenarios]
    needed = rows.pivot(index="scenario", columns="stage", values="needed").loc[order].map(commitment).astype(float)
    asked = needed[book.plan.commit_stage].to_numpy()
    frame = needed[[each.id for each in stages]].reset_index().assign(change=asked - asked[0])
    titles = book.plan.titles
    title = titles[book.plan.commit_stage]
    more = {stage: (name, "commitment") for stage, name in titles.items()} | {"change": (f"{title}, to base", "number")}
    made = table_of("scenario_stages", frame, _units_message(frame.iloc[1:], title), more=more)
    scenarios = [{} if at == 0 else {"scenario": str(name)} for at, name in enumerate(frame["scenario"])]
    columns = {each.id: {"measure": "stage_commit", "stage": each.id} for each in stages}
    return made.sharing(of_year(book.plan, "commit", asked[0]), cells=year_cells(book.plan, scenarios, columns))


def _units_message(others: pd.DataFrame, title: str) -> str:
    size = others["change"].abs()
    most = others.iloc[first_largest(size)]
    if not most["change"]:
        return f"No scenario, replanned, asks for another number of {plural(title)}."
    more = "more" if most["change"] > 0 else "fewer"
    largest = ": the largest change" if len(others) > 1 and (size == size.max()).sum() == 1 else ""
    asks = counted(abs(most["change"]), f"{more} {title}", f"{more} {plural(title)}")
    return f"Replanned, {shown(most['scenario'])} asks for {asks} than the base plan{largest}."
