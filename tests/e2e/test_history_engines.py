"""Queries against the user's own PostgreSQL: what acts is refused, what answers reads as any other table.

The server runs on the loopback address in a temporary folder and is stopped at the end. Tests are skipped,
with a reason, where a server or the extra `warehouse` is missing.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from revplan.crm.readers import read_query
from revplan.crm.records import read_export
from revplan.crm.store import Stored, open_counts
from revplan.ground.errors import DataError
from revplan.rates.spells import spells_of

# --- a server of our own -----------------------------------------------------------------------------------------------


def _programs() -> Path:
    """The folder with PostgreSQL's own programs; Debian keeps them off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    beside = shutil.which("initdb")
    if not found and not beside:
        pytest.skip("PostgreSQL is not installed")
    return found[-1].parent if found else Path(beside or "").parent


def _as_user() -> dict[str, Any]:
    """How a server is started: PostgreSQL refuses to run as root, so root hands it to `postgres`."""
    if os.name != "posix" or os.geteuid() != 0:
        return {}
    import pwd

    try:
        entry = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    """The address of a PostgreSQL server of our own."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: the extra warehouse")
    programs, user = _programs(), _as_user()
    with tempfile.TemporaryDirectory(prefix="revplan-pg-", ignore_cleanup_errors=True) as folder:
        if user:
            os.chown(folder, user["user"], user["group"])
        data, port = Path(folder) / "data", _free_port()
        options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off"
        control = [str(programs / "pg_ctl"), "-D", str(data), "-w", "-t", "60"]
        quiet: dict[str, Any] = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **user}
        make = [str(programs / "initdb"), "-D", str(data), "-U", "planner", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run([*make, "--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"], check=True, **quiet)
        subprocess.run([*control, "-l", f"{folder}/log", "-o", options, "start"], check=True, **quiet)
        try:
            yield f"postgresql://planner@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, **quiet)


# --- queries against the user's own server -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "function"),
    [
        ("SELECT pg_sleep(60)", "pg_sleep"),
        ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity", "pg_terminate_backend"),
        ("SELECT pg_read_file('/etc/hostname')", "pg_read_file"),
        ('SELECT * FROM "pg_catalog"."pg_ls_dir"(\'.\')', "pg_ls_dir"),
        ("SELECT pg_sleep /* a remark */ (60)", "pg_sleep"),
        ("SELECT 1 WHERE (SELECT set_config('statement_timeout', '0', false)) = '0'", "set_config"),
        ("SELECT lo_import('/etc/hostname')", "lo_import"),
        ("SELECT nextval('numbers')", "nextval"),
        ("SELECT query_to_xml('SELECT 1', true, true, '')", "query_to_xml"),
    ],
)
def test_a_function_that_acts_is_refused(
    query: str, function: str, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM", postgres)
    with pytest.raises(DataError, match=f"query: calls {function}, which may do more than read"):
        read_query("env:CRM", query)


def test_a_name_in_escapes_is_refused(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM", postgres)
    with pytest.raises(DataError, match="holds a name in escapes"):
        read_query("env:CRM", 'SELECT U&"\\0070g_sleep"(60)')


def test_an_answer_without_end_is_stopped(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM", postgres)
    monkeypatch.setenv("REVPLAN_MAX_SECONDS", "2")
    with pytest.raises(DataError, match="takes longer to answer than 2 seconds"):
        read_query("env:CRM", "SELECT count(*) FROM generate_series(1, 1000000000000) a")
    monkeypatch.setenv("REVPLAN_MAX_ROWS", "1000")
    with pytest.raises(DataError, match="has more than 1,000 rows"):
        read_query("env:CRM", "SELECT a FROM generate_series(1, 100000) a")


def test_ordinary_functions_are_answered(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM", postgres)
    query = "SELECT lower('ID-1') AS id, to_char(date_trunc('month', DATE '2026-03-04'), 'YYYY-MM-DD') AS day -- (x)"
    assert {name: [*cells] for name, cells in read_query("env:CRM", query).columns.items()} == {
        "id": ["id-1"],
        "day": ["2026-03-01"],
    }


def test_an_answer_of_a_server_reads_as_any_other_table(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM", postgres)
    query = "SELECT 7::bigint AS id, DATE '2026-03-04' AS lead, 1200.50 AS amount, NULL::date AS won, true AS mine;"
    found = read_query("env:CRM", query)
    assert found.header == ("id", "lead", "amount", "won", "mine")
    assert [found.cells(column)[0] for column in found.header] == ["7", "2026-03-04", "1200.50", "", "true"]


def test_a_refusal_of_the_server_keeps_the_password(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM", postgres.replace("planner@", "planner:hunter2@").replace("/postgres", "/hunter2"))
    with pytest.raises(DataError, match=r'env:CRM: the query failed: .*database "\*\*\*" does not exist'):
        read_query("env:CRM", "SELECT 1 AS id")


# --- records counted there ---------------------------------------------------------------------------------------


def test_records_are_counted_on_the_server(postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import psycopg

    rows = [
        ("a", "2026-01-01 08:00", "New"),
        ("a", "2026-01-05 08:00", "Lost"),
        ("a", "2026-01-05 09:00", "SQL"),  # reopened an hour later
        (" b", "2026-01-02 08:00", "New"),
        ("b", "2026-01-03 08:00", "Won"),
        ("b", "2026-01-04 08:00", "Lost"),  # undone
        ("c", "2026-01-02 08:00", "SQL"),
        ("null", "2026-01-02 08:00", "New"),
        ("d", None, "New"),
        *((f"e{number}", "2026-01-02 10:00", "New") for number in range(30)),
    ]
    with psycopg.connect(postgres) as connection:
        connection.execute("CREATE TABLE changes (id text, moment timestamp, value text)")
        connection.execute("CREATE TABLE people (id text, source text, amount numeric)")
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO changes VALUES (%s, %s, %s)", rows)
            people = [
                ("a", "web", 5),
                ("b", "fair", None),
                ("c", "", 7),
                *((f"e{number}", "web", 1) for number in range(30)),
            ]
            cursor.executemany("INSERT INTO people VALUES (%s, %s, %s)", people)
    monkeypatch.setenv("CRM", postgres)
    text = (
        "format: history\nurl: env:CRM\nsql: SELECT * FROM changes\nid: id\nat: moment\nvalue: value\n"
        "stages: {lead: New, sql: SQL, won: Won}\nlost: Lost\nsource: records.source\namount: records.amount\n"
        "records: {url: env:CRM, sql: SELECT * FROM people, id: id}\n"
    )
    (tmp_path / "crm.yaml").write_text(text, encoding="utf-8")
    memory = spells_of(read_export(tmp_path / "crm.yaml").on())
    (tmp_path / "crm.yaml").write_text(f"{text}count: in_place\n", encoding="utf-8")
    found = open_counts(tmp_path / "crm.yaml")
    assert isinstance(found, Stored)
    store = spells_of(found.on())
    rows_of = [
        sorted(
            zip(
                each.entered.tolist(),
                each.lost.tolist(),
                [each.cells[cell] for cell in each.cell.tolist()],
                strict=True,
            )
        )
        for each in (memory, store)
    ]
    assert rows_of[0] == rows_of[1]
    assert store.day == memory.day
