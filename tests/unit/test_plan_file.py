"""The plan file: bad input with its line and its cure, defaults, and what YAML says."""

from __future__ import annotations

import json
import pickle
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from revplan.crm.planfile import plan_schema, read_plan
from revplan.ground.errors import PlanError
from revplan.plan.model import Plan
from revplan.plan.stages import PRESETS

ROOT = Path(__file__).resolve().parents[2]

SMALLEST = """\
goal: {new_arr: 1_000_000}
segments: {all: {acv: 10_000}}
sources: {web: {}}
stages: single
transitions:
  - {from: lead, to: won, rate: 0.25}
"""

# Line by line, so that a test can say where a fault stands.
PLAN = """\
name: FY27 base
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal:
  opening_arr: 8_000_000
  closing_arr: 13_000_000
  churn: {rate: 0.08}
stages: [{id: lead}, {id: mql}, {id: sql}, {id: won}]
commit: {stage: sql}
segments:
  smb: {share: 0.35, acv: 9_000}
  mid: {share: 0.65, acv: 32_000}
sources:
  inbound: {share: 0.6}
  outbound: {share: 0.4, enters: sql, owner: sales}
transitions:
  - {from: lead, to: mql, rate: 0.25}
  - {from: mql, to: sql, rate: 0.40, lag: {months: 1}}
  - from: sql
    to: won
    rate: 0.24
    lag: {median_days: 60, p90_days: 150}
  - {from: sql, to: won, segment: mid, rate: 0.20}
"""


@pytest.fixture
def faults(tmp_path: Path) -> Any:
    """The faults of a plan file with this text: their places and messages as one line each."""

    def of(text: str | bytes, name: str = "plan.yaml") -> list[str]:
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(PlanError) as error:
            read_plan(path)
        assert str(error.value).splitlines() == [str(fault) for fault in error.value.faults]
        return [str(fault) for fault in error.value.faults]

    return of


@pytest.fixture
def read(tmp_path: Path) -> Any:
    def of(text: str) -> Plan:
        (tmp_path / "plan.yaml").write_text(text, encoding="utf-8")
        return read_plan(tmp_path / "plan.yaml")

    return of


def changed(old: str, new: str) -> str:
    assert PLAN.count(old) == 1
    return PLAN.replace(old, new)


