"""The same counts on every engine: embedded DuckDB, PostgreSQL, Spark, and plain Python as the oracle.

PostgreSQL runs on the loopback address in a temporary folder and is stopped at the end. Tests are skipped,
with a reason, where a server, Java or the extra `warehouse` is missing.
"""

from __future__ import annotations

import gc
import importlib.util
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

from revplan.crm.readers import read_query
from revplan.ground.errors import DataError
from revplan.rates.count_cache import kept_counts
from revplan.rates.counts import cohort_counts, exposure_counts
from revplan.rates.engine import Moves, moves_in_frames, moves_in_parquet, moves_in_sql

UNIT = Path(__file__).resolve().parents[1] / "unit" / "test_history_counts.py"
SEEDS = (21, 22, 23)
SINCE = date(2024, 1, 10)
MOVES = "SELECT record, segment, source, stage, entered_on FROM moves_{seed}"
LOSSES = "SELECT record, lost_on FROM losses_{seed}"


def _oracle() -> ModuleType:
    spec = importlib.util.spec_from_file_location("history_oracle", UNIT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


oracle = _oracle()
STAGES, AS_OF = oracle.STAGES, oracle.AS_OF


# --- engines -----------------------------------------------------------------------------------------------


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
def address() -> Iterator[str]:
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
        # A collation other than byte order, so that the counts are seen not to depend on it.
        subprocess.run([*make, "--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"], check=True, **quiet)
        subprocess.run([*control, "-l", f"{folder}/log", "-o", options, "start"], check=True, **quiet)
        try:
            yield f"postgresql://planner@127.0.0.1:{port}/postgres"
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], check=True, **quiet)


@pytest.fixture(scope="module")
def postgres(address: str) -> str:
    """The address of a server that holds the random histories."""
    import psycopg

    with psycopg.connect(address) as connection, connection.cursor() as cursor:
        for seed in SEEDS:
            moves, losses = oracle.random_history(seed)
            cursor.execute(
                f"CREATE TABLE moves_{seed} (record text, segment text, source text, stage text, entered_on timestamp)"
            )
            cursor.execute(f"CREATE TABLE losses_{seed} (record text, lost_on timestamp)")
            for table, frame in ((f"moves_{seed}", moves), (f"losses_{seed}", losses)):
                with cursor.copy(f"COPY {table} ({', '.join(frame.columns)}) FROM STDIN") as copy:
                    for row in frame.astype(object).where(frame.notna(), None).itertuples(index=False):
                        copy.write_row(row)
    return address


