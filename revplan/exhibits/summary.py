"""What a board reads first and asks last: the summary, what if, risks and asks, definitions."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from revplan.exhibits import charts
from revplan.exhibits.attainment import ACTUAL, NAME, PLANNED, agreeing, brought, entries, money, new_arr, signed
from revplan.exhibits.exhibit import Exhibit, table_of, text
from revplan.exhibits.figures import TO_SIGN, Figure, FigureCells, Sentence, figure, joined, measures, say
from revplan.exhibits.fit import fitting, fitting_names
from revplan.exhibits.outlook import ended, landing_figures, landing_rows, recommended, uncovered
from revplan.exhibits.performance import furthest_behind
from revplan.exhibits.side_by_side import NONE_NAMED
from revplan.ground.calendar import MONTHS_PER_YEAR
from revplan.ground.errors import shown
from revplan.ground.formats import (
    MISSING,
    TIE,
    first_largest,
    listed,
    plural,
    raised,
    round_half_up,
    show,
    steady_order,
)
from revplan.record.packs import Pack
from revplan.record.signed import SAME, versions
from revplan.snapshot.fit import look_first
from revplan.tracking.book import BoardBook, open_past
from revplan.workbook.idle import scenario_effects
from revplan.workbook.notes import DECIDE, LANDS, TO_DO, WHERE
from revplan.workbook.signing import EVEN, ToSign
from revplan.workbook.workbook import assumption_words

VERY_LIKELY = 0.9
"""Chance from which a year is called very likely to reach its goal, or to miss it."""


def summary(book: BoardBook, before: BoardBook | None) -> Exhibit:
    """Whether the year reaches its goal, and below it what was signed, where we are and land, what to decide and to do.

    Parameters
    ----------
    book
        The year as known now.
    before
        The same as known when the quarter began; None where the year had not begun.
    """
    state = f"{book.plan.name}{f', {book.segment}' if book.segment else ''}"
    header = f"{state}, as known on {show(book.as_of, 'date')}"
    lines = {
        "The commit": _commit(book),
        WHERE: _where(book),
        LANDS: _band(book, before),
        DECIDE: _decision(book),
        TO_DO: _to_do(book),
    }
    told = {label: line for label, line in lines.items() if line.text}
    said = joined(*doubtful(book, book.stale), _verdict(book))
    made = text(said, told, header=header, notes=book.beside).with_periods(book.period_labels)
    return made.of_report(**about(book))


def about(book: BoardBook) -> dict[str, str]:
    """What the pack is of, under which it is kept when it was shown."""
    return {
        "year": year_of(book),
        "period": book.quarter.name,
        "label": book.plan.period_label(book.quarter.name),
        "segment": book.segment,
        "as_of": str(book.as_of),
        "signed": book.signed,
        "baseline": book.files.baseline.record,
    }


def year_of(book: BoardBook) -> str:
    """The fiscal year's id."""
    return str(book.plan.first_month.year)


def goal(book: BoardBook) -> Figure:
    """New ARR the year asks for."""
    return money(book, "goal", float(book.year.targets[:, :MONTHS_PER_YEAR].sum()), year_of(book))


def _commit(book: BoardBook) -> Sentence:
    """What was signed, by whom and how sure it should be; or what is to be signed, and that nobody did."""
    segment = f" of {fitting(book.segment, NAME)}" if book.segment else ""
    if book.signed:
        said = "{number} {counted}{segment} for {year}, {signed}, to reach the goal with a chance of {wanted}."
    elif book.scale is None:
        said = "Nothing is signed for {year}, and no volume reaches the goal with a chance of {wanted}. Actuals are compared with the expected commit, {number} {counted}{segment}."
    else:
        said = "Nothing is signed for {year}. Reaching the goal with a chance of {wanted} takes {number} {counted}{segment}; actuals are compared with that."
    return say(said, segment=segment, **commit_parts(book))


def commit_parts(book: BoardBook) -> dict[str, Figure | str]:
    """What a sentence on the commit quotes: how much of what, of which year, how sure, signed by whom."""
    number, period = signed(book), year_of(book)
    return {
        "number": number,
        "year": book.plan.period_label(period),
        "wanted": figure("confidence", book.plan.commit.confidence, period),
        "signed": book.signed,
        **agreeing(number, book.plan.titles[book.plan.commit_stage]),
    }


