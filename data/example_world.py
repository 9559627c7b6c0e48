"""The invented company as it truly is: its rates, lags, arrivals, customers, drawn from one seeded generator.

Time is a float number of days since `EPOCH`; a record's day is the floor of it. Nothing here knows files.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

SEED = 20261779  # chosen among 800: about 8M ARR, wins in every cell, no rate wildly off by luck
EPOCH = pd.Timestamp("2021-07-01")  # first leads
CRM_START = pd.Timestamp("2024-11-15")  # older leads are known only as customers
PLAN_DATE = pd.Timestamp("2026-11-15")  # nothing from this day on is known
LEGACY_CUT = pd.Timestamp("2026-01-01")  # deals older than the CRM and still open on this day are dropped

STAGES = ("lead", "mql", "sql", "sal", "sqo", "won")
STEPS = tuple(itertools.pairwise(STAGES))
SEGMENTS = ("smb", "mid", "enterprise")
ENTERS = {"inbound": "lead", "events": "lead", "outbound": "sal", "partner": "sql"}
PROGRAMS = {  # share of the source's entries; the programme has no effect on conversion
    "inbound": {"search": 0.35, "ads": 0.30, "content": 0.25, "refer": 0.10},
    "events": {"webinar": 0.55, "fair": 0.30, "dinner": 0.15},
    "outbound": {"calls": 0.60, "mail": 0.40},
    "partner": {"resell": 0.45, "intro": 0.55},
}
UNIT_COST = {  # money per entry; a partner is paid out of what it sells, so has no spend
    "search": 95.0, "ads": 165.0, "content": 70.0, "refer": 60.0,
    "webinar": 110.0, "fair": 310.0, "dinner": 420.0,
    "calls": 290.0, "mail": 180.0,
}  # fmt: skip

RATES = {  # share of entries that ever enter the next stage, by segment
    ("lead", "mql"): (0.35, 0.30, 0.24),
    ("mql", "sql"): (0.42, 0.40, 0.36),
    ("sql", "sal"): (0.82, 0.80, 0.78),
    ("sal", "sqo"): (0.62, 0.58, 0.55),
    ("sqo", "won"): (0.28, 0.24, 0.19),
}
RATE_FACTORS = {  # what the source changes
    ("lead", "mql", "events"): 0.7,
    ("sal", "sqo", "outbound"): 0.8,
    ("sqo", "won", "partner"): 1.2,
}
LAGS = {  # (median, p90) days of those who do enter, log-normal, by segment
    ("lead", "mql"): ((4, 20), (6, 28), (9, 40)),
    ("mql", "sql"): ((3, 10), (4, 14), (6, 20)),
    ("sql", "sal"): ((2, 7), (3, 9), (4, 12)),
    ("sal", "sqo"): ((10, 30), (14, 42), (21, 60)),
    ("sqo", "won"): ((30, 75), (62, 140), (110, 230)),
}
LOSS_STRETCH = 1.8  # a loss is recorded this many times later than an advance would have been
LOSS_UNRECORDED = 0.25  # share of losses that nobody ever records

PER_MONTH = {  # entries a month at the plan date, by segment
    "inbound": (144.0, 100.0, 40.0),
    "events": (45.0, 32.0, 13.0),
    "outbound": (11.0, 8.0, 3.0),
    "partner": (7.5, 4.8, 1.6),
}
GROWTH = 1.22  # of arrivals, a year
SEASON = (1.0, 1.03, 1.08, 1.02, 1.03, 1.0, 0.88, 0.82, 1.08, 1.12, 1.07, 0.87)  # January first, mean 1
WEEKDAY = (1.25, 1.3, 1.3, 1.25, 1.1, 0.4, 0.4)  # Monday first, mean 1

ACV = {"smb": (9_000, 4_000), "mid": (30_000, 12_000), "enterprise": (95_000, 40_000)}  # mean, sd
RENEWAL = {  # chance at each anniversary: churn, contraction, expansion
    "smb": (0.12, 0.08, 0.24),
    "mid": (0.07, 0.08, 0.34),
    "enterprise": (0.04, 0.08, 0.42),
}
CONTRACTION = (0.60, 0.90)  # what is left of the ARR, uniform
EXPANSION = (1.10, 1.50)


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything that happened, and what will still happen to the records known on the plan date."""

    records: pd.DataFrame  # id, segment, source, program, one day per stage, lost, amount
    subscriptions: pd.DataFrame  # account, segment, source, started_on, ended_on, arr


def rate(step: tuple[str, str], segment: str, source: str) -> float:
    """True chance that an entry of `step[0]` ever enters `step[1]`. [share]"""
    return RATES[step][SEGMENTS.index(segment)] * RATE_FACTORS.get((*step, source), 1.0)


def lag(step: tuple[str, str], segment: str) -> tuple[float, float]:
    """Location and scale of the log of the true delay in days."""
    median, p90 = LAGS[step][SEGMENTS.index(segment)]
    return math.log(median), math.log(p90 / median) / 1.2815515655446004


def day_of(when: pd.Timestamp) -> int:
    """Days from `EPOCH` to `when`."""
    return (when - EPOCH).days


def arrival_days(rng: np.random.Generator, per_month: float) -> np.ndarray:
    """Moments at which records of one cell arrive, up to the plan date; Poisson by day. [days]"""
    days = np.arange(day_of(PLAN_DATE))
    dates = EPOCH + pd.to_timedelta(days, unit="D")
    season = np.array(SEASON)[dates.month - 1] * np.array(WEEKDAY)[dates.weekday]
    growth = GROWTH ** ((days - day_of(PLAN_DATE)) / 365.25)
    counts = rng.poisson(per_month / 30.4375 * season * growth)
    at = np.repeat(days, counts)
    return np.sort(at + rng.random(len(at)))


