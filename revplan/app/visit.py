"""What runs in the kernel of one visit: the simulator, or in words why there is none."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from ipywidgets import HTML, Widget

from revplan.app.door import CALL
from revplan.app.panel import panel
from revplan.errors import RevplanError
from revplan.escaping import escape
from revplan.workbook import open_workbook


def visit(plan: str) -> Widget:
    """The simulator of the plan at `plan` as it is when the visitor comes, or what is wrong with it.

    A kernel that was started before its visitor works the plan out once, so that everything is loaded, and waits.
    """
    if os.environ.get("VOILA_PREHEAT") == "True":
        with suppress(RevplanError):
            _ = open_workbook(plan).simulation
        _wait_for_visitor(os.environ[CALL].format(kernel=os.environ["VOILA_KERNEL_ID"]))
    try:
        return panel(Path(plan))
    except RevplanError as error:
        return _words("The plan needs a change", map(str, error.faults), "Mend it, then load this page again.")
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return _words("A fault of revplan itself, not of your files", [reason], "Please report it with your plan.")


def _wait_for_visitor(address: str) -> None:
    from websockets.sync.client import connect

    with connect(address, proxy=None, open_timeout=None, ping_interval=None) as door:
        door.recv()


def _words(what: str, reasons: Iterable[str], cure: str) -> Widget:
    listed = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return HTML(f'<div role="alert"><h2>{escape(what)}</h2><ul>{listed}</ul><p>{escape(cure)}</p></div>')
