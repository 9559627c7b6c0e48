"""Every report, as its page, through an automated accessibility check in a real browser (axe-core, WCAG 2.2 A and AA)."""

from __future__ import annotations

from pathlib import Path

import pytest

from revplan.printing.page import page
from revplan.run.notebooks import notebook_in

pytestmark = pytest.mark.browser

NOTEBOOKS = sorted(Path("notebooks").glob("*.ipynb"))
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.parametrize("width", [390, 1200])
def test_a_page_has_nothing_that_shuts_anybody_out(browser: object, tmp_path: Path, path: Path, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    made = tmp_path / "page.html"
    html = page(notebook_in(path), path.stem)
    # The check is a script, which the page's own policy keeps out; nothing else differs.
    made.write_text(
        html.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'"), encoding="utf-8"
    )
    opened = browser.new_page(viewport={"width": width, "height": 900})
    try:
        opened.goto(made.as_uri())
        found = axe.run(opened, options={"runOnly": RULES})
    finally:
        opened.close()
    assert found.response["passes"], "the check did not run"
    assert found.violations_count == 0, found.generate_report()
