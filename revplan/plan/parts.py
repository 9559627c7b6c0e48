"""The parts of a plan: what the planner believes, in frozen values named like the keys of the plan file."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import cached_property
from itertools import pairwise, product
from typing import Annotated, Any, Literal, TypeVar

import pandas as pd
from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, model_validator

from revplan.ground.calendar import (
    MONTHS_PER_YEAR,
    Names,
    months_from,
    period_label,
    period_short,
    quarter_label,
    quarter_short,
)
from revplan.ground.errors import PlanError
from revplan.ground.lag import INSTANT, Lag
from revplan.ground.tablefile import ActualsFile, TableFile, path_or_more
from revplan.ground.values import SALVAGE, FrozenDict, Number, PathText, Value, Zone, at_least, frozen
from revplan.ground.workdays import WEEKDAYS, Workdays, unknown_place
from revplan.plan.goal import MOST_GROWTH, Goal, Money, Share, Term
from revplan.plan.people import Capacity, CapacityChange, DayOrDays, Name
from revplan.plan.stages import PRESETS, Stage, expand_preset, titles_of

Line = Annotated[str, Field(min_length=1, max_length=1000)]


class Assumption(Value):
    """One line of the assumption log."""

    about: Line
    """Place in the plan, keys with points between: goal.churn, segments.mid.acv, transitions.sqo.won.mid."""
    owner: Line
    """Who answers for it."""
    source: str = ""
    """What it rests on: a report, a conversation, a study, with its day."""
    estimated: date | None = None
    """The day it was last estimated."""
    expires: date | None = None
    """The last day it may be used without another look."""
    note: str = ""
    """What a reader should know besides."""

    @model_validator(mode="after")
    def _in_order(self, info: ValidationInfo) -> Assumption:
        dated = self.expires is not None and self.estimated is not None
        if info.context != SALVAGE and dated and self.expires < self.estimated:  # type: ignore[operator]
            raise ValueError(f"expires on {self.expires}, before it was estimated on {self.estimated}; correct one")
        return self

    def has_expired(self, on: date) -> bool:
        """Whether it asks for another look on the day `on`."""
        return self.expires is not None and self.expires < on


LEAST_DEAL = 1e-6  # of the unit a plan is written in, which may be a million; less is a slip of the pen
LEAST_EVIDENCE = 0.001  # records; what says less than that says nothing

Rate = Annotated[Number, Field(ge=1e-9, le=1)]
PresetName = Literal["saastr", "sirius", "hubspot", "single"]


class Year(Value):
    """The fiscal year planned for."""

    first_month: str = Field(pattern=r"^[12][0-9]{3}-(0[1-9]|1[0-2])$")
    """Its first month, such as 2027-01."""


class FiscalYear(Value):
    """What the fiscal year is called."""

    names: Names = "start"
    """The calendar year it is called after: the one it starts in, or the one it ends in."""


class Acv(Value):
    """Annual contract value of a new customer."""

    mean: Annotated[Number, Field(gt=0, le=1e12), AfterValidator(at_least(LEAST_DEAL))]
    """Mean annual value of a new contract, in the plan's currency."""
    sd: Number | None = Field(default=None, ge=0, le=1e13)
    """Standard deviation from contract to contract."""


def _as_acv(value: Any) -> Any:
    return {"mean": value} if isinstance(value, (int, float)) and not isinstance(value, bool) else value


Deal = Annotated[Acv, BeforeValidator(_as_acv, json_schema_input_type=Annotated[Number, Field(gt=0, le=1e12)] | Acv)]


class Segment(Value):
    """A part of the market with its own deal size."""

    acv: Deal
    """Annual contract value: a number, or {mean, sd}."""
    share: Share = 1.0
    """Share of the year's new ARR; the segments sum to 1."""
    basis: str = ""
    """Where these figures come from, and of which day they are."""


