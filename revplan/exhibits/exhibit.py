"""The exhibit: one thing a report shows, with the one sentence it is there to say.

A notebook cell ends in an exhibit. What it prints as is decided here: plain
text for tests and terminals, HTML for Jupyter and the page, and raw values as JSON, from
which the other formats are made, so that their numbers cannot differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from revplan.exhibits import draw
from revplan.exhibits.chart import Chart, as_raw, checked, from_raw, in_columns
from revplan.exhibits.figures import (
    MIMETYPE,
    PRECISION,
    ROUNDING,
    Figure,
    FigureCells,
    Measure,
    Sentence,
    as_sentence,
    cell_figures,
)
from revplan.exhibits.fonts import advice, without_font
from revplan.ground.errors import ReportError, shown
from revplan.ground.escaping import clean, cut_words, escape
from revplan.ground.formats import KINDS, column, is_missing, kinds_of, labels_of, show
from revplan.ground.tables import NUMERIC
from revplan.ground.terminal import TextBlock, grid

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True, eq=False)
class Exhibit:
    """A chart, a table or a text, and its message. Made by `chart`, `table` and `text`.

    Attributes
    ----------
    said
        The conclusion in one sentence, with the figures it quotes: headline, slide title, what a notebook test compares.
    kind
        What it is.
    table
        The rows behind it; a text keeps its facts here. None where there are none.
    kinds
        The kind of each column, by name, as in `tables.csv`.
    labels
        What a column is called on the page, where its name does not do.
    totals
        How many of the last rows are totals.
    chart
        What is drawn; None for a text, and for a table that is only read.
    notes
        Sentences below it: sources, assumptions, what was left out.
    header
        The line a page names itself by (plan, date); the first one of a notebook counts.
    """

    said: Sentence
    kind: Literal["chart", "table", "text"]
    table: pd.DataFrame | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    totals: int = 0
    chart: Chart | None = None
    notes: tuple[str, ...] = ()
    header: str = ""
    facts: tuple[Figure, ...] = ()
    """The figures a text rests on."""
    cells: FigureCells | None = None
    """What the numbers of the table are."""
    shared: tuple[Figure, ...] = ()
    """Further figures it states: those that other exhibits or reports state too."""
    complete: bool = True
    """Whether every number of it is a figure; otherwise those it shares with others are."""
    appendix: bool = False
    """Whether it is there to be looked up, not to be shown."""
    lined: bool = False
    """Whether the facts of a text are sentences, set below each other in full lines."""
    brief: bool = False
    """Whether one slide has to do: rows that it cannot hold stand in the other printings."""
    periods: Mapping[str, str] = field(default_factory=dict)
    """Id to label of the periods that the figures of its report name."""
    about: Mapping[str, str] = field(default_factory=dict)
    """What its report is of, under which a pack that was shown is kept: year, period, segment, last day known, baseline."""

    @property
    def message(self) -> str:
        """What it says as text."""
        return self.said.text

    def as_appendix(self) -> Exhibit:
        """The same exhibit for readers who look things up: a page has it, a deck has it in its notes."""
        return replace(self, appendix=True)

    def as_brief(self) -> Exhibit:
        """The same table for a deck of few slides: as much of it as one slide holds."""
        return replace(self, brief=True)

    def pictured(self, described: Chart) -> Exhibit:
        """The same table drawn for who would rather look: a page and a slide show the picture, and the rows behind it."""
        drawn = checked(replace(described, said=self.said), f"chart {shown(self.message)!r}")
        return replace(self, chart=drawn, notes=_lines([*self.notes, *_advice(drawn)]))

    def with_cells(self, cells: FigureCells) -> Exhibit:
        """The same exhibit, the numbers of its table registered as figures."""
        return replace(self, cells=cells)

    def with_periods(self, labels: Mapping[str, str]) -> Exhibit:
        """The same exhibit, telling what readers call the periods that figures of its report name by their ids."""
        return replace(self, periods=dict(labels))

    def of_report(self, **about: str) -> Exhibit:
        """The same exhibit, telling what its report is of."""
        return replace(self, about=about)

    def sharing(self, *figures: Figure, cells: FigureCells | None = None) -> Exhibit:
        """The same exhibit, those of its numbers registered that other exhibits or reports state too."""
        return replace(self, shared=figures, cells=cells, complete=False)

    @property
    def worse(self) -> set[tuple[int, int]]:
        """Row and place of the cells that are a variance to the bad: they are set in the colour of a gap."""
        names = [] if self.table is None else list(self.table.columns)
        return {(row, names.index(column)) for row, column, each in self.figures if row is not None and each.is_worse}

    @property
    def figures(self) -> list[tuple[int | None, str, Figure]]:
        """Every figure, with the row and the column it stands in; those of the message stand in none."""
        quoted = [(None, "message", each) for each in self.said.figures]
        rested = [(None, "fact", each) for each in (*self.facts, *self.shared)]
        placed = cell_figures(self.table, self.cells) if self.table is not None and self.cells else []
        return [*quoted, *rested, *placed]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        told = raw(self)
        return {"text/plain": terminal(self), "text/html": page_html(told), MIMETYPE: told}


def chart(described: Chart, frame: pd.DataFrame, kinds: Mapping[str, str], *, notes: Sequence[str] = ()) -> Exhibit:
    """A chart of `frame`, under the message it says.

    Parameters
    ----------
    described
        What is drawn.
    frame
        The rows behind it.
    kinds
        The kind of each column, such as `kinds_of("pace")`.
    notes
        Sentences below the chart.

    Raises
    ------
    ReportError
        If it says nothing, a series does not have one value a category, or a column has no kind.
    """
    said = _message(described.said, "chart")
    place = f"chart {shown(said.text)!r}"
    _check_kinds(frame, kinds, place)
    return Exhibit(
        kind="chart",
        said=said,
        table=frame.copy(),
        kinds=dict(kinds),
        chart=checked(replace(described, said=said), place),
        notes=_lines([*notes, *_advice(described)]),
    )


def table(
    frame: pd.DataFrame,
    kinds: Mapping[str, str],
    message: str | Sentence,
    *,
    labels: Mapping[str, str] | None = None,
    totals: int = 0,
    notes: Sequence[str] = (),
) -> Exhibit:
    """A table of the rows of `frame`, its first column naming them, under `message`.

    Parameters
    ----------
    frame
        The rows, unrounded; the index is not shown.
    kinds
        The kind of each column: how its values are written.
    message
        The conclusion in one sentence.
    labels
        Column headings, where the column's name does not do.
    totals
        How many of the last rows are totals, set off from the others.
    notes
        Sentences below the table.

    Raises
    ------
    ReportError
        If there is no message, or a column has no kind.
    """
    said = _message(message, "table")
    _check_kinds(frame, kinds, f"table {shown(said.text)!r}")
    return Exhibit(
        kind="table",
        said=said,
        table=frame.reset_index(drop=True),
        kinds=dict(kinds),
        labels=dict(labels or {}),
        totals=totals,
        notes=_lines(notes),
    )


def table_of(
    name: str,
    frame: pd.DataFrame,
    message: str | Sentence,
    *,
    more: Mapping[str, tuple[str, str]] | None = None,
    totals: int = 0,
    notes: Sequence[str] = (),
    **words: str,
) -> Exhibit:
    """A table that the data dictionary declares: labels and kinds of its columns are those of `tables.csv`.

    Parameters
    ----------
    name
        Which of its tables.
    frame, message, totals, notes
        As for `table`.
    more
        Label and kind of what the dictionary cannot know: quarters, stages, or a column set in another way here.
    words
        What a label leaves open, such as `currency`.
    """
    added = more or {}
    kinds = {**kinds_of(name), **{column: kind for column, (_, kind) in added.items()}}
    labels = {**labels_of(name, **words), **{column: label for column, (label, _) in added.items()}}
    return table(frame, kinds, message, labels=labels, totals=totals, notes=notes)


def rows_of(drawn: Exhibit, name: str, columns: Sequence[str], currency: str) -> Exhibit:
    """The rows behind a chart under its conclusion, as the table `name` of the data dictionary has them.

    Parameters
    ----------
    columns
        Which of its columns, in order.
    """
    if drawn.table is None or drawn.kind != "chart":
        return drawn
    return table_of(name, drawn.table[list(columns)], drawn.said, notes=drawn.notes, currency=currency)


def by_quarter(quarters: pd.DataFrame, kind: str) -> dict[str, tuple[str, str]]:
    """Label and kind of a column for each row of table quarters, for `table_of`."""
    return {name: (label, kind) for name, label in zip(quarters["quarter"], quarters["label"], strict=True)}


def text(
    message: str | Sentence,
    facts: Mapping[str, str | Figure | Sentence] | None = None,
    *,
    notes: Sequence[str] = (),
    header: str = "",
) -> Exhibit:
    """A statement, with the few facts it rests on, each a label and a formatted value.

    Facts that are sentences are set below each other in full lines. The first one of a notebook with a `header` opens the page: `header` names the plan and its
    date, and `message` is repeated at the top of every printed page.

    Raises
    ------
    ReportError
        If there is no message.
    """
    import pandas as pd

    said = _message(message, "text")
    given = facts or {}
    values = given.values()
    told = [each for each in values if isinstance(each, Sentence)]
    pairs = [
        (cut_words(clean(label)), cut_words(clean(value)) if isinstance(value, str) else value.text)
        for label, value in given.items()
    ]
    quoted = [quote for each in told for quote in each.figures]
    return Exhibit(
        kind="text",
        said=replace(said, registered=said.registered and all(each.registered for each in told)),
        facts=(*(value for value in values if isinstance(value, Figure)), *quoted),
        table=pd.DataFrame(pairs, columns=["fact", "value"]) if pairs else None,
        kinds={"fact": "text", "value": "text" if told else "figure"},
        lined=bool(told),
        notes=_lines(notes),
        header=cut_words(clean(header)),
    )


def _message(message: object, place: str) -> Sentence:
    said = as_sentence(message)
    if said is None:
        raise ReportError.at(place, "has no message; give the one sentence it is there to say")
    return said


def _advice(described: Chart) -> list[str]:
    """What to install, where a chart holds letters that no font here has."""
    return list(filter(None, [advice(without_font(draw.lacking(described)))]))


def _lines(notes: Sequence[str]) -> tuple[str, ...]:
    return tuple(cut_words(clean(note)) for note in notes)


def _check_kinds(frame: pd.DataFrame, kinds: Mapping[str, str], place: str) -> None:
    for name in frame.columns:
        if kinds.get(name) not in KINDS:
            problem = f"has the unknown kind {shown(kinds[name])!r}" if name in kinds else "has no kind"
            raise ReportError.at(place, f"column {shown(name)!r} {problem}; the kinds are {', '.join(sorted(KINDS))}")


# --- the three printings of a notebook ------------------------------------------------------------------

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


def terminal(exhibit: Exhibit) -> str:
    """The exhibit for a terminal: header, message, the rows behind it in columns, notes."""
    table = grid(
        in_columns(exhibit.chart) if exhibit.chart and exhibit.kind == "chart" else _shown(exhibit),
        heads=exhibit.kind != "text",
    )
    notes = "\n".join(f"- {note}" for note in exhibit.notes)
    parts = [exhibit.header, exhibit.message, table, notes]
    return ("\n\n" if table else "\n").join(filter(None, parts))


def raw(exhibit: Exhibit) -> dict[str, Any]:
    """What other formats are made from: the message, and the values as they are, not as shown.

    Numbers keep twelve significant digits, the precision everything is rounded from: digits
    beyond that differ between machines. `shown` holds the rows of a table or a text as they are
    displayed, so that no printing formats a number its own way.
    """
    frame = exhibit.table
    names = [] if frame is None else list(frame.columns)
    values = [] if frame is None else [[_value(cell) for cell in frame[name]] for name in names]
    shown_cells = [cells for _, cells, _ in _shown(exhibit)]
    return {
        "version": 2,
        "kind": exhibit.kind,
        "message": exhibit.message,
        "alt": exhibit.message,
        "header": exhibit.header,
        "notes": list(exhibit.notes),
        "columns": [
            {"name": clean(name), "label": _label(exhibit, name), "kind": exhibit.kinds[name]} for name in names
        ],
        "rows": [list(row) for row in zip(*values, strict=True)],
        "shown": [] if exhibit.kind == "chart" else [list(row) for row in zip(*shown_cells, strict=True)],
        "totals": exhibit.totals,
        **({"worse": [list(place) for place in sorted(exhibit.worse)]} if exhibit.worse else {}),
        "appendix": exhibit.appendix,
        "native": as_raw(exhibit.chart) if exhibit.chart else None,
        **({"brief": True} if exhibit.brief else {}),
        **({"lined": True} if exhibit.lined else {}),
        **({"periods": dict(exhibit.periods)} if exhibit.periods else {}),
        **({"about": dict(exhibit.about)} if exhibit.about else {}),
        **_registered(exhibit),
    }


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


def page_html(raw: Mapping[str, Any], say: Callable[[str], str] = str) -> str:
    """The exhibit whose values are `raw` as one `<figure>` for Jupyter and the page; `say` says the page's own words."""
    headline = f'<figcaption style="font-weight:600">{escape(raw["message"])}</figcaption>'
    drawn = f"{headline}{_drawings(from_raw(raw['native'], raw['message']))}" if raw["native"] else headline
    body, breadth = drawn, ""
    if raw["kind"] == "text":
        body = f"{headline}{_facts(raw)}"
    elif raw["kind"] == "table":
        body, breadth = _table(raw), _breadth(raw)
        if raw["native"]:
            body = f"{drawn}<details><summary>{escape(say('Table'))}</summary>{body}</details>"
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in raw["notes"])
    said = comments_in_page(raw.get("comments", []))
    return f'<figure class="exhibit {raw["kind"]}{breadth} {NO_MATHS}">{body}{notes}{said}</figure>'


