"""`revplan app`: the simulator of a plan in the browser of this machine, until Ctrl+C."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from socket import create_server, socket

from revplan.app.door import HOST
from revplan.errors import PlanError, ReportError
from revplan.escaping import clean
from revplan.extras import check_installed
from revplan.files import scratch_folder
from revplan.plan.file import read_plan
from revplan.workbook import check_plan

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
        If voila is not installed, or the port is taken.
    """
    check_installed("app", "the simulator")
    check_plan(plan)
    listening = _listening(port)
    from revplan.app.server import Server

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
