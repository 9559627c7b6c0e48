"""The exhibits of the board pack, for companies at the edges: no part of a pack may contradict another."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import small_company
from every_exhibit import reports
from small_company import ACTUALS, LEADS, NAMELESS, small_book

from revplan.crm.planfile import read_plan
from revplan.exhibits import attainment, detail, outlook, pace, performance, summary
from revplan.exhibits.exhibit import Exhibit
from revplan.exhibits.figures import MIMETYPE, measures
from revplan.ground.errors import PlanError
from revplan.ground.formats import compact
from revplan.ground.values import FrozenDict
from revplan.printing.registry import registry
from revplan.tracking.book import BoardBook, open_before, open_board
from revplan.tracking.pacebook import pace_from
from revplan.workbook.notes import DECIDE, LANDS, TO_DO, WHERE
from revplan.workbook.signing import ToSign

EXAMPLE = Path(__file__).parents[2] / "data" / "example"
FY26 = EXAMPLE / "plan_fy26.yaml"
HOSTILE = "<script>alert(1)</script> =cmd|'/c calc'!A0 {{ 7*7 }} ../../x 50% of Q3 株式会社 עברית"


def pack(book: BoardBook, before: BoardBook | None = None) -> list[Exhibit]:
    """Every exhibit of the notebook, in order."""
    made = [
        attainment.attainment,
        pace.of_quarter,
        attainment.so_far,
        detail.retention,
        performance.eight_quarters,
        attainment.variance,
        performance.three_numbers,
        *(partial(detail.detail, audience=each) for each in detail.AUDIENCES),
        outlook.coverage,
        outlook.landing,
        summary.what_if,
        summary.risks_and_asks,
        summary.history,
    ]
    then = summary.asked_before(book, before)
    return [summary.summary(book, before), *(each(book) for each in made), then, summary.definitions()]


def raws(exhibits: list[Exhibit]) -> list[dict[str, Any]]:
    """What a notebook keeps of them."""
    return [each._repr_mimebundle_()[MIMETYPE] for each in exhibits]


def checked(book: BoardBook, before: BoardBook | None = None) -> list[Exhibit]:
    """The pack of `book`, once its registry has found no contradiction."""
    made = pack(book, before)
    assert registry(raws(made))
    return made


@pytest.fixture(scope="module")
def example(q3: BoardBook) -> list[Exhibit]:
    """The example company's third quarter."""
    return checked(q3, open_before(q3))


def test_the_summary_says_what_came_where_it_lands_what_changed_and_what_to_do(example: list[Exhibit]) -> None:
    assert example[0].message == "FY26 is likely to miss its goal: new ARR is heading for $2.64M, the goal is $2.8M."
    said = dict(raws(example[:1])[0]["shown"])
    assert list(said) == ["The commit", WHERE, LANDS, DECIDE, TO_DO]
    assert said[WHERE].startswith("Jul-Sep 2026 (Q3 FY26) brought $728k of new ARR against $1.12M planned.")
    assert said[LANDS].startswith("Below the goal (−$157k); between ")
    assert said[LANDS].endswith("The forecast has moved by −$372k since 30 Jun 2026.")
    assert said[TO_DO].startswith(
        "Sales: build pipeline in smb, or win more of it. Its open opportunities are expected to bring $"
    )
    assert example[0].header == "Orrinvale Software FY26, as known on 30 Sep 2026"


def lines(book: BoardBook) -> dict[str, str]:
    """What page one says, by its labels."""
    return dict(raws([summary.summary(book, None)])[0]["shown"])


def test_page_one_says_what_is_to_be_decided_and_what_each_way_comes_to(q3: BoardBook) -> None:
    asked = ToSign(q3.simulation)
    wanted = q3.plan.commit.confidence
    assert asked.chance < wanted
    reached = 1 - q3.simulation.detail.chances.below(asked.goal_within_reach).mean()
    assert reached == pytest.approx(wanted, abs=1e-6)
    scale = 1 + asked.more / asked.expected[asked.stage]
    assert q3.simulation.chance_at(scale) == pytest.approx(wanted, abs=0.003)
    costs = {name: each.cost_per_entry or 0.0 for name, each in q3.now.plan.sources.items()}
    entered = zip(q3.now.cells, q3.now.flows, strict=True)
    spent = sum(costs[cell.source] * q3.now.in_year(flow[0]).sum() for cell, flow in entered)
    said = lines(q3)[DECIDE]
    assert said.startswith(
        f"Accept a goal of {compact(asked.goal_within_reach, 'USD')} for FY26, which is reached with"
    )
    left = math.ceil(asked.expected[asked.stage] - 1e-9)
    assert f"or approve {asked.more} more SQLs by 31 Dec 2026 than the {left} still committed" in said
    assert f"for {compact((asked.scale - 1) * spent, 'USD')} of programme spend" in said
    assert ("above what the ceilings of" in said) == (asked.scale > asked.most)


