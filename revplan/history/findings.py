"""What an import found: lines of its report, and faults gathered by kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from revplan.errors import Fault

EXAMPLES = 3
Row = TypeVar("Row")


@dataclass(frozen=True)
class ImportLine:
    """One line of the import report: in which part, what, how often, and an example."""

    part: str
    what: str
    count: int
    example: str = ""

    def __str__(self) -> str:
        example = f" ({self.example})" if self.example else ""
        return f"{self.part}: {self.what}: {self.count:,}{example}"


@dataclass(frozen=True)
class Findings:
    """The faults and the report lines of one step of the import."""

    faults: tuple[Fault, ...] = ()
    lines: tuple[ImportLine, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings(self.faults + other.faults, self.lines + other.lines)


def counted(part: str, what: str, count: int, example: str = "") -> Findings:
    """A report line where there is something to count, nothing otherwise."""
    return Findings(lines=(ImportLine(part, what, int(count), example),)) if count else Findings()


def first_faults(rows: Sequence[Row], fault: Callable[[Row], Fault], kind: str) -> tuple[Fault, ...]:
    """The faults of the first three `rows`, and how many more of the same kind there are."""
    found = tuple(fault(row) for row in rows[:EXAMPLES])
    rest = len(rows) - len(found)
    return (*found, Fault(found[-1].place, f"and {rest:,} more {kind}")) if rest else found
