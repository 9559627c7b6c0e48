"""Notebooks read, and which may run: those that come with revplan, and those this machine's Jupyter trusts.

A plan may come from a stranger, with a notebook beside it; a report must not run that unread.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from revplan.ground.errors import PlanError, ReportError, shown
from revplan.ground.files import NOTEBOOK_MB, content_of, megabytes
from revplan.ground.written import shown_path, unreadable

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of revplan itself."""

PLANS = ("plan.yaml", "plan_fy26.yaml", "plan_people.yaml")  # of the example company


def in_workspace(text: str) -> str:
    """`text` of a notebook of the checkout, with the plans where a workspace has them."""
    for name in PLANS:
        text = text.replace(f"../data/example/{name}", f"../{name}")
    return text


def shipped(in_checkout: str, in_package: str) -> Path:
    """A folder of the checkout this runs from, or of the installed package."""
    checkout = PACKAGE.parent / in_checkout
    return checkout if checkout.is_dir() else PACKAGE / "shipped" / in_package


REPOSITORY = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").is_file() else None
"""The checkout revplan runs from; None where it is installed."""


def notebook_in(path: Path) -> Any:
    """The notebook in `path`, in the current notebook format.

    Raises
    ------
    ReportError
        If the file cannot be read as one.
    """
    import nbformat

    try:
        content = content_of(path, ReportError, megabytes(NOTEBOOK_MB), shown_path(path))
        notebook = nbformat.reads(content.decode("utf-8"), as_version=4)  # type: ignore[no-untyped-call]
        odd = [number for number, cell in enumerate(notebook.cells, start=1) if not _is_cell(cell)]
        if odd:
            raise ReportError.at(shown_path(path), f"has a damaged cell, number {odd[0]}; save it again from Jupyter")
        return notebook
    except ReportError:
        raise
    except OSError as error:
        raise unreadable(path, error) from None
    except Exception as error:  # nbformat raises whatever it meets, down to KeyError
        reason = shown(error or type(error).__name__)
        raise ReportError.at(shown_path(path), f"is not a notebook ({reason}); save it again from Jupyter") from None


def _is_cell(cell: Any) -> bool:
    """Whether a cell has what every reader of it asks for."""
    tags = cell.get("metadata", {}).get("tags", [])
    if not isinstance(cell.get("source"), str) or not isinstance(tags, list):
        return False
    if cell.get("cell_type") == "code":
        return all(isinstance(each.get("output_type"), str) for each in cell.get("outputs", []))
    return cell.get("cell_type") in ("markdown", "raw")


def check_trust(notebook: Any, path: Path) -> None:
    """That the notebook read from `path` may run.

    Raises
    ------
    PlanError
        If it lies beside the plan, its cells are not those of the notebook revplan ships under its
        name (code, words, and tags, which can keep code from running), and Jupyter has not been told
        to trust it.
    """
    from nbformat.sign import NotebookNotary

    shipped = [home / "notebooks" / path.name for home in (REPOSITORY, PACKAGE / "shipped") if home]
    if path in shipped:
        return
    others = [notebook_in(own) for own in shipped if own.is_file()]
    if any(_cells(notebook) == _cells(own) for own in others) or NotebookNotary().check_signature(notebook):  # type: ignore[no-untyped-call]
        return
    codes = [[source for kind, source, _ in _cells(each) if kind == "code"] for each in (notebook, *others)]
    same_code = codes[0] in codes[1:]
    differs = "its words or tags are not those" if same_code else "its code is not that"
    raise PlanError.at(
        shown_path(path),
        f"{differs} of the report revplan ships, and Jupyter on this machine does not trust it; "
        "read it, then run and save it in JupyterLab (or `jupyter trust` it), or delete it to run the shipped one",
    )


def _cells(notebook: Any) -> list[tuple[str, str, list[str]]]:
    """The cells as far as they say what is run and printed; the place of the plan, which differs, as one."""
    return [
        (cell.cell_type, with_one_plan(in_workspace(cell.source)), list(cell.metadata.get("tags", [])))
        for cell in notebook.cells
    ]


def with_one_plan(source: str) -> str:
    """`source` of a notebook of a workspace, its plan the only one that a workspace of one's own has."""
    for name in PLANS[1:]:
        source = source.replace(f"../{name}", f"../{PLANS[0]}")
    return source
