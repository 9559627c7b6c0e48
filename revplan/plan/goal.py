"""What the year must bring: the terms of the ARR bridge, their phasing over the year.

The ARR bridge with its missing term solved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from revplan.ground.calendar import MONTHS_PER_YEAR
from revplan.ground.errors import Fault, digits
from revplan.ground.values import Number, Value

SHARE_TOLERANCE = 1e-6
MOST_GROWTH = 5.0  # of new ARR from one year to the next: more is a percentage written without its sign

Solve = Literal["solve"]
Money = Annotated[Number, Field(ge=0, le=1e15)]
# Weight of a share; shares that belong together sum to 1.
Share = Annotated[Number, Field(ge=0, le=1)]
Shares = tuple[Share, ...]


class ArrChange(Value):
    """Expansion, contraction or churn: an amount of ARR, or a rate of opening ARR with its period."""

    amount: Money | None = None
    """ARR over the year, in the plan's currency."""
    rate: Number | None = Field(default=None, ge=0, le=1)
    """Share of opening ARR over the year; write what is more than all of it as an amount."""
    quarterly_rate: Number | None = Field(default=None, ge=0, le=1)
    """Share of ARR in a quarter; compounds over four."""
    monthly_rate: Number | None = Field(default=None, ge=0, le=1)
    """Share of ARR in a month; compounds over twelve."""

    @model_validator(mode="after")
    def _one_of(self) -> ArrChange:
        if len(self.model_fields_set) != 1:
            raise ValueError("give one of: amount, rate (of the year), quarterly_rate, monthly_rate")
        return self

    @property
    def periods(self) -> tuple[float, int] | None:
        """The rate and how many of its periods make a year; None where an amount was given."""
        for rate, per_year in ((self.rate, 1), (self.quarterly_rate, 4), (self.monthly_rate, 12)):
            if rate is not None:
                return rate, per_year
        return None


def _amount(value: Any) -> Any:
    return {"amount": value} if isinstance(value, (int, float)) and not isinstance(value, bool) else value


Term = Annotated[ArrChange | Solve, BeforeValidator(_amount, json_schema_input_type=Money | ArrChange | Solve)]
NOTHING = ArrChange(amount=0.0)


