"""What a reader must know beside the numbers: sentences computed from the planned year."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np
import pandas as pd

from revplan.funnel.commit import LAST_MONTH, quarter_yields, worth
from revplan.funnel.funnel import YEAR
from revplan.funnel.tables import missed_in_year
from revplan.funnel.year import PlannedYear, by_quarter
from revplan.ground.errors import shown
from revplan.ground.formats import compact, counted, first_largest, plural, raised, show
from revplan.ground.lag import tail_beyond
from revplan.plan.goal import next_year_growth, next_year_new_arr
from revplan.workbook.signing import ToSign, sure_words, to_sign_words
from revplan.workbook.words import if_people

NOTEWORTHY = 0.005  # share of a quarter's goal below which nothing is said
UNREACHED = 0.05  # share of a goal that is missed from which seeing to it comes before all else
LEANING = 0.25  # share of a quarter's goal from which the open pipeline is the first thing to see to
MISSED = 0.02  # share of its own goal from which what a cell misses is told
STEEP = 3.0  # a commit month this many times the mean monthly need is named


def notes(year: PlannedYear, quarters: pd.DataFrame, pipeline: pd.DataFrame) -> tuple[str, ...]:
    """All notes of a planned year, the most important first."""
    parts = (
        misses(year, quarters),
        _too_dear(year),
        _dependence(year, quarters),
        _below_share(year),
        _next_year(year),
        _unpriced(year),
        _steep(year),
        _no_baseline(year),
        _no_lags(year),
        _dead(year, pipeline),
        _overdue(year),
        _thin_evidence(year),
        _tails(year),
        _scenarios(year),
    )
    return tuple(note for part in parts for note in part)


WHERE, LANDS, SURE, TO_DO = "Where we are", "Where we land", "How sure", "The one thing to do"
DECIDE = "What is to be decided"
"""What page one answers, in every report: each is a label with a sentence or two beside it."""


def headline(asked: ToSign) -> str:
    """What to sign, in one sentence."""
    if not asked.simulation.view.goal > 0:
        return "To sign: nothing, for the year asks for no new ARR."
    more = " That is more than the sources' ceilings allow." if asked.is_above_ceilings else ""
    return f"To sign: {to_sign_words(asked)}.{more}"


def answers(year: PlannedYear, quarters: pd.DataFrame, asked: ToSign, stretch: str = "") -> dict[str, str]:
    """Goal, where we are, where we land, how sure, and one action with its owner, a line each; `stretch` as for `action`."""
    if not asked.simulation.view.goal > 0:
        return {"The goal": _goal_words(year)}
    return {
        "The goal": _goal_words(year),
        WHERE: _already(year, quarters),
        LANDS: f"{_lands(year, quarters)}{if_people(year.plan.capacity)}; {worst_quarter(quarters, year.plan.currency)}.",
        SURE: sure_words(asked),
        TO_DO: raised(action(year, quarters, stretch)),
    }


def _goal_words(year: PlannedYear) -> str:
    money, bridge = _money(year), year.bridge
    closing = "" if bridge.closing_arr is None else f", to close at {money(bridge.closing_arr)}"
    kept = "" if bridge.nrr is None else f" with net revenue retention of {show(bridge.nrr, 'share')}"
    label = year.plan.period_label(str(year.plan.first_month.year))
    return f"{money(bridge.new_arr)} of new ARR in {label}{closing}{kept if closing else ''}."


def _already(year: PlannedYear, quarters: pd.DataFrame) -> str:
    """What of the year's goal is won, or expected of what is open."""
    money = _money(year)
    if year.plan.history is None:
        return "The plan names no records: what is open counts as nothing, and all of the goal is asked of new entries."
    won, coming = float(quarters["won"].sum()), float(quarters["open_pipeline"].sum())
    done = f"{money(won)} is won, and the" if won > 0 else "The"
    return (
        f"{done} pipeline open on {show(year.plan.plan_date, 'date')} is expected to bring {money(coming)} of the goal."
    )


def _lands(year: PlannedYear, quarters: pd.DataFrame) -> str:
    missing = missed_in_year(quarters)
    side = (
        f"{_money(year)(abs(missing))} {'short of' if missing > 0 else 'above'} its goal" if missing else "on its goal"
    )
    return f"At the plan's rates the expected commit ends the year {side}"


def _money(year: PlannedYear) -> Callable[[float], str]:
    return partial(compact, currency=year.plan.currency)


