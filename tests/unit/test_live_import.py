"""`revplan import`: what a changed workbook would do to a plan file, and everything it refuses."""

from __future__ import annotations

import json
import re
import zipfile
from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook

from revplan.cli import main
from revplan.crm.planfile import read_plan
from revplan.excel import changes, reading
from revplan.excel.address import column, sheet_name
from revplan.excel.book import live_workbook
from revplan.excel.changes import difference, import_workbook
from revplan.excel.grid import READ_ME, SOLVED
from revplan.exhibits.exhibit import terminal
from revplan.exhibits.provenance import fingerprint
from revplan.funnel.year import Snapshot, plan_year
from revplan.ground.errors import DataError, PlanError
from revplan.ground.yamledit import edited
from revplan.plan.model import Plan
from revplan.workbook.workbook import Workbook, open_workbook

PLAN = """\
# the plan of a small company
name: Small
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal:
  new_arr: 1_000_000      # what the board asked for
  churn: {rate: 0.08}     # the last twelve months
  opening_arr: 5_000_000
stages: [{id: lead}, {id: won}]
segments:
  smb: {share: 0.4, acv: {mean: 9_000, sd: 4_000}}   # two sizes
  mid: {share: 0.6, acv: 30_000}
sources:
  web:   {share: 0.5,  cost_per_entry: 85}
  fairs: {share: 0.5}
transitions:
  - {from: lead, to: won, rate: 0.2, evidence: 40, lag: {months: 1}}   # one rate for all
  # the end
"""
EDITS = {
    "goal.new_arr": (["goal", "new_arr"], 1_200_000.0),
    "segments.smb.acv.mean": (["segments", "smb", "acv"], 9_500.0),
    "sources.fairs.cost_per_entry": (["sources", "fairs", "cost_per_entry"], 40.0),
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes]:
    """A plan file and its workbook."""
    path = tmp_path_factory.mktemp("plan") / "plan.yaml"
    path.write_text(PLAN, encoding="utf-8")
    return path, live_workbook(open_workbook(path), [], {"plan_fingerprint": fingerprint([path])})


