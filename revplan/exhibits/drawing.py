"""A chart as SVG text: the same bytes in every run on one machine, the same to the eye on every one, in any page.

Text is drawn as outlines (`svg.fonttype: path`), not as selectable text: a phone or a Windows
reader has no DejaVu Sans, and with another font labels grow, collide and are cut off. The words
stay selectable where they matter, in the headline above and in the tables. The same chart is
drawn twice, for a page and for a phone: a page's chart squeezed to 390 pixels cannot be read.
"""

from __future__ import annotations

import hashlib
import io
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from revplan.exhibits import fonts
from revplan.exhibits.axes import fitting
from revplan.exhibits.figures import Sentence, as_sentence
from revplan.ground.errors import ReportError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Paint = Callable[["Axes", "pd.DataFrame"], str | Sentence]

STYLE = Path(__file__).parent / "style" / "revplan.mplstyle"
PAGE_WIDTH = 8.8
PHONE_WIDTH = 3.75
NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """A chart drawn twice, and the sentence it is there to say."""

    said: Sentence
    page: str
    phone: str
    unknown: frozenset[str]
    """The characters that no font of this machine holds; they are written as code points."""


def drawing(paint: Paint, table: pd.DataFrame, name: str, height: float) -> Drawing:
    """What `paint` draws of `table`, `height` inches high on a page.

    Raises
    ------
    ReportError
        If `paint` does not return a message, or not the same one for both sizes.
    """
    said, page, unknown = _drawn(paint, table, name, (PAGE_WIDTH, height))
    again, phone, _ = _drawn(paint, table, name, (PHONE_WIDTH, height * 0.85))
    if said != again:
        raise ReportError.at(f"chart {name}", "its message depends on its size; compute it from the table alone")
    return Drawing(said=said, page=page, phone=phone, unknown=unknown)


def _drawn(
    paint: Paint, table: pd.DataFrame, name: str, size: tuple[float, float]
) -> tuple[Sentence, str, frozenset[str]]:
    """What `paint` says and draws. Only where DejaVu Sans lacks a character, it is drawn again with other fonts."""
    from matplotlib import rc_context, style

    with style.context(["default", STYLE]), rc_context({"svg.hashsalt": name}):
        said, svg, lacking = _painted(paint, table, name, size)
        unknown = fonts.without_font(lacking)
        if lacking:
            with rc_context({"font.family": [fonts.FAMILY, *fonts.known_to_matplotlib(fonts.covering(lacking))]}):
                _, svg, _ = _painted(paint, table, name, size, unknown)
    return said, tidy(svg), unknown


def _painted(
    paint: Paint, table: pd.DataFrame, name: str, size: tuple[float, float], unknown: frozenset[str] = frozenset()
) -> tuple[Sentence, str, frozenset[str]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=size)
    said = _said(paint(figure.add_subplot(), table.copy()), name)
    if unknown:
        _spell_out(figure, unknown)
    return (said, *_saved(figure))


def _spell_out(figure: Figure, unknown: frozenset[str]) -> None:
    """Writes what no font holds as code points, in every text of `figure`."""
    from matplotlib.category import StrCategoryFormatter
    from matplotlib.text import Text
    from matplotlib.ticker import FixedFormatter, FuncFormatter

    def spelled(text: str) -> str:
        return fitting(fonts.legible(text, unknown)) if unknown.intersection(text) else text

    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        labels = axis.get_major_formatter()
        if isinstance(labels, FixedFormatter | FuncFormatter | StrCategoryFormatter):
            axis.set_major_formatter(FuncFormatter(lambda value, at, labels=labels: spelled(labels(value, at))))
    for text in figure.findobj(Text):
        text.set_text(spelled(text.get_text()))


def _said(returned: object, name: str) -> Sentence:
    said = as_sentence(returned)
    if said is None:
        raise ReportError.at(
            f"chart {name}", "paint returned no message; return the one sentence the chart is there to say"
        )
    return said


def _saved(figure: Figure) -> tuple[str, frozenset[str]]:
    """The figure as SVG, and the characters DejaVu Sans lacks. (matplotlib warns of the first of a cluster only.)"""
    from matplotlib.text import Text

    buffer = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ ")
        figure.savefig(buffer, format="svg", metadata=NO_METADATA)
    return buffer.getvalue(), fonts.lacking(text.get_text() for text in figure.findobj(Text))


def tidy(svg: str) -> str:
    """The `<svg>` element alone, small, to be set into a page among others.

    Declarations, comments (they repeat the labels), style sheets (they would reach the whole
    page), sizes and unused ids go; ids that are used get a prefix made from the content, so
    two charts of a page never share one by accident; coordinates keep two decimals.
    """
    element = svg[svg.index("<svg") :].strip()
    element = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<style[^>]*>.*?</style>", "", element, flags=re.S)
    element = re.sub(r">\s+<", "><", element)
    element = re.sub(r'(?<= )d="([^"]*)"', lambda d: f'd="{_tight(_short(" ".join(d[1].split())))}"', element)
    element = re.sub(r"translate\([^)]*\)", lambda move: _short(move[0]), element)
    element = re.sub(r'(?<= )(x|y|width|height)="[-\d.]+"', lambda at: _short(at[0]), element)
    element = re.sub(r"<defs></defs>|<defs/>", "", element)
    return _opened(_renamed(element))


def _short(numbers: str) -> str:
    """Numbers to two decimals; what rounds to zero has no sign."""
    return re.sub(r"-?\d+\.\d+", lambda n: f"{round(float(n[0]), 2) + 0.0:.2f}".rstrip("0").rstrip("."), numbers)


def _tight(path: str) -> str:
    """A path without the spaces round its commands, and without a command that only says itself again."""
    last = ""

    def command(found: re.Match[str]) -> str:
        nonlocal last
        again, last = found[1] == last and found[1] in "LQ", found[1]
        return " " if again else found[1]

    return re.sub(r" ?([A-Za-z]) ?", command, path)


def _renamed(element: str) -> str:
    used = dict.fromkeys(re.findall(r'(?:href="|url\()#([^")]+)', element))
    prefix = "r" + hashlib.sha256(element.encode()).hexdigest()[:8]
    short = {name: f"{prefix}-{number}" for number, name in enumerate(used)}
    element = re.sub(r' id="([^"]*)"', lambda i: f' id="{short[i[1]]}"' if i[1] in short else "", element)
    return re.sub(r'(href="|url\()#([^")]+)', lambda use: f"{use[1]}#{short[use[2]]}", element)


def _opened(element: str) -> str:
    """The element with an opening tag of our own: it fills the width it is given."""
    view = re.search(r'viewBox="([^"]*)"', element)
    if view is None:
        raise ReportError.at("chart", "matplotlib wrote an SVG without a viewBox; check its version")
    namespaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    looks = 'stroke-linejoin="round" stroke-linecap="butt"'
    return f'<svg {namespaces} viewBox="{view[1]}" {looks}>' + element[element.index(">") + 1 :]
