"""The assumption log: who answers for what the plan assumes, what it rests on, and until when it holds."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import Field, ValidationInfo, model_validator

from revplan.values import SALVAGE, Value

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
        known = self.expires is not None and self.estimated is not None
        if info.context != SALVAGE and known and self.expires < self.estimated:  # type: ignore[operator]
            raise ValueError(f"expires on {self.expires}, before it was estimated on {self.estimated}; correct one")
        return self

    def has_expired(self, on: date) -> bool:
        """Whether it asks for another look on the day `on`."""
        return self.expires is not None and self.expires < on
