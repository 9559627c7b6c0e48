"""The simulated year as text for a terminal, and as what `revplan simulate --json` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from revplan.funnel.year import SETTLED
from revplan.ground.errors import shown
from revplan.ground.escaping import spreadsheet
from revplan.ground.formats import column, compact, counted, listed, plural, show
from revplan.ground.terminal import aligned_columns, plain_rows
from revplan.plan.stages import titles_of
from revplan.simulation import tables
from revplan.simulation.curve import CurvePoint
from revplan.simulation.scenarios import Compared, entries_by_stage, scenario_notes
from revplan.simulation.signing import ToSign, in_parts, sentence
from revplan.simulation.simulate import Simulation

if TYPE_CHECKING:
    import pandas as pd

SHOWN_DRIVERS = 10
FEW_WINS = 30  # expected wins below which bands of a year are rough: deals come whole (DECISIONS.md, Simulation)
NO_SCENARIOS = "The plan names no scenarios; `scenarios` in the plan file lays variations beside it."
AMOUNTS = {
    "p10": "P10: nine years in ten bring more",
    "p50": "P50: every second year brings more",
    "p90": "P90: one year in ten brings more",
    "mean": "mean",
    "expected_shortfall": "missed of the goal, in expectation",
    "cvar_10": "mean of the worst tenth of the years",
}


def simulation_answer(simulation: Simulation, compared: Sequence[Compared]) -> dict[str, Any]:
    """What `revplan simulate --json` prints; a figure that does not exist is None."""
    found = simulation.outcome
    estimates = {name: getattr(found, name) for name in tables.AMOUNTS}
    count, chance = simulation.all_hold
    return {
        "trials": simulation.trials,
        "seed": simulation.seed,
        "goal": simulation.view.goal,
        "planned": simulation.view.planned_arr,
        "new_arr": {
            **{name: estimates[name].value for name in ("p10", "p50", "p90", "mean", "sd")},
            "standard_error": tables.finite(found.mean.standard_error),
        },
        "standard_errors": {
            **{name: tables.finite(each.standard_error) for name, each in estimates.items()},
            "chance_of_goal": tables.finite(found.chance_of_goal.standard_error),
        },
        "chance_of_goal": found.chance_of_goal.value,
        "expected_shortfall": found.expected_shortfall.value,
        "cvar_10": found.cvar_10.value,
        "cost_of_uncertainty": simulation.cost_of_uncertainty,
        "assumptions": {"uncertain": count, "chance_all_met": chance},
        "signed": _signed(ToSign(simulation)),
        "signed_parts": {
            **{name: tables.finite(step) for name, step in simulation.signed_parts.steps.items()},
            "market_cv": simulation.signed_parts.market_cv,
        },
        "stretch": _point(simulation, simulation.stretch),
        "commit_curve": [_point(simulation, each) for each in simulation.curve],
        "tornado": [
            {"driver": each.driver, "low": each.low, "high": each.high, "share_of_variance": each.share}
            for each in simulation.tornado
        ],
        "goal_seek": plain_rows(tables.goal_seek_table(simulation)),
        "commit_given": plain_rows(tables.commit_given_table(simulation)),
        "fan": plain_rows(tables.fan_table(simulation)),
        "fan_arr": plain_rows(tables.fan_arr_table(simulation)),
        "scenarios": plain_rows(tables.scenarios_table(compared)),
        "scenario_stages": plain_rows(tables.scenario_stages_table(compared)),
        "notes": [*simulation_notes(simulation), *scenario_notes(compared)],
    }


def _signed(asked: ToSign) -> dict[str, float | None]:
    """What `sign` signs, in whole entries."""
    error = tables.finite(asked.simulation.signed.scale.standard_error)
    return {"confidence": asked.confidence, "scale": asked.scale, **asked.entries, "standard_error": error}


def _point(simulation: Simulation, point: CurvePoint) -> dict[str, float | None]:
    scale = point.scale.value
    entries = {stage: tables.finite(scale * count) for stage, count in entries_by_stage(simulation.year).items()}
    return {
        "confidence": point.confidence,
        "scale": tables.finite(scale),
        **entries,
        "standard_error": tables.finite(point.scale.standard_error),
    }


def simulation_text(simulation: Simulation, compared: Sequence[Compared]) -> str:
    """The year's bands, the commit curve, what decides, the scenarios, and the notes."""
    plan = simulation.year.plan
    parts = [
        f"{plan.name}, as of {plan.plan_date}: {simulation.trials:,} simulated years (--seed {simulation.seed})",
        " ".join(filter(None, (sentence(ToSign(simulation)), in_parts(ToSign(simulation))))),
        _bands(simulation),
        _curve(simulation),
        _given(simulation),
        _swings(simulation),
        _seek(simulation),
    ]
    parts.append(_scenarios(compared) if len(compared) > 1 else NO_SCENARIOS)
    parts.append("\n".join(f"- {note}" for note in (*simulation_notes(simulation), *scenario_notes(compared))))
    return "\n\n".join(parts)


