"""What a simulated year answers: the commit curve, the fan, what decides, what would suffice, scenarios."""

from __future__ import annotations

import json
import tempfile
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from revplan.cli import main
from revplan.cli.answers import printed
from revplan.cli.answers import simulation as answered
from revplan.crm.planfile import read_plan
from revplan.funnel.funnel import YEAR
from revplan.funnel.tables import entries_by_stage, spend_of_entries
from revplan.funnel.year import Snapshot, plan_year
from revplan.ground.errors import PlanError
from revplan.plan.goal import solve_bridge
from revplan.plan.model import Plan
from revplan.plan.parts import GoalChange, Uncertainty
from revplan.plan.scenario import scenario_plans, varied_goal
from revplan.simulation.curve import CONFIDENCES, chance_of_goal, commit_curve, scales_needed, win_rate
from revplan.simulation.draws import DrawStore
from revplan.simulation.outlook import outlook
from revplan.simulation.scenarios import ComparedScenario, compare, largest_scale
from revplan.simulation.simulate import Simulation, simulate
from revplan.simulation.trials import drivers, trials_of
from revplan.workbook import simulated as tables
from revplan.workbook.answers import simulation_answer
from revplan.workbook.signing import ToSign, ceiling_words, in_parts
from revplan.workbook.workbook import Workbook

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "data" / "example" / "plan.yaml"

TEXT = """\
name: Two
year: {first_month: 2027-01}
plan_date: 2026-07-15
goal: {opening_arr: 4_000_000, closing_arr: 5_000_000, next_year_growth: 0}
stages: [{id: lead}, {id: sql}, {id: won}]
segments: {smb: {share: 0.4, acv: {mean: 8_000, sd: 4_000}}, mid: {share: 0.6, acv: {mean: 30_000, sd: 12_000}}}
sources: {web: {share: 0.7, cost_per_entry: 85}, outbound: {share: 0.3, enters: sql, max_per_month: 500}}
transitions:
  - {from: lead, to: sql, rate: 0.3, evidence: 400, lag: {median_days: 10, p90_days: 30}}
  - {from: sql, to: won, rate: 0.25, evidence: 120, lag: {median_days: 40, p90_days: 100}}
  - {from: sql, to: won, segment: mid, rate: 0.2, evidence: 40, lag: {median_days: 60, p90_days: 120}}
"""


def told(found: Simulation, compared: tuple[ComparedScenario, ...]) -> str:
    """What `revplan simulate` prints for a person."""
    return printed(answered(Workbook(year=found.year).simulated(found, compared))[1])


def plan_of(text: str, folder: Path) -> Plan:
    (folder / "plan.yaml").write_text(text, encoding="utf-8")
    return read_plan(folder / "plan.yaml")


@cache
def data() -> Plan:
    with tempfile.TemporaryDirectory() as folder:
        return plan_of(TEXT, Path(folder))


@cache
def simulation() -> Simulation:
    return simulate(plan_year(data(), Snapshot()))


def changed(update: dict[str, Any]) -> Simulation:
    made = data().model_copy(update=update)
    return simulate(
        plan_year(Plan.model_construct(**{key: getattr(made, key) for key in Plan.model_fields}), Snapshot())
    )


# --- the commit curve ----------------------------------------------------------------------------------------


def test_the_commit_at_a_confidence_gives_that_confidence() -> None:
    found = simulation()
    trials = trials_of(found.view, DrawStore(8192, drivers(found.view), 1))
    for point in found.curve:
        chance = float(chance_of_goal(trials, found.view.goal, point.scale.value).mean())
        assert chance == pytest.approx(point.confidence, abs=5e-4)
    other = trials_of(found.view, DrawStore(16_384, drivers(found.view), 99))
    fresh = float(chance_of_goal(other, found.view.goal, found.signed.scale.value).mean())
    assert fresh == pytest.approx(0.8, abs=0.005)


