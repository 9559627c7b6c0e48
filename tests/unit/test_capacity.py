"""People: ramp, roster, what they can close month by month, what of demand is closed, who must be hired."""

from __future__ import annotations

import json
import random
import re
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from itertools import combinations_with_replacement
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from openpyxl import Workbook as Excel
from ruamel.yaml import YAML
from small_company import small_book
from test_board_exhibits import OF_PEOPLE

from revplan.capacity.limits import booked, compound_sums
from revplan.capacity.roster import with_roster
from revplan.capacity.team import HEADS, RAMPED, Pools, drawn_pools, expected_pools, seats, spells
from revplan.cli.commands import main
from revplan.crm.planfile import read_plan
from revplan.exhibits import annual_commit
from revplan.exhibits import capacity as exhibits
from revplan.exhibits.exhibit import raw
from revplan.exhibits.named import exhibits_of
from revplan.funnel.year import Snapshot
from revplan.ground.errors import DataError, PlanError
from revplan.plan.model import Plan
from revplan.plan.people import Capacity, Ramp
from revplan.plan.scenario import scenario_plans
from revplan.printing.registry import registry
from revplan.simulation.curve import _Reached, chance_of_goal
from revplan.simulation.simulate import Simulation, limited_by, simulate
from revplan.staffing.hiring import Search, WorthOfOne, entering, hiring, hiring_answer, worth_words, worths
from revplan.staffing.staffing import capacity_answer, headline, staffing
from revplan.tracking.book import BoardBook, open_board
from revplan.workbook.notes import DECIDE, TO_DO
from revplan.workbook.signing import simulation_notes
from revplan.workbook.workbook import PeopleBook, Workbook, check_plan, open_people, open_workbook, plan_year

EXAMPLE = Path(__file__).parents[2] / "data" / "example"


def plan(capacity: dict[str, Any] | None, goal: float = 1_200_000, **more: Any) -> Plan:
    """A plan of one segment whose deals close in the month they enter, evenly through 2027, at a rate that is certain."""
    given = {
        "year": {"first_month": "2027-01"},
        "plan_date": date(2027, 1, 1),
        "goal": {"new_arr": goal},
        "stages": [{"id": "sql"}, {"id": "won"}],
        "segments": {"all": {"acv": 10_000}},
        "sources": {"web": {}},
        "transitions": [{"from": "sql", "to": "won", "rate": 0.5}],
        "uncertainty": {"rho": 0, "lag_cv": 0, "volume_cv": 0},
        **more,
    }
    return Plan.model_validate(given if capacity is None else {**given, "capacity": capacity})


