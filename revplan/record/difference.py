"""Two plans held against each other: every change with what it does alone, what all do together, and the rest."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from revplan.crm.inputs import frozen_inputs, input_files, named_outside
from revplan.funnel.funnel import YEAR
from revplan.funnel.tables import entries_by_stage, required_by_stage, spend_of_entries
from revplan.funnel.year import PlannedYear, plan_year
from revplan.ground.errors import PlanError
from revplan.ground.escaping import clean
from revplan.ground.files import scratch_folder
from revplan.ground.formats import steady_order
from revplan.ground.values import Progress
from revplan.plan.model import Plan
from revplan.record.changes import (
    STAGES,
    TIME,
    Leaf,
    PlanNames,
    Together,
    applied,
    can_stand,
    files_words,
    leaves,
    leaves_words,
)
from revplan.record.signed import Record, digest, drift, read_record
from revplan.simulation.simulate import simulate
from revplan.snapshot.state import snapshot_of
from revplan.workbook.signing import ToSign
from revplan.workbook.workbook import Workbook, open_workbook

FIGURES = ("first", "commit", "budget", "arr", "signed")
NOTHING = 1e-9  # share of a figure below which it did not move

Figures = Mapping[str, float | None]
"""What a plan comes to: entries required at the first and at the commit stage, spend and ARR of the
year, entries to sign before they are rounded up; None where there is none."""


@dataclass(frozen=True, eq=False)
class Side:
    """One of the two plans."""

    book: Workbook
    files: dict[str, str]
    """Input files by name, with the SHA-256 of each."""
    record: Record | None

    @property
    def plan(self) -> Plan:
        """The plan, with the rates of its records."""
        return self.book.plan


@dataclass(frozen=True, eq=False)
class Change:
    """What differs, in words, and what it does alone."""

    what: str
    leaves: tuple[Leaf, ...]
    takes_records: bool
    """Whether the later plan's records come with it."""
    effect: Figures | None = None
    """Later less earlier, by figure; None where it cannot stand alone."""

    @property
    def is_words(self) -> bool:
        """Whether no number follows from it."""
        return not self.takes_records and all(leaf.is_words for leaf in self.leaves)

    @property
    def does_nothing(self) -> bool:
        """Whether no figure moves."""
        return self.effect is not None and not any(self.effect.values())


@dataclass(frozen=True, eq=False)
class Difference:
    """Two plans compared. Figures are those of FIGURES."""

    a: Side
    b: Side
    before: Figures
    after: Figures
    changes: tuple[Change, ...]
    """The largest first; those that move nothing last."""
    error: float
    """Monte-Carlo error of an entry to sign for. [records]"""

    @property
    def together(self) -> Figures:
        """What all changes do together."""
        return difference(self.before, self.after)

    @property
    def interaction(self) -> Figures:
        """What is left of it when each change's own part is taken off."""
        alone = [change.effect for change in self.changes if change.effect is not None]
        parts = {name: [each[name] for each in alone] for name in FIGURES}
        return {
            name: None if total is None or None in parts[name] else total - sum(part or 0.0 for part in parts[name])
            for name, total in self.together.items()
        }

    @property
    def notes(self) -> tuple[str, ...]:
        """What is doubtful about either plan, and where a signed one computes otherwise today."""
        sides = (self.a, self.b)
        doubtful = [f"{side.plan.name}: {line}" for side in sides for line in side.book.doubts]
        moved = [line for side in sides if side.record is not None for line in drift(side.record, side.book)]
        return tuple(dict.fromkeys([*doubtful, *moved]))


def compare(a: str | Path, b: str | Path, progress: Progress | None = None) -> Difference:
    """What changed from plan `a` to plan `b`, each a plan file or a signed folder.

    Every change is applied to `a` alone and the year planned anew; so the parts do not depend on
    an order, and what they leave of the whole is named.

    Raises
    ------
    RevplanError
        If a plan, its files or a signed folder is at fault.
    PlanError
        If the two are in different currencies.
    """
    sides = []
    for done, path in enumerate((a, b)):
        if progress:
            progress(done, 2, f"reading {Path(path).name}")
        sides.append(_side(Path(path)))
    return between(sides[0], sides[1], progress)


