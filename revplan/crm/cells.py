"""What an import found: lines of its report, and faults gathered by kind.

What the text cells of an export mean: days, amounts, labels; and which cells say nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from decimal import Decimal
from functools import cached_property
from itertools import accumulate
from typing import Any, TypeVar, overload

import numpy as np
import pandas as pd

from revplan.crm.writings import (
    AMOUNT,
    CODES,
    EARLIEST,
    EPOCHS,
    LATEST,
    OFFSET,
    THOUSAND_OR_FRACTION,
    formats_of,
    moments_in,
    number_of,
    numbered_format,
    with_point,
)
from revplan.ground.calendar import days_of
from revplan.ground.errors import Fault, shown
from revplan.ground.tablefile import NUMBERED
from revplan.ground.values import visible
from revplan.ground.yamlfile import flow

EXAMPLES = 3
SOME = 1_000  # texts of a column that show how it is written
SAMPLE_ZONES = ("America/Los_Angeles", "Europe/Berlin", "Asia/Kolkata")
Faulty = TypeVar("Faulty")
Element = TypeVar("Element", covariant=True)


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
    unread: tuple[Unread, ...] = ()
    """The cells that cannot be read, all of them."""

    def __add__(self, other: Findings) -> Findings:
        return Findings(self.faults + other.faults, self.lines + other.lines, self.unread + other.unread)


def counted(part: str, what: str, count: int, example: str = "") -> Findings:
    """A report line where there is something to count, nothing otherwise."""
    return Findings(lines=(ImportLine(part, what, int(count), example),)) if count else Findings()


def first_faults(rows: Sequence[Faulty], fault: Callable[[Faulty], Fault], kind: str) -> tuple[Fault, ...]:
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
SWAPPED = 8  # cells of each kind from which days of Excel beside text look like days and months changed round
MOSTLY = 0.9  # of the first rows: where more of them differ, as ids do, each row keeps a text of its own


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


class Items(Sequence[Element]):
    """A sequence of which only `item` and the length need be told."""

    def item(self, at: int) -> Element:
        """What stands at a place."""
        raise NotImplementedError

    @overload
    def __getitem__(self, at: int) -> Element: ...
    @overload
    def __getitem__(self, at: slice) -> list[Element]: ...
    def __getitem__(self, at: int | slice) -> Element | list[Element]:
        return [self.item(each) for each in range(*at.indices(len(self)))] if isinstance(at, slice) else self.item(at)


@dataclass(frozen=True, eq=False)
class Written(Items[str]):
    """Values of a typed column, days or numbers, that become texts where one is looked at; missing ones are empty."""

    values: np.ndarray
    zoned: bool = False
    """Whether the values are moments of a column with time zones, in UTC."""

    def __len__(self) -> int:
        return len(self.values)

    def item(self, at: int) -> str:
        value = self.values[at]
        return "" if pd.isna(value) else as_text(value.item())

    def __iter__(self) -> Iterator[str]:
        missing = pd.isna(self.values).tolist()
        return ("" if gone else as_text(value) for gone, value in zip(missing, self.values.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class Texts(Items[str]):
    """The cells of a column: the texts it holds, and which of them each row has. A text is parsed once, not in every row."""

    different: Sequence[str]
    """Each text once, or nearly so; of a typed column its values, `Written`."""
    codes: np.ndarray | None = None
    """By row the number of its text; left out where each row has its own."""
    shared: int = 0
    """How many of the first texts are the ids of another table, row by row."""

    @classmethod
    def of(cls, texts: Sequence[str]) -> Texts:
        """`texts`, row by row, as they stand."""
        return cls(texts).once()

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

    def once(self) -> Texts:
        """The same with each text once, whatever room that takes."""
        if self.codes is not None:
            return self
        codes, different = pd.factorize(self.objects())
        return Texts(different.tolist(), codes)

    def taken(self, rows: np.ndarray) -> Texts:
        """The cells of `rows`, and no text that none of them has."""
        if self.codes is None:
            return Texts(self.objects()[rows].tolist())
        codes = self.codes[rows]
        used = np.bincount(codes, minlength=len(self.different)) > 0
        if used.all():
            return Texts(self.different, codes)
        different = [text for text, here in zip(self.different, used.tolist(), strict=True) if here]
        return Texts(different, (np.cumsum(used, dtype=np.int32) - 1)[codes])

    def named(self, numbers: np.ndarray) -> Texts:
        """The texts of some numbers, a row each."""
        if len(numbers) == len(self.different):
            return Texts(self.different)
        return Texts([self.different[number] for number in numbers.tolist()])

    def which(self, holds: Callable[[str], bool]) -> np.ndarray:
        """By row, whether its text `holds`."""
        found = np.fromiter(map(holds, self.different), dtype=bool, count=len(self.different))
        return self.of_rows(found)

    def __add__(self, below: Texts) -> Texts:
        """These cells, and those of the same column in another file below them."""
        here, there = self.different, below.different
        if (
            isinstance(here, Written)
            and isinstance(there, Written)
            and (here.values.dtype.kind, here.zoned) == (there.values.dtype.kind, there.zoned)
        ):
            return Texts(Written(np.concatenate([here.values, there.values]), here.zoned))
        pieces = TextColumn()
        for each in (self, below):
            pieces.add(each.objects())
        return pieces.texts()

    def rows(self) -> np.ndarray:
        """The rows that have each text, counted."""
        size = len(self.different)
        return np.ones(size, dtype=int) if self.codes is None else np.bincount(self.codes, minlength=size)

    def __len__(self) -> int:
        return len(self.different if self.codes is None else self.codes)

    def item(self, at: int) -> str:
        return self.different[at if self.codes is None else int(self.codes[at])]

    def __iter__(self) -> Iterator[str]:
        if self.codes is None:
            return iter(self.different)
        different = list(self.different)
        return (different[code] for code in self.codes.tolist())


class TextColumn:
    """A column of texts that is put together piece by piece; few different ones take the room of few.

    The first piece shows which it is, so it must be a large one where there are many.
    """

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
        codes_of = self.numbers
        place = np.array([codes_of.setdefault(text, len(codes_of)) for text in different.tolist()], dtype=np.int32)
        self.codes.append(place[codes])

    def texts(self) -> Texts:
        """The whole column."""
        if self.own:
            return Texts(self.own)
        return Texts([*self.numbers], np.concatenate(self.codes) if self.codes else np.zeros(0, dtype=np.int32))


@dataclass(frozen=True, eq=False)
class Lines(Items[str]):
    """Where the rows of a table stand that is in several files: file and line, such as deals-2025.csv line 12."""

    files: tuple[tuple[str, str, Sequence[int]], ...]
    """By file, in the order of the rows: its name, what its lines are called, and the line of each of its rows."""

    @cached_property
    def starts(self) -> list[int]:
        """The number of the first row of each file, and how many there are."""
        return [0, *accumulate(len(lines) for _, _, lines in self.files)]

    def __len__(self) -> int:
        return self.starts[-1]

    def item(self, at: int) -> str:
        name, unit, line = self.parts_of(at)
        return f"{name} {unit} {line}"

    def parts_of(self, row: int) -> tuple[str, str, int]:
        """The file of `row`, what its lines are called, and the line."""
        if not 0 <= row < len(self):
            raise IndexError(row)
        number = bisect_right(self.starts, row) - 1
        name, unit, lines = self.files[number]
        return name, unit, lines[row - self.starts[number]]


@dataclass(frozen=True, eq=False)
class Cells:
    """A column of text, and where it stands: for values and for messages."""

    file: str
    column: str
    texts: Sequence[str]
    lines: Sequence[int] | Lines
    unit: str = "line"
    named: str = ""
    """What the file that says how it is written calls it, such as deals.Amount; empty where it cannot be named there."""
    said_in: str = "the CRM file"

    @cached_property
    def coded(self) -> Texts:
        """The texts, each once."""
        return self.texts if isinstance(self.texts, Texts) else Texts.of(self.texts)

    def line(self, row: int) -> str:
        """The line of the file, or row of the table, that `row` stands on."""
        return self.lines[row] if isinstance(self.lines, Lines) else f"{self.unit} {self.lines[row]}"

    def file_and_line(self, row: int) -> tuple[str, int]:
        """The file that `row` stands in, and its line there."""
        return self.lines.parts_of(row)[::2] if isinstance(self.lines, Lines) else (self.file, self.lines[row])

    def taken(self, rows: np.ndarray) -> Cells:
        """The cells of some rows, in their order."""
        lines: Sequence[int] | Lines
        if isinstance(self.lines, Lines):
            lines = Lines(tuple((name, unit, [line]) for name, unit, line in map(self.lines.parts_of, rows.tolist())))
        else:
            lines = [self.lines[row] for row in rows.tolist()]
        return replace(self, texts=self.coded.taken(rows), lines=lines)

    @property
    def part(self) -> str:
        """File and column, for the lines of the report."""
        return f"{self.file}, {shown(self.column)}"

    def counted(self, what: str, rows: np.ndarray) -> Findings:
        """A line on `rows`, if there are any, with the text of the first."""
        return counted(self.part, what, len(rows), shown(self.texts[int(rows[0])].strip()) if len(rows) else "")

    def line_for(self, key: str, value: str) -> str:
        """The line that says of this column, in the file that names it, how it is written."""
        said = f'"{value}"' if not value.replace("_", "").isalpha() else value
        return f"{key}: {{{flow(self.named)}: {said}}}" if self.named else f"{key}: {said}"

    def place(self, row: int) -> str:
        """File, line and column of `row`."""
        file = "" if isinstance(self.lines, Lines) else f"{self.file} "
        return f"{file}{self.line(row)}, {shown(self.column)}"


@dataclass(frozen=True, eq=False)
class Unread:
    """Cells of a column that cannot be read: their rows, what is wrong with them, and the faults that say so."""

    cells: Cells
    rows: np.ndarray
    what: str
    faults: tuple[Fault, ...]

    @property
    def file(self) -> str:
        """What the CRM file calls the file."""
        return self.cells.named.partition(".")[0]

    def table(self) -> Iterator[tuple[str, int, str, str, str]]:
        """File, line, column, what stands there, and what is wrong with it, by cell."""
        for row in self.rows.tolist():
            yield *self.cells.file_and_line(row), self.cells.column, self.cells.texts[row], self.what


def unread(cells: Cells, rows: np.ndarray, what: str, fault: Callable[[int], Fault], kind: str) -> Findings:
    """What is found of cells that cannot be read: the first three as faults, and all of them."""
    if not len(rows):
        return Findings()
    faults = first_faults(rows.tolist(), fault, kind)
    return Findings(faults, unread=(Unread(cells, rows, what, faults),))


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
    texts: Sequence[str]
    filled: np.ndarray
    found: Findings

    def saying(self) -> list[str]:
        """The texts, those that say nothing left empty."""
        return [text if here else "" for text, here in zip(self.texts, self.filled.tolist(), strict=True)]

    def rows(self, holds: np.ndarray) -> np.ndarray:
        """The rows whose text `holds`."""
        return np.flatnonzero(self.coded.of_rows(holds)) if holds.any() else np.zeros(0, dtype=int)


def _said(cells: Cells) -> _Said:
    coded = cells.coded
    texts = all_visible(coded.different)
    lengths = np.fromiter(map(len, texts), dtype=np.int32, count=len(texts))
    short = np.flatnonzero((lengths > 0) & (lengths <= LONGEST_NULL)).tolist()
    hidden = np.zeros(len(texts), dtype=bool)
    hidden[[number for number in short if texts[number].casefold() in HIDDEN_NULLS]] = True
    filled = lengths > 0
    rows = coded.rows()
    example = ", ".join(sorted({texts[number] for number in np.flatnonzero(hidden).tolist()})[:3])
    found = counted(cells.part, "empty cells", rows[~filled].sum())
    found += counted(cells.part, "hidden nulls, taken as missing", rows[hidden].sum(), example)
    return _Said(coded, texts, filled & ~hidden, found)


def all_visible(texts: Sequence[str]) -> Sequence[str]:
    """`texts`, each as it is seen (`visible`): the very ones where nothing of them is hidden, as in most columns."""
    if isinstance(texts, Written):
        return [*texts]  # days and numbers are written without spaces at their ends
    return texts if _nothing_hidden(texts) else [visible(text) for text in texts]


def _nothing_hidden(texts: Sequence[str]) -> bool:
    """Whether all texts are ASCII and no space or control character stands at an end of one: looked at all at once."""
    joined = "\n".join(("", *texts, ""))
    if not joined.isascii():
        return False
    characters = np.frombuffer(joined.encode("ascii"), dtype=np.uint8)
    ends = np.flatnonzero(characters == ord("\n"))
    if len(ends) != len(texts) + 1:
        return False  # a line feed within a text
    outer = np.concatenate([characters[ends[:-1] + 1], characters[ends[1:] - 1]])
    return not ((outer <= ord(" ")) & (outer != ord("\n"))).any()


def stripped(cells: Cells) -> tuple[Texts, np.ndarray, Findings]:
    """The texts without outer spaces, which of the rows say something, and the count of the others."""
    said = _said(cells)
    return Texts(said.texts, said.coded.codes), said.coded.of_rows(said.filled), said.found


def labels(cells: Cells) -> tuple[pd.Categorical, Findings]:
    """The labels of a column, missing ones being the first category, `unknown`; and what was found on the way."""
    said = _said(cells)
    values = [text if here else UNKNOWN for text, here in zip(said.texts, said.filled.tolist(), strict=True)]
    codes, different = pd.factorize(np.array([UNKNOWN, *values], dtype=object))
    return pd.Categorical.from_codes(said.coded.of_rows(codes[1:]), different), said.found


def days(cells: Cells, date_format: str | None = None, zone: str | None = None) -> Parsed:
    """The moments of a column: as written or typed, or in the time zone `zone` (UTC) where an offset is written.

    Without a declared `date_format` a day is written with its year first or its month by name, or the whole
    column is numbers that can be nothing else; beside a declared one such days are read too.
    """
    typed = cells.coded.different
    if isinstance(typed, Written) and typed.values.dtype.kind == "M":
        moments, filled = typed.values, ~np.isnat(typed.values)
        said = _Said(cells.coded, typed, filled, counted(cells.part, "empty cells", (~filled).sum()))
        sound = filled & (moments >= EARLIEST) & (moments < LATEST)
        moved, found = sound & typed.zoned, said.found
    else:
        said = _said(cells)
        filled = said.filled
        moments, sound, moved, found = _read_days(cells, said, date_format)
    rows = said.rows
    if zone is not None and moved.any():
        local = pd.DatetimeIndex(moments[moved]).tz_localize("UTC").tz_convert(zone).tz_localize(None)
        moments = moments.copy()
        moments[moved] = local.to_numpy().astype("datetime64[us]")
    endless = filled & np.isin(days_of(moments), OPEN_ENDED)
    values = np.where(endless | ~filled, np.datetime64("NaT", "us"), moments)
    found += cells.counted("days that mean none, taken as missing", rows(endless))
    if zone is None and (moments[moved].astype("datetime64[D]") != moments[moved]).any():
        found += _of_another_zone(cells, moments, moved & ~endless, rows)
    wrong = filled & ~(sound | endless)
    values = np.where(wrong, np.datetime64("NaT", "us"), values)
    hint = _lines_for_days(cells, said, sound, date_format) if wrong.any() else ""

    def fault(row: int) -> Fault:
        wanted = f"written as {date_format}" if date_format else "like 2026-03-31"
        declare = "" if date_format and not hint else f", or declare date_format in {cells.said_in}{hint}"
        return Fault(cells.place(row), f"{shown(cells.texts[row])!r} is not a date {wanted}; correct it{declare}")

    found += unread(cells, rows(wrong), "no date", fault, "values that are no date")
    return Parsed(said.coded.of_rows(values), found)


def _read_days(
    cells: Cells, said: _Said, date_format: str | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Findings]:
    """The moments of the different texts, which of them are sound, which carry an offset; and what was understood unasked."""
    texts = said.saying()
    moments, sound = moments_in(texts, date_format)
    found = said.found
    unread = said.filled & ~sound
    number = date_format if date_format in NUMBERED else None
    if unread.any() and date_format is None:
        number = numbered_format(text for text, here in zip(texts, unread.tolist(), strict=True) if here)
        if number is not None:
            moments, sound = _filled_in(texts, moments, sound, unread, number)
            found += cells.counted(f"numbers read as days, {number}", said.rows(unread))
    elif unread.any() and number is None and date_format and not date_format.startswith("%Y"):
        moments, sound = _filled_in(texts, moments, sound, unread, None)
        beside = unread & sound
        found += cells.counted("days that are not written as date_format says, and have one meaning", said.rows(beside))
        found += _swapped(cells, said, moments, sound & ~beside, beside)
    offset = np.array([number in EPOCHS or OFFSET.search(text) is not None for text in texts], dtype=bool)
    return moments, sound, sound & offset, found


def _filled_in(
    texts: Sequence[str], moments: np.ndarray, sound: np.ndarray, unread: np.ndarray, date_format: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """`moments` and which are sound, with the texts `unread` so far as another format reads them."""
    rows = np.flatnonzero(unread)
    others, fine = moments_in([texts[row] for row in rows.tolist()], date_format)
    moments, sound = moments.copy(), sound.copy()
    moments[rows[fine]], sound[rows[fine]] = others[fine], True
    return moments, sound


def _swapped(cells: Cells, said: _Said, moments: np.ndarray, declared: np.ndarray, beside: np.ndarray) -> Findings:
    """A fault where Excel made days of those texts that it could, day and month changed round, and left the others."""
    day = pd.DatetimeIndex(moments).day.to_numpy()
    as_written, made = said.filled & declared & (day > 12), said.filled & beside & (day <= 12)
    if cells.unit != "row" or made.sum() < SWAPPED or as_written.sum() < SWAPPED:
        return Findings()
    if (declared & (day <= 12)).any() or (beside & (day > 12)).any():
        return Findings()
    row = int(said.rows(made)[0])
    what = (
        f"all {int(said.rows(as_written).size):,} days written as text lie after the 12th of a month and all "
        f"{int(said.rows(made).size):,} day cells on or before it: Excel has changed day and month round in the latter; "
        "use the CSV as the CRM wrote it"
    )
    return Findings((Fault(cells.place(row), what),))


def _of_another_zone(
    cells: Cells, moments: np.ndarray, moved: np.ndarray, rows: Callable[[np.ndarray], np.ndarray]
) -> Findings:
    """How many moments would fall on another day elsewhere."""
    places, counts = np.flatnonzero(moved), {}
    utc = pd.DatetimeIndex(moments[places]).tz_localize("UTC")
    for zone in SAMPLE_ZONES:
        local = utc.tz_convert(zone).tz_localize(None).to_numpy().astype("datetime64[D]")
        other = moved.copy()
        other[places] = local != moments[places].astype("datetime64[D]")
        counts[zone] = rows(other).size
    told = ", ".join(f"{count:,} in {zone}" for zone, count in counts.items())
    what = "moments with an offset, whose day is that in UTC; on another day would be " + told
    zone = max(counts, key=counts.__getitem__)
    return cells.counted(f"{what}; timezone: {zone}, say, makes it the day there", rows(moved))


def _lines_for_days(cells: Cells, said: _Said, sound: np.ndarray, date_format: str | None) -> str:
    """The line to paste that would read the days of a column; the choice where several would."""
    if isinstance(said.texts, Written):
        return ""
    unread = [
        text
        for text, wrong in zip(said.texts, (said.filled & ~sound).tolist(), strict=True)
        if wrong and any(map(str.isdigit, text))
    ]
    fits = [each for each in formats_of(unread[:SOME]) if each != date_format]
    if not fits:
        return ""
    lines = " or ".join(cells.line_for("date_format", each) for each in fits[:2])
    return f": {lines}" + (", which both fit" if len(fits) > 1 else "")


def amounts(cells: Cells, decimal: str | None = None, separator: str = ",") -> Parsed:
    """The amounts of a column: `1200`, `$1,200.50`, `$1,117.10K`, `(1,200)` and `1,200-` for negative ones.

    With `decimal=","` point and comma change roles; so they do where no other reading is left.
    """
    numbers = cells.coded.values
    if numbers is not None and numbers.dtype.kind == "f":
        found = counted(cells.part, "empty cells", np.isnan(numbers).sum())
        found += _no_amounts(cells, np.flatnonzero(np.abs(numbers) > LARGEST_AMOUNT))
        return Parsed(numbers, found + cells.counted(NEGATIVE, np.flatnonzero(numbers < 0)))
    said = _said(cells)
    told = Findings()
    if decimal is None and _only_with_comma(said):
        decimal = ","
        commas = said.rows(np.array(["," in text for text in said.texts], dtype=bool))
        told = cells.counted("amounts with a decimal comma, the only reading left", commas)
    written = [with_point(text, decimal) for text in said.saying()]
    matches = [AMOUNT.fullmatch(text) for text in written]
    numbers = np.fromiter(map(number_of, matches), dtype=float, count=len(matches))
    found = said.found + _no_amounts(cells, said.rows(said.filled & ~(np.abs(numbers) <= LARGEST_AMOUNT)))
    faults = _two_meanings(cells, said, written, decimal, separator)
    signs = said.coded.of_rows(
        np.array([(each["before"] or each["after"]) if each else "" for each in matches], dtype=object)
    )
    signed = signs[signs != ""]
    faults += _two_currencies(cells, signs, Counter(signed.tolist()))
    values = said.coded.of_rows(np.where(said.filled, numbers, np.nan))
    found += told + Findings(faults) + cells.counted(NEGATIVE, np.flatnonzero(values < 0))
    scaled = np.array([bool(match and match["scale"]) for match in matches], dtype=bool)
    found += cells.counted("amounts written in thousands (K) or millions (M)", said.rows(scaled))
    return Parsed(values, found, str(signed[0]) if len(signed) else "")


def _only_with_comma(said: _Said) -> bool:
    """Whether the amounts can be read with a decimal comma only: 1.200,50 or 12,5 is among them, and nothing against it."""
    texts = [text for text in said.saying() if text]
    if not any("," in text or text.count(".") > 1 for text in texts):
        return False
    turned = (with_point(text, ",") for text in texts)
    fits = all(AMOUNT.fullmatch(text) and not THOUSAND_OR_FRACTION.fullmatch(text) for text in turned)
    return fits and any(AMOUNT.fullmatch(with_point(text, None)) is None for text in texts)


NEGATIVE = "negative amounts"


def _no_amounts(cells: Cells, rows: np.ndarray) -> Findings:
    """What is found of `rows` whose cells are no amounts."""
    line = cells.line_for("decimal", ",")
    todo = f"correct it, or declare {line} in {cells.said_in} if the comma is its decimal mark"

    def fault(row: int) -> Fault:
        return Fault(cells.place(row), f"{shown(cells.texts[row])!r} is not an amount like 1,200.50 up to 1e12; {todo}")

    return unread(cells, rows, "no amount", fault, "values that are no amount")


def _two_meanings(
    cells: Cells, said: _Said, written: list[str], decimal: str | None, separator: str
) -> tuple[Fault, ...]:
    """Faults for amounts such as 1.200 in a column, or a file, that leaves open whether the point is a decimal mark."""
    written_so = np.array([THOUSAND_OR_FRACTION.fullmatch(text) is not None for text in written], dtype=bool)
    doubtful, pointed = said.rows(written_so), said.rows(np.array(["." in text for text in written], dtype=bool))
    if decimal or (separator != ";" and len(doubtful) < len(pointed)):
        return ()
    if cells.unit != "line" and not any(written[row].endswith("0") for row in np.flatnonzero(written_so).tolist()):
        return ()  # a number of a typed cell is written without zeros at its end
    doubt = "can be thousands or a fraction: every value with a point, or the file's separator, leaves both open"
    cure = f"declare {cells.line_for('decimal', ',')} or {cells.line_for('decimal', '.')} in {cells.said_in}"
    return first_faults(
        doubtful.tolist(),
        lambda row: Fault(cells.place(row), f"{shown(cells.texts[row])!r} {doubt}; {cure}"),
        "values that can mean two amounts",
    )


def _two_currencies(cells: Cells, signs: np.ndarray, counts: Counter[str]) -> tuple[Fault, ...]:
    if len({CODES.get(sign, sign) for sign in counts}) < 2 or set(counts) <= {"$", "US$", "USD"}:
        return ()
    row = int(np.argmax(signs == counts.most_common()[-1][0]))
    listed = ", ".join(f"{sign} {count}" for sign, count in counts.most_common())
    return (Fault(cells.place(row), f"amounts stand in several currencies ({listed}); export them in one"),)


def several_currencies(counts: Mapping[str, int], others: Iterable[str], where: str = "") -> str:
    """That amounts are in several currencies, each so often; what the `others` are worth is to be said, `where` too."""
    listed = ", ".join(f"{code} {count:,}" for code, count in counts.items())
    wanted = ", ".join(f"{code}: ..." for code in others)
    return (
        f"amounts are in several currencies ({listed}), which must not be added; say what one unit of each is worth in the "
        f"plan's: {where}rates: {{{wanted}}}"
    )
