"""What the commands on history answer: as JSON, as text for a terminal, and as a file to paste."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from datetime import date
from io import StringIO
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from revplan.crm.records import History, read_records
from revplan.ground.errors import DataError, shown
from revplan.ground.formats import counted, show
from revplan.ground.terminal import aligned
from revplan.ground.yamlfile import on_one_line
from revplan.rates.backtest import MODEL, NAMES, TARGETS, Backtest, Every, backtest, backtest_answer
from revplan.rates.estimates import estimate_transitions, estimate_warnings, transitions_block
from revplan.rates.forecast import Count, Forecast, forecast_answer, forecast_wins

Told = Callable[[int, int, str], None]
Answer = tuple[dict[str, Any], str]  # what --json prints, and the text


# --- rates ---------------------------------------------------------------------------------------


def rates_answer(crm: Path, as_of: date | None, out: Path | None) -> Answer:
    """Estimated transitions of the records `crm` names; written to `out` as a plan takes them."""
    history = read_records(crm, as_of)
    estimates = estimate_transitions(history, history.as_of)
    warnings = estimate_warnings(history, estimates)
    if out is not None:
        write_whole(out, rates_yaml(history, estimates, warnings))
    rows = estimates.to_dict("records")
    answer = {"as_of": str(history.as_of), "transitions": [_rate(row) for row in rows], "warnings": list(warnings)}
    return answer, _rates_text(history, rows, warnings, out)


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


def _rates_text(history: History, rows: list[dict], warnings: Iterable[str], out: Path | None) -> str:
    heads = ("step", "segment", "source", "rate", "P10", "P90", "records behind it", "median days", "P90 days", "")
    table = [
        (
            f"{row['from_stage']} to {row['to_stage']}",
            row["segment"],
            row["source"],
            f"{row['rate']:.1%}",
            f"{row['rate_low']:.1%}",
            f"{row['rate_high']:.1%}",
            f"{row['evidence']:,.0f}",
            f"{row['median_days']:.0f}",
            f"{row['p90_days']:.0f}",
            "" if row["mature"] else "not settled",
        )
        for row in rows
    ]
    parts = [f"Rates as of {history.as_of}, from {counted(len(history.records), 'record')}", aligned(heads, table, 3)]
    parts += [_listed(warnings)] if warnings else []
    return "\n\n".join([*parts, *([f"written: {out}"] if out else [])])


def rates_yaml(history: History, estimates: pd.DataFrame, warnings: Iterable[str]) -> str:
    """The `transitions` block of a plan file, with what a reader must know above it."""
    lines = [f"# Estimated from CRM records as of {history.as_of}. Paste into a plan file."]
    lines += [f"# {' '.join(line.split())}" for line in warnings]
    yaml = YAML()
    yaml.width = 10_000
    stream = StringIO()
    yaml.dump({"transitions": [on_one_line(_rounded(each)) for each in transitions_block(estimates)]}, stream)
    return "\n".join(lines) + "\n" + stream.getvalue()


def _rounded(value: Any) -> Any:
    """Five significant digits: more is not known."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        shares = [round(float(each), 5) for each in value]
        shares[shares.index(max(shares))] += 1 - sum(shares)
        return [round(each, 5) for each in shares]
    return float(f"{value:.5g}") if isinstance(value, float) else value


def write_whole(path: Path, text: str) -> None:
    """`text` in the file `path`, whole or not at all.

    Raises
    ------
    DataError
        If the file cannot be written.
    """
    try:
        with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=".revplan-", delete=False) as file:
            file.write(text)
        os.chmod(file.name, 0o644)
        os.replace(file.name, path)
    except OSError as fault:
        raise DataError.at(shown(path.name), f"cannot be written ({fault.strerror}); check the folder") from None


# --- forecast ------------------------------------------------------------------------------------


def forecast_report(crm: Path, as_of: date | None, months: int, by_source: bool, tell: Told | None = None) -> Answer:
    """Wins of the next months from the records `crm` names."""
    forecast = forecast_wins(read_records(crm, as_of), months, tell)
    return forecast_answer(forecast, by_source), _forecast_text(forecast, by_source)


