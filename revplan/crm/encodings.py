"""Bytes as text: the encoding is that in which a file decodes cleanly, and what does not decode is counted with its line.

One stray byte in a UTF-8 file never makes another encoding of the rest: it is read by itself, as Windows-1252 has it.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from revplan.crm.cells import ImportLine
from revplan.ground.errors import DataError

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
STRAY = "cp1252"  # in which single bytes are read that are no UTF-8
LOST = "\ufffd"  # for a byte that stands for nothing even there
HIGH = re.compile(rb"[\x80-\xff]+")
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
    stray = _strays(body)
    sound = (character > "\x7f" for character in body.decode("utf-8", errors="ignore")[:SOME])
    if marked or len(stray) <= sum(sound):
        return _with_strays(body, encoding, stray)
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


def _strays(raw: bytes) -> list[tuple[int, int]]:
    """Where bytes stand that are no UTF-8: start and end of each, those of the first 200,000 beyond ASCII."""
    found: list[tuple[int, int]] = []
    for run in HIGH.finditer(raw):
        start = run.start()
        while start < run.end():
            try:
                raw[start : run.end()].decode("utf-8")
                break
            except UnicodeDecodeError as error:
                found.append((start + error.start, start + error.end))
                start += error.end
        if len(found) > SOME:
            break
    return found


def _with_strays(raw: bytes, encoding: str, stray: list[tuple[int, int]]) -> Decoded:
    """The text of a UTF-8 file with stray bytes, each read by itself."""
    parts, end = [], 0
    for start, stop in stray:
        parts.append(raw[end:start].decode("utf-8", errors="replace"))
        parts.append(raw[start:stop].decode(STRAY, errors="replace"))
        end = stop
    text = "".join([*parts, raw[end:].decode("utf-8", errors="replace")])
    first, last = stray[0]
    line = raw.count(b"\n", 0, first) + 1
    shown = " ".join(f"0x{byte:02x}" for byte in raw[first:last])
    example = f"line {line}: {shown} as {raw[first:last].decode(STRAY, errors='replace')}"
    what = f"bytes that are no text in {encoding}, read as {STRAY}; correct them where they come from"
    return _without_nul(text, encoding, (ImportLine("", what, len(stray), example),))


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
