"""What runs in the kernel of one visit: the simulator, or in words why there is none."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from weakref import WeakSet

from ipywidgets import HTML, register_comm_target
from ipywidgets.widgets.widget import Widget

from revplan.app.game import Game, open_game
from revplan.app.panel import Panel, first_html
from revplan.app.plans import asked
from revplan.crm.inputs import input_files, queries
from revplan.crm.planfile import read_plan, real_path
from revplan.ground.errors import RevplanError
from revplan.ground.escaping import escape
from revplan.plan.scenario import scenario_plans

ASKED_EVERY = 60  # seconds

Seen = tuple[tuple[str, int, int], ...]
"""Files with their times and sizes, by which a change of one is noticed."""

_opened: dict[str, tuple[Game, Seen]] = {}
_shown: WeakSet[Game] = WeakSet()


def visit(plan: str) -> Widget:
    """The simulator of the plan that the visitor asks for, `plan` or one beside it, as it is now; or what is wrong with it."""
    register_comm_target()  # as ipywidgets does where it is loaded by a kernel; a forked one has it loaded before
    try:
        shown = Panel(opened(asked(plan, os.environ)))
    except (RevplanError, OSError) as error:
        faults = error.faults if isinstance(error, RevplanError) else [error]
        return _words("The plan needs a change", map(str, faults), "Mend it, then load this page again.")
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return _words("A fault of revplan itself, not of your files", [reason], "Please report it with your plan.")
    shown.front.follow()
    return shown.widget


def opened(plan: str) -> Game:
    """The plan worked out, which was done before if the files are as they were then.

    Raises
    ------
    RevplanError
        If the plan or a file it names is at fault.
    """
    seen = _seen(plan)
    if plan not in _opened or _opened[plan][1] != seen:
        _opened.pop(plan, None)
        game = open_game(plan)
        scenario_plans(game.plan)
        _opened[plan] = game, seen
    return _opened[plan][0]


def prepare(plan: str) -> None:
    """Works out what the first showing of a plan takes, so that no visit need do it again.

    Raises
    ------
    RevplanError
        If the plan or a file it names is at fault.
    """
    game = opened(plan)
    if game not in _shown:
        _shown.add(game)
        _ = Panel(game)
        Widget.close_all()


def first_screen(plan: str) -> dict[str, object]:
    """What a visitor sees of the plan before the sliders come, and the files it was worked out from; as they are now.

    Raises
    ------
    RevplanError
        If the plan or a file it names is at fault.
    """
    return {"seen": _seen(plan), "html": first_html(opened(plan))}


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
