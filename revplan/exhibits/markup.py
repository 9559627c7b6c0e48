"""An exhibit as plain text, as HTML and as raw values. Every name is escaped here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from revplan.exhibits.figures import PRECISION, ROUNDING, Figure, Measure
from revplan.exhibits.native import as_raw
from revplan.ground.escaping import clean, cut_words, escape
from revplan.ground.formats import MINUS, column, is_missing, show
from revplan.ground.tables import NUMERIC

if TYPE_CHECKING:
    from revplan.exhibits.exhibit import Exhibit

Column = tuple[str, list[str], bool]
"""A column as it is read: its label, its cells, and whether they are set as numbers."""

PLAIN_ROWS = 40
WIDE, VAST = 80, 115
"""Characters in a row from which a table is set smaller, and on a page of its own on its side."""

WORDS = 22
"""Characters after which words are set in another line; numbers never are."""

TILES = 5
"""Most facts that stand side by side."""

# JupyterLab has none of the page's style, so what a reader needs there stands in the elements.
NO_MATHS = "tex2jax_ignore mathjax_ignore"
"""Classes that keep Jupyter from setting `$5M to $10M` as a formula."""
TILED = "display:grid;grid-template-columns:repeat(auto-fit,minmax(max(10rem,100%/var(--tiles) - 1px),1fr))"


def plain(exhibit: Exhibit) -> str:
    """The message, and below it the table in columns."""
    if exhibit.table is None or exhibit.kind == "chart":
        return exhibit.message
    shown = _shown(exhibit)
    columns = [_plain_column(label, cells, number) for label, cells, number in shown]
    lines = [" | ".join(cells).rstrip() for cells in zip(*columns, strict=True)]
    rest = len(exhibit.table) - PLAIN_ROWS
    return "\n".join([exhibit.message, "", *lines, *([f"({rest} more rows)"] if rest > 0 else [])])


def page_html(exhibit: Exhibit) -> str:
    """The exhibit as one `<figure>` for Jupyter and the page."""
    body = {"chart": _chart, "table": _table, "text": _text}[exhibit.kind](exhibit)
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in exhibit.notes)
    return f'<figure class="exhibit {exhibit.kind}{_breadth(exhibit)} {NO_MATHS}">{body}{notes}</figure>'


def raw(exhibit: Exhibit) -> dict[str, Any]:
    """What other formats are made from: the message, and the values as they are, not as shown.

    Numbers keep twelve significant digits, the precision everything is rounded from: digits
    beyond that differ between machines. `shown` holds the rows of a table or a text as they are
    displayed, so that no printing formats a number its own way.
    """
    frame = exhibit.table
    names = [] if frame is None else list(frame.columns)
    values = [] if frame is None else [[_value(cell) for cell in frame[name]] for name in names]
    return {
        "version": 2,
        "kind": exhibit.kind,
        "message": exhibit.message,
        "alt": exhibit.alt,
        "header": exhibit.header,
        "notes": list(exhibit.notes),
        "columns": [
            {"name": clean(name), "label": _label(exhibit, name), "kind": exhibit.kinds[name]} for name in names
        ],
        "rows": [list(row) for row in zip(*values, strict=True)],
        "shown": [] if exhibit.kind == "chart" else [list(row) for row in zip(*_cells(exhibit), strict=True)],
        "totals": exhibit.totals,
        "appendix": exhibit.appendix,
        "native": as_raw(exhibit.native) if exhibit.native else None,
        **({"brief": True} if exhibit.brief else {}),
        **({"periods": dict(exhibit.periods)} if exhibit.periods else {}),
        **_registered(exhibit),
    }


def _cells(exhibit: Exhibit) -> list[list[str]]:
    return [cells for _, cells, _ in _shown(exhibit)]


def _registered(exhibit: Exhibit) -> dict[str, Any]:
    """The figures of the exhibit, and the definitions of what they measure."""
    found = exhibit.figures
    return {
        "registered": exhibit.said.registered,
        "complete": exhibit.complete,
        "figures": [{**_figure(each), "row": row, "column": column} for row, column, each in found],
        "definitions": {each.measure.name: _definition(each.measure) for _, _, each in found},
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "id": figure.id,
        "measure": figure.measure.name,
        "label": figure.measure.label,
        "of": dict(figure.of),
        "period": figure.period,
        "basis": figure.basis,
        "kind": figure.measure.kind,
        "value": figure.value,
        "text": figure.text,
    }


def _definition(measure: Measure) -> dict[str, Any]:
    return {
        "label": measure.label,
        "formula": measure.formula,
        "unit": measure.kind,
        "rounding": ROUNDING[measure.kind],
        "source": measure.source,
        "additive": measure.additive,
        "at_most_one": measure.at_most_one,
    }


def _chart(exhibit: Exhibit) -> str:
    alt = f'role="img" aria-label="{escape(exhibit.alt)}"'
    page = (exhibit.svg or "").replace("<svg", f'<svg class="on-page" style="max-width:54rem" {alt}', 1)
    phone = (exhibit.svg_phone or "").replace("<svg", f'<svg class="on-phone" style="display:none" {alt}', 1)
    return f"{_headline(exhibit)}{page}{phone}"


def _headline(exhibit: Exhibit) -> str:
    return f'<figcaption style="font-weight:600">{escape(exhibit.message)}</figcaption>'


def _text(exhibit: Exhibit) -> str:
    headline = _headline(exhibit)
    if exhibit.table is None:
        return headline
    pairs = zip(exhibit.table["fact"], exhibit.table["value"], strict=True)
    facts = "".join(
        f'<div><dt style="float:none;width:auto">{escape(fact)}</dt><dd{_long(value, 18)}>{escape(value)}</dd></div>'
        for fact, value in pairs
    )
    rows = -(-len(exhibit.table) // TILES)
    return f'{headline}<dl style="--tiles:{-(-len(exhibit.table) // rows)};{TILED}">{facts}</dl>'


def _table(exhibit: Exhibit) -> str:
    shown = _shown(exhibit)
    head = "".join(_cell("th", escape(label), number, "col") for label, _, number in shown)
    rows = [_row(cells, [number for _, _, number in shown]) for cells in zip(*(c for _, c, _ in shown), strict=True)]
    split = len(rows) - exhibit.totals
    foot = f"<tfoot>{''.join(rows[split:])}</tfoot>" if exhibit.totals else ""
    message = escape(exhibit.message)
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{message}">'
        f'<table><caption style="text-align:left;font-weight:600"><span>{message}</span></caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows[:split])}</tbody>{foot}</table></div>"
    )


def _row(cells: Iterable[str], numbers: Iterable[bool]) -> str:
    tags = (
        _cell("td" if place else "th", escape(cell), number, "" if place else "row")
        for place, (cell, number) in enumerate(zip(cells, numbers, strict=True))
    )
    return f"<tr>{''.join(tags)}</tr>"


def _cell(tag: str, content: str, number: bool, scope: str) -> str:
    """One cell; Jupyter, which lacks the page's style, sets numbers right by itself but words too."""
    scoped = f' scope="{scope}"' if scope else ""
    minus = " minus" if content.startswith(MINUS) else ""
    looks = f' class="n{minus}"' if number else _long(content, WORDS) + ' style="text-align:left"'
    return f"<{tag}{scoped}{looks}>{content}</{tag}>"


