"""Cohort counts of 10 million stage rows from Parquet, against hand-written DuckDB queries and pandas.

Run: python benchmarks/cohort_counts.py [--rows 10_000_000] [--rounds 5] [--text-ids] [--no-pandas]

A seeded history (5 stages, 3 segments x 4 sources, 30 months, a third of the records lost) is written once.
Every contender runs in a process of its own, in turn, `--rounds` times; medians are printed as multiples of
the fastest hand-written query that gives the same counts. Peak memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from pathlib import Path
from statistics import median

import duckdb
import numpy as np
import pandas as pd

from revplan.rates.count_cache import kept_counts
from revplan.rates.counts import OUTCOMES, cohort_counts
from revplan.rates.engine import moves_in_parquet

STAGES = ("lead", "mql", "sal", "sqo", "won")
RATES, MEDIAN_DAYS = (0.6, 0.55, 0.5, 0.35), (6, 10, 14, 45)
SEGMENTS, SOURCES = ("smb", "mid", "ent"), ("inbound", "outbound", "partner", "event")
START, DAYS = "2023-01-01", 900
AS_OF = date(2025, 6, 18)
END = DAYS * 86_400
ROWS_PER_RECORD = 2.125  # of this world

# --- the world ---------------------------------------------------------------------------------------------


def make(folder: Path, rows: int, text_ids: bool) -> None:
    """Write `moves.parquet` and `losses.parquet`, sorted by time as a log is."""
    rng = np.random.default_rng(7)
    count = int(rows / ROWS_PER_RECORD)
    at = rng.integers(0, END, count)
    alive, steps = np.arange(count), [(np.arange(count), at)]
    for rate, days in zip(RATES, MEDIAN_DAYS, strict=True):
        goes = rng.random(len(alive)) < rate
        at = at[goes] + (rng.lognormal(np.log(days), 0.8, goes.sum()) * 86_400).astype("int64")
        alive, at = alive[goes][at < END], at[at < END]
        steps.append((alive, at))
    record, moment = (np.concatenate(parts) for parts in zip(*steps, strict=True))
    stage = np.repeat(np.arange(len(STAGES)), [len(each) for each, _ in steps])
    order = np.argsort(moment, kind="stable")
    record, moment, stage = record[order], moment[order], stage[order]
    segment, source = rng.integers(0, len(SEGMENTS), count)[record], rng.integers(0, len(SOURCES), count)[record]
    moves = pd.DataFrame(
        {
            "record": record,
            "segment": pd.Categorical.from_codes(segment, SEGMENTS),
            "source": pd.Categorical.from_codes(source, SOURCES),
            "stage": pd.Categorical.from_codes(stage, STAGES),
            "entered_on": _moments(moment),
        }
    )
    last = np.zeros(count, dtype="int64")
    np.maximum.at(last, record, moment)
    lost = np.flatnonzero((rng.random(count) < 0.35) & ~np.isin(np.arange(count), alive))
    lost_at = last[lost] + (rng.lognormal(np.log(40), 0.7, len(lost)) * 86_400).astype("int64")
    losses = pd.DataFrame({"record": lost, "lost_on": _moments(lost_at)})[lost_at < END]
    for name, frame in {"moves": moves, "losses": losses}.items():
        _write(frame, folder / f"{name}.parquet", text_ids)
    print(f"{len(moves):,} stage rows and {len(losses):,} losses of {count:,} records", flush=True)


def _moments(seconds: np.ndarray) -> np.ndarray:
    return np.datetime64(START, "us") + (seconds * 1_000_000).astype("timedelta64[us]")


def _write(frame: pd.DataFrame, path: Path, text_ids: bool) -> None:
    record = "'00Q5g' || printf('%013d', record)" if text_ids else "record"
    texts = [name for name in ("segment", "source", "stage") if name in frame]
    replaced = ", ".join([f"{record} AS record", *(f"{name}::VARCHAR AS {name}" for name in texts)])
    with duckdb.connect() as connection:
        connection.register("frame", frame)
        query = f"SELECT * REPLACE ({replaced}) FROM frame"
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet, COMPRESSION zstd)")


# --- contenders --------------------------------------------------------------------------------------------
# The hand-written queries may rely on what this world is like: no duplicates, no gaps, nothing out of order,
# nothing after the as-of day. The definition may not.

PAIRS = ", ".join(f"('{start}', '{end}')" for start, end in pairwise(STAGES))

CONVERSIONS_BY_JOIN = f"""
SELECT a.segment, a.source, a.stage, b.stage, date_trunc('month', a.entered_on) AS month,
  datediff('month', a.entered_on, b.entered_on) AS lag, count(*) AS went_on, 0 AS lost, 0 AS still_open
