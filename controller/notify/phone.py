"""Phones that get push messages, and the language of their users. The rows of the state database are all there is."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from sqlalchemy import bindparam, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from controller.errors import ConflictError, InvalidError, NotFoundError
from controller.journal.schema import notify_person, push_subscription

if TYPE_CHECKING:
    from collections.abc import Iterable

    from controller.journal.journal import Journal
    from drivers.driver import Clock

__all__ = ["VENDORS", "Phone", "PhoneBook", "check_endpoint"]

PER_USER = 10
VENDORS = (
    "fcm.googleapis.com",
    "updates.push.services.mozilla.com",
    ".push.services.mozilla.com",
    ".notify.windows.com",
    "web.push.apple.com",
    ".push.apple.com",
)
"""Push services of the browsers; a name that begins with a dot stands for all below it. Nothing else is called, so that
a forged subscription cannot have the controller knock at doors of the house."""


def check_endpoint(endpoint: str, hosts: Iterable[str]) -> str:
    """Return the address of a push service, or refuse it.

    Args:
        endpoint: as the browser gave it.
        hosts: hosts of the house that may be called too, also without TLS.

    Raises:
        InvalidError: neither a push service of a browser nor a listed host.
    """
    parts = urlsplit(endpoint)
    host = (parts.hostname or "").lower()
    vendor = any(host == name or (name.startswith(".") and host.endswith(name)) for name in VENDORS)
    if parts.username is None and (
        (parts.scheme == "https" and vendor) or (parts.scheme in ("http", "https") and host in hosts)
    ):
        return endpoint
    raise InvalidError(
        f"push service {host[:80]!r}: it is none of the browsers' and not in `hosts` of notify.toml; nothing was kept"
    )


@dataclass(frozen=True, slots=True)
class Phone:
    """One subscribed browser."""

    id: str
    user: str
    label: str
    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)
    created_ns: int
    sent_ns: int | None
    received_ns: int | None
    """When it last said that a message came."""
    gone_ns: int | None
    """When the push service said that the subscription is over; the phone is to be set up again."""


def _phone(row: Any) -> Phone:
    return Phone(**{name: getattr(row, name) for name in Phone.__dataclass_fields__})


class PhoneBook:
    """Reads and writes the rows; nothing is kept in memory, for messages are rare and rows are few."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        """Work on the state database."""
        self._journal = journal
        self._clock = clock

    async def of(self, users: Iterable[str]) -> list[Phone]:
        """Return the phones of these users that still take messages, oldest first."""
        rows = push_subscription.c
        query = select(push_subscription).where(rows.user.in_(list(users)), rows.gone_ns.is_(None))
        return [_phone(row) for row in await self._journal.fetch(query.order_by(rows.created_ns, rows.id))]

    async def all_of(self, user: str) -> list[Phone]:
        """Return every phone of a user, also those whose subscription is over."""
        rows = push_subscription.c
        query = select(push_subscription).where(rows.user == user).order_by(rows.created_ns, rows.id)
        return [_phone(row) for row in await self._journal.fetch(query)]

    async def add(self, user: str, label: str, endpoint: str, p256dh: str, auth: str) -> Phone:
        """Keep a subscription; one with the same endpoint is taken over by who has the phone now.

        Raises:
            ConflictError: the user has `PER_USER` phones already.
            UnavailableError: it cannot be kept.
        """
        rows = push_subscription.c
        mine = select(func.count()).select_from(push_subscription).where(rows.user == user, rows.endpoint != endpoint)
        if (await self._journal.fetch(mine))[0][0] >= PER_USER:
            raise ConflictError(f"there are {PER_USER} phones already; take one away that is not used")
        phone = Phone(secrets.token_hex(8), user, label, endpoint, p256dh, auth, self._clock.now_ns(), None, None, None)
        values = {name: getattr(phone, name) for name in Phone.__dataclass_fields__}
        await self._journal.write(
            delete(push_subscription).where(rows.endpoint == endpoint),
            insert(push_subscription).values(**values, receipt=""),
        )
        return phone

    async def remove(self, user: str, phone: str) -> None:
        """Take a phone of a user away.

        Raises:
            NotFoundError: the user has no such phone.
        """
        rows = push_subscription.c
        counts = await self._journal.write(delete(push_subscription).where(rows.id == phone, rows.user == user))
        if not counts[0]:
            raise NotFoundError(f"no phone {phone[:40]!r}; GET /api/v1/phone lists your own")

    def gone(self, phone: Phone) -> None:
        """Note that the push service knows the subscription no more: its keys go, the user is told."""
        now_ns = self._clock.now_ns()
        values = {"gone_ns": now_ns, "p256dh": "", "auth": "", "endpoint": f"gone:{phone.id}", "receipt": ""}
        self._journal.fact((_update_phone(tuple(values)), {"of_id": phone.id, **_named(values)}))

    def sent(self, phone: Phone, receipt_hash: str) -> None:
        """Note that the push service took a message, and by which receipt the phone will say that it came."""
        values = {"sent_ns": self._clock.now_ns(), "receipt": receipt_hash}
        self._journal.fact((_update_phone(tuple(values)), {"of_id": phone.id, **_named(values)}))

    async def received(self, receipt_hash: str) -> bool:
        """Note that a phone said that a message came; False when nobody waits for this receipt."""
        rows = push_subscription.c
        counts = await self._journal.write(
            update(push_subscription)
            .where(rows.receipt == receipt_hash, rows.receipt != "")
            .values(received_ns=self._clock.now_ns(), receipt="")
        )
        return bool(counts[0])

    async def languages(self, users: Iterable[str]) -> dict[str, Literal["zh", "en"]]:
        """Return the languages that users chose; those who chose none are not in it."""
        query = select(notify_person).where(notify_person.c.user.in_(list(users)))
        return {row.user: "en" if row.language == "en" else "zh" for row in await self._journal.fetch(query)}

    async def speak(self, user: str, language: str) -> None:
        """Keep the language of a user's messages."""
        statement = insert(notify_person).values(user=user, language=language)
        await self._journal.write(statement.on_conflict_do_update(index_elements=["user"], set_={"language": language}))


def _named(values: dict[str, Any]) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}


def _update_phone(names: tuple[str, ...]) -> Any:
    new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
    return update(push_subscription).where(push_subscription.c.id == bindparam("of_id")).values(**new)
