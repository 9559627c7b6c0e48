"""What the goal asks for, worked by hand: entries traced back, when they enter, until when they help."""

from __future__ import annotations

from datetime import date
from math import log
from typing import Any

import numpy as np
import pytest
from scipy.stats import lognorm

from revplan.funnel import tables as sheets
from revplan.funnel.funnel import Cell, half_up
from revplan.funnel.tables import last_useful_day, serves
from revplan.funnel.year import PlannedYear, Snapshot, plan_year
from revplan.ground.formats import commitment
from revplan.ground.lag import Lag
from revplan.plan.model import Plan
from revplan.workbook.workbook import Workbook, plan_answer

Z90 = 1.2815515655446004  # 90 % quantile of the standard normal


def planned(lag: dict[str, Any], plan_date: str = "2027-01-01", **other: Any) -> PlannedYear:
    """120 deals of 10,000 a year, one in four leads is won: 10 deals and 40 leads a month."""
    data = {
        "year": {"first_month": "2027-01"},
        "plan_date": plan_date,
        "goal": {"new_arr": 1_200_000.0, "next_year_growth": 0.0},
        "stages": "single",
        "segments": {"all": {"acv": 10_000}},
        "sources": {"web": {}},
        "transitions": [{"from": "lead", "to": "won", "rate": 0.25, "lag": lag}],
    }
    return plan_year(Plan.model_validate(data | other), Snapshot())


def leads_by_month(year: PlannedYear) -> dict[str, float]:
    funnel = sheets.funnel_table(year)
    leads = funnel[(funnel["stage"] == "lead") & (funnel["required"] > 0)]
    return dict(zip(leads["month"].astype(str), leads["required"], strict=True))


# --- required ------------------------------------------------------------------------------------------------


def test_two_months_of_lag_and_a_back_loaded_quarter() -> None:
    goal = {
        "new_arr": 1_200_000.0,
        "phasing": {"quarters": [0.1, 0.2, 0.3, 0.4], "within_quarter": [0.2, 0.3, 0.5]},
    }
    found = leads_by_month(planned({"months": 2}, goal=goal))
    # wins: Jan 120 x .1 x .2 = 2.4, Feb 3.6, Mar 6; Apr 4.8, May 7.2, Jun 12; Jul 7.2, ..., Dec 120 x .4 x .5 = 24
    wins = [2.4, 3.6, 6, 4.8, 7.2, 12, 7.2, 10.8, 18, 9.6, 14.4, 24]
    months = ["2026-11", "2026-12", *(f"2027-{month:02d}" for month in range(1, 11))]
    # two months earlier, four leads for each
    assert found == pytest.approx({month: 4 * won for month, won in zip(months, wins, strict=True)})


def test_every_stage_of_a_chain_has_its_own_month() -> None:
    # a goal in June only: 12 deals; two months from sql to won, one month (half of it) from lead to sql
    year = planned(
        {"months": 0},
        goal={"new_arr": 120_000.0, "phasing": {"months": [0.0] * 5 + [1.0] + [0.0] * 6}, "next_year_growth": 0.0},
        stages=[{"id": "lead"}, {"id": "sql"}, {"id": "won"}],
        transitions=[
            {"from": "lead", "to": "sql", "rate": 0.2, "lag": {"weights": [0.5, 0.5]}},
            {"from": "sql", "to": "won", "rate": 0.25, "lag": {"months": 2}},
        ],
    )
    funnel = sheets.funnel_table(year)
    rows = funnel[funnel["required"] > 0]
    found = {(row.stage, str(row.month)): row.required for row in rows.itertuples()}
    # 12 / .25 = 48 sqls in April; 48 / .2 = 240 leads, half of them in April, half in March
    assert found == pytest.approx(
        {("lead", "2027-03"): 120, ("lead", "2027-04"): 120, ("sql", "2027-04"): 48, ("won", "2027-06"): 12}
    )


def test_a_spread_lag_reaches_back_by_its_shares() -> None:
    found = leads_by_month(
        planned({"weights": [0.5, 0.3, 0.2]}, goal={"new_arr": 1_200_000.0, "next_year_growth": 0.0})
    )
    # January's 40 leads: half in January, 12 in December, 8 in November; February's 8 in December
    assert found["2026-11"] == pytest.approx(8)
    assert found["2026-12"] == pytest.approx(12 + 8)
    assert found["2027-01"] == pytest.approx(20 + 12 + 8)
    # the year's last months serve next year's deals too, which are counted apart
    assert found["2027-11"] == pytest.approx(20 + 12)
    assert found["2027-12"] == pytest.approx(20)


def test_next_year_s_deals_are_traced_back_apart() -> None:
    year = planned({"months": 2}, goal={"new_arr": 1_200_000.0, "next_year_growth": 0.5})
    funnel = sheets.funnel_table(year)
    leads = funnel[funnel["stage"] == "lead"].set_index(funnel["month"][funnel["stage"] == "lead"].astype(str))
    assert leads.loc["2027-10", ["required", "required_next_year"]].tolist() == pytest.approx([40, 0])
    # 180 deals next year: 15 a month, 60 leads two months before
    assert leads.loc["2027-11", ["required", "required_next_year"]].tolist() == pytest.approx([0, 60])
    assert leads["required_next_year"].sum() == pytest.approx(720)


