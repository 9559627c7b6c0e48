"""What the people of a plan can close: month by month, expected, or drawn seat by seat.

A seat is somebody on the roster, or a hire. What it brings depends on one thing that is not known: when its holder
leaves, or when a hire starts. So a seat is a table, a row for each way it may go with its chance; the expectation is
the chances times the rows, a draw is one of the rows, and the two cannot disagree. A successor starts after the
backfill delay and ramps like anybody new; whether successors and hires leave again is taken in expectation.

Time is months counted from the first of the year; a day within a month is its share. What a month brings is the
integral of the ramp over the days of the month that somebody is there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from revplan.ground.calendar import MONTH_DAYS, MONTHS_PER_YEAR, month_of
from revplan.ground.errors import PlanError
from revplan.plan.model import Plan
from revplan.plan.people import Capacity, Hire, Ramp, Rep, Role

HEADS, RAMPED, FULL = 0, 1, 2
"""Rows of what a seat brings: people there, ramped-rep equivalents, those of them that are fully ramped. [reps]"""
KINDS = 3
_STREAM = 7919  # of random numbers, so that people share none with what else is drawn
DECIMALS = 12  # of what a seat brings: less would tell seats apart that are alike
ROUNDS = 12  # searches begun anew for a hire that did not start; the rest never does


PEOPLE_LINE = "capacity: {roster: roster.csv, roles: {ae: {productivity: 600_000, ramp: {linear_months: 5}}}}"
"""What a plan may say of its people, to be pasted."""


def asked_capacity(plan: Plan) -> Capacity:
    """The people of a plan.

    Raises
    ------
    PlanError
        If it says nothing of them.
    """
    if plan.capacity is None:
        raise PlanError.at("capacity", f"the plan says nothing of its people; add a line such as {PEOPLE_LINE}")
    return plan.capacity


@dataclass(frozen=True, eq=False)
class Seat:
    """Some seats alike, and what each may bring."""

    role: str
    segment: str | None
    count: int
    productivity: float
    """New ARR that a fully ramped one closes in a year; 0 where none is stated, or it closes nothing. [plan currency]"""
    quota: float
    """Quota of a year; 0 where none is stated, or it closes nothing. [plan currency]"""
    chances: np.ndarray
    """Chance of each way it may go; they sum to 1."""
    ways: np.ndarray
    """Shape (ways, KINDS, months). [reps]"""

    @property
    def carries(self) -> bool:
        """Whether it carries capacity of its own."""
        return self.productivity > 0 or self.quota > 0

    @property
    def expected(self) -> np.ndarray:
        """Shape (KINDS, months): what all of them bring in expectation. [reps]"""
        found: np.ndarray = self.count * np.tensordot(self.chances, self.ways, axes=1)
        return found


def in_months(day: date, first: int, *, end: bool = False) -> float:
    """The beginning of `day` (its end, where asked for) in months; `first` is the ordinal of month 0."""
    month = month_of(day)
    return month.ordinal - first + (day.day - 1 + end) / month.days_in_month


class _RampCurve:
    """A ramp as integrals over time since the start: of heads, of the share, of the fully ramped. [months]"""

    def __init__(self, ramp: Ramp | None) -> None:
        shares = np.array([*(ramp.shares if ramp else ()), 1.0])
        self.ends = np.arange(len(shares) + 1.0)
        full = np.cumprod(shares[::-1] >= 1)[::-1].astype(float)
        rows = np.stack([np.ones(len(shares)), shares, full])
        self.sums = np.concatenate([np.zeros((KINDS, 1)), np.cumsum(rows, axis=1)], axis=1)

    def worked(self, start: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
        """Shape (KINDS, ...): what is brought between two times by somebody who started at `start`."""
        return np.maximum(self._at(end - start) - self._at(np.maximum(begin, start) - start), 0.0)

    def _at(self, tenure: np.ndarray) -> np.ndarray:
        inside = np.clip(tenure, 0.0, self.ends[-1])
        beyond = np.maximum(tenure - self.ends[-1], 0.0)
        return np.stack([np.interp(inside, self.ends, row) + beyond for row in self.sums])

    def months(self, start: float, leave: float, away: Sequence[tuple[float, float]], months: int) -> np.ndarray:
        """Shape (KINDS, months): what somebody brings who is there from `start` until `leave`."""
        begins = np.arange(float(months))
        ends = np.minimum(begins + 1, leave)
        found = self.worked(np.asarray(start), np.minimum(begins, ends), ends)
        for gone, back in away:
            lower, upper = np.clip([gone, back], None, leave)
            found -= self.worked(np.asarray(start), np.clip(lower, begins, ends), np.clip(upper, begins, ends))
        return np.maximum(found, 0.0)


@lru_cache(maxsize=64)
def _curve(ramp: Ramp | None) -> _RampCurve:
    return _RampCurve(ramp)


@lru_cache(maxsize=256)
def _newcomer(role: Role, part: float, months: int) -> np.ndarray:
    """Shape (KINDS, months): what a seat brings from the month on in which it is first filled, `part` of it gone.

    Its holder may leave at the end of any month, and be followed after the backfill delay: all in expectation.
    """
    alone = _alone(role, part, months)
    if role.attrition == 0 or role.backfill_delay_days is None:
        return alone
    whole, gap = divmod(role.backfill_delay_days / MONTH_DAYS, 1)
    followed = np.zeros(months)  # chance that a successor starts 0, 1, 2, ... months later
    stay, first = _stay(role), min(1 + int(whole), months)
    followed[first:] = stay ** np.arange(months - first) * (1 - stay)
    after = _alone(role, gap, months)
    for month in range(months):  # successors have successors too
        after[:, month] += after[:, :month] @ followed[month:0:-1]
    return alone + np.stack([np.convolve(followed, row)[:months] for row in after])


def _alone(role: Role, part: float, months: int) -> np.ndarray:
    """The same of its first holder alone."""
    return _curve(role.stated_ramp).months(part, np.inf, (), months) * _stay(role) ** np.arange(months)


def _stay(role: Role) -> float:
    """Chance of staying a month longer. [0-1]"""
    return float((1 - role.attrition) ** (1 / MONTHS_PER_YEAR))


def _follow(role: Role, left: float, months: int) -> np.ndarray:
    """What a seat brings after its holder left at the time `left`: nothing, or a successor from after the delay on."""
    found = np.zeros((KINDS, months))
    if role.backfill_delay_days is None:
        return found
    return _placed(role, left + role.backfill_delay_days / MONTH_DAYS, months)


def _placed(role: Role, start: float, months: int) -> np.ndarray:
    """What a newcomer who starts at the time `start` brings."""
    found = np.zeros((KINDS, months))
    month = int(np.floor(start + 1e-9))
    if month >= months:
        return found
    whole = _newcomer(role, round(max(start - month, 0.0), DECIMALS), months + max(-month, 0))
    if month >= 0:
        found[:, month:] = whole[:, : months - month]
    else:
        found[:] = whole[:, -month:]
    return found


def seats(plan: Plan, months: int = MONTHS_PER_YEAR) -> list[Seat]:
    """The seats of the plan's people over `months` from the first of the year; none where it has no capacity."""
    if plan.capacity is None:
        return []

    def made() -> list[Seat]:
        lines = list(each_line(plan, months))
        there = _alike([seat for who, seat in lines if isinstance(who, Rep)])
        return [*there, *(seat for who, seat in lines if isinstance(who, Hire))]

    return _kept((plan.capacity, plan.first_month, plan.plan_date, months), made)


