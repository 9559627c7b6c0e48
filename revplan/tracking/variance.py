"""Why ARR differs from the plan: an exact bridge of five factors and the opening pipeline.

ARR = open pipeline + sum over cells V * m * R * T * D: V entries at the commit stage, m the cell's share of
them, R their eventual win rate, T the share of those wins that lands in the period, D ARR per win. The
difference of each cell is split into the five by Shapley values: the mean, over all orders in which the
factors could be moved from plan to actual one after the other, of what each move changes. So the parts
add up to the difference, and none depends on the order.

Sources: L. Shapley, "A value for n-person games", Contributions to the Theory of Games II (1953),
doi.org/10.1515/9781400881970-018.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import factorial, sqrt

import numpy as np
import pandas as pd

from revplan.ground.formats import largest_remainder, round_half_up
from revplan.ground.tables import conform, empty
from revplan.tracking.periods import Span

FACTORS = ("volume", "mix", "win_rate", "timing", "deal_size")
CELL = ["segment", "source"]
LINES = {
    "opening": "records open on the plan date: actual less planned ARR",
    "volume": "more or fewer entries at the commit stage since the plan date",
    "mix": "entries of other segments and sources than planned",
    "win_rate": "another share of the entries that is won in the end",
    "timing": "another share of those wins inside the period",
    "deal_size": "other ARR per win",
}


def shapley(planned: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """What each factor adds to the product of a column as all go from `planned` to `actual`; same shape.

    Rows are factors, columns cells. The sum over the rows is the difference of the products.
    """
    count = len(planned)
    parts = np.zeros_like(planned, dtype=float)
    for factor in range(count):
        others = [each for each in range(count) if each != factor]
        for size in range(count):
            weight = factorial(size) * factorial(count - 1 - size) / factorial(count)
            for moved in combinations(others, size):
                stays = [each for each in others if each not in moved]
                parts[factor] += weight * actual[list(moved)].prod(axis=0) * planned[stays].prod(axis=0)
    return parts * (actual - planned)


def factors(planned: pd.DataFrame, actual: pd.DataFrame) -> pd.DataFrame:
    """Table variance_factors: the five factors of every cell, planned and actual.

    A cell that one side lacks takes the other side's win rate, timing and deal, so that all its difference
    is volume and mix; the same where a side leaves one of them open (no entries, no wins).

    Parameters
    ----------
    planned, actual
        Table cohort_terms.
    """
    cells = planned[CELL].merge(actual[CELL], on=CELL, how="outer")
    planned, actual = (cells.merge(side, on=CELL, how="left") for side in (planned, actual))
    sides = _agreed(_factors_of(planned), _factors_of(actual))
    table = cells.assign(
        **{f"{name}_planned": row for name, row in zip(FACTORS, sides[0], strict=True)},
        **{f"{name}_actual": row for name, row in zip(FACTORS, sides[1], strict=True)},
        opening_planned=planned["opening_arr"].fillna(0.0),
        opening_actual=actual["opening_arr"].fillna(0.0),
        provisional=actual["provisional"].eq(True),
    )
    return conform(table, "variance_factors")


def _factors_of(side: pd.DataFrame) -> np.ndarray:
    """V, m, R, T, D by cell; NaN where the side leaves one open."""
    entries, wins, arr, rate = (side[name].to_numpy(dtype=float) for name in ("entries", "wins", "arr", "win_rate"))
    entries = np.nan_to_num(entries)
    volume = entries.sum()
    rate = np.where(entries > 0, rate, np.nan)
    return np.stack(
        [
            np.full(len(side), volume),
            entries / volume if volume > 0 else np.full(len(side), np.nan),
            rate,
            _ratio(wins, entries * rate),
            _ratio(arr, wins),
        ]
    )


def _ratio(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    positive = np.nan_to_num(under) > 0
    return np.divide(over, under, out=np.full(len(over), np.nan), where=positive)


def _agreed(planned: np.ndarray, actual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both sides with what one leaves open taken from the other, and 0 where both do."""
    return (
        np.nan_to_num(np.where(np.isnan(planned), actual, planned)),
        np.nan_to_num(np.where(np.isnan(actual), planned, actual)),
    )


def variance_cells(found: pd.DataFrame) -> pd.DataFrame:
    """Table variance_cells: each cell's ARR planned and actual, and what each factor adds. [plan currency]

    Parameters
    ----------
    found
        Table variance_factors.
    """
    planned, actual = (
        found[[f"{name}_{side}" for name in FACTORS]].to_numpy(dtype=float).T for side in ("planned", "actual")
    )
    parts = dict(zip(FACTORS, shapley(planned, actual), strict=True))
    table = found[CELL].assign(
        planned=planned.prod(axis=0) + found["opening_planned"],
        opening=found["opening_actual"] - found["opening_planned"],
        **parts,
        actual=actual.prod(axis=0) + found["opening_actual"],
        provisional=found["provisional"],
    )
    return conform(table, "variance_cells")


