"""Plan, records and actuals that do not fit each other: a fault with its cure, or said before everything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from revplan.app.game import open_game
from revplan.app.panel import Panel
from revplan.cli import main
from revplan.exhibits.annual_commit import summary
from revplan.ground.errors import RevplanError
from revplan.tracking.book import open_board
from revplan.workbook.workbook import check_plan, open_workbook

EXAMPLE = Path(__file__).parents[2] / "data" / "example"
SEGMENTS, SOURCES = ("smb", "mid"), ("web", "events")
DEALS = {"smb": 9_000, "mid": 30_000}
HEAD = "month,segment,source,new,expansion,contraction,churn,spend"


@dataclass
class Company:
    """A company whose plan, records and actuals fit; a test changes one thing."""

    folder: Path
    plan: dict[str, Any] = field(default_factory=dict)
    crm: dict[str, Any] = field(default_factory=dict)
    leads: list[dict[str, str]] = field(default_factory=list)
    actuals: list[str] | None = None

    def rows(self) -> list[list[str]]:
        """The actuals' rows as cells."""
        return [row.split(",") for row in self.actuals or []]

    def keep(self, rows: list[list[str]]) -> None:
        self.actuals = [",".join(row) for row in rows]

    def path(self) -> Path:
        """The plan file, written with all it names."""
        lines = [",".join(self.leads[0]), *(",".join(lead.values()) for lead in self.leads)]
        (self.folder / "leads.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (self.folder / "crm.yaml").write_text(json.dumps(self.crm), encoding="utf-8")
        if self.actuals is not None:
            text = "\n".join([HEAD if not self.actuals[0].startswith("month") else "", *self.actuals]).lstrip("\n")
            (self.folder / "actuals.csv").write_text(text + "\n", encoding="utf-8")
            self.plan["actuals"] = "actuals.csv"
        with (self.folder / "plan.yaml").open("w", encoding="utf-8") as file:
            YAML(typ="safe", pure=True).dump(self.plan, file)
        return self.folder / "plan.yaml"

    def faults(self) -> str:
        """Every fault of it, which opening it tells as well."""
        path = self.path()
        with pytest.raises(RevplanError) as checked:
            check_plan(path)
        with pytest.raises(RevplanError) as opened:
            open_workbook(path)
        assert {fault.message for fault in opened.value.faults} <= {fault.message for fault in checked.value.faults}
        return "\n".join(str(fault) for fault in checked.value.faults)

    def doubts(self) -> str:
        """What is doubtful about it: first in `check`, and first in the notes and the headline."""
        path = self.path()
        checked = check_plan(path)
        said = [line.removeprefix("look at this: ") for line in checked if line.startswith("look at this: ")]
        book = open_workbook(path)
        assert [line.startswith("look at this: ") for line in checked[: len(said)]] == [True] * len(said)
        assert list(book.notes[: len(said)]) == said
        assert not said or book.headline.startswith(f"Look at this first: {said[0]}")
        return "\n".join(said)

    def read(self) -> str:
        """What `check` says of how the files were read."""
        return "\n".join(check_plan(self.path()))


def known(day: date) -> str:
    """`day`, if it lies before the plan date: no record tells more."""
    return str(day) if day < date(2026, 11, 15) else ""


def lead(number: int, day: date, segment: str, source: str, wins: bool = True) -> dict[str, str]:
    """One record: every second lead is accepted after 10 days, of these every second is won after 40."""
    accepted = number % 4 < 2
    won = wins and number % 4 == 0
    return {
        "id": str(number),
        "segment": segment,
        "source": source,
        "lead": str(day),
        "sql": known(day + timedelta(10)) if accepted else "",
        "won": known(day + timedelta(50)) if won else "",
        "lost": "" if won else known(day + timedelta(60)),
        "amount": str(DEALS[segment]) if accepted else "",
    }


def records(count: int = 600, end: date = date(2026, 10, 30)) -> list[dict[str, str]]:
    """Records of the two years before `end`, evenly."""
    start = end - timedelta(720)
    return [
        lead(n, start + timedelta(720 * n // count), SEGMENTS[(n // 4) % 2], SOURCES[(n // 8) % 2])
        for n in range(count)
    ]


@pytest.fixture
def company(tmp_path: Path) -> Company:
    plan = {
        "year": {"first_month": "2027-01"},
        "plan_date": "2026-11-15",
        "goal": {"opening_arr": 4_000_000, "new_arr": 1_500_000, "churn": {"rate": 0.08}},
        "stages": [{"id": "lead"}, {"id": "sql"}, {"id": "won"}],
        "commit": {"stage": "sql"},
        "segments": {"smb": {"share": 0.4, "acv": 9_000}, "mid": {"share": 0.6, "acv": 30_000}},
        "sources": {"web": {"share": 0.7, "cost_per_entry": 100}, "events": {"share": 0.3, "cost_per_entry": 150}},
        "history": {"leads": "crm.yaml"},
    }
    crm = {
        "format": "wide",
        "files": {"leads": {"path": "leads.csv", "id": "id"}},
        "stages": {"lead": "leads.lead", "sql": "leads.sql", "won": "leads.won"},
        "lost": "leads.lost",
        "segment": "leads.segment",
        "source": "leads.source",
        "amount": "leads.amount",
    }
    made = Company(tmp_path, plan, crm, records())
    rows = [
        [
            f"2026-{month:02d}",
            segment,
            source,
            str(_won(made, f"2026-{month:02d}", segment, source)),
            "1000",
            "300",
            "900",
            "1500",
        ]
        for month in range(1, 10)
        for segment in SEGMENTS
        for source in SOURCES
    ]
    made.keep(rows)
    return made


def _won(company: Company, month: str, segment: str, source: str) -> int:
    mine = [each for each in company.leads if each["segment"] == segment and each["source"] == source]
    return sum(int(each["amount"]) for each in mine if each["won"].startswith(month))


def test_a_company_that_fits_is_not_doubted(company: Company) -> None:
    assert company.doubts() == ""


@pytest.mark.parametrize("plan", ["plan.yaml", "plan_fy26.yaml"])
def test_the_example_is_not_doubted(plan: str) -> None:
    assert open_workbook(EXAMPLE / plan).doubts == ()


def test_a_plan_date_a_year_early_is_told_first(tmp_path: Path) -> None:
    for path in EXAMPLE.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = (tmp_path / "plan.yaml").read_text(encoding="utf-8")
    (tmp_path / "plan.yaml").write_text(
        text.replace("plan_date: 2026-11-15", "plan_date: 2025-11-15"), encoding="utf-8"
    )
    assert any("is the plan date right?" in line for line in check_plan(tmp_path / "plan.yaml"))


# --- actuals by themselves ------------------------------------------------------------------------------------


def test_rows_pasted_twice_are_refused(company: Company) -> None:
    rows = company.rows()
    company.keep(rows + rows[:4])
    said = company.faults()
    assert "actuals.csv line 38: 2026-01, smb x web stands there 2 times (lines 2 and 38)" in said
    assert "the same amounts: take the copies out" in said


def test_repeats_that_differ_are_refused(company: Company) -> None:
    rows = company.rows()
    company.keep([*rows, [*rows[5][:3], "7", "0", "0", "1", "10"]])
    assert "2026-02, smb x events stands there 2 times (lines 7 and 38), with different amounts" in company.faults()


def test_rows_that_complete_each_other_are_one(company: Company) -> None:
    whole = open_workbook(company.path()).actual
    rows = company.rows()
    company.keep([[*row[:7], "0"] for row in rows] + [[*row[:3], "0", "", "0", "0", row[7]] for row in rows])
    assert company.doubts() == ""
    halves = open_workbook(company.path()).actual
    assert whole is not None
    assert halves is not None
    assert halves[["new", "churn", "spend"]].sum().tolist() == pytest.approx(
        whole[["new", "churn", "spend"]].sum().tolist()
    )


def sums(rows: list[list[str]]) -> list[str]:
    return [str(sum(int(row[at]) for row in rows)) for at in range(3, 8)]


@pytest.mark.parametrize(
    "labels",
    [
        ("Total", "", ""),
        ("2026-09", "Total", "Total"),
        ("", "", ""),
        ("Summe", "", ""),
        ("Gesamt", "alle", "alle"),
        ("Insgesamt", "", ""),
        ("Gesamtergebnis", "", ""),
        ("Somme", "", ""),
        ("TOTALE", "", ""),
        ("Grand Total", "", ""),
        ("2026", "all", "all"),
        ("合計", "", ""),
    ],
)
def test_a_total_at_the_end_is_set_aside_and_told(company: Company, labels: tuple[str, str, str]) -> None:
    rows = company.rows()
    part = [row for row in rows if row[0] == labels[0]] or rows
    company.keep([*rows, [*labels, *sums(part)]])
    assert "actuals.csv: 1 row totals others: it agrees with them and is set aside." in company.read()
    book = open_workbook(company.path())
    assert book.actual is not None
    assert book.actual["new"].sum() == pytest.approx(float(sums(rows)[0]))
    assert any("1 row totals others" in note for note in book.notes)


@pytest.mark.parametrize("label", ["2026-{m} Total", "Total"])
def test_subtotals_of_months_quarters_and_segments_are_set_aside(company: Company, label: str) -> None:
    rows, made = company.rows(), []
    for month in range(1, 10):
        mine = [row for row in rows if row[0] == f"2026-{month:02d}"]
        smb = [row for row in mine if row[1] == "smb"]
        written = label.replace("{m}", f"{month:02d}")
        made += [*mine, [mine[0][0], "smb", "Total", *sums(smb)], [written, "", "", *sums(mine)]]
        if month % 3 == 0:
            quarter = [row for row in rows if month - 3 < int(row[0][5:]) <= month]
            made.append([f"Q{month // 3} 2026", "Summe", "", *sums(quarter)])
    company.keep([*made, ["Total", "", "", *sums(rows)]])
    assert "22 rows total others" in company.read()
    book = open_workbook(company.path())
    assert book.actual is not None
    assert len(book.actual) == len(rows)


def test_a_total_that_disagrees_is_refused(company: Company) -> None:
    rows = company.rows()
    wrong = sums(rows)
    wrong[4] = str(int(wrong[4]) + 5_000)
    company.keep([*rows, ["Total", "", "", *wrong]])
    said = company.faults()
    assert (
        "actuals.csv line 38: reads as a total (Total), and its spend is 59,000 where the rows it totals give 54,000"
        in said
    )


def test_a_segment_called_total_is_a_segment(company: Company) -> None:
    company.plan["segments"] = {"Total Energies": {"share": 0.4, "acv": 9_000}, "mid": {"share": 0.6, "acv": 30_000}}
    for each in company.leads:
        each["segment"] = each["segment"].replace("smb", "Total Energies")
    company.keep([[row[0], row[1].replace("smb", "Total Energies"), *row[2:]] for row in company.rows()])
    assert "total others" not in company.read()
    assert company.doubts() == ""


def test_losses_with_a_minus_are_understood_and_told(company: Company) -> None:
    right = open_workbook(company.path()).actual
    company.keep([[*row[:5], f"-{row[5]}", f"({row[6]})", row[7]] for row in company.rows()])
    assert "contraction and churn are written with a minus sign" in company.read()
    book = open_workbook(company.path())
    assert right is not None
    assert book.actual is not None
    assert book.actual["churn"].tolist() == pytest.approx(right["churn"].tolist())
    assert any("minus sign" in note for note in book.notes)


def test_losses_of_both_signs_are_refused(company: Company) -> None:
    rows = company.rows()
    rows[3][6] = "-900"
    company.keep(rows)
    said = company.faults()
    assert "actuals.csv line 5, churn: 35 amounts are above zero and 1 below" in said
    assert "with one sign" in said


def test_new_arr_below_zero_is_told_first(company: Company) -> None:
    rows = company.rows()
    rows[3][3] = "-500"
    company.keep(rows)
    assert "actuals.csv: new has 1 amount below zero, the first in line 5" in company.doubts()


def test_a_missing_month_is_refused_with_the_line_to_paste(company: Company) -> None:
    company.keep([row for row in company.rows() if row[0] != "2026-04"])
    said = company.faults()
    assert "goes from 2026-01 to 2026-09 and has no row of 2026-04" in said
    assert "2026-04,smb,web,0,0,0,0,0" in said


def test_a_segment_missing_in_one_month_is_told_first(company: Company) -> None:
    company.keep([row for row in company.rows() if row[:2] != ["2026-05", "mid"]])
    assert "actuals.csv has no row of mid in 2026-05, and one of every other month" in company.doubts()


def test_a_cell_missing_in_one_month_is_told_first(company: Company) -> None:
    company.keep([row for row in company.rows() if row[:3] != ["2026-05", "mid", "web"]])
    assert "actuals.csv has no row of mid x web in 2026-05" in company.doubts()


def test_a_file_that_holds_only_what_moved_is_not_doubted(company: Company) -> None:
    company.keep([row for number, row in enumerate(company.rows()) if number % 3])
    assert "has no row" not in company.doubts()


def test_months_far_from_the_year_are_refused(company: Company) -> None:
    rows = company.rows()
    rows[7][0] = "2062-02"
    company.keep(rows)
    assert "actuals.csv line 9, month: 2062-02 lies years from the plan's year" in company.faults()


def test_actuals_after_the_year_are_told_first(company: Company) -> None:
    company.plan |= {"year": {"first_month": "2025-07"}, "plan_date": "2026-05-01"}
    company.plan["transitions"] = [
        {"from": "lead", "to": "sql", "rate": 0.5},
        {"from": "sql", "to": "won", "rate": 0.5},
    ]
    assert "actuals.csv goes on to Sep 2026, and the plan's year ends with Jun 2026" in company.doubts()


def test_actuals_that_begin_within_the_year_are_told_first(company: Company) -> None:
    company.plan |= {"year": {"first_month": "2026-01"}, "plan_date": "2026-11-01"}
    company.keep([row for row in company.rows() if row[0] > "2026-03"])
    assert "actuals.csv begins with Apr 2026 and the year with Jan 2026" in company.doubts()


def test_old_actuals_are_told_first(company: Company) -> None:
    company.keep([row for row in company.rows() if row[0] < "2026-04"])
    assert "actuals.csv ends with Mar 2026, 8 months before the plan date: is it the latest?" in company.doubts()


# --- actuals beside the plan and the records --------------------------------------------------------------------


def test_actuals_in_thousands_are_refused(company: Company) -> None:
    company.keep([[*row[:3], *(str(float(cell) / 1000) for cell in row[3:])] for row in company.rows()])
    said = company.faults()
    assert "actuals.csv, new: books" in said
    assert "is it in thousands?" in said


def test_actuals_in_thousands_are_refused_without_records(company: Company) -> None:
    del company.plan["history"]
    company.plan["transitions"] = [
        {"from": "lead", "to": "sql", "rate": 0.5},
        {"from": "sql", "to": "won", "rate": 0.5},
    ]
    company.keep([[*row[:3], *(str(float(cell) / 1000) for cell in row[3:])] for row in company.rows()])
    assert "(new, expansion, contraction, churn), where the plan asks for" in company.faults()


def test_a_month_in_another_unit_is_told_first(company: Company) -> None:
    rows = company.rows()
    company.keep(
        [[*row[:3], *(str(float(cell) / 1000) for cell in row[3:])] if row[0] == "2026-07" else row for row in rows]
    )
    assert "actuals.csv: 2026-07 moves" in company.doubts()


def test_spend_in_another_unit_is_told_first(company: Company) -> None:
    company.keep([[*row[:7], "1.5"] for row in company.rows()])
    assert "are both in whole USD?" in company.doubts()


def test_actuals_of_other_names_are_refused(company: Company) -> None:
    company.keep([[*row[:2], row[2].replace("web", "wbe"), *row[3:]] for row in company.rows()])
    said = company.faults()
    assert "actuals.csv, source: 18 rows are of a source the plan does not name (wbe 18)" in said
    assert "Perhaps 'wbe' is 'web'." in said


def test_a_source_written_two_ways_in_the_actuals_is_refused(company: Company) -> None:
    rows = company.rows()
    company.keep(
        [[*row[:2], row[2].replace("web", "Web"), *row[3:]] if n % 8 < 4 else row for n, row in enumerate(rows)]
    )
    assert "Perhaps 'Web' is 'web'." in company.faults()


def test_names_that_differ_in_what_cannot_be_seen_are_the_same(company: Company) -> None:
    company.plan["sources"] = {"Café": company.plan["sources"]["web"], "events": company.plan["sources"]["events"]}
    company.keep([[*row[:2], row[2].replace("web", " Cafe\u0301\u200b"), *row[3:]] for row in company.rows()])
    for each in company.leads:
        each["source"] = each["source"].replace("web", "Cafe\u0301\u00a0")
    assert company.doubts() == ""
    book = open_workbook(company.path())
    assert book.actual is not None
    assert set(book.actual["source"]) == {"Café", "events"}


def test_losses_without_a_source_are_not_doubted(company: Company) -> None:
    rows = company.rows()
    company.keep(
        [[*row[:4], "0", "0", "0", row[7]] for row in rows]
        + [[f"2026-{m:02d}", "smb", "", "0", "900", "300", "700", "0"] for m in range(1, 10)]
    )
    assert company.doubts() == ""


@pytest.mark.parametrize("how", ["sign", "column", "two"])
def test_actuals_in_another_currency_are_refused(company: Company, how: str) -> None:
    rows = company.rows()
    if how == "column":
        company.actuals = [HEAD + ",currency", *(",".join([*row, "EUR"]) for row in rows)]
    elif how == "two":
        company.actuals = [
            HEAD + ",Währung",
            *(",".join([*row, "USD" if n % 2 else "CHF"]) for n, row in enumerate(rows)),
        ]
    else:
        company.keep([[*row[:7], f"€{row[7]}"] for row in rows])
    said = company.faults()
    assert f"has amounts in {({'sign': '€', 'column': 'EUR', 'two': 'CHF'})[how]}, and the plan is in USD" in said


def test_actuals_in_the_plans_currency_are_not_doubted(company: Company) -> None:
    company.actuals = [HEAD + ",currency", *(",".join([*row[:7], f"${row[7]}", "USD"]) for row in company.rows())]
    assert company.doubts() == ""


# --- records ----------------------------------------------------------------------------------------------------


def test_rates_of_three_records_all_won_are_refused(company: Company) -> None:
    won = [each for each in company.leads if each["won"]][100:103]
    for each in company.leads:
        if each not in won:
            each.update(sql="", won="", amount="", lost=str(date.fromisoformat(each["lead"]) + timedelta(10)))
    company.actuals = None
    said = company.faults()
    assert "SQL to Won: the rate of 100% rests on 3 records, 3 of which went on" in said
    assert "- {from: sql, to: won, rate: ..., evidence: 3}" in said


def test_a_stated_rate_needs_no_records(company: Company) -> None:
    company.plan["transitions"] = [
        {"from": "lead", "to": "sql", "rate": 0.5},
        {"from": "sql", "to": "won", "rate": 0.5},
    ]
    company.leads = company.leads[-12:]
    assert "rests on" not in company.doubts()


def test_a_rate_of_a_dozen_records_is_told_first(company: Company) -> None:
    company.actuals = None
    accepted = [each for each in company.leads if each["sql"]]
    for number, each in enumerate(accepted):
        if number % 19:
            each.update(sql="", won="", amount="", lost=str(date.fromisoformat(each["lead"]) + timedelta(10)))
    said = company.doubts()
    assert "SQL to Won: the rate of" in said
    assert "may be far from the truth" in said


def test_an_export_that_ends_months_before_the_plan_is_refused(company: Company) -> None:
    company.leads = records(end=date(2026, 2, 10))
    company.actuals = None
    said = company.faults()
    assert "plan_date: the records end on" in said
    assert "so the open pipeline would count as too old" in said
    assert "Lead 8 Feb 2026" in said
    assert "plan_date: 2026-" in said


def test_an_export_that_ends_weeks_before_the_plan_is_told_first(company: Company) -> None:
    company.leads = records(end=date(2026, 8, 1))
    company.actuals = None
    assert company.doubts().startswith("The records end on 28 Sep 2026, 47 days before the plan date 15 Nov 2026")


def test_a_stage_that_falls_silent_is_told_first_with_its_day(company: Company) -> None:
    company.leads = [each for each in company.leads if each["lead"] < "2026-09-15"]
    said = company.doubts()
    assert "No record has become Lead since 14 Sep 2026, though about 25 did every 30 days before" in said
    assert "the records go on to" in said


@pytest.mark.parametrize("key", ["segment", "source"])
def test_another_companys_names_are_refused(company: Company, key: str) -> None:
    strangers = {"smb": "Kommunal", "mid": "Privat", "web": "Empfehlung", "events": "Messe"}
    for each in company.leads:
        each[key] = strangers[each[key]]
    company.actuals = None
    said = company.faults()
    assert f"crm.yaml, {key}: 600 of 600 records (100%) are of a {key} the plan does not name" in said
    assert f"names: {{{key}: {{" in said


def test_a_typo_is_refused_proposed_and_mended_by_the_line(company: Company) -> None:
    for each in company.leads:
        each["source"] = each["source"].replace("web", "Wbe")
    company.actuals = None
    said = company.faults()
    assert "304 of 600 records (50.7%) are of a source the plan does not name: Wbe 304; no record is of web" in said
    assert "names: {source: {Wbe: web}}" in said
    company.crm["names"] = {"source": {"Wbe": "web"}}
    assert company.doubts() == ""
    assert "source: renamed, as names asks: 304 ('Wbe' 304 to 'web')" in company.read()
    told = open_workbook(company.path()).beside
    assert "The CRM file gives 304 records another source than the CRM does: 'Wbe' 304 to 'web'." in told


def test_the_only_name_left_is_proposed(company: Company) -> None:
    for each in company.leads:
        each["source"] = each["source"].replace("web", "Digital")
    company.actuals = None
    assert "names: {source: {Digital: web}}" in company.faults()


def test_a_name_is_proposed_only_where_it_is_near(company: Company) -> None:
    sources = company.plan["sources"]
    company.plan["sources"] = {
        "inbound": {**sources["web"], "share": 0.4},
        "events": {**sources["events"]},
        "mail": {"share": 0.3},
    }
    for each in company.leads:
        each["source"] = each["source"].replace("web", "outbound")
    company.actuals = None
    assert "names: {source: {outbound: ...}}" in company.faults()


def test_open_records_where_the_plan_has_no_place_are_told_first(company: Company) -> None:
    company.plan["sources"]["events"]["enters"] = "sql"
    for each in company.leads[-40:]:
        each["lost"] = ""
    said = company.doubts()
    assert "where the plan has no place for them and count as 0" in said
    assert "events at Lead, which enters at SQL" in said


def test_a_few_strange_records_are_counted_and_told_first(company: Company) -> None:
    for each in company.leads[:12]:
        each["source"] = "recruiting"
    assert (
        "12 of 600 records (2%) are of a source the plan does not name: recruiting 12. They count as 0."
        in company.doubts()
    )


def test_records_without_a_segment_are_refused_above_a_few_per_cent(company: Company) -> None:
    for each in company.leads[::4]:
        each["segment"] = ""
    company.actuals = None
    said = company.faults()
    assert "none given 150" in said
    assert "names: {segment: {unknown: ...}}" in said


def test_names_can_leave_records_out(company: Company) -> None:
    for each in company.leads[:60]:
        each["source"] = "Jobs"
    company.actuals = None
    company.crm["names"] = {"source": {"Jobs": None}}
    assert company.doubts() == ""
    said = company.read()
    assert "records: set aside: of a source that names leaves out: 60 ('Jobs' 60)" in said
    assert "records: kept: 540" in said
    told = open_workbook(company.path()).beside
    assert "60 records are left out, as the CRM file asks by their names: 'Jobs' 60." in told


def test_a_name_that_no_record_has_is_refused(company: Company) -> None:
    company.crm["names"] = {"source": {"Webb": "web"}}
    assert "no record is of source 'Webb'; did you mean 'web'?" in company.faults()


# --- money of the records ---------------------------------------------------------------------------------------


def with_currency(company: Company, code: Callable[[int], str]) -> None:
    for number, each in enumerate(company.leads):
        each["CurrencyIsoCode"] = code(number)


def test_amounts_in_another_currency_are_refused(company: Company) -> None:
    with_currency(company, lambda _: "EUR")
    said = company.faults()
    assert "crm.yaml, amount: the records' amounts are in EUR and the plan in USD" in said
    assert "currency: EUR, rates: {EUR: ...}" in said


def test_amounts_with_another_sign_are_refused(company: Company) -> None:
    for each in company.leads:
        each["amount"] = each["amount"] and f"€{each['amount']}"
    assert "are in € and the plan in USD" in company.faults()


def test_a_declared_currency_is_held_against_the_plan(company: Company) -> None:
    company.crm["currency"] = "GBP"
    assert "are in GBP and the plan in USD" in company.faults()


def test_amounts_in_several_currencies_are_refused(company: Company) -> None:
    with_currency(company, lambda n: "USD" if n % 3 else "JPY")
    said = company.faults()
    assert "amounts are in several currencies (USD 200, JPY 100), which must not be added" in said
    assert "currency: leads.CurrencyIsoCode, rates: {JPY: ...}" in said


def test_given_rates_convert(company: Company) -> None:
    right = open_workbook(company.path()).pipeline
    with_currency(company, lambda n: "USD" if n % 3 else "EUR")
    for each in company.leads:
        if each["CurrencyIsoCode"] == "EUR" and each["amount"]:
            each["amount"] = str(int(each["amount"]) / 1.25)
    company.crm |= {"currency": "leads.CurrencyIsoCode", "rates": {"EUR": 1.25}}
    assert company.doubts() == ""
    assert "amount: converted, as rates asks: 100 (EUR at 1.25)" in company.read()
    book = open_workbook(company.path())
    assert "100 amounts were converted at the rates given in the CRM file: EUR at 1.25." in book.beside
    found = book.pipeline
    assert found["amount"].sum() == pytest.approx(right["amount"].sum())


@pytest.mark.parametrize(("times", "word"), [(0.001, "fault"), (12, "fault"), (1 / 12, "fault"), (4, "doubt")])
def test_deals_of_another_size(company: Company, times: float, word: str) -> None:
    for each in company.leads:
        each["amount"] = each["amount"] and str(round(int(each["amount"]) * times, 2))
    company.actuals = None
    if word == "fault":
        assert "segments.smb.acv: a deal of smb is 9,000 in the plan, and" in company.faults()
    else:
        assert "A deal of smb is 9,000 in the plan, and 36,000 on average in" in company.doubts()


def test_an_entry_that_costs_many_times_what_it_brings_is_refused(company: Company) -> None:
    company.plan["sources"]["web"]["cost_per_entry"] = 107_000
    said = company.faults()
    assert "sources.web.cost_per_entry: one Lead of web costs 107,000 USD and brings" in said


def test_an_entry_that_costs_more_than_it_brings_is_told_first(company: Company) -> None:
    company.plan["sources"]["events"]["cost_per_entry"] = 9_000
    assert "One Lead of events costs 9,000 USD and brings" in company.doubts()


# --- percentages without their sign -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "value", "cure"),
    [
        (("goal", "churn"), {"rate": 8}, "0.08"),
        (("goal", "contraction"), {"rate": 2}, "0.02"),
        (("goal", "expansion"), {"rate": 12}, "0.12"),
        (("goal", "churn"), {"monthly_rate": 1.5}, "0.015"),
        (("goal", "next_year_growth"), 25, "0.25"),
        (("goal", "next_year_growth"), 10, "0.1"),
        (("segments", "smb", "share"), 40, "0.4"),
        (("sources", "web", "max_growth"), 10, "0.1"),
        (("uncertainty", "volume_cv"), 5, "0.05"),
        (("uncertainty", "lag_cv"), 15, "0.15"),
        (("uncertainty", "rho"), 30, "0.3"),
        (("commit", "confidence"), 80, "0.8"),
        (("scenarios", "more", "volume", "web"), 85, "0.85"),
        (("scenarios", "more", "confidence"), 90, "0.9"),
    ],
)
def test_a_percentage_without_its_sign_is_refused(
    company: Company, keys: tuple[str, ...], value: Any, cure: str
) -> None:
    part = company.plan
    for key in keys[:-1]:
        part = part.setdefault(key, {})
    part[keys[-1]] = value
    said = company.faults()
    came = next(iter(value.values())) if isinstance(value, dict) else value
    assert f"write {cure} for {came} %" in said


@pytest.mark.parametrize(
    ("keys", "value", "said"),
    [
        (
            ("goal", "churn"),
            {"rate": 0.8},
            "goal.churn: 0.8 is 80% of ARR within a year; write 0.008 if 0.8 % is meant.",
        ),
        (("goal", "churn"), {"monthly_rate": 0.08}, "goal.churn: 0.08 is 63"),
        (("goal", "next_year_growth"), 2, "goal.next_year_growth: 2 is 200% growth"),
    ],
)
def test_a_share_that_may_be_a_percentage_is_told_first(
    company: Company, keys: tuple[str, str], value: Any, said: str
) -> None:
    company.plan[keys[0]][keys[1]] = value
    assert said in company.doubts()


# --- wherever it is shown ---------------------------------------------------------------------------------------


def test_doubts_come_first_in_every_answer(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    company.plan["sources"]["events"]["cost_per_entry"] = 9_000
    path = str(company.path())
    for command in ("plan", "simulate"):
        assert main([command, path, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["notes"][0].startswith("One Lead of events costs 9,000 USD")
    assert main(["simulate", path]) == 0
    assert capsys.readouterr().out.startswith("Look at this first: One Lead of events costs")
    assert main(["plan", path]) == 0
    assert capsys.readouterr().out.splitlines()[2].startswith("Look at this first: One Lead of events costs")
    assert main(["check", path]) == 0
    assert capsys.readouterr().out.startswith("look at this: One Lead of events costs")
    assert main(["check", path, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["notes"][0].startswith("One Lead of events costs 9,000 USD")
    page = summary(open_workbook(path)).message
    assert page.index("Look at this first: One Lead of events costs") < page.index("To sign:")
    screen = Panel(open_game(Path(path))).words.value
    assert screen.startswith('<p class="rp-warning">Look at this first: One Lead of events costs')
    assert open_board(path, as_of="2026-11-14").notes[1].startswith("One Lead of events costs")
    assert main(["sign", path, "--by", "Anna", "--on", "2026-11-16", "--out", str(company.folder / "signed")]) == 0
    assert "- Look at this first: One Lead of events costs" in capsys.readouterr().out.splitlines()[1]


def test_the_faults_of_all_three_come_at_once(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    for each in company.leads:
        each["source"] = each["source"].replace("web", "Wbe")
    company.plan["segments"]["mid"]["acv"] = 30
    company.keep([row for row in company.rows() if row[0] != "2026-04"])
    path = company.path()
    assert main(["check", str(path)]) == 2
    said = capsys.readouterr().err
    for words in ("has no row of 2026-04", "names: {source: {Wbe: web}}", "a deal of mid is 30 in the plan"):
        assert words in said
    assert "plan.yaml line" in said