def test_required_of_the_year_counts_all_its_months() -> None:
    answer = plan_answer(Workbook(year=planned({"months": 2})))
    assert answer["required"] == pytest.approx({"lead": 480, "won": 120})


# --- rounding ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "signed"),
    [(41.2, 42), (42.0, 42), (42.0000000001, 42), (41.9999999999, 42), (42.00001, 43), (0.0, 0), (1e-12, 0), (0.01, 1)],
)
def test_a_commitment_is_rounded_up(entries: float, signed: int) -> None:
    assert commitment(entries) == signed


def test_a_commitment_forgives_a_rounding_error_of_large_numbers_only() -> None:
    assert commitment(1e9 + 0.5) == 1e9  # within 1e-9 of a thousand million
    assert commitment(1e6 + 0.5) == 1e6 + 1


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(0.5, 1), (1.5, 2), (2.5, 3), (2.4999, 2), (2.49999999999999, 3), (2.6, 3), (0.49, 0), (879.0, 879)],
)
def test_half_up(value: float, rounded: int) -> None:
    assert half_up(value) == rounded


def test_spreadsheet_rounding_is_carried_from_stage_to_stage() -> None:
    year = planned(
        {"months": 0},
        rounding="spreadsheet",
        goal={"new_arr": 104_000.0, "next_year_growth": 0.0},
        stages=[{"id": "lead"}, {"id": "sql"}, {"id": "won"}],
        transitions=[
            {"from": "lead", "to": "sql", "rate": 0.3, "lag": {"months": 1}},
            {"from": "sql", "to": "won", "rate": 0.4},
        ],
    )
    # 10.4 deals are 10; 10 / .4 = 25; 25 / .3 = 83.3 are 83 (unrounded: 10.4 / .12 = 86.7)
    answer = plan_answer(Workbook(year=year))
    assert answer["required"] == pytest.approx({"lead": 83, "sql": 25, "won": 10}, abs=1e-9)
    assert answer["commitment"] == {"lead": 83, "sql": 25, "won": 10}
    # the months keep their unrounded share of it
    assert leads_by_month(year)["2027-03"] == pytest.approx(83 / 12)


def test_spreadsheet_rounding_is_per_segment_and_source() -> None:
    year = planned(
        {"months": 0},
        rounding="spreadsheet",
        goal={"new_arr": 150_000.0},
        segments={"a": {"share": 0.5, "acv": 10_000}, "b": {"share": 0.5, "acv": 10_000}},
    )
    # 7.5 deals each are 8 each; 8 / .25 = 32
    assert plan_answer(Workbook(year=year))["required"] == pytest.approx({"lead": 64, "won": 16}, abs=1e-9)


# --- before the plan date, and the ledger --------------------------------------------------------------------


def test_arr_that_traces_back_to_before_the_plan_date() -> None:
    quarters = sheets.quarters_table(planned({"months": 2}, plan_date="2026-12-16"))
    # January's 100,000 entered in November; of February's, entered in December, 15 of 31 days are over
    assert quarters["before_plan_date"].tolist() == pytest.approx([100_000 + 100_000 * 15 / 31, 0, 0, 0])


def test_before_the_plan_date_with_a_spread_lag() -> None:
    quarters = sheets.quarters_table(planned({"weights": [0.5, 0.3, 0.2]}, plan_date="2027-01-11"))
    # January: all that entered before (.5) and 10 of 31 days of the rest; February: .2 in December, .3 x 10/31 in
    # January; March: .2 x 10/31 in January
    january = 0.5 + 0.5 * 10 / 31
    assert quarters["before_plan_date"][0] == pytest.approx(100_000 * (january + 0.2 + 0.3 * 10 / 31 + 0.2 * 10 / 31))
    assert quarters["before_plan_date"][1:].tolist() == [0, 0, 0]


def test_a_plan_made_before_everything_leaves_nothing_to_what_exists() -> None:
    quarters = sheets.quarters_table(planned({"months": 2}, plan_date="2026-10-31"))
    assert quarters["before_plan_date"].tolist() == [0, 0, 0, 0]


def ledger(year: PlannedYear) -> dict[tuple[str, str, str], float]:
    rows = sheets.ledger_table(year).itertuples(index=False)
    return {(row.entered, row.serves, row.basis): row.arr for row in rows}


def test_the_ledger_says_when_the_year_s_records_enter() -> None:
    found = ledger(planned({"months": 2}, plan_date="2026-12-16"))
    assert found["before the plan date", "this year", "required"] == pytest.approx(100_000 * (1 + 15 / 31))
    assert found["from the plan date until the year begins", "this year", "required"] == pytest.approx(
        100_000 * 16 / 31
    )
    assert found["within the year", "this year", "required"] == pytest.approx(1_000_000)


