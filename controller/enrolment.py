"""Enrolment: requests about users over the local socket, for whoever owns the data folder; all are audited."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from controller.errors import InvalidError
from controller.identity.account import check_areas
from controller.identity.permission import Role

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from controller.identity.account import User
    from controller.identity.identity import Identity
    from controller.local import Handler

__all__ = ["enrolment"]

_ACTOR = ("local", "local socket")


def enrolment(
    identity: Identity, areas: Callable[[], Mapping[str, object]], url: Callable[[], str]
) -> dict[str, Handler]:
    """Return the handlers by the name of their request."""

    async def listed(_: Mapping[str, Any]) -> dict[str, Any]:
        return {"users": [_shown(user) for user in identity.users.values()]}

    async def link(request: Mapping[str, Any]) -> dict[str, Any]:
        return _link(await identity.reset_link(_name(request), *_ACTOR))

    async def add(request: Mapping[str, Any]) -> dict[str, Any]:
        name, known = _name(request), check_areas(list(request.get("areas", [])), areas())
        title = str(request.get("display_name") or name)
        _, token = await identity.create_user(name, title, _role(request.get("role")), known, *_ACTOR)
        return _link(token)

    async def change(request: Mapping[str, Any]) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if request.get("role") is not None:
            changes["role"] = _role(request["role"])
        if request.get("disabled") is not None:
            changes["disabled"] = request["disabled"] is True
        return {"user": _shown(await identity.change_user(_name(request), changes, *_ACTOR))}

    def _link(token: str) -> dict[str, Any]:
        return {"link": f"{url()}/link#token={token}"}

    return {"users": listed, "link": link, "user_add": add, "user_change": change}


def _name(request: Mapping[str, Any]) -> str:
    return str(request.get("user", ""))


def _shown(user: User) -> dict[str, Any]:
    return {"name": user.name, "role": user.role, "disabled": user.disabled}


def _role(name: object) -> Role:
    try:
        return Role(str(name))
    except ValueError:
        raise InvalidError(f'role "{name}": wanted one of {", ".join(Role)}') from None
