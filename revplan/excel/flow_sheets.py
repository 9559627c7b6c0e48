"""Targets by cell and month, and the entries they trace back to.

The commit, and what it brings: entries of every stage by month.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from revplan.excel.address import across, cell, down, fixed
from revplan.excel.goal_sheets import source_share
from revplan.excel.grid import (
    COMMIT,
    FORWARD,
    FROM_ENTRY,
    RATES,
    REQUIRED,
    REQUIRED_NEXT,
    TARGETS,
    TO_WON,
    Grid,
    StageRow,
)
from revplan.excel.rate_sheets import NAME_HEADS, RATE_COL, from_entry_blocks, names, to_won_blocks
from revplan.excel.rate_sheets import TOP as DELAYS_TOP
from revplan.excel.writer import COUNT, ENTRIES, MONEY, RATE, SHARE, WHOLE, BookWriter, Rule, Sheet
from revplan.funnel.funnel import HORIZON, YEAR
from revplan.ground.formats import commitment

RATES_TOP = DELAYS_TOP
TARGET_TOP = 5  # first row of cells on the sheets that have one row per cell
SHARE_COL, ACV_COL, ARR_COL = 3, 4, 5
WINS_COL = ARR_COL + HORIZON + 1
WINS_YEAR_COL = WINS_COL + HORIZON


def cell_names(sheet: Sheet, row: int, at: int) -> None:
    """The columns that name the row of a cell: segment, source, number of the source."""
    cell_of = sheet.writer.grid.cells[at]
    sheet.text(row, 0, cell_of.segment)
    sheet.text(row, 1, cell_of.source)
    sheet.number(row, 2, sheet.writer.grid.source_number(cell_of), look="grey")


def write_targets(writer: BookWriter) -> None:
    """New ARR asked of each cell by month, and the wins that make it."""
    grid = writer.grid
    year = grid.year
    about = "New ARR x phasing x shares; wins = ARR / ACV. The following year has the same phasing and shares."
    sheet = Sheet(writer, TARGETS, "Targets by cell and month", [about])
    months = [grid.month(number) for number in range(HORIZON)]
    sheet.text(TARGET_TOP - 2, ARR_COL, f"New ARR ({grid.plan.currency})", "strong")
    sheet.text(TARGET_TOP - 2, WINS_COL, "Wins", "strong")
    sheet.heads(TARGET_TOP - 1, ["Segment", "Source", "No.", "Share", "ACV", *months], words=2)
    sheet.heads(TARGET_TOP - 1, [*months, "Wins of the year", "Wins of the next"], WINS_COL)
    for at in range(len(grid.cells)):
        _target_row(sheet, at)
    column_sums(sheet, TARGET_TOP, len(grid.cells), ARR_COL, year.targets.sum(axis=0), MONEY)
    first, last = TARGET_TOP, TARGET_TOP + len(grid.cells) - 1
    asked = f"SUM('{TARGETS}'!{cell(first, ARR_COL)}:{cell(last, ARR_COL + YEAR - 1)})"
    given, value = writer.cells["new_arr"][0], year.bridge.new_arr
    writer.check("The cells' targets of the year add up to new ARR", (asked, given), value, 1e-5 * max(value, 1))
    sheet.widths(16, 16, 5, 9, 11, 11)
    sheet.freeze(TARGET_TOP, 2)


def _target_row(sheet: Sheet, at: int) -> None:
    """Share, deal, new ARR by month and the wins that make it, of one cell."""
    writer, row = sheet.writer, TARGET_TOP + at
    cell_of, targets = writer.grid.cells[at], writer.grid.year.targets[at]
    wins = targets / cell_of.acv
    cell_names(sheet, row, at)
    part, size = writer.at("segments", cell_of.segment, "share"), writer.at("segments", cell_of.segment, "acv")
    shares = f"{part}*{source_share(writer, cell_of.source, cell_of.segment)}"
    sheet.formula(row, SHARE_COL, shares, cell_of.share, SHARE)
    sheet.formula(row, ACV_COL, size, cell_of.acv, MONEY)
    for month in range(HORIZON):
        asked = writer.cells["new_arr" if month < YEAR else "next_year_new_arr"][0]
        formula = f"{asked}*{writer.at('goal', 'phasing', month % YEAR)}*{fixed(row, SHARE_COL)}"
        sheet.formula(row, ARR_COL + month, formula, targets[month], MONEY)
        worth = f"{cell(row, ARR_COL + month)}/{fixed(row, ACV_COL)}"
        sheet.formula(row, WINS_COL + month, worth, wins[month], COUNT)
    for col, begin in ((WINS_YEAR_COL, 0), (WINS_YEAR_COL + 1, YEAR)):
        months = across(row, WINS_COL + begin, WINS_COL + begin + YEAR - 1)
        sheet.formula(row, col, f"SUM({months})", float(wins[begin : begin + YEAR].sum()), COUNT, "strong")


def column_sums(sheet: Sheet, top: int, rows: int, first: int, values: Iterable[float], kind: str) -> None:
    """Sums below the rows, of the columns from `first` on."""
    sheet.text(top + rows, 0, "Sum", "total")
    for col, value in enumerate(values, first):
        sheet.formula(top + rows, col, f"SUM({cell(top, col)}:{cell(top + rows - 1, col)})", value, kind, "total")


# --- required ------------------------------------------------------------------------------------------------

TO_WON_COL, TOTAL_COL, SUM_COL, PAST_COL, ENTRY_COL, EXITS_COL, MONTH_COL = 4, 5, 6, 7, 8, 9, 10


def required_top(grid: Grid) -> int:
    """First row of cells on the sheets of required entries: the stages' sums stand above."""
    return 8 + len(grid.plan.stage_ids)