def _kept(key: tuple[object, ...], make: Callable[[], Kept]) -> Kept:
    """What `make` gives, kept for the next run: people do not change while demand is played with."""
    for each, found in _KEPT:
        if each == key:  # quick for the same people; to hash hundreds of them is not
            return found
    made = make()
    _KEPT[:] = [(key, made), *_KEPT[: MOST_KEPT - 1]]
    return made


Kept = TypeVar("Kept")
_KEPT: list[tuple[tuple[object, ...], Any]] = []
MOST_KEPT = 8  # teams, with what their seats bring or what was drawn of them


def _alike(found: list[Seat]) -> list[Seat]:
    """Seats that cannot be told apart taken together, in the order in which they first come."""
    kinds: dict[tuple[object, ...], Seat] = {}
    for seat in found:
        key = (seat.role, seat.segment, seat.productivity, seat.quota, seat.chances.tobytes(), seat.ways.tobytes())
        given = kinds.get(key)
        count = seat.count + (given.count if given else 0)
        kinds[key] = Seat(seat.role, seat.segment, count, seat.productivity, seat.quota, seat.chances, seat.ways)
    return list(kinds.values())


def _seat(capacity: Capacity, who: Rep | Hire, count: int, chances: np.ndarray, ways: np.ndarray) -> Seat:
    role = capacity.roles[who.role]
    carries = role.closes and (isinstance(who, Hire) or who.seat == "quota")
    quota = (who.quota or role.yearly("quota", who.segment) or 0.0) if carries else 0.0
    productivity = (role.yearly("productivity", who.segment) or 0.0) if carries else 0.0
    return Seat(who.role, who.segment, count, productivity, quota, chances, ways)


