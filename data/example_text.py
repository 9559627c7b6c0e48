"""What is written about the example company: the plan a planner would have made, the truth, the read-me."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template

import example_people as people
import numpy as np
import pandas as pd
from example_world import (
    ACV,
    CONTRACTION,
    CRM_START,
    ENTERS,
    EXPANSION,
    GROWTH,
    LAGS,
    LOSS_STRETCH,
    LOSS_UNRECORDED,
    PER_MONTH,
    PLAN_DATE,
    RATE_FACTORS,
    RENEWAL,
    SEASON,
    SEED,
    SEGMENTS,
    STAGES,
    STEPS,
    WEEKDAY,
    World,
    day_of,
    months,
    movements,
    rate,
)

COMPANY = "Orrinvale Software"
CLOSING_ARR = 11_000_000
BOARD_DAY = "2026-10-28"
SEGMENT_SHARES = {"smb": 0.28, "mid": 0.42, "enterprise": 0.30}
PLAN_DAY = day_of(PLAN_DATE)
YEAR_START = pd.Timestamp("2027-01-01")
PACE_MONTHS = pd.period_range("2026-04", "2026-09", freq="M")  # the last two complete quarters
COST_MONTHS = pd.period_range("2025-11", "2026-10", freq="M")
OWN_SEGMENTS = (("lead", "mql"), ("mql", "sql"), ("sal", "sqo"), ("sqo", "won"))  # steps estimated by segment
OWN_SOURCES = {("lead", "mql"): "events", ("sal", "sqo"): "outbound"}  # and one source apart

TEMPLATES = Path(__file__).parent / "templates"
WITH_PEOPLE = "plan_people.yaml"

Tables = dict[str, pd.DataFrame]


def texts(world: World, tables: Tables) -> dict[str, str]:
    """The written files of the example by name, but for the plan of the year before."""
    truth = truth_values(world)
    values = {**plan_values(world, tables), **truth_texts(truth)}
    paths = [path for path in sorted(TEMPLATES.iterdir()) if path.name not in ("plan_fy26.yaml", WITH_PEOPLE)]
    files = {path.name: Template(path.read_text(encoding="utf-8")) for path in paths}
    filled = {name: text.substitute(values) for name, text in files.items()}
    return {**filled, WITH_PEOPLE: with_people(filled["plan.yaml"]), "truth.json": json.dumps(truth, indent=1) + "\n"}


def with_people(plan: str) -> str:
    """The annual plan under a name of its own, and the people who are to close it."""
    people = (TEMPLATES / WITH_PEOPLE).read_text(encoding="utf-8")
    return f"{plan.replace(f'{COMPANY} FY27', f'{COMPANY} FY27, with its people', 1)}\n{people}"


# The planner


def plan_values(world: World, tables: Tables) -> dict[str, object]:
    """What the plan and the read-me quote, estimated from the files only."""
    return {
        "company": COMPANY,
        "records": len(tables["leads"]),
        "closing_arr": f"{CLOSING_ARR:_}",
        **bridge(world, tables["actuals"]),
        **costs(world, tables["spend"], COST_MONTHS),
        "segments": "\n".join(segment_line(world, name, SEGMENT_SHARES, PLAN_DATE, BOARD_DAY) for name in SEGMENTS),
        "transitions": "\n".join(transition_lines(world)),
    }


def arr_on(subscriptions: pd.DataFrame, day: int) -> int:
    """Recurring revenue on a day. [money]"""
    begun = subscriptions["started_on"] <= day
    live = begun & (subscriptions["ended_on"].isna() | (subscriptions["ended_on"] > day))
    return int(subscriptions.loc[live, "arr"].sum())


def bridge(world: World, actuals: pd.DataFrame) -> dict[str, object]:
    """Opening ARR projected to the year's start, and the yearly rates of the last twelve months."""
    now = arr_on(world.subscriptions, PLAN_DAY - 1)
    booked = actuals[actuals["month"].isin(PACE_MONTHS)]
    net = int((booked["new"] + booked["expansion"] - booked["contraction"] - booked["churn"]).sum())
    ahead = (YEAR_START - PLAN_DATE).days
    opening = round(now + net / 183 * ahead, -4)  # 183 days from April to September
    return {"opening_arr": f"{int(opening):_}", "arr_known": f"{now:,}", **bridge_rates(world, PLAN_DAY)}


def bridge_rates(world: World, day: int) -> dict[str, str]:
    """Churn, contraction and expansion of the twelve months before `day`, over the ARR they began with. [share]"""
    moved = movements(world.subscriptions)
    year = moved[(moved["day"] >= day - 365) & (moved["day"] < day)].groupby("kind")["amount"].sum()
    before = arr_on(world.subscriptions, day - 366)
    return {str(kind): f"{amount / before:.3f}" for kind, amount in year.items()}


