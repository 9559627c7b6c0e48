"""What tests share, made once a session: programs and places, the served simulator, the books of the example company."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from revplan.run.workspace import example_company, new_workspace
from revplan.tracking.book import BoardBook, open_board

FY26 = Path(__file__).parents[1] / "data" / "example" / "plan_fy26.yaml"


# --- programs and places -----------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def office() -> str:
    """LibreOffice on this machine. Skipped with a reason where there is none, except in CI, where it fails."""
    path = os.environ.get("REVPLAN_SOFFICE") or shutil.which("soffice") or shutil.which("libreoffice")
    if path is None and not os.environ.get("CI"):
        pytest.skip("no LibreOffice found; set REVPLAN_SOFFICE")
    assert path, "no LibreOffice found; set REVPLAN_SOFFICE"
    return path


@pytest.fixture
def own_signatures(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Jupyter's book of signatures in a folder of the test's own."""
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path_factory.mktemp("jupyter")))


@pytest.fixture(scope="session")
def golden() -> dict[str, dict[str, Any]]:
    """The published examples beside this project, by their ids."""
    path = Path(__file__).parents[2] / "shared" / "golden" / "golden.json"
    if not path.exists():
        pytest.skip("the folder with the published examples is not here")
    return {case["id"]: case for case in json.loads(path.read_text(encoding="utf-8"))}


# --- the simulator -----------------------------------------------------------------------------------------------


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
    new_workspace(folder, example_company)
    return folder


@pytest.fixture(scope="session")
def app(workspace: Path, start_app: Callable[[Path], AbstractContextManager[Served]]) -> Iterator[Served]:
    """The simulator of the example company, served."""
    with start_app(workspace / "plan.yaml") as served:
        yield served


# --- books of the example company --------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def opened() -> Callable[..., BoardBook]:
    """Opens the year as `open_board` does; what was opened before is the same book, its tables made already."""
    return cache(partial(open_board, FY26))


@pytest.fixture(scope="session")
def year_to_come() -> BoardBook:
    """The example company's year that has not begun."""
    return open_board(FY26.with_name("plan.yaml"))


@pytest.fixture(scope="session")
def q3(opened: Callable[..., BoardBook]) -> BoardBook:
    """The year at the end of its third quarter."""
    return opened("2026-Q3")


# --- companies that are hard to print ----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], object]:
    """Runs a report of a hard company; what was run before is not run again."""
    from hard_companies import COMPANIES, plan_of, report_of

    @cache
    def run(name: str, report: str) -> object:
        folder = tmp_path_factory.mktemp("company") / "plans"
        folder.mkdir()
        return report_of(plan_of(COMPANIES[name], folder), report)

    return run
