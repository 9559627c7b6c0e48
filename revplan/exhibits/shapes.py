"""Shapes and letters as SVG text, and the scales they are placed by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

from revplan.exhibits import fonts
from revplan.exhibits.fit import LEADING
from revplan.ground.escaping import escape

STYLE = Path(__file__).parent / "style" / "chart.json"
"""Every colour of a drawing, and how large letters are there and on slides."""

STROKE = 2.2
NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


@cache
def _style() -> dict[str, Any]:
    return dict(json.loads(STYLE.read_text(encoding="utf-8")))


def slide_letters(what: str) -> tuple[float, ...]:
    """How large the letters of `what` are on a slide, the largest first. [points]"""
    return tuple(_style()["letters"]["slide"][what])


SIZE, SMALL, SMALLEST = (float(_style()["letters"]["drawing"][name]) for name in ("usual", "small", "smallest"))
"""Sizes of letters in a drawing. [points]"""


def color(name: str, shade: float = 1.0) -> str:
    """The colour called `name`, mixed with white where its shade is less than full."""
    full: str = _style()["colors"][name]
    parts = (int(full[at : at + 2], 16) for at in (1, 3, 5))
    return full if shade >= 1 else "#" + "".join(f"{round(255 - shade * (255 - part)):02x}" for part in parts)


# --- what is put on it ---------------------------------------------------------------------------


@dataclass(frozen=True)
class PlacedText:
    """A text; `anchor` says which of its ends stands at `x`."""

    x: float
    y: float
    text: str
    size: float = SIZE
    anchor: str = "start"
    color: str = "tick"


@dataclass
class Canvas:
    """What was drawn so far."""

    shapes: list[str] = field(default_factory=list)
    labels: list[PlacedText] = field(default_factory=list)

    def box(self, one: tuple[float, float], other: tuple[float, float], fill: str, looks: str = "") -> None:
        """A filled box between two corners."""
        (left, right), (top, bottom) = (sorted((one[at], other[at])) for at in (0, 1))
        size = f'x="{_n(left)}" y="{_n(top)}" width="{_n(right - left)}" height="{_n(bottom - top)}"'
        self.shapes.append(f'<rect {size} fill="{fill}"{looks}/>')

    def line(self, places: Sequence[tuple[float, float]], stroke: str, thick: float = STROKE, looks: str = "") -> None:
        """A line through places."""
        self.shapes.append(
            f'<path d="{_path(places)}" fill="none" stroke="{stroke}" stroke-width="{_n(thick)}"{looks}/>'
        )

    def area(self, places: Sequence[tuple[float, float]], fill: str, looks: str = "") -> None:
        """What lies within a line that ends where it began."""
        self.shapes.append(f'<path d="{_path(places)}Z" fill="{fill}"{looks}/>')

    def dot(self, place: tuple[float, float], radius: float, fill: str, looks: str = "") -> None:
        """A filled circle."""
        x, y, r = place[0], place[1], _n(radius)
        path = f"M{_n(x - radius)} {_n(y)}a{r} {r} 0 1 0 {_n(2 * radius)} 0a{r} {r} 0 1 0 {_n(-2 * radius)} 0Z"
        self.shapes.append(f'<path d="{path}" fill="{fill}"{looks}/>')

    def words(self, x: float, y: float, texts: Sequence[str], size: float, anchor: str = "middle") -> None:
        """Lines of text, the first one at `y`."""
        self.labels += [
            PlacedText(x, y + at * size * LEADING, text, size, anchor) for at, text in enumerate(texts) if text
        ]

    def put(self, other: Canvas, x: float, y: float) -> None:
        """Another drawing, its corner at a place of this one."""
        self.shapes.append(f'<g transform="translate({_n(x)} {_n(y)})">{"".join(other.shapes)}</g>')
        self.labels += [replace(each, x=each.x + x, y=each.y + y) for each in other.labels]

    def svg(self, width: float, height: float, said: str, others: tuple[fonts.Font, ...] | None) -> str:
        """The drawing, which says `said` to who cannot see it.

        Parameters
        ----------
        others
            Fonts for what DejaVu Sans lacks, where letters are outlines; None where they are text.
        """
        size = f'viewBox="0 0 {_n(width)} {_n(height)}"'
        looks = 'stroke-linejoin="round" stroke-linecap="butt"'
        ground = f'<rect x="0" y="0" width="{_n(width)}" height="{_n(height)}" fill="{color("paper")}"/>'
        letters = "".join(map(_text, self.labels)) if others is None else _outlines(self.labels, others, said)
        opened = f'<svg {NAMESPACES} {size} role="img" aria-label="{escape(said)}" {looks}>'
        return f"{opened}{ground}{''.join(self.shapes)}{letters}</svg>"


def _n(number: float) -> str:
    """A number to two decimals; what rounds to zero has no sign."""
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{_n(x)} {_n(y)}" for x, y in places)


def _text(label: PlacedText) -> str:
    looks = f'font-size="{_n(label.size)}" text-anchor="{label.anchor}" fill="{color(label.color)}"'
    return f'<text x="{_n(label.x)}" y="{_n(label.y)}" {looks}>{escape(label.text)}</text>'


def _outlines(labels: Sequence[PlacedText], others: tuple[fonts.Font, ...], said: str) -> str:
    """Texts as outlines, each glyph defined once, under ids that no other drawing of a page has."""
    told = "|".join(f"{each.text} {_n(each.x)} {_n(each.y)}" for each in labels)
    prefix = "r" + hashlib.sha256(f"{said}|{told}".encode()).hexdigest()[:8]
    ids: dict[str, str] = {}
    drawn, defined = [], []
    for label in labels:
        long, glyphs = fonts.outlined(label.text, others)
        scale = label.size / fonts.EM
        left = label.x - long * scale * {"start": 0.0, "middle": 0.5, "end": 1.0}[label.anchor]
        for name, _, _, outline in glyphs:
            if outline and name not in ids:
                ids[name] = f"{prefix}-{len(ids)}"
                defined.append(f'<path id="{ids[name]}" d="{outline}"/>')
        uses = "".join(
            f'<use xlink:href="#{ids[name]}" x="{x:.0f}"' + (f' y="{y:.0f}"' if y else "") + "/>"
            for name, x, y, outline in glyphs
            if outline
        )
        place = f"translate({_n(left)} {_n(label.y)}) scale({scale:.4g} {-scale:.4g})"
        drawn.append(f'<g transform="{place}" fill="{color(label.color)}">{uses}</g>')
    return f"<defs>{''.join(defined)}</defs>{''.join(drawn)}"


# --- scales --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scale:
    """Values along a stretch of the drawing."""

    low: float
    high: float
    begin: float
    end: float

    def at(self, value: float) -> float:
        """Where a value lies; what lies outside is drawn at the edge."""
        inside = min(max(value, self.low), self.high)
        return self.begin + self.unit * (inside - self.low)

    @property
    def unit(self) -> float:
        """What one more is in the drawing. [points]"""
        return (self.end - self.begin) / (self.high - self.low)


NOTHING = 1e-290


def scale_of(values: Iterable[float], begin: float, end: float, before: float, after: float) -> Scale:
    """A scale that holds all `values`, with `before` and `after` points left at its ends; 0 is an end where it may be."""
    found = list(values)
    low, high = min(found, default=0.0), max(found, default=1.0)
    if max(abs(low), abs(high)) < NOTHING:  # as good as 0, and too small to be divided
        low, high = 0.0, 1.0
    elif not high > low:
        low, high = (low, low + abs(low)) if low >= 0 else (low, 0.0)
    unit = (high - low) / max(1.0, abs(end - begin) - before - after)
    return Scale(low - before * unit, high + after * unit, begin, end)


def round_step(rough: float) -> float:
    """The least of 1, 2, 2.5, 5 times a power of ten that is not below `rough`."""
    power = 10.0 ** floor(log10(rough))
    return power * next(size for size in (1, 2, 2.5, 5, 10) if rough <= size * power * (1 + 1e-9))


def ticks(scale: Scale, most: int, least: float = 0.0) -> list[float]:
    """At most about `most` round values from end to end, `least` apart."""
    step = max(least, round_step((scale.high - scale.low) / most))
    return [step * number for number in range(ceil(scale.low / step - 1e-9), floor(scale.high / step + 1e-9) + 1)]
