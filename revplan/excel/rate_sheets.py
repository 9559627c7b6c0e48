"""Rates and delays by cell and step, and what they compose to: the shares from any stage to won, and from entry on.

A path is composed in days and turned into months once (`revplan.ground.lag`), which no formula can do. So the sheet
of composed delays holds every combination of the log-normal delays of a path, as the package composes them; a
delay that is changed leaves its combination and moves whole months, as `lag: {weights: [...]}` does in a plan.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from revplan.excel.address import across, cell, column, down, fixed
from revplan.excel.grid import COMPOSED, FROM_ENTRY, RATES, TO_WON, Grid, StageRow, padded, spread
from revplan.excel.writer import FEW_ROWS, RATE, SHARE, SHARES, BookWriter, Rule, Sheet
from revplan.ground.lag import Lag, path_shares, path_shift
from revplan.plan.goal import SHARE_TOLERANCE

NAMES = 4  # columns that name a row: segment, source, stage, the stage's number
TOP = 5  # first row of the sheets of this module that hold one row per cell and stage
RATE_COL, TO_COL, LAG_COL = NAMES + 1, NAMES, NAMES + 2
SEEN = 0.005  # a month is printed if in it converts at least this share of some step
RATES_TAKEN = Rule("A rate: above 0, up to 1 (100%).", 1e-9, 1)


def names(sheet: Sheet, row: int, at: StageRow) -> None:
    """The columns that name the row of a stage of a cell."""
    cell_of = sheet.writer.grid.cells[at.cell]
    sheet.text(row, 0, cell_of.segment)
    sheet.text(row, 1, cell_of.source)
    sheet.text(row, 2, title(sheet.writer.grid, at))
    sheet.number(row, 3, sheet.writer.grid.stage_number(at), look="grey")


def title(grid: Grid, at: StageRow) -> str:
    """The stage as readers know it."""
    return grid.plan.stages[grid.stage_number(at) - 1].title


NAME_HEADS = ("Segment", "Source", "Stage", "No.")


class RateCols(NamedTuple):
    """Columns of the sheet of rates, right of the monthly shares."""

    total: int
    changed: int
    bit: int
    kept: int
    solved: int


def rate_cols(grid: Grid) -> RateCols:
    """Where the columns right of the monthly shares stand."""
    after = LAG_COL + grid.lag_months
    return RateCols(after, after + 1, after + 2, after + 3, after + 5)


def write_rates(writer: BookWriter) -> None:
    """The inputs by cell and step: rate, and monthly shares of the delay."""
    grid = writer.grid
    about = (
        "A row is a step from its stage to the next. The delay is given as the share that converts 0, 1, 2, ... months after the month of entry.",
        "A delay written in days (kept = more than 0) is composed in days with those beside it; once a share is changed, its step moves whole months."
        if grid.lags_are_inputs
        else "The delays are no inputs here: this plan has too many combinations of them. Change them in the plan file.",
    )
    sheet = Sheet(writer, RATES, "Rates and delays", about)
    cols = rate_cols(grid)
    months = [f"{month} months later" if month else "same month" for month in range(grid.lag_months)]
    sheet.heads(TOP - 1, [*NAME_HEADS, "To stage", "Rate", *months, "Sum", "Changed", "Bit", "Kept"], words=NAMES + 1)
    sheet.heads(TOP - 1, [f"as solved, {month}" for month in range(grid.lag_months)], cols.solved)
    for place, row in enumerate(grid.rows):
        names(sheet, TOP + place, row)
        if grid.is_won(row):
            sheet.paper.set_row(TOP + place, None, None, {"hidden": True})
        else:
            _step(sheet, TOP + place, row, cols)
    last = TOP + len(grid.rows) - 1
    rates, sums = (down(col, TOP, last, RATES) for col in (RATE_COL, cols.total))
    missed = f"SUMPRODUCT((ABS({sums}-1)>{SHARE_TOLERANCE * 1.01:.3E})*ISNUMBER({sums}))"
    writer.check("Shares of every delay sum to 1: rows that miss", (missed, "0"), 0, 0)
    outside = f'COUNTIF({rates},"<=0")+COUNTIF({rates},">1")'
    writer.check("Every rate is above 0 and at most 1: rows that are not", (outside, "0"), 0, 0)
    sheet.widths(16, 16, 16, 5, 16, 9, *[9] * grid.lag_months, 9)
    shown = [np.flatnonzero(lag.shares() >= SEEN)[-1] for cell in grid.cells for lag in cell.lags]
    sheet.print_only(TOP + len(grid.rows), LAG_COL + 1 + int(max(shown)))
    sheet.freeze(TOP, TO_COL)


def _step(sheet: Sheet, at: int, row: StageRow, cols: RateCols) -> None:
    grid = sheet.writer.grid
    cell_of = grid.cells[row.cell]
    key = ("rates", cell_of.segment, cell_of.source, cell_of.stages[row.stage])
    words = f"{cell_of.segment} x {cell_of.source}, {title(grid, row)}"
    sheet.text(at, TO_COL, f"to {title(grid, StageRow(row.cell, row.stage + 1))}")
    sheet.input((at, RATE_COL), cell_of.rates[row.stage], RATE, RATES_TAKEN, ((*key, "rate"), f"{words}: rate"))
    shares = padded(cell_of.lags[row.stage].shares(), grid.lag_months)
    for month, share in enumerate(shares):
        where = at, LAG_COL + month
        if grid.lags_are_inputs:
            sheet.input(where, float(share), SHARE, SHARES, ((*key, "lag", month), f"{words}: delay of {month} months"))
        else:
            sheet.number(*where, float(share), SHARE)
        sheet.number(at, cols.solved + month, float(share), SHARE, "grey")
    given = across(at, LAG_COL, cols.total - 1)
    solved = across(at, cols.solved, cols.solved + grid.lag_months - 1)
    sheet.formula(at, cols.total, f"SUM({given})", float(shares.sum()), SHARE)
    sheet.formula(at, cols.changed, f"SUMPRODUCT(--({given}<>{solved}))", 0, look="grey")
    sheet.number(at, cols.bit, grid.bit(row), look="grey")
    sheet.formula(at, cols.kept, f"IF({cell(at, cols.changed)}=0,{cell(at, cols.bit)},0)", grid.bit(row), look="grey")


# --- combinations of log-normal delays -----------------------------------------------------------------------


def write_composed(writer: BookWriter) -> None:
    """Every combination of the log-normal delays of a path, composed in days by the package."""
    grid = writer.grid
    about = "Shares by month of the delays in a combination, composed in days by revplan. No inputs: the sheets of delays look their row up."
    sheet = Sheet(writer, COMPOSED, "Composed delays", [about])
    width = _widest(grid)
    months = range(1, width)
    sheet.heads(TOP - 1, ["StageRow", "From the start of a month", *months, "From the plan date", *months])
    row = 0
    for family in grid.families if grid.lags_are_inputs else ():
        for choice in range(2 ** len(family)):
            lags = tuple(lag for at, lag in enumerate(family) if choice >> at & 1)  # each lag is a bit of the choice
            sheet.number(TOP + row, 0, row, look="grey")
            for begin, start in ((1, 0.0), (1 + width, grid.year.start)):
                for month, share in enumerate(path_shares(lags, start)[:width]):
                    sheet.number(TOP + row, begin + month, float(share), SHARE)
            row += 1
    sheet.widths(8, 12, 8)
    sheet.print_only(FEW_ROWS)
    sheet.freeze(TOP, 1)


def _widest(grid: Grid) -> int:
    return max(grid.reach + 1, grid.flow_months)


# --- from a stage to won -------------------------------------------------------------------------------------


class LagBlock(NamedTuple):
    """Columns of monthly shares; `turned` ones run from the last month to month 0."""

    first: int
    months: int
    turned: bool = False

    def col(self, month: int) -> int:
        """Column of a month."""
        return self.first + (self.months - 1 - month if self.turned else month)

    def through(self, row: int, first: int, last: int, sheet: str = "") -> str:
        """Cells of the months `first` to `last` of a row, in the order in which they stand."""
        left, right = sorted((self.col(first), self.col(last)))
        return across(row, left, right, sheet)


MASK_COL = NAMES


def to_won_blocks(grid: Grid) -> tuple[LagBlock, LagBlock, LagBlock]:
    """Whole-month moves, composed delays, and both together: from a stage to won."""
    months = grid.reach + 1
    return (
        LagBlock(NAMES + 1, months, turned=True),
        LagBlock(NAMES + 2 + months, months),
        LagBlock(NAMES + 3 + 2 * months, months),
    )


def from_entry_blocks(grid: Grid) -> tuple[LagBlock, LagBlock, LagBlock, LagBlock, LagBlock]:
    """Whole-month moves; composed delays, of whole months and of the plan month; both together, for the same two."""
    months = grid.flow_months
    return tuple(  # type: ignore[return-value]
        LagBlock(NAMES + 1 + place * (months + 1), months, turned=place in (0, 3)) for place in range(5)
    )


def write_to_won(writer: BookWriter) -> None:
    """Share of the wins 0, 1, 2, ... months after entry into each stage."""
    grid = writer.grid
    moves, composed, both = blocks = to_won_blocks(grid)
    heads = ("Whole months", "Composed in days", "Months to won")
    sheet = _delays(writer, TO_WON, "Delays from each stage to won", dict(zip(heads, blocks, strict=True)))
    for place, row in enumerate(grid.rows):
        at, lags = TOP + place, grid.cells[row.cell].lags[row.stage :]
        last = TOP + grid.place(row.cell, grid.cells[row.cell].won)
        _mask(sheet, at, (at, last - 1), lags)
        _moves(sheet, moves, at, lags, None if grid.is_won(row) else (at + 1, at))
        _composed(sheet, composed, at, row, lags)
        _both(sheet, (moves, composed, both), at, path_shares(lags))


def write_from_entry(writer: BookWriter) -> None:
    """Share of the arrivals at each stage 0, 1, 2, ... months after entry; for the plan month by itself, it may be a part."""
    grid = writer.grid
    moves, whole, part, both, both_part = blocks = from_entry_blocks(grid)
    heads = (
        "Whole months",
        "Composed, month",
        "Composed, plan month",
        "Months from entry",
        "Months from entry in the plan month",
    )
    sheet = _delays(writer, FROM_ENTRY, "Delays from entry to each stage", dict(zip(heads, blocks, strict=True)))
    for place, row in enumerate(grid.rows):
        at, lags = TOP + place, grid.cells[row.cell].lags[: row.stage]
        _mask(sheet, at, (at - row.stage, at - 1), lags)
        _moves(sheet, moves, at, lags, (at - 1, at - 1) if row.stage else None)
        _composed(sheet, whole, at, row, lags)
        _composed(sheet, part, at, row, lags, partial=True)
        _both(sheet, (moves, whole, both), at, path_shares(lags, 0.0))
        _both(sheet, (moves, part, both_part), at, path_shares(lags, grid.year.start))


def _delays(writer: BookWriter, name: str, what: str, blocks: Mapping[str, LagBlock]) -> Sheet:
    """A sheet of a row per stage of a cell, its names written, and the heads of blocks of months."""
    sheet = Sheet(writer, name, what, ["Calculation: moves by whole months x delays composed in days."])
    sheet.heads(TOP - 1, [*NAME_HEADS, "Combination"], words=3)
    for words, block in blocks.items():
        for month in range(block.months):
            sheet.text(TOP - 1, block.col(month), f"{words}: {month}", "number head")
    for place, row in enumerate(writer.grid.rows):
        names(sheet, TOP + place, row)
    sheet.widths(14, 14, 14, 5, 7)
    sheet.print_only(FEW_ROWS)
    sheet.freeze(TOP, NAMES)
    return sheet


def _mask(sheet: Sheet, at: int, steps: tuple[int, int], lags: tuple[Lag, ...]) -> None:
    """The number of the combination of delays that are composed in days."""
    grid = sheet.writer.grid
    kept = rate_cols(grid).kept
    bits = sum(grid.bit(grid.rows[row - TOP]) for row in range(steps[0], steps[1] + 1))
    formula = f"SUM({down(kept, *steps, RATES)})" if lags else "0"
    sheet.formula(at, MASK_COL, formula, bits, look="grey")


def _moves(sheet: Sheet, block: LagBlock, at: int, lags: tuple[Lag, ...], made_of: tuple[int, int] | None) -> None:
    """Moves by whole months: those of the row `made_of[0]` and of the step in row `made_of[1]`; none without."""
    grid = sheet.writer.grid
    values = padded(path_shift(lags), block.months)
    for month, value in enumerate(values):
        col = block.col(month)
        if made_of is None:
            sheet.number(at, col, float(value), SHARE)
            continue
        before, step = made_of
        most = min(month, grid.lag_months - 1)
        shares = across(step, LAG_COL, LAG_COL + most, RATES)
        moved = f"SUMPRODUCT({shares},{block.through(before, month - most, month)})"
        kept = fixed(step, rate_cols(grid).kept, RATES)
        sheet.formula(at, col, f"IF({kept}>0,{cell(before, col)},{moved})", float(value), SHARE)


def _composed(
    sheet: Sheet, block: LagBlock, at: int, row: StageRow, lags: tuple[Lag, ...], partial: bool = False
) -> None:
    grid = sheet.writer.grid
    start = grid.year.start if partial else 0.0
    base = grid.families[spread(grid.cells[row.cell].lags)]
    first, last = 1 + (_widest(grid) if partial else 0), TOP - 1 + sum(2 ** len(family) for family in grid.families)
    for month, value in enumerate(padded(path_shares(spread(lags), start), block.months)):
        if grid.lags_are_inputs:
            looked_up = down(first + month, TOP, last, COMPOSED)
            formula = f"INDEX({looked_up},${column(MASK_COL)}{at + 1}+{base + 1})"
            sheet.formula(at, block.col(month), formula, float(value), SHARE)
        else:
            sheet.number(at, block.col(month), float(value), SHARE)


def _both(sheet: Sheet, blocks: tuple[LagBlock, LagBlock, LagBlock], at: int, shares: np.ndarray) -> None:
    moves, composed, both = blocks
    for month, value in enumerate(padded(shares, both.months)):
        formula = f"SUMPRODUCT({composed.through(at, 0, month)},{moves.through(at, 0, month)})"
        sheet.formula(at, both.col(month), formula, float(value), SHARE)
