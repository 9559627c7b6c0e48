"""Notebooks and tests that compute, as other processors would run them: `python run.py processors`.

A processor decides which kernels OpenBLAS takes and which loops numpy does, and those differ in the last digits of a
float. Both libraries let the environment choose an older processor than the one they run on, so one machine stands for
all of them. What this one cannot stand for is skipped, and named.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDS = {"Nehalem": "X86_V2", "Haswell": "X86_V3", "SkylakeX": "X86_V4", "Zen": "X86_V3"}
"""The kernels of OpenBLAS, and the instructions, as numpy names them, that each is made of."""
WITHOUT = ("", "X86_V4 AVX512_ICL", "X86_V3 X86_V4 AVX512_ICL")
"""The instructions that numpy is told to do without."""

PYTEST = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-n", "auto", "--maxprocesses", "4"]
PYTEST += ["--dist", "loadfile", "--no-loadscope-reorder", "-p", "no:cacheprovider"]
EVERYTHING = ["tests/unit", "tests/property", "tests/golden", "notebooks"]
SUBJECTS = (
    "board",
    "bridge",
    "history_[bdfr]",
    "lag",
    "model",
    "pace",
    "attainment",
    "realism",
    "record",
    "simulate",
    "tracking",
    "what_if",
)


@dataclass(frozen=True)
class Processor:
    """A processor that is stood for."""

    kernels: str
    without: str

    def __str__(self) -> str:
        return (
            f"OpenBLAS as on {self.kernels}, numpy {f'without {self.without}' if self.without else 'with all it has'}"
        )

    @property
    def environment(self) -> dict[str, str]:
        """What makes the libraries behave so; numpy warns of an empty list."""
        others = {name: value for name, value in os.environ.items() if name != "NPY_DISABLE_CPU_FEATURES"}
        disabled = {"NPY_DISABLE_CPU_FEATURES": self.without} if self.without else {}
        return {**others, "OPENBLAS_CORETYPE": self.kernels, **disabled}

    def lacking(self, features: Iterable[str]) -> str:
        """Why a machine with these `features` cannot stand for it; empty if it can."""
        absent = {NEEDS[self.kernels], *self.without.split()} - set(features)
        return f"this machine has no {' and no '.join(sorted(absent))}" if absent else ""


ALL = [Processor(kernels, without) for kernels in NEEDS for without in WITHOUT]


def most_different(features: Iterable[str]) -> list[Processor]:
    """The oldest and the newest of those a machine with these `features` can stand for."""
    possible = [each for each in ALL if not each.lacking(features)]
    ages = list(NEEDS.values())
    newest = max(possible, key=lambda each: (NEEDS[each.kernels], -len(each.without)), default=None)
    oldest = max(possible, key=lambda each: (-ages.index(NEEDS[each.kernels]), len(each.without)), default=None)
    return list(dict.fromkeys(filter(None, [oldest, newest])))


def float_heavy() -> list[str]:
    """The notebooks and the tests whose results are computed rather than read or written."""
    unit = sorted({path for each in SUBJECTS for path in (ROOT / "tests/unit").glob(f"test_{each}*.py")})
    return ["notebooks", "tests/golden", "tests/property", *(str(path.relative_to(ROOT)) for path in unit)]


def features_here() -> list[str]:
    """The instructions numpy finds on this machine."""
    from numpy._core._multiarray_umath import __cpu_features__ as found

    return [name for name, has in found.items() if has]


def main(arguments: Sequence[str]) -> int:
    """Runs pytest once a processor; `--two` takes the two most different ones, and the tests that are mostly floats."""
    two, extra = "--two" in arguments, [word for word in arguments if word != "--two"]
    features = features_here()
    chosen, paths = (most_different(features), float_heavy()) if two else (ALL, EVERYTHING)
    if any((ROOT / word.split("::")[0]).exists() for word in extra if not word.startswith("-")):
        paths = []
    told, worst = [], 0
    for processor in chosen:
        print(f"\n== {processor}", flush=True)
        reason, started = processor.lacking(features), time.monotonic()
        code = (
            0 if reason else subprocess.run([*PYTEST, *paths, *extra], cwd=ROOT, env=processor.environment).returncode
        )
        took = f"in {time.monotonic() - started:.0f} s"
        told.append(
            f"{processor}: {f'skipped, {reason}' if reason else f'passed {took}' if code == 0 else f'FAILED {took}'}"
        )
        worst = worst or code
    print("\n" + "\n".join(told or ["No processor that this machine can stand for: its kernels are not those of x86."]))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
