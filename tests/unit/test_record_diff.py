"""What changed between two plans: found by value, told in words, each change with what it does alone."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest

from revplan.cli import main
from revplan.cli.answers import difference, printed
from revplan.ground.errors import PlanError
from revplan.record.difference import Difference, Side, changes_of, compare
from revplan.record.signing import sign
from revplan.workbook.workbook import open_workbook, plan_answer

PLAN = """\
name: FY27 base
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal: {opening_arr: 4_000_000, closing_arr: 5_000_000, churn: 0}
stages: [{id: lead}, {id: sql}, {id: won, label: Won}]
commit: {stage: sql, confidence: 0.8}
segments: {smb: {share: 0.5, acv: 10_000}, mid: {share: 0.5, acv: 20_000}}
sources: {web: {share: 0.6, cost_per_entry: 85}, partner: {share: 0.4, enters: sql}}
transitions:
  - {from: lead, to: sql, rate: 0.4, evidence: 200}
  - {from: sql, to: won, rate: 0.25, evidence: 90}
  - {from: sql, to: won, segment: mid, rate: 0.20, evidence: 60}
uncertainty: {rho: 0.3}
"""
CRM = "format: wide\nfiles: {leads: {path: leads.csv, id: id}}\nstages: {lead: leads.lead, sql: leads.sql, won: leads.won}\nsegment: leads.segment\nsource: leads.source\n"
LEADS = "id,segment,source,lead,sql,won\n1,smb,web,2026-01-05,2026-01-20,2026-02-10\n2,mid,web,2026-11-05,,\n"


def shown(a: Path, b: Path) -> str:
    """What `revplan diff` prints for a person."""
    return printed(difference(a, b, None)[1])


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def changed(tmp_path: Path):
    """Compares the plan with itself after some texts were replaced."""

    def make(*pairs: tuple[str, str], base: str = PLAN) -> Difference:
        later = base
        for old, new in pairs:
            assert old in later
            later = later.replace(old, new)
        return compare(write(tmp_path / "a" / "plan.yaml", base), write(tmp_path / "b" / "plan.yaml", later))

    return make


MIXED = PLAN.replace("{share: 0.6, cost_per_entry: 85}", "{share: 0.6}").replace(
    "rate: 0.25, evidence: 90", "rate: 0.3, evidence: 90"
)


def test_a_planned_conversion_is_parted_into_rate_and_mix(changed, tmp_path: Path) -> None:
    """smb needs 50 deals and mid 25: at 0.3 and 0.2 they are 166.67 and 125 SQLs, 25.7 % won together.

    With all ARR but a hundredth from smb these are 330 and 2.5, though every rate falls by a point.
    """
    changed(
        ("smb: {share: 0.5", "smb: {share: 0.99"), ("mid: {share: 0.5", "mid: {share: 0.01"),
        ("rate: 0.3, evidence: 90", "rate: 0.29, evidence: 90"), ("rate: 0.20, evidence: 60", "rate: 0.19, evidence: 60"),
        base=MIXED,
    )  # fmt: skip
    answer = difference(tmp_path / "a" / "plan.yaml", tmp_path / "b" / "plan.yaml", None)[0]["conversion"]
    assert answer["before"] == pytest.approx(75 / (50 / 0.3 + 25 / 0.2))
    smb, mid = 99 / 0.29, 0.5 / 0.19
    assert answer["after"] == pytest.approx(99.5 / (smb + mid))
    assert answer["rate"] == pytest.approx(-0.01)
    assert answer["mix"] == pytest.approx(answer["change"] + 0.01)
    assert answer["paradox"]
    said = shown(tmp_path / "a" / "plan.yaml", tmp_path / "b" / "plan.yaml")
    assert "SQL to Won as planned: 25.7% to 28.9% (+3.2 points)" in said
    assert (
        "every segment and source fell or stayed and the whole rose, Simpson's paradox: −1 by other rates, +4.2 by another mix"
        in said
    )


def test_a_conversion_that_stays_is_not_parted(changed, tmp_path: Path) -> None:
    changed(("closing_arr: 5_000_000", "closing_arr: 6_000_000"))
    assert "as planned" not in shown(tmp_path / "a" / "plan.yaml", tmp_path / "b" / "plan.yaml")


def test_plans_of_other_stages_have_no_conversion_in_common(changed, tmp_path: Path) -> None:
    changed(("{id: sql}", "{id: mql}"), ("stage: sql", "stage: mql"), ("enters: sql", "enters: mql"),
            ("to: sql", "to: mql"), ("from: sql", "from: mql"))  # fmt: skip
    assert difference(tmp_path / "a" / "plan.yaml", tmp_path / "b" / "plan.yaml", None)[0]["conversion"] is None


def told(found: Difference) -> list[str]:
    return [change.what for change in found.changes]


# --- what a change does, by hand -----------------------------------------------------------------------------


def test_a_lower_win_rate_takes_more_of_everything(changed) -> None:
    """Mid: 500,000 of new ARR are 25 deals. SQLs 25 / 0.20 = 125, then 25 / 0.18 = 138.889: 13.889 more.

    60 % of them are web's, which come from leads at 0.4: 13.889 * 0.6 / 0.4 = 20.833 more leads. Nothing
    lags, so each month's wins are its own entries, and the year's budget is that of the required leads:
    20.833 * 85 = 1,770.83.
    """
    found = changed(("rate: 0.20", "rate: 0.18"))
    (change,) = found.changes
    assert change.what == "SQL to Won, mid: rate 20% to 18%"
    assert change.effect is not None
    assert change.effect["commit"] == pytest.approx(25 / 0.18 - 25 / 0.20)
    assert change.effect["first"] == pytest.approx((25 / 0.18 - 25 / 0.20) * 0.6 / 0.4)
    assert change.effect["budget"] == pytest.approx(85 * (25 / 0.18 - 25 / 0.20) * 0.6 / 0.4, rel=1e-6)
    assert change.effect["arr"] == pytest.approx(0.0, abs=1)


def test_the_line_reads_as_a_planner_says_it(changed, tmp_path: Path) -> None:
    changed(("rate: 0.20", "rate: 0.18"))
    text = shown(tmp_path / "a/plan.yaml", tmp_path / "b/plan.yaml")
    (line,) = [line.split() for line in text.splitlines() if line.startswith("SQL to Won, mid: rate 20% to 18%")]
    (together,) = [line.split() for line in text.splitlines() if line.startswith("All together")]
    assert line[-4:-1] == together[-4:-1] == ["+20.8", "+13.9", "+1,771"]
    assert "acting on each other" not in text


def test_two_changes_act_on_each_other(changed) -> None:
    """Twice the share for mid and a lower rate there: the product of both is left when each's own part is taken off."""
    found = changed(
        ("rate: 0.20", "rate: 0.18"),
        ("share: 0.5, acv: 20_000", "share: 0.8, acv: 20_000"),
        ("share: 0.5, acv: 10_000", "share: 0.2, acv: 10_000"),
    )
    alone = {change.what.partition(":")[0]: change.effect["commit"] for change in found.changes}
    rate = 25 / 0.18 - 25 / 0.20
    shares = (40 - 25) / 0.20 + (20 - 50) / 0.25
    both = 40 / 0.18 - 25 / 0.20 + (20 - 50) / 0.25
    assert alone["SQL to Won, mid"] == pytest.approx(rate)
    assert alone["shares of new ARR by segment"] == pytest.approx(shares)
    assert found.together["commit"] == pytest.approx(both)
    assert found.interaction["commit"] == pytest.approx(both - rate - shares)


