"""Exports as they come: until which day they reach, how they are written, what stands around the table, what is said.

For each kind the shared case, where the shared cases lie beside the project, and others of another shape.
"""

from __future__ import annotations

import csv
import io
import json
import os
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import openpyxl
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revplan.cli import main
from revplan.cli.answers import estimates
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
    assert history.notes[0].endswith("92 (36 days; another as-of day counts them).")


def test_check_says_what_rates_count(tmp_path: Path) -> None:
    """Leads to the end of June, outcomes to August: the count of rates stands beside that of all the files know."""
    created = pd.date_range("2025-01-01", "2025-06-30").repeat(3)
    won = pd.Series(created + pd.Timedelta(days=40)).where(np.arange(len(created)) % 4 == 0)
    frame = pd.DataFrame({"id": range(len(created)), "created": created, "won": won})
    frame.to_csv(tmp_path / "leads.csv", index=False)
    crm = tmp_path / "crm.yaml"
    crm.write_text(
        "format: wide\nfiles: {d: {path: leads.csv, id: id}}\nstages: {lead: d.created, won: d.won}\n", "utf-8"
    )
    found, text = check_crm(crm, today=TODAY)
    rates, _ = estimates(crm, None, None)
    assert found["as_of"] == rates["as_of"] == "2025-06-30"
    usual, conversions = found["counts_as_of"]["entered"]["won"], rates["transitions"][0]["conversions"]
    assert usual == conversions == (won <= "2025-06-30").sum()
    assert found["entered"]["won"] == won.notna().sum()
    both = f"won {won.notna().sum()}; open {won.isna().sum()}, lost 0. Rates and forecasts count to 30 Jun 2025"
    assert [both in note and f"won {usual}; open {543 - usual}, lost 0" in note for note in found["notes"]].count(
        True
    ) == 1
    assert text.count("Rates and forecasts count to") == 1
    told, _ = check_crm(crm, date(2025, 8, 9), today=TODAY)
    assert told["entered"] == found["entered"]
    assert "counts_as_of" not in told


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


def test_a_list_of_six_weeks_with_a_late_win_is_no_flow_that_broke_off(tmp_path: Path) -> None:
    table = deals(pd.date_range("2026-03-01", "2026-04-09").repeat(4), 12) + "x,2026-03-05,2026-05-10\n"
    assert str(read_records(written(tmp_path, table), today=TODAY).as_of) == "2026-05-10"


def test_outcomes_that_were_all_entered_after_the_flow_are_kept(tmp_path: Path) -> None:
    rows = [
        f"{n},{day:%Y-%m-%d},2025-12-{n % 25 + 1:02d}"
        for n, day in enumerate(pd.date_range("2025-01-01", periods=300).repeat(2))
    ]
    history = read_records(written(tmp_path, "id,created,won\n" + "\n".join(rows) + "\n"), today=TODAY)
    assert (str(history.as_of), wins(history)) == ("2025-12-25", 600)


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


# --- how it is written ----------------------------------------------------------------------------------------

MONEY = WIDE + "amount: d.amount\n"
SOURCED = WIDE + "source: d.source\n"


@needs_cases
def test_one_stray_byte_in_a_file() -> None:
    history = read_records(case("reports_17f_mixed_enc"), today=TODAY)
    assert {"Café", "Münster"} <= set(history.records["source"])
    assert any(
        "bytes that are no text in utf-8, read as cp1252" in line and "line 32: 0xfc as ü" in line
        for line in history.reading
    )


@needs_cases
@pytest.mark.parametrize(("decimal", "won"), [(",", 141_200), (".", 7_733.6)])
def test_thousands_or_fractions_of_a_tab_separated_file_are_asked_about(
    tmp_path: Path, decimal: str, won: float
) -> None:
    path = case("reports_18a_tab_thousands_point")
    said = refused(path)
    assert "'1.200' can be thousands or a fraction" in said
    line = f'decimal: {{l.amount: "{decimal}"}}'
    assert line in said
    written(tmp_path, (path.parent / "l.csv").read_bytes(), path.read_text() + line + "\n", "l.csv")
    assert checked(tmp_path / "crm.yaml")["amount_won"] == pytest.approx(won)


