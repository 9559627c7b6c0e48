"""Separated text as it stands: cells of text, and the line each row begins on.

Nothing is guessed in silence: the encoding and the separator found are part of the answer,
and a row that does not fit the header is a fault, never shifted or filled up.
"""

from __future__ import annotations

import csv
import gc
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from itertools import chain, islice, pairwise
from pathlib import Path

from revplan.crm.cells import ImportLine, Texts, first_faults
from revplan.crm.encodings import decoded
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.files import COLUMNS, content_of, within_limits
from revplan.ground.values import visible

SEPARATORS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}
NOT_TEXT = {
    b"PK\x03\x04": "an Excel workbook (or another zip file)",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a Parquet file",
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a gzip file",
}
LINE = re.compile(r"[^\r\n]*(?:\r\n|\n|\r)|[^\r\n]+")
PIECE = 1 << 20  # characters that are cut into lines at once
LONGEST_HEADER = 100_000  # characters looked at for the separator
MARKUP = re.compile(r"\s*<(!doctype|html|head|body|table|meta|\?xml|!--)", re.IGNORECASE)
NAMED_SEPARATOR = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)  # the first line Excel writes in some countries


@dataclass(frozen=True, eq=False)
class TextTable:
    """Columns of text cells under a header, and how they were read."""

    name: str
    header: tuple[str, ...]
    columns: Mapping[str, Texts]
    """The cells by column, top to bottom; of a database only the columns asked for."""
    lines: Sequence[int]
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
    titles: tuple[str, ...] = ()
    """What stands above the header, line by line: a report's name, its days."""
    aside: tuple[ImportLine, ...] = ()
    """Rows that are no records, such as titles, totals and footers: why, how many, the first; and labels filled down."""

    def cells(self, column: str) -> Texts:
        """The cells of `column`, top to bottom."""
        return self.columns[column]

    def report(self, part: str) -> tuple[ImportLine, ...]:
        """How the file was read, and how many rows it has."""
        others = sum(line.count for line in self.aside if line.what.startswith("set aside"))
        read = ImportLine(part, "rows read", len(self.lines) + self.blank + others, f"{shown(self.name)}: {self.how}")
        blank = (ImportLine(part, "set aside: rows without any value", self.blank),) if self.blank else ()
        return (read, *blank, *(replace(line, part=part) for line in self.aside))


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