class Source(Value):
    """Where records come from; sources exclude each other and together are all there is."""

    share: Share | Annotated[dict[str, Share], frozen] = 1.0
    """Share of each segment's new ARR, or {segment: share}; the sources sum to 1."""
    enters: str | None = None
    """Stage at which its records enter; the first one if left out."""
    owner: str = "marketing"
    """Who answers for its entries."""
    cost_per_entry: Number | None = Field(default=None, ge=0, le=1e9)
    """Programme spend per entry at the stage where it enters; unpriced (not free) if left out."""
    max_per_month: Number | None = Field(default=None, ge=0, le=1e12)
    """Most entries a month, over all segments."""
    max_growth: Number | None = Field(default=None, ge=0, le=1)
    """Largest growth of entries from one month to the next: 0.10 is 10 %."""
    basis: str = ""
    """Where these figures come from, and of which day they are."""

    def share_of(self, segment: str) -> float:
        """Share of the new ARR of `segment` that this source brings. [0-1]"""
        return self.share.get(segment, 0.0) if isinstance(self.share, dict) else self.share


StepKey = tuple[str, str, str | None, str | None]
"""From, to, segment and source of a transition."""


class Step(Value):
    """From one stage to the next, everywhere or in a segment or source."""

    from_stage: str = Field(alias="from")
    """Stage left."""
    to_stage: str = Field(alias="to")
    """The stage right after it."""
    segment: str | None = None
    """Only for this segment; for all if left out."""
    source: str | None = None
    """Only for this source; for all if left out."""

    @property
    def key(self) -> StepKey:
        """What is said of no other transition of a plan."""
        return self.from_stage, self.to_stage, self.segment, self.source


Stated = TypeVar("Stated", bound=Step)


def most_specific(
    stated: Mapping[StepKey, Stated], pair: tuple[str, str], segment: str | None, source: str | None
) -> Stated | None:
    """What holds between two stages for a segment and a source: segment+source before segment, source, all."""
    places = ((segment, source), (segment, None), (None, source), (None, None))
    return next((stated[(*pair, *place)] for place in places if (*pair, *place) in stated), None)


class Transition(Step):
    """From one stage to the next: how many get there, and how long that takes."""

    rate: Rate
    """Share of the entries that ever get there."""
    evidence: Annotated[Number, Field(gt=0, le=1e12), AfterValidator(at_least(LEAST_EVIDENCE))] | None = None
    """Effective number of records behind the rate; the rate is taken as certain if left out."""
    lag: Lag = INSTANT
    """How long those that get there take; none if left out."""
    basis: str = ""
    """Where these figures come from, and of which day they are."""


class Commit(Value):
    """Which stage marketing signs for, and how sure the year shall be."""

    stage: str | None = None
    """Stage of the commit; the third one (or the last before won in a short list) if left out."""
    confidence: Number = Field(default=0.8, gt=0, lt=1)
    """Chance of the goal that the signed commit shall give."""
    at_any_cost: bool = False
    """Whether entries are asked for that cost more than the new ARR they bring."""


class RecordsFile(Value):
    """Where the records are."""

    leads: PathText
    """Path of the CRM file, from the plan file's folder."""


def _a_weekend(days: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(days)) == len(WEEKDAYS):
        raise ValueError("leaves no day of the week to work on; name the days that are not worked, such as [sat, sun]")
    return days


Weekend = Annotated[tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...], AfterValidator(_a_weekend)]


def _a_day(hours: tuple[float, float]) -> tuple[float, float]:
    if hours[1] <= hours[0]:
        raise ValueError("ends before it begins; write from when to when, such as [9, 17]")
    return hours


Hour = Annotated[Number, Field(ge=0, le=24)]
WorkingDay = Annotated[tuple[Hour, Hour], AfterValidator(_a_day)]


class WorkPlace(Value):
    """Where people work, and so on which days they do."""

    country: str = ""
    """Two-letter code of the country whose public holidays are not worked, such as US; none are taken out if left out."""
    region: str = ""
    """Code of its region or state, such as CA; only holidays of the whole country if left out."""
    closures: tuple[DayOrDays, ...] = ()
    """Further days without work: a day, or {from, to} with both days included."""
    weekend: Weekend = ("sat", "sun")
    """Days of the week that are not worked."""

    @model_validator(mode="after")
    def _is_declared(self, info: ValidationInfo) -> WorkPlace:
        if info.context != SALVAGE and (wrong := unknown_place(self.country, self.region)):
            raise ValueError(wrong)
        return self

    @cached_property
    def workdays(self) -> Workdays:
        """Its working days."""
        weekend = tuple(sorted({WEEKDAYS.index(day) for day in self.weekend}))
        closed = frozenset(day for closure in self.closures for day in closure.days)
        return Workdays(weekend, self.country, self.region, closed)


