"""Rates against known truth: bias, coverage and error of the estimator and of what people do instead.

Run: python benchmarks/rates_truth.py [--replicates 200] [--jobs 2]

Twelve cells (3 segments x 4 sources, the smallest with under 1 % of the leads), rates 11-33 % redrawn by
12 % in each replicate, delays of mean 45, 90 and 150 days by segment, losses recorded later than wins and
three in ten never, leads growing 3 % a month, cut off at the as-of day. Worlds differ in the shape of the
delay (in one its P90 is twelve medians), in how long was watched, in when outcomes began to be recorded, and in how they are dated. Per world and method: mean
relative bias and coverage of the 80 % interval over the rows that 1,000 or more records entered, coverage
over all cells, and the root mean squared error of cells with 100 leads or more, and with fewer.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy.stats import beta

from revplan.crm.records import History
from revplan.rates.estimates import estimate_transitions

START = date(2023, 1, 1)
SEGMENTS, SOURCES = ("large", "mid", "small"), ("events", "inbound", "outbound", "partner")
MEAN_DAYS = np.array([150.0, 90.0, 45.0])
RATES = np.array([[0.15, 0.18, 0.13, 0.11], [0.22, 0.25, 0.20, 0.17], [0.28, 0.33, 0.25, 0.22]])
LEADS = np.outer([0.08, 0.32, 0.60], [0.3, 0.4, 0.1, 0.2])
MONTH_ENDS = (pd.date_range(START, periods=600, freq="ME") - pd.Timestamp(START)).days.to_numpy()
GROWTH = 0.03 / 30.4375
NEVER_MARKED = 0.3
SHAPES: dict[str, Callable[[np.random.Generator, int], np.ndarray]] = {
    "weibull": lambda rng, n: rng.weibull(1.4, n) / 0.9114,
    "gamma": lambda rng, n: rng.gamma(1.6, 1 / 1.6, n),
    "lognormal": lambda rng, n: np.exp(rng.normal(-0.32, 0.8, n)),
    "heavy": lambda rng, n: np.exp(rng.normal(np.log(0.3), np.log(12) / 1.2816, n)),
}


@dataclass(frozen=True)
class World:
    """What the records of a world look like."""

    name: str
    leads: int = 3000
    days: int = 730
    shape: str = "weibull"
    recorded_from: int = 0
    at_month_ends: bool = False
    """Whether outcomes are dated at the end of their month."""


WORLDS = (
    World("weibull"),
    World("gamma", shape="gamma"),
    World("lognormal", shape="lognormal"),
    World("recorded late", recorded_from=365),
    World("nine months", days=274),
    World("30,000 leads", leads=30_000),
    World("heavy tails", shape="heavy"),
    World("month-end dates", at_month_ends=True),
)


@dataclass(frozen=True, eq=False)
class Draw:
    """Records of a world: cell, days of entry, and of win and loss as recorded (-1: none); and the true rates."""

    world: World
    cell: np.ndarray
    entered: np.ndarray
    won: np.ndarray
    lost: np.ndarray
    rates: np.ndarray

    def truth(self, segment: str, source: str) -> float:
        """The true rate of a row of the estimates: its cells weigh as they are drawn."""
        rows = slice(None) if segment == "all" else SEGMENTS.index(segment)
        columns = slice(None) if source == "all" else SOURCES.index(source)
        return float((self.rates[rows, columns] * LEADS[rows, columns]).sum() / LEADS[rows, columns].sum())

    def history(self) -> History:
        """The records as the import leaves them."""
        labels = pd.DataFrame(
            {
                "record": np.arange(len(self.cell)).astype(str),
                "segment": np.array(SEGMENTS)[self.cell // len(SOURCES)],
                "source": np.array(SOURCES)[self.cell % len(SOURCES)],
            }
        )
        origin = pd.Timestamp(START)
        at = origin + pd.to_timedelta(self.entered, unit="D"), origin + pd.to_timedelta(self.won, unit="D")
        rows = [
            labels.assign(stage="lead", entered_on=at[0]),
            labels.assign(stage="won", entered_on=at[1])[self.won >= 0],
        ]
        lost = (origin + pd.to_timedelta(self.lost, unit="D")).where(self.lost >= 0)
        records = labels.assign(amount=np.nan, lost_on=lost)
        return History(("lead", "won"), pd.concat(rows), records, (), START + timedelta(days=self.world.days), "")


def draw(rng: np.random.Generator, world: World) -> Draw:
    """Records of `world`."""
    rates = RATES * np.exp(rng.normal(0, 0.12, RATES.shape))
    cell = rng.choice(RATES.size, world.leads, p=LEADS.ravel())
    uniform = rng.random(world.leads)
    entered = np.floor(np.log1p(uniform * np.expm1(GROWTH * world.days)) / GROWTH).astype(int)
    delay = MEAN_DAYS[cell // len(SOURCES)] * SHAPES[world.shape](rng, world.leads)
    converts = rng.random(world.leads) < rates.ravel()[cell]
    marked = rng.random(world.leads) >= NEVER_MARKED
    end = entered + np.where(converts, delay, 1.8 * delay).astype(int)
    if world.at_month_ends:
        end = MONTH_ENDS[np.searchsorted(MONTH_ENDS, np.minimum(end, MONTH_ENDS[-1]))]
    seen = (end <= world.days) & (end >= world.recorded_from)
    return Draw(
        world, cell, entered, np.where(converts & seen, end, -1), np.where(~converts & marked & seen, end, -1), rates
    )


# --- what people do instead ----------------------------------------------------------------------


def interval(won: float, records: float) -> tuple[float, float, float]:
    """Rate, P10 and P90 of `won` out of `records`."""
    records = max(records, won, 1e-9)
    low, high = beta.ppf([0.1, 0.9], won + 0.5, records - won + 0.5)
    return won / records, float(low), float(high)


def won_by_leads(drawn: Draw, mine: np.ndarray) -> tuple[float, float, float]:
    """Wins / leads."""
    return interval(float((drawn.won[mine] >= 0).sum()), float(mine.sum()))


def won_by_closed(drawn: Draw, mine: np.ndarray) -> tuple[float, float, float]:
    """Wins / (wins + losses)."""
    won = float((drawn.won[mine] >= 0).sum())
    return interval(won, won + float((drawn.lost[mine] >= 0).sum()))


def matured(drawn: Draw, mine: np.ndarray) -> tuple[float, float, float]:
    """Wins / leads of the leads older than 95 % of the delays seen."""
    delays = (drawn.won - drawn.entered)[mine & (drawn.won >= 0)]
    if len(delays) == 0:
        return won_by_leads(drawn, mine)
    old = mine & (drawn.world.days - drawn.entered >= np.quantile(delays, 0.95))
    return interval(float((drawn.won[old] >= 0).sum()), float(old.sum()))


def kaplan_meier(drawn: Draw, mine: np.ndarray) -> tuple[float, float, float]:
    """One less the product-limit estimate at the oldest win, with Greenwood's interval; losses stay at risk."""
    age = (drawn.world.days - drawn.entered)[mine]
    delay = (drawn.won - drawn.entered)[mine]
    won = drawn.won[mine] >= 0
    if not won.any():
        return 0.0, 0.0, 1.0
    size = int(age.max()) + 2
    exits = np.bincount(delay[won], minlength=size)
    at_risk = np.bincount(np.where(won, delay, age), minlength=size)[::-1].cumsum()[::-1]
    counted = exits > 0
    open_share = float(np.prod(1 - exits[counted] / at_risk[counted]))
    left = np.maximum(at_risk - exits, 0.5)[counted]
    deviation = open_share * np.sqrt(float((exits[counted] / (at_risk[counted] * left)).sum()))
    return 1 - open_share, 1 - open_share - 1.2816 * deviation, 1 - open_share + 1.2816 * deviation


