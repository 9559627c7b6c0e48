"""The example company's running year, opened once a session."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest

from revplan.tracking.book import BoardBook, open_board

FY26 = Path(__file__).parents[2] / "data" / "example" / "plan_fy26.yaml"


@pytest.fixture(scope="session")
def opened() -> Callable[..., BoardBook]:
    """Opens the year as `open_board` does; what was opened before is the same book, its tables made already."""
    return cache(partial(open_board, FY26))


@pytest.fixture(scope="session")
def q3(opened: Callable[..., BoardBook]) -> BoardBook:
    """The year at the end of its third quarter."""
    return opened("2026-Q3")
