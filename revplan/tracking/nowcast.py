"""Today is not finished: how many records of the last days are still to be recorded, from what nightly runs saw arrive.

Every nightly run notes how many records of each day it knows. What it knows more than the run before came late; how
late is a triangle of event day by day first seen. A chain ladder on it tells what share of a day's records is known
after 0, 1, 2, ... days; what is still missing is drawn towards a usual day where little is known, and its spread is
that of the same nowcast made on past nights (a negative binomial).

Source of the chain ladder: T. Mack, "Distribution-free calculation of the standard error of chain ladder reserve
estimates", ASTIN Bulletin 23 (1993), doi.org/10.2143/AST.23.2.2005092; of drawing it towards what is usual:
R. Bornhuetter and R. Ferguson, "The actuary and IBNR", Proceedings of the Casualty Actuarial Society 59 (1972).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from revplan.ground.errors import DataError, shown
from revplan.ground.files import content_of, megabytes
from revplan.ground.formats import counted
from revplan.ground.tables import conform, empty

KEPT_DAYS = 160  # of events that the triangle keeps
LATEST = 60  # days after which a record no longer counts as late
HALF_LIFE = 30.0  # nights after which what was seen counts half
RESTATED = 0.5  # of what the run before knew: a run that knows less of it, or more than twice, saw other records, not late ones
LEAST_NIGHTS = 7  # in a row before anything is told of lateness
USUAL_DAYS = 42  # of which a usual day is the mean
USUAL_WEIGHT = 0.2  # share of a day that a usual day counts for
SETTLED = 0.98  # share of a day's records from which it counts as complete
FEW_REPLAYS, UNSURE = 4.0, 0.1  # past nights that an unlearnt spread counts for, and that spread
KEY = ["stage", "segment", "source", "event_day"]
COLUMNS = ["seen_on", *KEY, "entries"]


@dataclass(frozen=True, eq=False)
class Triangle:
    """What each nightly run saw for the first time."""

    rows: pd.DataFrame
    """Table triangle: a row without a stage says that a run was made, and how many records it knew by then."""

    @property
    def nights(self) -> list[date]:
        """The last day known of every run, in order."""
        return [day.date() for day in sorted(self.rows["seen_on"].unique())]

    def until(self, day: date) -> Triangle:
        """What the runs up to that of `day` saw."""
        return Triangle(self.rows[self.rows["seen_on"] <= pd.Timestamp(day)])

    @property
    def missing(self) -> float:
        """How many records the last run knew that its rows do not hold; 0 where it did not note how many it knew. [records]"""
        runs, seen = self.rows[self.rows["stage"] == ""], self.rows[self.rows["stage"] != ""]
        noted = float(runs.sort_values("seen_on")["entries"].iloc[-1]) if len(runs) else 0.0
        return noted - float(seen["entries"].sum()) if noted else 0.0

    def text(self) -> str:
        """As its file holds it."""
        days = {key: self.rows[key].dt.strftime("%Y-%m-%d") for key in ("seen_on", "event_day")}
        return self.rows.assign(**days).to_csv(index=False, lineterminator="\n")


def triangle_path(plan_path: Path) -> Path:
    """Where the triangle of a plan lies: beside it."""
    return plan_path.with_name(f"{plan_path.stem}.triangle.csv")


def read_triangle(path: Path) -> Triangle:
    """The triangle in a file; an empty one where there is none.

    Raises
    ------
    DataError
        If it is none.
    """
    if not path.exists():
        return Triangle(empty("triangle"))
    text = content_of(path, DataError, megabytes(64)).decode("utf-8", "replace")
    try:
        found = pd.read_csv(StringIO(text), dtype=dict.fromkeys(KEY, "str"), keep_default_na=False)
        rows = found[COLUMNS].astype({"entries": "float64"})
        check_columns(found, COLUMNS)
        for key in ("seen_on", "event_day"):
            rows[key] = pd.to_datetime(rows[key], format="%Y-%m-%d").astype("datetime64[us]")
        triangle = Triangle(conform(rows, "triangle"))
        if triangle.missing:
            records = counted(abs(triangle.missing), "record")
            raise ValueError(f"{records} {'fewer' if triangle.missing > 0 else 'more'} than its last run noted")
    except (ValueError, KeyError, DataError) as error:
        message = f"is no triangle of nightly runs as a run left it ({shown(error)}); take it away, and the next run begins a new one, or put a backup in its place"
        raise DataError.at(shown(path.name), message) from None
    return triangle


def check_columns(found: pd.DataFrame, columns: Sequence[str]) -> None:
    """That a file has no columns but those known: one of a newer version would lose them when it is written again.

    Raises
    ------
    ValueError
        If it has others.
    """
    strange = [str(name) for name in found.columns if name not in columns]
    if strange:
        raise ValueError(f"strange columns: {', '.join(strange)}; a newer revplan may have written it")


def after_run(before: Triangle, counts: pd.DataFrame, seen_on: date) -> Triangle:
    """The triangle after a run that knows `counts` (stage, segment, source, event day, entries) at the end of `seen_on`.

    A second run of the same day takes the place of the first; a day before the last run changes nothing.
    """
    if before.nights and seen_on < before.nights[-1]:
        return before
    today = pd.Timestamp(seen_on)
    first = today - pd.Timedelta(days=KEPT_DAYS)
    kept = before.rows[(before.rows["seen_on"] < today) & (before.rows["seen_on"] > first)]
    kept = kept[(kept["event_day"] > first) | kept["event_day"].isna()]
    recorded = kept[kept["stage"] != ""].groupby(KEY)["entries"].sum()
    now = counts[counts["event_day"] > first].groupby(KEY, observed=True)["entries"].sum()
    more = now.sub(recorded, fill_value=0.0)
    more = more[more != 0].rename("entries").reset_index().assign(seen_on=today)
    run = pd.DataFrame(
        [{"seen_on": today, "stage": "", "segment": "", "source": "", "event_day": pd.NaT, "entries": float(now.sum())}]
    )
    parts = [part for part in (kept, run, more) if len(part)]
    rows = pd.concat([part[COLUMNS] for part in parts], ignore_index=True)
    for key in ("seen_on", "event_day"):
        rows[key] = rows[key].astype("datetime64[us]")
    return Triangle(conform(rows.astype({"entries": "float64"}), "triangle"))


@dataclass(frozen=True, eq=False)
class Late:
    """What is still to be recorded at a stage of each of the last days, the last one being the day of the run."""

    missing: np.ndarray
    """By day. [records]"""
    day_spread: float
    """Variance beyond luck of what is missing of the last day, over its squared mean."""
    spread: float
    """The same of what is missing of all days."""
    nights: int
    """In a row that it rests on."""


def late_of(recorded: np.ndarray, nights: np.ndarray, usual: np.ndarray) -> Late | None:
    """What is still to be recorded after the last of the `nights`; None where too few of them follow each other.

    Parameters
    ----------
    recorded
        Event day x night: records known; event days are those up to the last night, in a row.
    nights
        Day of each run, counted as the event days are: the last event day is that of the last night.
    usual
        What each event day can bring relative to a mean one.
    """
    days = recorded.shape[0]
    in_a_row = (np.diff(nights, prepend=nights[0] - 2) == 1) & _comparable(recorded, nights)
    if in_a_row.sum() < LEAST_NIGHTS:
        return None
    shares = _shares(recorded, nights, in_a_row)
    past = [_missing(recorded[:, night], nights[night], shares[night], usual) for night in range(len(nights))]
    now = shares[-1]
    settled = int(np.argmax(now >= SETTLED))
    final = recorded[:, -1]
    replays = [
        night
        for night in range(LEAST_NIGHTS, len(nights))
        if in_a_row[: night + 1].sum() >= LEAST_NIGHTS and nights[night] <= nights[-1] - max(settled, 1)
    ]
    told = {"day": [], "all": []}  # type: dict[str, list[tuple[float, float]]]
    for night in replays:
        last = int(nights[night])
        actual = np.maximum(final[: last + 1] - recorded[: last + 1, night], 0.0)
        told["day"].append((float(past[night][last]), float(actual[last])))
        told["all"].append((float(past[night].sum()), float(actual[max(last - LATEST, 0) :].sum())))
    factor = _factor(told["all"])
    missing = np.zeros(days)
    missing[: len(past[-1])] = factor * past[-1]
    return Late(missing, _spread(told["day"], factor), _spread(told["all"], factor), int(in_a_row.sum()))


def _comparable(recorded: np.ndarray, nights: np.ndarray) -> np.ndarray:
    """Nights that knew of the days before about what the run before them knew.

    A stage that is new in the plan, a file read in part or another one in its place moves all of it at once: that tells
    of no record that came late. Nor does the night on which it comes back.
    """
    reached = np.append(np.zeros((1, len(nights))), np.cumsum(recorded, axis=0), axis=0)
    found = np.zeros(len(nights), dtype=bool)
    whole = 0.0
    for night in range(1, len(nights)):
        before, now = reached[nights[night - 1] + 1, [night - 1, night]]
        whole = max(whole, before)
        found[night] = RESTATED * whole <= before and RESTATED * before <= now <= before / RESTATED and before > 0
    return found


def _shares(recorded: np.ndarray, nights: np.ndarray, in_a_row: np.ndarray) -> np.ndarray:
    """Night x delay: share of a day's records that are known after so many days, as each night could tell."""
    more, all_of_it = np.zeros((2, LATEST + 1))
    fading = 0.5 ** (1 / HALF_LIFE)
    shares = np.ones((len(nights), LATEST + 1))
    for night, day in enumerate(nights.tolist()):
        if in_a_row[night]:
            more, all_of_it = more * fading, all_of_it * fading
            delays = np.arange(1, min(day, LATEST) + 1)
            at = day - delays
            more[delays] += recorded[at, night] - recorded[at, night - 1]
            all_of_it[delays] += recorded[at, night]
        arriving = np.clip(np.divide(more, all_of_it, out=np.zeros(LATEST + 1), where=all_of_it > 0), 0.0, 0.99)
        shares[night] = np.append(np.cumprod((1 - arriving)[:0:-1])[::-1], 1.0)
    return shares


