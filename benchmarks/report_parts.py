"""A report by its parts: where its seconds go, and what one kernel for all formats and reports beside each other save.

Run: python benchmarks/report_parts.py [--runs 3]

Medians of wall and processor seconds, kernels and other processes of a part included; the last column is the share of
the whole command, which is `revplan report board_report` in all four formats. Then the same by other ways: a run of its
own for every format, and two reports one after the other against both at once.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from nbformat.v4 import new_code_cell, new_notebook

from revplan.ground.terminal import grid
from revplan.ground.written import written_together
from revplan.run.render import FORMATS, Request, prepared, printing, render, render_all, run
from revplan.run.running import CellProgress, executed
from revplan.tracking.book import open_before, open_board

EXAMPLE = Path(__file__).parents[1] / "data" / "example"
TABLES = (
    "attainment_money",
    "attainment",
    "variance",
    "three_numbers",
    "coverage",
    "landing",
    "what_if",
    "arr_bridge",
    "notes",
)
Cost = tuple[float, float]


def asked(name: str, formats: tuple[str, ...] = FORMATS) -> Request:
    """A report of the example company."""
    plan = "plan_fy26.yaml" if name == "board_report" else "plan.yaml"
    return Request(name=name, plan_path=EXAMPLE / plan, formats=formats)


def processor_seconds() -> float:
    """Spent by this process and by those it started that have ended. [seconds]"""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def cost(work: Callable[[], object], runs: int) -> Cost:
    """Median wall and processor seconds of `work`. [seconds]"""
    found = []
    for _ in range(runs):
        begun = time.perf_counter(), processor_seconds()
        work()
        found.append((time.perf_counter() - begun[0], processor_seconds() - begun[1]))
    wall, used = zip(*found, strict=True)
    return statistics.median(wall), statistics.median(used)


def python(*words: str) -> None:
    """A Python of its own, as a command starts one."""
    subprocess.run([sys.executable, *words], check=True, capture_output=True)


def command(out: Path, *formats: str) -> None:
    """`revplan report board_report` in `formats`."""
    plan = str(EXAMPLE / "plan_fy26.yaml")
    python("-m", "revplan", "report", "board_report", plan, "--formats", ",".join(formats), "--out", str(out))


def model() -> None:
    """Every table behind the board pack, from its files on: what the notebook's cells ask for, without drawing it."""
    book = open_board(EXAMPLE / "plan_fy26.yaml")
    for each in (book, open_before(book)):
        for name in TABLES if each else ():
            getattr(each, name)


def parts(out: Path, runs: int) -> dict[str, Cost]:
    """What each part of the command costs."""
    request = asked("board_report")
    ready = prepared(request)
    notebook = run(ready)
    empty = new_notebook(cells=[new_code_cell("pass")])
    made = {kind: printing(kind, notebook, request) for kind in FORMATS}
    printings = {
        f"printed: {kind}, {len(made[kind]) // 1000} kB": cost(
            lambda kind=kind: printing(kind, notebook, request), runs
        )
        for kind in FORMATS
    }
    return {
        "Python started, commands imported": cost(lambda: python("-c", "import revplan.cli"), runs),
        "tables behind the pack, in one process": cost(model, runs),
        "papermill imported": cost(lambda: python("-c", "import papermill"), runs),
        "checked: plan, notebook, settings": cost(lambda: prepared(request), runs),
        "kernel and papermill, one empty cell": cost(lambda: executed(empty, {}, CellProgress("empty", 1, None)), runs),
        "kernel and papermill, all cells": cost(lambda: run(ready), runs),
        **printings,
        "written together": cost(lambda: written_together(out, "pack", made), runs),
        "the whole command": cost(lambda: command(out, *FORMATS), runs),
    }


def other_ways(out: Path, runs: int) -> dict[str, Cost]:
    """The same by other ways."""
    both = [asked("board_report", ("html",)), asked("annual_commit", ("html",))]
    return {
        "four formats, a run each": cost(lambda: [command(out, kind) for kind in FORMATS], runs),
        "two reports, one after the other": cost(lambda: [render(each, out) for each in both], runs),
        "two reports at once": cost(lambda: render_all(both, out), runs),
    }


def printed_table(found: dict[str, Cost], whole: Cost) -> str:
    """The costs with their ratio to the whole command."""
    rows = [(name, f"{wall:.2f}", f"{used:.2f}", f"{wall / whole[0]:.2f}") for name, (wall, used) in found.items()]
    heads = ("part", "wall s", "processor s", "of the whole")
    columns = zip(heads, map(list, zip(*rows, strict=True)), strict=True)
    return grid([(head, cells, head != "part") for head, cells in columns])


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="how often each part is done")
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory(prefix="revplan-") as place:
        found = parts(Path(place), runs)
        whole = found["the whole command"]
        print(printed_table(found, whole), flush=True)
        print("\n" + printed_table(other_ways(Path(place), runs), whole))


if __name__ == "__main__":
    main()