class Team(WorkPlace):
    """People who answer for some of the records, and work on days of their own."""

    segments: tuple[Name, ...] = ()
    """The segments they work; all if left out."""
    sources: tuple[Name, ...] = ()
    """The sources they work; all if left out."""

    def works(self, segment: str, source: str) -> bool:
        """Whether the records of a segment and source are theirs."""
        return segment in (self.segments or (segment,)) and source in (self.sources or (source,))


class Calendar(WorkPlace):
    """The days on which the company works; each team may have its own."""

    teams: Annotated[dict[Name, Team], frozen] = Field(default_factory=FrozenDict)
    """Teams by name, the first that works a segment and source answering for it; without any, the owners of the sources."""


Stretches = tuple[Annotated[Number, Field(ge=0)], ...]


class Pace(Value):
    """How the running month is followed day by day."""

    within_month: Stretches | None = Field(default=None, min_length=2, max_length=23)
    """Shares of a month's entries in equal stretches of its working days, such as [0.2, 0.3, 0.5]; if left out, learnt from
    the records where they show a shape, even where they show none."""
    by_segment: Annotated[dict[Name, Annotated[Stretches, Field(min_length=2, max_length=23)]], frozen] = Field(
        default_factory=FrozenDict
    )
    """The same for segments with a shape of their own: {enterprise: [0.1, 0.2, 0.7]}; others as within_month says, or learnt."""
    watch: Literal["month", "quarter", "year"] = "month"
    """What the alert is about: entries at the commit stage of the month or quarter, or the year's goal."""
    alert: Number = Field(default=0.9, gt=0.5, lt=1)
    """Chance of missing it from which on `revplan pace` ends with code 3; of the alerts, at most one less this is false."""
    all_clear: Number = Field(default=0.7, gt=0, lt=1)
    """Chance of missing it below which an alert ends; between the two it stays as it is."""

    @model_validator(mode="after")
    def _apart(self, info: ValidationInfo) -> Pace:
        if info.context != SALVAGE and self.all_clear > self.alert:
            raise ValueError(
                f"all_clear ({self.all_clear:g}) lies above alert ({self.alert:g}); give it a smaller chance"
            )
        given = {
            "within_month": self.within_month,
            **{f"by_segment.{name}": each for name, each in self.by_segment.items()},
        }
        for name, shares in given.items() if info.context != SALVAGE else ():
            if shares is not None and not 0.999 < sum(shares) < 1.001:
                raise ValueError(f"{name} sums to {sum(shares):g}; its shares must sum to 1")
        return self


class TeamHours(Value):
    """When a team works whose days or hours are not the company's."""

    working_hours: WorkingDay | None = None
    """From when to when, by the clock of its zone; the company's if left out."""
    timezone: Zone | None = None
    """Zone of its clock, such as Europe/Berlin; the company's if left out."""
    calendar: WorkPlace | None = None
    """Where it works: {country: DE, region: BY}; if left out, as the plan's calendar says of the team, or of the company."""


class Attempts(Value):
    """How often sales tries before it gives up."""

    count: Annotated[int, Field(ge=1, le=100)]
    """Touches."""
    days: Annotated[Number, Field(gt=0, le=366)]
    """Working days in which they are made."""


