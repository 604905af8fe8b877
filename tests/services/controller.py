"""A whole controller in this process, and an engineer who is signed in at its HTTP API."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import httpx

from controller.app import Controller, Options
from controller.identity.permission import Role

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

__all__ = ["running", "until"]


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[Controller, httpx.AsyncClient]]:
    """Run the site in `folder/site` on data in `folder/data`."""
    controller = Controller(Options(folder / "site", folder / "data", port=0, demo=True))
    await controller.start()
    url = controller.server.url
    http = httpx.AsyncClient(base_url=f"{url}/api/v1", headers={"Origin": url}, timeout=10)
    try:
        await until(lambda: _signed_in(controller, http))
        yield controller, http
    finally:
        await http.aclose()
        await controller.close()


async def _signed_in(controller: Controller, http: httpx.AsyncClient) -> bool:
    try:
        if (await http.get(controller.server.url + "/healthz")).status_code != 200:
            return False
    except httpx.TransportError:
        return False
    reply = await http.post("/session/link", json={"token": controller.identity.demo_links()[Role.ENGINEER]})
    http.headers["X-CSRF-Token"] = reply.json()["csrf"]
    return True


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 15.0) -> Any:
    """Ask until the answer is yes, and return it; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not (found := await condition()):  # noqa: ASYNC110 - it is asked over HTTP
            await asyncio.sleep(0.05)
        return found
