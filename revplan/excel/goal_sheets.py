"""The inputs of goal, phasing, segments and sources.

The ARR bridge of the inputs, its open term solved.
"""

from __future__ import annotations

from revplan.excel.address import cell
from revplan.excel.grid import BRIDGE, INPUTS
from revplan.excel.writer import (
    AMOUNTS,
    CENTS,
    MONEY,
    PRICES,
    RATE,
    RATIO,
    SHARE,
    SHARES,
    BookWriter,
    InputPlace,
    Rule,
    Sheet,
)
from revplan.exhibits.charts import TITLES
from revplan.funnel.tables import BRIDGE_TERMS, BRIDGE_TIES
from revplan.plan.goal import (
    HALF_A_CENT,
    LEVELS,
    MOST_NEXT_GROWTH,
    SHARE_TOLERANCE,
    SIGNS,
    ArrChange,
    Bridge,
    next_year_growth,
    next_year_new_arr,
)

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
WORDS = {term: f"{title} ARR" if term in LEVELS else title for term, title in TITLES.items()}
SOLVED_FOR = "solved for: see Bridge"


def write_inputs(writer: BookWriter) -> None:
    """The sheet of the goal, its phasing, the segments and the sources."""
    about = "Change what is coloured; everything else follows. Rates and delays have a sheet of their own."
    sheet = Sheet(writer, INPUTS, "Inputs", [about])
    row = _goal(sheet, sheet.top)
    row = _phasing(sheet, row + 1)
    row = _segments(sheet, row + 1)
    _sources(sheet, row + 1)
    sheet.widths(30, 16, 16, 16, 16, 16)
    sheet.freeze(1, 1)


def _goal(sheet: Sheet, row: int) -> int:
    goal = sheet.writer.grid.plan.goal
    sheet.heads(row, ["Goal", "Value", ""])
    for term in BRIDGE_TERMS:
        row += 1
        sheet.text(row, 0, WORDS[term])
        value = getattr(goal, term)
        if isinstance(value, ArrChange):
            form = next(iter(value.model_fields_set), "amount")
            kind, rule, meaning = CHANGES[form]
            sheet.input((row, 1), getattr(value, form), kind, rule, (("goal", term, form), f"{WORDS[term]}, {meaning}"))
            sheet.text(row, 2, meaning, "beside")
        elif isinstance(value, float):
            sheet.input((row, 1), value, MONEY, AMOUNTS, (("goal", term), WORDS[term]))
        else:
            sheet.text(row, 1, SOLVED_FOR, "beside")
    row, growth = row + 1, "Growth of new ARR next year"
    sheet.text(row, 0, growth)
    sheet.input((row, 1), goal.next_year_growth, SHARE, GROWTH, (("goal", "next_year_growth"), growth))
    sheet.text(row, 2, "empty: ARR grows at this year's rate", "beside")
    return row + 1


def _phasing(sheet: Sheet, row: int) -> int:
    grid = sheet.writer.grid
    sheet.heads(row, ["Phasing", "Share of the year"])
    first, shares = row + 1, grid.plan.goal.phasing.by_month()
    for at, share in enumerate(shares):
        month = grid.month(at)
        sheet.month(first + at, 0, month, "")
        sheet.input((first + at, 1), share, SHARE, SHARES, (("goal", "phasing", at), f"Phasing, {month}"))
    _share_sum(sheet, (first, first + 12, 1), "Months' shares of the year", sum(shares))
    return first + 13


def _share_sum(sheet: Sheet, at: tuple[int, int, int], what: str, total: float) -> None:
    """The sum of the shares in a column from a row to the one before another, where it stands; it is to be 1."""
    first, row, col = at
    sheet.text(row, 0, "Sum", "total")
    sheet.formula(row, col, f"SUM({cell(first, col)}:{cell(row - 1, col)})", total, SHARE, "total")
    sheet.writer.check(f"{what} sum to 1", (sheet.ref(row, col), "1"), 1, SHARE_TOLERANCE * 1.01)


def _segments(sheet: Sheet, row: int) -> int:
    sheet.heads(row, ["Segment", "Share of new ARR", "ACV (mean deal)"])
    first, segments = row + 1, sheet.writer.grid.plan.segments
    for row, (name, segment) in enumerate(segments.items(), first):
        sheet.text(row, 0, name)
        _share(sheet, (row, 1), segment.share, (("segments", name, "share"), f"Segment {name}, share"))
        sheet.input((row, 2), segment.acv.mean, MONEY, PRICES, (("segments", name, "acv"), f"Segment {name}, ACV"))
    total = sum(segment.share for segment in segments.values())
    _share_sum(sheet, (first, row + 1, 1), "Segments' shares", total)
    return row + 2