class ServiceLevels(Value):
    """What marketing and sales promise each other; what is not named here is measured, and is no promise."""

    working_hours: WorkingDay = (9.0, 17.0)
    """From when to when is worked, by the clock of the zone."""
    timezone: Zone | None = None
    """Zone of the clock, such as America/New_York; UTC if left out."""
    stage: str | None = None
    """Stage at which marketing hands over; the commit's if left out."""
    accepted: str | None = None
    """Stage that means sales has accepted; the one after it if left out."""
    first_touch_hours: Annotated[Number, Field(gt=0, le=5000)] | None = None
    """Working hours from hand-over, or assignment where the records know it, to the first touch."""
    attempts: Attempts | None = None
    """Touches that a record gets that is neither accepted, rejected nor lost before."""
    acceptance_days: Annotated[Number, Field(gt=0, le=366)] | None = None
    """Working days in which sales accepts or rejects."""
    acceptance_rate: Share | None = None
    """Share of what sales answers that it is to accept."""
    teams: Annotated[dict[Name, TeamHours], frozen] = Field(default_factory=FrozenDict)
    """Hours, zone and days of teams that have their own, by their name in the records or the calendar."""

    @property
    def agreed(self) -> bool:
        """Whether anything is owed by a time."""
        return any(each is not None for each in (self.first_touch_hours, self.attempts, self.acceptance_days))


class Claim(Value):
    """What somebody says of the running year, to be held against the books."""

    by: Line
    """Who says so."""
    sales_growth: Number | None = Field(default=None, ge=-1, le=1000)
    """Growth of sales from the year before: 4 is +400 %."""
    arr_growth: Number | None = Field(default=None, ge=-1, le=1000)
    """Growth of ARR that is claimed with it; that of the books if left out."""
    sourced: Annotated[dict[Name, Annotated[Number, Field(ge=0, le=10)]], frozen] = Field(default_factory=FrozenDict)
    """Share of new ARR that each says to have sourced: by owner or by source."""
    coverage: Number | None = Field(default=None, gt=0, le=1000)
    """Times that the open pipeline is said to cover the target."""
    win_rate: Number | None = Field(default=None, gt=0, le=1)
    """Share of the entries at the commit stage that is said to be won."""

    @model_validator(mode="after")
    def _says_something(self, info: ValidationInfo) -> Claim:
        said = (self.sales_growth, self.coverage, self.win_rate, self.sourced or None)
        if info.context != SALVAGE and all(each is None for each in said):
            raise ValueError("claims nothing; give sales_growth, sourced, coverage or win_rate")
        return self


class Uncertainty(Value):
    """How far the year may stray, for the simulation."""

    rho: Number = Field(default=0.3, ge=0, lt=1)
    """Correlation of the rates through the shared market."""
    lag_cv: Number = Field(default=0.15, ge=0, le=2)
    """Coefficient of variation of the lags."""
    volume_cv: Number = Field(default=0.05, ge=0, le=2)
    """Coefficient of variation of the volume of entries."""


class TransitionChange(Step):
    """What a scenario changes in one transition; more specific ones follow in proportion."""

    rate: Rate | None = None
    """The rate in the scenario; more specific rates move in proportion."""
    evidence: Annotated[Number, Field(gt=0, le=1e12), AfterValidator(at_least(LEAST_EVIDENCE))] | None = None
    """Effective number of records behind the rate in the scenario."""
    lag: Lag | None = None
    """The lag in the scenario; more specific lags are stretched in proportion."""

    @model_validator(mode="after")
    def _changes_something(self, info: ValidationInfo) -> TransitionChange:
        if info.context != SALVAGE and self.rate is None and self.evidence is None and self.lag is None:
            raise ValueError("changes nothing; give a rate, an evidence or a lag")
        return self


class GoalChange(Value):
    """What a scenario changes in the goal: a new level replaces the one it contradicts."""

    opening_arr: Money | None = None
    """ARR when the year begins."""
    new_arr: Money | None = None
    """ARR of new customers in the year."""
    closing_arr: Money | None = None
    """ARR when the year ends."""
    expansion: Term | None = None
    """ARR added by existing customers."""
    contraction: Term | None = None
    """ARR lost to smaller contracts."""
    churn: Term | None = None
    """ARR lost to customers who leave."""
    next_year_growth: Number | None = Field(default=None, gt=-1, le=MOST_GROWTH)
    """New ARR of the following year over this year's."""


Factor = Annotated[Number, Field(ge=0, le=10)]


