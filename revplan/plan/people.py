"""The people of a plan: who closes, from when, how fast they come up to speed, who is still to be hired."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from revplan.ground.calendar import MONTHS_PER_YEAR
from revplan.ground.errors import PlanError, digits
from revplan.ground.tablefile import TableFile, path_or_more
from revplan.ground.values import SALVAGE, FrozenDict, Number, Value, frozen
from revplan.plan.goal import Share

Name = Annotated[str, Field(min_length=1, max_length=5000)]
RepAmount = Annotated[Number, Field(ge=0, le=1e12)]
DaysOff = Annotated[Number, Field(ge=0, le=1500)]
MOST_SEATS = 20_000  # reps and hires of a plan; more is another table than a roster


def _as_months(value: Any) -> Any:
    return {"months": value} if isinstance(value, (list, tuple)) else value


class Ramp(Value):
    """How much of a full rep somebody counts, by time since the start; in full after what is stated."""

    months: tuple[Number, ...] | None = Field(default=None, min_length=1, max_length=60)
    """Share in the first, second, third ... month since the start."""
    quarters: tuple[Number, ...] | None = Field(default=None, min_length=1, max_length=20)
    """Share in the first, second, third ... quarter since the start."""
    linear_months: Number | None = Field(default=None, ge=0, le=60)
    """Months of a straight ramp: two months into one of five a rep counts 2/5."""
    tenure: Literal["completed", "middle", "current"] = "completed"
    """Which tenure counts in a month of a straight ramp: months completed before it, half of it more, or all of it."""

    @model_validator(mode="after")
    def _sound(self, info: ValidationInfo) -> Ramp:
        if info.context == SALVAGE:
            return self
        given = [name for name in ("months", "quarters", "linear_months") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError("give one of months, quarters and linear_months, such as ramp: [0, 0.25, 0.5, 0.75, 1]")
        if "tenure" in self.model_fields_set and given != ["linear_months"]:
            raise ValueError("tenure is for linear_months; a list says itself what each month counts")
        shares = self.months or self.quarters or ()
        for number, share in enumerate(shares, 1):
            if not 0 <= share <= 1:
                percent = f": {digits(share)}% is {digits(share / 100)}" if 2 <= share <= 100 else ""
                raise ValueError(
                    f"entry {number} of the ramp is {digits(share)}; a share lies between 0 and 1{percent}"
                )
        for number, (before, after) in enumerate(pairwise(shares), 2):
            if after < before:
                raise ValueError(
                    f"the ramp falls from {digits(before)} to {digits(after)} in its entry {number}; it must not fall"
                )
        return self

    @property
    def shares(self) -> tuple[float, ...]:
        """Share of a full rep in each month since the start; in full from then on. [0-1]

        >>> Ramp(linear_months=5).shares
        (0.0, 0.2, 0.4, 0.6, 0.8)
        """
        if self.months is not None:
            return self.months
        if self.quarters is not None:
            return tuple(share for share in self.quarters for _ in range(3))
        length = self.linear_months or 0.0
        done = {"completed": 0.0, "middle": 0.5, "current": 1.0}[self.tenure]
        return tuple(min((month + done) / length, 1.0) for month in range(-int(-length // 1)))

    @property
    def length(self) -> float:
        """Time until somebody counts in full, as stated. [months]"""
        return float(len(self.shares)) if self.linear_months is None else self.linear_months

    def stretched(self, factor: float) -> Ramp:
        """The same ramp taking `factor` times as long, by whole months of what it counts between its entries."""
        if self.linear_months is not None:
            return self.model_copy(update={"linear_months": self.linear_months * factor})
        shares = (*self.shares, 1.0)
        places = np.arange(round(len(self.shares) * factor)) / factor
        return Ramp(months=tuple(np.interp(places, range(len(shares)), shares).tolist()) or (1.0,))


RampOrList = Annotated[Ramp, BeforeValidator(_as_months, json_schema_input_type=list[float] | Ramp)]
BySegment = RepAmount | Annotated[dict[Name, RepAmount], frozen]


class Load(Value):
    """The most records of a stage that one of a role can work in a month."""

    stage: Name
    """The stage whose entries are worked: sql, lead."""
    per_month: Number = Field(gt=0, le=1e9)
    """Entries a month that one full rep can work."""


class Role(Value):
    """What people of a role do, and how they come and go."""

    productivity: BySegment | None = None
    """New ARR that a fully ramped one closes in a year where work is not lacking: a number, or {segment: number}. A role
    with neither productivity nor quota closes nothing itself."""
    quota: BySegment | None = None
    """Quota of a year where roster or hire states none: a number, or {segment: number}."""
    ramp: RampOrList | Literal["measured"] | None = None
    """How a new one comes up to speed: a list of monthly shares, {quarters: [...]}, {linear_months: 5}, or measured (from
    records and roster); at once if left out."""
    attrition: Number = Field(default=0, ge=0, lt=1)
    """Share that leaves in a year without having been named; those with a day of leaving in the roster leave on it."""
    backfill_delay_days: DaysOff | None = None
    """Days from a leaver's last day to the successor's first; not filled again if left out."""
    open_requisition_days: DaysOff = 0
    """Days from opening a position to a signed offer."""
    offer_lead_days: DaysOff = 0
    """Days from a signed offer to the first day: notice periods."""
    start_probability: Number = Field(default=1, gt=0, le=1)
    """Chance that a hire starts when planned; if not, the search begins anew."""
    load: Load | None = None
    """The most records one can work in a month."""

    @property
    def stated_ramp(self) -> Ramp | None:
        """The ramp.

        Raises
        ------
        PlanError
            If it is to be measured and was not yet.
        """
        if isinstance(self.ramp, str):
            raise PlanError.at("capacity.roles", "a ramp is to be measured; open the plan with open_workbook")
        return self.ramp

    @property
    def closes(self) -> bool:
        """Whether its people close deals, and so carry capacity."""
        return self.productivity is not None or self.quota is not None

    def yearly(self, basis: str, segment: str | None) -> float | None:
        """Productivity or quota of a year in a segment; None where the role states none. [plan currency]"""
        given = self.productivity if basis == "productivity" else self.quota
        if isinstance(given, Mapping):
            return given.get(segment or "")
        return given


LONGEST = 366  # days: more in a row are a slip of the pen


class DaysInRow(Value):
    """Days in a row without work."""

    from_day: date = Field(alias="from")
    """The first of them."""
    to_day: date = Field(alias="to")
    """The last of them."""

    @model_validator(mode="after")
    def _in_order(self, info: ValidationInfo) -> DaysInRow:
        if info.context != SALVAGE and self.to_day < self.from_day:
            raise ValueError(f"ends on {self.to_day}, before it begins on {self.from_day}; exchange the two")
        return self

    @property
    def days(self) -> frozenset[date]:
        """Each of its days."""
        return frozenset(self.from_day + timedelta(days=gone) for gone in range((self.to_day - self.from_day).days + 1))


def _as_days(value: Any) -> Any:
    return value if isinstance(value, Mapping | DaysInRow) else {"from": value, "to": value}


def _a_year_at_most(given: DaysInRow, info: ValidationInfo) -> DaysInRow:
    if info.context != SALVAGE and (given.to_day - given.from_day).days >= LONGEST:
        raise ValueError(f"lasts more than {LONGEST} days; check both days for a slip")
    return given


DayOrDays = Annotated[
    DaysInRow,
    AfterValidator(_a_year_at_most),
    BeforeValidator(_as_days, json_schema_input_type=date | DaysInRow),
]


class Rep(Value):
    """One line of the roster: somebody in a role from a day on; another role of the same person is another line."""

    rep: Name
    """Name or number."""
    role: Name
    """One of the plan's roles."""
    segment: Name | None = None
    """Segment worked; all if left out."""
    team: str = ""
    """Team, for reading."""
    start: date
    """First day in the role."""
    leave: date | None = None
    """Last day in the role; none if left out."""
    away: tuple[DaysInRow, ...] = ()
    """Leaves of absence: [{from: 2027-03-01, to: 2027-05-31}]."""
    quota: Number | None = Field(default=None, ge=0, le=1e12)
    """Quota of a year in the plan's currency."""
    seat: Literal["quota", "overlay"] = "quota"
    """Whether the seat carries capacity of its own, or helps others carry theirs."""
    count: int = Field(default=1, ge=1, le=MOST_SEATS)
    """How many such people the line stands for."""


