"""The exhibits of what the records support, in the order of the notebook `rates`."""

from __future__ import annotations

import pandas as pd

from revplan.errors import PlanError, shown
from revplan.formats import compact, kinds_of, show
from revplan.history.backtest import MODEL
from revplan.history.baselines import NAMES
from revplan.history.parts import OWN_LAG
from revplan.history.records import EVERY
from revplan.historybook import HistoryBook
from revplan.report import native_rates, rate_charts
from revplan.report.exhibit import Exhibit, chart, table, text

SETTLED = 0.9
MONTH_DAYS = 30.4375


def _named(rows: pd.DataFrame) -> pd.DataFrame:
    """Estimates with the step, and the cell where it is one, in words."""
    cells = [
        " x ".join(part for part in (segment, source) if part != EVERY)
        for segment, source in zip(rows["segment"], rows["source"], strict=True)
    ]
    steps = (rows["from_stage"] + " to " + rows["to_stage"]).tolist()
    return rows.assign(step=[f"{step}, {cell}" if cell else step for step, cell in zip(steps, cells, strict=True)])


def summary(book: HistoryBook) -> Exhibit:
    """What the records support, in one line, over the facts."""
    history, steps = book.history, book.steps
    settled = int(steps["mature"].sum())
    wanted = len(history.stages) - 1
    message = f"{len(history.records):,} records support {settled} of {wanted} steps with rates that had time to settle"
    young = steps.loc[~steps["mature"].astype(bool)]
    if len(young):
        row = young.iloc[-1]
        message += f"; {row['from_stage']} to {row['to_stage']} is still young"
    if len(steps) < wanted:
        message += f"; {wanted - len(steps)} show no conversion at all"
    facts = {
        "Records": f"{len(history.records):,}",
        "Known to": show(history.as_of, "date"),
        "Outcomes recorded from": show(steps["recorded_from"].max(), "date") if len(steps) else "–",
        "Rates rest on the last": f"{steps['window_days'].max():.0f} days" if len(steps) else "–",
    }
    if book.forecast is not None:
        wins = book.forecast.with_arrivals.wins
        facts[f"Wins of the next {book.months} months"] = f"{wins.mean:.0f} ({wins.p10:.0f} to {wins.p90:.0f})"
    if book.backtest is not None:
        score = book.backtest.scores["with_arrivals"][MODEL]
        facts["Error of past forecasts"] = show(score.wape, "share")
    return text(message + ".", facts, header=f"{book.plan.name}: what the records support")


def import_report(book: HistoryBook) -> Exhibit:
    """How the files were read, and everything found on the way."""
    lines = [(line.part, line.what, float(line.count), line.example) for line in book.history.report]
    frame = pd.DataFrame(lines, columns=["part", "what", "count", "example"])
    read = sum(line.count for line in book.history.report if line.what.startswith("rows read"))
    aside = sum(line.count for line in book.history.report if "set aside" in line.what)
    message = f"{read:,} rows were read and {aside:,} set aside; every finding is counted here with an example."
    kinds = {"part": "text", "what": "text", "count": "count", "example": "text"}
    return table(
        frame, kinds, message, labels={"part": "Where", "what": "What", "count": "How many", "example": "Example"}
    )


def rates(book: HistoryBook) -> Exhibit:
    """The rate of every step with its interval."""
    kinds = {**kinds_of("estimates"), "step": "text"}
    if book.steps.empty:
        return text("No step shows a conversion, so there is no rate.")
    named = _named(book.steps)
    return chart(rate_charts.rates, named, kinds, notes=book.warnings, height=0.9 + 0.42 * len(named)).with_native(
        native_rates.rates
    )


