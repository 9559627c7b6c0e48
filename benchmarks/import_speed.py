"""`revplan rates` on two million leads, from Parquet and from CSV, beside a hand-written DuckDB query in the same run.

Run: python benchmarks/import_speed.py [--leads 2000000] [--warts 1000000]

Leads of 900 days and six sources with an id of 18 characters, typed days in Parquet, and the same as text in CSV. The
query counts, by source, entries and conversions of each step by month and delay: what an analyst writes first, with no
look at what is wrong in the file. Every contender runs in a process of its own; peak memory is that of the whole process.

Then as many rows as `--warts` says with what is wrong in exports: a title, the header said again, blank rows, a total and a
footer; rows twice; ids with spaces, with .0, with none; days in two writings, moments with offset, days that mean none, after
today, or none at all; labels in several spellings, composed otherwise, with spaces nobody sees; hidden nulls; amounts with
thousands, signs, in brackets; stages skipped and out of order; wins that are lost later; a stray byte and a NUL character;
line breaks in quotes. The query by hand takes from that file what it can read.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from child import run

LIMITS = {"REVPLAN_MAX_CELLS": "100_000_000", "REVPLAN_MAX_SECONDS": "600"}
CRM = """\
format: wide
files: {leads: {path: leads.KIND, id: id}}
source: leads.source
stages: {lead: leads.lead, sql: leads.sql, won: leads.won}
lost: leads.lost
"""
WORLD = """
SELECT id, source, lead, CASE WHEN sql < last THEN sql END AS sql, CASE WHEN won < last THEN won END AS won,
  CASE WHEN lost < last AND (won IS NULL OR won >= last) THEN lost END AS lost
FROM (SELECT *, sql + CASE WHEN d < 0.25 THEN CAST(floor(-45 * ln(1 - f)) AS INT) END AS won,
    coalesce(sql, lead) + CASE WHEN g < 0.4 THEN CAST(floor(-60 * ln(1 - h)) AS INT) END AS lost, DATE '2025-06-19' AS last
  FROM (SELECT *, lead + CASE WHEN c < 0.35 THEN CAST(floor(-10 * ln(1 - e)) AS INT) END AS sql
    FROM (SELECT i, '00Q5g' || printf('%013d', i) AS id, DATE '2023-01-01' + CAST(floor(b * 900) AS INT) AS lead,
        ['web', 'events', 'outbound', 'partner', 'ads', 'referral'][1 + CAST(floor(a * 6) AS INT)] AS source, c, d, e, f, g, h
      FROM (SELECT i, random() a, random() b, random() c, random() d, random() e, random() f, random() g, random() h
        FROM range(LEADS) t(i))))) ORDER BY i"""
BY_HAND = "".join(
    f"""{"UNION ALL" if start == "sql" else ""}
SELECT '{start}', source, date_trunc('month', {start}), datediff('month', {start}, coalesce({end}, lost, DATE '2025-06-18')),
  count({end}), count(*) FROM 'leads.KIND' WHERE {start} IS NOT NULL GROUP BY ALL """
    for start, end in (("lead", "sql"), ("sql", "won"))
)
WARTS_CRM = """\
format: wide
files: {leads: {path: leads.KIND, id: Lead ID, date_format: "%d.%m.%Y"}}
source: leads.Source
stages: {lead: leads.Created, sql: leads.SQL on, won: leads.Won on}
lost: leads.Lost on
amount: leads.Amount
merge_labels: true
bad_values: set_aside
"""
SPELLINGS = [
    "",
    "Web ",
    "Webinar",
    "web",
    "Café",
    "Cafe\u0301",
    "Part\u200bner",
    "Partner",
    "n/a",
    "Referral\u00a0",
    "Ads; paid",
]
NOTES = ["", 'said "call me"', "two\nlines", "a, b", "-", "+49 30"]


def listed(texts: list[str]) -> str:
    """A list of texts as SQL writes it."""
    return "[" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]"


EVERY_WART = f"""
SELECT CASE WHEN i % 5001 = 7 THEN '' WHEN i % 17 = 3 THEN ' ' || i || ' ' WHEN i % 13 = 5 THEN i || '.0' ELSE i::VARCHAR END AS "Lead ID",
  {listed(SPELLINGS)}[1 + CAST(floor(a * {len(SPELLINGS)}) AS INT)] AS "Source",
  CASE WHEN i % 40009 = 11 THEN 'soon' WHEN i % 19 = 2 THEN strftime(lead, '%Y-%m-%dT%H:%M:%S+02:00') WHEN i % 11 = 4 THEN
    strftime(lead, '%d.%m.%Y %H:%M') ELSE strftime(lead, '%d.%m.%Y') END AS "Created",
  CASE WHEN i % 20011 = 9 THEN '31.12.2999' WHEN i % 23 = 6 THEN 'null' WHEN sql < last THEN strftime(sql, '%d.%m.%Y') ELSE '' END AS "SQL on",
  CASE WHEN i % 29 = 8 THEN '31.12.9999' WHEN won < last THEN strftime(won, '%Y-%m-%d') ELSE '-' END AS "Won on",
  CASE WHEN lost < last THEN strftime(lost, '%d %b %Y') ELSE '' END AS "Lost on",
  CASE WHEN i % 30011 = 1 THEN 'ask Bob' WHEN g < 0.2 THEN '' WHEN g < 0.4 THEN format('{{:,.2f}}', 100 + 50000 * h) WHEN g < 0.6 THEN
    '$' || format('{{:,.0f}}', 1000 + 50000 * h) WHEN g < 0.61 THEN '(' || CAST(floor(900 * h) AS INT) || ')' ELSE (100 + floor(5000 * h))::VARCHAR END AS "Amount",
  {listed(NOTES)}[1 + CAST(floor(h * {len(NOTES)}) AS INT)] AS "Note"
