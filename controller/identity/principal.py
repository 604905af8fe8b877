"""Who asks: the principal, where it may come from, and the errors of signing in."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING

from controller.errors import ForbiddenError

if TYPE_CHECKING:
    from controller.identity.permission import PermissionSet, Role

__all__ = ["LockedError", "Principal", "SignInError", "is_loopback"]


class SignInError(ForbiddenError):
    """The sign-in did not work; the sentence never says why (IEC 62443-3-3 SR 1.10)."""


class LockedError(SignInError):
    """Too many failures of this user from this address."""

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"too many failed sign-ins from here; wait {-(-seconds // 60)} minutes or ask an administrator"
        )
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is asking."""

    name: str
    """User name; for a token that of its owner."""
    display_name: str
    role: Role
    permissions: PermissionSet
    key: str
    """Hash of the session or token; never shown."""
    csrf: str = ""
    """Empty for a token."""
    expires_ns: int | None = None
    must_set_password: bool = False
    demo: bool = False
    token: str = ""
    """Id of the token; empty for a session."""

    @property
    def actor(self) -> str:
        """How journals name this principal."""
        return f"{self.name}/token:{self.token}" if self.token else self.name


def is_loopback(address: str) -> bool:
    """Tell whether a network address is this machine's own."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(parsed, "ipv4_mapped", None)
    return bool((mapped or parsed).is_loopback)
