"""What `revplan check` says of a CRM file: how its files were read, and what is in them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from revplan.crm.cells import ImportLine
from revplan.crm.moments import last_day
from revplan.crm.records import History, read_export, silence, stale
from revplan.ground.formats import show

READ, ASIDE, KEPT = "rows read", "set aside: ", "kept"
QUIET = ("empty cells", "rows kept", KEPT)  # of no consequence for how figures are read


def check_crm(path: Path, as_of: date | None = None, today: date | None = None) -> tuple[dict[str, Any], str]:
    """What the files of a CRM file hold: the answer for `--json`, and the import report.

    Everything the files know by `today` is counted, or what they knew by the end of `as_of`; `as_of` of the
    answer is the day that rates and forecasts count to unless they are told another.

    Raises
    ------
    DataError
        If a file is at fault (each fault with its line), or no record can be used.
    """
    export = read_export(path)
    counted_to = as_of or min(today or date.today(), last_day(export.raw.events))
    history, usual = export.on(counted_to), as_of or export.on().as_of
    notes = [text for text in (silence(history), stale(history)) if text]
    if usual != counted_to:
        notes.append(
            f"Counted here to {show(counted_to, 'date')}, the last day the files know of; rates and forecasts count to "
            f"{show(usual, 'date')}, after which new records stop coming in. --as-of says otherwise."
        )
    answer = {"as_of": str(usual), **_counts(history), **_lines(history.report)}
    answer["notes"] = [*notes, *answer["notes"]]
    return answer, _text(path, answer, history)


def _counts(history: History) -> dict[str, Any]:
    entered = history.stage_history.groupby("stage", sort=False).size()
    records = history.records
    won_ids = history.stage_history.loc[history.stage_history["stage"] == history.stages[-1], "record"]
    won = records["record"].isin(won_ids)
    lost = records["lost_on"].notna()
    return {
        "records": len(records),
        "entered": {stage: int(entered.get(stage, 0)) for stage in history.stages},
        "open": int((~won & ~lost).sum()),
        "lost": int(lost.sum()),
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


def _text(path: Path, answer: dict[str, Any], history: History) -> str:
    entered = ", ".join(f"{stage} {count:,}" for stage, count in answer["entered"].items())
    won = "" if answer["amount_won"] is None else f"; won amounts {answer['amount_won']:,.2f}"
    counts = f"records {answer['records']:,}: entered {entered}; open {answer['open']:,}, lost {answer['lost']:,}{won}"
    first = [note for note in answer["notes"] if note not in {str(line) for line in history.report}]
    return "\n".join([*first, *map(str, history.report), counts, f"{path.name}: no faults"])
