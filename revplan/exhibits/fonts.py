"""Which font has the characters of a text: the one that is shipped, one that is installed, or one to ask for.

DejaVu Sans comes with matplotlib; it holds Latin, Greek, Cyrillic, Arabic, Hebrew and more.
For other characters the fonts of the machine are looked through. What none of them holds is
written as code points, `[65E5 672C]`, beside a note that names the font to install: a reader
can act on that, and cannot on an empty box.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from revplan.ground.files import own_folder

FAMILY = "DejaVu Sans"
COMMON = "\u2013\u2014\u2212\u00d7\u2026\u2018\u2019\u201c\u201d\u20ac\u00a3\u00b7"  # signs that DejaVu Sans has beside Latin letters
MONO = "DejaVu Sans Mono"
EAST_ASIAN = ("CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO", "IDEOGRAPHIC", "FULLWIDTH", "HALFWIDTH", "KANGXI")
BLANK = ("Last Resort", ".LastResort", "Adobe Blank", "Apple Color", "Noto Color", "OpenSymbol", FAMILY)
"""Families that claim characters they do not draw, or draw as something else; and the one that was tried."""


@dataclass(frozen=True, kw_only=True)
class Font:
    """An installed font: its file, the face in it, and the names it goes by."""

    path: str
    index: int
    family: str


def folder() -> Path:
    """Where DejaVu Sans lies."""
    with nullcontext() if "matplotlib" in sys.modules else own_folder():
        import matplotlib as mpl  # the first import reads a `matplotlibrc` in the current folder, which may be a stranger's

    return Path(mpl.get_data_path()) / "fonts" / "ttf"


def lacking(texts: Iterable[str], faces: Sequence[str] = ("DejaVuSans", "DejaVuSans-Bold")) -> frozenset[str]:
    """The characters of `texts` that have no outline in one of these `faces` of DejaVu Sans."""
    odd = {c for c in set().union(*texts) if not (" " <= c <= "~" or "\xa1" <= c <= "\u017f" or c in COMMON)}
    if not odd:
        return frozenset()  # without the font's own list, which takes a third of a second to read
    covered = frozenset.intersection(*(_characters(str(folder() / f"{face}.ttf")) for face in faces))
    kinds = {"Cf", "Cc", "Zs", "Zl", "Zp"}  # nothing to draw: formats, spaces, and variation selectors
    drawn = (c for c in odd - covered if unicodedata.category(c) not in kinds)
    return frozenset(c for c in drawn if "VARIATION SELECTOR" not in unicodedata.name(c, ""))


@cache
def covering(characters: frozenset[str]) -> tuple[Font, ...]:
    """The installed fonts that together hold the most of `characters`, the most useful first."""
    if not characters:
        return ()
    wanted = {c for c in characters if unicodedata.category(c) not in {"Co", "Cn"}}
    covered = {font: wanted & _characters(font.path, font.index) for font in _installed()}
    found: list[Font] = []
    while any(wanted & some for some in covered.values()):
        found.append(max(covered, key=lambda font: len(wanted & covered[font])))
        wanted -= covered[found[-1]]
    return tuple(found)


def without_font(characters: frozenset[str]) -> frozenset[str]:
    """Those of `characters` that no installed font holds; nobody knows what a private one means."""
    shared = frozenset(c for c in characters if unicodedata.category(c) != "Co")
    found = [shared & _characters(font.path, font.index) for font in covering(characters)]
    return characters.difference(*found)


Glyph = tuple[str, float, float, str]
"""A glyph's name, its place, and its outline, in thousandths of the size of its font."""

EM = 1000
_GLYPHS: dict[str, Any] = {}
"""Outlines that were asked for, by the name of their glyph."""


@lru_cache(maxsize=4096)
def outlined(text: str, others: tuple[Font, ...] = ()) -> tuple[float, tuple[Glyph, ...]]:
    """The width of `text` and its glyphs, shaped as its script asks for; `others` have what DejaVu Sans lacks."""
    dejavu = folder() / "DejaVuSans.ttf"
    from matplotlib.font_manager import FontPath, get_font
    from matplotlib.ft2font import LoadFlags
    from matplotlib.textpath import text_to_path

    shipped = FontPath(str(dejavu), 0)
    font = get_font([shipped, *(FontPath(each.path, each.index) for each in others)])
    font.set_size(EM, 72)
    glyphs, _, _ = text_to_path.get_glyphs_with_font(font, text, glyph_map=_GLYPHS)
    font.set_text(text, 0.0, flags=LoadFlags.NO_HINTING)
    return font.get_width_height()[0] / 64, tuple((name, x, y, _outline(name)) for name, x, y, _ in glyphs)


COMMANDS = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}


@cache
def _outline(name: str) -> str:
    """The outline of a glyph as a path of SVG."""
    places, codes = _GLYPHS[name]
    path, last = "", 0
    for (x, y), code in zip(places, codes, strict=True):
        command = " " if code == last else COMMANDS[int(code)]
        path += "Z" if COMMANDS[int(code)] == "Z" else f"{command}{x:.0f} {y:.0f}"
        last = code
    return path


def legible(text: str, unknown: frozenset[str]) -> str:
    """`text` with runs of `unknown` characters as code points in brackets."""
    if not unknown.intersection(text):
        return text
    runs = f"[{re.escape(''.join(sorted(unknown)))}]+"
    return re.sub(runs, lambda run: f"[{' '.join(f'{ord(c):04X}' for c in run[0])}]", text)


def advice(unknown: frozenset[str]) -> str:
    """The sentence that says why code points stand in brackets, and which font to install; empty if none do."""
    if not unknown:
        return ""
    said = "No installed font has some characters of the names; they are written as code points in brackets."
    names = sorted({name for name in map(_named, unknown) if name})
    return f"{said} Fonts to install: {', '.join(names)}." if names else said


def _named(character: str) -> str:
    """The font to ask for: Noto has one for each script. Empty for a character without a name."""
    name = unicodedata.name(character, "")
    if not name:
        return ""
    if name.startswith(EAST_ASIAN):
        return "Noto Sans CJK"
    if unicodedata.category(character)[0] in "LMN":
        return f"Noto Sans {name.split()[0].capitalize()}"
    return "Noto Sans Symbols 2"


@cache
def _installed() -> tuple[Font, ...]:
    """The upright fonts of the machine, those that go best with DejaVu Sans first."""
    folder()  # matplotlib's first import
    import typst

    fonts = typst.Fonts(include_embedded_fonts=False).fonts()
    kept = [font for font in fonts if font.path and font.style == "normal" and not font.family.startswith(BLANK)]
    kept.sort(key=_preference)
    return tuple(Font(path=str(font.path), index=font.index, family=font.family) for font in kept)


def _preference(font: Any) -> tuple[bool, bool, float, float, str, int]:
    noto, sans = font.family.startswith("Noto Sans"), "Sans" in font.family
    return not noto, not sans, abs(font.weight - 400), abs(font.stretch - 1), font.path, font.index


@cache
def _characters(path: str, index: int = 0) -> frozenset[str]:
    """What the font in `path` has outlines for; nothing where it holds pictures only, or cannot be read."""
    from matplotlib.ft2font import FaceFlags, FT2Font

    try:
        font = FT2Font(path, face_index=index) if index else FT2Font(path)  # of one or several in a file
    except (OSError, RuntimeError):
        return frozenset()
    return frozenset(map(chr, font.get_charmap())) if FaceFlags.SCALABLE in font.face_flags else frozenset()
