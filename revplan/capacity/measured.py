"""What records say of people: productivity, ramp and attrition, each with its interval.

A rep's month brings productivity x ramp(tenure) x calendar month. The calendar comes from ramped reps alone: a plain
average by tenure would read growing demand as ramp, since whoever is older in the job also works in later months.
Booked is the lesser of demand and capacity, so only months count in which people were loaded, where the plan states
what they can work. A deal counts on the day it was won, with the tenure of its owner on that day.

Deals are compound Poisson and reps differ; both widen the intervals (80 %, from P10 to P90). Calendar months are shrunk
towards their trend by as much as their noise asks for (empirical Bayes). Each month of tenure is told as it was seen, which
is right on average and may lie above 1 or below the month before; what a plan counts with is another figure, the curve:
the months shrunk towards a straight ramp, never falling, between 0 and 1, nearer to the truth in all and off by a few points in
single months where a ramp has steps. Who has not left is censored; who changed to another line of the roster has not left.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import gammaincinv, stdtrit

from revplan.capacity.team import asked_capacity, in_months
from revplan.crm.records import History
from revplan.ground.calendar import MONTHS_PER_YEAR, month_of
from revplan.ground.errors import Fault, PlanError, shown
from revplan.ground.formats import compact, counted, show
from revplan.ground.values import FrozenDict
from revplan.plan.model import Plan
from revplan.plan.people import Capacity, Load, Ramp, Rep, Role

LONGEST_RAMP = 12  # months of tenure after which a rep is taken as ramped
FEWEST_HIRES = 5  # whose ramp was seen: with fewer, a ramp is an assumption
FEWEST_MONTHS = 6.0  # of ramped reps, below which nothing is measured
LEVEL = 0.1, 0.9
LEAST_LEVEL = 0.05  # share of a ramped rep: below it a month's own noise cannot be told
LEAST_KEPT = 0.6  # of what a month of tenure differs from a straight ramp: ramps are seldom straight
PROMOTED_DAYS = 31  # between two lines of one rep that are no leaving


@dataclass(frozen=True)
class Interval:
    """A figure and its 80 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class Measured:
    """What records say of one role."""

    role: str
    productivity: dict[str, Interval]
    """By segment ('all' for those without): what a ramped one closed in a year. [plan currency]"""
    ramp: tuple[Interval, ...] | None
    """Share of a ramped rep in each month of tenure as it was seen; None where too few hires were. [ratio]"""
    curve: tuple[float, ...] | None
    """The same as a ramp to plan with: never falling, all 1 where no ramp was found. [0-1]"""
    months_lost: Interval | None
    """Ramped months that a new one costs in all; None where too few hires were seen. [months]"""
    attrition: Interval
    """Share that leaves in a year. [0-1]"""
    hires: int
    """People whose ramp was seen from their first day, all of it or in part."""
    ramped_months: float
    """Months of ramped reps behind it."""
    months_used: int
    """Calendar months used."""
    months_seen: int
    """Calendar months there were."""
    leavers: int
    years_at_risk: float

    @property
    def has_ramp(self) -> bool:
        """Whether a ramp was found that is not noise."""
        return self.months_lost is not None and self.months_lost.low > 0


