"""The exhibit of the assumption log: who answers for what, and what asks for another look.

The exhibits that let finance test a plan: its assumptions, its checks, where it comes from.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from revplan.exhibits.exhibit import Exhibit, table_of, text
from revplan.exhibits.figures import of_year
from revplan.funnel.funnel import YEAR
from revplan.funnel.tables import BRIDGE_TIES
from revplan.ground.errors import PlanError, shown
from revplan.ground.formats import compact, counted, listed, show
from revplan.ground.tables import empty
from revplan.ground.version import __version__
from revplan.plan.goal import next_year_growth
from revplan.plan.model import Plan
from revplan.plan.parts import Transition
from revplan.simulation.outlook import step_name
from revplan.workbook.words import lag_words
from revplan.workbook.workbook import EXPIRED, FEW, FEW_RECORDS, Workbook, assumption_log_table, thin_and_unlogged

SHOWN = ["what", "value", "owner", "source", "estimated_on", "expires_on", "state"]


def assumption_log(book: Workbook, on: date | None = None) -> Exhibit:
    """Every logged assumption with owner, source and expiry, as it stands on a day.

    Parameters
    ----------
    book
        The computed workbook.
    on
        The day; the plan date if left out.
    """
    day = on or book.plan.plan_date
    frame = assumption_log_table(book.plan, day)
    if frame.empty:
        return text("No assumption is logged: add `assumptions` to the plan file, each with an owner and an expiry.")
    order = frame["state"].str.contains(EXPIRED).sort_values(ascending=False, kind="stable").index
    rests_on = [": ".join(filter(None, pair)) for pair in zip(frame["source"], frame["note"], strict=True)]
    states = [  # with the number of records where they are few
        state.replace(FEW, counted(evidence, "record"))
        for state, evidence in zip(frame["state"], frame["evidence"], strict=True)
    ]
    rows = frame.assign(source=rests_on, state=states).loc[order, SHOWN]
    made = table_of("assumption_log", rows, _message(frame, day), notes=_thin(book))
    return made.sharing(of_year(book.plan, "assumptions_logged", float(len(frame))))


def _message(frame: pd.DataFrame, day: date) -> str:
    expired, few = (int(frame["state"].str.contains(state).sum()) for state in (EXPIRED, FEW))
    log = "of the assumption log"
    entries = counted(len(frame), f"entry {log} has", f"entries {log} have")
    said = f"{entries} an owner; {expired or 'none'} had expired on {show(day, 'date')}"
    rest = "rests" if few == 1 else "rest"
    return f"{said}, and {few or 'none'} {rest} on fewer than {FEW_RECORDS:.0f} records."


def _thin(book: Workbook) -> list[str]:
    """Rates on few records that nobody answers for."""
    thin = thin_and_unlogged(book.plan)
    cells = [" x ".join(shown(name) for name in (each.segment, each.source) if name) or "all" for each in thin]
    steps = [f"{each.from_stage} to {each.to_stage} ({cell})" for each, cell in zip(thin, cells, strict=True)]
    more = f" and {len(steps) - 5} more" if len(steps) > 5 else ""
    return [f"On few records, and not in the log: {', '.join(steps[:5])}{more}."] if steps else []


ABOVE = 0.9  # percentile from which a rate lies above what the records support
OK, DIFFERS, NOT_GIVEN = "OK", "differs", "not given"
TIES = 1e-6


def assumptions(book: Workbook) -> Exhibit:
    """Every assumption with its value, the records behind it, its source and date."""
    plan = book.plan
    segments = {
        f"Segment {name}": (
            f"{show(each.share, 'share')} of new ARR, deal {compact(each.acv.mean, plan.currency)}",
            each.basis,
        )
        for name, each in plan.segments.items()
    }
    sources = {f"Source {name}": (_source_value(plan, name), each.basis) for name, each in plan.sources.items()}
    shares = [(what, value, None, "", basis) for what, (value, basis) in {**segments, **sources}.items()]
    rows = [*_goal_rows(book), *shares, *_transition_rows(book)]
    frame = pd.DataFrame(rows, columns=["what", "value", "evidence", "records", "basis"])
    bare = int((frame["basis"] == "").sum())
    sourced = (
        "each names its source"
        if not bare
        else f"{bare} of them {'names' if bare == 1 else 'name'} no source: add `basis` in the plan file"
    )
    said = _rates_said(book)
    above = int((said["percentile"] > ABOVE).sum())
    lie = f"{above or 'none'} of {counted(len(said), 'rate')} {'lies' if above < 2 else 'lie'} above what the records support (P90)"
    against = f"; {lie}" if len(said) else ""
    message = f"The plan states {counted(len(frame), 'assumption')}; {sourced}{against}."
    made = table_of(
        "assumptions",
        frame.astype({"evidence": float}),
        message,
        more={"records": ("The records say (P10 to P90)", "text")},
        notes=[
            "The records are those the rate is used for: where other rows override it, without theirs; "
            "a rate that others override everywhere has none.",
            "Counted are goal, growth, segments, sources and transitions, one each. The assumption log counts its entries, the "
            "comparison with the records the values they say something of.",
        ],
    )
    return made.sharing(of_year(book.plan, "assumptions_stated", float(len(frame))))


def _rates_said(book: Workbook) -> pd.DataFrame:
    """Rows of the table realism for rates, by their names; none without records."""
    if book.realism is None:
        return empty("realism").set_index("assumption")
    rows = book.realism.assumptions
    return rows[rows["about"] == "rate"].set_index("assumption")


def _goal_rows(book: Workbook) -> list[tuple[object, ...]]:
    plan, goal = book.plan, book.plan.goal
    growth = next_year_growth(goal, book.year.bridge)
    said = goal.basis if goal.next_year_growth is not None else "assumed: ARR grows at this year's rate"
    return [
        ("New ARR of the year", compact(book.year.bridge.new_arr, plan.currency), None, "", goal.basis),
        ("Growth of new ARR next year", show(growth, "share"), None, "", said),
    ]


def _source_value(plan: Plan, name: str) -> str:
    source = plan.sources[name]
    shares = source.share if isinstance(source.share, dict) else {"": source.share}
    parts = ["/".join(show(share, "share") for share in shares.values()) + " of new ARR"]
    if source.cost_per_entry is not None:
        parts.append(f"{compact(source.cost_per_entry, plan.currency)} per entry")
    if source.max_per_month is not None:
        parts.append(f"at most {show(source.max_per_month, 'count')} a month")
    if source.max_growth is not None:
        parts.append(f"growing at most {show(source.max_growth, 'share')} a month")
    return ", ".join(parts)


def _transition_rows(book: Workbook) -> list[tuple[object, ...]]:
    found = _rates_said(book)
    rows: list[tuple[object, ...]] = []
    for each in book.plan.transitions:
        cell = " x ".join(part for part in (each.segment, each.source) if part)
        name = f"{each.from_stage} to {each.to_stage}" + (f", {cell}" if cell else "")
        value = f"{show(each.rate, 'share')}, {lag_words(each.lag)}"
        rows.append((name, value, each.evidence, _said(found, each), each.basis))
    return rows


def _said(found: pd.DataFrame, each: Transition) -> str:
    """The rate that the records behind a transition support, with its interval."""
    name = f"rate {step_name(each)}"
    if name not in found.index:
        return ""
    row = found.loc[name]
    low, mid, high = (show(row[f"history_{part}"], "share") for part in ("low", "mid", "high"))
    return f"{mid} ({low} to {high}), {row['basis']}"


def checks(book: Workbook, billing_total: float = 0.0) -> Exhibit:
    """What must tie, and whether it does.

    Parameters
    ----------
    book
        The computed workbook.
    billing_total
        New ARR that billing shows for the months of the actuals; 0 where it is not known. [plan currency]
    """
    frame = pd.DataFrame([*_sum_checks(book), _billing_check(book, billing_total)], columns=["check", "left", "right"])
    frame = frame.astype({"left": float, "right": float})
    difference = frame["left"] - frame["right"]
    ties = difference.abs() <= TIES * frame[["left", "right"]].abs().max(axis=1)
    frame["difference"] = difference.mask(ties, 0.0)  # what rounding leaves of it differs between processors
    frame["holds"] = np.where(ties, OK, DIFFERS)
    frame.loc[frame["difference"].isna(), "holds"] = NOT_GIVEN
    wrong = frame[frame["holds"] == DIFFERS]
    count = int((frame["holds"] == OK).sum())
    more = f", and {len(wrong) - 1} more {'differs' if len(wrong) == 2 else 'differ'}" if len(wrong) > 1 else ""
    message = f"{count} of {len(frame)} checks {'holds' if count == 1 else 'hold'}" + (
        f"; {wrong['check'].iloc[0]} differs by {show(wrong['difference'].iloc[0], 'number')}{more}."
        if len(wrong)
        else "."
    )
    waiting = frame.loc[frame["holds"] == NOT_GIVEN, "check"].tolist()
    if [name for name in waiting if "billing" not in name]:
        message = f"{message.rstrip('.')}; without a number on either side: {listed(waiting)}."
    elif waiting:
        message = message.rstrip(".") + "; the rest wait for a number (billing: `--set billing_total=...`)."
    return table_of("checks", frame, message)


def _sum_checks(book: Workbook) -> list[tuple[object, ...]]:
    year, bridge, plan = book.year, book.year.bridge, book.plan
    terms = [bridge.opening_arr, bridge.expansion, bridge.contraction, bridge.churn]
    tied = None
    if all(part is not None for part in terms):
        opening, expansion, contraction, churn = (float(part or 0.0) for part in terms)
        tied = opening + bridge.new_arr + expansion - contraction - churn
    stage = plan.commit_stage
    required = float(book.funnel.loc[book.funnel["stage"] == stage, "required"].sum())
    sums = book.quarters[["commit_arr", "open_pipeline", "won", "shortfall", "surplus"]].sum()
    parts = sums[:-1].sum() - sums["surplus"]
    by_stage = book.stages.set_index("stage")["required"]
    shares = 100 * sum(segment.share for segment in plan.segments.values())
    sourced = [100 * sum(each.share_of(name) for each in plan.sources.values()) for name in plan.segments]
    return [
        (BRIDGE_TIES, tied, bridge.closing_arr),
        ("Segments' shares of new ARR (%) = 100", shares, 100.0),
        (
            "Sources' shares of new ARR in every segment (%) = 100",
            max(sourced, key=lambda each: abs(each - 100)),
            100.0,
        ),
        ("Segments and sources add up to the goal", float(year.targets[:, :YEAR].sum()), bridge.new_arr),
        (f"{stage} required by month, segment and source = {stage} required", required, float(by_stage[stage])),
        ("Quarters: commit + open pipeline + won + shortfall - surplus = goal", float(parts), bridge.new_arr),
    ]


def _billing_check(book: Workbook, billing_total: float) -> tuple[object, ...]:
    if book.actual is None or book.actual.empty:
        if billing_total:
            raise PlanError.at("billing_total", "is held against actuals, and the plan names none; add `actuals` to it")
        return ("Actual new ARR = what billing shows (the plan names no actuals)", None, None)
    first, last = (show(month, "month") for month in (book.actual["month"].min(), book.actual["month"].max()))
    name = f"Actual new ARR, {first} to {last} = what billing shows"
    return (name, float(book.actual["new"].sum()), billing_total or None)


def provenance(book: Workbook) -> Exhibit:
    """From what this was made, so that it can be made again."""
    facts = {"Plan": f"{book.plan.name}, made on {show(book.plan.plan_date, 'date')}", "revplan": __version__}
    lines: list[str] = []
    if book.records is not None:
        history = book.records.history
        facts["Records"] = f"known to {show(history.as_of, 'date')}"
        lines = [str(line) for line in history.report]
    return text(
        "The same plan, records and version make this page again: the same digits on every machine, the same bytes on one.",
        facts,
        notes=lines,
    )
