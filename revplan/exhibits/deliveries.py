"""What is to be delivered: the number to sign by month, by source and in every stage, and which stage to sign."""

from __future__ import annotations

import numpy as np
import pandas as pd

from revplan.exhibits import charts
from revplan.exhibits.annual_commit import entering_later
from revplan.exhibits.exhibit import Exhibit, by_quarter, chart, table_of, text
from revplan.exhibits.figures import TO_SIGN, Figure, FigureCells, figure, of_year, year_cells, year_id
from revplan.exhibits.fit import fitting
from revplan.funnel.tables import month_stage_sums, sums_by_quarter
from revplan.ground.formats import (
    commitment,
    compact,
    counted,
    first_largest,
    kinds_of,
    largest_remainder,
    plural,
    show,
    whole_amounts,
)
from revplan.workbook.workbook import Workbook

MONTHS_SHOWN_BEFORE = 6


def commit_by_month(book: Workbook) -> Exhibit:
    """The expected commit at its stage, month by month, against what is traced back."""
    stage = book.plan.commit_stage
    plan_month = book.plan.first_month + book.year.first
    begin = min(plan_month, book.plan.first_month) - MONTHS_SHOWN_BEFORE
    rows = book.funnel_by_month[book.funnel_by_month["stage"] == stage]
    months = pd.period_range(begin, book.plan.months[-1], freq="M")
    values = rows.set_index("month").drop(columns="stage").reindex(months, fill_value=0.0).reset_index(names="month")
    at = pd.PeriodIndex(rows["month"], freq="M").asi8 - book.plan.first_month.ordinal
    past = book.year.past_share(at.astype(float))
    share = float(rows["required"] @ past / rows["required"].sum()) if rows["required"].sum() else 0.0
    drawn = charts.commit_by_month(values, book.plan.titles[stage], plan_month, share)
    return chart(drawn, values, {"month": "month", **kinds_of("funnel")})


def _displayed_months(book: Workbook) -> pd.DataFrame:
    """What is to sign by stage (rows) and month of the year as it is displayed everywhere. [records]

    A stage's year is rounded up, and its months are apportioned so that they add up to it.
    """
    return _apportioned(_by_month(book).reindex(index=book.plan.stage_ids), book)


def _by_month(book: Workbook) -> pd.DataFrame:
    """What is to sign by stage (rows) and month, in and outside the year. [records]"""
    rows = month_stage_sums(book.to_deliver)
    return rows.pivot(index="stage", columns="month", values="commit")


def _apportioned(wide: pd.DataFrame, book: Workbook) -> pd.DataFrame:
    """The months of the year in whole entries that add up to the year, which is rounded up."""
    inside = wide.reindex(columns=book.plan.months).fillna(0.0)
    shown = [largest_remainder(row.to_numpy(), commitment(row.sum())) for _, row in inside.iterrows()]
    return pd.DataFrame(shown, index=inside.index, columns=inside.columns)


def monthly_commit(book: Workbook) -> Exhibit:
    """Entries to deliver each month at every stage."""
    titles, shown = book.plan.titles, _displayed_months(book)
    stage = book.plan.commit_stage
    frame = _with_year(book, shown).assign(row=[titles[each] for each in shown.index])
    of_stage = shown.loc[stage]
    asked = of_stage[of_stage > 0]
    low, high = (show(value, "commitment") for value in (asked.min(), asked.max())) if len(asked) else ("0", "0")
    row = shown.index.get_loc(stage)
    before = f", and {show(frame['before'][row], 'commitment')} before it" if "before" in frame else ""
    message = (
        f"{plural(titles[stage])} {_basis(book)} run from {low} to {high} a month, "
        f"{show(of_stage.sum(), 'commitment')} in the year{before}."
    )
    entering = entering_later(book)
    made = _monthly_table(book, frame, message, "Entries", [entering] if entering else [])
    return made.sharing(
        _year_of(book, float(of_stage.sum())),
        cells=year_cells(
            book.plan, [{"stage": each} for each in shown.index], {"year": "stage_commit"}, _legend_name(book)
        ),
    )


def commit_by_source(book: Workbook) -> Exhibit:
    """Who delivers what: entries of each source at the stage where it enters."""
    titles, plan = book.plan.titles, book.plan
    rows = book.to_deliver
    rows = rows[rows["stage"].astype(str) == rows["source"].map(plan.entry_stage).astype(str)]
    wide = rows.groupby(["source", "month"], observed=True)["commit"].sum().unstack("month")
    names = [name for name in plan.sources if name in wide.index]
    if not wide.to_numpy().any():
        return text("The commit asks for no entries, so no source has anything to deliver.")
    shown = _apportioned(wide.reindex(names), book)
    frame = _with_year(book, shown, wide).assign(
        row=[f"{name}: {plural(titles[plan.entry_stage(name)])} ({plan.sources[name].owner})" for name in names]
    )
    total = frame["year"].sum()
    largest = names[first_largest(frame["year"])]
    most, owner = show(frame["year"].max(), "commitment"), plan.sources[largest].owner
    message = (
        f"{fitting(largest)} is the largest source, and {fitting(owner)} answers for it: {most} of the "
        f"{counted(total, 'entry', kind='commitment')} of the year."
        if len(names) > 1
        else f"{counted(total, 'entry of the year comes', 'entries of the year come', 'commitment')} from {fitting(largest)} alone, and {fitting(owner)} answers for "
        f"{'it' if total <= 1 else 'them'}."
    )
    made = _monthly_table(book, frame, message, "Source: where it enters (owner)", [])
    rows = [{"source": name} for name in names]
    return made.sharing(cells=year_cells(book.plan, rows, {"year": "source_commit"}, _legend_name(book)))


