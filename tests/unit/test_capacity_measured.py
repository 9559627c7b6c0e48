"""What records say of people: productivity, ramp, attrition and attainment, on worlds whose truth is known."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from people_worlds import ATTRITION, LAST, MONTHS, PRODUCTIVITY, World, world

from revplan.capacity.attainment import attainment, attainment_words
from revplan.capacity.measured import LONGEST_RAMP, Measured, measured, measured_words, typed_words, wins_of
from revplan.cli.commands import main
from revplan.crm.records import read_records
from revplan.ground.errors import PlanError
from revplan.plan.people import Capacity, Rep
from revplan.workbook.workbook import LOOK, check_plan, open_workbook

WORLDS = 100
FIVE = (0.0, 0.2, 0.4, 0.6, 0.8)
STEPS = (0.0, 0.0, 0.0, 0.25, 0.25, 0.25, 0.5, 0.5, 0.5, 0.75, 0.75, 0.75)


def told(one: World, role: str = "ae", **more: Any) -> Measured | None:
    return measured(one.people, one.wins, role, one.span, **more)


@pytest.fixture(scope="module", params=[(FIVE, 0.02), (STEPS, 0.0)], ids=["straight, demand growing", "steps"])
def many(request: pytest.FixtureRequest) -> tuple[np.ndarray, list[tuple[World, Measured]]]:
    ramp, growth = request.param
    worlds = [world(seed, ramp, growth) for seed in range(WORLDS)]
    found = [(one, each) for one in worlds if (each := told(one)) is not None and each.ramp is not None]
    assert len(found) > 0.95 * WORLDS
    return np.array([*ramp, *[1.0] * (LONGEST_RAMP - len(ramp))]), found


def cover(pairs: list[tuple[Any, float]]) -> float:
    """Share of the intervals that hold the truth."""
    return float(np.mean([each.low <= truth <= each.high for each, truth in pairs]))


def test_the_months_a_newcomer_costs_are_measured_without_bias(many: Any) -> None:
    truth, found = many
    lost = float((1 - truth).sum())
    assert np.mean([each.months_lost.value for _, each in found]) == pytest.approx(lost, rel=0.05)
    assert 0.72 <= cover([(each.months_lost, lost) for _, each in found]) <= 0.88
    assert np.mean([each.has_ramp for _, each in found]) > 0.85


def test_each_month_of_the_ramp_is_measured_without_bias(many: Any) -> None:
    truth, found = many
    mean = np.mean([[month.value for month in each.ramp] for _, each in found], axis=0)
    assert np.abs(mean - truth).max() < 0.05
    held = [cover([(each.ramp[month], truth[month]) for _, each in found]) for month in range(LONGEST_RAMP)]
    for share, told in zip(truth, held, strict=True):
        assert told > 0.7
        assert told < 0.94 or share == 0  # who can close nothing has no luck either: such a month is certain
    assert 0.72 <= np.mean([told for share, told in zip(truth, held, strict=True) if share > 0]) <= 0.88


def test_the_curve_to_plan_with_never_falls_and_costs_what_was_measured(many: Any) -> None:
    truth, found = many
    lost = [sum(1 - share for share in each.curve) for _, each in found]
    assert np.mean(lost) == pytest.approx((1 - truth).sum(), rel=0.05)
    for _, each in found:
        assert list(each.curve) == sorted(each.curve)
        assert 0 <= each.curve[0] <= each.curve[-1] <= 1


def test_where_no_ramp_is_found_none_is_planned_with() -> None:
    found = [each for seed in range(3000, 3040) if (each := told(world(seed, (), 0.03))) is not None]
    flat = [each for each in found if not each.has_ramp]
    assert len(flat) >= 0.8 * len(found)
    assert all(set(each.curve) == {1.0} for each in flat)


def test_productivity_of_the_ramped_is_measured_without_bias(many: Any) -> None:
    _, found = many
    over = [each.productivity["all"].value / (PRODUCTIVITY * one.calendar.mean()) for one, each in found]
    assert np.mean(over) == pytest.approx(1, abs=0.05)
    assert (
        0.72 <= cover([(each.productivity["all"], PRODUCTIVITY * one.calendar.mean()) for one, each in found]) <= 0.88
    )


def test_attrition_is_measured_without_bias_those_who_stay_being_censored(many: Any) -> None:
    _, found = many
    assert np.mean([each.attrition.value for _, each in found]) == pytest.approx(ATTRITION, rel=0.06)
    assert 0.72 <= cover([(each.attrition, ATTRITION) for _, each in found]) <= 0.88


def test_growing_demand_is_not_read_as_a_ramp() -> None:
    found = [each for seed in range(60) if (each := told(world(seed, (), 0.03))) is not None]
    assert np.mean([each.has_ramp for each in found]) < 0.2  # 1 in 10 by chance: the interval's lower end is P10
    # a plain average by tenure over that of the ramped finds one
    naive = []
    for seed in range(20):
        one = world(seed, (), 0.03)
        starts = {rep.rep: pd.Timestamp(rep.start) for rep in one.people}
        days = (one.wins["won_on"] - one.wins["owner"].map(starts)).dt.days
        naive.append(one.wins["amount"][days < 180].sum() / one.wins["amount"].sum())
    assert np.mean(naive) < 0.2


def test_few_hires_give_no_ramp_but_a_sentence() -> None:
    found = told(world(3, FIVE, newcomers=3))
    assert found is not None
    assert found.ramp is None
    assert any("your ramp is an assumption" in line for line in measured_words("ae", found, "USD"))


def test_without_ramped_people_nothing_is_measured() -> None:
    lines = [Rep(rep="Ada", role="ae", start=date(2026, 6, 1))]
    wins = pd.DataFrame({"owner": ["Ada"], "won_on": pd.to_datetime(["2026-08-02"]), "amount": [1e4]})
    assert measured(lines, wins, "ae", (date(2024, 1, 1), LAST)) is None
    assert any("productivity and ramp are assumptions" in line for line in measured_words("ae", None, "USD"))


def test_a_promotion_is_no_leaving() -> None:
    lines = [
        Rep(rep="Ada", role="ae", start=date(2022, 1, 1), leave=date(2025, 3, 31)),
        Rep(rep="Ada", role="senior", start=date(2025, 4, 1)),
        Rep(rep="Bo", role="ae", start=date(2022, 1, 1), leave=date(2025, 3, 31)),
    ]
    wins = pd.DataFrame(
        {"owner": ["Ada", "Bo"], "won_on": pd.to_datetime(["2024-05-02", "2024-06-02"]), "amount": [1e4, 1e4]}
    )
    found = measured(lines, wins, "ae", (date(2024, 1, 1), LAST))
    assert found is not None
    assert found.leavers == 1
    assert found.years_at_risk == pytest.approx(2 * 456 / 365.25, rel=0.01)


def test_months_in_which_work_lacked_are_left_out_and_counted() -> None:
    one = world(5)
    months = [pd.Period("2024-01", "M") + month for month in range(MONTHS)]
    starved = set(months[::2])
    won = one.wins["won_on"].dt.to_period("M")
    thin = one.wins[~(won.isin(starved) & (np.arange(len(won)) % 2 == 0))]
    every = measured(one.people, thin, "ae", one.span)
    loaded = measured(one.people, thin, "ae", one.span, [month for month in months if month not in starved])
    whole = told(one)
    assert every is not None
    assert loaded is not None
    assert whole is not None
    assert (loaded.months_used, loaded.months_seen) == (18, 36)
    assert loaded.productivity["all"].value == pytest.approx(whole.productivity["all"].value, rel=0.08)
    assert every.productivity["all"].value < 0.85 * whole.productivity["all"].value
    assert any(line.startswith("18 of 36 months are used") for line in measured_words("ae", loaded, "USD"))


# --- attainment --------------------------------------------------------------------------------------------------


def health(bookings: list[float], quota: float = 100.0) -> Any:
    """Reps with one quota and these bookings in 2026."""
    people = [Rep(rep=f"r{number}", role="ae", start=date(2020, 1, 1), quota=quota) for number in range(len(bookings))]
    rows = [(f"r{number}", pd.Timestamp("2026-06-01"), amount) for number, amount in enumerate(bookings) if amount]
    wins = pd.DataFrame(rows, columns=["owner", "won_on", "amount"])
    capacity = Capacity.model_validate({"roles": {"ae": {"quota": quota}}})
    return attainment(people, wins, capacity, (date(2026, 1, 1), date(2026, 12, 31)), "2026")


def test_share_of_reps_at_quota_as_published(golden: dict[str, Any]) -> None:
    case = golden["PC-10"]
    altior, (met, of), (after, of_after) = case["inputs"]["altior"], *case["inputs"]["optifai"].values()
    one = health([160.0] * altior["over150"] + [101.0] * altior["barely"] + [50.0] * altior["missed"])
    assert one.share_at(1.0) == pytest.approx(case["expected"]["altior"])
    assert health([100.0] * met + [10.0] * (of - met)).share_at(1.0) == pytest.approx(
        case["expected"]["optifai_before"]
    )
    assert health([100.0] * after + [10.0] * (of_after - after)).share_at(1.0) == pytest.approx(
        case["expected"]["optifai_after"]
    )


def test_two_figures_with_two_names_and_reps_without_a_deal_in_the_denominator() -> None:
    found = health([300.0, 80.0, 0.0, 0.0])
    assert found.share_at(0.8) == pytest.approx(0.5)
    assert found.over_quota == pytest.approx(0.95)
    assert found.share_of_best(2) == pytest.approx(1.0)
    words = attainment_words(found)
    assert (
        "In 2026 50% of 4 reps, 2 of them without a deal, closed at least 80% of their quota (the target is 80%)"
        in words
    )
    assert "bookings over quota are 95%, another figure" in words
    assert "the target of 80% is met" in attainment_words(health([90.0, 90.0, 90.0, 90.0]))


def test_a_quota_counts_for_the_months_somebody_is_there() -> None:
    people = [Rep(rep="a", role="ae", start=date(2026, 7, 1), quota=120.0)]
    wins = pd.DataFrame({"owner": ["a"], "won_on": [pd.Timestamp("2026-12-31 15:00")], "amount": [60.0]})
    capacity = Capacity.model_validate({"roles": {"ae": {"quota": 1}}})
    found = attainment(people, wins, capacity, (date(2026, 1, 1), date(2026, 12, 31)), "2026")
    assert found is not None
    assert found.over_quota == pytest.approx(1.0)


# --- from the records of a plan ----------------------------------------------------------------------------------

PLAN = """\
year: {{first_month: 2027-01}}
plan_date: 2027-01-01
goal: {{new_arr: 8_000_000}}
stages: [{{id: sql}}, {{id: won}}]
segments: {{mid: {{acv: 25_000}}}}
sources: {{web: {{}}}}
transitions: [{{from: sql, to: won, rate: 0.25}}]
history: {{leads: crm.yaml}}
capacity: {{roster: roster.csv, roles: {{ae: {{productivity: 600_000, ramp: {ramp}}}}}}}
"""
CRM = """\
format: wide
files: {leads: {path: leads.csv, id: id}}
stages: {sql: leads.sql, won: leads.won}
owner: leads.owner
amount: leads.amount
"""


def written(folder: Path, one: World, ramp: str = "measured") -> Path:
    wins = one.wins.sort_values("won_on", kind="stable")
    days = wins["won_on"].dt.strftime("%Y-%m-%d")
    leads = pd.DataFrame(
        {"id": range(len(wins)), "sql": days, "won": days, "owner": wins["owner"], "amount": wins["amount"].round(2)}
    )
    leads.to_csv(folder / "leads.csv", index=False)
    rows = [(rep.rep, "ae", rep.start, rep.leave or "") for rep in one.people]
    pd.DataFrame(rows, columns=["rep", "role", "start", "leave"]).to_csv(folder / "roster.csv", index=False)
    (folder / "crm.yaml").write_text(CRM, encoding="utf-8")
    (folder / "plan.yaml").write_text(PLAN.format(ramp=ramp), encoding="utf-8")
    return folder / "plan.yaml"


def test_a_ramp_may_be_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, world(11, STEPS, newcomers=30))
    book = open_workbook(path)
    shares = book.plan.capacity.roles["ae"].stated_ramp.shares
    assert len(shares) == LONGEST_RAMP
    assert np.abs(np.array(shares) - STEPS).mean() < 0.12
    assert main(["capacity", str(path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["measured"][0]["has_ramp"]
    assert answer["attainment"]["period"] == "Jan-Dec 2026"
    assert len(answer["attainment"]["reps"]) > 5


def typed(folder: Path, one: World, role: str) -> list[str]:
    """What is said of the figures that a plan states of a role against those of its records."""
    path = written(folder, one)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("productivity: 600_000, ramp: measured", role), encoding="utf-8")
    book = open_workbook(path)
    said = list(typed_words(book.plan, book.measured))
    assert [line for line in check_plan(path) if " that the records show" in line] == [f"{LOOK}{line}" for line in said]
    return said


def test_what_is_typed_against_the_records_is_said_with_both_figures(tmp_path: Path) -> None:
    one = world(13, STEPS, newcomers=30)
    more, ramp, leave = typed(tmp_path, one, "productivity: 1_000_000, attrition: 0.01")
    assert re.fullmatch(
        r"The plan has a ramped ae close \$1M a year, more than the \$\d+k that the records show \(\$\d+k to \$\d+k\): "
        r"people close less than the plan reckons with, or they lacked work, which only a stated `load` can tell\.",
        more,
    )
    assert re.match(
        r"The plan's ramp costs a new ae 0 ramped months, fewer than the [78]\.\d that the records show", ramp
    )
    assert re.match(r"The plan has 1% of ae leave in a year besides those named, fewer than the \d+\.\d% that", leave)
    (less,) = typed(tmp_path, one, f"productivity: 300_000, attrition: 0.2, ramp: {list(STEPS)}")
    assert re.match(r"The plan has a ramped ae close \$300k a year, less than the \$\d+k that .* to \$\d+k\)\.$", less)


def test_what_the_records_bear_out_is_not_called_wrong(tmp_path: Path) -> None:
    assert (
        typed(tmp_path, world(13, STEPS, newcomers=30), f"productivity: 600_000, attrition: 0.2, ramp: {list(STEPS)}")
        == []
    )


def test_a_ramp_that_cannot_be_measured_is_an_assumption(tmp_path: Path) -> None:
    with pytest.raises(
        PlanError,
        match="cannot be measured: the records show the ramp of 2 hires, and 5 hires are the least; your ramp is",
    ):
        open_workbook(written(tmp_path, world(11, STEPS, newcomers=2)))


def test_a_credit_counts_against_its_owner_and_a_win_without_amount_as_the_mean_deal(tmp_path: Path) -> None:
    records = (
        "id,lead,won,owner,segment,amount\n1,2026-01-05,2026-02-05,Ana,a,900\n2,2026-01-06,2026-02-06,Ana,a,-400\n"
    )
    (tmp_path / "leads.csv").write_text(records + "3,2026-01-07,2026-02-07,Ben,a,\n4,2026-01-08,2026-02-08,Ben,a,0\n")
    keys = (
        "stages: {lead: leads.lead, won: leads.won}\nowner: leads.owner\nsegment: leads.segment\namount: leads.amount\n"
    )
    crm = tmp_path / "crm.yaml"
    crm.write_text(f"format: wide\nfiles:\n  leads: {{path: leads.csv, id: id}}\n{keys}", encoding="utf-8")
    assert wins_of(read_records(crm), {"a": 700.0})["amount"].tolist() == pytest.approx([900, -400, 700, 700])
