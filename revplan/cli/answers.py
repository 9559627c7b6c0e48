"""What the commands answer: JSON under the names that scripts rely on, and exhibits for a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from revplan.capacity.attainment import HEALTHY
from revplan.capacity.measured import measured_answer
from revplan.capacity.team import asked_capacity
from revplan.crm.counted import Counted
from revplan.crm.planfile import read_plan, real_path
from revplan.crm.records import Export, History, write_unread
from revplan.crm.store import open_counts
from revplan.exhibits import annual_commit, confidence, movement, pace, rates, realism, record, side_by_side
from revplan.exhibits import capacity as people
from revplan.exhibits.exhibit import Exhibit, rows_of, terminal, text
from revplan.ground.formats import commitment, counted
from revplan.ground.terminal import plain_rows
from revplan.ground.values import Progress
from revplan.ground.written import check_file, written
from revplan.ground.yamlfile import as_yaml, on_one_line
from revplan.rates.backtest import Every, backtest, backtest_answer
from revplan.rates.book import HistoryBook
from revplan.rates.estimates import transitions_block
from revplan.rates.forecast import forecast_answer, forecast_wins
from revplan.record.difference import Difference, compare
from revplan.record.packs import BASES, KeptPack, checked_packs, packs_of
from revplan.record.signed import Record
from revplan.record.signing import Terms, sign
from revplan.staffing.hiring import hiring_answer, worth_table
from revplan.staffing.staffing import capacity_answer
from revplan.tracking.movement import PARTS, MovementSpan, PipelineMovement, Window, movement_of
from revplan.tracking.pacebook import CELL, MONTH, QUARTER, YEAR, PaceBook
from revplan.tracking.why import split_of, split_words
from revplan.workbook.answers import simulation_answer
from revplan.workbook.realism import assumed, nothing_to_compare, stacked, unreached
from revplan.workbook.signing import sentence
from revplan.workbook.simulated import finite
from revplan.workbook.workbook import PeopleBook, Workbook, open_workbook, plan_answer

Answer = tuple[dict[str, Any], list[Exhibit]]
"""What `--json` prints, and what a person reads."""

QUARTERS = ("label", "goal", "commit_arr", "open_pipeline", "won", "shortfall", "surplus")
DRIVERS = ("driver", "arr_low", "arr_high", "share_of_variance")
BUFFERS = ("assumptions", "arr_alone", "arr_together", "entries_together")


def printed(exhibits: Iterable[Exhibit]) -> str:
    """The exhibits for a terminal, one below the other."""
    return "\n\n".join(map(terminal, exhibits))


# --- the plan ------------------------------------------------------------------------------------


def plan(book: Workbook) -> Answer:
    """Goal to required entries and commit."""
    quarters = rows_of(annual_commit.quarters(book), "quarters", QUARTERS, currency=book.plan.currency)
    return plan_answer(book), [
        annual_commit.in_brief(book),
        annual_commit.required_funnel(book),
        quarters,
        annual_commit.notes(book),
    ]


def simulation(book: Workbook) -> Answer:
    """The distribution of the year, the commit curve, what decides, the scenarios, and how real the assumptions are."""
    answer = {**simulation_answer(book.simulation, book.scenarios), "realism": _realism(book)}
    answer["notes"] = [*book.doubts, *answer["notes"]]
    currency = book.plan.currency
    scenarios = [side_by_side.in_money(book), side_by_side.in_units(book)]
    return answer, [
        *(text(f"Look at this first: {line}") for line in book.doubts),
        text(sentence(book.to_sign), header=annual_commit.header(book)),
        confidence.sure(book),
        confidence.curve_in_stages(book),
        confidence.left_uncertain(book),
        rows_of(confidence.tornado(book), "tornado", DRIVERS, currency=currency),
        confidence.goal_seek(book),
        *scenarios[: 2 if len(book.scenarios) > 1 else 1],
        realism.against_history(book),
        rows_of(realism.stacked_buffers(book), "buffers", BUFFERS, currency=currency),
        confidence.limits(book),
    ]


def capacity(book: Workbook, as_of: date | None) -> Answer:
    """Who can close what by month, and what binds."""
    asked_capacity(book.plan)
    asked = PeopleBook(book, as_of)
    told = {
        "worth": plain_rows(worth_table(asked.worths)),
        "measured": measured_answer(book.measured),
        "attainment": _attainment(book),
    }
    shown_first = [people.summary, people.one_more, people.by_month, people.ramped, people.by_quarter]
    exhibits = [show(asked) for show in (*shown_first, people.measured, people.attainment, people.notes)]
    return {**capacity_answer(asked.staffing), **told}, [each for each in exhibits if each is not None]


def _attainment(book: Workbook) -> dict[str, Any] | None:
    found = book.attainment
    if found is None:
        return None
    return {
        "period": found.period,
        "share_at_80": found.share_at(HEALTHY),
        "share_at_quota": found.share_at(1.0),
        "bookings_over_quota": found.over_quota,
        "share_of_best": found.share_of_best(1),
        "share_of_best_two": found.share_of_best(2),
        "reps": plain_rows(found.table),
    }


def hire(book: Workbook, confidence: float | None) -> Answer:
    """The fewest, latest hires that reach the plan at its confidence."""
    asked_capacity(book.plan)
    asked = PeopleBook(book, confidence=confidence)
    return hiring_answer(asked.hiring), [each for each in [people.hires(asked)] if each is not None]


def _realism(book: Workbook) -> dict[str, Any]:
    found = book.realism
    if found is None:
        return {"says": [nothing_to_compare(book.simulation)], "assumptions": [], "buffers": []}
    return {
        "says": [assumed(found), stacked(found, book.plan), *unreached(found)],
        "chance_all_met": found.chance_all_met,
        "chance_if_independent": found.chance_if_independent,
        "overshoot": found.overshoot,
        "commit": {"stage": book.plan.commit_stage, "entries": found.commit, "needed_at_medians": finite(found.needed)},
        "assumptions": plain_rows(found.assumptions),
        "buffers": plain_rows(found.buffers),
        "not_compared": list(found.not_compared),
    }


# --- the records ---------------------------------------------------------------------------------


def estimates(crm: Path, as_of: date | None, out: Path | None, tell: Progress | None = None) -> Answer:
    """Estimated transitions of the records `crm` names; written to `out` as a plan takes them."""
    if out is not None:
        check_file(out)
    export = open_counts(crm, tell)
    book = HistoryBook(export=export, history=export.on(as_of))
    if out is not None:
        written(out, rates_yaml(book.history, book.estimates, book.warnings))
        if isinstance(export, Export) and export.unread:
            write_unread(export.unread, out.with_suffix(".bad_values.csv"))
    told = f"Rates as of {book.history.as_of}, from {counted(book.history.number, 'record')}."
    notes = (*book.history.notes, *book.history.reading)
    lines = [*book.warnings, *book.history.reading, *([f"written: {out}"] if out else [])]
    answer = {
        "as_of": str(book.history.as_of),
        "transitions": [_rate(row) for row in book.estimates.to_dict("records")],
        "warnings": list(book.warnings),
        "notes": list(notes),
    }
    lines = [line for line in lines if line not in book.history.first]
    return answer, [*map(text, book.history.first), text(told, notes=lines), rates.cells(book)]


def _rate(row: dict[Any, Any]) -> dict[str, Any]:
    figures = ("rate", "rate_low", "rate_high", "evidence", "median_days", "p90_days")
    return {
        "from": row["from_stage"],
        "to": row["to_stage"],
        "segment": row["segment"],
        "source": row["source"],
        **{name: float(row[name]) for name in figures},
        "lag_months": [float(share) for share in row["lag_months"].split()],
        "mature": bool(row["mature"]),
        "entries": int(row["entries"]),
        "conversions": int(row["conversions"]),
        "recorded_from": f"{row['recorded_from']:%Y-%m-%d}",
    }


def rates_yaml(history: History | Counted, found: pd.DataFrame, warnings: Iterable[str]) -> str:
    """The `transitions` block of a plan file, with what a reader must know above it."""
    lines = [f"# Estimated from CRM records as of {history.as_of}. Paste into a plan file."]
    lines += [f"# {' '.join(line.split())}" for line in warnings]
    steps = [on_one_line(_rounded(each)) for each in transitions_block(found)]
    return "\n".join(lines) + "\n" + as_yaml({"transitions": steps})


def _rounded(value: Any) -> Any:
    """Five significant digits: more is not known."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        shares = [round(float(each), 5) for each in value]
        shares[shares.index(max(shares))] += 1 - sum(shares)
        return [round(each, 5) for each in shares]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def outlook(crm: Path, as_of: date | None, months: int, by_source: bool, tell: Progress | None = None) -> Answer:
    """Wins of the next months from the records `crm` names."""
    history = open_counts(crm, tell).on(as_of)
    found = forecast_wins(history, months, tell)
    answer = {**forecast_answer(found, by_source), "notes": [*history.notes, *history.reading]}
    others = tuple(line for line in found.warnings if line not in history.first)
    told = rates.wins_ahead(replace(found, warnings=others), "", by_source=by_source)
    return answer, [*map(text, history.first), told, *_reading(history.reading)]


