"""What the stage history says: entries by month, what is open and how old it is."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from revplan.history.records import History
from revplan.tables import conform

DAY = np.timedelta64(1, "D")
ITEM = ["segment", "source", "stage", "age_days"]


def stage_entries(history: History) -> pd.DataFrame:
    """Records that entered each stage, by calendar month. [records]

    Only months with entries have rows; stages are in their order.
    """
    entered = history.stage_history.assign(month=history.stage_history["entered_on"].dt.to_period("M"))
    keys = ["segment", "source", "stage", "month"]
    counts = _in_stage_order(entered, history).groupby(keys, observed=True).size()
    return conform(_as_text(counts.rename("entries").reset_index()), "stage_entries")


def open_items(history: History, as_of: date) -> pd.DataFrame:
    """Records neither won nor lost at the end of `as_of`, by last stage reached and age in whole days."""
    items = _last_stages(history, as_of)
    is_open = (items["stage"] != history.stages[-1]) & ~(items["lost_on"] < _end(as_of))
    items = items[is_open].assign(age_days=lambda each: _days_between(each["entered_on"], _start(as_of)))
    groups = items.groupby(ITEM, observed=True)["amount"]
    table = groups.agg(items="size", amount="sum", items_with_amount="count").reset_index()
    return conform(_as_text(table), "open_items")


def _in_stage_order(frame: pd.DataFrame, history: History) -> pd.DataFrame:
    """`frame` with stages that sort as the history lists them."""
    return frame.assign(stage=pd.Categorical(frame["stage"], history.stages, ordered=True))


def _as_text(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(stage=table["stage"].astype("str"))


def _last_stages(history: History, as_of: date) -> pd.DataFrame:
    """One row per record known on `as_of`: its last stage, when it was entered, and what the record says."""
    known = history.stage_history[history.stage_history["entered_on"] < _end(as_of)]
    in_order = _in_stage_order(known, history).sort_values("stage", kind="stable")
    last = in_order.drop_duplicates("record", keep="last")
    return last.merge(history.records[["record", "amount", "lost_on"]], on="record")


def _days_between(start: pd.Series, end: pd.Series | np.datetime64) -> pd.Series:
    """Calendar days from `start` to `end`. [days]"""
    days = np.asarray(end, dtype="datetime64[D]") - start.to_numpy().astype("datetime64[D]")
    return pd.Series(days / DAY, index=start.index)


def _start(day: date) -> np.datetime64:
    return np.datetime64(day)


def _end(day: date) -> pd.Timestamp:
    """The moment from which on nothing is known yet on `day`."""
    return pd.Timestamp(day) + pd.Timedelta(days=1)