def team(*roster: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The people of a plan: lines of a roster, and one role that closes 120,000 a year."""
    lines = [
        {"rep": f"R{number}", "role": "ae", "start": date(2020, 1, 1), **line} for number, line in enumerate(roster)
    ]
    return {"roster": lines, "roles": {"ae": {"productivity": 120_000}}, **more}


def brought(capacity: dict[str, Any], kind: int = RAMPED) -> list[float]:
    """Ramped-rep equivalents (or heads) of all people in each month of 2027."""
    return sum(seat.expected[kind] for seat in seats(plan(capacity))).tolist()


def able(given: Plan) -> np.ndarray:
    """What the people of a plan of one segment can close by month."""
    return expected_pools(given, Pools(("all",))).sum(axis=0)


def simulated(given: Plan, trials: int = 4096) -> Simulation:
    return simulate(plan_year(given, Snapshot()), trials)


# --- ramp --------------------------------------------------------------------------------------------------------


def test_two_months_into_a_ramp_of_five_a_rep_counts_two_fifths() -> None:
    ae = {"productivity": 120_000, "ramp": {"linear_months": 5}}
    counted = brought(team({"start": date(2027, 1, 1)}, roles={"ae": ae}))
    assert counted == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1, 1, 1])


@pytest.mark.parametrize(("tenure", "third"), [("completed", 0.4), ("middle", 0.5), ("current", 0.6)])
def test_which_tenure_counts_is_stated(tenure: str, third: float) -> None:
    assert Ramp(linear_months=5, tenure=tenure).shares[2] == pytest.approx(third)


def test_a_list_says_what_each_month_counts_and_a_mid_month_start_is_shared_out() -> None:
    ae = {"productivity": 120_000, "ramp": [0.2, 0.6]}
    assert brought(team({"start": date(2027, 3, 1)}, roles={"ae": ae}))[1:6] == pytest.approx([0, 0.2, 0.6, 1, 1])
    # from 16 April half a month at 0.2; in May half a month more at 0.2, then half at 0.6
    assert brought(team({"start": date(2027, 4, 16)}, roles={"ae": ae}))[3:6] == pytest.approx(
        [0.1, 0.5 * 0.2 + 0.5 * 0.6, 0.8], abs=0.02
    )


def test_a_ramp_by_quarters_gives_the_table_of_heads_by_tenure() -> None:
    """Heads by tenure quarter as published: RRE 12.5, 15, 17.5, 21; 16,500 before judgment, 16,050 with it, quota 19,800."""
    starts = {4: date(2027, 1, 1), 3: date(2026, 10, 1), 2: date(2026, 7, 1), 1: date(2026, 4, 1), 10: date(2025, 1, 1)}
    lines = [{"start": day, "count": count} for count, day in starts.items()]
    lines[-1]["count"] = 8
    lines += [
        {"start": date(2025, 1, 1), "leave": date(2027, 6, 30)},
        {"start": date(2025, 1, 1), "leave": date(2027, 9, 30)},
    ]
    hires = [{"role": "ae", "start": f"2027-{month:02d}", "count": count} for month, count in ((4, 5), (7, 6), (10, 7))]
    ae = {"productivity": 1_000, "ramp": {"quarters": [0, 0.25, 0.5, 0.75, 1]}}
    judgment = {"owner": "VP Sales", "quarters": [-300, -200, -200, 250]}
    given = plan(
        team(*lines, roles={"ae": ae}, hires=hires, judgment=judgment, over_assignment=0.2),
        goal=16_050,
        segments={"all": {"acv": 10}},
    )
    answer = capacity_answer(staffing(simulated(given, 256)))
    quarters = np.add.reduceat([row["capacity_arr"] for row in answer["months"]], [0, 3, 6, 9])
    ramped = [row["ramped"] for row in answer["months"]]
    assert ramped[::3] == pytest.approx([12.5, 15, 17.5, 21])
    assert quarters == pytest.approx([3_125, 3_750, 4_375, 5_250])
    year = answer["year"]
    assert (year["capacity_arr"], year["plan_arr"], year["quota_arr"]) == pytest.approx((16_500, 16_050, 19_800))
    assert year["quota_over_capacity"] == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("ramp", "words"),
    [
        ([0.5, 1.2], "entry 2 of the ramp is 1.2; a share lies between 0 and 1"),
        ([0.5, 0.4], "the ramp falls from 0.5 to 0.4 in its entry 2; it must not fall"),
        ({"months": [0.5], "linear_months": 3}, "give one of months, quarters and linear_months"),
        ({"months": [0.5], "tenure": "middle"}, "tenure is for linear_months"),
    ],
)
def test_a_ramp_that_cannot_be_is_refused(ramp: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        plan(team({}, roles={"ae": {"productivity": 1, "ramp": ramp}}))


# --- who is there ------------------------------------------------------------------------------------------------


def test_leave_of_absence_leavers_and_overlay_seats() -> None:
    capacity = team(
        {"leave": date(2027, 6, 30)},
        {"away": [{"from": date(2027, 2, 1), "to": date(2027, 3, 31)}]},
        {"seat": "overlay"},
    )
    assert brought(capacity, HEADS) == pytest.approx([3, 2, 2, 3, 3, 3, 2, 2, 2, 2, 2, 2])
    assert able(plan(capacity)) == pytest.approx(10_000 * np.array([2, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1]))


def test_a_named_leaver_is_followed_after_the_delay_by_somebody_who_ramps() -> None:
    ae = {"productivity": 120_000, "ramp": [0.5], "backfill_delay_days": 61}
    counted = brought(team({"leave": date(2027, 3, 31)}, roles={"ae": ae}))
    assert counted == pytest.approx([1, 1, 1, 0, 0, 0.5, 1, 1, 1, 1, 1, 1], abs=0.01)


def test_attrition_is_a_yearly_share_and_spares_who_is_named() -> None:
    ae = {"productivity": 120_000, "attrition": 0.19}
    counted = brought(team({}, roles={"ae": ae}))
    assert counted == pytest.approx([(1 - 0.19) ** (month / 12) for month in range(12)])
    named = brought(team({"leave": date(2027, 12, 31)}, roles={"ae": ae}))
    assert named == pytest.approx([1] * 12)


def test_a_hire_that_may_not_start_is_looked_for_again() -> None:
    ae = {"productivity": 120_000, "open_requisition_days": 60, "offer_lead_days": 31.3125, "start_probability": 0.6}
    counted = brought(team({}, roles={"ae": ae}, hires=[{"role": "ae", "start": "2027-02"}]))
    after = np.array(counted) - 1
    assert after[[0, 1, 4, 7]] == pytest.approx([0, 0.6, 0.6 + 0.4 * 0.6, 1 - 0.4**3], abs=1e-6)


def test_draws_agree_with_the_expectation() -> None:
    ae = {
        "productivity": 120_000,
        "ramp": {"linear_months": 4},
        "attrition": 0.3,
        "backfill_delay_days": 45,
        "start_probability": 0.7,
    }
    given = plan(team({}, {}, {"count": 5}, roles={"ae": ae}, hires=[{"role": "ae", "start": "2027-03", "count": 2}]))
    drawn = drawn_pools(given, Pools(("all",)), 20_000, 3)
    error = drawn.std(axis=2) / np.sqrt(20_000)
    away = (drawn.mean(axis=2) - expected_pools(given, Pools(("all",)))) / np.where(error > 0, error, 1)
    assert np.abs(away).max() < 4.5
    assert drawn.sum(axis=(0, 1)).std() > 0


def test_one_more_hire_leaves_the_draws_of_others_as_they_were() -> None:
    ae = {"productivity": 120_000, "attrition": 0.3}
    base = team({}, {}, roles={"ae": ae}, productivity_cv=0, rep_cv=0)
    more = {**base, "hires": [{"role": "ae", "start": "2027-07"}]}
    one, two = (drawn_pools(plan(each), Pools(("all",)), 500, 3).sum(axis=0) for each in (base, more))
    assert (two >= one - 1e-9).all()
    assert two[:6] == pytest.approx(one[:6])
    brings = (two - one)[6:]  # whether the hire leaves again is taken in expectation
    assert brings == pytest.approx(brings[:, :1] * np.ones(500))
    assert brings[0, 0] == pytest.approx(10_000)


def test_selling_days_share_a_year_out() -> None:
    days = [20, 20, 22, 21, 20, 21, 22, 0, 22, 21, 21, 18]
    found = able(plan(team({}, selling_days=days)))
    assert found == pytest.approx(120_000 * np.array(days) / sum(days))


# --- quota and attainment ----------------------------------------------------------------------------------------


def on_quota(attainment: dict[str, Any], ramp: float, *groups: dict[str, Any]) -> float:
    """Capacity of a year on the basis of quota; ramping ones are hired at its start and ramp for a year."""
    roles = {"full": {"quota": 1}, "new": {"quota": 1, "ramp": [ramp] * 12}}
    lines = [{"role": "full" if "start" not in group else "new", **group} for group in groups]
    return float(able(plan(team(*lines, roles=roles, basis="quota", attainment=attainment))).sum())


def test_attainment_on_ramped_reps_only(golden: dict[str, Any]) -> None:
    ramped, ramping = (golden["CAP-01"]["inputs"][name] for name in ("ramped", "ramping"))
    attainment = {"rate": ramped["attainment"], "applies_to": "ramped"}
    one = {"count": ramped["reps"], "quota": ramped["quota"]}
    two = {"count": ramping["reps"], "quota": ramping["quota"], "start": date(2027, 1, 1)}
    expected = golden["CAP-01"]["expected"]
    assert on_quota(attainment, ramping["productivity"], one) == pytest.approx(expected["ramped"])
    assert on_quota(attainment, ramping["productivity"], two) == pytest.approx(expected["ramping"])
    assert on_quota(attainment, ramping["productivity"], one, two) == pytest.approx(expected["total"])


def test_attainment_on_all(golden: dict[str, Any]) -> None:
    given, expected = golden["CAP-06"]["inputs"], golden["CAP-06"]["expected"]
    attainment = {"rate": given["att_full"], "ramping": given["att_ramping"]}
    groups = {"count": given["full"]}, {"count": given["ramping"], "start": date(2027, 1, 1)}
    assert on_quota(attainment, given["ramp"], *groups) == pytest.approx(expected["total"])
    assert on_quota({"rate": 0.85, "applies_to": "all"}, 0.5, groups[1]) == pytest.approx(5 * 0.5 * 0.85)


def test_both_bases_are_told_whichever_the_plan_takes() -> None:
    ae = {"productivity": 120_000, "quota": 150_000}
    answers = [
        capacity_answer(staffing(simulated(plan(team({}, roles={"ae": ae}, basis=basis)), 256)))["year"]
        for basis in ("productivity", "quota")
    ]
    for answer in answers:
        assert answer["capacity_by_basis"] == {"productivity": pytest.approx(120_000), "quota": pytest.approx(150_000)}
    assert [answer["capacity_arr"] for answer in answers] == pytest.approx([120_000, 150_000])
    assert answers[0]["quota_over_capacity"] == pytest.approx(0.25)


# --- what is closed ----------------------------------------------------------------------------------------------


def test_the_minimum_is_taken_in_every_year() -> None:
    """Demand of cv 0.25 and capacity of cv 0.15 with equal means: 88.4 % of plan, as published."""
    draw = np.random.default_rng(5)
    demand, capacity = 1 + 0.25 * draw.standard_normal(400_000), 1 + 0.15 * draw.standard_normal(400_000)
    months = np.full((1, 12, 1), 1 / 12)
    rooms = np.concatenate([months * capacity, 0 * months * capacity])
    for kept in (0.0, 1.0):
        assert booked(months * demand, rooms, (kept,)).sum(axis=1).mean() == pytest.approx(0.884, abs=0.002)


def test_excess_waits_oldest_first_and_decays() -> None:
    demand, none = np.array([[10.0, 2, 0, 0]]), [0.0] * 4
    found = booked(demand, np.array([[4.0, 4, 4, 4], none]), (0.5,))
    assert found.tolist() == [[4, 4, 0.5, 0]]  # 6 wait, 3 are left; 5 at hand, 1 waits, half of it is left
    lost = booked(demand, np.array([[4.0, 4, 4, 4], none]), (0.0,))
    assert lost.tolist() == [[4, 2, 0, 0]]


def test_what_waits_is_kept_by_its_age() -> None:
    demand, rooms = np.array([[10.0, 0, 0, 0, 0]]), np.array([[1.0, 0, 0, 0, 9], [0.0] * 5])
    found = booked(demand, rooms, (0.9, 0.5))  # 9 wait: 8.1 after a month, 4.05, 2.025, 1.0125
    assert found[0].tolist() == pytest.approx([1, 0, 0, 0, 1.0125])


def test_the_oldest_is_worked_first() -> None:
    demand, rooms = np.array([[10.0, 10, 0]]), np.array([[0.0, 4, 99], [0.0] * 3])
    found = booked(demand, rooms, (1.0, 0.0))  # in February 4 of January's 10 are worked, 6 of them are lost
    assert found[0].tolist() == pytest.approx([0, 4, 10])


def test_those_who_sell_in_all_segments_take_of_each_rest_alike() -> None:
    demand = np.array([[10.0], [4.0]])
    assert booked(demand, np.array([[4.0], [1.0], [3.0]]), (0.0,)).tolist() == [[6.0], [2.0]]


@pytest.mark.parametrize("deals", [0.3, 1.0, 4.0, 50.0])
def test_sums_of_deals_have_the_mean_and_about_the_variance_of_a_compound_poisson_law(deals: float) -> None:
    normal = np.random.default_rng(3).standard_normal(400_000)
    found = compound_sums(
        np.full(400_000, deals * 10_000.0), np.full(1, 10_000.0), normal, np.array([deals * 10_000.0])
    )
    assert found.min() >= 0
    assert found.mean() == pytest.approx(deals * 10_000, rel=0.01)
    assert found.std() == pytest.approx(np.sqrt(deals) * 10_000, rel=0.08)


def test_with_people_to_spare_the_year_is_that_without_people() -> None:
    more = {
        "transitions": [
            {"from": "sql", "to": "won", "rate": 0.5, "evidence": 60, "lag": {"median_days": 40, "p90_days": 90}}
        ],
        "uncertainty": {"rho": 0.3, "lag_cv": 0.2, "volume_cv": 0.1},
        "plan_date": date(2026, 9, 1),
        "segments": {"all": {"acv": {"mean": 10_000, "sd": 5_000}}},
    }
    free, idle = (
        simulated(plan(None, **more), 8192).outcome,
        simulated(plan(team({"count": 500}), **more), 8192).outcome,
    )
    assert idle.mean.value == pytest.approx(free.mean.value, rel=0.005)
    assert idle.sd.value == pytest.approx(free.sd.value, rel=0.03)
    for low, high in zip(idle.bands, free.bands, strict=True):
        assert low.value == pytest.approx(high.value, rel=0.02)


def test_people_and_demand_of_equal_means_close_less_than_either() -> None:
    """Both log-normal: E[min] = 2 Phi(-s/2) of the mean, s the spread of the log of their ratio; 0.8856 for cv 0.25, 0.15."""
    capacity = team({"count": 10}, productivity_cv=0.15, rep_cv=0)
    given = plan(
        capacity, uncertainty={"rho": 0, "lag_cv": 0, "volume_cv": 0.25}, segments={"all": {"acv": 1}}
    )  # a million deals: no luck in their number
    found = simulated(given, 16_384)
    assert able(given).sum() == pytest.approx(found.view.planned_arr)
    assert found.outcome.mean.value / found.view.planned_arr == pytest.approx(0.8856, abs=0.004)
    assert limited_by(found)["people"] == pytest.approx(0.48, abs=0.03)


def test_limits_of_load_hold_back_what_comes_of_the_records() -> None:
    roles = {"ae": {"productivity": 1e9}, "sdr": {"load": {"stage": "sql", "per_month": 12}}}
    capacity = team({}, {"role": "sdr"}, roles=roles, excess={"kept": 0})
    found = simulated(plan(capacity, segments={"all": {"acv": 10_000}}))
    answer = capacity_answer(staffing(found))
    # 20 SQLs a month are to be worked, 12 can be
    row = next(row for row in answer["months"] if row["role"] == "sdr")
    assert (row["load"], row["binding"]) == (pytest.approx(20 / 12), "load")
    assert found.outcome.mean.value < 12 / 20 * 1_200_000 * 1.001
    assert found.outcome.mean.value > 12 / 20 * 1_200_000 * 0.8


def test_a_plan_without_people_says_so_and_one_with_them_does_not() -> None:
    free, staffed = simulated(plan(None), 256), simulated(plan(team({})), 256)
    assert any(line.startswith("People are not considered") for line in simulation_notes(free))
    assert not any(line.startswith("People are not considered") for line in simulation_notes(staffed))
    assert limited_by(free) == {"people": None, "demand": None, "budget": None}
    assert sum(limited_by(staffed).values()) == pytest.approx(1)
    assert any("`revplan hire` says who" in line for line in simulation_notes(staffed))


def test_entries_that_are_asked_for_because_people_lack_time_are_told() -> None:
    few, many = (
        simulated(short({"segment": "smb", "count": size}, {"segment": "mid", "count": size}), 2048) for size in (2, 9)
    )
    assert few.signed.scale.value > 1.1 * many.signed.scale.value
    assert any(
        "times the expected commit are asked for because people lack the time" in line for line in simulation_notes(few)
    )
    assert not any("lack the time" in line for line in simulation_notes(many))


def test_a_scenario_changes_the_people() -> None:
    ae = {"productivity": 120_000, "ramp": {"linear_months": 4}, "attrition": 0.1}
    changes = {
        "more": {"more_hires": [{"role": "ae", "start": "2027-01", "count": 5}]},
        "late": {"start_months": 3},
        "slow": {"ramp": 2},
        "leave": {"attrition": 0.5},
        "weak": {"productivity": 0.8},
        "none": {"hires": []},
    }
    base = plan(
        team({"count": 5}, roles={"ae": ae}, hires=[{"role": "ae", "start": "2027-04", "count": 3}]),
        scenarios={name: {"capacity": change} for name, change in changes.items()},
    )
    found = {name: able(each).sum() for name, each in scenario_plans(base).items()}
    usual = able(base).sum()
    assert found["more"] > usual
    assert all(found[name] < usual for name in changes if name != "more")
    assert found["weak"] == pytest.approx(0.8 * usual)


# --- the roster file ---------------------------------------------------------------------------------------------

PLAN = """\
year: {first_month: 2027-01}
plan_date: 2026-11-15
currency: EUR
goal: {new_arr: 1_000_000}
stages: [{id: sql}, {id: won}]
segments: {smb: {share: 0.5, acv: 10_000}, mid: {share: 0.5, acv: 20_000}}
sources: {web: {}}
transitions: [{from: sql, to: won, rate: 0.25}]
capacity: {roster: roster.csv, roles: {ae: {productivity: {smb: 300_000, mid: 500_000}}, manager: {}}}
"""
ROSTER = """rep,role,segment,started_on,left_on,quota
Anna,ae,smb,2025-03-01,,400000
Bo,AE,Mid,2026-01-01,2027-06-30,
Cy,manager,all,2024-01-01,,
"""


def written(folder: Path, roster: str = ROSTER, text: str = PLAN) -> Path:
    (folder / "roster.csv").write_text(roster, encoding="utf-8")
    (folder / "plan.yaml").write_text(text, encoding="utf-8")
    return folder / "plan.yaml"


def test_a_roster_file_is_read_by_its_own_column_names(tmp_path: Path) -> None:
    path = written(tmp_path)
    read, said = with_roster(read_plan(path), tmp_path)
    lines = [(rep.rep, rep.role, rep.segment, rep.start, rep.leave, rep.quota) for rep in read.capacity.people]
    assert lines == [
        ("Anna", "ae", "smb", date(2025, 3, 1), None, 400_000),
        ("Bo", "ae", "mid", date(2026, 1, 1), date(2027, 6, 30), None),
        ("Cy", "manager", None, date(2024, 1, 1), None, None),
    ]
    assert said == ("roster.csv: 3 people in 3 lines.",)
    assert said[0] in check_plan(path)


def test_an_excel_roster_says_the_same(tmp_path: Path) -> None:
    path = written(tmp_path)
    book = Excel()
    for line in ROSTER.splitlines():
        book.active.append(line.split(","))
    book.save(tmp_path / "roster.xlsx")
    path.write_text(PLAN.replace("roster.csv", "roster.xlsx"), encoding="utf-8")
    from_excel, _ = with_roster(read_plan(path), tmp_path)
    written(tmp_path)
    from_text, _ = with_roster(read_plan(path), tmp_path)
    assert from_excel.capacity.people == from_text.capacity.people


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "Dee,ae,smb,2026-05-01,2026-04-01,",
            "roster.csv line 5, left_on: lies before the start; correct one of the days",
        ),
        ("Anna,ae,mid,2026-05-01,,", "Anna is in two lines at once: the one that starts on 2025-03-01 has no last day"),
        (
            "Dee,ae,smb,2026-05-01,,0",
            "Dee closes with a quota of 0; give the quota, leave it empty, or write seat: overlay",
        ),
        ("Dee,cs,smb,2026-05-01,,", "Dee: 'cs' is no role of capacity.roles; it has ae, manager"),
        ("Dee,ae,large,2026-05-01,,", "Dee: 'large' is no segment of this plan; it has smb, mid"),
        ("Dee,ae,smb,2026-05-01,,$90000", "roster.csv, quota: is in $, the plan in EUR"),
        ("Dee,ae,smb,soon,,", "roster.csv line 5, started_on"),
        ("Dee,ae,smb,,,", "roster.csv line 5, started_on: is empty; write the first day of work"),
        ("Dee,ae,,2026-05-01,,", "no productivity is stated in all segments"),
    ],
)
def test_a_line_at_fault_is_named(tmp_path: Path, line: str, words: str) -> None:
    path = written(tmp_path, ROSTER + line + "\n")
    with pytest.raises(DataError) as error:
        with_roster(read_plan(path), tmp_path)
    assert words in str(error.value)
    assert main(["check", str(path)]) == 2


def test_an_open_seat_is_a_planned_hire(tmp_path: Path) -> None:
    lines = "Name,Title,Segment,Start date,Seat status\nAnna,ae,smb,2025-03-01,filled\nBo,ae,mid,2025-03-01,\n,ae,smb,2027-04-01,open\n"
    read, said = with_roster(read_plan(written(tmp_path, lines)), tmp_path)
    assert [rep.rep for rep in read.capacity.people] == ["Anna", "Bo"]
    assert [(hire.role, hire.segment, hire.first_day) for hire in read.capacity.hires] == [
        ("ae", "smb", date(2027, 4, 1))
    ]
    assert said == ("roster.csv: 2 people in 3 lines, 1 open seat.",)


def test_a_line_of_an_inline_roster_that_ends_before_it_begins() -> None:
    with pytest.raises(
        PlanError, match="R0 leaves on 2026-01-01, before starting on 2026-05-01; correct one of the days"
    ):
        plan(team({"start": date(2026, 5, 1), "leave": date(2026, 1, 1)}))


def test_every_fault_of_a_roster_is_told_at_once(tmp_path: Path) -> None:
    path = written(
        tmp_path, ROSTER + "Dee,cs,smb,2026-05-01,,\nAnna,ae,smb,2026-05-01,,\nEd,ae,smb,2026-05-01,2026-01-01,\n"
    )
    with pytest.raises(DataError) as error:
        with_roster(read_plan(path), tmp_path)
    assert len(error.value.faults) == 3


def test_a_roster_of_another_year_and_a_segment_nobody_sells_in(tmp_path: Path) -> None:
    old = "rep,role,segment,start,leave\nAnna,ae,smb,2019-01-01,2019-12-31\nBo,ae,mid,2019-01-01,2019-12-31\n"
    with pytest.raises(DataError, match=r"nobody in it works between 2027-01-01 and 2027-12-31.*another year"):
        with_roster(read_plan(written(tmp_path, old)), tmp_path)
    with pytest.raises(DataError, match="nobody sells in mid, which brings new ARR"):
        with_roster(read_plan(written(tmp_path, "rep,role,segment,start\nAnna,ae,smb,2025-01-01\n")), tmp_path)


def test_a_role_nobody_has_and_a_currency_column(tmp_path: Path) -> None:
    text = PLAN.replace("manager: {}", "manager: {}, csm: {productivity: 1000}")
    said = check_plan(written(tmp_path, text=text))
    assert any("Nobody on the roster and no planned hire sells in the role csm" in line for line in said)
    currency = "rep,role,segment,start,quota,currency\nAnna,ae,smb,2025-01-01,1,EUR\nBo,ae,mid,2025-01-01,1,USD\n"
    with pytest.raises(DataError, match=r"roster\.csv line 3: is in USD, the plan in EUR; .* rates: {USD: ...}"):
        with_roster(read_plan(written(tmp_path, currency)), tmp_path)


def test_ten_thousand_reps_are_read_and_more_than_any_company_has_are_refused(tmp_path: Path) -> None:
    many = ROSTER + "".join(f"r{number},ae,smb,2025-01-01,,\n" for number in range(10_000))
    read, _ = with_roster(read_plan(written(tmp_path, many)), tmp_path)
    assert expected_pools(read, Pools(("smb", "mid")))[0].sum() == pytest.approx(10_001 * 300_000)
    with pytest.raises(DataError, match="has 20,003 people; at most 20,000 are planned: is it another table"):
        with_roster(
            read_plan(written(tmp_path, ROSTER + "".join(f"r{n},ae,smb,2025-01-01,,\n" for n in range(20_000)))),
            tmp_path,
        )


def test_a_roster_that_was_not_read_is_never_taken_as_nobody(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="names a file that was not read"):
        simulate(plan_year(read_plan(written(tmp_path)), Snapshot()), 64)


def test_a_plan_names_its_people_soundly() -> None:
    for capacity, words in (
        ({"roles": {"ae": {}}}, "no role closes"),
        ({"roles": {"ae": {"quota": 1}}, "roster": []}, "productivity: is missing"),
        (team({}, hires=[{"role": "am", "start": "2027-02"}]), "'am' is no role of capacity.roles"),
        (team({}, hires=[{"role": "ae", "segment": "smb", "start": "2027-02"}]), "'smb' is no segment of this plan"),
        (team({}, ratios={"manager": {"ae": 8}}), "'manager' is no role"),
        (
            team({}, roles={"ae": {"productivity": 1, "load": {"stage": "mql", "per_month": 2}}}),
            "'mql' is no stage before won",
        ),
        (team({}, selling_days=[0] * 12), "are 0 in every month"),
    ):
        with pytest.raises(PlanError, match=words):
            plan(capacity)


# --- who must be hired -------------------------------------------------------------------------------------------


TWO = {
    "segments": {"smb": {"share": 0.5, "acv": 10_000}, "mid": {"share": 0.5, "acv": 20_000}},
    "transitions": [{"from": "sql", "to": "won", "rate": 0.5, "evidence": 200}],
    "uncertainty": {"rho": 0, "lag_cv": 0, "volume_cv": 0.05},
    "plan_date": date(2026, 11, 15),
}


def short(*roster: dict[str, Any], **role: Any) -> Plan:
    """A plan of two segments whose people are too few."""
    ae = {"productivity": 400_000, "ramp": {"linear_months": 3}, **role}
    return plan(team(*roster, roles={"ae": ae}), **TWO)


def search_of(given: Plan, trials: int = 512) -> Search:
    found = simulated(given, 2048)
    return Search(found.year, found.detail.demand.some(trials), entering(found, found.confidence))


@pytest.mark.parametrize("confidence", [0.5, 0.7, 0.8])
def test_the_hires_are_as_few_and_as_late_as_brute_force_finds(confidence: float) -> None:
    found = search_of(short({"segment": "smb"}, {"segment": "mid"}, open_requisition_days=60))
    best = found.latest(found.fewest(confidence), confidence)
    size, late = sum(map(len, best.values())), sum(map(sum, best.values()))
    ways = {place: list(found.places[place]) for place in found.places}
    tried = [(place, month) for place, months in ways.items() for month in months]
    reach = []
    for count in range(size + 1):
        for mix in combinations_with_replacement(tried, count):
            some: dict[Any, tuple[int, ...]] = {}
            for place, month in mix:
                some[place] = tuple(sorted([*some.get(place, ()), month]))
            if found.chance(some) >= confidence:
                reach.append((count, -sum(month for _, month in mix)))
    assert 0 < size <= 4
    assert min(reach) == (size, -late)


def test_more_and_earlier_hires_never_close_less() -> None:
    found = search_of(short({"segment": "smb"}, {"segment": "mid"}, attrition=0.2, backfill_delay_days=60))
    place = ("ae", "smb")
    arrs = [found.arr({place: starts}).mean() for starts in ((), (9,), (4,), (0,), (0, 4), (0, 0))]
    assert arrs == sorted(arrs)


def test_what_hire_says_simulate_says_of_the_plan_with_these_hires() -> None:
    found = hiring(simulated(short({"segment": "smb"}, {"segment": "mid"}, attrition=0.1)))
    assert found.hires
    assert found.chance_before < 0.8 <= found.chance_after
    given = found.simulation.year.plan
    capacity = given.capacity.model_copy(update={"hires": found.hires})
    again = simulated(given.model_copy(update={"capacity": capacity}))
    assert again.chance_at(found.scale) == pytest.approx(found.chance_after)
    answer = hiring_answer(found)
    assert {"role", "segment", "start", "count"} <= set(answer["hires"][0])
    assert answer["chance_after"] == found.chance_after


def test_page_one_names_the_hires_who_opens_the_positions_and_by_when() -> None:
    found = simulated(short({"segment": "smb"}, {"segment": "mid"}, open_requisition_days=20))
    book = Workbook(year=found.year, records=None)
    hires = book.people.hiring
    count = sum(hire.count for hire in hires.hires)
    said = dict(zip(*(annual_commit.summary(book).table[name] for name in ("fact", "value")), strict=True))
    assert said[DECIDE].startswith(f"Approve {count} hire{'s' * (count > 1)} besides the plan's and sign ")
    assert f"reach the goal in {hires.chance_after:.1%} of the years".replace(".0%", "%") in said[DECIDE]
    first = hires.table["open_by"].min()
    assert f"by {first.day} {first:%b} {first.year}: " in said[TO_DO]
    for hire in hires.hires:
        assert f"{hire.count} {hire.role} in {hire.segment}" in said[TO_DO]
    brief = annual_commit.in_brief(book).table
    assert DECIDE not in set(brief["fact"])  # the search for hires is not waited for


def test_page_one_asks_for_no_hires_where_nobody_lacks() -> None:
    found = simulated(short({"segment": "smb", "count": 9}, {"segment": "mid", "count": 9}), 1024)
    said = annual_commit.summary(Workbook(year=found.year, records=None)).table
    assert not any("hire" in line or "position" in line for line in said["value"])


def test_lead_times_are_kept() -> None:
    slow = search_of(short({"segment": "smb"}, {"segment": "mid"}, open_requisition_days=90, offer_lead_days=60))
    quick = search_of(short({"segment": "smb"}, {"segment": "mid"}))
    # 15 November 2026 and 150 days: 14 April 2027, so May; without lead times December
    assert (slow.places[("ae", "smb")][0], quick.places[("ae", "smb")][0]) == (4, -1)
    found = hiring(simulated(short({"segment": "smb"}, {"segment": "mid"}, open_requisition_days=20)))
    rows = hiring_answer(found)["hires"]
    assert all(date.fromisoformat(row["open_by"]) >= date(2026, 11, 15) for row in rows)


def test_hires_that_come_too_late_are_named_with_what_else_would_help() -> None:
    late = short({"segment": "smb"}, {"segment": "mid"}, open_requisition_days=330, ramp={"linear_months": 9})
    found = hiring(simulated(late, 1024))
    answer = hiring_answer(found)
    assert not answer["reached"]
    assert answer["hires"] == []
    assert {row["segment"] for row in answer["too_late"]} == {"smb", "mid"}
    assert any("what is missing is people, and they come too late" in line for line in answer["notes"])
    assert any("What else would help: " in line or "Nothing else that was tried" in line for line in answer["notes"])


def test_nobody_is_hired_where_nobody_lacks() -> None:
    found = hiring(simulated(short({"segment": "smb", "count": 9}, {"segment": "mid", "count": 9}), 1024))
    assert hiring_answer(found)["hires"] == []
    assert hiring_answer(found)["reached"]


def test_what_one_more_is_worth_is_found_by_re_solving() -> None:
    found = simulated(short({"segment": "smb"}, {"segment": "mid", "count": 9}), 2048)
    more = {each.what: each for each in worths(found)}
    assert more["one more ae in smb, from 2026-12 on"].arr > 100_000
    assert more["one more ae in mid, from 2026-12 on"].arr == pytest.approx(0, abs=50)
    assert more["one ae in smb less"].arr < -100_000
    # in mid people have time: an SQL brings rate x deal; in smb nobody has time for it
    assert more["one more SQL in mid"].arr == pytest.approx(0.5 * 20_000, rel=0.05)
    assert more["one more SQL in smb"].arr < 0.2 * 0.5 * 10_000
    assert more["a point of win rate more"].arr > 0 > more["a point of win rate less"].arr


def test_ties_are_named() -> None:
    same = [WorthOfOne("rep", "one more a", 1, 100.0, 5.0, 0.1), WorthOfOne("entry", "one more b", 1, 99.0, 5.0, 0.1)]
    assert "one more b is worth the same within the error" in worth_words(same, "USD")
    apart = [same[0], WorthOfOne("entry", "one more b", 1, 50.0, 5.0, 0.1)]
    assert "the same" not in worth_words(apart, "USD")


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"excess": {"kept": [0.9, 0.7, 0.2]}},
        {"judgment": {"quarters": [-60_000] * 4, "owner": "sales"}},
        {"productivity_cv": 0.4, "rep_cv": 0.6},
    ],
    ids=str,
)
@pytest.mark.parametrize("segment", ["mid", None])
def test_a_curve_that_skips_what_is_known_is_that_of_looking_at_every_trial(
    more: dict[str, Any], segment: str | None
) -> None:
    roles = {"ae": {"productivity": 400_000}, "sdr": {"load": {"stage": "sql", "per_month": 9}}}
    roster = [{"segment": "smb"}, {"segment": segment}, {"role": "sdr", "segment": "mid"}]
    found = simulated(plan(team(*roster, roles=roles, **more), goal=600_000, **TWO), 2048)
    trials, goal = found.detail, found.view.goal
    reached = _Reached.of(trials, goal)
    for scale in (1.3, 0.8, 0.0, 1.0, 64.0, 0.9, 1.1, 2.0, 1.05):
        assert reached.at(scale).tolist() == chance_of_goal(trials, goal, scale).tolist()
    assert 0.02 < reached.at(1.05).mean() < 0.98  # there is something to tell apart


# --- the command -------------------------------------------------------------------------------------------------


def test_the_command_prints_and_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path)
    assert main(["capacity", str(path)]) == 0
    printed = capsys.readouterr().out
    assert "People can close" in printed
    assert main(["capacity", str(path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {"month", "role", "segment", "heads", "ramped", "capacity_arr", "load", "binding"} <= set(
        answer["months"][0]
    )
    assert {"capacity_arr", "demand_arr", "expected_arr"} <= set(answer["year"])
    assert answer["year"]["capacity_arr"] == pytest.approx(300_000 + 250_000)
    assert answer["year"]["expected_arr"] < answer["year"]["demand_arr"]
    bound = {row["segment"]: row["binding"] for row in answer["months"] if row["month"] == "2027-12"}
    assert bound == {"smb": "people", "mid": "people", "all": "people"}
    assert open_workbook(path).simulation.outcome.mean.value == pytest.approx(answer["year"]["expected_arr"])


def test_a_plan_without_people_is_told_what_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, text=PLAN.partition("capacity:")[0])
    assert main(["capacity", str(path)]) == 2
    assert (
        "the plan says nothing of its people; add a line such as capacity: {roster: roster.csv"
        in capsys.readouterr().err
    )


# --- the report --------------------------------------------------------------------------------------------------


def test_charts_hold_what_their_tables_hold(tmp_path: Path) -> None:
    book = open_people(written(tmp_path))
    months, ramps, quarters = (show(book) for show in (exhibits.by_month, exhibits.ramped, exhibits.by_quarter))
    assert months is not None
    assert ramps is not None
    assert quarters is not None
    assert months.chart is not None
    assert ramps.chart is not None
    assert quarters.chart is not None
    drawn = {each.name: each.values for each in months.chart.series}
    assert drawn["people can close"] == pytest.approx(book.staffing.rooms.sum(axis=0))
    assert drawn["closes"] == pytest.approx(months.table["closed_arr"])
    ae = book.staffing.table.query("role == 'ae'").groupby("month")["ramped"].sum()
    assert {each.name: each.values for each in ramps.chart.series}["ae"] == pytest.approx(ae)
    loads = [value for each in quarters.chart.series[:-1] for value in each.values if value is not None]
    assert max(loads) == pytest.approx(quarters.table["load"].max())
    assert all(each.chart.message == each.message for each in (months, ramps, quarters))


@pytest.mark.parametrize("count", [1, 7, 8, 12])
def test_more_roles_than_colours_are_drawn_together(count: int) -> None:
    frame = pd.DataFrame({"month": pd.period_range("2027-01", periods=12, freq="M"), "heads": 20.0})
    for number in range(count):
        frame[f"role {number}"] = float(number + 1)
    drawn = exhibits.ramped_by_role(frame, [f"r{number}" for number in range(count)], "Said.")
    bars = [each for each in drawn.series if each.mark == "bar"]
    assert len(bars) == min(count, 7)
    assert sum(each.values[0] or 0.0 for each in bars) == pytest.approx(count * (count + 1) / 2)
    assert ("others" in [each.name for each in bars]) == (count > 7)


def test_a_segment_may_lack_people_while_others_have_time() -> None:
    book = open_people(EXAMPLE / "plan_people.yaml")
    shown = exhibits.by_month(book)
    assert shown is not None
    assert shown.message == "In 3 of 12 months more people would close more."
    assert shown.notes[1].startswith("In 3 of the months short of people, people of another segment have time")
    alone = PeopleBook(Workbook(year=simulated(plan(team({}))).year, records=None))
    everywhere = exhibits.by_month(alone)
    assert everywhere is not None
    assert everywhere.message == "In 12 of 12 months more people would close more."
    assert len(everywhere.notes) == 1  # nobody of another segment has time


def test_hires_are_asked_for_at_another_chance_and_day(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert open_people(path, confidence=0.0).hiring.confidence == pytest.approx(0.8)
    sure = open_people(path, confidence=0.5)
    assert sure.hiring.confidence == pytest.approx(0.5)
    usual, later = (open_people(EXAMPLE / "plan_people.yaml", day).staffing for day in (None, "2027-06-30"))
    assert later.capacity_arr > usual.capacity_arr  # nobody leaves unnamed before that day
    with pytest.raises(PlanError, match="confidence: got 80; write a chance between 0 and 1"):
        open_people(path, confidence=80)
    with pytest.raises(PlanError, match=r"as_of: got '30\.6\.27'"):
        open_people(path, "30.6.27")


def test_without_people_the_summary_says_what_to_add_and_the_rest_is_silent(tmp_path: Path) -> None:
    book = open_people(written(tmp_path, text=PLAN.partition("capacity:")[0]))
    said = exhibits.summary(book)
    assert said.message.startswith("People are not considered")
    line = said.notes[0].partition("such as ")[2]
    assert YAML(typ="safe").load(line)["capacity"]["roster"] == "roster.csv"
    made = exhibits_of(book)
    assert [name for name, show in made.items() if show(book) is not None] == ["summary"]
    assert len(made) == 9


def test_without_records_the_ramp_is_an_assumption(tmp_path: Path) -> None:
    said = exhibits.measured(open_people(written(tmp_path)))
    assert said is not None
    assert "Your ramp is an assumption" in said.message


# --- in the reports on plan and year ------------------------------------------------------------------------------


def test_the_annual_commit_says_who_closes_it_and_without_people_that_nobody_is_considered() -> None:
    book = open_workbook(EXAMPLE / "plan_people.yaml")
    months = exhibits.who_closes(book)
    assert months.table is not None
    assert months.table["closed_arr"].sum() == pytest.approx(book.people.staffing.closed.sum())
    page_one = annual_commit.summary(book)
    assert headline(book.people.staffing) in page_one.notes
    assert page_one.table is not None
    assert any("if people have the time" in line for line in page_one.table["value"])
    alone = open_workbook(EXAMPLE / "plan.yaml")
    nobody = exhibits.who_closes(alone)
    assert (nobody.message.startswith("People are not considered"), nobody.appendix) == (True, True)
    assert not any("people" in line.casefold() for line in annual_commit.summary(alone).notes)
    lines = annual_commit.summary(alone).table
    assert lines is not None
    assert not any("people" in line for line in lines["value"])
    assert exhibits.hires(alone.people) is None


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., BoardBook]:
    """The example's running year with people who close `share` of what those of the next year do."""
    folder = tmp_path_factory.mktemp("running") / "company"
    shutil.copytree(EXAMPLE, folder)
    year = (folder / "plan_fy26.yaml").read_text(encoding="utf-8")
    people = (folder / "plan_people.yaml").read_text(encoding="utf-8").partition("\ncapacity:")[2]

    def opened(share: float, segment: str = "") -> BoardBook:
        amounts = "".join(f"{name}: {share * amount:.0f}, " for name, amount in YEARLY.items())
        block = re.sub("productivity: .*", f"productivity: {{{amounts}}}", people.replace("2027-05", "2026-11"))
        block = block.replace("load: {stage: mql, per_month: 80}", "")
        path = folder / f"plan_{share}.yaml"
        path.write_text(f"{year}\ncapacity:{block}", encoding="utf-8")
        return open_board(path, "Q3 FY26", segment=segment)

    return opened


YEARLY = {"smb": 300_000, "mid": 520_000, "enterprise": 520_000}


def test_the_board_sees_what_people_can_close_of_what_is_left(running: Callable[..., BoardBook]) -> None:
    shown = exhibits.left_to_close(running(0.2))
    assert shown.table is not None
    assert [str(month) for month in shown.table["month"]] == ["2026-10", "2026-11", "2026-12"]
    able, asked, closed = (float(shown.table[name].sum()) for name in ("capacity_arr", "demand_arr", "closed_arr"))
    assert closed <= able < asked
    assert "less than the" in shown.message
    assert shown.notes[0].startswith("In 3 of 3 months more people would close more")
    plenty = exhibits.left_to_close(running(5.0))
    assert "no less than the" in plenty.message
    assert plenty.table is not None
    assert plenty.table["closed_arr"].sum() == pytest.approx(plenty.table["demand_arr"].sum())
    registry([raw(shown)])
    behind = exhibits.what_is_behind(running(0.2))
    assert behind is not None
    registry([raw(shown), raw(behind)])
    used = {each.measure.name for made in (shown, behind) for _, _, each in made.figures}
    assert used >= OF_PEOPLE - ({"factor_worth"} if behind.message.startswith(("It is people", "Nothing")) else set())
    of_one = exhibits.left_to_close(running(1.0, "mid"))
    assert (of_one.table, of_one.appendix) == (None, True)


def test_where_people_lack_the_time_the_landing_lies_in_its_band(running: Callable[..., BoardBook]) -> None:
    few, plenty = running(0.2).landing.iloc[-1], running(50.0).landing.iloc[-1]
    assert few["landing_low"] < few["landing"] < few["landing_high"]
    assert few["landing"] < 0.9 * plenty["landing"]
    assert few["landing"] == pytest.approx(few[["closed", "from_open", "to_create"]].sum())
    without = open_board(EXAMPLE / "plan_fy26.yaml", "Q3 FY26").landing.iloc[-1]
    assert plenty["from_open"] == pytest.approx(without["from_open"], rel=1e-3)  # a segment may lose its last one


def test_in_the_plan_month_people_have_what_is_left_of_it() -> None:
    given = plan(team({}), plan_date=date(2027, 3, 11))
    found = staffing(simulated(given))
    assert found.rooms.sum(axis=0)[:3] == pytest.approx([0.0, 0.0, 10_000 * 21 / 31])
    assert found.rooms.sum(axis=0)[3:] == pytest.approx([10_000.0] * 9)
    drawn = drawn_pools(given.model_copy(update={"capacity": calm(given)}), Pools(("all",)), 8, 1)
    assert drawn.sum(axis=0).mean(axis=1) == pytest.approx(found.rooms.sum(axis=0))


def calm(given: Plan) -> Capacity:
    """Its people, none of whom strays."""
    assert given.capacity is not None
    return given.capacity.model_copy(update={"rep_cv": 0.0, "productivity_cv": 0.0})


@pytest.mark.parametrize("seed", range(40))
def test_spells_add_up_to_the_seats(seed: int) -> None:
    """Two derivations of what people bring in expectation: by the ways a seat may go, and line by line as the workbook has it."""
    given = plan(**any_team(seed))
    assert given.capacity is not None
    by_seat = np.sum([seat.expected for seat in seats(given)], axis=0)
    by_line = np.sum([each.brought(given.capacity.roles["ae"], 12) for each in spells(given)], axis=0)
    assert by_line == pytest.approx(by_seat, abs=1e-9)


def any_team(seed: int) -> dict[str, Any]:
    """Reps who start, leave, are away and are followed on any day, and hires that may not start, for a plan of any date."""
    draw = random.Random(seed)
    ramps = [
        {"linear_months": 5},
        [0, 0.25, 0.5, 0.75],
        {"quarters": [0, 0.25]},
        {"linear_months": 4.5, "tenure": "middle"},
    ]
    role: dict[str, Any] = {
        "productivity": 120_000,
        "ramp": draw.choice(ramps),
        "attrition": draw.choice([0, 0.1, 0.4]),
        "start_probability": draw.choice([1, 0.7]),
        "open_requisition_days": draw.choice([0, 45]),
    }
    if draw.random() < 0.6:
        role["backfill_delay_days"] = draw.choice([0, 10, 90, 200])
    lines = []
    for number in range(8):
        start = date(2025, 1, 1) + timedelta(days=draw.randrange(1000))
        line: dict[str, Any] = {"rep": f"R{number}", "role": "ae", "start": start, "count": draw.choice([1, 2])}
        if draw.random() < 0.4:
            line["leave"] = start + timedelta(days=draw.randrange(1, 700))
        if draw.random() < 0.4:
            away = start + timedelta(days=draw.randrange(1, 200))
            line["away"] = [{"from": away, "to": away + timedelta(days=draw.randrange(5, 80))}]
        lines.append(line)
    hires = [
        {"role": "ae", "start": f"2027-0{draw.randrange(1, 9)}", "count": 2},
        {"role": "ae", "start": date(2026, 10, 5)},
    ]
    day = date(2026, 12, 1) + timedelta(days=draw.randrange(-300, 200))
    return {"capacity": {"roles": {"ae": role}, "roster": lines, "hires": hires}, "plan_date": day}


# --- people, product, price or too few opportunities --------------------------------------------------------------

HALF_YEAR = pd.period_range("2026-01", periods=6, freq="M")


def half_year(
    folder: Path, entries: float = 1.0, rate: float = 0.2, deal: float = 1000.0, able: float = 10.0
) -> BoardBook:
    """A company half a year into its plan: entries over the planned, share won, ARR per win, what people can close over the goal."""
    goal = 600_000.0
    people = (
        f"capacity: {{roles: {{ae: {{productivity: {able * goal:.0f}}}}}, roster: [{{rep: A, role: ae, start: 2020-01-01}}]}}\n"
        "uncertainty: {rho: 0, lag_cv: 0, volume_cv: 0}\n"
    )

    def opened(leads: str) -> BoardBook:
        return small_book(
            folder, goal=goal, leads=leads, actuals=None, as_of=date(2026, 6, 30), quarter="2026-Q2", more=people
        )

    head = "id,segment,lead,sql,won,lost,amount\n0,a,2025-11-03,2025-12-01,,2025-12-20,\n"
    first = opened(f"{head}1,a,2026-01-02,2026-01-02,2026-02-02,,1000\n")
    flow = first.sides.planned_flow
    planned = flow[(flow["stage"] == "sql") & (flow["part"] == "new")].groupby("month")["entries"].sum()
    rows, due = [], 0.0
    for month in HALF_YEAR:
        for _ in range(round(entries * planned[month])):
            due += rate
            won = due >= 1 and month < HALF_YEAR[-1]
            due -= due >= 1
            day, end = f"{month}-02", f"{month + 1}-02"
            fate = f"{end}," if won else f",{end}" if month < HALF_YEAR[-1] else ","
            rows.append(f"{len(rows) + 1},a,{day},{day},{fate},{deal if won else ''}\n")
    return opened(head + "".join(rows))


@pytest.mark.parametrize(
    ("cause", "world", "said"),
    [
        ("people", {"rate": 0.1, "able": 0.52}, r"It is people: they closed 9\d\.\d% of what they could, and yet"),
        (
            "opportunities",
            {"entries": 0.6},
            r"It is too few opportunities: [\d,]+ SQLs came of [\d,]+ planned, which costs \$\d+k; people had time left",
        ),
        (
            "product",
            {"rate": 0.12},
            r"It is the product or how it is sold: 1\d\.\d% of the SQLs are won where 20% was planned",
        ),
        ("price", {"deal": 600.0}, r"It is price: a win brings \$600 where \$1k was planned"),
        ("nothing", {}, r"Nothing stands out of people, product, price and opportunities"),
    ],
)
def test_what_is_behind_is_told_as_it_is_in_the_world(
    cause: str, world: dict[str, float], said: str, tmp_path: Path
) -> None:
    book = half_year(tmp_path, **world)
    assert book.diagnosis is not None
    shown = exhibits.what_is_behind(book)
    assert shown is not None
    assert book.diagnosis.cause == cause, (book.diagnosis, shown.message)
    assert re.match(said, shown.message), shown.message
    registry([raw(shown)])


def test_without_people_nobody_says_what_is_behind() -> None:
    assert exhibits.what_is_behind(open_board(EXAMPLE / "plan_fy26.yaml", "Q3 FY26")) is None


# --- what is typed and cannot be meant ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shares", "said"),
    [
        ([0, 25, 50, 100], "entry 2 of the ramp is 25; a share lies between 0 and 1: 25% is 0.25"),
        ([0, 0.5, 1.2], "entry 3 of the ramp is 1.2; a share lies between 0 and 1"),
        ([0, -0.5, 1], "entry 2 of the ramp is -0.5; a share lies between 0 and 1"),
    ],
)
def test_a_ramp_in_percent_is_told_how_to_be_written(shares: list[float], said: str) -> None:
    with pytest.raises(ValueError, match=f"{re.escape(said)}(?!:)"):
        Ramp(months=tuple(shares))


@pytest.mark.parametrize(("quota", "small"), [(500_000, False), (500, True)])
def test_a_quota_below_one_deal_is_doubted(quota: float, small: bool, tmp_path: Path) -> None:
    text = PLAN.replace(
        "roster: roster.csv",
        "roster: [{rep: Ada, role: ae, segment: mid, start: 2020-01-01, quota: QUOTA}, {rep: Bo, role: ae, segment: smb, start: 2020-01-01}]",
    )
    path = written(tmp_path, text=text.replace("QUOTA", str(quota)))
    doubts = [line for line in check_plan(path) if "below one deal" in line]
    assert len(doubts) == small
    if small:
        assert doubts[0].startswith("look at this: 1 person has a quota of a year below one deal of €10k")
        assert "(Ada: €500): if the amounts are in thousands, or by month, write them for the year in EUR." in doubts[0]
