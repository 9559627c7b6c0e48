"""The assumption log held against a day and against the records behind the rates.

A plan file in, all its tables out: what the notebooks, the commands and the app call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from revplan.capacity.attainment import RepAttainment, attainment
from revplan.capacity.measured import Measured, measured_roles, typed_words, wins_of, with_measured_ramps
from revplan.capacity.roster import with_roster
from revplan.crm.actuals import Actuals, read_actuals
from revplan.crm.answer import read_first
from revplan.crm.plan_tables import call_faults
from revplan.crm.planfile import checked_plan, located, real_path
from revplan.funnel import tables as sheets
from revplan.funnel.tables import program_cac
from revplan.funnel.year import PlannedYear, plan_year
from revplan.ground.calendar import day_written, month_of, months_label
from revplan.ground.errors import DataError, Fault, PlanError, shown
from revplan.ground.formats import show
from revplan.ground.tables import from_rows
from revplan.ground.terminal import plain_rows
from revplan.ground.values import Progress
from revplan.plan.checks import places, transition_place
from revplan.plan.model import Plan
from revplan.plan.parts import Assumption, Scenario, Transition
from revplan.plan.scenario import scenario_plans
from revplan.simulation.scenarios import ComparedScenario, compare, scenario_year
from revplan.simulation.simulate import SEED, TRIALS, Simulation, simulate
from revplan.snapshot.fit import look_first, misfits
from revplan.snapshot.state import Records, read_history, snapshot_of, with_history_rates
from revplan.staffing.hiring import Hiring, WorthOfOne, hiring, worths
from revplan.staffing.staffing import Staffing, staffing
from revplan.workbook.idle import idle, idle_roles, idle_uncertainty, scenario_effects, small_quotas
from revplan.workbook.notes import answers, headline, notes
from revplan.workbook.realism import Realism, realism, stretch
from revplan.workbook.signing import ToSign, commit_choices_table, signed_year
from revplan.workbook.words import key_words, step_words, value_words

FEW_RECORDS = 30.0
"""Below this a rate is little more than an opinion: with 30 records and a rate of 20 % the error is 7 points."""

HOLDS, EXPIRED, FEW = "holds", "expired", "few records"
TABLE = "assumption_log"


def assumption_log_table(plan: Plan, on: date) -> pd.DataFrame:
    """Table assumption_log: every logged assumption, and whether it still holds on the day `on`."""
    said = places(plan)
    rows = [_row(plan, each, said[each.about], on) for each in plan.assumptions if each.about in said]
    return from_rows(TABLE, rows)


def _row(plan: Plan, each: Assumption, value: object, on: date) -> tuple[Any, ...]:
    evidence = _evidence(plan, each.about)
    few = evidence is not None and evidence < FEW_RECORDS
    states = [state for state, applies in ((EXPIRED, each.has_expired(on)), (FEW, few)) if applies]
    words = value_words(each.about.rsplit(".", 1)[-1], value, plan.currency) if value is not None else ""
    state = ", ".join(states) or HOLDS
    what, dates = assumption_words(plan, each.about), (each.estimated, each.expires)
    return each.about, what, words, each.owner, each.source, *dates, evidence, state, each.note


def assumption_words(plan: Plan, about: str) -> str:
    """A place in words: SQO to Won, mid; mid, deal; churn."""
    head, *keys = about.split(".")
    if head == "transitions":
        step = [name for name in keys[2:] if name not in Transition.model_fields]
        values = [name for name in keys[2:] if name in Transition.model_fields]
        return ", ".join([step_words(plan.titles, *keys[:2], *step), *map(key_words, values)])
    if head in {"segments", "sources", "scenarios"} and keys:
        return ", ".join([shown(keys[0]), *map(key_words, keys[1:])])
    return " ".join(map(key_words, keys or [head]))


def _evidence(plan: Plan, about: str) -> float | None:
    """Records behind the transition that `about` names, itself or one of its values."""
    named = [each for each in plan.transitions if about == _place(each) or about.startswith(f"{_place(each)}.")]
    return max(named, key=lambda each: len(_place(each))).evidence if named else None


def _place(each: Transition) -> str:
    return transition_place(*each.key)


def expired(plan: Plan, on: date) -> Iterator[str]:
    """The logged assumptions that ask for another look on the day `on`, one sentence each."""
    for each in plan.assumptions:
        if each.expires is not None and each.has_expired(on):
            last = f", last estimated on {show(each.estimated, 'date')}" if each.estimated else ""
            until = f"held until {show(each.expires, 'date')}"
            yield f"The assumption {shown(each.about)} {until}{last}; ask {shown(each.owner)} for a new one."


def thin_and_unlogged(plan: Plan) -> list[Transition]:
    """Transitions on fewer than 30 records that the log does not name."""
    logged = {each.about.removesuffix(".rate") for each in plan.assumptions}
    thin = [each for each in plan.transitions if each.evidence is not None and each.evidence < FEW_RECORDS]
    return [each for each in thin if _place(each) not in logged]


LOOK = "look at this: "
"""How a line of `check` begins that says what is doubtful."""


def _of_year(made: Callable[[PlannedYear], pd.DataFrame]) -> cached_property[pd.DataFrame]:
    """The table of a book that is called as its attribute, made of its year when it is first asked for."""
    found = cached_property(lambda book: made(book.year))
    found.__doc__ = made.__doc__
    return found


@dataclass(frozen=True, eq=False, repr=False)
class Workbook:
    """A computed plan and its tables; each table is made when it is first asked for."""

    year: PlannedYear
    records: Records | None = None
    actual: pd.DataFrame | None = None
    """Table actuals, where the plan names it."""
    doubts: tuple[str, ...] = ()
    """What is doubtful about how plan, records and actuals go together: it comes first wherever the plan is shown."""
    read: tuple[str, ...] = ()
    """What was understood of the actuals, and how."""
    scenario_note: str = ""
    """Whose entries these are, in a sentence, where they are not the plan's own commit."""

    def __repr__(self) -> str:
        return f"<Workbook {self.plan.name}: {self.headline}>"

    @property
    def plan(self) -> Plan:
        """The plan, with the rates of its history filled in."""
        return self.year.plan

    @cached_property
    def bridge(self) -> pd.DataFrame:
        """Table bridge."""
        return sheets.bridge_table(self.year.bridge)

    targets = _of_year(sheets.targets_table)
    funnel = _of_year(sheets.funnel_table)

    @cached_property
    def funnel_by_month(self) -> pd.DataFrame:
        """Table funnel, summed over segments and sources."""
        return sheets.month_stage_sums(self.funnel)

    stages = _of_year(sheets.stages_table)
    cell_values = _of_year(sheets.cell_values_table)
    quarters = _of_year(sheets.quarters_table)
    pipeline = _of_year(sheets.pipeline_table)
    ledger = _of_year(sheets.ledger_table)
    last_useful = _of_year(sheets.last_useful_table)
    commit_choices = _of_year(commit_choices_table)
    budget = _of_year(sheets.budget_table)

    @cached_property
    def cac(self) -> float | None:
        """Program CAC of the priced sources. [plan currency per deal]"""
        spent = sheets.spend_of_year(self.year)
        return program_cac(sum(spent.values()), sheets.wins_of_year(self.year, spent)) if spent else None

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know beside the numbers, one sentence each."""
        others = notes(self.year, self.quarters, self.pipeline)
        return tuple(dict.fromkeys((*self.doubts, *self.beside, *others, *self.read)))

    @cached_property
    def beside(self) -> tuple[str, ...]:
        """What changes how every figure is read, one sentence each: the scenario held, and how the records were read."""
        records = () if self.records is None else read_first(self.records.history)
        return (
            *([self.scenario_note] if self.scenario_note else []),
            *(line for line in records if line not in self.doubts[:1]),
        )

    @cached_property
    def simulation(self) -> Simulation:
        """The year simulated, with the default trials and seed."""
        return simulate(self.year)

    @cached_property
    def to_sign(self) -> ToSign:
        """The number to sign, beside the expected commit and what the ceilings allow."""
        return ToSign(self.simulation)

    @cached_property
    def to_deliver(self) -> pd.DataFrame:
        """Table funnel, its commit times what is to sign; the expected commit where no volume gives the confidence."""
        scale = self.to_sign.scale
        return self.funnel.assign(commit=self.funnel["commit"] * (1.0 if scale is None else scale))

    @cached_property
    def commit(self) -> pd.DataFrame:
        """What is to sign for the year: entries of the commit stage by segment, source and month. [records]"""
        rows = self.to_deliver
        rows = rows[(rows["stage"] == self.plan.commit_stage) & rows["month"].isin(self.plan.months)]
        return rows[["segment", "source", "month", "commit"]].reset_index(drop=True)

    def simulate(self, trials: int = TRIALS, seed: int = SEED) -> Simulation:
        """The year simulated with `trials` trials, as `seed` draws them.

        Raises
        ------
        PlanError
            If there are too few trials, or more than fit.
        """
        return simulate(self.year, trials=trials, seed=seed)

    @cached_property
    def measured(self) -> dict[str, Measured | None]:
        """By closing role: what the records say of its people; None where they say too little."""
        return measured_roles(self.plan, None if self.records is None else self.records.history)

    @cached_property
    def attainment(self) -> RepAttainment | None:
        """Who closed how much of their quota in the last twelve whole months the records know; None without people or records."""
        capacity = self.plan.capacity
        if capacity is None or self.records is None:
            return None
        history = self.records.history
        last = month_of(history.as_of + timedelta(days=1)) - 1
        span = ((last - 11).start_time.date(), last.end_time.date())
        wins = wins_of(history, {name: segment.acv.mean for name, segment in self.plan.segments.items()})
        return attainment(capacity.people, wins, capacity, span, months_label(last - 11, 12))

    @cached_property
    def people(self) -> PeopleBook:
        """Who closes the plan, as known on the plan date."""
        return PeopleBook(self)

    @cached_property
    def realism(self) -> Realism | None:
        """What the history says of the plan's assumptions; None where the plan names no records."""
        return realism(self.year, self.records, signed_year(self.to_sign))

    @cached_property
    def scenarios(self) -> tuple[ComparedScenario, ...]:
        """The plan and its scenarios side by side."""
        return compare(self.simulation)

    def simulated(self, simulation: Simulation, scenarios: tuple[ComparedScenario, ...]) -> Workbook:
        """This book with another simulation of its year and scenarios: of other trials, or another seed."""
        made = replace(self)
        vars(made).update(simulation=simulation, scenarios=scenarios)
        return made

    def in_scenario(self, name: str) -> Workbook:
        """This plan's committed entries in the world of one of its scenarios: what the simulator shows of it.

        Raises
        ------
        PlanError
            If the plan names no such scenario.
        """
        if name not in self.plan.scenarios:
            names = ", ".join(map(shown, self.plan.scenarios)) or "none"
            raise PlanError.at("scenario", f"{shown(name)!r} is no scenario of this plan; it has {names}")
        scenario, plan = self.plan.scenarios[name], scenario_plans(self.plan)[name]
        return replace(
            self,
            year=scenario_year(self.year, plan, scenario),
            scenario_note=_scenario_words(self.plan, name, scenario),
        )

    @cached_property
    def headline(self) -> str:
        """What is doubtful, if anything is, and what to sign."""
        return " ".join([*look_first(self.doubts), headline(self.to_sign)])

    @cached_property
    def answers(self) -> dict[str, str]:
        """What page one answers, a line each: goal, where we are, where we land, how sure, what to do and who does it."""
        return answers(self.year, self.quarters, self.to_sign, stretch(signed_year(self.to_sign), self.records))


