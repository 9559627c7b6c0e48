"""Figures: the numbers of a report, each with a name, a period and a basis, defined once in `measures.csv`.

A number that stands in two places is one figure: it has one id, and so one value. Exhibits carry
their figures along; `registry` holds those of a whole report against each other.

The figures of a planned year that several exhibits and reports state: each named the same wherever it stands.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import pandas as pd

from revplan.ground.errors import ReportError, shown
from revplan.ground.escaping import clean, cut_words
from revplan.ground.formats import compact, is_missing, show, whole_amounts
from revplan.plan.model import Plan

MIMETYPE = "application/vnd.revplan.exhibit+json"
"""Under which a notebook keeps an exhibit's values: every format is made from them."""

PRECISION = 12
"""Significant digits a value is kept with: those beyond differ between machines."""

ROUNDING = {
    "money": "whole units; in sentences three digits",
    "commitment": "rounded up",
    "share": "one decimal of a percent; none where all are whole, two where one is below 0.1%",
    "count": "one decimal below a hundred, none where all are whole",
    "number": "one decimal below a hundred, none where all are whole",
    "days": "one decimal",
    "ratio": "three decimals below 2, two below 10, one above",
}
"""How the values of each kind are rounded for display, in words; `formats` does it."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """What is measured, as `measures.csv` defines it."""

    name: str
    label: str
    kind: str
    """The kind of its values, as in `tables.csv`."""
    signed: bool
    """Whether it is a difference, of which a sentence says + too."""
    good: str
    """Which way it is better, `up` or `down`; the other way for the terms after `except`; empty where neither is."""
    additive: bool
    """Whether parts add up to their total."""
    at_most_one: bool
    """Whether it is a share of a whole, so that more than 100 % is a fault."""
    basis: str
    """What it rests on, where it always rests on the same."""
    formula: str
    """How it is computed, in words."""
    source: str
    """Where its inputs come from."""


def better(measure: Measure, of: Mapping[str, str]) -> int:
    """+1 where more of it is better, -1 where less is, 0 where neither."""
    way, _, others = measure.good.partition(" except ")
    return 0 if not way else 1 if (way == "up") != (of.get("term") in others.split()) else -1


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One number of a report."""

    measure: Measure
    value: float | None
    """To twelve digits; already rounded where parts must add up as displayed. None where there is none."""
    period: str
    """When it counts, such as 2026-Q3."""
    basis: str
    """What it rests on, such as planned or actual."""
    of: tuple[tuple[str, str], ...] = ()
    """What it is of, such as (("stage", "sql"),)."""
    currency: str = ""

    @property
    def id(self) -> str:
        """Name of the figure: the same wherever it stands."""
        place = ",".join(f"{key}={name}" for key, name in self.of)
        return " ".join(filter(None, [self.measure.name, place and f"[{place}]", self.period, self.basis]))

    @property
    def text(self) -> str:
        """The figure as a sentence says it."""
        if self.measure.kind == "money" and self.value is not None:
            plus = "+" if self.measure.signed and self.value > 0 else ""
            return f"{plus}{compact(self.value, self.currency)}"
        return show(self.value, self.measure.kind)

    @property
    def is_worse(self) -> bool:
        """Whether it is a variance to the bad, whatever its sign: fewer wins, more churn."""
        return (self.value or 0.0) * better(self.measure, dict(self.of)) < 0


@dataclass(frozen=True, kw_only=True)
class Sentence:
    """A sentence and the figures it quotes."""

    text: str
    figures: tuple[Figure, ...] = ()
    registered: bool = False
    """Whether every number in it is a figure or part of a name."""


MeasuredColumns = Mapping[str, Mapping[str, str] | str]


@dataclass(frozen=True, kw_only=True)
class FigureCells:
    """What the numbers of a table are: each of a row and a column, each of which says its part.

    A part may say `measure`, `period`, `basis`; every other key is what the number is of. A cell without a
    measure holds no figure. A column that says its measure alone may be that measure's name.
    """

    rows: Sequence[Mapping[str, str]]
    columns: MeasuredColumns
    currency: str = ""
    of: Mapping[str, str] = field(default_factory=dict)
    """What all of them say, where a column or a row does not say it."""


@cache
def measures() -> Mapping[str, Measure]:
    """Every measure of `measures.csv`, by name."""
    text = resources.files("revplan.exhibits").joinpath("measures.csv").read_text(encoding="utf-8")
    answers = ("signed", "additive", "at_most_one")
    found = {}
    for row in csv.DictReader(text.splitlines()):
        told: dict[str, Any] = {key: value == "yes" if key in answers else value for key, value in row.items()}
        found[row["measure"]] = Measure(name=told.pop("measure"), **told)
    return found


