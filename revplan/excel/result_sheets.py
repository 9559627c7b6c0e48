"""ARR by month, the quarters, the budget: what comes of the commit, in money.

Programme spend by source and month, what is sunk, and the program CAC.
"""

from __future__ import annotations

import numpy as np

from revplan.excel.address import across, cell, down, fixed, span
from revplan.excel.flow_sheets import (
    ACV_COL,
    ARR_COL,
    ENTRY_COL,
    PAST_COL,
    TARGET_TOP,
    cell_names,
    column_sums,
    flow_col,
    forward_col,
    forward_top,
    required_top,
)
from revplan.excel.grid import ARR, BUDGET, COMMIT, FORWARD, INPUTS, QUARTERS, REQUIRED, TARGETS, Grid
from revplan.excel.writer import BY_SIGN, CENTS, COUNT, MONEY, RECORDS, WHOLE, BookWriter, Rule, Sheet
from revplan.funnel.commit import QUARTERS as QUARTER_COUNT
from revplan.funnel.funnel import HORIZON, YEAR
from revplan.funnel.tables import past_entries, program_cac, spend_of_year, wins_of_year
from revplan.funnel.year import SETTLED, by_quarter, quarter_results, recovered_by

BLOCK = HORIZON + 1
COMMITTED_COL, OPEN_COL, WON_COL, COUNTED_COL = 3, 3 + BLOCK, 3 + 2 * BLOCK, 3 + 3 * BLOCK
GAP_COL = COUNTED_COL + 5
MISSING_MONEY = MONEY.replace(BY_SIGN, "")
"""Money of which more is worse: what a goal lacks."""
SEEN = 0.5  # of the currency: what is less shows as nothing
ARR_RULE = Rule("ARR that comes without new entries: 0 or more.", 0, 1e15)
WINS_RULE = Rule("Wins that come without new entries: 0 or more.", 0, 1e12)


def write_arr(writer: BookWriter) -> None:
    """ARR by cell and month: from the commit, from open records, won before the plan date."""
    grid, year = writer.grid, writer.grid.year
    about = (
        "From the commit: wins on Forward x ACV. From open records and won: values found in the records on the plan date (green).",
        "The open pipeline was worked out record by record at the plan's rates and delays: a change of those does not reach it here.",
    )
    sheet = Sheet(writer, ARR, f"New ARR by month ({grid.plan.currency})", about)
    _arr_heads(sheet)
    gaps = by_quarter(year.targets - year.commit_arr - year.coming)[:, :QUARTER_COUNT]
    for at in range(len(grid.cells)):
        row = TARGET_TOP + at
        cell_names(sheet, row, at)
        _arr_row(sheet, row, at)
        _wins(sheet, row, at)
        for quarter, gap in enumerate(gaps[at]):  # what the quarter misses of its target; below 0 where it brings more
            first = 3 * quarter
            target = across(row, ARR_COL + first, ARR_COL + first + 2, TARGETS)
            blocks = [across(row, col + first, col + first + 2) for col in (COMMITTED_COL, OPEN_COL, WON_COL)]
            parts = "".join(f"-SUM({block})" for block in blocks)
            sheet.formula(row, GAP_COL + quarter, f"SUM({target}){parts}", float(gap), MISSING_MONEY)
    for col, values in ((COMMITTED_COL, year.commit_arr), (OPEN_COL, year.open_arr), (WON_COL, year.won_arr)):
        column_sums(sheet, TARGET_TOP, len(grid.cells), col, values[:, :HORIZON].sum(axis=0), MONEY)
    last = TARGET_TOP + len(grid.cells) - 1
    sheet.worse((TARGET_TOP, GAP_COL), (last, GAP_COL + QUARTER_COUNT - 1), ">", SEEN)
    sheet.widths(16, 16, 5, 11)
    sheet.freeze(TARGET_TOP, 2)


def _arr_heads(sheet: Sheet) -> None:
    grid, row = sheet.writer.grid, TARGET_TOP - 1
    months = [grid.month(number) for number in range(HORIZON)]
    blocks = (
        (COMMITTED_COL, "From the commit", months),
        (OPEN_COL, "From open records", months),
        (WON_COL, "Won before the plan date", months),
        (COUNTED_COL, "Wins of the year", ["from the commit", "from open records", "won before", "in all"]),
        (GAP_COL, "Goal less all of these", _quarter_names(grid)),
    )
    sheet.heads(row, ["Segment", "Source", "No."], words=2)
    for col, words, heads in blocks:
        sheet.text(row - 1, col, words, "strong")
        sheet.heads(row, heads, col)


