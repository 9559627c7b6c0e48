"""Folders for a while: those of runs beside each other are left alone."""

from __future__ import annotations

import subprocess
import sys

WORK = """
from revplan.ground.files import scratch_folder
for _ in range(150):
    with scratch_folder("revplan-beside-") as folder:
        (folder / "x").write_text("1")
"""


def test_runs_that_start_beside_each_other_sweep_nothing_of_each_other() -> None:
    runs = [subprocess.Popen([sys.executable, "-c", WORK], stderr=subprocess.PIPE, text=True) for _ in range(4)]
    told = [run.communicate()[1] for run in runs]
    assert [run.returncode for run in runs] == [0] * 4, told
