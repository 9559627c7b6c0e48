"""What a scenario comes to, in words and tiles, and side by side with the plan."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

from revplan.app.pictures import commit_entries, commit_title
from revplan.funnel.tables import required_by_stage, spend_of_entries
from revplan.ground.errors import shown
from revplan.ground.escaping import escape
from revplan.ground.formats import compact, counted, money, plural, show
from revplan.simulation.simulate import Simulation
from revplan.workbook.signing import ToSign, ceiling_words, expected_words, limit_words, sentence, to_sign_words
from revplan.workbook.simulated import WITHIN

POINTS = 0.0005  # difference of two chances that shows
TILES = 6  # figures shown as tiles


@dataclass(frozen=True)
class ShownFigure:
    """What one figure of a scenario is called, and how its value and a difference to another are written."""

    label: str
    written: Callable[[float], str]
    difference: Callable[[float], str]

    def cell(self, value: float, before: float) -> tuple[str, str]:
        """The value, and its difference to `before` where there is one."""
        if not math.isfinite(value):
            return "no volume gives it", ""
        return self.written(value), self.difference(value - before) if math.isfinite(before) and value != before else ""


def headline(simulation: Simulation, base: Simulation) -> str:
    """The conclusion, in the words of page one: what to sign, how likely the goal is, also beside the base plan."""
    asked = ToSign(simulation)
    if not simulation.view.goal > 0:
        return sentence(asked)
    goal = compact(simulation.view.goal, simulation.year.plan.currency)
    beside = _than_base(asked.chance, ToSign(base).chance)
    expected = f"{expected_words(asked)}{beside}"
    return f"Goal: {goal} new ARR. To sign: {to_sign_words(asked)}. {expected}. {ceiling_words(asked)}."


def _than_base(chance: float, before: float) -> str:
    difference = chance - before
    if abs(difference) < POINTS:
        return ", as in the base plan"
    return f", {counted(round(100 * abs(difference), 1), 'point')} {'more' if difference > 0 else 'less'} than in the base plan"


def warnings(simulation: Simulation) -> tuple[str, ...]:
    """What a reader must know beside the figures: sources asked for more than they can take."""
    asked = ToSign(simulation)
    if asked.most * WITHIN < 1:
        return ("These volumes are more than a source's ceiling in the plan allows.",)
    return tuple(limit_words(asked))


def values(simulation: Simulation) -> tuple[float, ...]:
    """The figures of a scenario, in the order of `figures`."""
    found, number = simulation.outcome, ToSign(simulation).number
    return (
        found.chance_of_goal.value,
        found.p50.value,
        found.p10.value,
        commit_entries(simulation),
        math.inf if number is None else number,
        spend_of_entries(simulation.year),
        found.p90.value,
        simulation.view.goal,
        found.expected_shortfall.value,
        simulation.confidence,
        *required_by_stage(simulation.year).values(),
    )


@lru_cache(maxsize=1)
def figures(base: Simulation) -> tuple[ShownFigure, ...]:
    """What the figures of a scenario are called; those of the tiles come first."""
    plan, title = base.year.plan, commit_title(base)
    amount = partial(compact, currency=plan.currency)

    def signed_amount(value: float) -> str:
        return ("+" if value > 0 else "") + money(round(value), plan.currency)

    stages = [ShownFigure(f"{shown(stage.title)} required", _count, _signed_count) for stage in plan.stages]
    return (
        ShownFigure("Chance of the goal", _share, _points),
        ShownFigure("New ARR in the middle case (P50)", amount, signed_amount),
        ShownFigure("New ARR nine years in ten exceed (P10)", amount, signed_amount),
        ShownFigure(f"{plural(title)} of the expected commit", _count, _signed_count),
        ShownFigure(f"{plural(title)} to sign", _count, _signed_count),
        ShownFigure("Programme spend for the expected commit", amount, signed_amount),
        ShownFigure("New ARR one year in ten exceeds (P90)", amount, signed_amount),
        ShownFigure("New ARR asked for", amount, signed_amount),
        ShownFigure("Missed of the goal, in expectation", amount, signed_amount),
        ShownFigure("Confidence to sign with", _share, _points),
        *stages,
    )


def _count(value: float) -> str:
    return show(value, "commitment")


def _signed_count(value: float) -> str:
    return show(round(value), "number")


def _share(value: float) -> str:
    return show(round(value, 3), "share")


def _points(value: float) -> str:
    return counted(round(100 * value, 1), "point", kind="number")


def tiles(simulation: Simulation, base: Simulation) -> str:
    """The main figures, each beside its value in the base plan."""
    parts = zip(figures(base)[:TILES], values(simulation), values(base), strict=False)
    return f'<dl class="rp-tiles">{"".join(_tile(*part) for part in parts)}</dl>'


def _tile(figure: ShownFigure, value: float, before: float) -> str:
    written, difference = figure.cell(value, before)
    beside = f"base {figure.cell(before, before)[0]}" + (f", {difference}" if difference else "")
    return f"<div><dt>{escape(figure.label)}</dt><dd>{escape(written)}<small>{escape(beside)}</small></dd></div>"


def side_by_side(columns: Mapping[str, tuple[float, ...]], base: Simulation, left_out: int = 0) -> str:
    """A table of the figures of scenarios, one to a column, each with its difference to the base plan.

    `left_out` scenarios have no column; the caption says so.
    """
    more = f" {counted(left_out, 'further scenario')} of the plan can be opened." if left_out else ""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in columns)
    by_figure = zip(figures(base), values(base), *columns.values(), strict=True)
    rows = "".join(_row(figure, before, found) for figure, before, *found in by_figure)
    return (
        '<div class="scroll rp-scroll" tabindex="0" role="region" aria-label="Scenarios side by side"><table>'
        f"<caption>Scenarios side by side; below each figure its difference to the base plan.{more}</caption>"
        f'<thead><tr><th scope="col">Figure</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _row(figure: ShownFigure, before: float, found: Sequence[float]) -> str:
    told = [figure.cell(value, before) for value in found]
    cells = [f"<td>{escape(value)}{f'<small>{escape(apart)}</small>' if apart else ''}</td>" for value, apart in told]
    return f'<tr><th scope="row">{escape(figure.label)}</th>{"".join(cells)}</tr>'
