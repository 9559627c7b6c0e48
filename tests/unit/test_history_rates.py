"""Rates and lags: worked by hand, against the published cohort table, and on histories of known truth."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from revplan.crm.records import History
from revplan.ground.lag import Lag
from revplan.rates.estimates import estimate_transitions, estimate_warnings, transitions_block

START = date(2025, 1, 1)


def history_of(records: list[dict], as_of: int, stages: tuple[str, ...] = ("lead", "won")) -> History:
    """A history of records {stage: day number, segment, source}; `as_of` is a day number."""
    rows = [
        {
            "record": str(number),
            "segment": record.get("segment", "all"),
            "source": record.get("source", "all"),
            "stage": stage,
            "entered_on": pd.Timestamp(START) + pd.Timedelta(days=record[stage]),
        }
        for number, record in enumerate(records)
        for stage in stages
        if record.get(stage, as_of + 1) <= as_of
    ]
    table = pd.DataFrame(rows).astype({"entered_on": "datetime64[us]"})
    return History(stages, table, pd.DataFrame(), (), START + timedelta(days=as_of), "")


def only_row(history: History) -> dict:
    (row,) = estimate_transitions(history, history.as_of).to_dict("records")
    return row


def test_worked_by_hand() -> None:
    """Day 10: of four old leads one converted after 2 days, one after 4; two leads are a day old.

    Age 2 was watched for the four old ones only: 1/4. So was age 4: 1/4. Wins / leads says 2/6.
    """
    old = [{"lead": 0, "won": 2}, {"lead": 0, "won": 4}, {"lead": 0}, {"lead": 0}]
    row = only_row(history_of([*old, {"lead": 9}, {"lead": 9}], 10))
    assert row["rate"] == pytest.approx(0.5)
    assert row["evidence"] == pytest.approx(4)
    assert (row["entries"], row["conversions"]) == (6, 2)
    # half the delays are 2 days (1.5 to 2.5), half are 4: the median is at 2.5, nine tenths at 3.5 + 0.8
    assert row["median_days"] == pytest.approx(2.5)
    assert row["p90_days"] == pytest.approx(4.3)
    assert row["watched_days"] == 10
    assert row["recorded_from"] == pd.Timestamp(START)
    assert not row["mature"]  # two conversions cannot show that hardly any takes longer than ten days
    # Beta(2 + 1/2, 2 + 1/2): a tenth of the area under (x (1 - x))^1.5 lies below 0.22457, summed over a fine grid
    assert (row["rate_low"], row["rate_high"]) == pytest.approx((0.22457, 0.77543), abs=1e-5)


def test_lag_by_month_splits_a_delay_between_two_months() -> None:
    """15 days are 0.4928 months: of leads spread over a month that share wins in the next one."""
    history = history_of([{"lead": 0, "won": 15}, {"lead": 0}], 100)
    assert only_row(history)["lag_months"] == "0.507187 0.492813"


def test_the_published_cohort_table_as_records_gives_its_column_averages(golden: dict[str, dict]) -> None:
    """COH-01, 50 opportunities a quarter: 18.1 %, not the naive 14.7 %. A quarter is a day here."""
    case = golden["COH-01"]
    records = []
    for quarter, percents in enumerate(case["inputs"]["rows"].values()):
        delays = [delay for delay, percent in enumerate(percents) for _ in range(percent // 2)]
        records += [{"lead": quarter, "won": quarter + delay} for delay in delays]
        records += [{"lead": quarter}] * (50 - len(delays))
    rate = only_row(history_of(records, 11))["rate"]
    assert 100 * rate == pytest.approx(case["expected"]["sum_of_column_averages_pct"])


def test_silence_before_recording_began_is_no_lack_of_conversions() -> None:
    """Leads from day 0, half of them convert after 5 days, but outcomes are recorded from day 100 on."""
    records = [
        {"lead": day} | ({"won": day + 5} if number and day >= 95 else {}) for day in range(200) for number in (0, 1)
    ]
    history = history_of(records, 200)
    row = only_row(history)
    assert row["recorded_from"].date() == START + timedelta(days=100)
    assert row["rate"] == pytest.approx(0.5)
    (line,) = estimate_warnings(history, estimate_transitions(history, history.as_of))
    assert line.startswith(
        "lead to won: outcomes are recorded only from 2025-04-11, though records start on 2025-01-01"
    )


def test_a_long_delay_is_no_late_recording() -> None:
    """The first conversion comes on day 90 because each takes 90 days."""
    records = [{"lead": day, "won": day + 90} if day % 2 else {"lead": day} for day in range(300)]
    row = only_row(history_of(records, 300))
    assert row["recorded_from"].date() == START
    assert row["rate"] == pytest.approx(0.5, abs=0.01)


def test_a_transition_without_conversions_has_no_row_but_a_warning() -> None:
    lacking = "sql to won: no conversion is recorded, so there is no rate"
    history = history_of([{"lead": 0, "sql": 1}] * 30, 30, ("lead", "sql", "won"))
    estimates = estimate_transitions(history, history.as_of)
    assert estimates["to_stage"].tolist() == ["sql"]
    assert estimate_warnings(history, estimates) == (lacking,)
    later = history_of([{"lead": 0, "sql": 1}] * 30, 50, ("lead", "sql", "won"))
    early, *others = estimate_warnings(later, estimate_transitions(later, later.as_of))
    assert early == (
        "The records end on 2 Jan 2025, 49 days before 20 Feb 2025: what came later is not in them, "
        "and all that follows is too low."
    )
    assert others == [lacking]


def test_a_history_watched_too_briefly_has_not_settled() -> None:
    records = [{"lead": day, "won": day + 30} for day in range(40)]
    history = history_of(records, 40)
    estimates = estimate_transitions(history, history.as_of)
    assert not estimates["mature"].any()
    (line,) = estimate_warnings(history, estimates)
    assert line.startswith("lead to won: not settled: one in ten conversions takes over 30 days")


def test_a_change_is_told_where_few_conversions_are_expected_lately() -> None:
    """A lead every other day; of the first 210 days two in three go on after five days, of the last 90 one in ten."""
    days = range(0, 300, 2)
    goes = [number % 3 > 0 if day < 210 else number % 10 == 0 for number, day in enumerate(days)]
    history = history_of(
        [{"lead": day} | ({"won": day + 5} if on and day < 295 else {}) for day, on in zip(days, goes, strict=True)],
        300,
    )
    estimates = estimate_transitions(history, history.as_of)
    assert estimates["drift_chance"].iloc[0] < 0.01
    assert any("changed over time" in line for line in estimate_warnings(history, estimates))


@pytest.mark.parametrize(("conversions", "mature"), [(20, False), (60, True)])
def test_a_few_conversions_do_not_settle_a_rate_that_many_would(conversions: int, mature: bool) -> None:
    """Delays of 30 to 39 days, watched for 90: twenty of them cannot show that hardly any takes longer."""
    days = np.linspace(0, 90, 4 * conversions).astype(int).tolist()
    records = [{"lead": day} | ({"won": day + 30 + day % 10} if number % 2 else {}) for number, day in enumerate(days)]
    kept = [row if row.get("won", 0) <= 90 else {"lead": row["lead"]} for row in records]
    history = history_of(kept, 90)
    estimates = estimate_transitions(history, history.as_of)
    assert bool(estimates["mature"].iloc[0]) == mature
    said = " ".join(estimate_warnings(history, estimates))
    assert ("are too few to say that hardly any takes longer" in said) == (not mature)


def test_what_came_after_the_as_of_day_is_not_used() -> None:
    records = [{"lead": day, "won": day + 5} if day % 2 else {"lead": day} for day in range(200)]
    early = estimate_transitions(history_of(records, 150), START + timedelta(days=100))
    assert early.equals(estimate_transitions(history_of(records, 100), START + timedelta(days=100)))
    late = estimate_transitions(history_of(records, 150), START + timedelta(days=900))
    assert late.equals(estimate_transitions(history_of(records, 150), START + timedelta(days=150)))


def test_only_cells_with_enough_records_have_a_row() -> None:
    """big: 40 entries, 20 conversions. none: 40 entries, none converts. small: 10 entries, 5 conversions."""
    records = [{"lead": 0, "source": "big"} | ({"won": 3} if n < 20 else {}) for n in range(40)]
    records += [{"lead": 0, "source": "none"}] * 40
    records += [{"lead": 0, "source": "small"} | ({"won": 3} if n < 5 else {}) for n in range(10)]
    estimates = estimate_transitions(history_of(records, 100), START + timedelta(days=100)).set_index("source")
    assert estimates.index.tolist() == ["all", "big", "none"]
    assert estimates.loc["all", "rate"] == pytest.approx(25 / 90)
    # each is drawn towards the others, but not past its own records by much
    assert 0.40 < estimates.loc["big", "rate"] < 0.5
    assert 0 < estimates.loc["none", "rate"] < 0.1


def test_a_small_cell_takes_a_lag_near_its_parents() -> None:
    """Half of all convert after 10 days, half of those after 30. A source of 20 leads, all 15 days old:

    it has seen half of its conversions, so 5 of them stand for a rate of 5 / (20 x 0.5), as the others have.
    """
    records = [
        {"lead": 0, "source": "old"} | ({"won": 10} if n < 50 else {"won": 30} if n < 100 else {}) for n in range(200)
    ]
    records += [{"lead": 85, "source": "new"} | ({"won": 95} if n < 5 else {}) for n in range(20)]
    estimates = estimate_transitions(history_of(records, 100), START + timedelta(days=100)).set_index("source")
    # all: 55 of 220 at 10 days, 50 of 200 at 30: a quarter each
    assert estimates.loc["all", "rate"] == pytest.approx(0.5)
    assert estimates.loc["new", "rate"] == pytest.approx(0.5, abs=0.02)
    # its ten matured records, and what it borrows from two hundred of which half converted too
    assert 10 < estimates.loc["new", "evidence"] < 100
    # five delays of ten days, of records that cannot have shown longer ones, leave it between the two delays of all
    assert 9.5 < estimates.loc["new", "median_days"] < 30


@pytest.mark.parametrize(("records", "within"), [(40, 0.4), (120, 0.25), (400, 0.15)])
def test_a_part_learns_its_own_pace_from_few_conversions(records: int, within: float) -> None:
    """A large-deal segment takes 110 days (median; nine in ten by 230), the others 30 (by 75).

    Told over 12 draws from five to eighty of its conversions, its median lies nearer its own than theirs, and
    comes closer the more there are.
    """
    rng = np.random.default_rng(records)
    medians = []
    for _ in range(12):
        delays = [log_normal(rng, 30, 75, 600), log_normal(rng, 110, 230, records)]
        rows = [
            {"lead": day, "segment": name} | ({"won": day + int(delay)} if rng.random() < 0.25 else {})
            for name, times in zip(("smb", "enterprise"), delays, strict=True)
            for day, delay in zip(rng.integers(0, 600, len(times)).tolist(), times, strict=True)
        ]
        found = estimate_transitions(history_of(rows, 600), START + timedelta(days=600))
        mine = found[found["segment"] == "enterprise"]["median_days"]
        medians += mine.tolist()
    assert np.median(medians) == pytest.approx(110, rel=within)


def log_normal(rng: np.random.Generator, median: float, p90: float, size: int) -> np.ndarray:
    """Delays of a log-normal law. [days]"""
    return np.asarray(median * np.exp(np.log(p90 / median) / 1.2815515655446004 * rng.standard_normal(size)))


def test_cells_of_segment_and_source_come_last() -> None:
    records = [
        {"lead": n % 20, "won": n % 20 + 2, "segment": "ab"[n % 2], "source": "xy"[n // 2 % 2]} for n in range(100)
    ]
    estimates = estimate_transitions(history_of(records, 100), START + timedelta(days=100))
    assert list(zip(estimates["segment"], estimates["source"], strict=True)) == [
        ("all", "all"), ("a", "all"), ("b", "all"), ("all", "x"), ("all", "y"), ("a", "x"), ("a", "y"), ("b", "x"), ("b", "y"),
    ]  # fmt: skip


# --- the block for the plan ----------------------------------------------------------------------------------


def block_of(records: list[dict]) -> list[dict]:
    history = history_of(records, 200)
    return transitions_block(estimate_transitions(history, history.as_of))


def test_the_block_has_the_shape_of_the_plan() -> None:
    records = [{"lead": 0, "won": 10 + n, "source": "web" if n < 20 else "fair"} for n in range(30)] + [
        {"lead": 0}
    ] * 10
    first, *cells = block_of(records)
    assert list(first) == ["from", "to", "rate", "evidence", "lag"]
    assert (first["from"], first["to"], first["rate"]) == ("lead", "won", pytest.approx(0.75))
    assert list(first["lag"]) == ["median_days", "p90_days"]
    assert [list(cell) for cell in cells] == [["from", "to", "source", "rate", "evidence", "lag"]]
    Lag(**first["lag"])


def test_conversions_on_the_day_of_entry_have_no_lag() -> None:
    assert block_of([{"lead": 0, "won": 0}, {"lead": 0}])[0]["lag"] == {"months": 0}


def test_a_lag_that_is_mostly_none_is_given_by_month() -> None:
    """Three at once, two after 61 days: no log-normal has that shape."""
    lag = block_of([{"lead": 0, "won": 0}] * 3 + [{"lead": 0, "won": 61}] * 2)[0]["lag"]
    assert lag["weights"] == pytest.approx(
        [0.6, 0, 0.4 * (1 - 0.004107), 0.4 * 0.004107], abs=1e-5
    )  # 61 / 30.4375 = 2.0041
    Lag(**lag)


# --- known truth ---------------------------------------------------------------------------------------------


def drawn(rng: np.random.Generator, records: int, days: int, recorded_from: int) -> tuple[History, float]:
    """A history of growing volume with Weibull delays, and the true rate over all its cells."""
    segment = rng.choice([0, 1], records, p=[0.7, 0.3])
    rate = np.array([0.15, 0.3])[segment]
    start = (days * np.sqrt(rng.random(records))).astype(int)
    end = start + (np.array([30, 60])[segment] * rng.weibull(1.3, records)).astype(int)
    won = (rng.random(records) < rate) & (end <= days) & (end >= recorded_from)
    labels = pd.DataFrame(
        {"record": np.arange(records).astype(str), "segment": np.array(["smb", "mid"])[segment], "source": "all"}
    )
    day = pd.Timestamp(START) + pd.to_timedelta(start, unit="D"), pd.Timestamp(START) + pd.to_timedelta(end, unit="D")
    rows = [labels.assign(stage="lead", entered_on=day[0]), labels.assign(stage="won", entered_on=day[1])[won]]
    as_of = START + timedelta(days=days)
    return History(("lead", "won"), pd.concat(rows), pd.DataFrame(), (), as_of, ""), 0.7 * 0.15 + 0.3 * 0.3


@pytest.mark.parametrize("recorded_from", [0, 250])
def test_rates_are_unbiased_and_their_intervals_hold_what_they_say(recorded_from: int) -> None:
    """Over 200 draws of 2,000 records: mean within 2 % of the truth, 80 % intervals that hold it 72 to 88 times in 100.

    The binomial standard error of 80 % coverage over 200 draws is 2.8 %.
    """
    rng = np.random.default_rng(20260101)
    errors, held = [], []
    for _ in range(200):
        history, truth = drawn(rng, 2000, 500, recorded_from)
        row = estimate_transitions(history, history.as_of).iloc[0]
        errors.append(row["rate"] / truth - 1)
        held.append(row["rate_low"] <= truth <= row["rate_high"])
    assert abs(np.mean(errors)) < 0.02
    assert 0.72 <= np.mean(held) <= 0.88
