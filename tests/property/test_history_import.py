"""Laws of the import and the estimates, for any records: nothing is lost uncounted, no traceback reaches a user."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import numpy as np
import openpyxl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from revplan.crm.cells import Cells, amounts, days
from revplan.crm.file import read_crm_file
from revplan.crm.records import History, closed_undated, read_records
from revplan.crm.separated import read_csv
from revplan.ground.errors import DataError
from revplan.ground.lag import Lag
from revplan.rates.estimates import estimate_transitions, estimate_warnings, transitions_block
from revplan.rates.spells import open_items, stage_entries

quiet = settings(deadline=None, max_examples=80)  # other ones each time
FIRST = date(2026, 1, 1)

WIDE = """\
format: wide
files:
  leads: {path: leads.csv, id: id}
  deals: {path: deals.csv, id: lead}
stages: {lead: leads.created, sql: leads.sql, won: deals.won}
lost: leads.lost
source: leads.source
amount: deals.amount
"""

HISTORY = """\
format: history
path: changes.csv
id: id
at: at
field: field
is: Status
value: value
stages: {lead: New, sql: [SQL, Qualified], won: Won}
lost: [Lost, Dead]
"""

ids = st.sampled_from(["", "-", "1", "2", "3", "4", "5", " 2 ", "00123", "1E5"])
day = st.one_of(
    st.just(""),
    st.sampled_from(["NULL", "9999-12-31"]),
    st.integers(0, 60).map(lambda n: str(FIRST + timedelta(days=n))),
    st.integers(0, 60).map(lambda n: f"{FIRST + timedelta(days=n)} 13:51:03"),
)
lead = st.tuples(ids, day, day, day, st.sampled_from(["web", "Fair", "", "Select"]))
deal = st.tuples(ids, day, st.sampled_from(["", "1,200", "$5", "(7)"]))
change = st.tuples(
    ids,
    day,
    st.sampled_from(["Status", "status", "Owner"]),
    st.sampled_from(["New", "SQL", "qualified", "Won", "Lost", "Nurture", ""]),
)


def as_csv(header: str, rows: list[tuple[str, ...]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([header.split(","), *rows])
    return text.getvalue()


def in_folder(files: dict[str, str | bytes], read: Callable[[Path], History | None]) -> History | None:
    """What `read` makes of a folder with `files`; None where it refuses them with a DataError."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        for file, content in files.items():
            (folder / file).write_bytes(content if isinstance(content, bytes) else content.encode())
        try:
            return read(folder / "crm.yaml")
        except DataError:
            return None


def counts(history: History, part: str) -> tuple[int, int, int]:
    """Rows read, kept and set aside in a part of the report."""
    lines = [line for line in history.report if line.part == part]
    read = sum(line.count for line in lines if line.what == "rows read")
    kept = sum(line.count for line in lines if line.what in ("rows kept", "kept"))
    return read, kept, sum(line.count for line in lines if line.what.startswith("set aside"))


def check_tables(history: History) -> None:
    """Laws of the tables, whatever the records were."""
    table, order = history.stage_history, {stage: n for n, stage in enumerate(history.stages)}
    assert set(table["record"]) == set(history.records["record"])
    assert not table.duplicated(["record", "stage"]).any()
    assert table["entered_on"].dt.date.max() <= history.as_of
    for _, rows in table.groupby("record"):
        numbers = rows["stage"].map(order).astype(int)
        assert numbers.diff().dropna().eq(1).all()  # no gaps, in order
        assert rows["entered_on"].is_monotonic_increasing
        if not own_records(history):
            assert numbers.iloc[0] == 0  # fewer than 20 records: no source enters later
    entries = stage_entries(history)
    assert entries["entries"].sum() == len(table)
    won = (table["stage"] == history.stages[-1]).sum()
    lost = history.records["lost_on"].notna().sum()
    ended = won + lost + closed_undated(history.records).sum()
    assert open_items(history, history.as_of)["items"].sum() + ended == len(history.records)


