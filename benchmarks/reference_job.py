"""The reference jobs RJ-1 and RJ-2, their exact law, and an engine that follows every lead month by month.

RJ-1: 3 segments x 4 channels; leads of 24 months, the last twelve of which are the year; five transitions
with a Beta rate each (60 of them, 22 to 600 records) and a gamma(1.6) delay discretised to 0..6 months;
log-normal deals. RJ-2 is the same with rho .3 and lag_cv .15. The output is the ARR won in the year.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import stats
from scipy.special import betaincinv, ndtr, ndtri

from revplan.simulation.draws import UncertainRates, normal_quadrature
from revplan.simulation.outlook import LagScale, Outlook

SEGMENTS, CHANNELS, STEPS, MONTHS, YEAR, LONGEST = 3, 4, 5, 24, 12, 6
CELLS = SEGMENTS * CHANNELS
VALUE = np.repeat([11_000.0, 38_000.0, 140_000.0], CHANNELS)
SIGMA = np.repeat([0.6, 0.7, 0.8], CHANNELS)  # of the logarithm of a deal
GOAL = 36e6


class Job:
    """The stated numbers of the job."""

    def __init__(self, rho: float = 0.0, lag_cv: float = 0.0) -> None:
        rng = np.random.default_rng(20261122)
        self.rho, self.lag_cv = rho, lag_cv
        month = np.arange(MONTHS)
        season = 1.012**month * (1 + 0.12 * np.sin(2 * np.pi * month / 12))
        level = np.repeat([2900.0, 1100.0, 270.0], CHANNELS) * rng.uniform(0.5, 1.5, CELLS) / CHANNELS
        self.leads = level[:, None] * season  # shape (cells, months)
        base = np.array([0.34, 0.45, 0.72, 0.60, 0.24])
        self.rate = np.clip(base * rng.uniform(0.85, 1.15, (CELLS, STEPS)), 0.02, 0.95)
        self.evidence = np.exp(rng.uniform(np.log(22), np.log(600), (CELLS, STEPS)))
        mean_lag = np.repeat(np.linspace([0.3, 0.4, 0.3, 0.6, 1.2], [0.6, 0.8, 0.6, 1.2, 3.0], SEGMENTS), CHANNELS, 0)
        edges = np.arange(LONGEST + 2)
        self.delay = np.stack([[self._delay(mean, edges) for mean in cell] for cell in mean_lag])

    @staticmethod
    def _delay(mean: float, edges: np.ndarray) -> np.ndarray:
        chances = np.diff(stats.gamma(1.6, scale=mean / 1.6).cdf(edges))
        return chances / chances.sum()

    def path_delay(self, cell: int) -> np.ndarray:
        """Chance of each whole number of months from lead to won."""
        chances = np.ones(1)
        for step in range(STEPS):
            chances = np.convolve(chances, self.delay[cell, step])
        return chances

    def landing(self, factor: float) -> np.ndarray:
        """Leads by cell whose path ends in the year, every delay `factor` as long; entries even in a month."""
        found = np.zeros(CELLS)
        for cell in range(CELLS):
            for months, chance in enumerate(self.path_delay(cell)):
                arrives = np.arange(MONTHS) + months * factor
                inside = np.clip(MONTHS - arrives, 0, 1) - np.clip(YEAR - arrives, 0, 1)
                found[cell] += chance * float(self.leads[cell] @ inside)
        return found

    def outlook(self) -> Outlook:
        """The job as the simulation sees it."""
        lags = LagScale(self.lag_cv)
        spread = VALUE * np.sqrt(np.expm1(SIGMA**2))
        return Outlook(
            goal=GOAL,
            won=0.0,
            rates=UncertainRates(self.rate.ravel(), self.evidence.ravel()),
            paths=np.arange(CELLS * STEPS).reshape(CELLS, STEPS),
            landing=np.stack([self.landing(factor) for factor in lags.factors], axis=1),
            is_open=np.zeros(CELLS, dtype=bool),
            volumes=np.zeros(CELLS, dtype=int),
            value=VALUE,
            spread=spread,
            chance=np.zeros(CELLS),
            rho=self.rho,
            lags=lags,
            volume_cv=0.0,
            rate_names=tuple(f"rate {index}" for index in range(CELLS * STEPS)),
        )


# --- the exact law: characteristic function --------------------------------------------------------------------


def exact_quantiles(job: Job, shares: tuple[float, ...], nodes: tuple[int, int] = (24, 10)) -> np.ndarray:
    """Quantiles of the year's ARR from its characteristic function, inverted (Gil-Pelaez, 1951). [currency]

    Given market and lag, cells are independent: each is a Poisson sum of log-normal deals with a mean
    that is a product of Betas. The law of the product is convolved on a fine grid of its logarithm.
    """
    frequency, function = characteristic(job, nodes)
    step = frequency[1] - frequency[0]
    mean = float(function[0].imag / frequency[0])
    grid = np.linspace(0.2 * mean, 4.0 * mean, 4001)
    phase = np.exp(-1j * np.outer(grid, frequency))
    below = 0.5 - (phase * function / frequency).imag.sum(axis=1) * step / np.pi
    return np.interp(shares, below, grid)


def characteristic(job: Job, nodes: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (midpoints) and the characteristic function there."""
    view_mean = float((job.landing(1.0) * job.rate.prod(axis=1)) @ VALUE)
    step = 2 * np.pi / (24 * view_mean)
    frequency = (np.arange(1600) + 0.5) * step
    market, market_weight = normal_quadrature(nodes[0]) if job.rho else (np.zeros(1), np.ones(1))
    lag, lag_weight = normal_quadrature(nodes[1]) if job.lag_cv else (np.zeros(1), np.ones(1))
    scale = LagScale(job.lag_cv)
    landings = [job.landing(float(scale.at(np.array(each)))) if job.lag_cv else job.landing(1.0) for each in lag]
    excess = exact_excess(job)
    jumps = [deal_characteristic(cell, frequency) - 1 for cell in range(CELLS)]
    total = np.zeros(len(frequency), dtype=complex)
    for m, weight in zip(market, market_weight, strict=True):
        products = [product_law(job, cell, float(m)) for cell in range(CELLS)]
        for landing, part in zip(landings, lag_weight, strict=True):
            function = np.ones(len(frequency), dtype=complex)
            for cell, (product, chances) in enumerate(products):
                wins = landing[cell] * product / excess[cell]
                function *= chances @ np.exp(np.outer(wins, jumps[cell]))
            total += weight * part * function
    return frequency, total