def _where(book: BoardBook) -> Sentence:
    """Plan and actual of the quarter, in money and in entries, and of the year so far."""
    if not book.spans:
        return say("{state}", state=book.state)
    label = book.spans[0].label
    if new_arr(book, label, ACTUAL).value is None:
        return say(
            "{asked} of new ARR was planned for {period}; what was won is not known.",
            period=book.plan.period_label(label),
            asked=new_arr(book, label, PLANNED),
        )
    whole = book.spans[-1].label
    others = [brought(book, whole)] if book.spans[-1].first != book.spans[0].first else []
    return joined(brought(book, label), *entered(book, label), *others, *aim(book, whole))


def entered(book: BoardBook, label: str) -> Iterator[Sentence]:
    """Entries at the commit stage in a period beside those planned; nothing where the records do not tell."""
    stage = book.plan.commit_stage
    actual, asked = (entries(book, stage, basis, label) for basis in (ACTUAL, PLANNED))
    if actual.value is not None:
        counted = agreeing(actual, book.plan.titles[stage])
        yield say("{actual} {counted} came against {asked} planned.", actual=actual, asked=asked, **counted)


def aim(book: BoardBook, label: str) -> Iterator[Sentence]:
    """What the goal asks for by then where that is not what is planned, and why more is where more entries than do on average were signed."""
    planned, asked_for = (new_arr(book, label, basis) for basis in (PLANNED, "goal"))
    if planned.text == asked_for.text:
        return
    above = (planned.value or 0.0) > (asked_for.value or 0.0) and book.scale is not None and book.scale > 1
    if not above:
        yield say("The goal itself needs {goal} by then.", goal=asked_for)
        return
    yield say(
        "The goal itself needs {goal} by then: the plan asks for more entries than are needed on average, to give it the chance wanted.",
        goal=asked_for,
    )


def doubtful(book: BoardBook, stale: str) -> Iterator[Sentence]:
    """What of the records a reader must look at first, and what is `stale` of them."""
    yield from (say("{doubt}", doubt=line) for line in (*look_first(book.doubts), stale) if line)


def _verdict(book: BoardBook) -> Sentence:
    if not len(book.landing):
        return say(
            "Whether {year} reaches its goal of {goal} cannot be told: {lacking}.",
            year=book.plan.period_label(year_of(book)),
            goal=goal(book),
            lacking=book.lacking_of_year or "nothing is known of it",
        )
    found = landing_figures(book)
    if found["chance"].value is None:
        return ended(book)
    return say(
        f"{{year}} is {likely(found['chance'].value)} its goal: new ARR is heading for {{landing}}, the goal is {{goal}}.",
        year=book.plan.period_label(year_of(book)),
        landing=found["landing"],
        goal=found["goal"],
    )


def likely(chance: float) -> str:
    """A chance of reaching something in words a reader agrees with; the number stands beside it."""
    if EVEN[0] <= chance <= EVEN[1]:
        return "about as likely to reach as to miss"
    side, sure = ("reach", chance) if chance > EVEN[1] else ("miss", 1 - chance)
    return f"{'very likely' if sure >= VERY_LIKELY else 'likely'} to {side}"


def _band(book: BoardBook, before: BoardBook | None) -> Sentence:
    """How far from the goal the year lands, how sure that is, and what changed since the quarter began."""
    if not len(book.landing):
        return say("")
    found = landing_figures(book)
    gap = found["gap"].value or 0.0
    side = "above" if gap > 0 else "below" if gap < 0 else "at"
    if found["chance"].value is None:
        return say(f"{side.capitalize()} the goal ({{gap}}).", gap=found["gap"])
    said = say(
        f"{side.capitalize()} the goal ({{gap}}); between {{low}} and {{high}} of new ARR in eight of ten cases. The chance of the goal is {{chance}}.",
        gap=found["gap"],
        low=found["landing_low"],
        high=found["landing_high"],
        chance=found["chance"],
    )
    return joined(said, *_at_recent_pace(book), *_changed(book, before))


