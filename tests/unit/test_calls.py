"""Calls scored by hand: bias, error and coverage beside the model's, a blend offered where it was better, bad input."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from revplan.cli import main
from revplan.crm.plan_tables import read_calls
from revplan.crm.planfile import read_plan
from revplan.exhibits import calls as exhibits
from revplan.exhibits.exhibit import terminal
from revplan.ground.errors import DataError
from revplan.tracking import calls as scored
from revplan.tracking.pacebook import open_pace

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "data" / "example"
CALLS = """\
date,who,quarter,number
2025-07-01,Sales,2025-Q3,"500,000"
2025-10-02,Sales,Q4 FY25,450000
2026-01-05,Sales,Jan-Mar 2026 (Q1 FY26),700000
2026-02-05,Sales,2026 Q1,650000
2026-04-02,Sales,Q2 2026,600000
2026-07-02,Sales,2026-Q3,900000
2026-07-02,Marketing,2026-Q3,700000
2026-10-01,Sales,2026-Q4,900000
"""


def example(folder: Path, calls: str = CALLS, key: str = "calls: calls.csv\n") -> Path:
    """The example company with calls."""
    for name in ("crm.yaml", "leads.csv", "actuals.csv"):
        (folder / name).write_bytes((EXAMPLE / name).read_bytes())
    (folder / "calls.csv").write_text(calls, encoding="utf-8")
    text = (EXAMPLE / "plan_fy26.yaml").read_text(encoding="utf-8")
    (folder / "plan.yaml").write_text(text + key, encoding="utf-8")
    return folder / "plan.yaml"


# --- by hand ---------------------------------------------------------------------------------------------------


def held(rows: list[tuple[str, str, float, float, float]]) -> pd.DataFrame:
    """Calls held: who, quarter, number, model (its band 10 either way), came."""
    frame = pd.DataFrame(rows, columns=["who", "quarter", "number", "model", "actual"])
    return frame.assign(
        made_on=pd.Timestamp("2026-01-01"),
        model_low=frame["model"] - 10,
        model_high=frame["model"] + 10,
        blend=(frame["number"] + frame["model"]) / 2,
    )


def test_bias_error_and_coverage_by_hand() -> None:
    table = scored.scores(held([
        ("Ann", "q1", 120, 105, 100), ("Ann", "q1", 110, 105, 100),  # one quarter, 20 % and 10 % over
        ("Ann", "q2", 90, 130, 100), ("Ann", "q3", 80, 80, float("nan")),
    ])).set_index("said_by")  # fmt: skip
    ann = table.loc["Ann"]
    assert [ann["quarters"], ann["calls"]] == [2, 3]
    assert [ann["bias"], ann["error"], ann["coverage"]] == pytest.approx([0.025, 0.125, 0.5])
    model = table.loc[scored.MODEL]
    assert [model["bias"], model["error"], model["coverage"]] == pytest.approx([0.175, 0.175, 0.5])
    both = table.loc[scored.BLEND]
    assert both["error"] == pytest.approx(((0.125 + 0.075) / 2 + 0.1) / 2)


def test_a_blend_is_offered_where_it_has_been_better() -> None:
    """Ann calls 20 % too high, the model 20 % too low, in six quarters."""
    blend = scored.blend_of(held([("Ann", f"q{at}", 120, 80, 100 + at) for at in range(6)]), "Ann")
    assert blend is not None
    assert blend.offered
    assert blend.nearer == 6
    assert blend.chance == pytest.approx(1 / 64)
    assert blend.said.startswith("A blend is offered: the mean of Ann's calls and the model was off by")


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([("Ann", f"q{at}", 120, 80, 100.0) for at in range(3)], "No blend is offered: 3 quarters say too little (4 are needed)"),
        ([("Ann", f"q{at}", 160, 100, 100.0) for at in range(6)], "A blend is not offered"),  # the model alone is right
        ([("Ann", f"q{at}", 100, 60, 100.0) for at in range(6)], "A blend is not offered"),  # Ann alone is right
        # Nearer in three of six quarters only.
        ([("Ann", f"q{at}", 120, 80 if at % 2 else 105, 101.0) for at in range(6)], "A blend is not offered"),
    ],
)  # fmt: skip
def test_no_blend_is_offered_where_it_has_not(rows: list[Any], said: str) -> None:
    blend = scored.blend_of(held(rows), "Ann")
    assert blend is not None
    assert not blend.offered
    assert blend.said.startswith(said)


def test_blends_are_offered_by_luck_as_rarely_as_stated() -> None:
    """Call and model are equally good and err alike: the mean of both is the model's equal but for luck."""
    random = np.random.default_rng(3)
    offered = 0
    for _ in range(600):
        off = random.normal(0, 0.2, 8)
        gain = np.abs(off) - np.abs(off)[random.permutation(8)]  # two columns of the same errors in another order
        offered += scored.sign_chance(gain) <= scored.LUCK
    assert offered <= 600 * (scored.LUCK + 3 * np.sqrt(scored.LUCK * (1 - scored.LUCK) / 600))


