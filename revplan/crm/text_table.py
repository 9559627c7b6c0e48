"""A table of text: columns of cells under a header, and where within the rows of a file or a sheet it stands.

Titles above it, the header said again, rows that head a group, totals and what stands below are no records.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256

import numpy as np

from revplan.crm.cells import ImportLine, Items, Lines, TextColumn, Texts
from revplan.ground.errors import DataError, Fault, shown


@dataclass(frozen=True, eq=False)
class TextTable:
    """Columns of text cells under a header, and how they were read."""

    name: str
    header: tuple[str, ...]
    columns: Mapping[str, Texts]
    """The cells by column, top to bottom; of a database only the columns asked for."""
    lines: Sequence[int] | Lines
    """The line of the file, or the row of the table, each row begins on."""
    how: str
    """How it was read: encoding and separator, or the sheet."""
    blank: int
    """Rows without any value, left out."""
    digest: str
    """sha256 of the bytes read."""
    separator: str = ","
    unit: str = "line"
    """What `lines` count."""
    aside: tuple[ImportLine, ...] = ()
    """Rows that are no records, such as titles, totals and footers: why, how many, the first; and labels filled down."""
    parts: tuple[TextTable, ...] = ()
    """The files it is put together from, where it stands in several."""

    def cells(self, column: str) -> Texts:
        """The cells of `column`, top to bottom."""
        return self.columns[column]

    def report(self, part: str) -> tuple[ImportLine, ...]:
        """How the file was read, and how many rows it has."""
        if self.parts:
            return (*self._reports_of_parts(part), *(replace(line, part=part) for line in self.aside))
        others = sum(line.count for line in self.aside if line.what.startswith("set aside"))
        read = ImportLine(part, "rows read", len(self.lines) + self.blank + others, f"{shown(self.name)}: {self.how}")
        blank = (ImportLine(part, "set aside: rows without any value", self.blank),) if self.blank else ()
        return (read, *blank, *(replace(line, part=part) for line in self.aside))

    def _reports_of_parts(self, part: str) -> Iterator[ImportLine]:
        """The rows read of each file; what was found on the way in all of them together."""
        reports = {shown(each.name): each.report(part) for each in self.parts}
        yield from (report[0] for report in reports.values())
        found: dict[str, ImportLine] = {}
        for name, report in reports.items():
            for line in report[1:]:
                before = found.setdefault(line.what, replace(line, count=0, example=f"{name} {line.example}".strip()))
                found[line.what] = replace(before, count=before.count + line.count)
        yield from found.values()


def below_one_another(tables: Sequence[TextTable], wanted: Callable[[str], bool] = lambda _: True) -> TextTable:
    """One table of those in several files with the same header; rows that stand in two of them are told apart by their id.

    Columns that a file lacks are left out, which the report says.

    Raises
    ------
    DataError
        If the files have no column in common.
    """
    first, *others = tables
    if not others:
        return first
    common = [name for name in first.header if name and all(name in each.header for each in others)]
    every = dict.fromkeys(name for each in tables for name in each.header if name and wanted(name))
    left_out = [name for name in every if name not in common]
    name = f"{first.name} and {others[0].name}" if len(tables) == 2 else f"{first.name} and {len(others)} more files"
    if not common:
        todo = "several files of one `path` must be exports of the same kind"
        raise DataError.at(shown(name), f"have no column in common; {todo}")
    columns = {
        each: sum((t.columns[each] for t in others), first.columns[each]) for each in common if each in first.columns
    }
    lacking = ", ".join(
        f"{shown(column)} not in {shown(next(each.name for each in tables if column not in each.header))}"
        for column in left_out[:LISTED]
    )
    aside = (
        (ImportLine("", "columns left out, as not every file has them", len(left_out), lacking),) if left_out else ()
    )
    return TextTable(
        name,
        tuple(common),
        columns,
        Lines(tuple((shown(each.name), each.unit, each.lines) for each in tables if not isinstance(each.lines, Lines))),
        first.how,
        0,
        sha256("\n".join(each.digest for each in tables).encode()).hexdigest(),
        ";" if any(each.separator == ";" for each in tables) else first.separator,
        aside=aside,
        parts=tuple(tables),
    )


LISTED = 8  # columns named in a line of the report
TOTAL_WORD = (
    r"(?:(?:grand|sub|overall)[ -]?)?totals?|sum|count|average|summe|gesamt(?:summe|betrag|ergebnis)?|zwischensumme|teilergebnis|"
    r"anzahl|somme|total général|sous-total|nombre|suma|cuenta|totale|totaal|итого|всего|сумма|合計|总计"
)
TOTAL = re.compile(rf"(?P<word>{TOTAL_WORD})(?P<more>\b.{{0,40}})?", re.IGNORECASE)
"""What stands in the first cell of a row of totals."""
GROUP = re.compile(r"[^:]{1,60}: .+|.+ \([0-9][0-9,. ]*(?: ?\w{1,12})?\)")
"""What a row says that heads a group, such as Stage: Closed Won, or Closed Won (12 records)."""
COUNTED = re.compile(r" ?\([0-9][^)]*\)$")
NUMERIC = re.compile(r"[^A-Za-z\u00c0-\uffff]*\d[^A-Za-z\u00c0-\uffff]*")
NARROW = 3  # columns: a table with fewer shows no difference between a row and a title
SOME = 1_000  # rows that show how many values a row usually has
TITLES = 30  # rows looked through for the header


MANY = 20_000  # rows that are put into columns at once


class TextRows(Items[list[str]]):
    """The rows of a text file or a sheet, held by column: a text that many rows have takes the room of one.

    Rows of another length than most, such as titles, stand in the columns cut or with empty cells at their end.
    """

    def __init__(self, rows: list[list[str]] | None = None) -> None:
        self._waiting: list[list[str]] = rows or []
        self._size = 0
        self._columns: list[TextColumn] = []
        self.others: dict[int, list[str]] = {}
        """The rows of another length as they are, by their number."""

    def add(self, rows: list[list[str]]) -> None:
        """More rows, below those there are."""
        self._waiting += rows
        if len(self._waiting) >= MANY:
            self._into_columns()

    def _into_columns(self) -> None:
        rows, self._waiting = self._waiting, []
        if not self._columns:
            self._columns = [TextColumn() for _ in range(Counter(map(len, rows)).most_common(1)[0][0])]
        width = len(self._columns)
        for number, row in enumerate(rows):
            if len(row) != width:
                self.others[self._size + number] = row
                rows[number] = [*row[:width], *[""] * (width - len(row))]
        for column, cells in zip(self._columns, zip(*rows, strict=True), strict=True):
            column.add(np.array(cells, dtype=object))
        self._size += len(rows)

    @cached_property
    def columns(self) -> list[Texts]:
        """The cells by column, once all rows are there."""
        if self._waiting:
            self._into_columns()
        return [column.texts() for column in self._columns]

    def __len__(self) -> int:
        return self._size + len(self._waiting)

    def item(self, at: int) -> list[str]:
        columns = self.columns
        return self.others[at] if at in self.others else [column[at] for column in columns]

    def column(self, number: int) -> Texts:
        """The cells of a column; also of one that most rows do not have."""
        if number < len(self.columns):
            return self.columns[number]
        cells = np.full(len(self), "", dtype=object)
        for row, texts in self.others.items():
            if number < len(texts):
                cells[row] = texts[number]
        return Texts.of(cells.tolist())

    @cached_property
    def lengths(self) -> np.ndarray:
        """Cells by row."""
        found = np.full(len(self), len(self.columns))
        found[list(self.others)] = [*map(len, self.others.values())]
        return found

    @cached_property
    def filled(self) -> np.ndarray:
        """By row, the cells that say something."""
        found = np.zeros(len(self), dtype=np.int32)
        for column in self.columns:
            found += column.which(_says)
        for row, cells in self.others.items():
            found[row] = sum(map(_says, cells))
        return found

    def said(self, number: int) -> np.ndarray:
        """By row, whether something stands in a column."""
        return self.column(number).which(_stands)

    def same(self, row: Sequence[str], among: np.ndarray) -> np.ndarray:
        """Those of the rows `among` that are the same as `row`."""
        for column, text in zip(self.columns, row, strict=False):
            among = among[column.taken(among).which(text.__eq__)]
        return among[np.fromiter((self[each] == row for each in among.tolist()), dtype=bool, count=len(among))]

    @cached_property
    def worded(self) -> np.ndarray:
        """By row, whether its first cell that says something begins like one of totals."""
        found, open_ = np.zeros(len(self), dtype=bool), np.ones(len(self), dtype=bool)
        for number, column in enumerate(self.columns):
            found |= open_ & column.which(_word_of_total)
            open_ &= ~self.said(number)
            if not open_.any():
                break
        for row, cells in self.others.items():
            found[row] = _word_of_total(_first_cell(cells))
        return found


def _says(cell: str) -> bool:
    return cell.strip() not in UNSAID


def _stands(cell: str) -> bool:
    return bool(cell.strip())


def _word_of_total(cell: str) -> bool:
    return not cell[:1].isdigit() and TOTAL.fullmatch(cell.strip()) is not None


@dataclass(frozen=True, eq=False)
class Framed:
    """Which rows of a file are its table: the header's, those of the records, and what the others are."""

    head: int
    body: np.ndarray
    aside: tuple[ImportLine, ...]
    groups: np.ndarray
    """Rows that only head a group."""