def _at_recent_pace(book: BoardBook) -> list[Sentence]:
    """What the landing is where new records come in as lately, beside the entries it takes for granted; of a year with some to come."""
    row, pace = landing_rows(book).iloc[0], book.landing["at_recent_pace"].iloc[-1]
    if book.simulation is None or pd.isna(pace) or not row["still_to_create"] > 0:
        return []
    left = _still_committed(book, ToSign(book.simulation))
    said = "The landing counts on the {committed} {counted} still committed; if new records come in as they did lately, it is {pace}."
    pace_figure = money(book, "landing_at_pace", round_half_up(pace, book.decimals), row["year"])
    return [say(said, committed=left, counted=_agreeing_entries(book, left), pace=pace_figure)]


def _still_committed(book: BoardBook, asked: ToSign) -> Figure:
    return figure("entries_left", asked.expected[asked.stage], year_of(book), stage=asked.stage)


def _agreeing_entries(book: BoardBook, count: Figure) -> str:
    """What is counted at the commit stage, in the number of `count`."""
    return agreeing(count, book.plan.titles[book.plan.commit_stage])["counted"]


def _changed(book: BoardBook, before: BoardBook | None) -> list[Sentence]:
    """What changed since the last pack that was shown, or since the quarter began where none is kept."""
    if book.landing.empty:
        return []
    now, shown = landing_rows(book).iloc[0]["landing"], last_shown(book)
    if shown is not None:
        day, then, basis = show(shown.shown_on, "date"), shown.told("landing") or 0.0, shown_basis(shown)
        same, moved = "The forecast is as it was shown on {day}.", "The forecast shown on {day} has moved by {change}."
    elif before is not None and not before.landing.empty:
        day, then = show(before.as_of, "date"), landing_rows(before).iloc[0]["landing"]
        basis = f"as known on {day}"
        same, moved = "The forecast is where it was on {day}.", "The forecast has moved by {change} since {day}."
    else:
        return []
    change = money(book, "landing_change", now - then, year_of(book), basis)
    return [say(moved if change.value else same, change=change, day=day)]


def last_shown(book: BoardBook) -> Pack | None:
    """The last pack that was shown before this one and told where the year lands; None where none is kept."""
    told = [each for each in book.packs if each.told("landing") is not None]
    return told[-1] if told else None


def shown_basis(pack: Pack) -> str:
    """Basis of a figure that stands as a pack told it."""
    return f"as shown on {show(pack.shown_on, 'date')}"


def _decision(book: BoardBook) -> Sentence:
    """What the board is asked for: to sign, to lower the goal or to approve more, with the money; or that it is nothing."""
    if not len(book.landing):
        return say("Cannot be told, as where the year lands cannot.")
    if book.simulation is None:
        return say("No decision is needed: the year is over.")
    asked, period = ToSign(book.simulation), year_of(book)
    if not asked.simulation.view.goal > 0:
        return say("No decision is needed: the year asks for no new ARR.")
    lower = money(book, "goal_within_reach", asked.goal_within_reach, period)
    parts: dict[str, Figure | str] = {
        "year": book.plan.period_label(period),
        "lower": lower,
    }
    if not book.signed and not book.spans:
        return _signature(book, asked, parts)
    if round_half_up(asked.chance, 2) >= asked.confidence:
        return say("No decision is needed: the goal is as likely as was asked for.")
    accept = "Accept a goal of {lower} for {year}, which is reached with the chance wanted"
    if not asked.more:
        return say(
            f"{accept}: no number of {{counted}} gives that chance to the goal as it is.",
            counted=plural(book.plan.titles[book.plan.commit_stage]),
            **parts,
        )
    more = figure("more_entries", asked.more, period, stage=asked.stage)
    over = ", but is above what the ceilings of {sources} allow" if asked.over else ""
    cost = ""
    if asked.more_spend is not None:
        parts["spend"] = money(book, "more_spend", asked.more_spend, period)
        cost = " for {spend} of programme spend"
    ways = say(
        f"{accept}; or approve {{more}} more {{counted}} by {{end}} than the {{committed}} still committed{cost}, which gives the goal as it is that chance{over}.",
        more=more,
        committed=_still_committed(book, asked),
        counted=_agreeing_entries(book, more),
        end=show(book.plan.months[-1].end_time.date(), "date"),
        sources=_over(asked),
        **parts,
    )
    return joined(ways, recommended(book, asked, _agreeing_entries(book, more)))


