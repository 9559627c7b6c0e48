"""How a value of each kind of `tables.csv` is written for a reader.

One rule per kind, used by tables, charts and messages alike: numbers are rounded half up
(half away from zero, as on paper) after being read to twelve significant digits, so that
2.675 is 2.68 and the sum of ten tenths is 1. A missing value is an en dash.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any

from revplan.ground.calendar import MONTHS
from revplan.ground.escaping import clean
from revplan.ground.tables import NUMERIC, columns

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

MISSING = "–"
MOST_DECIMALS = 6  # of an amount of money, which may be written in millions
MINUS = "−"
SYMBOLS = {"USD": "$", "EUR": "€", "GBP": "£"}
KINDS = frozenset(NUMERIC) | {"text", "date", "month", "yes", "figure"}
"""Kinds of `tables.csv`, and `figure`: text that was formatted already and is set like a number."""

_DONE = {"sent", "held", "lost", "met", "made", "done", "set"}
_DOERS = {"marketing", "sales", "product", "fully", "highly"}
_EXACT = Context(prec=400)
_UNITS = ((Decimal(1), ""), (Decimal(1000), "k"), (Decimal(10**6), "M"), (Decimal(10**9), "B"))


def show(value: object, kind: str) -> str:
    """`value` as a reader sees it, by the rule of its kind.

    >>> show(0.1234, "share"), show(1234567, "money")
    ('12.3%', '1,234,567')
    """
    return column([value], kind)[0]


def column(values: Iterable[Any], kind: str) -> list[str]:
    """Every value of a column as a reader sees it, all with the same number of decimals.

    Raises
    ------
    ValueError
        If the kind is not one of `KINDS`.
    """
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}; the kinds are {', '.join(sorted(KINDS))}")
    cells = list(values)
    if kind not in NUMERIC:
        return [MISSING if is_missing(cell) else _worded(cell, kind) for cell in cells]
    digits = _digits([_exact(cell) for cell in cells if not is_missing(cell) and math.isfinite(cell)], kind)
    return [MISSING if is_missing(cell) else _number(float(cell), kind, digits) for cell in cells]


def kinds_of(table: str) -> dict[str, str]:
    """Column to kind, as `tables.csv` declares them for `table`."""
    return {column.name: column.kind for column in columns(table)}


def labels_of(table: str, **words: str) -> dict[str, str]:
    """Column to label, as `tables.csv` declares them for `table`; `words` fill in what a label leaves open."""
    left_open = defaultdict(str, {name: clean(word) for name, word in words.items()})
    return {column.name: column.label.format_map(left_open).replace(" ()", "") for column in columns(table)}


def money(amount: float, currency: str = "") -> str:
    """`amount` with thousands separators, in whole units from 100 on: $1,234,567."""
    return _with_currency(amount, show(abs(amount), "money"), currency)


def compact(amount: float, currency: str = "") -> str:
    """`amount` to three significant digits with a unit: 420k, 1.25M, $13M.

    For messages and axes; a table shows the whole number.
    """
    if is_missing(amount) or not math.isfinite(amount):
        return show(amount, "money")
    size = abs(_exact(amount))
    unit, letter = _unit(size)
    scaled = _rounded(size / unit, _compact_digits(size / unit))
    text = f"{scaled:,f}"
    return _with_currency(amount, (text.rstrip("0").rstrip(".") if "." in text else text) + letter, currency)


def with_sign(amount: float, currency: str = "") -> str:
    """A difference as `compact` writes it, with its sign: +$26k, −$5k, $0."""
    text = compact(amount, currency)
    return f"+{text}" if amount > 0 and any(digit in "123456789∞" for digit in text) else text


def money_digits(largest: float) -> int:
    """Decimals that leave amounts up to `largest` three significant digits, whatever unit a plan counts in.

    None from 100 on, six at most; none for less than those can tell from nothing.
    """
    size = abs(_exact(largest))
    return min(max(2 - size.adjusted(), 0), MOST_DECIMALS) if _rounded(size, MOST_DECIMALS) else 0


def whole_amounts(amounts: Sequence[float] | np.ndarray, total: float | None = None) -> np.ndarray:
    """Amounts rounded so that they add up to their rounded sum, or to `total`, at the decimals that `money_digits` leaves."""
    digits = money_digits(max((abs(float(each)) for each in amounts), default=0.0))
    return largest_remainder(amounts, total, digits)


def commitment(value: float) -> int:
    """`value` rounded up, as a promise is: 41.2 deals are 42, and 42.0000000001 are 42.

    >>> commitment(994.2)
    995
    """
    return math.ceil(value - 1e-9 * max(1.0, value))


def plural(name: str) -> str:
    """Several of what `name` names: SQL, SQLs; Inquiry, Inquiries; Demo booked, Demos booked; Lead (raw), Leads (raw).

    What is several already (MQLs, Meetings) stays as it is, and so does a name that ends in another script or alphabet.
    """
    if aside := re.fullmatch(r"(.*\S)(\s*[(\[][^()\[\]]*[)\]])", name):
        return plural(aside[1]) + aside[2]
    if re.search(r"\bwon$", name, re.IGNORECASE):
        return re.sub(r"on$", "ins", name)
    first, _, last = name.rpartition(" ")
    if last.lower() in _DONE or re.search(
        r"[a-z]{2}[^\We]ed$", last
    ):  # booked, sent: what was done to the thing before
        return f"{plural(first)} {last}" if first and first.lower() not in _DOERS else name
    if not name.isascii() or not re.search(r"[A-Za-z]$", name) or re.search(r"[^siu]s$", name):
        return name
    if re.search(r"[^aeiouAEIOU]y$", name):
        return f"{name[:-1]}ies"
    if name.endswith("sis"):
        return f"{name[:-2]}es"
    return f"{name}es" if re.search(r"(s|x|z|ch|sh)$", name) else f"{name}s"


def lowered(sentence: str) -> str:
    """A sentence as it goes on after a semicolon; an abbreviation at its start stays as it is."""
    return sentence[:1].lower() + sentence[1:] if sentence[1:2].islower() else sentence


def raised(sentence: str) -> str:
    """The same words, as a sentence begins."""
    return sentence[:1].upper() + sentence[1:]


def counted(number: float, one: str, several: str = "", kind: str = "count") -> str:
    """`number` and the words that agree with it: 1 win is, 3 wins are. `several` is the plural of `one` where left out."""
    text = show(number, kind)
    return f"{text} {one if text == '1' else several or plural(one)}"


def listed(names: Sequence[str]) -> str:
    """Names in a sentence: inbound, events and outbound."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def round_half_up(value: float, digits: int = 0) -> float:
    """`value` rounded to `digits` decimals, halves away from zero: 2.5 is 3, -2.5 is -3."""
    return float(_rounded(_exact(value), digits)) + 0.0


