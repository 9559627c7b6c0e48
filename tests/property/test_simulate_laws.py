"""Laws of the simulation, on random plans; the exact law of the reference job; and single leads followed."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revplan.funnel.year import PlannedYear, Snapshot, plan_year
from revplan.plan.model import Plan
from revplan.simulation.curve import chance_of_goal
from revplan.simulation.draws import DrawStore
from revplan.simulation.simulate import run, simulate
from revplan.simulation.trials import drivers, trials_of

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import reference_job as reference

LAWS = settings(
    deadline=None, derandomize=True, max_examples=12, suppress_health_check=[HealthCheck.too_slow], database=None
)
TRIALS = 1024

LAGS = st.sampled_from([{"months": 1}, {"months": 0}, {"median_days": 30, "p90_days": 80}, {"weights": [0.5, 0.5]}])


@st.composite
def plans(draw: Any, **uncertainty: float) -> dict[str, Any]:
    """A plan of 2 to 4 stages, one or two segments and sources, uncertain rates, deals of all sizes."""
    stages = [f"s{index}" for index in range(draw(st.integers(2, 4)))]
    sources = {"web": {"share": 0.6}, "partner": {"share": 0.4, "enters": draw(st.sampled_from(stages[:-1]))}}
    pairs = list(pairwise(stages))
    transitions = [
        {
            "from": start,
            "to": end,
            **place,
            "rate": draw(st.floats(0.1, 0.9)),
            "evidence": draw(st.sampled_from([10, 40, 200])),
            "lag": draw(LAGS),
        }
        for start, end in pairs
        for place in [{}, *draw(st.sampled_from([[], [{"segment": "mid"}], [{"source": "partner"}]]))]
    ]
    return {
        "year": {"first_month": "2027-01"},
        "plan_date": draw(st.sampled_from(["2026-09-10", "2026-11-15", "2027-03-01"])),
        "goal": {"new_arr": draw(st.sampled_from([8e5, 3e6, 2e7])), "next_year_growth": 0.1},
        "stages": [{"id": stage} for stage in stages],
        "segments": {
            "smb": {"share": 0.5, "acv": {"mean": 9_000.0, "sd": 4_000.0}},
            "mid": {"share": 0.5, "acv": {"mean": 30_000.0, "sd": draw(st.sampled_from([0.0, 20_000.0]))}},
        },
        "sources": sources,
        "transitions": transitions,
        "uncertainty": {"rho": 0.3, "lag_cv": 0.15, "volume_cv": 0.05, **uncertainty},
    }


def year(data: dict[str, Any], **uncertainty: float) -> PlannedYear:
    changed = {**data, "uncertainty": {**data["uncertainty"], **uncertainty}}
    return plan_year(Plan.model_validate(changed), Snapshot())


def width(found: Any) -> float:
    return found.outcome.p90.value - found.outcome.p10.value


def error(found: Any) -> float:
    """Six standard errors of the mean."""
    return 6 * found.outcome.mean.standard_error + 1e-6 * found.view.planned_arr


# --- laws ----------------------------------------------------------------------------------------------------


@LAWS
@given(plans(rho=0.0, lag_cv=0.0))
def test_luck_is_fair(data: dict[str, Any]) -> None:
    found = simulate(year(data), TRIALS)
    assert found.cost_of_uncertainty == pytest.approx(0.0, abs=1e-9 * found.view.planned_arr)
    assert found.outcome.mean.value == pytest.approx(found.view.planned_arr, abs=error(found))


@LAWS
@given(plans())
def test_what_the_mean_loses_is_the_stated_cost(data: dict[str, Any]) -> None:
    found = simulate(year(data), TRIALS)
    lost = found.view.planned_arr - found.outcome.mean.value
    assert lost == pytest.approx(found.cost_of_uncertainty, abs=error(found))


@LAWS
@given(plans())
def test_less_evidence_a_wider_year(data: dict[str, Any]) -> None:
    thin = {**data, "transitions": [{**each, "evidence": each["evidence"] / 4} for each in data["transitions"]]}
    thinner, known = simulate(year(thin), TRIALS), simulate(year(data), TRIALS)
    assert thinner.outcome.sd.value > known.outcome.sd.value
    if min(each["evidence"] for each in thin["transitions"]) >= 10:  # fewer leave a long thin tail instead
        assert width(thinner) > width(known)


@LAWS
@given(plans())
def test_more_rho_a_wider_year(data: dict[str, Any]) -> None:
    found = [simulate(year(data, rho=rho), TRIALS) for rho in (0.0, 0.3, 0.7)]
    spreads = [each.outcome.sd.value for each in found]
    assert spreads[0] < 1.01 * spreads[1] < 1.02 * spreads[2]
    if min(each["evidence"] for each in data["transitions"]) >= 40:  # a few records leave a long thin tail instead
        assert width(found[0]) < 1.01 * width(found[1]) < 1.02 * width(found[2])


@LAWS
@given(plans())
def test_confidence_rises_with_the_commit(data: dict[str, Any]) -> None:
    found = simulate(year(data), TRIALS)
    trials = trials_of(found.view, DrawStore(TRIALS, drivers(found.view), 1))
    chances = [float(chance_of_goal(trials, found.view.goal, scale).mean()) for scale in np.linspace(0, 3, 31)]
    assert (np.diff(chances) >= -1e-9).all()
    scales = [each.scale.value for each in found.curve]
    assert scales == sorted(scales)


@LAWS
@given(plans())
def test_the_commit_at_a_confidence_gives_it(data: dict[str, Any]) -> None:
    found = simulate(year(data), TRIALS)
    trials = trials_of(found.view, DrawStore(TRIALS, drivers(found.view), 1))
    for point in (*found.curve, found.signed):
        if 0 < point.scale.value < np.inf:
            chance = float(chance_of_goal(trials, found.view.goal, point.scale.value).mean())
            assert chance == pytest.approx(point.confidence, abs=2e-3)


@LAWS
@given(plans())
def test_the_commit_at_a_confidence_gives_it_with_other_draws_too(data: dict[str, Any]) -> None:
    found = simulate(year(data), 4 * TRIALS)
    fresh = trials_of(found.view, DrawStore(4 * TRIALS, drivers(found.view), 2))
    for point in (found.signed, found.stretch):
        if 0 < point.scale.value < np.inf:
            chances = chance_of_goal(fresh, found.view.goal, point.scale.value)
            error = fresh.standard_error(chances)
            assert float(chances.mean()) == pytest.approx(point.confidence, abs=6 * error + 2e-3)


@LAWS
@given(plans(rho=0.0, lag_cv=0.0, volume_cv=0.0))
def test_without_uncertainty_and_with_small_deals_the_year_is_the_plan(data: dict[str, Any]) -> None:
    certain = {**data, "transitions": [{**each, "evidence": None} for each in data["transitions"]]}
    small = {name: {**each, "acv": {"mean": 0.1, "sd": 0.0}} for name, each in data["segments"].items()}
    found = simulate(year({**certain, "segments": small}), 64)
    planned = found.view.planned_arr
    # millions of deals of ten cents: the law of large numbers leaves nothing to chance
    assert found.outcome.p10.value == pytest.approx(planned, rel=2e-3)
    assert found.outcome.p90.value == pytest.approx(planned, rel=2e-3)
    assert found.outcome.mean.value == pytest.approx(planned, rel=1e-9)


@LAWS
@given(plans(rho=0.0, lag_cv=0.0, volume_cv=0.0))
def test_without_uncertainty_the_scatter_is_that_of_the_deals(data: dict[str, Any]) -> None:
    certain = {**data, "transitions": [{**each, "evidence": None} for each in data["transitions"]]}
    view = simulate(year(certain), 64).view
    spread = np.sqrt(view.planned_wins @ (view.value**2 + view.spread**2))
    assert simulate(year(certain), 64).outcome.sd.value == pytest.approx(spread, rel=1e-6)


@LAWS
@given(plans())
def test_endless_evidence_is_certainty(data: dict[str, Any]) -> None:
    endless = {**data, "transitions": [{**each, "evidence": 1e9} for each in data["transitions"]]}
    certain = {**data, "transitions": [{**each, "evidence": None} for each in data["transitions"]]}
    found, known = simulate(year(endless), TRIALS), simulate(year(certain), TRIALS)
    assert found.outcome.p10.value == pytest.approx(known.outcome.p10.value, rel=2e-3)
    assert found.outcome.p90.value == pytest.approx(known.outcome.p90.value, rel=2e-3)


@LAWS
@given(plans(), st.floats(0.5, 0.99))
def test_a_slider_moved_and_moved_back_gives_the_same_picture(data: dict[str, Any], factor: float) -> None:
    moved = {**data, "transitions": [{**each, "rate": each["rate"] * factor} for each in data["transitions"]]}
    before, between, after = (simulate(year(each), 500) for each in (data, moved, data))
    # As text: where no volume gives a confidence, its standard error is not a number, which equals nothing.
    assert repr((before.outcome, before.curve, before.tornado)) == repr((after.outcome, after.curve, after.tornado))
    assert np.array_equal(before.fan.arr, after.fan.arr)
    assert all(np.array_equal(*pair) for pair in zip(before.fan.entries, after.fan.entries, strict=True))
    assert between.view.rates.mean.tolist() != before.view.rates.mean.tolist()


@LAWS
@given(plans(rho=0.0, lag_cv=0.0))
def test_more_stray_volumes_a_wider_year(data: dict[str, Any]) -> None:
    spreads = [simulate(year(data, volume_cv=cv), TRIALS).outcome.sd.value for cv in (0.0, 0.2, 0.6)]
    assert spreads[0] < 1.01 * spreads[1] < 1.02 * spreads[2]


@LAWS
@given(plans(), st.integers(0, 2**40))
def test_same_seed_same_bits(data: dict[str, Any], seed: int) -> None:
    first, second = (simulate(year(data), 500, seed) for _ in range(2))
    assert repr((first.outcome, first.curve)) == repr((second.outcome, second.curve))


@LAWS
@given(plans())
def test_a_currency_is_only_a_unit(data: dict[str, Any]) -> None:
    yen = {
        **data,
        "goal": {**data["goal"], "new_arr": 128 * data["goal"]["new_arr"]},
        "segments": {
            name: {**each, "acv": {key: 128 * value for key, value in each["acv"].items()}}
            for name, each in data["segments"].items()
        },
    }
    here, there = simulate(year(data), 500), simulate(year(yen), 500)
    assert there.outcome.p10.value == pytest.approx(128 * here.outcome.p10.value, rel=1e-6)
    assert there.signed.scale.value == pytest.approx(here.signed.scale.value, rel=1e-4)
    assert there.outcome.chance_of_goal.value == pytest.approx(here.outcome.chance_of_goal.value, abs=1e-6)


# --- the exact law -------------------------------------------------------------------------------------------

RJ2_EXACT = (15_661_483.58, 23_878_001.66, 35_193_017.30)  # benchmarks/simulate.py: a minute of quadrature


def percent_off(job: Any, exact: Any, seed: int) -> np.ndarray:
    view = job.outlook()
    found, _ = run(view, DrawStore(8192, drivers(view), seed), (0.8,))
    return 100 * np.abs(np.array([found.p10.value, found.p50.value, found.p90.value]) / np.asarray(exact) - 1)


def test_rj1_agrees_with_its_characteristic_function() -> None:
    job = reference.Job()
    exact = reference.exact_quantiles(job, (0.1, 0.5, 0.9))
    for seed in (1, 2, 3):
        assert percent_off(job, exact, seed).max() < 0.1


def test_rj2_agrees_with_its_exact_law() -> None:
    for seed in (1, 2, 3):
        assert percent_off(reference.Job(0.3, 0.15), RJ2_EXACT, seed).max() < 0.3


def test_rj1_agrees_with_every_lead_followed() -> None:
    job = reference.Job()
    drawn = np.concatenate([reference.exact_paths(job, 1000, seed) for seed in (1, 2)])
    view = job.outlook()
    found, _ = run(view, DrawStore(8192, drivers(view), 1), (0.8,))
    assert found.mean.value == pytest.approx(drawn.mean(), abs=4 * drawn.std() / np.sqrt(len(drawn)))
    for share, band in ((0.1, found.p10), (0.5, found.p50), (0.9, found.p90)):
        # the chance below our band is binomial in the draws
        assert (drawn < band.value).mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / len(drawn)))


# --- single leads in continuous time ---------------------------------------------------------------------------

STEPS = (("lead", "sql", 0.4, 60, 20.0, 60.0), ("sql", "won", 0.3, 30, 45.0, 110.0))
Z90 = 1.2815515655446004


def followed(made: PlannedYear, trials: int, rho: float, lag_cv: float, seed: int) -> np.ndarray:
    """The year's ARR with every lead entering, converting and waiting by itself; market and lags are shared."""
    from scipy.special import betaincinv, ndtr

    rng = np.random.default_rng(seed)
    (cell,), (flow,) = made.cells, made.flows
    market, own = rng.standard_normal(trials), rng.standard_normal((2, trials))
    normal = np.sqrt(rho) * market + np.sqrt(1 - rho) * own
    rates = np.stack(
        [betaincinv(r * n, (1 - r) * n, ndtr(z)) for (_, _, r, n, _, _), z in zip(STEPS, normal, strict=True)]
    )
    sigma = np.sqrt(np.log1p(lag_cv**2))
    stretch = np.exp(sigma * rng.standard_normal(trials) - sigma**2 / 2)
    # the path keeps its expected rate: the mean of the product over the product of the means is taken out
    grid = np.random.default_rng(0).standard_normal((3, 400_000))
    both = [
        betaincinv(r * n, (1 - r) * n, ndtr(np.sqrt(rho) * grid[0] + np.sqrt(1 - rho) * grid[k + 1]))
        for k, (_, _, r, n, _, _) in enumerate(STEPS)
    ]
    excess = float((both[0] * both[1]).mean() / 0.12)
    counts = rng.poisson(flow[0] / excess, (trials, len(flow[0])))
    trial = np.repeat(np.arange(trials), counts.sum(axis=1))
    month = np.repeat(np.tile(np.arange(len(flow[0])), trials), counts.ravel())
    at = month + np.where(month == 0, made.start + (1 - made.start) * rng.random(len(month)), rng.random(len(month)))
    for (_, _, _, _, median, p90), rate in zip(STEPS, rates, strict=True):
        passed = rng.random(len(at)) < rate[trial]
        at, trial = at[passed], trial[passed]
        days = median * np.exp(np.log(p90 / median) / Z90 * rng.standard_normal(len(at)))
        at = at + days * stretch[trial] / 30.4375
    inside = (at >= -made.first) & (at < 12 - made.first)
    spread = np.sqrt(np.log1p(0.25))
    deals = cell.acv * np.exp(spread * rng.standard_normal(int(inside.sum())) - spread**2 / 2)
    return np.bincount(trial[inside], deals, trials)


