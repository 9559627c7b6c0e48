"""Service levels of sales: what became of every record that marketing handed over, and by when.

Three clocks run: from when a record was created, from when it was assigned, to the first touch. A level is met, or it is
breached, or its time is not over yet (pending), or it is settled: the record was accepted, rejected or lost in time,
so that nothing more was owed. Of the share met only what is met or breached counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from revplan.crm.cells import UNKNOWN
from revplan.crm.records import Export, History
from revplan.ground.calendar import days_of
from revplan.ground.formats import counted
from revplan.ground.tables import conform, empty, from_rows
from revplan.ground.worktime import WorkingHours, in_utc
from revplan.plan.model import Plan
from revplan.plan.parts import TeamHours

NEVER = np.datetime64("NaT", "us")
NOTHING = np.zeros(0, dtype="datetime64[us]")
MET, BREACHED, PENDING, SETTLED = "met", "breached", "pending", "settled"
TOUCH, ATTEMPTS, ANSWER = "first touch", "attempts", "answer"
CLOCKS = ("hours_to_assign", "hours_to_touch", "hours_to_touch_all", "hours_to_answer", "hours_open")
NO_REASON = "no reason given"
KEPT = 731  # days back that hand-overs are looked at
LIKELY = (0.1, 0.9)  # percentiles that hold a share in 8 of 10 cases


@dataclass(frozen=True)
class Agreed:
    """One level: what is owed in how many working hours; without hours it is measured only."""

    name: str
    words: str
    hours: float | None
    times: int = 1


def agreed_levels(plan: Plan, day: float) -> tuple[Agreed, ...]:
    """The levels that a plan names, in the working hours of a team whose working day has `day` hours."""
    levels = plan.service_levels
    touch, tries, answer = levels.first_touch_hours, levels.attempts, levels.acceptance_days
    found = [Agreed(TOUCH, f"first touch within {counted(touch, 'working hour')}", touch)] if touch else []
    if tries:
        words = f"{counted(tries.count, 'touch')} within {counted(tries.days, 'working day')}"
        found.append(Agreed(ATTEMPTS, words, tries.days * day, tries.count))
    if answer:
        found.append(Agreed(ANSWER, f"accepted or rejected within {counted(answer, 'working day')}", answer * day))
    return tuple(found)


# --- what was handed over ------------------------------------------------------------------------


def handovers(history: History, export: Export, plan: Plan, stage: str) -> pd.DataFrame:
    """Table handovers: every record handed over at `stage` in the two years to the day of `history`; moments in UTC.

    Parameters
    ----------
    history
        The records in the names of the plan.
    export
        Where they come from: when they were assigned and rejected.
    """
    levels, stages = plan.service_levels, history.stages
    if stage not in stages[:-1]:
        return empty("handovers")
    begin = levels.accepted if levels.accepted in stages else stages[stages.index(stage) + 1]
    later = stages[stages.index(begin) :]
    end, entries = end_of(history.as_of), history.stage_history
    at, record = entries["entered_on"].to_numpy(), history.numbers
    rows = np.flatnonzero((entries["stage"] == stage).to_numpy() & (at >= end - np.timedelta64(KEPT, "D")))
    first, accepted = (
        _earliest(record, at, entries["stage"].isin(chosen).to_numpy())[record[rows]] for chosen in (stages, later)
    )
    handed = entries.iloc[rows]
    place = handed["record"].cat.codes.to_numpy()  # records are numbered as the export does
    found = history.records.iloc[history.places[record[rows]]].set_axis(export.raw.records[place])
    details = export.details.columns
    zone = record_zone(export, plan)
    recorded = {
        "created": first,
        "handed_over": handed["entered_on"].to_numpy(),
        "assigned": _recorded(details.get("assigned"), place, end),
        "accepted": accepted,
        "lost": found["lost_on"].to_numpy(),
    }
    recorded["rejected"] = _recorded(details.get("rejected"), place, end) if "rejected" in details else recorded["lost"]
    reasons = details.get("rejected_reason", details.get("lost_reason") if "rejected" not in details else None)
    table = pd.DataFrame(
        {
            "record": found.index.to_numpy(),
            "segment": found["segment"].astype("str").to_numpy(),
            "source": found["source"].astype("str").to_numpy(),
            "rep": found["owner"].astype("str").to_numpy() if "owner" in found else UNKNOWN,
            "team": _teams(found, plan),
            **{name: in_utc(values.astype("datetime64[us]"), zone) for name, values in recorded.items()},
            "reason": UNKNOWN if reasons is None else np.asarray(reasons[place], dtype=object),
            "number": place,
        }
    )
    starts = table["assigned"] if "assigned" in details else table["handed_over"]
    return conform(
        table.assign(starts=starts.where(starts.isna() | (starts >= table["handed_over"]), table["handed_over"])),
        "handovers",
    )


def _earliest(record: np.ndarray, at: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The first of the moments in `rows` of each record, by its number; none where it has none."""
    never = np.iinfo(np.int64).max
    moments = np.full(int(record.max(initial=-1)) + 1, never)
    np.minimum.at(moments, record[rows], at[rows].astype(np.int64))
    return np.where(moments < never, moments.astype(NEVER.dtype), NEVER)


