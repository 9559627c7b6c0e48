"""Which cell a running notebook has reached: for the person who waits, and for error messages."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any, TextIO

from revplan.ground.errors import shown

EVERY = 3.0
"""Seconds between two lines where a line cannot be updated in place."""


class CellProgress:
    """Follows a notebook through its cells; `stream` is where a person watches, or None.

    `cell_started` and `cell_done` have the form papermill's notebook client calls back.
    """

    def __init__(self, name: str, cells: int, stream: TextIO | None) -> None:
        self.name = name
        self.cells = cells
        self.done = 0
        self.number = 0
        self.heading = ""
        self._stream = stream
        self._in_place = stream is not None and stream.isatty()
        self._begun = time.monotonic()
        self._told = self._begun

    @property
    def place(self) -> str:
        """The cell it is in, as the person who opens the notebook counts code cells."""
        under = f' under "{self.heading}"' if self.heading else ""
        return f"{self.name}.ipynb, code cell {self.number}{under}" if self.number else f"{self.name}.ipynb"

    def cell_started(self, cell: Any, cell_index: int) -> None:
        """Notes where it is: the heading above, and the number of the code cell."""
        if cell.cell_type == "markdown":
            headings = [line.lstrip("#").strip() for line in cell.source.splitlines() if line.startswith("#")]
            self.heading = shown(headings[-1]) if headings else self.heading
        elif cell.cell_type == "code" and not _injected(cell):
            self.number += 1
        self.done += not _injected(cell)
        self._tell()

    def finish(self, outcome: str) -> None:
        """Says how it ended."""
        if self._stream:
            lead = "\r" if self._in_place else ""
            self._print(f"{lead}{self._line()}: {outcome}\x1b[K" if lead else f"{self._line()}: {outcome}", "\n")

    def _tell(self) -> None:
        if self._stream is None:
            return
        if self._in_place:
            self._print(f"\r{self._line()}\x1b[K", "")
        elif time.monotonic() - self._told >= EVERY:
            self._told = time.monotonic()
            self._print(self._line(), "\n")

    def _print(self, text: str, end: str) -> None:
        """Says `text`; a report does not fail because nobody can be told how far it is."""
        with suppress(OSError):
            print(text, end=end, file=self._stream, flush=True)

    def _line(self) -> str:
        return f"{self.name}: {self.done} of {self.cells} cells, {time.monotonic() - self._begun:.0f} s"


def _injected(cell: Any) -> bool:
    return "injected-parameters" in cell.metadata.get("tags", [])
