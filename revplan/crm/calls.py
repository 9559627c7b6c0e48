"""Calls: who said on which day what new ARR a quarter would bring, in a table that the plan names."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from revplan.crm.cells import Findings
from revplan.crm.sheets import Asked, FoundTable, read_sheet
from revplan.ground.calendar import MONTHS_PER_QUARTER, quarter_id, quarter_label, quarter_short
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.tablefile import TableFile
from revplan.ground.tables import conform
from revplan.plan.model import Plan

COLUMNS = (
    Asked("made_on", "day", ("date", "day", "on", "datum")),
    Asked("who", "text", ("by", "name", "team", "wer")),
    Asked("quarter", "text", ("period", "quartal", "trimestre")),
    Asked("number", "money", ("call", "amount", "forecast", "new arr", "arr", "betrag", "montant")),
)
YEARS_BACK, YEARS_AHEAD = 12, 2  # from the plan's year, of which a call may be


def read_calls(where: TableFile, folder: Path, plan: Plan) -> pd.DataFrame:
    """Table calls: who said on which day what new ARR a quarter would bring. [plan currency]

    Raises
    ------
    DataError
        With every fault of the file: unreadable cells, quarters there are not, calls made after the quarter was over.
    """
    sheet = read_sheet(where, folder, COLUMNS, "calls", home=plan.currency)
    table = sheet.table
    filled = quarters_by_name(plan)
    starts = [filled.get(squeezed(text)) for text in table["quarter"]]
    ends = np.array([_end(each) if each is not None else "NaT" for each in starts], dtype="datetime64[D]")
    made = table["made_on"].to_numpy().astype("datetime64[D]")
    example = quarter_id(0, plan.first_month)
    again = table.assign(quarter=[str(each) for each in starts]).duplicated(["made_on", "who", "quarter"])
    sheet.sound(
        sheet.faults_at("made_on", np.isnat(made), "is empty; write the day of the call", "calls without a day"),
        sheet.faults_at("who", table["who"] == "", "is empty; write who called it", "calls of nobody"),
        sheet.faults_at("number", table["number"].isna(), "is empty; write the new ARR that was called", "calls without a number"),
        sheet.faults_at("number", table["number"] < 0, "is below 0; new ARR of a quarter is not", "calls below 0"),
        sheet.faults_at("quarter", [each is None for each in starts], f"is no quarter of the plan's fiscal years; write it as {example}", "calls of no quarter"),
        sheet.faults_at("made_on", made > ends, "lies after the quarter's last day: a call is made before", "calls made too late"),
        sheet.faults_at("made_on", again & ~np.isnat(made), "repeats the call of the same day, person and quarter; keep one", "calls made twice"),
        _two_currencies(sheet, plan),
    )  # fmt: skip
    first = plan.first_month
    ids = [quarter_id((each - first).n // MONTHS_PER_QUARTER, first) for each in starts if each is not None]
    return conform(table.assign(quarter=pd.Series(ids, dtype="str"), who=table["who"].str.strip()), "calls")


def call_faults(plan: Plan, folder: Path) -> tuple[Fault, ...]:
    """What is wrong with the calls that a plan names, where it names some."""
    try:
        if plan.calls is not None:
            read_calls(plan.calls, folder, plan)
    except DataError as error:
        return error.faults
    return ()


def _two_currencies(sheet: FoundTable, plan: Plan) -> Findings:
    others = [code for code in sheet.signs if plan.currency and code != plan.currency]
    wrong = np.full(len(sheet.table), bool(others))
    message = f"is in {', '.join(map(shown, others))}, the plan in {plan.currency}; give calls: {{path: ..., rates: {{{others[0] if others else ''}: ...}}}}"
    return sheet.faults_at("number", wrong, message, "calls in another currency")


def squeezed(text: str) -> str:
    """A quarter's name by its letters and digits."""
    return "".join(c for c in text.casefold() if c.isalnum())


def quarters_by_name(plan: Plan) -> dict[str, pd.Period]:
    """Every way to write a quarter of the plan's fiscal years -> its first month."""
    first, names = plan.first_month, plan.fiscal_year.names
    found: dict[str, pd.Period] = {}
    for index in range(-4 * YEARS_BACK, 4 * YEARS_AHEAD):
        begin = first + MONTHS_PER_QUARTER * index
        year, number = quarter_id(index, first).split("-")
        written = [
            f"{year}-{number}",
            f"{year} {number}",
            quarter_short(index, first, names),
            quarter_label(index, first, names),
        ]
        written += [f"{number} {year}"] if first.month == 1 else []
        found.update(dict.fromkeys(map(squeezed, written), begin))
    return found


def _end(begin: pd.Period) -> np.datetime64:
    last: date = (begin + MONTHS_PER_QUARTER - 1).end_time.date()
    return np.datetime64(last)