def figure(measure: str, value: float | None, period: str, basis: str = "", currency: str = "", **of: str) -> Figure:
    """The value of `measure` in `period`. Its basis is the measure's own where none is given.

    Raises
    ------
    ReportError
        If `measures.csv` does not define the measure.
    """
    defined = measures().get(measure)
    if defined is None:
        raise ReportError.at(f"figure {shown(measure)!r}", "is not defined; add a row to measures.csv")
    return Figure(
        measure=defined,
        value=None if is_missing(value) else float(f"{value:.{PRECISION}g}"),
        period=clean(period),
        basis=clean(basis or defined.basis),
        of=tuple((key, clean(name)) for key, name in sorted(of.items())),
        currency=currency,
    )


def say(template: str, **parts: Figure | str) -> Sentence:
    """`template` with its `{parts}` filled in: figures as they are quoted, texts as names.

    Raises
    ------
    ReportError
        If the template itself holds a digit: a number without a figure.
    """
    if re.search(r"\d", re.sub(r"\{\w+\}", "", template)):
        raise ReportError.at(f"sentence {shown(template)!r}", "states a number itself; hand it in as a figure")
    words = {name: part.text if isinstance(part, Figure) else part for name, part in parts.items()}
    quoted = tuple(part for part in parts.values() if isinstance(part, Figure))
    return Sentence(text=cut_words(clean(template.format_map(words))), figures=quoted, registered=True)


def joined(*sentences: Sentence, glue: str = " ") -> Sentence:
    """Sentences one after the other."""
    return Sentence(
        text=glue.join(sentence.text for sentence in sentences),
        figures=tuple(figure for sentence in sentences for figure in sentence.figures),
        registered=all(sentence.registered for sentence in sentences),
    )


def as_sentence(message: object) -> Sentence | None:
    """A message of either form as a sentence; None where it says nothing."""
    if isinstance(message, Sentence):
        return message if message.text else None
    if not isinstance(message, str) or not clean(message):
        return None
    return Sentence(text=cut_words(clean(message)), registered=not re.search(r"\d", message))


def cell_figures(frame: pd.DataFrame, cells: FigureCells) -> list[tuple[int, str, Figure]]:
    """The figure in each cell of `frame` that `cells` describes, with its row and column.

    Raises
    ------
    ReportError
        If `cells` does not describe as many rows as there are.
    """
    if len(cells.rows) != len(frame):
        raise ReportError.at("table", f"has {len(frame)} rows, of which {len(cells.rows)} are described")
    found = []
    for row, own in enumerate(cells.rows):
        for column in (each for each in frame.columns if each in cells.columns):
            part = cells.columns[column]
            told = {"measure": part} if isinstance(part, str) else part
            said = {"period": "", "basis": "", **cells.of, **told, **own, "currency": cells.currency}
            if "measure" in said:
                found.append((row, column, figure(value=frame[column].iloc[row], **said)))
    return found


OF_EXPECTED = "of the expected commit"
"""Basis of what the expected commit brings: a landing, which goes by what is signed and by today, says something else."""
TO_SIGN = "to sign"
"""Basis of what is to be signed for the plan's confidence, as the board pack calls it."""
OF_QUARTER: dict[str, dict[str, str] | str] = {
    "goal": {"measure": "new_arr", "basis": "goal"},
    "commit_arr": "commit_arr",
    "open_pipeline": "open_arr",
    "won": "won_arr",
    **{name: name for name in ("shortfall", "surplus", "before_plan_date")},
}
"""What the columns of table quarters measure."""
ADDING_UP = ("goal", "commit_arr", "open_pipeline", "won", "before_plan_date")


def of_year(plan: Plan, measure: str, value: float | None, basis: str = "", **of: str) -> Figure:
    """A figure of the plan's year, in its currency."""
    return figure(measure, value, year_id(plan), basis, plan.currency, **of)


def year_id(plan: Plan) -> str:
    """The id of the plan's year as a period."""
    return str(plan.first_month.year)


def in_whole_units(quarters: pd.DataFrame) -> pd.DataFrame:
    """Table quarters with amounts in whole units that add up to the year."""
    return quarters.assign(**{name: whole_amounts(quarters[name].to_numpy(dtype=float)) for name in ADDING_UP})


def quarter_cells(plan: Plan, quarters: pd.DataFrame) -> FigureCells:
    """What table quarters holds."""
    rows = [{"period": name} for name in quarters["quarter"]]
    return FigureCells(rows=rows, columns=OF_QUARTER, currency=plan.currency)


def year_cells(plan: Plan, rows: Iterable[Mapping[str, str]], columns: MeasuredColumns, basis: str = "") -> FigureCells:
    """What a table of the plan's year holds: per column its measure, or all that it says."""
    of = {"period": year_id(plan), "basis": basis}
    return FigureCells(rows=list(rows), columns=columns, currency=plan.currency, of=of)