@dataclass(frozen=True, eq=False)
class _Tenures:
    """Exposure and ARR by rep, calendar month and month of tenure: cells of one role."""

    rep: np.ndarray
    segment: np.ndarray
    month: np.ndarray
    tenure: np.ndarray
    exposure: np.ndarray
    """Months there."""
    arr: np.ndarray
    squares: np.ndarray
    """Sum of the squares of the amounts."""

    def where(self, rows: np.ndarray) -> _Tenures:
        """Some of the cells."""
        return _Tenures(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def measured(
    people: Sequence[Rep],
    wins: pd.DataFrame,
    role: str,
    span: tuple[date, date],
    loaded: Collection[pd.Period] | None = None,
) -> Measured | None:
    """What the wins of the people of a role say of their productivity, ramp and attrition; None where too little is there.

    Parameters
    ----------
    people
        The lines of the roster.
    wins
        A row a deal: owner, won_on, amount.
    role
        The role looked at.
    span
        First and last day that the records know.
    loaded
        Calendar months in which people had as much work as they could do; all months if left out.
    """
    first = month_of(span[0])
    mine = [rep for rep in people if rep.role == role and rep.seat == "quota" and rep.start <= span[1]]
    panel = _panel(mine, wins, span)
    seen = len(np.unique(panel.month))
    if loaded is not None:
        used = np.isin(panel.month, [(each - first).n for each in loaded])
        panel = panel.where(used)
    ramped = panel.tenure >= LONGEST_RAMP
    if panel.exposure[ramped].sum() < FEWEST_MONTHS or panel.arr[ramped].sum() <= 0:
        return None
    size = float(panel.squares.sum() / panel.arr.sum())  # variance over mean of a compound Poisson sum
    base = _base(panel.where(ramped), size)
    hires = len({rep.rep for rep in mine if rep.start >= span[0]} & set(panel.rep[~ramped].tolist()))
    ramp = curve = lost = None
    if hires >= FEWEST_HIRES:
        ramp, curve, lost = _ramp(panel.where(~ramped), base, size)
    leavers, years = _leaving(people, role, span)
    return Measured(
        role=role,
        productivity={name: _yearly(base, name) for name in base.segments},
        ramp=ramp,
        curve=curve,
        months_lost=lost,
        attrition=_attrition(leavers, years),
        hires=hires,
        ramped_months=float(panel.exposure[ramped].sum()),
        months_used=len(np.unique(panel.month)),
        months_seen=seen,
        leavers=leavers,
        years_at_risk=years,
    )


def _panel(people: Sequence[Rep], wins: pd.DataFrame, span: tuple[date, date]) -> _Tenures:
    first = month_of(span[0]).ordinal
    begin, end = in_months(span[0], first), in_months(span[1], first, end=True)
    days = pd.DatetimeIndex(wins["won_on"])
    at = (days.year - 1970) * 12 + days.month - 1 - first + (days.day - 1) / days.days_in_month
    owners, amounts = wins["owner"].to_numpy(), wins["amount"].to_numpy(dtype=float)
    parts: list[dict[str, Any]] = []
    for rep in people:
        start = in_months(rep.start, first)
        until = end if rep.leave is None else min(in_months(rep.leave, first, end=True), end)
        since = max(start, begin)
        if until <= since:
            continue
        away = [(in_months(each.from_day, first), in_months(each.to_day, first, end=True)) for each in rep.away]
        own = (owners == rep.rep) & (at >= since) & (at < until)
        when, what = at[own].to_numpy(dtype=float), amounts[own]
        edges = np.unique(
            np.concatenate(
                [
                    [since, until],
                    np.arange(np.ceil(since), until),
                    start + np.arange(np.ceil(since - start), until - start),
                ]
            )
        )
        edges = edges[(edges >= since) & (edges <= until)]
        low, high = edges[:-1], edges[1:]
        gone = sum(
            (np.clip(np.minimum(high, back) - np.maximum(low, left), 0, None) for left, back in away),
            np.zeros(len(low)),
        )
        middle = (low + high) / 2
        tenure = np.minimum((middle - start).astype(int), LONGEST_RAMP)
        parts.append(
            {
                "rep": rep.rep,
                "segment": rep.segment or "all",
                "month": np.floor(middle).astype(int),
                "tenure": tenure,
                "exposure": np.maximum(high - low - gone, 0.0),
                "arr": np.histogram(when, edges, weights=what)[0],
                "squares": np.histogram(when, edges, weights=what**2)[0],
            }
        )
    names = list(_Tenures.__dataclass_fields__)
    if not parts:
        return _Tenures(*(np.zeros(0) for _ in names))
    sizes = [len(part["month"]) for part in parts]
    whole = {
        name: [np.broadcast_to(part[name], size) for part, size in zip(parts, sizes, strict=True)] for name in names
    }
    return _Tenures(**{name: np.concatenate(each) for name, each in whole.items()})


@dataclass(frozen=True, eq=False)
class _Base:
    """What ramped reps bring."""

    segments: dict[str, float]
    """ARR of a month by segment, in a month like the mean of those used."""
    error: dict[str, float]
    """Its standard error over itself."""
    calendar: dict[int, float]
    """Calendar month over the mean of those used."""
    spread: float
    """Standard deviation from rep to rep, over the mean."""
    reps: int

    def expected(self, panel: _Tenures) -> np.ndarray:
        """ARR of each cell if its rep were ramped."""
        own = np.array([self.segments.get(name, 0.0) for name in panel.segment])
        factor = np.array([self.calendar.get(month, 1.0) for month in panel.month.tolist()])
        return own * factor * panel.exposure


def _base(panel: _Tenures, size: float) -> _Base:
    names = sorted(set(panel.segment.tolist()))
    segments = {}
    for name in names:
        here = panel.segment == name
        there = float(panel.exposure[here].sum())
        segments[name] = float(panel.arr[here].sum()) / there if there else 0.0
    calendar = dict.fromkeys(np.unique(panel.month).tolist(), 1.0)
    base = _Base(segments, {}, calendar, 0.0, len(set(panel.rep.tolist())))
    calendar = _calendar(panel, base.expected(panel), size)
    base = _Base(segments, {}, calendar, 0.0, base.reps)
    spread = _spread(panel, base.expected(panel), size)
    error = {}
    for name in names:
        here = panel.segment == name
        shares = pd.Series(panel.exposure[here]).groupby(panel.rep[here]).sum().to_numpy()
        total = float(panel.arr[here].sum())
        luck = size / total if total > 0 else 1.0
        error[name] = float(np.sqrt(luck + spread**2 * (shares**2).sum() / shares.sum() ** 2))
    return _Base(segments, error, calendar, spread, base.reps)


def _calendar(panel: _Tenures, expected: np.ndarray, size: float) -> dict[int, float]:
    """Each calendar month over the mean, shrunk towards its trend."""
    grouped = pd.DataFrame({"month": panel.month, "arr": panel.arr, "expected": expected}).groupby("month").sum()
    months, weight = grouped.index.to_numpy(dtype=float), grouped["expected"].to_numpy()
    raw = grouped["arr"].to_numpy() / np.maximum(weight, 1e-12)
    centre = np.average(months, weights=weight)
    away = months - centre
    slope = float((weight * away * (raw - 1)).sum() / max((weight * away**2).sum(), 1e-12)) if len(months) > 2 else 0.0
    trend = np.maximum(1 + slope * away, 0.05)
    noise = size * trend / np.maximum(weight, 1e-12)
    found = trend + _kept(raw - trend, noise, weight) * (raw - trend)
    found = found / np.average(found, weights=weight)
    return dict(zip(grouped.index.tolist(), found.tolist(), strict=True))


def _kept(away: np.ndarray, noise: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Share of each deviation that is kept: what its true scatter is of all of its scatter."""
    scatter = float(np.average(away**2 - noise, weights=weight))
    return np.maximum(scatter, 0.0) / (np.maximum(scatter, 0.0) + noise)


def _spread(panel: _Tenures, expected: np.ndarray, size: float) -> float:
    """Standard deviation from rep to rep over the mean, by the method of moments."""
    grouped = pd.DataFrame({"rep": panel.rep, "arr": panel.arr, "expected": expected}).groupby("rep").sum()
    asked, got = grouped["expected"].to_numpy(), grouped["arr"].to_numpy()
    count = len(grouped)
    if count < 2:
        return 0.3
    scatter = ((got - asked) ** 2).sum() * count / (count - 1) - size * asked.sum()
    return float(np.sqrt(max(scatter / (asked**2).sum(), 0.0)))


def _yearly(base: _Base, segment: str) -> Interval:
    value, error = MONTHS_PER_YEAR * base.segments[segment], base.error[segment]
    width = float(stdtrit(max(base.reps - 1, 2), LEVEL[1])) * error
    return Interval(value, value * np.exp(-width), value * np.exp(width))


def _ramp(panel: _Tenures, base: _Base, size: float) -> tuple[tuple[Interval, ...], tuple[float, ...], Interval]:
    """The share of a ramped rep in each month of tenure, the curve to plan with, and the months lost in all."""
    expected = base.expected(panel)
    asked, got = np.zeros(LONGEST_RAMP), np.zeros(LONGEST_RAMP)
    np.add.at(asked, panel.tenure, expected)
    np.add.at(got, panel.tenure, panel.arr)
    given = asked > 0
    raw = np.where(given, got / np.where(given, asked, 1.0), 1.0)
    reps = sorted(set(panel.rep.tolist()))
    by_rep = np.zeros((len(reps), LONGEST_RAMP))
    np.add.at(by_rep, (np.searchsorted(reps, panel.rep.astype(str)), panel.tenure), expected)
    shares = by_rep / np.where(given, asked, 1.0)
    of_base = float(np.mean(list(base.error.values())))
    luck = size * np.maximum(raw, 0.1) / np.where(given, asked, 1.0)
    between = raw**2 * base.spread**2 * (shares**2).sum(axis=0)
    lost = float((1 - raw[given]).sum())
    together = luck[given].sum() + base.spread**2 * ((shares[:, given] * raw[given]).sum(axis=1) ** 2).sum()
    together += raw[given].sum() ** 2 * of_base**2
    width = float(stdtrit(max(len(reps) - 1, 2), LEVEL[1]))
    straight = _straight(raw, np.where(given, asked, 0.0))
    kept = _kept(raw - straight, luck + between, np.where(given, asked, 0.0) + 1e-9)
    kept = np.where(straight < 1, np.maximum(kept, LEAST_KEPT), kept)
    shrunk = straight + kept * (raw - straight)
    smooth = np.clip(_rising(shrunk, np.where(given, asked, 1e-9)), 0.0, 1.0)
    level = np.maximum(
        _rising(raw, np.where(given, asked, 1e-9)), LEAST_LEVEL
    )  # of its neighbours, or luck sets its own error
    of_month = level * size / np.where(given, asked, size) + level**2 * (
        base.spread**2 * (shares**2).sum(axis=0) + of_base**2
    )
    ramp = tuple(
        Interval(float(share), max(float(share - width * each), 0.0), float(share + width * each))
        for share, each in zip(raw, np.sqrt(of_month), strict=True)
    )
    error = width * float(np.sqrt(together))
    found = Interval(lost, lost - error, lost + error)
    curve = smooth.tolist() if found.low > 0 else [1.0] * LONGEST_RAMP
    return ramp, tuple(curve), found


def _straight(raw: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The straight ramp that fits best: from some share up to 1 in some months."""
    tenure = np.arange(float(LONGEST_RAMP))
    best, least = np.ones(LONGEST_RAMP), np.inf
    for length in np.arange(0.0, LONGEST_RAMP + 0.5, 0.5):
        for begin in np.arange(0.0, 1.0, 0.1):
            line = np.minimum(begin + (1 - begin) * tenure / max(length, 1e-9), 1.0)
            miss = float((weight * (raw - line) ** 2).sum())
            if miss < least - 1e-12:
                best, least = line, miss
    return best


def _rising(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The closest shares that never fall: pooled adjacent violators."""
    blocks: list[list[float]] = []
    for value, each in zip(values.tolist(), weight.tolist(), strict=True):
        blocks.append([value, each, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            last, before = blocks.pop(), blocks.pop()
            total = last[1] + before[1]
            blocks.append([(last[0] * last[1] + before[0] * before[1]) / total, total, last[2] + before[2]])
    return np.concatenate([np.full(int(count), value) for value, _, count in blocks])


def _leaving(people: Sequence[Rep], role: str, span: tuple[date, date]) -> tuple[int, float]:
    """Leavers of a role within the span, and the years that its people were there to leave."""
    leavers, years = 0, 0.0
    for rep in people:
        if rep.role != role or rep.start > span[1]:
            continue
        until = span[1] if rep.leave is None else min(rep.leave, span[1])
        since = max(rep.start, span[0])
        if until < since:
            continue
        years += rep.count * ((until - since).days + 1) / 365.25
        goes_on = any(
            other.rep == rep.rep and rep.leave is not None and 0 < (other.start - rep.leave).days <= PROMOTED_DAYS
            for other in people
        )
        leavers += rep.count * (rep.leave is not None and rep.leave <= span[1] and not goes_on)
    return leavers, years


def _attrition(leavers: int, years: float) -> Interval:
    """The share that leaves in a year, with Jeffreys' interval of the rate."""
    rates = [leavers / years, *(gammaincinv(leavers + 0.5, LEVEL) / years)] if years > 0 else [0.0, 0.0, 1.0]
    value, low, high = (float(1 - np.exp(-rate)) for rate in rates)
    return Interval(value, min(low, value), max(high, value))


# --- from the records of a plan ------------------------------------------------------------------

FULL = 0.9  # of what people can work in a month, from which they are taken as loaded


def wins_of(history: History, acv: Mapping[str, float]) -> pd.DataFrame:
    """A row a deal won: owner, won_on, amount; the mean deal of its segment where a record carries none. [plan currency]"""
    last = history.stages[-1]
    won = history.stage_history[history.stage_history["stage"] == last][["record", "entered_on"]]
    deals = won.merge(history.records, on="record", how="left")
    if "owner" not in deals:
        return pd.DataFrame({"owner": [], "won_on": pd.Series(dtype="datetime64[us]"), "amount": []})
    usual = deals["segment"].astype("str").map(acv).fillna(float(np.mean(list(acv.values()))))
    amounts = deals["amount"].where(deals["amount"].fillna(0.0) != 0, usual)  # a credit counts against its owner
    return pd.DataFrame(
        {"owner": deals["owner"].astype("str"), "won_on": deals["entered_on"], "amount": amounts.astype(float)}
    )


def loaded_months(history: History, people: Sequence[Rep], load: Load, span: tuple[date, date]) -> list[pd.Period]:
    """The calendar months in which the records that people entered into a stage were nearly as many as they can work."""
    first = month_of(span[0])
    owners = {rep.rep for rep in people}
    entered = history.stage_history[history.stage_history["stage"] == load.stage].merge(
        history.records, on="record", how="left"
    )
    if "owner" not in entered:
        return []
    counts = entered[entered["owner"].astype("str").isin(owners)]["entered_on"].dt.to_period("M").value_counts()
    found = []
    for month, count in counts.items():
        at = (month - first).n
        there = sum(
            max(
                min(at + 1, np.inf if rep.leave is None else in_months(rep.leave, first.ordinal, end=True))
                - max(at, in_months(rep.start, first.ordinal)),
                0,
            )
            for rep in people
        )
        if there > 0 and count >= FULL * load.per_month * there:
            found.append(month)
    return sorted(found)


def measured_roles(plan: Plan, history: History | None) -> dict[str, Measured | None]:
    """By closing role: what the records say of its people; None where they say too little. Empty without records."""
    if plan.capacity is None or history is None:
        return {}
    span = (history.began, history.as_of)
    wins = wins_of(history, {name: segment.acv.mean for name, segment in plan.segments.items()})
    found = {}
    for name, role in plan.capacity.roles.items():
        if not role.closes:
            continue
        mine = [rep for rep in plan.capacity.people if rep.role == name and rep.seat == "quota"]
        loaded = None if role.load is None else loaded_months(history, mine, role.load, span)
        found[name] = measured(plan.capacity.people, wins, name, span, loaded)
    return found


def with_measured_ramps(plan: Plan, history: History | None) -> Plan:
    """`plan` with the ramps that are to be measured as the records give them.

    Raises
    ------
    PlanError
        If too few hires were seen: then a ramp is an assumption, and somebody must state it.
    """
    if plan.capacity is None:
        return plan
    wanted = [name for name, role in plan.capacity.roles.items() if role.ramp == "measured"]
    if not wanted:
        return plan
    found = measured_roles(plan, history)
    faults = [
        Fault(f"capacity.roles.{shown(name)}.ramp", _assumption(found.get(name)))
        for name in wanted
        if not (each := found.get(name)) or each.curve is None
    ]
    if faults:
        raise PlanError(faults)
    roles = dict(plan.capacity.roles)
    for name in wanted:
        each = found[name]
        assert each is not None
        roles[name] = roles[name].model_copy(
            update={"ramp": Ramp(months=tuple(round(share, 3) for share in each.curve or ()))}
        )
    return plan.model_copy(update={"capacity": plan.capacity.model_copy(update={"roles": FrozenDict(roles)})})


def _assumption(found: Measured | None) -> str:
    seen = "no wins of ramped people" if found is None else f"the ramp of {counted(found.hires, 'hire')}"
    return f"cannot be measured: the records show {seen}, and {FEWEST_HIRES} hires are the least; your ramp is an assumption, so state it: ramp: [0, 0.25, 0.5, 0.75, 1]"


def measured_words(role: str, found: Measured | None, currency: str) -> Iterator[str]:
    """What the records say of a role, one sentence each."""
    who = shown(role)
    if found is None:
        yield f"The records show too few months of ramped {who} to measure anything of them: productivity and ramp are assumptions."
        return
    for segment, each in found.productivity.items():
        where = "" if segment == "all" else f" in {shown(segment)}"
        yield (
            f"A ramped {who}{where} closed {compact(each.value, currency)} a year in the months used "
            f"({compact(each.low, currency)} to {compact(each.high, currency)})."
        )
    if found.ramp is None or found.months_lost is None:
        yield f"Only {counted(found.hires, 'hire')} of {who} can be followed through the ramp: your ramp is an assumption."
    elif not found.has_ramp:
        yield f"No ramp of {who} is found: {counted(found.hires, 'hire')} closed as much from the start as the noise lets tell."
    else:
        lost = found.months_lost
        yield (
            f"A new {who} costs {show(lost.value, 'months')} ramped months until ramped ({show(lost.low, 'months')} to "
            f"{show(lost.high, 'months')}), as {counted(found.hires, 'hire')} show; what growing demand adds is taken out."
        )
    gone = found.attrition
    yield (
        f"{counted(found.leavers, 'person', 'people')} left in {show(found.years_at_risk, 'reps')} years of somebody who might: "
        f"{show(gone.value, 'share')} a year ({show(gone.low, 'share')} to {show(gone.high, 'share')})."
    )
    if found.months_used < found.months_seen:
        yield f"{found.months_used} of {found.months_seen} months are used: in the others people had less work than they could do."


def typed_words(plan: Plan, found: Mapping[str, Measured | None]) -> Iterator[str]:
    """What the plan states of its people and the records do not bear out, one sentence each, with both figures."""
    for name, each in found.items():
        if each is None:
            continue
        capacity = asked_capacity(plan)
        role, who = capacity.roles[name], shown(name)
        for segment, seen in each.productivity.items():
            typed = _typed_yearly(capacity, role, None if segment == "all" else segment)
            if typed is not None and _outside(typed, seen):
                where = "" if segment == "all" else f" in {shown(segment)}"
                yield _typed_productivity(f"{who}{where}", typed, seen, role, plan.currency)
        if each.months_lost is not None and not isinstance(role.ramp, str):
            lost = sum(1 - share for share in role.ramp.shares) if role.ramp else 0.0
            if _outside(lost, each.months_lost):
                way = "fewer" if lost < each.months_lost.value else "more"
                yield (
                    f"The plan's ramp costs a new {who} {show(lost, 'months')} ramped months, {way} than the "
                    f"{show(each.months_lost.value, 'months')} that the records show ({_range(each.months_lost, 'months')})."
                )
        if _outside(role.attrition, each.attrition):
            way = "fewer" if role.attrition < each.attrition.value else "more"
            yield (
                f"The plan has {show(role.attrition, 'share')} of {who} leave in a year besides those named, {way} than the "
                f"{show(each.attrition.value, 'share')} that the records show ({_range(each.attrition, 'share')})."
            )


def _typed_yearly(capacity: Capacity, role: Role, segment: str | None) -> float | None:
    """What a ramped one closes in a year by the plan; None where it does not say. [plan currency]"""
    typed = role.yearly(capacity.basis, segment)
    if typed is None or capacity.basis == "productivity" or capacity.attainment is None:
        return typed
    return typed * capacity.attainment.rate


def _typed_productivity(who: str, typed: float, seen: Interval, role: Role, currency: str) -> str:
    told = f"{compact(seen.value, currency)} that the records show ({compact(seen.low, currency)} to {compact(seen.high, currency)})"
    said = f"The plan has a ramped {who} close {compact(typed, currency)} a year, {'more' if typed > seen.value else 'less'} than the {told}"
    if typed <= seen.value:
        return f"{said}."
    if role.load is not None:
        return f"{said}: by the records people close less than the plan reckons with."
    return f"{said}: people close less than the plan reckons with, or they lacked work, which only a stated `load` can tell."


def _outside(typed: float, seen: Interval) -> bool:
    return not seen.low <= typed <= seen.high


def _range(seen: Interval, kind: str) -> str:
    return f"{show(seen.low, kind)} to {show(seen.high, kind)}"


def measured_answer(found: Mapping[str, Measured | None]) -> list[dict[str, Any]]:
    """What the records say, a row a role, for JSON."""
    return [
        {
            "role": role,
            "productivity": {name: vars(one) for name, one in each.productivity.items()} if each else None,
            "ramp": [vars(one) for one in each.ramp] if each and each.ramp else None,
            "curve": list(each.curve) if each and each.curve else None,
            "months_lost": vars(each.months_lost) if each and each.months_lost else None,
            "has_ramp": each.has_ramp if each else None,
            "attrition": vars(each.attrition) if each else None,
            "hires": each.hires if each else 0,
            "months_used": each.months_used if each else 0,
            "months_seen": each.months_seen if each else 0,
        }
        for role, each in found.items()
    ]
