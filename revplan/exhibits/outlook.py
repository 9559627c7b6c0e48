"""Where the year goes, for the board: coverage of what is still to win, and the landing."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from revplan.exhibits import charts
from revplan.exhibits.attainment import NAME, money, nothing_yet
from revplan.exhibits.chart import GAP, INK, REQUIRED, drawn
from revplan.exhibits.exhibit import Exhibit, chart, table_of
from revplan.exhibits.figures import Figure, FigureCells, Sentence, figure, say
from revplan.exhibits.fit import fitting_names
from revplan.ground.errors import shown
from revplan.ground.formats import compact, largest_remainder, listed, round_half_up
from revplan.simulation.simulate import TRIALS
from revplan.tracking.book import BoardBook
from revplan.tracking.close_dates import close_date_notes
from revplan.tracking.notes import levels_of
from revplan.workbook.signing import ToSign

# --- coverage ------------------------------------------------------------------------------------

TOTAL = "Total"
FEW = 3
"""Most segments that a sentence names."""

COVERAGE_MONEY = ("open_pipeline", "remaining", "in_time")
NO_RECORDS = "No records are named, so what is open is not known."
NOT_EVERYWHERE = "not everywhere"
"""Whether the pipeline is enough in total, where it is and that of a segment is not."""
NOT_RUNNING = "Open records are held against what is left to win while the year runs."


def coverage(book: BoardBook) -> Exhibit:
    """The open pipeline over what is still to win in the year, by segment."""
    if book.coverage.empty:
        unnamed = book.history is None and book.spans
        return nothing_yet(book, NO_RECORDS if unnamed else NOT_RUNNING)
    frame, period = coverage_rows(book), coverage_period(book)
    made = table_of(
        "coverage_shown",
        frame,
        _coverage_message(book, frame, period),
        totals=1,
        currency=book.plan.currency,
        notes=[
            "The customary coverage of three is enough only where one amount in three is won. Coverage says nothing of when; "
            "what is expected in time does.",
        ],
    )
    columns = {name: name for name in (*COVERAGE_MONEY, "coverage", "coverage_needed")}
    rows = [{} if name == TOTAL else {"segment": name} for name in frame["segment"]]
    cells = FigureCells(rows=rows, columns=columns, currency=book.plan.currency, of={"period": period})
    made = made.with_cells(cells).as_brief()
    has, enough = frame["coverage"], frame["enough"] == "yes"
    if has.isna().all():
        return made
    parts = (
        ("has", "coverage", REQUIRED),
        ("thin", "coverage, too thin", GAP),
        ("coverage_needed", "needed: 1 / win rate", INK, "dashes"),
    )
    parted = frame.assign(has=has.where(enough), thin=has.where(~enough))
    return made.pictured(drawn(made.said, parted, "segment", *parts, form="stacked", kind="ratio"))


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
    shown = {
        name: largest_remainder(parts[column].to_numpy(), digits=book.decimals) for name, column in amounts.items()
    }
    rows = pd.concat([parts, whole])
    *answers, in_all = ("yes" if enough else "no" for enough in rows["enough"])
    return pd.DataFrame(
        {
            "segment": [*parts["segment"], TOTAL],
            **{name: [*column, float(column.sum())] for name, column in shown.items()},
            "coverage": rows["coverage"].to_numpy(),
            "coverage_needed": rows["needed"].to_numpy(),
            "enough": [*answers, NOT_EVERYWHERE if in_all == "yes" and "no" in answers else in_all],
        }
    )


def uncovered(book: BoardBook) -> dict[str, Figure]:
    """By segment whose pipeline is too thin: what is still to win less what is expected in time."""
    rest, period = coverage_rows(book), coverage_period(book)
    thin = rest[(rest["enough"] == "no") & (rest["segment"] != TOTAL)]
    return {
        row["segment"]: money(book, "uncovered", row["remaining"] - row["in_time"], period, segment=row["segment"])
        for row in thin.to_dict("records")
        if row["remaining"] > row["in_time"]
    }


def _coverage_message(book: BoardBook, frame: pd.DataFrame, period: str) -> Sentence:
    total = frame.iloc[-1]
    has, needs = (figure(name, total[name], period) for name in ("coverage", "coverage_needed"))
    left, coming = (money(book, name, total[name], period) for name in ("remaining", "in_time"))
    if has.value is None:
        return _all_won(frame, book.plan.period_label(period))
    thin = frame[:-1].loc[frame["enough"][:-1] == "no", "segment"]
    lacking = f"; too thin in {_some(list(thin))}" if len(thin) and len(frame) > 2 else ""
    enough = (coming.value or 0.0) > (left.value or 0.0)
    ahead = (
        "{coming} is expected in time where {left} is left."
        if enough
        else "{coming} of the {left} is expected in time."
    )
    said = "Open opportunities are {has} times what is still to win, where the win rate asks for {needs}{lacking}; "
    return say(said + ahead, has=has, needs=needs, lacking=lacking, coming=coming, left=left)


def _all_won(frame: pd.DataFrame, period: str) -> Sentence:
    """What is said where the goal is won in all; of single segments some of it may be left."""
    left = fitting_names([name for name in frame.loc[frame["remaining"] > 0, "segment"] if name != TOTAL], NAME)
    if not left:
        return say("Nothing is left to win of the goal of the {period}.", period=period)
    return say(
        "In all nothing is left to win of the goal of the {period}; segments short of theirs: {left}.",
        period=period,
        left=_some(left),
    )


def _some(names: list[str]) -> str:
    """The names, or the first of many."""
    few = names if len(names) <= FEW else [*names[: FEW - 1], "others"]
    told = fitting_names(few, NAME)
    return " and ".join(filter(None, [", ".join(told[:-1]), told[-1]]))


# --- landing -------------------------------------------------------------------------------------

HOW_SIMULATED = (
    "Won so far, expected of open records at today's rates, and expected of the entries still committed: one simulation, so "
    f"that the band shares their rates, delays and market. {TRIALS:,} years are simulated; the same records give the same band."
)
PARTS = {"won": "closed", "open_records": "from_open", "still_to_create": "to_create"}
"""Parts of the landing, each with its column of table landing."""


def landing(book: BoardBook) -> Exhibit:
    """Where the year lands, and the band that holds it in eight of ten cases."""
    if book.landing.empty:
        return nothing_yet(book, "Where the year lands cannot be told without records.")
    frame = landing_rows(book)
    year = frame["year"].iloc[0]
    said = _landing_message(book)
    kinds = {"year": "text", **dict.fromkeys([name for name in frame.columns if name != "year"], "money")}
    made = chart(charts.landing(frame, said, book.plan.currency), frame, kinds, notes=_landing_notes(book))
    columns = {name: {"measure": "landing_part", "basis": name.replace("_", " ")} for name in PARTS}
    columns |= {name: {"measure": name} for name in ("landing", "landing_low", "landing_high", "goal")}
    return made.with_cells(FigureCells(rows=[{"period": year}], columns=columns, currency=book.plan.currency))


def landing_rows(book: BoardBook) -> pd.DataFrame:
    """The year's row of table landing in whole units that add up."""
    row = book.landing.iloc[-1]
    parts = largest_remainder([row[column] for column in PARTS.values()], digits=book.decimals)
    return pd.DataFrame(
        [
            {
                "year": row["period"],
                **dict(zip(PARTS, parts, strict=True)),
                "landing": float(parts.sum()),
                "landing_low": round_half_up(row["landing_low"], book.decimals),
                "landing_high": round_half_up(row["landing_high"], book.decimals),
                "goal": round_half_up(row["goal"], book.decimals),
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
    chance = book.landing["chance_of_goal"].iloc[-1]
    found["chance"] = figure("chance", None if pd.isna(chance) else round_half_up(chance, 3), row["year"])
    return found


def _landing_message(book: BoardBook) -> Sentence:
    found = landing_figures(book)
    if found["chance"].value is None:
        return ended(book)
    return say(
        "The year is expected to land at {landing} ({landing_low} to {landing_high} in eight of ten cases) against a goal of {goal}; "
        "it reaches it with a chance of {chance}.",
        **{name: each for name, each in found.items() if name != "gap"},
    )


def ended(book: BoardBook) -> Sentence:
    """What is said of a year that is over: what it came to, or that the records do not hold all of it."""
    found, lacking = landing_figures(book), book.lacking_of_year
    figures = {"landing": found["landing"], "goal": found["goal"]}
    if not lacking:
        return say("The year has ended at {landing} of new ARR against a goal of {goal}.", **figures)
    return say(
        "The year is over, but {lacking}: {landing} of new ARR is on record against a goal of {goal}.",
        lacking=lacking,
        **figures,
    )


def _landing_notes(book: BoardBook) -> list[str]:
    """How it is simulated, and how the steps and expected close dates of a running year's records are taken."""
    if book.now is None or pd.isna(book.landing["chance_of_goal"].iloc[-1]):
        return [HOW_SIMULATED]
    return [HOW_SIMULATED, *_of_open_records(book), *levels_of(book.now), *close_date_notes(book.dates)]


def _of_open_records(book: BoardBook) -> Iterator[str]:
    """What of the landing's open records is also the coverage's open pipeline; people who lack the time cut the one alone."""
    rest = coverage_rows(book)
    if rest.empty or book.plan.capacity is not None:
        return
    pipeline = float(rest["in_time"].iloc[-1])
    other = float(landing_rows(book)["open_records"].iloc[0]) - pipeline
    if round(other, book.decimals) > 0:
        told, younger = (compact(each, book.plan.currency) for each in (pipeline, other))
        yield f"Of the open records, opportunities are expected to bring {told} and records that are none yet {younger}."


# --- what is to be decided ------------------------------------------------------------------------


def recommended(book: BoardBook, asked: ToSign, counted: str) -> Sentence:
    """Which of the two ways the plan's own ceilings and costs speak for, and why; or what they lack to tell.

    As everywhere, entries are bought where they bring more new ARR within the year than they cost, unless the plan wants its
    goal at any cost; and none above a ceiling. What a source without a cost takes comes on top of what is known.
    """
    period, plan = str(book.plan.first_month.year), asked.simulation.year.plan
    parts: dict[str, Figure | str] = {"counted": counted, "year": book.plan.period_label(period)}
    nobody = not plan.capacity
    if asked.over:
        return say("Recommended: the lower goal, for the plan's own ceilings rule the extra {counted} out.", **parts)
    if plan.commit.at_any_cost:
        who = "; who does the work it does not say" if nobody else ""
        return say(f"Recommended: the extra {{counted}}, for the plan wants its goal at any cost{who}.", **parts)
    gain, spend, ever = asked.more_arr or 0.0, asked.more_spend or 0.0, asked.more_arr_ever
    parts["gain"] = money(book, "more_arr", gain, period)
    if asked.more_spend is not None:
        parts["spend"] = money(book, "more_spend", spend, period)
    if gain < spend:
        least = " at least" if asked.unpriced else ""
        later = ""
        if ever is not None and ever > spend:
            later = "; the {ever} of the end is a case for a later plan"
            parts["ever"] = money(book, "more_arr_ever", ever, period)
        lower = "Recommended: the lower goal, for the extra {counted} would on average bring {gain} of new ARR in {year} for {spend}"
        return say(f"{lower}{least}{later}.", **parts)
    if asked.unpriced:
        missing = "Neither is recommended: what the extra {counted} would cost is not known, for the plan gives no cost per entry of {sources}."
        return say(missing, counted=counted, sources=listed(fitting_names(map(shown, asked.unpriced), NAME)))
    buy = "Recommended: the extra {counted}, expected to bring {gain} of new ARR in {year} for {spend}"
    return say(
        f"{buy}; {'who does the work, and the margin,' if nobody else 'the margin'} the plan does not say.", **parts
    )
