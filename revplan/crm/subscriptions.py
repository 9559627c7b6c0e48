"""What customers paid month by month, from subscription periods: the ARR bridge, whose terms add up exactly.

A customer's amount at the end of a month is the sum of the periods that run then. From one month to the next it
is new (never paid before), a reactivation (paid once, then nothing), an expansion, a contraction or churn, so

    closing = opening + new + reactivation + expansion + contraction + churn

holds in every month by construction; amounts are added in whole cents, so that it holds to the last one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from revplan.crm.cells import Findings, ImportLine, counted
from revplan.crm.presets import squeezed_header
from revplan.crm.quality import losses_on_the_last_day
from revplan.crm.sheets import Asked, FoundTable, read_sheet
from revplan.crm.writings import NO_DAY
from revplan.ground.errors import DataError, shown
from revplan.ground.tablefile import TableFile, Text
from revplan.ground.tables import conform

CENTS = 100
FEW, NEARLY = 10, 0.9  # customers, and the share of them that end in one month, that are worth a line


class Subscriptions(TableFile):
    """A table with a row per subscription period; its columns are known by what billing systems call them, or named."""

    customer: Text | None = None
    """Column with the customer."""
    start: Text | None = None
    """Column with the first day."""
    end: Text | None = None
    """Column with the day it no longer ran; empty while it runs."""
    amount: Text | None = None
    """Column with the money per month, or per year."""
    per: Literal["month", "year"] | None = None
    """What the amounts are for, where neither their header (MRR, ARR) nor a column with the interval says it."""

    def named(self) -> Subscriptions:
        """The same with its named columns among `columns`."""
        own = {key: getattr(self, key) for key in ("customer", "start", "end", "amount")}
        return self.model_copy(
            update={"columns": {**(self.columns or {}), **{key: each for key, each in own.items() if each}}}
        )


ASKED = (  # after what Stripe, ChartMogul and plain tables call them; in this order
    Asked("customer", "text", ("customer id", "account id", "account", "customer external id", "customer uuid",
                               "customer email", "customer name", "company", "kunde")),
    Asked("start", "day", ("start date (utc)", "start (utc)", "start date", "started on", "started at", "from", "beginn",
                           "created (utc)")),
    Asked("end", "day", ("ended at (utc)", "ended at", "end date", "ended on", "end date (utc)", "to", "ende"), needed=False),
    Asked("amount", "money", ("mrr*", "arr*", "monthly amount", "annual amount", "amount", "plan amount", "betrag")),
    Asked("interval", "text", ("billing interval", "billing cycle", "billing period"), needed=False),
    Asked("quantity", "number", ("seats",), needed=False),
    Asked("status", "text", ("state", "subscription status"), needed=False),
)  # fmt: skip
OF_A_YEAR = {"day": 365, "week": 52, "month": 12, "quarter": 4, "year": 1}
EVERY = re.compile(
    r"(?:every |1 |p)?(?P<count>[0-9]+)?[ -]?(?P<unit>day|week|month|quarter|year|d|w|m|q|y|annual|dai)(?:s|ly|lie)?"
)
UNITS = {"d": "day", "w": "week", "m": "month", "q": "quarter", "y": "year", "annual": "year", "dai": "day"}
UNPAID = {"trialing", "trial", "incomplete", "incomplete_expired", "future"}
"""States in which nothing has been paid yet."""


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
    sheet = read_sheet(where.named(), folder, ASKED)
    times = _per_year(sheet, where)
    table = sheet.sound()
    customers = table["customer"].to_numpy(dtype=object)
    quantity = table["quantity"].fillna(1.0) if "quantity" in table and _is_per_seat(sheet) else 1.0
    frame = pd.DataFrame({"customer": customers, "started_on": table["start"]})
    frame = frame.assign(ended_on=table.get("end", NO_DAY), arr=table["amount"] * quantity * times)
    unpaid = (
        table["status"].str.casefold().isin(UNPAID).to_numpy()
        if "status" in table
        else np.zeros(len(table), dtype=bool)
    )
    aside, found = _set_aside(frame, customers != "", unpaid, sheet.name)
    kept = conform(frame[~aside].astype({"customer": "str"}), "subscription_periods")
    if kept.empty:
        raise DataError.at(sheet.name, f"holds no period ({'; '.join(map(str, found.lines))})")
    last = as_of or max(kept["started_on"].max(), kept["ended_on"].max()).date()
    report = sheet.text.report(sheet.name)
    others = Findings(lines=sheet.found.lines[len(report) :])
    found = Findings(lines=report) + found + others
    found += _quality(kept, sheet.name) + _all_leave(Periods(kept, last, ()), sheet.name)
    return Periods(kept, last, found.lines)


def _is_per_seat(sheet: FoundTable) -> bool:
    """Whether the amounts are those of one seat: where they are no MRR or ARR, which is of all."""
    return not re.search("mrr|arr", squeezed_header(sheet.headers["amount"]))


def _per_year(sheet: FoundTable, where: Subscriptions) -> np.ndarray:
    """What each amount is multiplied with for a year's money.

    Raises
    ------
    DataError
        If nothing says what the amounts are for, or an interval is not known.
    """
    header = squeezed_header(sheet.headers["amount"])
    said = where.per or (
        "month" if re.search("mrr|month", header) else "year" if re.search("arr|annual|year", header) else ""
    )
    if said:
        return np.full(len(sheet.table), float(OF_A_YEAR[said]))
    if "interval" not in sheet.table:
        todo = "say it with per: month or per: year, or export the column with the interval"
        raise DataError.at(
            f"{sheet.name}, {shown(sheet.headers['amount'])}",
            f"nothing says whether the amounts are per month or per year; {todo}",
        )
    times = sheet.table["interval"].map(_times_a_year).to_numpy(dtype=float)
    stated = sheet.table["amount"].fillna(0.0).ne(0.0).to_numpy()
    sheet.sound(
        sheet.faults_at(
            "interval",
            np.isnan(times) & stated,
            "is no interval such as month, year or 3 months",
            "intervals that are not known",
        )
    )
    return np.nan_to_num(times)


def _times_a_year(text: str) -> float:
    """How often an interval such as month, yearly or every 3 months fits into a year; not a number for another text."""
    match = EVERY.fullmatch(text.casefold())
    if match is None:
        return np.nan
    return OF_A_YEAR[UNITS.get(match["unit"], match["unit"])] / int(match["count"] or 1)


def _set_aside(frame: pd.DataFrame, filled: np.ndarray, unpaid: np.ndarray, name: str) -> tuple[np.ndarray, Findings]:
    """Which rows are no period, and why, each counted once; and how many are kept."""
    reasons = {
        "no customer": ~filled,
        "no start": frame["started_on"].isna().to_numpy(),
        "no amount": frame["arr"].isna().to_numpy(),
        "ended before it started": (frame["ended_on"] < frame["started_on"]).to_numpy(),
        "not paid yet, by its status": unpaid,
    }
    aside, found = np.zeros(len(frame), dtype=bool), Findings()
    for why, rows in reasons.items():
        found += counted(name, f"set aside: {why}", (rows & ~aside).sum())
        aside |= rows
    return aside, found + Findings(lines=(ImportLine(name, "rows kept", int((~aside).sum())),))


def _quality(periods: pd.DataFrame, name: str) -> Findings:
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
    paid = _paid(periods)
    before = np.hstack([np.zeros((len(paid), 1), dtype=np.int64), paid[:, :-1]])
    change, ever = paid - before, np.maximum.accumulate(before, axis=1) > 0
    terms = {
        "new": (before == 0) & (paid > 0) & ~ever,
        "reactivation": (before == 0) & (paid > 0) & ever,
        "expansion": (before > 0) & (change > 0),
        "contraction": (paid > 0) & (change < 0),
        "churn": (paid == 0) & (change < 0),
    }
    sums = {term: np.where(rows, change, 0).sum(axis=0) / CENTS for term, rows in terms.items()}
    table = {"opening": before.sum(axis=0) / CENTS, **sums, "closing": paid.sum(axis=0) / CENTS}
    return conform(pd.DataFrame({"month": _months(periods), **table}), "subscription_bridge")


def _months(periods: Periods) -> pd.PeriodIndex:
    return pd.period_range(periods.table["started_on"].min(), pd.Timestamp(periods.as_of), freq="M")


def _paid(periods: Periods) -> np.ndarray:
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


def _all_leave(periods: Periods, name: str) -> Findings:
    """Months in which nearly all customers end: the day of the extraction, not their last."""
    paid = _paid(periods)
    before, now = paid[:, :-1] > 0, paid[:, 1:] > 0
    left, were = (before & ~now).sum(axis=0), before.sum(axis=0)
    all_left = (were >= FEW) & (left >= NEARLY * were)
    months = [str(month) for month, gone in zip(_months(periods)[1:], all_left, strict=True) if gone]
    what = "customers that ended in a month in which nearly all did; the day of the extraction may pose as churn"
    return counted(name, what, left[all_left].sum(), ", ".join(months))