def _missing(recorded: np.ndarray, night: int, shares: np.ndarray, usual: np.ndarray) -> np.ndarray:
    """What is still to be recorded of each event day, as a night could tell. [records]

    A day's true count is the mean of its posterior: a gamma prior with the mean of a usual day and the weight of
    USUAL_WEIGHT of a day, and what is known of it, seen through the share that is known by then.
    """
    by_day = np.zeros(len(recorded))
    days = np.arange(max(night - LATEST, 0), night + 1)
    share = shares[night - days]
    recent = days[(night - days) < USUAL_DAYS]
    could = float((usual[recent] * shares[night - recent]).sum())
    level = float(recorded[recent].sum()) / could if could > 0 else 0.0
    weight = np.where(usual[days] > 0, USUAL_WEIGHT, 0.0)
    true = (weight * level * usual[days] + recorded[days]) / (weight + share)
    by_day[days] = np.maximum(true * (1 - share), 0.0)
    return by_day


def _factor(told: list[tuple[float, float]]) -> float:
    """By how much past nowcasts were to be taken back: 0 leaves what is counted as it is, 1 the nowcast. [0-1]"""
    expected, actual = np.array(told).reshape(-1, 2).T
    prior = float((expected**2).mean()) if len(expected) else 1.0
    if prior <= 0:
        return 1.0
    return float(np.clip((expected @ actual + prior) / (expected @ expected + prior), 0.0, 1.0))


