"""Every exhibit of the reports on a plan and on its records, in the order of their notebooks."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from revplan.exhibits import annual_commit, capacity, confidence, deliveries, evidence, rates, realism, side_by_side
from revplan.exhibits import evidence as assumption_log
from revplan.exhibits.exhibit import Exhibit
from revplan.rates.book import open_history
from revplan.workbook.workbook import open_workbook

ANNUAL_COMMIT = (
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
    capacity.who_closes,
    confidence.tornado,
    confidence.left_uncertain,
    realism.against_history,
    realism.stacked_buffers,
    annual_commit.budget,
    annual_commit.budget_by_quarter,
    annual_commit.notes,
    evidence.assumptions,
    assumption_log.assumption_log,
    evidence.checks,
    evidence.provenance,
)
RATES = (
    rates.summary,
    rates.import_report,
    rates.rates,
    rates.cells,
    rates.differences,
    rates.curves,
    rates.lags,
    rates.drift,
    rates.forecast,
    rates.backtest,
    rates.scores,
)


@cache
def reports(plan: Path) -> dict[str, list[Exhibit]]:
    """By report (made once a session), every exhibit of it; that of the records only where the plan names some."""
    book = open_workbook(plan)
    made = {
        "annual_commit": [show(book) for show in ANNUAL_COMMIT],
        "scenarios": [show(book) for show in (side_by_side.ranges, side_by_side.in_money, side_by_side.in_units)],
    }
    if book.plan.history is not None:
        history = open_history(plan)
        made["rates"] = [show(history) for show in RATES]
    return made
