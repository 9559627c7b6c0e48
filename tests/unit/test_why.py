"""Why a quarter differs: rate and mix by hand, Simpson's paradox named, what luck explains, reasons of loss."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revplan.cli import main
from revplan.crm.records import read_records
from revplan.tracking import why
from revplan.tracking.periods import DayRun
from revplan.tracking.quality import ALARM


def cells(**sides: tuple[float, float]) -> pd.DataFrame:
    """Entries and conversions by source."""
    return pd.DataFrame([(name, *pair) for name, pair in sides.items()], columns=["source", "entries", "conversions"])


def test_rate_and_mix_by_hand() -> None:
    """Half web at 20 %, half fairs at 10 %: 15 %. Then a quarter web at 24 %, three quarters fairs at 8 %: 12 %."""
    table = why.mix_and_rate(cells(web=(50, 10), fair=(50, 5)), cells(web=(25, 6), fair=(75, 6)))
    split = why.split_of(table)
    assert (split.before, split.after) == pytest.approx((0.15, 0.12))
    assert table.set_index("source")["rate_alone"].to_dict() == pytest.approx({"web": 0.02, "fair": -0.01})
    # (20 % - 15 %) x -25 points, and (10 % - 15 %) x +25 points.
    assert table.set_index("source")["mix_alone"].to_dict() == pytest.approx({"web": -0.0125, "fair": -0.0125})
    assert table["together"].sum() == pytest.approx(-0.015)
    assert (split.rate, split.mix) == pytest.approx((0.01 - 0.0075, -0.025 - 0.0075))
    assert not split.paradox


def test_simpsons_paradox_is_named_when_it_happens() -> None:
    before, after = cells(paid=(4000, 200), direct=(1000, 200)), cells(paid=(1000, 30), direct=(4000, 720))
    split = why.split_of(why.mix_and_rate(before, after))
    assert split.paradox
    said = why.split_words(split, "Visit to Lead")
    assert said == (
        "Visit to Lead: 8% to 15% (+7 points): every segment and source fell or stayed and the whole rose, Simpson's paradox: "
        "−2 by other rates, +9 by another mix of segments and sources."
    )
    back = why.split_words(why.split_of(why.mix_and_rate(after, before)), "Visit to Lead")
    assert "every segment and source rose or stayed and the whole fell, Simpson's paradox" in back
    newcomer = pd.concat([after, cells(fair=(10, 1))])
    told = why.split_words(why.split_of(why.mix_and_rate(before, newcomer)), "Visit to Lead")
    assert "every segment and source that is in both fell or stayed and the whole rose, Simpson's paradox" in told


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (cells(a=(100, 20), b=(100, 10)), cells(a=(100, 30), b=(100, 20))),  # all rise, and the whole with them
        (cells(a=(100, 20), b=(100, 10)), cells(a=(10, 3), b=(190, 10))),  # one rises, one falls
        (
            cells(a=(100, 20), b=(100, 10)),
            cells(a=(50, 10), b=(150, 15)),
        ),  # only the mix moves: nobody moved the other way
        (cells(a=(100, 20)), cells(a=(100, 30))),
        (
            cells(a=(100, 20), b=(100, 10)),
            cells(a=(100, 19), b=(100, 9), c=(100, 60)),
        ),  # all fall, and what is new is good
    ],
)
def test_no_paradox_is_named_where_there_is_none(before: pd.DataFrame, after: pd.DataFrame) -> None:
    split = why.split_of(why.mix_and_rate(before, after))
    assert not split.paradox
    assert "paradox" not in why.split_words(split, "A to B")


def test_a_cell_that_is_new_or_gone_is_mix() -> None:
    table = why.mix_and_rate(cells(a=(100, 20), b=(100, 10)), cells(a=(100, 20), c=(100, 5)))
    split = why.split_of(table)
    assert split.rate == pytest.approx(0)
    assert split.mix == pytest.approx(split.change) == pytest.approx(-0.025)


COUNTS = st.tuples(st.integers(0, 500), st.floats(0, 1))
SIDES = st.lists(COUNTS, min_size=4, max_size=4).filter(lambda rows: sum(number for number, _ in rows) > 0)


@settings(max_examples=200, derandomize=True, database=None)
@given(SIDES, SIDES)
def test_rate_and_mix_add_up_whatever_they_are(before: list[tuple[int, float]], after: list[tuple[int, float]]) -> None:
    sides = [
        cells(**{f"s{at}": (n, round(n * share)) for at, (n, share) in enumerate(rows)}) for rows in (before, after)
    ]
    table = why.mix_and_rate(*sides)
    split = why.split_of(table)
    whole = [side["conversions"].sum() / side["entries"].sum() for side in sides]
    assert (split.before, split.after) == pytest.approx(tuple(whole), abs=1e-12)
    assert split.rate + split.mix == pytest.approx(whole[1] - whole[0], abs=1e-12)
    written = [float(each.replace("−", "-")) for each in why.in_points(split.change, split.rate, split.mix)]
    assert written[0] == pytest.approx(written[1] + written[2], abs=1e-9)


# --- luck ----------------------------------------------------------------------------------------------------


def test_quarters_that_did_not_move_are_said_to_have_as_rarely_as_stated() -> None:
    random = np.random.default_rng(11)
    flows = conversions = 0
    for year in range(1000):
        weeks = random.poisson(random.gamma(10, 3, 26)).astype(float)  # weeks vary by more than luck
        flows += why.flow_chance(weeks, np.arange(26) >= 13, seed=year) <= ALARM
        sides = [(120.0, float(random.binomial(120, 0.3))) for _ in range(2)]
        conversions += why.conversion_chance(*sides) <= ALARM
    error = 3 * np.sqrt(1000 * ALARM * (1 - ALARM))
    assert abs(flows - 50) < error
    assert conversions < 50 + error  # Fisher's test never alarms more often than stated


def test_what_moved_is_seen() -> None:
    before = [20.0, 22, 19, 21, 20, 23, 18, 20, 21, 19, 20, 22, 21]
    weeks = np.array([*before, *(each + 10 for each in before)])
    assert why.flow_chance(weeks, np.arange(26) >= 13) <= 0.002
    assert np.isnan(why.flow_chance(weeks, np.zeros(26, dtype=bool)))
    alone = np.append(before, 500.0)  # the most there can be: luck puts a week last in one order of 14
    assert np.isnan(why.flow_chance(alone, np.arange(14) >= 13))
    assert why.flow_chance(np.append(alone, 480.0), np.arange(15) >= 13) <= 2 / 105 + 0.01
    assert why.conversion_chance((200, 80), (200, 40)) < 1e-4
    assert why.conversion_chance((0, 0), (10, 5)) == 1
    # Of the 70 tables of the same margins, 2 are as far apart as 4 of 4 and 0 of 4.
    assert why.conversion_chance((4, 4), (4, 0)) == pytest.approx(2 / 70)


# --- from records ----------------------------------------------------------------------------------------------

CRM = """\
format: wide
files: {leads: {path: leads.csv, id: id}}
stages: {lead: leads.lead, sql: leads.sql, won: leads.won}
lost: leads.lost
lost_reason: leads.reason
segment: leads.segment
source: leads.source
"""
BEFORE, AFTER = DayRun(date(2026, 1, 1), date(2026, 3, 31)), DayRun(date(2026, 4, 1), date(2026, 6, 30))


def history(folder: Path) -> Path:
    """Web converts at 1 in 2, fairs at 1 in 10; from April on most leads are of fairs."""
    rows = ["id,segment,source,lead,sql,won,lost,reason"]
    for day in range(180):
        at = np.datetime64("2026-01-01") + day
        for number in range(10):
            source = "web" if number < (8 if day < 90 else 2) else "fair"
            won = (day + number) % (2 if source == "web" else 10) == 0
            sql = str(at + 2) if won else ""
            reason = ("price" if number % 3 else "") if day % 4 else "no budget"
            lost = "" if won else str(at + 9)
            rows.append(f"{day}-{number},{'ab'[number % 2]},{source},{at},{sql},,{lost},{'' if won else reason}")
    rows.append("late,a,web,2026-07-15,,,,")
    (folder / "leads.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    (folder / "crm.yaml").write_text(CRM, encoding="utf-8")
    return folder / "crm.yaml"


TITLES = {"lead": "Lead", "sql": "SQL", "won": "Won"}


def test_quarter_on_quarter_from_records(tmp_path: Path) -> None:
    found = why.steps(read_records(history(tmp_path), date(2026, 7, 15)), BEFORE, AFTER, TITLES)
    (row,) = found.to_dict("records")  # nothing was won, so SQL to Won has no step to compare
    leads = pd.read_csv(tmp_path / "leads.csv").iloc[:-1]
    first = leads["lead"] < "2026-04-01"
    rates = [leads.loc[rows, "sql"].notna().mean() for rows in (first, ~first)]
    assert [row["rate_before"], row["rate_after"]] == pytest.approx(rates)
    assert row["change"] == pytest.approx(row["by_rate"] + row["by_mix"])
    assert abs(row["by_mix"]) > 5 * abs(row["by_rate"])
    assert row["moved"]
    assert not row["flow_moved"]  # ten a day all along
    assert [row["weekly_before"], row["weekly_after"]] == pytest.approx([70, 70], abs=1.5)
    assert row["says"].startswith("Lead to SQL: ")


def test_young_records_count_for_neither(tmp_path: Path) -> None:
    """Known only to 1 April, the leads of the last days had no time: they are no lower rate."""
    found = why.steps(read_records(history(tmp_path), date(2026, 4, 1)), DayRun(date(2026, 1, 1), date(2026, 2, 28)),
                      DayRun(date(2026, 3, 1), date(2026, 4, 1)), TITLES)  # fmt: skip
    assert not found["moved"].iloc[0]
    assert found["entries_after"].iloc[0] < 320


def test_reasons_of_loss_by_stage_and_segment(tmp_path: Path) -> None:
    found = why.loss_reasons(read_records(history(tmp_path), date(2026, 7, 15)))
    leads = pd.read_csv(tmp_path / "leads.csv")
    lost = leads[leads["lost"].notna()].fillna({"reason": "no reason given"})
    whole = found[(found["segment"] == "all") & (found["stage"] == "lead")].set_index("reason")
    assert whole["records"].to_dict() == lost["reason"].value_counts().to_dict()
    assert whole["share"].sum() == pytest.approx(1)
    assert (whole["share_low"] < whole["share"]).all()
    part = found[found["segment"] == "a"].set_index("reason")
    assert part["records"].to_dict() == lost.loc[lost["segment"] == "a", "reason"].value_counts().to_dict()


def test_without_reasons_none_are_told(tmp_path: Path) -> None:
    crm = history(tmp_path)
    crm.write_text(CRM.replace("lost_reason: leads.reason\n", ""), encoding="utf-8")
    assert why.loss_reasons(read_records(crm, date(2026, 7, 15))).empty


PLAN = """\
year: {first_month: 2026-01}
plan_date: 2026-03-01
goal: {new_arr: 1_000_000}
stages: [{id: lead}, {id: sql}, {id: won}]
commit: {stage: sql}
segments: {a: {acv: 10_000, share: 0.5}, b: {acv: 10_000, share: 0.5}}
sources: {web: {share: 0.5}, fair: {share: 0.5}}
transitions:
  - {from: lead, to: sql, rate: 0.5, lag: {months: 0}}
  - {from: sql, to: won, rate: 0.2, lag: {months: 1}}
