"""Numbers of addresses, given once and for ever. Pure: the journal keeps the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from controller.errors import ConflictError, InvalidError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Registry"]

_HIGHEST = 2**31 - 1


class Registry:
    """Append-only map of address → point number, filled with the rows that the journal holds.

    Numbers begin at 1 and are never given twice, not even when their point leaves the site: log and history know points
    by number alone. A renamed point keeps its number.

    Raises:
        InvalidError: two rows share a number or an address, or a number is outside of 1..2³¹-1.
    """

    def __init__(self, rows: Iterable[tuple[int, str]] = ()) -> None:
        self.new: list[tuple[int, str]] = []
        """Numbers given since the start, to be kept in the journal; whoever has kept them empties the list."""
        self.renamed: list[tuple[str, str]] = []
        """(old, new) of renames since the start, to be kept likewise."""
        self._number: dict[str, int] = {}
        self._address: dict[int, str] = {}
        for number, address in rows:
            if not 1 <= number <= _HIGHEST:
                raise InvalidError(f"point number {number} of {address}: a number from 1 to {_HIGHEST} is wanted")
            if number in self._address:
                raise InvalidError(f"point number {number} belongs to {self._address[number]} and to {address}")
            if address in self._number:
                raise InvalidError(f"{address} has the point numbers {self._number[address]} and {number}")
            self._number[address] = number
            self._address[number] = address
        self._next = max(self._address, default=0) + 1

    def __len__(self) -> int:
        return len(self._number)

    def __contains__(self, address: str) -> bool:
        return address in self._number

    def number(self, address: str) -> int:
        """Return the number of an address; a new one if it has none, which is then in `new`."""
        known = self._number.get(address)
        if known is not None:
            return known
        number = self._next
        self._next += 1
        self._number[address] = number
        self._address[number] = address
        self.new.append((number, address))
        return number

    def address(self, number: int) -> str:
        """Return the address of a number.

        Raises:
            NotFoundError: the number was never given.
        """
        try:
            return self._address[number]
        except KeyError:
            raise NotFoundError(f"point number {number} was never given") from None

    def rename(self, old: str, new: str) -> int:
        """Give the number of `old` to `new`, and return it. `old` is free afterwards and would get a new number.

        Raises:
            NotFoundError: `old` has no number.
            ConflictError: `new` has one already.
        """
        if old not in self._number:
            raise NotFoundError(f"{old} has no point number; nothing to rename to {new}")
        if new in self._number:
            raise ConflictError(f"{new} has the point number {self._number[new]} already; choose another address")
        number = self._number.pop(old)
        self._number[new] = number
        self._address[number] = new
        self.renamed.append((old, new))
        return number
