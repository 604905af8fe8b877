"""Search over the names of everything: Chinese by any part, English by beginnings of words, addresses by their parts.

An index is built once a configuration. Every thing becomes one line of text, in which a hit is found with one scan over
all lines together, and the few hits are then ranked.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from controller.point.model import Site

__all__ = ["Hit", "SearchIndex"]

_MAX_QUERY = 100
_MAX_CANDIDATES = 20_000
_WORDS = re.compile(r"[^\W_]+")
_PARTS = re.compile(r"[a-z]+|\d+|[^\W\d_a-z]+")


@dataclass(frozen=True, slots=True)
class Hit:
    """One thing found."""

    kind: str
    """`equipment` or `point`."""
    address: str
    score: int
    """Higher is better; comparable within one search only."""


@dataclass(frozen=True, slots=True)
class _Thing:
    kind: str
    address: str
    name: str
    """zh-TW and English name, folded."""
    last: str
    """Last part of the address, folded."""
    line: str
    words: tuple[str, ...]
    initials: str


class SearchIndex:
    """Index over the equipment and points of a site."""

    def __init__(self, site: Site) -> None:
        things: list[_Thing] = []
        names: dict[str, str] = {}
        for piece in site.equipment.values():
            own = f"{piece.name.zh} {piece.name.en}"
            names[piece.address] = own
            extra = f"{piece.maker} {piece.model} {piece.serial} {piece.floor} {piece.cls}"
            things.append(_thing("equipment", piece.address, own, piece.name.en, "", extra))
        for point in site.points.values():
            own = f"{point.name.zh} {point.name.en}"
            things.append(
                _thing("point", point.address, own, point.name.en, names.get(point.equipment, ""), point.device)
            )
        self._things: Sequence[_Thing] = things
        # One text for all, so that a query is one scan in C and no Python loop over thousands of things.
        self._starts: list[int] = []
        at = 0
        for thing in things:
            self._starts.append(at)
            at += len(thing.line) + 1
        self._text = "\n".join(thing.line for thing in things)

    def __len__(self) -> int:
        return len(self._things)

    def search(self, q: str, limit: int = 20) -> list[Hit]:
        """Return the best hits, at most `limit`; equipment before points of equal score, then by address.

        Every word of `q` (at most 100 characters are read) must be found: anywhere in names, address, maker, model or
        device, or as the initials of the English name. Whole names and beginnings of words come first. Width and case
        of letters do not matter.
        """
        terms = _fold(q[:_MAX_QUERY]).split()
        if not terms or limit <= 0:
            return []
        rarest = max(terms, key=len)
        hits = []
        for thing in islice(self._candidates(rarest), _MAX_CANDIDATES):
            score = 0
            for term in terms:
                if (found := _score(thing, term)) == 0:
                    break
                score += found
            else:
                if thing.name.startswith(" ".join(terms)):
                    score += 20
                hits.append(Hit(thing.kind, thing.address, score))
        hits.sort(key=lambda hit: (-hit.score, hit.kind != "equipment", len(hit.address), hit.address))
        return hits[:limit]

    def _candidates(self, term: str) -> Iterator[_Thing]:
        """Return each thing whose line has `term`, once."""
        at = self._text.find(term)
        while at >= 0:
            place = bisect_right(self._starts, at) - 1
            yield self._things[place]
            if place + 1 >= len(self._starts):
                return
            at = self._text.find(term, self._starts[place + 1])


def _fold(text: str) -> str:
    """Return text without differences of width (NFKC), case and line ends."""
    return unicodedata.normalize("NFKC", text).casefold().replace("\n", " ").replace("_", " ").replace("-", " ")


def _thing(kind: str, address: str, name: str, en: str, parent: str, extra: str) -> _Thing:
    """Return one thing; its own name weighs more than its parent's."""
    name = _fold(name)
    dotted = _fold(address)
    initials = "".join(word[0] for word in _WORDS.findall(_fold(en)))
    line = " ".join(part for part in (name, dotted, _fold(parent), _fold(extra), initials) if part)
    words = frozenset(_WORDS.findall(f"{name} {dotted}")) | frozenset(_PARTS.findall(f"{name} {dotted}"))
    return _Thing(kind, address, name, dotted.rpartition(".")[2], line, tuple(sorted(words)), initials)


def _score(thing: _Thing, term: str) -> int:
    """Return how well one word of the query fits; 0 when it does not."""
    if term not in thing.line:
        return 0
    if term in (thing.last, thing.initials):
        return 10
    if term in thing.words:
        return 9
    if thing.name.startswith(term):
        return 8
    if any(word.startswith(term) for word in thing.words):
        return 6
    if term in thing.name:
        return 5
    return 2