def cell_records(rng: np.random.Generator, segment: str, source: str) -> pd.DataFrame:
    """All records of one segment and source, each followed to its end."""
    entered = arrival_days(rng, PER_MONTH[source][SEGMENTS.index(segment)])
    n = len(entered)
    shares = PROGRAMS[source]
    frame = pd.DataFrame({"segment": segment, "source": source}, index=range(n))
    frame["program"] = rng.choice(list(shares), size=n, p=list(shares.values()))
    frame[list(STAGES)] = np.nan
    frame["lost"] = np.nan
    frame[ENTERS[source]] = entered
    for step in STEPS:
        _advance(rng, frame, step, segment, source)
    frame["amount"] = _amounts(rng, n, segment)
    return frame


def _advance(rng: np.random.Generator, frame: pd.DataFrame, step: tuple[str, str], segment: str, source: str) -> None:
    """Moves each record of `step[0]` to the next stage, or loses it."""
    start = frame[step[0]].to_numpy()
    mu, sigma = lag(step, segment)
    delay = np.exp(mu + sigma * rng.standard_normal(len(start)))
    passes = rng.random(len(start)) < rate(step, segment, source)
    recorded = rng.random(len(start)) >= LOSS_UNRECORDED
    entered = ~np.isnan(start)
    frame.loc[entered & passes, step[1]] = (start + delay)[entered & passes]
    gone = entered & ~passes & recorded
    frame.loc[gone, "lost"] = (start + LOSS_STRETCH * delay)[gone]


def _amounts(rng: np.random.Generator, n: int, segment: str) -> np.ndarray:
    """Deal sizes, log-normal, in tens. [money]"""
    mean, sd = ACV[segment]
    sigma = math.sqrt(math.log(1 + (sd / mean) ** 2))
    size = mean * np.exp(sigma * rng.standard_normal(n) - sigma**2 / 2)
    return np.round(size, -1)


def all_records(rng: np.random.Generator) -> pd.DataFrame:
    """Records of every cell in order of arrival; `id` is missing for those older than the CRM."""
    cells = [cell_records(rng, segment, source) for segment in SEGMENTS for source in ENTERS]
    frame = pd.concat(cells, ignore_index=True)
    frame["first"] = frame[list(STAGES)].min(axis=1)
    frame = frame.sort_values("first", kind="stable", ignore_index=True)
    old = frame["first"] < day_of(CRM_START)
    frame = frame[~(old & (frame["won"] >= day_of(LEGACY_CUT)))].reset_index(drop=True)
    in_crm = frame["first"] >= day_of(CRM_START)
    frame["id"] = (in_crm.cumsum() + 1000).where(in_crm).astype("Int64")
    return frame


def subscriptions(rng: np.random.Generator, records: pd.DataFrame) -> pd.DataFrame:
    """One row per account and period of constant ARR; half open, the last day is not in it.

    The account of CRM record 1234 is A1234; accounts older than the CRM are B0001, B0002 and so on.
    """
    won = records[records["won"] < day_of(PLAN_DATE)].sort_values("won", kind="stable")
    old = 0
    rows: list[dict[str, object]] = []
    names = ["id", "segment", "source", "won", "amount"]
    for record, segment, source, day, amount in won[names].itertuples(index=False, name=None):
        old += bool(pd.isna(record))
        account = f"B{old:04d}" if pd.isna(record) else f"A{record}"
        for start, end, arr in _periods(rng, int(day), amount, segment):
            rows.append({"account": account, "segment": segment, "source": source,
                         "started_on": start, "ended_on": end, "arr": round(arr)})  # fmt: skip
    return pd.DataFrame(rows).astype({"ended_on": "Int64"})


def _periods(rng: np.random.Generator, start: int, arr: float, segment: str) -> list[tuple[int, int | None, float]]:
    """Periods (first day, day after the last or None, ARR) of one account; changes come at anniversaries."""
    churn, down, up = RENEWAL[segment]
    periods: list[tuple[int, int | None, float]] = []
    for renewal in range(start + 365, day_of(PLAN_DATE), 365):
        chance, size = rng.random(2)
        if chance >= churn + down + up:
            continue
        periods.append((start, renewal, arr))
        if chance < churn:
            return periods
        low, high = CONTRACTION if chance < churn + down else EXPANSION
        start, arr = renewal, round(arr * (low + (high - low) * size), -1)
    return [*periods, (start, None, arr)]


def months(days: pd.Series) -> pd.Series:
    """Calendar month of each day number."""
    dates = EPOCH + pd.to_timedelta(np.floor(days.to_numpy(dtype=float)), unit="D")
    return pd.Series(dates.to_period("M"), index=days.index)


def movements(subscriptions: pd.DataFrame) -> pd.DataFrame:
    """Every change of recurring revenue after an account's start: day, kind, amount (positive). [money]"""
    after = subscriptions.groupby("account")["arr"].shift(-1).fillna(0)
    ended = subscriptions.assign(day=subscriptions["ended_on"], change=after - subscriptions["arr"])
    ended = ended[ended["ended_on"].notna()]
    kept = np.where(ended["change"] < 0, "contraction", "expansion")
    kind = np.where(after[ended.index] == 0, "churn", kept)
    frame = ended[["segment", "source", "day"]].assign(kind=kind, amount=ended["change"].abs().astype(int))
    return frame.assign(month=months(frame["day"]))


def make_world(seed: int = SEED) -> World:
    """The company of one seed."""
    rng = np.random.Generator(np.random.PCG64(seed))
    records = all_records(rng)
    return World(records=records, subscriptions=subscriptions(rng, records))
