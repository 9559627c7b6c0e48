"""What an import found: lines of its report, and faults gathered by kind.

What the text cells of an export mean: days, amounts, labels; and which cells say nothing.

Only what is unambiguous is understood. 03/04/2026 or 1.200 in a file separated by semicolons
can mean two things, so the CRM file must declare which.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from revplan.ground.errors import Fault, shown

EXAMPLES = 3
Row = TypeVar("Row")


@dataclass(frozen=True)
class ImportLine:
    """One line of the import report: in which part, what, how often, and an example."""

    part: str
    what: str
    count: int
    example: str = ""

    def __str__(self) -> str:
        example = f" ({self.example})" if self.example else ""
        return f"{self.part}: {self.what}: {self.count:,}{example}"


@dataclass(frozen=True)
class Findings:
    """The faults and the report lines of one step of the import."""

    faults: tuple[Fault, ...] = ()
    lines: tuple[ImportLine, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings(self.faults + other.faults, self.lines + other.lines)


def counted(part: str, what: str, count: int, example: str = "") -> Findings:
    """A report line where there is something to count, nothing otherwise."""
    return Findings(lines=(ImportLine(part, what, int(count), example),)) if count else Findings()


def first_faults(rows: Sequence[Row], fault: Callable[[Row], Fault], kind: str) -> tuple[Fault, ...]:
    """The faults of the first three `rows`, and how many more of the same kind there are."""
    found = tuple(fault(row) for row in rows[:EXAMPLES])
    rest = len(rows) - len(found)
    return (*found, Fault(found[-1].place, f"and {rest:,} more {kind}")) if rest else found


HIDDEN_NULLS = {"null", "(null)", "none", "--none--", "select", "-", "--", "n/a", "#n/a", "\\n"}
OPEN_ENDED = np.array(  # days that mean "none"
    ["1900-01-01", "1970-01-01", "2050-01-01", "2099-12-31", "9999-12-31"], dtype="datetime64[D]"
)
UNKNOWN = "unknown"  # the label of a record whose segment or source is missing
LARGEST_AMOUNT = 1e12
YEARS = (1970, 2100)

ISO_DAY = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?: ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAMED_DAY = re.compile(  # 15 Apr, 2021 00:03:00 and Apr 15, 2021: a month by its name has one meaning
    r"(?:(?P<day>[0-9]{1,2})[ -](?P<month>[A-Za-z]{3}),?|(?P<month_first>[A-Za-z]{3}) (?P<day_after>[0-9]{1,2}),)"
    r"[ -](?P<year>[0-9]{4})(?P<time> [0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?"
)
AMOUNT = re.compile(
    r"(?P<opening>[-+]?\(?)(?P<before>[$€£]?) ?-?"
    r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?(?:[eE]\+?[0-9]+)?"
    r"(?P<scale>[KM]?) ?(?P<after>[$€£]?)(?P<closing>\)?)"
)
SCALES = {"": 1.0, "K": 1e3, "M": 1e6}
THOUSAND_OR_FRACTION = re.compile(r"[-+(]*[$€£]? ?[0-9]{1,3}\.[0-9]{3}\)?")


@dataclass(frozen=True, eq=False)
class Cells:
    """A column of text, and where it stands: for values and for messages."""

    file: str
    column: str
    texts: Sequence[str]
    lines: Sequence[int]
    unit: str = "line"

    def line(self, row: int) -> str:
        """The line of the file, or row of the table, that `row` stands on."""
        return f"{self.unit} {self.lines[row]}"

    def place(self, row: int) -> str:
        """File, line and column of `row`."""
        return f"{self.file} {self.line(row)}, {shown(self.column)}"


@dataclass(frozen=True, eq=False)
class Parsed:
    """A column as values, missing where the cell says nothing, with what was found on the way."""

    values: np.ndarray
    found: Findings
    sign: str = ""
    """The sign of a currency that amounts are written with."""


def stripped(cells: Cells) -> tuple[list[str], np.ndarray, Findings]:
    """The texts without outer spaces, which of them say something, and the count of the others."""
    texts = [text.strip() for text in cells.texts]
    hidden = [bool(text) and text.casefold() in HIDDEN_NULLS for text in texts]
    known = np.array([bool(text) for text in texts], dtype=bool) & ~np.array(hidden, dtype=bool)
    part = f"{cells.file}, {shown(cells.column)}"
    example = ", ".join(sorted({text for text, null in zip(texts, hidden, strict=True) if null})[:3])
    empty = len(texts) - int(known.sum()) - sum(hidden)
    found = counted(part, "empty cells", empty) + counted(part, "hidden nulls, taken as missing", sum(hidden), example)
    return texts, known, found


def labels(cells: Cells) -> Parsed:
    """The labels of a column; missing ones are `unknown`."""
    texts, known, found = stripped(cells)
    values = [text if here else UNKNOWN for text, here in zip(texts, known, strict=True)]
    return Parsed(np.array(values, dtype=object), found)


def days(cells: Cells, date_format: str | None = None) -> Parsed:
    """The moments of a column: as written, or in UTC where an offset is written.

    Without a declared `date_format` only 2018-01-31, with a time of day or without, is a date.
    """
    texts, known, found = stripped(cells)
    rows = np.flatnonzero(known)
    moments, sound = _moments([texts[row] for row in rows], date_format)
    endless = np.isin(moments.astype("datetime64[D]"), OPEN_ENDED)
    values = np.full(len(texts), np.datetime64("NaT", "us"))
    values[rows] = np.where(endless, np.datetime64("NaT", "us"), moments)
    example = shown(texts[rows[endless][0]]) if endless.any() else ""
    part = f"{cells.file}, {shown(cells.column)}"
    found += counted(part, "days that mean none, taken as missing", endless.sum(), example)
    wrong = rows[~(sound | endless)].tolist()
    faults = first_faults(wrong, partial(_day_fault, cells, date_format), "values that are no date")
    return Parsed(values, found + Findings(faults))


def _moments(texts: list[str], date_format: str | None) -> tuple[np.ndarray, np.ndarray]:
    """The moments written in `texts`, and which of the texts are a day between 1970 and 2100."""
    codes, different = pd.factorize(np.array(texts, dtype=object))
    moments, sound = _different_moments([str(text) for text in different], date_format)
    return moments[codes], sound[codes]


def _different_moments(texts: list[str], date_format: str | None) -> tuple[np.ndarray, np.ndarray]:
    texts = texts if date_format else [_month_as_number(text) for text in texts]
    fits = [text.isascii() if date_format else ISO_DAY.fullmatch(text) is not None for text in texts]
    readable = pd.Series([text if fit else None for text, fit in zip(texts, fits, strict=True)], dtype=object)
    parsed = pd.to_datetime(readable, format=date_format or "ISO8601", utc=True, errors="coerce")
    moments = parsed.dt.tz_localize(None).astype("datetime64[us]")
    return moments.to_numpy(), moments.dt.year.between(*YEARS).to_numpy()


def _month_as_number(text: str) -> str:
    """2021-04-15 00:03:00 for 15 Apr, 2021 00:03:00; any other text as it is."""
    match = NAMED_DAY.fullmatch(text) if text[4:5] != "-" else None
    month = (match["month"] or match["month_first"]).lower() if match else ""
    if match is None or month not in MONTHS:
        return text
    day = int(match["day"] or match["day_after"])
    return f"{match['year']}-{MONTHS.index(month) + 1:02d}-{day:02d}{match['time'] or ''}"


def _day_fault(cells: Cells, date_format: str | None, row: int) -> Fault:
    wanted = f"written as {date_format}" if date_format else "like 2026-03-31"
    todo = "correct it" if date_format else "correct it, or declare date_format in the CRM file"
    return Fault(cells.place(row), f"{shown(cells.texts[row])!r} is not a date {wanted}; {todo}")


def amounts(cells: Cells, decimal: str | None = None, separator: str = ",") -> Parsed:
    """The amounts of a column: `1200`, `$1,200.50`, `$1,117.10K`, `(1,200)` for a negative one.

    With `decimal=","` point and comma change roles.
    """
    texts, known, found = stripped(cells)
    rows = np.flatnonzero(known)
    written = [_with_point(texts[row], decimal) for row in rows]
    matches = [AMOUNT.fullmatch(text) for text in written]
    numbers = np.array([_number(match) for match in matches], dtype=float)
    values = np.full(len(texts), np.nan)
    values[rows] = numbers
    wrong = rows[~(np.abs(numbers) <= LARGEST_AMOUNT)].tolist()
    faults = first_faults(wrong, partial(_amount_fault, cells), "values that are no amount")
    faults += _two_meanings(cells, rows, written, decimal, separator)
    faults += _two_currencies(cells, rows, matches)
    found += Findings(faults) + _negative(cells, values) + _scaled(cells, rows, matches)
    signs = (sign for match in matches if match for sign in (match["before"] or match["after"],) if sign)
    return Parsed(values, found, next(signs, ""))


def _with_point(text: str, decimal: str | None) -> str:
    return text.translate({ord("."): ",", ord(","): "."}) if decimal == "," else text


def _number(match: re.Match[str] | None) -> float:
    """The amount a text says; not a number where it says none."""
    if match is None or ("(" in match[0]) != (")" in match[0]) or match[0].count("-") > 1:
        return np.nan
    number = float(re.sub(r"[^0-9.eE]", "", match[0])) * SCALES[match["scale"]]
    return -number if "-" in match[0] or "(" in match[0] else number


def _amount_fault(cells: Cells, row: int) -> Fault:
    todo = 'correct it, or declare decimal: "," in the CRM file if the comma is its decimal mark'
    return Fault(cells.place(row), f"{shown(cells.texts[row])!r} is not an amount like 1,200.50 up to 1e12; {todo}")


def _two_meanings(
    cells: Cells, rows: np.ndarray, written: list[str], decimal: str | None, separator: str
) -> tuple[Fault, ...]:
    """Faults for amounts such as 1.200 in a file whose separator suggests a decimal comma."""
    if decimal or separator != ";":
        return ()
    doubtful = [row for row, text in zip(rows, written, strict=True) if THOUSAND_OR_FRACTION.fullmatch(text)]
    return first_faults(doubtful, partial(_meaning_fault, cells), "values that can mean two amounts")


def _meaning_fault(cells: Cells, row: int) -> Fault:
    came = f"{shown(cells.texts[row])!r} can be thousands or a fraction in a file separated by semicolons"
    return Fault(cells.place(row), f'{came}; declare decimal: "," or decimal: "." in the CRM file')


def _two_currencies(cells: Cells, rows: np.ndarray, matches: list[Any]) -> tuple[Fault, ...]:
    signs_of_rows = [(match["before"] or match["after"]) if match else "" for match in matches]
    signs = Counter(sign for sign in signs_of_rows if sign)
    if len(signs) < 2:
        return ()
    row = rows[signs_of_rows.index(signs.most_common()[-1][0])]
    listed = ", ".join(f"{sign} {count}" for sign, count in signs.most_common())
    return (Fault(cells.place(row), f"amounts stand in several currencies ({listed}); export them in one"),)


def _scaled(cells: Cells, rows: np.ndarray, matches: list[Any]) -> Findings:
    scaled = [row for row, match in zip(rows.tolist(), matches, strict=True) if match and match["scale"]]
    example = shown(cells.texts[scaled[0]]) if scaled else ""
    what = "amounts written in thousands (K) or millions (M)"
    return counted(f"{cells.file}, {shown(cells.column)}", what, len(scaled), example)


def _negative(cells: Cells, values: np.ndarray) -> Findings:
    rows = np.flatnonzero(values < 0)
    example = shown(cells.texts[rows[0]]) if len(rows) else ""
    return counted(f"{cells.file}, {shown(cells.column)}", "negative amounts", len(rows), example)