FROM 'moves.parquet' a JOIN (VALUES {PAIRS}) p(start, next) ON p.start = a.stage
JOIN 'moves.parquet' b ON b.record = a.record AND b.stage = p.next GROUP BY ALL"""

ALL_BY_JOIN = f"""
SELECT a.segment, a.source, a.stage, p.next, date_trunc('month', a.entered_on) AS month,
  datediff('month', a.entered_on, coalesce(b.entered_on, l.lost_on, DATE '{AS_OF}')) AS lag,
  count(b.record) AS went_on, count(l.record) FILTER (b.record IS NULL) AS lost,
  count(*) FILTER (b.record IS NULL AND l.record IS NULL) AS still_open
FROM 'moves.parquet' a JOIN (VALUES {PAIRS}) p(start, next) ON p.start = a.stage
LEFT JOIN 'moves.parquet' b ON b.record = a.record AND b.stage = p.next
LEFT JOIN 'losses.parquet' l ON l.record = a.record GROUP BY ALL"""

FIRSTS = ", ".join(f"min(entered_on) FILTER (stage = '{stage}') AS e{at}" for at, stage in enumerate(STAGES))
ALL_BY_PIVOT = f"""
WITH w AS (SELECT record, any_value(segment) AS segment, any_value(source) AS source, {FIRSTS},
    min(entered_on) FILTER (stage IS NULL) AS gone
  FROM (SELECT record, segment, source, stage, entered_on FROM 'moves.parquet'
        UNION ALL SELECT record, NULL, NULL, NULL, lost_on FROM 'losses.parquet') GROUP BY record)
""" + " UNION ALL ".join(
    f"""SELECT segment, source, '{stage}' AS stage, '{STAGES[at + 1]}' AS next, date_trunc('month', e{at}) AS month,
  datediff('month', e{at}, coalesce(e{at + 1}, gone, DATE '{AS_OF}')) AS lag, count(e{at + 1}) AS went_on,
  count(gone) FILTER (e{at + 1} IS NULL) AS lost, count(*) FILTER (e{at + 1} IS NULL AND gone IS NULL) AS still_open
