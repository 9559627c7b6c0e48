"""Changes that act: whatever a planner writes moves a number, or the answer says why it does not."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from datetime import date, timedelta
from functools import reduce
from operator import getitem
from pathlib import Path
from random import Random
from typing import Any

import pytest
from ruamel.yaml import YAML

from revplan.cli.answers import plan as plan_answered
from revplan.cli.answers import printed
from revplan.crm.planfile import plan_schema, read_plan
from revplan.exhibits import deliveries, evidence
from revplan.exhibits import rates as rate_exhibits
from revplan.exhibits.evidence import assumption_log
from revplan.ground.errors import PlanError
from revplan.ground.tablefile import ActualsFile
from revplan.plan.model import Plan
from revplan.plan.scenario import scenario_plans
from revplan.rates.book import open_history
from revplan.simulation.scenarios import compare
from revplan.simulation.simulate import simulate
from revplan.snapshot.state import Snapshots, read_history, with_history_rates
from revplan.snapshot.state import read_snapshots as read_anew
from revplan.staffing.staffing import capacity_answer, staffing
from revplan.workbook.answers import simulation_answer
from revplan.workbook.idle import scenario_notes
from revplan.workbook.workbook import Workbook, check_plan, open_workbook, plan_answer

TRIALS = 256
PLAN = """\
name: Two by two
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal: {opening_arr: 5_000_000, new_arr: 1_000_000, next_year_growth: 0.1}
stages: [{id: lead}, {id: sql}, {id: won}]
commit: {stage: sql, confidence: 0.8, at_any_cost: false}
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
    mid = next(
        each for each in plan.transitions if (each.from_stage, each.segment, each.source) == ("sql", "mid", None)
    )
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


# --- what changes nothing is told ----------------------------------------------------------------------------


def told(folder: Path, more: str, plan: str = PLAN) -> list[str]:
    """What `revplan simulate` says of the scenarios, `check` among it."""
    made = book(folder, more, plan)
    notes = scenario_notes(compare(simulate(made.year, TRIALS, 1)))
    checked = check_plan(folder / "plan.yaml")
    assert {f"look at this: {line}" for line in notes if "comes to what" not in line} <= set(checked)
    return list(notes)


def test_what_moves_in_proportion_is_told(folder: Path) -> None:
    (line,) = told(folder, change("rate: 0.1"))
    assert line == (
        "In scenario other, sql to won (all) at 10% moves what is more specific in proportion: "
        "mid, smb, inbound and 5 more."
    )
    assert told(folder, change("segment: mid, source: partner, rate: 0.1")) == []


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("{}", "it writes nothing"),
        ("{goal: {new_arr: 1_000_000}}", "goal.new_arr is the plan's own"),
        ("{acv: {mid: 40_000}}", "the deal size of mid is the plan's own"),
        ("{volume: 1}", "the volume is 1, which leaves it as planned"),
        ("{volume: {partner: 1}}", "the volume of partner is 1, which leaves it as planned"),
        ("{confidence: 0.8}", "the confidence is the plan's own"),
        ("{uncertainty: {rho: 0.3}}", "uncertainty.rho is the plan's own"),
    ],
)
def test_a_scenario_that_comes_to_the_plan_says_so(folder: Path, scenario: str, words: str) -> None:
    assert told(folder, f"scenarios: {{other: {scenario}}}\n") == [f"Scenario other changes nothing: {words}."]


def test_a_rate_that_holds_anyway_and_evidence_of_a_certain_rate_are_told(folder: Path) -> None:
    stated = STATED % "{from: sql, to: won, rate: 1, evidence: 30}"
    (line,) = told(folder, stated + change("rate: 1"))
    assert line == "Scenario other changes nothing: sql to won (all) at 100% is what holds anyway."
    (line,) = told(folder, stated + change("evidence: 10"))
    assert line == "Scenario other changes nothing: sql to won (all) with an evidence of 10 is what holds anyway."


def test_one_idle_part_among_others_is_told(folder: Path) -> None:
    (line,) = told(folder, "scenarios: {other: {confidence: 0.8, volume: 0.9}}\n")
    assert line == "In scenario other, the confidence is the plan's own."


DEAD = PLAN.replace("segments: {", "segments: {dead: {share: 0, acv: 5_000}, ").replace(
    "sources: {", "sources: {ghost: {share: 0, cost_per_entry: 50, max_per_month: 5}, "
)