def recommended(
    book: BoardBook, *, commit: dict[str, Any] | None = None, people: bool = False, **costs: float | None
) -> str:
    """What of the two ways is recommended where no source has a ceiling, but for those of `costs` a cost per entry."""
    year = book.simulation.year
    free = {"max_per_month": None, "max_growth": None}
    sources = {
        name: source.model_copy(
            update=(free if costs else {}) | ({"cost_per_entry": costs[name]} if name in costs else {})
        )
        for name, source in year.plan.sources.items()
    }
    changed: dict[str, Any] = {
        "sources": FrozenDict(sources),
        "commit": year.plan.commit.model_copy(update=commit or {}),
    }
    if people:
        changed["capacity"] = read_plan(FY26.with_name("plan_people.yaml")).capacity
    other = replace(year, plan=year.plan.model_copy(update=changed))
    asked = ToSign(replace(book.simulation, year=other))
    assert bool(asked.over) == (not costs)
    return str(outlook.recommended(book, asked, "SQLs").text)


def test_of_the_two_ways_that_is_recommended_for_which_ceilings_and_costs_speak(q3: BoardBook) -> None:
    asked, year = ToSign(q3.simulation), q3.simulation.year
    entered = {
        name: sum(year.in_year(year.flows[row][0]).sum() for row in year.rows_of(name)) for name in year.plan.sources
    }
    extra = {name: (asked.scale - 1) * count for name, count in entered.items()}
    detail = q3.simulation.detail
    gain = float((detail.chances_at(asked.scale).mean - detail.chances_at(1.0).mean).mean())
    wins = zip(year.cells, year.flows, strict=True)
    ever = (asked.scale - 1) * sum(cell.rates_to_won[0] * cell.acv * year.in_year(flow[0]).sum() for cell, flow in wins)
    assert 0 < gain < ever

    def split(total: float, *unpriced: str) -> dict[str, float | None]:
        """Costs per entry at which the extra entries cost `total` together, those of `unpriced` unknown."""
        priced = [name for name in extra if name not in unpriced]
        return {name: total / len(priced) / extra[name] if name in priced else None for name in extra}

    brings = f"expected to bring {compact(gain, 'USD')} of new ARR in FY26 for"
    cheap, dear, vain = 0.5 * gain, (gain + ever) / 2, 2 * ever
    assert recommended(q3) == "Recommended: the lower goal, for the plan's own ceilings rule the extra SQLs out."
    assert lines(q3)[DECIDE].endswith(recommended(q3))
    bought = f"Recommended: the extra SQLs, {brings} {compact(cheap, 'USD')}"
    assert recommended(q3, **split(cheap)) == f"{bought}; who does the work, and the margin, the plan does not say."
    assert recommended(q3, people=True, **split(cheap)) == f"{bought}; the margin the plan does not say."
    lower = f"Recommended: the lower goal, for the extra SQLs would on average {brings.removeprefix('expected to ')}"
    later = f"; the {compact(ever, 'USD')} of the end is a case for a later plan"
    assert recommended(q3, **split(dear)) == f"{lower} {compact(dear, 'USD')}{later}."
    assert recommended(q3, **split(vain)) == f"{lower} {compact(vain, 'USD')}."
    assert recommended(q3, **split(vain, "partner")) == f"{lower} {compact(vain, 'USD')} at least."
    unknown = (
        "Neither is recommended: what the extra SQLs would cost is not known, for the plan gives no cost per entry of"
    )
    assert recommended(q3, **split(cheap, "partner")) == f"{unknown} partner."
    assert recommended(q3, **dict.fromkeys(extra)) == f"{unknown} inbound, events, outbound and partner."
    wanted = recommended(q3, commit={"at_any_cost": True}, **split(vain))
    assert (
        wanted
        == "Recommended: the extra SQLs, for the plan wants its goal at any cost; who does the work it does not say."
    )


