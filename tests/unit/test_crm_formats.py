"""The same records from text, Excel, Parquet, DuckDB and a query; and what each of them refuses."""

from __future__ import annotations

import re
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import pytest

from revplan.crm.cells import as_text
from revplan.crm.readers import read_parquet
from revplan.crm.records import History, read_records
from revplan.crm.spark import only_reading
from revplan.ground.errors import DataError, ReportError

CRM = """\
format: wide
files: {leads: {WHERE, id: id}}
stages: {lead: leads.lead, won: leads.won}
lost: leads.lost
source: leads.source
amount: leads.amount
"""

HEADER = ("id", "lead", "won", "lost", "source", "amount")
ROWS: list[tuple[Any, ...]] = [
    (1, datetime(2026, 1, 1), datetime(2026, 1, 5, 12, 30), None, "web", 1200.5),
    (2, datetime(2026, 1, 2), None, datetime(2026, 1, 8), "=cmd|' /C calc'!A0", None),
    (3, datetime(2026, 1, 3), None, None, "Select", 7),
]


def write_csv(path: Path) -> None:
    rows = [";".join("" if cell is None else str(cell) for cell in row) for row in [HEADER, *ROWS]]
    path.write_text("\n".join(rows), encoding="utf-8")


def write_excel(path: Path, *rows: tuple[Any, ...]) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = "Leads"
    for row in rows or [HEADER, *ROWS]:
        sheet.append(row)
    for cell in [cell for row in sheet.iter_rows() for cell in row if str(cell.value).startswith("=cmd")]:
        cell.data_type = "s"
    workbook.create_sheet("Empty")
    workbook.save(path)


def write_database(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE leads (id DOUBLE, lead DATE, won TIMESTAMP, lost TIMESTAMPTZ, source VARCHAR, amount DECIMAL(9, 2))"
        )
        connection.execute("SET TimeZone = 'UTC'")
        connection.executemany("INSERT INTO leads VALUES (?, ?, ?, ?, ?, ?)", ROWS)
        for statement in statements:
            connection.execute(statement)


def written(folder: Path, where: str) -> Path:
    path = folder / "crm.yaml"
    path.write_text(CRM.replace("WHERE", where), encoding="utf-8")
    return path


def fault(folder: Path, where: str) -> str:
    with pytest.raises(DataError) as caught:
        read_records(written(folder, where))
    return str(caught.value)


def same_as_csv(folder: Path, history: History) -> bool:
    write_csv(folder / "leads.csv")
    expected = read_records(written(folder, 'path: leads.csv, decimal: "."'))
    return history.stage_history.equals(expected.stage_history) and history.records.equals(expected.records)


def test_excel_holds_the_same_records(tmp_path: Path) -> None:
    write_excel(tmp_path / "leads.bin")  # the name says nothing, the content does
    history = read_records(written(tmp_path, "path: leads.bin"))
    assert same_as_csv(tmp_path, history)
    assert history.records["source"].tolist()[1] == "=cmd|' /C calc'!A0"  # text stays text
    assert str(history.report[0]) == "leads: rows read: 3 (leads.bin: Excel, sheet Leads)"


def test_parquet_holds_the_same_records(tmp_path: Path) -> None:
    write_database(tmp_path / "crm.duckdb", f"COPY leads TO '{tmp_path / 'leads[1].parquet'}' (FORMAT parquet)")
    history = read_records(written(tmp_path, 'path: "leads[1].parquet"'))
    assert same_as_csv(tmp_path, history)
    assert str(history.report[0]) == "leads: rows read: 3 (leads[1].parquet: Parquet)"


def test_duckdb_holds_the_same_records(tmp_path: Path) -> None:
    write_database(tmp_path / "crm.duckdb", "CREATE TABLE other (x INTEGER)")
    history = read_records(written(tmp_path, "path: crm.duckdb, table: LEADS"))
    assert same_as_csv(tmp_path, history)
    assert str(history.report[0]) == "leads: rows read: 3 (crm.duckdb leads: DuckDB, table leads)"


