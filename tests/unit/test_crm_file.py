"""The CRM file: what may stand in it, and every fault of it at once, with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from revplan.crm.file import read_crm_file
from revplan.crm.mapping import HistoryCrm, WideCrm
from revplan.ground.errors import DataError

WIDE = """\
format: wide
files:
  leads: {path: leads.csv, id: mql_id}
  deals: {path: closed_deals.csv, id: mql_id}
stages: {lead: leads.first_contact_date, won: deals.won_date}
lost: leads.lost_date
source: leads.origin
segment: {value: all}
"""

HISTORY = """\
format: history
path: changes.csv
id: LeadId
at: CreatedDate
field: Field
is: Status
value: NewValue
stages: {lead: New, mql: [MQL, Marketing Qualified], won: Closed Won}
lost: [Closed Lost, Disqualified]
records: {path: leads.csv, id: Id, date_format: "%d/%m/%Y"}
source: records.LeadSource
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "crm.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def faults(tmp_path: Path, text: str) -> list[str]:
    with pytest.raises(DataError) as caught:
        read_crm_file(written(tmp_path, text))
    return [str(fault) for fault in caught.value.faults]


def test_the_wide_format_of_the_interface(tmp_path: Path) -> None:
    crm = read_crm_file(written(tmp_path, WIDE)).crm
    assert isinstance(crm, WideCrm)
    assert crm.stage_ids() == ("lead", "won")
    assert crm.stages["won"].at == "deals.won_date"
    assert crm.columns()["source",] == "leads.origin"
    assert crm.segment is not None
    assert crm.segment.value == "all"
    assert isinstance(hash(crm), int)


def test_the_history_format_of_the_interface(tmp_path: Path) -> None:
    crm = read_crm_file(written(tmp_path, HISTORY)).crm
    assert isinstance(crm, HistoryCrm)
    assert crm.stages["mql"].is_ == ("MQL", "Marketing Qualified")
    assert crm.lost == ("Closed Lost", "Disqualified")
    assert crm.records is not None
    assert crm.records.date_format == {"*": "%d/%m/%Y"}


def test_a_stage_may_take_only_the_rows_with_a_label(tmp_path: Path) -> None:
    text = WIDE.replace("won: deals.won_date", "won: {at: deals.closed, field: deals.is_won, is: true}")
    crm = read_crm_file(written(tmp_path, text)).crm
    assert crm.days()["stages", "won"].is_ == ("true",)


def test_a_strange_key_of_a_column_is_told_with_those_there_are(tmp_path: Path) -> None:
    text = (
        WIDE.replace("won: deals.won_date", "won: {at: deals.won_date, filed: x}")
        + "amount: {column: deals.amount, currency: deals.cur}\n"
    )
    told = "\n".join(faults(tmp_path, text))
    assert "amount.currency: unknown key 'currency'; allowed here: column, of" in told
    assert "stages.won.filed: unknown key 'filed'; did you mean 'field'? allowed here: at, " in told


