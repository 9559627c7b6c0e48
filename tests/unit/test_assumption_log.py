"""The assumption log: checked against the plan, held against a day and against the records behind the rates."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from revplan.crm.planfile import plan_schema, read_plan
from revplan.exhibits.evidence import assumption_log
from revplan.ground.errors import PlanError
from revplan.plan.model import Plan
from revplan.workbook.workbook import assumption_log_table, check_plan, expired, open_workbook, thin_and_unlogged

EXAMPLE = Path(__file__).parents[2] / "data" / "example" / "plan.yaml"
PLAN = """\
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal: {opening_arr: 5_000_000, closing_arr: 6_000_000, churn: {monthly_rate: 0.01}}
stages: [{id: lead}, {id: sql}, {id: won}]
segments: {smb: {share: 0.5, acv: 10_000}, mid: {share: 0.5, acv: {mean: 20_000, sd: 8_000}}}
sources: {web: {cost_per_entry: 85}}
transitions:
  - {from: lead, to: sql, rate: 0.4, evidence: 30, lag: {months: 1}}
  - {from: sql, to: won, rate: 0.25, evidence: 29, lag: {median_days: 60, p90_days: 150}}
  - {from: sql, to: won, segment: mid, rate: 0.2, evidence: 12}
assumptions:
"""


def write(folder: Path, *lines: str) -> Path:
    path = folder / "plan.yaml"
    path.write_text(PLAN + "".join(f"  - {line}\n" for line in lines), encoding="utf-8")
    return path


def logged(folder: Path, *lines: str) -> Plan:
    return read_plan(write(folder, *lines))


def faults(folder: Path, *lines: str) -> str:
    with pytest.raises(PlanError) as error:
        logged(folder, *lines)
    return str(error.value)


# --- what may be logged --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("about", "what", "value"),
    [
        ("goal.churn", "churn", "1% a month"),
        ("goal.closing_arr", "closing ARR", "$6M"),
        ("segments.mid.acv", "mid, deal", "$20k ± $8k"),
        ("segments.mid.acv.sd", "mid, deal, sd", "$8k"),
        ("sources.web.cost_per_entry", "web, cost per entry", "$85"),
        ("transitions.lead.sql", "Lead to SQL", "40%, 1 month"),
        ("transitions.sql.won.mid.rate", "SQL to Won, mid, rate", "20%"),
        ("transitions.sql.won.lag", "SQL to Won, lag", "median 60 days, P90 150"),
        ("commit.confidence", "confidence", "80%"),
        ("uncertainty.rho", "how far rates move together", "0.3"),
        ("plan_date", "plan date", "15 Nov 2026"),
    ],
)
def test_a_place_of_the_plan_shows_what_the_plan_says_there(tmp_path: Path, about: str, what: str, value: str) -> None:
    frame = assumption_log_table(logged(tmp_path, f"{{about: {about}, owner: finance}}"), date(2027, 1, 1))
    assert frame[["about", "what", "value"]].values.tolist() == [[about, what, value]]


def test_an_unknown_place_is_a_fault_with_the_nearest_one(tmp_path: Path) -> None:
    said = faults(tmp_path, "{about: goal.chrun, owner: a}", "{about: transitions.sql.won.smb, owner: a}")
    assert (
        "plan.yaml line 12, assumptions[0].about: 'goal.chrun' is no place of this plan; did you mean goal.churn?"
        in said
    )
    assert "plan.yaml line 13" in said
    assert "write it like goal.churn or transitions.sqo.won.mid" in faults(tmp_path, "{about: '????', owner: a}")


def test_faults_of_the_log_come_with_all_others(tmp_path: Path) -> None:
    said = faults(
        tmp_path,
        "{about: goal.churn, owner: a, estimated: 2026-10-01, expires: 2026-09-30}",
        "{about: goal.churn, owner: ''}",
        "{about: goal.churn, owner: a, expires: soon}",
        "{about: goal.churn, ownr: a}",
        "7",
    )
    assert "assumptions[0]: expires on 2026-09-30, before it was estimated on 2026-10-01; correct one" in said
    assert "assumptions[1].owner: got ''; it is empty (Who answers for it)" in said
    assert "assumptions[2].expires: got 'soon'; write it like 2026-11-15" in said
    assert "assumptions[3].ownr: unknown key 'ownr'; did you mean 'owner'?" in said
    assert "write {about: goal.churn, owner: finance, expires: 2027-03-31}" in said


def test_one_place_is_logged_once(tmp_path: Path) -> None:
    said = faults(tmp_path, "{about: goal.churn, owner: a}", "{about: goal.churn, owner: b}")
    assert "assumptions[1].about: goal.churn is logged in assumptions[0] already; make one of the two" in said


def test_a_step_that_records_fill_may_be_logged(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    path = tmp_path / "plan.yaml"
    path.write_text(text[: text.index("transitions:")] + text[text.index("rounding: none") :], encoding="utf-8")
    assert "transitions.sqo.won.enterprise" in {each.about for each in read_plan(path).assumptions}


def test_the_schema_describes_the_log() -> None:
    schema = plan_schema()
    assert schema["properties"]["assumptions"]["description"].startswith("The assumption log")
    described = {name: bool(each["description"]) for name, each in schema["$defs"]["Assumption"]["properties"].items()}
    assert described == dict.fromkeys(("about", "owner", "source", "estimated", "expires", "note"), True)


# --- what has expired, what rests on little ------------------------------------------------------------------


def test_an_assumption_holds_to_the_end_of_its_last_day(tmp_path: Path) -> None:
    plan = logged(tmp_path, "{about: goal.churn, owner: Ann, estimated: 2026-10-01, expires: 2027-03-31}")
    assert list(expired(plan, date(2027, 3, 31))) == []
    assert list(expired(plan, date(2027, 4, 1))) == [
        "The assumption goal.churn held until 31 Mar 2027, last estimated on 1 Oct 2026; ask Ann for a new one."
    ]
    states = [assumption_log_table(plan, date(2027, month, 1))["state"][0] for month in (3, 4)]
    assert states == ["holds", "expired"]


def test_thirty_records_are_enough_and_twenty_nine_are_not(tmp_path: Path) -> None:
    """Evidence of the example above: lead to sql 30, sql to won 29, of mid 12; a cell's own counts, not its parent's."""
    places = ("lead.sql", "sql.won.rate", "sql.won.mid.lag")
    plan = logged(tmp_path, *(f"{{about: transitions.{place}, owner: a}}" for place in places))
    frame = assumption_log_table(plan, date(2027, 1, 1))
    assert frame["evidence"].tolist() == [30, 29, 12]
    assert frame["state"].tolist() == ["holds", "few records", "few records"]


def test_thin_rates_that_nobody_logged_are_named(tmp_path: Path) -> None:
    plan = logged(tmp_path, "{about: transitions.sql.won, owner: a}")
    assert [each.segment for each in thin_and_unlogged(plan)] == ["mid"]
    exhibit = assumption_log(open_workbook(tmp_path / "plan.yaml"))
    assert exhibit.notes == ("On few records, and not in the log: sql to won (mid).",)


def test_check_says_look_at_this_on_the_day_it_is_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path, "{about: goal.churn, owner: a, expires: 2026-12-31}")
    assert check_plan(path) == ()
    (line,) = check_plan(path, date(2027, 1, 1))
    assert line == "look at this: The assumption goal.churn held until 31 Dec 2026; ask a for a new one."


# --- the exhibit ---------------------------------------------------------------------------------------------


def test_the_exhibit_counts_and_puts_the_expired_first() -> None:
    book = open_workbook(EXAMPLE)
    exhibit = assumption_log(book, date(2027, 3, 1))
    assert exhibit.message == (
        "8 entries of the assumption log have an owner; 2 had expired on 1 Mar 2027, and 1 rests on fewer than 30 records."
    )
    assert exhibit.table is not None
    assert exhibit.table["what"].tolist()[:2] == ["opening ARR", "SQO to Won, enterprise"]
    assert exhibit.table["state"].tolist()[:3] == ["expired", "expired, 27 records", "holds"]
    assert exhibit.table["source"][0] == "subscriptions.csv: projected; the books of December replace it"
    assert "none had expired on 15 Nov 2026" in assumption_log(book).message


def test_a_plan_without_a_log_says_how_to_begin(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN.removesuffix("assumptions:\n"), encoding="utf-8")
    assert assumption_log(open_workbook(path)).message.startswith("No assumption is logged: add `assumptions`")
