"""Names made safe to print: they come from plan files and CRM exports, so from anyone."""

from __future__ import annotations

import html
import re
import unicodedata

_HIDDEN = frozenset("\u200b\u200e\u200f\u061c\ufeff\ufffe\uffff") | frozenset(
    chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))
)

MARKUP = re.compile(r"(^[-+]|[\\`*\[\]#|!~{}]|(?<!\w)_|_(?!\w)|:(?=//))")
"""What Markdown takes for more than a character, where it does; < and > are HTML before."""


LONGEST_WORD = 100
LONG_WORD = re.compile(rf"([^\s\u3000-\u303f\uff00-\uffef]{{{LONGEST_WORD - 1}}})[^\s\u3000-\u303f\uff00-\uffef]{{2,}}")
"""A word no line holds. East Asian sentences have no spaces; their commas and stops end a word here."""


def clean(text: object) -> str:
    """`text` on one line, without control characters, bidirectional overrides or half characters.

    A right-to-left override in a name would turn around the digits that follow it.
    """
    text = str(text)
    if text.isascii() and text.isprintable():
        return " ".join(text.split())
    kept = (" " if c.isspace() else c for c in text if c not in _HIDDEN)
    return " ".join("".join(_printable(c) for c in kept).split())


def cut_words(text: str) -> str:
    """`text` with every word of more than a hundred characters cut: it would fill a page and say nothing."""
    return LONG_WORD.sub("\\1…", text) if len(text) > LONGEST_WORD else text


def escape(text: object) -> str:
    """`text` cleaned, for HTML: as content or between double quotes."""
    return html.escape(clean(text), quote=True)


def markdown(text: object) -> str:
    """`text` cleaned, for Markdown: shown as it is, neither markup nor HTML nor a link."""
    return MARKUP.sub(r"\\\1", html.escape(clean(text), quote=False))


def spreadsheet(text: str) -> str:
    """`text` for a cell of a CSV file: a spreadsheet takes what begins with = + - @ for a formula."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def css_string(text: object) -> str:
    """`text` cleaned, as a quoted CSS string: all but letters, digits and spaces as code points.

    The space after a code point ends it and is not shown.
    """
    return '"' + "".join(c if c.isalnum() or c == " " else f"\\{ord(c):x} " for c in clean(text)) + '"'


def _printable(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    return "" if category == "Cc" else character
