"""Whether landings of month, quarter and year hold, replayed at every month end: `python benchmarks/landing_replay.py`.

Fifty invented companies (companies.py: ten kinds of world, five companies each) and the public records. At the end of
each month of a fiscal year the landing of the month and the quarter that follow, and of the year, is told from what was
known that evening, and held against what was won in the end. Of the invented ones entries are committed at their true
mean; of the public ones as many as came. Whether a team keeps its commit is not asked.

Bias is the sum of what was told over that of what came, less 1. Beside it stands its standard error, by leaving out a
company at a time: twelve landings of one company are no twelve companies. Where the simulator can let a company live on
from the day many times over, the bias against what was to be expected that evening is given too: luck is out of it.

`--public` names the folder of the public records, which are no part of this project. `--save FILE` keeps the rows of a
run, and `--pool FILE ...` prints those of several runs together.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
from companies import (
    BUILDING,
    FIRST,
    World,
    committed,
    day_of,
    expected_by,
    history,
    plan_of,
    spans_after,
    with_close_dates,
    world,
    year_on,
)

from revplan.crm.records import History, read_export
from revplan.funnel.funnel import HORIZON
from revplan.funnel.year import PlannedYear
from revplan.ground.errors import DataError, PlanError
from revplan.plan.model import Plan
from revplan.simulation.simulate import simulate
from revplan.tracking.close_dates import close_dates
from revplan.tracking.landing import landing
from revplan.tracking.periods import Span

PUBLIC = Path(__file__).parents[2] / "shared" / "data"
# Worlds in which a landing is expected to fail, or to need what the first ten do not; not among the fifty companies.
HARDER = ("channels move", "rate jumps", "deals slow down", "back-loaded quarters", "young records", "close dates tell", "close dates are noise")  # fmt: skip
KINDS = ("steady", "sparse", "recorded late", "dates missing", "month-end dates", "closing bursts", "heavy tails", "drift", "reopened", "bulk load")  # fmt: skip
SPANS = ("month", "quarter", "year")
TRIALS, FUTURES = 2048, 4
Row = dict[str, object]


def month_ends(first: pd.Period, count: int) -> list[date]:
    """Last days of some months in a row."""
    return [(first + number).end_time.date() for number in range(count)]


# --- invented companies ---------------------------------------------------------------------------


def of_company(kind: str, seed: int, futures: int, ends: Sequence[int]) -> Iterator[Row]:
    """The landings of one company at some month ends of its year, each with what came."""
    made = world(seed, kind)
    plan = plan_of(made.truth, {})
    asked = committed(made, plan)
    export = None
    if kind in ("close dates tell", "close dates are noise"):
        with tempfile.TemporaryDirectory() as folder:
            export = with_close_dates(made, Path(folder))
    for day in (month_ends(FIRST, 11)[number - 1] for number in ends):
        of = {"kind": kind, "company": f"{kind} {seed}", "day": str(day)}
        try:
            known_then = history(made.truth, made.up_to(day), day)
            now, _ = year_on(plan, known_then, asked, day)
            dates = None if export is None else close_dates(export, known_then, made.truth.stages[-2])
        except (PlanError, DataError) as error:
            yield {**of, "span": "refused", "why": str(error)[:200]}
            continue
        spans = spans_after(day)
        lived_on = (
            expected_by(made, day, tuple(span.last.end_time.date() for span in spans), futures) if futures else None
        )
        years = {kind: now}
        if dates is not None:
            used, _ = year_on(plan, known_then, asked, day, dates)
            years = {f"{kind}, used": used, f"{kind}, not used": now}
        for name, year in years.items():
            for number, (span, row) in enumerate(zip(spans, landings(year, spans), strict=True)):
                ahead = None if lived_on is None else lived_on[number]
                yield {
                    **of,
                    "kind": name,
                    "helps": dates is not None and dates.helps,
                    "span": SPANS[number],
                    "actual": came(made, span),
                    "expected": np.nan if ahead is None else row["closed"] + ahead["open"] + ahead["new"],
                    **row,
                }


def landings(now: PlannedYear, spans: tuple[Span, ...]) -> list[Row]:
    """The rows of table landing."""
    return landing(now, simulate(now, trials=TRIALS), list(spans), np.nan).to_dict("records")


def came(made: World, span: Span) -> float:
    """New ARR won in a period in the end. [plan currency]"""
    begin, end = day_of(span.first.start_time.date()), day_of(span.last.end_time.date()) + 1
    won = made.lives.entered[:, -1]
    return float(made.lives.amount[(won >= begin) & (won < end)].sum())


# --- public records -------------------------------------------------------------------------------


@dataclass(frozen=True)
class PublicRecords:
    """A public set: how its files are read, and the year that is looked at."""

    name: str
    crm: str
    first: pd.Period
    """First month of the year; its last one is the last that the records know."""
    told_from: int
    """Months of the year that are over at the first landing."""


OLIST = PublicRecords(
    "olist",
    """format: wide
