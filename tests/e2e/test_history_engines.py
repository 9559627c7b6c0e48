"""Queries against the user's own PostgreSQL and Spark: what acts is refused, what answers reads as any other table.

The servers run on the loopback address in a temporary folder and are stopped at the end. Tests are skipped,
with a reason, where a server or the packages that speak to it are missing.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from dirty_logs import HISTORY, LEADS, LOG, PEOPLE, WIDE, random_leads, random_log, told, ways, written

from revplan.crm.readers import read_query
from revplan.crm.records import read_export
from revplan.crm.store import open_counts
from revplan.ground.errors import DataError

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


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Spark of our own, which speaks Spark Connect."""
    found = find_spec("pyspark")
    if found is None or found.origin is None or find_spec("grpc_status") is None:
        pytest.skip("pyspark[connect] is not installed")
    home = Path(found.origin).parent
    if not [*home.glob("jars/spark-connect_*.jar")]:
        pytest.skip("pyspark is installed without its server: pyspark-client")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("Java is not installed")
    folder, port = tmp_path_factory.mktemp("spark"), _free_port()
    settings = {  # small data: no code is compiled for it
        "spark.ui.enabled": "false",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }
    started = [str(home / "bin" / "spark-submit"), "--master", "local[1]", "--driver-memory", "1g"]
    started += [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
    started += ["--class", "org.apache.spark.sql.connect.service.SparkConnectServer", "spark-internal"]
    environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
    with open(folder / "log", "wb") as log:
        server = subprocess.Popen(started, cwd=folder, stdout=log, stderr=log, env=environment)
        try:
            _wait_for(server, port)
            yield f"sc://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(60)


def _wait_for(server: subprocess.Popen[bytes], port: int) -> None:
    """Until the port is open."""
    for _ in range(240):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        if server.poll() is not None:
            pytest.skip("Spark ended while it started, as where memory is short")
        time.sleep(0.5)
    pytest.skip("Spark does not start in two minutes")


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


@pytest.mark.parametrize(
    ("server", "whole", "nothing"), [("postgres", "7::bigint", "NULL::date"), ("spark", "7L", "CAST(NULL AS DATE)")]
)
def test_an_answer_of_a_server_reads_as_any_other_table(
    server: str, whole: str, nothing: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CRM", request.getfixturevalue(server))
    query = f"SELECT {whole} AS id, DATE '2026-03-04' AS lead, 1200.50 AS amount, {nothing} AS won, true AS mine;"
    found = read_query("env:CRM", query)
    assert found.header == ("id", "lead", "amount", "won", "mine")
    assert [found.cells(column)[0] for column in found.header] == ["7", "2026-03-04", "1200.50", "", "true"]


def test_a_refusal_of_the_server_keeps_the_password(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM", postgres.replace("planner@", "planner:hunter2@").replace("/postgres", "/hunter2"))
    with pytest.raises(DataError, match=r'env:CRM: the query failed: .*database "\*\*\*" does not exist'):
        read_query("env:CRM", "SELECT 1 AS id")


def test_a_query_of_spark_without_end_is_stopped(spark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM", spark)
    monkeypatch.setenv("REVPLAN_MAX_ROWS", "1000")
    with pytest.raises(DataError, match="has more than 1,000 rows"):
        read_query("env:CRM", "SELECT explode(sequence(1, 100000)) AS id")
    monkeypatch.setenv("REVPLAN_MAX_SECONDS", "2")
    many = "(SELECT explode(sequence(1, 1000000)) AS id)"
    with pytest.raises(DataError, match="takes longer to answer than 2 seconds"):
        read_query("env:CRM", f"SELECT count(*) AS n FROM {many} AS a CROSS JOIN {many} AS b")
    monkeypatch.setenv("REVPLAN_MAX_SECONDS", "20")
    assert read_query("env:CRM", "SELECT 1 AS id").header == ("id",)  # on its one core, which nothing works on any more


def test_what_spark_refuses_is_told_in_its_words(
    spark: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("CRM", spark)
    with pytest.raises(DataError, match="env:CRM: the query failed: The table or view `nope` cannot be found"):
        read_query("env:CRM", "SELECT * FROM nope")
    assert capfd.readouterr() == ("", "")
    monkeypatch.setenv("CRM", f"{spark}/;hunter2")
    with pytest.raises(DataError, match="no Spark can be reached at the address it holds") as caught:
        read_query("env:CRM", "SELECT 1 AS id")
    assert "hunter2" not in str(caught.value)


# --- records counted there ---------------------------------------------------------------------------------------


def load_into_postgres(path: Path, address: str, columns: str, rows: list[tuple[Any, ...]]) -> str:
    """The query for a new table with `rows`."""
    import psycopg

    with psycopg.connect(address) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {path.stem}; CREATE TABLE {path.stem} ({columns})".encode())
        cursor.executemany(f"INSERT INTO {path.stem} VALUES ({', '.join(['%s'] * len(rows[0]))})".encode(), rows)
    return f"SELECT * FROM {path.stem}"


def load_into_spark(path: Path, _: str, columns: str, rows: list[tuple[Any, ...]]) -> str:
    """The query for a Parquet file that DuckDB wrote."""
    return f"SELECT * FROM parquet.`{path}`"


@pytest.fixture(params=[("postgres", load_into_postgres), ("spark", load_into_spark)], ids=lambda each: each[0])
def load(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """Writes a Parquet file, lays the same on a server, and gives the place of that as the CRM file says it."""
    name, lay = request.param
    monkeypatch.setenv("REVPLAN_MAX_SECONDS", "600")  # of a machine that has other work to do
    address = request.getfixturevalue(name)
    monkeypatch.setenv("CRM", address)

    def placed(file: str, columns: str, rows: list[tuple[Any, ...]]) -> str:
        written(tmp_path / file, columns, rows)
        return f'url: "env:CRM", sql: "{lay(tmp_path / file, address, columns, rows)}"'

    return placed


def check_alike(crm: Path, here: str, there: str, as_of: date | None) -> None:
    """That Parquet counted by DuckDB, the server's own count, and its rows counted in memory are the same."""
    found = []
    for text, open_ in ((here, open_counts), (there, open_counts), (there, read_export)):
        crm.write_text(f"{text}count: {'in_place' if open_ is open_counts else 'in_memory'}\n", encoding="utf-8")
        history = open_(crm).on(as_of)
        found.append((ways(history), told(history), history.notes, history.as_of))
    assert found[0] == found[1] == found[2]
    assert sum(found[0][0].values()) > 200


@pytest.mark.parametrize(("zoned", "outcome", "day"), [(False, "last", None), (True, "first", date(2026, 4, 20))])
def test_a_random_dirty_log_is_counted_there_as_here(
    zoned: bool, outcome: str, day: date | None, load: Callable[..., str], tmp_path: Path
) -> None:
    log, people = random_log(7, zoned)
    columns = LOG.replace("TIMESTAMP", "TIMESTAMPTZ") if zoned else LOG
    changes, records = load("changes.parquet", columns, log), load("records.parquet", PEOPLE, people)
    here = f"{HISTORY}outcome: {outcome}\n{'timezone: Europe/Berlin' if zoned else ''}\n"
    there = here.replace("path: changes.parquet", changes.replace(", sql", "\nsql"))
    check_alike(tmp_path / "crm.yaml", here, there.replace("path: records.parquet", records), day)


def test_random_records_with_a_column_for_each_stage_are_counted_there_as_here(
    load: Callable[..., str], tmp_path: Path
) -> None:
    place = load("leads.parquet", LEADS, random_leads(7))
    check_alike(tmp_path / "crm.yaml", WIDE, WIDE.replace("path: leads.parquet", place), None)
