"""Single-use sign-in links: the one that makes the first administrator, and those of the demo.

The token stands behind `#` in the address, so that it reaches no log and no Referer; the page posts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from controller.identity.permission import Role
from controller.identity.session import digest, secret
from controller.journal import schema

if TYPE_CHECKING:
    from controller.identity.account import StateStore
    from drivers.driver import Clock

__all__ = ["LINK_S", "Link", "LinkBook"]

LINK_S = 24 * 3600.0
"""How long a link is good, seconds."""


@dataclass(frozen=True, slots=True)
class Link:
    """One link that was not used yet."""

    hash: str
    role: Role
    user: str
    created_ns: int
    expires_ns: int
    first_admin: bool
    loopback: bool = False
    """True: good from this machine alone. Such links live in memory only and end with the process."""


class LinkBook:
    """The links that are still good."""

    def __init__(self, store: StateStore, clock: Clock) -> None:
        """Begin empty."""
        self._store = store
        self._clock = clock
        self._links: dict[str, Link] = {}

    async def read(self) -> None:
        """Take over the unused links of the last run."""
        row = schema.sign_in_link
        for found in await self._store.fetch(select(row).where(row.c.used_ns.is_(None))):
            self._links[found.hash] = Link(
                found.hash, Role(found.role), found.user, found.created_ns, found.expires_ns, bool(found.first_admin)
            )

    def make(
        self, role: Role, user: str, *, first_admin: bool = False, loopback: bool = False
    ) -> tuple[str, list[Any]]:
        """Make a link for a user, which ends the earlier ones; returns its token and what to post."""
        raw, now_ns = secret(), self._clock.now_ns()
        link = Link(digest(raw), role, user, now_ns, now_ns + round(LINK_S * 1e9), first_admin, loopback)
        row = schema.sign_in_link
        statements: list[Any] = []
        for old in [entry for entry in self._links.values() if entry.user == user]:
            del self._links[old.hash]
            statements.append(update(row).where(row.c.hash == old.hash).values(used_ns=now_ns))
        self._links[link.hash] = link
        if not loopback:
            statements.append(
                insert(row).values(
                    hash=link.hash,
                    role=role.value,
                    user=user,
                    created_ns=now_ns,
                    expires_ns=link.expires_ns,
                    first_admin=first_admin,
                )
            )
        return raw, statements

    def find(self, raw: str) -> Link | None:
        """Return the link of a token when it is still good."""
        link = self._links.get(digest(raw))
        now_ns = self._clock.now_ns()
        if link is None or not link.created_ns <= now_ns < link.expires_ns:
            return None
        return link

    def use(self, link: Link) -> list[Any]:
        """Mark as used; returns what to post."""
        self._links.pop(link.hash, None)
        if link.loopback:
            return []
        row = schema.sign_in_link
        return [update(row).where(row.c.hash == link.hash).values(used_ns=self._clock.now_ns())]