def test_page_one_says_what_the_landing_counts_on_and_what_it_is_at_the_recent_pace(q3: BoardBook) -> None:
    left = math.ceil(ToSign(q3.simulation).expected["sql"] - 1e-9)
    pace_ = compact(q3.landing["at_recent_pace"].iloc[-1], "USD")
    assert f"The landing counts on the {left} SQLs still committed; if new records come in as they did lately, it is {pace_}." in lines(q3)[LANDS]  # fmt: skip
    unknown = replace(q3)
    vars(unknown)["landing"] = q3.landing.assign(at_recent_pace=math.nan)
    assert "counts on" not in lines(unknown)[LANDS]
    nothing_to_come = replace(q3)
    vars(nothing_to_come)["landing"] = q3.landing.assign(to_create=0.0)
    assert "counts on" not in lines(nothing_to_come)[LANDS]


def test_no_decision_is_asked_for_where_none_is_needed(opened: Callable[..., BoardBook]) -> None:
    on_course = opened(quarter="2026-Q1", as_of=date(2026, 3, 31))
    assert on_course.landing["chance_of_goal"].iloc[-1] >= on_course.plan.commit.confidence
    assert lines(on_course)[DECIDE] == "No decision is needed: the goal is as likely as was asked for."
    assert lines(opened(quarter="2026-Q4", as_of=date(2026, 12, 31)))[DECIDE].startswith(
        "No decision is needed: the year"
    )


def test_before_the_year_the_board_is_asked_for_its_signature(year_to_come: BoardBook) -> None:
    asked = ToSign(year_to_come.simulation)
    said = lines(year_to_come)[DECIDE]
    assert said.startswith(f"Sign the commit and {compact(asked.spend, 'USD')} of programme spend")
    assert [name for name in year_to_come.plan.sources if name in said] == list(asked.over)


def test_page_one_says_why_the_plan_lies_above_the_goal_only_where_it_does(opened: Callable[..., BoardBook]) -> None:
    why = "the plan asks for more entries than are needed on average"
    for quarter, day in (("2026-Q1", date(2026, 3, 31)), ("2026-Q3", date(2026, 9, 30))):
        book = opened(quarter=quarter, as_of=day)
        rows = book.attainment_money[book.attainment_money["period"] == book.spans[-1].label].set_index("term")
        above = rows["planned"]["new_arr"] > rows["planned"]["goal"]
        assert (why in lines(book)[WHERE]) == (above and book.scale > 1)


def test_the_line_of_the_quarter_says_where_it_stands_and_where_the_pace_leads(
    opened: Callable[..., BoardBook],
) -> None:
    running = opened(quarter="2026-Q3", as_of=date(2026, 8, 20))
    made = pace.of_quarter(running)
    assert registry(raws([made]))
    row = pace_from(running).line("quarter")
    assert row is not None
    told = [f"{row[name]:.0f}" for name in ("projected", "target", "projected_low", "projected_high")]
    assert made.message == (
        f"SQLs of Jul-Sep 2026 (Q3 FY26) are {row['days_behind']:.1f} working days behind plan; at the recent pace {told[0]} of "
        f"{told[1]} come by its end ({told[2]} to {told[3]} in eight of ten cases)."
    )
    assert made.notes == (pace.BY_WORKING_DAY,)
    month = running.sides.planned_flow  # 20 of 31 days are over, and 14 of 21 working days: two plans to date
    august = month[(month["stage"] == "sql") & (month["month"] == pd.Period("2026-08", "M"))]["entries"].sum()
    assert pace_from(running).line()["target_to_date"] == pytest.approx(august * 14 / 21)  # type: ignore[index]
    assert not pace.of_quarter(opened(quarter="2026-Q3", as_of=date(2026, 8, 31))).notes
    assert 14 <= len(made.table) <= 16  # week by week
    assert made.table["day"].iloc[-1] == pd.Timestamp(2026, 9, 30)
    assert made.table.set_index("day")["actual"].last_valid_index() == pd.Timestamp(2026, 8, 20)
    assert made.table["target"].iloc[-1] == pytest.approx(row["target"])
    ended = pace.of_quarter(opened(quarter="2026-Q3", as_of=date(2026, 9, 30))).message
    assert "ended" in ended
    assert "recent pace" not in ended
    before = pace.of_quarter(opened(quarter="2026-Q1", as_of=date(2025, 12, 1)))
    assert before.appendix
    assert before.chart is None


