"""The exhibits of the board pack: plan, actual, why, and what to do. Each takes the board book.

Every number is a figure (see `figures`), so that a pack whose parts disagree is not printed.
"""

from __future__ import annotations

from functools import partial

import pandas as pd

from revplan.exhibits import charts
from revplan.exhibits.chart import PLAN, REQUIRED, drawn
from revplan.exhibits.exhibit import Exhibit, by_quarter, chart, table_of, text
from revplan.exhibits.figures import Figure, FigureCells, Sentence, figure, say
from revplan.funnel.tables import entries_by_stage, sums_by_quarter
from revplan.ground.formats import (
    TIE,
    commitment,
    kinds_of,
    labels_of,
    largest_remainder,
    plural,
    round_half_up,
    show,
    steady_order,
)
from revplan.tracking.book import BoardBook

PLANNED, ACTUAL, SIGNED = "planned", "actual", "signed"
NAME = 48
"""Most characters of a name in a sentence; a table has all of them."""


# --- entries -------------------------------------------------------------------------------------


def attainment(book: BoardBook) -> Exhibit:
    """Entries of every stage, planned and actual, in the quarter and in the year so far."""
    if not book.spans:
        return planned_by_quarter(book)
    parts = [planned_entries(book, span.label) for span in book.spans]
    frame = pd.concat([part.add_prefix(f"{at}_") for at, part in enumerate(parts)], axis=1)
    frame.insert(0, "stage", [stage.title for stage in book.plan.stages])
    kinds, labels = {**kinds_of("attainment"), "reached": "share"}, labels_of("attainment")
    named = [(at, span.label, name) for at, span in enumerate(book.spans) for name in parts[at]]
    columns = {f"{at}_{name}": _entry_column(name, label) for at, label, name in named}
    more = {
        f"{at}_{name}": (
            f"{book.plan.period_short(label)}: {labels[name].lower()}" if name == PLANNED else labels[name],
            kinds[name],
        )
        for at, label, name in named
    }
    made = table_of(
        "attainment",
        frame,
        _attainment_message(book),
        more={"stage": ("Entries", "text"), **more},
        notes=[
            f"Plan: {_what_is_planned(book)}, and entries of the records open on its plan date. Variance: actual less plan."
        ],
    )
    rows = [{"stage": stage} for stage in book.plan.stage_ids]
    stages = [
        stage if pd.isna(part) else f"{stage}: {show(part, 'share')} attained"
        for stage, part in zip(frame["stage"], parts[0]["reached"], strict=True)
    ]
    both = (PLANNED, "plan", REQUIRED), (ACTUAL, "actual", PLAN)
    described = drawn(made.said, parts[0].assign(stage=stages), "stage", *both, kind="count")
    return made.with_cells(FigureCells(rows=rows, columns=columns)).pictured(described)


def _what_is_planned(book: BoardBook) -> str:
    wanted = show(book.plan.commit.confidence, "share")
    if book.scale is None:
        return "the expected commit"
    what = "what was signed" if book.signed else "what is to sign, not signed"
    return f"{what} ({wanted} sure, {show(book.scale, 'ratio')} times the expected commit)"


def _entry_column(name: str, period: str) -> dict[str, str]:
    if name in (PLANNED, ACTUAL):
        return {"measure": "entries", "period": period, "basis": name}
    return {"measure": f"entries_{name}", "period": period}


def planned_entries(book: BoardBook, period: str) -> pd.DataFrame:
    """Entries by stage in whole records, as they are displayed: planned, actual, gap, reached."""
    rows = book.attainment[(book.attainment["period"] == period) & (book.attainment["part"] == "all")]
    rows = rows.set_index("stage").reindex(book.plan.stage_ids)
    shown = pd.DataFrame({"planned": rows["planned"].map(round_half_up), "actual": rows["actual"]})
    shown["gap"] = shown["actual"] - shown["planned"]
    shown["reached"] = (shown["actual"] / shown["planned"]).where(shown["planned"] > 0)
    return shown.reset_index(drop=True)


def entries(book: BoardBook, stage: str, name: str, period: str) -> Figure:
    """One number of `attainment`, such as the actual of a stage."""
    row = planned_entries(book, period).iloc[book.plan.stage_ids.index(stage)]
    described = _entry_column(name, period)
    return figure(described.pop("measure"), row[name], described.pop("period"), described.get("basis", ""), stage=stage)