def parts(raw: bytes) -> dict[str, bytes]:
    """The parts of a workbook."""
    with zipfile.ZipFile(BytesIO(raw)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(contents: dict[str, bytes]) -> bytes:
    """A workbook of parts."""
    content = BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
    return content.getvalue()


def typed(raw: bytes, values: list[tuple[list[Any], Any]]) -> bytes:
    """A workbook with other values in its inputs, as Excel saves them; the values of formulas stay."""
    book, contents = load_workbook(BytesIO(raw)), parts(raw)
    listed = {row[1].value: (row[3].value, row[4].value) for row in book[SOLVED].iter_rows(min_row=10)}
    for key, value in values:
        sheet, at = listed[json.dumps(key)]
        name = f"xl/worksheets/sheet{book.sheetnames.index(sheet) + 1}.xml"
        inner = "" if value is None else f"<v>{value}</v>"
        kind = ' t="str"' if isinstance(value, str) else ""
        text = contents[name].decode("utf-8")
        text, count = re.subn(rf'<c r="{at}"( s="\d+")(?:/>|>.*?</c>)', rf'<c r="{at}"\1{kind}>{inner}</c>', text)
        assert count == 1
        contents[name] = text.encode("utf-8")
    return packed(contents)


@pytest.fixture
def files(made: tuple[Path, bytes], tmp_path: Path) -> tuple[Path, Path]:
    """A plan of one's own, and where its workbook is to be put."""
    plan = tmp_path / "plan.yaml"
    plan.write_text(PLAN, encoding="utf-8")
    return plan, tmp_path / "plan.xlsx"


def answer(files: tuple[Path, Path], raw: bytes, write: bool = False) -> tuple[dict[str, Any], str]:
    """What the import says of a workbook."""
    files[1].write_bytes(raw)
    found, (shown,) = import_workbook(files[1], files[0], write)
    return found, terminal(shown)


def test_an_untouched_workbook_changes_nothing(made: tuple[Path, bytes], files: tuple[Path, Path]) -> None:
    found, text = answer(files, made[1], True)
    assert found == {"workbook": "plan.xlsx", "plan": "plan.yaml", "changes": [], "left_alone": {"commit": 0, "records": 0}, "written": False}  # fmt: skip
    assert text == "plan.xlsx changes nothing in plan.yaml."
    assert files[0].read_text(encoding="utf-8") == PLAN


def test_only_the_changed_values_change(made: tuple[Path, bytes], files: tuple[Path, Path]) -> None:
    raw = typed(made[1], list(EDITS.values()))
    found, text = answer(files, raw)
    assert [(each["place"], each["was"], each["is"]) for each in found["changes"]] == [
        ("goal.new_arr", 1_000_000.0, 1_200_000.0),
        ("segments.smb.acv.mean", 9_000.0, 9_500.0),
        ("sources.fairs.cost_per_entry", "nothing", 40.0),
    ]
    assert files[0].read_text(encoding="utf-8") == PLAN
    assert "Nothing is written yet; --write writes it." in text
    assert answer(files, raw, True)[0]["written"]
    expected = PLAN.replace("new_arr: 1_000_000 ", "new_arr: 1_200_000 ").replace("mean: 9_000", "mean: 9_500")
    expected = expected.replace("fairs: {share: 0.5}", "fairs: {share: 0.5, cost_per_entry: 40}")
    assert files[0].read_text(encoding="utf-8") == expected


CELLS = [(segment, source) for segment in ("smb", "mid") for source in ("web", "fairs")]


def test_a_rate_changed_everywhere_changes_the_transition(made: tuple[Path, bytes], files: tuple[Path, Path]) -> None:
    found, _ = answer(files, typed(made[1], [(["rates", *cell, "lead", "rate"], 0.25) for cell in CELLS]), True)
    assert [(each["place"], each["is"]) for each in found["changes"]] == [("transitions[0].rate", 0.25)]
    assert read_plan(files[0]).transitions[0].evidence == 40


def test_a_rate_changed_in_one_cell_adds_a_transition_for_it(
    made: tuple[Path, bytes], files: tuple[Path, Path]
) -> None:
    found, _ = answer(files, typed(made[1], [(["rates", "mid", "web", "lead", "rate"], 0.25)]), True)
    assert [each["place"] for each in found["changes"]] == ["transitions[1]"]
    plan = read_plan(files[0])
    added = plan.transition(("lead", "won"), "mid", "web")
    assert added is not None
    assert (added.rate, added.evidence, added.lag.months, added.segment, added.source) == (0.25, 40, 1, "mid", "web")
    assert [plan.transition(("lead", "won"), *cell).rate for cell in CELLS] == [0.2, 0.2, 0.25, 0.2]  # type: ignore[union-attr]
    assert "# one rate for all\n  - {from" in files[0].read_text(encoding="utf-8")


def test_cells_changed_differently_keep_the_transition(made: tuple[Path, bytes], files: tuple[Path, Path]) -> None:
    rates = dict(zip(CELLS, (0.25, 0.25, 0.25, 0.3), strict=True))
    found, _ = answer(
        files, typed(made[1], [(["rates", *cell, "lead", "rate"], rate) for cell, rate in rates.items()]), True
    )
    assert [each["place"] for each in found["changes"]] == [f"transitions[{number}]" for number in (1, 2, 3, 4)]
    plan = read_plan(files[0])
    assert {cell: plan.path(*cell)[0].rate for cell in CELLS} == rates


def test_the_commit_is_no_input_of_a_plan(made: tuple[Path, bytes], files: tuple[Path, Path]) -> None:
    found, text = answer(files, typed(made[1], [(["commit", "smb", "web", 0], 7.0), (["goal", "new_arr"], 2e6)]))
    assert ([each["place"] for each in found["changes"]], found["left_alone"]["commit"]) == (["goal.new_arr"], 1)
    assert "Left alone, for they are no inputs of a plan: committed entries (1)." in text


def test_a_rate_from_records_writes_the_whole_step(files: tuple[Path, Path]) -> None:
    """Else the records' rates for the other cells would no longer count: a plan that states a step states all of it."""
    stated = PLAN.replace("  - {from: lead, to: won", "  - {from: lead, to: mql, rate: 0.5}\n  - {from: mql, to: won")
    files[0].write_text(stated.replace("{id: lead}, {id: won}", "{id: lead}, {id: mql}, {id: won}"), encoding="utf-8")
    whole = read_plan(files[0])
    plan = whole.model_copy(update={"transitions": whole.transitions[1:]})
    place = ("rates", "smb", "web", "lead", "rate")
    changed = [reading.ChangedInput(place, "lead to mql", "plan", 0.5, 0.4)]
    edits = difference({"transitions": []}, plan, whole, changed).edits
    assert [place for (place, _), _ in edits] == [("transitions", 1), ("transitions", 2)]
    assert [value.get("segment") for (_, value), _ in edits] == [None, "smb"]
    assert [value["rate"] for (_, value), _ in edits] == [0.5, 0.4]


def test_changed_shares_become_the_weights_of_the_delay(made: tuple[Path, bytes], files: tuple[Path, Path]) -> None:
    shares = [(["rates", *cell, "lead", "lag", month], 0.5) for cell in CELLS for month in (1, 2)]
    found, _ = answer(files, typed(made[1], shares), True)
    assert found["changes"] == [
        {"place": "transitions[0].lag", "was": {"months": 1}, "is": {"weights": [0.0, 0.5, 0.5]}}
    ]
    assert read_plan(files[0]).transitions[0].lag.weights == (0.0, 0.5, 0.5)


def test_every_fault_at_once_and_the_file_untouched(made: tuple[Path, bytes], files: tuple[Path, Path]) -> None:
    raw = typed(made[1], [(["segments", "smb", "share"], 0.7), (["goal", "churn", "rate"], -0.5)])
    with pytest.raises(PlanError) as caught:
        answer(files, raw, True)
    text = str(caught.value)
    assert "with the changes of plan.xlsx, plan.yaml line 10, segments: shares sum to 1.3" in text
    assert "goal.churn.rate: got -0.5; it must be at least 0" in text
    assert files[0].read_text(encoding="utf-8") == PLAN


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("12,000", "Inputs B6 (New ARR): holds '12,000', which is no number; type one"),
        (None, "Inputs B6 (New ARR): is empty; type a number"),
    ],
)
def test_an_input_that_is_no_number(made: tuple[Path, bytes], files: tuple[Path, Path], value: Any, says: str) -> None:
    with pytest.raises(DataError, match=re.escape(says)):
        answer(files, typed(made[1], [(["goal", "new_arr"], value)]))