@pytest.mark.parametrize(("rho", "lag_cv"), [(0.0, 0.0), (0.4, 0.3)])
def test_single_leads_agree(rho: float, lag_cv: float) -> None:
    data = {
        "year": {"first_month": "2027-01"},
        "plan_date": "2026-10-10",
        "goal": {"new_arr": 6e5, "next_year_growth": 0},
        "stages": [{"id": "lead"}, {"id": "sql"}, {"id": "won"}],
        "segments": {"all": {"acv": {"mean": 10_000.0, "sd": 5_000.0}}},
        "sources": {"web": {}},
        "transitions": [
            {"from": a, "to": b, "rate": r, "evidence": n, "lag": {"median_days": median, "p90_days": p90}}
            for a, b, r, n, median, p90 in STEPS
        ],
        "uncertainty": {"rho": rho, "lag_cv": lag_cv, "volume_cv": 0.0},
    }
    made = plan_year(Plan.model_validate(data), Snapshot())
    drawn, found = followed(made, 4000, rho, lag_cv, seed=11), simulate(made).outcome
    assert found.mean.value == pytest.approx(drawn.mean(), abs=4 * drawn.std() / np.sqrt(len(drawn)))
    assert found.sd.value == pytest.approx(drawn.std(), rel=0.06)
    for share, band in ((0.1, found.p10), (0.5, found.p50), (0.9, found.p90)):
        assert (drawn < band.value).mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / len(drawn)))
