"""What a signed folder holds, file by file, so that a changed byte is found and named.

CONTENTS.sha256 lists every file with its SHA-256, in the form that `sha256sum -c` checks without
revplan; the SHA-256 of that list is the content hash. The README states the content hash, so it is
listed, in a comment, as it reads with zeros in the place of the hash.

The signature: who signed which commit, when, at which confidence, and with which code.

A signed plan, opened: checked file by file, and held against what the code of today computes.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import ValidationError

from revplan.ground.errors import Fault, PlanError, digits, shown
from revplan.ground.files import MEGABYTES, PLAN_MB, SIGNED_MB, content_of, megabytes, told_of
from revplan.ground.formats import show
from revplan.ground.tables import columns, conform
from revplan.ground.values import FrozenDict, Number, Value, frozen
from revplan.ground.version import __version__
from revplan.workbook.signing import ToSign
from revplan.workbook.workbook import Workbook

CONTENTS, README = "CONTENTS.sha256", "README.md"
NO_HASH = "0" * 64
LINE = re.compile(r"(# )?([0-9a-f]{64})  (\S.*)")
LEFT_BY_SYSTEMS = {"Thumbs.db", "desktop.ini"}
MOST_FILES = 10_000  # of a signed folder; revplan writes some dozens
AGAIN = "take the folder again from whoever signed it, unchanged (line ends count), or sign again"


def listing(folder: Path) -> str:
    """Every file in `folder` with its SHA-256, one a line, in the order of their names."""
    return "".join(f"{_entry(folder, name)}\n" for name in names_in(folder))


def content_hash(contents: str) -> str:
    """The SHA-256 of a listing: the content hash. [64 hexadecimal digits]"""
    return sha256(contents.encode("utf-8")).hexdigest()


def names_in(folder: Path) -> list[str]:
    """The files in `folder` by their paths with slashes, but for the list itself.

    Raises
    ------
    PlanError
        If they are more, or larger together, than what revplan signs.
    """
    names, size, most = [], 0, 4 * MEGABYTES.value * 1_000_000
    for path in folder.rglob("*"):
        if path.is_file():
            names.append(path.relative_to(folder).as_posix())
            size += path.stat().st_size
        if len(names) > MOST_FILES:
            raise PlanError.at(shown(folder.name), f"has more than {MOST_FILES:,} files, so it is no signed plan")
        if size > most:
            raise PlanError.at(shown(folder.name), MEGABYTES.refusal("its files have together more than 4 times"))
    return sorted(name for name in names if name != CONTENTS)


def _entry(folder: Path, name: str, stated: str = NO_HASH) -> str:
    if name == README:
        content = content_of(folder / name, PlanError, megabytes(SIGNED_MB), name)
        return f"# {sha256(content.replace(stated.encode(), NO_HASH.encode())).hexdigest()}  {name}"
    return f"{digest(folder / name)}  {name}"


def digest(path: Path) -> str:
    """SHA-256 of a file of any size."""
    whole = sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            whole.update(part)
    return whole.hexdigest()


def verified(folder: Path) -> str:
    """The content hash of a signed folder, after every file was found as it was signed.

    Raises
    ------
    PlanError
        If the folder is no signed plan, or with every file that was altered, lost or added.
    """
    try:
        contents = content_of(folder / CONTENTS, PlanError, megabytes(PLAN_MB)).decode("utf-8")
    except (OSError, UnicodeDecodeError):
        message = f"is no signed plan: it has no readable {CONTENTS}; name a folder that `revplan sign` wrote"
        raise PlanError.at(shown(folder.name), message) from None
    found, faults = content_hash(contents), []
    named = re.search(r"-([0-9a-f]{8})$", folder.name)  # a folder that was given a new name tells of no content
    if named and not found.startswith(named[1]):
        message = f"was altered after signing: its hash begins {found[:8]}, not {named[1]}; {AGAIN}"
        faults = [Fault(CONTENTS, message)]
    faults += _altered(folder, contents, found)
    if faults:
        raise PlanError(faults)
    return found


def _altered(folder: Path, contents: str, found: str) -> list[Fault]:
    entries = {}
    for line in contents.splitlines():
        parts = LINE.fullmatch(line)
        if parts is None:
            return [Fault(CONTENTS, f"was altered after signing: {shown(line)!r} is no line of a list; {AGAIN}")]
        entries[parts[3]] = line
    present = set(names_in(folder))
    faults = [Fault(shown(name), f"is missing; {AGAIN}") for name in entries if name not in present]
    faults += [
        Fault(shown(name), f"was altered after signing; {AGAIN}")
        for name, line in entries.items()
        if name in present and _entry(folder, name, found) != line
    ]
    last = {name: name.rsplit("/", 1)[-1] for name in sorted(present - set(entries))}
    added = [name for name, end in last.items() if not end.startswith(".") and end not in LEFT_BY_SYSTEMS]
    return faults + [Fault(shown(name), "was not there when the plan was signed; take it out") for name in added]


PACKAGE = Path(__file__).parents[1]


class Versions(Value):
    """The code that computed the results."""

    revplan: str
    """Version of revplan."""
    code: str
    """SHA-256 over the modules of revplan."""
    python: str
    """Version of Python."""
    packages: Annotated[dict[str, str], frozen]
    """The packages revplan needs, with the versions that were installed."""


class Signature(Value):
    """What was signed. Entries are those of the fiscal year."""

    format: Literal[1] = 1
    """How the folder is laid out."""
    plan: str
    """Name of the plan."""
    plan_file: str
    """Path of the frozen plan file, from the signed folder."""
    by: tuple[str, ...]
    """Who signed."""
    on: date
    """The day it was signed."""
    plan_date: date
    """The day the plan was made."""
    stage: str
    """Stage whose entries marketing signs for."""
    confidence: Number
    """Chance of the goal that the signed commit gives."""
    commit: Number
    """Entries of that stage that reach the goal in expectation: the expected commit."""
    signed: Number | None
    """Entries of that stage at the confidence, rounded up; None where no volume gives it (revplan asks before that)."""
    scale: Number | None
    """Times the expected commit that were signed, before rounding up."""
    chance_of_goal: Number
    """Chance of the goal with the commit itself."""
    queries: tuple[str, ...] = ()
    """Tables that came from a database, whose answers are not in the folder."""
    versions: Versions
    """The code that computed the results."""


def versions() -> Versions:
    """The code that is running."""
    needed = [line for line in metadata.requires("revplan") or () if "extra ==" not in line]
    names = sorted(re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in needed)
    whole = sha256()
    for path in [*sorted(PACKAGE.rglob("*.py")), PACKAGE / "ground" / "tables.csv"]:
        whole.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return Versions(
        revplan=__version__,
        code=whole.hexdigest(),
        python=platform.python_version(),
        packages=FrozenDict({name: metadata.version(name) for name in names}),
    )


SIGNATURE, RESULTS, INPUTS = "signature.json", "results", "inputs"
TABLES = ("stages", "quarters", "budget", "commitments")
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
    def commitments(self) -> pd.DataFrame:
        """Table commitments: entries by quarter, source and stage."""
        return _table(self.folder, "commitments")


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
    except (OSError, ValidationError) as error:  # as it was signed, so that what wrote it was another revplan
        of_values = error.errors()[0]["loc"] if isinstance(error, ValidationError) else (error.strerror,)
        where = ".".join(map(str, of_values))
        cure = "open it with the version in its README"
        message = f"is not what this version of revplan writes ({shown(where)}); {cure}"
        raise PlanError.at(SIGNATURE, message) from None
    plan_path = folder / signature.plan_file
    if not plan_path.is_file() or not plan_path.resolve().is_relative_to(folder.resolve()):
        raise PlanError.at(SIGNATURE, f"names the plan {shown(signature.plan_file)}, which is not there; {AGAIN}")
    return Record(folder=folder, content_hash=found, signature=signature)


def _table(folder: Path, name: str) -> pd.DataFrame:
    kinds = {column.name: column.kind for column in columns(name)}
    words = {key: "str" for key, kind in kinds.items() if kind in {"text", "month"}}
    path = folder / RESULTS / f"{name}.csv"
    with told_of(PlanError, f"{RESULTS}/{name}.csv", AGAIN):
        if name == "commitments" and not path.exists():
            path = path.with_name("promises.csv")  # as folders call it that were signed by revplan 0.3 and before
        frame = pd.read_csv(path, dtype=words, keep_default_na=False, na_values=[""])
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