def _reading(said: Sequence[str]) -> list[Exhibit]:
    """How the records were read, where there is something to say."""
    return [text("How the records were read:", notes=said)] if said else []


def replay(crm: Path, span: tuple[date, date], every: Every, months: int, tell: Progress | None = None) -> Answer:
    """Replays of the forecast against the actuals, beside the three baselines."""
    export = open_counts(crm, tell)
    done = backtest(export, span, every, months, tell)
    latest = export.on()
    notes = (*latest.notes, *latest.reading)
    tables = [show(done, target) for target in done.scores for show in (rates.replays, rates.scores_of)]
    answer = {**backtest_answer(done), "notes": list(notes)}
    others = [line for line in notes if line not in latest.first]
    return answer, [*map(text, latest.first), *tables, rates.replayed_by_source(done), *_reading(others)]


# --- the pipeline --------------------------------------------------------------------------------


def pipeline(crm: Path, before: Path | None, asked: MovementSpan) -> Answer:
    """The movement of the pipeline that the records `crm` names, or those of two exports, hold between two days."""
    found = movement_of(crm, before, asked)
    return _movement(found), movement.exhibits(found)


def _movement(found: PipelineMovement) -> dict[str, Any]:
    """Amounts to the cent; `by` holds the cells of segment, source and owner, which add up to the whole."""
    deals = found.deals
    return {
        "from": str(found.asked.first),
        "to": str(found.asked.last),
        "currency": found.currency,
        "window": found.closing.name.replace(" ", "_"),
        **plain_rows(found.by())[0],
        "by": plain_rows(found.by(*PARTS)),
        "closing": {each.name.replace(" ", "_"): _window(found, each) for each in found.windows},
        "not_told": list(found.unknown),
        "reopened": deals.loc[deals["reopened"], "record"].tolist(),
        "disappeared": deals.loc[deals["disappeared"], "record"].tolist(),
        "slips": plain_rows(found.slips[found.slips["pushes"] > 0]),
        "track_record": plain_rows(found.track_record),
        "notes": list(found.notes),
    }


