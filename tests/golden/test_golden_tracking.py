"""Published examples of mix shift, coverage, ARR bridge and linearity, recomputed with the running year's functions."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from revplan.tracking.attainment import reached_by_month
from revplan.tracking.landing import weighted
from revplan.tracking.periods import Span
from revplan.tracking.scorecard import YearTerms, arr_bridge, coverage, planned_movements
from revplan.tracking.variance import factors, shapley, variance_cells
from revplan.tracking.why import COUNTS, mix_and_rate, split_of

QUARTER = Span("2027-Q1", pd.Period("2027-01", freq="M"), 3, date(2027, 3, 31))


def terms(sides: dict[str, list[float]]) -> pd.DataFrame:
    """Table cohort_terms of visits that convert at once, each conversion worth 1."""
    frame = pd.DataFrame(
        [(name, "all", *pair) for name, pair in sides.items()], columns=["segment", "source", "entries", "win_rate"]
    )
    wins = frame["entries"] * frame["win_rate"]
    return frame.astype({"entries": float}).assign(wins=wins, arr=wins, opening_arr=0.0, provisional=False)


def test_every_segment_falls_and_the_blend_rises(golden: dict[str, Any]) -> None:
    given, expected = golden["MIX-01"]["inputs"], golden["MIX-01"]["expected"]
    cells = variance_cells(factors(terms(given["before"]), terms(given["after"])))
    assert cells["planned"].sum() == pytest.approx(expected["before_conv"])
    assert cells["actual"].sum() == pytest.approx(expected["after_conv"])
    assert (cells["win_rate"] < 0).all()
    # Rate: 2 points less of (share before + share after) / 2 x 5,000 visits: -50 each. The rest of +350 is mix.
    assert cells["win_rate"].sum() == pytest.approx(-100)
    assert cells["mix"].sum() == pytest.approx(450)
    assert cells["volume"].sum() == 0


def test_mix_and_rate_leave_no_residual(golden: dict[str, Any]) -> None:
    given, expected = golden["MIX-03"]["inputs"], golden["MIX-03"]["expected"]
    visits = np.array([given["visits_last"], given["visits_this"]], dtype=float)
    shares = visits / visits.sum(axis=1, keepdims=True)
    rates = np.array([given["cvr_last_pct"], given["cvr_this_pct"]])
    mix, rate = shapley(np.stack([shares[0], rates[0]]), np.stack([shares[1], rates[1]])).sum(axis=1)
    assert mix + rate == pytest.approx(expected["total_change_pct"], abs=1e-12)
    intra = shares[0] @ (rates[1] - rates[0])
    interaction = (shares[1] - shares[0]) @ (rates[1] - rates[0])
    assert rate == pytest.approx(intra + interaction / 2)  # what the page leaves over is shared evenly


def test_the_paradox_is_named_and_the_mix_made_it(golden: dict[str, Any]) -> None:
    given, expected = golden["MIX-01"]["inputs"], golden["MIX-01"]["expected"]
    sides = [
        pd.DataFrame([(name, n, n * rate) for name, (n, rate) in given[side].items()], columns=["source", *COUNTS])
        for side in ("before", "after")
    ]
    split = split_of(mix_and_rate(*sides))
    assert (split.before, split.after) == pytest.approx((expected["before"], expected["after"]))
    assert 100 * split.change == pytest.approx(expected["delta_pts"])
    assert split.paradox
    assert 100 * split.rate == pytest.approx(-2)
    assert 100 * split.mix == pytest.approx(9)


def test_the_columns_of_the_page_and_what_it_leaves_over(golden: dict[str, Any]) -> None:
    """The page prints rate and mix alone; what it leaves over belongs to both."""
    given, expected = golden["MIX-03"]["inputs"], golden["MIX-03"]["expected"]
    sides = [
        pd.DataFrame(
            {"source": given["channels"], "entries": given[f"visits_{at}"], "conversions": np.array(given[f"visits_{at}"]) * given[f"cvr_{at}_pct"] / 100}
        )
        for at in ("last", "this")
    ]  # fmt: skip
    table = mix_and_rate(*sides).set_index("source").loc[given["channels"]]
    for at in range(3):
        assert table["share_before"].iloc[at] == pytest.approx(expected[f"share_last.{at}"])
        assert table["share_after"].iloc[at] == pytest.approx(expected[f"share_this.{at}"])
        moved = 100 * (table["rate_after"] - table["rate_before"]).iloc[at]
        assert moved == pytest.approx(expected[f"cvr_change_pct.{at}"], abs=1e-12)
    alone, mixed, joint = (100 * table[name].sum() for name in ("rate_alone", "mix_alone", "together"))
    assert (alone, mixed, joint) == pytest.approx((0.0850, -0.2202, -0.0127), abs=5e-5)
    split = split_of(table.reset_index())
    assert 100 * (split.rate + split.mix) == pytest.approx(expected["total_change_pct"], abs=1e-12)
    assert (100 * split.before, 100 * split.after) == pytest.approx(
        (expected["total_last_pct"], expected["total_this_pct"])
    )
    assert not split.paradox


def test_coverage_is_held_against_the_win_rate(golden: dict[str, Any]) -> None:
    given, expected = golden["PC-02"]["inputs"], golden["PC-02"]["expected"]
    row = _coverage(given["open_pipeline"], given["remaining_quota"], given["win_rate"])
    assert row["coverage"] == pytest.approx(expected["coverage"])
    assert row["needed"] == pytest.approx(expected["required_coverage"])
    assert row["expected_arr"] == pytest.approx(expected["expected_closed_won"])
    assert row["expected_share"] == pytest.approx(expected["pct_of_remaining"])
    assert not row["enough"]
    for rate in ("0.33", "0.18", "0.12"):
        assert _coverage(1.0, 1.0, float(rate))["needed"] == pytest.approx(expected[f"table.{rate}"])


def test_three_times_is_not_enough_at_22_percent(golden: dict[str, Any]) -> None:
    given, expected = golden["PC-05"]["inputs"], golden["PC-05"]["expected"]
    row = _coverage(given["rule_of_thumb"] * given["quota"], given["quota"], given["win_rate"])
    assert row["open_amount"] == expected["pipeline_at_3x"]
    assert row["expected_arr"] == pytest.approx(expected["covered"])
    assert row["remaining"] - row["expected_arr"] == pytest.approx(expected["short"])
    assert row["coverage"] == row["customary"]
    assert not row["enough"]


def _coverage(amount: float, remaining: float, rate: float) -> pd.Series:
    pipeline = pd.DataFrame(
        {
            "segment": ["all of it"],
            "items": [1.0],
            "open_amount": [float(amount)],
            "dead_amount": [0.0],
            "win_rate": [rate],
        }
    )
    left = pd.DataFrame({"remaining": [float(remaining)], "in_time": [0.0]}, index=["all of it"])
    return coverage(pipeline, {"rest": left}).iloc[0]


def test_the_bridge_of_a_quarter(golden: dict[str, Any]) -> None:
    given, expected = golden["ARR-02"]["inputs"], golden["ARR-02"]["expected"]
    months = pd.period_range("2027-01", "2027-12", freq="M")
    moves = {name: [given[name], 0, 0] for name in ("new", "expansion", "contraction", "churn")}
    actual = pd.DataFrame({"month": months[:3], **moves}).astype(dict.fromkeys(moves, float))
    planned = planned_movements(
        YearTerms(opening=12e6, expansion=0, contraction=0, churn=0),
        pd.DataFrame({"month": months, "new_arr": 0.0}),
        months,
    )
    table = arr_bridge(given["starting_arr"], planned, actual, [(QUARTER, "booked")]).set_index("term")["actual"]
    assert table["closing"] == expected["ending_arr"]
    assert table["closing"] - table["opening"] == expected["net_new_arr"]


def test_linearity_of_a_quarter(golden: dict[str, Any]) -> None:
    given, expected = golden["SEAS-01"]["inputs"], golden["SEAS-01"]["expected"]
    months = QUARTER.months
    came = pd.DataFrame(
        {"month": months, "stage": "won", "entries": 1.0, "arr": [float(each) for each in given["months"]]}
    )
    goal = pd.DataFrame({"month": months, "new_arr": given["plan"] / 3})
    table = reached_by_month(goal, came, came, QUARTER, "won")
    shares = np.diff(table["actual_arr"], prepend=0) / given["quarter"]
    assert shares == pytest.approx([expected[f"shares.{month}"] for month in range(3)])
    assert table["actual_arr"].iloc[-1] > table["goal_arr"].iloc[-1]


def test_weighted_pipeline_and_how_far_it_strays(golden: dict[str, Any]) -> None:
    given, expected = golden["WP-02"]["inputs"], golden["WP-02"]["expected"]
    for name in ("a", "b"):
        amount, chance = given[name]
        assert weighted(np.array([amount]), np.array([chance]))[0] == pytest.approx(expected[name])
    many = given["c"]
    amounts = np.full(many["n"], float(many["amount"]))
    mean, spread = weighted(amounts, np.full(many["n"], many["p"]))
    assert amounts.sum() == expected["c_total"]
    assert mean == pytest.approx(expected["c_weighted"])
    assert spread == pytest.approx(564_579, abs=1)