def _attainment_message(book: BoardBook) -> Sentence:
    stage = book.plan.commit_stage
    label = book.spans[0].label
    actual, asked, reached = (entries(book, stage, name, label) for name in (ACTUAL, PLANNED, "reached"))
    if actual.value is None:
        said, told = "{asked} {counted} {were} planned for {period}; the plan names no records to count.", asked
    else:
        said, told = "{actual} {counted} against {asked} planned for {period}: {reached} attained.", actual
    if reached.value is None:
        said = said.replace(": {reached} attained", "")
    words = agreeing(told, book.plan.titles[stage])
    return say(said, actual=actual, asked=asked, **words, period=book.plan.period_label(label), reached=reached)


def agreeing(number: Figure, title: str) -> dict[str, str]:
    """The words of a sentence that agree with a number of entries."""
    one = number.text == "1"
    return {"counted": title if one else plural(title), "were": "was" if one else "were", "are": "is" if one else "are"}


def nothing_yet(book: BoardBook, what: str) -> Exhibit:
    """What is said where nothing can have come: the state of the year, and `what` waits for it."""
    return text(say("{what} {state}", what=what, state=book.state)).as_appendix()


def planned_by_quarter(book: BoardBook) -> Exhibit:
    """Before the year begins: entries planned of every stage, by quarter."""
    year = str(book.plan.first_month.year)
    frame = quarterly_plan(book)
    names = [name for name in frame.columns if name != "stage"]
    said = _quarterly_message(book, frame, names[:-1])
    made = table_of("plan_by_quarter", frame, said, more=by_quarter(book.quarters, "count"))
    periods = {name: year if name == "year" else name for name in names}
    columns = {name: {"measure": "entries", "basis": PLANNED, "period": each} for name, each in periods.items()}
    return made.with_cells(FigureCells(rows=[{"stage": stage} for stage in book.plan.stage_ids], columns=columns))


def _quarterly_message(book: BoardBook, frame: pd.DataFrame, quarters: list[str]) -> Sentence:
    stage = book.plan.commit_stage
    row = frame.iloc[book.plan.stage_ids.index(stage)]
    commit = signed(book)
    more = row["year"] > (commit.value or 0.0)
    already = "; with those of records open already {planned} are expected" if more else ""
    largest = [name for name in quarters if row[name] >= (1 - TIE) * max(row[each] for each in quarters)]
    verb = "{were} signed" if book.signed else "{are} to sign"
    part = ", the largest part of them in {quarter}" if len(largest) == 1 else ""
    return say(
        f"{{commit}} {{counted}} {verb} for the year{already}{part}.",
        commit=commit,
        planned=figure("entries", row["year"], str(book.plan.first_month.year), PLANNED, stage=stage),
        **agreeing(commit, book.plan.titles[stage]),
        quarter=book.plan.period_label(largest[0]),
    )


def signed(book: BoardBook) -> Figure:
    """Entries at the commit stage for the year that were signed, or are to sign."""
    basis = SIGNED if book.signed else "to sign"
    entered = entries_by_stage(book.year)[book.plan.commit_stage]
    return figure("signed", commitment(entered), str(book.plan.first_month.year), basis)


def quarterly_plan(book: BoardBook) -> pd.DataFrame:
    """Entries planned by stage and quarter in whole records that add up to the year."""
    flow = book.sides.planned_flow
    rows = []
    for stage in book.plan.stages:
        months = (
            flow[flow["stage"] == stage.id].groupby("month")["entries"].sum().reindex(book.plan.months, fill_value=0.0)
        )
        shown = largest_remainder(sums_by_quarter(months.to_numpy(dtype=float)))
        rows.append([stage.title, *shown, float(shown.sum())])
    return pd.DataFrame(rows, columns=["stage", *book.quarters["quarter"], "year"])


# --- money ---------------------------------------------------------------------------------------


def whole(value: float, decimals: int = 0) -> float:
    """An amount in whole units; NaN where there is none."""
    return value if pd.isna(value) else round_half_up(value, decimals)


def money(book: BoardBook, measure: str, value: float, period: str, basis: str = "", **of: str) -> Figure:
    """An amount in the plan's currency, in whole units."""
    return figure(measure, whole(value, book.decimals), period, basis, book.plan.currency, **of)


def new_arr(book: BoardBook, period: str, basis: str) -> Figure:
    """New ARR of a period: `planned`, `actual`, or the `goal` by its phasing."""
    rows = book.attainment_money[book.attainment_money["period"] == period].set_index("term")
    value = rows["planned"]["goal"] if basis == "goal" else rows[basis]["new_arr"]
    return money(book, "new_arr", value, period, basis)