def _signature(book: BoardBook, asked: ToSign, parts: dict[str, Figure | str]) -> Sentence:
    """What is asked for before the year begins and nobody has signed: the signature and its budget, or a lower goal."""
    if book.scale is None:
        return say(
            "Agree a goal of {lower} for {year}: the expected commit reaches it with the chance wanted.", **parts
        )
    over = ", and lift the ceilings of {sources}" if asked.over else ""
    spend = asked.spend
    cost = "" if spend is None else " and {spend} of programme spend"
    told: dict[str, Figure | str] = (
        {} if spend is None else {"spend": money(book, "spend", spend, year_of(book), TO_SIGN)}
    )
    return say(
        f"Sign the commit{cost}{over}.",
        sources=_over(asked),
        **told,
    )


def _over(asked: ToSign) -> str:
    """The sources whose ceilings what is asked for lies above, named; empty where it lies above none."""
    return listed(fitting_names(map(shown, asked.over), NAME)) if asked.over else ""


def _to_do(book: BoardBook) -> Sentence:
    """The largest risk's ask, whose it is, what it is worth, and how that goes with where the year lands."""
    for first in risks(book)[:1]:
        asked = say("{owner}: {ask}.", ask=first.ask, owner=fitting(raised(first.owner), NAME))
        return joined(asked, *([first.meaning] if first.meaning else []), *_beside_variance(book, first))
    return _no_risk(book)


def _beside_variance(book: BoardBook, first: Risk) -> list[Sentence]:
    """How what is at stake in one place goes with how far the whole year lands from its goal, which page one states above it."""
    if first.size is None or not book.spans or not len(book.landing) or book.simulation is None:
        return []
    others = "other segments and " if len(book.plan.segments) > 1 and not book.segment else ""
    return [say(f"The landing above counts {others}entries still to come as well.")]


# --- what if -------------------------------------------------------------------------------------


def what_if(book: BoardBook) -> Exhibit:
    """The plan's scenarios side by side: what each does to the landing."""
    found = book.what_if
    if found.empty:
        return text(say(_why_no_scenarios(book))).as_appendix()
    frame = _what_if_rows(book, found)
    made = table_of(
        "what_if",
        frame,
        _what_if_message(book, frame),
        currency=book.plan.currency,
        notes=[
            "The committed entries stay as they are; what is open is worked out again in the world of each scenario, but keeps "
            "its amounts and, once the year runs, its delays. All see the same random numbers, so differences are not luck.",
            *(line for name in book.plan.scenarios for line in scenario_effects(book.plan, name)),
        ],
    )
    columns = {name: name for name in ("landing", "landing_low", "landing_high")}
    columns |= {"chance_of_goal": "chance", "difference": "scenario_difference"}
    rows = [_of(name, book) for name in frame["scenario"]]
    made = made.with_cells(FigureCells(rows=rows, columns=columns, currency=book.plan.currency)).as_brief()
    if not frame["difference"].any():
        return made
    gap = (goal(book).value or 0.0) - frame["landing"].iloc[0]
    return made.pictured(charts.scenarios(frame, made.said, gap, book.plan.currency))


def _why_no_scenarios(book: BoardBook) -> str:
    if not book.plan.scenarios:
        return NONE_NAMED
    if book.segment:
        return "Scenarios are of the whole company, and this is one segment."
    return "Nothing of the year is left that a scenario could change."


def _of(scenario: str, book: BoardBook) -> dict[str, str]:
    period = {"period": year_of(book)}
    return period if scenario == "base" else {**period, "scenario": scenario}


def _what_if_rows(book: BoardBook, found: pd.DataFrame) -> pd.DataFrame:
    base = (
        landing_rows(book).iloc[0]["landing"]
        if len(book.landing)
        else round_half_up(found["landing"].iloc[0], book.decimals)
    )
    change = [round_half_up(value, book.decimals) for value in found["difference"]]
    return pd.DataFrame(
        {
            "scenario": found["scenario"],
            "landing": [base + each for each in change],
            "difference": change,
            "landing_low": [round_half_up(value, book.decimals) for value in found["landing_low"]],
            "landing_high": [round_half_up(value, book.decimals) for value in found["landing_high"]],
            "chance_of_goal": [round_half_up(value, 3) for value in found["chance_of_goal"]],
        }
    )


