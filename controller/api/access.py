"""Who asks, and may they: the dependency that every route has.

`Allow(action)` finds the principal by session cookie or bearer token, checks CSRF and Origin where a cookie could be
abused, refuses a session whose password is still to be set, and wants the action in at least one area. A router then
asks `may` for the area of the thing itself.
"""

import hmac
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from controller.api.problem import Problem
from controller.api.runtime import ApiSettings, Runtime
from controller.errors import ForbiddenError, NotFoundError
from controller.identity.identity import Principal
from controller.identity.permission import Action
from controller.point.model import Equipment, Point

__all__ = [
    "SAFE",
    "Allow",
    "RuntimeDep",
    "SignedIn",
    "address_of",
    "check_host",
    "cookie_name",
    "find_equipment",
    "find_point",
    "healthy",
    "may",
    "principal_of",
    "runtime_of",
    "same_origin",
]

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})


def runtime_of(connection: HTTPConnection) -> Runtime:
    """Return the runtime of the application."""
    runtime: Runtime = connection.app.state.runtime
    return runtime


def _runtime(request: Request) -> Runtime:
    return runtime_of(request)


RuntimeDep = Annotated[Runtime, Depends(_runtime)]


def address_of(connection: HTTPConnection) -> str:
    """Return the network address of the client; proxies' headers are not believed."""
    return connection.client.host if connection.client else ""


def cookie_name(settings: ApiSettings) -> str:
    """Return the name of the session cookie; `__Host-` binds it to this host and to TLS."""
    return "__Host-shifu" if settings.https else "shifu"


def principal_of(connection: HTTPConnection, *, touch: bool = True) -> Principal | None:
    """Return who asks, by bearer token or else by cookie; None when nobody valid."""
    runtime = runtime_of(connection)
    scheme, _, credential = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return runtime.identity.of_token(credential.strip())
    raw = connection.cookies.get(cookie_name(connection.app.state.settings), "")
    return runtime.identity.of_cookie(raw, address_of(connection), touch=touch) if raw else None


def check_host(connection: HTTPConnection) -> bool:
    """Tell whether the server is called by a name of its own (against DNS rebinding)."""
    settings: ApiSettings = connection.app.state.settings
    host = connection.headers.get("host", "")
    name = host.rpartition(":")[0] if ":" in host and not host.endswith("]") else host
    if settings.hosts:
        return name.lower() in settings.hosts or name in _LOOPBACK_NAMES
    return settings.https or name.lower() in _LOOPBACK_NAMES


def same_origin(connection: HTTPConnection) -> bool:
    """Tell whether the header Origin names this server; False when it is missing."""
    origin = connection.headers.get("origin", "")
    parts = urlsplit(origin)
    scheme = "https" if connection.app.state.settings.https else "http"
    return parts.scheme == scheme and bool(parts.netloc) and parts.netloc == connection.headers.get("host", "")


class SignedIn:
    """Wants somebody signed in, also one whose password is still to be set."""

    action: Action | None = None

    def __call__(self, request: Request) -> Principal:
        """Return the principal, or raise the problem."""
        principal = principal_of(request)
        if principal is None:
            raise Problem(401, "nobody is signed in, or the session has ended")
        if request.method not in SAFE and not principal.token:
            if not same_origin(request):
                raise Problem(403, "the header Origin does not name this server", "Use the application of this server.")
            given = request.headers.get("x-csrf-token", "")
            if not hmac.compare_digest(given.encode("latin-1", "replace"), principal.csrf.encode()):
                raise Problem(
                    403,
                    "the header X-CSRF-Token is missing or wrong",
                    "Send the `csrf` of GET /api/v1/session in the header X-CSRF-Token.",
                )
        return principal


class Allow(SignedIn):
    """Wants a principal that may do `action` in at least one area."""

    def __init__(self, action: Action, *others: Action) -> None:
        """Guard a route with this action, or one of others: then the route asks again for the thing itself."""
        self.action = action
        self.actions = (action, *others)

    def __call__(self, request: Request) -> Principal:
        """Return the principal, or raise the problem."""
        principal = super().__call__(request)
        if principal.must_set_password:
            raise Problem(
                403, "the password is still to be set", "Set one with POST /api/v1/session/password, then go on."
            )
        if not any(principal.permissions.anywhere(action) for action in self.actions):
            raise ForbiddenError(f"{principal.actor} may not {self.actions[0].value.replace('_', ' ')}")
        return principal


def may(principal: Principal, action: Action, area: str) -> None:
    """Return when the principal may do the action in the area of a thing it can see.

    Raises:
        ForbiddenError: it may not.
    """
    if not principal.permissions.allows(action, area):
        place = f"in area {area!r}" if area else "outside all areas"
        raise ForbiddenError(f"{principal.actor} may not {action.value.replace('_', ' ')} {place}")


def find_point(runtime: Runtime, principal: Principal, address: str) -> Point:
    """Return a point that the principal may see.

    Raises:
        NotFoundError: it does not exist, or is not for these eyes (the answer is the same).
    """
    point = runtime.site().points.get(address)
    if point is None or not principal.permissions.allows(Action.VIEW, point.area):
        raise NotFoundError(f"no point {address[:100]!r}; GET /api/v1/points lists them")
    return point


def find_equipment(runtime: Runtime, principal: Principal, address: str) -> Equipment:
    """Return equipment that the principal may see.

    Raises:
        NotFoundError: it does not exist, or is not for these eyes.
    """
    found = runtime.site().equipment.get(address)
    if found is None or not principal.permissions.allows(Action.VIEW, found.area):
        raise NotFoundError(f"no equipment {address[:100]!r}; GET /api/v1/equipment lists it")
    return found


def healthy(runtime: Runtime) -> None:
    """Return when changes can be recorded.

    Raises:
        Problem: 503; nothing is changed that cannot be recorded.
    """
    if not runtime.journal.healthy:
        raise Problem(
            503,
            "the journal cannot be written, so changes are refused; looking still works",
            "Free the disk of the controller or repair it, then repeat the change.",
            {"Retry-After": "5"},
        )
