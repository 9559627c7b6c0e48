"""Where the year stands, for the board: flow, conversion and CAC, and which source is behind."""

from __future__ import annotations

from functools import partial

import pandas as pd

from revplan.exhibits import charts
from revplan.exhibits.attainment import ACTUAL, NAME, PLANNED, agreeing, entries, money, nothing_yet, whole
from revplan.exhibits.chart import GAP, REQUIRED, drawn
from revplan.exhibits.exhibit import Exhibit, table_of
from revplan.exhibits.figures import Figure, FigureCells, MeasuredColumns, Sentence, figure, joined, say
from revplan.exhibits.fit import fitting
from revplan.ground.formats import plural, round_half_up
from revplan.tracking.book import BoardBook
from revplan.tracking.comparison import priced
from revplan.tracking.landing import opportunity_stage

RATES = ("conversion", "conversion_low", "conversion_high")


# --- three numbers -------------------------------------------------------------------------------


def eight_quarters(book: BoardBook) -> Exhibit:
    """The scorecard of the last quarters: entries, opportunities, wins and new ARR, plan and actual, drawn small."""
    counts, amounts = book.attainment_of_past
    if counts.empty:
        return nothing_yet(book, "No past quarter is known that this one could be seen beside.")
    titles, labels = book.plan.titles, [span.label for span in book.past_quarters]
    stages = list(dict.fromkeys([book.stage, opportunity_stage(book.plan), book.plan.stage_ids[-1]]))
    rows = {stage: counts[(counts["stage"] == stage) & (counts["part"] == "all")] for stage in stages}
    found = {stage: each.set_index("period").reindex(labels) for stage, each in rows.items()}
    new = amounts[amounts["term"] == "new_arr"].set_index("period").reindex(labels)
    shown = {(stage, side): found[stage][side].map(whole) for stage in stages for side in (PLANNED, ACTUAL)}
    shown |= {(NEW_ARR, side): new[side].map(partial(whole, decimals=book.decimals)) for side in (PLANNED, ACTUAL)}
    frame = pd.DataFrame({f"{what} {side}": list(values) for (what, side), values in shown.items()})
    frame.insert(0, "quarter", [book.plan.period_short(label) for label in labels])
    names = {stage: plural(titles[stage]) for stage in stages} | {NEW_ARR: f"New ARR ({book.plan.currency})"}
    said = _past_message(book, frame[f"{NEW_ARR} {ACTUAL}"], labels)
    kinds = {what: "money" if what == NEW_ARR else "count" for what in names}
    more = {
        f"{what} {side}": (f"{names[what]}: {'plan' if side == PLANNED else 'actual'}", kinds[what])
        for what, side in shown
    }
    made = table_of("eight_quarters", frame, said, more=more, notes=_past_notes(book))
    columns = {
        f"{what} {side}": {"measure": NEW_ARR, "basis": side}
        if what == NEW_ARR
        else {"measure": "entries", "basis": side, "stage": what}
        for what, side in shown
    }
    cells = FigureCells(rows=[{"period": label} for label in labels], columns=columns, currency=book.plan.currency)
    panels = [charts.panel(names[what], frame, what, kinds[what], book.plan.currency) for what in names]
    return made.with_cells(cells).pictured(charts.multiples(said, panels))


NEW_ARR = "new_arr"


def _past_message(book: BoardBook, amounts: pd.Series, labels: list[str]) -> Sentence:
    """New ARR of the last quarter that is over, beside the same one a year before where it is known."""
    over = [at for at, span in enumerate(book.past_quarters) if span.is_over and pd.notna(amounts.iloc[at])]
    if not over:
        return say("No quarter before {period} is known.", period=book.plan.period_label(labels[-1]))
    last = over[-1]
    parts: dict[str, Figure | str] = {
        "period": book.plan.period_label(labels[last]),
        "now": money(book, NEW_ARR, amounts.iloc[last], labels[last], ACTUAL),
    }
    if last < 4 or pd.isna(amounts.iloc[last - 4]):
        return say("{period} brought {now} of new ARR.", **parts)
    then = money(book, NEW_ARR, amounts.iloc[last - 4], labels[last - 4], ACTUAL)
    earlier = book.plan.period_label(labels[last - 4])
    return say("{period} brought {now} of new ARR; {earlier} had brought {then}.", **parts, earlier=earlier, then=then)


