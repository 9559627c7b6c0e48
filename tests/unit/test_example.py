"""The example company: made again it is the same, its files tie with each other and with their truth."""

import json
import math
import subprocess
import sys
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from revplan.crm.records import read_records
from revplan.rates.estimates import estimate_transitions
from revplan.workbook.workbook import open_people

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "data"))
import example_fy26  # noqa: E402

EXAMPLE = ROOT / "data" / "example"
STAGES = ["lead", "mql", "sql", "sal", "sqo", "won"]
PLAN_DATE = pd.Timestamp("2026-11-15")
KEYS = ["month", "segment", "source"]


def read_yaml(name: str) -> dict:
    return YAML(typ="safe").load(EXAMPLE / name)


@pytest.fixture(scope="module")
def leads() -> pd.DataFrame:
    dates = [f"{stage}_on" for stage in (*STAGES, "lost")]
    return pd.read_csv(EXAMPLE / "leads.csv", parse_dates=dates)


@pytest.fixture(scope="module")
def subscriptions() -> pd.DataFrame:
    return pd.read_csv(EXAMPLE / "subscriptions.csv", parse_dates=["started_on", "ended_on"])


@pytest.fixture(scope="module")
def actuals() -> pd.DataFrame:
    return pd.read_csv(EXAMPLE / "actuals.csv").set_index(KEYS).sort_index()


@pytest.fixture(scope="module")
def truth() -> dict:
    return json.loads((EXAMPLE / "truth.json").read_text(encoding="utf-8"))


def arr_on(subscriptions: pd.DataFrame, day: pd.Timestamp) -> int:
    """ARR on a day: started by then, not ended by then."""
    ended = subscriptions["ended_on"] <= day
    return int(subscriptions.loc[(subscriptions["started_on"] <= day) & ~ended, "arr"].sum())


def booked(frame: pd.DataFrame, day: str, amount: str, actuals: pd.DataFrame) -> pd.Series:
    """Sums by month of `day`, segment and source, for the cells of `actuals`, 0 where there is nothing."""
    month = frame[day].dt.strftime("%Y-%m").rename("month")
    sums = frame.groupby([month, "segment", "source"])[amount].sum()
    return sums.reindex(actuals.index).fillna(0)


def test_made_again_it_is_the_same(tmp_path):
    subprocess.run([sys.executable, ROOT / "data" / "make_example.py", "--out", tmp_path], check=True)
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    kept = {path.name: path.read_bytes() for path in EXAMPLE.iterdir()}
    assert sorted(made) == sorted(kept)
    assert [name for name in made if made[name] != kept[name]] == []


def test_files_are_small_and_end_lines_alike():
    sizes = {path.name: path.stat().st_size for path in EXAMPLE.iterdir()}
    assert sizes["leads.csv"] < 480_000
    assert sum(sizes.values()) < 560_000
    assert not [path.name for path in EXAMPLE.iterdir() if b"\r" in path.read_bytes()]


def test_records_know_nothing_from_the_plan_date_on(leads):
    days = leads[[f"{stage}_on" for stage in (*STAGES, "lost")]]
    assert days.max().max() < PLAN_DATE
    assert days.min().min() == pd.Timestamp("2024-11-15")
    assert leads["record"].is_unique
    assert 8_000 <= len(leads) <= 9_000


def test_stages_come_in_order_without_gaps(leads):
    enters = {"inbound": 0, "events": 0, "outbound": 3, "partner": 2}
    first = leads["source"].map(enters)
    for number, (before, after) in enumerate(pairwise(STAGES)):
        both = leads[leads[f"{after}_on"].notna() & (first <= number)]
        assert (both[f"{before}_on"] <= both[f"{after}_on"]).all()
    assert not (leads["won_on"].notna() & leads["lost_on"].notna()).any()
    assert (leads["amount"].notna() == leads["sqo_on"].notna()).all()


def test_new_arr_ties_with_the_won_records(leads, actuals):
    assert (booked(leads, "won_on", "amount", actuals) == actuals["new"]).all()