# --- one fault, its line and its cure ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        # a value out of its range
        ("rate: 0.24", "rate: 25", 21, ["transitions[2].rate", "got 25", "at most 1", "0.25 for 25 %"]),
        ("rate: 0.24", "rate: 0", 21, ["transitions[2].rate", "got 0", "at least"]),
        ("rate: 0.24", "rate: -0.1", 21, ["got -0.1", "at least"]),
        ("acv: 9_000", "acv: -9_000", 11, ["segments.smb.acv", "got -9000", "more than 0"]),
        ("acv: 9_000", "acv: 0", 11, ["segments.smb.acv", "got 0", "more than 0"]),
        ("rate: 0.24", "rate: 0.24\n    evidence: 0", 22, ["transitions[2].evidence", "got 0", "more than 0"]),
        # numbers that are none
        ("acv: 9_000", "acv: .nan", 11, ["segments.smb.acv", "finite number"]),
        ("acv: 9_000", "acv: .inf", 11, ["segments.smb.acv", "finite number"]),
        ("acv: 9_000", "acv: 1e308", 11, ["segments.smb.acv", "1e+308", "at most 1,000,000,000,000"]),
        ("rate: 0.24", "rate: true", 21, ["transitions[2].rate", "plain number"]),
        ("rate: 0.24", "rate: 24%", 21, ["transitions[2].rate", "'24%'", "plain number"]),
        ("rate: 0.24", "rate: '0.24'", 21, ["transitions[2].rate", "plain number"]),
        # keys
        ("rate: 0.24", "rate: 0.24\n    quotta: 3", 22, ["quotta", "unknown key", "allowed here", "evidence"]),
        ("name: FY27 base", "quotta: 3", 1, ["unknown key 'quotta'", "goal", "segments"]),
        ("owner: sales", "ownr: sales", 15, ["sources.outbound.ownr", "did you mean 'owner'"]),
        ("name: FY27 base", "budget: {x: 3}", 1, ["budget", "does not compute", "take the block out"]),
        # shares
        ("share: 0.35", "share: 0.40", 10, ["segments", "sum to 1.05", "must sum to 1", "smb 0.4", "mid 0.65"]),
        ("share: 0.4,", "share: 0.45,", 13, ["sources", "sum to 1.05", "inbound 0.6", "outbound 0.45"]),
        # what points elsewhere
        ("segment: mid", "segment: midd", 23, ["transitions[3].segment", "'midd' is no segment", "smb, mid"]),
        ("commit: {stage: sql}", "commit: {stage: sqo}", 9, ["commit.stage", "'sqo' is no stage", "lead, mql, sql, won"]),
        ("enters: sql", "enters: won", 15, ["sources.outbound.enters", "stage before won", "lead, mql, sql"]),
        ("stages: [{id: lead}, {id: mql}, {id: sql}, {id: won}]", "stages: sastr", 8, ["no preset 'sastr'", "saastr, sirius"]),
        # dates
        ("plan_date: 2026-11-15", "plan_date: 2028-01-01", 3, ["2028-01-01 lies after the year", "2027-12-31"]),
        ("plan_date: 2026-11-15", "plan_date: soon", 3, ["plan_date", "'soon'", "2026-11-15"]),
        ("first_month: 2027-01", "first_month: 2027-13", 2, ["year.first_month", "'2027-13'", "2027-01"]),
        # lags
        ("{months: 1}", "{months: 1.5}", 18, ["transitions[1].lag.months", "whole number", "weights"]),
        ("{months: 1}", "{median_days: 9}", 18, ["transitions[1].lag", "median_days with p90_days"]),
        ("p90_days: 150", "p90_days: 50", 22, ["transitions[2].lag", "p90_days is 50", "median_days 60"]),
        ("{months: 1}", "{weights: [0.9, 0.2]}", 18, ["transitions[1].lag", "sum to 1.1"]),
        # the goal
        ("closing_arr: 13_000_000", "closing_arr: 7_000_000", 4, ["goal", "new_arr solves to -360,000.00", "cannot be"]),
        ("churn: {rate: 0.08}", "churn: {rate: 0.08, amount: 5}", 7, ["goal.churn", "give one of: amount, rate"]),
        (
            "churn: {rate: 0.08}",
            "phasing: {quarters: [0.3, 0.3, 0.3, 0.3]}",
            7,
            ["goal.phasing", "quarters sum to 1.2", "must sum to 1"],
        ),
        (
            "churn: {rate: 0.08}",
            "phasing: {quarters: [0.4, 0.3, 0.3]}",
            7,
            ["goal.phasing.quarters", "3 entries", "needs 4"],
        ),
    ],
)  # fmt: skip
def test_a_fault_says_where_it_stands_and_what_to_do(
    faults: Any, old: str, new: str, line: int, words: list[str]
) -> None:
    (fault,) = faults(changed(old, new))
    assert fault.startswith(f"plan.yaml line {line}")
    assert [word for word in words if word not in fault] == []


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("from: sql\n    to: won\n", "to: won\n", 19, ["transitions[2].from", "is missing"]),
        ("to: mql, rate: 0.25", "to: sql, rate: 0.25", 17, ["lead and sql are not next to each other", "lead - mql - sql"]),
        ("from: lead, to: mql", "from: mql, to: lead", 17, ["mql comes after lead", "turn the pair round"]),
        ("{id: mql}", "{id: MQL}", 8, ["stages[1].id", "'MQL'"]),
    ],
)  # fmt: skip
def test_a_fault_that_leaves_a_step_without_its_rate(
    faults: Any, old: str, new: str, line: int, words: list[str]
) -> None:
    found = faults(changed(old, new))
    assert any(fault.startswith(f"plan.yaml line {line},") and all(word in fault for word in words) for fault in found)