def _share(sheet: Sheet, at: tuple[int, int], share: float, given: tuple[InputPlace, str]) -> None:
    """A share; none at all is no input, for what brings nothing has no rows in this workbook."""
    if share > 0:
        sheet.input(at, share, SHARE, SHARES, given)
    else:
        sheet.number(*at, share, SHARE, "grey")


def _sources(sheet: Sheet, row: int) -> None:
    """Sources: what is alike for all segments first, then the share of each segment."""
    plan = sheet.writer.grid.plan
    heads = ["Source", "Share, all segments", "Cost per entry", "Most a month", "Most growth a month", "Owner"]
    sheet.heads(row, [*heads, *(f"Share of {name}" for name in plan.segments)])
    first = row + 1
    for row, (name, source) in enumerate(plan.sources.items(), first):
        sheet.text(row, 0, name)
        limits = (
            ("cost_per_entry", source.cost_per_entry, MONEY, COST),
            ("max_per_month", source.max_per_month, MONEY, CEILING),
            ("max_growth", source.max_growth, SHARE, LIMIT),
        )
        for col, (key, value, kind, rule) in enumerate(limits, 2):
            words = f"Source {name}, {key.replace('_', ' ')}"
            sheet.input((row, col), value, kind, rule, (("sources", name, key), words))
        sheet.text(row, 5, source.owner, "beside")
        _source_shares(sheet, row, name)
    for col, segment in enumerate(plan.segments, 6):
        total = sum(source.share_of(segment) for source in plan.sources.values())
        _share_sum(sheet, (first, row + 1, col), f"Sources' shares of {segment}", total)
    note = "A share of 0 is no input: a pair of segment and source that brings nothing has no rates here. Raise it in the plan file."
    sheet.text(row + 3, 0, note, "grey")


def _source_shares(sheet: Sheet, row: int, name: str) -> None:
    source = sheet.writer.grid.plan.sources[name]
    by_segment = isinstance(source.share, dict)
    if not by_segment:
        _share(sheet, (row, 1), source.share_of(""), (("sources", name, "share"), f"Source {name}, share"))
    for col, segment in enumerate(sheet.writer.grid.plan.segments, 6):
        if by_segment:
            what = f"Source {name}, share of {segment}"
            _share(sheet, (row, col), source.share_of(segment), (("sources", name, "share", segment), what))
        else:
            sheet.formula(row, col, cell(row, 1), source.share_of(segment), SHARE)


def source_share(writer: BookWriter, name: str, segment: str) -> str:
    """Address of the share that a source has of a segment."""
    by_segment = isinstance(writer.grid.plan.sources[name].share, dict)
    return writer.at("sources", name, "share", *([segment] if by_segment else []))


def write_bridge(writer: BookWriter) -> None:
    """closing = opening + new + expansion - contraction - churn, with its missing term solved."""
    bridge = writer.grid.year.bridge
    about = "closing = opening + new + expansion - contraction - churn; the term the plan leaves open is solved for."
    sheet = Sheet(writer, BRIDGE, "ARR bridge", [about])
    sheet.heads(sheet.top, ["Term", f"Amount ({writer.grid.plan.currency})", ""])
    first = sheet.top + 1
    at = {term: cell(first + place, 1) for place, term in enumerate(BRIDGE_TERMS)}
    for row, term in enumerate(BRIDGE_TERMS, first):
        sheet.text(row, 0, WORDS[term])
        _term(sheet, row, term, at)
    if bridge.opening_arr is not None and bridge.closing_arr is not None:
        on = {term: f"'{BRIDGE}'!{address}" for term, address in at.items()}
        made = f"{on['opening_arr']}+{on['new_arr']}+{on['expansion']}-{on['contraction']}-{on['churn']}"
        writer.check(BRIDGE_TIES, (made, on["closing_arr"]), bridge.closing_arr, 1.01 * HALF_A_CENT)
    row = _retention(sheet, first + len(BRIDGE_TERMS) + 1, at, bridge)
    _next_year(sheet, row + 1, at)
    sheet.widths(34, 18, 60)
    sheet.freeze(sheet.top + 1, 1)


def _term(sheet: Sheet, row: int, term: str, at: dict[str, str]) -> None:
    goal, value = sheet.writer.grid.plan.goal, getattr(sheet.writer.grid.year.bridge, term)
    if value is None:
        sheet.text(row, 1, "not given", "beside")
        return
    given = getattr(goal, term)
    if isinstance(given, ArrChange):
        formula, how = _change(sheet.writer, term, given, at["opening_arr"])
    elif isinstance(given, float):
        formula, how = sheet.writer.at("goal", term), "as given"
    else:
        formula, how = f"MAX({_solution(sheet.writer, term, at)},0)", "solved for"
        below = f"MIN({_solution(sheet.writer, term, at, BRIDGE)},0)"
        sheet.writer.check(f"{WORDS[term]} does not solve to less than 0", (below, "0"), 0, HALF_A_CENT)
    sheet.formula(row, 1, formula, value, CENTS, "strong" if term in LEVELS else "")
    sheet.text(row, 2, how, "beside")
    sheet.result(term, row, 1, value)


