"""The exhibits of the pace: where the running month, quarter and year stand against the plan. Each takes the pace book."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date

import pandas as pd

from revplan.exhibits.chart import PLAN, REQUIRED, Chart, drawn
from revplan.exhibits.detail import for_audience
from revplan.exhibits.exhibit import Exhibit, chart, table_of, text
from revplan.exhibits.figures import Figure, FigureCells, Sentence, figure, say
from revplan.ground.calendar import MONTHS_PER_YEAR
from revplan.ground.formats import compact, counted, kinds_of, labels_of, largest_remainder, listed, plural, show
from revplan.tracking.book import BoardBook
from revplan.tracking.claims import CONTRADICTED, LOOK
from revplan.tracking.close_dates import close_date_notes
from revplan.tracking.notes import levels_of
from revplan.tracking.pace import enough
from revplan.tracking.pacebook import ALL, CELL, MONTH, QUARTER, PaceBook, pace_from

ON_THE_LINE = 0.05  # working days within which a month is on its line
NEARLY = 0.999
FRIDAY = 4
SHOWN = ("target_to_date", "actual", "gap", "attainment", "days_behind", "needed_per_working_day", "recent_per_working_day", "target", "projected",
         "projected_low", "projected_high", "chance_of_missing")  # fmt: skip

REACHED = "% of plan to date"
CHANCES = {
    name: (labels_of(table)[name], "figure")
    for table, name in (("pace", "chance_of_missing"), ("landing", "chance_of_goal"))
}
SEEN = {"gap": 0.05, "gap_value": 0.5}  # below which a variance is shown as none


def header(book: PaceBook) -> str:
    """The line a page of the pace names itself by."""
    attainment = book.board.signed or "not signed"
    return f"{book.plan.name} · as known on {show(book.as_of, 'date')} · {attainment}"


def summary(book: PaceBook) -> Exhibit:
    """Where the month stands at the stage of the commit: ahead or behind, what is needed, where it comes out."""
    line = book.line()
    if book.state or line is None:
        return text(book.state, notes=[each for each in book.notes if each != book.state], header=header(book))
    facts = {
        f"Plan to {show(book.as_of, 'date')}": show(line["target_to_date"], "count"),
        "Actual": show(line["actual"], "count"),
        "Variance": show(line["gap"], "number"),
        REACHED: show(line["attainment"], "share"),
        "Worth in new ARR": compact(line["gap_value"], book.plan.currency),
        "Working days behind": show(line["days_behind"], "days"),
        "Working days left": show(line["working_days_left"], "days"),
        "Needed a working day": show(line["needed_per_working_day"], "count"),
        "Plan of the month": show(line["target"], "count"),
        "Forecast": f"{show(line['projected'], 'count')} ({show(line['projected_low'], 'count')} to {show(line['projected_high'], 'count')})",
        "Chance of missing": _chance(line["chance_of_missing"]),
        "Straight line": show(line["straight_line"], "count"),
        "Out of reach on": show(line["unreachable_on"], "date"),
    }
    notes = [*_both_ways(line.to_frame().T, [book.label(line["period"])]), *book.notes]
    return text(told(book), facts, notes=notes, header=header(book))


def told(book: PaceBook) -> str:
    """The month in one or two sentences: the subject of the mail."""
    line = book.line()
    if book.state or line is None:
        return book.state
    title = book.plan.titles[book.stage]
    actual = counted(line["actual"], title, plural(title))
    ended = "" if book.ended_on is None else f"The records end on {show(book.ended_on, 'date')}. "
    stands = f"{ended}{actual} by {show(book.as_of, 'date')} against {show(line['target_to_date'], 'count')} planned: {_position(line)}."
    if not line["working_days_left"]:
        verdict = "met" if line["actual"] >= enough(line["target"]) else "missed"
        return f"{stands} No working day is left in {book.label(line['period'])}: its plan of {show(line['target'], 'count')} is {verdict} as counted."
    if line["actual"] >= enough(line["target"]):
        return f"{stands} The plan of the month, {show(line['target'], 'count')}, is met."
    band = f"{show(line['projected_low'], 'count')} to {show(line['projected_high'], 'count')} in eight of ten cases"
    return (
        f"{stands} To meet {show(line['target'], 'count')} it takes {show(line['needed_per_working_day'], 'count')} a working day; the recent pace is "
        f"{show(line['recent_per_working_day'], 'count')} and leads to {show(line['projected'], 'count')} ({band}): "
        f"{_chance(line['chance_of_missing'])} chance of missing.{_reach(line, book.as_of)}"
    )


def _chance(value: float) -> str:
    """A chance in words that claim no certainty."""
    if value > NEARLY:
        return f"over {show(NEARLY, 'share')}"
    return f"under {show(1 - NEARLY, 'share')}" if value < 1 - NEARLY else show(value, "share")


def _position(line: pd.Series) -> str:
    days = line["days_behind"]
    off = f"{show(abs(line['gap']), 'count')} {'behind' if days > 0 else 'ahead'}"
    if pd.isna(days) or abs(days) < ON_THE_LINE:
        is_over = not line["working_days_left"] and line["actual"] < enough(line["target"])
        return off if is_over else "on the line"  # at the end a record short is missed, however little of a day it is
    return f"{off}, {counted(abs(days), 'working day', kind='days')}"


def _reach(line: pd.Series, as_of: date) -> str:
    """From when on the month is out of reach: a fact of an evening that is over, at the recent pace of one to come."""
    day = line["unreachable_on"]
    if pd.isna(day):
        return ""
    if day.date() <= as_of:
        return f" Since {show(day, 'date')} even the best pace ever held would not do."
    return f" At the recent pace, from {show(day, 'date')} on even the best ever held would not do."


def line(book: PaceBook) -> Exhibit:
    """The yellow line: plan, actual and forecast of the month, day by day."""
    found = book.days
    if book.state or found.empty:
        return text(book.state).as_appendix()
    title = plural(book.plan.titles[book.stage])
    return chart(_drawn(found, title, Sentence(text=_line_message(book))), found, kinds_of("pace_days"))


def _drawn(found: pd.DataFrame, title: str, said: Sentence) -> Chart:
    """Plan, actual and forecast, day by day."""
    parts = [("target", f"{title} planned", REQUIRED, "line"), ("actual", "actual", PLAN, "line")]
    if found["forecast"].notna().sum() > 1:
        parts.append(("forecast", "forecast", PLAN, "dashed"))
    days = [show(day, "date").rsplit(" ", 1)[0] for day in found["day"]]
    return drawn(said, found.assign(day=days), "day", *parts, kind="count", x_kind="date")


def of_quarter(board: BoardBook) -> Exhibit:
    """The yellow line of the quarter for a board: plan, actual and forecast by working day, at the stage of the commit."""
    book = pace_from(board)
    period = next((each for each in book.periods if each.kind == QUARTER), None)
    line = None if period is None or not board.spans else book.line(QUARTER)
    if period is None or line is None or not line["target"] > 0:
        told = book.state or f"There is no line to follow in {board.plan.period_label(board.quarter.name)}."
        return text(say("{told}", told=told)).as_appendix()
    found = _week_ends(book.days_of(period), book.as_of)
    title = plural(board.plan.titles[book.stage])
    notes = [] if book.as_of == book.month.last else [BY_WORKING_DAY]
    drawing = _drawn(found, title, _quarter_message(book, found, line))
    made = chart(drawing, found, {**kinds_of("pace_days"), "worked": "text"}, notes=notes)
    rows = [{"period": str(day.date()), "stage": book.stage} for day in found["day"]]
    columns = {name: {"measure": "entries_so_far", "basis": basis} for name, basis in BASES.items()}
    return made.with_cells(FigureCells(rows=rows, columns=columns))


BY_WORKING_DAY = "The line counts the plan of the running month by working days; plan to date elsewhere in this report counts it by calendar days."


def _week_ends(days: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The Fridays of table pace_days, the last day known and the last one: a board looks at weeks."""
    kept = (days["day"].dt.day_of_week == FRIDAY) | (days["day"] == pd.Timestamp(as_of))
    kept.iloc[-1] = True
    return days[kept].reset_index(drop=True)


