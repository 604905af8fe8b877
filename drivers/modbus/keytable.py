"""Typed access to one table of a profile, with messages that say file, point and key."""

from __future__ import annotations

import math
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from drivers.errors import ProfileError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KeyTable"]

T = TypeVar("T")


class KeyTable:
    """One table of a profile. Every method raises `ProfileError` where the value is not usable."""

    def __init__(self, table: Mapping[str, Any], where: str, known: set[str]) -> None:
        """`where` begins every message; a key that is not in `known` is refused."""
        self.keys = table
        self.where = where
        for key in table:
            if key not in known:
                raise ProfileError(f"{where}{key}: unknown key; known are {', '.join(sorted(known))}")

    def whole(self, key: str, default: int | None, low: int, high: int) -> int:
        """Read a whole number, `low` to `high`; without a default the key must be there."""
        value = self.keys.get(key, default)
        if value is None:
            raise ProfileError(f"{self.where}{key} is missing")
        if type(value) is not int or not low <= value <= high:
            raise ProfileError(f"{self.where}{key}: got {value!r}, wanted a whole number from {low} to {high}")
        return value

    def optional_whole(self, key: str, low: int, high: int) -> int | None:
        """Read a whole number, or None where the key is not there."""
        return self.whole(key, None, low, high) if key in self.keys else None

    def number(self, key: str, default: float | None, low: float, high: float) -> float:
        """Read a number, `low` to `high`; without a default the key must be there."""
        value = self.keys.get(key, default)
        if value is None:
            raise ProfileError(f"{self.where}{key} is missing")
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ProfileError(f"{self.where}{key}: got {value!r}, wanted a number from {low:g} to {high:g}")
        return float(value)

    def choice(self, key: str, known: tuple[T, ...], default: T) -> T:
        """Read one of the known values."""
        value = self.keys.get(key, default)
        if isinstance(value, bool) or value not in known:
            raise ProfileError(f"{self.where}{key}: got {value!r}, wanted one of {', '.join(str(k) for k in known)}")
        return cast("T", value)

    def truth(self, key: str, *, default: bool) -> bool:
        """Read true or false."""
        value = self.keys.get(key, default)
        if not isinstance(value, bool):
            raise ProfileError(f"{self.where}{key}: got {value!r}, wanted true or false")
        return value

    def table(self, key: str) -> Mapping[str, Any]:
        """Read a table; empty where the key is not there."""
        value = self.keys.get(key, {})
        if not isinstance(value, dict):
            raise ProfileError(f"{self.where}{key}: got {value!r}, wanted a table")
        return value

    def numbers(self, key: str) -> Mapping[str, float]:
        """Read texts with a number each: `{ "A" = 0, "C" = 2 }`; empty where the key is not there."""
        table = self.table(key)
        for name, value in table.items():
            if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
                raise ProfileError(f"{self.where}{key}: got {name} = {value!r}, wanted a number")
        return {name: float(value) for name, value in table.items()}

    def wholes(self, key: str) -> tuple[int, ...]:
        """Read a list of whole numbers; patterns above 2^63 - 1, which TOML has not, as text: "0xFFFFFFFFFFFFFFFF"."""
        value = self.keys.get(key, [])
        if not isinstance(value, list):
            raise ProfileError(f"{self.where}{key}: got {value!r}, wanted a list of whole numbers")
        numbers = []
        for item in value:
            if type(item) is int:
                numbers.append(item)
            elif isinstance(item, str) and re.fullmatch("0x[0-9A-Fa-f]{1,16}", item):
                numbers.append(int(item, 16))
            else:
                raise ProfileError(f"{self.where}{key}: got {item!r}, wanted a whole number")
        return tuple(numbers)

    def words(self, key: str, registers: int = 1) -> Mapping[int, int]:
        """Read states and the words (of so many registers) that mean them: `{ "0" = 0x047E, "1" = 0x047F }`."""
        words = {}
        for state, word in self.table(key).items():
            if not state.lstrip("-").isdigit() or type(word) is not int or not 0 <= word < 1 << 16 * registers:
                raise ProfileError(f'{self.where}{key}: got {state} = {word!r}, wanted a state like "1" and a word')
            words[int(state)] = word
        return MappingProxyType(words)
