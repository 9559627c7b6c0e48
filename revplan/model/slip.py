"""What of a flow still lands in the year when every delay takes longer, or less long, than planned.

All lags stretch by one log-normal factor with mean 1: a market in which deals take longer is one for
all. A path whose every step is stretched by a factor is stretched by it as a whole, so its delay is
composed once, and what lands by a given time is read off its integrated distribution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from revplan.calendar import MONTH_DAYS
from revplan.lag import Lag, path_day_chances
from revplan.model.funnel import YEAR
from revplan.model.uncertain import normal_quadrature

GRID = np.linspace(-5.5, 5.5, 265)  # normals at which what lands is tabulated; 0 is one of them
NODES = 64
TOGETHER = 64  # groups of open records worked out at once


@dataclass(frozen=True)
class LagScale:
    """The common factor of all lags: log-normal with mean 1 and coefficient of variation `cv`."""

    cv: float

    @property
    def sigma(self) -> float:
        """Standard deviation of the factor's logarithm."""
        return float(np.sqrt(np.log1p(self.cv**2)))

    @property
    def factors(self) -> np.ndarray:
        """Factors on the grid, the last one 1: the planned lags."""
        spread = self.at(GRID) if self.cv > 0 else np.zeros(0)
        return np.append(spread, 1.0)

    def at(self, normal: np.ndarray) -> np.ndarray:
        """The factor at given normals. [ratio]"""
        return np.exp(self.sigma * normal - self.sigma**2 / 2)

    def tied(self, landing: np.ndarray, planned: float) -> np.ndarray:
        """`landing` scaled so that the planned lags give exactly what the plan says."""
        if landing[-1] > 0:
            return landing * (planned / landing[-1])
        return np.append(landing[:-1], planned)

    def planned(self, landing: np.ndarray) -> np.ndarray:
        """What lands at the planned lags, by row."""
        return landing[:, -1]

    def expected(self, landing: np.ndarray) -> np.ndarray:
        """What lands in expectation over the lag factor, by row."""
        if self.cv == 0:
            return self.planned(landing)
        points, weights = normal_quadrature(NODES)
        return np.stack([np.interp(points, GRID, row[:-1]) for row in landing]) @ weights

    def read(self, landing: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """What lands at given normals, by row: shape (rows, normals)."""
        if self.cv == 0:
            return np.broadcast_to(landing[:, -1:], (len(landing), len(normal)))
        place = np.clip((normal - GRID[0]) / (GRID[1] - GRID[0]), 0.0, len(GRID) - 1.000001)
        below = place.astype(np.intp)
        part = place - below
        return landing[:, below] * (1 - part) + landing[:, below + 1] * part


def entries_landing(
    lags: tuple[Lag, ...], entries: np.ndarray, start: float, window: tuple[int, int], scale: LagScale
) -> np.ndarray:
    """Records of a flow that arrive within a window of months, by lag factor. [records]

    Parameters
    ----------
    lags
        The lags of the path.
    entries
        Entries by month; they are spread evenly over each.
    start
        Share of the flow's first month that is over before the first record enters. [0-1)
    window
        First month of the window and the month after its last, counted from the flow's first.
    scale
        The lag factor.
    """
    months = np.array([max(window[0], 0), window[1]])
    before, by_end = _arrived(lags, entries, start, months, scale.factors).T
    return by_end - before


def entries_by_month(
    lags: tuple[Lag, ...], entries: np.ndarray, start: float, begin: int, factors: np.ndarray
) -> np.ndarray:
    """Records of a flow that arrive in each month of the year: shape (factors, 12). [records]

    `begin` is the first month of the year counted from the flow's first; negative where the year has begun.
    """
    edges = np.maximum(np.arange(begin, begin + YEAR + 1), 0)
    return np.diff(_arrived(lags, entries, start, edges, factors), axis=1)


def landing_chances(lags: tuple[Lag, ...], months: int, start: float, window: tuple[int, int]) -> np.ndarray:
    """Chance that a record entering in each of `months` arrives within the window, at the planned lags. [0-1]"""
    edges = np.array([max(window[0], 0), window[1]])
    before, by_end = _shares(lags, months, start, edges, np.ones(1))[0]
    return by_end - before


def _arrived(
    lags: tuple[Lag, ...], entries: np.ndarray, start: float, edges: np.ndarray, factors: np.ndarray
) -> np.ndarray:
    """Records that have arrived by each of the month edges: shape (factors, edges). [records]"""
    months = min(len(entries), max(int(edges[-1]), 0))
    return _shares(lags, months, start, edges, factors) @ entries[:months]


def _shares(lags: tuple[Lag, ...], months: int, start: float, edges: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Share of each month's entries that has arrived by each edge: shape (factors, edges, months). [0-1]"""
    begins, ends = np.arange(months) * 1.0, np.arange(1, months + 1)
    begins[:1] += start
    area, scale = _area(lags), factors[:, None, None]
    left = edges[None, :, None] / scale
    gone = _integrated(area, left - begins / scale) - _integrated(area, left - ends / scale)
    return scale * gone / (ends - begins)


def _area(lags: tuple[Lag, ...]) -> np.ndarray:
    """Integral of the path's distribution function from 0 to each whole day. [days]

    Delays of a path sit on whole days, so it is straight in between.
    """
    return np.concatenate([[0.0], np.cumsum(np.cumsum(path_day_chances(lags)))])


def _integrated(area: np.ndarray, months: np.ndarray) -> np.ndarray:
    """Integral of the path's distribution function from 0 to `months`. [months]"""
    days = np.maximum(months * MONTH_DAYS, 0.0)
    below = np.minimum(days, len(area) - 2).astype(np.intp)  # beyond the last day every record has arrived
    return (area[below] + (days - below) * (area[below + 1] - area[below])) / MONTH_DAYS


def open_by_month(wins: Sequence[np.ndarray], start: float, begin: int, factors: np.ndarray) -> Iterator[np.ndarray]:
    """Wins from open records in each month of the year, what is left of their delay stretched. [deals]

    Parameters
    ----------
    wins
        For each group of records, wins by month at the planned lags, from the plan month on.
    start
        Share of the plan month that is over on the plan date. [0-1)
    begin
        First month of the year counted from the plan month; negative where the year has begun.
    factors
        The lag factors.

    Yields
    ------
    numpy.ndarray
        For each group, shape (factors, 12).
    """
    for begun in range(0, len(wins), TOGETHER):
        months = np.stack(wins[begun : begun + TOGETHER])
        times = np.maximum(np.arange(months.shape[1] + 1) - start, 0.0)
        curves = PchipInterpolator(times, np.pad(np.cumsum(months, axis=1), ((0, 0), (1, 0))), axis=1)
        edges = np.maximum(np.arange(begin, begin + YEAR + 1) - start, 0.0) / factors[:, None]
        yield from np.diff(curves(np.minimum(edges, times[-1])), axis=2)