class Hire(Value):
    """Planned hires."""

    role: Name
    """One of the plan's roles."""
    segment: Name | None = None
    """Segment worked; all if left out."""
    start: date | Annotated[str, Field(pattern=r"^[12][0-9]{3}-(0[1-9]|1[0-2])$")]
    """First day, or month whose first day it is: 2027-03."""
    count: int = Field(default=1, ge=1, le=MOST_SEATS)
    """How many."""
    quota: Number | None = Field(default=None, gt=0, le=1e12)
    """Quota of a year; the role's if left out."""
    start_probability: Number | None = Field(default=None, gt=0, le=1)
    """Chance that it starts when planned; the role's if left out."""
    open_requisition_days: DaysOff | None = None
    """Days from opening the position to a signed offer; the role's if left out."""
    offer_lead_days: DaysOff | None = None
    """Days from a signed offer to the first day; the role's if left out."""

    @property
    def first_day(self) -> date:
        """The day it is planned to start."""
        return self.start if isinstance(self.start, date) else date.fromisoformat(f"{self.start}-01")


class Attainment(Value):
    """What of quota is closed, for capacity on the basis of quota."""

    rate: Number = Field(gt=0, le=3)
    """Bookings over quota of those it applies to."""
    applies_to: Literal["ramped", "all"] = "ramped"
    """Fully ramped reps only (ramping ones count ramp x quota), or all."""
    ramping: Number | None = Field(default=None, gt=0, le=3)
    """Another rate for those still ramping."""

    @model_validator(mode="after")
    def _once(self, info: ValidationInfo) -> Attainment:
        if info.context != SALVAGE and self.ramping is not None and self.applies_to == "ramped":
            if "applies_to" in self.model_fields_set:
                raise ValueError("applies_to: ramped leaves ramping reps out; drop `ramping`, or write applies_to: all")
            return self.model_copy(update={"applies_to": "all"})
        return self

    @property
    def of_ramping(self) -> float:
        """The rate that ramping reps are counted with. [ratio]"""
        if self.applies_to == "ramped":
            return 1.0
        return self.rate if self.ramping is None else self.ramping


