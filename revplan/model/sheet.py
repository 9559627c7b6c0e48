"""The commit sheet: one plan stated in every stage, what an entry is worth, and which stage to sign."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from revplan.calendar import MONTHS_PER_YEAR
from revplan.formats import money
from revplan.plan.model import Plan

# Deal sizes named by the SaaStr articles on one core marketing commit. [whole dollars, or what is worth as much]
OPPORTUNITY_COMMIT_FROM = 50_000
NURTURED_FROM = 3_000
SOLD_FROM = 100
"""Mean deal below which amounts are taken to be written in thousands or millions; the rule is left out then."""


@dataclass(frozen=True)
class Choice:
    """A stage marketing could sign for, and what speaks for and against it."""

    stage: str
    suggested: bool
    reason: str


def commit_choices(plan: Plan, mean_acv: float) -> tuple[Choice, ...]:
    """What speaks for and against a commit at each stage; the planner decides.

    The rule looks at the mean deal and the number of stages; it is drawn from the SaaStr articles
    "Pick, and agree on, 1 core marketing commit" and "Your VP Sales and VP Marketing Should Be Your
    Mom and Dad of Revenue".
    """
    suggested = _suggested(plan, mean_acv)
    return tuple(
        Choice(stage, stage == suggested, _reason(plan, stage, suggested, mean_acv)) for stage in plan.stage_ids
    )


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


def sums_by_quarter(months: np.ndarray) -> np.ndarray:
    """Quarter sums of a year's months, along the last axis."""
    return months.reshape(*months.shape[:-1], MONTHS_PER_YEAR // 3, 3).sum(axis=-1)
