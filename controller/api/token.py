"""`/tokens`: API tokens for programs."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from pydantic import ConfigDict, Field, StringConstraints
from starlette.responses import Response

from controller.api.access import Allow, RuntimeDep, address_of, healthy
from controller.api.body import Address, Body, Cursor, Finite, Item, Limit, Line, Page, page_of
from controller.api.render import Json, iso
from controller.errors import InvalidError
from controller.identity.identity import Principal
from controller.identity.permission import EVERYWHERE, Action, PermissionSet
from controller.identity.token import Token

__all__ = ["router"]

router = APIRouter(prefix="/tokens", tags=["tokens"])
Manager = Annotated[Principal, Depends(Allow(Action.MANAGE_USERS))]


class PermissionBody(Body):
    """One pair of action and area; area * is everywhere."""

    action: Annotated[Action, Field(strict=False)]
    area: Address


class TokenBody(Body):
    """A new token: at most what its owner may do; `user` is the owner, null the one who asks."""

    user: Address | None = None
    name: Annotated[Line, StringConstraints(min_length=1, max_length=80)]
    permissions: Annotated[list[PermissionBody], Field(min_length=1, max_length=200)]
    expires_s: Annotated[Finite, Field(gt=0, le=5 * 366 * 86_400)] | None = None
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "user": "wang.hm",
                    "name": "energy report",
                    "permissions": [{"action": "view", "area": "*"}],
                    "expires_s": 31536000.0,
                }
            ]
        }
    )


class PermissionPair(Item):
    """One pair of action and area."""

    action: str
    area: str


class TokenReply(Item):
    """One token without its secret."""

    id: str
    name: str
    user: str
    permissions: list[PermissionPair]
    created_at: str | None
    expires_at: str | None
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "5c1d0f0a1b2c3d4e",
                    "name": "energy report",
                    "user": "wang.hm",
                    "permissions": [{"action": "view", "area": "*"}],
                    "created_at": "2026-01-01T00:00:00.000Z",
                    "expires_at": "2027-01-01T00:00:00.000Z",
                }
            ]
        }
    )


class TokenMade(Item):
    """A token and its secret, shown this once."""

    token: TokenReply
    secret: str


def _token(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "user": token.user,
        "permissions": token.permissions.rows(),
        "created_at": iso(token.created_ns),
        "expires_at": iso(token.expires_ns),
    }


@router.get("", response_model=Page[TokenReply])
async def list_tokens(runtime: RuntimeDep, _: Manager, cursor: Cursor = None, limit: Limit = 200) -> Json:
    """Return the tokens that are not revoked."""
    items, following = page_of(runtime.identity.tokens, cursor, limit, runtime.site().generation)
    return Json({"items": [_token(token) for token in items], "next": following})


@router.post("", status_code=201, response_model=TokenMade)
async def create_token(request: Request, runtime: RuntimeDep, principal: Manager, body: TokenBody) -> Json:
    """Make a token; its secret is in the answer this once."""
    healthy(runtime)
    known = runtime.site().areas
    for pair in body.permissions:
        if pair.area != EVERYWHERE and pair.area not in known:
            raise InvalidError(f"unknown area {pair.area[:40]!r}; use one of {', '.join(known)} or '*'")
    permissions = PermissionSet.parse([{"action": pair.action.value, "area": pair.area} for pair in body.permissions])
    raw, made = await runtime.identity.create_token(
        principal, body.name, permissions, body.expires_s, address_of(request), owner=body.user
    )
    return Json({"token": _token(made), "secret": raw}, 201)


@router.delete("/{token_id}", status_code=204)
async def revoke_token(request: Request, runtime: RuntimeDep, principal: Manager, token_id: Address) -> Response:
    """End a token now."""
    healthy(runtime)
    await runtime.identity.revoke_token(token_id, principal.actor, address_of(request))
    return Response(status_code=204)
