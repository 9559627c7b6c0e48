"""Voila, set up to serve one plan's simulator: a kernel for each visit, behind a door, without the internet.

A visit is one kernel, so visitors never share a state. Kernels are of this very interpreter, forked where that can be
from a process that has worked the plan out (`warm.py`); there are only so many at once. No file of the user's Jupyter, of the working folder or of the plan's folder is read as
configuration, and nothing is served but the page and what it needs.

`revplan app`: the simulator of a plan in the browser of this machine, until Ctrl+C.
"""

from __future__ import annotations

import json
import logging
import secrets
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socket import create_server, socket
from subprocess import DEVNULL
from typing import Any, ClassVar

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_core.utils import run_sync
from jupyter_server.services.kernels.kernelmanager import ServerKernelManager
from tornado.httpserver import HTTPServer
from tornado.ioloop import IOLoop, PeriodicCallback
from traitlets.config import Config
from voila.app import Voila

from revplan.app.door import FULL, HOST, Door
from revplan.app.warm import FORKS, Forker, Warm
from revplan.ground.errors import PlanError, ReportError
from revplan.ground.escaping import clean
from revplan.ground.files import Limit, scratch_folder
from revplan.plan.file import read_plan
from revplan.run.running import kernel_spec
from revplan.workbook.workbook import check_plan

PAGE = Path(__file__).with_name("page")
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
    """A kernel that writes nothing into the terminal of `revplan app`."""

    starting: ClassVar[int] = 0
    """How many are on their way and not listed yet."""

    async def start_kernel(self, *given: Any, **options: Any) -> None:  # type: ignore[override]
        """Starts it, with what it prints thrown away."""
        kernels: Any = self.parent
        self.provisioner = Forker(kernel_id=options.get("kernel_id", ""), kernel_spec=self.kernel_spec, parent=self)
        self.provisioner.warm = kernels.parent.warm
        QuietKernel.starting += 1
        try:
            await super().start_kernel(*given, **options, stdout=DEVNULL, stderr=DEVNULL)
        finally:
            QuietKernel.starting -= 1


class Server(Voila):  # type: ignore[misc]
    """Serves the notebook of `plan` on `listening` to whoever has `token`; `ready` is called when it listens."""

    def __init__(self, plan: Path, notebook: Path, listening: socket, token: str, ready: Callable[[], None]) -> None:
        self.most = VISITS.value
        super().__init__(config=_settings(notebook))
        self.ready, self.listening, self.door_token = ready, listening, token
        self.port = listening.getsockname()[1]
        self.kernel = kernel_spec(notebook.parent)
        self.warm = Warm(plan, notebook.parent, self.kernel.env) if FORKS else None
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
        self.template_paths.insert(0, str(PAGE))

    def listen(self) -> None:
        """Serves until a signal stops it."""
        self.listening.setblocking(False)
        HTTPServer(Door(self.app, self.port, self.door_token, self._full)).add_socket(self.listening)
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
        if self.warm is not None:
            self.warm.close()

    def _full(self) -> str:
        """The page that says that there is no room for another visit; empty while there is."""
        taken = len(self.kernel_manager.list_kernel_ids()) + QuietKernel.starting
        full = FULL.format(most=f"{self.most:,}", rested=f"{RESTED // 60} minutes", key=VISITS.variable)
        return full if taken >= self.most else ""

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


PORT, TRIED = 8866, 20  # the first port tried, and how many


def serve(plan: Path, port: int | None, ready: Callable[[str], None]) -> None:
    """Serves the simulator of the plan at `plan` until it is stopped.

    Parameters
    ----------
    plan
        The plan file; checked before anything starts.
    port
        Where to listen, on this machine only; the first free one from 8866 on when left out, any when 0.
    ready
        Called with the address, once somebody can go there.

    Raises
    ------
    PlanError, DataError
        With every fault of the plan and of the files it names, before anything starts.
    ReportError
        If the port is taken.
    """
    check_plan(plan)
    listening = _listening(port)
    pass

    token = secrets.token_urlsafe(24)
    address = f"http://{HOST}:{listening.getsockname()[1]}/?token={token}"
    with scratch_folder("revplan-") as scratch:
        notebook = _notebook(plan, Path(scratch, "simulator.ipynb"))
        server = Server(plan.resolve(), notebook, listening, token, lambda: ready(address))
        server.initialize([])
        server.start()


def _listening(port: int | None) -> socket:
    if port is not None and not 0 <= port <= 65535:
        raise PlanError.at("--port", f"got {port}; name a port from 1 to 65535, or leave it out")
    tried = range(PORT, PORT + TRIED) if port is None else [port]
    for number in tried:
        with suppress(OSError):
            return create_server((HOST, number))
    cure = "leave --port out, and a free one is found" if port is not None else "name a free one with --port"
    raise ReportError.at(f"port {tried[0]}", f"is taken by another program, or not yours to use; {cure}")


def _notebook(plan: Path, path: Path) -> Path:
    """`path`, which now holds the notebook that each visit runs."""
    source = f"from revplan.app.visit import visit\nvisit({str(plan.resolve())!r})"
    cell: dict[str, object] = {
        "cell_type": "code",
        "source": source,
        "metadata": {},
        "execution_count": None,
        "outputs": [],
    }
    named = {"title": clean(read_plan(plan).name), "kernelspec": {"name": "python3", "display_name": "Python"}}
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": named, "cells": [cell]}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path