def test_the_pack_says_closing_arr_and_what_existing_customers_kept(q3: BoardBook) -> None:
    made = detail.retention(q3)
    assert registry(raws([made]))
    terms = made.table.set_index("term")
    booked = q3.files.actuals.table
    months = booked[booked["month"].astype(str) <= "2026-09"]
    opening = terms["actual"]["Opening ARR"]
    lost = months[["contraction", "churn"]].sum().sum()
    kept = (opening + months["expansion"].sum() - lost) / opening
    assert f"net revenue retention is {kept:.1%} against " in made.message
    assert terms["actual"]["Closing ARR"] == opening + months["new"].sum() + months["expansion"].sum() - lost
    assert terms["gap"]["Churn"] == terms["actual"]["Churn"] - terms["planned"]["Churn"]


PAGE_ONE = [
    ("CMO: what did marketing commit to?", "signed 2026 to sign"),
    ("CMO: how sure was that to be?", "confidence 2026 wanted"),
    ("CMO: how many SQLs came this quarter?", "entries [stage=sql] 2026-Q3 actual"),
    ("CMO: how many were planned?", "entries [stage=sql] 2026-Q3 planned"),
    ("CFO: is the year safe?", "chance 2026 simulated"),
    ("CFO: where does the year land?", "landing 2026 expected"),
    ("CFO: how low might it be?", "landing_low 2026 expected"),
    ("CFO: how high might it be?", "landing_high 2026 expected"),
    ("CFO: how far is that from the goal?", "landing_gap 2026 expected"),
    ("CFO: what was won this quarter?", "new_arr 2026-Q3 actual"),
    ("CFO: what was planned?", "new_arr 2026-Q3 planned"),
    ("CFO: and since the year began?", "new_arr 2026 to Q3 actual"),
    ("CFO: and what would the goal alone have asked for by now?", "new_arr 2026 to Q3 goal"),
    ("board: what is the goal?", "goal 2026 plan"),
    ("board: has the forecast changed?", "landing_change 2026 as known on 30 Jun 2026"),
    ("board: what is at stake?", "uncovered [segment=smb] rest of 2026 expected"),
]
HEADLINES = [
    ("CMO: what part of the plan is that?", "entries_reached [stage=sql] 2026-Q3 actual over plan"),
    ("CMO: are the SQLs as good as planned?", "conversion 2026-Q3 actual"),
    ("CMO: how far off the plan are we in time?", "days_off_plan [stage=sql] 2026-Q3 on 2026-09-30"),
    ("CFO: what does a customer cost us?", "cac 2026-Q3 actual"),
    ("CFO: what is our ARR?", "arr_term [term=closing] 2026 to Q3 actual"),
    ("CFO: what do existing customers keep?", "nrr 2026 to Q3 actual"),
    ("board: was last year's quarter better?", "new_arr 2025-Q3 actual"),
    ("board: was it too few entries?", "variance_step [line=volume] 2026-Q3 estimated"),
    ("board: what if we win less?", "scenario_difference [scenario=win rate down a fifth] 2026 expected"),
    ("board: is there enough pipeline?", "coverage rest of 2026 open over remaining"),
    ("board: how much would be enough?", "coverage_needed rest of 2026 one over the win rate"),
]


@pytest.mark.parametrize(("question", "name"), PAGE_ONE)
def test_what_is_asked_first_is_answered_on_page_one_once(question: str, name: str, example: list[Exhibit]) -> None:
    figures = {each.id: each for _, _, each in example[0].figures}
    told = re.escape(figures[name].text)
    words = " ".join([example[0].message, *example[0].table["value"]])
    assert len(re.findall(rf"(?<![\w.,−+]){told}(?![\w%]|[.,]\d)", words)) == 1, question


