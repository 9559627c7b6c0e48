"""Processor seconds for rates and a forecast of a million records, end to end and from counts, against peers.

Run: python benchmarks/rates_speed.py [--records 1000000] [--save FILE.npz]
     python benchmarks/rates_speed.py --lifelines FILE.npz    in an environment with lifelines and pandas < 3

Peers on the same records: Kaplan-Meier per cell in plain pandas, and lifelines' Kaplan-Meier and Weibull
mixture cure model per cell. They give one transition's rates; revplan gives all four, with forecast apart.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

DAYS, START = 730, date(2024, 1, 1)
STAGES, RATES, MEDIANS = ("lead", "mql", "sql", "sqo", "won"), (0.4, 0.5, 0.7, 0.25), (4, 5, 10, 50)
CELLS = 12


def drawn(records: int) -> dict[str, np.ndarray]:
    """Records of 12 cells: cell, and days on which each stage was entered, or the record lost (-1: not yet)."""
    rng = np.random.default_rng(1)
    cell = rng.integers(0, CELLS, records)
    entered = np.full((records, len(STAGES)), -1)
    lost = np.full(records, -1)
    entered[:, 0] = rng.integers(0, DAYS, records)
    at, alive = entered[:, 0].astype(float), np.ones(records, dtype=bool)
    for number, (rate, median) in enumerate(zip(RATES, MEDIANS, strict=True)):
        delay = median * np.exp(0.8 * rng.normal(size=records))
        goes = rng.random(records) < rate * (0.8 + 0.4 * cell / CELLS)
        gone = alive & ~goes & (at + 1.8 * delay < DAYS)
        lost[gone] = (at + 1.8 * delay)[gone]
        alive, at = alive & goes & (at + delay < DAYS), at + delay
        entered[alive, number + 1] = at[alive]
    return {"cell": cell, "entered": entered, "lost": lost}


def history(made: dict[str, np.ndarray]) -> Any:
    """The records as the import leaves them."""
    from revplan.crm.records import History

    record, stage = np.nonzero(made["entered"] >= 0)
    origin = np.datetime64(START, "us")
    ids = np.arange(len(made["cell"])).astype(str).astype(object)
    segment = np.array(["large", "mid", "small"], dtype=object)[made["cell"] // 4]
    source = np.array(["events", "inbound", "outbound", "partner"], dtype=object)[made["cell"] % 4]
    columns = {"record": ids, "segment": segment, "source": source}
    frame = pd.DataFrame({name: pd.Series(values[record], dtype="str") for name, values in columns.items()})
    frame["stage"] = pd.Series(np.array(STAGES, dtype=object)[stage], dtype="str")
    frame["entered_on"] = origin + made["entered"][record, stage] * np.timedelta64(1, "D")
    lost = np.where(made["lost"] >= 0, origin + made["lost"] * np.timedelta64(1, "D"), np.datetime64("NaT"))
    records = pd.DataFrame({"record": pd.Series(ids, dtype="str"), "amount": np.nan, "lost_on": lost})
    return History(STAGES, frame, records, (), START + timedelta(days=DAYS), "")


def durations(made: dict[str, np.ndarray]) -> pd.DataFrame:
    """Of the first transition: cell, days watched, and whether the record went on."""
    start, end = made["entered"][:, 0], made["entered"][:, 1]
    return pd.DataFrame({"cell": made["cell"], "days": np.where(end >= 0, end, DAYS) - start, "went_on": end >= 0})


def pandas_kaplan_meier(frame: pd.DataFrame) -> pd.Series:
    """One less the product-limit estimate of every cell."""
    exits = frame.groupby(["cell", "days"])["went_on"].agg(["sum", "size"]).sort_index()
    at_risk = exits.groupby("cell")["size"].transform(lambda each: each[::-1].cumsum()[::-1])
    return 1 - (1 - exits["sum"] / at_risk).groupby("cell").prod()


def timed(name: str, work: Callable[[], Any], rounds: int = 3) -> float:
    """Prints the least seconds of processor time of `rounds` runs: other work on the machine does not count."""
    seconds = []
    for _ in range(rounds):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    print(f"{name:60s} {min(seconds):8.3f} s", flush=True)
    return min(seconds)


def ours(made: dict[str, np.ndarray]) -> None:
    """revplan's times, and those of plain pandas."""
    from revplan.rates.estimates import estimate_transitions
    from revplan.rates.forecast import forecast_wins

    known = history(made)
    timed("rates of 4 transitions x 12 cells, from the stage history", lambda: estimate_transitions(known, known.as_of))
    few = history({name: values[:10_000] for name, values in made.items()})
    timed("the same for 10,000 records", lambda: estimate_transitions(few, few.as_of))
    frame = durations(made)
    timed("Kaplan-Meier of 1 transition x 12 cells in pandas", lambda: pandas_kaplan_meier(frame))
    timed("forecast of 3 months, with its replays of the last year", lambda: forecast_wins(known, 3), 1)


def lifelines(made: dict[str, np.ndarray]) -> None:
    """lifelines' times."""
    from lifelines import KaplanMeierFitter, MixtureCureFitter, WeibullFitter

    cells = [rows for _, rows in durations(made).groupby("cell")]
    timed(
        "lifelines Kaplan-Meier of 1 transition x 12 cells",
        lambda: [KaplanMeierFitter().fit(rows["days"], rows["went_on"]) for rows in cells],
        1,
    )
    cure = lambda: MixtureCureFitter(base_fitter=WeibullFitter()).fit(cells[0]["days"] + 0.5, cells[0]["went_on"])  # noqa: E731
    timed("lifelines Weibull mixture cure of 1 transition x 1 cell", cure, 1)


def main() -> None:
    """Prints the times."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--save", type=Path)
    parser.add_argument("--lifelines", type=Path)
    given = parser.parse_args()
    if given.lifelines:
        lifelines(dict(np.load(given.lifelines)))
        return
    made = drawn(given.records)
    if given.save:
        np.savez(given.save, **made)
    ours(made)


if __name__ == "__main__":
    main()
