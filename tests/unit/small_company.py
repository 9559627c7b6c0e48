"""A small company whose year is running, for tests of the board book and the board pack."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from revplan.tracking.book import BoardBook, open_board

PLAN = """
year: {{first_month: 2026-01}}
plan_date: {plan_date}
goal: {{new_arr: {goal}}}
stages: [{{id: lead}}, {{id: sql}}, {{id: won}}]
commit: {{stage: sql}}
segments: {{{segments}}}
sources: {{web: {{cost_per_entry: 10}}}}
transitions: [{{from: lead, to: sql, rate: 0.5, evidence: 40}}, {{from: sql, to: won, rate: 0.2, evidence: 20, lag: {{months: 1}}}}]
{more}
"""
CRM = """
format: wide
files: {leads: {path: leads.csv, id: id}}
stages: {lead: leads.lead, sql: leads.sql, won: leads.won}
lost: leads.lost
segment: leads.segment
amount: leads.amount
"""
NAMELESS = (
    "names: {segment: {unknown: null}}\n"  # leaves out records without a segment, which a plan of several refuses
)
LEADS = """id,segment,lead,sql,won,lost,amount
1,a,2025-11-03,2025-12-01,2026-01-20,,1000
2,a,2026-01-05,2026-01-20,2026-03-02,,2000
3,a,2026-01-08,2026-02-02,,2026-03-30,
4,b,2026-02-08,2026-03-02,,,500
5,,2026-03-08,,,,
"""
ACTUALS = """month,segment,source,new,expansion,contraction,churn,spend
2026-01,a,web,1000,0,0,0,30
2026-02,a,web,0,100,0,0,20
"""


def small_book(folder: Path, *, goal: float = 12_000, segments: str = "a: {acv: 1000}", leads: str | None = LEADS, crm: str = CRM,
               actuals: str | None = ACTUALS, as_of: date | None = date(2026, 3, 31), quarter: str = "", segment: str = "",
               plan_date: str = "2026-01-01", more: str = "") -> BoardBook:  # fmt: skip
    """The company's book; `more` are further lines of its plan."""
    if leads is not None:
        (folder / "leads.csv").write_text(leads, encoding="utf-8")
        (folder / "crm.yaml").write_text(crm, encoding="utf-8")
        more += "history: {leads: crm.yaml}\n"
    if actuals is not None:
        (folder / "actuals.csv").write_text(actuals, encoding="utf-8")
        more += "actuals: actuals.csv\n"
    plan = folder / "plan.yaml"
    plan.write_text(PLAN.format(goal=goal, segments=segments, more=more, plan_date=plan_date), encoding="utf-8")
    return open_board(plan, quarter, as_of, segment=segment)