def _bands(simulation: Simulation) -> str:
    values = [getattr(simulation.outcome, name).value for name in AMOUNTS]
    errors = [tables.finite(getattr(simulation.outcome, name).standard_error) for name in AMOUNTS]
    heads = ("new ARR of the year", simulation.year.plan.currency, "error ±")
    return aligned_columns(heads, [list(AMOUNTS.values()), column(values, "money"), column(errors, "money")])


def _curve(simulation: Simulation) -> str:
    curve = tables.commit_curve_table(simulation)
    stages = tables.commit_curve_stages_table(simulation).pivot(index="confidence", columns="stage", values="entries")
    plan = simulation.year.plan
    cells = [
        column(curve["confidence"], "share"),
        column(curve["scale"], "ratio"),
        *(column(stages[stage], "commitment") for stage in plan.stage_ids),
        column(curve["spend"], "money"),
        column(curve["within_limits"], "yes"),
    ]
    heads = ("sure", "times commit", *(stage.title for stage in plan.stages), "spend", "within limits")
    return "\n\n".join([aligned_columns(heads, cells), *_beyond(simulation, curve)])


def _beyond(simulation: Simulation, curve: pd.DataFrame) -> Iterator[str]:
    """From which confidence on a source's ceiling is passed, and whose."""
    over = curve.loc[~curve["within_limits"].astype(bool), "confidence"]
    if len(over):
        first = "No row is" if len(over) == len(curve) else f"From {show(over.min(), 'share')} on no row is"
        yield f"{first} within limits: {_ceilings(ToSign(simulation))}."


def _given(simulation: Simulation) -> str:
    given = tables.commit_given_table(simulation)
    titles = [stage.title for stage in simulation.year.plan.stages]
    cells = [titles, *(column(given[name], "commitment") for name in ("commit", "signed"))]
    cells += [column(given[name], "money") for name in ("arr_low", "arr_high")]
    cells.append(column(given["variance_left"], "share"))
    return aligned_columns(
        ("commit at", "expected commit", "to sign", "P10 if hit", "P90 if hit", "uncertainty left"), cells
    )


def _swings(simulation: Simulation) -> str:
    swings = tables.tornado_table(simulation).head(SHOWN_DRIVERS)
    cells = [list(swings["driver"])]
    cells += [column(swings[name], "money") for name in ("arr_low", "arr_high")]
    cells.append(column(swings["share_of_variance"].round(3), "share"))
    return aligned_columns(("driver", "at its P10", "at its P90", "of the uncertainty"), cells)


def _seek(simulation: Simulation) -> str:
    kinds = {"volume": "ratio", "acv": "money", "win rate": "share"}
    names = {"volume": "entries, times the expected commit", "acv": "mean value of a new deal", "win rate": "win rate"}
    rows = [
        (
            names[each.driver],
            show(each.planned, kinds[each.driver]),
            "no value does" if each.needed is None else show(round(each.needed, 4), kinds[each.driver]),
        )
        for each in simulation.goal_seek
    ]
    sure = show(simulation.confidence, "share")
    return aligned_columns(
        (f"alone for {sure}", "planned", "needed"), [list(cells) for cells in zip(*rows, strict=True)]
    )