def _drawings(described: Chart) -> str:
    """A chart as a page holds it: drawn for a wide one, and for a phone."""
    page = draw.svg(described).replace("<svg", '<svg class="on-page" style="max-width:54rem"', 1)
    phone = draw.svg(described, draw.PHONE).replace("<svg", '<svg class="on-phone" style="display:none"', 1)
    return f"{page}{phone}"


def _facts(raw: Mapping[str, Any]) -> str:
    """The facts of a text, as tiles side by side or in full lines."""
    pairs = raw["shown"]
    if not pairs:
        return ""
    if raw.get("lined"):
        lines = "".join(f"<div><dt>{escape(label)}</dt><dd>{escape(line)}</dd></div>" for label, line in pairs)
        return f'<dl class="lines">{lines}</dl>'
    facts = "".join(
        f'<div><dt style="float:none;width:auto">{escape(fact)}</dt><dd{_long(value, 18)}>{escape(value)}</dd></div>'
        for fact, value in pairs
    )
    rows = -(-len(pairs) // TILES)
    return f'<dl style="--tiles:{-(-len(pairs) // rows)};{TILED}">{facts}</dl>'


def _table(raw: Mapping[str, Any]) -> str:
    numbers = [set_as_number(column["kind"]) for column in raw["columns"]]
    labels = (escape(column["label"]) for column in raw["columns"])
    head = "".join(_cell("th", label, number, "col") for label, number in zip(labels, numbers, strict=True))
    worse = {tuple(place) for place in raw.get("worse", [])}
    rows = [
        _row(cells, numbers, [(at, place) in worse for place in range(len(cells))])
        for at, cells in enumerate(raw["shown"])
    ]
    split = len(rows) - raw["totals"]
    foot = f"<tfoot>{''.join(rows[split:])}</tfoot>" if raw["totals"] else ""
    message = escape(raw["message"])
    caption = f'<caption style="text-align:left;font-weight:600"><span>{message}</span></caption>'
    return (
        f'<div class="scroll" role="region" tabindex="0" aria-label="{message}">'
        f"<table>{'' if raw['native'] else caption}"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows[:split])}</tbody>{foot}</table></div>"
    )