@needs_cases
@pytest.mark.parametrize(
    ("name", "entered", "won"),
    [
        ("reports_18e_swiss", 8, 9604.0),
        ("records_20_epoch_and_serial", 20, None),
        ("records_11_date_and_time_in_one_file", 30, None),
    ],
)
def test_amounts_of_the_swiss_and_days_that_are_numbers(name: str, entered: int, won: float | None) -> None:
    answer = checked(case(name))
    assert answer["entered"]["won"] == entered
    assert answer["amount_won"] == (won if won is None else pytest.approx(won))


@needs_cases
@pytest.mark.parametrize(
    ("zone", "days"),
    [("America/Los_Angeles", {"2026-03-31": 20, "2026-04-14": 10}), ("", {"2026-04-01": 20, "2026-04-15": 10})],
)
def test_a_win_late_on_the_last_day_of_the_quarter(tmp_path: Path, zone: str, days: dict[str, int]) -> None:
    path = case("reports_06_timezone")
    said = f"timezone: {zone}\n" if zone else ""
    history = read_records(
        written(tmp_path, (path.parent / "l.csv").read_bytes(), path.read_text() + said, "l.csv"), today=TODAY
    )
    won = history.stage_history[history.stage_history["stage"] == "won"]["entered_on"].dt.strftime("%Y-%m-%d")
    assert won.value_counts().to_dict() == days
    told = [
        line
        for line in history.reading
        if "on another day would be 30 in America/Los_Angeles, 0 in Europe/Berlin" in line
    ]
    assert bool(told) == (not zone)


@pytest.mark.parametrize(
    ("zone", "days"),
    [
        ("America/New_York", ["2026-03-08", "2026-03-08", "2026-03-09"]),
        ("Europe/Berlin", ["2026-03-08", "2026-03-09", "2026-03-09"]),
    ],
)
def test_moments_on_the_day_the_clocks_change(tmp_path: Path, zone: str, days: list[str]) -> None:
    """New York goes from 05:00 to 04:00 behind UTC on 8 March; a date without a time stays."""
    table = "id,created,won\n1,2026-03-08T06:30:00Z,\n2,2026-03-09T03:30:00Z,\n3,2026-03-09,\n"
    history = read_records(written(tmp_path, table, WIDE + f"timezone: {zone}\n"), today=TODAY)
    assert history.stage_history["entered_on"].dt.strftime("%Y-%m-%d").tolist() == days


THOUSANDS = {"1.234,50": 1234.5, "1,234.50": 1234.5, "1'234.50": 1234.5, "1’234.50": 1234.5, "1\u202f234,50": 1234.5, "1 234,50 €": 1234.5,
             "12,34,567.00": 1_234_567, "(1,234.00)": -1234, "1,234.00-": -1234, "-$1,234.00": -1234, "USD 1,234.00": 1234, "1.234.567": 1_234_567}  # fmt: skip


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-8-sig"])
@pytest.mark.parametrize("text", THOUSANDS)
def test_amounts_with_one_meaning_are_read_whatever_the_file(
    tmp_path: Path, text: str, encoding: str, separator: str
) -> None:
    rows = [["id", "created", "won", "amount"], *([str(n), "2026-01-01", "2026-02-01", f'"{text}"'] for n in range(3))]
    table = "\n".join(separator.join(row) for row in rows).encode(encoding)
    assert checked(written(tmp_path, table, MONEY))["amount_won"] == pytest.approx(3 * THOUSANDS[text])


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_amounts_with_two_meanings_are_asked_about_whatever_the_file(tmp_path: Path, separator: str) -> None:
    rows = [
        ["id", "created", "won", "amount"],
        *([str(n), "2026-01-01", "2026-02-01", each] for n, each in enumerate(["1.200", "12.500"])),
    ]
    path = written(tmp_path, "\n".join(separator.join(row) for row in rows), MONEY)
    said = refused(path)
    for line in ('decimal: {d.amount: ","}', 'decimal: {d.amount: "."}'):
        assert line in said
    path.write_text(MONEY + 'decimal: {d.amount: ","}\n')
    assert checked(path)["amount_won"] == pytest.approx(13_700)