def test_a_query_holds_the_same_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_database(tmp_path / "crm.duckdb")
    monkeypatch.setenv("OUR_CRM", f"duckdb:///{tmp_path / 'crm.duckdb'}")
    history = read_records(written(tmp_path, 'url: "env:OUR_CRM", sql: "SELECT * FROM leads ORDER BY id -- all"'))
    assert same_as_csv(tmp_path, history)
    told = "leads: rows read: 3 (query at env:OUR_CRM: duckdb, SELECT * FROM leads ORDER BY id -- all)"
    assert str(history.report[0]) == told


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("path: leads.xlsx, sheet: Deals", "leads.xlsx: has no sheet 'Deals'; it has Leads, Empty"),
        ("path: leads.xlsx, sheet: empty", "leads.xlsx: its sheet 'Empty' is empty; name another with `sheet`"),
        ("path: leads.xlsx, table: leads", "leads.xlsx: is Excel, which has no tables"),
        ("path: crm.duckdb, sheet: Leads", "crm.duckdb: is DuckDB, which has no sheets"),
        ("path: crm.duckdb, table: deals", "crm.duckdb: has no table 'deals'; it has leads, other"),
        ("path: crm.duckdb", "crm.duckdb: has several tables; name one with `table`; it has leads, other"),
        ("path: damaged.xlsx", "damaged.xlsx: is a damaged Excel workbook; open it in Excel and save it again"),
        ("path: damaged.parquet", "damaged.parquet: cannot be read: "),
        ("path: damaged.duckdb", "damaged.duckdb: cannot be opened as a DuckDB file: "),
        ("path: leads.xlsx, sheet: a, table: b", "crm.yaml line 2, files.leads.sheet: a sheet is of an Excel workbook"),
        ("sql: SELECT 1", "crm.yaml line 2, files.leads.sql: give `url` and `sql` together"),
        ('path: a.csv, url: "env:A", sql: SELECT 1', "crm.yaml line 2, files.leads.path: give either `path`, or `url`"),
        ("sheet: Leads", "crm.yaml line 2, files.leads.path: is missing; or give `url` and `sql`"),
        (
            'url: "env:NOT_SET_HERE", sql: SELECT 1',
            "crm.yaml line 2, files.leads.sql: env:NOT_SET_HERE: the environment variable NOT_SET_HERE is not set",
        ),
        (
            'url: "env:OUR_CRM", sql: DELETE FROM leads',
            "crm.yaml line 2, files.leads.sql: query: must be one SELECT and nothing else (DELETE FROM leads)",
        ),
        (
            'url: "env:OUR_CRM", sql: SELECT 1; SELECT 2',
            "crm.yaml line 2, files.leads.sql: query: must be one SELECT and nothing else",
        ),
        (
            'url: "env:OUR_CRM", sql: SELECT FROM WHERE',
            "crm.yaml line 2, files.leads.sql: query: is no SQL that can be read",
        ),
        (
            'url: "env:OUR_CRM", sql: SELECT * FROM deals',
            "crm.yaml line 2, files.leads.sql: query at env:OUR_CRM: cannot be read: Catalog",
        ),
    ],
)
def test_what_cannot_be_read_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, message: str
) -> None:
    write_excel(tmp_path / "leads.xlsx")
    write_database(tmp_path / "crm.duckdb", "CREATE TABLE other (x INTEGER)")
    (tmp_path / "damaged.xlsx").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "damaged.parquet").write_bytes(b"PAR1 and no more")
    (tmp_path / "damaged.duckdb").write_bytes(b"\0" * 8 + b"DUCK and no more")
    monkeypatch.setenv("OUR_CRM", f"duckdb:///{tmp_path / 'crm.duckdb'}")
    assert fault(tmp_path, where).startswith(message)


def test_a_password_never_stands_in_a_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = fault(tmp_path, 'url: "postgresql://me:hunter2@host/crm", sql: SELECT 1')
    assert told.startswith("crm.yaml line 2, files.leads.url: write env:NAME")
    assert "hunter2" not in told
    for odd in ("[hunter2]", "{hunter2: 1}", f"hunter2{'x' * 5000}"):
        assert "hunter2" not in fault(tmp_path, f"url: {odd}, sql: SELECT 1")
    for address in ("postgresql://me:hunter2@127.0.0.1:1/crm", "mysql://me:hunter2@host/crm", "hunter2"):
        monkeypatch.setenv("OUR_CRM", address)
        with pytest.raises((DataError, ReportError)) as caught:  # the latter where psycopg is not installed
            read_records(written(tmp_path, 'url: "env:OUR_CRM", sql: SELECT 1'))
        assert "hunter2" not in str(caught.value)