@pytest.mark.parametrize(("question", "name"), HEADLINES)
def test_what_is_asked_next_is_answered_by_a_headline(question: str, name: str, example: list[Exhibit]) -> None:
    found = [made for made in example for _, column, each in made.figures if (column, each.id) == ("message", name)]
    assert found, question
    quoted = next(each for _, _, each in found[0].figures if each.id == name)
    assert quoted.text in found[0].message


def test_everybody_finds_what_is_wanted_of_them(example: list[Exhibit]) -> None:
    said = dict(zip(*(example[0].table[name] for name in ("fact", "value")), strict=True))
    assert said["The commit"].startswith("Nothing is signed for FY26.")
    assert said[TO_DO].startswith("Sales: build pipeline in smb")
    asks = next(made for made in example if made.message.startswith("First of all: sales should")).table
    assert "bring inbound back to the Leads it is planned to bring" in set(
        asks.loc[asks["owner"] == "marketing", "ask"]
    )
    assert any("marketing answers for it" in made.message for made in example)


def test_what_was_asked_last_time_is_told_with_what_became_of_it(q3: BoardBook) -> None:
    before = open_before(q3)
    made = summary.asked_before(q3, before)
    assert registry(raws([made, summary.risks_and_asks(q3)]))
    asked = made.table.set_index("what")
    then = {risk.what: risk.size.value for risk in summary.risks(before) if risk.size}
    now = {risk.what: risk.size.value for risk in summary.risks(q3) if risk.size}
    assert dict(asked["size_then"]) == then
    assert dict(asked["size_now"].dropna()) == {what: size for what, size in now.items() if what in then}
    assert asked["outcome"]["Coverage of mid is too thin"] == "no longer stands out"
    assert asked["outcome"]["Coverage of smb is too thin"] == "still open, smaller"
    assert made.message.startswith(
        "By today's records this would have been asked first on 30 Jun 2026: sales should build pipeline in smb"
    )
    assert summary.asked_before(before, None).appendix


def test_the_history_of_the_landing_is_what_each_pack_said(q3: BoardBook, opened: Callable[..., BoardBook]) -> None:
    found = summary.history(q3).table.set_index("as_of")
    assert list(found.index) == ["31 Mar 2026", "30 Jun 2026", "30 Sep 2026"]
    for day, as_of in zip(found.index, (date(2026, 3, 31), date(2026, 6, 30), date(2026, 9, 30)), strict=True):
        then = outlook.landing_figures(opened(as_of=as_of))
        assert found["landing"][day] == then["landing"].value
        assert found["chance_of_goal"][day] == then["chance"].value
    assert summary.history(opened("2026-Q1", date(2026, 3, 31))).appendix


def test_every_measure_that_is_defined_is_used_somewhere(example: list[Exhibit], year_to_come: BoardBook) -> None:
    planned = pack(year_to_come)
    others = [each for made in reports(EXAMPLE / "plan.yaml").values() for each in made]
    used = {figure.measure.name for each in [*example, *planned, *others] for _, _, figure in each.figures}
    assert used | OF_PEOPLE | OF_A_YEAR_LOOKED_BACK_ON | OF_NO_CEILING == set(measures())


OF_NO_CEILING = {"more_arr", "more_arr_ever"}  # where ceilings decide, money does not: the test of the two ways

OF_PEOPLE = {  # of a plan with people, which the example's running year has none of: test_capacity.py
    *("demand_arr", "capacity_arr", "closed_arr", "capacity_used"),
    *("cohort_entries", "cohort_conversion", "cohort_deal", "factor_worth"),
}
OF_A_YEAR_LOOKED_BACK_ON = {  # test_retrospective.py
    *("forecasts_judged", "forecasts_inside", "forecast_bias", "asks_made", "asks_settled"),
    *("assumption_cost", "rates_outside", "rate_of_step"),
}


def test_what_is_displayed_adds_up(example: list[Exhibit]) -> None:
    waterfall = next(each for each in example if "amount" in each.table and "brought $728k of new ARR" in each.message)
    amounts = waterfall.table["amount"]
    assert amounts[:-1].sum() == amounts.iloc[-1] == 728_390
    landing = next(each for each in example if each.message.startswith("The year is expected to land")).table.iloc[0]
    assert landing["won"] + landing["open_records"] + landing["still_to_create"] == landing["landing"]


