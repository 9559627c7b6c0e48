"""Where a stage history lies, and the engine that answers questions about it there.

Embedded DuckDB reads tables in memory and Parquet files, out of core within a memory limit. A
connection to PostgreSQL, a Spark session or a DuckDB file is asked where the history lies, so that
only counts come back. Questions are written once, for DuckDB; sqlglot writes them for the others.
"""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from revplan.crm.cells import UNKNOWN
from revplan.crm.records import EVERY
from revplan.ground.errors import DataError, shown
from revplan.ground.extras import check_installed

MEMORY = "1500MB"  # 10 million rows fit; more spill
MOST_LABELS = 10_000  # more are no labels: they are left as text
FILES = (".duckdb", ".ddb", ".db")


@dataclass(frozen=True, kw_only=True)
class Columns:
    """What the columns of a stage history are called; None where there is no such column."""

    record: str = "record"
    segment: str | None = "segment"
    source: str | None = "source"
    stage: str = "stage"
    entered_on: str = "entered_on"
    lost_on: str = "lost_on"


@dataclass(frozen=True, eq=False)
class Engine:
    """Something that answers SQL: its dialect, how it is asked, and which errors it raises."""

    dialect: str
    ask: Callable[[str], Sequence[tuple]]
    errors: tuple[type[Exception], ...]

    def rows(self, question: str) -> Sequence[tuple]:
        """The answer to `question`, asked in the engine's own words.

        Raises
        ------
        DataError
            If the engine refuses; with the first line of what it said.
        """
        try:
            return self.ask(question)
        except self.errors as error:
            raise DataError.at(f"stage history in {self.dialect}", f"{first_line(error)}; check the query") from error


@dataclass(frozen=True, eq=False)
class Moves:
    """A stage history where it lies: who is asked, and two queries in the engine's own SQL.

    `entered` gives record, segment, source, stage, entered_on, a row per stage entered; `lost`
    gives record, lost_on, or is None where no losses are recorded.
    """

    engine: Engine
    entered: str
    lost: str | None = None
    named: dict[str, tuple[str, ...] | None] = field(default_factory=dict)

    def labels(self, column: str) -> tuple[str, ...] | None:
        """The labels of `column` in order, for DuckDB, which counts short codes faster; None elsewhere."""
        if self.engine.dialect != "duckdb":
            return None
        if column not in self.named:
            text = label_text(column)
            found = self.engine.rows(f"SELECT DISTINCT {text} FROM ({self.entered}) AS e LIMIT {MOST_LABELS + 1}")
            names = tuple(sorted(str(row[0]) for row in found))
            self.named[column] = names if 0 < len(names) <= MOST_LABELS else None
        return self.named[column]


def label_text(column: str) -> str:
    """SQL for the labels of `column`; missing ones are `unknown`."""
    return f"COALESCE(CAST({column} AS VARCHAR), '{UNKNOWN}')"


def first_line(error: Exception) -> str:
    """The first line an engine said, at most 200 characters of it."""
    said = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return "".join(c if c.isprintable() else "?" for c in said.strip().rstrip("."))[:200]


# --- where it may lie --------------------------------------------------------------------------------------


def moves_in_frames(stage_history: pd.DataFrame, records: pd.DataFrame | None = None) -> Moves:
    """The history in the tables `stage_history` and `records` (their `lost_on`); ids become whole numbers."""
    connection = _embedded(MEMORY)
    codes, ids = pd.factorize(stage_history["record"])
    texts = {key: stage_history[key].astype("category") for key in ("segment", "source", "stage")}
    connection.register("entered", pd.DataFrame({"record": codes, **texts, "entered_on": stage_history["entered_on"]}))
    if records is None or "lost_on" not in records:
        return Moves(_duckdb(connection), "SELECT * FROM entered WHERE record >= 0")
    lost = records[records["lost_on"].notna()]
    known = pd.DataFrame({"record": ids.get_indexer(lost["record"]), "lost_on": lost["lost_on"].to_numpy()})
    connection.register("lost", known)
    return Moves(_duckdb(connection), "SELECT * FROM entered WHERE record >= 0", "SELECT * FROM lost WHERE record >= 0")


def moves_in_parquet(
    entered: str | Path | Iterable[str | Path],
    lost: str | Path | Iterable[str | Path] | None = None,
    columns: Columns | None = None,
    memory_limit: str = MEMORY,
) -> Moves:
    """The history in Parquet files (`*` and `**` as in a shell), read in pieces by embedded DuckDB.

    What does not fit into `memory_limit` spills into the system's folder for temporary files.
    """
    names = columns or Columns()
    engine = _duckdb(_embedded(memory_limit))
    losses = None if lost is None else f"SELECT {_as(names.record, 'record')}, {_as(names.lost_on, 'lost_on')}"
    return Moves(
        engine,
        f"SELECT {_selected(names)} FROM {_parquet(entered)}",
        None if losses is None or lost is None else f"{losses} FROM {_parquet(lost)}",
    )


