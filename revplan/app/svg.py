"""Charts as SVG text, made fast enough to follow a slider: a scale, an axis, lines, bands, bars and labels.

Coordinates have one decimal, so the same figures give the same bytes. Every text is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, floor, log10

from revplan.escaping import escape
from revplan.report.drawing import STYLE

INK, SOFT, LINE = "#22303c", "#4a5763", "#d5dce1"
WIDTH, FONT = 440, 13
LETTER = 7.5  # width of a letter of a key, on the wide side
TICKS = 4


@cache
def colour(name: str) -> str:
    """The colour of the report's style sheet called `name`, C0 to C7."""
    found = re.search(r"cycler\('color', \[(.*?)\]", STYLE.read_text(encoding="utf-8"))
    colours = re.findall(r"[0-9a-f]{6}", found[1]) if found else []
    return f"#{colours[int(name[1:])]}"


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
        return self.begin + (self.end - self.begin) * (inside - self.low) / (self.high - self.low)

    @property
    def ticks(self) -> list[float]:
        """A few round values from end to end."""
        step = _round_step((self.high - self.low) / TICKS)
        return [step * number for number in range(ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9) + 1)]


def _round_step(rough: float) -> float:
    power = 10.0 ** floor(log10(rough))
    return power * next(size for size in (1, 2, 2.5, 5, 10) if rough <= size * power * (1 + 1e-9))


def scale_of(values: Iterable[float], begin: float, end: float, *, from_zero: bool = True) -> Scale:
    """A scale that holds all `values`, from zero on where wanted."""
    found = list(values)
    low, high = min([0.0, *found] if from_zero else found), max([0.0, *found] if from_zero else found)
    margin = (high - low or abs(high) or 1.0) * 0.04
    return Scale(low if from_zero and low == 0 else low - margin, high + margin, begin, end)


def picture(height: float, message: str, parts: Iterable[str]) -> str:
    """The drawing, which says `message` to who cannot see it."""
    inside = "".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:g}" role="img" '
        f'aria-label="{escape(message)}" font-size="{FONT}" fill="{SOFT}">{inside}</svg>'
    )


def words(x: float, y: float, text: object, anchor: str = "start", colour: str = SOFT, weight: str = "400") -> str:
    """A label; `anchor` says which of its ends stands at `x`."""
    looks = f'text-anchor="{anchor}" fill="{colour}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {looks}>{escape(text)}</text>'


def line(points: Sequence[tuple[float, float]], colour: str, width: float = 2.2, dash: str = "") -> str:
    """A line through points."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'<polyline points="{_places(points)}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dashed}/>'


def area(lower: Sequence[tuple[float, float]], upper: Sequence[tuple[float, float]], colour: str) -> str:
    """What lies between two lines."""
    return f'<polygon points="{_places([*lower, *reversed(upper)])}" fill="{colour}"/>'


def bar(x: float, y: float, width: float, height: float, colour: str) -> str:
    """A filled box; a negative width or height reaches back."""
    left, top = min(x, x + width), min(y, y + height)
    return f'<rect x="{left:.1f}" y="{top:.1f}" width="{abs(width):.1f}" height="{abs(height):.1f}" fill="{colour}"/>'


def dot(x: float, y: float, colour: str) -> str:
    """A point to look at."""
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{colour}" stroke="#fff" stroke-width="1.5"/>'


def levels(scale: Scale, left: float, right: float, written: Callable[[float], str]) -> str:
    """The lines and labels of a vertical scale."""
    return "".join(
        line([(left, scale.at(tick)), (right, scale.at(tick))], LINE, 1)
        + words(left - 6, scale.at(tick) + 4, written(tick), "end")
        for tick in scale.ticks
    )


def key(entries: Mapping[str, str], left: float) -> str:
    """What each colour of the style sheet stands for, above the drawing."""
    parts, x = [], left
    for name, text in entries.items():
        parts += [bar(x, 5, 12, 9, colour(name)), words(x + 17, 14, text)]
        x += 28 + LETTER * len(text)
    return "".join(parts)


def _places(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
