"""Who works the invented company's records, as it truly is: people, ramp, load, and the owners that follow from it.

The stream of records is that of `example_world.py`, to the bit: who wins does not change how much is won. A record's owner
is drawn given what became of it (Bayes): of a deal won in proportion to each one's true chance of winning it, of one that
was not to the chance of not winning it. So the records are as if their owners had been drawn first and their fates after.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from example_world import EPOCH, PLAN_DATE, SEED, STEPS, day_of, rate

PLAN_DAY = day_of(PLAN_DATE)
COLUMNS = ("rep", "role", "segment", "started_on", "left_on", "quota")
ROSTER = (  # a line for each person and role; quota of a year
    ("AE01", "ae", "smb", "2023-02-06", "2026-03-31", 300_000),
    ("AE02", "ae", "smb", "2024-05-13", "", 300_000),
    ("AE03", "sdr", "smb", "2023-11-06", "2025-01-12", None),
    ("AE03", "ae", "smb", "2025-01-13", "", 300_000),
    ("AE04", "ae", "smb", "2026-05-04", "", 300_000),
    ("AE05", "ae", "mid", "2022-09-05", "", 480_000),
    ("AE06", "ae", "mid", "2024-03-04", "2025-10-17", 480_000),
    ("AE07", "ae", "mid", "2025-03-10", "", 480_000),
    ("AE08", "ae", "mid", "2026-08-17", "", 480_000),
    ("AE09", "ae", "enterprise", "2023-06-12", "", 700_000),
    ("AE10", "ae", "enterprise", "2025-09-01", "", 700_000),
    ("SDR1", "sdr", "smb", "2024-02-12", "", None),
    ("SDR2", "sdr", "mid", "2025-04-14", "", None),
    ("SDR3", "sdr", "enterprise", "2026-02-02", "", None),
    ("SDR4", "sdr", "mid", "2024-01-08", "2025-02-28", None),
    ("MGR1", "manager", "", "2022-03-01", "", None),
)
BACKFILLS = {"AE04": "AE01", "AE08": "AE06", "SDR2": "SDR4"}  # whom they follow
RAMP = (0.0, 0.2, 0.4, 0.6, 0.8)  # of a full rep's chance to win, by whole months in the role; in full from then on
SKILL = {  # of the mean chance to win
    "AE01": 0.90, "AE02": 1.15, "AE03": 1.00, "AE04": 0.95, "AE05": 1.20,
    "AE06": 0.80, "AE07": 1.00, "AE08": 1.05, "AE09": 0.85, "AE10": 1.15,
}  # fmt: skip
IN_WORK_DAYS = 60  # a record accepted so long ago, or less, and not ended, is in work
LIMITS = {"smb": 26, "mid": 23, "enterprise": 14}  # records in work up to which nobody's chance suffers


@dataclass(frozen=True)
class Line:
    """One line of the roster who holds records, in days since `EPOCH`."""

    rep: str
    segment: str
    start: int
    end: float


def roster() -> pd.DataFrame:
    """The sales people, a row for each person and role."""
    return pd.DataFrame(ROSTER, columns=list(COLUMNS)).astype({"quota": "Int64"})


def closers() -> list[Line]:
    """Those who hold what sales accepted."""
    found = []
    for rep, role, segment, start, left, _ in ROSTER:
        if role == "ae":
            end = day_of(pd.Timestamp(left)) + 1.0 if left else np.inf
            found.append(Line(rep, segment, day_of(pd.Timestamp(start)), end))
    return found


def ramped(line: Line, day: float) -> float:
    """How much of a full rep somebody is on a day. [0-1]"""
    begun, now = (EPOCH + pd.Timedelta(days=int(each)) for each in (line.start, day))
    months = (now.year - begun.year) * 12 + now.month - begun.month - (now.day < begun.day)
    return RAMP[months] if months < len(RAMP) else 1.0


def won_of_accepted(segment: str, source: str) -> float:
    """True chance that an accepted record is ever won. [share]"""
    return float(np.prod([rate(step, segment, source) for step in STEPS[-2:]]))


@dataclass
class Desk:
    """What the closers have in work while records are handed out, in order of acceptance."""

    ends: dict[str, list[tuple[float, float]]]
    """By rep: acceptance and end of the records held."""

    def in_work(self, rep: str, day: float) -> int:
        """Records of a rep in work on a day."""
        return sum(day - IN_WORK_DAYS <= since <= day < end for since, end in self.ends[rep])

    def chance(self, line: Line, accepted: float, end: float) -> float:
        """A rep's true chance of winning a record, over the mean chance. [ratio]"""
        load = min(1.0, LIMITS[line.segment] / max(self.in_work(line.rep, accepted), 1))
        return SKILL[line.rep] * ramped(line, end) * load


def owners(crm: pd.DataFrame) -> tuple[list[str], list[dict[str, object]]]:
    """The account executive who holds each record that sales accepted, or held it last; and who was overloaded when."""
    rng = np.random.Generator(np.random.PCG64([SEED, 2]))
    lines = closers()
    desk = Desk({line.rep: [] for line in lines})
    fates = crm[["won", "lost"]].min(axis=1).clip(upper=PLAN_DAY).fillna(PLAN_DAY)
    chosen = pd.Series("", index=crm.index)
    for row in crm[crm["sal"] < PLAN_DAY].sort_values("sal", kind="stable").itertuples():
        end = float(fates[row.Index])
        there = [line for line in lines if line.segment == row.segment and line.start <= end < line.end]
        since = [line for line in there if line.start <= row.sal] or there  # it stays with who took it, if anybody did
        chances = np.array([desk.chance(line, row.sal, end) for line in since])
        base = won_of_accepted(row.segment, row.source)
        weights = chances if row.won < PLAN_DAY else np.clip(1 - base * chances, 0.0, None)
        weights = weights if weights.sum() > 0 else np.ones(len(since))
        line = since[int(rng.choice(len(since), p=weights / weights.sum()))]
        chosen[row.Index] = line.rep
        desk.ends[line.rep].append((row.sal, end if end < PLAN_DAY else np.inf))
    return chosen.tolist(), overloads(desk, lines)


def overloads(desk: Desk, lines: list[Line]) -> list[dict[str, object]]:
    """The months at whose end somebody had more in work than the limit."""
    found = []
    for month in pd.period_range("2025-01", "2026-10", freq="M"):
        day = day_of((month + 1).start_time)
        for line in lines:
            work = desk.in_work(line.rep, day) if line.start <= day < line.end else 0
            if work > LIMITS[line.segment]:
                found.append({"month": str(month), "rep": line.rep, "in_work": work, "limit": LIMITS[line.segment]})
    return found