files:
  leads: {{path: '{folder}/olist_asof/leads_asof_2018-04-30.csv', id: mql_id}}
  deals: {{path: '{folder}/olist_asof/closed_deals_asof_2018-04-30.csv', id: mql_id}}
stages: {{lead: leads.first_contact_date, won: deals.won_date}}
""",
    pd.Period("2017-05", freq="M"),
    8,
)
MAVEN = PublicRecords(
    "maven",
    """format: wide
files:
  deals: {{path: '{folder}/maven_crm_sales_opportunities/sales_pipeline.csv', id: opportunity_id}}
stages: {{engaged: deals.engage_date, won: deals.won_date}}
lost: deals.lost_date
amount: deals.close_value
""",
    pd.Period("2017-01", freq="M"),
    5,
)


def of_public(records: PublicRecords, folder: Path) -> Iterator[Row]:
    """The landings of a public set at month ends, each with what came. Deals count 1 each where no amounts are known."""
    with tempfile.TemporaryDirectory() as made:
        crm = Path(made, "crm.yaml")
        text = records.crm.format(folder=folder)
        if records is MAVEN:  # one close date for both: told apart by the stage
            table = pd.read_csv(folder / "maven_crm_sales_opportunities" / "sales_pipeline.csv")
            for state in ("Won", "Lost"):
                table[f"{state.lower()}_date"] = table["close_date"].where(table["deal_stage"] == state)
            table.to_csv(Path(made, "sales_pipeline.csv"), index=False)
            text = text.replace(f"{folder}/maven_crm_sales_opportunities", made)
        crm.write_text(text, encoding="utf-8")
        export = read_export(crm)
    last = records.first + 11
    end = last.end_time.date()
    whole = _whole(export.on(end))
    for day in month_ends(records.first, 11)[records.told_from - 1 :]:
        known_then = _whole(export.on(day))
        of = {"kind": records.name, "company": records.name, "day": str(day)}
        try:
            now, actual = _public_year(records, known_then, whole, day)
        except (PlanError, DataError) as error:
            yield {**of, "span": "refused", "why": str(error)[:200]}
            continue
        for name, row in zip(SPANS, landings(now, _spans(records.first, day)), strict=True):
            yield {**of, "span": name, "expected": np.nan, "actual": actual[name], **row}


def _whole(known: History) -> History:
    """The records of one segment and source."""
    only = {"segment": "all", "source": "all"}
    return replace(known, stage_history=known.stage_history.assign(**only), records=known.records.assign(**only))


def _public_year(
    records: PublicRecords, known_then: History, whole: History, day: date
) -> tuple[PlannedYear, dict[str, float]]:
    """The rest of the year as told on `day`, and what came of each period."""
    first, stages = records.first, known_then.stages
    wins = known_then.stage_history[known_then.stage_history["stage"] == "won"]
    amounts = (
        known_then.records.set_index("record")["amount"] if "amount" in known_then.records else pd.Series(dtype=float)
    )
    prices = amounts.reindex(wins["record"]).dropna()
    mean, sd = (float(prices.mean()), float(prices.std())) if len(prices) > 1 else (1.0, 0.0)
    plan = Plan.model_validate(
        {
            "year": {"first_month": str(first)},
            "plan_date": first.start_time.date(),
            "goal": {"new_arr": 1000 * mean},
            "stages": [{"id": stage, "label": stage} for stage in stages],
            "commit": {"stage": stages[0]},
            "segments": {"all": {"share": 1.0, "acv": {"mean": mean, "sd": sd}}},
            "sources": {"all": {"share": 1.0, "enters": stages[0]}},
            "history": {"leads": "crm.yaml"},
        }
    )  # fmt: skip
    entered = whole.stage_history.loc[whole.stage_history["stage"] == stages[0], "entered_on"].dt.to_period("M")
    months = (entered - first).map(lambda gap: gap.n)
    asked = np.bincount(months[(months >= 0) & (months < HORIZON)], minlength=HORIZON).astype(float)
    now, _ = year_on(plan, known_then, {("all", "all"): asked}, day)
    final = whole.stage_history[whole.stage_history["stage"] == "won"]
    final_amounts = whole.records.set_index("record")["amount"] if "amount" in whole.records else None
    worth = (
        1.0
        if final_amounts is None or final_amounts.isna().all()
        else final_amounts.reindex(final["record"]).to_numpy()
    )
    final = final.assign(worth=worth, month=final["entered_on"].dt.to_period("M"))
    actual = {
        name: float(final.loc[final["month"].between(span.first, span.last), "worth"].sum())
        for name, span in zip(SPANS, _spans(first, day), strict=True)
    }
    return now, actual


def _spans(first: pd.Period, day: date) -> tuple[Span, Span, Span]:
    ahead = pd.Period(day, freq="M") + 1
    quarter = first + 3 * ((ahead - first).n // 3)
    return Span(str(ahead), ahead, 1, day), Span(f"{quarter} and 2 more", quarter, 3, day), Span("year", first, 12, day)


# --- what it comes to -----------------------------------------------------------------------------


def line(rows: pd.DataFrame) -> str:
    """Bias, coverage and what the chances of the goal were worth, of some landings."""
    by = rows["company"].to_numpy()
    bias, bias_error = jackknifed(rows["landing"].to_numpy(), rows["actual"].to_numpy(), by)
    held = rows["actual"].between(rows["landing_low"], rows["landing_high"]).to_numpy(dtype=float)
    covered, cover_error = jackknifed(held, np.ones(len(held)), by)
    below = float((rows["actual"] < rows["landing_low"]).mean())
    text = (
        f"{len(rows):4d} bias {bias - 1:+.3f} ({bias_error:.3f}), held {covered:.3f} ({cover_error:.3f}), below {below:.2f}, "
        f"chance of goal {rows['chance_of_goal'].mean():.2f} came true {(rows['actual'] >= rows['goal']).mean():.2f}"
    )
    known = rows[rows["expected"].notna()]
    if len(known):
        against, error = jackknifed(
            known["landing"].to_numpy(), known["expected"].to_numpy(), known["company"].to_numpy()
        )
        text += f", against expected {against - 1:+.3f} ({error:.3f}, {len(known)})"
    return text


def jackknifed(top: np.ndarray, bottom: np.ndarray, by: np.ndarray) -> tuple[float, float]:
    """The ratio of two sums, and its standard error, a company left out at a time; NaN of one company."""
    sums = pd.DataFrame({"top": top, "bottom": bottom}).groupby(by).sum()
    whole = sums.sum()
    ratio = float(whole["top"] / whole["bottom"])
    count = len(sums)
    if count < 2:
        return ratio, float("nan")
    without = (whole["top"] - sums["top"]) / (whole["bottom"] - sums["bottom"])
    return ratio, float(np.sqrt((count - 1) / count * ((without - without.mean()) ** 2).sum()))


def told(rows: pd.DataFrame) -> None:
    """Prints all together and kind by kind."""
    refused = rows[rows["span"] == "refused"]
    for (kind, why), each in refused.groupby(["kind", "why"]) if len(refused) else ():
        print(f"{kind}: refused {len(each)}: {why}")
    rows = rows[rows["span"] != "refused"]
    invented = rows["kind"].isin(KINDS)
    count = rows.loc[invented, "company"].nunique()
    for kind, each in rows[rows["kind"].str.endswith(", used")].groupby("kind"):
        print(f"{kind}: expected close dates are said to help in {each['helps'].mean():.2f} of the landings")
    for span, each in rows[invented].groupby("span", sort=False):
        print(f"{count} companies, {span:8s} {line(each)}")
    for (kind, span), each in rows.groupby(["kind", "span"], sort=False):
        print(f"{kind:16s} {span:8s} {line(each)}")


def main() -> None:
    """Prints bias and coverage, all together and kind by kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=5, help="companies of each kind")
    parser.add_argument("--kinds", nargs="*", default=list(KINDS))
    parser.add_argument("--first", type=int, default=BUILDING, help="seed of the first")
    parser.add_argument("--futures", type=int, default=FUTURES, help="lives behind what was to be expected; 0 for none")
    parser.add_argument(
        "--ends",
        type=int,
        nargs="*",
        choices=range(1, 12),
        default=list(range(1, 12)),
        help="months of the year at whose end an invented company is looked at",
    )
    parser.add_argument("--public", type=Path, default=PUBLIC)
    parser.add_argument("--save")
    parser.add_argument("--pool", nargs="*", default=[])
    given = parser.parse_args()
    if given.pool:
        told(pd.concat([pd.read_pickle(name) for name in given.pool], ignore_index=True))
        return
    found: list[Row] = []
    for kind in given.kinds:
        for seed in range(given.first, given.first + given.worlds):
            found += of_company(kind, seed, given.futures, given.ends)
    if given.kinds in ([], list(KINDS)) and given.public.is_dir():
        for records in (OLIST, MAVEN):
            found += of_public(records, given.public)
    if not found:
        print(f"no kind of company is asked for, and there is no folder {given.public}")
        return
    table = pd.DataFrame(found)
    if given.save:
        table.to_pickle(given.save)
    told(table)


if __name__ == "__main__":
    main()
