"""`revplan rates` on two million leads, from Parquet and from CSV, beside a hand-written DuckDB query in the same run.

Run: python benchmarks/import_speed.py [--leads 2000000]

Leads of 900 days and six sources with an id of 18 characters, typed days in Parquet, and the same as text in CSV. The
query counts, by source, entries and conversions of each step by month and delay: what an analyst writes first, with no
look at what is wrong in the file. Every contender runs in a process of its own; peak memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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


def run(folder: Path, *words: str) -> tuple[float, float, float, bytes]:
    """Wall and processor seconds and peak memory [GB] of a Python of its own, and what it printed."""
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    limits = {"REVPLAN_MAX_CELLS": "100_000_000", "REVPLAN_MAX_SECONDS": "600"}
    with subprocess.Popen(
        [sys.executable, *words], cwd=folder, stdout=subprocess.PIPE, env={**os.environ, **limits}
    ) as child:
        said = child.stdout.read() if child.stdout else b""
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"{' '.join(words)[:60]} ended with {child.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begun, spent, used.ru_maxrss / 1e6, said


def main() -> None:
    """Prints what each took, and its processor time as a multiple of the query's; both kinds must give the same rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leads", type=int, default=2_000_000)
    leads = parser.parse_args().leads
    answers = []
    with tempfile.TemporaryDirectory(prefix="revplan-") as place:
        make(Path(place), leads)
        print(f"{leads:,} leads{'':18}{'wall s':>8}{'cpu s':>8}{'ratio':>7}{'peak GB':>9}")
        for kind in ("parquet", "csv"):
            by_hand = run(Path(place), "-c", CHILD, BY_HAND.replace("KIND", kind))
            ours = run(Path(place), "-m", "revplan", "rates", f"crm_{kind}.yaml", "--json")
            answers.append(json.loads(ours[3]))
            for name, (wall, cpu, peak, _) in ((f"query by hand, {kind}", by_hand), (f"revplan rates, {kind}", ours)):
                print(f"{name:<32}{wall:8.2f}{cpu:8.2f}{cpu / by_hand[1]:7.1f}{peak:9.2f}", flush=True)
    if answers[0] != answers[1]:
        raise SystemExit("Parquet and CSV give different rates")


if __name__ == "__main__":
    main()