def test_without_its_driver_postgresql_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.setenv("OUR_CRM", "postgresql://me@host/crm")
    with pytest.raises(ReportError) as caught:
        read_records(written(tmp_path, 'url: "env:OUR_CRM", sql: SELECT 1'))
    told = "PostgreSQL needs psycopg, which is not installed; pip install 'revplan[warehouse]'"
    assert str(caught.value).endswith(told)


def test_without_its_client_spark_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("pyspark", "grpc", "grpc_status", "pyarrow"):
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv("OUR_CRM", "sc://127.0.0.1:1")
    with pytest.raises(ReportError) as caught:
        read_records(written(tmp_path, 'url: "env:OUR_CRM", sql: SELECT 1'))
    told = "Spark needs grpcio, grpcio-status, pyarrow and pyspark-client, which are not installed; pip install 'revplan[spark]'"
    assert str(caught.value).endswith(told)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("SELECT reflect('java.lang.System', 'exit', 0)", "calls reflect, of which it is not known that it only reads"),
        ("SELECT /* ' */ `java_method`('a', 'b') -- '", "calls java_method"),
        ("SELECT 1 WHERE EXISTS (SELECT system.builtin.try_reflect('a', 'b'))", "calls try_reflect"),
        ("SELECT * FROM IDENTIFIER('text.' || '`/etc/passwd`')", "calls IDENTIFIER"),
        ("WITH a AS (SELECT ours(id) AS id FROM t) SELECT * FROM a", "calls ours"),
        ("SELECT TRANSFORM(id) USING 'cat' AS (id) FROM t", "sends rows through a program"),
        ("SELECT * FROM t JOIN text.`/etc/passwd` AS p", "reads text./etc/passwd, a file; ask for a table, or parquet"),
        (
            "SELECT * FROM `org.apache.spark.sql.execution.datasources.text.TextFileFormat`.`x`",
            "a file; ask for a table",
        ),
    ],
)
def test_what_a_query_of_spark_could_do_but_read_is_refused(query: str, told: str) -> None:
    with pytest.raises(DataError, match=re.escape(told)):
        only_reading(query)


def test_a_query_of_spark_is_sent_as_it_was_read() -> None:
    query = (
        "SELECT id, to_date(a) AS lead FROM sales.crm.`my-deals` JOIN delta.`s3://b/c` USING (id) /* reflect('a') */"
    )
    assert (
        only_reading(query)
        == "SELECT id, TO_DATE(a) AS lead FROM sales.crm.`my-deals` JOIN delta.`s3://b/c` USING (id)"
    )


def test_a_query_reads_no_other_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_database(tmp_path / "crm.duckdb")
    (tmp_path / "secret.csv").write_text("id\n1\n", encoding="utf-8")
    monkeypatch.setenv("OUR_CRM", f"duckdb:///{tmp_path / 'crm.duckdb'}")
    told = fault(tmp_path, f"""url: "env:OUR_CRM", sql: "SELECT * FROM '{tmp_path / "secret.csv"}'" """)
    assert "cannot be read: Permission Error" in told


def test_a_formula_without_its_value_is_refused(tmp_path: Path) -> None:
    write_excel(tmp_path / "leads.xlsx", HEADER, *ROWS, (4, "=TODAY()", None, None, "web", 1))
    assert fault(tmp_path, "path: leads.xlsx") == (
        "leads.xlsx row 5, lead: holds a formula without its value; the workbook was written by a program; "
        "open it in Excel and save it once"
    )


