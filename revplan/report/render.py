"""`revplan report`: a notebook found, checked, run and printed, or the earlier report kept."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from revplan.errors import Fault, PlanError, shown
from revplan.report.files import PACKAGE, REPOSITORY, check_folder, notebook_in, shown_path, written
from revplan.report.parameters import checked, declared
from revplan.report.progress import Progress
from revplan.report.trust import check_trust

FORMATS = ("html",)
PLANNED = ("pdf", "pptx", "xlsx")
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


def render(
    name: str,
    plan_path: Path,
    out: Path,
    formats: Sequence[str] = FORMATS,
    settings: Mapping[str, object] | None = None,
    progress: TextIO | None = None,
) -> list[Path]:
    """The files of report `name` on the plan in `plan_path`, written to the folder `out`.

    Everything that can be checked is checked before the notebook runs; a file in `out` is
    replaced when the report is complete, and not touched before.

    Parameters
    ----------
    name
        The notebook, without `.ipynb`. The plan's folder is searched first, in `notebooks`.
    plan_path
        The plan file; given to the notebook as `plan_path`, if it declares that.
    out
        The folder to write to, made if it is missing.
    formats
        Any of `FORMATS`.
    settings
        Values for other parameters the notebook declares; texts are read as the declared type.
    progress
        Where a person watches, such as `sys.stderr`.

    Raises
    ------
    PlanError, DataError
        If the input is at fault: a name, a setting, a format, the plan, the records.
    ReportError
        If the notebook, the kernel or the folder is.
    """
    _check_request(name, plan_path, formats)
    path = notebook_path(name, plan_path)
    notebook = notebook_in(path)
    check_trust(notebook, path)
    known = declared(notebook, path.name)
    values = checked(settings or {}, known, name)
    if "plan_path" in known:
        values["plan_path"] = str(plan_path.resolve())
    check_folder(out)
    html = _printed(name, _run(name, notebook, values, progress))
    return [written(out / f"{name}.html", html)]


def notebook_path(name: str, plan_path: Path) -> Path:
    """The notebook of report `name`: beside the plan, in the repository, or shipped.

    Raises
    ------
    PlanError
        If there is none; the message lists those that are.
    """
    folders = notebook_folders(plan_path)
    found = [folder / f"{name}.ipynb" for folder in folders if (folder / f"{name}.ipynb").is_file()]
    if found:
        return found[0]
    names = sorted({path.stem for folder in folders for path in folder.glob("*.ipynb")})
    close = difflib.get_close_matches(name, names, n=1)
    meant = f"did you mean {close[0]}? " if close else ""
    known = f"the reports are {', '.join(names)}" if names else "there is none beside the plan and none is installed"
    raise PlanError.at("report", f"{shown(name)!r} is not known; {meant}{known}")


def notebook_folders(plan_path: Path) -> list[Path]:
    """Where notebooks are looked for, in this order."""
    homes = [plan_path.resolve().parent, *([REPOSITORY] if REPOSITORY else []), PACKAGE / "shipped"]
    return [home / "notebooks" for home in homes]


def _check_request(name: str, plan_path: Path, formats: Sequence[str]) -> None:
    faults = []
    if not NAME.fullmatch(name):
        rule = "a report's name is up to 40 of a-z, 0-9 and _, a letter first"
        faults.append(Fault("report", f"{shown(name)!r} is not a name; {rule}"))
    if not plan_path.is_file():
        faults.append(Fault(shown_path(plan_path), "is not a file; give the path of a plan file"))
    faults += [_format_fault(kind) for kind in formats if kind not in FORMATS]
    if not formats:
        faults.append(Fault("formats", f"none given; available: {', '.join(FORMATS)}"))
    if faults:
        raise PlanError(faults)


def _format_fault(kind: str) -> Fault:
    problem = "is not available yet" if kind in PLANNED else "is not a format"
    return Fault("formats", f"{shown(kind)} {problem}; available: {', '.join(FORMATS)}")


def _run(name: str, notebook: Any, values: Mapping[str, object], stream: TextIO | None) -> Any:
    from revplan.report.running import executed

    progress = Progress(name, len(notebook.cells), stream)
    done = executed(notebook, values, progress)
    progress.finish("done")
    return done


def _printed(name: str, notebook: Any) -> str:
    from revplan.report.page import page

    return page(notebook, name)