def _scenario_words(plan: Plan, name: str, scenario: Scenario) -> str:
    volumes = {source: scenario.volume_of(source) for source in plan.sources}
    moved = [f"{shown(source)} {show(volume, 'share')} of them" for source, volume in volumes.items() if volume != 1]
    of_them = f", {', '.join(moved)}" if moved else ""
    return (
        f"Scenario {shown(name)}, as the simulator shows it: the entries are those that the base plan commits{of_them}; "
        "planned anew, it would ask for others."
    )


@dataclass(frozen=True, eq=False)
class PeopleBook:
    """A workbook's people on a day; each answer is made when it is first asked for."""

    book: Workbook
    as_of: date | None = None
    """The day from which anybody may leave unnamed; None for the plan date."""
    confidence: float | None = None
    """The chance of the goal that hires are to give; None for the plan's."""

    @property
    def plan(self) -> Plan:
        """The plan."""
        return self.book.plan

    @property
    def considered(self) -> bool:
        """Whether the plan says anything of its people; all below raise a PlanError where it does not."""
        return self.plan.capacity is not None

    @cached_property
    def staffing(self) -> Staffing:
        """Capacity beside demand, and what binds."""
        return staffing(self.book.simulation, self.as_of)

    @cached_property
    def worths(self) -> list[WorthOfOne]:
        """What one more, and one less, of everything is worth."""
        return worths(self.book.simulation)

    @cached_property
    def hiring(self) -> Hiring:
        """The fewest, latest hires."""
        return hiring(self.book.simulation, self.confidence)


