"""Periods, promise, movements and coverage by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from revplan.ground.calendar import Names, period_label, period_short, quarter_label
from revplan.ground.errors import PlanError
from revplan.tracking.attainment import Flows, attainment, reached_by_month
from revplan.tracking.periods import Span, quarter_span, whole_year, year_so_far
from revplan.tracking.scorecard import YearTerms, arr_bridge, coverage, planned_movements
from revplan.tracking.variance import factors, variance, variance_cells

JANUARY = pd.Period("2026-01", freq="M")
APRIL = pd.Period("2026-04", freq="M")


def flow(rows: list[tuple[str, str, str, float, float]]) -> pd.DataFrame:
    """Table flow of one cell: stage, month, part, entries, ARR."""
    frame = pd.DataFrame(rows, columns=["stage", "month", "part", "entries", "arr"])
    return frame.assign(segment="all", source="all", month=pd.PeriodIndex(frame["month"], freq="M"))


# --- periods -------------------------------------------------------------------------------------


def test_a_quarter_half_gone_counts_half_its_months() -> None:
    span = quarter_span("2026-Q3", JANUARY, date(2026, 8, 15))
    assert (span.label, span.last_day, span.has_begun, span.is_over) == (
        "2026-Q3 to date",
        date(2026, 8, 15),
        True,
        False,
    )
    months = pd.period_range("2026-05", "2026-10", freq="M")
    # May to July are over; of August 15 of 31 days; September and October are still to come.
    assert span.shares(months) == pytest.approx([1, 1, 1, 15 / 31, 0, 0])


def test_months_after_the_quarter_never_count() -> None:
    span = quarter_span("2026-Q1", JANUARY, date(2026, 11, 14))
    assert span.shares(pd.period_range("2026-02", "2026-05", freq="M")).tolist() == [1, 1, 0, 0]
    assert span.label == "2026-Q1"


@pytest.mark.parametrize(
    ("day", "name"),
    [
        ("2025-06-01", "2026-Q1"),
        ("2026-04-01", "2026-Q1"),
        ("2026-06-30", "2026-Q1"),
        ("2026-07-01", "2026-Q2"),
        ("2029-01-01", "2026-Q4"),
    ],
)
def test_without_a_name_it_is_the_quarter_the_day_lies_in(day: str, name: str) -> None:
    assert quarter_span("", APRIL, date.fromisoformat(day)).name == name


@pytest.mark.parametrize(
    "name", ["2026-Q3", "2026-q3 ", "Q3 FY26", "q3 fy26", "Jul–Sep 2026", "Jul-Sep 2026 (Q3 FY26)"]
)
def test_a_quarter_is_found_by_its_id_and_by_what_it_is_called(name: str) -> None:
    assert quarter_span(name, JANUARY, date(2026, 8, 15)) == quarter_span("2026-Q3", JANUARY, date(2026, 8, 15))


def test_a_year_called_after_its_end_has_its_quarters_called_so() -> None:
    span = quarter_span("Q1 FY27", APRIL, date(2026, 8, 15), "end")
    assert (span.name, span.first) == ("2026-Q1", APRIL)
    with pytest.raises(PlanError):
        quarter_span("Q1 FY26", APRIL, date(2026, 8, 15), "end")
    assert quarter_span("Q1 FY26", APRIL, date(2026, 8, 15)) == span


@pytest.mark.parametrize(
    ("first", "names", "index", "label"),
    [
        ("2027-01", "start", 0, "Jan-Mar 2027 (Q1 FY27)"),
        ("2027-01", "end", 3, "Oct-Dec 2027 (Q4 FY27)"),
        ("2026-04", "start", 3, "Jan-Mar 2027 (Q4 FY26)"),
        ("2026-04", "end", 3, "Jan-Mar 2027 (Q4 FY27)"),
        ("2026-11", "end", 0, "Nov 2026-Jan 2027 (Q1 FY27)"),
        ("2026-04", "end", -1, "Jan-Mar 2026 (Q4 FY26)"),
        ("2099-07", "end", 4, "Jul-Sep 2100 (Q1 FY01)"),
    ],
)
def test_a_quarter_is_called_by_its_months_and_its_year(first: str, names: Names, index: int, label: str) -> None:
    assert quarter_label(index, pd.Period(first, freq="M"), names) == label


@pytest.mark.parametrize(
    ("period", "label"),
    [
        ("2026-Q2", "Jul-Sep 2026 (Q2 FY27)"),
        ("2025-Q4 to date", "Jan-Mar 2026 (Q4 FY26) to date"),
        ("2026 to Q3", "Apr-Dec 2026 (FY27 to Q3)"),
        ("rest of 2026-Q4", "rest of Jan-Mar 2027 (Q4 FY27)"),
        ("rest of 2026", "rest of FY27"),
        ("2026", "FY27"),
        ("2026-07", "2026-07"),
        ("plan", "plan"),
    ],
)
def test_a_period_of_a_table_is_called_by_words(period: str, label: str) -> None:
    assert period_label(period, APRIL, "end") == label


@pytest.mark.parametrize(
    ("period", "label"),
    [
        ("2026-Q2", "Q2 FY27"),
        ("2025-Q4 to date", "Q4 FY26 to date"),
        ("2026 to Q3", "FY27 to Q3"),
        ("rest of 2026-Q4", "rest of Q4 FY27"),
        ("rest of 2026", "rest of FY27"),
        ("2026-07", "2026-07"),
    ],
)
def test_a_period_is_called_short_where_space_is_tight(period: str, label: str) -> None:
    assert period_short(period, APRIL, "end") == label


@pytest.mark.parametrize("name", ["Q3", "2027-Q3", "2026-Q5", "<script>", "Q3 FY27", "Aug-Oct 2026"])
def test_a_quarter_of_another_year_is_refused(name: str) -> None:
    with pytest.raises(PlanError, match=r"the plan's quarters are Jan-Mar 2026 \(Q1 FY26\) or 2026-Q1, Apr-Jun"):
        quarter_span(name, JANUARY, date(2026, 8, 15))


def test_earlier_quarters_of_a_fiscal_year() -> None:
    first = quarter_span("2026-Q1", APRIL, date(2026, 6, 30))
    assert (first.earlier(1).name, first.earlier(1).first) == ("2025-Q4", pd.Period("2026-01", freq="M"))
    assert (first.earlier(4).name, first.earlier(4).first) == ("2025-Q1", pd.Period("2025-04", freq="M"))
    assert first.earlier(4).label == "2025-Q1"


def test_the_year_so_far_ends_with_the_quarter() -> None:
    span = year_so_far(quarter_span("2026-Q2", APRIL, date(2027, 1, 1)), APRIL)
    assert (span.name, span.first, span.last) == ("2026 to Q2", APRIL, pd.Period("2026-09", freq="M"))
    assert whole_year(APRIL, date(2026, 5, 1)).last == pd.Period("2027-03", freq="M")


# --- promise -------------------------------------------------------------------------------------

PLANNED = flow(
    [
        ("sql", "2026-01", "new", 10, 0),
        ("sql", "2026-02", "new", 20, 0),
        ("sql", "2026-01", "opening", 4, 0),
        ("won", "2026-02", "new", 2, 200),
    ]
)
ACTUAL = flow([("sql", "2026-01", "new", 9, 0), ("sql", "2026-01", "opening", 6, 0), ("won", "2026-01", "new", 1, 90)])
SPAN = Span("2026-Q1", JANUARY, 3, date(2026, 2, 14))  # 14 of February's 28 days


def test_what_was_promised_counts_to_the_last_day_known() -> None:
    table = attainment(Flows(PLANNED, ACTUAL, ("sql", "won"), ("sql", "won")), [SPAN]).set_index(["stage", "part"])
    row = table.loc["sql", "all"]  # promised 10 + 4 + 20 / 2 = 24, came 15
    assert (row["planned"], row["actual"], row["gap"], row["planned_in_full"]) == (24, 15, -9, 34)
    assert row["reached"] == pytest.approx(15 / 24)
    assert table.loc["sql", "opening"][["planned", "actual", "gap"]].tolist() == [4, 6, 2]
    assert table.loc["won", "all"][["planned", "actual"]].tolist() == [1, 1]
    assert ("won", "opening") not in table.index


def test_a_stage_the_records_lack_is_not_known() -> None:
    table = attainment(Flows(PLANNED, ACTUAL, ("sql", "won"), ("won",)), [SPAN]).set_index(["stage", "part"])
    assert np.isnan(table.loc["sql", "all"]["actual"])
    assert table.loc["won", "all"]["actual"] == 1


def test_without_records_nothing_that_came_is_known() -> None:
    table = attainment(Flows(PLANNED, None, ("sql", "won"), ()), [SPAN])
    assert table[["actual", "gap", "reached"]].isna().all().all()
    assert (table["planned"] > 0).all()


def test_by_month_the_future_has_nothing_come() -> None:
    goal = pd.DataFrame({"month": pd.period_range("2026-01", periods=12, freq="M"), "new_arr": 100.0})
    table = reached_by_month(goal, PLANNED, ACTUAL, whole_year(JANUARY, SPAN.as_of), "sql")
    assert table["goal_arr"].tolist()[:3] == [100, 200, 300]
    assert table["planned_arr"].tolist()[:3] == [0, 200, 200]
    assert table["actual_arr"].tolist()[:2] == [90, 90]
    assert table["actual_arr"][2:].isna().all()
    assert table["planned_entries"].tolist()[:3] == [14, 34, 34]
    assert table["actual_entries"].tolist()[:2] == [15, 15]


# --- variance ------------------------------------------------------------------------------------


def test_one_cell_by_hand() -> None:
    # Planned 100 entries x 20 % x half x 1,000 = 10,000 and 500 opening; came 80 x 25 % x half x 1,000 = 10,000 and 0.
    def side(entries: float, rate: float, opening: float) -> pd.DataFrame:
        wins = entries * rate / 2
        row = ("all", "all", entries, rate, wins, wins * 1000, opening, True)
        columns = ["segment", "source", "entries", "win_rate", "wins", "arr", "opening_arr", "provisional"]
        return pd.DataFrame([row], columns=columns)

    cells = variance_cells(factors(side(100, 0.20, 500), side(80, 0.25, 0)))
    table = variance(cells, SPAN).set_index("line")
    # V x R: volume -20 x (0.20 + 0.25) / 2 = -4.5, rate 0.05 x (100 + 80) / 2 = +4.5, each x half x 1,000.
    assert table["amount"].round(6).to_dict() == {
        "planned": 10_500, "opening": -500, "volume": -2250, "mix": 0, "win_rate": 2250, "timing": 0, "deal_size": 0, "actual": 10_000
    }  # fmt: skip
    assert table["provisional"].to_dict() == {name: name in ("win_rate", "timing") for name in table.index}


@pytest.mark.parametrize("entries", [None, 0.0])
def test_a_cell_without_plan_is_volume_and_mix(entries: float | None) -> None:
    columns = ["segment", "source", "entries", "win_rate", "wins", "arr", "opening_arr", "provisional"]
    there = ("a", "all", 100.0, 0.2, 10.0, 1000.0, 0.0, False)
    lacking = [] if entries is None else [("b", "all", entries, 0.9, 0.0, 0.0, 0.0, False)]
    planned = pd.DataFrame([there, *lacking], columns=columns)
    came = pd.DataFrame([there, ("b", "all", 50.0, 0.2, 5.0, 500.0, 0.0, False)], columns=columns)
    for sides, sign in (((planned, came), 1), ((came, planned), -1)):
        cells = variance_cells(factors(*sides)).set_index("segment")
        # V 100 to 150, share of b 0 to 1/3, each entry worth 0.2 x half x 100 = 10: volume 50 x 1/6 x 10, mix 125 x 1/3 x 10.
        assert cells.loc["b", "volume"] == pytest.approx(sign * 250 / 3)
        assert cells.loc["b", "mix"] == pytest.approx(sign * 1250 / 3)
        assert cells.loc["b", ["win_rate", "timing", "deal_size"]].tolist() == [0, 0, 0]


def test_no_cells_no_lines() -> None:
    nothing = pd.DataFrame(
        {name: pd.Series(dtype=float) for name in ("entries", "win_rate", "wins", "arr", "opening_arr")}
    )
    nothing = nothing.assign(
        segment=pd.Series(dtype="str"), source=pd.Series(dtype="str"), provisional=pd.Series(dtype=bool)
    )
    assert variance(variance_cells(factors(nothing, nothing)), SPAN).empty


# --- movements and coverage ----------------------------------------------------------------------


def test_a_period_opens_with_what_was_booked_before_it() -> None:
    months = pd.period_range("2026-01", "2026-12", freq="M")
    goal = pd.DataFrame({"month": months, "new_arr": 50.0})
    planned = planned_movements(YearTerms(opening=1000.0, expansion=120.0, contraction=12.0, churn=24.0), goal, months)
    booked = {"new": 40.0, "expansion": 5.0, "contraction": 2.0, "churn": 3.0}
    actual = pd.DataFrame({"month": months[:6], **booked})
    spans = [(quarter_span("2026-Q2", JANUARY, date(2026, 6, 30)), "booked")]
    table = arr_bridge(1000.0, planned, actual, spans).set_index("term")
    # Planned a month: 50 + 10 - 1 - 2 = 57; booked 40 + 5 - 2 - 3 = 40.
    assert table.loc["opening", ["planned", "actual", "gap"]].tolist() == [1171, 1120, -51]
    assert table.loc["new", ["planned", "actual"]].tolist() == [150, 120]
    assert table.loc["churn", ["planned", "actual", "gap"]].tolist() == [6, 9, 3]
    assert table.loc["closing", ["planned", "actual"]].tolist() == [1342, 1240]
    later = arr_bridge(1000.0, planned, actual[3:], spans).set_index("term")
    assert np.isnan(later.loc["opening", "actual"])
    assert later.loc["new", "actual"] == 120


def test_nothing_left_to_win_needs_no_coverage() -> None:
    pipeline = pd.DataFrame(
        {
            "segment": ["a", "b"],
            "items": [1.0, 0.0],
            "open_amount": [100.0, 0.0],
            "dead_amount": [0.0, 7.0],
            "win_rate": [0.25, 0.5],
        }
    )
    left = pd.DataFrame({"remaining": [-10.0, 40.0], "in_time": [5.0, 0.0]}, index=["a", "b"])
    table = coverage(pipeline, {"rest of 2026": left}).set_index("segment")
    assert table["remaining"].to_dict() == {"all": 30, "a": -10, "b": 40}
    assert np.isnan(table.loc["a", "coverage"])
    assert table["enough"].to_dict() == {"all": False, "a": True, "b": False}
    assert table.loc["all", ["win_rate", "needed", "expected_arr", "dead_amount"]].tolist() == [0.25, 4, 25, 7]
    assert coverage(pipeline[:1], {"rest": left}).shape[0] == 1  # one segment is not said twice
