"""The commit, and what it brings: entries of every stage by month."""

from __future__ import annotations

import numpy as np

from revplan.model.funnel import HORIZON, YEAR
from revplan.report.live.address import across, cell, down, fixed
from revplan.report.live.desk import COUNT, ENTRIES, RATE, Desk, Rule, Sheet
from revplan.report.live.grid import COMMIT, FORWARD, FROM_ENTRY, RATES, Grid, Row
from revplan.report.live.rate_sheets import NAME_HEADS, RATE_COL, from_entry_blocks, names
from revplan.report.live.rate_sheets import TOP as DELAYS_TOP
from revplan.report.live.target_sheets import RATES_TOP, TARGET_TOP, cell_names, column_sums

ENTRY_RULE = Rule("Entries of the month, 0 or more.", 0, 1e12)
FLOW_COL = 4


def write_commit(desk: Desk) -> None:
    """The committed entries by cell and month, found by optimisation: inputs, good for what they were solved for."""
    grid = desk.grid
    year, months = grid.year, range(grid.year.first, HORIZON)
    about = (
        f"Entries found by optimisation on {grid.plan.plan_date.isoformat()} (plan date), for the inputs of that day. A formula cannot find them again.",
        "Change them freely: what they bring follows on Forward and Quarters. `revplan report` solves them again.",
    )
    sheet = Sheet(desk, COMMIT, "Commit: entries where a source enters", about)
    sheet.heads(TARGET_TOP - 1, ["Segment", "Source", "No.", "Year", *(grid.month(month) for month in months)], words=2)
    for at, flow in enumerate(year.flows):
        row = TARGET_TOP + at
        cell_names(sheet, row, at)
        cell_of = grid.cells[at]
        for month, entries in zip(months, flow[0], strict=True):
            what = f"Commit, {cell_of.segment} x {cell_of.source}, {grid.month(month)}"
            known = ((ENTRIES, cell_of.segment, cell_of.source, month), what)
            sheet.input((row, flow_col(grid, month)), float(entries), COUNT, ENTRY_RULE, known)
        inside = flow[0][max(-year.first, 0) : YEAR - year.first]
        cells = across(row, flow_col(grid, max(0, year.first)), flow_col(grid, YEAR - 1))
        sheet.formula(row, 3, f"SUM({cells})", float(inside.sum()), COUNT, "strong")
    sums = np.sum([flow[0] for flow in year.flows], axis=0)
    column_sums(
        sheet,
        TARGET_TOP,
        len(grid.cells),
        {flow_col(grid, month): (float(value), COUNT) for month, value in zip(months, sums, strict=True)},
    )
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


def write_forward(desk: Desk) -> None:
    """Entries of every stage and month that the commit brings."""
    grid = desk.grid
    year, months = grid.year, range(grid.year.first, HORIZON)
    sheet = Sheet(
        desk,
        FORWARD,
        "What the commit brings",
        (
            "Entries of each stage by month, through rates and delays. By stage first, then by segment, source and stage.",
        ),
    )
    top = forward_top(grid)
    heads = [*NAME_HEADS, "Of the entries", "Year", *(grid.month(month) for month in months)]
    sheet.heads(3, ["Stage", "", "", "No.", "", "Year", *(grid.month(month) for month in months)])
    sheet.heads(top - 1, heads, words=3)
    for place, row in enumerate(grid.rows):
        names(sheet, top + place, row)
        _forward_row(sheet, top + place, row)
    last = top + len(grid.rows) - 1
    for number, stage in enumerate(grid.plan.stages, 1):
        rows = [(row.cell, row.stage) for row in grid.rows if grid.stage_number(row) == number]
        flows = np.sum([year.flows[at][stage_at] for at, stage_at in rows], axis=0)
        sheet.text(3 + number, 0, stage.label or stage.id, "strong")
        sheet.number(3 + number, 3, number, look="grey")
        inside = flows[max(-year.first, 0) : YEAR - year.first].sum() if rows else 0.0
        for col, value in [
            (YEAR_COL, inside),
            *((forward_col(grid, month), flows[at] if rows else 0.0) for at, month in enumerate(months)),
        ]:
            formula = f"SUMIF({down(3, top, last)},{number},{cell(top, col)}:{cell(last, col)})"
            sheet.formula(3 + number, col, formula, float(value), COUNT, "strong" if col == YEAR_COL else "")
    sheet.widths(16, 16, 14, 5, 10, 10, 9)
    sheet.freeze(top, 3)


def _forward_row(sheet: Sheet, at: int, row: Row) -> None:
    grid = sheet.desk.grid
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
