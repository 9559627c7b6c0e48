"""Exhibits: what they print as, that nothing in a name acts, and that bytes repeat."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from revplan.exhibits import axes, fonts
from revplan.exhibits.drawing import STYLE, drawing, tidy
from revplan.exhibits.exhibit import Exhibit, chart, table, terminal, text
from revplan.exhibits.figures import MIMETYPE
from revplan.ground.errors import ReportError
from revplan.ground.formats import compact

ROOT = Path(__file__).resolve().parents[2]
EVIL = '<script>alert(1)</script>"><img src=x onerror=alert(1)> --> $x^{$ \u202e\x00'
KINDS = {"stage": "text", "month": "month", "entries": "count", "gap": "number", "rate": "share"}


def frame() -> pd.DataFrame:
    """Two rows of every shape of value."""
    return pd.DataFrame(
        {
            "stage": ["lead", "mql"],
            "month": pd.period_range("2026-12", periods=2, freq="M"),
            "entries": [1 / 3, 1200.0],
            "gap": [-12.5, np.nan],
            "rate": [0.225, 0.4],
        }
    )


def paint(ax: object, rows: pd.DataFrame) -> str:
    """Bars by stage."""
    ax.bar([axes.fitting(name) for name in rows["stage"]], rows["entries"], label="entries")
    axes.value_axis(ax, "money", "USD")
    axes.key(ax)
    return f"The largest has {compact(rows['entries'].max())}; $5M to $10M is not maths"


class Tags(HTMLParser):
    """The tags of a fragment, checked to be closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """The tags of `html`, which must be well formed."""
    parser = Tags()
    parser.feed(html)
    assert parser.open == []
    return parser.seen


def bundle(exhibit: Exhibit) -> dict:
    """What Jupyter asks an exhibit for."""
    return exhibit._repr_mimebundle_()


# --- a table -------------------------------------------------------------------------------------


def test_a_table_is_plain_text_for_tests_and_terminals() -> None:
    assert bundle(table(frame(), KINDS, "Leads start in December"))["text/plain"] == (
        "Leads start in December\n"
        "\n"
        "Stage  Month     Entries    Gap   Rate\n"
        "lead   Dec 2026        0  −12.5  22.5%\n"
        "mql    Jan 2027    1,200      –  40.0%"
    )


def test_a_terminal_shows_message_rows_and_notes() -> None:
    rows = pd.DataFrame({"what": ["a " * 30 + "end", "b"], "n": [1234.0, -5.0]})
    made = table(rows, {"what": "text", "n": "number"}, "Some.", labels={"n": "How many of them"}, notes=["A note."])
    message, _, *lines, _, note = terminal(made).splitlines()
    assert (message, note) == ("Some.", "- A note.")
    assert [line.rstrip() for line in lines] == [
        "What" + " " * 45 + "How many of",
        " " * 56 + "them",
        ("a " * 23 + "a").ljust(47) + "       +1,234",
        "a " * 6 + "end",
        "b".ljust(47) + "           −5",
    ]
    assert terminal(text("Only words", notes=["One."])) == "Only words\n- One."


def test_a_table_is_well_formed_html_with_scopes_and_numbers_set_right() -> None:
    html = bundle(table(frame(), KINDS, "Leads start", labels={"rate": "To MQL"}, totals=1, notes=["A < B"]))[
        "text/html"
    ]
    seen = tags(html)
    assert [dict_["scope"] for tag, dict_ in seen if tag == "th"] == ["col"] * 5 + ["row"] * 2
    assert "<span>Leads start</span></caption>" in html
    assert '<th scope="col" class="n">To MQL</th>' in html
    assert '<td class="n minus">−12.5</td>' in html
    assert '<tfoot><tr><th scope="row" style="text-align:left">mql</th>' in html
    assert '<p class="note">A &lt; B</p>' in html
    assert 'class="scroll" role="region" tabindex="0"' in html