def end_of(day: date) -> np.datetime64:
    """The midnight that ends a day."""
    return np.datetime64(day, "us") + np.timedelta64(1, "D")


def _recorded(moments: np.ndarray | None, place: np.ndarray, end: np.datetime64) -> np.ndarray:
    """Moments of some records, those before `end`."""
    if moments is None:
        return np.full(len(place), NEVER)
    return np.where(moments[place] < end, moments[place], NEVER)


def _teams(found: pd.DataFrame, plan: Plan) -> np.ndarray:
    """The team of each record: as the records say, or else as the plan's calendar does."""
    if "team" in found:
        return found["team"].astype("str").to_numpy()
    codes, cells = _cells(found, ["segment", "source"])
    named = [plan.team_of(*cell) if cell[0] in plan.segments and cell[1] in plan.sources else UNKNOWN for cell in cells]
    return np.array([*named, UNKNOWN], dtype=object)[codes]


def _cells(table: pd.DataFrame, names: list[str]) -> tuple[np.ndarray, list[tuple[str, ...]]]:
    """The number of each row's cell, and what the cells are called."""
    codes = table.groupby(names, sort=False, observed=True).ngroup().to_numpy()
    first = np.zeros(int(codes.max(initial=-1)) + 1, dtype=np.int64)
    first[codes[::-1]] = np.arange(len(codes))[::-1]  # the first row of each, written last
    return codes, [tuple(map(str, cell)) for cell in table[names].iloc[first].itertuples(index=False, name=None)]


def record_zone(export: Export, plan: Plan) -> str:
    """The zone whose clock the moments of the records show: the CRM file's; UTC where offsets are written; else the plan's."""
    written = export.source.crm.timezone
    if written:
        return written
    lines = (*export.raw.found.lines, *export.details.found.lines)
    offsets = any(line.what.startswith("moments with an offset") for line in lines)
    return "UTC" if offsets else plan.service_levels.timezone or "UTC"


def hours_of(plan: Plan, table: pd.DataFrame) -> tuple[np.ndarray, list[WorkingHours]]:
    """The number of each row's working hours, and which working hours there are: of its team, segment and source."""
    codes, cells = _cells(table, ["team", "segment", "source"])
    hours = [_hours(plan, *cell) for cell in cells]
    different = list(dict.fromkeys(hours))
    return np.array([different.index(each) for each in hours], dtype=int)[codes], different


def _hours(plan: Plan, team: str, segment: str, source: str) -> WorkingHours:
    levels = plan.service_levels
    own = levels.teams.get(team, TeamHours())
    place = own.calendar or plan.calendar.teams.get(team)
    recorded = segment in plan.segments and source in plan.sources
    workdays = place.workdays if place else plan.workdays_of(segment, source) if recorded else plan.calendar.workdays
    return WorkingHours(
        workdays, *(own.working_hours or levels.working_hours), own.timezone or levels.timezone or "UTC"
    )


