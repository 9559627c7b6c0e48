"""Which font holds a character, and what is written where none does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from revplan.exhibits import fonts
from revplan.exhibits.fonts import Font, advice, covering, lacking, legible, without_font

HELD = {"latin": "abc", "asia": "日本語한", "korea": "한국", "all": "\ue000"}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine with the fonts of `HELD`."""
    known = tuple(Font(path=name, index=0, family=name) for name in HELD)
    monkeypatch.setattr(fonts, "_installed", lambda: known)
    monkeypatch.setattr(fonts, "_characters", lambda path, index: frozenset(HELD[path]))
    covering.cache_clear()
    yield
    covering.cache_clear()


def names(characters: str) -> list[str]:
    """The families that cover `characters`."""
    return [font.family for font in covering(frozenset(characters))]


def test_as_few_fonts_as_hold_the_most(installed: None) -> None:
    assert names("日本한국") == ["asia", "korea"]
    assert names("한국") == ["korea"]
    assert names("日ไ") == ["asia"]
    assert names("ไ") == []
    assert names("") == []


def test_nobody_knows_what_a_private_character_means(installed: None) -> None:
    assert names("\ue000") == []
    assert without_font(frozenset("日\ue000ไ")) == frozenset("\ue000ไ")


def test_dejavu_holds_the_scripts_around_the_mediterranean_and_formats_need_no_outline() -> None:
    assert lacking(["Zażółć Ελλάδα Україна שלום مرحبا −→✓ 2\u00a0%", "e\u0301\u200d\ufe0f\u00ad"]) == frozenset()
    assert lacking(["日本 x", "ไ"]) == frozenset("日本ไ")


def test_runs_without_a_font_become_code_points() -> None:
    assert legible("日本 Ltd ^-]日", frozenset("日本^-]")) == "[65E5 672C] Ltd [005E 002D 005D 65E5]"
    assert legible("plain", frozenset("日")) == "plain"


def test_the_fonts_to_install_are_named_once() -> None:
    said = "No installed font has some characters of the names; they are written as code points in brackets."
    assert advice(frozenset()) == ""
    assert advice(frozenset("日本한ไ")) == f"{said} Fonts to install: Noto Sans CJK, Noto Sans Thai."
    assert advice(frozenset("🚀")) == f"{said} Fonts to install: Noto Sans Symbols 2."
    assert advice(frozenset("\ue000\u0378")) == said


def test_the_fonts_of_this_machine_can_be_listed() -> None:
    assert all(font.family for font in fonts._installed())
    assert not any(font.family.startswith(fonts.BLANK) for font in fonts._installed())
