"""What a signed plan promises, by quarter, source and stage, and what the plan says now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from revplan.calendar import quarter_id
from revplan.tables import conform
from revplan.workbook import Workbook

if TYPE_CHECKING:
    from revplan.record.reading import Record

KEYS = ["quarter", "source", "stage"]


def promises_table(book: Workbook) -> pd.DataFrame:
    """Table promises: committed entries from the plan date to the end of the year, and those at the confidence."""
    first = book.plan.first_month
    rows = book.funnel[(book.funnel["commit"] > 0) & (book.funnel["month"] <= book.plan.months[-1])]
    index = (rows["month"] - first).map(lambda gap: gap.n // 3)
    rows = rows.assign(quarter=index, source=rows["source"].astype(str), stage=rows["stage"].astype(str))
    sums = rows.groupby(KEYS)["commit"].sum().reset_index()
    order = {name: number for number, name in enumerate((*book.plan.sources, *book.plan.stage_ids))}
    sums = sums.sort_values(KEYS, key=lambda column: column.map(order) if column.name != "quarter" else column)
    ids = [quarter_id(number, first) for number in sums["quarter"]]
    return conform(
        sums.assign(quarter=pd.Series(ids, index=sums.index, dtype="str"), signed=_signed(book, sums)), "promises"
    )


def _signed(book: Workbook, sums: pd.DataFrame) -> pd.Series:
    scale = book.to_sign.scale
    return sums["commit"] * (float("nan") if scale is None else scale)


def against(record: Record, book: Workbook) -> pd.DataFrame:
    """Table against: what was signed by quarter and stage, and what `book` asks to be signed now. [records]

    Quarters before the fiscal year are those between the plan date and its first month.
    """
    keys = ["quarter", "stage"]
    then = record.promises.groupby(keys)[["commit", "signed"]].sum(min_count=1)
    asked = promises_table(book)
    now = asked["signed"].fillna(asked["commit"]).groupby([asked[key] for key in keys]).sum()
    frame = then.rename(columns={"commit": "promised"}).join(now.rename("now"), how="outer").fillna({"now": 0.0})
    frame["difference"] = frame["now"] - frame["signed"].fillna(frame["promised"]).fillna(0.0)
    frame = frame.fillna({"promised": 0.0}).reset_index()
    stages = dict.fromkeys((*record.stages["stage"], *book.plan.stage_ids))
    order = {name: number for number, name in enumerate(stages)}
    frame = frame.sort_values(keys, key=lambda column: column.map(order) if column.name == "stage" else column)
    return conform(frame, "against")


def against_arr(record: Record, book: Workbook) -> pd.DataFrame:
    """Table against_arr: new ARR by quarter as it was expected when signed, and as it is now. [plan currency]"""
    names = ["goal", "expected"]
    then, now = (_expected(quarters) for quarters in (record.quarters, book.quarters))
    frame = then[names].add_suffix("_then").join(now[names].add_suffix("_now"), how="outer").fillna(0.0)
    frame["difference"] = frame["expected_now"] - frame["expected_then"]
    return conform(frame.reset_index(names="quarter"), "against_arr")


def _expected(quarters: pd.DataFrame) -> pd.DataFrame:
    expected = quarters[["commit_arr", "open_pipeline", "won"]].sum(axis=1)
    return quarters.set_index("quarter").assign(expected=expected.to_numpy())
