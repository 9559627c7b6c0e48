"""Reports in another language: numbers, months and days as it writes them, every sentence whole, names as people wrote them."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
from hard_companies import COMPANIES
from lxml import html
from pptx import Presentation

from revplan.cli.commands import main
from revplan.crm.planfile import read_plan
from revplan.exhibits.figures import MIMETYPE
from revplan.ground.language import FOLDER, Language, language, languages
from revplan.printing.blocks import exhibits
from revplan.printing.page import page
from revplan.printing.slides.chart import number_format
from revplan.printing.slides.deck import deck
from revplan.printing.translated import translated, written_in

PACKAGE = FOLDER.parent
PLACE = re.compile(r"\{[npsxt]\d*\}")
NBSP = "\u00a0"


def language_of(*pairs: tuple[str, str]) -> Language:
    return Language(
        code="de", texts=dict(pairs), words={"k": "Tsd.", "M": "Mio.", "B": "Mrd.", "and": "und", "to": "bis"}
    )


@pytest.mark.parametrize(
    ("english", "german"),
    [
        ("$2.64M", f"2,64{NBSP}Mio.{NBSP}$"),
        ("−$160k", f"−160{NBSP}Tsd.{NBSP}$"),
        ("CHF 1,200", f"1.200{NBSP}CHF"),
        ("48.7%", f"48,7{NBSP}%"),
        ("1,228", "1.228"),
        ("0.175", "0,175"),
        ("2027", "2027"),
        ("30 Sep 2026", "30. Sept. 2026"),
        ("Jul-Sep 2026 (Q3 FY26)", "Juli–Sept. 2026 (Q3 FY26)"),
        ("Jan-Sep 2026 (FY26 to Q3)", "Jan.–Sept. 2026 (FY26 bis Q3)"),
        ("31 Feb 2026", "31 Feb 2026"),
        ("29 Feb, 3 Jul", "29. Feb., 3. Juli"),
        ("0.4.0", "0.4.0"),
        ("2026-09-30", "2026-09-30"),
        ("leads_1.5.csv", "leads_1.5.csv"),
        ("ARR 1,200", "ARR 1.200"),
        ("P90, FY26, Q3", "P90, FY26, Q3"),
    ],
)
def test_numbers_and_days_are_written_as_the_language_writes_them(english: str, german: str) -> None:
    assert language("de").numbers(english) == german


def test_an_entry_puts_what_it_is_told_in_its_own_order() -> None:
    said = language_of(("{n} of {n2} {x} by {p}", "bis {p}: von {n2} {x} {n}")).said
    assert said("1,200 of 3,400.5 Leads by 30 Sep 2026") == "bis 30. Sept. 2026: von 3.400,5 Leads 1.200"


def test_a_share_that_is_told_by_its_bound_is_a_number() -> None:
    texts = {"{p}: {n} chance.": "{p}: Chance {n}."}
    spoken = Language(code="de", texts=texts, words={"over": "über", "under": "unter", "and": "und", "to": "bis"})
    assert spoken.said("Jun 2026: over 99.9% chance.") == f"Juni 2026: Chance über 99,9{NBSP}%."
    assert spoken.said("Jun 2026: under 0.1% chance.") == f"Juni 2026: Chance unter 0,1{NBSP}%."
    assert language("de").said("over 99.9%") == f"über 99,9{NBSP}%"


def test_a_text_without_an_entry_stays_whole_its_numbers_too() -> None:
    assert language_of(("Known.", "Bekannt.")).said("Known. Unknown are 1,200 things here.") is None


def test_words_in_a_place_for_words_need_an_entry_of_their_own() -> None:
    said = language_of(("Action: {t}.", "Maßnahme: {t}."), ("sell more", "mehr verkaufen")).said
    assert said("Action: sell more.") == "Maßnahme: mehr verkaufen."
    assert said("Action: do nothing at all.") is None


def test_names_stay_as_they_are_and_lists_have_the_word_of_the_language() -> None:
    said = language_of(("too thin in {x}", "zu dünn in {x}"), ("sales", "Vertrieb")).said
    assert said("too thin in smb, sales and North 1,000") == "zu dünn in smb, Vertrieb und North 1.000"


def test_a_name_that_looks_like_a_place_is_a_name() -> None:
    said = language_of(("in {x}", "in {x}")).said
    assert said("in {n2} \\1 {x}") == "in {n2} \\1 {x}"


@pytest.mark.parametrize("code", languages()[1:])
def test_every_entry_tells_what_the_english_one_tells(code: str) -> None:
    for english, other in language(code).texts.items():
        assert set(PLACE.findall(english)) == set(PLACE.findall(other)), english


@pytest.mark.parametrize("code", languages()[1:])
def test_every_label_and_definition_has_an_entry(code: str) -> None:
    words = {"currency": "USD", "unit": "SQLs", "confidence": "80%", "period": "Jul-Sep 2026 (Q3 FY26)"}
    labels = [row["label"] for row in rows(PACKAGE / "ground" / "tables.csv")]
    filled = [re.sub(r"\{(\w+)\}", lambda left: words.get(left[1], "SQLs"), label) for label in labels]
    defined = [
        row[name] for row in rows(PACKAGE / "exhibits" / "measures.csv") for name in ("label", "formula", "source")
    ]
    assert [text for text in {*filled, *defined} if text and language(code).said(text) is None] == []


def rows(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


@pytest.mark.parametrize("report", ["annual_commit", "board_report"])
@pytest.mark.parametrize("name", sorted(COMPANIES))
def test_the_packs_of_hard_companies_leave_no_sentence_in_english(name: str, report: str, executed) -> None:  # type: ignore[no-untyped-def]
    done = executed(name, report)
    assert translated(done.notebook, "de", written_in(read_plan(done.plan))).left == ()


@pytest.mark.parametrize("name", sorted(name for name, each in COMPANIES.items() if each.begun and each.recorded))
def test_the_retrospectives_of_hard_companies_leave_no_sentence_in_english(name: str, executed) -> None:  # type: ignore[no-untyped-def]
    test_the_packs_of_hard_companies_leave_no_sentence_in_english(name, "retrospective", executed)


def test_every_printing_is_in_the_language_and_shows_every_figure(executed) -> None:  # type: ignore[no-untyped-def]
    done = executed("one segment", "board_report")
    told = translated(done.notebook, "de", written_in(read_plan(done.plan))).notebook
    set_page = html.fromstring(page(told, "board_report"))
    assert set_page.get("lang") == "de"
    texts = " ".join(set_page.text_content().split())
    assert "Risiken und Maßnahmen" in texts
    assert "Risks and asks" not in texts
    for raw in exhibits(told):
        for figure in raw["figures"]:
            if figure["column"] == "message":
                assert figure["text"] in raw["message"]
    slides = Presentation(io.BytesIO(deck(told, "board_report")))
    words = [shape.text_frame.text for slide in slides.slides for shape in slide.shapes if shape.has_text_frame]
    assert "Definitionen und Quellen" in words


def test_values_behind_the_texts_are_untouched(executed) -> None:  # type: ignore[no-untyped-def]
    done = executed("one segment", "annual_commit").notebook
    told = translated(done, "de").notebook
    for before, after in zip(exhibits(done), exhibits(told), strict=True):
        assert [each["value"] for each in after["figures"]] == [each["value"] for each in before["figures"]]
        assert after["rows"] == before["rows"]
    assert "language" not in done.metadata["revplan"]


def test_markup_in_a_name_stays_text(executed) -> None:  # type: ignore[no-untyped-def]
    name = next(each for each in COMPANIES if "hostile" in each)
    told = translated(executed(name, "annual_commit").notebook, "de").notebook
    bodies = [
        output["data"].get("text/html", "")
        for cell in told.cells
        for output in cell.get("outputs", [])
        if MIMETYPE in output["data"]
    ]
    assert not any("<script" in body for body in bodies)


@pytest.mark.parametrize(
    ("text", "format_"),
    [
        (f"2,64{NBSP}Mio.{NBSP}$", f'#,##0.00,,"{NBSP}Mio.{NBSP}$";#,##0.00,,"{NBSP}Mio.{NBSP}$"'),
        (f"48,7{NBSP}%", f'#,##0.0"{NBSP}"%;#,##0.0"{NBSP}"%'),
        ("1.228", "#,##0;#,##0"),
    ],
)
def test_labels_of_native_charts_follow_their_cells_in_the_language(text: str, format_: str) -> None:
    assert number_format(text, "de") == format_


def test_a_language_that_is_not_there_is_refused(
    small_plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", "annual_commit", str(small_plan), "--out", str(tmp_path / "out"), "--language", "xx"]) == 2
    assert "xx is not a language reports are written in; available: en, de" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_workbook_alone_has_no_other_language(
    small_plan: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["report", "annual_commit", str(small_plan), "--out", str(tmp_path / "out"), "--formats", "xlsx"]
    assert main([*asked, "--language", "de"]) == 2
    assert "the live workbook is in English" in capsys.readouterr().err
