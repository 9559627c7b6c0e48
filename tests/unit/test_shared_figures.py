"""One fact, one number: what several exhibits and reports state is one figure, and a report with two is not printed."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from every_exhibit import reports
from test_board_exhibits import pack

from revplan.exhibits.exhibit import Exhibit
from revplan.exhibits.exhibit import raw as raw_of
from revplan.ground.errors import ReportError
from revplan.ground.formats import commitment, show
from revplan.printing.registry import registry
from revplan.tracking.book import BoardBook
from revplan.workbook.workbook import open_workbook, plan_answer

EXAMPLE = Path(__file__).parents[2] / "data" / "example"
PLANS = ("plan.yaml", "plan_fy26.yaml")

Raws = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module", params=PLANS)
def plan(request: pytest.FixtureRequest) -> Path:
    return EXAMPLE / str(request.param)


@pytest.fixture(scope="module")
def made(plan: Path) -> dict[str, list[Exhibit]]:
    return reports(plan)


@pytest.fixture(scope="module")
def raws(made: dict[str, list[Exhibit]]) -> Raws:
    return {name: [raw_of(each) for each in exhibits] for name, exhibits in made.items()}


def together(raws: Raws) -> list[dict[str, Any]]:
    return [raw for exhibits in raws.values() for raw in exhibits]


def test_each_report_registers_figures_and_agrees_with_itself(raws: Raws) -> None:
    for name, exhibits in raws.items():
        found = registry(exhibits)
        ids = [(figure["id"], at) for at, raw in enumerate(exhibits) for figure in raw["figures"]]
        twice = {each for each in found if len({at for name, at in ids if name == each}) > 1}
        assert len(found) > 20, name
        assert twice, name  # a figure that stands in one exhibit alone can disagree with nothing


def test_reports_agree_with_each_other(raws: Raws) -> None:
    found = registry(together(raws))
    assert len(found) > len(registry(raws["annual_commit"]))


def test_the_board_pack_before_the_year_agrees_with_the_annual_commit(year_to_come: BoardBook) -> None:
    plan = EXAMPLE / "plan.yaml"
    exhibits = [raw_of(each) for made in reports(plan).values() for each in made]
    board = [raw_of(each) for each in pack(year_to_come)]
    shared = set(registry(exhibits)) & set(registry(board))
    assert {"goal 2027 plan", "signed 2027 to sign"} <= shared
    assert registry([*exhibits, *board])
    (landing,) = [raw for raw in board if "open_records" in [column["name"] for column in raw["columns"]]]
    parts = {column["name"]: value for column, value in zip(landing["columns"], landing["rows"][0], strict=True)}
    found = registry(exhibits)
    assert parts["still_to_create"] == pytest.approx(found["commit_arr 2027 to sign"]["value"])
    assert parts["open_records"] == pytest.approx(found["open_arr 2027 at the plan's rates"]["value"])


def test_the_terminal_says_the_same(plan: Path, raws: Raws) -> None:
    answer, found = plan_answer(open_workbook(plan)), registry(raws["annual_commit"])
    year = str(open_workbook(plan).plan.first_month.year)
    assert found[f"goal {year} plan"]["value"] == pytest.approx(answer["goal"]["new_arr"])
    assert found[f"spend {year} planned"]["value"] == pytest.approx(sum(answer["budget"].values()), abs=0.5)
    for row in answer["shortfall"]:
        brings = found[f"commit_arr {row['quarter']} at the plan's rates"]["value"]
        assert brings == pytest.approx(row["yield"], abs=1)


@pytest.mark.parametrize("report", ["annual_commit", "rates", "scenarios"])
def test_a_report_in_which_one_figure_shows_two_values_is_not_printed(raws: Raws, report: str) -> None:
    exhibits = raws[report]
    counted = [figure["id"] for raw in exhibits for figure in raw["figures"] if figure["value"]]
    twice = next(each for each in counted if counted.count(each) > 1)
    at, number = next(
        (at, number)
        for at, raw in enumerate(exhibits)
        for number, figure in enumerate(raw["figures"])
        if figure["id"] == twice
    )
    other = {**exhibits[at]["figures"][number], "value": exhibits[at]["figures"][number]["value"] * 1.5}
    figures = [other if place == number else figure for place, figure in enumerate(exhibits[at]["figures"])]
    changed = [{**raw, "figures": figures} if place == at else raw for place, raw in enumerate(exhibits)]
    with pytest.raises(ReportError, match=re.escape(twice)):
        registry(changed)


def test_what_is_displayed_alike_is_one_value_to_its_reader() -> None:
    (first, *_) = reports(EXAMPLE / "plan.yaml")["scenarios"]
    raw = raw_of(first)
    mean = next(figure for figure in raw["figures"] if figure["measure"] == "simulated_mean")
    near = {**mean, "value": mean["value"] + 1e-3}
    assert show(near["value"], "money") == show(mean["value"], "money")
    assert registry([raw, {**raw, "figures": [near]}])
    with pytest.raises(ReportError):
        registry([raw, {**raw, "figures": [{**mean, "value": mean["value"] + 2}]}])


def test_an_exhibit_that_shares_figures_may_state_others(made: dict[str, list[Exhibit]]) -> None:
    summary = made["annual_commit"][0]
    assert registry([raw_of(summary)])
    with pytest.raises(ReportError, match="states a number that is no figure"):
        registry([raw_of(replace(summary, complete=True))])


# --- counts that are of different things have different names --------------------------------------------------


def test_counts_of_different_things_have_different_names(made: dict[str, list[Exhibit]]) -> None:
    said = [text for each in made["annual_commit"] for text in (each.message, *each.notes)]
    counted = {match[0] for text in said for match in [re.search(r"(\d+ assumptions)\b", text)] if match}
    assert len(counted) == 1  # stated by the plan; the log has entries, the records are held against values
    assert not [text for text in said if "older than any conversion" in text]
    zombies = [text for text in said if "zombies" in text]
    assert all("when none ever closed after" in text for text in zombies)


def test_scenarios_ask_for_the_commit_as_it_is_signed(made: dict[str, list[Exhibit]]) -> None:
    units, sheet = made["scenarios"][-1], made["annual_commit"][6]
    assert units.table is not None
    assert sheet.table is not None
    base = units.table.iloc[0]
    commits = [base[stage] for stage in units.table.columns if stage not in ("scenario", "change")]
    assert commits == [commitment(entries) for entries in sheet.table["commit"]]