@dataclass(frozen=True)
class Framed:
    """Which rows of a file are its table: the header's, those of the records, and what the others are."""

    head: int
    body: tuple[int, ...]
    aside: tuple[ImportLine, ...]
    groups: tuple[int, ...] = ()
    """Rows that only head a group."""

    def titles(self, rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
        """What stands above the header, line by line."""
        return tuple(" ".join(filter(None, map(str.strip, row))) for row in rows[: self.head])


def framed(
    rows: Sequence[Sequence[str]], lines: Sequence[int], header_row: int | None = None, keep_totals: bool = False
) -> Framed:
    """The table within `rows`, of which line `header_row` is the header, or the first that looks like one.

    Title rows above it, the header said again, rows that only head a group, rows of totals unless they are kept,
    and single cells below the table are no records.
    """
    some = sorted(map(_filled, rows[:: max(1, len(rows) // SOME)]))
    usual = some[3 * len(some) // 4]  # titles and totals may be many
    if header_row is not None:
        head = next((number for number, line in enumerate(lines) if line >= header_row), 0)
        usual = max(usual, _filled(rows[head]) // 2)
    else:
        head = _head(rows, usual)
    header, body = list(rows[head]), list(range(head + 1, len(rows)))
    kinds: dict[str, list[int]] = {"rows above the header": list(range(head))}
    if _filled(header) > 1:
        kinds["the header said again"] = [row for row in body if rows[row] == header]
    below: list[int] = []
    if usual >= NARROW:
        # What stands below a table needs a table above it: where every row has one cell, they are its rows.
        below = body[len(body) - next((n for n in range(len(body)) if _filled(rows[body[-1 - n]]) > 1), 0) :]
    taken = {row for found in (*kinds.values(), below) for row in found}
    body = [row for row in body if row not in taken]
    kinds["rows that head a group"] = _groups(rows, body, usual)
    totals = (
        [] if keep_totals else _totals(rows, [row for row in body if row not in kinds["rows that head a group"]], usual)
    )
    kinds["rows below the table"], kinds["rows of totals"] = below, totals
    taken = {*kinds["rows that head a group"], *totals}
    aside = tuple(
        ImportLine(
            "", f"set aside: {why}", len(found), f"line {lines[found[0]]}: {shown(' '.join(rows[found[0]]).strip())}"
        )
        for why, found in kinds.items()
        if found
    )
    return Framed(head, tuple(row for row in body if row not in taken), aside, tuple(kinds["rows that head a group"]))


def _filled(row: Sequence[str]) -> int:
    """Cells of a row that say something."""
    return sum(1 for cell in row if (text := cell.strip()) and text not in UNSAID)


UNSAID = ("-", "--")  # what reports write into cells that do not apply


def _head(rows: Sequence[Sequence[str]], usual: int) -> int:
    """Number of the header: the first row, unless it is a title, which fills hardly any of the columns."""
    if usual < 2 or _filled(rows[0]) > usual / 2:
        return 0
    least = max(NARROW, 0.6 * usual) if usual >= NARROW else usual
    full = (number for number in range(min(len(rows), TITLES)) if _filled(rows[number]) >= least)
    first = next(full, 0)
    return 0 if any(NUMERIC.fullmatch(cell.strip()) for cell in rows[first]) else first


def _groups(rows: Sequence[Sequence[str]], body: Sequence[int], usual: int) -> list[int]:
    """Rows with one cell that head a group: they say so, or no row with more has a value in their column."""
    if usual < NARROW:
        return []
    single = [row for row in body if rows[row].count("") >= len(rows[row]) - 1 and _filled(rows[row]) == 1]
    if not single or len(single) == len(body):
        return []
    alone = set(single)
    places = {row: next(n for n, cell in enumerate(rows[row]) if cell.strip()) for row in single}
    columns = set(places.values())
    used = {n for row in body if row not in alone for n in columns if n < len(rows[row]) and rows[row][n].strip()}
    heads = [row for row in single if places[row] not in used or GROUP.fullmatch(rows[row][places[row]].strip())]
    return [row for row in heads if not TOTAL.fullmatch(rows[row][places[row]].strip())]


def _totals(rows: Sequence[Sequence[str]], body: Sequence[int], usual: int) -> list[int]:
    """Rows that begin like one of totals, and lack what others have, or stand at the end and say nothing else."""
    worded = [row for row in body if _word_of_total(rows[row])]
    ending = set(_at_the_end(worded, body))
    found = []
    for row in worded:
        match = TOTAL.fullmatch(_first_cell(rows[row]))
        only = match is not None and not (match["more"] or "").strip(" :")
        says_so = match is not None and (only or (match["more"] or "").startswith((":", " for ", " (", " -")))
        sparse = usual >= NARROW and _filled(rows[row]) < 0.7 * usual
        at_end = row in ending and says_so and (usual >= NARROW or _adds_up(rows, body, row))
        if sparse or at_end:
            found.append(row)
    return found


def _first_cell(row: Sequence[str]) -> str:
    first = row[0].strip() if row else ""
    return first or next((cell.strip() for cell in row if cell.strip()), "")


def _word_of_total(row: Sequence[str]) -> bool:
    return TOTAL.fullmatch(_first_cell(row)) is not None


def _at_the_end(found: Sequence[int], body: Sequence[int]) -> list[int]:
    """Those of `found` that no other row of `body` follows."""
    last = len(body)
    for row in reversed(found):
        if row != body[last - 1]:
            break
        last -= 1
    return list(body[last:])


def _adds_up(rows: Sequence[Sequence[str]], body: Sequence[int], total: int) -> bool:
    """Whether some number of a row is the sum of those above it, or their count."""
    above = [row for row in body if row < total and not _word_of_total(rows[row])]
    for column, cell in enumerate(rows[total]):
        numbers = [_plain_number(rows[row][column]) for row in above if column < len(rows[row])]
        said = _plain_number(cell)
        if said is None or not any(number is not None for number in numbers):
            continue
        whole = sum(number for number in numbers if number is not None)
        if abs(whole - said) <= 0.006 * (len(numbers) + 1) or said == len(above):
            return True
    return False


def _plain_number(text: str) -> float | None:
    digits = re.sub(r"[^0-9.,-]", "", text)
    digits = digits.replace(",", "") if "." in digits or digits.count(",") != 1 else digits.replace(",", ".")
    try:
        return float(digits)
    except ValueError:
        return None


def filled_down(rows: list[list[str]], framing: Framed) -> tuple[list[list[str]], tuple[ImportLine, ...]]:
    """`rows` with the labels of groups in every row of the group, where a report with totals writes them once."""
    if not any("totals" in line.what for line in framing.aside) or not rows:
        return rows, ()
    found, count = [list(row) for row in rows], 0
    for column in range(len(rows[0])):
        labelled = [bool(row[column].strip()) for row in rows]
        if any(labelled) and (not labelled[0] or sum(labelled) > len(rows) / 2):
            break
        for before, row in pairwise(found):
            if any(labelled) and not row[column].strip():
                row[column] = before[column]
                count += 1
    return found, (ImportLine("", "labels of groups filled down", count),) if count else ()


def labelled_by_groups(
    rows: Sequence[Sequence[str]], framing: Framed, width: int
) -> tuple[list[list[str]], tuple[ImportLine, ...]]:
    """The rows of the table, with the label of the row that heads their group in its column, where they leave that empty."""
    body = {number: list(rows[number]) for number in framing.body}
    heads, label, place, count = set(framing.groups), "", width, 0
    for number in sorted((*framing.groups, *framing.body)) if heads else ():
        if number in heads:
            place = next(n for n, cell in enumerate(rows[number]) if cell.strip())
            label = COUNTED.sub("", rows[number][place].strip())
        elif place < min(width, len(body[number])) and not body[number][place].strip():
            body[number][place] = label
            count += 1
    return [*body.values()], (ImportLine("", "labels of groups filled down", count),) if count else ()


def read_csv(
    path: Path,
    wanted: Callable[[str], bool] | None = None,
    header_row: int | None = None,
    keep_totals: bool = False,
) -> TextTable:
    """The table in the text file at `path`; of one with none of the columns `wanted`, messages show no content.

    Raises
    ------
    DataError
        If it cannot be read, is no table, or has rows that do not fit its header; all kinds of
        fault at once, the first three of each kind with their line.
    """
    raw = _bytes(path)
    found = decoded(raw, path.name)
    _refuse_other_kinds(found.text, path.name)
    text, first_line, separator = _separator(found.text)
    with _no_circles_looked_for():
        records, lines, blank = _records(text, separator, path.name, first_line)
    if not records:
        raise DataError.at(path.name, "is empty; export it again, with a header row")
    framing = framed(records, lines, header_row, keep_totals)
    header = tuple(visible(cell) for cell in records[framing.head])
    rows, headed = labelled_by_groups(records, framing, len(header))
    lines = [lines[row] for row in framing.body]
    faults = [*header_faults(path.name, header, len(rows)), *_row_faults(path.name, header, rows, lines, separator)]
    if faults and wanted is not None and not any(map(wanted, header)):
        message = "is not the table that is described: its first line has none of the columns asked for; check its path"
        raise DataError.at(path.name, message)
    if faults:
        raise DataError(faults)
    rows, grouped = filled_down(rows, framing)
    columns = {name: Texts.of([row[number] for row in rows]) for number, name in enumerate(header)}
    how = f"{found.encoding}, separated by {SEPARATORS[separator]}"
    digest, aside = sha256(raw).hexdigest(), (*found.told, *framing.aside, *headed, *grouped)
    return TextTable(
        path.name, header, columns, lines, how, blank, digest, separator, titles=framing.titles(records), aside=aside
    )


@contextmanager
def _no_circles_looked_for() -> Iterator[None]:
    """Rows are millions of small lists that all stay: looking through them for what can go takes as long as reading them."""
    looked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if looked:
            gc.enable()


def _bytes(path: Path) -> bytes:
    try:
        raw = content_of(path, DataError)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such path"
        raise DataError.at(
            shown(path.name), f"cannot be read ({reason}); check its path in the file that names it"
        ) from None
    for start, kind in NOT_TEXT.items():
        if raw.startswith(start):
            raise DataError.at(path.name, f"is {kind}, whatever its name says; save it as CSV (UTF-8)")
    return raw


def _refuse_other_kinds(text: str, name: str) -> None:
    if MARKUP.match(text):
        raise DataError.at(
            f"{name} line 1",
            "is a web page, not a table; export the records as CSV",
        )


def _separator(text: str) -> tuple[str, int, str]:
    """The text without a line that only names the separator, its first line, and the separator."""
    named = NAMED_SEPARATOR.match(text)
    if named and named[1] in SEPARATORS:
        return text[named.end() :], 2, named[1]
    found = max(SEPARATORS, key=partial(_header_width, text))
    if _header_width(text, found) == 1:  # a title stands above the header
        found = max(SEPARATORS, key=partial(_header_width, text, first=TITLES))
    return text, 1, found


def _header_width(text: str, separator: str, first: int = 1) -> int:
    """Columns of the widest of the `first` rows with a value."""
    rows = csv.reader(io.StringIO(text[:LONGEST_HEADER], newline=""), delimiter=separator)
    try:
        return max(map(len, islice((row for row in rows if row), first)), default=0)
    except csv.Error:
        return 0


def _records(text: str, separator: str, name: str, first_line: int) -> tuple[list[list[str]], list[int], int]:
    """The rows with a value, the line each begins on, and the number of rows without any."""
    reader = csv.reader(_lines(text, separator, name, first_line), delimiter=separator, strict=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    blank, start = 0, first_line
    try:
        for row in within_limits(reader, name):
            if any(row) and (len(row) > 1 or row[0].strip()):
                rows.append(row)
                lines.append(start)
            else:
                blank += 1
            start = reader.line_num + first_line
    except csv.Error as error:
        raise DataError.at(f"{name} line {start}", _quote_fault(error)) from None
    return rows, lines, blank


def _lines(text: str, separator: str, name: str, first_line: int) -> Iterator[str]:
    """The lines of `text`, a piece at a time: a copy of the whole would take four times its memory.

    A line with more separators than a table has columns is refused before it becomes a list.
    """
    return chain.from_iterable(_pieces(text, separator, name, first_line))


def _pieces(text: str, separator: str, name: str, first_line: int) -> Iterator[Iterable[str]]:
    most, start = COLUMNS.value, 0
    while start < len(text):
        end = _line_end(text, start)
        if max(map(len, text[start:end].split("\n"))) > most:
            for line in LINE.finditer(text, start, end):
                if line.end() - line.start() > most and line[0].count(separator) >= most:
                    number = first_line + sum(1 for _ in LINE.finditer(text, 0, line.start()))
                    raise DataError.at(f"{name} line {number}", COLUMNS.refusal("has more than"))
        yield io.StringIO(text[start:end], newline="")
        start = end


def _line_end(text: str, start: int) -> int:
    """Where the last line ends that begins within a piece; in a file without line feeds the piece is all of it."""
    last = text.rfind("\n", start, start + PIECE) if start + PIECE < len(text) else len(text) - 1
    last = last if last >= 0 else text.find("\n", start + PIECE)
    return last + 1 if last >= 0 else len(text)


def _quote_fault(error: csv.Error) -> str:
    if "expected after" in str(error):
        return 'has text after a closing quote; a quote inside a value must be doubled ("")'
    return "a quote that opens in this row is never closed; close it, or double a quote inside a value"


def header_faults(name: str, header: Sequence[str], rows: int, place: str = "line 1") -> Iterator[Fault]:
    """Faults of a header, and of a table without rows."""
    for column in sorted({column for column in header if column and header.count(column) > 1}):
        where = ", ".join(str(i + 1) for i, each in enumerate(header) if each == column)
        message = f"column {shown(column)!r} stands there more than once (columns {where}); rename all but one"
        yield Fault(f"{name} {place}", message)
    if not rows:
        yield Fault(f"{name} {place}", "has a header but no rows; export the file again")


def _row_faults(
    name: str, header: Sequence[str], rows: list[list[str]], lines: list[int], separator: str
) -> tuple[Fault, ...]:
    wrong = [i for i, row in enumerate(rows) if len(row) != len(header)]

    def fault(row: int) -> Fault:
        came = f"has {len(rows[row])} values where the header has {len(header)} columns"
        todo = "a separator or line break inside a value must stand in quotes"
        return Fault(f"{name} line {lines[row]}", f"{came} ({shown(separator.join(rows[row]))}); {todo}")

    return first_faults(wrong, fault, "rows of another length than the header")