@pytest.mark.parametrize(
    ("scenario", "words"),
    [
        ("{acv: {dead: 4_000}}", "the deal size of dead counts for nothing, since dead brings no new ARR"),
        ("{volume: {ghost: 0.5}}", "the volume of ghost counts for nothing, since ghost brings no new ARR"),
        (
            "{changes: [{from: sql, to: won, segment: dead, rate: 0.1}]}",
            "sql to won (dead) at 10% counts for nothing, since no new ARR of that kind is planned to take this step",
        ),
    ],
)
def test_what_no_arr_is_planned_for_is_told(folder: Path, scenario: str, words: str) -> None:
    assert told(folder, f"scenarios: {{other: {scenario}}}\n", DEAD) == [f"Scenario other changes nothing: {words}."]
    said = check_plan(folder / "plan.yaml")
    for name in ("Segment dead", "Source ghost"):
        line = f"look at this: {name} brings no new ARR (its share is 0), so that nothing else said of it counts."
        assert line in said


def test_rates_that_others_go_before_are_told(folder: Path) -> None:
    stated = STATED % (
        "{from: sql, to: won, rate: 0.3}, {from: sql, to: won, segment: mid, rate: 0.2}, "
        "{from: sql, to: won, segment: smb, rate: 0.25}"
    )
    (folder / "plan.yaml").write_text(PLAN + stated, encoding="utf-8")
    said = [line for line in check_plan(folder / "plan.yaml") if "for nothing" in line]
    assert said == [
        "look at this: 1 rate counts for nothing, since more specific ones go before, or no record takes the step: "
        "sql to won (all)."
    ]


def test_uncertainty_of_what_is_certain_is_told(folder: Path) -> None:
    plan = PLAN.replace("history: {leads: crm.yaml}\n", "")
    certain = "transitions: [{from: lead, to: sql, rate: 0.4}, {from: sql, to: won, rate: 0.3}]\n"
    (folder / "plan.yaml").write_text(plan + certain + "uncertainty: {rho: 0.2, lag_cv: 0.1}\n", encoding="utf-8")
    assert [line for line in check_plan(folder / "plan.yaml") if "uncertainty." in line] == [
        "look at this: uncertainty.rho counts for nothing, since no rate has `evidence`: all are taken as certain.",
        "look at this: uncertainty.lag_cv counts for nothing, since no step takes time.",
    ]
    (folder / "plan.yaml").write_text(
        plan + certain.replace("0.3}", "0.3, evidence: 9, lag: {months: 1}}"), encoding="utf-8"
    )
    assert [line for line in check_plan(folder / "plan.yaml") if "uncertainty." in line] == []


# --- every key of the plan file moves something --------------------------------------------------------------

