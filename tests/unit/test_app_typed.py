"""Numbers as people type them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revplan.app.levers import typed_number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("31", 31.0),
        ("31%", 31.0),
        (" 31 % ", 31.0),
        ("31.5", 31.5),
        ("31,5", 31.5),
        ("0,25", 0.25),
        (".5", 0.5),
        ("-3", -3.0),
        ("\u22123", -3.0),
        ("29,000", 29_000.0),
        ("29 000", 29_000.0),
        ("29\u202f000", 29_000.0),
        ("29_000", 29_000.0),
        ("1,200,000", 1_200_000.0),
        ("1.200.000", 1_200_000.0),
        ("12,345.6", 12_345.6),
        ("12.345,6", 12_345.6),
        ("$1.2M", 1_200_000.0),
        ("29k", 29_000.0),
        ("USD 900", 900.0),
        ("900 EUR", 900.0),
        ("€ 900", 900.0),
    ],
)
def test_what_people_type(text: str, number: float) -> None:
    assert typed_number(text) == pytest.approx(number)


@pytest.mark.parametrize(
    "text", ["abc", "1,2,3", "31x", "1e9", "nan", "inf", "--3", "<b>3</b>", "1" * 41, "٣", ".", ",", "3 4 x"]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no number; write it like 28\.4"):
        typed_number(text)


@pytest.mark.parametrize("text", ["", "  "])
def test_nothing(text: str) -> None:
    with pytest.raises(ValueError, match="nothing was written"):
        typed_number(text)


@given(st.floats(0, 1e9), st.integers(0, 2))
@settings(derandomize=True, database=None, max_examples=50)
def test_what_the_field_shows_is_read_back(value: float, digits: int) -> None:
    shown = f"{value:,.{digits}f}"
    assert typed_number(shown) == pytest.approx(float(shown.replace(",", "")))


@given(st.text(max_size=60))
@settings(derandomize=True, database=None, max_examples=200)
def test_any_text_is_a_finite_number_or_explained(text: str) -> None:
    try:
        said = str(abs(typed_number(text)) < float("inf"))
    except ValueError as error:
        said = str(error)
    assert said.endswith(("True", "28.4", "written"))