def _what_if_message(book: BoardBook, frame: pd.DataFrame) -> Sentence:
    others = frame.iloc[1:]
    size = others["difference"].abs()
    if not size.round(6).any():
        return say("No scenario moves the landing.")
    row = others.iloc[first_largest(size)]
    of = _of(row["scenario"], book)
    change = money(book, "scenario_difference", row["difference"], **of)
    chance = figure("chance", row["chance_of_goal"], **of)
    most = " most:" if (size >= size.max() * (1 - TIE)).sum() == 1 and len(others) > 1 else ""
    first = say(
        f"Scenario {{name}} moves the landing{most} by {{change}}, to a chance of {{chance}}.",
        name=fitting(row["scenario"], NAME),
        change=change,
        chance=chance,
    )
    return first if row["difference"] > 0 or len(others) == 1 else joined(first, _what_helps(book, others))


def _what_helps(book: BoardBook, others: pd.DataFrame) -> Sentence:
    """The scenario that brings most, where the one that moves most takes away."""
    best = others.iloc[first_largest(others["difference"])]
    if round(best["difference"], 6) <= 0:
        return say("No scenario brings more than is expected now.")
    of = _of(best["scenario"], book)
    return say(
        "Most is gained by {name}: {gained}, to a chance of {then}.",
        name=fitting(best["scenario"], NAME),
        gained=money(book, "scenario_difference", best["difference"], **of),
        then=figure("chance", best["chance_of_goal"], **of),
    )


# --- risks and asks ------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Risk:
    """What stands between the year and its goal, who answers for it and what is asked of them."""

    what: str
    size: Figure | None
    owner: str
    ask: str
    meaning: Sentence | None = None
    """What its size is, in a sentence."""


def risks(book: BoardBook) -> list[Risk]:
    """The risks of the year by size; those without one last."""
    found = [*_behind(book), *_uncovered(book), *_missed(book), *_expired(book)]
    order = steady_order([-(risk.size.value or 0.0) if risk.size else 0.0 for risk in found])
    return [found[number] for number in order]


def _behind(book: BoardBook) -> Iterator[Risk]:
    behind = furthest_behind(book)
    if behind is not None:
        row, figures = behind
        ask = f"bring {fitting(row['source'], NAME)} back to the {plural(row['stage'])} it is planned to bring"
        lost = figures["worth"]
        size = money(book, "at_stake", abs(lost.value or 0.0), lost.period, **dict(lost.of))
        meaning = say("What it lacks would have brought {size} of new ARR in the end.", size=size)
        yield Risk(what=f"{row['source']} is behind", size=size, owner=row["owner"], ask=ask, meaning=meaning)


def _uncovered(book: BoardBook) -> Iterator[Risk]:
    for segment, size in uncovered(book).items():
        ask = f"build pipeline in {fitting(segment, NAME)}, or win more of it"
        meaning = say(
            "Its open opportunities are expected to bring {size} less in time than it still has to win.", size=size
        )
        yield Risk(what=f"Coverage of {segment} is too thin", size=size, owner="sales", ask=ask, meaning=meaning)


def _missed(book: BoardBook) -> Iterator[Risk]:
    """Quarters that the plan itself misses; once the year runs the landing tells."""
    if book.spans:
        return
    for row in book.quarters[book.quarters["shortfall"] > 0].itertuples():
        size = money(book, "shortfall", row.shortfall, row.quarter)
        ask = f"agree who brings what {row.label} lacks, or a new goal for it"
        meaning = say("It lacks {size} of new ARR.", size=size)
        yield Risk(
            what=f"{row.label} misses its goal by plan",
            size=size,
            owner="marketing and sales",
            ask=ask,
            meaning=meaning,
        )


def _expired(book: BoardBook) -> Iterator[Risk]:
    for each in book.plan.assumptions:
        if each.has_expired(book.as_of) and _concerns(book, each.about):
            what = f"The assumption of {assumption_words(book.plan, each.about)} has expired"
            yield Risk(what=what, size=None, owner=each.owner, ask="estimate it again")


