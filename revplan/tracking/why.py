"""Why a quarter differs from the one before: conversion parted into rate and mix, what luck explains, reasons of loss.

A conversion over several segments and sources is the sum of share x rate. Its change is, exactly, the sum of

    rate        w0 (r1 - r0)                    the same mix, other rates
    mix         (r0 - R0) (w1 - w0)             the same rates, another mix
    both        (r1 - r0) (w1 - w0)             what belongs to neither alone, shared evenly between the two

over the cells (w their shares, r their rates, R0 the conversion before). Simpson's paradox is when every cell moves one
way and the whole the other: then the mix alone did it.

Sources: E. M. Kitagawa, "Components of a difference between two rates", Journal of the American Statistical Association
50 (1955), 1168-1194, doi.org/10.1080/01621459.1955.10501299; E. H. Simpson, "The interpretation of interaction in
contingency tables", Journal of the Royal Statistical Society B 13 (1951), 238-241.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import comb

import numpy as np
import pandas as pd

from revplan.crm.cells import UNKNOWN
from revplan.crm.records import History
from revplan.funnel.funnel import YEAR
from revplan.funnel.year import PlannedYear
from revplan.ground.calendar import days_of
from revplan.ground.formats import largest_remainder, round_half_up, show
from revplan.ground.tables import conform, empty, from_rows
from revplan.tracking.periods import DayRun
from revplan.tracking.quality import ALARM, SHUFFLES
from revplan.tracking.service import NO_REASON, share_of

CELL = ["segment", "source"]
COUNTS = ["entries", "conversions"]
WEEK = 7
LOOKED_BACK = 365  # days of losses that are looked at
SAME = 1e-12  # a change as small as this is none


# --- rate and mix --------------------------------------------------------------------------------


def mix_and_rate(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Table mix_and_rate: what each cell's rate and share change of the whole conversion. [0-1]

    A cell without entries on one side has there the other side's rate, so that all its change is mix.

    Parameters
    ----------
    before, after
        `entries` and `conversions`, a row a cell; the other columns name the cells.
    """
    names = [name for name in before.columns if name not in COUNTS]
    both = before.merge(after, on=names, how="outer", suffixes=("_before", "_after"))
    entries, won = (both[[f"{name}_before", f"{name}_after"]].fillna(0.0).to_numpy(dtype=float).T for name in COUNTS)
    some = entries > 0
    share = entries / np.maximum(entries.sum(axis=1, keepdims=True), 1e-300)
    rate = np.divide(won, entries, out=np.full(entries.shape, np.nan), where=some)
    rate = np.nan_to_num(np.where(some, rate, rate[::-1]))
    whole = float((share[0] * rate[0]).sum())
    moved, shifted = rate[1] - rate[0], share[1] - share[0]
    alone, mixed, joint = share[0] * moved, (rate[0] - whole) * shifted, moved * shifted
    table = both[names].assign(
        entries_before=entries[0],
        entries_after=entries[1],
        share_before=share[0],
        share_after=share[1],
        rate_before=rate[0],
        rate_after=rate[1],
        rate_alone=alone,
        mix_alone=mixed,
        together=joint,
        rate=alone + joint / 2,
        mix=mixed + joint / 2,
    )
    return conform(table, "mix_and_rate")


@dataclass(frozen=True)
class Split:
    """The change of a conversion, and what it is made of."""

    before: float
    after: float
    rate: float
    """What other rates changed of it."""
    mix: float
    """What another mix changed of it."""
    paradox: bool
    """Whether every cell moved one way and the whole the other."""
    comparable: bool = True
    """Whether every cell has entries before and after."""

    @property
    def change(self) -> float:
        """After less before."""
        return self.after - self.before


def split_of(table: pd.DataFrame) -> Split:
    """The whole change that table mix_and_rate parts.

    Where everything is known, change = rate + mix.
    """
    before, after = (_whole(table, side) for side in ("before", "after"))
    both = table[(table["entries_before"] > 0) & (table["entries_after"] > 0)]
    moved = both["rate_after"] - both["rate_before"]
    ways = np.sign(np.where(moved.abs() > SAME, moved, 0.0))
    # A cell that is new or gone moved no way: what happened to the others alone must turn round, and the whole with it.
    changes = np.array([after - before, _whole(both, "after") - _whole(both, "before")])
    against = (np.abs(changes) > SAME).all() and (np.sign(changes)[:, None] * ways <= 0).all()
    paradox = len(ways) > 1 and bool((ways != 0).any()) and bool(against)
    return Split(before, after, float(table["rate"].sum()), float(table["mix"].sum()), paradox, len(both) == len(table))


def _whole(table: pd.DataFrame, side: str) -> float:
    """The conversion of all cells of table mix_and_rate, `before` or `after`. [0-1]"""
    entries = table[f"entries_{side}"]
    return float((entries * table[f"rate_{side}"]).sum() / max(entries.sum(), 1e-300))