@pytest.mark.parametrize(
    ("number", "words"), [(".nan", "finite"), (".inf", "finite"), ("1e308", "at most"), ("-5", "at least 0")]
)
def test_a_goal_that_is_no_amount(faults: Any, number: str, words: str) -> None:
    found = faults(changed("opening_arr: 8_000_000", f"opening_arr: {number}"))
    assert any(fault.startswith("plan.yaml line 5, goal.opening_arr: got ") and words in fault for fault in found)


def test_a_step_without_a_rate(faults: Any) -> None:
    (fault,) = faults(changed("  - {from: mql, to: sql, rate: 0.40, lag: {months: 1}}\n", ""))
    assert fault.startswith("plan.yaml line 16, transitions")
    # outbound enters at sql and needs none
    assert "no rate from mql to sql for smb x inbound, mid x inbound" in fault
    assert "{from: mql, to: sql, rate: ...}" in fault


def test_a_source_needs_a_rate_from_the_stage_where_it_enters_on(faults: Any) -> None:
    (fault,) = faults(PLAN.replace("  - from: sql\n    to: won\n", "  - from: sql\n    to: won\n    source: inbound\n"))
    assert "no rate from sql to won for smb x outbound;" in fault  # mid has its own


def test_a_transition_said_twice(faults: Any) -> None:
    (fault,) = faults(PLAN + "  - {from: lead, to: mql, rate: 0.3}\n")
    assert fault.startswith("plan.yaml line 24")
    assert "says again what transitions[0] says" in fault


def test_stages_said_twice(faults: Any) -> None:
    found = faults(changed("{id: sql}, {id: won}", "{id: mql}, {id: won}"))
    assert any(
        fault.startswith("plan.yaml line 8, stages") and "'mql' stands in the list twice" in fault for fault in found
    )


def test_no_transition_at_all(faults: Any) -> None:
    (fault,) = faults(SMALLEST.split("transitions")[0])
    assert "transitions: is missing" in fault
    assert "lead - won" in fault
    assert "history" in fault


def test_what_must_be_there(faults: Any) -> None:
    found = faults("name: nothing\n")
    missing = [fault.split(":")[0].split(", ")[-1] for fault in found if "is missing" in fault]
    assert missing == ["goal", "segments", "sources"]
    assert all(fault.startswith("plan.yaml line 1, ") for fault in found)


# --- all at once ---------------------------------------------------------------------------------------------


def test_many_faults_come_at_once_in_the_order_of_the_file(faults: Any) -> None:
    text = PLAN
    for old, new in [
        ("plan_date: 2026-11-15", "plan_date: 2028-03-01"),
        ("commit: {stage: sql}", "commit: {stage: sqo}"),
        ("share: 0.35, acv: 9_000", "share: 0.40, acv: -9_000"),
        ("owner: sales", "quotta: 5"),
        ("from: lead, to: mql, rate: 0.25", "from: lead, to: mql, rate: 25"),
        ("from: mql, to: sql", "from: mql, to: won"),
        ("segment: mid", "segment: midd"),
    ]:
        assert text.count(old) == 1
        text = text.replace(old, new)
    found = faults(text)
    lines = [int(fault.split("line ")[1].split(",")[0]) for fault in found]
    assert lines == sorted(lines)
    for line, words in [
        (3, "lies after the year"),
        (9, "'sqo' is no stage"),
        (10, "shares sum to 1.05"),
        (11, "acv: got -9000"),
        (15, "unknown key 'quotta'"),
        (17, "rate: got 25"),
        (18, "mql and won are not next to each other"),
        (23, "'midd' is no segment"),
    ]:
        assert any(fault.startswith(f"plan.yaml line {line},") and words in fault for fault in found), words


def test_a_wrong_value_hides_no_other_fault_and_makes_none(faults: Any) -> None:
    """A share that is text keeps the sum of the shares from being judged, and nothing else."""
    text = changed("share: 0.35", "share: half").replace("rate: 0.24", "rate: 24")
    assert len(faults(text)) == 2