def _row(cells: Sequence[str], numbers: Iterable[bool], worse: Iterable[bool]) -> str:
    tags = (
        _cell("td" if place else "th", escape(cell), number, "" if place else "row", " worse" if bad else "")
        for place, (cell, number, bad) in enumerate(zip(cells, numbers, worse, strict=True))
    )
    return f"<tr>{''.join(tags)}</tr>"


def _cell(tag: str, content: str, number: bool, scope: str, way: str = "") -> str:
    """One cell; Jupyter, which lacks the page's style, sets numbers right by itself but words too."""
    scoped = f' scope="{scope}"' if scope else ""
    looks = f' class="n{way}"' if number else _long(content, WORDS) + ' style="text-align:left"'
    return f"<{tag}{scoped}{looks}>{content}</{tag}>"


def _long(content: str, most: int) -> str:
    """Marks what needs room to be set in more than one line."""
    return ' class="long"' if len(content) > most else ""


def _breadth(raw: Mapping[str, Any]) -> str:
    """The class of a table that is set smaller for its width."""
    width = 0
    for at, each in enumerate(raw["columns"]):
        longest = max(map(len, [*each["label"].split(), *(row[at] for row in raw["shown"])]), default=0)
        width += 2 + (longest if set_as_number(each["kind"]) else min(longest, WORDS))
    return " vast" if width > VAST else " wide" if width > WIDE else ""


