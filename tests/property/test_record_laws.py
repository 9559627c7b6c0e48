"""Laws of the plan of record, for whatever plan and whatever single change."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revplan.funnel.year import PlannedYear, Snapshot, plan_year
from revplan.plan.model import Plan
from revplan.record.difference import NOTHING, Side, applied, between, figures, leaves
from revplan.record.signed import CONTENTS, NO_HASH, README, content_hash, listing
from revplan.workbook.workbook import Workbook

LAWS = settings(
    deadline=None,
    derandomize=True,
    max_examples=40,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
FEW = settings(LAWS, max_examples=12)  # each simulates a plan several times
LAGS = st.sampled_from([{"months": 0}, {"months": 2}, {"median_days": 30.0, "p90_days": 90.0}, {"weights": [0.5, 0.5]}])
RATES = st.floats(0.05, 0.95)
SHARES = st.floats(0.1, 0.9)


@st.composite
def plans(draw: Any) -> dict[str, Any]:
    """The data of a plan with two segments, two sources and three stages."""
    segment, source = draw(SHARES), draw(SHARES)
    return {
        "year": {"first_month": "2027-01"},
        "plan_date": draw(st.dates(date(2026, 9, 1), date(2027, 3, 31))),
        "goal": {"opening_arr": 4e6, "closing_arr": draw(st.floats(4.5e6, 9e6)), "churn": {"rate": draw(st.floats(0, 0.2))}},
        "stages": [{"id": "lead"}, {"id": "sql"}, {"id": "won"}],
        "commit": {"stage": "sql"},
        "segments": {"smb": {"share": segment, "acv": draw(st.floats(2e3, 2e4))}, "mid": {"share": 1 - segment, "acv": 4e4}},
        "sources": {
            "web": {"share": source, "cost_per_entry": draw(st.floats(1, 300))},
            "partner": {"share": 1 - source, "enters": "sql"},
        },
        "transitions": [
            {"from": "lead", "to": "sql", "rate": draw(RATES), "lag": draw(LAGS), "evidence": 300},
            {"from": "sql", "to": "won", "rate": draw(RATES), "lag": draw(LAGS), "evidence": 80},
            {"from": "sql", "to": "won", "segment": "mid", "rate": draw(RATES), "evidence": 40},
        ],
    }  # fmt: skip


@st.composite
def single_changes(draw: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A plan, and the same with one thing changed that stands alone."""
    before = draw(plans())
    after = {**before}
    kind = draw(st.sampled_from(["rate", "lag", "acv", "cost", "shares", "closing", "churn", "phasing", "date"]))
    steps, which = [dict(each) for each in before["transitions"]], draw(st.integers(0, 2))
    if kind in {"rate", "lag"}:
        steps[which][kind] = draw(RATES if kind == "rate" else LAGS)
        after["transitions"] = steps
    elif kind == "acv":
        after["segments"] = {
            **before["segments"],
            "mid": {**before["segments"]["mid"], "acv": draw(st.floats(1e4, 1e5))},
        }
    elif kind == "cost":
        after["sources"] = {
            **before["sources"],
            "web": {**before["sources"]["web"], "cost_per_entry": draw(st.floats(1, 300))},
        }
    elif kind == "shares":
        share = draw(SHARES)
        segments = before["segments"]
        after["segments"] = {"smb": {**segments["smb"], "share": share}, "mid": {**segments["mid"], "share": 1 - share}}
    elif kind == "date":
        after["plan_date"] = draw(st.dates(date(2026, 9, 1), date(2027, 3, 31)))
    else:
        term: dict[str, Any] = {
            "closing": {"closing_arr": draw(st.floats(4.5e6, 9e6))},
            "churn": {"churn": {"rate": draw(st.floats(0, 0.2))}},
            "phasing": {"phasing": {"quarters": [0.1, 0.2, 0.3, 0.4]}},
        }[kind]
        after["goal"] = {**before["goal"], **term}
    return before, after


def side(data: dict[str, Any]) -> Side:
    """A plan computed, without records."""
    return Side(Workbook(planned(data)), {}, None)


def planned(data: dict[str, Any]) -> PlannedYear:
    return plan_year(Plan.model_validate(data), Snapshot())


@FEW
@given(plans())
def test_nothing_differs_between_a_plan_and_itself(data: dict[str, Any]) -> None:
    found = between(side(data), side(data))
    assert found.changes == ()
    assert list(found.together.values()) == pytest.approx([0] * len(found.together), abs=1e-6)


@FEW
@given(single_changes())
def test_a_single_change_alone_is_the_whole_difference(pair: tuple[dict[str, Any], dict[str, Any]]) -> None:
    found = between(*map(side, pair))
    before, after = (figures(planned(data), "lead", "sql") for data in pair)
    whole = {name: (after[name] or 0.0) - (before[name] or 0.0) for name in before}
    assert len(found.changes) <= 1
    nothing = NOTHING * max(abs(value or 0.0) for value in [*before.values(), *after.values()])
    for change in found.changes:
        assert change.effect == pytest.approx(whole, rel=1e-9, abs=nothing)
    assert found.interaction == pytest.approx(dict.fromkeys(whole, 0.0), abs=nothing)


@LAWS
@given(plans(), plans())
def test_all_changes_applied_make_the_later_plan(a: dict[str, Any], b: dict[str, Any]) -> None:
    earlier, later = Plan.model_validate(a), Plan.model_validate(b)
    assert applied(earlier, leaves(earlier, later)) == later


@FEW
@given(plans(), plans())
def test_parts_and_their_interaction_add_up_to_the_whole(a: dict[str, Any], b: dict[str, Any]) -> None:
    found = between(side(a), side(b))
    for name, whole in found.together.items():
        parts = [change.effect[name] for change in found.changes if change.effect is not None]
        assert None not in parts
        assert sum(parts) + found.interaction[name] == pytest.approx(whole, rel=1e-9, abs=1e-6)


NAMES = st.sampled_from(["a.txt", "inputs/b.csv", "inputs/deep/c.yaml", README])


@LAWS
@given(st.dictionaries(NAMES, st.binary(min_size=1, max_size=40), min_size=1), st.data())
def test_every_byte_of_every_file_counts(tmp_path_factory: Any, files: dict[str, bytes], data: Any) -> None:
    folder = Path(tmp_path_factory.mktemp("files"))
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    whole = content_hash(listing(folder))
    name = data.draw(st.sampled_from(sorted(files)))
    at, bit = data.draw(st.integers(0, len(files[name]) - 1)), data.draw(st.integers(0, 7))
    spoilt = bytearray(files[name])
    spoilt[at] ^= 1 << bit
    (folder / name).write_bytes(bytes(spoilt))
    assert content_hash(listing(folder)) != whole
    (folder / name).write_bytes(files[name])
    (folder / CONTENTS).write_text(NO_HASH, encoding="utf-8")
    assert content_hash(listing(folder)) == whole