def _past_notes(book: BoardBook) -> list[str]:
    before = any(span.first < book.plan.first_month for span in book.past_quarters)
    running = [] if book.quarter.is_over else ["The last quarter is not over: plan and actual to date."]
    return [
        *(["The plan is of its own year; of earlier quarters there are actuals alone."] if before else []),
        *running,
    ]


def three_numbers(book: BoardBook) -> Exhibit:
    """Flow, conversion and CAC: the three numbers a board reads a marketing team by."""
    found = book.three_numbers
    if found.empty:
        return nothing_yet(book, "Flow, conversion and CAC cannot be counted yet.")
    named = zip(found["quarter"], _periods(book, found), strict=True)
    quarters = [f"{name}: {book.plan.period_label(period)}" for name, period in named]
    frame = pd.DataFrame(
        {
            "quarter": quarters,
            "entries": [whole(value) for value in found["flow"]],
            "conversion": found["rate"],
            "conversion_low": found["rate_low"],
            "conversion_high": found["rate_high"],
            "period_ratio": found["period_ratio"],
            "cac": [whole(value, book.decimals) for value in found["cac"]],
        }
    )
    made = table_of(
        "three_numbers_shown",
        frame,
        _three_message(book, frame),
        notes=_three_notes(book, found),
        stage=plural(book.plan.titles[book.stage]),
        currency=book.plan.currency,
    )
    return made.with_cells(_three_cells(book, found))


def _three_cells(book: BoardBook, found: pd.DataFrame) -> FigureCells:
    bases = [PLANNED if name == "plan" else ACTUAL for name in found["quarter"]]
    rows = [{"period": period, "basis": basis} for period, basis in zip(_periods(book, found), bases, strict=True)]
    columns = {name: {"measure": name} for name in (*RATES, "period_ratio", "cac")}
    columns["entries"] = {"measure": "entries", "stage": book.stage}
    return FigureCells(rows=rows, columns=columns, currency=book.plan.currency)


def _periods(book: BoardBook, found: pd.DataFrame) -> list[str]:
    """What each row counts: the plan's is always the whole quarter."""
    return [*found["period"][:-1], book.quarter.name]


def _three_message(book: BoardBook, frame: pd.DataFrame) -> Sentence:
    now, plan, label = frame.iloc[0], frame.iloc[-1], book.spans[0].label

    conversion, cac = (
        (
            figure(measure, now[measure], label, ACTUAL, book.plan.currency),
            figure(measure, plan[measure], book.quarter.name, PLANNED, book.plan.currency),
        )
        for measure in ("conversion", "cac")
    )
    title = book.plan.titles[book.stage]
    actual, asked = (entries(book, book.stage, basis, label) for basis in (ACTUAL, PLANNED))
    won_words = (
        "{rate} of them are expected to be won in the end"
        if conversion[0].value is not None
        else "how many of them are won is not known"
    )
    said = say(
        f"{{actual}} {{counted}} against {{asked}} planned, and {won_words} where the plan says {{planned}}",
        actual=actual,
        counted=agreeing(actual, title)["counted"],
        asked=asked,
        rate=conversion[0],
        planned=conversion[1],
    )
    if cac[0].value is None:
        return joined(said, say(f"; {_no_cac(book)}, so there is no CAC."), glue="")
    if cac[1].value is None or cac[1].text == cac[0].text:
        as_planned = "" if cac[1].value is None else ", as planned"
        return joined(said, say(f"; programme spend per win is {{cac}}{as_planned}.", cac=cac[0]), glue="")
    beside = say("; programme spend per win is {cac}, where the plan has {planned}.", cac=cac[0], planned=cac[1])
    return joined(said, beside, glue="")


def _no_cac(book: BoardBook) -> str:
    """What lacks for a CAC: wins of sources with a cost, or the spend of the whole period."""
    if not priced(book.plan):
        return "no source has a cost per entry"
    spent = book.three_numbers["spend"].iloc[0]
    if pd.isna(spent):
        return "the spend of the whole period is not booked"
    return "no customer was won from the sources with a cost per entry"


def _three_notes(book: BoardBook, found: pd.DataFrame) -> list[str]:
    label = book.plan.period_label
    young = dict.fromkeys(found.loc[found["provisional"] & found["rate"].notna(), "period"])
    notes = [f"Provisional, for part of the wins is still to come: {', '.join(map(label, young))}."] if young else []
    told = found[found["cac"].isna() | (found.index == 0)]
    pairs = zip(told["period"], told["basis"], strict=True)
    return [*notes, *(f"{label(period)}: {basis}." for period, basis in pairs)]