def test_of_many_quarters_the_latest_signs_count() -> None:
    assert scored.sign_chance(np.array([1.0, 2.0, -3.0])) == pytest.approx(5 / 8)
    long = scored.blend_of(held([("Ann", f"q{at:02}", 120, 80, 100.0) for at in range(20)]), "Ann")
    assert long is not None
    assert long.chance == pytest.approx(1 / 2**scored.MOST_SIGNS)


@pytest.mark.parametrize(
    ("day", "end"),
    [("2026-07-01", "2026-06-30"), ("2026-06-30", "2026-06-30"), ("2026-06-29", "2026-05-31"), ("2028-02-29", "2028-02-29"), ("2028-01-15", "2027-12-31")],
)  # fmt: skip
def test_the_model_knows_the_month_before_a_call(day: str, end: str) -> None:
    assert scored.month_end_before(date.fromisoformat(day)) == date.fromisoformat(end)


# --- from files --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> scored.CallBook:
    return scored.CallBook(open_pace(example(tmp_path_factory.mktemp("calls")), "2026-09-20"))


def test_quarters_are_written_in_many_ways(book: scored.CallBook) -> None:
    quarters = ["2025-Q3", "2025-Q4", "2026-Q1", "2026-Q1", "2026-Q2", "2026-Q3", "2026-Q3"]
    assert book.calls["quarter"].tolist() == quarters  # that of October is made after the last day known
    assert book.calls["number"].iloc[0] == 500_000


def test_what_came_is_that_of_the_books(book: scored.CallBook) -> None:
    actuals = pd.read_csv(EXAMPLE / "actuals.csv")
    first = actuals[actuals["month"].isin(["2026-01", "2026-02", "2026-03"])]["new"].sum()
    assert book.actual["2026-Q1"] == pytest.approx(first)
    leads = pd.read_csv(EXAMPLE / "leads.csv")
    won = leads[leads["won_on"].between("2025-07-01", "2025-09-30")]["amount"].sum()
    assert book.actual["2025-Q3"] == pytest.approx(won)  # before the actuals begin: of the records
    assert "2026-Q3" not in book.actual  # not over


def test_the_model_is_scored_on_the_same_days(book: scored.CallBook) -> None:
    rows = book.held.set_index(["quarter", "who"])
    assert rows["model"].notna().all()
    first, later = book.held[book.held["quarter"] == "2026-Q1"]["model"]
    assert first != later  # the later call's model knows January
    same = book.held[book.held["quarter"] == "2026-Q3"]["model"]
    assert same.nunique() == 1
    scores = book.scores.set_index(["who", "said_by"])
    assert scores.loc[("Sales", "Sales"), "quarters"] == scores.loc[("Sales", scored.MODEL), "quarters"] == 4


def test_what_is_said_is_so(book: scored.CallBook) -> None:
    told = "\n".join(map(terminal, exhibits.tables(book)))
    error = book.scores.set_index(["who", "said_by"]).loc[("Sales", "Sales"), "error"]
    assert f"Sales was off by {100 * error:.1f}% in 4 quarters, the model by" in told
    assert "Sales calls $900k for Jul-Sep 2026 (Q3 FY26) (on 2 Jul 2026), the model $" in told
    assert "Marketing calls $700k" in told
    offered = book.blends[0].offered
    assert ("A blend is offered" in told) == offered
    assert ("the mean of both is" in told) == offered