# --- files that are no plan ----------------------------------------------------------------------------------


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"plann\.yaml: there is no such file in the folder .*; check the name"):
        read_plan(tmp_path / "plann.yaml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="is a folder; give the file in it"):
        read_plan(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ["holds nothing", "must hold keys"]),
        ("- a\n- b\n", ["holds a list", "must hold keys"]),
        ("just text", ["holds plain text; give the plan file (YAML)"]),
        (b"name: caf\xe9\n", ["not UTF-8", "byte 9", "save it as UTF-8"]),
        (SMALLEST.encode("utf-16"), ["not UTF-8"]),
        ("goal: {new_arr: 1\nname: x\n", ["line", "not YAML"]),
        ("goal: 1\n\tname: x\n", ["line 2", "has a tab", "use spaces"]),
        (SMALLEST + "---\n" + SMALLEST, ["not YAML", "another document"]),
        ("a: " + "[" * 1500, ["not readable as YAML"]),
        (b"x" * 2_000_001, ["has more than 2 MB", "REVPLAN_MAX_MB"]),
    ],
    ids=["empty", "list", "text", "latin-1", "utf-16", "brace", "tab", "two documents", "deep", "large"],
)
def test_what_is_no_plan_is_refused(faults: Any, text: str | bytes, words: list[str]) -> None:
    (fault,) = faults(text)
    assert fault.startswith("plan.yaml")
    assert [word for word in words if word not in fault] == []


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system ['echo 1 > ran']",
        "!!python/name:os.system",
        "!mine {a: 1}",
        "!!python/tuple [1]",
    ],
)
def test_a_tag_that_asks_for_an_object_is_refused_and_nothing_runs(
    faults: Any, tag: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (fault,) = faults(SMALLEST + f"name: {tag}\n")
    assert fault.startswith("plan.yaml line 7")
    assert "tag" in fault
    assert "take the tag out" in fault
    assert not (tmp_path / "ran").exists()


def test_a_key_given_twice_is_refused(faults: Any) -> None:
    (fault,) = faults(SMALLEST + "goal: {new_arr: 5}\n")
    assert fault.startswith("plan.yaml line 7")
    assert fault.endswith(": 'goal' is given twice; keep one")


@pytest.mark.parametrize(("odd", "name"), [("\0", "U+0000"), ("\x07", "U+0007")])
def test_an_invisible_character_is_told_with_its_line(faults: Any, odd: str, name: str) -> None:
    (fault,) = faults(f"name: a\nowner: b{odd}c\n")
    assert fault == f"plan.yaml line 2: holds an invisible character ({name}) that YAML does not allow; delete it"


def test_a_folder_a_table_and_a_crm_file_are_no_plan(tmp_path: Path) -> None:
    folder = tmp_path / "my plan"
    folder.mkdir()
    wanted = "give the plan file (YAML), whose `history: {leads: ...}` names the CRM file"
    (tmp_path / "leads.csv").write_text("id,created\n1,2026-01-01 10:00\n")
    (tmp_path / "crm.yaml").write_text("format: wide\nfiles: {leads: {path: leads.csv, id: id}}\n")
    said = {
        folder: "my plan: is a folder; give the file in it",
        tmp_path / "leads.csv": f"leads.csv: is a table of data; {wanted}",
        tmp_path / "crm.yaml": f"crm.yaml: is a CRM file, which says how records are read; {wanted}",
    }
    for path, message in said.items():
        with pytest.raises(PlanError) as error:
            read_plan(path)
        assert str(error.value) == message
    (folder / "plan.yaml").touch()
    with pytest.raises(PlanError, match=r"give the file in it: my plan/plan\.yaml$"):
        read_plan(folder)


def test_a_few_lines_of_aliases_cannot_fill_the_memory(faults: Any) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"{after}: &{after} [{', '.join([f'*{before}'] * 10)}]" for before, after in pairwise("abcdef")]
    (fault,) = faults("\n".join(lines))
    assert "aliases stand for more than a plan can hold" in fault


def test_an_alias_inside_itself_is_refused(faults: Any) -> None:
    assert any("unknown key 'a'" in fault for fault in faults(SMALLEST + "a: &a [*a]\n"))