def test_together_is_what_the_two_plans_say(changed, tmp_path: Path) -> None:
    found = changed(
        ("rate: 0.20", "rate: 0.18"),
        ("cost_per_entry: 85", "cost_per_entry: 90"),
        ("closing_arr: 5_000_000", "closing_arr: 5_100_000"),
    )
    answers = [plan_answer(open_workbook(tmp_path / side / "plan.yaml")) for side in "ab"]
    assert found.together["first"] == pytest.approx(answers[1]["required"]["lead"] - answers[0]["required"]["lead"])
    assert found.together["commit"] == pytest.approx(answers[1]["required"]["sql"] - answers[0]["required"]["sql"])
    assert found.together["budget"] == pytest.approx(answers[1]["budget"]["web"] - answers[0]["budget"]["web"])


# --- every kind of change, in words --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("churn: 0", "churn: {monthly_rate: 0.01}", "churn $0 to 1% a month"),
        ("closing_arr: 5_000_000", "closing_arr: 5_500_000", "closing ARR $5M to $5.5M"),
        ("closing_arr: 5_000_000", "new_arr: 1_200_000", "new ARR none to $1.2M; closing ARR $5M to none"),
        ("churn: 0", "phasing: {quarters: [0.1, 0.2, 0.3, 0.4]}", "phasing shares of the quarters 25% / 25% / 25% / 25% to 10% / 20% / 30% / 40%"),
        ("churn: 0", "next_year_growth: 0.5", "growth of new ARR next year none to 50%"),
        ("acv: 20_000", "acv: {mean: 22_000, sd: 9_000}", "mid, deal $20k to $22k ± $9k"),
        ("cost_per_entry: 85", "cost_per_entry: 85.001", "web, cost per entry 85 to 85.001"),
        ("cost_per_entry: 85", "max_per_month: 900", "web, cost per entry $85 to none"),
        ("enters: sql", "enters: lead", "partner, enters at SQL to Lead"),
        ("share: 0.6, cost_per_entry: 85}, partner: {share: 0.4", "share: 0.5, cost_per_entry: 85}, partner: {share: 0.5", "shares of new ARR by source: web 60% to 50%, partner 40% to 50%"),
        ("evidence: 60", "evidence: 20", "SQL to Won, mid: evidence 60 to 20"),
        ("evidence: 90}", "evidence: 90, lag: {months: 1}}", "SQL to Won: lag at once to 1 month"),
        ("segment: mid, rate: 0.20", "segment: mid, source: web, rate: 0.20", "SQL to Won, mid: removed"),
        ("segment: mid, rate: 0.20", "segment: mid, source: web, rate: 0.20", "SQL to Won, mid x web: added (20%, at once)"),
        ("stage: sql", "stage: lead", "commit stage SQL to Lead"),
        ("confidence: 0.8", "confidence: 0.9", "confidence 80% to 90%"),
        ("rho: 0.3", "rho: 0.5", "how far rates move together 0.3 to 0.5"),
        ("plan_date: 2026-11-15", "plan_date: 2026-12-01", "plan date 15 Nov 2026 to 1 Dec 2026"),
        ("stages: [{id: lead}", "rounding: spreadsheet\nstages: [{id: lead}", "rounding none to spreadsheet"),
        ("label: Won", "label: Signed", "stages Lead - SQL - Won to Lead - SQL - Signed"),
        ("smb: {share: 0.5, acv: 10_000}, mid: {share: 0.5", "smb: {share: 0.3, acv: 10_000}, big: {share: 0.2, acv: 90_000}, mid: {share: 0.5", "smb, share of new ARR 50% to 30%; segment big added (deal $90k, share of new ARR 20%)"),
    ],
)  # fmt: skip
def test_each_change_in_words(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in PLAN
    texts = {"a": PLAN, "b": PLAN.replace(old, new)}
    books = [open_workbook(write(tmp_path / side / "plan.yaml", text)) for side, text in texts.items()]
    assert words in [change.what for change in changes_of(*(Side(book, {}, None) for book in books))]


def test_less_evidence_asks_for_more_to_sign_and_nothing_else(changed) -> None:
    (change,) = changed(("evidence: 60", "evidence: 8")).changes
    assert change.effect["signed"] > 1
    assert [change.effect[name] for name in ("first", "commit", "budget", "arr")] == pytest.approx([0] * 4, abs=1e-6)


def test_changes_without_effect_are_listed_as_such(changed, tmp_path: Path) -> None:
    found = changed(
        ("name: FY27 base", "name: FY27 next"),
        ("acv: 20_000}", "acv: 20_000, basis: CRM}"),
        ("enters: sql}", "enters: sql, owner: partner}"),
        ("uncertainty:", "assumptions: [{about: goal.churn, owner: a}]\nscenarios: {bad: {volume: 0.9}}\nuncertainty:"),
    )
    assert all(change.does_nothing for change in found.changes)
    assert set(told(found)) == {
        "name FY27 base to FY27 next",
        "mid, basis changed",
        "partner, owner marketing to partner",
        "assumption log: goal.churn",
        "scenario bad added (volume 0.9)",
    }
    text = shown(tmp_path / "a/plan.yaml", tmp_path / "b/plan.yaml")
    assert "Without effect on the numbers:\n- " in text
    assert "All together" not in text


def test_another_text_of_the_same_values_is_no_change(changed, tmp_path: Path) -> None:
    found = changed(("20_000", "2e4"), ("# ", "# ") if "# " in PLAN else ("rate: 0.20", "rate: 2.0e-1"))
    assert found.changes == ()
    assert shown(tmp_path / "a/plan.yaml", tmp_path / "b/plan.yaml") == "Nothing changed."


def test_a_removed_segment_takes_its_rates_with_it(changed) -> None:
    found = changed(
        ("smb: {share: 0.5, acv: 10_000}, mid: {share: 0.5, acv: 20_000}", "smb: {share: 1.0, acv: 10_000}"),
        ("  - {from: sql, to: won, segment: mid, rate: 0.20, evidence: 60}\n", ""),
    )
    (change,) = found.changes
    assert change.what == "smb, share of new ARR 50% to 100%; segment mid removed; SQL to Won, mid: removed"
    assert change.effect == pytest.approx(found.together)


def test_what_cannot_stand_alone_is_said_and_counted_in_the_rest(changed, tmp_path: Path) -> None:
    """The general rate goes and one for smb comes: without the second, smb has no rate at all."""
    found = changed(("- {from: sql, to: won, rate: 0.25", "- {from: sql, to: won, segment: smb, rate: 0.30"))
    effects = {change.what: change.effect for change in found.changes}
    assert effects["SQL to Won: removed"] is None
    assert effects["SQL to Won, smb: added (30%, at once)"]["commit"] == pytest.approx(found.together["commit"])
    text = shown(tmp_path / "a/plan.yaml", tmp_path / "b/plan.yaml")
    (line,) = [line.split() for line in text.splitlines() if line.startswith("SQL to Won: removed")]
    assert set(line[4:]) == {"–"}
    assert "–: the change cannot stand alone" in text


def test_another_list_of_stages_is_one_change(changed) -> None:
    found = changed(
        ("stages: [{id: lead}, {id: sql}", "stages: [{id: lead}, {id: mql}, {id: sql}"),
        (
            "- {from: lead, to: sql, rate: 0.4, evidence: 200}",
            "- {from: lead, to: mql, rate: 0.5}\n  - {from: mql, to: sql, rate: 0.5}",
        ),
    )
    (change,) = found.changes
    assert change.what.startswith("stages Lead - SQL - Won to Lead - MQL - SQL - Won; ")
    assert "Lead to MQL: added (50%, at once)" in change.what
    assert change.effect["first"] == pytest.approx(found.together["first"])


def test_two_currencies_are_not_compared(changed) -> None:
    with pytest.raises(
        PlanError, match="currency: the plans are in USD and EUR: money of two currencies is not compared"
    ):
        changed(("name: FY27 base", "name: FY27 base\ncurrency: EUR"))


def test_hostile_names_stay_on_their_line(tmp_path: Path) -> None:
    name = "x\\n\\u001b[31m" + "y" * 300
    base = PLAN.replace("mid:", f'"{name}":').replace("segment: mid", f'segment: "{name}"')
    paths = [
        write(tmp_path / side / "plan.yaml", text)
        for side, text in (("a", base), ("b", base.replace("20_000", "21_000")))
    ]
    text = shown(paths[0], paths[1])
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) < 250


