"""How much room a text takes, and as much of it as has room: in a drawing, on a slide, in a sentence.

It is measured before it is set: neither a browser nor PowerPoint tells. Widths are those of DejaVu
Sans, which is wider than Arial, its bold too, and than nearly every other text font, so a text that
fits by this measure fits. Ideographs are as wide as they are high.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from typing import Any

from revplan.exhibits.fonts import folder
from revplan.ground.escaping import clean

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
    from PIL import ImageFont

    return ImageFont.truetype(str(folder() / "DejaVuSans.ttf"), 100)  # Pillow takes no Path before 10.1


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


def fitting(name: object, width: int = 22) -> str:
    """`name` cleaned and cut to `width` characters; where it stands among others, `fitting_names` keeps them apart."""
    text = clean(name)
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def fitting_names(names: Iterable[object], width: int = 22) -> list[str]:
    """The names of one chart or table cleaned and cut to `width` characters, so that different ones still read differently.

    Names whose beginnings are alike are cut in the middle, and those that even so are alike get a number.
    """
    texts = [clean(name) for name in names]
    labels = _apart(dict.fromkeys(texts), width)
    return [labels[text] for text in texts]


def _apart(texts: Iterable[str], width: int) -> dict[str, str]:
    alike: dict[str, list[str]] = {}
    for text in texts:
        alike.setdefault(fitting(text, width), []).append(text)
    labels: dict[str, str] = {}
    for label, group in alike.items():
        labels |= {group[0]: label} if len(group) == 1 else _in_the_middle(group, width)
    used: dict[str, int] = {}
    for text, label in labels.items():
        used[label] = number = used.get(label, 0) + 1
        if number > 1:
            mark = f" ({number})"
            labels[text] = f"{fitting(label, width - len(mark))}{mark}"
    return labels


def _in_the_middle(group: list[str], width: int) -> dict[str, str]:
    """Beginning and differing part of names that begin alike."""
    shortest = min(map(len, group))
    same = next((at for at in range(shortest) if len({text[at] for text in group}) > 1), shortest)
    begin = max(group[0].rfind(" ", 0, same) + 1, same - width // 3)  # from a word's beginning, if one is near
    room = width - width // 3 - 1
    rests = {text: text[begin:] or text[-room:] for text in group}
    cut = _apart(dict.fromkeys(rests.values()), room)
    head = group[0][: width - 1 - max(map(len, cut.values()))].rstrip()
    return {text: f"{head}…{cut[rest]}" for text, rest in rests.items()}