def largest_remainder(values: Sequence[float] | np.ndarray, total: float | None = None, digits: int = 0) -> np.ndarray:
    """`values` rounded to `digits` decimals so that they add up to the rounded total.

    Every value is rounded down, and the units still missing go to the largest remainders
    (Hamilton's method); of equal remainders the earlier value is served first.

    Parameters
    ----------
    values
        The parts, unrounded.
    total
        What the rounded parts must add up to: the sum of the parts rounded half up when left
        out; a commitment passes its ceiling.
    digits
        Decimals that are kept.

    Raises
    ------
    ValueError
        If a part is not finite, or the total is further away than rounding can explain.

    >>> import numpy as np
    >>> largest_remainder(np.array([1.5, 1.5, 2.0]), 5).tolist()
    [2.0, 1.0, 2.0]
    """
    import numpy as np

    parts = [_EXACT.scaleb(_exact(value), digits) for value in values]
    exact = sum(parts, Decimal(0))
    whole = exact if total is None else _EXACT.scaleb(_exact(total), digits)
    floors = [part.to_integral_value(ROUND_FLOOR) for part in parts]
    missing = int(_rounded(whole, 0) - sum(floors))
    if abs(whole - exact) >= 1 or not 0 <= missing <= len(parts):
        raise ValueError(f"the parts add up to {exact:g}, not to the total {whole:g} (in units of the last digit)")
    order = steady_order([float(floor - part) for floor, part in zip(floors, parts, strict=True)])
    served = set(order[:missing].tolist())
    return np.array([float((floor + (i in served)).scaleb(-digits)) for i, floor in enumerate(floors)])


