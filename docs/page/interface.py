"""The pages that only a running controller can give: HTTP API, metrics, permissions."""
# ruff: noqa: INP001, E501 - a part of docs/generate.py, not a package, and full of sentences

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.request import urlopen

from fastapi.routing import APIRoute, iter_route_contexts

from controller.api.access import SignedIn
from controller.api.health import Scraper
from controller.app import Controller, Options
from controller.command.priority import MINIMUM_TIME, NEVER_WRITTEN, OPERATOR, RESTORED
from controller.identity import permission
from controller.identity.permission import ROLES, Action
from docs.page.markdown import body, first, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fastapi import FastAPI

__all__ = ["asked"]


_SERVER = """
[history.influx]
url = "http://127.0.0.1:1"
org = "none"
bucket = "none"
token_file = "influx.token"
"""
"""With a history server, that nobody reaches, so that its metrics are there."""


async def asked() -> tuple[str, str, str]:
    """Return the pages that only a running controller can give: API, metrics, permissions."""
    logging.disable(logging.CRITICAL)
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            init = [sys.executable, "-m", "controller", "init", str(folder / "site"), "--profile", "eastron-sdm630"]
            subprocess.run([*init, "--endpoint", "tcp://127.0.0.1:1"], check=True, capture_output=True)  # noqa: ASYNC221
            (folder / "site" / "influx.token").write_text("none", "utf-8")
            (folder / "site" / "server.toml").write_text(_SERVER, "utf-8")
            controller = Controller(Options(folder / "site", folder / "data", port=0))
            await controller.start()
            try:
                app = cast("FastAPI", controller.server.config.app)
                async with asyncio.timeout(20):
                    while not controller.server.started:  # noqa: ASYNC110 - uvicorn tells it no other way
                        await asyncio.sleep(0.01)
                await asyncio.to_thread(_visit, f"{controller.server.url}/healthz")
                return _api(app), _metrics(app), _permissions(app)
            finally:
                await controller.close()
    finally:
        logging.disable(logging.NOTSET)


def _visit(url: str) -> None:
    """Make one request, so that the counters of requests exist."""
    with urlopen(url, timeout=20) as answer:  # noqa: S310 - our own server on loopback
        answer.read()


def _guards(route: APIRoute) -> list[Any]:
    def calls(dependant: Any) -> list[Any]:
        return [dependant.call, *(call for inner in dependant.dependencies for call in calls(inner))]

    return calls(route.dependant)


def _right(route: APIRoute) -> str:
    for call in _guards(route):
        if isinstance(call, SignedIn):
            wanted = getattr(call, "actions", (call.action,) if call.action else ())
            return " or ".join(action.value for action in wanted) or "signed in"
        if isinstance(call, Scraper):
            return "this machine, or the metrics token"
    return "anybody"


def _routes(app: FastAPI) -> list[tuple[str, str, APIRoute]]:
    found = []
    for context in iter_route_contexts(app.routes):
        route = context.original_route
        if isinstance(route, APIRoute) and str(context.path) != "/{path:path}":
            found += [(method, str(context.path), route) for method in sorted(route.methods or ())]
    return sorted(found, key=lambda item: (item[1], item[0]))


def _api(app: FastAPI) -> str:
    description = app.openapi()
    schemas = description["components"]["schemas"]
    rights = {(method, path): _right(route) for method, path, route in _routes(app)}
    parts = [
        "# HTTP API",
        (
            "JSON over HTTP below `/api/v1`. Programs send `Authorization: Bearer <token>` (made with `POST /tokens`); "
            "browsers have a session cookie, and send `X-CSRF-Token` and a same-origin `Origin` with every change. "
            "Errors are `application/problem+json` with `detail` and `what_to_do`. Lists come in pages: `items` and "
            "`next` for the parameter `cursor`. The same as OpenAPI: `GET /api/v1/openapi.json`. Live values, alarms, commands "
            "and devices come over the WebSocket `/api/v1/stream`, described in "
            "[architecture](../architecture.md#the-stream)."
        ),
    ]
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            right = rights.get((method.upper(), path), "")
            parts.append(f"## `{method.upper()} {path}`")
            parts.append(f"{first(operation.get('description'))} Needs: {right}.")
            rows = [
                (
                    f"`{item['name']}`",
                    item["in"],
                    "yes" if item.get("required") else "",
                    _schema(item["schema"], schemas),
                )
                for item in operation.get("parameters", [])
            ]
            if rows:
                parts.append(table(("parameter", "in", "required", "value"), rows))
            body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if body:
                name = body["$ref"].rpartition("/")[2]
                needed = schemas[name].get("required", [])
                fields = [
                    (f"`{key}`", "yes" if key in needed else "", _schema(value, schemas))
                    for key, value in schemas[name]["properties"].items()
                ]
                parts.append(table(("body", "required", "value"), fields))
    return "\n\n".join(parts)