def cells(book: HistoryBook) -> Exhibit:
    """Every rate the records support, by segment and source, drawn towards what holds for all."""
    if book.estimates.empty:
        return text("No step shows a conversion, so there is no rate by segment and source.")
    named = _named(book.estimates)
    columns = ["step", "rate", "rate_low", "rate_high", "evidence", "conversions", "median_days", "p90_days", "mature"]
    thin = int((named["conversions"] < 10).sum())
    message = (
        f"{len(named)} rates by step, segment and source; {thin} rest on fewer than 10 conversions and lean on the "
        "rates of their segment, their source and all records."
    )
    labels = {
        "step": "Step",
        "rate": "Rate",
        "rate_low": "P10",
        "rate_high": "P90",
        "evidence": "Records behind it",
        "conversions": "Conversions",
        "median_days": "Median days",
        "p90_days": "P90 days",
        "mature": "Settled",
    }
    notes = [f"A part with fewer than {OWN_LAG} conversions has the delay of the wider group it belongs to."]
    return table(named[columns], {**kinds_of("estimates"), "step": "text"}, message, labels=labels, notes=notes)


def differences(book: HistoryBook) -> Exhibit:
    """Whether one segment or source may be called better than another."""
    found = book.differences
    if found.empty:
        return text("There is one segment and one source, or too few conversions to compare them.")
    real = found[found["differs"]]
    if real.empty:
        message = "No segment and no source converts better than another beyond what luck explains: do not rank them."
    else:
        first = real.iloc[0]
        message = (
            f"{len(real)} of {len(found)} comparisons show more than luck; the surest: from {first['from_stage']} to "
            f"{first['to_stage']}, {first['best']} converts {first['ratio']:.1f} times as often as {first['worst']}."
        )
    frame = found.assign(step=found["from_stage"] + " to " + found["to_stage"])
    columns = ["step", "by", "best", "worst", "ratio", "chance", "differs"]
    labels = {"step": "Step", "by": "Between", "best": "Most", "worst": "Least", "ratio": "Most over least"}
    labels |= {"chance": "Chance if all were alike", "differs": "More than luck"}
    notes = [
        "Log-rank test of records of the same age, corrected for the number of comparisons (Holm). What is quicker to "
        "convert counts as converting more."
    ]
    kinds = {**kinds_of("differences"), "step": "text"}
    return table(frame[columns], kinds, message, labels=labels, notes=notes)


def curves(book: HistoryBook, from_stage: str = "") -> Exhibit:
    """Conversion by age of one step, a line per quarter of entry; the last step if none is named.

    Raises
    ------
    PlanError
        If the stage named is none that records leave.
    """
    stages = book.history.stages
    if from_stage and from_stage not in stages[:-1]:
        raise PlanError.at("from_stage", f"got {shown(from_stage)!r}; it is one of {', '.join(stages[:-1])}")
    start = from_stage or stages[-2]
    end = stages[stages.index(start) + 1]
    row = book.steps[book.steps["from_stage"] == start]
    frame = book.curves(start) if len(row) else pd.DataFrame()
    if frame.empty:
        return text(f"{start} to {end}: the records are too young or too few for cohort curves.")
    settled = float(row["p90_days"].iloc[0]) / MONTH_DAYS
    return chart(
        rate_charts.curves(start, end, settled), frame, kinds_of("cohort_curves"), name="curves", height=3.4
    ).with_native(native_rates.curves(settled))


def lags(book: HistoryBook) -> Exhibit:
    """How long each step takes, by month."""
    rows = [
        (step, float(month), float(share))
        for step, shares in zip(_named(book.steps)["step"], book.steps["lag_months"], strict=True)
        for month, share in enumerate(shares.split())
    ]
    if not rows:
        return text("No step shows a conversion, so there is no delay.")
    frame = pd.DataFrame(rows, columns=["step", "lag_months", "share"])
    kept = frame[frame["lag_months"] <= 18]
    return chart(
        rate_charts.lags, kept, {"step": "text", "lag_months": "months", "share": "share"}, height=3.2
    ).with_native(native_rates.lags)


