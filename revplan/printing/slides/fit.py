"""How much room a text takes on a slide, measured before it is set: PowerPoint tells nobody.

Widths are those of DejaVu Sans, which is wider than Arial, its bold too, and than nearly every other
text font, so a text that fits by this measure fits. Ideographs are as wide as they are high.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Any

POINTS = 72
SLACK = 1.02
"""Room more than measured: programs round the widths of characters, each its own way."""

BOLD = 1.12
"""How much wider a bold font is, at most."""

LEADING = 1.22
"""Height of a line over the size of its font."""

ELLIPSIS = "…"
BREAKS = (". ", "; ", ": ", ", ", " ")
"""Where a sentence is rather cut, the best first."""


@cache
def _font() -> Any:
    from matplotlib import get_data_path
    from PIL import ImageFont

    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", 100)


@cache
def _advance(character: str) -> float:
    """Width of a character over the size of its font."""
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    return float(_font().getlength(character)) / 100


def width(text: str, size: float) -> float:
    """Room that `text` takes in one line. [inches]"""
    return sum(_advance(character) for character in text) * size * SLACK / POINTS


def lines(text: str, size: float, room: float) -> list[str]:
    """`text` in lines no wider than `room` inches; a word that is wider is broken."""
    found = [""]
    for word in text.split():
        longer = f"{found[-1]} {word}".strip()
        if width(longer, size) <= room:
            found[-1] = longer
            continue
        parts = _broken(word, size, room)
        found = [*(line for line in found if line), *parts]
    return found


def unbroken(text: str) -> str:
    """`text` with its amounts held together: programs break a line between a sign and a currency, or after that."""
    return re.sub(r"\b([A-Z]{3}) (?=\d)", "\\1\u00a0", re.sub("−(?=[$€£A-Z])", "−\u2060", text))


def height(count: int, size: float) -> float:
    """Room that `count` lines take. [inches]"""
    return count * size * LEADING / POINTS


def _broken(word: str, size: float, room: float) -> list[str]:
    parts = [""]
    for character in word:
        if parts[-1] and width(parts[-1] + character, size) > room:
            parts.append("")
        parts[-1] += character
    return parts


def cut(text: str, size: float, room: float, most: int) -> str:
    """`text` if it takes at most `most` lines, or as much of it as does, ending where a thought ends if it can."""
    wrapped = lines(text, size, room)
    if len(wrapped) <= most:
        return text
    kept = " ".join(wrapped[:most])
    while len(lines(kept + ELLIPSIS, size, room)) > most:
        kept = kept[:-1]
    ends = [kept.rfind(mark) for mark in BREAKS]
    end = next((end for end in ends if end > len(kept) * 0.5), len(kept))
    return kept[:end].rstrip(" ,;:") + ELLIPSIS
