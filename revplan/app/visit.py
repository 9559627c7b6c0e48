"""What runs in the kernel of one visit: the simulator, or in words why there is none."""

from __future__ import annotations

import time
from collections.abc import Iterable

from ipywidgets import HTML, register_comm_target
from ipywidgets.widgets.widget import Widget

from revplan.app.game import Game, open_game
from revplan.app.panel import Panel
from revplan.crm.inputs import input_files, queries
from revplan.ground.errors import RevplanError
from revplan.ground.escaping import escape
from revplan.plan.file import read_plan, real_path

ASKED_EVERY = 60  # seconds

Seen = tuple[tuple[str, int, int], ...]
"""Files with their times and sizes, by which a change of one is noticed."""

_prepared: dict[str, tuple[Game, Seen]] = {}


def visit(plan: str) -> Widget:
    """The simulator of the plan at `plan` as it is when the visitor comes, or what is wrong with it."""
    register_comm_target()  # as ipywidgets does where it is loaded by a kernel; a forked one has it loaded before
    try:
        prepare(plan)
        return Panel(_prepared[plan][0]).widget
    except (RevplanError, OSError) as error:
        faults = error.faults if isinstance(error, RevplanError) else [error]
        return _words("The plan needs a change", map(str, faults), "Mend it, then load this page again.")
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return _words("A fault of revplan itself, not of your files", [reason], "Please report it with your plan.")


def prepare(plan: str) -> bool:
    """Works the plan out unless that was done with the files as they are now; whether it was necessary.

    Raises
    ------
    RevplanError
        If the plan or a file it names is at fault.
    """
    seen = _seen(plan)
    if plan in _prepared and _prepared[plan][1] == seen:
        return False
    _prepared.pop(plan, None)
    game = open_game(plan)
    _ = Panel(game)  # what is loaded and worked out at the first showing, no visit need do again
    Widget.close_all()
    _prepared[plan] = game, seen
    return True


def _seen(plan: str) -> Seen:
    path = real_path(plan)
    read = read_plan(path)
    files = [path, *input_files(read, path.parent)]
    found = [(str(file), stat.st_mtime_ns, stat.st_size) for file in files if (stat := file.stat())]
    if queries(read, path.parent):  # a database says of no change: it is asked again
        found.append(("", int(time.time() / ASKED_EVERY), 0))
    return tuple(found)


def _words(what: str, reasons: Iterable[str], cure: str) -> Widget:
    listed = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return HTML(f'<div role="alert"><h2>{escape(what)}</h2><ul>{listed}</ul><p>{escape(cure)}</p></div>')
