"""Exports as they come: until which day they reach, how they are written, what stands around the table, what is said.

For each kind the shared case, where the shared cases lie beside the project, and others of another shape.
"""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from revplan.crm.answer import check_crm
from revplan.crm.records import History, read_records
from revplan.ground.errors import DataError
from revplan.rates.estimates import estimate_transitions

CASES = Path(os.environ.get("REVPLAN_SHARED", Path(__file__).parents[3] / "shared")) / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not there")
TODAY = date(2026, 11, 28)
WIDE = "format: wide\nfiles: {d: {path: d.csv, id: id}}\nstages: {lead: d.created, won: d.won}\n"


def case(name: str, crm: str = "crm.yaml") -> Path:
    return CASES / name / crm


def written(folder: Path, table: str | bytes, crm: str = WIDE, name: str = "d.csv") -> Path:
    (folder / name).write_bytes(table if isinstance(table, bytes) else table.encode("utf-8"))
    (folder / "crm.yaml").write_text(crm, encoding="utf-8")
    return folder / "crm.yaml"


def checked(path: Path, **said: Any) -> dict[str, Any]:
    return check_crm(path, today=TODAY, **said)[0]


def refused(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_records(path, today=TODAY)
    return str(caught.value)


def wins(history: History) -> float:
    """The converted records of the last step, as rates count them."""
    table = estimate_transitions(history, history.as_of)
    last = table[(table["to_stage"] == history.stages[-1]) & (table["segment"] == "all") & (table["source"] == "all")]
    return float(last["conversions"].iloc[0])


def deals(created: pd.DatetimeIndex, lag: int, share: int = 2, until: str = "2030-01-01") -> str:
    """A table of deals of which every `share`th is won after `lag` days, as far as known on `until`."""
    rows = ["id,created,won"]
    for number, day in enumerate(created):
        won = day + pd.Timedelta(days=lag + number % 5)
        known = number % share == 0 and won <= pd.Timestamp(until)
        rows.append(f"{number},{day:%Y-%m-%d},{f'{won:%Y-%m-%d}' if known else ''}")
    return "\n".join(rows) + "\n"


# --- today ----------------------------------------------------------------------------------------------------


@needs_cases
@pytest.mark.parametrize(
    ("name", "as_of", "won"),
    [
        ("reports_05a_salesforce_currency", "2026-03-26", 20),
        ("reports_07_fivetran_history_mode", "2026-03-27", 30),
        ("reports_10b_total_row", "2026-03-27", 20),
    ],
)
def test_a_list_of_one_months_deals_keeps_its_wins(name: str, as_of: str, won: int) -> None:
    history = read_records(case(name), today=TODAY)
    assert str(history.as_of) == as_of
    assert wins(history) == won
    assert [note[:30] for note in history.notes] == ["No new record since 27 Jan 202"]


@needs_cases
def test_leads_that_end_before_their_outcomes() -> None:
    history = read_records(case("records_09_leads_export_ends_before_outcomes"), today=TODAY)
    assert str(history.as_of) == "2026-06-30"
    assert history.notes[0].startswith("No new record since 30 Jun 2026, though others go on to 5 Aug 2026")


@pytest.mark.parametrize(
    ("created", "lag", "as_of"),
    [
        (pd.date_range("2026-03-01", "2026-03-31").repeat(5), 45, "2026-05-19"),  # a cohort of 155
        (pd.date_range("2026-01-05", periods=45, freq="2D"), 60, "2026-06-06"),  # 45 deals in 90 days
        (pd.date_range("2025-01-01", "2025-12-31").repeat(3), 20, "2025-12-31"),  # a flow that broke off
        (
            pd.date_range("2025-01-01", periods=14, freq="28D").repeat(12),
            40,
            "2026-02-13",
        ),  # a list a month: no silence
    ],
)
def test_only_a_steady_flow_breaks_off(tmp_path: Path, created: pd.DatetimeIndex, lag: int, as_of: str) -> None:
    history = read_records(written(tmp_path, deals(created, lag)), today=TODAY)
    assert str(history.as_of) == as_of


def test_a_date_after_today_never_says_how_far_records_reach_and_is_told_first(tmp_path: Path) -> None:
    table = deals(pd.date_range("2026-01-01", "2026-10-31"), 10, until="2026-11-20") + "x,2026-12-24,2027-03-01\n"
    path = written(tmp_path, table)
    history = read_records(path, today=TODAY)
    assert str(history.as_of) < "2026-11-21"
    said = "2 dates lie after today, 28 Nov 2026, the last on 1 Mar 2027 (won of record x): left out; correct them in the CRM."
    assert history.notes[0] == said
    answer, text = check_crm(path, today=TODAY)
    assert answer["notes"][0] == said
    assert text.startswith(said)


def test_a_clock_that_runs_years_behind_is_not_believed(tmp_path: Path) -> None:
    path = written(tmp_path, deals(pd.date_range("2026-01-01", "2026-10-31"), 10, until="2026-10-31"))
    history = read_records(path, today=date(2019, 1, 1))
    assert str(history.as_of) == "2026-10-31"


@pytest.mark.parametrize("size", [30, 400])
def test_a_lone_day_of_another_year_is_not_the_day_of_the_export(tmp_path: Path, size: int) -> None:
    created = pd.date_range("2024-01-01", periods=size)
    table = deals(created, 10, until=str(created[-1])[:10]) + "x,2026-01-05,\n"
    assert read_records(written(tmp_path, table), today=TODAY).as_of == created[-1].date()


def test_a_hole_of_months_is_told(tmp_path: Path) -> None:
    created = pd.date_range("2025-01-01", "2026-06-30").repeat(2)
    created = created[(created < "2025-07-01") | (created >= "2025-10-01")]
    (note,) = read_records(written(tmp_path, deals(created, 5, until="2026-06-30")), today=TODAY).notes
    assert note.startswith(
        "No new record between 30 Jun 2025 and 1 Oct 2025, 93 days in which about 186 were to be expected"
    )


def test_a_quiet_summer_is_no_hole(tmp_path: Path) -> None:
    created = pd.date_range("2025-01-01", "2026-06-30", freq="6D")
    created = created[(created < "2025-07-15") | (created >= "2025-08-20")]
    assert read_records(written(tmp_path, deals(created, 5, until="2026-06-30")), today=TODAY).notes == ()


def test_a_later_stage_that_fell_silent_is_named_with_its_day(tmp_path: Path) -> None:
    rows = ["id,created,sql,won"]
    for number, day in enumerate(pd.date_range("2025-06-01", "2026-06-30").repeat(2)):
        sql = day + pd.Timedelta(days=3)
        filled = sql < pd.Timestamp("2026-04-15")
        won = day + pd.Timedelta(days=20) if number % 4 == 0 else None
        rows.append(f"{number},{day:%Y-%m-%d},{f'{sql:%Y-%m-%d}' if filled else ''},{f'{won:%Y-%m-%d}' if won else ''}")
    crm = WIDE.replace("won: d.won", "sql: d.sql, won: d.won")
    notes = read_records(written(tmp_path, "\n".join(rows) + "\n", crm), date(2026, 6, 30), TODAY).notes
    assert notes[0].startswith("No new sql since 14 Apr 2026, 77 days before 30 Jun 2026, where about")
    assert "though lead goes on" in notes[0]


@pytest.mark.parametrize(("wrong", "right"), [("2027-02-03", "2026-02-03"), ("2025-02-03", "2026-02-03")])
def test_a_day_a_year_off_is_named(tmp_path: Path, wrong: str, right: str) -> None:
    table = deals(pd.date_range("2026-01-01", "2026-05-31"), 20, share=1, until="2026-05-31")
    row = f"x,2026-01-20,{right}\n"
    assert read_records(written(tmp_path, table + row), date(2026, 5, 31), date(2027, 6, 1)).notes == ()
    notes = read_records(
        written(tmp_path, table + row.replace(right, wrong)), date(2027, 5, 31), date(2027, 6, 1)
    ).notes
    assert any(
        f"1 record looks a year off between lead and won, such as x with 2026-01-20 and {wrong}" in each
        for each in notes
    )


def test_sales_that_take_years_are_not_a_year_off(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    rows = [
        f"{n},2022-01-{n % 28 + 1:02d},{pd.Timestamp('2022-02-01') + pd.Timedelta(days=int(rng.integers(0, 900))):%Y-%m-%d}"
        for n in range(200)
    ]
    notes = read_records(written(tmp_path, "id,created,won\n" + "\n".join(rows) + "\n"), today=TODAY).notes
    assert not any("year off" in note for note in notes)
