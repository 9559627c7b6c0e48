"""Kernels forked from a process that has loaded everything and worked the plan out, so that they share its memory.

A kernel started by itself takes 190 MB and three seconds before its visitor has moved anything, nearly all of it what
every other kernel holds too. Forked, it is there at once and its own memory is what its visitor's moves take.
Only where a process can fork and says which threads it has (Linux); elsewhere kernels are started one by one.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from threading import Lock
from typing import TYPE_CHECKING, Any

from revplan.app.plans import asked
from revplan.ground.errors import DataError, Fault, PlanError, ReportError, RevplanError
from revplan.run.running import environment

if TYPE_CHECKING:
    from revplan.app.game import Game

THREADS = Path("/proc/self/task")
FORKS = sys.platform == "linux" and THREADS.is_dir()
FIRST = "first.json"
BY_NAME: dict[str, type[RevplanError]] = {each.__name__: each for each in (PlanError, DataError, ReportError)}
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",  # a process with threads cannot fork, and visitors share the cores anyway
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",  # memory that one thread gave back is there for the next
    "MALLOC_TRIM_THRESHOLD_": "1000000",
    "MALLOC_MMAP_THRESHOLD_": "65536",
}


class Warm:
    """The process that kernels are forked from; it ends with this one.

    Parameters
    ----------
    plan
        The plan file that its kernels will play.
    folder
        Where it runs: a folder of our own, since Python looks for modules there.
    """

    def __init__(self, plan: Path, folder: Path) -> None:
        self.command = [sys.executable, "-m", "revplan.app.warm", str(plan)]
        self.folder, self.environment, self.lock = folder, {**os.environ, **environment(folder), **ENVIRONMENT}, Lock()
        self.process = self._started()

    def checked(self) -> str:
        """The name of the plan, if neither it nor a file it names is at fault; to be asked once.

        Raises
        ------
        PlanError, DataError, ReportError
            With every fault.
        """
        said = json.loads(self._line() or "{}")
        if "faults" in said:
            raise BY_NAME[said["kind"]](Fault(*each) for each in said["faults"])
        if "name" not in said:
            raise ReportError.at("app", "the plan could not be worked out: a fault of revplan itself; please report it")
        return str(said["name"])

    def fork(self, argv: list[str], environment: Mapping[str, str]) -> int | None:
        """The process id of a new kernel; None where none can be forked just now."""
        order = json.dumps({"argv": argv, "env": {**environment, **ENVIRONMENT}})
        with self.lock:
            if self.process.poll() is not None:
                self.process = self._started()
                self._line()  # what it says of the plan, the visitor is told
            try:
                print(order, file=self.process.stdin, flush=True)
                answer = self._line()
            except OSError:  # it ended this very moment
                return None
        return int(answer or 0) or None

    def close(self) -> None:
        """Ends it, and with it every kernel that is left."""
        self.process.kill()
        self.process.communicate()

    def first_screen(self) -> str | None:
        """The plan's health as a page shows it; None while it is being worked out, empty where a file has changed since.

        So nobody is shown figures of another day's files, and who comes to files that are as they were need not wait.
        """
        path = self.folder / FIRST
        if not path.exists():
            return None if self.process.poll() is None else ""
        said = json.loads(path.read_text(encoding="utf-8"))
        try:
            same = all(_is_as_seen(*seen) for seen in said["seen"])
        except OSError:
            return ""
        return str(said["html"]) if same else ""

    def _line(self) -> str:
        return self.process.stdout.readline() if self.process.stdout else ""

    def _started(self) -> Popen[str]:
        options: dict[str, Any] = {"stdin": PIPE, "stdout": PIPE, "stderr": DEVNULL, "text": True}
        return Popen(self.command, cwd=self.folder, env=self.environment, start_new_session=True, **options)


def _is_as_seen(file: str, changed: int, size: int) -> bool:
    """Whether a file has the time and the size it had; what has no file, as a query, is asked again."""
    stat = Path(file).stat() if file else None
    return stat is not None and (stat.st_mtime_ns, stat.st_size) == (changed, size)


def main(plan: str) -> None:
    """Says whether the plan is at fault; then forks a kernel for every line, and says its process id, or 0 if it cannot."""
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # a kernel ends when this process is gone
    sys.modules["debugpy"] = None  # type: ignore[assignment]  # nobody debugs a visit, and it takes 10 MB of each
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a kernel, so it shall leave nothing
    from revplan.app.first import first_screen, opened

    print(json.dumps(_said_of(plan, opened)), flush=True)
    from revplan.ground.lag import forget
    from revplan.ground.written import written

    shown: dict[str, object] = {"seen": [], "html": ""}
    with suppress(Exception):  # said by the kernel, where somebody sees it
        shown = first_screen(plan)
    written(Path(FIRST), json.dumps(shown))
    import ipykernel.kernelapp  # noqa: F401  # from here on what nobody has to wait for

    from revplan.app.visit import prepare

    with suppress(Exception):
        prepare(plan)
    forget(0)
    gc.collect()
    gc.freeze()  # what nobody tidies stays shared
    for line in sys.stdin:
        order = json.loads(line)
        with suppress(Exception):
            prepare(asked(plan, order["env"]))
        pid = _fork(order) if len(os.listdir(THREADS)) == 1 else 0
        print(pid, flush=True)
        with suppress(Exception):  # what the next visitor need not wait for
            _ = opened(plan).pace


def _said_of(plan: str, opened: Callable[[str], Game]) -> dict[str, object]:
    """The name of the plan, or what is wrong with it."""
    try:
        return {"name": opened(plan).plan.name}
    except RevplanError as error:
        faults = [(fault.place, fault.message) for fault in error.faults]
        return {"kind": type(error).__name__, "faults": faults}


def _fork(order: Mapping[str, Any]) -> int:
    pid = os.fork()
    if pid:
        with suppress(OSError):
            os.setpgid(pid, pid)  # by both: whoever is asked first for the group must not name ours
        return pid
    try:
        os.setpgid(0, 0)
        _become_kernel(order)
    finally:
        os._exit(0)


def _become_kernel(order: Mapping[str, Any]) -> None:
    from ipykernel.kernelapp import launch_new_instance

    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.environ.clear()
    os.environ.update(order["env"])
    argv = order["argv"]
    launch_new_instance(argv=argv[argv.index("-f") :])


if __name__ == "__main__":
    main(*sys.argv[1:])