def framed(rows: TextRows, lines: Sequence[int], header_row: int | None = None, keep_totals: bool = False) -> Framed:
    """The table within `rows`, of which line `header_row` is the header, or the first that looks like one.

    Title rows above it, the header said again, rows that only head a group, rows of totals unless they are kept,
    and single cells below the table are no records.
    """
    filled = rows.filled
    some = np.sort(filled[:: max(1, len(rows) // SOME)])
    usual = int(some[3 * len(some) // 4])  # titles and totals may be many
    if header_row is not None:
        head = next((number for number, line in enumerate(lines) if line >= header_row), 0)
        usual = max(usual, int(filled[head]) // 2)
    else:
        head = _head(rows, usual)
    body = np.arange(head + 1, len(rows))
    kinds = {"rows above the header": np.arange(head)}
    if filled[head] > 1:
        kinds["the header said again"] = rows.same(rows[head], body)
    below = body[:0]
    if usual >= NARROW:
        # What stands below a table needs a table above it: where every row has one cell, they are its rows.
        full = np.flatnonzero(filled[body] > 1)
        below = body[full[-1] + 1 :] if len(full) else below
    body = _without(body, *kinds.values(), below)
    groups = _groups(rows, body, usual)
    totals = body[:0] if keep_totals else _totals(rows, _without(body, groups), usual)
    kinds |= {"rows that head a group": groups, "rows below the table": below, "rows of totals": totals}
    aside = tuple(
        ImportLine(
            "",
            f"set aside: {why}",
            len(found),
            f"line {lines[int(found[0])]}: {shown(' '.join(rows[int(found[0])]).strip())}",
        )
        for why, found in kinds.items()
        if len(found)
    )
    return Framed(head, _without(body, groups, totals), aside, groups)


def _without(rows: np.ndarray, *others: np.ndarray) -> np.ndarray:
    gone = np.concatenate(others)
    return rows[~np.isin(rows, gone)] if len(gone) else rows


UNSAID = ("", "-", "--")  # what reports write into cells that do not apply


def _head(rows: TextRows, usual: int) -> int:
    """Number of the header: the first row, unless it is a title, which fills hardly any of the columns."""
    if usual < 2 or rows.filled[0] > usual / 2:
        return 0
    least = max(NARROW, 0.6 * usual) if usual >= NARROW else usual
    first = next(iter(np.flatnonzero(rows.filled[:TITLES] >= least).tolist()), 0)
    return 0 if any(NUMERIC.fullmatch(cell.strip()) for cell in rows[first]) else first


def _groups(rows: TextRows, body: np.ndarray, usual: int) -> np.ndarray:
    """Rows with one cell that head a group: they say so, or are words in a column where no row with more has a value."""
    if usual < NARROW:
        return body[:0]
    alone = {row: rows[row] for row in body[rows.filled[body] == 1].tolist()}
    alone = {row: cells for row, cells in alone.items() if cells.count("") >= len(cells) - 1}
    if not alone or len(alone) == len(body):
        return body[:0]
    places = {row: _place(cells) for row, cells in alone.items()}
    more = _without(body, np.array([*alone]))
    used = {number for number in set(places.values()) if rows.said(number)[more].any()}
    found = [
        row
        for row, place in places.items()
        if (
            (place not in used and any(map(str.isalpha, alone[row][place])))
            or GROUP.fullmatch(alone[row][place].strip())
        )
        and not TOTAL.fullmatch(alone[row][place].strip())
    ]
    return np.array(found, dtype=int)


def _totals(rows: TextRows, body: np.ndarray, usual: int) -> np.ndarray:
    """Rows that begin like one of totals, and lack what others have, or stand at the end and say nothing else."""
    worded = body[rows.worded[body]]
    ending = body[np.flatnonzero(~rows.worded[body]).max(initial=-1) + 1 :]
    found = []
    for row in worded.tolist():
        match = TOTAL.fullmatch(_first_cell(rows[row]))
        only = match is not None and not (match["more"] or "").strip(" :")
        says_so = match is not None and (only or (match["more"] or "").startswith((":", " for ", " (", " -")))
        sparse = usual >= NARROW and rows.filled[row] < 0.7 * usual
        at_end = says_so and row in ending and (usual >= NARROW or _adds_up(rows, body, row))
        if sparse or at_end:
            found.append(row)
    return np.array(found, dtype=int)


def _place(row: Sequence[str]) -> int:
    """The number of the first cell in which something stands."""
    return next((number for number, cell in enumerate(row) if cell.strip()), 0)


def _first_cell(row: Sequence[str]) -> str:
    return row[_place(row)].strip() if row else ""


def _adds_up(rows: TextRows, body: np.ndarray, total: int) -> bool:
    """Whether some number of a row is the sum of those above it, or their count."""
    above = body[(body < total) & ~rows.worded[body]]
    for column, cell in enumerate(rows[total]):
        if (said := _plain_number(cell)) is None:
            continue
        texts = rows.column(column).taken(above)
        numbers = texts.of_rows(np.array([_plain_number(text) for text in texts.different], dtype=float))
        if np.isnan(numbers).all():
            continue
        if abs(float(np.nansum(numbers)) - said) <= 0.006 * (len(numbers) + 1) or said == len(above):
            return True
    return False


def _plain_number(text: str) -> float | None:
    digits = re.sub(r"[^0-9.,-]", "", text)
    digits = digits.replace(",", "") if "." in digits or digits.count(",") != 1 else digits.replace(",", ".")
    try:
        return float(digits)
    except ValueError:
        return None


def filled_down(columns: list[Texts], framing: Framed) -> tuple[list[Texts], tuple[ImportLine, ...]]:
    """`columns` with the labels of groups in every row of the group, where a report with totals writes them once."""
    if not any("totals" in line.what for line in framing.aside) or not len(framing.body):
        return columns, ()
    found, count = [*columns], 0
    for number, column in enumerate(columns):
        labelled = column.which(_stands)
        if not labelled.any():
            continue
        if not labelled[0] or labelled.sum() > len(labelled) / 2:
            break
        found[number] = column.taken(np.maximum.accumulate(np.where(labelled, np.arange(len(labelled)), 0)))
        count += int((~labelled).sum())
    return found, (ImportLine("", "labels of groups filled down", count),) if count else ()


def labelled_by_groups(rows: TextRows, framing: Framed, width: int) -> tuple[list[Texts], tuple[ImportLine, ...]]:
    """The columns of the table, with the label of the row that heads a group in its column, where its rows leave that empty."""
    body, heads, count = framing.body, framing.groups, 0
    columns = [rows.column(number).taken(body) for number in range(width)]
    if not len(heads):
        return columns, ()
    said = [rows[row] for row in heads.tolist()]
    places = np.array([*map(_place, said)])
    texts = [COUNTED.sub("", _first_cell(cells)) for cells in said]
    above = np.searchsorted(heads, body) - 1
    for place in sorted(set(places[places < width].tolist())):
        left = (above >= 0) & (places[above] == place) & (rows.lengths[body] > place) & ~rows.said(place)[body]
        cells = columns[place].objects()
        cells[left] = [texts[each] for each in above[left].tolist()]
        columns[place] = Texts.of(cells.tolist())
        count += int(left.sum())
    return columns, (ImportLine("", "labels of groups filled down", count),) if count else ()


def table_of(read: TextTable, rows: TextRows, framing: Framed) -> TextTable:
    """`read`, which says how a file was read, with the cells of the table within its rows."""
    columns, headed = labelled_by_groups(rows, framing, len(read.header))
    named = _place(read.header)
    filled, grouped = filled_down(columns[named:], framing)
    return replace(
        read,
        columns=dict(zip(read.header, [*columns[:named], *filled], strict=True)),
        aside=(*read.aside, *framing.aside, *headed, *grouped),
    )


def header_faults(name: str, header: Sequence[str], rows: int, place: str = "line 1") -> Iterator[Fault]:
    """Faults of a header, and of a table without rows."""
    for column in sorted({column for column in header if column and header.count(column) > 1}):
        where = ", ".join(str(i + 1) for i, each in enumerate(header) if each == column)
        message = f"column {shown(column)!r} stands there more than once (columns {where}); rename all but one"
        yield Fault(f"{name} {place}", message)
    if not rows:
        yield Fault(f"{name} {place}", "has a header but no rows; export the file again")