BASES = {
    "target": "planned by working day",
    "actual": "actual",
    "forecast": "forecast",
    "forecast_low": "forecast, one case in ten lies below",
    "forecast_high": "forecast, one case in ten lies above",
}
"""Columns of table pace_days, and what each rests on."""


def _quarter_message(book: PaceBook, found: pd.DataFrame, line: pd.Series) -> Sentence:
    """How far the quarter is from its line, and where the recent pace leads."""
    plan, last = book.plan, found.iloc[-1]
    end = {
        name: figure("entries_so_far", last[name], str(last["day"].date()), basis, stage=book.stage)
        for name, basis in BASES.items()
    }
    days, name = line["days_behind"], str(line["period"])
    side = "behind" if days > 0 else "ahead of"
    off = figure("days_off_plan", abs(days), name, f"on {book.as_of}", stage=book.stage)
    on_line = pd.isna(days) or abs(days) < ON_THE_LINE
    parts: dict[str, Figure | str] = {
        "title": plural(plan.titles[book.stage]),
        "period": plan.period_label(name),
        **({} if on_line else {"off": off}),
    }
    where = "on plan" if on_line else f"{{off}} working days {side} plan"
    if not line["working_days_left"]:
        said = f"{{title}} of {{period}} ended {where}: {{actual}} of {{target}} planned."
        return say(said, **parts, actual=end["actual"], target=end["target"])
    said = f"{{title}} of {{period}} are {where}; at the recent pace {{forecast}} of {{target}} come by its end ({{low}} to {{high}} in eight of ten cases)."
    ahead = {"forecast": end["forecast"], "low": end["forecast_low"], "high": end["forecast_high"]}
    return say(said, **parts, **ahead, target=end["target"])