def _concerns(book: BoardBook, about: str) -> bool:
    """Whether an assumption is of what the pack looks at: all of it, unless one segment is looked at."""
    others = [name for name in book.plan.segments if name != book.segment]
    return not book.segment or not any(name in about.split(".") for name in others)


def risks_and_asks(book: BoardBook) -> Exhibit:
    """Every risk with its size, its owner and what is asked."""
    found = risks(book)
    if not found:
        return text(_no_risk(book), notes=book.notes[1:])
    frame = pd.DataFrame(
        {
            "what": [risk.what for risk in found],
            "size": [risk.size.value if risk.size else None for risk in found],
            "owner": [risk.owner for risk in found],
            "ask": [risk.ask for risk in found],
        }
    )
    first = found[0]
    said = say("First of all: {owner} should {ask}.", owner=fitting(first.owner, NAME), ask=first.ask)
    made = table_of("risks", frame.astype({"size": float}), said, notes=book.notes[1:], currency=book.plan.currency)
    rows = [_described(risk.size) for risk in found]
    return made.with_cells(FigureCells(rows=rows, columns={"size": {}}, currency=book.plan.currency)).as_brief()


def asked_before(book: BoardBook, before: BoardBook | None) -> Exhibit:
    """What was asked last time, and what became of it: what was at stake then, and what is now.

    Last time is the pack that was shown last; where none is kept, what would have been asked when the quarter began.
    """
    shown, day = _shown_before(book, before)
    if not shown:
        return text("Nothing was asked before this quarter.").as_appendix()
    frame, sizes = became(shown, {risk.what: risk for risk in risks(book)})
    said = _asked_message(day, bool(book.packs), shown[0], *sizes[0])
    made = table_of("asked_before", frame, said, notes=_told_by(book), currency=book.plan.currency)
    return made.sharing(*(each for pair in sizes for each in pair if each))


def became(
    asked: Sequence[Risk], now: Mapping[str, Risk]
) -> tuple[pd.DataFrame, list[tuple[Figure | None, Figure | None]]]:
    """What became of each ask, a row each; and what was at stake then and is now, of the risks that stand out `now`."""
    sizes = [(risk.size, now[risk.what].size if risk.what in now else None) for risk in asked]
    frame = pd.DataFrame(
        {
            "what": [risk.what for risk in asked],
            "owner": [risk.owner for risk in asked],
            "ask": [risk.ask for risk in asked],
            "size_then": [then.value if then else None for then, _ in sizes],
            "size_now": [size.value if size else None for _, size in sizes],
            "outcome": [_outcome(risk.what in now, *pair) for risk, pair in zip(asked, sizes, strict=True)],
        }
    )
    return frame.astype({"size_then": float, "size_now": float}), sizes


def _shown_before(book: BoardBook, before: BoardBook | None) -> tuple[list[Risk], str]:
    """What was asked last time, and the day of that."""
    if book.packs:
        return asks_of(book, book.packs[-1]), show(book.packs[-1].shown_on, "date")
    if before is None:
        return [], ""
    day = show(before.as_of, "date")
    return [replace(risk, size=size_then(risk, f"as known on {day}")) for risk in risks(before)], day


def asks_of(book: BoardBook, pack: Pack) -> list[Risk]:
    """What a pack asked, as it was shown."""
    basis = shown_basis(pack)
    return [
        Risk(
            what=each.what,
            size=None if each.size is None else money(book, "at_stake", each.size, pack.year, basis, risk=each.what),
            owner=each.owner,
            ask=each.ask,
        )
        for each in pack.asks
    ]


def _told_by(book: BoardBook) -> list[str]:
    """Where what was asked is taken from, and what was said beside it."""
    if not book.packs:
        return ["No pack of an earlier day is kept: what would have been asked is worked out from today's records."]
    pack = book.packs[-1]
    said = [f"Said beside it then: {line}" for line in pack.comments.get("risks_and_asks", ())]
    return [f"As asked in the pack of {pack.label} that was shown on {show(pack.shown_on, 'date')}.", *said]


