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
    usual = found["counts_as_of"]  # deals end in April, outcomes in May
    assert (found["as_of"], usual["entered"]["won"], usual["lost"]) == ("2021-04-10", 360 - 46, 140 - 28)


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
    table = estimate_transitions(history, history.as_of)
    assert table["entries"].tolist() == [50]  # those that closed on no known day are watched no longer than known
    assert any("closed, day unknown" in note and "5 won, 5 lost" in note for note in history.reading)


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
    from revplan.run.render import Request, render

    plan = case(tmp_path, "plan_in_millions") / "plan.yaml"
    render(Request(name="annual_commit", plan_path=plan), tmp_path / "out")
    assert (tmp_path / "out" / "annual_commit.html").is_file()


# --- the same kinds in other shapes --------------------------------------------------------------------------

DEALS = """\
format: wide
files: {d: {path: d.csv, id: id}}
stages: {lead: d.created, won: {at: d.closed, field: d.stage, is: Won}}
lost: {at: d.closed, field: d.stage, is: Lost}
amount: d.amount
"""
LOG = """\
format: history
path: log.csv
id: id
at: at
value: stage
stages: {lead: New, offer: Offer, won: Won}
lost: Lost
"""


def table(header: str, *rows: str) -> str:
    """A text file with a header."""
    return "\n".join([header, *rows, ""])


def test_reopened_and_won_again_counts_by_its_last_state(tmp_path: Path) -> None:
    rows = [
        *(f"A{n},{day(0)},New" for n in range(4)),
        *(f"A{n},{day(9)},Won" for n in range(4)),
        f"A0,{day(12)},Offer",  # reopened
        f"A1,{day(12)},Lost",
        f"A1,{day(20)},Won",  # and won after all
        f"A2,{day(12)},Lost",
    ]
    found = counts(written(tmp_path, LOG, log=table("id,at,stage", *rows)))
    assert (found["entered"]["won"], found["lost"], found["open"]) == (2, 1, 1)


PIPELINES = {
    "pipedrive": (
        "ID,Title,Pipeline,Status,Value,Deal created,Won time,Lost time",
        "{n},T,{kind},Won,10,2024-01-01,2024-02-01,",
    ),
    "zoho": (
        "Record Id,Deal Name,Pipeline,Stage,Amount,Created Time,Closing Date",
        "{n},T,{kind},Closed Won,10,2024-01-01,2024-02-01",
    ),
    "salesforce": (
        "Id,StageName,Amount,CloseDate,CreatedDate,IsWon,IsClosed,Type",
        "{n},Closed Won,10,2024-02-01,2024-01-01,true,true,{kind}",
    ),
}


@pytest.mark.parametrize("crm", PIPELINES)
def test_renewals_are_asked_about_in_every_preset(tmp_path: Path, crm: str) -> None:
    header, row = PIPELINES[crm]
    kinds = ["New Business"] * 3 + ["Renewal"] * 5
    text = table(header, *(row.format(n=n, kind=kind) for n, kind in enumerate(kinds)))
    path = written(tmp_path, f"preset: {crm}\nfiles: {{d: {{path: d.csv}}}}\n", d=text)
    asked = refused(path)
    assert "Renewal 5, New Business 3" in asked
    line = next(part for part in asked.split(", or")[0].split("such as ")[1:])
    assert counts(also(path, line))["records"] == 3


def test_a_pipeline_no_row_has(tmp_path: Path) -> None:
    header, row = PIPELINES["zoho"]
    text = table(header, *(row.format(n=n, kind=kind) for n, kind in enumerate(["New", "Renewal"])))
    crm = "preset: zoho\nfiles: {d: {path: d.csv}}\nonly: {d.Pipeline: [New, Neww]}\n"
    assert "only.d.Pipeline: no row is 'Neww'; did you mean 'New'?" in refused(written(tmp_path, crm, d=text))