def _line_message(book: PaceBook) -> str:
    row, title = book.line(), plural(book.plan.titles[book.stage])
    if row is None or not row["working_days_left"]:
        return told(book)
    leads = f"at the recent pace {show(row['projected'], 'count')} of {show(row['target'], 'count')} come by its end"
    return (
        f"{title} of {book.label(row['period'])} are {_position(row).replace('on the line', 'on their line')}; {leads}."
    )


def stages(book: PaceBook) -> Exhibit:
    """Every stage of the month, all segments and sources together."""
    titles = book.plan.titles
    rows = book.lines[(book.lines["of"] == "whole") & (book.lines["period_kind"] == MONTH)]
    if book.state or rows.empty:
        return text(book.state).as_appendix()
    frame = rows[["stage", *SHOWN]].assign(stage=rows["stage"].map(titles))
    behind = rows[rows["days_behind"] > ON_THE_LINE]
    month, of_all = book.label(book.month.name), f"{len(behind)} of {counted(len(rows), 'stage')}"
    if behind.empty:
        said = f"No stage is behind its line in {month}."
    elif len(behind) == 1:
        said = f"{of_all} is behind its line in {month}: {titles[behind['stage'].iloc[0]]}."
    else:
        furthest = titles[behind.loc[behind["days_behind"].idxmax(), "stage"]]
        said = f"{of_all} are behind their line in {month}, {furthest} furthest."
    return _table(book, frame, said, _both_ways(rows, rows["stage"].map(titles)))