FROM (SELECT *, TIMESTAMP '2025-06-19' AS last,
    lead + INTERVAL 1 DAY * CASE WHEN c < 0.35 THEN CAST(floor(30 * e) AS INT) - 2 END AS sql,
    lead + INTERVAL 1 DAY * CASE WHEN d < 0.15 THEN CAST(floor(160 * f) AS INT) END AS won,
    lead + INTERVAL 1 DAY * CASE WHEN d > 0.1 THEN CAST(floor(200 * g) AS INT) END AS lost
  FROM (SELECT CASE WHEN i % 997 = 1 THEN i - 1 ELSE i END AS i, a, c, d, e, f, g, h, TIMESTAMP '2023-01-01' + INTERVAL 1 MINUTE * CAST(1296000 * b AS INT) AS lead
    FROM (SELECT i, hash(j) % 1000003 / 1000003 AS a, hash(j + 0.1) % 1000003 / 1000003 AS b, hash(j + 0.2) % 1000003 / 1000003 AS c, hash(j + 0.3) % 1000003 / 1000003 AS d,
        hash(j + 0.4) % 1000003 / 1000003 AS e, hash(j + 0.5) % 1000003 / 1000003 AS f, hash(j + 0.6) % 1000003 / 1000003 AS g, hash(j + 0.7) % 1000003 / 1000003 AS h
      FROM (SELECT i, CASE WHEN i % 997 = 1 THEN i - 1 ELSE i END AS j FROM range(LEADS) t(i))))) ORDER BY i"""
READ = """(SELECT "Source" AS source, "Lead ID" AS id, coalesce(try_strptime("Created", '%d.%m.%Y'), try_strptime("Created", '%d.%m.%Y %H:%M'),
    try_cast("Created" AS TIMESTAMP)) AS lead, try_strptime("SQL on", '%d.%m.%Y') AS sql, try_strptime("Won on", '%Y-%m-%d') AS won,
  try_strptime("Lost on", '%d %b %Y') AS lost
  FROM read_csv('leads.warts', skip = 3, header = true, all_varchar = true, delim = ',', quote = '"', escape = '"', ignore_errors = true, null_padding = true,
    parallel = false))"""
CHILD = "import duckdb, sys; print(len(duckdb.connect().execute(sys.argv[1]).fetchall()))"


def make(folder: Path, leads: int) -> None:
    """The same leads as Parquet and as CSV, each with its CRM file."""
    import duckdb

    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("SELECT setseed(0.4)")
        connection.execute(f"CREATE TABLE leads AS {WORLD.replace('LEADS', str(leads))}")
        for kind, how in (("parquet", "FORMAT parquet, COMPRESSION zstd"), ("csv", "HEADER")):
            connection.execute(f"COPY leads TO '{folder / f'leads.{kind}'}' ({how})")
            (folder / f"crm_{kind}.yaml").write_text(CRM.replace("KIND", kind), encoding="utf-8")


def make_warts(folder: Path, rows: int) -> None:
    """A CSV file with everything that is wrong in exports, and its CRM file."""
    import duckdb

    path = folder / "leads.warts"
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute(f"COPY ({EVERY_WART.replace('LEADS', str(rows))}) TO '{path}' (HEADER, FORMAT csv)")
    lines = path.read_bytes().split(b"\n")
    header, half, second = lines[0], _whole_line(lines, len(lines) // 2), _whole_line(lines, 2)
    lines[half:half] = [header, b"", b",,,,,,,"]
    lines[second] += b"\x00"
    lines[-1:] = [b"900000000,Web,01.02.2024,,,,,caf\xe9", b"Total,,,,,,123456.00,", b"Confidential", b""]
    path.write_bytes(b"\n".join([b"Leads of the year", b"All teams", b"", *lines]))
    (folder / "crm_warts.yaml").write_text(WARTS_CRM.replace("KIND", "warts"), encoding="utf-8")


def _whole_line(lines: list[bytes], first: int) -> int:
    """The first line from `first` on that is a row by itself, as the one before it is."""
    return next(
        at for at in range(first, len(lines)) if lines[at].count(b",") == 7 and b'"' not in lines[at - 1] + lines[at]
    )


def main() -> None:
    """Prints what each took, and its processor time as a multiple of the query's; Parquet and CSV must give the same rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=2_000_000)
    parser.add_argument("--warts", type=int, default=1_000_000)
    given = parser.parse_args()
    answers = {}
    with tempfile.TemporaryDirectory(prefix="revplan-") as place:
        for kind, rows in (("parquet", given.leads), ("csv", given.leads), ("warts", given.warts)):
            if kind == "parquet":
                make(Path(place), rows)
            if kind == "warts":
                make_warts(Path(place), rows)
            if kind != "csv":
                print(f"{rows:12,} leads{'':14}{'wall s':>8}{'cpu s':>8}{'ratio':>7}{'peak GB':>9}")
            query = BY_HAND.replace("'leads.KIND'", READ if kind == "warts" else f"'leads.{kind}'")
            by_hand = run(Path(place), LIMITS, "-c", CHILD, query)
            ours = run(Path(place), LIMITS, "-m", "revplan", "rates", f"crm_{kind}.yaml", "--json")
            answers[kind] = json.loads(ours[3])
            for name, (wall, cpu, peak, _) in ((f"query by hand, {kind}", by_hand), (f"revplan rates, {kind}", ours)):
                print(f"{name:<32}{wall:8.2f}{cpu:8.2f}{cpu / by_hand[1]:7.1f}{peak:9.2f}", flush=True)
    if answers["parquet"] != answers["csv"]:
        raise SystemExit("Parquet and CSV give different rates")


if __name__ == "__main__":
    main()
