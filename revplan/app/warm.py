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
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from threading import Lock
from typing import Any

from jupyter_client.provisioning.local_provisioner import LocalProvisioner

THREADS = Path("/proc/self/task")
FORKS = sys.platform == "linux" and THREADS.is_dir()
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
    environment
        What its environment differs in.
    """

    def __init__(self, plan: Path, folder: Path, environment: Mapping[str, str]) -> None:
        self.command = [sys.executable, "-m", "revplan.app.warm", str(plan)]
        self.folder, self.environment, self.lock = folder, {**os.environ, **environment, **ENVIRONMENT}, Lock()
        self.process = self._started()

    def fork(self, argv: list[str], environment: Mapping[str, str]) -> int | None:
        """The process id of a new kernel; None where none can be forked just now."""
        order = json.dumps({"argv": argv, "env": {**environment, **ENVIRONMENT}})
        with self.lock:
            if self.process.poll() is not None:
                self.process = self._started()
            try:
                print(order, file=self.process.stdin, flush=True)
                answer = self.process.stdout.readline() if self.process.stdout else ""
            except OSError:  # it ended this very moment
                return None
        return int(answer or 0) or None

    def close(self) -> None:
        """Ends it, and with it every kernel that is left."""
        self.process.kill()
        self.process.communicate()

    def _started(self) -> Popen[str]:
        options: dict[str, Any] = {"stdin": PIPE, "stdout": PIPE, "stderr": DEVNULL, "text": True}
        return Popen(self.command, cwd=self.folder, env=self.environment, start_new_session=True, **options)


class ForkedKernel:
    """A kernel that is no child of this process, with what is asked of one that is."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int) -> None:
        self.pid = pid

    def poll(self) -> int | None:
        """None while it runs."""
        try:
            os.kill(self.pid, 0)
        except OSError:
            return 1
        return None

    wait = poll

    def send_signal(self, number: int) -> None:
        """Sends a signal, if it still runs."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """Ends it at once."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """Asks it to end."""
        self.send_signal(signal.SIGTERM)


class Forker(LocalProvisioner):
    """Starts a kernel by forking it from `warm`, or as Jupyter does where that cannot be."""

    warm: Warm | None = None
    process: Any = None

    async def launch_kernel(self, cmd: list[str], **options: Any) -> Any:
        """The connection of a new kernel."""
        from asyncio import get_running_loop

        pid = None
        if self.warm is not None:
            loop = get_running_loop()
            pid = await loop.run_in_executor(None, self.warm.fork, cmd, options.get("env", {}))
        if pid is None:
            return await super().launch_kernel(cmd, **options)
        self.process, self.pid, self.pgid = ForkedKernel(pid), pid, pid
        self.cwd = options.get("cwd", Path.cwd())
        return self.connection_info


def main(plan: str) -> None:
    """Forks a kernel for every line that comes, and says its process id, or 0 where it cannot."""
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # a kernel ends when this process is gone
    sys.modules["debugpy"] = None  # type: ignore[assignment]  # nobody debugs a visit, and it takes 10 MB of each
    import ipykernel.kernelapp  # noqa: F401

    from revplan.app.visit import prepare
    from revplan.ground.lag import forget

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for a kernel, so it shall leave nothing
    with suppress(Exception):  # said by the kernel, where somebody sees it
        prepare(plan)
    forget(0)
    gc.collect()
    gc.freeze()  # what nobody tidies stays shared
    for line in sys.stdin:
        with suppress(Exception):
            prepare(plan)
        pid = _fork(json.loads(line)) if len(os.listdir(THREADS)) == 1 else 0
        print(pid, flush=True)


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
