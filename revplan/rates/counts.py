"""Histories counted: who entered a stage when, and went on, was lost or is still there after how long.

What is counted are the records as the import leaves them (`crm/moments`): stages in order, skipped ones
entered with the next, losses last. A record is in a stage from the day it enters it until it enters the
next one (it went on) or is lost; one that closed on a day no file says is watched until the last day known of it. All is counted in calendar days and months.

Whether segments or sources really convert differently, or only look it.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from scipy.special import chdtrc

from revplan.ground.formats import first_largest, steady_order
from revplan.ground.tables import conform, empty
from revplan.rates.spells import NEVER, Spells, day_number

OUTCOMES = ["went_on", "lost", "still_open"]
CELL = ["segment", "source"]


def cohort_counts(spells: Spells) -> pd.DataFrame:
    """Records by month of entry into a stage, and months until they went on, were lost or are open. [records]

    The table `cohort_counts`. The three counts of a cohort add up, over all lags, to its entries; a record
    still open stands at the lag from its entry to the last day known.
    """
    stays = _stays(spells)
    first, last = (stays[name].to_numpy().astype("datetime64[D]").astype("datetime64[M]") for name in ("start", "end"))
    stays = stays.assign(month=first.astype(int), lag_months=(last - first).astype(int))
    table = _named(_tally(stays, ["number", "cell", "month", "lag_months"]), spells)
    months = pd.PeriodIndex.from_ordinals(table["month"], freq="M")
    order = [*CELL, "number", "month", "lag_months"]
    return conform(table.assign(cohort_month=months).sort_values(order, kind="stable"), "cohort_counts")


def exposure_counts(spells: Spells, since: date | None = None) -> pd.DataFrame:
    """Records watched in each stage at each age in days, and those that left it at that age. [records]

    The table `exposure_counts`. A record is at risk at age a if it was in the stage a days after its
    entry, the day it leaves included, and that day lies between `since` (or any day) and the last day known.
    """
    stays = _stays(spells)
    first = (day_number(since) - stays["start"]).clip(lower=0) if since else 0
    stays = stays.assign(first=first, last=stays["end"] - stays["start"]).query("last >= first")
    counts = _tally(stays, ["number", "cell", "first", "last"])
    parts = [_by_age(rows).assign(number=key[0], cell=key[1]) for key, rows in counts.groupby(["number", "cell"])]
    if not parts:
        return empty("exposure_counts")
    return conform(_named(pd.concat(parts), spells).rename(columns={"from_stage": "stage"}), "exposure_counts")


def _stays(spells: Spells) -> pd.DataFrame:
    """Each stay of a record in a stage: its cell, the stage's number, first and last day, and the number of its outcome."""
    parts = []
    for number in range(len(spells.stages) - 1):
        inside = spells.entered[:, number] < NEVER
        left, went_on = (each[inside] for each in spells.exits(number))
        stay = {"cell": spells.cell[inside], "number": number, "start": spells.entered[inside, number]}
        end = np.maximum(np.where(left < NEVER, left, spells.day), stay["start"])
        was_lost = (left < NEVER) & ~spells.censored(number)[inside]
        parts.append(pd.DataFrame({**stay, "end": end, "outcome": np.where(went_on, 0, np.where(was_lost, 1, 2))}))
    return pd.concat(parts, ignore_index=True)


def _tally(stays: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Stays by `keys`, a column per outcome."""
    sizes = stays.groupby([*keys, "outcome"]).size().unstack("outcome", fill_value=0)
    return sizes.reindex(columns=range(3), fill_value=0).set_axis(OUTCOMES, axis=1).reset_index()


def _named(counts: pd.DataFrame, spells: Spells) -> pd.DataFrame:
    """`counts` with the names of cells and stages in the place of their numbers."""
    number, cell = counts["number"].to_numpy(dtype=int), counts["cell"].to_numpy(dtype=int)
    names = np.array(spells.cells, dtype=object).reshape(-1, 2)[cell]
    stages = np.array(spells.stages, dtype=object)
    texts = {
        "segment": names[:, 0],
        "source": names[:, 1],
        "from_stage": stages[number],
        "to_stage": stages[number + 1],
    }
    return counts.assign(**{name: pd.Series(each, index=counts.index, dtype="str") for name, each in texts.items()})


def _by_age(counts: pd.DataFrame) -> pd.DataFrame:
    """The rows of one cell and stage, which begin to be watched at age `first` and end at age `last`."""
    first, last = counts["first"].to_numpy(), counts["last"].to_numpy()
    records = counts[OUTCOMES].sum(axis=1).to_numpy()
    size = int(last.max()) + 2
    at_risk = np.cumsum(np.bincount(first, records, size) - np.bincount(last + 1, records, size))
    exits = {name: np.bincount(last, counts[name], size) for name in OUTCOMES[:2]}
    table = pd.DataFrame({"age_days": np.arange(size), "at_risk": at_risk, **exits}).astype("int64")
    return table[table["at_risk"] > 0]


FEWEST = 5.0  # conversions expected of a part below which it is left out
SURE = 0.05  # chance of one false difference among all that are tested


def differences(spells: Spells, since: date | None = None) -> pd.DataFrame:
    """Each step compared between segments, and between sources. [table differences]

    Were all parts alike, each would convert as often as the chances by age of all records lead to
    expect of the ages it was watched at; the squared differences over the expected follow a
    chi-squared law (the log-rank test: Mantel, 1966). Chances are corrected for the number of
    comparisons (Holm, 1979, www.jstor.org/stable/4615733), so that looking often finds nothing.
    """
    counts = exposure_counts(spells, since)
    rows = [
        row
        for stage, step in counts.groupby("stage", sort=False, observed=True)
        for by in ("segment", "source")
        if (row := _compared(str(stage), spells.stages[spells.stages.index(str(stage)) + 1], by, step)) is not None
    ]
    if not rows:
        return empty("differences")
    names = ["from_stage", "to_stage", "by", "parts", "best", "worst", "ratio", "chance"]
    found = pd.DataFrame(rows, columns=names)
    found = found.iloc[steady_order(found["chance"])].reset_index(drop=True)
    corrected = (found["chance"] * np.arange(len(found), 0, -1)).cummax().clip(upper=1.0)
    return conform(found.assign(chance=corrected, differs=corrected < SURE), "differences")


def _compared(start: str, end: str, by: str, step: pd.DataFrame) -> tuple[object, ...] | None:
    """One step, its parts against what all records lead to expect; None where fewer than two are large enough."""
    ages = step.groupby("age_days")[["at_risk", "went_on"]].sum()
    chance = (ages["went_on"] / ages["at_risk"]).where(ages["at_risk"] > 0, 0.0)
    expected = step["at_risk"] * step["age_days"].map(chance)
    parts = step.assign(expected=expected).groupby(by, observed=True)[["went_on", "expected"]].sum()
    parts = parts[parts["expected"] >= FEWEST]
    if len(parts) < 2:
        return None
    statistic = float(((parts["went_on"] - parts["expected"]) ** 2 / parts["expected"]).sum())
    level = parts["went_on"] / parts["expected"]
    ratio = float(level.max() / level.min()) if level.min() > 0 else float("inf")
    best, worst = (str(level.index[first_largest(each)]) for each in (level, -level))
    return start, end, by, float(len(parts)), best, worst, min(ratio, 1e6), float(chdtrc(len(parts) - 1, statistic))
