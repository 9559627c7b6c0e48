"""Charts: described once, and drawn by one painter: where bars stand, what has room, what a terminal shows."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import Any

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from revplan.exhibits import charts, draw
from revplan.exhibits.chart import (
    GAP,
    PLAN,
    Chart,
    Series,
    as_raw,
    from_raw,
    in_columns,
    series_of,
    side_by_side,
    spans,
)
from revplan.exhibits.figures import say
from revplan.exhibits.fit import POINTS, width
from revplan.exhibits.shapes import STYLE, Canvas, Scale, color, scale_of, ticks

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
        "planned": [1.0, 3.0, 5.0],
        "actual": [2.0, 4.0, float("nan")],
    }
)
BLUE, RED, LIGHT = (color(name) for name in ("C0", "C1", "C3"))


QUARTERS = pd.DataFrame(
    {
        "quarter": [f"Q{1 + n % 4} FY{25 + n // 4}" for n in range(8)],
        "sql actual": [100.0 + n for n in range(8)],
        "sql planned": [None] * 4 + [150.0] * 4,
    }
)
PANELS = [charts.panel(name, QUARTERS, "sql", "count", "USD") for name in ("SQLs", "Opportunities", "Wins")]


def columns(*values: float | None, **more: Any) -> Chart:
    """A chart of one series, a column a value."""
    names = tuple("abcdefghijklmnopqrstuvwxyz"[: len(values)])
    return replace(
        Chart(said=SAID, form="columns", categories=names, series=(Series(name="x", values=values),), kind="count"),
        **more,
    )


def drawn(chart: Chart, room: float = draw.PAGE) -> str:
    """The drawing, its letters as text."""
    return draw.svg(chart, room, outlined=False)


def boxes(svg: str, fill: str) -> list[tuple[float, float, float, float]]:
    """x, y, width and height of what is filled with a colour, but for the samples of the key."""
    found = re.findall(rf'<rect x="([-\d.]+)" y="([-\d.]+)" width="([\d.]+)" height="([\d.]+)" fill="{fill}"', svg)
    return [box for box in (tuple(map(float, each)) for each in found) if (box[2], box[3]) != (14.0, 8.0)]


def texts(svg: str) -> list[tuple[float, float, float, str, str]]:
    """x, y, size, anchor and words of every text."""
    found = re.findall(r'<text x="([-\d.]+)" y="([-\d.]+)" font-size="([\d.]+)" text-anchor="(\w+)"[^>]*>([^<]*)<', svg)
    return [(float(x), float(y), float(size), anchor, unescape(words)) for x, y, size, anchor, words in found]


def reach(text: tuple[float, float, float, str, str]) -> tuple[float, float]:
    """From where to where a text goes."""
    x, _, size, anchor, words = text
    long = POINTS * width(words, size) / 1.02
    left = x - long * {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor]
    return left, left + long


def collisions(svg: str) -> list[tuple[str, str]]:
    """Texts that lie over each other."""
    found = texts(svg)
    return [
        (one[4], other[4])
        for at, one in enumerate(found)
        for other in found[at + 1 :]
        if abs(one[1] - other[1]) < 0.7 * min(one[2], other[2])
        and reach(one)[0] < reach(other)[1]
        and reach(other)[0] < reach(one)[1]
    ]


def outside(svg: str) -> list[str]:
    """Texts that reach beyond the drawing."""
    view = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    assert view
    wide, high = float(view[1]), float(view[2])
    return [
        text[4] for text in texts(svg) if reach(text)[0] < -0.5 or reach(text)[1] > wide + 0.5 or not 0 < text[1] < high
    ]


# --- what is described ---------------------------------------------------------------------------


def test_a_waterfall_tells_what_adds_from_what_takes_away() -> None:
    made = charts.steps(STEPS, SAID, "USD")
    assert (made.form, made.message) == ("waterfall", "So it is.")
    assert made.categories == ("Promised", "Mix", "Win rate", "Came")
    assert [each.values for each in made.series] == [
        (100, None, None, 90),
        (None, None, 20, None),
        (None, -30, None, None),
    ]
    assert list(spans(made)) == [(0, 100), (100, 70), (70, 90), (0, 90)]


def test_a_landing_has_its_parts_the_landing_with_its_band_and_the_goal() -> None:
    made = charts.landing(LANDING, SAID, "USD")
    assert made.categories == ("won", "expected of open records", "still to create", "landing", "goal")
    assert [each.values for each in made.series] == [(50, None, None, 80, 90), (None, 20, 10, None, None)]
    assert made.series[0].low == (None, None, None, 70, None)
    assert made.series[0].high == (None, None, None, 95, None)
    assert list(spans(made)) == [(0, 50), (50, 70), (70, 80), (0, 80), (0, 90)]


def test_curves_end_where_nothing_is_known_and_those_without_any_month_are_left_out() -> None:
    made = charts.so_far(MONTHS, SAID, "USD")
    assert [each.name for each in made.series] == ["goal", "plan", "actual"]
    assert (made.series[2].values, made.categories[0]) == ((2, 4, None), "Jan 2026")
    none = charts.so_far(MONTHS.assign(actual=float("nan")), SAID, "USD")
    assert [each.name for each in none.series] == ["goal", "plan"]


def test_buffers_begin_at_the_plan_and_come_to_what_all_do_together() -> None:
    table = pd.DataFrame(
        {"assumptions": ["as planned", "rate", "lags", "all together"], "arr_together": [100.0, 130.0, 90.0, 90.0]}
    )
    made = charts.stacked_buffers(table, "They fall.", "USD")
    assert made.categories == ("rate", "lags", "all together")
    assert list(spans(made)) == [(100, 130), (130, 90), (100, 90)]
    assert {text[4] for text in texts(drawn(made))} >= {"+$30", "−$40", "−$10", "change of the $100 as planned"}


def test_a_description_survives_json() -> None:
    for made in (
        charts.landing(LANDING, SAID, "USD"),
        charts.so_far(MONTHS, SAID, "EUR"),
        charts.multiples(SAID, PANELS),
    ):
        assert from_raw(as_raw(made), made.message) == replace(made, said=made.message)


def test_bars_stand_beside_each_other_only_where_a_category_has_several() -> None:
    one, other = Series(name="x", values=(1.0, None)), Series(name="y", values=(None, 2.0))
    both = columns(1.0, 2.0, series=(one, replace(other, values=(3.0, 2.0))))
    assert side_by_side(both)
    assert not side_by_side(replace(both, start=2.0))  # one on either side of it
    assert side_by_side(replace(both, start=0.5))  # both ends of a driver on one side: one would hide the other
    assert not side_by_side(replace(both, series=(one, other)))


def test_scenarios_are_drawn_by_what_they_change_the_best_first_and_beside_the_goal() -> None:
    rows = pd.DataFrame(
        {
            "scenario": ["base", "less", "much", "some"],
            "landing": [80.0, 60.0, 130.0, 85.0],
            "difference": [0.0, -20.0, 50.0, 5.0],
        }
    )
    made = charts.scenarios(rows, SAID, 10.0, "USD")
    assert made.categories == ("much", "goal", "some", "less")
    drawn_as = {each.name: each.values for each in made.series}
    assert drawn_as["lands above today's forecast"] == (50.0, None, 5.0, None)
    assert drawn_as["lands below it"] == (None, None, None, -20.0)
    assert drawn_as["missing to the goal"] == (None, 10.0, None, None)
    below = charts.scenarios(rows, SAID, -10.0, "USD")
    assert below.categories == ("much", "some", "goal", "less")
    assert "how far the goal lies below the forecast" in [each.name for each in below.series]


# --- the values in words -------------------------------------------------------------------------


def test_a_terminal_shows_the_values() -> None:
    shown = in_columns(charts.landing(LANDING, SAID, "USD"))
    assert shown[0][1] == ["won", "expected of open records", "still to create", "landing", "goal"]
    assert shown[1][1] == ["$50", "–", "–", "$80 ($70 to $95)", "$90"]
    assert shown[2][1] == ["–", "+$20", "+$10", "–", "–"]
    curve = Series(name="needed", x=(0.5, 0.8), values=(100.0, 140.0), mark="line")
    points = Chart(said=SAID, form="points", categories=(), series=(curve,), kind="count", x_kind="share", x_title="at")
    assert in_columns(points) == [
        ("", ["needed", "needed"], False),
        ("at", ["50%", "80%"], True),
        ("value", ["100", "140"], True),
    ]


# --- where it is drawn ---------------------------------------------------------------------------


def test_steps_of_a_waterfall_stand_on_the_level_before() -> None:
    svg = drawn(charts.steps(STEPS, SAID, "USD"))
    (first, last), (less,), (more,) = (boxes(svg, fill) for fill in (BLUE, RED, LIGHT))
    ground = first[1] + first[3]
    assert last[1] + last[3] == pytest.approx(ground, abs=0.02)
    assert last[3] / first[3] == pytest.approx(0.9, abs=0.001)
    assert less[1] == pytest.approx(first[1], abs=0.02)  # from 100 down to 70
    assert less[3] / first[3] == pytest.approx(0.3, abs=0.001)
    assert more[1] + more[3] == pytest.approx(less[1] + less[3], abs=0.02)  # from there up to 90
    assert more[1] == pytest.approx(last[1], abs=0.02)
    assert [text[4] for text in texts(svg) if text[4][0] in "+−"] == ["+$20", "−$30"]


def test_a_waterfall_below_zero_is_shown_whole() -> None:
    svg = drawn(charts.steps(STEPS.assign(amount=[10.0, -30.0, 25.0, 5.0]), SAID, ""))
    (less,) = boxes(svg, RED)
    (first, _) = boxes(svg, BLUE)
    assert less[3] / first[3] == pytest.approx(3, abs=0.01)
    assert not outside(svg)


@given(st.lists(st.floats(-1e9, 1e9, allow_subnormal=False), min_size=1, max_size=9))
@example([2.2250738585072014e-308])
@settings(max_examples=60, deadline=None)
def test_bars_are_as_long_as_their_values(values: list[float]) -> None:
    svg = drawn(columns(*values, kind="number"))
    heights = [box[3] for box in boxes(svg, BLUE)]
    longest = max(map(abs, values))
    if longest > 0:
        unit = max(heights) / longest
        assert heights == pytest.approx([unit * abs(value) for value in values], abs=0.02)
    else:
        assert heights == [0.0] * len(values)
    assert not re.search(r"nan|inf", re.sub(r"<text.*?</text>", "", svg))
    assert not outside(svg)


@pytest.mark.parametrize("room", [draw.PAGE, draw.PHONE])
@pytest.mark.parametrize(
    "made",
    [
        columns(*([0.0] * 6)),
        columns(1.0, 1.0e9, 2.0),
        columns(-5.0, 3.0, None, 8.0, kind="number"),
        columns(
            0.25, 0.5, kind="share", form="bars", categories=("A name that has no end " * 4, "Another such name " * 5)
        ),
        columns(*range(12), form="waterfall", kind="money", currency="USD"),
        columns(
            *(1e6 * n for n in range(40)), kind="money", form="bars", categories=tuple(f"a name {n}" for n in range(40))
        ),
        charts.landing(LANDING.assign(**{name: 1e6 * LANDING[name] for name in LANDING.columns[1:]}), SAID, "JPY"),
        charts.so_far(MONTHS, SAID, "USD"),
        replace(columns(*range(1, 32)), categories=tuple(f"{day} Mar" for day in range(1, 32)), x_kind="date"),
        replace(columns(*range(1, 30)), categories=tuple(f"{day} September" for day in range(1, 30)), x_kind="date"),
        charts.multiples(SAID, PANELS),
        charts.steps(STEPS.assign(line=["A long name of a step"] * 4, amount=STEPS["amount"] * 1e5), SAID, "CHF"),
    ],
    ids=lambda made: made.form if isinstance(made, Chart) else str(made),
)
def test_no_text_lies_over_another_or_beyond_the_drawing(made: Chart, room: float) -> None:
    svg = drawn(made, room)
    assert collisions(svg) == []
    assert outside(svg) == []


def test_a_seen_collision_is_told() -> None:
    canvas = Canvas()
    canvas.words(10, 10, ["one"], 9, "start")
    canvas.words(20, 11, ["other"], 9, "start")
    canvas.words(95, 40, ["far beyond"], 9, "start")
    svg = canvas.svg(100, 50, "So.", None)
    assert collisions(svg) == [("one", "other")]
    assert outside(svg) == ["far beyond"]


def test_parts_stand_on_each_other_up_and_down_from_zero() -> None:
    parts = (
        Series(name="x", values=(30.0, -10.0), color="C0"),
        Series(name="y", values=(20.0, -30.0), color="C1"),
        Series(name="goal", values=(60.0, 10.0), color="ink", mark="dashes"),
    )
    svg = drawn(columns(30.0, -10.0, form="stacked", series=parts, kind="number"))
    (up, down), (more, less) = boxes(svg, BLUE), boxes(svg, RED)
    unit = up[3] / 30
    assert [more[3], down[3], less[3]] == pytest.approx([20 * unit, 10 * unit, 30 * unit], abs=0.03)
    assert more[1] + more[3] == pytest.approx(up[1], abs=0.02)  # on the first part, from 30 to 50
    assert down[1] == pytest.approx(up[1] + up[3], abs=0.02)  # from zero down
    assert less[1] == pytest.approx(down[1] + down[3], abs=0.02)  # below that
    goals = [float(y) for y in re.findall(r'd="M[\d.]+ ([\d.]+)L[\d.]+ [\d.]+" fill="none" stroke="#22303c"', svg)]
    assert goals[-2:] == pytest.approx([up[1] + up[3] - 60 * unit, up[1] + up[3] - 10 * unit], abs=0.03)


def test_bars_beside_each_other_share_their_place_and_lying_ones_their_axis() -> None:
    pair = (Series(name="x", values=(4.0, 8.0), color="C0"), Series(name="y", values=(2.0, 6.0), color="C1"))
    svg = drawn(columns(4.0, 8.0, series=pair))
    for blue, red in zip(boxes(svg, BLUE), boxes(svg, RED), strict=True):
        assert blue[0] + blue[2] <= red[0]
    middles = [text[0] for text in texts(svg) if text[4] in "ab"]
    found = zip(boxes(svg, BLUE), boxes(svg, RED), strict=True)
    assert [(blue[0] + red[0] + red[2]) / 2 for blue, red in found] == pytest.approx(middles, abs=0.03)
    lying = drawn(columns(4.0, 8.0, series=pair, form="bars"))
    ends = [*boxes(lying, BLUE), *boxes(lying, RED)]
    assert len({x for x, *_ in ends}) == 1
    assert [each[2] / ends[0][2] for each in ends] == pytest.approx([1, 2, 0.5, 1.5], abs=0.01)
    assert [text[4] for text in texts(lying) if text[3] == "start"][2:] == ["4", "8", "2", "6"]
    swing = (Series(name="low", values=(8.0,), color="C1"), Series(name="high", values=(13.0,), color="C3"))
    tornado = drawn(columns(8.0, series=swing, form="bars", start=10.0, kind="number"))
    (low,), (high,) = boxes(tornado, RED), boxes(tornado, LIGHT)
    assert low[0] + low[2] == pytest.approx(high[0], abs=0.02)  # both from the middle
    assert high[2] / low[2] == pytest.approx(1.5, abs=0.01)
    assert low[1] == high[1]


def test_points_lie_where_both_numbers_say() -> None:
    series = (
        Series(name="curve", x=(0.5, 0.6, 0.7), values=(10.0, 20.0, 30.0), mark="line"),
        Series(name="here", x=(0.6,), values=(20.0,), color="C1", mark="squares"),
    )
    svg = drawn(
        Chart(said=SAID, form="points", categories=(), series=series, kind="number", x_kind="share", x_title="x")
    )
    path = re.findall(rf'd="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)" fill="none" stroke="{BLUE}"', svg)
    (x1, y1, x2, y2, x3, y3), (square,) = map(float, path[0]), [box for box in boxes(svg, RED) if box[1] > 15]
    assert (x2 - x1, y2 - y1) == pytest.approx((x3 - x2, y3 - y2), abs=0.03)
    assert (square[0] + 4, square[1] + 4) == pytest.approx((x2, y2), abs=0.02)
    assert {text[4]: text[0] for text in texts(svg)}["60%"] == pytest.approx(x2, abs=0.02)


def test_small_charts_stand_two_beside_each_other_and_below_each_other_on_a_phone() -> None:
    made = charts.multiples(SAID, PANELS)
    page, phone = (drawn(made, room) for room in (draw.PAGE, draw.PHONE))
    heads = [{words: (x, y) for x, y, _, _, words in texts(each)} for each in (page, phone)]
    places = [[at[panel.message] for panel in PANELS] for at in heads]
    (one, two, three), (first, second, third) = places
    assert one[1] == two[1] < three[1]
    assert one[0] == three[0] < two[0]
    assert first[0] == second[0] == third[0]
    assert first[1] < second[1] < third[1]
    for each in (page, phone):  # the key once, and every quarter's column in every chart
        assert [words for *_, words in texts(each)].count("actual") == 1
        assert len(boxes(each, BLUE)) == 8 * len(PANELS)


def test_columns_lie_down_where_their_names_have_no_room() -> None:
    names = tuple(f"a name number {number} of some length" for number in range(8))
    made = columns(*range(1, 9), categories=names)
    assert len({box[1] for box in boxes(drawn(made), BLUE)}) > 1  # page: heights differ, so they stand
    lying = boxes(drawn(made, draw.PHONE), BLUE)
    assert len({box[0] for box in lying}) == 1  # all begin at the axis
    assert lying[-1][2] / lying[0][2] == pytest.approx(8, rel=0.01)


def test_months_thin_out_and_keep_their_years() -> None:
    months = tuple(month.strftime("%b %Y") for month in pd.period_range("2026-11", periods=14, freq="M"))
    made = columns(*range(14), categories=months, x_kind="month")
    below = [text[4] for text in texts(drawn(made)) if text[3] == "middle" and not text[4][0].isdigit()]
    assert below[:4] == ["Nov", "Dec", "Jan", "Feb"]
    narrow = [text[4] for text in texts(drawn(made, draw.PHONE)) if re.match("[A-Z]|20", text[4])]
    assert narrow == ["Nov", "2026", "Jan", "2027", "Mar", "May", "Jul", "Sep", "Nov"]


def test_a_key_takes_as_many_lines_as_it_needs() -> None:
    def lines_of(names: list[str], room: float) -> int:
        made = columns(1.0, series=tuple(Series(name=name, values=(1.0,)) for name in names))
        return len({text[1] for text in texts(drawn(made, room)) if text[3] == "start"})

    assert lines_of(["goal", "commit", "gap"], draw.PAGE) == 1
    assert lines_of(["goal", "commit", "gap"], draw.PHONE) == 1
    assert lines_of(["must come from them, whatever", "expected of them, as ever"], draw.PHONE) == 2
    assert lines_of(["goal"], draw.PAGE) == 0  # one series needs no key


def test_months_say_each_year_once() -> None:
    months = tuple(f"{month} {year}" for year in (2026, 2027) for month in ("Jan", "Apr", "Jul", "Oct"))
    made = columns(*range(8), categories=months, x_kind="month")
    assert [text[4] for text in texts(drawn(made)) if text[4] in ("2026", "2027")] == ["2026", "2027"]
    many = columns(*range(26), x_kind="month", categories=tuple(f"Jan {2000 + n}" for n in range(26)))
    assert collisions(drawn(many, draw.PHONE)) == []


def test_an_interval_beyond_every_value_is_drawn_within_the_axis() -> None:
    made = charts.landing(LANDING.assign(landing_high=400.0), SAID, "USD")
    tops = [
        float(y) for y in re.findall(r'd="M[\d.]+ [\d.]+L[\d.]+ ([\d.]+)" fill="none" stroke="#22303c"', drawn(made))
    ]
    assert tops
    assert max(tops) > 25  # well below the key, not cut off at the edge of the scale
    assert max(map(float, [t[4][1:] for t in texts(drawn(made)) if re.fullmatch(r"\$\d+", t[4])])) >= 400


def test_a_line_known_in_one_month_only_is_seen() -> None:
    made = charts.so_far(MONTHS.assign(actual=[2.0, float("nan"), float("nan")]), SAID, "USD")
    assert f'fill="{BLUE}"' in drawn(made)


def test_ticks_of_an_axis_never_read_alike() -> None:
    made = columns(2.9e6, 2.905e6, form="bars", kind="money", currency="USD", start=2.9e6)
    told = [text[4] for text in texts(drawn(made)) if text[3] == "middle"]
    assert told
    assert len(told) == len(set(told))


def test_a_scale_holds_its_values_and_ticks_are_round() -> None:
    scale = scale_of([0, 730, 1204], 200, 0, 0, 8)
    assert (scale.at(0), scale.at(1204)) == (200, 8)
    assert ticks(scale, 4) == [0, 500, 1000]
    assert ticks(Scale(0.0, 1.0, 0, 100), 4) == [0.0, 0.25, 0.5, 0.75, 1.0]
    assert scale_of([], 0, 1, 0, 0).high > 0
    assert scale.at(9e9) == 0


def test_texts_are_escaped_and_the_message_is_told_to_who_cannot_see_it() -> None:
    made = columns(1.0, said='<a> & "b"', categories=("<script>",))
    assert 'role="img" aria-label="&lt;a&gt; &amp; &quot;b&quot;"' in drawn(made)
    assert "&lt;script&gt;</text>" in drawn(made)
    assert "<script>" not in drawn(made)
    assert 'fill="#ffffff"' in drawn(made)  # a ground of its own: a dark page does not swallow the letters


def test_colours_stand_in_the_style_file_and_fade_towards_white() -> None:
    assert color("C0") == "#1f4e79"
    assert color("C0") in STYLE.read_text(encoding="utf-8")
    assert (color("ink", 0.0), color("ink", 1.0)) == ("#ffffff", color("ink"))


def test_a_series_is_the_column_it_names_with_the_interval_beside_it() -> None:
    table = pd.DataFrame(
        {"a": [1.0, None], "a_low": [0.5, None], "a_high": [2.0, None], "none": [None, None], "b": [3, 4]}
    )
    first, second = series_of(table, ("a", "of a", GAP, "dots"), ("none", "not known"), ("b", "of b"))
    assert (first.name, first.values, first.low, first.high) == ("of a", (1.0, None), (0.5, None), (2.0, None))
    assert (first.color, first.mark) == (GAP, "dots")
    assert (second.name, second.values, second.low, second.color, second.mark) == ("of b", (3.0, 4.0), (), PLAN, "bar")
