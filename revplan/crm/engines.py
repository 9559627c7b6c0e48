"""The engines that count records where they lie: DuckDB, over its own files and Parquet, PostgreSQL, and Spark.

All get the same SQL, Spark in its own dialect. Nothing in it can write; DuckDB may read the files the CRM file names and no others, and what
does not fit into its memory goes to a folder that is gone afterwards.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from revplan.crm.mapping import DataFile
from revplan.crm.readers import (
    DAMAGED,
    because,
    connected,
    is_kind,
    literal,
    path_of,
    postgresql_read,
    quoted,
    refuse_other_than_select,
    table_of,
    url_of,
)
from revplan.crm.spark import SPARK, SparkServer, of_spark, spark_server
from revplan.ground.errors import DataError, shown
from revplan.ground.files import MEMORY_MB, SPILL_MB, scratch_folder, stopped_in_time

TEXT, WHOLE, NUMBER, DAY, MOMENT, ZONED, OTHER = "text", "whole", "number", "day", "moment", "zoned", "other"
KINDS = {"VARCHAR": TEXT, "DATE": DAY, "TIMESTAMP WITH TIME ZONE": ZONED, "DOUBLE": NUMBER, "FLOAT": NUMBER}
KINDS |= dict.fromkeys(("TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS"), MOMENT)
KINDS |= dict.fromkeys(("BIGINT", "INTEGER", "SMALLINT", "TINYINT", "HUGEINT"), WHOLE)
KINDS |= {f"U{name}": WHOLE for name in ("BIGINT", "INTEGER", "SMALLINT", "TINYINT")}
OF_POSTGRESQL = {25: TEXT, 1043: TEXT, 1042: TEXT, 1082: DAY, 1114: MOMENT, 1184: ZONED}
OF_POSTGRESQL |= {20: WHOLE, 21: WHOLE, 23: WHOLE, 700: NUMBER, 701: NUMBER, 1700: NUMBER}
OF_SPARK = {"string": TEXT, "date": DAY, "timestamp_ntz": MOMENT, "timestamp": ZONED, "float": NUMBER, "double": NUMBER}
OF_SPARK |= dict.fromkeys(("tinyint", "smallint", "int", "bigint"), WHOLE)


@dataclass(frozen=True)
class Relation:
    """A table as SQL names it, what it is called for messages, and the kinds of its columns."""

    sql: str
    name: str
    how: str
    kinds: dict[str, str]


class Engine(Protocol):
    """Something that answers one SELECT after the other."""

    def kinds(self, sql: str) -> dict[str, str]:
        """The columns of a table, and what each holds."""
        raise NotImplementedError

    def ask(self, sql: str) -> list[np.ndarray]:
        """The columns of an answer."""
        raise NotImplementedError

    def hashed(self, name: str) -> str:
        """SQL for the number that `name` is known by, which takes a third of the time and room of a text.

        Two of ten million ids share one in about one file of two hundred thousand.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class _DuckDb:
    connection: Any

    def kinds(self, sql: str) -> dict[str, str]:
        found = self._answer(f"SELECT * FROM {sql} LIMIT 0", lambda answer: answer.description or [])
        kinds = {str(each[0]): str(each[1]) for each in found}
        return {name: NUMBER if kind.startswith("DECIMAL") else KINDS.get(kind, OTHER) for name, kind in kinds.items()}

    def ask(self, sql: str) -> list[np.ndarray]:
        return [np.asarray(column) for column in self._answer(sql, lambda answer: answer.fetchnumpy()).values()]

    def hashed(self, name: str) -> str:
        return f"CAST(hash({name}) >> 1 AS BIGINT)"  # signed, as what is compared with it is written

    def _answer(self, sql: str, take: Callable[[Any], Any]) -> Any:
        import duckdb

        with stopped_in_time(self.connection.interrupt) as is_late:
            try:
                return take(self.connection.execute(sql))
            except (duckdb.Error, *DAMAGED) as fault:
                raise DataError.at("the count in DuckDB", because(fault, is_late())) from None


@dataclass(frozen=True)
class _PostgreSql:
    connection: Any

    def kinds(self, sql: str) -> dict[str, str]:
        found = self.connection.execute(f"SELECT * FROM {sql} LIMIT 0".encode()).description or []
        return {each.name: OF_POSTGRESQL.get(each.type_code, OTHER) for each in found}

    def ask(self, sql: str) -> list[np.ndarray]:
        cursor = self.connection.execute(sql.encode())
        rows = cursor.fetchall()
        columns = zip(*rows, strict=True) if rows else [()] * len(cursor.description or ())
        return [np.array(column) for column in columns]

    def hashed(self, name: str) -> str:
        return f"hashtextextended(CAST({name} AS text), 0)"


@dataclass(frozen=True)
class _Spark:
    server: SparkServer

    def kinds(self, sql: str) -> dict[str, str]:
        kinds = self.server.kinds(sql)
        return {
            name: NUMBER if kind.startswith("decimal") else OF_SPARK.get(kind, OTHER) for name, kind in kinds.items()
        }

    def ask(self, sql: str) -> list[np.ndarray]:
        return [column.to_numpy() for column in self.server.ask(of_spark(sql)).columns]

    def hashed(self, name: str) -> str:
        return f"xxhash64({name})"


