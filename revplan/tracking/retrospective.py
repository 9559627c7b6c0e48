"""A year looked back on: what was said of it and how it turned out, which assumptions were off, what the next plan takes from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from revplan.crm.records import STALE_DAYS, last_recorded
from revplan.ground.calendar import MONTHS_PER_YEAR
from revplan.ground.errors import PlanError
from revplan.ground.formats import largest_remainder, round_half_up, show
from revplan.ground.tables import conform, empty, from_rows
from revplan.plan.parts import Transition
from revplan.plan.stages import titles_of
from revplan.rates.estimates import estimate_transitions, rate_law
from revplan.rates.spells import spells_of
from revplan.record.packs import Pack
from revplan.tracking import landing
from revplan.tracking.book import BoardBook, book_on, open_board, open_past
from revplan.tracking.periods import Span, quarter_span, whole_year
from revplan.workbook.history import compared_steps
from revplan.workbook.realism import median_days

BAND = np.array([0.1, 0.9])
INSIDE, OUTSIDE, OPEN = "yes", "no", "open"
HIGH, LOW, FITS = "too high", "too low", "in line"
PARTS = {"entries": ("volume", "mix"), "win_rate": ("win_rate",), "timing": ("timing",), "deal_size": ("deal_size",)}
"""What a plan assumes of a segment, and the steps of the bridge that it makes."""


@dataclass(frozen=True, kw_only=True)
class SeenYear:
    """The year as it was seen on an earlier day, and the pack that told it."""

    book: BoardBook
    pack: Pack | None


@dataclass(frozen=True, eq=False)
class Retrospective:
    """A year looked back on; each table is made when it is first asked for."""

    book: BoardBook
    """The year as known on its last day, or on the last day there is."""

    @property
    def is_finished(self) -> bool:
        """Whether the year is over and the records hold all of it."""
        return is_finished(self.book)

    @cached_property
    def seen(self) -> list[SeenYear]:
        """The year as planned on the evening before it began, and on the days of its history, the earliest first."""
        book = self.book
        eve = book_on(book.files, "", book.plan.first_month.start_time.date() - timedelta(days=1), book.segment)
        packs = {each.as_of: each for each in book.packs if each.told("landing") is not None}
        return [SeenYear(book=each, pack=packs.get(each.as_of)) for each in (eve, *open_past(book))]

    @cached_property
    def forecasts(self) -> pd.DataFrame:
        """Table forecasts_judged: each forecast of the year and of a quarter about to begin, and how it turned out. [plan currency]"""
        return _forecasts_judged(self)

    @cached_property
    def assumptions(self) -> pd.DataFrame:
        """Table assumptions_judged: what the plan assumed of each segment, what it was, and what the difference brought or cost.

        The amounts are the steps of the variance, by segment: they add up to actual less planned new ARR. [plan currency]
        """
        return _assumptions_judged(self.book)

    @cached_property
    def rates(self) -> pd.DataFrame:
        """Table rates_judged: every planned rate and delay beside what the records support now, those furthest off first."""
        return _rates_judged(self.book)


def is_finished(book: BoardBook) -> bool:
    """Whether the year is over and the records hold all of it."""
    return whole_year(book.plan.first_month, book.as_of).is_over and not book.lacking_of_year


def open_retrospective(
    plan_path: str | Path, as_of: date | str | None = None, against: str | Path = "", segment: str = ""
) -> Retrospective:
    """The year of the plan at `plan_path` looked back on as known on its last day, or on the last day there is.

    Parameters
    ----------
    plan_path, against, segment
        As for `open_board`.
    as_of
        The last day known, such as 2026-12-31; the records' last if left out.

    Raises
    ------
    PlanError
        If the plan or the baseline is at fault, or the year has not begun.
    DataError
        If the records it names are.
    """
    book = open_board(plan_path, "", as_of, against, segment)
    if book.files.snapshots is None:
        raise PlanError.at(
            "history", "is not in the plan; a year is looked back on by its records: add history: {leads: crm.yaml}"
        )
    if not book.spans:
        begins = show(book.plan.first_month.start_time.date(), "date")
        raise PlanError.at(
            "as_of",
            f"is {show(book.as_of, 'date')}, and the year begins on {begins}: nothing of it can be looked back on",
        )
    return Retrospective(book)


def _forecasts_judged(year: Retrospective) -> pd.DataFrame:
    return from_rows("forecasts_judged", (row for said in year.seen for row in _forecasts(year.book, said)))


def _forecasts(book: BoardBook, said: SeenYear) -> Iterator[dict[str, object]]:
    seen, first = said.book, book.plan.first_month
    begins = seen.as_of + timedelta(days=1)
    quarter, whole = quarter_span("", first, begins), whole_year(first, book.as_of)
    spans = [quarter] if quarter.first.start_time.date() == begins else []
    found = landing.landing(
        seen.now or seen.year,
        seen.simulation,
        [*(each.until(seen.as_of) for each in spans), whole.until(seen.as_of)],
        np.nan,
    )
    for span, row in zip([*spans, whole], found.to_dict("records"), strict=True):
        pack = said.pack if span is whole else None
        told = [row[name] if pack is None else pack.told(name) for name in ("landing", "landing_low", "landing_high")]
        expected, low, high = (np.nan if each is None else round_half_up(each, book.decimals) for each in told)
        actual = _actual(book, Span(span.name, span.first, span.count, book.as_of))
        judged = not pd.isna(actual) and not pd.isna(low)
        yield {
            "said_on": pd.Timestamp(seen.as_of),
            "shown_on": pd.NaT if pack is None else pd.Timestamp(pack.shown_on),
            "period": span.name,
            "landing": expected,
            "landing_low": low,
            "landing_high": high,
            "actual": actual,
            "miss": expected - actual,
            "inside": (INSIDE if low <= actual <= high else OUTSIDE) if judged else OPEN,
        }


def _actual(book: BoardBook, span: Span) -> float:
    """New ARR of a period that is over; NaN where it is not, or the records lack some of it. [plan currency]"""
    if not span.is_over or book.now is None or book.history is None:
        return np.nan
    unrecorded = last_recorded(book.history) < span.last_day - timedelta(days=STALE_DAYS)
    if unrecorded or (span.count == MONTHS_PER_YEAR and not is_finished(book)):
        return np.nan
    return round_half_up(float(book.now.won_arr[:, landing.months_of(book.now, span)].sum()), book.decimals)


def _assumptions_judged(book: BoardBook) -> pd.DataFrame:
    span = book.spans[-1]
    factors, cells = book.variance_factors(span), book.variance_cells(span)
    if cells.empty:
        return empty("assumptions_judged")
    rows = [row for segment in dict.fromkeys(factors["segment"]) for row in _of_segment(factors, cells, segment)]
    opened = {"segment": "", "about": "opening", "provisional": False, "cost": float(cells["opening"].sum())}
    rows.append({**opened, **{side: float(factors[f"opening_{side}"].sum()) for side in ("planned", "actual")}})
    table = pd.DataFrame(rows)
    ends = book.variance[book.variance["period"] == span.label].set_index("line")["displayed"]
    whole = float(ends["actual"] - ends["planned"])
    table["cost"] = largest_remainder(table["cost"].to_numpy(), whole, book.decimals)
    return conform(table.sort_values("cost", kind="stable", ignore_index=True), "assumptions_judged")


def _of_segment(factors: pd.DataFrame, cells: pd.DataFrame, segment: str) -> Iterator[dict[str, object]]:
    mine = factors["segment"] == segment
    sides = {side: _weighted(factors[mine], side) for side in ("planned", "actual")}
    young = bool(factors.loc[mine, "provisional"].any())
    for about, steps in PARTS.items():
        yield {
            "segment": segment,
            "about": about,
            "planned": sides["planned"][about],
            "actual": sides["actual"][about],
            "cost": float(cells.loc[cells["segment"] == segment, list(steps)].sum().sum()),
            "provisional": young and about in ("win_rate", "timing"),
        }


def _weighted(factors: pd.DataFrame, side: str) -> dict[str, float]:
    """Entries of some cells together, their win rate, the share that lands in time, and ARR per win."""
    of = {name: factors[f"{name}_{side}"] for name in ("volume", "mix", "win_rate", "timing", "deal_size")}
    entries = of["volume"] * of["mix"]
    wins = entries * of["win_rate"]
    landed = wins * of["timing"]
    arr = landed * of["deal_size"]

    def over(above: pd.Series, below: pd.Series) -> float:
        return float(above.sum() / below.sum()) if below.sum() > 0 else np.nan

    return {"entries": float(entries.sum()), "win_rate": over(wins, entries), "timing": over(landed, wins), "deal_size": over(arr, landed)}  # fmt: skip


def _rates_judged(book: BoardBook) -> pd.DataFrame:
    if book.history is None:
        return empty("rates_judged")
    estimates = estimate_transitions(book.history, book.as_of)
    rows, titles = [], titles_of(book.plan.stages)
    for each in compared_steps(book.year, estimates, spells_of(book.history)):
        low, high = betaincinv(*rate_law(each.row), BAND)
        planned, measured = each.planned.rate, float(each.row["rate"])
        rows.append(
            {
                "step": _step(each.planned, titles),
                "planned": planned,
                "rate": measured,
                "rate_low": float(low),
                "rate_high": float(high),
                "planned_days": median_days(each.planned.lag, float(each.row["median_days"])),
                "median_days": float(each.row["median_days"]),
                "verdict": HIGH if planned > high else LOW if planned < low else FITS,
                "mature": bool(each.row["mature"]),
                "off": abs(np.log(planned / measured)) if measured > 0 else np.inf,
            }
        )
    if not rows:
        return empty("rates_judged")
    found = pd.DataFrame(rows)
    found["fits"] = found["verdict"] == FITS
    return conform(
        found.sort_values(["fits", "off"], ascending=[True, False], kind="stable", ignore_index=True), "rates_judged"
    )


def _step(planned: Transition, titles: Mapping[str, str]) -> str:
    """What a reader calls a transition: its stages, and the segment and source that it is of."""
    of = [part for part in (planned.segment, planned.source) if part]
    return ", ".join([f"{titles[planned.from_stage]} to {titles[planned.to_stage]}", *of])
