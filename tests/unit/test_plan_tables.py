"""Tables that a plan names: rosters and actuals as the systems that keep them write them."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import openpyxl
import pytest

from revplan.capacity.roster import with_roster
from revplan.crm.actuals import Actuals, read_actuals
from revplan.crm.plan_tables import read_calls, read_roster
from revplan.crm.planfile import read_plan
from revplan.ground.errors import DataError, PlanError
from revplan.ground.tablefile import ActualsFile, TableFile
from revplan.plan.model import Plan

EXAMPLE = Path(__file__).parents[2] / "data" / "example"


def write(folder: Path, name: str, content: str | bytes) -> str:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return name


def refused(read: Any, *given: Any, **said: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(*given, **said)
    return str(caught.value)


# --- rosters --------------------------------------------------------------------------------------------------


def roster(folder: Path, content: str, **said: Any) -> list[tuple[Any, ...]]:
    table = read_roster(TableFile(path=write(folder, "roster.csv", content), **said), folder).sound()
    return [
        (each["rep"], None if each.isna()["start"] else each["start"].date(), each["quota"])
        for _, each in table.iterrows()
    ]


def test_a_roster_of_the_people_team(tmp_path: Path) -> None:
    text = 'Employee,Job Title,Segment,Hire Date,Termination Date,Annual Quota,Seat Type\nAda,AE,smb,2024-02-01,,"$600,000",hired\n,AE,mid,2026-05-01,,700000,open\n'
    assert roster(tmp_path, text) == [("Ada", date(2024, 2, 1), 600_000), ("", date(2026, 5, 1), 700_000)]
    sheet = read_roster(TableFile(path="roster.csv"), tmp_path)
    assert sheet.table["seat"].tolist() == ["hired", "open"]
    assert sheet.headers["leave"] == "Termination Date"
    assert sheet.table["line"].tolist() == [2, 3]


def test_a_roster_in_excel_with_a_title_and_real_days(tmp_path: Path) -> None:
    workbook = openpyxl.Workbook()
    for row in (
        ["Sales team 2026"],
        [],
        ["Rep ID", "Start date", "Quota 2026"],
        ["A1", date(2024, 2, 1), 6e5],
        ["A2", date(2025, 3, 1), 5e5],
    ):
        workbook.active.append(row)
    workbook.save(tmp_path / "r.xlsx")
    table = read_roster(TableFile(path="r.xlsx"), tmp_path).table
    assert table["start"].dt.date.tolist() == [date(2024, 2, 1), date(2025, 3, 1)]
    assert table["quota"].tolist() == [6e5, 5e5]


def test_every_fault_of_a_roster_comes_at_once(tmp_path: Path) -> None:
    text = "rep,start,leave,absent_from,absent_to,quota\nA,2026-01-01,2025-01-01,,,5\nB,,,,,x\nC,2026-01-01,,2026-05-01,2026-04-01,5\n"
    told = refused(roster, tmp_path, text)
    assert "roster.csv line 2, leave: lies before the start" in told
    assert "roster.csv line 3, start: is empty; write the first day of work" in told
    assert "roster.csv line 3, quota: 'x' is not an amount" in told
    assert "roster.csv line 4, absent_to: lies before the absence begins" in told


def test_a_column_that_lacks_is_named_with_the_line_to_paste(tmp_path: Path) -> None:
    told = refused(roster, tmp_path, "who,start\nA,2026-01-01\n")
    assert told == (
        "roster.csv: lacks the column rep; it has who, start; if one is called otherwise: roster: {path: roster.csv, columns: {rep: ITS HEADER}}"
    )
    assert roster(tmp_path, "who,start,quota\nA,2026-01-01,1\n", columns={"rep": "who"}) == [("A", date(2026, 1, 1), 1)]
    assert "did you mean 'who'?" in refused(roster, tmp_path, "who,start\nA,2026-01-01\n", columns={"rep": "whoo"})
    assert "roster.columns.boss: is no column of roster" in refused(
        roster, tmp_path, "rep,start\nA,2026-01-01\n", columns={"boss": "x"}
    )


def test_a_roster_below_a_title_with_totals_in_two_currencies(tmp_path: Path) -> None:
    text = (
        'Sales team\n"January 1, 2026"\nRep ID,Role,Hire Date,Currency code,Quota\nA1,AE,01/15/2024,EUR,"600,000.50"\n'
        'A2,AE,02/01/2024,EUR,500000\nTotal: Team,--,--,EUR,"1,100,000.50"\n'
    )
    raw = text.encode("utf-16")
    told = refused(lambda: read_roster(TableFile(path=write(tmp_path, "r.csv", raw)), tmp_path).sound())
    assert 'date_format: {Hire Date: "%m/%d/%Y"}' in told
    sheet = read_roster(TableFile(path="r.csv", date_format="%m/%d/%Y"), tmp_path)
    said = [str(line) for line in sheet.found.lines]
    assert "r.csv: set aside: rows above the header: 2 (line 1: Sales team)" in said
    assert "r.csv: set aside: rows of totals: 1 (line 6: Total: Team -- -- EUR 1,100,000.50)" in said
    assert sheet.sound()["quota"].tolist() == pytest.approx([600_000.5, 500_000])
    mixed = text.replace("EUR,500000", "USD,500000")
    told = refused(lambda: read_roster(TableFile(path=write(tmp_path, "r.csv", mixed)), tmp_path).sound())
    assert "amounts are in several currencies (EUR 1, USD 1)" in told
    where = TableFile(path="r.csv", date_format="%m/%d/%Y", rates={"EUR": 2})
    assert read_roster(where, tmp_path).sound()["quota"].tolist() == pytest.approx([1_200_001, 500_000])


@pytest.mark.parametrize(
    ("amount", "refused_with"), [("$5", ""), ("US$5", ""), ("USD 5", ""), ("R$5", "BRL"), ("5 kr", "SEK")]
)
def test_a_sign_is_of_the_plans_currency_in_calls_as_in_rosters(tmp_path: Path, amount: str, refused_with: str) -> None:
    plan = read_plan(EXAMPLE / "plan_people.yaml")
    assert plan.currency == "USD"
    assert plan.capacity is not None
    calls = TableFile(path=write(tmp_path, "c.csv", f"date,who,quarter,number\n2026-07-01,Sales,2026-Q3,{amount}\n"))
    people = "".join(f"{segment},ae,{segment},2025-01-01,{amount}\n" for segment in plan.segments)
    where = TableFile(path=write(tmp_path, "r.csv", f"rep,role,segment,start,quota\n{people}"))
    staffed = plan.model_copy(update={"capacity": plan.capacity.model_copy(update={"roster": where})})
    if not refused_with:
        assert read_calls(calls, tmp_path, plan)["number"].tolist() == [5]
        capacity = with_roster(staffed, tmp_path)[0].capacity
        assert capacity is not None
        assert [rep.quota for rep in capacity.roster] == [5, 5, 5]
    else:
        assert f"rates: {{{refused_with}: ...}}" in refused(read_calls, calls, tmp_path, plan)
        assert f"rates: {{{refused_with}: ...}}" in refused(with_roster, staffed, tmp_path)


# --- actuals --------------------------------------------------------------------------------------------------

CASES = Path(os.environ.get("REVPLAN_SHARED", Path(__file__).parents[3] / "shared")) / "cases"
needs_cases = pytest.mark.skipif(not CASES.is_dir(), reason="the shared cases are not there")


def actuals(folder: Path, content: str | bytes, **said: Any) -> Actuals:
    write(folder, "came.csv", content)
    plan = read_plan(EXAMPLE / "plan.yaml").model_copy(update={"actuals": ActualsFile(path="came.csv", **said)})
    found = read_actuals(plan, folder)
    assert found is not None
    return found


def sums(found: Actuals) -> dict[str, float]:
    return found.table[["new", "expansion", "contraction", "churn", "spend"]].sum().to_dict()


def as_it_is() -> str:
    return (EXAMPLE / "actuals.csv").read_text(encoding="utf-8")


def rewritten(number: Any, month: Any = str, separator: str = ",") -> str:
    head, *rows = csv.reader(as_it_is().splitlines())
    lines = [head, *([month(row[0]), *row[1:3], *map(number, row[3:])] for row in rows)]
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator="\n").writerows(lines)
    return text.getvalue()


def comma(text: str) -> str:
    return f"{float(text):,.2f}".translate({44: ".", 46: ","})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (rewritten(comma, separator=";"), {}),
        (rewritten(comma, separator=";"), {"decimal": ","}),
        (rewritten(lambda text: f"{float(text):,.0f}".replace(",", "."), separator=";"), {"decimal": ","}),
        (rewritten(lambda text: f"${float(text):,.2f}"), {}),
        (rewritten(lambda text: f"{float(text):,.0f}".replace(",", "'")), {}),
        (rewritten(str, lambda month: f"{month[5:]}/{month[:4]}"), {}),
        (rewritten(str, lambda month: f"{date(2026, int(month[5:]), 1):%b %Y}"), {}),
        (rewritten(str, lambda month: f"{month}-28"), {}),
        (rewritten(str, lambda month: f"28.{month[5:]}.{month[:4]}"), {"date_format": "%d.%m.%Y"}),
        ("What came in 2026\nas of September\n\n" + rewritten(str), {}),
        (
            rewritten(str).replace("month,segment", "Periode,segment").encode("utf-16"),
            {"columns": {"month": "Periode"}},
        ),
        (rewritten(lambda text: f"{float(text) / 2:.2f}"), {"currency": "EUR", "rates": {"EUR": 2}}),
    ],
)
def test_actuals_written_otherwise_are_the_actuals(tmp_path: Path, content: str | bytes, said: dict[str, Any]) -> None:
    assert sums(actuals(tmp_path, content, **said)) == pytest.approx(sums(actuals(tmp_path, as_it_is())))


@needs_cases
def test_actuals_of_which_a_month_stands_twice() -> None:
    text = (CASES / "actuals_dup" / "actuals.csv").read_text()
    with TemporaryDirectory() as folder:
        said = refused(actuals, Path(folder), text)
    assert re.search(r"came\.csv line \d+: 2026-0\d, \w+ x \w+ stands there 2 times", said)


@needs_cases
@pytest.mark.parametrize(
    ("name", "told"), [("actuals_negative", "written with a minus sign"), ("actuals_total", "total others: they agree")]
)
def test_actuals_with_minus_signs_or_totals(tmp_path: Path, name: str, told: str) -> None:
    found = actuals(tmp_path, (CASES / name / "actuals.csv").read_text())
    assert any(told in line for line in found.read)
    assert sums(found) == pytest.approx(sums(actuals(tmp_path, as_it_is())))


def test_corrections_have_the_other_sign_where_the_plan_says_so(tmp_path: Path) -> None:
    text = "month,segment,source,new,expansion,contraction,churn,spend\n2026-01,smb,inbound,5,0,0,100,0\n2026-02,smb,inbound,5,0,0,-30,0\n"
    said = refused(actuals, tmp_path, text)
    assert "came.csv line 3, churn: 1 amount is above zero and 1 below" in said
    assert "actuals: {path: came.csv, losses: plus}" in said
    assert sums(actuals(tmp_path, text, losses="plus"))["churn"] == pytest.approx(70)
    assert sums(actuals(tmp_path, text, losses="minus"))["churn"] == pytest.approx(-70)


def test_a_plan_says_how_its_actuals_are_written(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "plan")
    plan = tmp_path / "plan" / "plan.yaml"
    text = plan.read_text(encoding="utf-8")
    (line,) = [each for each in text.splitlines() if each.startswith("actuals:")]
    (tmp_path / "plan" / "came.csv").write_text(rewritten(comma, separator=";"), encoding="utf-8")
    plan.write_text(text.replace(line, 'actuals: {path: came.csv, decimal: ",", currency: USD}'), encoding="utf-8")
    read = read_plan(plan)
    assert read.actuals is not None
    found = read_actuals(read, plan.parent)
    assert found is not None
    assert sums(found) == pytest.approx(sums(actuals(tmp_path, as_it_is())))
    assert Plan.model_validate(read.model_dump(mode="json", by_alias=True, exclude_none=True)).actuals == read.actuals
    plan.write_text(text.replace(line, "actuals: {path: came.csv, decimals: x, losses: both}"), encoding="utf-8")
    with pytest.raises(PlanError) as caught:
        read_plan(plan)
    assert {fault.place.rpartition(" ")[2] for fault in caught.value.faults} == {"actuals.decimals", "actuals.losses"}


def test_a_path_alone_is_dumped_as_it_is_written() -> None:
    plan = read_plan(EXAMPLE / "plan.yaml")
    assert plan.model_dump(mode="json")["actuals"] == "actuals.csv"