def test_another_plan_is_refused(made: tuple[Path, bytes], files: tuple[Path, Path]) -> None:
    files[0].write_text(PLAN.replace("Small", "Other"), encoding="utf-8")
    with pytest.raises(DataError, match="was made from another plan"):
        answer(files, made[1])


def test_an_unknown_layout_is_refused(
    made: tuple[Path, bytes], files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LAYOUT", 2)
    with pytest.raises(DataError, match="has layout 1, this revplan reads layout 2; make the workbook again"):
        answer(files, made[1])


def test_a_workbook_without_values_is_refused(made: tuple[Path, bytes], files: tuple[Path, Path]) -> None:
    book = load_workbook(BytesIO(made[1]))  # openpyxl saves formulas without their values
    book.save(files[1])
    with pytest.raises(DataError, match="saved without calculated values; open it in Excel or LibreOffice and save it"):
        import_workbook(files[1], files[0], True)


def bomb() -> bytes:
    """A small archive that unpacks to a gigabyte."""
    return packed({f"xl/worksheets/sheet{number}.xml": b"0" * 100_000_000 for number in range(7)})


def other_workbook() -> bytes:
    """A workbook of somebody else."""
    from openpyxl import Workbook

    content = BytesIO()
    Workbook().save(content)
    return content.getvalue()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda raw: b"name: a plan", "is a damaged Excel workbook"),
        (lambda raw: raw[: len(raw) // 2], "is a damaged Excel workbook"),
        (lambda raw: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "is encrypted, or an old .xls; save it as .xlsx"),
        (lambda raw: bomb(), "unpacks to 700 MB, more than 300 MB"),
        (lambda raw: packed({"a.txt": b"hello"}), "cannot be read as an Excel workbook"),
        (lambda raw: other_workbook(), "is no live workbook of revplan"),
        (lambda raw: packed({**parts(raw), "xl/workbook.xml": b"<!DOCTYPE x>" + parts(raw)["xl/workbook.xml"]}), "declares a document type"),
    ],
)  # fmt: skip
def test_what_is_no_workbook_of_revplan(
    made: tuple[Path, bytes], files: tuple[Path, Path], make: Any, says: str
) -> None:
    with pytest.raises(DataError, match=re.escape(says)):
        answer(files, make(made[1]))


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ('["history", "leads"]', "is no input of this plan"),
        ('["goal", "basis"]', "is no input of this plan"),
        ('["goal"]', "is no input of this plan"),
        ('["sources", "elsewhere", "share"]', "is no input of this plan"),
        ('["rates", "smb", "elsewhere", "lead", "rate"]', "is no input of this plan"),
        ('["rates"]', "is no input of this plan"),
        ('["rates", "smb", "web", "lead", "lag", "one"]', "is no input of this plan"),
        ('["goal", "phasing", 99]', "is no input of this plan"),
        ("[]", "is damaged"),
        ('[["goal"]]', "is damaged"),
        ('{"a": 1}', "the list of inputs is damaged"),
        ("nothing", "damaged"),
    ],
)
def test_a_forged_list_of_inputs(made: tuple[Path, bytes], files: tuple[Path, Path], place: str, message: str) -> None:
    raw = typed(made[1], [(["goal", "new_arr"], 3.0)])
    contents = parts(raw)
    old = b'["goal", "new_arr"]'
    assert old in contents["xl/sharedStrings.xml"]
    contents["xl/sharedStrings.xml"] = contents["xl/sharedStrings.xml"].replace(old, place.encode())
    with pytest.raises(DataError, match=message):
        answer(files, packed(contents))