def write_required(writer: BookWriter, next_year: bool) -> None:
    """Entries traced back from the wins of this year, or of the next."""
    grid, year = writer.grid, writer.grid.year
    served = "next year's" if next_year else "this year's"
    about = (
        f"Entries that serve {served} wins: each month's wins are traced back to the months their delays point at.",
        "By stage first, then by segment, source and stage. 'Before' is what lies before the plan date.",
    )
    sheet = Sheet(writer, REQUIRED_NEXT if next_year else REQUIRED, f"Required for {served} wins", about)
    top, months = required_top(grid), range(-grid.reach, HORIZON)
    heads = ["Rate to won", "Entries needed", "Sum of months", "Before", "Source", "Exits"]
    sheet.text(4, 0, "Share of the month before the plan date", "grey")
    for month in months:
        past = float(year.past_share(np.array([month]))[0])
        sheet.number(4, _month_col(grid, month), past, SHARE, "grey")
    sheet.heads(top - 1, [*NAME_HEADS, *heads, *(grid.month(month) for month in months)], words=3)
    for place, row in enumerate(grid.rows):
        names(sheet, top + place, row)
        _required_row(sheet, top + place, row, next_year)
    _stage_sums(sheet, top, next_year)
    _required_checks(sheet, top, served)
    sheet.widths(16, 16, 14, 5, 10, 11, 11, 10, 7, 10, 9)
    if next_year:
        sheet.print_only(top - 1)
    sheet.freeze(top, 3)


def _month_col(grid: Grid, month: int) -> int:
    return MONTH_COL + grid.reach + month


