"""Scenarios side by side: exhibits, the text of the command, and the CSV file."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pandas as pd
import pytest

from revplan.cli import main
from revplan.exhibits import side_by_side as show
from revplan.exhibits.draw import svg
from revplan.exhibits.fit import fitting_names
from revplan.workbook import simulated as tables
from revplan.workbook.workbook import Workbook, open_workbook

PLAN = """\
name: Two
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal: {new_arr: 1_000_000, next_year_growth: 0}
stages: [{id: lead}, {id: sql}, {id: won}]
commit: {stage: sql}
segments: {all: {acv: {mean: 20_000, sd: 8_000}}}
sources: {web: {cost_per_entry: 85}}
transitions:
  - {from: lead, to: sql, rate: 0.3, evidence: 400, lag: {months: 0}}
  - {from: sql, to: won, rate: 0.2, evidence: 100, lag: {median_days: 40, p90_days: 100}}
"""
SCENARIOS = """\
scenarios:
  weak: {changes: [{from: sql, to: won, rate: 0.16}]}
  "=HYPERLINK(\\"x\\")": {volume: 1.2}
  "@sum, of\\ntwo": {goal: {new_arr: 1_500_000}}
"""


def plan_file(folder: Path, text: str) -> Path:
    (folder / "plan.yaml").write_text(text, encoding="utf-8")
    return folder / "plan.yaml"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return plan_file(tmp_path_factory.mktemp("scenarios"), PLAN + SCENARIOS)


@pytest.fixture(scope="module")
def book(path: Path) -> Workbook:
    return open_workbook(path)


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode("utf-8-sig"), newline="")))


# --- exhibits ------------------------------------------------------------------------------------------------


def test_one_sentence_names_the_worst_and_the_best(book: Workbook) -> None:
    frame = tables.scenarios_table(book.scenarios)
    said = show.ranges(book).message
    assert said == show.in_money(book).message == show.conclusion(frame, "USD")
    worst, best = frame["scenario"][frame["chance_of_goal"].idxmin()], "=HYPERLINK"
    assert said.index("at worst") < said.index("@sum, of two") < said.index("at best") < said.index(best)
    assert worst == "@sum, of\ntwo"
    assert "as much on average" in said  # another goal changes no year
    alone = show.conclusion(frame.iloc[:2], "USD")
    assert alone.endswith("in the scenario weak ($" + alone.split("($")[1])
    assert "less on average" in alone


def test_ranges_are_drawn_and_told_in_numbers(book: Workbook) -> None:
    made = show.ranges(book)
    assert made.chart is not None
    assert made.chart.categories[0] == "base"
    frame = tables.scenarios_table(book.scenarios)
    assert made.chart.series[0].low == tuple(frame["arr_low"])
    assert made.chart.series[1].values == pytest.approx([1e6, 1e6, 1e6, 1.5e6])
    assert "<script" not in svg(made.chart)


def test_differences_stand_beside_the_figures(book: Workbook) -> None:
    money, units = show.in_money(book).table, show.in_units(book).table
    assert money is not None
    assert units is not None
    assert list(money["mean_difference"]) == pytest.approx(list(money["mean"] - money["mean"].iloc[0]))
    assert list(units["change"]) == pytest.approx(list(units["sql"] - units["sql"].iloc[0]))
    assert units["change"].iloc[3] == pytest.approx(
        0.5 * units["sql"].iloc[0], abs=1
    )  # half as much again, in whole records
    assert "more SQLs than the base plan" in show.in_units(book).message


def test_thirty_scenarios_can_still_be_read_and_more_are_left_to_the_table(tmp_path: Path) -> None:
    many = "".join(f"  variation {number}: {{volume: {0.5 + number / 40}}}\n" for number in range(35))
    book = open_workbook(plan_file(tmp_path, f"{PLAN}scenarios:\n{many}"))
    drawn, table = show.ranges(book), show.in_money(book).table
    assert drawn.table is not None
    assert table is not None
    assert (len(drawn.table), len(table)) == (31, 36)
    assert drawn.notes[0] == "5 further scenarios are in the table only."
    assert "in the scenario variation 34" in drawn.message
    assert show.in_units(book).message == "No scenario, replanned, asks for another number of SQLs."


def test_names_differ_at_their_end_and_so_do_labels() -> None:
    names = ["short", *(f"variation number {number}" for number in (16, 17, 18))]
    assert fitting_names(names, 14) == ["short", "variation n…16", "variation n…17", "variation n…18"]


def test_a_plan_without_scenarios_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = plan_file(tmp_path, PLAN)
    book = open_workbook(path)
    for make in (show.ranges, show.in_money, show.in_units):
        assert make(book).kind == "text"
        assert make(book).message == show.NONE_NAMED
    assert main(["simulate", str(path), "--trials", "200", "--csv", str(tmp_path / "out.csv")]) == 0
    assert "The plan names no scenarios" in capsys.readouterr().out
    assert [row["scenario"] for row in rows_of(tmp_path / "out.csv")] == ["base"]


# --- the command ---------------------------------------------------------------------------------------------


def test_json_and_text_carry_the_variances(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["simulate", str(path), "--trials", "500"]
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    base, weak = found["scenarios"][:2]
    assert weak["mean_difference"] == pytest.approx(weak["mean"] - base["mean"])
    assert weak["spend_difference"] == pytest.approx(weak["spend"] - base["spend"])
    stages = {(row["scenario"], row["stage"]): row for row in found["scenario_stages"]}
    asked = stages["weak", "sql"]
    assert asked["needed_difference"] == pytest.approx(asked["needed"] - stages["base", "sql"]["needed"])
    assert asked["needed_difference"] > 0
    assert main(arguments) == 0
    said = capsys.readouterr().out
    money, units = [line.split() for line in said.splitlines() if line.startswith("weak")]
    assert f"{weak['spend_difference']:+,.0f}" == money[-1]
    assert abs(float(units[-1]) - asked["needed_difference"]) <= 1  # of whole entries, each rounded up
    assert "@sum, of?two" in said  # a name on one line


def test_the_csv_holds_money_and_units_and_no_formula(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "scenarios.csv"
    assert main(["simulate", str(path), "--trials", "500", "--json", "--csv", str(out)]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = rows_of(out)
    assert [row["scenario"] for row in rows] == ["base", "weak", '\'=HYPERLINK("x")', "'@sum, of\ntwo"]
    for row, told in zip(rows, found["scenarios"], strict=True):
        assert {name: float(row[name]) for name in told if name != "scenario"} == {
            name: value for name, value in told.items() if name != "scenario"
        }
    units = {(row["scenario"], row["stage"]): row for row in found["scenario_stages"]}
    assert float(rows[1]["sql_needed_difference"]) == units["weak", "sql"]["needed_difference"]
    assert float(rows[1]["won_entries_difference"]) < 0
    assert len(pd.read_csv(out)) == 4
    assert [each.name for each in out.parent.iterdir()] == ["scenarios.csv"]


def test_a_csv_that_cannot_be_written_is_refused_before_anything_is_computed(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    for target, message in (
        (tmp_path, "is a folder; name a file in it"),
        (tmp_path / "file" / "a.csv", "is a file, not a folder"),
    ):
        assert main(["simulate", str(path), "--csv", str(target)]) == 2
        said = capsys.readouterr()
        assert message in said.err
        assert said.out == ""
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
