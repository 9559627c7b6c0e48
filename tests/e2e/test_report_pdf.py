"""The PDF: what it says, how it is paged and tagged, with the worst names and the widest tables.

What needs poppler's programs is skipped with a reason where they are missing.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from revplan.exhibits import fonts
from revplan.exhibits.chart import Chart, Series, names
from revplan.exhibits.exhibit import Exhibit, chart, table, text
from revplan.exhibits.figures import MIMETYPE
from revplan.ground.errors import ReportError
from revplan.printing.blocks import exhibits
from revplan.printing.pdf import TEMPLATE, pdf
from revplan.run.notebooks import REPOSITORY, notebook_in

EVIL = '#evil[x] #read("plan.yaml") <script>alert(1)</script> $x$ \\ {{ }} ../ =cmd|x \x00'
SEEN = '#evil[x] #read("plan.yaml") <script>alert(1)</script> $x$ \\ {{ }} ../ =cmd|x'
KINDS = {"name": "text", "arr": "money"}
MADE = {
    "report": "annual_commit",
    "plan": "FY27",
    "as_of": "15 Nov 2026",
    "against": "",
    "plan_fingerprint": "ab12cd34",
}
MARGIN = 42.5
"""At the left and the right of a page. [points]"""

BLANKS = re.compile("[\\s\u200b]+")


def lying(*given: str) -> Exhibit:
    """Bars by name."""
    rows = named(*given)
    described = Chart(
        said=f"{len(rows)} names",
        form="bars",
        categories=names(rows["name"]),
        series=(Series(name="arr", values=tuple(rows["arr"])),),
        kind="money",
        currency="USD",
    )
    return chart(described, rows, KINDS)


def named(*names: str) -> pd.DataFrame:
    """One row for each name."""
    return pd.DataFrame({"name": names, "arr": [12_345.0 * (place - 1) for place in range(len(names))]})


def broad(rows: int, columns: list[Any], name: str = "segment") -> Exhibit:
    """A table of millions: every column is as wide as numbers get."""
    numbers = np.arange(rows * len(columns)).reshape(rows, -1) * 1_234.0 - 9_000_000
    frame = pd.DataFrame(numbers, columns=columns)
    frame.insert(0, "stage", [f"{name} {row}" for row in range(rows)])
    return table(frame, dict.fromkeys(columns, "money") | {"stage": "text"}, f"{len(columns)} columns")


def notebook(*shown: Exhibit, words: str = "# Annual commit", made: dict[str, str] | None = None) -> Any:
    """An executed notebook that shows these exhibits under a title."""
    outputs = [new_output("execute_result", each._repr_mimebundle_(), execution_count=1) for each in shown]
    cells = [new_markdown_cell(words), *(new_code_cell("x", outputs=[output]) for output in outputs)]
    return new_notebook(cells=cells, metadata={"revplan": made} if made else {})


def poppler(program: str, made: bytes, folder: Path, *options: str) -> str:
    """What a program of poppler says of a PDF."""
    if not shutil.which(program):
        pytest.skip(f"{program} (poppler) is not installed")
    path = folder / "made.pdf"
    path.write_bytes(made)
    ends = ["-"] if program == "pdftotext" else []
    done = subprocess.run([program, *options, str(path), *ends], capture_output=True, text=True, check=True)
    return done.stdout


def pages(made: bytes, folder: Path) -> list[str]:
    """The words of each page."""
    return poppler("pdftotext", made, folder, "-raw").split("\f")[:-1]


def joined(words: str) -> str:
    """Words without blanks and places to break."""
    return BLANKS.sub("", words)


def numbers(cells: list[str]) -> Counter[str]:
    """The words with a digit, counted."""
    return Counter(word for cell in cells for word in cell.split() if any(map(str.isdigit, word)))


# --- what it says --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shown", [broad(3, list("abc")), broad(20, list("abcdefghijklmnop")), broad(9, [*range(40)])])
def test_every_number_is_read_back_as_it_is_shown(shown: Exhibit, tmp_path: Path) -> None:
    """Upright, on its side, and in parts: forty columns repeat the first one only."""
    made = notebook(shown)
    cells = [cell for raw in exhibits(made) for row in raw["shown"] for cell in row[1:]]
    printed = numbers(pages(pdf(made, "x"), tmp_path))
    assert cells
    assert numbers(cells) <= printed


@pytest.mark.parametrize("name", ["annual_commit", "rates"])
def test_the_numbers_of_the_committed_notebooks_are_all_printed(name: str, tmp_path: Path) -> None:
    made = notebook_in(Path(str(REPOSITORY), "notebooks", f"{name}.ipynb"))
    printed = joined(" ".join(pages(pdf(made, name), tmp_path)))
    said = [raw["message"] for raw in exhibits(made)]
    cells = [cell for raw in exhibits(made) for row in raw["shown"] for cell in row]
    assert [words for words in {*said, *cells} if joined(words) not in printed] == []


def test_hostile_words_are_printed_and_nothing_is_run(tmp_path: Path) -> None:
    shown = [text(EVIL, {EVIL: EVIL}, header=EVIL), table(named(EVIL), KINDS, EVIL, notes=[EVIL])]
    made = pdf(notebook(*shown, words=f"# {EVIL}\n\n{EVIL}", made={"plan": EVIL}), "x")
    assert joined(" ".join(pages(made, tmp_path))).count(joined(SEEN)) >= 9


def test_the_template_reads_no_file_and_no_package() -> None:
    source = TEMPLATE.read_text(encoding="utf-8")
    assert not re.search(r"@preview|#import|#include|\bread\(|\beval\(", source)
    assert set(re.findall(r"\b(?:image|json)\(\w+", source)) == {"image(bytes", "json(bytes"}


def test_five_thousand_characters_break_no_page(tmp_path: Path) -> None:
    long, words = "y" * 5_000, "word " * 1_000
    made = pdf(notebook(text(words, header=long), table(named(long, words), KINDS, long)), "x")
    printed = joined(" ".join(pages(made, tmp_path)))
    assert 250 <= printed.count("y") <= 1_000  # a word that no line holds is cut where it stands
    assert printed.count("word") >= 2_000


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=40), st.text(max_size=40))
def test_any_text_can_be_printed(name: str, words: str) -> None:
    """PDF/UA-1 refuses a character without an outline, so this also says that there are no boxes."""
    shown = table(named(name), KINDS, f"x{words}", labels={"name": words or "x"})
    assert pdf(notebook(shown, words=f"# x{words}\n\n*{name}* `{words}`"), "x").startswith(b"%PDF")


# --- pages ---------------------------------------------------------------------------------------------------


def test_a_table_that_fits_a_page_is_not_split(tmp_path: Path) -> None:
    short = table(named(*(f"short {place}" for place in range(30))), KINDS, "Thirty rows")
    before = table(named(*(f"before {place}" for place in range(35))), KINDS, "Thirty-five rows")
    first, second = pages(pdf(notebook(before, short), "x"), tmp_path)
    assert "short" not in first
    assert "short 0" in second
    assert "short 29" in second


@pytest.mark.parametrize("rows", range(30, 50, 3))
def test_a_heading_and_its_words_stay_with_what_they_lead_to(rows: int, tmp_path: Path) -> None:
    before = table(named(*(f"before {place}" for place in range(rows))), KINDS, "Before")
    made = notebook(before, table(named(*(f"after {place}" for place in range(60))), KINDS, "After"))
    made.cells.insert(2, new_markdown_cell("## The heading\n\nIts words."))
    (page,) = [page for page in pages(pdf(made, "x"), tmp_path) if "The heading" in page]
    assert all(words in page for words in ("Its words.", "After\n", "Name Arr", "after 0", "after 3"))


def test_a_longer_one_repeats_its_header_and_keeps_its_totals_apart(tmp_path: Path) -> None:
    shown = table(named(*(f"row {place}" for place in range(150))), KINDS, "Many rows", totals=1)
    printed = pages(pdf(notebook(shown), "x"), tmp_path)
    assert len(printed) == 4
    assert all("Name Arr" in page for page in printed)
    assert [page for page in printed if "row 149" in page] == printed[-1:]


def test_edges_name_the_plan_and_count_the_pages(tmp_path: Path) -> None:
    shown = [text("Commit 1,044 SQLs", header="FY27, made on 15 Nov 2026"), broad(60, ["a"])]
    printed = pages(pdf(notebook(*shown), "annual_commit"), tmp_path)
    assert len(printed) == 2
    for number, page in enumerate(printed, 1):
        assert "FY27, made on 15 Nov 2026" in page
        assert f"{number} of 2" in page


def test_a_table_too_wide_turns_its_page_on_its_side(tmp_path: Path) -> None:
    made = pdf(notebook(text("Upright"), broad(3, list("abcdefghijklmnop"))), "x")
    assert page_sizes(made, tmp_path) == [(595, 842), (842, 595)]


def page_sizes(made: bytes, folder: Path) -> list[tuple[int, int]]:
    """Width and height of each page. [points]"""
    found = re.findall(r"size: +([\d.]+) x ([\d.]+)", poppler("pdfinfo", made, folder, "-l", "99"))
    return [(round(float(width)), round(float(height))) for width, height in found]


def hard() -> list[Exhibit]:
    """What is too long, too wide, or too many."""
    long = "y" * 5_000
    months = list(pd.period_range("2026-09", periods=16, freq="M"))
    return [
        broad(20, months, "enterprise_accounts_north_america_no"),
        broad(2, months, long),
        broad(30, [f"c{number} {long[:60]}" for number in range(40)]),
        table(named(long, "word " * 1_000), KINDS, long, labels={"name": long}, notes=[long]),
        text(long, {long: long, "Goal": "$5.64M", "Closing": "9" * 40}, header=long),
        text("Many notes", notes=[f"note {number} {'word ' * 40}" for number in range(70)]),
        lying(*(f"{long[:40]}{number}" for number in range(70))),
    ]


@pytest.mark.parametrize("shown", hard(), ids=lambda shown: shown.message[:9])
def test_nothing_reaches_beyond_the_margins(shown: Exhibit, tmp_path: Path) -> None:
    made = pdf(notebook(shown, words=f"# {'x' * 300}\n\n- {'z' * 300}"), "x")
    for width, height, words in boxes(poppler("pdftotext", made, tmp_path, "-bbox")):
        left, top, right, bottom = (edge(sides) for edge, sides in zip((min, min, max, max), words, strict=True))
        assert left >= MARGIN - 1
        assert right <= width - MARGIN + 1
        assert top >= MARGIN / 2
        assert bottom <= height - MARGIN / 2


def test_a_word_that_cannot_break_has_its_column_to_itself(tmp_path: Path) -> None:
    made = pdf(notebook(broad(3, list("abcdefghij"), "W" * 24)), "x")
    found = poppler("pdftotext", made, tmp_path, "-bbox")
    names = [float(edge) for edge in re.findall(r'xMax="([\d.]+)" yMax="[\d.]+">W{24}<', found)]
    numbers = [float(edge) for edge in re.findall(r'xMin="([\d.]+)" yMin="[\d.]+" [^>]*>\u2212[\d,]+<', found)]
    assert len(names) == 3
    assert max(names) < min(numbers)


def boxes(found: str) -> Iterator[tuple[float, float, list[tuple[float, ...]]]]:
    """Width and height of each page, and the left, top, right and bottom edges of its words."""
    for page in found.split("<page ")[1:]:
        width, height = map(float, re.findall(r'(?:width|height)="([\d.]+)"', page)[:2])
        words = [tuple(map(float, re.findall(r'"(-?[\d.]+)"', word))) for word in re.findall("<word [^>]*>", page)]
        yield width, height, list(zip(*words, strict=True))


# --- form ----------------------------------------------------------------------------------------------------


def test_tags_bookmarks_language_and_standard(tmp_path: Path) -> None:
    words = "# Annual commit\n\n#### The goal\n\nWords"
    made = pdf(notebook(lying("smb"), words=words), "x")
    structure = poppler("pdfinfo", made, tmp_path, "-struct")
    assert all(tag in structure for tag in ('H1 "Annual commit"', 'H2 "The goal"', "Caption", "Figure"))
    assert all(
        mark in made for mark in (b"/Title(The goal)", b"/Lang(en)", b"/Marked true", b"pdfuaid:part>1", b"/Alt")
    )


def test_a_chart_without_words_is_refused() -> None:
    made = notebook(lying("smb"))
    made.cells[1].outputs[0].data[MIMETYPE]["alt"] = ""
    with pytest.raises(ReportError, match="alt"):
        pdf(made, "x")


def test_all_fonts_are_embedded_and_charts_are_no_pictures(tmp_path: Path) -> None:
    made = pdf(notebook(lying("smb", "mid"), words="# A *b* `c`"), "x")
    faces = poppler("pdffonts", made, tmp_path).splitlines()[2:]
    assert len(faces) >= 2
    assert all(re.search(r"DejaVuSans.* yes yes yes ", face) for face in faces)
    assert b"/Subtype/Image" not in made.replace(b" ", b"")


def test_the_same_notebook_gives_the_same_bytes() -> None:
    shown = [text("One", header="FY27"), lying("smb", "mid"), broad(3, ["a"])]
    assert pdf(notebook(*shown), "x") == pdf(notebook(*shown), "x")


def test_provenance_stands_at_the_end_and_in_the_metadata(tmp_path: Path) -> None:
    made = pdf(notebook(text("One"), made=MADE), "x")
    (page,) = pages(made, tmp_path)
    assert "Known up to 15 Nov 2026" in page
    assert page.index("Fingerprint of the plan") > page.index("One")
    assert "Against" not in page
    assert "Fingerprint of the plan: ab12cd34" in poppler("pdfinfo", made, tmp_path)


# --- scripts -------------------------------------------------------------------------------------------------


def test_right_to_left_names_are_words(tmp_path: Path) -> None:
    (page,) = pages(pdf(notebook(table(named("שלום", "مبيعات"), KINDS, "Two names")), "x"), tmp_path)
    assert "שלום" in page
    assert "مبيعات" in page


def test_what_no_font_holds_is_spelled_out_and_the_font_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_installed", tuple)
    fonts.covering.cache_clear()
    (page,) = pages(pdf(notebook(table(named("日本 KK"), KINDS, "ไทย")), "x"), tmp_path)
    fonts.covering.cache_clear()
    assert "[65E5 672C] KK" in page
    assert "[0E44 0E17 0E22]" in page
    assert "Fonts to install: Noto Sans CJK, Noto Sans Thai." in page


def test_an_installed_font_that_has_the_glyphs_is_used(tmp_path: Path) -> None:
    if not fonts.covering(frozenset("日本")):
        pytest.skip("no installed font has Chinese characters")
    made = pdf(notebook(table(named("日本"), KINDS, "One name"), lying("日本")), "x")
    (page,) = pages(made, tmp_path)
    assert "日本" in page
    assert "Fonts to install" not in page


@pytest.mark.parametrize("count", [1, 20])
def test_one_segment_and_twenty(count: int, tmp_path: Path) -> None:
    names = [f"enterprise_accounts_north_america_no_{place:02d}" for place in range(count)]
    shown = [lying(*names), table(named(*names), KINDS, f"{count} segments")]
    printed = joined(" ".join(pages(pdf(notebook(*shown), "x"), tmp_path)))
    assert [name for name in names if name not in printed] == []


def test_a_table_without_rows_and_a_report_without_exhibits(tmp_path: Path) -> None:
    (page,) = pages(pdf(notebook(table(named(), KINDS, "Nothing yet")), "x"), tmp_path)
    assert "Nothing yet" in page
    (page,) = pages(pdf(new_notebook(cells=[]), "annual_commit"), tmp_path)
    assert "Annual commit" in page