def test_text_cells_of_excel_are_asked_about_too(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    for row in (
        ["id", "created", "won", "amount"],
        ["1", date(2026, 1, 1), date(2026, 2, 1), "1.200"],
        ["2", date(2026, 1, 1), "2026-02-01", "12.500"],
    ):
        workbook.active.append(row)
    workbook.save(tmp_path / "d.csv")
    (tmp_path / "crm.yaml").write_text(MONEY)
    assert "'1.200' can be thousands or a fraction" in refused(tmp_path / "crm.yaml")


def test_real_days_beside_text_in_excel(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    workbook.active.append(["id", "created", "won"])
    for number in range(12):
        text = number % 2 == 0
        workbook.active.append(
            [
                str(number),
                f"{number + 1}/25/2026" if text else date(2026, number + 1, 25),
                46357 if number else "12/1/2026",
            ]
        )
    workbook.save(tmp_path / "d.csv")
    path = tmp_path / "crm.yaml"
    path.write_text(WIDE)
    assert 'date_format: {d.created: "%m/%d/%Y"}' in refused(path)
    path.write_text(WIDE + 'date_format: {d.created: "%m/%d/%Y", d.won: "%m/%d/%Y"}\n')
    assert "'46357' is not a date" in refused(path)  # a number beside text is no day by itself
    workbook.active["C2"] = date(2026, 12, 1)
    workbook.save(tmp_path / "d.csv")
    path.write_text(WIDE + 'date_format: {d.created: "%m/%d/%Y"}\n')
    history = read_records(path, date(2026, 12, 31), date(2027, 1, 31))
    created = history.stage_history[history.stage_history["stage"] == "lead"]["entered_on"]
    assert created.dt.strftime("%Y-%m-%d").tolist() == [f"2026-{month:02d}-25" for month in range(1, 13)]
    assert history.stage_history["entered_on"].max() == pd.Timestamp("2026-12-25")


@pytest.mark.parametrize("label", ["Cafe\u0301", "Ca\u200bfé", "Café\u00a0", "\ufeffCafé"])
def test_labels_that_look_the_same_are_the_same(tmp_path: Path, label: str) -> None:
    table = f"id,created,won,source\n1,2026-01-01,,Café\n2,2026-01-02,,{label}\n"
    history = read_records(written(tmp_path, table, SOURCED), today=TODAY)
    assert history.records["source"].tolist() == ["Café", "Café"]
    crm = WIDE.replace("won: d.won", "won: {at: d.won, field: d.source, is: [Café]}")
    history = read_records(written(tmp_path, table.replace(",,", ",2026-02-01,"), crm), today=TODAY)
    assert checked(tmp_path / "crm.yaml")["entered"]["won"] == 2


@pytest.mark.parametrize(
    ("texts", "day"),
    [
        (["03.04.26", "31.12.25"], "%d.%m.%y"),
        (["4/3/26", "12/31/25"], "%m/%d/%y"),
        (["03-Apr-26", "31-Dec-25"], None),
        (["3. April 2026", "31. Dez. 2025"], None),
    ],
)
def test_years_of_two_digits_and_months_by_name(tmp_path: Path, texts: list[str], day: str | None) -> None:
    path = written(tmp_path, "id,created,won\n" + "".join(f"{n},{each},\n" for n, each in enumerate(texts)))
    if day:
        line = f'date_format: {{d.created: "{day}"}}'
        assert line in refused(path)
        path.write_text(WIDE + line + "\n")
    entered = read_records(path, today=TODAY).stage_history["entered_on"].dt.strftime("%Y-%m-%d")
    assert entered.tolist() == ["2026-04-03", "2025-12-31"]


# --- what stands around the table -----------------------------------------------------------------------------


@needs_cases
@pytest.mark.parametrize("crm", ["csv.yaml", "cut.yaml", "xlsx.yaml", "trimmed.yaml"])
def test_a_report_of_salesforce(crm: str) -> None:
    answer = checked(case("records_07_salesforce_report_export", crm))
    assert answer["entered"] == {"opportunity": 40, "won": 7}
    assert (answer["lost"], answer["amount_won"]) == (22, pytest.approx(306_000))
    (read,) = answer["files"]
    aside = sum(each["count"] for each in answer["set_aside"])
    assert read["rows"] == answer["records"] + aside


@needs_cases
def test_a_total_row_with_days() -> None:
    answer = checked(case("reports_10b_total_row"))
    assert (answer["records"], answer["entered"]["won"], answer["lost"]) == (40, 20, 20)
    assert {"why": "opps: rows of totals", "count": 2, "example": "line 42: Total  40,000.00"} in answer["set_aside"]


REPORTS = {
    "groups with their count": "Stage,Id,Created,Won,Amount\nWon (2),,,,\n,1,2026-01-01,2026-02-01,5\n,2,2026-01-02,2026-02-02,6\n"
    "Open (1),,,,\n,3,2026-01-03,,7\nTotal (3),,,,18\n",
    "groups that say their field": "Id,Created,Won,Amount,Owner\nStage: Won,,,,\n1,2026-01-01,2026-02-01,5,A\n2,2026-01-02,2026-02-02,6,B\n"
    "Stage: Open,,,,\n3,2026-01-03,,7,A\nGrand Total,,,18,\n",
    "a header on every page": "Id,Created,Won,Amount\n1,2026-01-01,2026-02-01,5\n2,2026-01-02,2026-02-02,6\nId,Created,Won,Amount\n3,2026-01-03,,7\n",
    "a title above and a footer below": "Deals 2026;;;\nFilter: all;;;\n;;;\nId;Created;Won;Amount\n1;2026-01-01;2026-02-01;5\n2;2026-01-02;2026-02-02;6\n"
    "3;2026-01-03;;7\n;;;\nCopyright;;;\n",
    "totals in other words": "Id|Created|Won|Amount\n1|2026-01-01|2026-02-01|5\n2|2026-01-02|2026-02-02|6\nZwischensumme|||11\n3|2026-01-03||7\nGesamt||--|18\nAnzahl|--|--|3\n",
}  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
def test_what_stands_around_a_table_is_no_record_and_counted(tmp_path: Path, name: str) -> None:
    crm = "format: wide\nfiles: {d: {path: d.csv, id: Id}}\nstages: {lead: d.Created, won: d.Won}\namount: d.Amount\n"
    answer = checked(written(tmp_path, REPORTS[name], crm))
    assert (answer["records"], answer["entered"]["won"], answer["amount_won"]) == (3, 2, pytest.approx(11))
    (read,) = answer["files"]
    assert read["rows"] == 3 + sum(each["count"] for each in answer["set_aside"])


def test_labels_of_groups_are_given_to_their_rows(tmp_path: Path) -> None:
    crm = "format: wide\nfiles: {d: {path: d.csv, id: Id}}\nstages: {lead: d.Created, won: d.Won}\nsource: d.Stage\n"
    history = read_records(written(tmp_path, REPORTS["groups with their count"], crm), today=TODAY)
    assert history.records["source"].tolist() == ["Won", "Won", "Open"]


@pytest.mark.parametrize("company", ["Total Energies", "Sum Up Ltd", "Count Basie"])
def test_a_company_that_begins_like_a_total_is_a_record_at_the_end_too(tmp_path: Path, company: str) -> None:
    crm = WIDE.replace("id: id", "id: company")
    answer = checked(
        written(tmp_path, f"company,created,won,amount\nA,2026-01-01,,5\n{company},2026-01-02,2026-02-01,6\n", crm)
    )
    assert answer["records"] == 2
    assert answer["set_aside"] == []


# --- nothing of the writing matters ---------------------------------------------------------------------------

ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "cp1252"]
DATES = ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d %b %Y", "%Y/%m/%d", "excel_serial", "epoch_ms"]


def as_written(day: pd.Timestamp | None, how: str) -> str:
    if day is None:
        return ""
    if how == "excel_serial":
        return str((day - pd.Timestamp("1899-12-30")).days)
    return str(int(day.timestamp() * 1000)) if how == "epoch_ms" else day.strftime(how)


@settings(deadline=None, max_examples=25)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 300),
            st.none() | st.integers(0, 90),
            st.sampled_from(["Café", "Web", "Zürich"]),
            st.integers(0, 99_999),
        ),
        min_size=1,
        max_size=25,
    ),
    order=st.randoms(use_true_random=False),
    encoding=st.sampled_from(ENCODINGS),
    separator=st.sampled_from(",;\t|"),
    dates=st.sampled_from(DATES),
    comma=st.booleans(),
)
def test_encoding_separator_writing_and_order_change_nothing(
    rows: list[tuple], order: Any, encoding: str, separator: str, dates: str, comma: bool
) -> None:
    """The same records, written otherwise, are the same counts."""
    start = pd.Timestamp("2025-01-01")
    records = [
        {
            "id": str(number),
            "created": start + pd.Timedelta(days=created),
            "won": None if lag is None else start + pd.Timedelta(days=created + lag),
            "source": source,
            "amount": cents / 100,
        }
        for number, (created, lag, source, cents) in enumerate(rows)
    ]
    declared = f'date_format: "{dates}"\n' if dates in ("%d.%m.%Y", "%m/%d/%Y") else ""
    plain_crm = WIDE + "source: d.source\namount: d.amount\n"

    def counts(shuffled: bool, encoding: str, separator: str, dates: str, comma: bool, crm: str) -> dict[str, Any]:
        columns = ["id", "created", "won", "source", "amount"]
        table = list(records)
        if shuffled:
            order.shuffle(columns)
            order.shuffle(table)
        text = io.StringIO()
        writer = csv.writer(text, delimiter=separator, lineterminator="\r\n" if shuffled else "\n")
        writer.writerow(columns)
        for record in table:
            cells = {**record, "created": as_written(record["created"], dates), "won": as_written(record["won"], dates)}
            cells["amount"] = f"{record['amount']:.2f}".replace(".", "," if comma else ".")
            writer.writerow([cells[column] for column in columns])
        with TemporaryDirectory() as folder:
            answer = checked(written(Path(folder), text.getvalue().encode(encoding), crm))
            history = read_records(Path(folder) / "crm.yaml", today=TODAY)
        by_source = history.stage_history.groupby(["source", "stage"]).size().to_dict()
        figures = {key: answer[key] for key in ("as_of", "records", "entered", "open", "lost", "amount_won")}
        return {**figures, "by_source": by_source}

    crm = plain_crm + declared + ('decimal: ","\n' if comma else "")
    base = counts(False, "utf-8", ",", "%Y-%m-%d", False, plain_crm)
    other = counts(True, encoding, separator, dates, comma, crm)
    assert other.pop("amount_won") == pytest.approx(base.pop("amount_won"))
    assert other == base
    assert base["entered"]["lead"] == len(records)


