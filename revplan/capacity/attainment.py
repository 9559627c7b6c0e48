"""RepAttainment: how many reps reach their quota in a period, and how much depends on the best of them.

Two figures that are often called by one name stand apart: the share of reps at or above a part of their quota, and
bookings over quota. Reps without a deal stay in the denominator.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pandas as pd

from revplan.capacity.team import in_months
from revplan.ground.calendar import MONTHS_PER_YEAR, month_of
from revplan.ground.formats import counted, show
from revplan.ground.tables import conform
from revplan.plan.people import Capacity, Rep

HEALTHY = 0.8  # share of quota from which a rep is healthy, and share of reps that should be


@dataclass(frozen=True, eq=False)
class RepAttainment:
    """Who closed how much of their quota in a period."""

    period: str
    """What a reader calls it."""
    table: pd.DataFrame
    """Table quota_attainment: a row a rep, the best first."""

    def share_at(self, part: float) -> float:
        """Share of the reps at or above `part` of their quota. [0-1]"""
        return float((self.table["attainment"] >= part - 1e-12).mean())

    @property
    def over_quota(self) -> float:
        """Bookings of all over the quota of all: another figure than the share of reps. [ratio]"""
        return float(self.table["bookings"].sum() / self.table["quota"].sum())

    def share_of_best(self, count: int) -> float:
        """Share of all bookings that the best `count` reps closed. [0-1]"""
        total = float(self.table["bookings"].sum())
        return float(self.table["bookings"].head(count).sum() / total) if total > 0 else 0.0

    @property
    def without_deal(self) -> int:
        """Reps that closed nothing."""
        return int((self.table["bookings"] <= 0).sum())


def attainment(
    people: Sequence[Rep], wins: pd.DataFrame, capacity: Capacity, span: tuple[date, date], period: str
) -> RepAttainment | None:
    """Who closed how much of their quota within the days of `span`; None where nobody has a quota there.

    A quota counts for the months that its rep was there, whether ramped or not. Several lines of one rep count together.
    """
    first = month_of(span[0]).ordinal
    begin, end = in_months(span[0], first), in_months(span[1], first, end=True)
    quotas: dict[str, float] = {}
    for rep in people:
        role = capacity.roles[rep.role]
        yearly = rep.quota or role.yearly("quota", rep.segment) or role.yearly("productivity", rep.segment)
        until = end if rep.leave is None else min(in_months(rep.leave, first, end=True), end)
        there = until - max(in_months(rep.start, first), begin)
        if role.closes and rep.seat == "quota" and yearly and there > 0:
            quotas[rep.rep] = quotas.get(rep.rep, 0.0) + yearly / MONTHS_PER_YEAR * there
    if not quotas:
        return None
    days = pd.to_datetime(wins["won_on"])
    inside = (days >= pd.Timestamp(span[0])) & (days < pd.Timestamp(span[1]) + pd.Timedelta(days=1))
    booked = wins[inside].groupby("owner")["amount"].sum()
    frame = pd.DataFrame({"rep": list(quotas), "quota": list(quotas.values())})
    frame["bookings"] = frame["rep"].map(booked).fillna(0.0).astype(float)
    frame["attainment"] = frame["bookings"] / frame["quota"]
    frame = frame.sort_values(["attainment", "rep"], ascending=[False, True], kind="stable")
    return RepAttainment(period, conform(frame.astype({"rep": "str"}), "quota_attainment"))


def attainment_words(found: RepAttainment) -> str:
    """How many reps are healthy, what all closed of all quota, and how much hangs on the best two, in one sentence."""
    count, healthy = len(found.table), found.share_at(HEALTHY)
    target = "the target of 80% is met" if healthy >= HEALTHY else "the target is 80%"
    none = f", {found.without_deal} of them without a deal," if found.without_deal else ""
    return (
        f"In {found.period} {show(healthy, 'share')} of {counted(count, 'rep')}{none} closed at least 80% of their quota ({target}); "
        f"bookings over quota are {show(found.over_quota, 'share')}, another figure; the best two closed "
        f"{show(found.share_of_best(2), 'share')} of all."
    )