class Judgment(Value):
    """What somebody adds to computed capacity, or takes off, and answers for."""

    owner: Name
    """Who answers for it."""
    quarters: tuple[Number, ...] | None = Field(default=None, min_length=4, max_length=4)
    """Amount by quarter of the year, in the plan's currency."""
    months: tuple[Number, ...] | None = Field(default=None, min_length=12, max_length=12)
    """Amount by month, in place of the quarters."""
    note: str = ""
    """Why."""

    @model_validator(mode="after")
    def _one(self, info: ValidationInfo) -> Judgment:
        if info.context != SALVAGE and (self.quarters is None) == (self.months is None):
            raise ValueError("give quarters (4 amounts) or months (12 amounts)")
        return self

    def by_month(self) -> tuple[float, ...]:
        """The amount of each of the twelve months; a quarter's falls on its months evenly. [plan currency]"""
        if self.months is not None:
            return self.months
        return tuple(amount / 3 for amount in self.quarters or (0.0,) * 4 for _ in range(3))


class Excess(Value):
    """The fate of work that nobody has time for."""

    kept: Share | tuple[Share, ...] = Field(default=0.8)
    """Share still there after a month of waiting; or after the first, second, third ... month, the last going on. 0: lost."""

    @property
    def by_age(self) -> tuple[float, ...]:
        """Share kept from one month of waiting to the next, the last going on. [0-1]"""
        return self.kept if isinstance(self.kept, tuple) else (self.kept,)


