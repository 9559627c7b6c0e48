"""Separated text as it stands: cells of text, and the line each row begins on.

Nothing is guessed in silence: the encoding and the separator found are part of the answer,
and a row that does not fit the header is a fault, never shifted or filled up.

The encoding is that in which a file decodes cleanly, and what does not decode is counted with its line. One stray byte
in a UTF-8 file never makes another encoding of the rest: it is read by itself, as Windows-1252 has it.
"""

from __future__ import annotations

import codecs
import csv
import gc
import io
import re
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from itertools import chain, compress, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from revplan.crm.cells import ImportLine, first_faults
from revplan.crm.text_table import TITLES, TextRows, TextTable, framed, header_faults, table_of
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.files import COLUMNS, LOOK_EVERY, content_of, within_limits_at_once
from revplan.ground.values import visible

if TYPE_CHECKING:
    from _csv import Reader

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
    if MARKUP.match(found.text):
        raise DataError.at(f"{path.name} line 1", "is a web page, not a table; export the records as CSV")
    text, first_line, separator = _separator(found.text)
    digest = sha256(raw).hexdigest()
    del raw
    with _no_circles_looked_for():
        rows, lines, blank = _records(text, separator, path.name, first_line)
    if not len(rows):
        raise DataError.at(path.name, "is empty; export it again, with a header row")
    framing = framed(rows, lines, header_row, keep_totals)
    header = tuple(visible(cell) for cell in rows[framing.head])
    faults = [
        *header_faults(path.name, header, len(framing.body)),
        *_row_faults(path.name, header, rows, framing.body, lines, separator),
    ]
    if faults and wanted is not None and not any(map(wanted, header)):
        message = "is not the table that is described: its first line has none of the columns asked for; check its path"
        raise DataError.at(path.name, message)
    if faults:
        raise DataError(faults)
    how = f"{found.encoding}, separated by {SEPARATORS[separator]}"
    lines = _of(lines, framing.body)
    read = TextTable(path.name, header, {}, lines, how, blank, digest, separator, aside=found.told)
    return table_of(read, rows, framing)


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


def _records(text: str, separator: str, name: str, first_line: int) -> tuple[TextRows, Sequence[int], int]:
    """The rows with a value, the line each begins on, and the number of rows without any."""
    lines_of_text = chain.from_iterable(_pieces(text, separator, name, first_line))
    reader = csv.reader(lines_of_text, delimiter=separator, strict=True)
    found, lines, starts = TextRows(), array("q"), [first_line]
    blank = 0
    try:
        for rows in within_limits_at_once(_batches(reader, first_line, starts), name):
            valued = [any(row) and (len(row) > 1 or bool(row[0].strip())) for row in rows]
            found.add([*compress(rows, valued)])
            lines.extend(compress(starts, valued))
            blank += valued.count(False)
            del starts[:-1]
    except csv.Error as error:
        message = "a quote that opens in this row is never closed; close it, or double a quote inside a value"
        if "expected after" in str(error):
            message = 'has text after a closing quote; a quote inside a value must be doubled ("")'
        raise DataError.at(f"{name} line {starts[-1]}", message) from None
    return found, lines, blank


def _of(lines: Sequence[int], body: np.ndarray) -> Sequence[int]:
    """The lines of some rows; a range where one follows the other, as they do in most files."""
    first, last = lines[int(body[0])], lines[int(body[-1])]
    if last - first == len(body) - 1:
        return range(first, last + 1)
    return [lines[row] for row in body.tolist()]


def _batches(reader: Reader, first_line: int, starts: list[int]) -> Iterator[list[list[str]]]:
    """The rows of `reader`, some at a time; the line on which each begins, and the next one after them, is added to `starts`."""
    while True:
        rows: list[list[str]] = []
        for row in islice(reader, LOOK_EVERY):
            rows.append(row)
            starts.append(reader.line_num + first_line)
        if not rows:
            return
        yield rows


