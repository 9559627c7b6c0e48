"""Writes the example company, invented, from one seed: `python data/make_example.py [--out DIR]`.

The same bytes every time. What is true of the company is in `example_world.py`, what is written about it in
`example_text.py`; here the records become the files a real company would export.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import example_fy26
import example_text
import numpy as np
import pandas as pd
from example_people import owners, roster
from example_world import (
    ENTERS,
    EPOCH,
    PLAN_DATE,
    SEED,
    SEGMENTS,
    STAGES,
    UNIT_COST,
    World,
    day_of,
    make_world,
    months,
    movements,
)

ACTUAL_MONTHS = pd.period_range("2026-01", "2026-09", freq="M")  # the complete quarters of the year that is running
PLAN_DAY = day_of(PLAN_DATE)


def known(days: pd.Series) -> pd.Series:
    """The day as text, blank where nothing happened or nobody knows it yet."""
    seen = days.where(days < PLAN_DAY)
    return (EPOCH + pd.to_timedelta(np.floor(seen), unit="D")).dt.strftime("%Y-%m-%d").fillna("")


def leads(world: World) -> pd.DataFrame:
    """The CRM export of the plan date: one row per record, a day per stage entered."""
    crm = world.records[world.records["id"].notna()]
    frame = crm[["id", "segment", "source", "program"]].rename(columns={"id": "record"})
    frame["owner"] = owners(crm)[0]
    for stage in (*STAGES, "lost"):
        frame[f"{stage}_on"] = known(crm[stage])
    frame["amount"] = crm["amount"].where(crm["sqo"] < PLAN_DAY).astype("Int64")
    return frame


def spend(entries: pd.DataFrame) -> pd.DataFrame:
    """Programme spend by month, in tens. [money]"""
    rng = np.random.Generator(np.random.PCG64([SEED, 1]))
    paid = entries[entries["program"].isin(list(UNIT_COST))]
    counts = paid.groupby(["month", "source", "program"], as_index=False).size()
    noise = np.exp(0.06 * rng.standard_normal(len(counts)))
    cost = counts["program"].map(UNIT_COST) * counts["size"] * noise
    return counts.assign(spend=cost.round(-1).astype(int)).drop(columns="size")


def first_entries(world: World) -> pd.DataFrame:
    """Segment, source, programme and month of arrival of every CRM record."""
    crm = world.records[world.records["id"].notna()]
    return crm[["segment", "source", "program"]].assign(month=months(crm["first"]))


def actuals(world: World, spent: pd.DataFrame) -> pd.DataFrame:
    """What finance booked in `ACTUAL_MONTHS`, by segment and source, all amounts positive. [money]"""
    keys = ["month", "segment", "source"]
    index = pd.MultiIndex.from_product([ACTUAL_MONTHS, SEGMENTS, ENTERS], names=keys)
    won = world.records[(world.records["won"] < PLAN_DAY) & world.records["id"].notna()]
    new = won.assign(month=months(won["won"])).groupby(keys)["amount"].sum()
    moved = movements(world.subscriptions).pivot_table(index=keys, columns="kind", values="amount", aggfunc="sum")
    table = pd.DataFrame({"new": new}).reindex(index)
    for kind in ("expansion", "contraction", "churn"):
        table[kind] = moved[kind].reindex(index)
    table["spend"] = spend_by_segment(first_entries(world), spent).reindex(index)
    return table.fillna(0).astype(int).reset_index()


def spend_by_segment(entries: pd.DataFrame, spent: pd.DataFrame) -> pd.Series:
    """Spend of a month and source split over segments by entries; parts add up to the unit. [money]"""
    cells = entries.groupby(["month", "source", "segment"], as_index=False).size()
    totals = spent.groupby(["month", "source"], as_index=False)["spend"].sum()
    cells = cells.merge(totals, on=["month", "source"], how="left")
    groups = [cells["month"], cells["source"]]
    sizes = cells["size"].groupby(groups)
    upto = (cells["spend"] * sizes.cumsum() / sizes.transform("sum")).round()
    cells["part"] = upto - upto.groupby(groups).shift(1).fillna(0)
    return cells.set_index(["month", "segment", "source"])["part"]


def dated_subscriptions(world: World) -> pd.DataFrame:
    """Subscriptions with days as text."""
    frame = world.subscriptions
    days = {name: known(frame[name].astype(float)) for name in ("started_on", "ended_on")}
    return frame.assign(**days)


def write(folder: Path, name: str, text: str) -> None:
    """One file, UTF-8, line ends LF on every system."""
    (folder / name).write_text(text, encoding="utf-8", newline="\n")


def main() -> None:
    """Writes all files."""
    parser = argparse.ArgumentParser(description="Write the invented example company.")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "example")
    folder: Path = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    world = make_world()
    spent = spend(first_entries(world))
    tables = {
        "leads": leads(world),
        "spend": spent,
        "reps": roster(),
        "subscriptions": dated_subscriptions(world),
        "actuals": actuals(world, spent),
    }
    for name, table in tables.items():
        write(folder, f"{name}.csv", table.to_csv(index=False, lineterminator="\n"))
    for name, text in example_text.texts(world, tables).items():
        write(folder, name, text)
    write(folder, example_fy26.NAME, example_fy26.text(world, tables, folder))


if __name__ == "__main__":
    main()