def _ways_of_rep(role: Role, rep: Rep, at: tuple[int, float], months: int) -> tuple[np.ndarray, np.ndarray]:
    """The ways of a seat on the roster: its holder stays, or leaves at the end of one of the months."""
    first, now = at
    start = in_months(rep.start, first)
    away = [(in_months(each.from_day, first), in_months(each.to_day, first, end=True)) for each in rep.away]
    curve = _curve(role.stated_ramp)
    if rep.leave is not None:
        left = in_months(rep.leave, first, end=True)
        found = curve.months(start, left, away, months)
        if left >= now:  # who left before the plan was made has a successor on the roster, or none is sought
            found = found + _follow(role, left, months)
        return np.ones(1), found[None]
    there = curve.months(start, np.inf, away, months)
    if role.attrition == 0:
        return np.ones(1), there[None]
    stay, begin = _stay(role), int(np.floor(max(now, start, -240.0)))
    lefts = np.arange(begin, months)
    chances = stay ** (lefts - begin) * (1 - stay)
    before = np.arange(months)[None, :] <= lefts[:, None]
    ways = there[None] * before[:, None, :] + _followed(role, begin, months)
    if begin < 0 and role.backfill_delay_days is None:
        gone = -begin  # who leaves before the year begins brings nothing in it, whenever that is
        chances, ways = np.append(chances[:gone].sum(), chances[gone:]), np.concatenate([ways[:1], ways[gone:]])
    last = stay ** (months - begin)
    return np.append(chances, last), np.concatenate([ways, there[None]]).round(DECIMALS)


@lru_cache(maxsize=256)
def _followed(role: Role, begin: int, months: int) -> np.ndarray:
    """Shape (ways, KINDS, months): what follows a holder who leaves at the end of each month from `begin` on."""
    return np.stack([_follow(role, float(month + 1), months) for month in range(begin, months)])


def _ways_of_hire(role: Role, hire: Hire, first: int, months: int) -> tuple[np.ndarray, np.ndarray]:
    """The ways of a hire: it starts as planned, or a search or two later."""
    start = in_months(hire.first_day, first)
    chance = role.start_probability if hire.start_probability is None else hire.start_probability
    lead = lead_days(role, hire) / MONTH_DAYS
    if chance == 1:
        return np.ones(1), _placed(role, start, months)[None]
    if lead == 0:
        return np.array([chance, 1 - chance]), np.stack([_placed(role, start, months), np.zeros((KINDS, months))])
    chances = [chance * (1 - chance) ** turn for turn in range(ROUNDS)]
    ways = [_placed(role, start + turn * lead, months) for turn in range(ROUNDS)]
    return np.array([*chances, 1 - sum(chances)]), np.stack([*ways, np.zeros((KINDS, months))])


def lead_days(role: Role, hire: Hire) -> float:
    """Days from opening the position of a hire to its first day."""
    asked = role.open_requisition_days if hire.open_requisition_days is None else hire.open_requisition_days
    notice = role.offer_lead_days if hire.offer_lead_days is None else hire.offer_lead_days
    return asked + notice


def month_weights(capacity: Capacity, months: int) -> np.ndarray:
    """Share of a year's productivity that falls on each month, by its selling days; they sum to 1 a year."""
    given = capacity.selling_days
    days = np.ones(MONTHS_PER_YEAR) if given is None else np.array(given, dtype=float)
    return np.resize(days / days.sum(), months)


