"""The control socket of a fleet: fault commands and questions, one JSON object a line, on a Unix socket."""

from __future__ import annotations

import asyncio
import json
import math
import socket
from typing import TYPE_CHECKING, Any

from simulators.fault import COMMANDS, FaultError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from simulators.fault import Board

__all__ = ["Control", "ControlError", "ask"]

_LONGEST_PATH = 100
"""sockaddr_un holds 108 bytes on Linux, 104 elsewhere."""
_LINE = 65_536
_WAIT_S = 5.0


class ControlError(Exception):
    """The fleet cannot be reached, or it refused the command."""


class Control:
    """Answers `{"command": …, "device": …, "arguments": […]}` with `{"ok": true, …}` or `{"ok": false, "error": …}`."""

    def __init__(
        self,
        path: Path,
        board: Board,
        status: Callable[[], dict[str, Any]],
        writes: Callable[[str], list[dict[str, Any]]] | None = None,
    ) -> None:
        """`path` is that of the socket; `writes` gives what a device was written, from the ledger.

        Raises:
            ControlError: the path is too long for a Unix socket.
        """
        if len(str(path).encode()) > _LONGEST_PATH:
            raise ControlError(f"{path}: longer than {_LONGEST_PATH} bytes; choose a shorter --run-dir")
        self.path = path
        self._board = board
        self._status = status
        self._writes = writes
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Listen.

        Raises:
            ControlError: another fleet listens there.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.path.exists():
            with socket.socket(socket.AF_UNIX) as probe:
                if probe.connect_ex(str(self.path)) == 0:
                    raise ControlError(f"{self.path}: another fleet is running there; stop it or choose --run-dir")
            self.path.unlink()
        self._server = await asyncio.start_unix_server(self._client, self.path, limit=_LINE)
        self.path.chmod(0o600)

    async def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._server is not None:
            self._server.close()
            self._server = None
            self.path.unlink(missing_ok=True)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(json.dumps(self.answer(line)).encode() + b"\n")
                await writer.drain()
        except (ValueError, ConnectionError):
            pass  # a line without end, or a client that went away
        finally:
            writer.close()

    def answer(self, line: bytes) -> dict[str, Any]:
        """Return the answer to one line."""
        try:
            message = json.loads(line)
            command = message["command"]
            device = str(message.get("device", ""))
            arguments = [str(item) for item in message.get("arguments", [])]
        except (ValueError, TypeError, KeyError, AttributeError):
            return {"ok": False, "error": 'wanted {"command": …, "device": …, "arguments": […]} in one line'}
        match command:
            case "list":
                return {"ok": True, "faults": self._board.faults()}
            case "status":
                return {"ok": True, "status": self._status()}
            case "values" if device in self._board.views:
                state = self._board.views[device].state()
                values = {name: value if math.isfinite(value) else None for name, value in state.items()}
                return {"ok": True, "values": values}
            case "ledger" if device in self._board.views and self._writes is not None:
                return {"ok": True, "writes": self._writes(device)}
            case "ledger" | "values":
                return {"ok": False, "error": f'got the device "{device}", which is not in this fleet'}
        try:
            self._board.apply(str(command), device, arguments)
        except FaultError as error:
            return {"ok": False, "error": str(error)}
        return {"ok": True, "faults": self._board.faults().get(device, {})}


def ask(path: Path, command: str, device: str = "", arguments: tuple[str, ...] = ()) -> dict[str, Any]:
    """Send one command to the fleet at `path` and return its answer.

    Raises:
        ControlError: nobody listens there, or the fleet refused.
    """
    message = {"command": command, "device": device, "arguments": list(arguments)}
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_WAIT_S)
            client.connect(str(path))
            client.sendall(json.dumps(message).encode() + b"\n")
            with client.makefile("rb") as lines:
                answer = json.loads(lines.readline())
    except (OSError, ValueError) as error:
        raise ControlError(
            f"{path}: no running fleet answers ({error}); start one with `python -m simulators run`"
        ) from None
    if not answer.get("ok"):
        raise ControlError(str(answer.get("error", f"{command}: refused; known are {', '.join(COMMANDS)}")))
    return dict(answer)
