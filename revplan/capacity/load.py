"""How many records of a stage the people can work, and what ARR at most can come of as many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from revplan.capacity.team import RAMPED, asked_capacity, seats
from revplan.funnel.funnel import YEAR
from revplan.funnel.year import PlannedYear

BEFORE = 36  # months before the year whose records may still be won in it


@dataclass(frozen=True, eq=False)
class Workload:
    """The records of a stage in one segment, and how many of them the people of a role can work."""

    role: str
    pool: int
    """The segment."""
    stage: str
    entries: np.ndarray
    """Shape (12,): committed entries into the stage. [records]"""
    workable: np.ndarray
    """Shape (12,): entries that the people can work. [records]"""
    arr: np.ndarray
    """Shape (12,): new ARR that as many entries in every month would bring. [plan currency]"""


def load_limits(year: PlannedYear, segments: tuple[str, ...]) -> list[Workload]:
    """The workloads of every role that states a limit, in each segment where somebody of it works."""
    found = []
    for name, role in asked_capacity(year.plan).roles.items():
        if role.load is None:
            continue
        entries = {segment: _entries(year, segment, role.load.stage) for segment in segments}
        every = sum((flow for flow in entries.values()), np.zeros(YEAR))
        for number, segment in enumerate(segments):
            share = np.where(every > 0, entries[segment] / np.maximum(every, 1e-12), 1 / len(segments))
            ramped = np.zeros(YEAR)
            for seat in seats(year.plan):
                if seat.role == name and seat.segment in (segment, None):
                    ramped += seat.expected[RAMPED] * (share if seat.segment is None else 1.0)
            workable = role.load.per_month * ramped
            if workable.any() and entries[segment].any():
                arr = _arr_of(year, segment, role.load.stage, workable)
                found.append(Workload(name, number, role.load.stage, entries[segment], workable, arr))
    return found


def _entries(year: PlannedYear, segment: str, stage: str) -> np.ndarray:
    """Committed entries into `stage` in a segment by month of the year, those of the months gone being none. [records]"""
    found = np.zeros(YEAR)
    for cell, flow in zip(year.cells, year.flows, strict=True):
        if cell.segment == segment and stage in cell.stages:
            found += year.in_year(flow[cell.stages.index(stage)])
    return found


def _arr_of(year: PlannedYear, segment: str, stage: str, workable: np.ndarray) -> np.ndarray:
    """New ARR by month that `workable` entries bring, split over the segment's sources as the commit splits them."""
    cells = [
        (cell, float(flow[cell.stages.index(stage)].sum()))
        for cell, flow in zip(year.cells, year.flows, strict=True)
        if cell.segment == segment and stage in cell.stages
    ]
    total = sum(entries for _, entries in cells) or 1.0
    before = np.full(BEFORE, workable[0])
    found = np.zeros(YEAR)
    for cell, entries in cells:
        at = cell.stages.index(stage)
        won = np.convolve(np.append(before, workable), cell.shares_to_won(at))[BEFORE : BEFORE + YEAR]
        found += entries / total * cell.rates_to_won[at] * cell.acv * won
    return found
