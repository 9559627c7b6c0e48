"""The simulation against its exact law and its peers, in one run: accuracy in percent, speed as ratios.

Run: OPENBLAS_NUM_THREADS=2 python benchmarks/simulate.py [--quick]

Peers: numpy following every lead month by month (same job, same run), and squigglepy's natural model
where that package is installed; SimPy's: `discrete_event.py`. `--quick` leaves the million trials and the sweep out.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from reference_job import CELLS, GOAL, SIGMA, STEPS, VALUE, Job, exact_paths, exact_quantiles, with_rates

from revplan.simulation.curve import CONFIDENCES, commit_curve
from revplan.simulation.draws import DrawStore
from revplan.simulation.outlook import Outlook
from revplan.simulation.simulate import run, simulate, sweep
from revplan.simulation.trials import drivers, outcome, trials_of
from revplan.workbook.workbook import open_workbook

SHARES = (0.1, 0.5, 0.9)
SEEDS = range(1, 11)
ROUNDS = 15


def main() -> None:
    """Prints every figure beside its goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the million trials and the sweep")
    quick = parser.parse_args().quick
    before = peak()
    jobs = {"RJ-1": Job(), "RJ-2": Job(0.3, 0.15)}
    for name, job in jobs.items():
        speed(name, job.outlook(), {"RJ-1": 10.0, "RJ-2": 20.0}[name])
    fan_of_the_example()
    if not quick:
        million(jobs["RJ-1"].outlook(), before)
        many(jobs["RJ-1"].outlook())
    peers(jobs["RJ-1"])
    accuracy("RJ-1", jobs["RJ-1"], 0.1)
    accuracy("RJ-2", jobs["RJ-2"], 0.3)


def say(what: str, value: str, goal: str = "") -> None:
    """One line of the report."""
    print(f"{what:<66} {value:>24}   {goal}", flush=True)


def peak() -> float:
    """Largest memory of this process so far. [MB]"""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def milliseconds(work: Callable[[], Any], rounds: int = ROUNDS) -> tuple[float, float]:
    """The best and the median of several rounds. [ms]"""
    work()
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - begun))
    return min(taken), float(np.median(taken))


def slider(view: Outlook, store: DrawStore) -> Callable[[], Any]:
    """All 60 rates moved and the year simulated again; every call other rates."""
    rng = np.random.default_rng(3)

    def move() -> Any:
        varied = with_rates(view, np.clip(view.rates.mean * rng.uniform(0.9, 1.1), 0.01, 0.99))
        return outcome(trials_of(varied, store), GOAL)

    return move


def speed(name: str, view: Outlook, goal: float) -> None:
    """What a slider costs."""
    store = DrawStore(10_000, drivers(view), 1)
    best, median = milliseconds(slider(view, store))
    say(
        f"{name}: 10,000 trials, all rates moved, 7 bands and 4 figures [ms]",
        f"{best:.1f} / {median:.1f}",
        f"< {goal:g}",
    )
    trials = trials_of(view, store)
    best, median = milliseconds(lambda: commit_curve(trials, GOAL, CONFIDENCES))
    say(f"{name}: the commit curve, 10 confidences, 10,000 trials [ms]", f"{best:.1f} / {median:.1f}", "< 10")


def fan_of_the_example() -> None:
    """All stages and months of the example company, its 12 cells and 41 groups of open records."""
    example = Path(__file__).parents[1] / "data" / "example" / "plan.yaml"
    year = open_workbook(example).year
    best, median = milliseconds(lambda: simulate(year, 100).fan)
    found = simulate(year)

    def draw() -> Any:
        found.__dict__.pop("fan", None)
        return found.fan

    best, median = milliseconds(draw)
    say("example company: fan of 6 stages x 12 months and ARR [ms]", f"{best:.1f} / {median:.1f}", "< 50")
    best, median = milliseconds(lambda: simulate(year))
    say("example company: bands and commit curve, plan to result [ms]", f"{best:.1f} / {median:.1f}")


def million(view: Outlook, before: float) -> None:
    """A million trials: time, and memory beyond what is there before any simulation."""
    begun, work = time.perf_counter(), time.process_time()
    found, _ = run(view, DrawStore(1_000_000, drivers(view), 1), CONFIDENCES)
    taken, worked = time.perf_counter() - begun, time.process_time() - work
    say("RJ-1: 1,000,000 trials with bands and curve [s, s of CPU]", f"{taken:.2f} / {worked:.2f}", "< 3")
    say("RJ-1: memory beyond the import, at most [MB]", f"{peak() - before:.0f}", "< 100")
    errors = [100 * each.standard_error / each.value for each in (found.p10, found.p50, found.p90)]
    say("RJ-1: standard errors of P10, P50, P90 there [%]", " ".join(f"{each:.4f}" for each in errors))