class Capacity(Value):
    """Who closes the plan: people, how they ramp, who comes and goes, and what happens where they are too few."""

    roster: Annotated[
        TableFile | tuple[Rep, ...], BeforeValidator(path_or_more, json_schema_input_type=str | TableFile | list[Rep])
    ] = ()
    """The people: a file (CSV or Excel) with the columns rep, role, segment, start, leave, quota, or a list of lines."""
    roles: Annotated[dict[Name, Role], Field(min_length=1), frozen]
    """What each role does."""
    hires: tuple[Hire, ...] = ()
    """Planned hires."""
    basis: Literal["productivity", "quota"] = "productivity"
    """Capacity as ramped reps x productivity, or ramped reps x quota x attainment."""
    attainment: Attainment | None = None
    """What of quota is closed; all of it if left out. Counts on the basis of quota."""
    over_assignment: Number | None = Field(default=None, ge=0, le=2)
    """Quota handed out over capacity: 0.20 is 20 %; as the roster's quotas say if left out."""
    selling_days: tuple[Annotated[Number, Field(ge=0, le=31)], ...] | None = Field(
        default=None, min_length=12, max_length=12
    )
    """Selling days of each month of the year; all months alike if left out."""
    judgment: Judgment | None = None
    """What somebody adds to computed capacity, or takes off."""
    ratios: Annotated[dict[Name, Annotated[dict[Name, Annotated[Number, Field(gt=0, le=1e6)]], frozen]], frozen] = (
        Field(default_factory=FrozenDict)
    )
    """The most people of one role that one of another serves: {manager: {ae: 8}, sdr: {ae: 2}}."""
    excess: Excess = Excess()
    """What becomes of demand that nobody has time for."""
    productivity_cv: Number = Field(default=0.10, ge=0, le=2)
    """How far the productivity of all may stray together: coefficient of variation."""
    rep_cv: Number = Field(default=0.30, ge=0, le=2)
    """How far the productivity of one rep strays from another's: coefficient of variation."""

    @property
    def people(self) -> tuple[Rep, ...]:
        """The lines of the roster.

        Raises
        ------
        PlanError
            If they stand in a file that was not read.
        """
        if isinstance(self.roster, TableFile):
            raise PlanError.at("capacity.roster", "names a file that was not read; open the plan with open_workbook")
        return self.roster


Leaving = Annotated[Number, Field(ge=0, lt=1)]


class CapacityChange(Value):
    """What a scenario changes about the people."""

    hires: tuple[Hire, ...] | None = None
    """The planned hires, in place of the plan's."""
    more_hires: tuple[Hire, ...] = ()
    """Hires besides the plan's."""
    productivity: Annotated[Number, Field(gt=0, le=10)] | None = None
    """Factor on what each rep closes."""
    ramp: Annotated[Number, Field(gt=0, le=10)] | None = None
    """Factor on how long a ramp takes."""
    attrition: Leaving | Annotated[dict[Name, Leaving], frozen] | None = None
    """Share that leaves in a year: a number for every role, or {role: number}."""
    start_months: Annotated[Number, Field(ge=-24, le=24)] | None = None
    """Months by which every planned hire starts later (earlier, with a minus)."""

    @model_validator(mode="after")
    def _changes_something(self, info: ValidationInfo) -> CapacityChange:
        if info.context != SALVAGE and not self.model_fields_set:
            raise ValueError("changes nothing; give hires, more_hires, start_months, productivity, ramp or attrition")
        return self


def changed_capacity(capacity: Capacity, change: CapacityChange) -> Capacity:
    """`capacity` with what a scenario changes about the people."""
    hires = capacity.hires if change.hires is None else change.hires
    hires = (*hires, *change.more_hires)
    if change.start_months:
        later = timedelta(days=round(change.start_months * 365.25 / MONTHS_PER_YEAR))
        hires = tuple(hire.model_copy(update={"start": hire.first_day + later}) for hire in hires)
    roles = {name: _changed_role(name, role, change) for name, role in capacity.roles.items()}
    update: dict[str, Any] = {"hires": hires, "roles": FrozenDict(roles)}
    if change.productivity is not None and (capacity.attainment or capacity.basis == "quota"):
        given = capacity.attainment or Attainment(rate=1.0, applies_to="all")
        factor = change.productivity
        update["attainment"] = Attainment(rate=given.rate * factor, applies_to="all", ramping=given.of_ramping * factor)
    return capacity.model_copy(update=update)


def _changed_role(name: str, role: Role, change: CapacityChange) -> Role:
    update: dict[str, Any] = {}
    if change.productivity is not None and role.productivity is not None:
        given, factor = role.productivity, change.productivity
        update["productivity"] = (
            FrozenDict({name: value * factor for name, value in given.items()})
            if isinstance(given, dict)
            else given * factor
        )
    if change.ramp is not None and isinstance(role.ramp, Ramp):
        update["ramp"] = role.ramp.stretched(change.ramp)
    leaving = change.attrition.get(name) if isinstance(change.attrition, Mapping) else change.attrition
    if leaving is not None:
        update["attrition"] = leaving
    return role.model_copy(update=update)