def size_then(risk: Risk, basis: str) -> Figure | None:
    return replace(risk.size, basis=basis) if risk.size else None


def _outcome(is_open: bool, then: Figure | None, now: Figure | None) -> str:
    """What became of an ask, in a word or two."""
    if not is_open:
        return "no longer stands out"
    if then is None or now is None or then.value is None or now.value is None:
        return "still open"
    change = now.value - then.value
    return "still open, smaller" if change < 0 else "still open, larger" if change > 0 else "still open"


def _asked_message(day: str, is_kept: bool, first: Risk, then: Figure | None, now: Figure | None) -> Sentence:
    """What was asked first, and what became of that."""
    parts = {"day": day, "owner": fitting(first.owner, NAME), "ask": first.ask}
    again = "By today's records this would have been asked first on {day}: {owner} should {ask}."
    asked = say("Asked first on {day}: {owner} should {ask}." if is_kept else again, **parts)
    if then is None:
        return asked
    if now is None:
        return joined(asked, say("Of {then} at stake then nothing stands out any more.", then=then))
    return joined(asked, say("{then} was at stake then, {now} is now.", then=then, now=now))


def history(book: BoardBook) -> Exhibit:
    """Where the year was seen to land at the end of each of its quarters, how sure that was, and where it is seen now.

    Days of which a pack was shown stand as they were shown, beside what the same day comes to by today's records.
    """
    looked = [*open_past(book), book] if book.spans else []
    moments = [_moment(book, each) for each in looked if len(each.landing)]
    if len(moments) < MOMENTS:
        return text("The year has been looked at only once.").as_appendix()
    frame = pd.DataFrame([each.row for each in moments])
    kept = [each for each in moments if each.pack]
    names = ["as_of", *(["shown_on"] if kept else []), *LANDED, "chance_of_goal", "commit"]
    names += ["again", "differs"] if kept else []
    frame = frame[names].astype({name: float for name in ("chance_of_goal", "commit", "again") if name in names})
    made = table_of(
        "landing_history",
        frame,
        _history_message(book, moments),
        notes=_history_notes(moments, kept),
        stage=plural(book.plan.titles[book.plan.commit_stage]),
        currency=book.plan.currency,
    )
    columns = {name: {"measure": name} for name in LANDED} | {"chance_of_goal": {"measure": "chance"}}
    rows = [{"period": year_of(book), **({"basis": each.basis} if each.basis else {})} for each in moments]
    cells = FigureCells(rows=rows, columns=columns, currency=book.plan.currency)
    return made.sharing(*(each.again for each in kept if each.again), cells=cells)


@dataclass(frozen=True, kw_only=True)
class Moment:
    """Where the year was seen to land on a day: as a pack told it, or as today's records give it."""

    row: Mapping[str, object]
    basis: str
    """Of its figures; empty for today's, which have their measure's own."""
    pack: Pack | None = None
    again: Figure | None = None
    """What the day of a pack comes to by today's records."""


def _moment(book: BoardBook, seen: BoardBook) -> Moment:
    """`seen` is the year of `book` as today's records give it for a day."""
    pack = next((each for each in book.packs if each.as_of == seen.as_of and each.told("landing") is not None), None)
    day, landed = show(seen.as_of, "date"), landing_rows(seen).iloc[0]
    replayed = {name: landed[name] for name in LANDED}
    replayed |= {"chance_of_goal": landing_figures(seen)["chance"].value, "commit": signed(seen).value}
    row: dict[str, object] = {"as_of": day, "shown_on": MISSING, "again": None, "differs": ""}
    if pack is None:
        return Moment(row={**row, **replayed}, basis="" if seen is book else f"as known on {day}")
    told = {
        **{name: pack.told(name) for name in LANDED},
        "chance_of_goal": pack.told("chance"),
        "commit": pack.told("commit"),
    }
    again = money(book, "landing", landed["landing"], year_of(book), f"as known on {day}")
    row |= {
        "shown_on": show(pack.shown_on, "date"),
        "again": again.value,
        "differs": _differs(book, pack, told, replayed),
    }
    return Moment(row={**row, **told}, basis=shown_basis(pack), pack=pack, again=again)


