"""Signing: a plan, its inputs and its results frozen in a readable folder under one hash."""

from __future__ import annotations

import json
import os
import shutil
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from revplan.crm.inputs import frozen_inputs, named_outside, queries
from revplan.crm.planfile import read_plan, real_path
from revplan.ground.errors import PlanError, ReportError, shown
from revplan.ground.escaping import clean, spreadsheet
from revplan.ground.files import MEGABYTES, scratch_folder
from revplan.ground.formats import counted, lowered, show
from revplan.ground.values import Progress
from revplan.ground.yamledit import edited, plan_text
from revplan.ground.yamlfile import read_yaml
from revplan.record.signed import (
    CONTENTS,
    INPUTS,
    NO_HASH,
    PACKAGE,
    README,
    RESULTS,
    SIGNATURE,
    TABLES,
    Record,
    Signature,
    content_hash,
    listing,
    read_record,
    versions,
)
from revplan.record.summary import commitments_table, summary
from revplan.workbook.answers import simulation_answer
from revplan.workbook.signing import ToSign, at_confidence, ceiling_words, to_sign_words
from revplan.workbook.workbook import Workbook, check_plan, open_workbook, plan_answer

LOCK = PACKAGE.parent / "requirements.lock"
LONGEST_NAME, LONGEST_SLUG = 200, 40
NO_WAY = "Nothing was signed: lower the goal, or find what brings more of it within the year"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """On which terms a plan is signed."""

    confidence: float | None = None
    """The confidence to sign at; the plan's if left out. [0-1]"""
    above_ceilings: bool = False
    """Whether the number may ask a source for more than its ceiling allows."""
    ask: Callable[[str], bool] | None = None
    """Asks whoever signs, where somebody is there to answer."""


AS_PLANNED = Terms()


def sign(
    plan_path: str | Path,
    by: Sequence[str],
    on: date,
    out: str | Path | None = None,
    progress: Progress | None = None,
    terms: Terms = AS_PLANNED,
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
    terms
        At which confidence, and whether above the sources' ceilings.

    Raises
    ------
    PlanError
        If the plan or a file it names is at fault, or a name is empty; if the number to sign is above the
        ceilings or does not exist, and nobody agreed to that.
    ReportError
        If the folder cannot be written.
    """
    names, path = _names(by), real_path(plan_path)
    check_plan(path)
    out = path.parent / "signed" if out is None else Path(out)
    with _writing(out), scratch_folder(".signing-", Path(os.path.abspath(out))) as scratch:
        made = scratch / "record"
        frozen = _copied(path, made / INPUTS)
        _fill(made, _agreed(frozen, terms, progress), frozen, names, on)
        contents = (made / CONTENTS).read_text("utf-8")
        target = out / f"{_slug(read_plan(frozen).name)}-{on}-{content_hash(contents)[:8]}"
        return _placed(made, target)


def _agreed(frozen: Path, terms: Terms, progress: Progress | None) -> Workbook:
    """The frozen plan computed, once what it asks to be signed is agreed.

    Raises
    ------
    PlanError
        With the options to add to the command, if nobody can be asked or the answer is no.
    """
    if terms.confidence not in (
        None,
        read_plan(frozen).commit.confidence,
    ):  # all that is read of the plan says the same
        commit = {**(read_yaml(frozen, PlanError).data.get("commit") or {}), "confidence": terms.confidence}
        frozen.write_bytes(edited(plan_text(frozen), [(("commit",), commit)], frozen.name).encode())
    book = open_workbook(frozen, progress)
    asked = book.to_sign
    if asked.scale is not None and (terms.above_ceilings or not asked.is_above_ceilings):
        return book
    asks = terms.ask or (lambda _: False)
    if asked.scale is not None and asks(f"{_above(asked)}. Sign it all the same?"):
        return book
    if asked.scale is None and asked.offered and asks(f"{_none(asked)}. Sign {_within(asked, asked.offered)} instead?"):
        return _agreed(frozen, replace(terms, confidence=asked.offered), progress)
    raise PlanError.at("--confidence", _what_to_add(asked))


def _above(asked: ToSign) -> str:
    return f"To sign are {to_sign_words(asked)}; {lowered(ceiling_words(asked))}"


def _none(asked: ToSign) -> str:
    return f"There is no number to sign: {to_sign_words(asked)}; {lowered(ceiling_words(asked))}"


def _within(asked: ToSign, confidence: float) -> str:
    """What is signed at a confidence within the ceilings."""
    number = at_confidence(asked.simulation, confidence).number or 0
    return f"{counted(number, asked.simulation.year.plan.titles[asked.stage], kind='commitment')} for {show(confidence, 'share')}"


def _what_to_add(asked: ToSign) -> str:
    """What is wrong with what is to be signed, and each option that settles it."""
    options = [f"--confidence {asked.offered:g} signs {_within(asked, asked.offered)}"] if asked.offered else []
    if asked.scale is None:
        said = _none(asked)
    else:
        said, options = _above(asked), [*options, f"--above-ceilings signs {asked.number:,} all the same"]
    return f"{said}. Nothing was signed. Add one of:\n    " + "\n    ".join(options) if options else f"{said}. {NO_WAY}"


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
    plan, asked = book.plan, book.to_sign
    signature = Signature(
        plan=clean(plan.name) or "Plan",
        plan_file=frozen.relative_to(made).as_posix(),
        by=names,
        on=on,
        plan_date=plan.plan_date,
        stage=plan.commit_stage,
        confidence=asked.confidence,
        commit=asked.expected[asked.stage],
        signed=asked.number,
        scale=asked.scale,
        chance_of_goal=asked.chance,
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
    for name in TABLES:
        table = commitments_table(book) if name == "commitments" else getattr(book, name)
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
