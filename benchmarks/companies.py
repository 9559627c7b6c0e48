"""Whether rates, forecasts and landings hold on companies never seen: `python benchmarks/companies.py [--first SEED]`.

Companies are drawn lead by lead, in continuous time, by a simulator that shares nothing with revplan: segments of
very different size, lag and deal, sparse cells, and worlds in which something is the matter with the records or
with the market. On four days of a fiscal year the landing is told from what was known then and from entries
committed at the true mean of the arrivals. It is held against the actuals, and each of its terms against its
expectation given what was known, found by letting the company live on from that day many times over.

`--held-out` takes seeds that were not looked at while the estimators were built; `--first` another block of them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from revplan.crm.mapping import EVERY
from revplan.crm.records import Export, History, read_export
from revplan.funnel.funnel import HORIZON, forward
from revplan.funnel.year import PlannedYear, year_without_commit
from revplan.ground.errors import DataError, PlanError
from revplan.plan.model import Plan
from revplan.rates.backtest import proportion_interval
from revplan.rates.closings import clock_of
from revplan.rates.estimates import estimate_transitions, estimate_warnings, step_levels
from revplan.rates.forecast import forecast_wins
from revplan.rates.spells import loss_incidence, open_items, stage_entries
from revplan.simulation.simulate import simulate
from revplan.snapshot.state import Records, snapshot_of, with_history_rates
from revplan.tracking.attainment import rest_of_year
from revplan.tracking.close_dates import CloseDates, with_dates
from revplan.tracking.landing import landing, months_of
from revplan.tracking.periods import Span, whole_year

BUILDING, HELD_OUT = 1000, 900_000  # first seeds
START = date(2024, 3, 1)  # of the records
FIRST = pd.Period("2026-01", freq="M")
END = date(2026, 12, 31)
DAYS = (date(2026, 1, 15), date(2026, 3, 31), date(2026, 6, 15), date(2026, 7, 31))
FORECAST_ON = (date(2026, 3, 31), date(2026, 7, 31))
SEGMENTS, SOURCES = ("small", "mid", "large"), ("inbound", "events", "outbound")
Z90 = float(ndtri(0.9))
NEVER = np.inf
FULL_HANDS = 0.8  # deals that a team closes of those that come up in an early year, where it has no more hands
CUT_OFF = 30  # days before the end from which new records are missing where an export ends early
DRIFTS = {"drift": np.full(3, 0.5), "channels move": np.array([0.8, -0.8, 0.8])}  # of the last rate's odds a year
JUMP_ON, JUMP = date(2026, 3, 15), 0.6  # day on which the last rate's odds jump, and by how much, up or down
SLOWING = 0.5  # growth a year of the logarithm of the last delay
BACK_LOADED = (0.5, 0.8, 1.7)  # speed of closing in the first, second and last month of a quarter
YOUNG_SINCE = date(2025, 10, 1)  # first day of the records of a company that has just begun to keep any
LIVES = 24  # futures behind each expectation

# What each world is; the first two are as the model has it.
KINDS = (
    "steady",
    "sparse",
    "recorded late",
    "dates missing",
    "month-end dates",
    "closing bursts",
    "heavy tails",
    "drift",
    "reopened",
    "bulk load",
    "channels move",
    "full hands",
    "export ends",
    "rate jumps",
    "deals slow down",
    "back-loaded quarters",
    "young records",
    "close dates tell",
    "close dates are noise",
)
UNWORKED = (
    "month-end dates",
    "reopened",
    "recorded late",
    "dates missing",
    "full hands",
    "export ends",
    "young records",
)
LANDED = tuple(
    kind for kind in KINDS if kind not in ("full hands", "export ends", "close dates tell", "close dates are noise")
)  # worlds a landing is measured in


def day_of(day: date) -> int:
    """Days from the first day of the records."""
    return (day - START).days


def normal(rng: np.random.Generator, spread: float, *shape: int) -> np.ndarray:
    """Log-normal factors around 1."""
    return np.exp(spread * rng.standard_normal(shape))


@dataclass(frozen=True, eq=False)
class Truth:
    """A company as it is."""

    kind: str
    stages: tuple[str, ...]
    enters: np.ndarray
    """Number of the stage at which each source comes in."""
    per_day: np.ndarray
    """Entries a day at the first day of the fiscal year: segment x source."""
    growth: float
    rates: np.ndarray
    """Segment x source x step."""
    location: np.ndarray
    """Of the logarithm of the delay: segment x step."""
    scale: np.ndarray
    deals: np.ndarray
    """Mean deal by segment."""
    deal_cv: float
    loss_recorded: float
    loss_stretch: float
    drift: np.ndarray
    """Growth a year of the last rate's odds, by source."""
    clock: np.ndarray
    """Days of work done by the evening of each day, for the last step: straight, unless deals close in bursts."""
    jump: float = 0.0
    """By how much the last rate's log odds jump on JUMP_ON."""
    slowing: float = 0.0
    """Growth a year of the logarithm of the last delay."""

    def rate(self, cell: np.ndarray, step: int, at: np.ndarray) -> np.ndarray:
        """Share of those who enter at moments `at` that ever go on."""
        rate = self.rates[cell // 3, cell % 3, step]
        if not (self.drift.any() or self.jump) or step < len(self.stages) - 2:
            return rate
        moved = np.log(rate / (1 - rate)) + self.drift[cell % 3] * (at - day_of(FIRST.start_time.date())) / 365.25
        moved = moved + self.jump * (at >= day_of(JUMP_ON))
        return 1 / (1 + np.exp(-moved))

    def worked(self, at: np.ndarray) -> np.ndarray:
        """Clock of the last step at moments `at`."""
        return np.interp(at, np.arange(len(self.clock)), self.clock)

    def arrival_rate(self) -> np.ndarray:
        """Mean entries on each day up to the end of the fiscal year: day x segment x source."""
        days = np.arange(day_of(END) + 1)
        weekday = (pd.Timestamp(START).day_of_week + days) % 7
        level = self.growth ** ((days - day_of(FIRST.start_time.date())) / 365.25)
        level = level * np.where(weekday >= 5, 0.35, 1.26)
        return level[:, None, None] * self.per_day


def company(seed: int, kind: str) -> Truth:
    """The company of a seed, in a world of a kind."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    steps = int(rng.integers(2, 5))
    stages = (*("lead", "mql", "sql", "sqo")[:steps], "won")
    sparse = kind == "sparse"
    size = np.array([0.66, 0.27, 0.07]) * normal(rng, 0.3, 3)
    shares = np.array([0.55, 0.35, 0.10]) * normal(rng, 0.3, 3)
    leads = (110 if sparse else 420) * normal(rng, 0.35)
    enters = np.array([0, 0, min(1, steps - 1) if steps > 2 else 0])
    base = rng.uniform(0.28, 0.6, steps)
    base[-1] = rng.uniform(0.14, 0.3)
    logits = (
        np.log(base / (1 - base))
        + np.array([0.25, 0.0, -0.35])[:, None, None]
        + rng.normal(0, 0.2, (3, 1, steps))
        + rng.normal(0, 0.3, (1, 3, steps))
        + rng.normal(0, 0.15, (3, 3, steps))
    )
    median = np.append(rng.uniform(4, 18, steps - 1), rng.uniform(30, 60)) * np.array([0.6, 1.0, 2.0])[:, None]
    wide = rng.uniform(2.2, 4.0, (3, steps))
    if kind == "heavy tails":
        median[:, -1], wide[:, -1] = median[:, -1] * 0.6, 12.0
    per_day = leads * np.outer(size / size.sum(), shares / shares.sum()) / 30.4375
    per_day[:, 2] *= 0.5 if enters[2] else 1.0
    return Truth(
        kind,
        stages,
        enters,
        per_day,
        1 + float(rng.uniform(0.0, 0.35)),
        1 / (1 + np.exp(-logits)),
        np.log(median * normal(rng, 0.15, 3, steps)),
        np.log(wide) / Z90,
        np.array([8_000, 30_000, 95_000]) * normal(rng, 0.2, 3),
        float(rng.uniform(0.35, 0.6)),
        float(rng.choice([0.5, 0.75, 1.0])),
        float(rng.uniform(1.2, 1.9)),
        float(rng.choice([-1, 1])) * DRIFTS.get(kind, np.zeros(3)),
        _clock(kind),
        float(rng.choice([-JUMP, JUMP])) if kind == "rate jumps" else 0.0,
        SLOWING if kind == "deals slow down" else 0.0,
    )


def _clock(kind: str) -> np.ndarray:
    """The clock of the last step: in bursts four times as fast in the last twelve days of a calendar quarter."""
    days = pd.date_range(START, periods=day_of(END) + 3660)
    speed = np.ones(len(days))
    if kind == "back-loaded quarters":
        speed = np.array(BACK_LOADED)[(days.month.to_numpy() - 1) % 3]
    if kind == "closing bursts":
        left = (days + pd.offsets.QuarterEnd(0) - days).days.to_numpy()
        speed = np.where(left < 12, 4.0, 1.0)
        speed /= np.mean(speed)
    return np.append(0.0, np.cumsum(speed))


# --- lives -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Lives:
    """Records lived to their end, moments in days; NEVER where something never happens."""

    cell: np.ndarray
    entered: np.ndarray
    lost: np.ndarray
    """As recorded."""
    amount: np.ndarray
    """What each is worth if won."""

    def chosen(self, which: np.ndarray) -> Lives:
        """Some of them."""
        return Lives(self.cell[which], self.entered[which], self.lost[which], self.amount[which])


def arrived(truth: Truth, rng: np.random.Generator, since: int, until: int) -> Lives:
    """Records that come in from day `since` to before day `until`, not yet lived."""
    counts = rng.poisson(truth.arrival_rate()[since:until].reshape(until - since, 9))
    day, cell = np.repeat(np.indices(counts.shape).reshape(2, -1), counts.ravel(), axis=1)
    entered = np.full((len(day), len(truth.stages)), NEVER)
    entered[np.arange(len(day)), truth.enters[cell % 3]] = since + day + rng.random(len(day))
    spread = np.sqrt(np.log1p(truth.deal_cv**2))
    worth = truth.deals[cell // 3] * np.exp(spread * rng.standard_normal(len(day)) - spread**2 / 2)
    return Lives(cell, entered, np.full(len(day), NEVER), worth)


def lived(truth: Truth, rng: np.random.Generator, lives: Lives, now: float = -NEVER) -> Lives:
    """`lives` to their end, given that nothing but what they hold had happened by `now`."""
    entered, lost = lives.entered.copy(), lives.lost.copy()
    for step in range(len(truth.stages) - 1):
        here = np.flatnonzero((entered[:, step] < NEVER) & (entered[:, step + 1] == NEVER) & (lost == NEVER))
        at, cell = entered[here, step], lives.cell[here]
        rate, segment = truth.rate(cell, step, at), cell // 3
        mu, sigma = truth.location[segment, step], truth.scale[segment, step]
        last = step == len(truth.stages) - 2
        if last and truth.slowing:
            mu = mu + truth.slowing * (at - day_of(FIRST.start_time.date())) / 365.25
        clock: Callable[[np.ndarray], np.ndarray] = truth.worked if last else lambda moments: moments
        waited = np.where(at < now, clock(np.maximum(now, at)) - clock(at), 0.0)
        log = np.log(np.maximum(waited, 1e-12))
        gone, out = ndtr((log - mu) / sigma), ndtr((log - np.log(truth.loss_stretch) - mu) / sigma)
        goes_on = rate * (1 - gone)
        still = goes_on + (1 - rate) * (1 - truth.loss_recorded * out)
        goes = rng.random(len(here)) * still < goes_on
        delay = np.exp(mu + sigma * ndtri(gone + (1 - gone) * rng.random(len(here))))
        end = np.interp(clock(at) + delay, truth.clock, np.arange(len(truth.clock))) if last else at + delay
        entered[here[goes], step + 1] = end[goes]
        left = np.where(now > -NEVER, (1 - out) / np.maximum(1 - truth.loss_recorded * out, 1e-12), 1.0)
        marked = ~goes & (rng.random(len(here)) < truth.loss_recorded * left)
        until = np.exp(mu + sigma * ndtri(out + (1 - out) * rng.random(len(here)))) * truth.loss_stretch
        lost[here[marked]] = (np.interp(clock(at) + until, truth.clock, np.arange(len(truth.clock))) if last else at + until)[marked]  # fmt: skip
    return Lives(lives.cell, entered, lost, lives.amount)


@dataclass(frozen=True, eq=False)
class World:
    """A company, all that happened to it, and how its records write it down."""

    truth: Truth
    lives: Lives
    written: Lives
    priced: np.ndarray
    """Whether a record carries its amount once it is an opportunity."""
    back: np.ndarray
    """Moment a lost record was opened again; NEVER where it was not."""
    seed: int

    def up_to(self, day: date) -> Lives:
        """What the CRM knows at the end of `day`."""
        now = day_of(day) + 1
        entered = np.where(self.written.entered < now, self.written.entered, NEVER)
        lost = np.where((self.written.lost < now) & (self.back >= now), self.written.lost, NEVER)
        lost = np.where(entered[:, -1] < NEVER, NEVER, lost)
        first = entered.min(axis=1)
        seen = first < (now - CUT_OFF if self.truth.kind == "export ends" else NEVER)
        shown = (entered[:, -2] < NEVER) & self.priced | (entered[:, -1] < NEVER)
        return Lives(self.written.cell, entered, lost, np.where(shown, self.written.amount, np.nan)).chosen(seen)


def world(seed: int, kind: str) -> World:
    """The world of a seed and a kind."""
    truth = company(seed, kind)
    rng = np.random.default_rng([seed, KINDS.index(kind), 1])
    begun = day_of(YOUNG_SINCE) if kind == "young records" else 0
    lives = lived(truth, rng, arrived(truth, rng, begun, day_of(END) + 1))
    size = len(lives.cell)
    back = np.full(size, NEVER)
    written = lives
    entered, lost = lives.entered.copy(), lives.lost.copy()
    if kind == "bulk load":
        bought = np.full((3000, len(truth.stages)), NEVER)
        bought[:, 0] = rng.random(3000) * 2
        lives = written = _joined(lives, Lives(np.zeros(3000, dtype=int) + 1, bought, np.full(3000, NEVER), np.full(3000, truth.deals[0])))  # fmt: skip
        back = np.full(len(lives.cell), NEVER)
    if kind == "recorded late":
        return _recorded_late(truth, lives, rng, seed)
    if kind == "dates missing":
        for step in range(1, len(truth.stages) - 1):
            gone = rng.random(size) < 0.1
            entered[gone, step] = entered[gone, step + 1]
        written = Lives(lives.cell, entered, lost, lives.amount)
    if kind == "month-end dates":
        ends = np.array([day_of(each.date()) for each in pd.date_range(START, periods=200, freq="ME")]) + 0.5
        closed = ends[np.minimum(np.searchsorted(ends, np.minimum(entered[:, -1], 5000)), len(ends) - 1)]
        entered[:, -1] = np.where(entered[:, -1] < NEVER, closed, NEVER)
        lives = written = Lives(lives.cell, entered, lost, lives.amount)
    if kind == "reopened":
        again = (lost < NEVER) & (rng.random(size) < 0.15)
        back = np.where(again, lost + 45 * normal(rng, 0.6, size), NEVER)
        wins = again & (rng.random(size) < 0.4)
        segment = lives.cell // 3
        delay = np.exp(truth.location[segment, -1]) * normal(rng, 0.6, size)
        entered[:, -1] = np.where(wins, back + delay, entered[:, -1])
        entered[:, 1:-1] = np.where(wins[:, None], np.minimum(entered[:, 1:-1], back[:, None]), entered[:, 1:-1])
        lives = written = Lives(lives.cell, entered, lost, lives.amount)
    if kind == "full hands":
        entered[:, -1] = _closed_in_turn(entered[:, -1])
        lives = written = Lives(lives.cell, entered, lost, lives.amount)
    return World(truth, lives, written, rng.random(len(lives.cell)) < 0.7, back, seed)


def _recorded_late(truth: Truth, lives: Lives, rng: np.random.Generator, seed: int) -> World:
    """The world in which nobody wrote outcomes down in the first eight months."""
    begun, entered = 240.0, lives.entered.copy()
    for step in range(len(truth.stages) - 1, 0, -1):
        entered[:, step] = np.where(entered[:, step] < begun, NEVER, entered[:, step])
    entered = np.minimum.accumulate(entered[:, ::-1], axis=1)[:, ::-1]
    written = Lives(lives.cell, entered, np.where(lives.lost < begun, NEVER, lives.lost), lives.amount)
    kept = ~(lives.entered[:, -1] < begun)
    size = int(kept.sum())
    return World(truth, lives.chosen(kept), written.chosen(kept), rng.random(size) < 0.7, np.full(size, NEVER), seed)


def _closed_in_turn(ready: np.ndarray) -> np.ndarray:
    """Days of the wins of a team that closes no more than a fixed number of deals a day, those ready first, first."""
    order = np.argsort(ready, kind="stable")[: int((ready < NEVER).sum())]
    busy = ready[order]
    year = 365.0
    each = year / max(FULL_HANDS * ((busy > year / 2) & (busy <= 1.5 * year)).sum(), 1)  # days a deal
    turn = np.arange(len(busy)) * each
    closed = np.full(len(ready), NEVER)
    closed[order] = turn + np.maximum.accumulate(busy - turn)
    return closed


def _joined(one: Lives, other: Lives) -> Lives:
    pairs = ((getattr(one, name), getattr(other, name)) for name in ("cell", "entered", "lost", "amount"))
    return Lives(*(np.concatenate(pair) for pair in pairs))


def expected(made: World, day: date, last: date, futures: int = LIVES) -> dict[str, float] | None:
    """Wins and ARR by term after `day` up to `last`, expected given what was known; None where it is not worked out."""
    found = expected_by(made, day, (last,), futures)
    return None if found is None else found[0]


def expected_by(made: World, day: date, lasts: tuple[date, ...], futures: int = LIVES) -> list[dict[str, float]] | None:
    """What `expected` gives for each of some last days, the latest one last, from the same futures."""
    if made.truth.kind in UNWORKED:
        return None
    rng = np.random.default_rng([made.seed, day_of(day)])
    now, ends = day_of(day) + 1.0, [day_of(last) + 1.0 for last in lasts]
    known_now = made.up_to(day)
    is_open = (known_now.entered[:, -1] == NEVER) & (known_now.lost == NEVER)
    stock = known_now.chosen(is_open)
    if made.truth.kind == "bulk load":
        stock = stock.chosen(~((stock.cell == 1) & (stock.entered[:, 0] < 2) & (stock.entered[:, 1] == NEVER)))
    worth = np.where(np.isnan(stock.amount), made.truth.deals[stock.cell // 3], stock.amount)
    sums = [dict.fromkeys(("open_wins", "open", "new", "large"), 0.0) for _ in ends]
    for _ in range(futures):
        closed = lived(made.truth, rng, stock, now).entered[:, -1]
        fresh = lived(made.truth, rng, arrived(made.truth, rng, int(now), int(ends[-1])))
        for end, total in zip(ends, sums, strict=True):
            won, came = closed < end, fresh.entered[:, -1] < end
            total["open_wins"] += won.sum()
            total["open"] += worth[won].sum()
            total["large"] += worth[won & (stock.cell >= 6)].sum()
            total["new"] += made.truth.deals[fresh.cell[came] // 3].sum()
    return [{name: total / futures for name, total in each.items()} for each in sums]


def history(truth: Truth, known_now: Lives, day: date) -> History:
    """The records as the import leaves them."""
    origin = np.datetime64(START, "us")
    record, stage = np.nonzero(known_now.entered < NEVER)
    ids = np.arange(len(known_now.cell)).astype(str).astype(object)
    segment = np.array(SEGMENTS, dtype=object)[known_now.cell // 3]
    source = np.array(SOURCES, dtype=object)[known_now.cell % 3]
    frame = pd.DataFrame({name: pd.Series(values[record], dtype="str") for name, values in (("record", ids), ("segment", segment), ("source", source))})  # fmt: skip
    frame["stage"] = pd.Series(np.array(truth.stages, dtype=object)[stage], dtype="str")
    frame["entered_on"] = origin + (known_now.entered[record, stage] * 86_400e6).astype("timedelta64[us]")
    lost = np.where(known_now.lost < NEVER, known_now.lost, 0)
    lost_on = np.where(known_now.lost < NEVER, origin + (lost * 86_400e6).astype("timedelta64[us]"), np.datetime64("NaT", "us"))  # fmt: skip
    records = pd.DataFrame({"record": pd.Series(ids, dtype="str"), "segment": pd.Series(segment, dtype="str"), "source": pd.Series(source, dtype="str"), "amount": known_now.amount, "lost_on": lost_on})  # fmt: skip
    return History(truth.stages, frame, records, (), day, "")


CRM = """format: history
path: log.csv
id: id
at: at
field: field
is: [Stage]
value: new
records: {path: deals.csv, id: id}
changes: {close_on: {is: Close, old: old}}
stages: {began: {at: records.began}, won: Won}
close_on: records.close
"""


def with_close_dates(made: World, folder: Path) -> Export:
    """The export of a company that writes down when each deal is expected to close, and pushes a date that has passed.

    Where dates tell, a deal that will be won is expected a third of its delay off; else dates are any delay's.
    """
    rng = np.random.default_rng([made.seed, 7])
    here = np.flatnonzero(made.written.entered[:, -2] < NEVER)
    began, won = made.written.entered[here, -2], made.written.entered[here, -1]
    gone = np.minimum(np.minimum(won, made.written.lost[here]), day_of(END) + 1)
    segment = made.lives.cell[here] // 3
    delay = np.exp(made.truth.location[segment, -1]) * normal(rng, 0.6, len(here))
    if made.truth.kind == "close dates tell":
        delay = np.where(won < NEVER, (won - began) * normal(rng, 0.33, len(here)), delay)
    close = began + np.maximum(delay, 1.0)
    rows = [(here, began, np.full(len(here), np.nan), close)]
    while (due := np.flatnonzero(close + 1 < gone)).size:
        pushed = close.copy()
        pushed[due] += 30.0
        rows.append((here[due], close[due] + 1, close[due], pushed[due]))
        close = pushed
        gone = np.where(close + 1 < gone, gone, -NEVER)
    moments = [np.concatenate(column) for column in zip(*rows, strict=True)]
    log = pd.DataFrame({"id": moments[0], "at": _stamp(moments[1]), "field": "Close", "old": _stamp(moments[2]), "new": _stamp(moments[3])})  # fmt: skip
    wins = won < NEVER
    ends = pd.DataFrame({"id": here[wins], "at": _stamp(won[wins]), "field": "Stage", "old": "", "new": "Won"})
    pd.concat([log, ends]).to_csv(folder / "log.csv", index=False)
    deals = pd.DataFrame({"id": here, "began": _stamp(began), "close": _stamp(close)})
    deals.to_csv(folder / "deals.csv", index=False)
    Path(folder, "crm.yaml").write_text(CRM, encoding="utf-8")
    return read_export(folder / "crm.yaml")


def _stamp(days: np.ndarray) -> np.ndarray:
    """Days from the first day of the records as dates in text; empty where there is none."""
    known = ~np.isnan(days)
    stamps = np.datetime64(START, "D") + np.floor(np.where(known, days, 0)).astype("timedelta64[D]")
    return np.where(known, stamps.astype(str), "")


# --- what revplan says ----------------------------------------------------------------------------------------


def plan_of(truth: Truth, market: dict[str, float]) -> Plan:
    """The company's year; rates come from its records."""
    wins = (truth.rates.prod(axis=2) * truth.per_day) * truth.deals[:, None]
    segments = wins.sum(axis=1) / wins.sum()
    sources = wins.sum(axis=0) / wins.sum()
    goal = float(round(wins.sum() * 365))
    return Plan.model_validate(
        {
            "year": {"first_month": str(FIRST)},
            "plan_date": FIRST.start_time.date(),
            "goal": {"new_arr": goal},
            "stages": [{"id": stage, "label": stage} for stage in truth.stages],
            "commit": {"stage": truth.stages[-2]},
            "segments": {
                name: {"share": float(segments[i]), "acv": {"mean": float(truth.deals[i]), "sd": float(truth.deals[i] * truth.deal_cv)}}
                for i, name in enumerate(SEGMENTS)
            },
            "sources": {
                name: {"share": float(sources[i]), "enters": truth.stages[truth.enters[i]]} for i, name in enumerate(SOURCES)
            },
            "history": {"leads": "crm.yaml"},
            "uncertainty": market,
        }
    )  # fmt: skip


def committed(made: World, plan: Plan) -> dict[tuple[str, str], np.ndarray]:
    """True mean entries of each cell in 24 months. [records]"""
    per_day = made.truth.arrival_rate()[day_of(FIRST.start_time.date()) :]
    month = pd.date_range(FIRST.start_time, END).month.to_numpy() - 1
    flows = {}
    for i, segment in enumerate(SEGMENTS):
        for j, source in enumerate(SOURCES):
            flows[segment, source] = np.bincount(month, per_day[:, i, j], HORIZON)
    return flows


def year_on(
    plan: Plan,
    known_then: History,
    asked: dict[tuple[str, str], np.ndarray],
    day: date,
    dates: CloseDates | None = None,
) -> tuple[PlannedYear, pd.DataFrame]:
    """The rest of the year as told on `day` from what was known then and from entries committed; its estimates."""
    stated = plan.model_copy(update={"plan_date": day + timedelta(days=1)})
    estimates = estimate_transitions(known_then, day)
    records = Records(
        history=known_then,
        entries=stage_entries(known_then),
        open_items=open_items(known_then, day),
        losses=loss_incidence(known_then, day, estimates, clock_of(known_then)),
        estimates=estimates,
    )
    stated = with_history_rates(stated, records)
    known_now = with_dates(snapshot_of(stated, records), dates)
    first_day = plan.first_month.start_time.date()
    at_first = year_without_commit(stated.model_copy(update={"plan_date": first_day}), known_now)
    flows = tuple(forward(cell, asked[cell.segment, cell.source], at_first.start) for cell in at_first.cells)
    return rest_of_year(replace(at_first, flows=flows), stated, known_now, step_levels(known_then)), estimates


def spans_after(day: date) -> tuple[Span, Span, Span]:
    """The month and the quarter that the day after `day` lies in, and the year."""
    ahead = pd.Period(day + timedelta(days=1), freq="M")
    quarter = Span(f"{ahead.year}-Q{ahead.quarter}", FIRST + quarter_start(ahead), 3, day)
    return Span(str(ahead), ahead, 1, day), quarter, whole_year(FIRST, day)


def landed(made: World, day: date, market: dict[str, float]) -> tuple[pd.DataFrame, History, pd.DataFrame]:
    """Table landing as told on `day` of the quarter that follows it and of the year; the history; its estimates."""
    plan, known_then = plan_of(made.truth, market), history(made.truth, made.up_to(day), day)
    now, estimates = year_on(plan, known_then, committed(made, plan), day)
    _, quarter, year = spans_after(day)
    table = landing(now, simulate(now, trials=2048), [quarter, year], np.nan)
    large = [cell.segment == "large" for cell in now.cells]
    table["large"] = [now.open_arr[large][:, months_of(now, span)].sum() for span in (quarter, year)]
    return table, known_then, estimates


def quarter_start(month: pd.Period) -> int:
    """First month of its quarter, counted from the first of the year."""
    return 3 * (month.quarter - 1)


def rows_of(made: World, day: date, market: dict[str, float], with_forecast: bool) -> Iterator[dict[str, object]]:
    """What was told on a day, each line with what came and what was to be expected."""
    begun = time.process_time()
    table, known_then, estimates = landed(made, day, market)
    seconds = time.process_time() - begun
    known_now = made.up_to(day)
    closed = known_now.entered[:, -1]
    now = day_of(day) + 1
    ahead = pd.Period(day + timedelta(days=1), freq="M")
    for row, (first, last) in zip(
        table.to_dict("records"),
        ((FIRST + quarter_start(ahead), FIRST + quarter_start(ahead) + 2), (FIRST, FIRST + 11)),
        strict=True,
    ):
        begin, end = day_of(first.start_time.date()), day_of(last.end_time.date()) + 1
        won = made.lives.entered[:, -1]
        came = float(made.lives.amount[(won >= begin) & (won < end)].sum())
        so_far = float(known_now.amount[(closed >= begin) & (closed < now)].sum())
        truth = expected(made, day, last.end_time.date())
        yield {
            "what": "landing",
            "day": str(day),
            "span": "year" if row["period"] == "2026" else "quarter",
            "told": row["landing"],
            "low": row["landing_low"],
            "high": row["landing_high"],
            "actual": came,
            "expected": so_far + truth["open"] + truth["new"] if truth else np.nan,
            "told_open": row["from_open"],
            "expected_open": truth["open"] if truth else np.nan,
            "told_new": row["to_create"],
            "expected_new": truth["new"] if truth else np.nan,
            "told_large": row["large"],
            "expected_large": truth["large"] if truth else np.nan,
            "seconds": seconds,
        }
    yield from rate_rows(made, estimates, known_then)
    if with_forecast:
        yield from forecast_rows(made, known_then, day)


def rate_rows(made: World, estimates: pd.DataFrame, known_then: History) -> Iterator[dict[str, object]]:
    """Rates with their truths; where they drift, the rate of the last day."""
    truth = made.truth
    warned = " ".join(estimate_warnings(known_then, estimates))
    weight = truth.per_day
    for row in estimates.to_dict("records"):
        step = truth.stages.index(row["from_stage"])
        mask = np.ones((3, 3), dtype=bool)
        if row["segment"] != EVERY:
            mask &= (np.arange(3) == SEGMENTS.index(row["segment"]))[:, None]
        if row["source"] != EVERY:
            mask &= np.arange(3) == SOURCES.index(row["source"])
        mask &= truth.enters <= step
        reach = np.ones((3, 3))
        for i, j in np.ndindex(3, 3):
            reach[i, j] = truth.rates[i, j, truth.enters[j] : step].prod()
        share = weight * reach * mask
        if not share.sum() > 0:
            continue
        at = np.full(9, float(day_of(known_then.as_of)))
        rates = truth.rate(np.arange(9), step, at).reshape(3, 3)
        name = f"{row['from_stage']} to {row['to_stage']}"
        yield {
            "what": "rate",
            "day": str(known_then.as_of),
            "part": "all"
            if row["segment"] == row["source"] == EVERY
            else "large"
            if row["segment"] == "large" and row["source"] == EVERY
            else "segment"
            if row["source"] == EVERY
            else "other",
            "last": step == len(truth.stages) - 2,
            "told": row["rate"],
            "low": row["rate_low"],
            "high": row["rate_high"],
            "actual": float((rates * share).sum() / share.sum()),
            "mature": bool(row["mature"]),
            "drifting": f"{name}: changed over time" in warned,
            "bunched": "Wins bunch" in warned,
            "recorded_from": f"{name}: outcomes are recorded only" in warned,
            "median": row["median_days"],
        }


def forecast_rows(made: World, known_then: History, day: date) -> Iterator[dict[str, object]]:
    """Wins of known records in the three months that follow, and in twelve where they are over."""
    begun = time.process_time()
    try:
        made_forecast = forecast_wins(known_then, 3)
    except DataError:
        return
    seconds = time.process_time() - begun
    last = made_forecast.ends[-1]
    truth = expected(made, day, last)
    now, end = day_of(day) + 1, day_of(last) + 1
    began = made.written.entered.min(axis=1) < now
    won = made.lives.entered[:, -1]
    wins = made_forecast.from_known.wins
    yield {
        "what": "forecast",
        "day": str(day),
        "span": "3 months",
        "told": wins.mean,
        "low": wins.p10,
        "high": wins.p90,
        "actual": float((began & (won >= now) & (won < end)).sum()),
        "expected": truth["open_wins"] if truth else np.nan,
        "seconds": seconds,
        "warned": " ".join(made_forecast.warnings)[:400],
    }


MARKETS = {"still": {"rho": 0.0, "lag_cv": 0.0, "volume_cv": 0.0}, "moving": {}}


def summary(rows: pd.DataFrame) -> str:
    """Coverage and bias of some rows."""
    held = ((rows["actual"] >= rows["low"]) & (rows["actual"] <= rows["high"])).to_numpy()
    low, high = proportion_interval(int(held.sum()), len(held))
    text = f"{len(rows):4d} held {held.mean():.2f} ({low:.2f}-{high:.2f}) bias {rows['told'].sum() / rows['actual'].sum() - 1:+.3f}"
    if "expected" in rows and rows["expected"].notna().any():
        each = rows[rows["expected"].notna()]
        text += f" against expected {each['told'].sum() / each['expected'].sum() - 1:+.3f}"
        for term in ("open", "new", "large"):
            name = f"expected_{term}"
            if name in each and each[name].notna().any() and each[name].sum() > 0:
                text += f" {term} {each[f'told_{term}'].sum() / each[name].sum() - 1:+.3f}"
    return text


def main() -> None:
    """Prints coverage, bias and the terms of it, world by world."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=12)
    parser.add_argument("--kinds", nargs="*", default=list(LANDED))
    parser.add_argument("--held-out", action="store_true")
    parser.add_argument("--first", type=int, help="first seed of a block of your own")
    parser.add_argument("--market", choices=list(MARKETS), default="still")
    parser.add_argument("--no-forecast", action="store_true")
    parser.add_argument("--save")
    given = parser.parse_args()
    first = given.first or (HELD_OUT if given.held_out else BUILDING)
    found: list[dict[str, object]] = []
    for kind in given.kinds:
        mine: list[dict[str, object]] = []
        for seed in range(first, first + given.worlds):
            made = world(seed, kind)
            for day in DAYS:
                try:
                    rows = list(rows_of(made, day, MARKETS[given.market], day in FORECAST_ON and not given.no_forecast))
                except (PlanError, DataError) as error:
                    rows = [{"what": "refused", "day": str(day), "why": str(error)[:200]}]
                mine += [{"kind": kind, "seed": seed, **row} for row in rows]
        found += mine
        _print(kind, pd.DataFrame(mine))
    if given.save:
        pd.DataFrame(found).to_pickle(given.save)


def _print(kind: str, rows: pd.DataFrame) -> None:
    print(f"== {kind}")
    for what, each in rows.groupby("what"):
        if what == "refused":
            print(f"refused {len(each)}: {each['why'].iloc[0]}")
        elif what == "rate":
            _print_rates(each)
        else:
            for (day, span), part in each.groupby(["day", "span"]):
                print(f"{what} {day} {span:8s} {summary(part)}, {part['seconds'].mean():.2f} s")


def _print_rates(rows: pd.DataFrame) -> None:
    late = rows[rows["day"] == rows["day"].max()]
    for (part, last), each in late.groupby(["part", "last"]):
        print(
            f"rate of {part:8s} {'last step' if last else 'others   '} {summary(each)}, mature {each['mature'].mean():.2f}"
        )
    whole = late[late["part"] == "all"]
    wrong = whole["mature"] & (whole["told"] < 0.97 * whole["actual"])
    print(f"labels: mature though 3 % low {wrong.mean():.2f}; drifting {whole['drifting'].mean():.2f} of rows, "
          f"{whole.groupby('seed')['drifting'].any().mean():.2f} of companies; bunched {whole['bunched'].mean():.2f}; recorded only from {whole['recorded_from'].mean():.2f}")  # fmt: skip


if __name__ == "__main__":
    main()
