"""How often the alert of the pace is false: 1,000 invented years in which the plan of every month is what is to be expected.

    python benchmarks/pace_alert.py

An alert of a month is false if the month then meets its plan. `revplan/tracking/pace.py` states that of the alerts at
most 1 - alert are: here they are counted, on every evening of every month of a year after two years of history, in
three worlds. No world is the one the forecast assumes: it learns from the past of each what its errors are.
"""

from __future__ import annotations

import time
from datetime import date

import numpy as np
import pandas as pd

from revplan.ground.workdays import Workdays
from revplan.plan.parts import Pace
from revplan.tracking.pace import alert_after, at_most, to_come

YEARS, HISTORY = 1000, 365
FIRST, BEGIN, END = date(2026, 1, 1), date(2027, 1, 1), date(2027, 12, 31)
A_DAY = 12.0  # records on a mean working day
EVERY = 3  # working days between two evenings looked at
PART = 250  # years at a time: memory


def counts(world: str, generator: np.random.Generator, worked: np.ndarray, years: int) -> np.ndarray:
    """Year x day: records of a world whose mean is A_DAY on every working day."""
    pace = np.full((years, len(worked)), A_DAY)
    if world == "bursts":
        pace *= generator.gamma(2.0, 0.5, pace.shape)
    if world == "waves":  # a level that wanders and comes back, by 15 % either way
        steps = generator.normal(0, 0.15 * np.sqrt(1 - 0.98**2), pace.shape)
        level = generator.normal(0, 0.15, years)
        for day in range(pace.shape[1]):
            level = 0.98 * level + steps[:, day]
            pace[:, day] *= np.exp(level - 0.15**2 / 2)
    return generator.poisson(pace * worked).astype(float)


def false_alerts(world: str, settings: Pace, seed: int = 1) -> dict[str, float]:
    """Of the months of null years: the share with an alert, and the share of these that meet their plan all the same."""
    generator = np.random.default_rng(seed)
    worked = Workdays().are_worked(FIRST, END).astype(float)
    alerts = false = months = 0
    for _ in range(YEARS // PART):
        days = counts(world, generator, worked, PART)
        for month in pd.period_range(BEGIN, END, freq="M"):
            first, last = (day.date() for day in (month.start_time, month.end_time))
            start, stop = (first - FIRST).days, (last - FIRST).days + 1
            plan = np.ceil(A_DAY * worked[start:stop].sum())
            state, ever = np.zeros(PART, dtype=bool), np.zeros(PART, dtype=bool)
            evenings = (start + np.flatnonzero(worked[start:stop]))[:-1:EVERY]
            for evening in evenings.tolist():
                found = to_come(days[:, evening + 1 - HISTORY : evening + 1], worked[evening + 1 - HISTORY : stop])
                short = plan - days[:, start : evening + 1].sum(axis=1)
                chance = at_most(short - 1, found.mean, found.spread)
                state = np.array(
                    [
                        alert_after(now, before, settings.alert, settings.all_clear)
                        for now, before in zip(chance, state, strict=True)
                    ]
                )
                ever |= state
            met = days[:, start:stop].sum(axis=1) >= plan
            alerts, false, months = alerts + ever.sum(), false + (ever & met).sum(), months + PART
    return {
        "months": months,
        "with an alert": alerts / months,
        "false of them": false / alerts,
        "false of all months": false / months,
    }


def main() -> None:
    """Prints the shares of three worlds."""
    settings = Pace()
    print(f"alert at {settings.alert:.0%}: at most {1 - settings.alert:.0%} of the alerts are to be false")
    for world in ("steady", "bursts", "waves"):
        begun = time.perf_counter()
        found = false_alerts(world, settings)
        told = ", ".join(
            f"{name} {value:,.0f}" if value > 1 else f"{name} {value:.1%}" for name, value in found.items()
        )
        print(f"{world}: {told} ({time.perf_counter() - begun:.0f} s)")


if __name__ == "__main__":
    main()
