"""The simulator played with in a real browser, through both doors: served by `revplan app`, and in JupyterLab."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import unquote

import pytest
from ruamel.yaml import YAML
from test_app_server import visits_of, wait_until

pytestmark = pytest.mark.browser

WIN_RATE = "SQO to Won (%)"
HEADLINE, CHARTS = ".rp-headline", ".rp-charts"
PATIENCE = 60_000  # milliseconds for anything to appear; much less is needed unless the machine is busy
REST = 600  # milliseconds without a change after which an answer is taken for complete
SHOWN = "() => [...document.querySelectorAll('.rp-headline, .rp-tiles, .rp-charts, .rp-scroll')].map(e => e.innerHTML).join()"
GLANCE = 60  # milliseconds between two looks
AT_REST = f"""rest => new Promise(told => {{
  const shown = {SHOWN};
  let before = shown(), since = performance.now();
  const looks = setInterval(() => {{
    const now = shown();
    if (now !== before) [before, since] = [now, performance.now()];
    if (performance.now() - since >= rest) {{ clearInterval(looks); told(before); }}
  }}, {GLANCE});
}})"""  # looked for in the page: what is drawn is large, and sent once


@pytest.fixture(scope="module")
def visit(browser: Any, app: Any) -> Iterator[Callable[[str], Any]]:
    """Opens a served simulator as a new visitor; nothing but this machine can be reached."""
    visitors = []

    def come(url: str) -> Any:
        visitors.append(browser.new_context(viewport={"width": 1280, "height": 800}))
        visitors[-1].set_default_timeout(PATIENCE)
        page = visitors[-1].new_page()
        page.outside = []

        def refuse(route: Any) -> None:
            page.outside.append(route.request.url)
            route.abort()

        visitors[-1].route(re.compile(r"^(?!http://127\.0\.0\.1:|data:|blob:)"), refuse)
        page.goto(url)
        return ready(page)

    yield come
    for visitor in visitors:
        visitor.close()


@pytest.fixture(scope="module")
def visitor(visit: Callable[[str], Any], app: Any) -> Any:
    """One visitor of the served simulator."""
    return visit(app.url)


@pytest.fixture
def page(visitor: Any) -> Any:
    """The visitor's page, with every slider where the plan has it."""
    visitor.set_viewport_size({"width": 1280, "height": 800})
    visitor.get_by_role("button", name="Reset").click()
    shown(visitor)
    return visitor


def ready(page: Any) -> Any:
    """The page once everything is drawn."""
    page.locator(f"{CHARTS} svg").first.wait_for(state="attached")
    page.locator(CHARTS).scroll_into_view_if_needed()
    shown(page)
    return page


def row(page: Any, label: str) -> Any:
    """The slider, field and note of one lever."""
    return page.locator(".rp-row", has_text=label)


def press(page: Any, label: str, *keys: str) -> None:
    """Presses keys on a slider, and waits until everything shown has followed."""
    row(page, label).locator(".noUi-handle").focus()
    for key in keys:
        before = shown(page)
        page.keyboard.press(key)
        changed(page, before)