def test_quarters_that_are_not_scored_are_told(tmp_path: Path) -> None:
    """A quarter that brought nothing, and one of which the model knew nothing: a call of before the records began."""
    path = example(tmp_path)
    book = scored.CallBook(open_pace(path, "2026-09-20"))
    quarters = list(book.actual)
    object.__setattr__(book, "actual", {**book.actual, quarters[0]: 0.0})
    assert any(f"{book.pace.live.period_label(quarters[0])} brought no new ARR" in note for note in book.notes)
    blind = scored.CallBook(open_pace(path, "2026-09-20"))
    held = blind.held.assign(model=blind.held["model"].where(blind.held["quarter"] != quarters[0]))
    object.__setattr__(blind, "held", held)
    assert ", the model by" in exhibits.record(blind).message
    assert " in the 3 it knew enough of" in exhibits.record(blind).message


def test_the_command_scores_calls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pace", str(example(tmp_path)), "--as-of", "2026-09-20", "--json"]) in (0, 3)
    told = json.loads(capsys.readouterr().out)["calls"]
    assert {each["who"] for each in told["scores"]} == {"Sales"}
    assert len(told["calls"]) == 7
    assert told["calls"][-1]["actual"] is None
    assert main(["pace", str(tmp_path / "plan.yaml"), "--as-of", "2026-09-20", "--out", str(tmp_path / "out")]) in (
        0,
        3,
    )
    page = (tmp_path / "out" / "pace.html").read_text(encoding="utf-8")
    assert "the mean of Sales&#x27;s calls and the model" in page or "the mean of Sales's calls and the model" in page


def test_a_plan_without_calls_scores_none(tmp_path: Path) -> None:
    book = scored.CallBook(open_pace(example(tmp_path, key=""), "2026-09-20"))
    assert exhibits.tables(book) == []
    assert book.answer()["scores"] == []


# --- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        (CALLS.replace("2025-Q3", "2025-Q5"), "calls.csv line 2, quarter: is no quarter of the plan's fiscal years; write it as 2026-Q1"),
        (CALLS.replace("2025-10-02", "2026-01-02"), "calls.csv line 3, date: lies after the quarter's last day"),
        (CALLS.replace("2026-02-05,Sales", "2026-01-05,Sales"), "calls.csv line 5, date: repeats the call of the same day, person and quarter"),
        (CALLS.replace("450000", "-450000"), "calls.csv line 3, number: is below 0"),
        (CALLS.replace("450000", ""), "calls.csv line 3, number: is empty"),
        (CALLS.replace("02,Sales,Q4 FY25", "02,,Q4 FY25"), "calls.csv line 3, who: is empty"),
        (CALLS.replace("2025-10-02", ""), "calls.csv line 3, date: is empty"),
        (CALLS.replace("450000", "lots"), "calls.csv line 3, number: 'lots' is not an amount"),
        (CALLS.replace("450000", "EUR 450000"), "EUR"),
        (CALLS.replace("who", "colour"), "who"),
    ],
)  # fmt: skip
def test_calls_that_cannot_be_are_refused(tmp_path: Path, calls: str, told: str) -> None:
    plan = read_plan(example(tmp_path, calls))
    assert plan.calls is not None
    with pytest.raises(DataError) as refused:
        read_calls(plan.calls, tmp_path, plan)
    assert told in str(refused.value)


def test_a_cell_that_cannot_be_read_is_not_called_empty(tmp_path: Path) -> None:
    rows = "".join(f"2025-0{month}-40,Sales,Q4 FY25,lots\n" for month in range(1, 7))
    plan = read_plan(example(tmp_path, f"date,who,quarter,number\n{rows}"))
    assert plan.calls is not None
    with pytest.raises(DataError) as refused:
        read_calls(plan.calls, tmp_path, plan)
    assert "'lots' is not an amount" in str(refused.value)
    assert "is empty" not in str(refused.value)


def test_check_tells_every_fault_of_the_calls(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = example(tmp_path, CALLS.replace("450000", "-450000").replace("2025-Q3", "2025-Q5"))
    assert main(["check", str(path)]) == 2
    told = capsys.readouterr().err
    assert "is below 0" in told
    assert "is no quarter" in told
    (tmp_path / "calls.csv").unlink()
    assert main(["check", str(path)]) == 2
    assert "calls: there is no file 'calls.csv'" in capsys.readouterr().err.replace(
        "there is no file calls.csv", "there is no file 'calls.csv'"
    )
