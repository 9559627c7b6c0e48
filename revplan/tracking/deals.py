"""Deals as they stood at the end of a day: state, amount in whole cents, expected close date."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from revplan.crm.mapping import EVERY
from revplan.crm.records import Export
from revplan.ground.tables import conform

PARTS = ["segment", "source", "owner"]
DAY = np.timedelta64(1, "D")


def deals_on(export: Export, day: date, stage: str = "") -> pd.DataFrame:
    """Table deals: every deal known at the end of `day`, with its state, amount and expected close date.

    Parameters
    ----------
    stage
        From which on a record is a deal; the first stage if empty.
    """
    stages = export.source.crm.stage_ids()
    later = stages[stages.index(stage) :] if stage else stages
    if not (export.raw.events.at < np.datetime64(day) + DAY).any():
        return _no_deals()
    history = export.on(day)
    entries = history.stage_history[history.stage_history["stage"].isin(later)]
    won_on = entries[entries["stage"] == stages[-1]].set_index("record")["entered_on"]
    found = history.records[history.records["record"].isin(entries["record"])].astype({"record": "str"})
    place = export.raw.records.get_indexer(pd.Index(found["record"], dtype=object))
    won = found["record"].map({str(record): at for record, at in won_on.items()})
    undated = found["undated"] if "undated" in found else pd.Series("", index=found.index)
    details = export.details
    amount, amount_assumed = _values(export, "amount", day, place)
    close_on, close_assumed = _values(export, "close_on", day, place)
    table = pd.DataFrame(
        {
            "record": found["record"].to_numpy(),
            **{key: found[key].astype("str").to_numpy() if key in found else EVERY for key in PARTS},
            "state": np.select(
                [won.notna() | (undated == "won"), found["lost_on"].notna() | (undated == "lost")],
                ["won", "lost"],
                "open",
            ),
            "amount": cents(amount),
            "first_close_on": _first_close_on(export, place),
            "close_on": pd.to_datetime(pd.Series(won)).fillna(pd.Series(close_on, index=won.index)).to_numpy(),
            "closed_on": pd.to_datetime(pd.Series(won)).fillna(found["lost_on"]).to_numpy(),
            "currency": details.codes[place] if len(details.codes) else "",
            "assumed": amount_assumed | close_assumed,
        }
    )
    return conform(table.astype({"currency": "str", "state": "str"}), "deals")


def _no_deals() -> pd.DataFrame:
    text = {name: pd.Series(dtype="str") for name in ("record", *PARTS, "state", "currency")}
    days = {name: pd.Series(dtype="datetime64[us]") for name in ("first_close_on", "close_on", "closed_on")}
    return pd.DataFrame({**text, **days, "amount": pd.Series(dtype="int64"), "assumed": pd.Series(dtype="bool")}).pipe(
        conform, "deals"
    )


def _values(export: Export, name: str, day: date, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Amounts or expected close dates of some records at the end of a day; missing where the CRM file names no column."""
    if name not in export.details.columns:
        missing = np.nan if name == "amount" else np.datetime64("NaT", "us")
        return np.full(len(place), missing), np.zeros(len(place), dtype=bool)
    values, assumed = export.values_on(name, day)
    return values[place], assumed[place]


def _first_close_on(export: Export, place: np.ndarray) -> np.ndarray:
    """The expected close dates that some records began with, as far as a log tells; else those they have."""
    log, now = export.raw.changes.get("close_on"), export.details.columns.get("close_on")
    if now is None:
        return np.full(len(place), np.datetime64("NaT", "us"))
    return (now if log is None else log.first(now))[place]


def cents(amounts: np.ndarray) -> np.ndarray:
    """Amounts in whole cents, halves away from zero; nothing where there is none."""
    there = np.nan_to_num(amounts)
    return (np.sign(there) * np.floor(np.abs(there) * 100 + 0.5 + 1e-7)).astype(np.int64)