def test_rows_of_a_sheet_are_counted_as_excel_counts_them(tmp_path: Path) -> None:
    write_excel(tmp_path / "leads.xlsx", HEADER, (None,), ROWS[0], (2, "soon"))
    assert fault(tmp_path, "path: leads.xlsx").startswith("leads.xlsx row 4, lead: 'soon' is not a date")
    write_excel(tmp_path / "leads.xlsx", HEADER, (None,), ROWS[0], (*ROWS[1], "more"))
    assert fault(tmp_path, "path: leads.xlsx").startswith("leads.xlsx row 4: has a value right of the header's last")
    write_excel(tmp_path / "leads.xlsx", HEADER, (None,), ROWS[0], ROWS[1])
    report = [str(line) for line in read_records(written(tmp_path, "path: leads.xlsx")).report]
    assert report[:3] == [
        "leads: rows read: 3 (leads.xlsx: Excel, sheet Leads)",
        "leads: set aside: rows without any value: 1",
        "leads: rows kept: 2",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (5.0, "5"),
        (5.25, "5.25"),
        (1e300, "1e+300"),
        (float("inf"), "inf"),
        (Decimal("12.50"), "12.50"),
        (datetime(2026, 1, 2), "2026-01-02"),
        (datetime(2026, 1, 2, 3, 4), "2026-01-02 03:04:00"),
        (date(2026, 1, 2), "2026-01-02"),
        ("=1+1", "=1+1"),
    ],
)
def test_values_as_text(value: object, text: str) -> None:
    assert as_text(value) == text


def in_duckdb(folder: Path, rows: str) -> History:
    """The records of one table, written as SQL rows of id, lead, won and amount."""
    (folder / "crm.yaml").write_text(
        "format: wide\nfiles: {leads: {path: crm.duckdb, id: id, date_format: '%d/%m/%Y'}}\n"
        "stages: {lead: leads.lead, won: leads.won}\namount: leads.amount\n",
        encoding="utf-8",
    )
    with duckdb.connect(str(folder / "crm.duckdb")) as connection:
        connection.execute("CREATE TABLE leads (id BIGINT, lead DATE, won TIMESTAMPTZ, amount DOUBLE)")
        connection.execute("SET TimeZone = 'America/New_York'")
        connection.execute(f"INSERT INTO leads VALUES {rows}")
    return read_records(folder / "crm.yaml", date(2026, 6, 30))


def test_typed_days_and_numbers_stay_what_they_are(tmp_path: Path) -> None:
    """A declared format is of text: a DATE needs none. A moment counts in UTC, a day without end means none."""
    rows = "(1, '2026-01-03', TIMESTAMPTZ '2026-01-05 23:30:00-05', 0.1), (2, '2026-01-03', NULL, NULL), (3, 'infinity', NULL, 7)"
    found = in_duckdb(tmp_path, rows)
    assert found.stage_history["entered_on"].dt.date.tolist() == [date(2026, 1, 3), date(2026, 1, 6), date(2026, 1, 3)]
    assert found.records["amount"].tolist() == pytest.approx([0.1, float("nan")], nan_ok=True)
    assert "crm.duckdb leads, lead: days that mean none, taken as missing: 1 (9999-12-31)" in map(str, found.report)


