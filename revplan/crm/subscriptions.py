"""What customers paid month by month, from subscription periods: the ARR bridge, whose terms add up exactly.

A customer's amount at the end of a month is the sum of the periods that run then. From one month to the next it
is new (never paid before), a reactivation (paid once, then nothing), an expansion, a contraction or churn, so

    closing = opening + new + reactivation + expansion + contraction + churn

holds in every month by construction; amounts are added in whole cents, so that it holds to the last one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from revplan.crm.cells import Cells, Findings, ImportLine, amounts, counted, days, stripped
from revplan.crm.mapping import DateFormat, DecimalMark, Location, Text
from revplan.crm.readers import read_table
from revplan.crm.warts import losses_on_the_last_day
from revplan.ground.errors import DataError, shown
from revplan.ground.tables import conform

CENTS = 100
FEW, NEARLY = 10, 0.9  # customers, and the share of them that end in one month, that are worth a line
MONTHS = {"month": 12, "year": 1}  # times an amount per month, or per year, for the ARR


class Subscriptions(Location):
    """A table with a row per subscription period, and its columns."""

    customer: Text
    """Column with the customer."""
    start: Text
    """Column with the first day."""
    end: Text
    """Column with the day it no longer ran; empty while it runs."""
    amount: Text
    """Column with the money per month, or per year."""
    per: Literal["month", "year"] = "month"
    """What the amounts are for."""
    date_format: DateFormat | None = None
    """How days are written where not as 2018-01-31."""
    decimal: DecimalMark | None = None
    """Decimal mark of the amounts."""


@dataclass(frozen=True, eq=False)
class Periods:
    """Subscription periods, and how they were read."""

    table: pd.DataFrame
    """Table subscription_periods."""
    as_of: date
    report: tuple[ImportLine, ...]


def read_subscriptions(where: Subscriptions, folder: Path, as_of: date | None = None) -> Periods:
    """The periods at `where`; what cannot be one is set aside and counted.

    Without `as_of` it is the last day any period starts or ends on.

    Raises
    ------
    DataError
        If the table cannot be read, lacks a column, or has no period in it.
    """
    wanted = (where.customer, where.start, where.end, where.amount)
    text = read_table(where, folder, set(wanted).__contains__)
    if missing := [column for column in wanted if column not in text.header]:
        listed = ", ".join(map(shown, text.header[:20]))
        raise DataError.at(text.name, f"has no column {', '.join(map(shown, missing))}; it has {listed}")
    columns = [Cells(text.name, column, text.cells(column), text.lines, text.unit) for column in wanted]
    customers, known, _ = stripped(columns[0])
    start, end = days(columns[1], where.date_format), days(columns[2], where.date_format)
    money = amounts(columns[3], where.decimal, text.separator)
    if faults := start.found.faults + end.found.faults + money.found.faults:
        raise DataError(faults)
    frame = pd.DataFrame({"customer": customers, "started_on": start.values, "ended_on": end.values})
    frame = frame.assign(arr=money.values * MONTHS[where.per])
    aside, found = _set_aside(frame, known, text.name)
    kept = conform(frame[~aside].astype({"customer": "str"}), "subscription_periods")
    if kept.empty:
        raise DataError.at(text.name, f"holds no period ({'; '.join(map(str, found.lines))})")
    last = as_of or max(kept["started_on"].max(), kept["ended_on"].max()).date()
    found = Findings(lines=text.report(text.name)) + found + start.found + end.found + money.found
    found += _warts(kept, text.name) + _all_leave(Periods(kept, last, ()), text.name)
    return Periods(kept, last, found.lines)


def _set_aside(frame: pd.DataFrame, known: np.ndarray, name: str) -> tuple[np.ndarray, Findings]:
    """Which rows are no period, and why, each counted once; and how many are kept."""
    reasons = {
        "no customer": ~known,
        "no start": frame["started_on"].isna().to_numpy(),
        "no amount": frame["arr"].isna().to_numpy(),
        "ended before it started": (frame["ended_on"] < frame["started_on"]).to_numpy(),
    }
    aside, found = np.zeros(len(frame), dtype=bool), Findings()
    for why, rows in reasons.items():
        found += counted(name, f"set aside: {why}", (rows & ~aside).sum())
        aside |= rows
    return aside, found + Findings(lines=(ImportLine(name, "rows kept", int((~aside).sum())),))


def _warts(periods: pd.DataFrame, name: str) -> Findings:
    running = periods.groupby("customer")["ended_on"].apply(lambda each: each.isna().sum())
    start, end = periods["started_on"].dt.to_period("M"), periods["ended_on"].dt.to_period("M")
    many = int((running > 1).sum())
    return (
        losses_on_the_last_day(periods["ended_on"].to_numpy(), "ended")
        + counted(name, "periods without money, such as trials", (periods["arr"] == 0).sum())
        + counted(name, "periods within one month; no month end sees them", (start == end).sum())
        + counted(name, "customers with several subscriptions running", many, f"up to {running.max()} at once")
    )


def arr_bridge(periods: Periods) -> pd.DataFrame:
    """ARR at the end of every month and what changed it, to the month of the as-of day. [plan currency]

    Returns
    -------
    pandas.DataFrame
        Table subscription_bridge; contraction and churn are negative.
    """
    held = _held(periods)
    before = np.hstack([np.zeros((len(held), 1), dtype=np.int64), held[:, :-1]])
    change, ever = held - before, np.maximum.accumulate(before, axis=1) > 0
    terms = {
        "new": (before == 0) & (held > 0) & ~ever,
        "reactivation": (before == 0) & (held > 0) & ever,
        "expansion": (before > 0) & (change > 0),
        "contraction": (held > 0) & (change < 0),
        "churn": (held == 0) & (change < 0),
    }
    sums = {term: np.where(rows, change, 0).sum(axis=0) / CENTS for term, rows in terms.items()}
    table = {"opening": before.sum(axis=0) / CENTS, **sums, "closing": held.sum(axis=0) / CENTS}
    return conform(pd.DataFrame({"month": _months(periods), **table}), "subscription_bridge")


def _months(periods: Periods) -> pd.PeriodIndex:
    return pd.period_range(periods.table["started_on"].min(), pd.Timestamp(periods.as_of), freq="M")


def _held(periods: Periods) -> np.ndarray:
    """Customer x month: the ARR at the month's end, in cents."""
    table, months = periods.table, _months(periods)
    customer, names = pd.factorize(table["customer"])
    first = months[0].ordinal
    start = table["started_on"].dt.to_period("M").astype("int64").to_numpy() - first
    ended = table["ended_on"].fillna(pd.Timestamp(periods.as_of) + pd.DateOffset(months=2))
    end = ended.dt.to_period("M").astype("int64").to_numpy() - first
    cents = np.rint(table["arr"].to_numpy() * CENTS).astype(np.int64)
    steps = np.zeros((len(names), len(months) + 1), dtype=np.int64)
    np.add.at(steps, (customer, np.minimum(start, len(months))), cents)
    np.add.at(steps, (customer, np.minimum(end, len(months))), -cents)
    return np.maximum(steps.cumsum(axis=1)[:, :-1], 0)


