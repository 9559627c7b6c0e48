"""Whether the dates on which open deals are expected to close tell more than their age, and what they then tell.

On the same day of each of the last months, every open deal had an age, a stage, an expected close date and a number of
times it had been pushed to a later one. How many were won in each of the three months that followed is told twice from
what earlier days had shown: by stage and age, and by these times a factor for when the deal is due and how often it was
pushed, drawn towards 1 by as much as few wins leave open. Only where the second would have been better, by more than
luck, do the dates enter the landing: they move what open records bring in those months.

Sources: D. Clayton and J. Kaldor, "Empirical Bayes estimates of age-standardized relative risks", Biometrics 43 (1987),
doi.org/10.2307/2532003, for the factors; F. Diebold and R. Mariano, "Comparing predictive accuracy", Journal of Business
and Economic Statistics 13 (1995), doi.org/10.1080/07350015.1995.10524599, for the test.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from revplan.crm.records import Export, History
from revplan.funnel.year import Snapshot
from revplan.ground.formats import counted
from revplan.rates.backtest import BY_LUCK, FEWEST_FORECASTS, chance_of_lead
from revplan.rates.expected import months_before
from revplan.rates.hazards import BANDS, bands_of
from revplan.rates.spells import as_date, day_number, spells_of

REPLAYS = 18  # months looked back on
MONTHS = 3  # that a deal is followed
BEGIN = 3  # replays behind the first forecast that is judged
PRIOR_DEALS, PRIOR_WINS = 10.0, 5.0  # that a stage's mean, and a factor of 1, count for
MOST_PUSHES = 2  # deals pushed as often or more are told together
MOST, LEAST = 0.95, 1e-4  # chances are kept between


@dataclass(frozen=True, eq=False)
class CloseDates:
    """What expected close dates are worth."""

    months: int
    """Past days that a forecast was made on and judged."""
    helps: bool
    """Whether they told better than stage and age, by more than luck."""
    factors: tuple[float, ...]
    """What open records bring in the rest of this month and in those after it, over what stage and age say. [ratio]"""
    due: tuple[float, float]
    """Share won by the end of the month of the open deals that were due by then, and of the others. [0-1]"""


@dataclass(frozen=True, eq=False)
class _Deals:
    """The deals of a history: arrays by record, days since 1970."""

    entered: np.ndarray
    """By stage from the first that counts as a deal, the last being won."""
    lost: np.ndarray
    worth: np.ndarray
    export: Export
    place: np.ndarray
    pushed: tuple[np.ndarray, np.ndarray]
    """Record and day of each push to a later day."""

    def open_on(self, day: int) -> np.ndarray:
        """The records that are open deals at the end of `day`."""
        begun = (self.entered[:, :-1] <= day).any(axis=1)
        return np.flatnonzero(begun & (self.entered[:, -1] > day) & (self.lost > day))

    def ages(self, rows: np.ndarray, day: int) -> np.ndarray:
        """A number for stage and age of some of them."""
        reached = np.where(self.entered[rows, :-1] <= day, self.entered[rows, :-1], -1)
        stage = reached.shape[1] - 1 - np.argmax(reached[:, ::-1] >= 0, axis=1)
        return stage * len(BANDS) + bands_of(day - reached[np.arange(len(rows)), stage])

    def dates(self, rows: np.ndarray, day: int, window: tuple[int, int]) -> np.ndarray:
        """A number for when some of them are due (0 in the window, 1 before it, 2 after it, 3 at no time), as known on `day`, seen from a window of days, and how often pushed."""
        close = self.export.values_on("close_on", as_date(day))[0][self.place[rows]].astype("datetime64[D]")
        is_dated = ~np.isnat(close)
        at = np.where(is_dated, close.astype(np.int64), 0)
        due = np.select([~is_dated, at < window[0], at > window[1]], [3, 1, 2], 0)
        record, when = self.pushed
        times = np.bincount(record[when <= day], minlength=len(self.export.raw.records))[self.place[rows]]
        return due * (MOST_PUSHES + 1) + np.minimum(times, MOST_PUSHES)


def close_dates(export: Export, history: History, stage: str) -> CloseDates | None:
    """What the expected close dates of `export` have been worth by the day of `history`; None where no log tells them.

    Parameters
    ----------
    stage
        From which on a record is a deal.
    """
    log = export.raw.changes.get("close_on")
    if log is None or not len(log.record) or stage not in history.stages[:-1]:
        return None
    deals, day = _deals_of(export, history, stage), day_number(history.as_of)
    seen = [_seen_from(deals, months_before(day, back), back, day) for back in range(REPLAYS, 0, -1)]
    rows = pd.concat(seen, ignore_index=True)
    leads, ratio = [], np.ones(MONTHS)
    for back in sorted(rows["back"].unique(), reverse=True):
        then = months_before(day, int(back))
        before = rows[rows["end"] <= then]
        if before["back"].nunique() >= BEGIN and before["won"].sum() >= PRIOR_WINS:
            asked = rows[rows["back"] == back]
            by_age, with_dates = _told(before, asked)
            leads.append(float(_loss(asked["won"], by_age) - _loss(asked["won"], with_dates)))
    helps = chance_of_lead(np.array(leads), MONTHS) < BY_LUCK
    if helps:
        now, ends = deals.open_on(day), _ends(day)
        for month in range(MONTHS):
            asked = _rows(deals, now, day, (ends[month] + 1, ends[month + 1]), month)
            by_age, with_dates = _told(rows, asked)
            expected = float(deals.worth[now] @ by_age)
            ratio[month] = float(deals.worth[now] @ with_dates) / expected if expected > 0 else 1.0
    first = rows[rows["month"] == 0]
    is_due = first["dates"] // (MOST_PUSHES + 1) == 0
    shares = [float(each.mean()) if len(each) else np.nan for each in (first["won"][is_due], first["won"][~is_due])]
    return CloseDates(len(leads), helps, tuple(ratio.tolist()), (shares[0], shares[1]))


def _deals_of(export: Export, history: History, stage: str) -> _Deals:
    spells = spells_of(history)
    names = pd.unique(history.stage_history["record"])  # in the order of the spells
    place = export.raw.records.get_indexer(pd.Index(names, dtype=object))
    amount = spells.amount
    priced = ~np.isnan(amount)
    worth = np.where(priced, amount, amount[priced].mean() if priced.any() else 1.0)
    log = export.raw.changes["close_on"]
    again = np.append(False, log.record[1:] == log.record[:-1])
    begun = np.full(len(log.record), np.datetime64("NaT", "us")) if log.before is None else log.before
    former = np.where(again, np.append(log.after[:1], log.after[:-1]), begun)
    when = log.at.astype("datetime64[D]").astype(np.int64)
    later = log.after > former
    return _Deals(
        spells.entered[:, history.stages.index(stage) :],
        spells.lost,
        worth,
        export,
        place,
        (log.record[later], when[later]),
    )


def _ends(day: int) -> list[int]:
    """`day`, and the last days of the months after it, the first of which is the month that the day after it lies in."""
    first = pd.Period(as_date(day + 1), freq="M")
    return [day, *(day_number((first + month).end_time.date()) for month in range(MONTHS))]


def _seen_from(deals: _Deals, day: int, back: int, today: int) -> pd.DataFrame:
    """The open deals of a past day, each in every month after it that is over."""
    rows, ends = deals.open_on(day), _ends(day)
    over = [month for month in range(MONTHS) if ends[month + 1] <= today]
    found = [_rows(deals, rows, day, (ends[month] + 1, ends[month + 1]), month) for month in over]
    return pd.concat(found, ignore_index=True).assign(back=back)


def _rows(deals: _Deals, rows: np.ndarray, day: int, window: tuple[int, int], month: int) -> pd.DataFrame:
    """Stage and age, dates, and whether won within a window of days, of some open deals as known on `day`."""
    won = deals.entered[rows, -1]
    return pd.DataFrame(
        {
            "month": month,
            "end": window[1],
            "ages": deals.ages(rows, day),
            "dates": deals.dates(rows, day, window),
            "won": (won >= window[0]) & (won <= window[1]),
        }
    )


def _told(before: pd.DataFrame, asked: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Chance of a win of each row of `asked` by stage and age, and with its dates, from the rows of earlier days."""
    before = before.assign(stage=before["ages"] // len(BANDS))
    of_stage = before.groupby(["month", "stage"])["won"].mean()
    cells = before.groupby(["month", "ages"])["won"].agg(["sum", "size"])

    def by_age(rows: pd.DataFrame) -> np.ndarray:
        keys = pd.MultiIndex.from_arrays([rows["month"], rows["ages"]])
        stages = pd.MultiIndex.from_arrays([rows["month"], rows["ages"] // len(BANDS)])
        mean = of_stage.reindex(stages).fillna(before["won"].mean()).to_numpy()
        found = cells.reindex(keys).fillna(0.0).to_numpy()
        return np.clip((found[:, 0] + PRIOR_DEALS * mean) / (found[:, 1] + PRIOR_DEALS), LEAST, MOST)

    expected = before.assign(expected=by_age(before)).groupby(["month", "dates"])[["won", "expected"]].sum()
    factor = (expected["won"] + PRIOR_WINS) / (expected["expected"] + PRIOR_WINS)
    chances = by_age(asked)
    keys = pd.MultiIndex.from_arrays([asked["month"], asked["dates"]])
    return chances, np.clip(chances * factor.reindex(keys).fillna(1.0).to_numpy(), LEAST, MOST)


def _loss(won: pd.Series, chances: np.ndarray) -> float:
    """Logarithm of one over the likelihood of what happened."""
    return -float(np.log(np.where(won, chances, 1 - chances)).sum())


def with_dates(snapshot: Snapshot, found: CloseDates | None) -> Snapshot:
    """`snapshot` with what open records bring moved as their dates say, where these help."""
    return replace(snapshot, by_dates=found.factors) if found is not None and found.helps else snapshot


def close_date_notes(found: CloseDates | None) -> Iterator[str]:
    """Whether expected close dates are in the landing, and why."""
    if found is None:
        return
    judged = counted(found.months, "past month", "past months")
    due, other = (f"{share:.0%}" for share in found.due) if not np.isnan(found.due).any() else ("", "")
    won = f" Of the open deals due in a month {due} were won in it, of the others {other}." if due else ""
    if found.helps:
        yield (
            f"Expected close dates are in the landing: in {judged} they told what open deals bring better than stage and age alone.{won}"
        )
    elif found.months < FEWEST_FORECASTS:
        yield (
            f"Expected close dates are not in the landing: they can be judged over {judged} only, "
            f"{FEWEST_FORECASTS} are needed.{won}"
        )
    else:
        yield (
            f"Expected close dates are not in the landing: in {judged} they told what open deals bring no better, beyond luck, "
            f"than stage and age.{won}"
        )
