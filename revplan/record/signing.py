"""Signing: a plan, its inputs and its results frozen in a readable folder under one hash."""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from revplan.errors import PlanError, ReportError, shown
from revplan.escaping import clean, spreadsheet
from revplan.files import MEGABYTES
from revplan.inputs import frozen_inputs, named_outside, queries
from revplan.model.commit import Progress
from revplan.model.scenarios import entries_by_stage
from revplan.model.simulate_tables import finite
from revplan.plan.file import read_plan, real_path
from revplan.record.contents import CONTENTS, NO_HASH, README, content_hash, listing
from revplan.record.promises import promises_table
from revplan.record.reading import INPUTS, RESULTS, SIGNATURE, TABLES, Record, read_record
from revplan.record.signature import PACKAGE, Signature, versions
from revplan.record.summary import summary
from revplan.simulation_text import simulation_answer
from revplan.workbook import Workbook, check_plan, open_workbook, plan_answer

LOCK = PACKAGE.parent / "requirements.lock"
LONGEST_NAME, LONGEST_SLUG = 200, 40


def sign(
    plan_path: str | Path,
    by: Sequence[str],
    on: date,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> Record:
    """The record of the plan at `plan_path`, which is frozen with all it rests on.

    The inputs are copied first and the results computed from the copies, so the folder holds what
    its results came from. It is made aside and gets its name when it is complete.

    Parameters
    ----------
    plan_path
        The plan file.
    by
        The names of those who sign.
    on
        The day of signing.
    out
        The folder to put the signed folder in; `signed` beside the plan if left out.
    progress
        Called with done, total and what is being worked on, while the commit is solved.

    Raises
    ------
    PlanError
        If the plan or a file it names is at fault, or a name is empty.
    ReportError
        If the folder cannot be written.
    """
    names, path = _names(by), real_path(plan_path)
    check_plan(path)
    out = path.parent / "signed" if out is None else Path(out)
    with _writing(out), TemporaryDirectory(dir=out, prefix=".signing-", ignore_cleanup_errors=True) as scratch:
        made = Path(scratch) / "record"
        frozen = _copied(path, made / INPUTS)
        _fill(made, open_workbook(frozen, progress), frozen, names, on)
        contents = (made / CONTENTS).read_text("utf-8")
        target = out / f"{_slug(read_plan(frozen).name)}-{on}-{content_hash(contents)[:8]}"
        return _placed(made, target)


def _placed(made: Path, target: Path) -> Record:
    """The complete folder under its final name; the one that is there already stays as it is."""
    if not target.exists():
        made.rename(target)
        return read_record(target)
    there = read_record(target)
    return Record(folder=target, content_hash=there.content_hash, signature=there.signature, signed_before=True)


def _names(by: Sequence[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(clean(name) for name in by))
    if not names or "" in names:
        raise PlanError.at("--by", "a name is empty; write who signs: --by 'Anna Berg'")
    long = [name for name in names if len(name) > LONGEST_NAME]
    if long:
        raise PlanError.at("--by", f"{shown(long[0])!r} has more than {LONGEST_NAME} characters; write a shorter name")
    return names


def _slug(name: str) -> str:
    """The plan's name as part of a folder's name: letters and digits of any script, and dashes."""
    plain = unicodedata.normalize("NFC", name[: 4 * LONGEST_SLUG]).casefold()
    words = "".join(c if c.isalnum() else " " for c in plain).split()
    return "-".join(words)[:LONGEST_SLUG].strip("-") or "plan"


def _copied(path: Path, inputs: Path) -> Path:
    """The copy of the plan file in `inputs`, with all it rests on.

    Raises
    ------
    PlanError
        If the plan names a file by its place on this machine, which a copy elsewhere would not find.
    """
    frozen = frozen_inputs(path, inputs)
    outside = named_outside(frozen, inputs)
    if outside:
        name = shown(outside[0].name)
        if outside[0].is_symlink():
            raise PlanError.at(name, MEGABYTES.refusal("cannot be signed: it has more than"))
        message = f"names {name} by its place on this machine; write the path from the file that names it"
        raise PlanError.at(path.name, message)
    return frozen


def _fill(made: Path, book: Workbook, frozen: Path, names: tuple[str, ...], on: date) -> None:
    plan, found = book.plan, book.simulation
    commit, scale = entries_by_stage(book.year)[plan.commit_stage], finite(found.signed.scale.value)
    signature = Signature(
        plan=clean(plan.name) or "Plan",
        plan_file=frozen.relative_to(made).as_posix(),
        by=names,
        on=on,
        plan_date=plan.plan_date,
        stage=plan.commit_stage,
        confidence=found.confidence,
        commit=commit,
        signed=None if scale is None else scale * commit,
        scale=scale,
        chance_of_goal=found.outcome.chance_of_goal.value,
        queries=queries(plan, frozen.parent),
        versions=versions(),
    )
    _results(made / RESULTS, book)
    _write(made / SIGNATURE, _json(signature.model_dump(mode="json")))
    if LOCK.is_file():
        shutil.copyfile(LOCK, made / LOCK.name)
    _seal(made, summary(signature, book))


def _results(folder: Path, book: Workbook) -> None:
    folder.mkdir(parents=True)
    _write(folder / "plan.json", _json(plan_answer(book)))
    _write(folder / "simulate.json", _json(simulation_answer(book.simulation, book.scenarios)))
    tables = {"promises": promises_table(book), **{name: getattr(book, name) for name in TABLES if name != "promises"}}
    for name, table in tables.items():
        texts = {key: table[key].astype(str).map(spreadsheet) for key in ("source",) if key in table}
        _write(folder / f"{name}.csv", table.assign(**texts).to_csv(index=False, lineterminator="\n"))


def _seal(made: Path, text: str) -> None:
    """Lists every file with its hash, and writes the hash of the list into the README."""
    _write(made / README, text)
    contents = listing(made)
    _write(made / CONTENTS, contents)
    _write(made / README, text.replace(NO_HASH, content_hash(contents)))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n"


def _write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8"))


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        out.mkdir(parents=True, exist_ok=True)
        yield
    except (FileExistsError, NotADirectoryError):
        raise PlanError.at(shown(out), "is a file, or lies in one; choose another folder with --out") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ReportError.at(shown(out), f"cannot be written to ({reason}); choose another folder with --out") from None