def _legend_name(book: Workbook) -> str:
    """The basis of what is to be delivered: what is to sign, or the expected commit where no volume gives the confidence."""
    return "commit" if book.to_sign.scale is None else TO_SIGN


def _year_of(book: Workbook, entries: float) -> Figure:
    """The year's entries at the commit stage, as page one states them."""
    if book.to_sign.scale is None:
        return of_year(book.plan, "commit", entries)
    return of_year(book.plan, "signed", entries, TO_SIGN)


def _with_year(book: Workbook, shown: pd.DataFrame, flows: pd.DataFrame | None = None) -> pd.DataFrame:
    """Displayed months with what comes before the year and the year's sum; months that are over are empty."""
    plan_month = book.plan.first_month + book.year.first
    months = shown.set_axis([show(month, "month")[:3] for month in shown.columns], axis=1)
    over = [month < plan_month for month in shown.columns]
    frame = months.mask(np.tile(over, (len(months), 1))).reset_index(drop=True)
    frame["year"] = shown.sum(axis=1).to_numpy()
    if book.year.first < 0:
        wide = _by_month(book) if flows is None else flows
        earlier = wide[[month for month in wide.columns if plan_month <= month < book.plan.first_month]]
        frame.insert(0, "before", [float(commitment(value)) for value in earlier.reindex(shown.index).sum(axis=1)])
    return frame


def _basis(book: Workbook) -> str:
    """What the tables of this section hold, in words."""
    asked = book.to_sign
    if asked.number is None:
        return f"of the expected commit (no volume gives {show(asked.confidence, 'share')})"
    return f"to sign ({show(asked.confidence, 'share')} sure)"


def _monthly_table(book: Workbook, frame: pd.DataFrame, message: str, head: str, notes: list[str]) -> Exhibit:
    numbers = [name for name in frame.columns if name != "row"]
    months = {name: (name, "commitment") for name in numbers if name not in ("before", "year")}
    return table_of(
        "commit_by_month",
        frame[["row", *numbers]],
        message,
        more={"row": (head, "text"), **months},
        notes=[
            f"Entries {_basis(book)}. The year is rounded up; months are apportioned so that they add up to it.",
            *notes,
        ],
    )


def commit_sheet(book: Workbook) -> Exhibit:
    """One plan in every stage by quarter, with what an entry is worth."""
    titles, currency, names = book.plan.titles, book.plan.currency, list(book.quarters["quarter"])
    shown = _displayed_months(book)
    frame = pd.DataFrame(sums_by_quarter(shown.to_numpy()), columns=names)
    frame.insert(0, "stage", [titles[stage] for stage in shown.index])
    frame["year"] = shown.sum(axis=1).to_numpy()
    frame["value_per_entry"] = book.stages["value_per_entry"]
    frame = pd.concat([frame, _arr_row(book, names)], ignore_index=True)
    worth = book.stages.set_index("stage")["value_per_entry"]
    stage, first = book.plan.commit_stage, book.plan.stage_ids[0]
    equal = counted(worth[stage] / worth[first] if worth[first] else 0.0, titles[first])
    as_much = "" if stage == first else f", as much as {equal}"
    return table_of(
        "commit_sheet",
        frame,
        f"One plan, stated in every stage: one {titles[stage]} is worth {compact(worth[stage], currency)} of new "
        f"ARR{as_much}.",
        more=by_quarter(book.quarters, "commitment"),
        notes=[
            f"Entries {_basis(book)}, and the ARR they bring in expectation; the year is rounded up, parts add up to it."
        ],
        totals=1,
        currency=currency,
    ).sharing(
        _year_of(book, float(shown.loc[stage].sum())),
        *_arr_figures(book, frame.iloc[-1], names),
        cells=FigureCells(
            rows=[
                *({"measure": "stage_commit", "stage": each, "basis": _legend_name(book)} for each in shown.index),
                {},
            ],
            columns={"year": {"period": year_id(book.plan)}, **{name: {"period": name} for name in names}},
        ),
    )


def _arr_figures(book: Workbook, row: pd.Series, names: list[str]) -> list[Figure]:
    """What the commit brings by quarter, as the last row of the sheet shows it."""
    basis = "" if book.to_sign.scale is None else TO_SIGN
    year = of_year(book.plan, "commit_arr", row["year"], basis)
    return [year, *(figure("commit_arr", row[name], name, basis, book.plan.currency) for name in names)]


def _arr_row(book: Workbook, names: list[str]) -> pd.DataFrame:
    """The same plan in ARR: what the entries to sign bring in each quarter, in expectation."""
    scale = book.to_sign.scale
    arr = whole_amounts(book.quarters["commit_arr"].to_numpy() * (1.0 if scale is None else scale))
    row = {"stage": f"ARR won ({book.plan.currency})", **dict(zip(names, arr, strict=True)), "year": float(arr.sum())}
    return pd.DataFrame([row])


def commit_choice(book: Workbook) -> Exhibit:
    """Which stage to sign for, with the reasons."""
    titles = book.plan.titles
    frame = book.commit_choices
    suggested = titles[frame.loc[frame["suggested"], "stage"].iloc[0]]
    signed = titles[book.plan.commit_stage]
    agreed = "as the rule suggests" if suggested == signed else f"where the rule suggests {suggested}"
    return table_of(
        "commit_choices",
        frame.assign(stage=[titles[stage] for stage in frame["stage"]]),
        f"The plan signs for {plural(signed)}, {agreed}; the reasons are beside each stage, and you decide.",
        notes=[stage.definition for stage in book.plan.stages],
    )
