"""`python -m revplan.report.refresh`: the committed notebooks run again, outputs and all.

A notebook is committed as a reader finds it: with outputs, and without times, durations,
versions and random ids, so that running it again changes nothing unless a result changed.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TextIO

from revplan.errors import PlanError, ReportError, RevplanError, shown
from revplan.report.files import PACKAGE, REPOSITORY, notebook_in, shown_path, written
from revplan.report.progress import Progress

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
TIMED = ("papermill", "execution", "ExecuteTime")
WIDGET = "application/vnd.jupyter.widget-view+json"


def refresh(path: Path, progress: TextIO | None = None) -> bool:
    """Runs the notebook in `path` where it stands, with its own parameters; whether it changed.

    Raises
    ------
    RevplanError
        If a cell fails or warns; the file is left as it was.
    """
    from nbformat import writes

    from revplan.report.running import executed

    notebook = notebook_in(path)
    progress_shown = Progress(path.stem, len(notebook.cells), progress)
    run = executed(notebook, {}, progress_shown, path.parent)
    text = writes(settled(notebook, run, path.name)) + "\n"  # type: ignore[no-untyped-call]
    changed = text != path.read_text(encoding="utf-8")
    if changed:
        written(path, text)
    progress_shown.finish("refreshed" if changed else "unchanged")
    return changed


def settled(notebook: Any, run: Any, name: str) -> Any:
    """`notebook` with the outputs of `run`, and nothing that differs from run to run.

    Raises
    ------
    ReportError
        If a cell printed to standard error: a warning names paths, and belongs mended.
    """
    result = deepcopy(notebook)
    result.metadata = type(result.metadata)(METADATA)
    result.nbformat, result.nbformat_minor = 4, 5
    for number, (cell, done) in enumerate(zip(result.cells, run.cells, strict=True)):
        cell.id = cell.get("id") if notebook.nbformat_minor >= 5 else f"cell-{number}"
        for key in TIMED:
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            cell.execution_count = done.execution_count
            cell.outputs = [_kept(output, f"{name}, code cell {done.execution_count}") for output in done.outputs]
    return result


def _kept(output: Any, place: str) -> Any:
    if output.get("name") == "stderr":
        raise ReportError.at(place, f"warned: {shown(output.text)}. Mend what it warns of")
    output = deepcopy(output)
    if WIDGET in output.get("data", {}):
        del output.data[WIDGET]
    return output


def main(arguments: Sequence[str]) -> int:
    """Refreshes the notebooks named, or all in `notebooks/`; the exit code."""
    folder = (REPOSITORY or PACKAGE / "shipped") / "notebooks"
    paths = [Path(argument) for argument in arguments] or sorted(folder.glob("*.ipynb"))
    if not paths:
        print(f"{shown_path(folder)}: holds no notebook", file=sys.stderr)
    try:
        for path in paths:
            refresh(path, sys.stderr)
    except RevplanError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, PlanError) else 1
    return 0 if paths else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
