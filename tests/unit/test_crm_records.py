"""Records out of CRM files: what is read, repaired, set aside, and that all of it is counted."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from revplan.crm.answer import check_crm
from revplan.crm.records import History, read_export, read_records, silence
from revplan.ground.errors import DataError

CRM = """\
format: wide
files:
  leads: {path: leads.csv, id: id}
  deals: {path: deals.csv, id: lead}
stages: {lead: leads.created, sql: leads.sql, won: deals.won}
lost: leads.lost
source: leads.origin
amount: deals.amount
"""

LEADS = """\
id,created,sql,lost,origin
1,2026-01-01,2026-01-05,,web
2,2026-01-02,,2026-01-09,fair
3,2026-01-03,,,Select
4,2026-01-10,2026-01-08,,web
5,,,,web
,2026-01-01,,,web
1,2026-01-01,2026-01-05,,web
6,2026-01-04,,2026-01-01,web
"""

DEALS = """\
lead,won,amount
1,2026-02-01,"1,200"
3,2026-01-20,
9,2026-01-21,500
"""


def workspace(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.{'yaml' if name == 'crm' else 'csv'}").write_text(text, encoding="utf-8")
    return folder / "crm.yaml"


@pytest.fixture
def crm(tmp_path: Path) -> Path:
    return workspace(tmp_path, crm=CRM, leads=LEADS, deals=DEALS)


def entered(history: History) -> dict[str, dict[str, str]]:
    """Record -> stage -> day."""
    table = history.stage_history.assign(day=history.stage_history["entered_on"].dt.strftime("%m-%d"))
    return {record: dict(zip(rows["stage"], rows["day"], strict=True)) for record, rows in table.groupby("record")}


def report(history: History) -> list[str]:
    return [str(line) for line in history.report]


def test_every_record_is_read_repaired_or_set_aside(crm: Path) -> None:
    history = read_records(crm)
    assert entered(history) == {
        "1": {"lead": "01-01", "sql": "01-05", "won": "02-01"},
        "2": {"lead": "01-02"},
        "3": {"lead": "01-03", "sql": "01-20", "won": "01-20"},  # skipped sql: entered with won
        "4": {"lead": "01-10", "sql": "01-10"},  # sql before lead: moved up to it
        "6": {"lead": "01-04"},
        "9": {"won": "01-21"},  # no lead led to it: a record of its own
    }
    assert history.stages == ("lead", "sql", "won")
    assert history.as_of == date(2026, 2, 1)
    records = history.records.set_index("record")
    assert records["source"].to_dict() == {
        "1": "web",
        "2": "fair",
        "3": "unknown",
        "4": "web",
        "6": "web",
        "9": "unknown",
    }
    assert records["segment"].unique().tolist() == ["all"]
    assert records["amount"].dropna().to_dict() == {"1": 1200.0, "9": 500.0}
    # the loss of record 6 lies before its lead: moved up to it
    assert records["lost_on"].dropna().dt.strftime("%m-%d").to_dict() == {"2": "01-09", "6": "01-04"}


def test_the_report_counts_everything(crm: Path) -> None:
    assert report(read_records(crm)) == [
        "leads: rows read: 8 (leads.csv: utf-8, separated by comma)",
        "leads: set aside: no id: 1 (line 7: )",
        "leads: set aside: the same as another row of its id: 1 (line 8: 1)",
        "leads: rows kept: 6",
        "deals: rows read: 3 (deals.csv: utf-8, separated by comma)",
        "deals: rows to which no record of leads leads, records of their own: 1 (line 4: 9)",
        "deals: rows kept: 3",
        "leads.csv, created: empty cells: 1",
        "leads.csv, sql: empty cells: 5",
        "leads.csv, lost: empty cells: 6",
        "leads.csv, origin: hidden nulls, taken as missing: 1 (Select)",
        "source: missing: no row in leads: 1",
        "deals.csv, amount: empty cells: 1",
        "amount: missing: no row in deals: 4",
        "sql: dates before lead, moved up to it: 1 (2026-01-08 after 2026-01-10)",
        "sql: skipped, taken as entered with the next stage: 1",
        "lost: dates before the last stage, moved up to it: 1 (2026-01-01 after 2026-01-04)",
        "lost: closed before created: a day before that of lead: 1 (record 6: 2026-01-01, lead 2026-01-04)",
        "amount: won without an amount: 1 (record 3)",
        "records: set aside: no stage entered by the as-of day: 1 (1 without any day)",
        "records: kept: 6",
    ]


def test_what_was_entered_after_the_as_of_day_is_not_known(crm: Path) -> None:
    history = read_records(crm, date(2026, 1, 9))
    assert entered(history) == {
        "1": {"lead": "01-01", "sql": "01-05"},
        "2": {"lead": "01-02"},
        "3": {"lead": "01-03"},
        "4": {"lead": "01-08", "sql": "01-08"},  # on the 9th only the sql was there
        "6": {"lead": "01-04"},
    }
    assert history.as_of == date(2026, 1, 9)
    assert history.records.set_index("record")["lost_on"].dropna().index.tolist() == ["2", "6"]
    assert "won: dates after the as-of day, ignored: 3 (as of 2026-01-09)" in report(history)
    assert "lead: dates after the as-of day, ignored: 1 (as of 2026-01-09)" in report(history)


def test_the_as_of_day_counts_to_its_end(tmp_path: Path) -> None:
    crm = workspace(
        tmp_path,
        crm=CRM,
        leads="id,created,sql,lost,origin\n1,2026-01-01 23:59:59,,,x\n2,2026-01-02,,,x\n",
        deals=DEALS,
    )
    assert list(entered(read_records(crm, date(2026, 1, 1)))) == ["1"]


def test_an_export_much_older_than_the_as_of_day_is_told(crm: Path) -> None:
    assert "records: days without any date before the as-of day: 27 (as of 2026-02-28)" in report(
        read_records(crm, date(2026, 2, 28))
    )


def test_a_record_won_and_later_lost_is_lost(tmp_path: Path) -> None:
    leads = "id,created,sql,lost,origin\n1,2026-01-01,2026-01-02,2026-03-01,x\n"
    deals = "lead,won,amount\n1,2026-02-01,5\n"
    history = read_records(workspace(tmp_path, crm=CRM, leads=leads, deals=deals))
    assert history.records["lost_on"].tolist() == [pd.Timestamp("2026-03-01")]
    assert "won" not in set(history.stage_history["stage"])
    told = "won: won and later lost or reopened, no wins; outcome: first counts them: 1 (1 of them lost)"
    assert told in report(history)
    first = read_records(workspace(tmp_path, crm=f"{CRM}outcome: first\n", leads=leads, deals=deals))
    assert first.records["lost_on"].isna().all()
    assert "won" in set(first.stage_history["stage"])
    assert "lost: losses of records in won, ignored: 1" in report(first)


UNDONE = """\
format: history
path: log.csv
id: id
at: at
value: value
stages: {new: New, proposal: Proposal, won: Won}
lost: Lost
"""


@pytest.mark.parametrize(
    ("changes", "won", "lost"),
    [
        ("Won 01-05, Lost 01-09", False, True),
        ("Won 01-05, Proposal 01-09", False, False),
        ("Won 01-05, Lost 01-09, Won 01-11", True, False),
        ("Lost 01-05, Won 01-09", True, False),
        ("Won 01-05", True, False),
    ],
)
def test_the_last_closing_state_decides(tmp_path: Path, changes: str, won: bool, lost: bool) -> None:
    rows = [f"1,2026-{each.split()[1]},{each.split()[0]}" for each in f"New 01-01, {changes}".split(", ")]
    others = ["2,2026-01-01,New", "2,2026-01-02,Proposal", "2,2026-01-03,Won", "3,2026-01-02,Lost"]
    (tmp_path / "log.csv").write_text("\n".join(["id,at,value", *rows, *others]) + "\n", encoding="utf-8")
    (tmp_path / "crm.yaml").write_text(UNDONE, encoding="utf-8")
    history = read_records(tmp_path / "crm.yaml", date(2026, 1, 31))
    assert ("won" in entered(history)["1"]) == won
    assert history.records.set_index("record")["lost_on"].notna()["1"] == lost


ZONED = """\
format: wide
files: {l: {path: l.csv, id: id}, d: {path: d.csv, id: lead}}
stages: {lead: l.created, won: d.won}
"""


@pytest.mark.parametrize(
    ("zone", "day"), [("", "2026-04-01"), ("America/Los_Angeles", "2026-03-31"), ("Europe/Berlin", "2026-04-01")]
)
def test_a_moment_becomes_a_day_where_the_company_is(tmp_path: Path, zone: str, day: str) -> None:
    (tmp_path / "l.csv").write_text("id,created\n1,2026-02-10\n", encoding="utf-8")  # a day as it stands
    (tmp_path / "d.csv").write_text("lead,won\n1.0,2026-04-01T00:30:00.000+0000\n", encoding="utf-8")  # joins 1
    (tmp_path / "crm.yaml").write_text(ZONED + (f"timezone: {zone}\n" if zone else ""), encoding="utf-8")
    history = read_records(tmp_path / "crm.yaml", date(2026, 12, 31))
    days = history.stage_history.set_index("stage")["entered_on"].dt.strftime("%Y-%m-%d").to_dict()
    assert days == {"lead": "2026-02-10", "won": day}
    assert any("whose day is that in UTC" in line for line in report(history)) == (not zone)


def test_a_lone_day_in_the_far_future_is_not_the_day_of_the_export(tmp_path: Path) -> None:
    rows = [f"{i},2026-01-{i % 28 + 1:02d},,,x" for i in range(1, 150)] + ["150,2062-01-01,,,x"]
    crm = workspace(tmp_path, crm=CRM, leads="\n".join(["id,created,sql,lost,origin", *rows]), deals=DEALS)
    history = read_records(crm)
    assert history.as_of == date(2026, 2, 1)
    assert "lead: dates after the as-of day, ignored: 1 (as of 2026-02-01)" in report(history)


def test_a_source_that_enters_later_skips_nothing(tmp_path: Path) -> None:
    # 30 inbound records with all days; 30 outbound ones that begin at sql, one of them with a lead day
    inbound = [f"i{n},2026-01-01,2026-01-05,,inbound" for n in range(30)]
    outbound = [f"o{n},{'2026-01-01' if n == 0 else ''},2026-01-05,,outbound" for n in range(30)]
    leads = "\n".join(["id,created,sql,lost,origin", *inbound, *outbound])
    history = read_records(workspace(tmp_path, crm=CRM, leads=leads, deals="lead,won,amount\ni1,2026-02-01,\n"))
    days = entered(history)
    assert days["o0"] == {"lead": "01-01", "sql": "01-05"}
    assert days["o1"] == {"sql": "01-05"}
    assert "sql: records of source outbound enter here: hardly any has a date before: 30" in report(history)


def test_the_fingerprint_is_that_of_the_bytes(crm: Path) -> None:
    first = read_records(crm).fingerprint
    assert read_records(crm, date(2026, 1, 9)).fingerprint == first
    (crm.parent / "deals.csv").write_text(DEALS + "2,2026-02-01,\n", encoding="utf-8")
    assert read_records(crm).fingerprint != first


def test_faults_of_all_files_come_at_once(tmp_path: Path) -> None:
    crm = workspace(tmp_path, crm=CRM, leads=LEADS.replace("origin", "orgin"))
    with pytest.raises(DataError) as caught:
        read_records(crm)
    assert [str(fault) for fault in caught.value.faults] == [
        "crm.yaml line 4, files.deals.path: there is no file 'deals.csv'; its path counts from the CRM file's folder",
        "crm.yaml line 7, source: leads.csv has no column 'origin'; did you mean 'orgin'?",
    ]


def test_faults_of_all_columns_come_at_once(crm: Path) -> None:
    leads = LEADS.replace("2026-01-05", "05.01.2026").replace("2026-01-09", "9 Jan")
    workspace(crm.parent, leads=leads, deals=DEALS.replace('"1,200"', "twelve"))
    with pytest.raises(DataError) as caught:
        read_records(crm)
    assert [fault.place for fault in caught.value.faults] == [
        "leads.csv line 2, sql",
        "leads.csv line 8, sql",
        "leads.csv line 3, lost",
        "deals.csv line 2, amount",
    ]


def test_an_export_without_a_usable_record_is_refused(tmp_path: Path, crm: Path) -> None:
    with pytest.raises(
        DataError,
        match=r"crm\.yaml: no record has entered a stage by 2020-01-01, the first did on 20\d\d-\d\d-\d\d: ask of a later day",
    ):
        read_records(crm, date(2020, 1, 1))
    workspace(tmp_path, leads="id,created,sql,lost,origin\n77,,,,x\n", deals="lead,won,amount\n77,,\n")
    with pytest.raises(DataError, match=r"crm\.yaml: no row has a day on which a stage was entered"):
        read_records(crm)


def test_a_label_that_means_every_source_is_refused(crm: Path) -> None:
    workspace(crm.parent, leads=LEADS.replace("fair", "all"))
    with pytest.raises(
        DataError, match=r"crm\.yaml line 7, source: a source is called 'all', which here means every source"
    ):
        read_records(crm)


# --- one file with the state, and the history format ---------------------------------------------------------


def test_rows_can_be_chosen_by_their_state(tmp_path: Path) -> None:
    crm = """\