def open_people(path: str | Path, as_of: date | str | None = None, confidence: float | None = None) -> PeopleBook:
    """The people of the plan file at `path`, and what they can close.

    Parameters
    ----------
    path
        The plan file; the files it names are looked for in its folder.
    as_of
        The day on which people are known, such as 2026-12-31; the plan date if left out.
    confidence
        The chance of the goal that hires are to give; the plan's if left out, or 0.

    Raises
    ------
    PlanError
        If the plan, the day or the chance is at fault.
    DataError
        If the records, the actuals or the roster it names are.
    """
    day = day_written(as_of)
    if confidence and not 0 < confidence < 1:
        raise PlanError.at("confidence", f"got {confidence:g}; write a chance between 0 and 1, such as 0.8")
    return PeopleBook(open_workbook(path), day, confidence or None)


def open_workbook(path: str | Path, progress: Progress | None = None, scenario: str = "") -> Workbook:
    """The computed workbook of the plan file at `path`.

    Parameters
    ----------
    path
        The plan file; the files it names are looked for in its folder.
    progress
        Called with done, total and what is being worked on, while the commit is solved.
    scenario
        The name of one of its scenarios, in whose world the plan's committed entries are then shown.

    Raises
    ------
    PlanError
        If the plan is at fault, what it names does not fit it, or it has no such scenario.
    DataError
        If the records or actuals it names are.
    """
    plan, records, actuals, doubtful, read = _inputs(real_path(path))
    plan = with_measured_ramps(with_history_rates(plan, records), None if records is None else records.history)
    year = plan_year(plan, snapshot_of(plan, records), progress)
    table = None if actuals is None else actuals.table
    book = Workbook(year=year, records=records, actual=table, doubts=doubtful, read=read)
    return book.in_scenario(scenario) if scenario else book


