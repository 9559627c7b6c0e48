"""Exports as CRMs really give them: each kind once as it was found, and in other shapes made here, with what is right."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from revplan.crm.answer import check_crm
from revplan.crm.records import read_records
from revplan.ground.errors import DataError
from revplan.rates.estimates import estimate_transitions

SHARED = next(
    (each / "shared" / "cases" for each in Path(__file__).parents if (each / "shared" / "cases").is_dir()), None
)
shared = pytest.mark.skipif(SHARED is None, reason="the shared cases are not there")


def case(folder: Path, name: str) -> Path:
    """A copy of a shared case, to write in."""
    return Path(shutil.copytree(SHARED / name, folder / name, copy_function=shutil.copyfile))


def counts(crm: Path) -> dict[str, Any]:
    """What `revplan check --json` says of a CRM file."""
    return check_crm(crm)[0]


def refused(crm: Path) -> str:
    """The faults of a CRM file, a line each."""
    with pytest.raises(DataError) as error:
        check_crm(crm)
    return "\n".join(f"{each.place}: {each.message}" for each in error.value.faults)


def written(folder: Path, crm: str, **files: str) -> Path:
    """A CRM file beside its exports, each called as its keyword."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "crm.yaml").write_text(crm, encoding="utf-8")
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder / "crm.yaml"


def also(crm: Path, *lines: str) -> Path:
    """`crm` with lines added."""
    crm.write_text("\n".join([crm.read_text(encoding="utf-8").rstrip(), *lines, ""]), encoding="utf-8")
    return crm


def rate(crm: Path, start: str, end: str, as_of: date | None = None) -> float:
    """The rate of a step over all records."""
    history = read_records(crm, as_of)
    table = estimate_transitions(history, history.as_of)
    rows = table[(table["from_stage"] == start) & (table["to_stage"] == end)]
    return float(rows.loc[(rows["segment"] == "all") & (rows["source"] == "all"), "rate"].iloc[0])


def day(number: int) -> str:
    """The day `number` days after the first of 2024."""
    return str(date.fromordinal(date(2024, 1, 1).toordinal() + number))


# --- the cases ----------------------------------------------------------------------------------------------


@shared
@pytest.mark.parametrize("name", ["history.yaml", "wide.yaml"])
def test_records_01_won_then_lost(tmp_path: Path, name: str) -> None:
    found = counts(case(tmp_path, "records_01_won_then_lost") / name)
    assert (found["entered"]["won"], found["lost"], found["open"]) == (10, 10, 20)
    assert any("won and later lost or reopened" in note and ": 10" in note for note in found["notes"])


@shared
def test_records_02_recorded_losses_bound_the_rate(tmp_path: Path) -> None:
    crm = case(tmp_path, "records_02_rate_100_despite_losses") / "crm.yaml"
    assert 0.60 <= rate(crm, "opportunity", "won") <= 0.75
    found = counts(crm)
    assert (found["entered"]["won"], found["lost"], found["open"]) == (360, 140, 400)


@shared
def test_records_04_two_pipelines(tmp_path: Path) -> None:
    crm = case(tmp_path, "records_04_two_pipelines") / "crm.yaml"
    asked = refused(crm)
    assert "Renewals Pipeline 60" in asked
    assert "Sales Pipeline 60" in asked
    assert "only: {deals.Pipeline: [Sales Pipeline]}" in asked
    found = counts(also(crm, "only: {deals.Pipeline: [Sales Pipeline]}"))
    assert (found["records"], found["entered"]["customer"]) == (60, 14)


@shared
def test_records_05_bulk_import(tmp_path: Path) -> None:
    crm = case(tmp_path, "records_05_bulk_import") / "crm.yaml"
    history = read_records(crm)
    table = estimate_transitions(history, history.as_of).set_index("source")
    assert table.loc["List", "rate"] == pytest.approx(0.0043, abs=0.001)
    found = counts(crm)
    assert any(note.startswith("Bulk load: 4,000 records") for note in found["notes"])
    assert not any("recorded only from" in note for note in found["notes"])


@shared
def test_records_06_amount_of_another_file(tmp_path: Path) -> None:
    assert "line 9, amount: 'deals.amount'" in refused(case(tmp_path, "records_06_keyerror_other_file") / "crm.yaml")


@shared
@pytest.mark.parametrize("name", ["csv.yaml", "cut.yaml", "trimmed.yaml", "xlsx.yaml"])
def test_records_07_salesforce_report(tmp_path: Path, name: str) -> None:
    found = counts(case(tmp_path, "records_07_salesforce_report_export") / name)
    assert (found["records"], found["entered"]["won"], found["lost"], found["amount_won"]) == (40, 7, 22, 306_000.0)
    assert found["files"][0]["rows"] == 40 + sum(each["count"] for each in found["set_aside"])


@shared
def test_records_10_booleans(tmp_path: Path) -> None:
    found = counts(case(tmp_path, "records_10_salesforce_booleans_1_0") / "crm.yaml")
    assert (found["entered"]["won"], found["lost"]) == (20, 40)


@shared
def test_records_13_label_no_row_has(tmp_path: Path) -> None:
    asked = refused(case(tmp_path, "records_13_label_no_row_has") / "crm.yaml")
    assert "no row is 'Discovery'" in asked
    assert "Needs Analysis" in asked