format: wide
files: {pipeline: {path: pipeline.csv, id: id, decimal: ",", date_format: "%d.%m.%Y"}}
stages:
  engaged: pipeline.engaged
  won: {at: pipeline.closed, field: pipeline.stage, is: Won}
lost: {at: pipeline.closed, field: pipeline.stage, is: Lost}
amount: pipeline.value
"""
    rows = "id;engaged;stage;closed;value\n1;01.02.2026;Won;03.02.2026;1.200,50\n2;01.02.2026;lost;04.02.2026;\n3;02.02.2026;Won;;\n"
    history = read_records(workspace(tmp_path, crm=crm, pipeline=rows))
    assert entered(history) == {
        "1": {"engaged": "02-01", "won": "02-03"},
        "2": {"engaged": "02-01"},
        "3": {"engaged": "02-02"},
    }
    assert history.records["amount"].tolist()[0] == 1200.5
    assert history.records.loc[history.records["record"] == "2", "lost_on"].item() == pd.Timestamp("2026-02-04")
    assert "pipeline.csv, stage: rows that are Won without a day: 1" in report(history)


CHANGES = """\
Id,When,Field,New
1,2026-01-02,Status,MQL
1,2026-01-03,Owner,Ann
1,2026-01-09,Status,Closed Won
2,2026-01-02,Status,mql
2,2026-01-04,Status,Closed Lost
3,2026-01-05,Status,Closed Lost
3,2026-01-06,Status,MQL
3,2026-01-08,Status,MQL
9,2026-01-05,Status,MQL
4,2026-01-05,Status,Nurture
,2026-01-05,Status,MQL
2,,Status,MQL
"""

HISTORY = """\
format: history
path: changes.csv
id: Id
at: When
field: Field
is: Status
value: New
records: {path: leads.csv, id: Id}
stages: {lead: {at: records.Created}, mql: MQL, won: Closed Won}
lost: Closed Lost
source: records.Origin
"""


def test_the_history_format(tmp_path: Path) -> None:
    leads = "Id,Created,Origin\n1,2026-01-01,web\n2,2026-01-01,web\n3,2026-01-01,fair\n4,2026-01-01,fair\n"
    history = read_records(workspace(tmp_path, crm=HISTORY, changes=CHANGES, leads=leads))
    assert entered(history) == {
        "1": {"lead": "01-01", "mql": "01-02", "won": "01-09"},
        "2": {"lead": "01-01", "mql": "01-02"},
        "3": {"lead": "01-01", "mql": "01-06"},  # the first of two entries counts
        "4": {"lead": "01-01"},
    }
    assert history.records.set_index("record")["lost_on"].dropna().dt.day.to_dict() == {"2": 4}
    assert report(history) == [
        "records: rows read: 4 (leads.csv: utf-8, separated by comma)",
        "records: rows kept: 4",
        "changes.csv: rows read: 12 (changes.csv: utf-8, separated by comma)",
        "changes.csv: set aside: no id: 1 ('MQL' 1)",
        "changes.csv: set aside: another field: 1 ('Ann' 1)",
        "changes.csv: set aside: a value that is no stage: 1 ('Nurture' 1)",
        "changes.csv: set aside: no date: 1 ('2' 1)",
        "changes.csv: set aside: no record of that id: 1 ('9' 1)",
        "changes.csv: rows kept: 7",
        "changes.csv, When: empty cells: 1",
        "changes.csv, New: values matched despite case or spacing: 1 (mql)",
        "records: records that left and entered again, counted as one; attempts: true counts each attempt: 1 (3)",
        "lost: losses of records reopened later, ignored: 1",
        "records: kept: 4",
    ]


def test_before_it_was_reopened_a_record_was_lost(tmp_path: Path) -> None:
    leads = "Id,Created,Origin\n3,2026-01-01,fair\n"
    history = read_records(workspace(tmp_path, crm=HISTORY, changes=CHANGES, leads=leads), date(2026, 1, 5))
    assert history.records["lost_on"].tolist() == [pd.Timestamp("2026-01-05")]


def test_without_a_records_file_the_changes_say_which_records_there_are(tmp_path: Path) -> None:
    crm = (
        HISTORY.replace("records: {path: leads.csv, id: Id}\n", "")
        .replace("{at: records.Created}", "Nurture")
        .replace("source: records.Origin\n", "")
    )
    history = read_records(workspace(tmp_path, crm=crm, changes=CHANGES))
    assert sorted(entered(history)) == ["1", "2", "3", "4", "9"]
    assert history.records["source"].unique().tolist() == ["all"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("mql: MQL", "mql: Demo", "stages.mql: no row is 'Demo'; it has"),
        ("won: Closed Won", "won: Closed-Wonn", "stages.won: no row is 'Closed-Wonn'; did you mean 'Closed Won'?"),
    ],
)
def test_a_stage_whose_label_no_row_has_is_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in HISTORY
    leads = "Id,Created,Origin\n1,2026-01-01,web\n2,2026-01-01,web\n3,2026-01-01,fair\n"
    crm = workspace(tmp_path, crm=HISTORY.replace(old, new), changes=CHANGES, leads=leads)
    with pytest.raises(DataError) as caught:
        read_records(crm)
    assert said in str(caught.value)


@pytest.mark.parametrize(("until", "day"), [(90, "2026-03-31"), (None, "2026-05-10")])
def test_today_is_the_last_day_on_which_records_still_came_in(tmp_path: Path, until: int | None, day: str) -> None:
    """Three leads a day, each won after 40 days: where leads end on 31 March the wins of April and May have no beginning."""
    days = pd.date_range("2026-01-01", "2026-05-10")
    created = days[:until] if until else days
    rows = [f"{n},{each:%Y-%m-%d},{each + pd.Timedelta(days=40):%Y-%m-%d}" for n, each in enumerate(created.repeat(3))]
    rows = [row if row[-10:] <= "2026-05-10" else row[:-10] for row in rows]
    (tmp_path / "leads.csv").write_text("\n".join(["id,created,won", *rows]) + "\n", encoding="utf-8")
    crm = "format: wide\nfiles: {d: {path: leads.csv, id: id}}\nstages: {lead: d.created, won: d.won}\n"
    (tmp_path / "crm.yaml").write_text(crm, encoding="utf-8")
    history = read_records(tmp_path / "crm.yaml")
    assert str(history.as_of) == day
    assert silence(history).startswith("No new record since 31 Mar 2026, though others go on to 10 May 2026") == bool(
        until
    )
    later = read_records(tmp_path / "crm.yaml", date(2026, 5, 10))
    told = silence(later)
    assert told.startswith("No new record since 31 Mar 2026, 40 days before 10 May 2026, where about 121") == bool(
        until
    ), told


def test_what_an_export_knew_on_a_day_is_a_view_of_it() -> None:
    """Whatever was looked at before: the export is read once and nothing of it changes."""
    crm = Path(__file__).parents[2] / "data" / "example" / "crm.yaml"
    export, days = read_export(crm), [date(2026, 6, 30), date(2025, 9, 30), None, date(2026, 6, 30)]
    for day in days:
        view, alone = export.on(day), read_records(crm, day)
        pd.testing.assert_frame_equal(view.stage_history, alone.stage_history)
        pd.testing.assert_frame_equal(view.records, alone.records)
        assert (view.as_of, view.report, view.fingerprint) == (alone.as_of, alone.report, alone.fingerprint)


# --- a table in several files -------------------------------------------------------------------------------

HEAD = "Id,Created,Won,Stage,Changed\n"
OLDER = HEAD + "a,2024-01-05,2024-02-01,Won,2024-02-01\nb,2024-11-05,,Open,2024-11-05\n"
NEWER = HEAD + "b,2024-11-05,2025-01-20,Won,2025-01-20\nc,2025-02-03,,Open,2025-02-03\n"
YEARS = "format: wide\nfiles: {opps: {path: %s, id: Id}}\nstages: {lead: opps.Created, won: opps.Won}\n"
LAST_CHANGED = "duplicates: newest\nmodified: opps.Changed\n"


def told(folder: Path, crm: str) -> Path:
    (folder / "crm.yaml").write_text(crm, encoding="utf-8")
    return folder / "crm.yaml"


def in_years(folder: Path, crm: str, older: str = OLDER, newer: str = NEWER) -> Path:
    """A CRM file beside two yearly exports."""
    for name, text in (("opps-2024.csv", older), ("opps-2025.csv", newer), ("crm.yaml", crm)):
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "crm.yaml"


@pytest.mark.parametrize("path", ["[opps-2024.csv, opps-2025.csv]", "opps-*.csv", "[opps-2024.csv, opps-*.csv]"])
def test_a_table_may_stand_in_several_files_of_one_header(tmp_path: Path, path: str) -> None:
    found, _ = check_crm(in_years(tmp_path, YEARS % path + LAST_CHANGED))
    assert [(each["path"], each["rows"]) for each in found["files"]] == [("opps-2024.csv", 2), ("opps-2025.csv", 2)]
    assert (found["records"], found["entered"]) == (3, {"lead": 3, "won": 2})
    assert [(each["why"], each["count"]) for each in found["set_aside"]] == [
        ("opps: an older version of a record, as duplicates: newest asks", 1)
    ]
    assert found["set_aside"][0]["example"] == "opps-2024.csv line 3: b"


def test_equal_rows_of_two_files_count_once_and_unequal_ones_are_asked_about(tmp_path: Path) -> None:
    crm = in_years(tmp_path, YEARS % "opps-*.csv", newer=HEAD + OLDER.splitlines()[1] + "\nc,2025-02-03,,Open,\n")
    found, _ = check_crm(crm)
    assert (found["records"], found["set_aside"][0]["count"]) == (3, 1)
    assert found["set_aside"][0]["why"] == "opps: the same as another row of its id"
    in_years(tmp_path, YEARS % "opps-*.csv")
    with pytest.raises(DataError) as error:
        check_crm(crm)
    assert "opps-2025.csv line 2: 2025-01-20" in str(error.value)
    assert "duplicates: newest and modified: opps.Changed" in str(error.value)


def test_the_order_and_form_of_the_files_change_nothing(tmp_path: Path) -> None:
    one, _ = check_crm(in_years(tmp_path, YEARS % "[opps-2024.csv, opps-2025.csv]" + LAST_CHANGED))
    (tmp_path / "opps-2025.csv").write_text(
        "\n".join(";".join(reversed(line.split(","))) for line in NEWER.splitlines()), encoding="utf-16"
    )
    other, _ = check_crm(told(tmp_path, YEARS % "[opps-2025.csv, opps-2024.csv]" + LAST_CHANGED))
    assert {key: one[key] for key in ("records", "entered", "open", "as_of")} == {
        key: other[key] for key in ("records", "entered", "open", "as_of")
    }


def test_faults_of_several_files_name_the_file_and_its_line(tmp_path: Path) -> None:
    crm = in_years(tmp_path, YEARS % "opps-*.csv" + LAST_CHANGED, newer=NEWER.replace("2025-02-03,,", "soon,,"))
    with pytest.raises(DataError, match=r"opps-2025\.csv line 3, Created") as error:
        check_crm(crm)
    assert "opps-2024.csv and" not in str(error.value)
    cells = tmp_path / "bad.csv"
    aside = LAST_CHANGED + "bad_values: set_aside\n"
    check_crm(told(tmp_path, YEARS % "opps-*.csv" + aside), cells_to=cells)
    assert "opps-2025.csv,3,Created,soon," in cells.read_text("utf-8")


def test_files_without_a_needed_column_or_without_a_match_are_faults(tmp_path: Path) -> None:
    crm = in_years(tmp_path, YEARS % "opps-*.csv", newer=NEWER.replace("Won,Stage", "Signed,Stage"))
    with pytest.raises(DataError, match=r"has no column 'Won', which is in opps-2024\.csv and not in opps-2025\.csv"):
        check_crm(crm)
    with pytest.raises(DataError, match=r"there is no file like 'deals-\*\.csv'"):
        check_crm(told(tmp_path, YEARS % "deals-*.csv"))
    with pytest.raises(DataError, match=r"there is no file 'x\.csv'"):
        check_crm(told(tmp_path, YEARS % "[opps-2024.csv, x.csv]"))


def test_a_log_in_several_files_is_one_log(tmp_path: Path) -> None:
    head = "Deal,At,Stage\n"
    crm = (
        "format: history\npath: log-*.csv\nid: Deal\nat: At\nvalue: Stage\n"
        "stages: {lead: [New], sql: [Qualified], won: [Won]}\n"
    )
    (tmp_path / "log-1.csv").write_text(head + "a,2024-01-01,New\nb,2024-01-02,New\na,2024-02-01,Qualified\n")
    (tmp_path / "log-2.csv").write_text(head + "a,2024-02-01,Qualified\na,2024-03-01,Won\nb,2024-03-05,Qualified\n")
    found, _ = check_crm(told(tmp_path, crm))
    assert (found["records"], found["entered"]) == (2, {"lead": 2, "sql": 2, "won": 1})
    assert [each["rows"] for each in found["files"]] == [3, 3]


def test_typed_files_of_one_table_stay_typed(tmp_path: Path) -> None:
    for year, days in ((2024, ["2024-01-05", "2024-02-05"]), (2025, ["2025-01-05", "2025-02-05"])):
        rows = f"('{year}a', DATE '{days[0]}', DATE '{days[1]}'), ('{year}b', DATE '{days[1]}', NULL)"
        table = f"(SELECT * FROM (VALUES {rows}) AS opps(Id, Created, Won))"
        duckdb.sql(f"COPY {table} TO '{tmp_path / f'opps-{year}.parquet'}' (FORMAT parquet)")
    found, _ = check_crm(told(tmp_path, YEARS % "opps-*.parquet"))
    assert found["entered"] == {"lead": 4, "won": 2}
    here, _ = check_crm(told(tmp_path, YEARS % "[opps-2024.parquet, opps-2025.parquet]"))
    assert here["entered"] == found["entered"]


@pytest.mark.parametrize(
    ("amount", "won", "said"),
    [
        ("money.amount", 5.0, "money: set aside: of a record that has another row: 1 (line 2: X1)"),
        (
            "{column: money.amount, of: lines}",
            13.0,
            "money: line items added to their record, as of: lines asks: 1 (line 2: X1)",
        ),
    ],
)
def test_rows_of_a_record_and_of_one_merged_into_it_are_of_one_record(
    tmp_path: Path, amount: str, won: float, said: str
) -> None:
    crm = (
        "format: wide\nfiles: {leads: {path: leads.csv, id: id}, money: {path: money.csv, id: lead}}\n"
        f"stages: {{lead: leads.created, won: leads.won}}\nmerged: leads.merged\namount: {amount}\n"
    )
    leads = "id,created,won,merged\nL1,2026-01-01,2026-02-01,X1\nL2,2026-01-02,,\n"
    money = "lead,amount\nX1,7\nL1,5\nL2,9\nL9,3\n"
    money += "L1,1\n" if "lines" in amount else ""
    history = read_records(workspace(tmp_path, crm=crm, leads=leads, money=money))
    assert history.records.set_index("record")["amount"].astype(float).to_dict() == {"L1": won, "L2": 9.0}
    assert said in report(history)
    assert "money: set aside: no record of that id: 1 (line 5: L9)" in report(history)


def test_rows_beside_records_that_are_all_left_out_are_set_aside(tmp_path: Path) -> None:
    crm = CRM.replace("stages:", "  more: {path: more.csv, id: lead}\nstages:").replace("deals.amount", "more.amount")
    crm = crm.replace("won: deals.won", "won: leads.won") + "except: {leads.origin: [web, fair, Select]}\n"
    leads = "id,created,sql,won,lost,origin\n1,2026-01-01,,,,web\n2,2026-01-02,,,,fair\n3,2026-01-02,,,,Select\n"
    path = workspace(tmp_path, crm=crm, leads=leads, deals=DEALS, more="lead,amount\n1,5\n")
    with pytest.raises(DataError, match="no row has a day on which a stage was entered"):
        read_records(path)