def test_the_command(made: tuple[Path, bytes], files: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    files[1].write_bytes(typed(made[1], [(["goal", "new_arr"], 2e6)]))
    assert main(["import", str(files[1]), str(files[0]), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["changes"] == [{"place": "goal.new_arr", "was": 1e6, "is": 2e6}]
    assert main(["import", str(files[1]), str(files[0]), "--write"]) == 0
    assert "goal.new_arr  1_000_000  2_000_000" in capsys.readouterr().out
    assert main(["import", str(files[1]), str(files[0])]) == 2
    assert "was made from another plan" in capsys.readouterr().err


# --- edits of the file ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "place", "value", "expected"),
    [
        ("a: 1   # why\nb: 2\n", ("a",), 2.5, "a: 2.5   # why\nb: 2\n"),
        ("a: {x: 1,\n    y: 2}  # c\n", ("a", "z"), 3, "a: {x: 1,\n    y: 2, z: 3}  # c\n"),
        ("a:\n  x: 1  # c\n\n# b\nb: 2\n", ("a", "z"), 3, "a:\n  x: 1  # c\n  z: 3\n\n# b\nb: 2\n"),
        ("a:\n  x:\n    m: 1  # c\n# b\nb: 2\n", ("a", "x"), {"k": 2}, "a:\n  x:\n    {k: 2}  # c\n# b\nb: 2\n"),
        ("l:\n- 1\n- 2 # c\n", ("l", 2), "no", 'l:\n- 1\n- 2 # c\n- "no"\n'),
        ("l: [1, 2]\n", ("l", 2), 3, "l: [1, 2, 3]\n"),
        ("l: []\nm: {}\n", ("l", 0), 3, "l: [3]\nm: {}\n"),
        ("l: []\nm: {}", ("m", "k"), None, "l: []\nm: {k: null}"),
        ("a: 1\r\nb: {c: 2}\r\n", ("d",), 1_000_000, "a: 1\r\nb: {c: 2}\r\nd: 1_000_000\r\n"),
        ("a: 1", ("b",), "x: #\n'\"", 'a: 1\nb: "x: #\\U0000000a\'\\""'),
    ],
)
def test_an_edit_leaves_every_other_character(text: str, place: Any, value: Any, expected: str) -> None:
    assert edited(text, [(place, value)], "plan.yaml") == expected


@pytest.mark.parametrize("text", ["a: &x {r: 1}\nb: *x\n", "a: {}\nb: &y {r: !!float 1}\nc: {<<: *y}\n"])
def test_what_is_shared_by_an_anchor_is_not_changed(text: str) -> None:
    with pytest.raises(PlanError, match=r"plan.yaml, b.r: cannot be changed by itself"):
        edited(text.replace("a: {}\nb:", "a: {}\nb:"), [(("b", "r"), 2)], "plan.yaml")


# --- names ---------------------------------------------------------------------------------------------------


def test_columns_are_lettered_as_in_excel() -> None:
    assert [column(number) for number in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("1 Goal: $2.9M [all]", "1 Goal $2.9M all"),
        ("x" * 40, "x" * 31),
        ("4 Why the quarter differs from the plan", "4 Why the quarter differs from"),
        ("4 Why the quarter differs, and how much", "4 Why the quarter differs, and"),
        ("12 What to know beside - numbers", "12 What to know beside"),
        ("1 " + "x" * 40, "1 " + "x" * 29),
        ("\U0001f600" * 20, "\U0001f600" * 15),
        ("history", "history 2"),
        ("'quoted'", "quoted"),
        ("///", "Sheet"),
        (READ_ME.upper(), "READ ME 2"),
    ],
)
def test_sheet_names_are_what_excel_takes(wanted: str, name: str) -> None:
    assert sheet_name(wanted, [READ_ME]) == name


# --- another program's opinion -------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore")
def test_the_library_formulas_computes_the_same(tmp_path: Path) -> None:
    """A third implementation of Excel's functions, on the smallest plan there is."""
    formulas = pytest.importorskip("formulas")
    plan = {
        "year": {"first_month": "2027-01"},
        "plan_date": date(2026, 12, 15),
        "goal": {"opening_arr": 1e6, "closing_arr": 2e6, "churn": {"rate": 0.1}},
        "stages": [{"id": "lead"}, {"id": "won"}],
        "segments": {"all": {"acv": 1e4}},
        "sources": {"web": {"cost_per_entry": 5.0}},
        "transitions": [{"from": "lead", "to": "won", "rate": 0.25, "lag": {"months": 1}}],
    }
    book = Workbook(year=plan_year(Plan.model_validate(plan), Snapshot()))
    path = tmp_path / "tiny.xlsx"
    path.write_bytes(live_workbook(book, [], {}))
    found = formulas.ExcelModel().loads(str(path)).finish().calculate()
    computed = {
        str(key).upper(): value.value[0, 0]
        for key, value in found.items()
        if hasattr(value, "value") and ":" not in str(key)
    }
    values = load_workbook(path, data_only=True)
    sheets = ("Bridge", "Quarters", "Budget", "Required", "Forward")
    texts = load_workbook(path)
    compared = 0
    for sheet in sheets:
        for row in texts[sheet].iter_rows():
            for each in (each for each in row if each.data_type == "f"):
                saved, other = (
                    values[sheet][each.coordinate].value,
                    computed[f"'[TINY.XLSX]{sheet.upper()}'!{each.coordinate}"],
                )
                if isinstance(saved, int | float):
                    assert float(other) == pytest.approx(saved, rel=1e-9, abs=1e-6), (sheet, each.coordinate)
                    compared += 1
    assert compared > 100


def test_a_plan_saved_meanwhile_is_not_written_over(
    made: tuple[Path, bytes], files: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    saved, read_back = PLAN + "# saved by a colleague\n", changes._read_back

    def meanwhile(workbook: Path, copy: Path) -> Any:
        found = read_back(workbook, copy)
        files[0].write_text(saved, encoding="utf-8")
        return found

    monkeypatch.setattr(changes, "_read_back", meanwhile)
    with pytest.raises(PlanError, match="was changed while the workbook was read back; run it again"):
        answer(files, typed(made[1], [(["goal", "new_arr"], 900_000)]), write=True)
    assert files[0].read_text("utf-8") == saved
