"""Which files a plan rests on, and copies of them that nobody changes while they are worked with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from revplan.crm.file import read_crm_file
from revplan.crm.files import data_paths, query_names
from revplan.crm.planfile import read_plan, real_path
from revplan.ground.errors import PlanError, shown
from revplan.ground.files import MEGABYTES, copied
from revplan.ground.tablefile import TableFile
from revplan.plan.model import Plan

TRIES = 5  # a plan may be saved while it is copied, and name other files than a moment ago


def input_files(plan: Plan, folder: Path) -> list[Path]:
    """The files that `plan`, whose file lies in `folder`, names: CRM file, its data files, actuals, roster, calls.

    Raises
    ------
    DataError
        If the CRM file is at fault.
    """
    crm = [] if plan.history is None else [folder / plan.history.leads]
    data = [path for file in crm for path in data_paths(read_crm_file(file))]
    actuals = [] if plan.actuals is None else [folder / plan.actuals.path]
    people = None if plan.capacity is None else plan.capacity.roster
    roster = [folder / people.path] if isinstance(people, TableFile) else []
    calls = [] if plan.calls is None else [folder / plan.calls.path]
    return [*crm, *data, *actuals, *roster, *calls]


def queries(plan: Plan, folder: Path) -> tuple[str, ...]:
    """The tables that come from a database and so from no file, by the name the CRM file gives them.

    Raises
    ------
    DataError
        If the CRM file is at fault.
    """
    return () if plan.history is None else tuple(query_names(read_crm_file(folder / plan.history.leads)))


def frozen_inputs(path: Path, folder: Path) -> Path:
    """The copy of the plan file in `folder`, beside copies of all files it names, each where the plan looks for it.

    A plan given by a link is the file that the link leads to, and names files from the folder of that one. What is
    copied belongs together: the copied plan names the files that were copied with it.

    Raises
    ------
    RevplanError
        If the plan or its CRM file is at fault, or names a file that cannot be copied.
    """
    path = real_path(path)
    named = _named_by(path)
    for _ in range(TRIES):
        root = Path(os.path.commonpath([path.parent, *(each.parent for each in named)]))
        shutil.rmtree(folder, ignore_errors=True)
        for each in dict.fromkeys((path, *named)):
            _copy(each, folder / each.relative_to(root), path.name)
        copy = folder / path.relative_to(root)
        copies = {folder / each.relative_to(root) for each in named}
        if {
            each if _lies_in(folder, each) else folder / os.path.relpath(each, root) for each in _named_by(copy)
        } == copies:
            return copy
        named = _named_by(path)
    raise PlanError.at(path.name, "was changed again and again while it was read; try again once it is saved")


def named_outside(copy: Path, folder: Path) -> list[Path]:
    """The files that a copied plan would read where they lie: too large to copy, or named by their place on this machine.

    Raises
    ------
    RevplanError
        If the plan or its CRM file is at fault.
    """
    return [each for each in _named_by(copy) if each.is_symlink() or not _lies_in(folder, each)]


def _named_by(path: Path) -> list[Path]:
    return [Path(os.path.abspath(each)) for each in input_files(read_plan(path), path.parent)]


def _copy(path: Path, copy: Path, plan: str) -> None:
    """Copies a file, or links to one too large for that; one that is not there is left for its reader to name."""
    if not copy.name.isprintable():
        raise PlanError.at(plan, f"names the file {shown(path.name)!r}; give it a name of printable characters")
    try:
        if path.is_file() and path.stat().st_size > MEGABYTES.value * 1_000_000:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.symlink_to(path)
        else:
            copied(path, copy, PlanError)
    except FileNotFoundError:
        return
    except OSError as error:
        raise PlanError.at(shown(path.name), f"cannot be read ({error.strerror or error})") from None


def _lies_in(folder: Path, path: Path) -> bool:
    return Path(os.path.abspath(path)).is_relative_to(os.path.abspath(folder))
