"""What of an executed notebook is printed: headings, prose and exhibits, in order, and nothing else."""

from __future__ import annotations

import pandas as pd
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell

from revplan.exhibits.chart import Chart, Series
from revplan.exhibits.exhibit import Exhibit, chart, table
from revplan.printing.blocks import Heading, Prose, Shown, blocks, exhibits


def shown(*bundles: dict) -> object:
    """A code cell that displays `bundles`."""
    return new_code_cell("x", outputs=[new_output("display_data", data=each) for each in bundles])


def drawn() -> Exhibit:
    """A chart."""
    line = Series(name="x", values=(1.0, 2.0), mark="line")
    described = Chart(said="It grows", form="columns", categories=("a", "b"), series=(line,), kind="count")
    return chart(described, pd.DataFrame({"x": line.values}), {"x": "count"})


def test_headings_prose_and_exhibits_come_in_order_and_nothing_else() -> None:
    told = table(pd.DataFrame({"n": ["a"]}), {"n": "text"}, "One row.")
    notebook = new_notebook(
        cells=[
            new_markdown_cell("# Title\nbelow it\n\nA paragraph\nof two lines\n\n####### none"),
            new_raw_cell("raw"),
            new_code_cell("print()", outputs=[new_output("stream", text="loud")]),
            shown({"text/html": "<table>of pandas</table>", "text/plain": "of pandas"}, told._repr_mimebundle_()),
            shown(drawn()._repr_mimebundle_()),
            new_markdown_cell("## Next"),
        ]
    )
    found = blocks(notebook)
    assert found[:4] == [
        Heading(level=1, text="Title"),
        Prose(source="below it"),
        Prose(source="A paragraph\nof two lines"),
        Prose(source="####### none"),
    ]
    one, two = (each for each in found if isinstance(each, Shown))
    assert (one.raw["message"], one.svg) == ("One row.", None)
    assert two.raw["message"] == "It grows"
    assert two.svg is not None
    assert two.svg.startswith('<svg class="on-page"')
    assert two.svg.count("<svg") == 1
    assert found[-1] == Heading(level=2, text="Next")
    assert exhibits(notebook) == [one.raw, two.raw]