def _quarter_names(grid: Grid) -> list[str]:
    return [grid.plan.quarter_label(quarter) for quarter in range(QUARTER_COUNT)]


def _won_row(grid: Grid, at: int) -> int:
    return forward_top(grid) + grid.place(at, grid.cells[at].won)


def _arr_row(sheet: Sheet, row: int, at: int) -> None:
    """ARR of a cell by month: from the commit, and as found in the records."""
    grid, year, cell_of = sheet.writer.grid, sheet.writer.grid.year, sheet.writer.grid.cells[at]
    acv = fixed(TARGET_TOP + at, ACV_COL, TARGETS)
    for month in range(max(year.first, 0), HORIZON):
        wins = cell(_won_row(grid, at), forward_col(grid, month), FORWARD)
        sheet.formula(row, COMMITTED_COL + month, f"{wins}*{acv}", year.commit_arr[at, month], MONEY)
    for col, key, values in ((OPEN_COL, "open_arr", year.open_arr), (WON_COL, "won_arr", year.won_arr)):
        for month in range(HORIZON):
            place = (RECORDS, key, cell_of.segment, cell_of.source, month)
            what = f"{key.replace('_arr', ' ARR')}, {cell_of.segment} x {cell_of.source}, {grid.month(month)}"
            sheet.input((row, col + month), float(values[at, month]), MONEY, ARR_RULE, (place, what))


def _wins(sheet: Sheet, row: int, at: int) -> None:
    """Wins of the year: of the commit, of open records, and won before the plan date."""
    grid, year = sheet.writer.grid, sheet.writer.grid.year
    cell_of, won = grid.cells[at], _won_row(grid, at)
    inside = across(won, forward_col(grid, max(year.first, 0)), forward_col(grid, YEAR - 1), FORWARD)
    counts = [float(values[at, :YEAR].sum()) for values in (year.commit_wins, year.open_wins, year.won_wins)]
    sheet.formula(row, COUNTED_COL, f"SUM({inside})", counts[0], COUNT)
    for col, key, value in ((1, "open_wins", counts[1]), (2, "won_wins", counts[2])):
        place = (RECORDS, key, cell_of.segment, cell_of.source)
        what = f"{key.replace('_', ' ')} of the year, {cell_of.segment} x {cell_of.source}"
        sheet.input((row, COUNTED_COL + col), value, COUNT, WINS_RULE, (place, what))
    parts = across(row, COUNTED_COL, COUNTED_COL + 2)
    sheet.formula(row, COUNTED_COL + 3, f"SUM({parts})", sum(counts), COUNT, "strong")


# --- quarters ------------------------------------------------------------------------------------------------

HEADS = ("Quarter", "Goal", "From the commit", "Open pipeline", "Won before", "Shortfall", "Surplus", "Missed so far",
         "Cells below their share", "Made good by", "Gap")  # fmt: skip
GOAL, COMMITTED, OPEN, WON, SHORTFALL, SURPLUS, SO_FAR, BELOW, RECOVERED, GAP = range(1, 11)


def write_quarters(writer: BookWriter) -> None:
    """How each quarter comes out: commit + open pipeline + won + shortfall - surplus = goal."""
    grid = writer.grid
    results = quarter_results(grid.year)
    about = "From the commit + open pipeline + won before + shortfall - surplus = goal."
    sheet = Sheet(writer, QUARTERS, f"Quarters ({grid.plan.currency})", [about])
    top = sheet.top + 1
    sheet.heads(top - 1, HEADS)
    for quarter, name in enumerate(_quarter_names(grid)):
        row, result = top + quarter, results[quarter]
        sheet.text(row, 0, name, "strong")
        _quarter_parts(sheet, row, quarter)
        gap = cell(row, GAP)
        dust = _dust(writer)
        settled = f"ABS({gap})>{dust}"
        sheet.formula(row, SHORTFALL, f"IF({settled},MAX({gap},0),0)", result.shortfall, MONEY)
        sheet.formula(row, SURPLUS, f"IF({settled},MAX(-{gap},0),0)", result.surplus, MONEY)
        running = "+".join(
            f"{cell(top + before, SHORTFALL)}-{cell(top + before, SURPLUS)}" for before in range(quarter + 1)
        )
        sheet.formula(row, SO_FAR, f"IF({running}>{dust},{running},0)", result.missed_so_far, MONEY)
        recovered = recovered_by(results, quarter)
        made_good = "" if recovered is None else _quarter_names(grid)[recovered]
        sheet.formula(row, RECOVERED, _recovered(top, quarter), made_good)
        _identity(writer, row, name)
    keys = ("goal", "committed", "open_pipeline", "won", "shortfall", "surplus")
    sums = [sum(getattr(result, key) for result in results) for key in keys]
    column_sums(sheet, top, QUARTER_COUNT, GOAL, sums, MONEY)
    named = {"shortfall_of_quarters": SHORTFALL, "surplus_of_quarters": SURPLUS, "committed_arr": COMMITTED}
    for name, col in named.items():
        sheet.result(name, top + QUARTER_COUNT, col, sums[col - 1])
    for col in (SHORTFALL, SO_FAR, BELOW, GAP):
        sheet.worse((top, col), (top + QUARTER_COUNT - 1, col), ">", SEEN)
    sheet.widths(14, 14)
    sheet.freeze(top, 1)