def planned_conversions(year: PlannedYear, stage: str) -> pd.DataFrame:
    """What each segment and source whose records pass `stage` is to bring into it in the year, and how many of them are won.

    As `mix_and_rate` takes it, so that two versions of a plan are parted as two quarters are. [records]
    """
    rows = []
    for cell, flow in zip(year.cells, year.flows, strict=True):
        if stage in cell.stages[:-1]:
            index = cell.stages.index(stage)
            entries = float(flow[index][max(-year.first, 0) : YEAR - year.first].sum())
            rows.append((cell.segment, cell.source, entries, entries * float(cell.rates_to_won[index])))
    return pd.DataFrame(rows, columns=[*CELL, *COUNTS])


def split_words(split: Split, step: str) -> str:
    """The change of a conversion in a sentence: by how much, and whether rates or the mix did it."""
    if abs(split.change) <= SAME:
        return f"{step}: {show(split.after, 'share')} as before."
    change, rate, mix = in_points(split.change, split.rate, split.mix)
    told = f"{step}: {show(split.before, 'share')} to {show(split.after, 'share')} ({change} points)"
    parts = f"{rate} by other rates, {mix} by another mix of segments and sources"
    if split.paradox:
        way, whole = ("fell", "rose") if split.change > 0 else ("rose", "fell")
        which = "every segment and source" if split.comparable else "every segment and source that is in both"
        return f"{told}: {which} {way} or stayed and the whole {whole}, Simpson's paradox: {parts}."
    return f"{told}: {parts}."


def in_points(change: float, *parts: float) -> list[str]:
    """A change of a share and its parts in points that add up as they are written: +1.3, +1.5, −0.2."""
    whole = round_half_up(100 * change, 1)
    shared = largest_remainder([100 * part for part in parts], whole, 1)
    return [show(value, "number") if value else "0" for value in (whole, *map(float, shared))]


# --- more than chance ----------------------------------------------------------------------------


def conversion_chance(before: tuple[float, float], after: tuple[float, float]) -> float:
    """How often luck parts two conversions as much, each entries and conversions (Fisher's exact test). [0-1]"""
    if not before[0] or not after[0]:
        return 1.0
    table = [[round(each[1]), round(each[0] - each[1])] for each in (before, after)]
    from scipy.stats import fisher_exact  # takes a quarter of a second, which most commands need not wait for

    return float(fisher_exact(table)[1])


def flow_chance(weeks: np.ndarray, later: np.ndarray, seed: int = 1) -> float:
    """How often luck parts the entries a week of two stretches as much: the same weeks in random order. [0-1]

    Missing where the weeks are so few that the largest difference there can be is one that luck makes: a single week after
    a quarter of 13 is the largest of all in one order of 14, whatever it brings.

    Parameters
    ----------
    weeks
        Entries of each week.
    later
        Which of them belong to the later stretch.
    """
    if comb(len(weeks), int(later.sum())) * ALARM < 1:
        return np.nan
    random = np.random.default_rng(seed)
    orders = np.concatenate([weeks[None], random.permuted(np.tile(weeks, (SHUFFLES, 1)), axis=1)])
    apart = np.abs(orders[:, later].mean(axis=1) - orders[:, ~later].mean(axis=1))
    return float((apart >= apart[0] * (1 - 1e-9)).mean())


# --- quarter on quarter --------------------------------------------------------------------------


def steps(history: History, before: DayRun, after: DayRun, titles: Mapping[str, str]) -> pd.DataFrame:
    """Table quarter_on_quarter: for every step, how many entered and converted in two stretches, and what changed.

    Both are held to the same terms: only records old enough to have had the days in which nine of ten convert, and
    only conversions within them.

    Parameters
    ----------
    titles
        Stage -> what a reader calls it.
    """
    rows = (_step(history, pair, (before, after), titles) for pair in pairwise(history.stages))
    return from_rows("quarter_on_quarter", filter(None, rows))