def _pieces(text: str, separator: str, name: str, first_line: int) -> Iterator[Iterable[str]]:
    """The lines of `text`, a piece at a time: a copy of the whole would take four times its memory.

    A line with more separators than a table has columns is refused before it becomes a list.
    """
    most, start = COLUMNS.value, 0
    while start < len(text):
        end = _line_end(text, start)
        if _has_long_line(text, start, end, most):
            for line in LINE.finditer(text, start, end):
                if line.end() - line.start() > most and line[0].count(separator) >= most:
                    number = first_line + sum(1 for _ in LINE.finditer(text, 0, line.start()))
                    raise DataError.at(f"{name} line {number}", COLUMNS.refusal("has more than"))
        yield io.StringIO(text[start:end], newline="")
        start = end


def _has_long_line(text: str, start: int, end: int, most: int) -> bool:
    """Whether a line between `start`, where one begins, and `end` has more than `most` characters."""
    while end - start > most:
        last = text.rfind("\n", start, start + most + 1)
        if last < 0:
            return True
        start = last + 1
    return False


def _line_end(text: str, start: int) -> int:
    """Where the last line ends that begins within a piece; in a file without line feeds the piece is all of it."""
    last = text.rfind("\n", start, start + PIECE) if start + PIECE < len(text) else len(text) - 1
    last = last if last >= 0 else text.find("\n", start + PIECE)
    return last + 1 if last >= 0 else len(text)


def _row_faults(
    name: str, header: Sequence[str], rows: TextRows, body: np.ndarray, lines: Sequence[int], separator: str
) -> tuple[Fault, ...]:
    wrong: list[int] = body[rows.lengths[body] != len(header)].tolist()

    def fault(row: int) -> Fault:
        problem = f"has {len(rows[row])} values where the header has {len(header)} columns"
        todo = "a separator or line break inside a value must stand in quotes"
        return Fault(f"{name} line {lines[row]}", f"{problem} ({shown(separator.join(rows[row]))}); {todo}")

    return first_faults(wrong, fault, "rows of another length than the header")


# --- bytes as text ------------------------------------------------------------------------------------------

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
STRAY = "cp1252"  # in which single bytes are read that are no UTF-8
LOST = "\ufffd"  # for a byte that stands for nothing even there
ESCAPED = re.compile("[\udc80-\udcff]")  # what Python makes of a byte that is no UTF-8
SOME = 200_000  # bytes beyond ASCII that show which code page a file is in
OTHERS = (  # code pages by what their letters are read as Windows-1252 in words nobody writes, and the share from which it shows
    ("cp1251", 0.5, re.compile("[À-ÿ¸¨]{3,}")),  # Cyrillic: whole words of accented letters
    (
        "cp1250",
        0.1,
        re.compile("(?<=[A-Za-zÀ-ÿ])[³¹¿¼¾£¥](?=[a-zà-ÿ])|(?<=[a-zà-ÿ])[³¹¿](?![0-9²³¹])|[£¥¯](?=[a-zà-ÿ])"),
    ),
    ("mac_roman", 0.5, re.compile('(?<=[a-zA-Z])[ŽŸŠš›ˆ‡‰\x8d\x8f\x8e](?=[a-z,;\t"\n\r])')),
    ("cp850", 0.5, re.compile("(?<=[A-Za-z])[\x81„”‚…†‡ˆ‰Š](?=[a-z])|[\x81\x90](?=[A-Za-z])")),  # MS-DOS
)
KANA = re.compile("[ぁ-んァ-ヶ]")


@dataclass(frozen=True)
class Decoded:
    """The text of a file, the encoding it was in, and lines on what did not decode."""

    text: str
    encoding: str
    told: tuple[ImportLine, ...] = ()


