"""A headless Chromium, and the served simulator, for all tests from end to end."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from revplan.run.notebooks import new_workspace


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """A headless Chromium. Skipped with a reason where there is none, except in CI, where it fails."""
    named = [os.environ.get("REVPLAN_CHROMIUM"), *map(shutil.which, ("chromium", "google-chrome", "msedge"))]
    path = next(filter(None, named), None)
    missing = "no Chromium found; set REVPLAN_CHROMIUM" if path is None else ""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing = "playwright is not installed: the extra `browser`"
    if missing and not os.environ.get("CI"):
        pytest.skip(missing)
    assert not missing, missing
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=flags)
        yield chromium
        chromium.close()


@dataclass(frozen=True)
class Served:
    """A running `revplan app`."""

    process: subprocess.Popen[str]
    url: str
    plan: Path

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(re.search(r":(\d+)/", self.url)[1])

    @property
    def token(self) -> str:
        """What opens it."""
        return self.url.partition("token=")[2]


PLAN = """\
name: Small
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal: {new_arr: 1_000_000}
stages: [{id: lead}, {id: sql}, {id: won}]
segments: {smb: {share: 0.5, acv: 10_000}, mid: {share: 0.5, acv: 20_000}}
sources: {web: {cost_per_entry: 85}}
transitions:
  - {from: lead, to: sql, rate: 0.4, evidence: 400, lag: {months: 1}}
  - {from: sql, to: won, rate: 0.25, evidence: 160, lag: {median_days: 60, p90_days: 150}}
"""


@contextmanager
def running_app(plan: Path) -> Iterator[Served]:
    """`revplan app` of `plan` until the block ends."""
    command = [sys.executable, "-m", "revplan", "app", str(plan), "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        said = process.stdout.readline()
        assert "token=" in said, process.stderr.read()
        yield Served(process, re.search(r"http\S+", said)[0], plan)
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="session")
def start_app() -> Callable[[Path], AbstractContextManager[Served]]:
    """Starts `revplan app` of a plan, and stops it."""
    pytest.importorskip("voila", reason="voila is not installed: the extra `app`")
    return running_app


@pytest.fixture
def small_plan(tmp_path: Path) -> Path:
    """A plan of two segments and one source, in a folder of its own."""
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    return tmp_path / "plan.yaml"


@pytest.fixture(scope="session")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `revplan init` makes."""
    folder = tmp_path_factory.mktemp("app") / "workspace"
    new_workspace(folder)
    return folder


@pytest.fixture(scope="session")
def app(workspace: Path, start_app: Callable[[Path], AbstractContextManager[Served]]) -> Iterator[Served]:
    """The simulator of the example company, served."""
    with start_app(workspace / "plan.yaml") as served:
        yield served