def _change(writer: BookWriter, term: str, given: ArrChange, opening: str) -> tuple[str, str]:
    form = next(iter(given.model_fields_set), "amount")
    cell_of, meaning = writer.at("goal", term, form), CHANGES[form][2]
    if given.periods is None:
        return cell_of, meaning
    return f"{opening}*({_yearly(term, given, cell_of)})", meaning


def _yearly(term: str, given: ArrChange, cell_of: str) -> str:
    """The yearly rate of a shorter period's, compounded."""
    _, per_year = given.periods or (0.0, 1)
    if per_year == 1:
        return cell_of
    return f"(1+{cell_of})^{per_year}-1" if term == "expansion" else f"1-(1-{cell_of})^{per_year}"


def _solution(writer: BookWriter, missing: str, at: dict[str, str], sheet: str = "") -> str:
    """The formula of the term that the plan leaves open."""
    at = {term: f"'{sheet}'!{address}" if sheet else address for term, address in at.items()}
    if missing == "opening_arr":
        return _opening(writer, at)
    others = "".join(f"{'+' if SIGNS[term] > 0 else '-'}{at[term]}" for term in SIGNS if term != missing)
    if missing == "closing_arr":
        return f"{at['opening_arr']}{others}"
    given = f"({at['opening_arr']}{others})"
    return f"{at['closing_arr']}-{given}" if SIGNS[missing] > 0 else f"{given}-{at['closing_arr']}"


def _opening(writer: BookWriter, at: dict[str, str]) -> str:
    """Each rate is a share of opening ARR, so the bridge is linear in it."""
    goal, rest, slope = writer.grid.plan.goal, at["closing_arr"], "1"
    for term, sign in SIGNS.items():
        given = getattr(goal, term)
        minus, plus = ("-", "+") if sign > 0 else ("+", "-")
        if isinstance(given, ArrChange) and given.periods is not None:
            slope += f"{plus}({_yearly(term, given, writer.at('goal', term, next(iter(given.model_fields_set))))})"
        else:
            rest += f"{minus}{at[term]}"
    return f"({rest})/({slope})"


def _retention(sheet: Sheet, row: int, at: dict[str, str], bridge: Bridge) -> int:
    """The three retention rates, where opening ARR is known."""
    opening = at["opening_arr"]
    kept = {
        "grr": ("Gross retention (GRR)", f"{opening}-{at['contraction']}-{at['churn']}"),
        "grr_churn_only": ("GRR without contraction", f"{opening}-{at['churn']}"),
        "nrr": ("Net retention (NRR)", f"{opening}+{at['expansion']}-{at['contraction']}-{at['churn']}"),
    }
    sheet.heads(row, ["Retention", "Share of opening ARR"])
    for name, (words, formula) in kept.items():
        row += 1
        sheet.text(row, 0, words)
        value = getattr(bridge, name)
        if value is None:
            sheet.text(row, 1, "not given", "beside")
            continue
        sheet.formula(row, 1, f'IF({opening}=0,"",({formula})/{opening})', value, RATIO)
        sheet.result(name, row, 1, value)
    return row + 1


def _next_year(sheet: Sheet, row: int, at: dict[str, str]) -> None:
    goal, bridge = sheet.writer.grid.plan.goal, sheet.writer.grid.year.bridge
    given = sheet.writer.at("goal", "next_year_growth")
    growth = f"IF({at['opening_arr']}=0,0,MIN({at['closing_arr']}/{at['opening_arr']}-1,{MOST_NEXT_GROWTH:g}))"
    default = "0" if bridge.opening_arr is None else growth
    sheet.heads(row, ["Next year", "Assumed"])
    sheet.text(row + 1, 0, "Growth of new ARR")
    sheet.formula(row + 1, 1, f"IF(ISNUMBER({given}),{given},{default})", next_year_growth(goal, bridge), RATE)
    sheet.result("next_year_growth", row + 1, 1, next_year_growth(goal, bridge))
    sheet.text(row + 2, 0, "New ARR")
    sheet.formula(row + 2, 1, f"{at['new_arr']}*(1+{cell(row + 1, 1)})", next_year_new_arr(goal, bridge), CENTS)
    sheet.result("next_year_new_arr", row + 2, 1, next_year_new_arr(goal, bridge))