@pytest.mark.parametrize("quarter", ["2026-Q1", "2026-Q2", "2026-Q3", "2026-Q4"])
def test_every_quarter_of_the_example(quarter: str, opened: Callable[..., BoardBook]) -> None:
    checked(opened(quarter))


@pytest.mark.parametrize("segment", ["smb", "enterprise"])
def test_one_segment_of_the_example(segment: str, opened: Callable[..., BoardBook]) -> None:
    made = checked(opened("2026-Q3", segment=segment))
    assert made[0].header.startswith(f"Orrinvale Software FY26, {segment}, as known")


def test_a_year_that_has_not_begun_shows_what_is_promised(year_to_come: BoardBook) -> None:
    made = checked(year_to_come)
    assert made[0].message.startswith("FY27 is likely to reach its goal: new ARR is heading for ")
    assert dict(raws(made[:1])[0]["shown"])[WHERE] == "The year begins on 1 Jan 2027; nothing can have come yet."
    assert "SQLs are to sign for the year; with those of records open already " in made[1].message


@pytest.mark.parametrize(
    "company",
    [
        {},
        {"quarter": "2026-Q4", "as_of": date(2027, 2, 1)},
        {"as_of": date(2026, 2, 10)},
        {"leads": None},
        {"actuals": None},
        {"leads": None, "actuals": None},
        {"goal": 0},
        {"leads": LEADS.splitlines()[0] + "\n8,a,2025-12-05,,,,\n9,a,2026-01-05,2026-02-02,,,\n"},
        {"segments": "a: {acv: 1000, share: 0.5}\n  , b: {acv: 500, share: 0.5}", "crm": small_company.CRM + NAMELESS},
        {
            "segments": ", ".join(f"segment number {n}: {{acv: 1000, share: 0.05}}" for n in range(20)),
            "crm": small_company.CRM + "names: {segment: {a: segment number 0, b: segment number 1, unknown: null}}\n",
            "actuals": ACTUALS.replace(",a,", ",segment number 0,"),
        },
        {"segments": '"' + HOSTILE + '": {acv: 1000}'},
        {"more": "currency: JPY\nname: 'FY27 50% of 3'\n"},
        {"more": "scenarios: {'=cmd|x 7': {changes: [{from: sql, to: won, rate: 0.1}]}, twice: {volume: 2}}\n"},
    ],
    ids=lambda company: "-".join(map(str, company))[:40] or "as it is",
)
def test_companies_at_the_edges_have_packs_that_agree(tmp_path: Path, company: dict[str, Any]) -> None:
    made = checked(small_book(tmp_path, **company))
    assert all("nan" not in cell.lower().split() for raw in raws(made) for row in raw["shown"] for cell in row)


def test_a_scenario_that_changes_a_rate_moves_the_landing(tmp_path: Path) -> None:
    lower = "scenarios: {lower: {changes: [{from: sql, to: won, rate: 0.1}]}, same: {changes: [{from: sql, to: won, rate: 0.2}]}}\n"
    found = small_book(tmp_path, more=lower, as_of=date(2026, 3, 31)).what_if.set_index("scenario")
    assert found["difference"]["lower"] < 0
    assert found["difference"]["same"] == pytest.approx(0, abs=1e-6)
    assert found["landing_low"]["same"] == pytest.approx(found["landing_low"]["base"])


def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(Exception, match="as_of: got 'soon'; write the last day known as 2026-09-30"):
        open_board(FY26, as_of="soon")


def test_an_audience_of_another_name_is_refused(q3: BoardBook) -> None:
    with pytest.raises(PlanError, match="audience: got 'press'; it is one of board, finance, team"):
        detail.detail(q3, "press")


def test_finance_sees_a_bridge_that_adds_up_as_displayed(q3: BoardBook) -> None:
    rows = detail.arr_bridge(q3).table.set_index("term")
    for side in ("planned", "actual"):
        kept = rows[side]["Opening ARR"] + rows[side]["New"] + rows[side]["Expansion"]
        assert kept - rows[side]["Contraction"] - rows[side]["Churn"] == rows[side]["Closing ARR"]


