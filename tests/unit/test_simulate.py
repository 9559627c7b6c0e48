"""The simulation: limits worked by hand, its parts against numerical integration, reproducibility."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad

from revplan.funnel.funnel import YEAR
from revplan.funnel.pipeline import OpenGroup
from revplan.funnel.year import PlannedYear, Snapshot, plan_year
from revplan.ground.errors import PlanError
from revplan.ground.lag import Lag
from revplan.plan.model import Plan
from revplan.simulation import simulate as module
from revplan.simulation.draws import BLOCK, DrawStore, UncertainRates, normal_quadrature
from revplan.simulation.outlook import LagScale, entries_landing, open_by_month, outlook
from revplan.simulation.simulate import run, simulate, sweep
from revplan.simulation.trials import LEVELS, Chances, drivers, outcome, trials_of

CERTAIN = {"rho": 0.0, "lag_cv": 0.0, "volume_cv": 0.0}


def plan(evidence: float | None = None, sd: float | None = 6_000.0, **changed: Any) -> Plan:
    """One cell, three stages, a goal of 100 wins of 10,000."""
    weight = {} if evidence is None else {"evidence": evidence}
    data: dict[str, Any] = {
        "year": {"first_month": "2027-01"},
        "plan_date": "2026-07-01",
        "goal": {"new_arr": 1e6, "next_year_growth": 0.0},
        "stages": [{"id": "lead"}, {"id": "sql"}, {"id": "won"}],
        "segments": {"all": {"acv": {"mean": 10_000.0, **({} if sd is None else {"sd": sd})}}},
        "sources": {"web": {"cost_per_entry": 85.0}},
        "transitions": [
            {"from": "lead", "to": "sql", "rate": 0.2, **weight, "lag": {"months": 1}},
            {"from": "sql", "to": "won", "rate": 0.25, **weight, "lag": {"median_days": 40, "p90_days": 90}},
        ],
        "uncertainty": CERTAIN,
    }
    return Plan.model_validate({**data, **changed})


def year(*args: Any, **changed: Any) -> PlannedYear:
    return plan_year(plan(*args, **changed), Snapshot())


# --- limits --------------------------------------------------------------------------------------------------


def test_nothing_uncertain_but_the_deals_is_a_compound_poisson_year() -> None:
    found = simulate(year()).outcome
    # 100 wins: variance 100 * (10,000^2 + 6,000^2), so a standard deviation of 10 * 11,662
    assert found.mean.value == pytest.approx(1e6, rel=1e-9)
    assert found.mean.standard_error == pytest.approx(0.0, abs=1e-3)
    assert found.sd.value == pytest.approx(10 * np.hypot(10_000, 6_000), rel=1e-6)
    rng = np.random.default_rng(4)
    sigma = np.sqrt(np.log1p(0.36))
    counts = rng.poisson(100, 200_000)
    deals = 10_000 * np.exp(sigma * rng.standard_normal(counts.sum()) - sigma**2 / 2)
    drawn = np.bincount(np.repeat(np.arange(len(counts)), counts), deals)
    for share, band in zip(LEVELS, found.bands, strict=True):
        assert band.value == pytest.approx(np.quantile(drawn, share), rel=2.5e-3)


def test_deals_of_one_size_leave_the_poisson_law_of_their_number() -> None:
    found = simulate(year(sd=None)).outcome
    poisson = stats.poisson(100)
    # between the steps of the count: P(N < 90) and P(N <= 90) enclose the smooth chance
    view = outlook(year(sd=None))
    below = trials_of(view, DrawStore(64, drivers(view), 1)).chances.below(90 * 10_000.0).mean()
    assert poisson.cdf(89) < below < poisson.cdf(90)
    assert found.sd.value == pytest.approx(1e5, rel=1e-6)


@pytest.mark.parametrize("wins", [100, 10_000, 36_000_000, 1e12])
def test_where_nothing_else_is_uncertain_a_confidence_costs_only_the_luck_of_the_deals(wins: float) -> None:
    found = simulate(year(sd=None, segments={"all": {"acv": 1e6 / wins}}, sources={"web": {}}), 512)
    # the waiting time for a count: N or more of a Poisson number whose mean is a gamma's quantile; 36 million give 1.00014
    asked = stats.gamma.ppf(0.8, wins + 0.5) / wins
    assert found.signed.scale.value - 1 == pytest.approx(asked - 1, rel=0.03, abs=1e-6)
    assert found.view.planned_arr == pytest.approx(found.view.goal, rel=1e-9)


def test_infinite_evidence_is_a_certain_rate() -> None:
    certain, infinite = simulate(year()).outcome, simulate(year(evidence=1e12)).outcome
    assert infinite.p10.value == pytest.approx(certain.p10.value, rel=1e-6)
    assert infinite.p90.value == pytest.approx(certain.p90.value, rel=1e-6)


def test_much_evidence_comes_close_to_a_certain_rate() -> None:
    certain, known = simulate(year()).outcome, simulate(year(evidence=1e6)).outcome
    assert known.p10.value == pytest.approx(certain.p10.value, rel=2e-4)


def test_one_uncertain_rate_is_the_beta_mixed_with_the_deals() -> None:
    data = plan(sd=0.0, transitions=[
        {"from": "lead", "to": "sql", "rate": 0.2},
        {"from": "sql", "to": "won", "rate": 0.25, "evidence": 40},
    ])  # fmt: skip
    found = simulate(plan_year(data, Snapshot())).outcome
    # law of total variance: E[N] + Var[100 r / 0.25], in deals of 10,000
    spread = 0.25 * 0.75 / 41 * (100 / 0.25) ** 2
    assert found.sd.value == pytest.approx(10_000 * np.sqrt(100 + spread), rel=1e-3)
    assert found.mean.value == pytest.approx(1e6, rel=1e-4)
    rng = np.random.default_rng(1)
    drawn = 10_000 * rng.poisson(100 * rng.beta(10, 30, 400_000) / 0.25)
    assert found.p10.value == pytest.approx(np.quantile(drawn, 0.1), abs=10_000)
    assert found.p90.value == pytest.approx(np.quantile(drawn, 0.9), abs=10_000)


def test_the_volume_of_a_source_strays_by_its_cv() -> None:
    found = simulate(year(uncertainty={**CERTAIN, "volume_cv": 0.3})).outcome
    own = 10 * np.hypot(10_000, 6_000)
    assert found.sd.value == pytest.approx(np.hypot(own, 0.3 * 1e6), rel=2e-3)
    assert found.mean.value == pytest.approx(1e6, rel=5e-4)


def test_cost_of_uncertainty_is_the_lags() -> None:
    assert simulate(year(evidence=30, uncertainty={**CERTAIN, "rho": 0.5})).cost_of_uncertainty == pytest.approx(
        0, abs=1e-6
    )
    late = simulate(year(uncertainty={**CERTAIN, "lag_cv": 0.4}))
    found = late.outcome.mean
    assert late.view.planned_arr - found.value == pytest.approx(
        late.cost_of_uncertainty, abs=6 * found.standard_error + 10
    )


def test_a_plan_that_asks_for_nothing_has_nothing_to_lose() -> None:
    found = simulate(year(goal={"new_arr": 0.0}))
    assert found.outcome.chance_of_goal.value == 1.0
    assert found.outcome.expected_shortfall.value == 0.0
    assert found.outcome.mean.value == pytest.approx(0.0)
    assert np.isfinite([band.value for band in found.outcome.bands]).all()


# --- rates ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("mean", "evidence"), [(0.02, 5), (0.1, 10), (0.5, 1), (0.25, 40), (0.9, 300), (0.003, 5000)])
def test_rates_have_the_mean_and_the_variance_of_their_beta(mean: float, evidence: float) -> None:
    rates = UncertainRates(np.array([mean]), np.array([float(evidence)]))
    normals = stats.norm.ppf((np.arange(100_000) + 0.5) / 100_000)
    drawn = rates.at(normals[None])[0]
    assert drawn.mean() == pytest.approx(mean, rel=2e-4)
    assert drawn.std() == pytest.approx(np.sqrt(mean * (1 - mean) / (evidence + 1)), rel=3e-3)
    exact = stats.beta(mean * evidence, (1 - mean) * evidence)
    inner = np.abs(normals) < 2
    assert np.abs(drawn - exact.ppf(stats.norm.cdf(normals)))[inner].max() < 0.02 * exact.std()


def test_excess_of_a_path_is_its_expected_product_by_brute_force() -> None:
    rates, rho = UncertainRates(np.array([0.2, 0.3, 0.5]), np.array([40.0, 25.0, 1e9])), 0.3
    rng = np.random.default_rng(2)
    market = rng.standard_normal(400_000)
    own = np.sqrt(rho) * market + np.sqrt(1 - rho) * rng.standard_normal((3, 400_000))
    product = rates.at(own).prod(axis=0)
    error = product.std() / np.sqrt(len(market)) / (0.2 * 0.3 * 0.5)
    assert rates.excess(np.array([[0, 1, 2]]), rho)[0] == pytest.approx(product.mean() / 0.03, abs=4 * error)
    assert rates.excess(np.array([[0, 3, 3], [3, 3, 3]]), rho) == pytest.approx([1.0, 1.0], rel=1e-9)


def test_chance_that_all_hold() -> None:
    one = UncertainRates(np.array([0.3]), np.array([20.0]))
    assert one.chance_all_hold(0.7)[1] == pytest.approx(stats.beta(6, 14).sf(0.3), rel=1e-6)
    three = UncertainRates(np.array([0.3, 0.3, 0.9]), np.array([20.0, 20.0, np.inf]))
    assert three.chance_all_hold(0.0) == (2, pytest.approx(stats.beta(6, 14).sf(0.3) ** 2, rel=1e-6))
    assert three.chance_all_hold(0.6)[1] > three.chance_all_hold(0.0)[1]


# --- the law of the deals ------------------------------------------------------------------------------------


def test_odds_keep_the_moments_and_invert() -> None:
    chances = Chances.of_cumulants(np.array([[200.0, 30.0], [400.0, 9.0], [4000.0, -8.0]]))
    points, weights = normal_quadrature(40)
    drawn = np.array([chances.quantile(np.full(2, point)) for point in points])
    mean = weights @ drawn
    assert mean == pytest.approx([200.0, 30.0], rel=1e-6)
    assert weights @ (drawn - mean) ** 2 == pytest.approx([400.0, 9.0], rel=2e-3)
    assert weights @ (drawn - mean) ** 3 == pytest.approx([4000.0, -8.0], rel=2e-2)
    assert chances.below(float(chances.quantile(np.full(2, 0.7))[0]))[0] == pytest.approx(stats.norm.cdf(0.7), rel=1e-9)


@pytest.mark.parametrize("x", [40.0, 90.0, 100.0, 140.0])
def test_shortfall_is_the_integral_of_the_chances_below(x: float) -> None:
    chances = Chances.of_cumulants(np.array([[100.0], [400.0], [5000.0]]))
    assert chances.shortfall(x)[0] == pytest.approx(quad(lambda y: chances.below(y)[0], -200, x)[0], rel=1e-6, abs=1e-9)


# --- lags ----------------------------------------------------------------------------------------------------


def test_what_lands_at_other_lags_agrees_with_single_leads() -> None:
    lags = (Lag(median_days=20, p90_days=60), Lag(months=1), Lag(weights=(0.5, 0.5)))
    entries = np.array([100.0, 300.0, 200.0, 0.0, 400.0, 100.0])
    scale = LagScale(0.4)
    landing = entries_landing(lags, entries, 0.5, (2, 8), scale)
    rng, count = np.random.default_rng(8), 400_000
    month = rng.choice(6, count, p=entries / entries.sum())
    at = month + np.where(month == 0, 0.5 + 0.5 * rng.random(count), rng.random(count))
    spread = 20 * np.exp(np.log(3) / stats.norm.ppf(0.9) * rng.standard_normal(count)) / 30.4375
    delay = spread + 1 + (rng.random(count) < 0.5)
    for place in (0, 60, 132, 200, -1):
        arrives = at + delay * scale.factors[place]
        share = ((arrives >= 2) & (arrives < 8)).mean()
        error = np.sqrt(share * (1 - share) / count) + 2e-4
        assert landing[place] / entries.sum() == pytest.approx(share, abs=4 * error)


def test_open_records_come_later_where_lags_stretch() -> None:
    lag, first = Lag(median_days=60, p90_days=150), plan(transitions=[
        {"from": "lead", "to": "sql", "rate": 0.2}, {"from": "sql", "to": "won", "rate": 0.25,
         "lag": {"median_days": 60, "p90_days": 150}}])  # fmt: skip
    group = OpenGroup(stage=1, ages=np.zeros(1), items=np.array([40.0]), values=np.array([4e5]), lost=np.zeros(1))
    made = plan_year(first, Snapshot(open_groups={("all", "web"): (group,)}))
    found = made.open_yields[0][0][1]
    scale = LagScale(0.2)
    (months,) = open_by_month(made, scale.factors)
    landing = months.sum(axis=1)
    assert landing[-1] == pytest.approx(found.wins[:YEAR].sum(), rel=1e-9)
    days = np.array([(made.plan.first_month.start_time.date() - made.plan.plan_date).days, 549])
    for place in (80, 132, 180):
        wanted = 10 * np.diff(lag.cdf(days / scale.factors[place]))[0]
        assert landing[place] == pytest.approx(wanted, rel=0.03)


# --- the bank ------------------------------------------------------------------------------------------------


def test_same_seed_same_bits_other_seed_others() -> None:
    made = year(evidence=30, uncertainty={"rho": 0.3})
    first, second = simulate(made, 3000, 7), simulate(made, 3000, 7)
    assert first.outcome == second.outcome
    assert first.curve == second.curve
    assert first.tornado == second.tornado
    assert (first.fan.entries == second.fan.entries).all()
    assert simulate(made, 3000, 8).outcome.p10 != first.outcome.p10


def test_trials_do_not_depend_on_how_many_are_made_at_once() -> None:
    view = outlook(year(evidence=30, uncertainty={"rho": 0.3}))
    store = DrawStore(10_000, drivers(view), 1)
    whole = trials_of(view, store)
    parts = [trials_of(view, store, range(start, min(start + 3, store.blocks))) for start in range(0, store.blocks, 3)]
    assert (whole.arr == np.concatenate([part.arr for part in parts])).all()
    assert len(whole.arr) == 10_000


def test_outcomes_do_not_depend_on_the_number_of_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    made, found = year(evidence=30, uncertainty={"rho": 0.3}), []
    monkeypatch.setattr(module, "ROUND", 2 * BLOCK)
    for cores in (1, 2, 5):
        monkeypatch.setattr("os.cpu_count", lambda cores=cores: cores)
        result = simulate(made, 20_000)
        found.append((result.outcome, result.curve))
    assert found[0] == found[1] == found[2]
    views = [outlook(made)] * 5
    assert len(set(map(str, sweep(views, 2000)))) == 1


def test_many_rounds_agree_with_one(monkeypatch: pytest.MonkeyPatch) -> None:
    made = year(evidence=30, uncertainty={"rho": 0.3})
    one, told = simulate(made, 16_384).outcome, []
    monkeypatch.setattr(module, "ROUND", 4 * BLOCK)
    four = simulate(made, 16_384, progress=lambda *said: told.append(said)).outcome
    assert told == [(done, 4, "simulation") for done in range(1, 5)]
    assert four.mean.value == pytest.approx(one.mean.value, rel=1e-12)
    assert four.p10.value == pytest.approx(one.p10.value, rel=2e-4)
    assert four.p10.standard_error == pytest.approx(one.p10.standard_error, rel=0.7)


def test_normals_are_normal_and_independent() -> None:
    normals = np.concatenate([DrawStore(8192, 9, 3).block(number) for number in range(8)], axis=1)
    assert np.abs(normals.mean(axis=1)).max() < 2e-3
    assert np.abs(normals.var(axis=1) - 1).max() < 5e-3
    assert np.abs(np.corrcoef(normals) - np.eye(9)).max() < 0.02


def test_standard_errors_are_of_the_size_of_the_scatter_between_seeds() -> None:
    view = outlook(year(evidence=30, uncertainty={"rho": 0.3, "lag_cv": 0.15}))
    found = [run(view, DrawStore(2048, drivers(view), seed), (0.8,)) for seed in range(24)]
    for get in (
        lambda each: each[0].mean,
        lambda each: each[0].p10,
        lambda each: each[0].p90,
        lambda each: each[0].chance_of_goal,
        lambda each: each[0].expected_shortfall,
        lambda each: each[0].cvar_10,
        lambda each: each[1][0].scale,
    ):
        scatter = np.std([get(each).value for each in found], ddof=1)
        assert 0.3 * scatter < np.mean([get(each).standard_error for each in found]) < 12 * scatter


@pytest.mark.parametrize("trials", [0, 1, -5, 10**12, 2.5, True])
def test_trials_outside_the_limits_are_refused(trials: Any) -> None:
    with pytest.raises(PlanError, match=r"trials: got .*; it must be a whole number from 2 to 100,000,000"):
        DrawStore(trials, 3, 1)


def test_all_faults_of_trials_and_seed_come_at_once() -> None:
    with pytest.raises(PlanError) as caught:
        simulate(year(), 0, -1)
    assert [fault.place for fault in caught.value.faults] == ["trials", "seed"]


@pytest.mark.parametrize("trials", [2, 3, 9, 100, 1000, 1025])
def test_any_number_of_trials_gives_finite_rising_bands(trials: int) -> None:
    found = simulate(year(evidence=20, uncertainty={"rho": 0.3}), trials).outcome
    bands = [band.value for band in found.bands]
    assert np.isfinite(bands).all()
    assert bands == sorted(bands)
    assert found.cvar_10.value <= found.p10.value


def test_shortfall_and_tail_agree_with_the_draws() -> None:
    view = outlook(year(evidence=30, uncertainty={"rho": 0.3}))
    trials = trials_of(view, DrawStore(32_768, drivers(view), 1))
    found, arr = outcome(trials, view.goal), np.sort(trials.arr)
    assert found.expected_shortfall.value == pytest.approx(np.maximum(view.goal - arr, 0).mean(), rel=0.01)
    assert found.cvar_10.value == pytest.approx(arr[: len(arr) // 10].mean(), rel=0.01)
    assert found.chance_of_goal.value == pytest.approx((arr >= view.goal).mean(), abs=0.006)
    assert found.sd.value == pytest.approx(arr.std(), rel=0.01)


def test_a_known_number_of_records_is_binomial() -> None:
    view = outlook(year(sd=0.0))
    certain = replace(view, chance=np.array([0.25]))
    assert view.value_cumulants[:, 0] == pytest.approx([1e4, 1e8, 1e12])
    p, n = 0.25, 1e4
    wanted = [n, (1 - p) * n**2, (1 - p) * (1 - 2 * p) * n**3]  # cumulants of one record over its chance
    assert certain.value_cumulants[:, 0] == pytest.approx(wanted)


def test_the_factor_of_the_lags_has_mean_one_and_the_stated_cv() -> None:
    points, weights = normal_quadrature(40)
    factors = LagScale(0.3).at(points)
    mean = weights @ factors
    assert mean == pytest.approx(1.0, rel=1e-9)
    assert np.sqrt(weights @ (factors - mean) ** 2) == pytest.approx(0.3, rel=1e-9)


def test_no_block_repeats_another() -> None:
    store = DrawStore(40_000, 5, 1)
    first = [store.block(number)[0, 0] for number in range(store.blocks)]
    assert len(set(first)) == store.blocks == 40