def test_new_arr_ties_with_the_subscriptions_begun(subscriptions, actuals):
    begun = subscriptions.drop_duplicates("account")
    assert (booked(begun, "started_on", "arr", actuals) == actuals["new"]).all()


def test_expansion_contraction_and_churn_tie_with_the_subscriptions(subscriptions, actuals):
    after = subscriptions.groupby("account")["arr"].shift(-1).fillna(0)
    ended = subscriptions.assign(change=after - subscriptions["arr"], after=after)
    ended = ended[ended["ended_on"].notna()]
    kinds = {
        "expansion": ended[ended["change"] > 0],
        "contraction": ended[(ended["change"] < 0) & (ended["after"] > 0)],
        "churn": ended[ended["after"] == 0],
    }
    for kind, rows in kinds.items():
        assert (booked(rows, "ended_on", "change", actuals).abs() == actuals[kind]).all()


def test_the_bridge_of_the_three_quarters_closes(subscriptions, actuals):
    net = actuals["new"] + actuals["expansion"] - actuals["contraction"] - actuals["churn"]
    before, after = (arr_on(subscriptions, pd.Timestamp(day)) for day in ("2025-12-31", "2026-09-30"))
    assert after - before == net.sum()


def test_spend_ties(actuals):
    spend = pd.read_csv(EXAMPLE / "spend.csv").groupby(["month", "source"])["spend"].sum()
    by_source = actuals.groupby(["month", "source"])["spend"].sum()
    assert (spend.reindex(by_source.index).fillna(0) == by_source).all()


PLANS = ("plan.yaml", "plan_fy26.yaml", "plan_people.yaml")


@pytest.mark.parametrize("name", PLANS)
def test_shares_of_the_plan_sum_to_one(name):
    plan = read_yaml(name)
    for block in ("segments", "sources"):
        assert sum(item["share"] for item in plan[block].values()) == pytest.approx(1, abs=1e-12)
    for weights in plan["goal"]["phasing"].values():
        assert sum(weights) == pytest.approx(1, abs=1e-12)


def test_the_crm_file_names_columns_that_exist(leads):
    crm = read_yaml("crm.yaml")
    named = [*crm["stages"].values(), *(crm[key] for key in ("lost", "source", "segment", "amount", "owner"))]
    assert {name.removeprefix("leads.") for name in named} <= set(leads.columns)
    assert list(crm["stages"]) == STAGES


def test_opening_arr_is_projected_from_the_plan_date_to_the_start_of_the_year(subscriptions, actuals):
    actuals = actuals.loc["2026-04":]
    net = (actuals["new"] + actuals["expansion"] - actuals["contraction"] - actuals["churn"]).sum()
    known = arr_on(subscriptions, PLAN_DATE - pd.Timedelta(days=1))
    ahead = (pd.Timestamp("2027-01-01") - PLAN_DATE).days
    days = (pd.Timestamp("2026-10-01") - pd.Timestamp("2026-04-01")).days
    assert read_yaml("plan.yaml")["goal"]["opening_arr"] == round(known + net / days * ahead, -4)


@pytest.fixture(scope="module")
def closers() -> pd.DataFrame:
    """The account executives of the roster."""
    reps = pd.read_csv(EXAMPLE / "reps.csv", parse_dates=["started_on", "left_on"])
    return reps[reps["role"] == "ae"].reset_index(drop=True)


def test_owners_are_reps_of_the_segment_who_had_started(leads, closers):
    accepted = leads[leads["sal_on"].notna()]
    assert accepted["owner"].notna().all()
    assert leads[leads["sal_on"].isna()]["owner"].isna().all()
    held = accepted.merge(closers, left_on=["owner", "segment"], right_on=["rep", "segment"], how="left")
    assert held["rep"].notna().all()
    assert (held["won_on"].isna() | (held["started_on"] <= held["won_on"])).all()
    assert not (held["won_on"] > held["left_on"]).any()