def test_two_pipelines_beside_a_history(tmp_path: Path) -> None:
    deals = table(
        "deal_id,deal_pipeline_id,deal_pipeline_stage_id,property_createdate",
        *(f"{n},{'new' if n < 6 else 'renewal'},x,{day(0)}" for n in range(20)),
    )
    changes = table("deal_id,date_entered,value", *(f"{n},{day(5)},closedwon" for n in (0, *range(6, 20))))
    path = written(
        tmp_path, "preset: hubspot\nfiles: {deals: {path: deals.csv}, log: {path: log.csv}}\n", deals=deals, log=changes
    )
    assert "renewal 14, new 6" in refused(path)
    found = counts(also(path, "only: {deals.deal_pipeline_id: new}"))
    assert (found["records"], found["entered"]["customer"]) == (6, 1)


@pytest.mark.parametrize("label", ["Closed - No Decision", "Closed-Lost to Competition", "Abgesagt"])
def test_a_closed_stage_that_stands_for_nothing(tmp_path: Path, label: str) -> None:
    stages = ["Won", "Lost", label, label, "Open"]
    rows = [f"{n},{day(n)},{day(n + 9)},{stage},5" for n, stage in enumerate(stages)]
    crm = written(tmp_path / "wide", DEALS, d=table("id,created,closed,stage,amount", *rows))
    assert f"{label!r} 2 look closed" in refused(crm)
    text = crm.read_text(encoding="utf-8").replace("is: Lost}", f"is: [Lost, {label}]}}")
    crm.write_text(text, encoding="utf-8")
    assert counts(crm)["lost"] == 3
    changes = [f"{n},{day(n)},New" for n in range(5)] + [
        f"{n},{day(n + 5)},{stage}" for n, stage in enumerate(["Offer", "Won", "Lost", label])
    ]
    assert f"lost: [Lost, {label}]" in refused(written(tmp_path / "log", LOG, log=table("id,at,stage", *changes)))


@pytest.mark.parametrize("label", ["Wonn", "Signed"])
def test_a_win_that_is_called_otherwise(tmp_path: Path, label: str) -> None:
    rows = [f"{n},{day(n)},{day(n + 9)},{label if n % 2 else 'Lost'},5" for n in range(6)]
    assert "no row is 'Won'" in refused(written(tmp_path, DEALS, d=table("id,created,closed,stage,amount", *rows)))


def test_equal_rows_count_once_and_versions_by_the_last(tmp_path: Path) -> None:
    header = "id,created,closed,stage,amount,changed"
    rows = [
        f"A,{day(0)},{day(9)},Won,5,{day(9)}",
        f"A,{day(0)},,Open,3,{day(2)}",
        f"B,{day(1)},{day(3)},Lost,2,{day(1)}",
    ]
    crm = written(tmp_path, DEALS, d=table(header, *rows, rows[2]))
    asked = refused(crm)
    assert "1 row repeats an id and differs in closed and stage and amount" in asked
    assert "duplicates: newest and modified: d.changed" in asked
    found = counts(also(crm, "duplicates: newest", "modified: d.changed"))
    assert (found["records"], found["entered"]["won"], found["amount_won"]) == (2, 1, 5.0)
    assert sum(each["count"] for each in found["set_aside"]) == 2


def test_keys_that_would_not_act_are_refused(tmp_path: Path) -> None:
    text = table("id,created,closed,stage,amount", f"A,{day(0)},{day(9)},Won,5", f"B,{day(0)},{day(9)},Lost,5")
    assert "needs `modified`" in refused(written(tmp_path, f"{DEALS}duplicates: newest\n", d=text))
    assert "acts only with" in refused(written(tmp_path, f"{DEALS}modified: d.closed\n", d=text))
    assert "is for `format: history` only" in refused(written(tmp_path, f"{DEALS}attempts: true\n", d=text))


def test_line_items_with_refunds_and_a_row_twice(tmp_path: Path) -> None:
    rows = [f"A,{day(0)},{day(9)},Won,{amount}" for amount in ("100", "100", "-30", "")]
    rows += [f"B,{day(0)},{day(3)},Lost,7"]
    crm = written(
        tmp_path,
        DEALS.replace("amount: d.amount", "amount: {column: d.amount, of: lines}"),
        d=table("id,created,closed,stage,amount", *rows),
    )
    found = counts(crm)
    assert (found["records"], found["amount_won"]) == (2, 170.0)