history: {leads: crm.yaml}
"""


@pytest.mark.parametrize("day", ["2026-04-01", "2026-04-05", "2026-04-09", "2026-04-16", "2026-04-30"])
def test_a_quarter_that_has_just_begun_is_told_as_far_as_it_can_be(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], day: str
) -> None:
    """Of too few weeks nothing says whether their flow is luck: the chance is missing, and the command says the rest."""
    history(tmp_path)
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    assert main(["pace", str(tmp_path / "plan.yaml"), "--as-of", day, "--json"]) in (0, 3)
    rows = json.loads(capsys.readouterr().out)["why"]["quarter_on_quarter"]
    few = (pd.Timestamp(day) - pd.Timestamp(2026, 4, 1)).days + 1 < 14
    assert [row["flow_chance"] is None for row in rows] == [few] * len(rows)
    assert not few or not any(row["flow_moved"] for row in rows)


def test_the_command_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history(tmp_path)
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    assert main(["pace", str(tmp_path / "plan.yaml"), "--as-of", "2026-06-30", "--json"]) in (0, 3)
    told = json.loads(capsys.readouterr().out)["why"]
    assert told["after"] == {"from": "2026-04-01", "to": "2026-06-30"}
    (row,) = told["quarter_on_quarter"]
    assert row["change"] == pytest.approx(row["by_rate"] + row["by_mix"])
    assert {each["reason"] for each in told["loss_reasons"]} == {"price", "no budget", "no reason given"}
    assert main(["pace", str(tmp_path / "plan.yaml"), "--as-of", "2026-06-30"]) in (0, 3)
    text = capsys.readouterr().out
    assert "Against the quarter before 1 step of 1 moved by more than luck explains. Lead to SQL:" in text
    assert "No stage's entries a week differ from the quarter before by more than luck explains." in text
    assert "Most records are lost from Lead" in text
