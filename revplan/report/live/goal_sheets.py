"""The inputs of goal, phasing, segments and sources."""

from __future__ import annotations

from revplan.plan.goal import SHARE_TOLERANCE, Change
from revplan.report.live.address import cell
from revplan.report.live.desk import (
    AMOUNTS,
    MONEY,
    PRICES,
    RATE,
    SHARE,
    SHARES,
    Desk,
    Place,
    Rule,
    Sheet,
)
from revplan.report.live.grid import INPUTS
from revplan.sheets import BRIDGE_TERMS

GROWTH = Rule("A growth above -1 (-100%), up to 10. Empty: ARR grows at this year's rate.", -0.999999, 10, True)
YEARLY = Rule("A share of opening ARR in a year: 0 to 10.", 0, 10)
PERIODIC = Rule("A share of opening ARR in the period: 0 to 1.", 0, 1)
CEILING = Rule("Entries a month, 0 or more.", 0, 1e12, True)
LIMIT = Rule("Growth from month to month: 0 to 100 (0.05 is 5%).", 0, 100, True)
COST = Rule("Cost of an entry, 0 or more; empty: unpriced, which is not free.", 0, 1e9, True)
CHANGES = {
    "amount": (MONEY, AMOUNTS, "amount over the year"),
    "rate": (RATE, YEARLY, "share of opening ARR in the year"),
    "quarterly_rate": (RATE, PERIODIC, "share in a quarter, compounded over four"),
    "monthly_rate": (RATE, PERIODIC, "share in a month, compounded over twelve"),
}
WORDS = {
    "opening_arr": "Opening ARR",
    "new_arr": "New ARR",
    "expansion": "Expansion",
    "contraction": "Contraction",
    "churn": "Churn",
    "closing_arr": "Closing ARR",
}
SOLVED_FOR = "solved for: see Bridge"


def write_inputs(desk: Desk) -> None:
    """The sheet of the goal, its phasing, the segments and the sources."""
    sheet = Sheet(
        desk,
        INPUTS,
        "Inputs",
        ["Change what is coloured; everything else follows. Rates and delays have a sheet of their own."],
    )
    row = _goal(sheet, sheet.top)
    row = _phasing(sheet, row + 1)
    row = _segments(sheet, row + 1)
    _sources(sheet, row + 1)
    sheet.widths(30, 16, 16, 16, 16, 16)
    sheet.freeze(1, 1)


def _goal(sheet: Sheet, row: int) -> int:
    goal = sheet.desk.grid.plan.goal
    sheet.heads(row, ["Goal", "Value", ""])
    for term in BRIDGE_TERMS:
        row += 1
        sheet.text(row, 0, WORDS[term])
        value = getattr(goal, term)
        if isinstance(value, Change):
            form = next(iter(value.model_fields_set), "amount")
            kind, rule, meaning = CHANGES[form]
            sheet.input((row, 1), getattr(value, form), kind, rule, (("goal", term, form), f"{WORDS[term]}, {meaning}"))
            sheet.text(row, 2, meaning, "beside")
        elif isinstance(value, float):
            sheet.input((row, 1), value, MONEY, AMOUNTS, (("goal", term), WORDS[term]))
        else:
            sheet.text(row, 1, SOLVED_FOR, "beside")
    row += 1
    sheet.text(row, 0, "Growth of new ARR next year")
    sheet.input(
        (row, 1), goal.next_year_growth, SHARE, GROWTH, (("goal", "next_year_growth"), "Growth of new ARR next year")
    )
    sheet.text(row, 2, "empty: ARR grows at this year's rate", "beside")
    return row + 1


def _phasing(sheet: Sheet, row: int) -> int:
    grid = sheet.desk.grid
    sheet.heads(row, ["Phasing", "Share of the year"])
    first = row + 1
    for at, share in enumerate(grid.plan.goal.phasing.by_month()):
        month = grid.month(at)
        sheet.month(first + at, 0, month, "")
        sheet.input((first + at, 1), share, SHARE, SHARES, (("goal", "phasing", at), f"Phasing, {month}"))
    _share_sum(sheet, first + 12, 1, first, "Months' shares of the year")
    return first + 13