def test_the_team_sees_cells_whose_steps_add_up_to_their_gap(q3: BoardBook) -> None:
    rows, quarter = (
        detail.cells(q3).table,
        q3.attainment_money.set_index(["period", "term"]).loc[("2026-Q3", "new_arr")],
    )
    steps = rows.drop(columns=["cell", "gap"])
    assert (steps.sum(axis=1) == rows["gap"]).all()
    assert rows["gap"].sum() == pytest.approx(quarter["gap"], abs=len(rows))


# --- every sentence in a world in which it would be false ------------------------------------------------------

LAST_WIN = "6,a,2026-12-01,2026-12-10,2026-12-20,,700\n"
OVER = date(2027, 1, 31)
LATE = LEADS.splitlines()[0] + "\n7,a,2026-08-03,2026-08-05,,,900\n" + LAST_WIN
ACTUALS_OF_QUARTER = "month,segment,source,new,expansion,contraction,churn,spend\n" + "".join(
    f"2026-0{month},a,web,0,0,0,0,30\n" for month in (1, 2, 3)
)


@pytest.mark.parametrize(
    ("leads", "said"),
    [
        (LEADS + LAST_WIN, "The year has ended at $3.7k of new ARR against a goal of $12k."),
        (LEADS, "The year is over, but the records end on 30 Mar 2026: $3k of new ARR is on record"),
        (LATE, "The year is over, but the records begin on 3 Aug 2026: $700 of new ARR"),
        (LEADS.replace("2026-", "2027-"), "The year is over, but the records hold nothing of it: $0 of new ARR"),
    ],
)
def test_a_year_ends_at_what_the_records_hold_only_if_they_hold_all_of_it(
    tmp_path: Path, leads: str, said: str
) -> None:
    day = "2026-09-01" if leads == LATE else "2026-01-01"
    book = small_book(tmp_path, leads=leads, as_of=date(2027, 6, 1) if "2027" in leads else OVER, plan_date=day)
    (page, *_) = checked(book)
    assert outlook.landing(book).message.startswith(said)
    assert outlook.landing(book).message in page.message


WHAT_IF = "scenarios:\n  calm: {{changes: [{{from: sql, to: won, rate: {one}}}]}}\n  same: {{changes: [{{from: sql, to: won, rate: {other}}}]}}\n"


@pytest.mark.parametrize(
    ("one", "other", "said", "last"),
    [
        (0.2, 0.2, "No scenario moves the landing.", ""),
        (0.1, 0.1, "Scenario calm moves the landing by ", "No scenario brings more than is expected now."),
        (0.1, 0.15, "Scenario calm moves the landing most: by ", "No scenario brings more than is expected now."),
        (0.1, 0.22, "Scenario calm moves the landing most: by ", "Most is gained by same: +"),
        (0.4, 0.15, "Scenario calm moves the landing most: by ", "%."),
    ],
)
def test_the_scenario_that_moves_most_and_the_one_that_brings_most(
    tmp_path: Path, one: float, other: float, said: str, last: str
) -> None:
    book = small_book(tmp_path, more=WHAT_IF.format(one=one, other=other))
    checked(book)
    message = summary.what_if(book).message
    assert message.startswith(said)
    assert last in message
    assert ("gained" in message) == last.startswith("Most")


@pytest.mark.parametrize(
    ("parts", "total", "said"),
    [
        ((True, True, True), True, "yes"),
        ((False, True, True), True, "not everywhere"),
        ((False, True, True), False, "no"),
    ],
)
def test_a_total_that_is_enough_does_not_hide_a_segment_that_is_not(
    q3: BoardBook, parts: tuple[bool, ...], total: bool, said: str
) -> None:
    periods = q3.coverage["period"].nunique()
    book = replace(q3)  # a copy that has worked out nothing yet
    vars(book)["coverage"] = q3.coverage.assign(enough=[total, *parts] * periods)
    rows = outlook.coverage_rows(book)
    assert rows["enough"].tolist() == ["yes" if each else "no" for each in parts] + [said]
    assert ("too thin" in outlook.coverage(book).message) == (False in parts)


def test_what_open_records_bring_is_parted_into_opportunities_and_the_others(q3: BoardBook) -> None:
    pipeline = outlook.coverage_rows(q3)["in_time"].iloc[-1]
    other = outlook.landing_rows(q3)["open_records"].iloc[0] - pipeline
    assert other > 0
    told = f"opportunities are expected to bring {compact(pipeline, 'USD')} and records that are none yet {compact(other, 'USD')}."
    assert any(told in note for note in outlook.landing(q3).notes)