def variance(cells: pd.DataFrame, span: Span, decimals: int = 0) -> pd.DataFrame:
    """Table variance: from the ARR planned for a period to the ARR that came, line by line. [plan currency]

    `displayed` is rounded by largest remainder, so that the lines add up as shown.

    Parameters
    ----------
    cells
        Table variance_cells.
    span
        The period they count.
    decimals
        Of the amounts displayed.
    """
    if cells.empty:
        return empty("variance")
    planned, actual = float(cells["planned"].sum()), float(cells["actual"].sum())
    parts = [float(cells[name].sum()) for name in LINES]
    ends = [round_half_up(planned, decimals), round_half_up(actual, decimals)]
    steps = largest_remainder(parts, ends[1] - ends[0], decimals)
    table = pd.DataFrame(
        {
            "period": span.label,
            "line": ["planned", *LINES, "actual"],
            "amount": [planned, *parts, actual],
            "displayed": [ends[0], *steps, ends[1]],
            "provisional": [
                False,
                *(bool(cells["provisional"].any()) and name in PROVISIONAL for name in LINES),
                False,
            ],
            "basis": [
                "what the plan expects of its commit and its open records",
                *LINES.values(),
                "won in the records",
            ],
        }
    )
    return conform(table, "variance")


PROVISIONAL = ("win_rate", "timing")  # lines that move as young entries come of age


# --- people, opportunities, product or price -------------------------------------------------------------------------

PEOPLE, OPPORTUNITIES, PRODUCT, PRICE, NOTHING, OTHER = (
    "people",
    "opportunities",
    "product",
    "price",
    "nothing",
    "other",
)
BEHIND = {"volume": OPPORTUNITIES, "win_rate": PRODUCT, "deal_size": PRICE}
"""Line of the bridge -> what it is if that line is what is missing."""
FULLY_USED = 0.9  # of what people can close, from which they are the limit
ONE_IN_TEN = 1.2816  # standard errors
DEAL_SPREAD = 1.0  # standard deviation of a deal over its mean: deals are skewed, and few plans say how much


@dataclass(frozen=True, kw_only=True)
class Diagnosis:
    """What stands side by side where a year is behind: people, opportunities, win rate and price, planned and as they came."""

    cause: str
    """The one that weighs most; nothing where luck alone takes a year so far off its plan."""
    line: str
    """The line of the bridge that weighs most; empty where it is people, or nothing."""
    worth: float
    """What that line takes away, less than 0. [plan currency]"""
    planned: float
    actual: float
    """New ARR. [plan currency]"""
    able: float
    """What people could close. [plan currency]"""
    entries: tuple[float, float]
    """Entries at the commit stage since the plan date, planned and actual."""
    rate: tuple[float, float]
    """Share of them that is won in the end. [0-1]"""
    deal: tuple[float, float]
    """ARR per win. [plan currency]"""

    @property
    def used(self) -> float:
        """Share of what people could close that they closed. [ratio]"""
        return self.actual / self.able


def diagnosis(found: pd.DataFrame, able: float) -> Diagnosis | None:
    """Which of people, opportunities, win rate and price is behind; None where nobody could close anything, or nothing was planned.

    People come first: where they close nearly all they can, fewer and later wins are what their lack does. Behind means by more
    than luck: one year in ten falls as far short of its plan though nothing is wrong.

    Parameters
    ----------
    found
        Table variance_factors of the period.
    able
        What people could close in it. [plan currency]
    """
    cells = variance_cells(found)
    planned, actual = float(cells["planned"].sum()), float(cells["actual"].sum())
    if able <= 0 or planned <= 0:
        return None
    sides = [{name: found[f"{name}_{side}"].to_numpy() for name in FACTORS} for side in ("planned", "actual")]
    entries = [side["volume"] * side["mix"] for side in sides]
    wins = [each * side["win_rate"] for each, side in zip(entries, sides, strict=True)]
    landed = [each * side["timing"] for each, side in zip(wins, sides, strict=True)]
    rate = [_over(won.sum(), entered.sum()) for won, entered in zip(wins, entries, strict=True)]
    deal = [_over((each * side["deal_size"]).sum(), each.sum()) for each, side in zip(landed, sides, strict=True)]
    lines = {name: float(cells[name].sum()) for name in LINES}
    line = min(lines, key=lambda name: lines[name])
    mean = deal[0] or 1.0
    luck = ONE_IN_TEN * sqrt(planned * mean * (1 + DEAL_SPREAD**2))
    if planned - actual <= luck:
        cause, line = NOTHING, ""
    elif actual >= FULLY_USED * able:
        cause, line = PEOPLE, ""
    else:
        cause = BEHIND.get(line, OTHER)
    return Diagnosis(
        cause=cause,
        line=line,
        worth=lines.get(line, 0.0),
        planned=planned,
        actual=actual,
        able=able,
        entries=(float(entries[0].sum()), float(entries[1].sum())),
        rate=(rate[0], rate[1]),
        deal=(deal[0], deal[1]),
    )


def _over(above: float, below: float) -> float:
    return float(above / below) if below > 0 else 0.0
