"""The ARR bridge: closing = opening + new + expansion - contraction - churn, each term solved in turn."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from revplan.plan.goal import (
    ArrChange,
    Bridge,
    BridgeError,
    Goal,
    next_year_growth,
    next_year_new_arr,
    solve_bridge,
    yearly_rate,
)

# 8,000,000 + 3,500,000 + 960,000 - 160,000 - 640,000 = 11,660,000
WHOLE: dict[str, Any] = {
    "opening_arr": 8_000_000.0,
    "new_arr": 3_500_000.0,
    "expansion": 960_000.0,
    "contraction": 160_000.0,
    "churn": 640_000.0,
    "closing_arr": 11_660_000.0,
}


def bridge(**terms: Any) -> Bridge:
    return solve_bridge(Goal.model_validate(terms))


def left_out(term: str) -> dict[str, Any]:
    return {name: value for name, value in WHOLE.items() if name != term}


@pytest.mark.parametrize("term", ["opening_arr", "new_arr", "closing_arr"])
def test_a_level_left_out_is_solved(term: str) -> None:
    found = bridge(**left_out(term))
    assert {name: getattr(found, name) for name in WHOLE} == pytest.approx(WHOLE)


@pytest.mark.parametrize("term", list(WHOLE))
def test_any_term_may_be_left_to_be_solved(term: str) -> None:
    found = bridge(**(WHOLE | {term: "solve"}))
    assert {name: getattr(found, name) for name in WHOLE} == pytest.approx(WHOLE)


def test_expansion_contraction_and_churn_default_to_nothing() -> None:
    found = bridge(opening_arr=8_000_000.0, closing_arr=13_000_000.0)
    assert found.new_arr == 5_000_000
    assert (found.expansion, found.contraction, found.churn) == (0, 0, 0)


def test_rates_are_shares_of_opening_arr() -> None:
    # 13,000,000 = 8,000,000 + new + .12 x 8,000,000 - .08 x 8,000,000: new = 4,680,000
    found = bridge(opening_arr=8e6, closing_arr=13e6, churn={"rate": 0.08}, expansion={"rate": 0.12})
    assert found.new_arr == pytest.approx(4_680_000)
    assert found.churn == pytest.approx(640_000)
    assert found.expansion == pytest.approx(960_000)


def test_opening_is_solved_when_churn_is_a_rate_of_it() -> None:
    # 10,000,000 = opening (1 - .10 + .04) + 600,000: opening = 9,400,000 / .94 = 10,000,000
    found = bridge(closing_arr=10e6, new_arr=0.6e6, churn={"rate": 0.10}, expansion={"rate": 0.04})
    assert found.opening_arr == pytest.approx(10_000_000)
    assert found.churn == pytest.approx(1_000_000)
    assert found.expansion == pytest.approx(400_000)
    # with an amount beside the rate: 5,000,000 = .9 opening - 40,000 + 1,440,000: opening = 4,000,000
    found = bridge(closing_arr=5e6, new_arr=1.44e6, churn={"rate": 0.10}, contraction={"amount": 40_000.0})
    assert found.opening_arr == pytest.approx(4_000_000)


def test_an_opening_that_is_lost_whole_cannot_be_solved() -> None:
    with pytest.raises(BridgeError, match="lose all of it"):
        bridge(closing_arr=10e6, new_arr=0.6e6, churn={"rate": 0.7}, contraction={"rate": 0.3})


@pytest.mark.parametrize("miss", [0.004, -0.004])
def test_all_terms_may_be_given_if_they_agree_to_half_a_cent(miss: float) -> None:
    found = bridge(**(WHOLE | {"closing_arr": 11_660_000.0 + miss}))
    assert found.closing_arr == 11_660_000 + miss


@pytest.mark.parametrize("miss", [0.006, -0.006, 1000.0])
def test_terms_that_contradict_each_other_show_the_sum(miss: float) -> None:
    with pytest.raises(BridgeError) as error:
        bridge(**(WHOLE | {"closing_arr": 11_660_000.0 + miss}))
    said = str(error.value)
    assert error.value.fault.place == "goal.closing_arr"
    assert "8,000,000.00" in said
    assert "+ new_arr 3,500,000.00" in said
    assert "- churn 640,000.00" in said
    assert "= 11,660,000.00" in said
    assert f"closing_arr says {11_660_000 + miss:,.2f}" in said
    assert f"{miss:+,.2f}" in said
    assert "leave one of them out" in said


def test_in_millions_half_a_cent_would_be_five_thousand() -> None:
    in_millions = {name: value / 1e6 if isinstance(value, float) else value for name, value in WHOLE.items()}
    in_millions |= {name: {key: (amount / 1e6 if key == "amount" else amount) for key, amount in value.items()}
                    for name, value in WHOLE.items() if isinstance(value, dict)}  # fmt: skip
    assert bridge(**in_millions | {"closing_arr": 11.660_000_4}).closing_arr == 11.660_000_4
    with pytest.raises(BridgeError, match=r"= 11\.660000, but closing_arr says 11\.664000 \(\+0\.004000\)"):
        bridge(**in_millions | {"closing_arr": 11.664})


@pytest.mark.parametrize(
    ("terms", "named"),
    [
        ({}, "opening_arr and new_arr and closing_arr"),
        ({"opening_arr": 8e6}, "new_arr and closing_arr"),
        ({"closing_arr": 8e6}, "opening_arr and new_arr"),
        ({"opening_arr": 8e6, "closing_arr": 9e6, "churn": "solve"}, "new_arr and churn"),
        ({"opening_arr": "solve", "closing_arr": "solve", "new_arr": 1e6}, "opening_arr and closing_arr"),
    ],
)
def test_two_missing_terms_are_named(terms: dict[str, Any], named: str) -> None:
    with pytest.raises(BridgeError, match=named) as error:
        bridge(**terms)
    assert "give two of opening_arr, new_arr and closing_arr" in str(error.value)


@pytest.mark.parametrize(
    ("terms", "said"),
    [
        ({"opening_arr": 8e6, "closing_arr": 7e6}, "new_arr solves to -1,000,000.00"),
        ({"opening_arr": 8e6, "new_arr": 1e6, "closing_arr": 9.5e6, "churn": "solve"}, "churn solves to -500,000.00"),
        ({"opening_arr": 1e6, "new_arr": 1e6, "churn": {"amount": 3e6}}, "closing_arr solves to -1,000,000.00"),
    ],
)
def test_a_term_cannot_be_negative(terms: dict[str, Any], said: str) -> None:
    with pytest.raises(BridgeError) as error:
        bridge(**terms)
    assert said in str(error.value)
    assert "cannot be" in str(error.value)


def test_a_rounding_error_below_nothing_is_nothing() -> None:
    assert bridge(opening_arr=1e6, closing_arr=1e6 - 0.003).new_arr == 0


# --- rates of a shorter period -------------------------------------------------------------------------------


def test_a_monthly_loss_compounds() -> None:
    # 2.5 % a month is not 30 % a year: 1 - .975 ** 12 = .2620
    assert yearly_rate(ArrChange(monthly_rate=0.025), grows=False) == pytest.approx(0.26200, abs=5e-6)
    # 2 % a quarter: 1 - .98 ** 4 = .0776
    assert yearly_rate(ArrChange(quarterly_rate=0.02), grows=False) == pytest.approx(0.07763, abs=5e-6)
    assert yearly_rate(ArrChange(rate=0.08), grows=False) == pytest.approx(0.08)


def test_monthly_growth_compounds_upwards() -> None:
    # 1 % a month: 1.01 ** 12 - 1 = .1268
    assert yearly_rate(ArrChange(monthly_rate=0.01), grows=True) == pytest.approx(0.12683, abs=5e-6)
    assert yearly_rate(ArrChange(quarterly_rate=0.03), grows=True) == pytest.approx(0.12551, abs=5e-6)


def test_the_bridge_takes_compounded_rates() -> None:
    found = bridge(opening_arr=1e6, new_arr=1e6, churn={"monthly_rate": 0.025}, expansion={"monthly_rate": 0.01})
    assert found.churn == pytest.approx(262_000, rel=1e-4)
    assert found.expansion == pytest.approx(126_825, rel=1e-5)


@pytest.mark.parametrize("change", [{}, {"rate": 0.1, "amount": 5.0}, {"rate": 0.1, "monthly_rate": 0.01}])
def test_a_change_has_one_form(change: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="give one of: amount, rate"):
        ArrChange.model_validate(change)


def test_an_amount_may_be_written_as_a_number() -> None:
    assert Goal.model_validate({"new_arr": 1.0, "churn": 640_000}).churn == ArrChange(amount=640_000.0)


# --- new ARR alone, and the ratios ---------------------------------------------------------------------------


def test_new_arr_alone_is_a_goal() -> None:
    found = bridge(new_arr=1_000_000.0)
    assert found.new_arr == 1_000_000
    assert (found.opening_arr, found.closing_arr) == (None, None)
    assert (found.expansion, found.contraction, found.churn) == (0, 0, 0)
    assert (found.grr, found.grr_churn_only, found.nrr) == (None, None, None)


def test_a_rate_of_an_unknown_opening_stays_unknown() -> None:
    found = bridge(new_arr=1_000_000.0, churn={"rate": 0.08}, expansion={"amount": 5_000.0})
    assert found.churn is None
    assert found.expansion == 5_000


def test_three_retentions_are_three_numbers() -> None:
    # opening 8,000,000; 960,000 grown, 160,000 shrunk, 640,000 left
    found = bridge(**left_out("closing_arr"))
    assert found.grr == pytest.approx((8_000_000 - 160_000 - 640_000) / 8_000_000)  # .90
    assert found.grr_churn_only == pytest.approx((8_000_000 - 640_000) / 8_000_000)  # .92
    assert found.nrr == pytest.approx((8_000_000 + 960_000 - 160_000 - 640_000) / 8_000_000)  # 1.02


def test_a_company_that_begins_has_no_retention() -> None:
    found = bridge(opening_arr=0.0, closing_arr=1e6)
    assert found.new_arr == 1_000_000
    assert (found.grr, found.nrr) == (None, None)


# --- next year -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("terms", "growth"),
    [
        ({"new_arr": 1e6, "next_year_growth": 0.25}, 0.25),  # as stated
        ({"opening_arr": 8e6, "closing_arr": 10e6}, 0.25),  # 10 / 8 - 1
        ({"opening_arr": 8e6, "closing_arr": 10e6, "next_year_growth": -0.1}, -0.1),
        ({"new_arr": 1e6}, 0.0),  # nothing to tell a growth from
        ({"opening_arr": 0.0, "closing_arr": 1e6}, 0.0),
    ],
)
def test_next_year_is_an_assumption_never_nothing(terms: dict[str, Any], growth: float) -> None:
    goal = Goal.model_validate(terms)
    found = solve_bridge(goal)
    assert next_year_growth(goal, found) == pytest.approx(growth)
    assert next_year_new_arr(goal, found) == pytest.approx(found.new_arr * (1 + growth))
    assert next_year_new_arr(goal, found) > 0
