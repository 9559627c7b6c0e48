"""The page: what of a notebook is printed, what is not, and that nothing on it can act."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from revplan.exhibits.exhibit import Exhibit, table, text
from revplan.exhibits.figures import MIMETYPE
from revplan.printing.page import page

EVIL = "<script>alert(1)</script>"


def shown(exhibit: Exhibit) -> object:
    """A cell that ends in `exhibit`, as it is after a run."""
    return code(new_output("execute_result", exhibit._repr_mimebundle_(), execution_count=1))


def code(*outputs: object) -> object:
    """A code cell with `outputs`; its code must not be printed."""
    return new_code_cell("secret_code()", outputs=list(outputs), execution_count=1)


def printed(*cells: object) -> str:
    """The page of a notebook of `cells`."""
    return page(new_notebook(cells=list(cells)), "annual_commit")


def opening(header: str = "FY27 base") -> Exhibit:
    """The exhibit a page opens with."""
    return text("Goal 5.64M: commit 1,044 SQLs", {"Goal": "5.64M"}, header=header)


def test_the_page_is_whole_and_asks_for_nothing() -> None:
    html = printed(new_markdown_cell("# Annual commit\n\nHow many?"), shown(opening()))
    assert html.startswith('<!DOCTYPE html>\n<html lang="en">')
    policy = "default-src &#39;none&#39;; img-src data:; style-src &#39;unsafe-inline&#39;"
    assert f'<meta http-equiv="Content-Security-Policy" content="{policy}">' in html
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in html
    assert "<title>Annual commit · FY27 base</title>" in html
    assert not re.search(r"<script|<link|<iframe|https?:|@import|url\((?!#)", html)


def test_what_is_for_the_author_is_left_out() -> None:
    html = printed(
        new_markdown_cell("# T\n\n## Point one"),
        code(
            new_output("stream", name="stdout", text="printed"),
            new_output("stream", name="stderr", text="UserWarning"),
            new_output("error", ename="ValueError", evalue="broken", traceback=["Traceback"]),
        ),
    )
    assert not re.search(r"secret_code|printed|UserWarning|broken|Traceback|¶|In \[|Out\[", html.split("<main>")[1])
    assert "<h2>Point one</h2>" in html


def test_other_outputs_are_printed_as_well_as_they_can_be() -> None:
    html = printed(
        code(new_output("display_data", {"text/plain": f"plain {EVIL}"})),
        code(new_output("display_data", {"text/plain": "x", "text/markdown": f"*strong* {EVIL}"})),
        code(new_output("display_data", {"text/plain": "x", "image/png": "iVBORw0KGgo="})),
        code(new_output("display_data", {"application/json": {}})),
    )
    assert "<pre>plain &lt;script&gt;alert(1)&lt;/script&gt;</pre>" in html
    assert "<em>strong</em> &lt;script&gt;" in html
    assert '<img alt="" src="data:image/png;base64,iVBORw0KGgo=">' in html


def test_markdown_has_tables_and_lists_but_no_html() -> None:
    html = printed(new_markdown_cell(f"| a | b |\n|---|---|\n| {EVIL} | 2 |\n\n- one\n\n[go](javascript:alert(1))"))
    assert "<td>&lt;script&gt;alert(1)&lt;/script&gt;</td>" in html
    assert "<li>one</li>" in html
    assert "javascript:" not in html


@pytest.mark.parametrize(
    "address", ["https://example.com/x.png", "//example.com/x.png", "file:///etc/x.png", "x.png", "DATA:text/html,x"]
)
def test_a_picture_from_elsewhere_is_its_words(address: str) -> None:
    cells = (
        new_markdown_cell(f"![the *logo*]({address})"),
        code(new_output("display_data", {"text/markdown": f'![mine]({address} "t")'})),
    )
    html = printed(*cells)
    assert "<img" not in html
    assert address not in html
    assert "logo" in html
    assert "mine" in html
    assert '<img src="data:image/png;base64,iVBORw0KGgo="' in printed(
        new_markdown_cell("![x](data:image/png;base64,iVBORw0KGgo=)")
    )


@pytest.mark.parametrize("name", [EVIL, '"}</style><script>alert(1)</script>', "\u202e{{ 7 * 7 }} {% raw %}"])
def test_a_hostile_plan_name_is_words_everywhere(name: str) -> None:
    rows = pd.DataFrame({"plan": [name]})
    html = printed(
        new_markdown_cell("# Annual commit"),
        shown(opening(header=name)),
        shown(text(name, {name: name})),
        shown(table(rows, {"plan": "text"}, name)),
    )
    assert not re.search(r"<script|\u202e| 49 ", html)
    assert html.count("</style>") == 1


def test_a_hostile_heading_is_words_in_the_title() -> None:
    html = printed(new_markdown_cell(f"# {EVIL}"))
    assert "<title>&lt;script&gt;alert(1)&lt;/script&gt;</title>" in html


def test_without_a_heading_the_name_is_the_title() -> None:
    assert "<title>Annual commit</title>" in printed(new_markdown_cell("no heading"))
    assert "<header>Annual commit</header>" in printed()


def test_every_printed_page_repeats_the_message() -> None:
    html = printed(
        new_markdown_cell("# Annual commit"), shown(text("Not this")), shown(opening()), shown(opening("Other"))
    )
    assert '@top-left { content: "Goal 5\\2e 64M\\3a  commit 1\\2c 044 SQLs"; }' in html
    assert '@bottom-left { content: "Annual commit \\b7  FY27 base"; }' in html


def test_the_same_notebook_gives_the_same_bytes() -> None:
    notebook = new_notebook(cells=[new_markdown_cell("# T"), shown(opening())])
    assert page(notebook, "t") == page(notebook, "t")


def test_an_exhibit_is_found_by_its_values_not_by_its_looks() -> None:
    cell = shown(opening())
    del cell.outputs[0]["data"][MIMETYPE]
    assert "<header>Annual commit</header>" in printed(cell)