@pytest.fixture(scope="module")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Spark session in this process that sees the random histories."""
    if not shutil.which("java"):
        pytest.skip("Java is not installed")
    sql = pytest.importorskip("pyspark.sql", reason="pyspark is not installed: the extra warehouse")
    folder = tmp_path_factory.mktemp("spark")
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
    }
    session = sql.SparkSession.builder.master("local[2]").appName("revplan").config(map=settings).getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    for seed in SEEDS:
        moves, losses = oracle.random_history(seed)
        for name, frame in ((f"moves_{seed}", moves), (f"losses_{seed}", losses)):
            path = oracle.write_parquet(frame, folder / f"{name}.parquet")
            session.read.parquet(str(path)).createOrReplaceTempView(name)
    yield session
    session.stop()


# --- the same counts ---------------------------------------------------------------------------------------


def _agrees(moves: Moves, seed: int) -> None:
    history, losses = oracle.random_history(seed)
    here = moves_in_frames(history, losses)
    table = cohort_counts(moves, STAGES, AS_OF)
    oracle.same(table, oracle.oracle_cohorts(history, losses, AS_OF))
    pd.testing.assert_frame_equal(table, cohort_counts(here, STAGES, AS_OF))
    pd.testing.assert_frame_equal(
        exposure_counts(moves, STAGES, AS_OF, SINCE), exposure_counts(here, STAGES, AS_OF, SINCE)
    )


def _is_kept(moves: Moves, folder: Path) -> None:
    """Counts kept in a file and brought up to date are those counted anew; the second time they are believed."""
    for day in (date(2023, 8, 31), date(2023, 12, 12), date(2023, 12, 12)):
        kept = kept_counts(moves, STAGES, day, folder / "counts.csv")
        pd.testing.assert_frame_equal(kept, cohort_counts(moves, STAGES, day))
    written = (folder / "counts.csv").stat().st_mtime_ns
    kept_counts(moves, STAGES, date(2023, 12, 12), folder / "counts.csv")
    assert (folder / "counts.csv").stat().st_mtime_ns == written


def _in_sql(connection: Any, seed: int) -> Moves:
    return moves_in_sql(connection, MOVES.format(seed=seed), LOSSES.format(seed=seed))


@pytest.mark.parametrize("seed", SEEDS)
def test_parquet_gives_the_counts_of_the_oracle(seed: int, tmp_path: Path) -> None:
    moves, losses = oracle.random_history(seed)
    files = [
        oracle.write_parquet(frame, tmp_path / name) for frame, name in ((moves, "m.parquet"), (losses, "l.parquet"))
    ]
    _agrees(moves_in_parquet(*files), seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_postgres_gives_the_counts_of_the_oracle(seed: int, postgres: str) -> None:
    _agrees(_in_sql(postgres, seed), seed)


def test_postgres_counts_are_kept(postgres: str, tmp_path: Path) -> None:
    _is_kept(_in_sql(postgres, SEEDS[1]), tmp_path)


def test_an_open_postgres_connection_is_left_as_it_was(postgres: str) -> None:
    import psycopg

    with psycopg.connect(postgres) as connection:
        connection.execute("SET search_path TO public")
        _agrees(_in_sql(connection, SEEDS[0]), SEEDS[0])
        with pytest.raises(DataError, match=r'^stage history in postgres: relation "nowhere" does not exist'):
            cohort_counts(moves_in_sql(connection, "SELECT * FROM nowhere"), STAGES, AS_OF)
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_a_postgres_address_is_only_read(postgres: str) -> None:
    with pytest.raises(DataError, match="read-only transaction"):
        moves_in_sql(postgres, "SELECT 1").engine.rows("CREATE TABLE planted (x int)")


def test_a_refused_postgres_address_keeps_its_password(address: str) -> None:
    wrong = address.replace("planner@", "planner:sesame@").replace("/postgres", "/nowhere")
    with pytest.raises(DataError, match="the PostgreSQL server did not let us in") as caught:
        cohort_counts(moves_in_sql(wrong, "SELECT 1"), STAGES, AS_OF)
    assert "sesame" not in str(caught.value)


# pyspark leaves the sockets through which answers come to the garbage collector, which says so.
SOCKETS_LEFT_OPEN = pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")


@SOCKETS_LEFT_OPEN
@pytest.mark.parametrize("seed", SEEDS)
def test_spark_gives_the_counts_of_the_oracle(seed: int, spark: Any) -> None:
    _agrees(_in_sql(spark, seed), seed)
    gc.collect()  # here, not in another test


@SOCKETS_LEFT_OPEN
def test_spark_counts_are_kept(spark: Any, tmp_path: Path) -> None:
    _is_kept(_in_sql(spark, SEEDS[1]), tmp_path)
    gc.collect()


@SOCKETS_LEFT_OPEN
def test_a_wrong_query_on_spark_is_one_line(spark: Any) -> None:
    with pytest.raises(DataError, match=r"^stage history in spark: .*nowhere.*; check the query$"):
        cohort_counts(moves_in_sql(spark, "SELECT * FROM nowhere"), STAGES, AS_OF)


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
    assert read_query("env:CRM", query).columns == {"id": ("id-1",), "day": ("2026-03-01",)}


def test_an_answer_of_a_server_reads_as_any_other_table(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM", postgres)
    query = "SELECT 7::bigint AS id, DATE '2026-03-04' AS lead, 1200.50 AS amount, NULL::date AS won, true AS mine;"
    found = read_query("env:CRM", query)
    assert found.header == ("id", "lead", "amount", "won", "mine")
    assert [found.cells(column) for column in found.header] == [("7",), ("2026-03-04",), ("1200.50",), ("",), ("true",)]


def test_a_refusal_of_the_server_keeps_the_password(postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM", postgres.replace("planner@", "planner:hunter2@").replace("/postgres", "/hunter2"))
    with pytest.raises(DataError, match=r'env:CRM: the query failed: .*database "\*\*\*" does not exist'):
        read_query("env:CRM", "SELECT 1 AS id")