def drag(page: Any, label: str, pixels: int) -> None:
    """Drags a slider's handle to the right with the mouse."""
    handle = row(page, label).locator(".noUi-handle")
    handle.hover()
    box = handle.bounding_box()
    page.mouse.down()
    page.mouse.move(box["x"] + pixels, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()


def shown(page: Any) -> str:
    """All figures and pictures, once they have come to rest."""
    return page.evaluate(AT_REST, REST)


def changed(page: Any, before: str) -> str:
    """What is shown once it is not what it was."""
    page.wait_for_function(f"before => ({SHOWN})() !== before", arg=before, polling=GLANCE)
    return shown(page)


def pictures(page: Any) -> str:
    """The charts alone."""
    return page.locator(CHARTS).inner_html()


def headline(page: Any) -> str:
    """The sentence at the top."""
    return page.locator(HEADLINE).inner_text()


# --- served ------------------------------------------------------------------------------------------------------


def test_keys_move_a_slider_and_moved_back_all_is_as_before(page: Any) -> None:
    before, said, drawn = shown(page), headline(page), pictures(page)
    press(page, WIN_RATE, "ArrowRight", "ArrowRight")
    assert headline(page) != said
    assert pictures(page) != drawn
    press(page, WIN_RATE, "ArrowLeft", "ArrowLeft")
    assert shown(page) == before


def test_a_key_held_down_loses_no_step(page: Any) -> None:
    """An answer that comes late must not set the slider back to where it was."""
    field = row(page, WIN_RATE).locator("input")
    began = float(field.input_value())
    row(page, WIN_RATE).locator(".noUi-handle").focus()
    for _ in range(15):
        page.keyboard.press("ArrowLeft")
        page.wait_for_timeout(30)
    page.wait_for_function(
        "([field, value]) => field.value === value", arg=[field.element_handle(), f"{began - 1.5:.1f}"]
    )
    shown(page)


def test_the_mouse_moves_a_slider_and_reset_undo_redo_lead_back(page: Any) -> None:
    before, said, drawn = shown(page), headline(page), pictures(page)
    drag(page, WIN_RATE, 40)
    moved = changed(page, before)
    assert headline(page) != said
    assert pictures(page) != drawn
    page.get_by_role("button", name="Undo").click()
    changed(page, moved)
    assert shown(page) == before
    page.get_by_role("button", name="Redo").click()
    assert changed(page, before) == moved
    page.get_by_role("button", name="Reset").click()
    assert changed(page, moved) == before


def test_a_scenario_saved_changed_and_opened_again_gives_the_same_figures(page: Any, app: Any) -> None:
    press(page, WIN_RATE, "ArrowRight")
    page.get_by_label("Name", exact=True).fill("From the browser")
    page.get_by_role("button", name="Save to a file").click()
    page.get_by_text("Saved as").wait_for()
    saved = headline(page), pictures(page)
    assert (app.plan.parent / "scenarios" / "From the browser.yaml").is_file()
    press(page, WIN_RATE, "ArrowRight", "ArrowRight")
    assert (headline(page), pictures(page)) != saved
    before = shown(page)
    page.get_by_label("Scenario", exact=True).select_option(label="From the browser (file)")
    page.get_by_role("button", name="Open", exact=True).click()
    changed(page, before)
    assert (headline(page), pictures(page)) == saved


def typed(page: Any, label: str, value: str) -> None:
    """Types a value into a lever's field, and waits until everything shown has followed."""
    before = shown(page)
    row(page, label).locator("input").fill(value)
    row(page, label).locator("input").press("Enter")
    changed(page, before)


def field(page: Any, label: str) -> str:
    """What a lever's field shows."""
    return row(page, label).locator("input").input_value()


def labels(page: Any, group: str, one: str) -> list[str]:
    """The levers of a group, `one` among them, which is shown from now on."""
    page.get_by_role("button", name=group, exact=True).click()
    row(page, one).first.wait_for()
    return page.locator(".rp-row .widget-hslider .widget-label:visible").all_inner_texts()


def test_what_is_typed_or_opened_stays_and_undo_leads_through_every_state(page: Any, app: Any) -> None:
    """Sliders snap what they show to their steps and send that back: it must not count as a move."""
    volumes = labels(page, "Volume and budget", "Entries")
    entries = next(each for each in volumes if each.startswith("Entries"))
    budget = next(each for each in volumes if each.startswith("Budget"))
    steps = [(entries, "110"), (entries, "0"), (entries, "84.942"), (budget, "200,000"), (budget, "0")]
    fields, figures = [(field(page, entries), field(page, budget))], [shown(page)]
    for label, value in steps:
        typed(page, label, value)
        assert field(page, label) == value
        fields.append((field(page, entries), field(page, budget)))
        figures.append(shown(page))
    for back in range(len(steps) - 1, -1, -1):
        page.get_by_role("button", name="Undo").click()
        changed(page, figures[back + 1])
        assert ((field(page, entries), field(page, budget)), shown(page)) == (fields[back], figures[back])
    for forward in range(1, len(steps) + 1):
        page.get_by_role("button", name="Redo").click()
        changed(page, figures[forward - 1])
        assert ((field(page, entries), field(page, budget)), shown(page)) == (fields[forward], figures[forward])
    labels(page, "Rates", WIN_RATE)


def test_a_scenario_opened_and_saved_again_is_the_same_file(page: Any, app: Any) -> None:
    labels(page, "Rates", WIN_RATE)
    page.get_by_label("Name", exact=True).fill("Übertrag")
    page.get_by_role("button", name="Save to a file").click()
    page.get_by_text("Saved as").wait_for()
    first = app.plan.parent / "scenarios" / "Übertrag.yaml"
    with first.open("a", encoding="utf-8") as file:
        file.write("goal:\n  new_arr: 3000000\nvolume: 0.85\nconfidence: 0.777\n")
    before = shown(page)
    page.get_by_label("Scenario", exact=True).select_option(label="Übertrag (file)")
    page.get_by_role("button", name="Open", exact=True).click()
    changed(page, before)
    page.get_by_label("Name", exact=True).fill("Again")
    page.get_by_role("button", name="Keep beside the plan").click()
    page.get_by_text("is kept as scenarios/Again.yaml").wait_for()
    safe = YAML(typ="safe")
    assert safe.load(first.with_stem("Again")) == safe.load(first)
    press(page, WIN_RATE, "ArrowRight")
    assert field(page, WIN_RATE) == row(page, WIN_RATE).get_by_role("slider").get_attribute("aria-valuetext")
    page.get_by_role("button", name="Forget those kept").click()
    page.get_by_text("taken out of the table").wait_for()


def test_the_report_of_what_is_shown_comes_as_a_pdf_while_playing_on(page: Any) -> None:
    press(page, WIN_RATE, "ArrowLeft")
    page.get_by_label("Name", exact=True).fill("For the board")
    page.get_by_role("button", name="Report (PDF)").click()
    page.get_by_text("The report is being made").wait_for()
    press(page, WIN_RATE, "ArrowLeft")
    link = page.get_by_role("link", name="For the board.pdf")
    link.wait_for()
    with page.expect_download() as download:
        link.click()
    assert download.value.suggested_filename == "For the board.pdf"
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF-")


def test_two_visitors_do_not_see_each_other_s_moves(page: Any, visit: Any, app: Any) -> None:
    first, second = page, visit(app.url)
    before = shown(second)
    assert shown(first) == before
    press(first, WIN_RATE, "ArrowRight", "ArrowRight")
    assert shown(second) == before
    press(second, WIN_RATE, "ArrowRight", "ArrowRight")
    assert shown(second) == shown(first)


@pytest.mark.parametrize(("typed", "words"), [("abc", "is no number"), ("310", "is outside")])
def test_what_is_wrong_with_a_field_is_said_beside_it(page: Any, typed: str, words: str) -> None:
    before = shown(page)
    field = row(page, WIN_RATE).locator("input")
    kept = field.input_value()
    field.fill(typed)
    field.press("Enter")
    fault = row(page, WIN_RATE).get_by_role("alert")
    fault.wait_for()
    assert typed in fault.inner_text()
    assert words in fault.inner_text()
    assert page.locator(".rp-fault").count() == 1
    assert (shown(page), field.input_value()) == (before, kept)
    press(page, WIN_RATE, "ArrowRight")
    assert fault.count() == 0


@pytest.mark.parametrize("width", [820, 1024, 1280])
def test_everything_fits_a_tablet_and_a_laptop(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    press(page, WIN_RATE, "ArrowRight")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for handle in page.locator(".noUi-handle:visible").all():
        box = handle.bounding_box()
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width
    clipped = page.evaluate(
        "[...document.querySelectorAll('button, label, caption, figcaption, .rp-tiles *')]"
        ".filter(e => e.offsetParent && e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1).map(e => e.innerText)"
    )
    assert clipped == []
    page.evaluate("scrollTo(0, 300)")
    assert page.locator(HEADLINE).bounding_box()["y"] >= 0, "the figures are not in sight while charts are read"
    page.evaluate("scrollTo(0, 0)")


def test_nothing_leaves_this_machine(page: Any) -> None:
    press(page, WIN_RATE, "ArrowRight")
    assert page.outside == []
    page.evaluate("fetch('http://192.0.2.1/').catch(() => null)")
    assert page.outside == [], "the policy of the page lets it out"


def test_the_page_has_a_title_a_language_and_one_main_heading(page: Any) -> None:
    assert page.title() == "Orrinvale Software FY27 · revplan"
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("h1").all_inner_texts() == ["Orrinvale Software FY27"]
    assert "token" not in page.url
    assert page.locator("main").count() == 1


def test_all_controls_are_reached_by_tab_and_show_it(page: Any) -> None:
    """In the order they stand in, each with a name, each with a visible mark."""
    page.mouse.click(4, 4)
    seen = []
    for _ in range(80):
        page.keyboard.press("Tab")
        focus = page.evaluate(
            """() => {
              const e = document.activeElement, s = getComputedStyle(e), b = e.getBoundingClientRect();
              const label = e.labels?.[0]?.innerText ?? '';
              const name = e.getAttribute('aria-label') || e.innerText || label || e.title;
              return {tag: e.tagName, name: name.trim(), mark: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2,
                      seen: b.width > 0 && b.bottom > 0 && b.top < innerHeight}
            }"""
        )
        if focus["tag"] == "BODY":
            break
        seen.append(focus)
    assert len(seen) > 15
    assert [each for each in seen if not (each["name"] and each["mark"] and each["seen"])] == []
    names = [each["name"] for each in seen]
    assert names.index("Reset to the plan") < names.index("Lead to MQL (%)") < names.index(WIN_RATE)


def test_sliders_say_their_name_and_value(page: Any) -> None:
    handle = page.get_by_role("slider", name=WIN_RATE)
    value = row(page, WIN_RATE).locator("input").input_value()
    assert handle.get_attribute("aria-valuetext") == value
    press(page, WIN_RATE, "ArrowRight")
    assert handle.get_attribute("aria-valuetext") == row(page, WIN_RATE).locator("input").input_value() != value


def test_without_the_token_the_page_says_what_is_missing(browser: Any, app: Any) -> None:
    page = browser.new_page()
    answer = page.goto(app.url.partition("?")[0])
    assert answer.status == 403
    assert page.locator("h1").inner_text() == "The address is not complete"
    page.close()


def test_a_page_on_another_port_starts_no_visit(page: Any, app: Any) -> None:
    """It is the same site to the browser, which sends the cookie along."""
    before = visits_of(app.process)
    pictures = "".join(f'<img src="http://127.0.0.1:{app.port}/?{number}">' for number in range(8))
    frame = f'<iframe src="http://127.0.0.1:{app.port}/"></iframe>'

    class Foreign(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write((pictures + frame).encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Foreign) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        other = page.context.new_page()
        other.goto(f"http://127.0.0.1:{server.server_port}/")
        other.wait_for_timeout(1500)
        popup = f"window.open('http://127.0.0.1:{app.port}/')"
        with page.context.expect_page() as opened:
            other.evaluate(popup)
        opened.value.get_by_role("link", name="open the simulator").wait_for()
        assert visits_of(app.process) <= before
        opened.value.close()
        other.close()
        server.shutdown()


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
def test_a_kernel_that_died_is_told_at_once_and_the_visitor_goes_on_where_he_was(
    visit: Any, start_app: Any, small_plan: Path
) -> None:
    with start_app(small_plan) as app:
        page = visit(app.url)
        typed(page, "Lead to Sql (%)", "31.25")
        before = shown(page)
        (kernel,) = visits_of(app.process)
        os.kill(kernel, signal.SIGKILL)
        began = time.monotonic()
        page.get_by_role("alert").get_by_text("This visit has ended").wait_for()
        assert time.monotonic() - began < 10
        assert page.locator("#rendered_cells").evaluate("e => e.inert"), "sliders go on moving"
        assert "rate: 0.3125" in unquote(page.locator("#lost a").get_attribute("href"))
        page.locator("#lost").get_by_role("button", name="Go on where you were").click()
        page.wait_for_function(f"before => ({SHOWN})() === before", arg=before, polling=GLANCE)
        assert field(page, "Lead to Sql (%)") == "31.25"
        page.reload()
        page.wait_for_function(f"before => ({SHOWN})() === before", arg=before, polling=GLANCE)
        wait_until(lambda: len(visits_of(app.process)) == 1)
        page.goto("about:blank")
        wait_until(lambda: not visits_of(app.process))


def test_what_was_set_and_kept_survives_a_reload(visit: Any, start_app: Any, small_plan: Path) -> None:
    with start_app(small_plan) as app:
        page = visit(app.url)
        typed(page, "Lead to Sql (%)", "31.25")
        page.get_by_label("Name", exact=True).fill("Mine")
        before = shown(page)
        page.get_by_role("button", name="Keep beside the plan").click()
        kept = changed(page, before)
        page.reload()
        page.wait_for_function(f"before => ({SHOWN})() === before", arg=kept, polling=GLANCE)
        assert field(page, "Lead to Sql (%)") == "31.25"
        page.get_by_role("button", name="Reset").click()
        reset = changed(page, kept)
        page.reload()
        page.wait_for_function(f"before => ({SHOWN})() === before", arg=reset, polling=GLANCE)


def test_the_plans_of_a_folder_are_opened_one_after_the_other(visit: Any, start_app: Any, small_plan: Path) -> None:
    text = small_plan.read_text(encoding="utf-8").replace("1_000_000", "2_000_000")
    name = re.search(r"^name: *(.*)$", text, re.MULTILINE)
    other = "name: <b>Larger</b>" if name else "name: <b>Larger</b>\n"
    text = text.replace(name[0], other) if name else other + text
    (small_plan.parent / "larger.yaml").write_text(text, encoding="utf-8")
    with start_app(small_plan.parent) as app:
        page = visit(app.url)
        typed(page, "Lead to Sql (%)", "31.25")
        assert "$1M" in headline(page)
        page.get_by_label("Plan", exact=True).select_option("larger.yaml")
        page.get_by_text("$2M new ARR").first.wait_for()
        ready(page)
        assert page.locator("h1").inner_text() == "<b>Larger</b>"
        assert field(page, "Lead to Sql (%)") != "31.25"
        page.reload()
        page.get_by_text("$2M new ARR").first.wait_for()
        ready(page)
        page.get_by_label("Plan", exact=True).select_option("plan.yaml")
        page.get_by_text("$1M new ARR").first.wait_for()
        ready(page)
        page.wait_for_function("() => document.querySelector('.rp-row input').value === '31.25'")


PEOPLE = """
capacity:
  roster: [{rep: Ana, role: ae, start: 2025-01-01}]
  roles: {ae: {productivity: 400_000, ramp: {linear_months: 6}, attrition: 0.1}}
  hires: [{role: ae, segment: mid, start: 2027-03}]
"""


def test_people_are_hired_and_a_comment_is_written(visit: Any, start_app: Any, small_plan: Path) -> None:
    small_plan.write_text(small_plan.read_text(encoding="utf-8") + PEOPLE, encoding="utf-8")
    with start_app(small_plan) as app:
        page = visit(app.url)
        labels(page, "People", "Hires ae, mid")
        before, drawn = shown(page), pictures(page)
        press(page, "Hires ae, mid (people)", "ArrowRight", "ArrowRight")
        assert field(page, "Hires ae, mid (people)") == "3"
        assert shown(page) != before
        assert pictures(page) != drawn
        typed(page, "Start of the hires ae, mid (month)", "2027-09")
        assert field(page, "Start of the hires ae, mid (month)") == "Sep 2027"
        remarks = page.locator(".rp-charts .rp-remarks").first
        remarks.get_by_role("button", name="Comment", exact=True).click()
        remarks.get_by_label("Who").fill("Ana")
        remarks.get_by_label("What").fill("<img src=x onerror=alert(1)> three people are found")
        remarks.get_by_role("button", name="Save comment").click()
        said = page.locator(".rp-charts .comment")
        said.wait_for()
        assert said.inner_text().startswith("<img src=x onerror=alert(1)> three people are found (Ana, ")
        assert "three people" in small_plan.with_name("commentary.yaml").read_text(encoding="utf-8")


def test_the_plan_s_health_is_shown_before_the_sliders(browser: Any, start_app: Any, small_plan: Path) -> None:
    with start_app(small_plan) as app:
        page = browser.new_page()
        page.route("**/voila/static/voila.js", lambda route: route.abort())  # so that no slider ever comes
        page.goto(app.url)
        page.locator("#first .rp-headline").wait_for(timeout=PATIENCE)
        assert "$1M new ARR" in page.locator("#first .rp-headline").inner_text()
        assert page.locator("#first .rp-health").is_visible()
        assert page.locator(".noUi-handle").count() == 0
        page.close()


def test_a_file_too_large_to_be_a_scenario_is_told(page: Any, tmp_path: Path) -> None:
    (tmp_path / "large.yaml").write_bytes(b"a" * 20_000_000)
    before = shown(page)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Open a file").click()
    chooser.value.set_files(tmp_path / "large.yaml")
    page.get_by_text("large.yaml: has 20.0 MB, and a scenario file has at most 2 MB").wait_for()
    assert shown(page) == before
    typed(page, WIN_RATE, "25.5")


def test_a_changed_plan_is_read_anew_and_a_faulty_one_explained(visit: Any, start_app: Any, small_plan: Path) -> None:
    text = small_plan.read_text(encoding="utf-8")
    with start_app(small_plan) as app:
        page = visit(app.url)
        assert "$1M" in headline(page)
        small_plan.write_text(text.replace("1_000_000", "2_000_000"), encoding="utf-8")
        page.reload()
        page.get_by_text("$2M new ARR").first.wait_for()
        small_plan.write_text(text.replace("rate: 0.4", "rate: 40"), encoding="utf-8")
        page.reload()
        said = page.get_by_role("alert").filter(has_text="The plan needs a change")
        said.wait_for()
        assert "transitions" in said.inner_text()
        assert "Traceback" not in page.content()
        app.process.terminate()
        page.get_by_text("The simulator was stopped.").wait_for()


# --- JupyterLab --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lab(workspace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the workspace's notebook in a JupyterLab without settings, news or the user's own files."""
    home, token = tmp_path_factory.mktemp("home"), secrets.token_urlsafe(24)
    off = {"disabledExtensions": {"@jupyterlab/apputils-extension:announcements": True}}
    (home / "labconfig").mkdir()
    (home / "labconfig" / "page_config.json").write_text(json.dumps(off), encoding="utf-8")
    own = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR", "HOME")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root"]
    command += [f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={workspace / 'notebooks'}"]
    command += ["--ServerApp.port_retries=0", "--expose-app-in-browser"]
    environment = {**os.environ, **dict.fromkeys(own, str(home))}
    with (home / "lab.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        try:
            wait_for_port(process, port)
            yield f"http://127.0.0.1:{port}/lab/tree/scenarios.ipynb?token={token}"
        finally:
            process.terminate()
            process.wait(timeout=20)


def wait_for_port(process: subprocess.Popen[bytes], port: int) -> None:
    """Returns as soon as something listens there."""
    for _ in range(600):
        assert process.poll() is None, "JupyterLab did not start"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("JupyterLab does not listen")


def test_in_jupyterlab_the_notebook_runs_and_its_sliders_move(browser: Any, lab: str) -> None:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page.goto(lab)
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for()
    page.get_by_text("| Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    ready(page)
    before, said, drawn = shown(page), headline(page), pictures(page)
    press(page, WIN_RATE, "ArrowRight", "ArrowRight")
    assert headline(page) != said
    assert pictures(page) != drawn
    press(page, WIN_RATE, "ArrowLeft", "ArrowLeft")
    assert shown(page) == before
    drag(page, WIN_RATE, 40)
    assert changed(page, before) != before
    field = row(page, WIN_RATE).locator("input")
    field.fill("abc")
    field.press("Enter")
    row(page, WIN_RATE).get_by_role("alert").wait_for()
    assert [url for url in asked if not re.match(r"(http|ws)://127\.0\.0\.1:|data:|blob:", url)] == []
    context.close()