@quiet
@given(
    leads=st.lists(lead, min_size=1, max_size=12),
    deals=st.lists(deal, min_size=1, max_size=6),
    cut=st.none() | st.integers(0, 60),
)
def test_kept_and_set_aside_are_what_was_read(leads: list, deals: list, cut: int | None) -> None:
    files = {
        "crm.yaml": WIDE,
        "leads.csv": as_csv("id,created,sql,lost,source", leads),
        "deals.csv": as_csv("lead,won,amount", deals),
    }
    as_of = None if cut is None else FIRST + timedelta(days=cut)
    history = in_folder(files, lambda path: read_records(path, as_of))
    if history is None:
        return
    for part, rows in (("leads", leads), ("deals", deals)):
        read, kept, aside = counts(history, part)
        assert read == len(rows) == kept + aside
    _, records, aside = counts(history, "records")
    assert records == len(history.records)
    assert records + aside == counts(history, "leads")[1] + own_records(history)
    check_tables(history)


def own_records(history: History) -> int:
    """Rows beside the records that are records of their own."""
    return sum(line.count for line in history.report if line.what.endswith("records of their own"))


def as_excel(header: str, rows: list[tuple[str, ...]]) -> bytes:
    workbook, file = openpyxl.Workbook(), io.BytesIO()
    for row in [header.split(","), *rows]:
        workbook.active.append([cell or None for cell in row])
    workbook.save(file)
    return file.getvalue()


