"""From a key on a slider to what is seen: the simulator of the example company in a real browser, through both doors.

Run: python benchmarks/app_latency.py [--presses 40]
     python benchmarks/app_latency.py --picture reports/sample/app.png     # takes the README's picture instead

Needs Chromium (`REVPLAN_CHROMIUM` or on the path), playwright and voila. In the page itself, the milliseconds are
taken from `keydown` until the headline, the fan chart, and the last chart were changed; presses are 200 ms apart
once the last picture has come to rest. Prints median and 95th percentile for `revplan app` and for JupyterLab, what
a picture costs in the kernel alone, and how long a page takes to come.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from revplan.ground.terminal import grid
from revplan.run.workspace import example_company, new_workspace

SLIDER = "SQO to Won (%)"
WATCHED = """
() => {
  const places = {number: '.rp-headline', fan: '.rp-charts > :first-child', last: '.rp-charts > :last-child'};
  window.seen = [];
  for (const [name, place] of Object.entries(places)) {
    const node = document.querySelector(place);
    new MutationObserver(() => window.seen.at(-1) && (window.seen.at(-1)[name] = performance.now()))
      .observe(name === 'number' ? node.closest('.widget-html') : node, {childList: true, subtree: true, characterData: true});
  }
  document.addEventListener('keydown', () => window.seen.push({pressed: performance.now()}), true);
}
"""


PAINTED = """
() => {
  const look = () => {
    if (window.told || !document.querySelector('.rp-headline')?.offsetParent) return;
    window.told = true;
    requestAnimationFrame(() => requestAnimationFrame(() => window.painted(Date.now() / 1000)));
  };
  new MutationObserver(look).observe(document, {childList: true, subtree: true});
}
"""
"""Tells when a headline was first painted, in the page that opens the simulator too, which is left as soon as it is shown."""


@contextmanager
def app(folder: Path) -> Iterator[str]:
    """The address of `revplan app`."""
    command = [sys.executable, "-m", "revplan", "app", str(folder / "plan.yaml"), "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield re.search(r"http\S+", process.stdout.readline())[0]  # type: ignore[index,union-attr]
        finally:
            process.terminate()


@contextmanager
def lab(folder: Path) -> Iterator[str]:
    """The address of the workspace's notebook in JupyterLab."""
    token = secrets.token_urlsafe(24)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder / 'notebooks'}"]
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as process:
        try:
            while socket.socket().connect_ex(("127.0.0.1", port)):
                time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/lab/tree/scenarios.ipynb?token={token}"
        finally:
            process.terminate()


def run_all(page: Any) -> None:
    """Runs the notebook that is open in JupyterLab."""
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.get_by_text("| Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()


def pressed(page: Any, presses: int) -> dict[str, np.ndarray]:
    """Milliseconds from each press to each change, by what changed."""
    page.locator(".rp-charts svg").first.wait_for(state="attached")
    page.locator(".rp-charts").scroll_into_view_if_needed()
    page.wait_for_timeout(5000)
    page.evaluate(WATCHED)
    handle = page.locator(".rp-row", has_text=SLIDER).locator(".noUi-handle")
    for number in range(presses):
        handle.press("ArrowRight" if number < presses / 2 else "ArrowLeft")
        page.wait_for_function("() => window.seen.at(-1).last")
        page.wait_for_timeout(200)
    seen = page.evaluate("window.seen")
    return {name: np.array([each[name] - each["pressed"] for each in seen]) for name in ("number", "fan", "last")}


def kernel_alone(folder: Path, presses: int) -> np.ndarray:
    """Milliseconds the kernel works for one step of the same slider, without a browser."""
    from revplan.app.game import open_game
    from revplan.app.panel import Panel

    panel = Panel(open_game(folder / "plan.yaml"))
    slider = next(row.slider for row in panel.controls.rows if SLIDER in row.lever.label)
    took = []
    for _ in range(presses):
        begun = time.perf_counter()
        slider.value += slider.step
        took.append(1000 * (time.perf_counter() - begun))
    return np.array(took)


def started(browser: Any, folder: Path) -> tuple[float, float]:
    """Seconds from the command until the plan's health is painted, and until its sliders can be moved."""
    context, painted = browser.new_context(), []
    context.expose_binding("painted", lambda _, at: painted.append(at))
    context.add_init_script(f"({PAINTED})()")
    begun = time.time()
    with app(folder) as url:
        page = context.new_page()
        page.goto(url, wait_until="commit")
        page.locator(".rp-charts svg").first.wait_for()
        return painted[0] - begun, time.time() - begun


def arrival(browser: Any, url: str) -> float:
    """Seconds until a page can be played with, once the server has had time to work the plan out."""
    time.sleep(15)
    page = browser.new_context().new_page()
    begun = time.perf_counter()
    page.goto(url)
    page.locator(".rp-charts svg").first.wait_for()
    return time.perf_counter() - begun


@contextmanager
def chromium() -> Iterator[tuple[Any, Path]]:
    """A headless browser, and a workspace of the example company."""
    from playwright.sync_api import sync_playwright

    named = [os.environ.get("REVPLAN_CHROMIUM"), *map(shutil.which, ("chromium", "google-chrome", "msedge"))]
    path = next(filter(None, named))
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        folder = Path(scratch, "workspace")
        new_workspace(folder, example_company)
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser, folder
        browser.close()


def picture(file: Path) -> None:
    """Takes the simulator's picture on a laptop, a slider moved."""
    with chromium() as (browser, folder), app(folder) as url:
        page = browser.new_page(viewport={"width": 1280, "height": 960})
        page.goto(url)
        page.locator(".rp-charts svg").first.wait_for()
        for _ in range(15):
            page.locator(".rp-row", has_text=SLIDER).locator(".noUi-handle").press("ArrowLeft")
        page.wait_for_timeout(3000)
        page.screenshot(path=file)


def measured(presses: int) -> str:
    """The table of all doors, and the lines below it."""
    rows = []
    with chromium() as (browser, folder):
        health, sliders = started(browser, folder)
        with app(folder) as url:
            came = arrival(browser, url)
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(url)
            rows += [_row("revplan app", name, took) for name, took in pressed(page, presses).items()]
        with lab(folder) as url:
            page = browser.new_page(viewport={"width": 1280, "height": 800})
            page.goto(url)
            run_all(page)
            rows += [_row("JupyterLab", name, took) for name, took in pressed(page, presses).items()]
        rows.append(_row("kernel alone", "all", kernel_alone(folder, presses)))
    heads = ("door", "what changed", "median ms", "95th ms", "presses")
    columns = zip(heads, map(list, zip(*rows, strict=True)), strict=True)
    table = grid([(head, cells, head not in heads[:2]) for head, cells in columns])
    starts = f"from the command to the plan's health {health:.1f} s, to its sliders {sliders:.1f} s"
    return f"{table}\n{starts}; a page of a running server comes in {came:.1f} s"


def _row(door: str, name: str, took: np.ndarray) -> tuple[str, ...]:
    shown = {"number": "headline", "fan": "fan chart", "last": "last chart", "all": "everything"}[name]
    return door, shown, f"{np.median(took):.0f}", f"{np.quantile(took, 0.95):.0f}", str(len(took))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--presses", type=int, default=40)
    parser.add_argument("--picture", type=Path)
    given = parser.parse_args()
    picture(given.picture) if given.picture else print(measured(given.presses))
