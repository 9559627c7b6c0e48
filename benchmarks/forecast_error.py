"""How far forecasts are off, on real records and on companies drawn lead by lead: `python benchmarks/forecast_error.py`.

Each line replays `revplan backtest`. Error is WAPE: absolute misses added up, over all actuals. Beside it stands
the error that luck alone would make were the forecast's means exact (counts are Poisson at least), and that of the best baseline. Real: the public Olist records, at month ends a month ahead and every week. Drawn: companies of five
stages at quarter ends, three months ahead, where nothing moves, where the last rate drifts, where channels move apart.

`--public` names the folder of the public records, which are no part of this project (data/olist/README.md).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
from companies import BUILDING, HELD_OUT, company, history, world
from scipy.stats import poisson

from revplan.crm.records import History, read_export
from revplan.ground.errors import DataError
from revplan.rates.backtest import MODEL, ReplayedDay, ReplayedForecast, replayed

PUBLIC = Path(__file__).parents[2] / "shared" / "data"
STEPS = 4  # of a funnel of five stages
QUARTER_ENDS = (date(2025, 6, 30), date(2025, 9, 30), date(2025, 12, 31), date(2026, 3, 31), date(2026, 6, 30))
KINDS = ("steady", "drift", "channels move")


@dataclass(frozen=True)
class Errors:
    """Absolute misses of forecasts, what came, and the misses luck alone would have made."""

    missed: float
    came: float
    luck: float

    def __str__(self) -> str:
        return f"{self.missed / self.came:.3f} (luck {self.luck / self.came:.3f})"


def errors(told: list[ReplayedForecast]) -> Errors:
    """Of forecasts with what came."""
    mean, came = (np.array([getattr(each, name) for each in told]) for name in ("mean", "actual"))
    return Errors(float(np.abs(mean - came).sum()), float(came.sum()), float(luck(mean).sum()))


def luck(mean: np.ndarray) -> np.ndarray:
    """Mean absolute deviation of Poisson counts."""
    whole = np.floor(mean)
    return 2 * (whole + 1) * poisson.pmf(whole + 1, np.maximum(mean, 1e-12))


def line(name: str, origins: list[ReplayedDay]) -> str:
    """One line of the table."""
    known = [each.told["from_known"] for each in origins]
    rules = {rule: errors([each[rule] for each in known]) for rule in known[0] if rule != MODEL}
    best = min(rules, key=lambda rule: rules[rule].missed)
    parts = errors([told for each in origins for told in each.by_source])
    return (
        f"| {name} | {len(origins)} | {errors([each[MODEL] for each in known])} | "
        f"{rules[best].missed / rules[best].came:.3f} ({best}) | {parts} |"
    )


def olist(folder: Path, days: list[date], months: int) -> list[ReplayedDay]:
    """The public records replayed, as they were known at the end of April 2018."""
    with tempfile.TemporaryDirectory() as made:
        crm = Path(made, "crm.yaml")
        crm.write_text(
            f"""format: wide
files:
  leads: {{path: '{folder}/leads_asof_2018-04-30.csv', id: mql_id}}
  deals: {{path: '{folder}/closed_deals_asof_2018-04-30.csv', id: mql_id}}
stages: {{lead: leads.first_contact_date, won: deals.won_date}}
source: leads.origin
""",
            encoding="utf-8",
        )
        export = read_export(crm)
        latest = export.on()
        return [replayed(export.on(day), months, latest) for day in days]


def five_stages(kind: str, first: int, companies: int) -> Iterator[ReplayedDay]:
    """Companies of five stages, at quarter ends three months ahead."""
    seeds = (seed for seed in range(first, first + 50 * companies) if company(seed, kind).rates.shape[2] == STEPS)
    for seed, _ in zip(seeds, range(companies), strict=False):
        made = world(seed, kind)
        latest: History = history(made.truth, made.up_to(date(2026, 12, 31)), date(2026, 12, 31))
        for day in QUARTER_ENDS:
            try:
                yield replayed(history(made.truth, made.up_to(day), day), 3, latest)
            except DataError:
                continue


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--public", type=Path, default=PUBLIC)
    parser.add_argument("--companies", type=int, default=12)
    parser.add_argument("--first", type=int, default=BUILDING, help=f"first seed; {HELD_OUT} and later were held out")
    given = parser.parse_args()
    print("| records | forecasts | revplan | best baseline | revplan by source |")
    print("|---|---|---|---|---|")
    folder = given.public / "olist_asof"
    if folder.exists():
        ends = [date(2018, 1, 31), date(2018, 2, 28), date(2018, 3, 31)]
        print(line("Olist, month ends, a month ahead", olist(folder, ends, 1)))
        weeks = [ends[0] + timedelta(days=7 * week) for week in range(9)]
        print(line("Olist, every week, a month ahead", olist(folder, weeks, 1)))
    else:
        print(f"(no public records in {folder}: that part is left out)")
    for kind in KINDS if given.companies else ():
        print(
            line(f"five stages, {kind}, quarter ends", list(five_stages(kind, given.first, given.companies))),
            flush=True,
        )


if __name__ == "__main__":
    main()