def so_far(book: BoardBook) -> Exhibit:
    """New ARR since the year began, planned and actual, month by month."""
    bases = ("goal", PLANNED, ACTUAL)
    amounts = {
        basis: book.reached_by_month[f"{basis}_arr"].map(partial(whole, decimals=book.decimals)) for basis in bases
    }
    frame = pd.DataFrame({"month": book.reached_by_month["month"], **amounts})
    described = charts.so_far(frame, _so_far_message(book, frame), book.plan.currency)
    made = chart(described, frame, {"month": "month", **dict.fromkeys(bases, "money")})
    rows = [{"period": str(month)} for month in frame["month"]]
    columns = {basis: {"measure": "new_arr_so_far", "basis": basis} for basis in bases}
    return made.with_cells(FigureCells(rows=rows, columns=columns, currency=book.plan.currency))


def _so_far_message(book: BoardBook, frame: pd.DataFrame) -> Sentence:
    """What the curve says by the last day known."""
    if not book.spans or frame[ACTUAL].isna().all():
        return _planned_message(book, frame.iloc[-1])
    label = book.spans[-1].label
    actual, asked = new_arr(book, label, ACTUAL), new_arr(book, label, PLANNED)
    gap = money(book, "new_arr_gap", (actual.value or 0.0) - (asked.value or 0.0), label)
    return brought(book, label, " ({gap})", gap=gap)


def brought(book: BoardBook, label: str, more: str = "", **parts: Figure | str) -> Sentence:
    """What a period brought of new ARR against what was planned, and `more` of it, with the `parts` it quotes."""
    return say(
        f"{{period}} brought {{actual}} of new ARR against {{asked}} planned{more}.",
        period=book.plan.period_label(label),
        actual=new_arr(book, label, ACTUAL),
        asked=new_arr(book, label, PLANNED),
        **parts,
    )


def _planned_message(book: BoardBook, last: pd.Series) -> Sentence:
    """What the curve says while nothing has come or is known."""
    bases, currency = {"asked": PLANNED, "wanted": "goal"}, book.plan.currency
    ends = {
        name: figure("new_arr_so_far", last[each], str(last["month"]), each, currency) for name, each in bases.items()
    }
    return say("The plan expects {asked} of new ARR by the end of the year against a goal of {wanted}.", **ends)


# --- why -----------------------------------------------------------------------------------------

STEPS = {
    "planned": "Plan",
    "opening": "Records open at the start",
    "volume": "Number of entries",
    "mix": "Mix",
    "win_rate": "Win rate",
    "timing": "Timing",
    "deal_size": "Deal size",
    "actual": "Actual",
}


def variance(book: BoardBook, period: str = "") -> Exhibit:
    """From plan to actual, step by step: of the quarter, or of the `period` of that label, such as the year so far."""
    label = period or (book.spans[0].label if book.spans else "")
    rows = book.variance[book.variance["period"] == label]
    if rows.empty:
        return nothing_yet(book, "Nothing is there to explain.")
    frame = pd.DataFrame({"line": [STEPS[line] for line in rows["line"]], "amount": rows["displayed"].to_numpy()})
    described = charts.steps(frame, _variance_message(book, rows), book.plan.currency)
    made = chart(described, frame, {"line": "text", "amount": "money"}, notes=_variance_notes(rows))
    steps = [
        {"measure": "new_arr", "basis": line}
        if line in (PLANNED, ACTUAL)
        else {"measure": "variance_step", "line": line}
        for line in rows["line"]
    ]
    return made.with_cells(FigureCells(rows=steps, columns={"amount": {"period": label}}, currency=book.plan.currency))


def _variance_notes(rows: pd.DataFrame) -> list[str]:
    provisional = [STEPS[line] for line, young in zip(rows["line"], rows["provisional"], strict=True) if young]
    young = (
        [f"Provisional, for the youngest entries are still open: {' and '.join(provisional).lower()}."]
        if provisional
        else []
    )
    return ["Each step is averaged over all orders in which the factors could change.", *young]


def _variance_message(book: BoardBook, rows: pd.DataFrame) -> Sentence:
    steps = rows[~rows["line"].isin(["planned", "actual"]) & (rows["displayed"] != 0)]
    largest = steps.iloc[steady_order(-steps["displayed"].abs())[:2]]
    label = rows["period"].iloc[0]
    sizes = [money(book, "variance_step", row.displayed, label, line=row.line) for row in largest.itertuples()]
    names = [STEPS[line].lower() for line in largest["line"]]
    said = {
        0: "no step changes it",
        1: "the one step is {one} ({first})",
        2: "the largest steps are {one} ({first}) and {other} ({second})",
    }
    told = dict(zip(("first", "second"), sizes, strict=False)) | dict(zip(("one", "other"), names, strict=False))
    return brought(book, label, f"; {said[len(largest)]}", **told)