def test_a_typed_value_that_is_none_is_named_as_text(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        in_duckdb(tmp_path, "(1, '1805-01-03', NULL, 2e13), (2, '2026-01-03', NULL, 'inf')")
    assert [str(each).partition(";")[0] for each in caught.value.faults] == [
        "crm.duckdb leads row 1, lead: '1805-01-03' is not a date written as %d/%m/%Y",
        "crm.duckdb leads row 1, amount: '20000000000000' is not an amount like 1,200.50 up to 1e12",
        "crm.duckdb leads row 2, amount: 'inf' is not an amount like 1,200.50 up to 1e12",
    ]
    (tmp_path / "crm.duckdb").unlink()
    with pytest.raises(DataError) as caught:
        in_duckdb(tmp_path, "(1, '2026-01-03', NULL, 2e13), (2, '2026-01-03', NULL, 'inf')")
    assert [str(each).partition(";")[0] for each in caught.value.faults] == [
        "crm.duckdb leads row 1, amount: '20000000000000' is not an amount like 1,200.50 up to 1e12",
        "crm.duckdb leads row 2, amount: 'inf' is not an amount like 1,200.50 up to 1e12",
    ]


@pytest.mark.parametrize("rows", [1, 50, 3000])
def test_the_same_log_as_text_and_as_parquet_is_one_history(rows: int, tmp_path: Path) -> None:
    """Few days or many: however a column is kept, the records are the same."""
    query = (
        f"SELECT 'r' || i AS id, DATE '2025-01-01' + CAST(i % 400 AS INT) AS lead, "
        "CASE WHEN i % 3 = 0 THEN DATE '2026-02-01' END AS won, CASE WHEN i % 5 = 0 THEN DATE '2026-03-01' END AS lost, "
        f"['web', ' Web', ''][1 + i % 3] AS source, CASE WHEN i % 7 > 0 THEN i / 4 END AS amount FROM range({rows}) t(i) ORDER BY i"
    )
    for kind in ("parquet", "csv"):
        with duckdb.connect() as connection:
            connection.execute(f"COPY ({query}) TO '{tmp_path / f'leads.{kind}'}' (FORMAT {kind})")
    text, typed = (read_records(written(tmp_path, f"path: leads.{kind}")) for kind in ("csv", "parquet"))
    for name in ("stage_history", "records"):
        pd.testing.assert_frame_equal(getattr(text, name), getattr(typed, name))
    assert [(line.what, line.count) for line in text.report] == [(line.what, line.count) for line in typed.report]


def test_texts_that_repeat_in_parquet_stand_in_their_rows_and_come_once(tmp_path: Path) -> None:
    """More rows than the engine takes at a time; texts of a few and of many kinds, missing ones and missing days."""
    query = (
        "SELECT 'r' || (i * 7919 % 20011) AS id, CASE WHEN i % 4 > 0 THEN ['New', 'Won ', 'Lost'][1 + i % 3] END AS value, "
        "CASE WHEN i % 9 > 0 THEN TIMESTAMP '2025-01-01' + INTERVAL 1 MINUTE * CAST(i AS INT) END AS at, 'n' || i AS own, "
        "CASE WHEN i % 5 > 0 THEN i / 8 END AS amount FROM range(150_000) t(i) ORDER BY i"
    )
    with duckdb.connect() as connection:
        connection.execute(f"COPY ({query}) TO '{tmp_path / 'log.parquet'}' (ROW_GROUP_SIZE 10_000)")
        rows = connection.execute(query).fetchall()
    table = read_parquet(tmp_path / "log.parquet", lambda _: True)
    for number, name in enumerate(("id", "value", "at", "own", "amount")):
        assert [*table.cells(name)] == [as_text(row[number]) for row in rows]
    assert len(table.cells("id").different) == 20_011
    assert [*table.cells("value").different] == ["", "Won ", "Lost", "New"]  # as they come


LOG = """\
format: history
path: changes.KIND
id: id
at: at
value: value
stages: {lead: New, won: Won}
lost: Lost
records: {path: records.KIND, id: id}
source: records.source
"""


@pytest.mark.parametrize("renamed", ["id", "id || '.0'", "'A' || id", "CASE WHEN id = '8' THEN '6' ELSE id END"])
def test_changes_meet_the_records_they_name_however_their_ids_are_written(renamed: str, tmp_path: Path) -> None:
    """Ids that are those of the records, others, some with spaces or behind .0, of records that repeat, and of none at all."""
    queries = {
        "records": f"SELECT {renamed} AS id, source FROM (SELECT CAST(i AS VARCHAR) AS id, ['web', 'call'][1 + i % 2] AS source "
        "FROM range(1000) t(i)) WHERE CAST(id AS INT) % 11 <> 0 UNION ALL SELECT '1003', 'web' UNION ALL SELECT '1003.0', 'web' ORDER BY 1",
        "changes": "SELECT CAST(i % 1004 AS VARCHAR) || ['', ' ', '.0'][1 + i % 3] AS id, DATE '2025-01-01' + CAST(i // 9 AS INT) AS at, "
        "['New', 'Won', 'Lost'][1 + i // 1004] AS value FROM range(2900) t(i) ORDER BY hash(i)",
    }
    found = []
    for kind in ("csv", "parquet"):
        with duckdb.connect() as connection:
            for name, query in queries.items():
                connection.execute(f"COPY ({query}) TO '{tmp_path / f'{name}.{kind}'}' (FORMAT {kind})")
        (tmp_path / "crm.yaml").write_text(LOG.replace("KIND", kind), encoding="utf-8")
        found.append(read_records(tmp_path / "crm.yaml"))
    text, typed = found
    for name in ("stage_history", "records"):
        pd.testing.assert_frame_equal(getattr(text, name), getattr(typed, name))
    assert [(line.what, line.count) for line in text.report] == [(line.what, line.count) for line in typed.report]