class Scenario(Value):
    """A named variation of the plan: its changes only."""

    changes: tuple[TransitionChange, ...] = ()
    """Transitions that differ."""
    goal: GoalChange = GoalChange()
    """Terms of the goal that differ."""
    acv: Annotated[dict[Name, Deal], frozen] = Field(default_factory=FrozenDict)
    """Annual contract value by segment; a number keeps the plan's spread in proportion."""
    volume: Factor | Annotated[dict[Name, Factor], frozen] = 1.0
    """Entries over the committed ones: a factor, or {source: factor}."""
    uncertainty: Uncertainty = Uncertainty()
    """Uncertainty that differs; what is left out stays the plan's."""
    confidence: Number | None = Field(default=None, gt=0, lt=1)
    """Chance of the goal that the signed commit shall give; the plan's if left out."""
    capacity: CapacityChange | None = None
    """What differs about the people; left out where the plan has none."""

    def volume_of(self, source: str) -> float:
        """Entries from `source` over the committed ones. [ratio]"""
        return self.volume.get(source, 1.0) if isinstance(self.volume, dict) else self.volume


class UncheckedPlan(Value):
    """An annual plan as it is written: goal, stages, segments, sources, transitions, and what they are based on.

    Its values are right each by itself; whether they fit each other is what `Plan` makes sure of.
    """

    name: Name = "Plan"
    """Name of the plan, shown on every page."""
    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    """Three-letter code of the plan's currency."""
    year: Year
    """The fiscal year; the calendar year after the plan date if left out."""
    fiscal_year: FiscalYear = FiscalYear()
    """Whether a fiscal year is called after the calendar year it starts or ends in."""
    plan_date: date
    """The day the plan is made: what entered before it is history. First day of the year if left out."""
    goal: Goal
    """What the year must bring."""
    stages: Annotated[
        tuple[Stage, ...],
        BeforeValidator(expand_preset, json_schema_input_type=PresetName | list[Stage]),
        Field(min_length=2, max_length=10),
    ] = PRESETS["saastr"]
    """A preset's name or a list of stages, from the first to won."""
    commit: Commit = Commit()
    """The stage to sign for and the confidence wanted."""
    segments: Annotated[dict[Name, Segment], Field(min_length=1), frozen]
    """Segments by name."""
    sources: Annotated[dict[Name, Source], Field(min_length=1), frozen]
    """Sources by name."""
    transitions: tuple[Transition, ...] = ()
    """Rates and lags; most specific wins: segment and source, segment, source, neither."""
    rounding: Literal["none", "spreadsheet"] = "none"
    """`spreadsheet` rounds half up at every stage and carries that."""
    history: RecordsFile | None = None
    """Records that give the open pipeline, and the rates the plan does not state."""
    actuals: Annotated[ActualsFile, BeforeValidator(path_or_more, json_schema_input_type=str | ActualsFile)] | None = (
        None
    )
    """Path of a table of the actuals, from the plan file's folder; or path, decimal, currency and what else it needs."""
    calls: Annotated[TableFile, BeforeValidator(path_or_more, json_schema_input_type=str | TableFile)] | None = None
    """Path of a table of calls (date, who, quarter, number): new ARR that somebody said a quarter would bring; `revplan pace`
    scores them beside the model's."""
    calendar: Calendar = Calendar()
    """The days on which the company and its teams work."""
    pace: Pace = Pace()
    """The shape of a month, and when `revplan pace` gives the alert."""
    claims: tuple[Claim, ...] = ()
    """What people say of the running year; `revplan pace` holds it against the books."""
    capacity: Capacity | None = None
    """Who closes: people, ramp, hires; without it, people are not considered."""
    service_levels: ServiceLevels = ServiceLevels()
    """What marketing and sales promise each other, for `revplan pace`."""
    uncertainty: Uncertainty = Uncertainty()
    """How far the year may stray."""
    scenarios: Annotated[dict[Name, Scenario], frozen] = Field(default_factory=FrozenDict)
    """Named variations of this plan."""
    assumptions: tuple[Assumption, ...] = ()
    """The assumption log: owner, source and expiry of what the plan assumes."""

    @model_validator(mode="before")
    @classmethod
    def _dates(cls, data: Any) -> Any:
        """Plan date and year from each other where one is left out."""
        if not isinstance(data, Mapping):
            return data
        year, day = data.get("year"), data.get("plan_date")
        first = year.get("first_month") if isinstance(year, Mapping) else None
        if day is None and "plan_date" not in data and isinstance(first, str):
            return {**data, "plan_date": f"{first}-01"}
        if year is None and "year" not in data and isinstance(day, date):
            starts = day.year if (day.month, day.day) == (1, 1) else day.year + 1
            return {**data, "year": {"first_month": f"{starts}-01"}}
        return data

    @property
    def first_month(self) -> pd.Period:
        """First month of the fiscal year."""
        return pd.Period(self.year.first_month, freq="M")

    @property
    def months(self) -> pd.PeriodIndex:
        """The twelve months of the fiscal year."""
        return months_from(self.first_month, MONTHS_PER_YEAR)

    def quarter_label(self, index: int) -> str:
        """What a reader calls quarter `index` of the year: Jan-Mar 2027 (Q1 FY27)."""
        return quarter_label(index, self.first_month, self.fiscal_year.names)

    def quarter_short(self, index: int) -> str:
        """The same where space is tight: Q1 FY27."""
        return quarter_short(index, self.first_month, self.fiscal_year.names)

    def period_label(self, period: str) -> str:
        """What a reader calls a period that a table names by its id, such as 2027-Q1 or 2027 to Q3."""
        return period_label(period, self.first_month, self.fiscal_year.names)

    def period_short(self, period: str) -> str:
        """The same where space is tight: Q3 FY27; FY27 to Q3."""
        return period_short(period, self.first_month, self.fiscal_year.names)

    @property
    def stage_ids(self) -> tuple[str, ...]:
        """Ids of the stages, from the first to won."""
        return tuple(stage.id for stage in self.stages)

    @property
    def titles(self) -> dict[str, str]:
        """What a reader calls each stage, by its id."""
        return titles_of(self.stages)

    @property
    def commit_stage(self) -> str:
        """The stage marketing signs for."""
        return self.commit.stage or self.stage_ids[min(2, len(self.stages) - 2)]

    def entry_stage(self, source: str) -> str:
        """The stage at which records of `source` enter."""
        return self.sources[source].enters or self.stage_ids[0]

    def share(self, segment: str, source: str) -> float:
        """Share of the year's new ARR that `source` brings in `segment`. [0-1]"""
        return self.segments[segment].share * self.sources[source].share_of(segment)

    def team_of(self, segment: str, source: str) -> str:
        """Who answers for the records of a segment and source: a team of the calendar, or else the source's owner."""
        mine = (name for name, team in self.calendar.teams.items() if team.works(segment, source))
        return next(mine, self.sources[source].owner)

    def workdays_of(self, segment: str, source: str) -> Workdays:
        """The working days of those who answer for the records of a segment and source."""
        return self.calendar.teams.get(self.team_of(segment, source), self.calendar).workdays

    @property
    def cells(self) -> tuple[tuple[str, str], ...]:
        """The pairs of segment and source that bring new ARR."""
        return tuple(cell for cell in product(self.segments, self.sources) if self.share(*cell) > 0)

    def transition(self, pair: tuple[str, str], segment: str, source: str) -> Transition | None:
        """The most specific transition between the two stages of `pair` for a segment and source."""
        return most_specific(self._written, pair, segment, source)

    @cached_property
    def _written(self) -> dict[StepKey, Transition]:
        return {each.key: each for each in self.transitions}

    def path(self, segment: str, source: str) -> tuple[Transition, ...]:
        """The transitions from the stage where `source` enters to won.

        Raises
        ------
        PlanError
            If neither the plan nor its history states one of them.
        """
        entered = self.stage_ids[self.stage_ids.index(self.entry_stage(source)) :]
        found = [(pair, self.transition(pair, segment, source)) for pair in pairwise(entered)]
        faults = [pair for pair, transition in found if transition is None]
        if faults:
            raise PlanError.at("transitions", f"no rate for {faults[0]} of segment {segment}, source {source}")
        return tuple(transition for _, transition in found if transition is not None)
