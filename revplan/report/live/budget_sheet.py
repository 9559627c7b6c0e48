"""Programme spend by source and month, what is sunk, and the program CAC."""

from __future__ import annotations

import numpy as np

from revplan.model.budget import program_cac
from revplan.model.funnel import HORIZON, YEAR
from revplan.report.live.address import across, cell, down, span
from revplan.report.live.desk import CENTS, COUNT, MONEY, WHOLE, Desk, Sheet
from revplan.report.live.flow_sheets import flow_col
from revplan.report.live.grid import ARR, BUDGET, COMMIT, INPUTS, REQUIRED, Grid
from revplan.report.live.result_sheets import COUNTED_COL
from revplan.report.live.target_sheets import ENTRY_COL, PAST_COL, TARGET_TOP, required_top
from revplan.sheets import budget_table, past_entries, spend_of_year, wins_of_year

SUNK_COL, YEAR_COL, WINS_COL, ABOVE_COL, SPEND_COL = 1, 2, 3, 4, 5


def write_budget(desk: Desk) -> None:
    """Programme spend by source and month of entry; sunk; the program CAC."""
    grid = desk.grid
    year, plan = grid.year, grid.plan
    about = (
        "Entries x cost per entry, in the month of entry. Sunk: what the entries required before the plan date cost.",
        "A source without a cost is unpriced, not free: it is left out of spend and CAC.",
    )
    sheet = Sheet(desk, BUDGET, f"Budget ({plan.currency})", about)
    top = sheet.top + 1
    heads = ["Source", "Sunk", "Year", "Wins of the year", "Months above the ceiling"]
    sheet.heads(top - 1, [*heads, *(grid.month(month) for month in range(year.first, YEAR))])
    for number, name in enumerate(plan.sources):
        _source(sheet, top + number, name, number + 1)
    last = top + len(plan.sources) - 1
    _spend_and_cac(sheet, top, last)
    above = f"SUM({span((top, ABOVE_COL), (last, ABOVE_COL), BUDGET)})"
    desk.check("No source is committed above its ceiling: months that are", (above, "0"), 0, 0)
    sheet.widths(26, 14, 14, 12, 12, 11)
    sheet.freeze(top, 1)


def _spend_and_cac(sheet: Sheet, top: int, last: int) -> None:
    """The year's spend, and over the wins of the priced sources the program CAC."""
    desk, year = sheet.desk, sheet.desk.grid.year
    spent = spend_of_year(budget_table(year), year)
    whole, wins = sum(spent.values()), wins_of_year(year, spent)
    sheet.text(last + 1, 0, "Sum", "total")
    years = f"SUM({span((top, YEAR_COL), (last, YEAR_COL))})"
    sheet.formula(last + 1, YEAR_COL, years, whole, MONEY, "total")
    sheet.result("programme_spend", last + 1, YEAR_COL, whole)
    sheet.text(last + 3, 0, "Program CAC")
    costs = [desk.inputs["sources", name, "cost_per_entry"] for name in desk.grid.plan.sources]
    stated = down(costs[0].col, costs[0].row, costs[-1].row, INPUTS)
    priced = f"SUMPRODUCT(ISNUMBER({stated})*{span((top, WINS_COL), (last, WINS_COL))})"
    cac = program_cac(whole, wins) if spent else None
    sheet.formula(last + 3, YEAR_COL, f'IF({priced}>0,{cell(last + 1, YEAR_COL)}/{priced},"")', cac, CENTS, "strong")
    sheet.result("program_cac", last + 3, YEAR_COL, cac)


def _source(sheet: Sheet, row: int, name: str, number: int) -> None:
    desk, grid = sheet.desk, sheet.desk.grid
    year, source = grid.year, grid.plan.sources[name]
    rows = [at for at, cell_of in enumerate(grid.cells) if cell_of.source == name]
    first, last = TARGET_TOP, TARGET_TOP + len(grid.cells) - 1
    numbers, cost = down(2, first, last, COMMIT), desk.at("sources", name, "cost_per_entry")
    sheet.text(row, 0, name)
    price = source.cost_per_entry or 0.0
    flows = np.sum([year.flows[at][0] for at in rows], axis=0) if rows else np.zeros(grid.flow_months)
    required = required_top(grid), required_top(grid) + len(grid.rows) - 1
    past = f"SUMIF({down(ENTRY_COL, *required, REQUIRED)},{number},{down(PAST_COL, *required, REQUIRED)})"
    sheet.formula(row, SUNK_COL, f"{past}*{cost}", price * sum(past_entries(year, at) for at in rows), MONEY)
    inside = across(row, SPEND_COL + max(0, -year.first), SPEND_COL + YEAR - 1 - year.first)
    sheet.formula(
        row, YEAR_COL, f"SUM({inside})", price * flows[max(0, -year.first) : YEAR - year.first].sum(), MONEY, "strong"
    )
    counted = f"SUMIF({down(2, first, last, ARR)},{number},{down(COUNTED_COL + 3, first, last, ARR)})"
    sheet.formula(row, WINS_COL, counted, wins_of_year(year, [name]), COUNT)
    ceiling = desk.at("sources", name, "max_per_month")
    parts = [
        f"--(SUMPRODUCT(({numbers}={number})*{_commits(grid, month)})>{ceiling}*{_open_share(grid, month)}*1.000001+0.000001)"
        for month in range(year.first, HORIZON)
    ]
    sheet.formula(row, ABOVE_COL, f"IF(ISNUMBER({ceiling}),{'+'.join(parts)},0)", 0, WHOLE)
    for month in range(year.first, YEAR):
        entries = f"SUMIF({numbers},{number},{_commits(grid, month)})"
        sheet.formula(
            row, SPEND_COL + month - year.first, f"{entries}*{cost}", price * flows[month - year.first], MONEY
        )


def _commits(grid: Grid, month: int) -> str:
    return down(flow_col(grid, month), TARGET_TOP, TARGET_TOP + len(grid.cells) - 1, COMMIT)


def _open_share(grid: Grid, month: int) -> str:
    """Share of a month that lies after the plan date."""
    return repr(1 - grid.year.start) if month == grid.year.first else "1"
