"""The assumption log held against a day and against the records behind the rates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pandas as pd

from revplan.errors import shown
from revplan.formats import show
from revplan.plan.assumption import Assumption
from revplan.plan.model import Plan, Transition
from revplan.plan.places import places, transition_place
from revplan.plan.stages import titles_of
from revplan.plan.words import key_words, step_words, value_words
from revplan.tables import columns, conform

FEW_RECORDS = 30.0
"""Below this a rate is little more than an opinion: with 30 records and a rate of 20 % the error is 7 points."""

HOLDS, EXPIRED, FEW = "holds", "expired", "few records"
TABLE = "assumption_log"


def assumption_log_table(plan: Plan, on: date) -> pd.DataFrame:
    """Table assumption_log: every logged assumption, and whether it still holds on the day `on`."""
    said = places(plan)
    rows = [_row(plan, each, said[each.about], on) for each in plan.assumptions if each.about in said]
    kinds = {column.name: _DTYPES.get(column.kind, "str") for column in columns(TABLE)}
    return conform(pd.DataFrame(rows, columns=list(kinds)).astype(kinds), TABLE)


_DTYPES = {"date": "datetime64[us]", "count": "float64"}


def _row(plan: Plan, each: Assumption, value: object, on: date) -> tuple[Any, ...]:
    evidence = _evidence(plan, each.about)
    few = evidence is not None and evidence < FEW_RECORDS
    states = [state for state, applies in ((EXPIRED, each.has_expired(on)), (FEW, few)) if applies]
    words = value_words(each.about.rsplit(".", 1)[-1], value, plan.currency) if value is not None else ""
    state = ", ".join(states) or HOLDS
    dates = each.estimated, each.expires
    return each.about, _what(plan, each.about), words, each.owner, each.source, *dates, evidence, state, each.note


def _what(plan: Plan, about: str) -> str:
    """A place in words: SQO to Won, mid; mid, deal; churn."""
    head, *keys = about.split(".")
    if head == "transitions":
        step = [name for name in keys[2:] if name not in Transition.model_fields]
        values = [name for name in keys[2:] if name in Transition.model_fields]
        titles = titles_of(plan.stages)
        return ", ".join([step_words(titles, *keys[:2], *step), *map(key_words, values)])
    if head in {"segments", "sources", "scenarios"} and keys:
        return ", ".join([shown(keys[0]), *map(key_words, keys[1:])])
    return " ".join(map(key_words, keys or [head]))


def _evidence(plan: Plan, about: str) -> float | None:
    """Records behind the transition that `about` names, itself or one of its values."""
    named = [each for each in plan.transitions if about == _place(each) or about.startswith(f"{_place(each)}.")]
    return max(named, key=lambda each: len(_place(each))).evidence if named else None


def _place(each: Transition) -> str:
    return transition_place(each.from_stage, each.to_stage, each.segment, each.source)


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