@shared
def test_records_15_line_items(tmp_path: Path) -> None:
    crm = case(tmp_path, "records_15_line_items") / "crm.yaml"
    asked = refused(crm)
    assert "amount: {column: d.amount, of: lines}" in asked
    assert "39" in asked
    text = crm.read_text(encoding="utf-8").replace("amount: d.amount", "amount: {column: d.amount, of: lines}")
    crm.write_text(text, encoding="utf-8")
    found = counts(crm)
    rows = [line.split(",") for line in (crm.parent / "opps.csv").read_text(encoding="utf-8").splitlines()[1:]]
    assert found["records"] == 40
    assert found["amount_won"] == pytest.approx(sum(float(row[4]) for row in rows if row[3]))
    assert found["set_aside"] == []


@shared
def test_records_16_stage_moved_back(tmp_path: Path) -> None:
    history = read_records(case(tmp_path, "records_16_stage_moved_back") / "crm.yaml")
    table = history.stage_history
    first = table[table["record"] == "O0"].set_index("stage")["entered_on"].dt.strftime("%Y-%m-%d")
    assert first.to_dict() == {"qualify": "2024-01-01", "propose": "2024-01-01"}


@shared
def test_records_18_closed_without_a_day(tmp_path: Path) -> None:
    crm = case(tmp_path, "records_18_won_without_day") / "crm.yaml"
    found = counts(crm)
    assert (found["entered"]["customer"], found["lost"], found["closed_without_day"], found["open"]) == (15, 15, 10, 20)
    assert sum("without a day: 5" in note for note in found["notes"]) == 2
    history = read_records(crm)
    assert rate(crm, "opportunity", "customer") < 0.5
    assert len(history.records) == 60


@shared
def test_reports_05a_converted_amounts(tmp_path: Path) -> None:
    found = counts(case(tmp_path, "reports_05a_salesforce_currency") / "crm.yaml")
    assert (found["amount_won"], found["entered"]["won"]) == (200_000.0, 20)


@shared
def test_reports_07_history_mode(tmp_path: Path) -> None:
    found = counts(case(tmp_path, "reports_07_fivetran_history_mode") / "crm.yaml")
    assert (found["records"], found["entered"]["won"], found["lost"]) == (60, 30, 30)
    assert found["amount_won"] == 270_000.0


@shared
def test_reports_14b_merged_records(tmp_path: Path) -> None:
    crm = case(tmp_path, "reports_14b_calculated_merged_vids") / "crm.yaml"
    found = counts(crm)
    assert (found["records"], found["entered"]) == (60, {"lead": 60, "mql": 30})
    assert [each["count"] for each in found["set_aside"] if "merged into another" in each["why"]] == [10]


@shared
def test_reports_15b_two_leads_of_one_deal(tmp_path: Path) -> None:
    found = counts(case(tmp_path, "reports_15b_sf_two_leads_one_opp") / "crm.yaml")
    assert found["entered"] == {"lead": 60, "opportunity": 10, "won": 10}
    assert found["amount_won"] == 120_000.0


@shared
@pytest.mark.parametrize("part", ["a_three_sources", "b_dead_source", "c_big", "d_referral_small", "e_six"])
def test_reports_24_small_cells_are_drawn_only_so_far(tmp_path: Path, part: str) -> None:
    history = read_records(case(tmp_path, "reports_24_shrinkage") / part / "crm.yaml")
    table = estimate_transitions(history, history.as_of)
    observed = history.stage_history.groupby(["source", "stage"]).size()
    told = {"syndication": (0.0100, 0.0136), "purchased list": (0.0020, 0.0028), "paid social": (0.0, 0.0038)}
    first, second = history.stages[:2]
    for row in table[(table["source"].isin(told)) & (table["from_stage"] == first)].to_dict("records"):
        low = observed.get((row["source"], second), 0) / observed[(row["source"], first)]
        assert low * 0.8 <= row["rate"] <= max(1.6 * low, told[row["source"]][1] * 1.2)


@shared
def test_reports_44_ids_written_as_fractions(tmp_path: Path) -> None:
    found = counts(case(tmp_path, "reports_44_float_ids") / "crm.yaml")
    assert found["entered"] == {"lead": 60, "opp": 30, "won": 15}
    assert found["amount_won"] == 7_500.0


@shared
@pytest.mark.parametrize("name", ["crm.yaml", "crm_lost.yaml"])
def test_reports_45_attempts(tmp_path: Path, name: str) -> None:
    crm = case(tmp_path, "reports_45_reentry") / name
    assert any("attempts: true" in note and ": 40" in note for note in counts(crm)["notes"])
    also(crm, "attempts: true")
    found = counts(crm)
    assert (found["records"], found["entered"]["mql"], found["entered"]["won"]) == (80, 80, 20)
    history = read_records(crm, date(2026, 3, 26))
    days = history.stage_history.pivot(index="record", columns="stage", values="entered_on")
    assert (days["won"] - days["mql"]).dt.days.median() == 28


@shared
def test_open_records_count_for_less_than_one(tmp_path: Path) -> None:
    from revplan.workbook.workbook import open_workbook

    book = open_workbook(case(tmp_path, "open_record_counted_42_times") / "plan.yaml")
    table = book.pipeline
    assert (table["wins"] <= table["items"] + 1e-9).all()


@shared
def test_a_plan_in_millions(tmp_path: Path) -> None:
    from revplan.workbook.workbook import open_workbook

    assert open_workbook(case(tmp_path, "plan_in_millions") / "plan.yaml").plan.goal.new_arr == pytest.approx(1.2)
