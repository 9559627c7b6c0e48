"""Tables that a plan names: spend, rosters, subscriptions and actuals as the systems that keep them write them."""

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

from revplan.crm.actuals import Actuals, read_actuals
from revplan.crm.plan_tables import SpendFile, read_roster, read_spend
from revplan.crm.planfile import read_plan
from revplan.crm.sheets import Asked, read_sheet
from revplan.crm.subscriptions import Subscriptions, arr_bridge, read_subscriptions
from revplan.ground.errors import DataError, PlanError
from revplan.ground.tablefile import ActualsFile, TableFile
from revplan.plan.model import Plan

GOOGLE = """\
Campaign report
"January 1, 2026 - March 31, 2026"
Month,Campaign,Campaign type,Currency code,Cost,Clicks
2026-01-01,Brand,Search,EUR,"1,200.50",300
2026-02-01,Brand,Search,EUR,"1,100.00",280
2026-02-01,Rivals,Search,EUR,900,120
2026-03-01,Brand,Search,EUR,0,0
Total: Campaigns, --, --,EUR,"3,200.50",700
Total: Account, --, --,EUR,"3,200.50",700
"""
LINKEDIN = (
    "Campaign Performance Report (in UTC)\nReport Start: 1/1/2026\nReport End: 3/31/2026\n"
    "Date Generated: April 1, 2026 at 9:12 AM\n\n"
    "Start Date (in UTC)\tAccount Name\tCurrency\tCampaign Name\tTotal Spent\tImpressions\n"
    "1/5/2026\tAcme\tUSD\tABM\t1200.5\t1000\n1/28/2026\tAcme\tUSD\tABM\t300\t900\n2/14/2026\tAcme\tUSD\tABM\t99.5\t10\n"
)


def write(folder: Path, name: str, content: str | bytes) -> str:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8"))
    return name


def spend(folder: Path, content: str | bytes, **said: Any) -> dict[str, float]:
    sheet = read_spend(SpendFile(path=write(folder, "spend.csv", content), **said), folder)
    table = sheet.table.assign(month=sheet.table["month"].dt.strftime("%Y-%m"))
    return table.groupby("month")["spend"].sum().to_dict()


def refused(read: Any, *given: Any, **said: Any) -> str:
    with pytest.raises(DataError) as caught:
        read(*given, **said)
    return str(caught.value)


# --- spend ----------------------------------------------------------------------------------------------------


def test_a_report_of_google_ads(tmp_path: Path) -> None:
    assert spend(tmp_path, GOOGLE) == pytest.approx({"2026-01": 1200.5, "2026-02": 2000, "2026-03": 0})
    sheet = read_spend(SpendFile(path="spend.csv", source="paid"), tmp_path)
    said = [str(line) for line in sheet.found.lines]
    assert "spend.csv: set aside: rows above the header: 2 (line 1: Campaign report)" in said
    assert "spend.csv: set aside: rows of totals: 2 (line 8: Total: Campaigns  --  -- EUR 3,200.50 700)" in said
    assert set(sheet.table["source"]) == {"paid"}
    assert sheet.table["program"].tolist() == ["Brand", "Brand", "Rivals", "Brand"]


def test_a_report_without_days_is_of_the_month_in_its_title(tmp_path: Path) -> None:
    text = 'Campaign report\n"January 1, 2026 - January 31, 2026"\nCampaign,Currency code,Cost\nBrand,EUR,12\nTotal: Account,EUR,12\n'
    assert spend(tmp_path, text) == {"2026-01": 12}
    assert "export it by month" in refused(spend, tmp_path, text.replace("January 31", "February 28"))


def test_a_report_of_linkedin(tmp_path: Path) -> None:
    raw = LINKEDIN.encode("utf-16")
    told = refused(spend, tmp_path, raw)
    assert 'date_format: {Start Date (in UTC): "%m/%d/%Y"}' in told
    assert spend(tmp_path, raw, date_format="%m/%d/%Y") == pytest.approx({"2026-01": 1500.5, "2026-02": 99.5})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Monat;Quelle;Kosten\nJan 2026;web;1.200,50 €\n02/2026;web;800\n", {}),
        ("month,channel,cost\n2026-01-31,web,1200.5\n2026-02-28,web,800\n", {}),
        ("period\tsource\tspend\n202601\tweb\t1200.5\n202602\tweb\t800\n", {}),
        ("wann|wofür\n1/2026|1 200,50\nFeb-26|800\n", {"columns": {"month": "wann", "spend": "wofür"}}),
        ('day,cost\n2026-01-03,$700\n2026-01-09,$500.50\n2026-02-01,$800\nTotal,"$2,000.50"\n', {}),
        ("month,cost,currency\n2026-01,1000.5,USD\n2026-01,100,EUR\n2026-02,800,USD\n", {"rates": {"EUR": 2}}),
    ],
)
def test_tables_of_costs(tmp_path: Path, text: str, said: dict[str, Any]) -> None:
    assert spend(tmp_path, text, **said) == pytest.approx({"2026-01": 1200.5, "2026-02": 800})


