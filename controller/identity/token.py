"""API tokens for programs: `shifu_…`, shown once, kept as a hash, never more than their owner may do now."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from controller.errors import InvalidError, NotFoundError
from controller.identity.permission import Action, PermissionSet
from controller.identity.session import digest, secret
from controller.journal import schema

if TYPE_CHECKING:
    from controller.identity.account import StateStore
    from drivers.driver import Clock

__all__ = ["PREFIX", "Token", "TokenBook"]

PREFIX = "shifu_"
"""Begins every token, so that scanners of leaked secrets know them."""
MAXIMUM = 1_000
"""Tokens that are kept at once."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token without its secret."""

    id: str
    user: str
    name: str
    hash: str
    permissions: PermissionSet
    created_ns: int
    expires_ns: int | None


class TokenBook:
    """The tokens that are not revoked."""

    def __init__(self, store: StateStore, clock: Clock) -> None:
        """Begin empty."""
        self._store = store
        self._clock = clock
        self._tokens: dict[str, Token] = {}

    async def read(self) -> None:
        """Read the tokens of the state database."""
        row = schema.token
        for found in await self._store.fetch(select(row).where(row.c.revoked.is_(False))):
            self._tokens[found.hash] = Token(
                found.id,
                found.user,
                found.name,
                found.hash,
                PermissionSet.parse(found.permissions),
                found.created_ns,
                found.expires_ns,
            )

    def make(
        self, user: str, owner: PermissionSet, name: str, permissions: PermissionSet, expires_s: float | None
    ) -> tuple[str, Token, list[Any]]:
        """Make a token; returns its text (shown once), the token, and what to post.

        Raises:
            InvalidError: no permission, more than the owner has, or one to manage users; or too many tokens.
        """
        if not permissions.pairs:
            raise InvalidError("a token without permissions can do nothing; name at least one pair of action and area")
        if permissions.anywhere(Action.MANAGE_USERS):
            raise InvalidError("a token cannot manage users; leave 'manage_users' out")
        if not owner.covers(permissions):
            raise InvalidError("a token cannot do more than its owner; leave out the pairs that you do not have")
        if len(self._tokens) >= MAXIMUM:
            raise InvalidError(f"there are {MAXIMUM} tokens already; revoke one that is not used")
        raw = PREFIX + secret()
        now_ns = self._clock.now_ns()
        entry = Token(
            secrets.token_hex(8),
            user,
            name,
            digest(raw),
            permissions,
            now_ns,
            None if expires_s is None else now_ns + round(expires_s * 1e9),
        )
        statement = insert(schema.token).values(
            id=entry.id,
            user=user,
            name=name,
            hash=entry.hash,
            permissions=permissions.rows(),
            created_ns=now_ns,
            expires_ns=entry.expires_ns,
        )
        self._tokens[entry.hash] = entry
        return raw, entry, [statement]

    def find(self, raw: str) -> Token | None:
        """Return the token of a text when it is still good."""
        return self.by_hash(digest(raw)) if raw.startswith(PREFIX) else None

    def by_hash(self, value: str) -> Token | None:
        """Return the token of a hash when it is still good."""
        entry = self._tokens.get(value)
        if entry is None or (entry.expires_ns is not None and self._clock.now_ns() >= entry.expires_ns):
            return None
        return entry

    def all(self) -> list[Token]:
        """Return all tokens that are not revoked, oldest first."""
        return sorted(self._tokens.values(), key=lambda entry: (entry.created_ns, entry.id))

    def revoke(self, token_id: str) -> tuple[Token, list[Any]]:
        """End a token now; returns it and what to post.

        Raises:
            NotFoundError: no such token.
        """
        for entry in self._tokens.values():
            if entry.id == token_id:
                del self._tokens[entry.hash]
                return entry, [update(schema.token).where(schema.token.c.id == token_id).values(revoked=True)]
        raise NotFoundError(f"no token {token_id[:40]!r}; GET /api/v1/tokens lists them")

    def revoke_all(self, user: str) -> list[Any]:
        """End all tokens of a user now; returns what to post."""
        self._tokens = {key: entry for key, entry in self._tokens.items() if entry.user != user}
        return [update(schema.token).where(schema.token.c.user == user).values(revoked=True)]
