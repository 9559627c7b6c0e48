"""One number to sign: the page, the terminal, both answers in JSON and the signed folder say the same, above ceilings it is asked."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from revplan.cli import main
from revplan.crm.planfile import read_plan
from revplan.exhibits import annual_commit, deliveries
from revplan.funnel.year import Snapshot, plan_year
from revplan.ground.errors import PlanError
from revplan.ground.formats import plural, show
from revplan.plan.model import Plan
from revplan.record.signed import read_record
from revplan.record.signing import Terms, sign
from revplan.simulation.scenarios import largest_scales
from revplan.simulation.simulate import simulate
from revplan.workbook.signing import ToSign, at_confidence, ceiling_words, expected_words, sentence, to_sign_words
from revplan.workbook.workbook import open_workbook

DAY = date(2026, 11, 22)
PLAN = """\
name: FY27
year: {{first_month: 2027-01}}
plan_date: {plan_date}
goal: {{new_arr: 1_000_000}}
stages: [{{id: lead}}, {{id: sql}}, {{id: won}}]
commit: {{stage: sql, confidence: 0.8}}  # agreed
segments: {{smb: {{share: 0.5, acv: 10_000}}, mid: {{share: 0.5, acv: 20_000}}}}
sources: {{web: {{share: 0.6, cost_per_entry: 85{ceiling}}}, partner: {{share: 0.4, enters: sql}}}}
transitions:
  - {{from: lead, to: sql, rate: 0.4, evidence: 200, lag: {{median_days: 10, p90_days: 30}}}}
  - {{from: sql, to: won, rate: 0.25, evidence: 90, lag: {{median_days: 60, p90_days: 150}}}}