def test_a_split_between_owners_is_added_up(tmp_path: Path) -> None:
    rows = [f"A,{day(0)},{day(9)},Won,60,ann", f"A,{day(0)},{day(9)},Won,40,bob", f"B,{day(0)},{day(3)},Lost,5,ann"]
    crm = written(tmp_path, f"{DEALS}owner: d.owner\n", d=table("id,created,closed,stage,amount,owner", *rows))
    assert "amount: {column: d.amount, of: lines}" in refused(crm)
    text = crm.read_text(encoding="utf-8").replace("amount: d.amount", "amount: {column: d.amount, of: lines}")
    crm.write_text(text, encoding="utf-8")
    assert counts(crm)["amount_won"] == 100.0


def test_line_items_beside_their_deals(tmp_path: Path) -> None:
    crm = """\
format: wide
files: {d: {path: d.csv, id: id}, lines: {path: lines.csv, id: deal}}
stages: {lead: d.created, won: d.won}
amount: {column: lines.price, of: lines}
"""
    deals = table("id,created,won", f"A,{day(0)},{day(3)}", f"B,{day(0)},{day(4)}", f"C,{day(1)},")
    lines = table("deal,price", "A,10", "A,20", "B,5", "Z,9")
    found = counts(written(tmp_path, crm, d=deals, lines=lines))
    assert (found["records"], found["amount_won"]) == (3, 35.0)
    assert [each["count"] for each in found["set_aside"]] == [1]  # the line of a deal there is not


@pytest.mark.parametrize(("rule", "offer", "won"), [("first", 4, True), ("last", 30, True)])
def test_a_stage_entered_again(tmp_path: Path, rule: str, offer: int, won: bool) -> None:
    rows = [f"A,{day(0)},New", f"A,{day(4)},Offer", f"A,{day(20)},New", f"A,{day(30)},Offer", f"A,{day(40)},Won"]
    rows += [f"B,{day(0)},New", f"B,{day(5)},Lost"]
    crm = written(tmp_path, f"{LOG}regressions: {rule}\n", log=table("id,at,stage", *rows))
    history = read_records(crm)
    days = history.stage_history[history.stage_history["record"] == "A"].set_index("stage")["entered_on"]
    assert str(days["offer"].date()) == day(offer)
    assert ("won" in days.index) == won


def test_moving_back_in_a_wide_table_dates_nothing_later(tmp_path: Path) -> None:
    crm = "format: wide\nfiles: {d: {path: d.csv, id: id}}\nstages: {lead: d.a, mql: d.b, offer: d.c, won: d.e}\n"
    history = read_records(written(tmp_path, crm, d=table("id,a,b,c,e", f"A,{day(0)},{day(50)},{day(10)},{day(60)}")))
    assert [str(each.date()) for each in history.stage_history["entered_on"]] == [day(0), day(10), day(10), day(60)]


def test_lost_by_a_status_alone_is_not_open(tmp_path: Path) -> None:
    crm = DEALS.replace("lost: {at: d.closed, field: d.stage, is: Lost}", "lost: {column: d.stage, is: [Lost]}")
    rows = [
        f"{n},{day(n)},{day(n + 5) if n < 3 else ''},{'Won' if n < 3 else 'Lost' if n < 7 else 'Open'},1"
        for n in range(9)
    ]
    found = counts(written(tmp_path, crm, d=table("id,created,closed,stage,amount", *rows)))
    assert (found["entered"]["won"], found["lost"], found["closed_without_day"], found["open"]) == (3, 0, 4, 2)


def test_a_change_to_won_without_a_day_is_not_open(tmp_path: Path) -> None:
    rows = [
        f"A,{day(0)},New",
        "A,,Won",
        f"B,{day(0)},New",
        f"B,{day(3)},Offer",
        f"B,{day(4)},Won",
        f"C,{day(0)},New",
        f"C,{day(9)},Lost",
    ]
    found = counts(written(tmp_path, LOG, log=table("id,at,stage", *rows)))
    assert (found["entered"]["won"], found["closed_without_day"], found["open"]) == (1, 1, 0)


