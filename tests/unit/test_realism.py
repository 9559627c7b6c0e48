"""Assumptions against the company's own history: percentiles, all together, stacked buffers."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import betaincinv, ndtri

from revplan.cli import main
from revplan.crm.records import read_records
from revplan.exhibits import realism as show
from revplan.funnel.funnel import YEAR, forward
from revplan.rates.estimates import rate_law
from revplan.rates.spells import spells_of
from revplan.simulation.draws import DrawStore, chance_all_above
from revplan.workbook.history import (
    World,
    Yield,
    buffers,
    monthly_entries,
    past_cohorts,
    won_deals,
    yield_in,
)
from revplan.workbook.notes import TO_DO, action
from revplan.workbook.realism import Stretch, assumed, boldest, chance_words, stacked, stretch, unreached
from revplan.workbook.signing import scaled, signed_year
from revplan.workbook.workbook import Workbook, open_workbook

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "data" / "example" / "plan.yaml"

PLAN = """\
name: Careful
year: {first_month: 2027-01}
plan_date: 2027-01-01
goal: {new_arr: 1_200_000, next_year_growth: 0}
stages: [{id: lead}, {id: sql}, {id: won}]
commit: {stage: sql}
segments: {all: {acv: 9_000}}
sources: {web: {}}
transitions:
  - {from: lead, to: sql, rate: 0.40, evidence: 400, lag: {median_days: 12, p90_days: 20}}
  - {from: sql, to: won, rate: 0.25, evidence: 100, lag: {months: 1}}
