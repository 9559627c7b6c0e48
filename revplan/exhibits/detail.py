"""One page of the pack is for its audience: who is behind, the ARR bridge, or the variance cell by cell."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

import pandas as pd

from revplan.exhibits.attainment import ACTUAL, PLANNED, STEPS, money, new_arr, nothing_yet, whole
from revplan.exhibits.exhibit import Exhibit, table_of
from revplan.exhibits.figures import FigureCells, MeasuredColumns, Sentence, figure, say
from revplan.exhibits.performance import sources
from revplan.ground.errors import PlanError, shown
from revplan.ground.formats import counted, largest_remainder, round_half_up, steady_order
from revplan.tracking.book import BoardBook

Show = TypeVar("Show")

TERMS = {
    "opening": "Opening ARR",
    "new": "New",
    "expansion": "Expansion",
    "contraction": "Contraction",
    "churn": "Churn",
    "closing": "Closing ARR",
}
LESS = ("contraction", "churn")
MOST_CELLS = 12


def detail(book: BoardBook, audience: str) -> Exhibit:
    """What this audience asks about first.

    Parameters
    ----------
    audience
        `board`: which source is behind; `finance`: the ARR bridge; `team`: the variance of every segment and source.

    Raises
    ------
    PlanError
        If the audience is another.
    """
    return for_audience(audience, AUDIENCES)(book)


def for_audience(audience: str, shows: Mapping[str, Show]) -> Show:
    """What is shown to an audience, of what each is shown.

    Raises
    ------
    PlanError
        If the audience is another.
    """
    if audience not in shows:
        raise PlanError.at("audience", f"got {shown(audience)!r}; it is one of {', '.join(shows)}")
    return shows[audience]


# --- finance -------------------------------------------------------------------------------------


def arr_bridge(book: BoardBook) -> Exhibit:
    """From opening to closing ARR of the quarter, as planned and as booked."""
    return _bridge(book, 0, _bridge_message, "Contraction and churn are what is lost. {basis}.")


def retention(book: BoardBook) -> Exhibit:
    """From opening to closing ARR of the year so far, as planned and as booked, and what became of existing customers."""
    return _bridge(book, -1, _retention_message, "Contraction and churn are what is lost.")


Message = Callable[[BoardBook, pd.DataFrame, pd.DataFrame], Sentence]
"""What is said of a bridge: of its rows as displayed, and as table arr_bridge has them."""


def _bridge(book: BoardBook, span: int, message: Message, note: str) -> Exhibit:
    """The bridge of one of the spans of the book."""
    label = book.spans[span].label if book.spans else ""
    found = book.arr_bridge[book.arr_bridge["period"] == label]
    if found.empty:
        return nothing_yet(book, "No ARR movements are booked that the bridge could be made of.")
    frame, notes = _bridge_rows(found, book.decimals), [note.format(basis=found["basis"].iloc[0])]
    period, currency = book.plan.period_label(label), book.plan.currency
    made = table_of("arr_bridge", frame, message(book, frame, found), notes=notes, period=period, currency=currency)
    booked = {name: {"measure": "arr_term", "basis": name} for name in (PLANNED, ACTUAL)}
    columns: MeasuredColumns = {**booked, "gap": "arr_term_gap"}
    rows = [{"term": term} for term in TERMS]
    return made.with_cells(FigureCells(rows=rows, columns=columns, currency=currency, of={"period": label}))


def _retention_message(book: BoardBook, frame: pd.DataFrame, found: pd.DataFrame) -> Sentence:
    """Closing ARR and net revenue retention, planned and actual, as far as all of their terms are known."""
    terms, label = frame.set_index("term"), str(found["period"].iloc[0])
    closing = {
        side: money(book, "arr_term", terms[side]["Closing ARR"], label, side, term="closing")
        for side in (PLANNED, ACTUAL)
    }
    if None in (closing[ACTUAL].value, closing[PLANNED].value):
        return _bridge_message(book, frame, found)
    kept = {side: figure("nrr", _net_retention(terms[side]), label, side) for side in (PLANNED, ACTUAL)}
    told = None not in (kept[PLANNED].value, kept[ACTUAL].value)
    nrr = ", and net revenue retention is {kept} against {kept_planned}" if told else ""
    return say(
        f"ARR stands at {{actual}}, where the goal needs {{planned}} by then{nrr} ({{basis}}).",
        actual=closing[ACTUAL],
        planned=closing[PLANNED],
        basis=str(found["basis"].iloc[0]),
        **({"kept": kept[ACTUAL], "kept_planned": kept[PLANNED]} if told else {}),
    )


def _net_retention(terms: pd.Series) -> float | None:
    """Share of the opening ARR that its customers pay now, from the terms as displayed. [ratio]"""
    opening = terms[TERMS["opening"]]
    if not opening > 0:
        return None
    lost = terms[TERMS["contraction"]] + terms[TERMS["churn"]]
    return float(opening + terms[TERMS["expansion"]] - lost) / float(opening)


def _bridge_rows(found: pd.DataFrame, decimals: int) -> pd.DataFrame:
    """The terms in whole units; the closing ARR is what the displayed terms come to."""
    shown_terms = {name: _adding_up(found.set_index("term")[name], decimals) for name in (PLANNED, ACTUAL)}
    frame = pd.DataFrame(shown_terms).loc[list(found["term"])]
    frame["gap"] = frame[ACTUAL] - frame[PLANNED]
    frame.insert(0, "term", [TERMS[term] for term in frame.index])
    return frame.reset_index(drop=True)


def _adding_up(terms: pd.Series, decimals: int) -> pd.Series:
    rounded = terms.map(partial(whole, decimals=decimals))
    signed = [-rounded[term] if term in LESS else rounded[term] for term in TERMS if term != "closing"]
    return rounded.where(rounded.index != "closing", sum(signed))


def _bridge_message(book: BoardBook, frame: pd.DataFrame, found: pd.DataFrame) -> Sentence:
    closing, label = frame[frame["term"] == TERMS["closing"]].iloc[0], str(found["period"].iloc[0])
    actual, planned = (
        money(book, "arr_term", closing[basis], label, basis, term="closing") for basis in (ACTUAL, PLANNED)
    )
    period = book.plan.period_label(label)
    if actual.value is None or planned.value is None:
        return say("Closing ARR of {period} cannot be told: a term of its bridge is not known.", period=period)
    gap = money(book, "arr_term_gap", closing["gap"], label, term="closing")
    parts = {"actual": actual, "planned": planned, "gap": gap}
    return say("{period} closes at {actual} of ARR against {planned} planned: {gap}.", period=period, **parts)


# --- the team ------------------------------------------------------------------------------------


def cells(book: BoardBook) -> Exhibit:
    """The variance of the quarter by segment and source, the largest gaps first."""
    found = book.variance_cells(book.spans[0]) if book.spans else pd.DataFrame()
    if found.empty:
        return nothing_yet(book, "Nothing is there to explain.")
    label, steps = book.spans[0].label, [step for step in STEPS if step not in ("planned", "actual")]
    digits = book.decimals
    shares = [largest_remainder(row, round_half_up(row.sum(), digits), digits) for _, row in found[steps].iterrows()]
    steps_of = pd.DataFrame(shares, columns=steps)
    gaps = steps_of.sum(axis=1)
    order = gaps.index[steady_order(-gaps.abs())[:MOST_CELLS]]
    frame = steps_of.assign(gap=gaps).loc[order].reset_index(drop=True)
    names = [f"{found.loc[at, 'segment']} x {found.loc[at, 'source']}" for at in order]
    frame.insert(0, "cell", names)
    left = len(found) - len(frame)
    made = table_of(
        "variance_cells",
        frame,
        _cells_message(book, frame, found.loc[order[0]], label),
        more={
            "cell": ("Segment x source", "text"),
            "gap": (f"Variance of {book.plan.period_label(label)} ({book.plan.currency})", "money"),
        },
        notes=[
            counted(left, "further pair has a smaller gap.", "further pairs of segment and source have smaller gaps.")
        ]
        if left
        else [],
    )
    rows = [{"segment": str(found.loc[at, "segment"]), "source": str(found.loc[at, "source"])} for at in order]
    columns: MeasuredColumns = {
        **{step: {"measure": "variance_step", "line": step} for step in steps},
        "gap": "new_arr_gap",
    }
    return made.with_cells(FigureCells(rows=rows, columns=columns, currency=book.plan.currency, of={"period": label}))


def _cells_message(book: BoardBook, frame: pd.DataFrame, cell: pd.Series, label: str) -> Sentence:
    if not frame["gap"].iloc[0]:
        none = "No segment and source brought in {period} another amount than was planned."
        return say(none, period=book.plan.period_label(label))
    first = frame["gap"].abs() == abs(frame["gap"].iloc[0])
    most = "differs most from" if first.sum() == 1 else "differs as much as any from"
    of = {name: str(cell[name]) for name in ("segment", "source")}
    gap = money(book, "new_arr_gap", frame["gap"].iloc[0], label, **of)
    return say(
        f"{{cell}} {most} what was planned: {{gap}} of new ARR, where in all "
        "{actual} came in {period} against {asked}.",
        cell=frame["cell"].iloc[0],
        gap=gap,
        actual=new_arr(book, label, ACTUAL),
        period=book.plan.period_label(label),
        asked=new_arr(book, label, PLANNED),
    )


AUDIENCES: Mapping[str, Callable[[BoardBook], Exhibit]] = {"board": sources, "finance": arr_bridge, "team": cells}
