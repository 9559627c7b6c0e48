"""The exhibit of the assumption log: who answers for what, and what asks for another look."""

from __future__ import annotations

from datetime import date

import pandas as pd

from revplan.assumptions import EXPIRED, FEW, FEW_RECORDS, assumption_log_table, thin_and_unlogged
from revplan.errors import shown
from revplan.formats import counted, kinds_of, show
from revplan.report.exhibit import Exhibit, table, text
from revplan.report.shared import of_year
from revplan.workbook import Workbook

LABELS = {
    "what": "Assumption",
    "value": "Value",
    "owner": "Owner",
    "source": "Rests on",
    "estimated_on": "Last estimated",
    "expires_on": "Holds until",
    "state": "State",
}


def assumption_log(book: Workbook, on: date | None = None) -> Exhibit:
    """Every logged assumption with owner, source and expiry, as it stands on a day.

    Parameters
    ----------
    book
        The computed workbook.
    on
        The day; the plan date if left out.
    """
    day = on or book.plan.plan_date
    frame = assumption_log_table(book.plan, day)
    if frame.empty:
        return text("No assumption is logged: add `assumptions` to the plan file, each with an owner and an expiry.")
    order = frame["state"].str.contains(EXPIRED).sort_values(ascending=False, kind="stable").index
    kinds = kinds_of("assumption_log")
    rows = frame.assign(source=_rests_on(frame), state=_states(frame)).loc[order, list(LABELS)]
    kept = {name: kinds[name] for name in LABELS}
    made = table(rows, kept, _message(frame, day), labels=LABELS, notes=_thin(book))
    return made.sharing(of_year(book.plan, "assumptions_logged", float(len(frame))))


def _rests_on(frame: pd.DataFrame) -> list[str]:
    """Source and note in one column: the page is not wide enough for two."""
    return [": ".join(filter(None, pair)) for pair in zip(frame["source"], frame["note"], strict=True)]


def _states(frame: pd.DataFrame) -> list[str]:
    """The state, with the number of records where they are few."""
    return [
        state.replace(FEW, counted(evidence, "record"))
        for state, evidence in zip(frame["state"], frame["evidence"], strict=True)
    ]


def _message(frame: pd.DataFrame, day: date) -> str:
    expired, few = (int(frame["state"].str.contains(state).sum()) for state in (EXPIRED, FEW))
    log = "of the assumption log"
    entries = counted(len(frame), f"entry {log} has", f"entries {log} have")
    held = f"{entries} an owner; {expired or 'none'} had expired on {show(day, 'date')}"
    rest = "rests" if few == 1 else "rest"
    return f"{held}, and {few or 'none'} {rest} on fewer than {FEW_RECORDS:.0f} records."


def _thin(book: Workbook) -> list[str]:
    """Rates on few records that nobody answers for."""
    thin = thin_and_unlogged(book.plan)
    cells = [" x ".join(shown(name) for name in (each.segment, each.source) if name) or "all" for each in thin]
    steps = [f"{each.from_stage} to {each.to_stage} ({cell})" for each, cell in zip(thin, cells, strict=True)]
    more = f" and {len(steps) - 5} more" if len(steps) > 5 else ""
    return [f"On few records, and not in the log: {', '.join(steps[:5])}{more}."] if steps else []