def _dust(writer: BookWriter) -> str:
    """The amount up to which a quarter neither misses nor exceeds its goal, as a formula."""
    return f"{SETTLED:.0E}*{writer.cells['new_arr'][0]}"


def _quarter_parts(sheet: Sheet, row: int, quarter: int) -> None:
    """Goal and what comes, summed over the cells and three months; the gap between them."""
    grid = sheet.writer.grid
    last = TARGET_TOP + len(grid.cells) - 1
    result = quarter_results(grid.year)[quarter]
    parts = (
        (GOAL, ARR_COL, TARGETS, result.goal),
        (COMMITTED, COMMITTED_COL, ARR, result.committed),
        (OPEN, OPEN_COL, ARR, result.open_pipeline),
        (WON, WON_COL, ARR, result.won),
    )
    for col, begin, where, value in parts:
        block = span((TARGET_TOP, begin + 3 * quarter), (last, begin + 3 * quarter + 2), where)
        sheet.formula(row, col, f"SUM({block})", value, MONEY)
    gaps = down(GAP_COL + quarter, TARGET_TOP, last, ARR)
    below = f"SUMPRODUCT(({gaps}>{_dust(sheet.writer)})*{gaps})"
    sheet.formula(row, BELOW, below, result.below_share, MONEY)
    gap = result.goal - result.committed - result.open_pipeline - result.won
    formula = "-".join(cell(row, col) for col in (GOAL, COMMITTED, OPEN, WON))
    sheet.formula(row, GAP, formula, gap, MISSING_MONEY, "grey")


def _recovered(top: int, quarter: int) -> str:
    """The quarter that makes a shortfall good: the first later one with nothing missed so far; or the last earlier surplus."""

    def name(index: int) -> str:
        return f"${cell(top + index, 0)}"

    later = '""'
    for index in reversed(range(quarter + 1, QUARTER_COUNT)):
        later = f"IF({cell(top + index, SO_FAR)}<=0,{name(index)},{later})"
    before = name(quarter)
    for index in range(quarter):
        before = f"IF({cell(top + index, SURPLUS)}>0,{name(index)},{before})"
    return f'IF({cell(top + quarter, SHORTFALL)}>0,IF({cell(top + quarter, SO_FAR)}<=0,{before},{later}),"")'


def _identity(writer: BookWriter, row: int, name: str) -> None:
    at = {col: cell(row, col, QUARTERS) for col in range(1, GAP + 1)}
    made = f"{at[COMMITTED]}+{at[OPEN]}+{at[WON]}+{at[SHORTFALL]}-{at[SURPLUS]}"
    goal = writer.cells["new_arr"][0]
    left = f"({made}-{at[GOAL]})/IF({goal}>0,{goal},1)"
    words = f"{name}: commit + open pipeline + won + shortfall - surplus = goal, as a share of new ARR"
    writer.check(words, (left, "0"), 0)


SUNK_COL, YEAR_COL, WINS_COL, ABOVE_COL, SPEND_COL = 1, 2, 3, 4, 5


