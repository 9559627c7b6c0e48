"""Every exhibit of the annual commit on plans at the edge: none fails, none shows what was not computed."""

from __future__ import annotations

import re
from typing import Any

import pytest

from revplan.model.year import Known, plan_year
from revplan.plan.model import Plan
from revplan.report import annual_commit, confidence, deliveries, evidence, realism
from revplan.workbook import Workbook

SMALL: dict[str, Any] = {
    "year": {"first_month": "2027-01"},
    "plan_date": "2026-11-15",
    "stages": "single",
    "segments": {"all": {"acv": 9000}},
    "sources": {"all": {}},
    "goal": {"new_arr": 1e6},
    "transitions": [{"from": "lead", "to": "won", "rate": 0.1, "lag": {"months": 3}}],
}
EDGES: dict[str, dict[str, Any]] = {
    "smallest": {},
    "nothing to win": {"goal": {"opening_arr": 1e6, "closing_arr": 1e6, "new_arr": 0}},
    "long names": {
        "name": "N" * 300,
        "segments": {"S" * 200: {"acv": 9000}},
        "sources": {"x" * 200: {"cost_per_entry": 5}},
    },
    "hostile names": {
        "name": "<script>alert(1)</script>",
        "segments": {"<img src=x onerror=alert(1)>": {"acv": 9000, "share": 0.5}, "$x^{$": {"acv": 1, "share": 0.5}},
        "sources": {"=cmd|' /C calc'!A0": {"share": 0.4}, "東京 عربى": {"share": 0.6, "cost_per_entry": 3}},
    },
    "many": {
        "currency": "JPY",
        "segments": {f"seg{i}": {"acv": 1000 * (i + 1), "share": 0.125} for i in range(8)},
        "sources": {f"src{i}": {"share": 0.125, "cost_per_entry": 5} for i in range(8)},
    },
    "in mid-year": {"plan_date": "2027-07-10"},
    "last day": {"plan_date": "2027-12-31"},
    "opening solved": {"goal": {"closing_arr": 5e6, "new_arr": 2e6, "churn": {"monthly_rate": 0.01}}},
    "a closed source": {"sources": {"all": {"max_per_month": 0}}},
    "thin evidence": {"transitions": [{**SMALL["transitions"][0], "evidence": 0.5}]},
    "ten stages": {
        "stages": [{"id": f"s{i}"} for i in range(10)],
        "transitions": [
            {"from": f"s{i}", "to": f"s{i + 1}", "rate": 0.5, "evidence": 30, "lag": {"weights": [0.5, 0.5]}}
            for i in range(9)
        ],
    },
}
EXHIBITS = [
    annual_commit.summary,
    annual_commit.goal_bridge,
    annual_commit.quarters,
    deliveries.monthly_commit,
    deliveries.commit_by_source,
    deliveries.commit_by_month,
    annual_commit.required_funnel,
    annual_commit.open_pipeline,
    annual_commit.dependence,
    annual_commit.carry_over,
    annual_commit.last_useful,
    deliveries.commit_sheet,
    deliveries.commit_choice,
    confidence.sure,
    confidence.commit_curve,
    confidence.tornado,
    confidence.left_uncertain,
    realism.against_history,
    realism.stacked_buffers,
    annual_commit.budget,
    annual_commit.budget_by_quarter,
    annual_commit.notes,
    evidence.assumptions,
    evidence.checks,
    evidence.provenance,
]


@pytest.mark.parametrize("edge", EDGES)
def test_every_exhibit_stands_at_the_edges(edge: str) -> None:
    book = Workbook(year=plan_year(Plan.model_validate(SMALL | EDGES[edge]), Known()))
    for make in EXHIBITS:
        html = make(book)._repr_mimebundle_()["text/html"]
        words = re.sub(r"<[^>]+>", " ", re.sub(r"<svg.*?</svg>", " ", html, flags=re.S))
        assert not re.search(r"\bnan\b|\bNone\b|\binf\b|∞|[0-9]\.[0-9]{4,}", words), (make.__name__, words)
        assert "<script" not in html
        assert "<img" not in html