def costs(world: World, spent: pd.DataFrame, wanted: pd.PeriodIndex) -> dict[str, object]:
    """Spend per entry over the `wanted` months, by source. [money]"""
    crm = world.records[world.records["id"].notna()]
    entries = crm[months(crm["first"]).isin(wanted)].groupby("source").size()
    money = spent[spent["month"].isin(wanted)].groupby("source")["spend"].sum()
    each = money / entries.reindex(money.index)
    return {f"cost_{source}": round(cost) for source, cost in each.items()}


def segment_line(world: World, segment: str, shares: dict[str, float], plan_date: pd.Timestamp, board_day: str) -> str:
    """Share and deal size of a segment, from the opportunities' amounts."""
    records = world.records
    seen = records["id"].notna() & (records["sqo"] < day_of(plan_date)) & (records["segment"] == segment)
    amount = records.loc[seen, "amount"]
    mean, sd = (int(500 * round(value / 500)) for value in (amount.mean(), amount.std()))
    known_to = (plan_date - pd.Timedelta(days=1)).date()
    basis = f"CRM, amounts of {len(amount)} opportunities to {known_to}; share: board {board_day}"
    return f'  {segment}: {{share: {shares[segment]:.2f}, acv: {{mean: {mean:_}, sd: {sd:_}}},\n    basis: "{basis}"}}'


def transition_lines(world: World) -> list[str]:
    """One line per transition of the plan: the default of each step, then what is known more closely."""
    lines = []
    for step in STEPS:
        lines.append(transition_line(world, step))
        if step in OWN_SEGMENTS:
            lines += [transition_line(world, step, segment) for segment in SEGMENTS]
        if source := OWN_SOURCES.get(step):
            lines += [transition_line(world, step, segment, source) for segment in SEGMENTS]
    return lines


def transition_line(world: World, step: tuple[str, str], segment: str = "", source: str = "") -> str:
    """The planner's estimate of one step, from cohorts old enough to have advanced."""
    old, cutoff = cohort(world.records, step, segment, source)
    advanced = old[step[1]] < PLAN_DAY
    delay = np.floor(old.loc[advanced, step[1]]) - np.floor(old.loc[advanced, step[0]])
    median, p90 = (max(low, round(float(delay.quantile(q)))) for q, low in ((0.5, 1), (0.9, 2)))
    scope = "".join(f", {key}: {value}" for key, value in (("segment", segment), ("source", source)) if value)
    return (
        f"  - {{from: {step[0]}, to: {step[1]}{scope}, rate: {advanced.mean():.2f}, evidence: {len(old)}, "
        f"lag: {{median_days: {median}, p90_days: {p90}}},\n"
        f'     basis: "CRM, cohorts to {cutoff}, estimated 2026-11-14"}}'
    )


def cohort(records: pd.DataFrame, step: tuple[str, str], segment: str, source: str) -> tuple[pd.DataFrame, pd.Period]:
    """Records that entered `step[0]` at least 1.5 times the p90 lag ago, and the last month of them.

    A source that has its own line is left out of the lines without one.
    """
    ages = dict(zip(SEGMENTS, (1.5 * p90 for _, p90 in LAGS[step]), strict=True))
    last = PLAN_DAY - (ages[segment] if segment else max(ages.values()))
    wanted = records["id"].notna() & (records[step[0]] < PLAN_DAY - records["segment"].map(ages))
    if segment:
        wanted &= records["segment"] == segment
    apart = OWN_SOURCES.get(step, "")
    wanted &= (records["source"] == source) if source else (records["source"] != apart)
    return records[wanted], months(pd.Series([last])).iloc[0]


# The truth


def truth_values(world: World) -> dict[str, object]:
    """Everything the records were drawn from."""
    return {
        "seed": SEED,
        "crm_start": CRM_START.strftime("%Y-%m-%d"),
        "plan_date": PLAN_DATE.strftime("%Y-%m-%d"),
        "rates": true_rates(),
        "lags": true_lags(),
        "losses": {"stretch": LOSS_STRETCH, "unrecorded": LOSS_UNRECORDED},
        "arrivals": true_arrivals(),
        "growth": GROWTH,
        "season": SEASON,
        "weekday": WEEKDAY,
        "acv": {segment: {"mean": mean, "sd": sd} for segment, (mean, sd) in ACV.items()},
        "renewal": {
            segment: dict(zip(("churn", "contraction", "expansion"), chances, strict=True))
            for segment, chances in RENEWAL.items()
        },
        "later": later_wins(world.records),
        "people": true_people(world.records),
    }


