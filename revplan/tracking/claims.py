"""What people claim of the year, held against the books: where two numbers cannot both be meant, both are named."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from revplan.crm.records import History
from revplan.ground.errors import shown
from revplan.ground.formats import compact, counted, listed, show
from revplan.ground.tables import from_rows
from revplan.plan.model import Plan
from revplan.plan.parts import Claim
from revplan.rates.spells import spells_of
from revplan.snapshot.state import within
from revplan.tracking.baseline import new_arr_won
from revplan.tracking.book import BoardBook
from revplan.tracking.periods import Span, year_so_far

NEAR = 0.1  # of a claim within which a number agrees with it
APART = 2.0  # times the growth of ARR from which a growth of sales is another number
CONTRADICTED, AGREES, UNKNOWN, LOOK = "contradicted", "agrees", "cannot be told", "look at this"


@dataclass(frozen=True)
class Finding:
    """What a claim comes to."""

    claim: str
    verdict: str
    told: str


def claims(book: BoardBook) -> pd.DataFrame:
    """Table claims: each claim of the plan file, and what the books say; wins that nobody saw coming at the end."""
    found = [(claim.by, finding) for claim in book.files.live.claims for finding in _findings(book, claim)]
    found += [("records", finding) for finding in unseen_wins(book.history, book.plan, book.quarter)]
    return from_rows("claims", ((by, each.claim, each.verdict, each.told) for by, each in found))


def _findings(book: BoardBook, claim: Claim) -> Iterator[Finding]:
    if claim.sales_growth is not None:
        arr = arr_growth(book) if claim.arr_growth is None else claim.arr_growth
        yield growth(claim.sales_growth, arr, sales_growth(book))
    if claim.sourced:
        yield sourced(claim.sourced, sourced_shares(book))
    if claim.coverage is not None:
        yield covered(claim.coverage, *coverages(book))
    if claim.win_rate is not None:
        yield converted(claim.win_rate, book.three_numbers)


# --- growth --------------------------------------------------------------------------------------


def growth(claimed: float, arr: float, measured: float) -> Finding:
    """A growth of sales beside that of ARR, and that of the new ARR on record. [times one less 1]

    >>> growth(4.0, 0.8, float("nan")).told
    'Sales are said to have grown by 400% while ARR grew by 80%: both cannot be growth of the same thing; say of what.'
    """
    said = f"sales grew by {show(claimed, 'share')}"
    if pd.notna(measured):
        beside = f", ARR by {show(arr, 'share')}" if pd.notna(arr) else ""
        told = f"The new ARR on record grew by {show(measured, 'share')} from the same part of the year before{beside}."
        agrees = abs(measured - claimed) <= NEAR * max(abs(claimed), NEAR)
        return Finding(said, AGREES if agrees else CONTRADICTED, told)
    if pd.isna(arr):
        return Finding(said, UNKNOWN, "Neither the growth of ARR nor the new ARR of the year before is known.")
    if claimed <= APART * max(arr, 0.0) or claimed - arr <= NEAR:
        return Finding(said, AGREES, f"ARR grew by {show(arr, 'share')}.")
    both = "both cannot be growth of the same thing; say of what."
    told = f"Sales are said to have grown by {show(claimed, 'share')} while ARR grew by {show(arr, 'share')}: {both}"
    return Finding(said, CONTRADICTED, told)


def arr_growth(book: BoardBook) -> float:
    """Growth of ARR since the year began, as far as it is booked; NaN where it cannot be told."""
    found = book.arr_bridge
    if found.empty or not book.spans:
        return np.nan
    year = found[found["period"] == book.spans[-1].label].set_index("term")["actual"]
    opening = float(year.get("opening", np.nan))
    return float(year.get("closing", np.nan)) / opening - 1 if opening > 0 else np.nan


def sales_growth(book: BoardBook) -> float:
    """Growth of the new ARR on record from the same part of the year before; NaN where the records do not reach back."""
    if book.history is None or not book.spans:
        return np.nan
    year = year_so_far(book.quarter, book.plan.first_month)
    stretch = year.first.start_time.date(), year.last_day
    before = _a_year_before(stretch[0]), _a_year_before(stretch[1])
    now, then = new_arr_won(book.history, *stretch), new_arr_won(book.history, *before)
    began = book.history.stage_history["entered_on"].min().date()
    if began > before[0] or now is None or not then:
        return np.nan
    return now / then - 1


def _a_year_before(day: date) -> date:
    return (pd.Timestamp(day) - pd.DateOffset(years=1)).date()


# --- shares of who sourced -----------------------------------------------------------------------


def sourced(claimed: dict[str, float], measured: dict[str, float]) -> Finding:
    """Shares of new ARR that several say they sourced: together they are all of it, never more.

    >>> sourced({"marketing": 0.72, "sales": 0.45}, {}).told
    'The shares claimed add up to 117%: a deal has one source.'
    """
    said = ", ".join(f"{name} sourced {show(share, 'share')}" for name, share in claimed.items())
    total = sum(claimed.values())
    recorded = ", ".join(f"{name} {show(measured[name], 'share')}" for name in claimed if name in measured)
    on_record = f" On record: {recorded}." if recorded else ""
    if total > 1 + 1e-9:
        told = f"The shares claimed add up to {show(total, 'share')}: a deal has one source.{on_record}"
        return Finding(said, CONTRADICTED, told)
    if not measured:
        return Finding(said, UNKNOWN, "No won deal on record says who sourced it.")
    strange = [shown(name) for name in claimed if name not in measured]
    if strange:
        told = f"Nothing won on record is of {listed(strange)}; it names {listed(list(measured))}."
        return Finding(said, UNKNOWN, told)
    far = [name for name, share in claimed.items() if abs(measured.get(name, 0.0) - share) > NEAR * max(share, NEAR)]
    return Finding(said, CONTRADICTED if far else AGREES, on_record.strip())


def sourced_shares(book: BoardBook) -> dict[str, float]:
    """Share of the year's new ARR won, by owner of its source and by source. [0-1]"""
    flow, won = book.sides.actual_flow, book.plan.stage_ids[-1]
    if flow is None:
        return {}
    year = year_so_far(book.quarter, book.plan.first_month)
    rows = flow[(flow["stage"] == won) & year.within(flow["month"])]
    total = float(rows["arr"].sum())
    if total <= 0:
        return {}
    sources = book.plan.sources
    by_source = rows.groupby("source", observed=True)["arr"].sum() / total
    by_source = by_source.reindex([*sources, *by_source.index.difference(list(sources))], fill_value=0.0)
    owners = {name: source.owner for name, source in sources.items()}
    by_owner = by_source.groupby(lambda name: owners.get(str(name), str(name))).sum()
    return {str(name): float(share) for part in (by_source, by_owner) for name, share in part.items()}


