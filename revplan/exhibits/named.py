"""Every exhibit of an opened book, by its name: what the notebooks show, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from importlib import import_module
from inspect import Parameter, signature
from typing import Any

from revplan.exhibits.exhibit import Exhibit
from revplan.ground.errors import PlanError, did_you_mean, shown

SUBJECTS = (
    "annual_commit",
    "deliveries",
    "confidence",
    "evidence",
    "realism",
    "side_by_side",
    "rates",
    "attainment",
    "performance",
    "outlook",
    "summary",
    "retrospective",
    "detail",
    "pace",
    "service",
    "calls",
    "movement",
    "capacity",
)
"""The modules that make exhibits, in the order of the notebooks."""

GIVEN = ("Exhibit", "Exhibit | None")
"""What they return: None where there is nothing to show."""


def exhibits_of(book: Any) -> dict[str, Callable[..., Exhibit | None]]:
    """Name of each exhibit that can be made of `book` alone -> the function that makes it.

    Parameters
    ----------
    book
        What `open_workbook`, `open_history`, `open_board`, `open_pace`, `open_movement` or `open_people` gave.
    """
    views = _views(book)
    made = (
        (name, function, view) for name, function in _makers() for kind, view in views.items() if _shows(function, kind)
    )
    return {name: function if view is None else _of_view(function, view) for name, function, view in made}


def _views(book: Any) -> dict[str, Callable[[Any], Any] | None]:
    """Kind of book -> how to see one that was opened as it; None of its own kind. The pace has two more sides."""
    own: dict[str, Callable[[Any], Any] | None] = {type(book).__name__: None}
    if "PaceBook" not in own:
        return own
    from revplan.tracking.calls import CallBook
    from revplan.tracking.servicebook import ServiceBook

    return {**own, "ServiceBook": ServiceBook, "CallBook": CallBook}


def _of_view(function: Callable[..., Exhibit | None], view: Callable[[Any], Any]) -> Callable[..., Exhibit | None]:
    return wraps(function)(lambda book, **options: function(view(book), **options))


def exhibit_names() -> set[str]:
    """What exhibits are called, whatever they are made of."""
    return {name for name, _ in _makers()}


def _makers() -> Iterator[tuple[str, Callable[..., Exhibit | None]]]:
    """The public functions that make exhibits, by name, in the order of the notebooks."""
    for subject in SUBJECTS:
        module = import_module(f"revplan.exhibits.{subject}")
        for name, function in vars(module).items():
            own = getattr(function, "__module__", "") == module.__name__ and not name.startswith("_")
            if own and getattr(function, "__annotations__", {}).get("return") in GIVEN:
                yield name, function


def _shows(function: Callable[..., Exhibit | None], book: str) -> bool:
    """Whether it makes an exhibit of such a book and of nothing else that must be given."""
    first, *others = signature(function).parameters.values() or [Parameter("none", Parameter.POSITIONAL_ONLY)]
    return first.annotation == book and all(other.default is not Parameter.empty for other in others)


def exhibit(book: Any, name: str, **options: Any) -> Exhibit:
    """The exhibit called `name` of `book`, such as `commit_curve`; in a notebook it shows itself.

    Parameters
    ----------
    book
        What `open_workbook`, `open_history`, `open_board`, `open_pace`, `open_movement` or `open_people` gave.
    name
        One of `exhibits_of(book)`.
    options
        What that exhibit can be asked besides, by name.

    Raises
    ------
    PlanError
        If there is no such exhibit of such a book, or it has nothing to show.
    """
    exhibits = exhibits_of(book)
    if name not in exhibits:
        meant = did_you_mean(name, exhibits).rstrip() or f"there are {', '.join(sorted(exhibits))}"
        raise PlanError.at("exhibit", f"there is none called {shown(name)}; {meant}")
    found = exhibits[name](book, **options)
    if found is None:
        raise PlanError.at("exhibit", f"{name} has nothing to show of this plan; exhibit(book, 'summary') says why")
    return found
