"""How days, months and amounts are written: texts in, values out, and which texts are none.

Only what has one meaning is understood. 03/04/2026 and 1.200 have two, so whoever names the column must say which.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from revplan.ground.tablefile import DAY_US, NUMBERED

YEARS = (1970, 2100)
EARLIEST, LATEST = (np.datetime64(f"{year}-01-01", "us") for year in (YEARS[0], YEARS[1] + 1))
NO_DAY = np.datetime64("NaT", "us")

# --- days ---------------------------------------------------------------------------------------------------

CLOCK = r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?"
ZONE = r" ?(?:Z|UTC|GMT|[+-][0-9]{2}(?::?[0-9]{2})?)"
ISO_DAY = re.compile(rf"[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}(?:[T ]{CLOCK}(?:{ZONE})?)?")
ISO_START = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
YEAR_FIRST = re.compile(
    r"(?P<year>[0-9]{4})(?P<mark>[-/.])(?P<month>[0-9]{1,2})(?P=mark)(?P<day>[0-9]{1,2})(?P<rest>\D.*)?"
)
OFFSET = re.compile(rf":[0-9.,:]+{ZONE}$")
TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p", "T%H:%M:%S", ", %H:%M", ", %H:%M:%S",
         ", %I:%M %p", ", %I:%M:%S %p", " %H:%M:%S %z", " %H:%M %z", " %I:%M %p %z")  # fmt: skip
"""What may stand behind a declared day."""
HALF = re.compile(r"(?<=[0-9]) ?([AaPp])\.?[Mm]\.?$")  # 2:05 p.m. and 2:05pm are 2:05 PM
MONTHS = {  # names and their short forms in the languages CRMs speak; no two months share one
    1: "jan january januar jänner jän janvier janv enero ene gennaio gen janeiro januari",
    2: "feb february februar février févr fév fevrier febrero febbraio fevereiro fev februari",
    3: "mar march märz mär mrz mars marzo março maart mrt",
    4: "apr april avril avr abril abr aprile",
    5: "may mai mayo maggio mag maio mei",
    6: "jun june juni juin junio giugno giu junho",
    7: "jul july juli juillet juil julio luglio lug julho",
    8: "aug august août aout agosto ago augustus",
    9: "sep sept september septembre septiembre settembre set setembro",
    10: "oct october oktober okt octobre octubre ottobre ott outubro out",
    11: "nov november novembre noviembre novembro",
    12: "dec december dezember dez décembre déc decembre diciembre dic dicembre dezembro",
}
EPOCHS = ("epoch_ms", "epoch_s")
MONTH_NAMES = {name: month for month, names in MONTHS.items() for name in names.split()}
NAMED_DAY = re.compile(  # 15 Apr, 2021 00:03:00 and April 15th, 2021: a month by its name has one meaning
    r"(?:[^\W\d_]{2,12}\.?,? )?"
    r"(?:(?P<day>[0-9]{1,2})(?:st|nd|rd|th|er|º)?\.?(?: de|-| )? ?(?P<month>[^\W\d_]{3,12})\.?(?: de)?,?"
    r"|(?P<month_first>[^\W\d_]{3,12})\.? (?P<day_after>[0-9]{1,2})(?:st|nd|rd|th)?,?)"
    r"(?: de)?[ -](?P<year>[0-9]{4}|(?<=-)[0-9]{2})"
    rf"(?:,? (?:at |um |à )?(?P<time>{CLOCK})(?: ?(?P<half>[AaPp])\.?[Mm]\.?)?)?(?P<zone>{ZONE})?"
)
DATE_FORMATS = (
    "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d",
    "%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%m-%y", "%Y-%d-%m", *NUMBERED,
)  # fmt: skip
"""Ways to write days that are looked through for what a column may mean."""
FIRST_NUMBERED = np.datetime64("1995-01-01", "us")
MOSTLY_DAYS = 0.9
NUMBERS_OF_DAYS = {
    "%Y%m%d": (1990, 2100),
    "epoch_ms": (1990, 2100),
    "epoch_s": (1990, 2100),
    "excel_serial": (1980, 2100),
}
"""Formats that are numbers, and the years in which numbers are taken for days unasked."""
DIGITS = {"%Y%m%d": re.compile(r"(?:19|20)[0-9]{6}"), "epoch_ms": re.compile(r"[0-9]{12,13}(?:\.0)?"), "epoch_s": re.compile(r"[0-9]{9,10}(?:\.[0-9]{1,6})?"),
          "excel_serial": re.compile(r"[0-9]{5}(?:\.[0-9]{1,12})?")}  # fmt: skip


def moments_in(texts: Sequence[str], date_format: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The moments written in `texts`, in UTC where an offset is written, and which of the texts are a day of 1970 to 2100."""
    if date_format in NUMBERED:
        return _numbered_moments(texts, date_format)
    if date_format:
        return _declared_moments(texts, date_format)
    # days that have one meaning however a column is written: the year first, or the month by its name
    texts = [_as_iso(text) for text in texts]
    readable = pd.Series([text if ISO_DAY.fullmatch(text) else None for text in texts], dtype=object)
    return _sound(pd.to_datetime(readable, format="ISO8601", utc=True, errors="coerce"))