def _step(
    history: History, pair: tuple[str, str], stretches: tuple[DayRun, DayRun], titles: Mapping[str, str]
) -> dict[str, object] | None:
    entered = cohort(history, pair, stretches)
    sides = [conversions(entered[each.holds(entered["entered_on"]) & entered["ripe"]]) for each in stretches]
    if min(map(len, sides)) == 0:
        return None
    split = split_of(mix_and_rate(*sides))
    totals = [tuple(float(side[name].sum()) for name in COUNTS) for side in sides]
    weeks, later = weekly(entered["entered_on"], *stretches)
    flows = [float(weeks[rows].mean()) if rows.any() else np.nan for rows in (~later, later)]
    conversion = conversion_chance((totals[0][0], totals[0][1]), (totals[1][0], totals[1][1]))
    flow = flow_chance(weeks, later)
    return {
        "from_stage": pair[0],
        "to_stage": pair[1],
        "entries_before": totals[0][0],
        "entries_after": totals[1][0],
        "rate_before": split.before,
        "rate_after": split.after,
        "change": 100 * split.change,
        "by_rate": 100 * split.rate,
        "by_mix": 100 * split.mix,
        "paradox": split.paradox,
        "chance": conversion,
        "moved": conversion <= ALARM,
        "weekly_before": flows[0],
        "weekly_after": flows[1],
        "flow_chance": flow,
        "flow_moved": flow <= ALARM,
        "says": split_words(split, " to ".join(titles[stage] for stage in pair)),
    }


def cohort(history: History, pair: tuple[str, str], stretches: tuple[DayRun, DayRun]) -> pd.DataFrame:
    """Records that entered the first stage in one of the stretches: when, whether they entered the second in time, and
    whether that time is over. Without rows where none ever entered the second: nothing says how long that takes."""
    table, record = history.stage_history, history.numbers
    rows, later = (np.flatnonzero(table["stage"] == stage) for stage in pair)
    moments = table["entered_on"].to_numpy()
    converted_on = np.full(len(history.arrivals), np.datetime64("NaT", "us"))
    converted_on[record[later]] = moments[later]
    entered_on, converted_on = moments[rows], converted_on[record[rows]]
    took = converted_on - entered_on
    taken = took[~np.isnat(took)] / np.timedelta64(1, "D")
    inside = np.logical_or(*(each.holds(entered_on) for each in stretches)) & (len(taken) > 0)
    wait = np.timedelta64(int(np.ceil(np.percentile(taken, 90))) + 1 if len(taken) else 1, "D")
    end = np.datetime64(history.as_of) + np.timedelta64(1, "D")
    found = table.iloc[rows[inside]]
    return found.assign(converted=took[inside] <= wait, ripe=entered_on[inside] <= end - wait).reset_index(drop=True)


def conversions(entered: pd.DataFrame) -> pd.DataFrame:
    """Entries and conversions of every segment and source."""
    groups = entered.astype(dict.fromkeys(CELL, "str")).groupby(CELL, sort=True)["converted"]
    return groups.agg(entries="size", conversions="sum").reset_index()


def weekly(moments: pd.Series, before: DayRun, after: DayRun) -> tuple[np.ndarray, np.ndarray]:
    """Entries of every whole week of two stretches, counted back from the end of each; which weeks are the later's."""
    counts, later = [], []
    for number, each in enumerate((before, after)):
        size = len(each) // WEEK
        days = (np.datetime64(each.last) - days_of(moments.to_numpy())).astype(int)
        place = days[(days >= 0) & (days < size * WEEK)] // WEEK
        counts.append(np.bincount(place, minlength=size).astype(float))
        later.append(np.full(size, bool(number)))
    return np.concatenate(counts), np.concatenate(later)


# --- reasons of loss -----------------------------------------------------------------------------


def loss_reasons(history: History) -> pd.DataFrame:
    """Table loss_reasons: why records of the last year were lost, by the stage they were lost from and their segment."""
    records = history.records
    if "lost_reason" not in records:
        return empty("loss_reasons")
    since = np.datetime64(history.as_of) - np.timedelta64(LOOKED_BACK - 1, "D")
    is_lost = (records["lost_on"] >= since).to_numpy()
    lost = records[is_lost]
    last = np.zeros(len(history.places), dtype=int)
    last[history.numbers] = np.arange(len(history.numbers))  # the last row of each
    of_record = np.zeros(len(records), dtype=int)
    of_record[history.places] = last
    stage = history.stage_history["stage"].iloc[of_record[np.flatnonzero(is_lost)]]
    frame = pd.DataFrame(
        {
            "stage": stage.astype("str").to_numpy(),
            "segment": lost["segment"].astype("str").to_numpy(),
            "reason": lost["lost_reason"].astype("str").to_numpy(),
        }
    )
    rows = (row for keys in (["stage"], ["stage", "segment"]) for row in _reasons(frame, keys))
    return from_rows("loss_reasons", rows)


def _reasons(frame: pd.DataFrame, keys: list[str]) -> Iterator[dict[str, object]]:
    if len(keys) > 1 and frame["segment"].nunique() < 2:
        return
    for group, part in frame.groupby(keys, sort=False):
        names = dict(zip(keys, group, strict=True))
        for reason, number in part["reason"].value_counts().items():
            why = NO_REASON if reason == UNKNOWN else str(reason)
            told = {"reason": why, "records": int(number), "of": len(part)}
            yield {"segment": "all", **names, **told, **share_of(int(number), len(part))}
