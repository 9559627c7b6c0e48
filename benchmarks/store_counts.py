"""`revplan rates` on stage changes in Parquet, beside the best DuckDB query by hand that gives the same counts, in the same run.

Run: python benchmarks/store_counts.py [--rows 1000000] [--memory-mb 1500]

The query joins each record's first days with its labels and counts, for every step, segment and source, entries and conversions by day of
entry and age: what the estimators need, with no look at what is wrong in the file. One record in a hundred is reopened after a loss.
Ten million rows take about half a minute; a hundred million need some ten gigabytes of disk, minutes, and --memory-mb 4000.
Processor seconds and peak memory on two cores of a shared x86 server with 24 GB, by hand and by revplan: 9.8 million rows 6.3 to
6.5 s, 1.06 GB and 11.3 to 12.2 s, 1.09 GB; 98 million, out of core and before the last savings, 90 s, 3.1 GB and 222 s, 6.2 GB.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from child import run

CRM = """\
format: history
path: changes.parquet
id: id
at: changed
value: value
stages: {lead: New, mql: MQL, sql: SQL, won: Closed Won}
lost: Closed Lost
records: {path: records.parquet, id: id}
source: records.source
segment: records.segment
count: in_place
"""
WORLD = """
CREATE TABLE records AS
SELECT '00Q5g' || printf('%013d', i) AS id, ['web', 'events', 'outbound', 'partner'][1 + CAST(floor(a * 4) AS INT)] AS source,
  ['smb', 'mid', 'large'][1 + CAST(floor(b * 3) AS INT)] AS segment, TIMESTAMP '2023-01-01' + INTERVAL 1 MINUTE * CAST(c * 1296000 AS INT) AS lead,
  d, CAST(-11520 * ln(1 - e) AS INT) AS to_mql, CAST(-17280 * ln(1 - f) AS INT) AS to_sql, CAST(-64800 * ln(1 - g) AS INT) AS to_won, h
FROM (SELECT i, random() a, random() b, random() c, random() d, random() e, random() f, random() g, random() h FROM range(RECORDS) t(i))
"""
STEPS = {
    "New": ("0", "TRUE"),
    "MQL": ("to_mql", "d < 0.45"),
    "SQL": ("to_mql + to_sql", "d < 0.22"),
    "Closed Won": ("to_mql + to_sql + to_won", "d < 0.06"),
    "Closed Lost": ("to_mql + to_sql + to_won + CAST(28800 * h AS INT)", "d BETWEEN 0.06 AND 0.12 OR d > 0.75"),
    "MQL ": ("to_mql + to_sql + to_won + 43200", "d BETWEEN 0.06 AND 0.07"),  # reopened
}
LAST = "TIMESTAMP '2025-06-19'"
FIRSTS = ", ".join(
    f"min(CASE WHEN value = '{value}' THEN changed END) AS {name}"
    for name, value in {"e0": "New", "e1": "MQL", "e2": "SQL", "e3": "Closed Won", "lost": "Closed Lost"}.items()
)
BY_HAND = (
    f"WITH r AS (SELECT id, {FIRSTS} FROM 'changes.parquet' GROUP BY id), j AS (SELECT * FROM r JOIN 'records.parquet' USING (id)) "
    + " UNION ALL ".join(
        f"SELECT {step} AS step, segment, source, CAST({start} AS DATE) AS day, datediff('day', {start}, coalesce({end}, lost, {LAST})) AS age, "
        f"count({end}) AS went_on, count(*) AS entries FROM j WHERE {start} IS NOT NULL GROUP BY ALL"
        for step, (start, end) in enumerate((("e0", "e1"), ("e1", "e2"), ("e2", "e3")))
    )
)
CHILD = (
    "import duckdb, sys; c = duckdb.connect(config={'memory_limit': sys.argv[2] + 'MB', 'temp_directory': 'spill'}); "
    "print(len(next(iter(c.execute(sys.argv[1]).fetchnumpy().values()))))"
)


def make(folder: Path, rows: int) -> int:
    """The changes and their records as Parquet, with the CRM file; how many changes there are."""
    import duckdb

    with duckdb.connect(str(folder / "made.duckdb"), config={"threads": 2, "memory_limit": "3GB"}) as connection:
        connection.execute("SELECT setseed(0.4)")
        connection.execute(WORLD.replace("RECORDS", str(int(rows / 2.05))))
        connection.execute(f"COPY (SELECT id, source, segment FROM records) TO '{folder / 'records.parquet'}'")
        parts = " UNION ALL ".join(
            f"SELECT id, lead + INTERVAL 1 MINUTE * ({after}) AS changed, '{value.strip()}' AS value FROM records WHERE {holds}"
            for value, (after, holds) in STEPS.items()
        )
        connection.execute(
            f"COPY (SELECT * FROM ({parts}) WHERE changed < {LAST}) TO '{folder / 'changes.parquet'}' (COMPRESSION zstd)"
        )
        found = connection.execute(f"SELECT count(*) FROM '{folder / 'changes.parquet'}'").fetchone()
    (folder / "made.duckdb").unlink()
    (folder / "crm.yaml").write_text(CRM, encoding="utf-8")
    return int(found[0]) if found else 0


def main() -> None:
    """Prints what each took, and its times as multiples of the query's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--memory-mb", type=int, default=1_500)
    given = parser.parse_args()
    limits = {"REVPLAN_MAX_SECONDS": "3600", "REVPLAN_MAX_MEMORY_MB": str(given.memory_mb)}
    with tempfile.TemporaryDirectory(prefix="revplan-") as place:
        rows = make(Path(place), given.rows)
        print(f"{rows:,} changes{'':16}{'wall s':>8}{'ratio':>7}{'cpu s':>8}{'ratio':>7}{'peak GB':>9}", flush=True)
        by_hand = run(Path(place), limits, "-c", CHILD, BY_HAND, str(given.memory_mb * 2 // 3))
        ours = run(Path(place), limits, "-m", "revplan", "rates", "crm.yaml", "--json")
        for name, (wall, cpu, peak, _) in (("query by hand", by_hand), ("revplan rates", ours)):
            ratios = wall / by_hand[0], cpu / by_hand[1]
            print(f"{name:<32}{wall:8.2f}{ratios[0]:7.1f}{cpu:8.2f}{ratios[1]:7.1f}{peak:9.2f}", flush=True)
        entries = {
            each["from"]: each["entries"]
            for each in json.loads(ours[3])["transitions"]
            if each["segment"] == "all" == each["source"]
        }
        print(f"entries: {entries}")


if __name__ == "__main__":
    main()