# --- levels --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TouchTimes:
    """Touches in UTC by record, those known and of records handed over: number of the row, moment, kept in that order."""

    row: np.ndarray
    at: np.ndarray
    early: np.ndarray
    """By record: whether it was touched after it was handed over and before it was assigned."""


def touches_since(export: Export, table: pd.DataFrame, plan: Plan, as_of: date) -> TouchTimes:
    """The touches of the records of table handovers after each was handed over, or assigned, by the end of `as_of`."""
    if export.touches is None:
        return TouchTimes(np.zeros(0, dtype=np.int64), NOTHING, np.zeros(len(table), dtype=bool))
    end, zone = end_of(as_of), record_zone(export, plan)
    rows = pd.Series(np.arange(len(table)), index=table["number"]).reindex(export.touches.record).to_numpy()
    recorded = ~np.isnan(rows) & (export.touches.at < end)
    row, shown = rows[recorded].astype(np.int64), export.touches.at[recorded]
    starts, handed_over = (table[name].to_numpy()[row] for name in ("starts", "handed_over"))
    at, again = in_utc(shown, zone), in_utc(shown, zone, first=False)
    at = np.where(
        (at < starts) & (again >= starts), again, at
    )  # of an hour that a clock shows twice the one that can be
    late = at >= starts
    early = np.bincount(row[(at >= handed_over) & (at < starts)], minlength=len(table)) > 0
    order = np.lexsort((at[late], row[late]))
    return TouchTimes(row[late][order], at[late][order], early)


def timed(table: pd.DataFrame, touches: TouchTimes, plan: Plan, now: np.datetime64) -> pd.DataFrame:
    """Table handovers with what happened by when: hours of each clock, and the state of each level.

    Parameters
    ----------
    now
        The end of the last day known, in UTC.
    """
    if table.empty:
        return untimed()
    first = np.full(len(table), NEVER)
    order = np.flatnonzero(np.diff(touches.row, prepend=-1))
    first[touches.row[order]] = touches.at[order]
    ends = table[["accepted", "rejected", "lost"]].min(axis=1).to_numpy()
    made = table.assign(
        first_touch=first, ended=ends, touches=np.bincount(touches.row, minlength=len(table)), early=touches.early
    )
    codes, hours = hours_of(plan, table)
    made = made.assign(**dict.fromkeys((TOUCH, ATTEMPTS, ANSWER), ""))
    rows = [np.flatnonzero(codes == number) for number in range(len(hours))]
    parts = []
    for number, (mine, working) in enumerate(zip(rows, hours, strict=True)):
        chosen = codes[touches.row] == number
        reached = np.searchsorted(mine, touches.row[chosen]), touches.at[chosen]
        parts.append(_clocked(made.iloc[mine], reached, working, now, plan))
    return pd.concat(parts).iloc[np.argsort(np.concatenate(rows), kind="stable")]


def _clocked(
    part: pd.DataFrame, touches: tuple[np.ndarray, np.ndarray], working: WorkingHours, now: np.datetime64, plan: Plan
) -> pd.DataFrame:
    """Rows of the same working hours with their clocks and the state of each level; `touches` are row and moment."""
    spans = {
        "hours_to_assign": ("created", "starts"),
        "hours_to_touch": ("starts", "first_touch"),
        "hours_to_touch_all": ("created", "first_touch"),
        "hours_to_answer": ("starts", "ended"),
    }
    clocks = {
        name: working.between(part[start].to_numpy(), part[end].to_numpy()) for name, (start, end) in spans.items()
    }
    starts, (place, at) = part["starts"].to_numpy(), touches
    done = part.assign(**clocks, hours_open=working.between(starts, np.full(len(part), now)))
    after = working.between(starts[place], at)
    within = {
        level: np.bincount(place[after <= _limit(level)], minlength=len(part))
        for level in agreed_levels(plan, working.day)
    }
    return done.assign(**{level.name: _states(done, level, times) for level, times in within.items()})