class Phasing(Value):
    """How the year's new ARR falls on its months; evenly if nothing is said."""

    quarters: Annotated[Shares, Field(min_length=4, max_length=4)] = (0.25,) * 4
    """Share of the year in each fiscal quarter; sums to 1."""
    within_quarter: Annotated[Shares, Field(min_length=3, max_length=3)] = (1 / 3,) * 3
    """Share of a quarter in its first, second and third month; sums to 1."""
    months: Annotated[Shares, Field(min_length=12, max_length=12)] | None = None
    """Share of the year in each month, in place of the two above; sums to 1."""

    @model_validator(mode="after")
    def _sums(self) -> Phasing:
        for name in ("quarters", "within_quarter", "months"):
            shares = getattr(self, name)
            if shares is not None and abs(sum(shares) - 1) > SHARE_TOLERANCE:
                miss = sum(shares) - 1
                raise ValueError(
                    f"{name} sum to {digits(sum(shares))}; they must sum to 1 ({digits(abs(miss))} too {'much' if miss > 0 else 'little'})"
                )
        if self.months is not None and self.model_fields_set & {"quarters", "within_quarter"}:
            raise ValueError("give months, or quarters with within_quarter, not both")
        return self

    def by_month(self) -> tuple[float, ...]:
        """Share of the year's new ARR in each of its twelve months; sums to 1."""
        if self.months is not None:
            return self.months
        return tuple(self.quarters[month // 3] * self.within_quarter[month % 3] for month in range(MONTHS_PER_YEAR))


class Goal(Value):
    """The ARR bridge of the year: any one of its terms may be left to be solved."""

    opening_arr: Money | Solve | None = None
    """ARR when the year begins."""
    new_arr: Money | Solve | None = None
    """ARR of new customers in the year."""
    closing_arr: Money | Solve | None = None
    """ARR when the year ends."""
    expansion: Term = NOTHING
    """ARR added by existing customers."""
    contraction: Term = NOTHING
    """ARR lost to smaller contracts."""
    churn: Term = NOTHING
    """ARR lost to customers who leave."""
    phasing: Phasing = Phasing()
    """How new ARR falls on the months of the year."""
    next_year_growth: Number | None = Field(default=None, gt=-1, le=MOST_GROWTH)
    """New ARR of the following year over this year's; if left out, ARR grows at this year's rate."""
    basis: str = ""
    """Where the goal comes from, and of which day it is."""


HALF_A_CENT = 0.005
SAME = 1e-6  # share of closing ARR up to which terms agree: where amounts are in millions, half a cent is 5,000
MOST_NEXT_GROWTH = 10.0  # the most that next_year_growth may state, too
LEVELS = ("opening_arr", "new_arr", "closing_arr")
SIGNS = {"new_arr": 1.0, "expansion": 1.0, "contraction": -1.0, "churn": -1.0}


class BridgeError(ValueError):
    """The terms of the bridge contradict each other, or leave too much open."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(message)
        self.fault = Fault(place, message)


@dataclass(frozen=True, kw_only=True)
class Bridge:
    """closing = opening + new + expansion - contraction - churn, in the plan's currency.

    `opening_arr` and `closing_arr` are None where the goal was given as new ARR alone; terms that
    are a rate of an unknown opening ARR are None too.
    """

    opening_arr: float | None
    new_arr: float
    expansion: float | None
    contraction: float | None
    churn: float | None
    closing_arr: float | None

    @property
    def grr(self) -> float | None:
        """Gross revenue retention: (opening - contraction - churn) / opening. [ratio]"""
        return self._kept(contraction=1.0, expansion=0.0)

    @property
    def grr_churn_only(self) -> float | None:
        """Gross retention that leaves contraction out: (opening - churn) / opening. [ratio]"""
        return self._kept(contraction=0.0, expansion=0.0)

    @property
    def nrr(self) -> float | None:
        """Net revenue retention: (opening + expansion - contraction - churn) / opening. [ratio]"""
        return self._kept(contraction=1.0, expansion=1.0)

    def _kept(self, *, contraction: float, expansion: float) -> float | None:
        if not self.opening_arr or self.expansion is None or self.contraction is None or self.churn is None:
            return None
        lost = self.churn + contraction * self.contraction - expansion * self.expansion
        return (self.opening_arr - lost) / self.opening_arr


def yearly_rate(change: ArrChange, *, grows: bool) -> float:
    """Share of opening ARR that `change` makes in a year, a shorter period's rate compounded. [share]

    A loss of m a month is 1 - (1 - m)^12 a year; growth of m a month is (1 + m)^12 - 1.
    """
    if change.periods is None:
        return 0.0
    rate, per_year = change.periods
    return (1 + rate) ** per_year - 1 if grows else 1 - (1 - rate) ** per_year


def solve_bridge(goal: Goal) -> Bridge:
    """The bridge of `goal` with its one missing term solved. [plan currency]

    Raises
    ------
    BridgeError
        If the given terms disagree by more than half a cent, if more than one is missing, or if
        the solved term is negative.

    >>> solve_bridge(Goal(opening_arr=8_000_000, closing_arr=13_000_000, churn=ArrChange(rate=0.08))).new_arr
    5640000.0
    """
    missing = _missing(goal)
    if not missing:
        return _agreeing(goal)
    if set(missing) == {"opening_arr", "closing_arr"} and "solve" not in (goal.opening_arr, goal.closing_arr):
        return _new_arr_alone(goal)
    if len(missing) > 1:
        raise BridgeError(
            "goal",
            f"{' and '.join(missing)} are missing; give two of opening_arr, new_arr and closing_arr, "
            "and leave one term of the bridge to be solved",
        )
    return _solved(goal, missing[0])


def _missing(goal: Goal) -> list[str]:
    levels = [name for name in LEVELS if getattr(goal, name) in (None, "solve")]
    return levels + [name for name in SIGNS if name not in LEVELS and getattr(goal, name) == "solve"]


def _terms(goal: Goal, opening: float) -> dict[str, float]:
    """The known terms in money, for an opening ARR of `opening`."""
    terms = {"new_arr": goal.new_arr} if isinstance(goal.new_arr, float) else {}
    for name in ("expansion", "contraction", "churn"):
        change = getattr(goal, name)
        if isinstance(change, ArrChange):
            terms[name] = (change.amount or 0.0) + opening * yearly_rate(change, grows=name == "expansion")
    return terms


def _agreeing(goal: Goal) -> Bridge:
    opening, closing = _number(goal.opening_arr), _number(goal.closing_arr)
    terms = _terms(goal, opening)
    total = opening + sum(SIGNS[name] * value for name, value in terms.items())
    if abs(total - closing) > min(HALF_A_CENT, SAME * max(abs(total), closing)):
        cents = 2 if closing >= 1000 else 6  # of amounts in millions more decimals differ
        written = " ".join(
            f"{'+' if SIGNS[name] > 0 else '-'} {name} {value:,.{cents}f}" for name, value in terms.items()
        )
        raise BridgeError(
            "goal.closing_arr",
            f"opening {opening:,.{cents}f} {written} = {total:,.{cents}f}, but closing_arr says {closing:,.{cents}f} "
            f"({closing - total:+,.{cents}f}); leave one of them out and it is solved",
        )
    return Bridge(opening_arr=opening, closing_arr=closing, **terms)


def _new_arr_alone(goal: Goal) -> Bridge:
    given = {name: getattr(goal, name).amount for name in ("expansion", "contraction", "churn")}
    return Bridge(opening_arr=None, closing_arr=None, new_arr=_number(goal.new_arr), **given)


def _solved(goal: Goal, missing: str) -> Bridge:
    opening = _solved_opening(goal) if missing == "opening_arr" else _number(goal.opening_arr)
    terms = _terms(goal, opening)
    given = opening + sum(SIGNS[name] * value for name, value in terms.items())
    closing = given if missing == "closing_arr" else _number(goal.closing_arr)
    if missing in SIGNS:
        terms[missing] = SIGNS[missing] * (closing - given)
    solved = {"opening_arr": opening, "closing_arr": closing, **terms}
    if solved[missing] < -min(HALF_A_CENT, SAME * max(map(abs, solved.values()))):
        raise BridgeError("goal", _negative(missing, solved[missing]))
    return Bridge(**{name: max(value, 0.0) if name == missing else value for name, value in solved.items()})


def _negative(missing: str, value: float) -> str:
    message = f"{missing} solves to {value:,.2f}, which cannot be"
    if missing == "new_arr":
        return message + ": the other terms alone already pass closing_arr; raise closing_arr or lower expansion"
    return message + "; check the other terms of the bridge"


def _solved_opening(goal: Goal) -> float:
    """Opening ARR from the others: each rate is a share of it, so the bridge is linear in it."""
    fixed = _terms(goal, 0.0)
    per_unit = {name: value - fixed[name] for name, value in _terms(goal, 1.0).items()}
    slope = 1 + sum(SIGNS[name] * value for name, value in per_unit.items())
    rest = _number(goal.closing_arr) - sum(SIGNS[name] * value for name, value in fixed.items())
    if slope <= 0:
        raise BridgeError("goal.opening_arr", "cannot be solved: churn and contraction lose all of it")
    return rest / slope


def _number(value: object) -> float:
    assert isinstance(value, float)  # the caller has seen to it
    return value


def next_year_new_arr(goal: Goal, bridge: Bridge) -> float:
    """New ARR assumed for the following year. [plan currency]

    By `next_year_growth` where it is given; else ARR is taken to grow at this year's rate; else,
    where opening ARR is unknown, next year is taken to equal this one.
    """
    return bridge.new_arr * (1 + next_year_growth(goal, bridge))


def next_year_growth(goal: Goal, bridge: Bridge) -> float:
    """Growth of new ARR assumed for the following year. [share]"""
    if goal.next_year_growth is not None:
        return goal.next_year_growth
    if not bridge.opening_arr or bridge.closing_arr is None:
        return 0.0
    return min(bridge.closing_arr / bridge.opening_arr - 1, MOST_NEXT_GROWTH)
