"""Cohort counts of a stage history: who entered when, and went on, was lost or is still there after how long.

One relational definition, counted where the history lies (`engine`). The first day of every stage of a
record stands in one row; then the days are put in order as the import does (`moments`), so that a
history out of the import and the same history in a warehouse give the same counts:

- a stage dated before one listed ahead of it is moved up to that one's day;
- a skipped stage is entered with the next one, unless the record came in below it (the import asks whether
  its whole source did: a history out of it has no such gaps left);
- a record is in a stage from that day until it enters the next one (it went on) or is lost for good:
  a loss before the last stage it entered was taken back, and one after the win means nothing.

All is counted in calendar days and months. Rows without a record, a stage or a day, of stages not
asked for, or after the as-of day say nothing.

Whether segments or sources really convert differently, or only look it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from functools import cache

import numpy as np
import pandas as pd
import sqlglot
from scipy.stats import chi2

from revplan.ground.errors import DataError, shown
from revplan.ground.formats import first_largest, steady_order
from revplan.ground.tables import conform, empty
from revplan.rates.engine import Moves, label_text, quoted

OUTCOMES = ["went_on", "lost", "still_open"]
CELL = ["segment", "source"]
TRANSITION = [*CELL, "from_stage", "to_stage"]
EPOCH_MONTH = 1970 * 12
Days = tuple[date, date]


def cohort_counts(moves: Moves, stages: Sequence[str], as_of: date) -> pd.DataFrame:
    """Records by month of entry into a stage, and months until they went on, were lost or are open. [records]

    The table `cohort_counts`, as known at the end of `as_of`. The three counts of a cohort add up, over
    all lags, to its entries; a record still open stands at the lag from its entry to `as_of`.
    """
    return month_counts(moves, tuple(stages), as_of)


def month_counts(moves: Moves, stages: tuple[str, ...], as_of: date, changed: Days | None = None) -> pd.DataFrame:
    """`cohort_counts` of all records, or of those with a row after the first and by the second day of `changed`."""
    table = _counted(moves, month_definition(stages, as_of, changed), stages)
    months = pd.PeriodIndex.from_ordinals(table["key"].to_numpy() - EPOCH_MONTH, freq="M")
    table = table.assign(cohort_month=months).rename(columns={"lag": "lag_months"})
    return conform(in_order(table, stages), "cohort_counts")


def month_definition(stages: tuple[str, ...], as_of: date, changed: Days | None = None) -> str:
    """The definition with calendar months as keys."""
    return definition(stages, as_of, (_month("entered"), f"{_month('ended')} - {_month('entered')}"), changed)


def exposure_counts(moves: Moves, stages: Sequence[str], as_of: date, since: date | None = None) -> pd.DataFrame:
    """Records watched in each stage at each age in days, and those that left it at that age. [records]

    The table `exposure_counts`. A record is at risk at age a if it was in the stage a days after its
    entry, the day it leaves included, and that day lies between `since` (or any day) and `as_of`.
    """
    first_age = f"GREATEST(0, DATE_DIFF('day', entered, {_day(since)}))" if since else "0"
    text = definition(tuple(stages), as_of, (first_age, "DATE_DIFF('day', entered, ended)"))
    table = _counted(moves, text, tuple(stages))
    watched = table[table["lag"] >= table["key"]]
    parts = [_by_age(rows) for _, rows in watched.groupby(["from_stage", *CELL], sort=False)]
    return conform(pd.concat(parts), "exposure_counts") if parts else empty("exposure_counts")


def _by_age(spells: pd.DataFrame) -> pd.DataFrame:
    """The rows of one cell and stage: `spells` begin to be watched at age `key` and end at age `lag`."""
    first, last = spells["key"].to_numpy(), spells["lag"].to_numpy()
    records = spells[OUTCOMES].sum(axis=1).to_numpy()
    size = int(last.max()) + 2
    at_risk = np.cumsum(np.bincount(first, records, size) - np.bincount(last + 1, records, size))
    exits = {name: np.bincount(last, spells[name], size) for name in OUTCOMES[:2]}
    labels = {"segment": spells["segment"].iloc[0], "source": spells["source"].iloc[0]}
    table = pd.DataFrame({"age_days": np.arange(size), "at_risk": at_risk, **exits}).astype("int64")
    return table[table["at_risk"] > 0].assign(**labels, stage=spells["from_stage"].iloc[0])


def in_order(table: pd.DataFrame, stages: tuple[str, ...]) -> pd.DataFrame:
    """Cohort counts by segment, source, stage in its order, month and lag."""
    order = table.assign(number=table["from_stage"].map({stage: at for at, stage in enumerate(stages)}))
    return order.sort_values([*CELL, "number", "cohort_month", "lag_months"], kind="stable").drop(columns="number")


# --- the answer --------------------------------------------------------------------------------------------


def _counted(moves: Moves, text: str, stages: tuple[str, ...]) -> pd.DataFrame:
    """The answer to `text`: a row per transition, cell, key and lag, a column per outcome."""
    names = ["segment", "source", "number", "key", "lag", "outcome", "records"]
    rows = pd.DataFrame(moves.engine.rows(asked(moves, text)), columns=names)
    numbers = dict.fromkeys(names[2:], "int64")
    wide = rows.astype({"segment": "str", "source": "str", **numbers}).pivot_table(
        index=names[:5], columns="outcome", values="records", aggfunc="sum", fill_value=0
    )
    table = wide.reindex(columns=range(3), fill_value=0).set_axis(OUTCOMES, axis=1).astype("int64").reset_index()
    number = table.pop("number").to_numpy(dtype=int)
    ends = {
        "from_stage": np.array(stages, dtype=object)[number],
        "to_stage": np.array(stages, dtype=object)[number + 1],
    }
    return table.assign(**{key: pd.Series(values, dtype="str") for key, values in ends.items()})


def asked(moves: Moves, text: str) -> str:
    """`text`, written for DuckDB, in the words of the engine where `moves` lie, asked of those moves."""
    dialect = moves.engine.dialect
    return with_events(moves, text if dialect == "duckdb" else _translated(text, dialect), coded=True)


def with_events(moves: Moves, text: str, *, coded: bool = False) -> str:
    """`text`, already in the engine's own words, with the `events` it asks of; labels as codes where it can have them."""
    events = _events(moves, coded)
    if moves.engine.dialect != "duckdb":
        events = _translated(events, moves.engine.dialect)
    # The user's own queries are never parsed, so whatever their engine understands may stand in them.
    own = {"entered": f"FROM ({moves.entered})", "lost": f"FROM ({moves.lost})"}
    events = re.sub(r"\bFROM (entered|lost)_here\b", lambda found: own[found[1]], events)
    return f"WITH events AS ({events}){', ' if text.startswith('WITH ') else ' '}{text.removeprefix('WITH ')}"