def _required_row(sheet: Sheet, at: int, row: StageRow, next_year: bool) -> None:
    grid = sheet.writer.grid
    cell_of = grid.cells[row.cell]
    start, stages = grid.required(row.cell, next_year)
    values = stages[row.stage]
    total, won = float(values.sum()), grid.is_won(row)
    rate = fixed(RATES_TOP + grid.place(row.cell, row.stage), RATE_COL, RATES)
    to_won = f"{rate}*{cell(at + 1, TO_WON_COL)}"
    sheet.formula(at, TO_WON_COL, "1" if won else to_won, float(cell_of.rates_to_won[row.stage]), RATE)
    wins = fixed(TARGET_TOP + row.cell, WINS_YEAR_COL + int(next_year), TARGETS)
    sheet.formula(at, TOTAL_COL, _total(sheet, at, rate, wins, won), total, COUNT, "strong")
    first, last = _month_col(grid, -grid.reach), _month_col(grid, HORIZON - 1)
    months = across(at, first, last)
    sheet.formula(at, SUM_COL, f"SUM({months})", total, COUNT, "grey")
    past = grid.year.past_share(np.arange(len(values)) + start)
    header = f"${across(4, first, last).replace(':', ':$')}"
    sheet.formula(at, PAST_COL, f"SUMPRODUCT({months},{header})", float(values @ past), COUNT, "grey")
    sheet.number(at, ENTRY_COL, grid.source_number(cell_of) if row.stage == 0 else 0, look="grey")
    exits = "0" if won else cell(at + 1, SUM_COL)
    reached = 0.0 if won else float(stages[row.stage + 1].sum())
    sheet.formula(at, EXITS_COL, exits, reached, COUNT, "grey")
    for month in range(-grid.reach, HORIZON):
        value = float(values[month - start]) if month >= start else 0.0
        _required_month(sheet, at, row, month, (value, next_year, wins))


def _total(sheet: Sheet, at: int, rate: str, wins: str, won: bool) -> str:
    """Entries of the year: wins over the rate to won; or rounded half up at every stage and carried."""
    if sheet.writer.grid.plan.rounding == "none":
        return f"{wins}/{cell(at, TO_WON_COL)}"
    carried = wins if won else f"{cell(at + 1, TOTAL_COL)}/{rate}"
    return f"INT({carried}+0.5+1E-9*MAX(1,{carried}))"


def _required_month(sheet: Sheet, at: int, row: StageRow, month: int, given: tuple[float, bool, str]) -> None:
    """Wins of the months that a delay from `month` on reaches, times the shares of those delays."""
    value, next_year, wins = given
    grid = sheet.writer.grid
    first = max(month, YEAR if next_year else 0)
    last = min(HORIZON - 1 if next_year else YEAR - 1, month + grid.reach)
    if first > last:
        return
    asked = across(TARGET_TOP + row.cell, WINS_COL + first, WINS_COL + last, TARGETS)
    shares = to_won_blocks(grid)[2].through(
        DELAYS_TOP + grid.place(row.cell, row.stage), first - month, last - month, TO_WON
    )
    formula = f"IF({wins}>0,SUMPRODUCT({asked},{shares})/{wins}*{fixed(at, TOTAL_COL)},0)"
    sheet.formula(at, _month_col(grid, month), formula, value, COUNT)


def _stage_sums(sheet: Sheet, top: int, next_year: bool) -> None:
    """Sums over the cells, stage by stage; the commitment is the year's sum rounded up."""
    grid = sheet.writer.grid
    months = [grid.month(month) for month in range(-grid.reach, HORIZON)]
    heads = ["Stage", "Entries, rounded up", "", "No.", "", "Entries needed", "", "Before", "", ""]
    sheet.heads(5, [*heads, *months])
    by_month, totals, before = _by_stage(grid, next_year)
    for number, stage in enumerate(grid.plan.stages):
        row, total = 6 + number, totals[number]
        columns = {TOTAL_COL: total, PAST_COL: before[number], **dict(enumerate(by_month[number], MONTH_COL))}
        _stage_sum(sheet, row, top, number + 1, columns)
        needed = fixed(row, TOTAL_COL)
        sheet.formula(row, 1, f"-INT(-({needed}-1E-9*MAX(1,{needed})))", commitment(total), WHOLE, "strong")
        if not next_year:
            sheet.result(f"required_{stage.id}", row, TOTAL_COL, total)


