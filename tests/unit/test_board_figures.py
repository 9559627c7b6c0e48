"""The numbers of the example company's board pack, a second way: from its CSV and YAML files, without revplan's model.

Third quarter of 2026. What the plan promises is followed day by day here, record shares instead of monthly kernels
where that is possible; what came is counted in the export.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from small_company import CRM, LEADS, NAMELESS, small_book

from revplan.exhibits import attainment, outlook, performance, summary
from revplan.exhibits.exhibit import Exhibit
from revplan.exhibits.figures import MIMETYPE, Figure
from revplan.plan.scenario import scenario_plans
from revplan.printing.registry import registry
from revplan.tracking.book import BoardBook

EXAMPLE = Path(__file__).parents[2] / "data" / "example"
FY26 = EXAMPLE / "plan_fy26.yaml"
STAGES = ("lead", "mql", "sql", "sal", "sqo", "won")
QUARTER = ("2026-07-01", "2026-09-30")
SO_FAR = ("2026-01-01", "2026-09-30")


@pytest.fixture(scope="module")
def plan() -> Any:
    """The plan file as YAML reads it."""
    return YAML(typ="safe").load(FY26.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def goal(plan: Any) -> float:
    """New ARR asked for: closing ARR less what is left of the opening one."""
    terms = plan["goal"]
    left = 1 - terms["churn"]["rate"] - terms["contraction"]["rate"] + terms["expansion"]["rate"]
    return float(terms["closing_arr"] - terms["opening_arr"] * left)


@pytest.fixture(scope="module")
def leads() -> pd.DataFrame:
    """The export as it was known on 30 September 2026."""
    days = [f"{stage}_on" for stage in (*STAGES, "lost")]
    found = pd.read_csv(EXAMPLE / "leads.csv", parse_dates=days)
    found[days] = found[days].where(found[days] <= QUARTER[1])
    return found


@pytest.fixture(scope="module")
def book(q3: BoardBook) -> BoardBook:
    return q3


def value(figures: list[tuple[int | None, str, Figure]], name: str) -> float:
    """The one value of the figure called `name`."""
    (found,) = {each.value for _, _, each in figures if each.id == name}
    assert found is not None
    return found


def cell_rate(plan: Any, segment: str, source: str, at: int) -> float:
    """The rate of a step by the most specific line of the plan."""
    lines = [each for each in plan["transitions"] if each["from"] == STAGES[at]]
    keys = [(segment, source), (segment, None), (None, source), (None, None)]
    found = {(each.get("segment"), each.get("source")): each["rate"] for each in lines}
    return float(next(found[key] for key in keys if key in found))


def worth_of_an_entry(plan: Any, segment: str, source: str) -> float:
    """What one entry of a cell is worth by the plan: its chance to be won times the deal."""
    first = STAGES.index(plan["sources"][source]["enters"])
    rates = [cell_rate(plan, segment, source, at) for at in range(first, len(STAGES) - 1)]
    return float(np.prod(rates)) * plan["segments"][segment]["acv"]["mean"]


def won_in(leads: pd.DataFrame, period: tuple[str, str]) -> pd.DataFrame:
    """The records won in a period."""
    return leads[leads["won_on"].between(*period)]


# --- what came -----------------------------------------------------------------------------------


def test_entries_that_came_their_gaps_and_what_was_reached(book: BoardBook, leads: pd.DataFrame) -> None:
    found = attainment.attainment(book).figures
    for label, period in (("2026-Q3", QUARTER), ("2026 to Q3", SO_FAR)):
        for stage in STAGES:
            came = float(leads[f"{stage}_on"].between(*period).sum())
            asked = value(found, f"entries [stage={stage}] {label} planned")
            assert value(found, f"entries [stage={stage}] {label} actual") == came
            assert asked == round(asked)
            assert value(found, f"entries_gap [stage={stage}] {label} actual less plan") == came - asked
            reached = value(found, f"entries_reached [stage={stage}] {label} actual over plan")
            assert reached == pytest.approx(came / asked)


def test_new_arr_month_by_month_and_in_the_sentence(
    book: BoardBook, leads: pd.DataFrame, plan: Any, goal: float
) -> None:
    found = attainment.so_far(book).figures
    won = leads.dropna(subset=["won_on"]).set_index("won_on")["amount"].sort_index()
    shares = np.outer(plan["goal"]["phasing"]["quarters"], plan["goal"]["phasing"]["within_quarter"]).ravel()
    for number in range(12):
        month = f"2026-{number + 1:02d}"
        assert value(found, f"new_arr_so_far {month} goal") == round(goal * shares[: number + 1].sum())
        if month <= "2026-09":
            assert value(found, f"new_arr_so_far {month} actual") == won["2026-01":month].sum()
    came, asked = (value(found, f"new_arr 2026 to Q3 {basis}") for basis in ("actual", "planned"))
    assert came == value(found, "new_arr_so_far 2026-09 actual") == won["2026-01":"2026-09"].sum()
    assert asked == value(found, "new_arr_so_far 2026-09 planned")
    assert value(found, "new_arr_gap 2026 to Q3 actual less plan") == came - asked


def test_the_steps_lead_from_what_was_promised_to_what_came(book: BoardBook, leads: pd.DataFrame) -> None:
    found = attainment.variance(book).figures
    steps = {each.id: each.value for _, _, each in found if each.measure.name == "variance_step"}
    assert len(steps) == 6
    came = value(found, "new_arr 2026-Q3 actual")
    assert came == won_in(leads, QUARTER)["amount"].sum()
    assert value(found, "new_arr 2026-Q3 planned") + sum(steps.values()) == came
    old = leads[["lead_on", "mql_on", "sql_on", "sal_on"]].min(axis=1) < "2025-11-15"
    opening = won_in(leads[old], QUARTER)["amount"].sum() - promised_of_open(book)
    assert steps["variance_step [line=opening] 2026-Q3 estimated"] == pytest.approx(opening, abs=1)
    first, second = sorted(steps, key=lambda name: -abs(steps[name] or 0.0))[:2]
    quoted = [each.id for _, column, each in found if column == "message"]
    assert quoted[2:] == [first, second]


def promised_of_open(book: BoardBook) -> float:
    """What the plan expected of records open on its plan date in the third quarter."""
    return float(book.year.open_arr[:, 6:9].sum())


def test_cac_is_what_was_spent_on_priced_sources_over_their_wins(
    book: BoardBook, leads: pd.DataFrame, plan: Any
) -> None:
    found = performance.three_numbers(book).figures
    priced = [name for name, source in plan["sources"].items() if "cost_per_entry" in source]
    actuals = pd.read_csv(EXAMPLE / "actuals.csv")
    spends = pd.read_csv(EXAMPLE / "spend.csv")
    for label, months, period in (
        ("2026-Q3", ("2026-07", "2026-09"), QUARTER),
        ("2026-Q2", ("2026-04", "2026-06"), ("2026-04-01", "2026-06-30")),
    ):
        booked = actuals[actuals["month"].between(*months) & actuals["source"].isin(priced)]["spend"].sum()
        assert booked == spends[spends["month"].between(*months)]["spend"].sum()
        wins = won_in(leads, period)["source"].isin(priced).sum()
        assert value(found, f"cac {label} actual") == round(booked / wins)
        flow = leads["sql_on"].between(*period)
        assert value(found, f"entries [stage=sql] {label} actual") == flow.sum()
        passed = won_in(leads, period)["sql_on"].notna().sum()
        assert value(found, f"period_ratio {label} actual") == pytest.approx(passed / flow.sum())
        so_far = leads.loc[flow, "won_on"].notna().mean()
        band = [value(found, f"conversion_{end} {label} actual") for end in ("low", "high")]
        assert so_far <= band[0] < value(found, f"conversion {label} actual") < band[1]
        assert so_far < value(found, f"conversion {label} actual") < so_far + leads.loc[flow, "lost_on"].isna().mean()


def test_a_gap_is_worth_the_entries_of_each_segment_times_rates_and_deal(
    book: BoardBook, leads: pd.DataFrame, plan: Any
) -> None:
    found = performance.sources(book).figures
    flow = book.sides.planned_flow
    for source, stated in plan["sources"].items():
        stage, worth = stated["enters"], 0.0
        for segment in plan["segments"]:
            rows = flow[(flow["source"] == source) & (flow["segment"] == segment) & (flow["stage"] == stage)]
            asked = rows.loc[rows["month"].between(pd.Period("2026-07"), pd.Period("2026-09")), "entries"].sum()
            cell = leads[(leads["source"] == source) & (leads["segment"] == segment)]
            came = cell[f"{stage}_on"].between(*QUARTER).sum()
            worth += (came - asked) * worth_of_an_entry(plan, segment, source)
        place = f"[source={source},stage={stage}] 2026-Q3"
        came, asked = (value(found, f"entries {place} {basis}") for basis in ("actual", "planned"))
        assert came == leads.loc[leads["source"] == source, f"{stage}_on"].between(*QUARTER).sum()
        assert value(found, f"entries_gap {place} actual less plan") == came - asked
        assert value(found, f"gap_worth {place} at the plan's values") == pytest.approx(worth, abs=1)
    worths = {each.of: each.value for _, _, each in found if each.measure.name == "gap_worth"}
    quoted = next(each for _, column, each in found if column == "message" and each.measure.name == "gap_worth")
    assert quoted.value == min(worth for worth in worths.values() if worth is not None)
    table = book.attainment_by_source
    assert table["gap"].tolist() == (table["actual"] - table["planned"]).tolist()


def test_no_source_is_called_complete_that_brought_fewer_than_promised(tmp_path: Path) -> None:
    # Expected of the quarter: 1.5 leads of a, each worth 1,000, and 150 of b, each worth 10, and to sign some times
    # as many; 38 of a and 2 of b came: few, but worth more.
    segments = "a: {acv: 10_000, share: 0.5}, b: {acv: 100, share: 0.5}"
    came = "".join(f"{at},{'b' if at > 55 else 'a'},2026-01-05,,,,\n" for at in range(20, 58))
    found = performance.sources(small_book(tmp_path, crm=CRM + NAMELESS, segments=segments, leads=LEADS + came))
    assert found.table is not None
    assert found.table["gap"].iloc[0] < 0 < found.table["worth"].iloc[0]
    assert found.message == (
        "No source is behind in Jan-Mar 2026 (Q1 FY26) in what its entries are worth, though fewer than planned came from web."
    )
    leads = LEADS + "".join(f"{at},a,2026-01-05,2026-01-20,,,900\n" for at in range(100, 400))
    all_came = performance.sources(small_book(tmp_path, leads=leads))
    assert all_came.message == "Every source brought in Jan-Mar 2026 (Q1 FY26) what was planned."


# --- what is committed ---------------------------------------------------------------------------


@pytest.mark.parametrize("year", ["q3", "year_to_come"])
def test_what_is_signed_is_rounded_up(year: str, request: pytest.FixtureRequest) -> None:
    committed: BoardBook = request.getfixturevalue(year)
    first = -committed.year.first
    entered = sum(
        float(flow[cell.stages.index("sql"), max(first, 0) : first + 12].sum())
        for cell, flow in zip(committed.year.cells, committed.year.flows, strict=True)
        if "sql" in cell.stages
    )
    assert attainment.signed(committed).value == math.ceil(entered)
    assert attainment.signed(committed).basis == "to sign"
    assert attainment.signed(replace(committed, signed="signed by Anna")).basis == "signed"


# --- what is still to win ------------------------------------------------------------------------


def test_coverage_is_the_open_pipeline_over_what_is_left_of_the_goal(
    book: BoardBook, leads: pd.DataFrame, plan: Any, goal: float
) -> None:
    found = outlook.coverage(book).figures
    assert book.now is not None
    won, cells = won_in(leads, SO_FAR).groupby("segment")["amount"].sum(), book.now.cells
    for segment, stated in plan["segments"].items():
        place = f"[segment={segment}] rest of 2026"
        left = goal * stated["share"] - won[segment]
        assert value(found, f"remaining {place} goal less won") == pytest.approx(left, abs=1)
        pipeline, coming = (
            value(found, f"{name} {place} {basis}")
            for name, basis in (("open_pipeline", "as known"), ("in_time", "expected"))
        )
        sqo = leads[
            (leads["segment"] == segment) & leads["sqo_on"].notna() & leads["won_on"].isna() & leads["lost_on"].isna()
        ]
        assert 0 < pipeline <= sqo["amount"].sum()
        assert value(found, f"coverage {place} open over remaining") == pytest.approx(pipeline / left, rel=1e-5)
        needed = value(found, f"coverage_needed {place} one over the win rate")
        rates = [cell.rates_to_won[cell.stages.index("sqo")] for cell in cells if cell.segment == segment]
        assert min(rates) <= 1 / needed <= max(rates)
        assert 0 < coming < pipeline / needed
    thin = outlook.uncovered(book)
    assert set(thin) == {
        row.segment for row in book.coverage[1:].itertuples() if row.period == "rest of 2026" and not row.enough
    } - {"all"}
    for segment, size in thin.items():
        place = f"[segment={segment}] rest of 2026"
        lacks = value(found, f"remaining {place} goal less won") - value(found, f"in_time {place} expected")
        assert size.value == lacks > 0
    total = value(found, "remaining rest of 2026 goal less won")
    assert total == round(goal - won_in(leads, SO_FAR)["amount"].sum())
    ratio = value(found, "coverage rest of 2026 open over remaining")
    assert ratio == pytest.approx(value(found, "open_pipeline rest of 2026 as known") / total, rel=1e-5)


def test_a_segment_that_won_more_than_its_goal_lessens_what_is_left_of_all(tmp_path: Path) -> None:
    # Goal 12,000, half of it each; a has won 93,000 of its 6,000, b nothing.
    leads = LEADS + "50,b,2026-01-05,2026-01-20,,,800\n60,a,2026-01-05,2026-01-20,2026-02-20,,90000\n"
    book = small_book(
        tmp_path, crm=CRM + NAMELESS, segments="a: {acv: 1000, share: 0.5}, b: {acv: 500, share: 0.5}", leads=leads
    )
    found = outlook.coverage(book)
    assert (
        found.message == "In all nothing is left to win of the goal of the rest of FY26; segments short of theirs: b."
    )
    assert found.table is not None
    assert found.table["remaining"].tolist() == [6_000 - 93_000, 6_000, 12_000 - 93_000]
    assert registry([raw(found), raw(outlook.landing(book))])


def test_the_landing_says_how_it_was_simulated(book: BoardBook) -> None:
    assert outlook.landing(book).notes[0].endswith("8,192 years are simulated; the same records give the same band.")


def raw(exhibit: Exhibit) -> dict[str, Any]:
    """What a notebook keeps of `exhibit`."""
    kept: dict[str, Any] = exhibit._repr_mimebundle_()[MIMETYPE]
    return kept


def test_the_landing_is_its_parts(book: BoardBook, leads: pd.DataFrame, goal: float) -> None:
    found = outlook.landing(book).figures
    parts = {basis: value(found, f"landing_part 2026 {basis}") for basis in ("won", "open records", "still to create")}
    assert parts["won"] == won_in(leads, SO_FAR)["amount"].sum()
    assert value(found, "landing 2026 expected") == sum(parts.values())
    assert value(found, "goal 2026 plan") == round(goal)
    facts = summary.summary(book, None).figures
    assert value(facts, "landing_gap 2026 expected") == sum(parts.values()) - round(goal)


# --- what if -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["inbound back on plan", "win rate down a fifth"])
def test_a_scenario_moves_the_landing_by_what_its_changes_are_worth(book: BoardBook, name: str) -> None:
    # In expectation, cell by cell: what entries still to come and open records bring, times the change of what they pass.
    now, changed = book.now, scenario_plans(book.plan)[name]
    assert now is not None
    expected = 0.0
    for row, cell in enumerate(now.cells):
        key = (cell.segment, cell.source)
        pairs = list(zip(cell.stages[:-1], cell.stages[1:], strict=True))
        ratio = [rate(changed, pair, key) / rate(book.plan, pair, key) for pair in pairs]
        volume = book.plan.scenarios[name].volume_of(cell.source)
        expected += float(now.commit_arr[row, :12].sum()) * (np.prod(ratio) * volume - 1)
        for group, brings in now.open_yields[row]:
            expected += float(brings.arr[:12].sum()) * (np.prod(ratio[group.stage :]) - 1)
    found = summary.what_if(book).figures
    told = value(found, f"scenario_difference [scenario={name}] 2026 expected")
    assert told == pytest.approx(expected, rel=0.12, abs=50)  # delays that may stray bring a little more or less


def rate(plan: Any, pair: tuple[str, str], key: tuple[str, str]) -> float:
    """The rate of a step of one cell."""
    return float(plan.transition(pair, *key).rate)


def test_scenarios_start_from_the_landing_and_the_largest_is_named(book: BoardBook) -> None:
    found = summary.what_if(book)
    assert found.table is not None
    rows = found.table.set_index("scenario")
    base = outlook.landing_rows(book).iloc[0]["landing"]
    assert rows["landing"].tolist() == (base + rows["difference"]).tolist()
    gained = "Most is gained by inbound back on plan: +$"
    assert re.match(
        rf"Scenario win rate down a fifth moves the landing most: by −\$.*\. {re.escape(gained)}", found.message
    )
    assert rows["difference"].abs().idxmax() == "win rate down a fifth" != rows["difference"].idxmax()


# --- risks ---------------------------------------------------------------------------------------


def test_assumptions_that_have_expired_are_risks(book: BoardBook, plan: Any) -> None:
    gone = [each["about"] for each in plan["assumptions"] if str(each["expires"]) < QUARTER[1]]
    assert len(gone) == 2
    told = [risk.what for risk in summary.risks(book) if risk.size is None]
    assert gone == ["segments.enterprise.acv", "sources.inbound.max_per_month"]
    names = ("enterprise, deal", "inbound, most entries a month")
    assert told == [f"The assumption of {name} has expired" for name in names]


# --- the last quarters ---------------------------------------------------------------------------


def test_past_quarters_are_those_of_the_export_and_nothing_is_planned_before_the_year(
    book: BoardBook, leads: pd.DataFrame
) -> None:
    made = performance.eight_quarters(book)
    assert [panel.message for panel in made.chart.panels] == ["SQLs", "SQOs", "Wins", "New ARR (USD)"]
    found, begun = made.figures, leads["lead_on"].min()
    for year, number in [(2025, 1), (2025, 2), (2025, 3), (2025, 4), (2026, 1), (2026, 2), (2026, 3)]:
        first = pd.Timestamp(year, 3 * number - 2, 1)
        period = (first, first + pd.offsets.QuarterEnd(0))
        assert first >= begun
        for stage in ("sql", "sqo", "won"):
            entered = leads[f"{stage}_on"].between(*period).sum()
            assert value(found, f"entries [stage={stage}] {year}-Q{number} actual") == entered
        assert value(found, f"new_arr {year}-Q{number} actual") == won_in(leads, period)["amount"].sum()
        (planned,) = {each.value for _, _, each in found if each.id == f"new_arr {year}-Q{number} planned"}
        assert (planned is None) == (year == 2025)