WORLD = """\
name: Two by two
currency: USD
year: {first_month: 2027-02}
fiscal_year: {names: end}
plan_date: 2026-11-15
goal:
  opening_arr: 5_000_000
  closing_arr: 6_000_000
  new_arr: solve
  churn: {rate: 0.05}
  expansion: {quarterly_rate: 0.01}
  contraction: {monthly_rate: 0.001}
  phasing: {quarters: [0.2, 0.25, 0.25, 0.3], within_quarter: [0.3, 0.3, 0.4]}
  next_year_growth: 0.1
  basis: board
stages:
  - {id: lead, label: Lead, counts: person, owner: marketing, entered_when: wanted, valid_from: 2026-01-01}
  - {id: sql, label: SQL, counts: account, owner: sales, entered_when: called}
  - {id: won, label: Won}
commit: {stage: sql, confidence: 0.8, at_any_cost: false}
segments: {smb: {share: 0.4, acv: {mean: 10_000, sd: 4_000}, basis: crm}, mid: {share: 0.6, acv: {mean: 40_000, sd: 9_000}}}
sources:
  inbound: {owner: marketing, share: 0.7, cost_per_entry: 2000, max_per_month: 40, max_growth: 0.1, basis: crm}
  partner: {owner: partner, share: 0.3, enters: lead}
transitions:
  - {from: lead, to: sql, rate: 0.4, evidence: 100, lag: {median_days: 10, p90_days: 20}, basis: crm}
  - {from: lead, to: sql, segment: mid, source: partner, rate: 0.35, evidence: 60, lag: {weights: [0.5, 0.5]}}
rounding: none
history: {leads: crm.yaml}
actuals: actuals.csv
calls: calls.csv
capacity:
  roster:
    - {rep: Ada, role: ae, segment: smb, team: north, start: 2026-11-01, leave: 2027-10-31, quota: 120_000, seat: quota, count: 2,
       away: [{from: 2027-03-01, to: 2027-04-15}]}
    - {rep: Bo, role: senior, segment: mid, start: 2025-05-01}
    - {rep: Cy, role: sdr, start: 2027-01-10}
  roles:
    ae: {productivity: 900_000, quota: 950_000, ramp: {quarters: [0.2, 0.6]}, attrition: 0.2, backfill_delay_days: 60}
    senior: {productivity: 2_500_000, quota: 2_800_000, ramp: {linear_months: 9, tenure: middle}, attrition: 0.1,
             open_requisition_days: 40, offer_lead_days: 30, start_probability: 0.7}
    sdr: {ramp: {months: [0.2, 0.5, 0.9]}, load: {stage: sql, per_month: 300}, attrition: 0.3}
  hires:
    - {role: ae, segment: smb, start: 2027-06, count: 1, quota: 130_000, start_probability: 0.8, open_requisition_days: 50, offer_lead_days: 20}
    - {role: senior, segment: mid, start: 2027-04}
    - {role: ae, segment: smb, start: 2027-09}
  basis: productivity
  attainment: {rate: 0.9, applies_to: all, ramping: 0.8}
  over_assignment: 0.15
  selling_days: [20, 20, 21, 20, 19, 21, 22, 18, 21, 21, 20, 17]
  judgment: {owner: head of sales, quarters: [-10_000, 0, 0, 5_000], note: two ill}
  ratios: {sdr: {ae: 1.5}}
  excess: {kept: 0.7}
  productivity_cv: 0.12
  rep_cv: 0.25
calendar:
  country: US
  region: CA
  closures: [{from: 2027-12-24, to: 2027-12-31}]
  weekend: [sat, sun]
  teams: {dach: {country: DE, region: BY, weekend: [fri, sat], sources: [partner], segments: [mid]}}
pace: {within_month: [0.4, 0.6], by_segment: {mid: [0.3, 0.7]}, watch: month, alert: 0.9, all_clear: 0.7}
service_levels:
  stage: sql
  accepted: won
  first_touch_hours: 4
  attempts: {count: 6, days: 10}
  acceptance_days: 2
  acceptance_rate: 0.8
  working_hours: [9, 17]
  timezone: America/New_York
  teams: {dach: {timezone: Europe/Berlin, working_hours: [8, 16]}}
claims: [{by: sales, sales_growth: 4.0, arr_growth: 0.8, sourced: {inbound: 0.7}, coverage: 3.0, win_rate: 0.3}]
uncertainty: {rho: 0.3, lag_cv: 0.15, volume_cv: 0.05}
scenarios:
  other:
    changes: [{from: sql, to: won, rate: 0.1, evidence: 20, lag: {months: 2}}]
    goal: {closing_arr: 6_100_000, churn: {amount: 240_000}, next_year_growth: 0.2}
    acv: {mid: 30_000}
    volume: {inbound: 0.9}
    uncertainty: {rho: 0.4, lag_cv: 0.2, volume_cv: 0.1}
    confidence: 0.7
    capacity: {hires: [{role: ae, segment: smb, start: 2027-07, count: 1}], more_hires: [{role: senior, segment: mid, start: 2027-05, count: 1}],
               productivity: 0.9, ramp: 1.3, attrition: 0.3, start_months: 1}
assumptions: [{about: goal.churn, owner: finance, source: books, estimated: 2026-11-01, expires: 2027-06-30, note: seen}]
"""
ACTUALS = "month,segment,source,new,expansion,contraction,churn,spend\n" + "".join(
    f"2026-{month:02d},smb,inbound,{{new}},0,0,0,500\n" for month in range(1, 11)
)
OTHER: dict[str, Any] = {
    "leads": "other.yaml", "actuals": "other.csv", "currency": "EUR", "first_month": "2027-01", "plan_date": "2026-10-15",
    "estimated": "2026-10-30", "expires": "2026-11-10", "valid_from": "2026-02-01", "about": "goal.expansion", "rounding": "spreadsheet",
    "names": "start", "stage": "lead", "enters": "sql", "counts": "opportunity", "quarters": [0.3, 0.25, 0.25, 0.2], "months": 3,
    "at_any_cost": True, "basis": "quota", "role": "senior", "team": "south", "seat": "overlay", "count": 3, "tenure": "current", "applies_to": "ramped", "within_quarter": [0.2, 0.3, 0.5], "weights": [0.2, 0.8], "new_arr": 1_200_000,
}  # fmt: skip
FOLLOWED = {
    "calendar",
    "calls",
    "claims",
    "pace",
    "service_levels",
}  # how a running year is followed: test_pace.py, test_service.py and test_calls.py move each
PLACES = {"from", "to", "id", "segment", "source", "share", "role"}  # what a value is of: another is another value