"""


def plan_in(folder: Path, plan_date: str = "2026-08-15", ceiling: str = "") -> Path:
    path = folder / "plan.yaml"
    path.write_text(PLAN.format(plan_date=plan_date, ceiling=ceiling), encoding="utf-8")
    return path


def asked_of(**changes: Any) -> ToSign:
    """What a plan of one source and certain or uncertain rates asks for."""
    plan = {
        "year": {"first_month": "2027-01"},
        "plan_date": "2026-10-01",
        "stages": "single",
        "segments": {"all": {"acv": 9000}},
        "sources": {"web": {}},
        "goal": {"new_arr": 1e6},
        "transitions": [{"from": "lead", "to": "won", "rate": 0.1, "evidence": 40, "lag": {"months": 1}}],
    }
    return ToSign(simulate(plan_year(Plan.model_validate(plan | changes), Snapshot())))


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


# --- one number everywhere -----------------------------------------------------------------------------------


def test_page_terminal_answers_and_folder_say_one_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = plan_in(tmp_path)
    told, simulated = answer(capsys, "plan", str(path))["sign"], answer(capsys, "simulate", str(path))["signed"]
    folder = read_record(answer(capsys, "sign", str(path), "--by", "Anna", "--on", "2026-11-22")["folder"])
    assert main(["plan", str(path)]) == 0
    terminal, book = capsys.readouterr().out, open_workbook(path)
    stages = ("lead", "sql", "won")
    assert {key: told[key] for key in (*stages, "confidence")} == {
        key: simulated[key] for key in (*stages, "confidence")
    }
    assert all(isinstance(told[stage], int) for stage in stages)
    number = told["sql"]
    assert number > book.stages.set_index("stage")["commit"]["sql"]
    assert (folder.signature.signed, folder.signature.scale) == (number, simulated["scale"])
    assert folder.results["plan"]["sign"] == told
    assert folder.results["simulate"]["signed"] == simulated
    said = f"To sign: {number} SQLs, which reach the goal in 80% of the years."
    for text in (terminal, book.headline, annual_commit.summary(book).message):
        assert said in text
    assert f"Signed: {number} SQLs, which reach the goal in 80% of the years." in (
        folder.folder / "README.md"
    ).read_text(encoding="utf-8")


def test_another_number_of_trials_may_move_simulate_but_not_what_is_signed(tmp_path: Path) -> None:
    book = open_workbook(plan_in(tmp_path))
    assert (book.simulation.trials, book.simulation.seed) == (8192, 1)
    assert sign(tmp_path / "plan.yaml", ["A"], DAY, tmp_path / "out").signature.signed == book.to_sign.number


def test_months_quarters_and_sources_add_up_to_the_number_to_sign(tmp_path: Path) -> None:
    book = open_workbook(plan_in(tmp_path))
    months = deliveries.monthly_commit(book).table.set_index("row")
    of_year = [name for name in months.columns if name not in {"before", "year"}]
    quarters = deliveries.commit_sheet(book).table.set_index("stage")
    for stage, title in (("lead", "Lead"), ("sql", "SQL"), ("won", "Won")):
        assert months.loc[title, of_year].sum() == months.loc[title, "year"] == book.to_sign.entries[stage]
        assert quarters.loc[title, list(book.quarters["quarter"])].sum() == book.to_sign.entries[stage]
    assert "to sign (80% sure) run from" in deliveries.monthly_commit(book).message


# --- in words ------------------------------------------------------------------------------------------------


def test_a_coin_toss_is_said_only_of_one() -> None:
    even, unlikely = asked_of(), asked_of(sources={"web": {"max_per_month": 80}})
    assert 0.4 < even.chance < 0.6
    assert expected_words(even).endswith("of the years, about a coin toss")
    assert unlikely.chance < 0.4
    assert "coin" not in sentence(unlikely)


def test_ceilings_allow_the_chance_of_the_goal_at_them() -> None:
    asked = asked_of(sources={"web": {"max_per_month": 130}})
    (most,) = asked.ceilings.values()
    assert most > 1
    year = asked.simulation.year
    at_them = plan_year(year.plan, Snapshot())
    flows = tuple(flow * most for flow in at_them.flows)
    chance = simulate(replace(at_them, flows=flows)).outcome.chance_of_goal.value
    assert asked.highest_within_ceilings == pytest.approx(chance, abs=1e-6)
    assert ceiling_words(asked) == f"Within the ceiling of web the chance is {show(round(chance, 3), 'share')} at most"
    assert ceiling_words(asked_of()).startswith("No source states a ceiling")


def test_growth_is_a_ceiling_against_what_came_before() -> None:
    plan = asked_of().simulation.year.plan
    grown = plan.model_copy(
        update={"sources": type(plan.sources)({"web": plan.sources["web"].model_copy(update={"max_growth": 0.1})})}
    )
    year = plan_year(grown, Snapshot(recent={("all", "web"): 60.0}))
    first = float(year.flows[0][0][0])
    assert largest_scales(year) == {"web": pytest.approx(66 / first)}
    assert largest_scales(plan_year(grown, Snapshot())) == {}


def test_what_exists_already_needs_no_number() -> None:
    asked = asked_of(goal={"opening_arr": 1e6, "closing_arr": 1e6, "new_arr": 0})
    assert sentence(asked) == "To sign: nothing, for the year asks for no new ARR."
    assert asked.number == 0


def test_certain_inputs_leave_the_luck_of_whole_deals() -> None:
    certain = [{"from": "lead", "to": "won", "rate": 0.1, "lag": {"months": 1}}]
    asked = asked_of(transitions=certain, uncertainty={"rho": 0, "lag_cv": 0, "volume_cv": 0})
    assert asked.number is not None
    assert asked.number > asked.expected["lead"]  # deals come whole: the mean is reached about every second time
    assert f"{asked.number:,} {plural('Qualified lead')}, which reach the goal in 80% of the years" == to_sign_words(
        asked
    )
    even = at_confidence(asked.simulation, asked.chance)
    assert even.scale == pytest.approx(1, abs=0.01)


def test_no_volume_is_told_with_the_highest_chance_there_is() -> None:
    asked = asked_of(plan_date="2027-12-01", transitions=[
        {"from": "lead", "to": "won", "rate": 0.1, "evidence": 40, "lag": {"months": 2}}])  # fmt: skip
    assert (asked.number, asked.scale, asked.offered) == (None, None, None)
    assert sentence(asked).startswith("To sign: no number of Qualified leads reaches the goal in 80% of the years.")


# --- asked above a ceiling -----------------------------------------------------------------------------------


def test_above_a_ceiling_nothing_is_signed_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = plan_in(tmp_path, ceiling=", max_per_month: 20"), tmp_path / "out"
    command = ["sign", str(path), "--by", "Anna", "--on", "2026-11-22", "--out", str(out)]
    assert main(command) == 2
    refused = capsys.readouterr().err
    assert list(out.iterdir()) == []
    assert re.search(
        r"within the ceiling of web the chance is [0-9.]+% at most\. Nothing was signed\. Add one of:", refused
    )
    lines = [line.split() for line in refused.splitlines() if line.strip().startswith("--") and " signs " in line]
    assert [line[0] for line in lines] == ["--confidence", "--above-ceilings"]

    assert main([*command, *lines[0][:2]]) == 0
    (within,) = out.iterdir()
    record = read_record(within)
    assert f"{record.signature.signed:,.0f}" == lines[0][3]
    assert record.signature.confidence == float(lines[0][1])
    assert not open_workbook(record.plan_path).to_sign.is_above_ceilings
    assert record.plan_path.read_text(encoding="utf-8") != path.read_text(encoding="utf-8")
    assert read_plan(record.plan_path).commit.confidence == record.signature.confidence
    assert read_plan(path).commit.confidence == 0.8  # the plan itself is left alone

    assert main([*command, "--above-ceilings"]) == 0
    above = next(folder for folder in out.iterdir() if folder != within)
    assert read_record(above).signature.signed == open_workbook(path).to_sign.number


def test_whoever_is_there_is_asked(tmp_path: Path) -> None:
    path, asked = plan_in(tmp_path, ceiling=", max_per_month: 20"), []

    def yes(question: str) -> bool:
        asked.append(question)
        return True

    number = open_workbook(path).to_sign.number
    assert sign(path, ["A"], DAY, tmp_path / "yes", terms=Terms(ask=yes)).signature.signed == number
    assert len(asked) == 1
    assert asked[0].startswith(
        f"To sign are {number} SQLs, which reach the goal in 80% of the years; within the ceiling of web"
    )
    with pytest.raises(PlanError, match="--above-ceilings"):
        sign(path, ["A"], DAY, tmp_path / "no", terms=Terms(ask=lambda _: False))
    assert list((tmp_path / "no").iterdir()) == []


LATE = """\
year: {first_month: 2027-01}
plan_date: 2027-12-01
goal: {new_arr: 100_000}
stages: [{id: lead}, {id: won}]
segments: {all: {acv: 10_000}}
sources: {web: {}}
transitions: [{from: lead, to: won, rate: 0.25, evidence: 60, lag: {months: 1}}]
history: {leads: crm.yaml}
"""
CRM = """\
format: wide
files: {leads: {path: leads.csv, id: id}}
stages: {lead: leads.lead, won: leads.won}
"""


def test_where_no_volume_gives_it_a_lower_confidence_is_offered(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"  # a lead of December is won in the next year: 40 open ones must bring ten wins
    path.write_text(LATE, encoding="utf-8")
    (tmp_path / "crm.yaml").write_text(CRM, encoding="utf-8")
    leads = "".join(f"{number},2027-11-{1 + number % 28:02},\n" for number in range(40))
    (tmp_path / "leads.csv").write_text(f"id,lead,won\nold,2027-01-04,2027-02-05\n{leads}", encoding="utf-8")
    asked = open_workbook(path).to_sign
    assert asked.scale is None
    assert asked.offered is not None
    assert asked.offered <= asked.highest_within_ceilings < asked.offered + 0.01
    assert sentence(asked).startswith(
        "To sign: no number of Leads reaches the goal in 80% of the years. Expected commit:"
    )
    with pytest.raises(PlanError, match=f"--confidence {asked.offered:g} signs"):
        sign(path, ["A"], DAY, tmp_path / "out")
    signed = sign(path, ["A"], DAY, tmp_path / "out", terms=Terms(ask=lambda _: True)).signature
    assert signed.confidence == asked.offered
    assert signed.signed == at_confidence(asked.simulation, asked.offered).number


@pytest.mark.parametrize("text", ["80", "0", "1", "half"])
def test_a_confidence_is_a_chance(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["sign", str(plan_in(tmp_path)), "--by", "A", "--confidence", text])
    assert stopped.value.code == 2
    assert "write it as 0.62" in capsys.readouterr().err
