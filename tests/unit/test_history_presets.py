"""Presets: exports known by their header rows, what they are taken for in the report, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from revplan.crm.file import read_crm_file
from revplan.crm.presets import REFERENCE, presets, squeezed_header, texts
from revplan.crm.records import History, read_records
from revplan.ground.errors import DataError

PRESETS = Path(__file__).parents[2] / "revplan" / "crm" / "presets"

DATA = Path(__file__).parents[3] / "shared" / "data"

LEADS = """\
 ID ,CreatedDate,IsConverted,ConvertedDate,ConvertedOpportunityId,Status,LeadSource,OwnerId
L1,2026-01-01,true,2026-01-10,O1,Converted,Web,ann
L2,2026-01-02,TRUE,2026-01-12,O1,Converted,Web,ann
L3,2026-01-03,false,,,Open,Fair,bob
L4,2026-01-04,true,2026-01-14,O2,Converted,Fair,bob
"""

OPPORTUNITIES = """\
id,account_id,amount,close_date,created_date,stage_name,is_closed,is_won,lead_source,owner_id,probability
O1,A1,1000,2026-02-01,2026-01-10,Closed Won,true,TRUE,Web,cyd,100
O2,A2,,2026-02-02,2026-01-14,Closed Lost,true,false,Fair,cyd,0
O3,A3,,2026-06-30,2026-01-15,Prospecting,false,false,Fair,dan,1000
"""


def written(folder: Path, crm: str, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    path = folder / "crm.yaml"
    path.write_text(crm, encoding="utf-8")
    return path


def preset(name: str, *files: str) -> str:
    entries = ", ".join(f"{file}: {{path: {file}.csv}}" for file in files)
    return f"preset: {name}\nfiles: {{{entries}}}\n"


def entered(history: History) -> dict[str, dict[str, str]]:
    table = history.stage_history.assign(day=history.stage_history["entered_on"].dt.strftime("%m-%d"))
    return {record: dict(zip(rows["stage"], rows["day"], strict=True)) for record, rows in table.groupby("record")}


def report(history: History) -> list[str]:
    return [str(line) for line in history.report]


def fault(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_records(path)
    return str(caught.value)


# --- Salesforce ---------------------------------------------------------------------------------------------


def test_opportunities_alone(tmp_path: Path) -> None:
    history = read_records(written(tmp_path, preset("salesforce", "opps"), opps=OPPORTUNITIES))
    assert entered(history) == {
        "O1": {"opportunity": "01-10", "won": "02-01"},
        "O2": {"opportunity": "01-14"},
        "O3": {"opportunity": "01-15"},  # its close date is a hope, not a loss
    }
    lost = history.records.set_index("record")["lost_on"]
    assert lost.notna().to_dict() == {"O1": False, "O2": True, "O3": False}
    assert history.records["source"].tolist() == ["Web", "Fair", "Fair"]
    assert history.records["owner"].tolist() == ["cyd", "cyd", "dan"]
    assert report(history)[:2] == [
        "preset salesforce: opps read as Opportunity, columns known: 9 (id: id, created: created_date, close: close_date, "
        "is won: is_won, is closed: is_closed, source: lead_source, owner: owner_id, amount: amount, "
        "probability: probability)",
        "preset salesforce: stages chosen: 2 (opportunity = opps.created_date; won = opps.close_date where opps.is_won "
        "is true; lost = opps.close_date where opps.is_closed is true and opps.is_won is false)",
    ]
    assert any("probabilities over 100" in line for line in report(history))


def test_leads_are_joined_with_the_opportunities_they_became(tmp_path: Path) -> None:
    crm = written(tmp_path, preset("salesforce", "leads", "opps"), leads=LEADS, opps=OPPORTUNITIES)
    history = read_records(crm)
    assert entered(history) == {
        "L1": {"lead": "01-01", "opportunity": "01-10", "won": "02-01"},
        "L2": {"lead": "01-02"},  # shares the deal of L1, which counts once
        "L3": {"lead": "01-03"},
        "L4": {"lead": "01-04", "opportunity": "01-14"},
        "O3": {"opportunity": "01-15"},  # no lead led to it
    }
    assert history.records["amount"].sum() == sum(
        float(line.split(",")[2]) for line in OPPORTUNITIES.splitlines()[1:] if line.split(",")[2]
    )
    assert history.records["owner"].tolist() == ["ann", "ann", "bob", "bob", "unknown"]
    lines = report(history)
    assert "opps: rows to which no record of leads leads, records of their own: 1 (line 4: O3)" in lines
    assert "leads: records that share a row of opps with an earlier record, which has it alone: 1 (L2)" in lines


def test_a_second_deal_of_a_lead_is_a_record_of_its_own(tmp_path: Path) -> None:
    again = LEADS + "L1,2026-01-01,true,2026-01-10,O3,Converted,Web,ann\n"
    crm = written(tmp_path, preset("salesforce", "leads", "opps"), leads=again, opps=OPPORTUNITIES)
    history = read_records(crm)
    lines = report(history)
    assert "leads: set aside: the same as another row of its id: 1 (line 6: L1)" in lines
    assert "opps: further rows of a record of leads, records of their own: 1 (line 4: O3)" in lines
    assert entered(history)["O3"] == {"opportunity": "01-15"}
    assert history.records.set_index("record").loc["O3", "owner"] == "ann"


def test_leads_alone_end_at_their_conversion(tmp_path: Path) -> None:
    history = read_records(written(tmp_path, preset("salesforce", "leads"), leads=LEADS))
    assert history.stages == ("lead", "opportunity")
    assert entered(history)["L2"] == {"lead": "01-02", "opportunity": "01-12"}


def test_the_labels_of_reports(tmp_path: Path) -> None:
    text = """\
