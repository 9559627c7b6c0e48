"""The charts of the board pack: where their bars stand, and the same in numbers."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from revplan.exhibits import board_charts as charts
from revplan.exhibits.figures import say

SAID = say("So it is.")
STEPS = pd.DataFrame({"line": ["Promised", "Mix", "Win rate", "Came"], "amount": [100.0, -30.0, 20.0, 90.0]})
YEAR = {"won": 50.0, "open_records": 20.0, "still_to_create": 10.0}
LANDING = pd.DataFrame(
    [{"year": "2026", **YEAR, "landing": 80.0, "landing_low": 70.0, "landing_high": 95.0, "goal": 90.0}]
)
MONTHS = pd.DataFrame(
    {
        "month": pd.period_range("2026-01", periods=3, freq="M"),
        "goal": [1.0, 2.0, 3.0],
        "promised": [1.0, 3.0, 5.0],
        "came": [2.0, 4.0, float("nan")],
    }
)


def axes() -> Axes:
    """Empty axes."""
    return Canvas().subplots()


def test_steps_of_a_waterfall_stand_on_the_level_before() -> None:
    ax = axes()
    assert charts.variance("USD", SAID)(ax, STEPS) == SAID
    spans = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in ax.patches]  # type: ignore[attr-defined]
    assert spans == [(0, 100), (100, 70), (70, 90), (0, 90)]
    assert [each.get_text() for each in ax.texts] == ["$100", "−$30", "+$20", "$90"]
    assert ax.get_ylim()[0] == 0


def test_a_waterfall_below_zero_is_shown_whole() -> None:
    ax = axes()
    charts.variance("", SAID)(ax, STEPS.assign(amount=[10.0, -30.0, 25.0, 5.0]))
    assert ax.get_ylim()[0] == -20


def test_a_native_waterfall_tells_what_adds_from_what_takes_away() -> None:
    made = charts.variance_native("USD")(STEPS)
    assert made.form == "waterfall"
    assert made.categories == ("Promised", "Mix", "Win rate", "Came")
    assert [each.values for each in made.series] == [
        (100, None, None, 90),
        (None, None, 20, None),
        (None, -30, None, None),
    ]


def test_parts_of_the_landing_stand_beside_each_other_up_to_it() -> None:
    ax = axes()
    charts.landing("USD", SAID, "FY26")(ax, LANDING)
    spans = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]  # type: ignore[attr-defined]
    assert spans == [(0, 50), (50, 70), (70, 80)]
    lines = {line.get_label(): list(line.get_xdata()) for line in ax.lines}  # type: ignore[call-overload]
    assert lines == {"8 of 10 cases": [70, 95], "goal": [90, 90]}
    assert ax.get_xlim() == (0, pytest.approx(95 * 1.06))


def test_a_native_landing_has_its_parts_the_landing_and_the_goal() -> None:
    made = charts.landing_native("USD")(LANDING)
    assert made.categories == ("won", "expected of open records", "still to create", "landing", "goal")
    assert [each.values for each in made.series] == [(50, None, None, 80, 90), (None, 20, 10, None, None)]


def test_curves_end_where_nothing_is_known_and_those_without_any_month_are_left_out() -> None:
    for frame, known in (
        (MONTHS, ["goal", "promised", "came"]),
        (MONTHS.assign(came=float("nan")), ["goal", "promised"]),
    ):
        ax = axes()
        charts.so_far("USD", SAID)(ax, frame)
        assert [line.get_label() for line in ax.lines] == known
        assert [each.name for each in charts.so_far_native("USD")(frame).series] == known
    made = charts.so_far_native("USD")(MONTHS)
    assert made.series[2].values == (2, 4, None)
    assert made.categories[0] == "Jan 2026"