def numbered_format(texts: Iterable[str]) -> str | None:
    """The format by which all of `texts` are days of our time: epoch_ms, epoch_s or excel_serial; None where none is."""
    said = [text for text in texts if text]
    for name, (first, last) in NUMBERS_OF_DAYS.items():
        if said and all(DIGITS[name].fullmatch(text) for text in said):
            moments, sound = moments_in(said, name)
            low, high = np.datetime64(f"{first}-01-01", "us"), np.datetime64(f"{last}-01-01", "us")
            if sound.all() and (moments >= low).all() and (moments < high).all():
                return name
    return None


def formats_of(texts: Sequence[str], formats: Sequence[str] = DATE_FORMATS, least: float = MOSTLY_DAYS) -> list[str]:
    """Those of `formats` by which every one of `texts` is a day, or all but a few; the best first, an equal best beside it.

    A number may be a day in several ways, so it must be one of our time. The empty format is that of days written unasked.
    """
    shares: dict[str, float] = {}
    for each in formats if texts else ():
        moments, sound = moments_in(texts, each or None)
        shares[each] = float((sound & (moments >= FIRST_NUMBERED) if each in NUMBERED else sound).mean())
    best = max(shares.values(), default=0.0)
    return [each for each, share in shares.items() if share == best and best >= least]


def _as_iso(text: str) -> str:
    """`text` as 2021-04-15 00:03:00, where it is a day with its month by name or its year first; any other as it is."""
    if ISO_START.match(text):
        text = text.replace(",", ".") if len(text) > 10 else text
        return re.sub(r" ?(UTC|GMT)$", "Z", text) if text.endswith(("UTC", "GMT")) else text
    if match := YEAR_FIRST.fullmatch(text):
        return f"{match['year']}-{int(match['month']):02d}-{int(match['day']):02d}{match['rest'] or ''}"
    match = NAMED_DAY.fullmatch(text) if any(map(str.isalpha, text)) else None
    month = MONTH_NAMES.get((match["month"] or match["month_first"]).casefold()) if match else None
    if match is None or month is None:
        return text
    year = match["year"] if len(match["year"]) == 4 else _whole_year(match["year"])
    clock, half = match["time"] or "", (match["half"] or "").casefold()
    if half:
        hour, _, rest = clock.partition(":")
        if not 1 <= int(hour) <= 12:
            return text
        clock = f"{int(hour) % 12 + 12 * (half == 'p'):02d}:{rest}"
    day = int(match["day"] or match["day_after"])
    zone = re.sub(r"UTC|GMT", "Z", (match["zone"] or "").strip()) if clock else ""
    return f"{year}-{month:02d}-{day:02d}" + (f" {clock.replace(',', '.')}{zone}" if clock else "")


