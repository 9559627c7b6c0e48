"""Where the year stands, for the board: three numbers, coverage, landing, scenarios, who is behind."""

from __future__ import annotations

import pandas as pd

from revplan.boardbook import BoardBook
from revplan.formats import largest_remainder, round_half_up
from revplan.report import board_charts as charts
from revplan.report.board import CAME, PROMISED, money, nothing_yet
from revplan.report.exhibit import Exhibit, chart, table, text
from revplan.report.figures import Cells, Figure, Sentence, figure, joined, say

RATES = ("conversion", "conversion_low", "conversion_high")


def stage_title(book: BoardBook, stage: str) -> str:
    """What a stage is called."""
    return next(each.title for each in book.plan.stages if each.id == stage)


# --- three numbers -------------------------------------------------------------------------------


def three_numbers(book: BoardBook) -> Exhibit:
    """Flow, conversion and CAC: the three numbers a board reads a marketing team by."""
    found = book.three_numbers
    if found.empty:
        return nothing_yet(book)
    frame = pd.DataFrame(
        {
            "quarter": [f"{name} ({period})" for name, period in zip(found["quarter"], found["period"], strict=True)],
            "entries": [_whole(value) for value in found["flow"]],
            "conversion": found["rate"],
            "conversion_low": found["rate_low"],
            "conversion_high": found["rate_high"],
            "period_ratio": found["period_ratio"],
            "cac": [_whole(value) for value in found["cac"]],
        }
    )
    title = stage_title(book, book.stage)
    made = table(
        frame,
        {
            "quarter": "text",
            "entries": "count",
            **dict.fromkeys(RATES, "share"),
            "period_ratio": "ratio",
            "cac": "money",
        },
        _three_message(book, frame),
        labels={
            "quarter": "Quarter",
            "entries": f"Flow: {title}s",
            "conversion": "Conversion to won",
            "conversion_low": "P10",
            "conversion_high": "P90",
            "period_ratio": "Wins over entries",
            "cac": f"Programme CAC ({book.plan.currency})",
        },
        notes=_three_notes(found),
    )
    return made.with_cells(_three_cells(book, found))


def _three_cells(book: BoardBook, found: pd.DataFrame) -> Cells:
    bases = [PROMISED if name == "plan" else CAME for name in found["quarter"]]
    rows = [{"period": period, "basis": basis} for period, basis in zip(found["period"], bases, strict=True)]
    columns = {name: {"measure": name} for name in (*RATES, "period_ratio", "cac")}
    columns["entries"] = {"measure": "entries", "stage": book.stage}
    return Cells(rows=rows, columns=columns, currency=book.plan.currency)


def _three_message(book: BoardBook, frame: pd.DataFrame) -> Sentence:
    now, plan = frame.iloc[0], frame.iloc[-1]
    period = book.three_numbers["period"].iloc[0]

    def both(measure: str, column: str, **of: str) -> tuple[Figure, Figure]:
        return tuple(  # type: ignore[return-value]
            figure(measure, row[column], period, basis, book.plan.currency, **of)
            for row, basis in ((now, CAME), (plan, PROMISED))
        )

    flow, conversion = both("entries", "entries", stage=book.stage), both("conversion", "conversion")
    said = say(
        "{came} {title}s came where {asked} were promised, and {rate} of them are won in the end where the plan says {planned}",
        came=flow[0],
        title=stage_title(book, book.stage),
        asked=flow[1],
        rate=conversion[0],
        planned=conversion[1],
    )
    spent, planned = both("cac", "cac")
    if spent.value is None:
        return joined(said, say("; no spend is booked, so there is no CAC."), glue="")
    return joined(said, say("; a customer costs {cac}, not {planned}.", cac=spent, planned=planned), glue="")


def _three_notes(found: pd.DataFrame) -> list[str]:
    young = [period for period, open_ in zip(found["period"], found["provisional"], strict=True) if open_]
    notes = [f"Provisional, for part of the wins is still to come: {', '.join(dict.fromkeys(young))}."] if young else []
    return [*notes, *dict.fromkeys(f"{basis}." for basis in found["basis"])]


def _whole(value: float) -> float:
    return value if pd.isna(value) else round_half_up(value)


# --- coverage ------------------------------------------------------------------------------------

TOTAL = "Total"
COVERAGE_MONEY = ("open_pipeline", "remaining", "in_time")


