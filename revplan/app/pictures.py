"""The live charts: the year as a fan, the commit curve, the funnel, what decides. Each says its one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from revplan.app.svg import WIDTH, Scale, area, colour, key, levels, line, picture, scale_of, words
from revplan.formats import MONTHS, compact, show
from revplan.model.simulate import Simulation
from revplan.model.simulate_tables import fan_arr_table
from revplan.report.axes import BACKGROUND, GAP, PAST, PLAN

Chart = tuple[str, str]
"""The sentence a chart says, and its drawing."""


def fan_chart(simulation: Simulation, base: Simulation) -> Chart:
    """New ARR closed by the end of each month: P10, P50, P90, the goal, and the base plan's P50."""
    frame, currency, height = fan_arr_table(simulation), simulation.year.plan.currency, 270
    before = base.fan.arr[1]
    low, mid, high, goal = (frame[name].to_list() for name in ("arr_low", "arr_mid", "arr_high", "goal"))
    y = scale_of([*high, *goal, *before], height - 28, 28)
    x = Scale(0, len(mid) - 1, 62, WIDTH - 12)

    def along(values: Sequence[float]) -> list[tuple[float, float]]:
        return [(x.at(month), y.at(value)) for month, value in enumerate(values)]

    message = (
        f"By {_month(frame['month'].iloc[-1])} new ARR is {compact(mid[-1], currency)} in the middle case, between "
        f"{compact(low[-1], currency)} and {compact(high[-1], currency)} in eight years of ten; "
        f"the goal is {compact(goal[-1], currency)}."
    )
    parts = [
        key(
            [
                (colour(BACKGROUND), "P10 to P90"),
                (colour(PLAN), "P50"),
                (colour(PAST), "base P50"),
                (colour(GAP), "goal"),
            ],
            62,
        ),
        levels(y, 62, WIDTH - 12, lambda value: compact(value, currency)),
        area(along(low), along(high), colour(BACKGROUND)),
        line(along(before), colour(PAST), 1.6, "2 4"),
        line(along(goal), colour(GAP), 1.8, "6 4"),
        line(along(mid), colour(PLAN)),
        *(words(x.at(at), height - 8, MONTHS[month.month - 1], "middle") for at, month in enumerate(frame["month"])),
    ]
    return message, picture(height, message, parts)


def _month(month: object) -> str:
    return show(month, "month")
