"""A notebook run through papermill, in a kernel of this very interpreter.

The kernel is started from `sys.executable`, not from a kernel that happens to be installed
under the name python3, and finds the same revplan. It keeps its connection, its IPython
profile and whatever a cell writes in a throw-away folder, so nothing appears beside the
notebook, and nothing of the user's own profile reaches a report.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any, TextIO

from revplan.ground.errors import DataError, Fault, PlanError, ReportError, RevplanError, shown
from revplan.ground.files import scratch_folder
from revplan.run.notebooks import REPOSITORY

EVERY = 3.0
"""Seconds between two lines where a line cannot be updated in place."""


class CellProgress:
    """Follows a notebook through its cells; `stream` is where a person watches, or None.

    `cell_started` and `cell_done` have the form papermill's notebook client calls back.
    """

    def __init__(self, name: str, cells: int, stream: TextIO | None) -> None:
        self.name = name
        self.cells = cells
        self.done = 0
        self.number = 0
        self.heading = ""
        self._stream = stream
        self._in_place = stream is not None and stream.isatty()
        self._begun = time.monotonic()
        self._told = self._begun

    @property
    def place(self) -> str:
        """The cell it is in, as the person who opens the notebook counts code cells."""
        under = f' under "{self.heading}"' if self.heading else ""
        return f"{self.name}.ipynb, code cell {self.number}{under}" if self.number else f"{self.name}.ipynb"

    def cell_started(self, cell: Any, cell_index: int) -> None:
        """Notes where it is: the heading above, and the number of the code cell."""
        if cell.cell_type == "markdown":
            headings = [line.lstrip("#").strip() for line in cell.source.splitlines() if line.startswith("#")]
            self.heading = shown(headings[-1]) if headings else self.heading
        elif cell.cell_type == "code" and not _injected(cell):
            self.number += 1
        self.done += not _injected(cell)
        self._tell()

    def finish(self, outcome: str) -> None:
        """Says how it ended."""
        if self._stream:
            lead = "\r" if self._in_place else ""
            self._print(f"{lead}{self._line()}: {outcome}\x1b[K" if lead else f"{self._line()}: {outcome}", "\n")

    def _tell(self) -> None:
        if self._stream is None:
            return
        if self._in_place:
            self._print(f"\r{self._line()}\x1b[K", "")
        elif time.monotonic() - self._told >= EVERY:
            self._told = time.monotonic()
            self._print(self._line(), "\n")

    def _print(self, text: str, end: str) -> None:
        """Says `text`; a report does not fail because nobody can be told how far it is."""
        with suppress(OSError):
            print(text, end=end, file=self._stream, flush=True)

    def _line(self) -> str:
        return f"{self.name}: {self.done} of {self.cells} cells, {time.monotonic() - self._begun:.0f} s"


def _injected(cell: Any) -> bool:
    return "injected-parameters" in cell.metadata.get("tags", [])


HANDLES = 256
"""Files that a report has open at a time, with a wide margin."""

STARTS = 4
"""How often a kernel is started anew where it cannot bind what it was given, as a port that another program took."""

SOCKET_PATH = 100
"""Bytes that the path of a socket may have on any system: 107 on Linux, 103 on macOS."""

INPUT_ERRORS: dict[str, type[RevplanError]] = {"PlanError": PlanError, "DataError": DataError}
"""Errors of a cell that are the user's to mend: they are passed on as they are."""


def executed(
    notebook: Any, parameters: Mapping[str, object], progress: CellProgress, folder: Path | None = None
) -> Any:
    """`notebook` with the outputs of a fresh run; `parameters` must have been checked.

    Parameters
    ----------
    notebook
        The notebook as read by nbformat; it is not changed.
    parameters
        Values for declared parameters.
    progress
        Told of every cell.
    folder
        Where cells run; a throw-away folder when left out.

    Raises
    ------
    PlanError, DataError
        If a cell failed with one: its message alone.
    ReportError
        If a cell failed otherwise, or the kernel did not start or died.
    """
    _enough_handles(progress.name)
    with scratch_folder("revplan-") as scratch:
        log = Path(scratch, "kernel.log")
        connections = [through_files(Path(scratch), "kernel"), *[{"transport": "tcp"}] * STARTS][:STARTS]
        for left, connection in zip(reversed(range(STARTS)), connections, strict=True):
            try:
                with log.open("wb") as stream:
                    kernel = _kernel_class(Path(scratch), stream, connection)
                    return _papermill(notebook, parameters, progress, kernel, folder or Path(scratch))
            except RevplanError:
                progress.finish("stopped")
                raise
            except (RuntimeError, OSError) as error:
                if left and not progress.done and _could_not_bind(log):
                    continue
                progress.finish("stopped")
                raise _kernel_failure(error, progress, log) from None
        raise AssertionError("the last start returns or raises")


def through_files(folder: Path, name: str) -> dict[str, str]:
    """How Jupyter shall talk to a kernel: through sockets in `folder`, a private one, named from `name` on.

    A port can be taken by another program between the moment Jupyter chooses it and the kernel binds it. Ports it is
    nevertheless on Windows, which has no such sockets here, and where the path would be too long for one.
    """
    place = str(folder / name)
    fits = len(os.fsencode(f"{place}-00")) <= SOCKET_PATH
    return {"transport": "ipc", "ip": place} if fits and sys.platform != "win32" else {"transport": "tcp"}