def _differs(
    book: BoardBook, pack: Pack, told: Mapping[str, float | None], replayed: Mapping[str, float | None]
) -> str:
    """What changed since a pack was shown, where its day comes to something else today."""
    if all(_as_told(told[name], replayed[name]) for name in told):
        return "nothing"
    baseline = book.files.baseline.record
    reasons = {
        "another plan of record": pack.baseline != baseline,
        "the plan": not baseline and pack.baseline == baseline and told["commit"] != replayed["commit"],
        f"revplan ({pack.revplan} then)": pack.code != versions().code,
    }
    return ", ".join(reason for reason, holds in reasons.items() if holds) or "the records"


def _as_told(then: float | None, now: float | None) -> bool:
    """Whether a reader would call both the same: processors make a difference far below."""
    if then is None or now is None or pd.isna(now):
        return then is None and (now is None or pd.isna(now))
    return math.isclose(then, now, rel_tol=SAME, abs_tol=SAME)


def _history_notes(moments: list[Moment], kept: list[Moment]) -> list[str]:
    again = "Days without a pack are worked out again from today's records and rates, not taken from what was shown."
    if not kept:
        return [again]
    beside = "What was shown stays as it was; beside it stands where the same day lands by today's records and rates."
    return [beside, *([again] if len(kept) < len(moments) - 1 else [])]


def _history_message(book: BoardBook, moments: list[Moment]) -> Sentence:
    """Where the year was first seen to land, and where now; the chances where both are known; what is told otherwise now."""
    first, last = moments[0], moments[-1]
    landed = {name: _figure_of(book, each) for name, each in (("then", first), ("now", last))}
    day = str(first.row["shown_on"] if first.pack else first.row["as_of"])
    was = "The landing shown on {day} was {then}" if first.pack else "The year was seen to land at {then} on {day}"
    said = [say(f"{was}; now it is {{now}}.", **landed, day=day)]
    chances = {name: _figure_of(book, each, "chance") for name, each in (("then", first), ("now", last))}
    if all(each.value is not None for each in chances.values()):
        said.append(say("The chance of the goal was {then} and is {now}.", **chances))
    for each in reversed(moments):
        shown, again = _figure_of(book, each), each.again
        if again and shown.text != again.text:
            was_on = str(each.row["shown_on"])
            said.append(
                say(
                    "By today's records the {shown} shown on {day} would be {again}.",
                    shown=shown,
                    again=again,
                    day=was_on,
                )
            )
            break
    return joined(*said)


def _figure_of(book: BoardBook, moment: Moment, measure: str = "landing") -> Figure:
    value = moment.row["chance_of_goal" if measure == "chance" else measure]
    made = float(value) if isinstance(value, int | float) else float("nan")
    if measure == "chance":
        return figure(measure, made, year_of(book), moment.basis)
    return money(book, measure, made, year_of(book), moment.basis)


LANDED = ("landing", "landing_low", "landing_high")
MOMENTS = 2
"""Days from which on there is a history."""


def _no_risk(book: BoardBook) -> Sentence:
    """What is said where no source, segment or assumption stands out: the year may miss its goal all the same."""
    found = landing_figures(book) if len(book.landing) else None
    if found is None or not (found["gap"].value or 0.0) < 0:
        return say("Nothing stands out that would need a decision.")
    return say(
        "No source, segment or assumption stands out by itself, and yet the year lands at {landing} against a goal of {goal}.",
        landing=found["landing"],
        goal=found["goal"],
    )


def _described(size: Figure | None) -> dict[str, str]:
    if size is None:
        return {}
    return {"measure": size.measure.name, "period": size.period, "basis": size.basis, **dict(size.of)}


# --- definitions ---------------------------------------------------------------------------------

DEFINED = "Every figure is defined once, and has one value wherever it stands."


def definitions(shown: Collection[str] | None = None) -> Exhibit:
    """What every figure means, how it is computed and where it comes from: of all reports, or of the measures `shown`."""
    told = [each for name, each in measures().items() if shown is None or name in shown]
    rows = [(each.label, each.formula, each.source) for each in told]
    frame = pd.DataFrame(rows, columns=["figure", "computed", "source"])
    return table_of("definitions", frame, DEFINED).as_appendix()
