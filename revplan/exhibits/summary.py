"""What a board reads first and asks last: the summary, what if, risks and asks, definitions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import pandas as pd

from revplan.exhibits import charts
from revplan.exhibits.attainment import ACTUAL, NAME, PLANNED, agreeing, brought, entries, money, new_arr, signed
from revplan.exhibits.exhibit import Exhibit, table_of, text
from revplan.exhibits.figures import TO_SIGN, Figure, FigureCells, Sentence, figure, joined, measures, say
from revplan.exhibits.fit import fitting, fitting_names
from revplan.exhibits.outlook import ended, landing_figures, landing_rows, uncovered
from revplan.exhibits.performance import furthest_behind
from revplan.exhibits.side_by_side import NONE_NAMED
from revplan.ground.calendar import MONTHS_PER_YEAR
from revplan.ground.errors import shown
from revplan.ground.formats import TIE, first_largest, listed, plural, raised, round_half_up, show, steady_order
from revplan.plan.stages import titles_of
from revplan.snapshot.fit import look_first
from revplan.tracking.book import BoardBook, open_past
from revplan.workbook.idle import scenario_effects
from revplan.workbook.notes import DECIDE, LANDS, TO_DO, WHERE
from revplan.workbook.signing import EVEN, ToSign

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
    return text(_headline(book), told, header=header, notes=book.beside).with_periods(book.period_labels)


def year_of(book: BoardBook) -> str:
    """The fiscal year's id."""
    return str(book.plan.first_month.year)


def goal(book: BoardBook) -> Figure:
    """New ARR the year asks for."""
    return money(book, "goal", float(book.year.targets[:, :MONTHS_PER_YEAR].sum()), year_of(book))


def _commit(book: BoardBook) -> Sentence:
    """What was signed, by whom and how sure it should be; or what is to be signed, and that nobody did."""
    number, period = signed(book), year_of(book)
    parts: dict[str, Figure | str] = {
        "number": number,
        "year": book.plan.period_label(period),
        "wanted": figure("confidence", book.plan.commit.confidence, period),
        "segment": f" of {fitting(book.segment, NAME)}" if book.segment else "",
        "signed": book.signed,
        **agreeing(number, titles_of(book.plan.stages)[book.plan.commit_stage]),
    }
    if book.signed:
        said = "{number} {counted}{segment} for {year}, {signed}, to reach the goal with a chance of {wanted}."
    elif book.scale is None:
        said = "Nothing is signed for {year}, and no volume reaches the goal with a chance of {wanted}. Actuals are compared with the expected commit, {number} {counted}{segment}."
    else:
        said = "Nothing is signed for {year}. Reaching the goal with a chance of {wanted} takes {number} {counted}{segment}; actuals are compared with that."
    return say(said, **parts)


def _where(book: BoardBook) -> Sentence:
    """Plan and actual of the quarter, in money and in entries, and of the year so far."""
    if not book.spans:
        return say("{state}", state=book.state)
    label, stage = book.spans[0].label, book.plan.commit_stage
    if new_arr(book, label, ACTUAL).value is None:
        return say(
            "{asked} of new ARR was planned for {period}; what was won is not known.",
            period=book.plan.period_label(label),
            asked=new_arr(book, label, PLANNED),
        )
    actual, asked = (entries(book, stage, basis, label) for basis in (ACTUAL, PLANNED))
    counts = say(
        "{actual} {counted} came against {asked} planned.",
        actual=actual,
        asked=asked,
        **agreeing(actual, titles_of(book.plan.stages)[stage]),
    )
    whole = book.spans[-1].label
    others = [brought(book, whole)] if book.spans[-1].first != book.spans[0].first else []
    planned, asked_for = (new_arr(book, whole, basis) for basis in (PLANNED, "goal"))
    aim = [_aim(book, planned, asked_for)] if planned.text != asked_for.text else []
    return joined(brought(book, label), *([counts] if actual.value is not None else []), *others, *aim)


def _aim(book: BoardBook, planned: Figure, asked_for: Figure) -> Sentence:
    """What the goal asks for by now, and why more is planned where more entries were signed than would do on average."""
    above = (planned.value or 0.0) > (asked_for.value or 0.0) and book.scale is not None and book.scale > 1
    if not above:
        return say("The goal itself needs {goal} by then.", goal=asked_for)
    return say(
        "The goal itself needs {goal} by then: the plan asks for more entries than do on average, to be {sure} sure.",
        goal=asked_for,
        sure=figure("confidence", book.plan.commit.confidence, year_of(book)),
    )


def _headline(book: BoardBook) -> Sentence:
    """What is doubtful, if anything is, and whether the year reaches its goal."""
    parts = [say("{doubt}", doubt=line) for line in (*look_first(book.doubts), book.stale) if line]
    return joined(*parts, _verdict(book))


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
    return joined(said, *_changed(book, before))


