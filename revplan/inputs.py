"""Which files a plan rests on."""

from __future__ import annotations

from pathlib import Path

from revplan.history.crm_file import read_crm_file
from revplan.history.files import data_paths, query_names
from revplan.plan.model import Plan


def input_files(plan: Plan, folder: Path) -> list[Path]:
    """The files that `plan`, whose file lies in `folder`, names: CRM file, its data files, actuals.

    Raises
    ------
    DataError
        If the CRM file is at fault.
    """
    crm = [] if plan.history is None else [folder / plan.history.leads]
    data = [path for file in crm for path in data_paths(read_crm_file(file))]
    actuals = [] if plan.actuals is None else [folder / plan.actuals]
    return [*crm, *data, *actuals]


def queries(plan: Plan, folder: Path) -> tuple[str, ...]:
    """The tables that come from a database and so from no file, by the name the CRM file gives them.

    Raises
    ------
    DataError
        If the CRM file is at fault.
    """
    return () if plan.history is None else tuple(query_names(read_crm_file(folder / plan.history.leads)))