def coverage(book: BoardBook) -> Exhibit:
    """The open pipeline over what is still to win in the year, by segment."""
    if book.coverage.empty:
        return (
            text(say("No open records are known that could cover what is left of the year."))
            if book.spans
            else nothing_yet(book)
        )
    frame, period = coverage_rows(book), coverage_period(book)
    made = table(
        frame,
        {
            "segment": "text",
            **dict.fromkeys(COVERAGE_MONEY, "money"),
            "coverage": "ratio",
            "coverage_needed": "ratio",
            "enough": "text",
        },
        _coverage_message(book, frame, period),
        labels={
            "segment": "Segment",
            "open_pipeline": f"Open pipeline ({book.plan.currency})",
            "remaining": "Still to win",
            "in_time": "Expected in time",
            "coverage": "Coverage",
            "coverage_needed": "Needed: 1 / win rate",
            "enough": "Enough",
        },
        totals=1,
        notes=[
            "The customary coverage of three is enough only where one amount in three is won. Coverage says nothing of when; "
            "what is expected in time does.",
        ],
    )
    columns = {name: {"measure": name, "period": period} for name in (*COVERAGE_MONEY, "coverage", "coverage_needed")}
    rows = [{} if name == TOTAL else {"segment": name} for name in frame["segment"]]
    return made.with_cells(Cells(rows=rows, columns=columns, currency=book.plan.currency))


def coverage_period(book: BoardBook) -> str:
    """The rest of the year, as table coverage names it; empty where nothing is known of it."""
    return "" if book.coverage.empty else str(book.coverage["period"].iloc[-1])


def coverage_rows(book: BoardBook) -> pd.DataFrame:
    """The rest of the year by segment, then in total, amounts in whole units that add up; without rows where none is known."""
    if book.coverage.empty:
        return pd.DataFrame(columns=["segment", "remaining", "enough"])
    rest = book.coverage[book.coverage["period"] == coverage_period(book)]
    parts, whole = (rest[1:], rest[:1]) if len(rest) > 1 else (rest, rest)
    amounts = {"open_pipeline": "open_amount", "remaining": "remaining", "in_time": "in_time"}
    shown = {name: largest_remainder(parts[column].to_numpy()) for name, column in amounts.items()}
    rows = pd.concat([parts, whole])
    return pd.DataFrame(
        {
            "segment": [*parts["segment"], TOTAL],
            **{name: [*column, float(column.sum())] for name, column in shown.items()},
            "coverage": rows["coverage"].to_numpy(),
            "coverage_needed": rows["needed"].to_numpy(),
            "enough": ["yes" if enough else "no" for enough in rows["enough"]],
        }
    )


def uncovered(book: BoardBook) -> dict[str, Figure]:
    """By segment whose pipeline is too thin: what is still to win less what is expected in time."""
    rest, period = coverage_rows(book), coverage_period(book)
    thin = rest[(rest["enough"] == "no") & (rest["segment"] != TOTAL)]
    return {
        row["segment"]: money(book, "uncovered", row["remaining"] - row["in_time"], period, segment=row["segment"])
        for row in thin.to_dict("records")
    }


def _coverage_message(book: BoardBook, frame: pd.DataFrame, period: str) -> Sentence:
    total = frame.iloc[-1]
    has, needs = (figure(name, total[name], period) for name in ("coverage", "coverage_needed"))
    left, coming = (money(book, name, total[name], period) for name in ("remaining", "in_time"))
    if has.value is None:
        return say("Nothing is left to win of the goal of the {period}.", period=period)
    thin = frame[:-1].loc[frame["enough"][:-1] == "no", "segment"]
    lacking = f"; too thin in {', '.join(thin)}" if len(thin) and len(frame) > 2 else ""
    return say(
        "The open pipeline is {has} times what is still to win, where the win rate asks for {needs}{lacking}; "
        "{coming} of the {left} is expected in time.",
        has=has,
        needs=needs,
        lacking=lacking,
        coming=coming,
        left=left,
    )


# --- landing -------------------------------------------------------------------------------------

PARTS = {"closed": "won", "from_open": "open records", "to_create": "still to create"}


def landing(book: BoardBook) -> Exhibit:
    """Where the year lands, and the band that holds it in eight of ten cases."""
    if book.landing.empty:
        return nothing_yet(book)
    frame = landing_rows(book)
    year = frame["year"].iloc[0]
    said = _landing_message(book)
    kinds = {"year": "text", **dict.fromkeys([name for name in frame.columns if name != "year"], "money")}
    made = chart(
        charts.landing(book.plan.currency, said), frame, kinds, height=2.1, name="landing", notes=_landing_notes(book)
    )
    columns = {name: {"measure": "landing_part", "basis": label} for name, label in PARTS.items()}
    columns |= {name: {"measure": name} for name in ("landing", "landing_low", "landing_high", "goal")}
    return made.with_cells(Cells(rows=[{"period": year}], columns=columns, currency=book.plan.currency)).with_native(
        charts.landing_native(book.plan.currency)
    )


def landing_rows(book: BoardBook) -> pd.DataFrame:
    """The year's row of table landing in whole units that add up."""
    row = book.landing.iloc[-1]
    parts = largest_remainder([row[name] for name in PARTS])
    return pd.DataFrame(
        [
            {
                "year": row["period"],
                **dict(zip(PARTS, parts, strict=True)),
                "landing": float(parts.sum()),
                "landing_low": round_half_up(row["landing_low"]),
                "landing_high": round_half_up(row["landing_high"]),
                "goal": round_half_up(row["goal"]),
            }
        ]
    )


