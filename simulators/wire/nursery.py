"""The process that the OPC UA servers are forked from: what all of them need is imported and built there once."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Nursery"]

_START_S = 60.0
_STOP_S = 5.0
_LINE = 1_048_576


class Nursery:
    """Started with the first need; `connect` gives a server process of one's own."""

    def __init__(self, path: Path) -> None:
        """`path` is where its socket is made, in a folder of ours alone."""
        self._path = path
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; it is ready a second later, and those who connect before wait."""
        if self._process is None or self._process.poll() is not None:
            self._path.unlink(missing_ok=True)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "simulators.wire.opcua_server", str(self._path)], stdin=subprocess.PIPE
            )

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return the connection to a new server process, which lives as long as the connection.

        Raises:
            RuntimeError: the forking process does not run or did not listen within a minute.
        """
        self.start()
        assert self._process is not None
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _START_S
        while loop.time() < deadline and self._process.poll() is None:
            try:
                return await asyncio.open_unix_connection(str(self._path), limit=_LINE)
            except (FileNotFoundError, ConnectionRefusedError):
                await asyncio.sleep(0.02)
        raise RuntimeError("the process of the OPC UA servers did not start; its message stands above")

    async def stop(self) -> None:
        """Let it end: its standard input is closed. Servers end with their own connections."""
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        try:
            await asyncio.to_thread(process.wait, _STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)
        self._path.unlink(missing_ok=True)