def test_a_table_with_many_columns_says_how_broad_it_is() -> None:
    months = pd.period_range("2026-10", periods=15, freq="M")
    broad = pd.DataFrame([["lead", *range(10_000, 10_015)]], columns=["stage", *months])
    kinds = dict.fromkeys(months, "count") | {"stage": "text"}
    html = bundle(table(broad, kinds, "Every month"))["text/html"]
    assert html.startswith('<figure class="exhibit table vast ')
    assert '<th scope="col" class="n">Oct 2026</th>' in html
    assert (
        'class="exhibit table wide tex2jax_ignore mathjax_ignore"'
        in bundle(table(broad.iloc[:, :11], kinds, "Most months"))["text/html"]
    )
    assert (
        'class="exhibit table tex2jax_ignore mathjax_ignore"'
        in bundle(table(broad.iloc[:, :4], kinds, "Some months"))["text/html"]
    )


def test_long_words_wrap_instead_of_making_a_table_broad() -> None:
    words = pd.DataFrame({"stage": ["lead"], "why": ["easy to count, but invites disputes " * 5]})
    html = bundle(table(words, {"stage": "text", "why": "text"}, "Reasons"))["text/html"]
    assert 'class="exhibit table tex2jax_ignore mathjax_ignore"' in html
    assert '<td class="long" style="text-align:left">easy' in html


def test_a_table_keeps_its_values_raw() -> None:
    raw = bundle(table(frame(), KINDS, "Leads start", totals=1))[MIMETYPE]
    assert raw["columns"][2] == {"name": "entries", "label": "Entries", "kind": "count"}
    assert raw["rows"] == [["lead", "2026-12", 0.333333333333, -12.5, 0.225], ["mql", "2027-01", 1200.0, None, 0.4]]
    assert (raw["kind"], raw["message"], raw["alt"], raw["totals"]) == ("table", "Leads start", "Leads start", 1)


def test_raw_values_are_json_whatever_their_type() -> None:
    odd = pd.DataFrame(
        {
            "whole": np.array([1, 2], dtype="int64"),
            "yes": [True, False],
            "day": pd.to_datetime(["2026-11-15", None]),
            "ratio": [np.inf, 1.5],
            "mixed": ["a", None],
        }
    )
    kinds = {"whole": "count", "yes": "yes", "day": "date", "ratio": "ratio", "mixed": "text"}
    exhibit = table(odd, kinds, "Odd")
    assert json.loads(json.dumps(bundle(exhibit)[MIMETYPE], allow_nan=False))["rows"] == [
        [1, True, "2026-11-15", None, "a"],
        [2, False, None, 1.5, None],
    ]
    assert "∞" in bundle(exhibit)["text/html"]


def test_an_empty_table_prints_its_headings() -> None:
    html = bundle(table(frame().iloc[:0], KINDS, "Nothing is open"))["text/html"]
    assert tags(html)
    assert "<tbody></tbody>" in html


def test_a_column_without_a_kind_is_refused() -> None:
    with pytest.raises(ReportError, match=r"table 'Leads': column 'rate' has no kind; the kinds are commitment"):
        table(frame(), {key: kind for key, kind in KINDS.items() if key != "rate"}, "Leads")
    with pytest.raises(ReportError, match=r"chart paint: column 'rate' has the unknown kind 'percent'"):
        chart(paint, frame(), {**KINDS, "rate": "percent"})


@pytest.mark.parametrize("message", ["", "  \n", None, "\u202e"])
def test_nothing_goes_without_a_message(message: str) -> None:
    with pytest.raises(ReportError, match="has no message; give the one sentence"):
        table(frame(), KINDS, message)
    with pytest.raises(ReportError, match="text: has no message"):
        text(message)
    with pytest.raises(ReportError, match="chart silent: paint returned no message; return the one sentence"):
        chart(lambda ax, rows: message, frame(), KINDS, name="silent")


# --- a chart -------------------------------------------------------------------------------------


def test_a_chart_carries_its_message_as_headline_and_as_alt_text() -> None:
    exhibit = chart(paint, frame(), KINDS, notes=["Source: CRM"])
    said = "The largest has 1.2k; $5M to $10M is not maths"
    assert exhibit.message == exhibit.alt == said
    shown = bundle(exhibit)
    assert shown["text/plain"] == said
    assert f">{said}</figcaption>" in shown["text/html"]
    assert "mathjax_ignore" in shown["text/html"]  # or Jupyter sets the money between two $ as a formula
    labelled = [attrs for tag, attrs in tags(shown["text/html"]) if tag == "svg"]
    assert [(attrs["role"], attrs["aria-label"]) for attrs in labelled] == [("img", said)] * 2
    assert [attrs["class"] for attrs in labelled] == ["on-page", "on-phone"]
    assert shown[MIMETYPE]["rows"][1][2] == 1200.0