def drift(book: HistoryBook) -> Exhibit:
    """Whether the last months differ from before."""
    known = _named(book.steps).dropna(subset=["drift"])
    if known.empty:
        return text("The records are too few, or too young, to tell whether the last 90 days differ.")
    kinds = {**kinds_of("estimates"), "step": "text"}
    return chart(rate_charts.drift, known, kinds, height=0.9 + 0.36 * len(known)).with_native(native_rates.drift)


def forecast(book: HistoryBook) -> Exhibit:
    """Wins of the next months."""
    told = book.forecast
    if told is None:
        return text("The records hold too few wins to forecast the next months.")
    rows = [
        (pd.Timestamp(end), known.mean, known.p10, known.p90, every.mean, every.p10, every.p90)
        for end, known, every in zip(told.ends, told.from_known.by_month, told.with_arrivals.by_month, strict=True)
    ]
    names = ["month_end", "known", "known_p10", "known_p90", "all", "all_p10", "all_p90"]
    frame = pd.DataFrame(rows, columns=names)
    notes = [
        f"Bars are means, lines P10 to P90; beyond chance wins vary by {show(told.from_known.cv, 'share')}.",
        *told.warnings,
    ]
    if told.with_arrivals.arr is not None:
        arr = told.with_arrivals.arr
        low, high = compact(arr.p10, book.plan.currency), compact(arr.p90, book.plan.currency)
        notes.insert(0, f"In ARR: {compact(arr.mean, book.plan.currency)}, between {low} and {high}.")
    kinds = {"month_end": "date"} | dict.fromkeys(names[1:], "count")
    return chart(rate_charts.forecast, frame, kinds, notes=notes).with_native(native_rates.forecast)


def backtest(book: HistoryBook) -> Exhibit:
    """Past forecasts against what came."""
    done = book.backtest
    if done is None:
        return text("No past day can be replayed yet: the records are too young.")
    scores = done.scores["with_arrivals"]
    best = min((name for name in scores if name != MODEL), key=lambda name: scores[name].crps)
    rows = []
    for origin in done.origins:
        told = origin.told["with_arrivals"]
        low, _, high = told[MODEL].quantiles()
        day = pd.Timestamp(origin.as_of)
        rows.append((day, told[MODEL].mean, low, high, told[MODEL].came, told[best].mean, NAMES[best]))
    names = ["as_of", "mean", "p10", "p90", "came", "baseline", "baseline_name"]
    kinds = {"as_of": "date", "baseline_name": "text"} | dict.fromkeys(names[1:-1], "count")
    return chart(rate_charts.replay, pd.DataFrame(rows, columns=names), kinds, notes=done.warnings).with_native(
        native_rates.replay
    )


def scores(book: HistoryBook) -> Exhibit:
    """The forecast's scores beside the baselines'."""
    done = book.backtest
    if done is None:
        return text("There are no scores without a replay.")
    rows = [
        (NAMES.get(name, name), score.wape, score.bias, score.crps, score.coverage, score.width)
        for name, score in done.scores["with_arrivals"].items()
    ]
    frame = pd.DataFrame(rows, columns=["method", "wape", "bias", "crps", "coverage", "width"])
    frame = frame.astype(dict.fromkeys(["wape", "bias", "crps", "coverage", "width"], float))
    better = done.better.get("with_arrivals")
    message = (
        f"Replayed at {len(done.origins)} past days, no baseline did better than the forecast."
        if better is None
        else f"{NAMES.get(better[0], better[0])} did better at past days: it says {better[1]:.0f} wins for the months ahead."
    )
    kinds = {"method": "text", "wape": "share", "bias": "ratio", "crps": "count", "coverage": "share", "width": "ratio"}
    labels = {
        "method": "Method",
        "wape": "Error (WAPE)",
        "bias": "Bias",
        "crps": "CRPS (wins)",
        "coverage": "Came within P10 to P90",
        "width": "Width over mean",
    }
    return table(frame, kinds, message, labels=labels)
