"""Laws of the bridge from plan to actual: it adds up, in any order, and agrees with all 120 orders tried one by one."""

from __future__ import annotations

from datetime import date
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revplan.tracking.periods import Span
from revplan.tracking.variance import FACTORS, LINES, factors, shapley, variance, variance_cells

SPAN = Span("2026-Q3", pd.Period("2026-07", freq="M"), 3, date(2026, 9, 30))
figures = st.floats(min_value=0, max_value=1e4, allow_subnormal=False)
shares = st.floats(min_value=0, max_value=1, allow_subnormal=False)


@st.composite
def terms(draw: st.DrawFn) -> pd.DataFrame:
    """A side of up to four cells, some of them without entries, wins or ARR."""
    names = draw(st.lists(st.sampled_from("abcd"), unique=True, max_size=4))
    rows = []
    for name in names:
        entries = draw(st.just(0.0) | figures)
        rate, timing = draw(shares), draw(st.just(0.0) | shares)
        wins = entries * rate * timing
        deal = draw(st.just(0.0) | figures)
        rows.append((name, "all", entries, rate, wins, wins * deal, draw(figures), draw(st.booleans())))
    columns = ["segment", "source", "entries", "win_rate", "wins", "arr", "opening_arr", "provisional"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype({"segment": "str", "source": "str", "provisional": bool, **dict.fromkeys(columns[2:7], float)})


def all_orders(planned: np.ndarray, came: np.ndarray) -> np.ndarray:
    """The mean of what each factor changes when it is its turn, over every order."""
    parts = np.zeros_like(planned)
    orders = list(permutations(range(len(planned))))
    for order in orders:
        now = planned.copy()
        for factor in order:
            before = now.prod(axis=0)
            now[factor] = came[factor]
            parts[factor] += now.prod(axis=0) - before
    return parts / len(orders)


@given(st.lists(st.tuples(*[st.floats(0, 50)] * 10), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None)
def test_shapley_values_are_the_mean_over_all_orders(drawn: list[tuple[float, ...]]) -> None:
    both = np.array(drawn).T
    planned, came = both[:5], both[5:]
    scale = max(float(both.max()), 1.0) ** 5
    assert shapley(planned, came) == pytest.approx(all_orders(planned, came), rel=1e-9, abs=1e-12 * scale)


def test_shapley_by_hand() -> None:
    # Two factors, 2 x 3 to 4 x 5: moved first, the first adds 2 x 3 = 6, moved last 2 x 5 = 10; the mean is 8.
    assert shapley(np.array([[2.0], [3.0]]), np.array([[4.0], [5.0]])).ravel().tolist() == [8.0, 6.0]


@given(terms(), terms())
@settings(max_examples=150, deadline=None)
def test_the_lines_add_up_to_the_difference(planned: pd.DataFrame, came: pd.DataFrame) -> None:
    cells = variance_cells(factors(planned, came))
    size = 1e-9 * (
        1 + planned["arr"].sum() + came["arr"].sum() + planned["opening_arr"].sum() + came["opening_arr"].sum()
    )
    assert cells[[*LINES]].sum(axis=1).to_numpy() == pytest.approx(
        (cells["actual"] - cells["planned"]).to_numpy(), abs=size
    )
    assert cells["planned"].sum() == pytest.approx(planned[["arr", "opening_arr"]].sum().sum(), abs=size)
    assert cells["actual"].sum() == pytest.approx(came[["arr", "opening_arr"]].sum().sum(), abs=size)


@given(terms(), terms())
@settings(max_examples=100, deadline=None)
def test_the_lines_add_up_as_displayed(planned: pd.DataFrame, came: pd.DataFrame) -> None:
    table = variance(variance_cells(factors(planned, came)), SPAN)
    if len(table):
        shown = table.set_index("line")["displayed"]
        assert shown["planned"] + shown[[*LINES]].sum() == shown["actual"]
        assert (shown == shown.round()).all()


@given(terms())
@settings(max_examples=50, deadline=None)
def test_a_plan_that_comes_true_differs_in_nothing(planned: pd.DataFrame) -> None:
    cells = variance_cells(factors(planned, planned))
    assert (cells[[*LINES]] == 0).all().all()


@given(terms(), st.floats(0.1, 10))
@settings(max_examples=50, deadline=None)
def test_more_entries_in_the_same_mix_are_volume_alone(planned: pd.DataFrame, factor: float) -> None:
    grown = planned.assign(**{name: planned[name] * factor for name in ("entries", "wins", "arr")})
    cells = variance_cells(factors(planned, grown))
    size = 1e-9 * (1 + planned["arr"].sum()) * (1 + factor)
    for name in ("mix", "win_rate", "timing", "deal_size"):
        assert cells[name].to_numpy() == pytest.approx(np.zeros(len(cells)), abs=size), name
    assert cells["volume"].sum() == pytest.approx((factor - 1) * planned["arr"].sum(), abs=size)


@given(terms(), terms())
@settings(max_examples=50, deadline=None)
def test_a_cell_that_one_side_lacks_differs_in_volume_and_mix_alone(planned: pd.DataFrame, came: pd.DataFrame) -> None:
    cells = variance_cells(factors(planned, came)).set_index("segment")
    lonely = set(planned["segment"]) ^ set(came["segment"])
    size = 1e-9 * (1 + planned["arr"].sum() + came["arr"].sum())
    for name in lonely:
        assert cells.loc[name, ["win_rate", "timing", "deal_size"]].abs().max() <= size


def test_every_factor_has_a_line() -> None:
    assert list(LINES) == ["opening", *FACTORS]