def decoded(raw: bytes, name: str) -> Decoded:
    """The text in `raw`: by its mark, else UTF-8, UTF-16, or the code page whose letters make words.

    Raises
    ------
    DataError
        If a UTF-16 file is cut in the middle of a character.
    """
    marked = next((encoding for mark, encoding in BYTE_ORDER_MARKS.items() if raw.startswith(mark)), None)
    if marked in ("utf-16", "utf-32"):
        try:
            return _without_nul(raw.decode(marked), marked)
        except UnicodeDecodeError as error:
            odd = f"0x{error.object[error.start]:02x}"
            message = f"byte {odd} is not {marked}, as its first bytes say; export the file again as UTF-8"
            line = error.object.count(b"\n", 0, error.start) + 1
            raise DataError.at(f"{name} line {line}", message) from None
    encoding, body = marked or "utf-8", raw.removeprefix(codecs.BOM_UTF8)
    for each in (encoding,) if marked else (*_utf16_by_its_zeros(raw), encoding):
        try:
            return _without_nul(raw.decode(each), each)
        except UnicodeDecodeError:
            continue
    text = body.decode("utf-8", errors="surrogateescape")
    stray = [*islice(ESCAPED.finditer(text), SOME)]
    if marked or len(stray) <= sum(character > "\x7f" for character in ESCAPED.sub("", text[:SOME])):
        line, example = text.count("\n", 0, stray[0].start()) + 1, f"0x{_byte(stray[0]).hex()} as {_alone(stray[0])}"
        what = f"bytes that are no text in {encoding}, read as {STRAY}; correct them where they come from"
        told = ImportLine("", what, len(stray), f"line {line}: {example}")
        return _without_nul(ESCAPED.sub(_alone, text), encoding, (told,))
    found = _code_page(raw)
    text = raw.decode(found, errors="replace")
    return _without_nul(text, found, _counted(text, LOST, f"bytes that are no text in {found}, shown as {LOST}"))


def _without_nul(text: str, encoding: str, told: tuple[ImportLine, ...] = ()) -> Decoded:
    """`text` without NUL characters, which say nothing; they are counted."""
    return Decoded(text.replace("\0", ""), encoding, (*told, *_counted(text, "\0", "NUL characters, left out")))


def _counted(text: str, character: str, what: str) -> tuple[ImportLine, ...]:
    """A line on a character where it stands in the text."""
    count = text.count(character)
    line = text.count("\n", 0, text.find(character)) + 1 if count else 0
    return (ImportLine("", what, count, f"line {line}"),) if count else ()


def _utf16_by_its_zeros(raw: bytes) -> Iterator[str]:
    """UTF-16 where every other byte of a mostly Latin text is zero."""
    head = raw[:4000]
    even, odd = (head[start::2].count(0) for start in (0, 1))
    if odd > 0.2 * len(head) and even < 0.05 * len(head):
        yield "utf-16-le"
    if even > 0.2 * len(head) and odd < 0.05 * len(head):
        yield "utf-16-be"


# --- bytes that are no UTF-8 ----------------------------------------------------------------------------------


def _byte(escaped: re.Match[str]) -> bytes:
    return escaped[0].encode("utf-8", errors="surrogateescape")


def _alone(escaped: re.Match[str]) -> str:
    """A stray byte of a UTF-8 file, read by itself."""
    return _byte(escaped).decode(STRAY, errors="replace")


def _code_page(raw: bytes) -> str:
    """The code page of a file that is no UTF-8: the one whose letters make words, Windows-1252 where none does better."""
    words = b" ".join(match[0] for match in islice(WORD.finditer(raw), 5_000))
    western = words.decode("latin-1").translate(C1)
    many = sum(character > "\x7f" for character in western)
    if _decodes(raw, "cp932") and len(KANA.findall(words.decode("cp932", errors="ignore"))) > many / 10:
        return "cp932"
    for page, share, odd in OTHERS:
        letters = sum(len(match) for match in odd.findall(western))
        if letters > share * many and _decodes(raw, page):
            return page
    return STRAY if _decodes(raw, STRAY) else next((page for page in EASTERN if _decodes(raw, page)), STRAY)


WORD = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*[,;\t\"\r\n]?")
C1 = {byte: bytes([byte]).decode(STRAY) for byte in range(0x80, 0xA0) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}
EASTERN = ("cp932", "gb18030", "cp949", "big5")


def _decodes(raw: bytes, encoding: str) -> bool:
    try:
        raw.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True