def periods(book: PaceBook) -> Exhibit:
    """Month, quarter and year at the stage of the commit."""
    rows = book.lines[(book.lines["of"] == "whole") & (book.lines["stage"] == book.stage)]
    if book.state or rows.empty:
        return text(book.state).as_appendix()
    frame = rows[["period", *SHOWN]].assign(period=rows["period"].map(book.label))
    chances = ", ".join(
        f"{book.label(row.period)} {_chance(row.chance_of_missing)}"
        for row in rows.itertuples()
        if pd.notna(row.chance_of_missing)
    )
    said = f"Chance of missing the planned {plural(book.plan.titles[book.stage])}: {chances}."
    return _table(book, frame, said, _both_ways(rows, rows["period"].map(book.label)))


def parts(book: PaceBook) -> Exhibit:
    """The month by team, segment and source."""
    return _parts(book, ("team", "segment", "source"), "part")


def teams(book: PaceBook) -> Exhibit:
    """The month by team."""
    return _parts(book, ("team",), "team")


def _parts(book: PaceBook, kinds: tuple[str, ...], what: str) -> Exhibit:
    """Each at the stage of the commit, or the first one after it that the plan asks entries of."""
    rows = book.lines[book.lines["of"].isin(kinds) & (book.lines["period_kind"] == MONTH) & (book.lines["target"] > 0)]
    order = rows["stage"].map(list(book.plan.stage_ids).index)
    rows = rows[order >= book.plan.stage_ids.index(book.stage)]
    rows = rows.loc[order[rows.index].sort_values(kind="stable").index].drop_duplicates(
        ["of", "segment", "source", "team"]
    )
    if book.state or rows.empty:
        return text(book.state or f"There is only one {what} to look at.").as_appendix()
    rows = rows.loc[sorted(rows.index, key=lambda at: kinds.index(rows.loc[at, "of"]))]
    names = rows[["team", "segment", "source"]].apply(lambda row: next(name for name in row if name != ALL), axis=1)
    frame = rows[["of", "stage", *SHOWN, "gap_value"]].assign(
        of=rows["of"] + " " + names, stage=rows["stage"].map(book.plan.titles)
    )
    behind = rows[rows["days_behind"] > ON_THE_LINE]
    if behind.empty:
        said = f"No {what} is behind its line."
    else:
        worst = behind["gap_value"].idxmin()
        are = "is behind its" if len(behind) == 1 else "are behind their"
        said = f"{len(behind)} of {counted(len(rows), what)} {are} line; "
        if behind.loc[worst, "gap_value"] < 0:
            worth = compact(abs(behind.loc[worst, "gap_value"]), book.plan.currency)
            said += f"what {rows.loc[worst, 'of']} {names[worst]} lacks is worth most: {worth} of new ARR."
        else:
            said += "in money none is behind."
    return _table(book, frame, said, _both_ways(rows, frame["of"]), {"of": (what.capitalize(), "text")})


def _table(
    book: PaceBook,
    frame: pd.DataFrame,
    said: str,
    notes: Sequence[str] = (),
    more: Mapping[str, tuple[str, str]] | None = None,
) -> Exhibit:
    """Rows of table pace as a reader sees them."""
    shown = {"attainment": (REACHED, "share"), **CHANCES, **(more or {})}
    return table_of("pace", _with_chances(frame), said, more=shown, notes=notes, currency=book.plan.currency)


