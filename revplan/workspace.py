"""A new workspace: the example company's plan and records, and the notebooks, to start from."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from revplan.errors import PlanError, ReportError, shown
from revplan.files import scratch_folder
from revplan.plan.file import plan_schema

PACKAGE = Path(__file__).resolve().parent
"""The folder of revplan itself."""

SCHEMA = "plan.schema.json"
PLANS = ("plan.yaml", "plan_fy26.yaml")  # of the example company
EDITOR_HINT = f"# yaml-language-server: $schema={SCHEMA}\n"


def new_workspace(folder: Path) -> list[Path]:
    """The files of a new workspace in `folder`, which must be new or empty.

    It is made aside and moved into place, so a stopped run leaves nothing half made.

    Raises
    ------
    PlanError
        If the folder holds something already, or lies in a file.
    ReportError
        If it cannot be made.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise PlanError.at(shown(folder), "holds something already; name a new or an empty folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(".revplan-", folder.parent) as made:
            _fill(made / "workspace")
            if folder.exists():
                folder.rmdir()
            os.replace(made / "workspace", folder)
    except (FileExistsError, NotADirectoryError):
        raise PlanError.at(
            shown(folder), "cannot be made: it lies in what is a file, not a folder; name another one"
        ) from None
    except OSError as error:
        raise ReportError.at(
            shown(folder), f"cannot be made ({error.strerror or shown(error)}); make room there, or name another one"
        ) from None
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _fill(folder: Path) -> None:
    example, notebooks = _shipped("data/example", "example"), _shipped("notebooks", "notebooks")
    shutil.copytree(example, folder)
    shutil.copytree(notebooks, folder / "notebooks", ignore=shutil.ignore_patterns(".*"))
    for notebook in (folder / "notebooks").glob("*.ipynb"):
        text = notebook.read_text(encoding="utf-8")
        notebook.write_text(in_workspace(text), encoding="utf-8")
    for plan in (folder / name for name in PLANS):
        plan.write_text(EDITOR_HINT + plan.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / SCHEMA).write_text(json.dumps(plan_schema(), indent=1) + "\n", encoding="utf-8")


def in_workspace(text: str) -> str:
    """`text` of a notebook of the checkout, with the plans where a workspace has them."""
    for name in PLANS:
        text = text.replace(f"../data/example/{name}", f"../{name}")
    return text


def _shipped(in_checkout: str, in_package: str) -> Path:
    """A folder of the checkout this runs from, or of the installed package."""
    checkout = PACKAGE.parent / in_checkout
    return checkout if checkout.is_dir() else PACKAGE / "shipped" / in_package