def moves_in_sql(connection: Any, entered: str, lost: str | None = None) -> Moves:
    """The history that queries on the user's own engine give, in that engine's own SQL.

    `connection` is a Spark session, a psycopg or DuckDB connection, a `postgresql://` address or
    the path of a DuckDB file. Moments with a time zone are counted on the day they have in the
    engine's session.

    Raises
    ------
    DataError
        If the connection is of another kind; one that cannot be made is named when it is first needed.
    """
    return Moves(_engine_of(connection), entered.strip().rstrip(";"), lost.strip().rstrip(";") if lost else None)


def _selected(names: Columns) -> str:
    labels = [_as(names.segment, "segment"), _as(names.source, "source")]
    return ", ".join(
        [_as(names.record, "record"), *labels, _as(names.stage, "stage"), _as(names.entered_on, "entered_on")]
    )


def _as(column: str | None, name: str) -> str:
    return f"'{EVERY}' AS {name}" if column is None else f'"{column.replace(chr(34), chr(34) * 2)}" AS {name}'


def _parquet(paths: str | Path | Iterable[str | Path]) -> str:
    listed = [paths] if isinstance(paths, str | Path) else list(paths)
    return f"read_parquet([{', '.join(quoted(str(path)) for path in listed)}], union_by_name = true)"


def quoted(text: str) -> str:
    """`text` as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


# --- engines -----------------------------------------------------------------------------------------------


def _embedded(memory_limit: str) -> Any:
    """An empty DuckDB in this process."""
    import duckdb

    spill = Path(tempfile.gettempdir()) / f"revplan-{uuid.uuid4().hex}"
    settings: dict[str, Any] = {
        "memory_limit": memory_limit,
        "temp_directory": str(spill),
        "preserve_insertion_order": "false",
    }
    try:
        return duckdb.connect(":memory:", config=settings)
    except duckdb.Error as error:
        raise DataError.at("memory_limit", f"{shown(memory_limit)!r} is no size like 900MB or 4GB") from error


def _duckdb(connection: Any) -> Engine:
    import duckdb

    return Engine("duckdb", lambda question: connection.execute(question).fetchall(), (duckdb.Error,))


def _postgres(connection: Any) -> Engine:
    import psycopg

    def ask(question: str) -> Sequence[tuple]:
        with connection.transaction(), connection.cursor() as cursor:
            return cursor.execute(question).fetchall()

    return Engine("postgres", ask, (psycopg.Error,))


def _spark(session: Any) -> Engine:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    return Engine(
        "spark", lambda question: [tuple(row) for row in session.sql(question).collect()], (PySparkException, Py4JError)
    )


def _engine_of(connection: Any) -> Engine:
    if isinstance(connection, str | Path):
        return _opened(str(connection))
    made_by = {each.__module__.split(".")[0].lstrip("_") for each in type(connection).__mro__}
    for package, engine in {"duckdb": _duckdb, "psycopg": _postgres, "pyspark": _spark}.items():
        if package in made_by:
            return engine(connection)
    came = f"{type(connection).__module__}.{type(connection).__name__}"
    todo = "hand in a Spark session, a psycopg or DuckDB connection, a postgresql:// address or a DuckDB file"
    raise DataError.at("connection", f"{shown(came)} is not known; {todo}")


def _opened(place: str) -> Engine:
    """The engine at an address or in a file. Each question opens it and closes it again; nothing is written."""
    if place.startswith(("postgresql://", "postgres://")):
        return _postgres_at(place)
    if not place.endswith(FILES):
        raise DataError.at("connection", "the text is neither a postgresql:// address nor a DuckDB file (.duckdb)")
    import duckdb

    def ask(question: str) -> Sequence[tuple]:
        try:
            connection = duckdb.connect(place, read_only=True)
        except duckdb.Error as error:
            raise DataError.at("connection", f"{shown(place)} cannot be opened: {first_line(error)}") from error
        with connection:
            return connection.execute(question).fetchall()

    return Engine("duckdb", ask, (duckdb.Error,))


def _postgres_at(address: str) -> Engine:
    check_installed("connection", "PostgreSQL")
    import psycopg

    def ask(question: str) -> Sequence[tuple]:
        try:
            connection = psycopg.connect(address, options="-c TimeZone=UTC -c default_transaction_read_only=on")
        except psycopg.Error:
            # The driver's own message may repeat the address, and with it a password.
            todo = "the PostgreSQL server did not let us in; check address and user"
            raise DataError.at("connection", todo) from None
        with connection:
            return connection.execute(question).fetchall()

    return Engine("postgres", ask, (psycopg.Error,))
