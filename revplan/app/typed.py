"""Numbers as people type them: 31, 31 %, 31,5, 29,000, $1.2M."""

from __future__ import annotations

import re

from revplan.errors import shown

UNITS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9}
_NUMBER = re.compile(r"([+-]?)([0-9][0-9.,]*|[.,][0-9]+)([kmb]?)")
_THOUSANDS = re.compile(r"[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?|[0-9]{1,3}(\.[0-9]{3})+,[0-9]*|[0-9]{1,3}(\.[0-9]{3}){2,}")
_LONGEST = 40


def typed_number(text: str) -> float:
    """The number that was typed; percent signs, currencies and separators of thousands are taken off.

    A comma is a decimal mark unless exactly three digits follow it.

    Raises
    ------
    ValueError
        In words, if it is no number.
    """
    bare = re.sub(r"[\s%$€£_'\u202f\u00a0]|^[A-Za-z]{3}(?=[\s0-9])|(?<=[0-9\s])[A-Z]{3}$", "", text)
    found = _NUMBER.fullmatch(bare.lower().replace("\u2212", "-")) if len(text) <= _LONGEST else None
    if found is None:
        raise ValueError(f"{shown(text)!r} is no number; write it like 28.4" if text.strip() else "nothing was written")
    sign, digits, unit = found.groups()
    try:
        return float(sign + _plain(digits)) * UNITS[unit]
    except ValueError:
        raise ValueError(f"{shown(text)!r} is no number; write it like 28.4") from None


def _plain(digits: str) -> str:
    """Digits with a point as their only mark."""
    if _THOUSANDS.fullmatch(digits):
        decimal = max(digits.rfind("."), digits.rfind(","))
        european = (digits[decimal] == "," and "." in digits) or digits.count(".") > 1
        return digits.replace(".", "").replace(",", ".") if european else digits.replace(",", "")
    return digits.replace(",", ".")
