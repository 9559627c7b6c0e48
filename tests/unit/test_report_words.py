"""Words that do not fit: plurals of stage names, words without end, amounts at the end of a line, tables for one slide."""

from __future__ import annotations

import pytest
from lxml import html

from revplan.escaping import LONGEST_WORD, cut_words
from revplan.formats import plural
from revplan.plan.stages import PRESETS, Stage
from revplan.report.figures import figure
from revplan.report.page import AMOUNT, MESSAGE
from revplan.report.slides.fit import unbroken
from revplan.report.slides.table import Column, sheets, shortened
from revplan.report.slides.template import Area

PLACE = Area(left=0.5, top=1.7, width=12.3, height=4.6)


@pytest.mark.parametrize(
    ("name", "several"),
    [
        ("SQL", "SQLs"),
        ("Inquiry", "Inquiries"),
        ("Opportunity", "Opportunities"),
        ("Survey", "Surveys"),
        ("Pitch", "Pitches"),
        ("Won", "Wins"),
        ("商談", "商談"),
        ("Stage 2", "Stage 2"),
    ],
)
def test_several_of_a_stage(name: str, several: str) -> None:
    assert plural(name) == several


def test_no_preset_has_a_stage_in_broken_english() -> None:
    assert not [stage for stages in PRESETS.values() for stage in stages if plural(stage.title).endswith("ys")]
    assert [Stage(id=each).title for each in ("sql", "won", "demo")] == ["SQL", "Won", "Demo"]


def test_a_word_without_end_is_cut_and_a_sentence_is_not() -> None:
    sentence = "many words " * 100
    assert cut_words(sentence) == sentence
    assert cut_words("x" * LONGEST_WORD) == "x" * LONGEST_WORD
    assert cut_words(f"before {'=' * 5_000} after") == f"before {'=' * (LONGEST_WORD - 1)}… after"
    chinese = "本年度的目标是新增收入，" * 40  # a sentence without spaces, which its commas end
    assert cut_words(chinese) == chinese


def test_an_amount_is_one_piece_on_the_page_and_its_text_stays() -> None:
    told = '<figcaption style="x">lands at $2.59M (−$259k against JPY 3,000.</figcaption>'
    held = MESSAGE.sub(
        lambda found: found[1] + AMOUNT.sub(r'<span class="amount">\g<0></span>', found[2]) + found[3], told
    )
    made = html.fromstring(held)
    assert [span.text for span in made.iter("span")] == ["$2.59M", "(−$259k", "JPY 3,000."]
    assert made.text_content() == "lands at $2.59M (−$259k against JPY 3,000."


def test_an_amount_on_a_slide_does_not_break_after_its_sign() -> None:
    assert unbroken("moved by −$5k") == "moved by −\u2060$5k"
    assert unbroken("−JPY 5M") == "−\u2060JPY\u00a05M"
    assert unbroken("a gap of −5, USD amounts") == "a gap of −5, USD amounts"


def test_a_difference_is_quoted_with_its_sign_and_a_level_without() -> None:
    def said(measure: str, value: float) -> str:
        return figure(measure, value, "2026", "expected", "USD").text

    assert [said("landing_gap", value) for value in (64_100.0, -64_100.0, 0.0)] == ["+$64.1k", "−$64.1k", "$0"]
    assert said("landing", 64_100.0) == "$64.1k"


def rows(count: int) -> list[Column]:
    """A table of `count` rows, the last its total."""
    names = tuple(f"region {n}" for n in range(count - 1))
    return [
        Column(label="Segment", cells=(*names, "Total"), number=False),
        Column(label="ARR", cells=tuple("1,000" for _ in range(count)), number=True),
    ]


def test_twenty_segments_and_their_total_stand_on_one_slide() -> None:
    (sheet,) = sheets(rows(21), 1, PLACE)
    assert len(sheet.rows) == 21
    assert sum(sheet.heights) <= PLACE.height
    assert len(sheets(rows(60), 1, PLACE)) > 1


def test_what_one_slide_cannot_hold_is_left_out_but_for_the_total() -> None:
    sheet = shortened(rows(60), 1, PLACE)
    assert sum(sheet.heights) <= PLACE.height
    assert 15 < len(sheet.rows) < 59
    assert sheet.rows[-1] == 59
    assert sheet.rows[:-1] == tuple(range(len(sheet.rows) - 1))
