"""The WebSocket of the stream: who may open it, what it may send, and how it is closed."""

import asyncio
import contextlib
import json
import logging
from typing import Any

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from controller.api.access import principal_of, runtime_of, same_origin
from controller.api.client import CLOSE_FLOOD, CLOSE_SLOW, Client
from controller.api.guard import Bucket
from controller.api.problem import problem_response
from controller.api.stream import StreamHub
from controller.identity.permission import Action

__all__ = ["INBOUND", "SUBPROTOCOL", "router"]

_log = logging.getLogger(__name__)

SUBPROTOCOL = "shifu.v1"
INBOUND = 64 * 1024
"""Longest message of a client, bytes."""
MESSAGES_PER_S = 20.0

router = APIRouter()


@router.websocket("/stream")
async def stream(websocket: WebSocket) -> None:
    """Serve one client until either side ends it."""
    runtime = runtime_of(websocket)
    hub = runtime.hub
    principal = principal_of(websocket)
    if principal is None:
        await _refuse(websocket, 401, "nobody is signed in, or the session has ended")
        return
    if not principal.token and not same_origin(websocket):
        await _refuse(websocket, 403, "the header Origin does not name this server")
        return
    if principal.must_set_password or not principal.permissions.anywhere(Action.VIEW):
        await _refuse(websocket, 403, f"{principal.actor} may not view")
        return
    if SUBPROTOCOL not in websocket.scope.get("subprotocols", []):
        await _refuse(websocket, 400, f"the subprotocol {SUBPROTOCOL!r} is not offered")
        return
    client = hub.join(principal) if hub is not None else None
    if hub is None or client is None:
        await _refuse(websocket, 503, "too many open streams")
        return
    try:
        await websocket.accept(SUBPROTOCOL)
        await _serve(websocket, hub, client, Bucket(runtime.clock, MESSAGES_PER_S, MESSAGES_PER_S * 3))
    except (WebSocketDisconnect, RuntimeError):
        # RuntimeError: Starlette's word for sending after the other side has gone.
        pass
    finally:
        hub.leave(client)


async def _serve(websocket: WebSocket, hub: StreamHub, client: Client, bucket: Bucket) -> None:
    async def text(data: bytes) -> None:
        await websocket.send_text(data.decode())

    reading = asyncio.create_task(_read(websocket, hub, client, bucket))
    sending = asyncio.create_task(hub.pump(client, text, websocket.send_bytes))
    try:
        await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
        code = CLOSE_SLOW
        if sending.done():
            with contextlib.suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
                code = sending.result()
        elif not reading.cancelled() and reading.exception() is not None:
            return
        if code == CLOSE_SLOW:
            _abort(websocket)
        elif websocket.application_state is WebSocketState.CONNECTED:
            with contextlib.suppress(TimeoutError, RuntimeError):
                async with asyncio.timeout(1.0):
                    await websocket.close(code)
    finally:
        for task in (reading, sending):
            task.cancel()
        await asyncio.gather(reading, sending, return_exceptions=True)


async def _read(websocket: WebSocket, hub: StreamHub, client: Client, bucket: Bucket) -> None:
    while True:
        message = await websocket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        data = message.get("text")
        if bucket.take("") or (data is not None and len(data) > INBOUND) or data is None:
            client.end(CLOSE_FLOOD)
            continue
        hub.receive(client, _parse(data))


def _parse(data: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None


def _abort(websocket: WebSocket) -> None:
    """Cut the connection of a client that does not read; a close frame would wait behind what it does not read."""
    abort = websocket.scope.get("state", {}).get("abort")
    if abort is not None:
        abort()


async def _refuse(websocket: WebSocket, status: int, detail: str) -> None:
    await websocket.send_denial_response(problem_response(status, detail))