TIE = 1e-9
"""Share of a value below which another is equal to it: what processors make different lies far below, real gaps above."""


def first_largest(values: Sequence[float] | pd.Series | np.ndarray) -> int:
    """Position of the first of the largest values; equal ones may differ in their last digits, as processors do."""
    import numpy as np

    found = np.asarray(values, dtype=float)
    largest = np.nanmax(found)
    return int(np.flatnonzero(found >= largest - TIE * abs(largest))[0])


def steady_order(values: Sequence[float] | pd.Series | np.ndarray) -> np.ndarray:
    """Positions of the values from the smallest on; equal ones stay as they stand, whatever their last digits."""
    import numpy as np

    found = np.asarray(values, dtype=float)
    order = np.argsort(found, kind="stable")
    rising = found[order]
    larger = ~(np.diff(rising) <= TIE * np.maximum(np.abs(rising[1:]), np.abs(rising[:-1])))
    places = np.concatenate([[0], np.cumsum(larger)])[: len(found)]
    return order[np.lexsort((order, places))]


def is_missing(value: Any) -> bool:
    """Whether `value` stands for nothing: None, NaN, NaT."""
    return (
        value is None
        or type(value).__name__ in {"NaTType", "NAType"}
        or (isinstance(value, float) and math.isnan(value))
    )


def _exact(value: Any) -> Decimal:
    if not math.isfinite(value):
        raise ValueError(f"{value} cannot be rounded")
    return Decimal(f"{value:.12g}")


def _rounded(value: Decimal, digits: int) -> Decimal:
    rounded = value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP, _EXACT)
    return rounded if rounded else abs(rounded)


def _digits(values: list[Decimal], kind: str) -> int:
    """Decimals a column of `kind` needs."""
    largest = max((abs(value) for value in values), default=Decimal(0))
    if kind == "commitment":
        return 0
    if kind == "money":
        needed = max((-int(value.normalize().as_tuple().exponent) for value in values if value), default=0)
        return min(money_digits(float(largest)), max(needed, 0))
    if kind == "share":
        return _share_digits(values)
    if kind == "ratio":
        return 3 if largest < 2 else 2 if largest < 10 else 1
    return 0 if largest >= 100 or all(value == value.to_integral_value() for value in values) else 1


def _share_digits(values: list[Decimal]) -> int:
    percents = [100 * abs(value) for value in values if value]
    if all(percent == percent.to_integral_value() for percent in percents):
        return 0
    return 2 if min(percents) < Decimal("0.1") else 1


def _number(value: float, kind: str, digits: int) -> str:
    if not math.isfinite(value):
        return "∞" if value > 0 else f"{MINUS}∞"
    if kind == "commitment":
        value = commitment(value)
    rounded = _rounded(_exact(value) * (100 if kind == "share" else 1), digits)
    text = f"{rounded:,f}".replace("-", MINUS) + ("%" if kind == "share" else "")
    return f"+{text}" if kind == "number" and rounded > 0 else text


def _worded(value: Any, kind: str) -> str:
    if kind == "month":
        return f"{MONTHS[value.month - 1]} {value.year}"
    if kind == "date":
        return f"{value.day} {MONTHS[value.month - 1]} {value.year}"
    if kind == "yes":
        return "yes" if value else "no"
    return clean(value) or MISSING


def _unit(size: Decimal) -> tuple[Decimal, str]:
    fitting = [(unit, letter) for unit, letter in _UNITS if _rounded(size / unit * 1000, 0) >= 1000]
    unit, letter = fitting[-1] if fitting else _UNITS[0]
    following = _UNITS[min(_UNITS.index((unit, letter)) + 1, len(_UNITS) - 1)]
    return following if _rounded(size / unit, 0) >= 1000 else (unit, letter)


def _compact_digits(scaled: Decimal) -> int:
    """Three significant digits; of an amount far below one unit what is left of it at six decimals."""
    return min(max(2 - scaled.adjusted(), 0), MOST_DECIMALS) if scaled else 0


def _with_currency(amount: float, text: str, currency: str) -> str:
    symbol = SYMBOLS.get(currency, f"{clean(currency)} " if currency else "")
    negative = not is_missing(amount) and amount < 0 and any(c in "123456789∞" for c in text)
    return (MINUS if negative else "") + (symbol if text != MISSING else "") + text
