"""`revplan pace` to a page from a log of five million stage entries, in Parquet and in CSV, beside a query that only counts them.

Run: python benchmarks/pace_speed.py [--rows 5000000] [--memory-mb 1500] [--only parquet]

The log is that of `store_counts.py`; the plan is of the year it ends in. The query counts entries by stage, segment,
source and day, which is what the line of the pace is drawn from: no landing, no service levels, no look at what is
wrong in the file. Every contender runs in a process of its own; peak memory is that of the whole process.
4.9 million entries took 11.8 to 12.6 s, 12.5 s of processor time (2 s of it the system's) and 1.69 GB in Parquet, 29 s, 29 s and
2.04 GB in CSV, on two cores of an x86 server with little other work; under heavy other work processor times were up to two fifths longer.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from child import run
from store_counts import CRM, make

PLAN = """\
name: Large
currency: USD
year: {first_month: 2025-01}
plan_date: 2025-01-01
goal: {opening_arr: 500_000_000, new_arr: 600_000_000, next_year_growth: 0.1}
stages: [{id: lead}, {id: mql}, {id: sql}, {id: won}]
commit: {stage: sql, confidence: 0.8}
segments:
  smb: {share: 0.34, acv: {mean: 20_000, sd: 9_000}}
  mid: {share: 0.33, acv: {mean: 20_000, sd: 9_000}}
  large: {share: 0.33, acv: {mean: 20_000, sd: 9_000}}
sources:
  web: {owner: marketing, share: 0.25}
  events: {owner: marketing, share: 0.25}
  outbound: {owner: sales, share: 0.25}
  partner: {owner: partner, share: 0.25}
transitions:
  - {from: lead, to: mql, rate: 0.45, evidence: 100_000, lag: {median_days: 6, p90_days: 19}}
  - {from: mql, to: sql, rate: 0.49, evidence: 50_000, lag: {median_days: 8, p90_days: 28}}
  - {from: sql, to: won, rate: 0.27, evidence: 20_000, lag: {median_days: 31, p90_days: 104}}
history: {leads: crm.yaml}
"""
BY_HAND = (
    "SELECT value, segment, source, CAST(changed AS DATE) AS day, count(*) AS n FROM 'changes.KIND' JOIN 'records.KIND' USING (id) "
    "GROUP BY ALL"
)
CHILD = "import duckdb, sys; print(len(duckdb.connect().execute(sys.argv[1]).fetchall()))"


def main() -> None:
    """Prints what each took, and its processor time as a multiple of the query's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--memory-mb", type=int, default=1_500)
    parser.add_argument("--only", choices=("parquet", "csv"))
    given = parser.parse_args()
    limits = {"REVPLAN_MAX_SECONDS": "900", "REVPLAN_MAX_MEMORY_MB": str(given.memory_mb)}
    # on how much of a file is read the limits are those of every user
    with tempfile.TemporaryDirectory(prefix="revplan-") as place:
        rows = make(Path(place), given.rows)
        convert(Path(place))
        (Path(place) / "plan.yaml").write_text(PLAN, encoding="utf-8")
        print(f"{rows:,} stage entries{'':15}{'wall s':>8}{'cpu s':>8}{'ratio':>7}{'peak GB':>9}", flush=True)
        for kind in (given.only,) if given.only else ("parquet", "csv"):
            crm = CRM.replace(".parquet", f".{kind}").replace("count: in_place\n", "")
            (Path(place) / "crm.yaml").write_text(crm, encoding="utf-8")
            by_hand = run(Path(place), limits, "-c", CHILD, BY_HAND.replace("KIND", kind))
            ours = run(
                Path(place), limits, "-m", "revplan", "pace", "plan.yaml", "--out", f"out_{kind}", expected=(0, 3)
            )
            for name, (wall, cpu, peak, _) in ((f"query by hand, {kind}", by_hand), (f"revplan pace, {kind}", ours)):
                print(f"{name:<32}{wall:8.2f}{cpu:8.2f}{cpu / by_hand[1]:7.1f}{peak:9.2f}", flush=True)


def convert(folder: Path) -> None:
    """The same tables as CSV."""
    import duckdb

    with duckdb.connect(config={"threads": 2}) as connection:
        for name in ("changes", "records"):
            connection.execute(f"COPY (FROM '{folder / name}.parquet') TO '{folder / name}.csv' (HEADER)")


if __name__ == "__main__":
    main()