def _changed(book: BoardBook, before: BoardBook | None) -> list[Sentence]:
    """What changed since the quarter began."""
    if before is None or before.landing.empty or book.landing.empty:
        return []
    now, then = (landing_rows(each).iloc[0]["landing"] for each in (book, before))
    day = show(before.as_of, "date")
    change = money(book, "landing_change", now - then, year_of(book), f"as known on {day}")
    if not change.value:
        return [say("The forecast is where it was on {day}.", day=day)]
    return [say("The forecast has moved by {change} since {day}.", change=change, day=day)]


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
        "sure": figure("confidence", asked.confidence, period),
        "lower": lower,
    }
    if not book.signed and not book.spans:
        return _signature(book, asked, parts)
    if round_half_up(asked.chance, 2) >= asked.confidence:
        return say("No decision is needed: the goal is as likely as was asked for.")
    accept = "Accept a goal of {lower} for {year}, which is reached with the {sure} wanted"
    if not asked.more:
        return say(
            f"{accept}: no number of {{counted}} gives that chance to the goal as it is.",
            counted=_of_stage(book),
            **parts,
        )
    more = figure("more_entries", asked.more, period, stage=asked.stage)
    over = ", which is above what the ceilings of {sources} allow" if asked.over else ""
    cost = ""
    if asked.more_spend is not None:
        parts["spend"] = money(book, "more_spend", asked.more_spend, period)
        cost = " for {spend} of programme spend"
    return say(
        f"{accept}; or approve {{more}} more {{counted}} by {{end}} than are still committed{cost}{over}.",
        more=more,
        counted=agreeing(more, titles_of(book.plan.stages)[asked.stage])["counted"],
        end=show(book.plan.months[-1].end_time.date(), "date"),
        sources=listed(fitting_names([shown(name) for name in asked.over], NAME)) if asked.over else "",
        **parts,
    )


def _signature(book: BoardBook, asked: ToSign, parts: dict[str, Figure | str]) -> Sentence:
    """What is asked for before the year begins and nobody has signed: the signature and its budget, or a lower goal."""
    if book.scale is None:
        return say(
            "Agree a goal of {lower} for {year}: the expected commit reaches it with the {sure} wanted.", **parts
        )
    over = ", and lift the ceilings of {sources}" if asked.over else ""
    spend = asked.spend
    cost = "" if spend is None else " and {spend} of programme spend"
    told: dict[str, Figure | str] = (
        {} if spend is None else {"spend": money(book, "spend", spend, year_of(book), TO_SIGN)}
    )
    return say(
        f"Sign the commit{cost}{over}.",
        sources=listed(fitting_names([shown(name) for name in asked.over], NAME)) if asked.over else "",
        **told,
    )


def _of_stage(book: BoardBook) -> str:
    return plural(titles_of(book.plan.stages)[book.plan.commit_stage])


def _to_do(book: BoardBook) -> Sentence:
    """The largest risk's ask, whose it is, what it is worth, and how that goes with where the year lands."""
    for first in risks(book)[:1]:
        asked = say("{owner}: {ask}.", ask=first.ask, owner=fitting(raised(first.owner), NAME))
        return joined(asked, *([first.meaning] if first.meaning else []), *_beside_variance(book, first))
    return _no_risk(book)


