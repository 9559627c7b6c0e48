"""The number to sign, beside the expected commit and what the sources' ceilings allow; and which stage to sign for.

`revplan plan`, `simulate` and `sign`, the pages and the app all read it here, so that they cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from revplan.funnel.tables import entries_by_stage, spend_of_entries
from revplan.funnel.year import SETTLED, PlannedYear
from revplan.ground.errors import shown
from revplan.ground.formats import commitment, compact, counted, listed, money, plural, raised, show
from revplan.ground.tables import from_rows
from revplan.plan.model import Plan
from revplan.simulation.curve import MOST
from revplan.simulation.draws import DrawStore
from revplan.simulation.scenarios import largest_scales
from revplan.simulation.simulate import Simulation, run
from revplan.simulation.tornado import Swing
from revplan.simulation.trials import drivers
from revplan.workbook.simulated import WITHIN, finite

FEW_WINS = 30  # expected wins below which bands of a year are rough: deals come whole (DECISIONS.md, Simulation)
EVEN = 0.4, 0.6  # chances that are about a coin toss
TOO_FEW = (
    "the people of the plan could not close what it would bring; `revplan hire` says who would have to start when."
)
HELD = 0.10  # of the number to sign, from which what people hold back of it is told
NO_PEOPLE = (
    "People are not considered: the plan does not say who closes (key capacity), so whatever comes counts as worked."
)
MOST_NAMED = 3  # sources in a sentence on ceilings
STEP = 0.01  # of the confidences that are offered
TWOFOLD = 2.0  # beyond which a multiple is plainer than a per cent


@dataclass(frozen=True, eq=False)
class ToSign:
    """What a simulated plan asks to be signed: times its expected commit, in whole entries of every stage."""

    simulation: Simulation

    @property
    def stage(self) -> str:
        """The stage that is signed for."""
        return self.simulation.year.plan.commit_stage

    @property
    def confidence(self) -> float:
        """Chance of the goal that the number to sign gives. [0-1]"""
        return self.simulation.confidence

    @property
    def scale(self) -> float | None:
        """Times the expected commit; None where no volume gives the confidence. [ratio]"""
        return finite(self.simulation.signed.scale.value)

    @cached_property
    def expected(self) -> Mapping[str, float]:
        """The expected commit: entries of the year by stage that meet the goal in expectation as far as it can be. [records]"""
        return entries_by_stage(self.simulation.year)

    @cached_property
    def entries(self) -> Mapping[str, int | None]:
        """What to sign for the year by stage, rounded up; None where no volume gives the confidence. [records]"""
        scale = self.scale
        return {stage: None if scale is None else commitment(scale * count) for stage, count in self.expected.items()}

    @property
    def number(self) -> int | None:
        """What to sign at the commit stage. [records]"""
        return self.entries[self.stage]

    @property
    def chance(self) -> float:
        """Chance of the goal that the expected commit gives. [0-1]"""
        return self.simulation.outcome.chance_of_goal.value

    @cached_property
    def ceilings(self) -> Mapping[str, float]:
        """By source with a ceiling: times the expected commit up to which it keeps it. [ratio]"""
        return largest_scales(self.simulation.year)

    @property
    def most(self) -> float:
        """Times the expected commit up to which every source keeps its ceiling; infinite without one. [ratio]"""
        return min(self.ceilings.values(), default=float("inf"))

    @property
    def is_above_ceilings(self) -> bool:
        """Whether the number to sign asks a source for more than its ceiling allows."""
        return self.scale is not None and self.scale > self.most * WITHIN

    @property
    def binding(self) -> tuple[str, ...]:
        """The sources whose ceiling is reached first."""
        return tuple(name for name, scale in self.ceilings.items() if scale <= self.most * (1 + 1e-6))

    @property
    def over(self) -> tuple[str, ...]:
        """The sources that the number to sign asks for more than their ceilings allow."""
        scale = self.scale or 0.0
        return tuple(name for name, most in self.ceilings.items() if scale > most * WITHIN)

    @cached_property
    def goal_within_reach(self) -> float:
        """The highest goal that the entries as they stand reach with the confidence wanted. [plan currency]"""
        return self.simulation.goal_at(self.confidence)

    @property
    def more(self) -> int | None:
        """Entries at the commit stage to sign beyond those that stand, rounded up; None where no volume is enough. [records]"""
        return None if self.scale is None else commitment(max(self.scale - 1, 0.0) * self.expected[self.stage])

    @property
    def spend(self) -> float | None:
        """Programme spend on the entries that stand, over the priced sources; None without any. [plan currency]"""
        year = self.simulation.year
        priced = any(source.cost_per_entry is not None for source in year.plan.sources.values())
        return spend_of_entries(year) if priced else None

    @property
    def more_spend(self) -> float | None:
        """Programme spend on `more`, over the priced sources; None without any, or where no volume is enough. [plan currency]"""
        return None if self.scale is None or self.spend is None else max(self.scale - 1, 0.0) * self.spend

    @cached_property
    def more_arr(self) -> float | None:
        """New ARR that `more` is expected to bring within the year, as far as people close it; None where no volume is enough. [plan currency]"""
        if self.scale is None:
            return None
        trials = self.simulation.detail
        return float(trials.chances_at(self.scale).mean.mean() - trials.chances_at(1.0).mean.mean())

    @property
    def more_arr_ever(self) -> float | None:
        """New ARR that `more` is expected to bring in the end; None where no volume is enough or people limit what closes. [plan currency]"""
        if self.scale is None or self.simulation.detail.demand is not None:
            return None
        year = self.simulation.year
        pairs = zip(year.cells, year.flows, strict=True)
        worth = (year.in_year(flow[0]).sum() * cell.rates_to_won[0] * cell.acv for cell, flow in pairs)
        return (self.scale - 1) * float(sum(worth))

    @property
    def unpriced(self) -> tuple[str, ...]:
        """The sources without a cost per entry that entries are committed of."""
        year = self.simulation.year
        entered = {
            name: sum(year.in_year(year.flows[row][0]).sum() for row in year.rows_of(name))
            for name in year.plan.sources
        }
        return tuple(
            name for name, source in year.plan.sources.items() if source.cost_per_entry is None and entered[name] > 0
        )

    @cached_property
    def highest_within_ceilings(self) -> float:
        """The highest chance of the goal that entries within the ceilings give, or any entries where none is stated. [0-1]"""
        return self.simulation.chance_at(min(self.most, MOST))

    @cached_property
    def offered(self) -> float | None:
        """The highest confidence in whole percents that can be signed within the ceilings; None where none can. [0-1]"""
        percents = math.floor(self.highest_within_ceilings / STEP + 1e-9)
        asked = [round(STEP * each, 2) for each in range(min(percents, 99), 0, -1)]
        for confidence in asked[:3]:  # the curve is joined between its nodes, so that a point may lie a little above it
            if at_confidence(self.simulation, confidence).scale_within(self.most):
                return confidence
        return None

    @cached_property
    def scale_with_people(self) -> float | None:
        """Times the expected commit that would do if nobody lacked the time; None where people are no matter. [ratio]"""
        simulation = self.simulation
        if simulation.view.months is None:
            return None
        view = replace(simulation.view, months=None)
        _, (point,) = run(view, DrawStore(simulation.trials, drivers(view), simulation.seed), (self.confidence,))
        return finite(point.scale.value)

    def scale_within(self, most: float) -> bool:
        """Whether there is a number to sign, of at most `most` times the expected commit."""
        return self.scale is not None and self.scale <= most * WITHIN


def at_confidence(simulation: Simulation, confidence: float) -> ToSign:
    """The same plan, to be signed at another confidence."""
    return ToSign(simulation.at_confidence(confidence))


def in_parts(asked: ToSign) -> str:
    """What of the number to sign is luck, ignorance and insurance, in one sentence; empty where no volume is enough."""
    parts = asked.simulation.signed_parts
    if asked.scale is None or not parts.luck > 0:
        return ""
    luck, ignorance, insurance = (f"{parts.steps[name]:+.0%}" for name in ("luck", "ignorance", "insurance"))
    return (
        f"Being {show(asked.confidence, 'share')} sure takes {against_expected(asked.scale)}: {luck} for luck, {ignorance} because "
        f"the rates are estimates, {insurance} as insurance against a market that moves."
    )


def against_expected(scale: float) -> str:
    """So many times the expected commit, as a reader compares: a third more than it, 4.1 times it."""
    if scale > TWOFOLD:
        return f"{show(scale, 'ratio')} times the expected commit"
    return f"{show(round(abs(scale - 1), 3), 'share')} {'more' if scale >= 1 else 'less'} than the expected commit"


def parts_words(asked: ToSign) -> str:
    """What the parts of the number to sign are, in one sentence."""
    given = asked.simulation.year.plan.uncertainty
    return (
        "Luck is how many deals come, and how large; in a market that moves, rates move together at "
        f"{given.rho:.0%}, delays stray by {given.lag_cv:.0%}, volumes by {given.volume_cv:.0%}."
    )


def signed_year(asked: ToSign) -> PlannedYear:
    """The year with the entries to sign in the place of the expected commit; as it is where no volume gives the confidence."""
    return scaled(asked.simulation.year, 1.0 if asked.scale is None else asked.scale)


def scaled(year: PlannedYear, scale: float) -> PlannedYear:
    """The year with `scale` times its entries from the plan date on."""
    return replace(year, flows=tuple(flow * scale for flow in year.flows))


# --- in words ------------------------------------------------------------------------------------


def sentence(asked: ToSign) -> str:
    """What to sign, what the plan gives in expectation and what the ceilings allow, in one line."""
    if not asked.simulation.view.goal > 0:
        return "To sign: nothing, for the year asks for no new ARR."
    return f"To sign: {to_sign_words(asked)}. {sure_words(asked)}"


def sure_words(asked: ToSign) -> str:
    """The expected commit and its chance, and what the ceilings allow; in one sentence or two."""
    if abs(asked.most - 1) < STEP / 2:  # the expected commit takes all that the ceilings allow
        return f"{expected_words(asked)}; more is above {_ceilings_of(asked)}."
    return f"{expected_words(asked)}. {ceiling_words(asked)}."


def to_sign_words(asked: ToSign) -> str:
    """What to sign and how sure it is: 992 SQLs, which reach the goal in 80% of the years."""
    return reaching_words(asked.number, _title(asked), asked.confidence)


def reaching_words(number: float | None, title: str, confidence: float) -> str:
    """How many entries, to sign or signed, reach the goal, and how often; None where no number does."""
    sure = f"the goal in {show(confidence, 'share')} of the years"
    if number is None:
        return f"no number of {plural(title)} reaches {sure}"
    if not number:
        return f"no new {plural(title)}, for what exists already reaches {sure}"
    return f"{counted(number, title, kind='commitment')}, which {'reaches' if number == 1 else 'reach'} {sure}"


def expected_words(asked: ToSign) -> str:
    """The expected commit and its chance, about a coin toss where it is one."""
    return chance_words(asked.expected[asked.stage], _title(asked), asked.chance)


def chance_words(entries: float, title: str, chance: float) -> str:
    """An expected commit of so many entries, and in how many years it reaches the goal."""
    toss = ", about a coin toss" if EVEN[0] <= chance <= EVEN[1] else ""
    share = show(round(chance, 3), "share")
    whole = commitment(entries)
    reach = "reaches" if whole == 1 else "reach"
    return (
        f"Expected commit: {counted(whole, title, kind='commitment')}, which {reach} it in {share} of the years{toss}"
    )


def ceiling_words(asked: ToSign) -> str:
    """Up to which confidence the ceilings allow, and whose are reached first."""
    highest = show(round(asked.highest_within_ceilings, 3), "share")
    if not asked.ceilings:
        return "No source states a ceiling" + (f"; volume alone gives up to {highest}" if asked.scale is None else "")
    return f"Within {_ceilings_of(asked)} the chance is {highest} at most"


def _ceilings_of(asked: ToSign) -> str:
    """The ceilings that are reached first."""
    return ceilings_of(asked.binding[:MOST_NAMED])


def ceilings_of(sources: Sequence[str]) -> str:
    """The ceilings of some sources, named."""
    return f"the ceiling{'s' * (len(sources) > 1)} of {listed([shown(name) for name in sources])}"


def _title(asked: ToSign) -> str:
    return asked.simulation.year.plan.titles[asked.stage]


def simulation_notes(simulation: Simulation) -> Iterator[str]:
    """What a reader must know beside the numbers, one sentence each."""
    yield from limit_words(ToSign(simulation))
    if simulation.view.months is None:
        yield NO_PEOPLE
    yield from _taken_as_certain(simulation)
    cost, currency = simulation.cost_of_uncertainty, simulation.year.plan.currency
    if abs(cost) > SETTLED * simulation.view.goal:
        verb = "cost" if cost > 0 else "add"
        yield f"Uncertain delays {verb} {compact(abs(cost), currency)} of the plan's ARR in expectation."
    count, chance = simulation.all_hold
    if count:
        met = show(chance, "share") if chance >= 0.001 else "less than 0.1%"
        vary = counted(count, "rate, volume or delay varies", "rates, volumes and delays vary")
        yield f"{vary} in the simulation; the chance that every one is met is {met}."
    if (wins := float(simulation.view.planned_wins.sum())) < FEW_WINS:
        yield f"Only {counted(wins, 'win is', 'wins are')} expected: deals come whole, so the bands are rough."


def limit_words(asked: ToSign) -> Iterator[str]:
    """Why the confidence cannot be had, or whose ceiling is in its way."""
    enough = asked.scale_with_people
    if asked.scale is not None and enough is not None and asked.scale > (1 + HELD) * enough:
        yield (
            f"{asked.scale:.2f} times the expected commit are asked for because people lack the time: if nobody did, {enough:.2f} times "
            "would do. `revplan hire` says who would have to start when."
        )
    if asked.scale is None and enough is not None:
        yield f"{raised(to_sign_words(asked))}: {TOO_FEW}"
    elif asked.scale is None:
        yield f"{raised(to_sign_words(asked))}: what is missing comes too late or not at all."
    elif asked.is_above_ceilings:
        yield (
            f"{ceiling_words(asked)}: {asked.most:.2f} times the expected commit, where {asked.scale:.2f} times are to sign. "
            "Raise a ceiling (max_per_month, max_growth), find another source, or lower goal or confidence."
        )


def decides_words(swings: Iterable[Swing], currency: str) -> str:
    """What decides most, and between what it moves the year, in one sentence."""
    first = next((swing for swing in swings if abs(swing.high - swing.low) > 0), None)
    if first is None:
        return "Nothing in this plan is uncertain: it states no evidence, so its rates are taken as certain."
    between = f"between {compact(first.low, currency)} and {compact(first.high, currency)}"
    return f"What decides most is {shown(first.driver)}: {between}, {show(first.share, 'share')} of the year's uncertainty."


def _taken_as_certain(simulation: Simulation) -> Iterator[str]:
    rates = simulation.view.rates
    stated = int(((rates.evidence == float("inf")) & (rates.mean < 1)).sum())
    if stated:
        yield f"{stated} of {counted(len(rates.mean), 'rate')} {'is' if stated == 1 else 'are'} stated without evidence, and so taken as certain."
    plan = simulation.year.plan
    without = [name for name, segment in plan.segments.items() if segment.acv.sd is None]
    if without:
        yield f"No spread (sd) of the deal size is given for {', '.join(map(shown, without))}: every deal there counts as the mean."


# --- which stage to sign for ---------------------------------------------------------------------

# Deal sizes named by the SaaStr articles on one core marketing commit. [whole dollars, or what is worth as much]
OPPORTUNITY_COMMIT_FROM = 50_000
NURTURED_FROM = 3_000
SOLD_FROM = 100
"""Mean deal below which amounts are taken to be written in thousands or millions; the rule is left out then."""


def commit_choices_table(year: PlannedYear) -> pd.DataFrame:
    """What speaks for and against a commit at each stage; the planner decides.

    The rule looks at the mean deal and the number of stages; it is drawn from the SaaStr articles
    "Pick, and agree on, 1 core marketing commit" and "Your VP Sales and VP Marketing Should Be Your
    Mom and Dad of Revenue".
    """
    plan = year.plan
    mean = float(year.wins @ year.acv / year.wins.sum()) if year.wins.sum() > 0 else float(year.acv.mean())
    mean_acv = float(f"{mean:.9g}")  # a mean of many is off in its last bits, and bounds are round numbers
    suggested = _suggested(plan, mean_acv)
    rows = (
        (stage, stage == suggested, stage == plan.commit_stage, _reason(plan, stage, suggested, mean_acv))
        for stage in plan.stage_ids
    )
    return from_rows("commit_choices", rows)


def _suggested(plan: Plan, mean_acv: float) -> str:
    stages = plan.stage_ids
    if len(stages) == 2 or SOLD_FROM <= mean_acv < NURTURED_FROM:
        return stages[min(1, len(stages) - 2)]
    if mean_acv >= OPPORTUNITY_COMMIT_FROM:
        return stages[-2]
    return plan.commit_stage if plan.commit_stage in stages[1:-2] else stages[min(2, len(stages) - 2)]


def _reason(plan: Plan, stage: str, suggested: str, mean_acv: float) -> str:
    stages = plan.stage_ids
    deal = f"a mean deal of {money(mean_acv, plan.currency)}"
    if stage == stages[-1]:
        return "marketing shares this with sales: a commit here invites talk of best efforts"
    if len(stages) == 2:
        return "the one lead definition both teams share: right for transactional sales"
    if stage == stages[0]:
        nurture = "" if mean_acv < NURTURED_FROM else f", and with {deal} nurturing is not rewarded"
        return f"easy to count, but invites disputes over quality{nurture}"
    if stage == stages[-2] and len(stages) > 3:
        return _of_opportunities(mean_acv, deal)
    if SOLD_FROM <= mean_acv < NURTURED_FROM:
        return f"{deal}: one definition of a qualified lead is enough"
    if stage == suggested:
        return "counts quality as well as volume, and marketing can still move it"
    if stages.index(stage) < stages.index(suggested):
        return "quicker to count, but nearer to raw leads: it says less about quality"
    return "nearer to the deal, but less of it is in marketing's hands"


def _of_opportunities(mean_acv: float, deal: str) -> str:
    if mean_acv < SOLD_FROM:
        return f"right for large deals; {deal} reads as if in thousands or millions, so deal sizes are left out"
    enough = mean_acv >= OPPORTUNITY_COMMIT_FROM
    return f"{deal} is {'enough' if enough else 'too small'} for it: wanted are {OPPORTUNITY_COMMIT_FROM:,} and up"