def write_budget(writer: BookWriter) -> None:
    """Programme spend by source and month of entry; sunk; the program CAC."""
    grid = writer.grid
    year, plan = grid.year, grid.plan
    about = (
        "Entries x cost per entry, in the month of entry. Sunk: what the entries required before the plan date cost.",
        "A source without a cost is unpriced, not free: it is left out of spend and CAC.",
    )
    sheet = Sheet(writer, BUDGET, f"Budget ({plan.currency})", about)
    top = sheet.top + 1
    heads = ["Source", "Sunk", "Year", "Wins of the year", "Months above the ceiling"]
    sheet.heads(top - 1, [*heads, *(grid.month(month) for month in range(year.first, YEAR))])
    for number, name in enumerate(plan.sources):
        _source(sheet, top + number, name, number + 1)
    last = top + len(plan.sources) - 1
    _spend_and_cac(sheet, top, last)
    above = f"SUM({span((top, ABOVE_COL), (last, ABOVE_COL), BUDGET)})"
    writer.check("No source is committed above its ceiling: months that are", (above, "0"), 0, 0)
    sheet.widths(26, 14, 14, 12, 12, 11)
    sheet.freeze(top, 1)


def _spend_and_cac(sheet: Sheet, top: int, last: int) -> None:
    """The year's spend, and over the wins of the priced sources the program CAC."""
    writer, year = sheet.writer, sheet.writer.grid.year
    spent = spend_of_year(year)
    whole, wins = sum(spent.values()), wins_of_year(year, spent)
    sheet.text(last + 1, 0, "Sum", "total")
    years = f"SUM({span((top, YEAR_COL), (last, YEAR_COL))})"
    sheet.formula(last + 1, YEAR_COL, years, whole, MONEY, "total")
    sheet.result("programme_spend", last + 1, YEAR_COL, whole)
    sheet.text(last + 3, 0, "Program CAC")
    costs = [writer.inputs["sources", name, "cost_per_entry"] for name in writer.grid.plan.sources]
    stated = down(costs[0].col, costs[0].row, costs[-1].row, INPUTS)
    priced = f"SUMPRODUCT(ISNUMBER({stated})*{span((top, WINS_COL), (last, WINS_COL))})"
    cac = program_cac(whole, wins) if spent else None
    sheet.formula(last + 3, YEAR_COL, f'IF({priced}>0,{cell(last + 1, YEAR_COL)}/{priced},"")', cac, CENTS, "strong")
    sheet.result("program_cac", last + 3, YEAR_COL, cac)


def _source(sheet: Sheet, row: int, name: str, number: int) -> None:
    writer, grid = sheet.writer, sheet.writer.grid
    year, source = grid.year, grid.plan.sources[name]
    rows = [at for at, cell_of in enumerate(grid.cells) if cell_of.source == name]
    first, last = TARGET_TOP, TARGET_TOP + len(grid.cells) - 1
    numbers, cost = down(2, first, last, COMMIT), writer.at("sources", name, "cost_per_entry")
    sheet.text(row, 0, name)
    price = source.cost_per_entry or 0.0
    flows = np.sum([year.flows[at][0] for at in rows], axis=0) if rows else np.zeros(grid.flow_months)
    required = required_top(grid), required_top(grid) + len(grid.rows) - 1
    past = f"SUMIF({down(ENTRY_COL, *required, REQUIRED)},{number},{down(PAST_COL, *required, REQUIRED)})"
    sheet.formula(row, SUNK_COL, f"{past}*{cost}", price * sum(past_entries(year, at) for at in rows), MONEY)
    inside = across(row, SPEND_COL + max(0, -year.first), SPEND_COL + YEAR - 1 - year.first)
    spent = price * flows[max(0, -year.first) : YEAR - year.first].sum()
    sheet.formula(row, YEAR_COL, f"SUM({inside})", spent, MONEY, "strong")
    counted = f"SUMIF({down(2, first, last, ARR)},{number},{down(COUNTED_COL + 3, first, last, ARR)})"
    sheet.formula(row, WINS_COL, counted, wins_of_year(year, [name]), COUNT)
    ceiling = writer.at("sources", name, "max_per_month")
    open_part = {year.first: repr(1 - year.start)}  # of the plan month, what lies after the plan date
    parts = [
        f"--(SUMPRODUCT(({numbers}={number})*{_commits(grid, month)})>{ceiling}*{open_part.get(month, '1')}*1.000001+0.000001)"
        for month in range(year.first, HORIZON)
    ]
    sheet.formula(row, ABOVE_COL, f"IF(ISNUMBER({ceiling}),{'+'.join(parts)},0)", 0, WHOLE)
    for month in range(year.first, YEAR):
        entries, at = f"SUMIF({numbers},{number},{_commits(grid, month)})", month - year.first
        sheet.formula(row, SPEND_COL + at, f"{entries}*{cost}", price * flows[at], MONEY)


def _commits(grid: Grid, month: int) -> str:
    return down(flow_col(grid, month), TARGET_TOP, TARGET_TOP + len(grid.cells) - 1, COMMIT)