def test_a_message_stays_short_and_on_one_line(faults: Any) -> None:
    (fault,) = faults(changed("rate: 0.24", "rate: '" + "9" * 5000 + "'"))
    assert len(fault) < 300
    (fault,) = faults(changed("rate: 0.24", 'rate: "1\\n2\\e[31m"'))
    assert "\x1b" not in fault


# --- defaults ------------------------------------------------------------------------------------------------


def test_the_smallest_plan_is_a_plan(read: Any) -> None:
    plan = read(SMALLEST)
    assert plan.name == "Plan"
    assert plan.currency == "USD"
    assert plan.rounding == "none"
    assert plan.commit_stage == "lead"
    assert plan.commit.confidence == 0.8
    assert plan.entry_stage("web") == "lead"
    assert plan.share("all", "web") == 1
    assert plan.cells == (("all", "web"),)
    assert plan.sources["web"].owner == "marketing"
    assert plan.sources["web"].cost_per_entry is None
    assert plan.path("all", "web")[0].lag.shares().tolist() == [1]
    assert plan.goal.phasing.by_month() == pytest.approx([1 / 12] * 12)
    assert (plan.uncertainty.rho, plan.uncertainty.lag_cv, plan.uncertainty.volume_cv) == (0.3, 0.15, 0.05)
    # neither year nor date: made today, for the next calendar year (or this one, on its first day)
    today = date.today()
    assert plan.plan_date == today
    assert plan.first_month.year == today.year + ((today.month, today.day) != (1, 1))


@pytest.mark.parametrize(
    ("written", "first_month", "plan_date"),
    [
        ("year: {first_month: 2027-04}", "2027-04", date(2027, 4, 1)),
        ("plan_date: 2026-11-15", "2027-01", date(2026, 11, 15)),
        ("plan_date: 2027-01-01", "2027-01", date(2027, 1, 1)),
        ("plan_date: 2027-01-02", "2028-01", date(2027, 1, 2)),
        ("year: {first_month: 2027-04}\nplan_date: 2027-06-30", "2027-04", date(2027, 6, 30)),
    ],
)
def test_year_and_date_follow_from_each_other(read: Any, written: str, first_month: str, plan_date: date) -> None:
    plan = read(f"{SMALLEST}{written}\n")
    assert (str(plan.first_month), plan.plan_date) == (first_month, plan_date)
    assert len(plan.months) == 12
    assert str(plan.months[0]) == first_month


def test_a_plan_made_in_the_year_s_last_days_is_still_one(read: Any) -> None:
    assert read(SMALLEST + "year: {first_month: 2027-01}\nplan_date: 2027-12-31\n").plan_date == date(2027, 12, 31)


@pytest.mark.parametrize(
    ("preset", "ids"),
    [
        ("saastr", "lead mql sql sal sqo won"),
        ("sirius", "inquiry mql sal sql won"),
        ("hubspot", "lead mql sql opportunity customer"),
        ("single", "lead won"),
    ],
)
def test_presets(read: Any, preset: str, ids: str) -> None:
    rates = "".join(f"  - {{from: {start}, to: {end}, rate: 0.5}}\n" for start, end in pairwise(ids.split()))
    plan = read(
        SMALLEST.replace("stages: single", f"stages: {preset}").split("transitions")[0] + "transitions:\n" + rates
    )
    assert plan.stage_ids == tuple(ids.split())
    assert all(stage.label and stage.entered_when for stage in plan.stages)
    assert set(PRESETS) == {"saastr", "sirius", "hubspot", "single"}


def test_the_commit_stage_is_the_third_or_the_last_before_won() -> None:
    def commit_stage(count: int) -> str:
        ids = [f"s{index}" for index in range(count)]
        rates = [{"from": start, "to": end, "rate": 0.5} for start, end in pairwise(ids)]
        data = {"goal": {"new_arr": 1.0}, "segments": {"a": {"acv": 1.0}}, "sources": {"b": {}}, "transitions": rates}
        return Plan.model_validate(
            {**data, "year": {"first_month": "2027-01"}, "stages": [{"id": each} for each in ids]}
        ).commit_stage

    assert [commit_stage(count) for count in (2, 3, 4, 6, 10)] == ["s0", "s1", "s2", "s2", "s2"]