def wins_by_chance(leads: pd.DataFrame, closers: pd.DataFrame, truth: dict, *, ramped: bool) -> pd.DataFrame:
    """For each deal won and each who could have won it: the chance by skill (and ramp), whether it was, months in the role."""
    ramp = dict(enumerate(truth["people"]["ramp"] if ramped else []))
    rows = []
    for deal in leads[leads["won_on"].notna()].itertuples():
        there = closers[(closers["segment"] == deal.segment) & (closers["started_on"] <= deal.won_on)]
        there = there[there["left_on"].isna() | (there["left_on"] >= deal.won_on)]
        kept = there[there["started_on"] <= deal.sal_on]
        there = kept if len(kept) else there
        months = [
            12 * (deal.won_on.year - each.year) + deal.won_on.month - each.month - (deal.won_on.day < each.day)
            for each in there["started_on"]
        ]
        chance = np.array(
            [
                truth["people"]["skill"][rep] * ramp.get(month, 1.0)
                for rep, month in zip(there["rep"], months, strict=True)
            ]
        )
        if chance.sum() > 0:
            shares = chance / chance.sum()
            rows += [
                (rep, share, rep == deal.owner, month)
                for rep, share, month in zip(there["rep"], shares, months, strict=True)
            ]
    return pd.DataFrame(rows, columns=["rep", "chance", "won", "months"])


def misses(rows: pd.DataFrame) -> float:
    """How far the wins lie from what the chances give. [standard errors]"""
    error = math.sqrt((rows["chance"] * (1 - rows["chance"])).sum())
    return float((rows["won"].sum() - rows["chance"].sum()) / error) if error else 0.0


def test_deals_are_won_by_skill_and_ramp_as_the_truth_has_it(leads, closers, truth):
    rows = wins_by_chance(leads, closers, truth, ramped=True)
    assert all(abs(misses(part)) < 3 for _, part in rows.groupby("rep"))
    young = rows["months"] < len(truth["people"]["ramp"])
    assert abs(misses(rows[young])) < 3
    unramped = wins_by_chance(leads, closers, truth, ramped=False)
    likelihood = [float(np.log(found[found["won"]]["chance"]).sum()) for found in (rows, unramped)]
    assert likelihood[0] > likelihood[1]  # with the ramp the wins are more likely than without


def test_two_months_were_overloaded_as_the_truth_says(leads, closers, truth):
    found = []
    told = truth["people"]
    for month in pd.period_range("2025-01", "2026-10", freq="M"):
        day = (month + 1).start_time
        ended = leads[["won_on", "lost_on"]].min(axis=1)
        in_work = leads[leads["sal_on"].between(day - pd.Timedelta(days=told["in_work_days"]), day, inclusive="left")]
        in_work = in_work[~(ended[in_work.index] < day)].groupby("owner").size()
        for each in closers[(closers["started_on"] <= day) & ~(closers["left_on"] < day)].itertuples():
            if in_work.get(each.rep, 0) > told["limits"][each.segment]:
                found.append((str(month), each.rep, int(in_work[each.rep])))
    assert found == [(row["month"], row["rep"], row["in_work"]) for row in told["overloaded"]]
    assert len({month for month, _, _ in found}) == 2


def test_the_roster_knows_a_change_of_role_and_who_followed_whom(truth):
    reps = pd.read_csv(EXAMPLE / "reps.csv", parse_dates=["started_on", "left_on"])
    assert set(reps["role"]) == {"ae", "sdr", "manager"}
    before, after = (reps[(reps["rep"] == "AE03") & (reps["role"] == role)].iloc[0] for role in ("sdr", "ae"))
    assert after["started_on"] == before["left_on"] + pd.Timedelta(days=1)
    lines = reps.drop_duplicates("rep", keep="last").set_index("rep")
    for new, old in truth["people"]["backfills"].items():
        assert lines.loc[new, "started_on"] > lines.loc[old, "left_on"]
        assert lines.loc[new, "segment"] == lines.loc[old, "segment"]


def test_the_plan_with_people_is_the_annual_plan_but_for_them() -> None:
    people, plan = read_yaml("plan_people.yaml"), read_yaml("plan.yaml")
    assert people.pop("capacity")["roster"] == "reps.csv"
    assert people.pop("name") != plan.pop("name")
    assert people == plan