@cache
def _translated(text: str, dialect: str) -> str:
    return sqlglot.transpile(text, read="duckdb", write=dialect)[0]


# --- the definition ----------------------------------------------------------------------------------------


def _events(moves: Moves, coded: bool) -> str:
    """A row per stage entered and per loss, the latter without a stage."""
    labels = ", ".join(f"{_label(moves, name, coded)} AS {name}" for name in CELL)
    entered = (
        f"SELECT record, {labels}, CAST(stage AS VARCHAR) AS stage, CAST(entered_on AS DATE) AS day "
        "FROM entered_here AS e WHERE NOT record IS NULL AND NOT stage IS NULL"
    )
    lost = (
        "SELECT record, NULL AS segment, NULL AS source, NULL AS stage, CAST(lost_on AS DATE) AS day "
        "FROM lost_here AS l WHERE NOT record IS NULL"
    )
    return f"{entered} UNION ALL {lost}" if moves.lost else entered


def _label(moves: Moves, column: str, coded: bool) -> str:
    """SQL for a label whose smallest value is the same on every engine: compared byte by byte."""
    text, names = label_text(column), moves.labels(column) if coded else None
    if names is not None:
        return f"CAST({text} AS ENUM({', '.join(quoted(name) for name in names)}))"
    return f'{text} COLLATE "C"' if moves.engine.dialect == "postgres" else text


def definition(stages: tuple[str, ...], as_of: date, keys: tuple[str, str], changed: Days | None = None) -> str:
    """The counts as one query on `events` (record, segment, source, stage, day), in DuckDB's words.

    `keys` are what is counted by besides cell, transition and outcome: two expressions of `entered` and
    `ended`. The outcomes are numbers: 0 went on, 1 lost, 2 still open.
    """
    _check(stages)
    some = f" AND record IN (SELECT record FROM events WHERE {_between(changed)})" if changed else ""
    every, last = range(len(stages)), len(stages) - 1
    first = ", ".join(
        f"MIN(CASE WHEN stage = {quoted(stage)} THEN day END) AS d{at}" for at, stage in enumerate(stages)
    )
    days = ", ".join(f"d{at}" for at in every)
    moved = ", ".join(f"{_moved(at)} AS m{at}" for at in every)
    reached = ", ".join(f"{_reached(at, last)} AS r{at}" for at in every)
    entered, went_on = (" ".join(f"WHEN {at} THEN r{at + later}" for at in range(last)) for later in (0, 1))
    numbers = ", ".join(f"({at})" for at in range(last))
    return f"""WITH firsts AS (
  SELECT record, MIN(segment) AS segment, MIN(source) AS source, {first}, MAX(CASE WHEN stage IS NULL THEN day END) AS lost
  FROM events WHERE day <= {_day(as_of)}{some} GROUP BY record
), moved AS (
  SELECT segment, source, lost, {days}, {moved} FROM firsts
), reached AS (
  SELECT segment, source, lost, {reached} FROM moved
), spells AS (
  SELECT segment, source, lost, number, CASE number {entered} END AS entered, CASE number {went_on} END AS went_on
  FROM reached CROSS JOIN (VALUES {numbers}) AS transitions(number)
), ends AS (
  SELECT segment, source, number, entered,
    CASE WHEN NOT went_on IS NULL THEN 0 WHEN lost >= entered THEN 1 ELSE 2 END AS outcome,
    COALESCE(went_on, CASE WHEN lost >= entered THEN lost END, {_day(as_of)}) AS ended
  FROM spells WHERE NOT entered IS NULL
), keyed AS (
  SELECT segment, source, number, outcome, {keys[0]} AS key_1, {keys[1]} AS key_2 FROM ends
)
SELECT segment, source, number, key_1, key_2, outcome, COUNT(*) AS records
FROM keyed GROUP BY segment, source, number, key_1, key_2, outcome"""