def landing_figures(book: BoardBook) -> dict[str, Figure]:
    """Landing, its band, the goal and what lies between, and the chance of the goal."""
    row = landing_rows(book).iloc[0]
    found = {
        name: money(book, name, row[name], row["year"]) for name in ("landing", "landing_low", "landing_high", "goal")
    }
    found["gap"] = money(book, "landing_gap", row["landing"] - row["goal"], row["year"])
    found["chance"] = figure("chance", _percent(book.landing["chance_of_goal"].iloc[-1]), row["year"])
    return found


def _percent(value: float) -> float | None:
    return None if pd.isna(value) else round_half_up(value, 3)


def _landing_message(book: BoardBook) -> Sentence:
    found = landing_figures(book)
    if found["chance"].value is None:
        return say(
            "The year has ended at {landing} of new ARR against a goal of {goal}.",
            landing=found["landing"],
            goal=found["goal"],
        )
    return say(
        "The year is expected to land at {landing} ({low} to {high} in eight of ten cases) against a goal of {goal}; "
        "it reaches it with a chance of {chance}.",
        landing=found["landing"],
        low=found["landing_low"],
        high=found["landing_high"],
        goal=found["goal"],
        chance=found["chance"],
    )


def _landing_notes(book: BoardBook) -> list[str]:
    return [
        "Won so far, expected of open records at today's rates, and expected of the entries still committed: one simulation, so "
        "that the band shares their rates, delays and market."
    ]


# --- sources -------------------------------------------------------------------------------------


def sources(book: BoardBook) -> Exhibit:
    """Which source is behind, who answers for it, and what that is worth."""
    found = book.promise_by_source
    if found.empty:
        return nothing_yet(book)
    frame = source_rows(book)
    period = book.spans[0].label
    made = table(
        frame,
        {
            "source": "text",
            "owner": "text",
            "stage": "text",
            "promised": "count",
            "came": "count",
            "gap": "number",
            "worth": "money",
        },
        _sources_message(book, frame, period),
        labels={
            "source": "Source",
            "owner": "Owner",
            "stage": "Counted as",
            "promised": f"Promised for {period}",
            "came": "Came",
            "gap": "Gap",
            "worth": f"Gap in new ARR ({book.plan.currency})",
        },
        notes=["What a gap is worth follows from the plan's rates and deals; much of it falls into later quarters."],
    )
    columns: dict[str, dict[str, str]] = {
        name: {"measure": "entries", "period": period, "basis": name} for name in (PROMISED, CAME)
    }
    columns |= {
        "gap": {"measure": "entries_gap", "period": period},
        "worth": {"measure": "gap_worth", "period": period},
    }
    rows = [{"source": name, "stage": stage} for name, stage in zip(found["source"], found["stage"], strict=True)]
    return made.with_cells(Cells(rows=rows, columns=columns, currency=book.plan.currency))


def source_rows(book: BoardBook) -> pd.DataFrame:
    """Table promise_by_source in whole entries, with owners."""
    found = book.promise_by_source
    asked = [round_half_up(value) for value in found["promised"]]
    return pd.DataFrame(
        {
            "source": found["source"],
            "owner": [book.plan.sources[name].owner for name in found["source"]],
            "stage": [stage_title(book, stage) for stage in found["stage"]],
            "promised": asked,
            "came": found["came"],
            "gap": found["came"] - asked,
            "worth": [round_half_up(value) for value in found["worth"]],
        }
    )


def furthest_behind(book: BoardBook) -> tuple[pd.Series, dict[str, Figure]] | None:
    """The source whose gap costs most, with its figures; None where none is behind."""
    if book.promise_by_source.empty:
        return None
    frame = source_rows(book)
    if not frame["worth"].min() < 0:
        return None
    at = int(frame["worth"].to_numpy().argmin())
    row, period = frame.iloc[at], book.spans[0].label
    of = {"source": row["source"], "stage": book.promise_by_source["stage"].iloc[at]}
    figures = {
        "came": figure("entries", row["came"], period, CAME, **of),
        "asked": figure("entries", row["promised"], period, PROMISED, **of),
        "worth": money(book, "gap_worth", row["worth"], period, **of),
    }
    return row, figures


def _sources_message(book: BoardBook, frame: pd.DataFrame, period: str) -> Sentence:
    behind = furthest_behind(book)
    if behind is None:
        return say("Every source brought in {period} what was promised.", period=period)
    row, figures = behind
    return say(
        "{source} brought {came} of {asked} {stage}s, a gap worth {worth} of new ARR; {owner} answers for it.",
        source=row["source"],
        stage=row["stage"],
        owner=row["owner"],
        **figures,
    )
