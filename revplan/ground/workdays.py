"""Which days are worked: weekends, the public holidays of a country or region, and a company's own closures.

Both ends of a stretch of days are counted in it, everywhere: from 1 April 2024 to 1 July 2024 are 64 working days of
the United States, 63 to the day before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from functools import lru_cache

import numpy as np

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SATURDAY_AND_SUNDAY = (5, 6)


@dataclass(frozen=True)
class Workdays:
    """The working days of one place: a value, so that two of the same are equal."""

    weekend: tuple[int, ...] = SATURDAY_AND_SUNDAY
    """Days of the week that are not worked, Monday being 0."""
    country: str = ""
    """Two-letter code of the country whose public holidays are not worked; none where empty."""
    region: str = ""
    """Code of its region, whose holidays are added; those of the whole country only where empty."""
    closures: frozenset[date] = frozenset()
    """Further days that are not worked."""

    def are_worked(self, first: date, last: date) -> np.ndarray:
        """Whether each day from `first` to `last`, both included, is worked."""
        days = np.arange(np.datetime64(first, "D"), np.datetime64(last, "D") + 1)
        weekday = (days.astype(np.int64) + 3) % 7  # 1 January 1970 was a Thursday
        free = np.isin(weekday, self.weekend)
        off = [*self.closures, *self._holidays(first.year, last.year)]
        return ~(free | np.isin(days, np.array(off, dtype="datetime64[D]")))

    def count(self, first: date, last: date) -> int:
        """Working days from `first` to `last`, both included. [days]

        >>> us = Workdays(country="US")
        >>> us.count(date(2024, 4, 1), date(2024, 7, 1)), us.count(date(2024, 4, 1), date(2024, 6, 30))
        (64, 63)
        """
        return int(self.are_worked(first, last).sum()) if first <= last else 0

    def _holidays(self, first_year: int, last_year: int) -> tuple[date, ...]:
        return tuple(
            day for year in range(first_year, last_year + 1) for day in holidays_of(self.country, self.region, year)
        )


@lru_cache(maxsize=512)
def holidays_of(country: str, region: str, year: int) -> tuple[date, ...]:
    """The public holidays of a year, days given for those that fall on a weekend included; none without a country."""
    if not country:
        return ()
    from holidays import country_holidays

    return tuple(sorted(country_holidays(country, subdiv=region or None, years=year)))


def unknown_place(country: str, region: str) -> str:
    """What is wrong with the code of a country or region, and what to write; empty where nothing is."""
    if not country:
        return f"got region {region!r} without a country; name the country too" if region else ""
    from holidays import list_supported_countries

    given = list_supported_countries(include_aliases=False)
    if country not in given:
        return f"no public holidays are known of country {country!r}{_meant(country, list(given))}; write its two-letter code, such as US"
    if region and region not in given[country]:
        of = ", ".join(given[country]) or "none"
        return f"{country} has no region {region!r}{_meant(region, list(given[country]))}; its regions are {of}"
    return ""


def _meant(code: str, given: list[str]) -> str:
    like = [code.upper()] if code.upper() in given else get_close_matches(code.upper(), given, 1)
    return f" (did you mean {like[0]}?)" if like else ""