def _check(stages: tuple[str, ...]) -> None:
    if len(stages) < 2 or len(set(stages)) < len(stages) or not all(stages):
        raise DataError.at("stages", f"{shown(', '.join(stages))}: there must be two or more, each named once")


def _moved(at: int) -> str:
    """The day of a stage, moved up to the latest day of those listed ahead of it; missing where it has none."""
    ahead = ", ".join(f"COALESCE(d{other}, d{at})" for other in range(at))
    return f"CASE WHEN NOT d{at} IS NULL THEN GREATEST(d{at}, {ahead}) END" if at else "d0"


def _reached(at: int, last: int) -> str:
    """The day of a stage, or of the next one entered if the record came in above it."""
    if at == last:
        return f"m{at}"
    next_entered = f"COALESCE({', '.join(f'm{other}' for other in range(at, last + 1))})"
    above = f"COALESCE({', '.join(f'd{other}' for other in range(at + 1))})" if at else "d0"
    return f"CASE WHEN NOT {above} IS NULL THEN {next_entered} END"


def _month(day: str) -> str:
    """Months from year 0 to `day`."""
    return f"CAST(EXTRACT(YEAR FROM {day}) * 12 + EXTRACT(MONTH FROM {day}) - 1 AS INTEGER)"


def _day(day: date) -> str:
    return f"DATE '{day:%Y-%m-%d}'"


def _between(days: Days) -> str:
    return f"day > {_day(days[0])} AND day <= {_day(days[1])}"


FEWEST = 5.0  # conversions expected of a part below which it is left out
SURE = 0.05  # chance of one false difference among all that are tested


def differences(moves: Moves, stages: tuple[str, ...], as_of: date, since: date | None = None) -> pd.DataFrame:
    """Each step compared between segments, and between sources. [table differences]

    Were all parts alike, each would convert as often as the chances by age of all records lead to
    expect of the ages it was watched at; the squared differences over the expected follow a
    chi-squared law (the log-rank test: Mantel, 1966). Chances are corrected for the number of
    comparisons (Holm, 1979, www.jstor.org/stable/4615733), so that looking often finds nothing.
    """
    counts = exposure_counts(moves, stages, as_of, since)
    rows = [
        row
        for stage, step in counts.groupby("stage", sort=False, observed=True)
        for by in ("segment", "source")
        if (row := _compared(str(stage), stages[stages.index(str(stage)) + 1], by, step)) is not None
    ]
    if not rows:
        return empty("differences")
    names = ["from_stage", "to_stage", "by", "parts", "best", "worst", "ratio", "chance"]
    found = pd.DataFrame(rows, columns=names)
    found = found.iloc[steady_order(found["chance"])].reset_index(drop=True)
    corrected = (found["chance"] * np.arange(len(found), 0, -1)).cummax().clip(upper=1.0)
    return conform(found.assign(chance=corrected, differs=corrected < SURE), "differences")


def _compared(start: str, end: str, by: str, step: pd.DataFrame) -> tuple[object, ...] | None:
    """One step, its parts against what all records lead to expect; None where fewer than two are large enough."""
    ages = step.groupby("age_days")[["at_risk", "went_on"]].sum()
    chance = (ages["went_on"] / ages["at_risk"]).where(ages["at_risk"] > 0, 0.0)
    expected = step["at_risk"] * step["age_days"].map(chance)
    parts = step.assign(expected=expected).groupby(by, observed=True)[["went_on", "expected"]].sum()
    parts = parts[parts["expected"] >= FEWEST]
    if len(parts) < 2:
        return None
    statistic = float(((parts["went_on"] - parts["expected"]) ** 2 / parts["expected"]).sum())
    level = parts["went_on"] / parts["expected"]
    ratio = float(level.max() / level.min()) if level.min() > 0 else float("inf")
    best, worst = (str(level.index[first_largest(each)]) for each in (level, -level))
    return start, end, by, float(len(parts)), best, worst, min(ratio, 1e6), float(chi2.sf(statistic, len(parts) - 1))