def test_each_trial_meets_the_goal_at_its_own_scale() -> None:
    found = simulation()
    trials = trials_of(found.view, DrawStore(1000, drivers(found.view), 1))
    fixed = trials.fixed + np.array([[2e5], [1e9], [1e13]])  # an open pipeline, so that both parts count
    trials = replace(trials, fixed=fixed)
    scales = scales_needed(trials, 1e6)
    deviation = trials.chances.deviation(trials.luck)
    c, cv, m, v = fixed[0], fixed[1], trials.scaled[0], trials.scaled[1]
    arr = c + scales * m + np.sqrt(cv + scales * v) * deviation
    assert arr == pytest.approx(np.full(1000, 1e6), rel=1e-9)


def test_the_share_of_trials_that_need_less_is_the_chance() -> None:
    found = simulation()
    trials = trials_of(found.view, DrawStore(8192, drivers(found.view), 1))
    needed = scales_needed(trials, found.view.goal)
    assert (needed <= 1).mean() == pytest.approx(found.outcome.chance_of_goal.value, abs=0.01)
    assert np.quantile(needed, 0.8) == pytest.approx(found.signed.scale.value, rel=0.01)


def test_no_volume_gives_it_where_nothing_lands_in_the_year(tmp_path: Path) -> None:
    late = TEXT.replace("median_days: 40, p90_days: 100", "months: 30").replace(
        "median_days: 60, p90_days: 120", "months: 30"
    )
    made = plan_of(late + "uncertainty: {lag_cv: 0}\n", tmp_path)
    found = simulate(plan_year(made, Snapshot()))
    assert found.signed.scale.value == float("inf")
    assert all(each.needed is None for each in found.goal_seek)
    answer = simulation_answer(found, compare(found))
    assert answer["signed"]["scale"] is None
    assert answer["signed"]["lead"] is None
    json.dumps(answer, allow_nan=False)
    text = told(found, compare(found))
    assert "reaches the goal in 80% of the years" in text
    assert "no value does" in text


def test_nothing_is_needed_where_the_goal_is_won_already() -> None:
    found = simulation()
    trials = trials_of(found.view, DrawStore(1024, drivers(found.view), 1))
    assert {each.scale.value for each in commit_curve(trials, 0.0, CONFIDENCES)} == {0.0}


def test_more_confidence_takes_more() -> None:
    scales = [each.scale.value for each in simulation().curve]
    assert scales == sorted(scales)
    assert scales[0] == simulation().stretch.scale.value


def test_curve_tables_hold_entries_of_every_stage_and_spend() -> None:
    found = simulation()
    curve, stages = tables.commit_curve_table(found), tables.commit_curve_stages_table(found)
    row = curve[curve["confidence"] == 0.8].iloc[0]
    commit = entries_by_stage(found.year)
    entries = stages[stages["confidence"] == 0.8].set_index("stage")["entries"]
    assert row["scale"] == found.signed.scale.value
    assert entries["sql"] == pytest.approx(row["scale"] * commit["sql"])
    assert row["spend"] == pytest.approx(row["scale"] * 85 * sum(
        flow[0][-found.year.first : YEAR - found.year.first].sum()
        for cell, flow in zip(found.year.cells, found.year.flows, strict=True) if cell.source == "web"
    ))  # fmt: skip
    assert spend_of_entries(found.year) > 0
    within = row["scale"] <= largest_scale(found.year)
    assert bool(row["within_limits"]) == within


# --- what decides --------------------------------------------------------------------------------------------


def test_tornado_names_every_uncertain_driver_once() -> None:
    names = [each.driver for each in simulation().tornado]
    assert sorted(names) == sorted(
        [
            "the market (all rates together)",
            "lags",
            "number and size of deals",
            "volume of web",
            "volume of outbound",
            "rate lead to sql",
            "rate sql to won",
            "rate sql to won, mid",
        ]
    )
    swings = [abs(each.high - each.low) for each in simulation().tornado]
    assert swings == sorted(swings, reverse=True)


def test_shares_of_variance_nearly_sum_to_one() -> None:
    assert 0.9 < sum(each.share for each in simulation().tornado) < 1.02


def test_one_driver_explains_a_year_of_one_driver() -> None:
    found = changed(
        {"uncertainty": data().uncertainty.model_copy(update={"rho": 0.0, "lag_cv": 0.0, "volume_cv": 1.0})}
    )
    volumes = [each for each in found.tornado if each.driver.startswith("volume")]
    assert sum(each.share for each in volumes) > 0.7
    web = next(each for each in volumes if each.driver == "volume of web")
    sigma = np.sqrt(np.log(2))
    z90 = 1.2815515655446004
    # at its P10 and P90 the source brings exp(-+ sigma z90) of its median
    assert (web.high - web.low) / found.view.planned_arr == pytest.approx(
        0.7 * np.exp(-(sigma**2) / 2) * 2 * np.sinh(sigma * z90), rel=0.15
    )


