"""Where a running year stands: the team's three numbers, the open pipeline, and where the year lands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from revplan.crm.records import History
from revplan.funnel.funnel import YEAR, Cell
from revplan.funnel.pipeline import OpenGroup, OpenYield
from revplan.funnel.year import PlannedYear
from revplan.ground.errors import DataError
from revplan.ground.formats import show
from revplan.ground.tables import conform, from_rows
from revplan.plan.model import Plan
from revplan.rates.forecast import forecast_wins
from revplan.rates.spells import NEVER, as_date
from revplan.simulation.simulate import Simulation
from revplan.snapshot.state import Fates, eventual_rate, provisional, within
from revplan.tracking.attainment import in_full, planned_rates
from revplan.tracking.comparison import (
    Sides,
    actual_spend,
    booked_part,
    cac,
    named_sources,
    planned_spend,
    priced,
    wins_of_priced,
)
from revplan.tracking.periods import Span
from revplan.tracking.scorecard import YearTerms

OpenYields = tuple[tuple[OpenGroup, OpenYield], ...]
WHEN = {"this quarter": 0, "quarter before": 1, "same quarter a year ago": 4}  # quarters back


# --- flow, conversion, CAC -----------------------------------------------------------------------


def three_numbers(sides: Sides, fates: Fates, quarter: Span, segment: str) -> pd.DataFrame:
    """Table three_numbers: flow, conversion and CAC of the quarter, of two earlier ones, and of the plan."""
    rows = [_quarter_row(sides, fates, name, quarter.earlier(back), segment) for name, back in WHEN.items()]
    return conform(pd.DataFrame([*rows, _plan_row(sides, quarter)]), "three_numbers")


def _quarter_row(sides: Sides, fates: Fates, name: str, span: Span, segment: str) -> dict[str, object]:
    empty_row = {"quarter": name, "period": span.label, "provisional": False}
    began = as_date(int(fates.recorded_since().min()))
    if began > span.first.start_time.date():
        return {**empty_row, "basis": f"not known: the records begin on {show(began, 'date')}"}
    cohort = _of_stage(fates, sides.stage, span, segment)
    rate, low, high = eventual_rate(cohort) if fates.ever_won else (np.nan,) * 3
    flow, wins = float(cohort["entries"].sum()), _wins(fates, sides, span, segment)
    spent, basis = _spent(sides, span)
    return {
        **empty_row,
        "flow": flow,
        "rate": rate,
        "rate_low": low,
        "rate_high": high,
        "provisional": bool(provisional(cohort.drop(columns=["segment", "source"]).sum().to_frame().T).any()),
        "won_so_far": float(cohort["won"].sum()),
        "period_ratio": wins["passed"] / flow if flow else np.nan,
        "spend": spent,
        "wins": wins["priced"],
        "cac": cac(spent, wins["priced"]),
        "basis": basis,
    }


def _of_stage(fates: Fates, stage: str, span: Span, segment: str) -> pd.DataFrame:
    """The cohort that entered `stage` in a period."""
    entered = fates.spells.entered[:, fates.spells.stages.index(stage)]
    cohort = fates.cohort(within(entered, span.first.start_time.date(), span.last_day))
    return cohort[cohort["segment"].eq(segment) | (segment == "")]


def _wins(fates: Fates, sides: Sides, span: Span, segment: str) -> dict[str, float]:
    """Wins in a period: of records that passed the commit stage, and of priced sources. [deals]"""
    spells, keys = fates.spells, fates.keys
    won = within(spells.entered[:, -1], span.first.start_time.date(), span.last_day)
    won &= (keys["segment"].eq(segment) | (segment == "")).to_numpy()[spells.cell]
    passed = spells.entered[:, spells.stages.index(sides.stage)] < NEVER
    paid = keys["source"].isin(priced(sides.plan)).to_numpy()[spells.cell]
    return {"passed": float((won & passed).sum()), "priced": float((won & paid).sum())}


def _spent(sides: Sides, span: Span) -> tuple[float, str]:
    """Programme spend of a whole period, and what CAC rests on."""
    over = f"CAC: programme spend over wins of {named_sources(sides.plan)} in the period"
    booked, basis = booked_part(sides, span)
    if booked is None or booked.last_day < span.last_day:
        return np.nan, f"{over}; spend {basis}"
    return actual_spend(sides, booked), f"{over}; {basis}"


def _plan_row(sides: Sides, quarter: Span) -> dict[str, object]:
    """The same as the plan expects it of the whole quarter."""
    whole = quarter.whole()
    at = sides.planned_flow[sides.planned_flow["stage"] == sides.stage]
    rates = planned_rates(sides.year, sides.stage)
    passing = rates[rates["stage"] == sides.stage]
    entries = at[at["month"].between(whole.first, whole.last)].merge(passing, on=["segment", "source"])
    flow, spent = float(entries["entries"].sum()), planned_spend(sides, whole)
    won = sides.planned_flow[sides.planned_flow["stage"] == sides.won].merge(passing[["segment", "source"]])
    wins = wins_of_priced(sides, sides.planned_flow, whole)
    rate = float(entries["entries"] @ entries["win_rate"]) / flow if flow else np.nan
    return {
        "quarter": "plan",
        "period": whole.label,
        "flow": flow,
        "rate": rate,
        "rate_low": np.nan,
        "rate_high": np.nan,
        "provisional": False,
        "won_so_far": np.nan,
        "period_ratio": in_full(won, whole, "entries") / flow if flow else np.nan,
        "spend": spent,
        "wins": wins,
        "cac": cac(spent, wins),
        "basis": f"the whole quarter as planned; CAC of {named_sources(sides.plan)}",
    }


# --- the open pipeline ---------------------------------------------------------------------------


def opportunity_stage(plan: Plan) -> str:
    """The first stage that counts opportunities; the last one before won where none does."""
    before_won = plan.stages[:-1]
    return next((stage.id for stage in before_won if stage.counts == "opportunity"), before_won[-1].id)


def open_pipeline(now: PlannedYear) -> pd.DataFrame:
    """Table open_pipeline: by segment, open records from the opportunity stage on, and their win rate."""
    from_stage = opportunity_stage(now.plan)
    rows = [
        row
        for cell, groups in zip(now.cells, now.open_yields, strict=True)
        for row in _open_rows(cell, groups, from_stage)
    ]
    frame = pd.DataFrame(rows, columns=["segment", "items", "open_amount", "dead_amount", "weight", "chance"])
    sums = frame.groupby("segment", sort=False).sum().reset_index()
    sums["win_rate"] = sums["chance"] / sums["weight"]
    return conform(sums, "open_pipeline")


def _open_rows(cell: Cell, groups: OpenYields, from_stage: str) -> Iterator[tuple[object, ...]]:
    """Amounts of a cell's groups, and the rate from the stage on, weighted by them (lightly where nothing is open)."""
    index = _index(cell, from_stage)
    rate = float(cell.rates_to_won[index])
    yield cell.segment, 0.0, 0.0, 0.0, 1e-6 * cell.share, 1e-6 * cell.share * rate
    for group, found in groups:
        if group.stage >= index:
            amount = float(group.worth(cell.acv).sum()) - found.dead_value
            items = float(group.items.sum()) - found.dead_items
            yield cell.segment, items, amount, found.dead_value, amount, amount * rate


