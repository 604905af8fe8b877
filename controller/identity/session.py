"""Sessions: random ids of 256 bits, of which only hashes are kept.

30 minutes idle (sliding) and 12 hours in all (OWASP ASVS 3.3.2), both on the monotonic clock, so that a calendar set
back extends nothing. After a restart the rest is taken from the calendar and can only be shorter than the whole.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from controller.journal import schema

if TYPE_CHECKING:
    from controller.identity.account import StateStore
    from drivers.driver import Clock

__all__ = ["ABSOLUTE_S", "IDLE_S", "Session", "SessionBook", "digest", "secret"]

IDLE_S = 30 * 60.0
ABSOLUTE_S = 12 * 3600.0
PER_USER = 16
"""Sessions of one user; the oldest ends when one more begins."""
_WRITE_S = 60.0
"""`seen` is written to disk at most this often."""


def secret() -> str:
    """Return 256 random bits as text for a URL or a cookie."""
    return secrets.token_urlsafe(32)


def digest(value: str) -> str:
    """Return what is kept of a secret: SHA-256, hex. Salt and slowness are not needed for 256 random bits."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(slots=True)
class Session:
    """One signed-in browser."""

    id_hash: str
    user: str
    csrf: str
    address: str
    created_ns: int
    expires_ns: int
    ends: float
    """Monotonic end of the absolute time."""
    seen: float
    """Monotonic time of the last request."""
    written: float


class SessionBook:
    """All sessions in memory; their rows follow in the state database."""

    def __init__(self, store: StateStore, clock: Clock, idle_s: float = IDLE_S, absolute_s: float = ABSOLUTE_S) -> None:
        """Begin empty; `read` takes over the sessions of the last run."""
        self._store = store
        self._clock = clock
        self._idle_s = idle_s
        self._absolute_s = absolute_s
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    async def read(self) -> None:
        """Take over the sessions of the last run that still have time left."""
        now_ns, now = self._clock.now_ns(), self._clock.monotonic()
        for row in await self._store.fetch(select(schema.session)):
            left = min((row.expires_ns - now_ns) / 1e9, self._absolute_s)
            idle = (now_ns - row.seen_ns) / 1e9
            if left <= 0 or idle >= self._idle_s or row.created_ns > now_ns:
                self._store.post(delete(schema.session).where(schema.session.c.id_hash == row.id_hash))
                continue
            self._sessions[row.id_hash] = Session(
                row.id_hash,
                row.user,
                row.csrf,
                row.address,
                row.created_ns,
                row.expires_ns,
                now + left,
                now - max(0.0, idle),
                now,
            )

    def begin(self, user: str, address: str) -> tuple[str, Session, list[Any]]:
        """Open a session; returns the secret for the cookie, the session, and the statements to post."""
        raw = secret()
        now_ns, now = self._clock.now_ns(), self._clock.monotonic()
        expires_ns = now_ns + round(self._absolute_s * 1e9)
        entry = Session(digest(raw), user, secret(), address, now_ns, expires_ns, now + self._absolute_s, now, now)
        own = sorted((s for s in self._sessions.values() if s.user == user), key=lambda s: s.ends)
        statements: list[Any] = []
        for old in own[: max(0, len(own) - PER_USER + 1)]:
            statements += self.end(old.id_hash)
        self._sessions[entry.id_hash] = entry
        statements.append(
            insert(schema.session).values(
                id_hash=entry.id_hash,
                user=user,
                csrf=entry.csrf,
                created_ns=now_ns,
                seen_ns=now_ns,
                expires_ns=expires_ns,
                address=address,
            )
        )
        return raw, entry, statements

    def get(self, id_hash: str) -> Session | None:
        """Return a session that still runs, without prolonging it."""
        entry = self._sessions.get(id_hash)
        if entry is None:
            return None
        now = self._clock.monotonic()
        if now >= entry.ends or now - entry.seen >= self._idle_s:
            del self._sessions[id_hash]
            return None
        return entry

    def touch(self, entry: Session) -> list[Any]:
        """Prolong the idle time; returns what to post, mostly nothing."""
        entry.seen = self._clock.monotonic()
        if entry.seen - entry.written < _WRITE_S:
            return []
        entry.written = entry.seen
        row = schema.session
        return [update(row).where(row.c.id_hash == entry.id_hash).values(seen_ns=self._clock.now_ns())]

    def end(self, id_hash: str) -> list[Any]:
        """End one session now; returns what to post."""
        self._sessions.pop(id_hash, None)
        return [delete(schema.session).where(schema.session.c.id_hash == id_hash)]

    def end_all(self, user: str, keep: str = "") -> list[Any]:
        """End all sessions of a user, but `keep`; returns what to post."""
        for id_hash in [s.id_hash for s in self._sessions.values() if s.user == user and s.id_hash != keep]:
            del self._sessions[id_hash]
        row = schema.session
        return [delete(row).where(row.c.user == user, row.c.id_hash != keep)]
