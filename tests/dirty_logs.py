"""Dirty histories in Parquet, and what is counted of them, for tests that hold two ways of counting equal."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from revplan.crm.counted import Counted
from revplan.crm.records import History
from revplan.rates.spells import spells_of

START = datetime(2026, 1, 1, 8)
HISTORY = """\
format: history
path: changes.parquet
id: id
at: moment
field: field
is: Status
value: value
stages: {lead: New, sql: [SQL, Qualified], won: Won}
lost: [Lost, Dead]
records: {path: records.parquet, id: id}
source: records.source
amount: records.amount
"""
WIDE = """\
format: wide
files: {leads: {path: leads.parquet, id: id}}
stages: {lead: leads.created, sql: leads.sql, won: {at: leads.closed, field: leads.stage, is: Closed Won}}
lost: {at: leads.closed, field: leads.stage, is: Closed Lost}
source: leads.source
segment: leads.size
amount: leads.amount
except: {leads.gone: true}
"""

EVERY_LABEL = [("x", START, "Status", value) for value in ("New", "SQL", "Qualified", "Won", "Lost", "Dead")]
EVERY_STAGE = [
    (f"y{number}", START, None, START, stage, *[None] * 3, False)
    for number, stage in enumerate(("Closed Won", "Closed Lost"))
]
LOG = "id VARCHAR, moment TIMESTAMP, field VARCHAR, value VARCHAR"
PEOPLE = "id VARCHAR, source VARCHAR, amount FLOAT8"
LEADS = "id VARCHAR, created TIMESTAMP, sql DATE, closed TIMESTAMP, stage VARCHAR, source VARCHAR, size VARCHAR, amount FLOAT8, gone BOOLEAN"


def written(path: Path, columns: str, rows: list[tuple[Any, ...]]) -> None:
    """A Parquet file with `rows`."""
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE t ({columns})")
        if rows:
            row = f"({', '.join('?' * len(rows[0]))})"  # all in one go: each by itself takes a millisecond
            connection.execute(f"INSERT INTO t VALUES {', '.join([row] * len(rows))}", [*chain.from_iterable(rows)])
        connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")


def ways(found: History | Counted) -> Counter[tuple[Any, ...]]:
    """Records by everything that is counted of them."""
    spells = spells_of(found)
    money = ["" if np.isnan(each) else each for each in spells.amount.tolist()]
    cells = [spells.cells[number] for number in spells.cell.tolist()]
    return Counter(zip(cells, money, map(tuple, spells.entered.tolist()), spells.lost.tolist(), strict=True))


def told(found: History | Counted) -> dict[tuple[str, str], int]:
    """The repairs told, with their counts; times of a day are not looked at where records lie."""
    words = (
        "moved up",
        "skipped",
        "enter here",
        "reopened later, ignored",
        "losses of records in",
        "won and later",
        "taken as entered",
        "no new record",
    )
    lines = [
        line for line in found.report if any(each in line.what for each in words) and "times of day" not in line.what
    ]
    return {(line.part, line.what): line.count for line in lines}


def random_log(seed: int, zoned: bool) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Changes of some hundred records, with everything that is odd in them, and the records."""
    chance = random.Random(seed)
    ids = [str(number) for number in range(1, 400)]

    def an_id() -> str | None:
        each = chance.choice(ids)
        return chance.choices([each, f" {each} ", f"{each}.0", "", "null", None], [80, 10, 5, 2, 2, 1])[0]

    def a_moment(sure: bool = False) -> datetime | None:
        real = START + timedelta(minutes=chance.randrange(60 * 24 * 200))
        found = real if sure else chance.choices([real, None, datetime(9999, 12, 31)], [95, 3, 2])[0]
        return found.replace(tzinfo=UTC) if found and zoned else found

    log = list(EVERY_LABEL)
    for _ in range(2500):
        closes = chance.random() < 0.4  # a win or a loss without a day is counted in memory only
        values = ["Won", "won ", "Lost", "dead"] if closes else ["New", "SQL", "qualified", "Nurture", "", None]
        field = chance.choice(["Status", "Status", "status", "Owner", None])
        log.append((an_id(), a_moment(closes), field, chance.choice(values)))
    names = ["web", " web", "Fair", "", "Select", 'it\'s \\d "x"', None]
    people = [(each, chance.choice(names), chance.choice([None, 0.0, 250.5])) for each in ids if chance.random() < 0.9]
    return log, [*people, ("x", "web", 1.0)]


def random_leads(seed: int) -> list[tuple[Any, ...]]:
    """Some hundred records with a column for each stage."""
    chance = random.Random(seed)
    rows = list(EVERY_STAGE)
    for number in range(400):
        created, closed = (START + timedelta(hours=chance.randrange(24 * 200)) for _ in range(2))
        stage = chance.choice(["Closed Won", "closed won", "Closed Lost", "Open", None])
        if stage in ("Open", None):
            closed = chance.choice([closed, None, datetime(9999, 12, 31)])
        sql = chance.choice([None, (START + timedelta(days=chance.randrange(200))).date()])
        id_ = chance.choices([f"{number}", f"{number}.0", f"{number} ", None], [90, 5, 4, 1])[0]
        labels = chance.choice(["web", " web", "", None]), chance.choice(["small", " small", "", None])
        rows.append((id_, created, sql, closed, stage, *labels, chance.choice([None, 10.0]), chance.random() < 0.2))
    return rows