def _window(found: PipelineMovement, window: Window) -> dict[str, Any]:
    ends = {"first": window.first, "last": window.last}
    amounts = zip(found.table["term"], found.table[window.name], strict=True)
    return {
        **{name: None if day is None else str(day) for name, day in ends.items()},
        **{term: float(amount) for term, amount in amounts},
    }


# --- the running year ----------------------------------------------------------------------------

LINE = ("stage", "segment", "source", "team", "period", "target", "target_to_date", "actual", "gap", "attainment", "gap_value", "days_behind",
        "working_days_done", "working_days_left", "needed_per_working_day", "recent_per_working_day", "projected", "projected_low",
        "projected_high", "chance_of_missing", "unreachable_on", "straight_line", "line_misleads", "late")  # fmt: skip


def pace_answer(book: PaceBook) -> dict[str, Any]:
    """Where the running year stands: `lines` are the month's, by stage, segment and source; `totals` what they add up to."""
    lines = book.lines
    cells = (lines["of"] == CELL) & (lines["period_kind"] == MONTH)
    return {
        "as_of": str(book.as_of),
        "plan": book.plan.name,
        "compared_with": book.board.signed or "not signed",
        "commit_stage": book.stage,
        "says": pace.told(book),
        "lines": plain_rows(lines.loc[cells, list(LINE)]),
        "totals": plain_rows(lines.loc[lines["of"] != CELL, ["of", "period_kind", *LINE]]),
        "landing": {kind: _landing(row) for kind, row in _by_kind(book)},
        "nowcast": plain_rows(book.nowcast.rename(columns={"low": "p10", "expected": "p50", "high": "p90"})),
        "watched": {"period": book.watched[0], "chance_of_missing": finite(book.watched[1])},
        "alert": book.alert(),
        "zombies": dict(zip(("items", "amount"), book.zombies, strict=True)),
        "deciding": plain_rows(book.deciding),
        "claims": plain_rows(book.claims),
        "notes": list(book.notes),
    }