def test_every_fault_of_a_table_of_costs_comes_at_once(tmp_path: Path) -> None:
    text = "month,cost,currency\n2026-01,x,USD\nsoon,5,EUR\n,7,USD\n2026-03,,USD\n"
    told = refused(spend, tmp_path, text)
    assert "spend.csv line 2, cost: 'x' is not an amount" in told
    assert "spend.csv line 3, month: got 'soon'; write it like 2026-04" in told
    assert "spend.csv line 4, month: an amount stands here without its month" in told
    assert "spend.csv line 5, cost: is empty; write 0 where nothing was spent" in told
    assert "amounts are in several currencies (EUR 1, USD 1)" in told


def test_micros_are_millionths(tmp_path: Path) -> None:
    assert spend(tmp_path, "day,cost_micros\n2026-01-03,1200500000\n") == {"2026-01": 1200.5}


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


def test_shares_are_read_with_and_without_percent(tmp_path: Path) -> None:
    where = TableFile(path=write(tmp_path, "a.csv", 'month,attainment\n1,80%\n2,0.8\n3,\n4,"12,5 %"\n'), decimal=",")
    assert refused(lambda: read_sheet(where, tmp_path, [Asked("attainment", "share")]).sound()).startswith(
        "a.csv line 3"
    )
    sheet = read_sheet(TableFile(path="a.csv", decimal={"attainment": "."}), tmp_path, [Asked("attainment", "share")])
    assert len(sheet.found.faults) == 1  # 12,5 %
    sheet = read_sheet(TableFile(path=write(tmp_path, "a.csv", "a,m\n80%,1\n0.8,1\n")), tmp_path, [Asked("a", "share")])
    assert sheet.table["a"].tolist() == pytest.approx([0.8, 0.8])


# --- subscriptions --------------------------------------------------------------------------------------------

STRIPE = """\
id,Customer ID,Plan,Quantity,Currency,Interval,Amount,Status,Created (UTC),Start Date (UTC),Ended At (UTC),Canceled At (UTC)
sub_1,cus_1,p1,2,usd,month,10.00,active,2026-01-03 10:22,2026-01-03 10:22,,
sub_2,cus_2,p2,1,usd,year,600.00,canceled,2026-01-05 10:22,2026-01-05 10:22,2026-03-02 00:00,2026-02-20 00:00
sub_3,cus_3,p1,1,usd,month,10.00,trialing,2026-02-05 10:22,2026-02-05 10:22,,
sub_4,cus_4,p3,1,usd,3 months,90.00,active,2026-02-05 10:22,2026-02-05 10:22,,
"""


def bridge(folder: Path, content: str, **said: Any) -> list[list[float]]:
    periods = read_subscriptions(Subscriptions(path=write(folder, "s.csv", content), **said), folder, date(2026, 3, 31))
    return arr_bridge(periods)[["new", "churn", "closing"]].to_numpy().tolist()


def test_subscriptions_of_stripe(tmp_path: Path) -> None:
    # 2 seats of 10 a month are 240 a year, 90 a quarter are 360; the trial has paid nothing
    assert bridge(tmp_path, STRIPE) == [[840, 0, 840], [360, 0, 1200], [0, -600, 600]]
    report = read_subscriptions(Subscriptions(path="s.csv"), tmp_path).report
    assert any(str(line) == "s.csv: set aside: not paid yet, by its status: 1" for line in report)


def test_subscriptions_of_chartmogul(tmp_path: Path) -> None:
    text = "Customer name,Customer external ID,Plan,Quantity,MRR,Currency,Start date,End date\nA,c1,p,3,20,USD,2026-01-03,\nB,c2,p,1,50,USD,2026-01-05,2026-03-02\n"
    assert bridge(tmp_path, text) == [[840, 0, 840], [0, 0, 840], [0, -600, 240]]  # MRR is that of all seats


def test_subscriptions_that_do_not_say_what_amounts_are_for_are_asked(tmp_path: Path) -> None:
    text = "customer,from,to,amount\nA,2026-01-03,,20\n"
    assert "nothing says whether the amounts are per month or per year" in refused(bridge, tmp_path, text)
    assert bridge(tmp_path, text, per="year")[0] == [20, 0, 20]
    told = refused(bridge, tmp_path, "customer,from,to,amount,interval\nA,2026-01-03,,20,now and then\n")
    assert "s.csv line 2, interval: is no interval such as month, year or 3 months" in told


# --- actuals --------------------------------------------------------------------------------------------------

EXAMPLE = Path(__file__).parents[2] / "data" / "example"
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