def _stage_sum(sheet: Sheet, row: int, top: int, number: int, columns: Mapping[int, float]) -> None:
    """One stage by its number: its name, and the sums over the rows of its cells, which begin at `top`; the first is strong."""
    grid = sheet.writer.grid
    last = top + len(grid.rows) - 1
    sheet.text(row, 0, grid.plan.stages[number - 1].title, "strong")
    sheet.number(row, 3, number, look="grey")
    for at, (col, value) in enumerate(columns.items()):
        formula = f"SUMIF({down(3, top, last)},{number},{cell(top, col)}:{cell(last, col)})"
        sheet.formula(row, col, formula, float(value), COUNT, "" if at else "strong")


def _by_stage(grid: Grid, next_year: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Required entries by stage: by month, in all, and before the plan date."""
    by_month = np.zeros((len(grid.plan.stage_ids), grid.reach + HORIZON))
    for row in grid.rows:
        first, stages = grid.required(row.cell, next_year)
        by_month[grid.stage_number(row) - 1, grid.reach + first :] += stages[row.stage]
    past = grid.year.past_share(np.arange(-grid.reach, HORIZON))
    return by_month, by_month.sum(axis=1), by_month @ past


def _required_checks(sheet: Sheet, top: int, served: str) -> None:
    grid = sheet.writer.grid
    last = top + len(grid.rows) - 1

    def col(number: int) -> str:
        return down(number, top, last, sheet.name)

    rates = down(RATE_COL, RATES_TOP, RATES_TOP + len(grid.rows) - 1, RATES)
    writer = sheet.writer
    _, totals, _ = _by_stage(grid, served.startswith("next"))
    reached, exits = _exits(grid, served.startswith("next"))
    sums = f"SUM({col(SUM_COL)})", f"SUM({col(TOTAL_COL)})"
    writer.check(f"Delays for {served} wins reach no further than this workbook follows", sums, totals.sum())
    for number, stage in enumerate(grid.plan.stages[:-1], 1):
        left = f"SUMPRODUCT(({col(3)}={number})*{col(SUM_COL)},{rates})"
        right = f"SUMIF({col(3)},{number},{col(EXITS_COL)})"
        what = f"Entries of {stage.title} x rate = entries of the next stage, for {served} wins"
        slack = None if grid.plan.rounding == "none" else float(len(grid.cells))
        writer.check(what, (left, right), exits[number - 1], slack, reached[number - 1])


def _exits(grid: Grid, next_year: bool) -> np.ndarray:
    """By stage: its entries times their rates, and the entries of the next stage."""
    exits = np.zeros((2, len(grid.plan.stage_ids)))
    for row in grid.rows:
        if not grid.is_won(row):
            here, there = grid.required(row.cell, next_year)[1][row.stage : row.stage + 2].sum(axis=1)
            exits[:, grid.stage_number(row) - 1] += here * grid.cells[row.cell].rates[row.stage], there
    return exits


ENTRY_RULE = Rule("Entries of the month, 0 or more.", 0, 1e12)
FLOW_COL = 4


def write_commit(writer: BookWriter) -> None:
    """The committed entries by cell and month, found by optimisation: inputs, good for what they were solved for."""
    grid = writer.grid
    year, months = grid.year, range(grid.year.first, HORIZON)
    about = (
        f"Entries found by optimisation on {grid.plan.plan_date.isoformat()} (plan date), for the inputs of that day. A formula cannot find them again.",
        "Change them freely: what they bring follows on Forward and Quarters. `revplan report` solves them again.",
    )
    sheet = Sheet(writer, COMMIT, "Commit: entries where a source enters", about)
    sheet.heads(TARGET_TOP - 1, ["Segment", "Source", "No.", "Year", *(grid.month(month) for month in months)], words=2)
    for at, flow in enumerate(year.flows):
        row = TARGET_TOP + at
        cell_names(sheet, row, at)
        cell_of = grid.cells[at]
        for month, entries in zip(months, flow[0], strict=True):
            what = f"Commit, {cell_of.segment} x {cell_of.source}, {grid.month(month)}"
            given = ((ENTRIES, cell_of.segment, cell_of.source, month), what)
            sheet.input((row, flow_col(grid, month)), float(entries), COUNT, ENTRY_RULE, given)
        inside = flow[0][max(-year.first, 0) : YEAR - year.first]
        cells = across(row, flow_col(grid, max(0, year.first)), flow_col(grid, YEAR - 1))
        sheet.formula(row, 3, f"SUM({cells})", float(inside.sum()), COUNT, "strong")
    column_sums(sheet, TARGET_TOP, len(grid.cells), FLOW_COL, np.sum([flow[0] for flow in year.flows], axis=0), COUNT)
    sheet.widths(16, 16, 5, 10, 9)
    sheet.freeze(TARGET_TOP, 2)


def flow_col(grid: Grid, month: int) -> int:
    """Column of a month on the sheets that begin with the plan month."""
    return FLOW_COL + month - grid.year.first


def forward_top(grid: Grid) -> int:
    """First row of cells on the sheet of what the commit brings."""
    return 6 + len(grid.plan.stage_ids)


REACHED_COL, YEAR_COL, FORWARD_COL = 4, 5, 6


def forward_col(grid: Grid, month: int) -> int:
    """Column of a month on the sheet of what the commit brings."""
    return FORWARD_COL + month - grid.year.first


def write_forward(writer: BookWriter) -> None:
    """Entries of every stage and month that the commit brings."""
    grid = writer.grid
    year, months = grid.year, range(grid.year.first, HORIZON)
    about = (
        "Entries of each stage by month, through rates and delays. By stage first, then by segment, source and stage."
    )
    sheet = Sheet(writer, FORWARD, "What the commit brings", [about])
    top = forward_top(grid)
    heads = [*NAME_HEADS, "Of the entries", "Year", *(grid.month(month) for month in months)]
    sheet.heads(3, ["Stage", "", "", "No.", "", "Year", *(grid.month(month) for month in months)])
    sheet.heads(top - 1, heads, words=3)
    for place, row in enumerate(grid.rows):
        names(sheet, top + place, row)
        _forward_row(sheet, top + place, row)
    for number in range(1, len(grid.plan.stages) + 1):
        rows = [year.flows[row.cell][row.stage] for row in grid.rows if grid.stage_number(row) == number]
        flows = np.sum([np.zeros(grid.flow_months), *rows], axis=0)
        inside = flows[max(-year.first, 0) : YEAR - year.first].sum()
        _stage_sum(sheet, 3 + number, top, number, {YEAR_COL: inside, **dict(enumerate(flows, FORWARD_COL))})
    sheet.widths(16, 16, 14, 5, 10, 10, 9)
    sheet.freeze(top, 3)


def _forward_row(sheet: Sheet, at: int, row: StageRow) -> None:
    grid = sheet.writer.grid
    year, cell_of = grid.year, grid.cells[row.cell]
    flow = year.flows[row.cell][row.stage]
    step = fixed(RATES_TOP + grid.place(row.cell, row.stage) - 1, RATE_COL, RATES)
    reached = "1" if row.stage == 0 else f"{cell(at - 1, REACHED_COL)}*{step}"
    sheet.formula(at, REACHED_COL, reached, float(cell_of.rates_from_entry[row.stage]), RATE)
    inside = across(at, forward_col(grid, max(0, year.first)), forward_col(grid, YEAR - 1))
    sheet.formula(
        at, YEAR_COL, f"SUM({inside})", float(flow[max(-year.first, 0) : YEAR - year.first].sum()), COUNT, "strong"
    )
    *_, whole, part = from_entry_blocks(grid)
    delays, entries = DELAYS_TOP + grid.place(row.cell, row.stage), TARGET_TOP + row.cell
    for month, value in enumerate(flow):
        first = f"{cell(entries, FLOW_COL, COMMIT)}*{cell(delays, part.col(month), FROM_ENTRY)}"
        later = ""
        if month:
            made = across(entries, FLOW_COL + 1, FLOW_COL + month, COMMIT)
            later = f"+SUMPRODUCT({made},{whole.through(delays, 0, month - 1, FROM_ENTRY)})"
        formula = f"{fixed(at, REACHED_COL)}*({first}{later})"
        sheet.formula(at, FORWARD_COL + month, formula, float(value), COUNT)
