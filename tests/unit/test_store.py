"""Records counted where they lie: what is read there, what is refused, and that every command says the same."""

from __future__ import annotations

import json
import random
import shutil
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from revplan.cli.commands import main
from revplan.crm import engines
from revplan.crm.counted import Counted
from revplan.crm.records import Export
from revplan.crm.store import Stored, open_counts
from revplan.ground.errors import DataError

HISTORY = """\
format: history
{where}
id: id
at: moment
value: value
stages: {{lead: New, sql: SQL, won: Won}}
lost: Lost
records: {{{records}, id: id}}
segment: records.size
source: records.source
amount: records.amount
"""
FILES = {"where": "path: changes.parquet", "records": "path: records.parquet"}


def made(place: Path, records: int = 3000) -> None:
    """A DuckDB file with two years of changes, some of them reopened or undone, and the same as Parquet."""
    chance = random.Random(5)
    people, log = [], []
    for number in range(records):
        size, source = chance.choice(["small", "large"]), chance.choice(["web", "fair", "ads"])
        amount = chance.choice([None, 1000.0, 5000.0])
        people.append((f"00Q{number:06}", size, source, amount))
        at = datetime(2024, 1, 1) + timedelta(hours=chance.randrange(24 * 700))
        for value, share, days in (("New", 1.0, 0), ("SQL", 0.5, 15), ("Won", 0.4, 40)):
            at += timedelta(hours=chance.randrange(24 * days + 1))
            if chance.random() > share:
                log.append((people[-1][0], at + timedelta(days=20), "Lost"))
                if chance.random() < 0.1:
                    log.append((people[-1][0], at + timedelta(days=30), "SQL"))
                break
            log.append((people[-1][0], at, value))
    last = datetime(2025, 12, 31)
    all_records = pd.DataFrame(people, columns=["id", "size", "source", "amount"])
    all_changes = pd.DataFrame([row for row in log if row[1] <= last], columns=["id", "moment", "value"])
    with duckdb.connect(str(place / "crm.duckdb")) as connection:
        connection.execute("CREATE TABLE records (id VARCHAR, size VARCHAR, source VARCHAR, amount DOUBLE)")
        connection.execute("CREATE TABLE changes (id VARCHAR, moment TIMESTAMP, value VARCHAR)")
        connection.register("all_records", all_records).execute("INSERT INTO records FROM all_records")
        connection.register("all_changes", all_changes).execute("INSERT INTO changes FROM all_changes")
        for table in ("records", "changes"):
            connection.execute(f"COPY {table} TO '{place / table}.parquet' (FORMAT parquet)")
        by_year = "(FORMAT parquet, PARTITION_BY (year))"
        connection.execute(f"COPY (SELECT *, year(moment) AS year FROM changes) TO '{place / 'parts'}' {by_year}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("store")
    made(found)
    return found


def crm(place: Path, text: str) -> Path:
    path = place / "crm.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    assert main([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


COMMANDS = [
    ["rates", "crm.yaml"],
    ["forecast", "crm.yaml", "--months", "3", "--by", "source"],
    ["forecast", "crm.yaml", "--as-of", "2025-06-30"],
    ["backtest", "crm.yaml", "--from", "2025-03-31", "--to", "2025-06-30", "--every", "quarter", "--months", "3"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_says_what_it_says_of_records_in_memory(
    words: list[str], place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(place)
    crm(place, f"{HISTORY.format(**FILES)}count: in_memory\n")
    memory = answer(capsys, *words)
    crm(place, f"{HISTORY.format(**FILES)}count: in_place\n")
    store = answer(capsys, *words)
    for each in (memory, store):
        each.pop("notes")  # the report of a store is shorter
    assert alike(store, memory)


@pytest.mark.parametrize("how", ["in_memory", "in_place"])
@pytest.mark.parametrize("words", COMMANDS[:2], ids=" ".join)
def test_wins_below_zero_are_told_wherever_amounts_or_rates_are(
    how: str, words: list[str], place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    crm(tmp_path, f"{HISTORY.format(**FILES)}count: {how}\n")
    ended = "SELECT id FROM changes GROUP BY id HAVING max_by(value, moment) = '{}' ORDER BY id LIMIT 7"
    for label, told in (("Lost", []), ("Won", [7])):
        shutil.copy(place / "crm.duckdb", "one.duckdb")
        with duckdb.connect("one.duckdb") as connection:
            some = f"id IN ({ended.format(label)})"
            connection.execute(f"UPDATE records SET amount = -250.0 WHERE {some}")
            for table in ("records", "changes"):
                connection.execute(f"COPY {table} TO '{table}.parquet' (FORMAT parquet)")
        notes = [note for note in answer(capsys, *words)["notes"] if "below 0" in note]
        assert notes == [
            f"Wins with an amount below 0: {number}, −{250 * number:,} in all; sums of what is won fall by that, only amounts "
            "above 0 tell the size of a deal, and each counts as a win in the rates."
            for number in told
        ]


def alike(one: Any, other: Any) -> bool:
    """Whether two answers are the same, numbers to nine digits."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return bool(one == pytest.approx(other, rel=1e-9)) if isinstance(one, float) else bool(one == other)


@pytest.mark.parametrize(
    ("where", "records"),
    [
        ("path: crm.duckdb\ntable: changes", "path: crm.duckdb, table: records"),
        ("path: parts", "path: records.parquet"),
        ("path: parts/*/*.parquet", "path: record?.parquet"),
        ("url: env:OUR_CRM\nsql: SELECT * FROM changes", "url: env:OUR_CRM, sql: SELECT * FROM records"),
    ],
)
def test_wherever_records_lie_they_are_the_same(
    where: str, records: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUR_CRM", f"duckdb:///{place / 'crm.duckdb'}")
    usual = open_counts(crm(place, f"{HISTORY.format(**FILES)}count: in_place\n")).on()
    other = open_counts(crm(place, f"{HISTORY.format(where=where, records=records)}count: in_place\n")).on()
    assert isinstance(usual, Counted)
    assert isinstance(other, Counted)
    assert (other.number, other.as_of, other.notes) == (usual.number, usual.as_of, usual.notes)
    assert sorted(other.count.tolist()) == sorted(usual.count.tolist())


def ways(found: Any) -> list[tuple[Any, ...]]:
    """What is counted, in an order of its own."""
    columns = (found.labels["segment"], found.labels["source"], found.count, found.lost, *found.entered.T)
    return sorted(zip(*(map(str, each) for each in columns), strict=True))


def test_reopened_records_are_counted_alike_by_name_and_among_all(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = crm(place, f"{HISTORY.format(**FILES)}count: in_place\n")
    by_name = open_counts(path).on()
    monkeypatch.setattr("revplan.crm.store.FEW", 0)
    among_all = open_counts(path).on()
    assert any("reopened later" in line.what for line in by_name.report)
    assert ways(by_name) == ways(among_all)


def test_a_hole_in_the_flow_is_told_by_records_and_not_by_ways(tmp_path: Path) -> None:
    days = [date(2025, 1, 1) + timedelta(days=day) for day in range(240) if not 90 <= day < 150]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE changes (id BIGINT, moment TIMESTAMP, value VARCHAR)")
        rows = [(number * 5 + each, day, "New") for number, day in enumerate(days) for each in range(5)]
        closed = [(number, days[-1], value) for number, value in enumerate(("SQL", "Won", "Lost"))]
        connection.executemany("INSERT INTO changes VALUES (?, ?, ?)", [*rows, *closed])
        connection.execute(f"COPY changes TO '{tmp_path / 'changes.parquet'}' (FORMAT parquet)")
    text = HISTORY.partition("records:")[0].format(**FILES)
    notes = [open_counts(crm(tmp_path, f"{text}count: {how}\n")).on().notes for how in ("in_memory", "in_place")]
    hole = [next(note for note in each if note.startswith("No new record between")) for each in notes]
    assert hole[0] == hole[1]
    assert "61 days in which about 308 were to be expected" in hole[0]  # 900 in 178 days around it


def test_few_records_are_read_into_memory_unless_asked(place: Path) -> None:
    assert isinstance(open_counts(crm(place, HISTORY.format(**FILES))), Export)


def test_many_records_are_counted_where_they_lie_unasked(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("revplan.crm.store.LARGE", 1000)
    assert isinstance(open_counts(crm(place, HISTORY.format(**FILES))), Stored)
    assert isinstance(open_counts(crm(place, HISTORY.format(**FILES)), unasked=False), Export)
    assert isinstance(open_counts(crm(place, f"{HISTORY.format(**FILES)}count: in_memory\n")), Export)
    wanted = f"{HISTORY.format(**FILES)}merge_labels: true\n"  # which only the reader into memory knows
    assert isinstance(open_counts(crm(place, wanted)), Export)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("merge_labels: true", "crm.yaml line 12, merge_labels: is read into memory only; take it out"),
        ("regressions: last", "regressions: is read into memory only"),
        ("only: {records.colour: red}", "records.parquet has no column 'colour'; it has id, size, source, amount"),
    ],
)
def test_what_cannot_be_counted_in_place_is_refused(text: str, told: str, place: Path) -> None:
    with pytest.raises(DataError) as error:
        open_counts(crm(place, f"{HISTORY.format(**FILES)}{text}\ncount: in_place\n"))
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("columns", "rows", "told"),
    [
        ("moment TIMESTAMP", "('a', TIMESTAMP '2300-01-01', 'New')", "holds 1 day before 1970 or after 2100"),
        ("moment TIMESTAMP", "('a', TIMESTAMP '2099-01-01', 'New')", "holds 1 day after today"),
        ("moment VARCHAR", "('a', '2026-01-01', 'New')", "holds no days or moments but texts or numbers"),
        ("moment TIMESTAMP", "('a', NULL, 'Won')", "is empty in 1 row of wins and losses"),
        ("moment TIMESTAMP", "('a', TIMESTAMP '2026-01-01', 'Closed Lost')", "look closed and stand for nothing"),
    ],
)
def test_days_that_only_memory_can_tell_of_are_refused(columns: str, rows: str, told: str, tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
        connection.execute(f"CREATE TABLE changes (id VARCHAR, {columns}, value VARCHAR)")
        every = ", ".join(f"('x', '2026-01-01', '{value}')" for value in ("New", "SQL", "Won", "Lost"))
        connection.execute(f"INSERT INTO changes VALUES {every}, {rows}")
    text = "format: history\npath: crm.duckdb\nid: id\nat: moment\nvalue: value\n"
    text += "stages: {lead: New, sql: SQL, won: Won}\nlost: Lost\ncount: in_place\n"
    with pytest.raises(DataError) as error:
        open_counts(crm(tmp_path, text)).on(date(2026, 6, 30))
    assert told in str(error.value)


def with_ids(place: Path, tmp_path: Path, written: str) -> Path:
    """A CRM file whose log has its ids as `written`, SQL."""
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
        changes = f"SELECT {written} AS id, moment, value FROM '{place / 'changes.parquet'}'"
        connection.execute(f"CREATE TABLE changes AS {changes}")
        records = f"SELECT concat(id, '012345') AS id, size, source, amount FROM '{place / 'records.parquet'}'"
        connection.execute(f"CREATE TABLE records AS {records}")
    tables = {"where": "path: crm.duckdb\ntable: changes", "records": "path: crm.duckdb, table: records"}
    return crm(tmp_path, f"{HISTORY.format(**tables)}count: in_place\n")


@pytest.mark.parametrize("odd", [False, True])
def test_ids_of_a_log_are_looked_at_where_rows_are_of_no_record(
    odd: bool, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = open_counts(crm(place, f"{HISTORY.format(**FILES)}count: in_place\n")).on()
    asked: list[str] = []
    ask = engines._DuckDb.ask
    monkeypatch.setattr(engines._DuckDb, "ask", lambda self, sql: [asked.append(sql), ask(self, sql)][1])
    plain = "concat(id, '012345')"
    written = f"CASE WHEN value = 'SQL' THEN concat(' ', {plain}) ELSE {plain} END" if odd else plain
    found = open_counts(with_ids(place, tmp_path, written)).on()
    assert ways(found) == ways(usual)
    looks = [sql for sql in asked if "AS odd, coalesce(max(length" in sql]
    assert [sum(f'"{table}"' in sql for sql in looks) for table in ("records", "changes")] == (
        [3, 2] if odd else [1, 0]
    )


def test_ids_cut_to_15_characters_are_refused_in_place_and_read_into_memory_unasked(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = with_ids(place, tmp_path, "concat(id, '012')")
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
        connection.execute("UPDATE records SET id = concat(substr(id, 1, 12), 'AAAAAA')")
        connection.execute("UPDATE changes SET id = concat(id, 'AAA')")
    with pytest.raises(DataError, match="has ids of 15 and of 18 characters"):
        open_counts(path)
    monkeypatch.setattr("revplan.crm.store.LARGE", 100)
    path.write_text(path.read_text(encoding="utf-8").replace("count: in_place\n", ""), encoding="utf-8")
    assert isinstance(open_counts(path), Export)


def test_a_view_of_a_database_reads_no_other_file(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    secret = tmp_path / "other" / "secret.csv"
    secret.write_text("id,moment,value\n1,2026-01-01,New\n", encoding="utf-8")
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
        connection.execute(f"CREATE VIEW changes AS SELECT * FROM '{secret}'")
    text = "format: history\npath: crm.duckdb\ntable: changes\nid: id\nat: moment\nvalue: value\n"
    with pytest.raises(DataError):
        open_counts(crm(tmp_path, f"{text}stages: {{lead: New, won: Won}}\ncount: in_place\n"))
