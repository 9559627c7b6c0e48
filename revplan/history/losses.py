"""How many records a stage loses, and when: recorded losses beside those who go on."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from revplan.history.records import EVERY, History
from revplan.tables import conform

FEWEST_EXITS = 5  # a segment with fewer takes the figures of all, at its own pace


def loss_incidence(history: History, as_of: date, estimates: pd.DataFrame) -> pd.DataFrame:
    """Share of the entries into a stage that are recorded lost there by each age. [share]

    The cumulative incidence of loss with going on as the competing exit and records still open as
    censored (Aalen and Johansen, 1978). Losses nobody records never show, so it ends at the share
    of entries whose loss is recorded, not at the share that is lost.

    Returns
    -------
    pandas.DataFrame
        Table loss_incidence: a row per age at which a loss is recorded. Segment `all` holds every
        record. A segment with at least 5 records that have left the stage has rows of its own; one with
        fewer has those of all, stretched as its delay is against that of all (table `estimates`).
    """
    stays = _stays(history, as_of)
    every = {str(stage): _incidence(rows, EVERY, str(stage)) for stage, rows in stays.groupby("stage", observed=True)}
    found = list(every.values())
    for (stage, segment), rows in stays.groupby(["stage", "segment"], observed=True):
        if segment == EVERY:
            continue
        if (rows["went_on"] | rows["lost"]).sum() >= FEWEST_EXITS:
            found.append(_incidence(rows, str(segment), str(stage)))
        else:
            found.append(_stretched(every[str(stage)], str(segment), _pace(estimates, str(stage), str(segment))))
    return conform(pd.concat(found), "loss_incidence")


def _pace(estimates: pd.DataFrame, stage: str, segment: str) -> float:
    """How many times as long as all records' a segment's delay in a stage is; 1 where it is not known."""
    rows = estimates[(estimates["from_stage"] == stage) & (estimates["source"] == EVERY)].set_index("segment")
    if segment not in rows.index or not rows.loc[EVERY, "median_days"] > 0:
        return 1.0
    return float(rows.loc[segment, "median_days"] / rows.loc[EVERY, "median_days"])


def _stretched(rows: pd.DataFrame, segment: str, pace: float) -> pd.DataFrame:
    later = np.ceil(rows["age_days"] * pace)
    moved = pd.DataFrame({"segment": segment, "stage": rows["stage"], "age_days": later, "share": rows["share"]})
    return moved.drop_duplicates("age_days", keep="last")


def _stays(history: History, as_of: date) -> pd.DataFrame:
    """One row per record and stage before won: days stayed, and how the stay ended."""
    known = history.stage_history.merge(history.records[["record", "lost_on"]], on="record")
    position = pd.Series(range(len(history.stages)), index=list(history.stages))
    known = known.assign(position=known["stage"].map(position)).sort_values(["record", "position"], kind="stable")
    following = known.groupby("record", sort=False)["entered_on"].shift(-1)
    now = pd.Timestamp(as_of)
    went_on = following.notna()
    lost = ~went_on & known["lost_on"].notna()
    end = following.where(went_on, known["lost_on"].where(lost, now))
    days = (end.dt.normalize() - known["entered_on"].dt.normalize()).dt.days.clip(lower=0)
    stays = known.assign(days=days, went_on=went_on, lost=lost)
    return stays[stays["stage"] != history.stages[-1]]


def _incidence(stays: pd.DataFrame, segment: str, stage: str) -> pd.DataFrame:
    longest = int(stays["days"].max())
    days = stays["days"].to_numpy(dtype=int)
    ended = np.bincount(days, minlength=longest + 1)
    at_risk = ended[::-1].cumsum()[::-1]
    lost = np.bincount(days[stays["lost"].to_numpy()], minlength=longest + 1) / at_risk
    left = np.bincount(days[(stays["lost"] | stays["went_on"]).to_numpy()], minlength=longest + 1) / at_risk
    still_there = np.concatenate([[1.0], np.cumprod(1 - left)[:-1]])
    ages = np.flatnonzero(lost)
    shares = np.minimum(np.cumsum(still_there * lost)[ages], 1.0)
    return pd.DataFrame({"segment": segment, "stage": stage, "age_days": ages.astype(float), "share": shares})
