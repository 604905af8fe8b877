"""Acknowledge links: 256 random bits that acknowledge one occurrence of one alarm, once, with the rights of one user.

The text goes out in a message and is kept nowhere; the state database has its hash. Opening the link shows a page and
changes nothing, because programs that scan mail open links too; the button on that page does.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from controller.journal.schema import acknowledge_link

if TYPE_CHECKING:
    from controller.journal.journal import Journal
    from drivers.driver import Clock

__all__ = ["AcknowledgeLink", "AcknowledgeLinks", "digest"]

LIFE_S = 12 * 3600.0
_NAMES = ("hash", "user", "alarm", "occurrence", "message", "created_ns", "expires_ns")
_insert = insert(acknowledge_link)


def digest(text: str) -> str:
    """Return what is kept of a secret: SHA-256, hex."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class AcknowledgeLink:
    """One link without its secret."""

    hash: str
    user: str
    alarm: str
    occurrence: str
    message: str
    created_ns: int
    expires_ns: int


class AcknowledgeLinks:
    """Makes links and finds them again."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        """Work on the state database."""
        self._journal = journal
        self._clock = clock

    def make(self, user: str, alarm: str, occurrence: str, message: str) -> str:
        """Return the secret of a new link; durable with the journal's next commit."""
        raw = secrets.token_urlsafe(32)
        now_ns = self._clock.now_ns()
        row = {
            "hash": digest(raw),
            "user": user,
            "alarm": alarm,
            "occurrence": occurrence,
            "message": message,
            "created_ns": now_ns,
            "expires_ns": now_ns + round(LIFE_S * 1e9),
        }
        self._journal.fact((_insert, row))
        return raw

    async def find(self, raw: str) -> AcknowledgeLink | None:
        """Return a link that was not used and has not expired; None for any other."""
        rows = acknowledge_link.c
        query = select(acknowledge_link).where(rows.hash == digest(raw), rows.used_ns.is_(None))
        for row in await self._journal.fetch(query):
            if row.created_ns <= self._clock.now_ns() < row.expires_ns:
                return AcknowledgeLink(**{name: getattr(row, name) for name in _NAMES})
        return None

    async def use(self, link: AcknowledgeLink) -> bool:
        """Use a link up; False when somebody did meanwhile.

        Raises:
            UnavailableError: that cannot be kept, and the link is as it was.
        """
        rows = acknowledge_link.c
        counts = await self._journal.write(
            update(acknowledge_link)
            .where(rows.hash == link.hash, rows.used_ns.is_(None))
            .values(used_ns=self._clock.now_ns())
        )
        return counts[0] == 1