"Opportunity ID";"Opportunity Owner";"Opportunity Name";"Stage";"Total Amount";"Close Date";"Created Date"
"O1";"Ann";"One";"Closed Won";"1.200,50";"01.02.2026";"05.01.2026"
"O2";"Ann";"Two";"closed lost";"7,5";"02.02.2026";"06.01.2026"
"""
    crm = preset("salesforce", "opps") + 'date_format: "%d.%m.%Y"\ndecimal: ","\n'
    history = read_records(written(tmp_path, crm, opps=text))
    assert entered(history) == {"O1": {"opportunity": "01-05", "won": "02-01"}, "O2": {"opportunity": "01-06"}}
    assert history.records["amount"].tolist() == [1200.5, 7.5]
    assert history.records["lost_on"].notna().tolist() == [False, True]


def test_a_report_without_a_needed_column_says_what_it_has(tmp_path: Path) -> None:
    text = "Opportunity Owner,Account Name,Stage,Close Date\nAnn,Acme,Closed Won,2026-01-01\n"
    assert fault(written(tmp_path, preset("salesforce", "opps"), opps=text)).splitlines() == [
        "opps.csv: is read as Opportunity and has no column for id (Id or Opportunity ID); "
        "it has Opportunity Owner, Account Name, Stage, Close Date",
        "opps.csv: is read as Opportunity and has no column for created (Created Date or Create Date); "
        "it has Opportunity Owner, Account Name, Stage, Close Date",
    ]


LEAD_LOG = """\
LeadId,CreatedDate,CreatedById,Field,DataType,OldValue,NewValue
L1,2026-01-05,u,Status,Text,Open,MQL
L1,2026-01-06,u,Owner,Text,a,b
L1,2026-01-10,u,Status,Text,MQL,Closed - Converted
L3,2026-01-08,u,Status,Text,Open,Unqualified
L3,2026-01-08,u,Status,Text,Open,Nurture
"""


def test_changes_of_leads_with_the_leads(tmp_path: Path) -> None:
    crm = preset("salesforce", "leads", "log") + "segment: leads.Status\n"
    history = read_records(written(tmp_path, crm, leads=LEADS, log=LEAD_LOG))
    assert history.stages == ("lead", "mql", "opportunity")
    assert entered(history)["L1"] == {"lead": "01-01", "mql": "01-05", "opportunity": "01-10"}
    assert history.records["lost_on"].notna().tolist() == [False, False, True, False]
    assert history.records["segment"].tolist() == ["Converted", "Converted", "Open", "Converted"]
    assert "log.csv: set aside: a value that is no stage: 1 ('Nurture' 1)" in report(history)


DEAL_LOG = """\
"Opportunity ID","Field / Event","Old Value","New Value","Edited By","Edit Date"
"O1","Stage","Prospecting","Qualification","u","2026-01-12"
"O1","Stage","Qualification","Closed Won","u","2026-02-01"
"O2","Stage","Prospecting","Closed Lost","u","2026-02-02"
"O2","Amount","1","2","u","2026-02-02"
"""


def test_changes_of_opportunities_from_a_report_of_windows(tmp_path: Path) -> None:
    crm = written(tmp_path, preset("salesforce", "log", "opps"), opps=OPPORTUNITIES)
    (tmp_path / "log.csv").write_bytes(DEAL_LOG.replace('"u"', '"Ren\xe9"').encode("cp1252"))
    history = read_records(crm)
    assert history.stages == ("opportunity", "qualification", "won")
    assert entered(history)["O1"] == {"opportunity": "01-10", "qualification": "01-12", "won": "02-01"}
    assert history.records["amount"].sum() == 1000
    assert "log.csv: rows read: 4 (log.csv: cp1252, separated by comma)" in report(history)


def test_the_stage_history_of_opportunities(tmp_path: Path) -> None:
    log = """\
