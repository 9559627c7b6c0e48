"""An audit engine: every lead a process of its own in SimPy's clock, against the simulation's bands.

Run: python benchmarks/discrete_event.py [--trials 400] [--scale 0.05] [--whole 20]

The job is that of `reference_job.py`: 12 cells of segment and source, five transitions, leads of 24 months,
60 uncertain rates, lags, log-normal deals. At `--scale` a share of its leads enters, so that enough trials
fit into minutes; `--whole` trials follow all of them (about 98,000 each). Nothing is shared with the
package but the stated numbers: no kernel, no cumulant, no bank of normals.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import simpy
from reference_job import CELLS, MONTHS, SIGMA, STEPS, VALUE, YEAR, Job, exact_excess
from scipy.special import betaincinv, ndtr

from revplan.simulation.draws import DrawStore
from revplan.simulation.simulate import run
from revplan.simulation.trials import Outcome, drivers

TRIALS = 65_536  # of the simulation, so that its own error does not count
WITHIN = 3.5  # standard errors


def main() -> None:
    """Both jobs, at a share of their leads and whole, each figure beside ours."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=400, help="with a share of the leads")
    parser.add_argument("--scale", type=float, default=0.05, help="that share")
    parser.add_argument("--whole", type=int, default=20, help="trials that follow every lead")
    given = parser.parse_args()
    for name, parts in {"RJ-1": (0.0, 0.0), "RJ-2": (0.3, 0.15)}.items():
        for scale, trials in ((given.scale, given.trials), (1.0, given.whole)):
            if trials:
                report(name, scaled(Job(*parts), scale), scale, trials)


def scaled(job: Job, scale: float) -> Job:
    """The job with a share of its leads."""
    job.leads = job.leads * scale
    return job


def report(name: str, job: Job, scale: float, trials: int) -> None:
    """One job: the audit's figures, ours, and how many standard errors they are apart."""
    begun = time.perf_counter()
    drawn = np.array(list(years(job, trials, seed=7)))
    taken = time.perf_counter() - begun
    print(f"{name}, {scale:.0%} of the leads: {trials} trials in {taken:.0f} s, {taken / trials:.2f} s each")
    print(f"  {'':8}{'SimPy':>14}{'revplan':>14}{'standard errors apart':>24}")
    for what, audit, ours, apart in agreement(drawn, bands(job)):
        print(f"  {what:8}{audit:>14,.0f}{ours:>14,.0f}{apart:>+24.1f}   within {WITHIN:g}", flush=True)


def bands(job: Job) -> Outcome:
    """What the simulation says of the job."""
    view = job.outlook()
    return run(view, DrawStore(TRIALS, drivers(view), 1), (0.8,))[0]


def agreement(drawn: np.ndarray, found: Outcome) -> Iterator[tuple[str, float, float, float]]:
    """Name, figure of the draws, ours, and their distance in standard errors of the draws.

    For a band it is the distance of the share of draws below ours: binomial, whatever the law.
    """
    count = len(drawn)
    error = drawn.std(ddof=1) / np.sqrt(count)
    yield "mean", drawn.mean(), found.mean.value, (drawn.mean() - found.mean.value) / error
    for share, band in ((0.1, found.p10), (0.5, found.p50), (0.9, found.p90)):
        off = share - (drawn < band.value).mean()
        yield f"P{100 * share:.0f}", np.quantile(drawn, share), band.value, off / np.sqrt(share * (1 - share) / count)


# --- the engine ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Road:
    """What the leads of a cell have before them in one trial."""

    rates: list[float]
    waits: list[list[float]]
    """By step: chance that it takes 0, 1, 2, ... months at most."""
    value: float
    sigma: float
    """Standard deviation of the logarithm of a deal."""
    stretch: float
    """Times as long as planned that every wait is."""


def years(job: Job, trials: int, seed: int) -> Iterator[float]:
    """ARR won in the year, trial by trial. [currency]"""
    rng, dice, excess = np.random.default_rng(seed), random.Random(seed), exact_excess(job)
    for _ in range(trials):
        yield year(job, rng, dice, excess)


def year(job: Job, rng: np.random.Generator, dice: random.Random, excess: np.ndarray) -> float:
    """One trial: rates and the lag factor are drawn, then every lead lives its own life."""
    rates = drawn_rates(job, rng).tolist()
    sigma = np.sqrt(np.log1p(job.lag_cv**2))
    stretch = float(np.exp(sigma * rng.standard_normal() - sigma**2 / 2))
    clock, won = simpy.Environment(), []
    for cell in range(CELLS):
        road = Road(rates[cell], np.cumsum(job.delay[cell], axis=1).tolist(), VALUE[cell], SIGMA[cell], stretch)
        for month in range(MONTHS):
            # each path keeps its expected rate: what the market adds to the mean of their product is taken out
            for _ in range(rng.poisson(job.leads[cell, month] / excess[cell])):
                clock.process(lead(clock, month, road, dice, won))
    clock.run()
    return sum(won)


def drawn_rates(job: Job, rng: np.random.Generator) -> np.ndarray:
    """The rates of a trial, coupled by a market they share."""
    own = rng.standard_normal((CELLS, STEPS))
    normal = np.sqrt(job.rho) * rng.standard_normal() + np.sqrt(1 - job.rho) * own
    return betaincinv(job.rate * job.evidence, (1 - job.rate) * job.evidence, ndtr(normal))


def lead(clock: simpy.Environment, month: int, road: Road, dice: random.Random, won: list[float]) -> Iterator[Any]:
    """One lead: it enters some time in its month, passes each stage or not, waits, and is won or is not."""
    yield clock.timeout(month + dice.random())
    for rate, waits in zip(road.rates, road.waits, strict=True):
        if dice.random() >= rate:
            return
        place, months = dice.random(), 0
        while waits[months] < place:
            months += 1
        yield clock.timeout(months * road.stretch)
    if YEAR <= clock.now < MONTHS:
        won.append(road.value * np.exp(dice.gauss(-(road.sigma**2) / 2, road.sigma)))


if __name__ == "__main__":
    main()