def _scenarios(compared: Sequence[Compared]) -> str:
    table, plan = tables.scenarios_table(compared), compared[0].year.plan
    needed = [each.needed[plan.commit_stage] for each in compared]
    title = titles_of(plan.stages)[plan.commit_stage]
    cells = {
        "scenario": [shown(name) for name in table["scenario"]],
        "goal": column(table["goal"], "money"),
        "mean": column(table["mean"], "money"),
        "to base": column(table["mean_difference"], "number"),
        "P10": column(table["arr_low"], "money"),
        "P90": column(table["arr_high"], "money"),
        "chance": column(table["chance_of_goal"].round(3), "share"),
        "times commit": column(table["scale"], "ratio"),
        f"replanned: {plural(title)}": column(needed, "count"),
        "more or less": column([each - needed[0] for each in needed], "number"),
        "replanned: spend": column(table["spend"], "money"),
        "spend to base": column(table["spend_difference"], "number"),
    }
    return aligned_columns(list(cells), list(cells.values()))


def scenarios_csv(compared: Sequence[Compared]) -> str:
    """Scenarios side by side as a CSV file that spreadsheets open as it is: a row each, money, then units by stage."""
    wide, stages = tables.scenarios_table(compared), tables.scenario_stages_table(compared)
    for stage, rows in stages.groupby("stage", sort=False):
        for name in ("entries", "entries_difference", "needed", "needed_difference"):
            wide[f"{stage}_{name}"] = rows[name].to_numpy()
    wide["scenario"] = [spreadsheet(name) for name in wide["scenario"]]
    return "\ufeff" + wide.to_csv(index=False, lineterminator="\r\n")


def simulation_notes(simulation: Simulation) -> Iterator[str]:
    """What a reader must know beside the numbers, one sentence each."""
    yield from _limits(ToSign(simulation))
    yield from _taken_as_certain(simulation)
    cost, currency = simulation.cost_of_uncertainty, simulation.year.plan.currency
    if abs(cost) > SETTLED * simulation.view.goal:
        verb = "cost" if cost > 0 else "add"
        yield f"Uncertain delays {verb} {compact(abs(cost), currency)} of the plan's ARR in expectation."
    count, chance = simulation.all_hold
    if count:
        met = show(chance, "share") if chance >= 0.001 else "less than 0.1%"
        vary = counted(count, "rate, volume or delay varies", "rates, volumes and delays vary")
        yield f"{vary} in the simulation; the chance that every one is met is {met}."
    if (wins := float(simulation.view.planned_wins.sum())) < FEW_WINS:
        yield f"Only {counted(wins, 'win is', 'wins are')} expected: deals come whole, so the bands are rough."


def _limits(asked: ToSign) -> Iterator[str]:
    if asked.scale is None:
        yield f"No volume of entries gives {show(asked.confidence, 'share')}: what is missing comes too late or not at all."
    elif asked.is_above_ceilings:
        yield (
            f"What is to sign is {asked.scale:.2f} times the expected commit; {_ceilings(asked)}: "
            "raise a ceiling, find another source, or lower goal or confidence."
        )


def _ceilings(asked: ToSign) -> str:
    """The sources whose ceiling is reached first, and what it allows."""
    names = listed([shown(name) for name in asked.binding])
    return f"{names} {'allow' if len(asked.binding) > 1 else 'allows'} at most {asked.most:.2f} times (max_per_month, max_growth)"


def _taken_as_certain(simulation: Simulation) -> Iterator[str]:
    rates = simulation.view.rates
    stated = int(((rates.evidence == float("inf")) & (rates.mean < 1)).sum())
    if stated:
        yield f"{stated} of {counted(len(rates.mean), 'rate')} {'is' if stated == 1 else 'are'} stated without evidence, and so taken as certain."
    plan = simulation.year.plan
    without = [name for name, segment in plan.segments.items() if segment.acv.sd is None]
    if without:
        yield f"No spread (sd) of the deal size is given for {', '.join(map(shown, without))}: every deal there counts as the mean."