# --- sources -------------------------------------------------------------------------------------


def sources(book: BoardBook) -> Exhibit:
    """Which source is behind, who answers for it, and what that is worth."""
    found = book.attainment_by_source
    if found.empty:
        return nothing_yet(book, "No source can be ahead or behind.")
    frame = source_rows(book)
    period = book.spans[0].label
    made = table_of(
        "attainment_by_source",
        frame,
        _sources_message(book, frame, period),
        more={"owner": ("Owner", "text")},
        period=book.plan.period_label(period),
        currency=book.plan.currency,
        notes=[
            "What a variance is worth follows from the plan's rates and deals; much of it falls into later quarters."
        ],
    )
    entered = {name: {"measure": "entries", "basis": name} for name in (PLANNED, ACTUAL)}
    columns: MeasuredColumns = {**entered, "gap": "entries_gap", "worth": "gap_worth"}
    rows = [{"source": name, "stage": stage} for name, stage in zip(found["source"], found["stage"], strict=True)]
    cells = FigureCells(rows=rows, columns=columns, currency=book.plan.currency, of={"period": period})
    made = made.with_cells(cells).as_brief()
    worth, behind = frame["worth"], frame["worth"] < 0
    if worth.isna().all() or len(frame) < 2:
        return made
    parts = (("ahead", "ahead of plan", REQUIRED), ("behind", "behind plan", GAP))
    parted = frame.assign(ahead=worth.where(~behind), behind=worth.where(behind))
    currency = book.plan.currency
    return made.pictured(drawn(made.said, parted, "source", *parts, form="bars", kind="money", currency=currency))


def source_rows(book: BoardBook) -> pd.DataFrame:
    """Table attainment_by_source in whole entries, with owners."""
    found = book.attainment_by_source
    asked = [round_half_up(value) for value in found["planned"]]
    return pd.DataFrame(
        {
            "source": found["source"],
            "owner": [book.plan.sources[name].owner for name in found["source"]],
            "stage": [book.plan.titles[stage] for stage in found["stage"]],
            "planned": asked,
            "actual": found["actual"],
            "gap": found["actual"] - asked,
            "worth": [round_half_up(value, book.decimals) for value in found["worth"]],
        }
    )


def furthest_behind(book: BoardBook) -> tuple[pd.Series, dict[str, Figure]] | None:
    """The source whose gap costs most, with its figures; None where none is behind."""
    if book.attainment_by_source.empty:
        return None
    frame = source_rows(book)
    if not frame["worth"].min() < 0:
        return None
    at = int(frame["worth"].to_numpy().argmin())
    row, period = frame.iloc[at], book.spans[0].label
    of = {"source": row["source"], "stage": book.attainment_by_source["stage"].iloc[at]}
    figures = {
        "actual": figure("entries", row["actual"], period, ACTUAL, **of),
        "asked": figure("entries", row["planned"], period, PLANNED, **of),
        "worth": money(book, "gap_worth", row["worth"], period, **of),
    }
    return row, figures


def _sources_message(book: BoardBook, frame: pd.DataFrame, period: str) -> Sentence:
    behind = furthest_behind(book)
    if behind is None:
        return _none_behind(frame, book.plan.period_label(period))
    row, figures = behind
    brought = (
        "{actual} of {asked} {counted}, a variance"
        if row["gap"] < 0
        else "{actual} {counted}, {asked} planned, in a mix"
    )
    return say(
        f"Source {{source}} brought {brought} worth {{worth}} of new ARR; {{owner}} answers for it.",
        source=fitting(row["source"], NAME),
        counted=agreeing(figures["asked"], row["stage"])["counted"],
        owner=fitting(row["owner"], NAME),
        **figures,
    )


def _none_behind(frame: pd.DataFrame, period: str) -> Sentence:
    """What is said where no gap costs anything: entries may lack all the same, of segments that are worth less."""
    fewer = [fitting(name, NAME) for name in frame.loc[frame["gap"] < 0, "source"]]
    if not fewer:
        return say("Every source brought in {period} what was planned.", period=period)
    return say(
        "No source is behind in {period} in what its entries are worth, though fewer than planned came from {sources}.",
        period=period,
        sources=", ".join(fewer),
    )