FROM w WHERE e{at} IS NOT NULL GROUP BY ALL"""
    for at, stage in enumerate(STAGES[:-1])
)


def by_hand(query: str) -> list[int]:
    """Sums of the three outcomes, and the number of rows."""
    with duckdb.connect(config={"preserve_insertion_order": "false"}) as connection:
        rows = connection.execute(query).fetchall()
    return [*(sum(row[-at] for row in rows) for at in (3, 2, 1)), len(rows)]


def by_definition() -> list[int]:
    return _sums(cohort_counts(moves_in_parquet("moves.parquet", "losses.parquet"), STAGES, AS_OF))


def by_file() -> list[int]:
    """With the counts up to the last complete month in a file."""
    moves = moves_in_parquet("moves.parquet", "losses.parquet")
    return _sums(kept_counts(moves, STAGES, AS_OF, "counts.csv"))


def _sums(table: pd.DataFrame) -> list[int]:
    return [*(int(table[name].sum()) for name in OUTCOMES), len(table)]


def by_pandas() -> list[int]:
    """The same counts by merges; the columns are read by DuckDB, because pandas itself cannot without pyarrow."""
    with duckdb.connect() as connection:
        moves = connection.execute(
            f"SELECT record, segment::ENUM{SEGMENTS} AS segment, source::ENUM{SOURCES} AS source, "
            f"stage::ENUM{STAGES} AS stage, entered_on FROM 'moves.parquet'"
        ).df()
        losses = connection.execute("FROM 'losses.parquet'").df().set_index("record")["lost_on"]
    parts = [_pandas_pair(moves, losses, *pair) for pair in pairwise(STAGES)]
    return [*(sum(part[at] for part in parts) for at in range(4))]


def _pandas_pair(moves: pd.DataFrame, losses: pd.Series, start: str, after: str) -> list[int]:
    entered = moves[moves["stage"] == start]
    nexts = moves.loc[moves["stage"] == after, ["record", "entered_on"]].rename(columns={"entered_on": "next_on"})
    pair = entered.merge(nexts, on="record", how="left").merge(losses, left_on="record", right_index=True, how="left")
    went_on, gone = pair["next_on"].notna(), pair["lost_on"].notna()
    ended = pair["next_on"].fillna(pair["lost_on"]).fillna(pd.Timestamp(AS_OF)).dt
    month = pair["entered_on"].dt.year * 12 + pair["entered_on"].dt.month
    outcomes = {"went_on": went_on, "lost": gone & ~went_on, "still_open": ~gone & ~went_on}
    keyed = pair[["segment", "source"]].assign(month=month, lag=ended.year * 12 + ended.month - month, **outcomes)
    table = keyed.groupby(["segment", "source", "month", "lag"], observed=True)[OUTCOMES].sum()
    return _sums(table)


CONTENDERS: dict[str, Callable[[], list[int]]] = {
    "cohort_counts (the definition)": by_definition,
    "hand-written: all outcomes by join": lambda: by_hand(ALL_BY_JOIN),
    "hand-written: all outcomes by pivot": lambda: by_hand(ALL_BY_PIVOT),
    "hand-written: conversions only by join": lambda: by_hand(CONVERSIONS_BY_JOIN),
    "kept_counts (months before in the file)": by_file,
    "pandas: all outcomes by merge": by_pandas,
}
SAME = [name for name in CONTENDERS if "conversions only" not in name]


# --- the race ----------------------------------------------------------------------------------------------


def run_one(name: str) -> None:
    """Run a contender in this process; print what it took and what it counted."""
    begun, before = time.perf_counter(), time.process_time()
    sums = CONTENDERS[name]()
    wall, cpu = time.perf_counter() - begun, time.process_time() - before
    print(json.dumps({"wall": wall, "cpu": cpu, "peak": peak_memory(), "sums": sums}))


def peak_memory() -> float:
    """The most memory this process ever had. [GB]

    Linux says it of the program; its `ru_maxrss` may be that of the process it was forked from.
    """
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return next(int(line.split()[1]) / 1e6 for line in status.read_text().splitlines() if line.startswith("VmHWM"))


def race(folder: Path, names: list[str], rounds: int) -> dict[str, list[dict]]:
    """What every contender took, `rounds` times, in turn."""
    taken: dict[str, list[dict]] = {name: [] for name in names}
    for _ in range(rounds):
        for name in names:
            child = [sys.executable, str(Path(__file__).resolve()), "--one", name]
            done = subprocess.run(child, cwd=folder, capture_output=True, text=True, check=True)
            taken[name].append(json.loads(done.stdout))
    return taken


def report(taken: dict[str, list[dict]]) -> None:
    """Medians, and multiples of the fastest hand-written query with the same counts."""
    counted = {tuple(run["sums"]) for name in SAME for run in taken.get(name, [])}
    print(f"counts (went on, lost, still open, rows): {', '.join(map(str, counted))}")
    if len(counted) > 1:
        raise SystemExit("the contenders disagree")
    middle = {
        name: {key: median(run[key] for run in runs) for key in ("wall", "cpu", "peak")} for name, runs in taken.items()
    }
    equals = [name for name in SAME if name.startswith("hand-written")]
    best = {key: min(middle[name][key] for name in equals) for key in ("wall", "cpu")}
    print(f"{'':<42}{'wall s':>8}{'ratio':>7}{'cpu s':>8}{'ratio':>7}{'peak GB':>9}")
    for name, each in middle.items():
        ratios = {key: each[key] / best[key] for key in best}
        peak = max(run["peak"] for run in taken[name])
        print(f"{name:<42}{each['wall']:8.2f}{ratios['wall']:7.2f}{each['cpu']:8.2f}{ratios['cpu']:7.2f}{peak:9.2f}")


def main() -> None:
    """Make the world, then the race."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--rows", type=lambda text: int(float(text)), default=10_000_000)
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument("--text-ids", action="store_true", help="18-character ids instead of whole numbers")
    options.add_argument("--no-pandas", action="store_true")
    options.add_argument("--one", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.one:
        run_one(chosen.one)
        return
    names = [name for name in CONTENDERS if not (chosen.no_pandas and name.startswith("pandas"))]
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), chosen.rows, chosen.text_ids)
        moves = moves_in_parquet(f"{folder}/moves.parquet", f"{folder}/losses.parquet")
        kept_counts(moves, STAGES, AS_OF, Path(folder) / "counts.csv")
        report(race(Path(folder), names, chosen.rounds))


if __name__ == "__main__":
    main()
