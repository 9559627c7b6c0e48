"""Changes that act: whatever a planner writes moves a number, or the answer says why it does not."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from random import Random

import pytest

from revplan.errors import PlanError
from revplan.known import read_history, with_history_rates
from revplan.model.scenarios import compare
from revplan.model.simulate import simulate
from revplan.plan.file import read_plan
from revplan.plan.model import Plan
from revplan.plan.scenario import scenario_plans
from revplan.workbook import Workbook, check_plan, open_workbook

TRIALS = 256
PLAN = """\
name: Two by two
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal: {opening_arr: 5_000_000, new_arr: 1_000_000, next_year_growth: 0.1}
stages: [{id: lead}, {id: sql}, {id: won}]
commit: {stage: sql, confidence: 0.8}
segments: {smb: {share: 0.4, acv: {mean: 10_000, sd: 4_000}}, mid: {share: 0.6, acv: {mean: 40_000, sd: 9_000}}}
sources: {inbound: {share: 0.7, cost_per_entry: 100}, partner: {share: 0.3}}
history: {leads: crm.yaml}
"""
CRM = """\
format: wide
files: {leads: {path: leads.csv, id: id}}
stages: {lead: leads.lead, sql: leads.sql, won: leads.won}
segment: leads.segment
source: leads.source
"""
RATES = {("smb", "inbound"): 0.5, ("smb", "partner"): 0.25, ("mid", "inbound"): 0.4, ("mid", "partner"): 0.15}
STATED = "transitions: [{from: lead, to: sql, rate: 0.4, evidence: 100}, %s]\n"


def records(seed: int = 5) -> str:
    """Records of two years in every cell: rates differ between cells, so that each has an estimate of its own."""
    draw, lines = Random(seed), ["id,segment,source,lead,sql,won"]
    for number in range(1600):
        (segment, source), rate = list(RATES.items())[number % 4]
        lead = date(2024, 11, 1) + timedelta(days=draw.randrange(730))
        sql = lead + timedelta(days=draw.randrange(2, 40)) if draw.random() < 0.4 else None
        won = sql + timedelta(days=draw.randrange(5, 80)) if sql and draw.random() < rate else None
        days = [day.isoformat() if day and day < date(2026, 11, 15) else "" for day in (lead, sql, won)]
        lines.append(f"{number},{segment},{source},{','.join(days)}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("company")
    (made / "crm.yaml").write_text(CRM, encoding="utf-8")
    (made / "leads.csv").write_text(records(), encoding="utf-8")
    return made


def merged(folder: Path, more: str) -> Plan:
    """The plan with further lines, and with the rates of its records."""
    path = folder / "plan.yaml"
    path.write_text(PLAN + more, encoding="utf-8")
    plan = read_plan(path)
    return with_history_rates(plan, read_history(plan, folder))


def book(folder: Path, more: str = "", plan: str = PLAN) -> Workbook:
    path = folder / "plan.yaml"
    path.write_text(plan + more, encoding="utf-8")
    return open_workbook(path)


def change(text: str) -> str:
    return f"scenarios: {{other: {{changes: [{{from: sql, to: won, {text}}}]}}}}\n"


def rates(plan: Plan) -> dict[tuple[str, str], float]:
    return {cell: plan.path(*cell)[-1].rate for cell in plan.cells}


# --- a scenario's rate against the records' rates ------------------------------------------------------------


def test_the_records_give_a_rate_of_its_own_to_every_cell(folder: Path) -> None:
    plan = merged(folder, "")
    assert len(set(rates(plan).values())) == 4
    assert {(each.segment, each.source) for each in plan.transitions if each.from_stage == "sql"} >= set(plan.cells)


@pytest.mark.parametrize(
    ("text", "touched"),
    [
        ("rate: 0.1", set(RATES)),
        ("segment: mid, rate: 0.1", {("mid", "inbound"), ("mid", "partner")}),
        ("source: partner, rate: 0.1", {("smb", "partner"), ("mid", "partner")}),
        ("segment: mid, source: partner, rate: 0.1", {("mid", "partner")}),
    ],
)
def test_a_change_moves_every_estimate_in_its_scope_in_proportion(
    folder: Path, text: str, touched: set[tuple[str, str]]
) -> None:
    plan = merged(folder, change(text))
    before, after = rates(plan), rates(scenario_plans(plan)["other"])
    place = {key: value for key, value in (part.split(": ") for part in text.split(", ")) if key != "rate"}
    wide = next(
        each.rate
        for each in plan.transitions
        if (each.from_stage, each.segment, each.source) == ("sql", place.get("segment"), place.get("source"))
    )
    for cell, rate in before.items():
        assert after[cell] == pytest.approx(rate * 0.1 / wide if cell in touched else rate)


def test_a_narrower_change_has_the_last_word(folder: Path) -> None:
    lines = "{from: sql, to: won, segment: mid, rate: 0.2}, {from: sql, to: won, rate: 0.1}"
    plan = merged(folder, f"scenarios: {{other: {{changes: [{lines}]}}}}\n")
    other = scenario_plans(plan)["other"]
    mid = next(each for each in plan.transitions if (each.from_stage, each.segment, each.source) == ("sql", "mid", None))
    for source in ("inbound", "partner"):
        assert rates(other)["mid", source] == pytest.approx(rates(plan)["mid", source] * 0.2 / mid.rate)


def test_delays_of_cells_are_stretched_as_the_wider_one_is(folder: Path) -> None:
    plan = merged(folder, change("lag: {median_days: 90, p90_days: 180}"))
    wide = plan.transition(("sql", "won"), "", "")
    assert wide is not None
    assert wide.lag.median_days is not None
    other = scenario_plans(plan)["other"]
    for cell in plan.cells:
        before, after = plan.path(*cell)[-1].lag, other.path(*cell)[-1].lag
        assert after.length_days == pytest.approx(before.length_days * 90 / wide.lag.median_days)
        assert after.p90_days is not None
        assert after.p90_days > after.length_days


def test_evidence_of_cells_moves_in_proportion(folder: Path) -> None:
    plan = merged(folder, change("evidence: 10"))
    wide = plan.transition(("sql", "won"), "", "")
    assert wide is not None
    assert wide.evidence is not None
    other = scenario_plans(plan)["other"]
    for cell in plan.cells:
        before, after = plan.path(*cell)[-1].evidence, other.path(*cell)[-1].evidence
        assert before is not None
        assert after == pytest.approx(before * 10 / wide.evidence)


def test_no_rate_passes_one(folder: Path) -> None:
    assert max(rates(scenario_plans(merged(folder, change("rate: 0.9")))["other"]).values()) <= 1


def test_a_source_change_reaches_cells_whose_estimate_is_their_segment_s(tmp_path: Path) -> None:
    """Too few records of a cell for an estimate of its own: the segment's holds there, and moves for that source."""
    kept = [line for line in records().splitlines() if ",mid,partner," not in line]
    (tmp_path / "leads.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    (tmp_path / "crm.yaml").write_text(CRM, encoding="utf-8")
    plan = merged(tmp_path, change("source: partner, rate: 0.05"))
    held = plan.transition(("sql", "won"), "mid", "partner")
    assert held is not None
    assert (held.segment, held.source) == ("mid", None)
    before, after = rates(plan), rates(scenario_plans(plan)["other"])
    assert after["mid", "partner"] < 0.5 * before["mid", "partner"]
    assert after["mid", "inbound"] == before["mid", "inbound"]


def test_the_simulation_of_a_general_change_moves(folder: Path) -> None:
    made = book(folder, change("rate: 0.1"))
    base, other = compare(simulate(made.year, TRIALS, 1))
    assert other.outcome.mean.value < 0.7 * base.outcome.mean.value


@pytest.mark.parametrize("history", [True, False])
def test_what_the_plan_states_more_specifically_moves_in_proportion_too(folder: Path, history: bool) -> None:
    """A rate for all moves all: it was overridden without a word where every segment had a rate of its own."""
    stated = STATED % "{from: sql, to: won, rate: 0.3}, {from: sql, to: won, segment: mid, rate: 0.2}"
    path, lines = folder / "plan.yaml", PLAN if history else PLAN.replace("history: {leads: crm.yaml}\n", "")
    path.write_text(lines + stated + change("rate: 0.1"), encoding="utf-8")
    other = scenario_plans(read_plan(path))["other"]
    assert rates(other) == pytest.approx({cell: 0.2 / 3 if cell[0] == "mid" else 0.1 for cell in other.cells})


def test_a_change_in_proportion_to_nothing_is_a_fault(folder: Path) -> None:
    stated = STATED % "{from: sql, to: won, segment: mid, rate: 0.2}, {from: sql, to: won, segment: smb, rate: 0.25}"
    path = folder / "plan.yaml"
    path.write_text(PLAN + stated + change("rate: 0.1"), encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        check_plan(path)
    (fault,) = caught.value.faults
    assert fault.message == (
        "the plan states sql to won for mid and smb alone, so that a rate for all is in proportion to none; "
        "say whose changes, such as segment: mid"
    )
    path.write_text(PLAN + stated + change("segment: mid, rate: 0.1"), encoding="utf-8")
    check_plan(path)


def test_two_changes_of_one_place_are_a_fault(folder: Path) -> None:
    path = folder / "plan.yaml"
    lines = "{from: sql, to: won, rate: 0.1}, {from: sql, to: won, rate: 0.2}"
    path.write_text(PLAN + f"scenarios: {{other: {{changes: [{lines}]}}}}\n", encoding="utf-8")
    with pytest.raises(PlanError, match="is of the same place as changes"):
        check_plan(path)
