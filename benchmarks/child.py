"""A contender in a process of its own: what it took, and what it said."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Collection, Mapping
from pathlib import Path


def run(
    folder: Path, limits: Mapping[str, str], *words: str, expected: Collection[int] = (0,)
) -> tuple[float, float, float, bytes]:
    """Wall and processor seconds and peak memory [GB] of a Python of its own under `limits`, and what it printed.

    It must end with one of the `expected` exit codes.
    """
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with subprocess.Popen(
        [sys.executable, *words], cwd=folder, stdout=subprocess.PIPE, env={**os.environ, **limits}
    ) as child:
        said = child.stdout.read() if child.stdout else b""
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode not in expected:
        raise SystemExit(f"{' '.join(words)[:60]} ended with {child.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return time.perf_counter() - begun, spent, used.ru_maxrss / 1e6, said
