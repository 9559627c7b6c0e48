"""`revplan app`: the simulator of a plan, and of those beside it, in the browser of this machine, until Ctrl+C.

What takes long runs beside each other: one process works the plan out while this one loads the server.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from socket import create_server, socket

from revplan.app.plans import plans_in
from revplan.app.warm import FORKS, Warm
from revplan.ground.errors import PlanError, ReportError, shown
from revplan.ground.escaping import clean
from revplan.ground.files import scratch_folder

PORT, TRIED = 8866, 20  # the first port tried, and how many


def serve(plan: Path, port: int | None, ready: Callable[[str], None]) -> None:
    """Serves the simulator of the plan at `plan`, and of the plans beside it, until it is stopped.

    Parameters
    ----------
    plan
        The plan file, or a folder of them; checked before anybody is let in.
    port
        Where to listen, on this machine only; the first free one from 8866 on when left out, any when 0.
    ready
        Called with the address, once somebody can go there.

    Raises
    ------
    PlanError, DataError
        With every fault of the plan and of the files it names, before anybody is let in.
    ReportError
        If the port is taken, or a package is missing that the simulator needs.
    """
    plan = _chosen(plan)
    with scratch_folder("revplan-") as scratch:
        warm = Warm(plan, Path(scratch)) if FORKS else None
        try:
            from revplan.ground.extras import check_installed

            check_installed("app", "the simulator")
            from revplan.app.door import HOST
            from revplan.app.server import Server

            name = _checked(plan) if warm is None else warm.checked()
            listening, token = _listening(port), secrets.token_urlsafe(24)
            address = f"http://{HOST}:{listening.getsockname()[1]}/?token={token}"
            names = {**{path.name: each for path, each in plans_in(plan.parent).items()}, plan.name: name}
            notebook = _notebook(plan, names, Path(scratch, "simulator.ipynb"))
            server = Server(notebook, warm, listening, token, lambda: ready(address), plan)
            server.initialize([])
            server.start()
        finally:
            if warm is not None:
                warm.close()


def _chosen(plan: Path) -> Path:
    """The plan file to begin with: of a folder its plan.yaml, or the first one by name."""
    plan = plan.resolve()
    if not plan.is_dir():
        return plan
    found = list(plans_in(plan))
    if not found:
        reason = "is a folder without a plan: no YAML file in it has a goal and segments"
        raise PlanError.at(shown(plan.name), f"{reason}; `revplan init {shown(plan.name)}` makes one")
    return next((path for path in found if path.stem == "plan"), found[0])


def _checked(plan: Path) -> str:
    """The name of a plan without a fault, where no other process looks for them."""
    from revplan.crm.planfile import read_plan
    from revplan.workbook.workbook import check_plan

    check_plan(plan)
    return read_plan(plan).name


def _listening(port: int | None) -> socket:
    from revplan.app.door import HOST

    if port is not None and not 0 <= port <= 65535:
        raise PlanError.at("--port", f"got {port}; name a port from 1 to 65535, or leave it out")
    tried = range(PORT, PORT + TRIED) if port is None else [port]
    for number in tried:
        with suppress(OSError):
            return create_server((HOST, number))
    cure = "leave --port out, and a free one is found" if port is not None else "name a free one with --port"
    raise ReportError.at(f"port {tried[0]}", f"is taken by another program, or not yours to use; {cure}")


def _notebook(plan: Path, names: Mapping[str, str], path: Path) -> Path:
    """`path`, which now holds the notebook that each visit runs, and the names of the plans it can choose from."""
    source = f"from revplan.app.visit import visit\nvisit({str(plan)!r})"
    run: dict[str, object] = {"metadata": {}, "execution_count": None, "outputs": []}
    cell = {"cell_type": "code", "source": source, **run}
    called = {file: clean(name) for file, name in names.items()}
    kernel = {"name": "python3", "display_name": "Python", "language": "python"}
    named = {"title": called[plan.name], "plan": plan.name, "plans": called, "kernelspec": kernel}
    notebook = {"nbformat": 4, "nbformat_minor": 4, "metadata": named, "cells": [cell]}
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path