def _beside_variance(book: BoardBook, first: Risk) -> list[Sentence]:
    """How what is at stake in one place goes with the variance of the whole year, which page one states above it."""
    if first.size is None or not book.spans or not len(book.landing) or book.simulation is None:
        return []
    others = "other segments and " if len(book.plan.segments) > 1 and not book.segment else ""
    return [say(f"The variance above is that of the whole year: it counts {others}entries still to come as well.")]


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
    return say(
        f"Scenario {{name}} moves the landing{most} by {{change}}, to a chance of {{chance}}.",
        name=fitting(row["scenario"], NAME),
        change=change,
        chance=chance,
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
            "{size} of what it still has to win is not expected of its open opportunities in time.", size=size
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
            ask = "estimate it again"
            yield Risk(what=f"The assumption {each.about} has expired", size=None, owner=each.owner, ask=ask)


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
    sized = frame.astype({"size": float})
    made = table_of("risks", sized, said, notes=book.notes[1:], currency=book.plan.currency)
    rows = [_described(risk.size) for risk in found]
    return made.with_cells(FigureCells(rows=rows, columns={"size": {}}, currency=book.plan.currency)).as_brief()


def asked_before(book: BoardBook, before: BoardBook | None) -> Exhibit:
    """What was asked when the quarter began, and what became of it: what was at stake then, and what is now."""
    asked = [] if before is None else risks(before)
    if before is None or not asked:
        return text("Nothing was asked before this quarter.").as_appendix()
    now = {risk.what: risk for risk in risks(book)}
    then_on = f"as known on {show(before.as_of, 'date')}"
    sizes = [(_size_then(risk, then_on), now[risk.what].size if risk.what in now else None) for risk in asked]
    frame = pd.DataFrame(
        {
            "what": [risk.what for risk in asked],
            "owner": [risk.owner for risk in asked],
            "ask": [risk.ask for risk in asked],
            "size_then": [then.value if then else None for then, _ in sizes],
            "size_now": [size.value if size else None for _, size in sizes],
            "outcome": [_outcome(risk.what in now, *pair) for risk, pair in zip(asked, sizes, strict=True)],
        }
    ).astype({"size_then": float, "size_now": float})
    made = table_of("asked_before", frame, _asked_message(before, asked[0], *sizes[0]), currency=book.plan.currency)
    return made.sharing(*(each for pair in sizes for each in pair if each))


def _size_then(risk: Risk, basis: str) -> Figure | None:
    return replace(risk.size, basis=basis) if risk.size else None


def _outcome(is_open: bool, then: Figure | None, now: Figure | None) -> str:
    """What became of an ask, in a word or two."""
    if not is_open:
        return "no longer stands out"
    if then is None or now is None or then.value is None or now.value is None:
        return "still open"
    change = now.value - then.value
    return "still open, smaller" if change < 0 else "still open, larger" if change > 0 else "still open"


def _asked_message(before: BoardBook, first: Risk, then: Figure | None, now: Figure | None) -> Sentence:
    """What was asked first, and what became of that."""
    day = show(before.as_of, "date")
    asked = say("Asked first on {day}: {owner} should {ask}.", day=day, owner=fitting(first.owner, NAME), ask=first.ask)
    if then is None:
        return asked
    if now is None:
        return joined(asked, say("Of {then} at stake then nothing stands out any more.", then=then))
    return joined(asked, say("{then} was at stake then, {now} is now.", then=then, now=now))


def history(book: BoardBook) -> Exhibit:
    """Where the year was seen to land at the end of each of its quarters, how sure that was, and where it is seen now."""
    looked = [*open_past(book), book] if book.spans else []
    seen = [each for each in looked if len(each.landing)]
    if len(seen) < MOMENTS:
        return text("The year has been looked at only once.").as_appendix()
    rows = [landing_rows(each).iloc[0] for each in seen]
    days = [show(each.as_of, "date") for each in seen]
    frame = pd.DataFrame(
        {
            "as_of": days,
            **{name: [row[name] for row in rows] for name in LANDED},
            "chance_of_goal": [landing_figures(each)["chance"].value for each in seen],
            "commit": [signed(each).value for each in seen],
        }
    ).astype({"chance_of_goal": float})
    title = plural(titles_of(book.plan.stages)[book.plan.commit_stage])
    said = _history_message(book, frame)
    made = table_of("landing_history", frame, said, stage=title, currency=book.plan.currency)
    columns = {name: {"measure": name} for name in LANDED} | {"chance_of_goal": {"measure": "chance"}}
    earlier = [{"period": year_of(book), "basis": f"as known on {day}"} for day in days[:-1]]
    cells = FigureCells(rows=[*earlier, {"period": year_of(book)}], columns=columns, currency=book.plan.currency)
    return made.sharing(cells=cells)


def _history_message(book: BoardBook, frame: pd.DataFrame) -> Sentence:
    """Where the year was first seen to land, and where now; the chances where both are known."""
    then, now = frame.iloc[0], frame.iloc[-1]
    basis, period = f"as known on {then['as_of']}", year_of(book)
    landed: dict[str, Figure | str] = {
        "then": money(book, "landing", then["landing"], period, basis),
        "now": money(book, "landing", now["landing"], period),
        "day": str(then["as_of"]),
    }
    said = say("The year was seen to land at {then} on {day}; now it is {now}.", **landed)
    if pd.isna(then["chance_of_goal"]) or pd.isna(now["chance_of_goal"]):
        return said
    chances = {
        "then": figure("chance", then["chance_of_goal"], period, basis),
        "now": figure("chance", now["chance_of_goal"], period),
    }
    return joined(said, say("The chance of the goal was {then} and is {now}.", **chances))


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


def definitions() -> Exhibit:
    """What every figure of the pack means, how it is computed and where it comes from."""
    rows = [(each.label, each.formula, each.source) for each in measures().values()]
    frame = pd.DataFrame(rows, columns=["figure", "computed", "source"])
    return table_of(
        "definitions", frame, "Every figure is defined once, and has one value wherever it stands."
    ).as_appendix()