def untimed() -> pd.DataFrame:
    """What `timed` returns of nothing."""
    nothing = empty("handovers")
    return nothing.assign(
        **dict.fromkeys(("first_touch", "ended"), nothing["lost"]),
        **dict.fromkeys(("touches", *CLOCKS), pd.Series(dtype=float)),
        early=pd.Series(dtype=bool),
        **dict.fromkeys((TOUCH, ATTEMPTS, ANSWER), ""),
    )


def _limit(level: Agreed) -> float:
    return np.inf if level.hours is None else level.hours + 1e-9


def _states(part: pd.DataFrame, level: Agreed, within: np.ndarray) -> np.ndarray:
    """Met, breached, pending or settled; empty where nobody was given the record."""
    limit = _limit(level)
    ended = (part["hours_to_answer"] <= limit).to_numpy()
    if level.name == ANSWER:
        answered = part[["accepted", "rejected"]].min(axis=1).to_numpy()
        done = ended & (answered == part["ended"].to_numpy())
    else:
        done = within >= level.times
    over = (part["hours_open"] > limit).to_numpy()
    states = np.select([done, ended, over], [MET, SETTLED, BREACHED], PENDING)
    return np.where(part["starts"].isna(), "", states)


# --- tables --------------------------------------------------------------------------------------


def level_rows(made: pd.DataFrame, plan: Plan, touched: bool) -> pd.DataFrame:
    """Table service_levels: of all, each team and each rep, how many records met each level.

    Parameters
    ----------
    made
        What `timed` returns.
    touched
        Whether the records know of touches.
    """
    rows = [
        {"by": by, "name": name, **row}
        for by, name, part in _groups(made)
        for row in (*_agreed_rows(part, plan), *_rate_rows(part, plan, touched))
    ]
    return from_rows("service_levels", rows)


def _groups(made: pd.DataFrame) -> Iterator[tuple[str, str, pd.DataFrame]]:
    yield "all", "all", made
    for by in ("team", "rep"):
        if made[by].nunique() > 1:
            yield from ((by, str(name), part) for name, part in made.groupby(by, sort=True))


def _agreed_rows(part: pd.DataFrame, plan: Plan) -> Iterator[dict[str, object]]:
    for level in agreed_levels(plan, 8.0):
        counts = {state: int((part[level.name] == state).sum()) for state in (MET, BREACHED, PENDING, SETTLED)}
        clock = part["hours_to_touch"] if level.name == TOUCH else part["hours_to_answer"]
        middle = clock.median() if level.name != ATTEMPTS else np.nan
        shares = share_of(counts[MET], counts[MET] + counts[BREACHED])
        yield {"level": level.words, **counts, **shares, "median_hours": middle}


def _rate_rows(part: pd.DataFrame, plan: Plan, touched: bool) -> Iterator[dict[str, object]]:
    """Acceptance and work rate, which are shares and no deadlines."""
    accepted, rejected = answered(part)
    is_open = part["ended"].isna()
    left = {PENDING: int(is_open.sum()), SETTLED: int((~is_open).sum()) - accepted - rejected}
    yield {"level": "acceptance rate", MET: accepted, BREACHED: rejected, **left, **share_of(accepted, accepted + rejected),
           "median_hours": part["hours_to_answer"].median()}  # fmt: skip
    if not touched:
        return
    worked = int((part["touches"] > 0).sum())
    untouched = (part["touches"] == 0) & part["starts"].notna()
    over = part["hours_open"] > (plan.service_levels.first_touch_hours or 0.0) + 1e-9
    due, pending = int((untouched & is_open & over).sum()), int((untouched & is_open & ~over).sum())
    left = {PENDING: pending, SETTLED: int(untouched.sum()) - due - pending}
    yield {"level": "work rate", MET: worked, BREACHED: due, **left, **share_of(worked, worked + due),
           "median_hours": part["hours_to_touch"].median()}  # fmt: skip