def test_a_message_that_depends_on_the_size_is_refused() -> None:
    with pytest.raises(ReportError, match="its message depends on its size"):
        chart(lambda ax, rows: "narrow" if axes.is_narrow(ax) else "broad", frame(), KINDS, name="fickle")


def test_a_painter_cannot_change_the_rows() -> None:
    def greedy(ax: object, rows: pd.DataFrame) -> str:
        rows["entries"] = 0
        return "All is zero"

    given = frame()
    exhibit = chart(greedy, given, KINDS)
    pd.testing.assert_frame_equal(given, frame())
    assert exhibit.table is not None
    pd.testing.assert_frame_equal(exhibit.table, frame())


def test_drawings_repeat_in_one_process_and_in_the_next(tmp_path: Path) -> None:
    script = (
        "import sys, pandas as pd\n"
        "from revplan.exhibits import axes\n"
        "from revplan.exhibits.drawing import drawing\n"
        "def paint(ax, rows):\n"
        "    ax.fill_between(rows.x, rows.x, label='a'); ax.plot(rows.x, marker='o', label='b')\n"
        "    axes.key(ax); ax.set_xlim(0.5, 1.5)\n"
        "    return 'It grows'\n"
        "d = drawing(paint, pd.DataFrame({'x': [0, 1, 2]}), 'growth', 3.0)\n"
        "again = drawing(paint, pd.DataFrame({'x': [0, 1, 2]}), 'growth', 3.0)\n"
        "assert d == again\n"
        "sys.stdout.write(d.page + d.phone)\n"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
            cwd=tmp_path,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert b"clip-path" in runs[0]


def test_two_charts_of_a_page_share_no_id() -> None:
    first = drawing(paint, frame(), "same", 3.0)
    other = drawing(paint, frame().assign(entries=[5.0, 6.0]), "same", 3.0)
    ids = [re.findall(r' id="([^"]+)"', svg) for svg in (first.page, first.phone, other.page, other.phone)]
    assert all(ids)
    assert len({name for names in ids for name in names}) == sum(len(names) for names in ids)


def test_a_drawing_fits_into_any_page() -> None:
    svg = drawing(paint, frame(), "fits", 3.0).page
    assert svg.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert not re.search(r"<style|<!--|<metadata|<\?xml|<text|DOCTYPE", svg)
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', svg))
    assert used == set(re.findall(r' id="([^"]+)"', svg))


def test_an_svg_without_a_view_is_refused() -> None:
    with pytest.raises(ReportError, match="without a viewBox"):
        tidy("<?xml version='1.0'?><svg width='1'></svg>")


def test_a_place_that_rounds_to_zero_has_no_sign() -> None:
    assert 'd="M0 0L-0.01 2"' in tidy('<svg viewBox="0 0 9 9"><path d="M -0.0004 0.004 L -0.006 2.0"/></svg>')


def test_charts_look_the_same_whatever_the_user_has_set() -> None:
    import matplotlib as mpl

    with mpl.rc_context({"font.size": 30, "axes.labelpad": 40, "xtick.direction": "in", "axes.xmargin": 0.4}):
        loud = drawing(paint, frame(), "mine", 3.0)
    assert loud == drawing(paint, frame(), "mine", 3.0)


def test_no_chart_module_names_a_colour_or_a_font() -> None:
    """They are all in the style file, and pyplot's current figure is used nowhere."""
    assert "axes.prop_cycle" in STYLE.read_text(encoding="utf-8")
    for path in (ROOT / "revplan" / "exhibits").rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"""["']#[0-9a-fA-F]{3,8}["']|pyplot|fontname|fontfamily""", source), path


def test_a_character_no_font_holds_is_spelled_out_and_the_font_to_install_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fonts, "_installed", tuple)
    fonts.covering.cache_clear()
    exhibit = chart(paint, frame().assign(stage=["日本", "mql"]), KINDS)
    fonts.covering.cache_clear()
    assert exhibit.notes == (
        "No installed font has some characters of the names; they are written as code points in brackets. "
        "Fonts to install: Noto Sans CJK.",
    )
    assert exhibit.svg == chart(paint, frame().assign(stage=["[65E5 672C]", "mql"]), KINDS).svg


