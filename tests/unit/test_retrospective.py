"""A year looked back on: in a small company whose year is over, and in the example company whose year runs."""

from __future__ import annotations

import io
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest
from small_company import CRM, PLAN
from test_board_exhibits import OF_A_YEAR_LOOKED_BACK_ON

from revplan.exhibits import retrospective as show
from revplan.exhibits.exhibit import Exhibit, terminal
from revplan.ground.errors import PlanError
from revplan.ground.values import FrozenDict
from revplan.record.packs import Ask, Pack, keep
from revplan.record.signing import Terms, sign
from revplan.tracking.retrospective import FITS, INSIDE, OUTSIDE, Retrospective, open_retrospective

EXAMPLE = Path(__file__).parents[2] / "data" / "example"
END = date(2024, 12, 31)


def leads(last: date = END) -> str:
    """A lead of each segment every four days; half of a become an SQL, one SQL in five of them is won, b is won more often."""
    rows, day, number = ["id,segment,lead,sql,won,lost,amount"], date(2023, 9, 1), 0
    while day <= last:
        for segment in "ab":
            number += 1
            sql = day + timedelta(9) if (number // 2) % 2 else None
            won = sql + timedelta(30) if sql and number % (5 if segment == "a" else 3) == 0 else None
            lost = None if won else (sql or day) + timedelta(40)
            told = ["" if each is None or each > last else str(each) for each in (sql, won, lost)]
            rows.append(f"{number},{segment},{day},{','.join(told)},{1000 if sql else ''}")
        day += timedelta(4)
    return "\n".join(rows) + "\n"


def company(folder: Path, *, last: date = END, more: str = "") -> Path:
    """The plan of a company whose year 2024 is on record to the day `last`."""
    (folder / "leads.csv").write_text(leads(last), encoding="utf-8")
    (folder / "crm.yaml").write_text(CRM, encoding="utf-8")
    segments = "a: {acv: 1000, share: 0.5}, b: {acv: 1500, share: 0.5}"
    text = PLAN.format(
        plan_date="2023-12-15", goal=20_000, segments=segments, more=f"history: {{leads: crm.yaml}}\n{more}"
    )
    path = folder / "plan.yaml"
    path.write_text(text.replace("2026-01", "2024-01"), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def over(tmp_path_factory: pytest.TempPathFactory) -> Retrospective:
    """The year that is over."""
    return open_retrospective(company(tmp_path_factory.mktemp("over")), END)


@pytest.fixture(scope="module")
def running() -> Retrospective:
    """The example company's year, which is not over."""
    return open_retrospective(EXAMPLE / "plan_fy26.yaml")


def won(first: str, last: str) -> float:
    """Amounts won between two days, from the file itself."""
    table = pd.read_csv(io.StringIO(leads()), parse_dates=["won"])
    return float(table.loc[table["won"].between(first, last), "amount"].sum())


def lines(exhibit: Exhibit) -> dict[str, str]:
    assert exhibit.table is not None
    return dict(zip(exhibit.table["fact"], exhibit.table["value"], strict=True))


# --- a year that is over -------------------------------------------------------------------------------


def test_the_verdict_of_a_finished_year_is_what_the_records_hold(over: Retrospective) -> None:
    made = show.verdict(over)
    actual = won("2024-01-01", "2024-12-31")
    assert over.is_finished
    assert "FY24 reached its goal" in made.message if actual >= 20_000 else "FY24 missed its goal" in made.message
    (landing,) = {each.value for _, _, each in made.figures if each.id == "landing 2024 expected"}
    assert landing == pytest.approx(actual)
    assert "Still open" not in lines(made)
    assert made.about["period"] == "2024"


def test_quarters_are_those_of_the_file(over: Retrospective) -> None:
    table = show.quarter_by_quarter(over).table
    quarters = [("2024-01-01", "2024-03-31"), ("2024-04-01", "2024-06-30"), ("2024-07-01", "2024-09-30"), ("2024-10-01", "2024-12-31")]  # fmt: skip
    assert table["actual"].tolist() == pytest.approx([won(*each) for each in quarters])
    assert table["goal"].sum() == pytest.approx(20_000)
    assert (table["gap"] - (table["actual"] - table["planned"])).abs().max() == pytest.approx(0)


def test_what_the_assumptions_cost_adds_up_to_the_variance(over: Retrospective) -> None:
    found = over.assumptions
    variance = over.book.variance[over.book.variance["period"] == over.book.spans[-1].label].set_index("line")
    assert found["cost"].sum() == pytest.approx(
        variance.loc["actual", "displayed"] - variance.loc["planned", "displayed"]
    )
    by_line = {
        "entries": variance.loc[["volume", "mix"], "amount"].sum(),
        **{name: variance.loc[name, "amount"] for name in ("win_rate", "timing", "deal_size", "opening")},
    }
    for about, amount in by_line.items():
        assert found.loc[found["about"] == about, "cost"].sum() == pytest.approx(amount, abs=len(found))
    of_a = found[(found["segment"] == "a") & (found["about"] == "entries")].iloc[0]
    table = pd.read_csv(io.StringIO(leads()), parse_dates=["lead", "sql"])
    since = (
        (table["segment"] == "a") & (table["lead"] >= "2023-12-15") & table["sql"].between("2023-12-15", "2024-12-31")
    )
    assert of_a["actual"] == pytest.approx(since.sum())
    assert show.assumptions(over).table["cost"].iloc[-1] == pytest.approx(found["cost"].sum())


def test_every_forecast_is_judged_by_what_came(over: Retrospective) -> None:
    found = over.forecasts
    assert len(found) == 8  # the year and the next quarter, before it began and after each of three quarters
    assert found["actual"].notna().all()
    assert found.loc[found["period"] == "2024", "actual"].tolist() == pytest.approx(
        [won("2024-01-01", "2024-12-31")] * 4
    )
    for row in found.to_dict("records"):
        inside = row["landing_low"] <= row["actual"] <= row["landing_high"]
        assert row["inside"] == (INSIDE if inside else OUTSIDE)
        assert row["miss"] == pytest.approx(row["landing"] - row["actual"])
    told = {each.measure.name: each.value for _, _, each in show.calibration(over).figures}
    assert told["forecasts_judged"] == 8
    assert told["forecasts_inside"] == (found["inside"] == INSIDE).sum()
    assert told["forecast_bias"] == pytest.approx(abs(round(found["miss"].mean())), abs=1)


def test_a_forecast_that_was_shown_is_judged_as_it_was_shown(tmp_path: Path) -> None:
    path = company(tmp_path)
    figures = {
        "landing 2024 expected": 99_000.0,
        "landing_low 2024 expected": 98_000.0,
        "landing_high 2024 expected": 100_000.0,
    }
    shown = Pack(
        report="board_report", plan="Plan", plan_file="plan.yaml", currency="USD", year="2024", period="2024-Q2", label="Q2",
        as_of=date(2024, 6, 30), shown_on=date(2024, 7, 9), pack="0123456789ab", revplan="0.5.0", code="0" * 64, figures=FrozenDict(figures),
        asks=(Ask(what="Nobody answers the phone", owner="sales", ask="answer it", size=4_000.0),), files=FrozenDict(),
    )  # fmt: skip
    keep(path, shown, {"board_report.html": b"x"})
    year = open_retrospective(path, END)
    row = year.forecasts[year.forecasts["shown_on"].notna()].iloc[0]
    assert (row["landing"], row["inside"]) == (99_000.0, OUTSIDE)
    asked = show.asks_of_year(year).table.set_index("what").loc["Nobody answers the phone"]
    assert (asked["asked_on"], asked["size_then"], asked["outcome"]) == ("9 Jul 2024", 4_000.0, "no longer stands out")
    assert year.forecasts["shown_on"].notna().sum() == 1  # of the year; a pack tells nothing of the next quarter


def test_planned_rates_are_judged_by_the_band_of_the_records(over: Retrospective) -> None:
    found = over.rates
    assert set(found["step"]) == {"Lead to SQL", "SQL to Won"}
    for row in found.to_dict("records"):
        fits = row["rate_low"] <= row["planned"] <= row["rate_high"]
        assert (row["verdict"] == FITS) == fits
    to_won = found.set_index("step").loc["SQL to Won"]
    assert (to_won["planned"], to_won["verdict"]) == (0.2, "too low")  # b is won far more often than planned
    assert "SQL to Won" in show.next_plan(over).message


def test_who_signed_stands_on_page_one(tmp_path: Path) -> None:
    path = company(tmp_path)
    signed = sign(path, ["Anna Berg"], date(2023, 12, 20), terms=Terms(above_ceilings=True))
    said = lines(show.verdict(open_retrospective(path, END, signed.folder)))["What was signed"]
    assert "signed by Anna Berg on 20 Dec 2023, for a goal of $20k and a chance of 80%." in said


def test_one_segment_is_looked_back_on_by_itself(over: Retrospective, tmp_path: Path) -> None:
    year = open_retrospective(company(tmp_path), END, segment="b")
    assert set(year.assumptions["segment"]) == {"b", ""}
    assert year.forecasts["actual"].max() < over.forecasts["actual"].max()


# --- a year that is not ---------------------------------------------------------------------------------


def test_a_running_year_says_first_that_it_is_not_over(running: Retrospective) -> None:
    made = show.verdict(running)
    assert not running.is_finished
    assert made.message.startswith("FY26 is not over: ")
    assert "The year runs until 31 Dec 2026" in lines(made)["Still open"]
    found = running.forecasts
    assert found.loc[found["period"].isin(["2026", "2026-Q4"]), "inside"].unique().tolist() == ["open"]
    assert found.loc[found["period"] == "2026-Q3", "inside"].isin([INSIDE, OUTSIDE]).all()


def test_every_exhibit_of_it_says_something(running: Retrospective) -> None:
    made = (
        show.quarter_by_quarter,
        show.why_of_year,
        show.assumptions,
        show.calibration,
        show.asks_of_year,
        show.next_plan,
    )
    for each in made:
        assert each(running).message
        assert "nan" not in terminal(each(running)).casefold().split()
    told = {figure.measure.name for each in (show.verdict, *made) for _, _, figure in each(running).figures}
    assert told >= OF_A_YEAR_LOOKED_BACK_ON


def test_what_the_records_lack_of_a_year_is_not_judged(tmp_path: Path) -> None:
    year = open_retrospective(company(tmp_path, last=date(2024, 8, 10)), END)
    made = show.verdict(year)
    assert not year.is_finished
    assert "The year is over, but the records end on" in made.message
    judged = year.forecasts[year.forecasts["inside"] != "open"]
    assert set(judged["period"]) == {"2024-Q1", "2024-Q2"}  # half of the third quarter is lacking


def test_a_year_that_has_not_begun_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match=r"as_of: is 20 Dec 2023, and the year begins on 1 Jan 2024"):
        open_retrospective(company(tmp_path), "2023-12-20")


def test_without_records_nothing_is_looked_back_on(tmp_path: Path) -> None:
    path = company(tmp_path)
    path.write_text(path.read_text().replace("history: {leads: crm.yaml}", ""))
    with pytest.raises(PlanError, match="history: is not in the plan"):
        open_retrospective(path, END)
