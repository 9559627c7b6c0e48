"""Voila, set up to serve the simulator: a kernel for each visit, behind a door, without the internet.

A visit is one kernel, so visitors never share a state. Kernels are of this very interpreter, forked where that can be
from a process that has worked the plan out (`warm.py`); there are only so many at once. No file of the user's Jupyter,
of the working folder or of the plan's folder is read as configuration, and nothing is served but the page and what it
needs.
"""

from __future__ import annotations

import logging
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socket import socket
from subprocess import DEVNULL
from typing import Any, ClassVar

from jupyter_client.connect import port_names
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from jupyter_core.utils import run_sync
from jupyter_server.services.kernels.kernelmanager import ServerKernelManager
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop, PeriodicCallback
from traitlets.config import Config
from voila.app import Voila

from revplan.app.door import FULL, HOST, Door
from revplan.app.warm import Warm
from revplan.ground.files import Limit
from revplan.run.running import STARTS, kernel_spec, through_files

PAGE = Path(__file__).with_name("page")
STYLE = Path(__file__).parents[1] / "exhibits" / "style"
FRONT_END = ["@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8"]
POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws://{host}; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: only what this server gives. 'unsafe-eval' is for the widgets' JSON checks."""
VISITS = Limit("REVPLAN_MAX_VISITS", 64, "visits")
RESTED, LOOKED_EVERY = 600, 30  # seconds without a move after which a visit ends, and how often that is looked at
CHECKED_EVERY = 1.0  # seconds between two looks for kernels that died
NOT_STARTED = "The simulator could not be started: a fault of revplan itself, not of your files. Please report it."
STOPS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


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


class OwnKernels(KernelSpecManager):
    """Knows one kernel: that of this interpreter."""

    parent: Any

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The one there is."""
        return self.parent.kernel

    def get_all_specs(self) -> dict[str, Any]:
        """The one there is, by its name."""
        return {"python3": {"resource_dir": "", "spec": self.parent.kernel.to_dict()}}


class QuietKernel(ServerKernelManager):
    """A kernel that writes nothing into the terminal of `revplan app`, and whose ports no other program can have taken."""

    starting: ClassVar[int] = 0
    """How many are on their way and not listed yet."""

    async def start_kernel(self, *given: Any, **options: Any) -> None:  # type: ignore[override]
        """Starts it, with what it prints thrown away; where it needs ports, until it has some."""
        kernels: Any = self.parent
        connection = Path(self.connection_file)
        for name, value in through_files(connection.parent, f"{options.get('kernel_id', '')[:8]}").items():
            setattr(self, name, value)
        self.provisioner = Forker(kernel_id=options.get("kernel_id", ""), kernel_spec=self.kernel_spec, parent=self)
        self.provisioner.warm = kernels.parent.warm
        QuietKernel.starting += 1
        try:
            await super().start_kernel(*given, **options, stdout=DEVNULL, stderr=DEVNULL)
            for _ in range(STARTS - 1):
                if self.transport == "ipc" or await self._answers():
                    break
                self.cleanup_connection_file()
                for port in port_names:
                    setattr(self, port, 0)
                await self.restart_kernel(now=True)
        finally:
            QuietKernel.starting -= 1

    async def _answers(self) -> bool:
        """Whether it has started: one that ended at once most often found a port of its taken."""
        client = self.client()
        client.start_channels()
        try:
            await client.wait_for_ready(timeout=60)
        except RuntimeError:
            return False
        finally:
            client.stop_channels()
        return True


class Server(Voila):  # type: ignore[misc]
    """Serves a notebook on `listening`, and the packs beside `plan`, to whoever has `token`; `ready` is called when it listens."""

    def __init__(
        self, notebook: Path, warm: Warm | None, listening: socket, token: str, ready: Callable[[], None], plan: Path
    ) -> None:
        self.most = VISITS.value
        super().__init__(config=_settings(notebook))
        self.ready, self.listening, self.door_token, self.plan = ready, listening, token, plan
        self.port = listening.getsockname()[1]
        self.kernel = kernel_spec(notebook.parent)
        self.warm = warm
        self.ioloop = IOLoop.current()
        policy = POLICY.format(host=f"{HOST}:{self.port}")
        self.tornado_settings = {
            "headers": {"Content-Security-Policy": policy},
            "disable_check_xsrf": True,  # the door has checked who asks; the page has no such cookie when it is closed
        }
        logging.getLogger().addHandler(logging.NullHandler())

    def initialize(self, argv: Any = None) -> None:
        """Puts the page of this package before voila's own."""
        super().initialize(argv)
        self.template_paths[:0] = [str(PAGE), str(STYLE)]

    def listen(self) -> None:
        """Serves until a signal stops it."""
        self.listening.setblocking(False)
        door = Door(self.app, self.port, self.door_token, self._full, self._first, self.plan)
        HTTPServer(door).add_socket(self.listening)
        PeriodicCallback(self._drop_dead_kernels, 1000 * CHECKED_EVERY).start()
        for stop in STOPS:
            signal.signal(stop, self._handle_signal_stop)
        self.ready()
        try:
            self.ioloop.start()
        finally:
            self.stop()

    def stop(self) -> None:
        """Ends every kernel at once: what they hold is worth nothing without their page."""
        run_sync(self._end_kernels)()

    def _full(self) -> str:
        """The page that says that there is no room for another visit; empty while there is."""
        taken = len(self.kernel_manager.list_kernel_ids()) + QuietKernel.starting
        full = FULL.format(most=f"{self.most:,}", rested=f"{RESTED // 60} minutes", key=VISITS.variable)
        return full if taken >= self.most else ""

    def _first(self) -> str | None:
        """What can be shown of the plan before its kernel has started, which the page of the visit shows too."""
        shown = "" if self.warm is None else self.warm.first_screen()
        self.voila_configuration.config.VoilaConfiguration.resources = {"first": shown or ""}
        return shown

    async def _drop_dead_kernels(self) -> None:
        """Takes kernels off the list that died, so that their pages hear of it when they ask."""
        for kernel in list(self.kernel_manager.list_kernel_ids()):
            with suppress(Exception):  # one that is just ending
                if not await self.kernel_manager.get_kernel(kernel).is_alive():
                    await self.kernel_manager.shutdown_kernel(kernel, now=True)

    async def _end_kernels(self) -> None:
        for kernel in self.kernel_manager.list_kernel_ids():
            with suppress(
                Exception
            ):  # one that is only starting cannot be told; it ends itself when its parent is gone
                await self.kernel_manager.shutdown_kernel(kernel, now=True)


def _settings(notebook: Path) -> Config:
    return Config(
        {
            "Voila": {
                "notebook_path": str(notebook),
                "root_dir": str(notebook.parent),
                "connection_dir_root": str(notebook.parent),
                "config_file_paths": [],
                "log_level": logging.CRITICAL,
            },
            "VoilaConfiguration": {
                "kernel_spec_manager_class": OwnKernels,
                "extension_allowlist": FRONT_END,
                "file_allowlist": [],
                "allow_template_override": "NO",
                "allow_theme_override": "NO",
            },
            "MappingKernelManager": {
                "kernel_manager_class": f"{__name__}.QuietKernel",
                "cull_idle_timeout": RESTED,
                "cull_interval": LOOKED_EVERY,
                "cull_connected": True,
            },
            "KernelManager": {"transport_encryption": "auto", "autorestart": False},
            "VoilaExecutor": {"cell_error_instruction": NOT_STARTED},
            "NotebookNotary": {"db_file": ":memory:"},
        }
    )
