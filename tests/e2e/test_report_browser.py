"""The page in a real browser: on a phone, on a desk, on paper, and with hostile names.

Skipped with a reason where there is no browser, except in CI, where it fails.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from revplan.exhibits.chart import Chart, Series, numbers
from revplan.exhibits.exhibit import Exhibit, chart, table, text
from revplan.ground.formats import show
from revplan.printing.page import page

pytestmark = pytest.mark.browser

EVIL = '<script>document.title="owned"</script><img src=x onerror=\'document.title="owned"\'>'


def standing(rows: pd.DataFrame) -> Exhibit:
    """Bars by month."""
    described = Chart(
        said="Entries peak in December",
        form="columns",
        categories=tuple(show(month, "month") for month in rows["month"]),
        series=(Series(name="entries", values=numbers(rows["entries"])),),
        kind="count",
        x_kind="month",
    )
    return chart(described, rows, {"month": "month", "entries": "count"}, notes=["Source: CRM"])


def exhibits() -> list[Exhibit]:
    """One of each, with the widest table a year gives and the worst names."""
    months = pd.period_range("2026-09", periods=16, freq="M")
    flows = pd.DataFrame({"month": months, "entries": np.arange(16) * 10.0})
    broad = pd.DataFrame([[EVIL, *range(10_000, 10_016)]], columns=["stage", *months])
    long = pd.DataFrame({"name": [f"segment {number}" for number in range(70)], "arr": np.arange(70) * 1e4})
    return [
        text(f"Commit 1,044 SQLs {EVIL}", {"Goal": "$5.64M", EVIL: EVIL}, header=f"FY27 {EVIL}"),
        standing(flows),
        table(broad, dict.fromkeys(months, "count") | {"stage": "text"}, "Every month has a number"),
        table(long, {"name": "text", "arr": "money"}, "Seventy segments", totals=1),
    ]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where the page of `exhibits` lies."""
    outputs = [new_output("execute_result", shown._repr_mimebundle_(), execution_count=1) for shown in exhibits()]
    raw = new_output("display_data", {"text/html": EVIL})
    cells = [new_code_cell("x", outputs=[output]) for output in [*outputs, raw]]
    html = page(new_notebook(cells=[new_markdown_cell(f"# Annual commit\n\n{EVIL}"), *cells]), "annual_commit")
    path = tmp_path_factory.mktemp("page") / "annual_commit.html"
    path.write_text(html, encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize("width", [320, 390, 768, 1200])
def test_the_page_never_scrolls_sideways(browser: object, address: str, width: int) -> None:
    window = browser.new_page(viewport={"width": width, "height": 844})
    window.goto(address)
    assert window.evaluate("document.documentElement.scrollWidth") == width
    scrolling = window.evaluate("[...document.querySelectorAll('.scroll')].map(b => b.scrollWidth > b.clientWidth)")
    assert scrolling == ([True, False] if width < 1200 else [False, False])
    assert window.evaluate(
        "[...document.querySelectorAll('caption span')].every(s => s.getBoundingClientRect().right <= innerWidth)"
    )
    window.close()


@pytest.mark.parametrize(("width", "drawing"), [(390, "on-phone"), (1200, "on-page")])
def test_one_drawing_is_shown_and_its_words_can_be_read(
    browser: object, address: str, width: int, drawing: str
) -> None:
    window = browser.new_page(viewport={"width": width, "height": 844})
    window.goto(address)
    charts = window.locator("figure.chart svg:visible")
    assert charts.count() == 1
    assert charts.get_attribute("class") == drawing
    size = charts.evaluate("s => s.getBoundingClientRect().width / s.viewBox.baseVal.width")
    assert size * 9.5 >= 11.5, "labels of 9.5 units are smaller than 11.5 pixels"
    window.close()


def test_hostile_names_are_words_and_nothing_is_fetched(browser: object, address: str) -> None:
    window = browser.new_page()
    fetched: list[str] = []
    window.on("requestfinished", lambda request: fetched.append(request.url))
    window.goto(address)
    window.wait_for_timeout(300)
    assert window.title() == f"Annual commit · FY27 {EVIL}"
    assert window.locator("figure.text dt").last.text_content() == EVIL
    assert window.locator("section.words img, figure img").count() == 0
    assert fetched == [address]
    window.close()


def test_the_words_of_the_page_stand_out_enough(browser: object, address: str) -> None:
    """Every text has a contrast of at least 4.5 with white (WCAG AA)."""
    window = browser.new_page()
    window.goto(address)
    colours = window.evaluate(
        "[...new Set([...document.querySelectorAll('header, main *')].map(e => getComputedStyle(e).color))]"
    )
    assert len(colours) > 2
    assert {colour: contrast(colour) for colour in colours if contrast(colour) < 4.5} == {}
    window.close()


def contrast(colour: str) -> float:
    """The contrast of `rgb(r, g, b)` with white, by the WCAG formula."""
    parts = [int(part) / 255 for part in colour[4:-1].split(",")]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05)


def test_paper_loses_nothing(browser: object, address: str, tmp_path: Path) -> None:
    """Printed, no table reaches beyond the page, and the wide one turns its page on its side."""
    window = browser.new_page()
    window.goto(address)
    pdf = window.pdf(prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF")
    boxes = {tuple(float(edge) for edge in box.split()) for box in pdf_boxes(pdf)}
    assert {(round(width), round(height)) for _, _, width, height in boxes} == {(595, 842), (842, 595)}
    window.emulate_media(media="print")
    window.set_viewport_size({"width": 1009, "height": 700})  # the inside of an A4 page on its side
    assert window.locator(".vast table").evaluate("t => t.getBoundingClientRect().right") <= 1009
    window.set_viewport_size({"width": 680, "height": 960})  # and upright: 180 mm
    assert window.locator("figure:not(.vast) table").evaluate("t => t.getBoundingClientRect().right") <= 680
    window.close()


def pdf_boxes(pdf: bytes) -> list[str]:
    """The sizes of the pages of an uncompressed page tree."""
    return [found.decode() for found in re.findall(rb"/MediaBox \[([^\]]+)\]", pdf)]