# --- most specific wins --------------------------------------------------------------------------------------


def test_the_most_specific_transition_wins(read: Any) -> None:
    text = PLAN + (
        "  - {from: sql, to: won, source: outbound, rate: 0.11}\n"
        "  - {from: sql, to: won, segment: mid, source: outbound, rate: 0.07}\n"
    )
    plan = read(text)

    def rate(segment: str, source: str) -> float:
        return plan.path(segment, source)[-1].rate

    assert rate("smb", "inbound") == 0.24  # the default
    assert rate("smb", "outbound") == 0.11  # the source's
    assert rate("mid", "inbound") == 0.20  # the segment's
    assert rate("mid", "outbound") == 0.07  # both
    assert [step.rate for step in plan.path("smb", "inbound")] == [0.25, 0.40, 0.24]
    assert len(plan.path("smb", "outbound")) == 1  # it enters at sql


def test_the_segment_s_rate_goes_before_the_source_s(read: Any) -> None:
    plan = read(PLAN + "  - {from: sql, to: won, source: inbound, rate: 0.5}\n")
    assert plan.path("mid", "inbound")[-1].rate == 0.20
    assert plan.path("smb", "inbound")[-1].rate == 0.5


def test_a_source_may_have_its_share_by_segment(read: Any) -> None:
    text = changed("inbound: {share: 0.6", "inbound: {share: {smb: 0.9, mid: 1}").replace(
        "share: 0.4,", "share: {smb: 0.1},"
    )
    plan = read(text)
    assert plan.share("smb", "outbound") == pytest.approx(0.035)
    assert plan.share("mid", "inbound") == pytest.approx(0.65)
    assert plan.cells == (("smb", "inbound"), ("smb", "outbound"), ("mid", "inbound"))


def test_shares_by_segment_must_sum_to_one_in_each(faults: Any) -> None:
    (fault,) = faults(changed("inbound: {share: 0.6", "inbound: {share: {smb: 0.6, mid: 0.7}"))
    assert "shares in mid sum to 1.1" in fault
    assert "inbound 0.7, outbound 0.4" in fault


# --- YAML 1.2 ------------------------------------------------------------------------------------------------


def test_words_stay_words_and_numbers_are_numbers(read: Any) -> None:
    plan = read(
        SMALLEST.replace("{web: {}}", "{no: {share: 0.5}, off: {share: 0.5}}")
        .replace("{all: {acv: 10_000}}", "{yes: {acv: 1e4}}")
        .replace("1_000_000", "1e6")
    )
    assert tuple(plan.sources) == ("no", "off")
    assert tuple(plan.segments) == ("yes",)
    assert plan.goal.new_arr == 1_000_000
    assert plan.segments["yes"].acv.mean == 10_000
    assert read(SMALLEST.replace("1_000_000", "8_000_000")).goal.new_arr == 8_000_000


def test_a_byte_order_mark_is_no_fault(read: Any) -> None:
    assert read("\ufeff" + SMALLEST) == read(SMALLEST)


# --- values --------------------------------------------------------------------------------------------------


def test_a_plan_is_a_value(read: Any) -> None:
    first, second = read(PLAN), read(PLAN)
    assert first == second
    assert hash(first) == hash(second)
    assert len({first, second}) == 1
    assert read(changed("rate: 0.24", "rate: 0.25")) != first


def test_a_plan_cannot_be_changed(read: Any) -> None:
    plan = read(PLAN)
    with pytest.raises(ValueError, match="frozen"):
        plan.name = "other"
    with pytest.raises(ValueError, match="frozen"):
        plan.segments["smb"].share = 1.0
    for change in (
        lambda: plan.segments.update(other=plan.segments["smb"]),
        lambda: plan.segments.pop("smb"),
        lambda: plan.sources.__setitem__("web", plan.sources["inbound"]),
        lambda: plan.sources.clear(),
    ):
        with pytest.raises(TypeError, match="cannot be changed"):
            change()
    assert tuple(plan.segments) == ("smb", "mid")


