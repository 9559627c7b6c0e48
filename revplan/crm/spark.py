"""The user's own Spark, asked over Spark Connect: one SELECT after the other, which can do nothing but read tables.

What a CRM file asks for is read as a tree first, and the tree is written anew for the server: so what was looked at is
what is sent, whatever a text hides from a parser in comments and strings.
"""

from __future__ import annotations

import logging
import re
import socket
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from revplan.ground.errors import DataError, shown
from revplan.ground.extras import check_installed
from revplan.ground.files import SECONDS, stopped_in_time

SPARK = "sc"  # the scheme of Spark Connect's addresses
PORT = 15002
OF_TABLES = ("parquet", "orc", "delta", "iceberg")  # formats of tables; a path behind another could be any file
RETRIES = 3  # of pyspark's 15, which keep trying for ten minutes


@dataclass(frozen=True)
class SparkServer:
    """A session of our own on the server behind the address that `name` stands for."""

    session: Any
    name: str

    def view(self, sql: str, number: int) -> str:
        """The name under which `sql`, one SELECT, can be asked in this session."""
        name = f"revplan_{number}"
        self._answer(lambda: self.session.sql(only_reading(sql)).createOrReplaceTempView(name))
        return name

    def kinds(self, view: str) -> dict[str, str]:
        """The columns of a view, and Spark's names of their types."""
        return dict(self._answer(lambda: self.session.table(view).dtypes))

    def ask(self, sql: str) -> Any:
        """The answer to SQL in Spark's dialect, a table of Arrow."""
        return self._answer(lambda: self.session.sql(sql).toArrow())

    def _answer(self, take: Callable[[], Any]) -> Any:
        import grpc
        from pyspark.errors import PySparkException

        with stopped_in_time(self.session.interruptAll) as is_late:
            try:
                return take()
            except (PySparkException, grpc.RpcError) as fault:
                lines = [re.sub(r"^\[[A-Z_.]+\] ", "", each.strip()) for each in str(fault).splitlines()]
                said = shown(next(filter(None, lines), type(fault).__name__))
                late = SECONDS.refusal("takes longer to answer than")
                raise DataError.at(self.name, late if is_late() else f"the query failed: {said}") from None


@contextmanager
def spark_server(address: str, name: str) -> Iterator[SparkServer]:
    """The Spark at `address`, sc://host:port, for which `name` stands in messages: a token may stand in the address.

    Raises
    ------
    DataError
        If it cannot be reached.
    """
    check_installed(name, "Spark")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pandas 3, whose frames none comes here in; and of tries that we tell of
        session = _session(address, name)
    try:
        yield SparkServer(session, name)
    finally:
        session.stop()


def _session(address: str, name: str) -> Any:
    from pyspark.errors import PySparkException
    from pyspark.sql.connect.client.retries import DefaultPolicy
    from pyspark.sql.connect.session import SparkSession

    logging.getLogger("SQLQueryContextLogger").disabled = True  # which prints every refusal with the server's stack
    try:
        parts = urlsplit(address)  # pyspark would try an address where nothing answers for minutes
        socket.create_connection((parts.hostname or "", parts.port or PORT), timeout=SECONDS.value).close()
        session = SparkSession.builder.remote(address).create()
        session.client.set_retry_policies([DefaultPolicy(max_retries=RETRIES)])
        session.conf.set("spark.sql.session.timeZone", "UTC")
        session.conf.set("spark.sql.autoBroadcastJoinThreshold", "-1")  # Spark cannot end a cross join it has broadcast
    except (PySparkException, OSError, ValueError) as fault:
        why = (isinstance(fault, PySparkException) and fault.getCondition()) or type(fault).__name__
        todo = "set it to sc://host:port of a Spark Connect server that runs"
        raise DataError.at(name, f"no Spark can be reached at the address it holds ({why}); {todo}") from None
    return session


def only_reading(sql: str) -> str:
    """`sql` written anew for Spark, where it names nothing but tables and functions that only read.

    Raises
    ------
    DataError
        With what else it names: functions that nobody knows here (`reflect` calls any program), programs that rows go
        through, and files that are no tables.
    """
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(sql, read="spark")
    called = sorted({each.name or "a function" for each in tree.find_all(exp.Anonymous)})
    if called:
        raise DataError.at(
            "query",
            f"calls {', '.join(map(shown, called))}, of which it is not known that it only reads; ask for it in a view",
        )
    if tree.find(exp.QueryTransform):
        raise DataError.at("query", "sends rows through a program (TRANSFORM); ask for columns and functions")
    for table in tree.find_all(exp.Table):
        if set(f"{table.db}{table.name}") & set("/\\:.") and table.db.lower() not in OF_TABLES:
            path = f"{table.db}.{table.name}"
            raise DataError.at(
                "query", f"reads {shown(path)}, a file; ask for a table, or {', '.join(OF_TABLES)}.`path`"
            )
    return tree.sql("spark", comments=False)


def of_spark(sql: str) -> str:
    """SQL as DuckDB and PostgreSQL know it, in Spark's dialect."""
    import sqlglot
    from sqlglot import exp

    tree = sqlglot.parse_one(sql, read="duckdb")
    for call in [*tree.find_all(exp.Anonymous)]:
        if call.name == "isfinite":
            call.replace(exp.true())  # Spark knows no moments without end
    for table in tree.find_all(exp.CTE):
        table.set("materialized", None)
    return tree.sql("spark")
