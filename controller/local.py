"""The local socket: how commands on the same machine speak to the running controller.

A Unix socket in the data folder, for the user who runs the controller alone (mode 0600). One JSON object a line each
way. Nothing of it is reachable over the network.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
from typing import TYPE_CHECKING, Any

from controller.errors import ConflictError, InvalidError, ShifuError, UnavailableError
from drivers.errors import DriverError, ProfileError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

__all__ = ["LocalServer", "ask"]

_log = logging.getLogger(__name__)
_MAX_LINE = 1 << 20
_MAX_PATH = 100
"""A Unix socket's path is at most 107 bytes on Linux; longer ones go by way of the folder's descriptor."""

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
        self.path.unlink(missing_ok=True)
        before = os.umask(0o177)  # the socket is never open to others, not even between bind and chmod
        try:
            with _short(self.path) as path:
                self._server = await asyncio.start_unix_server(self._serve, path, limit=_MAX_LINE)
        finally:
            os.umask(before)

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
        except (OSError, ValueError) as error:  # the client went away, or sent a line of megabytes
            _log.warning("local socket: %s", error)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            request = json.loads(line)
            handler = self._handlers[request["do"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            return {"ok": False, "invalid": True, "error": f"not a request; known are {', '.join(self._handlers)}"}
        try:
            return {"ok": True, **await handler(request)}
        except (ShifuError, DriverError) as error:
            return {"ok": False, "error": str(error), "invalid": isinstance(error, InvalidError | ProfileError)}
        except Exception as error:  # noqa: BLE001 - a fault is logged and told; the controller goes on
            _log.exception("local socket: %s", request["do"])
            return {"ok": False, "error": f"a fault of the controller, see its log: {error!r}"}


@contextlib.contextmanager
def _short(path: Path) -> Iterator[str]:
    """Give a name of the socket that is short enough for the kernel."""
    if len(os.fsencode(path)) <= _MAX_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


async def ask(path: Path, request: Mapping[str, Any], timeout_s: float = 60.0) -> dict[str, Any]:
    """Send one request to the controller whose socket is at `path`, and return what it answers.

    Raises:
        InvalidError, ConflictError: the controller refuses it, and says why.
        UnavailableError: no controller runs there, or it did not answer in time.
    """
    answer = await _exchange(path, request, timeout_s)
    if not answer.get("ok"):
        message = str(answer.get("error"))
        raise InvalidError(message) if answer.get("invalid") else ConflictError(message)
    return answer


async def _exchange(path: Path, request: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    try:
        async with asyncio.timeout(timeout_s):
            with _short(path) as short:
                reader, writer = await asyncio.open_unix_connection(short, limit=16 * _MAX_LINE)
            try:
                writer.write(json.dumps(dict(request)).encode() + b"\n")
                await writer.drain()
                answer: dict[str, Any] = json.loads(await reader.readline())
                return answer
            finally:
                writer.close()
    except TimeoutError:
        raise UnavailableError(f"the controller at {path} did not answer within {timeout_s:g} s") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UnavailableError(
            f"no controller answers at {path} ({reason}). Is `shifu run` up with --data {path.parent}?"
        ) from error
