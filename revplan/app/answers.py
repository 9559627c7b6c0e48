"""What a scenario comes to, in words and tiles, and side by side with the plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from revplan.app.pictures import commit_entries, commit_title, required_by_stage
from revplan.errors import shown
from revplan.escaping import escape
from revplan.formats import compact, money, show
from revplan.model.scenarios import largest_scale, spend_of_entries
from revplan.model.simulate import Simulation
from revplan.model.simulate_tables import WITHIN

POINTS = 0.0005  # difference of two chances that shows


@dataclass(frozen=True)
class Figure:
    """One figure of a scenario: what it is called, its value, and how value and difference are written."""

    label: str
    of: Callable[[Simulation], float]
    written: Callable[[float], str]
    difference: Callable[[float], str]

    def cell(self, simulation: Simulation, base: Simulation) -> tuple[str, str]:
        """Value, and the difference to the base plan where there is one."""
        value, before = self.of(simulation), self.of(base)
        if not math.isfinite(value):
            return "no volume gives it", ""
        text = self.difference(value - before) if math.isfinite(before) and value != before else ""
        return self.written(value), text


def headline(simulation: Simulation, base: Simulation) -> str:
    """The conclusion: how likely the goal is, compared with the base plan, and what would make it as sure as wanted."""
    if not simulation.view.goal > 0:
        return "The year asks for no new ARR, so it is reached."
    plan, title = simulation.year.plan, commit_title(simulation)
    chance, before = (each.outcome.chance_of_goal.value for each in (simulation, base))
    entries = commit_entries(simulation)
    said = (
        f"{show(entries, 'commitment')} {title}s reach {compact(simulation.view.goal, plan.currency)} new ARR in "
        f"{show(chance, 'share')} of the years{_than_base(chance, before)}"
    )
    sure, asked = show(simulation.confidence, "share"), simulation.signed.scale.value * entries
    if not math.isfinite(asked):
        return f"{said}; no volume makes it {sure} sure."
    return f"{said}; to be {sure} sure takes {show(asked, 'commitment')} of them."


def _than_base(chance: float, before: float) -> str:
    difference = chance - before
    if abs(difference) < POINTS:
        return ", as in the base plan"
    return f", {100 * abs(difference):.1f} points {'more' if difference > 0 else 'less'} than in the base plan"


def warnings(simulation: Simulation) -> tuple[str, ...]:
    """What a reader must know beside the figures: sources asked for more than they can take."""
    most = largest_scale(simulation.year) * WITHIN
    if most < 1:
        return ("These volumes are more than a source's ceiling in the plan allows.",)
    asked = simulation.signed.scale.value
    if math.isfinite(asked) and asked > most:
        return (f"What {show(simulation.confidence, 'share')} asks for is more than a source's ceiling allows.",)
    return ()


def figures(base: Simulation) -> tuple[Figure, ...]:
    """The figures of a scenario, those of the tiles first."""
    plan = base.year.plan
    title = commit_title(base)

    def amount(value: float) -> str:
        return compact(value, plan.currency)

    def signed_amount(value: float) -> str:
        return ("+" if value > 0 else "") + money(round(value), plan.currency)

    def count(value: float) -> str:
        return show(value, "commitment")

    def signed_count(value: float) -> str:
        return show(round(value), "number")

    def share(value: float) -> str:
        return show(round(value, 3), "share")

    def points(value: float) -> str:
        return f"{show(round(100 * value, 1), 'number')} points"

    stages = [
        Figure(f"{shown(stage.title)} required", _required(stage.id), count, signed_count) for stage in plan.stages
    ]
    return (
        Figure("Chance of the goal", lambda each: each.outcome.chance_of_goal.value, share, points),
        Figure("New ARR, middle case (P50)", lambda each: each.outcome.p50.value, amount, signed_amount),
        Figure("New ARR, nine years in ten more (P10)", lambda each: each.outcome.p10.value, amount, signed_amount),
        Figure(f"{title}s committed", commit_entries, count, signed_count),
        Figure(f"{title}s to sign for", _to_sign, count, signed_count),
        Figure("Budget of these entries", lambda each: spend_of_entries(each.year), amount, signed_amount),
        Figure("New ARR, one year in ten more (P90)", lambda each: each.outcome.p90.value, amount, signed_amount),
        Figure("New ARR asked for", lambda each: each.view.goal, amount, signed_amount),
        Figure("Missed of the goal, in expectation", _missed, amount, signed_amount),
        Figure("Confidence wanted", lambda each: each.confidence, share, points),
        *stages,
    )


TILES = 6


def _required(stage: str) -> Callable[[Simulation], float]:
    return lambda simulation: required_by_stage(simulation)[stage]


def _to_sign(simulation: Simulation) -> float:
    return simulation.signed.scale.value * commit_entries(simulation)


def _missed(simulation: Simulation) -> float:
    return simulation.outcome.expected_shortfall.value


def tiles(simulation: Simulation, base: Simulation) -> str:
    """The main figures, each beside its value in the base plan."""
    return f'<dl class="rp-tiles">{"".join(_tile(each, simulation, base) for each in figures(base)[:TILES])}</dl>'


def _tile(figure: Figure, simulation: Simulation, base: Simulation) -> str:
    value, difference = figure.cell(simulation, base)
    before = figure.cell(base, base)[0]
    beside = f"base {before}" + (f", {difference}" if difference else "")
    return f"<div><dt>{escape(figure.label)}</dt><dd>{escape(value)}<small>{escape(beside)}</small></dd></div>"


def side_by_side(columns: Mapping[str, Simulation], base: Simulation) -> str:
    """A table of scenarios, one to a column, each figure with its difference to the base plan."""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    rows = "".join(_row(figure, list(columns.values()), base) for figure in figures(base))
    return (
        '<div class="rp-scroll" tabindex="0" role="region" aria-label="Scenarios side by side"><table>'
        f"<caption>Scenarios side by side; below each figure its difference to the base plan.</caption>"
        f'<thead><tr><th scope="col">Figure</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _row(figure: Figure, simulations: Sequence[Simulation], base: Simulation) -> str:
    cells = "".join(_cell(*figure.cell(each, base)) for each in simulations)
    return f'<tr><th scope="row">{escape(figure.label)}</th>{cells}</tr>'


def _cell(value: str, difference: str) -> str:
    return f"<td>{escape(value)}{f'<small>{escape(difference)}</small>' if difference else ''}</td>"