def arr_of(capacity: Capacity, seat: Seat, brought: np.ndarray, basis: str = "") -> np.ndarray:
    """New ARR that a seat can close by month, of what it brings: shape (..., KINDS, months) to (..., months). [plan currency]

    On the plan's basis, or the one that is named.
    """
    months = month_weights(capacity, brought.shape[-1])
    ramped, full = brought[..., RAMPED, :], brought[..., FULL, :]
    found: np.ndarray
    if (basis or capacity.basis) == "productivity":
        found = seat.productivity * months * ramped
    elif capacity.attainment is None:
        found = seat.quota * months * ramped
    else:
        given = capacity.attainment
        found = seat.quota * months * (given.rate * full + given.of_ramping * (ramped - full))
    return found


# --- drawn ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Pools:
    """Who can close what: a pool for each segment, and one of those who sell in all of them."""

    segments: tuple[str, ...]

    def of(self, segment: str | None) -> int | None:
        """The pool of a segment, the last one for those without; None for a segment that is not looked at."""
        if segment is None:
            return len(self.segments)
        return self.segments.index(segment) if segment in self.segments else None


def judged(plan: Plan, months: int = MONTHS_PER_YEAR) -> np.ndarray:
    """What the judgment row adds in each month. [plan currency]"""
    found = np.zeros(months)
    if plan.capacity is not None and plan.capacity.judgment is not None:
        given = np.array(plan.capacity.judgment.by_month())
        found[: len(given)] = given[:months]
    return found


def expected_pools(plan: Plan, pools: Pools, months: int = MONTHS_PER_YEAR) -> np.ndarray:
    """Shape (pools, months): new ARR that the people can close in expectation, judgment included. [plan currency]"""
    capacity = asked_capacity(plan)
    found = np.zeros((len(pools.segments) + 1, months))
    for seat in seats(plan, months):
        if (pool := pools.of(seat.segment)) is not None:
            found[pool] += arr_of(capacity, seat, seat.expected)
    return with_judgment(found, judged(plan, months))


def months_left(since: float, months: int = MONTHS_PER_YEAR) -> np.ndarray:
    """Share of each month that lies after the time `since`, in months from the first of the year: nobody works in what is over. [0-1]

    >>> months_left(1.25, 4).tolist()
    [0.0, 0.75, 1.0, 1.0]
    """
    found: np.ndarray = np.clip(np.arange(months) + 1.0 - since, 0.0, 1.0)
    return found


def with_judgment(found: np.ndarray, added: np.ndarray) -> np.ndarray:
    """`found`, shape (..., pools, months), with what a judgment adds to each month, by the pools' own shares."""
    total = found.sum(axis=-2)
    factor = np.where(total > 0, np.maximum(total + added, 0.0) / np.where(total > 0, total, 1.0), 1.0)
    return found * factor[..., None, :]


def drawn_pools(plan: Plan, pools: Pools, paths: int, seed: int) -> np.ndarray:
    """Shape (pools, months, paths): what the people can close in each of some drawn years. [plan currency]

    Each seat goes one of its ways; reps differ by `rep_cv`, all together stray by `productivity_cv`. A seat's
    draws depend on the seed and on what it is, so that one more hire leaves the others as they were.
    """

    def made() -> np.ndarray:
        drawn = drawn_together(plan, drawn_seats(plan, pools, paths, seed)[0], seed)
        drawn.flags.writeable = False
        return drawn

    return _kept((plan.capacity, plan.first_month, plan.plan_date, pools.segments, paths, seed), made)


def drawn_seats(
    plan: Plan, pools: Pools, paths: int, seed: int
) -> tuple[np.ndarray, dict[tuple[str, str | None], int]]:
    """The same before what strays together and judgment; and how many seats were drawn by role and segment."""
    capacity = asked_capacity(plan)
    found = np.zeros((len(pools.segments) + 1, MONTHS_PER_YEAR, paths))
    seen: dict[tuple[str, str | None], int] = {}
    for seat in seats(plan):
        pool, place = pools.of(seat.segment), (seat.role, seat.segment)
        if pool is None or not seat.carries:
            continue
        found[pool] += drawn_seat(capacity, seat, paths, [seed, seen.get(place, 0)])
        seen[place] = seen.get(place, 0) + 1
    return found, seen