METHODS = {
    "won / leads": won_by_leads,
    "won / (won + lost)": won_by_closed,
    "matured cohorts": matured,
    "Kaplan-Meier": kaplan_meier,
}


# --- measuring -----------------------------------------------------------------------------------


@dataclass
class Tally:
    """Estimates with their truths."""

    rows: list[tuple[float, float, bool, int, bool]] = field(default_factory=list)
    """Rate, truth, whether the interval held it, records, whether the row is a single cell."""
    seconds: float = 0.0

    def add(self, found: tuple[float, float, float], truth: float, records: int, is_cell: bool) -> None:
        """One estimate."""
        rate, low, high = found
        self.rows.append((rate, truth, low <= truth <= high, records, is_cell))

    def summary(self) -> dict[str, float]:
        """Bias and coverage of well supported rows; coverage and errors of cells."""
        rate, truth, held, records, is_cell = (np.array(column) for column in zip(*self.rows, strict=True))
        large, dense, sparse = records >= 1000, is_cell & (records >= 100), is_cell & (records < 100)

        def error(which: np.ndarray) -> float:
            return float(np.sqrt(np.mean((rate - truth)[which] ** 2))) if which.any() else float("nan")

        return {
            "bias": float(np.mean(rate[large] / truth[large]) - 1),
            "coverage": float(held[large].mean()),
            "cell_coverage": float(held[is_cell].mean()) if is_cell.any() else float("nan"),
            "dense_error": error(dense),
            "sparse_error": error(sparse),
        }


