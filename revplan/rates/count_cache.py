"""Cohort counts kept in a small file, to which only what came since is added.

The file holds the counts as of the end of the last complete month. It is believed only if the rows up
to that day are the very ones it was counted from: their number and the sum of their hashes, which the
engine adds up in one pass where they lie. Then only the records with a later row are counted, as they
stood then and as they stand now:

    counts(now) = counts(then) - counts of changed records(then) + counts of changed records(now)

which is exact whatever the later rows put right. With any doubt about the file, all is counted anew.
"""

from __future__ import annotations

import io
import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

import pandas as pd

from revplan.ground.tables import conform
from revplan.rates.counts import OUTCOMES, TRANSITION, in_order, month_counts, month_definition, with_events
from revplan.rates.engine import Moves

KEYS = [*TRANSITION, "cohort_month", "lag_months"]
ROW = "record, segment, source, stage, day"
ROW_HASH = {  # each engine's own; a sum is compared only with one of the same engine
    "duckdb": f"CAST(HASH({ROW}) AS HUGEINT)",
    "postgres": f"CAST(HASHTEXTEXTENDED(CAST(ROW({ROW}) AS TEXT), 0) AS NUMERIC)",
    "spark": f"CAST(XXHASH64({ROW}) AS DECIMAL(38, 0))",
}


@dataclass(frozen=True, eq=False)
class Kept:
    """Counts as of the end of a day, and what the rows up to then add up to."""

    as_of: date
    content: str
    counts: pd.DataFrame


def kept_counts(moves: Moves, stages: Sequence[str], as_of: date, path: str | Path) -> pd.DataFrame:
    """`cohort_counts`, of which the file at `path` keeps all but the running month. [records]

    The file is written whenever it held something else, in one step; where it cannot be written,
    nothing is kept. It may be deleted at any time.
    """
    names, file, day = tuple(stages), Path(path), last_complete(as_of)
    kept = _believed(file, moves, names, day)
    if kept is None or kept.as_of < day:
        content = _content(moves, day)  # before the counts: rows that come in between make the file doubtful
        counts = month_counts(moves, names, day) if kept is None else _brought_to(kept, moves, names, day)
        kept = Kept(day, content, counts)
        with suppress(OSError):
            _write(file, _key(moves, names), kept)
    return _brought_to(kept, moves, names, as_of)


def last_complete(as_of: date) -> date:
    """The last day of the last month that is over at the end of `as_of`."""
    return (as_of + timedelta(days=1)).replace(day=1) - timedelta(days=1)


def _brought_to(kept: Kept, moves: Moves, stages: tuple[str, ...], as_of: date) -> pd.DataFrame:
    """The counts as of `as_of`, from those kept and the records that changed since."""
    if as_of == kept.as_of:
        return kept.counts
    changed = (kept.as_of, as_of)
    then, now = (month_counts(moves, stages, day, changed) for day in changed)
    taken_off = then.assign(**{name: -then[name] for name in OUTCOMES})
    parts = pd.concat([_aged(kept.counts, as_of), _aged(taken_off, as_of), now])
    total = parts.groupby(KEYS, sort=False)[OUTCOMES].sum().reset_index()
    return conform(in_order(total[(total[OUTCOMES] != 0).any(axis=1)], stages), "cohort_counts")


def _aged(counts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """`counts` with the records still open at the lag they have on `as_of`."""
    still = counts[counts["still_open"] != 0]
    months = still["cohort_month"].dt
    lag = (as_of.year - months.year) * 12 + as_of.month - months.month
    return pd.concat([counts.assign(still_open=0), still.assign(lag_months=lag.astype("int64"), went_on=0, lost=0)])


def _content(moves: Moves, day: date) -> str:
    """Number and sum of hashes of the rows up to `day`."""
    text = f"SELECT COUNT(*), SUM({ROW_HASH[moves.engine.dialect]}) FROM events WHERE day <= DATE '{day:%Y-%m-%d}'"
    return " ".join(str(value) for value in moves.engine.rows(with_events(moves, text))[0])


def _key(moves: Moves, stages: tuple[str, ...]) -> str:
    """What else the counts depend on: the engine's dialect, the stages and the definition."""
    return sha256(f"{moves.engine.dialect}\n{month_definition(stages, date.min)}".encode()).hexdigest()


# --- the file ----------------------------------------------------------------------------------------------


def _believed(file: Path, moves: Moves, stages: tuple[str, ...], day: date) -> Kept | None:
    """What the file holds, if it was counted from the same rows by the same definition, and not after `day`."""
    try:
        head, body = file.read_bytes().decode().split("\n", 1)
        about = json.loads(head)
        kept_on = date.fromisoformat(about["as_of"])
        whole = about["key"] == _key(moves, stages) and about["sha256"] == sha256(body.encode()).hexdigest()
        content = str(about["content"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if not whole or kept_on > day or content != _content(moves, kept_on):
        return None
    return Kept(kept_on, content, _table(body))


def _table(body: str) -> pd.DataFrame:
    texts = dict.fromkeys([*TRANSITION, "cohort_month"], "str")
    table = pd.read_csv(io.StringIO(body), dtype=texts, keep_default_na=False, na_filter=False)
    return conform(table.assign(cohort_month=table["cohort_month"].astype("period[M]")), "cohort_counts")


def _write(file: Path, key: str, kept: Kept) -> None:
    """The file, written beside and then put in its place."""
    body = kept.counts.to_csv(index=False, lineterminator="\n")
    head = {"as_of": kept.as_of.isoformat(), "content": kept.content, "key": key}
    text = f"{json.dumps(head | {'sha256': sha256(body.encode()).hexdigest()})}\n{body}"
    number, beside = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(number, "w", encoding="utf-8", newline="") as out:
            out.write(text)
        os.replace(beside, file)
    except OSError:
        Path(beside).unlink(missing_ok=True)
        raise