def _share_sum(sheet: Sheet, row: int, col: int, first: int, what: str) -> None:
    """The sum of the shares above, which is to be 1."""
    sheet.text(row, 0, "Sum", "total")
    total = f"SUM({cell(first, col)}:{cell(row - 1, col)})"
    values = [
        each.value or 0.0
        for each in sheet.desk.inputs.values()
        if (each.sheet, each.col) == (INPUTS, col) and first <= each.row < row
    ]
    sheet.formula(row, col, total, sum(values), SHARE, "total")
    sheet.desk.check(f"{what} sum to 1", (sheet.ref(row, col), "1"), 1, SHARE_TOLERANCE * 1.01)


def _segments(sheet: Sheet, row: int) -> int:
    sheet.heads(row, ["Segment", "Share of new ARR", "ACV (mean deal)"])
    first = row + 1
    for row, (name, segment) in enumerate(sheet.desk.grid.plan.segments.items(), first):
        sheet.text(row, 0, name)
        _share(sheet, (row, 1), segment.share, (("segments", name, "share"), f"Segment {name}, share"))
        sheet.input((row, 2), segment.acv.mean, MONEY, PRICES, (("segments", name, "acv"), f"Segment {name}, ACV"))
    _share_sum(sheet, row + 1, 1, first, "Segments' shares")
    return row + 2


def _share(sheet: Sheet, at: tuple[int, int], share: float, known: tuple[Place, str]) -> None:
    """A share; none at all is no input, for what brings nothing has no rows in this workbook."""
    if share > 0:
        sheet.input(at, share, SHARE, SHARES, known)
    else:
        sheet.number(*at, share, SHARE, "grey")


def _sources(sheet: Sheet, row: int) -> None:
    """Sources: what is alike for all segments first, then the share of each segment."""
    plan = sheet.desk.grid.plan
    sheet.heads(
        row, ["Source", "Share, all segments", "Cost per entry", "Most a month", "Most growth a month", "Owner"]
    )
    sheet.heads(row, [f"Share of {name}" for name in plan.segments], 6)
    first = row + 1
    for row, (name, source) in enumerate(plan.sources.items(), first):
        sheet.text(row, 0, name)
        limits = (
            ("cost_per_entry", source.cost_per_entry, MONEY, COST),
            ("max_per_month", source.max_per_month, MONEY, CEILING),
            ("max_growth", source.max_growth, SHARE, LIMIT),
        )
        for col, (key, value, kind, rule) in enumerate(limits, 2):
            sheet.input(
                (row, col), value, kind, rule, (("sources", name, key), f"Source {name}, {key.replace('_', ' ')}")
            )
        sheet.text(row, 5, source.owner, "beside")
        _source_shares(sheet, row, name)
    for col, segment in enumerate(plan.segments, 6):
        total = sum(source.share_of(segment) for source in plan.sources.values())
        sheet.formula(row + 1, col, f"SUM({cell(first, col)}:{cell(row, col)})", total, SHARE, "total")
        known = f"Sources' shares of {segment} sum to 1"
        sheet.desk.check(known, (sheet.ref(row + 1, col), "1"), 1, SHARE_TOLERANCE * 1.01)
    sheet.text(row + 1, 0, "Sum", "total")
    sheet.text(
        row + 3,
        0,
        "A share of 0 is no input: a pair of segment and source that brings nothing has no rates here. Raise it in the plan file.",
        "grey",
    )


def _source_shares(sheet: Sheet, row: int, name: str) -> None:
    source = sheet.desk.grid.plan.sources[name]
    by_segment = isinstance(source.share, dict)
    if not by_segment:
        _share(sheet, (row, 1), source.share_of(""), (("sources", name, "share"), f"Source {name}, share"))
    for col, segment in enumerate(sheet.desk.grid.plan.segments, 6):
        if by_segment:
            what = f"Source {name}, share of {segment}"
            _share(sheet, (row, col), source.share_of(segment), (("sources", name, "share", segment), what))
        else:
            sheet.formula(row, col, cell(row, 1), source.share_of(segment), SHARE)


def source_share(desk: Desk, name: str, segment: str) -> str:
    """Address of the share that a source has of a segment."""
    by_segment = isinstance(desk.grid.plan.sources[name].share, dict)
    return desk.at("sources", name, "share", *([segment] if by_segment else []))