def many(view: Outlook) -> None:
    """A thousand scenarios of ten thousand trials, in threads."""
    rng = np.random.default_rng(5)
    views = [
        with_rates(view, np.clip(view.rates.mean * rng.uniform(0.8, 1.2, CELLS * STEPS), 0.01, 0.99))
        for _ in range(1000)
    ]
    begun, work = time.perf_counter(), time.process_time()
    sweep(views, 10_000)
    taken, worked = time.perf_counter() - begun, time.process_time() - work
    say("RJ-1: 1,000 scenarios x 10,000 trials in threads [s, s of CPU]", f"{taken:.1f} / {worked:.1f}", "< 8")


def peers(job: Job) -> None:
    """Trials a second of the peers over ours, interleaved."""
    view = job.outlook()
    store = DrawStore(10_000, drivers(view), 1)
    ours, paths = [], []
    for seed in range(5):
        ours.append(milliseconds(slider(view, store), 3)[0] / 10_000)
        begun = time.perf_counter()
        exact_paths(job, 500, seed)
        paths.append(1000 * (time.perf_counter() - begun) / 500)
    say("numpy, every lead followed: trials a second", f"{1000 / min(paths):,.0f}")
    say("this simulation: trials a second (10,000 re-simulated)", f"{1000 / min(ours):,.0f}")
    say("ratio to numpy paths", f"{min(paths) / min(ours):,.0f} x", ">= 400")
    agreement("numpy paths", exact_paths(job, 4000, 9), view)
    natural = squigglepy_trials(job)
    if natural:
        say("ratio to squigglepy's natural model", f"{natural[0] / min(ours):,.0f} x", ">= 1,000")
        agreement("squigglepy", natural[1], view)


def agreement(name: str, drawn: np.ndarray, view: Outlook) -> None:
    """Share of a peer's trials below our P10, P50, P90, in standard errors of that share from 10, 50, 90 %."""
    found, _ = run(view, DrawStore(8192, drivers(view), 1), (0.8,))
    bands = (found.p10, found.p50, found.p90)
    off = [
        ((drawn < band.value).mean() - share) / np.sqrt(share * (1 - share) / len(drawn))
        for band, share in zip(bands, SHARES, strict=True)
    ]
    off.append((drawn.mean() - found.mean.value) / (drawn.std() / np.sqrt(len(drawn))))
    text = " ".join(f"{each:+.1f}" for each in off)
    say(f"{name}, {len(drawn)} trials: P10, P50, P90, mean [standard errors off]", text, "within 3")


def squigglepy_trials(job: Job, trials: int = 400) -> tuple[float, np.ndarray] | None:
    """Milliseconds a trial, and the trials, of the model as one writes it in squigglepy; None without it."""
    try:
        import squigglepy as sq
    except ImportError:
        say("squigglepy", "not installed")
        return None
    landing = job.landing(1.0)
    beta = [
        [sq.beta(r * n, (1 - r) * n) for r, n in zip(*pair, strict=True)]
        for pair in zip(job.rate, job.evidence, strict=True)
    ]
    rng = np.random.default_rng(1)

    def model() -> float:
        total = 0.0
        for cell in range(CELLS):
            mean = landing[cell]
            for step in range(STEPS):
                mean *= sq.sample(beta[cell][step])
            wins = int(rng.poisson(mean))
            mu = np.log(VALUE[cell]) - SIGMA[cell] ** 2 / 2
            deal = sq.lognorm(norm_mean=mu, norm_sd=SIGMA[cell])
            total += float(np.sum(sq.sample(deal, n=wins))) if wins else 0.0
        return total

    begun = time.perf_counter()
    drawn = np.asarray(sq.sample(model, n=trials))
    return 1000 * (time.perf_counter() - begun) / trials, drawn


def accuracy(name: str, job: Job, goal: float) -> None:
    """P10, P50, P90 of 8,192 points against the characteristic function, for ten seeds."""
    begun = time.perf_counter()
    exact = exact_quantiles(job, SHARES)
    say(
        f"{name}: exact P10, P50, P90 [M]",
        " ".join(f"{each / 1e6:.3f}" for each in exact),
        f"{time.perf_counter() - begun:.0f} s",
    )
    view = job.outlook()
    off = []
    for seed in SEEDS:
        found, _ = run(view, DrawStore(8192, drivers(view), seed), (0.8,))
        off.append(100 * (np.array([found.p10.value, found.p50.value, found.p90.value]) / exact - 1))
    rms, worst = np.sqrt(np.mean(np.square(off), axis=0)), np.abs(off).max(axis=0)
    say(f"{name}: error of 8,192 points, root mean square of 10 seeds [%]", " ".join(f"{each:.3f}" for each in rms))
    say(f"{name}: the same, worst of 10 seeds [%]", " ".join(f"{each:.3f}" for each in worst), f"< {goal:g}")


if __name__ == "__main__":
    main()
