"""Both reports of companies that are hard to print, in every format: nothing clipped, nothing contradicted, nothing executed."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hard_companies import COMPANIES, HOSTILE, SCRIPTS, Executed, before_the_appendix
from lxml import etree
from lxml import html as lxml_html

from revplan.exhibits.exhibit import terminal
from revplan.exhibits.fonts import lacking, without_font
from revplan.exhibits.record import packs
from revplan.printing.blocks import exhibits
from revplan.printing.registry import registry
from revplan.record.packs import checked_packs, keep
from revplan.run.render import FORMATS, Request, pack_of, printing

pptx = pytest.importorskip("pptx")

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
REPORTS = ("board_report", "annual_commit")
TRIED = ("one segment", "shrinking", "other scripts", "hostile")
CASES = [(name, report) for name in COMPANIES for report in REPORTS if report == "board_report" or name in TRIED]
"""Every company's board pack, and the annual commit where it says something else than the others'."""

MOST_SLIDES = {"board_report": 17, "annual_commit": 40}
MOST_PAGES = {
    "board_report": 12,
    "annual_commit": 14,
}  # eight, and line of the quarter, eight quarters, ARR, asks and landing of before, a decision and more definitions
UNSAID = re.compile(
    r"\bnan\b|\bNone\b|\binf\b|\bNaT\b|∞|−0\b|[0-9]\.[0-9]{4,}|\b1 (?:records|wins|entries) |[^aeiou]ys\b"
)


@dataclass(frozen=True)
class Printed:
    """A report of one company: its exhibits and its printings."""

    folder: Path
    raw: list[dict[str, Any]]
    files: dict[str, bytes]
    report: str


@pytest.fixture(scope="module", params=CASES, ids="-".join)
def printed(request: pytest.FixtureRequest, executed: Callable[[str, str], Executed]) -> Printed:
    """One report of one company in all formats."""
    name, report = request.param
    plan, notebook = executed(name, report).plan, executed(name, report).notebook
    files = {kind: printing(kind, notebook, Request(name=report, plan_path=plan)) for kind in FORMATS}
    return Printed(plan.parent, exhibits(notebook), files, report)


def words_of(printed: Printed) -> list[str]:
    """Every message, note and displayed cell."""
    return [
        text
        for each in printed.raw
        for text in (each["message"], *each["notes"], *(cell for row in each["shown"] for cell in row))
    ]


def test_a_hard_case_is_printed_in_every_format(printed: Printed, tmp_path: Path) -> None:
    registry(printed.raw)
    said = [text for text in words_of(printed) if (found := UNSAID.search(text)) and found[0] not in ",".join(HOSTILE)]
    assert not said
    assert max(len(each["message"]) for each in printed.raw) < 600
    check_page(printed)
    check_slides(printed)
    check_workbook(printed)
    if shutil.which("pdftotext"):
        check_paper(printed, tmp_path)
    assert sorted(path.name for path in printed.folder.parent.iterdir()) == ["plans"]
    assert {path.name for path in printed.folder.iterdir()} <= {"plan.yaml", "crm.yaml", "leads.csv", "actuals.csv"}


def check_page(printed: Printed) -> None:
    page = lxml_html.fromstring(printed.files["html"])
    assert not page.xpath("//script | //iframe | //object | //link | //base | //@onerror | //@onload")
    assert all(source.startswith("data:") for source in page.xpath("//@src"))
    messages = [each.text_content() for each in page.xpath("//figcaption | //caption")]
    assert messages == [each["message"] for each in printed.raw]


def check_slides(printed: Printed) -> None:
    deck = pptx.Presentation(io.BytesIO(printed.files["pptx"]))
    assert len(before_the_appendix(deck)) <= MOST_SLIDES[printed.report]
    outside = [
        (number, shape.name)
        for number, slide in enumerate(deck.slides, start=1)
        for shape in slide.shapes
        if shape.left < 0
        or shape.top < 0
        or shape.left + shape.width > deck.slide_width
        or shape.top + deep(shape) > deck.slide_height
    ]
    assert not outside
    charts = sum(shape.has_chart for slide in deck.slides for shape in slide.shapes)
    natives = [each["native"] for each in printed.raw if each["native"] and not each["appendix"]]
    assert charts == sum(len(each.get("panels", ())) or 1 for each in natives)


def deep(shape: Any) -> int:
    """Height of a shape; of a table that of its rows."""
    return sum(row.height for row in shape.table.rows) if shape.has_table else shape.height


def check_workbook(printed: Printed) -> None:
    """Read as it lies in the file: a library takes as long to load it as all else here."""
    with zipfile.ZipFile(io.BytesIO(printed.files["xlsx"])) as book:
        texts = etree.fromstring(book.read("xl/sharedStrings.xml")).iter("{*}si")
        told = {"".join(each.itertext()) for each in texts}
        sheets = [book.read(name) for name in book.namelist() if name.startswith("xl/worksheets/sheet")]
        assert not [name for name in book.namelist() if "vba" in name.lower() or "externalLink" in name]
    assert {each["message"] for each in printed.raw} <= told
    formulas = [formula for sheet in sheets for formula in re.findall(rb"<f>(.*?)</f>", sheet)]
    assert formulas
    assert not [formula for formula in formulas if b"cmd" in formula or b"HYPERLINK" in formula]


def check_paper(printed: Printed, folder: Path) -> None:
    made = folder / "report.pdf"
    made.write_bytes(printed.files["pdf"])
    done = subprocess.run(["pdftotext", "-raw", made, "-"], capture_output=True, check=True)
    text = done.stdout.decode()
    assert text.count("\f") <= MOST_PAGES[printed.report]
    legible = [
        each["message"]
        for each in printed.raw
        if not without_font(lacking([each["message"]])) and plain(each["message"])
    ]
    assert len(legible) > 3
    missing = [message for message in legible if squeezed(message) not in squeezed(text)]
    assert not missing


def plain(text: str) -> bool:
    """Whether a text is read from left to right alone: another order is the reader's to restore."""
    return not any(set(text) & set(name) - {" "} for name in SCRIPTS)