def test_a_second_purchase_is_an_attempt_of_its_own(tmp_path: Path) -> None:
    rows = [f"A,{day(0)},New", f"A,{day(9)},Won", f"A,{day(400)},New", f"A,{day(420)},Won"]
    rows += [f"B,{day(0)},New", f"B,{day(5)},Lost", f"B,{day(300)},Offer"]
    crm = written(tmp_path, f"{LOG}attempts: true\n", log=table("id,at,stage", *rows))
    found = counts(crm)
    assert (found["records"], found["entered"]["won"], found["lost"], found["open"]) == (4, 2, 1, 1)


JOIN = """\
format: wide
files: {l: {path: l.csv, id: id}, d: {path: d.csv, id: id, via: l.deal}}
stages: {lead: l.created, opp: d.opened, won: d.won}
source: l.source
amount: d.amount
"""


def joined(folder: Path, leads: list[str], deals: list[str], crm: str = JOIN) -> dict[str, Any]:
    return counts(
        written(folder, crm, l=table("id,created,source,deal", *leads), d=table("id,opened,won,amount", *deals))
    )


def test_the_money_of_deals_is_whole_whatever_led_to_them(tmp_path: Path) -> None:
    leads = [
        f"1,{day(0)},web,D1",
        f"2,{day(1)},fair,D1",
        f"3,{day(2)},web,D2",
        f"3,{day(2)},web,D3",
        f"4,{day(3)},web,",
    ]
    deals = [f"D{n},{day(9 + n)},{day(20 + n)},{100 * n}" for n in (1, 2, 3, 4)]  # nothing leads to D4
    found = joined(tmp_path, leads, deals)
    assert found["entered"] == {"lead": 4, "opp": 4, "won": 4}
    assert found["amount_won"] == 1000.0
    history = read_records(tmp_path / "crm.yaml")
    assert history.records.set_index("record")["source"].to_dict() == {
        "1": "web", "2": "fair", "3": "web", "4": "web", "D3": "web", "D4": "unknown",
    }  # fmt: skip


def test_salesforce_ids_of_both_lengths_join(tmp_path: Path) -> None:
    # by the letters that follow from the capitals, and by the length of all
    leads = [f"1,{day(0)},web,006Ab0000000001IAA", f"2,{day(0)},web,006AB0000000001"]
    deals = [f"006Ab0000000001,{day(5)},{day(9)},1", f"006AB0000000001MAA,{day(5)},,2"]
    found = joined(tmp_path / "mixed", leads, deals)
    assert found["entered"] == {"lead": 2, "opp": 2, "won": 1}
    leads = [f"{n},{day(0)},web,006xY00000{n:05}XYZ" for n in range(5)]
    deals = [f"006xY00000{n:05},{day(5)},,2" for n in range(5)]
    assert joined(tmp_path / "cut", leads, deals)["entered"]["lead"] == 5
    assert counts(tmp_path / "cut" / "crm.yaml")["records"] == 5


@pytest.mark.parametrize(
    ("named", "there", "why"),
    [("a{n}", "A{n}", "capitals"), ("{n}", "000{n}", "zeros in front"), ("D-{n}", "D{n}", "spaces or marks")],
)
def test_a_join_that_finds_little_says_why(tmp_path: Path, named: str, there: str, why: str) -> None:
    leads = [f"{n},{day(0)},web,{named.format(n=n)}" for n in range(1, 9)]
    deals = [f"{there.format(n=n)},{day(5)},,2" for n in range(1, 9)]
    found = joined(tmp_path, leads, deals)
    assert any("of which d has only 0: 8" in note and why in note for note in found["notes"])


