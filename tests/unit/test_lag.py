"""Lags and their months: worked by hand, and against numerical integration of the formula."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.integrate import quad, trapezoid
from scipy.stats import lognorm

from revplan.ground.calendar import MONTH_DAYS
from revplan.ground.lag import (
    INSTANT,
    MAX_MONTHS,
    TAIL,
    Lag,
    path_day_chances,
    path_days,
    path_quantile,
    path_shares,
    tail_beyond,
)

MONTH = 30.4375  # days: 365.25 / 12
Z90 = 1.2815515655446004  # 90 % quantile of the standard normal

SPREAD = [(4.0, 20.0), (36.0, 108.0), (90.0, 150.0), (146.0, 227.0), (1.0, 60.0)]


def days_of(lag: Lag) -> object:
    """The log-normal distribution of the days, written from median and p90 alone."""
    assert lag.median_days is not None
    assert lag.p90_days is not None
    return lognorm(s=log(lag.p90_days / lag.median_days) / Z90, scale=lag.median_days)


def share_by_quadrature(lag: Lag, k: int, start: float = 0.0) -> float:
    """w[k]: F((k+1-u)m) - F((k-u)m), averaged over the u of entry from `start` to 1."""
    cdf = days_of(lag).cdf  # type: ignore[attr-defined]
    area, _ = quad(
        lambda u: cdf((k + 1 - u) * MONTH) - cdf((k - u) * MONTH), start, 1, epsabs=1e-12, epsrel=1e-12, limit=400
    )
    return area / (1 - start)


# --- whole months --------------------------------------------------------------------------------------------


def test_fixed_months_move_every_record_by_that_many() -> None:
    assert Lag(months=2).shares().tolist() == [0, 0, 1]
    assert Lag(months=0).shares().tolist() == [1]
    assert Lag(months=60).shares().tolist() == [0] * 60 + [1]


def test_weights_are_the_shares() -> None:
    assert Lag(weights=(0.5, 0.25, 0.25)).shares().tolist() == [0.5, 0.25, 0.25]


def test_a_path_of_fixed_lags_shifts_whole_months_exactly() -> None:
    path = (Lag(months=1), Lag(months=0), Lag(months=2))
    assert path_shares(path).tolist() == [0, 0, 0, 1]
    # however much of the month of entry is over
    assert path_shares(path, 0.75).tolist() == [0, 0, 0, 1]


def test_a_path_of_weights_multiplies_out() -> None:
    # months 0 and 1 at .9 and .1, then 1 and 2 at .5 each:
    # month 1: .9 x .5 = .45; month 2: .9 x .5 + .1 x .5 = .5; month 3: .1 x .5 = .05
    path = (Lag(weights=(0.9, 0.1)), Lag(weights=(0.0, 0.5, 0.5)))
    assert path_shares(path) == pytest.approx([0, 0.45, 0.5, 0.05], abs=1e-12)


def test_no_lag_at_all_stays_in_the_month_of_entry() -> None:
    assert path_shares(()).tolist() == [1]
    assert INSTANT.shares().tolist() == [1]


# --- log-normal ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("median", "p90"), SPREAD)
def test_monthly_shares_are_the_integral_of_the_formula(median: float, p90: float) -> None:
    lag = Lag(median_days=median, p90_days=p90)
    shares = lag.shares()
    for k in range(min(len(shares) - 1, 14)):  # the last one also holds the tail
        assert shares[k] == pytest.approx(share_by_quadrature(lag, k), abs=1e-9), f"month {k}"


@pytest.mark.parametrize("start", [1 / 30, 0.5, 27 / 28])
@pytest.mark.parametrize(("median", "p90"), SPREAD)
def test_shares_after_a_month_begun_are_the_integral_over_its_rest(median: float, p90: float, start: float) -> None:
    lag = Lag(median_days=median, p90_days=p90)
    shares = path_shares((lag,), start)
    for k in range(min(len(shares) - 1, 8)):
        assert shares[k] == pytest.approx(share_by_quadrature(lag, k, start), abs=1e-9), f"month {k}"


@pytest.mark.parametrize("start", [0.0, 0.4])
def test_a_composed_path_is_the_integral_over_both_delays(start: float) -> None:
    first, second = Lag(median_days=12, p90_days=34), Lag(median_days=36, p90_days=108)
    inner, outer = days_of(first), days_of(second)

    def both(days: float) -> float:
        """Chance that the two delays together take no longer than `days`."""
        steps = np.linspace(0, max(days, 0), 1501)
        return float(trapezoid(inner.pdf(np.maximum(steps, 1e-12)) * outer.cdf(days - steps), steps))

    entries = start + (1 - start) * (np.arange(200) + 0.5) / 200
    for k in range(4):
        exact = np.mean([both((k + 1 - u) * MONTH) - both((k - u) * MONTH) for u in entries])
        assert path_shares((first, second), start)[k] == pytest.approx(exact, abs=1e-4)  # a grid of days


def test_whole_months_shift_a_log_normal_delay_without_spreading_it() -> None:
    spread = Lag(median_days=36, p90_days=108)
    assert path_shares((spread, Lag(months=2)))[2:] == pytest.approx(spread.shares(), abs=1e-12)
    assert path_shares((Lag(months=2), spread))[:2].tolist() == [0, 0]


def test_the_order_of_a_path_does_not_matter() -> None:
    path = (Lag(median_days=5, p90_days=22), Lag(months=1), Lag(median_days=60, p90_days=150))
    assert path_shares(path) == pytest.approx(path_shares(path[::-1]), abs=1e-9)


# --- where a lag ends ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("median", "p90"), SPREAD[:4])
def test_a_lag_ends_in_the_first_month_that_leaves_less_than_the_tail(median: float, p90: float) -> None:
    lag = Lag(median_days=median, p90_days=p90)
    done = np.cumsum([share_by_quadrature(lag, k) for k in range(MAX_MONTHS)])
    first = int(np.argmax(1 - done < TAIL))
    assert TAIL == 1e-4
    assert 1 - done[first] < TAIL < 1 - done[first - 1]
    assert len(lag.shares()) == first + 1


def test_what_lies_beyond_the_last_month_is_counted_in_it() -> None:
    lag = Lag(median_days=1200, p90_days=4000)  # half of it takes more than 39 months
    shares = lag.shares()
    assert len(shares) == MAX_MONTHS + 1 == 61
    assert shares.sum() == pytest.approx(1, abs=1e-12)
    before = sum(share_by_quadrature(lag, k) for k in range(MAX_MONTHS))
    assert shares[-1] == pytest.approx(1 - before, abs=1e-7)
    beyond = 1 - days_of(lag).cdf(60 * MONTH)  # type: ignore[attr-defined]
    assert tail_beyond(lag) == pytest.approx(beyond, abs=1e-9)
    assert tail_beyond(lag) > 0.2
    assert tail_beyond(Lag(months=60)) == 0


@pytest.mark.parametrize("start", [0.0, 0.5])
def test_shares_are_never_negative_and_sum_to_one(start: float) -> None:
    for median, p90 in [*SPREAD, (0.05, 0.1), (900.0, 9000.0)]:
        spread = Lag(median_days=median, p90_days=p90)
        for path in ((spread,), (spread, spread), (spread, Lag(months=3)), (spread, spread, Lag(weights=(0.5, 0.5)))):
            shares = path_shares(path, start)
            assert shares.min() >= 0
            assert shares.sum() == pytest.approx(1, abs=1e-12)


# --- days ----------------------------------------------------------------------------------------------------


def test_half_have_converted_at_the_median_and_nine_in_ten_at_p90() -> None:
    lag = Lag(median_days=60, p90_days=150)
    assert lag.cdf([60, 150]) == pytest.approx([0.5, 0.9], abs=1e-12)
    assert lag.cdf([-5, 0]).tolist() == [0, 0]


def test_whole_months_convert_at_once_when_they_are_over() -> None:
    # two months are 60.875 days
    assert Lag(months=2).cdf([0, 60, 60.9, 400]).tolist() == [0, 0, 1, 1]


def test_weights_convert_over_their_months_and_not_on_their_first_day() -> None:
    """Half by the middle of the first month (15.21875 days), three quarters by the middle of the second, straight between."""
    found = Lag(weights=(0.5, 0.25, 0.25)).cdf([-1, 0, 15.21875, 30.4375, 45.65625, 76.09375, 400])
    assert found == pytest.approx([0, 0, 0.5, 0.625, 0.75, 1, 1])


@pytest.mark.parametrize(
    "path",
    [
        (Lag(median_days=4, p90_days=20),),
        (Lag(median_days=4, p90_days=20), Lag(median_days=60, p90_days=150)),
        (Lag(weights=(0.9, 0.1)), Lag(median_days=60, p90_days=150), Lag(months=1)),
        (Lag(weights=(0.2, 0.0, 0.8)),),
    ],
)
def test_no_record_converts_back(path: tuple[Lag, ...]) -> None:
    days = np.arange(0, 400.0)
    for done in (path[0].cdf(days), np.cumsum(path_day_chances(path))):
        assert np.diff(done).min() >= -1e-12
        assert 0 <= done[0] <= done[-1] <= 1 + 1e-12


def test_the_days_of_a_path_sum_to_one_and_have_the_mean_of_their_sum() -> None:
    first, second = Lag(median_days=12, p90_days=34), Lag(median_days=36, p90_days=80)
    mean = sum(
        exp(log(lag.median_days) + (log(lag.p90_days / lag.median_days) / Z90) ** 2 / 2) for lag in (first, second)
    )
    days = path_days((first, second))
    assert days.sum() == pytest.approx(1, abs=1e-12)
    assert days.min() >= 0
    assert days @ np.arange(len(days)) == pytest.approx(mean, abs=0.05)
    later = path_day_chances((first, second, Lag(months=2)))
    assert later @ np.arange(len(later)) == pytest.approx(mean + 2 * MONTH, abs=0.05)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize(("median", "p90"), SPREAD)
def test_a_quantile_is_the_distribution_s_own_to_a_day(median: float, p90: float, share: float) -> None:
    lag = Lag(median_days=median, p90_days=p90)
    assert path_quantile((lag,), share) == pytest.approx(days_of(lag).ppf(share), abs=0.51)  # type: ignore[attr-defined]


def test_the_quantile_of_whole_months_is_their_days() -> None:
    # two months are 60.875 days: on the 61st day, half of the records are through
    assert path_quantile((Lag(months=2),), 0.5) == 61
    # months 0 and 3 at .3 and .7: a fifth converts at once, a half only after 91.3 days
    assert path_quantile((Lag(weights=(0.3, 0.0, 0.0, 0.7)),), 0.2) == 0
    assert path_quantile((Lag(weights=(0.3, 0.0, 0.0, 0.7)),), 0.5) == pytest.approx(91.3125, abs=1)


# --- stretched -----------------------------------------------------------------------------------------------


def mean_months(lag: Lag) -> float:
    shares = lag.shares()
    return float(shares @ np.arange(len(shares)))


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.25, 1.9])
@pytest.mark.parametrize(
    "lag", [Lag(months=2), Lag(months=0), Lag(weights=(0.5, 0.3, 0.2)), Lag(weights=(0.0, 0.0, 1.0))]
)
def test_stretching_whole_months_stretches_the_mean(lag: Lag, factor: float) -> None:
    assert mean_months(lag.stretched(factor)) == pytest.approx(factor * mean_months(lag), abs=1e-12)


def test_two_months_stretched_by_a_quarter_are_two_or_three() -> None:
    assert Lag(months=2).stretched(1.25).shares().tolist() == [0, 0, 0.5, 0.5]


def test_a_log_normal_delay_stays_one_when_stretched() -> None:
    longer = Lag(median_days=60, p90_days=150).stretched(1.5)
    assert (longer.median_days, longer.p90_days) == (90, 225)


# --- what a lag may be ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({}, "give one of: months; median_days with p90_days; weights"),
        ({"months": 1, "weights": [1.0]}, "give one of"),
        ({"median_days": 5.0}, "give one of"),
        ({"months": 1, "p90_days": 5.0}, "give one of"),
        ({"median_days": 20.0, "p90_days": 20.0}, "p90_days is 20, not longer than median_days 20"),
        ({"weights": [0.5, 0.4]}, "weights sum to 0.9; they must be 0 or more and sum to 1"),
        ({"weights": [1.5, -0.5]}, "they must be 0 or more"),
        ({"weights": []}, "at least 1"),
        ({"months": 61}, "less than or equal to 60"),
        ({"months": -1}, "greater than or equal to 0"),
        ({"median_days": float("nan"), "p90_days": 3.0}, "finite"),
        ({"median_days": 0.0, "p90_days": 3.0}, "greater than or equal to 0.01"),
    ],
)
def test_a_lag_that_says_nothing_clear_is_refused(written: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Lag.model_validate(written)


def test_what_was_written_is_kept() -> None:
    lag = Lag(weights=(0.9, 0.1))
    assert lag.weights == (0.9, 0.1)
    assert lag == Lag(weights=(0.9, 0.1))
    assert hash(lag) == hash(Lag(weights=(0.9, 0.1)))
    assert not lag.is_fixed
    assert Lag(months=3).is_fixed


def test_delays_of_hours_keep_their_mean_when_composed() -> None:
    # five steps of a few hours: simulated, 94.3 % of the records arrive in the month of entry
    rng = np.random.default_rng(11)
    lag = Lag(median_days=0.3, p90_days=0.6)
    mean, spread = lag.log_normal or (0.0, 0.0)
    days = np.exp(mean + spread * rng.standard_normal((400_000, 5))).sum(axis=1)
    same = float((rng.random(400_000) + days / MONTH_DAYS < 1).mean())
    assert path_shares((lag,) * 5)[0] == pytest.approx(same, abs=2e-3)


def test_a_stretched_lag_stays_within_sixty_months() -> None:
    assert Lag(months=40).stretched(2.0).shares()[-1] == 1.0
    assert len(Lag(months=40).stretched(2.0).shares()) == MAX_MONTHS + 1
    assert Lag(median_days=1000, p90_days=1500).stretched(3.0).median_days == pytest.approx(MAX_MONTHS * MONTH_DAYS)