def squeezed(text: str) -> str:
    """A text without blanks and breaks."""
    return re.sub(r"[\s\u200b\u2060]+", "", text)


# --- hostile names -------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.parametrize("name", ["hostile", "other scripts", "long names"])
def test_nothing_of_a_name_is_executed_and_nobody_is_shut_out(
    browser: Any, tmp_path: Path, executed: Callable[[str, str], Executed], name: str
) -> None:
    from revplan.printing.page import page

    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    html = page(executed(name, "board_report").notebook, "board_report")
    # Once as it is, once without the policy that would have kept scripts out anyway.
    open_to_all = html.replace("default-src 'none'", "default-src * 'unsafe-inline'")
    for number, text in enumerate((html, open_to_all)):
        (tmp_path / f"{number}.html").write_text(text, encoding="utf-8")
        opened, asked = browser.new_page(viewport={"width": 390, "height": 900}), []
        opened.on("request", lambda request, asked=asked: asked.append(request.url))
        try:
            opened.goto((tmp_path / f"{number}.html").as_uri())
            assert opened.title().startswith("Board report")
            assert len(asked) == 1
            assert opened.evaluate("document.documentElement.scrollWidth") <= 390
            if number:
                assert axe.run(opened).violations_count == 0
        finally:
            opened.close()


@pytest.mark.parametrize("report", REPORTS)
def test_a_pack_is_kept_whatever_the_plan_is_called(
    report: str, executed: Callable[[str, str], Executed], tmp_path: Path
) -> None:
    done = executed("hostile", report)
    plan = shutil.copy(done.plan, tmp_path / "plan.yaml")
    notebook = deepcopy(done.notebook)
    notebook.metadata["revplan"] = {"plan": HOSTILE[0], "pack": "0123456789ab", "revplan": "test"}
    made = pack_of(notebook, Request(name=report, plan_path=plan), date(2026, 10, 1))
    kept = keep(plan, made, {f"{report}.html": b"shown"})
    assert kept.folder.parent == tmp_path / "packs"
    (found,) = checked_packs(plan)
    assert found.pack.figures == {name: each["value"] for name, each in registry(exhibits(notebook)).items()}
    assert found.pack.told("landing") is not None
    assert terminal(packs([found], "plan.yaml")).count("\n") < 12
