"""A signed plan, opened: checked file by file, and held against what the code of today computes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from revplan.errors import PlanError, digits, shown
from revplan.files import told_of
from revplan.formats import show
from revplan.model.signing import ToSign
from revplan.record.contents import AGAIN, verified
from revplan.record.signature import Signature, versions
from revplan.tables import columns, conform
from revplan.workbook import Workbook

SIGNATURE, RESULTS, INPUTS = "signature.json", "results", "inputs"
TABLES = ("stages", "quarters", "budget", "promises")
SAME = 1e-6  # of a figure: what solvers and processors make different lies far below, what a reader sees above


@dataclass(frozen=True, kw_only=True)
class Record:
    """A plan of record: what was signed, and where the frozen files lie."""

    folder: Path
    content_hash: str
    """SHA-256 over everything that was signed."""
    signature: Signature
    signed_before: bool = False
    """Whether signing found the very same content signed on that day."""

    @property
    def name(self) -> str:
        """Name of the plan."""
        return self.signature.plan

    @property
    def plan_path(self) -> Path:
        """The frozen plan file; `open_workbook` opens it."""
        return self.folder / self.signature.plan_file

    @cached_property
    def results(self) -> dict[str, Any]:
        """What `plan --json` and `simulate --json` said when it was signed."""
        names = ("plan", "simulate")
        return {name: json.loads((self.folder / RESULTS / f"{name}.json").read_text("utf-8")) for name in names}

    @cached_property
    def stages(self) -> pd.DataFrame:
        """Table stages as it was signed."""
        return _table(self.folder, "stages")

    @cached_property
    def quarters(self) -> pd.DataFrame:
        """Table quarters as it was signed."""
        return _table(self.folder, "quarters")

    @cached_property
    def promises(self) -> pd.DataFrame:
        """Table promises: entries by quarter, source and stage."""
        return _table(self.folder, "promises")


def read_record(folder: str | Path) -> Record:
    """The signed plan in `folder`, every byte of it found as it was signed.

    Raises
    ------
    PlanError
        If the folder is no signed plan, or a file was altered, lost or added: each is named.
    """
    folder = Path(folder)
    with told_of(PlanError, shown(folder.name), AGAIN):
        return _record(folder)


def _record(folder: Path) -> Record:
    found = verified(folder)
    try:
        signature = Signature.model_validate_json((folder / SIGNATURE).read_text("utf-8"))
    except (OSError, ValidationError) as error:
        raise PlanError.at(SIGNATURE, _unreadable(error)) from None
    plan_path = folder / signature.plan_file
    if not plan_path.is_file() or not plan_path.resolve().is_relative_to(folder.resolve()):
        raise PlanError.at(SIGNATURE, f"names the plan {shown(signature.plan_file)}, which is not there; {AGAIN}")
    return Record(folder=folder, content_hash=found, signature=signature)


def _unreadable(error: OSError | ValidationError) -> str:
    """The file is as it was signed, so that what wrote it was another revplan."""
    where = ".".join(map(str, error.errors()[0]["loc"])) if isinstance(error, ValidationError) else str(error.strerror)
    return f"is not what this version of revplan writes ({shown(where)}); open it with the version in its README"


def _table(folder: Path, name: str) -> pd.DataFrame:
    with told_of(PlanError, f"{RESULTS}/{name}.csv", AGAIN):
        return _results(folder, name)


def _results(folder: Path, name: str) -> pd.DataFrame:
    kinds = {column.name: column.kind for column in columns(name)}
    words = {key: "str" for key, kind in kinds.items() if kind in {"text", "month"}}
    frame = pd.read_csv(folder / RESULTS / f"{name}.csv", dtype=words, keep_default_na=False, na_values=[""])
    months = {key: pd.PeriodIndex(frame[key], freq="M") for key, kind in kinds.items() if kind == "month"}
    return conform(frame.assign(**months), name)


def drift(record: Record, book: Workbook) -> tuple[str, ...]:
    """What `book`, the frozen plan computed today, gives otherwise than when it was signed, both numbers each.

    Empty where the results are the same.
    """
    then = _figures(record.stages, record.signature.signed)
    now = _figures(book.stages, _signed_now(record.signature, book.to_sign))
    moved = [key for key in then if not _same(then[key], now.get(key))]
    lines = [f"{key}: {_number(then[key])} when signed, {_number(now.get(key))} now." for key in moved]
    return (*_why(record), *lines) if lines else ()


def _figures(stages: pd.DataFrame, signed: float | None) -> dict[str, float | None]:
    figures: dict[str, float | None] = {}
    for row in stages.itertuples():
        figures[f"{row.stage} required"] = float(row.required)
        figures[f"{row.stage} committed"] = float(row.commit)
    return {**figures, "signed": signed}


def _signed_now(signature: Signature, asked: ToSign) -> float | None:
    """What would be signed now; as older folders hold it, before it is rounded up, where this one does."""
    if asked.scale is None or signature.signed is None or _same(signature.signed, round(signature.signed)):
        return asked.entries[signature.stage]
    return asked.scale * asked.expected[signature.stage]


def _same(then: float | None, now: float | None) -> bool:
    if then is None or now is None:
        return then is now
    return abs(then - now) <= SAME * max(abs(then), abs(now), 1.0)


def _number(value: float | None) -> str:
    return "none" if value is None else show(value, "count") if abs(value) >= 100 else digits(value)


def _why(record: Record) -> Iterator[str]:
    then, now = record.signature.versions, versions()
    if then.code != now.code:
        yield f"The code of revplan changed since signing (revplan {then.revplan} then, {now.revplan} now)."
        return
    other = [
        f"{name} {old} then, {new} now" for name, old in then.packages.items() if (new := now.packages.get(name)) != old
    ]
    yield f"The same code gives other numbers here: {'; '.join(other) or f'Python {then.python} then, {now.python} now'}."