def _schema(schema: Mapping[str, Any], known: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        inner = known[schema["$ref"].rpartition("/")[2]]
        if "enum" in inner:
            return ", ".join(f"`{item}`" for item in inner["enum"])
        return ", ".join(f"`{key}`" for key in inner.get("properties", {}))
    if "anyOf" in schema:
        return " or ".join(_schema(item, known) for item in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{item}`" for item in schema["enum"])
    text = str(schema.get("type", "any"))
    if text == "array":
        text = f"list of {_schema(schema.get('items', {}), known)}"
    low, high = schema.get("minimum", schema.get("exclusiveMinimum")), schema.get("maximum")
    if low is not None and high is not None:
        text += f", {low:g} to {high:g}"
    if schema.get("default") is not None:
        text += f", default `{schema['default']}`"
    return text


def _metrics(app: FastAPI) -> str:
    rows = []
    for family in app.state.registry.collect():
        labels = sorted({label for sample in family.samples for label in sample.labels if label != "le"})
        name = f"{family.name}_total" if family.type == "counter" else family.name
        rows.append((f"`{name}`", family.type, ", ".join(labels), family.documentation))
    return "\n\n".join(
        [
            "# Metrics",
            (
                "`GET /metrics` in Prometheus' text format, for programs on the same machine. Those of `influx` are there when "
                "a server is configured. `/healthz` says that the loop turns; `/readyz` answers 503 while something that is needed is missing."
            ),
            table(("metric", "type", "labels", "meaning"), sorted(rows)),
        ]
    )


_SLOTS = {
    1: "of the fire panel",
    2: "of the fireman",
    3: "electrical protection",
    4: "freeze and flood",
    5: "equipment protection",
    MINIMUM_TIME: "minimum on and off time",
    7: "emergency of the site",
    OPERATOR: "operator",
    9: "demand limit",
    10: "drill",
    12: "strategies",
    14: "trims",
    15: "schedule",
    16: "default",
}


def _reasons(module: Any) -> str:
    """Return what a module's docstring says after its first two paragraphs."""
    return "\n\n".join(body(module).split("\n\n")[2:])


def _permissions(app: FastAPI) -> str:
    head = ("role", *(action.value for action in Action))
    rows = [(f"`{role.value}`", *("yes" if action in ROLES[role] else "" for action in Action)) for role in ROLES]
    routes = [(f"`{method} {path}`", _right(route)) for method, path, route in _routes(app)]
    slots = []
    for number in range(1, 17):
        note = "never written by Shifu" if number in NEVER_WRITTEN else ""
        note = "written by the arbiter alone" if number == MINIMUM_TIME else note
        slots.append((number, _SLOTS.get(number, "free"), note, "yes" if number in RESTORED else ""))
    return "\n\n".join(
        [
            "# Permissions",
            (
                "A permission is a pair of an action and an area of the site (`*` is everywhere). A role is a preset of "
                "actions; a user has a role and, if wanted, areas. Whoever may not see an area gets the same answer as for "
                "something that does not exist."
            ),
            _reasons(permission),
            "## Roles",
            table(head, rows),
            "## Slots of the priority array",
            "The lowest filled slot wins.",
            table(("slot", "for", "note", "lives through a restart"), slots),
            "## Routes",
            table(("route", "needs"), routes),
        ]
    )