def test_merged_records_keep_their_deals(tmp_path: Path) -> None:
    crm = """\
format: wide
files: {l: {path: l.csv, id: id}, d: {path: d.csv, id: lead}}
stages: {lead: l.created, won: d.won}
amount: d.amount
merged: l.merged
"""
    leads = table("id,created,merged", f"1,{day(0)},2:1700000000000;1", f"2,{day(1)},3", f"3,{day(2)},")
    found = counts(written(tmp_path, crm, l=leads, d=table("lead,won,amount", f"3,{day(9)},50")))
    assert (found["records"], found["entered"], found["amount_won"]) == (1, {"lead": 1, "won": 1}, 50.0)


def test_deleted_deals_of_pipedrive_and_states_of_dynamics(tmp_path: Path) -> None:
    rows = [
        f"{n},T,{status},10,2024-01-01,{'2024-02-01' if status == 'won' else ''},{'2024-02-01' if status == 'lost' else ''}"
        for n, status in enumerate(["won", "lost", "open", "deleted"])
    ]
    pipedrive = written(
        tmp_path / "p",
        "preset: pipedrive\nfiles: {d: {path: d.csv}}\n",
        d=table("id,title,status,value,add_time,won_time,lost_time", *rows),
    )
    found = counts(pipedrive)
    assert (found["records"], found["entered"]["won"], found["lost"], found["open"]) == (3, 1, 1, 1)
    rows = [
        f"{n},2024-01-01,{'2024-02-01' if state else ''},{state},{status},10"
        for n, (state, status) in enumerate([(0, 1), (1, 3), (2, 4), (2, 5)])
    ]
    dynamics = written(
        tmp_path / "d",
        "preset: dynamics\nfiles: {d: {path: d.csv}}\n",
        d=table("opportunityid,createdon,actualclosedate,statecode,statuscode,actualvalue", *rows),
    )
    found = counts(dynamics)
    assert (found["entered"]["won"], found["lost"], found["open"]) == (1, 2, 1)


def test_rows_without_an_id_are_records_where_it_is_asked(tmp_path: Path) -> None:
    rows = [f"Acme,{day(n)},{day(n + 5)},{'Won' if n % 2 else 'Lost'},{n}" for n in range(6)]
    crm = written(tmp_path, DEALS, d=table("id,created,closed,stage,amount", *rows))
    assert "id: row" in refused(crm)
    text = crm.read_text(encoding="utf-8").replace("id: id}", "id: row}")
    crm.write_text(text, encoding="utf-8")
    assert counts(crm)["records"] == 6


# --- cells that cannot be read ---------------------------------------------------------------------------------


def test_faulty_cells_come_at_once_or_are_set_aside_with_their_records(tmp_path: Path) -> None:
    rows = [f"{n},{day(n)},{day(n + 9)},{'Won' if n % 2 else 'Lost'},{n}" for n in range(10)]
    rows[1] = rows[1].replace(day(10), "soon")
    rows[2] = f"2,{day(2)},{day(11)},Lost,=1+1"
    rows[3] = "3,yesterday,,Open,x"
    crm = written(tmp_path, DEALS, d=table("id,created,closed,stage,amount", *rows, "Acme,,,,"))
    crm.write_text(crm.read_text(encoding="utf-8").replace("is: Lost}", "is: Lost}"), encoding="utf-8")
    cells = tmp_path / "cells.csv"
    with pytest.raises(DataError) as error:
        check_crm(crm, cells_to=cells)
    assert {each.place.rpartition(" ")[2] for each in error.value.faults} == {"created", "closed", "amount"}
    assert cells.read_text(encoding="utf-8").splitlines() == [
        "file,line,column,value,fault",
        "d.csv,5,created,yesterday,no date",
        "d.csv,3,closed,soon,no date",
        "d.csv,4,amount,'=1+1,no amount",
        "d.csv,5,amount,x,no amount",
    ]
    found = check_crm(also(crm, "bad_values: set_aside"), cells_to=cells)[0]
    aside = {each["why"]: each["count"] for each in found["set_aside"]}
    assert aside["records: a cell of theirs cannot be read"] == 3
    assert found["records"] == 7
    assert not any("without a day" in note for note in found["notes"])  # it has one, which cannot be read
    assert found["files"][0]["rows"] == found["records"] + sum(aside.values())
    assert len(cells.read_text(encoding="utf-8").splitlines()) == 5


