"""The exhibit: one thing a report shows, with the one sentence it is there to say.

A notebook cell ends in an exhibit. What it prints as is decided here and in `markup`: plain
text for tests and terminals, HTML for Jupyter and the page, and raw values as JSON, from
which the other formats are made, so that their numbers cannot differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from revplan.exhibits import markup
from revplan.exhibits.drawing import Paint, drawing
from revplan.exhibits.figures import MIMETYPE, Cells, Figure, Sentence, as_sentence, cell_figures
from revplan.exhibits.fonts import advice
from revplan.exhibits.native import Describe, Native, checked
from revplan.ground.errors import ReportError, shown
from revplan.ground.escaping import clean, cut_words
from revplan.ground.formats import KINDS

if TYPE_CHECKING:
    import pandas as pd

SILENT = Sentence(text="")


@dataclass(frozen=True, kw_only=True, eq=False)
class Exhibit:
    """A chart, a table or a text, and its message. Made by `chart`, `table` and `text`.

    Attributes
    ----------
    message
        The conclusion in one sentence: headline, slide title, what a notebook test compares.
    kind
        What it is.
    alt
        What a reader who cannot see it is told; the message unless more is needed.
    table
        The rows behind it; a text keeps its facts here. None where there are none.
    kinds
        The kind of each column, by name, as in `tables.csv`.
    labels
        What a column is called on the page, where its name does not do.
    totals
        How many of the last rows are totals.
    svg, svg_phone
        The chart as it is drawn for a page, and for a phone.
    notes
        Sentences below it: sources, assumptions, what was left out.
    header
        The line a page names itself by (plan, date); the first one of a notebook counts.
    """

    message: str
    kind: Literal["chart", "table", "text"]
    alt: str
    table: pd.DataFrame | None = None
    kinds: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    totals: int = 0
    svg: str | None = None
    svg_phone: str | None = None
    notes: tuple[str, ...] = ()
    header: str = ""
    said: Sentence = SILENT
    """The message with the figures it quotes."""
    facts: tuple[Figure, ...] = ()
    """The figures a text rests on."""
    cells: Cells | None = None
    """What the numbers of the table are."""
    shared: tuple[Figure, ...] = ()
    """Further figures it states: those that other exhibits or reports state too."""
    complete: bool = True
    """Whether every number of it is a figure; otherwise those it shares with others are."""
    appendix: bool = False
    """Whether it is there to be looked up, not to be shown."""
    brief: bool = False
    """Whether one slide has to do: rows that it cannot hold stand in the other printings."""
    native: Native | None = None
    """The chart in numbers, for a presentation that draws it itself."""
    periods: Mapping[str, str] = field(default_factory=dict)
    """Id to label of the periods that the figures of its report name."""

    def with_native(self, describe: Describe) -> Exhibit:
        """The same chart, with what `describe(table)` gives beside its drawing: an editable chart of a presentation.

        Raises
        ------
        ReportError
            If a series of it does not have one value a category.
        """
        if self.table is None:
            return self
        return replace(self, native=checked(describe(self.table.copy()), f"chart {shown(self.message)!r}"))

    def as_appendix(self) -> Exhibit:
        """The same exhibit for readers who look things up: a page has it, a deck has it in its notes."""
        return replace(self, appendix=True)

    def as_brief(self) -> Exhibit:
        """The same table for a deck of few slides: as much of it as one slide holds."""
        return replace(self, brief=True)

    def with_cells(self, cells: Cells) -> Exhibit:
        """The same exhibit, the numbers of its table registered as figures."""
        return replace(self, cells=cells)

    def with_periods(self, labels: Mapping[str, str]) -> Exhibit:
        """The same exhibit, telling what readers call the periods that figures of its report name by their ids."""
        return replace(self, periods=dict(labels))

    def sharing(self, *figures: Figure, cells: Cells | None = None) -> Exhibit:
        """The same exhibit, those of its numbers registered that other exhibits or reports state too."""
        return replace(self, shared=figures, cells=cells, complete=False)

    @property
    def figures(self) -> list[tuple[int | None, str, Figure]]:
        """Every figure, with the row and the column it stands in; those of the message stand in none."""
        quoted = [(None, "message", each) for each in self.said.figures]
        rested = [(None, "fact", each) for each in (*self.facts, *self.shared)]
        placed = cell_figures(self.table, self.cells) if self.table is not None and self.cells else []
        return [*quoted, *rested, *placed]

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        return {
            "text/plain": markup.plain(self),
            "text/html": markup.page_html(self),
            MIMETYPE: markup.raw(self),
        }


def chart(
    paint: Paint,
    frame: pd.DataFrame,
    kinds: Mapping[str, str],
    *,
    notes: Sequence[str] = (),
    height: float = 3.1,
    name: str = "",
) -> Exhibit:
    """A chart of `frame`: what `paint(ax, frame)` draws, under the message it returns.

    Parameters
    ----------
    paint
        Draws into the axes it is given and returns the one sentence to say. It is called
        twice, for a page and for a phone, and draws nothing `frame` lacks.
    frame
        The rows that are drawn.
    kinds
        The kind of each column, such as `kinds_of("pace")`.
    notes
        Sentences below the chart.
    height
        Height on a page. [inches]
    name
        Seeds the ids inside the drawing; the name of `paint` unless given.

    Raises
    ------
    ReportError
        If `paint` returns no message, or a column has no kind.
    """
    name = name or getattr(paint, "__name__", "chart")
    _check_kinds(frame, kinds, f"chart {name}")
    drawn = drawing(paint, frame, name, height)
    return Exhibit(
        message=drawn.said.text,
        kind="chart",
        alt=drawn.said.text,
        said=drawn.said,
        table=frame.copy(),
        kinds=dict(kinds),
        svg=drawn.page,
        svg_phone=drawn.phone,
        notes=_lines([*notes, *filter(None, [advice(drawn.unknown)])]),
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
        message=said.text,
        kind="table",
        alt=said.text,
        said=said,
        table=frame.reset_index(drop=True),
        kinds=dict(kinds),
        labels=dict(labels or {}),
        totals=totals,
        notes=_lines(notes),
    )


def text(
    message: str | Sentence,
    facts: Mapping[str, str | Figure] | None = None,
    *,
    notes: Sequence[str] = (),
    header: str = "",
) -> Exhibit:
    """A statement, with the few facts it rests on, each a label and a formatted value.

    The first one of a notebook with a `header` opens the page: `header` names the plan and its
    date, and `message` is repeated at the top of every printed page.

    Raises
    ------
    ReportError
        If there is no message.
    """
    import pandas as pd

    said = _message(message, "text")
    given = facts or {}
    pairs = [
        (cut_words(clean(label)), value.text if isinstance(value, Figure) else cut_words(clean(value)))
        for label, value in given.items()
    ]
    return Exhibit(
        message=said.text,
        kind="text",
        alt=said.text,
        said=said,
        facts=tuple(value for value in given.values() if isinstance(value, Figure)),
        table=pd.DataFrame(pairs, columns=["fact", "value"]) if pairs else None,
        kinds={"fact": "text", "value": "figure"},
        notes=_lines(notes),
        header=cut_words(clean(header)),
    )


def _message(message: object, place: str) -> Sentence:
    said = as_sentence(message)
    if said is None:
        raise ReportError.at(place, "has no message; give the one sentence it is there to say")
    return said


def _lines(notes: Sequence[str]) -> tuple[str, ...]:
    return tuple(cut_words(clean(note)) for note in notes)


def _check_kinds(frame: pd.DataFrame, kinds: Mapping[str, str], place: str) -> None:
    for name in frame.columns:
        if kinds.get(name) not in KINDS:
            came = f"has the unknown kind {shown(kinds[name])!r}" if name in kinds else "has no kind"
            raise ReportError.at(place, f"column {shown(name)!r} {came}; the kinds are {', '.join(sorted(KINDS))}")
