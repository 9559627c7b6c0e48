"""What the commit costs, by the month in which it is spent.

Which year an entry serves, and until when a new entry still serves this one.

The commit sheet: one plan stated in every stage, and what an entry is worth.

The tables of a planned year, as declared in the data dictionary.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

import numpy as np
import pandas as pd

from revplan.funnel.funnel import HORIZON, YEAR, Cell, forward
from revplan.funnel.year import SETTLED, PlannedYear, quarter_results, recovered_by
from revplan.ground.calendar import MONTHS_PER_YEAR, months_from, quarter_id
from revplan.ground.formats import commitment
from revplan.ground.lag import path_quantile, path_shift
from revplan.ground.tables import conform, from_rows
from revplan.plan.goal import Bridge


def program_cac(spent: float, wins: float) -> float | None:
    """Programme spend of a year per win of the same sources in that year. [plan currency per deal]

    The fully loaded CAC, with salaries and tools, is another number. None where there is no win.
    """
    return spent / wins if wins > 0 else None


USEFUL_SHARE = 0.2


def serves(cell: Cell, entries: np.ndarray, first: int, start: float) -> tuple[float, float]:
    """ARR that entries bring within the year, and after it. [plan currency]

    Parameters
    ----------
    cell
        The cell with its rates and lags.
    entries
        Entries by month, at least to the end of the year.
    first
        Month of the first element, counted from the first month of the year.
    start
        Share of that month that is over before the first record enters, as `forward` takes it. [0-1)
    """
    won = forward(cell, entries, start)[-1] * cell.acv
    months = np.arange(first, first + len(entries))
    inside = float(won[(months >= 0) & (months < YEAR)].sum())
    worth = float(entries.sum()) * float(cell.rates_to_won[0]) * cell.acv
    return inside, worth - float(won[months < YEAR].sum())


def last_useful_day(cell: Cell, year_end: date, share: float = USEFUL_SHARE) -> date:
    """The last day on which a new entry still has `share` of its won ARR within the year.

    Parameters
    ----------
    cell
        The cell with its lags.
    year_end
        Last day of the fiscal year.
    share
        Chance-weighted share of the ARR of an entry that must fall within the year. [0-1]
    """
    if not any(lag.log_normal for lag in cell.lags):
        months = int(np.searchsorted(np.cumsum(path_shift(cell.lags)), share - 1e-12))
        return (pd.Period(year_end, freq="M") - months).end_time.date()
    return year_end - timedelta(days=path_quantile(cell.lags, share))


def sums_by_quarter(months: np.ndarray) -> np.ndarray:
    """Quarter sums of a year's months, along the last axis."""
    return months.reshape(*months.shape[:-1], MONTHS_PER_YEAR // 3, 3).sum(axis=-1)


TRACE = 1e-9  # records: rows of the funnel with less than this are left out
BRIDGE_TERMS = ("opening_arr", "new_arr", "expansion", "contraction", "churn", "closing_arr")
BRIDGE_TIES = "The bridge ties: opening + new + expansion - contraction - churn = closing"


def bridge_table(bridge: Bridge) -> pd.DataFrame:
    """The ARR bridge, term by term."""
    amounts = pd.Series([getattr(bridge, term) for term in BRIDGE_TERMS], dtype=float)
    return conform(pd.DataFrame({"term": BRIDGE_TERMS, "amount": amounts}), "bridge")


def targets_table(year: PlannedYear) -> pd.DataFrame:
    """New ARR and wins asked for, by cell and month of this year and the next."""
    months = months_from(year.plan.first_month, HORIZON)
    return conform(
        pd.DataFrame(
            {
                "segment": np.repeat([cell.segment for cell in year.cells], HORIZON),
                "source": np.repeat([cell.source for cell in year.cells], HORIZON),
                "month": months[np.tile(np.arange(HORIZON), len(year.cells))],
                "new_arr": year.targets.ravel(),
                "wins": (year.targets / year.acv[:, None]).ravel(),
            }
        ),
        "targets",
    )


def funnel_table(year: PlannedYear) -> pd.DataFrame:
    """Required and committed entries by cell, stage and month; months before and after the year included."""
    begin = min(min(required.first for required in year.required), year.first)
    width = HORIZON - begin
    keys = [(cell, stage) for cell in year.cells for stage in cell.stages]
    values = np.zeros((3, len(keys), width))
    row = 0
    for required, flow in zip(year.required, year.flows, strict=True):
        rows = slice(row, row + len(flow))
        values[0, rows, required.first - begin :] = required.this_year
        values[1, rows, required.first - begin :] = required.next_year
        values[2, rows, year.first - begin :] = flow
        row += len(flow)
    months = months_from(year.plan.first_month + begin, width)
    frame = pd.DataFrame(
        {
            "segment": _repeated([cell.segment for cell, _ in keys], width),
            "source": _repeated([cell.source for cell, _ in keys], width),
            "stage": _repeated([stage for _, stage in keys], width),
            "month": months[np.tile(np.arange(width), len(keys))],
            "required": values[0].ravel(),
            "required_next_year": values[1].ravel(),
            "commit": values[2].ravel(),
        }
    )
    return conform(frame[(values > TRACE).any(axis=0).ravel()], "funnel")


def _repeated(names: list[str], times: int) -> pd.Categorical:
    """Each name `times` over; a categorical, for the table may have hundreds of thousands of rows."""
    return pd.Categorical(names, categories=list(dict.fromkeys(names))).repeat(times)


def required_by_stage(year: PlannedYear) -> dict[str, float]:
    """Entries at each stage that the year's wins trace back to, over all months. [records]"""
    return _by_stage(year, (required.this_year for required in year.required))


def entries_by_stage(year: PlannedYear) -> dict[str, float]:
    """Entries into each stage within the year that the committed entries bring. [records]"""
    return _by_stage(year, map(year.in_year, year.flows))


def _by_stage(year: PlannedYear, flows: Iterable[np.ndarray]) -> dict[str, float]:
    """Sums by stage of a flow of each cell: shape (its stages, months). [records]"""
    totals = dict.fromkeys(year.plan.stage_ids, 0.0)
    for cell, flow in zip(year.cells, flows, strict=True):
        for stage, entries in zip(cell.stages, flow.sum(axis=1), strict=True):
            totals[stage] += float(entries)
    return totals


def stages_table(year: PlannedYear) -> pd.DataFrame:
    """The plan restated in every stage: required, commitment, commit, and what an entry is worth."""
    required, commit = required_by_stage(year), entries_by_stage(year)
    wins = {stage: _passing(year, stage) for stage in year.plan.stage_ids}
    return from_rows(
        "stages",
        (
            (
                stage,
                required[stage],
                float(commitment(required[stage])),
                commit[stage],
                min(wins[stage] / required[stage], 1.0) if required[stage] else 0.0,
                _passing(year, stage, year.acv) / required[stage] if required[stage] else 0.0,
                _days_to_won(year, stage),
            )
            for stage in year.plan.stage_ids
        ),
    )


def _passing(year: PlannedYear, stage: str, worth: np.ndarray | float = 1.0) -> float:
    """What the wins of the year that pass `stage` are worth; their number, if each counts 1."""
    passes = np.array([stage in cell.stages for cell in year.cells])
    return float((year.wins * worth * passes).sum())


def _days_to_won(year: PlannedYear, stage: str) -> float:
    """Median days from `stage` to won, over the cells weighted by their wins. [days]"""
    passing = [(cell, won) for cell, won in zip(year.cells, year.wins, strict=True) if stage in cell.stages]
    total = sum(won for _, won in passing)
    if not total:
        return 0.0
    return sum(won * path_quantile(cell.lags[cell.stages.index(stage) :], 0.5) for cell, won in passing) / total


def cell_values_table(year: PlannedYear) -> pd.DataFrame:
    """What an entry is worth, by cell and stage."""
    rows = (
        (cell.segment, cell.source, stage, float(rate), float(rate * cell.acv))
        for cell in year.cells
        for stage, rate in zip(cell.stages, cell.rates_to_won, strict=True)
    )
    return from_rows("cell_values", rows)


def quarters_table(year: PlannedYear) -> pd.DataFrame:
    """How each quarter comes out, and how much of its goal only existing records can bring."""
    results = quarter_results(year)
    past = _before_plan_date(year)
    names = [quarter_id(quarter, year.plan.first_month) for quarter in range(4)]
    rows = []
    for quarter, result in enumerate(results):
        recovered = recovered_by(results, quarter)
        rows.append(
            (
                names[quarter],
                year.plan.quarter_label(quarter),
                result.goal,
                result.committed,
                result.open_pipeline,
                result.won,
                result.shortfall,
                result.surplus,
                result.below_share,
                past[quarter],
                None if recovered is None else names[recovered],
            )
        )
    return from_rows("quarters", rows)


def missed_in_year(quarters: pd.DataFrame) -> float:
    """What the year misses of its goal in expectation; below 0 what it exceeds; 0 within a rounding. [plan currency]"""
    missed = float(quarters["shortfall"].sum() - quarters["surplus"].sum())
    return missed if abs(missed) > SETTLED * float(quarters["goal"].sum()) else 0.0


def _before_plan_date(year: PlannedYear) -> list[float]:
    """ARR of each quarter's goal that traces back to entries before the plan date. [plan currency]"""
    quarter_of = np.arange(YEAR) // 3
    past = [
        sum(
            _split(cell, arr[:YEAR] * (quarter_of == quarter), year)[0]
            for cell, arr in zip(year.cells, year.targets, strict=True)
        )
        for quarter in range(4)
    ]
    return [float(value) for value in past]


def pipeline_table(year: PlannedYear) -> pd.DataFrame:
    """The open records by cell and stage: what they are worth, and what they are expected to bring."""
    rows = (
        (
            cell.segment,
            cell.source,
            cell.stages[group.stage],
            float(group.items.sum()),
            float(group.worth(cell.acv).sum()),
            found.chance,
            found.worth,
            float(found.arr[:YEAR].sum()),
            found.dead_items,
            found.dead_value,
        )
        for cell, groups in zip(year.cells, year.open_yields, strict=True)
        for group, found in groups
    )
    return from_rows("pipeline", rows)


def ledger_table(year: PlannedYear) -> pd.DataFrame:
    """Carry-in and carry-out: when the records enter whose ARR this year counts, and whom this year's serve."""
    parts = [_split(cell, arr[:YEAR], year) for cell, arr in zip(year.cells, year.targets, strict=True)]
    carried = np.sum(parts, axis=0)
    before, inside = np.zeros(2), np.zeros(2)
    for cell, flow in zip(year.cells, year.flows, strict=True):
        months = np.arange(year.first, year.first + len(flow[0]))
        before += serves(cell, flow[0] * (months < 0), year.first, year.start)
        inside += serves(cell, flow[0] * ((months >= 0) & (months < YEAR)), year.first, year.start)
    whens = ("before the plan date", "from the plan date until the year begins", "within the year")
    rows = [(when, "this year", "required", float(arr)) for when, arr in zip(whens, carried, strict=True)]
    rows += [
        (whens[1], "this year", "commit", float(before[0])),
        (whens[2], "this year", "commit", float(inside[0])),
        (whens[2], "later years", "commit", float(inside[1])),
    ]
    return from_rows("ledger", rows)


def _split(cell: Cell, arr: np.ndarray, year: PlannedYear) -> np.ndarray:
    """ARR of the year's months by when its records enter: before the plan date, then before the year, within it. [plan currency]"""
    entered = np.convolve(arr, cell.shares_to_won(0)[::-1])
    month = np.arange(len(entered)) - (len(entered) - YEAR)
    past = year.past_share(month)
    before_year = month < 0
    return np.array([entered @ past, entered @ (before_year * (1 - past)), entered @ (~before_year * (1 - past))])


def last_useful_table(year: PlannedYear) -> pd.DataFrame:
    """Until when a new entry still serves this year, by cell."""
    end = year.plan.months[-1].end_time.date()
    rows = (
        (
            cell.segment,
            cell.source,
            cell.stages[0],
            pd.Timestamp(last_useful_day(cell, end)),
            path_quantile(cell.lags, 0.5),
        )
        for cell in year.cells
    )
    return from_rows("last_useful", rows)


def budget_table(year: PlannedYear) -> pd.DataFrame:
    """Entries and programme spend by source and month of spending, from the plan month on."""
    rows = []
    for name, source in year.plan.sources.items():
        cells = year.rows_of(name)
        if not cells:
            continue
        flows = sum(year.flows[index][0] for index in cells)
        sunk = sum(past_entries(year, index) for index in cells)
        for offset, entries in enumerate(flows[: YEAR - year.first]):
            month = year.plan.first_month + (year.first + offset)
            cost = source.cost_per_entry or 0.0  # an unpriced source spends nothing here; who uses this names it
            past = sunk * cost if offset == 0 else 0.0
            rows.append((name, month, float(entries), entries * cost, past, source.cost_per_entry is not None))
    return from_rows("budget", rows)


def past_entries(year: PlannedYear, index: int) -> float:
    """Entries the year's wins trace back to that lie before the plan date. [records]"""
    required = year.required[index]
    month = np.arange(required.this_year.shape[1]) + required.first
    return float(required.this_year[0] @ year.past_share(month))


def spend_of_year(year: PlannedYear) -> dict[str, float]:
    """Programme spend on the committed entries of the fiscal year, by priced source. [plan currency]"""
    return {
        name: source.cost_per_entry * sum(float(year.in_year(year.flows[row][0]).sum()) for row in year.rows_of(name))
        for name, source in year.plan.sources.items()
        if source.cost_per_entry is not None and year.rows_of(name)
    }


def spend_of_entries(year: PlannedYear) -> float:
    """The same over all priced sources. [plan currency]"""
    return sum(spend_of_year(year).values())


def wins_of_year(year: PlannedYear, sources: Iterable[str]) -> float:
    """Wins of the year from `sources`: closed, from open records and from committed entries. [deals]"""
    wanted = set(sources)
    rows = [index for index, cell in enumerate(year.cells) if cell.source in wanted]
    wins = year.commit_wins + year.open_wins + year.won_wins
    return float(wins[rows, :YEAR].sum())


def month_stage_sums(funnel: pd.DataFrame) -> pd.DataFrame:
    """The funnel summed over segments and sources: one row per stage and month."""
    values = ["required", "required_next_year", "commit"]
    return funnel.groupby(["stage", "month"], sort=False, observed=True)[values].sum().reset_index()
