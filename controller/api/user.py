"""`/users`: who may sign in, made without passwords: a new user gets a single-use link."""

import hashlib
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, Field, StringConstraints
from starlette.responses import Response

from controller.api.access import Allow, RuntimeDep, address_of, healthy, may
from controller.api.body import Address, Body, Cursor, Item, Limit, Line, Page, page_of
from controller.api.limit import IfMatch, match
from controller.api.render import Json, iso
from controller.errors import InvalidError
from controller.identity.account import User, check_areas
from controller.identity.identity import Principal
from controller.identity.permission import EVERYWHERE, Action, Role

__all__ = ["router"]

router = APIRouter(prefix="/users", tags=["users"])
Manager = Annotated[Principal, Depends(Allow(Action.MANAGE_USERS))]
DisplayName = Annotated[Line, StringConstraints(min_length=1, max_length=80)]
RoleName = Annotated[Role, Field(strict=False)]
Areas = Annotated[list[Address], Field(max_length=200)]


class UserBody(Body):
    """A new user; no areas means everywhere."""

    name: Annotated[str, StringConstraints(max_length=32)]
    display_name: DisplayName
    role: RoleName
    areas: Annotated[list[Address], Field(max_length=200, default_factory=list)]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "wang.hm", "display_name": "王小明", "role": "operator", "areas": ["plant"]}]
        }
    )


class UserChange(Body):
    """What changes; what is left out stays."""

    display_name: DisplayName | None = None
    role: RoleName | None = None
    areas: Areas | None = None
    disabled: bool | None = None
    model_config = ConfigDict(json_schema_extra={"examples": [{"role": "engineer", "areas": []}]})


_EXAMPLE: dict[str, Any] = {
    "name": "wang.hm",
    "display_name": "王小明",
    "role": "operator",
    "areas": ["plant"],
    "disabled": False,
    "must_set_password": True,
    "has_password": False,
    "demo": False,
    "created_at": "2026-01-01T00:00:00.000Z",
    "changed_at": "2026-01-01T00:00:00.000Z",
    "etag": '"5c1d0f0a1b2c3d4e5f607182"',
}


class UserReply(Item):
    """One user; `etag` goes into If-Match of a change."""

    name: str
    display_name: str
    role: Role
    areas: list[str]
    disabled: bool
    must_set_password: bool
    has_password: bool
    demo: bool
    created_at: str | None
    changed_at: str | None
    etag: str
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})


class UserMade(Item):
    """A user and the token of the single-use link (`/link#token=…`), shown this once, good for 24 h."""

    user: UserReply
    link_token: str
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"user": _EXAMPLE, "link_token": "dGhpcyBpcyBub3QgYSByZWFsIHRva2VuIGF0IGFsbA"}]}
    )


def _user(user: User) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "name": user.name,
        "display_name": user.display_name,
        "role": user.role.value,
        "areas": list(user.areas),
        "disabled": user.disabled,
        "must_set_password": user.must_set_password,
        "has_password": user.password_hash is not None,
        "demo": user.demo,
        "created_at": iso(user.created_ns),
        "changed_at": iso(user.changed_ns),
    }
    shown["etag"] = f'"{hashlib.sha256(orjson.dumps([shown, user.changed_ns])).hexdigest()[:24]}"'
    return shown


def _reply(user: User, status: int = 200) -> Json:
    shown = _user(user)
    return Json(shown, status, headers={"ETag": shown["etag"]})


@router.get("", response_model=Page[UserReply])
async def list_users(runtime: RuntimeDep, _: Manager, cursor: Cursor = None, limit: Limit = 200) -> Json:
    """Return all users by name."""
    found = [runtime.identity.users[name] for name in sorted(runtime.identity.users)]
    items, following = page_of(found, cursor, limit, runtime.site().generation)
    return Json({"items": [_user(user) for user in items], "next": following})


@router.post("", status_code=201, response_model=UserMade)
async def create_user(request: Request, runtime: RuntimeDep, principal: Manager, body: UserBody) -> Json:
    """Make a user; the link in the answer is for the first sign-in and is shown this once."""
    may(principal, Action.MANAGE_USERS, EVERYWHERE)
    healthy(runtime)
    areas = check_areas(body.areas, runtime.site().areas)
    user, link = await runtime.identity.create_user(
        body.name, body.display_name, body.role, areas, principal.actor, address_of(request)
    )
    shown = _user(user)
    return Json({"user": shown, "link_token": link}, 201, headers={"ETag": shown["etag"]})


@router.get("/{name}", response_model=UserReply)
async def read_user(runtime: RuntimeDep, _: Manager, name: Address) -> Json:
    """Return one user, with an ETag for changing it."""
    return _reply(runtime.identity.user(name))


@router.patch("/{name}", response_model=UserReply)
async def change_user(
    request: Request,
    runtime: RuntimeDep,
    principal: Manager,
    name: Address,
    body: UserChange,
    if_match: IfMatch = None,
) -> Json:
    """Change a user; with role, areas or disabled all sessions and streams of the user end within 5 s."""
    may(principal, Action.MANAGE_USERS, EVERYWHERE)
    user = runtime.identity.user(name)
    healthy(runtime)
    match(if_match, _user(user)["etag"])
    changes = {key: value for key in body.model_fields_set if (value := getattr(body, key)) is not None}
    if not changes:
        raise InvalidError("nothing to change; name at least one of display_name, role, areas and disabled")
    if "areas" in changes:
        changes["areas"] = check_areas(changes["areas"], runtime.site().areas)
    return _reply(await runtime.identity.change_user(name, changes, principal.actor, address_of(request)))


@router.delete("/{name}", status_code=204)
async def delete_user(
    request: Request, runtime: RuntimeDep, principal: Manager, name: Address, if_match: IfMatch = None
) -> Response:
    """Delete a user with sessions and tokens; journals keep the name."""
    may(principal, Action.MANAGE_USERS, EVERYWHERE)
    user = runtime.identity.user(name)
    healthy(runtime)
    match(if_match, _user(user)["etag"])
    await runtime.identity.delete_user(name, principal.actor, address_of(request))
    return Response(status_code=204)


@router.post("/{name}/link", status_code=201, response_model=UserMade)
async def make_link(request: Request, runtime: RuntimeDep, principal: Manager, name: Address) -> Json:
    """Make a new single-use link for a user who forgot the password; all sessions of the user end."""
    may(principal, Action.MANAGE_USERS, EVERYWHERE)
    runtime.identity.user(name)
    healthy(runtime)
    link = await runtime.identity.reset_link(name, principal.actor, address_of(request))
    return Json({"user": _user(runtime.identity.user(name)), "link_token": link}, 201)
