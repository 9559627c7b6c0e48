"""Expected close dates that were moved to a later day: how often, deal by deal, and what became of such deals."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from revplan.crm.records import Export
from revplan.ground.tables import conform

MOST_PUSHES = 3  # deals pushed as often or more are told together


def slips(export: Export, deals: pd.DataFrame, first: date, last: date) -> pd.DataFrame:
    """Table slips: how often each deal's expected close date was moved to a later day, by `last`. [times]

    A move on the day of closing is none: there a CRM writes the day that it became. Empty without a log of the dates.

    Parameters
    ----------
    deals
        Table deals at the end of `last`.
    first
        After the end of which pushes also count as those of the period.
    """
    log = export.raw.changes.get("close_on")
    if log is None:
        return _slips(deals.iloc[:0], np.zeros(0, int), np.zeros(0, int))
    again = np.append(False, log.record[1:] == log.record[:-1])
    begun = np.datetime64("NaT", "us") if log.before is None else log.before
    former = np.where(again, np.append(log.after[:1], log.after[:-1]), begun)
    closed = pd.Series(deals["closed_on"].to_numpy(), index=export.raw.records.get_indexer(deals["record"]))
    closing = closed.reindex(log.record).to_numpy().astype("datetime64[D]")
    days = log.at.astype("datetime64[D]")
    pushed = (log.after > former) & (days <= np.datetime64(last)) & ~(days >= closing)
    recent = pushed & (days > np.datetime64(first))
    size, place = len(export.raw.records), closed.index.to_numpy()
    times, lately = (np.bincount(log.record[rows], minlength=size)[place] for rows in (pushed, recent))
    return _slips(deals, times, lately)


def _slips(deals: pd.DataFrame, times: np.ndarray, lately: np.ndarray) -> pd.DataFrame:
    return conform(deals.assign(pushes=times, lately=lately, amount=deals["amount"] / 100), "slips")


def track_record(found: pd.DataFrame) -> pd.DataFrame:
    """Table track_record: of the deals decided, how many were won, by how often they were pushed, with 8 of 10 cases.

    The interval is that of a share with Jeffreys' prior: the 10th and 90th percentile of Beta(won + 1/2, lost + 1/2).

    Parameters
    ----------
    found
        Table slips.
    """
    decided = found[found["state"].isin(["won", "lost"])]
    times = decided["pushes"].clip(upper=MOST_PUSHES)
    rows = pd.DataFrame({"pushes": times, "won": decided["state"] == "won"})
    table = rows.groupby("pushes")["won"].agg(decided="size", won="sum").reset_index()
    won, lost = table["won"], table["decided"] - table["won"]
    low, high = (betaincinv(won + 0.5, lost + 0.5, share) for share in (0.1, 0.9))
    return conform(
        table.assign(
            win_rate=won / table["decided"],
            win_rate_low=low,
            win_rate_high=high,
            pushes=table["pushes"].map(pushed_words),
        ),
        "track_record",
    )


def pushed_words(times: int) -> str:
    """How often a deal was pushed, in words: never, once, twice, three times or more."""
    return {0: "never", 1: "once", 2: "twice"}.get(int(times), "three times or more")