def worst_quarter(quarters: pd.DataFrame, currency: str) -> str:
    """Which quarter of table quarters misses most, and by whom that is made good, as a clause."""
    worst = quarters.iloc[first_largest(quarters["shortfall"])]
    if worst["shortfall"] <= 0:
        return "every quarter is reached in expectation"
    return f"{worst['label']} is {compact(worst['shortfall'], currency)} short of its goal{made_good(quarters, worst)}"


def _too_dear(year: PlannedYear) -> Iterator[str]:
    """Where the commit stops short of the goal because more entries would cost more than they bring."""
    if year.plan.commit.at_any_cost:
        return
    money = _money(year)
    asked = year.targets[:, :YEAR].sum(axis=1)
    gaps = asked - (year.commit_arr + year.coming)[:, :YEAR].sum(axis=1)
    for name, source in year.plan.sources.items():
        rows, price = year.rows_of(name), source.cost_per_entry
        if not asked[rows].sum() > 0:
            continue
        cells = [year.cells[row] for row in rows]
        yields = np.stack([quarter_yields(cell, YEAR - year.first, year.first, year.start) for cell in cells])
        mine = worth(cells, yields, asked[rows], price)
        short = gaps[rows] > MISSED * asked[rows]
        late = mine.is_late[short].all(axis=0)
        if not (short.any() and late.any()):
            continue
        at = int(np.argmax(late))  # the first month of entry of which that holds in every segment that misses
        month = show(year.plan.first_month + year.first + at, "month")
        brings = f"brings {money(mine.ever * float(mine.in_year[short, at].max()))} within the year at most"
        if mine.never_pays:
            why = f"one costs {money(price or 0.0)} and brings {money(mine.ever)} of ARR in the end"
        elif price is None:
            why = f"one that enters from {month} on {brings}"
        else:
            why = f"one that enters from {month} on costs {money(price)} and {brings}"
        entry = year.plan.titles[year.plan.entry_stage(name)]
        yield (
            f"{money(float(gaps[rows][short].sum()))} of the goal of {shown(name)} cannot be reached at a price that pays: {why}, so no "
            f"more {plural(entry)} are asked for on this year's account. commit: {{at_any_cost: true}} asks for them."
        )


def made_good(quarters: pd.DataFrame, quarter: pd.Series) -> str:
    """By whom what a row of table quarters misses is made good, as the end of a sentence; empty where it misses nothing."""
    if quarter["shortfall"] <= 0:
        return ""
    by = quarter["recovered_by"]
    if not isinstance(by, str):
        return ", not made good within the year"
    if by <= quarter["quarter"]:
        return ", covered by the surplus of earlier quarters"
    return f", made good by {quarters.set_index('quarter')['label'][by]}"