def measured(world: World, replicates: int, seed: int, others: bool = True) -> dict[str, Tally]:
    """Every method on `replicates` draws of `world`."""
    rng = np.random.default_rng(seed)
    tallies = {name: Tally() for name in ("revplan", *(METHODS if others else ()))}
    for _ in range(replicates):
        drawn = draw(rng, world)
        known = drawn.history()
        begun = time.perf_counter()
        estimates = estimate_transitions(known, known.as_of)
        tallies["revplan"].seconds += time.perf_counter() - begun
        for row in estimates.to_dict("records"):
            mine = _mine(drawn, row["segment"], row["source"])
            truth, is_cell = drawn.truth(row["segment"], row["source"]), "all" not in (row["segment"], row["source"])
            records = int(mine.sum())
            tallies["revplan"].add((row["rate"], row["rate_low"], row["rate_high"]), truth, records, is_cell)
            for name in tallies.keys() - {"revplan"}:
                tallies[name].add(METHODS[name](drawn, mine), truth, records, is_cell)
    return tallies


def _mine(drawn: Draw, segment: str, source: str) -> np.ndarray:
    mine = np.ones(len(drawn.cell), dtype=bool)
    if segment != "all":
        mine &= drawn.cell // len(SOURCES) == SEGMENTS.index(segment)
    if source != "all":
        mine &= drawn.cell % len(SOURCES) == SOURCES.index(source)
    return mine


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    print("| world | method | bias | coverage of 80 % | in cells | error, cells of 100+ | error, smaller cells | ms |")
    print("|---|---|---|---|---|---|---|---|")
    with ProcessPoolExecutor(given.jobs) as pool:
        done = pool.map(measured, WORLDS, [given.replicates] * len(WORLDS), range(1, len(WORLDS) + 1))
        for world, tallies in zip(WORLDS, done, strict=True):
            for name, tally in tallies.items():
                each = tally.summary()
                spent = f"{1000 * tally.seconds / given.replicates:.0f}" if tally.seconds else ""
                print(
                    f"| {world.name} | {name} | {each['bias']:+.1%} | {each['coverage']:.2f} | "
                    f"{each['cell_coverage']:.2f} | {each['dense_error']:.3f} | {each['sparse_error']:.3f} | {spent} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
