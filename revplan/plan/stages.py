"""The stages a record goes through: data, not code; four published lists come as presets."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any, Literal

from pydantic import Field

from revplan.ground.values import Value

Counts = Literal["person", "account", "opportunity"]


class Stage(Value):
    """One stage of the funnel, in the words both departments signed."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]{0,29}$")
    """Short name used in transitions and tables: small letters, digits and _."""
    label: str = ""
    """How reports name it; if left out the id, a short one in capitals."""
    counts: Counts = "person"
    """What one entry is: a person, an account or an opportunity."""
    owner: str = "marketing"
    """Who answers for entries into the stage."""
    entered_when: str = ""
    """The criterion in words: a record enters the stage when this is true."""
    valid_from: date | None = None
    """The day this definition took effect."""

    @property
    def title(self) -> str:
        """How reports name the stage."""
        initials = len(self.id) <= 3 and self.id != "won"
        return self.label or (self.id.upper() if initials else self.id.capitalize())

    @property
    def definition(self) -> str:
        """What an entry is, who answers for it and when it counts, in one sentence."""
        what = {"person": "a person", "account": "an account", "opportunity": "an opportunity"}[self.counts]
        when = f", once {self.entered_when}" if self.entered_when else ""
        since = f" (defined so since {self.valid_from})" if self.valid_from else ""
        return f"{self.title}: {what}{when}; {self.owner} answers for it{since}."


def _stage(id: str, label: str, counts: Counts, owner: str, entered_when: str) -> Stage:
    return Stage(id=id, label=label, counts=counts, owner=owner, entered_when=entered_when)


_LEAD = _stage("lead", "Lead", "person", "marketing", "a person gave contact details and consent")
_INQUIRY = _stage("inquiry", "Inquiry", "person", "marketing", "a person raised a hand")
_MQL = _stage("mql", "MQL", "person", "marketing", "fit and interest pass the agreed score")
_WON = _stage("won", "Won", "opportunity", "sales", "the contract is signed")

# Names and order as in the SaaStr articles on one core marketing commit, the SiriusDecisions
# demand waterfall and HubSpot's default life cycle; SAL and SQL stand in the order of each source.
PRESETS: dict[str, tuple[Stage, ...]] = {
    "saastr": (
        _LEAD,
        _MQL,
        _stage("sql", "SQL", "person", "marketing", "sales agrees with the score"),
        _stage("sal", "SAL", "person", "sales", "sales agrees to call back and work it"),
        _stage("sqo", "SQO", "opportunity", "sales", "budget and stakeholders are confirmed"),
        _WON,
    ),
    "sirius": (
        _INQUIRY,
        _MQL,
        _stage("sal", "SAL", "person", "sales", "sales development accepts the lead"),
        _stage("sql", "SQL", "opportunity", "sales", "a quota-carrying rep takes it as qualified"),
        _WON,
    ),
    "hubspot": (
        _LEAD,
        _MQL,
        _stage("sql", "SQL", "person", "sales", "sales takes the contact as qualified"),
        _stage("opportunity", "Opportunity", "opportunity", "sales", "a deal is opened"),
        _stage("customer", "Customer", "opportunity", "sales", "the contract is signed"),
    ),
    "single": (
        _stage("lead", "Qualified lead", "person", "marketing", "both teams' one definition of a lead holds"),
        _WON,
    ),
}


def expand_preset(value: Any) -> Any:
    """The stages of a preset where a preset's name is given; anything else unchanged.

    Raises
    ------
    ValueError
        If the name is no preset's.
    """
    if not isinstance(value, str):
        return value
    if value not in PRESETS:
        raise ValueError(f"there is no preset {value[:40]!r}; write one of {', '.join(PRESETS)}, or a list of stages")
    return PRESETS[value]


def titles_of(stages: Iterable[Stage]) -> dict[str, str]:
    """What a reader calls each stage, by its id."""
    return {stage.id: stage.title for stage in stages}