# --- what is said ---------------------------------------------------------------------------------------------


def lived(until: str) -> str:
    """Two years of deals with a date far ahead, and an amount with a decimal comma."""
    rows = deals(pd.date_range("2022-01-01", "2024-10-31").repeat(2), 20, 3, until).splitlines()
    return (
        "\n".join([f"{rows[0]},amount", *(f'{row},"12,5"' for row in rows[1:]), 'x,2024-10-01,2095-03-01,"7,5"']) + "\n"
    )


@pytest.mark.parametrize(
    "command",
    [
        ["rates"],
        ["forecast", "--months", "2"],
        ["backtest", "--from", "2023-07-01", "--to", "2024-04-01", "--every", "quarter", "--months", "2"],
    ],
)
def test_rates_forecast_and_backtest_carry_what_changes_how_to_read_them(
    tmp_path: Path, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, lived("2024-10-31"), MONEY)
    assert main([command[0], str(path), *command[1:], "--json"]) == 0
    notes = json.loads(capsys.readouterr().out)["notes"]
    assert "1 date lies after today" in notes[0]
    assert "won of record x" in notes[0]
    assert "d.csv, amount: amounts with a decimal comma, the only reading left: 2,071 (12,5)." in notes
    assert main([command[0], str(path), *command[1:]]) == 0
    said = capsys.readouterr().out
    assert said.lstrip().startswith("1 date lies after today")
    assert said.count("lies after today") == 1
    assert "amounts with a decimal comma" in said


def test_the_same_counts_stand_in_both_places(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, lived("2024-10-31"), MONEY)
    answer = checked(path)
    assert main(["rates", str(path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    (step,) = [row for row in told["transitions"] if row["segment"] == row["source"] == "all"]
    assert (told["as_of"], step["conversions"]) == (answer["as_of"], answer["entered"]["won"])


def test_all_faults_of_all_columns_come_in_one_pass_with_the_lines_to_paste(tmp_path: Path) -> None:
    table = "id,created,won,amount\n1,31.03.2026,1/30/2026,1.200\n2,01.04.2026,2/3/2026,12.500\n"
    said = refused(written(tmp_path, table, MONEY))
    lines = ['date_format: {d.created: "%d.%m.%Y"}', 'date_format: {d.won: "%m/%d/%Y"}', 'decimal: {d.amount: ","}']
    assert [line for line in lines if line not in said] == []
    crm = MONEY + 'date_format: {d.created: "%d.%m.%Y", d.won: "%m/%d/%Y"}\ndecimal: {d.amount: ","}\n'
    assert checked(written(tmp_path, table, crm))["records"] == 2