def churn_disagreement(periods: Periods, churned: pd.Series) -> Findings:
    """Customers with a churn event, by customer in `churned` (their day), whose subscriptions say otherwise.

    A bridge made of such events and one made of subscriptions cannot agree; the report says how many differ.
    """
    table = periods.table.assign(churned_on=periods.table["customer"].map(churned.groupby(level=0).max()))
    as_of = pd.Timestamp(periods.as_of)
    running = table[table["churned_on"].notna() & (table["ended_on"].isna() | (table["ended_on"] > as_of))]
    still, never = running["customer"].nunique(), running[running["started_on"] <= running["churned_on"]]
    what = "customers with a churn event and a running subscription; bridges from events and subscriptions differ"
    example = f"of {churned.index.nunique():,} with an event; {never['customer'].nunique():,} of them never stopped"
    return counted("churn", what, still, example)


def _all_leave(periods: Periods, name: str) -> Findings:
    """Months in which nearly all customers end: the day of the extraction, not their last."""
    held = _held(periods)
    before, now = held[:, :-1] > 0, held[:, 1:] > 0
    left, were = (before & ~now).sum(axis=0), before.sum(axis=0)
    all_left = (were >= FEW) & (left >= NEARLY * were)
    months = [str(month) for month, gone in zip(_months(periods)[1:], all_left, strict=True) if gone]
    what = "customers that ended in a month in which nearly all did; the day of the extraction may pose as churn"
    return counted(name, what, left[all_left].sum(), ", ".join(months))
