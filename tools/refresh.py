"""`python tools/refresh.py`: the committed notebooks run again, outputs and all.

A notebook is committed as a reader finds it: with outputs, and without times, durations,
versions and random ids, so that running it again changes nothing unless a result changed. The
last digits of a float are no result: they differ between processors (`differences`).
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, TextIO

from revplan.ground.errors import PlanError, ReportError, RevplanError, shown
from revplan.ground.written import shown_path, written
from revplan.run.notebooks import notebook_in
from revplan.run.running import CellProgress

ROOT = Path(__file__).resolve().parents[1]
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
TIMED = ("papermill", "execution", "ExecuteTime")
WIDGET = "application/vnd.jupyter.widget-view+json"

CLOSE = 1e-6
"""How far a raw value may be off: of itself, or of one. Processors differ by 1e-11; what is displayed is compared as text."""
UNSEEN = 0.05
"""How far a place in a drawing may be off, which no eye sees. [points]"""
DRAWING = re.compile(r"<svg.*?</svg>", re.S)
PLACES = re.compile(r'(?<= )(d|x|y|width|height|transform)="([^"]*)"')
NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
OWN_ID = re.compile(r"\br[0-9a-f]{8}-")


def refresh(path: Path, progress: TextIO | None = None) -> bool:
    """Runs the notebook in `path` where it stands, with its own parameters; whether it changed.

    Raises
    ------
    RevplanError
        If a cell fails or warns; the file is left as it was.
    """
    from nbformat import writes

    from revplan.run.running import executed

    notebook = notebook_in(path)
    progress_shown = CellProgress(path.stem, len(notebook.cells), progress)
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
            outputs = [_kept(output, f"{name}, code cell {done.execution_count}") for output in done.outputs]
            if any(differences(list(cell.outputs), outputs)):
                cell.outputs = outputs
    return result


def differences(before: Any, after: Any, place: str = "") -> Iterator[str]:
    """What a reader would see changed between two outputs of a cell: where, what it was and what it is.

    Words and displayed digits must be alike, raw values within `CLOSE`, places in drawings within `UNSEEN`.
    """
    if isinstance(before, dict) and isinstance(after, dict) and before.keys() == after.keys():
        for key in before:
            yield from differences(before[key], after[key], f"{place}/{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, pair in enumerate(zip(before, after, strict=True)):
            yield from differences(*pair, f"{place}/{number}")
    elif not _alike(before, after):
        yield f"{place}: was {shown(before)!r}, is {shown(after)!r}"


def _alike(before: Any, after: Any) -> bool:
    if all(isinstance(each, str) for each in (before, after)):
        if _without_places(before) != _without_places(after):
            return False
        return all(abs(a - b) <= UNSEEN for a, b in zip(_places(before), _places(after), strict=True))
    if all(isinstance(each, int | float) and not isinstance(each, bool) for each in (before, after)):
        return math.isclose(before, after, rel_tol=CLOSE, abs_tol=CLOSE)
    return bool(before == after) and isinstance(before, bool) == isinstance(after, bool)


def _without_places(page: str) -> str:
    """`page` with the numbers in its drawings left out, and the ids that are made from them."""

    def blank(drawing: re.Match[str]) -> str:
        return PLACES.sub(lambda found: f'{found[1]}="{NUMBER.sub("0", found[2])}"', OWN_ID.sub("r-", drawing[0]))

    return DRAWING.sub(blank, page)


def _places(page: str) -> list[float]:
    """The numbers left out, in order."""
    found = (places[1] for drawing in DRAWING.findall(page) for places in PLACES.findall(drawing))
    return [float(number) for places in found for number in NUMBER.findall(places)]


def _kept(output: Any, place: str) -> Any:
    if output.get("name") == "stderr":
        raise ReportError.at(place, f"warned: {shown(output.text)}. Mend what it warns of")
    output = deepcopy(output)
    if WIDGET in output.get("data", {}):
        del output.data[WIDGET]
    return output


def main(arguments: Sequence[str]) -> int:
    """Refreshes the notebooks named, or all in `notebooks/`; the exit code."""
    folder = ROOT / "notebooks"
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
