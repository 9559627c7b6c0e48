"""revplan: from an ARR goal to one marketing commit, and what cannot be reached any more.

What a notebook user types first; everything is loaded when it is first asked for.

>>> import revplan as rp
>>> book = rp.open_workbook("data/example/plan.yaml")
>>> from math import ceil
>>> f"{ceil(book.commit['commit'].sum())} {book.plan.commit_stage} to sign"
'995 sql to sign'
>>> f"the expected commit reaches the goal in {book.simulate(trials=1024).outcome.chance_of_goal.value:.0%} of the years"
'the expected commit reaches the goal in 49% of the years'
>>> rp.exhibit(book, "goal_bridge").kind
'chart'
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from revplan.ground.version import __version__

if TYPE_CHECKING:
    from revplan.crm.planfile import read_plan
    from revplan.exhibits.named import exhibit, exhibits_of
    from revplan.rates.book import open_history
    from revplan.tracking.book import open_board
    from revplan.tracking.movement import open_movement
    from revplan.tracking.pacebook import open_pace
    from revplan.tracking.retrospective import open_retrospective
    from revplan.workbook.workbook import open_people, open_workbook

__all__ = [
    "__version__",
    "exhibit",
    "exhibits_of",
    "open_board",
    "open_history",
    "open_movement",
    "open_pace",
    "open_people",
    "open_retrospective",
    "open_workbook",
    "read_plan",
]

DOORS = {
    "read_plan": "revplan.crm.planfile",
    "open_workbook": "revplan.workbook.workbook",
    "open_people": "revplan.workbook.workbook",
    "open_history": "revplan.rates.book",
    "open_board": "revplan.tracking.book",
    "open_movement": "revplan.tracking.movement",
    "open_pace": "revplan.tracking.pacebook",
    "open_retrospective": "revplan.tracking.retrospective",
    "exhibit": "revplan.exhibits.named",
    "exhibits_of": "revplan.exhibits.named",
}
"""Name -> the module that has it."""


def __getattr__(name: str) -> Any:
    """The function called `name`, its module loaded now: `import revplan` itself stays quick."""
    if name in DOORS:
        return getattr(import_module(DOORS[name]), name)
    raise AttributeError(f"module 'revplan' has no attribute {name!r}; it has {', '.join(sorted(__all__))}")


def __dir__() -> list[str]:
    return sorted(__all__)