Id,OpportunityId,CreatedById,CreatedDate,StageName,Amount,ExpectedRevenue,CloseDate,Probability,ForecastCategory,IsDeleted
H1,O1,u,2026-01-10,Prospecting,1,1,2026-03-01,10,Pipeline,false
H2,O1,u,2026-01-20,Prospecting,2,1,2026-03-01,10,Pipeline,false
H3,O1,u,2026-02-01,Closed Won,2,2,2026-02-01,100,Closed,false
"""
    history = read_records(written(tmp_path, preset("salesforce", "log"), log=log))
    assert entered(history) == {"O1": {"opportunity": "01-10", "won": "02-01"}}


def test_any_key_may_be_written_instead(tmp_path: Path) -> None:
    crm = preset("salesforce", "opps") + "stages: {first: opps.created_date, last: opps.close_date}\nowner: opps.id\n"
    history = read_records(written(tmp_path, crm, opps=OPPORTUNITIES))
    assert history.stages == ("first", "last")
    assert history.records["owner"].tolist() == ["O1", "O2", "O3"]
    assert history.records["source"].tolist() == ["Web", "Fair", "Fair"]
    assert any(line.startswith("preset salesforce: stages written in the CRM file: 2") for line in report(history))


def test_what_a_preset_cannot_use(tmp_path: Path) -> None:
    assert {"salesforce", "table"} < set(presets()) == {path.stem for path in PRESETS.glob("*.yaml")}
    assert fault(written(tmp_path, preset("pipeline", "opps"), opps=OPPORTUNITIES)) == (
        f"crm.yaml line 1, preset: is pipeline; it must be one of: {', '.join(presets())}"
    )
    assert fault(written(tmp_path, preset("salesforce", "opps") + "format: wide\n")) == (
        "crm.yaml line 3, format: is what the preset says; take one of the two out"
    )
    assert fault(written(tmp_path, "preset: salesforce\n")).startswith("crm.yaml line 1, files: must name the exports")
    assert fault(written(tmp_path, preset("salesforce", "none"))).startswith(
        "crm.yaml line 2, files.none: there is no file 'none.csv'"
    )
    assert fault(written(tmp_path, preset("salesforce", "x"), x="a,b\n1,2\n")) == (
        "crm.yaml line 2, files.x: x.csv is none of LeadHistory, OpportunityFieldHistory, OpportunityHistory, Lead or "
        "Opportunity; none of its columns is one of theirs, so check its path"
    )
    strange = fault(written(tmp_path, preset("salesforce", "x"), x="Id,b\n1,2\n"))
    assert strange.endswith("Opportunity; it has Id, b")
    both = written(tmp_path, preset("salesforce", "opps", "more"), more=OPPORTUNITIES)
    assert fault(both) == (
        "more.csv: is Opportunity like another file (opps and more); if they are parts of one table, one name for both: "
        "opps: {path: [opps.csv, more.csv]}; else keep one of them"
    )
    assert "unknown key 'souce'; did you mean 'source'? allowed here: " in fault(
        written(tmp_path, preset("salesforce", "opps") + "souce: opps.x\n")
    )


def test_a_list_of_expected_names_beside_a_preset(tmp_path: Path) -> None:
    crm = preset("salesforce", "opps", "reps") + "expected: {owner: reps.name}\n"
    history = read_records(written(tmp_path, crm, opps=OPPORTUNITIES, reps="name\ncyd\ndan\neve\n"))
    assert "owner: expected names without any record; keep them in the denominator: 1 (eve)" in report(history)


# --- HubSpot ------------------------------------------------------------------------------------------------

CONTACTS = """\
Record ID,Email,Contact owner,Lifecycle Stage,Create Date,Became a Lead Date,Became a Marketing Qualified Lead Date,\
Became a Sales Qualified Lead Date,Became an Opportunity Date,Became a Customer Date,Original Source
1,a@x,ann,customer,2026-01-01 08:00,2026-01-01 08:00,2026-01-03 08:00,2026-01-04 08:00,2026-01-05 08:00,2026-02-01 08:00,Paid Search
2,b@x,bob,lead,2026-01-02 08:00,2026-01-02 08:00,,,,,Direct
"""

DEALS = '''\
Record ID,Deal Name,Deal Stage,Amount,Deal owner,Close Date,Create Date,"Date entered ""Closed Won (Sales Pipeline)""",\
"Date entered ""Contract Sent (Sales Pipeline)""","Date entered ""Closed Lost (Sales Pipeline)""","Date entered ""Demo (Sales Pipeline)""",Associated Contact IDs
11,One,Closed Won,500,ann,2026-02-01,2026-01-05,2026-02-01,2026-01-20,,,1
12,Two,Closed Lost,,ann,2026-02-03,2026-01-06,,,2026-02-03,2026-01-08,2
'''


def test_contacts_are_counted_by_the_day_they_became_something(tmp_path: Path) -> None:
    history = read_records(written(tmp_path, preset("hubspot", "contacts"), contacts=CONTACTS))
    assert history.stages == ("lead", "mql", "sql", "opportunity", "customer")  # those of the plan's preset
    assert list(entered(history)["1"].values()) == ["01-01", "01-03", "01-04", "01-05", "02-01"]
    assert history.records["source"].tolist() == ["Paid Search", "Direct"]


def test_deals_by_the_day_a_stage_was_entered(tmp_path: Path) -> None:
    history = read_records(written(tmp_path, preset("hubspot", "deals"), deals=DEALS))
    assert history.stages == ("opportunity", "contract", "customer")
    assert entered(history)["11"] == {"opportunity": "01-05", "contract": "01-20", "customer": "02-01"}
    assert history.records["lost_on"].notna().tolist() == [False, True]
    assert any(
        "Demo" in line and "no place in the usual order; name it in `stages`" in line for line in report(history)
    )


def test_deals_without_such_days_by_their_close_date(tmp_path: Path) -> None:
    text = "Record ID,Deal Stage,Amount,Deal owner,Close Date,Create Date\n1,Closed Won,5,a,2026-02-01,2026-01-01\n2,closedlost,5,a,2026-02-01,2026-01-01\n3,Contract Sent,5,a,2026-05-01,2026-01-01\n"
    history = read_records(written(tmp_path, preset("hubspot", "deals"), deals=text))
    assert entered(history)["1"] == {"opportunity": "01-01", "customer": "02-01"}
    assert history.records["lost_on"].notna().tolist() == [False, True, False]


def test_contacts_with_their_deals(tmp_path: Path) -> None:
    crm = written(tmp_path, preset("hubspot", "contacts", "deals"), contacts=CONTACTS, deals=DEALS)
    history = read_records(crm)
    assert history.stages == ("lead", "mql", "sql", "opportunity", "contract", "customer")
    assert entered(history)["1"]["contract"] == "01-20"
    assert history.records["amount"].sum() == 500
    assert history.records["lost_on"].notna().tolist() == [False, True]


def test_a_deal_of_several_contacts_is_the_first_ones(tmp_path: Path) -> None:
    deals = DEALS.replace(",,,1\n", ",,,77; 1;2\n")
    crm = written(tmp_path, preset("hubspot", "contacts", "deals"), contacts=CONTACTS, deals=deals)
    history = read_records(crm)
    assert entered(history)["1"]["contract"] == "01-20"
    assert "deals: rows that name several records, given to the first of them: 1 (77; 1;2)" in report(history)


def test_contacts_without_the_days_of_stages_are_refused(tmp_path: Path) -> None:
    text = "Record ID,Email,Lifecycle Stage\n1,a@x,customer\n"
    assert fault(written(tmp_path, preset("hubspot", "contacts"), contacts=text)).startswith(
        "contacts.csv: is read as contacts and has no column for the days stages were entered (Became a Lead Date or"
    )


def test_stage_ids_are_explained_by_the_table_of_pipeline_stages(tmp_path: Path) -> None:
    changes = "deal_id,date_entered,value\n1,2026-01-05,s1\n1,2026-02-01,s9\n2,2026-02-02,s8\n"
    deals = "deal_id,property_createdate,property_amount,deal_pipeline_stage_id\n1,2026-01-01,5,s9\n2,2026-01-02,,s8\n"
    stages = "stage_id,label,closed_won,is_closed\ns1,a,FALSE,FALSE\ns9,b,TRUE,TRUE\ns8,c,false,true\n"
    crm = preset("hubspot", "changes", "deals", "stages")
    history = read_records(written(tmp_path, crm, changes=changes, deals=deals, stages=stages))
    assert entered(history) == {"1": {"opportunity": "01-01", "customer": "02-01"}, "2": {"opportunity": "01-02"}}
    assert history.records["lost_on"].notna().tolist() == [False, True]


def test_a_preset_reads_the_other_formats_too(tmp_path: Path) -> None:
    import duckdb

    written(tmp_path, "", opps=OPPORTUNITIES)
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
        connection.execute(f"CREATE TABLE o AS SELECT *, 'x' AS other FROM read_csv('{tmp_path / 'opps.csv'}')")
    crm = "preset: salesforce\nfiles: {opps: {path: crm.duckdb, table: o}}\nsegment: opps.other\n"
    history = read_records(written(tmp_path, crm))
    assert entered(history)["O1"] == {"opportunity": "01-10", "won": "02-01"}
    assert history.records["segment"].unique().tolist() == ["x"]


# --- Pipedrive, Zoho, Dynamics 365, Bitrix24 ------------------------------------------------------------------

OTHERS = {
    "pipedrive": """\
id,title,status,value,add_time,won_time,lost_time,owner_name,is_deleted
1,a,won,100,2026-01-01 10:00:00,2026-02-01 10:00:00,,x,false
2,b,lost,50,2026-01-02 10:00:00,2026-01-20 10:00:00,2026-02-03 10:00:00,x,false
3,c,open,50,2026-01-03 10:00:00,,,x,false
4,d,won,70,2026-01-04 10:00:00,2026-02-01 10:00:00,,x,true
""",
    "zoho": """\
Record Id,Deal Name,Deal Owner,Stage,Amount,Closing Date,Created Time,Lead Source
1,a,x,Closed Won,100,2026-02-01,2026-01-01 10:00:00,Ads
2,b,x,Closed Lost to Competition,50,2026-02-03,2026-01-02 10:00:00,Ads
3,c,x,Negotiation/Review,50,2026-06-30,2026-01-03 10:00:00,Ads
""",
    "dynamics": """\
opportunityid,statecode,actualvalue,estimatedvalue,createdon,actualclosedate,_ownerid_value
1,1,100,90,2026-01-01T10:00:00Z,2026-02-01T00:00:00Z,o
2,2,,50,2026-01-02T10:00:00Z,2026-02-03T00:00:00Z,o
3,0,,50,2026-01-03T10:00:00Z,,o
""",
    "bitrix24": """\
ID,TITLE,CATEGORY_ID,STAGE_ID,STAGE_SEMANTIC_ID,OPPORTUNITY,CURRENCY_ID,DATE_CREATE,CLOSEDATE,CLOSED,SOURCE_ID
1,a,1,C1:WON,S,100,RUB,2026-01-01T10:00:00+03:00,2026-02-01T03:00:00+03:00,Y,CALL
2,b,1,C1:APOLOGY,F,50,RUB,2026-01-02T10:00:00+03:00,2026-02-03T03:00:00+03:00,Y,CALL
3,c,1,C1:NEW,P,50,RUB,2026-01-03T10:00:00+03:00,2026-06-30T03:00:00+03:00,N,CALL
""",
}


@pytest.mark.parametrize("crm", OTHERS)
def test_deals_of_four_more_crms(tmp_path: Path, crm: str) -> None:
    history = read_records(written(tmp_path, preset(crm, "deals"), deals=OTHERS[crm]))
    assert entered(history) == {
        "1": {"opportunity": "01-01", "won": "02-01"},
        "2": {"opportunity": "01-02"},
        "3": {"opportunity": "01-03"},
    }
    assert history.records["lost_on"].notna().tolist() == [False, True, False]
    assert history.records["amount"].tolist()[0] == 100
    deleted = "deals: set aside: as except: is_deleted is true: 1 (line 5: 4)"
    assert (deleted in report(history)) == (crm == "pipedrive")


def test_stage_ids_of_bitrix_without_their_meaning(tmp_path: Path) -> None:
    text = OTHERS["bitrix24"].replace("STAGE_SEMANTIC_ID", "OTHER")
    history = read_records(written(tmp_path, preset("bitrix24", "deals"), deals=text))
    assert history.records["lost_on"].notna().tolist() == [False, True, False]
    assert entered(history)["1"] == {"opportunity": "01-01", "won": "02-01"}


def test_leads_of_dynamics_with_the_opportunities_they_became(tmp_path: Path) -> None:
    opps = OTHERS["dynamics"].replace("_ownerid_value", "_originatingleadid_value").replace(",o\n", ",L1\n", 1)
    leads = "leadid,createdon,ownerid\nL1,2025-12-01T08:00:00Z,u\nL2,2025-12-02T08:00:00Z,u\n"
    history = read_records(written(tmp_path, preset("dynamics", "leads", "opps"), leads=leads, opps=opps))
    assert entered(history) == {
        "L1": {"lead": "12-01", "opportunity": "01-01", "won": "02-01"},
        "L2": {"lead": "12-02"},
        "o": {"opportunity": "01-02"},  # no lead led to it
        "o (2)": {"opportunity": "01-03"},
    }


@pytest.mark.parametrize(
    ("header", "same"),
    [("CreatedDate", "CREATED_DATE"), ("Won_Date__c", "Won Date"), ("ÉTAPE", "étape"), ("Сумма", "СУММА")],
)
def test_a_header_is_its_letters(header: str, same: str) -> None:
    assert squeezed_header(header) == squeezed_header(same)


def test_every_preset_is_sound() -> None:
    """Every reference of a reading is to a role of a kind it reads, and every kind is read by one."""
    for name, data in presets().items():
        roles = {kind: set(described["columns"]) for kind, described in data["kinds"].items()}
        read: set[str] = set()
        for reading in data["readings"]:
            kinds = {*reading["of"], *reading.get("with", ())}
            read |= kinds
            references = [match for text in texts(reading["crm"]) if (match := REFERENCE.fullmatch(text))]
            assert references, name
            for match in references:
                assert match["kind"] in kinds, (name, match[0])
                assert match["role"] is None or match["role"] in roles[match["kind"]], (name, match[0])
        assert read == set(roles), name


# --- the seeds of real schemas --------------------------------------------------------------------------------

FOLDERS = ("fivetran_salesforce_seeds", "fivetran_hubspot_seeds")
needs_data = pytest.mark.skipif(
    not all((DATA / folder).is_dir() for folder in FOLDERS), reason="the shared data are not all there"
)


@needs_data
def test_the_salesforce_seeds(tmp_path: Path) -> None:
    seeds = DATA / "fivetran_salesforce_seeds"
    crm = f"preset: salesforce\nfiles: {{opps: {{path: {seeds / 'sf_opportunity_data.csv'}}}}}\n"
    with pytest.raises(DataError, match="as except: is_deleted is true: 8"):  # all ten are deleted, or older versions
        read_records(written(tmp_path, crm))
    history = read_records(written(tmp_path, crm + "except: {}\nonly: {}\n"))
    lines = report(history)
    assert len(history.records) == 10
    assert history.records["lost_on"].notna().sum() == 4  # the tenth is open
    assert "sf_opportunity_data.csv, probability: probabilities over 100 or under 0: 1 (1000)" in lines
    assert (
        "won: closed before created: a day before that of opportunity: 1 "
        "(record 006q000000HddueAAB: 2018-12-07, opportunity 2018-12-19)"
    ) in lines
    assert "amount: won without an amount: 4 (record 006q000000HdPzpAAF)" in lines
    assert ("amount: over 100 times the median: 1 (record 006q000000HddohAAB: 24,120,000, median 205,000)") in lines


@needs_data
def test_the_hubspot_seeds(tmp_path: Path) -> None:
    seeds = DATA / "fivetran_hubspot_seeds"
    crm = f"""\
preset: hubspot
files:
  deals: {{path: {seeds / "deal_data.csv"}}}
  changes: {{path: {seeds / "deal_stage_data.csv"}}}
  stages: {{path: {seeds / "deal_pipeline_stage_data.csv"}}}
"""
    lines = report(read_records(written(tmp_path, crm)))
    assert "deal_stage_data.csv: rows read: 14 (deal_stage_data.csv: utf-8, separated by comma)" in lines
    assert any(line.startswith("deal_stage_data.csv: set aside: a value that is no stage: 14") for line in lines)
    assert "records: kept: 44" in lines


@needs_data
def test_merged_contacts_of_the_hubspot_seeds(tmp_path: Path) -> None:
    seeds = DATA / "fivetran_hubspot_seeds"
    crm = f"""\
preset: hubspot
files: {{contacts: {{path: {seeds / "contact_data.csv"}}}}}
stages: {{lead: contacts.property_createdate, form: contacts.property_first_conversion_date}}
"""
    path = written(tmp_path, crm)
    assert read_crm_file(path).crm.merged == "contacts.property_hs_merged_object_ids"
    assert any("set aside: merged into another record" in line for line in report(read_records(path)))


@pytest.mark.parametrize("name", ["null", "2026", "records", "a.b"])
def test_a_file_is_named_by_a_word(tmp_path: Path, name: str) -> None:
    path = tmp_path / "crm.yaml"
    path.write_text(f"preset: salesforce\nfiles: {{{name}: {{path: leads.csv}}}}\n", encoding="utf-8")
    with pytest.raises(DataError, match="choose a word as name"):
        read_records(path)
