"""What can go wrong, by who must act.

    RevplanError
    ├── PlanError     the planner: the plan file, or what it asks for
    ├── DataError     whoever exports the CRM: records, actuals
    └── ReportError   whoever runs the machine: notebooks, kernels, folders

An error carries every fault found, not only the first, and each fault says where
it is, what came and what to do.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches

SHOWN_LENGTH = 60
MOST_DIGITS = 10**SHOWN_LENGTH


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: its place, and what came and what to do in words."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.place else self.message


class RevplanError(Exception):
    """Base of all errors a user can act on; `faults` holds every one found."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(str(fault) for fault in self.faults))

    def __reduce__(self) -> tuple[type[RevplanError], tuple[tuple[Fault, ...]]]:
        """As what an error travels from one process to another: its faults, not its text."""
        return type(self), (self.faults,)

    @classmethod
    def at(cls, place: str, message: str) -> RevplanError:
        """An error with one fault."""
        return cls([Fault(place, message)])


class PlanError(RevplanError):
    """The plan is at fault: the planner must act."""


class DataError(RevplanError):
    """The records are at fault: whoever exports them must act."""


class ReportError(RevplanError):
    """The report could not be made: whoever runs the machine must act."""


def digits(value: float) -> str:
    """A number as a message writes it: six significant digits, with thousands separators and no exponent: 1,830, 0.00012."""
    return f"{Decimal(f'{value:.6g}'):,f}" if math.isfinite(value) else str(value)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """The question whether the one of `names` most like `name` was meant, a space after it; empty where none is like it.

    A name of several words stands in quotes.
    """
    close = [repr(each) if " " in each else each for each in get_close_matches(name, list(names), n=1)]
    return f"did you mean {close[0]}? " if close else ""


def shown(value: object) -> str:
    """`value` as it appears in a message: one line, no control characters, at most 60 characters."""
    if isinstance(value, int) and abs(value) > MOST_DIGITS:
        return "a number of too many digits"
    text = "".join(c if c.isprintable() else "?" for c in str(value))
    return text if len(text) <= SHOWN_LENGTH else text[: SHOWN_LENGTH - 1] + "…"