def test_what_is_sought_gives_the_confidence() -> None:
    found = simulation()
    by_driver = {each.driver: each for each in found.goal_seek}
    assert by_driver["volume"].factor == pytest.approx(found.signed.scale.value, rel=1e-3)
    factor = by_driver["acv"].factor
    richer = replace(found.view, value=found.view.value * factor, spread=found.view.spread * factor)
    trials = trials_of(richer, DrawStore(8192, drivers(richer), 1))
    assert (1 - trials.chances.below(found.view.goal)).mean() == pytest.approx(0.8, abs=1e-4)
    assert by_driver["win rate"].planned == pytest.approx(win_rate(found.view))
    assert by_driver["win rate"].planned < by_driver["win rate"].needed < 1


def test_no_win_rate_does_where_even_one_hundred_percent_falls_short() -> None:
    found = simulation()
    none = replace(found, view=replace(found.view, goal=found.view.goal * 20))
    by_driver = {each.driver: each for each in none.goal_seek}
    assert by_driver["win rate"].needed is None
    assert by_driver["volume"].needed is not None


# --- what a commit leaves uncertain --------------------------------------------------------------------------


def test_the_later_the_commit_the_less_is_left_uncertain() -> None:
    given = tables.commit_given_table(simulation()).set_index("stage")["variance_left"]
    assert 1 >= given["lead"] > given["sql"] > given["won"] > 0


def test_a_commit_on_wins_leaves_only_the_size_of_the_deals() -> None:
    found = simulation()
    wins = found.view.planned_wins
    spread = np.sqrt(wins @ found.view.spread**2)
    assert found.given_commit["won"].sd.value == pytest.approx(spread, rel=1e-6)
    assert found.given_commit["won"].mean.value == pytest.approx(found.view.planned_arr, rel=1e-9)


def test_a_commit_at_a_stage_keeps_what_enters_below_it_uncertain() -> None:
    view = outlook(simulation().year, "lead")
    web = [cell.source == "web" for cell in simulation().year.cells]
    none = len(view.source_names)
    assert (view.volumes[~view.is_open] == none).tolist() == web


# --- the fan -------------------------------------------------------------------------------------------------


def test_the_fan_of_a_certain_plan_is_poisson() -> None:
    found = changed(
        {
            "uncertainty": data().uncertainty.model_copy(update={"rho": 0.0, "lag_cv": 0.0, "volume_cv": 0.0}),
            "transitions": tuple(each.model_copy(update={"evidence": None}) for each in data().transitions),
        }
    )
    poisson = stats.poisson(found.fan.planned)
    for band, share in zip(found.fan.entries, (0.1, 0.5, 0.9), strict=True):
        assert np.abs(band - poisson.ppf(share)).max() < 1.2


def test_the_fan_ends_where_the_year_does() -> None:
    fan, found = simulation().fan, simulation().outcome
    assert fan.arr[:, -1] == pytest.approx([found.p10.value, found.p50.value, found.p90.value], rel=0.012)
    assert fan.planned_arr[-1] == pytest.approx(simulation().view.planned_arr, rel=1e-9)
    for stage, entries in entries_by_stage(simulation().year).items():
        assert fan.planned[data().stage_ids.index(stage)].sum() == pytest.approx(entries, rel=1e-9)


def test_bands_of_arr_alone_are_those_of_the_fan() -> None:
    np.testing.assert_allclose(simulation().arr_bands, simulation().fan.arr, rtol=1e-12)


def test_fan_tables() -> None:
    table, arr = tables.fan_table(simulation()), tables.fan_arr_table(simulation())
    assert len(table) == 36
    assert (table["entries_low"] <= table["entries_mid"]).all()
    assert (table["entries_mid"] <= table["entries_high"]).all()
    assert arr["goal"].iloc[-1] == pytest.approx(1e6)
    assert str(arr["month"].iloc[0]) == "2027-01"