def between(a: Side, b: Side, progress: Progress | None = None) -> Difference:
    """What changed from one computed plan to another.

    Raises
    ------
    PlanError
        If the two are in different currencies.
    """
    currencies = [side.plan.currency for side in (a, b)]
    if currencies[0] != currencies[1]:
        message = f"the plans are in {currencies[0]} and {currencies[1]}: money of two currencies is not compared"
        raise PlanError.at("currency", message)
    first, stage = a.plan.stage_ids[0], a.plan.commit_stage
    before, after = (figures(side.book.year, first, stage) for side in (a, b))
    changes = _effects(changes_of(a, b), (a, b), before, progress)
    error = a.book.simulation.signed.scale.standard_error * entries_by_stage(a.book.year)[stage]
    order = steady_order([-_size(each, before) for each in changes])
    return Difference(a, b, before, after, tuple(changes[number] for number in order), error)


def _side(path: Path) -> Side:
    """One of the two plans, computed from copies, so that the files it is told by are the ones it was read from."""
    record = read_record(path) if path.is_dir() else None
    with scratch_folder("revplan-") as scratch:
        folder = Path(scratch, "plan")
        copy = frozen_inputs(path if record is None else record.plan_path, folder)
        book = open_workbook(copy)
        elsewhere = named_outside(copy, folder)
        files = {
            str(each) if each in elsewhere else os.path.relpath(each, copy.parent).replace(os.sep, "/"): digest(each)
            for each in input_files(book.plan, copy.parent)
        }
    return Side(book, files, record)


def changes_of(a: Side, b: Side) -> list[Change]:
    """Every difference in the parts that can stand alone, in the order of the plan file."""
    together = Together(a.plan, b.plan)
    grouped: dict[str, list[Leaf]] = {}
    for leaf in leaves(a.plan, b.plan):
        grouped.setdefault(together.group(leaf), []).append(leaf)
    read = [
        side.book.records and (side.book.records.history.fingerprint, side.book.records.history.as_of)
        for side in (a, b)
    ]
    with_records = read[0] != read[1]
    if with_records:
        grouped.setdefault(STAGES if together.other_stages else TIME, [])
    files = files_words(a.files, b.files)
    made = []
    for name, found in grouped.items():
        takes = with_records and name == (STAGES if together.other_stages else TIME)
        words = [
            leaves_words(found, PlanNames.of(a.plan, b.plan)),
            f"records: {files or 'read to another day'}" if takes else "",
        ]
        made.append(Change("; ".join(filter(None, words)), tuple(found), takes))
    return made if with_records or not files else [*made, Change(f"files: {files}", (), False)]


def figures(year: PlannedYear, first: str, stage: str) -> Figures:
    """What a planned year comes to, its entries at the stages `first` and `stage`."""
    required = required_by_stage(year)
    asked = ToSign(simulate(year))
    signed = None if asked.scale is None or stage not in asked.expected else asked.scale * asked.expected[stage]
    return {
        "first": required.get(first),
        "commit": required.get(stage),
        "budget": spend_of_entries(year),
        "arr": float((year.commit_arr + year.coming)[:, :YEAR].sum()),
        "signed": signed,
    }


def _effects(
    changes: list[Change], sides: tuple[Side, Side], before: Figures, progress: Progress | None
) -> list[Change]:
    found = []
    for done, change in enumerate(changes):
        if progress:
            progress(done, len(changes), clean(change.what))
        effect = dict.fromkeys(FIGURES, 0.0) if change.is_words else _alone(change, sides, before)
        found.append(replace(change, effect=effect))
    return found


def _alone(change: Change, sides: tuple[Side, Side], before: Figures) -> Figures | None:
    a, b = sides
    plan = applied(a.plan, list(change.leaves))
    if not can_stand(plan):
        return None
    records = b.book.records if change.takes_records else a.book.records
    year = plan_year(plan, snapshot_of(plan, records))
    return difference(before, figures(year, a.plan.stage_ids[0], a.plan.commit_stage))


def difference(before: Figures, after: Figures) -> Figures:
    """Later less earlier, by figure; what is less than a billionth of either is nothing."""
    found: dict[str, float | None] = {}
    for name in FIGURES:
        then, now = before[name], after[name]
        if then is None or now is None:
            found[name] = 0.0 if now is then else None
        else:
            found[name] = now - then if abs(now - then) > NOTHING * max(abs(now), abs(then)) else 0.0
    return found


def _size(change: Change, before: Figures) -> float:
    """The largest move of any figure, as a share of it; what cannot stand alone comes first."""
    if change.effect is None:
        return math.inf
    moves = [(move, before[name]) for name, move in change.effect.items()]
    return max(math.inf if move is None else abs(move) / (abs(was or 0.0) or abs(move) or 1.0) for move, was in moves)