def _could_not_bind(log: Path) -> bool:
    with suppress(OSError):
        return "zmq.error.ZMQError" in log.read_text(errors="replace")
    return False


def _enough_handles(name: str) -> None:
    """That a kernel can be talked to: the library below ends the whole program where it cannot open what it needs.

    Raises
    ------
    ReportError
        If fewer files may be open at a time than that takes, and the system does not allow more.
    """
    try:
        import resource
    except ImportError:  # Windows, which knows no such limit
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= HANDLES:
        return
    if hard != resource.RLIM_INFINITY and hard < HANDLES:
        cure = f"a report needs {HANDLES}; allow more with `ulimit -n 1024` and run again"
        raise ReportError.at(name, f"only {hard} files may be open at a time here, and {cure}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (HANDLES, hard))


def _papermill(
    notebook: Any, parameters: Mapping[str, object], progress: CellProgress, kernel: type, folder: Path
) -> Any:
    import papermill
    from papermill.exceptions import PapermillExecutionError

    logging.getLogger("papermill").addHandler(logging.NullHandler())
    try:
        done = papermill.execute_notebook(
            _prepared(notebook),
            None,
            dict(parameters),
            kernel_name="python3",
            language="python",
            progress_bar=False,
            start_timeout=60,
            kernel_manager_class=kernel,
            resources={"metadata": {"path": str(folder)}},
            on_cell_start=progress.cell_started,
            shutdown_kernel="immediate",
        )
    except PapermillExecutionError as error:
        raise _cell_failure(error, progress) from None
    outputs = [output for cell in done.cells if cell.cell_type == "code" for output in cell.outputs]
    if any(output.output_type == "error" for output in outputs):  # an exit, which papermill takes for success
        raise ReportError.at(progress.place, "ended the notebook early; take the exit out of the cell")
    return done


def _prepared(notebook: Any) -> Any:
    """The notebook as papermill expects it."""
    notebook = deepcopy(notebook)
    notebook.metadata["papermill"] = {}
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
        cell.metadata.setdefault("papermill", {})
    return notebook


def kernel_spec(scratch: Path) -> Any:
    """How Jupyter starts a kernel of this very interpreter, with its IPython profile in the folder `scratch`.

    Raises
    ------
    ReportError
        If ipykernel is missing here.
    """
    try:
        from ipykernel.kernelspec import get_kernel_dict
    except ImportError:
        raise ReportError.at("kernel", f"ipykernel is missing in {sys.prefix}; install revplan there again") from None
    from jupyter_client.kernelspec import KernelSpec

    return KernelSpec(**{**get_kernel_dict(), "env": environment(scratch)})


def _kernel_class(scratch: Path, log: Any, through: Mapping[str, str]) -> type:
    spec = kernel_spec(scratch)
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    class OwnKernel(AsyncKernelManager):
        """Starts this interpreter, with its output in a log file and its connection encrypted where the kernel can (ipykernel from 7.3)."""

        def __init__(self, **options: Any) -> None:
            connection = str(scratch / "kernel.json")
            super().__init__(**options, **through, connection_file=connection, transport_encryption="auto")

        @property
        def kernel_spec(self) -> KernelSpec:
            return spec

        async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
            await self._async_start_kernel(**options, stdout=log, stderr=log)

    return OwnKernel


def environment(scratch: Path) -> dict[str, str]:
    """What the kernel's environment differs in: revplan is found, and sets come in one order."""
    paths = [str(REPOSITORY or ""), os.environ.get("PYTHONPATH", "")]
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONHASHSEED": "0",
        "PYTHONSAFEPATH": "1",
        "IPYTHONDIR": str(scratch / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        **({} if _home_takes_files() else {"MPLCONFIGDIR": str(scratch / "matplotlib")}),
    }


def _home_takes_files() -> bool:
    """Whether matplotlib can keep its fonts where it does; where it cannot, it would say so in the middle of a page."""
    if "MPLCONFIGDIR" in os.environ:
        return True
    for variable, usual in (("XDG_CONFIG_HOME", ".config"), ("XDG_CACHE_HOME", ".cache")):
        folder = Path(os.environ.get(variable) or Path.home() / usual) / "matplotlib"
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            return False
        if not os.access(folder, os.W_OK):
            return False
    return True


def _cell_failure(error: Any, progress: CellProgress) -> RevplanError:
    lines = [line for line in str(error.evalue).splitlines() if line.strip()]
    if error.ename in INPUT_ERRORS:
        return INPUT_ERRORS[error.ename](Fault("", line) for line in lines)
    cause = f"{error.ename}: {shown_long(lines[0])}" if lines else error.ename
    return ReportError.at(progress.place, f"failed with {cause}. Open the notebook and run it to this cell")


def shown_long(line: str) -> str:
    """A line of an error message: without control characters, at most 300 of the others."""
    return "".join(shown(line[start : start + 60]) for start in range(0, min(len(line), 300), 60))


def _kernel_failure(error: Exception, progress: CellProgress, log: Path) -> RevplanError:
    said = ""
    with suppress(OSError):
        said = next((line for line in reversed(log.read_text(errors="replace").splitlines()) if line.strip()), "")
    reason = shown_long(said or str(error))
    cure = "If memory ran out, close programs; then run again"
    return ReportError.at(progress.place, f"the kernel stopped ({reason}). {cure}")
