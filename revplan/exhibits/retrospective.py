"""A finished year looked back on: what was signed and what became of it, how good the forecasts were, what the next plan takes from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from revplan.exhibits.attainment import (
    ACTUAL,
    NAME,
    PLANNED,
    brought,
    money,
    new_arr,
    nothing_yet,
    variance,
    whole,
)
from revplan.exhibits.chart import INK, REQUIRED, drawn
from revplan.exhibits.exhibit import Exhibit, table_of, text
from revplan.exhibits.figures import Figure, FigureCells, Sentence, figure, joined, say
from revplan.exhibits.fit import fitting
from revplan.exhibits.outlook import ended, landing_figures, landing_rows
from revplan.exhibits.summary import (
    Risk,
    about,
    aim,
    asks_of,
    became,
    commit_parts,
    doubtful,
    entered,
    goal,
    risks,
    size_then,
    year_of,
)
from revplan.ground.formats import compact, counted, lowered, plural, round_half_up, show
from revplan.tracking.book import BoardBook
from revplan.tracking.periods import whole_year
from revplan.tracking.retrospective import FITS, INSIDE, OPEN, Retrospective, is_finished

NAMES = {
    "entries": "Entries",
    "win_rate": "Win rate",
    "timing": "Won in time",
    "deal_size": "Deal size",
    "opening": "Records open at the start",
}
MOST_ROWS = 15
KINDS = {"entries": "count", "win_rate": "share", "timing": "share"}


def verdict(year: Retrospective) -> Exhibit:
    """Whether the year reached its goal; below it what was signed, what became of it, why, how good the forecasts were: a line each."""
    book, label = year.book, year.book.spans[-1].label
    lines = {
        "What was signed": _signed(book),
        "What became of it": joined(brought(book, label), *entered(book, label), *aim(book, label)),
        "Still open": say("") if year.is_finished else _still_open(book),
        "Why": _why(year),
        "How good the forecasts were": _forecasts(year),
        "For the next plan": _next(year),
    }
    told = {label: line for label, line in lines.items() if line.text}
    header = f"{book.plan.name}{f', {book.segment}' if book.segment else ''}, as known on {show(book.as_of, 'date')}"
    late = "" if is_finished(book) else book.stale  # what came after a year that is all on record changes nothing of it
    said = joined(*doubtful(book, late), _ended(book))
    made = text(said, told, header=header, notes=book.beside).with_periods(book.period_labels)
    return made.of_report(**{**about(book), "period": year_of(book), "label": book.plan.period_label(year_of(book))})


def _ended(book: BoardBook) -> Sentence:
    label, found = book.plan.period_label(year_of(book)), landing_figures(book)
    if not whole_year(book.plan.first_month, book.as_of).is_over:
        return say(
            "{year} is not over: {actual} of new ARR by {day}, {landing} expected in the end, against a goal of {goal}.",
            year=label,
            actual=new_arr(book, book.spans[-1].label, ACTUAL),
            day=show(book.as_of, "date"),
            landing=found["landing"],
            goal=found["goal"],
        )
    if not is_finished(book):
        return ended(book)
    parts: dict[str, Figure | str] = {
        "year": label,
        "actual": found["landing"],
        "goal": found["goal"],
        "gap": found["gap"],
    }
    gap = found["gap"].value or 0.0
    verb = "missed" if gap < 0 else "reached"
    return say(f"{{year}} {verb} its goal: {{actual}} of new ARR against {{goal}} ({{gap}}).", **parts)


def _signed(book: BoardBook) -> Sentence:
    parts = {"goal": goal(book), **commit_parts(book)}
    if book.signed:
        return say("{number} {counted} for {year}, {signed}, for a goal of {goal} and a chance of {wanted}.", **parts)
    if book.scale is None:
        return say(
            "Nothing was signed for {year}; it is held against the expected commit, {number} {counted}, for a goal of {goal}.",
            **parts,
        )
    return say(
        "Nothing was signed for {year}; it is held against {number} {counted}, which give the goal of {goal} a chance of {wanted}.",
        **parts,
    )


def _still_open(book: BoardBook) -> Sentence:
    """What of an unfinished year is to come, or what the records lack of one that is over."""
    if whole_year(book.plan.first_month, book.as_of).is_over:
        return say("The year is over, but {lacking}; what they lack is not judged.", lacking=book.lacking_of_year)
    found, row = landing_figures(book), landing_rows(book).iloc[0]
    parts = {
        "coming": money(book, "landing_part", row["open_records"], row["year"], "open records"),
        "create": money(book, "landing_part", row["still_to_create"], row["year"], "still to create"),
        "low": found["landing_low"],
        "high": found["landing_high"],
    }
    return say(
        "The year runs until {day}: {coming} of new ARR is expected of open records and {create} of entries still to come; "
        "it lands between {low} and {high} in eight of ten cases.",
        day=show(whole_year(book.plan.first_month, book.as_of).last.end_time.date(), "date"),
        **parts,
    )


# --- plan and actual -----------------------------------------------------------------------------


def quarter_by_quarter(year: Retrospective) -> Exhibit:
    """Goal, plan and actual of each quarter of the year that has begun."""
    book = year.book
    counts, amounts = book.attainment_of_past
    labels = [span.label for span in book.past_quarters if span.first >= book.plan.first_month]
    if not labels:
        return nothing_yet(book, "No quarter of the year is on record.")
    new, aims = (amounts[amounts["term"] == term].set_index("period").reindex(labels) for term in ("new_arr", "goal"))
    mine = counts[(counts["stage"] == book.stage) & (counts["part"] == "all")].set_index("period").reindex(labels)
    shown = {
        "goal": aims["planned"].map(lambda value: whole(value, book.decimals)),
        **{side: new[side].map(lambda value: whole(value, book.decimals)) for side in (PLANNED, ACTUAL)},
        "entries_planned": mine["planned"].map(whole),
        "entries": mine["actual"].map(whole),
    }
    frame = pd.DataFrame({name: list(values) for name, values in shown.items()})
    frame.insert(0, "quarter", [book.plan.period_short(label) for label in labels])
    frame.insert(4, "gap", frame[ACTUAL] - frame[PLANNED])
    frame.insert(5, "reached", (frame[ACTUAL] / frame[PLANNED]).where(frame[PLANNED] > 0))
    stage = plural(book.plan.titles[book.stage])
    made = table_of(
        "quarter_by_quarter", frame, _quarters_message(book, frame, labels), stage=stage, currency=book.plan.currency
    )
    columns = {side: {"measure": "new_arr", "basis": side} for side in ("goal", PLANNED, ACTUAL)}
    columns |= {
        name: {"measure": "entries", "basis": side, "stage": book.stage}
        for name, side in (("entries_planned", PLANNED), ("entries", ACTUAL))
    }
    return made.sharing(
        cells=FigureCells(rows=[{"period": label} for label in labels], columns=columns, currency=book.plan.currency)
    )


def _quarters_message(book: BoardBook, frame: pd.DataFrame, labels: list[str]) -> Sentence:
    worst = int(frame["gap"].to_numpy().argmin())
    if not frame["gap"].iloc[worst] < 0:
        return say("No quarter is below its plan.")
    size = money(book, "new_arr_gap", frame["gap"].iloc[worst], labels[worst])
    return say("{period} is furthest below its plan: {size}.", period=book.plan.period_label(labels[worst]), size=size)


def why_of_year(year: Retrospective) -> Exhibit:
    """From plan to actual of the year so far, step by step."""
    return variance(year.book, year.book.spans[-1].label)


# --- the forecasts -------------------------------------------------------------------------------


def calibration(year: Retrospective) -> Exhibit:
    """What was said of the year and of each quarter before it began, and how it turned out."""
    book, found = year.book, year.forecasts
    kept = found["shown_on"].notna().any()
    frame = found.assign(period=[book.plan.period_short(name) for name in found["period"]])
    again = "Forecasts without a pack that was shown are worked out again from today's records and rates."
    made = table_of(
        "forecasts_judged",
        frame if kept else frame.drop(columns="shown_on"),
        _forecasts(year),
        notes=[
            "A band is made to hold eight of ten cases; so few forecasts can show a gross fault of it, not a small one.",
            *([again] if found["shown_on"].isna().any() else []),
        ],
        currency=book.plan.currency,
    )
    judged = frame[frame["actual"].notna()]
    if judged.empty:
        return made.sharing()
    days = [show(day, "date") for day in judged["said_on"]]
    named = judged.assign(of=[f"{name}, seen on {day}" for name, day in zip(judged["period"], days, strict=True)])
    parts = (("landing", "forecast, 8 of 10 cases", REQUIRED), ("actual", "actual", INK, "dashes"))
    return made.sharing().pictured(drawn(made.said, named, "of", *parts, kind="money", currency=book.plan.currency))


def _forecasts(year: Retrospective) -> Sentence:
    found, book, period = year.forecasts, year.book, year_of(year.book)
    judged = found[found["inside"] != OPEN]
    if judged.empty:
        return say("No forecast of the year can be judged yet.")
    number, inside = (
        figure(name, float(count), period)
        for name, count in (("forecasts_judged", len(judged)), ("forecasts_inside", (judged["inside"] == INSIDE).sum()))
    )
    miss = float(judged["miss"].mean())
    size = money(book, "forecast_bias", abs(miss), period)
    side = "too high" if miss > 0 else "too low"
    by = f"{side} by {{size}}" if size.value else "neither too high nor too low"
    if len(judged) == 1:
        kept = "kept" if inside.value else "did not keep"
        return say(f"The one forecast that can be judged {kept} its band; it was {by}.", size=size)
    return say(
        f"{{inside}} of {{number}} forecasts that can be judged kept their band; on average they were {by}.",
        inside=inside,
        number=number,
        size=size,
    )


# --- the assumptions -----------------------------------------------------------------------------


def assumptions(year: Retrospective) -> Exhibit:
    """What the plan assumed of each segment, what it was, and what the difference brought or cost, the dearest first."""
    book, found = year.book, year.assumptions
    if found.empty:
        return nothing_yet(book, "Nothing is there to explain.")
    currency = book.plan.currency
    frame = pd.DataFrame(
        {
            "assumption": [_assumption(row) for row in found.to_dict("records")],
            **{
                side: [_written(row[side], row["about"], currency) for row in found.to_dict("records")]
                for side in ("planned", "actual")
            },
            "cost": found["cost"],
        }
    )
    total = pd.DataFrame([{"assumption": "All together", "planned": "", "actual": "", "cost": found["cost"].sum()}])
    young = found.loc[found["provisional"], "about"].map(NAMES).drop_duplicates()
    notes = [
        "The amounts are the steps of the variance, by segment; entries hold number and mix together. Won in time: the share of the "
        "wins that falls into the period.",
        *(
            [f"Provisional, for the youngest entries are still open: {' and '.join(young).lower()}."]
            if len(young)
            else []
        ),
    ]
    made = table_of(
        "assumptions_shown",
        pd.concat([frame, total], ignore_index=True),
        _why(year),
        totals=1,
        notes=notes,
        currency=currency,
    )
    return made.sharing().as_brief()


def _assumption(row: Mapping[Any, Any]) -> str:
    return " of ".join(filter(None, [NAMES[str(row["about"])], str(row["segment"])]))


def _written(value: float, about_: str, currency: str) -> str:
    return show(value, KINDS[about_]) if about_ in KINDS else "–" if pd.isna(value) else compact(value, currency)


def _why(year: Retrospective) -> Sentence:
    """The assumption that cost most, and the one that brought most."""
    told = year.assumptions
    ends = {"lost": told.iloc[:1], "gained": told.iloc[-1:]}
    said = [
        say(f"Most was {verb} by {{name}} ({{size}}).", **_cost(year.book, row))
        for verb, sign in (("lost", -1), ("gained", 1))
        for row in ends[verb].to_dict("records")
        if sign * row["cost"] > 0
    ]
    return joined(*said) if said else say("No assumption of the plan cost anything, or brought more.")


def _cost(book: BoardBook, row: Mapping[Any, Any]) -> dict[str, Figure | str]:
    of = {name: str(row[name]) for name in ("about", "segment") if row[name]}
    size = money(book, "assumption_cost", float(row["cost"]), year_of(book), **of)
    return {"name": fitting(lowered(_assumption(row)), NAME), "size": size}


# --- the asks ------------------------------------------------------------------------------------


def asks_of_year(year: Retrospective) -> Exhibit:
    """Everything that was asked in the year, and what became of it."""
    book = year.book
    asked: dict[str, list[tuple[str, Risk]]] = {}
    for day, risk in _asked(year):
        asked.setdefault(risk.what, []).append((day, risk))
    if not asked:
        return text("Nothing was asked in the year.").as_appendix()
    now, firsts = {risk.what: risk for risk in risks(book)}, [each[0] for each in asked.values()]
    frame, sizes = became([risk for _, risk in firsts], now)
    frame.insert(0, "asked_on", [day for day, _ in firsts])
    frame.insert(frame.columns.get_loc("ask") + 1, "times", [float(len(each)) for each in asked.values()])
    period = year_of(book)
    settled = figure("asks_settled", float(sum(what not in now for what in asked)), period)
    made_in_year = figure("asks_made", float(len(asked)), period)
    words = {"asks": "ask" if len(asked) == 1 else "asks", "stand": "stands" if settled.value == 1 else "stand"}
    said = say(
        f"{{settled}} of {{asked}} {words['asks']} of the year no longer {words['stand']} out.",
        settled=settled,
        asked=made_in_year,
    )
    lacking = (
        []
        if all(each.pack for each in year.seen[1:])
        else ["Days without a pack that was shown are worked out again from today's records."]
    )
    made = table_of("asks_of_year", frame, said, notes=lacking, currency=book.plan.currency)
    return made.sharing(*(each for pair in sizes for each in pair if each))


def _asked(year: Retrospective) -> Iterator[tuple[str, Risk]]:
    """Every ask of the year with the day it was made on, the earliest first."""
    for each in year.seen[1:]:
        if each.pack:
            day = show(each.pack.shown_on, "date")
            yield from ((day, risk) for risk in asks_of(year.book, each.pack))
        else:
            day = show(each.book.as_of, "date")
            for risk in risks(each.book):
                yield day, replace(risk, size=size_then(risk, f"as known on {day}"))


# --- the next plan -------------------------------------------------------------------------------


def next_plan(year: Retrospective) -> Exhibit:
    """Each planned rate and delay beside what the records support now: what the next plan should take from the year."""
    book, found = year.book, year.rates
    if found.empty:
        return text("No planned rate can be compared: the records hold no conversions.").as_appendix()
    path = "crm.yaml" if book.files.live.history is None else book.files.live.history.leads
    left = len(found) - max(MOST_ROWS, int((found["verdict"] != FITS).sum()))
    notes = [
        *([f"{counted(left, 'further planned rate is', 'further planned rates are')} in line."] if left > 0 else []),
        f"`revplan rates {path} --as-of {book.as_of} --out rates.yaml` writes the rates and delays of the records ready to paste into the next plan.",
        "Too high and too low: the planned rate lies outside the band that holds what the records support in eight of ten cases; of rates that are right about one in five lies outside by luck.",
        *(
            [
                "Not settled, for the youngest records are still open: "
                + ", ".join(found.loc[~found["mature"], "step"])
                + "."
            ]
            if not found["mature"].all()
            else []
        ),
    ]
    frame = found.drop(columns="mature")[: max(MOST_ROWS, int((found["verdict"] != FITS).sum()))]
    made = table_of("rates_judged", frame, _next(year), notes=notes)
    return made.sharing().as_brief()


def _next(year: Retrospective) -> Sentence:
    found, period = year.rates, year_of(year.book)
    if found.empty:
        return say("No planned rate can be compared with the records.")
    off = found[found["verdict"] != FITS]
    compared, outside = (
        figure("values_compared", len(found), period, of="rates"),
        figure("rates_outside", len(off), period),
    )
    if off.empty and len(found) == 1:
        return say("The one planned rate is in line with the records: keep it.")
    if off.empty:
        return say("All {compared} planned rates are in line with the records: keep them.", compared=compared)
    first = off.iloc[0]
    rates, verb = "rate" if len(found) == 1 else "rates", "is" if len(off) == 1 else "are"
    planned, measured = (
        figure("rate_of_step", round_half_up(first[name], 3), period, basis, step=first["step"])
        for name, basis in (("planned", PLANNED), ("rate", "by the records"))
    )
    return say(
        f"{{outside}} of {{compared}} planned {rates} {verb} off what the records support, first of all {{step}}: {{measured}} in place of {{planned}}.",
        outside=outside,
        compared=compared,
        step=fitting(first["step"], NAME),
        measured=measured,
        planned=planned,
    )
