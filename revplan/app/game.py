"""A plan opened to be played with: any scenario of it simulated, as `revplan simulate` would, in milliseconds.

The base plan's entries are held, as where scenarios are compared: what changes is what becomes of them.
All scenarios see the same random numbers, so a slider moved and moved back gives the same figures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from revplan.app.answers import values
from revplan.crm.inputs import frozen_inputs, input_files
from revplan.crm.planfile import read_plan, real_path
from revplan.exhibits.provenance import fingerprint
from revplan.funnel.year import PlannedYear, year_without_commit
from revplan.ground.errors import PlanError
from revplan.ground.files import scratch_folder
from revplan.ground.lag import forget
from revplan.plan.model import Plan
from revplan.plan.parts import Scenario
from revplan.plan.scenario import scenario_faults, varied
from revplan.simulation.curve import CONFIDENCES
from revplan.simulation.draws import DrawStore
from revplan.simulation.outlook import Outlook, outlook
from revplan.simulation.scenarios import with_entries
from revplan.simulation.simulate import SEED, STRETCH, TRIALS, Simulation, run
from revplan.simulation.trials import drivers
from revplan.workbook.workbook import Workbook, open_workbook

if TYPE_CHECKING:
    from revplan.tracking.pacebook import PaceBook

KEPT = 2  # simulations and worlds: of the move before, for a volume moves within one world
KEPT_FIGURES = 64  # scenarios whose figures are kept for the table: a simulation takes a megabyte, its figures nothing
KEPT_DELAYS = 400  # large results kept of delays
PLAYED = "played"
CHANGED = "has changed since this page was opened, or a file it names has; load the page again"

Volumes = tuple[float, ...]
Made = TypeVar("Made")


def kept(most: int) -> Callable[[Callable[..., Made]], cached_property[Callable[..., Made]]]:
    """A method whose last `most` answers are kept, by each game for itself."""
    return lambda method: cached_property(lambda game: lru_cache(maxsize=most)(partial(method, game)))


@dataclass(frozen=True, eq=False)
class Game:
    """A computed plan and what its scenarios come to."""

    book: Workbook
    path: Path
    """The plan file."""
    fingerprint: str
    """Of the plan file as it was opened."""
    stamp: str
    """Of the plan file and all files it names, as they were opened."""

    @property
    def plan(self) -> Plan:
        """The base plan."""
        return self.book.plan

    @cached_property
    def base(self) -> Simulation:
        """The base plan simulated."""
        return self.book.simulation

    def play(self, scenario: Scenario) -> Simulation:
        """The base plan's entries in the world of `scenario`.

        Raises
        ------
        PlanError
            If the scenario contradicts the plan.
        """
        return self._simulated(*self._played(scenario))

    def figures(self, scenario: Scenario) -> tuple[float, ...]:
        """The figures of `scenario` in the table, kept longer than its simulation.

        Raises
        ------
        PlanError
            If the scenario contradicts the plan.
        """
        return self._figures(*self._played(scenario))

    def _played(self, scenario: Scenario) -> tuple[Plan, Volumes]:
        plan = self.varied(scenario)
        return plan, tuple(scenario.volume_of(source) for source in plan.sources)

    def varied(self, scenario: Scenario) -> Plan:
        """The base plan with the changes of `scenario`, its volumes left out.

        Raises
        ------
        PlanError
            If the scenario contradicts the plan.
        """
        faults = scenario_faults(self.plan, PLAYED, scenario)
        if faults:
            raise PlanError(faults)
        return varied(self.plan, PLAYED, scenario)

    @cached_property
    def pace(self) -> PaceBook:
        """The running year by the last day that the records know.

        Raises
        ------
        RevplanError
            If the files are at fault, or are others by now than those that were opened.
        """
        from revplan.tracking.book import read_year  # what the first screen need not wait for
        from revplan.tracking.pacebook import pace_of

        with scratch_folder("revplan-") as scratch:
            copy = frozen_inputs(self.path, Path(scratch, "plan"))
            if stamp(copy) != self.stamp:
                raise PlanError.at(self.path.name, CHANGED)
            files = replace(read_year(copy), path=self.path)  # what nightly runs saw lies beside the plan itself
            return pace_of(files, None, "")

    @kept(KEPT_FIGURES)
    def _figures(self, plan: Plan, volumes: Volumes) -> tuple[float, ...]:
        return values(self._simulated(plan, volumes))

    @kept(KEPT)
    def _simulated(self, plan: Plan, volumes: Volumes) -> Simulation:
        year, view = self._view(plan.model_copy(update={"commit": self.plan.commit}), volumes)
        asked = (plan.commit.confidence, STRETCH, *CONFIDENCES)
        found, (signed, stretch, *curve) = run(view, DrawStore(TRIALS, drivers(view), SEED), asked)
        year = replace(year, plan=plan)
        return Simulation(year, view, TRIALS, SEED, found, tuple(curve), signed, stretch)

    @kept(KEPT)
    def _view(self, plan: Plan, volumes: Volumes) -> tuple[PlannedYear, Outlook]:
        scaled = Scenario(volume=dict(zip(plan.sources, volumes, strict=True)))
        year = with_entries(self._world(plan), self.base.year, scaled)
        return year, outlook(year)

    @kept(KEPT)
    def _world(self, plan: Plan) -> PlannedYear:
        forget(KEPT_DELAYS)
        return year_without_commit(plan, self.base.year.snapshot)


def open_game(path: str | Path) -> Game:
    """The plan file at `path`, computed and simulated.

    Raises
    ------
    RevplanError
        If the plan or a file it names is at fault.
    """
    path = real_path(path)
    with scratch_folder("revplan-") as scratch:
        copy = frozen_inputs(path, Path(scratch, "plan"))
        return Game(open_workbook(copy), path, fingerprint([copy]), stamp(copy))


def stamp(path: Path) -> str:
    """The fingerprint of a plan file and of all files it names.

    Raises
    ------
    RevplanError
        If the plan or its CRM file is at fault.
    """
    return fingerprint([path, *input_files(read_plan(path), path.parent)])
