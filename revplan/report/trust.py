"""Which notebooks may run: those that come with revplan, and those this machine's Jupyter trusts.

A plan may come from a stranger, with a notebook beside it; a report must not run that unread.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from revplan.errors import PlanError
from revplan.report.files import PACKAGE, REPOSITORY, notebook_in, shown_path
from revplan.workspace import in_workspace


def check_trust(notebook: Any, path: Path) -> None:
    """That the notebook read from `path` may run.

    Raises
    ------
    PlanError
        If it lies beside the plan, its code is not that of the notebook revplan ships under its
        name, and Jupyter has not been told to trust it.
    """
    from nbformat.sign import NotebookNotary

    shipped = [home / "notebooks" / path.name for home in (REPOSITORY, PACKAGE / "shipped") if home]
    if path in shipped or any(_code(notebook) == _code(notebook_in(own)) for own in shipped if own.is_file()):
        return
    if not NotebookNotary().check_signature(notebook):  # type: ignore[no-untyped-call]
        raise PlanError.at(
            shown_path(path),
            "its code is not that of the report revplan ships, and Jupyter on this machine does not trust it; "
            "read it, then run and save it in JupyterLab (or `jupyter trust` it), or delete it to run the shipped one",
        )


def _code(notebook: Any) -> list[str]:
    """The code cells; the place of the plan, which differs between a checkout and a workspace, as one."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return [in_workspace(source) for source in sources]