def test_people_of_the_example_nearly_suffice() -> None:
    """As months are expected, they close all that comes but for the fourth quarter in smb."""
    found = open_people(EXAMPLE / "plan_people.yaml").staffing
    bound = {
        segment: list(np.flatnonzero(row)) for segment, row in zip(found.pools.segments, found.people_bind, strict=True)
    }
    assert bound == {"smb": [9, 10, 11], "mid": [], "enterprise": []}
    assert 0.98 < found.closed.sum() / found.demand.sum() < 1


def test_the_plan_of_the_running_year_says_who_answers_and_where_each_figure_comes_from():
    plan = read_yaml("plan_fy26.yaml")
    parts = [plan["goal"], *plan["segments"].values(), *plan["sources"].values(), *plan["transitions"]]
    assert all(part["basis"] for part in parts)
    assert all(source["owner"] for source in plan["sources"].values())


def test_the_plan_of_the_running_year_knew_nothing_later():
    plan = read_yaml("plan_fy26.yaml")
    assert str(plan["plan_date"]) == "2025-11-15"
    history = read_records(EXAMPLE / "crm.yaml", date(2025, 11, 14))
    made = example_fy26.transition_lines(estimate_transitions(history, date(2025, 11, 14)))
    assert YAML(typ="safe").load("\n".join(made)) == plan["transitions"]


def test_the_year_it_planned_is_neither_perfect_nor_absurd(leads):
    plan = read_yaml("plan_fy26.yaml")
    goal, phasing = plan["goal"], plan["goal"]["phasing"]["quarters"]
    lost = goal["churn"]["rate"] + goal["contraction"]["rate"] - goal["expansion"]["rate"]
    new_arr = goal["closing_arr"] - goal["opening_arr"] * (1 - lost)
    won = leads[leads["won_on"].between("2026-01-01", "2026-09-30")]
    came = won.groupby(won["won_on"].dt.quarter)["amount"].sum() / (new_arr * pd.Series(phasing[:3], index=[1, 2, 3]))
    assert came.between(0.7, 1.3).all()
    assert 0.9 < won["amount"].sum() / (new_arr * sum(phasing[:3])) < 0.99


@pytest.mark.parametrize("step", list(pairwise(STAGES)), ids="-".join)
@pytest.mark.parametrize("segment", ["smb", "mid", "enterprise"])
def test_old_cohorts_convert_at_the_true_rate(leads, truth, segment, step):
    rates = {
        row["source"]: row["rate"]
        for row in truth["rates"]
        if (row["from"], row["to"], row["segment"]) == (*step, segment)
    }
    old = leads[(leads["segment"] == segment) & (leads[f"{step[0]}_on"] < PLAN_DATE - pd.Timedelta(days=365))]
    chance = old["source"].map(rates)
    error = math.sqrt((chance * (1 - chance)).sum())
    assert old[f"{step[1]}_on"].notna().sum() == pytest.approx(chance.sum(), abs=3.5 * error)


def test_three_quarters_of_the_losses_are_recorded(leads, truth):
    old = leads[(leads["lead_on"] < PLAN_DATE - pd.Timedelta(days=365)) & leads["mql_on"].isna()]
    recorded = 1 - truth["losses"]["unrecorded"]
    error = math.sqrt(recorded * (1 - recorded) / len(old))
    assert old["lost_on"].notna().mean() == pytest.approx(recorded, abs=4 * error)


def test_the_plan_is_near_the_truth_but_not_the_truth(truth):
    rows = [row for row in read_yaml("plan.yaml")["transitions"] if "segment" in row]
    true = {(r["from"], r["to"], r["segment"], r["source"]): r["rate"] for r in truth["rates"]}
    gaps = []
    for row in rows:
        rate = true[row["from"], row["to"], row["segment"], row.get("source", "inbound")]
        error = math.sqrt(rate * (1 - rate) / row["evidence"])
        gaps.append(row["rate"] - rate)
        assert row["rate"] == pytest.approx(rate, abs=3.5 * error + 0.005)
    assert any(gap != 0 for gap in gaps)
