"""A table from wherever it stands, as text: what the file is decides, not what it is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from revplan.errors import DataError, shown
from revplan.files import told_of
from revplan.history.crm import Location
from revplan.history.csv_text import TextTable, read_csv
from revplan.history.tables_in_database import read_duckdb, read_parquet, read_query
from revplan.history.tables_in_excel import read_excel

Wanted = Callable[[str], bool]  # whether a column is needed; of databases only such columns are read

EXCEL, PARQUET, DUCKDB, TEXT = "Excel", "Parquet", "DuckDB", "text"


def read_table(where: Location, folder: Path, wanted: Wanted) -> TextTable:
    """The table at `where`, its path counted from `folder`.

    Raises
    ------
    DataError
        If it cannot be read, or is no table; or a sheet or table is named in a file that has none.
    """
    if where.sql is not None:
        return read_query(where.url or "", where.sql)
    path = folder / (where.path or "")
    kind = _kind(path)
    for key, of in (("sheet", EXCEL), ("table", DUCKDB)):
        if getattr(where, key) and kind != of:
            raise DataError.at(shown(path.name), f"is {kind}, which has no {key}s; take `{key}` out of the CRM file")
    with told_of(
        DataError, shown(path.name), f"it is {kind}, and damaged or of an odd kind: export it again, or as CSV"
    ):
        if kind == EXCEL:
            return read_excel(path, where.sheet)
        if kind == PARQUET:
            return read_parquet(path, wanted)
        return read_duckdb(path, where.table, wanted) if kind == DUCKDB else read_csv(path, wanted)


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
