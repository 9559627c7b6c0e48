"""Signing: everything frozen under one hash, any altered byte named, and the frozen plan computes what was signed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest

from revplan.cli import main
from revplan.crm.inputs import queries
from revplan.crm.planfile import read_plan
from revplan.ground.errors import PlanError
from revplan.ground.formats import commitment, compact, show
from revplan.ground.version import __version__
from revplan.record.difference import compare
from revplan.record.signed import CONTENTS, NO_HASH, README, Record, content_hash, drift, read_record
from revplan.record.signing import Terms, _seal, sign
from revplan.workbook.workbook import open_workbook, plan_answer

DAY = date(2026, 11, 22)
PLAN = """\
name: FY27 base
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal: {new_arr: 1_000_000}
stages: [{id: lead}, {id: sql}, {id: won}]
commit: {stage: sql, confidence: 0.8}
segments: {smb: {share: 0.5, acv: 10_000}, mid: {share: 0.5, acv: 20_000}}
sources: {web: {share: 0.6, cost_per_entry: 85}, partner: {share: 0.4, enters: sql}}
transitions:
  - {from: lead, to: sql, rate: 0.4, evidence: 200, lag: {months: 1}}
  - {from: sql, to: won, rate: 0.25, evidence: 90, lag: {median_days: 60, p90_days: 150}}
