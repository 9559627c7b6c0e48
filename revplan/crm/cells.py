"""What an import found: lines of its report, and faults gathered by kind.

What the text cells of an export mean: days, amounts, labels; and which cells say nothing.

Only what is unambiguous is understood. 03/04/2026 or 1.200 in a file separated by semicolons
can mean two things, so the CRM file must declare which.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property, partial
from typing import Any, TypeVar, overload

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
LONGEST_NULL = 2 * max(map(len, HIDDEN_NULLS))  # a text folds to at most a few letters more
LONGEST_WHOLE = 1_000_000_000_000_000  # up to here a fraction holds whole numbers exactly
OPEN_ENDED = np.array(  # days that mean "none"
    ["1900-01-01", "1970-01-01", "2050-01-01", "2099-12-31", "9999-12-31"], dtype="datetime64[D]"
)
UNKNOWN = "unknown"  # the label of a record whose segment or source is missing
LARGEST_AMOUNT = 1e12
MOSTLY = 0.5  # of the first rows: where more of them differ, as ids do, each row keeps a text of its own
YEARS = (1970, 2100)
EARLIEST, LATEST = (np.datetime64(f"{year}-01-01", "us") for year in (YEARS[0], YEARS[1] + 1))

ISO_DAY = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"(?:[T ][0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?: ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?))?)?"
)
EPOCH, SERIAL = np.datetime64("1970-01-01", "us"), np.datetime64("1899-12-30", "us")
DAY_US = 86_400_000_000
NUMBERED = {"epoch_ms": (EPOCH, 1_000), "epoch_s": (EPOCH, 1_000_000), "excel_serial": (SERIAL, DAY_US)}
"""Formats that are numbers: from when they count, and the microseconds of one."""
EPOCHS = ("epoch_ms", "epoch_s")
OFFSET = re.compile(r":[0-9.:]+ ?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)$")
TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", ", %H:%M", ", %I:%M %p")
"""What may stand behind a declared day."""
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
NAMED_DAY = re.compile(  # 15 Apr, 2021 00:03:00 and Apr 15, 2021: a month by its name has one meaning
    r"(?:(?P<day>[0-9]{1,2})[ -](?P<month>[A-Za-z]{3}),?|(?P<month_first>[A-Za-z]{3}) (?P<day_after>[0-9]{1,2}),)"
    r"[ -](?P<year>[0-9]{4})(?P<time> [0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)?"
)
SIGN = r"(?:[$€£¥₹₽]|[A-Z]{3}|kr\.?|zł|руб\.?)?"
GROUPED = re.compile(r"(?<=[0-9])[\s'’](?=[0-9]{3})")  # 1 200 and 1'200
AMOUNT = re.compile(
    rf"(?P<opening>[-+]?\(?)(?P<before>{SIGN}) ?-?"
    r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}|[0-9]+)(?:\.[0-9]+)?(?:[eE]\+?[0-9]+)?"
    rf"(?P<scale>[KM]?) ?(?P<after>{SIGN})(?P<closing>\)?)"
)
SCALES = {"": 1.0, "K": 1e3, "M": 1e6}
THOUSAND_OR_FRACTION = re.compile(rf"[-+(]*{SIGN} ?[1-9][0-9]{{0,2}}\.[0-9]{{3}}\)?")


def as_text(value: Any) -> str:
    """A value of a typed table as the text it would be in a CSV file: days as 2018-01-31."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < LONGEST_WHOLE else str(value)
    if isinstance(value, datetime):
        return value.date().isoformat() if value.timetz() == time() else value.isoformat(sep=" ")
    return value.isoformat() if isinstance(value, date | time) else str(value)


