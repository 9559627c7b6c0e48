"""What runs in the kernel of one visit: the simulator, or in words why there is none."""

from __future__ import annotations

import os
from collections.abc import Iterable
from weakref import WeakSet

from ipywidgets import HTML, register_comm_target
from ipywidgets.widgets.widget import Widget

from revplan.app.first import opened
from revplan.app.game import Game
from revplan.app.panel import Panel
from revplan.app.plans import asked
from revplan.ground.errors import RevplanError
from revplan.ground.escaping import escape

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


def _words(what: str, reasons: Iterable[str], cure: str) -> Widget:
    listed = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
    return HTML(f'<div role="alert"><h2>{escape(what)}</h2><ul>{listed}</ul><p>{escape(cure)}</p></div>')
