"""`/session`: sign in by password or single-use link, see who one is, set a password, sign out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, StringConstraints
from starlette.responses import Response

from controller.api.access import RuntimeDep, SignedIn, address_of, cookie_name, same_origin
from controller.api.body import Body, Item
from controller.api.problem import Problem
from controller.api.render import Json, iso
from controller.identity.identity import Principal

__all__ = ["router"]

router = APIRouter(prefix="/session", tags=["session"])
Someone = Annotated[Principal, Depends(SignedIn())]
Secret = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class SignIn(Body):
    """User name and password."""

    username: Annotated[str, StringConstraints(min_length=1, max_length=64)]
    password: Secret
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"username": "wang.hm", "password": "four quiet words here"}]}
    )


class LinkSignIn(Body):
    """Token of a single-use link."""

    token: Secret
    model_config = ConfigDict(json_schema_extra={"examples": [{"token": "dGhpcyBpcyBub3QgYSByZWFsIHRva2VuIGF0IGFsbA"}]})


class NewPassword(Body):
    """The present password (not where one is still to be set) and the new one."""

    current: Secret | None = None
    new: Secret
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"current": "four quiet words here", "new": "five other words for now"}]}
    )


class SessionUser(Item):
    """Who is signed in."""

    name: str
    display_name: str
    role: str


class PermissionReply(Item):
    """One pair of action and area."""

    action: str
    area: str


class SessionReply(Item):
    """The present session. `csrf` goes into the header X-CSRF-Token of every change."""

    user: SessionUser
    permissions: list[PermissionReply]
    csrf: str
    expires_at: str | None
    must_set_password: bool
    demo: bool
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "user": {"name": "wang.hm", "display_name": "王小明", "role": "operator"},
                    "permissions": [{"action": "view", "area": "*"}, {"action": "command", "area": "plant"}],
                    "csrf": "kf3nUe0cG1b9h2sWm5Yd7rT4vXq8zLpA6jRiKoMuNtE",
                    "expires_at": "2026-01-01T12:00:00.000Z",
                    "must_set_password": False,
                    "demo": False,
                }
            ]
        }
    )


def _reply(principal: Principal) -> Json:
    return Json(
        {
            "user": {
                "name": principal.name,
                "display_name": principal.display_name,
                "role": principal.role.value,
            },
            "permissions": principal.permissions.rows(),
            "csrf": principal.csrf,
            "expires_at": iso(principal.expires_ns),
            "must_set_password": principal.must_set_password,
            "demo": principal.demo,
        }
    )


def _with_cookie(request: Request, raw: str, principal: Principal) -> Json:
    settings = request.app.state.settings
    reply = _reply(principal)
    reply.set_cookie(cookie_name(settings), raw, path="/", httponly=True, samesite="strict", secure=settings.https)
    return reply


class Visitor:
    """Lets anybody in who does not come from a page of another site (sign-in by another's form)."""

    public = True

    def __call__(self, request: Request) -> None:
        """Return, or raise the problem."""
        if "origin" in request.headers and not same_origin(request):
            raise Problem(403, "the header Origin does not name this server", "Use the application of this server.")


@router.post("", response_model=SessionReply, dependencies=[Depends(Visitor())])
async def sign_in(request: Request, runtime: RuntimeDep, body: SignIn) -> Json:
    """Sign in by password; sets the session cookie."""
    raw, principal = await runtime.identity.sign_in(body.username, body.password, address_of(request))
    return _with_cookie(request, raw, principal)


@router.post("/link", response_model=SessionReply, dependencies=[Depends(Visitor())])
async def sign_in_by_link(request: Request, runtime: RuntimeDep, body: LinkSignIn) -> Json:
    """Sign in by a single-use link; sets the session cookie."""
    raw, principal = await runtime.identity.sign_in_by_link(body.token, address_of(request))
    return _with_cookie(request, raw, principal)


@router.get("", response_model=SessionReply)
async def read_session(principal: Someone) -> Json:
    """Say who is signed in and what that person may do."""
    return _reply(principal)


@router.delete("", status_code=204)
async def sign_out(request: Request, runtime: RuntimeDep, principal: Someone) -> Response:
    """End the session, and its open streams within 5 s."""
    if principal.token:
        raise Problem(409, "a token has no session", "Revoke the token instead: DELETE /api/v1/tokens/{id}.")
    await runtime.identity.sign_out(principal, address_of(request))
    response = Response(status_code=204)
    settings = request.app.state.settings
    response.delete_cookie(cookie_name(settings), path="/", httponly=True, samesite="strict", secure=settings.https)
    return response


@router.post("/password", response_model=SessionReply)
async def set_password(request: Request, runtime: RuntimeDep, principal: Someone, body: NewPassword) -> Json:
    """Set the own password; all sessions end and a new one begins in this browser."""
    raw, renewed = await runtime.identity.set_password(principal, body.current, body.new, address_of(request))
    return _with_cookie(request, raw, renewed)