def deal_characteristic(cell: int, frequency: np.ndarray) -> np.ndarray:
    """Characteristic function of a deal's value."""
    points, weights = normal_quadrature(96)
    values = VALUE[cell] * np.exp(SIGMA[cell] * points - SIGMA[cell] ** 2 / 2)
    return np.exp(1j * np.outer(frequency, values)) @ weights


def product_law(job: Job, cell: int, market: float, points: int = 2**13) -> tuple[np.ndarray, np.ndarray]:
    """The product of a cell's rates in a given market: values and their chances."""
    lowest, width = -9.0, 9.0 / points
    edges = lowest + width * np.arange(points + 1)
    spectrum = np.ones(points * STEPS // 2 + 1, dtype=complex)
    for rate, evidence in zip(job.rate[cell], job.evidence[cell], strict=True):
        normal = ndtri(stats.beta.cdf(np.exp(edges), rate * evidence, (1 - rate) * evidence))
        below = ndtr((normal - np.sqrt(job.rho) * market) / np.sqrt(1 - job.rho))
        spectrum *= np.fft.rfft(np.diff(below), points * STEPS)
    chances = np.fft.irfft(spectrum, points * STEPS)
    logs = STEPS * (lowest + width / 2) + width * np.arange(points * STEPS)
    groups = np.arange(len(logs)) // 24  # a bin of 2.6 % holds its chance at its mean
    mass = np.bincount(groups, chances)
    value = np.bincount(groups, chances * np.exp(logs)) / np.maximum(mass, 1e-300)
    kept = mass > 1e-11
    return value[kept], mass[kept]


def exact_excess(job: Job) -> np.ndarray:
    """Expected product of each cell's rates over the product of their means, by two nested quadratures."""
    if not job.rho:
        return np.ones(CELLS)
    market, weights = normal_quadrature(40)
    own, own_weights = normal_quadrature(40)
    normal = np.sqrt(job.rho) * market[:, None] + np.sqrt(1 - job.rho) * own
    given = np.empty((CELLS, STEPS, len(market)))
    for cell in range(CELLS):
        for step in range(STEPS):
            r, n = job.rate[cell, step], job.evidence[cell, step]
            given[cell, step] = betaincinv(r * n, (1 - r) * n, ndtr(normal)) @ own_weights
    return given.prod(axis=1) @ weights / job.rate.prod(axis=1)


# --- the slow engines ----------------------------------------------------------------------------------------------


def exact_paths(job: Job, trials: int, seed: int) -> np.ndarray:
    """ARR of the year in each trial, every lead followed: binomial rates, multinomial delays, single deals.

    For RJ-1 only (independent rates, fixed lags): the usual vectorised numpy way.
    """
    rng = np.random.default_rng(seed)
    a, b = job.rate * job.evidence, (1 - job.rate) * job.evidence
    rates = rng.beta(a, b, (trials, CELLS, STEPS))
    flow = rng.poisson(job.leads, (trials, CELLS, MONTHS))
    for step in range(STEPS):
        passed = rng.binomial(flow, rates[:, :, step, None])
        flow = np.zeros_like(passed)
        left, remaining = passed.copy(), np.ones(CELLS)
        for months in range(LONGEST + 1):
            chance = np.clip(job.delay[:, step, months] / np.maximum(remaining, 1e-12), 0, 1)
            moved = rng.binomial(left, chance[:, None])
            flow[:, :, months:] += moved[:, :, : MONTHS - months]
            left, remaining = left - moved, remaining - job.delay[:, step, months]
    return deals_drawn(rng, flow[:, :, YEAR:].sum(axis=2))


def deals_drawn(rng: np.random.Generator, wins: np.ndarray) -> np.ndarray:
    """ARR of each trial, the value of every single deal drawn."""
    arr = np.zeros(len(wins))
    for cell in range(CELLS):
        values = np.exp(SIGMA[cell] * rng.standard_normal(int(wins[:, cell].sum())) - SIGMA[cell] ** 2 / 2)
        owner = np.repeat(np.arange(len(wins)), wins[:, cell])
        arr += VALUE[cell] * np.bincount(owner, values, len(wins))
    return arr


def with_rates(view: Outlook, mean: np.ndarray) -> Outlook:
    """The same year with other rates, as a slider sets them."""
    return replace(view, rates=UncertainRates(mean, view.rates.evidence))
