"""What sales did with a record: when it was given to somebody, given back and why, and every time somebody reached out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from revplan.crm.cells import UNKNOWN, Findings, ImportLine, Parsed, stripped
from revplan.crm.events import NEVER, NUMBER, moments_in, rows_set_aside
from revplan.crm.files import Tables, as_keys
from revplan.crm.mapping import MOMENTS, TOUCHES, column_of, file_of
from revplan.ground.errors import Fault, shown


@dataclass(frozen=True, eq=False)
class Touched:
    """Parallel arrays, by record and moment, a touch each: record number, moment, who and how where that is told."""

    record: np.ndarray
    at: np.ndarray
    who: np.ndarray
    kind: np.ndarray


def given_and_given_back(tables: Tables) -> Iterator[tuple[str, str, Parsed, object]]:
    """`close_on`, `assigned`, `rejected` and `rejected_reason` as far as the CRM file names them: key, column, values, missing."""
    crm = tables.source.crm
    for key in MOMENTS:
        if column := getattr(crm, key):
            yield key, column, tables.days(file_of(column), column_of(column)), NEVER
    if crm.rejected is None:
        return
    if crm.rejected.at:
        days = moments_in(tables, file_of(crm.rejected.at), crm.rejected)
        yield "rejected", crm.rejected.at, Parsed(days.values, days.found), NEVER
    if crm.rejected.reason:
        yield "rejected_reason", crm.rejected.reason, tables.labels(crm.rejected.reason), UNKNOWN


def read_touches(tables: Tables, records: pd.Index) -> tuple[Touched | None, Findings]:
    """The touches of `records`; those of others are set aside and counted, and a fault where all are of others."""
    touches = tables.source.crm.touches
    if touches is None:
        return None, Findings()
    cells = tables.cells(TOUCHES, touches.id or "")
    texts, filled, _ = stripped(cells)
    record = records.get_indexer(pd.Index(as_keys(texts).objects(), dtype=object))
    moments = tables.days(TOUCHES, touches.at or "")
    found = Findings(lines=tables.tables[TOUCHES].report(TOUCHES)) + moments.found
    aside = [("no id", ~filled), *tables.left_out(TOUCHES), ("no date", np.isnat(moments.values))]
    aside.append(("no record of that id", record < 0))
    kept, more = rows_set_aside(TOUCHES, [(why, rows, cells) for why, rows in aside])
    found += more
    if filled.any() and (record[filled] < 0).all():
        example, mine = (shown(each) for each in (cells.texts[int(np.argmax(filled))], records[0]))
        message = f"not one touch is of a record: {example!r}, say, where records are called {mine!r}; name the column with the record's id"
        found += Findings((Fault(tables.source.place((TOUCHES, "id")), message),))
    found += Findings(lines=(ImportLine(TOUCHES, "rows kept", int(kept.sum())),))
    order = np.flatnonzero(kept)
    order = order[np.lexsort((moments.values[order], record[order]))]
    who, kind = (_labels(tables, column, order) for column in (touches.who, touches.kind))
    return Touched(record[order].astype(NUMBER), moments.values[order], who, kind), found


def _labels(tables: Tables, column: str | None, rows: np.ndarray) -> np.ndarray:
    if column is None:
        return np.full(len(rows), UNKNOWN, dtype=object)
    return tables.labels(f"{TOUCHES}.{column}").values[rows]
