"""Open and new records carried through the remaining stages, day by day, in expectation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from revplan.history.hazards import Hazards, Stays, bands_of
from revplan.history.spells import NEVER, Spells

ALIVE = 1e-6  # share of the entries still open below which a stage counts as left


@dataclass(frozen=True, eq=False)
class Open:
    """Records open in a stage: their cells, ages in days, and what each counts for."""

    cell: np.ndarray
    age: np.ndarray
    worth: np.ndarray

    def without_records(self) -> Open:
        """Nothing open."""
        return Open(self.cell[:0], self.age[:0], self.worth[:0])


def open_records(spells: Spells, stage: int, worth: np.ndarray | None = None) -> Open:
    """The records in `stage` at the end of the last day known; each counts 1, or its `worth`."""
    entered = spells.entered[:, stage]
    left, _ = spells.exits(stage)
    inside = (entered <= spells.day) & (left > spells.day)
    counted = np.ones(len(entered)) if worth is None else worth
    return Open(spells.cell[inside], spells.day - entered[inside], counted[inside])


def open_on(stays: Stays, days: Sequence[int]) -> list[Open]:
    """The records in the stage at the end of each of `days`, counted by cell and age."""
    order = np.argsort(np.asarray(days), kind="stable")
    edges = np.asarray(days)[order] - stays.start
    size = stays.cells * stays.size
    place = stays.cell * stays.size + stays.entered
    leave = np.searchsorted(edges, stays.left, side="left")  # the first of the days by whose end it is gone
    number = len(edges)
    gone = np.bincount(leave * size + place, minlength=(number + 1) * size)[: number * size]
    gone = gone.reshape(number, stays.cells, stays.size).cumsum(axis=0)
    came = np.bincount(place, minlength=size).reshape(stays.cells, stays.size)
    found: list[Open] = [Open(*np.zeros((3, 0)))] * number
    for at, edge in enumerate(edges.tolist()):
        here = (came - gone[at])[:, : max(edge + 1, 0)]
        cell, entered = np.nonzero(here)
        found[int(order[at])] = Open(cell, edge - entered, here[cell, entered].astype(float))
    return found


def carried(items: Open, entries: np.ndarray, hazards: Hazards) -> np.ndarray:
    """Entries into the next stage, cell x day, of what is open in a stage and of daily `entries` into it.

    A record open at age a goes on t days later with chance S(a + t) h(a + t) / S(a + 1), S(u) being the
    share of entries still open when the day of age u begins and h the hazard of going on; an entry t days
    ago goes on with chance S(t) h(t). Both sums over ages and days are products of spectra.
    """
    cells, horizon = entries.shape
    oldest = int(items.age.max(initial=0))
    days = oldest + horizon + 2
    still_open, going_on = _survival(hazards, days)
    by_age = np.bincount(items.cell * days + items.age, items.worth, cells * days).reshape(cells, days)
    open_now = np.maximum(np.roll(still_open, -1, axis=1), ALIVE)
    size = 2 ** int(np.ceil(np.log2(days + horizon)))
    spectrum = np.fft.rfft(going_on, size)
    later = np.fft.irfft(spectrum * np.fft.rfft(by_age / open_now, size).conj(), size)[:, 1 : horizon + 1]
    fresh = np.fft.irfft(np.fft.rfft(going_on[:, :horizon], size) * np.fft.rfft(entries, size), size)[:, :horizon]
    return np.maximum(later, 0.0) + np.maximum(fresh, 0.0)


def _survival(hazards: Hazards, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Cell x age: share of entries still open when the day begins, and share that goes on that day."""
    bands = bands_of(np.arange(days))
    stays = 1 - (hazards.go + hazards.lose)[:, bands]
    still_open = np.cumprod(np.hstack([np.ones((len(stays), 1)), stays[:, :-1]]), axis=1)
    return still_open, still_open * hazards.go[:, bands]


def wins_by_day(stock: Sequence[Open], fresh: np.ndarray, chain: Sequence[Hazards]) -> np.ndarray:
    """Wins, cell x day, of the records open in each stage and of `fresh` entries (stage x cell x day)."""
    entries = np.zeros(fresh.shape[1:])
    for items, new, hazards in zip(stock, fresh, chain, strict=True):
        entries = carried(items, entries + new, hazards)
    return entries


def won_by_day(spells: Spells, after: int, horizon: int, known: np.ndarray) -> np.ndarray:
    """Wins that really came, cell x day, in the `horizon` days after day `after`, of the `known` records."""
    won = spells.entered[:, -1]
    inside = known & (won > after) & (won <= after + horizon) & (won < NEVER)
    place = spells.cell[inside] * horizon + (won[inside] - after - 1)
    return np.bincount(place, minlength=len(spells.cells) * horizon).reshape(-1, horizon).astype(float)
