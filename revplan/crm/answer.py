"""What `revplan check` says of a CRM file: how its files were read, what is in them, and lists loaded at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from revplan.crm.cells import ImportLine
from revplan.crm.counted import Counted
from revplan.crm.mapping import EVERY
from revplan.crm.records import History, closed_undated, read_export
from revplan.crm.today import last_day
from revplan.ground.calendar import days_of
from revplan.ground.cohorts import LOADED, LOADED_RECORDS
from revplan.ground.errors import shown
from revplan.ground.formats import show

READ, ASIDE, KEPT = "rows read", "set aside: ", "kept"
QUIET = ("empty cells", "rows kept", KEPT)  # of no consequence for how figures are read


def check_crm(
    path: Path, as_of: date | None = None, today: date | None = None, cells_to: Path | None = None
) -> tuple[dict[str, Any], str]:
    """What the files of a CRM file hold: the answer for `--json`, and the import report.

    Everything the files know by `today` is counted, or what they knew by the end of `as_of`; `as_of` of the answer is
    the day that rates and forecasts count to unless they are told another. Where that is an earlier one, the counts of
    it stand beside the others as `counts_as_of`, and a note holds both. The cells that cannot be read are written to
    `cells_to`, where it is given.

    Raises
    ------
    DataError
        If a file is at fault (each fault with its line), or no record can be used.
    """
    export = read_export(path, cells_to, today)
    counted_to = as_of or last_day(export.raw.events, export.today)
    history, usual = export.on(counted_to), export.on(as_of)
    answer = {"as_of": str(usual.as_of), **_counts(history), **_lines(history.report)}
    notes = [*history.notes, *load_notes(history)]
    if usual.as_of != counted_to:
        answer["counts_as_of"] = _counts(usual)
        notes.append(
            f"Counted here to {show(counted_to, 'date')}, the last day the files know of: {_ended(answer)}. Rates and forecasts "
            f"count to {show(usual.as_of, 'date')}, after which new records stop coming in: {_ended(answer['counts_as_of'])}. "
            "--as-of says otherwise."
        )
    answer["notes"] = [*notes, *answer["notes"]]
    return answer, _text(path, answer, history)


def _counts(history: History) -> dict[str, Any]:
    entered = history.stage_history.groupby("stage", sort=False).size()
    records = history.records
    won_ids = history.stage_history.loc[history.stage_history["stage"] == history.stages[-1], "record"]
    won = records["record"].isin(won_ids)
    lost = records["lost_on"].notna()
    undated = closed_undated(records)
    return {
        "records": len(records),
        "entered": {stage: int(entered.get(stage, 0)) for stage in history.stages},
        "open": int((~won & ~lost & ~undated).sum()),
        "lost": int(lost.sum()),
        "closed_without_day": int(undated.sum()),
        "amount_won": float(records.loc[won, "amount"].sum()) if pd.notna(records["amount"]).any() else None,
    }


def _lines(report: tuple[ImportLine, ...]) -> dict[str, Any]:
    files = [line for line in report if line.what == READ]
    aside = [line for line in report if line.what.startswith(ASIDE)]
    others = [line for line in report if line not in (*files, *aside) and line.what not in QUIET]
    return {
        "files": [
            {"path": line.example.partition(": ")[0], "rows": line.count, "how": line.example.partition(": ")[2]}
            for line in files
        ],
        "set_aside": [
            {"why": f"{line.part}: {line.what.removeprefix(ASIDE)}", "count": line.count, "example": line.example}
            for line in aside
        ],
        "notes": [str(line) for line in others],
    }


def _ended(counts: dict[str, Any]) -> str:
    """How many entered each stage, and what became of them."""
    entered = ", ".join(f"{stage} {count:,}" for stage, count in counts["entered"].items())
    undated = f", closed on no known day {counts['closed_without_day']:,}" if counts["closed_without_day"] else ""
    return f"{entered}; open {counts['open']:,}, lost {counts['lost']:,}{undated}"


def _text(path: Path, answer: dict[str, Any], history: History) -> str:
    won = "" if answer["amount_won"] is None else f"; won amounts {answer['amount_won']:,.2f}"
    counts = f"records {answer['records']:,}: entered {_ended(answer)}{won}"
    first = [note for note in answer["notes"] if note not in {str(line) for line in history.report}]
    return "\n".join([*first, *map(str, history.report), counts, f"{path.name}: no faults"])


# --- lists loaded at once -----------------------------------------------------------------------------------

BULK_DAYS, BULK_GAP = 20, 3  # days with entries that show what is usual; days apart that are still one load


@dataclass(frozen=True)
class BulkLoad:
    """Days on which far more records came in than usual, as where a list is loaded: first, last, and records."""

    first: int
    last: int
    records: int
    usual: float
    """Records of a usual day."""


def bulk_loads(entries: np.ndarray, start: int) -> list[BulkLoad]:
    """Loads of records: days in a row with more than ten times the usual entries, a hundred at least."""
    totals = entries.sum(axis=(0, 1)) if entries.ndim > 1 else entries
    usual = usual_day(totals)
    above = np.flatnonzero(totals > max(LOADED * usual, LOADED_RECORDS))
    runs = np.split(above, np.flatnonzero(np.diff(above) > BULK_GAP) + 1) if len(above) else []
    return [BulkLoad(start + int(run[0]), start + int(run[-1]), int(totals[run].sum()), usual) for run in runs]


def _as_date(day: int) -> date:
    return np.datetime64(day, "D").item()


def load_notes(history: History | Counted) -> tuple[str, ...]:
    """What a reader must know of lists loaded at once, a sentence each."""
    if isinstance(history, Counted):
        return history.loads
    first = history.arrivals
    return loads_told(first["entered_on"].to_numpy(), first["source"], np.ones(len(first), dtype=int))


def read_first(history: History | Counted) -> tuple[str, ...]:
    """What changes how the figures of a report are read, a sentence each: it stands on its first page and nowhere else.

    Dates after today are not among them: they stand before everything (`History.first`).
    """
    return tuple(dict.fromkeys((*history.notes[len(history.first) :], *load_notes(history), *history.reading)))


def loads_told(arrived: np.ndarray, sources: pd.Series | pd.Categorical, count: np.ndarray) -> tuple[str, ...]:
    """The same of records of the `sources`, as many as `count` says, that came in at the moments `arrived`."""
    days = days_of(arrived).astype(np.int64)
    start = int(days.min())
    lines = []
    for load in bulk_loads(np.bincount(days - start, count).astype(np.int64), start):
        rows = (days >= load.first) & (days <= load.last)
        names = pd.Series(np.asarray(sources)[rows].repeat(count[rows])).value_counts()
        of = "" if names.index[0] == EVERY else f", most of source {shown(names.index[0])}"
        when = show(_as_date(load.first), "date")
        when += f" to {show(_as_date(load.last), 'date')}" if load.last > load.first else ""
        lines.append(
            f"Bulk load: {load.records:,} records came in on {when}{of}, where {load.usual:,.0f} a day is usual. They are "
            "no flow: the forecast of new records leaves them out."
        )
    return tuple(lines)


def usual_day(totals: np.ndarray) -> float:
    """Records of a day in the middle of those on which any came in. [records]"""
    busy = totals[totals > 0]
    return float(np.median(busy)) if len(busy) >= BULK_DAYS else float("inf")