def as_database(header: str, rows: list[tuple[str, ...]], name: str) -> bytes:
    """A table as Parquet, or as a DuckDB file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        with duckdb.connect(":memory:" if name.endswith("parquet") else str(path)) as connection:
            connection.execute(f"CREATE TABLE t ({', '.join(f'{each} VARCHAR' for each in header.split(','))})")
            row = f"({', '.join('?' * len(rows[0]))})"
            connection.execute(f"INSERT INTO t VALUES {', '.join([row] * len(rows))}", [*chain.from_iterable(rows)])
            if name.endswith("parquet"):
                connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")
        return path.read_bytes()


def wide_enough(row: tuple[str, ...]) -> bool:
    """Whether a row has an id and more: in text and in Excel a cell alone may head a group, in Parquet it cannot."""
    return bool(row[0].strip(" -")) and sum(map(bool, row)) > 1


@settings(deadline=None, max_examples=30)
@given(
    leads=st.lists(lead.filter(wide_enough), min_size=1, max_size=12),
    deals=st.lists(deal.filter(wide_enough), min_size=1, max_size=6),
    form=st.sampled_from(["xlsx", "parquet", "duckdb"]),
)
def test_every_format_holds_the_same_history(leads: list, deals: list, form: str) -> None:
    tables = {"leads.csv": ("id,created,sql,lost,source", leads), "deals.csv": ("lead,won,amount", deals)}
    text = {name: as_csv(*table) for name, table in tables.items()}
    other = {
        name: as_excel(*table) if form == "xlsx" else as_database(*table, f"t.{form}") for name, table in tables.items()
    }
    expected = in_folder({"crm.yaml": WIDE, **text}, read_records)
    history = in_folder({"crm.yaml": WIDE, **other}, read_records)
    assert (expected is None) == (history is None)
    if expected is not None and history is not None:
        assert history.stage_history.equals(expected.stage_history)
        assert history.records.equals(expected.records)
        for part, rows in (("leads", leads), ("deals", deals)):
            read, kept, aside = counts(history, part)
            assert read == len(rows) == kept + aside


SOUND = [("1", "2026-01-01", "2026-01-02", "", "web"), ("2", "2026-01-03", "", "", "fair")]


@settings(deadline=None, max_examples=120)
@given(
    form=st.sampled_from(["xlsx", "parquet", "duckdb"]),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
    length=st.none() | st.floats(0, 1),
)
def test_a_damaged_file_is_read_or_refused(form: str, flips: list, length: float | None) -> None:
    header = "id,created,sql,lost,source"
    raw = bytearray(as_excel(header, SOUND) if form == "xlsx" else as_database(header, SOUND, f"t.{form}"))
    for place, value in flips:
        raw[int(place * len(raw))] = value
    raw = raw if length is None else raw[: int(length * len(raw))]
    deals = as_csv("lead,won,amount", [("1", "2026-01-09", "5")])
    in_folder({"crm.yaml": WIDE, "leads.csv": bytes(raw), "deals.csv": deals}, read_records)


salesforce_lead = st.tuples(
    ids, day, day, st.sampled_from(["true", "FALSE", ""]), ids, st.sampled_from(["web", "Web", ""])
)
opportunity = st.tuples(ids, day, day, st.sampled_from(["true", "FALSE"]), st.sampled_from(["true", "false"]))


@quiet
@given(
    leads=st.lists(salesforce_lead, min_size=1, max_size=12),
    deals=st.lists(opportunity, min_size=1, max_size=8),
    merge=st.booleans(),
)
def test_a_preset_loses_nothing_uncounted(leads: list, deals: list, merge: bool) -> None:
    crm = "preset: salesforce\nfiles: {leads: {path: l.csv}, deals: {path: d.csv}}\n" + "merge_labels: true\n" * merge
    files = {
        "crm.yaml": crm,
        "l.csv": as_csv("Id,CreatedDate,ConvertedDate,IsConverted,ConvertedOpportunityId,LeadSource", leads),
        "d.csv": as_csv("id,created_date,close_date,is_won,is_closed", deals),
    }
    history = in_folder(files, read_records)
    if history is None:
        return
    for part, rows in (("leads", leads), ("deals", deals)):
        read, kept, aside = counts(history, part)
        assert read == len(rows) == kept + aside
    check_tables(history)
    sources = history.records["source"].unique().tolist()
    assert not (merge and {"web", "Web"} <= set(sources))


@quiet
@given(changes=st.lists(change, min_size=1, max_size=20), cut=st.none() | st.integers(0, 60))
def test_every_change_is_kept_or_set_aside(changes: list, cut: int | None) -> None:
    files = {"crm.yaml": HISTORY, "changes.csv": as_csv("id,at,field,value", changes)}
    as_of = None if cut is None else FIRST + timedelta(days=cut)
    history = in_folder(files, lambda path: read_records(path, as_of))
    if history is None:
        return
    read, kept, aside = counts(history, "changes.csv")
    assert read == len(changes) == kept + aside
    check_tables(history)


@quiet
@given(
    leads=st.lists(lead, min_size=1, max_size=12), deals=st.lists(deal, min_size=1, max_size=6), cut=st.integers(0, 60)
)
def test_what_comes_later_does_not_change_what_was_known(leads: list, deals: list, cut: int) -> None:
    """The history as of a day is the same, whether or not the export holds later days."""
    as_of = FIRST + timedelta(days=cut)

    def until(rows: list) -> list:
        return [tuple("" if cell[:4] == "2026" and cell[:10] > str(as_of) else cell for cell in row) for row in rows]

    def history(leads: list, deals: list) -> History | None:
        files = {
            "crm.yaml": WIDE,
            "leads.csv": as_csv("id,created,sql,lost,source", leads),
            "deals.csv": as_csv("lead,won,amount", deals),
        }
        return in_folder(files, lambda path: read_records(path, as_of))

    # no file without a value; each id once, as rows that repeat one may be equal on a day, and differ later
    leads = [*{row[0].strip(): row for row in leads}.values(), ("77", "", "", "", "web")]
    deals = [*{row[0].strip(): row for row in deals if row[0] not in ("", "-")}.values(), ("77", "", "5")]
    whole, cut_off = history(leads, deals), history(until(leads), until(deals))
    assert (whole is None) == (cut_off is None)
    if whole is not None and cut_off is not None:
        assert whole.stage_history.equals(cut_off.stage_history)
        assert whole.records.equals(cut_off.records)


# --- any text at all -----------------------------------------------------------------------------------------

soup = st.one_of(
    st.binary(max_size=200),
    st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace")),
    st.text(alphabet='ab1,;\t|"\n\r -\0é', max_size=120).map(lambda text: text.encode("utf-16")),
    st.lists(
        st.sampled_from(["id", "created", "sql", ",", ";", "\n", '"', "2026-01-01", "1", "\r\n", "sep=;"]), max_size=60
    ).map(lambda parts: "".join(parts).encode()),
)


@settings(deadline=None, max_examples=400)
@given(content=soup)
def test_any_bytes_are_a_table_or_a_data_error(content: bytes) -> None:
    with TemporaryDirectory() as name:
        path = Path(name) / "leads.csv"
        path.write_bytes(content)
        try:
            table = read_csv(path)
        except DataError:
            return
    assert set(table.columns) == set(table.header)
    assert all(len(cells) == len(table.lines) for cells in table.columns.values())


@settings(deadline=None, max_examples=300)
@given(leads=soup, deals=soup)
def test_any_files_are_a_history_or_a_data_error(leads: bytes, deals: bytes) -> None:
    header = b"id,created,sql,lost,source\n1,2026-01-01,2026-01-02,,web\n"
    files = {"crm.yaml": WIDE, "leads.csv": header + leads, "deals.csv": b"lead,won,amount\n" + deals}
    in_folder(files, read_records)


yaml_soup = st.lists(
    st.sampled_from(
        [
            "format: wide",
            "files:",
            "  leads: {path: leads.csv, id: id}",
            "stages:",
            "  lead: leads.created",
            "  won: {at: leads.won, is: x}",
            "lost:",
            "source: {value: all}",
            "segment: leads",
            "&a ",
            "*a",
            "!!python/name:os",
            "? [1]",
            "- ",
            "  ",
            ": ",
            "{",
            "}",
            "[",
            "]",
            "decimal: ','",
            "preset: salesforce",
            "preset: hubspot",
            "preset: [x]",
            "files: {leads: 5}",
            "files: {leads: {path: crm.yaml}}",
            "  leads: {url: 'env:NOT_SET', sql: select 1}",
            "  won: {at: leads.won, where: {leads.x: [a]}}",
            "expected: {owner: leads.x}",
            "expected: 5",
            "merge_labels: maybe",
            "product: leads.x",
            "date_format: '%d.%m.%Y'",
            "date_format: '%'",
            "stages: {lead: 2026-13-45}",
            "0x",
            "1e999",
            "~",
            "\t",
            "é",
            "%YAML 1.1",
        ]
    ),
    max_size=15,
).map("\n".join)


@settings(deadline=None, max_examples=300)
@given(text=st.one_of(yaml_soup, st.text(max_size=100), yaml_soup.map(lambda text: WIDE + text)))
def test_any_text_is_a_crm_file_or_a_data_error(text: str) -> None:
    def read(path: Path) -> None:
        read_crm_file(path)

    in_folder({"crm.yaml": text.encode("utf-8", "replace")}, read)


@settings(deadline=None, max_examples=150)
@given(
    text=st.one_of(
        st.text(max_size=30),
        st.text(alphabet="0123456789-:T Z+.", max_size=25),
        st.from_regex(
            r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?( ?(Z|[+-][0-9]{2}:?[0-9]{2}))?)?",
            fullmatch=True,
        ),
        st.text(alphabet="0123456789.,$€£()-+eE ", max_size=15),
    ),
    date_format=st.sampled_from([None, "%d/%m/%Y", "%Y%m%d", "%d %b, %Y %H:%M:%S"]),
    decimal=st.sampled_from([None, ".", ","]),
)
@example(text="00000101 0:0:0.1", date_format=None, decimal=None)
def test_any_cell_is_a_value_missing_or_a_fault(text: str, date_format: str | None, decimal: str | None) -> None:
    cells = Cells("a.csv", "x", [text], [2])
    for parsed in (days(cells, date_format), amounts(cells, decimal, ";")):
        assert len(parsed.values) == 1
    number = amounts(cells, decimal, ",").values[0]
    assert np.isnan(number) or abs(number) <= 1e12 or amounts(cells, decimal, ",").found.faults


@settings(deadline=None)
@given(moment=st.datetimes(min_value=datetime(1980, 1, 2), max_value=datetime(2049, 1, 1)))
def test_a_day_written_is_the_day_read(moment: datetime) -> None:
    (value,) = days(Cells("a.csv", "x", [moment.isoformat(sep=" ")], [2])).values
    assert value == np.datetime64(moment, "us")


@pytest.mark.parametrize("date_format", ["%d/%m/%Y", "%d/%m/%Y %H:%M"])
def test_parts_of_a_second_are_read_though_the_format_names_none(date_format: str) -> None:
    """In every row, as of a system that writes milliseconds."""
    found = days(Cells("a.csv", "x", ["05/01/2026 10:00:00.123", "06/01/2026 09:30:00.5"], [2, 3]), date_format)
    assert [str(each) for each in found.values] == ["2026-01-05T10:00:00.123000", "2026-01-06T09:30:00.500000"]
    assert not found.found.faults


# --- estimates -----------------------------------------------------------------------------------------------

record = st.tuples(
    st.integers(0, 300),
    st.none() | st.integers(0, 120),
    st.none() | st.integers(0, 120),
    st.sampled_from("ab"),
    st.sampled_from("xy"),
)


def history_of(records: list[tuple]) -> History:
    start = np.datetime64("2025-01-01")
    rows = ["id,lead,sql,won,segment,source"]
    for number, (lead_day, to_sql, to_won, segment, source) in enumerate(records):
        sql = None if to_sql is None else lead_day + to_sql
        won = None if sql is None or to_won is None else sql + to_won
        cells = [str(start + n) if n is not None else "" for n in (lead_day, sql, won)]
        rows.append(",".join([str(number), *cells, segment, source]))
    crm = "format: wide\nfiles: {l: {path: l.csv, id: id}}\nstages: {lead: l.lead, sql: l.sql, won: l.won}\nsegment: l.segment\nsource: l.source\n"
    history = in_folder(
        {"crm.yaml": crm, "l.csv": "\n".join(rows)}, lambda path: read_records(path, date(2025, 10, 28))
    )
    assert history is not None
    return history


@quiet
@given(records=st.lists(record, min_size=1, max_size=120))
def test_estimates_are_rates_and_lags_a_plan_accepts(records: list[tuple]) -> None:
    history = history_of(records)
    estimates = estimate_transitions(history, history.as_of)
    assert estimates["rate"].between(0, 1, inclusive="right").all()
    assert (estimates["rate_low"] <= estimates["rate"]).all()
    assert (estimates["rate"] <= estimates["rate_high"]).all()
    assert (estimates["evidence"] > 0).all()
    whole = estimates[
        (estimates["segment"] == "all") & (estimates["source"] == "all")
    ]  # a cell borrows from its parents
    assert (whole["evidence"] * whole["rate"] <= whole["conversions"] + 1e-6).all()
    assert (estimates["p90_days"] >= estimates["median_days"]).all()
    for shares in estimates["lag_months"]:
        assert sum(map(float, shares.split())) == pytest.approx(1, abs=1e-4)
    for block in transitions_block(estimates):
        Lag(**block["lag"])
        assert block["evidence"] > 0
    assert all(estimate_warnings(history, estimates))


@quiet
@given(records=st.lists(record, min_size=1, max_size=60))
def test_twice_the_records_are_the_same_rate_on_twice_the_evidence(records: list[tuple]) -> None:
    """Where all outcomes count from the first entry on; the proof that recording began late grows with the records."""
    once = estimate_transitions(history_of(records), date(2025, 10, 28))
    twice = estimate_transitions(history_of(records * 2), date(2025, 10, 28))
    first = once[(once["segment"] == "all") & (once["source"] == "all")].set_index("to_stage")
    second = twice[(twice["segment"] == "all") & (twice["source"] == "all")].set_index("to_stage")
    for stage in first.index:
        if first.loc[stage, "recorded_from"] == second.loc[stage, "recorded_from"]:
            assert second.loc[stage, "rate"] == pytest.approx(first.loc[stage, "rate"])
            assert second.loc[stage, "evidence"] == pytest.approx(2 * first.loc[stage, "evidence"])