# --- coverage and win rate -----------------------------------------------------------------------


def covered(claimed: float, of_whole: float, of_rest: float, dead: str = "") -> Finding:
    """A coverage that is quoted of the whole target where only what is left of it is still to be covered. [times]

    `dead` is what open records are worth in name that are older than any conversion; empty where none are.

    >>> covered(3.0, 3.0, 4.5).told
    'The open pipeline is 3.00 times the goal of the whole year, and 4.50 times what is left to win: that is the coverage.'
    """
    said = f"coverage is {show(claimed, 'ratio')}"
    if pd.isna(of_rest):
        return Finding(said, UNKNOWN, "Nothing is left to win, or no record is open.")
    if abs(of_rest - claimed) <= NEAR * claimed:
        return Finding(said, AGREES, f"The open pipeline is {of_rest:.2f} times what is left to win.")
    told = f"The open pipeline is {of_whole:.2f} times the goal of the whole year, and {of_rest:.2f} times what is left to win: that is the coverage."
    zombies = f" Open records worth {dead} in name are older than any conversion, and not in it." if dead else ""
    return Finding(said, CONTRADICTED, f"{told}{zombies}")


def coverages(book: BoardBook) -> tuple[float, float, str]:
    """Open pipeline over the goal of the whole year, and over what is left of it to win [times]; what is dead, in words."""
    rows = book.coverage
    if rows.empty:
        return np.nan, np.nan, ""
    row = rows[rows["period"] == rows["period"].iloc[-1]].iloc[0]  # the first row of each period is the whole
    dead = float(row["dead_amount"])
    of_whole = float(row["open_amount"]) / book.year.bridge.new_arr
    return of_whole, float(row["coverage"]), compact(dead, book.plan.currency) if dead >= 0.5 else ""


def converted(claimed: float, three: pd.DataFrame) -> Finding:
    """A win rate held against the cohort's, and the ratio of a period's wins to its entries, which is no rate. [0-1]"""
    said = f"win rate is {show(claimed, 'share')}"
    rows = three[three["quarter"] == "this quarter"] if len(three) else three
    if rows.empty or pd.isna(rows["rate"].iloc[0]):
        return Finding(said, UNKNOWN, "The records do not tell how many of the quarter's entries are won in the end.")
    row = rows.iloc[0]
    rate = f"{show(row['rate'], 'share')} ({show(row['rate_low'], 'share')} to {show(row['rate_high'], 'share')})"
    near = abs(row["rate"] - claimed) <= NEAR * claimed  # a whole cohort has no band left
    if near or row["rate_low"] <= claimed <= row["rate_high"]:
        return Finding(said, AGREES, f"Of the quarter's entries {rate} are won in the end.")
    ratio = row["period_ratio"]
    as_ratio = pd.notna(ratio) and abs(ratio - claimed) <= NEAR * claimed
    why = (
        f" {show(ratio, 'share')} is what was won in the quarter over what came in: other records." if as_ratio else ""
    )
    return Finding(said, CONTRADICTED, f"Of the quarter's entries {rate} are won in the end.{why}")


# --- wins nobody saw coming ----------------------------------------------------------------------


def unseen_wins(history: History | None, plan: Plan, quarter: Span) -> list[Finding]:
    """Wins of the quarter that entered the records on the day they were won: no earlier snapshot can have held them."""
    if history is None or not quarter.has_begun or len(history.stages) < 2:
        return []
    spells = spells_of(history)
    won = spells.entered[:, -1]
    wins = within(won, quarter.first.start_time.date(), quarter.last_day)
    sudden = wins & (spells.entered.min(axis=1) == won)
    if not sudden.any():
        return []
    amounts = spells.amount[sudden]
    worth = "" if np.isnan(amounts).any() else f", worth {compact(float(amounts.sum()), plan.currency)}"
    said = f"{counted(int(sudden.sum()), 'win')} of the quarter in no earlier snapshot"
    told = (
        f"{sudden.sum()} of {counted(int(wins.sum()), 'win')} entered the records on the day of the win{worth}: no forecast could "
        "count on that."
    )
    return [Finding(said, LOOK, told)]