def drawn_together(plan: Plan, found: np.ndarray, seed: int) -> np.ndarray:
    """What seats drawn one by one can close together: the productivity of all strays, and judgment is added."""
    all_in = found * together_factor(asked_capacity(plan), seed, found.shape[2])
    added = judged(plan)
    if added.any():
        all_in = np.moveaxis(with_judgment(np.moveaxis(all_in, -1, 0), added), 0, -1)
    left = months_left(in_months(plan.plan_date, plan.first_month.ordinal))
    return all_in * left[:, None] if left.min() < 1 else all_in


def together_factor(capacity: Capacity, seed: int, paths: int) -> np.ndarray:
    """How far the productivity of all strays in each of some drawn years. [ratio]"""
    return _factor(capacity.productivity_cv, np.random.default_rng([seed, _STREAM]).standard_normal(paths))


def drawn_seat(capacity: Capacity, seat: Seat, paths: int, seed: Sequence[int]) -> np.ndarray:
    """Shape (months, paths): what seats alike can close in each of some drawn years. [plan currency]

    `seed` is the simulation's, then the number of the seat among those of its role and segment.
    """
    rng = np.random.default_rng([seed[0], _STREAM, _word(seat.role), _word(seat.segment or ""), seed[1]])
    by_way = arr_of(capacity, seat, seat.ways)
    if len(seat.chances) == 1:
        found = np.repeat(seat.count * by_way[0][:, None], paths, axis=1)
    elif seat.count == 1:
        way = np.searchsorted(np.cumsum(seat.chances)[:-1], rng.random(paths), side="right")
        found = by_way[way].T
    else:
        found = (rng.multinomial(seat.count, seat.chances / seat.chances.sum(), size=paths) @ by_way).T
    return found * _factor(capacity.rep_cv / np.sqrt(seat.count), rng.standard_normal(paths))


def _factor(cv: float, normal: np.ndarray) -> np.ndarray:
    """Log-normal factors with mean 1."""
    sigma = np.sqrt(np.log1p(cv**2))
    return np.exp(sigma * normal - sigma**2 / 2)


def _word(text: str) -> int:
    """A number for a name, the same in every process."""
    return int.from_bytes(text.encode("utf-8")[:24].ljust(1, b"\0"), "big")


def lines_of(plan: Plan, months: int) -> Iterator[tuple[str, str | None, np.ndarray, np.ndarray]]:
    """Role, segment, what they bring (KINDS, months) and what they can close by month, for each role in a segment."""
    capacity = asked_capacity(plan)
    found: dict[tuple[str, str | None], tuple[np.ndarray, np.ndarray]] = {}
    for seat in seats(plan, months):
        brought = seat.expected
        before = found.get((seat.role, seat.segment), (np.zeros((KINDS, months)), np.zeros(months)))
        found[(seat.role, seat.segment)] = before[0] + brought, before[1] + arr_of(capacity, seat, brought)
    for (role, segment), (brought, arr) in found.items():
        yield role, segment, brought, arr


def each_line(plan: Plan, months: int) -> Iterator[tuple[Rep | Hire, Seat]]:
    """Every line of the roster and every hire, with the seats it stands for."""
    capacity = asked_capacity(plan)
    first = plan.first_month.ordinal
    now = in_months(plan.plan_date, first)
    made: dict[tuple[object, ...], tuple[np.ndarray, np.ndarray]] = {}
    for rep in capacity.people:
        if (same := (rep.role, rep.start, rep.leave, rep.away)) not in made:
            made[same] = _ways_of_rep(capacity.roles[rep.role], rep, (first, now), months)
        yield rep, _seat(capacity, rep, rep.count, *made[same])
    for hire in capacity.hires:
        yield hire, seat_of(plan, hire, months)


def seat_of(plan: Plan, who: Rep | Hire, months: int) -> Seat:
    """The seats that one line of the roster, or some hires, stand for."""
    capacity = asked_capacity(plan)
    role, first = capacity.roles[who.role], plan.first_month.ordinal
    if isinstance(who, Hire):
        return _seat(capacity, who, who.count, *_ways_of_hire(role, who, first, months))
    return _seat(capacity, who, who.count, *_ways_of_rep(role, who, (first, in_months(plan.plan_date, first)), months))