def _by_kind(book: PaceBook) -> Iterator[tuple[str, dict[Any, Any]]]:
    """The rows of the landing, each with what its period is."""
    for row in book.landing.to_dict("records"):
        period = str(row["period"])
        yield QUARTER if "Q" in period else MONTH if "-" in period else YEAR, row


def _landing(row: dict[Any, Any]) -> dict[str, Any]:
    names = {"mean": "landing", "p10": "landing_low", "p50": "landing_middle", "p90": "landing_high", "won": "closed", "open": "from_open",
             "to_create": "to_create", "goal": "goal", "gap": "gap", "chance_of_goal": "chance_of_goal"}  # fmt: skip
    return {"period": row["period"], **{name: finite(row[column]) for name, column in names.items()}}


# --- the plan of record --------------------------------------------------------------------------


def signature(
    plan_path: Path, by: Sequence[str], on: date, out: Path | None, progress: Progress | None, terms: Terms
) -> Answer:
    """Signs the plan."""
    made = sign(plan_path, by, on, out, progress, terms)
    return _signature(made), [record.signed(made, open_workbook(made.plan_path))]


def _signature(made: Record) -> dict[str, Any]:
    told = made.signature.model_dump(mode="json", exclude={"format", "versions"})
    place = {"folder": str(made.folder), "content_hash": made.content_hash, "signed_before": made.signed_before}
    return {**place, **told, "revplan": made.signature.versions.revplan}


def kept_packs(plan_path: Path) -> Answer:
    """The packs that were shown of a plan, every file of them found as it was kept."""
    name, found = real_path(plan_path).name, checked_packs(plan_path)
    plan = read_plan(plan_path).name
    return {"plan": plan, "packs": [_pack(each) for each in packs_of(found, name)]}, [record.packs(found, name)]


def _pack(kept: KeptPack) -> dict[str, Any]:
    left_out = {"format", "figures", "files", "plan_file"}
    told = {name: kept.pack.told(name) for name in BASES}
    return {
        **kept.pack.model_dump(mode="json", exclude=left_out),
        **told,
        "folder": str(kept.folder),
        "files": list(kept.pack.files),
    }


def difference(a: Path, b: Path, progress: Progress | None) -> Answer:
    """Compares two plans."""
    found = compare(a, b, progress)
    answer = {
        "a": _side(found, "a"),
        "b": _side(found, "b"),
        "changes": [
            {"what": each.what, "alone": None if each.effect is None else dict(each.effect)} for each in found.changes
        ],
        "together": dict(found.together),
        "interaction": dict(found.interaction),
        "conversion": _conversion(found),
        "stages": {"first": found.a.plan.stage_ids[0], "commit": found.a.plan.commit_stage},
        "notes": list(found.notes),
    }
    return answer, [each for each in (record.changes(found), record.planned_conversion(found)) if each is not None]


def _conversion(found: Difference) -> dict[str, Any] | None:
    """The planned conversion from the commit stage to won in both plans, parted into rate and mix."""
    table = record.planned_mix_and_rate(found)
    if table.empty:
        return None
    split = split_of(table)
    return {
        **asdict(split),
        "change": split.change,
        "says": split_words(split, record.planned_step(found)),
        "cells": plain_rows(table),
    }


def _side(found: Difference, side: str) -> dict[str, Any]:
    of = getattr(found, side)
    hashed = None if of.record is None else of.record.content_hash
    figures = dict(found.before if side == "a" else found.after)
    signed = figures["signed"]
    figures["signed"] = None if signed is None else commitment(signed)  # as the plan's page and its folder say it
    return {"plan": of.plan.name, "signed": hashed, "figures": figures}
