"""Whatever anybody asks of the API, and whatever a program asks of the arbiter: the panel's own ledger stays empty.

The panel is the simulated gateway on a real socket; it notes every write that reaches it, taken or refused.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from controller.errors import NotFoundError
from controller.identity.permission import Role
from controller.share import share_dir
from simulators.ledger import Ledger
from simulators.site import read_site
from simulators.wire.record import recording, writes_of
from simulators.world import World
from tests.integration.app.test_fire import make_site, running
from tests.integration.simulators.test_modbus_endpoint import listening

if TYPE_CHECKING:
    from pathlib import Path

START_NS = 1_784_088_000_000_000_000
ROUNDS = 4
PANEL = "main.fire.panel"
VALUES: tuple[Any, ...] = (0, 1, -1, 65535, 1e9, True, None, "", "x", "fire", [], {}, ["fire-panel"], {"silenced": 0})
NAMES = (f"{PANEL}.fire", f"{PANEL}.silenced", "main.fire.zone07.state", PANEL, "fire-panel", "tcp://127.0.0.1:1")


def invented(schema: dict[str, Any], known: dict[str, Any], dice: random.Random, depth: int = 0) -> Any:
    """Return a body that is mostly of the shape that a route wants, with the panel wherever a name may stand."""
    if "$ref" in schema:
        return invented(known[schema["$ref"].rpartition("/")[2]], known, dice, depth + 1)
    if dice.random() < 0.1 or depth > 6:
        return dice.choice(VALUES)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return invented(dice.choice(schema[key]), known, dice, depth + 1)
    if "enum" in schema:
        return dice.choice(schema["enum"])
    match schema.get("type"):
        case "object":
            return {
                name: invented(inner, known, dice, depth + 1)
                for name, inner in schema.get("properties", {}).items()
                if name in schema.get("required", ()) or dice.random() < 0.7
            }
        case "array":
            return [invented(schema.get("items", {}), known, dice, depth + 1) for _ in range(dice.randint(0, 2))]
        case "integer":
            return dice.choice([0, 1, 5, 6, 7, 8, 15, 16, 100])
        case "number":
            return dice.choice([0.0, 1.0, 25.0])
        case "boolean":
            return dice.random() < 0.5
        case _:
            return dice.choice([*NAMES, "because", "2026-01-01"])


async def test_no_request_of_anybody_reaches_the_panel(tmp_path: Path) -> None:
    whole = read_site(share_dir("config") / "taipei-city-hall")
    panel = replace(whole, devices=tuple(row for row in whole.devices if row.id.startswith("fire-")))
    world, ledger = World(panel, 1, START_NS, warm=False), Ledger()
    async with listening(world, recording(ledger, lambda: world.time_ns)) as (_, lines):
        port = next(line.port for line in lines if line.endpoint.endswith("9.10:502"))
        site = make_site(tmp_path, panel=f"127.0.0.1:{port}")
        async with running(site, tmp_path / "data") as house:
            viewer = await house.person(Role.VIEWER)
            async with asyncio.timeout(20):
                while (await viewer.get("/devices/fire-panel")).json()["state"] != "good":  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            description = (await viewer.get("/openapi.json")).json()
            known, dice, asked = description["components"]["schemas"], random.Random(7), 0
            # An administrator and an engineer may do everything; what would end their sessions is left out.
            roles = (Role.ENGINEER, Role.SAFETY_OFFICER, Role.ADMINISTRATOR, Role.OPERATOR)
            people = [await house.person(role) for role in roles]
            for path, operations in description["paths"].items():
                short = path.removeprefix("/api/v1")
                if short.startswith(("/session", "/users", "/tokens")):
                    continue
                for method, operation in operations.items():
                    if method == "get":
                        continue
                    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
                    for _ in range(ROUNDS):
                        address = short
                        for hole in operation.get("parameters", ()):
                            address = address.replace(f"{{{hole['name']}}}", dice.choice(NAMES[:-1]))
                        body = invented(content.get("schema", {}), known, dice)
                        reply = await dice.choice(people).request(method, address, json=body)
                        assert reply.status_code < 500 or reply.status_code == 503, f"{method} {address}: {reply.text}"
                        asked += 1
            arbiter = house.controller.parts.arbiter
            points = [
                point for point in house.controller.configuration.site.points.values() if ".fire." in point.address
            ]
            refused = 0
            for point in points:
                for slot in range(1, 17):
                    try:
                        arbiter.request(point.address, slot, 0.0, "strategy", "it is wanted", None, None)
                    except NotFoundError:
                        refused += 1
            assert refused == 16 * len(points) > 3000
            assert asked > 60
            await asyncio.sleep(1.5)  # what was asked has had its turn on the line
            assert (await viewer.get("/devices/fire-panel")).json()["writes"] == 0
    assert ledger.served_total >= 1, "it was read"
    assert writes_of(ledger, "fire-panel") == []
    assert ledger.written_total == 0
