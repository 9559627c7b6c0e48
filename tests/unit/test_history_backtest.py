"""Backtests: scores and baselines by hand, replays that know no future, the better baseline offered, commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from revplan.cli import main
from revplan.crm.records import read_export
from revplan.ground.errors import DataError
from revplan.plan.parts import Transition
from revplan.rates.backtest import (
    MODEL,
    ReplayedForecast,
    backtest,
    backtest_answer,
    baselines,
    chance_of_less,
    crps,
    pinball,
    proportion_interval,
    scores,
)
from revplan.rates.spells import NEVER, Spells

START = date(2024, 1, 1)
OLIST = Path(__file__).parents[3] / "shared" / "data" / "olist_asof"

# --- scores --------------------------------------------------------------------------------------------------


def test_crps_by_hand() -> None:
    """X is 1 or 3, y = 2: E|X - y| = 1, E|X - X'| = 1, so 1 - 1/2. A point's score is its distance."""
    assert crps(np.array([1.0, 3.0]), 2.0) == pytest.approx(0.5)
    assert crps(np.array([5.0]), 2.0) == pytest.approx(3.0)


def test_crps_is_the_integral_of_the_squared_difference() -> None:
    rng = np.random.default_rng(1)
    sample, came = np.sort(rng.normal(size=50)), 0.3
    grid = np.linspace(-6, 6, 200_001)
    below = np.searchsorted(sample, grid, side="right") / 50
    integral = np.sum((below - (grid >= came)) ** 2) * (grid[1] - grid[0])
    assert crps(sample, came) == pytest.approx(integral, abs=1e-3)


def test_pinball_by_hand() -> None:
    """Quantiles 8, 10, 13 and 11 came: 0.1 x 3, 0.5 x 1, 0.1 x 2."""
    assert pinball(np.array([8.0, 10.0, 13.0]), 11.0) == pytest.approx([0.3, 0.5, 0.2])


def test_scores_by_hand() -> None:
    """12 and 8 forecast, 10 came each time: WAPE 4/20, no bias, CRPS 2."""
    each = scores([ReplayedForecast(12, None, 10), ReplayedForecast(8, None, 10)])
    assert (each.wape, each.bias, each.crps) == pytest.approx((0.2, 0.0, 2.0))
    assert each.coverage is None
    spread = scores([ReplayedForecast(100, 0.1, 100), ReplayedForecast(100, 0.1, 200)])
    assert spread.coverage == 0.5
    # variance 100 + 10^2: sd 14.1, P90 - P10 = 2.56 of it
    money = scores([ReplayedForecast(1000, None, 1100, 200.0**2)])
    assert (money.coverage, money.width) == (1.0, pytest.approx(2.563 * 0.2, rel=0.02))
    assert spread.width == pytest.approx(2.563 * 2**0.5 * 0.1, rel=0.02)


def test_how_little_a_few_forecasts_say_about_coverage() -> None:
    """8 of 10 (Clopper and Pearson, 90 %): 49 % to 96 %; the ends are closed where all or none held."""
    assert proportion_interval(8, 10) == pytest.approx((0.493, 0.963), abs=1e-3)
    assert proportion_interval(0, 5)[0] == 0.0
    assert proportion_interval(5, 5)[1] == 1.0


# --- baselines -----------------------------------------------------------------------------------------------


def test_baselines_by_hand() -> None:
    """120 days, two leads a day; of each pair one is won after 40 days. As of day 119: 80 of 240 are won.

    rate x open: a third of the 160 open. Repeat: wins of the last month (30 days) among those known then.
    Cohort x lag: months counted back; every cohort seen at a lag of one month or more converts by half.
    """
    days = np.repeat(np.arange(120), 2)
    won = np.where(np.arange(240) % 2, days + 40, NEVER)
    every = Spells(
        ("lead", "won"), 0, np.column_stack([days, won]), np.full(240, NEVER), np.zeros(240, dtype=int), (("all", "all"),), np.full(240, np.nan)
    )  # fmt: skip
    found = baselines(every.up_to(119), 1)
    assert found["rate_open"].from_known == pytest.approx(160 / 3)
    assert found["repeat"].from_known == 30  # one lead of each pair, 40 days after it came in
    assert found["repeat"].total == 30
    assert 15 < found["cohort_lag"].from_known < 45
    assert found["cohort_lag"].total >= found["cohort_lag"].from_known


# --- replays -------------------------------------------------------------------------------------------------


def workspace(folder: Path, wins: Callable[[int, int], int | None], days: int = 700, per_day: int = 3) -> Path:
    """A CRM file and its leads: `wins(day, number)` says after how many days the lead is won, or None."""
    rows = ["id,lead,won,lost,source,amount"]
    for day in range(days):
        for number in range(per_day):
            after = wins(day, number)
            end = day + after if after is not None and day + after < days else None
            cells = [
                f"{day}-{number}",
                START + timedelta(days=day),
                START + timedelta(days=end) if end is not None else "",
            ]
            rows.append(",".join(map(str, [*cells, "", "ab"[number % 2], 1000])))
    (folder / "leads.csv").write_text("\n".join(rows), encoding="utf-8")
    crm = folder / "crm.yaml"
    crm.write_text(
        "format: wide\nfiles: {l: {path: leads.csv, id: id}}\nstages: {lead: l.lead, won: l.won}\n"
        "lost: l.lost\nsource: l.source\namount: l.amount\n",
        encoding="utf-8",
    )
    return crm


def drawn(seed: int, rate: float = 0.3) -> Callable[[int, int], int | None]:
    rng = np.random.default_rng(seed)
    return lambda day, number: int(rng.exponential(40)) if rng.random() < rate else None


@pytest.fixture(scope="module")
def crm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return workspace(tmp_path_factory.mktemp("crm"), drawn(5))


def test_a_backtest_says_how_it_did(crm: Path) -> None:
    done = backtest(read_export(crm), (date(2024, 12, 31), date(2025, 12, 31)), "quarter", 3)
    assert [origin.as_of for origin in done.origins] == [date(2024, 12, 31), date(2025, 3, 31), date(2025, 6, 30)]
    answer = backtest_answer(done)
    for target in ("from_known", "with_arrivals"):
        assert list(answer["scores"][target]) == [MODEL, "rate_open", "repeat", "cohort_lag"]
        assert answer["scores"][target][MODEL]["wape"] < 0.25
        for origin in answer["origins"]:
            assert origin[target]["p10"] < origin[target]["mean"] < origin[target]["p90"]
    came = [origin["from_known"]["actual"] for origin in answer["origins"]]
    assert all(origin["with_arrivals"]["actual"] > known for origin, known in zip(answer["origins"], came, strict=True))
    assert answer["scores"]["from_known"][MODEL]["crps"] < answer["scores"]["from_known"]["rate_open"]["crps"]
    assert "35 independent ones" in " ".join(answer["warnings"])
    # every deal is worth 1,000
    assert answer["scores"]["arr_from_known"][MODEL]["wape"] == pytest.approx(
        answer["scores"]["from_known"][MODEL]["wape"]
    )
    assert answer["origins"][0]["arr_with_arrivals"]["actual"] == 1000 * answer["origins"][0]["with_arrivals"]["actual"]
    json.dumps(answer, allow_nan=False)


def test_a_replay_knows_no_future(tmp_path: Path) -> None:
    """Two companies alike until a day, in which everything goes differently afterwards."""
    told = []
    for number, later in enumerate((0.1, 0.6)):
        folder = tmp_path / str(number)
        folder.mkdir()
        rng = np.random.default_rng(9)
        same = [(rng.random(), int(rng.exponential(40))) for _ in range(3 * 700)]

        def wins(day: int, lead: int, later: float = later, same: list = same) -> int | None:
            chance, after = same[3 * day + lead]
            return after if chance < (0.3 if day + after < 450 else later) else None

        done = backtest(
            read_export(workspace(folder, wins)), (START + timedelta(days=449), date(2025, 12, 31)), "quarter", 3
        )
        told.append(done.origins[0].forecast)
    assert told[0].from_known.wins == told[1].from_known.wins
    assert told[0].with_arrivals.wins == told[1].with_arrivals.wins


def test_a_better_baseline_is_named_and_offered(tmp_path: Path) -> None:
    """One win on every day of the calendar, whatever came in: nothing beats repeating the last quarter."""
    crm = workspace(tmp_path, lambda day, number: 20 if number == 0 else None, per_day=2)
    done = backtest(read_export(crm), (date(2025, 3, 31), date(2025, 8, 31)), "month", 1)
    assert done.scores["with_arrivals"]["repeat"].wape < 0.05
    name, says = done.better["with_arrivals"]
    assert name in {"repeat", "cohort_lag"}
    assert says == pytest.approx(30, abs=2)
    assert any("missed by less with its band counted in" in line for line in done.warnings)


def test_a_lead_that_luck_explains_is_no_better_baseline() -> None:
    """Misses of 10 against 11 that take turns are luck; 10 against 20 every time are none; three forecasts tell nothing."""

    def at(misses: list[float]) -> list[ReplayedForecast]:
        return [ReplayedForecast(100 + miss, None, 100) for miss in misses]

    by_turns, always, worse = at([9, 12, 8, 13, 10, 8]), at([10] * 6), at([20, 21, 19, 20, 22, 20])
    assert 0.3 < chance_of_less(always, at([11, 8, 14, 7, 12, 10]), under_way=1) < 0.5
    assert chance_of_less(by_turns, worse, under_way=1) < 0.01
    assert chance_of_less(worse, by_turns, under_way=1) == 1
    assert chance_of_less(by_turns[:3], worse[:3], under_way=1) == 1
    alike = at([20, 20, 20, 20, 10, 10, 10, 10, 20, 20, 20, 20])  # misses that come together count as fewer
    alone, together = (chance_of_less(at([14] * 12), alike, under_way=number) for number in (1, 4))
    assert alone < together


@pytest.mark.parametrize(
    ("first", "last", "months", "message"),
    [
        ("2025-06-01", "2025-01-01", 3, "is after --to"),
        ("2025-11-01", "2025-12-01", 3, "are not over on"),
        ("2025-01-01", "2025-12-01", 30, "reaches 1 to 24"),
        ("2023-01-01", "2023-06-01", 3, "no day can be replayed"),
    ],
)
def test_a_backtest_that_cannot_be_is_refused(crm: Path, first: str, last: str, months: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        backtest(read_export(crm), (date.fromisoformat(first), date.fromisoformat(last)), "quarter", months)


def test_days_that_cannot_be_replayed_are_named(crm: Path) -> None:
    done = backtest(read_export(crm), (date(2023, 12, 31), date(2024, 12, 31)), "quarter", 3)
    assert done.origins[0].as_of == date(2024, 3, 31)
    assert done.warnings[0].startswith("2023-12-31 is left out: ")


# --- commands ------------------------------------------------------------------------------------------------


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(each) for each in arguments])
    out = capsys.readouterr()
    return code, out.out, out.err


def test_rates_command(crm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "rates.yaml"
    code, text, _ = run(capsys, "rates", crm, "--as-of", "2025-06-30", "--json", "--out", out)
    assert code == 0
    answer = json.loads(text)
    assert answer["as_of"] == "2025-06-30"
    first = answer["transitions"][0]
    assert (first["from"], first["to"], first["segment"], first["source"]) == ("lead", "won", "all", "all")
    assert first["rate_low"] < first["rate"] < first["rate_high"]
    assert first["rate"] == pytest.approx(0.3, abs=0.05)
    blocks = YAML(typ="safe").load(out.read_text(encoding="utf-8"))["transitions"]
    rates = [Transition.model_validate(block).rate for block in blocks]
    assert rates == pytest.approx([each["rate"] for each in answer["transitions"]], rel=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == ["rates.yaml"]
    assert "Rates as of 2025-06-30" in run(capsys, "rates", crm, "--as-of", "2025-06-30")[1]


def test_rates_make_the_folder_they_are_written_to(
    crm: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "missing" / "rates.yaml"
    code, text, _ = run(capsys, "rates", crm, "--out", out)
    assert (code, out.is_file()) == (0, True)
    assert f"- written: {out}" in text
    code, text, error = run(capsys, "rates", crm, "--out", out.parent)
    assert (code, text) == (2, "")
    assert "is a folder; name a file in it" in error


def test_forecast_command(crm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text, error = run(capsys, "forecast", crm, "--as-of", "2025-06-30", "--months", 2, "--by", "source", "--json")
    assert (code, error) == (0, "")
    answer = json.loads(text)
    assert len(answer["from_known"]["by_month"]) == answer["months"] == 2
    assert [each["source"] for each in answer["by"]] == ["a", "b"]
    assert answer["from_known"]["arr"]["mean"] == pytest.approx(1000 * answer["from_known"]["wins"]["mean"])
    assert "to 31 Jul 2025" in run(capsys, "forecast", crm, "--as-of", "2025-06-30")[1]


def test_backtest_command(crm: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ("backtest", crm, "--from", "2025-03-31", "--to", "2025-08-31", "--every", "month", "--months", 1)
    code, text, _ = run(capsys, *given, "--json")
    assert code == 0
    assert len(json.loads(text)["origins"]) == 6
    assert "Forecast" in run(capsys, *given)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("forecast", "--months", 25), "months: got 25"),
        (("forecast", "--as-of", "2020-01-01"), "no record has entered a stage by 2020-01-01"),
        (("rates", "--as-of", "2020-01-01"), "no record has entered a stage by 2020-01-01"),
        (("backtest", "--from", "2025-06-01", "--to", "2025-01-01"), "is after --to"),
    ],
)
def test_faulty_commands_say_what_to_do(
    crm: Path, capsys: pytest.CaptureFixture[str], arguments: tuple, message: str
) -> None:
    code, text, error = run(capsys, arguments[0], crm, *arguments[1:])
    assert (code, text) == (2, "")
    assert message in error
    assert "Traceback" not in error


# --- public records ------------------------------------------------------------------------------------------


@pytest.mark.skipif(not OLIST.exists(), reason="the public Olist records are not there")
def test_olist_replayed_inside_the_april_snapshot(tmp_path: Path) -> None:
    """Month ends January to March 2018, a month ahead: the spreadsheet's error is several times as large."""
    path = tmp_path / "crm.yaml"
    path.write_text(
        f"""format: wide
files:
  leads: {{path: "{OLIST}/leads_asof_2018-04-30.csv", id: mql_id}}
  deals: {{path: "{OLIST}/closed_deals_asof_2018-04-30.csv", id: mql_id}}
stages: {{lead: leads.first_contact_date, won: deals.won_date}}
source: leads.origin
""",
        encoding="utf-8",
    )
    done = backtest(read_export(path), (date(2018, 1, 31), date(2018, 4, 30)), "month", 1)
    assert len(done.origins) == 3
    known = done.scores["from_known"]
    assert known[MODEL].wape < 0.15
    assert known["cohort_lag"].wape > 3 * known[MODEL].wape
    assert done.by_source.wape < 0.3
    assert done.better == {}
    assert set(done.scores) == {"from_known", "with_arrivals"}
