"""Cells drawn together, tails, recency, drift and money: rates beyond the whole."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import beta, binomtest

from revplan.crm.records import History
from revplan.rates.estimates import as_unlikely, estimate_transitions, estimate_warnings
from revplan.rates.parts import LEVEL_PRIOR, SCATTERS, CellRates, shrunk

START = date(2024, 1, 1)


def history(entered: np.ndarray, delay: np.ndarray, days: int, **labels: np.ndarray) -> History:
    """Leads that entered on day numbers and were won after `delay` days (-1: never), as known on day `days`."""
    size = len(entered)
    frame = pd.DataFrame({"record": np.arange(size).astype(str), "segment": "all", "source": "all"})
    for name in ("segment", "source"):
        frame[name] = labels.get(name, frame[name])
    origin = pd.Timestamp(START)
    won = (delay >= 0) & (entered + delay <= days)
    rows = [
        frame.assign(stage="lead", entered_on=origin + pd.to_timedelta(entered, unit="D")),
        frame.assign(stage="won", entered_on=origin + pd.to_timedelta(entered + delay, unit="D"))[won],
    ]
    amount = labels.get("amount", np.full(size, np.nan))
    records = frame.assign(amount=amount, lost_on=np.datetime64("NaT", "us"))
    return History(("lead", "won"), pd.concat(rows), records, (), START + timedelta(days=days), "")


def estimates_of(known: History) -> pd.DataFrame:
    return estimate_transitions(known, known.as_of)


# --- cells ---------------------------------------------------------------------------------------------------


def test_cells_that_do_not_differ_are_drawn_together_and_cells_that_do_stay_apart() -> None:
    alike = CellRates(
        np.array([12.0, 8.0, 10.0, 11.0]), np.full(4, 100.0), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    )
    apart = CellRates(np.array([400.0, 100.0, 400.0, 100.0]), np.full(4, 1000.0), alike.segment, alike.source)
    together, kept = shrunk(alike, np.eye(4)), shrunk(apart, np.eye(4))
    # within a segment; segments themselves are taken to differ
    assert np.ptp(together.mean[2:]) < 0.5 * np.ptp((alike.conversions / alike.exposure)[2:])
    assert np.ptp(together.mean) < 0.65 * np.ptp(alike.conversions / alike.exposure)
    assert kept.mean == pytest.approx(apart.conversions / apart.exposure, rel=0.02)
    assert (together.evidence() > 100).all()
    low, high = kept.bounds()
    assert ((low < kept.mean) & (kept.mean < high)).all()


@pytest.mark.parametrize(
    ("won", "records", "dead", "low", "high"),
    [
        # posterior means of an exact hierarchical model by quadrature, half-normal scatter of 0.5 and of 2 (another program)
        ((300, 150, 5), (500, 500, 500), 2, 0.0110, 0.0140),
        ((200, 0), (400, 400), 1, 0.0010, 0.0040),
        ((1200, 600, 20), (2000, 2000, 2000), 2, 0.0095, 0.0115),
    ],
)
def test_a_source_far_below_the_others_is_left_there(
    won: tuple[int, ...], records: tuple[int, ...], dead: int, low: float, high: float
) -> None:
    cells = CellRates(np.array(won, dtype=float), np.array(records, dtype=float), np.zeros(len(won), dtype=int), np.arange(len(won)))  # fmt: skip
    assert low <= shrunk(cells, np.eye(len(won))).mean[dead] <= high


def test_three_segments_keep_their_distance() -> None:
    """Fifteen of a hundred against 35 % of thousands: three segments cannot say that they hardly differ."""
    cells = CellRates(
        np.array([1400.0, 1050.0, 15.0]), np.array([4000.0, 3000.0, 100.0]), np.arange(3), np.zeros(3, dtype=int)
    )
    rates = shrunk(cells, np.eye(3))
    assert 0.145 < rates.mean[2] < 0.175
    assert rates.bounds()[0][2] < 0.15 < rates.bounds()[1][2]


def test_a_cell_without_records_takes_what_its_segment_and_source_say() -> None:
    """Rates 10, 20 % in one segment, 20, ? in the other: doubled odds twice over."""
    cells = CellRates(np.array([500.0, 1000.0, 1000.0, 0.0]), np.array([5e3, 5e3, 5e3, 0.0]), np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))  # fmt: skip
    rates = shrunk(cells, np.eye(4))
    assert rates.mean[3] > 0.23
    assert rates.variance[3] > 20 * rates.variance[0]


def test_many_cells_are_drawn_together_in_seconds() -> None:
    rng = np.random.default_rng(3)
    segment, source = np.repeat(np.arange(20), 30), np.tile(np.arange(30), 20)
    exposure = rng.integers(5, 200, 600).astype(float)
    rates = shrunk(
        CellRates(rng.binomial(exposure.astype(int), 0.2).astype(float), exposure, segment, source), np.eye(600)
    )
    assert rates.mean == pytest.approx(np.full(600, 0.2), abs=0.06)


# --- tails, recency, drift, money ----------------------------------------------------------------------------


def test_what_records_were_too_young_to_show_is_added() -> None:
    """Exponential delays of mean 100 days watched for 150: 22 % of the conversions have yet to come."""
    rng = np.random.default_rng(5)
    size = 20_000
    delay = np.where(rng.random(size) < 0.3, rng.exponential(100, size).astype(int), -1)
    (row,) = estimates_of(history(rng.integers(0, 150, size), delay, 150)).to_dict("records")
    assert not row["mature"]
    assert row["rate"] == pytest.approx(0.3, rel=0.1)
    assert row["rate_low"] < 0.3 < row["rate_high"]


@pytest.mark.parametrize("share", [0.0, 0.09, 0.5, 0.93, 1.0])
@pytest.mark.parametrize(("came", "number"), [(0, 1), (3, 12), (12, 12), (40, 900), (450, 900), (2_000, 60_000)])
def test_how_unlikely_a_count_is(came: int, number: int, share: float) -> None:
    assert as_unlikely(came, number, share) == pytest.approx(binomtest(came, number, share).pvalue, rel=1e-6, abs=1e-12)


def stepped(before: float, after: float) -> History:
    """A thousand days of 20 leads a day that take 5 days; their rate changes 200 days before the end."""
    entered = np.repeat(np.arange(1000), 20)
    number = np.tile(np.arange(20), 1000)
    rate = np.where(entered < 800, before, after)
    return history(entered, np.where(number < 20 * rate, 5, -1), 1000)


def test_a_rate_that_moved_is_taken_from_recent_records() -> None:
    known = stepped(0.2, 0.4)
    estimates = estimates_of(known)
    (row,) = estimates.to_dict("records")
    assert row["window_days"] == 180
    assert row["rate"] == pytest.approx(0.4, abs=0.005)
    assert row["drift"] > 1.3
    text = " ".join(estimate_warnings(known, estimates))
    assert "rates rest on the last 180 days" in text
    assert "changed over time by more than luck explains: in the last 90 days" in text


def test_a_steady_rate_is_taken_from_all_records_without_alarm() -> None:
    known = stepped(0.2, 0.2)
    estimates = estimates_of(known)
    (row,) = estimates.to_dict("records")
    assert row["window_days"] == 1000
    assert row["drift"] == pytest.approx(1.0, abs=0.01)
    assert estimate_warnings(known, estimates) == ()


def test_money_converts_at_a_rate_of_its_own() -> None:
    """Half the leads are worth 100 and all convert, half 300 and none does: half the records, a quarter of the money."""
    entered = np.repeat(np.arange(100), 2)
    large = np.tile([False, True], 100)
    known = history(entered, np.where(large, -1, 3), 200, amount=np.where(large, 300.0, 100.0))
    (row,) = estimates_of(known).to_dict("records")
    assert row["rate"] == pytest.approx(0.5)
    assert row["dollar_rate"] == pytest.approx(0.25)


def test_without_amounts_there_is_no_rate_in_money() -> None:
    entered = np.repeat(np.arange(100), 2)
    (row,) = estimates_of(history(entered, np.full(200, 3), 200)).to_dict("records")
    assert np.isnan(row["dollar_rate"])


# --- what the file refutes -----------------------------------------------------------------------------------


def test_recorded_losses_bound_a_rate() -> None:
    """An older system's outcomes were entered only from day 460 on, whenever they came: 40 % won, 16 % lost of 900.

    Summed over the ages watched that comes to more than all. Whoever is lost did not go on, so 84 % is the most.
    """
    rng = np.random.default_rng(7)
    entered = rng.integers(0, 980, 900)
    late = np.maximum(entered, 460)
    end = late + (rng.random(900) * (1020 - late)).astype(int)
    fate = rng.random(900)
    known = history(entered, np.where(fate < 0.4, end - entered, -1), 1020)
    lost = (fate >= 0.4) & (fate < 0.56)
    origin = pd.Timestamp(START)
    lost_on = (origin + pd.to_timedelta(end, unit="D")).to_series().where(lost).to_numpy().astype("datetime64[us]")
    known = replace(known, records=known.records.assign(lost_on=lost_on))
    (row,) = estimates_of(known).to_dict("records")
    assert 0.55 < row["rate"] < 1 - lost.mean()
    assert row["rate_high"] <= beta.ppf(0.9, 900 - lost.sum() + 0.5, lost.sum() + 0.5)


def test_a_list_loaded_at_once_keeps_its_own_rate_and_is_named() -> None:
    """4,000 bought addresses in the first week, 0.7 % convert; then 20 a day of the web, 4 %. No rate moved, the mix did."""
    rng = np.random.default_rng(11)
    entered = np.append(np.arange(4000) % 5, np.repeat(np.arange(6, 640), 20))
    listed = np.arange(len(entered)) < 4000
    goes = rng.random(len(entered)) < np.where(listed, 0.007, 0.04)
    delay = np.where(goes, np.exp(4.3 + 0.6 * rng.standard_normal(len(entered))).astype(int), -1)
    known = history(entered, delay, 640, source=np.where(listed, "list", "web"))
    found = estimates_of(known)
    rows = found.set_index("source")
    seen = (delay[listed] >= 0).mean()
    assert rows.loc["list", "rate"] == pytest.approx(seen, abs=0.0012)
    assert rows.loc["list", "rate_low"] < seen < rows.loc["list", "rate_high"]
    assert rows.loc["web", "rate"] == pytest.approx(0.04, abs=0.004)
    lines = estimate_warnings(known, found)
    assert len(lines) == 1
    assert lines[0].startswith(
        "Bulk load: 4,000 records came in on 1 Jan 2024 to 5 Jan 2024, most of source list, where 20 a day"
    )


def test_a_bought_list_that_never_converts_says_nothing_of_when_outcomes_were_recorded() -> None:
    """3,000 addresses loaded on the first two days, none of which converts; 14 a day of a flow, of which 5 % do."""
    rng = np.random.default_rng(3)
    flow = np.repeat(np.arange(300), 14)
    goes = rng.random(len(flow)) < 0.05
    delay = np.where(goes, rng.exponential(40, len(flow)).astype(int), -1)
    loaded = np.repeat([0, 1], 1500)
    known = history(np.append(loaded, flow), np.append(np.full(3000, -1), delay), 300)
    estimates = estimates_of(known)
    assert estimates["recorded_from"].iloc[0] == known.stage_history["entered_on"].min()
    assert "recorded" not in " ".join(estimate_warnings(known, estimates))


def test_recorded_only_from_is_said_of_no_time_with_outcomes() -> None:
    """One in ten of the outcomes before day 200 were entered all the same: that is no silence, but the change is told."""
    rng = np.random.default_rng(13)
    entered = np.repeat(np.arange(400), 5)
    kept = (entered + 10 >= 200) | (rng.random(2000) < 0.1)
    known = history(entered, np.where((rng.random(2000) < 0.3) & kept, 10, -1), 400)
    estimates = estimates_of(known)
    won = known.stage_history.loc[known.stage_history["stage"] == "won", "entered_on"]
    assert estimates["recorded_from"].iloc[0] <= won.min()
    assert "changed over time" in " ".join(estimate_warnings(known, estimates))


def test_a_mix_that_moves_is_no_drift() -> None:
    """A source of 5 % gives way to one of 30 %, each with a rate that stands still: neither drift nor a shorter window."""
    rng = np.random.default_rng(17)
    entered = np.repeat(np.arange(700), 12)
    good = rng.random(len(entered)) < entered / 700
    goes = rng.random(len(entered)) < np.where(good, 0.3, 0.05)
    known = history(entered, np.where(goes, 8, -1), 700, source=np.where(good, "web", "list"))
    (row,) = estimates_of(known).query("segment == 'all' and source == 'all'").to_dict("records")
    assert row["window_days"] >= 690
    assert row["drift_chance"] > 0.01


def test_a_steady_drift_is_seen_though_the_last_days_differ_little() -> None:
    """A rate that falls from 30 % to 20 % over two years in a straight line."""
    rng = np.random.default_rng(19)
    entered = np.repeat(np.arange(730), 8)
    known = history(entered, np.where(rng.random(len(entered)) < 0.3 - 0.1 * entered / 730, 12, -1), 730)
    assert "changed over time" in " ".join(estimate_warnings(known, estimates_of(known)))


@pytest.mark.parametrize(
    ("speed", "said"),
    [
        (lambda day: np.where((day + pd.offsets.QuarterEnd(0) - day).days < 12, 4.0, 1.0), "of a quarter"),
        (lambda day: np.where((day + pd.offsets.MonthEnd(0) - day).days < 1, 60.0, 1.0), "of a month"),
        (lambda day: np.ones(len(day)), ""),
    ],
)
def test_wins_that_bunch_at_an_end_are_named(speed: Any, said: str) -> None:
    """Deals whose clock runs faster at the end of a quarter, or of a month; and deals that know no calendar."""
    rng = np.random.default_rng(23)
    days = pd.date_range(START, periods=1200)
    clock = np.append(0.0, np.cumsum(speed(days) / np.mean(speed(days))))
    entered = np.repeat(np.arange(700), 4)
    done = np.interp(np.interp(entered, np.arange(1201), clock) + rng.exponential(40, 2800), clock, np.arange(1201.0))
    known = history(entered, np.where(rng.random(2800) < 0.25, done.astype(int) - entered, -1), 700)
    bunched = [line for line in estimate_warnings(known, estimates_of(known)) if line.startswith("Wins bunch")]
    assert len(bunched) == bool(said)
    assert said in "".join(bunched)


@pytest.mark.parametrize("won", [(3, 90, 110), (0, 30, 40), (10, 9, 2), (5, 90, 110)])
def test_rates_of_few_conversions_are_those_of_the_exact_posterior(won: tuple[int, ...]) -> None:
    """Sums over level, scatter and each cell's own effect; a normal law around the mode says 3 of 30 in the mean 5 % more."""
    conversions, records = np.array(won, dtype=float), np.array([30.0 if won[0] < 5 else 500.0, 400.0, 500.0])
    told = shrunk(CellRates(conversions, records, np.zeros(3, dtype=int), np.arange(3)), np.eye(3)).mean
    level, own = np.linspace(-8, 3, 441), np.linspace(-8, 8, 1601)
    start = conversions.sum() / records.sum()
    centre = np.log(start / (1 - start))
    weights, sums = 0.0, np.zeros(3)
    for scatter in SCATTERS:
        prior = np.exp(-0.5 * (own / scatter) ** 2) / scatter
        logits = level[:, None] + own
        rate = 1 / (1 + np.exp(-logits))
        likely = [
            np.exp(d * logits - e * np.logaddexp(0, logits) + _most(d, e)) * prior
            for d, e in zip(conversions, records, strict=True)
        ]
        mass = np.array([each.sum(axis=1) for each in likely])
        total = (
            mass.prod(axis=0) * np.exp(-0.5 * LEVEL_PRIOR * (level - centre) ** 2) * scatter * np.exp(-0.5 * scatter**2)
        )
        weights += total.sum()
        sums += [float(total @ ((each * rate).sum(axis=1) / np.maximum(each.sum(axis=1), 1e-300))) for each in likely]
    assert told == pytest.approx(sums / weights, rel=0.03, abs=0.0008)


def _most(won: float, records: float) -> float:
    """Less the largest log likelihood of a cell."""
    share = np.clip(won / records, 1e-9, 1 - 1e-9)
    return -float(won * np.log(share) + (records - won) * np.log1p(-share))