# --- records and signed folders ------------------------------------------------------------------------------


@pytest.fixture
def recorded(tmp_path: Path) -> tuple[Path, Path]:
    """Two plans with records of their own."""
    slow = PLAN.replace("evidence: 60}", "evidence: 60, lag: {median_days: 60, p90_days: 150}}")
    text = slow + "history: {leads: crm.yaml}\n"
    for side in "ab":
        write(tmp_path / side / "crm.yaml", CRM)
        write(tmp_path / side / "leads.csv", LEADS)
        write(tmp_path / side / "plan.yaml", text)
    return tmp_path / "a/plan.yaml", tmp_path / "b/plan.yaml"


def test_other_records_are_a_change_of_their_own(recorded: tuple[Path, Path]) -> None:
    a, b = recorded
    assert compare(a, b).changes == ()
    write(b.parent / "leads.csv", LEADS + "3,mid,partner,,2026-11-10,\n")
    found = compare(a, b)
    assert told(found) == ["records: leads.csv changed"]
    assert found.changes[0].effect == pytest.approx(found.together)
    assert found.together["budget"] != 0 or found.together["arr"] != 0 or found.together["signed"] != 0


def test_records_are_read_to_the_plan_date(recorded: tuple[Path, Path]) -> None:
    a, b = recorded
    write(b, b.read_text(encoding="utf-8").replace("2026-11-15", "2026-12-15"))
    found = compare(a, b)
    assert told(found) == ["plan date 15 Nov 2026 to 15 Dec 2026; records: read to another day"]
    assert found.changes[0].effect == pytest.approx(found.together)