@dataclass(frozen=True)
class TablePlace:
    """Where a table lies: in an engine, under a name."""

    engine: str
    """duckdb, or the address of a server as env:NAME."""
    database: Path | None
    files: tuple[Path, ...]
    sql: str
    table: str | None
    name: str
    how: str


def place_of(entry: DataFile, folder: Path) -> TablePlace:
    """Where the table that `entry` describes can be counted.

    Raises
    ------
    DataError
        If it is neither Parquet nor in a database, or is not there.
    """
    if entry.sql is not None:
        engine, address = url_of(entry.url or "")
        refuse_other_than_select(entry.sql, engine)
        source, how = (
            f"({entry.sql.rstrip().rstrip(';')}\n) AS answer",
            f"{engine}, {shown(' '.join(entry.sql.split()))}",
        )
        if engine == "duckdb":
            return TablePlace("duckdb", path_of(address), (), source, None, f"query at {entry.url}", how)
        return TablePlace(entry.url or "", None, (), source, None, f"query at {entry.url}", how)
    paths = [folder / each for each in entry.path or ()]
    path, written = paths[0], " and ".join(entry.path or ())
    if path.is_file() and is_kind(path, "DuckDB"):
        return TablePlace("duckdb", path, (), "", entry.table, path.name, "DuckDB")
    if entry.table is not None:
        raise DataError.at(shown(path.name), "is no DuckDB file, and has no tables; take `table` out of the CRM file")
    found = {path: parquet_files(path) for path in paths}
    if all(found.values()):
        files = list(dict.fromkeys(each for at in paths for each in found[at]))
        pattern = f"[{', '.join(literal(str(each.resolve())) for each in files)}]"
        hive = any("=" in part for at in paths for each in found[at] for part in each.relative_to(_root(at)).parts[:-1])
        source = f"read_parquet({pattern}, union_by_name = true, hive_partitioning = {str(hive).lower()})"
        many = "" if path.is_file() and len(files) == 1 else f", {len(files):,} files"
        return TablePlace("duckdb", None, tuple(files), source, None, path.name or written, f"Parquet{many}")
    path = next(each for each in paths if not found[each])
    what = "is no file" if not path.exists() else "is neither Parquet nor a DuckDB file"
    raise DataError.at(shown(path.name), f"{what}; only those, and queries, are counted where they lie")


def _root(path: Path) -> Path:
    """The folder that the parts of a table are named from."""
    fixed = path
    while any(set(part) & set("*?[") for part in fixed.parts) and not fixed.exists():
        fixed = fixed.parent
    return fixed if fixed.is_dir() else fixed.parent


def parquet_files(path: Path) -> list[Path]:
    """The Parquet files at `path`: one file, all in a folder and the folders in it, or those a pattern names."""
    if path.is_file():
        return [path] if is_kind(path, "Parquet") else []
    pattern = str(path / "**" / "*.parquet") if path.is_dir() else str(path)
    found = (Path(each) for each in sorted(glob.glob(pattern, recursive=True)))
    return [each for each in found if each.is_file() and is_kind(each, "Parquet")]


@contextmanager
def engine_of(named: Mapping[str, TablePlace]) -> Iterator[tuple[Engine, dict[str, Relation]]]:
    """The engine that holds all of the places, and the table at each.

    Raises
    ------
    DataError
        If they lie apart, or the engine cannot be reached.
    """
    places = list(named.values())
    engines, databases = {each.engine for each in places}, {each.database for each in places if each.database}
    if len(engines) > 1 or len(databases) > 1:
        names = " and ".join(shown(each.name) for each in places)
        raise DataError.at(names, "lie in different databases, and cannot be counted together there")
    if engines != {"duckdb"}:
        with _server(places[0].engine, [each.sql for each in places]) as (engine, queries):
            asked = zip(named.items(), queries, strict=True)
            yield engine, {key: Relation(sql, at.name, at.how, engine.kinds(sql)) for (key, at), sql in asked}
        return
    with scratch_folder("revplan-count-") as spill:
        database = next(iter(databases), None)
        settings = {
            "memory_limit": f"{MEMORY_MB.value * 3 // 5}MB",
            "temp_directory": str(spill),
            "max_temp_directory_size": f"{SPILL_MB.value}MB",
            "preserve_insertion_order": "false",
        }
        readable = sorted({str(file.parent.resolve()) + os.sep for each in places for file in each.files})
        with connected(database, places[0].name, settings, [*readable, str(spill) + os.sep]) as connection:
            found = _DuckDb(connection)
            relations = {}
            for key, each in named.items():
                source, name, how = each.sql, each.name, each.how
                if not source:
                    table = table_of(connection, each.table, each.name)
                    source = ".".join(quoted(part) for part in table.split("."))
                    name, how = f"{each.name} {shown(table)}", f"DuckDB, table {shown(table)}"
                relations[key] = Relation(source, name, how, found.kinds(source))
            yield found, relations


@contextmanager
def _server(url: str, queries: list[str]) -> Iterator[tuple[Engine, list[str]]]:
    """The server behind `url`, and the queries of tables as it is asked for them."""
    kind, address = url_of(url)
    if kind == SPARK:
        with spark_server(address, url) as server:
            views = [server.view(f"SELECT * FROM {sql}", number) for number, sql in enumerate(queries)]
            yield _Spark(server), views
    else:
        with postgresql_read(url, queries) as connection:
            yield _PostgreSql(connection), queries