def test_other_warnings_of_a_painter_come_through() -> None:
    def warns(ax: object, rows: pd.DataFrame) -> str:
        ax.plot([1, 2], label="x")
        ax.figure.set_layout_engine("none")
        ax.set_position([0.1, 0.1, 0.001, 0.001])
        ax.set_xscale("log")
        ax.set_xlim(-1, 2)
        return "It warns"

    with pytest.raises(UserWarning, match="non-positive"):
        chart(warns, frame(), KINDS)


# --- a text --------------------------------------------------------------------------------------


def test_a_text_states_and_lists_its_facts() -> None:
    exhibit = text("Commit 1,044 SQLs", {"Goal": "$5.64M", "Gap": "−$420k"}, header="FY27 base")
    shown = bundle(exhibit)
    assert shown["text/plain"] == "FY27 base\n\nCommit 1,044 SQLs\n\nGoal  $5.64M\nGap   −$420k"
    assert '<dl style="--tiles:2;' in shown["text/html"]
    assert ">Goal</dt><dd>$5.64M</dd></div>" in shown["text/html"]
    assert shown[MIMETYPE]["header"] == "FY27 base"
    assert bundle(text("Only words"))["text/plain"] == "Only words"


# --- names from anyone ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "exhibit",
    [
        lambda: chart(paint, frame().assign(stage=[EVIL, "mql"]), KINDS, notes=[EVIL]),
        lambda: chart(lambda ax, rows: EVIL, frame(), KINDS, name=EVIL),
        lambda: table(frame().assign(stage=[EVIL, "b"]), KINDS, EVIL, labels={"rate": EVIL}, notes=[EVIL]),
        lambda: table(frame().rename(columns={"stage": EVIL}), {**KINDS, EVIL: "text"}, "Named"),
        lambda: text(EVIL, {EVIL: EVIL}, notes=[EVIL], header=EVIL),
    ],
    ids=["chart", "message", "table", "heading", "text"],
)
def test_a_hostile_name_is_words(exhibit: object) -> None:
    shown = bundle(exhibit())
    seen = tags(shown["text/html"])
    assert {"script", "img"} & {tag for tag, _ in seen} == set()
    assert not any(name.startswith("on") for _, attrs in seen for name in attrs)
    assert not re.search("[\u202e\x00]", shown["text/html"] + shown["text/plain"] + json.dumps(shown[MIMETYPE]))


# --- axes ----------------------------------------------------------------------------------------


def labels(months: pd.PeriodIndex, width: float) -> list[str]:
    """What stands along an axis of `months` on a drawing `width` inches wide."""
    from matplotlib.figure import Figure

    ax = Figure(figsize=(width, 3)).add_subplot()
    axes.month_axis(ax, months)
    return [label.get_text() for label in ax.get_xticklabels()]


def test_months_thin_out_and_keep_their_years() -> None:
    months = pd.period_range("2026-11", periods=14, freq="M")
    assert labels(months, 8.8)[:4] == ["Nov\n2026", "Dec", "Jan\n2027", "Feb"]
    assert labels(months, 3.75) == ["Nov\n2026", "Jan\n2027", "Mar", "May", "Jul", "Sep", "Nov"]
    assert labels(months[:1], 3.75) == ["Nov\n2026"]


def test_long_names_are_cut_to_fit() -> None:
    assert axes.fitting("a" * 30, 10) == "a" * 9 + "…"
    assert axes.fitting("short\n name") == "short name"


@pytest.mark.parametrize(
    ("names", "width", "expected"),
    [
        (["goal", "commit", "gap"], 8.8, 3),
        (["goal", "commit", "gap"], 3.75, 3),
        (["must come from them", "expected of them"], 3.75, 1),
        (["must come from them", "expected of them"], 8.8, 2),
        (["a" * 60, "b"], 8.8, 2),
        (["goal"], 8.8, 1),
        (["goal", "open pipeline", "commit", "shortfall"], 3.75, 2),  # three are 13 + 6 + 9 letters and 3 x 6
    ],
)
def test_a_key_takes_as_many_columns_as_fit(names: list[str], width: float, expected: int) -> None:
    from matplotlib.figure import Figure

    ax = Figure(figsize=(width, 3)).add_subplot()
    for name in names:
        ax.plot([1, 2], label=name)
    axes.key(ax)
    assert ax.get_legend()._ncols == expected