def leaves(data: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    pairs = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in pairs:
        nested = isinstance(value, dict) or (isinstance(value, list) and isinstance(value[0], dict))
        yield from leaves(value, (*place, key)) if nested else [((*place, key), value)]


def other_value(place: tuple[Any, ...], value: Any) -> Any:
    if place[-1] == "source" and place[0] == "assumptions":
        return "a study"
    if place[-1] in {"quarters", "months"} and "capacity" in place:
        return [0.9 * each for each in value]
    if place[-1] == "selling_days":
        return value[::-1]
    if place[-1] in {"start", "leave", "open_by"}:
        return {"start": "2026-10-01", "leave": "2027-09-15"}[place[-1]]
    if place[-1] in OTHER:
        return OTHER[place[-1]]
    return f"another {value}" if isinstance(value, str) else 1.1 * value


def answers(path: Path) -> Iterator[Any]:
    """What revplan says of a plan, the quick first: commands, then what of its pages tells of words, then the chances."""
    made = open_workbook(path)
    yield plan_answer(made)
    yield printed(plan_answered(made)[1])
    found = simulate(made.year, TRIALS, 1)
    yield capacity_answer(staffing(found))
    exhibits = (
        evidence.assumptions,
        evidence.checks,
        deliveries.commit_choice,
        deliveries.commit_by_source,
        assumption_log,
    )
    yield [show(made)._repr_mimebundle_() for show in exhibits]
    yield simulation_answer(found, compare(found))
    yield check_plan(path, date(2026, 11, 15))


@pytest.fixture
def read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every CRM file is read once for all the plans of a test, none of which changes it; so are rates of a day estimated."""
    read: dict[tuple[str, Path], Snapshots | None] = {}

    def read_snapshots(plan: Plan, folder: Path) -> Snapshots | None:
        place = (str(plan.history and plan.history.leads), folder)
        if place not in read:
            read[place] = read_anew(plan, folder)
        return read[place]

    monkeypatch.setattr("revplan.snapshot.state.read_snapshots", read_snapshots)


@pytest.mark.usefixtures("read_once")
def test_every_key_of_the_plan_file_moves_something(folder: Path) -> None:
    for name, text in (("actuals", ACTUALS.replace("{new}", "20000")), ("other", ACTUALS.replace("{new}", "30000"))):
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    (folder / "calls.csv").write_text("date,who,quarter,number\n2026-11-01,sales,2027-Q1,9000\n", encoding="utf-8")
    (folder / "other.yaml").write_text(CRM.replace("leads.csv", "others.csv"), encoding="utf-8")
    (folder / "others.csv").write_text(records(9), encoding="utf-8")
    path, yaml = folder / "plan.yaml", YAML(typ="safe")
    world = yaml.load(WORLD)
    yaml.dump(world, path)
    base = list(answers(path))
    for place, value in leaves(world):
        if place[0] in FOLLOWED or (place[-1] in PLACES and place[0] != "assumptions"):
            continue
        other = deepcopy(world)
        reduce(getitem, place[:-1], other)[place[-1]] = other_value(place, value)
        if place == ("goal", "new_arr"):
            other["goal"]["closing_arr"] = "solve"
        if place[-1] == "applies_to":
            other["capacity"]["attainment"].pop("ramping")  # which goes with `all` alone
        yaml.dump(other, path)
        assert any(now != then for now, then in zip(answers(path), base, strict=True)), f"{place} moves nothing"


def test_that_world_has_every_key_there_is() -> None:
    schema = plan_schema()
    known = {key for part in (schema, *schema["$defs"].values()) for key in part.get("properties", {})}
    world = YAML(typ="safe").load(WORLD)
    written = {key for place, _ in leaves(world) for key in place if isinstance(key, str)}
    of_files = set(ActualsFile.model_fields)  # how a table is written: test_plan_tables.py moves each of these
    assert known - written - of_files == set()


# --- settings of reports -------------------------------------------------------------------------------------


def test_settings_that_could_not_act_are_refused(folder: Path) -> None:
    made = book(folder)
    with pytest.raises(PlanError, match="billing_total: is held against actuals, and the plan names none"):
        evidence.checks(made, 1000.0)
    with pytest.raises(PlanError, match="from_stage: got 'sqll'; it is one of lead, sql"):
        rate_exhibits.curves(open_history(folder / "plan.yaml"), "sqll")
    with pytest.raises(PlanError, match="as_of: got 'June'; write the last day known as 2026-09-30"):
        open_history(folder / "plan.yaml", "June")


def test_the_name_of_a_year_that_begins_in_january_is_told_to_be_the_same(folder: Path) -> None:
    (folder / "plan.yaml").write_text(PLAN + "fiscal_year: {names: end}\n", encoding="utf-8")
    line = "look at this: fiscal_year.names counts for nothing, since the year begins in January."
    assert line in check_plan(folder / "plan.yaml")
    (folder / "plan.yaml").write_text(
        PLAN.replace("2027-01", "2027-02") + "fiscal_year: {names: end}\n", encoding="utf-8"
    )
    assert line not in check_plan(folder / "plan.yaml")
