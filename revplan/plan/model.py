"""The plan: its parts, held against each other."""

from __future__ import annotations

from typing import Self

from pydantic import ValidationInfo, model_validator

from revplan.ground.errors import PlanError
from revplan.ground.values import SALVAGE
from revplan.plan.checks import consistency
from revplan.plan.parts import UncheckedPlan


class Plan(UncheckedPlan):
    """An annual plan: goal, stages, segments, sources, transitions, and what they are based on.

    Raises
    ------
    PlanError
        If its values contradict each other; all faults at once.
    """

    def __repr__(self) -> str:
        return f"<Plan {self.name}>"

    @model_validator(mode="after")
    def _consistent(self, info: ValidationInfo) -> Self:
        if info.context != SALVAGE and (faults := consistency(self)):
            raise PlanError(faults)
        return self
