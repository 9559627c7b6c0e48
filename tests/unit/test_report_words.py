"""Words that do not fit: plurals of stage names, words without end, amounts at the end of a line, tables for one slide."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import html

from revplan.exhibits.chart import Chart
from revplan.exhibits.figures import figure
from revplan.exhibits.fit import fitting_names, unbroken
from revplan.ground.errors import digits
from revplan.ground.escaping import LONGEST_WORD, clean, cut_words
from revplan.ground.formats import counted, plural, with_sign
from revplan.ground.lag import Lag
from revplan.plan.stages import PRESETS, Stage
from revplan.printing.page import AMOUNT, MESSAGE
from revplan.printing.slides.chart import named
from revplan.printing.slides.page import SlideColumn, sheets, shortened
from revplan.printing.slides.template import Area
from revplan.workbook.words import lag_words

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
        ("MQLs", "MQLs"),
        ("Meetings", "Meetings"),
        ("Company", "Companies"),
        ("Lead (raw)", "Leads (raw)"),
        ("Demo booked", "Demos booked"),
        ("Proposal sent", "Proposals sent"),
        ("Sales Qualified", "Sales Qualified"),
        ("Marketing Qualified Lead", "Marketing Qualified Leads"),
        ("Closed Won", "Closed Wins"),
        ("Business", "Businesses"),
        ("Analysis", "Analyses"),
        ("Client", "Clients"),
        ("SMS", "SMSs"),
        ("עסקים", "עסקים"),
        ("Möglichkeit", "Möglichkeit"),
    ],
)
def test_several_of_a_stage(name: str, several: str) -> None:
    assert plural(name) == several


def test_words_agree_with_their_number() -> None:
    told = [counted(number, "win is", "wins are") for number in (0, 1, 1.04, 2, 0.5, 1_200)]
    assert told == ["0 wins are", "1 win is", "1.0 wins are", "2 wins are", "0.5 wins are", "1,200 wins are"]
    assert counted(0.2, "MQL", kind="commitment") == "1 MQL"
    assert counted(31.2, "MQL", kind="commitment") == "32 MQLs"


def test_a_number_in_a_message_has_no_exponent() -> None:
    assert [digits(value) for value in (1830.0, 1e9, 0.00012, 1e-9, 0.3, 1234567.0, -5.0)] == [
        "1,830",
        "1,000,000,000",
        "0.00012",
        "0.000000001",
        "0.3",
        "1,234,570",
        "-5",
    ]


def test_a_difference_has_its_sign_and_nothing_has_none() -> None:
    assert [with_sign(value, "EUR") for value in (5000, -5000, 0.0, -0.0, -1e-9, 1e-9)] == ["+€5k", "−€5k", *["€0"] * 4]


def test_a_lag_of_years_is_told_in_days() -> None:
    assert lag_words(Lag(median_days=1825.0, p90_days=4000.0)) == "median 1,825 days, P90 4,000"
    assert lag_words(Lag(median_days=1.0, p90_days=4.0)) == "median 1 day, P90 4"


ALIKE = [
    "rate lead to sql, Small and medium-sized businesses of the manufacturing industry x Field events",
    "rate lead to sql, Small and medium-sized businesses of the manufacturing industry x Organic search",
    "rate lead to sql, Small and medium-sized businesses of the manufacturing industry",
    "rate sqo to won, Small",
]


def test_names_that_begin_alike_are_cut_where_they_differ() -> None:
    assert fitting_names(ALIKE, 38) == [
        "rate lead to…industry x Field events",
        "rate lead to…industry x Organic search",
        "rate lead to…industry",
        "rate sqo to won, Small",
    ]
    assert fitting_names(["mid", "mid"], 38) == ["mid", "mid"]


@given(st.lists(st.text(alphabet="ab w", min_size=1, max_size=60), min_size=1, max_size=9), st.integers(10, 40))
def test_different_names_stay_different_and_fit(names: list[str], width: int) -> None:
    told = fitting_names(names, width)
    assert max(map(len, told)) <= width
    assert len(set(told)) == len({clean(name) for name in names})


def test_bars_of_a_slide_read_differently() -> None:
    bars = Chart(said="So it is.", form="bars", categories=tuple(ALIKE), series=(), kind="money")
    assert len(set(named(bars, 9.0).categories)) == len(ALIKE)


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


def rows(count: int) -> list[SlideColumn]:
    """A table of `count` rows, the last its total."""
    names = tuple(f"region {n}" for n in range(count - 1))
    return [
        SlideColumn(label="Segment", cells=(*names, "Total"), number=False),
        SlideColumn(label="ARR", cells=tuple("1,000" for _ in range(count)), number=True),
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
