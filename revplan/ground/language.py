"""The reader's language: what was written in English, with that language's words, numbers, months and dates.

revplan thinks and writes in English. Another language is a catalogue, `languages/CODE.po`, of what reports say: each
sentence once, with places for what it tells:

    {n} a number, an amount or a share      {p} a day, a month or a quarter
    {s} one word, such as a currency        {x} names, as the plan has them
    {t} words that have an entry of their own

Several of a kind are numbered ({n}, {n2}), and stand in the translation in whatever order it needs. A text that no
entry covers as a whole stays in English, its numbers too: half of one language in another misleads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, partial
from pathlib import Path

from revplan.ground.calendar import MONTHS
from revplan.ground.errors import shown
from revplan.ground.formats import MISSING, SYMBOLS

ENGLISH = "en"
FOLDER = Path(__file__).parents[1] / "languages"

LEAP_YEAR = 2000  # in which every day there is has its place
_MONTH = "|".join(MONTHS)
_PERIOD = re.compile(
    rf"(?<!\w)(?:(?P<day>\d{{1,2}}) (?P<of>{_MONTH})(?: (?P<dated>\d{{4}}))?"
    rf"|(?P<first>{_MONTH})(?:-(?P<last>{_MONTH}))? (?P<year>\d{{4}}))(?!\w)"
)
_FISCAL = r"(?: \((?:Q\d )?FY\d\d(?: to Q\d)?\))?"
"""What a quarter or a year is called beside its months."""
_SO_FAR = re.compile(r"(?<!\w)(FY\d\d) to (Q\d)(?!\w)")
"""What a year up to the end of a quarter is called."""

_NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)"
_AMOUNT = re.compile(
    rf"(?<![\w.,/#])(?<!\w-)(?P<currency>[$€£]|[A-Z]{{3}} )?(?P<number>{_NUMBER})(?P<unit>[kMB](?!\w))?(?P<share>%)?"
    r"(?!\w|[.,-]\d)"
)
_BOUND = re.compile(rf"\b(over|under) (?={_NUMBER}%)")
"""What a share is said to be at least or at most, where it is too near to all or nothing to be told."""
_PLACES: Mapping[str, str] = {
    "n": rf"(?:(?:over|under) (?={_NUMBER}%))?[−+]?(?:[$€£]|[A-Z]{{3}} )?{_NUMBER}[kMB]?%?|−?∞|{MISSING}",
    "p": r"[^.;:]{2,60}?",
    "s": r"\S+",
    "x": r"(?:(?!\. )[^;]){1,400}?",
    "t": r".+?",
}
_PLACE = re.compile(r"\{(?P<kind>[npsxt])(?P<number>\d*)\}")
_ENDS = (re.compile(r"(?:(?<=[.!?])|(?<=[.!?]\))) (?=\S)"), re.compile(r"(?<=[:;]) (?=\S)"))
"""Where sentences end, and then clauses."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Language:
    """What reports say in one language."""

    code: str
    texts: Mapping[str, str]
    """English to this language, both with places."""
    words: Mapping[str, str] = field(default_factory=dict)
    """The few words that are put together with others: `k`, `M`, `B` of amounts, `and` of lists, `to` of FY27 to Q3, `over` and
    `under` of shares."""

    def said(self, text: str) -> str | None:
        """`text` in this language; None where no entry covers it as a whole."""
        return _said(self, " ".join(text.split()))

    def numbers(self, text: str) -> str:
        """`text` with its numbers, amounts, months and days as this language writes them; its words as they are."""
        so_far = _SO_FAR.sub(lambda found: f"{found[1]} {self.words['to']} {found[2]}", text)
        bound = _BOUND.sub(lambda found: f"{self.words.get(found[1], found[1])} ", so_far)
        dated = _PERIOD.sub(lambda found: _period(found, self.code), bound)
        return _AMOUNT.sub(lambda found: _amount(found, self), dated)


def unknown_language(code: str) -> str:
    """What is wrong with the code of a language; empty where it is one of `languages`."""
    choices = languages()
    return (
        ""
        if code in choices
        else f"{shown(code)} is not a language reports are written in; available: {', '.join(choices)}"
    )


def languages() -> list[str]:
    """Codes of the languages reports can be had in, English first."""
    return [ENGLISH, *sorted(path.stem for path in FOLDER.glob("*.po"))]


@cache
def language(code: str) -> Language:
    """The language of that code, one of `languages`."""
    from babel.messages.pofile import read_po

    with (FOLDER / f"{code}.po").open("rb") as file:
        entries = [each for each in read_po(file, locale=code) if each.id and each.string]
    texts = {str(each.id): str(each.string) for each in entries if not each.context}
    words = {str(each.id): str(each.string) for each in entries if each.context}
    return Language(code=code, texts=texts, words=words)


def numbers_in(text: str, code: str) -> str:
    """`text` with its numbers, months and days as the language `code` writes them."""
    return text if code == ENGLISH else language(code).numbers(text)


