"""The exhibits of what the records support, in the order of the notebook `rates`."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from revplan.crm.answer import read_first
from revplan.crm.mapping import EVERY
from revplan.exhibits import charts
from revplan.exhibits.chart import PLAN, REQUIRED, drawn
from revplan.exhibits.exhibit import Exhibit, chart, table_of, text
from revplan.exhibits.figures import Figure, FigureCells, figure
from revplan.ground.calendar import MONTH_DAYS
from revplan.ground.errors import PlanError, shown
from revplan.ground.formats import compact, counted, kinds_of, listed, raised, show
from revplan.rates.backtest import MODEL, NAMES, TARGETS, Backtest, banded_words, better_words, unit_of
from revplan.rates.book import HistoryBook
from revplan.rates.forecast import Count, Forecast, ahead_words
from revplan.rates.parts import OWN_LAG

SMALL = 1000  # a number below it is shown with a decimal
ALL_WINS = "with_arrivals"
NO_CONVERSION = "No step shows a conversion, so there is neither rate nor delay."
STEP = {"step": ("Step", "text")}


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
    support = counted(history.number, "record supports", "records support")
    message = f"{support} {settled} of {counted(wanted, 'step')} with rates that had time to settle"
    young = steps.loc[~steps["mature"].astype(bool)]
    if len(young):
        steps_named = listed((young["from_stage"] + " to " + young["to_stage"]).tolist())
        message += f"; {steps_named} {'is' if len(young) == 1 else 'are'} still young"
    if len(steps) < wanted:
        none = wanted - len(steps)
        message += f"; {none} {'shows' if none == 1 else 'show'} no conversion at all"
    facts = {
        "Records": f"{history.number:,}",
        "Known to": show(history.as_of, "date"),
        "Rates rest on outcomes from": _range(steps["recorded_from"], "date") if len(steps) else "–",
        "Rates rest on the last": f"{_range(steps['window_days'], 'days')} days" if len(steps) else "–",
    }
    stated = [_of(book, "records_counted", float(history.number))]
    if book.forecast is not None:
        wins = book.forecast.with_arrivals.wins
        ahead = "month" if book.months == 1 else f"{book.months} months"
        facts[f"Wins of the next {ahead}"] = f"{wins.mean:.0f} ({wins.p10:.0f} to {wins.p90:.0f})"
        stated.append(_of(book, "wins_ahead", wins.mean))
    if book.backtest is not None:
        error = book.backtest.scores[ALL_WINS][MODEL].wape
        facts["Error of past forecasts"] = show(error, "share")
        stated.append(_of(book, "forecast_error", error))
    said = " ".join((*history.first, f"{message}."))
    made = text(said, facts, header=f"{book.name}: what the records support", notes=read_first(history))
    return made.sharing(*stated)


def _of(book: HistoryBook, measure: str, value: float) -> Figure:
    """A figure of the records as known on their last day."""
    return figure(measure, value, f"to {book.history.as_of}")


def _rate_cells(book: HistoryBook, rows: pd.DataFrame) -> FigureCells:
    """What a table of estimates holds: the rate of each step and part, and what it rests on."""
    names = {"step": "from_stage", "segment": "segment", "source": "source"}
    said = [{key: str(row[name]) for key, name in names.items()} for row in rows.to_dict("records")]
    columns = {"rate": "rate_counted", "conversions": "conversions_counted"}
    return FigureCells(rows=said, columns=columns, of={"period": f"to {book.history.as_of}"})


def _range(values: pd.Series, kind: str) -> str:
    """The value of all steps, or the smallest and the largest where they differ."""
    low, high = show(values.min(), kind), show(values.max(), kind)
    return low if low == high else f"{low} to {high}"


def import_report(book: HistoryBook) -> Exhibit:
    """How the files were read, and everything found on the way."""
    lines = [(line.part, line.what, float(line.count), line.example) for line in book.history.report]
    frame = pd.DataFrame(lines, columns=["part", "what", "count", "example"])
    read = sum(line.count for line in book.history.report if line.what.startswith("rows read"))
    aside = sum(line.count for line in book.history.report if "set aside" in line.what)
    message = f"{counted(read, 'row was', 'rows were')} read and {aside:,} set aside; every finding is counted here."
    return table_of("import_report", frame, message)


def rates(book: HistoryBook) -> Exhibit:
    """The rate of every step with its interval."""
    kinds = {**kinds_of("estimates"), "step": "text"}
    if book.steps.empty:
        return text(NO_CONVERSION)
    named = _named(book.steps)
    on_page_one = (*book.history.first, *read_first(book.history))
    notes = [line for line in book.warnings if line not in on_page_one]
    made = chart(charts.rates(named), named, kinds, notes=notes)
    return made.sharing(cells=_rate_cells(book, named))


def cells(book: HistoryBook) -> Exhibit:
    """Every rate the records support, by segment and source, drawn towards what holds for all."""
    if book.estimates.empty:
        return text(NO_CONVERSION)
    named = _named(book.estimates)
    columns = ["step", "rate", "rate_low", "rate_high", "evidence", "conversions", "median_days", "p90_days", "mature"]
    thin = int((named["conversions"] < 10).sum())
    message = (
        f"{counted(len(named), 'rate')} by step, segment and source; {counted(thin, 'rests', 'rest')} on fewer than 10 "
        f"conversions and so {'leans' if thin == 1 else 'lean'} on the segment, the source and all records."
    )
    notes = [f"A part with fewer than {OWN_LAG} conversions has the delay of the wider group it belongs to."]
    made = table_of("estimates", named[columns], message, more=STEP, notes=notes)
    return made.sharing(cells=_rate_cells(book, named))


def differences(book: HistoryBook) -> Exhibit:
    """Whether one segment or source may be called better than another."""
    found = book.differences
    if found.empty:
        return text("There is one segment and one source, or too few conversions to compare them.")
    rate = book.estimates.set_index(["from_stage", "segment", "source"])[
        "rate"
    ]  # as the table of rates has it, if it has
    ends = {end: [float(rate.get(part, float("nan"))) for part in _parts(found, end)] for end in ENDS}
    found = found.assign(step=found["from_stage"] + " to " + found["to_stage"], **ends)
    real = found[found["differs"]]
    if real.empty:
        none = "The one comparison" if len(found) == 1 else f"Not one of {len(found)} comparisons"
        message = f"{none} shows{' no' if len(found) == 1 else ' a'} difference of segments or sources beyond what luck explains: do not rank them."
    else:
        number = "1 comparison shows" if len(real) == 1 else f"{len(real)} comparisons show"
        message = f"{number} more than luck, of {len(found)} made; the surest: {_surest(real.iloc[0])}."
    columns = ["step", "by", "best", "best_rate", "worst", "worst_rate", "chance", "differs"]
    notes = [
        "Records of the same age are compared; the more comparisons there are, the clearer each must be to count as more than "
        "luck. What is quicker to convert counts as converting more, so rates can lie nearer together, or the other way round."
    ]
    more = {**STEP, "best_rate": ("Its rate", "share"), "worst_rate": ("Rate of that one", "share")}
    made = table_of("differences", found[columns], message, more=more, notes=notes)
    parts = [part for end in ENDS for part in _parts(found, end)]
    rates_shown = [rate for end in ENDS for rate in found[end]]
    keys = ("step", "segment", "source")
    told = [
        figure("rate_counted", rate, f"to {book.history.as_of}", **dict(zip(keys, part, strict=True)))
        for part, rate in zip(parts, rates_shown, strict=True)
        if pd.notna(rate)
    ]
    return made.sharing(*told)


ENDS = {"best_rate": "best", "worst_rate": "worst"}


def _parts(found: pd.DataFrame, end: str) -> list[tuple[str, str, str]]:
    """Step, segment and source of the best or worst part of each comparison."""
    return [
        (
            row["from_stage"],
            row[ENDS[end]] if row["by"] == "segment" else EVERY,
            row[ENDS[end]] if row["by"] == "source" else EVERY,
        )
        for row in found.to_dict("records")
    ]


def _surest(row: pd.Series) -> str:
    """Who converts more than whom, in the rates the report has for them."""
    best, worst = row["best"], row["worst"]
    rates = [show(row[end], "share") for end in ENDS]
    step = f"from {row['from_stage']} to {row['to_stage']}"
    if pd.isna(row["best_rate"]) or pd.isna(row["worst_rate"]):
        return f"{step}, {best} converts more, or sooner, than {worst}"
    if rates[0] == rates[1] or row["best_rate"] < row["worst_rate"]:
        return (
            f"{step}, {best} converts sooner than {worst} (in the end {rates[0]} of it do, and {rates[1]} of the other)"
        )
    return f"{step}, {rates[0]} of {best} convert, and {rates[1]} of {worst}"


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
        return text(f"{start} to {end}: the records are too young or too few to draw its curves.")
    settled = float(row["p90_days"].iloc[0]) / MONTH_DAYS
    return chart(charts.curves(frame, start, end, settled), frame, kinds_of("cohort_curves"))


def lags(book: HistoryBook) -> Exhibit:
    """How long each step takes, by month."""
    rows = [
        (step, float(month), float(share))
        for step, shares in zip(_named(book.steps)["step"], book.steps["lag_months"], strict=True)
        for month, share in enumerate(shares.split())
    ]
    if not rows:
        return text(NO_CONVERSION)
    frame = pd.DataFrame(rows, columns=["step", "lag_months", "share"])
    kept = frame[frame["lag_months"] <= 18]
    medians = dict(zip(_named(book.steps)["step"], book.steps["median_days"], strict=True))
    kinds = {"step": "text", "lag_months": "months", "share": "share"}
    return chart(charts.lags(kept, medians), kept, kinds)


def drift(book: HistoryBook) -> Exhibit:
    """Whether the last months differ from before."""
    drifting = _named(book.steps).dropna(subset=["drift"])
    if drifting.empty:
        return text("The records are too few, or too young, to tell whether the last 90 days differ.")
    kinds = {**kinds_of("estimates"), "step": "text"}
    return chart(charts.drift(drifting), drifting, kinds)


def forecast(book: HistoryBook) -> Exhibit:
    """Wins of the next months."""
    told = book.forecast
    if told is None:
        return text("The records hold too few wins to forecast the next months.")
    rows = [
        (pd.Timestamp(end), from_known.mean, from_known.p10, from_known.p90, every.mean, every.p10, every.p90)
        for end, from_known, every in zip(told.ends, told.from_known.by_month, told.with_arrivals.by_month, strict=True)
    ]
    names = ["month_end", "from_known", "from_known_p10", "from_known_p90", "all", "all_p10", "all_p90"]
    frame = pd.DataFrame(rows, columns=names)
    notes = [
        f"Bars are means, lines P10 to P90; beyond luck wins vary by {show(told.from_known.cv, 'share')}.",
        *told.warnings,
    ]
    if told.with_arrivals.arr is not None:
        arr = told.with_arrivals.arr
        low, high = compact(arr.p10, book.currency), compact(arr.p90, book.currency)
        notes.insert(0, f"In ARR: {compact(arr.mean, book.currency)}, between {low} and {high}.")
    kinds = {"month_end": "date"} | dict.fromkeys(names[1:], "count")
    tenths = {name: name.replace("_p10", "_low").replace("_p90", "_high") for name in names}
    ended = [f"to {show(day, 'date')}" for day in frame["month_end"]]
    parts = (("from_known", "from known records", REQUIRED), ("all", "with new ones", PLAN))
    table = frame.rename(columns=tenths).assign(month_end=ended)
    described = drawn(ahead_words(told), table, "month_end", *parts, kind="count")
    made = chart(described, frame, kinds, notes=notes)
    return made.sharing(_of(book, "wins_ahead", float(frame["all"].sum())))


def wins_ahead(told: Forecast, currency: str, *, by_source: bool) -> Exhibit:
    """Wins of the next months, and ARR where amounts are known, month by month; by source where asked for."""
    from_known, total = told.from_known, told.with_arrivals
    rows = [("all months", from_known.wins, total.wins)]
    if from_known.arr and total.arr:
        rows.append((f"all months, ARR{f' ({currency})' if currency else ''}", from_known.arr, total.arr))
    by_month = zip(told.ends, from_known.by_month, total.by_month, strict=True)
    rows += [(f"to {show(end, 'date')}", first, second) for end, first, second in by_month]
    if by_source:
        rows += [(f"source {name}", *both) for name, both in told.by_source.items()]
    frame = pd.DataFrame(
        [(what, *_counts(first), *_counts(second)) for what, first, second in rows], columns=list(kinds_of("forecast"))
    )
    replayed = counted(told.replays, "past forecast")
    notes = [
        "By how records went on: the mean level of the last 180 days, the last 365 and all days recorded; beyond luck the "
        f"wins vary by {show(from_known.cv, 'share')} ({replayed} replayed).",
        *told.warnings,
    ]
    return table_of("forecast", frame, ahead_words(told), notes=notes)


def _counts(count: Count) -> tuple[str, ...]:
    return tuple(_number(value, count.mean) for value in (count.mean, count.p10, count.p90))


def _number(value: float, size: float) -> str:
    """One decimal beside what is small, none beside what is large."""
    return f"{value:,.{1 if abs(size) < SMALL else 0}f}"


def backtest(book: HistoryBook) -> Exhibit:
    """Past forecasts against the actuals."""
    done = book.backtest
    if done is None:
        return text("No past day can be replayed yet: the records are too young.")
    scores = done.scores[ALL_WINS]
    best = min((name for name in scores if name != MODEL), key=lambda name: scores[name].wape)
    rows = []
    for origin in done.origins:
        told = origin.told[ALL_WINS]
        low, _, high = told[MODEL].quantiles()
        day = pd.Timestamp(origin.as_of)
        rows.append((day, told[MODEL].mean, low, high, told[MODEL].actual, told[best].mean, NAMES[best]))
    names = ["as_of", "mean", "p10", "p90", "actual", "baseline", "baseline_name"]
    kinds = {"as_of": "date", "baseline_name": "text"} | dict.fromkeys(names[1:-1], "count")
    errors = scores[MODEL].wape, scores[best].wape
    frame = pd.DataFrame(rows, columns=names)
    described = charts.replay(frame, errors, banded_words(done, ALL_WINS))
    made = chart(described, frame, kinds, notes=done.warnings)
    return made.sharing(_of(book, "forecast_error", errors[0]))


def replays(done: Backtest, target: str) -> Exhibit:
    """Past forecasts of one target against the actuals, day by day, beside the baselines."""
    rows = []
    for origin in done.origins:
        told = origin.told[target]
        low, _, high = told[MODEL].quantiles()
        figures = (told[MODEL].actual, told[MODEL].mean, low, high, *(told[name].mean for name in NAMES))
        rows.append((pd.Timestamp(origin.as_of), *(_number(each, each) for each in figures)))
    frame = pd.DataFrame(rows, columns=list(kinds_of("replays")))
    made = f"{counted(len(done.origins), 'forecast')} of {counted(done.months, 'month')}"
    return table_of("replays", frame, f"{raised(TARGETS[target])}, {made}: {banded_words(done, target)}.")


def scores(book: HistoryBook) -> Exhibit:
    """The forecast's scores beside the baselines'."""
    if book.backtest is None:
        return text("There are no scores without a replay.")
    error = book.backtest.scores[ALL_WINS][MODEL].wape
    made = scores_of(book.backtest, ALL_WINS).sharing(_of(book, "forecast_error", error))
    return replace(made, notes=(SCORED,))


SCORED = (
    "Missed by: all misses added up, over all actuals. Miss with its band: how far off it was on average, counting in "
    "how sure it said it was; less is better."
)


def scores_of(done: Backtest, target: str) -> Exhibit:
    """The scores of the forecast of one target beside the baselines'."""
    rows = [
        (NAMES.get(name, name), score.wape, score.bias, score.crps, score.coverage, score.width)
        for name, score in done.scores[target].items()
    ]
    frame = pd.DataFrame(rows, columns=["method", "wape", "bias", "crps", "coverage", "width"])
    frame = frame.astype(dict.fromkeys(["wape", "bias", "crps", "coverage", "width"], float))
    replayed = f"Replayed at {counted(len(done.origins), 'past day')}, {better_words(done, target)}."
    return table_of("scores", frame, replayed, unit=unit_of(target))


def replayed_by_source(done: Backtest) -> Exhibit:
    """How good the forecasts by source were, and what a reader of all scores must know."""
    each = done.by_source
    missed, within = show(each.wape, "share"), show(each.coverage, "share")
    said = f"By source, from known records: missed by {missed} of the actuals; {within} of the outcomes lay in the band"
    return text(f"{said}, which should hold 80%.", notes=[SCORED, *done.warnings])
