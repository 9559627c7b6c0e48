"""Which source is behind, and what that is worth."""

from __future__ import annotations

import pandas as pd

from revplan.tables import conform
from revplan.tracking.periods import Span
from revplan.tracking.promise import counted, total


def promise_by_source(
    promised: pd.DataFrame, came: pd.DataFrame, span: Span, entered: dict[str, str], worth: pd.DataFrame
) -> pd.DataFrame:
    """Table promise_by_source: entries of each source where it enters, and the ARR its gap is worth.

    Parameters
    ----------
    promised, came
        Table flow of the plan and of the records.
    span
        The period.
    entered
        Source -> the stage where its records enter.
    worth
        Table cell_values of the plan: ARR per entry by segment, source and stage. Entries of other cells are
        counted, and worth nothing.
    """
    rows = [
        _source_row(_at(promised, name, stage), _at(came, name, stage), _at(worth, name, stage), span)
        for name, stage in entered.items()
    ]
    frame = pd.DataFrame(rows, columns=["promised", "came", "gap", "worth"])
    frame.insert(0, "source", list(entered))
    frame.insert(1, "stage", list(entered.values()))
    return conform(frame, "promise_by_source")


def _at(table: pd.DataFrame, source: str, stage: str) -> pd.DataFrame:
    return table[(table["source"] == source) & (table["stage"] == stage)]


def _source_row(promised: pd.DataFrame, came: pd.DataFrame, worth: pd.DataFrame, span: Span) -> tuple[float, ...]:
    asked, happened = counted(promised, span, "entries"), total(came, span, "entries")
    worths = (
        row.value_per_entry
        * (total(_of(came, row.segment), span, "entries") - counted(_of(promised, row.segment), span, "entries"))
        for row in worth.itertuples()
    )
    return asked, happened, happened - asked, sum(worths)


def _of(flow: pd.DataFrame, segment: str) -> pd.DataFrame:
    return flow[flow["segment"] == segment]