def remaining(now: PlannedYear, spans: list[Span]) -> dict[str, pd.DataFrame]:
    """By period and segment: what is still to be won of the goal, and what open opportunities bring in time. [plan currency]"""
    from_stage = opportunity_stage(now.plan)
    found = {}
    for span in spans:
        months = months_of(now, span)
        left = pd.DataFrame(
            {
                "segment": [cell.segment for cell in now.cells],
                "remaining": (now.targets - now.won_arr)[:, months].sum(axis=1),
                "in_time": [
                    sum(
                        float(found.arr[months].sum())
                        for group, found in groups
                        if group.stage >= _index(cell, from_stage)
                    )
                    for cell, groups in zip(now.cells, now.open_yields, strict=True)
                ],
            }
        )
        found[f"rest of {span.name}"] = left.groupby("segment").sum()
    return found


def weighted(amounts: np.ndarray, chances: np.ndarray) -> tuple[float, float]:
    """What deals are worth weighted by their chances, and the standard deviation of what they bring. [plan currency]

    >>> weighted(np.array([200_000.0]), np.array([0.3]))[0]
    60000.0
    """
    return float(amounts @ chances), float(np.sqrt(amounts**2 @ (chances * (1 - chances))))


def _index(cell: Cell, stage: str) -> int:
    return cell.stages.index(stage) if stage in cell.stages else 0


