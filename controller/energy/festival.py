"""Festivals of the moon and of the solar terms as days of the Gregorian calendar.

Only the festivals themselves are taken from `holidays`: which days are off, and what is substituted, is the office's
calendar (`controller.office`) and not the tariff's. The off-peak days (離峰日) are a list of the tariff's own: a
substitute day off, a make-up workday or a typhoon day changes no price, so the two are kept apart.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import holidays

if TYPE_CHECKING:
    from datetime import date

__all__ = ["FESTIVALS", "festival"]

FESTIVALS = {
    "lunar_new_year": "Chinese New Year",
    "tomb_sweeping": "Tomb-Sweeping Day",
    "dragon_boat": "Dragon Boat Festival",
    "mid_autumn": "Mid-Autumn Festival",
}
"""Names as in tariff.toml, and as the library calls them: lunar 1/1, Qingming, lunar 5/5, lunar 8/15."""


def festival(name: str, year: int) -> date:
    """Return the day of a festival in a year (AD 2000 to 2100).

    Raises:
        KeyError: no such festival.
        ValueError: the year is beyond the library's tables.
    """
    wanted = FESTIVALS[name]
    try:
        return _festivals(year)[wanted]
    except KeyError:
        raise ValueError(f"{name} of {year}: its day is not known; wanted a year from 2000 to 2100") from None


@lru_cache(maxsize=64)
def _festivals(year: int) -> dict[str, date]:
    found: dict[str, date] = {}
    listed = holidays.country_holidays("TW", years=year, observed=False, language="en_US")
    for day, said in sorted(listed.items()):
        for name in said.split("; "):
            found.setdefault(name, day)
    return {name: found[name] for name in FESTIVALS.values() if name in found}
