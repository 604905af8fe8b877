"""Users: the value, its rules, and its rows in the state database."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from controller.errors import InvalidError
from controller.identity.permission import EVERYWHERE, PermissionSet, Role, preset
from controller.journal import schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Protocol

    from controller.journal.entry import AuditRow

    class StateStore(Protocol):
        """What identity needs of the journal."""

        @property
        def healthy(self) -> bool:
            """True while rows can be written."""

        def post(self, *statements: Any) -> None:
            """Write within the next group."""

        async def commit(self) -> None:
            """Return when everything posted is durable."""

        async def fetch(self, statement: Any) -> Sequence[Any]:
            """Return the rows of a query."""

        def audit(self, entry: AuditRow) -> None:
            """Append to the audit journal."""

        async def change(self, row: AuditRow, *statements: Any) -> list[int]:
            """Write a change and its line of audit together; return when they are durable."""


__all__ = ["DEMO_PREFIX", "FIRST_ADMINISTRATOR", "User", "check_areas", "check_name", "read_users"]

DEMO_PREFIX = "demo-"
"""User names that begin so belong to the demo; nobody can create one."""
FIRST_ADMINISTRATOR = "administrator"
"""Name of the user that the first sign-in link makes."""

_NAME = re.compile(r"[a-z][a-z0-9._-]{1,31}", re.ASCII)


@dataclass(frozen=True, slots=True)
class User:
    """One person. `areas` empty means everywhere."""

    name: str
    display_name: str
    role: Role
    password_hash: str | None = None
    areas: tuple[str, ...] = ()
    disabled: bool = False
    must_set_password: bool = False
    created_ns: int = 0
    changed_ns: int = 0

    @property
    def demo(self) -> bool:
        """True for the users of the demo."""
        return self.name.startswith(DEMO_PREFIX)

    @property
    def permissions(self) -> PermissionSet:
        """What the user may do; nothing while disabled."""
        return PermissionSet() if self.disabled else preset(self.role, self.areas)

    @property
    def administers(self) -> bool:
        """True when this user can manage users everywhere after signing in with a password."""
        return (
            self.role is Role.ADMINISTRATOR
            and not self.disabled
            and not self.demo
            and self.password_hash is not None
            and (not self.areas or EVERYWHERE in self.areas)
        )

    def upsert(self) -> Any:
        """Return the statement that writes this user."""
        values = {
            "name": self.name,
            "display_name": self.display_name,
            "role": self.role.value,
            "password_hash": self.password_hash,
            "areas": list(self.areas),
            "disabled": self.disabled,
            "must_set_password": self.must_set_password,
            "created_ns": self.created_ns,
            "changed_ns": self.changed_ns,
        }
        statement = insert(schema.user).values(**values, failed_count=0)
        return statement.on_conflict_do_update(
            index_elements=["name"], set_={key: value for key, value in values.items() if key != "name"}
        )

    def remove(self) -> list[Any]:
        """Return the statements that delete this user with sessions and tokens."""
        return [
            delete(schema.session).where(schema.session.c.user == self.name),
            delete(schema.token).where(schema.token.c.user == self.name),
            delete(schema.setting).where(schema.setting.c.key == history_key(self.name)),
            delete(schema.user).where(schema.user.c.name == self.name),
        ]


def check_name(name: str) -> str:
    """Return the name, or refuse it.

    Raises:
        InvalidError: not 2 to 32 of a-z 0-9 . _ - beginning with a letter, or reserved for the demo.
    """
    if not _NAME.fullmatch(name):
        raise InvalidError(f"user name {name[:40]!r}; use 2 to 32 of a-z 0-9 . _ - and begin with a letter")
    if name.startswith(DEMO_PREFIX):
        raise InvalidError(f"user names that begin with {DEMO_PREFIX!r} belong to the demo; choose another")
    return name


def check_areas(areas: Iterable[str], known: Mapping[str, object]) -> tuple[str, ...]:
    """Return the areas without doubles, or refuse an unknown one.

    Raises:
        InvalidError: naming the area and those that exist.
    """
    places = tuple(dict.fromkeys(areas))
    for place in places:
        if place != EVERYWHERE and place not in known:
            raise InvalidError(f"unknown area {place[:40]!r}; use one of {', '.join(known)} or '*'")
    return places


def history_key(name: str) -> str:
    """Return the key under which the former password hashes of a user are kept."""
    return f"password_history:{name}"


async def read_users(store: StateStore) -> tuple[dict[str, User], dict[str, list[str]]]:
    """Read all users, and the hashes of their last passwords."""
    users = {}
    for row in await store.fetch(select(schema.user)):
        users[row.name] = User(
            row.name,
            row.display_name,
            Role(row.role),
            row.password_hash,
            tuple(row.areas or ()),
            bool(row.disabled),
            bool(row.must_set_password),
            row.created_ns,
            row.changed_ns,
        )
    former: dict[str, list[str]] = {}
    for row in await store.fetch(select(schema.setting).where(schema.setting.c.key.startswith("password_history:"))):
        former[row.key.removeprefix("password_history:")] = list(row.value or ())
    return users, former