def test_the_ledger_of_a_plan_made_within_the_year() -> None:
    found = ledger(planned({"months": 2}, plan_date="2027-02-15"))
    # wins of January to March come from November to January; April's from February: 14 of 28 days are over
    assert found["before the plan date", "this year", "required"] == pytest.approx(350_000)
    assert found["from the plan date until the year begins", "this year", "required"] == 0
    assert found["within the year", "this year", "required"] == pytest.approx(850_000)


@pytest.mark.parametrize("plan_date", ["2026-09-10", "2026-12-16", "2027-05-20"])
@pytest.mark.parametrize("lag", [{"months": 3}, {"weights": [0.2, 0.5, 0.3]}, {"median_days": 60.0, "p90_days": 150.0}])
def test_the_ledger_misses_nothing_of_the_year(lag: dict[str, Any], plan_date: str) -> None:
    year = planned(lag, plan_date=plan_date)
    found = ledger(year)
    required = sum(arr for (_, _, basis), arr in found.items() if basis == "required")
    assert required == pytest.approx(1_200_000)
    assert found["before the plan date", "this year", "required"] == pytest.approx(
        sheets.quarters_table(year)["before_plan_date"].sum()
    )
    # what this year's committed entries bring, this year and later, is all they are worth
    in_year = sheets.stages_table(year).set_index("stage")["commit"]["lead"]
    within = {
        serves: arr
        for (entered, serves, basis), arr in found.items()
        if (entered, basis) == ("within the year", "commit")
    }
    committed = sum(within.values())
    assert committed == pytest.approx(in_year * 0.25 * 10_000)
    # one fact, one number: what the commit brings this year is what the quarters say it brings
    served = sum(arr for (_, serves, basis), arr in found.items() if (serves, basis) == ("this year", "commit"))
    assert served == pytest.approx(sheets.quarters_table(year)["commit_arr"].sum())
    # one fact, one number: what the commit brings this year is what the quarters say it brings
    served = sum(arr for (_, serves, basis), arr in found.items() if (serves, basis) == ("this year", "commit"))
    assert served == pytest.approx(sheets.quarters_table(year)["commit_arr"].sum())


def test_whom_a_year_of_entries_serves() -> None:
    cell = Cell(
        segment="all", source="web", stages=("lead", "won"), rates=(0.25,), lags=(Lag(weights=(0.5, 0.5)),), acv=1000.0, share=1.0
    )  # fmt: skip
    # 10 leads a month from January to December, each lead worth 250: those of January to November close in the
    # year, of December's only half do
    inside, after = serves(cell, np.full(12, 10.0), 0, 0.0)
    assert inside == pytest.approx(11 * 2500 + 1250)
    assert after == pytest.approx(1250)


# --- the last useful day -------------------------------------------------------------------------------------


def last_useful(lag: dict[str, Any], **other: Any) -> date:
    return sheets.last_useful_table(planned(lag, **other))["last_useful_on"][0].date()


@pytest.mark.parametrize(
    ("lag", "day"),
    [
        ({"months": 3}, date(2027, 9, 30)),
        ({"months": 0}, date(2027, 12, 31)),
        ({"months": 12}, date(2026, 12, 31)),
        ({"months": 10}, date(2027, 2, 28)),
        # a fifth has converted one month later, not in the same month
        ({"weights": [0.1, 0.1, 0.8]}, date(2027, 11, 30)),
        ({"weights": [0.2, 0.8]}, date(2027, 12, 31)),
        ({"weights": [0.19, 0.0, 0.81]}, date(2027, 10, 31)),
    ],
)
def test_the_last_useful_day_of_whole_months(lag: dict[str, Any], day: date) -> None:
    assert last_useful(lag) == day


def test_the_last_useful_day_of_another_fiscal_year() -> None:
    assert last_useful({"months": 3}, year={"first_month": "2027-04"}) == date(2027, 12, 31)
    assert last_useful({"months": 1}, year={"first_month": "2027-04"}) == date(2028, 2, 29)


@pytest.mark.parametrize(("median", "p90"), [(60.0, 150.0), (90.0, 200.0), (20.0, 200.0), (3.0, 9.0)])
def test_the_last_useful_day_of_a_log_normal_delay(median: float, p90: float) -> None:
    fifth = lognorm(s=log(p90 / median) / Z90, scale=median).ppf(0.2)
    left = (date(2027, 12, 31) - last_useful({"median_days": median, "p90_days": p90})).days
    assert left == pytest.approx(fifth, abs=1)


def test_the_last_useful_day_of_a_chain() -> None:
    rng = np.random.default_rng(4)
    path = [(12.0, 34.0), (36.0, 108.0)]
    days = sum(median * np.exp(log(p90 / median) / Z90 * rng.standard_normal(400_000)) for median, p90 in path)
    cell = Cell(
        segment="all",
        source="web",
        stages=("lead", "sql", "won"),
        rates=(0.5, 0.5),
        lags=tuple(Lag(median_days=median, p90_days=p90) for median, p90 in path),
        acv=1.0,
        share=1.0,
    )
    for share in (0.2, 0.5):
        left = (date(2027, 12, 31) - last_useful_day(cell, date(2027, 12, 31), share)).days
        assert left == pytest.approx(np.quantile(days, share), abs=1)