uncertainty: {rho: 0.3, lag_cv: 0.15, volume_cv: 0}
history: {leads: crm.yaml}
"""
CRM = "format: wide\nfiles: {leads: {path: leads.csv, id: id}}\nstages: {lead: leads.lead, sql: leads.sql, won: leads.won}\namount: leads.amount\n"


def leads() -> str:
    """Forty leads on the first of each month of two years: half go on after 8 or 16 days, three in ten of these are won
    30 days later, for 8,000, 10,000 and 12,000 in turn."""
    lines, number = ["id,lead,sql,won,amount"], 0
    for month in pd.period_range("2025-01", "2026-12", freq="M"):
        day = date(month.year, month.month, 1)
        for lead in range(40):
            number += 1
            sql = day + timedelta(days=8 if lead % 2 else 16) if lead < 20 else None
            won = sql + timedelta(days=30) if sql and lead < 6 else None
            known = [each if each and each < date(2027, 1, 1) else "" for each in (sql, won)]
            lines.append(f"{number},{day},{known[0]},{known[1]},{8000 + 2000 * (number % 3) if known[1] else ''}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("careful")
    for name, text in (("plan.yaml", PLAN), ("crm.yaml", CRM), ("leads.csv", leads())):
        (made / name).write_text(text, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def book(folder: Path) -> Workbook:
    return open_workbook(folder / "plan.yaml")


@cache
def example() -> Workbook:
    return open_workbook(EXAMPLE)


# --- what past periods did -----------------------------------------------------------------------------------


def test_each_quarter_has_the_rate_and_the_delay_of_its_own_records(book: Workbook) -> None:
    assert book.records is not None
    spells = spells_of(book.records.history)
    row = book.records.estimates[book.records.estimates["from_stage"] == "lead"].iloc[0].to_dict()
    found = past_cohorts(spells, row, [("all", "all")])
    assert list(found["cohort"]) == [f"{year}Q{quarter}" for year in (2025, 2026) for quarter in (1, 2, 3, 4)]
    assert (found["entries"] == 120).all()
    # 60 of 120 go on, all within P90; a log-normal delay has a little over nine in ten by then
    assert found["rate"].between(0.5, 0.5 / 0.9).all()
    assert found["median_days"].between(8, 16).all()
    assert past_cohorts(spells, row, [("nobody", "all")]).empty


def test_a_cohort_too_young_to_be_watched_does_not_count(book: Workbook) -> None:
    assert book.records is not None
    spells = spells_of(book.records.history)
    row = book.records.estimates[book.records.estimates["from_stage"] == "sql"].iloc[0].to_dict()
    found = past_cohorts(spells, row, [("all", "all")])
    # those of December 2026 entered on the 9th and the 17th: not watched for 30 days by New Year's Eve
    assert found.set_index("cohort")["entries"].to_dict()["2026Q4"] == 40
    assert found.set_index("cohort")["entries"].to_dict()["2026Q3"] == 60


def test_a_cohort_s_rate_and_delay_are_those_behind_it(tmp_path: Path) -> None:
    """Log-normal delays, of which only what comes within P90 counts: both are made good for what comes later."""
    rng = np.random.default_rng(2)
    delay = np.where(rng.random(4000) < 0.5, np.round(30 * np.exp(0.75 * rng.standard_normal(4000))), 9e5)
    start = np.datetime64("2025-01-01") + rng.integers(0, 90, 4000)
    rows = [
        f"{number},{day},{day + int(days) if days < 400 else ''},,"
        for number, (day, days) in enumerate(zip(start, delay, strict=True))
    ]
    (tmp_path / "leads.csv").write_text("\n".join(["id,lead,sql,won,amount", *rows]) + "\n", encoding="utf-8")
    (tmp_path / "crm.yaml").write_text(CRM, encoding="utf-8")
    spells = spells_of(read_records(tmp_path / "crm.yaml", date(2026, 12, 31)))
    row = {
        "from_stage": "lead",
        "recorded_from": pd.Timestamp("2025-01-01"),
        "median_days": 30.0,
        "p90_days": 30 * np.exp(0.75 * 1.2816),
    }
    (found,) = past_cohorts(spells, row, [("all", "all")]).to_dict("records")
    assert found["rate"] == pytest.approx(0.5, abs=0.02)
    assert found["median_days"] == pytest.approx(30, abs=2)


def test_deals_are_those_won_in_two_years(book: Workbook) -> None:
    assert book.records is not None
    found = won_deals(spells_of(book.records.history))
    assert set(found["amount"]) == {8000, 10_000, 12_000}
    assert len(found) == 6 * 23
    assert (found["segment"] == "all").all()


def test_months_without_entries_count_as_nothing() -> None:
    months = pd.PeriodIndex(["2026-01", "2026-02", "2026-04"], freq="M")
    entries = pd.DataFrame({"source": "web", "stage": "lead", "month": months, "entries": [9.0, 4.0, 6.0]})
    found = monthly_entries(entries, "lead", pd.Period("2026-06", "M"), "web")
    assert found.to_dict() == {
        pd.Period(f"2026-0{month}", "M"): count for month, count in ((2, 4), (3, 0), (4, 6), (5, 0))
    }
    assert monthly_entries(entries, "lead", pd.Period("2026-06", "M"), "fairs").sum() == 0


# --- one by one ----------------------------------------------------------------------------------------------


def test_the_law_of_a_rate_has_the_bounds_of_the_estimates() -> None:
    assert example().records is not None
    for row in example().records.estimates.to_dict("records"):
        assert betaincinv(*rate_law(row), [0.1, 0.9]) == pytest.approx([row["rate_low"], row["rate_high"]], abs=1e-9)


def test_percentiles_of_the_plan_s_values(book: Workbook) -> None:
    assert book.realism is not None
    assert book.records is not None
    found = book.realism.assumptions.set_index("assumption")
    row = book.records.estimates[book.records.estimates["from_stage"] == "lead"].iloc[0]
    rate = found.loc["rate lead to sql"]
    won = row["rate"] * row["evidence"]
    law = stats.beta(won + 0.5, row["evidence"] - won + 0.5)
    assert rate["percentile"] == pytest.approx(law.cdf(0.40), rel=1e-6)
    assert rate["chance"] == pytest.approx(law.sf(0.40), rel=1e-9)
    assert rate["history_mid"] == pytest.approx(law.median(), rel=1e-6)
    assert (rate["periods"], rate["periods_met"]) == (8, 8)
    # 138 deals of 8, 10 and 12 thousand: mean 10,000, sd 1,639, so 53 standard errors of the mean above 9,000
    deal = found.loc["deal size all"]
    assert deal["history_mid"] == pytest.approx(10_000, rel=1e-3)
    assert deal["history_high"] - deal["history_low"] == pytest.approx(2 * 1.2816 * 1639 / np.sqrt(138), rel=0.01)
    assert deal["chance"] > 1 - 1e-9
    # 12 days planned, 8 or 16 measured: half a month written as `months: 1` stands for 15 to 46 days
    lag = found.loc["lag lead to sql"]
    measured = row["median_days"]
    assert lag["chance"] == pytest.approx(stats.norm.cdf(np.log(12 / measured) / np.sqrt(np.log1p(0.15**2))), rel=1e-6)
    assert found.loc["lag sql to won", "planned"] == pytest.approx(found.loc["lag sql to won", "history_mid"])


def test_volume_and_growth_are_held_against_past_months(book: Workbook) -> None:
    assert book.realism is not None
    found = book.realism.assumptions.set_index("assumption")
    volume = found.loc["entries a month, web"]
    (flow,) = signed_year(book.to_sign).flows
    assert volume["planned"] == pytest.approx(flow[0][:YEAR].mean())
    assert (volume["history_low"], volume["history_high"], volume["periods"]) == (40, 40, 23)
    growth = found.loc["growth of entries"]
    assert growth["planned"] == pytest.approx(flow[0][:6].sum() / 240)
    assert (growth["history_mid"], growth["periods"]) == (1, 12)


def test_a_rate_whose_cells_are_overridden_is_held_against_the_others_only() -> None:
    """Segment smb at sal is stated apart for outbound, which converts less: the rest must not look bold for it."""
    book = example()
    assert book.realism is not None
    assert book.records is not None
    found = book.realism.assumptions.set_index("assumption")
    estimates = book.records.estimates.set_index(["from_stage", "to_stage", "segment", "source"])
    cells = estimates.loc[[("sal", "sqo", "smb", each) for each in ("inbound", "events", "partner")]]
    mean = float(cells["rate"] @ cells["entries"] / cells["entries"].sum())
    assert found.loc["rate sal to sqo, smb", "history_mid"] == pytest.approx(mean, abs=2e-3)
    assert estimates.loc[("sal", "sqo", "smb", "all"), "rate"] < mean - 0.03
    assert found.loc["rate sal to sqo, smb", "chance"] > 0.1


def test_a_lag_of_a_wider_group_is_not_held_against_the_plan() -> None:
    assert example().realism is not None
    assert "lag sqo to won, enterprise" not in set(example().realism.assumptions["assumption"])


# --- all together --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8])
def test_all_together_is_the_share_of_the_simulation_s_draws_in_which_all_are_met(rho: float) -> None:
    chances = np.array([0.6, 0.35, 0.9, 0.5])
    store = DrawStore(65_536, 5, 3)
    normals = np.concatenate([store.block(number) for number in range(store.blocks)], axis=1)
    rates = np.sqrt(rho) * normals[0] + np.sqrt(1 - rho) * normals[1:]
    met = (rates >= -ndtri(chances)[:, None]).all(axis=0)
    assert chance_all_above(-ndtri(chances), rho) == pytest.approx(met.mean(), abs=4e-3)


def test_without_a_shared_market_it_is_the_product(book: Workbook) -> None:
    chances = np.array([0.6, 0.35, 0.9])
    assert chance_all_above(-ndtri(chances), 0.0) == pytest.approx(chances.prod(), rel=1e-9)
    found = book.realism
    assert found is not None
    rows = found.assumptions[found.assumptions["about"].isin(["rate", "deal", "lag"])]
    assert found.chance_if_independent == pytest.approx(rows["chance"].prod())
    rates = rows.loc[rows["about"] == "rate", "chance"].to_numpy()
    lag = rows.loc[rows["about"] == "lag", "chance"].min()  # one factor for all lags: the boldest decides
    deal = rows.loc[rows["about"] == "deal", "chance"].prod()
    assert found.chance_all_met == pytest.approx(chance_all_above(-ndtri(rates), 0.3) * lag * deal)
    assert found.chance_all_met >= found.chance_if_independent


# --- stacked buffers -----------------------------------------------------------------------------------------


def test_the_plan_s_own_world_gives_the_plan() -> None:
    found = yield_in(example().year, World())
    assert found.total == pytest.approx(example().simulation.view.planned_arr, rel=1e-9)


def test_prudent_assumptions_multiply(book: Workbook) -> None:
    year = book.year
    steps = [each.key for each in year.plan.transitions]
    planned = yield_in(year, World())
    worlds = [
        ("first", World(rates={steps[0]: 0.48})),
        ("second", World(rates={steps[1]: 0.30})),
        ("deals", World(deals={"all": 9_900})),
    ]
    found = buffers(year, worlds)
    # a sixth-fifths more of each and a tenth: 1.2 x 1.2 x 1.1 of what new entries bring
    assert [each.alone.entries / planned.entries for each in found] == pytest.approx([1.2, 1.2, 1.1])
    assert [each.together.entries / planned.entries for each in found] == pytest.approx([1.2, 1.44, 1.584])
    # open records are past the first step or at it: leads gain from both, sqls from the second only
    assert 1 < found[0].together.coming / planned.coming < found[1].together.coming / planned.coming < 1.44
    assert found[2].together.coming == pytest.approx(found[1].together.coming)


def test_a_longer_lag_brings_later_what_the_forward_funnel_says(book: Workbook) -> None:
    year = book.year
    step = year.plan.transitions[0].key
    lag = year.plan.transitions[0].lag.stretched(2)
    (cell,), (flow,) = year.cells, year.flows
    slow = replace(cell, lags=(lag, cell.lags[1]))
    wins = forward(slow, flow[0], year.start)[-1][:YEAR].sum()
    assert yield_in(year, World(lags={step: lag})).entries == pytest.approx(wins * 9_000)


@pytest.mark.parametrize(
    ("found", "arr", "scale"),
    [(Yield(200.0, 800.0), 1000.0, 1.0), (Yield(200.0, 1600.0), 1000.0, 0.5), (Yield(1200.0, 8.0), 1000.0, 0.0),
     (Yield(200.0, 0.0), 1000.0, np.inf), (Yield(1000.0, 0.0), 1000.0, 0.0)],
)  # fmt: skip
def test_the_scale_that_brings_an_amount(found: Yield, arr: float, scale: float) -> None:
    assert found.scale_for(arr) == scale


def test_the_buffer_of_a_careful_plan_is_told_in_entries_and_money(book: Workbook) -> None:
    found = book.realism
    assert found is not None
    table = found.buffers.set_index("assumptions")
    assert list(table.index) == [
        "as planned",
        "rate lead to sql",
        "rate sql to won",
        "deal size",
        "lags",
        "all together",
    ]
    assert table["arr_together"].iloc[-2:].tolist() == pytest.approx([found.together.total] * 2)
    assert found.overshoot > 0.3 * found.planned.total  # .4 for .5, .25 for .3, 9,000 for 10,000
    sql = found.commit
    assert found.needed < sql
    # the entries that do bring the planned ARR: checked with the entries really scaled
    fewer = replace(book.year, flows=tuple(flow * (found.needed / sql) for flow in book.year.flows))
    mids = World(
        rates={
            each.key: table_mid(book, f"rate {each.from_stage} to {each.to_stage}") for each in book.plan.transitions
        },
        deals={"all": table_mid(book, "deal size all")},
    )
    lags = {each.planned.key: each.lag for each in compared(book)}
    assert yield_in(fewer, mids | World(lags=lags)).total == pytest.approx(found.planned.total)
    text = stacked(found, book.plan)
    assert text.startswith("At the history's medians")
    assert f"{round(found.commit - found.needed)} of them are buffer, most of it in rate" in text


def table_mid(book: Workbook, assumption: str) -> float:
    assert book.realism is not None
    return float(book.realism.assumptions.set_index("assumption").loc[assumption, "history_mid"])


def compared(book: Workbook) -> list:
    from revplan.workbook.history import compared_steps

    assert book.records is not None
    return compared_steps(book.year, book.records.estimates, spells_of(book.records.history))


def test_rates_taken_from_the_records_hide_nothing(folder: Path, tmp_path: Path) -> None:
    own = PLAN.split("transitions:")[0].replace("9_000", "{mean: 10_000}") + "history: {leads: crm.yaml}\n"
    for name, text in (("plan.yaml", own), ("crm.yaml", CRM), ("leads.csv", leads())):
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = open_workbook(tmp_path / "plan.yaml").realism
    assert found is not None
    assert not found.buffers["assumptions"].str.startswith("rate").any()
    assert found.assumptions["percentile"].iloc[0] == pytest.approx(0.5, abs=0.05)


# --- words, commands, exhibits -------------------------------------------------------------------------------


def test_sentences(book: Workbook) -> None:
    found = book.realism
    assert found is not None
    assert assumed(found).startswith(
        "2 of 7 values held against the records are bold (met less than one time in ten), first of all entries"
    )
    none = replace(found, assumptions=found.assumptions.assign(chance=0.5))
    assert assumed(none).startswith("No value of 7 held against the records is bold")
    assert "; the 5 rates, deal sizes and lags among them are all met together with a chance of " in assumed(found)
    bold = replace(
        found, assumptions=found.assumptions.assign(chance=[0.05, 0.2, 0.5, 0.5, 0.5, 0.5, 0.5], periods_met=0.0)
    )
    assert assumed(bold).startswith(
        "1 of 7 values held against the records is bold (met less than one time in ten), first of all"
    )
    assert boldest(bold)["chance"].is_monotonic_increasing
    volume = found.assumptions["about"].eq("volume")
    bolder = replace(found, assumptions=found.assumptions.assign(chance=np.where(volume, 0.01, 0.05)))
    assert assumed(bolder).startswith(
        "7 of 7 values held against the records are bold (met less than one time in ten), first of all entries a month, web;"
    )
    assert boldest(bolder)["assumption"].iloc[0] == "entries a month, web"
    assert list(unreached(bold)) == ["No past month brought as many entries as are to sign a month of web."]
    less = replace(found, together=Yield(found.planned.coming, 0.9 * found.planned.entries))
    assert stacked(less, book.plan).startswith("No buffer: at the history's medians")
    none = replace(less, together=Yield(0.0, 0.0))
    assert "it would take more than can be entered" in stacked(none, book.plan)
    assert [chance_words(each) for each in (0.25, 2e-4, 1e-9)] == ["25%", "1 in 5k", "less than one in a million"]


def test_simulate_says_what_the_history_says(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["simulate", str(folder / "plan.yaml"), "--trials", "500"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "Held against" in said
    assert "At the history's median" in said
    assert main([*arguments, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["realism"]
    assert found["commit"]["stage"] == "sql"
    assert found["overshoot"] == pytest.approx(
        found["buffers"][-1]["arr_together"] - found["buffers"][0]["arr_together"]
    )
    assert {"assumption", "planned", "percentile", "chance", "periods", "periods_met"} <= set(found["assumptions"][0])
    assert found["chance_all_met"] >= found["chance_if_independent"]


def test_without_history_it_says_why_there_is_nothing_to_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "plan.yaml").write_text(PLAN.replace("history: {leads: crm.yaml}\n", ""), encoding="utf-8")
    book = open_workbook(tmp_path / "plan.yaml")
    assert book.realism is None
    text = show.against_history(book).message
    assert text.startswith("The plan names no records")
    assert "all 3 rates, volumes and delays that vary are met is" in text
    assert show.stacked_buffers(book).kind == "text"
    assert main(["simulate", str(tmp_path / "plan.yaml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["realism"] == {"says": [text], "assumptions": [], "buffers": []}
    certain = (
        PLAN.replace("history: {leads: crm.yaml}\n", "").replace(", evidence: 400", "").replace(", evidence: 100", "")
    )
    (tmp_path / "plan.yaml").write_text(certain.replace("lag_cv: 0.15", "lag_cv: 0"), encoding="utf-8")
    assert "count as certain" in show.against_history(open_workbook(tmp_path / "plan.yaml")).message


def test_exhibits(book: Workbook) -> None:
    table, chart = show.against_history(book), show.stacked_buffers(book)
    assert book.realism is not None
    assert table.message == assumed(book.realism)
    assert table.table is not None
    assert "40%" in set(table.table["planned"])
    assert chart.message == stacked(book.realism, book.plan)
    assert chart.chart is not None
    steps = [value for series in chart.chart.series for value in series.values if value is not None]
    assert sum(steps[:-1]) == pytest.approx(steps[-1])  # the steps come to what all do together
    assert steps[-1] == pytest.approx(book.realism.overshoot)


# --- the largest stretch -------------------------------------------------------------------------


def test_the_action_is_the_largest_stretch_against_the_own_past() -> None:
    book = open_workbook(EXAMPLE)
    scale = book.to_sign.scale
    assert scale is not None
    whole = slice(int(book.year.start > 0), 12 - book.year.first)
    shares = {}
    for name, source in book.plan.sources.items():
        asked = scale * sum(
            f[0][whole] for c, f in zip(book.year.cells, book.year.flows, strict=True) if c.source == name
        )
        entries = book.records.entries
        of = entries[(entries["stage"] == book.plan.entry_stage(name)) & (entries["source"] == name)]
        months = pd.period_range(entries["month"].min() + 1, pd.Period(book.plan.plan_date, "M") - 1, freq="M")[-24:]
        past = of.groupby("month")["entries"].sum().reindex(months, fill_value=0)
        shares[name] = (int((past >= asked.mean()).sum()), len(past), asked.mean(), past.mean(), source.owner)
    fewest = min(met for met, *_ in shares.values())
    name = max((n for n, each in shares.items() if each[0] == fewest), key=lambda n: shares[n][2] / shares[n][3])
    met, months, asked, _, owner = shares[name]
    assert book.answers[TO_DO].startswith(f"{owner.capitalize()} brings {math.ceil(asked)} ")
    assert book.answers[TO_DO].endswith(
        f"from {name}, from Dec 2026 on; reached in {met or 'none'} of the last {months} months."
    )


def test_no_stretch_is_named_where_most_months_brought_as_much(book: Workbook) -> None:
    easy = Stretch(source="web", asked=9.0, months=np.array([10.0] * 13 + [5.0] * 11), since=pd.Period("2027-01"))
    assert (easy.met, easy.is_one) == (13, False)
    hard = Stretch(source="web", asked=11.0, months=easy.months, since=easy.since)
    assert hard.is_one
    assert hard.size > easy.size
    none = scaled(book.year, 0.01)
    assert stretch(none, book.records) == ""
    assert stretch(book.year, None) == ""


def test_a_quarter_that_cannot_be_reached_comes_before_a_stretch(book: Workbook) -> None:
    said = "marketing brings 9 Leads a month."
    missed = book.quarters.assign(
        shortfall=[0.0, 0.0, 0.0, 0.2 * book.quarters["goal"].iloc[-1]], surplus=0.0, recovered_by=None
    )
    assert action(book.year, book.quarters, said) == said
    assert action(book.year, missed, said) != said
