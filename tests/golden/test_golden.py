"""The published worked examples, recomputed: `expected` in golden.json is the authority."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from revplan.funnel.year import Snapshot
from revplan.plan.goal import ArrChange, Goal, solve_bridge, yearly_rate
from revplan.plan.model import Plan
from revplan.workbook.workbook import Workbook, plan_answer, plan_year

# What the cases call the stages of their chain, from the top to won, and the rate from each to the next.
CHAINS = {
    "RF-02": (("sqls", "deals"), ("sql_to_close",)),
    "RF-03": (("meetings", "opportunities", "deals"), ("meeting_to_qualified_opp", "win_rate")),
    "RF-06": (("clicks", "leads", "mqls", "sqls", "deals"), ("landing_cvr", "lead_to_mql", "mql_to_sql", "win_rate")),
    "RF-07": (
        ("visits", "leads", "mqls", "sqls", "opps", "deals"),
        ("visit_to_lead", "lead_to_mql", "mql_to_sql", "sql_to_opp", "win_rate"),
    ),
}


def _answer(case: dict[str, Any], rounding: str = "none") -> dict[str, Any]:
    stages, rates = CHAINS[case["id"]]
    given = case["inputs"]
    goal = next(
        given[key]
        for key in ("new_arr_target", "revenue_goal", "revenue_goal_quarter", "target_new_arr")
        if key in given
    )
    acv = given.get("acv", given.get("asp"))
    plan = Plan.model_validate(
        {
            "year": {"first_month": "2027-01"},
            "goal": {"new_arr": goal},
            "stages": [{"id": stage} for stage in stages],
            "segments": {"all": {"acv": acv}},
            "sources": {"all": {"cost_per_entry": given.get("cpc")}},
            "transitions": [
                {"from": start, "to": end, "rate": given[rate]}
                for (start, end), rate in zip(pairwise(stages), rates, strict=True)
            ],
            "rounding": rounding,
        }
    )
    return plan_answer(Workbook(year=plan_year(plan, Snapshot())))


@pytest.mark.parametrize("case", ["RF-02", "RF-03", "RF-06"])
def test_required_is_carried_unrounded(golden: dict[str, Any], case: str) -> None:
    answer = _answer(golden[case])
    for stage, required in answer["required"].items():
        if stage in golden[case]["expected"]:
            assert required == pytest.approx(golden[case]["expected"][stage], rel=1e-12)


def test_spreadsheet_rounding_ties_out_to_the_unit(golden: dict[str, Any]) -> None:
    answer = _answer(golden["RF-07"], rounding="spreadsheet")
    expected = golden["RF-07"]["expected"]
    assert answer["required"] == {stage: expected[stage] for stage in answer["stages"]}
    months = [row["required"] for row in answer["by"] if row["stage"] == "leads" and row["required"]]
    assert sum(months) == pytest.approx(2930)


def test_budget_and_cac_follow_from_the_commit(golden: dict[str, Any]) -> None:
    answer = _answer(golden["RF-06"])
    expected = golden["RF-06"]["expected"]
    assert answer["budget"]["all"] == pytest.approx(expected["spend"], rel=1e-6)
    assert answer["cac"] == pytest.approx(expected["implied_cac"], rel=1e-6)
    assert all(row["arr"] == 0 and row["surplus"] == 0 for row in answer["shortfall"])


def test_a_stage_is_worth_what_its_wins_bring(golden: dict[str, Any]) -> None:
    given = golden["SLA-01"]["inputs"]
    plan = {
        "year": {"first_month": "2027-01"},
        "goal": {"new_arr": given["marketing_monthly_quota_dollars"] * 12},
        "stages": [{"id": "mql"}, {"id": "won"}],
        "segments": {"all": {"acv": given["avg_revenue_per_customer"]}},
        "sources": {"all": {}},
        "transitions": [{"from": "mql", "to": "won", "rate": given["close_rate"]}],
    }
    answer = plan_answer(Workbook(year=plan_year(Plan.model_validate(plan), Snapshot())))
    assert answer["value_per_entry"]["mql"] == pytest.approx(golden["SLA-01"]["expected"]["value_per_mql"])
    assert answer["required"]["mql"] == pytest.approx(12 * 125)


def test_the_bridge_names_three_retentions(golden: dict[str, Any]) -> None:
    given = golden["ARR-02"]["inputs"]
    moves = {key: float(given[key]) for key in ("expansion", "contraction", "churn")}
    bridge = solve_bridge(Goal.model_validate({"opening_arr": given["starting_arr"], "new_arr": given["new"], **moves}))
    assert bridge.closing_arr == pytest.approx(golden["ARR-02"]["expected"]["ending_arr"])
    assert (bridge.nrr, bridge.grr, bridge.grr_churn_only) == pytest.approx((0.975, 0.905, 0.935))


def test_monthly_churn_compounds(golden: dict[str, Any]) -> None:
    given = golden["UE-14"]["inputs"]
    change = ArrChange(monthly_rate=given["monthly_churn"])
    assert yearly_rate(change, grows=False) == pytest.approx(golden["UE-14"]["expected"]["annual_churn"])
