"""Whether the band of a landing holds the truth in 8 of 10 cases: `python benchmarks/landing_truth.py [--worlds N]`.

Companies are drawn anew from the truth of the example company. On two days of a fiscal year that is over in
each of them, the landing of the year is told from the records known on that day and from entries committed at
the true mean of the arrivals, and held against what was won in the end. So the band answers for rates, lags,
deals and chance; whether a team keeps its commit is not asked.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(__file__).parents[1] / "data"
sys.path.insert(0, str(DATA))

import example_world as truth  # noqa: E402
from make_example import leads, write  # noqa: E402

from revplan.funnel.funnel import HORIZON, forward  # noqa: E402
from revplan.funnel.year import PlannedYear, year_without_commit  # noqa: E402
from revplan.plan.model import Plan  # noqa: E402
from revplan.rates.backtest import proportion_interval  # noqa: E402
from revplan.rates.estimates import step_levels  # noqa: E402
from revplan.simulation.simulate import simulate  # noqa: E402
from revplan.snapshot.state import read_history, snapshot_of, with_history_rates  # noqa: E402
from revplan.tracking.attainment import rest_of_year  # noqa: E402
from revplan.tracking.landing import landing  # noqa: E402
from revplan.tracking.periods import quarter_span, whole_year  # noqa: E402

FIRST = pd.Period("2025-11", freq="M")
DAYS = (date(2026, 1, 15), date(2026, 4, 30), date(2026, 6, 15), date(2026, 7, 31))


MARKETS = {
    "as plans assume": {},
    "as it is": {"rho": 0, "lag_cv": 0, "volume_cv": 0},
}  # the truth has no market that moves


def plan(market: str) -> Plan:
    """The example company's year from November 2025 to October 2026; rates come from its records."""
    segments = {name: {"share": 1 / 3, "acv": {"mean": mean, "sd": sd}} for name, (mean, sd) in truth.ACV.items()}
    sources = {name: {"share": 0.25, "enters": stage} for name, stage in truth.ENTERS.items()}
    return Plan.model_validate(
        {
            "year": {"first_month": str(FIRST)},
            "plan_date": FIRST.start_time.date(),
            "goal": {"new_arr": 2_000_000},
            "segments": segments,
            "sources": sources,
            "history": {"leads": "crm.yaml"},
            "uncertainty": MARKETS[market],
        }
    )


def arrivals(segment: str, source: str) -> np.ndarray:
    """True mean of the entries in each of 24 months. [records]"""
    days = pd.date_range(FIRST.start_time, periods=730, freq="D")
    growth = truth.GROWTH ** ((days - truth.PLAN_DATE).days.to_numpy() / 365.25)
    season = np.array(truth.SEASON)[days.month - 1] * np.array(truth.WEEKDAY)[days.day_of_week]
    per_day = truth.PER_MONTH[source][truth.SEGMENTS.index(segment)] / 30.4375 * season * growth
    months = (days.to_period("M") - FIRST).map(lambda gap: gap.n)
    return np.bincount(months, per_day, HORIZON)[:HORIZON]


def committed(year: PlannedYear) -> PlannedYear:
    """`year` with the true mean arrivals as its commit."""
    flows = (forward(cell, arrivals(cell.segment, cell.source), year.start) for cell in year.cells)
    return replace(year, flows=tuple(flows))


def told(folder: Path, day: date, market: str) -> pd.DataFrame:
    """Table landing as told on `day`: the quarter it lies in, and the year."""
    stated = plan(market).model_copy(update={"plan_date": day + timedelta(days=1)})
    records = read_history(stated, folder)
    stated = with_history_rates(stated, records)
    known_now = snapshot_of(stated, records)
    promised = committed(
        year_without_commit(stated.model_copy(update={"plan_date": FIRST.start_time.date()}), known_now)
    )
    now = rest_of_year(promised, stated, known_now, step_levels(records.history))
    return landing(now, simulate(now), [quarter_span("", FIRST, day), whole_year(FIRST, day)], np.nan)


def priced(records: pd.DataFrame, day: date) -> pd.DataFrame:
    """The export with the amounts that were known at the end of `day`: of records that were opportunities by then."""
    seen = pd.to_datetime(records["sqo_on"]) < pd.Timestamp(day) + pd.Timedelta(days=1)
    return records.assign(amount=records["amount"].where(seen))


def came(world: truth.World, first: pd.Period, months: int) -> float:
    """New ARR won in a period. [plan currency]"""
    won = truth.months(world.records["won"].dropna())
    inside = won.between(first, first + (months - 1)) & world.records.loc[won.index, "id"].notna()
    return float(world.records.loc[won.index[inside], "amount"].sum())


def compared_with(world: truth.World, folder: Path, day: date, market: str) -> Iterator[dict[str, object]]:
    """The rows of a landing, each with what came."""
    for row in told(folder, day, market).to_dict("records"):
        year = "Q" not in row["period"]
        span = whole_year(FIRST, day) if year else quarter_span(row["period"], FIRST, day)
        yield {"market": market, "day": str(day), "year": year, "actual": came(world, span.first, span.count), **row}


def main() -> None:
    """Prints coverage, bias and width of the bands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=40)
    rows = []
    for seed in range(1, parser.parse_args().worlds + 1):
        world = truth.make_world(seed)
        records = leads(world)
        for day in DAYS:
            with tempfile.TemporaryDirectory() as name:
                folder = Path(name)
                write(folder, "leads.csv", priced(records, day).to_csv(index=False))
                write(folder, "crm.yaml", (DATA / "example" / "crm.yaml").read_text(encoding="utf-8"))
                rows += [row for market in MARKETS for row in compared_with(world, folder, day, market)]
    found = pd.DataFrame(rows)
    found["held"] = found["actual"].between(found["landing_low"], found["landing_high"])
    for (market, day, year), each in found[found["landing_low"] < found["landing_high"]].groupby(
        ["market", "day", "year"]
    ):
        low, high = proportion_interval(int(each["held"].sum()), len(each))
        bias = each["landing"].sum() / each["actual"].sum() - 1
        width = (each["landing_high"] - each["landing_low"]).mean() / each["landing"].mean()
        print(
            f"market {market}, {day} {'year' if year else 'quarter'}: held {each['held'].mean():.2f} ({low:.2f} to {high:.2f}), "
            f"bias {bias:+.3f}, width {width:.2f}, below {(each['actual'] < each['landing_low']).mean():.2f}, {len(each)} worlds"
        )


if __name__ == "__main__":
    main()
