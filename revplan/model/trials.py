"""The trials: for each, the first three cumulants of the year's ARR given its rates, lags and volumes.

How many deals then come, and how large they are, is left to the law of compound Poisson sums: its
first three cumulants are matched and its chances integrated without drawing (`odds.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from revplan.model.bank import Bank
from revplan.model.odds import Odds
from revplan.model.outlook import Outlook

MARKET, LAG, LUCK, SHARED = 0, 1, 2, 3  # drivers by row of the bank; then volumes by source, then rates
ROUND = 2**15  # trials worked out together; more of them are averaged round by round


@dataclass(frozen=True, eq=False)
class Trials:
    """Trials of one year, `size` to a block."""

    fixed: np.ndarray
    """Shape (3, trials): cumulants of the ARR that comes without new entries."""
    scaled: np.ndarray
    """Shape (3, trials): cumulants of the ARR that committed entries bring; they grow with the entries."""
    luck: np.ndarray
    """Standard normal of the number and size of deals."""
    size: int
    """Trials of a whole block."""

    @cached_property
    def odds(self) -> Odds:
        """The law of the year's ARR with the entries as planned."""
        return self.odds_at(1.0)

    def odds_at(self, scale: float) -> Odds:
        """The law of the year's ARR with `scale` times the entries."""
        return Odds.of_cumulants(self.fixed + scale * self.scaled)

    @cached_property
    def arr(self) -> np.ndarray:
        """The year's ARR in each trial, deals drawn. [plan currency]"""
        return self.odds.quantile(self.luck)

    def standard_error(self, per_trial: np.ndarray) -> float:
        """Monte-Carlo standard error of the mean of a quantity, from the scatter between blocks."""
        whole = len(per_trial) // self.size
        if whole < 2:
            return float("nan")
        means = per_trial[: whole * self.size].reshape(whole, self.size).mean(axis=1)
        return float(means.std(ddof=1) / np.sqrt(whole))


def drivers(view: Outlook) -> int:
    """Independent normals that a trial of `view` takes."""
    return SHARED + len(view.source_names) + len(view.rates.mean)


def trials_of(view: Outlook, bank: Bank, numbers: range | None = None) -> Trials:
    """The trials of some blocks of `bank`; of all where none are named."""
    parts = [_block(view, bank.block(number)) for number in (range(bank.blocks) if numbers is None else numbers)]
    fixed, scaled, luck = (np.concatenate(part, axis=-1) for part in zip(*parts, strict=True))
    return Trials(fixed, scaled, luck, bank.size)


def _block(view: Outlook, normals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rates = SHARED + len(view.source_names)
    own = normals[rates:]
    if view.rho > 0:
        own = np.sqrt(1 - view.rho) * own
        own += np.sqrt(view.rho) * normals[MARKET]
    fixed, scaled = cumulants(view, wins(view, own, normals[LAG], normals[SHARED:rates]))
    return fixed, scaled, normals[LUCK]


def wins(view: Outlook, rates: np.ndarray, lag: np.ndarray, volumes: np.ndarray) -> np.ndarray:
    """Expected wins of each row in each trial, from the normals of its drivers: shape (rows, trials). [deals]"""
    found = path_products(view, view.rates.at(rates))
    found *= view.lags.read(view.landing, lag)
    if view.volume_cv > 0:
        found *= volume_factors(view, volumes)[view.volumes]
    return np.maximum(found, 0.0, out=found)


def path_products(view: Outlook, rates: np.ndarray) -> np.ndarray:
    """Product of the rates along each row's path, the market's excess taken out: shape (rows, trials)."""
    rates = np.vstack([rates, np.ones((1, rates.shape[1]))])
    steps = view.paths.T[(view.paths != len(view.rates.mean)).any(axis=0)]
    found = np.repeat(1 / view.excess[:, None], rates.shape[1], axis=1)
    for step in steps:
        found *= rates[step]
    return found


def volume_factors(view: Outlook, normals: np.ndarray) -> np.ndarray:
    """Factor of each source's volume, log-normal with mean 1; a last row of ones. [ratio]"""
    sigma = np.sqrt(np.log1p(view.volume_cv**2))
    return np.vstack([np.exp(sigma * normals - sigma**2 / 2), np.ones((1, normals.shape[1]))])


def cumulants(view: Outlook, wins: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cumulants of ARR without new entries and of what committed entries bring: shape (3, trials) each."""
    fixed, scaled = (
        np.einsum("kr,rn->kn", view.value_cumulants[:, rows], wins[rows]) for rows in (view.is_open, ~view.is_open)
    )
    fixed[0] += view.won
    return fixed, scaled
