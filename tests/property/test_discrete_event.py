"""The simulation against SimPy: every lead a process of its own, on the reference jobs with a share of their leads."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("simpy", reason="the audit engine needs SimPy (extra dev)")
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import discrete_event as audit
from reference_job import Job

TRIALS, SHARE = 70, 0.04  # about 3,900 leads and 42 wins a trial; the benchmark follows more of both


@pytest.mark.parametrize(("rho", "lag_cv"), [(0.0, 0.0), (0.3, 0.15)], ids=["RJ-1", "RJ-2"])
def test_mean_and_bands_agree_with_single_leads(rho: float, lag_cv: float) -> None:
    job = audit.scaled(Job(rho, lag_cv), SHARE)
    drawn = np.array(list(audit.years(job, TRIALS, seed=7)))
    apart = {what: off for what, _, _, off in audit.agreement(drawn, audit.bands(job))}
    assert list(apart) == ["mean", "P10", "P50", "P90"]
    assert {what: off for what, off in apart.items() if abs(off) > audit.WITHIN} == {}
