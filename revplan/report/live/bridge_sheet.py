"""The ARR bridge of the inputs, its open term solved."""

from __future__ import annotations

from revplan.plan.bridge import (
    HALF_A_CENT,
    LEVELS,
    MOST_NEXT_GROWTH,
    SIGNS,
    Bridge,
    next_year_growth,
    next_year_new_arr,
)
from revplan.plan.goal import Change
from revplan.report.live.address import cell
from revplan.report.live.desk import CENTS, RATE, RATIO, Desk, Sheet
from revplan.report.live.goal_sheets import CHANGES, WORDS
from revplan.report.live.grid import BRIDGE
from revplan.sheets import BRIDGE_TERMS


def write_bridge(desk: Desk) -> None:
    """closing = opening + new + expansion - contraction - churn, with its missing term solved."""
    bridge = desk.grid.year.bridge
    sheet = Sheet(
        desk,
        BRIDGE,
        "ARR bridge",
        ["closing = opening + new + expansion - contraction - churn; the term the plan leaves open is solved for."],
    )
    sheet.heads(sheet.top, ["Term", f"Amount ({desk.grid.plan.currency})", ""])
    first = sheet.top + 1
    at = {term: cell(first + place, 1) for place, term in enumerate(BRIDGE_TERMS)}
    for row, term in enumerate(BRIDGE_TERMS, first):
        sheet.text(row, 0, WORDS[term])
        _term(sheet, row, term, at)
    if bridge.opening_arr is not None and bridge.closing_arr is not None:
        made = f"{at['opening_arr']}+{at['new_arr']}+{at['expansion']}-{at['contraction']}-{at['churn']}"
        sides = (_sheeted(made, f"'{BRIDGE}'!"), f"'{BRIDGE}'!{at['closing_arr']}")
        words = "The bridge ties: opening + new + expansion - contraction - churn = closing"
        desk.check(words, sides, bridge.closing_arr, 1.01 * HALF_A_CENT)
    row = _retention(sheet, first + len(BRIDGE_TERMS) + 1, at, bridge)
    _next_year(sheet, row + 1, at)
    sheet.widths(34, 18, 60)
    sheet.freeze(sheet.top + 1, 1)


def _sheeted(formula: str, local: str) -> str:
    """A formula of plain cells for another sheet."""
    return "+".join(local + part.replace("-", "-" + local) for part in formula.split("+"))


def _term(sheet: Sheet, row: int, term: str, at: dict[str, str]) -> None:
    goal, value = sheet.desk.grid.plan.goal, getattr(sheet.desk.grid.year.bridge, term)
    if value is None:
        sheet.text(row, 1, "not given", "beside")
        return
    given = getattr(goal, term)
    if isinstance(given, Change):
        formula, how = _change(sheet.desk, term, given, at["opening_arr"])
    elif isinstance(given, float):
        formula, how = sheet.desk.at("goal", term), "as given"
    else:
        formula, how = f"MAX({_solution(sheet.desk, term, at)},0)", "solved for"
        below = f"MIN({_solution(sheet.desk, term, at, BRIDGE)},0)"
        sheet.desk.check(f"{WORDS[term]} does not solve to less than 0", (below, "0"), 0, HALF_A_CENT)
    sheet.formula(row, 1, formula, value, CENTS, "strong" if term in LEVELS else "")
    sheet.text(row, 2, how, "beside")
    sheet.result(term, row, 1, value)


def _change(desk: Desk, term: str, given: Change, opening: str) -> tuple[str, str]:
    form = next(iter(given.model_fields_set), "amount")
    cell_of, meaning = desk.at("goal", term, form), CHANGES[form][2]
    if given.periods is None:
        return cell_of, meaning
    return f"{opening}*({_yearly(term, given, cell_of)})", meaning


def _yearly(term: str, given: Change, cell_of: str) -> str:
    """The yearly rate of a shorter period's, compounded."""
    _, per_year = given.periods or (0.0, 1)
    if per_year == 1:
        return cell_of
    return f"(1+{cell_of})^{per_year}-1" if term == "expansion" else f"1-(1-{cell_of})^{per_year}"


def _solution(desk: Desk, missing: str, at: dict[str, str], sheet: str = "") -> str:
    """The formula of the term that the plan leaves open."""
    at = {term: f"'{sheet}'!{address}" if sheet else address for term, address in at.items()}
    if missing == "opening_arr":
        return _opening(desk, at)
    others = "".join(f"{'+' if SIGNS[term] > 0 else '-'}{at[term]}" for term in SIGNS if term != missing)
    if missing == "closing_arr":
        return f"{at['opening_arr']}{others}"
    known = f"({at['opening_arr']}{others})"
    return f"{at['closing_arr']}-{known}" if SIGNS[missing] > 0 else f"{known}-{at['closing_arr']}"


def _opening(desk: Desk, at: dict[str, str]) -> str:
    """Each rate is a share of opening ARR, so the bridge is linear in it."""
    goal, rest, slope = desk.grid.plan.goal, at["closing_arr"], "1"
    for term, sign in SIGNS.items():
        given = getattr(goal, term)
        minus, plus = ("-", "+") if sign > 0 else ("+", "-")
        if isinstance(given, Change) and given.periods is not None:
            slope += f"{plus}({_yearly(term, given, desk.at('goal', term, next(iter(given.model_fields_set))))})"
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
    goal, bridge = sheet.desk.grid.plan.goal, sheet.desk.grid.year.bridge
    given = sheet.desk.at("goal", "next_year_growth")
    growth = f"IF({at['opening_arr']}=0,0,MIN({at['closing_arr']}/{at['opening_arr']}-1,{MOST_NEXT_GROWTH:g}))"
    default = "0" if bridge.opening_arr is None else growth
    sheet.heads(row, ["Next year", "Assumed"])
    sheet.text(row + 1, 0, "Growth of new ARR")
    sheet.formula(row + 1, 1, f"IF(ISNUMBER({given}),{given},{default})", next_year_growth(goal, bridge), RATE)
    sheet.result("next_year_growth", row + 1, 1, next_year_growth(goal, bridge))
    sheet.text(row + 2, 0, "New ARR")
    sheet.formula(row + 2, 1, f"{at['new_arr']}*(1+{cell(row + 1, 1)})", next_year_new_arr(goal, bridge), CENTS)
    sheet.result("next_year_new_arr", row + 2, 1, next_year_new_arr(goal, bridge))