# --- line by line -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Spell:
    """A stretch of time that a line of the roster, its successor, or a hire is there: the parts that seats are made of.

    What it brings is count x chance x the ramp over the time it is there, less what unnamed leaving takes, and what those
    bring who follow them.
    """

    who: Rep | Hire
    words: str
    """What it is, where it is not its line from the first day on."""
    chance: float
    start: float
    """When its ramp began, in months from the first of the year."""
    since: float
    until: float
    """When it is there; infinity if nobody knows of its end."""
    risk: float | None
    """The month from whose end on its holder may leave unnamed; None if that is not reckoned with."""
    followed: bool
    """Whether the successors of unnamed leavers stand here: once for each seat."""

    def brought(self, role: Role, months: int) -> np.ndarray:
        """Shape (KINDS, months): what it brings in expectation. [reps]"""
        curve, stay = _curve(role.stated_ramp), _stay(role)
        begins = np.arange(float(months))
        lower, upper = (np.clip(each, begins, begins + 1) for each in (self.since, self.until))
        found = np.where(upper > lower, curve.worked(np.asarray(self.start), lower, np.maximum(upper, lower)), 0.0)
        if self.risk is not None:
            away = np.arange(months) - round(self.risk)
            found = found * stay ** np.maximum(away, 0)
            if self.followed:
                after = successors(role, months + max(-round(self.risk), 0))
                found = found + np.where(away >= 0, after[:, np.maximum(away, 0)], 0.0)
        return self.who.count * self.chance * found


def successors(role: Role, months: int) -> np.ndarray:
    """Shape (KINDS, months): what those bring in all who follow somebody who may leave from the end of the first month on."""
    if role.backfill_delay_days is None or role.attrition == 0:
        return np.zeros((KINDS, months))
    found: np.ndarray = _newcomer(role, 0.0, months) - _alone(role, 0.0, months)
    return found


def spells(plan: Plan, months: int = MONTHS_PER_YEAR) -> list[Spell]:
    """The spells of the plan's people that touch the year, line by line."""
    capacity = asked_capacity(plan)
    first = plan.first_month.ordinal
    now = in_months(plan.plan_date, first)
    every = [spell for rep in capacity.people for spell in _spells_of_rep(capacity.roles[rep.role], rep, first, now)]
    for hire in capacity.hires:
        every += _spells_of_hire(capacity.roles[hire.role], hire, first)
    return [each for each in every if each.since < months and (each.until > 0 or each.followed)]


def _spells_of_rep(role: Role, rep: Rep, first: int, now: float) -> Iterator[Spell]:
    start = in_months(rep.start, first)
    left = np.inf if rep.leave is None else in_months(rep.leave, first, end=True)
    risk = float(np.floor(max(now, start, -240.0))) if rep.leave is None and role.attrition > 0 else None
    away = sorted((in_months(each.from_day, first), in_months(each.to_day, first, end=True)) for each in rep.away)
    edges = [start, *(edge for pair in away for edge in pair), left]
    for number, (since, until) in enumerate(zip(edges[::2], edges[1::2], strict=True)):
        if min(until, left) > since or number == 0:
            words = "" if number == 0 else "back from leave"
            yield Spell(
                rep, words, 1.0, start, since, min(until, left), risk, followed=number == 0 and risk is not None
            )
    if rep.leave is not None and left >= now and role.backfill_delay_days is not None:
        yield _newcomers(role, rep, "successor", 1.0, left + role.backfill_delay_days / MONTH_DAYS)


def _spells_of_hire(role: Role, hire: Hire, first: int) -> Iterator[Spell]:
    start = in_months(hire.first_day, first)
    chance = role.start_probability if hire.start_probability is None else hire.start_probability
    lead = lead_days(role, hire) / MONTH_DAYS
    for turn in range(ROUNDS if chance < 1 and lead > 0 else 1):
        words = (
            "" if chance == 1 else "starts as planned" if turn == 0 else f"after {turn} more search{'es' * (turn > 1)}"
        )
        yield _newcomers(role, hire, words, chance * (1 - chance) ** turn, start + turn * lead)


def _newcomers(role: Role, who: Rep | Hire, words: str, chance: float, start: float) -> Spell:
    month = float(np.floor(start + 1e-9))
    since = month + round(max(start - month, 0.0), DECIMALS)
    risk = month if role.attrition > 0 else None
    return Spell(who, words, chance, since, since, np.inf, risk, followed=risk is not None)