def _whole_year(two: str) -> str:
    """The year of two digits, as POSIX has it: 69 to 99 are of the last century."""
    return f"{'19' if int(two) >= 69 else '20'}{two}"


def _declared_moments(texts: Sequence[str], date_format: str) -> tuple[np.ndarray, np.ndarray]:
    """The moments written in a format, each with a time of day behind the day or without."""
    day = re.split(r"[T, ]*%[HI]", date_format)[0]
    named = "%B" in day or "%b" in day
    tidied = [
        HALF.sub(lambda half: f" {half[1].upper()}M", text) if named or text.isascii() else None for text in texts
    ]
    readable = pd.Series(tidied, dtype=object)
    parsed = pd.to_datetime(readable, format=date_format, utc=True, errors="coerce").dt.as_unit("us")
    clocked = readable.str.contains(":", regex=False, na=False).astype(bool)
    for other in (day + clock for clock in TIMES if day + clock != date_format):
        if (open_ones := parsed.isna() & (clocked if other != day else readable.notna())).any():
            others = pd.to_datetime(readable[open_ones], format=other, utc=True, errors="coerce").dt.as_unit("us")
            parsed[open_ones] = others
    return _sound(parsed)


def _sound(parsed: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    moments = parsed.dt.tz_localize(None).astype("datetime64[us]")
    return moments.to_numpy(), moments.dt.year.between(*YEARS).to_numpy()


def _numbered_moments(texts: Sequence[str], date_format: str) -> tuple[np.ndarray, np.ndarray]:
    start, unit = NUMBERED[date_format]
    numbers = pd.to_numeric(pd.Series(list(texts), dtype=object), errors="coerce") * (unit / DAY_US)
    plausible = numbers.between(0, 366 * (YEARS[1] - 1899))
    moments = start + np.round(numbers.where(plausible, 0).to_numpy(dtype=float) * DAY_US).astype("timedelta64[us]")
    found, sound = _sound(pd.Series(moments).dt.tz_localize("UTC"))
    return np.where(plausible, found, NO_DAY), sound & plausible.to_numpy()


# --- months -------------------------------------------------------------------------------------------------

MONTH = re.compile(
    r"(?P<year>[12][0-9]{3})(?:[-/. ]|M|-M)?(?P<month>0[1-9]|1[0-2])|(?P<m>0?[1-9]|1[0-2])[-/. ](?P<y>[12][0-9]{3})"
)
NAMED_MONTH = re.compile(
    r"(?P<month>[^\W\d_]{3,12})\.?(?:[ -]|[ -]?['’]|, | de )(?P<year>[12][0-9]{3}|[0-9]{2})|(?P<y>[12][0-9]{3})[ -](?P<m>[^\W\d_]{3,12})\.?"
)


def months_in(texts: Sequence[str], date_format: str | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The first day of the month that each text names, or in which its day lies; and which of the texts are one."""
    found = np.array([_month(text) for text in texts], dtype="datetime64[M]")
    days, sound = moments_in(texts, date_format)
    months = np.where(np.isnat(found) & sound, days.astype("datetime64[M]"), found)
    return months.astype("datetime64[us]"), ~np.isnat(months)


def _month(text: str) -> np.datetime64:
    if match := MONTH.fullmatch(text):
        return np.datetime64(f"{match['year'] or match['y']}-{int(match['month'] or match['m']):02d}", "M")
    match = NAMED_MONTH.fullmatch(text)
    month = MONTH_NAMES.get((match["month"] or match["m"]).casefold()) if match else None
    if match is None or month is None:
        return np.datetime64("NaT", "M")
    year = match["year"] or match["y"]
    return np.datetime64(f"{year if len(year) == 4 else _whole_year(year)}-{month:02d}", "M")


# --- amounts ------------------------------------------------------------------------------------------------

SIGN = r"(?:US\$|C\$|A\$|R\$|[$€£¥₹₽₩₺₪฿]|[A-Z]{3}|kr\.?|zł|Kč|Ft|lei|Fr\.|руб\.?)?"
SPACES = "\u00a0\u202f\u2009\u2007\u2002\u2003"  # spaces that part thousands or stand before a sign
GROUPED = re.compile(r"(?<=[0-9])[\s'’ʼ´`](?=[0-9]{3}(?![0-9]))")  # 1 200 and 1'200
AMOUNT = re.compile(
    rf"(?P<opening>[-+]?\(?)(?P<before>{SIGN}) ?-? ?"
    r"(?P<digits>(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}|[0-9]+)(?:\.[0-9]+)?|\.[0-9]+)"
    rf"(?P<power>[eE]\+?[0-9]+)?(?P<scale>[KM]?) ?(?P<after>{SIGN})(?P<behind>-?)(?P<closing>\)?)"
)
CODES = {"€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "руб": "RUB", "руб.": "RUB", "US$": "USD", "C$": "CAD", "A$": "AUD",
         "R$": "BRL", "zł": "PLN", "Kč": "CZK", "Ft": "HUF", "Fr.": "CHF", "₩": "KRW", "₺": "TRY"}  # fmt: skip
"""Signs that mean one currency."""
SIGNS = {
    "$": ("USD", "CAD", "AUD", "NZD", "SGD", "HKD", "TWD", "MXN", "ARS", "CLP", "COP"),
    "£": ("GBP", "EGP"),
    "¥": ("JPY", "CNY"),
    "₪": ("ILS",),
    "฿": ("THB",),
    **dict.fromkeys(("kr", "kr."), ("SEK", "NOK", "DKK", "ISK")),
    "lei": ("RON", "MDL"),
}
"""Signs of several currencies, the likeliest first, and those of one that no rate is asked for under."""
SCALES = {"": 1.0, "K": 1e3, "M": 1e6}
THOUSAND_OR_FRACTION = re.compile(rf"[-+(]*{SIGN} ?[1-9][0-9]{{0,2}}\.[0-9]{{3}} ?{SIGN}-?\)?")
PLAIN = re.compile(r"[-$(A-Z]*[0-9.,]+\)?")
"""Amounts without anything that must be written otherwise before they are read."""
PLAINER = dict.fromkeys(map(ord, SPACES), " ") | {ord("\u2212"): "-"}
TURNED = {ord("."): ",", ord(","): "."}
SWISS_END = re.compile(r"(?<=[0-9])\.[-–—]+$")  # CHF 1'200.– has no centimes


def codes_of(found: str) -> tuple[str, ...]:
    """The codes of the currencies that a sign, or a text with a code, may stand for, the likeliest first."""
    code = re.search(r"\b[A-Z]{3}\b", found)
    return SIGNS.get(found) or ((CODES.get(found) or (code[0] if code else found)),)


def may_be(found: str, currency: str) -> bool:
    """Whether a sign or code may stand for a currency; what says nothing may."""
    return not found or not currency or currency in codes_of(found)


def with_point(text: str, decimal: str | None) -> str:
    """An amount with a point before its fraction and commas between its thousands, if any."""
    if not PLAIN.fullmatch(text):
        text = SWISS_END.sub("", GROUPED.sub("", text.translate(PLAINER)))
    return text.translate(TURNED) if decimal == "," else text


def number_of(match: re.Match[str] | None) -> float:
    """The amount that a match of AMOUNT says; not a number where it says none."""
    if match is None or ("(" in match[0]) != (")" in match[0]) or match[0].count("-") > 1:
        return np.nan
    number = float(match["digits"].replace(",", "") + (match["power"] or "")) * SCALES[match["scale"]]
    return -number if "-" in match[0] or "(" in match[0] else number