def test_a_change_whose_day_cannot_be_read_is_set_aside(tmp_path: Path) -> None:
    rows = [
        f"A,{day(0)},New",
        "A,soon,Won",
        f"B,{day(0)},New",
        f"B,{day(3)},Offer",
        f"B,{day(4)},Won",
        f"B,{day(9)},Lost",
    ]
    crm = written(tmp_path, f"{LOG}bad_values: set_aside\n", log=table("id,at,stage", *rows))
    found = counts(crm)
    assert [each["count"] for each in found["set_aside"]] == [1]
    assert (found["closed_without_day"], found["open"]) == (1, 0)


# --- two more of the same kinds, in another shape -------------------------------------------------------------


def recorded_late(number: int, known_from: int, won: int, lost: int) -> list[tuple[str, str, str, str]]:
    """Deals, one a day, closed after 30 days; only what closed from the day `known_from` on is on file."""
    rows = []
    for n in range(number):
        closed, on_file = day(n + 30), n + 30 >= known_from and n + 30 < number
        kind = n % (won + lost + 1)
        rows.append(
            (f"D{n}", day(n), closed if on_file and kind < won else "", closed if on_file and kind == won else "")
        )
    return rows


@pytest.mark.parametrize("logged", [False, True], ids=["wide", "history"])
@pytest.mark.parametrize(("won", "lost"), [(1, 1), (3, 1)])
def test_losses_on_file_bound_the_rate_whatever_the_shape(tmp_path: Path, logged: bool, won: int, lost: int) -> None:
    rows = recorded_late(720, 360, won, lost)
    if logged:
        events = [
            (n, at, stage) for n, *days in rows for stage, at in zip(("New", "Won", "Lost"), days, strict=True) if at
        ]
        text = "Deal,At,Stage\n" + "\n".join(map(",".join, events))
        crm = (
            "format: history\npath: log.csv\nid: Deal\nat: At\nvalue: Stage\nstages: {lead: [New], won: [Won]}\n"
            "lost: [Lost]\n"
        )
        path = written(tmp_path, crm, log=text)
    else:
        text = "id,lead,won,lost\n" + "\n".join(map(",".join, rows))
        crm = "format: wide\nfiles: {d: {path: d.csv, id: id}}\nstages: {lead: d.lead, won: d.won}\nlost: d.lost\n"
        path = written(tmp_path, crm, d=text)
    truth = won / (won + lost + 1)
    known = [row for row in rows if row[2] or row[3]]
    assert rate(path, "lead", "won") == pytest.approx(truth, abs=0.05)
    assert rate(path, "lead", "won") <= 1 - sum(bool(row[3]) for row in known) / len(rows)


