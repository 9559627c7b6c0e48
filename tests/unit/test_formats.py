"""How values are written: every expected text is worked out by hand beside its case."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest

from revplan.ground.errors import DataError
from revplan.ground.escaping import clean, css_string, escape
from revplan.ground.formats import (
    KINDS,
    column,
    commitment,
    compact,
    first_largest,
    kinds_of,
    labels_of,
    largest_remainder,
    money,
    round_half_up,
    show,
    steady_order,
)
from revplan.ground.tables import NUMERIC, columns, from_rows, names


@pytest.mark.parametrize(
    ("value", "digits", "expected"),
    [
        (0.5, 0, 1.0),  # a banker would say 0
        (2.5, 0, 3.0),  # and 2
        (-2.5, 0, -3.0),  # away from zero, as on paper
        (2.675, 2, 2.68),  # in binary it is 2.67499999999999982
        (1.005, 2, 1.01),  # in binary it is 1.00499999999999989
        (sum([0.1] * 10), 0, 1.0),
        (0.49999999999999994, 0, 1.0),  # twelve significant digits: 0.5
        (1234.4, 0, 1234.0),
    ],
)
def test_rounding_is_half_up(value: float, digits: int, expected: float) -> None:
    assert round_half_up(value, digits) == expected


def test_rounding_to_zero_has_no_sign() -> None:
    assert math.copysign(1, round_half_up(-0.4)) == 1
    assert [show(-0.0000004, kind) for kind in ("money", "share")] == ["0", "0.00%"]
    assert column([-0.04, -12.5], "number") == ["0.0", "−12.5"]


@pytest.mark.parametrize(
    ("value", "kind", "expected"),
    [
        (1234.5, "count", "1,235"),
        (41.25, "count", "41.3"),
        (41, "count", "41"),
        (41.2, "commitment", "42"),
        (42.00000000001, "commitment", "42"),
        (1234567.5, "money", "1,234,568"),
        (-420000, "money", "−420,000"),
        (12, "number", "+12"),
        (-3.25, "number", "−3.3"),
        (0.0, "number", "0"),
        (0.25, "share", "25%"),
        (0.225, "share", "22.5%"),
        (0.0003, "share", "0.03%"),
        (0.905, "ratio", "0.905"),
        (4.5454545, "ratio", "4.55"),
        (36.0, "ratio", "36.0"),
        (2.5, "months", "2.5"),
        (45, "days", "45"),
        (12.5, "reps", "12.5"),
        (True, "yes", "yes"),
        (pd.Period("2027-01", "M"), "month", "Jan 2027"),
        (pd.Timestamp("2026-11-05"), "date", "5 Nov 2026"),
        ("  Mid\nmarket ", "text", "Mid market"),
        ("$5.64M", "figure", "$5.64M"),
        (math.inf, "ratio", "∞"),
        (1e308, "money", "100" + ",000" * 102),
    ],
)
def test_each_kind_is_written_by_its_rule(value: object, kind: str, expected: str) -> None:
    assert show(value, kind) == expected


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("missing", [None, math.nan, np.float64("nan"), pd.NaT, pd.NA])
def test_what_is_missing_is_a_dash_in_every_kind(missing: object, kind: str) -> None:
    assert show(missing, kind) == "–"


@pytest.mark.parametrize("kind", sorted(NUMERIC))
@pytest.mark.parametrize("value", [1 / 3, 0.1 + 0.2, 1e-9, 123456.789, -1e-12, 2e15 / 3])
def test_no_number_is_long_or_reads_minus_zero(value: float, kind: str) -> None:
    text = show(value, kind)
    assert "nan" not in text
    assert len(text.split(".")[-1]) <= 4 or "." not in text
    assert text.strip("−+0.%") or text[0] not in "−+"


def test_a_column_has_one_number_of_decimals() -> None:
    assert column([1.0, 2.5, None], "count") == ["1.0", "2.5", "–"]
    assert column([1234.5, 2.25], "count") == ["1,235", "2"]
    assert column([0.25, 0.4], "share") == ["25%", "40%"]
    assert column([0.225, 0.4], "share") == ["22.5%", "40.0%"]


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown kind 'percent'; the kinds are commitment, count"):
        show(1, "percent")


def test_every_declared_kind_can_be_written() -> None:
    assert kinds_of("stage_entries")["entries"] == "count"
    assert set(kinds_of("stage_entries").values()) <= KINDS


@pytest.mark.parametrize(
    ("amount", "expected"),
    [
        (0, "0"),
        (999.4, "999"),
        (999.6, "1k"),
        (1234, "1.23k"),
        (420_000, "420k"),
        (999_499, "999k"),
        (999_500, "1M"),
        (1_200_000, "1.2M"),
        (1_255_000, "1.26M"),
        (13_000_000, "13M"),
        (2.5e12, "2,500B"),
        (-420_000, "−420k"),
        (-0.0, "0"),
        (-0.2, "−0.2"),
        (None, "–"),
    ],
)
def test_compact_has_three_significant_digits(amount: float, expected: str) -> None:
    assert compact(amount) == expected


def test_money_carries_its_currency() -> None:
    assert money(-1234.5, "EUR") == "−€1,235"
    assert money(1234.5) == "1,235"
    assert money(-0.0000004, "USD") == "$0"
    assert money(-0.2, "USD") == "−$0.2"  # a plan may count in millions
    assert compact(5.64e6, "USD") == "$5.64M"
    assert compact(5.64e6, "CHF") == "CHF 5.64M"
    assert money(math.nan, "USD") == "–"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(41.2, 42), (42.0, 42), (42 + 1e-9, 42), (42.001, 43), (0.0, 0), (-1.5, -1), (1e-12, 0)],
)
def test_a_commitment_is_rounded_up(value: float, expected: int) -> None:
    assert commitment(value) == expected


@pytest.mark.parametrize(
    ("values", "total", "digits", "expected"),
    [
        ([1 / 3] * 3, 1, 0, [1, 0, 0]),  # equal remainders: the first is served
        ([10.2, 20.3, 30.4], 61, 0, [10, 20, 31]),  # floors 60, the one unit to .4
        ([10.2, 20.3, 30.4], None, 0, [10, 20, 31]),  # 60.9 rounds to 61
        ([0.5, 0.5, 0.5], None, 0, [1, 1, 0]),  # 1.5 rounds to 2
        ([-1.5, 2.5], None, 0, [-1, 2]),  # floors -2 and 2 add to 0, the sum is 1
        ([0.125, 0.125, 0.75], 1, 2, [0.13, 0.12, 0.75]),
        ([1e9, 0.0, 0.0], None, 0, [1e9, 0, 0]),
        ([0.1] * 10, None, 0, [1] + [0] * 9),
        ([2.9999999999999, 1.0], None, 0, [3, 1]),
        ([], None, 0, []),
    ],
)
def test_parts_add_up_to_the_rounded_total(
    values: list[float], total: float | None, digits: int, expected: list[float]
) -> None:
    assert largest_remainder(values, total, digits).tolist() == pytest.approx(expected, abs=1e-12)


def test_a_total_that_rounding_cannot_explain_is_refused() -> None:
    with pytest.raises(ValueError, match="the parts add up to 3, not to the total 5"):
        largest_remainder([1.0, 2.0], 5)
    with pytest.raises(ValueError, match="nan cannot be rounded"):
        largest_remainder([1.0, math.nan])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a\u202eb\u2066c\u2069\u200f", "abc"),
        ("tab\tand\nline\r\x00\x1b[31m", "tab and line [31m"),
        ("half \ud800 character", "half \ufffd character"),
        ("\u05d0\u05d1 מגזר", "\u05d0\u05d1 מגזר"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # a joiner that Persian spelling needs
    ],
)
def test_names_lose_what_does_not_print(name: str, expected: str) -> None:
    assert clean(name) == expected


def test_names_are_escaped() -> None:
    assert escape('<b title="x">\'&') == "&lt;b title=&quot;x&quot;&gt;&#x27;&amp;"
    assert css_string('a"}</style>') == '"a\\22 \\7d \\3c \\2f style\\3e "'


NOISE = 3e-14  # what processors make different


def test_of_equal_values_the_first_is_the_largest_whatever_their_last_digits() -> None:
    assert first_largest([1.0, 100 / 3, 100 / 3 * (1 + NOISE), 2.0]) == 1
    assert first_largest(pd.Series([math.nan, -5.0 * (1 + NOISE), -5.0])) == 1
    assert first_largest([3.0, 3.0001]) == 1


def test_equal_values_stay_as_they_stand_whatever_their_last_digits() -> None:
    values = [2 * (1 + NOISE), 2.0, 1.0, 0.0, 1.0 * (1 - NOISE), -1.0, 2 * (1 - NOISE)]
    assert steady_order(values).tolist() == [5, 3, 2, 4, 0, 1, 6]
    assert steady_order([1e-12, 1e-15]).tolist() == [1, 0]
    assert steady_order([]).tolist() == []


def test_of_equal_remainders_the_earlier_is_served_whatever_their_last_digits() -> None:
    assert largest_remainder([1.5, 1.5 * (1 + 1e-11), 1.0], 4).tolist() == [2, 1, 1]
    assert largest_remainder([1.5 * (1 + 1e-11), 1.5, 1.0], 4).tolist() == [2, 1, 1]


LEFT_OPEN = {"commit", "confidence", "currency", "first", "period", "stage", "unit"}
"""Words that a label may leave to whoever shows it."""


@pytest.mark.parametrize("table", names())
def test_every_column_has_a_label_and_every_number_a_unit(table: str) -> None:
    for each in columns(table):
        assert re.match(r"[A-Z{]", each.label), each
        assert set(re.findall(r"{(\w+)}", each.label)) <= LEFT_OPEN, each
        assert each.kind in KINDS, each
        assert bool(each.unit) == (each.kind in NUMERIC or each.kind == "figure"), each


def test_a_label_says_what_it_is_told_and_nothing_of_what_it_is_not() -> None:
    assert labels_of("ledger", currency="EUR")["arr"] == "ARR (EUR)"
    assert labels_of("ledger")["arr"] == "ARR"
    assert labels_of("arr_bridge", period="Q1 {odd}", currency="USD")["term"] == "ARR of Q1 {odd} (USD)"


def test_a_column_of_gaps_is_of_its_declared_kind() -> None:
    made = from_rows("goal_seek", [("volume", 1.0, None, None)])
    assert made.dtypes.map(str).to_dict() == {
        "driver": "str",
        "planned": "float64",
        "needed": "float64",
        "factor": "float64",
    }


def test_a_gap_is_no_no() -> None:
    with pytest.raises(DataError, match="column suggested: holds object; it must hold yes"):
        from_rows("commit_choices", [("sql", None, True, "counts quality")])