def _forecast_text(forecast: Forecast, by_source: bool) -> str:
    known, total = forecast.from_known, forecast.with_arrivals
    rows = [("wins, all months", *_counts(known.wins), *_counts(total.wins))]
    if known.arr and total.arr:
        rows.append(("ARR, all months", *_counts(known.arr), *_counts(total.arr)))
    months = zip(forecast.ends, known.by_month, total.by_month, strict=True)
    rows += [(f"wins to {end}", *_counts(first), *_counts(second)) for end, first, second in months]
    if by_source:
        rows += [(f"wins, {name}", *_counts(a), *_counts(b)) for name, (a, b) in forecast.by_source.items()]
    heads = ("", "from known", "P10", "P90", "with arrivals", "P10", "P90")
    basis = (
        "By how records went on: the mean level of the last 180 days, the last 365 and all days recorded; beyond luck the wins "
        f"vary by {known.cv:.0%} ({counted(forecast.replays, 'past forecast')} replayed)."
    )
    parts = [f"Wins of the {counted(forecast.months, 'month')} after {forecast.as_of}", aligned(heads, rows, 1), basis]
    return "\n\n".join([*parts, *([_listed(forecast.warnings)] if forecast.warnings else [])])


def _counts(count: Count) -> tuple[str, str, str]:
    decimals = 1 if count.mean < 100 else 0
    return (f"{count.mean:,.{decimals}f}", f"{count.p10:,.{decimals}f}", f"{count.p90:,.{decimals}f}")


# --- backtest ------------------------------------------------------------------------------------

SCORED = (
    "Missed by: all misses added up, over all that came. Miss with band: how far off on average, counting in how sure it said "
    "it was; less is better. The band is P10 to P90 and should hold 80 %."
)


def backtest_report(crm: Path, span: tuple[date, date], every: Every, months: int, tell: Told | None = None) -> Answer:
    """Replays of the forecast against what came, beside the three baselines."""
    done = backtest(crm, span, every, months, tell)
    return backtest_answer(done), _backtest_text(done)


def _backtest_text(done: Backtest) -> str:
    parts = [
        f"{counted(len(done.origins), 'forecast')} of {counted(done.months, 'month')}, made {done.origins[0].as_of} to {done.origins[-1].as_of}"
    ]
    for target in done.scores:
        parts += [TARGETS[target], _origins_table(done, target), _scores_table(done, target)]
    each = done.by_source
    parts.append(SCORED)
    parts.append(
        f"By source, from known records: missed by {each.wape:.0%} of what came; {each.coverage:.0%} of the outcomes lay in the band."
    )
    return "\n\n".join([*parts, *([_listed(done.warnings)] if done.warnings else [])])


def _origins_table(done: Backtest, target: str) -> str:
    heads = ("as of", "came", MODEL, "P10", "P90", *NAMES.values())
    rows = []
    for origin in done.origins:
        told = origin.told[target]
        low, _, high = told[MODEL].quantiles()
        figures = (told[MODEL].came, told[MODEL].mean, low, high, *(told[name].mean for name in NAMES))
        rows.append((str(origin.as_of), *(_figure(figure) for figure in figures)))
    return aligned(heads, rows, 1)


def _scores_table(done: Backtest, target: str) -> str:
    heads = ("", "missed by", "too much (+)", "miss with band", "came in band", "band over forecast")
    rows = []
    for method, each in done.scores[target].items():
        held = (
            f"{each.coverage:.0%} ({each.coverage_low:.0%} to {each.coverage_high:.0%})"
            if each.coverage is not None
            else "-"
        )
        width = f"{each.width:.2f}" if each.width is not None else "-"
        name = NAMES.get(method, method)
        lean = f"{'+' if each.bias >= 0.0005 else ''}{show(round(each.bias, 3), 'share')}"
        rows.append((name, f"{each.wape:.1%}", lean, _figure(each.crps, 2), held, width))
    return aligned(heads, rows, 1)


def _figure(value: float, decimals: int = 1) -> str:
    """Whole where it is large."""
    return f"{value:,.{decimals if abs(value) < 1000 else 0}f}"


# --- text ----------------------------------------------------------------------------------------


def _listed(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