def test_a_plan_survives_pickling(read: Any) -> None:
    plan = read(PLAN)
    again = pickle.loads(pickle.dumps(plan))
    assert again == plan
    assert hash(again) == hash(plan)


# --- the schema for editors ----------------------------------------------------------------------------------


def as_json(text: str) -> Any:
    """The data of a YAML text as an editor sees it: dates are text."""
    return json.loads(json.dumps(YAML(typ="safe", pure=True).load(text), default=str))


def test_the_schema_is_one_and_takes_the_example_company() -> None:
    jsonschema.Draft202012Validator.check_schema(plan_schema())
    example = as_json((ROOT / "data" / "example" / "plan.yaml").read_text(encoding="utf-8"))
    jsonschema.validate(example, plan_schema())
    for text in (PLAN, SMALLEST):
        jsonschema.validate(as_json(text), plan_schema())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("owner: sales", "quotta: 3"),
        ("name: FY27 base", "quotta: 3"),
        ("rate: 0.24", "rate: 25"),
        ("share: 0.35", "share: 1.35"),
        ("stages: [{id: lead}, {id: mql}, {id: sql}, {id: won}]", "stages: sastr"),
        ("first_month: 2027-01", "first_month: 2027"),
        ("{months: 1}", "{months: 1.5}"),
    ],
)
def test_the_schema_refuses_what_the_reader_refuses(faults: Any, old: str, new: str) -> None:
    assert faults(changed(old, new))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(as_json(changed(old, new)), plan_schema())


def test_the_schema_asks_for_no_more_than_the_reader() -> None:
    assert plan_schema()["required"] == ["goal", "segments", "sources"]
    described = plan_schema()["properties"]
    assert all(described[key].get("description") for key in ("name", "year", "plan_date", "commit", "rounding"))


def test_the_example_company_s_plan_is_sound() -> None:
    plan = read_plan(ROOT / "data" / "example" / "plan.yaml")
    assert plan.stage_ids == ("lead", "mql", "sql", "sal", "sqo", "won")
    assert len(plan.cells) == 12


# --- slips that once said something else ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"year": 2027}, ["year: got '2027'", "write {first_month: 2027-01}"]),
        ({"stages": ["lead", "demo", "won"]}, ["stages[0]: got 'lead'", "{id: demo, label: Demo}"]),
        ({"plan_date": date(1800, 1, 1), "year": {"first_month": "2027-01"}}, ["years before the year"]),
        ({"goal": {"opening_arr": "8,180,000", "closing_arr": 9e6}}, ["goal.opening_arr", "plain number"]),
    ],
)
def test_a_slip_is_met_with_its_cure(tmp_path: Path, change: dict[str, Any], words: list[str]) -> None:
    data = YAML(typ="safe").load(SMALLEST) | change
    path = tmp_path / "plan.yaml"
    YAML().dump(data, path)
    with pytest.raises(PlanError) as error:
        read_plan(path)
    said = str(error.value)
    assert [word for word in words if word not in said] == []
    assert "are missing; give two of" not in said  # a faulty amount is not a missing one


def test_a_day_no_calendar_has_is_named_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(SMALLEST + "plan_date: 2026-11-31\n", encoding="utf-8")
    with pytest.raises(PlanError, match=r"plan\.yaml line [0-9]+: 2026-11-31 is a day no calendar has"):
        read_plan(path)


def test_a_changed_copy_forgets_what_was_worked_out_of_the_old_one() -> None:
    plan = Plan.model_validate(YAML(typ="safe").load(SMALLEST) | {"year": {"first_month": "2027-01"}})
    pair, cell = (plan.transitions[0].from_stage, plan.transitions[0].to_stage), plan.cells[0]
    before = plan.transition(pair, *cell)
    assert before is not None
    hash(before.lag)
    changed = before.model_copy(update={"rate": before.rate / 2})
    found = plan.model_copy(update={"transitions": (changed, *plan.transitions[1:])}).transition(pair, *cell)
    assert found is not None
    assert found.rate == before.rate / 2