@cache
def _said(spoken: Language, text: str) -> str | None:
    if not re.search(
        r"[^\W\d_]{2}", _AMOUNT.sub("", re.sub(rf"(?:{_PERIOD.pattern}){_FISCAL}", "", _BOUND.sub("", text)))
    ):
        return spoken.numbers(text)
    return next(_covering(spoken, text), None) or _in_pieces(spoken, text)


def _covering(spoken: Language, text: str) -> Iterator[str]:
    """What the entries that cover the whole text make of it, the most specific first."""
    if text in spoken.texts:
        yield spoken.texts[text]
    for pattern, translation in _patterns(spoken):
        if found := pattern.fullmatch(text):
            told = {f"{{{name}}}": _told(spoken, name, part) for name, part in found.groupdict().items()}
            if None not in told.values():
                yield re.sub(_PLACE, partial(_filled, told), translation)


def _filled(told: Mapping[str, str | None], place: re.Match[str]) -> str:
    return str(told[place[0]])


def _told(spoken: Language, name: str, part: str) -> str | None:
    """What stands in a place of an entry; None where it does not belong there."""
    if name[0] == "t":
        return spoken.said(part)
    if name[0] == "p" and not re.search(r"\d", part):
        return None
    listed = re.split(r"(, | and )", part) if name[0] == "x" else [part]
    words = {" and ": f" {spoken.words['and']} "}
    return "".join(words.get(each) or spoken.texts.get(each) or spoken.numbers(each) for each in listed)


def _in_pieces(spoken: Language, text: str) -> str | None:
    """Sentence by sentence, or clause by clause, where each has an entry."""
    for ends in _ENDS:
        pieces = ends.split(text)
        told = [spoken.said(each) for each in pieces] if len(pieces) > 1 else [None]
        if None not in told:
            return " ".join(map(str, told))
    return None


@cache
def _patterns(spoken: Language) -> list[tuple[re.Pattern[str], str]]:
    """The entries with places, those first that say most in words."""
    placed = [each for each in spoken.texts.items() if _PLACE.search(each[0])]
    placed.sort(key=lambda each: -len(_PLACE.sub("", each[0])))
    return [(_pattern(english), told) for english, told in placed]


def _pattern(english: str) -> re.Pattern[str]:
    """What an entry covers."""
    parts, at = [], 0
    for place in _PLACE.finditer(english):
        parts += [
            re.escape(english[at : place.start()]),
            f"(?P<{place[0][1:-1]}>{_PLACES[place['kind']]})",
        ]
        at = place.end()
    return re.compile("".join([*parts, re.escape(english[at:])]))


def _period(found: re.Match[str], code: str) -> str:
    """A day or months as a language writes them."""
    from babel.dates import format_skeleton, get_month_names

    if found["day"]:
        skeleton, year = ("yMMMd", int(found["dated"])) if found["dated"] else ("MMMd", LEAP_YEAR)
        try:
            return format_skeleton(skeleton, date(year, MONTHS.index(found["of"]) + 1, int(found["day"])), locale=code)
        except ValueError:
            return found[0]
    year = int(found["year"])
    last = MONTHS.index(found["last"] or found["first"]) + 1
    ending = format_skeleton("yMMM", date(year, last, 1), locale=code)
    first = get_month_names("abbreviated", locale=code)[MONTHS.index(found["first"]) + 1]
    return f"{first}–{ending}" if found["last"] else ending


def _amount(found: re.Match[str], spoken: Language) -> str:
    """A number as a language writes it; years and counts below a thousand are the same everywhere."""
    from babel import Locale

    there, marks = Locale.parse(spoken.code), _symbols(spoken.code)
    number = "".join(marks.get(each, each) for each in found["number"])
    if found["share"]:
        return number + there.percent_formats[None].pattern.strip("#,0.")
    if found["unit"]:
        number += f"\u00a0{spoken.words.get(found['unit'], found['unit'])}"
    currency = (found["currency"] or "").strip()
    if not currency:
        return number
    is_symbol = currency in SYMBOLS.values()
    if (is_symbol or currency in there.currencies) and not there.currency_formats["standard"].pattern.startswith("¤"):
        return f"{number}\u00a0{currency}"
    return f"{currency}{'' if is_symbol else ' '}{number}"


@cache
def _symbols(code: str) -> dict[str, str]:
    """What the language `code` writes for the English comma and point of a number."""
    from babel.numbers import get_decimal_symbol, get_group_symbol

    return {",": get_group_symbol(code), ".": get_decimal_symbol(code)}


def marks_of(code: str) -> tuple[str, Mapping[str, str]]:
    """What the language `code` writes before decimals, and its words for thousands, millions and billions."""
    return (".", {}) if code == ENGLISH else (_symbols(code)["."], language(code).words)


def as_entry(text: str) -> str:
    """A text as an entry of a catalogue would have it: its days and numbers as places, numbered where there are several."""
    count = {"n": 0, "p": 0}

    def placed(kind: str) -> str:
        count[kind] += 1
        return f"{{{kind}{count[kind] if count[kind] > 1 else ''}}}"

    dated = re.sub(rf"(?:{_PERIOD.pattern}){_FISCAL}", lambda _: placed("p"), text)
    return _AMOUNT.sub(lambda found: placed("n"), re.sub(rf"[−+](?={_NUMBER}|[$€£])", "", dated))