def _long(content: str, most: int) -> str:
    """Marks what needs room to be set in more than one line."""
    return ' class="long"' if len(content) > most else ""


def _breadth(exhibit: Exhibit) -> str:
    if exhibit.kind != "table":
        return ""
    width = sum(_width(label, cells, number) + 2 for label, cells, number in _shown(exhibit))
    return " vast" if width > VAST else " wide" if width > WIDE else ""


def _width(label: str, cells: list[str], number: bool) -> int:
    longest = max(map(len, [*label.split(), *cells]), default=0)
    return longest if number else min(longest, WORDS)


def _shown(exhibit: Exhibit) -> list[Column]:
    frame, kinds = exhibit.table, exhibit.kinds
    if frame is None:
        return []
    return [
        (_label(exhibit, name), list(map(cut_words, column(frame[name], kinds[name]))), _set_as_number(kinds[name]))
        for name in frame.columns
    ]


def _set_as_number(kind: str) -> bool:
    return kind in NUMERIC or kind == "figure"


def _label(exhibit: Exhibit, name: Any) -> str:
    if name in exhibit.labels:
        return cut_words(clean(exhibit.labels[name]))
    if type(name).__name__ == "Period":
        return show(name, "month")
    words = clean(name).replace("_", " ")
    return words[:1].upper() + words[1:]


def _plain_column(label: str, cells: list[str], number: bool) -> list[str]:
    lines = [label, *cells[:PLAIN_ROWS]]
    width = max(map(len, lines))
    return [line.rjust(width) if number else line.ljust(width) for line in lines]


def _value(cell: Any) -> Any:
    """`cell` as JSON can hold it: months and days as text, no NaN."""
    if is_missing(cell):
        return None
    if type(cell).__name__ == "Period":
        return f"{cell.year:04d}-{cell.month:02d}"
    if hasattr(cell, "isoformat"):
        return cell.isoformat()[:10]
    if hasattr(cell, "item"):
        cell = cell.item()
    if isinstance(cell, float):
        return float(f"{cell:.{PRECISION}g}") if abs(cell) != float("inf") else None
    return cell if isinstance(cell, bool | int) else clean(cell)