def _spread(told: list[tuple[float, float]], factor: float) -> float:
    """Variance beyond luck of past nowcasts over their squared mean, drawn towards UNSURE where they are few."""
    expected, actual = np.array(told).reshape(-1, 2).T
    expected = expected * factor
    size = float(expected @ expected)
    learnt = max(float(((actual - expected) ** 2 - expected).sum()) / size, 0.0) if size > 0 else UNSURE
    return (len(expected) * learnt + FEW_REPLAYS * UNSURE) / (len(expected) + FEW_REPLAYS)


def recorded_by_night(triangle: Triangle, stage: str, last: date) -> tuple[np.ndarray, np.ndarray, date]:
    """Event day x night: records of a stage known, and the days of the nights, counted from the first event day, which comes last."""
    nights = triangle.nights
    first = last - timedelta(days=KEPT_DAYS - 1)
    place = {night: number for number, night in enumerate(nights)}
    recorded = np.zeros((KEPT_DAYS, len(nights)))
    rows = triangle.rows[triangle.rows["stage"] == stage]
    day = (rows["event_day"] - pd.Timestamp(first)).dt.days.to_numpy()
    night = rows["seen_on"].dt.date.map(place).to_numpy(dtype=int) if len(rows) else np.zeros(0, dtype=int)
    inside = (day >= 0) & (day < KEPT_DAYS)
    np.add.at(recorded, (day[inside].astype(int), night[inside]), rows["entries"].to_numpy()[inside])
    return np.cumsum(recorded, axis=1), np.array([(each - first).days for each in nights], dtype=int), first
