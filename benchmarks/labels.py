"""How often each label is wrong: `python benchmarks/labels.py [--worlds 10] [--first SEED]`.

Companies are those of benchmarks/companies.py. A label is held against worlds in which it should be said and worlds in
which it should not: caught is the share of the former where it is, false alarm the share of the latter. The aim is 80 %
and 10 %. What should be said is known from the truth of the company, not from its records:

    not settled         5 % of a step's conversions or more come later than any age watched; not to be said where under
                        1 % do and nine in ten come within half of the ages watched
    changed over time   the odds of the last rate grow or fall by 65 % a year, where the step has 100 conversions or
                        more, among which a perfect test would see it three times in four; else no rate moves
    recorded only from  outcomes of the first eight months are missing
    wins bunch          deals close four times as fast in the last days of a quarter, or are dated at month ends
    bulk load           3,000 records came in within two days
    silence             no record of the last 30 days is in the export, though others went on
    a better baseline   a team closes a fixed number of deals, so that the last quarter says the next; the forecast that
                        follows the pipeline is right in the others
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator
from datetime import date

import numpy as np
from companies import BUILDING, KINDS, World, history, world
from scipy.special import ndtr

from revplan.crm.records import NO_LONGER
from revplan.ground.errors import DataError
from revplan.rates.backtest import judged, proportion_interval, replayed
from revplan.rates.estimates import estimate_transitions, estimate_warnings

Said = tuple[str, bool, bool]  # label, whether it should be said, whether it was
DAYS = (date(2026, 3, 31), date(2026, 7, 31))
YOUNG = (date(2024, 8, 31), date(2024, 12, 31))
PERFECT = 100  # conversions among which a perfect test sees a rate move
REPLAYED = tuple(date(2025, month, 28) for month in (3, 6, 9, 12)) + tuple(date(2026, month, 28) for month in (3, 6, 9))
UNMOVED = ("steady", "sparse", "heavy tails", "recorded late", "dates missing", "reopened", "bulk load")
LAST = date(2026, 12, 31)
KEPT = (
    ("recorded only from", ("recorded only from", "recorded before"), ("recorded late",)),
    ("wins bunch", ("Wins bunch",), ("closing bursts", "month-end dates")),
    ("bulk load", ("Bulk load",), ("bulk load",)),
)  # label, words it is said with, and the worlds in which it should be
FALSE, CAUGHT = 0.10, 0.80  # aimed at


def unseen(made: World, step: int, watched: float) -> tuple[float, float]:
    """Share of a step's conversions later than `watched` days, and than half of them, by the truth."""
    truth = made.truth
    reach = np.array([[truth.rates[i, j, truth.enters[j] : step].prod() for j in range(3)] for i in range(3)])
    weight = (truth.per_day * reach * truth.rates[:, :, step] * (truth.enters <= step)).sum(axis=1)
    late = [
        1 - ndtr((np.log(days) - truth.location[:, step]) / truth.scale[:, step]) @ weight / weight.sum()
        for days in (watched, watched / 2)
    ]
    return float(late[0]), float(late[1])


def labels_of(made: World, day: date, young: bool) -> Iterator[Said]:
    """The labels of one day."""
    kind, truth = made.truth.kind, made.truth
    then = history(truth, made.up_to(day), day)
    try:
        estimates = estimate_transitions(then, day)
    except DataError:
        return
    warned = estimate_warnings(then, estimates)
    every = estimates[(estimates["segment"] == "all") & (estimates["source"] == "all")]
    if kind in ("steady", "heavy tails"):
        for row in every.to_dict("records"):
            later, second_half = unseen(made, truth.stages.index(row["from_stage"]), row["watched_days"])
            if later >= 0.05 or (later < 0.01 and second_half < 0.1):
                yield "not settled", later >= 0.05, not row["mature"]
    if young:
        return
    if kind in ("drift", *UNMOVED):
        last = every[every["to_stage"] == "won"]
        if kind != "drift" or (last["conversions"] >= PERFECT).all():
            yield "changed over time", kind == "drift", any("changed over time" in line for line in warned)
    yield from records_labels(kind, warned)


def records_labels(kind: str, warned: tuple[str, ...]) -> Iterator[Said]:
    """Labels of how records were kept."""
    yield "silence", kind == "export ends", any(line.lower().startswith(NO_LONGER) for line in warned)
    if kind in ("export ends", "full hands"):
        return
    for label, words, kinds in KEPT:
        yield label, kind in kinds, any(word in line for line in warned for word in words)


def verdicts(made: World) -> Iterator[Said]:
    """Whether replays name a better baseline."""
    latest = history(made.truth, made.up_to(LAST), LAST)
    origins = []
    for day in REPLAYED:
        try:
            origins.append(replayed(history(made.truth, made.up_to(day), day), 3, latest))
        except DataError:
            continue
    if len(origins) == len(REPLAYED):
        yield (
            "a better baseline",
            made.truth.kind == "full hands",
            "with_arrivals" in judged(tuple(origins), 3, latest).better,
        )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--worlds", type=int, default=10)
    parser.add_argument("--first", type=int, default=BUILDING)
    parser.add_argument("--kinds", nargs="*", default=[kind for kind in KINDS if kind != "channels move"])
    parser.add_argument("--no-verdicts", action="store_true")
    given = parser.parse_args()
    counts: dict[tuple[str, bool], list[tuple[str, bool]]] = defaultdict(list)
    for kind in given.kinds:
        for seed in range(given.first, given.first + given.worlds):
            made = world(seed, kind)
            found = [each for day in DAYS for each in labels_of(made, day, young=False)]
            if kind in ("steady", "heavy tails"):
                found += [each for day in YOUNG for each in labels_of(made, day, young=True)]
            if kind in ("steady", "sparse", "full hands") and not given.no_verdicts:
                found += list(verdicts(made))
            for label, should, said in found:
                counts[label, should].append((kind, said))
    print("| label | said where it should be | said where it should not | worst world |")
    print("|---|---|---|---|")
    for label in dict.fromkeys(label for label, _ in counts):
        caught, false = (counts.get((label, should), []) for should in (True, False))
        kinds = {kind: [said for each, said in false if each == kind] for kind, _ in false}
        worst = max(kinds, key=lambda kind: float(np.mean(kinds[kind])), default="")
        named = f"{worst} {np.mean(kinds[worst]):.0%}" if worst else ""
        print(f"| {label} | {_share(caught)} | {_share(false)} | {named} |")


def _share(found: list[tuple[str, bool]]) -> str:
    if not found:
        return "-"
    said = sum(each for _, each in found)
    low, high = proportion_interval(said, len(found))
    return f"{said / len(found):.0%} of {len(found)} ({low:.0%} to {high:.0%})"


if __name__ == "__main__":
    main()