history: {leads: ../crm/crm.yaml}
actuals: actuals.csv
"""
CRM = """\
format: wide
files: {leads: {path: data/leads.csv, id: id}}
stages: {lead: leads.lead, sql: leads.sql, won: leads.won}
segment: leads.segment
source: leads.source
"""
LEADS = """\
id,segment,source,lead,sql,won
1,smb,web,2026-01-05,2026-01-20,2026-02-10
2,mid,web,2026-10-05,2026-11-03,
3,smb,partner,2026-10-31,2026-11-05,
"""
ACTUALS = "month,segment,source,new,expansion,contraction,churn,spend\n2026-09,smb,web,1000,0,0,0,50\n"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    """A plan whose CRM file lies in a folder beside its own."""
    write(tmp_path / "crm" / "crm.yaml", CRM)
    write(tmp_path / "crm" / "data" / "leads.csv", LEADS)
    write(tmp_path / "plans" / "actuals.csv", ACTUALS)
    return write(tmp_path / "plans" / "plan.yaml", PLAN)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> Record:
    """A signed plan, for tests that only read it."""
    folder = tmp_path_factory.mktemp("signed")
    write(folder / "crm" / "crm.yaml", CRM)
    write(folder / "crm" / "data" / "leads.csv", LEADS)
    write(folder / "plans" / "actuals.csv", ACTUALS)
    return sign(write(folder / "plans" / "plan.yaml", PLAN), ["Anna Berg", "Ben"], DAY)


@pytest.fixture
def copy(signed: Record, tmp_path: Path) -> Path:
    """A copy of the signed folder, to be spoilt."""
    return Path(shutil.copytree(signed.folder, tmp_path / signed.folder.name))


def snapshot(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- what signing freezes ------------------------------------------------------------------------------------


def test_the_folder_is_readable_and_holds_everything(signed: Record) -> None:
    assert signed.folder.parent.name == "signed"
    assert signed.folder.name == f"fy27-base-2026-11-22-{signed.content_hash[:8]}"
    assert set(snapshot(signed.folder)) - {"requirements.lock"} == {
        "CONTENTS.sha256",
        "README.md",
        "signature.json",
        "inputs/plans/plan.yaml",
        "inputs/plans/actuals.csv",
        "inputs/crm/crm.yaml",
        "inputs/crm/data/leads.csv",
        "results/plan.json",
        "results/simulate.json",
        "results/stages.csv",
        "results/quarters.csv",
        "results/budget.csv",
        "results/commitments.csv",
    }
    assert (signed.folder / "inputs/crm/data/leads.csv").read_bytes() == LEADS.encode()
    assert signed.plan_path.read_bytes() == PLAN.encode()


def test_both_numbers_are_signed_and_the_stage_is_named(signed: Record) -> None:
    book = open_workbook(signed.plan_path)
    told = signed.signature
    commit = float(book.stages.set_index("stage")["commit"]["sql"])
    assert (told.stage, told.confidence, told.by, told.on) == ("sql", 0.8, ("Anna Berg", "Ben"), DAY)
    assert told.commit == pytest.approx(commit, rel=1e-12)
    assert told.signed == commitment(commit * book.simulation.signed.scale.value)
    assert told.versions.python.startswith("3.")
    assert {"numpy", "pandas", "scipy"} <= set(told.versions.packages)


def test_a_commit_that_misses_the_goal_in_expectation_is_not_said_to_reach_it(
    signed: Record, plan_file: Path, tmp_path: Path
) -> None:
    before = (signed.folder / README).read_text(encoding="utf-8")
    assert re.search(
        r"Expected commit: [0-9]+ SQLs, which reach it in [0-9.]+% of the years[^;]*; in expectation it reaches the goal\.",
        before,
    )
    low = PLAN.replace("enters: sql", "enters: sql, max_per_month: 5").replace("cost_per_entry: 85", "max_per_month: 8")
    plan_file.write_text(low, encoding="utf-8")
    missed = sign(plan_file, ["Anna Berg"], DAY, tmp_path / "low", terms=Terms(confidence=0.001, above_ceilings=True))
    book, text = open_workbook(missed.plan_path), (missed.folder / README).read_text(encoding="utf-8")
    mean = compact(book.simulation.outcome.mean.value, "USD")
    chance = show(round(book.simulation.outcome.chance_of_goal.value, 3), "share")
    assert f"SQLs, which reach it in {chance} of the years; in expectation it brings {mean} of the $1M." in text
    assert "in expectation it reaches" not in text


def test_the_page_says_who_what_and_when(signed: Record) -> None:
    text = (signed.folder / README).read_text(encoding="utf-8")
    for words in (
        "# Plan of record: FY27 base",
        "Signed by Anna Berg and Ben on 22 Nov 2026. The plan was made on 15 Nov 2026.",
        "- Goal: $1M new ARR in the year that begins Jan 2027.",
        "SQLs, which reach the goal in 80% of the years.",
        "**SQL** (signed for)",
        "| web (SQLs) |",
        "| partner (SQLs) |",
        signed.content_hash,
    ):
        assert words in text, words


def test_quarters_and_sources_on_the_page_add_up_to_the_signed_number(signed: Record) -> None:
    text = (signed.folder / README).read_text(encoding="utf-8")
    rows = [
        [cell.strip().replace(",", "") for cell in line.split("|")[2:-1]]
        for line in text.splitlines()
        if "(SQLs) |" in line
    ]
    (stated,) = re.findall(r"\*\*SQL\*\* \(signed for\) \| [\d,]+ \| ([\d,]+) \|", text)
    assert len(rows) == 2
    for row in rows:
        *before, q1, q2, q3, q4, year = map(int, row)
        assert len(before) == 1  # November and December
        assert q1 + q2 + q3 + q4 == year
    assert sum(int(row[-1]) for row in rows) == int(stated.replace(",", ""))


def test_the_frozen_plan_gives_the_same_results(signed: Record) -> None:
    book = open_workbook(signed.plan_path)
    assert signed.results["plan"] == json.loads(json.dumps(plan_answer(book)))
    assert signed.results["simulate"]["signed"]["sql"] == pytest.approx(signed.signature.signed, rel=1e-12)
    assert drift(signed, book) == ()
    for name in ("stages", "quarters"):
        pd.testing.assert_frame_equal(getattr(signed, name), getattr(book, name), rtol=1e-12)


OLD = {"OPENBLAS_CORETYPE": "Nehalem", "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL"}


def test_a_folder_of_an_earlier_revplan_whose_commitments_were_called_promises_is_read(
    signed: Record, tmp_path: Path
) -> None:
    older = Path(shutil.copytree(signed.folder, tmp_path / signed.folder.name))
    (older / "results" / "commitments.csv").rename(older / "results" / "promises.csv")
    text = (older / README).read_text(encoding="utf-8")
    _seal(older, text.replace(signed.content_hash, NO_HASH))
    found = content_hash((older / CONTENTS).read_text(encoding="utf-8"))
    older = older.rename(older.with_name(older.name.replace(signed.content_hash[:8], found[:8])))
    record = read_record(older)
    assert record.content_hash == found != signed.content_hash
    pd.testing.assert_frame_equal(record.commitments, signed.commitments)


def test_a_folder_signed_on_another_kind_of_processor_checks_out_here(plan_file: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "revplan", "sign", str(plan_file), "--by", "Anna"]
    done = subprocess.run(command, env={**os.environ, **OLD}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (folder,) = (plan_file.parent / "signed").iterdir()
    record = read_record(folder)
    assert drift(record, open_workbook(record.plan_path)) == ()
    assert compare(folder, plan_file).changes == ()
    here = sign(plan_file, ["Anna"], record.signature.on)
    assert here.stages["commit"].tolist() == pytest.approx(record.stages["commit"].tolist(), rel=1e-6)


@pytest.mark.parametrize(("by", "told"), [(1e-8, False), (1e-4, True)])
def test_last_digits_are_no_drift_and_what_a_reader_sees_is(signed: Record, copy: Path, by: float, told: bool) -> None:
    book, path = open_workbook(signed.plan_path), copy / "results" / "stages.csv"
    then = pd.read_csv(path)
    then.assign(required=then["required"] * (1 + by)).to_csv(path, index=False)
    assert bool(drift(replace(signed, folder=copy), book)) is told


def test_promises_add_up_to_the_commit(signed: Record) -> None:
    year = signed.commitments[signed.commitments["quarter"].str.startswith("2027")]
    commit = year.groupby("stage")["commit"].sum()
    assert commit["sql"] == pytest.approx(signed.signature.commit)
    assert commit["lead"] == pytest.approx(float(signed.stages.set_index("stage")["commit"]["lead"]))


def test_sha256sum_checks_it_without_revplan(signed: Record) -> None:
    if shutil.which("sha256sum") is None:
        pytest.skip("sha256sum is not installed")
    done = subprocess.run(["sha256sum", "-c", CONTENTS], cwd=signed.folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "inputs/crm/data/leads.csv: OK" in done.stdout
    assert sha256((signed.folder / CONTENTS).read_bytes()).hexdigest() == signed.content_hash


# --- what changes the hash, what is refused ------------------------------------------------------------------


def test_signing_the_same_again_changes_nothing(plan_file: Path) -> None:
    first = sign(plan_file, ["Anna"], DAY)
    before = snapshot(first.folder.parent)
    again = sign(plan_file, ["Anna"], DAY)
    assert (first.signed_before, again.signed_before) == (False, True)
    assert again.content_hash == first.content_hash
    assert snapshot(first.folder.parent) == before


@pytest.mark.parametrize("changed", ["plan", "comment", "records", "actuals", "name", "day"])
def test_anything_else_is_another_hash(plan_file: Path, changed: str) -> None:
    first = sign(plan_file, ["Anna"], DAY)
    files = {
        "plan": (plan_file, "0.25", "0.26"),
        "comment": (plan_file, "name:", "# seen\nname:"),
        "records": (plan_file.parents[1] / "crm/data/leads.csv", "2026-11-03", "2026-11-04"),
        "actuals": (plan_file.parent / "actuals.csv", ",50", ",51"),
    }
    if changed in files:
        path, old, new = files[changed]
        write(path, path.read_text(encoding="utf-8").replace(old, new))
    names, day = (["Anna", "Ben"] if changed == "name" else ["Anna"]), (date(2026, 11, 23) if changed == "day" else DAY)
    second = sign(plan_file, names, day)
    assert second.content_hash != first.content_hash
    assert len(list(first.folder.parent.iterdir())) == 2
    assert read_record(first.folder).content_hash == first.content_hash


def test_a_plan_with_faults_is_not_signed(plan_file: Path) -> None:
    write(plan_file, PLAN.replace("0.25", "25").replace("actuals.csv", "gone.csv"))
    with pytest.raises(PlanError) as error:
        sign(plan_file, ["Anna"], DAY)
    assert len(error.value.faults) == 2
    assert not (plan_file.parent / "signed").exists()


@pytest.mark.parametrize("by", [[], [""], ["Anna", " \u202e\x00 "]])
def test_an_empty_name_is_refused(plan_file: Path, by: list[str]) -> None:
    with pytest.raises(PlanError, match="--by: a name is empty; write who signs"):
        sign(plan_file, by, DAY)


def test_a_path_of_this_machine_is_refused(plan_file: Path) -> None:
    absolute = plan_file.parent / "actuals.csv"
    write(plan_file, PLAN.replace("actuals: actuals.csv", f"actuals: {absolute}"))
    with pytest.raises(PlanError, match=r"names actuals\.csv by its place on this machine; write the path from"):
        sign(plan_file, ["Anna"], DAY)
    assert list((plan_file.parent / "signed").iterdir()) == []


def test_hidden_inputs_are_guarded_too(plan_file: Path) -> None:
    write(plan_file, PLAN.replace("actuals.csv", ".kept/.actuals.csv"))
    write(plan_file.parent / ".kept" / ".actuals.csv", ACTUALS)
    record = sign(plan_file, ["Anna"], DAY)
    write(record.folder / "inputs/plans/.kept/.actuals.csv", ACTUALS.replace(",50", ",51"))
    with pytest.raises(PlanError, match=r"inputs/plans/\.kept/\.actuals\.csv: was altered after signing"):
        read_record(record.folder)


def test_a_file_name_that_cannot_be_listed_is_refused(plan_file: Path) -> None:
    write(plan_file, PLAN.replace("actuals.csv", '"actuals\\n.csv"'))
    write(plan_file.parent / "actuals\n.csv", ACTUALS)
    with pytest.raises(PlanError, match=r"names the file 'actuals\?\.csv'; give it a name of printable characters"):
        sign(plan_file, ["Anna"], DAY)
    assert list((plan_file.parent / "signed").iterdir()) == []


def test_a_stopped_signing_leaves_nothing(plan_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("revplan.record.signing.summary", stopped)
    with pytest.raises(KeyboardInterrupt):
        sign(plan_file, ["Anna"], DAY)
    assert list((plan_file.parent / "signed").iterdir()) == []


def test_hostile_names_stay_text(plan_file: Path) -> None:
    name = "<script>alert(1)</script> [x](http://x) `=cmd|calc` ../../up | {{ x }}"
    write(
        plan_file,
        PLAN.replace("name: FY27 base", f"name: '../../{name}'")
        .replace("web:", "'=cmd|web':")
        .replace("source: leads.source", ""),
    )
    write(plan_file.parents[1] / "crm/data/leads.csv", LEADS.replace("web", "=cmd|web"))
    write(plan_file.parent / "actuals.csv", ACTUALS.replace("web", "=cmd|web"))
    record = sign(plan_file, [name + "\nsecond line", "x" * 200], DAY)
    assert record.folder.parent == plan_file.parent / "signed"
    assert re.fullmatch(r"[\w-]{1,40}-2026-11-22-[0-9a-f]{8}", record.folder.name)
    text = (record.folder / README).read_text(encoding="utf-8")
    assert "<script" not in text
    assert re.search(r"(?<!\\)\]\(", text) is None
    assert "\nsecond line" not in text
    assert all(
        len(line.split(" | ")) == len(text.split("| entries |")[1].splitlines()[0].split("|"))
        for line in text.splitlines()
        if "(SQLs)" in line
    )
    for path in (record.folder / "results").glob("*.csv"):
        assert not re.search(r"(?m)(^|,)=", path.read_text(encoding="utf-8")), path.name
    assert read_record(record.folder).commitments["stage"].unique().tolist() == list(
        open_workbook(plan_file).plan.stage_ids
    )


@pytest.mark.parametrize(
    ("name", "slug"), [("計画 2027", "計画-2027"), ("..", "plan"), ("A" * 5000, "a" * 40), ("CON", "con")]
)
def test_any_plan_name_makes_a_folder_name(plan_file: Path, name: str, slug: str) -> None:
    write(plan_file, PLAN.replace("FY27 base", f"'{name}'"))
    assert sign(plan_file, ["Anna"], DAY).folder.name.startswith(f"{slug}-2026-11-22-")


# --- opening a signed folder ---------------------------------------------------------------------------------


def test_a_copy_verifies_under_any_name(copy: Path, signed: Record) -> None:
    assert read_record(copy).content_hash == signed.content_hash
    renamed = copy.rename(copy.with_name("what the board got"))
    assert read_record(renamed).signature == signed.signature
    write(renamed / ".DS_Store", "left by a system")
    assert read_record(renamed).content_hash == signed.content_hash


def test_one_byte_of_any_file_is_found_and_named(copy: Path) -> None:
    for name, content in snapshot(copy).items():
        middle = len(content) // 2
        changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        (copy / name).write_bytes(changed)
        with pytest.raises(PlanError) as error:
            read_record(copy)
        assert str(error.value).startswith(f"{name}: was altered after signing; take the folder again from") or (
            name == CONTENTS and "was altered after signing" in str(error.value)
        )
        (copy / name).write_bytes(content)
    read_record(copy)


def test_the_page_may_not_state_another_number(copy: Path) -> None:
    text = (copy / README).read_text(encoding="utf-8")
    write(copy / README, text.replace("80%", "90%"))
    with pytest.raises(PlanError, match=r"README\.md: was altered"):
        read_record(copy)
    write(copy / README, text + f"Content hash: {'0' * 64}\n")
    with pytest.raises(PlanError, match=r"README\.md: was altered"):
        read_record(copy)


def test_lost_and_added_files_are_named_together(copy: Path) -> None:
    (copy / "results/plan.json").unlink()
    write(copy / "inputs/crm/more.csv", "x")
    with pytest.raises(PlanError) as error:
        read_record(copy)
    assert [fault.place for fault in error.value.faults] == ["results/plan.json", "inputs/crm/more.csv"]
    assert "is missing" in str(error.value)
    assert "was not there when the plan was signed; take it out" in str(error.value)


def test_a_list_made_anew_does_not_fit_the_folders_name(copy: Path) -> None:
    plan = copy / "inputs/plans/plan.yaml"
    old = sha256(plan.read_bytes()).hexdigest()
    write(plan, PLAN.replace("0.25", "0.35"))
    listed = (copy / CONTENTS).read_text(encoding="utf-8").replace(old, sha256(plan.read_bytes()).hexdigest())
    write(copy / CONTENTS, listed)
    with pytest.raises(PlanError) as error:
        read_record(copy)
    assert [fault.place for fault in error.value.faults] == [CONTENTS, README]


@pytest.mark.parametrize("what", ["missing", "binary", "empty folder", "no folder"])
def test_what_is_no_signed_plan_is_said(tmp_path: Path, what: str) -> None:
    folder = tmp_path / "some"
    if what != "no folder":
        folder.mkdir()
    if what == "binary":
        (folder / CONTENTS).write_bytes(b"\xff\xfe")
    with pytest.raises(PlanError, match=r"some: is no signed plan: it has no readable CONTENTS\.sha256; name a folder"):
        read_record(folder)


def test_a_list_that_leads_out_of_the_folder_is_refused(copy: Path) -> None:
    line = f"{'0' * 64}  ../../secret\n"
    write(copy / CONTENTS, line + (copy / CONTENTS).read_text(encoding="utf-8"))
    with pytest.raises(PlanError, match=r"\.\./\.\./secret: is missing"):
        read_record(copy)


def test_other_numbers_by_other_code_are_told_with_both(signed: Record) -> None:
    book = open_workbook(signed.plan_path)
    told = signed.signature
    stages = signed.stages.assign(commit=signed.stages["commit"] * 1.01)
    older = Record(
        folder=signed.folder,
        content_hash=signed.content_hash,
        signature=told.model_copy(
            update={"versions": told.versions.model_copy(update={"code": "0" * 64, "revplan": "0.0.9"}), "signed": None}
        ),
    )
    older.__dict__["stages"] = stages
    first, *lines = drift(older, book)
    assert first == f"The code of revplan changed since signing (revplan 0.0.9 then, {__version__} now)."
    assert [line.partition(":")[0] for line in lines] == ["lead committed", "sql committed", "won committed", "signed"]
    assert lines[-1].startswith("signed: none when signed, ")


# --- the command ---------------------------------------------------------------------------------------------


def test_the_command_prints_and_answers(plan_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = plan_file.parent / "kept"
    arguments = ["sign", str(plan_file), "--by", "Anna", "--on", "2026-11-22", "--out", str(out)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert said.startswith("FY27 base is signed: Anna, 22 Nov 2026.\n- Goal: $1M new ARR")
    assert main([*arguments, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["signed_before"] is True
    assert told["content_hash"] in said
    assert (told["stage"], told["by"], told["on"]) == ("sql", ["Anna"], "2026-11-22")
    assert main(arguments) == 0
    assert "is signed already, and nothing was changed" in capsys.readouterr().out


def test_the_folder_may_be_named_from_where_one_stands(plan_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(plan_file.parent)
    assert main(["sign", plan_file.name, "--by", "Anna", "--on", "2026-11-22", "--out", "kept"]) == 0
    assert len(list((plan_file.parent / "kept").glob("*/inputs/**/plan.yaml"))) == 1


def test_the_command_says_what_is_wrong(plan_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sign", str(plan_file), "--by", " "]) == 2
    assert "--by: a name is empty" in capsys.readouterr().err
    assert main(["sign", str(plan_file), "--by", "Anna", "--out", str(plan_file)]) == 2
    assert "is a file, or lies in one; choose another folder with --out" in capsys.readouterr().err


def test_tables_of_a_database_are_named_as_not_frozen(plan_file: Path) -> None:
    query = CRM.replace("{path: data/leads.csv, id: id}", "{url: 'env:CRM', sql: SELECT 1, id: id}")
    write(plan_file.parents[1] / "crm" / "crm.yaml", query)
    assert queries(read_plan(plan_file), plan_file.parent) == ("leads",)
    write(plan_file.parents[1] / "crm" / "crm.yaml", CRM)
    assert queries(read_plan(plan_file), plan_file.parent) == ()