def test_every_fault_comes_at_once_with_its_line(tmp_path: Path) -> None:
    text = """\
format: wide
files:
  leads: {path: leads.csv, id: 5}
stages: {lead: first_contact_date, won: deals.won_date}
souce: leads.origin
amount: leads.amount
decimal: ";"
date_format: "%d/%m"
segment: {}
"""
    keys = WideCrm.model_json_schema()["properties"]
    assert faults(tmp_path, text) == [
        "crm.yaml line 8, date_format: '%d/%m' is no date format with year, month and day, such as %d/%m/%Y or %m/%d/%Y %H:%M; nor one of epoch_ms, epoch_s, excel_serial",
        "crm.yaml line 7, decimal: got ';'; it must be '.' or ',' "
        '(Decimal mark of amounts, "." or ","; or file.column -> its mark)',
        "crm.yaml line 3, files.leads.id: got '5'; it must be text; put it in quotes (Column that identifies the record; `row` where there is none: then each row is one)",
        "crm.yaml line 4, stages.lead: got 'first_contact_date'; write it like leads.created, a file and its column",
        f"crm.yaml line 5, souce: unknown key 'souce'; did you mean 'source'? allowed here: {', '.join(keys)}",
        "crm.yaml line 4, stages.won.at: 'deals' is none of the files; it has leads",
        "crm.yaml line 4, stages.lead: has no `at`; name the column with its day (file.column)",
        "crm.yaml line 9, segment: give either a column (file.column) or {value: one label for all}",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("format: tall\n", "crm.yaml line 1, format: is tall; it must be one of: wide, history"),
        ("files: {}\n", "crm.yaml line 1, format: is missing; it must be one of: wide, history"),
        ("root:x:0:0:root:/root:/bin/bash\n", "crm.yaml: holds plain text; give the CRM file (YAML)"),
        ("goal: {new_arr: 5}\n", "crm.yaml: is a plan; give the CRM file (YAML)"),
        (
            "goal: {}\nhistory: {leads: my.yaml}\n",
            "crm.yaml: is a plan; give the CRM file (YAML) that it names: my.yaml",
        ),
        (
            WIDE.replace("{path: leads.csv, id: mql_id}", "{id: mql_id}"),
            "crm.yaml line 3, files.leads.path: is missing",
        ),
        (WIDE.replace("leads:", "the.leads:"), "crm.yaml line 3, files.the.leads: a file's name must not hold a dot"),
        (
            WIDE.replace("won: deals.won_date", "won: {at: deals.d, field: leads.x, is: W}"),
            "crm.yaml line 5, stages.won: `at` and `field` must stand in one file; these are deals and leads",
        ),
        (
            WIDE.replace("won: deals.won_date", "won: {at: deals.d, is: W}"),
            "crm.yaml line 5, stages.won: give `field` and `is` together",
        ),
        (HISTORY.replace("is: Status\n", ""), "crm.yaml line 5, field: give `field` and `is` together"),
        (
            HISTORY.replace("won: Closed Won", "won: closed  lost"),
            "crm.yaml line 9, lost: 'Closed Lost' stands for stages.won already",
        ),
        (HISTORY.replace("lead: New", "lead: {}"), "crm.yaml line 8, stages.lead: give the values changed to"),
        (
            HISTORY.replace("lead: New", "lead: {at: leads.created}"),
            "crm.yaml line 8, stages.lead.at: 'leads' is none of the files",
        ),
        (WIDE.replace("won: deals.won_date", ""), "crm.yaml line 5, stages: "),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, text: str, message: str) -> None:
    found = faults(tmp_path, text)
    assert any(fault.startswith(message) for fault in found), found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- wide\n",
        "just text\n",
        "format: wide\nformat: history\n",
        "format: !!python/object/apply:os.getcwd []\n",
        "format: [wide\n",
        "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n",
        "\x07",
        "[" * 3000,
    ],
)
def test_what_is_no_plain_mapping_is_refused(tmp_path: Path, text: str) -> None:
    assert all(fault.startswith("crm.yaml") for fault in faults(tmp_path, text))


def test_an_anchor_set_twice_is_refused(tmp_path: Path) -> None:
    assert faults(tmp_path, "format: wide\na: &x 1\nb: &x 2\nc: *x\n") == [
        "crm.yaml line 3: sets an anchor (&) that line 2 sets already; give it another name"
    ]


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "crm.yaml"
    path.write_bytes(b"format: \xff\xfe")
    with pytest.raises(DataError, match=r"crm\.yaml: is not UTF-8 text"):
        read_crm_file(path)


def test_a_missing_crm_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such file"):
        read_crm_file(tmp_path / "none.yaml")


def test_a_log_takes_amounts_from_the_records_file(tmp_path: Path) -> None:
    text = """\
format: history
path: log.csv
id: id
at: at
value: value
stages: {new: New, won: Won}
amount: deals.Amount
files: {deals: {path: deals.csv, id: id}}
"""
    (fault,) = [each for each in faults(tmp_path, text) if "amount" in each]
    assert fault == (
        "crm.yaml line 7, amount: 'deals.Amount': in `format: history` the files under `files` only list names; "
        "take it from the file under `records`, whose columns are records.column"
    )


SIDE = "touches: {path: t.csv, id: lead, at: when}"


@pytest.mark.parametrize(
    ("text", "old", "new", "place"),
    [
        (WIDE, "leads: {path: leads.csv, id: mql_id}", "leads: {path: leads.csv, id: mql_id, split: ';'}", "files.leads.split"),
        (WIDE, "leads: {path: leads.csv, id: mql_id}", "leads: {path: leads.csv, id: mql_id, via: deals.lead}", "files.leads.via"),
        (HISTORY, "id: Id,", "id: Id, split: ';',", "records.split"),
        (WIDE + SIDE, "at: when", "at: when, split: ';'", "touches.split"),
        (WIDE + SIDE, "at: when", "at: when, via: leads.t", "touches.via"),
    ],
)  # fmt: skip
def test_a_join_that_would_do_nothing_is_refused(tmp_path: Path, text: str, old: str, new: str, place: str) -> None:
    (fault,) = faults(tmp_path, text.replace(old, new))
    assert f", {place}: acts only where" in fault
    assert "take it out" in fault


def test_a_file_beside_the_records_may_be_joined_by_several_ids(tmp_path: Path) -> None:
    joined = WIDE.replace("closed_deals.csv, id: mql_id", "closed_deals.csv, id: deal_id, via: leads.deal, split: ';'")
    assert read_crm_file(written(tmp_path, joined)).crm.files["deals"].split == ";"  # type: ignore[index, union-attr]