def answered(part: pd.DataFrame) -> tuple[int, int]:
    """How many records were accepted, and how many rejected, each by what came first."""
    accepted, rejected = part["accepted"], part["rejected"]
    is_rejected = rejected.notna() & ~(accepted <= rejected)
    return int((accepted.notna() & ~is_rejected).sum()), int(is_rejected.sum())


def share_of(met: float, due: float) -> dict[str, float]:
    """A share with the bounds that hold it in 8 of 10 cases (Jeffreys' prior); missing where nothing was due."""
    low, high = (float(betaincinv(met + 0.5, due - met + 0.5, each)) for each in LIKELY)
    if not due:
        return dict.fromkeys(("share", "share_low", "share_high"), np.nan)
    return {"share": met / due, "share_low": low if met else 0.0, "share_high": high if met < due else 1.0}


def breaches(made: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Table breaches: every record and level whose time is over, the longest overdue first."""
    found = []
    for level in agreed_levels(plan, 8.0):
        rows = made[made[level.name] == BREACHED]
        done = rows["hours_to_touch"] if level.name == TOUCH else rows["hours_to_answer"]
        told = rows.assign(level=level.words, hours=done.fillna(rows["hours_open"]), done=done.notna())
        found.append(told[["record", "level", "rep", "team", "starts", "hours", "done"]])
    if not found:
        return empty("breaches")
    table = pd.concat(found, ignore_index=True).sort_values(["done", "hours"], ascending=[True, False], kind="stable")
    return conform(table, "breaches")


def unworked(made: pd.DataFrame) -> pd.DataFrame:
    """Table unworked: of all, each team and each rep, open records that nobody has touched yet, and how old they are."""
    rows = []
    for by, name, part in _groups(made):
        idle = part[(part["touches"] == 0) & part["ended"].isna()]
        ages = idle["hours_open"].dropna()
        rows.append({"by": by, "name": name, "records": len(idle), "unassigned": int(idle["starts"].isna().sum()),
                     "median_hours": ages.median(), "oldest_hours": ages.max()})  # fmt: skip
    return from_rows("unworked", rows)


def clocks(made: pd.DataFrame) -> pd.DataFrame:
    """Table clocks: median and slowest tenth of each clock, of the records whose clock has stopped. [working hours]"""
    names: Mapping[str, str] = {
        "hours_to_assign": "created to assigned" if made["assigned"].notna().any() else "created to handed over",
        "hours_to_touch": "assigned to first touch" if made["assigned"].notna().any() else "handed over to first touch",
        "hours_to_touch_all": "created to first touch",
    }
    rows = [
        {"clock": words, "records": int(made[name].notna().sum()), "median_hours": made[name].median(), "slow_hours": made[name].quantile(0.9)}
        for name, words in names.items()
    ]  # fmt: skip
    return from_rows("clocks", rows)


def reasons(made: pd.DataFrame) -> pd.DataFrame:
    """Table rejection_reasons: why records were rejected, the most frequent first."""
    gone = made[made["rejected"].notna() & ~(made["accepted"] <= made["rejected"])]
    counts = gone["reason"].replace(UNKNOWN, NO_REASON).value_counts()
    told = (
        {"reason": str(name), "records": int(number), **share_of(number, len(gone))} for name, number in counts.items()
    )
    return from_rows("rejection_reasons", told)


def timeless(export: Export) -> str:
    """That moments have no time of day, so that hours cannot be told; empty where they have."""
    given = [export.raw.events.at, export.details.columns.get("assigned", NOTHING)]
    sides = [np.concatenate(given), NOTHING if export.touches is None else export.touches.at]
    recorded = [each[~np.isnat(each)] for each in sides]
    if all((days_of(each) != each).any() for each in recorded if len(each)):
        return ""
    return (
        "Moments of the records have no time of day: a day counts from its start, and hours within a day are not told."
    )
