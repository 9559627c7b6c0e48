"""Sentences on records, each held against its table in worlds in which an earlier wording was false."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as some
from test_history_rates import START, history_of

from revplan.crm import quality
from revplan.crm.cells import Findings
from revplan.crm.moments import Moments
from revplan.crm.records import History
from revplan.exhibits import charts, rates
from revplan.ground.formats import show
from revplan.rates.backtest import MODEL, NAMES, Backtest, Scores, beaten_by, better_words
from revplan.rates.book import HistoryBook
from revplan.rates.estimates import estimate_transitions, estimate_warnings


def book_of(history: History) -> HistoryBook:
    return HistoryBook(export=None, history=history, name="small")  # type: ignore[arg-type]


def two_segments(rates_of: dict[str, float], days: dict[str, int], size: int = 400) -> History:
    """Leads of 300 days in two segments, each with a rate and a number of days to convert; watched for 200 more."""
    rng = np.random.default_rng(7)
    records = [
        {"lead": int(day), "segment": name} | ({"won": int(day) + int(rng.integers(1, days[name]))} if won else {})
        for name, rate in rates_of.items()
        for day, won in zip(rng.integers(0, 300, size), rng.random(size) < rate, strict=True)
    ]
    return history_of(records, 500)


# --- differences -----------------------------------------------------------------------------------------------


def test_a_difference_is_told_in_the_rates_of_the_report_not_in_hazards() -> None:
    book = book_of(two_segments({"quick": 0.8, "slow": 0.6}, {"quick": 10, "slow": 90}))
    row = book.differences.iloc[0]
    known = book.estimates.set_index("segment")["rate"]
    assert row["ratio"] > 1.5 * known["quick"] / known["slow"]  # hazards differ by far more than rates
    message = rates.differences(book).message
    assert f"{show(known['quick'], 'share')} of quick convert, and {show(known['slow'], 'share')} of slow" in message
    assert "times" not in message


def test_who_is_only_quicker_is_not_said_to_convert_more() -> None:
    row = {"from_stage": "lead", "to_stage": "won", "best": "quick", "worst": "slow"}
    fewer = rates._surest(pd.Series({**row, "best_rate": 0.45, "worst_rate": 0.6}))
    assert fewer == "from lead to won, quick converts sooner than slow (in the end 45% of it do, and 60% of the other)"
    none = rates._surest(pd.Series({**row, "best_rate": 0.45, "worst_rate": np.nan}))
    assert none == "from lead to won, quick converts more, or sooner, than slow"


def test_that_nothing_differs_is_said_of_the_comparisons_made() -> None:
    message = rates.differences(book_of(two_segments({"a": 0.5, "b": 0.5}, {"a": 30, "b": 30}))).message
    assert message.startswith("The one comparison shows no difference of segments or sources")


# --- curves ----------------------------------------------------------------------------------------------------


@given(
    ends=some.lists(some.tuples(some.integers(0, 12), some.floats(0, 1)), min_size=1, max_size=12),
    settled=some.floats(0, 12),
)
def test_what_cohorts_are_said_to_have_reached_is_where_drawn_curves_end(
    ends: list[tuple[int, float]], settled: float
) -> None:
    rows = [
        {
            "cohort": f"C{number:02}",
            "lag_months": float(month),
            "entries": 10.0,
            "share": share * (month + 1) / (last + 1),
        }
        for number, (last, share) in enumerate(ends)
        for month in range(last + 1)
    ]
    message = charts._curves_message(pd.DataFrame(rows), "lead", "won", settled)
    drawn = ends[-charts.MOST_CURVES :]
    done = [share for last, share in drawn if last >= settled]
    young = len(drawn) - len(done)
    if not done:
        assert "no cohort drawn is old enough" in message
        return
    said = re.search(r"reached ([0-9.]+%)(?: to ([0-9.]+%))?", message)
    assert said
    assert [said[1], said[2] or said[1]] == [show(min(done), "share"), show(max(done), "share")]
    assert ("younger" in message) == bool(young)
    assert "look worse" not in message


# --- delays, drift ---------------------------------------------------------------------------------------------


def test_the_slowest_step_is_the_one_whose_half_takes_longest() -> None:
    # more of a happens in the month of entry than of b, and yet half of it takes far longer
    message = charts._lags_message({"a": 90.0, "b": 40.0})
    assert message == "a takes longest: half of its conversions come within 90 days, those of b within 40."
    assert charts._lags_message({"a": 9.0, "b": 9.0}).startswith("No step is slower than another")
    assert charts._lags_message({"a": 9.0}).startswith("Half of the conversions from a come")


# --- replays ---------------------------------------------------------------------------------------------------


def replayed(scores: dict[str, tuple[float, float]]) -> Backtest:
    """A backtest of which only the error and CRPS of each method are looked at."""
    blank = Scores(
        wape=0, bias=0, crps=0, pinball=(0, 0, 0), coverage=None, coverage_low=None, coverage_high=None, width=None
    )
    found = {name: replace(blank, wape=wape, crps=crps) for name, (wape, crps) in scores.items()}
    best = beaten_by(found, "crps")
    better = {"with_arrivals": (best, 12.0)} if best else {}
    done: Any = SimpleNamespace(
        scores={"with_arrivals": found}, origins=[1, 2], better=better, last_day=date(2026, 9, 30)
    )
    return done


numbers = some.floats(0.01, 2).map(lambda value: round(value, 2))


@given(some.lists(some.tuples(numbers, numbers), min_size=4, max_size=4))
def test_no_baseline_did_better_only_where_none_did(found: list[tuple[float, float]]) -> None:
    by_name = dict(zip([MODEL, *NAMES], found, strict=True))
    message = better_words(replayed(by_name), "with_arrivals")
    others = [by_name[name] for name in NAMES]
    better = [min(each[at] for each in others) < by_name[MODEL][at] for at in (0, 1)]
    assert ("no baseline did better" in message) == (not any(better))
    assert ("was off by less" in message) == better[0]
    assert ("missed by less with its band" in message) == better[1]
    assert message.endswith(" for the months after 30 Sep 2026") == better[1]
    assert ("by luck" in message) == (better[0] and not better[1])


def test_replays_in_which_nothing_came_have_no_error_as_a_share() -> None:
    table = pd.DataFrame(
        {"actual": [0.0], "p10": [0.0], "p90": [2.0], "mean": [1.0], "baseline": [2.0], "baseline_name": ["x"]}
    )
    message = charts._replay_message(table, (1e9, 2e9), "1 of 1 outcomes lay within P10 to P90")
    assert message.startswith("In 1 replay no win came")
    assert message.endswith("; 1 of 1 outcomes lay within P10 to P90.")


# --- recorded from ---------------------------------------------------------------------------------------------


def hardly_recorded(before: int) -> History:
    """20 leads a day, of which every fourth is won within 60 days; of the wins of the first hundred days `before` are on file."""
    rows = []
    for day in range(300):
        for number in range(20):
            won = day + 1 + (7 * number + day) % 60
            rows.append({"lead": day} | ({"won": won} if number % 4 == 0 else {}))
    early = [row for row in rows if row.get("won", 100) < 100]
    for row in early[before:]:
        del row["won"]
    return history_of(rows, 310)


@pytest.mark.parametrize("before", [0, 5])
def test_outcomes_on_file_from_before_are_counted_not_denied(before: int) -> None:
    history = hardly_recorded(before)
    found = estimate_transitions(history, history.as_of)
    (line,) = [line for line in estimate_warnings(history, found) if "recorded" in line]
    day = found["recorded_from"].iloc[0]
    wins = history.stage_history[history.stage_history["stage"] == "won"]["entered_on"]
    earlier = int((wins < day).sum())
    assert earlier == before
    assert (f"only {earlier} outcomes are recorded before" in line) == bool(earlier)
    assert ("recorded only from" in line) == (not earlier)


@pytest.mark.parametrize("before", [0, 5])
def test_the_import_report_says_the_same(before: int) -> None:
    history = hardly_recorded(before)
    wide = history.stage_history.pivot(index="record", columns="stage", values="entered_on")
    entered = wide[["lead", "won"]].to_numpy(dtype="datetime64[us]")
    none = np.full(len(entered), "NaT", dtype="datetime64[us]")
    lines = quality.late_outcomes(
        Moments(entered, none, Findings()), ("lead", "won"), START + timedelta(days=310)
    ).lines
    assert lines or before
    for line in lines:
        assert (f"({before} of " in line.what) == bool(before)
        assert line.what.startswith("hardly recorded before" if before else "recorded only from")
