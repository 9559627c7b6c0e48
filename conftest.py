"""Committed notebooks are run by nbval and compared by what a reader sees, not by the last digits of floats."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import pytest
from nbval.plugin import IPyNbCell

from tools.refresh import differences


@dataclass(frozen=True, eq=False)
class Seen:
    """An output as it is compared: equal to another that shows the same."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Seen) and not any(differences(self.value, other.value))


def pytest_itemcollected(item: pytest.Item) -> None:
    """nbval compares what `sanitize` makes of two outputs."""
    if isinstance(item, IPyNbCell):
        item.sanitize = Seen


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """The first few places at which a notebook shows something else."""
    if isinstance(left, Seen) and isinstance(right, Seen) and op == "==":
        return ["the committed output shows something else:", *islice(differences(left.value, right.value), 8)]
    return None
