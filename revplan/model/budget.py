"""What the commit costs, by the month in which it is spent."""

from __future__ import annotations


def spend(entries: float, cost_per_entry: float | None) -> float:
    """Programme spend for entries at the stage where the source enters. [plan currency]

    An unpriced source spends nothing here; who uses this names it.
    """
    return entries * (cost_per_entry or 0.0)


def program_cac(spent: float, wins: float) -> float | None:
    """Programme spend of a year per win of the same sources in that year. [plan currency per deal]

    The fully loaded CAC, with salaries and tools, is another number. None where there is no win.
    """
    return spent / wins if wins > 0 else None
