"""The local socket: how commands on the same machine speak to the running controller.

A Unix socket in the data folder, for the user who runs the controller alone (mode 0600). One JSON object a line each
way. Nothing of it is reachable over the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

from controller.errors import ShifuError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

__all__ = ["LocalServer", "ask"]

_log = logging.getLogger(__name__)
_MAX_LINE = 1 << 20
_MAX_PATH = 100
"""A Unix socket's path is at most 107 bytes on Linux."""

if TYPE_CHECKING:
    Handler = Callable[[Mapping[str, Any]], Awaitable[dict[str, Any]]]


class LocalServer:
    """Serves named requests: `{"do": "apply", …}` → `{"ok": true, …}` or `{"ok": false, "error": "…"}`."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        """Prepare; `start` makes the socket."""
        self.path = path
        self._handlers = handlers
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; a socket left by a dead controller is replaced (the folder's lock proves that it is dead)."""
        if len(str(self.path)) > _MAX_PATH:
            _log.warning("%s is too long for a Unix socket: `shifu apply` cannot reach this controller", self.path)
            return
        self.path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, self.path, limit=_MAX_LINE)
        self.path.chmod(0o600)

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            self.path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            answer = await self._answer(line)
            writer.write(json.dumps(answer, ensure_ascii=False).encode() + b"\n")
            await writer.drain()
        except (OSError, ValueError) as error:
            _log.warning("local socket: %s", error)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            handler = self._handlers[request["do"]]
        except (ValueError, KeyError, TypeError):
            return {"ok": False, "error": f"not a request; known are {', '.join(self._handlers)}"}
        try:
            return {"ok": True, **await handler(request)}
        except ShifuError as error:
            return {"ok": False, "error": str(error)}


async def ask(path: Path, request: Mapping[str, Any], timeout_s: float = 60.0) -> dict[str, Any]:
    """Send one request to the controller whose socket is at `path`, and return its answer.

    Raises:
        UnavailableError: no controller runs there, or it did not answer in time.
    """
    try:
        async with asyncio.timeout(timeout_s):
            reader, writer = await asyncio.open_unix_connection(path, limit=16 * _MAX_LINE)
            try:
                writer.write(json.dumps(dict(request)).encode() + b"\n")
                await writer.drain()
                answer: dict[str, Any] = json.loads(await reader.readline())
                return answer
            finally:
                writer.close()
    except (OSError, ValueError) as error:
        raise UnavailableError(
            f"no controller answers at {path}: {error}. Is `shifu run` up on this folder?"
        ) from error
    except TimeoutError:
        raise UnavailableError(f"the controller at {path} did not answer within {timeout_s:g} s") from None