def action(year: PlannedYear, quarters: pd.DataFrame, stretch: str = "") -> str:
    """The one thing to do next, and who does it.

    A quarter or a year that cannot be reached comes first; then `stretch`, what the company's own past did not bring.
    """
    ahead = quarters.loc[max(year.first, 0) // 3 :]
    worst = int(ahead.index[first_largest(ahead["shortfall"])])
    row = quarters.loc[worst]
    least = UNREACHED if stretch else NOTEWORTHY
    if row["shortfall"] > least * row["goal"] and not isinstance(row["recovered_by"], str):
        return _mend(year, row, worst)
    missed = missed_in_year(quarters)
    if missed > least * year.bridge.new_arr:
        return f"marketing and sales agree a new goal: {_money(year)(missed)} of it cannot be reached any more."
    if stretch:
        return stretch
    leaning = ahead.iloc[first_largest(ahead["open_pipeline"])]
    if leaning["open_pipeline"] > LEANING * leaning["goal"]:
        amount = _money(year)(leaning["open_pipeline"])
        return f"sales closes the {amount} that {leaning['label']} expects of the open pipeline."
    return _start(year)


def _mend(year: PlannedYear, quarter: pd.Series, index: int) -> str:
    source = _neediest(year, index)
    stated = year.plan.sources[source]
    entry = year.plan.titles[year.plan.entry_stage(source)]
    need = _mean_need(year, source)
    if stated.max_per_month is not None and need >= stated.max_per_month:
        limit = counted(stated.max_per_month, entry)
        return (
            f"{shown(stated.owner)} lifts {shown(source)} beyond {limit} a month (the year needs "
            f"{show(need, 'commitment')} a month), "
            "or its share of the goal moves elsewhere."
        )
    short = f"sales closes {_money(year)(quarter['shortfall'])} more of the open pipeline in {quarter['label']}"
    if stated.max_growth is not None:
        return f"{shown(stated.owner)} grows {shown(source)} faster than {show(stated.max_growth, 'share')} a month, or {short}."
    return f"{short}: new {plural(entry)} come too late for it."


def _flow_of(year: PlannedYear, source: str) -> np.ndarray:
    """Committed entries of a source from the plan month on, all segments. [records]"""
    flows = [flow[0] for cell, flow in zip(year.cells, year.flows, strict=True) if cell.source == source]
    return np.sum(flows, axis=0) if flows else np.zeros(1)


def _start(year: PlannedYear) -> str:
    """Nothing is missed: the source that brings most begins with its first month."""
    names = list(year.plan.sources)
    source = names[first_largest([sum(cell.share for cell in year.cells if cell.source == name) for name in names])]
    flow = _flow_of(year, source)
    if not flow.any():
        return "none: what exists already covers the goal."
    first = int(np.argmax(flow > 0))
    month = show(year.plan.first_month + (year.first + first), "month")
    when = f"the rest of {month}" if first == 0 and year.start > 0 else month
    entry = year.plan.titles[year.plan.entry_stage(source)]
    owner, brought = shown(year.plan.sources[source].owner), counted(flow[first], entry, kind="commitment")
    return f"{owner} brings {brought} from {shown(source)} in {when}."


def _neediest(year: PlannedYear, quarter: int) -> str:
    gap = by_quarter(year.targets - year.commit_arr - year.coming)[:, quarter]
    short = dict.fromkeys(year.plan.sources, 0.0)
    for cell, missed in zip(year.cells, gap, strict=True):
        short[cell.source] += max(float(missed), 0.0)
    return list(short)[first_largest(list(short.values()))]


def _mean_need(year: PlannedYear, source: str) -> float:
    """Entries a month that this year's wins trace back to. [records]"""
    of_source = zip(year.cells, year.required, strict=True)
    return sum(float(required.this_year[0].sum()) for cell, required in of_source if cell.source == source) / YEAR


def misses(year: PlannedYear, quarters: pd.DataFrame) -> Iterator[str]:
    """The quarters that miss their goals by more than is worth no word, a sentence each."""
    money = _money(year)
    for index, (_, quarter) in enumerate(quarters.iterrows()):
        if quarter["shortfall"] <= NOTEWORTHY * quarter["goal"]:
            continue
        share = show(quarter["shortfall"] / quarter["goal"], "share")
        text = f"{quarter['label']} misses by {money(quarter['shortfall'])} ({share} of its goal)"
        over = index < year.first // 3
        if over:
            text += ", and is over" + (" (no records say what was won)" if year.plan.history is None else "")
        elif quarter["commit_arr"] <= NOTEWORTHY * quarter["goal"]:
            text += _why_no_commit(year, index)
        yield f"{text}{made_good(quarters, quarter)}."


def _why_no_commit(year: PlannedYear, quarter: int) -> str:
    """Why the commit brings next to nothing in a quarter: entries come too late for it, or are not asked for."""
    months = LAST_MONTH - year.first
    landing = [
        quarter_yields(cell, months, year.first, year.start)[quarter].max() / (cell.rates_to_won[0] * cell.acv)
        for cell in year.cells
        if cell.rates_to_won[0] * cell.acv > 0
    ]
    if max(landing, default=0.0) <= NOTEWORTHY:
        return " whatever marketing does from the plan date on: only the open pipeline can close in it"
    return "; the commit brings next to nothing in it"


def _dependence(year: PlannedYear, quarters: pd.DataFrame) -> Iterator[str]:
    """What of each quarter only records that exist already can bring."""
    money = _money(year)
    for _, quarter in quarters.iterrows():
        past = quarter["before_plan_date"]
        if past <= 0.05 * quarter["goal"]:
            continue
        share = show(past / quarter["goal"], "share")
        text = (
            f"{quarter['label']}: at the plan's lags {money(past)} of its {money(quarter['goal'])} ({share}) depends on "
            f"pipeline that exists already, entries before {show(year.plan.plan_date, 'date')}"
        )
        yield f"{text}; {_expected(year, quarter)}."


def _expected(year: PlannedYear, quarter: pd.Series) -> str:
    if year.plan.history is None:
        return "no records are named, so the open pipeline counts as 0 and new entries are asked for more"
    won = f", and {_money(year)(quarter['won'])} is won" if quarter["won"] > 0 else ""
    return f"the open pipeline is expected to bring {_money(year)(quarter['open_pipeline'])}{won}"


def _below_share(year: PlannedYear) -> Iterator[str]:
    """Sources that miss their share of the year, though others may make it good."""
    gap = (year.targets - year.commit_arr - year.coming)[:, :YEAR].sum(axis=1)
    for name in year.plan.sources:
        cells = [row for row, cell in enumerate(year.cells) if cell.source == name]
        missed, asked = float(gap[cells].sum()), float(year.targets[cells, :YEAR].sum())
        if missed > NOTEWORTHY * asked:
            of = show(missed / asked, "share")
            yield f"{shown(name)} misses its share of the year by {_money(year)(missed)} ({of}), whatever other sources bring."


def _next_year(year: PlannedYear) -> Iterator[str]:
    growth = next_year_growth(year.plan.goal, year.bridge)
    said = "as stated" if year.plan.goal.next_year_growth is not None else "assumed, since next_year_growth is left out"
    amount = _money(year)(next_year_new_arr(year.plan.goal, year.bridge))
    yield f"Next year's new ARR is taken as {amount} ({show(growth, 'share')} growth, {said}); later entries serve it."


def _unpriced(year: PlannedYear) -> Iterator[str]:
    names = [name for name, source in year.plan.sources.items() if source.cost_per_entry is None]
    if names:
        yield f"No cost per entry is given for {', '.join(map(shown, names))}: unpriced, not free, and left out of budget and CAC."


def _steep(year: PlannedYear) -> Iterator[str]:
    for name, source in year.plan.sources.items():
        need = _mean_need(year, name)
        flow = _flow_of(year, name)
        flow = np.append(flow[:1] / (1 - year.start), flow[1:])  # the first month scaled up to a whole one
        if source.max_per_month is not None or need <= 0 or flow.max() <= STEEP * need:
            continue
        month = show(year.plan.first_month + (year.first + first_largest(flow)), "month")
        yield (
            f"{shown(name)} is asked for entries at a pace of {show(flow.max(), 'commitment')} a month in {month}, "
            f"{flow.max() / need:.1f} times its mean monthly need: state max_per_month or max_growth to see what is reachable."
        )


def _no_baseline(year: PlannedYear) -> Iterator[str]:
    limited = [name for name, source in year.plan.sources.items() if source.max_growth is not None]
    if limited and year.plan.history is None:
        names = ", ".join(map(shown, limited))
        yield f"max_growth of {names} counts from the first planned month: no records say what came before."


def _no_lags(year: PlannedYear) -> Iterator[str]:
    if all(lag.shift == (1.0,) and lag.is_fixed for cell in year.cells for lag in cell.lags):
        yield "Every step is taken to happen in the month of entry: the plan's lags are left out or 0."


def _dead(year: PlannedYear, pipeline: pd.DataFrame) -> Iterator[str]:
    dead = float(pipeline["dead_items"].sum())
    if dead:
        worth = f"worth {_money(year)(float(pipeline['dead_amount'].sum()))}"
        lie = counted(dead, f"open record {worth} has", f"open records {worth} have")
        yield f"{lie} waited longer than the plan's delays allow: {'it counts' if lie.startswith('1 ') else 'they count'} as 0."


def _overdue(year: PlannedYear) -> Iterator[str]:
    overdue = sum(found.overdue_items for cell in year.open_yields for _, found in cell)
    if overdue:
        late = counted(overdue, "open record is past a fixed lag: it is", "open records are past a fixed lag: they are")
        yield f"{late} taken to convert at the full rate next month."


def _thin_evidence(year: PlannedYear) -> Iterator[str]:
    for each in year.plan.transitions:
        n = each.evidence
        if n is not None and each.rate < 1 and min(each.rate * n, (1 - each.rate) * n) < 1:
            where = " x ".join(shown(part) for part in (each.segment, each.source) if part) or "all"
            yield (
                f"{each.from_stage} to {each.to_stage} ({where}): {show(each.rate, 'share')} rests on {counted(n, 'record')}, "
                "less than one of which went the rarer way."
            )


def _tails(year: PlannedYear) -> Iterator[str]:
    lags = {lag for cell in year.cells for lag in cell.lags}
    worst = max((tail_beyond(lag) for lag in lags), default=0.0)
    if worst > 1e-3:
        yield f"A lag has {show(worst, 'share')} of its conversions beyond 60 months; they are counted in month 60."


def _scenarios(year: PlannedYear) -> Iterator[str]:
    if year.plan.scenarios:
        yield f"The plan names {counted(len(year.plan.scenarios), 'scenario')}; this is the base plan: `revplan simulate` compares them."