def test_a_signed_plan_is_compared_as_it_was_signed(recorded: tuple[Path, Path]) -> None:
    a, b = recorded
    record = sign(a, ["Anna"], date(2026, 11, 22))
    write(a, a.read_text(encoding="utf-8").replace("rate: 0.20", "rate: 0.18"))
    found = compare(record.folder, a)
    assert told(found) == ["SQL to Won, mid: rate 20% to 18%"]
    assert found.notes == ()
    assert compare(record.folder, b).changes == ()
    (record.folder / "inputs" / "leads.csv").write_text(LEADS + "\n", encoding="utf-8")
    with pytest.raises(PlanError, match=r"inputs/leads\.csv|leads\.csv: was altered after signing"):
        compare(record.folder, a)


def test_the_command_prints_and_answers(recorded: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    a, b = map(str, recorded)
    assert main(["diff", a, b]) == 0
    assert capsys.readouterr().out == "Nothing changed.\n"
    write(recorded[1], recorded[1].read_text(encoding="utf-8").replace("rate: 0.20", "rate: 0.18"))
    assert main(["diff", a, b, "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    (change,) = answer["changes"]
    assert change["what"] == "SQL to Won, mid: rate 20% to 18%"
    assert change["alone"] == answer["together"]
    assert answer["stages"] == {"first": "lead", "commit": "sql"}
    assert main(["diff", a, str(recorded[0].parent)]) == 2
    assert "is no signed plan: it has no readable CONTENTS.sha256" in capsys.readouterr().err