# --- scenarios -----------------------------------------------------------------------------------------------

SCENARIOS = """\
scenarios:
  weak: {changes: [{from: sql, to: won, segment: mid, rate: 0.15}], uncertainty: {volume_cv: 0.1}}
  outbound wins: {changes: [{from: sql, to: won, source: outbound, rate: 0.3}]}
  higher goal: {goal: {new_arr: 1_200_000}}
  cheaper: {acv: {mid: 24_000}}
  lean: {volume: {web: 0.8}}
  double: {volume: 2}
"""


@pytest.fixture(scope="module")
def scenarios(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return plan_of(TEXT + SCENARIOS, tmp_path_factory.mktemp("plans"))


def test_a_scenario_is_the_plan_with_its_changes(scenarios: Plan) -> None:
    plans = scenario_plans(scenarios)
    assert list(plans) == list(scenarios.scenarios)
    weak = plans["weak"]
    assert weak.name == "Two: weak"
    assert weak.transition(("sql", "won"), "mid", "web").rate == 0.15
    assert weak.transition(("sql", "won"), "mid", "web").evidence == 40
    assert weak.transition(("sql", "won"), "smb", "web") == scenarios.transition(("sql", "won"), "smb", "web")
    assert (weak.uncertainty.volume_cv, weak.uncertainty.rho) == (0.1, 0.3)
    assert plans["cheaper"].segments["mid"].acv.mean == 24_000
    assert plans["cheaper"].segments["mid"].acv.sd == pytest.approx(9_600)
    assert plans["lean"].transitions == scenarios.transitions
    assert not plans["weak"].scenarios


def test_a_change_for_one_place_starts_from_what_holds_there(scenarios: Plan) -> None:
    found = scenario_plans(scenarios)["outbound wins"]
    assert found.transition(("sql", "won"), "smb", "outbound").rate == 0.3
    assert found.transition(("sql", "won"), "smb", "outbound").evidence == 120
    assert found.transition(("sql", "won"), "mid", "outbound").rate == pytest.approx(
        0.24
    )  # mid's 0.2, moved as 0.25 to 0.3
    assert found.transition(("sql", "won"), "mid", "web").rate == 0.2


@pytest.mark.parametrize(
    ("written", "new_arr"),
    [
        ({"new_arr": 1_200_000}, 1_200_000),
        ({"closing_arr": 5_500_000}, 1_500_000),
        ({"churn": {"rate": 0.1}}, 1_400_000),
        ({"opening_arr": 4_500_000}, 500_000),
        ({"opening_arr": 4_500_000, "new_arr": 700_000}, 700_000),
    ],
)
def test_a_goal_changed_in_part_stays_a_bridge(written: dict[str, Any], new_arr: float) -> None:
    found = solve_bridge(varied_goal(data().goal, GoalChange.model_validate(written)))
    assert found.new_arr == pytest.approx(new_arr)


def test_scenarios_stand_side_by_side(scenarios: Plan) -> None:
    found = simulate(plan_year(scenarios, Snapshot()), 2048)
    compared = compare(found)
    table = tables.scenarios_table(compared).set_index("scenario")
    assert list(table.index) == ["base", *scenarios.scenarios]
    assert table.loc["base", "mean_difference"] == 0
    assert table.loc["higher goal", "mean"] == pytest.approx(table.loc["base", "mean"], rel=1e-9)
    assert table.loc["higher goal", "goal"] == pytest.approx(1.2e6)
    assert table.loc["double", "mean"] == pytest.approx(2 * table.loc["base", "mean"], rel=1e-9)
    # 60 % of the ARR are deals of mid, a fifth smaller, or a quarter less often won
    assert table.loc["cheaper", "mean_difference"] == pytest.approx(-0.12 * table.loc["base", "mean"], rel=0.05)
    assert table.loc["weak", "mean_difference"] == pytest.approx(-0.15 * table.loc["base", "mean"], rel=0.05)
    assert table.loc["lean", "mean_difference"] == pytest.approx(-0.14 * table.loc["base", "mean"], rel=0.05)
    assert table.loc["weak", "chance_of_goal"] < table.loc["base", "chance_of_goal"]
    stages = tables.scenario_stages_table(compared).set_index(["scenario", "stage"])
    assert stages.loc[("weak", "sql"), "needed_difference"] > 0
    assert stages.loc[("lean", "sql"), "entries_difference"] < 0
    assert stages.loc[("lean", "sql"), "needed_difference"] == pytest.approx(0, abs=1e-6)
    assert compared[1].outcome == compare(found)[1].outcome
    text = told(found, compared)
    assert all(name in text for name in scenarios.scenarios)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("{changes: [{from: sql, to: won, ratio: 0.2}]}", "ratio", "unknown key"),
        ("{changes: [{from: sql, to: won}]}", "changes[0]", "changes nothing"),
        ("{changes: [{from: sql, to: wonn, rate: 0.2}]}", "changes[0].to", "no stage of this plan"),
        ("{changes: [{from: sql, to: won, segment: big, rate: 0.2}]}", "changes[0].segment", "no segment"),
        ("{changes: [{from: sql, to: won, rate: 20}]}", "rate", "at most 1"),
        ("{changes: [{from: sql, to: won, evidence: 0}]}", "evidence", "more than 0"),
        ("{acv: {big: 4_000}}", "acv", "'big' is no segment of this plan"),
        ("{acv: {mid: -1}}", "acv", "more than 0"),
        ("{volume: {fairs: 2}}", "volume", "'fairs' is no source of this plan"),
        ("{volume: -1}", "volume", "at least 0"),
        ("{price: 3}", "price", "unknown key"),
        ("{uncertainty: {rho: 2}}", "rho", "less than 1"),
        ("{goal: {new_arr: 1_000, closing_arr: 9_000_000, opening_arr: 1}}", "goal", "closing_arr says"),
        ("{goal: {arr: 1}}", "arr", "unknown key"),
    ],
)
def test_faults_of_a_scenario_name_their_place(tmp_path: Path, text: str, place: str, message: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan_of(f"{TEXT}scenarios:\n  odd: {text}\n", tmp_path)
    (fault,) = caught.value.faults
    assert "scenarios.odd" in fault.place
    assert place in fault.place
    assert message in fault.message


# --- the command ---------------------------------------------------------------------------------------------


def test_simulate_prints_one_json_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan_of(TEXT + SCENARIOS, tmp_path)
    assert main(["simulate", str(tmp_path / "plan.yaml"), "--trials", "1000", "--seed", "5", "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    found = json.loads(said.out)
    assert (found["trials"], found["seed"]) == (1000, 5)
    assert {"p10", "p50", "p90", "mean", "standard_error"} <= set(found["new_arr"])
    assert 0 < found["chance_of_goal"] < 1
    assert [each["confidence"] for each in found["commit_curve"]] == list(CONFIDENCES)
    assert {"confidence", "scale", "lead", "sql", "won"} <= set(found["commit_curve"][0])
    assert all({"driver", "low", "high"} <= set(each) for each in found["tornado"])
    assert [each["scenario"] for each in found["scenarios"]][:2] == ["base", "weak"]
    assert main(["simulate", str(tmp_path / "plan.yaml"), "--trials", "1000", "--seed", "5", "--json"]) == 0
    assert capsys.readouterr().out == said.out


def test_simulate_prints_for_a_person(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan_of(TEXT, tmp_path)
    assert main(["simulate", str(tmp_path / "plan.yaml")]) == 0
    out = capsys.readouterr().out
    assert "8,192 years are simulated" in out
    assert "To sign: 412 SQLs, which reach the goal in 80% of the years." in out
    assert "Uncertainty" in out
    assert "no sd" not in out.lower()


def test_sources_whose_ceiling_is_passed_first_are_named(tmp_path: Path) -> None:
    low = TEXT.replace("max_per_month: 500", "max_per_month: 4").replace("cost_per_entry: 85", "max_per_month: 30")
    tight = simulate(plan_year(plan_of(low, tmp_path), Snapshot()))
    text = told(tight, compare(tight))
    most = f"{largest_scale(tight.year):.2f}"
    assert "; from 50% on it is more than the sources' ceilings allow." in text
    assert (
        f"{ceiling_words(ToSign(tight))}: {most} times the expected commit, where {tight.signed.scale.value:.2f} times are to "
        "sign. Raise a ceiling (max_per_month, max_growth), find another source, or lower goal or confidence."
    ) in text
    one = simulate(plan_year(plan_of(low.replace("max_per_month: 30", "max_per_month: 3000"), tmp_path), Snapshot()))
    assert "Within the ceiling of outbound the chance is" in told(one, compare(one))
    assert ceiling_words(ToSign(tight)).startswith("Within the ceilings of web and outbound the chance is ")
    assert "ceilings allow." not in told(simulation(), compare(simulation()))


@pytest.mark.parametrize(
    ("given", "text", "message"),
    [
        (["--trials", "0"], TEXT, "trials: got 0; it must be a whole number from 2 to 100,000,000"),
        (["--trials", "1000000000000"], TEXT, "trials: got 1000000000000"),
        (["--seed", "-3"], TEXT, "seed: got -3"),
        ([], TEXT + "uncertainty: {rho: 2}\n", "uncertainty.rho: got 2; it must be less than 1"),
        ([], TEXT.replace("evidence: 400", "evidence: 0"), "evidence: got 0; it must be more than 0"),
        ([], TEXT + "scenarios: {odd: {changes: [{form: sql}]}}\n", "unknown key 'form'"),
        (["--trials", "1"], TEXT, "trials: got 1; it must be a whole number from 2"),
        (["--trials", "-8192"], TEXT, "trials: got -8192"),
        (["--seed", str(2**63)], TEXT, "seed: got 9223372036854775808; it must be a whole number from 0"),
        ([], TEXT + "uncertainty: {rho: 1}\n", "uncertainty.rho: got 1; it must be less than 1"),
        ([], TEXT + "uncertainty: {rho: -0.1}\n", "uncertainty.rho: got -0.1"),
        ([], TEXT + "uncertainty: {lag_cv: 9}\n", "uncertainty.lag_cv: got 9"),
        ([], TEXT + "commit: {confidence: 1}\n", "commit.confidence: got 1; it must be less than 1"),
        ([], TEXT.replace("evidence: 400", "evidence: -5"), "evidence: got -5; it must be more than 0"),
        ([], TEXT.replace("evidence: 400", "evidence: many"), "evidence: got 'many'"),
        ([], TEXT + "scenarios: {odd: {uncertainty: {rho: 2}}}\n", "scenarios.odd.uncertainty.rho: got 2"),
        ([], TEXT + "scenarios: {odd: {prices: 3}}\n", "scenarios.odd.prices: unknown key 'prices'"),
        ([], TEXT + "scenarios: {odd: {volume: {fairs: 2}}}\n", "'fairs' is no source of this plan"),
        (
            [],
            TEXT + "scenarios: {odd: {goal: {new_arr: 1_000, closing_arr: 9_000_000, opening_arr: 1}}}\n",
            "scenarios.odd.goal",
        ),
        (
            [],
            TEXT + "scenarios: {odd: {changes: [{from: sql, to: won, segment: huge, rate: 0.2}]}}\n",
            "no segment of this plan",
        ),
        ([], TEXT + "scenarios: {odd: {changes: [{from: lead, to: won, rate: 0.2}]}}\n", "scenarios.odd.changes[0]"),
    ],
)
def test_what_cannot_be_simulated_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], text: str, message: str
) -> None:
    (tmp_path / "plan.yaml").write_text(text, encoding="utf-8")
    assert main(["simulate", str(tmp_path / "plan.yaml"), *given]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert (said.out, "Traceback" in said.err) == ("", False)


@pytest.mark.parametrize("given", [["--trials", "many"], ["--trials", "1e3"], ["--seed"], ["--speed", "9"]])
def test_what_is_no_number_or_no_option_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str]
) -> None:
    plan_of(TEXT, tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["simulate", str(tmp_path / "plan.yaml"), *given])
    assert left.value.code == 2
    said = capsys.readouterr()
    assert given[0] in said.err
    assert said.out == ""


def test_the_faults_of_plan_and_scenarios_come_in_one_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = TEXT.replace("evidence: 400", "evidence: 0") + "uncertainty: {rho: 2}\nscenarios: {odd: {volume: -1}}\n"
    (tmp_path / "plan.yaml").write_text(text, encoding="utf-8")
    assert main(["simulate", str(tmp_path / "plan.yaml")]) == 2
    said = capsys.readouterr().err
    assert "(3 faults)" in said
    assert all(part in said for part in ("evidence: got 0", "rho: got 2", "scenarios.odd.volume"))


def test_the_example_company(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", str(EXAMPLE), "--trials", "4096", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["planned"] - found["new_arr"]["mean"] == pytest.approx(
        found["cost_of_uncertainty"], abs=6 * found["new_arr"]["standard_error"]
    )
    assert found["signed"]["scale"] > 1
    assert sum(each["share_of_variance"] for each in found["tornado"]) == pytest.approx(1, abs=0.05)


def test_the_workbook_simulates_once_and_compares_its_scenarios(scenarios: Plan) -> None:
    book = Workbook(year=plan_year(scenarios, Snapshot()))
    assert book.simulation is book.simulation
    assert book.simulation.trials == 8192
    assert [each.name for each in book.scenarios] == ["base", *scenarios.scenarios]
    assert book.scenarios[0].outcome is book.simulation.outcome


def test_a_scenario_may_change_rates_that_come_from_records(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where rates come from records, what a scenario changes is known only once they are read."""
    leads = "id,lead,sql,won\n" + "".join(
        f"{number},2026-{1 + number % 6:02d}-05,2026-{1 + number % 6:02d}-20,{won}\n"
        for number, won in enumerate(["2026-07-01", ""] * 60)
    )
    (tmp_path / "leads.csv").write_text(leads, encoding="utf-8")
    crm = "format: wide\nfiles: {leads: {path: leads.csv, id: id}}\nstages: {lead: leads.lead, sql: leads.sql, won: leads.won}\n"
    (tmp_path / "crm.yaml").write_text(crm, encoding="utf-8")
    plan = """\
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal: {new_arr: 1_000_000}
stages: [{id: lead}, {id: sql}, {id: won}]
segments: {all: {acv: 10_000}}
sources: {web: {}}
history: {leads: crm.yaml}
scenarios:
  fine: {changes: [{from: sql, to: won, rate: 0.2}]}
"""
    (tmp_path / "plan.yaml").write_text(plan, encoding="utf-8")
    assert main(["simulate", str(tmp_path / "plan.yaml"), "--trials", "500", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["scenario"] for each in found["scenarios"]] == ["base", "fine"]


def test_the_number_to_sign_in_parts() -> None:
    """Each part is what a plan without the others asks for: certain rates, then a market that stands still, then all."""
    book = simulate(plan_year(data(), Snapshot()), 4096, 3)
    parts = book.signed_parts
    still = {"rho": 0.0, "lag_cv": 0.0, "volume_cv": 0.0}
    certain = [each.model_copy(update={"evidence": None}) for each in data().transitions]

    def asked(**changes: Any) -> float:
        plan = data().model_copy(update=changes)
        return simulate(plan_year(plan, Snapshot()), 4096, 3).signed.scale.value

    market = Uncertainty.model_validate(still)
    assert parts.all == pytest.approx(book.signed.scale.value, rel=0.002)
    assert parts.still_market == pytest.approx(asked(uncertainty=market), rel=0.005)
    assert parts.luck == pytest.approx(asked(uncertainty=market, transitions=tuple(certain)), rel=0.005)
    assert 1 < parts.luck < parts.still_market < parts.all
    assert sum(parts.steps.values()) == pytest.approx(parts.all - 1)
    assert 0 < parts.market_cv < 0.5
    answer = simulation_answer(book, compare(book))["signed_parts"]
    assert answer["insurance"] == pytest.approx(parts.all - parts.still_market)
    assert f"{parts.steps['insurance']:+.0%} as insurance against a market that moves" in in_parts(ToSign(book))


def test_a_market_that_stands_still_needs_no_insurance() -> None:
    plan = data().model_copy(update={"uncertainty": Uncertainty(rho=0.0, lag_cv=0.0, volume_cv=0.0)})
    parts = simulate(plan_year(plan, Snapshot()), 2048, 3).signed_parts
    assert parts.steps["insurance"] == pytest.approx(0)
    assert parts.market_cv == pytest.approx(0)
