"""Rates out of a published cohort table: a row per cohort, a column per age, the youngest cells still empty.

The naive answer, the mean of all row totals, counts young cohorts as if they were done. Two answers do not:
the sum of the column averages, each over the cohorts that reached the age, and the mean of the mature rows.

Sources: D. Kellogg, "Time-Based Inverted Marketing Funnel" (2020), www.scribd.com/document/444362680;
T. Mack, "Distribution-free calculation of the standard error of chain ladder reserve estimates", ASTIN
Bulletin 23 (1993), doi.org/10.2143/AST.23.2.2005092, for the triangle of cohorts by age.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from revplan.errors import DataError


@dataclass(frozen=True)
class CohortRates:
    """Rates of a cohort table, in the unit of its cells."""

    column_averages: tuple[float, ...]
    """Mean conversion at each age, over the cohorts that reached it."""
    rate: float
    """Sum of the column averages: every cohort tells what it could."""
    mature_rate: float
    """Mean total of the cohorts that reached the last age."""
    mature_rows: int
    naive_rate: float
    """Mean total of all cohorts: too low, because young ones are not done."""


def cohort_rates(table: pd.DataFrame, entries: pd.Series | None = None) -> CohortRates:
    """Rates of a table of conversions, cohort x age, missing where a cohort has not reached the age.

    Parameters
    ----------
    table
        Shares (or percent) of the cohort that converted at each age; counts, if `entries` is given.
    entries
        Records of each cohort, which then weigh by their number; without them cohorts weigh alike.

    Raises
    ------
    DataError
        If the table is empty, or a cohort has a gap before its last cell.
    """
    cells = table.to_numpy(dtype=float)
    if cells.size == 0:
        raise DataError.at("cohort table", "holds no cohort; give one row per cohort and one column per age")
    seen = ~np.isnan(cells)
    gaps = table.index[(np.diff(seen.astype(int), axis=1) > 0).any(axis=1)]
    if len(gaps) or not seen[:, 0].all():
        where = gaps[0] if len(gaps) else table.index[~seen[:, 0]][0]
        raise DataError.at(f"cohort table, row {where}", "has a gap before its last cell; write 0 where none converted")
    records = np.ones(len(cells)) if entries is None else entries.reindex(table.index).to_numpy(dtype=float)
    reached, totals, mature = records @ seen, np.nansum(cells, axis=1), seen[:, -1]
    if (reached <= 0).any() or np.isnan(reached).any():
        raise DataError.at("cohort table", "has an age that no cohort has reached, or a cohort without entries")
    columns = np.nansum(cells, axis=0) / reached
    return CohortRates(
        column_averages=tuple(float(each) for each in columns),
        rate=float(columns.sum()),
        mature_rate=float(totals[mature].sum() / records[mature].sum()),
        mature_rows=int(mature.sum()),
        naive_rate=float(totals.sum() / records.sum()),
    )
