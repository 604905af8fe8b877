"""`/about` and `/openapi.json`: versions, licences, uptime, and the description of the API."""

from functools import cache
from importlib import metadata
from platform import python_version
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.openapi.utils import get_openapi
from pydantic import ConfigDict

from controller.api.access import Allow, RuntimeDep
from controller.api.body import Item
from controller.api.render import Json
from controller.identity.identity import Principal
from controller.identity.permission import Action

__all__ = ["describe", "router"]

router = APIRouter(tags=["about"])
Viewer = Annotated[Principal, Depends(Allow(Action.VIEW))]

_DISTRIBUTION = "shifu-bms"


class ComponentReply(Item):
    """One library that Shifu stands on."""

    name: str
    version: str
    license: str


class AboutReply(Item):
    """What runs here."""

    name: str
    version: str
    license: str
    python: str
    uptime_s: float
    components: list[ComponentReply]
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "Shifu 市府",
                    "version": "0.1.0",
                    "license": "Apache-2.0",
                    "python": "3.11.2",
                    "uptime_s": 3600.0,
                    "components": [{"name": "numpy", "version": "2.4.0", "license": "BSD-3-Clause"}],
                }
            ]
        }
    )


@cache
def _components() -> tuple[dict[str, str], ...]:
    try:
        required = metadata.requires(_DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        return ()
    found = []
    for line in required:
        if "extra ==" in line:
            continue
        name = line.split(";")[0].strip()
        for mark in "<>=!~[ (":
            name = name.split(mark)[0]
        try:
            about: Any = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue
        licence = about.get("License-Expression") or (about.get("License") or "").split("\n")[0][:60]
        if not licence:
            marks = [c.rpartition(":: ")[2] for c in about.get_all("Classifier") or [] if c.startswith("License ::")]
            licence = ", ".join(marks)
        found.append({"name": name, "version": about.get("Version") or "", "license": licence})
    return tuple(sorted(found, key=lambda entry: entry["name"]))


def describe(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI description, with the problems that every call may answer."""
    if app.openapi_schema:
        return app.openapi_schema
    schema = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    schemas["Problem"] = {
        "type": "object",
        "required": ["type", "title", "status", "detail", "what_to_do"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "what_to_do": {"type": "string"},
            "errors": {"type": "array", "items": {"type": "object"}},
        },
        "example": {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "no point 'cityhall.electrical.tx9.power'",
            "what_to_do": "GET /api/v1/points lists them.",
        },
    }
    schema["components"]["securitySchemes"] = {
        "session": {"type": "apiKey", "in": "cookie", "name": "shifu"},
        "token": {"type": "http", "scheme": "bearer"},
    }
    schema["security"] = [{"session": []}, {"token": []}]
    problem = {
        "description": "the request cannot be served; `detail` says why",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for path in schema["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)
            operation["responses"]["4XX"] = problem
            operation["responses"]["503"] = problem
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    app.openapi_schema = schema
    return schema


@router.get("/about", response_model=AboutReply)
async def read_about(request: Request, runtime: RuntimeDep, _: Viewer) -> Json:
    """Return versions, licences and uptime."""
    return Json(
        {
            "name": "Shifu 市府",
            "version": runtime.version,
            "license": "Apache-2.0",
            "python": python_version(),
            "uptime_s": round(runtime.clock.monotonic() - request.app.state.started, 1),
            "components": list(_components()),
        }
    )


@router.get("/openapi.json", include_in_schema=False)
async def read_openapi(request: Request, _: Viewer) -> Json:
    """Return the description of the API."""
    return Json(describe(request.app))
