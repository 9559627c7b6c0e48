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
        Table cell_values of the plan: ARR per entry by segment, source and stage.
    """
    rows = [_row(_at(promised, name, stage), _at(came, name, stage), span, worth) for name, stage in entered.items()]
    frame = pd.DataFrame(rows, columns=["promised", "came", "gap", "worth"])
    frame.insert(0, "source", list(entered))
    frame.insert(1, "stage", list(entered.values()))
    return conform(frame, "promise_by_source")


def _at(flow: pd.DataFrame, source: str, stage: str) -> pd.DataFrame:
    return flow[(flow["source"] == source) & (flow["stage"] == stage)]


def _row(promised: pd.DataFrame, came: pd.DataFrame, span: Span, worth: pd.DataFrame) -> tuple[float, ...]:
    asked, happened = counted(promised, span, "entries"), total(came, span, "entries")
    per_cell = worth.set_index(["segment", "source", "stage"])["value_per_entry"]
    gaps = {
        key: total(came[came["segment"] == key[0]], span, "entries")
        - counted(promised[promised["segment"] == key[0]], span, "entries")
        for key in per_cell.index
        if key[1:] in set(zip(promised["source"], promised["stage"], strict=True))
    }
    return asked, happened, happened - asked, sum(gap * float(per_cell[key]) for key, gap in gaps.items())