@pytest.mark.parametrize("days", [1, 3], ids=["one day", "three days"])
def test_a_load_is_named_and_leaves_the_rate_of_its_source_alone(tmp_path: Path, days: int) -> None:
    flow = [(f"w{n}", day(n // 4), day(n // 4 + 20) if n % 10 == 0 else "", "Web") for n in range(2000)]
    load = [(f"f{n}", day(200 + n % days), day(260) if n % 300 == 0 else "", "Fair") for n in range(900)]
    text = "id,lead,won,source\n" + "\n".join(map(",".join, [*flow, *load]))
    crm = "format: wide\nfiles: {d: {path: d.csv, id: id}}\nstages: {lead: d.lead, won: d.won}\nsource: d.source\n"
    path = written(tmp_path, crm, d=text)
    assert any(note.startswith("Bulk load: 9") and "Fair" in note for note in counts(path)["notes"])
    table = estimate_transitions(history := read_records(path), history.as_of).set_index("source")
    assert table.loc["Fair", "rate"] == pytest.approx(3 / 900, abs=0.004)
    assert table.loc["Web", "rate"] == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("preset", "head", "won"),
    [
        (
            "salesforce",
            "Opportunity ID;Created Date;Close Date;Stage;Amount;Amount Currency;Amount (converted)",
            "Closed Won",
        ),
        (
            "hubspot",
            "Record ID;Create Date;Close Date;Deal Stage;Amount;Currency;Amount in company currency",
            "Closed Won",
        ),
    ],
)
def test_the_converted_column_is_read_where_there_is_one(tmp_path: Path, preset: str, head: str, won: str) -> None:
    rows = [
        f"D{n};{day(n)};{day(n + 30)};{won};{1000 * (150 if n % 2 else 1)};{'JPY' if n % 2 else 'USD'};1000"
        for n in range(40)
    ]
    crm = written(tmp_path, f"preset: {preset}\nfiles: {{opps: {{path: d.csv}}}}\n", d="\n".join([head, *rows]))
    found = counts(crm)
    assert (list(found["entered"].values())[-1], found["amount_won"]) == (40, 40_000.0)


@pytest.mark.parametrize("yes_no", [("wahr", "falsch"), ("Yes", "No"), ("1.0", "0.0"), ("VRAI", "FAUX")])
def test_booleans_of_every_language_say_who_won(tmp_path: Path, yes_no: tuple[str, str]) -> None:
    yes, no = yes_no
    kinds = [(yes, yes, "Closed Won"), (yes, no, "Closed Lost"), (no, no, "Negotiation")]
    rows = [
        f"006{n:012d},{day(n)},{day(n + 30)},{stage},{closed},{won},100"
        for n, (closed, won, stage) in enumerate(kinds * 20)
    ]
    text = "\n".join(["Id,CreatedDate,CloseDate,StageName,IsClosed,IsWon,Amount", *rows])
    found = counts(written(tmp_path, "preset: salesforce\nfiles: {o: {path: o.csv}}\n", o=text))
    assert (found["entered"]["won"], found["lost"], found["open"]) == (20, 20, 20)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_report_with_titles_groups_and_totals_gives_its_rows_only(tmp_path: Path, separator: str) -> None:
    head = ["Opportunity ID", "Stage", "Amount", "Created Date", "Close Date"]
    kinds = {"Closed Won": 8, "Closed Lost": 12, "Prospecting": 5}
    lines: list[list[str]] = [["Pipeline by Stage"], ["As of 2024-06-30"], head]
    for stage, number in kinds.items():
        lines.append([f"Stage: {stage} ({number} records)", "", "", "", ""])
        lines += [[f"{stage}{n}", stage, "1000", day(n), day(n + 40)] for n in range(number)]
        lines.append(["Subtotal", "", str(1000 * number), "", ""])
    lines += [["Grand Total", "", "25000", "", ""], ["Confidential Information"]]
    text = "\n".join(separator.join(line) for line in lines)
    found = counts(written(tmp_path, "preset: salesforce\nfiles: {o: {path: o.csv}}\n", o=text))
    assert (found["records"], found["entered"]["won"], found["lost"], found["amount_won"]) == (25, 8, 12, 8000.0)
    assert sum(each["count"] for each in found["set_aside"]) == found["files"][0]["rows"] - 25


@pytest.mark.parametrize(("small", "won"), [(40, 0), (300, 2)])
def test_a_small_source_stays_near_what_it_shows(tmp_path: Path, small: int, won: int) -> None:
    rows = [(f"a{n}", day(n % 400), day(n % 400 + 10) if n % 5 == 0 else "", "Web") for n in range(3000)]
    rows += [(f"b{n}", day(n % 400), day(n % 400 + 10) if n % 10 == 0 else "", "Fair") for n in range(3000)]
    rows += [(f"c{n}", day(n % 300), day(n % 300 + 10) if n < won else "", "Podcast") for n in range(small)]
    crm = "format: wide\nfiles: {d: {path: d.csv, id: id}}\nstages: {lead: d.lead, won: d.won}\nsource: d.source\n"
    path = written(tmp_path, crm, d="id,lead,won,source\n" + "\n".join(map(",".join, rows)))
    table = estimate_transitions(history := read_records(path), history.as_of).set_index("source")
    seen = won / small
    assert seen * 0.8 <= table.loc["Podcast", "rate"] <= max(2 * seen, 1.5 / small)
    assert table.loc["Web", "rate"] == pytest.approx(0.2, abs=0.02)