def _with_chances(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of a table whose chances are in words that claim no certainty, as in the sentence above it."""
    return frame.assign(**{name: frame[name].map(_chance) for name in CHANCES if name in frame})


def _both_ways(rows: pd.DataFrame, names: Iterable[object]) -> list[str]:
    """Why some of the rows are behind in entries and ahead in money, or the other way round: a sentence for each side."""
    named, told = pd.Series([str(each) for each in names], index=rows.index), []
    entries, worth = (rows[name].astype(float) for name in ("gap", "gap_value"))
    for sign, side, other, more in ((-1, "behind", "ahead", "more"), (1, "ahead", "behind", "less")):
        found = named[(sign * entries >= SEEN["gap"]) & (sign * worth <= -SEEN["gap_value"])]
        if len(found):
            told.append(
                f"{listed(found.tolist())}: {side} in entries and {other} in money, since what came is of segments and sources "
                f"whose entries are worth {more} than those planned."
            )
    return told


def cells(book: PaceBook) -> Exhibit:
    """The month at the stage of the commit, by segment and source."""
    rows = book.lines[
        (book.lines["of"] == CELL) & (book.lines["period_kind"] == MONTH) & (book.lines["stage"] == book.stage)
    ]
    if book.state or rows.empty:
        return text(book.state).as_appendix()
    frame = rows[["segment", "source", "team", *SHOWN]]
    said = f"{counted(int((rows['days_behind'] > ON_THE_LINE).sum()), 'cell is', 'cells are')} behind the line, of {len(rows)}."
    return _table(book, frame, said).as_appendix()


def landing(book: PaceBook) -> Exhibit:
    """Where new ARR of the month, the quarter and the year comes out."""
    rows = book.landing
    if rows.empty:
        return text("Where new ARR comes out cannot be told without records of the running year.").as_appendix()
    year = rows.iloc[-1]
    band = f"{compact(year['landing_low'], book.plan.currency)} to {compact(year['landing_high'], book.plan.currency)}"
    chances = [
        f"{book.label(row.period)} {_chance(row.chance_of_goal)}"
        for row in rows.itertuples()
        if pd.notna(row.chance_of_goal)
    ]
    chance = f" Chance of the goal: {', '.join(chances)}." if chances else ""
    total = compact(year["landing"], book.plan.currency)
    if book.as_of >= (book.plan.first_month + MONTHS_PER_YEAR - 1).end_time.date():
        said = f"{book.label(year['period'])} has ended: {total} of new ARR is on record."
    else:
        said = f"{book.label(year['period'])} is expected to land at {total} of new ARR ({band} in eight of ten cases).{chance}"
    items, worth = book.zombies
    dead = (
        [
            f"{counted(items, 'open record is', 'open records are')} older than any conversion and counted as nothing: {compact(worth, book.plan.currency)} in name."
        ]
        if items >= 0.5
        else []
    )
    if year["to_create"] >= 0.5 * 10.0**-book.board.decimals:
        pace = year["at_recent_pace"]
        lands = (
            ""
            if pd.isna(pace)
            else f"; if they come in as they did lately, {book.label(year['period'])} lands at {compact(pace, book.plan.currency)}"
        )
        dead.append(f"Still to create: what the entries still planned are to bring{lands}.")
    if book.board.now is not None and pd.notna(year["chance_of_goal"]):
        dead += [*levels_of(book.board.now), *close_date_notes(book.board.dates)]
    amounts = ["closed", "from_open", "to_create", "landing", "landing_low", "landing_high", "goal"]
    frame = rows[["period", *amounts, "chance_of_goal"]].assign(period=rows["period"].map(book.label))
    frame[amounts] = frame[amounts].round(book.board.decimals)
    terms, landed = amounts[:3], "landing"
    whole = rows[terms].notna().all(axis=1)
    for at in rows.index[whole]:  # rounded so that they add up
        frame.loc[at, terms] = largest_remainder(rows.loc[at, terms].to_numpy(dtype=float), digits=book.board.decimals)
        frame.loc[at, landed] = frame.loc[at, terms].sum()
    return table_of("landing", _with_chances(frame), said, more=CHANCES, notes=dead, currency=book.plan.currency)


def deciding(book: PaceBook) -> Exhibit:
    """The open records whose fate moves the year most."""
    rows = book.deciding
    if rows.empty:
        return text("No open record with an amount is left that could decide the year.").as_appendix()
    worth = compact(rows["amount"].sum(), book.plan.currency)
    expected = compact(rows["expected"].sum(), book.plan.currency)
    said = (
        f"The {len(rows)} open records that decide most are worth {worth} together; {expected} of that is expected this year."
        if len(rows) > 1
        else f"One open record decides most: it is worth {worth}."
    )
    frame = rows.assign(stage=rows["stage"].map(book.plan.titles)).round(
        {"amount": book.board.decimals, "expected": book.board.decimals, "swing": book.board.decimals}
    )
    return table_of("deciding", frame, said, currency=book.plan.currency)


def detail(book: PaceBook, audience: str) -> Exhibit:
    """What this audience asks about first.

    Parameters
    ----------
    audience
        `managers`: the month by segment and source; `all_hands`: the best performances of the quarter, luck taken off.

    Raises
    ------
    PlanError
        If the audience is another.
    """
    return for_audience(audience, AUDIENCES)(book)


def best(book: PaceBook) -> Exhibit:
    """The quarter's attainment of each segment and source, drawn towards the mean as far as luck explains its distance."""
    found = book.best
    if book.state or found.empty:
        return text(book.state or "There are not two segments and sources with a plan to look at.").as_appendix()
    first = found.iloc[0]
    name = f"{first['segment']} x {first['source']}"
    frame = found.assign(stage=found["stage"].map(book.plan.titles))
    if first["attainment_low"] <= found["mean_attainment"].iloc[0]:
        said = "What looks best may be luck: no segment and source is surely above the mean of all."
    else:
        said = (
            f"{name} is best: {show(first['shrunk'], 'ratio')} times its plan to date once luck is taken off "
            f"({show(first['attainment'], 'ratio')} as counted)."
        )
    return table_of("pace_best", frame.drop(columns="mean_attainment"), said)


AUDIENCES: dict[str, Callable[[PaceBook], Exhibit]] = {"managers": cells, "all_hands": best}
"""Audience -> what it is shown besides."""


def nowcast(book: PaceBook) -> Exhibit:
    """The true counts of the last day and of the month so far, once all is recorded."""
    found = book.nowcast
    if found.empty:
        return text(next(book.late_notes(), book.state)).as_appendix()
    row = found[(found["stage"] == book.stage) & (found["period"] == "day")]
    titles = book.plan.titles
    names = {"day": show(book.as_of, "date"), "month": f"{book.label(book.month.name)} to date"}
    frame = found.assign(stage=found["stage"].map(titles), period=found["period"].map(names))
    said = "What is counted of the last days is not all of it."
    if len(row):
        day = row.iloc[0]
        said = (
            f"{counted(day['counted'], titles[book.stage], plural(titles[book.stage]))} of {names['day']} are recorded; "
            f"{show(day['expected'], 'count')} ({show(day['low'], 'count')} to {show(day['high'], 'count')}) will be in the end."
        )
    return table_of("nowcast", frame, said)


def claims(book: PaceBook) -> Exhibit:
    """What people claim of the year, held against the books."""
    found = book.claims
    if found.empty:
        return text("No claim is made in the plan file that could be held against the books (claims).").as_appendix()
    wrong, made = found[found["verdict"] == CONTRADICTED], found[found["verdict"] != LOOK]
    if made.empty:
        said = found["told"].iloc[0]
    elif wrong.empty:
        said = f"{counted(len(made), 'claim was', 'claims were')} looked at; none is contradicted."
    else:
        said = f"{counted(len(wrong), 'claim is', 'claims are')} contradicted, of {len(made)}: {wrong['told'].iloc[0]}"
    return table_of("claims", found, said)


def tables(book: PaceBook) -> list[Exhibit]:
    """What a terminal shows of a day, in order."""
    if book.state:
        return [summary(book), landing(book)]
    late = [] if book.nowcast.empty else [nowcast(book)]
    said = [] if book.claims.empty else [claims(book)]
    return [summary(book), periods(book), stages(book), parts(book), *late, landing(book), deciding(book), *said]


def page(book: PaceBook) -> list[Exhibit]:
    """What the page of a day shows, in order: what a terminal shows, and the line drawn."""
    first, *others = tables(book)
    return [first, *others] if book.state else [first, line(book), *others, cells(book)]