def _shown(exhibit: Exhibit) -> list[TextBlock]:
    frame, kinds = exhibit.table, exhibit.kinds
    if frame is None:
        return []
    return [
        (_label(exhibit, name), list(map(cut_words, column(frame[name], kinds[name]))), set_as_number(kinds[name]))
        for name in frame.columns
    ]


def set_as_number(kind: str) -> bool:
    """Whether a column of that kind is set to the right, as numbers are."""
    return kind in NUMERIC or kind == "figure"


def _label(exhibit: Exhibit, name: Any) -> str:
    if name in exhibit.labels:
        return cut_words(clean(exhibit.labels[name]))
    if type(name).__name__ == "Period":
        return show(name, "month")
    words = clean(name).replace("_", " ")
    return words[:1].upper() + words[1:]


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


# --- what people say beside it --------------------------------------------------------------------


def comments(raw: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """What people say beside an exhibit, a line each, and whether it has expired."""
    told = raw.get("comments", [])
    return [(" ".join(filter(None, [each["line"], each["expired"]])), bool(each["expired"])) for each in told]


def comments_in_page(told: Iterable[Mapping[str, str]]) -> str:
    """Comments as a page shows them: a paragraph each, in grey and with what it was written of where it has expired."""
    return "".join(
        f'<p class="comment expired" style="opacity:.55">{escape(each["line"])} <em>{escape(each["expired"])}</em></p>'
        if each["expired"]
        else f'<p class="comment">{escape(each["line"])}</p>'
        for each in told
    )


def below(raw: Mapping[str, Any]) -> list[str]:
    """All that stands below an exhibit where nothing can be set in grey: what people say, then its notes."""
    return [*(line for line, _ in comments(raw)), *raw["notes"]]