def test_a_customer_that_costs_what_was_planned_is_not_said_to_cost_another_sum(tmp_path: Path) -> None:
    book = small_book(tmp_path)
    frame = performance.three_numbers(book).table
    assert frame is not None
    same = frame.assign(cac=frame["cac"].iloc[-1])
    assert performance._three_message(book, same).text.endswith(", as planned.")


@pytest.mark.parametrize(
    ("actuals", "said"),
    [
        (None, "; the spend of the whole period is not booked, so there is no CAC."),
        (ACTUALS_OF_QUARTER, "; no customer was won from the sources with a cost per entry, so there is no CAC."),
    ],
)
def test_why_there_is_no_cac(tmp_path: Path, actuals: str | None, said: str) -> None:
    book = small_book(tmp_path, leads=LEADS.replace("2026-01-20,,1000", ",,1000").replace("2026-03-02,,2000", ",,2000"), actuals=actuals)  # fmt: skip
    assert performance.three_numbers(book).message.endswith(said)


def test_cells_that_brought_what_was_promised_differ_from_nothing(tmp_path: Path) -> None:
    leads = LEADS.replace("5,,2026", "5,b,2026")
    book = small_book(tmp_path, segments="a: {acv: 1000, share: 0.5}, b: {acv: 500, share: 0.5}", leads=leads)
    found = detail.cells(book).table
    assert found is not None
    rows = book.variance_cells(book.spans[0])
    told = {gap: detail._cells_message(book, found.assign(gap=gap), rows.iloc[0], book.spans[0].label).text for gap in (0.0, 5.0)}  # fmt: skip
    assert told[0.0].startswith("No segment and source brought")
    assert "differs as much as any from" in told[5.0]


def test_a_year_that_misses_its_goal_is_not_said_to_need_no_decision(tmp_path: Path) -> None:
    book = small_book(tmp_path, goal=90_000, as_of=date(2026, 12, 28))
    assert book.landing["gap"].iloc[-1] < 0
    assert "yet the year lands at" in summary._no_risk(book).text
    assert summary._no_risk(small_book(tmp_path, goal=100)).text.startswith("Nothing stands out")


def test_a_source_that_brought_more_of_what_is_worth_less_did_not_bring_fewer(tmp_path: Path) -> None:
    book = small_book(tmp_path)
    frame = performance.source_rows(book)
    more = frame.assign(actual=frame["planned"] + 2, gap=2.0, worth=-50.0)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(performance, "source_rows", lambda _: more)
        said = performance._sources_message(book, more, book.spans[0].label).text
    assert re.search(r"brought \d+ Leads, \d+ planned, in a mix worth −\$50 of new ARR", said)


def test_a_pack_in_millions_says_what_one_in_dollars_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    amount = re.compile(r"[−+]?\$[\d.,]*\d[kMB]?")
    text, said = small_company.PLAN, {}
    for unit in (1, 1_000_000):
        folder = tmp_path / str(unit)
        folder.mkdir()
        monkeypatch.setattr(small_company, "PLAN", text.replace("cost_per_entry: 10", f"cost_per_entry: {10 / unit}"))
        amounts = partial(re.sub, flags=re.M, repl=lambda found, unit=unit: f"{float(found[0]) / unit:.9f}")
        leads = amounts(r"(?<=,)\d+$", string=LEADS.replace("5,,2026-03-08,,,,\n", ""))
        actuals = amounts(r"(?<=,)\d+(?=[,\n])", string=ACTUALS)
        segments = f"a: {{acv: {1000 / unit}, share: 0.5}}, b: {{acv: {500 / unit}, share: 0.5}}"
        book = small_book(folder, goal=12_000 / unit, segments=segments, leads=leads, actuals=actuals)
        assert book.decimals == (0 if unit == 1 else 5)
        said[unit] = [each.message for each in checked(book)]
    assert [amount.sub("$", line) for line in said[1_000_000]] == [amount.sub("$", line) for line in said[1]]
    nothing = [sum(len(re.findall(r"\$0(?![\d.])", line)) for line in lines) for lines in said.values()]
    assert nothing[1] <= nothing[0]
