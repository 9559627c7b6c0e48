"""What of a flow still lands in the year when every delay takes longer, or less long, than planned.

All lags stretch by one log-normal factor with mean 1: a market in which deals take longer is one for
all. A path whose every step is stretched by a factor is stretched by it as a whole, so its delay is
composed once, and what lands by a given time is read off its integrated distribution.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from revplan.calendar import MONTH_DAYS
from revplan.lag import Lag, path_day_chances
from revplan.model.funnel import HORIZON, YEAR
from revplan.model.pipeline import OpenYield
from revplan.model.uncertain import normal_quadrature

GRID = np.linspace(-5.5, 5.5, 265)  # normals at which what lands is tabulated; 0 is one of them
NODES = 64


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
    months = min(len(entries), max(window[1], 0))
    begins = np.arange(months) + np.r_[start, np.zeros(max(months - 1, 0))][:months]
    widths = np.arange(1, months + 1) - begins
    density = entries[:months] / widths
    by_end, before = (_arrived(lags, density, begins, edge, scale) for edge in (window[1], max(window[0], 0)))
    return by_end - before


def _arrived(
    lags: tuple[Lag, ...], density: np.ndarray, begins: np.ndarray, edge: float, scale: LagScale
) -> np.ndarray:
    """Records that have arrived by month `edge`, by lag factor; `density` a month from `begins` on."""
    factors = scale.factors[:, None]
    ends = np.floor(begins) + 1
    gone = _integrated(lags, (edge - begins) / factors) - _integrated(lags, (edge - ends) / factors)
    return (factors * gone) @ density


def _integrated(lags: tuple[Lag, ...], months: np.ndarray) -> np.ndarray:
    """Integral of the path's distribution function from 0 to `months`. [months]"""
    chances = path_day_chances(lags)
    arrived = np.cumsum(chances)
    area = np.concatenate([[0.0], np.cumsum(arrived)])  # at whole days: chances sit on whole days
    days = np.maximum(months * MONTH_DAYS, 0.0)
    beyond = np.maximum(days - (len(area) - 1), 0.0) * arrived[-1]
    return (np.interp(days, np.arange(len(area)), area) + beyond) / MONTH_DAYS


def open_landing(found: OpenYield, begin: float, scale: LagScale) -> np.ndarray:
    """Wins of the year from open records, by lag factor: what is left of their delay stretches. [deals]

    Parameters
    ----------
    found
        What the records bring at the planned lags.
    begin
        When the year begins, counted from the plan date; negative where it has begun. [months]
    scale
        The lag factor.
    """
    edges = np.maximum(begin + np.arange(HORIZON + 1), 0.0)
    kept = np.append(np.diff(edges) > 0, True)
    before = max(found.chance - float(found.wins.sum()), 0.0)
    early = before if begin > 0 else 0.0  # won before the year begins
    arrived = early + np.concatenate([[0.0], np.cumsum(found.wins)])
    times, wins = edges[kept], arrived[kept]
    if times[0] > 0:
        times, wins = np.insert(times, 0, 0.0), np.insert(wins, 0, 0.0)
    curve = PchipInterpolator(times, np.maximum.accumulate(wins), extrapolate=False)
    asked = np.array([max(begin, 0.0), begin + YEAR])[:, None] / scale.factors
    landed = curve(np.clip(asked, times[0], times[-1]))
    return landed[1] - landed[0]
