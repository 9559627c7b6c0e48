"""How all tests are run: notebooks compared by what a reader sees, and which files share a process, the dearest first.

Committed notebooks are run by nbval and compared by what they show, not by the last digits of floats.
"""

from __future__ import annotations

import gc
import os
import sys
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from nbval.plugin import IPyNbCell

from tools.refresh import differences

# Compiled once, not at each start: of every process of tests, and of every program that a test starts.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

DEAREST_FIRST = (
    ("test_app_browser", "test_app_server"),
    ("test_board_hard_cases", "test_language", "test_words", "test_capacity_report"),
    ("test_board_exhibits", "test_boardbook", "test_board_figures", "test_shared_figures", "test_what_if"),
    ("test_changes_act",),
    ("test_deck_refresh",),
    ("test_pace_daily",),
    ("test_strangers_folder",),
    ("test_inputs_once",),
    ("test_annual_commit", "test_rates_report"),
    ("test_report_render",),
    ("test_history_import",),
    ("test_report_accessible", "test_report_browser"),
    ("test_live_workbook",),
    ("test_capacity",),
    ("test_packs",),
    ("test_report_refresh",),
    ("test_fit",),
    ("test_cli",),
    ("test_history_rates",),
    ("test_limits",),
    ("test_simulate_laws",),
    ("test_discrete_event",),
    ("test_report_deck",),
    ("test_live_import",),
    ("test_record",),
    ("test_wheel",),
    ("test_store_counts",),
    ("test_movement_laws",),
    ("test_model",),
    ("test_first_try",),
)
"""Files of tests, by what they share in one process, in the order in which they are begun: whichever process is free
takes the next, so that none is left alone at the end with a long one. What is not named comes after."""
PLACE = {name: (number, files[0]) for number, files in enumerate(DEAREST_FIRST) for name in files}


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


# --- side by side ----------------------------------------------------------------------------------------------


def pytest_collection_finish() -> None:
    """What is imported is looked through for rubbish no more, the rest less often: it took a tenth of all time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The dearest first."""
    items.sort(key=lambda item: PLACE.get(item.path.stem, (len(PLACE), ""))[0])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors: some tests wait for a browser or a server."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object | None:
    """With `--dist loadfile`, files that share what is dear to make go to one process."""
    from xdist.scheduler import LoadFileScheduling

    class Sharing(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = super()._split_scope(nodeid)
            return PLACE.get(Path(file).stem, (0, file))[1]

    return Sharing(config, log) if config.getoption("dist") == "loadfile" else None