def _inputs(path: Path) -> tuple[Plan, Records | None, Actuals | None, tuple[str, ...], tuple[str, ...]]:
    """The plan at `path` with its people, its records, its actuals; what is doubtful of how they go together; how they were read.

    Raises
    ------
    RevplanError
        With the faults of all of them, and of how they fit each other, at once.
    """
    plan, of_plan = checked_plan(path)
    if plan is None:
        raise PlanError(of_plan)
    of_data: tuple[Fault, ...] = ()
    records: Records | None = None
    actuals: Actuals | None = None
    try:
        records = read_history(plan, path.parent)
    except DataError as error:
        of_data = error.faults
    try:
        actuals = read_actuals(plan, path.parent)
    except DataError as error:
        of_data = (*of_data, *error.faults)
    of_data = (*of_data, *call_faults(plan, path.parent))
    of_roster: tuple[str, ...] = ()
    try:
        plan, of_roster = with_roster(plan, path.parent)
    except DataError as error:
        of_data = (*of_data, *error.faults)
    unfit, doubtful = ((), ()) if of_plan else misfits(plan, records, actuals)
    if of_plan or unfit:
        raise PlanError((*of_plan, *of_data, *located(path, unfit)))
    if of_data:
        raise DataError(of_data)
    return plan, records, actuals, doubtful, (*(() if actuals is None else actuals.read), *of_roster)


def check_plan(path: str | Path, on: date | None = None) -> tuple[str, ...]:
    """How the files of the plan at `path` were read, line by line, where none of them is at fault.

    Parameters
    ----------
    path
        The plan file.
    on
        The day on which its assumptions must still hold; the plan date if left out.

    Raises
    ------
    RevplanError
        With every fault of the plan, of the files it names and of how they fit; a DataError where only the files are.
    """
    plan, records, _, doubtful, read = _inputs(real_path(path))
    whole = with_history_rates(plan, records)
    scenario_plans(whole)
    report = () if records is None else tuple(str(line) for line in records.history.report)
    look = [*doubtful, *expired(plan, on or plan.plan_date), *idle(plan), *idle_uncertainty(whole)]
    if plan.capacity is not None:
        look += idle_roles(plan.capacity)
        look += small_quotas(plan.capacity, min(each.acv.mean for each in plan.segments.values()), plan.currency)
    look += typed_words(plan, measured_roles(plan, None if records is None else records.history))
    look += [line for name in whole.scenarios for line in scenario_effects(whole, name)]
    return (*(f"{LOOK}{line}" for line in look), *report, *read)


def plan_answer(book: Workbook) -> dict[str, Any]:
    """What `revplan plan --json` prints."""
    bridge, year = book.year.bridge, book.year
    names = (
        "opening_arr",
        "new_arr",
        "expansion",
        "contraction",
        "churn",
        "closing_arr",
        "grr",
        "grr_churn_only",
        "nrr",
    )
    stages = book.stages.set_index("stage")
    return {
        "goal": {name: getattr(bridge, name) for name in names},
        "stages": list(book.plan.stage_ids),
        "required": stages["required"].to_dict(),
        "commitment": stages["commitment"].astype(int).to_dict(),
        "sign": {
            "confidence": book.to_sign.confidence,
            "highest_within_ceilings": book.to_sign.highest_within_ceilings,
            **book.to_sign.entries,
        },
        "by": plain_rows(book.funnel),
        "budget": sheets.spend_of_year(year),
        "cac": book.cac,
        "value_per_entry": stages["value_per_entry"].to_dict(),
        "shortfall": plain_rows(book.quarters.rename(columns={"shortfall": "arr", "commit_arr": "yield"})),
        "notes": list(book.notes),
    }
