"""What came: the table of ARR movements and spend that the plan names."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from revplan.errors import DataError, Fault, shown
from revplan.history.cells import Cells, amounts
from revplan.history.csv_text import TextTable, read_csv
from revplan.history.findings import first_faults
from revplan.plan.model import Plan
from revplan.tables import columns, conform

MONTH = re.compile(r"[12][0-9]{3}-(0[1-9]|1[0-2])")
TABLE = "actuals"


def read_actuals(plan: Plan, folder: Path) -> pd.DataFrame | None:
    """Table actuals from the file that `plan` names; None where it names none. [plan currency]

    A cell left empty counts as 0.

    Raises
    ------
    DataError
        If the file cannot be read, a column is missing, or a value is no month or no amount.
    """
    if plan.actuals is None:
        return None
    text = read_csv(folder / plan.actuals)
    if missing := [each.name for each in columns(TABLE) if each.name not in text.header]:
        raise DataError.at(text.name, f"lacks the columns {', '.join(missing)}; it has {', '.join(text.header[:20])}")
    faults = _bad_months(text)
    found: dict[str, object] = {key: text.cells(key) for key in ("segment", "source")}
    for each in columns(TABLE):
        if each.kind == "money":
            parsed = amounts(Cells(text.name, each.name, text.cells(each.name), text.lines), None, text.separator)
            faults += parsed.found.faults
            found[each.name] = np.nan_to_num(parsed.values)
    if faults:
        raise DataError(faults)
    months = pd.PeriodIndex([cell.strip() for cell in text.cells("month")], freq="M")
    return conform(pd.DataFrame(found).assign(month=months), TABLE)


def _bad_months(text: TextTable) -> tuple[Fault, ...]:
    cells = text.cells("month")
    wrong = [row for row, cell in enumerate(cells) if not MONTH.fullmatch(cell.strip())]

    def fault(row: int) -> Fault:
        return Fault(f"{text.name} line {text.lines[row]}, month", f"got {shown(cells[row])!r}; write it like 2026-04")

    return first_faults(wrong, fault, "values that are no month")