def true_people(records: pd.DataFrame) -> dict[str, object]:
    """What the owners of the records were drawn from, and who had more in work than the limit when."""
    _, overloaded = people.owners(records[records["id"].notna()])
    return {
        "ramp": people.RAMP,
        "skill": people.SKILL,
        "in_work_days": people.IN_WORK_DAYS,
        "limits": people.LIMITS,
        "backfills": people.BACKFILLS,
        "overloaded": overloaded,
    }


def true_rates() -> list[dict[str, object]]:
    """One row per step, segment and source that passes it."""
    return [
        {"from": step[0], "to": step[1], "segment": segment, "source": source,
         "rate": round(rate(step, segment, source), 6)}
        for step in STEPS for segment in SEGMENTS for source, enters in ENTERS.items()
        if STAGES.index(enters) <= STAGES.index(step[0])
    ]  # fmt: skip


def true_lags() -> list[dict[str, object]]:
    """One row per step and segment."""
    return [
        {"from": step[0], "to": step[1], "segment": segment, "median_days": median, "p90_days": p90}
        for step in STEPS
        for segment, (median, p90) in zip(SEGMENTS, LAGS[step], strict=True)
    ]


def true_arrivals() -> list[dict[str, object]]:
    """One row per segment and source."""
    return [
        {"segment": segment, "source": source, "stage": ENTERS[source], "per_month": count}
        for source, counts in PER_MONTH.items()
        for segment, count in zip(SEGMENTS, counts, strict=True)
    ]


def later_wins(records: pd.DataFrame) -> list[dict[str, object]]:
    """Wins from the plan date on of records known on it, by month, segment and source."""
    won = records[records["id"].notna() & (records["won"] >= PLAN_DAY)]
    won = won.assign(month=months(won["won"]).astype(str))
    sums = won.groupby(["month", "segment", "source"])["amount"].agg(["size", "sum"]).reset_index()
    return [
        {"month": row[0], "segment": row[1], "source": row[2], "wins": int(row[3]), "arr": int(row[4])}
        for row in sums.itertuples(index=False)
    ]


def truth_texts(truth: dict) -> dict[str, object]:
    """The truth in words and small tables."""
    lags = {step: [f"{median} / {p90}" for median, p90 in pairs] for step, pairs in LAGS.items()}
    rates = {step: [rate(step, segment, "inbound") for segment in SEGMENTS] for step in STEPS}
    return {
        "seed": SEED,
        "rates": by_segment({" to ".join(step): row for step, row in rates.items()}),
        "factors": "; ".join(f"{a} to {b}, {src}: {x}" for (a, b, src), x in RATE_FACTORS.items()),
        "lags": by_segment({" to ".join(step): row for step, row in lags.items()}),
        "stretch": LOSS_STRETCH,
        "unrecorded": f"{LOSS_UNRECORDED:.0%}",
        "arrivals": by_segment({f"{name} ({ENTERS[name]})": list(row) for name, row in PER_MONTH.items()}),
        "growth": GROWTH,
        "season": listed(SEASON),
        "weekday": listed(WEEKDAY),
        "acv": "; ".join(f"{name} {mean:,}, {sd:,}" for name, (mean, sd) in ACV.items()),
        "renewal": "; ".join(f"{name} {listed(chances)}" for name, chances in RENEWAL.items()),
        "contraction_range": f"{CONTRACTION[0]} to {CONTRACTION[1]}",
        "expansion_range": f"{EXPANSION[0]} to {EXPANSION[1]}",
        "ramp": listed(people.RAMP),
        "skill": "; ".join(f"{rep} {skill}" for rep, skill in people.SKILL.items()),
        "in_work_days": people.IN_WORK_DAYS,
        "limits": "; ".join(f"{name} {most}" for name, most in people.LIMITS.items()),
        "backfills": "; ".join(f"{new} follows {old}" for new, old in people.BACKFILLS.items()),
        "overloaded": "\n".join(_overload_line(row) for row in truth["people"]["overloaded"]),
        "later_wins": sum(row["wins"] for row in truth["later"]),
        "later_arr": f"{sum(row['arr'] for row in truth['later']):,}",
    }


def _overload_line(row: dict) -> str:
    over = row["in_work"] - row["limit"]
    return f"- {row['month']}: {row['rep']} had {row['in_work']} records in work at the month's end, {over} of them beyond the limit."


def listed(numbers: tuple[float, ...]) -> str:
    """Numbers with commas."""
    return ", ".join(str(number) for number in numbers)


def by_segment(rows: dict[str, list]) -> str:
    """A Markdown table with one column per segment."""
    lines = [f"| | {' | '.join(SEGMENTS)} |", "|---|" + "---|" * len(SEGMENTS)]
    return "\n".join([*lines, *(f"| {name} | {' | '.join(map(str, row))} |" for name, row in rows.items())])
