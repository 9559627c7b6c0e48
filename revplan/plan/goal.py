"""What the year must bring: the terms of the ARR bridge, their phasing over the year."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from revplan.calendar import MONTHS_PER_YEAR
from revplan.errors import digits
from revplan.values import Number, Value

SHARE_TOLERANCE = 1e-6
MOST_GROWTH = 5.0  # of new ARR from one year to the next: more is a percentage written without its sign

Solve = Literal["solve"]
Money = Annotated[Number, Field(ge=0, le=1e15)]
# Weight of a share; shares that belong together sum to 1.
Share = Annotated[Number, Field(ge=0, le=1)]
Shares = tuple[Share, ...]


class Change(Value):
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
    def _one_of(self) -> Change:
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


Term = Annotated[Change | Solve, BeforeValidator(_amount, json_schema_input_type=Money | Change | Solve)]
NOTHING = Change(amount=0.0)


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
