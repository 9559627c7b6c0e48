"""Parquet and DuckDB files, and queries against a warehouse, as cells: days and fractions as they are, all else as text.

Nothing a file or query says can write, or read another file: connections are read-only, what is not
one SELECT is refused, DuckDB may not leave the database it opened, and PostgreSQL is asked which functions
may act before one is called. Rows, cells, seconds and memory are limited (`revplan/ground/files.py`).

A table from wherever it stands, as text: what the file is decides, not what it is called.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pandas as pd

from revplan.crm.cells import MOSTLY, TextColumn, Texts, Written, as_text
from revplan.crm.excel import read_excel
from revplan.crm.mapping import Location, no_file
from revplan.crm.separated import read_csv
from revplan.crm.spark import SPARK, only_reading, spark_server
from revplan.crm.text_table import TextTable, below_one_another, header_faults
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.extras import check_installed
from revplan.ground.files import (
    MEMORY_MB,
    ROWS,
    SECONDS,
    refuse_beyond_limits,
    stopped_in_time,
    told_of,
    within_limits,
    within_memory,
)
from revplan.ground.tablefile import TableFile
from revplan.ground.values import visible

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


ROW = "file_row_number"  # the column in which DuckDB numbers the rows of a Parquet file
FETCHED = 10_000  # rows taken from an engine at a time
VECTORS = 50  # of 2,048 rows each that are taken from DuckDB at a time
ZONED = "TIMESTAMP WITH TIME ZONE"
MOMENTS = ("DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", ZONED)
NEW = -1  # the number of a text that the other table lacks
DAMAGED = (RuntimeError, ValueError, MemoryError)  # what else DuckDB raises: over bytes that are no text, out of memory
POSTGRESQL = ("postgresql", "postgres")
DIALECTS = {"duckdb": "duckdb", SPARK: "spark"} | dict.fromkeys(POSTGRESQL, "postgres")
ENVIRONMENT = "env:"
CALLED = re.compile(r"""([\w$]+)"?\s*(?=\(|/\*|--)""")
ESCAPED_NAME = re.compile(r"""\bU&\s*["']""", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class NumberedIds:
    """The column of a table that names the rows of another one, and the ids of those rows."""

    column: str
    texts: Sequence[str]


def read_parquet(path: Path, wanted: Callable[[str], bool], ids: NumberedIds | None = None) -> TextTable:
    """The wanted columns of the Parquet file at `path`; those of `ids` are numbered as there.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    import duckdb

    with duckdb.connect(":memory:", config=_bounds()) as connection:
        file = f"read_parquet({literal(glob.escape(str(path.resolve())))}, hive_partitioning = false"
        sources = f"{file})", f"{file}, {ROW} = true)"
        return _of_duckdb(connection, sources, path, (path.name, "Parquet"), wanted, ids)


def _bounds() -> dict[str, Any]:
    """What DuckDB may take: two thirds of the memory for its blocks, for it counts no texts, and nothing of the disk."""
    return {"memory_limit": f"{MEMORY_MB.value * 2 // 3}MB", "max_temp_directory_size": "0KB"}


def read_duckdb(path: Path, table: str | None, wanted: Callable[[str], bool]) -> TextTable:
    """The wanted columns of `table` in the DuckDB file at `path`, or of its only table.

    Raises
    ------
    DataError
        If it cannot be read, or has no such table.
    """
    connection = connected(path, path.name, _bounds())
    with connection:
        found = table_of(connection, table, path.name)
        parts = ".".join(quoted(part) for part in found.split("."))
        return _of_duckdb(
            connection, (parts, ""), path, (f"{path.name} {shown(found)}", f"DuckDB, table {shown(found)}"), wanted
        )


def connected(
    path: Path | None, name: str, settings: dict[str, Any], folders: Sequence[str] = ()
) -> DuckDBPyConnection:
    """DuckDB, which may read the database at `path` and the files in `folders`, and nothing else."""
    import duckdb

    if path is not None and not path.is_file():
        raise DataError.at(shown(name), "is no file; check the path of the database")
    try:
        opened = duckdb.connect(
            str(path or ":memory:"),
            read_only=path is not None,
            config=settings | {"autoload_known_extensions": "false"},
        )
        allowed = ", ".join(map(literal, folders))
        opened.execute(
            f"SET allowed_directories = [{allowed}]; SET enable_external_access = false; SET TimeZone = 'UTC'"
        )
        return opened
    except (duckdb.Error, *DAMAGED) as fault:
        raise DataError.at(shown(name), f"cannot be opened as a DuckDB file: {_first_line(fault)}") from None


def table_of(connection: DuckDBPyConnection, table: str | None, file: str) -> str:
    """The name of `table` as the database writes it, or of its only table.

    Raises
    ------
    DataError
        If it has no such table, or several.
    """
    tables = _of_names(connection, file)
    name = table if table is not None or len(tables) != 1 else tables[0]
    matching = [each for each in tables if name and each.casefold() == name.casefold()]
    if not matching:
        problem = f"has no table {shown(name)!r}" if name else "has several tables; name one with `table`"
        raise DataError.at(file, f"{problem}; it has {', '.join(map(shown, tables[:12])) or 'none'}")
    return matching[0]


def _of_names(connection: DuckDBPyConnection, name: str) -> list[str]:
    import duckdb

    query = "SELECT schema_name, table_name FROM duckdb_tables() UNION ALL SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal"
    try:
        found = connection.execute(query).fetchall()
    except (duckdb.Error, *DAMAGED) as fault:
        raise DataError.at(name, f"cannot be read: {_first_line(fault)}") from None
    return sorted(table if schema == "main" else f"{schema}.{table}" for schema, table in found)


def _of_duckdb(
    connection: DuckDBPyConnection,
    sources: tuple[str, str],
    path: Path,
    called: tuple[str, str],
    wanted: Callable[[str], bool],
    ids: NumberedIds | None = None,
) -> TextTable:
    """The wanted columns of the first of `sources`; the second is the same with its rows numbered, if it can be had so.

    It is `called` by its name, and by how it is read.
    """
    import duckdb

    (source, numbered), (name, how) = sources, called
    with stopped_in_time(connection.interrupt) as is_late:
        try:
            connection.execute("SET TimeZone = 'UTC'")
            described = connection.execute(f"SELECT * FROM {source} LIMIT 0").description or []
            header = tuple(visible(str(each[0])) for each in described)
            chosen = [(each[0], str(each[1])) for each in described if wanted(visible(str(each[0])))]
            asked = ", ".join(f"{_cell(*each)} AS c{number}" for number, each in enumerate(chosen)) or "'' AS c0"
            zoned = [kind == ZONED for _, kind in chosen] or [False]
            with within_memory():
                if numbered and ROW not in header:
                    shared = {n: ids.texts for n, each in enumerate(chosen) if ids and visible(each[0]) == ids.column}
                    rows, cells = _coded_columns(connection, numbered, asked, name, zoned, shared)
                else:
                    answer = connection.execute(f"SELECT {asked} FROM {source} LIMIT {ROWS.value + 1}")
                    rows, cells = _columns(answer, name, zoned)
        except (duckdb.Error, *DAMAGED) as fault:
            raise DataError.at(name, because(fault, is_late())) from None
    _refuse_faulty(name, header, rows)
    columns = {visible(column): cells[number] for number, (column, _) in enumerate(chosen)}
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
    return TextTable(name, header, columns, range(1, rows + 1), how, 0, digest, unit="row")


def _coded_columns(
    connection: DuckDBPyConnection,
    source: str,
    asked: str,
    name: str,
    zoned: list[bool],
    shared: Mapping[int, Sequence[str]],
) -> tuple[int, list[Texts]]:
    """The same as `_columns` of a source with numbered rows: the engine numbers the texts of a column, so that each comes once.

    A million ids in five million rows would be made five million times, and told apart again. Of a column that
    shares its texts with a column of another table, by its number, they have their places there for numbers.
    """
    rows, width = _one(connection, f"SELECT count(*) FROM {source}")[0], len(zoned)
    refuse_beyond_limits(rows, rows * width, name)
    table = f"(SELECT {ROW}, {asked} FROM {source})"
    kinds = [str(each[1]) for each in connection.execute(f"SELECT * FROM {table} LIMIT 0").description or []][1:]
    texts = [number for number, kind in enumerate(kinds) if kind == "VARCHAR"]
    shared = {number: shared[number] for number in texts if number in shared}
    asked_of = [number for number in texts if number not in shared]
    counts = ", ".join(f"approx_count_distinct(c{number})" for number in asked_of) or "0"
    different = dict(zip(asked_of, _one(connection, f"SELECT {counts} FROM {table}"), strict=False))
    coded = [number for number in texts if number in shared or different[number] <= MOSTLY * rows]
    for number in coded:
        numbered = f"SELECT text, CAST(row_number() OVER (ORDER BY seen) - 1 AS INTEGER) AS code FROM (SELECT c{number} AS text, min({ROW}) AS seen FROM {table} GROUP BY ALL)"
        if number in shared:
            connection.register("shared", pd.DataFrame({"text": pd.Series(shared[number], dtype=object)}))
            numbered = "SELECT text, CAST(row_number() OVER () - 1 AS INTEGER) AS code FROM shared"
        connection.execute(f"CREATE OR REPLACE TEMP TABLE t{number} AS {numbered}")
    columns = ", ".join(f"t{number}.code AS c{number}" if number in coded else f"c{number}" for number in range(width))
    joins = " ".join(
        f"{'LEFT ' if number in shared else ''}JOIN t{number} ON cells.c{number} = t{number}.text" for number in coded
    )
    found = connection.execute(f"SELECT {ROW}, {columns} FROM {table} AS cells {joins}").fetchnumpy()
    if len(found[ROW]) != rows:  # a text stands twice in the other table
        return _coded_columns(connection, source, asked, name, zoned, {})
    order = np.empty(rows, dtype=np.int64)
    order[found[ROW]] = np.arange(rows)  # as they stand in the file
    cells = []
    for number, zone in enumerate(zoned):
        values = found.pop(f"c{number}")
        missing = np.datetime64("NaT") if values.dtype.kind == "M" else np.nan if values.dtype.kind == "f" else NEW
        values = (values.filled(missing) if isinstance(values, np.ma.MaskedArray) else values)[order]
        if number in shared:
            new = np.flatnonzero(values == NEW)
            of_new = f"SELECT c{number} AS text FROM {table} ANTI JOIN t{number} ON c{number} = text ORDER BY {ROW}"
            codes, more = pd.factorize(connection.execute(of_new).fetchnumpy()["text"]) if len(new) else (new, [])
            values[new] = codes + len(shared[number])
            cells.append(Texts([*shared[number], *more], values, shared=len(shared[number])))
        elif number in coded:
            text = connection.execute(f"SELECT text FROM t{number} ORDER BY code").fetchnumpy()["text"]
            cells.append(Texts(text.tolist(), values))
        else:
            cells.append(Texts(values.tolist() if number in texts else Written(values, zone)))
    return rows, cells


def _one(connection: DuckDBPyConnection, query: str) -> tuple[Any, ...]:
    """The only row of an answer."""
    found: tuple[Any, ...] = connection.execute(query).fetchall()[0]  # all, so that nothing is left of the answer
    return found


def _columns(answer: DuckDBPyConnection, name: str, zoned: list[bool]) -> tuple[int, list[Texts]]:
    """The rows of an answer, counted, and its columns, of which some are `zoned`: texts, or the values of a typed one."""
    width, rows = len(zoned), 0
    texts, values = [TextColumn() for _ in zoned], [list[np.ndarray]() for _ in zoned]
    while len(chunk := answer.fetch_df_chunk(VECTORS)):
        rows += len(chunk)
        refuse_beyond_limits(rows, rows * width, name)
        for number, column in enumerate(chunk):
            if chunk[column].dtype.kind in "Mf":
                values[number].append(chunk[column].to_numpy())
            else:
                texts[number].add(chunk[column].to_numpy(dtype=object))
    typed = [Written(np.concatenate(each), zone) if each else None for each, zone in zip(values, zoned, strict=True)]
    return rows, [column.texts() if each is None else Texts(each) for each, column in zip(typed, texts, strict=True)]


def because(fault: Exception, late: bool) -> str:
    """Why an engine gave no answer, and what to do where a limit of ours stopped it."""
    if late:
        return SECONDS.refusal("takes longer to answer than")
    if isinstance(fault, MemoryError) or "memory" in str(fault).lower():
        return MEMORY_MB.refusal("takes more than")
    return f"cannot be read: {_first_line(fault)}"


def literal(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _cell(column: str, kind: str) -> str:
    """SQL that gives a column: days as moments in UTC, fractions as they are, all else as text."""
    name = quoted(column)
    if kind in MOMENTS:  # a day without end means none, as 9999-12-31 does
        moment = f"CASE WHEN isfinite({name}) THEN CAST({name} AS TIMESTAMP) ELSE TIMESTAMP '9999-12-31' END"
        return f"CASE WHEN {name} IS NOT NULL THEN {moment} END"
    return name if kind == "DOUBLE" else f"coalesce(CAST({name} AS VARCHAR), '')"


def _refuse_faulty(name: str, header: Sequence[str], rows: int) -> None:
    if faults := list(header_faults(name, header, rows, "header")):
        raise DataError(faults)


def _first_line(fault: object) -> str:
    line = (str(fault).strip() or type(fault).__name__).splitlines()[0]
    return shown(line.rpartition("FATAL:")[2].strip())  # what a server says stands behind where it stands


# --- a query against a warehouse ----------------------------------------------------------------------------


def read_query(url: str, sql: str) -> TextTable:
    """What `sql` answers in the warehouse whose address is the environment variable that `url` names.

    Raises
    ------
    DataError
        If the variable is not set, the engine unknown or not installed, or `sql` not one SELECT.
    """
    engine, address = url_of(url)
    refuse_other_than_select(sql, engine)
    how = f"{engine}, {shown(' '.join(sql.split()))}"
    if engine == "duckdb":
        path = path_of(address)
        with connected(path, url, _bounds()) as connection:
            source = f"({sql.rstrip().rstrip(';')}\n) AS answer"
            return _of_duckdb(connection, (source, ""), path, (f"query at {url}", how), lambda _: True)
    header, rows = (_result_of_spark if engine == SPARK else _result_of_postgresql)(address, sql, url)
    _refuse_faulty(f"query at {url}", header, len(rows))
    texts = [tuple(as_text(value) for value in row) for row in rows]
    columns = dict(zip(header, map(Texts.of, zip(*texts, strict=True)), strict=True))
    digest = sha256(repr((header, texts)).encode("utf-8", "replace")).hexdigest()
    return TextTable(f"query at {url}", header, columns, range(1, len(rows) + 1), how, 0, digest, unit="row")


def url_of(url: str) -> tuple[str, str]:
    """The engine and the address of the warehouse that the environment variable behind env: holds.

    Raises
    ------
    DataError
        If the variable is not set, or no engine is known by its address.
    """
    variable = url.removeprefix(ENVIRONMENT)
    address = os.environ.get(variable, "")
    if not address:
        todo = f"set it to the address of the warehouse, such as {POSTGRESQL[0]}://reader@host/database"
        raise DataError.at(url, f"the environment variable {shown(variable)} is not set; {todo}")
    engine = address.partition(":")[0].lower() if "://" in address else ""
    if engine not in DIALECTS:
        read = "duckdb://, postgresql:// and sc:// (Spark Connect) are"
        raise DataError.at(url, f"holds the address of an engine that is not read here; {read}")
    return engine, address


def refuse_other_than_select(sql: str, engine: str) -> None:
    import sqlglot
    from sqlglot import exp
    from sqlglot.errors import SqlglotError

    try:
        trees = sqlglot.parse(sql, read=DIALECTS[engine])
    except (SqlglotError, RecursionError) as fault:
        raise DataError.at("query", f"is no SQL that can be read: {_first_line(fault)}") from None
    writes = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Create, exp.Command, exp.Into)
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Query) or tree.find(*writes):
        raise DataError.at("query", f"must be one SELECT and nothing else ({shown(' '.join(sql.split()))})")


QueryResult = tuple[tuple[str, ...], Sequence[Sequence[Any]]]


def path_of(address: str) -> Path:
    """The file of duckdb:///relative or duckdb:////absolute, as SQLAlchemy writes them."""
    rest = address.partition("://")[2]
    relative = Path(rest.removeprefix("/"))
    return relative if relative.is_file() else Path(rest)


def _result_of_postgresql(address: str, sql: str, name: str) -> QueryResult:
    with _server(address, name, [sql]) as connection, connection.cursor("revplan") as cursor:
        cursor.itersize = FETCHED  # on the server: no more rows come than are taken
        cursor.execute(f"{sql.rstrip().rstrip(';')}\n".encode())
        rows = list(within_limits(cursor, name))
        return tuple(each.name for each in cursor.description or ()), rows


def _result_of_spark(address: str, sql: str, name: str) -> QueryResult:
    with spark_server(address, name) as server:
        answer = server.ask(f"SELECT * FROM ({only_reading(sql)}) AS answer LIMIT {ROWS.value + 1}")
        refuse_beyond_limits(answer.num_rows, answer.num_rows * answer.num_columns, name)
        columns = [column.to_pylist() for column in answer.columns]
        return tuple(answer.column_names), list(zip(*columns, strict=True))


def postgresql_read(url: str, queries: Sequence[str]) -> AbstractContextManager[Any]:
    """The PostgreSQL server behind `url`, for reading with `queries`."""
    return _server(url_of(url)[1], url, queries)


@contextmanager
def _server(address: str, name: str, queries: Sequence[str]) -> Iterator[Any]:
    check_installed(name, "PostgreSQL")
    import psycopg

    try:
        with psycopg.connect(address, connect_timeout=SECONDS.value) as connection:
            connection.read_only = True
            connection.execute(f"SET LOCAL statement_timeout = '{SECONDS.value}s'")
            for sql in queries:
                _refuse_what_acts(connection, sql)
            yield connection
            connection.rollback()  # some functions write in spite of read_only
    except psycopg.errors.QueryCanceled:
        raise DataError.at(name, SECONDS.refusal("takes longer to answer than")) from None
    except psycopg.Error as fault:
        raise DataError.at(name, f"the query failed: {_without_password(_first_line(fault), address)}") from None


def _refuse_what_acts(connection: Any, sql: str) -> None:
    """Stop at a function that the server itself calls volatile: it may wait, write, read files or reach another server.

    Raises
    ------
    DataError
        With every such function.
    """
    called = _called(sql)
    query = "SELECT DISTINCT proname FROM pg_catalog.pg_proc WHERE proname = ANY(%s) AND provolatile = 'v' ORDER BY 1"
    acting = [str(each[0]) for each in connection.execute(query, [called]).fetchall()]
    if acting:
        todo = "ask for columns, constants and functions that give the same answer each time"
        raise DataError.at("query", f"calls {', '.join(map(shown, acting))}, which may do more than read; {todo}")


def _called(sql: str) -> list[str]:
    """The words in `sql` that may name a function: those before a parenthesis or a comment.

    Looked for in the text as it stands, strings and comments too: whoever knows where a server and a parser
    disagree on what is a string could hide a call in one.
    """
    if ESCAPED_NAME.search(sql):
        raise DataError.at("query", 'holds a name in escapes (U&"..."); write it out')
    words = CALLED.findall(sql)
    return sorted({*words, *(word.lower() for word in words)})


def _without_password(text: str, address: str) -> str:
    """`text` if the address can be taken apart, so that no password in it is shown."""
    try:
        password = urlsplit(address).password
    except ValueError:
        return "its address cannot be read"
    return text.replace(password, "***") if password else text


def files_of(where: Location | TableFile, folder: Path) -> list[Path]:
    """The files at `where`, each once: those that it lists, and those that a pattern in it names."""
    written = (where.path,) if isinstance(where, TableFile) else where.path or ()
    return list(dict.fromkeys(path for each in written for path in _like(each, folder)))


def _like(written: str, folder: Path) -> list[Path]:
    path = folder / written
    if not set(written) & set("*?") or path.exists():
        return [path]
    pattern = str(Path(glob.escape(str(folder))) / written.replace("[", "[[]"))
    return [Path(each) for each in sorted(glob.glob(pattern, recursive=True)) if Path(each).is_file()]


def refuse_missing(where: Location, folder: Path, place: str) -> None:
    """Stop where a path leads to no file.

    Raises
    ------
    DataError
        With every such path.
    """
    gone = [each for each in where.path or () if not any(path.is_file() for path in _like(each, folder))]
    if gone:
        raise DataError(Fault(place, no_file(each)) for each in gone)


Wanted = Callable[[str], bool]  # whether a column is needed; of databases only such columns are read

EXCEL, PARQUET, DUCKDB, TEXT = "Excel", "Parquet", "DuckDB", "text"


def read_table(
    where: Location | TableFile, folder: Path, wanted: Wanted, keep_totals: bool = False, ids: NumberedIds | None = None
) -> TextTable:
    """The table at `where`, its path counted from `folder`; with its rows of totals for whoever checks them.

    A table in several files is one, their rows below one another. One in a Parquet file numbers `ids` as they are told.

    Raises
    ------
    DataError
        If it cannot be read, or is no table; or a sheet or table is named in a file that has none.
    """
    if isinstance(where, Location) and where.sql is not None:
        return read_query(where.url or "", where.sql)
    tables: list[TextTable] = []
    faults: list[Fault] = []
    for path in files_of(where, folder):
        try:
            tables.append(_read_file(path, where, wanted, keep_totals, ids))
        except DataError as error:
            faults += error.faults
    if faults:
        raise DataError(faults)
    return below_one_another(tables, wanted)


def _read_file(
    path: Path, where: Location | TableFile, wanted: Wanted, keep_totals: bool, ids: NumberedIds | None
) -> TextTable:
    kind = _kind(path)
    for key, of in (("sheet", (EXCEL,)), ("table", (DUCKDB,)), ("header_row", (EXCEL, TEXT))):
        if getattr(where, key) and kind not in of:
            todo = f"take `{key}` out of the file that names it"
            raise DataError.at(shown(path.name), f"is {kind}, which has no {key}s; {todo}")
    damaged = f"it is {kind}, and damaged or of an odd kind: export it again, or as CSV"
    with told_of(DataError, shown(path.name), damaged):
        if kind == EXCEL:
            return read_excel(path, where.sheet, where.header_row, keep_totals)
        if kind == PARQUET:
            return read_parquet(path, wanted, ids)
        if kind == DUCKDB:
            return read_duckdb(path, where.table, wanted)
        return read_csv(path, wanted, where.header_row, keep_totals)


def is_kind(path: Path, kind: str) -> bool:
    """Whether the file at `path` is of a kind by its first bytes."""
    return _kind(path) == kind


def _kind(path: Path) -> str:
    """What the file is by its first bytes."""
    try:
        with path.open("rb") as file:
            head = file.read(12)
    except (OSError, ValueError):
        return TEXT  # whose reader says what is wrong
    if head.startswith(b"PK\x03\x04"):
        return EXCEL
    if head.startswith(b"PAR1"):
        return PARQUET
    return DUCKDB if head[8:12] == b"DUCK" else TEXT