def months_of(now: PlannedYear, span: Span) -> slice:
    """The months of a period, counted from the first of the year."""
    offset = (span.first - now.plan.first_month).n
    return slice(offset, offset + span.count)


# --- landing -------------------------------------------------------------------------------------


def landing(now: PlannedYear, made: Simulation | None, spans: list[Span], pace: float) -> pd.DataFrame:
    """Table landing: where each period comes out, with the band that holds it in 8 of 10 cases. [plan currency]

    Closed, expected of open records by the rates known today, and expected of the entries still
    committed: all three in one simulation, so that the band shares their rates, lags and market. Where the plan says who
    closes, open records and entries count as far as people have the time.

    Parameters
    ----------
    now
        The rest of the year as known today.
    made
        The same simulated; None where nothing of the year is left.
    spans
        The periods; the whole year last.
    pace
        New ARR still to come by the end of the year if new records come in at the recent pace; NaN where not known.
    """
    rows = []
    for span in spans:
        months = months_of(now, span)
        share = _closed_share(made, months)
        closed = float(now.won_arr[:, months].sum())
        from_open, to_create = (share * float(each[:, months].sum()) for each in (now.open_arr, now.commit_arr))
        mean, goal = closed + from_open + to_create, float(now.targets[:, months].sum())
        low, middle, high, chance = closed, closed, closed, np.nan
        if made is not None and not span.is_over:
            found = made.outcome if span.count == YEAR else made.within(months)
            low, middle, high = found.p10.value, found.p50.value, found.p90.value
            chance = min(max(found.chance_of_goal.value, 0.0), 1.0)
        rows.append(
            {
                "period": span.name,
                "closed": closed,
                "from_open": from_open,
                "to_create": to_create,
                "landing": mean,
                "landing_low": low,
                "landing_middle": middle,
                "landing_high": high,
                "goal": goal,
                "gap": mean - goal,
                "chance_of_goal": chance,
                "at_recent_pace": closed + pace if span.count == YEAR else np.nan,
            }
        )
    return from_rows("landing", rows)


def _closed_share(made: Simulation | None, months: slice) -> float:
    """What people close in some months over what comes in them, in expectation over the simulated years. [ratio]"""
    if made is None or made.detail.demand is None:
        return 1.0
    demand = made.detail.demand
    asked = float(demand.unlimited()[:, months].sum())
    return float(demand.booked()[:, months].sum()) / asked if asked > 0 else 1.0


def recent_pace(history: History, now: PlannedYear, segment: str) -> float:
    """New ARR still to come by the end of the year if new records come in as they did; NaN where it cannot be told.

    The forecast goes by months from the last day known, so it ends with the year only from a month's end on.
    """
    months = YEAR - now.first
    if now.start > 0 or not 1 <= months <= YEAR:
        return np.nan
    mine = history
    if segment:
        rows = [table["segment"].eq(segment) for table in (history.stage_history, history.records)]
        mine = replace(history, stage_history=history.stage_history[rows[0]], records=history.records[rows[1]])
    try:
        arr = forecast_wins(mine, months).with_arrivals.arr
    except DataError:
        return np.nan
    return np.nan if arr is None else arr.mean


def year_terms(year: PlannedYear, segment: str) -> YearTerms:
    """What the plan states of the year's ARR besides new; of one segment it states nothing. [plan currency]"""
    names = ("expansion", "contraction", "churn")
    stated = {name: None if segment else getattr(year.bridge, name) for name in names}
    opening = None if segment else year.bridge.opening_arr
    return YearTerms(opening=_or_nan(opening), **{name: _or_nan(value) for name, value in stated.items()})


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