@dataclass(frozen=True, eq=False)
class Written(Sequence[str]):
    """Values of a typed column, days or numbers, that become texts where one is looked at; missing ones are empty."""

    values: np.ndarray
    zoned: bool = False
    """Whether the values are moments of a column with time zones, in UTC."""

    def __len__(self) -> int:
        return len(self.values)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        if isinstance(at, slice):
            return [*Written(self.values[at])]
        value = self.values[at]
        return "" if pd.isna(value) else as_text(value.item())

    def __iter__(self) -> Iterator[str]:
        missing = pd.isna(self.values).tolist()
        return ("" if gone else as_text(value) for gone, value in zip(missing, self.values.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class Texts(Sequence[str]):
    """The cells of a column: the texts it holds, and which of them each row has. A text is parsed once, not in every row."""

    different: Sequence[str]
    """Each text once, or nearly so; of a typed column its values, `Written`."""
    codes: np.ndarray | None = None
    """By row the number of its text; left out where each row has its own."""

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        """`texts`, row by row, as they stand."""
        codes, different = pd.factorize(np.fromiter(texts, dtype=object, count=len(texts)))
        return cls(different.tolist(), codes)

    @property
    def values(self) -> np.ndarray | None:
        """The values of a typed column by row; None of any other."""
        return self.different.values if isinstance(self.different, Written) else None

    def of_rows(self, values: np.ndarray) -> np.ndarray:
        """What holds of each text, by row."""
        return values if self.codes is None else values[self.codes]

    def objects(self) -> np.ndarray:
        """The texts by row, as an array."""
        return self.of_rows(np.fromiter(self.different, dtype=object, count=len(self.different)))

    def rows(self) -> np.ndarray:
        """The rows that have each text, counted."""
        size = len(self.different)
        return np.ones(size, dtype=int) if self.codes is None else np.bincount(self.codes, minlength=size)

    def __len__(self) -> int:
        return len(self.different if self.codes is None else self.codes)

    @overload
    def __getitem__(self, at: int) -> str: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[str]: ...
    def __getitem__(self, at: int | slice) -> str | Sequence[str]:
        if isinstance(at, slice):
            return [self[row] for row in range(*at.indices(len(self)))]
        return self.different[at if self.codes is None else int(self.codes[at])]

    def __iter__(self) -> Iterator[str]:
        if self.codes is None:
            return iter(self.different)
        different = list(self.different)
        return (different[code] for code in self.codes.tolist())


class Column:
    """A column of texts that is put together piece by piece; few different ones take the room of few."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.codes: list[np.ndarray] = []
        self.own: list[str] = []

    def add(self, texts: np.ndarray) -> None:
        """More rows, below those there are."""
        if self.own:
            self.own.extend(texts.tolist())
            return
        codes, different = pd.factorize(texts)
        if not self.numbers and len(different) > MOSTLY * len(texts):
            self.own.extend(texts.tolist())
            return
        known = self.numbers
        place = np.array([known.setdefault(text, len(known)) for text in different.tolist()], dtype=np.int32)
        self.codes.append(place[codes])

    def texts(self) -> Texts:
        """The whole column."""
        if self.own:
            return Texts(self.own)
        return Texts([*self.numbers], np.concatenate(self.codes) if self.codes else np.zeros(0, dtype=np.int32))


@dataclass(frozen=True, eq=False)
class Cells:
    """A column of text, and where it stands: for values and for messages."""

    file: str
    column: str
    texts: Sequence[str]
    lines: Sequence[int]
    unit: str = "line"

    @cached_property
    def coded(self) -> Texts:
        """The texts, each once."""
        return self.texts if isinstance(self.texts, Texts) else Texts.of(self.texts)

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


@dataclass(frozen=True, eq=False)
class _Said:
    """The texts of a column without outer spaces, and which of them say something."""

    coded: Texts
    texts: list[str]
    known: np.ndarray
    found: Findings

    def saying(self) -> list[str]:
        """The texts, those that say nothing left empty."""
        return [text if here else "" for text, here in zip(self.texts, self.known.tolist(), strict=True)]

    def rows(self, holds: np.ndarray) -> np.ndarray:
        """The rows whose text `holds`."""
        return np.flatnonzero(self.coded.of_rows(holds)) if holds.any() else np.zeros(0, dtype=int)


def _said(cells: Cells) -> _Said:
    coded = cells.coded
    texts = [text.strip() for text in coded.different]
    hidden = np.fromiter((len(text) <= LONGEST_NULL and text.casefold() in HIDDEN_NULLS for text in texts), dtype=bool)
    filled = np.fromiter(map(bool, texts), dtype=bool)
    rows = coded.rows()
    example = ", ".join(sorted({texts[number] for number in np.flatnonzero(hidden).tolist()})[:3])
    part = f"{cells.file}, {shown(cells.column)}"
    found = counted(part, "empty cells", rows[~filled].sum())
    found += counted(part, "hidden nulls, taken as missing", rows[hidden].sum(), example)
    return _Said(coded, texts, filled & ~hidden, found)


def stripped(cells: Cells) -> tuple[Texts, np.ndarray, Findings]:
    """The texts without outer spaces, which of the rows say something, and the count of the others."""
    said = _said(cells)
    return Texts(said.texts, said.coded.codes), said.coded.of_rows(said.known), said.found


def labels(cells: Cells) -> Parsed:
    """The labels of a column; missing ones are `unknown`."""
    said = _said(cells)
    values = [text if here else UNKNOWN for text, here in zip(said.texts, said.known.tolist(), strict=True)]
    return Parsed(said.coded.of_rows(np.fromiter(values, dtype=object, count=len(values))), said.found)


def days(cells: Cells, date_format: str | None = None, zone: str | None = None) -> Parsed:
    """The moments of a column: as written or typed, or in the time zone `zone` (UTC) where an offset is written.

    Without a declared `date_format` only 2018-01-31, with a time of day or without, is a date.
    """
    part, typed = f"{cells.file}, {shown(cells.column)}", cells.coded.different
    said: _Said | None = None
    if isinstance(typed, Written) and typed.values.dtype.kind == "M":
        moments, known = typed.values, ~np.isnat(typed.values)
        sound = known & (moments >= EARLIEST) & (moments < LATEST)
        moved = sound & typed.zoned
        found = counted(part, "empty cells", len(known) - int(known.sum()))
    else:
        said = _said(cells)
        moments, sound = different_moments(said.saying(), date_format)
        moved = sound & np.array(
            [date_format in EPOCHS or OFFSET.search(text) is not None for text in said.texts], dtype=bool
        )
        known, found = said.known, said.found
    rows = np.flatnonzero if said is None else said.rows
    if zone is not None and moved.any():
        local = pd.DatetimeIndex(moments[moved]).tz_localize("UTC").tz_convert(zone).tz_localize(None)
        moments = moments.copy()
        moments[moved] = local.to_numpy().astype("datetime64[us]")
    endless = known & np.isin(moments.astype("datetime64[D]"), OPEN_ENDED)
    values = np.where(endless | ~known, np.datetime64("NaT", "us"), moments)
    found += _told_of(cells, part, "days that mean none, taken as missing", rows(endless))
    if zone is None and (moments[moved].astype("datetime64[D]") != moments[moved]).any():
        what = "moments with an offset, whose day is that in UTC; timezone: Europe/Berlin, say, makes it another's"
        found += _told_of(cells, part, what, rows(moved))
    wrong = rows(known & ~(sound | endless)).tolist()
    faults = first_faults(wrong, partial(_day_fault, cells, date_format), "values that are no date")
    return Parsed(values if said is None else said.coded.of_rows(values), found + Findings(faults))


def _told_of(cells: Cells, part: str, what: str, rows: np.ndarray) -> Findings:
    """A line on `rows`, with the text of the first."""
    return counted(part, what, len(rows), shown(cells.texts[int(rows[0])].strip()) if len(rows) else "")


def different_moments(texts: list[str], date_format: str | None) -> tuple[np.ndarray, np.ndarray]:
    """The moments written in `texts`, and which of the texts are a day between 1970 and 2100."""
    if date_format in NUMBERED:
        return _numbered_moments(texts, *NUMBERED[date_format])
    if date_format:
        return _declared_moments(texts, date_format)
    texts = [_month_as_number(text) for text in texts]
    readable = pd.Series([text if ISO_DAY.fullmatch(text) else None for text in texts], dtype=object)
    return _sound(pd.to_datetime(readable, format="ISO8601", utc=True, errors="coerce"))


def _declared_moments(texts: list[str], date_format: str) -> tuple[np.ndarray, np.ndarray]:
    """The moments written in a format, each with a time of day behind the day or without."""
    day = re.split(r"[T, ]*%[HI]", date_format)[0]
    readable = pd.Series([text if text.isascii() else None for text in texts], dtype=object)
    parsed = pd.to_datetime(readable, format=date_format, utc=True, errors="coerce")
    for clock in TIMES:
        if (open_ones := parsed.isna() & readable.notna()).any():
            others = pd.to_datetime(readable[open_ones], format=day + clock, utc=True, errors="coerce")
            parsed[open_ones] = others
    return _sound(parsed)


def _sound(parsed: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    moments = parsed.dt.tz_localize(None).astype("datetime64[us]")
    return moments.to_numpy(), moments.dt.year.between(*YEARS).to_numpy()


def _numbered_moments(texts: list[str], start: np.datetime64, unit: int) -> tuple[np.ndarray, np.ndarray]:
    numbers = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce") * (unit / DAY_US)
    plausible = numbers.between(0, 366 * (YEARS[1] - 1899))
    moments = start + np.round(numbers.where(plausible, 0).to_numpy(dtype=float) * DAY_US).astype("timedelta64[us]")
    found, sound = _sound(pd.Series(moments).dt.tz_localize("UTC"))
    return np.where(plausible, found, np.datetime64("NaT", "us")), sound & plausible.to_numpy()


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
    numbers = cells.coded.values
    if numbers is not None and numbers.dtype.kind == "f":
        found = counted(f"{cells.file}, {shown(cells.column)}", "empty cells", np.isnan(numbers).sum())
        wrong = np.flatnonzero(np.abs(numbers) > LARGEST_AMOUNT)
        faults = first_faults(wrong.tolist(), partial(_amount_fault, cells), "values that are no amount")
        return Parsed(numbers, found + Findings(faults) + _negative(cells, numbers))
    said = _said(cells)
    written = [_with_point(text, decimal) for text in said.saying()]
    matches = [AMOUNT.fullmatch(text) for text in written]
    numbers = np.fromiter(map(_number, matches), dtype=float, count=len(matches))
    wrong = said.rows(said.known & ~(np.abs(numbers) <= LARGEST_AMOUNT))
    faults = first_faults(wrong.tolist(), partial(_amount_fault, cells), "values that are no amount")
    faults += _two_meanings(cells, said, written, decimal, separator)
    signs = said.coded.of_rows(
        np.array([(each["before"] or each["after"]) if each else "" for each in matches], dtype=object)
    )
    signed = signs[signs != ""]
    faults += _two_currencies(cells, signs, Counter(signed.tolist()))
    values = said.coded.of_rows(np.where(said.known, numbers, np.nan))
    found = said.found + Findings(faults) + _negative(cells, values) + _scaled(cells, said, matches)
    return Parsed(values, found, str(signed[0]) if len(signed) else "")


def _with_point(text: str, decimal: str | None) -> str:
    text = GROUPED.sub("", text).replace("\u00a0", " ").replace("\u202f", " ")
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
    cells: Cells, said: _Said, written: list[str], decimal: str | None, separator: str
) -> tuple[Fault, ...]:
    """Faults for amounts such as 1.200 in a file whose separator suggests a decimal comma."""
    written_so = np.array([THOUSAND_OR_FRACTION.fullmatch(text) is not None for text in written], dtype=bool)
    doubtful, pointed = said.rows(written_so), said.rows(np.array(["." in text for text in written], dtype=bool))
    if decimal or cells.unit != "line" or (separator != ";" and len(doubtful) < len(pointed)):
        return ()
    return first_faults(doubtful.tolist(), partial(_meaning_fault, cells), "values that can mean two amounts")


def _meaning_fault(cells: Cells, row: int) -> Fault:
    came = f"{shown(cells.texts[row])!r} can be thousands or a fraction: every value with a point, or the file's separator, leaves both open"
    return Fault(cells.place(row), f'{came}; declare decimal: "," or decimal: "." in the CRM file')


def _two_currencies(cells: Cells, signs: np.ndarray, counts: Counter[str]) -> tuple[Fault, ...]:
    if len(counts) < 2:
        return ()
    row = int(np.argmax(signs == counts.most_common()[-1][0]))
    listed = ", ".join(f"{sign} {count}" for sign, count in counts.most_common())
    return (Fault(cells.place(row), f"amounts stand in several currencies ({listed}); export them in one"),)


def _scaled(cells: Cells, said: _Said, matches: list[Any]) -> Findings:
    rows = said.rows(np.array([bool(match and match["scale"]) for match in matches], dtype=bool))
    example = shown(cells.texts[int(rows[0])]) if len(rows) else ""
    what = "amounts written in thousands (K) or millions (M)"
    return counted(f"{cells.file}, {shown(cells.column)}", what, len(rows), example)


def _negative(cells: Cells, values: np.ndarray) -> Findings:
    rows = np.flatnonzero(values < 0)
    example = shown(cells.texts[rows[0]]) if len(rows) else ""
    return counted(f"{cells.file}, {shown(cells.column)}", "negative amounts", len(rows), example)
